"""The daemon's pages for machines: /healthz, /readyz, /metrics and /status.

A small server of the standard library. One request a connection; connections are counted and have a deadline, so that a
slow or broken client costs a thread for seconds and never more of them than `CONNECTIONS`.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

from huoyan.errors import ConfigError
from huoyan.ops import metrics, readiness
from huoyan.redaction import redact_value
from huoyan.status import Status

log = logging.getLogger("huoyan.http")
TOKEN = "HUOYAN_WATCH_TOKEN"
"""Environment variable with the bearer token that /metrics and /status ask for."""
STALE_S = 30.0
"""A loop that has made no new status for so long hangs."""
CONNECTIONS = 16
DEADLINE_S = 10.0
"""From accepting a connection to its end."""
PATHS = ("/healthz", "/readyz", "/metrics", "/status")


def serve(
    listen: str, current: Callable[[], Status], *, stale_s: float = STALE_S, deadline_s: float = DEADLINE_S
) -> Server:
    """Serve the pages in a thread.

    Args:
        listen: `host:port`; port 0 takes any free one (see `Server.address`).
        current: gives the newest snapshot; called in other threads.
        stale_s: seconds without a new snapshot after which /healthz says no.
        deadline_s: seconds that a connection may take.

    Raises:
        ConfigError: the address cannot be bound.
    """
    server = Server(listen, current, stale_s, deadline_s)
    if not server.token and not _is_loopback(server.address[0]):
        log.warning(
            "/status and /metrics on %s are open to everybody who reaches it; set %s to ask for a token",
            listen,
            TOKEN,
        )
    server.start()
    return server


class Server(ThreadingHTTPServer):
    """Running pages; `address` is where they are."""

    daemon_threads = True
    # A restarted daemon must get its port back at once.
    allow_reuse_address = True
    request_queue_size = 32

    def __init__(self, listen: str, current: Callable[[], Status], stale_s: float, deadline_s: float) -> None:
        """Bind the address; `start` serves it.

        Raises:
            ConfigError: it cannot be bound.
        """
        self.current, self.stale_s, self.deadline_s = current, stale_s, deadline_s
        self.token = os.environ.get(TOKEN, "")
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._seen = current().time
        self._seen_at = time.monotonic()
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, int(port)), Handler)
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"cannot listen: {getattr(error, 'strerror', None) or error}",
                subject=f"watch.listen {listen}",
                hint="is another daemon running, or is the address another machine's?",
            ) from error
        self._thread = threading.Thread(target=self.serve_forever, args=(0.25,), name="http", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        return str(self.server_address[0]), int(self.server_address[1])

    @property
    def age_s(self) -> float:
        """Seconds since the loop made a new status, by the monotonic clock: the wall's may be set back."""
        status = self.current()
        with self._lock:
            if status.time != self._seen:
                self._seen, self._seen_at = status.time, time.monotonic()
            return time.monotonic() - self._seen_at

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End it with all its connections; a second call does nothing."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        self._cut(0.0)
        # Each thread gives its place back when it ends.
        for _ in range(CONNECTIONS):
            self._room.acquire(timeout=2.0)
        for _ in range(CONNECTIONS):
            with contextlib.suppress(ValueError):
                self._room.release()

    # ------------------------------------------------------------------------------- of the standard library
    def service_actions(self) -> None:
        """Called by the serving thread several times a second."""
        _ = self.age_s
        self._cut(self.deadline_s)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            # Better refused at once than accepted and starved.
            self.shutdown_request(request)
            return
        with self._lock:
            self._open[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._done(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._done(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a request of %s broke off", client_address, exc_info=True)

    def _done(self, request: socket.socket) -> None:
        with self._lock:
            self._open.pop(request, None)
        self._room.release()

    def _cut(self, older_s: float) -> None:
        """End connections that are older: their threads then come to their end by themselves."""
        limit = time.monotonic() - older_s
        with self._lock:
            for request, since in self._open.items():
                if since <= limit:
                    with contextlib.suppress(OSError):
                        request.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version = "huoyan", ""
    # An answer goes out in one piece.
    wbufsize = 256 * 1024

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.deadline_s)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].rstrip("/") or "/"
        if path in ("/metrics", "/status") and not self._known():
            self._answer(HTTPStatus.UNAUTHORIZED, {"error": f"expected the bearer token of {TOKEN}"})
        elif path == "/healthz":
            self._health()
        elif path == "/readyz":
            missing = readiness.missing(self.server.current())
            status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
            self._answer(status, {"ready": not missing, "missing": missing})
        elif path == "/metrics":
            self._send(HTTPStatus.OK, metrics.render(self.server.current()), metrics.CONTENT_TYPE)
        elif path == "/status":
            self._answer(HTTPStatus.OK, self.server.current().as_json())
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"nothing is here; there are {', '.join(PATHS)}"})

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "these pages can only be read (GET)"})

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse

    def _health(self) -> None:
        age_s = self.server.age_s
        well = age_s <= self.server.stale_s
        self._answer(
            HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE,
            {"alive": well, "status_age_s": round(age_s, 1), "pid": os.getpid()},
        )

    def _known(self) -> bool:
        if not self.server.token:
            return True
        scheme, _, given = self.headers.get("Authorization", "").strip().partition(" ")
        shown = given.strip().encode("iso-8859-1", "replace")
        return scheme.lower() == "bearer" and hmac.compare_digest(shown, self.server.token.encode())

    def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        text = json.dumps(redact_value(body), ensure_ascii=False)
        self._send(status, text, "application/json; charset=utf-8")

    def _send(self, status: HTTPStatus, text: str, kind: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Bearer realm="huoyan"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        # Never headers: they hold the token.
        log.debug(format, *args)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
