"""The rule language: what a user can write, and what is said of mistakes in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from pathlib import Path

import pytest

from huoyan import scenes
from huoyan.errors import ConfigError
from huoyan.scenes import Rules
from huoyan.scenes.rules import Guards

from .conftest import NOON, Court, frame, ground

KIOSK = """\
version: 1
scenes:
  kiosk:
    zh: 报刊亭
    en: Kiosk
    code: kiosk
    priority: record
    window: 2h
    zones: [{kinds: [road], relation: within, metres: 30}]
    guards: {hours: "22:00-06:00"}
    stages: {there: {zh: 有, en: there}}
    evidence:
      - sensors: [drone]
        stage: there
        any: [{label: kiosk, score: 0.6, where: {colour: [red, blue]}}, {label: booth}]
        count: 2
        together: 20
"""
CODES = 'codes: {kiosk: "9901"}\n'


def load(tmp_path: Path, text: str = KIOSK, only: tuple[str, ...] = ()) -> Rules:
    (tmp_path / "scenes.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "codes.yaml").write_text(CODES, encoding="utf-8")
    return scenes.load(tmp_path / "scenes.yaml", only, tmp_path / "codes.yaml")


def test_the_scenes_that_come_with_huoyan() -> None:
    rules = scenes.load()
    assert list(rules.scenes)[:7] == [
        "perimeter_enclosure",
        "roof_addition",
        "material_stacking",
        "material_transport",
        "earthwork",
        "scaffolding",
        "new_structure",
    ]
    assert len(rules.scenes) == 17
    assert rules.names["earthwork"] == ("开挖平整", "Earthwork")
    assert rules.stage_names["digging"] == ("正在开挖", "digging")
    assert all(len(rules.code(scene)) == 4 for scene in rules.scenes)
    assert {"excavator", "change", "flame"} <= rules.labels


def test_a_user_adds_a_scene_without_code(tmp_path: Path, court: Callable[..., Court]) -> None:
    laws = load(tmp_path)
    night = NOON.replace(hour=15)
    two = [
        ("kiosk", 0.7, ground(400, 240), {"attributes": {"colour": "red"}}),
        ("booth", 0.2, ground(405, 240)),
    ]
    (found,) = court(laws=laws).findings(frame(*two, start=night))
    assert (found.scene, found.code, found.window_s, found.priority) == ("kiosk", "9901", 7200.0, 4)
    assert found.permit.result == "not_needed" and found.zones == ("road",)
    cases = {
        "by day": frame(*two),
        "one of two": frame(two[1], start=night),
        "too far apart": frame(two[0], ("booth", 0.2, ground(430, 240)), start=night),
        "the wrong colour": frame(two[1], (*two[0][:3], {"attributes": {"colour": "grey"}}), start=night),
        "too unsure": frame(two[1], ("kiosk", 0.5, *two[0][2:]), start=night),
        "too far from the road": frame(
            ("booth", 0.9, ground(400, 255)), ("booth", 0.9, ground(401, 255)), start=night
        ),
    }
    for case, seen in cases.items():
        assert court(laws=laws).findings(seen) == [], case


def test_only_some_scenes() -> None:
    rules = scenes.load(only=("earthwork", "venue_fire"))
    assert set(rules.scenes) == {"earthwork", "venue_fire"}
    assert "hoarding" not in rules.labels
    with pytest.raises(ConfigError, match=r"unknown scene 'eartwork' \(did you mean earthwork\?\)"):
        scenes.load(only=("eartwork",))


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("    zones:", "    zone:", 9, "scenes.kiosk.zone: unknown key (did you mean zones?)"),
        ("kinds: [road]", "kinds: [raod]", 9, "unknown zone kind 'raod'"),
        ("relation: within, metres: 30", "relation: within", 9, "relation: within needs metres"),
        ("metres: 30", "metres: far", 9, "scenes.kiosk.zones.0.metres"),
        ("priority: record", "priority: big", 7, "scenes.kiosk.priority"),
        ("window: 2h", "window: 2 hours", 8, "scenes.kiosk.window"),
        ("code: kiosk", "code: kisok", 6, "'kisok' is not in codes.yaml (did you mean kiosk?)"),
        ("22:00-06:00", "22:00-26:00", 10, "scenes.kiosk.guards.hours"),
        ("stage: there", "stage: gone", 3, "stage 'gone' is not among stages: there"),
        ("sensors: [drone]", "sensors: [dron]", 13, "scenes.kiosk.evidence.0.sensors.0"),
        ("score: 0.6", "score: 60", 15, "scenes.kiosk.evidence.0.any.0.score"),
        ("any:", "any: []\n        all: []\n        anny:", 17, "unknown key (did you mean any?)"),
        ("any: [", "all: [", 13, "count goes with any"),
        ("together: 20", "persistence: {looks: 3, of: 2}", 17, "of (2) must be at least looks (3)"),
        ("together: 20", "persistence: {over: 2h, within: 1h}", 17, "within must be at least over"),
        ("together: 20", "persistence: {over: 1m, sure: 0.9}", 17, "one look has no duration"),
        ("together: 20", "still: true", 13, "still goes with sensors: [camera] only"),
        ("version: 1", "version: 2", 1, "version"),
        ("  kiosk:", "  kiosk: [", 3, "not valid YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, what: str) -> None:
    assert old in KIOSK
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, KIOSK.replace(old, new, 1))
    told = [text for text in str(caught.value).splitlines() if what in text]
    assert told, caught.value
    if "YAML" not in what:
        assert told[0].startswith(f"{tmp_path / 'scenes.yaml'}:{line}: "), told


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    text = (
        KIOSK.replace("kinds: [road]", "kinds: [raod]")
        .replace("score: 0.6", "score: 7")
        .replace("zh:", "cn:")
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert len(str(caught.value).splitlines()) >= 4


def test_a_stage_has_one_name(tmp_path: Path) -> None:
    second = KIOSK.partition("scenes:\n")[2].replace("kiosk:", "stand:", 1).replace("zh: 有", "zh: 在")
    with pytest.raises(ConfigError, match="stage 'there' is named one way in kiosk and another in stand"):
        load(tmp_path, KIOSK + second)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scenes\.yaml: cannot be read"):
        scenes.load(tmp_path / "scenes.yaml")


@pytest.mark.parametrize(
    ("hours", "clock", "is_open"),
    [
        ("06:00-20:00", "06:00", True),
        ("06:00-20:00", "20:00", False),
        ("06:00-20:00", "05:59", False),
        ("22:00-06:00", "23:00", True),
        ("22:00-06:00", "05:59", True),
        ("22:00-06:00", "06:00", False),
        (None, "03:00", True),
    ],
)
def test_hours_may_cross_midnight(hours: str | None, clock: str, is_open: bool) -> None:
    assert Guards(hours=hours).open_at(time.fromisoformat(clock)) is is_open


def test_the_documentation_lists_every_scene_with_its_stages() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "scenes.md").read_text(encoding="utf-8")
    for name, rule in scenes.load().scenes.items():
        assert f"| `{name}` | {rule.zh} | {', '.join(rule.stages)} |" in text
