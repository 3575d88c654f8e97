"""The daemon as a process of its own: its configuration, its start and its end, what it says and what it uses."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HUOYAN = (sys.executable, "-m", "huoyan.cli.main")
COMMAND = (*HUOYAN, "watch")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_COLUMNS = 16
_STEP = 0.006
"""Degrees between cameras: about 600 m, so that no two see the same place."""
_HALF = 0.002


def write_county(
    folder: Path, addresses: Mapping[str, str], watch: Mapping[str, Any] | None = None, **changes: Any
) -> Path:
    """A county of live cameras, each with its place, its pose and a control zone before it; its configuration.

    Only the site detector looks. `watch` adds to the keys of the daemon, `changes` replace keys of the configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cameras, zones = [], []
    for number, (name, url) in enumerate(addresses.items()):
        lon, lat = 120.5 + _STEP * (number % _COLUMNS), 29.3 + _STEP * (number // _COLUMNS)
        pose = {"height_m": 12.0, "yaw_deg": 0.0, "pitch_deg": -20.0, "hfov_deg": 70.0}
        cameras.append(
            {"id": name, "position": [lon, lat], "pose": pose, "zones": [f"z-{name}"], "stream": {"url": url}}
        )
        west, east, south, north = lon - _HALF, lon + _HALF, lat - _HALF, lat + _HALF
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        zones.append(
            {
                "type": "Feature",
                "properties": {"id": f"z-{name}", "name": f"管控区{number}", "kind": "control", "scenes": []},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
        )
    registers = folder / "zones.geojson"
    registers.write_text(json.dumps({"type": "FeatureCollection", "features": zones}, ensure_ascii=False))
    config: dict[str, Any] = {
        "county": {"name": "基准县", "data": "state"},
        "cameras": cameras,
        "registry": {"zones": "zones.geojson"},
        "models": {"street": None, "road": None, "change": None, "dust": None, "plates": None},
        "watch": {"listen": f"127.0.0.1:{free_port()}", **(watch or {})},
        **changes,
    }
    path = folder / "county.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Daemon:
    """`huoyan watch` on a configuration. A context manager: it is told to stop, and killed if it does not."""

    def __init__(
        self,
        config: Path,
        command: Iterable[str] = COMMAND,
        more: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [*command, str(config), *more]
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", **(environment or {})}
        self._listen = yaml.safe_load(config.read_text(encoding="utf-8"))["watch"]["listen"]
        self.log = config.parent / "daemon.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Daemon:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Tell it to stop, and wait for it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self.kill()

    def start(self, patience_s: float = 120.0) -> None:
        """Start it and wait until it answers that it is ready.

        Raises:
            RuntimeError: it ended, or is not ready in time.
        """
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)
        end = time.monotonic() + patience_s
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                if self.status()["ready"]:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"the daemon does not get ready; see {self.log}")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    @property
    def pid(self) -> int:
        return self.process.pid if self.process is not None else 0

    @property
    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def status(self) -> dict[str, Any]:
        """What /status says.

        Raises:
            OSError: it does not answer.
        """
        with urllib.request.urlopen(f"http://{self._listen}/status", timeout=5) as answer:
            told: dict[str, Any] = json.load(answer)
        return told


@dataclass(frozen=True, slots=True)
class Used:
    """What a process uses: CPU seconds since its start; resident bytes, and its share of them; threads, descriptors."""

    name: str
    cpu_s: float
    rss: int
    pss: int
    threads: int
    descriptors: int


def used(pid: int, name: str = "") -> Used | None:
    """What a process uses, under its own name or another; None: it is gone."""
    folder = Path(f"/proc/{pid}")
    try:
        text = (folder / "stat").read_text()
        fields = text.rpartition(")")[2].split()
        rss = int((folder / "statm").read_text().split()[1]) * _PAGE
        shares = (folder / "smaps_rollup").read_text().split()
        pss = int(shares[shares.index("Pss:") + 1]) * 1024
        descriptors = len(os.listdir(folder / "fd"))
    except (OSError, ValueError, IndexError):
        return None
    # Fields after the name, from the state on: utime and stime are the 12th and 13th, threads the 18th.
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS
    return Used(
        name or text[text.index("(") + 1 : text.rindex(")")], cpu_s, rss, pss, int(fields[17]), descriptors
    )


def family(pid: int) -> list[int]:
    """A process and all that come from it."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError):
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


class Meter:
    """CPU of processes that come and go, and what they hold. Look at it every second or two."""

    def __init__(self, names: Mapping[int, str] | None = None) -> None:
        """
        Args:
            names: of processes that are to have another name than their own.
        """
        self._names = names or {}
        self.cpu_s: dict[str, float] = {}
        """By the name of the process, since the first look."""
        self._last: dict[int, float] = {}
        self._first = True

    def look(self, pids: Iterable[int]) -> list[Used]:
        """Take what they have used since the last look; gives them as they are now."""
        seen = []
        for pid in pids:
            one = used(pid, self._names.get(pid, ""))
            if one is None:
                continue
            seen.append(one)
            # A process met later was started since: all its CPU counts.
            before = self._last.get(pid, one.cpu_s if self._first else 0.0)
            self.cpu_s[one.name] = self.cpu_s.get(one.name, 0.0) + one.cpu_s - before
            self._last[pid] = one.cpu_s
        self._first = False
        return seen
