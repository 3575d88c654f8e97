from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from huoyan.vehicles.history import DATABASE, History


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """An empty history in `tmp_path`."""
    connection = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    yield History(connection)
    connection.close()
