"""Why a camera gives no pictures: an error with a code for machines and words for people, without passwords."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from typing import Final

from av.error import (
    ExitError,
    FFmpegError,
    HTTPForbiddenError,
    HTTPNotFoundError,
    HTTPServerError,
    HTTPUnauthorizedError,
    InvalidDataError,
)
from av.error import TimeoutError as AvTimeoutError

from huoyan.redaction import redact

_FATAL: Final = frozenset({"unauthorised", "not_found", "unsupported", "address"})
"""What waiting does not cure: somebody must change a password or an address. It is tried again all the same."""


class Fault(Exception):
    """A connection could not be made, or broke.

    Attributes:
        code: `refused`, `unreachable`, `unauthorised`, `not_found`, `busy`, `timeout`, `ended`, `no_pictures`,
            `damaged`, `hung`, `unsupported`, `address` or `failed`.
        why: in words, without passwords.
    """

    def __init__(self, code: str, why: str) -> None:
        self.code, self.why = code, redact(why)
        super().__init__(self.why)

    @property
    def fatal(self) -> bool:
        return self.code in _FATAL


_STATUS: Final[Mapping[int, tuple[str, str]]] = {
    401: ("unauthorised", "user or password are wrong"),
    403: ("unauthorised", "this user may not see it"),
    404: ("not_found", "there is no such stream at this address"),
    410: ("not_found", "there is no such stream at this address any more"),
    408: ("timeout", "the server timed out"),
    429: ("busy", "too many logins"),
    453: ("busy", "not enough bandwidth left"),
    454: ("ended", "the session is over"),
    461: ("unsupported", "it does not offer this transport; try the other one (transport: udp or tcp)"),
    503: ("busy", "the server has no seat left"),
}


def of_status(status: int, reason: str) -> Fault:
    """The fault of an answer of RTSP or HTTP that is not 200."""
    code, why = _STATUS.get(status, ("failed", "the server could not do it"))
    return Fault(code, f"{why} ({status} {reason})".strip())


_ERRNO: Final[Mapping[int, tuple[str, str]]] = {
    errno.ECONNREFUSED: ("refused", "nothing listens there"),
    errno.EHOSTUNREACH: ("unreachable", "there is no way to this host"),
    errno.ENETUNREACH: ("unreachable", "there is no way to this network"),
    errno.ECONNRESET: ("ended", "the camera cut the connection"),
    errno.EPIPE: ("ended", "the camera cut the connection"),
    errno.ENOENT: ("not_found", "there is no such file"),
    errno.EACCES: ("unauthorised", "the file may not be read"),
    errno.EMFILE: ("failed", "this process has no descriptor left"),
}
_LIBRARY: Final = (
    (HTTPUnauthorizedError, "unauthorised", "user or password are wrong"),
    (HTTPForbiddenError, "unauthorised", "this user may not see it"),
    (HTTPNotFoundError, "not_found", "there is no such stream at this address"),
    (HTTPServerError, "busy", "the server answered with an error"),
    (ExitError, "timeout", "nothing came in time"),
    (AvTimeoutError, "timeout", "nothing came in time"),
    (InvalidDataError, "damaged", "what comes is no video"),
)


def of_error(error: BaseException) -> Fault:
    """The fault that an error of sockets or of FFmpeg stands for."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, TimeoutError) and not isinstance(error, FFmpegError):
        return Fault("timeout", "nothing came in time")
    if isinstance(error, socket.gaierror):
        return Fault("unreachable", f"the name of the host is not known ({error.strerror})")
    for kind, code, why in _LIBRARY:
        if isinstance(error, kind):
            return Fault(code, why)
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number in _ERRNO:
        return Fault(*_ERRNO[number])
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Fault("failed", str(text))
