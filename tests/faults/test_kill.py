"""`kill -9` at random moments of a scan: resumed, it ends like one that nobody disturbed."""

from __future__ import annotations

import hashlib
import random
from functools import partial
from pathlib import Path

import pytest

from ..support.county import write_county
from ..support.running import Told, frames_done, huoyan, kill_when, start, told

KILLS = 20
FRAMES = 170
MOST_STATES = 12
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two time-lapses and a video: about 120 alerts spread over 170 frames."""
    folder = tmp_path_factory.mktemp("county")
    return write_county(folder, ("cam-1", "cam-2"), frames=75, video_s=20)


@pytest.fixture(scope="module")
def undisturbed(county: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    state = tmp_path_factory.mktemp("undisturbed")
    assert huoyan("scan", county, "--state", state, "--json").returncode == 0
    reference = told(state)
    assert len(reference.frames) == FRAMES
    assert len(reference.ids) > 100, "kills must have something to disturb"
    assert any(alert_id.endswith(".2") for alert_id in reference.ids), "and revisions among it"
    return reference


def check(state: Path, reference: Told) -> None:
    """Nothing lost, nothing twice, nothing different; evidence is what the documents say it is."""
    found = told(state)
    assert found.frames == reference.frames
    assert [alert_id for alert_id, _ in found.outbox] == [alert_id for alert_id, _ in reference.outbox]
    assert all(sent for _, sent in found.outbox)
    assert found.queue == reference.queue
    assert found.incidents == reference.incidents
    assert found.memory == reference.memory
    for _, document in found.queue:
        evidence = document["data"]["properties"]["evidence"]
        assert evidence
        for one in evidence:
            assert hashlib.sha256((state / one["href"]).read_bytes()).hexdigest() == one["sha256"]


def test_kill_at_random_moments(county: Path, undisturbed: Told, tmp_path: Path) -> None:
    moments = random.Random(9)
    kills = in_mid_run = 0
    for attempt in range(MOST_STATES):
        state = tmp_path / f"state-{attempt}"
        complete = False
        while not complete:
            before = frames_done(state)
            # A few kills fall anywhere from the first moment on, most of them into the work itself.
            anywhere = moments.random() < 0.2
            aim = 0 if anywhere else before + 1
            delay = moments.uniform(0.0, 1.5 if anywhere else 0.5)
            process = start("scan", county, "--state", state)
            if kills < KILLS:
                killed = kill_when(process, partial(frames_done, state), aim, delay)
            else:
                process.communicate(timeout=PATIENCE_S)
                killed = False
            assert killed or process.returncode == 0
            kills += killed
            in_mid_run += killed and before < frames_done(state) < FRAMES
            complete = not killed
        check(state, undisturbed)
        if kills >= KILLS:
            break
    assert kills == KILLS
    assert in_mid_run >= KILLS // 2


def test_kill_with_workers(county: Path, undisturbed: Told, tmp_path: Path) -> None:
    moments = random.Random(10)
    kills = 0
    for _ in range(2):
        process = start("scan", county, "--state", tmp_path, "--workers", 2)
        kills += kill_when(
            process, partial(frames_done, tmp_path), frames_done(tmp_path) + 1, moments.uniform(0.0, 0.3)
        )
    assert kills
    assert huoyan("scan", county, "--state", tmp_path, "--workers", 2).returncode == 0
    check(tmp_path, undisturbed)
