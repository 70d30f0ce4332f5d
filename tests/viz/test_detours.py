"""Lines led round what is in their way."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from layerblocks.viz.overlaps import crosses
from layerblocks.viz.rectangles import Rect
from layerblocks.viz.volumes.detours import Ground, way_round

ROOM = Rect(0, 0, 100, 100)
START, END = (5.0, 50.0), (95.0, 50.0)


def length(way):
    return sum(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in pairwise(way))


def corners(way):
    return sum((a[0] == b[0]) != (b[0] == c[0]) for a, b, c in zip(way, way[1:], way[2:], strict=False))


def test_nothing_in_the_way_is_a_straight_line():
    way = way_round(START, END, Ground((), (), ROOM))
    assert (way[0], way[-1]) == (START, END) and corners(way) == 0


def test_the_shorter_way_round():
    way = way_round(START, END, Ground([Rect(40, 45, 60, 90)], (), ROOM))
    assert length(way) == 100 and corners(way) == 2 and min(y for _, y in way) == 45


def test_none_leads_out_of_where_one_is_shut_in():
    wall = [Rect(80, 30, 84, 70), Rect(80, 30, 101, 34), Rect(80, 66, 101, 70)]
    assert way_round(START, END, Ground(wall, (), ROOM)) is None


def test_beside_a_line_and_not_on_it():
    way = way_round(START, END, Ground((), [((20.0, 50.0), (80.0, 50.0))], ROOM))
    assert all(abs(y - 50) >= 3 for (x, y), (to, _) in pairwise(way) if max(x, to) > 20 and min(x, to) < 80 and x != to)


def test_across_a_line_where_there_is_no_other_way():
    assert way_round(START, END, Ground((), [((50.0, -5.0), (50.0, 105.0))], ROOM)) is not None


places = st.integers(10, 80)
rects = st.builds(lambda x, y, w, h: Rect(x, y, x + w, y + h), places, places, st.integers(1, 15), st.integers(1, 15))


@given(st.lists(rects, max_size=8))
def test_no_way_leads_through_anything(found):
    way = way_round(START, END, Ground(found, (), ROOM))
    assert way is not None, "the border of the room is free"
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(way))
    assert not any(crosses(way, each.shrunk(0.1)) for each in found)
