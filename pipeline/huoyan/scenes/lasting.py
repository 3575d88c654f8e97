"""What has changed in a view for good: the memory of slow change.

A wall that grows over weeks never moves. So what a fixed view looks like is remembered for each hour of the day, and
what looks another way at all hours for some days, and always that other way, has changed. A shadow is at a place for
an hour, a lorry for a working day, a machine at work looks different every day; a season comes by so small steps that
the memory follows; fog and night hide, so nothing is learnt from them.

An hour's signatures are joined first, cell by cell, into what the hour mostly looked like: what passes is gone. Then
every cell of the hour's slot holds two looks: what it `was`, known through so many days, and what it is `now`, held
through so many days, if that is something else. Everything is kept as text in the judge's memory, so it survives a
restart; signatures of one camera must come in their order.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.perception import signature as views
from huoyan.perception.signature import COLUMNS, DIRECTIONS, ROWS, Floats
from huoyan.records import Ring
from huoyan.sample import ViewChange
from huoyan.scenes.memory import Memory

Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.uint8]

OTHER = 0.17
"""Distance of two looks of a cell from which it holds something else."""
VEILED = 0.5
"""A row of cells with less than this share of its usual edges is behind fog or rain, or out of focus."""
UNVEILED_ROWS = 6
"""Where so many rows of cells (of 27) stand out that did not before, they had been behind fog: they are learnt anew."""
DARK = 40.0
"""Mean brightness below which nothing is learnt, whatever the caller says of day and night."""
AGREED, HALF_AGREED = 0.85, 0.5
"""Share of the hours that must say that a cell has changed, and that suffices beside such cells."""
HOURS = 3
"""Hours of the day that must say so; with fewer, twice the days."""
LEAST_CELLS = 5
"""A smaller change (in cells, of 1,296) is none."""
MOST_SHARE = 0.35
"""Where more than this share of the view changed it is another view (moved, snow): learnt in silence."""
GROWTH = 0.5
"""What joins a change that was told is told when it adds this share of it."""
MOST_TOLD = 24
"""Told changes that a view remembers, the latest."""
STALE_DAYS = 3
"""An hour that was not seen for longer has no say."""
LABEL = "lasting_change"
"""Of the observations of a change."""
LOOKS = 6
"""So many times the models look at a change more closely."""
BETWEEN_LOOKS_S = 900.0
"""Two looks that follow each other see the same light and the same lorry in front."""
_FOLLOW = 8
"""A look follows what is seen by this part of the difference a day: seasons are slower."""
_SHAPE = (ROWS, COLUMNS)
# A shaking camera brings other things to the border.
_INNER = np.pad(np.ones((ROWS - 2, COLUMNS - 2), bool), 1)
_ALL_SHAPE = (ROWS, COLUMNS, DIRECTIONS)


@dataclass(slots=True)
class _Slot:
    """An hour of the day of one view, unpacked. `day` is the latest that it was learnt from (ordinal)."""

    day: int
    was: Floats
    known: Counts
    now: Floats
    held: Counts
    rows: Floats


def remember(
    memory: Memory,
    source: str,
    local_time: datetime,
    signature: bytes,
    *,
    night: bool = False,
    days: int = 3,
) -> list[ViewChange]:
    """Take a signature into the memory of its view.

    Args:
        memory: of the judge; keys `#view|source...` and `#changes|source` are this module's own.
        source: whose view; each pose of a camera is a source of its own, and an unknown pose must not come here.
        local_time: when it was taken, on the clock on the wall: the light depends on it.
        signature: see `perception.signature`.
        night: taken at night, or with something wrong with the picture: nothing is learnt from it.
        days: through which a change must last.

    Returns:
        What has now lasted long enough, once each; mostly nothing. An hour is judged when the first signature of
        another one comes. What is returned is also kept for `waiting`.

    Raises:
        ValueError: these bytes are no signature.
    """
    view = views.view(signature)
    if night or view.brightness < DARK:
        return []
    key = f"#view|{source}"
    state: dict[str, Any] = dict(memory.get(key) or {})
    when = [local_time.toordinal(), local_time.hour]
    changes: list[ViewChange] = []
    if state and state["when"] != when:
        changes = _settle(memory, key, state, days)
    state = _gather(state if state and state["when"] == when else {"told": state.get("told", [])}, view)
    memory.put(key, {**state, "when": when})
    if changes:
        left = [[asdict(change), LOOKS, 0] for change in changes]
        memory.put(
            _changes_key(source),
            [*(memory.get(_changes_key(source)) or []), *left][-MOST_TOLD:],
        )
    return changes


def waiting(memory: Memory, source: str, time: datetime) -> tuple[ViewChange, ...]:
    """The changes of a view that the models are to look at in a picture taken at `time`, the oldest first."""
    kept = memory.get(_changes_key(source)) or []
    return tuple(
        ViewChange(**{**change, "polygon": tuple((x, y) for x, y in change["polygon"])})
        for change, _, last in kept
        if _is_due(last, time)
    )


def looked(memory: Memory, source: str, time: datetime, *, night: bool = False) -> None:
    """The models have looked at all that `waiting` gave for `time`; after `LOOKS` looks a change waits no more.

    A look by `night` shows nothing that the rules would take: it counts for none, and is done again.
    """
    key = _changes_key(source)
    kept = memory.get(key)
    if kept:
        used = 0 if night else 1
        entries = [
            [change, left - used, time.timestamp()] if _is_due(last, time) else [change, left, last]
            for change, left, last in kept
        ]
        memory.put(key, [entry for entry in entries if entry[1] > 0] or None)


def _is_due(last: float, time: datetime) -> bool:
    return time.timestamp() - last >= BETWEEN_LOOKS_S


def forget(memory: Memory, source: str) -> None:
    """Forget a view: its camera hangs elsewhere, or it was aimed anew."""
    for hour in range(24):
        memory.put(_slot_key(f"#view|{source}", hour), None)
    memory.put(f"#view|{source}", None)
    memory.put(_changes_key(source), None)


# ------------------------------------------------------------------------------------- what an hour looked like
def _gather(state: dict[str, Any], view: views.View) -> dict[str, Any]:
    """Add a signature to what the running hour mostly looks like (Boyer and Moore's majority vote, by cell)."""
    if "look" not in state:
        ones = np.ones(_SHAPE, np.uint8)
        return {**state, "look": _pack(view.cells), "votes": _text(ones), "of": 1, "rows": _ints(view.rows)}
    look, votes, of = _unpack(state["look"]), _counts(state["votes"]), state["of"] + 1
    cells = views.shifted(view.cells, views.shift_between(look, view.cells))
    alike = views.distance(look, cells) < OTHER
    lost = ~alike & (votes == 0)
    look = np.where(alike[..., None], look + (cells - look) / of, look)
    look = np.where(lost[..., None], cells, look)
    votes = np.where(alike | lost, np.minimum(votes, 250) + 1, votes - (votes > 0)).astype(np.uint8)
    rows = _rows(state["rows"])
    rows += (view.rows - rows) / of
    return {**state, "look": _pack(look), "votes": _text(votes), "of": of, "rows": _ints(rows)}


# --------------------------------------------------------------------------------------- what the days looked like
def _settle(memory: Memory, key: str, state: dict[str, Any], days: int) -> list[ViewChange]:
    """Judge an hour that is over, and say what has lasted long enough by now."""
    day, hour = state["when"]
    slots = _load(memory, key)
    cells, rows = _unpack(state["look"]), _rows(state["rows"])
    votes = _counts(state["votes"])
    steady = (votes > 0) & (3 * votes.astype(int) >= state["of"])
    slot = slots.get(hour)
    if slot is None:
        known = steady.astype(np.uint8)
        slots[hour] = _Slot(day, cells, known, np.zeros_like(cells), np.zeros(_SHAPE, np.uint8), rows)
        _save(memory, key, {hour: slots[hour]})
        return []
    _learn(slot, day, cells, rows, steady, days)
    sure, likely = _lasting([slot for slot in slots.values() if day - slot.day <= STALE_DAYS], days)
    changes: list[ViewChange] = []
    touched = {hour}
    if likely.mean() > MOST_SHARE:
        _absorb(slots.values(), np.ones(_SHAPE, bool), days)
        state["told"] = []
        touched = set(slots)
    else:
        told = list(state["told"])
        for part in _parts(sure, likely):
            change = _tell(part, told, slots, days)
            if change is not None:
                changes.append(change)
                _absorb(slots.values(), part, days)
                touched = set(slots)
        state["told"] = told[-MOST_TOLD:]
    _save(memory, key, {hour: slots[hour] for hour in touched})
    return changes


def _learn(slot: _Slot, day: int, cells: Floats, rows: Floats, steady: Bools, days: int) -> None:
    """Hold a day's look of an hour against what the hour looked like before."""
    cells = views.shifted(cells, views.shift_between(slot.was, cells))
    clearer = slot.rows < VEILED * rows
    if clearer.sum() >= UNVEILED_ROWS:
        slot.known = np.where(clearer[:, None], 0, slot.known).astype(np.uint8)
    seen = _INNER & steady & (rows >= VEILED * slot.rows)[:, None]
    same = seen & (views.distance(slot.was, cells) < OTHER)
    again = seen & ~same & (slot.held > 0) & (views.distance(slot.now, cells) < OTHER)
    fresh = seen & ~same & ~again
    slot.was = _followed(slot.was, cells, same)
    slot.now = np.where(fresh[..., None], cells, _followed(slot.now, cells, again)).astype(np.float32)
    slot.known = np.where(same, np.minimum(slot.known, 250) + 1, slot.known).astype(np.uint8)
    slot.held = np.where(again, np.minimum(slot.held, 250) + 1, slot.held)
    slot.held = np.where(same, 0, np.where(fresh, 1, slot.held)).astype(np.uint8)
    # What was there for fewer days than what came after it never was the rule.
    passing = (slot.known < days) & (slot.held > slot.known)
    slot.was = np.where(passing[..., None], slot.now, slot.was).astype(np.float32)
    slot.known = np.where(passing, slot.held, slot.known).astype(np.uint8)
    slot.held = np.where(passing, 0, slot.held).astype(np.uint8)
    slot.rows = np.maximum(rows, slot.rows + (rows - slot.rows) / _FOLLOW).astype(np.float32)
    slot.day = day


def _followed(look: Floats, cells: Floats, where: Bools) -> Floats:
    return np.where(where[..., None], look + (cells - look) / _FOLLOW, look).astype(np.float32)


def _lasting(slots: Iterable[_Slot], days: int) -> tuple[Bools, Bools]:
    """Cells that hold something else in nearly all hours that know them, and those that do in half of them."""
    able = np.zeros(_SHAPE, int)
    changed = np.zeros(_SHAPE, int)
    longest = np.zeros(_SHAPE, np.uint8)
    for slot in slots:
        knows = slot.known >= days
        able += knows
        changed += knows & (slot.held >= days)
        longest = np.where(knows, np.maximum(longest, slot.held), longest)
    enough = (changed >= HOURS) | ((changed > 0) & (longest >= 2 * days))
    return enough & (changed >= AGREED * able), enough & (changed >= HALF_AGREED * able)


def _absorb(slots: Iterable[_Slot], cells: Bools, days: int) -> None:
    """What was told is what the cells look like from now on; an hour that has not seen it yet learns them anew."""
    for slot in slots:
        new = cells & (slot.held > 0)
        slot.was = np.where(new[..., None], slot.now, slot.was).astype(np.float32)
        slot.known = np.where(new, days, np.where(cells, 0, slot.known)).astype(np.uint8)
        slot.held = np.where(cells, 0, slot.held).astype(np.uint8)


# ------------------------------------------------------------------------------------------------- what is told
def _parts(sure: Bools, likely: Bools) -> list[Bools]:
    """Connected parts of what is likely with at least `LEAST_CELLS` that are sure; gaps of two cells divide none."""
    closed = cv2.morphologyEx(likely.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, marks = cv2.connectedComponents(closed, connectivity=8)
    within = [marks == mark for mark in range(1, count)]
    return [part & likely for part in within if (part & sure).sum() >= LEAST_CELLS]


def _tell(part: Bools, told: list[str], slots: dict[int, _Slot], days: int) -> ViewChange | None:
    """The change to tell of a part; None while it adds too little to one that was told. `told` is kept up."""
    near = cv2.dilate(part.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    joined = {text: _counts(text).astype(bool) for text in told}
    joined = {text: cells for text, cells in joined.items() if (cells & near).any()}
    if joined and part.sum() < GROWTH * sum(cells.sum() for cells in joined.values()):
        return None
    whole = np.logical_or.reduce([part, *joined.values()])
    told[:] = [text for text in told if text not in joined] + [_text(whole.astype(np.uint8))]
    holding = [slot for slot in slots.values() if (slot.held[part] >= days).any()]
    strength = np.mean([views.distance(slot.was, slot.now)[part].mean() for slot in holding])
    lasted = max(days, int(np.median([np.median(slot.held[part]) for slot in holding])))
    return ViewChange(
        outline(whole), float(whole.mean()), float(strength), lasted, len(holding), bool(joined)
    )


def outline(cells: Bools) -> Ring:
    """Outline of cells in shares of width and height; of the largest part where there are several."""
    grown = cv2.resize(cells.astype(np.uint8), (4 * COLUMNS, 4 * ROWS), interpolation=cv2.INTER_NEAREST)
    joined = cv2.morphologyEx(grown, cv2.MORPH_CLOSE, np.ones((13, 13), np.uint8))
    contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 2.0, True)[:, 0]
    # A contour runs through the centres of its pixels.
    return tuple(
        (min(1.0, (float(x) + 0.5) / (4 * COLUMNS)), min(1.0, (float(y) + 0.5) / (4 * ROWS)))
        for x, y in largest
    )


# ------------------------------------------------------------------------------------------------------- as text
def _changes_key(source: str) -> str:
    return f"#changes|{source}"


def _slot_key(key: str, hour: int) -> str:
    return f"{key}|{hour:02d}"


def _load(memory: Memory, key: str) -> dict[int, _Slot]:
    """The slots of a view by hour."""
    slots = {}
    for hour in range(24):
        value = memory.get(_slot_key(key, hour))
        if value is not None:
            slots[hour] = _Slot(
                value["day"],
                _unpack(value["was"]),
                _counts(value["known"]),
                _unpack(value["now"]),
                _counts(value["held"]),
                _rows(value["rows"]),
            )
    return slots


def _save(memory: Memory, key: str, slots: dict[int, _Slot]) -> None:
    for hour, slot in slots.items():
        # Of what is now, only cells that hold something are kept: the rest packs to nothing.
        now = np.where(slot.held[..., None] > 0, slot.now, 0)
        value = {
            "day": slot.day,
            "was": _pack(slot.was),
            "known": _text(slot.known),
            "now": _pack(now),
            "held": _text(slot.held),
            "rows": _ints(slot.rows),
        }
        memory.put(_slot_key(key, hour), value)


def _pack(cells: Floats) -> str:
    return _text(np.clip(np.rint(cells * 64), 0, 255).astype(np.uint8))


def _unpack(text: str) -> Floats:
    values = np.frombuffer(zlib.decompress(base64.b85decode(text)), np.uint8)
    return values.reshape(_ALL_SHAPE).astype(np.float32) / np.float32(64)


def _text(values: Counts) -> str:
    return base64.b85encode(zlib.compress(values.tobytes(), 6)).decode()


def _counts(text: str) -> Counts:
    return np.frombuffer(zlib.decompress(base64.b85decode(text)), np.uint8).reshape(_SHAPE)


def _ints(rows: npt.NDArray[Any]) -> list[int]:
    return [int(value) for value in np.clip(np.rint(rows * 8), 0, 255)]


def _rows(values: list[int]) -> Floats:
    return np.array(values, np.float32) / np.float32(8)
