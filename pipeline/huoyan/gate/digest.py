"""Digest authentication of HTTP (RFC 7616), the server's side: how smart cameras prove a password without sending it.

Offered are SHA-256 and MD5, the latter for cameras that know nothing else, both with `qop="auth"`. One nonce serves
both challenges. It is a time, random bytes and an HMAC of them, so challenges cost no memory; counters (`nc`) are kept
only of nonces that were used with the right password, and each value counts once. Bodies are not protected by it, and
whoever listens sees them: it keeps strangers out, as the bearer token does, and needs TLS or a network of its own no
less.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable
from enum import Enum

REALM = "huoyan"
ALGORITHMS = {"SHA-256": "sha256", "MD5": "md5"}
"""Names on the wire and in `hashlib`, the preferred first."""
# A field of the header: a token, or a quoted string in which a backslash quotes.
_FIELD = re.compile(r'\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
_NEEDED = ("username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce")
# Nonces whose counters are remembered; beyond it the oldest is asked for anew.
_REMEMBERED = 4096


class Verdict(Enum):
    """What an answer to a challenge is worth."""

    RIGHT = "right"
    STALE = "stale"
    """The password is right, but the nonce is old, unknown or used with this counter already: ask again."""
    WRONG = "wrong"


class Digest:
    """One account's answers to challenges. For several threads."""

    def __init__(
        self, user: str, password: str, *, lifetime_s: float = 300.0, clock: Callable[[], float] = time.time
    ) -> None:
        """Set up.

        Args:
            user, password: the account.
            lifetime_s: how long a nonce may be used.
            clock: seconds; only differences count.
        """
        self._user, self._lifetime_s, self._clock = user, lifetime_s, clock
        self._accounts = {name: hashed(name, f"{user}:{REALM}:{password}") for name in ALGORITHMS}
        self._secret = secrets.token_bytes(32)
        self._counters: dict[str, int] = {}
        self._lock = threading.Lock()

    def challenges(self, *, stale: bool = False) -> list[str]:
        """Values of `WWW-Authenticate`, a header each."""
        nonce, again = self._nonce(), ", stale=true" if stale else ""
        return [
            f'Digest realm="{REALM}", qop="auth", algorithm={name}, nonce="{nonce}", charset=UTF-8{again}'
            for name in ALGORITHMS
        ]

    def judge(self, method: str, target: str, credentials: str) -> Verdict:
        """What an answer is worth.

        Args:
            method, target: of the request line.
            credentials: the header `Authorization` behind the word `Digest`.
        """
        fields = parse(credentials)
        algorithm = fields.get("algorithm", "MD5").upper()
        if (
            any(name not in fields for name in _NEEDED)
            or algorithm not in ALGORITHMS
            or fields["realm"] != REALM
            or fields["uri"] != target
            or fields["qop"] != "auth"
            or not re.fullmatch(r"[0-9a-fA-F]{8}", fields["nc"])
        ):
            return Verdict.WRONG
        expected = response(algorithm, self._accounts[algorithm], method, fields)
        # Both are compared in any case, so that the time tells nothing of the name.
        same_user = hmac.compare_digest(fields["username"].encode(), self._user.encode())
        same_answer = hmac.compare_digest(fields["response"].lower().encode(), expected.encode())
        if not (same_user and same_answer):
            return Verdict.WRONG
        return Verdict.RIGHT if self._count(fields["nonce"], int(fields["nc"], 16)) else Verdict.STALE

    def _nonce(self) -> str:
        body = f"{int(self._clock() * 1000):x}.{secrets.token_hex(8)}"
        return f"{body}.{self._sign(body)}"

    def _sign(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()[:32]

    def _count(self, nonce: str, counter: int) -> bool:
        """Whether a nonce is ours, young, and the counter beyond those that it was used with."""
        body, _, signature = nonce.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return False
        born = int(body.partition(".")[0], 16) / 1000
        if not -1 <= self._clock() - born <= self._lifetime_s:
            return False
        with self._lock:
            # What was forgotten while it is young would start to count anew, and could be sent again.
            if nonce not in self._counters and len(self._counters) >= _REMEMBERED and not self._forget():
                return False
            if counter <= self._counters.get(nonce, 0):
                return False
            self._counters[nonce] = counter
        return True

    def _forget(self) -> bool:
        """Drop the counters of nonces that are too old to be used; whether there were any."""
        oldest = self._clock() - self._lifetime_s
        old = [nonce for nonce in self._counters if int(nonce.partition(".")[0], 16) / 1000 < oldest]
        for nonce in old:
            del self._counters[nonce]
        return bool(old)


def parse(credentials: str) -> dict[str, str]:
    """Fields of a digest header, by lower-case name; empty if it is malformed or names one twice."""
    fields: dict[str, str] = {}
    at = 0
    while at < len(credentials):
        match = _FIELD.match(credentials, at)
        if match is None or match[1].lower() in fields:
            return {}
        quoted = match[2]
        fields[match[1].lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match[3]
        at = match.end()
    return fields


def response(algorithm: str, account: str, method: str, fields: dict[str, str]) -> str:
    """The right answer to a challenge, in hexadecimal (RFC 7616, 3.4.1, with `qop=auth`).

    Args:
        algorithm: of `ALGORITHMS`.
        account: hash of `user:realm:password`, in hexadecimal.
        method: of the request.
        fields: nonce, nc, cnonce, qop and uri, as sent.
    """
    request = hashed(algorithm, f"{method}:{fields['uri']}")
    middle = ":".join(fields[name] for name in ("nonce", "nc", "cnonce", "qop"))
    return hashed(algorithm, f"{account}:{middle}:{request}")


def hashed(algorithm: str, text: str) -> str:
    """Hash of a text in UTF-8, in hexadecimal."""
    return hashlib.new(ALGORITHMS[algorithm], text.encode()).hexdigest()
