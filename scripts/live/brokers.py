"""A NATS server with JetStream, as a county runs one: killed and started again, and all that a consumer gets of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from live.box import free_port

STREAM = "huoyan-alerts"
_PATIENCE_S = 20.0


class Nats:
    """A server of its own on loopback; its streams are on the disk and outlive it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def dispatch(self) -> Mapping[str, Any]:
        """Keys of `dispatch` in the configuration."""
        url = f"nats://127.0.0.1:{self._port}"
        return {"to": "nats", "longest_pause": "2s", "nats": {"servers": [url], "stream": STREAM}}

    def start(self) -> None:
        """Start it, and wait until it greets; a second call does nothing while it runs.

        Raises:
            RuntimeError: it is not installed, or does not start.
        """
        if self._process is not None:
            return
        program = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise RuntimeError("nats-server is not installed: apt-get install nats-server")
        log = self._folder / "log.txt"
        with log.open("ab") as told:
            self._process = subprocess.Popen(
                [program, "-js", "-a", "127.0.0.1", "-p", str(self._port), "-sd", str(self._folder)],
                stdout=told,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=1) as line:
                    if line.recv(4) == b"INFO":
                        return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"nats-server does not start; see {log}")

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def received(self) -> list[str]:
        """The documents that a new consumer gets, in order; it acknowledges every one."""
        return asyncio.run(self._consume())

    async def _consume(self) -> list[str]:
        import nats
        from nats.errors import TimeoutError as Nothing

        client = await nats.connect(f"nats://127.0.0.1:{self._port}")
        try:
            stream = client.jetstream()
            consumer = await stream.pull_subscribe("", "county", stream=STREAM)
            documents: list[str] = []
            while True:
                try:
                    messages = await consumer.fetch(200, timeout=2)
                except Nothing:
                    return documents
                for message in messages:
                    documents.append(message.data.decode())
                    await message.ack()
        finally:
            await client.close()
