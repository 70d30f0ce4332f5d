"""Laying out a sequence within a page: how large its type, how wide its boxes, in how many columns or rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import ceil, inf

from ..lines import line_roles, line_words
from ..theme import Theme
from .box_text import Card, Type, cards, type_of
from .boxes import Request, layer_gap, sizes_of
from .columns import GUTTER, Arranged, assembled, folded
from .geometry import Piece, Size, turned
from .graphviz_layout import layered
from .level_grid import Grid
from .orthogonal import orthogonal
from .series_parallel import CONTINUED, Composition, Framed, Parts, main_branch, numbers
from .u_shape import arms, u_shape

_STEP = 0.06  # of the theme's sizes of text, by which they are stepped down
_COMFORT = 0.72  # of the page's height: a figure taller than this is rather set in two columns
_WORTH = 0.8  # of its height: what a further column has to leave, to be worth it
_NARROW = 100.0  # of boxes on an axis, before those side by side have to give way
_HEAD_WIDTH = 72.0  # of a box beside the column, where the figure's width is bounded
_TEXT_WIDTH = 190.0  # a card is not wider than this if nothing asks for it


def arrange(request: Request, type: Type) -> Arranged | None:
    """The best layout that keeps to the bounds, in this type: a shape near the page's."""
    attempts = _freely(request, type) if request.composition is None else _attempts(request, type)
    if not request.is_column:
        return min(attempts, key=_cost, default=None)
    found: Arranged | None = None
    for arranged in attempts:
        height = arranged.geometry.height
        if found is None or (height < found.geometry.height * _WORTH and not _is_torn(arranged)):
            found = arranged
        if found.geometry.height <= _COMFORT * request.height:
            break
    return found


def _cost(arranged: Arranged) -> tuple[bool, float]:
    """Of rows: whether a frame is cut through, and how tall they are together."""
    return _is_torn(arranged), arranged.geometry.height


def _is_torn(arranged: Arranged) -> bool:
    """Whether a frame is cut through."""
    return any(outline.title.endswith(CONTINUED) for outline in arranged.geometry.outlines)


def _freely(request: Request, type: Type) -> Iterator[Arranged]:
    """A graph that is no sequence."""
    if request.grids:
        arranged = _by_levels(request, type)
        if arranged is not None:
            yield arranged
        if arranged is not None or request.strict:
            return
    for most in (_TEXT_WIDTH, 110.0, 80.0, 60.0):
        made = cards(request.contents, type, request.theme, most)
        if made is None:
            return
        gaps = (layer_gap(request, type), request.theme.side_gap)
        if request.splines == "spline":
            piece = orthogonal(
                request.graph,
                sizes_of(request, made),
                request.labels,
                type,
                gaps,
                request.frames,
                request.direction,
                words=line_words(request.graph, line_roles(request.graph)),
                whole=request.whole,
            )
            if piece is not None and _within(request, geometry := turned(piece, request.direction)):
                yield Arranged(geometry, made, type)
            if (piece is not None and request.width == inf) or (request.strict and piece is None):
                return
            if piece is not None or request.strict:
                continue
        sizes = [Size(card.width, card.height, card.stacked) for card in made]
        geometry = layered(
            request.graph,
            sizes,
            request.labels,
            type,
            request.frames,
            direction=request.direction,
            splines=request.splines,
            gaps=gaps,
        )
        if _within(request, geometry):
            yield Arranged(geometry, made, type)
        if request.width == inf:
            return


_WIDTHS = (_TEXT_WIDTH, 150.0, 120.0, 100.0, 88.0, 78.0, 70.0, 63.0, 57.0, 52.0, 47.0, 43.0)


def _by_levels(request: Request, type: Type) -> Arranged | None:
    """An encoder and decoder that is no sequence, level by level, within the width: as low as can be."""
    tried = (cards(request.contents, type, request.theme, most) for most in _WIDTHS)
    made = [each for each in tried if each is not None]
    found = [each for grid in request.grids if (each := _on_grid(request, type, grid, made)) is not None]
    return min(found, key=lambda arranged: arranged.geometry.height, default=None)


def _on_grid(request: Request, type: Type, grid: Grid, tried: Sequence[Sequence[Card]]) -> Arranged | None:
    """In the widest boxes for which there is room."""
    columns = [column for _, column in grid.where]
    if not tried or sum(_widest(tried[-1], columns)) > request.width:
        return None
    for made in tried:
        widest = _widest(made, columns)
        if sum(widest) > request.width:
            continue
        equal = [replace(card, width=widest[column]) for card, column in zip(made, columns, strict=True)]
        piece = grid.piece(type, sizes_of(request, equal), request.frames)
        if piece is None:
            return None
        geometry = turned(piece, "TB")
        if geometry.width <= request.width + 0.01:
            return Arranged(geometry, equal, type) if _within(request, geometry) else None
    return None


def _widest(made: Sequence[Card], columns: Sequence[int]) -> list[float]:
    """How wide each column is."""
    found = [0.0] * (1 + max(columns))
    for card, column in zip(made, columns, strict=True):
        found[column] = max(found[column], card.width)
    return found


def types(theme: Theme, least: float) -> Iterator[Type]:
    """The theme's sizes of text, and those stepped down as far as the least allows."""
    before, step = None, 1.0
    while True:
        type = type_of(theme, step, least)
        if type == before or step <= 0.1:
            return
        yield type
        before, step = type, step - _STEP


def _attempts(request: Request, type: Type) -> Iterator[Arranged]:
    assert request.composition is not None
    if request.direction == "TB" and arms(request.graph, request.composition) is not None:
        arranged = _as_u(request, type)
        if arranged is not None:
            yield arranged
        if arranged is not None or request.strict:
            return
    if not request.is_column:
        for most in (_TEXT_WIDTH, 130.0, 110.0, 92.0, 76.0, 64.0, 54.0):
            arranged = _rows(request, type, most)
            if arranged is not None:
                yield arranged
            if request.width == inf:
                return
    # Boxes only get taller when they have to be narrower: fewer columns than this cannot do.
    free = _made(request, type, _TEXT_WIDTH * 1.3, _TEXT_WIDTH)
    whole = None if free is None else folded(request, type, free, 1)
    if whole is None:
        return
    least = 1 if request.height == inf else max(1, ceil(whole[0].height / request.height - 0.01))
    for columns in range(least, request.most_columns + 1):
        if columns > 1 and request.width < columns * 60:
            return
        arranged = _columns(request, type, columns)
        if arranged is not None:
            yield arranged
        if request.width == inf or (columns > least and arranged is None):
            return


def _columns(request: Request, type: Type, columns: int) -> Arranged | None:
    """So many columns within the width, each as wide as it needs.

    Boxes on the axes give way before those side by side.
    """
    assert request.composition is not None
    room = request.width - (columns - 1) * GUTTER
    trunk = fork = min(_TEXT_WIDTH * 1.3, room)
    axis, *forks = (set(group) for group, _ in _groups(request.composition))
    aside = set().union(*forks)
    for _ in range(10):
        made = _made(request, type, trunk, fork)
        pieces = None if made is None else folded(request, type, made, columns)
        if made is None or pieces is None:
            return None
        over = sum(piece.width for piece in pieces) - room
        if over <= 0.01:
            geometry = assembled(request, pieces, type)
            return Arranged(geometry, made, type) if _within(request, geometry) else None
        wide = max((made[n].width for n in axis), default=0.0)
        lateral = max((made[n].width for n in aside), default=0.0)
        forked = [piece for piece in pieces if aside & set(piece.boxes)]
        if forked and (wide <= _NARROW or wide <= lateral or len(forked) == columns == 1):
            abreast = max(2.0, *(piece.width / lateral for piece in forked))
            fork = min(fork, lateral) - over / abreast / len(forked) - 0.1
        else:
            trunk = max(min(trunk, wide) - over / columns - 0.01, _NARROW if forked and wide > _NARROW else 0.0)
        if min(trunk, fork) < 24:
            return None
    return None


def _as_u(request: Request, type: Type) -> Arranged | None:
    """An encoder and decoder within the width."""
    assert request.composition is not None
    most = min(_TEXT_WIDTH, request.width / 2)
    for _ in range(5):
        made = _made(request, type, most, most)
        if made is None:
            return None
        piece = u_shape(request, type, sizes_of(request, made), request.composition)
        if piece is None:
            return None
        if piece.width <= request.width:
            geometry = turned(piece, "TB")
            return Arranged(geometry, made, type) if _within(request, geometry) else None
        most = min(most, max(card.width for card in made)) - (piece.width - request.width) / 2 - 0.01
    return None


def _rows(request: Request, type: Type, most: float) -> Arranged | None:
    made = _made(request, type, most, most)
    whole = None if made is None else folded(request, type, made, 1)
    if made is None or whole is None:
        return None
    least = 1 if request.width == inf else max(1, ceil(whole[0].height / request.width))
    if least > 1 and least * _least_across(request, made) > request.height:
        return None
    # Rather a row more than a frame in two rows.
    for longest, rows in product((request.width, None), range(least, least + 3)):
        pieces = whole if rows == 1 else folded(request, type, made, rows, longest)
        if pieces is None:
            continue
        geometry = assembled(request, pieces, type)
        if _within(request, geometry):
            return Arranged(geometry, made, type)
    return None


def _least_across(request: Request, made: Sequence[Card]) -> float:
    """How tall a row is at least."""
    assert request.composition is not None
    axis, *_ = _groups(request.composition)
    return max((made[number].height for number in axis[0]), default=0.0)


def _within(request: Request, geometry: Piece) -> bool:
    return geometry.width <= request.width + 0.01 and geometry.height <= request.height + 0.01


# -- cards ------------------------------------------------------------------------------------------------------------


def _made(request: Request, type: Type, trunk: float, fork: float) -> list[Card] | None:
    """The cards of all boxes, those in one sequence or one fork of one width (or height, where it runs sideways)."""
    assert request.composition is not None
    heads = fork if request.width == inf else min(fork, _HEAD_WIDTH)
    groups = [(group, fork if inside else trunk, not inside) for group, inside in _groups(request.composition)]
    groups += [(list(numbers(head)), heads, False) for head in request.composition.heads.values()]
    found: dict[int, Card] = {}
    for group, most, axis in groups:
        made = cards([request.contents[n] for n in group], type, request.theme, most, request.roomy and axis)
        if made is None:
            return None
        if request.is_column:
            widest = max((card.width for card in made), default=0.0)
            made = [replace(card, width=widest) for card in made]
        else:
            tallest = max((card.height for card in made), default=0.0)
            made = [replace(card, height=tallest) for card in made]
        found.update(zip(group, made, strict=True))
    return [found[node.id] for node in request.graph.nodes]


def _groups(composition: Composition) -> Iterator[tuple[list[int], bool]]:
    """The boxes along the axis, then those side by side of each fork."""
    axis: list[int] = []
    forks: list[list[int]] = []

    def walk(parts: Parts) -> None:
        for part in parts:
            if isinstance(part, int):
                axis.append(part)
            elif isinstance(part, Framed):
                walk(part.parts)
            else:
                main = main_branch(part, composition.arriving)
                forks.append([n for i, branch in enumerate(part.branches) if i != main for n in numbers(branch)])
                if main is not None:
                    walk(part.branches[main])

    walk(composition.parts)
    yield axis, False
    yield from ((fork, True) for fork in forks)
