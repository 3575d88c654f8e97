"""A daemon on a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rich.console import Console

from huoyan.ops.top import picture, trouble
from huoyan.status import CameraStatus, ProcessStatus

from ...support.statuses import LIVE, LOST, NOW, status


def as_read(**changes: Any) -> dict[str, Any]:
    """The made-up status as it comes over HTTP."""
    read: dict[str, Any] = json.loads(json.dumps(status(**changes).as_json()))
    return read


def drawn(now: Mapping[str, Any], before: Mapping[str, Any] | None = None, **options: Any) -> list[str]:
    console = Console(
        width=options.pop("width", 160), height=options.pop("height", 50), record=True, quiet=False
    )
    with console.capture() as captured:
        console.print(picture(console, now, before, **options))
    return captured.get().splitlines()


def row(lines: list[str], name: str) -> str:
    return " ".join(next(line for line in lines if line.startswith(name)).split())


def test_the_most_troubled_cameras_come_first() -> None:
    cameras = (
        CameraStatus("a-good", "live", age_s=1.0, interval_s=2.0, passed=10),
        CameraStatus("b-elsewhere", "elsewhere"),
        CameraStatus("c-frozen", "live", age_s=1.0, interval_s=2.0, conditions=("camera_frozen",)),
        CameraStatus("d-fatal", "fatal", "user or password are wrong"),
        CameraStatus("e-stale", "live", age_s=90.0, interval_s=2.0),
        CameraStatus("f-lost", "lost", "nothing listens there", age_s=40.0, interval_s=2.0),
        CameraStatus("g-drops", "live", age_s=1.0, interval_s=2.0, passed=10, dropped=3),
    )
    lines = drawn(as_read(cameras=cameras), whole=True)
    shown = [line.split()[0] for line in lines if line[:2] in ("a-", "b-", "c-", "d-", "e-", "f-", "g-")]
    assert shown == ["d-fatal", "f-lost", "c-frozen", "e-stale", "g-drops", "a-good", "b-elsewhere"]


def test_a_camera_in_one_line() -> None:
    lines = drawn(as_read())
    assert row(lines, "cam-1") == "cam-1 ☾ @north live 0.8 s 2.0 s 100% 9% 2 4.5 ms 139 ms 3 blurred"
    assert row(lines, "cam-2") == "cam-2 lost 4.0 s 0% 17 connection refused"


def test_rates_are_of_the_time_since_the_last_picture() -> None:
    before = as_read()
    later = replace(LIVE, due=1010, taken=1008, passed=95, looked=93, decode_s=4.6, infer_s=12.75)
    process = ProcessStatus("main", 4242, True, 200_000_000, 82.5)
    now = as_read(time=NOW + timedelta(seconds=10), cameras=(later,), processes=(process,))
    lines = drawn(now, before)
    assert row(lines, "cam-1") == "cam-1 ☾ @north live 0.8 s 2.0 s 100% 50% 10.0 ms 100 ms 3 blurred"
    assert row(lines, "main").startswith("main 4242 20%")


def test_counts_of_a_daemon_that_was_started_again_are_not_below_zero() -> None:
    fresh = as_read(cameras=(replace(LIVE, due=4, taken=4, passed=1, looked=1, dropped=0),))
    assert "-" not in row(drawn(fresh, as_read()), "cam-1").removeprefix("cam-1")


def test_it_fits_on_small_terminals_and_says_what_is_left_out() -> None:
    cameras = tuple(CameraStatus(f"cam-{n:03}", "live", age_s=1.0, interval_s=2.0) for n in range(214))
    for width, height in ((80, 30), (160, 50), (200, 24)):
        lines = drawn(as_read(cameras=cameras), width=width, height=height)
        assert len(lines) <= height
        assert max(map(len, lines)) <= width
        shown = sum(line.startswith("cam-") for line in lines)
        assert f"and {214 - shown} more, less troubled" in lines[-1]
    assert sum(line.startswith("cam-") for line in drawn(as_read(cameras=cameras), whole=True)) == 214


def test_what_is_wrong_with_the_daemon_stands_out() -> None:
    dead = ProcessStatus("inference-0", 4243, False, restarts=3, silent_s=31.0)
    lines = drawn(as_read(processes=(dead,), ready=False))
    text = "\n".join(lines)
    assert "starting" in lines[0]
    assert "1/2 live (+1 elsewhere)" in lines[0]
    assert "p50 <= 1 s, p99 > 30 s" in lines[0]
    assert "! nats: connection refused" in text
    assert "inference-0 silent 31 s" in text
    assert "dead" in row(lines, "inference-0")
    assert "away" in text
    assert "queue: 8 acked, 4 ready" in text


def test_no_password_is_drawn() -> None:
    lines = drawn(as_read(cameras=(replace(LOST, why="rtsp://a:Hunter2x@h/1: refused"),)), whole=True)
    assert "Hunter2x" not in "\n".join(lines)


def test_a_camera_that_another_box_has_is_no_trouble() -> None:
    elsewhere = as_read()["cameras"][2]
    assert trouble(elsewhere) < trouble(as_read()["cameras"][0])
