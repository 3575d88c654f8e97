"""Plates that somebody may have meant."""

from __future__ import annotations

import pytest

from huoyan.vehicles.spelling import suggestions

KNOWN = ["浙A12345", "浙A1234D", "浙B67890", "浙D12345", "沪C80808", "浙AD12345"]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("浙A12346", "浙A12345"),
        ("浙 B·6789O", "浙B67890"),
        ("沪C8O8O8", "沪C80808"),
        # B for 8 is likelier than C for 8: the nearest first.
        ("沪CB0808", "沪C80808"),
        ("浙A1234", "浙A12345"),
        ("67890", "浙B67890"),
        ("浙AD1234", "浙AD12345"),
    ],
)
def test_the_nearest_comes_first(typed: str, first: str) -> None:
    assert suggestions(typed, KNOWN)[0] == first


def test_a_likely_slip_goes_before_an_unlikely_one() -> None:
    assert suggestions("浙A88888", ["浙A88880", "浙A8888B"]) == ["浙A8888B", "浙A88880"]


def test_nothing_is_made_up() -> None:
    assert suggestions("粤X99999", KNOWN) == []
    assert suggestions("", KNOWN) == []
    assert suggestions("浙A12345", []) == []
