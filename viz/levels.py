"""The levels of a network whose maps get smaller and larger again, and where each of its boxes stands among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from math import log2, prod

from ..graphs.graph import Graph
from .volumes.solids import Extent, extents

_FEWEST = 3  # levels
_LANES = 4  # side by side on one level, before the next column
_LONG = 4  # nodes that follow one another on the lowest level, before they turn up
_TURNS = 2  # levels that are entered from a larger map, and from a smaller one
Spot = tuple[int, int]
"""A row, from the top, and a column, from the left."""


def map_levels(graph: Graph) -> list[int] | None:
    """The level of every node, by the size of its map: 0 for the largest, and one more for every halving of its sides.

    What has no map is on the level of what it reads, or of what reads it.

    Returns:
        None if there are fewer than three levels, or the map does not get smaller twice and larger twice.
    """
    known, tokens = _by_size(extents(graph))
    found = _filled(graph, known, tokens)
    if found is None or 2 * sum(level is not None for level in known) < len(known):
        return None
    down = {found[e.target] for e in graph.edges if found[e.source] < found[e.target]}
    up = {found[e.target] for e in graph.edges if found[e.source] > found[e.target]}
    turns = len(set(found)) >= _FEWEST and min(len(down), len(up)) >= _TURNS
    return found if turns else None


def _by_size(found: Sequence[Extent]) -> tuple[list[int | None], list[int | None]]:
    """Levels by the sides of maps of the usual rank, and of sequences as long as such a map has positions.

    A map of one position is none.
    """
    rank = max((len(extent.space) for extent in found), default=0)
    is_map = [rank > 0 and len(extent.space) == rank for extent in found]
    sides = [_side(extent) if own else None for extent, own in zip(found, is_map, strict=True)]
    largest = max((side for side in sides if side), default=1.0)
    steps = [round(log2(largest / side)) if side and side > 1 else None for side in sides]
    order = sorted({step for step in steps if step is not None})
    levels = [None if step is None else order.index(step) for step in steps]
    lengths = {e.space: level for e, level in zip(found, levels, strict=True) if level is not None}
    by_length = {prod(n or 0 for n in space): level for space, level in lengths.items()}
    tokens = [by_length.get(e.space[0] or -1) if len(e.space) == 1 < rank else None for e in found]
    return levels, tokens


def _side(extent: Extent) -> float | None:
    """The geometric mean of the sides of a map."""
    found = 1.0
    for side in extent.sides if len(extent.space) > 1 else extent.sides[:1]:
        if side is None:
            return None
        found *= side
    return found ** (1 / min(2, len(extent.space)))


def _filled(graph: Graph, known: Sequence[int | None], tokens: Sequence[int | None]) -> list[int] | None:
    """The levels, those that are not known from what is read, in the middle of several, or else from what reads.

    A sequence is on the level of the map that it is as long as, if that is not above what is read.
    """
    found = list(known)
    before, after = neighbours(graph)
    for beside, order in ((before, range(len(found))), (after, reversed(range(len(found))))):
        for number in order:
            near = sorted(level for n in beside[number] if (level := found[n]) is not None)
            if found[number] is None and near:
                middle, token = near[len(near) // 2], tokens[number]
                found[number] = middle if token is None or beside is after else max(middle, token)
    levels = [level for level in found if level is not None]
    return levels if len(levels) == len(found) else None


def neighbours(graph: Graph) -> tuple[list[list[int]], list[list[int]]]:
    """For every node those that it reads, and those that read it, each once."""
    before: list[dict[int, None]] = [{} for _ in graph.nodes]
    after: list[dict[int, None]] = [{} for _ in graph.nodes]
    for edge in graph.edges:
        before[edge.target][edge.source] = None
        after[edge.source][edge.target] = None
    return [list(each) for each in before], [list(each) for each in after]


# -- rows and columns -------------------------------------------------------------------------------------------------


def spots(graph: Graph, levels: Sequence[int], abreast: bool = False, turned: bool = False) -> list[Spot]:
    """A row and a column for every node: the rows of a level together, columns in the order of computation.

    What is read on the same level stands further left. Maps that get smaller go down in one column; where they begin
    to get larger, the next column goes up. Of nodes that lead on to one another alone, each is above or below the next.

    Args:
        abreast: whether these stand side by side where they go neither down nor up.
        turned: whether a long stretch on the lowest level turns up again in the next column.
    """
    return _Spots(graph, levels, abreast, turned).found()


class _Spots:
    def __init__(self, graph: Graph, levels: Sequence[int], abreast: bool, turned: bool) -> None:
        self.levels, self.abreast, self.turned = levels, abreast, turned
        self.before, self.after = neighbours(graph)
        self.bottom = max(levels)
        self.rises = [self._is_fed(n, below=True) and not self._is_fed(n, below=False) for n in range(len(levels))]
        self.cell = list(range(len(levels)))  # the first of those above one another
        self.leaves: list[int] = []  # what ends beside others that its source leads to
        self._stack()
        self.members: dict[int, list[int]] = {}
        for number, first in enumerate(self.cell):
            self.members.setdefault(first, []).append(number)
        self.column: dict[int, int] = {}
        self.row: dict[int, int] = {}  # of nodes, within their level
        self.taken: set[tuple[int, int, int]] = set()

    def found(self) -> list[Spot]:
        ends = {first: max((n for n in own if n not in self.leaves), default=own[0]) for first, own in self._cells()}
        for first in sorted(ends, key=lambda f: ends[f]):
            self._put(first)
        for first in sorted(ends, key=lambda f: -ends[f]):
            self._put_off(first)
        for leaf in self.leaves:
            self._put_leaf(leaf)
        rows = sorted({(level, self.row[n]) for n, level in enumerate(self.levels)})
        return [(rows.index((level, self.row[n])), self.column[n]) for n, level in enumerate(self.levels)]

    def _cells(self) -> Iterable[tuple[int, list[int]]]:
        return ((first, own) for first, own in self.members.items() if first not in self.leaves)

    def _is_fed(self, number: int, below: bool) -> bool:
        """Whether a node reads a smaller map, or a larger one."""
        own = self.levels[number]
        return any(self.levels[n] > own if below else self.levels[n] < own for n in self.before[number])

    # -- what stands above one another --

    def _stack(self) -> None:
        for number, level in enumerate(self.levels):
            read = self.before[number]
            level_with = [n for n in read if self.levels[n] == level]
            only = [n for n in level_with if len(self.after[n]) == 1]
            if not self.after[number] and len(read) == len(level_with) == 1 and not only and self._rising(read[0]):
                self.leaves.append(number)
            elif len(read) == len(only) == 1:
                self._on(number, read[0])
            elif not self._is_fed(number, below=True):
                rising = [n for n in only if self._rising(n)]
                if len(rising) == 1:
                    self._on(number, rising[0])
                elif only and only == read and not rising:
                    self._on(number, only[-1])

    def _on(self, number: int, other: int) -> None:
        self.cell[number] = self.cell[other]

    def _rising(self, number: int) -> bool:
        return self.rises[self.cell[number]]

    def _falls(self, first: int) -> bool:
        if not self.before[first]:
            return True
        return self._is_fed(first, below=False) and not self._is_fed(first, below=True)

    # -- where it stands --

    def _put(self, first: int) -> None:
        own = self.members[first]
        level, up = self.levels[first], self._rising(first)
        down = self._falls(first)
        column = 0
        start: int | None = None
        inside = set(own)
        for i, number in enumerate(own):
            for other in self.before[number]:
                if other in inside:
                    continue
                if self.levels[other] == level:
                    column = max(column, self.column[other] + 1)
                    start = self.row[other] + (i if up else -i) if start is None else start
                elif self.levels[other] < level:
                    column = max(column, self.column[other] + (not down))
                else:
                    column = max(column, self.column[other] + (not self._rising(other)))
        if start is None or (down and not up):
            start = 0 if up or level == self.bottom else 1 - len(own)
        shape = self._shape(len(own), up, down, level == self.bottom)
        where: list[tuple[int, int]] = []
        for step in count():
            # Beside one another where they go up or down, below one another where they do not.
            lower, later = (0, step) if up or down else (step % _LANES, step // _LANES)
            where = [(start + row + lower, column + right + later) for row, right in shape]
            if not {(level, *spot) for spot in where} & self.taken:
                break
        for number, (row, right) in zip(own, where, strict=True):
            self.row[number], self.column[number] = row, right
            self.taken.add((level, row, right))

    def _shape(self, length: int, up: bool, down: bool, lowest: bool) -> list[Spot]:
        """Where nodes that lead on to one another alone stand from the first: rows below it, columns to the right."""
        if up:
            return [(-i, 0) for i in range(length)]
        if not down and self.abreast:
            return [(0, i) for i in range(length)]
        half = (length + 1) // 2
        if self.turned and lowest and length >= _LONG:
            return [(i, 0) if i < half else (2 * half - 1 - i, 1) for i in range(length)]
        return [(i, 0) for i in range(length)]

    def _put_off(self, first: int) -> None:
        """Move what goes neither up nor down to the right, as near as can be to what reads it."""
        if self._falls(first) or self._rising(first):
            return
        own, level = self.members[first], self.levels[first]
        inside = {*own, *self.leaves}
        reading = [self.column[n] for number in own for n in self.after[number] if n not in inside]
        here = {(level, self.row[number], self.column[number]) for number in own}
        room = min(reading, default=0) - 1 - max(column for *_, column in here)
        for later in range(room, 0, -1):
            there = {(level, row, column + later) for _, row, column in here}
            if not there & (self.taken - here):
                self.taken = (self.taken - here) | there
                self.column |= {number: self.column[number] + later for number in own}
                return

    def _put_leaf(self, leaf: int) -> None:
        """Above what it reads, or beside that place."""
        (source,) = self.before[leaf]
        level, row, column = self.levels[leaf], self.row[source], self.column[source]
        for step in count():
            for aside in (0, -step, step):
                spot = (level, row - 1, column + aside)
                if column + aside >= 0 and spot not in self.taken:
                    self.taken.add(spot)
                    self.row[leaf], self.column[leaf] = row - 1, column + aside
                    return
