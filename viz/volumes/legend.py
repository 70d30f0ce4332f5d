"""What the volumes of one figure mean: just the kinds that occur in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...graphs.graph import Graph
from ..fonts import Face
from ..layouts.legend import KINDS, LINES, OTHERS
from ..lines import line_roles, skip_words
from ..scene import Item, Path, Text, moved
from ..symbols import SYMBOLS
from ..texts.layer_labels import describe
from .draw import path_rect, volume_items
from .place import LINE, Placed
from .solids import Letters, Part, Solid, extras

_HEIGHT, _WIDTH, _DEPTH = 6.5, 6.5, 6.5  # of a swatch
_GAP, _APART = 4.0, 11.0
_SHORT = 14.0  # a line in the legend
_WORDS = {
    **{role: words for role, words in KINDS.items() if role != "input"},
    "copy": "copied by a skip",
    "residual": "residual block",
}
_LINES = {**LINES, **OTHERS, "aux": "to an auxiliary head"}
SCALE = ("height and depth: √ size of the map", "thickness: √ channels")


def legend_items(
    graph: Graph, drawn: Sequence[Solid], figure: Iterable[Item], font: Face, size: float, width: float
) -> tuple[list[Item], float, float]:
    """The entries in lines no wider than `width`: what is drawn, how high it is and how wide."""
    items: list[Item] = []
    x, y, reach = 0.0, 0.0, 0.0
    high = max(size * LINE + 1.5, _HEIGHT + 3.0)
    for swatch, text in _entries(graph, drawn, figure):
        mark = _swatch(swatch, Letters(size, lambda word: font.width(word, size)))
        wide = font.width(text, size) + (mark[1] + _GAP if mark else 0.0)
        if x > 0 and x + wide > width:
            x, y = 0.0, y + high
        middle = y + high / 2
        if mark:
            items += [moved(item, x, middle) for item in mark[0]]
        start = x + wide - font.width(text, size)
        items.append(Text(start, middle + 0.36 * size, text, size, font.width(text, size), "start", False, "legend"))
        reach = max(reach, x + wide)
        x += wide + _APART
    return items, y + high, reach


Swatch = Solid | str | None


def _entries(graph: Graph, drawn: Sequence[Solid], figure: Iterable[Item]) -> list[tuple[Swatch, str]]:
    """Each role once, in the order in which it occurs; then ends, lines, and the scale."""
    roles = dict.fromkeys(part.role for solid in drawn for part in solid.parts)
    found: list[tuple[Swatch, str]] = []
    for role in roles:
        if role in _WORDS and any(part.role == role for solid in drawn if not solid.ball for part in solid.parts):
            parts = [Part(role, _WIDTH)]
            if f"{role}-end" in roles:
                parts = [Part(role, _WIDTH - 2.0), Part(f"{role}-end", 2.0)]
            words = _others(graph) if role == "other" else _WORDS[role]
            found.append((Solid(0, tuple(parts), _HEIGHT, _DEPTH), words))
    signs = {solid.symbol: solid for solid in reversed(drawn) if solid.ball}
    found += [(signs[symbol], words) for symbol, words in SYMBOLS.items() if symbol in signs]
    banded: dict[str, dict[str, None]] = {}
    for node in graph.nodes:
        role = "aux" if node.head is not None else node.role
        banded.setdefault(role, {}).update(dict.fromkeys(extras(node)))
    for role, kinds in banded.items():
        if kinds and role != "aux":
            band = (Part(role, _WIDTH - 2.5), Part(f"{role}-band", 2.5))
            found.append((Solid(0, band, _HEIGHT, _DEPTH), f"+ {', '.join(kinds)}"))
    lines = dict.fromkeys(item.role for item in figure if isinstance(item, Path))
    told = {**_LINES, "concat": skip_words([(graph, line_roles(graph))])} if "concat" in lines else _LINES
    found += [(role, told[role]) for role in lines if role in told]
    found += [(None, words) for words in SCALE]
    return found


def _others(graph: Graph) -> str:
    """What the layers are that have no role of their own."""
    kinds = dict.fromkeys(describe(replace(node, call=(1, 1))) for node in graph.nodes if node.role == "other")
    return ", ".join(kinds) if len(kinds) <= 2 else _WORDS["other"]


def _swatch(swatch: Swatch, letters: Letters) -> tuple[list[Item], float] | None:
    """A small picture around height 0 and its width."""
    if swatch is None:
        return None
    if isinstance(swatch, str):
        path = Path((0.0, 0.0), (((_SHORT, 0.0),),), swatch)
        return [path], path_rect(path).right
    placed = Placed(swatch, 0.0, 0.0)
    outline = placed.outline
    return [moved(item, -outline.left, 0.0) for item in volume_items(placed, letters)], outline.right - outline.left
