"""Who asks, as RTSP and HTTP want to be told: the Basic and Digest schemes (RFC 7617, RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from huoyan.ingest.faults import Fault

_PARTS = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True, slots=True)
class Account:
    """A user and what he knows."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """An address taken apart.

    Attributes:
        address: without the account: what is sent, and what may be shown.
    """

    address: str
    scheme: str
    host: str
    port: int
    account: Account | None

    @property
    def target(self) -> str:
        """Path and query."""
        parts = urlsplit(self.address)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


def place(address: str) -> Place:
    """Take an address apart. The account ends at the last `@` before the first `/`; signs in it may be escaped.

    Raises:
        Fault: it is none.
    """
    scheme, _, rest = address.partition("://")
    authority = re.match(r"[^/?#]*", rest)
    before, at, host = (authority[0] if authority else "").rpartition("@")
    after = host + rest[len(before) + len(at) + len(host) :]
    account: Account | None = None
    if at:
        user, _, password = before.partition(":")
        account = Account(unquote(user), unquote(password))
    try:
        parts = urlsplit(f"{scheme}://{after}")
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise Fault("address", "the address cannot be read") from error
    if not parts.hostname:
        raise Fault("address", "the address names no host")
    return Place(f"{scheme}://{after}", parts.scheme.lower(), parts.hostname, port, account)


class Challenge:
    """What a server wants to know before it answers; made of its `WWW-Authenticate` lines."""

    def __init__(self, lines: list[str], account: Account) -> None:
        """
        Raises:
            Fault: no scheme that we know is offered.
        """
        self._account = account
        self._count = 0
        digests = [dict_of(line) for line in lines if line.lower().startswith("digest")]
        known = [d for d in digests if d.get("algorithm", "MD5").upper() in _HASHES]
        # The stronger of those that are offered.
        known.sort(key=lambda d: d.get("algorithm", "MD5").upper() == "MD5")
        self._digest = known[0] if known else None
        if not known and not any(line.lower().startswith("basic") for line in lines):
            raise Fault("unsupported", "the server asks for an account in a way that is not known")

    def answer(self, method: str, uri: str) -> str:
        """The `Authorization` line's value for a request."""
        account = self._account
        if self._digest is None:
            packed = base64.b64encode(f"{account.user}:{account.password}".encode()).decode()
            return f"Basic {packed}"
        asked = self._digest
        algorithm = asked.get("algorithm", "MD5")

        def hashed(text: str) -> str:
            return _HASHES[algorithm.upper()](text.encode()).hexdigest()

        realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
        whose = hashed(f"{account.user}:{realm}:{account.password}")
        what = hashed(f"{method}:{uri}")
        told = {"username": account.user, "realm": realm, "nonce": nonce, "uri": uri}
        unquoted: dict[str, str] = {}
        if "auth" in [part.strip() for part in asked.get("qop", "").split(",")]:
            self._count += 1
            ours, count = secrets.token_hex(8), f"{self._count:08x}"
            told["cnonce"] = ours
            unquoted = {"qop": "auth", "nc": count}
            told["response"] = hashed(f"{whose}:{nonce}:{count}:{ours}:auth:{what}")
        else:
            told["response"] = hashed(f"{whose}:{nonce}:{what}")
        if "opaque" in asked:
            told["opaque"] = asked["opaque"]
        if "algorithm" in asked:
            unquoted["algorithm"] = algorithm
        parts = [f'{key}="{value}"' for key, value in told.items()]
        return "Digest " + ", ".join([*parts, *(f"{key}={value}" for key, value in unquoted.items())])


def dict_of(line: str) -> dict[str, str]:
    """The parameters of a challenge, keys in small letters."""
    return {key.lower(): quoted or bare for key, quoted, bare in _PARTS.findall(line)}
