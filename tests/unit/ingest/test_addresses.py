"""Addresses with secrets, and a configuration as readers want it; descriptions of RTSP sessions."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from huoyan.config import load
from huoyan.errors import ConfigError
from huoyan.ingest.addresses import plans, read_secrets, resolved
from huoyan.ingest.auth import place
from huoyan.ingest.faults import Fault
from huoyan.ingest.lines import host_of
from huoyan.ingest.rtsp import Unsupported, read_description
from huoyan.perception.masks import blacken
from huoyan.perception.signature import signature
from huoyan.sample import CameraPlan

COUNTY = """\
county: {name: t, timezone: Asia/Shanghai, data: state}
watch: {secrets: secrets.env, every: 3s, patience: {read: 4s}, memory: {every: 5m}}
cameras:
  - {id: still}
  - id: gate
    stream:
      url: rtsp://viewer:${GATE_PASSWORD}@10.0.0.4/sub
      first: 40s
      masks: [[[0, 0], [0.5, 0], [0.5, 0.5]]]
      presets: [{id: pit, picture: pit.png}]
  - {id: film, stream: {url: film.mp4, every: 10s, snapshot: false, transport: udp, connect: once, look_every: 1m}}
"""


@pytest.fixture
def county(tmp_path: Path) -> Path:
    path = tmp_path / "county.yaml"
    path.write_text(COUNTY)
    (tmp_path / "film.mp4").write_bytes(b"")
    picture = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "pit.png"), picture)
    (tmp_path / "secrets.env").write_text("# of the gate\n\nexport GATE_PASSWORD='p@ss/w:1'\nOTHER=a=b\n")
    (tmp_path / "secrets.env").chmod(0o600)
    return path


def test_plans_of_a_configuration(county: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATE_PASSWORD", raising=False)
    gate, film = plans(load(county))
    account = place(gate.address).account
    assert account is not None and (account.user, account.password) == ("viewer", "p@ss/w:1")
    assert (gate.every_s, gate.patience.first_s, gate.patience.read_s) == (3.0, 40.0, 4.0)
    assert gate.signature_every_s == 300.0 and gate.masks == (((0.0, 0.0), (0.5, 0.0), (0.5, 0.5)),)
    assert "p%40ss" not in repr(gate) and "ss/w" not in repr(gate)
    assert (film.address, film.every_s, film.look_every_s) == (str(county.parent / "film.mp4"), 10.0, 60.0)
    assert (film.transport, film.mode) == ("udp", "once")
    assert (host_of(gate), host_of(film), host_of(CameraPlan("x", "rtsp://:"))) == ("10.0.0.4", "", "?")
    picture = cv2.cvtColor(cv2.imread(str(county.parent / "pit.png")), cv2.COLOR_BGR2GRAY)
    blacken([picture], gate.masks)
    # Masked as the camera's pictures are, so that it looks like them.
    assert [(preset.id, preset.signature) for preset in gate.presets] == [("pit", signature(picture))]


def test_the_environment_comes_first(county: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "other")
    assert plans(load(county))[0].address == "rtsp://viewer:other@10.0.0.4/sub"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "secrets.env").chmod(0o640), "others may read the secrets (mode 640"),
        (lambda folder: (folder / "secrets.env").unlink(), "cannot be read"),
        (
            lambda folder: (folder / "secrets.env").write_text("X=1\nhush-9\n"),
            "secrets.env:2: expected NAME=value",
        ),
        (lambda folder: (folder / "secrets.env").write_text("X=1"), "GATE_PASSWORD is not set"),
        (lambda folder: (folder / "film.mp4").unlink(), "there is no such file"),
        (lambda folder: (folder / "pit.png").write_bytes(b"x"), "the preset's picture cannot be used"),
    ],
)
def test_mistakes_are_told_without_secrets(
    county: Path, monkeypatch: pytest.MonkeyPatch, change: object, words: str
) -> None:
    monkeypatch.delenv("GATE_PASSWORD", raising=False)
    change(county.parent)  # type: ignore[operator]
    with pytest.raises(ConfigError) as caught:
        plans(load(county))
    assert words in str(caught.value)
    assert "hush-9" not in str(caught.value) and "ss/w" not in str(caught.value)


def test_values_of_secrets(county: Path) -> None:
    assert read_secrets(county.parent / "secrets.env") == {"GATE_PASSWORD": "p@ss/w:1", "OTHER": "a=b"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rtsp://${ACCOUNT}@h/${PATH_}", "rtsp://u:p%40%20q@h/a/b@c"),
        ("rtsp://h/${PATH_}", "rtsp://h/a/b@c"),
        ("${PATH_}/x.mp4", "a/b@c/x.mp4"),
        ("http://h/?t=$${ACCOUNT}", "http://h/?t=$u:p@ q"),
    ],
)
def test_only_in_the_account_signs_are_escaped(address: str, expected: str) -> None:
    assert resolved(address, "c", {"ACCOUNT": "u:p@ q", "PATH_": "a/b@c"}) == expected


SDP = """\
v=0\r
o=- 1 1 IN IP4 10.0.0.4\r
s=Media\r
a=control:*\r
m=audio 0 RTP/AVP 8\r
a=control:trackID=0\r
m=video 0 RTP/AVP 96\r
a=rtpmap:96 {codec}/90000\r
a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAKeKQFAe2,aM48gA==;profile-level-id=420029\r
a=control:{control}\r
"""


@pytest.mark.parametrize(
    ("base", "control", "expected"),
    [
        ("rtsp://h/1", "trackID=1", "rtsp://h/1/trackID=1"),
        ("rtsp://h/1/", "trackID=1", "rtsp://h/1/trackID=1"),
        ("rtsp://h/1?sub=1", "trackID=1", "rtsp://h/1?sub=1/trackID=1"),
        ("rtsp://h/1", "rtsp://h/x/trackID=1", "rtsp://h/x/trackID=1"),
    ],
)
def test_the_pictures_of_a_session(base: str, control: str, expected: str) -> None:
    track, whole = read_description(SDP.format(codec="H264", control=control), base)
    assert (track.codec, track.control, track.rate, whole) == ("h264", expected, 90_000, base)
    assert [unit[0] & 31 for unit in track.parameters] == [7, 8]


def test_sessions_without_pictures_that_we_know() -> None:
    with pytest.raises(Unsupported, match="JPEG"):
        read_description(SDP.format(codec="JPEG", control="x"), "rtsp://h/1")
    with pytest.raises(Fault) as caught:
        read_description(SDP.replace("m=video", "m=application"), "rtsp://h/1")
    assert caught.value.code == "no_pictures"
