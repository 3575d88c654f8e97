"""Export `road-n`: the vehicles and people of Ultralytics' YOLOv8 nano as it was trained on COCO, nothing added.

    python scripts/export_road.py --weights ../shared/data/weights/yolov8n.pt --to models/road-n.onnx

Of its eighty classes six are kept; the others leave the graph. Nothing is trained here: the card says what was seen on
pictures of trucks (`--data`), which COCO's pictures are not.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import torch
from ultralytics import YOLO

import training.ultralytics_env  # noqa: F401
from huoyan.perception.detector import Detector
from training.export import DetectorGraph, halve, write, write_card

CLASSES = {"person": 0, "bicycle": 1, "car": 2, "motorcycle": 3, "bus": 5, "truck": 7}
THRESHOLDS = {"truck": 0.3, "bus": 0.5, "car": 0.5, "person": 0.4, "bicycle": 0.4, "motorcycle": 0.4}
# Labelled trucks of at least so many pixels are looked for in their whole pictures.
_LEAST_PX = 60
_TRUCKS = ("dump_truck", "mixer_truck")


class RoadGraph(DetectorGraph):
    """The detector with the scores of some classes only."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """As `DetectorGraph.forward`."""
        found = super().forward(images)
        return torch.cat([found[..., :4], found[..., [4 + index for index in CLASSES.values()]]], dim=2)


def main() -> None:
    """Export, look, write the card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True, help="yolov8n.pt")
    parser.add_argument("--data", type=Path, help="folder of real data, to see how many trucks are found")
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    graph = RoadGraph(YOLO(str(options.weights)).model)
    worst = write(graph, ("images",), "predictions", {0: "n", 1: "anchors"}, options.to)
    halve(options.to)
    card: dict[str, Any] = {
        "name": options.to.stem,
        "version": "0.1.0",
        "task": "detect",
        "summary": "vehicles and people as cameras of streets and gates see them (YOLOv8 nano, COCO)",
        "classes": list(CLASSES),
        "input": {"long_side": 512},
        "thresholds": THRESHOLDS,
        "nms_iou": 0.6,
        "data": ["COCO 2017 (CC BY 4.0 annotations); not by us"],
        "licence": "AGPL-3.0-only",
        "figures": {"weights": "yolov8n.pt", "parity": float(f"{worst:.1g}")},
    }
    write_card(card, options.to)
    if options.data:
        seen = _seen(options.to, options.data)
        write_card({**card, "figures": {**card["figures"], **seen}}, options.to)


def _seen(model: Path, data: Path) -> dict[str, Any]:
    """Of labelled trucks in three sets, how many are found as trucks, and as buses or cars."""
    detector = Detector(model)
    figures: dict[str, Any] = {
        "measure": f"labelled trucks of {_LEAST_PX} px or more found with IoU 0.5, at the threshold"
    }
    for part, names in (("machinery/train", "machinery/classes.txt"), ("site/train", "site/classes.txt")):
        words = (data / names).read_text(encoding="utf-8").split()
        count: Counter[str] = Counter()
        for labels in sorted((data / part / "labels").glob("*.txt")):
            rows = [line.split() for line in labels.read_text(encoding="utf-8").splitlines()]
            rows = [row for row in rows if words[int(row[0])] in _TRUCKS]
            path = next((data / part / "images").glob(f"{labels.stem}.*"), None)
            if not rows or path is None:
                continue
            image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            height, width = image.shape[:2]
            found = detector.detect([image])[0]
            for row in rows:
                x, y, w, h = (
                    float(v) * s for v, s in zip(row[1:5], (width, height, width, height), strict=True)
                )
                if min(w, h) >= _LEAST_PX:
                    box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
                    same = [d for d in found if _iou(d.box, box) >= 0.5]
                    count[max(same, key=lambda d: d.score).label if same else "missed"] += 1
        figures[part] = dict(count)
    return figures


def _iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


if __name__ == "__main__":
    main()
