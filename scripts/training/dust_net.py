"""The dust network: a frozen EfficientNet-Lite0 and one linear layer, for the picture and for each of its cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from training import lite0
from training.dust_data import CLASSES

STRIDE = 32
WIDTH = 2 * lite0.CHANNELS
"""Mean and maximum of each channel: what the whole looks like, and what is somewhere."""

Floats = npt.NDArray[np.float64]


class Encoder(nn.Module):
    """uint8 [N, H, W, 3] -> features [N, 1280, H/32, W/32], with ImageNet's weights."""

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        self.layers = lite0.layers()
        if weights is not None:
            lite0.load(self.layers, weights)
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.layers((images.permute(0, 3, 1, 2).float() - lite0.MEAN) / lite0.STD)
        return features


def pool(features: torch.Tensor) -> torch.Tensor:
    """[N, 1280, h, w] -> [N, 2560]."""
    return torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)


class DustGraph(nn.Module):
    """The network after the ONNX contract: uint8 [N, H, W, 3] -> scores [N, C] and cells [N, C, H/32, W/32].

    A cell's score is what the layer says of a picture of nothing but this cell.
    """

    def __init__(self, encoder: Encoder, weights: torch.Tensor, offsets: torch.Tensor) -> None:
        """`weights` [C, 2560] and `offsets` [C] of the linear layer."""
        super().__init__()
        self.encoder = encoder
        self.whole = nn.Linear(WIDTH, len(CLASSES))
        self.cells = nn.Conv2d(lite0.CHANNELS, len(CLASSES), 1)
        with torch.no_grad():
            self.whole.weight.copy_(weights)
            self.whole.bias.copy_(offsets)
            half = weights[:, : lite0.CHANNELS] + weights[:, lite0.CHANNELS :]
            self.cells.weight.copy_(half[:, :, None, None])
            self.cells.bias.copy_(offsets)
        self.eval()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.encoder(images)
        return self.whole(pool(features)).sigmoid(), self.cells(features).sigmoid()


def ridge(features: Floats, targets: Floats, weights: Floats, strength: float) -> tuple[Floats, float]:
    """Weighted ridge regression on 1 and -1, with the features brought to one spread.

    Args:
        features: [n, width].
        targets: 1 or -1, [n].
        weights: of the rows, [n].
        strength: of the penalty, against rows of weight 1.

    Returns:
        Weights [width] and offset for the features as they were given.
    """
    middle, spread = features.mean(axis=0), features.std(axis=0) + 0.05
    scaled = ((features - middle) / spread / features.shape[1] ** 0.5).astype(np.float32)
    base = np.average(targets, weights=weights)
    weighted = scaled * weights[:, None].astype(np.float32)
    gram = weighted.T @ scaled + strength * np.eye(scaled.shape[1], dtype=np.float32)
    found = np.linalg.solve(gram, weighted.T @ (targets - base).astype(np.float32))
    direction = found / spread / features.shape[1] ** 0.5
    return direction, float(base - middle @ direction)


def platt(scores: Floats, present: npt.NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Slope and offset that make probabilities of scores, by logistic regression (Platt, 1999).

    For scores of pictures that had no part in the training; Newton's method with a slight penalty on the slope.
    """
    design = np.stack([scores, np.ones_like(scores)], axis=1)
    answer = np.zeros(2)
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ answer, -30, 30)))
        slope = design.T @ (weights * (present - chance)) - np.array([1e-2 * answer[0], 0.0])
        curve = (design * (weights * chance * (1 - chance))[:, None]).T @ design + np.diag([1e-2, 1e-6])
        step = np.linalg.solve(curve, slope)
        answer += step
        if float(np.abs(step).max()) < 1e-6:
            break
    return float(answer[0]), float(answer[1])
