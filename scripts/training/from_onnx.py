"""An exported YOLOv8 detector back as a PyTorch model that can be trained further: no checkpoint is needed.

An export holds every batch normalisation folded into the convolution before it. `read` puts the folded numbers
back: the convolution keeps weight and the normalisation does nothing but add the bias, so the outputs are those
of the file. That is enough to judge, not to train: in training a normalisation divides by the deviation of its
batch, and one that thinks it is 1 turns the network into another one. So `settle` shows the model pictures, takes
mean and deviation of what reaches each normalisation, and moves them to where they were before the export. The
outputs stay the same to rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper

import training.ultralytics_env  # noqa: F401
from training import export

# isort: split
# Only now: see there.
from ultralytics.nn.tasks import DetectionModel

# Channels of the first convolution tell YOLOv8's sizes apart.
_SIZES = {16: "n", 32: "s", 48: "m", 64: "l", 80: "x"}
_PREFIX = "model."


def read(path: Path, classes: Sequence[str]) -> DetectionModel:
    """The network of an ONNX file written by `export.write`, with float weights (halved or not), in evaluation mode.

    Args:
        path: a YOLOv8 detector in float; a quantised file holds no weights to train.
        classes: its classes, in the order of its outputs; they become the names of the model.

    Raises:
        ValueError: the file is no such detector, or has another number of classes.
    """
    weights = _weights(export.whole(path).graph)
    first = weights.get("model.0.conv.weight")
    size = _SIZES.get(len(first)) if first is not None and first.dtype == torch.float32 else None
    if size is None:
        raise ValueError(
            f"{path}: not a float YOLOv8 detector exported by train_detector.py: expected an initialiser "
            f"{_PREFIX}model.0.conv.weight with {', '.join(map(str, _SIZES))} channels"
        )
    model = DetectionModel(f"yolov8{size}.yaml", nc=len(classes), verbose=False)
    _widen(model.model[-1], weights, path)
    _unfold(model, weights, path)
    model.names = dict(enumerate(classes))
    return model.eval()


def settle(model: DetectionModel, batches: Iterable[torch.Tensor]) -> None:
    """Give every normalisation the mean and deviation of what reaches it, without changing the outputs.

    Args:
        model: as `read` returns it; changed in place.
        batches: float [n, 3, h, w], 0 to 1, RGB; a few dozen pictures of those to train on.
    """
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    sums = {norm: [0.0, torch.zeros(norm.num_features), torch.zeros(norm.num_features)] for norm in norms}

    def count(norm: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        values = inputs[0].detach().double()
        total = sums[norm]
        total[0] += values.shape[0] * values.shape[2] * values.shape[3]
        total[1] = total[1] + values.sum(dim=(0, 2, 3))
        total[2] = total[2] + values.square().sum(dim=(0, 2, 3))

    hooks = [norm.register_forward_pre_hook(count) for norm in norms]
    try:
        with torch.no_grad():
            for batch in batches:
                model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    for norm in norms:
        number, total, squares = sums[norm]
        if number == 0:
            raise ValueError("no picture was given to settle the model on")
        mean = total / number
        # A channel that says nothing keeps a little room, as the normalisation's own eps would give it.
        variance = (squares / number - mean.square()).clamp(min=norm.eps)
        gain = norm.weight.data.double() / (norm.running_var.double() + norm.eps).sqrt()
        shift = norm.bias.data.double() - norm.running_mean.double() * gain
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.data.copy_(gain * (variance + norm.eps).sqrt())
        norm.bias.data.copy_(shift + mean * gain)


def checkpoint(model: DetectionModel, path: Path) -> Path:
    """Save the model as a checkpoint that Ultralytics' trainer starts from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"epoch": -1, "model": model, "ema": None, "optimizer": None, "train_args": {}}, path)
    return path


def _weights(graph: onnx.GraphProto) -> dict[str, torch.Tensor]:
    """Weights and biases of all convolutions, by the names that they have in the PyTorch model."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type != "Conv" or not node.input[1].startswith(_PREFIX):
            continue
        # By way of the node: biases of equal numbers share one initialiser, under the name of one of them.
        name = node.input[1].removeprefix(_PREFIX).removesuffix(".weight")
        for kind, source in zip(("weight", "bias"), node.input[1:], strict=False):
            if source in stored:
                found[f"{name}.{kind}"] = torch.from_numpy(numpy_helper.to_array(stored[source]).copy())
    return found


def _widen(head: Any, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Rebuild the class branch at the width of the file: it depends on the classes of the first base model."""
    last = next((value for name, value in weights.items() if name.endswith("cv3.0.2.weight")), None)
    if last is None or len(last) != head.nc:
        got = "no class branch" if last is None else f"{len(last)}"
        raise ValueError(f"{path}: expected a detector of {head.nc} classes, got {got}")
    width = last.shape[1]
    for branch in head.cv3:
        for place in (0, 1):
            block = branch[place]
            inner = block.conv.in_channels if place == 0 else width
            block.conv = torch.nn.Conv2d(inner, width, 3, padding=1, bias=False)
            block.bn = torch.nn.BatchNorm2d(width, eps=block.bn.eps, momentum=block.bn.momentum)
        branch[2] = torch.nn.Conv2d(width, head.nc, 1)


def _unfold(model: DetectionModel, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Fill the model from folded weights: each bias goes to the normalisation behind its convolution."""
    state = model.state_dict()
    missing = []
    for name, value in state.items():
        block, _, last = name.rpartition(".")
        owner, _, kind = block.rpartition(".")
        if kind == "bn":
            norm = model.get_submodule(block)
            # sqrt(1 + eps) cancels the eps of the division.
            plain = {"weight": (1 + norm.eps) ** 0.5, "running_mean": 0.0, "running_var": 1.0}
            if last in plain:
                value.fill_(plain[last])
                continue
            if last == "num_batches_tracked":
                continue
            source = f"{owner}.conv.bias"
        else:
            source = name
        if source not in weights or weights[source].shape != value.shape:
            missing.append(source)
            continue
        value.copy_(weights[source])
    if missing:
        raise ValueError(
            f"{path}: not the weights of a YOLOv8 detector: missing or of another shape: {missing[:3]}"
        )
