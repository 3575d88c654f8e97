"""Real receivers of alerts on loopback: a NATS server, an HTTP endpoint; and outboxes to deliver from."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from huoyan import dispatch
from huoyan.dispatch import outbox
from huoyan.records import Alert, Priority

SECRET = "a-key-of-the-tests"


def nats_server() -> str:
    """The server's program; the test is skipped where it is not installed."""
    found = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("nats-server is not installed: apt-get install nats-server")
    return found


class NatsServer:
    """A NATS server with JetStream that keeps its streams on the disk."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        pytest.importorskip("nats", reason="nats-py is not installed: pip install 'huoyan[nats]'")
        self.port, self.url = port, f"nats://127.0.0.1:{port}"
        self._folder, self._options = folder, options
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        command = [nats_server(), "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self._folder)]
        with (self._folder / "log.txt").open("ab") as told:
            self._process = subprocess.Popen(
                [*command, *self._options], stdout=told, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                    # It listens before it is ready; only a ready one greets.
                    if line.recv(4) == b"INFO":
                        return
            except OSError:
                time.sleep(0.05)
        raise AssertionError((self._folder / "log.txt").read_text(encoding="utf-8"))

    def __enter__(self) -> NatsServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def ask(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        """Run `work(jetstream)` on a connection of its own."""
        import nats

        async def main() -> Any:
            client = await nats.connect(self.url)
            try:
                return await work(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(main())

    def alerts(self, stream: str = "huoyan-alerts") -> list[tuple[str, str]]:
        """Message id and subject of everything in a stream, in its order."""

        async def read(js: Any) -> list[tuple[str, str]]:
            state = (await js.stream_info(stream)).state
            found = []
            for seq in range(state.first_seq, state.last_seq + 1):
                message = await js.get_msg(stream, seq)
                found.append((message.headers["Nats-Msg-Id"], message.subject))
            return found

        result: list[tuple[str, str]] = self.ask(read)
        return result


class Receiver:
    """Another platform's endpoint: checks signatures, keeps what it takes, and answers as a test wants."""

    def __init__(self, port: int = 0) -> None:
        self.taken: list[str] = []
        """Ids, repeats included."""
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[str], tuple[int, dict[str, str]]] = lambda alert_id: (204, {})
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {key.lower(): value for key, value in self.headers.items()}
                receiver.seen.append((headers, body))
                alert_id = headers["idempotency-key"]
                status, more = receiver.answer(alert_id)
                if status < 300:
                    assert receiver.is_signed(headers, body)
                    receiver.taken.append(alert_id)
                text = b"" if status == 204 else b"as the test wants"
                self.send_response(status)
                for key, value in {**more, "Content-Length": str(len(text))}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(text)

            def do_HEAD(self) -> None:
                self.send_response(405)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """Senders are killed in the middle of a request."""

        self._server = Server(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @staticmethod
    def is_signed(headers: dict[str, str], body: bytes) -> bool:
        """As a receiver written from the documentation alone would check it."""
        text = headers["huoyan-timestamp"].encode() + b"." + body
        return (
            headers["huoyan-signature"] == "v1=" + hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def alert(incident: str, revision: int = 1, text: str = "", **fields: Any) -> Alert:
    """A small alert of an incident; its document says which it is."""
    alert_id = f"{incident}.{revision}"
    document = {"specversion": "1.0", "id": alert_id, "type": "huoyan.alert.v1", "text": text}
    values = {"scene": "earthwork", "priority": Priority.HIGH, "time": datetime.now(UTC), **fields}
    return Alert(alert_id, incident, revision, values["scene"], values["priority"], values["time"], document)


def open_state(folder: Path) -> sqlite3.Connection:
    """A state's database with an empty outbox."""
    folder.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(folder / "huoyan.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    dispatch.ensure_tables(connection)
    return connection


def put(connection: sqlite3.Connection, alerts: Iterable[Alert]) -> list[str]:
    """Put alerts into an outbox in one transaction; their ids."""
    ids = []
    connection.execute("BEGIN IMMEDIATE")
    for one in alerts:
        outbox.put(connection, one)
        ids.append(one.alert_id)
    connection.execute("COMMIT")
    return ids


def story(incidents: int, revisions: int, start: int = 0) -> list[Alert]:
    """Alerts of some incidents, their revisions interleaved."""
    return [
        alert(f"i{number:03d}", revision)
        for revision in range(1, revisions + 1)
        for number in range(start, start + incidents)
    ]


def in_order(ids: Iterable[str]) -> bool:
    """Whether the revisions of each incident come in their order."""
    last: dict[str, int] = {}
    for alert_id in ids:
        incident, _, revision = alert_id.rpartition(".")
        if int(revision) <= last.get(incident, 0):
            return False
        last[incident] = int(revision)
    return True


def first_of_each(ids: Iterable[str]) -> list[str]:
    """What a consumer keeps that tells repeats by their ids."""
    return list(dict.fromkeys(ids))
