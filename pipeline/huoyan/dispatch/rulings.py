"""Verdicts of crews, from the box where they were passed to all others: who rejects an alarm is heard wherever its
camera is by then.

One entry an incident in the bucket of stories. Boxes hear first and speak afterwards, and of two verdicts on one
incident the later stands, so it matters neither which box speaks nor how often.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from huoyan.dispatch.nats_link import Link
from huoyan.incidents import last_verdict
from huoyan.sqlite import from_ms, rows, to_ms

if TYPE_CHECKING:
    from nats.js import JetStreamContext

log = logging.getLogger("huoyan.rulings")
_WORK_S = 60.0
_CLOCKS = timedelta(hours=1)
"""No two clocks are so far apart."""
Crew = Literal["confirmed", "rejected"]
_CREW = get_args(Crew)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a crew found of an incident, and when it said so."""

    incident_id: str
    verdict: Crew
    time: datetime
    note: str = ""


class Rulings:
    """What is known of verdicts on one connection. Belongs to one thread."""

    def __init__(self, bucket: str) -> None:
        """`bucket`: name of the bucket of stories."""
        self._stream, self._subject = f"KV_{bucket}", f"$KV.{bucket}.=verdict."
        self.forget()

    def forget(self) -> None:
        """Another bucket is in its place: hear and say everything anew."""
        self._last = 0
        """Number of the last entry that was read."""
        self._known: dict[str, Ruling] = {}
        """The word of the bucket, by incident."""

    def exchange(
        self, link: Link, connection: sqlite3.Connection, since: datetime, give: Callable[[Ruling], None]
    ) -> None:
        """Give what other boxes say and is news here, and tell them what crews have found here.

        Args:
            link: to the server.
            connection: of the state.
            since: incidents last seen before do not count.
            give: takes what is to be written into the state; what is not written is given again.

        Raises:
            Away: the server does not answer.
            StorageError: the state cannot be read.
        """
        while (found := link.call(self._next, _WORK_S)) is not None:
            self._last, data = found
            ruling = _read(data)
            if ruling is not None:
                self._known[ruling.incident_id] = ruling
        known = rows(
            connection, "SELECT incident_id, status FROM incidents WHERE last_ms >= ?", (to_ms(since),)
        )
        for row in known:
            incident, status = row["incident_id"], row["status"]
            heard = self._known.get(incident)
            if status == (heard.verdict if heard else None) or (heard is None and status not in _CREW):
                continue
            here = last_verdict(connection, incident)
            if heard is not None and (here is None or heard.time > here):
                give(heard)
            elif status in _CREW and here is not None and (heard is None or here > heard.time):
                ruling = Ruling(incident, status, here, _note(connection, incident))
                link.call(lambda js, ruling=ruling: self._put(js, ruling), _WORK_S)  # type: ignore[misc]
                self._known[incident] = ruling

    async def _next(self, js: JetStreamContext) -> tuple[int, bytes] | None:
        from nats.js.errors import NotFoundError

        try:
            found = await js.get_msg(self._stream, seq=self._last + 1, subject=f"{self._subject}>", next=True)
        except NotFoundError:
            return None
        return found.seq or self._last + 1, found.data or b""

    async def _put(self, js: JetStreamContext, ruling: Ruling) -> None:
        told = {
            "incident": ruling.incident_id,
            "verdict": ruling.verdict,
            "time_ms": to_ms(ruling.time),
            "note": ruling.note,
        }
        await js.publish(
            f"{self._subject}{ruling.incident_id}", json.dumps(told, ensure_ascii=False).encode()
        )


def _note(connection: sqlite3.Connection, incident_id: str) -> str:
    """What a crew wrote beside its verdict."""
    found = rows(connection, "SELECT note FROM hard_negatives WHERE incident_id = ? LIMIT 1", (incident_id,))
    return found[0]["note"] if found else ""


def _read(data: bytes) -> Ruling | None:
    """What an entry says; None where it cannot be used, which is said."""
    try:
        told = json.loads(data)
        ruling = Ruling(
            str(told["incident"]), told["verdict"], from_ms(int(told["time_ms"])), str(told["note"])
        )
        if ruling.verdict not in _CREW:
            raise ValueError(f"there is no verdict {ruling.verdict!r}")
        if ruling.time > datetime.now(UTC) + _CLOCKS:
            # It would stand against whatever is said until then.
            raise ValueError(f"it is of {ruling.time:%Y-%m-%d %H:%M}; check the clocks of the boxes")
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        log.warning("a verdict of another box cannot be used: %s", error)
        return None
    return ruling
