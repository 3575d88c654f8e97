"""The machine that a daemon is to run on: disk, clock, memory, limits, its port, the secrets file."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import shutil
import socket
import stat
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.config import LoadedConfig
from huoyan.config_watch import Disk
from huoyan.errors import ConfigError
from huoyan.ingest.addresses import read_secrets
from huoyan.ops.doctor.finding import Finding, fail, ok, warn

_WRITES = 20
_SLOW_WRITE_S = 0.05
_NEAR = 0.05
"""Shares of the disk below the high-water mark from which on it is told."""
_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
"""A clock that shows an earlier time has never been set."""
_JUMP_S = 0.25
_FILES, _FILES_A_CAMERA = 128, 3
_MEMORY, _MEMORY_A_CAMERA = 700 << 20, 4 << 20
"""Bytes: of the daemon's processes with their models, and of each camera."""
_TIME_ERROR = 5


def disk(state: Path, settings: Disk) -> Iterator[Finding]:
    """Whether the state can be written, how fast, and for how long.

    Nothing but a file for the trial is written, and that is removed.
    """
    folder = state
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        seconds = _write_time(folder)
    except OSError as error:
        yield fail(
            "disk",
            f"{folder} cannot be written: {error.strerror}",
            f"make {state} with the daemon's user as its owner",
        )
        return
    told = f"{folder}: a write is safe after {seconds * 1000:.1f} ms"
    if seconds > _SLOW_WRITE_S:
        yield warn(
            "disk",
            told,
            "every alert waits for the disk: take one that is faster, or look for what else writes",
            fsync_s=seconds,
        )
    else:
        yield ok("disk", told, fsync_s=seconds)
    yield _room(folder, settings)


def _write_time(folder: Path) -> float:
    """Median seconds until 4 KiB are on the disk (fsync).

    Raises:
        OSError: it cannot be written.
    """
    times = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".huoyan-doctor-") as file:
        for _ in range(_WRITES):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def _room(folder: Path, settings: Disk) -> Finding:
    usage = shutil.disk_usage(folder)
    # As df counts: what is kept for the administrator is no room for us.
    used = usage.used / max(1, usage.used + usage.free)
    files = os.statvfs(folder)
    free_files = files.f_favail / files.f_files if files.f_files else 1.0
    told = f"{used:.0%} used, {usage.free / 1e9:.1f} GB free"
    values = {"used": used, "free_bytes": usage.free, "free_files": free_files}
    if used >= settings.high_water:
        todo = "make room: above watch.disk.high_water no pictures are kept"
        return fail("disk room", f"{told}, high water is {settings.high_water:.0%}", todo, **values)
    if free_files < _NEAR:
        return warn(
            "disk room", f"{told}, but only {free_files:.0%} of its files are left", "remove files", **values
        )
    if used >= settings.high_water - _NEAR:
        todo = f"make room soon: from {settings.high_water:.0%} on no pictures are kept"
        return warn("disk room", told, todo, **values)
    if usage.free < settings.evidence_gb * 1e9:
        todo = f"pictures may take {settings.evidence_gb:g} GB: lower watch.disk.evidence_gb, or make room"
        return warn("disk room", told, todo, **values)
    return ok("disk room", told, **values)


class Clocks:
    """Compares the wall clock with the monotonic one from its making on."""

    def __init__(self) -> None:
        self._apart = time.time() - time.monotonic()

    def jumped_s(self) -> float:
        """Seconds by which the wall clock was set forward (or back, below zero) meanwhile."""
        return time.time() - time.monotonic() - self._apart


def clock(zone: str, clocks: Clocks) -> Iterator[Finding]:
    """Whether times can be believed: set, kept by a time server, not jumping."""
    now = datetime.now(UTC)
    local = now.astimezone(ZoneInfo(zone))
    told = f"{local:%Y-%m-%d %H:%M:%S} {zone} (UTC{local:%z})"
    if now < _BEFORE:
        yield fail(
            "clock", f"{told}: the clock has never been set", "set it, and start a time service (chrony)"
        )
    else:
        yield ok("clock", told)
    kept = _is_kept()
    if kept is None:
        yield warn(
            "time server", "the system does not tell whether its clock is kept", "see `chronyc tracking`"
        )
    elif kept:
        yield ok("time server", "the clock is synchronised")
    else:
        todo = "start a time service with a server that is reached: apt-get install chrony; chronyc tracking"
        yield warn("time server", "the clock is not synchronised", todo)
    jump = clocks.jumped_s()
    if abs(jump) > _JUMP_S:
        yield warn(
            "clock jumps",
            f"the clock was set by {jump:+.2f} s while we looked",
            "let one service keep it, and let it slew",
            jump_s=jump,
        )
    else:
        yield ok("clock jumps", f"none while we looked ({jump * 1000:+.1f} ms)", jump_s=jump)


def _is_kept() -> bool | None:
    """What the kernel says of its clock (ntp_adjtime(3)); None: it cannot be asked."""
    try:
        # A struct timex of zeros changes nothing; 512 bytes are more than it takes anywhere.
        state = ctypes.CDLL(None, use_errno=True).ntp_adjtime(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def secrets(loaded: LoadedConfig) -> Iterator[Finding]:
    """The secrets file: whether it is there, whole, and for its owner's eyes only."""
    if loaded.config.watch.secrets is None:
        return
    path = loaded.resolve(loaded.config.watch.secrets)
    try:
        found = read_secrets(path)
        about = path.stat()
    except ConfigError as error:
        yield fail("secrets", f"{error.subject}: {error.message}", error.hint or "mend the file")
        return
    if about.st_uid != os.geteuid():
        todo = "run the doctor as the daemon's user, or give the file to it (chown)"
        yield warn("secrets", f"{path} belongs to another user ({about.st_uid})", todo)
        return
    mode = stat.S_IMODE(about.st_mode)
    yield ok("secrets", f"{path}: {len(found)} names, mode {mode:o}", names=len(found))


def files(cameras: int) -> Finding:
    """Whether a process may open as many files as the cameras take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = _FILES + _FILES_A_CAMERA * cameras
    told = f"{soft} may be open (at most {hard}), {cameras} cameras may take {need}"
    values = {"soft": soft, "hard": hard, "need": need}
    if soft >= need or soft == resource.RLIM_INFINITY:
        return ok("open files", told, **values)
    todo = f"raise it: LimitNOFILE={2 * need} in the unit, or ulimit -n {min(2 * need, hard)}"
    return (fail if 0 <= hard < need else warn)("open files", told, todo, **values)


def memory(cameras: int) -> Finding:
    """Whether there is enough memory for the models and the cameras."""
    available, limit = _available(), _limit()
    need = _MEMORY + _MEMORY_A_CAMERA * cameras
    room = min(one for one in (available, limit) if one is not None) if available is not None else limit
    if room is None:
        return warn("memory", "the system does not tell how much there is", "see `free -h`")
    told = f"{room / 2**30:.1f} GiB free, {cameras} cameras take about {need / 2**30:.1f} GiB"
    values = {"free_bytes": room, "need_bytes": need}
    if room < need:
        return warn("memory", told, "end other programs, watch fewer cameras, or add memory", **values)
    return ok("memory", told, **values)


def _available() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _limit() -> int | None:
    """What is left of the limit of our control group (a container's or a unit's)."""
    with contextlib.suppress(OSError, ValueError):
        most = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii").strip()
        return None if most == "max" else max(0, int(most) - int(used))
    return None


def port(listen: str) -> Finding:
    """Whether the pages' address is free, or a daemon of ours is there already."""
    host, _, number = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, int(number)))
        return ok("port", f"watch.listen {listen} is free")
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            pid = running(f"http://{listen}")
            if pid is not None:
                return ok("port", f"watch.listen {listen}: a daemon answers there (process {pid})", pid=pid)
            return fail(
                "port", f"watch.listen {listen} is taken by another program", "give watch.listen another port"
            )
        words = getattr(error, "strerror", None) or str(error)
        return fail("port", f"watch.listen {listen}: {words}", "give watch.listen an address of this machine")


def running(address: str) -> int | None:
    """Process of the daemon that serves its pages at an address; None: nobody does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{address}/healthz")
    with contextlib.suppress(OSError, ValueError):
        try:
            answer = opener.open(request, timeout=3)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            found = json.loads(answer.read(4096))
            pid = found.get("pid") if isinstance(found, dict) else None
            return pid if isinstance(pid, int) else None
    return None
