"""Eight-bit copies of detectors: what stays in float, and whether they are shipped. Needs the `train` extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra (make setup-train)")
pytest.importorskip("ultralytics", reason="needs the train extra (make setup-train)")

import onnx

import quantise
from huoyan.perception import models
from training import int8
from training.data import Picture
from training.scoring import Tally


@pytest.fixture(scope="module")
def frames() -> list[Any]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (3, 6, 10, 3), dtype=np.uint8)
    return [picture.repeat(16, 0).repeat(16, 1)[None] for picture in coarse]


@pytest.fixture(scope="module", params=["everything", "convolutions"])
def copy(request: pytest.FixtureRequest, frames: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("int8") / "site-n.int8.onnx"
    (scheme,) = (scheme for scheme in int8.SCHEMES if scheme.name == request.param)
    kept = int8.quantise(models.load("site-n").path, frames, scheme, target)
    # Three scales with a last convolution for boxes and one for scores, and the one that decodes distances.
    assert len(kept) == 7 and all(".22/" in name for name in kept)
    return target


def test_weights_are_bytes_and_what_decodes_is_not(copy: Path) -> None:
    graph = onnx.load(str(copy)).graph
    numbers = [t for t in graph.initializer if len(t.dims) == 4]
    small = [t for t in numbers if t.data_type == onnx.TensorProto.INT8]
    # 64 convolutions: 63 of the network, of which six are last ones, and that of the distances.
    assert len(small) == 57 and len(numbers) == 64
    scales = {t.name: t for t in graph.initializer}
    by_channel = next(
        n for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] == small[0].name
    )
    assert list(scales[by_channel.input[1]].dims) == [small[0].dims[0]]
    assert copy.stat().st_size < models.load("site-n").path.stat().st_size / 3


def test_stages_may_stay_in_float(frames: list[Any], tmp_path: Path) -> None:
    (scheme,) = (scheme for scheme in int8.SCHEMES if scheme.name == "everything but the first five stages")
    kept = int8.quantise(models.load("site-n").path, frames, scheme, tmp_path / "part.onnx")
    stages = {int(name.split("model.")[1].split("/")[0]) for name in kept}
    assert stages == {0, 1, 2, 3, 4, 22} and sum(".22/" in name for name in kept) == 7


def test_it_says_what_the_model_says(copy: Path, frames: list[Any]) -> None:
    wanted = int8.session(models.load("site-n").path, 1)(frames[0])
    got = int8.session(copy, 1)(frames[0])
    assert got.shape == wanted.shape
    assert np.abs(got[..., 4:] - wanted[..., 4:]).max() < 0.1
    assert not np.array_equal(got, wanted)
    # Other sizes than those it was calibrated on.
    assert int8.session(copy, 1)(np.zeros((2, 64, 32, 3), np.uint8)).shape == (2, 42, wanted.shape[2])


def tally(*hits: bool, total: int = 1) -> Tally:
    scores = np.linspace(0.9, 0.5, len(hits), dtype=np.float32)
    return Tally(scores, np.array(hits, dtype=bool), total, True)


def test_only_classes_with_enough_boxes_are_compared() -> None:
    many, few = [tally(True)] * 20, [tally(True)] * 20
    few = [tally(total=0)] * 18 + few[:2]
    assert list(quantise.compared({"many": many, "few": few})) == ["many"]
    assert list(quantise.compared({"few": few})) == ["few"]
    worse = [tally(False)] * 5 + [tally(True)] * 15
    gain, (low, high) = quantise.difference({"many": many, "few": few}, {"many": worse, "few": few})
    assert gain < -20 and low < gain < high < 0
    assert quantise.difference({"many": many}, {"many": many}) == (0.0, [0.0, 0.0])


def test_every_source_is_calibrated_on(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"often_{n}" for n in range(50)] + ["rare_1", "other_1"]
    pictures = [Picture(Path(f"{n}.jpg"), "set", "train", (), frozenset()) for n in names]
    pictures.append(Picture(Path("judged_1.jpg"), "set", "val", (), frozenset()))
    read: list[str] = []

    def read_rgb(path: Path) -> Any:
        read.append(path.stem)
        return np.zeros((30, 40, 3), dtype=np.uint8)

    monkeypatch.setattr(quantise.train_detector, "read_rgb", read_rgb)
    frames = quantise.calibration(pictures, 6, 64, seed=1)
    assert len(frames) == 6 and frames[0].shape == (1, 64, 64, 3)
    assert {"rare_1", "other_1"} <= set(read) and "judged_1" not in read
