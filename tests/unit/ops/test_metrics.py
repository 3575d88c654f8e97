"""What Prometheus reads."""

from __future__ import annotations

import math
import shutil
import subprocess
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from huoyan.ops import metrics
from huoyan.status import BOUNDS_S, Status

from ...support.statuses import LIVE, LOST, status


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            key = (one.name, tuple(sorted(one.labels.items())))
            assert key not in found, f"twice: {key}"
            found[key] = one.value
    return found


def value(read: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str) -> float:
    return read[f"huoyan_{name}", tuple(sorted(labels.items()))]


def test_every_figure_of_a_camera_is_there() -> None:
    read = samples(metrics.render(status()))
    of = {"camera": "cam-1"}
    assert value(read, "camera_frame_age_seconds", **of) == 0.8
    assert value(read, "camera_interval_seconds", **of) == 2.0
    assert value(read, "camera_connections_total", **of) == 3
    assert value(read, "camera_samples_due_total", **of) == 1000
    assert value(read, "camera_samples_total", **of) == 998
    assert value(read, "camera_passed_total", **of) == 90
    assert value(read, "camera_looks_total", **of) == 88
    assert value(read, "camera_dropped_total", **of) == 2
    assert value(read, "camera_decode_seconds_total", **of) == 4.5
    assert value(read, "camera_inference_seconds_total", **of) == 12.25
    assert value(read, "camera_passages_total", **of) == 6
    assert value(read, "camera_road_looks_total", **of) == 4800
    assert value(read, "camera_road_dropped_total", **of) == 70
    assert value(read, "camera_road_frame_age_seconds", **of) == 0.3
    assert value(read, "camera_road_behind_seconds", **of) == 0.4
    assert value(read, "camera_preset_info", preset="north", **of) == 1
    assert value(read, "camera_night", **of) == 1
    assert value(read, "camera_condition", condition="camera_blurred", **of) == 1
    assert value(read, "camera_condition", condition="camera_lost", **of) == 0


def test_a_camera_is_in_exactly_one_state_and_has_no_age_before_its_first_picture() -> None:
    read = samples(metrics.render(status()))
    for camera, state in (("cam-1", "live"), ("cam-2", "lost"), ("cam-3", "elsewhere")):
        states = {one: value(read, "camera_state", camera=camera, state=one) for one in metrics.STATES}
        assert states.pop(state) == 1
        assert set(states.values()) == {0}
    assert ("huoyan_camera_frame_age_seconds", (("camera", "cam-2"),)) not in read
    assert ("huoyan_camera_road_frame_age_seconds", (("camera", "cam-2"),)) not in read


def test_the_histogram_is_cumulative_and_ends_at_its_count() -> None:
    read = samples(metrics.render(status()))
    buckets = [value(read, "frame_to_finding_seconds_bucket", le=str(bound)) for bound in BOUNDS_S]
    assert buckets == [1, 3, 3, 7, 7, 7, 7, 7, 7]
    assert value(read, "frame_to_finding_seconds_bucket", le="+Inf") == 8
    assert value(read, "frame_to_finding_seconds_count") == 8
    assert value(read, "frame_to_finding_seconds_sum") == 45.5


def test_delivery_alerts_verdicts_and_processes() -> None:
    read = samples(metrics.render(status()))
    assert value(read, "outbox_waiting", backend="nats") == 5
    assert value(read, "outbox_oldest_seconds", backend="nats") == 5400
    assert value(read, "outbox_connected", backend="nats") == 0
    assert value(read, "outbox_connected", backend="sqlite") == 1
    assert value(read, "outbox_dead", backend="nats") == 1
    assert value(read, "queue_alerts", state="ready") == 4
    assert value(read, "alerts_total", scene="camera_health") == 9
    assert value(read, "verdicts", scene="illegal_dumping", verdict="rejected") == 1
    assert value(read, "process_resident_memory_bytes", process="inference-0") == 500_000_000
    assert value(read, "process_restarts_total", process="inference-0") == 2
    assert value(read, "process_cpu_seconds_total", process="main") == 80.5
    assert value(read, "stretch") == 1.3
    assert value(read, "disk_used_ratio") == 0.71


@pytest.mark.parametrize(("last", "told"), [("applied abc", 1.0), ("refused: county.yaml:3: no", 0.0)])
def test_a_reload_counts_as_what_came_of_it(last: str, told: float) -> None:
    assert value(samples(metrics.render(status(last_reload=last))), "config_last_reload_successful") == told


def test_names_with_signs_of_the_format_survive() -> None:
    odd = 'north "gate"\\ 门\nline'
    read = samples(metrics.render(status(cameras=(replace(LIVE, id=odd),))))
    assert value(read, "camera_samples_total", camera=odd) == 998


def test_an_empty_daemon_can_be_read() -> None:
    full = status()
    empty = Status(full.time, full.started, full.version, full.config_sha256)
    read = samples(metrics.render(empty))
    assert value(read, "ready") == 0
    assert all(math.isfinite(one) for one in read.values())


def test_promtool_finds_no_fault() -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    text = metrics.render(status(cameras=(LIVE, LOST)))
    checked = subprocess.run([tool, "check", "metrics"], input=text, text=True, capture_output=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
