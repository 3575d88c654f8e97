"""Logs as an operator and a log store read them."""

from __future__ import annotations

import io
import json
import logging
import pickle
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import structlog

from huoyan import child, redaction
from huoyan.config import load
from huoyan.ingest.addresses import plans
from huoyan.ops import logs

ADDRESS = "rtsp://admin:Hun/ter@2x@10.0.0.9:554/1"


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test sets logs up anew; what pytest and others had set up comes back."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogger("huoyan").level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(child, "prelude", None)
    monkeypatch.setattr(redaction, "_known", set())
    monkeypatch.setattr(redaction, "_pattern", None)
    yield
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:], root.level = before[0], before[1]
    logging.getLogger("huoyan").setLevel(before[2])


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(**options: Any) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(stream=stream, **{"json": True, **options})
    return stream


def test_a_line_is_an_event_with_time_level_process_and_camera() -> None:
    stream = configured(process="ingest-0")
    logging.getLogger("huoyan.watch").info(
        "%s: %s", "cam-1", "lost", extra={"camera": "cam-1", "code": "refused"}
    )
    [line] = lines(stream)
    assert list(line)[:5] == ["timestamp", "level", "process", "event", "camera"]
    assert line | {"timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "process": "ingest-0",
        "event": "cam-1: lost",
        "camera": "cam-1",
        "code": "refused",
        "logger": "huoyan.watch",
    }
    told = datetime.fromisoformat(line["timestamp"])
    assert told.utcoffset() == timedelta(0)
    assert abs(told - datetime.now(UTC)) < timedelta(minutes=5)


def test_libraries_warnings_and_structlog_go_through_the_same_pipe() -> None:
    stream = configured()
    logging.getLogger("some.library").warning("from a library")
    logging.getLogger("some.library").info("too much")
    logging.getLogger("huoyan.x").debug("too much")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    structlog.get_logger("huoyan.y").warning("by name", camera="cam-2", password="Hunter2x")
    first, second, third = lines(stream)
    assert (first["event"], first["logger"]) == ("from a library", "some.library")
    assert "DeprecationWarning: old" in second["event"]
    assert (third["event"], third["camera"], third["password"]) == ("by name", "cam-2", "***")


def test_the_console_shows_the_same_to_people() -> None:
    stream = configured(json=False)
    logging.getLogger("huoyan.watch").warning("%s: %s", "cam-1", ADDRESS, extra={"camera": "cam-1"})
    assert "warning" in stream.getvalue()
    assert "cam-1: rtsp://***@10.0.0.9:554/1" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("as_json", [True, False])
def test_no_password_passes_whatever_brings_it(as_json: bool) -> None:
    stream = configured(json=as_json, secrets=["Sesame-open"])
    log = logging.getLogger("huoyan.ingest")
    log.warning("opening %s", ADDRESS)
    log.warning(f"opening {ADDRESS}")
    log.warning("given %r", {"url": ADDRESS, "password": "Hun/ter@2x"})
    log.warning("x", extra={"url": ADDRESS, "token": "Hun/ter@2x", "nested": [{"secret": "Hun/ter@2x"}]})
    log.warning("the word is Sesame-open")
    log.warning("failed", stack_info=True, extra={"why": OSError(ADDRESS)})
    try:
        try:
            raise ConnectionError(f"{ADDRESS}: 401")
        except ConnectionError as error:
            raise RuntimeError("password=Hun/ter@2x, Sesame-open") from error
    except RuntimeError:
        log.exception("it failed with %s", ADDRESS)
    try:
        raise ExceptionGroup("many", [OSError(ADDRESS), ValueError("Sesame-open")])
    except ExceptionGroup:
        log.exception("they failed")
    text = stream.getvalue()
    assert text.count("Traceback") >= 2
    for secret in ("Hun/ter", "ter@2x", "Sesame", "admin:"):
        assert secret not in text


def test_errors_of_threads_are_logged_without_passwords() -> None:
    stream = configured()

    def fail() -> None:
        raise OSError(f"{ADDRESS}: refused")

    thread = threading.Thread(target=fail, name="reader")
    thread.start()
    thread.join()
    [line] = lines(stream)
    assert (line["level"], line["event"]) == ("critical", "thread reader ended by an error")
    assert "rtsp://***@10.0.0.9:554/1: refused" in line["exception"]
    assert "ter@2x" not in stream.getvalue()


def test_an_error_that_ends_the_process_is_logged_without_passwords() -> None:
    stream = configured()
    try:
        raise OSError(f"{ADDRESS}: refused")
    except OSError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    [line] = lines(stream)
    assert line["level"] == "critical"
    assert "ter@2x" not in stream.getvalue()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def piped() -> Iterator[tuple[logging.Logger, io.StringIO, Clock]]:
    """A logger behind a pipe whose time a test sets."""
    stream, clock = io.StringIO(), Clock()
    pipe = logs.Pipe(stream, clock)
    pipe.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log = logging.Logger("huoyan.test")
    log.addHandler(pipe)
    yield log, stream, clock
    pipe.close()


def lost(log: logging.Logger, camera: str, number: int = 0) -> None:
    log.warning("%s: lost, attempt %d", camera, number, extra={"camera": camera})


def test_a_storm_of_one_camera_is_held_back_and_counted(
    piped: tuple[logging.Logger, io.StringIO, Clock],
) -> None:
    log, stream, clock = piped
    for number in range(50):
        lost(log, "cam-1", number)
        clock.now += 0.1
    lost(log, "cam-2")
    written = stream.getvalue().splitlines()
    assert written[: logs.STORM] == [f"WARNING cam-1: lost, attempt {n}" for n in range(logs.STORM)]
    assert written[logs.STORM :] == ["WARNING cam-2: lost, attempt 0"]
    clock.now += logs.WINDOW_S
    lost(log, "cam-1", 99)
    assert stream.getvalue().splitlines()[logs.STORM + 1 :] == [
        f"WARNING cam-1: lost, attempt 49 (the last of {50 - logs.STORM} such lines that were held back)",
        "WARNING cam-1: lost, attempt 99",
    ]


def test_a_storm_that_is_over_is_told_by_the_next_line_of_anything(
    piped: tuple[logging.Logger, io.StringIO, Clock],
) -> None:
    log, stream, clock = piped
    for number in range(logs.STORM + 3):
        lost(log, "cam-1", number)
    clock.now += logs.WINDOW_S + 1
    log.info("something else")
    assert stream.getvalue().splitlines()[logs.STORM :] == [
        f"WARNING cam-1: lost, attempt {logs.STORM + 2} (the last of 3 such lines that were held back)",
        "INFO something else",
    ]


def test_nothing_that_was_held_back_is_forgotten_at_the_end(
    piped: tuple[logging.Logger, io.StringIO, Clock],
) -> None:
    log, stream, _ = piped
    for number in range(logs.STORM + 2):
        lost(log, "cam-1", number)
    log.handlers[0].close()
    assert stream.getvalue().splitlines()[-1].endswith("(the last of 2 such lines that were held back)")


def test_lines_of_other_places_and_levels_are_not_of_the_storm(
    piped: tuple[logging.Logger, io.StringIO, Clock],
) -> None:
    log, stream, _ = piped
    for _ in range(logs.STORM + 1):
        lost(log, "cam-1")
    log.warning("%s: %s", "cam-1", "found", extra={"camera": "cam-1"})
    assert stream.getvalue().splitlines()[-1] == "WARNING cam-1: found"


def test_kinds_do_not_pile_up(piped: tuple[logging.Logger, io.StringIO, Clock]) -> None:
    log, _, clock = piped
    for number in range(3 * logs._KINDS):
        lost(log, f"cam-{number}")
    assert len(log.handlers[0]._kinds) <= logs._KINDS  # type: ignore[attr-defined]
    clock.now += logs.WINDOW_S + 1
    lost(log, "cam-1")
    assert len(log.handlers[0]._kinds) == 1  # type: ignore[attr-defined]


def failing_child(connection: Connection, address: str) -> None:
    logging.getLogger("huoyan.reader").warning("opening %s", address, extra={"camera": "cam-1"})
    raise OSError(f"{address}: refused, as Sesame-open")


def test_children_log_through_the_same_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True, secrets=["Sesame-open"])
    one = child.Child("reader-7", failing_child, (ADDRESS,), lambda message: None)
    one.start()
    life = one._life
    assert life is not None
    life.process.join(60)
    code = life.process.exitcode
    one.stop(5.0)
    assert code == 1
    first, second = (json.loads(line) for line in capfd.readouterr().err.splitlines())
    assert (first["process"], first["camera"]) == ("reader-7", "cam-1")
    assert first["event"] == "opening rtsp://***@10.0.0.9:554/1"
    assert second["event"] == "ended by an error"
    assert second["exception"].splitlines()[-1] == "OSError: rtsp://***@10.0.0.9:554/1: refused, as ***"


def test_what_is_read_later_is_hidden_too_and_in_children_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = configured()
    (tmp_path / "secrets").write_text("CAM_USER=operator\nCAM_7=Quite-neutral\n", encoding="utf-8")
    (tmp_path / "secrets").chmod(0o600)
    monkeypatch.setenv("NORTH", "operator:From-the-air")
    (tmp_path / "county.yaml").write_text(
        "cameras:\n"
        '  - {id: a, stream: {url: "rtsp://${CAM_USER}:${CAM_7}@h/1"}}\n'
        '  - {id: b, stream: {url: "rtsp://${NORTH}@h/2"}}\n'
        "watch: {secrets: secrets}\n",
        encoding="utf-8",
    )
    plans(load(tmp_path / "county.yaml"))
    logging.getLogger("huoyan.x").warning("operator Quite-neutral From-the-air")
    assert lines(stream)[0]["event"] == "operator *** ***"
    assert child.prelude is not None
    handed = pickle.loads(pickle.dumps(child.prelude))
    assert {"Quite-neutral", "From-the-air"} <= set(handed.secrets)
