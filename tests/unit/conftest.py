"""Small generated models for the unit tests: they find coloured rectangles, so all boxes are known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

ModelFactory = Callable[..., Path]


def _constant(name: str, value: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)


def _save(graph: onnx.GraphProto, path: Path) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def write_detector(path: Path) -> None:
    """A detector with one anchor a class: `red`, then `green`.

    A class's box bounds all pixels whose colour exceeds the other one by more than 0.1; its score is the
    largest excess (of 1), so a rectangle painted (128, 0, 0) scores 0.502.
    """
    nodes = [
        helper.make_node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "scale"], ["unit"]),
        helper.make_node("Split", ["unit", "ones"], ["r", "g", "b"], axis=3),
        helper.make_node("Sub", ["r", "g"], ["red"]),
        helper.make_node("Sub", ["g", "r"], ["green"]),
        helper.make_node("Concat", ["red", "green"], ["excess"], axis=3),
        helper.make_node("ReduceMax", ["excess"], ["score"], axes=[1, 2], keepdims=0),
        helper.make_node("Greater", ["excess", "tenth"], ["mask"]),
        helper.make_node("Cast", ["mask"], ["maskf"], to=TensorProto.FLOAT),
    ]
    for axis, low, high, reduced in (("x", "x1", "x2", 1), ("y", "y1", "y2", 2)):
        nodes += [
            helper.make_node("ReduceMax", ["maskf"], [f"any_{axis}"], axes=[reduced], keepdims=0),
            helper.make_node("ArgMax", [f"any_{axis}"], [f"{low}_i"], axis=1, keepdims=0),
            helper.make_node(
                "ArgMax", [f"any_{axis}"], [f"{high}_i"], axis=1, keepdims=0, select_last_index=1
            ),
            helper.make_node("Cast", [f"{low}_i"], [low], to=TensorProto.FLOAT),
            helper.make_node("Cast", [f"{high}_i"], [f"{high}_last"], to=TensorProto.FLOAT),
            helper.make_node("Add", [f"{high}_last", "one"], [high]),
        ]
    nodes += [
        helper.make_node("Unsqueeze", [name, "last"], [f"{name}_u"]) for name in ("x1", "y1", "x2", "y2")
    ]
    nodes += [
        helper.make_node("Unsqueeze", ["score", "last"], ["score_u"]),
        helper.make_node("Mul", ["score_u", "eye"], ["scores"]),
        helper.make_node("Concat", ["x1_u", "y1_u", "x2_u", "y2_u", "scores"], ["predictions"], axis=2),
    ]
    constants = [
        _constant("scale", np.float32(1 / 255)),
        _constant("ones", np.array([1, 1, 1], np.int64)),
        _constant("tenth", np.float32(0.1)),
        _constant("one", np.float32(1)),
        _constant("last", np.array([2], np.int64)),
        _constant("eye", np.eye(2, dtype=np.float32)),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["n", 2, 6])],
        constants,
    )
    _save(graph, path)


def write_change(path: Path, guesses: bool = False) -> None:
    """A change model: the probability is the mean absolute difference of the colours, of 1.

    One that guesses takes the pixels of dark pictures (before) for fine ones: metres are the mean colour over 50.
    """
    nodes = [
        helper.make_node("Cast", ["before"], ["b"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["after"], ["a"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["a", "b"], ["d"]),
        helper.make_node("Abs", ["d"], ["abs"]),
        helper.make_node("Mul", ["abs", "scale"], ["unit"]),
        helper.make_node("ReduceMean", ["unit"], ["change"], axes=[3], keepdims=0),
    ]
    outputs = [helper.make_tensor_value_info("change", TensorProto.FLOAT, ["n", "h", "w"])]
    if guesses:
        nodes += [
            helper.make_node("ReduceMean", ["b"], ["colour"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["colour", "metres"], ["gsd_m"]),
        ]
        outputs.append(helper.make_tensor_value_info("gsd_m", TensorProto.FLOAT, ["n"]))
    picture = ["n", "h", "w", 3]
    graph = helper.make_graph(
        nodes,
        "difference",
        [
            helper.make_tensor_value_info("before", TensorProto.UINT8, picture),
            helper.make_tensor_value_info("after", TensorProto.UINT8, picture),
        ],
        outputs,
        [_constant("scale", np.float32(1 / 255)), _constant("metres", np.float32(1 / 50))],
    )
    _save(graph, path)


def write_air(path: Path) -> None:
    """A classifier of the air: dust, smoke and haze are the mean red, green and blue, of 1; cells likewise."""
    nodes = [
        helper.make_node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "scale"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("ReduceMean", ["planes"], ["scores"], axes=[2, 3], keepdims=0),
        helper.make_node("AveragePool", ["planes"], ["cells"], kernel_shape=[32, 32], strides=[32, 32]),
    ]
    graph = helper.make_graph(
        nodes,
        "air",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "h", "w", 3])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3]),
            helper.make_tensor_value_info("cells", TensorProto.FLOAT, ["n", 3, "h2", "w2"]),
        ],
        [_constant("scale", np.float32(1 / 255))],
    )
    _save(graph, path)


def write_card(path: Path, **values: Any) -> None:
    """The card beside the ONNX file `path`; a value of None leaves its key out."""
    card = {
        "name": path.name.removesuffix(".onnx"),
        "version": "1",
        "thresholds": {"default": 0.5},
        "licence": "AGPL-3.0-only",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **values,
    }
    kept = {key: value for key, value in card.items() if value is not None}
    path.with_name(card_name(path)).write_text(yaml.safe_dump(kept), encoding="utf-8")


def card_name(path: Path) -> str:
    return path.name.removesuffix(".onnx") + ".card.yaml"


@pytest.fixture
def colours(tmp_path: Path) -> ModelFactory:
    """Writes the coloured-rectangle detector with a card and returns its path; keywords change the card."""

    def make(stem: str = "colours", /, **changes: Any) -> Path:
        path = tmp_path / f"{stem}.onnx"
        write_detector(path)
        card = {"task": "detect", "classes": ["red", "green"], "input": {"long_side": 320}}
        write_card(path, **{**card, **changes})
        return path

    return make


@pytest.fixture
def difference(tmp_path: Path) -> ModelFactory:
    """Writes the difference model with a card and returns its path; keywords change the card.

    The stem `guessing` makes one that also guesses the pixel size.
    """

    def make(stem: str = "difference", /, **changes: Any) -> Path:
        path = tmp_path / f"{stem}.onnx"
        write_change(path, guesses=stem == "guessing")
        write_card(path, **{"task": "change", **changes})
        return path

    return make


@pytest.fixture
def air(tmp_path: Path) -> ModelFactory:
    """Writes the classifier of the air with a card and returns its path; keywords change the card."""

    def make(stem: str = "air", /, **changes: Any) -> Path:
        path = tmp_path / f"{stem}.onnx"
        write_air(path)
        card = {"task": "classify", "classes": ["dust", "smoke", "haze"], "input": {"long_side": 320}}
        write_card(path, **{**card, **changes})
        return path

    return make
