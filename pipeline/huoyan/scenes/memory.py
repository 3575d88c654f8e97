"""What the judge remembers between frames: JSON values by key, and which of them have changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Memory:
    """A key-value memory. Its whole state is JSON, so a run that goes on after a stop decides alike.

    Keys hold the source first: frames of different sources never touch each other's memory, so their order
    among one another does not matter.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = dict(values or {})
        self._changed: set[str] = set()

    def get(self, key: str) -> Any:
        """The value of a key, or None."""
        return self._values.get(key)

    def put(self, key: str, value: Any) -> None:
        """Set a key to a JSON value; None forgets it."""
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value
        self._changed.add(key)

    def reset(self, other: Memory) -> None:
        """Forget what was changed since it was last written: hold what `other` holds."""
        self._values, self._changed = dict(other._values), set()

    def copy(self) -> Memory:
        """A memory to try things on; the values are shared, because they are replaced and never changed."""
        return Memory(self._values)

    def take_changes(self) -> dict[str, Any]:
        """What was put since the last call, None for what was forgotten; the caller writes it down."""
        changes = {key: self._values.get(key) for key in sorted(self._changed)}
        self._changed.clear()
        return changes
