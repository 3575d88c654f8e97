"""Where a pixel of a picture is on the ground, and frames that know how they see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from huoyan import georef, sources
from huoyan.config import LoadedConfig
from huoyan.errors import SourceError
from huoyan.records import Frame, Ground, Place, Point, Skip
from huoyan.runs.prepare import grounds, locate_config
from huoyan.sources.folders import RASTER_SUFFIXES

Picture = str | Path | Frame
County = str | Path | LoadedConfig


def open_source(target: County) -> Iterator[Frame | Skip]:
    """The frames of a county, an archive, a folder, or a single still, video or GeoTIFF, in the order of a scan.

    Args:
        target: what `scan` takes. Frames of a county's calibrated cameras know how they see the ground.

    Yields:
        Frames, whose pixels are read by `frame.image()`, and a `Skip` for what cannot be used.

    Raises:
        ConfigError: there is nothing at `target`, or the configuration holds mistakes.
    """
    loaded = _loaded(target)
    calibrated = grounds(loaded)
    for frame in sources.open_source(loaded):
        yield replace(frame, ground=ground_of(frame, calibrated)) if isinstance(frame, Frame) else frame


def locate(picture: Picture, xy: Point, config: County | None = None) -> Place:
    """The place on the ground that a pixel shows.

    Args:
        picture: a still, video (its first frame counts) or GeoTIFF, or a frame of `open_source`.
        xy: pixel (x, y), the origin at the top left corner of the top left pixel. Of a GeoTIFF those of the
            whole file; of a frame those of the frame.
        config: the county whose calibrated camera took it; without one only drone photos with their pose
            and GeoTIFFs can be placed (and frames of `open_source(county)`).

    Returns:
        A `Placement` with its error radius and method, or an `Unplaced` with the reason.

    Raises:
        SourceError: the picture is not among the archive's, or cannot be read.
        ConfigError: the configuration holds mistakes.
    """
    if isinstance(picture, Frame):
        ground = ground_of(picture, grounds(_loaded(config)) if config is not None else {})
        return georef.place_point(ground, xy, picture.ref.size)
    loaded = _loaded(config if config is not None else picture)
    if Path(picture).suffix.lower() in RASTER_SUFFIXES:
        # A raster brings its grid along. Looked at alone, its earlier dates have frames of their own too.
        loaded = _alone(Path(picture), loaded)
    frame = first_frame(Path(picture), loaded)
    if frame.ref.kind == "satellite":
        # Windows have pixels of their own; the caller counts those of the file.
        col, row = frame.ref.locator["window"][:2]
        xy = xy[0] - col, xy[1] - row
    return georef.place_point(ground_of(frame, grounds(loaded)), xy, frame.ref.size)


def ground_of(frame: Frame, calibrated: Mapping[str, Ground]) -> Ground:
    """How a frame sees the ground: by its camera's calibration, or by what it brings along."""
    if frame.ref.kind == "camera":
        return calibrated.get(frame.ref.source_id, frame.ground)
    return frame.ground


def first_frame(picture: Path, loaded: LoadedConfig) -> Frame:
    """The first frame that an archive's file gives.

    Raises:
        SourceError: the archive holds no such file, or it cannot be read.
    """
    wanted = picture.resolve()
    found = sources.discover(loaded)
    for unit in found.units:
        if Path(unit.path).resolve() == wanted:
            for frame in unit.frames():
                if isinstance(frame, Frame):
                    return frame
                raise SourceError(frame.reason, code=frame.code)
    for skip in found.skips:
        if Path(skip.path).resolve() == wanted:
            raise SourceError(skip.reason, code=skip.code)
    raise SourceError(
        "is not among the pictures of the archive",
        subject=str(picture),
        hint=f"the archive is {loaded.archive}",
        code="not_in_archive",
    )


def _alone(picture: Path, loaded: LoadedConfig) -> LoadedConfig:
    only = loaded.config.model_copy(update={"archive": picture.resolve(), "cameras": []})
    return replace(loaded, config=only)


def _loaded(county: County) -> LoadedConfig:
    return county if isinstance(county, LoadedConfig) else locate_config(Path(county))
