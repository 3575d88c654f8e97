"""Secrets of receivers: from the environment, and hidden in everything that is logged from then on."""

from __future__ import annotations

import os
import re
import ssl

from huoyan import redaction
from huoyan.errors import ConfigError

_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def secret(variable: str, key: str) -> str:
    """The value of an environment variable that `key` of the configuration names.

    Raises:
        ConfigError: it is not set.
    """
    value = os.environ.get(variable, "")
    if not value:
        raise ConfigError(
            "this environment variable is not set",
            subject=f"dispatch.{key} {variable}",
            hint="set it, or name another",
        )
    redaction.hide([value])
    return value


def optional(variable: str | None, key: str) -> str | None:
    """The same; None where none is named."""
    return None if variable is None else secret(variable, key)


def expanded(text: str, key: str) -> str:
    """`text` with each `${NAME}` replaced by what the environment holds.

    Raises:
        ConfigError: a variable is not set.
    """
    return _NAME.sub(lambda match: secret(match[1], key), text)


def trust(ca: str | None, key: str) -> ssl.SSLContext:
    """What certificates are checked against: an authority's file, or the system's authorities.

    Raises:
        ConfigError: the file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot be used: {error}", subject=f"dispatch.{key} {ca}", hint="give a PEM file"
        ) from error
