"""Asking a running daemon over its pages."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from typing import Any

from huoyan.errors import HuoyanError
from huoyan.ops.http import TOKEN
from huoyan.redaction import redact

_WITHIN_S = 5.0


class NoDaemon(HuoyanError):
    """Nobody answers as a daemon would."""

    default_code = "no_daemon"


def status(address: str) -> dict[str, Any]:
    """The status of the daemon whose pages are at an address such as `http://127.0.0.1:8479`.

    The token of `HUOYAN_WATCH_TOKEN` is shown where it is set.

    Raises:
        NoDaemon: nobody answers there, or not as a daemon does, or it wants another token.
    """
    base = address.rstrip("/").removesuffix("/status")
    request = urllib.request.Request(f"{base}/status")
    if token := os.environ.get(TOKEN):
        request.add_header("Authorization", f"Bearer {token}")
    # Never through a proxy: it is a machine of ours.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    subject = redact(base)
    try:
        with opener.open(request, timeout=_WITHIN_S) as answer:
            found = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 401:
            raise NoDaemon("it asks for a token", subject=subject, hint=f"set {TOKEN}") from error
        raise NoDaemon(
            f"no daemon answers there ({error.code})", subject=subject, hint="check the address"
        ) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        words = getattr(getattr(error, "reason", error), "strerror", None) or str(error)
        hint = "is `huoyan watch` running, and is this its watch.listen?"
        raise NoDaemon(f"no daemon answers there ({words})", subject=subject, hint=hint) from error
    if not isinstance(found, dict) or "cameras" not in found or "processes" not in found:
        raise NoDaemon("what answers there is no daemon", subject=subject, hint="check the address")
    return found


def pid_of(found: dict[str, Any]) -> int:
    """The main process of a daemon, of its status.

    Raises:
        NoDaemon: it names none.
    """
    for process in found["processes"]:
        if process["name"] == "main":
            return int(process["pid"])
    raise NoDaemon("its status names no main process")


def address_of(listen: str) -> str:
    """Where the pages of a daemon on this machine are, by its `watch.listen`."""
    host, _, port = listen.rpartition(":")
    local = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host)
    return f"http://{local}:{port}"
