"""Pictures, names and folders that are wrong: each is reported with its path and a code, and the rest goes on."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from huoyan.records import DronePose, Skip
from huoyan.sources import Discovered

from ..support.imagery import GIMBAL, dji_packet, found_in, looked_at, save_jpeg

GOOD = "20260312_083000.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A camera's folder that holds one sound picture already."""
    save_jpeg(tmp_path / "camera" / "c1" / GOOD)
    return tmp_path / "camera" / "c1"


def outcome(folder: Path, capfd: pytest.CaptureFixture[str]) -> tuple[list[str], list[Skip]]:
    """(names of the frames that were read, skips) of the archive; nothing may be printed."""
    found = found_in(folder.parents[1])
    names, skips = [], list(found.skips)
    for unit in found.units:
        for one in unit.frames():
            if isinstance(one, Skip):
                skips.append(one)
                continue
            try:
                one.image()
            except Exception as error:
                skips.append(Skip(unit.source_id, one.ref.path, error.code, str(error)))  # type: ignore[attr-defined]
            else:
                names.append(Path(one.ref.path).name)
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""
    for skip in skips:
        assert skip.path in skip.reason, "a reason names its file"
    return names, skips


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def jpeg_bytes(tmp: Path, **options: object) -> bytes:
    return save_jpeg(tmp / "other" / "x.jpg", (400, 300), **options).read_bytes()  # type: ignore[arg-type]


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def cut_behind_a_thumbnail(data: bytes) -> bytes:
    """What is left holds the end mark of the thumbnail."""
    body = b"Exif\0\0" + data[:9000] + b"\xff\xd9"
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    return cut(data[:2] + segment + data[2:])


def smeared(data: bytes) -> bytes:
    return cut(data) + b"\xff\xd9"


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (cut, "truncated"),
    "cut behind a thumbnail": (cut_behind_a_thumbnail, "truncated"),
    "cut in the header": (lambda data: data[:100], "truncated"),
    "cut, with an end mark": (smeared, "damaged"),
    "empty": (lambda data: b"", "empty"),
    "text": (lambda data: "这不是图片\n".encode() * 50, "not_an_image"),
    "zeros": (lambda data: bytes(4096), "not_an_image"),
    "bomb": (lambda data: png_header(60_000, 60_000), "too_large"),
    "small bomb": (lambda data: png_header(17_500, 17_500), "too_large"),
    "PNG without its pixels": (lambda data: png_header(400, 300), "damaged"),
    "PNG without its end": (lambda data: png_header(400, 300)[:-12], "truncated"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_picture(
    damage: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change, code = DAMAGES[damage]
    bad = folder / "20260312_083001.jpg"
    bad.write_bytes(change(jpeg_bytes(tmp_path)))
    names, skips = outcome(folder, capfd)
    assert names == [GOOD]
    assert [(skip.path, skip.code) for skip in skips] == [(str(bad), code)]


def test_every_length_of_a_jpeg_is_either_whole_or_reported(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = jpeg_bytes(tmp_path)
    for number, length in enumerate(range(1, len(data), len(data) // 60)):
        (folder / f"20260312_{number:06d}.jpg").write_bytes(data[:length])
    names, skips = outcome(folder, capfd)
    assert names == [GOOD]
    assert {skip.code for skip in skips} <= {"truncated", "damaged", "not_an_image"}


@pytest.mark.parametrize(
    "name",
    [
        "工地 一号_20260312_083001.jpg",
        "two\nlines 20260312_083001.jpg",
        "a'b\"c;$(x)20260312_083001.JPG",
        "图.jpeg",
    ],
)
def test_strange_names(name: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save_jpeg(folder / name)
    names, skips = outcome(folder, capfd)
    assert sorted(names) == sorted([GOOD, name])
    assert not skips


def test_a_name_that_is_not_utf_8(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode("图_20260312_083001.jpg".encode("gbk"))
    save_jpeg(folder / "x.jpg").rename(folder / name)
    names, skips = outcome(folder, capfd)
    assert sorted(names) == sorted([GOOD, name])
    assert not skips


def test_a_folder_named_like_a_picture(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "x.jpg").mkdir()
    save_jpeg(folder / "x.jpg" / "20260312_083001.jpg")
    assert outcome(folder, capfd) == ([GOOD, "20260312_083001.jpg"], [])


def test_links_in_a_loop_are_walked_once(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "again").symlink_to(folder.parent, target_is_directory=True)
    (folder / "self").symlink_to(folder / "self")
    assert outcome(folder, capfd) == ([GOOD], [])


def test_links_that_lead_nowhere(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "dangling.jpg").symlink_to(folder / "gone.jpg")
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    names, skips = outcome(folder, capfd)
    assert names == [GOOD]
    assert [(Path(skip.path).name, skip.code) for skip in skips] == [
        ("dangling.jpg", "broken_link"),
        ("self.jpg", "broken_link"),
    ]


def test_a_pipe_is_not_waited_for(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(folder / "pipe.jpg")
    names, skips = outcome(folder, capfd)
    assert names == [GOOD]
    assert all(skip.path == str(folder / "pipe.jpg") for skip in skips)


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Makes a file unreadable; root, whom permissions do not stop, is refused by hand."""
    refused: set[str] = set()
    true_open = open

    def guarded(file: object, *args: object, **kwargs: object) -> object:
        if str(file) in refused:
            raise PermissionError(13, "Permission denied", str(file))
        return true_open(file, *args, **kwargs)  # type: ignore[call-overload]

    def forbid(path: Path) -> None:
        path.chmod(0)
        refused.add(str(path))

    monkeypatch.setattr("io.open", guarded)
    monkeypatch.setattr("builtins.open", guarded)
    yield forbid


def test_a_picture_that_may_not_be_read(
    folder: Path, forbidden: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    bad = save_jpeg(folder / "20260312_083001.jpg")
    forbidden(bad)
    names, skips = outcome(folder, capfd)
    assert names == [GOOD]
    assert [(skip.path, skip.code) for skip in skips] == [(str(bad), "no_permission")]


def test_a_folder_that_may_not_be_entered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    closed = folder / "closed"
    closed.mkdir()
    true_scan = os.scandir

    def guarded(path: object = ".") -> object:
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return true_scan(path)  # type: ignore[call-overload]

    monkeypatch.setattr("os.scandir", guarded)
    names, skips = outcome(folder, capfd)
    assert names == [GOOD]
    assert [(skip.path, skip.code) for skip in skips] == [(str(closed), "no_permission")]


def test_a_picture_that_goes_away_after_discovery(folder: Path) -> None:
    found = found_in(folder.parents[1])
    (folder / GOOD).unlink()
    (frame,) = found.units[0].frames()
    with pytest.raises(Exception, match="is not there") as caught:
        frame.image()  # type: ignore[union-attr]
    assert caught.value.code == "missing"  # type: ignore[attr-defined]


BROKEN_XMP = {
    "cut": dji_packet(GIMBAL)[:330] + b"</x:xmpmeta>",
    "not XML": dji_packet(GIMBAL).replace(b"<rdf:Description", b"<rdf:Description <"),
    "entity bomb": b'<!DOCTYPE x [<!ENTITY a "1111111111"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'.join(
        dji_packet({**GIMBAL, "GimbalYawDegree": "&b;"}).split(b"<x:xmpmeta", 1)
    ).replace(b">]>", b">]><x:xmpmeta", 1),
    "no angles": dji_packet({key: GIMBAL[key] for key in GIMBAL if not key.startswith("Gimbal")}),
    "angles that are no numbers": dji_packet(
        {**GIMBAL, "GimbalYawDegree": "n/a", "GimbalPitchDegree": "+nan", "GimbalRollDegree": ""}
    ),
}


@pytest.mark.parametrize("kind", BROKEN_XMP)
def test_xmp_without_usable_angles(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The picture is looked at, its place is not guessed, and the user is told which file and why."""
    path = save_jpeg(tmp_path / "drone" / "f1" / GOOD, xmp=BROKEN_XMP[kind])
    found = found_in(tmp_path)
    ((frame, _),), skips = looked_at(found)
    assert isinstance(frame.ground, DronePose)
    assert frame.ground.yaw_deg is frame.ground.pitch_deg is None
    told = [*found.notes, *(skip.reason for skip in skips)]
    assert any(str(path) in line for line in told), told
    assert any("gimbal" in note for note in frame.notes)
    assert capfd.readouterr().err == ""


def test_sound_xmp_says_nothing(tmp_path: Path) -> None:
    save_jpeg(tmp_path / "drone" / "f1" / GOOD, xmp=dji_packet(GIMBAL))
    found = found_in(tmp_path)
    assert isinstance(found.units[0].ground, DronePose)  # type: ignore[attr-defined]
    assert (found.units[0].ground.yaw_deg, found.units[0].ground.pitch_deg) == (30.0, -60.0)  # type: ignore[attr-defined]
    assert found.skips == []


def test_captions_with_wrong_rows(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "captions.csv").write_text(
        "file,label,plate,plate_colour,x1,y1,x2,y2\n"
        f"{GOOD},dump_truck,浙D12345,yellow,30,40,10,20\n"
        f"{GOOD},dump_truck,,,1,2,three,4\n"
        f"{GOOD},dump_truck,,,1,2,nan,4\n"
        f"{GOOD},,,,1,2,3,4\n"
        f"{GOOD},dump_truck\n"
        "gone.jpg,dump_truck,,,1,2,3,4\n",
        encoding="gb18030",
    )
    found = found_in(folder.parents[1])
    ((frame, _),), skips = looked_at(found)
    (caption,) = frame.captions
    assert (caption.box, caption.text) == ((10, 20, 30, 40), "浙D12345")
    assert not skips
    told = [note for note in found.notes if "captions.csv" in note]
    assert [part for note in told for part in (":3", ":4", ":5", ":6", "gone.jpg") if part in note] == [
        ":3", ":4", ":5", ":6", "gone.jpg",
    ]  # fmt: skip
    assert capfd.readouterr().err == ""


def test_captions_that_are_no_text(folder: Path) -> None:
    (folder / "captions.csv").write_bytes(b"\xff\xfe\x00\x80\x81" * 50)
    found = found_in(folder.parents[1])
    assert len(found.units) == 1
    assert any("captions.csv" in note for note in found.notes)


def test_the_unforeseen_costs_one_picture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder's own bug must not end a scan."""
    from huoyan.sources import metadata

    bad = save_jpeg(folder / "20260312_083001.jpg")
    true_read = metadata.read

    def failing(path: Path, *args: object) -> object:
        if path == bad:
            raise RuntimeError("never seen before")
        return true_read(path, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(metadata, "read", failing)
    found: Discovered = found_in(folder.parents[1])
    assert [Path(unit.path).name for unit in found.units] == [GOOD]
    assert [(skip.path, skip.code) for skip in found.skips] == [(str(bad), "unexpected")]
