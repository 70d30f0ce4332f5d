"""What the boxes, lines and frames of a figure say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Literal, get_args

from ... import checks
from ...graphs.graph import Graph, Node
from ...graphs.rules import field_words
from ..texts.layer_labels import count_text, describe, shape_text
from .box_text import Content
from .series_parallel import Frames, frames_around, named

_SPAN = re.compile(r"\b(\D*)(\d+)–\1(\d+)")
Fact = Literal["shape", "parameters", "multiply_adds", "receptive_field", "dtype"]
SHOW: tuple[Fact, ...] = get_args(Fact)
Say = Callable[[Node], "str | Sequence[str] | None"]


def contents(
    graph: Graph,
    show: Sequence[str],
    around: Sequence[Frames] | None = None,
    *,
    shapes_inside: bool = False,
    say: Say | None = None,
    tags: Mapping[str, str] | None = None,
) -> list[Content]:
    """What each box says: its name beyond those of the frames around it, what it is, and the numbers asked for."""
    around = frames_around(graph) if around is None else around
    weights = {output.source: output.loss_weight for output in graph.outputs}
    of_head: dict[str | None, int] = {}
    for node in graph.nodes:
        of_head[node.head] = of_head.get(node.head, 0) + 1
    found = []
    for node in graph.nodes:
        name = _name(node, named(around[node.id]))
        words = _words(node, of_head[node.head] == 1)
        loss = _loss(node, weights)
        lines: Sequence[str] = [word for word in (words, loss) if word]
        if node.head is None:
            lines = [", ".join(lines)] if lines else []
        lines = [line.replace("+ ", "+\xa0").replace(", /", ",\xa0/") for line in lines]  # to be broken elsewhere
        facts = _facts(node, show, shapes_inside)
        if say is not None and (said := _said(say, node)) is not None:
            name, lines, facts = (said[0] if said else ""), said[1:], []
        found.append(
            Content(
                name,
                tuple(lines),
                tuple(facts),
                node.repeats // max(1, prod(frame.repeats for frame in around[node.id])),
                (tags or {}).get(node.name, ""),
                "aux" if node.head is not None else node.role,
                _title(node),
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


def _words(node: Node, lone_head: bool) -> str:
    """What a box is, unless its name says so."""
    if node.role == "input":
        return ""
    if node.head is not None and lone_head:
        return "" if node.name.lower().startswith("aux") else "aux head"
    words = describe(node)
    return "" if words == node.path[-1] else words


def _loss(node: Node, weights: Mapping[int, float | None]) -> str:
    """`loss × 0.3` on what makes an output; a main output's weight of 1 goes without saying."""
    weight = weights.get(node.id)
    return "" if weight is None or (weight == 1 and node.head is None) else f"loss\xa0×\xa0{weight:g}"


def _facts(node: Node, show: Sequence[str], shapes_inside: bool) -> list[tuple[str, ...]]:
    """The numbers, each in full and, where that says as much, shorter."""
    found: list[tuple[str, ...]] = []
    for what in show:
        if what == "shape" and shapes_inside and node.outputs:
            found.append((", ".join(map(shape_text, node.outputs)),))
        elif what == "parameters" and (count := node.parameters):
            found.append((f"{count_text(count)} params", f"{short_count(count)} params"))
        elif what == "multiply_adds" and node.multiply_adds:
            found.append((f"{short_count(node.multiply_adds)} mult-adds",))
        elif what == "receptive_field" and node.receptive_field and node.role != "input":
            found.append((f"sees {field_words(node.receptive_field)}",))
        elif what == "dtype" and node.dtypes and node.role != "input":
            found.append((", ".join(dict.fromkeys(node.dtypes)),))
    return found


def short_count(number: int) -> str:
    """A number in three digits: `1.23 M`, with a no-break space.

    >>> short_count(118013952)
    '118\xa0M'
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            value = number / size
            return (
                f"{value:.0f}\xa0{unit}"
                if value >= 100
                else f"{value:.1f}\xa0{unit}"
                if value >= 10
                else f"{value:.2f}\xa0{unit}"
            )
    return str(number)


def _title(node: Node) -> str:
    """For a reader who points at the box: what it stands for, and what comes out."""
    name = f"{node.members[0]} to {node.members[-1]}" if len(node.members) > 1 else node.name
    shapes = ", ".join(map(shape_text, node.outputs))
    return "; ".join(
        filter(None, (name, shapes, f"{count_text(node.parameters)} parameters" if node.parameters else ""))
    )


def tensor_labels(graph: Graph, show: Sequence[str]) -> dict[tuple[int, int], str]:
    """The shape of every tensor, by where it comes from; nothing if shapes are not asked for."""
    if "shape" not in show:
        return {}
    return {(node.id, port): shape_text(shape) for node in graph.nodes for port, shape in enumerate(node.outputs)}
