"""The reader processes: which cameras are ours, which is read by which, and what all of them are told."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from huoyan.config_types import seconds
from huoyan.dispatch.leases import Leases
from huoyan.ingest.handle import Ingest
from huoyan.runs.watch.books import Member
from huoyan.runs.watch.county import County
from huoyan.runs.watch.judge import Remember
from huoyan.sample import Burst, CameraPlan, Cameras, Report, Stretch, ViewState
from huoyan.scenes.memory import Memory

_VIEW = "#learned|"


class Readers:
    """All reader processes. A camera keeps its process for as long as their number stays."""

    def __init__(self, county: County, memory: Memory, give: Callable[[Report], None]) -> None:
        settings = county.settings
        self._county, self._memory = county, memory
        self._leases = _leased(county)
        self._owned: frozenset[str] | None = None if self._leases is None else frozenset()
        self.handles = [
            Ingest(f"ingest-{index}", settings.logins, give, restart_after_s=seconds(settings.restart_after))
            for index in range(settings.readers)
        ]

    def start(self) -> None:
        self._deal()
        for handle in self.handles:
            handle.start()
        if self._leases is not None:
            self._leases.start()

    def stop(self, timeout: float) -> None:
        """Read no more, and let other boxes have the cameras at once."""
        for handle in self.handles:
            handle.stop(timeout)
        if self._leases is not None:
            self._leases.stop()

    def check(self, now: float) -> None:
        """Restart what died or hangs."""
        for handle in self.handles:
            handle.check()

    def use(self, county: County) -> None:
        """Read the cameras of another configuration; those that did not change go on undisturbed.

        Raises:
            ConfigError, MissingExtra: the boxes' leases cannot be had like this; nothing has changed then.
        """
        before = self._county
        old, new = (one.prepared.loaded.config.dispatch.nats for one in (before, county))
        if old == new and before.box == county.box:
            if self._leases is not None:
                self._leases.use(county.cameras)
            self._county = county
        else:
            leases = _leased(county)
            if self._leases is not None:
                self._leases.stop()
            self._county, self._leases = county, leases
            self._owned = None if leases is None else frozenset()
            if leases is not None:
                leases.start()
        self._deal()

    def share(self) -> bool:
        """Read the cameras that this box holds leases of, and no others; True where they have changed."""
        owned = self._leases.owned() if self._leases is not None else None
        if owned == self._owned:
            return False
        self._owned = owned
        self._deal()
        return True

    @property
    def away(self) -> str:
        """Why nothing is heard of the other boxes; empty while all is well, or where there are none."""
        return self._leases.why if self._leases is not None else ""

    @property
    def owned(self) -> frozenset[str]:
        """The cameras that this box reads."""
        return frozenset(self._county.plans) - self.elsewhere

    @property
    def elsewhere(self) -> frozenset[str]:
        """Cameras that another box reads."""
        return frozenset() if self._owned is None else frozenset(self._county.plans) - self._owned

    def tell(self, order: Stretch | Burst) -> None:
        """Give an order: of a camera to its process, of all to all."""
        if isinstance(order, Burst):
            self.handles[self._index(order.camera)].tell(order)
            return
        for handle in self.handles:
            handle.tell(order)

    def learned(self, state: ViewState) -> Remember:
        """Keep what a reader learned of a view, for the next start."""

        def change(memory: Memory) -> tuple[()]:
            memory.put(_VIEW + state.camera, state.state)
            return ()

        return Remember(change, state.camera, 0.0)

    @property
    def members(self) -> list[Member]:
        return [Member(h.name, h.pid, h.restarts, h.silent_s) for h in self.handles]

    def _deal(self) -> None:
        shares: list[list[CameraPlan]] = [[] for _ in self.handles]
        for plan in self._plans().values():
            shares[self._index(plan.id)].append(plan)
        for handle, share in zip(self.handles, shares, strict=True):
            handle.tell(Cameras(tuple(share)))

    def _plans(self) -> Mapping[str, CameraPlan]:
        owned = self._county.plans.keys() if self._owned is None else self._owned
        return {
            camera: replace(plan, view_state=str(self._memory.get(_VIEW + camera) or ""))
            for camera, plan in self._county.plans.items()
            if camera in owned
        }

    def _index(self, camera: str) -> int:
        # Not hash(): it differs from run to run, and a restart would shuffle all cameras.
        return zlib.crc32(camera.encode()) % len(self.handles)


def _leased(county: County) -> Leases | None:
    """What shares the cameras with other boxes; None: all of them are ours."""
    settings = county.prepared.loaded.config.dispatch.nats
    return Leases(settings, county.box, county.cameras) if settings.leases is not None else None
