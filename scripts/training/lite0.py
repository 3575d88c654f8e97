"""EfficientNet-Lite0 without its classifier (Tan and Le, ICML 2019; the Lite variants: TensorFlow TPU models, 2020).

EfficientNet-B0 without squeeze-and-excitation and with ReLU6: every operation is a plain one on any runtime.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

# Expansion, channels, blocks, stride of the first one, kernel.
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
CHANNELS = 1280
MEAN, STD = 127.0, 128.0


def layers() -> nn.Sequential:
    """Stem, 16 blocks and the last convolution: float [N, 3, H, W], (0..255 - MEAN) / STD -> [N, 1280, H/32, W/32].

    H and W must be multiples of 32.
    """
    parts: list[nn.Module] = [nn.Sequential(*_convolution(3, 32, 3, 2), nn.ReLU6(inplace=True))]
    channels = 32
    for expansion, width, count, first_stride, kernel in _STAGES:
        for number in range(count):
            parts.append(_Block(channels, width, expansion, kernel, first_stride if number == 0 else 1))
            channels = width
    parts.append(nn.Sequential(*_convolution(channels, CHANNELS, 1, 1), nn.ReLU6(inplace=True)))
    return nn.Sequential(*parts)


def load(net: nn.Sequential, path: Path) -> None:
    """Load ImageNet weights by order and shape; a classifier at their end is left out.

    Raises:
        ValueError: the file holds another network.
    """
    saved = torch.load(path, map_location="cpu", weights_only=True)
    wanted = net.state_dict()
    values = list(saved.values())[: len(wanted)]
    if len(values) != len(wanted) or any(
        value.shape != old.shape for value, old in zip(values, wanted.values(), strict=True)
    ):
        raise ValueError(f"{path}: not the weights of an EfficientNet-Lite0")
    net.load_state_dict(dict(zip(wanted, values, strict=True)))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> list[nn.Module]:
    """Convolution with TensorFlow's padding, which is uneven where an even size is halved, and its normalisation."""
    before, after = (kernel - stride) // 2, kernel - stride - (kernel - stride) // 2
    padding: list[nn.Module] = [nn.ZeroPad2d((before, after, before, after))] if before != after else []
    even = before if before == after else 0
    return [
        *padding,
        nn.Conv2d(inputs, outputs, kernel, stride, even, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
    ]


class _Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        widen = [*_convolution(inputs, width, 1, 1), nn.ReLU6(inplace=True)] if expansion != 1 else []
        self.body = nn.Sequential(
            *widen,
            *_convolution(width, width, kernel, stride, groups=width),
            nn.ReLU6(inplace=True),
            *_convolution(width, outputs, 1, 1),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.body(features)
        return features + result if self.residual else result
