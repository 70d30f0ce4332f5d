"""What joins several tensors, by its sign: ⊕ ⊖ ⊙ ⊘ max min mean ‖, each in a circle of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from math import cos, pi, sin
from types import MappingProxyType

from ..graphs.graph import Node, leaves
from .scene import Item, Path, Point, Polygon, Stated, Text

SYMBOLS: Mapping[str, str] = MappingProxyType(
    {
        "⊕": "sum",
        "⊖": "difference",
        "⊙": "product",
        "⊘": "quotient",
        "·": "dot product",
        "max": "maximum",
        "min": "minimum",
        "mean": "mean",
        "‖": "concatenation",
    }
)
"""The signs that are drawn, and what the legend calls them."""

_OF_A_CONSTANT = re.compile(
    r"(?:add|multiply by|divide by|max with|min with|subtract) (?=a constant|a weight|-?(?:\d|inf|nan))"
)
_SAID = frozenset({"add", "subtract", "multiply", "divide", "average", "max", "min", "concat", "dot"})
_WEIGHTY = frozenset({"conv", "merge", "residual", "model", "dense", "attention", "recurrent", "embedding", "pool"})
_PAD = 2.5
_SIDES = 24  # of what is drawn as a circle


def symbol_of(node: Node) -> str:
    """The sign of what a node does to several tensors; "" of one that does more, or nothing of the kind.

    >>> symbol_of(Node(0, ("difference",), "Subtract", "add", inputs=((None, 8), (None, 8)), symbol="⊖"))
    '⊖'
    """
    if node.inner is None:
        return node.symbol if len(node.inputs) > 1 and node.symbol in SYMBOLS else ""
    joins = [leaf for leaf in leaves(node) if len(leaf.inputs) > 1]
    more = any(leaf.role in _WEIGHTY for leaf in leaves(node) if leaf not in joins)
    return symbol_of(joins[0]) if len(joins) == 1 and not more else ""


def sign_of(node: Node) -> str:
    """The sign in a box: `symbol_of`, also where one of two operands is a constant.

    >>> sign_of(Node(0, ("add",), "Add", "add", inputs=((None, 8),), words="add a constant", symbol="⊕"))
    '⊕'
    """
    first = next(leaves(node), node)
    alone = node.inner is None or node.kind == "Unit"
    return symbol_of(node) or (first.symbol if alone and _OF_A_CONSTANT.match(first.words) else "")


def drawn_role(node: Node) -> str:
    """Whose look a node has: its role's, that of an auxiliary head, or of a sum where it joins tensors otherwise."""
    if node.head is not None:
        return "aux"
    return "add" if node.role == "activation" and symbol_of(node) else node.role


def without_symbol(words: str) -> str:
    """What is left to say of a node whose sign is drawn: `ReLU` of `add + ReLU`.

    >>> without_symbol("add + ReLU"), without_symbol("subtract"), without_symbol("multiply by 0.3")
    ('ReLU', '', '0.3')
    """
    if found := _OF_A_CONSTANT.match(words):
        return words[found.end() :]
    for between in (" + ", ", "):
        first, _, rest = words.partition(between)
        if first in _SAID:
            return rest
    return words


def symbol_width(symbol: str, high: float, measured: Callable[[str], float]) -> float:
    """How wide a sign of that height is."""
    text = _word(symbol)
    return max(high, measured(text) + 2 * _PAD) if text else high


def symbol_items(
    symbol: str,
    middle: Point,
    high: float,
    role: str,
    *,
    size: float,
    measured: Callable[[str], float],
    name: str = "",
    title: str = "",
    states: Stated | None = None,
) -> Iterator[Item]:
    """A sign in a circle of that height around a place; a word in a box with round ends.

    Args:
        role: whose look it has.
        size: of the letters of a word.
        measured: how wide a text is in that size.
    """
    (x, y), r = middle, high / 2
    out = symbol_width(symbol, high, measured) / 2 - r
    yield Polygon(tuple(_round(x, y, r, out)), role, 1.0, name, title, states)
    if text := _word(symbol):
        yield Text(round(x, 3), round(y + 0.36 * size, 3), text, size, round(measured(text), 3), "middle")
        return
    h, mark = r * 0.55, f"{role.partition('-')[0]}-mark"
    strokes: Mapping[str, tuple[tuple[Point, Point], ...]] = {
        "⊕": (((x - h, y), (x + h, y)), ((x, y - h), (x, y + h))),
        "⊖": (((x - h, y), (x + h, y)),),
        "⊘": (((x - h, y + h), (x + h, y - h)),),
        "‖": (((x - h / 2, y - h), (x - h / 2, y + h)), ((x + h / 2, y - h), (x + h / 2, y + h))),
    }
    for start, end in strokes.get(symbol, ()):
        yield Path(_at(start), ((_at(end),),), mark, arrow=False)
    if symbol == "⊙":
        yield Polygon(tuple(_round(x, y, r * 0.28, 0.0)), mark)


def _word(symbol: str) -> str:
    return {"·": "dot"}.get(symbol, symbol if symbol.isalpha() else "")


def _round(x: float, y: float, r: float, out: float) -> Iterator[Point]:
    """A circle, drawn out to the left and right by so much."""
    for i in range(_SIDES):
        angle = 2 * pi * (i + 0.5) / _SIDES
        aside = out if cos(angle) > 0 else -out
        yield _at((x + aside + r * cos(angle), y + r * sin(angle)))


def _at(point: Point) -> Point:
    return round(point[0], 3) + 0.0, round(point[1], 3) + 0.0
