"""What the looks of a figure mean: a line for each that occurs in it, and for no other."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ..scene import Box, Item, Path, Point, Text
from ..symbols import SYMBOLS, symbol_width
from ..theme import Theme
from .box_text import Type
from .drawing import badge, sign, stripe
from .geometry import Placed

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "input": "input",
        "conv": "convolution",
        "pool": "pooling",
        "merge": "concatenation",
        "residual": "residual",
        "add": "sum",
        "dense": "fully connected",
        "attention": "attention",
        "recurrent": "recurrent",
        "embedding": "embedding",
        "norm": "normalization",
        "activation": "activation",
        "dropout": "dropout",
        "shape": "reshaping",
        "model": "nested model",
        "other": "other",
        "aux": "auxiliary head",
        "added": "added",
        "removed": "removed",
        "changed": "changed",
    }
)
LINES: Mapping[str, str] = MappingProxyType(
    {
        "skip": "identity skip",
        "side": "skip output",
        "projection": "projection skip",
        "padded": "zero-padded skip",
        "concat": "skip to a concatenation",
    }
)
OTHERS: Mapping[str, str] = MappingProxyType({"gate": "gate", "mask": "mask"})
"""Lines that are no skips."""
REPEATED = "×n"
TAG = "letter "
_SWATCH, _GAP, _BETWEEN = 14.0, 3.5, 10.0
_CAP = 0.36


@dataclass(frozen=True, slots=True)
class Entry:
    """A swatch and its words. `symbol` is drawn in the place of a box, in the look of its role."""

    role: str
    words: str
    symbol: str = ""


_SAYING: Mapping[str, str] = MappingProxyType(
    {
        "conv": r"conv",
        "pool": r"pool",
        "merge": r"concat|branch|inception|shuffle unit",
        "residual": r"residual",
        "add": r"\badd\b|\bsum\b",
        "dense": r"dense|linear|fully connected|\bfc",
        "attention": r"attention",
        "recurrent": r"LSTM|GRU|RNN|recurrent",
        "embedding": r"embedding",
        "norm": r"norm|\bBN\b|\bLN\b|\bGN\b|\bSN\b",
        "dropout": r"dropout",
        "model": r"inside not known",
        "aux": r"aux",
    }
)
_SPEAK_FOR_THEMSELVES = frozenset({"input", "activation", "shape", "other"})


def says_kind(role: str, texts: Iterable[str]) -> bool:
    """Whether a box with these texts says of itself what kind it is.

    >>> says_kind("conv", ["3×3 conv, 64"]), says_kind("conv", ["ours"])
    (True, False)
    """
    if role in _SPEAK_FOR_THEMSELVES:
        return True
    words = _SAYING.get(role)
    return words is not None and any(re.search(words, text, re.IGNORECASE) for text in texts)


def entries(
    boxes: Iterable[tuple[str, str]],
    lines: Iterable[str],
    repeated: bool,
    own: Mapping[str, str] = MappingProxyType({}),
    more: Mapping[str, str] = MappingProxyType({}),
    letters: Mapping[str, str] = MappingProxyType({}),
) -> list[Entry]:
    """What occurs, from the roles and signs of boxes, and the roles of lines.

    Args:
        own: the words of an author's.
        more: what is said of all boxes of a role beside what kind they are.
        letters: where lines go on elsewhere, the letter of each tensor, and what it comes from.
    """
    boxes, drawn = set(boxes), set(lines)
    there = {role for role, symbol in boxes if not symbol}
    found = [Entry(role, words) for role, words in own.items() if role in there]
    found += [Entry(role, words) for role, words in KINDS.items() if role in there and role != "input"]
    found += [Entry(role, words) for role, words in more.items()]
    signs = {symbol: role for role, symbol in sorted(boxes, reverse=True) if symbol}
    found += [
        Entry(signs[symbol], words, symbol)
        for symbol, words in SYMBOLS.items()
        if symbol in signs and words not in [entry.words for entry in found]
    ]
    found += [Entry(role, words) for role, words in {**LINES, **OTHERS}.items() if role in drawn]
    found += [Entry(f"{TAG}{letter}", f"output of {name}") for letter, name in letters.items()]
    return [*found, Entry(REPEATED, "equal blocks in a row")] if repeated else found


def joined(found: Iterable[Entry], theme: Theme) -> list[Entry]:
    """The entries, of kinds that look the same one for all of them.

    >>> from layerblocks.viz.theme import DEFAULT
    >>> [entry.words for entry in joined([Entry("merge", "concatenation"), Entry("residual", "residual")], DEFAULT)]
    ['concatenation, residual']
    """
    by_look: dict[Hashable, Entry] = {}
    for entry in found:
        alike = entry.role in KINDS and not entry.symbol
        look: Hashable = theme.paint(entry.role) if alike else entry
        before = by_look.get(look)
        if before is None or entry.words.startswith(f"{before.words}:"):  # the same with what goes without saying
            by_look[look] = entry
        elif entry.words not in before.words.split(", "):
            by_look[look] = replace(before, words=f"{before.words}, {entry.words}")
    return list(by_look.values())


def rows_of(found: Sequence[Entry], type: Type, width: float) -> list[list[tuple[float, Entry]]]:
    """The entries in as few rows as they fit in, and where in its row each begins; in columns if there are several."""
    wide = [width_of([entry], type) for entry in found]
    for count in range(len(found), 0, -1):
        columns = [max(wide[k::count]) for k in range(count)]
        if sum(columns) + _BETWEEN * (count - 1) <= width or count == 1:
            starts = [sum(columns[:k]) + _BETWEEN * k for k in range(count)]
            return [
                [(starts[k], entry) for k, entry in enumerate(found[i : i + count])]
                for i in range(0, len(found), count)
            ]
    return []


def height_of(found: Sequence[Entry], type: Type, width: float) -> float:
    """How high the legend is below a figure."""
    return len(rows_of(found, type, width)) * _pitch(type) + 6.0 if found else 0.0


def _pitch(type: Type) -> float:
    return type.text * 1.2 + 2.6


def width_of(found: Sequence[Entry], type: Type) -> float:
    """The widest entry: a figure cannot be narrower than its legend."""
    return max((_reach(entry, type) + _GAP + type.width(entry.words, type.text) for entry in found), default=0.0)


def _reach(entry: Entry, type: Type) -> float:
    """How wide a swatch is, with the room around it."""
    sign = symbol_width(entry.symbol, type.sign, lambda text: type.width(text, type.text)) if entry.symbol else 0.0
    sign = type.width(REPEATED, type.text, True) + 5 if entry.role == REPEATED else sign
    return max(_SWATCH, sign + 1)


def legend_items(found: Sequence[Entry], type: Type, theme: Theme, at: Point, width: float) -> Iterator[Item]:
    """The legend, from a place down, in the middle of a width."""
    rows = rows_of(found, type, width)
    reach = max((x + width_of([entry], type) for row in rows for x, entry in row), default=0.0)
    left = at[0] + max(0.0, (width - reach) / 2)
    for i, row in enumerate(rows):
        middle = at[1] + 6.0 + (i + 0.5) * _pitch(type)
        for x, entry in row:
            yield from _swatch(entry, left + x, middle, theme, type)
            wide = type.width(entry.words, type.text)
            place = (round(left + x + _reach(entry, type) + _GAP, 3), round(middle + type.text * _CAP, 3))
            yield Text(*place, entry.words, type.text, round(wide, 3), role="legend")


def _swatch(entry: Entry, x: float, middle: float, theme: Theme, type: Type) -> Iterator[Item]:
    if entry.role in LINES or entry.role in OTHERS:
        yield Path((round(x, 3), round(middle, 3)), (((round(x + _SWATCH, 3), round(middle, 3)),),), entry.role)
        return
    high, wide = 7.6, _SWATCH - 1
    top = middle - high / 2
    if entry.role == REPEATED:
        left = x + (_reach(entry, type) - 1 - type.width(REPEATED, type.text, True) - 5) / 2
        yield from badge(REPEATED, type, left, middle + type.text * _CAP)
        return
    if entry.role.startswith(TAG):
        letter, middle_x = entry.role.removeprefix(TAG), x + _SWATCH / 2
        yield Box(round(middle_x - 4, 3), round(middle - 4, 3), 8.0, 8.0, "tag", 4)
        wide = round(type.width(letter, type.edge), 3)
        yield Text(round(middle_x, 3), round(middle + type.edge * _CAP, 3), letter, type.edge, wide, "middle")
        return
    if entry.symbol:
        yield from sign(entry.symbol, (x + (_reach(entry, type) - 1) / 2, middle), entry.role, type)
        return
    paint = theme.paint(entry.role)
    radius = 2.5 if paint.border == "rounded" else 1.0
    place = Placed(round(x, 3), round(top, 3), wide, high)
    yield Box(place.x, place.y, wide, high, entry.role, radius)
    yield from stripe(place, paint.stripe, f"{entry.role}-mark", radius)
