from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from huoyan import config, registry
from huoyan.config import LoadedConfig
from huoyan.gate import log, messages
from huoyan.gate.book import Book, open_book
from huoyan.gate.desk import Decided, Desk
from huoyan.gate.intake import Intake
from huoyan.passage import Passage

from ...support import gates

ZONE = ZoneInfo("Asia/Shanghai")


@dataclass
class World:
    """A county's gate with a clock that the test moves."""

    loaded: LoadedConfig
    book: Book
    now: datetime = gates.BEGIN
    decided: list[Decided] = field(default_factory=list)
    desk: Desk = field(init=False)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """As a new process: nothing but the book is left."""
        found, gate = registry.load(self.loaded), self.loaded.config.gates
        self.desk = Desk(self.book, gate, lambda: found, ZONE, now=lambda: self.now, patience=0.0)
        self.intake = Intake(self.book, gate, ZONE, now=lambda: self.now)

    def see(self, *passages: Passage) -> None:
        for passage in passages:
            self.desk.take_passage(passage)

    def say(self, kind: messages.Kind, body: dict[str, Any], delay: float = 0.2, **more: Any) -> str:
        """A device says something; it comes `delay` seconds after its time. Returns new or repeated."""
        received = datetime.fromisoformat(body["time"]) + timedelta(seconds=delay)
        return self.intake.take(kind, messages.dumps(body), received=received, **more).taken

    def know_clocks(self) -> None:
        """Enough prompt messages, long ago, that the devices' clocks are known to be right."""
        for number in range(3):
            then = gates.BEGIN + timedelta(hours=-3, minutes=number)
            self.say("weighing", gates.weighing(9000 + number, then, 800))
            self.say("washing", gates.washing(9000 + number, then, 30))
            self.push(gates.push(9000 + number, then, "", VehicleClass="K33"), then)

    def push(self, body: dict[str, Any], at: datetime) -> None:
        self.intake.take_push(messages.dumps(body), received=at)

    def work(self, second: float = 0.0) -> list[Decided]:
        """Let the desk work at a time; the new entries."""
        self.now = gates.BEGIN + timedelta(seconds=second)
        new = self.desk.work()
        self.decided += new
        return new

    def entries(self) -> list[dict[str, Any]]:
        return list(log.entries(self.book.connection))

    def last(self) -> list[dict[str, Any]]:
        """The last word on each event, by time."""
        return sorted(gates.latest_entries(self.book).values(), key=lambda entry: entry["time"])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    loaded = config.load(gates.write_county(tmp_path))
    with open_book(loaded.state) as book:
        yield World(loaded, book)
