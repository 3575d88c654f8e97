"""The half that judges: observations in order, a transaction for each small batch, one writer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from huoyan import alerts, incidents, scenes
from huoyan.incidents import Store
from huoyan.records import Alert, Detection, Placement, Revision, Skip
from huoyan.runs.prepare import Prepared
from huoyan.runs.result import ScanResult
from huoyan.runs.road import Passed, RoadEnd, Seen
from huoyan.runs.road_judge import RoadJudge
from huoyan.runs.telling import tell
from huoyan.scenes import JudgeContext

BATCH_FRAMES = 64
BATCH_SECONDS = 0.5


class Judge:
    """Feeds observations through scenes, incidents and alerts into the outbox.

    Frames are judged one after the other; only the commit is shared by a batch, so where a batch ends
    changes nothing. Whatever is not committed was never judged: a replay does it again with the same ids.
    """

    def __init__(self, prepared: Prepared, store: Store, result: ScanResult) -> None:
        self.result = result
        self._prepared = prepared
        self._store = store
        self._memory = store.load_memory()
        self._context = context(prepared)
        self._road = RoadJudge(prepared, store, self._context)
        self._waiting: deque[Seen] = deque()
        self._since = time.monotonic()
        self._broken = False

    def feed(self, seen: Seen) -> None:
        """Take a frame, a passage or a skip; commits when 64 wait or the first is half a second old."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(seen)
        if len(self._waiting) >= BATCH_FRAMES or time.monotonic() - self._since >= BATCH_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Judge what waits and write it down: frames, memory, incidents, alerts and outbox, all or nothing.

        One transaction lasts about half a second, so that drawing evidence never keeps a consumer of the
        queue waiting for long.

        Raises:
            StorageError: nothing of this transaction was written; what came before it is safe.
        """
        while self._waiting:
            begun = time.monotonic()
            share = ScanResult(self.result.state)
            try:
                with self._store.transaction():
                    while self._waiting and time.monotonic() - begun < BATCH_SECONDS:
                        self._take(self._waiting.popleft(), share)
                    self._store.save_memory(self._memory)
            except BaseException:
                # The memory here is ahead of the one on disk: whatever waits must be judged by the next run.
                self._waiting.clear()
                self._broken = True
                raise
            # Only what is written counts.
            self.result.add(share)

    def close(self) -> None:
        """Commit what waits and close the stories that nobody has seen for their window.

        After a transaction that failed it does nothing: the next run takes up from what was written.
        """
        if self._broken:
            return
        self.commit()
        latest = self._store.latest_frame()
        if latest is not None:
            with self._store.transaction():
                incidents.expire(self._store, latest)

    def _take(self, seen: Seen, share: ScanResult) -> None:
        if isinstance(seen, Skip):
            self._store.add_skip(seen)
            share.skip(seen)
            return
        if isinstance(seen, Passed):
            self._pass(seen, share)
            return
        if isinstance(seen, RoadEnd):
            self._store.mark_done(seen.frame, "road")
            return
        frame = seen.frame
        if self._store.is_done(frame.frame_id):
            share.already_done += 1
            return
        judgement = scenes.judge(seen, self._context, self._memory)
        revisions = incidents.associate(self._store, judgement.findings)
        opened: dict[str, alerts.Opened] = {}
        for revision in revisions:
            self._tell(revision, [item.detection for item in seen.items], opened, share)
        self._store.mark_done(frame)
        share.frames += 1
        share.detections += len(seen.items)
        share.placed += sum(isinstance(item.place, Placement) for item in seen.items)
        share.findings += len(judgement.findings)
        share.permitted += sum(finding.permit.result == "covered" for finding in judgement.findings)
        share.cpu_seconds.update(seen.seconds)
        for note in seen.notes:
            share.note(f"{frame.source_id}: {note}")

    def _pass(self, passed: Passed, share: ScanResult) -> None:
        """Judge a passage; one that an earlier run judged is passed over."""
        told = self._road.take(passed)
        if told is None:
            return
        share.passages += 1
        share.findings += len(told.findings)
        for revision in told.revisions:
            shown = revision.finding.evidence[0].frame.frame_id
            alert = self._tell(revision, passed.others.get(shown, ()), {}, share)
            self._road.keep_pictures(alert)

    def _tell(
        self,
        revision: Revision,
        others: Sequence[Detection],
        opened: dict[str, alerts.Opened],
        share: ScanResult,
    ) -> Alert:
        """Make the alert of a revision and put it into the outbox; `others`: all that was seen in its frame."""
        alert, notes = tell(revision, self._prepared, self._store, others, opened)
        for note in notes:
            share.note(note)
        share.alerts.append(alert)
        return alert


def context(prepared: Prepared) -> JudgeContext:
    """What the rules need to know of a county."""
    cameras = prepared.loaded.config.cameras
    return JudgeContext(
        prepared.registry,
        prepared.rules,
        ZoneInfo(prepared.loaded.config.county.timezone),
        {camera.id: frozenset(camera.zones) for camera in cameras if camera.zones},
        prepared.loaded.config.vehicles.limits,
        prepared.loaded.config.vehicles.levels,
    )
