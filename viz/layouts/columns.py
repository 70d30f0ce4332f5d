"""Long sequences in several columns (or rows): where to cut, and the lines that lead on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...graphs.graph import Edge
from .box_text import Card, Type
from .boxes import Layout, Request, letter_of, lettered, sizes_of
from .geometry import Label, Line, Piece, turned
from .series_parallel import ENTRY, Composition, Fork, Framed, Parts, numbers, part_of, split

GUTTER = 16.0  # between columns, where the line from one to the next runs
_TURN = 9.0  # how far that line goes on before it turns


@dataclass(frozen=True, slots=True)
class Arranged:
    """A layout with its cards and its type."""

    geometry: Piece
    cards: Sequence[Card]
    type: Type


def folded(
    request: Request, type: Type, made: Sequence[Card], columns: int, longest: float | None = None
) -> list[Piece] | None:
    """The sequence in so many columns of much the same height; none if it cannot be cut so often.

    Args:
        longest: if given, no frame and no short cut is cut through, and no column is longer.
    """
    sizes, whole = sizes_of(request, made), request.composition
    assert whole is not None
    layout = Layout(request, type, sizes, whole)
    piece = layout.column()
    if columns == 1:
        layout.finish()
        return [piece]
    skips = [edge for edge in request.graph.edges if edge.role == "skip" and edge not in whole.apart]
    entering = {lane.edge for lanes in whole.lanes.values() for lane in lanes if lane.start == ENTRY}
    cuts = _cuts(whole.parts, skips, entering, piece, columns, longest)
    if cuts is None:
        return None
    stretches: list[Composition] = []
    rest: Parts = whole.parts
    for number in cuts:
        parts, rest = split(rest, number)
        stretches.append(part_of(whole, parts, skips))
    stretches.append(part_of(whole, rest, skips))
    beside = {lane.edge for each in stretches for lanes in each.lanes.values() for lane in lanes}
    pieces = []
    letters = {(e.source, e.source_port): letter for e, letter in lettered(whole.apart).items()}
    for stretch in stretches:
        layout = Layout(request, type, sizes, stretch)
        piece = layout.column()
        ends: dict[tuple[int, bool, str], list[tuple[str, Edge]]] = {}
        for edge in skips:
            leaving = edge.source in piece.boxes
            if edge not in beside and leaving != (edge.target in piece.boxes):
                letter = letters.setdefault((edge.source, edge.source_port), letter_of(len(letters)))
                role = whole.roles[edge]
                ends.setdefault((edge.source if leaving else edge.target, leaving, role), []).append((letter, edge))
        for (end, leaving, role), found in ends.items():
            text = ",".join(dict.fromkeys(letter for letter, _ in found))
            layout.connect_elsewhere(piece, end, leaving, role, text, [edge for _, edge in found])
        pieces.append(piece)
    return pieces


def _cuts(
    parts: Parts, skips: Sequence[Edge], entering: Container[Edge], piece: Piece, columns: int, longest: float | None
) -> list[int] | None:
    """Before which boxes to begin a new column, so that the tallest is as low as can be.

    Short cuts that are `entering` begin on the line into what they lead past, and so are not cut through before it.

    If that leaves no column much taller than the mean, or longer than `longest`, neither short cuts nor frames are cut
    through.
    """
    axis = list(_axis(parts, 0))
    may = [i for i in range(1, len(axis)) if axis[i][0] is not _FORK and axis[i - 1][0] is not _FORK]
    place = {number: i for i, (number, _) in enumerate(axis)}
    crossed = [0] * (len(axis) + 1)
    for edge in skips:
        first = place.get(edge.source, 0) + (2 if edge in entering else 1)
        for i in range(first, place.get(edge.target, -1) + 1):
            crossed[i] += 1
    frames = _frames_entered(parts)
    whole = [i for i in may if axis[i][1] == 0 or axis[i][0] in frames]
    places = [piece.boxes[number].y if number is not _FORK else 0.0 for number, _ in axis]
    unbroken = [i for i in whole if not crossed[i]]
    for allowed in (unbroken,) if longest is not None else (unbroken, [i for i in may if not crossed[i]], whole, may):
        cuts = _balanced([places[i] for i in allowed], (0.0, piece.height), columns)
        if cuts is None:
            continue
        ends = [0.0, *(places[allowed[c]] for c in cuts), piece.height]
        tallest = max(b - a for a, b in pairwise(ends))
        if allowed is may or tallest <= (1.6 * piece.height / columns if longest is None else longest):
            return [axis[allowed[c]][0] for c in cuts]
    return None


_FORK = -1


def _axis(parts: Parts, deep: int) -> Iterator[tuple[int, int]]:
    """What stands on the axis, forks as `_FORK`, and in how many frames; nothing may be cut in one that repeats."""
    for part in parts:
        if isinstance(part, int):
            yield part, deep
        elif isinstance(part, Fork):
            yield _FORK, deep
        elif part.repeats > 1:
            first, *others = _axis(part.parts, deep)
            yield first
            yield from ((_FORK, deep) for _ in others)
        else:
            yield from _axis(part.parts, deep + 1)


def _frames_entered(parts: Parts) -> set[int]:
    """The first boxes of the outermost frames."""
    return {next(iter(numbers((part,)))) for part in parts if isinstance(part, Framed)}


def _balanced(places: Sequence[float], ends: tuple[float, float], columns: int) -> list[int] | None:
    """Which of the places to cut at so that the longest stretch is as short as can be."""
    if len(places) < columns - 1:
        return None
    whole = ends[1] - ends[0]

    def cut(most: float) -> list[int] | None:
        cuts: list[int] = []
        start = ends[0]
        while ends[1] - start > most:
            at = bisect_left(places, start + most + 1e-6) - 1
            if at < 0 or places[at] <= start or len(cuts) == columns - 1:
                return None
            cuts.append(at)
            start = places[at]
        return cuts

    low, high = 0.0, whole
    for _ in range(30):
        middle = (low + high) / 2
        if cut(middle) is None:
            low = middle
        else:
            high = middle
    cuts = cut(high)
    return cuts if cuts is not None and len(cuts) == columns - 1 else None


def assembled(request: Request, pieces: Sequence[Piece], type: Type) -> Piece:
    """Columns side by side, with the line that leads from each to the next."""
    if len(pieces) == 1:
        return turned(pieces[0], request.direction)
    label = type.edge * 1.15 + 2 if request.labels else 0.0
    whole, x = Piece(), 0.0
    tallest = 0.0
    ends: list[tuple[tuple[float, float], tuple[float, float], float, float]] = []
    for i, piece in enumerate(pieces):
        down = _TURN if i else 0.0
        axis = x + piece.left
        whole.add(piece, axis, down)
        top, bottom = piece.tops[0], piece.bottoms[-1]
        ends.append(
            ((axis + top[1], top[2] + down), (axis + bottom[1], bottom[2] + down), x + piece.width, piece.height + down)
        )
        tallest = max(tallest, piece.height + down + (label + _TURN if i + 1 < len(pieces) else 0.0))
        x += piece.width + GUTTER
    for i, ((_, start, right, low), (end, *_)) in enumerate(pairwise(ends)):
        turn, gutter = low + max(label, 4.0) + 4, right + GUTTER / 2
        points = (start, (start[0], turn), (gutter, turn), (gutter, 0.0), (end[0], 0.0), end)
        number, following = pieces[i].bottoms[-1][0], pieces[i + 1].tops[0][0]
        edges = (e for e in request.graph.edges if (e.source, e.target) == (number, following) and e.role != "skip")
        whole.lines.append(Line(points, "continuation", states=tuple(edges)))
        text = next((request.labels[k] for k in request.labels if k[0] == number), "") if label else ""
        if text:
            whole.labels.append(Label(text, start[0] + 3, low + label / 2 + 1, type.width(text, type.edge)))
    whole.left, whole.right, whole.height = 0.0, x - GUTTER, max(tallest, whole.height)
    return turned(whole, request.direction)
