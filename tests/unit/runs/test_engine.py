from __future__ import annotations

from pathlib import Path

import pytest

from huoyan import config
from huoyan.errors import ModelError
from huoyan.records import Observations, Skip
from huoyan.runs import engine
from huoyan.runs.prepare import prepare
from huoyan.sources import discover

from ...support.county import write_county


def looked(path: Path, workers: int) -> list[tuple[str, str]]:
    loaded = config.load(path)
    told = []
    work = [(unit, frozenset[str]()) for unit in discover(loaded).units]
    for unit, result in engine.run(prepare(loaded).settings, work, workers):
        if isinstance(result, Observations):
            what = f"{result.frame.frame_id} {[item.detection.label for item in result.items]}"
        else:
            what = result.code if isinstance(result, Skip) else "done"
        told.append((unit.unit_id, what))
    return told


def test_results_come_in_the_order_of_the_work(tmp_path: Path) -> None:
    path = write_county(tmp_path, ("cam-1", "cam-2"), frames=6, video_s=4)
    broken = sorted((tmp_path / "archive/camera/cam-2").iterdir())[2]
    broken.write_bytes(broken.read_bytes()[:3000])
    alone = looked(path, 1)
    units = [unit.unit_id for unit in discover(config.load(path)).units]
    assert [unit for unit, what in alone if what == "done"] == units
    assert sum(what not in ("done",) for _, what in alone) == 16
    assert looked(path, 2) == alone


def test_a_missing_model_stops_it(tmp_path: Path) -> None:
    path = write_county(tmp_path, frames=1)
    settings = prepare(config.load(path)).settings
    (tmp_path / "models" / "colours.onnx").unlink()
    with pytest.raises(ModelError, match="colours"):
        list(engine.run(settings, [], 1))
