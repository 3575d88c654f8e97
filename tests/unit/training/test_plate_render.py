"""Rendered plates: every kind, the same from the same seed, characters where they are said to be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from huoyan.perception import plate_grammar as grammar
from huoyan.perception.plate_shape import INPUT_HEIGHT, INPUT_WIDTH, to_input
from training import plate_data, plate_render, plate_scenes, plate_splice


@pytest.fixture(scope="module")
def press(shared_data: Path) -> plate_render.Press:
    return plate_render.Press(shared_data / "plates" / "templates")


@pytest.mark.parametrize("kind", grammar.NAMES)
def test_every_kind_is_drawn_as_the_grammar_allows(press: plate_render.Press, kind: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        plate = press.plate(kind, rng)
        assert grammar.matches(plate.text, kind)
        count = len(plate.text)
        assert np.isfinite(plate.centres[:count]).all() and np.isnan(plate.centres[count:]).all()
        assert ((plate.centres[:count] > 0) & (plate.centres[:count] < 1)).all()
        wide = plate.image.shape[1] / plate.image.shape[0]
        assert wide == pytest.approx(2.0 if plate.image.shape[0] > 100 else 3.2, abs=0.25)


def test_the_same_seed_gives_the_same_pictures(press: plate_render.Press) -> None:
    def drawn(seed: int) -> list[bytes]:
        rng = np.random.default_rng(seed)
        pictures = []
        for kind in grammar.NAMES:
            cut = plate_render.crop(press.plate(kind, rng), rng)
            pictures.append(plate_render.weather(cut.image, rng).tobytes())
        return pictures

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


def test_characters_are_where_they_are_said_to_be(press: plate_render.Press) -> None:
    """Two plates that differ in one character differ round its centre only, in the plate and in the cut."""
    for slot, (one, other) in enumerate(
        (("浙A12345", "苏A12345"), ("浙A12345", "浙K12345"), ("浙A12345", "浙A82345"))
    ):
        cuts = []
        for text in (one, other):
            rng = np.random.default_rng(3)
            cuts.append(plate_render.crop(press.plate("yellow_double", rng, text), rng))
        change = np.abs(cuts[0].image.astype(int) - cuts[1].image).max(axis=2)
        rows, columns = np.nonzero(change > 0.5 * change.max())
        height, width = change.shape
        found = (columns.mean() / width, rows.mean() / height)
        assert found == pytest.approx(tuple(cuts[0].centres[slot]), abs=0.07)


def test_provinces_are_balanced(press: plate_render.Press) -> None:
    rng = np.random.default_rng(0)
    seen = Counter(press.text("yellow_double", rng)[0] for _ in range(3100))
    assert set(seen) == set(grammar.PROVINCES)
    assert min(seen.values()) > 60 and max(seen.values()) < 140


def test_weather_gets_worse_with_its_strength(press: plate_render.Press) -> None:
    rng = np.random.default_rng(2)
    image = press.plate("blue", rng).image
    errors = {
        strength: np.mean(
            [
                np.abs(plate_render.weather(image, rng, strength, enlarge=False).astype(int) - image).mean()
                for _ in range(40)
            ]
        )
        for strength in (0.1, 1.0)
    }
    assert errors[1.0] > 1.5 * errors[0.1]


def test_one_plate_is_on_one_side() -> None:
    texts = [f"浙A{number:05d}" for number in range(4000)]
    held = [text for text in texts if plate_data.is_held_back(text, 8)]
    assert len(held) == pytest.approx(500, abs=90)
    assert held == [text for text in texts if plate_data.is_held_back(text, 8)]


def write_set(folder: Path, texts: list[str]) -> Path:
    (folder / "crops").mkdir(parents=True)
    lines = ["file,text,colour,type"]
    for number, text in enumerate(texts):
        cv2.imwrite(str(folder / "crops" / f"own_{number}.png"), np.full((20, 60, 3), 90, np.uint8))
        lines.append(f"own_{number}.png,{text},blue,blue")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_further_crops_teach_and_never_judge(tmp_path: Path) -> None:
    texts = [f"浙A{number:05d}" for number in range(40)]
    write_set(tmp_path / "own", texts[:20])
    more = write_set(tmp_path / "more", texts[10:])
    config = {"crops": ["own"], "held_back_one_in": {"default": 3}}
    alone, together = plate_data.collect(config, tmp_path), plate_data.collect(config, tmp_path, [more])
    judging = {crop.text for crop in alone if crop.held_back}
    assert 0 < len(judging) < 20
    assert [c.text for c in together if c.held_back] == [c.text for c in alone if c.held_back]
    added = together[len(alone) :]
    assert {c.text for c in added} == set(texts[10:]) - judging
    assert not any(c.held_back for c in added)


def test_a_tilted_crop_still_shows_the_whole_row() -> None:
    """A row of spots across a crop: all are still there, now along a slope."""
    image = np.full((24, 94, 3), 40, np.uint8)
    for x in range(10, 90, 12):
        cv2.circle(image, (x, 12), 3, (255, 255, 255), -1)
    rng = np.random.default_rng(0)
    slopes = []
    for _ in range(40):
        tilted = plate_data._tilted(image, rng)
        assert tilted.shape[1] == 94 and 16 <= tilted.shape[0] <= 60
        # The tone round it may be bright: spots are what is small.
        count, _, stats, centres = cv2.connectedComponentsWithStats(
            (tilted.min(axis=2) > 200).astype(np.uint8)
        )
        spots = [c for c, s in zip(centres[1:count], stats[1:count], strict=True) if s[4] < 60]
        if len(spots) < 7:
            continue
        slopes.append(np.polyfit([c[0] for c in spots], [c[1] for c in spots], 1)[0])
    assert len(slopes) >= 25
    assert min(slopes) < -0.05 and max(slopes) > 0.05


def test_a_label_that_is_no_plate_is_named(tmp_path: Path) -> None:
    (tmp_path / "own" / "crops").mkdir(parents=True)
    (tmp_path / "own" / "labels.csv").write_text(
        "file,text,colour,type\na.png,XYZ,blue,blue\n", encoding="utf-8"
    )
    config = {"crops": ["own"], "held_back_one_in": {"default": 8}}
    with pytest.raises(ValueError, match=r"labels\.csv:2: no blue plate reads 'XYZ'"):
        plate_data.collect(config, tmp_path)


def test_corners_stay_on_the_plate_through_cuts() -> None:
    """A yellow quadrilateral in a picture: each view's corners enclose what is yellow in it."""
    image = np.full((400, 600, 3), 60, np.uint8)
    quad = np.array([[300, 200], [400, 220], [396, 260], [298, 238]], np.float32)
    cv2.fillPoly(image, [quad.astype(np.int32)], (255, 200, 0))
    scene = plate_scenes.Scene("a", image, quad[None], ("浙A12345",), ("yellow_single",), True)
    views = plate_scenes.views(scene, 224)
    assert len(views) == 2
    for view in views:
        assert len(view.quads) == 1
        mask = np.zeros((224, 224), np.uint8)
        cv2.fillPoly(mask, [np.round(view.quads[0]).astype(np.int32)], 1)
        yellow = (view.image[..., 0] > 160).astype(np.uint8)
        assert (mask & yellow).sum() / (mask | yellow).sum() > 0.85


def placed(press: plate_render.Press, text: str, seed: int, kind: str = "blue") -> plate_splice.Placed:
    plate = press.plate(kind, np.random.default_rng(seed), text)
    centres = plate.centres[: len(text)] * (INPUT_WIDTH, INPUT_HEIGHT)
    return plate_splice.Placed("one", kind, to_input(plate.image), text, centres.astype(np.float32))


def test_spliced_characters_are_those_of_the_new_text(press: plate_render.Press) -> None:
    """Where the text changed the crop looks like a plate of the new character, elsewhere it is untouched."""
    crops = [placed(press, f"{'浙苏'[n % 2]}A{n:02d}{'TQWZ'[n % 4]}{'8B'[n % 2]}1", 0) for n in range(24)]
    splicer = plate_splice.Splicer(crops)
    rng = np.random.default_rng(0)
    likeness = []
    for crop in crops:
        assert splicer.takes(crop)
        image, text = splicer.splice(crop, rng)
        assert image.shape == crop.image.shape and grammar.matches(text, "blue")
        wanted = placed(press, text, 0).image
        for slot, (old, new) in enumerate(zip(crop.text, text, strict=True)):
            x = int(crop.centres[slot][0])
            now, then, should = (
                picture[8:40, x - 7 : x + 8].astype(float).ravel() for picture in (image, crop.image, wanted)
            )
            if old != new:
                likeness.append((np.corrcoef(now, should)[0, 1], np.corrcoef(now, then)[0, 1]))
    new, old = np.array(likeness).T
    assert len(new) > 40
    assert np.median(new) > 0.85
    assert (new > old).mean() > 0.95


def test_a_green_plates_letters_and_digits_keep_their_places(press: plate_render.Press) -> None:
    crops = [placed(press, f"浙A{'DF'[n % 2]}{'0U'[n % 3 == 0]}{n:04d}", n, "green_small") for n in range(12)]
    splicer = plate_splice.Splicer(crops)
    rng = np.random.default_rng(0)
    texts = [splicer.splice(crop, rng)[1] for crop in crops * 10 if splicer.takes(crop)]
    assert len(texts) == 120 and all(grammar.matches(text, "green_small") for text in texts)
    assert len({text[2] for text in texts}) == 2 and len({text[3] for text in texts}) > 5
    assert len({text[-1] for text in texts}) == 10


def test_only_crops_whose_characters_stand_in_a_row_are_spliced(press: plate_render.Press) -> None:
    crops = [placed(press, f"浙A{n:05d}", n) for n in range(24)]
    lost = plate_splice.Placed("one", "blue", crops[0].image, crops[0].text, crops[0].centres[::-1].copy())
    alone = plate_splice.Placed("other", "blue", crops[0].image, crops[0].text, crops[0].centres)
    splicer = plate_splice.Splicer([*crops, lost, alone])
    assert splicer.takes(crops[1]) and not splicer.takes(lost) and not splicer.takes(alone)
