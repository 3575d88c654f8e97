"""What an archive holds, as it is gathered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from huoyan.errors import SourceError
from huoyan.records import Skip, Unit


@dataclass(slots=True)
class Discovered:
    """Units of work sorted by start, source, index and id; files that cannot be used; what a user should know."""

    units: list[Unit] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    """Ending of each file of no known kind, by path."""

    def skip(self, source_id: str, path: object, error: SourceError) -> None:
        """Count a file that cannot be used."""
        self.skips.append(Skip(source_id, str(path), error.code, str(error)))

    def tell_unknown(self) -> None:
        """Make a note of the files of no known kind."""
        if self.unknown:
            kinds = Counter(self.unknown.values()).most_common()
            text = ", ".join(f"{count} {ending or 'without ending'}" for ending, count in kinds)
            self.notes.append(f"files of no known kind were left out: {text}")


Found = Discovered
