"""A figure as one file for the browser, to be explored with no network: zoomed, searched, its blocks opened."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..graphs.graph import Node, work_of
from ..graphs.repeats import opened
from ..graphs.rules import field_words
from .backends.groups import Group, grouped
from .fonts import printable
from .layouts.contents import box_names
from .texts.layer_labels import count_text, describe, shape_text, shape_texts, work_text

if TYPE_CHECKING:
    from .figure import Figure

_FILES = Path(__file__).parent / "page_files"
_MOST_INSIDES = 60  # drawings of the insides of blocks in one page
_SHEET = 14_000.0  # points: a PDF has no longer page; a longer figure is printed smaller
_LONGEST = 300  # letters of a value


def page(figure: Figure, insides: int = _MOST_INSIDES) -> str:
    """Write a figure as a page of HTML that needs nothing else.

    It shows the figure as it is drawn and, when a block is opened, the drawing of its inside. Blocks are drawn from the
    outermost on, those with the same inside once; a block past so many drawings says that it cannot be opened.

    Args:
        figure: what is shown first.
        insides: how many drawings of the insides of blocks the page has at most.
    """
    views, drawings = _views(figure, insides)
    program, style = ((_FILES / name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    less = min(1.0, _SHEET / max(figure.width, figure.height))
    wide, high = (f"{side * less:.2f}pt" for side in (figure.width, figure.height))
    style += f"@page {{ size: {wide} {high}; margin: 0; }}\n"
    if less < 1:
        style += f"@media print {{ #view svg {{ width: {wide}; height: {high}; }} }}\n"
    title = escape(printable(figure.graph.name))
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; form-action 'none'; "
        f"script-src 'sha256-{base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()}'"
    )
    figures = "\n".join(f'<template id="figure-{i}">{svg}</template>' for i, svg in enumerate(drawings))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<style>{style}</style></head>
<body><div id="bar"><nav id="path" aria-label="open blocks"></nav>
<input id="search" type="search" placeholder="search ( / )" aria-label="search"><output id="count"></output>
<button id="out" title="smaller ( - )">−</button><button id="in" title="larger ( + )">+</button>
<button id="fit" title="whole figure ( 0 )">fit</button></div>
<main id="stage" tabindex="0"><div id="view"></div><aside id="facts" aria-live="polite" hidden></aside></main>
{figures}
<script type="application/json" id="views">{_json(views)}</script>
<script>{program}</script>
</body></html>
"""


def framed(figure: Figure) -> str:
    """The page in a frame of its own, for a notebook."""
    high = min(900, round(figure.height * 96 / 72) + 60)
    return (
        f'<iframe sandbox="allow-scripts" style="width:100%;height:{high}px;border:0" '
        f'title="{escape(printable(figure.graph.name))}" srcdoc="{escape(page(figure))}"></iframe>'
    )


def _json(value: Any) -> str:
    """JSON that nothing in it ends early, wherever it stands in a page."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _views(figure: Figure, insides: int) -> tuple[list[dict[str, Any]], list[str]]:
    """What the page knows of each drawing, and the drawings as SVG; the first is the figure."""
    from .diagrams import diagram

    drawings, drawn = [_svg(figure)], list(_placed(figure))
    views, numbers = [_view(drawn, figure.graph.name)], {drawings[0]: 0}
    waiting = deque([(drawn, views[0])])
    while waiting:
        outer, view = waiting.popleft()
        for entry, (node, _) in zip(view["nodes"], outer, strict=True):
            if node.inner is None or len(node.inner.nodes) < 2:
                continue
            if len(views) > insides:
                entry["facts"].append(("inside", "not in this page, which has no room for more drawings"))
                continue
            inner = diagram(opened(node), theme=figure.theme)
            drawing = _svg(inner)
            number = numbers.setdefault(drawing, len(views))
            if number == len(views):
                within = list(_placed(inner))
                views.append(_view(within, node.name))
                drawings.append(drawing)
                waiting.append((within, views[number]))
            entry["opens"] = number
    return views, drawings


def _svg(figure: Figure) -> str:
    return figure.svg.partition("?>\n")[2]


def _placed(figure: Figure) -> Iterator[tuple[Node, Group]]:
    """The nodes that have a place in the figure, with what is drawn of each."""
    nodes = dict(zip(box_names(figure.graph), figure.graph.nodes, strict=True))
    for group in _groups(grouped(figure.scene)):
        if group.name in nodes:
            yield nodes[group.name], group


def _groups(group: Group) -> Iterator[Group]:
    for member in group.members:
        if isinstance(member, Group):
            if not member.frame:
                yield member
            yield from _groups(member)


def _view(placed: Iterable[tuple[Node, Group]], name: str) -> dict[str, Any]:
    nodes = []
    for node, group in placed:
        left, top, right, bottom = group.bounds
        facts = [(key, printable(value)[:_LONGEST]) for key, value in _facts(node) if value]
        nodes.append(
            {
                "name": printable(node.name),
                "at": [round(v, 2) for v in (left, top, right - left, bottom - top)],
                "facts": facts,
                "search": printable(" ".join((node.name, *node.members, node.kind, describe(node)))).lower(),
            }
        )
    return {"name": printable(name), "nodes": nodes}


def _facts(node: Node) -> Iterator[tuple[str, str]]:
    """What is shown of a node that the pointer is on; what is not known is said to be unknown."""
    yield (
        "layer",
        node.kind if node.kind != "Block" else f"block of {len(node.inner.nodes) if node.inner else 0} layers",
    )
    yield "does", describe(node)
    yield "times", f"×{node.repeats}" if node.repeats > 1 else ""
    yield "input", ", ".join(shape_text(shape) for shape in node.inputs)
    yield "output", ", ".join(shape_texts(node))
    yield "parameters", "unknown" if node.unbuilt else count_text(node.parameters)
    work = work_of([node])
    yield "multiply-adds", "unknown" if work.uncounted and not work.known else work_text(work)
    yield "receptive field", field_words(node.receptive_field)
    yield "trainable", {True: "yes", False: "no", None: ""}[node.trainable]
    for key, value in node.attributes:
        yield key, str(value)
