"""Registering a model of one's own: everything is checked before the first file is put in place."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from huoyan import share
from huoyan.errors import ModelError, StorageError
from huoyan.perception import cards, models, onnx
from huoyan.perception.models import Model

_OPSETS = range(11, 22)
"""Operator sets that every ONNX Runtime we work with knows; its 1.20 ends with 21."""


def add(file: Path, card: Path | None = None, folder: Path | None = None, *, replace: bool = False) -> Model:
    """Check a model and copy it, with its card and the eight-bit copy beside it, into the models folder.

    Args:
        file: the ONNX file.
        card: its card; default the one beside it. It is registered under the name on the card.
        folder: where to; default the user's own models folder, which is searched before the shipped one.
        replace: whether a registered model of the same name may be replaced.

    Raises:
        ModelError: something does not fit; all problems are named.
        StorageError: the folder cannot be written.
    """
    if not file.is_file():
        raise ModelError("no such model file", subject=str(file), code="unknown_model")
    card = card or cards.card_path(file)
    name = cards.read(card).name
    folder = folder or share.user_models()
    target = folder / f"{name}.onnx"
    if target.exists() and not replace:
        raise ModelError(
            f"{folder} has a model of this name already",
            subject=name,
            hint="give it another name on its card, or add --replace",
            code="exists",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".adding-") as waiting:
            staged = Path(waiting) / target.name
            copies = {file: staged, cards.int8_path(file): cards.int8_path(staged)}
            copies = {source: place for source, place in copies.items() if source.is_file()}
            for source, place in {**copies, card: cards.card_path(staged)}.items():
                shutil.copyfile(source, place)
            _check(staged, file)
            # The card last: until it is there, the name stands for nothing.
            for place in (*copies.values(), cards.card_path(staged)):
                os.replace(place, folder / place.name)
            if len(copies) == 1:
                cards.int8_path(target).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"the model cannot be registered: {error.strerror or error}", subject=str(folder)
        ) from error
    return models.load(name, folder)


def opset(content: bytes) -> int | None:
    """Version of ONNX's own operators that a model asks for; None where the bytes tell none.

    Reads the outermost level of the file's protocol buffer only: field 8 of a `ModelProto` are its operator sets,
    each with a domain (field 1; empty for ONNX's own) and a version (field 2).
    """
    for number, value in _fields(content):
        if number == 8 and isinstance(value, bytes):
            entry = dict(_fields(value))
            if not entry.get(1) and isinstance(entry.get(2), int):
                return int(entry[2])
    return None


def _check(path: Path, shown: Path) -> None:
    """Raise a `ModelError` that names every problem of the model at `path`, which the user knows as `shown`."""
    problems = list(models.verify(path).problems)
    version = opset(path.read_bytes())
    if version is not None and version not in _OPSETS:
        problems.append(f"operator set {version}: expected {_OPSETS.start} to {_OPSETS.stop - 1}")
    if not problems:
        model = Model(path, cards.read(cards.card_path(path)), exact=True)
        problems += _try(models.open_session(model), model.card)
        if model.card.int8:
            copy = Model(cards.int8_path(path), model.card, exact=True)
            problems += [f"eight-bit copy: {p}" for p in _try(models.open_session(copy), model.card)]
    if problems:
        raise ModelError("; ".join(problems), subject=str(shown), code="does_not_fit")


def _try(session: onnx.Session, card: cards.Card) -> list[str]:
    """Problems that show on pictures with something in them."""
    rng = np.random.default_rng(0)
    height, width = (
        (256, 256) if card.task == "change" else (card.input.long_side // 64 * 32, card.input.long_side)
    )
    answers = []
    for _ in range(2):
        coarse = rng.integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
        feeds = {}
        for tensor in session.inputs:
            tall, wide = tensor.shape[1] or max(32, height), tensor.shape[2] or width
            rows, columns = np.arange(tall) * 8 // tall, np.arange(wide) * 8 // wide
            feeds[tensor.name] = coarse[:, rows][:, :, columns]
            coarse = coarse[:, ::-1]
        answers.append(session.run(feeds))
    problems = []
    for tensor, one, other in zip(session.outputs, *answers, strict=True):
        if not np.isfinite(one).all():
            problems.append(f"{tensor.name}: not all numbers are finite")
        elif np.array_equal(one, other):
            problems.append(f"{tensor.name}: the same for two different pictures")
    if not problems and card.task == "detect":
        scores = answers[0][0][..., 4:]
        if scores.min() < 0 or scores.max() > 1:
            problems.append(
                f"scores: expected 0 to 1, got {scores.min():.3g} to {scores.max():.3g}; is the sigmoid missing?"
            )
    return problems


def _fields(content: bytes) -> list[tuple[int, int | bytes]]:
    """(number, value) of the fields of a protocol buffer, as far as it can be read."""
    fields: list[tuple[int, int | bytes]] = []
    place = 0
    try:
        while place < len(content):
            key, place = _varint(content, place)
            kind = key & 7
            if kind == 0:
                value, place = _varint(content, place)
                fields.append((key >> 3, value))
            elif kind == 2:
                length, place = _varint(content, place)
                fields.append((key >> 3, content[place : place + length]))
                place += length
            else:
                place += {1: 8, 5: 4}[kind]
    except (IndexError, KeyError):
        pass
    return fields


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
