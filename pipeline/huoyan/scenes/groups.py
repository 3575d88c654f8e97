"""Which detections of one frame together are evidence of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from huoyan.records import Box, Observation, Placement
from huoyan.scenes import nearness
from huoyan.scenes.rules import Evidence, Term

OVERLAP = 0.1
"""IoU from which a thing named under `unless` explains another one away."""

Item = tuple[int, Observation]
"""An observation with its index in the frame."""


@dataclass(frozen=True, slots=True)
class Group:
    """Observations that belong together, the one to show first."""

    items: tuple[Item, ...]

    @property
    def anchor(self) -> Observation:
        return self.items[0][1]

    @property
    def indices(self) -> tuple[int, ...]:
        return tuple(index for index, _ in self.items)

    @property
    def observations(self) -> tuple[Observation, ...]:
        return tuple(observation for _, observation in self.items)


def fitting(evidence: Evidence, items: Sequence[Item]) -> tuple[list[Item], list[tuple[int, str]]]:
    """The observations that some term asks for, and why the others of these labels do not fit."""
    found, misfits = [], []
    for index, observation in items:
        faults = [
            misfit(term, observation) for term in evidence.terms if term.label == observation.detection.label
        ]
        if not all(faults):
            found.append((index, observation))
        elif faults:
            misfits.append((index, faults[0]))
    return found, misfits


def misfit(term: Term, observation: Observation) -> str:
    return term.misfit(observation.detection.score, observation.detection.attributes)


def gather(evidence: Evidence, items: Sequence[Item], apart: bool) -> list[Group]:
    """Groups of observations that lie together; `apart`: each for itself.

    A group is led by its surest observation, under `all` by the surest of what the rule names first.
    """
    first = evidence.all[0].label if evidence.all else ""
    left = sorted(
        items, key=lambda item: (item[1].detection.label != first, -item[1].detection.score, item[0])
    )
    if apart or evidence.still:
        return [Group((item,)) for item in left]
    groups = []
    while left:
        leader = left[0][1]
        members = [left[0]] + [item for item in left[1:] if _together(evidence, leader, item[1])]
        taken = {index for index, _ in members}
        left = [item for item in left if item[0] not in taken]
        groups.append(Group(tuple(members)))
    return groups


def lacking(evidence: Evidence, group: Group) -> str:
    """What a group lacks to be evidence; empty if nothing."""
    if evidence.all:
        missing = [t.label for t in evidence.all if not any(_is(t, o) for o in group.observations)]
        return f"{' and '.join(missing)} not seen with it" if missing else ""
    number = len(group.items)
    return "" if number >= evidence.count else f"{number} seen together, {evidence.count} needed"


def explained_away(evidence: Evidence, group: Group, everything: Sequence[Observation]) -> str:
    """The label under `unless` that overlaps a group's anchor; empty if none."""
    for term in evidence.unless:
        for observation in everything:
            if (
                _is(term, observation)
                and iou(observation.detection.box, group.anchor.detection.box) >= OVERLAP
            ):
                return term.label
    return ""


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _is(term: Term, observation: Observation) -> bool:
    return term.label == observation.detection.label and not misfit(term, observation)


def _together(evidence: Evidence, leader: Observation, other: Observation) -> bool:
    a, b = leader.place, other.place
    if isinstance(a, Placement) and isinstance(b, Placement):
        if evidence.together is not None:
            return nearness.distance_m(a, b) <= evidence.together
        return nearness.one_place(a, b)
    # Without both places the picture is all there is: what vouches for each other must only share it.
    return bool(evidence.all) or isinstance(a, Placement) == isinstance(b, Placement)
