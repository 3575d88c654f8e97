"""The change detector's script from pairs to a registered model, in a few steps on houses of one colour."""

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

torch = pytest.importorskip("torch", reason="needs the train extra (make setup-train)")
pytest.importorskip("ultralytics", reason="needs the train extra (make setup-train)")
pytest.importorskip("onnxslim", reason="needs the train extra (make setup-train)")
ROOT = Path(__file__).resolve().parents[3]


def write_set(folder: Path, count: int, gsd_m: float = 0.5) -> None:
    """Pairs with a white house that is new in every second one; the last rows of places are held back.

    The ground is speckled on fine pictures and smooth on coarse ones: nothing else tells them apart.
    """
    rng = np.random.default_rng(2)
    rows = ["tile,source_id,scene,gsd_m,kind"]
    for part in ("A", "B", "label"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        side = 96 if gsd_m < 2 else 8
        before = cv2.resize(rng.integers(60, 120, (side, side, 3), dtype=np.uint8), (96, 96))
        after, label = before.copy(), np.zeros((96, 96), np.uint8)
        if number % 2:
            after[30:60, 20:70], label[30:60, 20:70] = 240, 255
        for part, image, suffix in (("A", before, "jpg"), ("B", after, "jpg"), ("label", label, "png")):
            cv2.imwrite(str(folder / part / f"t{number}.{suffix}"), image)
        kind = "new_building" if number % 2 else "none"
        rows.append(f"t{number},town,{'far' if number >= count - 4 else 'near'},{gsd_m},{kind}")
    (folder / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def run(work: Path, command: str, *options: object) -> str:
    words = [ROOT / "scripts" / "train_change.py", command, work / "change.yaml", "--data", work / "data"]
    words += ["--weights", ROOT.parent / "shared" / "data" / "weights", "--work", work / "work", *options]
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_pairs_to_a_registered_model(tmp_path: Path, shared_data: Path) -> None:
    assert (shared_data / "weights" / "yolov8n.pt").is_file()
    write_set(tmp_path / "data" / "town", 12)
    write_set(tmp_path / "data" / "judge", 4)
    write_set(tmp_path / "data" / "wide", 8, 2.5)
    write_set(tmp_path / "data" / "judge_wide", 4, 2.5)
    write_set(tmp_path / "more", 8)
    shipped = yaml.safe_load((ROOT / "scripts" / "configs" / "change.yaml").read_text(encoding="utf-8"))
    config = {
        **shipped,
        "name": "town-s",
        "sets": [{"folder": name, "held_back_scenes": ["far"]} for name in ("town", "wide")],
        "more": {"held_back_scenes": ["far"]},
        "tests": [{"folder": "judge"}, {"folder": "judge_wide"}],
        "augment": {**shipped["augment"], "crop": 64},
        "train": {**shipped["train"], "batch": 4, "frozen_stages": 1},
        "judge": {"every": 1, "most_quiet": 0.5, "as_good": 0.02},
    }
    (tmp_path / "change.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    told = run(tmp_path, "train", "--epochs", 1, "--more", tmp_path / "more")
    # Eight near pairs, four coarse ones and four further ones; four far ones of each.
    assert "16 pairs to train, 12 held back" in told
    first = torch.load(tmp_path / "work" / "last.pt", weights_only=True)
    told = run(tmp_path, "train", "--epochs", 2, "--resume")
    assert "epoch 2" in told and "epoch 1:" not in told
    second = torch.load(tmp_path / "work" / "last.pt", weights_only=True)
    assert second["steps"] > first["steps"]
    head = "head.weight"
    assert not torch.equal(first["net"][head], second["net"][head])
    frozen = "stages.0.0.conv.weight"
    assert torch.equal(first["net"][frozen], second["net"][frozen])
    target = tmp_path / "models" / "town-s.onnx"
    target.parent.mkdir()
    run(tmp_path, "export", "--to", target)
    assert models.verify("town-s", target.parent).problems == ()
    card = models.load("town-s", target.parent).card
    assert card.figures["training"]["parity"] < 1e-3
    assert card.figures["test"]["all"]["pairs"] == 8
    assert card.figures["told_apart"]["test"] == {"town 0.5 m": [4, 4], "town 2.5 m": [4, 4]}
    assert card.peak is not None and card.peak >= card.threshold()
    for folder, grain in (("judge", "fine"), ("judge_wide", "coarse")):
        # Nobody says how large a pixel is: the model is to find the point that the script judged it at.
        (tmp_path / "data" / folder / "index.csv").rename(tmp_path / f"{folder}.csv")
        judged = evaluate.change("town-s", tmp_path / "data" / folder, models_folder=target.parent)
        assert judged["f1_pooled"] == pytest.approx(card.figures["test"][grain]["f1"], abs=2e-3)
        (tmp_path / f"{folder}.csv").rename(tmp_path / "data" / folder / "index.csv")
    run(tmp_path, "sheets")
    assert list((tmp_path / "work" / "sheets").iterdir())


def test_the_order_of_the_dates_does_not_matter() -> None:
    import training.ultralytics_env  # noqa: F401
    from training import change_net

    torch.manual_seed(0)
    net = change_net.ChangeNet().eval()
    one, other = torch.rand(2, 1, 3, 64, 96)
    with torch.inference_mode():
        assert net(one, other).shape == (1, 64, 96)
        assert torch.allclose(net(one, other), net(other, one), atol=1e-5)
