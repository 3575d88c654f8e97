"""The way a frame took through the rules, for `huoyan explain`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """One condition of one rule, put to some observations of a frame."""

    scene: str
    alternative: str
    """Which evidence of the scene: `<scene>#<number in the file>`; empty where no scene asks for the label."""
    condition: str
    """label, sensor, evidence, guard, unless, place, zone, footprint, persistence, vehicle or permit."""
    held: bool
    detail: str
    """What was compared, with the numbers."""
    observations: tuple[int, ...] = ()
    """Indices into the frame's observations."""


@dataclass(slots=True)
class Trace:
    """Collects steps; switched off it costs a test."""

    wanted: bool
    steps: list[Step] = field(default_factory=list)

    def note(
        self,
        alternative: str,
        condition: str,
        held: bool,
        detail: str,
        observations: tuple[int, ...] = (),
    ) -> None:
        if self.wanted:
            scene = alternative.partition("#")[0]
            self.steps.append(Step(scene, alternative, condition, held, detail, observations))
