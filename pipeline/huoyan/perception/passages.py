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
from typing import Literal, Protocol

from huoyan.passage import Direction, Passage, passage_id
from huoyan.perception import appearance, paths
from huoyan.perception import passage_joining as joining
from huoyan.perception.passage_looks import covered, hangs_on_another, mark_traces, one_a_vehicle
from huoyan.perception.passage_story import (
    DEFAULT_THRESHOLD,
    FAMILY,
    READS_A_STOP,
    TRUCK,
    Part,
    Story,
    moved,
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

    @property
    def shown(self) -> frozenset[str]:
        """Ids of the frames that passages still to be told may show."""
        return frozenset(frame.frame_id for story in self._stories for frame in story.frames())

    def feed(self, frame: FrameRef, image: Image, detections: Sequence[Detection]) -> list[Passage]:
        """The next frame.

        Args:
            frame: frames come in time order.
            image: uint8 [H, W, 3] RGB.
            detections: of this frame, weak ones included; what is no vehicle counts where it is a trace
                (`passage_looks.TRACES`) or a state of a load (a label or an attribute `cover`: covered, uncovered,
                empty).

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
                one = covered(vehicle, others)
                story.parts[-1].see(frame, image, one, place, self._keep is not None)
                story.owed = True
                seen.append((story, vehicle))
        self._read(frame, image, seen, [d.box for d in detections if d.label in followed])
        for story, vehicle in seen:
            mark_traces(story.parts[-1], vehicle.box, others)
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
            cost = joining.strangeness(story, vehicle.box, colours, frame, self._join_s)
            if cost is not None and (best is None or cost < best[0]):
                best = cost, story
        return best[1] if best else None

    def _part_company(self, stories: Sequence[Story]) -> list[Passage]:
        """Two vehicles that were taken for one, and one that has crossed twice: the earlier passage ends."""
        told: list[Passage] = []
        for story in stories:
            rest = self._another(story)
            if rest:
                self._stories.remove(story)
                told += self._tell(story, ended=True)
                self._begin(rest).owed = True
        return told

    def _another(self, story: Story) -> list[Part]:
        """What of a story is another passage, taken out of it."""
        rest = joining.other_plate(story, self._plates.passage_threshold) if self._plates else []
        return rest or (joining.way_back(story, self._line) if self._line else [])

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
            if index in found and hangs_on_another(found[index][0].box, vehicle.box, others):
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
            return joining.GONE_S
        return self._parked_s if path[-1].seconds >= joining.STOOD_S else self._join_s

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
