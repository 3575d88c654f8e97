"""From encoded key pictures to samples: decoded alone, masked, judged, and only worth a look with their pixels."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from tests.support.cameras import film

from huoyan.ingest.decoding import Decoders, Planes
from huoyan.ingest.faults import Fault
from huoyan.ingest.outgoing import Outgoing
from huoyan.ingest.rtp import Key
from huoyan.ingest.viewer import Viewer
from huoyan.sample import CameraEvent, CameraPlan, Sample, Tally, ViewState


def keys(path: Path) -> list[Key]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec, extra = stream.codec_context.name, stream.codec_context.extradata or b""
        return [
            Key(codec, bytes(packet), 1.0, extra)
            for packet in container.demux(stream)
            if packet.is_keyframe and packet.size
        ]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    made = {
        "h264": film(folder / "a.mp4", seconds=2.0),
        "h264 with B": film(folder / "b.mp4", seconds=2.0, bf="3", preset="veryfast"),
        "h264 open": film(
            folder / "e.mp4", seconds=2.0, bf="2", preset="veryfast", **{"x264opts": "open-gop=1"}
        ),
        "h265": film(folder / "c.mp4", seconds=2.0, codec="libx265", size=(128, 96)),
        "mjpeg": film(folder / "d.avi", seconds=1.0, codec="mjpeg"),
    }
    return made


@pytest.mark.parametrize("name", ["h264", "h264 with B", "h264 open", "h265", "mjpeg"])
def test_each_key_picture_is_decoded_by_itself(films: dict[str, Path], name: str) -> None:
    decoders, found = Decoders(), keys(films[name])
    with av.open(str(films[name])) as container:
        expected = [frame.to_ndarray(format="gray") for frame in container.decode(video=0) if frame.key_frame]
    assert len(found) == len(expected) >= 4
    for key, gray in zip(found, expected, strict=True):
        planes = decoders.decode(key)
        assert planes.size == (gray.shape[1], gray.shape[0])
        spread = np.abs(planes.y.astype(int) - gray)
        # Grey is the full range of what Y is the limited one of.
        assert spread.mean() < 25
        assert len(planes.i420()) == gray.size * 3 // 2


def test_cameras_share_decoders_without_sharing_pictures(films: dict[str, Path]) -> None:
    decoders = Decoders()
    one, other = keys(films["h264"]), keys(films["h264 with B"])
    alone = [Decoders().decode(key).y.copy() for key in (one[0], other[1], one[2])]
    together = [decoders.decode(key).y.copy() for key in (one[0], other[1], one[2])]
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_damage_costs_one_picture(films: dict[str, Path]) -> None:
    decoders, found = Decoders(), keys(films["h264"])
    for spoilt in (b"", b"\0" * 50, found[0].data[:40], bytes(reversed(found[0].data))):
        with pytest.raises(Fault) as caught:
            decoders.decode(replace(found[0], data=spoilt))
        assert caught.value.code == "damaged"
        assert decoders.decode(found[1]).size == (160, 96)
    with pytest.raises(Fault) as caught:
        decoders.decode(Key("no_such_codec", b"x", 0.0))
    assert caught.value.code == "unsupported"


def view(seed: int = 1, left: int | None = None, colour: int = 40, light: int = 110) -> Planes:
    """A street of noise, with a lorry at `left`."""
    y = np.random.default_rng(seed).integers(light - 30, light + 30, (180, 320), dtype=np.uint8)
    y = np.repeat(np.repeat(y[::4, ::4], 4, 0), 4, 1)
    if left is not None:
        y[60:130, left : left + 90] = 235
    return Planes(y, np.full((90, 160), 128 + colour, np.uint8), np.full((90, 160), 128 - colour, np.uint8))


PLAN = CameraPlan("c", "", look_every_s=300.0, signature_every_s=600.0)


def test_what_passes_and_why() -> None:
    viewer = Viewer(PLAN)
    told = [viewer.look(view(), 2.0 * n, None, {}) for n in range(20)]
    assert [sample.passed for sample in told] == ["first"] + [""] * 19
    assert told[0].signature is not None and told[1].signature is None
    assert told[0].picture is not None and told[0].picture.size == (320, 180)
    moved = viewer.look(view(left=100), 40.0, None, {"key_every_s": 4.0})
    assert moved.passed == "motion" and moved.motion > 0.05 and moved.measures["key_every_s"] == 4.0
    burst = Viewer(PLAN)
    # While something wants confirmation a look is taken so often, not at every picture.
    told = [burst.look(view(), 2.0 * n, 4.0 if n > 3 else None, {}) for n in range(9)]
    assert [n for n, sample in enumerate(told) if sample.passed == "burst"] == [4, 6, 8]


def test_without_motion_it_is_looked_at_now_and_then() -> None:
    viewer = Viewer(replace(PLAN, look_every_s=30.0, signature_every_s=50.0))
    told = [viewer.look(view(), 2.0 * n, None, {}) for n in range(40)]
    assert [n for n, sample in enumerate(told) if sample.passed] == [0, 15, 30]
    assert [n for n, sample in enumerate(told) if sample.signature] == [0, 25]


def test_masks_are_black_in_what_leaves_and_blind_for_motion() -> None:
    mask = ((0.25, 0.25), (0.7, 0.25), (0.7, 0.8), (0.25, 0.8))
    viewer = Viewer(replace(PLAN, masks=(mask,)))
    first = viewer.look(view(left=100), 0.0, None, {})
    assert first.picture is not None
    y = np.frombuffer(first.picture.i420, np.uint8)[: 320 * 180].reshape(180, 320)
    u = np.frombuffer(first.picture.i420, np.uint8)[320 * 180 :][: 160 * 90].reshape(90, 160)
    assert (y[50:140, 85:220] == 16).all() and (u[25:70, 45:110] == 128).all()
    for n in range(1, 20):
        assert viewer.look(view(left=100), 2.0 * n, None, {}).passed == ""
    assert viewer.look(view(left=105), 40.0, None, {}).passed == ""


def test_night_is_dark_or_grey_where_it_was_coloured() -> None:
    viewer = Viewer(PLAN)

    def night(clock: float, **more: int) -> bool:
        return viewer.look(view(**more), clock, None, {}).night

    assert not night(0.0, colour=0)
    assert not night(20.0, colour=30)
    assert night(40.0, colour=0)
    assert not night(60.0, colour=30)
    assert night(80.0, colour=30, light=35)
    # The hour between: it stays as it was.
    assert night(100.0, colour=30, light=52)


def test_what_was_learned_goes_on_in_another_viewer() -> None:
    viewer = Viewer(PLAN)
    for n in range(10):
        viewer.look(view(), 2.0 * n, None, {})
    state = viewer.state()
    assert isinstance(json.loads(state), dict)
    assert Viewer(PLAN, state).state() == state


def sample(camera: str, clock: float, passed: bool = False) -> Sample:
    made = Viewer(replace(PLAN, id=camera)).look(view(), clock, None, {})
    return made if passed else replace(made, passed="", picture=None)


def test_of_each_camera_the_newest_waits_in_its_place_and_what_was_worth_a_look_stays() -> None:
    outgoing = Outgoing()
    outgoing.put(sample("a", 1.0))
    outgoing.put(sample("b", 1.5, passed=True))
    outgoing.put(sample("a", 2.0, passed=True))
    outgoing.put(sample("a", 3.0))
    outgoing.put(ViewState("a", "{}"))
    outgoing.put(CameraEvent("a", datetime.now(UTC), 3.0, "live"))
    outgoing.put(Tally(3.0, {}, {}, 0.0, 1))
    outgoing.close()
    taken = []
    while (report := outgoing.take()) is not None:
        taken.append(report)
    assert [type(report).__name__ for report in taken] == [
        "Tally",
        "CameraEvent",
        "Sample",
        "Sample",
        "ViewState",
    ]
    assert [(s.camera, s.clock) for s in taken if isinstance(s, Sample)] == [("a", 2.0), ("b", 1.5)]
    assert outgoing.dropped == 2


def test_who_takes_waits() -> None:
    outgoing, taken = Outgoing(), []

    def take() -> None:
        while (report := outgoing.take()) is not None:
            taken.append(report)

    thread = threading.Thread(target=take)
    thread.start()
    for n in range(100):
        outgoing.put(CameraEvent(str(n), datetime.now(UTC), float(n), "lost"))
    outgoing.close()
    thread.join(30)
    assert [report.camera for report in taken] == [str(n) for n in range(100)]
