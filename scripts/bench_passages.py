"""How many plates the vote over a passage tells, and how many of those rightly: held-back crops and rendered plates.

    python scripts/bench_passages.py --data DATA [--model MODEL] [--font FONT] [--each 20] [--seed 1]

A passage is six views of one plate, from 20-40 px high (or wide) on the first to 40-60 px on the last, small only or
with blur, glare, mud or at night as well (`training/plate_passages.py`). The aim: of what is told 0.993 is right, and
0.92 is told.
Beside the vote stands what the surest single read would tell at the reader's own threshold.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import yaml

from huoyan.perception import plate_vote
from huoyan.perception.plates import READER, PlateReader
from training import plate_data, plate_passages, plate_render
from training.plate_passages import Passage

CONFIG = Path(__file__).resolve().parent / "configs" / "plates.yaml"


@dataclass(frozen=True)
class Told:
    """What was read on a passage."""

    passage: Passage
    vote: plate_vote.PlateVote
    single: str
    """The surest single read; empty if unreadable."""


def read(reader: PlateReader, passages: Iterable[Passage]) -> list[Told]:
    """Every passage, read view by view and voted."""
    told = []
    for passage in passages:
        evidence = reader.evidence(passage.views)
        surest = max(evidence, key=lambda one: one.confidence)
        single = surest.guess if surest.confidence >= reader.threshold else ""
        told.append(Told(passage, plate_vote.vote(evidence, reader.passage_threshold), single))
    return told


def table(rows: list[Told], title: str, key: Callable[[Told], str]) -> None:
    """Print a table by a key of the passage."""
    print(
        f"\n| {title} | passages | likeliest text right | told | of those right | wrong | surest read told | right |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in [*sorted({key(row) for row in rows}), "all"]:
        group = [row for row in rows if name in ("all", key(row))]
        guessed = sum(row.vote.guess == row.passage.text for row in group)
        told = [row for row in group if row.vote.text]
        right = sum(row.vote.text == row.passage.text for row in told)
        single = [row for row in group if row.single]
        single_right = sum(row.single == row.passage.text for row in single)
        print(
            f"| {name} | {len(group)} | {guessed / len(group):.3f} | {len(told) / len(group):.3f} "
            f"| {_share(right, len(told))} | {len(told) - right} "
            f"| {len(single) / len(group):.3f} | {_share(single_right, len(single))} |"
        )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.4f}" if whole else "–"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--model", default=READER)
    parser.add_argument("--font", type=Path, help="TrueType font for the characters that the templates lack")
    parser.add_argument("--each", type=int, default=20, help="rendered passages of each kind and condition")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    reader = PlateReader(args.model)
    crops = [c for c in plate_data.collect(config, args.data) if c.held_back]
    press = plate_render.Press(args.data / config["templates"], args.font)
    held = [(c.text, c.kind, c.image) for c in crops]
    kinds = tuple(config["train"]["kinds"])
    for distance in plate_passages.DISTANCES:
        parts = {
            "held-back crops": plate_passages.of_crops(held, distance, args.seed),
            "rendered plates": plate_passages.rendered(press, kinds, args.each, distance, args.seed),
        }
        for name, passages in parts.items():
            rows = read(reader, passages)
            print(f"\n{name}, 20-60 px {distance}, threshold {reader.passage_threshold}")
            table(rows, "kind", lambda row: row.passage.kind)
            table(rows, "condition", lambda row: row.passage.condition)
            table(rows, f"px {distance} at last", lambda row: f"{row.passage.size // 5 * 5:.0f}")
            for row in rows:
                if row.vote.text not in ("", row.passage.text):
                    print(
                        f"wrong: {row.passage.kind} {row.passage.condition} {row.passage.text} > "
                        f"{row.vote.text} {row.vote.confidence:.2f}, "
                        f"{row.vote.agreeing} of {row.vote.reads} agree"
                    )


if __name__ == "__main__":
    main()
