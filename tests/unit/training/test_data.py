"""Pictures of partly labelled sets: merged labels, tables of known classes, splits without leaks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from training import data

CONFIGS = Path(__file__).resolve().parents[3] / "scripts" / "configs"
DETECTORS = ("site", "street")


def make_set(folder: Path, names: list[str], labels: dict[str, str]) -> None:
    """A set of empty pictures with the given label files."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("\n".join(names), encoding="utf-8")
    for stem, text in labels.items():
        (folder / "images" / f"{stem}.jpg").write_bytes(stem.encode())
        (folder / "labels" / f"{stem}.txt").write_text(text, encoding="utf-8")


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    make_set(
        tmp_path / "a",
        ["truck", "dog", "heap"],
        {"yard_1": "0 .5 .5 .2 .2\n1 .1 .1 .1 .1\n", "yard_2": "", "hill_1": "2 .5 .5 .4 .4\n"},
    )
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "classes.txt").write_text("net heap", encoding="utf-8")
    (extra / "yard_1.txt").write_text("0 .7 .7 .1 .1\n1 .3 .3 .1 .1\n", encoding="utf-8")
    return {
        "classes": ["heap", "truck", "net"],
        "sets": [
            {
                "folder": "a",
                "names": "a/classes.txt",
                "extra_labels": {"folder": "extra", "names": "extra/classes.txt"},
                "labelled": {"yard": ["truck"], "hill": ["heap", "truck"]},
                "held_back": ["yard_2"],
            }
        ],
    }


def test_a_further_folder_describes_itself(config: dict[str, Any], tmp_path: Path) -> None:
    further = tmp_path / "further"
    make_set(further, ["dog", "net"], {"quay_1": "1 .5 .5 .2 .2\n", "dock_1": "", "pier_1": ""})
    (further / "labelled.yaml").write_text("quay: [net, dog]\ndock: [heap]\npier:\n", encoding="utf-8")
    more = {**config, "more_left_out": ["pier"], "more_held_back": ["dock", "elsewhere"]}
    pictures = {p.path.stem: p for p in data.collect(more, tmp_path, [further])}
    assert "pier_1" not in pictures
    assert pictures["quay_1"].boxes == (data.Box("net", 0.5, 0.5, 0.2, 0.2),)
    assert pictures["quay_1"].known == {"net"}
    assert pictures["quay_1"].key == "further__quay_1"
    assert (pictures["quay_1"].split, pictures["dock_1"].split) == ("train", "val")


def test_labels_of_two_sets_are_merged_by_name(config: dict[str, Any], tmp_path: Path) -> None:
    pictures = {p.path.stem: p for p in data.collect(config, tmp_path)}
    # The dog is no class of ours; the numbers of the two sets differ.
    assert [b.label for b in pictures["yard_1"].boxes] == ["truck", "net", "heap"]
    assert pictures["yard_1"].boxes[1] == data.Box("net", 0.7, 0.7, 0.1, 0.1)


def test_extra_labels_do_not_make_a_class_known(config: dict[str, Any], tmp_path: Path) -> None:
    pictures = {p.path.stem: p for p in data.collect(config, tmp_path)}
    assert pictures["yard_1"].known == {"truck"}
    assert pictures["hill_1"].known == {"heap", "truck"}


def test_held_back_pictures_are_not_trained_on(config: dict[str, Any], tmp_path: Path) -> None:
    assert {p.path.stem: p.split for p in data.collect(config, tmp_path)} == {
        "hill_1": "train",
        "yard_1": "train",
        "yard_2": "val",
    }


def test_a_source_may_be_held_back_or_left_out_as_a_whole(config: dict[str, Any], tmp_path: Path) -> None:
    config["sets"][0] |= {"held_back": ["yard"], "left_out": ["hill"]}
    assert [(p.path.stem, p.split) for p in data.collect(config, tmp_path)] == [
        ("yard_1", "val"),
        ("yard_2", "val"),
    ]


def test_a_source_missing_from_the_table_is_a_mistake(config: dict[str, Any], tmp_path: Path) -> None:
    del config["sets"][0]["labelled"]["hill"]
    with pytest.raises(ValueError, match="'hill' is not in the table"):
        data.collect(config, tmp_path)


def test_unlisted_sources_are_passed_over_where_the_set_says_so(
    config: dict[str, Any], tmp_path: Path
) -> None:
    del config["sets"][0]["labelled"]["hill"]
    config["sets"][0]["only_labelled_sources"] = True
    assert {p.source for p in data.collect(config, tmp_path)} == {"yard"}


def test_a_set_without_names_serves_as_negatives(config: dict[str, Any], tmp_path: Path) -> None:
    del config["sets"][0]["names"]
    del config["sets"][0]["extra_labels"]
    assert all(not p.boxes for p in data.collect(config, tmp_path))


def test_a_held_back_name_that_matches_nothing_is_a_mistake(config: dict[str, Any], tmp_path: Path) -> None:
    config["sets"][0]["held_back"] = ["yard_9"]
    with pytest.raises(ValueError, match="yard_9"):
        data.collect(config, tmp_path)


def test_a_class_that_the_model_lacks_is_a_mistake(config: dict[str, Any], tmp_path: Path) -> None:
    config["sets"][0]["labelled"]["hill"] = ["volcano"]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(ValueError, match="volcano"):
        data.read_config(path)


def test_a_scene_in_both_splits_is_found(config: dict[str, Any], tmp_path: Path) -> None:
    pictures = data.collect(config, tmp_path)
    groups = [["a/yard_1", "a/yard_2"], ["a/yard_1", "a/hill_1"]]
    assert data.shared_scenes(pictures, groups) == [["a/yard_1", "a/yard_2"]]


def test_yolo_layout_and_table_of_known_classes(config: dict[str, Any], tmp_path: Path) -> None:
    pictures = data.collect(config, tmp_path)
    path = data.write_yolo(pictures, config["classes"], tmp_path / "out", repeat_below=2)
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert written["names"] == {0: "heap", 1: "truck", 2: "net"}
    label = (tmp_path / "out" / "train" / "labels" / "a__yard_1.txt").read_text(encoding="utf-8")
    assert [line.split()[0] for line in label.splitlines()] == ["1", "2", "0"]
    known = json.loads((tmp_path / "out" / "known.json").read_text(encoding="utf-8"))
    assert known == {"a__hill_1": [0, 1], "a__yard_1": [1], "a__yard_2": [1]}
    # The only truck and the only net are in this picture: it is listed twice.
    listed = (tmp_path / "out" / "train.txt").read_text(encoding="utf-8").split()
    assert [Path(p).stem for p in listed] == ["a__hill_1", "a__yard_1", "a__yard_1"]


@pytest.mark.parametrize("name", DETECTORS)
def test_shipped_configuration_is_consistent(name: str) -> None:
    config = data.read_config(CONFIGS / f"{name}.yaml")
    classes = config["classes"]
    assert len(set(classes)) == len(classes)
    assert {c for group in config["compatible"] for c in group} <= set(classes)
    taught = {c for entry in config["sets"] for known in entry["labelled"].values() for c in known}
    # A class that no picture may teach as absent would be seen everywhere. The teacher makes the rest known.
    assert taught | set(config.get("teacher", {}).get("classes", ())) == set(classes)


@pytest.mark.parametrize("name", DETECTORS)
def test_no_picture_and_no_scene_is_in_both_splits(name: str, shared_data: Path) -> None:
    config = data.read_config(CONFIGS / f"{name}.yaml")
    pictures = data.collect(config, shared_data)
    assert data.shared_scenes(pictures, config["scenes"]) == []
    splits: dict[str, set[str]] = {}
    for picture in pictures:
        digest = hashlib.sha256(picture.path.read_bytes()).hexdigest()
        splits.setdefault(digest, set()).add(picture.split)
    assert [digest for digest, split in splits.items() if len(split) > 1] == []
    named = {name for group in config["scenes"] for name in group}
    assert named <= {f"{p.set_name}/{p.path.stem}" for p in pictures}
