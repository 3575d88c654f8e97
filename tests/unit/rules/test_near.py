"""Readings that may be an approved vehicle misread go to review with all readings, and are never M01."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huoyan.vehicles import Context, judge
from huoyan.vehicles.near import ALIKE, LIKE, SERIAL

from .conftest import NIGHT, PLATE, codes, context, local, passage, place, reading, registry, road, truck

FAR = context(site="tip-y", earlier=())
"""A gate where nobody expects the approved truck's trip to be seen."""


def at_another_site() -> Context:
    return context(site="tip-z", earlier=())


@pytest.mark.parametrize(
    ("registered", "read"),
    [
        ("浙D3C916", "浙03C916"),
        ("浙A8B520", "浙ABB520"),
        ("浙A82520", "浙A8Z520"),
        ("浙A85520", "浙A8S520"),
        ("浙D3C916", "沪D3C916"),
        ("浙D3C916", "浙D3C91"),
        ("浙D3C916", "浙D3C9116"),
        ("浙D12345D", "浙D12345"),
    ],
    ids=["0/D", "8/B", "2/Z", "5/S", "province", "one lost", "one doubled", "green without its last"],
)
def test_a_likely_mistake_goes_to_review_with_both_readings(registered: str, read: str) -> None:
    known = registry(truck(plate=registered, colour=""))
    verdict = judge(passage(plate=reading(read)), known, at_another_site())
    assert "M01" not in codes(verdict) and not verdict.registered
    assert verdict.readings == (read, registered) and registered in verdict.review


@pytest.mark.parametrize(
    "read", ["浙B7H552", "浙D4C976", "浙D3C9", "皖B3C917"], ids=["another", "two digits", "two lost", "two"]
)
def test_what_is_no_likely_mistake_is_not_excused(read: str) -> None:
    verdict = judge(passage(plate=reading(read)), registry(), at_another_site())
    assert codes(verdict) == ["M01"] and not verdict.review and not verdict.readings


def test_a_doubtful_character_may_be_any_other() -> None:
    doubtful = replace(reading("浙D3C956"), characters=(0.99,) * 5 + (0.8, 0.99))
    assert judge(passage(plate=doubtful), registry(), at_another_site()).readings == ("浙D3C956", PLATE)
    sure = reading("浙D3C956")
    assert codes(judge(passage(plate=sure), registry(), at_another_site())) == ["M01"]
    two = replace(reading("浙D4C956"), characters=(0.99, 0.99, 0.8, 0.99, 0.99, 0.8, 0.99))
    assert judge(passage(plate=two), registry(), at_another_site()).readings == ("浙D4C956", PLATE)


def test_a_plate_of_surely_another_colour_is_no_misreading() -> None:
    blue = reading("沪D3C916", colour="blue")
    assert codes(judge(passage(plate=blue), registry(), context())) == ["M01"]
    perhaps = replace(blue, colour_confidence=0.5)
    assert judge(passage(plate=perhaps), registry(), context()).review


def test_any_one_wrong_character_counts_where_the_truck_has_every_right_to_be() -> None:
    seen = passage(plate=reading("浙D3C956"))
    assert judge(seen, registry(), context()).readings == ("浙D3C956", PLATE)
    noon = passage(plate=reading("浙D3C956"), when=local("2026-03-10 12:00:00"))
    assert codes(judge(noon, registry(), at_another_site())) == ["M01"]


def test_two_wrong_characters_count_only_where_the_truck_is_expected() -> None:
    """7 for 1 look alike, C for H do not."""
    seen = passage(plate=reading("浙D3H976"))
    assert judge(seen, registry(), context()).readings == ("浙D3H976", PLATE)
    assert codes(judge(seen, registry(), context(earlier=()))) == ["M01"]
    on_its_road = passage(plate=reading("浙D3H976"), place=place(2500, 0), direction="unknown")
    assert judge(on_its_road, registry(), road()).review
    off_its_road = passage(plate=reading("浙D3H976"), place=place(2500, 300), direction="unknown")
    assert codes(judge(off_its_road, registry(), road())) == ["M01"]


def test_of_a_doubtful_plate_reasons_are_listed_where_only_the_province_is_in_doubt() -> None:
    noon = local("2026-03-10 12:00:00")
    province = judge(passage(plate=reading("沪D3C916"), when=noon), registry(), context(earlier=()))
    assert province.review and codes(province) == ["M03"]
    alike = judge(passage(plate=reading("浙03C916"), when=noon), registry(), context(earlier=()))
    assert alike.review and codes(alike) == []
    two = registry(truck(), truck(plate="沪D3C916"))
    both = judge(passage(plate=reading("津D3C916"), when=noon), two, context(earlier=()))
    assert codes(both) == [] and len(both.readings) == 3


def test_what_needs_no_plate_holds_also_under_review() -> None:
    seen = passage(plate=reading("浙03C916"), spill=0.95)
    verdict = judge(seen, registry(), context())
    assert verdict.review and codes(verdict) == ["M10"]


def test_an_exact_reading_wins_over_its_likeness() -> None:
    known = registry(truck(), truck(plate="浙03C916", hours=truck().hours))
    verdict = judge(passage(plate=reading("浙03C916")), known, context(earlier=()))
    assert verdict.registered and not verdict.review


def test_likeness_goes_both_ways() -> None:
    assert all(LIKE[a].count(b) == 1 and LIKE[b].count(a) == 1 for a, b in map(tuple, ALIKE.split()))


@given(st.text(SERIAL, min_size=5, max_size=6), st.integers(0, 5), st.sampled_from(SERIAL))
def test_one_other_character_never_accuses_where_the_truck_is_expected(
    tail: str, slot: int, other: str
) -> None:
    """Whatever the plate: at its own site, in its hours, a reading off by one is never M01."""
    plate = f"浙D{tail}"
    read = plate[: slot + 1] + other + plate[slot + 2 :]
    verdict = judge(passage(plate=reading(read)), registry(truck(plate=plate)), context(earlier=()))
    assert "M01" not in codes(verdict)
    assert verdict.registered == (read == plate)


def test_silence_about_everything_accuses_nobody() -> None:
    seen = passage(plate=reading(""), place=None, when=NIGHT)
    verdict = judge(seen, registry(), context(silent={"gate-in": "no picture"}))
    assert not verdict.reasons and verdict.unknown[0] == "plate: unreadable"
    assert "gate-in: no picture" in verdict.unknown
