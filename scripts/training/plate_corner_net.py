"""The plate finder's network: where plates are centred, and their four corners from there.

Objects as points, after Zhou et al. (2019), "Objects as Points": a map of centres at stride 8, and at each centre the
way to the corners.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

STRIDE = 8
# Offsets are learnt in these units: half a plate of middle size.
_REACH_PX = 24.0


def _conv(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


class CornerNet(nn.Module):
    """float [N, 3, H, W] in 0..1, H and W multiples of 32 -> [N, 9, H / 8, W / 8]: logit of a centre, then the
    corners' x, y relative to the cell's middle, in units of `_REACH_PX`."""

    def __init__(self, widths: tuple[int, int, int, int] = (12, 24, 48, 64)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.fine = nn.Sequential(_conv(3, a, 2), _conv(a, b, 2), _conv(b, c, 2), _conv(c, c))
        self.coarse = nn.Sequential(_conv(c, d, 2), _conv(d, d), _conv(d, d, 2), _conv(d, d))
        self.down = nn.Conv2d(d, c, 1)
        self.head = nn.Sequential(_conv(c, c), nn.Conv2d(c, 9, 1))
        # Nearly every cell is no centre: start there.
        final = self.head[-1]
        assert isinstance(final, nn.Conv2d) and final.bias is not None
        nn.init.constant_(final.bias[:1], -4.0)
        nn.init.normal_(final.weight, std=0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = self.fine(x)
        coarse = F.interpolate(self.down(self.coarse(fine)), scale_factor=4.0, mode="nearest")
        output: torch.Tensor = self.head(fine + coarse)
        return output


class CornerGraph(nn.Module):
    """The network as it is exported: uint8 [N, H, W, 3] RGB -> [N, H / 8 * W / 8, 9]: score, then the corners x, y in
    pixels, clockwise from the plate's top left. Cells of one plate are not suppressed."""

    def __init__(self, net: CornerNet) -> None:
        super().__init__()
        self.net = net
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        output = self.net(images.permute(0, 3, 1, 2).float() / 255)
        height, width = output.shape[2], output.shape[3]
        y = (torch.arange(height, dtype=torch.float32) + 0.5).view(1, 1, height, 1) * STRIDE
        x = (torch.arange(width, dtype=torch.float32) + 0.5).view(1, 1, 1, width) * STRIDE
        offsets = output[:, 1:] * _REACH_PX
        corners = torch.stack([offsets[:, 0::2] + x, offsets[:, 1::2] + y], dim=2).flatten(1, 2)
        return torch.cat([torch.sigmoid(output[:, :1]), corners], dim=1).flatten(2).transpose(1, 2)


def loss(output: torch.Tensor, quads: list[torch.Tensor]) -> torch.Tensor:
    """Focal loss of the centres, distance of the corners, both per plate.

    Args:
        output: of the network.
        quads: the plates of each picture, [k, 4, 2] px.
    """
    count, _, height, width = output.shape
    heat = torch.zeros(count, height, width)
    wanted = torch.zeros(count, 8, height, width)
    near = torch.zeros(count, height, width)
    y = (torch.arange(height) + 0.5)[:, None] * STRIDE
    x = (torch.arange(width) + 0.5)[None, :] * STRIDE
    plates = 0
    for index, own in enumerate(quads):
        for quad in own:
            plates += 1
            centre, extent = quad.mean(dim=0), quad.amax(dim=0) - quad.amin(dim=0)
            # A plate's cells by how near its middle they are, measured by its own size.
            spread_x, spread_y = (torch.clamp(extent[i] / 7, min=STRIDE * 0.55) for i in (0, 1))
            bump = torch.exp(
                -((x - centre[0]) ** 2) / (2 * spread_x**2) - (y - centre[1]) ** 2 / (2 * spread_y**2)
            )
            row = int((centre[1] / STRIDE).clamp(0, height - 1))
            column = int((centre[0] / STRIDE).clamp(0, width - 1))
            bump[row, column] = 1.0
            closer = bump > heat[index]
            heat[index] = torch.where(closer, bump, heat[index])
            offsets = torch.stack(
                [(quad[i, j] - (x if j == 0 else y)).expand(height, width) for i in range(4) for j in (0, 1)]
            )
            wanted[index] = torch.where(closer, offsets / _REACH_PX, wanted[index])
            near[index] = torch.where(closer & (bump > 0.3), bump, near[index])
    logit = output[:, 0]
    chance = torch.sigmoid(logit)
    is_centre = (heat > 0.999).float()
    missed = -F.logsigmoid(logit) * (1 - chance) ** 2 * is_centre
    false = -F.logsigmoid(-logit) * chance**2 * (1 - heat) ** 4 * (1 - is_centre)
    # Corner errors count by the plate's size, which the distance of its own corners tells.
    size = wanted.abs().mean(dim=1, keepdim=True).clamp(min=0.1)
    distance = F.smooth_l1_loss(output[:, 1:] / size, wanted / size, reduction="none", beta=0.1).mean(dim=1)
    return (missed.sum() + false.sum()) / max(1, plates) + 4.0 * (distance * near).sum() / near.sum().clamp(
        min=1.0
    )
