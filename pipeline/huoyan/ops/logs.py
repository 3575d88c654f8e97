"""Logs of a long-running command: a line an event, as JSON or for people, on standard error.

Whatever this program or a library logs goes through one pipe: what repeats too often is held back and counted,
passwords are hidden (see `huoyan.redaction`), tracebacks of threads and processes included, then one line is written.
Modules log with the standard library; `extra={"camera": id}` names the camera that a line is about.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from huoyan import child, redaction

STORM = 5
"""So many lines of one kind about one camera are written within `WINDOW_S`; the others are counted."""
WINDOW_S = 60.0
_KINDS = 4096
"""Kinds of lines that are counted at a time."""
_NOISY = ("asyncio", "urllib3", "PIL", "rasterio", "nats")
"""Libraries that tell more than an operator wants; their warnings are shown."""


def configure(
    *,
    json: bool = False,
    process: str = "main",
    secrets: Iterable[str] = (),
    level: int = logging.INFO,
    stream: TextIO | None = None,
) -> None:
    """Set up the logs of this process, and of the children that it starts from now on.

    Args:
        json: JSON, a line an event; else for people, with colours on a terminal.
        process: the name of this process in every line.
        secrets: values that are hidden wherever they stand; beside them, those of variables with telling names.
        level: the least that is written of our own modules.
        stream: where to; default standard error.
    """
    redaction.hide(secrets)
    redaction.hide_environment()
    out = stream or sys.stderr
    handler = Pipe(out)
    handler.setFormatter(_formatter(json, process, out))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("huoyan").setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*_common(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    child.prelude = Prelude(json, level)


class Prelude:
    """Sets up the logs of a child process like its parent's; called in it with its name."""

    def __init__(self, json: bool, level: int, secrets: tuple[str, ...] = ()) -> None:
        self.json, self.level, self.secrets = json, level, secrets

    def __call__(self, process: str) -> None:
        configure(json=self.json, process=process, secrets=self.secrets, level=self.level)

    def __reduce__(self) -> tuple[Any, ...]:
        # What is secret is known when a child starts, not when the logs are set up: configurations are read again.
        return Prelude, (self.json, self.level, redaction.known())


class Pipe(logging.StreamHandler[TextIO]):
    """Writes records, holding back storms."""

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._now = now
        self._kinds: dict[tuple[str, ...], _Kind] = {}
        self._next_sweep = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        now = self._now()
        self._sweep(now)
        kind = self._kinds.setdefault(_kind_of(record), _Kind(now))
        if now - kind.since >= WINDOW_S:
            self._tell(kind)
            kind.since, kind.written = now, 0
        if kind.written >= STORM:
            kind.held += 1
            kind.last = record
            return
        kind.written += 1
        super().emit(record)

    def flush_held(self) -> None:
        """Tell what has been held back so far."""
        for kind in self._kinds.values():
            self._tell(kind)

    def close(self) -> None:
        if not getattr(self.stream, "closed", False):
            self.flush_held()
        super().close()

    def _sweep(self, now: float) -> None:
        """Tell of storms that are over, and forget them."""
        full = len(self._kinds) >= _KINDS
        if now < self._next_sweep and not full:
            return
        self._next_sweep = now + WINDOW_S / 6
        for key, kind in list(self._kinds.items()):
            if full or now - kind.since >= WINDOW_S:
                self._tell(kind)
                del self._kinds[key]

    def _tell(self, kind: _Kind) -> None:
        if kind.held == 0 or kind.last is None:
            return
        last = kind.last
        told = logging.makeLogRecord(
            {
                "name": last.name,
                "levelno": last.levelno,
                "levelname": last.levelname,
                "msg": "%s (the last of %d such lines that were held back)",
                "args": (last.getMessage(), kind.held),
                "held": kind.held,
            }
        )
        if hasattr(last, "camera"):
            told.camera = last.camera
        kind.held, kind.last = 0, None
        super().emit(told)


@dataclass
class _Kind:
    """Lines of one kind since `since` (monotonic seconds)."""

    since: float
    written: int = 0
    held: int = 0
    last: logging.LogRecord | None = None


def _kind_of(record: logging.LogRecord) -> tuple[str, ...]:
    """Lines are of one kind when the same place in the code says them about the same thing."""
    about = getattr(record, "camera", None)
    if about is None and isinstance(record.args, tuple) and record.args and isinstance(record.args[0], str):
        about = record.args[0]
    return (record.name, record.levelname, f"{record.pathname}:{record.lineno}", str(about))


def _common() -> list[Any]:
    """What every event gets, whoever logged it."""
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(json: bool, process: str, out: TextIO) -> logging.Formatter:
    def named(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=False)
        if json
        else structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_common(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            # Before the passwords are hidden: tracebacks hold them, too.
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            named,
            _without_secrets,
            _in_order,
            renderer,
        ],
    )


def _without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: redaction.redact_value(value, key) for key, value in event.items()}


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    first = ("timestamp", "level", "process", "event", "camera")
    order = (*first, *sorted(event.keys() - set(first)))
    return {key: event[key] for key in order if event.get(key) not in (None, "")}


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("huoyan").critical("ended by an error", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread is not None else "a thread"
    logging.getLogger("huoyan").critical(
        "thread %s ended by an error", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )
