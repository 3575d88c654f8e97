"""Passages: the detections of one fixed view, frame by frame, become one record a vehicle.

Tracks break: a worker walks past, a frame is missed, the detector blinks. So tracks are joined where place, time, size
and colours agree, and parted again where the plates prove that they were two. A vehicle that stands is remembered for
ten minutes, so that what drives past it does not make it new. One that crosses the line, turns in view and crosses it
back has passed twice.

When a passage is told:

- when it has left: its last revision (`Passage.ended`);
- with `early`, also when it has crossed the line and its plate is settled, at most `settle_s` later, when its plate
  becomes readable after that, and when it has been in view for `stay_s` without crossing. All are the same
  `passage_id`: a later one takes the place of an earlier one.

Nothing here reads a clock: times are the frames', ids follow from them, and the same frames give the same passages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import hypot
from typing import Literal, Protocol

from huoyan.passage import Direction, Passage, passage_id
from huoyan.perception import appearance, paths
from huoyan.perception.passage_story import (
    COVERS,
    DEFAULT_THRESHOLD,
    FAMILY,
    READS_A_STOP,
    TRUCK,
    Part,
    Story,
    moved,
    sureness,
    voted,
)
from huoyan.perception.paths import Line
from huoyan.perception.plate_vote import PlateEvidence
from huoyan.perception.plates import FoundPlate
from huoyan.perception.tracker import Tracker
from huoyan.perception.vehicle_plates import MIN_VEHICLE_PX
from huoyan.records import Box, Detection, FrameRef, Image, Place

TRUCKS = frozenset({"dump_truck", "mixer_truck", TRUCK})
RIVALS = frozenset({"car", "bus", "loader", "excavator", "crane", "piling_rig"}) | FAMILY
"""What a truck may be taken for, or taken for a truck: followed too, so that the votes over a track can decide."""
TRACES = frozenset({"dust_plume", "spill", "raised_body"})
"""Labels of what a vehicle leaves or does; no shipped model knows the last two."""

# Boxes of two classes that overlap so far (IoU) are one vehicle; so is a part of it, of which this share lies inside.
_SAME, _INSIDE, _PART_OF = 0.55, 0.9, 0.3
# How far a lost vehicle may be from where it should be: in its sizes, and as a share of the way it should have gone.
_NEAR, _NEAR_OF_WAY = 0.6, 0.7
# How many times its size it may have grown or shrunk, at once and a second more.
_SIZES, _SIZES_A_SECOND = 1.6, 0.1
_ALIKE = 0.75
_STOOD_S = 3.0
_NEARER = 0.05
_GONE_S = 1.5
_STILL_THERE = 0.25
# Two readable plates that differ in so many characters are no misread.
_OTHER_PLATE = 3
# Slower than this many sizes a second nothing whirls up behind a vehicle.
_MOVING = 0.1


@dataclass(frozen=True, slots=True)
class View:
    """What a camera looks at."""

    source_id: str
    line: Line | None = None
    """Virtual line, ((x, y), (x, y)) in pixels of `size`; lay it where whole vehicles are seen."""
    enter: Literal["right", "left"] = "right"
    """Side of the directed line that is inside: from the first point looking to the second."""
    size: tuple[int, int] | None = None
    """(width, height) that the line was drawn on; None: the frames'."""
    labels: frozenset[str] = TRUCKS
    """Vehicles that are told; what else is followed only votes against them."""
    place: Callable[[Detection, tuple[int, int]], Place] | None = None
    """Where a detection in a frame of (width, height) stands."""
    stay_s: float = 30.0
    settle_s: float = 1.0

    def line_in(self, size: tuple[int, int]) -> Line | None:
        """The line in pixels of frames of another size."""
        if self.line is None or self.size is None or self.size == size:
            return self.line
        x, y = size[0] / self.size[0], size[1] / self.size[1]
        (x1, y1), (x2, y2) = self.line
        return (x1 * x, y1 * y), (x2 * x, y2 * y)


class Plates(Protocol):
    """What reads plates; see `vehicle_plates.VehiclePlates`."""

    labels: frozenset[str]

    @property
    def passage_threshold(self) -> float: ...

    def evidence_on(
        self, image: Image, detections: Sequence[Detection]
    ) -> Mapping[int, tuple[FoundPlate, PlateEvidence]]: ...


class PassageBuilder:
    """Follows the vehicles of one view. Not for several threads.

    Attributes:
        view: what the camera looks at.
        unread: looks at trucks that gave no read of the plate, by reason, over all passages.
    """

    def __init__(
        self,
        view: View,
        plates: Plates | None = None,
        *,
        early: bool = False,
        keep: Callable[[FrameRef, Image], FrameRef] | None = None,
        join_s: float = 8.0,
        parked_s: float = 600.0,
    ) -> None:
        """Set up.

        Args:
            view: what the camera looks at.
            plates: reads plates, of its own labels only; None: no plate is read.
            early: tell passages before they have ended; see the module.
            keep: stores a frame whose pixels cannot be read again (of a live source), and says where.
            join_s: a vehicle out of sight this long has left.
            parked_s: the same for one that stood.
        """
        self.view = view
        self.unread: Counter[str] = Counter()
        self._plates, self._early, self._keep = plates, early, keep
        self._join_s, self._parked_s = join_s, parked_s
        # Seconds a thing is lost: the builder joins tracks better than the tracker, which knows no colours.
        self._tracker = Tracker(start=DEFAULT_THRESHOLD, lost_s=1.5, lost_steps=3)
        self._stories: list[Story] = []
        self._begun: Counter[datetime] = Counter()
        self._line: Line | None = view.line

    def feed(self, frame: FrameRef, image: Image, detections: Sequence[Detection]) -> list[Passage]:
        """The next frame.

        Args:
            frame: frames come in time order.
            image: uint8 [H, W, 3] RGB.
            detections: of this frame, weak ones included; what is no vehicle counts where it is a trace (`TRACES`)
                or a state of a load (a label or an attribute `cover`: covered, uncovered, empty).

        Returns:
            Passages that can be told now.

        Raises:
            ModelError: a plate model fails.
        """
        self._line = self.view.line_in(frame.size)
        followed = self.view.labels | RIVALS
        vehicles = one_a_vehicle([d for d in detections if d.label in followed])
        others = [d for d in detections if d.label not in followed]
        tracked = self._tracker.update([replace(d, label="vehicle") for d in vehicles], frame.time)
        seen: list[tuple[Story, Detection]] = []
        for vehicle, track in sorted(zip(vehicles, tracked, strict=True), key=lambda pair: pair[0].box):
            if track.track_id is not None:
                story = self._story(track.track_id, vehicle, frame, image)
                place = self.view.place(vehicle, frame.size) if self.view.place else None
                one = _covered(vehicle, others)
                story.parts[-1].see(frame, image, one, place, self._keep is not None)
                story.owed = True
                seen.append((story, vehicle))
        self._read(frame, image, seen, [d.box for d in detections if d.label in followed])
        for story, vehicle in seen:
            _traces(story, vehicle.box, others)
        return self._part_company([story for story, _ in seen]) + self.tick(frame.time)

    def tick(self, now: datetime) -> list[Passage]:
        """What can be told at `now`, though perhaps no frame came."""
        told: list[Passage] = []
        staying: list[Story] = []
        for story in self._stories:
            gone = (now - story.last).total_seconds()
            if gone > self._patience(story):
                told += self._tell(story, ended=True)
                continue
            staying.append(story)
            if self._early and story.owed and self._is_due(story, now):
                told += self._tell(story, ended=False)
        self._stories = staying
        if len(self._begun) > 64:
            kept = {story.first for story in staying}
            self._begun = Counter({time: n for time, n in self._begun.items() if time in kept})
        return told

    def close(self) -> list[Passage]:
        """The view has ended: everything that is still open."""
        told = [passage for story in self._stories for passage in self._tell(story, ended=True)]
        self._stories = []
        return told

    # ------------------------------------------------------------------------------------------ who is who
    def _story(self, track_id: int, vehicle: Detection, frame: FrameRef, image: Image) -> Story:
        for story in self._stories:
            if story.parts[-1].track_id == track_id:
                return story
        part = Part(track_id, frame.time, frame.time, frame.size)
        known = self._known(vehicle, frame, image)
        if known is not None:
            known.parts.append(part)
            return known
        return self._begin([part])

    def _begin(self, parts: list[Part]) -> Story:
        first = parts[0].first
        story = Story(passage_id(self.view.source_id, first, self._begun[first]), self.view.source_id, parts)
        self._begun[first] += 1
        self._stories.append(story)
        return story

    def _known(self, vehicle: Detection, frame: FrameRef, image: Image) -> Story | None:
        """The story of a vehicle that was lost and is here again."""
        colours = appearance.look(image, vehicle.box)
        best: tuple[float, Story] | None = None
        for story in self._stories:
            if story.last >= frame.time:
                continue
            cost = self._strangeness(story, vehicle.box, colours, frame)
            if cost is not None and (best is None or cost < best[0]):
                best = cost, story
        return best[1] if best else None

    def _strangeness(
        self, story: Story, box: Box, colours: appearance.Vector, frame: FrameRef
    ) -> float | None:
        """How unlikely it is that this is the lost vehicle; None: it is not."""
        path = story.path
        alike = appearance.likeness(story.colours, colours)
        if alike < _ALIKE:
            return None
        last = path[-1].last
        if path[-1].seconds >= _STOOD_S and paths.same_place(last, box, frame.size):
            return 1 - alike
        gap = (frame.time - story.last).total_seconds()
        if gap > self._join_s:
            return None
        if paths.leaving(path, frame.size):
            # What is on its way out may be cut off oddly for a moment; later it is another one.
            return 1 - alike if gap <= _GONE_S and _overlap(last, box) >= _STILL_THERE else None
        size, before = paths.extent(box), paths.extent(last)
        if max(size / before, before / size) > _SIZES + _SIZES_A_SECOND * gap:
            return None
        (x, y), (ex, ey) = paths.centre(box), paths.expected(path, frame.time)
        away = hypot(x - ex, y - ey) / (0.5 * (size + before))
        way = hypot(*paths.heading(path)) * gap / (0.5 * (size + before))
        if away > _NEAR + _NEAR_OF_WAY * way:
            return None
        return away + 1 - alike

    def _part_company(self, stories: Sequence[Story]) -> list[Passage]:
        """Two vehicles that were taken for one, and one that has crossed twice: the earlier passage ends."""
        told: list[Passage] = []
        for story in stories:
            rest = self._other_plate(story) or self._way_back(story)
            if rest:
                self._stories.remove(story)
                told += self._tell(story, ended=True)
                self._begin(rest).owed = True
        return told

    def _other_plate(self, story: Story) -> list[Part]:
        """The last part, taken out of the story, if its plate is plainly another than that of those before it."""
        if len(story.parts) < 2 or self._plates is None:
            return []
        threshold = self._plates.passage_threshold
        before = voted([read for part in story.parts[:-1] for read in part.reads], threshold).text
        after = voted(story.parts[-1].reads, threshold).text
        if not before or not after or _unlike(before, after) < _OTHER_PLATE:
            return []
        return [story.parts.pop()]

    def _way_back(self, story: Story) -> list[Part]:
        """What came after the turning point between two crossings, taken out of the story."""
        line = self._line
        if line is None or len(crossings := paths.crossings(story.path, line)) < 2:
            return []
        part, (first, second) = story.parts[-1], crossings[-2:]
        if part.first > first.time:
            return [story.parts.pop()]
        between = [i for i, stop in enumerate(part.path) if first.time < stop.since <= second.time]
        if not between:
            return []
        turn = max(between, key=lambda i: abs(paths.distance(line, paths.contact(part.path[i].box))))
        rest = replace(
            part,
            first=part.path[turn].since,
            path=part.path[turn:],
            looks=1,
            reads=list(part.reads),
            unread=Counter(),
            votes=dict(part.votes),
            sure=Counter(part.sure),
            best={},
            track=[],
            colours=part.colours.copy(),
            traces={},
            covers={},
        )
        part.path = part.path[: turn + 1]
        part.last = part.path[-1].until
        part.track_id = -1
        return [rest]

    # ------------------------------------------------------------------------------------------ plates
    def _read(
        self,
        frame: FrameRef,
        image: Image,
        seen: Sequence[tuple[Story, Detection]],
        others: Sequence[Box],
    ) -> None:
        """Read the plates of the trucks in a frame. Every look is read, but for those at what stands still; a plate
        that hangs on something nearer is not this truck's."""
        if self._plates is None:
            return
        wanted = [
            (story, vehicle)
            for story, vehicle in seen
            if story.label in self._plates.labels and story.parts[-1].at_stop < READS_A_STOP
        ]
        # A truck that looks like a car in this frame is a truck all the same.
        trucks = [replace(vehicle, label=story.label) for story, vehicle in wanted]
        found = self._plates.evidence_on(image, trucks) if wanted else {}
        for index, (story, vehicle) in enumerate(wanted):
            part = story.parts[-1]
            if index in found and _hangs_on_another(found[index][0].box, vehicle.box, others):
                self._unread(part, "another vehicle's plate")
                continue
            if index not in found:
                x1, y1, x2, y2 = vehicle.box
                near = min(x2 - x1, y2 - y1) >= MIN_VEHICLE_PX
                reason = "no plate found" if near else "too far away"
                self._unread(part, reason)
                continue
            plate, evidence = found[index]
            part.read(frame, plate.box, evidence, image if self._keep else None)

    def _unread(self, part: Part, reason: str) -> None:
        part.unread[reason] += 1
        self.unread[reason] += 1

    # ------------------------------------------------------------------------------------------ telling
    def _patience(self, story: Story) -> float:
        """How long a story goes on without a look."""
        path = story.path
        if paths.leaving(path, story.parts[-1].size):
            return _GONE_S
        return self._parked_s if path[-1].seconds >= _STOOD_S else self._join_s

    def _is_due(self, story: Story, now: datetime) -> bool:
        path, before = story.path, story.told
        crossings = paths.crossings(path, self._line) if self._line else []
        readable = bool(self._plates and self._threshold(story) is not None and self._text(story))
        if before is not None and before.crossed is not None:
            return readable and not before.plate.readable
        if crossings:
            waited = (now - crossings[-1].time).total_seconds()
            return readable or self._plates is None or waited >= self.view.settle_s
        if before is not None:
            return readable and not before.plate.readable
        return (now - story.first).total_seconds() >= self.view.stay_s

    def _text(self, story: Story) -> str:
        return story.vote(self._plates.passage_threshold).text if self._plates else ""

    def _threshold(self, story: Story) -> float | None:
        """Of the vote on the plate; None for vehicles whose plates are nobody's business."""
        if self._plates is None or story.label not in self._plates.labels:
            return None
        return self._plates.passage_threshold

    def _tell(self, story: Story, *, ended: bool) -> list[Passage]:
        if story.label not in self.view.labels or not story.sure:
            return []
        right: Direction = "enter" if self.view.enter == "right" else "leave"
        passage = story.passage(self._line, right, self._threshold(story), ended=ended)
        if self._keep is not None:
            images = story.images()
            shown = {sight.frame.frame_id: sight.frame for sight in passage.sights}
            passage = moved(
                passage,
                {name: self._keep(ref, images[name]) for name, ref in shown.items() if name in images},
            )
        story.told, story.owed = passage, False
        return [passage]


def one_a_vehicle(found: Sequence[Detection]) -> list[Detection]:
    """Detections of vehicles, each vehicle once: of several on one vehicle, and of a part in a whole, the one with the
    highest score. What the others are sure of goes into its attribute `also`."""
    kept: list[tuple[Detection, dict[str, float]]] = []
    for one in sorted(found, key=lambda d: (-d.score, d.box)):
        same = next(((other, also) for other, also in kept if _is_same(one.box, other.box)), None)
        if same is None:
            kept.append((one, {}))
        elif _overlap(one.box, same[0].box) > _SAME:
            # What is only a part of it (a cab, a car before it) has no say in what the whole is.
            for label, sure in sureness(one).items():
                same[1][label] = max(sure, same[1].get(label, 0.0))
    return [replace(one, attributes={**one.attributes, "also": also}) if also else one for one, also in kept]


def _is_same(a: Box, b: Box) -> bool:
    small, large = sorted((_area(a), _area(b)))
    return _overlap(a, b) > _SAME or (_shared(a, b) >= _INSIDE * small and small >= _PART_OF * large)


def _hangs_on_another(plate: Box, own: Box, others: Sequence[Box]) -> bool:
    """Whether a plate lies in the box of a vehicle that stands nearer to the camera: lower in the picture."""
    x, y = paths.centre(plate)
    return any(
        other[0] <= x <= other[2]
        and other[1] <= y <= other[3]
        and other[3] > own[3] + _NEARER * paths.extent(other)
        for other in others
        if _overlap(other, own) <= _SAME
    )


def _covered(vehicle: Detection, others: Sequence[Detection]) -> Detection:
    """The vehicle with the state of its load, where a detector gives it as a box of its own."""
    states = [d for d in others if d.label in COVERS and _shared(d.box, vehicle.box) >= 0.7 * _area(d.box)]
    if not states or "cover" in vehicle.attributes:
        return vehicle
    best = max(states, key=lambda d: d.score)
    told = {**vehicle.attributes, "cover": best.label, "cover_score": best.score}
    return replace(vehicle, attributes=told)


def _traces(story: Story, box: Box, others: Sequence[Detection]) -> None:
    """Dust and spill behind a moving vehicle, a raised body on any."""
    part, size = story.parts[-1], paths.extent(box)
    dx, dy = paths.heading(part.path)
    speed = hypot(dx, dy)
    for one in others:
        if one.label not in TRACES:
            continue
        if one.label == "raised_body":
            if _shared(one.box, box) >= 0.5 * _area(one.box):
                part.trace(one.label, one.score)
            continue
        (x, y), (px, py) = paths.centre(box), paths.centre(one.box)
        behind = (px - x) * dx + (py - y) * dy < 0
        reach = 0.5 * size
        near = _shared(one.box, (box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach)) > 0
        if speed >= _MOVING * size and behind and near:
            part.trace(one.label, one.score)


def _unlike(a: str, b: str) -> int:
    """Places at which two texts differ."""
    return sum(p != q for p, q in zip(a, b, strict=False)) + abs(len(a) - len(b))


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    shared = _shared(a, b)
    return shared / max(_area(a) + _area(b) - shared, 1e-6)


def _shared(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
