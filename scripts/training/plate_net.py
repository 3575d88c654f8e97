"""The plate reader's network: a small residual CNN, and nine slots that each look for their character.

Every slot attends to the feature map with a query of its own, moved by what the whole crop looks like. So one row, two
rows and a plate hung askew need no cutting: where the third character is, is learnt. One classifier serves all slots:
a letter seen in one place is known in every other.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from huoyan.perception import plate_grammar as grammar
from huoyan.perception import plate_shape as shape

STRIDE = 8
_PARTS = 4
"""Heads of attention: a character is wider than a cell of the map, each head reads a part of it."""
_LEAST_SPREAD = 0.02
"""Of brightness, 0 to 1: noise on an even crop is not made larger than this allows."""


def _conv(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.second(self.first(x)))


def _same_light(x: torch.Tensor) -> torch.Tensor:
    """The crops, each brought to the same mean and spread over all its channels: under mud and at night strokes are
    as dark on their ground as by day."""
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    spread = (x - mean).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return 0.5 + 0.22 * (x - mean) / (spread + _LEAST_SPREAD)


class PlateNet(nn.Module):
    """float [N, 3, 48, 160] in 0..1 -> logits of characters [N, SLOTS, classes] and kinds [N, kinds], and where each
    slot looked [N, SLOTS, 2] (x, y as a share of the crop)."""

    def __init__(self, widths: tuple[int, int, int] = (24, 48, 96)) -> None:
        super().__init__()
        first, second, third = widths
        self.features = nn.Sequential(
            _conv(3, first, 2),
            _conv(first, second, 2),
            _Residual(second),
            _conv(second, third, 2),
            _Residual(third),
            _Residual(third),
        )
        rows, columns = shape.INPUT_HEIGHT // STRIDE, shape.INPUT_WIDTH // STRIDE
        self.place = nn.Parameter(torch.randn(rows * columns, third) * 0.02)
        self.slots = nn.Parameter(torch.randn(grammar.SLOTS, third) * 0.5)
        self.overview = nn.Linear(third, third)
        self.keys = nn.Linear(third, third)
        self.values = nn.Linear(third, 2 * third)
        self.characters = nn.Sequential(nn.LayerNorm(2 * third), nn.Linear(2 * third, len(grammar.ALPHABET)))
        self.kinds = nn.Sequential(
            nn.Linear(2 * third, third), nn.ReLU(), nn.Linear(third, len(grammar.KINDS))
        )
        # Which characters a slot tends to hold, apart from how they look.
        self.prior = nn.Parameter(torch.zeros(grammar.SLOTS, len(grammar.ALPHABET)))
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        grid = torch.stack([(x.flatten() + 0.5) / columns, (y.flatten() + 0.5) / rows], dim=1)
        self.register_buffer("grid", grid.float(), persistent=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        cells = self.features(_same_light(x)).flatten(2).transpose(1, 2)
        mean, peak = cells.mean(dim=1), cells.amax(dim=1)
        count, _, width = cells.shape
        queries = self.slots + self.overview(mean)[:, None]
        keys, values = self.keys(cells + self.place), self.values(cells)
        queries = queries.view(-1, grammar.SLOTS, _PARTS, width // _PARTS).transpose(1, 2)
        keys = keys.view(count, -1, _PARTS, width // _PARTS).transpose(1, 2)
        values = values.view(count, -1, _PARTS, 2 * width // _PARTS).transpose(1, 2)
        weights = torch.softmax(queries @ keys.transpose(2, 3) / (width // _PARTS) ** 0.5, dim=3)
        read = (weights @ values).transpose(1, 2).reshape(count, grammar.SLOTS, 2 * width)
        looked = weights.float().mean(dim=1) @ self.grid
        return (
            self.characters(read).float() + self.prior,
            self.kinds(torch.cat([mean, peak], dim=1)).float(),
            looked,
        )


class PlateGraph(nn.Module):
    """The network as it is exported: uint8 [N, 48, 160, 3] RGB -> probabilities of characters and of kinds."""

    def __init__(self, net: PlateNet) -> None:
        super().__init__()
        self.net = net
        self.eval()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        characters, kinds, _ = self.net(images.permute(0, 3, 1, 2).float() / 255)
        return torch.softmax(characters, dim=2), torch.softmax(kinds, dim=1)


def loss(
    output: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    texts: torch.Tensor,
    kinds: torch.Tensor,
    centres: torch.Tensor,
) -> torch.Tensor:
    """Cross entropy of characters and kinds; where a rendered character's place is known, attention is drawn to it.

    Args:
        output: of the network.
        texts: class by slot, [N, SLOTS].
        kinds: class of the kind, [N].
        centres: [N, SLOTS, 2], NaN where unknown.
    """
    characters, kind_logits, looked = output
    value = F.cross_entropy(characters.flatten(0, 1), texts.flatten(), label_smoothing=0.02)
    value = value + 0.15 * F.cross_entropy(kind_logits, kinds, label_smoothing=0.02)
    known = ~torch.isnan(centres)
    if known.any():
        value = value + 2.0 * F.smooth_l1_loss(looked[known], centres[known], beta=0.05)
    return value
