"""Plates taken out of what is given away: a number for each vehicle, the same throughout one export and in no other."""

from __future__ import annotations

import re

from huoyan.perception.plate_grammar import PROVINCES, SPECIAL
from huoyan.registry import plate_key

_PLATE = re.compile(f"[{PROVINCES}]\\s?[A-Z][\\s·.-]?(?:[A-Z0-9]){{4,6}}[{SPECIAL}]?")


class Redactor:
    """Gives every plate a name that tells nothing. Make one an export: names of two cannot be joined."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def plate(self, text: str) -> str:
        """The name of a plate; empty stays empty."""
        key = plate_key(text)
        if not key:
            return ""
        return self._names.setdefault(key, f"vehicle-{len(self._names) + 1}")

    def text(self, text: str) -> str:
        """A sentence without the plates in it."""
        return _PLATE.sub(lambda match: self.plate(match[0]), text)
