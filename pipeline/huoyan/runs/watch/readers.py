"""The reader processes: which cameras are ours, which is read by which, and what all of them are told."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from huoyan.config_types import seconds
from huoyan.dispatch.leases import Leases
from huoyan.dispatch.rulings import Ruling
from huoyan.dispatch.stories import Handed, Stories
from huoyan.ingest.handle import Ingest
from huoyan.runs.watch.books import Member
from huoyan.runs.watch.county import County
from huoyan.runs.watch.health import MEMORY_KEY
from huoyan.runs.watch.judge import Remember
from huoyan.sample import Burst, CameraPlan, Cameras, Report, Stretch, ViewState
from huoyan.scenes.memory import Memory

_VIEW = "#learned|"


class Readers:
    """All reader processes. A camera keeps its process for as long as their number stays."""

    def __init__(
        self, county: County, memory: Memory, give: Callable[[Report | Handed | Ruling], None]
    ) -> None:
        settings = county.settings
        self._county, self._memory, self._give = county, memory, give
        self._leases: Leases | None
        self.stories: Stories | None
        self._leases, self.stories = _shared(county, give)
        self._owned: frozenset[str] | None = None if self._leases is None else frozenset()
        self.handles = [
            Ingest(f"ingest-{index}", settings.logins, give, restart_after_s=seconds(settings.restart_after))
            for index in range(settings.readers)
        ]

    def start(self) -> None:
        self._deal()
        for handle in self.handles:
            handle.start()
        self._start_sharing()

    def ask(self) -> None:
        """Have all readers end, and do not wait; `stop` does."""
        for handle in self.handles:
            handle.ask()

    def stop(self, timeout: float) -> None:
        """Read no more, after `timeout` seconds at most."""
        until = time.monotonic() + timeout
        self.ask()
        for handle in self.handles:
            handle.stop(max(0.0, until - time.monotonic()))

    def leave(self, timeout: float = 3.0) -> None:
        """Let other boxes have the cameras at once, with all that is known of them; nothing is judged any more."""
        until = time.monotonic() + timeout
        if self._leases is not None and self.stories is not None:
            self.stories.stop(timeout / 2)
            self._leases.stop(max(0.0, until - time.monotonic()))

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
            leases, stories = _shared(county, self._give)
            self.leave()
            self._county, self._leases, self.stories = county, leases, stories
            self._owned = None if leases is None else frozenset()
            self._start_sharing()
        self._deal()

    def share(self) -> bool:
        """Read the cameras that this box holds leases of, and no others; True where they have changed."""
        owned = self._leases.owned() if self._leases is not None else None
        if owned == self._owned:
            return False
        self._owned = owned
        if self.stories is not None:
            self.stories.own(owned or ())
        self._deal()
        return True

    @property
    def away(self) -> str:
        """Why nothing is heard of the other boxes; empty while all is well, or where there are none."""
        found = [part.why for part in (self._leases, self.stories) if part is not None and part.why]
        return found[0] if found else ""

    @property
    def shared(self) -> bool:
        """Whether a camera that leaves goes to another box, with its stories."""
        return self._leases is not None

    def awaits(self, camera: str) -> bool:
        """Whether a camera that is new here is not to be looked at before its stories have come."""
        return self.stories is not None and self.stories.awaits(camera)

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

    def _start_sharing(self) -> None:
        if self._leases is not None and self.stories is not None:
            self.stories.start()
            self._leases.start()

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


def _shared(
    county: County, give: Callable[[Report | Handed | Ruling], None]
) -> tuple[Leases, Stories] | tuple[None, None]:
    """What shares the cameras and their stories with other boxes; None: all of them are ours."""
    loaded = county.prepared.loaded
    settings = loaded.config.dispatch.nats
    if settings.leases is None:
        return None, None
    stories = Stories(settings, loaded.state, give, memory_key=MEMORY_KEY)
    return Leases(settings, county.box, county.cameras), stories
