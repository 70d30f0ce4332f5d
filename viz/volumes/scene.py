"""`style="volumes"`: layers as oblique boxes, the look that papers know, drawn from the live model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise, product
from math import inf

from ...graphs.graph import Edge, Frame, Graph, Node
from ..annotations import Note, annotated
from ..fonts import Face, face
from ..layouts.contents import box_names
from ..overlaps import overlaps
from ..rectangles import Rect
from ..scene import Box, Item, Scene, Stated, moved
from ..texts.layer_labels import describe, shape_texts
from ..theme import Theme
from .captions import captions
from .draw import path_rect, volume_items
from .fit import Attempt, Laid, balanced
from .layered import apart, layered_row
from .legend import legend_items
from .lines import Drawn, lines
from .place import FRAME, STUB, Row, around, justified, setting
from .plan import as_u, by_levels, plan
from .solids import Letters, extents, measure, own_repeats, solids

_ROOMY, _SMALLEST = 0.62, 0.26  # scales of the volumes: the least that is tried first, and the least
_SMALLEST_LEVELS = 0.22  # of those on levels that are no sequence
_LOW = 0.62  # of the width: as tall is a figure of levels, if it can be
_TALLER = 1.15  # or so many times as it is at the smallest scale
_GOOD = 0.58  # worth of a layout after which none is sought with smaller or fewer texts
_ROW_COST, _TEXT_COST = 0.7, 0.9  # by how much a further row, and smaller text, lower the worth of a scale
_SCALES = (1.0, 0.8, 0.62, 0.48, 0.38, 0.3)  # of volumes in layers
_TRIES = 4  # to place volumes so that there is room beside them
_MARGIN = 2.0
_ROW_GAP = 12.0
_ABOVE_LEGEND = 7.0


def volumes(
    graph: Graph,
    theme: Theme,
    *,
    width: float | None = None,
    height: float | None = None,
    min_text: float = 6.0,
    label: Callable[[Node], str | None] | None = None,
    show: Iterable[str] = ("shape",),
    legend: bool = True,
    strict: bool = False,
    notes: Sequence[Note] = (),
) -> Scene | None:
    """Draw every node of a graph as an oblique box: as high and deep as its maps, as thick as its channels.

    Sizes are on a square-root scale (see `solids.Measure`), so that 224² and 1² both can be seen: a larger map
    is never drawn smaller, more channels never thinner. Pooling and other layers without channels of their own are
    thin slabs, vectors are rods, a darker end is the norm and activation of a layer, a coloured one where branches
    join, a white one what a short cut copies. Layers on maps of one size stand together; long nets go on in rows.

    Args:
        graph: what `overview` gives, or any other.
        theme: fonts and colours. Texts are `theme.text_size`, or `min_text` where only that fits.
        width: of the figure, in points; None for one row at full scale.
        height: at most, in points.
        min_text: no text is smaller, in points.
        label: what is written under a node in the place of the name of its run; None for nothing.
        show: `shape` (channels and sizes) and `parameters`.
        legend: whether to explain what occurs.
        strict: whether an encoder with a decoder is drawn as a U or not at all, and nothing on which things overlap.
        notes: what is written at braces and beside volumes.

    Returns:
        None if the texts do not fit.

    >>> from layerblocks.viz.theme import DEFAULT
    >>> nodes = tuple(Node(i, (f"conv{i}",), "Conv2D", "conv", outputs=((None, 8, 8, 4**i),)) for i in range(3))
    >>> scene = volumes(Graph("net", "Functional", nodes, ()), DEFAULT, width=252)
    >>> scene.width <= 252, scene.text_size
    (True, 7.0)
    """
    spare = 0.0
    for _ in range(_TRIES):
        try:
            how = (width, height, min_text, label, tuple(show), legend, strict, notes)
            scene = _within(inf if width is None else width - 2 * _MARGIN - spare, graph, theme, *how)
        except _NoPlace:
            return None
        if scene is None or width is None or scene.width <= width + 0.01:
            return scene
        spare += scene.width - width
    return None


class _NoPlace(Exception):
    """There is no place for a note."""


def _within(
    limit: float,
    graph: Graph,
    theme: Theme,
    width: float | None,
    height: float | None,
    min_text: float,
    label: Callable[[Node], str | None] | None,
    show: Sequence[str],
    legend: bool,
    strict: bool,
    notes: Sequence[Note],
) -> Scene | None:
    """The figure with its volumes in rows no longer than the limit."""
    font = face(theme.font)
    found = extents(graph)
    line = plan(graph, found)
    has_frames = any(node.frames for node in graph.nodes)
    parted = apart(graph, line)
    sequence = as_u(graph, line, found)
    u = by_levels(graph, parted) if sequence is None and not has_frames else sequence
    plans = [line] if u is None else [u] if strict else [u, line]  # the next only where one does not fit

    def drawn(laid: Laid, size: float, finished: bool = True) -> Scene:
        return _drawn(graph, laid, font, size, width, legend, finished, notes)

    def low_enough(size: float, most: float | None) -> Callable[[Laid], bool]:
        return lambda laid: not most or drawn(laid, size, finished=False).height <= most

    best: tuple[float, Laid, float, Attempt] | None = None
    sizes = (max(theme.text_size, min_text), min_text)
    for arranged, size, (brief, bare) in product(plans, sizes, ((False, False), (True, False), (True, True))):
        if best is not None and arranged is not plans[0] and best[1].given.plan is plans[0]:
            break
        if bare and (best is not None or not arranged.arcs):
            continue
        below = captions(graph, found, arranged, size, font.width, label, show, brief, bare)
        attempt = Attempt(graph, found, arranged, below, _letters(font, size))
        smallest = _SMALLEST_LEVELS if arranged.arcs else _SMALLEST
        least = attempt.laid(limit, smallest)
        if strict and (least is None or overlaps(drawn(least, size))):
            continue
        most = height
        if arranged.arcs and width and least is not None:
            low = max(_LOW * width, _TALLER * drawn(least, size).height)
            most = min(low, height or low)
        for laid in _candidates(attempt, limit, smallest, low_enough(size, most)):
            worth = laid.scale / (1 + _ROW_COST * (len(laid.rows) - 1)) * (1 if size >= theme.text_size else _TEXT_COST)
            if best is None or worth > best[0]:
                best = worth, laid, size, attempt
        if best is not None and best[0] >= _GOOD:
            break
    whole: Scene | None = None
    clean = False
    if best is not None:
        _, laid, size, attempt = best
        for each in chain(_evened(laid, limit), _smaller(attempt, laid, limit)):
            scene = drawn(each, size)
            if height and scene.height > height:
                continue
            clean = not overlaps(scene)
            whole = scene if clean or whole is None else whole
            if clean:
                break
    if clean or sequence is not None:
        return whole if clean or not strict else None
    if not has_frames:

        def layers(size: float, brief: bool, scale: float) -> Scene | None:
            made = solids(graph, found, measure(graph, found, scale, _letters(font, size)))
            given = setting(graph, parted, captions(graph, found, parted, size, font.width, label, show, brief), made)
            row = layered_row(graph, given)
            if row is None or row.right > limit:
                return None
            layered = drawn(Laid([row], made, scale, given), size)
            return layered if not height or layered.height <= height else None

        if layers(min_text, True, _SCALES[-1]) is not None:
            tried = (layers(*how, scale) for how in product(sizes, (False, True)) for scale in _SCALES)
            good = (each for each in tried if each is not None and not overlaps(each))
            if (in_layers := next(good, None)) is not None:
                return in_layers
    return None if strict else whole


def _candidates(attempt: Attempt, limit: float, least: float, suits: Callable[[Laid], bool]) -> Iterator[Laid]:
    """In as many rows as leave the volumes roomy, and in as few as can be."""
    for smallest in (_ROOMY, least):
        laid = attempt.fitted(limit, smallest, suits)
        if laid is not None:
            yield laid
            if len(laid.rows) == 1:
                return


def _evened(laid: Laid, limit: float) -> Iterator[Laid]:
    """The same volumes in rows as long as the page is wide, in rows as long as each other, and as they were."""
    if len(laid.rows) > 1:
        even = balanced(laid, limit)
        if limit < inf:
            yield replace(even, rows=justified(even.rows, even.given, limit))
        yield even
    elif laid.given.plan.arcs and limit < inf:
        yield replace(laid, rows=justified(laid.rows, laid.given, limit))
    yield laid


def _smaller(attempt: Attempt, laid: Laid, limit: float) -> Iterator[Laid]:
    """Volumes on levels that are no sequence, ever smaller: their lines then have more room."""
    if attempt.plan.arcs:
        for scale in (*_SCALES, _SMALLEST, _SMALLEST_LEVELS):
            if scale < laid.scale and (smaller := attempt.laid(limit, scale)) is not None:
                yield smaller


def _letters(font: Face, size: float) -> Letters:
    return Letters(size, lambda text: font.width(text, size))


# -- drawing ----------------------------------------------------------------------------------------------------------


def _drawn(
    graph: Graph,
    laid: Laid,
    font: Face,
    size: float,
    width: float | None,
    legend: bool,
    finished: bool,
    notes: Sequence[Note],
) -> Scene:
    """The rows below one another, and the legend below them; only where it is finished, no line is in another's way."""
    across = max(row.right + (STUB if row is not laid.rows[-1] else 0.0) for row in laid.rows)
    items: list[Item] = []
    y = _MARGIN
    around_rows = [_frames(graph, row) for row in laid.rows]
    borders = [[rect for rect, _ in frames] for frames in around_rows] if finished else None
    found = lines(graph, laid.rows, across, borders)
    against = _against(graph, laid.rows, found)
    for row, drawn, frames in zip(laid.rows, found, around_rows, strict=True):
        extent = around((*row.bodies, *row.words, *(path_rect(d.path) for d in drawn), *(rect for rect, _ in frames)))
        y -= extent.top
        shapes = _row_items(graph, row, drawn, frames, against, _letters(font, size))
        items += [moved(item, _MARGIN, y) for item in shapes]
        y += extent.bottom + _ROW_GAP
    y -= _ROW_GAP
    if notes:
        whole = across + 2 * _MARGIN, y + _MARGIN, items
        noted = annotated(whole, notes, size, lambda text: font.width(text, size), False, (width or inf, inf))
        if noted is None:
            raise _NoPlace
        across, y, items = noted[0] - 2 * _MARGIN, noted[1] - _MARGIN, noted[2]
    if legend:
        room = max(across, (width or 0.0) - 2 * _MARGIN)
        described, below, reach = legend_items(graph, laid.solids, items, font, size, room)
        items += [moved(item, _MARGIN, y + _ABOVE_LEGEND) for item in described]
        y += _ABOVE_LEGEND + below
        across = max(across, reach)
    rounded = tuple(moved(item, 0.0, 0.0, digits=2) for item in items)
    return Scene(round(across + 2 * _MARGIN, 2), round(y + _MARGIN, 2), rounded, title=graph.name)


def _frames(graph: Graph, row: Row) -> list[tuple[Rect, Frame]]:
    """What is around the volumes of each frame, outermost first."""
    found: list[tuple[Rect, Frame]] = []
    for frame in graph.frames:
        inside = {n for n in row.placed if frame.id in graph.nodes[n].frames}
        if inside:
            deeper = {len(graph.nodes[n].frames) - 1 - graph.nodes[n].frames.index(frame.id) for n in inside}
            pad = FRAME * (1 + max(deeper)) - 1.0
            bounds = around(r for run, r in zip(row.runs, row.wholes, strict=True) if inside & set(run))
            found.append((Rect(bounds.left - pad, bounds.top - pad, bounds.right + pad, bounds.bottom + pad), frame))
    return found


def _against(graph: Graph, rows: Sequence[Row], found: Sequence[Sequence[Drawn]]) -> dict[int, tuple[Edge, ...]]:
    """By its target, every tensor that no line brings as the two volumes stand right against each other."""
    drawn = {link for row in found for each in row for link in each.path.states}
    beside = {pair for row in rows for run in row.runs for pair in pairwise(run)}
    left = [e for e in graph.edges if e not in drawn and (e.source, e.target) in beside]
    return {target: tuple(e for e in left if e.target == target) for target in dict.fromkeys(e.target for e in left)}


def _row_items(
    graph: Graph,
    row: Row,
    drawn: Sequence[Drawn],
    frames: Sequence[tuple[Rect, Frame]],
    against: Mapping[int, tuple[Edge, ...]],
    letters: Letters,
) -> list[Item]:
    """What lies below first: frames, lines under volumes, volumes from left to right, the other lines, texts."""
    items: list[Item] = [
        Box(
            *(r.left, r.top, r.right - r.left, r.bottom - r.top),
            *("frame", 3.0),
            title=frame.name,
            states=Stated(-1, frame.id, frame.repeats),
        )
        for r, frame in frames
    ]
    items += [d.path for d in drawn if d.below]
    names = box_names(graph)
    for placed in sorted(row.placed.values(), key=lambda p: (p.x, p.solid.node)):
        node = graph.nodes[placed.solid.node]
        title = f"{node.name}: {describe(node)}, {', '.join(shape_texts(node))}"
        times, touched = own_repeats(graph, node), against.get(node.id, ())
        states = Stated(node.id, repeats=times, symbol=placed.solid.symbol, against=touched)
        items += volume_items(placed, letters, names[node.id], title, states)
    items += [d.path for d in drawn if not d.below]
    return [*items, *row.texts]
