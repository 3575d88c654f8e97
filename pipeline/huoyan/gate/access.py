"""Who may send messages over HTTP: whoever shows the bearer token, or proves the password of the digest account."""

from __future__ import annotations

import hmac
import os
from ipaddress import ip_address

from huoyan.config_gate import HttpIntake
from huoyan.errors import ConfigError
from huoyan.gate.digest import REALM, Digest, Verdict


class Access:
    """The door's lock, as configured."""

    def __init__(self, settings: HttpIntake) -> None:
        """Take the secrets from the environment.

        Raises:
            ConfigError: nothing is asked for beyond loopback, or a variable is empty.
        """
        self._token = _secret("token_env", settings.token_env) if settings.token_env else None
        self._digest = (
            Digest(_secret("user_env", settings.user_env), _secret("password_env", settings.password_env))
            if settings.user_env and settings.password_env
            else None
        )
        if not (self._token or self._digest) and not _is_loopback(settings.address[0]):
            raise ConfigError(
                "expected a token or an account for an address that others reach",
                subject="intake.http.token_env",
                hint="name an environment variable, or listen on 127.0.0.1",
            )

    def refusal(self, method: str, target: str, authorization: str) -> list[str] | None:
        """None: let in. Else values of `WWW-Authenticate`, a header each.

        Args:
            method, target: of the request line.
            authorization: that header in ISO 8859-1, as `http.server` reads it; empty if there is none.
        """
        if self._token is None and self._digest is None:
            return None
        shown = authorization.encode("iso-8859-1", "replace").decode("utf-8", "replace")
        scheme, _, given = shown.strip().partition(" ")
        stale = False
        if self._token is not None and scheme.lower() == "bearer":
            if hmac.compare_digest(given.strip().encode(), self._token.encode()):
                return None
        elif self._digest is not None and scheme.lower() == "digest":
            verdict = self._digest.judge(method, target, given)
            if verdict is Verdict.RIGHT:
                return None
            stale = verdict is Verdict.STALE
        bearer = [f'Bearer realm="{REALM}"'] if self._token is not None else []
        return [*(self._digest.challenges(stale=stale) if self._digest else []), *bearer]


def _secret(key: str, variable: str | None) -> str:
    value = os.environ.get(variable or "", "")
    if not value:
        raise ConfigError(
            "this environment variable is not set",
            subject=f"intake.http.{key} {variable}",
            hint="set it to a long random text, or write token_env: null to ask for no token"
            if key == "token_env"
            else "set it, or leave user_env and password_env out",
        )
    return value


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
