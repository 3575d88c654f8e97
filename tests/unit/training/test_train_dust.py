"""The dust classifier's script from pictures to a registered model, in a few steps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from huoyan import evaluate
from huoyan.perception import models
from huoyan.perception.dust import DustClassifier

torch = pytest.importorskip("torch", reason="needs the train extra (make setup-train)")
pytest.importorskip("onnxslim", reason="needs the train extra (make setup-train)")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of brown and blue noise, random weights in place of ImageNet's, and the shipped settings."""
    from training import lite0

    folder = tmp_path_factory.mktemp("dust")
    rng = np.random.default_rng(1)
    (folder / "data" / "own").mkdir(parents=True)
    rows = ["file,dust,smoke,haze"]
    for number in range(12):
        dusty = number % 3 == 0
        image = rng.integers(0, 40, (96, 128, 3)) + np.array((60, 120, 170) if dusty else (170, 90, 40))
        cv2.imwrite(str(folder / "data" / "own" / f"p{number}_001.png"), image.astype(np.uint8))
        rows.append(f"p{number}_001.png,{int(dusty)},0,")
    (folder / "data" / "own" / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    torch.save(lite0.layers().state_dict(), folder / "random.pth")
    shipped = yaml.safe_load((ROOT / "scripts" / "configs" / "dust.yaml").read_text(encoding="utf-8"))
    config = {
        **shipped,
        "name": "brown-s",
        "weights": "random.pth",
        "long_side": 96,
        "sets": [{"folder": "own", "part": "own", "table": "labels.csv", "crops": 2}],
        "train": {**shipped["train"], "crops_of_dust": 4},
        "judge": {**shipped["judge"], "folds": 2, "threshold_on": "own"},
    }
    (folder / "brown.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return folder


def run(work: Path, command: str, *options: object) -> str:
    words = [ROOT / "scripts" / "train_dust.py", command, work / "brown.yaml", "--data", work / "data"]
    words += ["--weights", work, "--work", work / "work", *options]
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_pictures_to_a_registered_model(work: Path) -> None:
    told = run(work, "validate")
    assert "fold 2" in told and "threshold" in told
    run(work, "train")
    first = (work / "work" / "last.npz").read_bytes()
    (work / "work" / "rows.npz").unlink()
    run(work, "validate")
    run(work, "train")
    assert (work / "work" / "last.npz").read_bytes() == first, "the seed decides everything"
    assert "largest difference" in run(work, "export", "--to", work / "brown-s.onnx")
    assert models.verify(work / "brown-s.onnx").problems == ()
    card = yaml.safe_load((work / "brown-s.card.yaml").read_text(encoding="utf-8"))
    assert card["figures"]["training"]["parity"] < 0.02, "weights are kept as float16"
    assert card["figures"]["held_back"]["own"]["pictures"] == 12
    classifier = DustClassifier(work / "brown-s.onnx")
    assert classifier.classes == ("dust", "smoke", "haze")
    assert evaluate.dust(work / "data" / "own", work / "brown-s.onnx")["n"] == 12
    assert "png" in run(work, "sheets")


def test_scores_of_other_pictures_are_refused(work: Path) -> None:
    run(work, "validate")
    (work / "data" / "own" / "labels.csv").write_text(
        "file,dust\np0_001.png,1\np1_001.png,0\n", encoding="utf-8"
    )
    words = [sys.executable, ROOT / "scripts" / "train_dust.py", "export", work / "brown.yaml"]
    words += ["--data", work / "data", "--work", work / "work", "--to", work / "x.onnx"]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "run `validate` first" in done.stderr
