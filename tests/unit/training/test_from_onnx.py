"""Exported detectors as models that can be trained further. Needs the `train` extra."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra (make setup-train)")
pytest.importorskip("ultralytics", reason="needs the train extra (make setup-train)")

from ultralytics.nn.tasks import DetectionModel  # noqa: E402

from training import export, from_onnx  # noqa: E402

# The exporter that we use on purpose: its graphs are the ones that `from_onnx` reads.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")

CLASSES = ["excavator", "crane", "hoarding"]
BatchNorm = torch.nn.BatchNorm2d


def shown() -> Any:
    return torch.rand(8, 3, 128, 128, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def trained() -> Any:
    """A detector whose normalisations are far from the identity, as after training."""
    torch.manual_seed(0)
    model = DetectionModel("yolov8n.yaml", nc=3, verbose=False)
    for module in model.modules():
        if isinstance(module, BatchNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.3)
            module.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(shown())
    return model.eval()


@pytest.fixture(scope="module")
def exported(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    export.write(
        export.DetectorGraph(copy.deepcopy(trained)), ("images",), "predictions", {0: "n", 1: "anchors"}, path
    )
    return path


def outputs(model: Any, pictures: Any) -> Any:
    with torch.inference_mode():
        return model(pictures)[0]


def test_the_outputs_are_those_before_the_export(trained: Any, exported: Path) -> None:
    pictures = torch.rand(2, 3, 96, 64)
    model = from_onnx.read(exported, CLASSES)
    assert model.names == dict(enumerate(CLASSES))
    np.testing.assert_allclose(outputs(model, pictures), outputs(trained, pictures), rtol=1e-3, atol=1e-3)


def test_a_file_of_half_the_size_gives_the_same_model_to_the_rounding(exported: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.onnx"
    small.write_bytes(exported.read_bytes())
    export.halve(small)
    assert small.stat().st_size < 0.6 * exported.stat().st_size
    state, whole = from_onnx.read(small, CLASSES).state_dict(), from_onnx.read(exported, CLASSES).state_dict()
    assert any(not torch.equal(state[name], value) for name, value in whole.items()), "nothing was halved"
    for name, value in whole.items():
        torch.testing.assert_close(state[name], value, rtol=1e-3, atol=1e-6)


def test_settling_restores_the_normalisations_and_not_the_outputs(trained: Any, exported: Path) -> None:
    model = from_onnx.read(exported, CLASSES)
    pictures = torch.rand(2, 3, 64, 96)
    before = outputs(model, pictures)
    from_onnx.settle(model, shown().split(3))
    np.testing.assert_allclose(outputs(model, pictures), before, rtol=1e-3, atol=1e-3)
    # Gains and offsets that the export folded away come back, but for the share of eps in small deviations.
    for kind in ("weight", "bias"):
        wanted, got = (
            np.concatenate([getattr(m, kind).detach() for m in one.modules() if isinstance(m, BatchNorm)])
            for one in (trained, model)
        )
        assert np.corrcoef(got, wanted)[0, 1] > 0.99


def test_in_training_mode_a_settled_model_says_what_it_says_in_use(exported: Path) -> None:
    torch.manual_seed(2)
    pictures = torch.rand(16, 3, 64, 96)

    def difference(model: Any) -> float:
        with torch.no_grad():
            used = model(pictures)[1]["scores"]
            training = copy.deepcopy(model).train()(pictures)["scores"]
        return float((used - training).abs().mean())

    model = from_onnx.read(exported, CLASSES)
    unsettled = difference(model)
    from_onnx.settle(model, [pictures])
    assert difference(model) < 0.2 * unsettled


def test_other_files_are_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a detector of 2 classes, got 3"):
        from_onnx.read(exported, ["red", "green"])
    import onnx

    model = onnx.load(str(exported))
    for tensor in model.graph.initializer:
        tensor.name = f"x{tensor.name}"
    onnx.save(model, str(tmp_path / "other.onnx"))
    with pytest.raises(ValueError, match="not a float YOLOv8 detector"):
        from_onnx.read(tmp_path / "other.onnx", CLASSES)


def test_there_must_be_a_picture_to_settle_on(exported: Path) -> None:
    with pytest.raises(ValueError, match="no picture"):
        from_onnx.settle(from_onnx.read(exported, CLASSES), [])
