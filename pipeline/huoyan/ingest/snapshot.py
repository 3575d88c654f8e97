"""A single picture over HTTP, with one deadline for all of it."""

from __future__ import annotations

import http.client
import ssl
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

from huoyan.ingest.auth import Challenge, Place, place
from huoyan.ingest.faults import Fault, of_error, of_status

_LARGEST = 32 << 20
"""Bytes of a picture."""
_REDIRECTS = 3
_JPEG = b"\xff\xd8\xff"


def fetch(address: str, within_s: float) -> tuple[bytes, float | None]:
    """Fetch a JPEG.

    Args:
        address: http:// or https://, with its account.
        within_s: seconds for all of it.

    Returns:
        The picture, and the time (seconds since 1970) that the server says it is, if it does.

    Raises:
        Fault: there is none in time.
    """
    deadline = time.monotonic() + within_s
    where = place(address)
    challenge: Challenge | None = None
    redirects = 0
    while True:
        try:
            status, reason, headers, body = _get(where, challenge, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise of_error(error) from error
        if status == 401 and challenge is None and where.account is not None:
            challenge = Challenge(headers.get_all("WWW-Authenticate") or [], where.account)
        elif status in (301, 302, 303, 307, 308) and redirects < _REDIRECTS:
            redirects += 1
            onward = place(urljoin(where.address, headers.get("Location") or ""))
            # The account belongs to this host; another one is not told it.
            account = onward.account or (where.account if onward.host == where.host else None)
            where = Place(onward.address, onward.scheme, onward.host, onward.port, account)
            challenge = None
        elif status != 200:
            raise of_status(status, reason)
        elif not body.startswith(_JPEG):
            raise Fault("damaged", "what comes is no JPEG")
        else:
            return body, _date(headers)


def _get(
    where: Place, challenge: Challenge | None, deadline: float
) -> tuple[int, str, http.client.HTTPMessage, bytes]:
    connection: http.client.HTTPConnection
    left = max(0.1, deadline - time.monotonic())
    if where.scheme == "https":
        context = ssl.create_default_context()
        # Cameras sign their certificates themselves.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(where.host, where.port, timeout=left, context=context)
    else:
        connection = http.client.HTTPConnection(where.host, where.port, timeout=left)
    try:
        headers = {"User-Agent": "Huoyan", "Connection": "close"}
        if challenge is not None:
            headers["Authorization"] = challenge.answer("GET", where.target)
        connection.request("GET", where.target, headers=headers)
        with connection.getresponse() as response:
            return response.status, response.reason, response.headers, _body(response, deadline)
    finally:
        connection.close()


def _body(response: http.client.HTTPResponse, deadline: float) -> bytes:
    parts, size = [], 0
    while part := response.read1(1 << 16):
        size += len(part)
        if size > _LARGEST:
            raise Fault("damaged", f"what comes is larger than {_LARGEST >> 20} MB")
        parts.append(part)
        # A server that gives a byte a second keeps every deadline of the socket.
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(parts)


def _date(headers: http.client.HTTPMessage) -> float | None:
    try:
        return parsedate_to_datetime(headers.get("Date") or "").timestamp()
    except (ValueError, OverflowError):
        return None
