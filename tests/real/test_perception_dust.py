"""The dust classifier on real pictures: what it was trained on, and what it never saw."""

from __future__ import annotations

import csv
from pathlib import Path

import av
import pytest

from huoyan import evaluate
from huoyan.evaluate import pictures
from huoyan.perception.dust import DustClassifier
from huoyan.perception.veil import veil
from huoyan.records import Image


@pytest.fixture(scope="module")
def classifier() -> DustClassifier:
    return DustClassifier("dust-s")


def labelled(shared_data: Path, folder: Path) -> Path:
    """The pictures with dust, smoke, haze or clear air as a set in the form of `huoyan evaluate dust`."""
    with (shared_data / "air" / "levels.csv").open(encoding="utf-8") as file:
        rows = [(shared_data / "air" / row["file"], row["dust"]) for row in csv.DictReader(file)]
    lines = ["file,dust", *(f"{path},{dust}" for path, dust in rows)]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_on_the_pictures_it_learnt_from(shared_data: Path, tmp_path: Path) -> None:
    """No measure of its worth, which is on its card, but of the way from the file to the figure."""
    result = evaluate.dust(labelled(shared_data, tmp_path))
    assert result["n"] == 255
    assert result["f1"] >= 0.9
    assert result["false_alarm_rate"] <= 0.08


def test_quiet_cameras_stay_quiet(shared_data: Path, classifier: DustClassifier) -> None:
    """Pits, roofs, fog, far smoke, motorways: none of these frames was trained on, none shows dust."""
    stills = sorted((shared_data / "video" / "series").glob("*/*.jpg"))
    looks = {f"{path.parent.name}/{path.name}": classifier.look(pictures.read(path)) for path in stills}
    for path in sorted((shared_data / "video" / "clips").glob("*.mp4")):
        for number, image in enumerate(frames(path, 4.0)):
            looks[f"{path.stem} {number}"] = classifier.look(image)
    assert len(looks) >= 130
    alarms = [f"{name}: {air.dust:.2f}" for name, air in looks.items() if air.dusty]
    assert len(alarms) <= 0.05 * len(looks), "\n".join(alarms)


def test_the_same_picture_gives_the_same_answer(shared_data: Path, classifier: DustClassifier) -> None:
    image = pictures.read(shared_data / "air" / "train" / "images" / "urde_048.jpg")
    one, other = classifier.look(image), DustClassifier("dust-s").look(image)
    assert (one.dust, one.smoke, one.haze) == (other.dust, other.smoke, other.haze)
    assert (one.cells == other.cells).all()


def test_cells_tell_where_the_plume_is(shared_data: Path, classifier: DustClassifier) -> None:
    """The strongest cell lies in the box of the only plume, in most pictures with one."""
    folder = shared_data / "air" / "train"
    hits = []
    for path in sorted((folder / "images").glob("urde*.jpg")):
        boxes = [line.split() for line in (folder / "labels" / f"{path.stem}.txt").read_text().splitlines()]
        if len(boxes) != 1 or boxes[0][0] != "0" or float(boxes[0][3]) * float(boxes[0][4]) > 0.35:
            continue
        cx, cy, w, h = map(float, boxes[0][1:])
        cells = classifier.look(pictures.read(path)).cells[classifier.classes.index("dust")]
        row, column = divmod(int(cells.argmax()), cells.shape[1])
        x, y = (column + 0.5) / cells.shape[1], (row + 0.5) / cells.shape[0]
        hits.append(abs(x - cx) <= w / 2 + 0.05 and abs(y - cy) <= h / 2 + 0.05)
    assert len(hits) >= 20
    assert sum(hits) >= 0.8 * len(hits), f"{sum(hits)} of {len(hits)}"


def test_dust_drifts_and_traffic_does_not(shared_data: Path) -> None:
    folder = shared_data / "air" / "train" / "images"
    # One tripod view, dust of passing vehicles in five of eight frames.
    road = [pictures.read(folder / f"urde_{number:03d}.jpg") for number in range(1, 9)]
    assert veil(road).drift > 0.4
    clips = sorted((shared_data / "video" / "clips").glob("*.mp4"))
    drifts = {path.stem: veil(found).drift for path in clips if len(found := frames(path, 1.0)) >= 3}
    assert len(drifts) >= 14
    assert max(drifts.values()) < 0.07, drifts


def frames(path: Path, seconds: float, most: int = 24) -> list[Image]:
    """Frames of a clip, one every so many seconds."""
    found: list[Image] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if float((frame.pts or 0) * frame.time_base) >= seconds * len(found):
                found.append(frame.to_ndarray(format="rgb24"))
            if len(found) == most:
                break
    return found
