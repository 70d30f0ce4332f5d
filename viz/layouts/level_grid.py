"""Networks by the sizes of their maps: a row for every level, and lines along and across the rows.

Where boxes stand is `levels.spots`. A line runs along the row of a box, down or up its column, in the channel between
two rows, or in the gutter between two columns. What shares one of these has a place of its own in it, so that no two
lines lie on each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, product

from ...graphs.graph import Edge, Graph, Output
from ..levels import Spot, map_levels, spots
from ..lines import line_roles
from ..scene import Point
from .box_text import Type
from .contents import key_of
from .geometry import Label, Line, Piece, Placed, Size
from .orthogonal import outline_around, widen
from .series_parallel import Frames

_TRACK = 5.0  # between lines side by side
_HEAD = 9.0  # from a box to the first track beside it: a corner and an arrow head
_TURN = 6.0  # from a box to the first track at its right, which lines leave
_PORT = 6.5  # between the ends of lines at one side of a box, at most
_EDGE = 4.0  # from there to its corners
_CHANNEL, _GUTTER = 15.0, 13.0  # between rows, and between columns, at least
_QUIET = 0.6  # of that, where no line runs
_OUT = 10.0  # of the arrow of an output
_KEY = 2.0  # from there to its key

_Tensor = tuple[int, int, str]
"""A line from its box: of which tensor, in which role."""


@dataclass(slots=True, eq=False)
class _Leg:
    """A straight stretch of a line: along a row (`level`) or a column, or in the channel or gutter `number`.

    Of a row or column, `first` to `last` are the gutters or channels that it runs over; of a channel or gutter they say
    how far it reaches, in halves of rows or columns.
    """

    kind: str  # row, column, channel, gutter
    number: int
    first: int
    last: int
    straight: bool = False  # whether it is all of the line
    ends_at: int = 0  # of what runs to a channel or gutter: -1 if from above or the left, 1 from below or the right
    onward: _Leg | None = None  # the channel or gutter that it runs to
    leans: int = 0  # -1 if it leads there to the left or up, 1 to the right or down
    place: int = 0

    @property
    def is_level(self) -> bool:
        return self.kind in ("row", "channel")


@dataclass(frozen=True, slots=True)
class _Way:
    """A line from box to box, or out: its legs, and what it states."""

    source: int
    target: int
    legs: tuple[_Leg, ...]
    role: str
    states: Edge | Output


def grids(graph: Graph) -> list[Grid]:
    """The ways to put a network into rows and columns by level; none if it has no levels, or an output no way out."""
    levels = map_levels(graph)
    if levels is None:
        return []
    ways = dict.fromkeys(tuple(spots(graph, levels, *how)) for how in product((True, False), repeat=2))
    return [grid for where in ways if (grid := Grid(graph, where)).is_connected]


class Grid:
    """Boxes in rows and columns, with the ways of all lines; what does not depend on how large anything is."""

    def __init__(self, graph: Graph, where: Sequence[Spot]) -> None:
        self.graph, self.where = graph, where
        self.at = {spot: number for number, spot in enumerate(where)}
        self.rows = 1 + max(row for row, _ in where)
        self.columns = 1 + max(column for _, column in where)
        self.legs: dict[tuple[object, ...], _Leg] = {}
        self.ways: list[_Way] = []
        self.is_connected = self._connect()

    def piece(self, type: Type, sizes: Sequence[Size], frames: Sequence[Frames]) -> Piece | None:
        """The boxes and lines from the top down; none if something else is in the way of a frame that repeats."""
        piece = _Drawing(self, type, sizes).piece()
        for frame in dict.fromkeys(chain.from_iterable(frames)):
            inside = [number for number, outer in enumerate(frames) if frame in outer]
            outer = frames[inside[0]][: frames[inside[0]].index(frame) + 1]
            deeper = max(len(frames[number]) for number in inside) - len(outer)
            outline = outline_around(piece, inside, outer, deeper, type, "TB", 0.0)
            if outline is not None:
                piece.outlines.append(outline)
            elif frame.repeats > 1:
                return None
        widen(piece)
        return piece

    # -- ways -----------------------------------------------------------------------------------------------------

    def _connect(self) -> bool:
        """Find a way for every line; whether there is one."""
        roles = line_roles(self.graph)
        leaving: dict[tuple[int, int], int] = defaultdict(int)
        for edge in self.graph.edges:
            leaving[edge.source, edge.source_port] += 1
        for edge in self.graph.edges:
            role = roles[edge]
            if role in ("trunk", "branch"):
                role = "trunk" if leaving[edge.source, edge.source_port] == 1 else "branch"
            legs = self._way((edge.source, edge.source_port, role), edge.target, edge.target_port)
            self.ways.append(_Way(edge.source, edge.target, legs, role, edge))
        for output in self.graph.outputs:
            out = self._way_out(output)
            if out is None:
                return False
            self.ways.append(_Way(output.source, -1, (out,), "trunk", output))
        self._find_places()
        return True

    def _leg(self, key: tuple[object, ...], kind: str, number: int, first: int, last: int) -> _Leg:
        leg = self.legs.setdefault((kind, number, *key), _Leg(kind, number, first, last))
        leg.first, leg.last = min(leg.first, first), max(leg.last, last)
        return leg

    def _free(self, rows: range, columns: range) -> bool:
        return not any((row, column) in self.at for row in rows for column in columns)

    def _way(self, tensor: _Tensor, target: int, port: int) -> tuple[_Leg, ...]:
        """The legs of a line: as few as can be."""
        (row, column), (to_row, to_column) = self.where[tensor[0]], self.where[target]
        up, right = to_row < row, to_column > column
        rows = range(min(row, to_row) + 1, max(row, to_row))
        columns = range(min(column, to_column) + 1, max(column, to_column))
        over_rows, over_columns = (rows.start, rows.stop), (columns.start, columns.stop)
        into = (*tensor, target, port)
        if row == to_row and right and self._free(range(row, row + 1), columns):
            leg = self._leg(into, "row", row, *over_columns)
            leg.straight = True
            return (leg,)
        if column == to_column and row != to_row and self._free(rows, range(column, column + 1)):
            leg = self._leg(into, "column", column, *over_rows)
            leg.straight = True
            return (leg,)
        if row == to_row or abs(row - to_row) == 1:
            if row != to_row and (corner := self._corner(tensor, into)):
                return corner
            channel = row if up or row == to_row else row + 1
            out = self._leg(tensor, "column", column, channel, channel)
            reach = sorted((2 * column + 1, 2 * to_column + 1))
            along = self._leg(tensor, "channel", channel, *reach)
            end = self._leg(into, "column", to_column, channel, channel)
            self._lead(out, along, -1 if channel == row + 1 else 1, 1 if right else -1)
            self._lead(end, along, -1 if channel == to_row + 1 else 1, -1 if right else 1)
            return out, along, end
        if corner := self._corner(tensor, into):
            return corner
        return self._round(tensor, into)

    def _lead(self, leg: _Leg, onward: _Leg, from_end: int, leans: int) -> None:
        leg.onward, leg.ends_at, leg.leans = onward, from_end, leans

    def _corner(self, tensor: _Tensor, into: tuple[int, int, str, int, int]) -> tuple[_Leg, ...]:
        """A way with one corner: along the row and then the column, or the other way; none if that is not free."""
        (row, column), (to_row, to_column) = self.where[tensor[0]], self.where[into[3]]
        if column == to_column:
            return ()
        rows = range(min(row, to_row) + 1, max(row, to_row))
        columns = range(min(column, to_column) + 1, max(column, to_column))
        over_rows, over_columns = (rows.start, rows.stop), (columns.start, columns.stop)
        all_but = range(columns.start, columns.stop + 1) if to_column > column else range(to_column, columns.stop)
        if self._free(range(row, row + 1), all_but) and self._free(rows, range(to_column, to_column + 1)):
            along = self._leg(into, "row", row, *over_columns)
            across = self._leg(into, "column", to_column, *over_rows)
            along.leans, across.leans = (-1 if to_row < row else 1), (-1 if to_column > column else 1)
            return along, across
        all_but = range(rows.start, rows.stop + 1) if to_row > row else range(to_row, rows.stop)
        if self._free(all_but, range(column, column + 1)) and self._free(range(to_row, to_row + 1), columns):
            across = self._leg(tensor, "column", column, *over_rows)
            along = self._leg(into, "row", to_row, *over_columns)
            across.leans, along.leans = (1 if to_column > column else -1), (-1 if to_row > row else 1)
            return across, along
        return ()

    def _round(self, tensor: _Tensor, into: tuple[int, int, str, int, int]) -> tuple[_Leg, ...]:
        """A way through a gutter."""
        (row, column), (to_row, to_column) = self.where[tensor[0]], self.where[into[3]]
        down = 1 if to_row > row else -1
        gutter = column + 1
        if to_column > column:
            near = range(column + 1, to_column)
            if self._free(range(row, row + 1), near) and not self._free(range(to_row, to_row + 1), near):
                gutter = to_column
            if gutter == to_column or self._free(range(to_row, to_row + 1), near):
                out = self._leg((*tensor, gutter), "row", row, column + 1, gutter)
                across = self._leg(tensor, "gutter", gutter, 2 * min(row, to_row) + 1, 2 * max(row, to_row) + 1)
                end = self._leg(into, "row", to_row, gutter, to_column)
                self._lead(out, across, -1, down)
                self._lead(end, across, 1, -down)
                return out, across, end
        channel = to_row if down > 0 else to_row + 1
        out = self._leg((*tensor, gutter), "row", row, gutter, gutter)
        across = self._leg(tensor, "gutter", gutter, min(2 * row + 1, 2 * channel), max(2 * row + 1, 2 * channel))
        ends = sorted((2 * gutter, 2 * to_column + 1))
        along = self._leg((*tensor, "round"), "channel", channel, *ends)
        end = self._leg(into, "column", to_column, channel, channel)
        self._lead(out, across, -1, down)
        self._lead(end, along, down, -1 if to_column > column else 1)
        return out, across, along, end

    def _way_out(self, output: Output) -> _Leg | None:
        """The arrow of an output: up out of the figure, at the right where nothing else stands, or just up."""
        row, column = self.where[output.source]
        key = ("out", output.source, output.source_port, output.key)
        if row and self._free(range(row, row + 1), range(column + 1, self.columns)):
            leg = self._leg(key, "row", row, column + 1, self.columns)
        elif row and key_of(self.graph, output):
            return None
        else:
            leg = self._leg(key, "column", column, row, row)
        leg.straight = not any(leg is not way.legs[0] and way.legs[0].straight for way in self.ways if way.target < 0)
        return leg

    # -- places ---------------------------------------------------------------------------------------------------

    def _find_places(self) -> None:
        kinds: dict[tuple[str, int], list[_Leg]] = defaultdict(list)
        for leg in self.legs.values():
            kinds[leg.kind, leg.number].append(leg)
        ends: dict[int, set[int]] = defaultdict(set)
        for leg in self.legs.values():
            if leg.onward is not None:
                ends[id(leg.onward)].add(leg.ends_at)
        for (kind, _), legs in sorted(kinds.items(), key=lambda pair: pair[0]):
            if kind in ("channel", "gutter"):
                _give_tracks(legs, ends)
        for (kind, _), legs in sorted(kinds.items(), key=lambda pair: pair[0]):
            if kind in ("row", "column"):
                _give_ports(legs)


class _Drawing:
    """A grid with boxes of given sizes."""

    def __init__(self, grid: Grid, type: Type, sizes: Sequence[Size]) -> None:
        self.graph, self.where, self.legs, self.ways = grid.graph, grid.where, grid.legs, grid.ways
        self.rows, self.columns = grid.rows, grid.columns
        self.type, self.sizes = type, sizes

    def piece(self) -> Piece:
        piece = Piece()
        tracks: dict[tuple[str, int], int] = defaultdict(int)
        used: set[tuple[str, int]] = set()
        for leg in self.legs.values():
            if leg.kind in ("channel", "gutter"):
                tracks[leg.kind, leg.number] = max(tracks[leg.kind, leg.number], leg.place + 1)
            else:
                used |= {("gutter" if leg.kind == "row" else "channel", n) for n in range(leg.first, leg.last + 1)}
        lefts, gutters = self._ranges("gutter", self.columns, tracks, used)
        tops, channels = self._ranges("channel", self.rows, tracks, used)
        for number, (row, column) in enumerate(self.where):
            size = self.sizes[number]
            (left, wide), (top, high) = lefts[column], tops[row]
            x = left + (wide - size.width - size.beyond) / 2
            y = top + (high - size.height - size.beyond) / 2
            piece.boxes[number] = Placed(x, y, size.width, size.height)
        steps = self._steps()

        def at(leg: _Leg) -> float:
            """Where it is: at which height if it is level, or how far from the left."""
            if leg.kind == "channel":
                return channels[leg.number] + leg.place * _TRACK
            if leg.kind == "gutter":
                return gutters[leg.number] + leg.place * _TRACK
            start, length = (tops if leg.kind == "row" else lefts)[leg.number]
            return start + length / 2 + leg.place * steps[leg.kind, leg.number]

        for way in self.ways:
            piece.lines.append(Line(tuple(self._points(way, piece, at)), way.role, states=(way.states,)))
        self._write_keys(piece)
        piece.right = max(box.right + self.sizes[number].beyond for number, box in piece.boxes.items())
        piece.height = max(box.bottom + self.sizes[number].beyond for number, box in piece.boxes.items())
        xs = [x for line in piece.lines for x, _ in line.points] + [label.x + label.width for label in piece.labels]
        piece.right = max([piece.right, *xs])
        piece.height = max([piece.height, *(y for line in piece.lines for _, y in line.points)])
        return piece

    def _ranges(
        self, between: str, count: int, tracks: dict[tuple[str, int], int], used: set[tuple[str, int]]
    ) -> tuple[list[tuple[float, float]], list[float]]:
        """Where each row or column begins and how long it is, and where the first track of each gap is."""
        axis = 0 if between == "channel" else 1
        longest = [0.0] * count
        for size, spot in zip(self.sizes, self.where, strict=True):
            own = size.height if between == "channel" else size.width
            longest[spot[axis]] = max(longest[spot[axis]], own + size.beyond)
        found: list[tuple[float, float]] = []
        firsts: list[float] = []
        y = self._above() if between == "channel" else 0.0
        for number in range(count + 1):
            most = tracks[between, number]
            outermost = number == count
            first = _HEAD if between == "channel" else _TURN
            room = (most - 1) * _TRACK + _HEAD if most else 0.0
            if number == 0:
                firsts.append(y)
                y += room
            else:
                firsts.append(y + first)
                least = _CHANNEL if between == "channel" else _GUTTER
                least = 0.0 if outermost else least if (between, number) in used else least * _QUIET
                y += max(first + room, least)
            if number < count:
                found.append((y, longest[number]))
                y += longest[number]
        return found, firsts

    def _above(self) -> float:
        """The room for the arrows of outputs above the first row, and for their keys."""
        outs = [output for output in self.graph.outputs if self.where[output.source][0] == 0]
        keys = any(key_of(self.graph, output) for output in outs)
        return (_OUT if outs else 0.0) + (self.type.edge * 1.15 + _KEY if keys else 0.0)

    def _steps(self) -> dict[tuple[str, int], float]:
        """How far the ends of lines are from each other at the sides of the boxes of each row and column."""
        found: dict[tuple[str, int], float] = {}
        for leg in self.legs.values():
            if leg.kind not in ("row", "column"):
                continue
            axis = 0 if leg.kind == "row" else 1
            own = [s for s, spot in zip(self.sizes, self.where, strict=True) if spot[axis] == leg.number]
            least = min((s.height if leg.kind == "row" else s.width) for s in own)
            step = min(_PORT, (least / 2 - _EDGE) / abs(leg.place)) if leg.place else _PORT
            found[leg.kind, leg.number] = min(found.get((leg.kind, leg.number), _PORT), step)
        return found

    def _points(self, way: _Way, piece: Piece, at: Callable[[_Leg], float]) -> Iterator[Point]:
        places = [at(leg) for leg in way.legs]
        first, last = way.legs[0], way.legs[-1]
        source, beyond = piece.boxes[way.source], self.sizes[way.source].beyond
        if way.target < 0:
            if first.is_level:
                x = source.right + beyond
                yield from ((x, places[0]), (x + _OUT, places[0]))
            else:
                tip = _OUT if not self.where[way.source][0] else _HEAD - 2.0
                high = self._above_row(way.source, piece) if not self.where[way.source][0] else source.y
                yield from ((places[0], source.y), (places[0], high - tip))
            return
        yield self._end(first, places[0], way.source, way.legs[1:2], places[1:2], piece, way.target)
        for (one, a), (_, b) in pairwise(zip(way.legs, places, strict=True)):
            yield (b, a) if one.is_level else (a, b)
        yield self._end(last, places[-1], way.target, way.legs[-2:-1], places[-2:-1], piece, way.source)

    def _above_row(self, number: int, piece: Piece) -> float:
        """The height of what is uppermost above a box of the first row: it, or the highest track."""
        return min(piece.boxes[number].y, self._above() + 0.0)

    def _end(
        self,
        leg: _Leg,
        place: float,
        number: int,
        beside: Sequence[_Leg],
        beside_place: Sequence[float],
        piece: Piece,
        other: int,
    ) -> Point:
        """Where a leg meets a box: at the side to which it goes on."""
        box, beyond = piece.boxes[number], self.sizes[number].beyond
        there = beside_place[0] if beside else piece.boxes[other].middle[0 if leg.is_level else 1]
        if leg.is_level:
            return (box.right + beyond if there > box.middle[0] else box.x), place
        return place, (box.bottom + beyond if there > box.middle[1] else box.y)

    def _write_keys(self, piece: Piece) -> None:
        """The keys of outputs, at their arrows."""
        for way in self.ways:
            if not isinstance(way.states, Output) or not (key := key_of(self.graph, way.states)):
                continue
            x, y = next(line.points[-1] for line in piece.lines if line.states == (way.states,))
            wide = self.type.width(key, self.type.edge)
            if way.legs[0].is_level:
                piece.labels.append(Label(key, x + _KEY, y, wide))
            else:
                piece.labels.append(Label(key, x - wide / 2, y - _KEY - self.type.edge * 0.55, wide))


def _give_tracks(legs: Sequence[_Leg], ends: dict[int, set[int]]) -> None:
    """A track for every leg in a channel or gutter: the outer ones for those that lead over the others."""

    def order(leg: _Leg) -> tuple[int, int, int]:
        reach = leg.last - leg.first
        came = ends[id(leg)]
        if came == {-1}:  # back to where it is from: the short ones nearer
            return 0, reach, leg.first
        return (2, -reach, leg.first) if came == {1} else (1, leg.first, reach)

    given: list[_Leg] = []
    for leg in sorted(legs, key=order):
        met = [other.place for other in given if other.first < leg.last and leg.first < other.last]
        leg.place = max(met, default=-1) + 1
        given.append(leg)


def _give_ports(legs: Sequence[_Leg]) -> None:
    """A place for every leg of a row or column: straight ones in the middle, others to the side where they lead."""

    def order(leg: _Leg) -> tuple[bool, int, int]:
        track = leg.onward.place if leg.onward is not None else 0
        return not leg.straight, leg.last - leg.first, (track if leg.ends_at > 0 else -track)

    given: list[_Leg] = []
    for leg in sorted(legs, key=order):
        sides = (1, -1) if leg.leans >= 0 else (-1, 1)
        tried = [0, *(side * step for side in sides for step in range(1, 1 + len(legs)))]
        taken = {other.place for other in given if _in_the_way(leg, other)}
        leg.place = next(place for place in tried if place not in taken)
        given.append(leg)


def _in_the_way(one: _Leg, other: _Leg) -> bool:
    """Whether two legs of a row or column would lie on each other in one place."""
    if one.last < other.first or other.last < one.first:
        return False
    a, b = (one, other) if one.ends_at <= other.ends_at else (other, one)
    if a.ends_at == -1 and b.ends_at == 1 and a.onward is not None and b.onward is not None:
        return not a.onward.place < b.onward.place  # they end before they meet
    return True
