"""Records as JSON text and back, for the store."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, TypeAdapter

from huoyan.records import Finding, Incident

# An error radius may be infinite; as null it could not be read back.
_CONFIG = ConfigDict(ser_json_inf_nan="constants")
# Pydantic takes a configuration only for what is no dataclass itself, hence the tuples of one.
_FINDING = TypeAdapter(tuple[Finding], config=_CONFIG)
_INCIDENT = TypeAdapter(tuple[Incident], config=_CONFIG)


def finding_text(finding: Finding) -> str:
    return _FINDING.dump_json((finding,), fallback=_plain).decode()


def finding(text: str) -> Finding:
    return _FINDING.validate_json(text)[0]


def incident_text(incident: Incident) -> str:
    return _INCIDENT.dump_json((incident,), fallback=_plain).decode()


def incident(text: str) -> Incident:
    return _INCIDENT.validate_json(text)[0]


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays that models leave in attributes, as plain numbers; anything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
