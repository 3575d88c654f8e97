"""Exports to ONNX, to the contracts of the pipeline.

Detector: `images` uint8 [N, H, W, 3] RGB -> `predictions` float32 [N, A, 4 + C], boxes xyxy in pixels of the
input, then class scores after the sigmoid. Change: `before`, `after` uint8 [N, H, W, 3] -> `change` float32
[N, H, W]. Air: `images` -> `scores` float32 [N, C] and `cells` float32 [N, C, H/32, W/32]. H and W are any
multiples of 32. Normalisation is part of the graph, suppression is not.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxslim
import torch
import yaml

OPSET = 17


class DetectorGraph(torch.nn.Module):
    """A YOLOv8 model from uint8 pictures to boxes with corners and scores."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model.float().eval().fuse(verbose=False)
        for parameter in self.model.parameters():
            parameter.requires_grad = False
        head = self.model.model[-1]
        head.export, head.dynamic, head.format, head.shape = True, True, "onnx", None
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pictures = images.permute(0, 3, 1, 2).float() / 255
        output = self.model(pictures).transpose(1, 2)
        centre, half, scores = output[..., :2], output[..., 2:4] / 2, output[..., 4:]
        return torch.cat([centre - half, centre + half, scores], dim=2)


def write(
    graph: torch.nn.Module,
    inputs: tuple[str, ...],
    output: str,
    output_axes: dict[int, str],
    target: Path,
    checked_sizes: tuple[tuple[int, int], ...] = ((384, 640), (640, 480), (96, 160)),
    further: Mapping[str, dict[int, str]] | None = None,
    fixed_size: tuple[int, int] | None = None,
) -> float:
    """Export, slim, compare with PyTorch, and move into place in one step.

    Args:
        graph: takes uint8 [N, H, W, 3] tensors, one for each of `inputs`.
        inputs: names of the inputs.
        output: name of the output.
        output_axes: names of its dynamic axes.
        target: the ONNX file.
        checked_sizes: (height, width) at which ONNX Runtime and PyTorch are compared.
        further: dynamic axes of further outputs by their names, for a graph that gives a tuple.
        fixed_size: (height, width) of a graph that takes no other; only the number of pictures is free then.

    Returns:
        The largest absolute difference seen.
    """
    height, width = fixed_size or (64, 96)
    example = tuple(torch.randint(0, 255, (2, height, width, 3), dtype=torch.uint8) for _ in inputs)
    outputs = {output: output_axes, **(further or {})}
    free = {0: "n"} if fixed_size else {0: "n", 1: "height", 2: "width"}
    axes = {name: free for name in inputs} | outputs
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
        raw, slim = Path(folder) / "raw.onnx", Path(folder) / "slim.onnx"
        torch.onnx.export(
            graph,
            example,
            str(raw),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            do_constant_folding=True,
            dynamo=False,
        )
        model = onnxslim.slim(onnx.load(str(raw)))
        # Traces carry the paths of the machine that made them.
        for node in model.graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
        onnx.checker.check_model(model)
        onnx.save(model, str(slim))
        worst = parity(graph, slim, inputs, checked_sizes)
        os.replace(slim, target)
    return worst


def halve(path: Path) -> None:
    """Store the large weights of a model as float16, cast back when it is loaded: half the file, the same speed."""
    model = onnx.load(str(path))
    casts = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 1000:
            continue
        name = tensor.name
        short = onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
        tensor.CopyFrom(short)
        casts.append(onnx.helper.make_node("Cast", [short.name], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def whole(path: Path) -> onnx.ModelProto:
    """A model as `write` left it: weights that `halve` stored as float16 are float32 again, in their places."""
    model = onnx.load(str(path))
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in list(model.graph.node):
        if node.op_type != "Cast" or node.input[0] != f"{node.output[0]}.half":
            continue
        tensor = stored[node.input[0]]
        values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, node.output[0]))
        model.graph.node.remove(node)
    return model


def parity(
    graph: torch.nn.Module, path: Path, inputs: tuple[str, ...], sizes: tuple[tuple[int, int], ...]
) -> float:
    """Largest absolute difference between PyTorch and ONNX Runtime on random pictures."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    worst = 0.0
    for count, (height, width) in enumerate(sizes):
        shape = (1 + count % 2, height, width, 3)
        feeds = {name: rng.integers(0, 256, shape, dtype=np.uint8) for name in inputs}
        with torch.inference_mode():
            answer = graph(*(torch.from_numpy(feed) for feed in feeds.values()))
        tensors = answer if isinstance(answer, tuple) else (answer,)
        for got, tensor in zip(session.run(None, feeds), tensors, strict=True):
            wanted = tensor.numpy()
            if got.shape != wanted.shape:
                raise RuntimeError(
                    f"{path.name} at {height}x{width}: shape {got.shape}, PyTorch {wanted.shape}"
                )
            worst = max(worst, float(np.abs(got - wanted).max()))
    return worst


def write_card(card: dict[str, Any], model: Path) -> Path:
    """Write the card of an exported model beside it, with the digest of the file."""
    card = {**card, "sha256": hashlib.sha256(model.read_bytes()).hexdigest()}
    target = model.with_name(f"{model.stem}.card.yaml")
    text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=110)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=model.parent, prefix=".card-", suffix=".yaml", delete=False
    ) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, target)
    return target
