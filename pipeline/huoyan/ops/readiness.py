"""Whether a daemon does its work, and if not, what is missing."""

from __future__ import annotations

from huoyan.status import Status

_NOT_TRIED = frozenset({"waiting", "stopped"})


def missing(status: Status) -> list[str]:
    """What keeps a daemon from watching and telling, in words; empty: it is ready.

    Cameras that cannot be reached do not count: that is what their own conditions are for, and a box whose network is
    down must not be restarted for it.
    """
    found = []
    if status.stopping:
        found.append("it is stopping")
    gone = [process.name for process in status.processes if not process.alive]
    found += [f"process {name} does not run" for name in gone]
    if not status.ready and not gone:
        found.append("models are being loaded")
    ours = [camera for camera in status.cameras if camera.state != "elsewhere"]
    if ours and all(camera.state in _NOT_TRIED for camera in ours):
        found.append("no camera has been opened yet")
    if status.unwritten:
        found.append(f"the state cannot be written: {status.unwritten}")
    return found
