from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from huoyan import config, georef
from huoyan.config import LoadedConfig
from huoyan.errors import ConfigError, GeoreferenceError
from huoyan.georef import camera, plane, saved
from huoyan.georef.points import ControlPoint
from huoyan.records import GroundPlane, Placement, Unplaced

from .factory import ORIGIN, SIZE, as_csv, control, moved, spread, true_plane


def worst(ground: GroundPlane, seed: int = 9, count: int = 40) -> float:
    """Largest distance between the places of fitted and true plane over the picture."""
    truth = true_plane()
    errors = []
    for x, y in spread(count, seed):
        found, real = (plane.place_point(g, (x, y), SIZE) for g in (ground, truth))
        if isinstance(found, Placement) and isinstance(real, Placement):
            errors.append(georef.distance_m(found, real))
    assert len(errors) > count // 2
    return max(errors)


@pytest.mark.parametrize("count", [5, 6, 9, 15])
def test_exact_points_give_the_exact_plane(count: int) -> None:
    result = camera.fit(control(count), SIZE, ORIGIN)
    assert result.ground.method == "homography"
    assert result.fit_rms_m < 1e-3
    assert worst(result.ground) < 0.05
    assert result.bad == ()


def test_four_points_get_the_camera_model_and_a_warning() -> None:
    result = camera.fit(control(4), SIZE, ORIGIN)
    assert result.ground.method == "camera model"
    assert result.left_out_rms_m is None
    assert any("measure more" in note for note in result.notes)
    # Its priors are not the truth, but near it.
    assert result.fit_rms_m < 0.5


@pytest.mark.parametrize("index", [0, 3, 6])
def test_a_wrong_point_among_seven_is_named_and_left_out(index: int) -> None:
    points = moved(control(7, pixel_noise=1.0, ground_noise=0.1), index, (250.0, 150.0))
    result = camera.fit(points, SIZE, ORIGIN)
    assert [r.point.name for r in result.bad] == [f"p{index}"]
    assert any(f"p{index} (row {index + 2})" in note for note in result.notes)
    assert (
        worst(result.ground)
        < worst(camera.fit([p for p in points if p.name != f"p{index}"], SIZE, ORIGIN).ground) + 1
    )


def test_three_wrong_points_among_fourteen_are_named() -> None:
    points = control(14, pixel_noise=1.0, ground_noise=0.1)
    for index, by in ((2, (250.0, 40.0)), (7, (-180.0, 190.0)), (11, (160.0, 210.0))):
        points = moved(points, index, by)
    result = camera.fit(points, SIZE, ORIGIN)
    assert {r.point.name for r in result.bad} == {"p2", "p7", "p11"}


@pytest.mark.parametrize("seed", range(6))
def test_noisy_but_honest_points_are_never_named(seed: int) -> None:
    result = camera.fit(control(8, seed=seed, pixel_noise=3.0, ground_noise=1.0), SIZE, ORIGIN)
    assert result.bad == ()


def test_a_bent_lens_is_found_where_the_points_suffice() -> None:
    result = camera.fit(control(16, k1=-0.25, pixel_noise=0.3, ground_noise=0.02), SIZE, ORIGIN)
    assert result.ground.method == "camera model with lens"
    assert result.ground.distortion[0] == pytest.approx(-0.25, abs=0.08)
    errors = dict(result.tried)
    assert errors["camera model with lens"] < 0.5 * errors["homography"]
    assert georef.project(result.ground, *ORIGIN) is None or worst(result.ground) < 100


def test_stated_error_holds_about_two_thirds() -> None:
    inside = total = 0
    for seed in range(12):
        result = camera.fit(control(9, seed=seed, pixel_noise=2.0, ground_noise=0.5, checks=4), SIZE, ORIGIN)
        for one in result.points:
            place = plane.place_point(result.ground, one.point.pixel, SIZE)
            if one.point.use == "check" and isinstance(place, Placement):
                inside += one.residual_m <= place.error_m
                total += 1
    assert total > 30
    assert 0.5 < inside / total < 0.95


def test_check_points_do_not_move_the_fit() -> None:
    points = control(8, pixel_noise=1.0, ground_noise=0.2, checks=2)
    shifted = moved(points, 7, (3.0, -2.0))
    one, other = (camera.fit(p, SIZE, ORIGIN) for p in (points, shifted))
    assert one.ground == other.ground
    assert one.check_rms_m != other.check_rms_m


def test_points_on_a_line_are_refused() -> None:
    points = [replace(p, pixel=(200.0 + 40 * i, 300.0 + 20 * i)) for i, p in enumerate(control(6))]
    with pytest.raises(GeoreferenceError, match="line") as caught:
        camera.fit(points, SIZE, ORIGIN)
    assert caught.value.code == "on_a_line"


def test_a_wrong_size_of_picture_is_noticed() -> None:
    with pytest.raises(GeoreferenceError, match="far outside the picture of 320 x 180"):
        camera.fit(control(6), (320, 180), ORIGIN)


def test_too_few_points_are_refused() -> None:
    with pytest.raises(GeoreferenceError, match="3 usable points are left of 3"):
        camera.fit(control(3), SIZE, ORIGIN)


def test_swapped_columns_are_noticed() -> None:
    points = [replace(p, ground=(p.ground[1], p.ground[0])) for p in control(6, metres=True)]
    result = camera.fit(points, SIZE, ORIGIN)
    assert any("mirrored" in note for note in result.notes)


def folder(path: Path, points: list[ControlPoint]) -> LoadedConfig:
    (path / "cam.points.csv").write_text(as_csv(points), encoding="utf-8")
    return LoadedConfig(config.Config(), path, None, "")


def test_a_camera_is_loaded_from_its_points(tmp_path: Path) -> None:
    loaded = folder(tmp_path, control(7))
    one = config.Camera(id="cam", calibration=Path("cam.points.csv"), position=ORIGIN)
    ground = camera.load(one, loaded, SIZE)
    assert isinstance(ground, GroundPlane)
    assert worst(ground) < 0.05


def test_points_in_metres_count_from_the_position(tmp_path: Path) -> None:
    loaded = folder(tmp_path, control(7, metres=True))
    one = config.Camera(id="cam", calibration=Path("cam.points.csv"), position=ORIGIN)
    ground = camera.load(one, loaded, SIZE)
    assert isinstance(ground, GroundPlane)
    assert worst(ground) < 0.05
    with pytest.raises(ConfigError, match=r"cam\.points\.csv.*no place on the map"):
        camera.load(one.model_copy(update={"position": None}), loaded, SIZE)


def test_a_saved_calibration_is_the_same(tmp_path: Path) -> None:
    ground = camera.fit(control(9, k1=-0.2), SIZE, ORIGIN).ground
    saved.save(ground, tmp_path / "cam.yaml")
    one = config.Camera(id="cam", calibration=Path("cam.yaml"))
    assert camera.load(one, LoadedConfig(config.Config(), tmp_path, None, ""), SIZE) == ground


def test_a_saved_calibration_without_origin_takes_the_position(tmp_path: Path) -> None:
    ground = camera.fit(control(6, metres=True), SIZE).ground
    saved.save(ground, tmp_path / "cam.yaml", placed=False)
    assert saved.load(tmp_path / "cam.yaml", ORIGIN).origin == ORIGIN
    with pytest.raises(ConfigError, match="no place on the map"):
        saved.load(tmp_path / "cam.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "not valid YAML"),
        ("huoyan_calibration: 1", "method: Field required"),
        ("just text", "(top)"),
        (None, "cannot be read"),
    ],
)
def test_a_broken_calibration_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "cam.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        saved.load(path)
    assert "cam.yaml" in str(caught.value)
    assert message in str(caught.value)


def test_numbers_of_the_wrong_count_are_named(tmp_path: Path) -> None:
    ground = replace(true_plane(), covariance=(1.0, 2.0))
    saved.save(ground, tmp_path / "cam.yaml")
    with pytest.raises(ConfigError, match="covariance: expected 81 numbers, got 2"):
        saved.load(tmp_path / "cam.yaml")


def test_points_that_cannot_be_solved_are_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    points = [replace(p, pixel=(200.0 + 40 * i, 300.0 + 20 * i)) for i, p in enumerate(control(6))]
    one = config.Camera(id="cam", calibration=Path("cam.points.csv"), position=ORIGIN)
    with pytest.raises(ConfigError, match=r"cam\.points\.csv.*line"):
        camera.load(one, folder(tmp_path, points), SIZE)


def test_without_calibration_there_is_none_and_a_pose_needs_a_position(tmp_path: Path) -> None:
    loaded = LoadedConfig(config.Config(), tmp_path, None, "")
    assert camera.load(config.Camera(id="cam"), loaded, SIZE) == Unplaced("no calibration")
    pose = config.Pose(height_m=8.0, yaw_deg=90.0, pitch_deg=-25.0, hfov_deg=70.0)
    posed = camera.load(config.Camera(id="cam", pose=pose, position=ORIGIN), loaded, SIZE)
    assert isinstance(posed, GroundPlane)
    with pytest.raises(ConfigError, match="a pose needs a position"):
        camera.load(config.Camera(id="cam", pose=pose), loaded, SIZE)


def test_points_of_a_larger_picture_serve_smaller_frames(tmp_path: Path) -> None:
    loaded = folder(tmp_path, control(7))
    one = config.Camera(id="cam", calibration=Path("cam.points.csv"), position=ORIGIN, size=SIZE)
    ground = camera.load(one, loaded, (640, 360))
    small, full = (
        georef.place_point(ground, (320, 250), (640, 360)),
        plane.place_point(true_plane(), (640, 500), SIZE),
    )
    assert isinstance(small, Placement) and isinstance(full, Placement)
    assert georef.distance_m(small, full) < 0.05


def test_leave_one_out_is_told_for_every_fit_point() -> None:
    result = camera.fit(control(7, pixel_noise=1.5, ground_noise=0.3, checks=1), SIZE, ORIGIN)
    told = [r.left_out_m for r in result.points if r.point.use == "fit"]
    assert all(value is not None and np.isfinite(value) for value in told)
    assert result.points[-1].left_out_m is None
    assert result.left_out_rms_m is not None and result.left_out_rms_m > result.fit_rms_m
