"""The change network: one encoder for both pictures, their differences at four scales, a small decoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torchvision.models import mobilenet_v2

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
# Last layers of MobileNetV2 at strides 2, 4, 8, 16 and their channels.
_STAGES = ((0, 2), (2, 4), (4, 7), (7, 14))
_CHANNELS = (16, 24, 32, 96)
_WIDTH = 48


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False),
        nn.BatchNorm2d(channels_in),
        nn.Conv2d(channels_in, channels_out, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class ChangeNet(nn.Module):
    """Logits of change at full resolution. It does not matter which picture comes first."""

    def __init__(self, frozen: int = 0) -> None:
        """Build the network; the first `frozen` stages of the encoder keep their weights and statistics."""
        super().__init__()
        self._frozen = frozen
        features = mobilenet_v2(weights=None).features
        self.stages = nn.ModuleList(nn.Sequential(*features[start:end]) for start, end in _STAGES)
        # Both the difference and the product-like common part: a difference alone does not say of what.
        self.fuse = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(2 * c, _WIDTH, 1, bias=False), nn.BatchNorm2d(_WIDTH), nn.ReLU(inplace=True)
            )
            for c in _CHANNELS
        )
        self.merge = nn.ModuleList(_block(2 * _WIDTH, _WIDTH) for _ in _CHANNELS[:-1])
        self.head = nn.Sequential(_block(_WIDTH, _WIDTH), nn.Conv2d(_WIDTH, 1, 1))
        nn.init.constant_(self.head[-1].bias, -3.0)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1))

    def load_encoder(self, path: Path) -> int:
        """Load ImageNet weights of MobileNetV2 (`features.*`); returns the number of tensors taken.

        By order and shape, not by name: implementations number the layers inside a block differently.

        Raises:
            ValueError: the file holds another network.
        """
        saved = torch.load(path, map_location="cpu", weights_only=True)
        saved = saved.get("state_dict", saved)
        values = [value for key, value in saved.items() if key.startswith("features.")]
        wanted = self.stages.state_dict()
        if len(values) < len(wanted) or any(
            value.shape != old.shape for value, old in zip(values, wanted.values(), strict=False)
        ):
            raise ValueError(f"{path}: not the weights of a MobileNetV2")
        self.stages.load_state_dict(dict(zip(wanted, values, strict=False)))
        return len(wanted)

    def train(self, mode: bool = True) -> ChangeNet:
        super().train(mode)
        for stage in self.stages[: self._frozen]:
            stage.train(False)
        return self

    def encode(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Features at strides 2, 4, 8, 16 of float RGB 0..1 [N, 3, H, W]."""
        features = (pictures - self.mean) / self.std
        found = []
        for number, stage in enumerate(self.stages):
            with torch.set_grad_enabled(torch.is_grad_enabled() and number >= self._frozen):
                features = stage(features)
            found.append(features)
        return found

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """float RGB 0..1 [N, 3, H, W], twice -> logits [N, H, W]."""
        count = before.shape[0]
        both = self.encode(torch.cat([before, after]))
        fused = [
            layer(torch.cat([(f[:count] - f[count:]).abs(), f[:count] + f[count:]], dim=1))
            for layer, f in zip(self.fuse, both, strict=True)
        ]
        state = fused[-1]
        for level in range(len(fused) - 2, -1, -1):
            state = nn.functional.interpolate(state, scale_factor=2.0, mode="bilinear", align_corners=False)
            state = self.merge[level](torch.cat([state, fused[level]], dim=1))
        logits = self.head(state)
        return nn.functional.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)[:, 0]


class ChangeGraph(nn.Module):
    """The network after the ONNX contract: uint8 [N, H, W, 3] twice -> probability [N, H, W]."""

    def __init__(self, net: ChangeNet) -> None:
        super().__init__()
        self.net = net
        self.eval()

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        pictures: Sequence[torch.Tensor] = [p.permute(0, 3, 1, 2).float() / 255 for p in (before, after)]
        return torch.sigmoid(self.net(*pictures))


def loss(logits: torch.Tensor, changed: torch.Tensor, positive_weight: float) -> torch.Tensor:
    """Binary cross entropy with weighted positives, plus Dice over the batch."""
    weight = torch.tensor(positive_weight)
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, changed, pos_weight=weight)
    chance = torch.sigmoid(logits)
    dice = 1 - (2 * (chance * changed).sum() + 1) / (chance.sum() + changed.sum() + 1)
    return entropy + dice
