"""Makes Ultralytics load anywhere, and keeps it off the network. Import this module before it.

Ultralytics imports torchvision, whose compiled part only loads beside the very build of torch that it was made for: on
a machine without a GPU, the wheels of a plain `pip install` often are none. Of all its operators training and export
need one, suppression, and that is written quickly.

It also looks for the internet at every start, and reports its use where it finds it: not from here. And it replaces
Pillow's `Image.open` by one that installs packages when a picture is damaged: put back here.
"""

from __future__ import annotations

import importlib
import os

import torch
from PIL import Image

os.environ.setdefault("YOLO_OFFLINE", "true")

_library: torch.library.Library | None = None


def suppress(boxes: torch.Tensor, scores: torch.Tensor, limit: float) -> torch.Tensor:
    """Greedy non-maximum suppression.

    Args:
        boxes: float [n, 4], xyxy.
        scores: float [n].
        limit: a box goes when a better one that stays overlaps it by more (intersection over union).

    Returns:
        int64 indices of what stays, best first.
    """
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        low = torch.maximum(boxes[best, :2], boxes[rest, :2])
        high = torch.minimum(boxes[best, 2:], boxes[rest, 2:])
        common = (high - low).clamp(min=0).prod(dim=1)
        sides = boxes[:, 2:] - boxes[:, :2]
        union = sides[best].prod() + sides[rest].prod(dim=1) - common
        order = rest[common <= limit * union]
    return torch.stack(kept) if kept else torch.zeros(0, dtype=torch.long)


def provide() -> bool:
    """Make `import torchvision` work; returns whether anything had to be done for it."""
    global _library
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        # "operator torchvision::nms does not exist": its compiled part did not load.
        pass
    else:
        return False
    if _library is None:
        _library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _library.impl("nms", suppress, "CPU")
    import torchvision.extension

    # It would refuse the call because of the part that is missing.
    torchvision.extension._has_ops = lambda: True
    return True


provide()
_open = Image.open
importlib.import_module("ultralytics")
importlib.import_module("ultralytics.utils.patches")
Image.open = _open
