from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from huoyan.perception import paths
from huoyan.records import Box

START = datetime(2026, 5, 1, tzinfo=UTC)
SIZE = (1920, 1080)
LINE = ((600.0, 700.0), (1300.0, 700.0))


def box(x: float, bottom: float, width: float = 300, height: float = 300) -> Box:
    return x - width / 2, bottom - height, x + width / 2, bottom


def path_of(*boxes: Box, step_s: float = 0.2) -> list[paths.Stop]:
    path: list[paths.Stop] = []
    for index, one in enumerate(boxes):
        paths.advanced(path, one, START + timedelta(seconds=index * step_s), SIZE)
    return path


def test_down_over_a_line_drawn_to_the_right_is_to_its_right_at_the_moment_between_two_looks() -> None:
    path = path_of(*[box(900, 400 + 80 * i) for i in range(8)])
    (crossing,) = paths.crossings(path, LINE)
    assert crossing.to_right
    # 400, 480, ..., 640, 720: three quarters of the way from the fourth look to the fifth.
    assert (crossing.time - START).total_seconds() == pytest.approx(0.75, abs=0.01)


def test_up_is_to_its_left_and_a_line_drawn_the_other_way_swaps_the_sides() -> None:
    up = path_of(*[box(900, 1000 - 80 * i) for i in range(8)])
    assert [c.to_right for c in paths.crossings(up, LINE)] == [False]
    assert [c.to_right for c in paths.crossings(up, LINE[::-1])] == [True]


def test_round_the_end_of_the_line_is_no_crossing() -> None:
    assert paths.crossings(path_of(*[box(1500, 400 + 80 * i) for i in range(8)]), LINE) == []


def test_a_stop_on_the_line_with_dancing_boxes_is_one_crossing() -> None:
    dance = [box(900, 700 + (9 if i % 2 else -9)) for i in range(50)]
    path = path_of(
        *[box(900, 400 + 75 * i) for i in range(4)], *dance, *[box(900, 760 + 75 * i) for i in range(4)]
    )
    assert [c.to_right for c in paths.crossings(path, LINE)] == [True]
    assert paths.dwell(path) == pytest.approx(9.8, abs=0.5)


def test_who_stops_on_the_line_and_rolls_back_has_not_crossed() -> None:
    path = path_of(*[box(900, 400 + 75 * i) for i in range(5)], *[box(900, 640 - 75 * i) for i in range(5)])
    assert paths.crossings(path, LINE) == []


def test_over_and_back_are_two() -> None:
    down, up = [box(900, 400 + 75 * i) for i in range(8)], [box(900, 900 - 75 * i) for i in range(8)]
    assert [c.to_right for c in paths.crossings(path_of(*down, *up), LINE)] == [True, False]


def test_dwell_is_the_longest_standing_and_a_slow_drive_is_none() -> None:
    assert paths.dwell(path_of(*[box(200 + 30 * i, 600) for i in range(40)])) == 0.0
    stood = path_of(*[box(500, 600)] * 21, *[box(500 + 60 * i, 600) for i in range(8)], *[box(980, 600)] * 41)
    assert paths.dwell(stood) == pytest.approx(8.0, abs=0.3)


def test_what_hides_a_parked_truck_for_a_moment_does_not_move_it() -> None:
    parked, half = box(900, 800), box(980, 800, width=140)
    path = path_of(*[parked] * 20, *[half] * 5, *[parked] * 20)
    assert len(path) == 1
    assert paths.dwell(path) == pytest.approx(44 * 0.2)


def test_a_path_grows_with_the_way_and_not_with_the_time() -> None:
    assert len(path_of(*[box(900 + i % 3, 800) for i in range(5000)])) == 1


def test_edges_cut_off_by_the_border_tell_nothing() -> None:
    # It comes nearer: the lower edge stays at the border, the upper one rises.
    assert not paths.same_place((500, 600, 1000, 1080), (480, 450, 1020, 1080), SIZE)
    assert paths.same_place((0, 0, 1920, 1080), (0, 0, 1920, 1080), SIZE)


@pytest.mark.parametrize(
    ("boxes", "out"),
    [
        ([box(1500 + 60 * i, 600) for i in range(6)], True),
        ([box(200 - 60 * i, 600, 100) for i in range(4)], True),
        ([box(1500 - 60 * i, 600) for i in range(6)], False),
        ([box(900, min(1080, 500 + 150 * i), 300 + 60 * i, 300 + 60 * i) for i in range(6)], True),
        ([box(1700, 600)] * 30, False),
    ],
)
def test_leaving(boxes: list[Box], out: bool) -> None:
    clipped = [(max(0, b[0]), max(0, b[1]), min(1920, b[2]), min(1080, b[3])) for b in boxes]
    assert paths.leaving(path_of(*clipped), SIZE) is out


def test_heading_and_where_it_should_be() -> None:
    path = path_of(*[box(300 + 60 * i, 600) for i in range(10)])
    assert paths.heading(path) == pytest.approx((300, 0), abs=5)
    x, y = paths.expected(path, path[-1].until + timedelta(seconds=1))
    assert (x, y) == pytest.approx((300 + 60 * 9 + 300, 450), abs=10)
    assert paths.heading(path_of(*[box(300, 600)] * 20)) == (0, 0)
    assert paths.heading([]) == (0, 0)


def test_paths_over_a_gap_are_one_standing() -> None:
    before, after = (
        path_of(*[box(900, 800)] * 10),
        [
            paths.Stop(
                box(905, 800), box(905, 800), START + timedelta(seconds=60), START + timedelta(seconds=62)
            )
        ],
    )
    (stop,) = paths.joined([before, after], SIZE)
    assert stop.seconds == 62
