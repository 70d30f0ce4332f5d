"""A graph as a Mermaid flowchart, which GitHub draws in a README."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ... import checks
from ...graphs.graph import Frame, Graph, Node
from ..lines import line_roles
from ..theme import DEFAULT, Theme
from .differences import descriptions
from .layer_labels import parameters_text, shape_texts

_DIRECTIONS = ("TB", "LR", "BT", "RL")
# The outline of a box by its role: what it is can be seen without colour.
_OUTLINES: Mapping[str, tuple[str, str]] = {
    "input": ("([", "])"),
    "pool": ("(", ")"),
    "activation": ("(", ")"),
    "merge": ("{{", "}}"),
    "add": ("{{", "}}"),
    "model": ("[[", "]]"),
}
_ARROWS: Mapping[str, str] = {
    "aux": "-.->",
    "skip": "-->|skip|",
    "concat": "-->|skip|",
    "side": "-->|skip output|",
    "projection": "-->|projection|",
    "padded": "-->|zero-padded skip|",
}
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
# What would be a mark of Mermaid's, of HTML's or of Markdown's; and what looks like an item of a list.
_MARKS = re.compile(r'[#&<>"%$:`*~\\\[\]]|(?<!\w)_|_(?!\w)|^\d+[.)]|^[-+](?=\s)')


@checks.public
def mermaid(graph: Graph, *, direction: str = "TB", theme: Theme = DEFAULT) -> str:
    """A flowchart in Mermaid, for a README: blocks as boxes, frames as subgraphs, auxiliary heads dashed.

    Args:
        graph: a graph, such as `overview(read_graph(model))`.
        direction: from where to where: TB (top to bottom), LR, BT or RL.
        theme: the colours.

    Raises:
        ValueError: an unknown direction.

    >>> from layerblocks.graphs import Edge
    >>> nodes = (Node(0, ("image",), "InputLayer", "input"), Node(1, ("stem",), "Conv2D", "conv"))
    >>> print(mermaid(Graph("net", "Functional", nodes, (Edge(0, 1),))))
    flowchart TB
      n0(["image"]):::input
      n1["stem<br/>conv"]:::conv
      n0 --> n1
      classDef input fill:#FFFFFF,stroke:#...,color:#000000
      classDef conv fill:#...,stroke:#...,color:#000000
    """
    checks.instance("graph", graph, Graph, "a Graph, such as read_graph(model) gives")
    checks.instance("theme", theme, Theme, "a Theme")
    direction = checks.choice("direction", direction, _DIRECTIONS)
    lines = [f"flowchart {direction}", *_boxes(graph, list(graph.nodes), (), descriptions(graph))]
    roles = line_roles(graph)
    lines += [f"  n{e.source} {_ARROWS.get(roles[e], '-->')} n{e.target}" for e in graph.edges]
    for role in dict.fromkeys(map(_role, graph.nodes)):
        paint = theme.paint(role)
        dashes = ",stroke-dasharray:5 3" if paint.border in ("dashed", "dotted") else ""
        lines.append(f"  classDef {role} fill:{paint.fill},stroke:{paint.line},color:#000000{dashes}")
    return "\n".join(lines)


def _role(node: Node) -> str:
    return "aux" if node.head is not None else node.role


def _boxes(graph: Graph, nodes: Sequence[Node], around: tuple[int, ...], described: Sequence[str]) -> Iterator[str]:
    """The boxes, those of a frame in a subgraph, where the first of them stands."""
    margin = "  " * (len(around) + 1)
    opened: set[int] = set()
    for node in nodes:
        if len(node.frames) == len(around):
            left, right = _OUTLINES.get(node.role, ("[", "]"))
            yield f'{margin}n{node.id}{left}"{_label(graph, node, described[node.id])}"{right}:::{_role(node)}'
            continue
        frame = node.frames[len(around)]
        if frame in opened:
            continue
        opened.add(frame)
        within = (*around, frame)
        yield f'{margin}subgraph f{frame} ["{_title(graph.frames[frame])}"]'
        yield from _boxes(graph, [n for n in nodes if n.frames[: len(within)] == within], within, described)
        yield f"{margin}end"


def _title(frame: Frame) -> str:
    return _escaped(frame.name) + (f" × {frame.repeats}" if frame.repeats > 1 else "")


def _label(graph: Graph, node: Node, described: str) -> str:
    """Name, what it is, shape and parameters, a line each."""
    around = len(graph.frames[node.frames[-1]].path) if node.frames else 0
    name = ".".join(node.path[around:]) or node.name
    loss = next((o.loss_weight for o in graph.outputs if o.source == node.id and o.loss_weight is not None), None)
    words = "" if node.role == "input" else described
    numbers = [", ".join(shape_texts(node)), parameters_text(node)]
    lines = [
        name + (f" × {node.repeats}" if node.repeats > 1 else ""),
        "" if words == node.path[-1] else words,
        " · ".join(numbers if node.parameters else numbers[:1]),
        f"loss × {loss:g}" if loss not in (None, 1) else "",
    ]
    return "<br/>".join(_escaped(line) for line in lines if line) or " "


def _escaped(text: str) -> str:
    r"""Any text, safe between quotation marks.

    >>> _escaped('a <b> "c" #1')
    'a #lt;b#gt; #quot;c#quot; #35;1'
    """
    names = {"&": "amp", "<": "lt", ">": "gt", '"': "quot"}
    plain = " ".join(_NOT_TEXT.sub(" ", text).split())
    return _MARKS.sub(lambda m: "".join(f"#{names.get(c, ord(c))};" for c in m[0]), plain) or " "
