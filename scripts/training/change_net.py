"""The change network: one encoder for both pictures, their differences at five scales, a decoder up to the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

import training.ultralytics_env  # noqa: F401

# isort: split
# Only now: see there.
from ultralytics.nn.modules import C2f, Conv

# Channels of YOLOv8n's backbone at strides 2, 4, 8, 16, 32 and how often its blocks repeat.
_CHANNELS = (16, 32, 64, 128, 256)
_REPEATS = (0, 1, 2, 2, 1)
# Channels of the decoder at the same strides.
_WIDTHS = (24, 32, 48, 64, 64)
# Strides whose states are looked at a second time: there a house is a few cells wide.
_REFINED_LEVELS = (1, 2, 3)
# Strides whose states answer for themselves while training: coarse levels learn what a building is.
_SIDE_LEVELS = (1, 2)


def _conv(channels_in: int, channels_out: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class _Refine(nn.Module):
    """What two more convolutions add to a state; nothing at first, so that weights without them can be gone on with."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.BatchNorm2d(channels)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(
            _conv(channels, channels, 3), nn.Conv2d(channels, channels, 3, padding=1, bias=False), last
        )

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(state + self.layers(state))


def _answer(channels: int, outputs: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, outputs, 3, padding=1)
    # Change is rare: start from about one pixel in twenty.
    assert layer.bias is not None
    nn.init.constant_(layer.bias, -3.0)
    return layer


class ChangeNet(nn.Module):
    """Logits of change at full resolution. It does not matter which picture comes first."""

    def __init__(self, frozen: int = 0) -> None:
        """Build the network; the first `frozen` stages of the encoder keep their weights and statistics."""
        super().__init__()
        self._frozen = frozen
        stages, channels_in = [], 3
        for channels, repeats in zip(_CHANNELS, _REPEATS, strict=True):
            stage = [Conv(channels_in, channels, 3, 2)]
            if repeats:
                stage.append(C2f(channels, channels, repeats, shortcut=True))
            stages.append(nn.Sequential(*stage))
            channels_in = channels
        self.stages = nn.ModuleList(stages)
        self.stages[:frozen].requires_grad_(False)
        # Both the difference and the sum: a difference alone does not say of what.
        self.fuse = nn.ModuleList(_conv(2 * c, w, 1) for c, w in zip(_CHANNELS, _WIDTHS, strict=True))
        self.merge = nn.ModuleList(_conv(coarse + fine, fine, 3) for fine, coarse in pairwise(_WIDTHS))
        self.refine = nn.ModuleDict({str(level): _Refine(_WIDTHS[level]) for level in _REFINED_LEVELS})
        # Four answers for each cell of stride 2 are four pixels: roofs of 2.5 m pixels are few pixels wide.
        self.head = _answer(_WIDTHS[0], 4)
        self.sides = nn.ModuleList(_answer(_WIDTHS[level], 1) for level in _SIDE_LEVELS)

    def load_encoder(self, path: Path) -> int:
        """Load the backbone of a YOLOv8n checkpoint; returns the number of tensors taken.

        Raises:
            ValueError: the file holds another network.
        """
        saved = torch.load(path, map_location="cpu", weights_only=False)["model"].float().state_dict()
        values = [value for key, value in saved.items() if int(key.split(".")[1]) < 2 * len(_CHANNELS) - 1]
        wanted = self.stages.state_dict()
        if len(values) != len(wanted) or any(
            value.shape != old.shape for value, old in zip(values, wanted.values(), strict=True)
        ):
            raise ValueError(f"{path}: not the weights of a YOLOv8n")
        self.stages.load_state_dict(dict(zip(wanted, values, strict=True)))
        return len(wanted)

    def train(self, mode: bool = True) -> ChangeNet:
        super().train(mode)
        self.stages[: self._frozen].train(False)
        return self

    def features(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """What the encoder sees at strides 2, 4, 8, 16, 32 of float RGB 0..1 [N, 3, H, W]."""
        seen = []
        for stage in self.stages:
            pictures = stage(pictures)
            seen.append(pictures)
        return seen

    def encode(self, before: torch.Tensor, after: torch.Tensor) -> list[torch.Tensor]:
        """`features` of both dates, one after the other: [2N, …]."""
        return self.features(torch.cat([before, after]))

    def decode(self, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """States of N pairs at the same strides, from `encode`."""
        fused = []
        for state, layer in zip(features, self.fuse, strict=True):
            one, other = state.chunk(2)
            fused.append(layer(torch.cat([(one - other).abs(), one + other], dim=1)))
        for level in range(len(fused) - 2, -1, -1):
            fused[level] = self.merge[level](
                torch.cat([_enlarged(fused[level + 1], 2.0), fused[level]], dim=1)
            )
            if level in _REFINED_LEVELS:
                fused[level] = self.refine[str(level)](fused[level])
        return fused

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """float RGB 0..1 [N, 3, H, W], twice -> logits [N, H, W]."""
        return self.pixels(self.decode(self.encode(before, after)))

    def answers(self, before: torch.Tensor, after: torch.Tensor) -> list[torch.Tensor]:
        """The logits of `forward`, then those at strides 4 and 8, [N, H / 4, W / 4] …: what the loss looks at."""
        states = self.decode(self.encode(before, after))
        sides = [layer(states[level])[:, 0] for level, layer in zip(_SIDE_LEVELS, self.sides, strict=True)]
        return [self.pixels(states), *sides]

    def pixels(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits [N, H, W] from what `decode` gives."""
        return nn.functional.pixel_shuffle(self.head(states[0]), 2)[:, 0]


def _enlarged(state: torch.Tensor, times: float) -> torch.Tensor:
    return nn.functional.interpolate(state, scale_factor=times, mode="bilinear", align_corners=False)


class ChangeGraph(nn.Module):
    """The network after the ONNX contract: uint8 [N, H, W, 3] twice -> probability [N, H, W].

    With a `scale` (see `change_scale`) metres a pixel [N], too.
    """

    def __init__(self, net: ChangeNet, scale: nn.Module | None = None) -> None:
        super().__init__()
        self.net = net
        self.scale = scale
        self.eval()

    def forward(
        self, before: torch.Tensor, after: torch.Tensor
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        pictures: Sequence[torch.Tensor] = [p.permute(0, 3, 1, 2).float() / 255 for p in (before, after)]
        features = self.net.encode(*pictures)
        chance = torch.sigmoid(self.net.pixels(self.net.decode(features)))
        return chance if self.scale is None else (chance, self.scale(features))


def loss(
    answers: Sequence[torch.Tensor],
    changed: torch.Tensor,
    coarse: torch.Tensor,
    positive_weight: dict[str, float],
    side_weight: float,
) -> torch.Tensor:
    """Binary cross entropy with weighted positives plus Dice; side answers weigh less.

    Dice is pooled over the coarse pairs of the batch and over the fine ones for themselves: the large roofs of fine
    pictures would drown the small ones of coarse pictures.

    Args:
        answers: of `ChangeNet.answers`; a coarse cell is to say which share of it changed.
        changed: 0 or 1, float [N, H, W].
        coarse: which pairs are, bool [N].
        positive_weight: of changed pixels against others, of `coarse` and `fine` pairs.
        side_weight: of each side answer against the first.
    """
    total = torch.zeros(())
    weight = torch.where(coarse, positive_weight["coarse"], positive_weight["fine"])[:, None, None]
    groups = [(group, group.float().mean()) for group in (coarse, ~coarse) if group.any()]
    for number, logits in enumerate(answers):
        logits = logits.float()
        share = nn.functional.avg_pool2d(changed[:, None], changed.shape[-1] // logits.shape[-1])[:, 0]
        entropy = nn.functional.binary_cross_entropy_with_logits(logits, share, pos_weight=weight)
        chance = torch.sigmoid(logits)
        dice = sum(part * _dice(chance[group], share[group]) for group, part in groups)
        total = total + (entropy + dice) * (side_weight if number else 1.0)
    return total


def _dice(chance: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    return 1 - (2 * (chance * share).sum() + 1) / (chance.sum() + share.sum() + 1)
