"""The gate of the samples, end to end: its videos and messages through the shipped models decide as its story does."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from huoyan.config import LoadedConfig
from huoyan.gate import log
from huoyan.gate.book import open_book
from huoyan.passage import GateEvent
from huoyan.runs import demo_gate
from huoyan.runs.prepare import locate_config

TRUTH = json.loads((Path(__file__).parents[2] / "data_samples/gate/truth.json").read_text(encoding="utf-8"))
PASSAGES: list[dict[str, Any]] = TRUTH["passages"]
CLOSE_S = 2.0


@pytest.fixture(scope="module")
def loaded(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> LoadedConfig:
    return locate_config(samples, tmp_path_factory.mktemp("gate") / "state")


@pytest.fixture(scope="module")
def events(loaded: LoadedConfig) -> list[GateEvent]:
    return demo_gate.replay(loaded)


def _of(told: dict[str, Any], events: Sequence[GateEvent]) -> GateEvent:
    moment = datetime.fromisoformat(told["crossed"])
    (event,) = [e for e in events if abs((e.time - moment).total_seconds()) < CLOSE_S]
    return event


def test_every_passage_is_one_event(events: list[GateEvent]) -> None:
    moments = [datetime.fromisoformat(told["crossed"]) for told in PASSAGES]
    assert len(events) == len(moments)
    for event, moment in zip(events, sorted(moments), strict=True):
        assert abs((event.time - moment).total_seconds()) < CLOSE_S


@pytest.mark.parametrize("told", PASSAGES, ids=lambda told: f"{told['camera']}-{told['plate'][2:]}")
def test_the_decision(events: list[GateEvent], told: dict[str, Any]) -> None:
    event = _of(told, events)
    assert event.outcome == told["decision"], event.why
    assert [reason.code for reason in event.verdict.reasons] == told["reasons"]
    assert event.direction == told["direction"]
    assert event.verdict.plate == (told["plate"] if told["readable"] else "")
    if told["readings"]:
        assert list(event.verdict.readings) == told["readings"]


@pytest.mark.parametrize("told", PASSAGES, ids=lambda told: f"{told['camera']}-{told['plate'][2:]}")
def test_weights_and_wash(events: list[GateEvent], told: dict[str, Any]) -> None:
    event = _of(told, events)
    kg = told["gross_kg"] if told["direction"] == "enter" else told["tare_kg"]
    own = event.gross_kg if told["direction"] == "enter" else event.tare_kg
    assert own == kg
    assert event.washed == told["washed"]
    unknown = " ".join(event.verdict.unknown)
    assert ("scale-1: no weighing" in unknown) == (kg is None)
    if told["direction"] == "leave":
        assert ("wash-1: no washing" in unknown) == (told["washed"] is None)


def test_a_visit_has_a_net_weight(events: list[GateEvent]) -> None:
    came, went = (told for told in PASSAGES if told["plate"] == PASSAGES[0]["plate"])
    assert _of(went, events).net_kg == came["gross_kg"] - went["tare_kg"]


def test_the_wash_station_s_clock_is_corrected(events: list[GateEvent]) -> None:
    washed = [_of(told, events) for told in PASSAGES if told["washed"] is not None]
    assert washed and all("wash-1: clock corrected" in event.notes for event in washed)


def test_mud_is_no_reason_and_a_second_camera_no_proof(events: list[GateEvent]) -> None:
    (told,) = (told for told in PASSAGES if told["smart_camera"])
    event = _of(told, events)
    assert event.outcome == "review" and not event.verdict.reasons
    assert told["smart_camera"] in event.verdict.readings
    assert [smart.plate.text for smart in event.smart] == [told["smart_camera"]]


def test_the_log_is_whole(events: list[GateEvent], loaded: LoadedConfig) -> None:
    with open_book(loaded.state, read_only=True) as book:
        count, problems = log.verify(book.connection, loaded.state)
    assert not problems and count >= len(events)


def test_the_page_shows_vehicle_and_plate(events: list[GateEvent], loaded: LoadedConfig) -> None:
    cards = demo_gate.cards(events, loaded)
    assert [card["outcome"] for card in cards] == [event.outcome for event in events]
    for card in cards:
        shots = {shot["role"]: shot["src"].split(",", 1)[1] for shot in card["shots"]}
        assert set(shots) == {"wide", "plate"}
        for data in shots.values():
            picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
            assert picture.std() > 15, "shows something"
