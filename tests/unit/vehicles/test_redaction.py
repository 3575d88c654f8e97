"""No plate leaves the house where none may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from huoyan.perception.plate_grammar import PROVINCES
from huoyan.vehicles.redaction import Redactor

plates = st.builds(
    lambda province, letter, rest: province + letter + rest,
    st.sampled_from(PROVINCES),
    st.sampled_from("ABCDEFGHJKLMNPQRSTUVWXYZ"),
    st.text("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=5, max_size=6),
)


def test_one_vehicle_has_one_name_in_an_export() -> None:
    redact = Redactor()
    names = [redact.plate(plate) for plate in ("浙A12345", "浙B67890", "浙A·12345", "")]
    assert names == ["vehicle-1", "vehicle-2", "vehicle-1", ""]


@given(plates, plates, st.sampled_from(["", " ", "·", "-"]))
def test_no_plate_is_left_in_a_sentence(one: str, two: str, mark: str) -> None:
    written = one[:2] + mark + one[2:]
    text = Redactor().text(
        f"{written} is not registered, but one likely mistake away from {two}, 未登记{one}。"
    )
    for plate in (one, two, written):
        assert plate not in text
    assert text.startswith("vehicle-1 is not registered")


def test_other_words_stay() -> None:
    words = "22:10:03不在准运时段（07:00-19:00）内；about 120 m off its corridors (河滨路)"
    assert Redactor().text(words) == words
