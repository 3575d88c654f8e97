"""What models make of an archive of real pictures: scenes told, scenes missed, false alarms.

    python scripts/bench_archive.py                                 # the shipped models
    python scripts/bench_archive.py --models OLD --models models    # before and after, side by side

The archive is the one of the end-to-end test (tests/real), built from ../shared/data: cameras that see a scene,
nearly all in pictures that no model was trained on, a drone flight, a pair of satellite dates; and a second county
of ordinary days, where every alert is a false one. Prints a Markdown table with a column a folder of models.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import yaml

from huoyan.runs.scan import scan

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "real"))

from real_county import Built, build, configure  # noqa: E402
from real_views import QUIET_VIEWS, VIEWS  # noqa: E402


def main() -> None:
    """Scan both counties with every folder of models and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--models", type=Path, action="append", help="folder of models; may be repeated")
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    chosen = options.parse_args()
    folders = chosen.models or [ROOT / "models"]
    with tempfile.TemporaryDirectory() as work:
        told = build(Path(work) / "told", chosen.data, VIEWS)
        quiet = build(Path(work) / "quiet", chosen.data, QUIET_VIEWS, looks=2, others=False)
        columns = [measure(told, quiet, folder.resolve(), f"m{n}") for n, folder in enumerate(folders)]
    print("| | " + " | ".join(str(folder) for folder in folders) + " |")
    print("| --- |" + " --- |" * len(folders))
    for row in dict.fromkeys(key for column in columns for key in column):
        print(f"| {row} | " + " | ".join(column.get(row, "0") for column in columns) + " |")


def measure(told: Built, quiet: Built, models: Path, name: str) -> dict[str, str]:
    """Rows of one column of the table."""
    rows: dict[str, str] = {}
    by_camera = sources(told, models, name)
    for scene in dict.fromkeys(scene for view in VIEWS for scene in view.shows):
        meant = {view.camera for view in VIEWS if scene in view.shows}
        rows[f"{scene}: cameras that tell it, of {len(meant)}"] = str(
            len(meant & by_camera.get(scene, set()))
        )
    beside = Counter(
        scene
        for scene, cameras in by_camera.items()
        for view in VIEWS
        if view.camera in cameras and scene not in view.shows
    )
    rows["scenes told that the picture was not chosen for"] = str(sum(beside.values()))
    for scene, cameras in sorted(by_camera.items()):
        if "pair" in cameras or any("satellite" in camera for camera in cameras):
            rows[f"{scene}: told by the satellite pair"] = "yes"
    false = sources(quiet, models, name)
    rows[f"false alarms (camera and scene) of {len(QUIET_VIEWS)} quiet cameras"] = str(
        sum(len(cameras) for cameras in false.values())
    )
    for scene, cameras in sorted(false.items()):
        print(f"{models}: {scene}: false at {', '.join(sorted(cameras))}", file=sys.stderr)
    return rows


def sources(county: Built, models: Path, name: str) -> dict[str, set[str]]:
    """Who told each scene in a scan with these models."""
    path = configure(county, name, sketchy=True)
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["models"] = {"folder": str(models)}
    if not (models / "dust-s.onnx").is_file():
        # From before there was a second opinion on dust.
        values["models"]["dust"] = None
    path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")
    found: dict[str, set[str]] = {}
    for alert in scan(path).alerts:
        found.setdefault(alert.scene, set()).update(alert.document["data"]["properties"]["sources"])
    return found


if __name__ == "__main__":
    main()
