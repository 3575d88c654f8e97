"""A real MQTT broker (mosquitto), started on a free port of loopback, to be killed and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest


def mosquitto() -> str:
    """The broker's program; the test is skipped where it is not installed."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    return found


class Broker:
    """A broker that keeps sessions and messages on the disk, as a county's does."""

    def __init__(self, folder: Path, port: int, password: bool = False) -> None:
        self.port, self._folder = port, folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        lines = [
            f"listener {port} 127.0.0.1",
            "persistence true",
            f"persistence_location {folder}/",
            # Every change is saved: a kill must not lose what the broker acknowledged.
            "autosave_on_changes true",
            "autosave_interval 1",
            f"allow_anonymous {'false' if password else 'true'}",
        ]
        if password:
            file = folder / "passwords"
            program = shutil.which("mosquitto_passwd") or "mosquitto_passwd"
            subprocess.run([program, "-b", "-c", file, "gate", "s3cret-of-the-tests"], check=True)
            lines.append(f"password_file {file}")
        if os.geteuid() == 0:
            # Otherwise it would give its rights away, and could not write into the test's folder.
            lines.append("user root")
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self) -> None:
        with (self._folder / "log.txt").open("ab") as told:
            self._process = subprocess.Popen(
                [mosquitto(), "-c", str(self._config)], stdout=told, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError((self._folder / "log.txt").read_text(encoding="utf-8"))

    def stop(self) -> None:
        """In order: what it holds is saved."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
