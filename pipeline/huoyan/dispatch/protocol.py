"""What a place that alerts are delivered to must be able to do. One protocol for all of them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from huoyan.dispatch.database import log
from huoyan.errors import DispatchError
from huoyan.sqlite import to_ms


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
    seq: int = 0
    """Its place in the outbox."""


class Away(DispatchError):
    """The receiver cannot be reached, or takes nothing now. The alert waits.

    Attributes:
        again_s: seconds after which the receiver wants to be asked again; None: it did not say.
    """

    default_code = "away"

    def __init__(
        self, message: str, *, subject: str = "", hint: str = "", code: str = "", again_s: float | None = None
    ) -> None:
        super().__init__(message, subject=subject, hint=hint, code=code)
        self.again_s = again_s


class Refused(DispatchError):
    """The receiver will never take this alert, however often it is asked; others it may take."""

    default_code = "refused"


class Backend(Protocol):
    """Where alerts go: the SQLite queue, a broker, another platform. Used by one thread."""

    @property
    def name(self) -> str:
        """As the configuration calls it."""

    def connect(self) -> None:
        """Be ready to deliver; cheap where it is already.

        Raises:
            Away: the receiver cannot be reached.
        """

    def deliver(self, parcel: Parcel, now: datetime) -> None:
        """Hand over one alert; returns when the receiver has it.

        Delivery is at least once, so the receiver tells repeats by `alert_id` and takes them once.

        Raises:
            Away: not now; the same parcel is to be tried again before any later one.
            Refused: never.
        """

    def close(self) -> None:
        """Let go of the receiver; legal in every state, and from another thread: it ends a delivery under way."""


@dataclass(frozen=True, slots=True)
class SqliteQueue:
    """The queue beside the outbox in the same database: delivered and noted as sent in one transaction."""

    connection: sqlite3.Connection

    @property
    def name(self) -> str:
        return "sqlite"

    def connect(self) -> None:
        """Nothing to do: the caller's connection is open."""

    def deliver(self, parcel: Parcel, now: datetime) -> None:
        """Take the parcel within the caller's transaction; one known by its id is left as it is."""
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

    def close(self) -> None:
        """Nothing to do: the connection is the caller's."""
