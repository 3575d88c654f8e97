"""Messages over HTTP: a small server of the standard library in front of the door.

`POST /v1/weighing`, `POST /v1/washing`, `POST /VIID/MotorVehicles` (GA/T 1400 manner), `GET /v1/health`. Whatever is
answered with 2xx is on the disk. Bodies are limited, sockets time out, connections are counted: a broken or hostile
sender costs a thread for seconds, not the gate.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from huoyan.config_gate import HttpIntake
from huoyan.config_types import seconds
from huoyan.errors import ConfigError, StorageError
from huoyan.gate import ga1400, messages
from huoyan.gate.access import Access
from huoyan.gate.intake import Intake, kind_of
from huoyan.gate.messages import BadMessage

log = logging.getLogger("huoyan.gate.http")
_VIID_SYSTEM = ("/VIID/System/Register", "/VIID/System/Keepalive", "/VIID/System/UnRegister")
_VIID_CODES = {"not_json": "7", "not_utf8": "7"}


class Server(ThreadingHTTPServer):
    """A running endpoint; `address` is where it listens."""

    daemon_threads = True
    # A restarted gate must get its port back at once.
    allow_reuse_address = True

    def __init__(self, settings: HttpIntake, intake: Intake) -> None:
        """Bind the address; `start` serves it.

        Raises:
            ConfigError: it cannot be bound, or nothing is asked for beyond loopback, or a secret is not set.
        """
        self.intake, self.settings = intake, settings
        self.access = Access(settings)
        self.room = threading.BoundedSemaphore(settings.connections)
        host, port = settings.address
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise ConfigError(
                f"cannot listen: {error.strerror}",
                subject=f"intake.http.listen {settings.listen}",
                hint="is another gate running, or is the address another machine's?",
            ) from error

    @property
    def address(self) -> tuple[str, int]:
        return str(self.server_address[0]), int(self.server_address[1])

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.1,), name="gate http", daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self.room.acquire(blocking=False):
            # Better refused at once than accepted and starved; senders try again.
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.warning("a request of %s broke off", client_address, exc_info=True)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "huoyan", ""
    # An answer goes out in one piece.
    wbufsize = 64 * 1024
    _challenges: list[str] | None = None

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(seconds(self.server.settings.timeout))

    def do_GET(self) -> None:
        if self.path == "/v1/health":
            self._answer(HTTPStatus.OK, {"status": "ok"})
        else:
            self._refuse(BadMessage("nothing is here to be read", subject=self.path, code="path", status=404))

    def do_POST(self) -> None:
        path = self.path.partition("?")[0].rstrip("/")
        try:
            self._authorised()
            if path in _VIID_SYSTEM:
                self._body(messages.LARGEST_BODY)
                self._status([])
            elif path == ga1400.PATH:
                raw = self._body(int(self.server.settings.body_mb * 1024 * 1024))
                receipts = self.server.intake.take_push(raw)
                self._status([receipt.message_id for receipt in receipts])
            else:
                receipt = self.server.intake.take(kind_of(path), self._body(messages.LARGEST_BODY))
                status = HTTPStatus.CREATED if receipt.taken == "new" else HTTPStatus.OK
                self._answer(status, {"message_id": receipt.message_id, "taken": receipt.taken})
        except BadMessage as error:
            self._refuse(error)
        except (StorageError, OSError) as error:
            if isinstance(error, TimeoutError | ConnectionError):
                self.close_connection = True
                return
            # Not acknowledged: the sender keeps it and comes again.
            log.error("a message could not be written: %s", error)
            self._answer(
                HTTPStatus.SERVICE_UNAVAILABLE, _error("storage", "", "cannot be written, try again")
            )

    def _authorised(self) -> None:
        shown = self.headers.get("Authorization", "")
        self._challenges = self.server.access.refusal(self.command, self.path, shown)
        if self._challenges is not None:
            self._swallow()
            raise BadMessage(
                "expected one of the schemes of WWW-Authenticate",
                subject="Authorization",
                code="unauthorised",
                status=401,
            )

    def _swallow(self) -> None:
        """Read a body that is not wanted: a client that is still sending when the connection ends never sees what
        it was asked for, and could not answer it."""
        length = self.headers.get("Content-Length", "")
        left = int(length) if length.isascii() and length.isdigit() else 0
        if left <= self.server.settings.body_mb * 1024 * 1024:
            while left and (part := self.rfile.read(min(left, 64 * 1024))):
                left -= len(part)

    def _body(self, largest: int) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            raise BadMessage(
                "expected a body of known length", subject="Content-Length", code="length", status=411
            )
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if length < 0:
            raise BadMessage("expected a number", subject="Content-Length", code="length", status=411)
        if length > largest:
            raise BadMessage(
                f"expected at most {largest} bytes, got {length}", subject="body", code="too_long", status=413
            )
        raw = self.rfile.read(length)
        if len(raw) < length:
            raise ConnectionResetError("the body broke off")
        return raw

    def _status(self, ids: list[str]) -> None:
        now = self.server.intake.now().astimezone(self.server.intake.zone)
        self._answer(HTTPStatus.OK, ga1400.response(ids, self.path, now))

    def _refuse(self, error: BadMessage) -> None:
        if error.status != 401:
            self.server.intake.refuse(f"http {self.client_address[0]} {self.path}"[:200], error)
        # What of the body was not read would be taken for the next request.
        self.close_connection = True
        if self.path.startswith("/VIID/") and error.status in (400, 422):
            now = self.server.intake.now().astimezone(self.server.intake.zone)
            code = _VIID_CODES.get(error.code, "8")
            self._answer(HTTPStatus(error.status), ga1400.response([], self.path, now, code, str(error)))
            return
        self._answer(HTTPStatus(error.status), _error(error.code, error.subject, error.message))

    def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        if status == HTTPStatus.UNAUTHORIZED:
            for challenge in self._challenges or ():
                self.send_header("WWW-Authenticate", challenge)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        # Never headers: they hold secrets.
        log.debug(format, *args)


def _error(code: str, field: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "field": field, "message": message}}
