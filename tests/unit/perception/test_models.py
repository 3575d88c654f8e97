from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from huoyan.cli.models import app
from huoyan.errors import ModelError
from huoyan.perception import cards, models, onnx

Factory = Callable[..., Path]


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"task": "segment"}, "task"),
        ({"classes": None}, "needs its classes"),
        ({"classes": ["red", "red"]}, "named twice: red"),
        ({"thresholds": {"default": 1.5}}, "thresholds.default"),
        ({"thresholds": {"rde": 0.5, "default": 0.5}}, "rde"),
        ({"thresholds": {"red": 0.5}}, "default"),
        ({"thresholds": None}, "thresholds: missing"),
        ({"sha256": "abc"}, "sha256"),
        ({"licence": None}, "licence: missing"),
        ({"input": {"long_side": 500}}, "input.long_side"),
        ({"input": {"gsd_m": [3, 1]}}, "fine to coarse"),
        ({"nms": 0.5}, "nms: unknown key"),
        ({"second_look": {"low": 0.1, "zoom": 0.5}}, "second_look.zoom"),
        ({"name": "A name"}, "name"),
        ({"points": [{"gsd_m": 2, "threshold": 0.5}]}, "points belong to a change model"),
    ],
)
def test_mistakes_in_a_card_are_named(colours: Factory, changes: dict[str, Any], mistake: str) -> None:
    path = colours(**changes)
    with pytest.raises(ModelError, match=mistake.replace(".", r"\.")) as caught:
        models.load(path)
    assert caught.value.subject == str(cards.card_path(path))


@pytest.mark.parametrize(
    ("points", "mistake"),
    [
        ([{"gsd_m": 2, "threshold": 0.5, "peak": 0.4}], "points.0: peak 0.4 lies below threshold 0.5"),
        ([{"gsd_m": 2, "threshold": 0.5}, {"gsd_m": 1, "threshold": 0.5}], "rising gsd_m"),
        ([{"gsd_m": 2, "threshold": 0.5}, {"gsd_m": 2, "threshold": 0.6}], "rising gsd_m"),
        ([{"gsd_m": 0, "threshold": 0.5}], "points.0.gsd_m"),
        ([{"gsd_m": 2}], "points.0.threshold: missing"),
        ([{"gsd_m": 2, "threshold": 1.5}], "points.0.threshold"),
        ([{"gsd_m": 2, "threshold": 0.5, "label": "x"}], "points.0.label: unknown key"),
    ],
)
def test_mistakes_in_working_points(difference: Factory, points: list[dict[str, Any]], mistake: str) -> None:
    with pytest.raises(ModelError, match=mistake.replace(".", r"\.")):
        models.load(difference(points=points))


def test_a_change_model_may_guess_the_pixel_size(difference: Factory) -> None:
    assert models.verify(difference("guessing")).problems == ()


def test_all_mistakes_at_once(colours: Factory) -> None:
    with pytest.raises(ModelError) as caught:
        models.load(colours(nms_iou=2, sha256="x", licence=None))
    assert all(key in caught.value.message for key in ("nms_iou", "sha256", "licence"))


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "cannot be read"), ("just words", "expected a card"), (None, "missing")]
)
def test_cards_that_are_none(colours: Factory, text: str | None, message: str) -> None:
    path = colours()
    card = cards.card_path(path)
    if text is None:
        card.unlink()
    else:
        card.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        models.load(path)


def test_a_bare_date_is_fine(colours: Factory) -> None:
    path = colours()
    with cards.card_path(path).open("a", encoding="utf-8") as file:
        file.write("date: 2026-01-31\n")
    assert models.load(path).card.date == "2026-01-31"


def test_names_and_paths(colours: Factory) -> None:
    path = colours("site-n")
    assert models.load("site-n", path.parent).path == path
    assert models.load(str(path)).name == models.load(path).name == "site-n"
    with pytest.raises(ModelError, match="did you mean site-n"):
        models.load("site-m", path.parent)
    with pytest.raises(ModelError, match="no such model file"):
        models.load(path.with_name("other.onnx"))


def test_a_file_that_is_not_its_cards(colours: Factory) -> None:
    path = colours(sha256="0" * 64)
    with pytest.raises(ModelError, match="not the one its card describes"):
        models.open_session(models.load(path))


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_damaged_files(colours: Factory, content: bytes | None) -> None:
    path = colours()
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    with pytest.raises(ModelError) as caught:
        onnx.session(path)
    assert caught.value.code == "damaged"
    assert pickle.loads(pickle.dumps(caught.value)).subject == str(path)


def test_missing_files_and_providers(tmp_path: Path, colours: Factory) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        onnx.session(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="CPUExecutionProvider"):
        onnx.session(colours(), providers=["NoSuchProvider"])


def test_a_run_that_fails_says_on_what(colours: Factory) -> None:
    session = onnx.session(colours())
    with pytest.raises(ModelError, match=r"float32\[1, 8, 8, 3\]"):
        session.run({"images": np.zeros((1, 8, 8, 3), np.float32)})
    with pytest.raises(ModelError):
        session.run({"pictures": np.zeros((1, 8, 8, 3), np.uint8)})


def test_a_session_knows_itself(colours: Factory) -> None:
    session = onnx.session(colours())
    assert [str(tensor) for tensor in session.inputs] == ["images uint8 [?,?,?,3]"]
    assert session.outputs[0].name == "predictions"
    assert session.providers == ("CPUExecutionProvider",)


def test_verify(colours: Factory, difference: Factory) -> None:
    assert models.verify(colours()).problems == ()
    assert models.verify(difference()).problems == ()
    swapped = models.verify(colours("a", name="b"))
    assert swapped.problems == ("the file is called a, its card b",)
    three = models.verify(colours(classes=["red", "green", "blue"]))
    assert "expected [1, n, 7] for 3 classes" in three.problems[0]
    wrong = models.verify(difference(task="detect", classes=["change"]))
    assert "expected images uint8" in wrong.problems[0]


def test_list_names_the_broken_ones_too(colours: Factory) -> None:
    good = colours("good")
    colours("bad", licence=None)
    found = {one.name: one for one in models.list_models(good.parent)}
    assert found["good"].problems == ()
    assert "licence" in found["bad"].problems[0]


def test_commands(colours: Factory) -> None:
    folder = str(colours("good").parent)
    listed = CliRunner().invoke(app, ["list", "--models", folder, "--json"])
    assert [one["name"] for one in json.loads(listed.stdout)] == ["good"]
    verified = CliRunner().invoke(app, ["verify", "--models", folder])
    assert verified.exit_code == 0
    assert "ok" in verified.stdout
    colours("wrong", sha256="0" * 64)
    failed = CliRunner().invoke(app, ["verify", "--models", folder, "--json"])
    assert isinstance(failed.exception, ModelError)
    assert failed.exception.exit_code == 4
    assert [one["ok"] for one in json.loads(failed.stdout)] == [True, False]


def test_the_example_in_the_docs_is_a_card() -> None:
    assert cards.__doc__ is not None
    text = cards.__doc__.split("side by side, ")[1].split("\n\n", 1)[1]
    data = yaml.safe_load(text.replace("<64 hex digits of the ONNX file>", '"' + "0" * 64 + '"'))
    assert cards.Card.model_validate(data).threshold("excavator") == 0.4
