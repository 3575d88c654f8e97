"""Rasters of every kind as 8-bit RGB windows, and pairs brought onto one grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from affine import Affine
from rasterio.enums import ColorInterp

from huoyan.records import Frame, RasterGrid, Skip, Unplaced
from huoyan.sources import open_source, reopen

from ...support.imagery import found_in, save_raster, texture

NORTH_UP = Affine(0.5, 0.0, 330_000.0, 0.0, -0.5, 3_265_000.0)


def bands(width: int = 320, height: int = 256, seed: int = 0) -> Any:
    return np.moveaxis(texture(width, height, seed), 2, 0)


def only_frame(path: Path) -> Frame:
    (frame,) = open_source(path)
    assert isinstance(frame, Frame), frame
    return frame


def test_eight_bits_are_left_alone(tmp_path: Path) -> None:
    values = bands()
    frame = only_frame(save_raster(tmp_path / "20260301.tif", values))
    assert np.array_equal(np.moveaxis(frame.image(), 2, 0), values)
    assert np.array_equal(reopen(frame.ref), frame.image())


def test_sixteen_bits_are_stretched_alike_in_every_window(tmp_path: Path) -> None:
    values = bands(900, 300).astype(np.uint16) * 40 + 1000
    save_raster(tmp_path / "satellite" / "20260301" / "a.tif", values)
    units = found_in(tmp_path, satellite={"window": 512, "overlap": 64}).units
    frames = [one for unit in units for one in unit.frames()]
    left, right = (frame.image() for frame in frames)  # type: ignore[union-attr]
    shared = 2 * 512 - 900
    assert np.array_equal(left[:, -shared:], right[:, :shared])
    assert left.min() == 0 and left.max() == 255 and 60 < left.mean() < 200


def test_blue_green_red_and_alpha(tmp_path: Path) -> None:
    values = bands()
    alpha = np.full(values.shape[1:], 255, np.uint8)
    alpha[:, :100] = 0
    path = tmp_path / "20260301.tif"
    order = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.alpha)
    save_raster(path, np.concatenate([values[::-1], alpha[None]]))
    import rasterio

    with rasterio.open(path, "r+") as file:
        file.colorinterp = order
    image = only_frame(path).image()
    assert np.array_equal(image[:, 100:], np.moveaxis(values, 0, 2)[:, 100:])
    assert not image[:, :100].any()


@pytest.mark.parametrize("hole", [np.nan, -9999.0])
def test_holes_are_black_and_nothing_else_is(hole: float, tmp_path: Path) -> None:
    values = bands().astype(np.float32)[:1] + 500
    values[:, 40:80, 50:90] = hole
    image = only_frame(save_raster(tmp_path / "20260301.tif", values, nodata=hole)).image()
    assert not image[40:80, 50:90].any()
    outside = np.ones(image.shape[:2], bool)
    outside[40:80, 50:90] = False
    assert 60 < image[outside].mean() < 200
    assert np.array_equal(image[..., 0], image[..., 2]), "one band is grey"


def test_nothing_but_nodata_is_told(tmp_path: Path) -> None:
    path = save_raster(tmp_path / "20260301.tif", np.zeros((3, 64, 64), np.uint8), nodata=0)
    (skip,) = open_source(path)
    assert isinstance(skip, Skip) and (skip.path, skip.code) == (str(path), "no_data")


def test_without_a_reference_system_there_is_no_place(tmp_path: Path) -> None:
    frame = only_frame(save_raster(tmp_path / "20260301.tif", bands(), crs=None))
    assert isinstance(frame.ground, Unplaced)


@pytest.mark.parametrize(
    "transform",
    [NORTH_UP, Affine(0.5, 0, 3.3e5, 0, 0.5, 3.2e6), Affine(0.4, 0.3, 3.3e5, 0.3, -0.4, 3.2e6)],
    ids=["north up", "south up", "rotated"],
)
def test_the_grid_of_a_window_is_the_files(transform: Affine, tmp_path: Path) -> None:
    save_raster(tmp_path / "satellite" / "20260301" / "a.tif", bands(700, 300), transform=transform)
    units = found_in(tmp_path, satellite={"window": 512}).units
    for unit in units:
        (frame,) = unit.frames()
        assert isinstance(frame, Frame) and isinstance(frame.ground, RasterGrid)
        col, row, width, height = frame.ref.locator["window"]
        assert frame.ground.affine[2::3] == pytest.approx(transform @ (col, row))
        assert frame.ground.size == (width, height) == frame.ref.size
        assert frame.ground.gsd_m == pytest.approx(0.5, rel=2e-3)


def pair(tmp_path: Path, before: Any, after: Any, **options: Any) -> list[Frame | Skip]:
    save_raster(tmp_path / "satellite" / "20260101" / "a.tif", before, **options)
    save_raster(tmp_path / "satellite" / "20260301" / "a.tif", after)
    found = found_in(tmp_path)
    return [*found.skips, *(one for unit in found.units for one in unit.frames())]


def moved(image: Any, x: float, y: float) -> Any:
    """The picture's content `x` pixels to the right and `y` down."""
    matrix = np.float32([[1, 0, x], [0, 1, y]])
    return cv2.warpAffine(
        image, matrix, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


@pytest.mark.parametrize("shift", [(3.4, -1.7), (-8.25, 5.5), (0.6, 0.3), (20.0, -11.5)])
def test_a_shift_is_measured_and_moved_back(shift: tuple[float, float], tmp_path: Path) -> None:
    after = texture(640, 600, seed=3)
    after = cv2.add(after, np.random.default_rng(1).integers(0, 12, after.shape, np.uint8))
    before = moved(after, *shift)
    (frame,) = pair(tmp_path, np.moveaxis(before, 2, 0), np.moveaxis(after, 2, 0))
    assert isinstance(frame, Frame) and frame.load_before is not None
    assert frame.ref.locator["shift"] == pytest.approx(shift, abs=0.2)
    inside = np.s_[60:-60, 60:-60]
    off = np.abs(before.astype(int) - after)[inside].mean()
    left = np.abs(frame.load_before().astype(int) - frame.image())[inside].mean()
    assert left < 0.7 * off
    assert any("moved back" in note for note in frame.notes)


def test_pictures_that_have_nothing_in_common_are_not_moved(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    one, other = (random.integers(0, 255, (3, 600, 600), np.uint8) for _ in range(2))
    (frame,) = pair(tmp_path, one, other)
    assert isinstance(frame, Frame)
    assert frame.ref.locator["shift"] == [0.0, 0.0]
    assert any("could not be measured" in note for note in frame.notes)


def test_an_exact_pair_is_copied(tmp_path: Path) -> None:
    values = bands(600, 500)
    (frame,) = pair(tmp_path, values, values)
    assert isinstance(frame, Frame) and frame.load_before is not None
    assert np.array_equal(frame.load_before(), frame.image())


def test_a_pair_on_grids_of_its_own_is_brought_together(tmp_path: Path) -> None:
    """The earlier date lies 40 m west on a grid of its own: its content moves with its georeference."""
    whole = texture(900, 600, seed=2)
    west = np.moveaxis(whole[:, :800], 2, 0)
    east = np.moveaxis(whole[:, 80:], 2, 0)
    (frame,) = pair(tmp_path, west, east, transform=NORTH_UP @ Affine.translation(-80, 0))
    assert isinstance(frame, Frame) and frame.load_before is not None
    assert frame.ref.size == (720, 600)
    assert np.array_equal(frame.load_before(), frame.image())


def test_where_one_date_shows_nothing_both_are_black(tmp_path: Path) -> None:
    values = bands(600, 500) // 2 + 10
    holed = values.copy()
    holed[:, 100:200, 300:400] = 0
    (frame,) = pair(tmp_path, holed, values, nodata=0)
    assert isinstance(frame, Frame) and frame.load_before is not None
    assert not frame.image()[110:190, 310:390].any() and not frame.load_before()[110:190, 310:390].any()


@pytest.mark.parametrize(
    ("options", "code"),
    [({"transform": Affine(0.5, 0, 500_000, 0, -0.5, 3e6)}, "no_overlap"), ({"crs": None}, "no_crs")],
)
def test_a_pair_that_cannot_be_compared_is_told_and_looked_at_singly(
    options: dict[str, Any], code: str, tmp_path: Path
) -> None:
    out = pair(tmp_path, bands(), bands(), **options)
    frames = [one for one in out if isinstance(one, Frame)]
    assert len(frames) == 2 and all(frame.load_before is None for frame in frames)
    (skip,) = (one for one in out if isinstance(one, Skip))
    assert skip.code == code and skip.path in skip.reason
