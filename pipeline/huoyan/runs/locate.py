"""Where a pixel of a picture is on the ground."""

from __future__ import annotations

from pathlib import Path

from huoyan import georef
from huoyan.config import LoadedConfig
from huoyan.errors import SourceError
from huoyan.records import Frame, Ground, Place, Point
from huoyan.runs.prepare import grounds, locate_config
from huoyan.sources import discover


def locate(picture: str | Path, xy: Point, config: str | Path | LoadedConfig | None = None) -> Place:
    """The place on the ground that a pixel shows.

    Args:
        picture: a still, video (its first frame counts) or GeoTIFF.
        xy: pixel (x, y), the origin at the top left corner of the top left pixel.
        config: the county whose calibrated camera took it; without one only drone photos with their pose
            and GeoTIFFs can be placed.

    Returns:
        A `Placement` with its error radius and method, or an `Unplaced` with the reason.

    Raises:
        SourceError: the picture is not among the archive's, or cannot be read.
        ConfigError: the configuration holds mistakes.
    """
    loaded = _loaded(picture, config)
    frame = first_frame(Path(picture), loaded)
    ground = ground_of(frame, grounds(loaded))
    if frame.ref.kind == "satellite":
        # Windows have pixels of their own; the caller counts those of the file.
        col, row = frame.ref.locator["window"][:2]
        xy = xy[0] - col, xy[1] - row
    return georef.place_point(ground, xy, frame.ref.size)


def ground_of(frame: Frame, calibrated: dict[str, Ground]) -> Ground:
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
    found = discover(loaded)
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


def _loaded(picture: str | Path, config: str | Path | LoadedConfig | None) -> LoadedConfig:
    if isinstance(config, LoadedConfig):
        return config
    return locate_config(Path(config if config is not None else picture))
