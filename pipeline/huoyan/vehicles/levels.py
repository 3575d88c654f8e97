"""How a vehicle stands by what it did lately: green, yellow or red, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from huoyan.config import seconds
from huoyan.config_vehicles import Levels
from huoyan.passage import Code
from huoyan.records import Priority

Level = Literal["green", "yellow", "red"]
LEVELS: tuple[Level, ...] = get_args(Level)
_ZH: Mapping[Level, str] = {"green": "绿", "yellow": "黄", "red": "红"}
_UNITS = {"d": ("day", "天"), "h": ("hour", "小时"), "m": ("minute", "分钟"), "s": ("second", "秒")}


@dataclass(frozen=True, slots=True)
class Violation:
    """A reason that held for a vehicle once."""

    code: Code
    time: datetime
    story: str
    """The trip: a reason that several cameras of one trip see counts once."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A vehicle's level at a moment."""

    level: Level
    points: float
    counts: Mapping[Code, int]
    """Violations within the window by reason, those that weigh nothing left out."""
    en: str
    zh: str
    """Why, in a few words: `red: 3 in 90 days: M03 ×2, M06`."""


def standing(violations: Iterable[Violation], at: datetime, rule: Levels) -> Standing:
    """The level of a vehicle at a moment.

    Counted are the violations after `at` - `rule.window` up to `at`, each reason once a trip, by its weight.

    Args:
        violations: of this vehicle, in any order.
        at: the moment, aware.
        rule: window, limits and weights.
    """
    since = at - timedelta(seconds=seconds(rule.window))
    within = {(v.story, v.code) for v in violations if since < v.time <= at and _weight(rule, v.code) > 0}
    counts = dict(sorted(Counter(code for _, code in within).items()))
    points = sum(_weight(rule, code) * number for code, number in counts.items())
    level: Level = "red" if points >= rule.red else "yellow" if points >= rule.yellow else "green"
    return Standing(level, points, counts, *_told(level, points, counts, rule))


def priority(level: Level, rule: Levels) -> Priority:
    """How urgent the alerts of a vehicle of this level are."""
    name: str = getattr(rule.priority, level)
    return Priority[name.upper()]


def _weight(rule: Levels, code: Code) -> float:
    return rule.weights.get(code, 1.0)


def _told(level: Level, points: float, counts: Mapping[Code, int], rule: Levels) -> tuple[str, str]:
    number, unit = rule.window.rstrip("dhms"), rule.window.lstrip("0123456789.")
    en, zh = _UNITS.get(unit, (unit, unit))
    window_en, window_zh = f"{number} {en}{'' if number == '1' else 's'}", f"{number}{zh}"
    if not counts:
        return f"{level}: none in {window_en}", f"{_ZH[level]}：{window_zh}内无违规"
    weighed = {code: _weight(rule, code) for code in counts}
    unit_en, unit_zh = ("", "次") if set(weighed.values()) == {1} else (" points", "分")
    named_en = ", ".join(_named(c, n, weighed[c], " ({:g} each)") for c, n in counts.items())
    named_zh = "、".join(_named(c, n, weighed[c], "（每次{:g}分）") for c, n in counts.items())
    return (
        f"{level}: {points:g}{unit_en} in {window_en}: {named_en}",
        f"{_ZH[level]}：{window_zh}内{points:g}{unit_zh}：{named_zh}",
    )


def _named(code: Code, count: int, weight: float, each: str) -> str:
    times = f" ×{count}" if count > 1 else ""
    return f"{code}{times}" if weight == 1 else f"{code}{times}{each.format(weight)}"
