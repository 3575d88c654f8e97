"""What a scan of still pictures costs beyond its two unavoidable parts: decoding and running the networks.

    python scripts/bench_scan.py                      # site pictures of ../shared/data, else data_samples
    python scripts/bench_scan.py --pictures 100
    python scripts/bench_scan.py --profile            # and where the rest goes

One camera's stills are scanned on one thread in this process, three times: under rules that ask for nothing that
is there (a quiet archive: no alerts), the same with an excavator captioned in every fifth picture (an alert with
its evidence pictures each), and under the shipped rules, where these pictures of building sites alert almost every
time. Every run of a network is recorded; afterwards a bare loop decodes the same files and runs the same networks
on the same inputs. Printed is CPU time of the scan over CPU time of that loop, both measured in this process, one
after the other. The aim is 1.25 at most. Loading of libraries and models is in neither. The search for faces in
the evidence is a network, too, but not one of ours: its share is printed beside, and is not in the loop.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import yaml

from huoyan import share
from huoyan.alerts import redact
from huoyan.perception import models, onnx
from huoyan.runs.scan import scan
from huoyan.sources import stills

ROOT = Path(__file__).resolve().parents[1]
AIM = 1.25
KINDS = {
    "quiet": "quiet",
    "fifth": "an alert in every fifth picture",
    "full": "shipped rules on building sites",
}
START = datetime(2000, 1, 1, 4, tzinfo=UTC)


@dataclass(slots=True)
class Recorder:
    """Counts CPU of decoding, networks and loading inside a scan, and keeps what the networks were given."""

    cpu: Counter[str] = field(default_factory=Counter)
    inputs: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    kept: list[tuple[Any, str, Any]] = field(default_factory=list)

    def __enter__(self) -> Recorder:
        for owner, name, step in (
            (onnx.Session, "run", "networks"),
            (stills, "decode", "decode"),
            (models, "open_session", "loading"),
            (redact, "face_boxes", "faces"),
        ):
            original = getattr(owner, name)
            self.kept.append((owner, name, original))
            setattr(owner, name, self._timed(original, step))
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, original in self.kept:
            setattr(owner, name, original)

    def _timed(self, original: Callable[..., Any], step: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            started = time.process_time()
            result = original(*arguments, **options)
            self.cpu[step] += time.process_time() - started
            if step == "networks":
                self.inputs.append((arguments[0], dict(arguments[1])))
            return result

        return call


def main() -> int:
    """Scan, repeat the bare parts, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--pictures", type=int, default=60)
    options.add_argument(
        "--profile", action="store_true", help="print what the scan full of alerts spends its time on"
    )
    chosen = options.parse_args()
    cv2.setNumThreads(1)
    pictures = find_pictures(chosen.pictures)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        # The first scan loads libraries; it is not measured.
        measure(Path(folder) / "warm", pictures[:2], "full")
        for kind in KINDS:
            ratios.append(measure(Path(folder) / kind, pictures, kind))
        if chosen.profile:
            config = write_archive(Path(folder) / "profile", pictures, "full")
            profile = cProfile.Profile()
            profile.runcall(scan, config)
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    return 0 if max(ratios) <= AIM else 1


def measure(folder: Path, pictures: list[Path], kind: str) -> float:
    """Scan the pictures, repeat the bare work, and return the ratio of their CPU times."""
    config = write_archive(folder, pictures, kind)
    with Recorder() as recorder:
        started = time.process_time()
        result = scan(config)
        whole = time.process_time() - started - recorder.cpu["loading"]
    started = time.process_time()
    for path in pictures:
        stills.decode(path)
    for session, feeds in recorder.inputs:
        session.run(feeds)
    bare = time.process_time() - started
    if folder.name == kind:
        inside = recorder.cpu["networks"] + recorder.cpu["decode"]
        print(
            f"{KINDS[kind]}: {result.frames} frames, {len(recorder.inputs)} network runs, "
            f"{len(result.alerts)} alerts"
        )
        print(f"  scan {whole:.2f} s CPU, bare decode and networks {bare:.2f} s: ratio {whole / bare:.3f}")
        print(f"  inside the scan they took {inside:.2f} s: ratio {whole / inside:.3f} (aim {AIM})")
        print(f"  faces were searched for {recorder.cpu['faces']:.2f} s", flush=True)
    return whole / bare


def find_pictures(most: int) -> list[Path]:
    """Pictures of building sites, spread evenly over those there are."""
    folders = (ROOT.parent / "shared" / "data" / "site", ROOT / "data_samples" / "archive" / "camera")
    for folder in folders:
        found = sorted(path for path in folder.rglob("*.jpg"))
        if found:
            return found[:: max(1, len(found) // most)][:most]
    raise SystemExit("no pictures found: neither ../shared/data/site nor data_samples")


def write_archive(folder: Path, pictures: list[Path], kind: str) -> Path:
    """A camera whose pictures are weeks apart, so that each alert begins a story; returns the configuration.

    But for the full kind the shipped scenes ask for a score that only a caption has, so that the same networks run
    and nothing comes of it.
    """
    camera = folder / "archive" / "camera" / "cam"
    camera.mkdir(parents=True)
    rows = ["file,label,plate,plate_colour,x1,y1,x2,y2"]
    for index, path in enumerate(pictures):
        name = f"{START + timedelta(days=20 * index):%Y%m%dT%H%M%SZ}.jpg"
        (camera / name).symlink_to(path.resolve())
        if index % 5 == 0:
            rows.append(f"{name},excavator,,,100,100,300,260")
    if kind == "fifth":
        (camera / "captions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    rules = yaml.safe_load((share.folder("configs") / "scenes.yaml").read_text(encoding="utf-8"))
    if kind != "full":
        for evidence in (one for scene in rules["scenes"].values() for one in scene["evidence"]):
            for term in [*evidence.get("any", []), *evidence.get("all", [])]:
                term["score"] = 1.0
    (folder / "scenes.yaml").write_text(yaml.safe_dump(rules, allow_unicode=True), encoding="utf-8")
    config = folder / "county.yaml"
    config.write_text("archive: archive\nscenes: {file: scenes.yaml}\n", encoding="utf-8")
    return config


if __name__ == "__main__":
    sys.exit(main())
