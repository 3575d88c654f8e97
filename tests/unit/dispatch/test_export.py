"""The queue for maps, spreadsheets and other programs."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import jsonschema
import pytest

from huoyan.alerts import schema
from huoyan.dispatch import export, items
from huoyan.records import PermitCheck, Placement, Unplaced, VehicleFinding


def test_json_holds_valid_documents(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None]
) -> None:
    fill(make_alert("a"), make_alert("b", place=Unplaced("no calibration")))
    documents = json.loads(export.to_json(items.select(connection)))
    checker = jsonschema.Draft202012Validator(schema.generate())
    assert len(documents) == 2
    for document in documents:
        checker.validate(document)


def test_geojson(connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None]) -> None:
    fill(make_alert("a"), make_alert("b", place=Unplaced("no calibration")))
    collection = json.loads(export.to_geojson(items.select(connection)))
    assert collection["type"] == "FeatureCollection"
    first, second = collection["features"]
    assert first["id"] == "incident-a.1"
    assert first["geometry"]["coordinates"] == [120.9, 29.5]
    assert first["properties"]["queue"]["state"] == "ready"
    assert second["geometry"] is None
    assert second["properties"]["position"] == {"reason": "no calibration"}


def test_csv_for_spreadsheets(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None]
) -> None:
    evil = make_alert(
        "-west",
        place=Placement(-70.5, -33.25, 4.0, "raster"),
        permit=PermitCheck("lapsed", '=HYPERLINK("http://x","y")'),
        vehicle=VehicleFinding("@SUM(A1)", "yellow", 0.9, ("M01", "M08")),
        zones=("+1", "河,岸"),
    )
    fill(evil)
    (row,) = csv.DictReader(io.StringIO(export.to_csv(items.select(connection)), newline=""))
    assert row["permit_id"] == '\'=HYPERLINK("http://x","y")'
    assert row["plate"] == "'@SUM(A1)"
    assert row["zones"] == "'+1; 河,岸"
    assert (row["lon"], row["lat"]) == ("-70.5", "-33.25"), "a negative number is no formula"
    assert row["reasons"] == "M01; M08"
    assert row["scene_zh"] == "开挖平整"
    assert list(row) == list(export.COLUMNS)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_begins_a_formula(
    start: str, connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None]
) -> None:
    fill(make_alert(permit=PermitCheck("lapsed", f"{start}cmd"), zones=(f"{start}x",)))
    (row,) = csv.DictReader(io.StringIO(export.to_csv(items.select(connection)), newline=""))
    assert row["permit_id"] == f"'{start}cmd" and row["zones"] == f"'{start}x"


def test_choosing(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(
        make_alert("a", priority=1, minutes=0),
        make_alert("b", priority=2, minutes=10, scene="fire"),
        make_alert("c", priority=4, minutes=20),
    )

    def chosen(**conditions: Any) -> str:
        return "".join(i.alert_id[9] for i in items.select(connection, **conditions))

    assert chosen() == "abc"
    assert chosen(scenes=["fire"]) == "b"
    assert chosen(scenes=["fire", "earthwork"], priorities=[4, 2]) == "bc"
    assert chosen(states=["acked"]) == ""
    assert chosen(since=now + timedelta(minutes=10)) == "bc"
    assert chosen(until=now + timedelta(minutes=10)) == "a"
    assert chosen(limit=2) == "ab"
    assert items.counts(connection) == {"ready": 3, "leased": 0, "acked": 0, "dead": 0}
