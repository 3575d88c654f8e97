from __future__ import annotations

from pathlib import Path

import pytest

from huoyan import config
from huoyan.errors import ConfigError

WRONG = """\
county: {name: 17, timezone: Mars/Base, dat: ./s}
cameras:
  - {id: a, position: [200, 99], sampling: 5 minutes}
  - {id: a, zonen: [x]}
  - id: b
    start: yesterday
    timezone: X/Y
    pose: {height_m: 0, yaw_deg: 1, pitch_deg: -91, hfov_deg: 60}
models: {tile: -3, site: site-n, site: b}
satellite: {pairs: [[20260301, "20260401"]], window: big}
dispatch: {to: kafka}
imagery: here
"""
MISTAKES = [
    (1, "county.dat: unknown key; known here: name, timezone, data"),
    (1, "county.name: expected text, got 17; put it in quotes"),
    (1, "county.timezone: expected a time zone name such as Asia/Shanghai, got 'Mars/Base'"),
    (3, "cameras.0.position.0: Input should be less than or equal to 180, got 200"),
    (3, "cameras.0.position.1: Input should be less than or equal to 90, got 99"),
    (3, "cameras.0.sampling: expected a duration such as 30s, 5m, 2h or 250ms, got '5 minutes'"),
    (4, "cameras.1.id: camera id 'a' is used twice"),
    (4, "cameras.1.zonen: unknown key; known here: id, archive, position"),
    (6, "cameras.2.start: expected an ISO 8601 time"),
    (7, "cameras.2.timezone: expected a time zone name"),
    (8, "cameras.2.pose.height_m: Input should be greater than 0, got 0"),
    (8, "cameras.2.pose.pitch_deg: Input should be greater than or equal to -90, got -91"),
    (9, "models.tile: Input should be greater than or equal to 0, got -3"),
    (9, "site: this key is there twice"),
    (10, "satellite.pairs.0.0: expected text, got 20260301; put it in quotes"),
    (10, "satellite.window: Input should be a valid integer"),
    (11, "dispatch.to.0: Input should be 'sqlite', 'nats', 'mqtt' or 'http', got 'kafka'"),
    (12, "imagery: unknown key; known here: county, archive, cameras"),
]


def test_every_mistake_at_once_with_file_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "county.yaml"
    path.write_text(WRONG, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(MISTAKES)
    for line, (number, text) in zip(lines, MISTAKES, strict=True):
        assert line.startswith(f"{path}:{number}: {text}")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("county: {name: a\n", "n:2: not valid YAML: .*mend the line"),
        ("\tcounty: 1\n", "n:1: not valid YAML"),
        ("- a\n- b\n", "n: expected keys such as county and cameras, got list"),
        ("just words", "n: expected keys such as county and cameras, got str"),
        ("county: {}\n---\ncounty: {}\n", "n:2: not valid YAML"),
        ("cameras: [{id: a, start: 2026-13-01}]", "n: not valid YAML: month must be in 1..12"),
        ("county: {name: a}\ncounty: {name: b}", "n:2: county: this key is there twice"),
        ("county: &all {name: *all}", "n:1: county.name: expected text"),
        ("cameras: {id: a}", "n:1: cameras: Input should be a valid list"),
        ("cameras: [{archive: x}]", "n:1: cameras.0.id: Field required"),
        ("county: !!python/object:os.system {}", "n:1: not valid YAML"),
    ],
)
def test_one_mistake(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        config.parse(text, "n")


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "{}"])
def test_nothing_said_is_all_defaults(text: str) -> None:
    assert config.parse(text, "n") == config.Config()


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read"):
        config.load(tmp_path / "gone.yaml")
    (tmp_path / "gbk.yaml").write_bytes("county: {name: 样例县}".encode("gbk"))
    with pytest.raises(ConfigError, match="UTF-8"):
        config.load(tmp_path / "gbk.yaml")


def test_paths_start_from_the_file_and_the_digest_is_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    text = "county: {data: ./s}\narchive: ../imagery\n"
    for folder in ("a", "b"):
        (tmp_path / folder / "county.yaml").write_text(text, encoding="utf-8")
    one, two = (config.load(str(tmp_path / folder / "county.yaml")) for folder in ("a", "b"))
    assert one.state == tmp_path / "a" / "s"
    assert one.archive.resolve() == tmp_path / "imagery"
    assert one.resolve(Path("/x")) == Path("/x")
    assert one.sha256 == two.sha256
    (tmp_path / "b" / "county.yaml").write_text(text + "# more\n", encoding="utf-8")
    assert config.load(tmp_path / "b" / "county.yaml").sha256 != one.sha256


@pytest.mark.parametrize(
    ("text", "value"), [("250ms", 0.25), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("7d", 604800)]
)
def test_durations(text: str, value: float) -> None:
    assert config.seconds(text) == pytest.approx(value)
    assert config.Drone(sampling=text).sampling == text


def test_times_need_no_quotes() -> None:
    loaded = config.parse("cameras: [{id: a, start: 2026-03-01T08:00:00+08:00}]", "n")
    assert loaded.cameras[0].start == "2026-03-01T08:00:00+08:00"


@pytest.mark.parametrize(
    "text",
    [
        "cameras: [{id: a, stream: {url: 'rtsp://u:word@h/y'}}]",
        "gates: [{id: a, cameras: [{id: b, source: 'rtsp://u:word@h/y'}]}]",
        "dispatch: {nats: {servers: ['nats://u:word@h:4222']}}",
    ],
)
def test_a_password_in_a_configuration_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="password") as told:
        config.parse(text, "n")
    assert "word@" not in f"{told.value} {told.value.hint}"


def test_vehicles_are_kept_and_judged_as_configured() -> None:
    own = config.parse(
        "cameras: [{id: a, road: true}, {id: b}]\n"
        "gates: [{id: north}]\n"
        "vehicles:\n"
        "  retention: {passages: 30d}\n"
        "  levels: {window: 30d, red: 5, weights: {M07: 0.5}}\n"
        "  trips: {roads: [[a, b, 3400], [b, north, 900]]}\n",
        "n",
    )
    assert [camera.road for camera in own.cameras] == [True, False]
    assert (own.vehicles.retention.passages, own.vehicles.retention.violations) == ("30d", "730d")
    assert own.vehicles.levels.weights == {"M07": 0.5}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "vehicles: {levels: {yellow: 3, red: 2}}",
            "n:1: vehicles.levels: red (2) must be at least yellow (3)",
        ),
        ("vehicles:\n  levels: {window: 900d}", "n:1: vehicles: levels.window (900d) must not be longer"),
        ("vehicles: {levels: {weights: {M12: 1}}}", "Input should be 'M01', 'M02'"),
        ("vehicles: {trips: {alike: 2}}", "vehicles.trips.alike: Input should be less than or equal to 1"),
        (
            "cameras: [{id: a}]\nvehicles:\n  trips:\n    roads:\n      - [a, a, 1]\n      - [a, road-9, 3400]",
            "n:6: vehicles.trips.roads.1.1: there is no camera and no gate 'road-9'",
        ),
    ],
)
def test_mistakes_about_vehicles(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, "n")
    assert told in str(caught.value)
