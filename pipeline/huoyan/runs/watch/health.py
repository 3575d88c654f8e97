"""What is wrong with cameras, as stories: told once when it has lasted, ended when it is over, many at once as one.

A fault is told when it has lasted for `watch.health_after`. It is over when nothing has been said of it for a while:
as long again at first, four times as long for each time it was told within a day, an hour at most, so that a camera
that comes and goes is one story and not sixty. Where many cameras have one fault at one moment (a switch, the
power, fog), there is one story that names them all.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from huoyan.config import Camera
from huoyan.config_types import seconds
from huoyan.georef.sun import elevation_deg
from huoyan.records import Observations, Place, Placement, Unplaced
from huoyan.runs.prepare import Prepared
from huoyan.runs.watch import faults
from huoyan.runs.watch.faults import Fault, Group, Watched
from huoyan.runs.watch.judge import Over, Remember, Task
from huoyan.sample import CONDITIONS, CameraEvent, Sample
from huoyan.scenes.memory import Memory

log = logging.getLogger("huoyan.watch.health")
LOST, BLACK, CLOCK = "camera_lost", "camera_black", "camera_clock"
DAYLIGHT_DEG = 3.0
"""With the sun so high, a camera that sees nothing is covered or out of order, whatever it did at dusk."""
SKEW_S, SKEW_GOOD_S = 30.0, 20.0
"""A camera's clock is wrong from so many seconds on, and right again below so many."""
MOST_ALONE, SHARE_ALONE = 5, 0.10
"""More cameras than either of these with one fault at one moment are one story."""
ONE_HOST = 3
"""Cameras of one recorder or gateway, at least half of those it has, that are lost at one moment are one story."""
_MOMENT_S: Mapping[str, float] = {LOST: 60.0}
_SLOW_MOMENT_S = 600.0
"""How far apart one cause makes faults begin: connections break within a minute, fog and dusk take their time."""
_BACK = 0.9
"""Share of a group that must be well again for its story to end; the rest are told one by one."""
_LONGEST_CALM_S = 3600.0
_DAY = timedelta(days=1)
_POSITION_ERROR_M = 10.0
MEMORY_KEY = "#health|"
"""The memory holds a camera's faults under this and its id."""
_GROUPS = "#health"
_MANY = "many|"
"""Episodes of groups begin with it."""
_NAMED = 12
"""Cameras that a group's story names; how many more there are is told too."""


class HealthDesk:
    """Keeps the faults of all cameras of a box.

    Attributes:
        shared: a camera that is read here no longer goes to another box, and its faults with it.
    """

    def __init__(self, prepared: Prepared, memory: Memory) -> None:
        """
        Args:
            prepared: the county.
            memory: of the judge, to take up told faults from an earlier run; it is changed through tasks only.
        """
        self.shared = False
        self._cameras: dict[str, Watched] = {}
        self._groups: dict[str, Group] = {}
        self._over: list[Over] = []
        self._touched: set[str] = set()
        self._load_groups(memory)
        self._memory = memory
        self.use(prepared)

    def use(self, prepared: Prepared) -> None:
        """From now on watch the cameras of this configuration; stories of those that are gone end."""
        config = prepared.loaded.config
        self._after_s = seconds(config.watch.health_after)
        live = {camera.id: camera for camera in config.cameras if camera.stream is not None}
        for name in self._cameras.keys() - live.keys():
            self._forget(name, datetime.now(UTC))
            del self._cameras[name]
        for name, camera in live.items():
            if name in self._cameras:
                self._cameras[name].camera = camera
            else:
                self._cameras[name] = self._restored(camera)
        self._hosts = {name: faults.host(camera) for name, camera in live.items()}
        self._centre = faults.centre(live.values())

    def leave(self, camera: str) -> None:
        """Another box has a camera now: what was told of it is that box's to end."""
        watched = self._cameras.get(camera)
        if watched is not None:
            watched.faults, watched.told, watched.picture = {}, {}, None
            self._touched.add(camera)
        for episode, group in list(self._groups.items()):
            if camera in group.members:
                group.members.remove(camera)
                self._touched.add(_GROUPS)
                if not group.members:
                    del self._groups[episode]

    def take(self, camera: str, known: Any) -> None:
        """Go on with what another box has told of a camera's faults, as its memory has them.

        Of a story of many cameras at once those that come here are a group; the box with the first of all ends it.
        """
        watched = self._cameras.get(camera)
        if watched is None:
            return
        try:
            told = faults.unpacked(watched.camera, known)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("%s: what another box told of its faults cannot be used: %r", camera, error)
            return
        for condition, fault in told.faults.items():
            watched.faults[condition] = fault
            if fault.episode.startswith(_MANY):
                group = Group(condition, fault.since, float("-inf"), [])
                members = self._groups.setdefault(fault.episode, group).members
                if camera not in members:
                    members.append(camera)
                self._touched.add(_GROUPS)
        watched.told = told.told or watched.told
        self._touched.add(camera)

    # ------------------------------------------------------------------------------------ what is reported
    def sample(self, sample: Sample) -> None:
        """Take a sample: it says of every condition whether it is so."""
        watched = self._cameras.get(sample.camera)
        if watched is None:
            return
        watched.size, watched.seen = sample.size, sample.time
        said = set(sample.conditions)
        if sample.measures.get("empty") and self._is_day(watched.camera, sample.time):
            said.add(BLACK)
        skew = abs(sample.measures.get("skew_s", 0.0))
        if skew >= (SKEW_GOOD_S if CLOCK in watched.faults else SKEW_S):
            said.add(CLOCK)
        for condition in CONDITIONS:
            why = f"{skew:.0f} s off" if condition == CLOCK else ""
            self._say(watched, condition, condition in said, sample.clock, sample.time, why)
        waiting = any(fault.said and not fault.episode for fault in watched.faults.values())
        watched.picture = (sample.picture or watched.picture) if waiting else None

    def event(self, event: CameraEvent) -> None:
        """Take a change of a connection."""
        watched = self._cameras.get(event.camera)
        if watched is None:
            return
        if event.state in ("lost", "fatal"):
            self._say(watched, LOST, True, event.clock, event.time, event.why)
        elif event.state == "live":
            self._say(watched, LOST, False, event.clock, event.time)
        elif event.state == "stopped" and not self.shared:
            self._forget(event.camera, event.time)

    def _say(
        self, watched: Watched, condition: str, so: bool, clock: float, time: datetime, why: str = ""
    ) -> None:
        fault = watched.faults.get(condition)
        if fault is None:
            if so:
                watched.faults[condition] = Fault(time, clock, why=why)
        elif so:
            fault.said, fault.why = True, why or fault.why
        elif fault.said:
            fault.said, fault.quiet = False, clock

    # --------------------------------------------------------------------------------------- what is told
    def tick(self, clock: float, now: datetime) -> list[Task]:
        """What is to be judged now: faults that have lasted, and the ends of those that are over.

        Args:
            clock: monotonic seconds.
            now: the same moment, UTC.
        """
        self._end(clock, now)
        tasks: list[Task] = []
        for condition in CONDITIONS:
            due = self._due(condition, clock)
            if due:
                tasks += self._tell(condition, due, clock, now)
        over, self._over = self._over, []
        notes = [self._note(name, clock) for name in sorted(self._touched)]
        self._touched = set()
        return [*over, *tasks, *notes]

    def _end(self, clock: float, now: datetime) -> None:
        for name, watched in self._cameras.items():
            for condition, fault in list(watched.faults.items()):
                if fault.said or clock - fault.quiet < self._calm_s(watched, condition, now):
                    continue
                del watched.faults[condition]
                if fault.episode:
                    self._touched.add(name)
                    if fault.episode not in self._groups:
                        self._over.append(Over(fault.episode, now))
        for episode, group in list(self._groups.items()):
            ill = [name for name in group.members if self._episode(name, group.condition) == episode]
            if len(ill) <= (1 - _BACK) * len(group.members):
                self._dissolve(episode, ill, clock, now)

    def _calm_s(self, watched: Watched, condition: str, now: datetime) -> float:
        told = sum(now - time < _DAY for time in watched.told.get(condition, ()))
        return float(min(_LONGEST_CALM_S, self._after_s * 4.0 ** max(0, told - 1)))

    def _due(self, condition: str, clock: float) -> list[str]:
        """Cameras whose fault has lasted and is not told, the earliest first."""
        found = []
        for name, watched in self._cameras.items():
            fault = watched.faults.get(condition)
            if fault and fault.said and not fault.episode and clock - fault.began >= self._after_s:
                found.append((fault.began, name))
        return [name for _, name in sorted(found)]

    def _tell(self, condition: str, due: list[str], clock: float, now: datetime) -> list[Task]:
        left = self._join(condition, due, now)
        tasks: list[Task] = []
        for members in (self._many(condition, left), *self._by_host(condition, left)):
            if members and members[0] in left:
                tasks.append(self._tell_group(condition, members, clock, now))
                left = [name for name in left if name not in members]
        return tasks + [self._tell_one(name, condition, clock, now) for name in left]

    def _join(self, condition: str, due: list[str], now: datetime) -> list[str]:
        """Add to a group what came with it but later; returns the others."""
        left = []
        for name in due:
            fault = self._cameras[name].faults[condition]
            found = next(
                (
                    episode
                    for episode, group in self._groups.items()
                    if group.condition == condition
                    and fault.began - group.latest <= _moment_s(condition)
                    and (
                        self._is_many(len(group.members))
                        or self._hosts[name] == self._hosts.get(group.members[0])
                    )
                ),
                None,
            )
            if found is None:
                left.append(name)
                continue
            group = self._groups[found]
            group.latest = max(group.latest, fault.began)
            group.members.append(name)
            self._mark(name, condition, found, now)
            self._touched.add(_GROUPS)
        return left

    def _is_many(self, count: int) -> bool:
        return count > max(MOST_ALONE, SHARE_ALONE * len(self._cameras))

    def _together(self, condition: str, first: str, hosts: frozenset[str] | None = None) -> list[str]:
        """Cameras whose untold fault began within a moment of the first one's, due or not, the earliest first."""
        began = self._cameras[first].faults[condition].began
        found = []
        for name, watched in self._cameras.items():
            fault = watched.faults.get(condition)
            if fault is None or not fault.said or fault.episode or (hosts and self._hosts[name] not in hosts):
                continue
            if 0 <= fault.began - began <= _moment_s(condition):
                found.append((fault.began, name))
        return [name for _, name in sorted(found)]

    def _many(self, condition: str, due: list[str]) -> list[str]:
        """The first due cameras for which there are many at one moment; empty: none."""
        for first in due:
            members = self._together(condition, first)
            if self._is_many(len(members)):
                return members
        return []

    def _by_host(self, condition: str, due: list[str]) -> list[list[str]]:
        """Cameras of one host each that were lost together."""
        if condition != LOST:
            return []
        owned = Counter(self._hosts.values())
        groups = []
        for host in dict.fromkeys(self._hosts[name] for name in due):
            first = next(name for name in due if self._hosts[name] == host)
            members = self._together(condition, first, frozenset({host}))
            if host and len(members) >= max(ONE_HOST, owned[host] / 2):
                groups.append(members)
        return groups

    def _tell_one(self, name: str, condition: str, clock: float, now: datetime) -> Task:
        watched = self._cameras[name]
        fault = watched.faults[condition]
        episode = f"{name}|{condition}|{fault.since.isoformat(timespec='milliseconds')}"
        self._mark(name, condition, episode, now)
        position = watched.camera.position
        place: Place = Unplaced("the position of the camera is not configured")
        if position is not None:
            place = Placement(position[0], position[1], _POSITION_ERROR_M, "position of the camera")
        frame = faults.frame(name, watched, fault.since)
        seen = Observations(frame, (faults.observation(frame, condition, place, episode, fault.why),))
        self._touched.discard(name)
        return Remember(
            partial(_write, {MEMORY_KEY + name: self._packed(name)}, (seen,)), name, clock, watched.picture
        )

    def _tell_group(self, condition: str, members: Sequence[str], clock: float, now: datetime) -> Task:
        first = self._cameras[members[0]]
        fault = first.faults[condition]
        episode = f"{_MANY}{condition}|{fault.since.isoformat(timespec='milliseconds')}|{members[0]}"
        latest = max(self._cameras[name].faults[condition].began for name in members)
        since = fault.since
        for name in members:
            self._mark(name, condition, episode, now)
        self._groups[episode] = Group(condition, since, latest, list(members))
        host = {self._hosts[name] for name in members}
        at = f" of {next(iter(host))}" if len(host) == 1 and "" not in host else ""
        more = f" and {len(members) - _NAMED} more" if len(members) > _NAMED else ""
        place = Unplaced(f"{len(members)} cameras{at} at once: {', '.join(members[:_NAMED])}{more}")
        # One observation a camera: the story names them all as its sources.
        frames = [faults.frame(name, self._cameras[name], since) for name in members]
        items = tuple(faults.observation(frame, condition, place, episode, fault.why) for frame in frames)
        seen = Observations(frames[0], items)
        self._touched -= {*members}
        known = {
            _GROUPS: self._packed_groups(),
            **{MEMORY_KEY + name: self._packed(name) for name in members},
        }
        return Remember(partial(_write, known, (seen,)), members[0], clock)

    def _mark(self, name: str, condition: str, episode: str, now: datetime) -> None:
        watched = self._cameras[name]
        watched.faults[condition].episode = episode
        recent = [time for time in watched.told.get(condition, ()) if now - time < _DAY]
        watched.told[condition] = [*recent, now]
        self._touched.add(name)

    # --------------------------------------------------------------------------------- the end of stories
    def _episode(self, name: str, condition: str) -> str:
        watched = self._cameras.get(name)
        fault = watched.faults.get(condition) if watched else None
        return fault.episode if fault else ""

    def _dissolve(self, episode: str, ill: Sequence[str], clock: float, now: datetime) -> None:
        """A group is well again; who is not begins a story of its own, unless it ends by itself soon."""
        group = self._groups.pop(episode)
        self._over.append(Over(episode, now))
        for name in ill:
            fault = self._cameras[name].faults[group.condition]
            fault.episode, fault.began = "", clock
        self._touched.update({_GROUPS, *group.members} & {_GROUPS, *self._cameras})

    def _forget(self, name: str, now: datetime) -> None:
        """All that is known of a camera's faults ends here."""
        watched = self._cameras[name]
        for fault in watched.faults.values():
            if fault.episode and fault.episode not in self._groups:
                self._over.append(Over(fault.episode, now))
        watched.faults, watched.told, watched.picture = {}, {}, None
        self._touched.add(name)

    # ------------------------------------------------------------------------------- over a restart
    def _note(self, name: str, clock: float) -> Remember:
        """Write down what was told of a camera, or the groups."""
        if name == _GROUPS:
            return Remember(partial(_write, {_GROUPS: self._packed_groups()}, ()), "", clock)
        return Remember(partial(_write, {MEMORY_KEY + name: self._packed(name)}, ()), name, clock)

    def _packed(self, name: str) -> dict[str, Any] | None:
        watched = self._cameras.get(name)
        return None if watched is None else faults.packed(watched)

    def _packed_groups(self) -> dict[str, Any] | None:
        return {
            episode: {"condition": g.condition, "since": g.since.isoformat(), "members": g.members}
            for episode, g in self._groups.items()
        } or None

    def _load_groups(self, memory: Memory) -> None:
        for episode, value in (memory.get(_GROUPS) or {}).items():
            since = datetime.fromisoformat(value["since"])
            self._groups[episode] = Group(value["condition"], since, float("-inf"), list(value["members"]))

    def _restored(self, camera: Camera) -> Watched:
        return faults.unpacked(camera, self._memory.get(MEMORY_KEY + camera.id))

    def _is_day(self, camera: Camera, time: datetime) -> bool:
        where = camera.position or self._centre
        return where is not None and elevation_deg(*where, time) >= DAYLIGHT_DEG


def _write(values: Mapping[str, Any], seen: Sequence[Observations], memory: Memory) -> Sequence[Observations]:
    for key, value in values.items():
        memory.put(key, value)
    return seen


def _moment_s(condition: str) -> float:
    return _MOMENT_S.get(condition, _SLOW_MOMENT_S)
