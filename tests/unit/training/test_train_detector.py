"""The detector's script from pictures to a registered model, in a few steps on pictures of coloured squares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from huoyan.perception import models
from huoyan.perception.detector import Detector

pytest.importorskip("torch", reason="needs the train extra (make setup-train)")
pytest.importorskip("ultralytics", reason="needs the train extra (make setup-train)")
ROOT = Path(__file__).resolve().parents[3]
COLOURS = {"red": (0, 0, 255), "green": (0, 255, 0)}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data of two sources, one of which labels only one class, and a configuration."""
    folder = tmp_path_factory.mktemp("train")
    rng = np.random.default_rng(1)
    for part in ("images", "labels"):
        (folder / "data" / "squares" / part).mkdir(parents=True)
    (folder / "data" / "squares" / "classes.txt").write_text("red\ngreen\n", encoding="utf-8")
    for number in range(12):
        image = rng.integers(90, 130, (120, 160, 3), dtype=np.uint8)
        rows = []
        for index, colour in enumerate(COLOURS.values()):
            x, y = int(rng.integers(0, 120)), int(rng.integers(0, 80))
            image[y : y + 40, x : x + 40] = colour
            rows.append(f"{index} {(x + 20) / 160:.4f} {(y + 20) / 120:.4f} 0.25 0.3333")
        name = f"{'yard' if number % 2 else 'hill'}_{number:02d}"
        cv2.imwrite(str(folder / "data" / "squares" / "images" / f"{name}.png"), image)
        kept = rows if number % 2 else rows[:1]
        label = folder / "data" / "squares" / "labels" / f"{name}.txt"
        label.write_text("\n".join(kept) + "\n", encoding="utf-8")
    own = yaml.safe_load((ROOT / "scripts" / "configs" / "site.yaml").read_text(encoding="utf-8"))["train"]
    config = {
        "name": "squares-n",
        "weights": "yolov8n.pt",
        "summary": "coloured squares",
        "classes": list(COLOURS),
        "sets": [
            {
                "folder": "squares",
                "names": "squares/classes.txt",
                "labelled": {"yard": ["red", "green"], "hill": ["red"]},
                "held_back": ["yard_09", "yard_11", "hill_10"],
            }
        ],
        "train": {**own, "imgsz": 64, "batch": 4, "close_mosaic": 1},
        "judge": {"long_side": 160, "nms_iou": 0.6, "every": 1},
    }
    (folder / "squares.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return folder


def run(work: Path, command: str, *options: object) -> str:
    words = [ROOT / "scripts" / "train_detector.py", command, work / "squares.yaml", "--data", work / "data"]
    words += ["--weights", ROOT.parent / "shared" / "data" / "weights", "--work", work / "work", *options]
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_from_pictures_to_a_registered_model(work: Path, shared_data: Path) -> None:
    assert (shared_data / "weights" / "yolov8n.pt").is_file()
    run(work, "train", "--epochs", 1)
    first = (work / "work" / "run" / "weights" / "last.pt").read_bytes()
    # Twelve pictures and two epochs teach nothing; that every part of the way works is what counts.
    told = run(work, "train", "--epochs", 2, "--start", work / "work" / "run" / "weights" / "last.pt")
    assert '"map"' in told
    assert (work / "work" / "run" / "weights" / "last.pt").read_bytes() != first
    target = work / "models" / "squares-n.onnx"
    target.parent.mkdir()
    run(work, "export", "--to", target)
    assert models.verify("squares-n", target.parent).problems == ()
    card = models.load("squares-n", target.parent).card
    assert card.figures["training"]["parity"] < 1e-2
    assert card.figures["classes"]["red"]["boxes"] == 3
    assert card.figures["classes"]["green"]["pictures"] == 2
    low, high = card.figures["map50_interval"]
    assert low <= card.figures["map50"] <= high
    picture = cv2.imread(str(work / "data" / "squares" / "images" / "yard_09.png"))
    Detector("squares-n", folder=target.parent).detect([np.asarray(picture)])
    run(work, "train", "--epochs", 1, "--start", target)
    run(work, "sheets", "--model", target)
    assert list((work / "work" / "sheets").iterdir())


def test_suppression_in_the_place_of_torchvisions() -> None:
    import torch

    from training import ultralytics_env

    boxes = torch.tensor(
        [[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30], [0, 0, 10, 9]], dtype=torch.float32
    )
    scores = torch.tensor([0.5, 0.9, 0.95, 0.6])
    # 0 and 1 share 81 of 119, 1 and 3 share 72 of 118.
    assert ultralytics_env.suppress(boxes, scores, 0.5).tolist() == [2, 1]
    assert ultralytics_env.suppress(boxes, scores, 0.65).tolist() == [2, 1, 3]
    assert ultralytics_env.suppress(boxes[:0], scores[:0], 0.5).tolist() == []
