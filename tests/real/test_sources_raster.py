"""Every collected GeoTIFF, and the real pairs, through discovery."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from huoyan.records import Frame, RasterGrid, Skip, Unplaced
from huoyan.sources import open_source

from ..support.imagery import found_in

Pairing = Callable[[str, str], list[Frame | Skip]]
# Skip code, or the metres of a pixel (None: no place).
FILES: dict[str, str | float | None] = {
    "aerial_rotated180_lo25": 5.64,
    "aster_utm39n_date1": 15.0,
    "colorado_ortho_15cm_utm13n": 0.15,
    "dem_24m_lo25_customcrs_nan": 24.0,
    "drone_ortho_35cm_utm50s_alpha": 0.353,
    "landsat7_utm18n_rgb": 300.0,
    "nasty_all_nodata_4band_uint16": "no_data",
    "nasty_float_nan_no_crs": None,
    "nasty_gcps_only": 202.0,
    "nasty_rotated_no_crs": None,
    "nasty_south_up_epsg4326_float": "no_data",
    "ortho_60cm_epsg3857": 0.472,
    "pair_epsg4326_after": 2.49,
    "uint16_200m_utm29n": 200.0,
    "uint16_rgb_epsg4326": 844.0,
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_raster(name: str, shared_data: Path) -> None:
    path = shared_data / "raster" / f"{name}.tif"
    out = list(open_source(path))
    expected = FILES[name]
    if isinstance(expected, str):
        assert [(one.path, one.code) for one in out if isinstance(one, Skip)] == [(str(path), expected)]
        assert len(out) == 1
        return
    assert out and all(isinstance(one, Frame) for one in out), out
    for frame in out:
        assert isinstance(frame, Frame)
        image = frame.image()
        assert image.dtype == np.uint8 and image.shape[1::-1] == frame.ref.size
        assert image.any()
        if expected is None:
            assert isinstance(frame.ground, Unplaced)
        else:
            assert isinstance(frame.ground, RasterGrid)
            assert frame.ground.gsd_m == pytest.approx(expected, rel=0.02)


def test_a_corrupt_file_gives_its_sound_windows(shared_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "satellite" / "20260301"
    folder.mkdir(parents=True)
    (folder / "a.tif").symlink_to(shared_data / "raster" / "nasty_corrupt.tif")
    found = found_in(tmp_path, satellite={"window": 512, "overlap": 0})
    out = [*found.skips, *(one for unit in found.units for one in unit.frames())]
    skips = [one for one in out if isinstance(one, Skip)]
    assert sum(isinstance(one, Frame) for one in out) >= 3
    assert skips and {skip.code for skip in skips} == {"damaged"}
    assert all(str(folder / "a.tif") in skip.reason for skip in skips)


@pytest.fixture
def compared(shared_data: Path, tmp_path: Path) -> Pairing:
    """Looks at two of the collected rasters as two dates."""

    def make(before: str, after: str) -> list[Frame | Skip]:
        for date, name in (("20250101", before), ("20260301", after)):
            folder = tmp_path / "satellite" / date
            folder.mkdir(parents=True)
            (folder / "a.tif").symlink_to(shared_data / "raster" / f"{name}.tif")
        found = found_in(tmp_path)
        return [*found.skips, *(one for unit in found.units for one in unit.frames())]

    return make


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("pair_utm50n_before", "pair_utm50n_after"),
        ("pair_utm50n_before", "pair_utm50n_after_grid2m_shifted"),
        ("pair_utm50n_before", "pair_epsg4326_after"),
        ("pair_utm50n_after", "pair_utm50n_after_grid2m_shifted"),
        ("pair_utm50n_after", "pair_epsg4326_after"),
        ("aster_utm39n_date1", "aster_utm39n_date2"),
    ],
)
def test_two_dates_lie_on_each_other(before: str, after: str, compared: Pairing) -> None:
    """Whatever grid each has: what is left to measure is small, and edges of both dates meet."""
    frames = compared(before, after)
    assert frames and all(isinstance(one, Frame) and one.load_before is not None for one in frames), frames
    for frame in frames:
        assert isinstance(frame, Frame) and frame.load_before is not None
        assert np.hypot(*frame.ref.locator["shift"]) < 1.5
        now, then = (image.mean(axis=2) for image in (frame.image(), frame.load_before()))
        seen = (now > 0) & (then > 0)
        assert seen.mean() > 0.8
        met = np.corrcoef(now[seen], then[seen])[0, 1]
        apart = np.corrcoef(now[seen], np.roll(then, (6, 6), (0, 1))[seen])[0, 1]
        assert met > apart + 0.05


def test_places_far_from_each_other_are_told(compared: Pairing) -> None:
    out = compared("colorado_ortho_15cm_utm13n", "pair_utm50n_after")
    assert [one.code for one in out if isinstance(one, Skip)] == ["no_overlap"]
    assert sum(isinstance(one, Frame) for one in out) == 2
