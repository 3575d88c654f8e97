"""The sentence for the crew."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from huoyan.alerts import words
from huoyan.records import PermitCheck, Placement, Unplaced, VehicleFinding

SHANGHAI = ZoneInfo("Asia/Shanghai")
SCENE = ("开挖平整", "earthwork")
ZONES = {"riverside": "滨江新村管控区"}


def explain(revision: Any, stages: words.Names | None = None) -> tuple[str, str]:
    return words.explain(revision, SCENE, ZONES, stages or {}, SHANGHAI)


def test_a_new_alert_in_full(make_revision: Any) -> None:
    zh, en = explain(make_revision())
    assert zh == (
        "滨江新村管控区内发现开挖平整：东经120.89961°、北纬29.49973°，误差约12米；"
        "自2026年5月3日06:12起由固定摄像头（cam-001）观测到3次；未查到有效许可。"
    )
    assert en == (
        "Earthwork in 滨江新村管控区, 120.89961° E, 29.49973° N (± 12 m); "
        "seen 3 times since 3 May 2026 06:12 by camera (cam-001); no permit covers it."
    )


@pytest.mark.parametrize(
    ("changes", "zh", "en"),
    [
        (
            {"why": "permit_lapsed", "permit": PermitCheck("lapsed", "P-9")},
            "许可 P-9已失效",
            "permit P-9 has lapsed",
        ),
        ({"why": "extent", "extent_m2": 90.4}, "范围扩大至约90平方米的", "Grown to about 90 m²"),
        ({"why": "extent"}, "范围扩大的", "Grown: "),
        ({"why": "sensor", "kind": "satellite"}, "又经卫星证实的", "Now also seen by satellite"),
        ({"why": "verdict", "status": "rejected"}, "经现场核查不属实的", "Rejected after a visit"),
        ({"looks": 1}, "由固定摄像头（cam-001）发现", "seen 3 May 2026 06:12 by camera (cam-001)"),
        (
            {"place": Unplaced("no calibration")},
            "位置未定（no calibration）",
            "place unknown (no calibration)",
        ),
        (
            {"place": Placement(-70.5, -33.25, 0.2, "raster")},
            "西经70.50000°、南纬33.25000°，误差约1米",
            "70.50000° W, 33.25000° S (± 1 m)",
        ),
        ({"zones": ()}, "发现开挖平整：", "Earthwork, 120.89961° E"),
        ({"permit": PermitCheck("not_needed")}, "观测到3次。", "(cam-001)."),
        (
            {"vehicle": VehicleFinding("浙A12345", "yellow", 0.9, ("M01", "M08"))},
            "，车牌浙A12345（未登记、未密闭覆盖）",
            "plate 浙A12345 (not registered, load not covered)",
        ),
        ({"sources": ("a", "b", "c", "d")}, "（a、b、c等）", "(a, b, c, …)"),
    ],
)
def test_what_is_told(changes: dict[str, Any], zh: str, en: str, make_revision: Any) -> None:
    told = explain(make_revision(**changes))
    assert zh in told[0]
    assert en in told[1]
    assert all(text.count("。" if i == 0 else ";;") <= 1 for i, text in enumerate(told))


def test_a_stage_is_named_where_it_has_a_name(make_revision: Any) -> None:
    names = {"digging": ("基坑开挖", "digging the pit")}
    zh, en = explain(make_revision(why="stage"), names)
    assert "有新进展的开挖平整（基坑开挖）" in zh
    assert en.startswith("New stage of earthwork (digging the pit) in")
    assert "digging" not in explain(make_revision())[1]


def test_every_vehicle_reason_has_words() -> None:
    assert sorted(words.REASONS) == [f"M{number:02d}" for number in range(1, 12)]
