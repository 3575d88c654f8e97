"""What weighbridges and wash stations send: JSON bodies, checked, with the JSON Schemas that describe them.

The same body comes over HTTP and MQTT. A key that is not known is a mistake: a misspelt one would be lost in silence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from huoyan.errors import SourceError
from huoyan.passage import Washing, Weighing
from huoyan.records import utc

Kind = Literal["weighing", "washing"]
KINDS: tuple[Kind, ...] = ("weighing", "washing")
SCHEMA_BASE = "urn:huoyan:schema:"
LARGEST_BODY = 64 * 1024

Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w.:/@+-]+$")]
Plate = Annotated[str, Field(max_length=16)]


class BadMessage(SourceError):
    """A message that cannot be used; `subject` is the field, `status` what HTTP answers."""

    default_code = "bad_message"

    def __init__(
        self, message: str, *, subject: str = "", hint: str = "", code: str = "", status: int = 422
    ) -> None:
        super().__init__(message, subject=subject, hint=hint, code=code)
        self.status = status


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    message_id: Id = Field(description="The sender's own: a message sent again with it counts once.")
    device_id: Id = Field(description="The device, as the gate's configuration names it.")
    gate_id: Id | None = Field(None, description="The gate; may be left out, the device's gate counts.")
    time: AwareDatetime = Field(description="By the device's clock, ISO 8601 with its offset from UTC.")
    plate: Plate = Field("", description="What the device itself knows of the vehicle; empty: nothing.")


class WeighingMessage(_Message):
    """One weighing of one vehicle on a weighbridge."""

    kg: float = Field(ge=0, le=200_000, description="Weight of the whole vehicle in kilograms.")
    stable: bool = Field(True, description="False: the reading had not come to rest; it is kept, not used.")


class WashingMessage(_Message):
    """One vehicle at a wash station. A station that saw a vehicle go through unwashed says so with 0 seconds."""

    seconds: float = Field(ge=0, le=7200, description="How long it was washed; 0: not at all.")
    passed: bool = Field(True, description="What the station itself says of the result.")


MODELS: Mapping[Kind, type[_Message]] = {"weighing": WeighingMessage, "washing": WashingMessage}


def parse(kind: Kind, raw: bytes, received: datetime, gate_id: str | None = None) -> Weighing | Washing:
    """Check a message.

    Args:
        kind: what it is by its path or topic.
        raw: the body, JSON in UTF-8.
        received: when it came, by our clock.
        gate_id: the gate by its topic; a body that names another is refused.

    Returns:
        The message; its `gate_id` is empty where nobody named one.

    Raises:
        BadMessage: naming the field, what was expected and what came. 400: no JSON object; 413: too long; 422: a
            field is missing or wrong.
    """
    try:
        message = MODELS[kind].model_validate_json(_checked(raw))
    except ValidationError as error:
        raise _told(error) from error
    if gate_id is not None and message.gate_id not in (None, gate_id):
        raise BadMessage(
            f"expected the topic's gate {gate_id!r} or none, got {message.gate_id!r}", subject="gate_id"
        )
    gate = message.gate_id or gate_id or ""
    common = (message.message_id, message.device_id, gate, utc(message.time), utc(received))
    if isinstance(message, WeighingMessage):
        return Weighing(*common, kg=message.kg, plate=message.plate, stable=message.stable)
    assert isinstance(message, WashingMessage)
    return Washing(*common, seconds=message.seconds, plate=message.plate, passed=message.passed)


def loads(raw: bytes) -> Any:
    """JSON values of a body.

    Raises:
        BadMessage: 400, with the line and column where it breaks.
    """
    try:
        return json.loads(_text(raw))
    except UnicodeDecodeError as error:
        raise BadMessage("expected JSON in UTF-8", code="not_utf8", status=400) from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadMessage(f"expected JSON: {error}", code="not_json", status=400) from error


def dumps(body: object) -> bytes:
    """JSON values as a body."""
    return json.dumps(body, ensure_ascii=False).encode()


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema (draft 2020-12) of every message, by file name."""
    found = {}
    for kind, model in MODELS.items():
        schema = model.model_json_schema()
        head = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"{SCHEMA_BASE}{kind}.v1",
        }
        found[f"{kind}.v1.schema.json"] = {**head, **schema, "title": kind}
    return found


def _text(raw: bytes) -> str:
    return raw.decode("utf-8-sig")


def _checked(raw: bytes) -> str:
    if len(raw) > LARGEST_BODY:
        raise BadMessage(
            f"expected at most {LARGEST_BODY} bytes, got {len(raw)}", code="too_long", status=413
        )
    if not isinstance(loads(raw), dict):
        raise BadMessage("expected a JSON object", code="no_object", status=400)
    return _text(raw)


def _told(error: ValidationError) -> BadMessage:
    """The first mistake, with the field; the others are counted."""
    mistakes = error.errors(include_url=False)
    first = mistakes[0]
    field = ".".join(str(part) for part in first["loc"])
    what = {"missing": "is missing", "extra_forbidden": "is not known here"}.get(first["type"])
    if what is None:
        what = f"{first['msg']}, got {first.get('input')!r:.80}"
    more = f"; {len(mistakes) - 1} more" if len(mistakes) > 1 else ""
    return BadMessage(f"{what}{more}", subject=field, code=first["type"])
