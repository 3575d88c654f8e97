"""`huoyan gate` as a user runs it: messages on file and a video, the log verified, tampered with and exported."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from ..support.gates import BEGIN, push, washing, weighing, write_county
from ..support.imagery import save_video
from ..support.running import huoyan

GOOD = "浙D3C916"


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gate whose cameras see nobody: what its devices say is for a person to look at."""
    folder = tmp_path_factory.mktemp("gate")
    said = [
        ("/v1/weighing", weighing(1, BEGIN + timedelta(seconds=2), 29400, GOOD)),
        ("/v1/weighing", weighing(1, BEGIN + timedelta(seconds=2), 29400, GOOD)),
        ("/VIID/MotorVehicles", push(1, BEGIN + timedelta(seconds=1), GOOD)),
        ("/v1/washing", washing(1, BEGIN + timedelta(seconds=3), 25)),
        ("/v1/weighing", {"message_id": "broken"}),
    ]
    received = (BEGIN + timedelta(seconds=3)).isoformat()
    lines = [json.dumps({"received": received, "path": path, "body": body}) for path, body in said]
    (folder / "messages.jsonl").write_text("\n".join(lines), encoding="utf-8")
    path = write_county(folder, "intake: {files: [messages.jsonl]}\n", live=False)
    for name in ("in", "out"):
        save_video(folder / f"{name}.mp4", range(0, 2000, 100), size=(320, 240))
    text = path.read_text(encoding="utf-8")
    for name in ("in", "out"):
        text = text.replace(f'source: "{name}"', f'source: {name}.mp4, start: "2026-03-24T10:00:00+08:00"')
    path.write_text(text, encoding="utf-8")
    return path


def test_a_replay_ends_by_itself_and_the_log_holds(county: Path, tmp_path: Path) -> None:
    done = huoyan("gate", county, "--json")
    assert done.returncode == 0, done.stderr
    events = {event["event_id"]: event for event in map(json.loads, done.stdout.splitlines())}
    (event,) = events.values()
    assert (event["outcome"], event["plate"], event["gross_kg"]) == ("review", GOOD, 29400)
    assert "1 events (1 review)" in done.stderr and "a message on file was refused" in done.stderr

    again = huoyan("gate", "run", county)
    assert again.returncode == 0 and again.stdout == ""

    verified = huoyan("gate", "log", "verify", county)
    assert verified.returncode == 0 and " 0 wrong" in verified.stdout

    out = tmp_path / "day.csv"
    exported = huoyan("gate", "log", "export", county, "--day", "2026-03-24", "--out", out)
    assert exported.returncode == 0, exported.stderr
    (row,) = csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig")))
    assert row["plate"] == GOOD and row["site"] == "tip"
    huoyan("gate", "log", "export", county, "--day", "2026-03-24", "--out", out, "--redact")
    assert GOOD not in out.read_text(encoding="utf-8-sig")

    with sqlite3.connect(county.parent / "state" / "gate.db") as connection:
        connection.execute("DROP TRIGGER log_is_never_changed")
        connection.execute("UPDATE log SET entry = replace(entry, '29400', '19400')")
    connection.close()
    broken = huoyan("gate", "log", "verify", county)
    assert broken.returncode == 5 and "entry 1: its text was changed" in broken.stdout


@pytest.mark.parametrize(
    ("change", "arguments", "code", "words"),
    [
        (
            ("site: tip", "site: tap"),
            ("gate",),
            2,
            "gates.north.site: expected a zone of the register (tip)",
        ),
        (("in.mp4", "gone.mp4"), ("gate",), 2, "there is no such file"),
        (("in.mp4", "rtsp://u:hush-9@host/1"), ("gate",), 2, "expected no password here"),
        (("in.mp4", '"rtsp://${NOWHERE_SET}@host/1"'), ("gate",), 2, "NOWHERE_SET is not set"),
        (("messages.jsonl", "none.jsonl"), ("gate",), 2, "there is no file none.jsonl"),
        (("gates:", "gatez:"), ("gate",), 2, "unknown key"),
        (("within: 60s", "within: soon"), ("check",), 2, "expected a duration"),
        (("", ""), ("gate", "log", "verify"), 5, "there is no gate's log here"),
    ],
)
def test_mistakes_are_told(
    county: Path, tmp_path: Path, change: tuple[str, str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    for name in ("zones.geojson", "vehicles.csv", "messages.jsonl", "in.mp4", "out.mp4"):
        (tmp_path / name).write_bytes((county.parent / name).read_bytes())
    path = tmp_path / "county.yaml"
    text = county.read_text(encoding="utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change) if change[0] else text, encoding="utf-8")
    done = huoyan(*arguments, path)
    assert done.returncode == code and words in done.stderr + done.stdout, done.stderr
    assert "hush-9" not in done.stdout + done.stderr or "expected no password" in done.stderr
