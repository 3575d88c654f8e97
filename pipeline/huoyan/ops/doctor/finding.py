"""What a check comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from huoyan.redaction import redact, redact_value

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's table.

    Attributes:
        about: what was examined: `disk`, `camera cam-1`, ...
        verdict: ok; warn: it works, but not well or not for ever; fail: it does not.
        told: what was found, in words.
        todo: what to do about it; empty where nothing is.
        values: figures, for machines.
    """

    about: str
    verdict: Verdict
    told: str
    todo: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Whatever the words come from, no password leaves with them.
        object.__setattr__(self, "told", redact(self.told))
        object.__setattr__(self, "todo", redact(self.todo))

    def as_json(self) -> dict[str, Any]:
        found = asdict(self)
        found["values"] = redact_value(dict(self.values))
        return found


def ok(about: str, told: str, **values: Any) -> Finding:
    return Finding(about, "ok", told, "", values)


def warn(about: str, told: str, todo: str, **values: Any) -> Finding:
    return Finding(about, "warn", told, todo, values)


def fail(about: str, told: str, todo: str, **values: Any) -> Finding:
    return Finding(about, "fail", told, todo, values)
