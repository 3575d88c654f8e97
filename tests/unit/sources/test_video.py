"""Which frames of a video are taken, and that they are the same whenever they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from huoyan.records import Frame
from huoyan.sources import reopen

from ...support.imagery import found_in, save_video

# Name, moments of its frames in ms, codec.
VIDEOS = {
    "steady.mp4": (list(range(0, 12_000, 40)), "libx264"),
    "hole.mp4": ([*range(0, 3000, 40), *range(9400, 12_000, 40)], "libx264"),
    "uneven.mkv": ([0, 40, 55, 300, 1010, 1020, 2500, 4999, 5003, 9990, 10_400], "libx264"),
    "moving_jpeg.avi": (list(range(0, 12_000, 40)), "mjpeg"),
}


def frames_of(path: Path, sampling_ms: int) -> list[Frame]:
    settings = [{"id": path.parent.name, "sampling": f"{sampling_ms}ms", "start": "2026-03-12T08:00:00"}]
    found = found_in(path.parents[2], cameras=settings)
    assert not found.skips
    frames = [one for unit in found.units for one in unit.frames()]
    assert all(isinstance(one, Frame) for one in frames), frames
    return frames  # type: ignore[return-value]


def first_at_or_after(moments: list[int], every: int) -> list[int]:
    """The rule, written down another way."""
    taken: list[int] = []
    for moment in moments:
        if not taken or moment // every > taken[-1] // every:
            taken.append(moment)
    return taken


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("every", [1, 1000, 5000, 7000])
def test_frames_are_taken_by_their_time(name: str, every: int, tmp_path: Path) -> None:
    moments, codec = VIDEOS[name]
    path = save_video(tmp_path / "camera" / "c1" / name, moments, codec=codec)
    frames = frames_of(path, every)
    told = [round(1000 * frame.ref.locator["seconds"]) for frame in frames]
    assert told == pytest.approx(first_at_or_after(moments, every), abs=1)


@pytest.mark.parametrize("name", VIDEOS)
def test_a_frame_has_the_same_pixels_whenever_it_is_read(name: str, tmp_path: Path) -> None:
    moments, codec = VIDEOS[name]
    path = save_video(tmp_path / "camera" / "c1" / name, moments, codec=codec, group=25)
    every_frame = {frame.ref.locator["pts"]: frame.image() for frame in frames_of(path, 1)}
    few = frames_of(path, 3000)
    for frame, again in zip(few, frames_of(path, 3000), strict=True):
        assert frame.ref == again.ref
        for image in (again.image(), reopen(frame.ref), every_frame[frame.ref.locator["pts"]]):
            assert np.array_equal(frame.image(), image)


def test_each_frame_shows_its_own_moment(tmp_path: Path) -> None:
    """The n-th frame is n brighter than the first: what is read at a time is what was shown at it."""
    path = save_video(tmp_path / "camera" / "c1" / "a.mp4", range(0, 3600, 40))
    images = [frame.image().mean() for frame in frames_of(path, 400)]
    assert np.diff(images) == pytest.approx(np.full(8, 10), abs=1.5)
