"""A whole network in as many boxes as a figure has room for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal

from .. import checks
from .fusing import fuse
from .graph import Graph, a_graph
from .grouping import group
from .repeats import fold as fold_equal
from .rewrite import closed_paths, strip_common_prefix, without_bare_wrappers, without_masks
from .rewrite import collapse as collapsed


@checks.public
def overview(
    graph: Graph,
    depth: Literal["auto"] | int | None = "auto",
    max_boxes: int = 40,
    expand: str | Collection[str] = (),
    fold: bool = True,
    collapse: str | Collection[str] = (),
) -> Graph:
    """Draw a network together: layers as blocks, convolution, norm and activation as one box, equal neighbours as one.

    Args:
        graph: what `read_graph(model, expand_nested=True)` gives.
        depth: 1 for outermost blocks, 2 for one level further in, …; None for layers, fused; "auto" for the deepest
            level that has at most `max_boxes` boxes, or 1 if none has.
        max_boxes: how many boxes "auto" may take.
        expand: the names of blocks, or one, that are opened one level further in than the others, each in a frame of
            its name; of nested blocks, too. If it is one of several equal neighbours, all are, in one frame that says
            how many.
        fold: whether equal neighbours become one box.
        collapse: the names of blocks, or one, that stay one box at every depth.

    Raises:
        ValueError, TypeError: `expand` or `collapse` names no block; `depth` or `max_boxes` is none.

    >>> import keras
    >>> x = y = keras.Input((8,), name="x")
    >>> for i in range(1, 4):
    ...     y = keras.layers.Dense(8, name=f"block{i}.dense")(y)
    ...     y = keras.layers.ReLU(name=f"block{i}.activation")(y)
    >>> from layerblocks.graphs import read_graph
    >>> [node.name for node in overview(read_graph(keras.Model(x, y)), depth=1).nodes]
    ['x', 'block1–block3']
    """
    depth = checks.depth_or_auto(depth)
    if depth == "auto":
        return next(overviews(graph, max_boxes, expand, fold, collapse))
    _, expand, fold, collapse = _checked(graph, max_boxes, expand, fold, collapse)
    return _at(by_dotted_names(graph, (*expand, *collapse)), depth, expand, fold, collapse)


def overviews(
    graph: Graph,
    max_boxes: int = 40,
    expand: str | Collection[str] = (),
    fold: bool = True,
    collapse: str | Collection[str] = (),
) -> Iterator[Graph]:
    """The overviews of a network from the finest on: all of at most `max_boxes`, and that of the outermost blocks."""
    max_boxes, expand, fold, collapse = _checked(graph, max_boxes, expand, fold, collapse)
    named = by_dotted_names(graph, (*expand, *collapse))
    found: list[Graph] = []
    for deeper in range(2, max((len(node.path) for node in named.nodes), default=1) + 1):
        finer = _at(named, deeper, expand, fold, collapse)
        if len(finer.nodes) <= max_boxes:
            found.append(finer)
        if all(node.kind != "Block" for node in finer.nodes):
            break
    yield from reversed(found)
    yield _at(named, 1, expand, fold, collapse)


def by_dotted_names(graph: Graph, named: Collection[str] = ()) -> Graph:
    """The network with the dotted names by which it is drawn together; blocks of the names given are among them."""
    return strip_common_prefix(group(without_bare_wrappers(without_masks(graph), named)))


_Checked = tuple[int, tuple[str, ...], bool, tuple[str, ...]]


def _checked(graph: object, max_boxes: object, expand: object, fold: object, collapse: object) -> _Checked:
    """What was given besides the graph, converted."""
    a_graph(graph)
    names, kept = checks.names("expand", expand), checks.names("collapse", collapse)
    return checks.integer("max_boxes", max_boxes), names, checks.flag("fold", fold), kept


def _at(graph: Graph, depth: int | None, expand: Collection[str], fold: bool, collapse: Collection[str]) -> Graph:
    """The overview at one depth."""
    if depth is None:
        depth = max((len(node.path) for node in graph.nodes), default=1)
    closed_paths("collapse", graph, collapse, expand)  # that there are
    drawn = _drawn(graph, depth, (), fold, collapse)
    if not expand:
        return drawn
    return _drawn(graph, depth, _with_neighbours(graph, drawn, expand, fold), fold, collapse)


def _with_neighbours(graph: Graph, drawn: Graph, expand: Collection[str], fold: bool) -> list[str]:
    """The blocks to open, with those that each is folded with; `drawn` is the overview with none open."""
    depths = {".".join(n.path[:k]): k for n in graph.nodes for k in range(1, len(n.path))}
    folded = {node.name: node.members for node in drawn.nodes if node.members}
    levels: dict[int, Graph] = {}
    wanted: dict[str, None] = {}
    for name in expand:
        names = folded.get(name, (name,))
        if names[0] not in depths:
            raise checks.unknown("expand", name, [*depths, *folded])
        for each in filter(depths.__contains__, names):
            depth = depths[each]
            if depth not in levels:
                levels[depth] = _drawn(graph, depth, (), fold)
            equal = next((node.members for node in levels[depth].nodes if each in node.members), (each,))
            wanted |= dict.fromkeys(filter(depths.__contains__, equal))
    return list(wanted)


def _drawn(graph: Graph, depth: int, expand: Collection[str], fold: bool, closed: Collection[str] = ()) -> Graph:
    drawn = fuse(collapsed(graph, depth, expand, closed))
    return fold_equal(drawn) if fold else drawn
