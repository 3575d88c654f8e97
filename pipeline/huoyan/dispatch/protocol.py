"""What a place that alerts are delivered to must be able to do. One protocol for all of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from huoyan.dispatch.database import log
from huoyan.sqlite import immediate, to_ms


@dataclass(frozen=True, slots=True)
class Parcel:
    """An alert on its way out of the outbox. `document` is the CloudEvents envelope as JSON text."""

    alert_id: str
    incident_id: str
    revision: int
    scene: str
    priority: int
    time: datetime
    document: str


class Backend(Protocol):
    """Where alerts go: the SQLite queue, a broker, another platform."""

    @property
    def name(self) -> str:
        """As the configuration calls it."""

    def deliver(self, parcels: Sequence[Parcel], now: datetime) -> None:
        """Take all parcels, in order, or raise.

        Delivery is at least once, so the receiver tells repeats by `alert_id` and takes them once.

        Raises:
            DispatchError: the receiver refuses or cannot be reached; the parcels stay in the outbox.
        """


@dataclass(frozen=True, slots=True)
class SqliteQueue:
    """The queue beside the outbox in the same database: delivered and noted as sent in one transaction."""

    connection: sqlite3.Connection

    @property
    def name(self) -> str:
        return "sqlite"

    def deliver(self, parcels: Sequence[Parcel], now: datetime) -> None:
        """Take the parcels; those known by their id are left as they are.

        Raises:
            StorageError: the database is locked, full or damaged.
        """
        with immediate(self.connection):
            for parcel in parcels:
                cursor = self.connection.execute(
                    "INSERT INTO queue"
                    " (alert_id, incident_id, revision, scene, priority, time_ms, document, ready_ms)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (alert_id) DO NOTHING",
                    (
                        parcel.alert_id,
                        parcel.incident_id,
                        parcel.revision,
                        parcel.scene,
                        parcel.priority,
                        to_ms(parcel.time),
                        parcel.document,
                        to_ms(now),
                    ),
                )
                if cursor.rowcount == 1:
                    log(self.connection, parcel.alert_id, now, "queued", "huoyan")
