"""From a video or a stream to passages: decoding, looking, following; and the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import huoyan
from huoyan.cli.main import app
from huoyan.config import Models
from huoyan.errors import ConfigError, ModelError, SourceError
from huoyan.perception.passages import View
from huoyan.records import Detection, GroundPlane, Image, Placement, Skip
from huoyan.runs.passages import (
    EyeSettings,
    PassageEyes,
    eyes_for,
    latest,
    of_video,
    passages,
    place_on,
)
from huoyan.sources.live import LiveFrames

from ...support.traffic import HEIGHT, WIDTH, Vehicle, drive, frames, through

LINE = ((200.0, 300.0), (760.0, 300.0))
VIEW = View("gate", LINE)


def film(path: Path, vehicles: Sequence[Vehicle], seconds: float = 8.0) -> Path:
    """Painted traffic as H.264, ten pictures a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "g": "20", "threads": "1"}
        for _, image, _ in frames(vehicles, seconds, 0.1):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def eyes(looked: list[Image] | None = None) -> PassageEyes:
    """Eyes that take every large patch of red for a dump truck."""

    def vehicles(image: Image) -> list[Detection]:
        if looked is not None:
            looked.append(image)
        red = (image[..., 0].astype(int) - image[..., 1] > 60).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(red)
        # Red is only the upper half of a painted truck.
        return [
            Detection("dump_truck", 0.9, (float(x), float(y), float(x + w), float(y + 2 * h)))
            for x, y, w, h, area in stats[1:].tolist()
            if area > 2000
        ]

    found = SimpleNamespace(
        vehicles=vehicles,
        plumes=lambda image: [],
        plates=None,
        settings=EyeSettings(),
    )
    return cast(PassageEyes, found)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One truck down over the line, and later one up."""
    down = Vehicle(drive((380, 170), (0, 60), 0.5, 6.0))
    up = Vehicle(drive((640, 520), (0, -70), 2.0, 6.5))
    return film(tmp_path_factory.mktemp("gate") / "2026-05-01_080000.mp4", [down, up])


def test_a_file_gives_its_passages_with_its_own_times(gate: Path) -> None:
    looked: list[Image] = []
    found = list(passages(gate, VIEW, eyes(looked)))
    assert sorted(p.direction for p in found) == ["enter", "leave"]
    assert len(looked) == 40
    entered = next(p for p in found if p.direction == "enter")
    assert entered.crossed is not None
    assert f"{entered.crossed:%Y-%m-%d %H:%M}" == "2026-05-01 08:00"
    assert entered.crossed.timestamp() % 60 == pytest.approx(0.5 + 130 / 60, abs=0.1)
    assert all("pts" in sight.frame.locator for sight in entered.sights), "evidence can be read again"


def test_ids_depend_on_source_and_times_alone(gate: Path, tmp_path: Path) -> None:
    again = tmp_path / gate.name
    again.write_bytes(gate.read_bytes())
    one, two = (list(passages(path, VIEW, eyes())) for path in (gate, again))
    assert [p.passage_id for p in one] == [p.passage_id for p in two]
    other = list(passages(gate, View("other", LINE), eyes()))
    assert not {p.passage_id for p in one} & {p.passage_id for p in other}


def test_early_tells_each_twice_under_one_id(gate: Path) -> None:
    told = list(passages(gate, VIEW, eyes(), early=True))
    assert len(told) == 4
    assert [p.ended for p in latest(told).values()] == [True, True]
    assert latest(told) == latest(passages(gate, VIEW, eyes()))


def test_a_camera_at_its_own_pace_gives_the_same(gate: Path) -> None:
    live = LiveFrames(str(gate), "gate", 0.2, pace=True, waiting=50)
    found = list(passages(live, VIEW, eyes()))
    assert sorted(p.direction for p in found) == ["enter", "leave"]
    assert live.late == 0


def test_what_a_turning_truck_does(tmp_path: Path) -> None:
    turns = Vehicle(through((0, 480, 200), (3, 480, 480), (8, 480, 480), (11, 480, 200)))
    found = of_video(film(tmp_path / "turn.mp4", [turns], 11.5), LINE, eyes=eyes())
    assert [p.direction for p in found] == ["enter", "leave"]


def test_damage_is_told_and_what_is_left_is_used(gate: Path, tmp_path: Path) -> None:
    data = bytearray(gate.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = b"\x55" * 3000
    broken = tmp_path / gate.name
    broken.write_bytes(data)
    skips: list[Skip] = []
    found = list(passages(broken, VIEW, eyes(), skipped=skips.append))
    assert found
    assert {skip.code for skip in skips} <= {"damaged_video"}


def test_no_file_and_no_video(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nothing\.mp4"):
        list(passages(tmp_path / "nothing.mp4", VIEW, eyes()))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceError, match=r"text\.mp4"):
        of_video(tmp_path / "text.mp4", eyes=eyes())


def test_places_from_the_ground(gate: Path) -> None:
    flat = GroundPlane((0.02, 0, -9.6, 0, -0.05, 30.0, 0, 0, 1), (120.9, 29.5), (WIDTH, HEIGHT), 0.5)
    view = View("gate", LINE, place=place_on(flat))
    found = [p for p in passages(gate, view, eyes()) if p.direction == "enter"]
    assert isinstance(found[0].place, Placement)
    assert found[0].place.lon == pytest.approx(120.9, abs=0.001)
    assert len(found[0].track) >= 2


def test_eyes_say_which_label_their_detector_does_not_know() -> None:
    with pytest.raises(ModelError, match=r"does not know tank; known are .*excavator"):
        PassageEyes(EyeSettings(labels=frozenset({"tank"}), plates=None))
    with pytest.raises(ConfigError, match=r"models\.site"):
        eyes_for(Models(site=None))


def test_eyes_of_a_road_look_for_dust_and_those_of_a_gate_do_not() -> None:
    grey = np.full((120, 160, 3), 128, np.uint8)
    road = eyes_for(Models(), plumes=True)
    assert (road._air is None, road._classifier is None) == (False, False)
    assert road.vehicles(grey) == []
    assert road.plumes(grey) == []
    gate_eyes = eyes_for(Models(plates=None))
    assert (gate_eyes._air, gate_eyes.plates) == (None, None)


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["passages", *words])


def test_the_command(gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = of_video(gate, LINE, eyes=eyes())
    asked: dict[str, Any] = {}

    def told(video: Path, line: Any, **options: Any) -> Any:
        asked.update(options, line=line)
        return found

    monkeypatch.setattr("huoyan.runs.passages.of_video", told)
    words = (
        "--line",
        "200,300,760,300",
        "--enter",
        "left",
        "--labels",
        "dump_truck, loader",
        "--sampling",
        "1s",
    )
    table = run(str(gate), *words)
    assert table.exit_code == 0, table.output
    assert asked["line"] == LINE
    assert asked["enter"] == "left"
    assert asked["labels"] == ["dump_truck", "loader"]
    assert asked["sampling_s"] == 1.0
    assert "dump_truck" in table.output and "enter" in table.output
    rows = json.loads(run(str(gate), "--json").output)
    assert [row["passage_id"] for row in rows] == [p.passage_id for p in found]
    assert rows[0]["sights"][0]["frame"]["locator"]["pts"] >= 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--line", "1,2,3"), "--line: expected four numbers such as 600,700,1300,700, got '1,2,3'"),
        (("--enter", "up"), "--enter: expected right or left, got 'up'"),
        (("--sampling", "fast"), "--sampling: expected a duration such as 200ms or 1s, got 'fast'"),
        (("--sampling", "0s"), "--sampling: expected more than nothing, got '0s'"),
    ],
)
def test_wrong_words_are_told(gate: Path, words: tuple[str, str], message: str) -> None:
    result = run(str(gate), *words)
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == message


def test_a_video_without_trucks(tmp_path: Path) -> None:
    """The whole way with the shipped models."""
    assert huoyan.passages(film(tmp_path / "empty.mp4", [], 1.0)) == []
