"""What the boxes, lines and frames of a figure say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Literal, get_args

from ... import checks
from ...graphs.graph import Graph, Node, Output, activation_of, leaves
from ...graphs.rules import field_words
from ..symbols import drawn_role, sign_of, without_symbol
from ..texts.differences import descriptions
from ..texts.layer_labels import count_text, each_text, is_shared, shape_texts
from .box_text import Content
from .series_parallel import Frames, named

_SPAN = re.compile(r"\b(\D*)(\d+)–\1(\d+)")
Fact = Literal["shape", "parameters", "multiply_adds", "receptive_field", "dtype", "trainable"]
SHOW: tuple[Fact, ...] = get_args(Fact)
Say = Callable[[Node], "str | Sequence[str] | None"]


def contents(
    graph: Graph,
    show: Sequence[str],
    around: Sequence[Frames],
    shapes_inside: bool,
    say: Say | None,
    tags: Mapping[str, str],
    names: bool = True,
) -> list[Content]:
    """What each box says: what it is, its name beyond those of the frames around it, and the numbers asked for.

    What is nothing but its name says that; `names` are left out otherwise if they are not wanted.
    """
    kept = unchanged(graph)
    found = []
    for node, said_of in zip(graph.nodes, words(graph, signs=True), strict=True):
        name = _name(node, named(around[node.id]))
        lines: Sequence[str] = said_of
        if node.head is None:
            lines = [", ".join(lines)] if lines else []
        lines = [line.replace("+ ", "+\xa0").replace(" /", "\xa0/") for line in lines]
        lines = [re.sub(r", (\d+)$", ",\xa0\\1", line) for line in lines]  # to be broken elsewhere
        own = node.repeats // max(1, prod(frame.repeats for frame in around[node.id]))
        facts = _facts(node, show, shapes_inside and node.id not in kept)
        notes: Sequence[str] = [name] if name and (names or node.head is not None) else []
        if not lines and not sign_of(node):
            lines, notes = [name], []
        if say is not None and (said := _said(say, node)) is not None:
            lines, notes, facts = said[:1], said[1:], []
        found.append(
            Content(
                tuple(lines),
                tuple(notes),
                tuple(facts),
                own,
                tags.get(node.name, ""),
                drawn_role(node),
                _title(node),
                sign_of(node),
            )
        )
    return found


def box_names(graph: Graph) -> list[str]:
    """A name for every box, unlike all others: calls of a shared layer are numbered."""
    taken: dict[str, int] = {}
    found = []
    for node in graph.nodes:
        taken[node.name] = taken.get(node.name, 0) + 1
        found.append(node.name if taken[node.name] == 1 else f"{node.name} ({taken[node.name]})")
    return found


def _said(say: Say, node: Node) -> list[str] | None:
    """The lines that a caller's `label` gives for a node."""
    said: Any = say(node)
    if said is None:
        return None
    lines = [said] if isinstance(said, str) else said
    if not isinstance(lines, list | tuple) or not all(isinstance(line, str) for line in lines):
        raise checks.refuse(f"what label gives for {node.name!r}", said, "text, a list of texts, or None", TypeError)
    return [part for line in lines for part in line.split("\n")]


def _name(node: Node, framed: int) -> str:
    """Its name beyond those of the frames around it; `block2–6` for equal neighbours."""
    name = ".".join(node.path[framed:]) or node.name
    return _SPAN.sub(r"\1\2–\3", name)


UNREAD = "inside not known"


def words(graph: Graph, signs: bool = False) -> list[list[str]]:
    """What each box is, unless its name says so, and `loss × 0.3` if it makes an output of that weight.

    So is what is one box only because its inside could not be read. A main output's weight of 1 goes without saying;
    so does what joins several tensors where `signs` of it are drawn.
    """
    weights = {output.source: output.loss_weight for output in graph.outputs}
    of_head = Counter(node.head for node in graph.nodes)
    found = []
    for node, described in zip(graph.nodes, descriptions(graph), strict=True):
        if node.role == "input":
            kind = ""
        elif node.head is not None and of_head[node.head] == 1:
            kind = "classifier" if _classifies(node) else "head"
            kind = kind if node.name.lower().startswith("aux") else f"aux {kind}"
        else:
            kind = without_symbol(described) if signs and sign_of(node) else described
        weight = weights.get(node.id)
        said = weight is not None and (weight != 1 or node.head is not None)
        loss = f"loss\xa0×\xa0{weight:g}" if said else ""
        closed = UNREAD if node.closed else ""
        found.append([word for word in (kind if kind != node.path[-1] else "", closed, loss) if word])
    return found


def _classifies(node: Node) -> bool:
    """Whether what a head gives are the shares of classes: of a dense layer, through a softmax."""
    layers = [leaf for leaf in leaves(node) if leaf.role != "dropout"]
    return any(leaf.role == "dense" for leaf in layers) and str(activation_of(layers[-1])).lower() == "softmax"


def _facts(node: Node, show: Sequence[str], shapes_inside: bool) -> list[tuple[str, ...]]:
    """The numbers, each in full and, where that says as much, shorter."""
    found: list[tuple[str, ...]] = []
    for what in show:
        if what == "shape" and shapes_inside and node.outputs:
            found.append((", ".join(shape_texts(node)),))
        elif what == "parameters" and (count := node.parameters):
            found.append(_parameters(node, count))
        elif what == "multiply_adds" and node.multiply_adds:
            found.append((f"{short_count(node.multiply_adds)} mult-adds",))
        elif what == "receptive_field" and node.receptive_field and node.role != "input":
            found.append((f"sees {field_words(node.receptive_field)}",))
        elif what == "dtype" and node.dtypes and node.role != "input":
            found.append((", ".join(dict.fromkeys(node.dtypes)),))
        elif what == "trainable" and (word := frozen_text(node)):
            found.append((word,))
    return found


def _parameters(node: Node, count: int) -> tuple[str, str]:
    """The parameters; of one of the equal neighbours that a box stands for, where it stands for several."""
    if node.repeats > 1 and not is_shared(node):
        return each_text(node), f"{short_count(count // node.repeats)} each ×{node.repeats}"
    shared = f" shared ×{node.repeats}" if node.repeats > 1 else ""
    return f"{count_text(count)} params{shared}", f"{short_count(count)} params{shared}"


def frozen_text(node: Node) -> str:
    """`frozen` for what is not trained, `partly frozen` for a block of which some is not; "" where all is."""
    trained = {leaf.trainable for leaf in leaves(node) if leaf.weights and leaf.trainable is not None}
    return {frozenset([False]): "frozen", frozenset([True, False]): "partly frozen"}.get(frozenset(trained), "")


def short_count(number: int) -> str:
    """A number in three digits: `1.23 M`, with a no-break space.

    >>> short_count(118013952)
    '118\xa0M'
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            value = number / size
            digits = 0 if value >= 100 else 1 if value >= 10 else 2
            return f"{value:.{digits}f}\xa0{unit}"
    return str(number)


def _title(node: Node) -> str:
    """For a reader who points at the box: what it stands for, and what comes out."""
    name = f"{node.members[0]} to {node.members[-1]}" if len(node.members) > 1 else node.name
    count = f"{count_text(node.parameters)} parameters" if node.parameters else ""
    count += f", {each}" if (each := each_text(node)) else ""
    return "; ".join(filter(None, (name, ", ".join(shape_texts(node)), count)))


def key_of(graph: Graph, output: Output) -> str:
    """What is written at the arrow of an output: its key, unless the box that it leaves is called so.

    Nothing is at those of the inside of a block, nor at the only output where that is just called `main`.
    """
    node = graph.nodes[output.source]
    told = output.key in (node.name, node.path[-1]) or (output.key == "main" and len(graph.outputs) == 1)
    return "" if told or graph.kind == "Block" else output.key


def tensor_labels(graph: Graph, show: Sequence[str]) -> dict[tuple[int, int], str]:
    """The shape of every tensor where it changes, by where it comes from; nothing if shapes are not asked for."""
    if "shape" not in show:
        return {}
    kept = unchanged(graph)
    changing = [node for node in graph.nodes if node.id not in kept]
    return {(node.id, port): text for node in changing for port, text in enumerate(shape_texts(node))}


def unchanged(graph: Graph) -> set[int]:
    """The boxes that return tensors of the shapes that they get: all known, and none of them another."""
    inside = {edge.target for edge in graph.edges}

    def keeps(node: Node) -> bool:
        shapes = {*node.outputs, *node.inputs}
        return node.id in inside and len(shapes) == 1 and None not in next(iter(shapes))[1:]

    return {node.id for node in graph.nodes if node.outputs and node.inputs and keeps(node)}
