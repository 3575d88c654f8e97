"""Alerts to NATS JetStream: one at a time, each waited for until the stream has it.

Subject `<subject>.<scene>.<priority>`, header `Nats-Msg-Id` with the alert's id: the server drops repeats within its
window by itself, and who consumes tells later ones by the same header.
"""

from __future__ import annotations

import re
from datetime import datetime

from huoyan.config_dispatch import Nats
from huoyan.dispatch.nats_link import Address, Link, words
from huoyan.dispatch.protocol import Away, Parcel, Refused

CONTENT_TYPE = "application/cloudevents+json"
_TOO_LONG = 10054
"""Error of JetStream: the message is longer than the stream takes."""
_WRONG_STREAM = 10060
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_HEADROOM = 512
"""Bytes of a message beside its payload."""


class NatsStream:
    """A stream of a NATS server; `huoyan queue init` creates it."""

    name = "nats"

    def __init__(self, settings: Nats) -> None:
        """
        Raises:
            MissingExtra: nats-py is not installed.
            ConfigError: an environment variable is not set, or the authority's file cannot be used.
        """
        self._settings = settings
        self._link = Link(Address(settings))

    def connect(self) -> None:
        self._link.connect()

    def deliver(self, parcel: Parcel, now: datetime) -> None:
        from nats.errors import Error, MaxPayloadError
        from nats.js.errors import APIError, NoStreamResponseError

        self._link.connect()
        link, stream, payload = self._link, self._settings.stream, parcel.document.encode()
        if len(payload) + _HEADROOM > link.largest:
            raise Refused(
                f"{len(payload)} bytes; the server takes {link.largest} at most", subject=self._where
            )
        subject = f"{self._settings.subject}.{token(parcel.scene)}.{parcel.priority}"
        headers = {"Nats-Msg-Id": parcel.alert_id, "Content-Type": CONTENT_TYPE}
        wait = 2 * link.address.timeout
        try:
            link.call(lambda js: js.publish(subject, payload, stream=stream, headers=headers.copy()), wait)
        except MaxPayloadError as error:
            raise Refused(words(error), subject=self._where) from error
        except NoStreamResponseError as error:
            raise self._unready(f"no stream takes {subject}") from error
        except APIError as error:
            if error.err_code == _TOO_LONG:
                raise Refused(words(error), subject=self._where) from error
            if error.err_code == _WRONG_STREAM:
                raise self._unready(f"{subject} belongs to another stream than {stream}") from error
            raise Away(words(error), subject=self._where) from error
        except (Error, OSError) as error:
            raise Away(words(error), subject=self._where) from error

    def close(self) -> None:
        self._link.close()

    @property
    def _where(self) -> str:
        return self._link.address.where

    def _unready(self, why: str) -> Away:
        return Away(why, subject=self._where, hint="run: huoyan queue init", code="no_stream")


def token(text: str) -> str:
    """`text` as one token of a subject."""
    return _UNSAFE.sub("_", text) or "_"
