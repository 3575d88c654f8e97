"""All cameras at once, each within its deadline, and never more logins at a time than the daemon would make."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from huoyan.config import Camera, LoadedConfig
from huoyan.errors import ConfigError
from huoyan.ingest.addresses import plans
from huoyan.ingest.faults import Fault
from huoyan.ingest.lines import host_of
from huoyan.ingest.logins import LoginLimits, Logins
from huoyan.ops.doctor.finding import Finding, fail, ok, warn
from huoyan.ops.doctor.probe import WATCHED_S, Probe, probe
from huoyan.sample import CameraPlan

_GRACE_S = 5.0
_LARGE = 1280 * 720
_SKEW_S = 5.0
_REMEDIES: Mapping[str, str] = {
    "unauthorised": "set user and password as its own page takes them; too many tries may have locked it",
    "refused": "is the address right, and the camera's RTSP service on?",
    "unreachable": "check cable, power, and the route to its network (ping)",
    "not_found": "check the path of the address: the camera is there, this stream is not",
    "timeout": "check the network to it; a slow camera needs a longer watch.patience.open, or stream.first",
    "busy": "it has no seat left: end other viewers, or lower watch.logins.per_host",
    "no_pictures": "check that the sub-stream is switched on in the camera",
    "damaged": "check the codec (H.264 is safest) and the network; try transport: tcp",
    "unsupported": "choose H.264 or H.265 in the camera, or the other transport",
    "address": "mend stream.url",
    "hung": "restart the camera: it takes the connection and says nothing",
}


@dataclass(frozen=True, slots=True)
class _Case:
    """A camera to try, with the time at which who waits for it gives up."""

    plan: CameraPlan
    host: str


def cameras(loaded: LoadedConfig, *, attempt: Callable[[CameraPlan], Probe] = probe) -> Iterator[Finding]:
    """Try every camera with a stream; findings come as they are ready.

    A probe that hangs beyond every deadline is left behind in its thread and told as `hung`.
    """
    ready, faulty = _plans(loaded)
    yield from faulty
    limits = loaded.config.watch.logins
    yield from _tried(ready, LoginLimits(limits.at_once, limits.per_host, limits.rate), attempt)


def _plans(loaded: LoadedConfig) -> tuple[list[CameraPlan], list[Finding]]:
    """What can be tried, and what cannot even be begun."""
    made: list[CameraPlan] = []
    faulty: list[Finding] = []
    for camera in loaded.config.cameras:
        if camera.stream is None:
            continue
        try:
            made += plans(_only(loaded, camera))
        except ConfigError as error:
            subject = f"{error.subject}: " if error.subject else ""
            faulty.append(fail(f"camera {camera.id}", f"{subject}{error.message}", error.hint or "mend it"))
    return made, faulty


def _only(loaded: LoadedConfig, camera: Camera) -> LoadedConfig:
    return replace(loaded, config=loaded.config.model_copy(update={"cameras": [camera]}))


def _tried(
    ready: Sequence[CameraPlan], limits: LoginLimits, attempt: Callable[[CameraPlan], Probe]
) -> Iterator[Finding]:
    waiting = [_Case(plan, host_of(plan)) for plan in ready]
    under_way: dict[str, tuple[_Case, float]] = {}
    done: queue.SimpleQueue[tuple[str, Probe | Fault]] = queue.SimpleQueue()
    logins = Logins(limits)

    def run(case: _Case) -> None:
        try:
            done.put((case.plan.id, attempt(case.plan)))
        except Fault as fault:
            done.put((case.plan.id, fault))
        except Exception as error:
            done.put((case.plan.id, Fault("failed", f"{type(error).__name__}: {error}")))

    while waiting or under_way:
        now = time.monotonic()
        for case in waiting[:]:
            if logins.enter(case.host, now):
                waiting.remove(case)
                under_way[case.plan.id] = case, now + _deadline_s(case.plan)
                threading.Thread(target=run, args=(case,), name=f"probe {case.plan.id}", daemon=True).start()
        try:
            camera, came = done.get(timeout=0.05)
        except queue.Empty:
            late = [name for name, (_, until) in under_way.items() if time.monotonic() > until]
            for name in late:
                case, _ = under_way.pop(name)
                logins.leave(case.host)
                yield _judged(case.plan, Fault("hung", "it hangs, beyond all deadlines"))
            continue
        if camera in under_way:
            case, _ = under_way.pop(camera)
            logins.leave(case.host)
            yield _judged(case.plan, came)


def _deadline_s(plan: CameraPlan) -> float:
    patience = plan.patience
    return patience.open_s + patience.first_s + patience.read_s + WATCHED_S + _GRACE_S


def _judged(plan: CameraPlan, came: Probe | Fault) -> Finding:
    about = f"camera {plan.id}"
    if isinstance(came, Fault):
        return fail(
            about, came.why, _REMEDIES.get(came.code, "look at the camera's own page"), code=came.code
        )
    width, height = came.size
    parts = [f"{came.codec} {width}x{height}"]
    if came.fps is not None:
        parts.append(f"{came.fps:.3g} fps")
    if came.key_every_s is not None:
        parts.append(f"key picture every {came.key_every_s:.1f} s")
    parts.append(f"first after {came.first_s:.1f} s")
    if came.skew_s is not None:
        parts.append(f"clock {came.skew_s:+.1f} s")
    told = ", ".join(parts)
    values = {
        "codec": came.codec,
        "size": came.size,
        "fps": came.fps,
        "key_every_s": came.key_every_s,
        "opened_s": round(came.opened_s, 3),
        "first_s": round(came.first_s, 3),
        "skew_s": came.skew_s,
    }
    doubts = _doubts(plan, came)
    if doubts:
        return warn(about, told, "; ".join(doubts), **values)
    return ok(about, told, **values)


def _doubts(plan: CameraPlan, came: Probe) -> list[str]:
    found = []
    if came.key_every_s is not None and came.key_every_s > 1.1 * plan.every_s:
        found.append(
            f"only key pictures are decoded: set its I-frame interval to {plan.every_s:g} s or less,"
            f" or stream.every to {came.key_every_s:.0f}s"
        )
    if came.key_every_s is None and came.fps is not None:
        found.append(f"fewer than two key pictures in {WATCHED_S:g} s: shorten its I-frame interval")
    if came.size[0] * came.size[1] > _LARGE:
        found.append("use its sub-stream: large pictures cost processor time for each key picture")
    if came.first_s > 0.7 * plan.patience.first_s:
        found.append(f"it is slow: raise stream.first to {2 * came.first_s:.0f}s")
    if came.skew_s is not None and abs(came.skew_s) > _SKEW_S:
        found.append("set its clock, best by a time server")
    return found
