"""Collecting every mistake of the registers, so that a user mends them in one go."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass, field

from huoyan.errors import RegistryError

SHOWN = 60
"""Mistakes that one error lists; more are counted."""


@dataclass(slots=True)
class Mistakes:
    """The mistakes found so far, each as `file:row:column: what`."""

    lines: list[str] = field(default_factory=list)

    def add(self, file: str, row: int | str, column: str, text: str, hint: str = "") -> None:
        """Note a mistake; an empty `row` or `column` is left out of its address."""
        where = ":".join(part for part in (file, str(row), column) if part)
        self.lines.append(f"{where}: {text}{f' ({hint})' if hint else ''}")

    def hint(self, word: str, known: Collection[str]) -> str:
        """See `did_you_mean`; none once more mistakes are there than an error lists: looking takes its time."""
        return did_you_mean(word, known) if len(self.lines) < SHOWN else ""

    def raise_any(self) -> None:
        """Raise what was collected.

        Raises:
            RegistryError: there is at least one mistake; its message has a line for each.
        """
        if not self.lines:
            return
        shown = self.lines[:SHOWN]
        if len(self.lines) > SHOWN:
            shown.append(f"... and {len(self.lines) - SHOWN} more")
        raise RegistryError("\n".join(shown), code="registry")


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A hint with the nearest known word, or with all of them."""
    near = difflib.get_close_matches(word, list(known), 1, 0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {', '.join(sorted(known))}" if known else ""
