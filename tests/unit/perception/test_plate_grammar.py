"""What may stand on a plate, and the likeliest text that may."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from huoyan.perception import plate_grammar as grammar


@pytest.mark.parametrize(
    ("kind", "fits", "does_not"),
    [
        ("blue", ["浙A12345", "粤BZ9K8M"], ["浙A1234", "浙AI2345", "浙O12345", "A浙12345"]),
        ("yellow_single", ["浙F20205", "沪B123M学"], ["浙F2020挂", "浙F202055"]),
        ("yellow_double", ["川AS0890"], ["川AS089学", "川AS089挂"]),
        ("trailer", ["鲁H1234挂"], ["鲁H12345挂", "鲁H12345"]),
        ("green_small", ["京AD77972", "皖AF12345", "粤BDA1234"], ["皖A12345D", "皖ADAB234", "皖AL12345"]),
        ("green_large", ["苏E03216D", "青A00109D"], ["苏ED03216", "苏E0321AD"]),
        ("white", ["浙FA096警", "WJ粤6788B", "WJ1693015", "WJ01A1234"], ["浙FA096学", "WJ123"]),
        ("black", ["粤ZP560港", "粤ZV123澳", "沪A1707领", "使224424", "冀B91999"], ["浙ZP560港", "使22442"]),
        ("other", ["民航B9016", "云2627252"], ["民B90161", "云26272"]),
    ],
)  # fmt: skip
def test_each_kind_has_its_texts(kind: str, fits: list[str], does_not: list[str]) -> None:
    assert [text for text in fits if not grammar.matches(text, kind)] == []
    assert [text for text in does_not if grammar.matches(text, kind)] == []


def test_no_kind_lets_through_what_no_plate_has() -> None:
    for text in ("", "浙a12345", "浙A1234O", "浙A1234I", "渣土0123", "浙A12345 ", "浙A12345\n", "港A12345"):
        assert grammar.kinds_of(text) == ()


@pytest.mark.parametrize("folder", ["train", "more"])
def test_every_real_label_is_allowed(shared_data: Path, folder: str) -> None:
    with (shared_data / "plates" / folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 200
    wrong = [row for row in rows if not grammar.matches(row["text"], row["type"])]
    assert wrong == []
    assert all(grammar.kind(row["type"]).colour == row["colour"] for row in rows)


def test_encoding_is_of_the_alphabet_and_padded() -> None:
    classes = grammar.encode("浙A12345")
    assert "".join(grammar.ALPHABET[c] for c in classes) == "浙A12345"
    assert classes[7:] == [grammar.EMPTY] * (grammar.SLOTS - 7)
    for text in ("浙AI2345", "浙A1234567890"):
        with pytest.raises(ValueError, match="no plate"):
            grammar.encode(text)


def likely(text: str, chance: float = 0.9) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Probabilities that say `text`, the rest spread evenly."""
    size = len(grammar.ALPHABET)
    chances = np.full((grammar.SLOTS, size), (1 - chance) / (size - 1), np.float32)
    chances[np.arange(grammar.SLOTS), grammar.encode(text)] = chance
    return chances


def kinds(**shares: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    rest = (1 - sum(shares.values())) / (len(grammar.NAMES) - len(shares))
    return np.array([shares.get(name, rest) for name in grammar.NAMES], np.float32)


@pytest.mark.parametrize("text", ["浙A12345", "WJ粤6788B", "使224424", "鲁H1234挂", "苏E03216D", "民航B9016"])
def test_what_is_clear_is_read(text: str) -> None:
    (kind, *_) = grammar.kinds_of(text)
    decoded = grammar.decode(likely(text), kinds(**{kind: 0.8}))
    assert (decoded.text, decoded.kind) == (text, kind)


def test_position_decides_between_look_alikes() -> None:
    chances = likely("浙A12345")
    # A digit where a letter must stand, a letter where only digits may.
    chances[1] = likely("浙812345")[1]
    chances[1, grammar.CLASS["B"]] = 0.05
    assert grammar.decode(chances, kinds(blue=0.9)).text == "浙B12345"
    green = likely("浙AD1234B")
    green[7, grammar.CLASS["8"]] = 0.05
    assert grammar.decode(green, kinds(green_small=0.9)).text == "浙AD12348"


def test_kind_and_text_vouch_for_each_other() -> None:
    # The colour looks yellow in one row, but 挂 hangs on two-row plates only.
    decoded = grammar.decode(likely("鲁H1234挂"), kinds(yellow_single=0.6, trailer=0.3))
    assert (decoded.kind, decoded.text) == ("trailer", "鲁H1234挂")
    # Eight clear characters are no blue plate, whatever the light says.
    decoded = grammar.decode(likely("京AD77972"), kinds(blue=0.7, green_small=0.2))
    assert (decoded.kind, decoded.text) == ("green_small", "京AD77972")


def test_whatever_the_network_says_the_text_is_a_plate() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        chances = rng.dirichlet(np.full(len(grammar.ALPHABET), 0.1), grammar.SLOTS).astype(np.float32)
        decoded = grammar.decode(chances, rng.dirichlet(np.ones(len(grammar.NAMES))).astype(np.float32))
        assert grammar.matches(decoded.text, decoded.kind)
        assert [grammar.ALPHABET[c] for c in decoded.classes] == [
            *decoded.text,
            *[""] * (grammar.SLOTS - len(decoded.text)),
        ]
