"""What waits to be sent by a reader process: bounded, and of each camera only the newest."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

from huoyan.sample import CameraEvent, Report, Sample, Tally, ViewState

_EVENTS = 20_000
"""Events that may wait; the oldest go first."""


class Outgoing:
    """A queue of reports that never blocks who puts something in.

    Attributes:
        dropped: samples that a newer one of the same camera replaced.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._events: deque[CameraEvent] = deque(maxlen=_EVENTS)
        self._samples: OrderedDict[str, Sample] = OrderedDict()
        self._states: OrderedDict[str, ViewState] = OrderedDict()
        self._tally: Tally | None = None
        self._ready = threading.Condition()
        self._closed = False

    def put(self, report: Report) -> None:
        """Put a report in."""
        with self._ready:
            if isinstance(report, Sample):
                before = self._samples.get(report.camera)
                self.dropped += before is not None
                if before is not None and before.picture is not None and report.picture is None:
                    # It was worth a look; what came after it is not.
                    report = before
                self._samples[report.camera] = report
            elif isinstance(report, CameraEvent):
                self._events.append(report)
            elif isinstance(report, Tally):
                self._tally = report
            else:
                self._states[report.camera] = report
            self._ready.notify()

    def close(self) -> None:
        """No more is coming: `take` gives what is left, then None."""
        with self._ready:
            self._closed = True
            self._ready.notify()

    def take(self) -> Report | None:
        """The next report, waiting for it: signs of life first, then events, then the camera that waits longest."""
        with self._ready:
            while True:
                if self._tally is not None:
                    tally, self._tally = self._tally, None
                    return tally
                if self._events:
                    return self._events.popleft()
                if self._samples:
                    return self._samples.popitem(last=False)[1]
                if self._states:
                    return self._states.popitem(last=False)[1]
                if self._closed:
                    return None
                self._ready.wait()
