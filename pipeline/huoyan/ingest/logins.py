"""Who may knock now: cameras lock out who knocks too often, and recorders have few seats."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """Connections being opened at one time, in all and to one host, and logins a second to one host."""

    at_once: int = 16
    per_host: int = 4
    rate: float = 5.0


class Logins:
    """Seats and their book. Not for several threads.

    Attributes:
        open: connections that are being opened now.
    """

    def __init__(self, limits: LoginLimits) -> None:
        self._limits = limits
        self._hosts: Counter[str] = Counter()
        self._next: dict[str, float] = {}
        self.open = 0

    def enter(self, host: str, clock: float) -> bool:
        """Take a seat, if there is one; give it back with `leave`. An empty host (a file) needs none."""
        if not host:
            return True
        limits = self._limits
        if self.open >= limits.at_once or self._hosts[host] >= limits.per_host:
            return False
        if clock < self._next.get(host, 0.0):
            return False
        if len(self._next) > 4096:
            self._next = {name: at for name, at in self._next.items() if at > clock}
        self._next[host] = max(clock, self._next.get(host, 0.0)) + 1.0 / limits.rate
        self._hosts[host] += 1
        self.open += 1
        return True

    def leave(self, host: str) -> None:
        """Give a seat back."""
        if host:
            self.open -= 1
            self._hosts[host] -= 1
            self._hosts += Counter()
