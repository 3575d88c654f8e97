"""The demonstration's page: one file that needs no other, with all that was told in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from huoyan.errors import ConfigError
from huoyan.runs.demo import demo
from huoyan.runs.result import ScanResult

from ..support.county import write_county, write_pair

EVIL = '</script><script>alert(1)</script><!--"'
VOID = {"meta", "br", "img", "link", "input", "hr"}
PERMITS = (
    "id,scene,kind,holder,zone,footprint,lon,lat,radius_m,valid_from,valid_to,note\n"
    "P-7,green_stay,building,周某,,,120.9,29.5,900,2026-01-01,2026-12-31,\n"
)


class Page(HTMLParser):
    """Collects the scripts, and complains about tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.sources: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ScanResult]:
    folder = tmp_path_factory.mktemp("county")
    path = write_county(folder, frames=6, county={"name": EVIL}, registry={"permits": "permits.csv"})
    write_pair(folder / "archive" / "satellite")
    scenes = yaml.safe_load((folder / "scenes.yaml").read_text(encoding="utf-8"))
    scenes["scenes"]["green_stay"]["permit"] = {}
    (folder / "scenes.yaml").write_text(yaml.safe_dump(scenes, allow_unicode=True), encoding="utf-8")
    (folder / "permits.csv").write_text(PERMITS, encoding="utf-8")
    result, page = demo(path.parent, folder / "out")
    assert page == folder / "out" / "index.html"
    return page.read_text(encoding="utf-8"), result


@pytest.fixture(scope="module")
def data(made: tuple[str, ScanResult]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Page(made[0]).scripts[0])
    return found


def test_nothing_lies_elsewhere(made: tuple[str, ScanResult]) -> None:
    text = re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", made[0])
    assert re.findall(r"https?://[^\"'\s]*", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"@import|url\(|<link|<iframe|fetch\(|import\(", text)
    assert Page(made[0]).sources == []


def test_names_cannot_break_out_of_the_script(made: tuple[str, ScanResult], data: dict[str, Any]) -> None:
    # The parser sees what a browser sees: two scripts, and the name is text in the first.
    assert len(Page(made[0]).scripts) == 2
    assert data["county"] == EVIL


def test_every_alert_has_its_pictures(made: tuple[str, ScanResult], data: dict[str, Any]) -> None:
    told = {alert.incident_id for alert in made[1].alerts}
    assert len(data["alerts"]) == len(told) > 1
    for alert in data["alerts"]:
        assert alert["shots"], f"{alert['scene']} shows nothing"
        assert alert["words"]["zh"] and alert["words"]["en"]
        for shot in alert["shots"]:
            picture = base64.b64decode(shot["src"].removeprefix("data:image/jpeg;base64,"))
            assert hashlib.sha256(picture).hexdigest() == shot["sha256"]
    assert [alert["priority"] for alert in data["alerts"]] == sorted(a["priority"] for a in data["alerts"])


def test_the_map(data: dict[str, Any]) -> None:
    width, height = data["map"]["size"]
    assert data["map"]["image"].startswith("data:image/jpeg;base64,")
    assert width >= 1000 and height >= 1000
    changes = [alert for alert in data["alerts"] if alert["scene"] == "lasting"]
    assert all(0 <= a["xy"][0] <= width and 0 <= a["xy"][1] <= height for a in changes)


def test_what_was_permitted_names_its_permit(made: tuple[str, ScanResult], data: dict[str, Any]) -> None:
    assert made[1].permitted > 0
    assert [row["permit"] for row in data["permitted"]] == ["P-7"] * len(data["permitted"])
    assert data["permitted"][0]["zh"] == "绿"
    assert "周某" in data["permitted"][0]["note"]
    assert "green_stay" not in {alert["scene"] for alert in data["alerts"]}


def test_a_folder_without_a_county(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no county\.yaml"):
        demo(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
