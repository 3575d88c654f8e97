"""The way of one vehicle through a view: where it stood and for how long, where it is heading, when it crossed a line.

A path is a list of stops. A moving vehicle makes a new stop every look or two; a parked one stays in one for hours: a
path grows with the way and not with the time. Distances are measured in sizes of the vehicle (the root of its box's
area): a box that dances by a few per cent, as boxes do under glare, has not moved.

Lines are directed, in pixels (x to the right, y down): standing at the start and looking to the end, what is on one's
right is the `right` side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import hypot, sqrt

from huoyan.records import Box, Point

Line = tuple[Point, Point]

# An edge of the box that is so many sizes away from where it was has moved.
_MOVED = 0.15
# Somebody walking past hides a part of a truck: it is back in its place within this time, and never was away.
_BACK_S = 3.0
_STOOD_S = 1.0
# A line is crossed when the vehicle is this many sizes beyond it: one that stops on it does not cross it all the time.
_BEYOND = 0.06
# An edge this near to the picture's border (share of its side) is cut off there.
_BORDER = 0.008
# How far back the heading is measured.
_HEADING_S = 1.2


@dataclass(frozen=True, slots=True)
class Stop:
    """A stretch of time in which a vehicle did not move."""

    box: Box
    """When it came here, xyxy px."""
    last: Box
    """When it was last seen here."""
    since: datetime
    until: datetime

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()


@dataclass(frozen=True, slots=True)
class Crossing:
    """When a line was crossed, and whether to its right."""

    time: datetime
    to_right: bool


def contact(box: Box) -> Point:
    """Where a vehicle stands: the middle of its lower edge."""
    return (box[0] + box[2]) / 2, box[3]


def centre(box: Box) -> Point:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def extent(box: Box) -> float:
    """The vehicle's size in pixels: the root of its box's area."""
    return max(1.0, sqrt(max(0.0, (box[2] - box[0]) * (box[3] - box[1]))))


def borders(box: Box, size: tuple[int, int]) -> tuple[bool, bool, bool, bool]:
    """Whether the left, top, right and bottom edge are cut off by the border of a picture of (width, height)."""
    width, height = size
    rim = _BORDER * max(size)
    return box[0] <= rim, box[1] <= rim, box[2] >= width - rim, box[3] >= height - rim


def same_place(a: Box, b: Box, size: tuple[int, int]) -> bool:
    """Whether a vehicle that had box `a` has not moved to have box `b`. Edges cut off in both tell nothing."""
    cut = zip(borders(a, size), borders(b, size), strict=True)
    free = [not (one and other) for one, other in cut]
    furthest = max((abs(p - q) for p, q, told in zip(a, b, free, strict=True) if told), default=0.0)
    return furthest <= _MOVED * max(extent(a), extent(b))


def advanced(path: list[Stop], box: Box, time: datetime, size: tuple[int, int]) -> None:
    """Add a look to a path, in place; looks come in time order."""
    for index in range(len(path) - 1, -1, -1):
        stop = path[index]
        latest = index == len(path) - 1
        if not latest and (time - stop.until).total_seconds() > _BACK_S:
            break
        # Only what stood can have been hidden where it stood; what drove back there did move.
        if (latest or stop.seconds >= _STOOD_S) and same_place(stop.box, box, size):
            del path[index + 1 :]
            path[index] = replace(stop, last=box, until=time)
            return
    path.append(Stop(box, box, time, time))


def joined(paths: Sequence[Sequence[Stop]], size: tuple[int, int]) -> list[Stop]:
    """One path of several in time order; what stood in its place before and after a gap stood there all the time."""
    whole: list[Stop] = []
    for path in paths:
        rest = list(path)
        if whole and rest and same_place(whole[-1].box, rest[0].box, size):
            whole[-1] = replace(whole[-1], last=rest[0].last, until=rest[0].until)
            rest = rest[1:]
        whole += rest
    return whole


def dwell(path: Sequence[Stop], least_s: float = 2.0) -> float:
    """Longest time that the vehicle stood still, seconds; 0 if never for `least_s`."""
    longest = max((stop.seconds for stop in path), default=0.0)
    return longest if longest >= least_s else 0.0


def heading(path: Sequence[Stop]) -> Point:
    """Where a vehicle is going, px a second; (0, 0) if it stands or was seen once."""
    if not path:
        return 0.0, 0.0
    end = path[-1]
    if end.seconds > _HEADING_S:
        return 0.0, 0.0
    start = end
    for stop in reversed(path):
        start = stop
        if end.until - stop.since >= timedelta(seconds=_HEADING_S):
            break
    elapsed = (end.until - start.since).total_seconds()
    if elapsed <= 0:
        return 0.0, 0.0
    (x0, y0), (x1, y1) = centre(start.box), centre(end.last)
    return (x1 - x0) / elapsed, (y1 - y0) / elapsed


def leaving(path: Sequence[Stop], size: tuple[int, int]) -> bool:
    """Whether a vehicle was last seen on its way out over the picture's border."""
    if not path:
        return False
    left, top, right, bottom = borders(path[-1].last, size)
    x, y = heading(path)
    least = 0.02 * extent(path[-1].last)
    grows = extent(path[-1].last) > extent(path[0].box)
    return (
        (left and x < -least)
        or (right and x > least)
        or (top and y < -least)
        # What comes near is cut off below while its middle hardly moves.
        or (bottom and (y > least or (grows and not path[-1].seconds > _HEADING_S)))
    )


def expected(path: Sequence[Stop], time: datetime) -> Point:
    """Where the vehicle's centre should be at `time`, if it goes on as it was going."""
    x, y = centre(path[-1].last)
    dx, dy = heading(path)
    gap = max(0.0, (time - path[-1].until).total_seconds())
    return x + dx * gap, y + dy * gap


def crossings(path: Sequence[Stop], line: Line) -> list[Crossing]:
    """Each time that a vehicle's contact point went over a segment and clearly beyond it.

    The moment is that of the last change of side, between looks by linear interpolation. Going round an end of the
    segment is no crossing.
    """
    found: list[Crossing] = []
    side = 0
    trail: list[tuple[datetime, Point, float]] = []
    for time, box in _looks(path):
        point = contact(box)
        away = distance(line, point)
        trail.append((time, point, away))
        if abs(away) < _BEYOND * extent(box):
            continue
        now = 1 if away > 0 else -1
        if side and now != side:
            moment, where = _change(trail)
            if 0.0 <= _along(line, where) <= 1.0:
                found.append(Crossing(moment, now > 0))
        side = now
        trail = [(time, point, away)]
    return found


def _looks(path: Sequence[Stop]) -> Iterator[tuple[datetime, Box]]:
    for stop in path:
        yield stop.since, stop.box
        if stop.until > stop.since:
            yield stop.until, stop.last


def distance(line: Line, point: Point) -> float:
    """Signed distance in pixels of a point from the endless line, positive on the right."""
    (ax, ay), (bx, by) = line
    length = max(hypot(bx - ax, by - ay), 1e-9)
    return ((bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)) / length


def _along(line: Line, point: Point) -> float:
    """Where a point's foot is on the segment: 0 at its start, 1 at its end."""
    (ax, ay), (bx, by) = line
    length2 = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
    return ((point[0] - ax) * (bx - ax) + (point[1] - ay) * (by - ay)) / length2


def _change(trail: Sequence[tuple[datetime, Point, float]]) -> tuple[datetime, Point]:
    """Time and point of the last change of sign in a trail that has one."""
    steps = list(pairwise(trail))
    (t0, p0, d0), (t1, p1, d1) = next((a, b) for a, b in reversed(steps) if (a[2] > 0) != (b[2] > 0))
    share = d0 / (d0 - d1) if d0 != d1 else 0.5
    where = p0[0] + share * (p1[0] - p0[0]), p0[1] + share * (p1[1] - p0[1])
    return t0 + share * (t1 - t0), where
