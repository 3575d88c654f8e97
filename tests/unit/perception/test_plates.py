"""Reading crops, finding plates, and the plates of vehicles; the generated models know one text and red boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from huoyan.errors import ModelError
from huoyan.perception import models, plate_grammar, plate_shape
from huoyan.perception.plate_vote import vote
from huoyan.perception.plates import PlateFinder, PlateReader
from huoyan.perception.vehicle_plates import VehiclePlates
from huoyan.records import Detection, Image

from ...support.plates import write_finder, write_reader

TEXT = "浙A12345"


def crop(red: int, height: int = 30, width: int = 90) -> Image:
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = red
    return image


@pytest.fixture
def reader(tmp_path: Path) -> PlateReader:
    return PlateReader(write_reader(tmp_path / "plate-reader.onnx", TEXT, "yellow_double"))


def test_a_sure_plate_is_told(reader: PlateReader) -> None:
    (read,) = reader.read([crop(230)])
    assert (read.text, read.guess, read.kind, read.colour) == (TEXT, TEXT, "yellow_double", "yellow")
    assert read.confidence == pytest.approx(230 / 255, abs=0.01)
    assert read.characters == pytest.approx([230 / 255] * 7, abs=0.01)
    assert read.colour_confidence == pytest.approx(230 / 255, abs=0.01)


def test_an_unsure_plate_is_unreadable_and_not_guessed(reader: PlateReader) -> None:
    (read,) = reader.read([crop(120)])
    assert read.text == ""
    assert read.guess == TEXT
    assert read.confidence < reader.threshold


def test_many_crops_keep_their_order(reader: PlateReader) -> None:
    reds = [250 if number % 3 else 60 for number in range(70)]
    reads = reader.read([crop(red, 20 + number, 60 + 3 * number) for number, red in enumerate(reds)])
    assert [bool(read.text) for read in reads] == [red == 250 for red in reds]
    assert reader.read([]) == []


def test_evidence_is_what_a_read_decides_on(reader: PlateReader) -> None:
    crops = [crop(230), crop(120), crop(240)]
    for read, told in zip(reader.read(crops), reader.evidence(crops), strict=True):
        assert (told.guess, told.kind, told.confidence) == (read.guess, read.kind, read.confidence)
        assert told.characters.shape == (plate_grammar.SLOTS, len(plate_grammar.ALPHABET))
        assert told.characters.sum(axis=1) == pytest.approx(np.ones(plate_grammar.SLOTS), abs=1e-3)
        assert told.kinds.shape == (len(plate_grammar.KINDS),)
        assert told.width == 90
    answer = vote(reader.evidence(crops), reader.passage_threshold)
    assert (answer.text, answer.kind, answer.colour, answer.reads) == (TEXT, "yellow_double", "yellow", 3)


def test_the_card_may_ask_more_of_a_vote_or_less(tmp_path: Path) -> None:
    path = write_reader(tmp_path / "plate-reader.onnx", TEXT, "blue", threshold=0.6)
    assert PlateReader(path).passage_threshold == 0.6
    path = write_reader(tmp_path / "plate-reader.onnx", TEXT, "blue", threshold=0.6, passage=0.9)
    assert PlateReader(path).passage_threshold == 0.9
    path = write_reader(tmp_path / "plate-reader.onnx", TEXT, "blue", passage=1.2)
    with pytest.raises(ModelError, match="passage"):
        PlateReader(path)


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float32)]
)
def test_what_is_no_crop(reader: PlateReader, bad: Image) -> None:
    with pytest.raises(ValueError, match="expected a crop"):
        reader.read([bad])


def test_a_model_of_another_task_is_refused(tmp_path: Path) -> None:
    path = write_reader(tmp_path / "plate-reader.onnx", TEXT, "blue")
    with pytest.raises(ModelError, match="plate_corners"):
        PlateFinder(path)


def test_verify_knows_both_contracts(tmp_path: Path) -> None:
    reader = write_reader(tmp_path / "plate-reader.onnx", TEXT, "blue")
    finder = write_finder(tmp_path / "plate-corners.onnx")
    assert models.verify(reader).problems == models.verify(finder).problems == ()
    wrong = write_finder(tmp_path / "wrong.onnx", task="plates")
    assert any("characters" in problem for problem in models.verify(wrong).problems)


@pytest.mark.parametrize("size", [(400, 300), (256, 256), (90, 500)])
def test_corners_come_back_in_pixels_of_the_picture(tmp_path: Path, size: tuple[int, int]) -> None:
    finder = PlateFinder(write_finder(tmp_path / "plate-corners.onnx"))
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[40:60, 30:80, 0] = 255
    (plate,) = finder.find(image)
    scale = max(size) / 256
    assert plate.box == pytest.approx((30, 40, 80, 60), abs=1.5 * max(1, scale))
    assert plate.corners[0] == pytest.approx((30, 40), abs=1.5 * max(1, scale))
    assert finder.find(np.zeros_like(image)) == []


def test_rectified_is_upright() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    corners = np.array([[100, 60], [220, 100], [210, 140], [90, 100]], np.float32)
    cv2.fillPoly(image, [corners.astype(np.int32)], (255, 0, 0))
    cv2.circle(image, (108, 70), 6, (0, 0, 255), -1)
    upright = plate_shape.rectify(image, corners, margin=0.0)
    height, width = upright.shape[:2]
    assert width / height == pytest.approx(126.5 / 41.2, rel=0.05)
    assert (upright[..., 0] > 127).mean() > 0.9
    # The blue spot is at the plate's own top left.
    rows, columns = np.nonzero(upright[..., 2] > 127)
    assert columns.mean() < 0.2 * width and rows.mean() < 0.5 * height


@pytest.fixture
def vehicles(tmp_path: Path) -> VehiclePlates:
    write_reader(tmp_path / "plate-reader.onnx", TEXT, "yellow_double", threshold=0.75)
    write_finder(tmp_path / "plate-corners.onnx")
    return VehiclePlates({"dump_truck"}, folder=tmp_path)


def street(red: int = 250, top: int = 330) -> Image:
    """A grey picture with a red plate 60 x 20 px whose top is at `top`."""
    image = np.full((480, 640, 3), 90, np.uint8)
    image[top : top + 20, 200:260] = (red, 0, 0)
    return image


TRUCK = Detection("dump_truck", 0.8, (100.0, 100.0, 400.0, 380.0), attributes={"model": "site-n"})


def test_a_truck_gets_its_plate(vehicles: VehiclePlates) -> None:
    other = Detection("excavator", 0.7, (450.0, 100.0, 640.0, 300.0))
    first, second = vehicles.on(street(), [TRUCK, other])
    assert first.text == TEXT
    assert first.attributes["plate_box"] == pytest.approx([200, 330, 260, 350], abs=3)
    assert first.attributes["plate_colour"] == "yellow"
    assert first.attributes["text_from"] == "plate-reader"
    assert first.attributes["model"] == "site-n"
    assert len(first.attributes["text_scores"]) == len(TEXT)
    assert first.attributes["text_score"] == pytest.approx(min(first.attributes["text_scores"]))
    assert second is other


def test_an_unreadable_plate_says_only_where_it_hangs(vehicles: VehiclePlates) -> None:
    (seen,) = vehicles.on(street(red=140), [TRUCK])
    assert seen.text == ""
    assert set(seen.attributes) == {"model", "plate_box"}


def test_evidence_of_a_passage_is_collected_frame_by_frame(vehicles: VehiclePlates) -> None:
    """What is unreadable on every single frame is told once the frames agree."""
    excavator = Detection("excavator", 0.7, (450.0, 100.0, 640.0, 300.0))
    collected = []
    for red, top in ((180, 330), (170, 335), (175, 340)):
        (told,) = vehicles.evidence_on(street(red, top), [excavator, TRUCK]).items()
        index, (plate, evidence) = told
        assert index == 1
        assert plate.box == pytest.approx((200, top, 260, top + 20), abs=3)
        assert evidence.guess == TEXT
        assert vehicles.on(street(red, top), [TRUCK])[0].text == ""
        collected.append(evidence)
    assert vote(collected, 0.5).text == TEXT
    assert vehicles.passage_threshold == 0.75


@pytest.mark.parametrize(
    ("label", "box", "top"),
    [
        ("car", TRUCK.box, 330),  # nobody's business
        ("dump_truck", (190.0, 320.0, 280.0, 370.0), 330),  # too far to be read
        ("dump_truck", TRUCK.box, 110),  # lettering on the cab's roof
    ],
)
def test_nothing_is_read_that_need_not_or_cannot(
    vehicles: VehiclePlates, label: str, box: tuple[float, float, float, float], top: int
) -> None:
    detection = Detection(label, 0.8, box)
    assert vehicles.on(street(top=top), [detection]) == [detection]
    assert vehicles.evidence_on(street(top=top), [detection]) == {}


def test_a_box_that_leaves_the_picture(vehicles: VehiclePlates) -> None:
    (seen,) = vehicles.on(street(), [Detection("dump_truck", 0.8, (-50.0, 200.0, 400.0, 700.0))])
    assert seen.text == TEXT
