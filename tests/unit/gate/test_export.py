"""A day of the log for others: rows, totals, formats, and what redaction takes away."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from huoyan.gate import export
from huoyan.gate.export import Day

from ...support.gates import BEGIN, passage, washing, weighing
from .conftest import ZONE, World

DAY = date(2026, 3, 24)
SITES = {"north": "tip"}


@pytest.fixture
def day(world: World) -> World:
    world.say("weighing", weighing(1, BEGIN + timedelta(seconds=3), 29400))
    world.see(passage("浙D3C916", BEGIN), passage("浙A55555", BEGIN + timedelta(seconds=120)))
    world.work(130)
    world.say("weighing", weighing(2, BEGIN + timedelta(seconds=1790), 12200))
    world.say("washing", washing(1, BEGIN + timedelta(seconds=1780), 25))
    world.see(passage("浙D3C916", BEGIN + timedelta(seconds=1800), "leave"))
    # 23:59:59.5 and 00:00:00 in the county.
    for number, second in enumerate((50399.5, 50400.0)):
        world.see(passage(f"浙A6666{number}", BEGIN + timedelta(seconds=second)))
    world.work(50500)
    return world


def rows(world: World, **more: Any) -> Day:
    return export.day_of(world.book, DAY, ZONE, SITES, **more)


def test_a_local_day_to_its_last_second(day: World) -> None:
    assert [row["plate"] for row in rows(day).rows] == ["浙D3C916", "浙A55555", "浙D3C916", "浙A66660"]
    after = export.day_of(day.book, DAY + timedelta(days=1), ZONE, SITES)
    assert [row["plate"] for row in after.rows] == ["浙A66661"]


def test_each_event_once_as_it_stands(day: World) -> None:
    day.know_clocks()
    amended = weighing(7, BEGIN + timedelta(seconds=123), 40000)
    day.say("weighing", amended, delay=51000)
    day.work(51200)
    found = rows(day).rows
    assert len(found) == 4 and found[1]["gross_kg"] == 40000 and found[1]["revision"] == 2


def test_totals(day: World) -> None:
    totals = rows(day).totals
    truck = next(row for row in totals["vehicle"] if row["plate"] == "浙D3C916")
    assert truck == {
        "plate": "浙D3C916",
        "events": 2,
        "entered": 1,
        "left": 1,
        "opened": 2,
        "held": 0,
        "reviewed": 0,
        "flagged": 0,
        "weighed": 1,
        "net_kg": 17200,
    }
    (site,) = totals["site"]
    assert (site["site"], site["events"], site["held"], site["flagged"], site["net_kg"]) == (
        "tip",
        4,
        2,
        2,
        17200,
    )
    assert {row["company"]: row["events"] for row in totals["company"]} == {"": 2, "一公司": 2}


def test_csv_is_safe_for_spreadsheets(day: World, tmp_path: Path) -> None:
    paths = export.write(rows(day), "csv", tmp_path / "day.csv")
    assert [path.name for path in paths] == [
        "day.csv",
        "day-by-vehicle.csv",
        "day-by-company.csv",
        "day-by-site.csv",
    ]
    data = paths[0].read_bytes()
    assert data.startswith(b"\xef\xbb\xbf") and data.count(b"\r\n") == 5
    table = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert table[0]["gross_kg"] == "29400.0" and table[2]["washed"] == "yes" and table[0]["washed"] == ""
    assert export.to_csv([{"note": "=1+1", "kg": -5}], ("note", "kg")) == "note,kg\r\n'=1+1,-5\r\n"


def test_json_tells_what_it_can_be_checked_against(day: World, tmp_path: Path) -> None:
    (path,) = export.write(rows(day), "json", tmp_path / "day.json")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["day"] == "2026-03-24" and len(told["events"]) == 4
    assert told["log"]["entries"] == len(day.entries()) and len(told["log"]["hash"]) == 64


def test_parquet_has_one_schema_whatever_the_day_holds(day: World, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    paths = export.write(rows(day), "parquet", tmp_path / "day.parquet")
    table = pq.read_table(paths[0])
    assert table.num_rows == 4 and table["gross_kg"].to_pylist()[0] == 29400
    assert table["time"].to_pylist()[0] == BEGIN and table["reasons"].to_pylist()[1] == ["M01"]
    empty = export.day_of(day.book, date(2020, 1, 1), ZONE, SITES)
    assert empty.rows == []
    schema = pq.read_table(export.write(empty, "parquet", tmp_path / "empty.parquet")[0]).schema
    assert schema.equals(table.schema), f"{schema}\n{table.schema}"
    assert pq.read_table(paths[1])["net_kg"].to_pylist() == pytest.approx([0, 0, 17200])


@pytest.mark.parametrize("format", ["csv", "json"])
def test_redaction_leaves_no_plate_and_no_permit(day: World, tmp_path: Path, format: export.Format) -> None:
    found = rows(day, redact=True)
    assert [row["plate"] for row in found.rows] == ["vehicle 1", "vehicle 2", "vehicle 1", "vehicle 3"]
    text = "".join(
        path.read_text(encoding="utf-8") for path in export.write(found, format, tmp_path / f"day.{format}")
    )
    assert not any(secret in text for secret in ("D3C916", "A55555", "A66660", "ZT-1"))
    assert "17200" in text and "一公司" in text
