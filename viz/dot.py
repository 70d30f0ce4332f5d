"""From a graph to Graphviz's DOT: layers as Keras draws them, or blocks as a paper shows them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import atan2, degrees, hypot
from types import MappingProxyType
from typing import Any

from ..extras import needs
from ..graphs.graph import Edge, Graph, Node, trunk_nodes
from .layouts.box_text import text_width
from .layouts.contents import words
from .layouts.graphviz_layout import MANY
from .layouts.keras_tables import Cell, Options, model_frames, name_within, table_rows
from .layouts.series_parallel import Frames, frames_around, named, title_of
from .texts.layer_labels import count_text, each_text, is_shared, shape_text, shape_texts
from .theme import Paint, Theme

# -- text -------------------------------------------------------------------------------------------------------------

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\\": "\\\\", "\t": " ", "\r": " "}


def escape(text: str) -> str:
    r"""Any text, safe inside a label: Graphviz reads entities, backslash sequences (`\N`) and XML in it.

    >>> print(escape('a<b> & "c" \\N'))
    a&lt;b&gt; &amp; &quot;c&quot; \\N
    """
    return "".join(_ENTITIES.get(letter, letter) for letter in _NOT_XML.sub("\ufffd", text))


def html(text: str) -> str:
    """Any text for an HTML-like label; line breaks stay."""
    return "<BR/>".join(map(escape, text.split("\n")))


def quoted(text: str) -> str:
    """Any text as a quoted label."""
    return '"' + escape(text).replace("\n", "\\n") + '"'


def identifier(text: str) -> str:
    """A name for the graph itself, which cannot hold every character; Graphviz reads entities in it."""
    return '"' + re.sub(r'["\\\s]', "_", _NOT_XML.sub("_", text)).replace("&", "&amp;") + '"'


_WIDEST = "DejaVu Sans"  # of the sans serifs in common use


def _width(text: str, size: float, bold: bool = False) -> float:
    """About how wide a line of text is, in points, and rather too wide than too narrow.

    Who draws the DOT may not have the font of the theme: boxes made to fit DejaVu Sans, the widest sans serif in common
    use, hold every other.
    """
    return text_width(text, size, bold, _WIDEST) * 1.03 + 1  # pixels are whole


# -- both kinds of figure ---------------------------------------------------------------------------------------------


# Names that every machine knows, of fonts that are as wide.
_FAMILIAR = {**dict.fromkeys(("arimo", "sans"), "Helvetica"), **dict.fromkeys(("tinos", "times", "serif"), "Times")}


def _font_name(theme: Theme) -> str:
    font = _FAMILIAR.get(theme.font.lower(), theme.font)
    return f'"{font}"' if re.search(r"\W", font) else font


Attributes = Mapping[str, object]


def _canvas(graph: Graph, options: Options, theme: Theme, subgraph: bool, extra: Attributes) -> Any:
    pydot = needs("pydot", extra="dot")
    if subgraph:
        return pydot.Cluster(
            re.sub(r"\W", "_", graph.name),
            style="dashed",
            label=quoted(graph.name),
            labeljust="l",
            fontname=_font_name(theme),
        )
    from .dot_classes import Dot

    dot = Dot(identifier(graph.name), graph_type="digraph")
    look = {"rankdir": options.rankdir, "dpi": options.dpi, "margin": 0, "fontname": _font_name(theme), **extra}
    for key, value in _attributes(look).items():
        dot.set(key, value)
    return dot


def _enclosing(frames: Frames, places: dict[Frames, Any], theme: Theme, prefix: str) -> Any:
    """The cluster of the innermost frame, made where it is not there yet."""
    if frames not in places:
        outer = _enclosing(frames[:-1], places, theme, prefix)
        times = f" ×{frames[-1].repeats}" if frames[-1].repeats > 1 else ""
        look = {
            "label": quoted((title_of(frames) + times).strip()),
            "labeljust": "l",
            "style": "dashed",
            "color": f'"{theme.frame}"',
            "penwidth": 0.6,
            "fontname": _font_name(theme),
            "fontsize": theme.name_size,
            "fontcolor": f'"{theme.edge_text}"',
            "margin": theme.side_gap * 0.6,
        }
        number = re.sub(r"\W", "_", f"{prefix}f{len(places)}")  # pydot puts `cluster_` before it, unquoted
        places[frames] = needs("pydot", extra="dot").Cluster(number, **_attributes(look))
        outer.add_subgraph(places[frames])
    return places[frames]


def _attributes(attributes: Attributes) -> dict[str, Any]:
    """Attributes as pydot expects them: numbers short, text quoted unless it is already."""
    return {key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in attributes.items()}


def _paint(paint: Paint) -> Attributes:
    style = "filled" if paint.border == "solid" else f'"filled,{paint.border}"'
    return {"style": style, "fillcolor": f'"{paint.fill}"', "color": f'"{paint.line}"', "penwidth": paint.width}


# How edges pull on the layout, and look, by role: a heavy one stays short and straight.
_EDGES: Mapping[str, Attributes] = {
    "trunk": {"weight": 100},
    "branch": {"weight": 2},
    "skip": {"weight": 1},
    "projection": {"weight": 2},
    "aux": {"weight": 1, "style": "dashed"},
}

# What keeps the trunk in one line.
_GROUP: Mapping[bool, Attributes] = {True: {"group": "trunk"}, False: {}}

# -- layers, as Keras draws them --------------------------------------------------------------------------------------


def layer_figure(graph: Graph, options: Options, theme: Theme, subgraph: bool = False) -> Any:
    """One table a layer, with the rows that `options` ask for; nested models in frames."""
    extra: dict[str, object] = {"splines": options.splines, "nodesep": 0.2, "ranksep": 0.25}
    if len(graph.nodes) > MANY:
        # Straightening needs time that grows with the square, and right angles with the cube.
        extra |= {"nslimit": 0, "splines": "spline" if options.splines == "ortho" else options.splines}
    dot = _canvas(graph, options, theme, subgraph, extra)
    dot.set_node_defaults(shape="plain", fontname=_font_name(theme))
    frames = model_frames(graph)
    looks = [
        {"label": _layer_label(node, name_within(node, around), options, theme)}
        for node, around in zip(graph.nodes, frames, strict=True)
    ]
    line = {"color": f'"{theme.edge}"', "arrowsize": 0.6}
    return _filled(dot, graph, subgraph, frames, theme, looks, lambda edge: {**line, **_EDGES[edge.role]})


def _filled(
    dot: Any,
    graph: Graph,
    subgraph: bool,
    frames: Sequence[Frames],
    theme: Theme,
    looks: Sequence[Attributes],
    line: Callable[[Edge], Attributes],
    beside: Mapping[int, int] = MappingProxyType({}),
) -> Any:
    """The canvas with every node in its frames, nodes that stand `beside` others on their rank, and every edge."""
    pydot = needs("pydot", extra="dot")
    prefix = identifier(graph.name)[1:-1] + "." if subgraph else ""
    trunk = set(trunk_nodes(graph))
    places: dict[Frames, Any] = {(): dot}
    for node, around, look in zip(graph.nodes, frames, looks, strict=True):
        place = _enclosing(around, places, theme, prefix)
        place.add_node(pydot.Node(_id(node.id, prefix), **_attributes({**look, **_GROUP[node.id in trunk]})))
    for number, source in beside.items():
        rank = pydot.Subgraph(f'"{prefix}beside{number}"', rank="same")
        for each in (source, number):
            rank.add_node(pydot.Node(_id(each, prefix)))
        dot.add_subgraph(rank)
    for edge in graph.edges:
        ends = (_id(end, prefix) for end in (edge.source, edge.target))
        dot.add_edge(pydot.Edge(*ends, **_attributes(line(edge))))
    return dot


def _id(number: int, prefix: str = "") -> str:
    return f'"{prefix}n{number}"' if prefix else f"n{number}"


def _layer_label(node: Node, name: str, options: Options, theme: Theme) -> str:
    rows = table_rows(node, name, options)
    most = max(map(len, rows))
    span = f' COLSPAN="{most}"' if most > 1 else ""
    body = "".join(f"<TR>{_row(row, span if len(row) < most else '', i, theme)}</TR>" for i, row in enumerate(rows))
    return (
        '<<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="4" '
        f'COLOR="{theme.paint(node.role).line}" BGCOLOR="white">{body}</TABLE>>'
    )


def _row(row: Sequence[Cell], span: str, number: int, theme: Theme) -> str:
    size = theme.text_size if number else theme.name_size
    texts = [_font("".join(_text(*run) for run in cell.runs), size) for cell in row]
    fills = [theme.paint(cell.role).fill for cell in row]
    return "".join(f'<TD{span} BGCOLOR="{fill}">{text}</TD>' for fill, text in zip(fills, texts, strict=True))


def _text(text: str, bold: bool) -> str:
    return f"<B>{html(text)}</B>" if bold else html(text)


def _font(content: str, size: float) -> str:
    return f'<FONT POINT-SIZE="{size:g}">{content}</FONT>'


# -- blocks, as a paper shows them ------------------------------------------------------------------------------------

Cells = tuple[tuple[str, str], tuple[str, str]]


def block_figure(graph: Graph, options: Options, theme: Theme, subgraph: bool = False) -> Any:
    """A column of boxes of one width for what everything passes; branches and auxiliary heads beside it."""
    trunk = set(trunk_nodes(graph))
    frames = frames_around(graph)
    beside = _beside(graph, frames)
    column = (
        options.rankdir == "TB"
        and not any(frames)
        and all(edge.role in ("trunk", "skip") or edge.target in beside for edge in graph.edges)
    )
    side_gap = max((_room(edge, theme) for edge in graph.edges if edge.target in beside), default=theme.side_gap / 2)
    extra = {
        # Graphviz cannot put labels on the right-angled lines that Keras asks for by default.
        "splines": "spline" if options.splines == "ortho" else options.splines,
        "nodesep": (side_gap if column else theme.side_gap) / 72,
        "ranksep": theme.layer_gap / 72,
        "pad": 0.02,
    }
    dot = _canvas(graph, options, theme, subgraph, extra)
    dot.set_node_defaults(shape="box", margin='"0.06,0.02"', width="0", height="0", fontname=_font_name(theme))
    dot.set_edge_defaults(**_attributes(_edge_defaults(theme)))
    cells = {n.id: _cells_of(n, named(frames[n.id]), said) for n, said in zip(graph.nodes, words(graph), strict=True)}
    widths = _columns([cells[number] for number in sorted(trunk)], theme)
    looks: list[Attributes] = []
    for node in graph.nodes:
        paint = _paint(theme.paint("aux" if node.head is not None else node.role))
        label = _wide(cells[node.id], widths, theme) if node.id in trunk else _narrow(cells[node.id], theme)
        looks.append({"label": label, **paint})

    def line(edge: Edge) -> Attributes:
        written = _beside_line(edge, theme, edge.target in beside) if column else _on_line(edge, options)
        side = "e" if options.rankdir in ("TB", "BT") else "s"  # where a skip leaves and arrives
        ports = {"tailport": side, "headport": side} if edge.role == "skip" else {}
        return {**_EDGES[edge.role], **ports, **written}

    return _filled(dot, graph, subgraph, frames, theme, looks, line, beside)


def _edge_defaults(theme: Theme) -> Attributes:
    text = {"fontname": _font_name(theme), "fontsize": theme.edge_size, "fontcolor": f'"{theme.edge_text}"'}
    tail = {f"label{key}": value for key, value in text.items()}
    return {**text, **tail, "color": f'"{theme.edge}"', "arrowsize": theme.arrow, "penwidth": 0.8}


def _on_line(edge: Edge, options: Options) -> Attributes:
    """The shape as a label that Graphviz finds room for; with curved lines it can only do so afterwards."""
    return {"xlabel" if options.splines == "curved" else "label": quoted(f"  {shape_text(edge.shape)}")}


def _beside_line(edge: Edge, theme: Theme, sideways: bool) -> Attributes:
    """The shape as a label right beside a straight edge, which needs no room between the boxes.

    Graphviz places such a label at an angle and a distance from where the edge begins.
    """
    text = shape_text(edge.shape)
    if edge.role == "skip":
        return {}  # its tensor goes down the column too, and is labelled there
    half = _width(text, theme.edge_size) / 2
    if sideways:
        ahead, left = half + 4, theme.edge_size * 0.72
    else:
        ahead, left = theme.layer_gap / 2, half + 4
    return {
        "taillabel": quoted(text),
        "labelangle": round(degrees(atan2(left, ahead)), 2),
        "labeldistance": round(hypot(ahead, left) / 10, 3),
    }


def _room(edge: Edge, theme: Theme) -> float:
    """The gap that the label of a sideways edge needs."""
    return _width(shape_text(edge.shape), theme.edge_size) + 7


def _cells_of(node: Node, framed: int, words: Sequence[str]) -> Cells:
    """Two lines of two cells: name and shape, kind and parameters. What stands on frames around it is not repeated."""
    name = ".".join(node.path[framed:])
    shape = ", ".join(shape_texts(node)) or "?"
    words = [*(node.dtypes if node.role == "input" else ()), *words]
    several = node.repeats > 1 and not is_shared(node)
    count = each_text(node) if several else f"{count_text(node.parameters)} params" if node.parameters else ""
    return (name, shape), (", ".join(words).replace("\xa0", " "), count)


def _columns(cells: Sequence[Cells], theme: Theme) -> tuple[float, float]:
    """How wide the two columns must be for every box of the trunk."""
    names = [_width(name, theme.name_size, bold=True) for (name, _), _ in cells]
    words = [_width(words, theme.text_size) for _, (words, _) in cells]
    right = [_width(text, theme.text_size) for (_, shape), (_, count) in cells for text in (shape, count)]
    return max([*names, *words], default=0.0) + theme.padding, max(right, default=0.0)


def _wide(cells: Cells, widths: tuple[float, float], theme: Theme) -> str:
    (name, shape), (words, parameters) = cells
    return _table(
        [
            [_cell(_bold(name, theme), widths[0]), _cell(_plain(shape, theme), widths[1])],
            [_cell(_plain(words, theme), widths[0]), _cell(_plain(parameters, theme), widths[1])],
        ]
    )


def _narrow(cells: Cells, theme: Theme) -> str:
    (name, shape), (words, parameters) = cells
    lines = [f"{_bold(name, theme)}{_plain('  ' + shape, theme)}"]
    lines += [_plain(text, theme) for text in (words, parameters) if text]
    return _table([[f'<TD ALIGN="LEFT">{line}</TD>'] for line in lines])


def _table(rows: Iterable[Iterable[str]]) -> str:
    body = "".join(f"<TR>{''.join(row)}</TR>" for row in rows)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{body}</TABLE>>'


def _cell(content: str, width: float) -> str:
    return f'<TD ALIGN="LEFT" VALIGN="BOTTOM" WIDTH="{width:.0f}">{content}</TD>'


def _bold(text: str, theme: Theme) -> str:
    return _font(f"<B>{html(text)}</B>", theme.name_size) if text else ""


def _plain(text: str, theme: Theme) -> str:
    return _font(html(text), theme.text_size) if text else ""


def _beside(graph: Graph, frames: Sequence[Frames]) -> dict[int, int]:
    """Auxiliary heads of one box each, and the box beside which they stand, if it has no other and no frame."""
    onward = {edge.source for edge in graph.edges}
    heads = [edge for edge in graph.edges if edge.role == "aux" and graph.nodes[edge.source].head is None]
    busy = Counter(edge.source for edge in heads) + Counter(edge.target for edge in heads)
    return {
        edge.target: edge.source
        for edge in heads
        if edge.target not in onward
        and busy[edge.source] == busy[edge.target] == 1
        and not frames[edge.source]
        and not frames[edge.target]
    }
