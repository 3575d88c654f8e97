"""Which source a live picture is of. Each pose of a camera has its own ground, zones and memory: it is a source of its
own. A pose that nobody knows has no ground and no zones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from huoyan.config import Camera
from huoyan.sample import Sample

UNKNOWN = "moved"


def source(camera: str, pose: str = "") -> str:
    """Id of a camera's source: `camera`, or `camera/pose`."""
    return f"{camera}/{pose}" if pose else camera


def source_of(sample: Sample, camera: Camera) -> tuple[str, bool]:
    """The source of a sample, and whether its pose is known, so that what is seen can be placed."""
    presets = camera.stream is not None and bool(camera.stream.presets)
    if "camera_moved" in sample.conditions or (presets and not sample.preset):
        return source(camera.id, UNKNOWN), False
    return source(camera.id, sample.preset), True


def camera_of(source: str, cameras: Collection[str]) -> str | None:
    """The one of `cameras` that a source is of; None: it is of another, or of none."""
    if source in cameras:
        return source
    camera = source.rpartition("/")[0]
    return camera if camera in cameras else None


def zones_of(camera: Camera) -> Mapping[str, Sequence[str]]:
    """The zones that each source of a camera watches; none: all that it can see and place."""
    presets = camera.stream.presets if camera.stream is not None else []
    return {
        camera.id: camera.zones,
        **{source(camera.id, preset.id): preset.zones or camera.zones for preset in presets},
        source(camera.id, UNKNOWN): (),
    }
