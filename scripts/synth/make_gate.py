"""Makes data_samples/gate/: the videos of a gate, what its devices send, and what must be decided.

VENV/bin/python scripts/synth/gate_render.py --work WORK                  in Blender, once
VENV/bin/python scripts/synth/make_gate.py --work WORK --out data_samples/gate
python scripts/synth/make_gate.py --out data_samples/gate --words-only    messages and truth only, no pictures
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import gate_story
from gate_lanes import LANES


def write_words(out: Path) -> None:
    """messages.jsonl and truth.json."""
    out.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(m, ensure_ascii=False) + "\n" for m in gate_story.messages())
    (out / "messages.jsonl").write_text(lines, encoding="utf-8")
    told = json.dumps(gate_story.truth(), ensure_ascii=False, indent=1)
    (out / "truth.json").write_text(told + "\n", encoding="utf-8")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--work", type=Path, help="where gate_render put its pictures")
    ask.add_argument(
        "--font", type=Path, help="a face with Chinese characters; default the one that Blender ships"
    )
    ask.add_argument("--quality", type=int, default=34, help="x264's constant rate factor")
    ask.add_argument("--only", default="", help="one lane: gate-in or gate-out")
    ask.add_argument("--words-only", action="store_true")
    args = ask.parse_args()
    write_words(args.out)
    if args.words_only:
        return
    if args.work is None:
        ask.error("--work: expected the folder of gate_render's pictures, got none")
    import gate_frames

    font = args.font
    if font is None:
        import scene

        font = scene.cjk_font()
    for lane in (lane for lane in LANES if args.only in ("", lane.name)):
        target = args.out / f"{lane.name}.mp4"
        gate_frames.film(gate_frames.Studio(lane, args.work, font), gate_story.TRUCKS, target, args.quality)
        print(f"{target}: {target.stat().st_size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
