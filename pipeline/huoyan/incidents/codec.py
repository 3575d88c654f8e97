"""Records as JSON text and back, for the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter

from huoyan.records import Finding, Incident

_FINDING = TypeAdapter(Finding)
_INCIDENT = TypeAdapter(Incident)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def finding_text(finding: Finding) -> str:
    return _FINDING.dump_json(finding).decode()


def finding(text: str) -> Finding:
    return _FINDING.validate_json(text)


def incident_text(incident: Incident) -> str:
    return _INCIDENT.dump_json(incident).decode()


def incident(text: str) -> Incident:
    return _INCIDENT.validate_json(text)


def to_ms(time: datetime) -> int:
    """Milliseconds since 1970."""
    return (time - _EPOCH) // timedelta(milliseconds=1)


def from_ms(value: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=value)
