"""Stories: findings joined in space and time, their life cycle, and the state they are kept in."""

from __future__ import annotations

from huoyan.incidents.association import associate
from huoyan.incidents.lifecycle import expire, hard_negatives, hear_verdict, last_verdict, pass_verdict
from huoyan.incidents.store import Store, open_store

__all__ = [
    "Store",
    "associate",
    "expire",
    "hard_negatives",
    "hear_verdict",
    "last_verdict",
    "open_store",
    "pass_verdict",
]
