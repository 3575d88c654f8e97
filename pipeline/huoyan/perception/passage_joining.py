"""Whether a vehicle is one that was lost, and where a story is really two: plates that differ, a way there and back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import hypot

from huoyan.perception import appearance, paths
from huoyan.perception.passage_looks import overlap
from huoyan.perception.passage_story import Part, Story, voted
from huoyan.perception.paths import Line
from huoyan.records import Box, FrameRef

STOOD_S = 3.0
"""Who stands for so long is remembered."""
GONE_S = 1.5
"""Who is on the way out of the view may be out of sight for so long."""
# How far a lost vehicle may be from where it should be: in its sizes, and as a share of the way it should have gone.
_NEAR, _NEAR_OF_WAY = 0.6, 0.7
# How many times its size it may have grown or shrunk, at once and a second more.
_SIZES, _SIZES_A_SECOND = 1.6, 0.1
_ALIKE = 0.75
_STILL_THERE = 0.25
# Two readable plates that differ in so many characters are no misread.
_OTHER_PLATE = 3


def strangeness(
    story: Story, box: Box, colours: appearance.Vector, frame: FrameRef, join_s: float
) -> float | None:
    """How unlikely it is that a box is the vehicle of a story that was lost; None: it is not.

    Args:
        story: not seen in this frame.
        box, colours: of the vehicle, xyxy px, and `appearance.look` at it.
        frame: in which it is.
        join_s: seconds after which a vehicle that did not stand has left.
    """
    path = story.path
    alike = appearance.likeness(story.colours, colours)
    if alike < _ALIKE:
        return None
    last = path[-1].last
    if path[-1].seconds >= STOOD_S and paths.same_place(last, box, frame.size):
        return 1 - alike
    gap = (frame.time - story.last).total_seconds()
    if gap > join_s:
        return None
    if paths.leaving(path, frame.size):
        # What is on its way out may be cut off oddly for a moment; later it is another one.
        return 1 - alike if gap <= GONE_S and overlap(last, box) >= _STILL_THERE else None
    size, before = paths.extent(box), paths.extent(last)
    if max(size / before, before / size) > _SIZES + _SIZES_A_SECOND * gap:
        return None
    (x, y), (ex, ey) = paths.centre(box), paths.expected(path, frame.time)
    away = hypot(x - ex, y - ey) / (0.5 * (size + before))
    way = hypot(*paths.heading(path)) * gap / (0.5 * (size + before))
    if away > _NEAR + _NEAR_OF_WAY * way:
        return None
    return away + 1 - alike


def other_plate(story: Story, threshold: float) -> list[Part]:
    """The last part, taken out of the story, if its plate is plainly another than that of those before it.

    Args:
        story: of a vehicle.
        threshold: of the vote on the plate.
    """
    if len(story.parts) < 2:
        return []
    before = voted([read for part in story.parts[:-1] for read in part.reads], threshold).text
    after = voted(story.parts[-1].reads, threshold).text
    if not before or not after or _unlike(before, after) < _OTHER_PLATE:
        return []
    return [story.parts.pop()]


def way_back(story: Story, line: Line) -> list[Part]:
    """What came after the turning point between two crossings of the line, taken out of the story."""
    if len(crossings := paths.crossings(story.path, line)) < 2:
        return []
    part, (first, second) = story.parts[-1], crossings[-2:]
    if part.first > first.time:
        return [story.parts.pop()]
    between = [i for i, stop in enumerate(part.path) if first.time < stop.since <= second.time]
    if not between:
        return []
    turn = max(between, key=lambda i: abs(paths.distance(line, paths.contact(part.path[i].box))))
    rest = replace(
        part,
        first=part.path[turn].since,
        path=part.path[turn:],
        looks=1,
        reads=list(part.reads),
        unread=Counter(),
        votes=dict(part.votes),
        sure=Counter(part.sure),
        best={},
        track=[],
        colours=part.colours.copy(),
        traces={},
        covers={},
    )
    part.path = part.path[: turn + 1]
    part.last = part.path[-1].until
    part.track_id = -1
    return [rest]


def _unlike(a: str, b: str) -> int:
    """Places at which two texts differ."""
    return sum(p != q for p, q in zip(a, b, strict=False)) + abs(len(a) - len(b))
