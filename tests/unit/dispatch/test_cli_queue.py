"""`huoyan queue` as its users type it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from huoyan.cli.queue import app
from huoyan.errors import ConfigError, DispatchError, StorageError


@pytest.fixture
def desk(state: Path, make_alert: Any, fill: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A queue with three alerts, in a wide terminal."""
    monkeypatch.setenv("COLUMNS", "200")
    fill(
        make_alert("a", priority=1),
        make_alert("b", priority=3, minutes=5, scene="fire", reason="[red]smoke[/] in 2 of 3 frames"),
        make_alert("a", revision=2, priority=2, minutes=9),
    )
    return state


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(part) for part in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_is_a_table(desk: Path) -> None:
    shown = run("list", "--state", desk)
    lines = [line for line in shown.splitlines() if "incident" in line]
    assert [line.split()[1] for line in lines] == ["urgent", "high", "normal"]
    assert "开挖平整 Earthwork" in lines[0]
    assert "120.90000, 29.50000 ± 12 m" in lines[0]
    assert "2026-05-03 09:00" in lines[0], "the county's time"
    assert "3 ready   0 leased   0 acked   0 dead" in shown


def test_a_narrow_terminal_shows_what_identifies_an_alert(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("list", "--state", desk).splitlines()
    assert lines[1].split() == [
        "incident.1",
        "urgent",
        "开挖平整",
        "120.90000,",
        "29.50000",
        "05-03",
        "09:00",
        "ready",
    ]
    assert all(len(line) <= 80 for line in lines)


def test_list_json_and_filters(desk: Path) -> None:
    listed = json.loads(run("list", "--state", desk, "--json"))
    assert [entry["alert_id"] for entry in listed] == ["incident-a.1", "incident-a.2", "incident-b.1"]
    assert listed[0]["alert"]["data"]["properties"]["scene"]["zh"] == "开挖平整"
    assert listed[0]["state"] == "ready"
    for options, ids in {
        ("--scene", "fire"): ["incident-b.1"],
        ("--priority", "1", "--priority", "2"): ["incident-a.1", "incident-a.2"],
        ("--status", "dead"): [],
        ("--since", "2026-05-03T09:05"): ["incident-a.2", "incident-b.1"],
        ("--until", "2026-05-03T01:05:00+00:00"): ["incident-a.1"],
        ("--limit", "1"): ["incident-a.1"],
    }.items():
        found = json.loads(run("list", "--state", desk, "--json", *options))
        assert [entry["alert_id"] for entry in found] == ids, options


def test_show_prints_everything_as_it_is(desk: Path) -> None:
    shown = run("show", "incident-b", "--state", desk)
    assert "[red]smoke[/] in 2 of 3 frames" in shown, "what alerts say is no markup"
    assert "queued by huoyan" in shown
    full = json.loads(run("show", "incident-b", "--state", desk, "--json"))
    assert full["alert"]["id"] == "incident-b.1"
    assert [event["action"] for event in full["history"]] == ["queued"]


def test_the_short_id_of_the_list_is_understood(desk: Path) -> None:
    assert "incident-a.2" in run("show", "incident.2", "--state", desk)


def test_show_says_where_evidence_lies(
    state: Path, make_alert: Any, fill: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setenv("COLUMNS", "400")
    alert = make_alert("a")
    document = json.loads(json.dumps(alert.document))
    picture = {"role": "wide", "href": "evidence/a/1-wide.jpg", "sha256": "0" * 64, "time": document["time"]}
    document["data"]["properties"]["evidence"] = [
        picture,
        picture | {"role": "close", "href": "evidence/a/1-close.jpg"},
    ]
    fill(replace(alert, document=document))
    (state / "evidence" / "a").mkdir(parents=True)
    (state / "evidence" / "a" / "1-wide.jpg").write_bytes(b"x")
    shown = run("show", "incident-a", "--state", state)
    assert str(state / "evidence/a/1-wide.jpg") in shown
    missing = [line for line in shown.splitlines() if "(missing)" in line]
    assert len(missing) == 1 and "1-close.jpg" in missing[0]


def test_ack_nack_retry(desk: Path) -> None:
    out = run(
        "ack",
        "incident-a.1",
        "incident-a.1",
        "incident-b",
        "--state",
        desk,
        "--by",
        "li",
        "--verdict",
        "confirmed",
        "--note",
        "坑",
    )
    assert out.splitlines() == ["incident-a.1: acked, confirmed", "incident-b.1: acked, confirmed"]
    for _ in range(5):
        out = run("nack", "incident-a.2", "--state", desk, "--by", "li", "--reason", "no road")
    assert out == "incident-a.2: dead\n"
    assert run("retry", "--dead", "--state", desk, "--by", "li") == "incident-a.2: ready\n"
    listed = json.loads(run("list", "--state", desk, "--json"))
    assert {entry["alert_id"]: (entry["state"], entry["verdict"]) for entry in listed} == {
        "incident-a.1": ("acked", "confirmed"),
        "incident-b.1": ("acked", "confirmed"),
        "incident-a.2": ("ready", None),
    }


def test_a_configuration_names_the_state_and_the_attempts(desk: Path, tmp_path: Path) -> None:
    config = tmp_path / "county.yaml"
    config.write_text("county: {data: state, timezone: UTC}\ndispatch: {max_attempts: 1}\n", encoding="utf-8")
    assert "2026-05-03 01:00" in run("list", "--config", config)
    assert (
        run("nack", "incident-b", "--config", config, "--by", "li", "--note", "x") == "incident-b.1: dead\n"
    )


def test_exports(desk: Path, tmp_path: Path) -> None:
    collection = json.loads(run("export", "--state", desk))
    assert len(collection["features"]) == 3
    assert len(json.loads(run("export", "--state", desk, "--format", "json", "--scene", "fire"))) == 1
    out = tmp_path / "new" / "alerts.csv"
    assert run("export", "--state", desk, "--format", "csv", "--out", out) == ""
    data = out.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf"), "Excel needs the mark"
    rows = list(csv.DictReader(data.decode("utf-8-sig").splitlines()))
    assert [row["scene_zh"] for row in rows] == ["开挖平整", "开挖平整", "消防"]


def test_an_empty_queue(state: Path) -> None:
    assert run("list", "--state", state).strip() == "0 ready   0 leased   0 acked   0 dead"
    assert json.loads(run("export", "--state", state))["features"] == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["list", "--status", "lost"], DispatchError, "no such status: lost"),
        (["list", "--since", "yesterday"], DispatchError, "not a time"),
        (["show", "nobody"], DispatchError, "no such alert"),
        (["show", "incident-a"], DispatchError, "2 alerts begin so"),
        (["ack", "incident-b", "--by", " "], DispatchError, "--by is empty"),
        (["retry"], DispatchError, "nothing to try again"),
        (["retry", "incident-b", "--dead"], DispatchError, "nothing to try again"),
        (["list", "--config", "x.yaml"], ConfigError, "not both"),
        (["export", "--out", "/proc/nowhere/a.json"], StorageError, "cannot be written"),
    ],
)
def test_mistakes_are_explained(
    arguments: list[str], error: type[Exception], message: str, desk: Path
) -> None:
    result = CliRunner().invoke(app, [*arguments, "--state", str(desk)])
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
