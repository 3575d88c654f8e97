"""A disk that fills up, evidence that cannot be written, and mistakes that must stop a run before it begins."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from huoyan.errors import ConfigError, RegistryError
from huoyan.runs.scan import scan

from ..support.county import write_county
from ..support.running import huoyan, told

MOST_BYTES = 300_000


def small_disk() -> None:
    """No file may grow beyond `MOST_BYTES`: a write past it fails as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    config = write_county(tmp_path, ("cam-1", "cam-2"), frames=80)
    assert huoyan("scan", config, "--state", tmp_path / "large").returncode == 0
    reference = told(tmp_path / "large")

    stopped = huoyan("scan", config, "--state", tmp_path / "small", preexec_fn=small_disk)
    assert stopped.returncode == 5
    assert stopped.stderr.startswith("error: ") and "huoyan.db" in stopped.stderr
    assert "run the same command again" in stopped.stderr
    assert stopped.stderr.count("\n") == 1, "one line, no traceback"
    kept = told(tmp_path / "small")
    assert kept.frames < reference.frames
    assert {alert_id for alert_id, _ in kept.outbox} <= set(reference.ids)

    assert huoyan("scan", config, "--state", tmp_path / "small").returncode == 0
    found = told(tmp_path / "small")
    assert found.queue == reference.queue
    assert found.outbox == reference.outbox
    assert (found.frames, found.memory) == (reference.frames, reference.memory)


def test_evidence_that_cannot_be_written_stops_no_alert(tmp_path: Path) -> None:
    config = write_county(tmp_path, frames=6)
    (tmp_path / "blocked").mkdir()
    # A file stands where the folder of evidence should be.
    (tmp_path / "blocked" / "evidence").write_bytes(b"")
    blocked = scan(config, state=tmp_path / "blocked")
    free = scan(config, state=tmp_path / "free")
    assert [a.alert_id for a in blocked.alerts] == [a.alert_id for a in free.alerts] != []
    assert all(not a.document["data"]["properties"]["evidence"] for a in blocked.alerts)
    assert all(a.document["data"]["properties"]["evidence"] for a in free.alerts)
    assert any("evidence" in note for note in blocked.notes) and not free.notes


def test_a_wrong_key_stops_at_once_and_writes_nothing(tmp_path: Path) -> None:
    config = write_county(tmp_path, frames=1)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("blur_faces: false", "blur_facse: false"), encoding="utf-8")
    line = next(i for i, line in enumerate(text.splitlines(), 1) if "blur_faces" in line)
    done = huoyan("scan", config)
    assert done.returncode == 2
    assert f"county.yaml:{line}: evidence.blur_facse: unknown key" in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scenes", "red_thng"), "red_thing"),
        (("--since", "yesterday"), "--since"),
        (("--workers", "-1"), "--workers"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, str], words: str, tmp_path: Path) -> None:
    done = huoyan("scan", write_county(tmp_path, frames=1), *arguments)
    assert done.returncode == 2
    assert words in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    done = huoyan("scan", tmp_path / "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [], "not even an empty state"


def test_mistakes_of_all_registers_together(tmp_path: Path) -> None:
    config = write_county(tmp_path, frames=1, registry={"permits": "permits.csv", "vehicles": "vehicles.csv"})
    (tmp_path / "permits.csv").write_text(
        "id,scene,kind,holder,zone,footprint,lon,lat,radius_m,valid_from,valid_to,note\n"
        "P1,red_thing,building,Li,,,120.9,29.5,50,2026-13-01,2026-12-31,\n"
        "P2,no_scene,building,Li,,,120.9,29.5,50,2026-01-01,2026-12-31,\n",
        encoding="utf-8",
    )
    (tmp_path / "vehicles.csv").write_text(
        "plate,colour,kind,company,permit,valid_from,valid_to,sites,note\n"
        "浙D3C916,yellow,muck_truck,A,P,2026-01-01,soon,,\n",
        encoding="utf-8",
    )
    with pytest.raises(RegistryError) as caught:
        scan(config)
    assert isinstance(caught.value, ConfigError)
    text = str(caught.value)
    for words in ("permits.csv:2", "2026-13-01", "permits.csv:3", "no_scene", "vehicles.csv:2", "soon"):
        assert words in text
    assert not (tmp_path / "state").exists()
