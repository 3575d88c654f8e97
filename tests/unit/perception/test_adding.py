"""Registering models of one's own, and measuring them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from huoyan.cli.models import app
from huoyan.errors import ModelError, StorageError
from huoyan.perception import adding, cards, models, runtimes
from huoyan.perception.detector import Detector

Factory = Callable[..., Path]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(runtimes, "cache_file", lambda: tmp_path / "cache" / "runtimes.json")
    return tmp_path / "home" / "huoyan" / "models"


def test_what_was_added_is_found_by_name_before_the_shipped(colours: Factory, home: Path) -> None:
    added = adding.add(colours("site-n"))
    assert added.path == home / "site-n.onnx"
    assert Detector("site-n").classes == ("red", "green")
    assert {"site-n", "street-n"} <= {one.name for one in models.list_models()}
    assert models.verify("site-n").path == added.path
    assert not [path for path in home.iterdir() if path.name.startswith(".")]


def test_the_name_is_the_cards(colours: Factory, tmp_path: Path, home: Path) -> None:
    path = colours("first", name="own-n")
    card = tmp_path / "somewhere.yaml"
    cards.card_path(path).rename(card)
    with pytest.raises(ModelError, match="card is missing"):
        adding.add(path)
    assert adding.add(path, card).path == home / "own-n.onnx"


def test_a_copy_in_bytes_comes_along_and_goes_with_its_model(colours: Factory, home: Path) -> None:
    path = colours("pair")
    copy, card = cards.int8_path(path), cards.card_path(path)
    copy.write_bytes(path.read_bytes())
    text = yaml.safe_load(card.read_text(encoding="utf-8"))
    digest = hashlib.sha256(copy.read_bytes()).hexdigest()
    card.write_text(yaml.safe_dump({**text, "int8": {"sha256": digest}}), encoding="utf-8")
    adding.add(path)
    assert (home / "pair.int8.onnx").is_file()
    assert models.verify("pair").problems == ()
    copy.unlink()
    card.write_text(yaml.safe_dump(text), encoding="utf-8")
    adding.add(path, replace=True)
    assert not (home / "pair.int8.onnx").exists()
    assert models.verify("pair").problems == ()


def test_a_name_is_given_once(colours: Factory, home: Path) -> None:
    path = colours("twice")
    adding.add(path)
    with pytest.raises(ModelError, match="add --replace"):
        adding.add(path)
    adding.add(path, replace=True)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sha256": "0" * 64}, "not the one its card describes"),
        ({"classes": ["red", "green", "blue"]}, r"expected \[1, n, 7\] for 3 classes"),
        ({"task": "classify"}, "outputs: expected"),
        ({"licence": None}, "licence: missing"),
    ],
)
def test_what_does_not_fit_stays_out(
    colours: Factory, home: Path, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ModelError, match=problem) as caught:
        adding.add(colours("bad", **changes))
    assert caught.value.exit_code == 4
    assert not home.exists() or not list(home.iterdir())


def write(path: Path, nodes: list[onnx.NodeProto], constants: dict[str, Any], opset: int = 17) -> Path:
    """A detector of two classes made of `nodes`, and a card that fits it."""
    graph = helper.make_graph(
        nodes,
        "own",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["n", "a", 6])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    card = {"name": path.stem, "version": "1", "task": "detect", "classes": ["red", "green"]}
    card |= {"thresholds": {"default": 0.5}, "licence": "CC0-1.0", "input": {"long_side": 64}}
    card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    cards.card_path(path).write_text(yaml.safe_dump(card), encoding="utf-8")
    return path


MEAN = [
    helper.make_node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
    helper.make_node("ReduceMean", ["f"], ["m"], axes=[1, 2, 3], keepdims=1),
    helper.make_node("Squeeze", ["m", "axis"], ["v"]),
    helper.make_node("Expand", ["v", "shape"], ["wide"]),
]


@pytest.mark.parametrize(
    ("operator", "factor", "problem"),
    [
        ("Mul", 0.0, "the same for two different pictures"),
        ("Mul", 1.0, "is the sigmoid missing"),
        ("Div", 0.0, "not all numbers are finite"),
    ],
)
def test_answers_that_cannot_be_right(
    tmp_path: Path, home: Path, operator: str, factor: float, problem: str
) -> None:
    constants = {"axis": np.array([3]), "shape": np.array([1, 1, 6]), "factor": np.float32(factor)}
    nodes = [*MEAN, helper.make_node(operator, ["wide", "factor"], ["predictions"])]
    with pytest.raises(ModelError, match=problem):
        adding.add(write(tmp_path / "odd.onnx", nodes, constants))


def test_operators_too_new_for_older_runtimes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = {"axis": np.array([3]), "shape": np.array([1, 1, 6]), "factor": np.float32(1 / 255)}
    nodes = [*MEAN, helper.make_node("Mul", ["wide", "factor"], ["predictions"])]
    path = write(tmp_path / "fine.onnx", nodes, constants)
    assert adding.opset(path.read_bytes()) == 17
    assert adding.add(path).name == "fine"
    monkeypatch.setattr(adding, "_OPSETS", range(11, 17))
    with pytest.raises(ModelError, match="operator set 17: expected 11 to 16"):
        adding.add(path, replace=True)


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\x0b\x0c"])
def test_no_operator_set_in_what_is_no_model(content: bytes) -> None:
    assert adding.opset(content) is None


def test_a_folder_that_cannot_be_written(colours: Factory, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError):
        adding.add(colours("own"), folder=tmp_path / "file" / "models")


def test_commands(colours: Factory, home: Path) -> None:
    path = colours("own")
    added = CliRunner().invoke(app, ["add", str(path)])
    assert added.exit_code == 0, added.output
    assert "own" in added.output
    measured = CliRunner().invoke(app, ["bench", "own", "--rounds", "1", "--json"])
    rows = json.loads(measured.stdout)
    assert [row["chosen"] for row in rows].count(True) == 1
    assert rows[0]["ms"]["one_thread"] > 0 and rows[0]["precision"] == "float32"
    shown = CliRunner().invoke(app, ["bench", "own", "--rounds", "1"])
    assert "onnxruntime" in shown.stdout
