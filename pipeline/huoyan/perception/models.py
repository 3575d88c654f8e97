"""Finding models by name or path, listing them, and proving that file and card belong together."""

from __future__ import annotations

import difflib
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from huoyan import share
from huoyan.errors import ModelError
from huoyan.perception import cards, onnx, plate_grammar, plate_shape, runtimes
from huoyan.perception.cards import Card
from huoyan.perception.runtimes import Choice, Wish
from huoyan.records import Image


@dataclass(frozen=True, slots=True)
class Model:
    """A model's file with its card. Nothing is loaded yet."""

    path: Path
    card: Card
    exact: bool = False
    """Whether the file itself was asked for, by its path: then no other precision takes its place."""

    @property
    def name(self) -> str:
        return self.card.name


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found. `problems` is empty where all is well."""

    name: str
    path: Path
    problems: tuple[str, ...]
    card: Card | None = None
    seconds: float = 0.0
    """Wall time of the dry run, without loading."""


def load(name_or_path: str | Path, folder: Path | None = None) -> Model:
    """Find a model and read its card.

    Args:
        name_or_path: a registered name (`site-n`), or the path of an ONNX file that has its card beside it.
        folder: where registered models lie; default the user's own and those that come with Huoyan.

    Raises:
        ModelError: there is no such model, or its card is missing or wrong.
    """
    path = _find(name_or_path, folder)
    if not path.is_file():
        raise ModelError("no such model file", subject=str(path), code="unknown_model")
    return Model(path, cards.read(cards.card_path(path)), exact=_is_path(name_or_path))


def choose(model: Model, wish: Wish | None = None) -> Choice:
    """The way to run a model here; one that was asked for by its path runs as that file.

    Raises:
        ModelError: the path is of an eight-bit copy that the card does not describe.
    """
    if not model.exact:
        return runtimes.choose(model.path, model.card, wish)
    if not model.path.name.endswith(cards.INT8_SUFFIX):
        return Choice(model.path, model.card.sha256)
    if model.card.int8 is None:
        raise ModelError("its card describes no eight-bit copy", subject=str(model.path), code="no_int8")
    return Choice(model.path, model.card.int8.sha256, precision="int8")


def open_session(
    model: Model, threads: int = 1, providers: tuple[str, ...] | None = None, choice: Choice | None = None
) -> onnx.Session:
    """Load the model's file and check that it is the one its card describes.

    Args:
        model: what to load.
        threads: threads inside one run; 0 takes all cores.
        providers: ONNX Runtime execution providers. Where they are given, its float32 file runs on them.
        choice: the way to run it; default `choose`.

    Raises:
        ModelError: the file is damaged, or its digest is not the card's.
        MissingExtra: OpenVINO was asked for and is not installed.
    """
    if choice is None:
        choice = Choice(model.path, model.card.sha256) if providers else choose(model)
    session = onnx.session(
        choice.path, threads, providers, runtime=choice.runtime, precision=choice.precision
    )
    if session.sha256 != choice.sha256:
        raise ModelError(
            f"the file is not the one its card describes: sha256 {session.sha256[:12]}…, "
            f"the card says {choice.sha256[:12]}…",
            subject=str(choice.path),
            hint="fetch model and card again, together",
            code="sha256",
        )
    return session


def open_for(
    task: str,
    name_or_path: str | Path,
    folder: Path | None = None,
    threads: int = 1,
    providers: tuple[str, ...] | None = None,
) -> tuple[Model, onnx.Session]:
    """Find a model for a task and open it; arguments as for `load` and `open_session`.

    Raises:
        ModelError: there is no such model, it is for another task, or it does not fit its card.
    """
    model = load(name_or_path, folder)
    if model.card.task != task:
        raise ModelError(
            f"expected a model that {_DOES[task]} (task {task}), this one's task is {model.card.task!r}",
            subject=str(name_or_path),
            code="wrong_task",
        )
    session = open_session(model, threads, providers)
    problems = _check_signature(session, task)
    if problems:
        raise ModelError("; ".join(problems), subject=str(model.path), code="contract")
    return model, session


def list_models(folder: Path | None = None) -> list[Verification]:
    """Every registered model, by name; a card that cannot be read is a problem of its model, no error."""
    found = {path.name: path for place in reversed(_folders(folder)) for path in _files(place)}
    return [_inspect(path) for _, path in sorted(found.items())]


def verify(name_or_path: str | Path, folder: Path | None = None) -> Verification:
    """Check digest, inputs, outputs and classes of a model by a dry run on a blank picture.

    Raises:
        ModelError: there is no such model. Everything else is in `problems`.
    """
    path = _find(name_or_path, folder)
    if not path.is_file():
        raise ModelError("no such model file", subject=str(path), code="unknown_model")
    found = _inspect(path)
    if found.card is None:
        return found
    try:
        model = Model(path, found.card, exact=True)
        session = open_session(model)
        started = time.perf_counter()
        problems = _check(session, found.card)
        seconds = time.perf_counter() - started
        small = cards.int8_path(path)
        if found.card.int8 and small.is_file():
            copy = open_session(replace(model, path=small))
            problems += _check(copy, found.card)
        return Verification(found.name, path, (*found.problems, *problems), found.card, seconds)
    except ModelError as error:
        return Verification(found.name, path, (*found.problems, error.message), found.card)


_DOES = {
    "detect": "detects things",
    "change": "finds changes",
    "classify": "tells what is in the air",
    "plates": "reads plates",
    "plate_corners": "finds plates",
}
_CONTRACTS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "detect": ({"images": "uint8"}, {"predictions": "float32"}),
    "change": ({"before": "uint8", "after": "uint8"}, {"change": "float32"}),
    "classify": ({"images": "uint8"}, {"scores": "float32", "cells": "float32"}),
    "plates": ({"images": "uint8"}, {"characters": "float32", "kinds": "float32"}),
    "plate_corners": ({"images": "uint8"}, {"plates": "float32"}),
}


# What a model may say besides.
_OPTIONAL = {"change": {"gsd_m": "float32"}}


def _check(session: onnx.Session, card: Card) -> list[str]:
    """Names and types by the contract of the task; where these fit, shapes by a run on a blank picture."""
    return _check_signature(session, card.task) or _CHECKS[card.task](session, card)


def _check_signature(session: onnx.Session, task: str) -> list[str]:
    problems = []
    for what, wanted, tensors in zip(
        ("inputs", "outputs"), _CONTRACTS[task], (session.inputs, session.outputs), strict=True
    ):
        given = {t.name: t.dtype for t in tensors}
        besides = _OPTIONAL.get(task, {}) if what == "outputs" else {}
        if given != wanted | {name: dtype for name, dtype in besides.items() if name in given}:
            expected = ", ".join(f"{name} {dtype}" for name, dtype in wanted.items())
            got = ", ".join(str(t) for t in tensors)
            problems.append(f"{what}: expected {expected}; got {got}")
    return problems


def _check_detect(session: onnx.Session, card: Card) -> list[str]:
    problems = []
    # A wide canvas: a model exported for squares only would fail on real frames.
    height, width = max(32, card.input.long_side // 2 // 32 * 32), card.input.long_side
    blank = _blank(height, width)
    shape = session.run({"images": blank})[0].shape
    expected = 4 + len(card.classes)
    if len(shape) != 3 or shape[0] != 1 or shape[2] != expected:
        problems.append(
            f"predictions: expected [1, n, {expected}] for {len(card.classes)} classes, got {list(shape)}"
        )
    return problems


def _check_change(session: onnx.Session, card: Card) -> list[str]:
    problems = []
    blank = _blank(128, 256)
    answers = session.run({"before": blank, "after": blank})
    shapes = {tensor.name: answer.shape for tensor, answer in zip(session.outputs, answers, strict=True)}
    if shapes["change"] != (1, 128, 256):
        problems.append(
            f"change: expected [1, 128, 256] for pictures of that size, got {list(shapes['change'])}"
        )
    if shapes.get("gsd_m", (1,)) != (1,):
        problems.append(f"gsd_m: expected [1], one number for each pair, got {list(shapes['gsd_m'])}")
    return problems


def _check_classify(session: onnx.Session, card: Card) -> list[str]:
    problems = []
    scores, cells = session.run({"images": _blank(128, 256)})
    count = len(card.classes)
    if scores.shape != (1, count):
        problems.append(f"scores: expected [1, {count}] for {count} classes, got {list(scores.shape)}")
    if cells.shape != (1, count, 4, 8):
        problems.append(f"cells: expected [1, {count}, 4, 8] for 128 x 256 pixels, got {list(cells.shape)}")
    return problems


def _check_plates(session: onnx.Session, card: Card) -> list[str]:
    problems = []
    blank = _blank(plate_shape.INPUT_HEIGHT, plate_shape.INPUT_WIDTH)
    characters, kinds = (output.shape for output in session.run({"images": blank}))
    slots, letters = plate_grammar.SLOTS, len(plate_grammar.ALPHABET)
    if characters != (1, slots, letters):
        problems.append(f"characters: expected [1, {slots}, {letters}], got {list(characters)}")
    if kinds != (1, len(plate_grammar.KINDS)):
        problems.append(f"kinds: expected [1, {len(plate_grammar.KINDS)}], got {list(kinds)}")
    return problems


def _check_corners(session: onnx.Session, card: Card) -> list[str]:
    problems = []
    shape = session.run({"images": _blank(128, 256)})[0].shape
    if len(shape) != 3 or shape[0] != 1 or shape[2] != 9:
        problems.append(f"plates: expected [1, n, 9], a score and four corners, got {list(shape)}")
    return problems


_CHECKS = {
    "detect": _check_detect,
    "change": _check_change,
    "classify": _check_classify,
    "plates": _check_plates,
    "plate_corners": _check_corners,
}


def _blank(height: int, width: int) -> Image:
    return np.full((1, height, width, 3), 114, dtype=np.uint8)


def _inspect(path: Path) -> Verification:
    name = path.name.removesuffix(".onnx").removesuffix(".int8")
    try:
        card = cards.read(cards.card_path(path))
    except ModelError as error:
        return Verification(name, path, (error.message,))
    problems = [] if card.name == name else [f"the file is called {name}, its card {card.name}"]
    small = cards.int8_path(path.with_name(f"{name}.onnx"))
    if small.is_file() != (card.int8 is not None):
        what = "lies beside it, but its card does not describe it" if card.int8 is None else "is missing"
        problems.append(f"its eight-bit copy {small.name} {what}")
    return Verification(name, path, tuple(problems), card)


def _folders(folder: Path | None) -> list[Path]:
    """Where registered models lie: what is in the first goes before."""
    return [folder] if folder is not None else [share.user_models(), share.folder("models")]


def _files(folder: Path) -> list[Path]:
    """The models of a folder; their eight-bit copies are no models of their own."""
    return sorted(p for p in folder.glob("*.onnx") if not p.name.endswith(cards.INT8_SUFFIX))


def _is_path(name_or_path: str | Path) -> bool:
    text = str(name_or_path)
    return isinstance(name_or_path, Path) or text.endswith(".onnx") or "/" in text or "\\" in text


def _find(name_or_path: str | Path, folder: Path | None) -> Path:
    if _is_path(name_or_path):
        return Path(name_or_path)
    text, places = str(name_or_path), _folders(folder)
    for place in places:
        path = place / f"{text}.onnx"
        if path.is_file():
            return path
    known = sorted({p.name.removesuffix(".onnx") for place in places for p in _files(place)})
    near = difflib.get_close_matches(text, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"
    raise ModelError(
        f"no model of this name in {' or '.join(map(str, places))}",
        subject=text,
        hint=hint,
        code="unknown_model",
    )
