"""A convolution or dense layer, its normalization and its activation as one box."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from .. import checks
from .graph import Graph, Node, a_graph, activation_of, changed, leaves, mark_edges, predecessors, successors
from .rewrite import box, common_prefix, contract

# What a unit may be, each layer a letter: padding, convolution or dense layer, norm, activation, pooling, sum.
_UNIT = re.compile("P?C(NA?|AN?)?|NAP?C|AP?CN?|NA|PL|SA")
_MOST = 5
_CORES: Mapping[str, str] = {"conv": "C", "dense": "C", "pool": "L", "add": "S"}


@checks.public
def fuse(graph: Graph) -> Graph:
    """Draw each convolution or dense layer together with what belongs to it, as one node of kind `Unit`.

    That is the zero padding before it, and the normalization and the activation behind it (in either order) or, in
    pre-activation order, in front of it, as long as nothing else reads what goes between them. A pooling takes its
    padding, a sum its activation. The node has the role and the attributes of the layer that it is built around, the
    activation among them, and all layers in `inner`. A block that holds no more than that becomes such a node too.

    >>> import keras
    >>> x = keras.Input((8, 8, 3), name="image")
    >>> y = keras.layers.Conv2D(4, 3, strides=2, name="conv1")(x)
    >>> y = keras.layers.BatchNormalization(name="bn1")(y)
    >>> y = keras.layers.ReLU(name="relu1")(y)
    >>> from layerblocks.graphs import read_graph
    >>> from layerblocks.viz.texts.layer_labels import describe
    >>> describe(fuse(read_graph(keras.Model(x, y))).nodes[1])
    '3×3 conv, 4, /2 + BN + ReLU'
    """
    a_graph(graph)
    groups = _units(graph)
    whole = _whole_names(graph, groups)

    def unit(part: Graph, members: Sequence[int]) -> Node:
        first = part.nodes[members[0]]
        if len(members) > 1:
            core = next((part.nodes[m] for m in members if _is_core(part.nodes[m])), first)
            return _dressed(box(part, members, whole.get(groups[first.id], core.path), first.frames))
        letters = _letters(first)
        if first.inner is None and letters == "CA":  # a layer with an activation of its own
            return _dressed(box(part, members, first.path, first.frames))
        return _dressed(first) if first.kind == "Block" and _is_unit(letters) else first

    return mark_edges(contract(graph, groups, unit))


def _letters(node: Node) -> str:
    """What a node brings into a unit; something that no unit has where it is anything else."""
    if node.repeats > 1:
        return "?"
    if node.inner is not None:
        return "".join(map(_letters, node.inner.nodes)) if node.kind == "Unit" or _is_chain(node.inner) else "?"
    if node.role in _CORES and (node.role != "add" or len(node.inputs) > 1):
        return _CORES[node.role] + ("A" if node.role != "add" and activation_of(node) else "")
    if node.role == "norm" and not node.kind.startswith("LocalResponse"):
        return "N"
    if node.role == "activation" and len(node.inputs) == 1:
        return "A"
    return "P" if node.kind.startswith("ZeroPadding") else "?"


def _is_chain(graph: Graph) -> bool:
    """Whether every node but the last is read by the next one only, and nothing comes or leaves on the way."""
    last = len(graph.nodes) - 1
    steps = sorted((e.source, e.target) for e in graph.edges)
    leaving = all(output.source == last for output in graph.outputs)
    return leaving and steps == list(pairwise(range(last + 1))) and all(entry.target == 0 for entry in graph.entries)


def _is_core(node: Node) -> bool:
    return any(letter in "CLS" for letter in _letters(node))


def _is_unit(letters: str) -> bool:
    """Whether a block of these layers is a unit, around something."""
    return _UNIT.fullmatch(letters) is not None and any(letter in "CLS" for letter in letters)


def _dressed(node: Node) -> Node:
    """The node with the role and attributes of its core, and the activation that it has."""
    layers = list(leaves(node))
    core = next((n for n in layers if _is_core(n)), layers[0])
    activation = next(filter(None, map(activation_of, layers)), None)
    attributes = dict(core.attributes) | ({"activation": activation} if activation else {})
    return changed(node, kind="Unit", role=core.role, attributes=tuple(attributes.items()), call=core.call)


def _units(graph: Graph) -> list[int]:
    """For each node the number of the first one of its unit."""
    links = _links(graph)
    letters = [_letters(node) for node in graph.nodes]
    covers = _covers(graph)
    group = list(range(len(graph.nodes)))
    behind = set(links.values())
    for start in range(len(graph.nodes)):
        if start in behind:
            continue
        way = [start]
        while way[-1] in links:
            way.append(links[way[-1]])
        i = 0
        while i < len(way):
            length = next(
                (
                    n
                    for n in range(min(_MOST, len(way) - i), 1, -1)
                    if _UNIT.fullmatch("".join(letters[step] for step in way[i : i + n]))
                    and frozenset(way[i : i + n]) not in covers
                ),
                1,
            )
            for step in way[i : i + length]:
                group[step] = way[i]
            i += length
    return group


def _links(graph: Graph) -> dict[int, int]:
    """From each node to the one that alone reads it and reads nothing else, where both lie in one place."""
    onward, backward = successors(graph), predecessors(graph)
    leaving = {output.source for output in graph.outputs}
    return {
        number: targets[0]
        for number, targets in enumerate(onward)
        if len(targets) == 1
        and number not in leaving
        and len(backward[targets[0]]) == 1
        and _near(graph.nodes[number], graph.nodes[targets[0]])
    }


def _near(a: Node, b: Node) -> bool:
    """Whether two neighbours lie in the same block, or one in the block around the other."""
    if a.head != b.head or a.frames != b.frames:
        return False
    outer, inner = sorted((a.path[:-1], b.path[:-1]), key=len)
    return outer == inner or (bool(outer) and inner[: len(outer)] == outer)


def _covers(graph: Graph) -> set[frozenset[int]]:
    """What stands in each frame: somebody wants to see it open."""
    inside: dict[int, list[int]] = {}
    for node in graph.nodes:
        for frame in node.frames:
            inside.setdefault(frame, []).append(node.id)
    return {frozenset(members) for members in inside.values()}


def _whole_names(graph: Graph, groups: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The name that the layers of a unit share, for each unit that holds all layers of that name."""
    shared: dict[int, tuple[str, ...]] = {}
    for node, group in zip(graph.nodes, groups, strict=True):
        shared[group] = common_prefix(shared.get(group, node.path[:-1]), node.path[:-1])
    bearers = Counter(n.path[:k] for n in graph.nodes for k in range(1, len(n.path) + 1))
    sizes = Counter(groups)
    return {group: path for group, path in shared.items() if path and bearers[path] == sizes[group]}
