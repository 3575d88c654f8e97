"""Keeping passwords out of everything that is written down: logs, errors, reports.

A password is known in three ways, and each of them alone suffices: by where it stands in an address
(`rtsp://user:password@host`), by the name beside it (`token=…`, `"password": "…"`, `Authorization: …`), and by its
value, once `hide` was told it or the environment holds it under a name that says so. What is shown stays readable:
only the secret becomes `***`.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "***"
# Up to the last `@` of the address: passwords may hold `/`, `@` and `:`. Another scheme begins another address.
_ADDRESS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,15}://)(?:(?!://)[^\s<>])*@")
_NAME = (
    r"[a-z0-9_.-]{0,40}(?:passwd|password|passphrase|secret|token|credentials?"
    r"|api[_-]?key|access[_-]?key|private[_-]?key)"
)
_SHORT = r"(?:pwd|pass|psw|passwort|auth|sig|sign|signature)"
"""Names in queries that are words of prose as well: a secret only follows them behind `=`."""
# Quotes may be escaped (JSON within JSON). An unquoted value ends where a query or a list goes on.
_NAMED = re.compile(
    rf"""(?ix) (?<![a-z0-9]) (?P<before> {_NAME} \\*["']?\s*[:=]\s* | {_SHORT} \s*=\s* | ["']{_SHORT}["']\s*:\s*)
    ( (?P<q>\\*["']) (?:(?!(?P=q)).)* (?P=q) | [^\s"'&;,)\]}}]+ )"""
)
_HEADER = re.compile(r"(?i)\b((?:proxy-)?authorization\\*[\"']?\s*[:=]\s*)[^\r\n]*")
# Not "basic checks": a token has more in it than small letters.
_SCHEME = re.compile(r"\b(?i:(bearer|basic)(\s+))(?=[a-z]*[A-Z0-9+/_~=])[A-Za-z0-9+/_.~=-]{6,}")
_KEY = re.compile(rf"(?i)^(?:{_NAME}|{_SHORT}|(?:proxy-)?authorization)$")
_VARIABLE = re.compile(
    r"(?i)(?:passw|passphrase|secret|token|credential|api_?key|access_?key|private_?key|_pwd$|_pass$)"
)
_SHORT_TEXT = 64
"""What was made of texts up to this length is remembered."""
_SHORTEST = 4
"""A known secret is looked for anywhere in a text from this length on; shorter ones would spoil every number."""

_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


def hide(values: Iterable[str]) -> None:
    """Have these values hidden from now on wherever they stand, also percent-encoded."""
    global _pattern
    for value in values:
        if len(value) >= _SHORTEST:
            _known.update({value, quote(value, safe=""), quote(value), quote_plus(value), repr(value)[1:-1]})
            _known.add(base64.b64encode(value.encode()).decode())
    longest_first = sorted(_known, key=len, reverse=True)
    _pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def hide_environment(environment: Mapping[str, str] | None = None) -> None:
    """Have the values of all variables hidden whose names tell a secret (`CAMERA_PASSWORD`, `HUOYAN_WATCH_TOKEN`)."""
    variables = os.environ if environment is None else environment
    hide(value for name, value in variables.items() if _VARIABLE.search(name))


def known() -> tuple[str, ...]:
    """The values that are hidden, to hand them to another process."""
    return tuple(sorted(_known))


def redact(text: str) -> str:
    """`text` without passwords."""
    return _again(text, _pattern) if len(text) <= _SHORT_TEXT else _redact(text, _pattern)


def _redact(text: str, known: re.Pattern[str] | None) -> str:
    if known is not None:
        text = known.sub(HIDDEN, text)
    if "@" in text and "://" in text:
        text = _ADDRESS.sub(rf"\1{HIDDEN}@", text)
    text = _HEADER.sub(rf"\1{HIDDEN}", text)
    text = _SCHEME.sub(rf"\1\2{HIDDEN}", text)
    return _NAMED.sub(_without_value, text)


# The names and words of a status are the same, thousands of them, every second.
_again = lru_cache(maxsize=4096)(_redact)
_is_secret_name = lru_cache(maxsize=4096)(lambda name: bool(_KEY.match(name)))


def redact_value(value: Any, key: str = "") -> Any:
    """The same for any value: texts within mappings and sequences too; what a secret's name stands for is hidden."""
    if key and _is_secret_name(key) and value not in (None, "", True, False):
        return HIDDEN
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {redact_value(k): redact_value(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(one) for one in value]
    if isinstance(value, bytes | bytearray):
        return redact(bytes(value).decode("utf-8", "backslashreplace"))
    return redact(str(value))


def _without_value(match: re.Match[str]) -> str:
    mark = match["q"] or ""
    return f"{match['before']}{mark}{HIDDEN}{mark}"
