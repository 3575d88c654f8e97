"""Many reads of one plate, one answer: doubts cleared by other reads, duplicates, strangers, and no answer at all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from huoyan.perception import plate_grammar as grammar
from huoyan.perception import plate_vote
from huoyan.perception.plate_vote import PlateEvidence, vote

TEXT, OTHER = "浙A12345", "沪DK9Z71"
THRESHOLD = 0.8


def read(
    text: str = TEXT,
    chance: float = 0.95,
    doubts: Mapping[int, tuple[str, float]] | None = None,
    kind: str = "blue",
    width: int = 100,
) -> PlateEvidence:
    """A read that says `text`, each character with `chance`; in the slots of `doubts` it gives another character a
    probability of its own, and what is left to the text's."""
    size = len(grammar.ALPHABET)
    characters = np.full((grammar.SLOTS, size), (1 - chance) / (size - 1), np.float32)
    characters[np.arange(grammar.SLOTS), grammar.encode(text)] = chance
    for slot, (character, share) in (doubts or {}).items():
        characters[slot] = 0.02 / (size - 2)
        characters[slot, grammar.CLASS[text[slot]]] = 0.98 - share
        characters[slot, grammar.CLASS[character]] = share
    kinds = np.full(len(grammar.KINDS), 0.1 / (len(grammar.KINDS) - 1), np.float32)
    kinds[grammar.NAMES.index(kind)] = 0.9
    return plate_vote.evidence(characters, kinds, width)


def test_nothing_was_read() -> None:
    empty = vote([], THRESHOLD)
    assert (empty.text, empty.guess, empty.reads, empty.confidence, empty.characters) == ("", "", 0, 0.0, ())


def test_clear_reads_are_told() -> None:
    answer = vote([read(kind="yellow_single")] * 3, THRESHOLD)
    assert (answer.text, answer.guess) == (TEXT, TEXT)
    assert (answer.kind, answer.colour) == ("yellow_single", "yellow")
    assert (answer.reads, answer.agreeing) == (3, 3)
    assert len(answer.characters) == len(TEXT)
    assert answer.confidence <= min(answer.characters)
    assert 0.85 < answer.colour_confidence <= 1


def test_each_read_clears_the_doubt_of_another() -> None:
    """Every read gets one character wrong, another one each; together they have all right."""
    wrong = [read(doubts={slot: ("8", 0.6)}) for slot in (2, 3, 4, 5, 6)]
    assert TEXT not in {one.guess for one in wrong}
    assert vote(wrong, THRESHOLD).guess == TEXT
    # Nobody read the whole of it: not told. Two who did make the difference.
    assert vote(wrong, THRESHOLD).text == ""
    clear = [read(doubts={0: ("沪", 0.3)}), read(doubts={1: ("B", 0.3)})]
    answer = vote([*wrong, *clear], THRESHOLD)
    assert (answer.text, answer.agreeing) == (TEXT, 2)


def test_the_grammar_has_the_last_word() -> None:
    # B and 8 in a slot where a digit must stand: reads lean to the letter, no green plate has it there.
    lean = read("苏AD12345", doubts={4: ("B", 0.55)}, kind="green_small")
    answer = vote([lean] * 3, 0.3)
    assert answer.guess == "苏AD12345"
    assert grammar.matches(answer.guess, answer.kind)


def test_one_read_is_not_enough() -> None:
    alone = vote([read(chance=0.99)], THRESHOLD)
    assert (alone.text, alone.guess, alone.agreeing) == ("", TEXT, 1)
    assert vote([read(chance=0.99), read(chance=0.9)], THRESHOLD).text == TEXT


def test_repeating_a_doubt_does_not_dispel_it() -> None:
    """The same blurred frame thirty times says no more than once; different views of it do."""
    doubtful = read(doubts={4: ("8", 0.35)})
    once = vote([doubtful], THRESHOLD)
    often = vote([doubtful] * 30, THRESHOLD)
    assert often.confidence == pytest.approx(once.confidence, abs=0.02)
    assert often.text == ""
    views = [read(doubts={4: (character, 0.35)}) for character in "8ZS7"]
    assert vote(views, THRESHOLD).confidence > often.confidence + 0.2


def test_a_duplicated_error_does_not_outvote_views() -> None:
    error = read(doubts={4: ("8", 0.7)})
    views = [read(doubts={slot: ("Z", 0.3)}) for slot in (2, 3, 5, 6)]
    assert vote([*[error] * 12, *views], THRESHOLD).guess == TEXT


def test_a_few_crops_of_another_plate_are_left_out() -> None:
    own = [read(doubts={slot: ("8", 0.4)}) for slot in (2, 3, 4, 5, 6)]
    answer = vote([read(OTHER, 0.99), *own, read(chance=0.97)], THRESHOLD)
    assert (answer.text, answer.reads) == (TEXT, 6)
    assert vote([*own, read(chance=0.97)], THRESHOLD).confidence == pytest.approx(answer.confidence, abs=0.02)


def test_lettering_that_nobody_is_sure_of_does_no_harm() -> None:
    lettering = [read(OTHER, 0.3), read("京B88888", 0.25)]
    assert vote([*lettering, read(), read(chance=0.9), read(chance=0.85)], THRESHOLD).text == TEXT


@pytest.mark.parametrize(
    "reads",
    [
        [read(), read(OTHER)],
        [read(), read(chance=0.9), read(OTHER), read(OTHER, 0.9)],
        [read(), read(chance=0.9), read(chance=0.85), read(OTHER), read(OTHER, 0.9)],
    ],
)
def test_two_plates_are_no_plate(reads: list[PlateEvidence]) -> None:
    answer = vote(reads, 0.3)
    assert answer.text == ""
    assert answer.guess in (TEXT, OTHER)


def test_sure_reads_that_differ_in_one_character_are_not_told() -> None:
    """An 8 as sure as a B: either may be right, so neither is told."""
    eight, letter = read("浙A12845", 0.97), read("浙A12B45", 0.97)
    for answer in (vote([eight, letter], THRESHOLD), vote([eight, letter, eight, letter], THRESHOLD)):
        assert answer.text == ""
        assert answer.confidence < 0.6


def test_far_plates_are_less_sure_and_give_way_to_near_ones() -> None:
    """Three characters' width of a plate says less than the whole; and no read counts more for being huge."""
    far = [read(doubts={slot: ("8", 0.2)}, width=30) for slot in (2, 3, 4)]
    near = [read(doubts={slot: ("8", 0.2)}, width=100) for slot in (2, 3, 4)]
    huge = [read(doubts={slot: ("8", 0.2)}, width=900) for slot in (2, 3, 4)]
    assert vote(far, THRESHOLD).confidence < vote(near, THRESHOLD).confidence - 0.1
    assert vote(huge, THRESHOLD).confidence == pytest.approx(vote(near, THRESHOLD).confidence)
    wrong = [read(doubts={4: ("8", 0.6)}, width=24)] * 2
    assert vote([*wrong, read(doubts={4: ("8", 0.4)})], THRESHOLD).guess == TEXT


def test_the_order_of_reads_does_not_matter() -> None:
    reads = [read(doubts={slot: ("8", 0.4)}) for slot in (2, 4, 6)] + [read(OTHER), read(chance=0.9)]
    rng = np.random.default_rng(0)
    first = vote(reads, THRESHOLD)
    for _ in range(5):
        again = vote([reads[i] for i in rng.permutation(len(reads))], THRESHOLD)
        assert (again.text, again.reads, again.agreeing) == (first.text, first.reads, first.agreeing)
        assert again.confidence == pytest.approx(first.confidence, abs=1e-5)


def test_more_views_make_the_answer_surer_and_right_more_often() -> None:
    """Noisy reads of a known text: nine of them are right nearly always, one much less often."""
    rng = np.random.default_rng(1)
    classes = grammar.encode(TEXT)
    right = {1: 0, 9: 0}
    for _ in range(60):
        reads = []
        for _ in range(9):
            logits = rng.normal(0, 1.6, (grammar.SLOTS, len(grammar.ALPHABET)))
            logits[np.arange(grammar.SLOTS), classes] += 5.5
            chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            kinds = np.full(len(grammar.KINDS), 1 / len(grammar.KINDS), np.float32)
            reads.append(plate_vote.evidence(chances.astype(np.float32), kinds))
        for count in right:
            right[count] += vote(reads[:count], THRESHOLD).guess == TEXT
    assert right[9] >= 58
    assert right[1] <= right[9] - 10
