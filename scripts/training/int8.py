"""Eight-bit copies of exported detectors: static quantisation as QDQ, weights by channel, calibrated on real frames.

What stays in float is a `Scheme`. The boxes of YOLOv8 come out of a distribution over 16 distances and the scores
out of a sigmoid: both, and the convolutions that feed them, are in float in every scheme. They are a hundredth of
the work and most of the loss.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from training import export

Pixels = npt.NDArray[np.uint8]

_EVERYTHING = ("Conv", "Sigmoid", "Mul", "Add", "Concat", "MaxPool", "Resize", "Split", "Slice")
_HEAD = 22
"""Number of YOLOv8's last stage."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """What is quantised: operators, and the stages and branches whose nodes stay in float."""

    name: str
    operators: tuple[str, ...]
    in_float: tuple[str, ...] = ()
    """Patterns of node names, from their start."""


# From the fastest to the safest.
SCHEMES = (
    Scheme("everything", _EVERYTHING),
    Scheme("everything but the first stage", _EVERYTHING, (r"/model/model\.0/",)),
    # Faint things (smoke, dust) are lost where the picture is still large: in the first stages.
    Scheme("everything but the first five stages", _EVERYTHING, (r"/model/model\.[0-4]/",)),
    Scheme("convolutions", ("Conv",)),
    Scheme(
        "convolutions but the first and the head's", ("Conv",), (r"/model/model\.0/", r"/model/model\.22/")
    ),
)


class _Frames(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, frames: Iterable[Pixels]) -> None:
        self._feeds: Iterator[dict[str, Pixels]] = ({name: frame} for frame in frames)

    def get_next(self) -> dict[str, Pixels] | None:
        return next(self._feeds, None)


def quantise(model: Path, frames: Iterable[Pixels], scheme: Scheme, target: Path) -> list[str]:
    """Write the eight-bit copy of a detector.

    Args:
        model: in float, as `export.write` made it, halved or not.
        frames: uint8 [1, H, W, 3] RGB on the canvas of use; a few dozen of all sources.
        scheme: what to quantise.
        target: the file to write.

    Returns:
        Names of the convolutions that stayed in float.
    """
    floats = export.whole(model)
    graph = floats.graph
    kept = [node.name for node in graph.node if _decodes(node) or _matches(node.name, scheme.in_float)]
    # It asks for a preparation of the file that `export.write` did already.
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".quantise-") as folder:
        raw = Path(folder) / "raw.onnx"
        quantize_static(
            floats,
            raw,
            _Frames(graph.input[0].name, frames),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(scheme.operators),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
            calibrate_method=CalibrationMethod.MinMax,
            # The mean range over the frames instead of the widest: scores of the shipped models move a fifth less,
            # boxes a third less.
            extra_options={"CalibMovingAverage": True},
        )
        os.replace(raw, target)
    return sorted(n.name for n in graph.node if n.op_type == "Conv" and n.name in set(kept))


def milliseconds(model: Path, height: int, width: int, rounds: int = 30) -> float:
    """CPU time of one run on one thread, the least of many: other work on the machine does not count."""
    run = session(model, 1)
    frame = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    seen = []
    for _ in range(rounds + 3):
        started = time.process_time()
        run(frame)
        seen.append(time.process_time() - started)
    return 1000 * min(seen[3:])


def session(model: Path, threads: int) -> Callable[[Pixels], Any]:
    """The first output of a model with one input."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    loaded = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = loaded.get_inputs()[0].name
    return lambda frame: loaded.run(None, {name: frame})[0]


def _decodes(node: onnx.NodeProto) -> bool:
    """Whether a node is of the input's normalisation, or of the head behind its last but one convolutions."""
    if not node.name.startswith("/model/"):
        return True
    if not node.name.startswith(f"/model/model.{_HEAD}/"):
        return False
    in_branch = re.match(rf"/model/model\.{_HEAD}/cv[23]\.", node.name)
    return in_branch is None or re.search(r"\.2/Conv$", node.name) is not None


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(re.match(pattern, name) for pattern in patterns)
