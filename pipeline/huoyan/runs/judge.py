"""The half that judges: observations in order, a transaction for each small batch, one writer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan import alerts, dispatch, georef, incidents, scenes
from huoyan.alerts import evidence
from huoyan.alerts.schema import ModelRef
from huoyan.config import LoadedConfig
from huoyan.incidents.store import Store
from huoyan.records import Alert, Ground, Observations, Placement, Revision, Ring, Skip
from huoyan.runs.prepare import Prepared
from huoyan.runs.result import ScanResult

BATCH_FRAMES = 64
BATCH_SECONDS = 0.5


class Judge:
    """Feeds observations through scenes, incidents and alerts into the outbox.

    Frames are judged one after the other; only the commit is shared by a batch, so where a batch ends
    changes nothing. Whatever is not committed was never judged: a replay does it again with the same ids.
    """

    def __init__(self, prepared: Prepared, store: Store, models: Sequence[ModelRef], result: ScanResult) -> None:
        self.prepared = prepared
        self.store = store
        self.models = tuple(models)
        self.result = result
        self.context = scenes.JudgeContext.of(prepared.loaded, prepared.registry, prepared.rules)
        self._batch: list[Observations] = []
        self._since = time.monotonic()

    def feed(self, observations: Observations) -> None:
        """Take one frame; the batch is committed when it is full or half a second old."""
        if not self._batch:
            self._since = time.monotonic()
        self._batch.append(observations)
        if len(self._batch) >= BATCH_FRAMES or time.monotonic() - self._since >= BATCH_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Judge what waits and write it down in one transaction: frames, incidents, alerts, outbox.

        Raises:
            StorageError: nothing of this batch was written; what came before it is safe.
        """
        if not self._batch:
            return
        batch, self._batch = self._batch, []
        raised: list[Alert] = []
        tally = ScanResult(self.result.state)
        with self.store.transaction():
            for observations in batch:
                raised += self._judge(observations, tally)
        self.result.alerts += raised
        ...
