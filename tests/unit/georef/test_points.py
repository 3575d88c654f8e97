from __future__ import annotations

from pathlib import Path

import pytest

from huoyan import georef
from huoyan.errors import ConfigError
from huoyan.georef import points

HEAD = "name,px_x,px_y,lon,lat,use\n"
GOOD = [f"p{i},{100 + i},{200 + i * i},120.90{i},29.49{i},fit\n" for i in range(5)]


def write(folder: Path, text: str) -> Path:
    path = folder / "相机 01.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_points_are_read_with_their_rows(tmp_path: Path) -> None:
    found = points.read(
        write(tmp_path, "\ufeff" + HEAD + "".join(GOOD) + "\np9,1,2,120.9,29.5,check\nx,3,4,1,1,ignore\n")
    )
    assert [p.row for p in found] == [2, 3, 4, 5, 6, 8]
    assert found[0].pixel == (100.0, 200.0)
    assert found[0].ground == (120.900, 29.490)
    assert [p.use for p in found].count("check") == 1


def test_names_and_use_are_optional_and_metres_do(tmp_path: Path) -> None:
    found = points.read(write(tmp_path, "PX_X, px_y ,east_m,north_m\n1,2,0,0\n3,4,1,0\n5,6,1,1\n7,9,0,1\n"))
    assert found[2].name == "row 4"
    assert all(p.use == "fit" and not p.degrees for p in found)
    assert points.middle(found) is None


def test_the_middle_of_points_across_longitude_180(tmp_path: Path) -> None:
    rows = "".join(
        f"{i},{i * i},{lon},10.0\n" for i, lon in enumerate((179.9999, -179.9999, 179.9999, -179.9999))
    )
    middle = points.middle(points.read(write(tmp_path, "px_x,px_y,lon,lat\n" + rows)))
    assert middle is not None
    assert georef.distance_m(middle, (180.0, 10.0)) < 0.1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("p,abc,2,120.9,29.4,fit", "7: px_x: expected a number, got 'abc'"),
        ("p,1,,120.9,29.4,fit", "7: px_y: expected a number, got ''"),
        ("p,1,nan,120.9,29.4,fit", "7: px_y: expected a finite number"),
        ("p,1", "7: px_y: expected a number"),
        ("p,1,2,29.4,120.9,fit", "7: lat: expected -90 to 90, got 120.9; lon and lat seem to be swapped"),
        ("p,1,2,220.9,29.4,fit", "7: lon: expected -180 to 180"),
        ("p,1,2,120.9,29.4,maybe", "7: use: expected fit, check or ignore, got 'maybe'"),
        ("p,100,200,120.9,29.4,fit", "7: px_x, px_y: the same pixel as in row 2"),
    ],
)
def test_a_mistake_names_file_row_and_column(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path, HEAD + "".join(GOOD) + row + "\n")
    with pytest.raises(ConfigError) as caught:
        points.read(path)
    assert f"{path}:{message}" in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "a,x,1,1,1,fit\nb,1,y,1,1,fit\n")
    with pytest.raises(ConfigError) as caught:
        points.read(path)
    assert f"{path}:2: " in str(caught.value)
    assert f"{path}:3: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("px_x,lon,lat\n", "missing column px_y"),
        ("px_x,px_y,east_m\n", "missing column lon, lat or east_m, north_m"),
        ("px_x,px_y,lon,lat,east_m,north_m\n", "both lon, lat and east_m, north_m"),
        (HEAD + "".join(GOOD[:3]), "expected at least 4 points with use = fit, got 3"),
        ('a,"b\n', "not a CSV file"),
    ],
)
def test_files_that_cannot_serve(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        points.read(write(tmp_path, text))
    assert message in str(caught.value)


def test_a_missing_file_and_a_binary_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.csv.*cannot be read"):
        points.read(tmp_path / "gone.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ConfigError, match=r"binary\.csv.*cannot be read"):
        points.read(tmp_path / "binary.csv")
