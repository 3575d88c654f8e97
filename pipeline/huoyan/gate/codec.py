"""Passages, messages and events as JSON text and back, for the book; canonical JSON for what is hashed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from huoyan.passage import GateEvent, Passage, SmartPassage, Washing, Weighing

# An error radius may be infinite; as null it could not be read back.
_CONFIG = ConfigDict(ser_json_inf_nan="constants")
# Pydantic takes a configuration only for what is no dataclass itself, hence the tuples of one.
_PASSAGE = TypeAdapter(tuple[Passage], config=_CONFIG)
_EVENT = TypeAdapter(tuple[GateEvent], config=_CONFIG)
_WEIGHING = TypeAdapter(Weighing)
_WASHING = TypeAdapter(Washing)
_SMART = TypeAdapter(SmartPassage)

Message = Weighing | Washing | SmartPassage


def passage_text(passage: Passage) -> str:
    return _PASSAGE.dump_json((passage,), fallback=_plain).decode()


def passage(text: str) -> Passage:
    return _PASSAGE.validate_json(text)[0]


def event_text(event: GateEvent) -> str:
    return _EVENT.dump_json((event,), fallback=_plain).decode()


def event(text: str) -> GateEvent:
    return _EVENT.validate_json(text)[0]


def kind_of(message: Message) -> str:
    """`weighing`, `washing` or `smart`."""
    if isinstance(message, Weighing):
        return "weighing"
    return "washing" if isinstance(message, Washing) else "smart"


def message_text(message: Message) -> str:
    if isinstance(message, Weighing):
        return _WEIGHING.dump_json(message).decode()
    if isinstance(message, Washing):
        return _WASHING.dump_json(message).decode()
    return _SMART.dump_json(message).decode()


def message(kind: str, text: str) -> Message:
    if kind == "weighing":
        return _WEIGHING.validate_json(text)
    return _WASHING.validate_json(text) if kind == "washing" else _SMART.validate_json(text)


def canonical(value: object) -> str:
    """JSON of one form: sorted keys, no blanks, Chinese as it is."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays that models leave in attributes, as plain numbers; anything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
