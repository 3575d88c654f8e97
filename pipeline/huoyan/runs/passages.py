"""Passages of one camera: a video file or a live stream in, one record a vehicle out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from huoyan import georef
from huoyan.config import Models
from huoyan.errors import ConfigError, GeoreferenceError, ModelError
from huoyan.passage import Passage
from huoyan.perception import dust, masks, runtimes
from huoyan.perception.detector import Detector
from huoyan.perception.dust import DustClassifier
from huoyan.perception.passage_story import TRUCK
from huoyan.perception.passages import RIVALS, TRUCKS, PassageBuilder, View
from huoyan.perception.paths import Line
from huoyan.perception.runtimes import AUTO, Wish
from huoyan.perception.vehicle_plates import VehiclePlates
from huoyan.records import Detection, Frame, FrameRef, Ground, Image, Place, Ring, Skip, Unit, Unplaced
from huoyan.sources import making
from huoyan.sources.live import LiveFrames, is_live

SAMPLING_S = 0.2
Source = str | Path | LiveFrames | Unit
"""A video file, the address of a stream, an opened stream, or a unit of an archive."""
# Weak looks go on with a track, strong ones begin it.
_WEAK = 0.12
_NEVER = 2.0


@dataclass(frozen=True, slots=True)
class EyeSettings:
    """What looks at gates and roads. Picklable."""

    detector: str = "site-n"
    """Knows kinds of trucks."""
    street: str | None = None
    """A second detector, which knows trucks of every kind as cameras of streets and gates see them: `road-n`."""
    labels: frozenset[str] = TRUCKS
    """Vehicles to tell."""
    plates: tuple[str, str] | None = ("plate-reader", "plate-corners")
    """Models that read plates and find them; None: no plate is read."""
    plate_labels: frozenset[str] = TRUCKS
    """Vehicles whose plates are read and kept. Those of others are never read."""
    plumes: tuple[str, str | None] | None = None
    """Detector of dust plumes, and the classifier that confirms them; None: dust is not looked for."""
    plumes_every_s: float = 1.0
    long_side: int | None = None
    """Pixels that the longer side of a frame is brought to; default the detector's card's."""
    models_folder: Path | None = None
    threads: int = 1
    wish: Wish = AUTO


class PassageEyes:
    """The loaded models of a gate or a road. Several cameras may share one, each in its thread."""

    def __init__(self, settings: EyeSettings = EyeSettings()) -> None:
        """Load.

        Raises:
            ModelError: a model is missing, does not fit its card, or does not know one of the labels.
        """
        self.settings = settings
        folder, threads = settings.models_folder, settings.threads
        runtimes.prefer(settings.wish)
        names = [settings.detector, *([settings.street] if settings.street else [])]
        self.detectors = [
            Detector(name, folder=folder, threads=threads, long_side=settings.long_side) for name in names
        ]
        known = {label for detector in self.detectors for label in detector.classes}
        if unknown := settings.labels - known - {TRUCK}:
            raise ModelError(
                f"does not know {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}",
                subject=", ".join(names),
                code="wrong_classes",
            )
        wanted = settings.labels | RIVALS
        self._limits = {label: _WEAK if label in wanted else _NEVER for label in known}
        self.plates = (
            VehiclePlates(settings.plate_labels, *settings.plates, folder=folder, threads=threads)
            if settings.plates and settings.plate_labels
            else None
        )
        self._air = self._classifier = None
        if settings.plumes:
            finder, classifier = settings.plumes
            self._air = Detector(finder, folder=folder, threads=threads)
            self._classifier = (
                DustClassifier(classifier, folder=folder, threads=threads) if classifier else None
            )

    def vehicles(self, image: Image) -> list[Detection]:
        """Vehicles in a frame, uint8 [H, W, 3] RGB, weak looks included; `sure` is the score over its threshold.

        Raises:
            SourceError, ModelError: as `Detector.detect`.
        """
        found = []
        for detector in self.detectors:
            limits = {label: self._limits[label] for label in detector.classes}
            for one in detector.detect([image], thresholds=limits)[0]:
                sure = {"sure": one.score / detector.thresholds[one.label]}
                found.append(replace(one, attributes={**one.attributes, **sure}))
        return found

    def plumes(self, image: Image) -> list[Detection]:
        """Dust plumes in a frame; none where they are not looked for."""
        if self._air is None:
            return []
        limits = {label: _NEVER for label in self._air.classes if label != dust.LABEL}
        found = self._air.detect([image], thresholds=limits)[0]
        return dust.settle(self._classifier, image, found) if self._classifier else found


def eyes_for(
    models: Models,
    folder: Path | None = None,
    *,
    labels: frozenset[str] = TRUCKS,
    plumes: bool = False,
    threads: int = 1,
) -> PassageEyes:
    """The eyes that a county's configuration asks for; see `eye_settings`.

    Raises:
        ModelError: see `PassageEyes`.
        ConfigError: no detector of vehicles is configured.
    """
    return PassageEyes(eye_settings(models, folder, labels=labels, plumes=plumes, threads=threads))


def eye_settings(
    models: Models,
    folder: Path | None = None,
    *,
    labels: frozenset[str] = TRUCKS,
    plumes: bool = False,
    threads: int = 1,
) -> EyeSettings:
    """What the eyes need that a county's configuration asks for.

    Args:
        models: the configuration's section; `folder` is where its own models lie, resolved.
        labels: vehicles to tell, and to read the plates of.
        plumes: look for dust behind them too; costs a second detector once a second.
        threads: where the configuration leaves them open.

    Raises:
        ConfigError: no detector of vehicles is configured.
    """
    if models.site is None:
        raise ConfigError("models.site: expected a detector that knows trucks, got null")
    return EyeSettings(
        detector=models.site,
        street=_road(models, folder),
        labels=labels,
        plates=(models.plates, models.plate_corners) if models.plates else None,
        plate_labels=labels,
        plumes=(models.street, models.dust) if plumes and models.street else None,
        models_folder=folder,
        threads=models.threads or threads,
        wish=Wish(models.runtime, models.precision),
    )


def _road(models: Models, folder: Path | None) -> str | None:
    """The second detector; a folder of one's own need not hold it, unless it is asked for by name."""
    asked = "road" in models.model_fields_set
    if folder is None or asked or models.road is None or (folder / f"{models.road}.onnx").is_file():
        return models.road
    return None


def place_on(ground: Ground) -> Callable[[Detection, tuple[int, int]], Place]:
    """`View.place` of a camera that sees the ground so."""

    def place(detection: Detection, size: tuple[int, int]) -> Place:
        try:
            return georef.place(ground, detection, size)
        except GeoreferenceError as error:
            return Unplaced(error.message)

    return place


def passages(
    source: Source,
    view: View,
    eyes: PassageEyes,
    *,
    sampling_s: float = SAMPLING_S,
    early: bool = False,
    keep: Callable[[FrameRef, Image], FrameRef] | None = None,
    skipped: Callable[[Skip], None] | None = None,
    seen: Callable[[FrameRef, Sequence[Detection], frozenset[str]], None] | None = None,
    ignore: tuple[Ring, ...] = (),
) -> Iterator[Passage]:
    """The passages of one camera, as they can be told.

    Args:
        source: what the camera sees. A stream goes on until `LiveFrames.stop` is called; a file is never dropped from.
        view: where its line is, and what is told.
        eyes: the models.
        sampling_s: seconds between frames, of files and addresses.
        early: tell a passage already when it has crossed the line; see `perception.passages`.
        keep: stores frames that cannot be read again; needed where evidence of a live stream is wanted.
        skipped: is given what could not be used (damaged files, lost streams).
        seen: is given all that was seen in each frame, before the passages that it ends, and the ids of earlier
            frames that passages still to be told may show.
        ignore: outlines in shares of width and height; what stands on the ground in one of them is not looked at.

    Raises:
        SourceError: a file is missing or no video.
        ModelError: a model fails.
    """
    builder = PassageBuilder(view, eyes.plates, early=early, keep=keep)
    last: FrameRef | None = None
    looked_for_dust = None
    for item in _frames(source, view.source_id, sampling_s):
        if item is None or isinstance(item, Skip):
            if isinstance(item, Skip) and skipped is not None:
                skipped(item)
            if last is not None and isinstance(source, LiveFrames):
                yield from builder.tick(last.time + timedelta(seconds=source.age_s))
            continue
        image, last = item.image(), item.ref
        found = eyes.vehicles(image)
        if looked_for_dust is None or (last.time - looked_for_dust).total_seconds() >= (
            eyes.settings.plumes_every_s
        ):
            found += eyes.plumes(image)
            looked_for_dust = last.time
        if ignore:
            found = [one for one in found if not _stands_in(ignore, one, last.size)]
        if seen is not None:
            seen(last, found, builder.shown)
        yield from builder.feed(last, image, found)
    yield from builder.close()


def of_video(
    video: str | Path,
    line: Line | None = None,
    *,
    enter: Literal["right", "left"] = "right",
    labels: Iterable[str] = TRUCKS,
    plates: bool = True,
    sampling_s: float = SAMPLING_S,
    eyes: PassageEyes | None = None,
) -> list[Passage]:
    """The vehicles that pass in a video of a fixed camera, one record each, in the order in which they came.

    Args:
        video: a video file.
        line: virtual line ((x, y), (x, y)) in pixels; who crosses it to its right enters.
        enter: the side of the directed line that is inside.
        labels: vehicles to tell, of the detector's classes.
        plates: read the plates of these vehicles; those of others are never read.
        sampling_s: seconds between the frames that are looked at.
        eyes: loaded models, for many videos; they bring labels and plates of their own.

    Raises:
        SourceError: the file is missing, or no video.
        ModelError: a model fails, or does not know a label.
    """
    wanted = frozenset(labels)
    if eyes is None:
        settings = EyeSettings(street="road-n", labels=wanted, plate_labels=wanted)
        eyes = PassageEyes(settings if plates else replace(settings, plates=None))
    view = View(Path(video).stem, line, enter, labels=eyes.settings.labels)
    told = latest(passages(video, view, eyes, sampling_s=sampling_s))
    return sorted(told.values(), key=lambda passage: (passage.first_seen, passage.passage_id))


def latest(told: Iterable[Passage]) -> Mapping[str, Passage]:
    """The last revision of each passage, by id."""
    return {passage.passage_id: passage for passage in told}


def _stands_in(outlines: tuple[Ring, ...], seen: Detection, size: tuple[int, int]) -> bool:
    x1, _, x2, y2 = seen.box
    return masks.covers(outlines, (x1 + x2) / 2 / size[0], y2 / size[1])


def _frames(source: Source, source_id: str, sampling_s: float) -> Iterable[Frame | Skip | None]:
    if isinstance(source, LiveFrames):
        return source
    if isinstance(source, str | Path):
        if is_live(str(source)):
            return LiveFrames(str(source), source_id, sampling_s)
        return making.video(Path(source), source_id, "camera", sampling_s, ZoneInfo("UTC")).frames()
    return source.frames()
