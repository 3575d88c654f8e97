from __future__ import annotations

import sys

import pytest

from huoyan.errors import MissingExtra
from huoyan.interop import to_supervision
from huoyan.records import Detection

TRUCK = Detection("dump_truck", 0.9, (1, 2, 30, 40), track_id=7, text="浙A12345")
PERSON = Detection("person", 0.5, (5, 5, 9, 20))


def test_to_supervision() -> None:
    pytest.importorskip("supervision")
    found = to_supervision([TRUCK, PERSON], ["person", "dump_truck"])
    assert found.xyxy.tolist() == [[1, 2, 30, 40], [5, 5, 9, 20]]
    assert found.class_id.tolist() == [1, 0]
    assert found.tracker_id.tolist() == [7, -1]
    assert found.data["class_name"].tolist() == ["dump_truck", "person"]
    assert found.data["text"].tolist() == ["浙A12345", ""]
    assert to_supervision([PERSON]).tracker_id is None
    assert len(to_supervision([])) == 0
    with pytest.raises(ValueError, match="dump_truck"):
        to_supervision([TRUCK], ["person"])


def test_without_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingExtra, match=r"huoyan\[analyst\]"):
        to_supervision([TRUCK])
