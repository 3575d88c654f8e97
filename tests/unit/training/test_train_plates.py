"""The plates' script from crops to registered models, in a few steps: every part of the way works."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from huoyan import evaluate
from huoyan.perception import models
from huoyan.perception.plates import PlateFinder, PlateReader
from training import plate_render

pytest.importorskip("torch", reason="needs the train extra (make setup-train)")
pytest.importorskip("onnxslim", reason="needs the train extra (make setup-train)")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """Rendered plates as if they were real crops and pictures, and the shipped configuration made small."""
    folder = tmp_path_factory.mktemp("plates")
    press = plate_render.Press(shared_data / "plates" / "templates")
    rng = np.random.default_rng(0)
    own = folder / "data" / "own"
    for part in ("crops", "images", "labels"):
        (own / part).mkdir(parents=True)
    rows, scenes, boxes = [], [], "0 0.5 0.5 0.8 0.8\n"
    for number in range(24):
        kind, colour = (("blue", "blue"), ("yellow_double", "yellow"))[number % 2]
        plate = press.plate(kind, rng)
        cut = plate_render.crop(plate, rng)
        name = f"own_{number:02d}.png"
        cv2.imwrite(str(own / "crops" / name), cut.image[..., ::-1])
        rows.append({"file": name, "text": plate.text, "colour": colour, "type": kind})
        picture = rng.integers(60, 120, (240, 320, 3), dtype=np.uint8)
        height, width = plate.image.shape[:2]
        picture[60 : 60 + height // 2, 90 : 90 + width // 2] = plate.image[::2, ::2][
            : height // 2, : width // 2
        ]
        cv2.imwrite(str(own / "images" / name), picture[..., ::-1])
        right, bottom = 90 + width // 2, 60 + height // 2
        corners = dict(x1=90, y1=60, x2=right, y2=60, x3=right, y3=bottom, x4=90, y4=bottom)
        scenes.append({"file": name, "text": plate.text, "type": kind, **corners})
        (own / "labels" / f"own_{number:02d}.txt").write_text(boxes, encoding="utf-8")
    with (own / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("file", "text", "colour", "type"))
        writer.writeheader()
        writer.writerows(rows)
    (own / "labels.jsonl").write_text("\n".join(json.dumps(s) for s in scenes) + "\n", encoding="utf-8")
    (own / "classes.txt").write_text("dump_truck\n", encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(
        (ROOT / "scripts" / "configs" / "plates.yaml").read_text(encoding="utf-8")
    )
    config["crops"] = ["own"]
    config["held_back_one_in"] = {"default": 3}
    config["templates"] = str(shared_data / "plates" / "templates")
    config["train"]["batch"] = 4
    config["train"]["kinds"] = {"blue": 1, "yellow_double": 1}
    config["corners"]["scenes"] = ["own"]
    config["corners"]["vehicles"] = [{"folder": "own", "names": "own/classes.txt", "labels": ["dump_truck"]}]
    config["corners"]["train"] |= {"batch": 2, "side": 96}
    (folder / "own.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return folder


def run(work: Path, part: str, command: str, *options: object) -> str:
    words: list[object] = [ROOT / "scripts" / "train_plates.py", command, work / "own.yaml", "--part", part]
    words += ["--data", work / "data", "--work", work / part, *options]
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_reader_from_crops_to_a_registered_model(work: Path) -> None:
    run(work, "reader", "train", "--steps", 3, "--every", 2)
    told = run(work, "reader", "train", "--steps", 5, "--every", 5, "--resume")
    assert "step 5:" in told and "step 3:" not in told
    path = work / "plate-reader.onnx"
    run(work, "reader", "export", "--to", path)
    assert models.verify(path).problems == ()
    card = models.load(path).card
    assert card.figures["training"]["steps"] == 5
    assert card.figures["training"]["parity"] < 1e-4
    assert card.figures["held_back"]["all"]["n"] > 0
    # Five steps teach nothing: a network that knows nothing must not claim to read.
    reads = PlateReader(path).read([np.full((30, 90, 3), 120, np.uint8)])
    assert reads[0].text == ""
    assert evaluate.plates(work / "data" / "own", model=path)["n"] == 24
    run(work, "reader", "sheets")
    assert list((work / "reader" / "sheets").glob("reader_*.png"))


def test_finder_from_pictures_to_a_registered_model(work: Path) -> None:
    run(work, "corners", "train", "--steps", 4, "--every", 2)
    path = work / "plate-corners.onnx"
    run(work, "corners", "export", "--to", path)
    assert models.verify(path).problems == ()
    assert models.load(path).card.figures["training"]["parity"] < 1e-2  # of pixels
    assert models.load(path).card.input.long_side == 96
    assert isinstance(PlateFinder(path).find(np.zeros((120, 200, 3), np.uint8)), list)
    run(work, "corners", "sheets")
    assert list((work / "corners" / "sheets").glob("corners_*.png"))
