"""Generated models for tests of plates: a reader that always reads one text, and a finder of red rectangles."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from huoyan.perception import plate_grammar as grammar
from huoyan.perception import plate_shape as shape


def _save(
    path: Path, nodes: list[Any], outputs: list[Any], constants: dict[str, Any], size: list[Any]
) -> None:
    graph = helper.make_graph(
        nodes,
        "plates",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", *size, 3])],
        outputs,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _card(path: Path, **values: Any) -> Path:
    card = {
        "name": path.stem,
        "version": "1",
        "licence": "AGPL-3.0-only",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **values,
    }
    path.with_name(f"{path.stem}.card.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    return path


def write_reader(path: Path, text: str, kind: str, threshold: float = 0.5, **card: Any) -> Path:
    """Reads `text` on every crop, each character as surely as the crop is red (its mean, of 1); what is left is
    spread evenly over the other characters, and of the kinds over those of another colour."""
    letters, kinds = len(grammar.ALPHABET), len(grammar.KINDS)
    wanted = np.zeros((1, grammar.SLOTS, letters), np.float32)
    wanted[0, np.arange(grammar.SLOTS), grammar.encode(text)] = 1
    which = np.zeros((1, kinds), np.float32)
    which[0, grammar.NAMES.index(kind)] = 1
    others = (1 - wanted) / (letters - 1)
    another = np.array([[k.colour != grammar.kind(kind).colour for k in grammar.KINDS]], np.float32)
    another /= another.sum()
    nodes = [
        helper.make_node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f"], ["colour"], axes=[1, 2], keepdims=0),
        helper.make_node("Slice", ["colour", "zero", "one", "one"], ["red"]),
        helper.make_node("Mul", ["red", "scale"], ["sure"]),
        helper.make_node("Sub", ["whole", "sure"], ["unsure"]),
        helper.make_node("Unsqueeze", ["sure", "last"], ["sure3"]),
        helper.make_node("Unsqueeze", ["unsure", "last"], ["unsure3"]),
        helper.make_node("Mul", ["wanted", "sure3"], ["told"]),
        helper.make_node("Mul", ["others", "unsure3"], ["left"]),
        helper.make_node("Add", ["told", "left"], ["characters"]),
        helper.make_node("Mul", ["which", "sure"], ["this"]),
        helper.make_node("Mul", ["another", "unsure"], ["that"]),
        helper.make_node("Add", ["this", "that"], ["kinds"]),
    ]
    outputs = [
        helper.make_tensor_value_info("characters", TensorProto.FLOAT, ["n", grammar.SLOTS, letters]),
        helper.make_tensor_value_info("kinds", TensorProto.FLOAT, ["n", kinds]),
    ]
    constants = {
        "scale": np.float32(1 / 255),
        "whole": np.float32(1),
        "others": others,
        "another": another,
        "wanted": wanted,
        "which": which,
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "last": np.array([2], np.int64),
    }
    _save(path, nodes, outputs, constants, [shape.INPUT_HEIGHT, shape.INPUT_WIDTH])
    return _card(path, task="plates", thresholds={"default": threshold}, **card)


def write_finder(path: Path, **card: Any) -> Path:
    """Finds one plate a picture: the box round all pixels that are redder than green by half, scored 1 or 0."""
    nodes = [
        helper.make_node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Split", ["f", "ones"], ["r", "g", "b"], axis=3),
        helper.make_node("Sub", ["r", "g"], ["excess"]),
        helper.make_node("Greater", ["excess", "half"], ["mask"]),
        helper.make_node("Cast", ["mask"], ["maskf"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["maskf"], ["score"], axes=[1, 2], keepdims=0),
    ]
    for axis, reduced in (("x", 1), ("y", 2)):
        nodes += [
            helper.make_node("ReduceMax", ["maskf"], [f"any_{axis}"], axes=[reduced], keepdims=0),
            helper.make_node("ArgMax", [f"any_{axis}"], [f"{axis}1i"], axis=1, keepdims=0),
            helper.make_node(
                "ArgMax", [f"any_{axis}"], [f"{axis}2i"], axis=1, keepdims=0, select_last_index=1
            ),
            helper.make_node("Cast", [f"{axis}1i"], [f"{axis}1"], to=TensorProto.FLOAT),
            helper.make_node("Cast", [f"{axis}2i"], [f"{axis}2l"], to=TensorProto.FLOAT),
            helper.make_node("Add", [f"{axis}2l", "unit"], [f"{axis}2"]),
        ]
    corners = ["x1", "y1", "x2", "y1", "x2", "y2", "x1", "y2"]
    nodes += [
        helper.make_node("Concat", ["score", *corners], ["row"], axis=1),
        helper.make_node("Unsqueeze", ["row", "first"], ["plates"]),
    ]
    outputs = [helper.make_tensor_value_info("plates", TensorProto.FLOAT, ["n", 1, 9])]
    constants = {
        "ones": np.array([1, 1, 1], np.int64),
        "half": np.float32(127),
        "unit": np.float32(1),
        "first": np.array([1], np.int64),
    }
    _save(path, nodes, outputs, constants, ["h", "w"])
    return _card(
        path,
        **{
            "task": "plate_corners",
            "thresholds": {"default": 0.5},
            "input": {"long_side": 256},
            **card,
        },
    )
