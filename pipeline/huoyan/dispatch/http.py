"""Alerts to another platform over HTTP: one POST each, a CloudEvent in structured mode, signed.

    Content-Type: application/cloudevents+json; charset=utf-8
    Idempotency-Key: <alert id>
    Huoyan-Timestamp: <seconds since 1970>
    Huoyan-Signature: v1=<HMAC-SHA256 over timestamp, ".", body; hexadecimal>

2xx: taken. Answers that blame the alert (400, 409, 413, 415, 422 and the like) refuse it for good. Answers that blame
the configuration (401, 403, 404, a redirection) or the moment (408, 425, 429, 5xx) leave it waiting.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import socket
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from huoyan import redaction
from huoyan.config_dispatch import Http
from huoyan.config_types import seconds
from huoyan.dispatch import secret
from huoyan.dispatch.protocol import Away, Parcel, Refused

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
# 4xx that say nothing against the alert itself.
_WAITING = frozenset({401, 402, 403, 404, 405, 407, 408, 410, 421, 423, 424, 425, 426, 428, 429, 451})
_LONGEST_PAUSE_S = 3600.0
_READ = 64 * 1024
_SHOWN = 200


class HttpEndpoint:
    """Another platform's endpoint."""

    name = "http"

    def __init__(self, settings: Http) -> None:
        """
        Raises:
            ConfigError: an environment variable is not set, or the authority's file cannot be used.
        """
        parts = urlsplit(secret.expanded(settings.url, "http.url"))
        self._host, self._port = parts.hostname or "", parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._where = f"{parts.scheme}://{parts.netloc}"
        self._key = secret.secret(settings.secret_env, "http.secret_env").encode()
        self._token = secret.optional(settings.token_env, "http.token_env")
        self._timeout = seconds(settings.timeout)
        self._trust = secret.trust(settings.ca, "http.ca") if parts.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def connect(self) -> None:
        """Nothing to do: whether the receiver is there shows with the next alert."""

    def probe(self) -> str:
        """What the endpoint answers to a request that changes nothing (`HEAD`), in words.

        Raises:
            Away: nobody answers.
        """
        status, reason, _, _ = self._exchange("HEAD", b"", self._authority())
        return f"answers {status} {reason}".rstrip()

    def deliver(self, parcel: Parcel, now: datetime) -> None:
        body = parcel.document.encode()
        headers = {
            "Content-Type": CONTENT_TYPE,
            "Idempotency-Key": parcel.alert_id,
            **signed(self._key, body, int(time.time())),
            **self._authority(),
        }
        status, reason, text, again = self._exchange("POST", body, headers)
        if 200 <= status < 300:
            return
        why = redaction.redact(f"HTTP {status} {reason}" + (f": {text}" if text else ""))
        if 400 <= status < 500 and status not in _WAITING:
            raise Refused(why, subject=self._where)
        hint = ""
        if status in (401, 403):
            hint = "see dispatch.http.secret_env and token_env"
        elif status < 400 or status in (404, 405, 410):
            hint = "see dispatch.http.url"
        raise Away(why, subject=self._where, hint=hint, again_s=again)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, AttributeError):
                # Wakes a thread that waits for an answer; closing alone would not.
                connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _authority(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _exchange(
        self, method: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, str, str, float | None]:
        """Status, reason, beginning of the answer, seconds that the receiver asks to wait."""
        kept = self._connection is not None
        try:
            return self._once(method, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # An idle connection that the receiver has closed says nothing; a new one does.
            if kept and isinstance(error, ConnectionError | http.client.RemoteDisconnected):
                return self._exchange(method, body, headers)
            raise Away(_words(error), subject=self._where) from error

    def _once(self, method: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, str, float | None]:
        connection = self._connection = self._connection or self._opened()
        connection.request(method, self._target, body, headers)
        answer = connection.getresponse()
        text = answer.read(_READ).decode("utf-8", "replace")
        again = _seconds(answer.headers.get("Retry-After"))
        if answer.will_close or not answer.isclosed():
            self.close()
        return answer.status, answer.reason, " ".join(text.split())[:_SHOWN], again

    def _opened(self) -> http.client.HTTPConnection:
        if self._trust is not None:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._trust
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)


def signed(key: bytes, body: bytes, timestamp: int) -> dict[str, str]:
    """The headers that prove who sent a body, and when.

    Args:
        key: the shared secret.
        body: as it is sent.
        timestamp: whole seconds since 1970; receivers turn away what is older than a few minutes.
    """
    digest = hmac.new(key, str(timestamp).encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Huoyan-Timestamp": str(timestamp), "Huoyan-Signature": f"v1={digest}"}


def _seconds(value: str | None) -> float | None:
    """`Retry-After`: seconds, or a date (RFC 9110 10.2.3)."""
    if not value:
        return None
    try:
        wait = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        wait = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(wait, 0.0), _LONGEST_PAUSE_S) if wait == wait else None


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"no answer: {getattr(error, 'strerror', None) or error or type(error).__name__}"
