"""`kill -9` while roads are scanned: every passage once, the same trips, incidents and alerts."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from ..support.roads import Video, after, write_road_county
from ..support.running import Told, huoyan, kill_when, start, told

START = datetime(2026, 5, 1, 2, tzinfo=UTC)
DAYS = 6
PASSAGES = 3 * DAYS
KILLS = 8
MOST_STATES = 6


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One truck on one trip a day past three cameras, and once more where it cannot be read."""
    folder = tmp_path_factory.mktemp("roads")
    videos = [
        Video(f"road-{number + 1}", after(START, days=day, minutes=7 * number), readable=number < 2)
        for day in range(DAYS)
        for number in range(3)
    ]
    return write_road_county(folder, videos)


@pytest.fixture(scope="module")
def undisturbed(county: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, list[str]]:
    state = tmp_path_factory.mktemp("undisturbed")
    assert huoyan("scan", county, "--state", state, "--json").returncode == 0
    reference = told(state)
    assert len(reference.ids) == DAYS
    assert passages_done(state) == PASSAGES
    return reference, history(state)


def passages_done(state: Path) -> int:
    """How many passages a scan that goes on has written down."""
    try:
        connection = sqlite3.connect(f"file:{state / 'huoyan.db'}?mode=ro", uri=True, timeout=0.2)
        try:
            return int(connection.execute("SELECT count(*) FROM vehicle_passages").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def history(state: Path) -> list[str]:
    """All rows of the history but when it was purged last."""
    connection = sqlite3.connect(state / "huoyan.db")
    lines = [line for line in connection.iterdump() if line.startswith('INSERT INTO "vehicle_')]
    connection.close()
    return [line for line in lines if "purge" not in line]


def test_kill_at_random_moments(county: Path, undisturbed: tuple[Told, list[str]], tmp_path: Path) -> None:
    moments = random.Random(11)
    kills = in_mid_run = 0
    for attempt in range(MOST_STATES):
        state = tmp_path / f"state-{attempt}"
        complete = False
        while not complete:
            before = passages_done(state)
            process = start("scan", county, "--state", state)
            if kills < KILLS:
                aim = min(PASSAGES - 1, before + moments.randint(1, 3))
                killed = kill_when(process, partial(passages_done, state), aim, moments.uniform(0.0, 0.1))
            else:
                process.communicate(timeout=120)
                killed = False
            assert killed or process.returncode == 0
            kills += killed
            in_mid_run += killed and before < passages_done(state) < PASSAGES
            complete = not killed
        check(state, *undisturbed)
        if kills >= KILLS:
            break
    assert kills == KILLS
    # Several passages share a transaction, and a quick machine is through between two of them.
    assert in_mid_run >= 2


def check(state: Path, reference: Told, past: list[str]) -> None:
    """Nothing lost, nothing twice, nothing different."""
    found = told(state)
    assert found.frames == reference.frames
    assert found.queue == reference.queue
    assert found.outbox == reference.outbox
    assert found.incidents == reference.incidents
    assert history(state) == past
    for _, document in found.queue:
        for one in document["data"]["properties"]["evidence"]:
            assert hashlib.sha256((state / one["href"]).read_bytes()).hexdigest() == one["sha256"]
