"""Figures of a running daemon: counts go on over the death of a reader, latencies fall into their buckets."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from huoyan.runs.watch.books import Books, Member, process_status
from huoyan.sample import CameraEvent, Sample, Tally

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def event(state: str, connections: int) -> CameraEvent:
    return CameraEvent("a", NOW, 1.0, state, connections=connections)  # type: ignore[arg-type]


def test_counts_go_on_when_a_reader_begins_again_at_zero() -> None:
    books = Books()
    for due in (5, 9, 2, 4):
        books.tally(Tally(0.0, {"a": due}, {}, 0.0, 1))
    assert books.of("a").due == 9 + 4
    for connections in (1, 2, 3, 1, 2):
        books.of("a").event(event("live", connections))
    assert books.of("a").connections == 3 + 2


def test_a_snapshot_tells_age_and_who_is_elsewhere() -> None:
    books = Books()
    books.of("a").event(event("live", 1))
    books.of("a").sample(Sample("a", NOW, 10.0, (2, 2), "motion", decode_s=0.25, night=True))
    books.of("gone").event(event("live", 1))
    first, second = books.snapshot(12.5, {"b": 2.0, "a": 4.0}, {"a": 3}, ["b"])
    assert (first.id, first.state, first.age_s, first.interval_s) == ("a", "live", 2.5, 4.0)
    assert (first.taken, first.passed, first.dropped, first.decode_s, first.night) == (1, 1, 3, 0.25, True)
    assert (second.id, second.state, second.age_s) == ("b", "elsewhere", None)


def test_latencies_fall_into_their_buckets() -> None:
    books = Books()
    for seconds in (0.05, 0.1, 0.3, 3.0, 100.0):
        books.waited(seconds)
    assert books.latency.counts == (2, 0, 1, 0, 0, 1, 0, 0, 0, 1)
    assert books.latency.count == 5
    assert abs(books.latency.sum_s - 103.45) < 1e-9


def test_a_process_is_measured_and_a_dead_one_said_to_be_so() -> None:
    status = process_status(Member("main", os.getpid(), restarts=2))
    assert status.alive
    assert status.rss_bytes > 10_000_000
    assert status.cpu_s > 0
    assert status.threads >= 1
    assert status.descriptors > 2
    assert status.restarts == 2
    assert not process_status(Member("gone", 0)).alive
