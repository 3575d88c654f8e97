"""What a scan did, in figures and as tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huoyan import interop
from huoyan.records import Alert, Skip

if TYPE_CHECKING:
    import geopandas

KEPT_SKIPS = 1000
"""Skips kept one by one; beyond it they are only counted."""


@dataclass(slots=True)
class ScanResult:
    """The figures of one scan. `alerts` holds those that this scan raised, in order."""

    state: Path
    units: int = 0
    frames: int = 0
    passages: int = 0
    """Trucks on roads that were judged, each once for all its frames."""
    already_done: int = 0
    detections: int = 0
    placed: int = 0
    findings: int = 0
    permitted: int = 0
    alerts: list[Alert] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False

    def skip(self, skip: Skip) -> None:
        """Count a file, or a part of one, that could not be used."""
        self.skipped[skip.code] += 1
        if len(self.skips) < KEPT_SKIPS:
            self.skips.append(skip)

    def note(self, text: str) -> None:
        """Keep something a user should know, once."""
        if text not in self.notes:
            self.notes.append(text)

    def add(self, share: ScanResult) -> None:
        """Add the figures of a part of the same scan."""
        for name in ("frames", "passages", "already_done", "detections", "placed", "findings", "permitted"):
            setattr(self, name, getattr(self, name) + getattr(share, name))
        self.alerts += share.alerts
        self.skipped.update(share.skipped)
        self.skips += share.skips[: KEPT_SKIPS - len(self.skips)]
        self.cpu_seconds.update(share.cpu_seconds)
        for note in share.notes:
            self.note(note)

    @property
    def by_scene(self) -> dict[str, int]:
        """Number of alerts by scene, sorted by scene."""
        return dict(sorted(Counter(alert.scene for alert in self.alerts).items()))

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values; alerts by id (the documents are on the queue)."""
        return {
            "state": str(self.state),
            "units": self.units,
            "frames": self.frames,
            "passages": self.passages,
            "already_done": self.already_done,
            "skipped": dict(self.skipped),
            "skips": [
                {"source": s.source_id, "path": s.path, "code": s.code, "reason": s.reason}
                for s in self.skips
            ],
            "detections": self.detections,
            "placed": self.placed,
            "findings": self.findings,
            "permitted": self.permitted,
            "alerts": len(self.alerts),
            "alerts_by_scene": self.by_scene,
            "alert_ids": [alert.alert_id for alert in self.alerts],
            "notes": self.notes,
            "seconds": round(self.seconds, 3),
            "frames_per_second": round(self.frames / self.seconds, 2) if self.seconds else None,
            "cpu_seconds": {step: round(value, 3) for step, value in sorted(self.cpu_seconds.items())},
            "interrupted": self.interrupted,
        }

    def to_geodataframe(self) -> geopandas.GeoDataFrame:
        """The alerts that this scan raised as a table with points in EPSG:4326, a row each.

        `huoyan.load_alerts` gives the same table of all that a state holds.

        Raises:
            MissingExtra: GeoPandas is not installed.
        """
        return interop.geodataframe([alert.document for alert in self.alerts])

    def to_file(self, path: str | Path) -> Path:
        """Write the alerts as the suffix says: .geojson, .parquet (GeoParquet), .gpkg or .csv.

        Raises:
            MissingExtra: GeoPandas is not installed.
            ValueError: the suffix is none of these.
            StorageError: the file cannot be written.
        """
        return interop.write_table(self.to_geodataframe(), path)
