"""`huoyan vehicles`: a user asks for a truck."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from huoyan.incidents import open_store
from huoyan.passage import GateEvent, Passage, PlateReading, Reason, Verdict
from huoyan.records import Placement
from huoyan.vehicles import entry
from huoyan.vehicles.history import History

from ..support.running import huoyan

START = datetime(2026, 5, 1, 0, tzinfo=UTC)
A, B, C = "浙A12345", "浙B67890", "浙C80808"
LATE = Reason("M03", "不在准运时段", "outside its hours (07:00-19:00)", 0.97)


def passage(day: float, plate: str) -> Passage:
    time = START + timedelta(days=day)
    return Passage(
        f"p-{plate[1]}-{day}",
        "road-1",
        "dump_truck",
        time,
        time + timedelta(seconds=9),
        PlateReading(plate, plate, "yellow", "yellow_single", 0.981),
        place=Placement(120.9, 29.5, 4.0, "homography"),
    )


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A has three violations and a weighing, B one, C none; D is registered and was never seen."""
    folder = tmp_path_factory.mktemp("county")
    (folder / "vehicles.csv").write_text("plate,company\n浙D11111,土方公司\n", encoding="utf-8")
    (folder / "county.yaml").write_text("registry: {vehicles: vehicles.csv}\n", encoding="utf-8")
    with open_store(folder / "state") as store:
        history = History(store.connection)
        for day in (0, 10, 20):
            history.record(entry.of_passage(passage(day, A), Verdict(A, True, (LATE,), company="土方公司")))
        history.record(entry.of_passage(passage(20, B), Verdict(B, False, (LATE,))))
        near = f"{C} is not registered, but one likely mistake away from {A}"
        history.record(entry.of_passage(passage(21, C), Verdict(C, False, (), near, (C, A))))
        event = GateEvent(
            "north-7",
            "north",
            START + timedelta(days=21),
            "enter",
            "open",
            "approved",
            Verdict(A, True, company="土方公司"),
            gross_kg=41_500.0,
            tare_kg=15_000.0,
        )
        history.record(entry.of_event(event, "spoil-yard"))
    return folder


def test_show_in_full(county: Path) -> None:
    told = json.loads(
        huoyan(
            "vehicles", "show", "浙A·12345", "--state", county / "state", "--at", "2026-05-25", "--json"
        ).stdout
    )
    assert told["plate"] == A
    assert (told["level"]["level"], told["level"]["en"]) == ("red", "red: 3 in 90 days: M03 ×3")
    assert [one["where"] for one in told["passages"]] == ["road", "road", "road", "gate"]
    assert [one["code"] for one in told["violations"]] == ["M03"] * 3
    assert told["weights"][0]["net_kg"] == 26_500.0
    assert (told["trips"], told["company"]) == (4, "土方公司")


def test_show_to_people(county: Path) -> None:
    shown = huoyan("vehicles", "show", A, "--state", county / "state", "--at", "2026-05-25")
    assert shown.returncode == 0, shown.stderr
    for words in (
        "red: 3 in 90 days: M03 ×3",
        "红：90天内3次",
        "outside its hours",
        "26,500",
        "north spoil-yard",
    ):
        assert words in shown.stdout
    # Local time: 2026-05-01T00:00Z in Asia/Shanghai.
    assert "2026-05-01 08:00:00" in shown.stdout


def test_the_level_is_of_the_moment_that_is_asked_for(county: Path) -> None:
    def level(at: str) -> str:
        told = huoyan("vehicles", "show", A, "--state", county / "state", "--at", at, "--json").stdout
        return str(json.loads(told)["level"]["level"])

    assert [level(at) for at in ("2026-04-01", "2026-05-02", "2026-05-25", "2026-08-15", "2026-12-01")] == [
        "green",
        "yellow",
        "red",
        "yellow",
        "green",
    ]


def test_list(county: Path) -> None:
    at = ("--state", county / "state", "--at", "2026-05-25")
    told = json.loads(huoyan("vehicles", "list", *at, "--json").stdout)
    assert [(one["plate"], one["level"]["level"]) for one in told] == [
        (A, "red"),
        (B, "yellow"),
        (C, "green"),
    ]
    red = json.loads(huoyan("vehicles", "list", *at, "--level", "red", "--json").stdout)
    assert [one["plate"] for one in red] == [A]
    assert huoyan("vehicles", "list", *at, "--level", "purple").returncode == 2
    shown = huoyan("vehicles", "list", *at).stdout
    assert "1 red   1 yellow   1 green" in shown
    assert shown.index(A) < shown.index(B) < shown.index(C)


def test_a_typing_mistake(county: Path) -> None:
    wrong = huoyan("vehicles", "show", "浙A12346", "--state", county / "state")
    assert wrong.returncode == 2
    assert "nothing is known of this plate (did you mean 浙A12345?)" in wrong.stderr
    hopeless = huoyan("vehicles", "show", "粤X00000", "--state", county / "state")
    assert "see huoyan vehicles list" in hopeless.stderr


def test_registered_and_never_seen(county: Path) -> None:
    config = county / "county.yaml"
    known = huoyan("vehicles", "show", "浙D11111", "--config", config)
    assert known.returncode == 0 and "registered, never seen" in known.stdout and "土方公司" in known.stdout
    assert "did you mean 浙D11111" in huoyan("vehicles", "show", "浙D11112", "--config", config).stderr
    assert huoyan("vehicles", "show", "浙D11111", "--state", county / "state").returncode == 2


def test_export(county: Path, tmp_path: Path) -> None:
    out = tmp_path / "trucks.csv"
    done = huoyan("vehicles", "export", "--state", county / "state", "--out", out)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    assert len(rows) == 6
    assert [row["plate"] for row in rows] == [A, A, A, B, A, C]
    assert rows[-2]["net_kg"] == "26500.0" and rows[0]["reasons"] == "M03"
    some = huoyan(
        "vehicles", "export", "--state", county / "state", "--format", "json", "--since", "2026-05-20"
    )
    assert len(json.loads(some.stdout)) == 4


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_redacted_export_names_nobody(county: Path, kind: str) -> None:
    told = huoyan("vehicles", "export", "--state", county / "state", "--format", kind, "--redact").stdout
    for name in (A, B, C, "土方公司"):
        assert name not in told
    assert told.count("vehicle-1") == 5, "four passages of A, and a review that names it"
    assert "vehicle-3 is not registered, but one likely mistake away from vehicle-1" in told


def test_purge(county: Path, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        old = passage(-10_000, A)
        History(store.connection).record(entry.of_passage(old, Verdict(A, True, (LATE,))))
    done = huoyan("vehicles", "purge", "--state", tmp_path)
    assert done.stdout.strip() == "removed 1 passages, 0 weights, 1 violations, 0 pictures"
    assert huoyan("vehicles", "show", A, "--state", tmp_path).returncode == 2


def test_no_state(tmp_path: Path) -> None:
    missing = huoyan("vehicles", "list", "--state", tmp_path / "nowhere")
    assert missing.returncode == 5
    assert "no state here" in missing.stderr and "--state" in missing.stderr
