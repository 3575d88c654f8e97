"""What is known of one vehicle while it passes: votes, best sights, places; folded into a `Passage` when it is told.

A story has parts: a part is an unbroken track; a truck that was hidden for a while has several. Parts are kept apart
until the story is told, because only the plate proves that two of them were one vehicle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import get_args

import numpy as np

from huoyan.passage import Cover, Direction, Passage, PlateReading, Role, Sight
from huoyan.perception import appearance, paths, plate_vote
from huoyan.perception.paths import Line, Stop
from huoyan.perception.plate_vote import PlateEvidence, PlateVote
from huoyan.records import Box, Detection, FrameRef, Image, Place, Placement, Unplaced

TRUCK = "truck"
"""A truck of which no detector says what kind it is."""
FAMILY = frozenset({TRUCK, "dump_truck", "mixer_truck", "concrete_pump"})
"""Labels of trucks: those that say a kind, and the one that says none."""
# A kind counts if it has this share of what speaks for a truck at all.
_KIND_SHARE = 0.2
COVERS = frozenset(get_args(Cover)) - {"unknown"}
# So many reads are kept, the surest; more say nothing new.
MOST_READS = 40
# Of a vehicle that stands still the same look comes again and again.
READS_A_STOP = 6
# A plate of this many pixels across is as good as any wider one.
_WIDE_PLATE_PX = 120
_TRACK_S, _TRACK_M = 2.0, 1.0
# Dust and spill count from the second look on: the second best score is believed.
_BEST_SCORES = 2
_IMAGES_OF_GUESSES = 3
# A flash of two looks is nothing; nor is what reaches its threshold in one look of ten.
FEWEST_SURE = 3
DEFAULT_THRESHOLD = 0.3
_SURE_SHARE = 0.4


@dataclass(slots=True)
class Read:
    """One frame on which the plate was read."""

    frame: FrameRef
    box: Box
    evidence: PlateEvidence
    image: Image | None = None

    @property
    def score(self) -> float:
        """How well it shows the plate."""
        return self.evidence.confidence * min(1.0, (self.box[2] - self.box[0]) / _WIDE_PLATE_PX)


@dataclass(slots=True)
class Best:
    """The best look so far for one role."""

    frame: FrameRef
    box: Box
    score: float
    image: Image | None


@dataclass(slots=True)
class Part:
    """One unbroken track."""

    track_id: int
    first: datetime
    last: datetime
    size: tuple[int, int]
    looks: int = 0
    at_stop: int = 0
    """Reads since it last moved."""
    votes: dict[str, float] = field(default_factory=dict)
    """By label, how much speaks for it: scores as multiples of their thresholds, near looks counting more."""
    truck: float = 0.0
    """The same for any label of a truck, the best of each look."""
    sure: Counter[str] = field(default_factory=Counter)
    """By label, looks that reach its threshold by themselves; under `TRUCK` those of any truck."""
    path: list[Stop] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    """Looks that gave no read, by reason."""
    best: dict[Role, Best] = field(default_factory=dict)
    place: Place | None = None
    track: list[tuple[datetime, Placement]] = field(default_factory=list)
    colours: appearance.Vector = field(default_factory=lambda: np.zeros(appearance.LENGTH, np.float32))
    traces: dict[str, list[float]] = field(default_factory=dict)
    """Best scores of dust, spill and a raised body, by label."""
    covers: dict[Cover, list[float]] = field(default_factory=dict)

    def see(self, frame: FrameRef, image: Image, seen: Detection, place: Place | None, hold: bool) -> None:
        """Add one look; `hold` says whether pictures for the sights are kept."""
        stops = len(self.path)
        paths.advanced(self.path, seen.box, frame.time, frame.size)
        self.at_stop = 0 if len(self.path) != stops else self.at_stop
        self.last, self.size = frame.time, frame.size
        self.looks += 1
        self._count(sureness(seen), paths.extent(seen.box) / max(frame.size))
        self.colours += appearance.look(image, seen.box)
        self._show("wide", frame, seen, image if hold else None)
        self._show("load", frame, seen, image if hold else None)
        self._placed(frame.time, place)
        cover = seen.attributes.get("cover")
        if cover is not None and cover in COVERS:
            self.covers.setdefault(cover, []).append(float(seen.attributes.get("cover_score", 1.0)))

    def _count(self, said: dict[str, float], weight: float) -> None:
        for label, sure in said.items():
            self.votes[label] = self.votes.get(label, 0.0) + weight * sure
            self.sure[label] += sure >= 1 and label != TRUCK
        truck = max((sure for label, sure in said.items() if label in FAMILY), default=0.0)
        self.truck += weight * truck
        self.sure[TRUCK] += truck >= 1

    def read(self, frame: FrameRef, box: Box, evidence: PlateEvidence, image: Image | None) -> None:
        """Add what the plate said in one frame."""
        self.at_stop += 1
        self.reads.append(Read(frame, box, evidence, image))
        self.reads.sort(key=lambda read: (-read.score, read.frame.time))
        del self.reads[MOST_READS:]
        shown: set[str] = set()
        for one in self.reads:
            if one.evidence.guess in shown or len(shown) == _IMAGES_OF_GUESSES:
                one.image = None
            shown.add(one.evidence.guess)

    def trace(self, label: str, score: float) -> None:
        """Add a look at dust, spill or a raised body."""
        self.traces[label] = sorted([*self.traces.get(label, []), score], reverse=True)[:_BEST_SCORES]

    def _show(self, role: Role, frame: FrameRef, seen: Detection, image: Image | None) -> None:
        _, top, _, bottom = cut = paths.borders(seen.box, frame.size)
        whole = not any(cut) if role == "wide" else not top
        near = min(1.0, paths.extent(seen.box) / (0.5 * min(frame.size)))
        # A load is judged on what is above the wheels: better near and cut off below than far and whole.
        near = near * (0.9 if bottom else 1.0) if role == "load" else near**0.5
        score = seen.score * near * (1.0 if whole else 0.5)
        if role not in self.best or score > self.best[role].score:
            self.best[role] = Best(frame, seen.box, score, image)

    def _placed(self, time: datetime, place: Place | None) -> None:
        if not isinstance(place, Placement):
            self.place = place if self.place is None else self.place
            return
        known = self.place
        if not isinstance(known, Placement) or place.error_m < known.error_m:
            self.place = place
        if not self.track or self._is_further(time, place):
            self.track.append((time, place))

    def _is_further(self, time: datetime, place: Placement) -> bool:
        then, there = self.track[-1]
        # Degrees to metres on the small: good to a per cent, and only the distance between points depends on it.
        east = (place.lon - there.lon) * 111_320 * np.cos(np.radians(place.lat))
        north = (place.lat - there.lat) * 110_574
        return (time - then).total_seconds() >= _TRACK_S and float(np.hypot(east, north)) >= _TRACK_M


@dataclass(slots=True)
class Story:
    """One vehicle in one view, from its first look on."""

    passage_id: str
    source_id: str
    parts: list[Part]
    told: Passage | None = None
    """What was told of it last."""
    owed: bool = False
    """Something was seen since."""
    _vote: tuple[tuple[int, ...], PlateVote] | None = None

    @property
    def first(self) -> datetime:
        return self.parts[0].first

    @property
    def last(self) -> datetime:
        return self.parts[-1].last

    @property
    def looks(self) -> int:
        return sum(part.looks for part in self.parts)

    @property
    def path(self) -> list[Stop]:
        if len(self.parts) == 1:
            return self.parts[0].path
        return paths.joined([part.path for part in self.parts], self.parts[-1].size)

    @property
    def label(self) -> str:
        """The label that most speaks for."""
        votes: dict[str, float] = {}
        for part in self.parts:
            for label, score in part.votes.items():
                votes[label] = votes.get(label, 0.0) + score
        rivals = {label: vote for label, vote in votes.items() if label not in FAMILY}
        truck = sum(part.truck for part in self.parts)
        if rivals and max(rivals.values()) > truck:
            return max(rivals, key=lambda label: (rivals[label], label))
        kinds = {label: votes.get(label, 0.0) for label in sorted(FAMILY - {TRUCK})}
        kind = max(kinds, key=lambda label: kinds[label])
        return kind if kinds[kind] >= _KIND_SHARE * truck else TRUCK

    @property
    def sure(self) -> bool:
        """Whether its label was seen clearly in several looks, and not only now and then."""
        label = TRUCK if self.label in FAMILY else self.label
        clear = sum(part.sure[label] for part in self.parts)
        return clear >= FEWEST_SURE and clear >= _SURE_SHARE * self.looks

    @property
    def colours(self) -> appearance.Vector:
        total = np.sum([part.colours for part in self.parts], axis=0)
        return np.asarray(total / max(float(np.linalg.norm(total)), 1e-6), dtype=np.float32)

    def vote(self, threshold: float) -> PlateVote:
        """What all reads of the plate say together."""
        key = tuple(part.looks for part in self.parts)
        if self._vote is None or self._vote[0] != key:
            self._vote = key, voted([read for part in self.parts for read in part.reads], threshold)
        return self._vote[1]

    def passage(
        self, line: Line | None, right: Direction, threshold: float | None, *, ended: bool
    ) -> Passage:
        """All that is known, as a passage.

        Args:
            line: the virtual line in pixels of the view.
            right: the direction of those who cross it to the right.
            threshold: for the vote on the plate; None: plates of such vehicles are not kept.
            ended: whether it has left.
        """
        parts, path = self.parts, self.path
        crossed = paths.crossings(path, line)[-1:] if line else []
        plate, shown = PlateReading(), None
        if threshold is not None:
            plate, shown = self._plate(threshold)
        cover, sure = _cover([scores for part in parts for scores in part.covers.items()])
        traces = {label: _second(parts, label) for part in parts for label in part.traces}
        placed = [part.place for part in parts if part.place is not None]
        return Passage(
            passage_id=self.passage_id,
            source_id=self.source_id,
            label=self.label,
            first_seen=self.first,
            last_seen=self.last,
            plate=plate,
            direction=_towards(crossed[0].to_right, right) if crossed else "unknown",
            crossed=crossed[0].time if crossed else None,
            dwell_s=round(paths.dwell(path), 3),
            cover=cover,
            cover_confidence=sure,
            dust=traces.get("dust_plume", 0.0),
            spill=traces.get("spill", 0.0),
            tipping=traces.get("raised_body", 0.0),
            place=min(placed, key=_error) if placed else None,
            track=tuple(point for part in parts for point in part.track),
            appearance=tuple(round(float(v), 4) for v in self.colours),
            sights=tuple(self._sights(shown)),
            looks=self.looks,
            ended=ended,
        )

    def frames(self) -> Iterator[FrameRef]:
        """Frames that its sights may come to show."""
        for part in self.parts:
            yield from (best.frame for best in part.best.values())
            yield from (read.frame for read in part.reads)

    def images(self) -> dict[str, Image]:
        """Pictures that were held for the sights, by frame id."""
        held: dict[str, Image] = {}
        for part in self.parts:
            shown: list[Best | Read] = [*part.best.values(), *part.reads]
            held |= {one.frame.frame_id: one.image for one in shown if one.image is not None}
        return held

    def _plate(self, threshold: float) -> tuple[PlateReading, Read | None]:
        reads = [read for part in self.parts for read in part.reads]
        vote = self.vote(threshold)
        reading = PlateReading(
            text=vote.text,
            guess=vote.guess,
            colour=vote.colour,
            kind=vote.kind,
            confidence=vote.confidence,
            characters=vote.characters,
            colour_confidence=vote.colour_confidence,
            reads=len(reads),
            agreeing=vote.agreeing,
            why="" if vote.text else self._why(vote, threshold),
        )
        ranked = sorted(reads, key=lambda read: (read.evidence.guess != vote.guess, -read.score))
        return reading, ranked[0] if ranked else None

    def _why(self, vote: PlateVote, threshold: float) -> str:
        unread = sum((part.unread for part in self.parts), Counter[str]())
        if not vote.reads:
            told = ", ".join(f"{reason} on {count}" for reason, count in sorted(unread.items()))
            return f"no plate was read on {self.looks} looks{': ' if told else ''}{told}"
        if vote.agreeing < plate_vote.LEAST_AGREEING:
            return f"only {vote.agreeing} of {vote.reads} reads says the likeliest text"
        if vote.confidence < threshold:
            return f"least sure character {vote.confidence:.3f}, needed {threshold:.3f}"
        return "the reads contradict each other"

    def _sights(self, shown: Read | None) -> list[Sight]:
        sights = []
        for role in ("wide", "load"):
            found = [part.best[role] for part in self.parts if role in part.best]
            if found:
                best = max(found, key=lambda one: one.score)
                sights.append(Sight(role, best.frame, best.box, round(best.score, 4)))
        if shown is not None:
            sights.insert(1, Sight("plate", shown.frame, shown.box, round(shown.score, 4)))
        return sights


def sureness(seen: Detection) -> dict[str, float]:
    """How sure a look is of each label, as multiples of its threshold: attribute `sure`, and `also` for what other
    classes and detectors say of the same vehicle."""
    own = float(seen.attributes.get("sure", seen.score / DEFAULT_THRESHOLD))
    also: dict[str, float] = seen.attributes.get("also", {})
    return {**also, seen.label: max(own, also.get(seen.label, 0.0))}


def voted(reads: Sequence[Read], threshold: float) -> PlateVote:
    """One answer from reads."""
    return plate_vote.vote([read.evidence for read in reads], threshold)


def moved(passage: Passage, frames: dict[str, FrameRef]) -> Passage:
    """A passage whose sights are in other frames (stored copies), by id of the old."""
    sights = tuple(
        replace(sight, frame=frames.get(sight.frame.frame_id, sight.frame)) for sight in passage.sights
    )
    return replace(passage, sights=sights)


def _towards(to_right: bool, right: Direction) -> Direction:
    if right == "unknown":
        return right
    left: Direction = "leave" if right == "enter" else "enter"
    return right if to_right else left


def _cover(told: Sequence[tuple[Cover, list[float]]]) -> tuple[Cover, float]:
    """The state with the most said for it, and its share times how sure it was said; unknown unless said twice."""
    scores: dict[Cover, list[float]] = {}
    for state, values in told:
        scores.setdefault(state, []).extend(values)
    if not scores:
        return "unknown", 0.0
    state = max(scores, key=lambda one: sum(scores[one]))
    if len(scores[state]) < 2:
        return "unknown", 0.0
    share = sum(scores[state]) / sum(sum(values) for values in scores.values())
    return state, round(share * sum(scores[state]) / len(scores[state]), 4)


def _second(parts: Sequence[Part], label: str) -> float:
    scores = sorted((score for part in parts for score in part.traces.get(label, [])), reverse=True)
    return round(scores[1], 4) if len(scores) > 1 else 0.0


def _error(place: Place) -> float:
    return float("inf") if isinstance(place, Unplaced) else place.error_m
