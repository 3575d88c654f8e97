"""Training pictures: read from several partly labelled sets, split by scene, written in YOLO's layout.

A *source* is everything of one origin: the part of a file's name before its last underscore. A source labels
only some classes completely. `Picture.known` holds those classes: of every other class an unlabelled object
may be in the picture, so it must never be taught as absent there.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Box:
    """A labelled object: centre and size as shares of the picture's width and height."""

    label: str
    cx: float
    cy: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A training picture with its boxes and the classes that are labelled completely in it."""

    path: Path
    set_name: str
    split: str
    boxes: tuple[Box, ...]
    known: frozenset[str]

    @property
    def source(self) -> str:
        return source_of(self.path.stem)

    @property
    def key(self) -> str:
        """Unique over all sets; the file name in the training folder, without suffix."""
        return f"{self.set_name.replace('/', '-')}__{self.path.stem}"


def source_of(stem: str) -> str:
    """Name of the source of a picture, from its file name without suffix."""
    return stem.rpartition("_")[0] or stem


def read_config(path: Path) -> dict[str, Any]:
    """Read a training configuration.

    Raises:
        ValueError: the labelled classes name a class that the model does not have.
    """
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    classes = set(config["classes"])
    for entry in config["sets"]:
        for source, known in entry["labelled"].items():
            unknown = set(known) - classes
            if unknown:
                raise ValueError(f"{path}: {entry['folder']}: {source}: no such class: {sorted(unknown)}")
    return config


def read_boxes(path: Path, names: Sequence[str], wanted: Iterable[str]) -> tuple[Box, ...]:
    """Boxes of a YOLO label file that are of a `wanted` class; none where there is no file."""
    if not path.is_file():
        return ()
    kept = set(wanted)
    boxes = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        number, *numbers = line.split()
        label = names[int(number)]
        if label in kept:
            boxes.append(Box(label, *(float(n) for n in numbers[:4])))
    return tuple(boxes)


def collect(config: dict[str, Any], root: Path, more: Iterable[Path] = ()) -> list[Picture]:
    """All pictures of a configuration, each with its split.

    Args:
        config: see `scripts/configs/site.yaml`.
        root: folder of the data sets.
        more: folders of further pictures to train on, see `further_set`.

    Raises:
        ValueError: a source without an entry in the table of labelled classes, or a held-back name that
            matches no picture: both are typing mistakes that would silently change what is taught.
    """
    pictures: list[Picture] = []
    for entry in config["sets"]:
        pictures += _collect_set(entry, config["classes"], root)
    for folder in more:
        pictures += _collect_set(further_set(folder, config), config["classes"], folder)
    return pictures


def further_set(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The entry of a folder that describes itself.

    It holds `images/`, `labels/` (YOLO text), `classes.txt`, and `labelled.yaml`, which names for every source the
    classes that it labels completely. Sources that the configuration names under `more_left_out` are left out,
    those under `more_held_back` are held back.

    Raises:
        OSError: one of the files is missing.
    """
    complete: dict[str, list[str]] = yaml.safe_load((folder / "labelled.yaml").read_text(encoding="utf-8"))
    present = {source_of(image.stem) for image in (folder / "images").iterdir()}
    return {
        "folder": ".",
        "names": "classes.txt",
        "labelled": {
            source: [label for label in known or () if label in config["classes"]]
            for source, known in complete.items()
        },
        "left_out": config.get("more_left_out", ()),
        "held_back": [source for source in config.get("more_held_back", ()) if source in present],
    }


def _collect_set(entry: dict[str, Any], classes: Sequence[str], root: Path) -> list[Picture]:
    folder = root / entry["folder"]
    names = (root / entry["names"]).read_text(encoding="utf-8").split() if entry.get("names") else []
    extra = entry.get("extra_labels")
    extra_names = (root / extra["names"]).read_text(encoding="utf-8").split() if extra else []
    held_back = set(entry.get("held_back", ()))
    left_out = set(entry.get("left_out", ()))
    matched: set[str] = set()
    pictures = []
    for image in sorted((folder / "images").iterdir()):
        source = source_of(image.stem)
        matched |= {image.stem, source} & held_back
        if {image.stem, source} & left_out:
            continue
        if source not in entry["labelled"]:
            if entry.get("only_labelled_sources"):
                continue
            raise ValueError(f"{entry['folder']}: source {source!r} is not in the table of labelled classes")
        # A set without `names` serves as negatives only: its labels are of other classes.
        boxes = read_boxes(folder / "labels" / f"{image.stem}.txt", names, classes) if names else ()
        if extra:
            boxes += read_boxes(root / extra["folder"] / f"{image.stem}.txt", extra_names, classes)
        val = {image.stem, source} & held_back or entry.get("split") == "val"
        pictures.append(
            Picture(
                image,
                entry["folder"] if entry["folder"] != "." else root.name,
                "val" if val else "train",
                boxes,
                frozenset(entry["labelled"][source]),
            )
        )
    if held_back - matched:
        raise ValueError(f"{entry['folder']}: held back, but not there: {sorted(held_back - matched)}")
    return pictures


def shared_scenes(pictures: Sequence[Picture], scenes: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Groups of one scene that lie in both splits.

    Args:
        pictures: all pictures.
        scenes: groups of picture names (`<set folder>/<stem>`) that show one scene or are one picture.

    Returns:
        The groups that leak; empty where all is well.
    """
    split = {f"{p.set_name}/{p.path.stem}": p.split for p in pictures}
    return [group for group in scenes if len({split[name] for name in group if name in split}) > 1]


def with_boxes(picture: Picture, boxes: Iterable[Box], known: Iterable[str]) -> Picture:
    """The picture with further boxes and further completely labelled classes."""
    return replace(picture, boxes=picture.boxes + tuple(boxes), known=picture.known | frozenset(known))


def write_yolo(
    pictures: Sequence[Picture], classes: Sequence[str], folder: Path, repeat_below: int = 0
) -> Path:
    """Write pictures and labels in YOLO's layout, with the table of known classes beside them.

    Args:
        pictures: of both splits.
        classes: in the order of the model's outputs.
        folder: emptied first.
        repeat_below: training pictures with a class of fewer boxes than this are listed twice.

    Returns:
        Path of the `data.yaml`; `known.json` lies beside it: {file name without suffix: [class index, …]}.
    """
    if folder.exists():
        shutil.rmtree(folder)
    index = {label: number for number, label in enumerate(classes)}
    lists: dict[str, list[str]] = {"train": [], "val": []}
    counts: dict[str, int] = defaultdict(int)
    for picture in pictures:
        if picture.split == "train":
            for box in picture.boxes:
                counts[box.label] += 1
    known: dict[str, list[int]] = {}
    for picture in pictures:
        image = folder / picture.split / "images" / f"{picture.key}{picture.path.suffix.lower()}"
        label = folder / picture.split / "labels" / f"{picture.key}.txt"
        image.parent.mkdir(parents=True, exist_ok=True)
        label.parent.mkdir(parents=True, exist_ok=True)
        # A copy, no link: Ultralytics repairs damaged JPEG files in place.
        shutil.copyfile(picture.path, image)
        lines = (
            f"{index[b.label]} {b.cx:.6f} {b.cy:.6f} {b.width:.6f} {b.height:.6f}" for b in picture.boxes
        )
        label.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        known[picture.key] = sorted(index[k] for k in picture.known)
        rare = any(counts[b.label] < repeat_below for b in picture.boxes)
        lists[picture.split] += [str(image)] * (2 if rare and picture.split == "train" else 1)
    (folder / "known.json").write_text(json.dumps(known), encoding="utf-8")
    for split, paths in lists.items():
        (folder / f"{split}.txt").write_text("\n".join(paths) + "\n", encoding="utf-8")
    data = {"path": str(folder), "train": "train.txt", "val": "val.txt", "names": dict(enumerate(classes))}
    target = folder / "data.yaml"
    target.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return target
