"""Unknown sizes of feature maps, as shares of the unknown sizes of the inputs: `H/2` by `W/2`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd

from .graph import Graph, Node, Scale, Shape, changed
from .rules import Along, PerOutput, Reads, Regrouped, Unknown

_LETTERS = {1: "T", 2: "HW", 3: "DHW"}
_Scales = tuple[Scale | None, ...]


def with_scales(graph: Graph) -> Graph:
    """Say of every layer what its unknown sizes are, where each follows one of an input.

    >>> import keras
    >>> x = keras.Input((None, None, 3), name="x")
    >>> y = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="a")(x)
    >>> from layerblocks.graphs import read_graph
    >>> [str(scale) for scale in read_graph(keras.Model(x, y)).nodes[1].scales]
    ['None', 'H/2', 'W/2', 'None']
    """
    if not any(None in shape[1:] for node in graph.nodes for shape in node.outputs):
        return graph
    inputs = [n for n in graph.nodes if n.role == "input" and n.outputs and None in n.outputs[0][1:]]
    sources: list[list[tuple[int, int, int]]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        sources[edge.target].append((edge.target_port, edge.source, edge.source_port))
    first = any(node.get("data_format") == "channels_first" for node in graph.nodes)
    found: list[_Scales] = []
    for node, before in zip(graph.nodes, sources, strict=True):
        if node in inputs:
            which = str(inputs.index(node) + 1) if len(inputs) > 1 else ""
            found.append(_of_input(node.outputs[0], first, which))
        else:
            # What another output than the first is as large as, nobody says.
            read = [found[source] if not port else () for _, source, port in sorted(before)]
            found.append(_of_layer(node, read))
    nodes = (changed(n, scales=s) if any(s) else n for n, s in zip(graph.nodes, found, strict=True))
    return changed(graph, nodes=tuple(nodes))


def _of_input(shape: Shape, first: bool, which: str) -> _Scales:
    positions = range(2, len(shape)) if first and len(shape) > 3 else range(1, max(2, len(shape) - 1))
    letters = _LETTERS.get(len(positions), "")
    if len(positions) == 3 and None not in [shape[axis] for axis in positions[1:]]:
        letters = "T"  # of a video
    named = {axis: letter for axis, letter in zip(positions, letters, strict=False) if shape[axis] is None}
    return tuple(Scale(f"{named[axis]}{which}") if axis in named else None for axis in range(len(shape)))


def _of_layer(node: Node, read: Sequence[_Scales]) -> _Scales:
    if not node.outputs or None not in node.outputs[0][1:]:
        return ()
    followed: dict[int, list[Scale | None]] = {}
    for number, scales in enumerate(read):
        for axis, to, reads in _ways(node, number):
            if axis < len(scales):
                scale = scales[axis]
                followed.setdefault(to, []).append(None if scale is None else _scaled(scale, reads))
    return tuple(
        found[0] if size is None and axis and (found := followed.get(axis)) and len(set(found)) == 1 else None
        for axis, size in enumerate(node.outputs[0])
    )


def _ways(node: Node, number: int) -> Iterator[tuple[int, int, Reads | None]]:
    """Which axes of an input which axes of the output follow, and through which window."""
    windows = node.windows.each[0] if isinstance(node.windows, PerOutput) else node.windows
    if windows is None or isinstance(windows, Unknown):
        return
    if isinstance(windows, Regrouped):
        for before, after, _ in windows.groups:
            if len(before) == len(after) == 1:
                yield before[0], after[0], None
        return
    along: Sequence[Along] = windows[number] if number < len(windows) else ()
    for axis, each in enumerate(along):
        if each.axis is not None and (each.reads is None or each.reads.follows):
            yield axis, each.axis, each.reads


def _scaled(scale: Scale, reads: Reads | None) -> Scale:
    if reads is None:
        return scale
    times, over = scale.times * reads.per, scale.over * abs(reads.step)
    shared = gcd(times, over)
    exact = scale.exact and 1 <= reads.least <= abs(reads.step)
    return Scale(scale.of, times // shared, over // shared, exact)
