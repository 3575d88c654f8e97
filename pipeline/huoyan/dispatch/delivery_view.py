"""The outbox for people and for programs: a line for each place, and what was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from huoyan.dispatch.ledger import Backlog, DeadLetter


def as_values(backlogs: Mapping[str, Backlog], letters: Sequence[DeadLetter]) -> dict[str, Any]:
    """As JSON values."""
    return {
        "places": [
            {
                "name": name,
                "waiting": backlog.waiting,
                "oldest": None if backlog.oldest is None else backlog.oldest.isoformat(),
                "refused": backlog.dead,
            }
            for name, backlog in backlogs.items()
        ],
        "refused": [
            {
                "place": letter.backend,
                "alert_id": letter.parcel.alert_id,
                "scene": letter.parcel.scene,
                "time": letter.time.isoformat(),
                "reason": letter.reason,
                "again": letter.again,
            }
            for letter in letters
        ],
    }


def lines(backlogs: Mapping[str, Backlog], letters: Sequence[DeadLetter], zone: tzinfo) -> list[str]:
    """A line for each place and each refused alert; times in the zone."""
    found = []
    for name, backlog in backlogs.items():
        text = f"{name}: {backlog.waiting} waiting"
        if backlog.oldest is not None:
            text += f" (the first of {backlog.oldest.astimezone(zone):%Y-%m-%d %H:%M:%S})"
        found.append(text + (f", {backlog.dead} refused" if backlog.dead else ""))
    for letter in letters:
        again = ", to be sent again" if letter.again else ""
        when = f"{letter.time.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        found.append(f"  {letter.parcel.alert_id} refused by {letter.backend} {when}{again}: {letter.reason}")
    return found
