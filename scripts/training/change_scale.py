"""How many metres a pixel is, told from the pictures alone: a linear look at what the encoder saw.

Pictures without a georeference do not say it, and coarse pairs have another working point than fine ones.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from training import change_augment
from training.change_data import Image, Pair
from training.change_net import ChangeNet

# Strides 8 and 16: as sure as with all, and surer than the coarsest about sources that were not seen.
_STAGES = (2, 3)
_DECAY = 0.01


class Scale(nn.Module):
    """Ground sampling distance of pairs, between that of fine pictures and that of coarse ones.

    On a logarithmic scale it lies between both as the probability that the pair is coarse does between 0 and 1.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, ends: tuple[float, float]) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self._ends = ends

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Of the `ChangeNet.encode` of N pairs, metres a pixel [N]."""
        before, after = (_pooled(features) @ self.weight + self.bias).chunk(2)
        coarse = torch.sigmoid((before + after) / 2)
        fine_m, coarse_m = self._ends
        return fine_m * torch.exp(coarse * math.log(coarse_m / fine_m))


def _pooled(features: Sequence[torch.Tensor]) -> torch.Tensor:
    """Mean and spread of every channel, [2N, C]."""
    seen = [features[stage] for stage in _STAGES]
    means = [state.mean((2, 3)) for state in seen]
    spreads = [
        (state - mean[..., None, None]).square().mean((2, 3)).sqrt()
        for state, mean in zip(seen, means, strict=True)
    ]
    return torch.cat([*means, *spreads], dim=1)


def fit(net: ChangeNet, pairs: Sequence[Pair], ends: tuple[float, float], seed: int) -> Scale | None:
    """Learn it by logistic regression, as they are and under other light; None where all pairs are of one grain.

    Coarse and fine pairs count the same, sources by the root of their number: a sensor is not to be learnt by heart.
    """
    grains = Counter(pair.grain for pair in pairs)
    if len(grains) < 2:
        return None
    rng = random.Random(seed)
    rows = [
        _look(net, [picture, change_augment.weather(picture, 1.0, rng)])
        for pair in pairs
        for picture in (pair.before, pair.after)
    ]
    features = torch.cat(rows)
    sources = Counter((pair.source, pair.grain) for pair in pairs)
    share = np.array([1 / math.sqrt(sources[pair.source, pair.grain]) for pair in pairs])
    coarse = np.array([pair.grain == "coarse" for pair in pairs])
    for grain in (coarse, ~coarse):
        share[grain] /= 2 * share[grain].sum()
    # Four pictures of each pair.
    weights = torch.from_numpy(share.repeat(4) / 4).float()
    truth = torch.from_numpy(coarse.repeat(4)).float()
    mean, spread = features.mean(0), features.std(0) + 1e-6
    slope, bias = _regress((features - mean) / spread, truth, weights)
    weight = slope / spread
    return Scale(weight, bias - mean @ weight, ends)


def _look(net: ChangeNet, pictures: Sequence[Image]) -> torch.Tensor:
    planes = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    net.eval()
    with torch.no_grad():
        return _pooled(net.features(planes))


def _regress(
    features: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    slope = torch.zeros(features.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([slope, bias], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        entropy = nn.functional.binary_cross_entropy_with_logits(
            features @ slope + bias, truth, weight=weights, reduction="sum"
        )
        value = entropy + _DECAY * slope.square().sum()
        value.backward()
        return value

    optimiser.step(closure)
    return slope.detach(), bias.detach()
