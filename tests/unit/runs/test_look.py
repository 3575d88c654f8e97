from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from huoyan.errors import UnreadableFile
from huoyan.perception import tiling
from huoyan.records import (
    Caption,
    Detection,
    Frame,
    FrameRef,
    Image,
    Kind,
    Observations,
    Placement,
    RasterGrid,
    Skip,
    Unplaced,
)
from huoyan.runs import look
from huoyan.runs.look import Eyes, LookSettings

from ...support.county import GREEN, RED, Thing, picture

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
RED_BOX, GREEN_BOX = (40, 120, 100, 200), (180, 120, 240, 200)
Make = Callable[..., Path]


def given(image: Image) -> Image:
    return image


def broken() -> Image:
    raise UnreadableFile("is cut", subject="a.jpg", code="truncated")


def frame(
    *things: Thing,
    kind: Kind = "camera",
    size: tuple[int, int] = (320, 240),
    captions: tuple[Caption, ...] = (),
    number: int = 0,
) -> Frame:
    ref = FrameRef(f"f{number}", "cam-1", kind, NOON + timedelta(seconds=number), "exif", size, "a.jpg")
    return Frame(ref, partial(given, picture(things, size=size)), captions=captions)


@pytest.fixture
def eyes(colours: Make, difference: Make) -> Eyes:
    detector = colours()
    difference()
    return Eyes(
        LookSettings(("colours",), "difference", frozenset({"red", "green"}), models_folder=detector.parent)
    )


def seen(eyes: Eyes, one: Frame) -> Observations:
    result = eyes.look(one)
    assert isinstance(result, Observations)
    return result


def test_what_is_seen_is_placed_or_says_why_not(eyes: Eyes) -> None:
    result = seen(eyes, frame((RED, RED_BOX)))
    (item,) = result.items
    assert item.detection.label == "red"
    assert item.detection.box == pytest.approx(RED_BOX, abs=2)
    assert item.place == Unplaced("no calibration")
    assert set(result.seconds) == {"decode", "infer", "rest"}
    assert result.night is False


def test_a_caption_hangs_on_what_it_overlaps(eyes: Eyes) -> None:
    on_it = Caption("red", (42, 118, 104, 205), "浙A12345", {"plate_colour": "yellow"})
    result = seen(eyes, frame((RED, RED_BOX), (GREEN, GREEN_BOX), captions=(on_it,)))
    by_label = {item.detection.label: item.detection for item in result.items}
    assert set(by_label) == {"red", "green"}
    assert by_label["red"].text == "浙A12345"
    assert by_label["red"].attributes["plate_colour"] == "yellow"
    assert by_label["red"].attributes["text_from"] == "caption"
    assert by_label["red"].score < 1
    assert by_label["green"].text == ""


@pytest.mark.parametrize(
    ("label", "box"),
    [("red", (200, 10, 250, 60)), ("red", (90, 190, 150, 230)), ("green", RED_BOX), ("dump_truck", RED_BOX)],
)
def test_a_caption_without_a_match_stands_alone(
    eyes: Eyes, label: str, box: tuple[float, float, float, float]
) -> None:
    result = seen(eyes, frame((RED, RED_BOX), captions=(Caption(label, box, "浙A12345"),)))
    assert len(result.items) == 2
    alone = result.items[1].detection
    assert (alone.label, alone.box, alone.text, alone.score) == (label, box, "浙A12345", 1.0)


def test_a_caption_goes_to_the_best_overlap(eyes: Eyes) -> None:
    found = [Detection("car", 0.9, (0, 0, 100, 100)), Detection("car", 0.9, (10, 10, 110, 110))]
    one = frame(captions=(Caption("car", (9, 9, 109, 109), "浙A1"),))
    assert [d.text for d in look._with_captions(found, one)] == ["", "浙A1"]


@pytest.mark.parametrize(
    ("kind", "size", "setting", "tile"),
    [
        ("camera", (1199, 900), 0, 0),
        ("camera", (1280, 720), 0, 832),
        ("drone", (800, 600), 0, 0),
        ("drone", (4000, 3000), 0, 832),
        ("camera", (1920, 1080), 640, 640),
        ("camera", (600, 400), 640, 0),
    ],
)
def test_tiles_by_kind_and_size(
    eyes: Eyes, kind: Kind, size: tuple[int, int], setting: int, tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def tiled(_detector: object, _image: Image, side: int, overlap: float, **_: object) -> list[Detection]:
        asked.append(side)
        assert 0 < overlap < 1
        return []

    monkeypatch.setattr(tiling, "detect_tiled", tiled)
    monkeypatch.setattr(eyes, "settings", LookSettings((), None, frozenset(), tile=setting))
    seen(eyes, frame(kind=kind, size=size))
    assert asked == ([tile] if tile else [])


def test_a_damaged_picture_is_a_skip(eyes: Eyes) -> None:
    one = frame()
    result = eyes.look(Frame(one.ref, broken))
    assert result == Skip("cam-1", "a.jpg", "truncated", "a.jpg: is cut")


def test_uncertain_things_are_kept_only_for_explanations(colours: Make) -> None:
    folder = colours(second_look={"low": 0.1}).parent
    faint: Thing = ((150, 70, 70), RED_BOX)
    for keep in (False, True):
        settings = LookSettings(
            ("colours",), None, frozenset({"red"}), models_folder=folder, keep_uncertain=keep
        )
        items = seen(Eyes(settings), frame(faint)).items
        assert [item.detection.attributes.get("uncertain") for item in items] == ([True] if keep else [])


def test_changes_of_a_pair(eyes: Eyes) -> None:
    grid = RasterGrid((0.5, 0, 296000, 0, -0.5, 3265000), "EPSG:32651", (320, 240), 5.0, 0.5)
    one = frame(((255, 255, 255), (100, 100, 160, 160)), kind="satellite")
    before = picture([((5, 5, 5), (100, 100, 160, 160))])
    pair = Frame(one.ref, one.load, partial(given, before), ground=grid)
    items = seen(eyes, pair).items
    assert [item.detection.label for item in items] == ["change"]
    place = items[0].place
    assert isinstance(place, Placement)
    assert len(place.outline) >= 4
    # Without an earlier date there is nothing to compare.
    assert seen(eyes, Frame(one.ref, one.load, ground=grid)).items == ()


def test_of_windows_that_share_a_change_one_reports_it(eyes: Eyes) -> None:
    one = frame(((255, 255, 255), (100, 100, 160, 160)), kind="satellite")
    before = picture([((5, 5, 5), (100, 100, 160, 160))])
    for core, count in (((0, 0, 130, 240), 0), ((130, 0, 320, 240), 1), ((0, 0, 320, 131), 1), (None, 1)):
        pair = Frame(one.ref, one.load, partial(given, before), core=core)
        assert len(seen(eyes, pair).items) == count


def test_a_video_is_tracked_and_stills_are_not(eyes: Eyes) -> None:
    class Unit:
        def __init__(self, sequence: str | None) -> None:
            self.sequence = sequence

        def frames(self, skip: frozenset[str] = frozenset()) -> list[Frame]:
            stills = [frame((RED, (40 + 4 * i, 120, 100 + 4 * i, 200)), number=i) for i in range(4)]
            return [Frame(one.ref, one.load, sequence=self.sequence) for one in stills]

    def tracks(sequence: str | None) -> set[int | None]:
        results = list(look.look_unit(eyes, Unit(sequence)))  # type: ignore[arg-type]
        return {
            item.detection.track_id for one in results if isinstance(one, Observations) for item in one.items
        }

    assert tracks(None) == {None}
    assert len(tracks("video") - {None}) == 1


def test_settings_travel_to_workers() -> None:
    settings = LookSettings(("a",), None, frozenset({"red"}), grounds={"cam-1": Unplaced("x")})
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert np.asarray(pickle.loads(pickle.dumps(frame((RED, RED_BOX)))).image()).shape == (240, 320, 3)
