from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from huoyan.records import Alert, Priority, Skip
from huoyan.runs.result import KEPT_SKIPS, ScanResult

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def alert(number: int, scene: str) -> Alert:
    return Alert(f"i{number}.1", f"i{number}", 1, scene, Priority.HIGH, NOON, {})


def test_the_figures_are_json_values() -> None:
    result = ScanResult(Path("状态"), frames=4, seconds=2.0)
    result.skip(Skip("cam-1", "坏\n图.jpg", "truncated", "is cut"))
    result.note("once")
    result.note("once")
    result.alerts += [alert(1, "earthwork"), alert(2, "dust_plume"), alert(3, "earthwork")]
    result.cpu_seconds.update({"infer": 1.23456})
    told = result.to_dict()
    assert json.loads(json.dumps(told, ensure_ascii=False)) == told
    assert told["skipped"] == {"truncated": 1}
    assert told["skips"] == [
        {"source": "cam-1", "path": "坏\n图.jpg", "code": "truncated", "reason": "is cut"}
    ]
    assert told["alerts"] == 3
    assert told["alert_ids"] == ["i1.1", "i2.1", "i3.1"]
    assert list(told["alerts_by_scene"].items()) == [("dust_plume", 1), ("earthwork", 2)]
    assert told["notes"] == ["once"]
    assert told["frames_per_second"] == 2.0
    assert told["cpu_seconds"] == {"infer": 1.235}


def test_nothing_scanned() -> None:
    told = ScanResult(Path("s")).to_dict()
    assert told["frames_per_second"] is None
    assert told["alerts"] == 0


def test_skips_beyond_a_thousand_are_only_counted() -> None:
    result, share = ScanResult(Path("s")), ScanResult(Path("s"))
    for number in range(KEPT_SKIPS + 5):
        share.skip(Skip("a", str(number), "empty", "r"))
    result.add(share)
    result.add(share)
    assert len(result.skips) == KEPT_SKIPS
    assert result.skipped == {"empty": 2 * (KEPT_SKIPS + 5)}


def test_shares_add_up() -> None:
    result = ScanResult(Path("s"), units=3)
    for number in (1, 2):
        share = ScanResult(
            Path("s"), frames=2, already_done=1, detections=5, placed=4, findings=3, permitted=1
        )
        share.alerts.append(alert(number, "earthwork"))
        share.cpu_seconds["infer"] = 0.5
        share.note("the same")
        result.add(share)
    assert (result.frames, result.already_done, result.detections) == (4, 2, 10)
    assert (result.placed, result.findings, result.permitted) == (8, 6, 2)
    assert result.by_scene == {"earthwork": 2}
    assert result.cpu_seconds == {"infer": 1.0}
    assert result.notes == ["the same"]
    assert result.units == 3
