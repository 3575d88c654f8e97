"""Registry, scenes and incidents together: whatever the batches and the interruptions, the same stories."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from huoyan import incidents, scenes
from huoyan.incidents import Store
from huoyan.records import (
    Detection,
    FrameRef,
    Observation,
    Observations,
    Place,
    Placement,
    Unplaced,
    frame_id,
)
from huoyan.registry import Permit, Registry, Zone
from huoyan.scenes import JudgeContext, Memory

START = datetime(2026, 3, 1, tzinfo=UTC)
PER_LON, PER_LAT = 96_900.0, 110_850.0
LABELS = (
    "hoarding",
    "excavator",
    "piling_rig",
    "dump_truck",
    "material_stack",
    "flame",
    "smoke",
    "person",
    "car",
)


def at(east: float, north: float) -> tuple[float, float]:
    return 120.9 + east / PER_LON, 29.5 + north / PER_LAT


def zone(name: str, kind: str, west: float, south: float, east: float, north: float) -> Zone:
    corners = [at(west, south), at(east, south), at(east, north), at(west, north)]
    return Zone(name, name, kind, frozenset(), Polygon(corners))


REGISTRY = Registry(
    [zone("plot", "control", 0, 0, 200, 200), zone("kerb", "no_stopping", 200, 0, 220, 200)],
    [Permit("P", frozenset({"earthwork"}), "building", "h", date(2026, 3, 1), date(2026, 3, 9), zone="plot")],
)
CONTEXT = JudgeContext(REGISTRY, scenes.load(), ZoneInfo("Asia/Shanghai"), {"cam-2": ("plot",)})


def stream(seed: int, count: int = 150) -> list[Observations]:
    """Frames of three cameras and a drone over two weeks, in the order of time; the same for a seed."""
    dice = random.Random(seed)
    spots = [(dice.uniform(0, 230), dice.uniform(0, 200)) for _ in range(4)]
    frames = []
    for index in range(count):
        source = dice.choice(["cam-1", "cam-2", "cam-3", "flight-1"])
        kind = "drone" if source == "flight-1" else "camera"
        time = START + timedelta(days=14 * index / count, seconds=dice.randrange(60))
        ref = FrameRef(
            frame_id(source, time, index), source, kind, time, "exif", (1920, 1080), f"{index}.jpg"
        )
        items = []
        for _ in range(dice.choice([0, 0, 1, 2, 4])):
            east, north = dice.choice(spots)
            place: Place = Placement(
                *at(east + dice.gauss(0, 4), north + dice.gauss(0, 4)), dice.uniform(1, 8), "t"
            )
            if dice.random() < 0.2:
                place = Unplaced("above the horizon")
            left = dice.uniform(0, 1000)
            detection = Detection(dice.choice(LABELS), dice.uniform(0.3, 0.9), (left, 0.0, left + 100, 80.0))
            items.append(Observation(ref, detection, place))
        frames.append(Observations(ref, tuple(items)))
    return frames


def run(
    folder: Path, frames: list[Observations], batches: Iterator[int], stop_after: int | None = None
) -> None:
    """A run as a scan does it: judge, commit by batches, go on where the last one stopped."""
    with incidents.open_store(folder) as store:
        memory = store.load_memory()
        left = [seen for seen in frames if not store.is_done(seen.frame.frame_id)]
        done = 0
        while left:
            size = next(batches)
            if stop_after is not None and done + size > stop_after:
                abandon(store, left[: stop_after - done], memory)
                return
            with store.transaction():
                judge(store, left[:size], memory)
                store.save_memory(memory)
            done += size
            left = left[size:]


def judge(store: Store, frames: list[Observations], memory: Memory) -> None:
    for seen in frames:
        judgement = scenes.judge(seen, CONTEXT, memory)
        incidents.associate(store, judgement.findings)
        store.mark_done(seen.frame)


class Killed(Exception):
    """Stands in for a kill -9 in the middle of a batch."""


def abandon(store: Store, frames: list[Observations], memory: Memory) -> None:
    with pytest.raises(Killed), store.transaction():
        judge(store, frames, memory)
        raise Killed


def same(size: int) -> Iterator[int]:
    while True:
        yield size


def told(folder: Path) -> tuple[object, ...]:
    with incidents.open_store(folder) as store:
        revisions = [(r.incident, r.why, r.finding) for r in store.revisions()]
        memory = store.load_memory()
        keys = sorted(row["key"] for row in store.rows("SELECT key FROM memory"))
        return revisions, store.incidents(), store.permitted(), [(key, memory.get(key)) for key in keys]


def test_the_stream_tells_something(tmp_path: Path) -> None:
    run(tmp_path, stream(1), same(64))
    revisions, _, permitted, _ = told(tmp_path)
    whys = {why for _, why, _ in revisions}  # type: ignore[attr-defined]
    assert {"new", "stage", "sensor"} <= whys and permitted


@pytest.mark.parametrize("size", [1, 7, 150])
def test_where_a_batch_ends_changes_nothing(tmp_path: Path, size: int) -> None:
    run(tmp_path / "a", stream(1), same(64))
    run(tmp_path / "b", stream(1), same(size))
    assert told(tmp_path / "a") == told(tmp_path / "b")


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), stops=st.lists(st.integers(1, 60), max_size=6), size=st.integers(1, 40))
def test_interrupted_runs_tell_the_same_as_an_undisturbed_one(seed: int, stops: list[int], size: int) -> None:
    frames = stream(seed, 80)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, interrupted = Path(folder, "a"), Path(folder, "b")
        run(undisturbed, frames, same(64))
        for stop in stops:
            run(interrupted, frames, same(size), stop)
        run(interrupted, frames, same(size))
        assert told(undisturbed) == told(interrupted)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), swaps=st.lists(st.integers(0, 78), max_size=12))
def test_the_order_of_sources_among_one_another_does_not_decide_what_is_found(
    seed: int, swaps: list[int]
) -> None:
    """Neighbouring frames of different sources change places; each judgement stays what it was."""
    frames = stream(seed, 80)
    swapped = list(frames)
    for index in swaps:
        a, b = swapped[index], swapped[index + 1]
        if a.frame.source_id != b.frame.source_id:
            swapped[index], swapped[index + 1] = b, a

    def judged(order: list[Observations]) -> dict[str, object]:
        memory = Memory()
        return {seen.frame.frame_id: scenes.judge(seen, CONTEXT, memory).findings for seen in order}

    assert judged(frames) == judged(swapped)


def test_a_replay_into_a_new_state_gives_the_same_ids(tmp_path: Path) -> None:
    run(tmp_path / "a", stream(2), same(64))
    run(tmp_path / "b", stream(2), same(3))
    ids = []
    for name in ("a", "b"):
        with incidents.open_store(tmp_path / name) as store:
            ids.append([(i.incident_id, i.revision) for i in store.incidents()])
    assert ids[0] == ids[1] and ids[0]


def test_frames_that_come_twice_are_judged_once(tmp_path: Path) -> None:
    frames = stream(3)
    run(tmp_path, frames, same(16))
    before = told(tmp_path)
    run(tmp_path, frames, same(16))
    assert told(tmp_path) == before
