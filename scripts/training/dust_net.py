"""The dust network: EfficientNet-Lite0 to stride 32, a score for every cell, and one for the picture as a whole."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from training import lite0
from training.dust_data import CLASSES

STRIDE = 32
# Layers that keep ImageNet's weights: their output is computed once for every crop and kept.
_FROZEN = 16


class DustNet(nn.Module):
    """Logits of each class for the picture and for each cell of 32 x 32 pixels."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        layers = lite0.layers()
        self.trunk, self.top = layers[:_FROZEN], layers[_FROZEN:]
        self.dropout = nn.Dropout(dropout)
        self.cells = nn.Conv2d(lite0.CHANNELS, len(CLASSES), 1)
        self.whole = nn.Linear(2 * lite0.CHANNELS, len(CLASSES))
        for layer in (self.cells, self.whole):
            nn.init.normal_(layer.weight, std=0.005)
            nn.init.constant_(layer.bias, -1.0)

    def load_encoder(self, path: Path) -> None:
        """Load ImageNet weights of EfficientNet-Lite0.

        Raises:
            ValueError: the file holds another network.
        """
        lite0.load(nn.Sequential(*self.trunk, *self.top), path)

    def train(self, mode: bool = True) -> DustNet:
        """As usual, but statistics stay ImageNet's: batches of crops of a few hundred pictures are no better."""
        super().train(mode)
        self.trunk.train(False)
        self.top.train(False)
        return self

    def late(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of the trunk -> logits [N, classes] and, by cell, [N, classes, H/32, W/32]."""
        top = self.top(features)
        # What is where (the strongest cells) and what the whole looks like: haze has no place, a plume has.
        pooled = torch.cat([top.mean(dim=(2, 3)), top.amax(dim=(2, 3))], dim=1)
        cells = self.cells(self.dropout(top))
        return self.whole(self.dropout(pooled)), cells

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float RGB 0..255 [N, 3, H, W] -> as `late`."""
        return self.late(self.trunk((pictures - lite0.MEAN) / lite0.STD))


def loss(
    logits: tuple[torch.Tensor, torch.Tensor],
    labels: torch.Tensor,
    maps: torch.Tensor,
    weights: torch.Tensor,
    cell_share: float,
) -> torch.Tensor:
    """Cross entropy where the label is known.

    Args:
        logits: of the pictures [N, classes] and of the cells [N, classes, h, w].
        labels: 1, 0 or NaN for unknown, [N, classes].
        maps: the same for the cells, [N, classes, h, w].
        weights: of the pictures, [N].
        cell_share: weight of the cells' loss beside the pictures'.
    """
    whole = _known(logits[0], labels, weights[:, None].expand_as(labels))
    cells = _known(logits[1], maps, weights[:, None, None, None].expand_as(maps))
    return whole + cell_share * cells


def _known(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    known = ~labels.isnan()
    if not known.any():
        return logits.sum() * 0
    values = nn.functional.binary_cross_entropy_with_logits(logits[known], labels[known], reduction="none")
    return (values * weights[known]).sum() / weights[known].sum()


class DustGraph(nn.Module):
    """The network after the ONNX contract: uint8 [N, H, W, 3] -> scores [N, C] and cells [N, C, H/32, W/32]."""

    def __init__(self, net: DustNet) -> None:
        super().__init__()
        self.net = net
        self.eval()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        whole, cells = self.net(images.permute(0, 3, 1, 2).float())
        return whole.sigmoid(), cells.sigmoid()
