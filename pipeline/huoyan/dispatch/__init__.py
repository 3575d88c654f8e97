"""Getting alerts to the people who act on them: outbox, queue, delivery, exports."""

from __future__ import annotations

from huoyan.dispatch.database import ensure_tables, open_queue
from huoyan.dispatch.drain import drain

__all__ = ["drain", "ensure_tables", "open_queue"]
