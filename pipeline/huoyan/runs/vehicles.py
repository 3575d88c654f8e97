"""What `huoyan vehicles` tells, as JSON values: one vehicle in full, all in a line each, an export."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from huoyan import registry as registries
from huoyan.alerts.document import instant
from huoyan.config import LoadedConfig
from huoyan.errors import ConfigError
from huoyan.records import Place, Placement
from huoyan.registry import plate_key
from huoyan.vehicles import spelling
from huoyan.vehicles.history import History
from huoyan.vehicles.levels import Level, Standing
from huoyan.vehicles.redaction import Redactor
from huoyan.vehicles.tables import Held, Kept, Weighed

Values = dict[str, Any]
COLUMNS = (
    "time", "plate", "where", "source", "site", "direction", "label", "colour", "confidence", "cover", "outcome", "why",
    "review", "company", "permit", "reasons", "gross_kg", "tare_kg", "net_kg", "lon", "lat", "error_m", "trip", "id",
)  # fmt: skip


def card(history: History, plate: str, at: datetime, loaded: LoadedConfig | None = None) -> Values:
    """All that is known of a vehicle.

    Args:
        history: of the state.
        plate: as typed.
        at: the moment of the level.
        loaded: the county; then a vehicle that is registered and was never seen is no mistake.

    Raises:
        ConfigError: nothing is known of this plate; the nearest plates are named.
        RegistryError: the register holds mistakes.
    """
    key = plate_key(plate)
    passages, violations, weights = history.passages(key), history.violations(key), history.weights(key)
    if not key or not (passages or violations or weights):
        return _only_registered(history, plate, at, loaded)
    latest = passages[-1] if passages else None
    return {
        "plate": key,
        "company": latest.company if latest else "",
        "permit": latest.permit if latest else "",
        "level": _level(history.standing(key, at), at),
        "passages": [_passage(one) for one in passages],
        "violations": [_violation(one) for one in violations],
        "weights": [_weight(one) for one in weights],
        "trips": len({one.trip_id for one in passages} | {one.trip_id for one in violations}),
    }


def lines(
    history: History, at: datetime, only: Collection[Level] = (), limit: int | None = None
) -> list[Values]:
    """Every vehicle in a line, the worst first; of some levels, no more than `limit`."""
    found = [one for one in history.summaries(at) if not only or one.standing.level in only]
    return [
        {
            "plate": one.plate,
            "level": _level(one.standing, at),
            "passages": one.passages,
            "violations": one.violations,
            "last_seen": instant(one.last_seen),
        }
        for one in found[:limit]
    ]


def exported(
    history: History, since: datetime | None = None, until: datetime | None = None, *, redact: bool = False
) -> list[Values]:
    """Passages and events with their reasons and weights, a flat line each, by time.

    Args:
        history: of the state.
        since: only from this moment on.
        until: only before this moment.
        redact: no plate and no company: vehicles are numbered, in this export only.
    """
    reasons: dict[str, list[Held]] = defaultdict(list)
    for held in history.violations():
        reasons[held.entry_id].append(held)
    weights = {one.entry_id: one for one in history.weights()}
    made = [
        _line(one, reasons[one.entry_id], weights.get(one.entry_id))
        for one in history.passages()
        if (since is None or one.time >= since) and (until is None or one.time < until)
    ]
    redactor = Redactor()
    return [_redacted(line, redactor) for line in made] if redact else made


def as_csv(exported: Sequence[Values]) -> str:
    """Lines of an export as CSV with a header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({**line, "reasons": " ".join(line["reasons"])} for line in exported)
    return text.getvalue()


def as_json(values: object) -> str:
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"


def _only_registered(history: History, plate: str, at: datetime, loaded: LoadedConfig | None) -> Values:
    known = history.plates()
    if loaded is not None and loaded.config.registry.vehicles is not None:
        registry = registries.load(loaded)
        vehicle = registry.vehicle(plate)
        if vehicle is not None:
            key = plate_key(plate)
            return {
                "plate": key,
                "company": vehicle.company,
                "permit": vehicle.permit,
                "level": _level(history.standing(key, at), at),
                "passages": [],
                "violations": [],
                "weights": [],
                "trips": 0,
            }
        known = sorted({*known, *(registry.vehicles or {})})
    near = spelling.suggestions(plate, known)
    raise ConfigError(
        "nothing is known of this plate",
        subject=plate,
        hint=f"did you mean {', '.join(near)}?" if near else "see huoyan vehicles list",
        code="no_vehicle",
    )


def _level(standing: Standing, at: datetime) -> Values:
    return {
        "level": standing.level,
        "points": standing.points,
        "counts": dict(standing.counts),
        "at": instant(at),
        "zh": standing.zh,
        "en": standing.en,
    }


def _place(place: Place | None) -> Values | None:
    if place is None:
        return None
    if isinstance(place, Placement):
        return {"lon": place.lon, "lat": place.lat, "error_m": place.error_m, "method": place.method}
    return {"reason": place.reason}


def _passage(one: Kept) -> Values:
    return {
        "id": one.entry_id,
        "trip": one.trip_id,
        "time": instant(one.time),
        "where": one.where,
        "source": one.source_id,
        "site": one.site,
        "direction": one.direction,
        "label": one.label,
        "colour": one.colour,
        "confidence": round(one.confidence, 3),
        "cover": one.cover,
        "outcome": one.outcome,
        "why": one.why,
        "review": one.review,
        "readings": list(one.readings),
        "place": _place(one.place),
    }


def _violation(one: Held) -> Values:
    return {
        "passage": one.entry_id,
        "trip": one.trip_id,
        "time": instant(one.time),
        "source": one.source_id,
        "code": one.code,
        "zh": one.zh,
        "en": one.en,
        "confidence": round(one.confidence, 3),
    }


def _weight(one: Weighed) -> Values:
    return {
        "event": one.entry_id,
        "time": instant(one.time),
        "source": one.source_id,
        "gross_kg": one.gross_kg,
        "tare_kg": one.tare_kg,
        "net_kg": one.net_kg,
    }


def _line(one: Kept, reasons: Sequence[Held], weighed: Weighed | None) -> Values:
    told = _passage(one)
    place = one.place if isinstance(one.place, Placement) else None
    weights = _weight(weighed) if weighed else {}
    more: Values = {
        "plate": one.plate,
        "company": one.company,
        "permit": one.permit,
        "reasons": [held.code for held in reasons],
        "lon": place.lon if place else None,
        "lat": place.lat if place else None,
        "error_m": place.error_m if place else None,
    }
    return {column: {**told, **weights, **more, "time": told["time"]}.get(column) for column in COLUMNS}


def _redacted(line: Values, redactor: Redactor) -> Values:
    return {
        **line,
        "id": redactor.text(line["id"]),
        "plate": redactor.plate(line["plate"]),
        "company": "",
        "permit": "",
        "why": redactor.text(line["why"]),
        "review": redactor.text(line["review"]),
    }
