"""The gate of the samples: what its devices say is what Huoyan takes in, and its truth follows from the registers."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import gate_frames
import gate_glyphs
import gate_lanes
import gate_plates
import gate_story
import numpy as np
import pytest

from huoyan import registry
from huoyan.config import load
from huoyan.gate import ga1400, messages
from huoyan.passage import Passage, PlateReading
from huoyan.perception import plate_grammar
from huoyan.vehicles import Context, judge

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def truth(samples: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((samples / "gate" / "truth.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def sent(samples: Path) -> list[dict[str, Any]]:
    lines = (samples / "gate" / "messages.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_what_lies_there_is_what_the_story_says(truth: dict[str, Any], sent: list[dict[str, Any]]) -> None:
    assert truth == gate_story.truth()
    assert sent == gate_story.messages()
    assert [m["received"] for m in sent] == sorted(m["received"] for m in sent)


def test_every_message_is_taken_in(samples: Path, sent: list[dict[str, Any]]) -> None:
    gate = load(samples / "county.yaml").config.gates[0]
    paths = Counter(message["path"] for message in sent)
    assert set(paths) == {"/v1/weighing", "/v1/washing", ga1400.PATH}
    for message in sent:
        raw, received = json.dumps(message["body"]).encode(), datetime.fromisoformat(message["received"])
        if message["path"] == ga1400.PATH:
            (pushed,) = ga1400.parse(raw, received, ZONE, {"smart-1": {"1": "enter"}})
            assert pushed.passage.plate.text == "浙D2E419" and pushed.passage.direction == "enter"
            assert pushed.passage.device_id in gate.devices
            continue
        kind: messages.Kind = "weighing" if message["path"].endswith("weighing") else "washing"
        told = messages.parse(kind, raw, received)
        assert told.device_id in gate.devices and told.gate_id == gate.id


def test_the_devices_err_as_devices_do(truth: dict[str, Any], sent: list[dict[str, Any]]) -> None:
    ids = Counter(m["body"]["message_id"] for m in sent if "message_id" in m["body"])
    assert sorted(ids.values())[-2:] == [1, 2], "one message comes twice"
    lags = {
        m["body"]["message_id"]: (
            datetime.fromisoformat(m["received"]) - datetime.fromisoformat(m["body"]["time"])
        ).total_seconds()
        for m in sent
        if "message_id" in m["body"]
    }
    assert sum(lag > 30 for lag in lags.values()) == 1, "one comes late"
    ahead = [-lag for name, lag in lags.items() if name.startswith(gate_story.WASH)]
    assert ahead == pytest.approx([truth["wash_clock_ahead_s"] - 0.5] * len(ahead)) and len(ahead) == 5
    assert sum(p["gross_kg"] is None and p["tare_kg"] is None for p in truth["passages"]) == 1
    assert sum(p["direction"] == "leave" and p["washed"] is None for p in truth["passages"]) == 1


@pytest.mark.parametrize("index", range(len(gate_story.TRUCKS)), ids=lambda i: gate_story.TRUCKS[i].plate)
def test_the_truth_follows_from_the_register(samples: Path, truth: dict[str, Any], index: int) -> None:
    """Of a perfect reading; what the models make of the videos is the integration test's."""
    loaded = load(samples / "county.yaml")
    told = truth["passages"][index]
    crossed = datetime.fromisoformat(told["crossed"]).astimezone(UTC)
    reading = PlateReading(
        text=told["plate"] if told["readable"] else "",
        colour="yellow",
        confidence=0.99,
        characters=(0.99,) * 7,
        colour_confidence=0.99,
    )
    passage = Passage(
        "p", told["camera"], "dump_truck", crossed, crossed, reading, told["direction"], crossed
    )
    context = Context(
        zone=ZONE,
        where="gate",
        site=loaded.config.gates[0].site,
        gross_kg=told["gross_kg"],
        tare_kg=told["tare_kg"],
        washed=told["washed"],
        wash_needed=told["direction"] == "leave",
        scale_expected=True,
    )
    verdict = judge(passage, registry.load(loaded), context)
    assert [reason.code for reason in verdict.reasons] == told["reasons"]
    assert list(verdict.readings) == told["readings"]
    gate = loaded.config.gates[0]
    held = set(gate.hold.enter if told["direction"] == "enter" else gate.hold.leave)
    expected = (
        "review"
        if verdict.review or not told["readable"]
        else "hold"
        if held & set(told["reasons"])
        else "open"
    )
    assert told["decision"] == expected


def test_trucks_do_not_meet(truth: dict[str, Any]) -> None:
    for lane in gate_lanes.LANES:
        starts = [truck.start_s for truck in gate_story.TRUCKS if truck.lane is lane]
        length = len(gate_lanes.frames(lane)) / gate_lanes.FPS
        assert all(b - a > length + 30 for a, b in itertools.pairwise(starts))
        assert starts[-1] + length < gate_story.LENGTH_S


def test_every_plate_can_be_drawn_and_may_stand_on_a_lorry() -> None:
    for truck in gate_story.TRUCKS:
        assert set(truck.plate[1:]) <= set(gate_glyphs.STROKES)
        assert plate_grammar.matches(truck.plate, "yellow_double")


@pytest.mark.parametrize("character", sorted(gate_glyphs.STROKES))
def test_glyphs_fill_their_cell_with_a_pen_of_one_width(character: str) -> None:
    drawn = gate_glyphs.glyph(character, 90, 180, 20.0)
    assert drawn.shape == (180, 90) and drawn.min() == 0.0 and drawn.max() == 1.0
    rows, columns = np.nonzero(drawn > 0.5)
    assert rows.min() <= 2 and rows.max() >= 177
    if character != "1":
        assert columns.min() <= 8 and columns.max() >= 81
    assert 0.1 < drawn.mean() < 0.75


def test_plates_face_the_cameras_where_trucks_stand() -> None:
    for lane in gate_lanes.LANES:
        moving, rendered = gate_lanes.poses(lane)
        standing = lane.stands
        assert standing in rendered
        sheet = gate_plates.corners(moving[standing], lane.plate, (0.44, 0.14), 0.9, 4.97)
        assert gate_plates.facing(sheet, lane.shot)
        spots = lane.shot.project(sheet)
        assert np.ptp(spots[:, 0]) > 60, "wide enough to be read"
        other = "rear" if lane.plate == "front" else "front"
        assert not gate_plates.facing(
            gate_plates.corners(moving[standing], other, (0.44, 0.14), 0.9, 4.97), lane.shot
        )


def test_a_hung_sheet_covers_its_corners_and_nothing_else() -> None:
    frame = np.zeros((80, 120, 3), np.float32)
    spots = np.array([(20.0, 20.0), (90.0, 30.0), (88.0, 55.0), (22.0, 50.0)])
    seen = gate_plates.hang(frame, np.full((40, 120, 3), 200, np.float32), None, spots, 0.5)
    assert seen[38, 50] == pytest.approx([100, 100, 100], abs=1)
    assert not seen[:18].any() and not seen[60:].any() and not seen[:, 95:].any()
    assert not frame.any(), "the frame itself stays as it is"


def test_mud_hides_its_share() -> None:
    clean = np.full((280, 880, 3), 230, np.float32)
    for share in (0.2, 0.5):
        dirty = gate_plates.muddied(clean, share, np.random.default_rng(4))
        assert np.mean(dirty.mean(axis=2) < 150) == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("lane", gate_lanes.LANES, ids=lambda lane: lane.name)
def test_frames_come_five_a_second_where_a_truck_is_seen(lane: gate_lanes.Lane) -> None:
    told = list(gate_frames.timeline(lane, gate_story.TRUCKS))
    times = [seconds for seconds, _, _ in told]
    assert (
        times == sorted(set(times))
        and times[0] == 0
        and times[-1] >= gate_story.LENGTH_S - gate_frames.QUIET_S
    )
    assert max(b - a for a, b in itertools.pairwise(times)) < gate_frames.QUIET_S + 1e-6
    mine = [truck for truck in gate_story.TRUCKS if truck.lane is lane]
    for truck in mine:
        seen = [seconds for seconds, one, _ in told if one is truck]
        assert np.diff(seen) == pytest.approx(1 / gate_lanes.FPS)
