"""The half that looks: a frame in, observations out. Pure but for the loaded models, so it runs anywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from huoyan import georef
from huoyan.errors import GeoreferenceError, HuoyanError
from huoyan.georef import terrain
from huoyan.georef.terrain import FlatTerrain, Terrain
from huoyan.perception import dust, quality, runtimes, second_look, tiling
from huoyan.perception.change import ChangeDetector
from huoyan.perception.detector import Detector
from huoyan.perception.dust import DustClassifier
from huoyan.perception.recollection import Recollection
from huoyan.perception.runtimes import AUTO, Wish
from huoyan.perception.tracker import Tracker
from huoyan.perception.vehicle_plates import READING, VehiclePlates
from huoyan.records import (
    Box,
    Detection,
    Frame,
    Ground,
    Image,
    Observation,
    Observations,
    Place,
    RasterGrid,
    Skip,
    Unit,
    Unplaced,
)
from huoyan.runs.passages import EyeSettings, PassageEyes
from huoyan.runs.road import RoadUnit, Seen, look_road

if TYPE_CHECKING:
    from pathlib import Path

# From this long side on one whole look (416 px for the shipped detectors) loses what a crew would still see.
TILE_FROM_PX = 1200
TILE_PX = 832
TILE_OVERLAP = 0.2


@dataclass(frozen=True, slots=True)
class LookSettings:
    """What *look* must know. Picklable: worker processes are started with it."""

    detectors: tuple[str, ...]
    change: str | None
    labels: frozenset[str]
    """The labels that some scene asks for: only they earn a second look."""
    grounds: Mapping[str, Ground] = field(default_factory=dict)
    """Ground plane by camera id, for pictures of the plane's size or its aspect."""
    dem: Path | None = None
    """Raster of ground heights for drones."""
    ground_m: float | None = None
    """Height of the ground above the sea for drones, where no raster tells it."""
    models_folder: Path | None = None
    second_look: bool = True
    tile: int = 0
    threads: int = 1
    wish: Wish = AUTO
    """Runtime and precision of the models."""
    dust: str | None = None
    """Model that confirms or doubts dust plumes; None: the detector's word counts."""
    plates: tuple[str, str] | None = None
    """Models that read plates and find them; None: no plate is read."""
    plate_labels: frozenset[str] = frozenset()
    """The vehicles whose plates are compared with a register; those of others are never read."""
    roads: frozenset[str] = frozenset()
    """Cameras whose videos are also looked at for passages."""
    by_passage: frozenset[str] = frozenset()
    """Live sources whose trucks another process follows: no single picture of them is asked for its plate."""
    passing: EyeSettings | None = None
    """What looks for passages; None: nothing does."""
    keep_uncertain: bool = False
    """Also give what stays below its threshold after the second look, marked `uncertain` (for explanations)."""


class Eyes:
    """The loaded models with the settings they run under. Make one per process."""

    def __init__(self, settings: LookSettings, recollection: Recollection | None = None) -> None:
        """Load the models.

        Args:
            settings: what they are and how they run.
            recollection: of live cameras' views. Without one, what is seen in a frame depends on that frame alone.

        Raises:
            ModelError: a model cannot be used.
        """
        self.settings, self.recollection = settings, recollection
        self.terrain = _terrain(settings)
        self._passing: PassageEyes | None = None
        folder, threads = settings.models_folder, settings.threads
        runtimes.prefer(settings.wish)
        self.detectors = [Detector(name, folder=folder, threads=threads) for name in settings.detectors]
        self.change = (
            ChangeDetector(settings.change, folder=folder, threads=threads) if settings.change else None
        )
        self.dust = DustClassifier(settings.dust, folder=folder, threads=threads) if settings.dust else None
        self.plates = (
            VehiclePlates(settings.plate_labels, *settings.plates, folder=folder, threads=threads)
            if settings.plates and settings.plate_labels
            else None
        )

    def passing(self) -> PassageEyes:
        """What looks at roads, loaded when the first road comes.

        Raises:
            ModelError: a model cannot be used.
        """
        if self._passing is None:
            assert self.settings.passing is not None, "roads are only asked for with what looks at them"
            self._passing = PassageEyes(self.settings.passing)
        return self._passing

    def look(self, frame: Frame, tracker: Tracker | None = None) -> Observations | Skip:
        """Look at one frame.

        Args:
            frame: the frame; its pixels are read here.
            tracker: of the video that the frame belongs to.

        Returns:
            What was seen, each with its place or the reason why it has none; a `Skip` if the pixels
            cannot be read.
        """
        started = time.process_time()
        try:
            image = frame.image()
            before = frame.load_before() if frame.load_before else None
        except HuoyanError as error:
            return Skip(frame.ref.source_id, frame.ref.path, error.code, str(error))
        decoded = time.process_time()
        if frame.ref.kind == "satellite":
            found = self._changes(frame, before, image)
            night = False
        else:
            found = self._things(frame, image)
            # On a road a truck is judged by its passage: no single frame is asked for its plate.
            source = frame.ref.source_id
            by_passage = source in self.settings.by_passage or (
                frame.sequence is not None and source in self.settings.roads
            )
            if self.plates is not None and not by_passage:
                found = self.plates.on(image, found)
            night = quality.is_night(image)
        inferred = time.process_time()
        found = _with_captions(found, frame)
        if tracker is not None:
            found = tracker.update(found, frame.ref.time)
        ground = self._ground(frame)
        size = frame.ref.size
        items = tuple(Observation(frame.ref, d, _place(ground, d, size, self.terrain)) for d in found)
        seconds = {
            "decode": decoded - started,
            "infer": inferred - decoded,
            "rest": time.process_time() - inferred,
        }
        return Observations(frame.ref, items, seconds, night, frame.notes)

    def _things(self, frame: Frame, image: Image) -> list[Detection]:
        found: list[Detection] = []
        tile = self._tile(frame)
        for detector in self.detectors:
            wanted = self.settings.labels & set(detector.classes)
            low = detector.second_look_thresholds(wanted) if self.settings.second_look else None
            if tile:
                seen = tiling.detect_tiled(detector, image, tile, TILE_OVERLAP, thresholds=low)
            else:
                seen = detector.detect([image], thresholds=low)[0]
            if low:
                keep = self.settings.keep_uncertain
                recall = self._recall(detector, frame, image)
                seen = second_look.look_again(detector, image, seen, wanted, drop=not keep, recall=recall)
                seen = [_marked(detection, detector) for detection in seen] if keep else seen
            found += seen
        if self.dust is not None:
            found = dust.settle(self.dust, image, found, drop=not self.settings.keep_uncertain)
        return found

    def _recall(self, detector: Detector, frame: Frame, image: Image) -> second_look.Recall | None:
        plan = detector.card.second_look
        if self.recollection is None or plan is None:
            return None
        view = (frame.ref.source_id, detector.name)
        return partial(self.recollection.answers, view, frame.ref.time, image, plan.low)

    def _tile(self, frame: Frame) -> int:
        """Side of the tiles in pixels, 0 for one whole look."""
        if self.settings.tile:
            return self.settings.tile if max(frame.ref.size) > self.settings.tile else 0
        return TILE_PX if max(frame.ref.size) >= TILE_FROM_PX else 0

    def _changes(self, frame: Frame, before: Image | None, after: Image) -> list[Detection]:
        if before is None or self.change is None:
            return []
        gsd = frame.ground.gsd_m if isinstance(frame.ground, RasterGrid) else None
        found = self.change.detect(before, after, gsd)
        return found if frame.core is None else [d for d in found if _centre_inside(d.box, frame.core)]

    def _ground(self, frame: Frame) -> Ground:
        if frame.ref.kind == "camera":
            return self.settings.grounds.get(frame.ref.source_id, frame.ground)
        return frame.ground


def look_unit(eyes: Eyes, unit: Unit, done: frozenset[str] = frozenset()) -> Iterator[Seen]:
    """Look at every frame of a unit in time order; a video is followed by a tracker of its own.

    A road's unit gives passages instead.

    Args:
        eyes: the models.
        unit: what to look at.
        done: ids of frames that need no look any more, see `Unit.frames`.
    """
    if isinstance(unit, RoadUnit):
        yield from look_road(eyes.passing(), unit, eyes.settings.grounds.get(unit.source_id))
        return
    tracker: Tracker | None = None
    for frame in unit.frames(done):
        if isinstance(frame, Skip):
            yield frame
            continue
        if frame.sequence is not None and tracker is None:
            tracker = Tracker()
        yield eyes.look(frame, tracker)


def _centre_inside(box: Box, core: Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return core[0] <= x < core[2] and core[1] <= y < core[3]


def _marked(detection: Detection, detector: Detector) -> Detection:
    if detection.score >= detector.thresholds[detection.label]:
        return detection
    return replace(detection, attributes={**detection.attributes, "uncertain": True})


def _terrain(settings: LookSettings) -> Terrain | None:
    """The heights that drones' rays meet; None: flat ground at the height of the take-off."""
    if settings.dem is not None:
        return terrain.read(settings.dem)
    return None if settings.ground_m is None else FlatTerrain(settings.ground_m)


def _place(ground: Ground, detection: Detection, size: tuple[int, int], heights: Terrain | None) -> Place:
    try:
        return georef.place(ground, detection, size, heights)
    except GeoreferenceError as error:
        return Unplaced(error.message)


def _with_captions(found: list[Detection], frame: Frame) -> list[Detection]:
    """Hang what captions say on the detection that they overlap most; a caption without one stands alone."""
    for caption in frame.captions:
        attributes = {**caption.attributes, "text_from": "caption"}
        overlaps = [(_iou(caption.box, d.box), i) for i, d in enumerate(found) if d.label == caption.label]
        best, index = max(overlaps, default=(0.0, -1))
        if best >= 0.3:
            seen = found[index]
            kept = {key: value for key, value in seen.attributes.items() if key not in READING}
            found[index] = replace(seen, text=caption.text, attributes={**kept, **attributes})
        else:
            found.append(Detection(caption.label, 1.0, caption.box, text=caption.text, attributes=attributes))
    return found


def _iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
