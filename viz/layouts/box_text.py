"""What stands in the boxes of a figure, and how large it makes them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf

from ..fonts import Face, face, printable
from ..scene import Point, Text
from ..symbols import symbol_width
from ..theme import Theme

STRIPE = 4.0  # how wide the pattern at the left edge of a box is
STACK = 3.0  # how far the cards under a box that stands for several look out
_LEADING = 1.22
_OVER_PILL = 0.9  # more room above a line with a mark, whose box is higher than letters
_LONG = 150.0  # points: a name in one piece as long as this is broken anywhere
_USUAL = 85.0  # points: a name longer than this may be broken anyway
_PARTS = re.compile(r"[^_.\-]+[_.\-]*|[_.\-]+")
_PIECES = re.compile(r"[^_.\-\s]+[_.\-]*|[_.\-]+")
_WITHIN = re.compile(r"(?<!,) (?!\+)")  # a space within an operation
_APART = 3.5  # between a text and the marks after it
_ASCENT = 0.76  # of letters above the baseline, where brackets are the highest


@functools.lru_cache(maxsize=16)
def _face(font: str) -> Face:
    return face(font)


@functools.lru_cache(maxsize=32768)
def text_width(text: str, size: float, bold: bool, font: str) -> float:
    """The width of a line in points, as every backend sets it."""
    return _face(font).width(text, size, bold)


@dataclass(frozen=True, slots=True)
class Type:
    """The sizes of text in one figure, in points, and what a line of text measures."""

    font: str
    name: float
    text: float
    edge: float

    @property
    def sign(self) -> float:
        """How high the signs of sums and the like are."""
        return max(7.5, self.text * 1.15)

    def width(self, text: str, size: float, bold: bool = False) -> float:
        return text_width(text, size, bold, self.font)


def type_of(theme: Theme, scale: float = 1.0, least: float = 0.0) -> Type:
    """The theme's sizes, stepped down but not below `least`."""
    name, text, edge = (
        max(round(size * scale, 2), min(size, least)) for size in (theme.name_size, theme.text_size, theme.edge_size)
    )
    return Type(theme.font, name, text, edge)


@dataclass(frozen=True, slots=True)
class Content:
    """What a box says.

    Args:
        words: what it is, on top.
        notes: smaller, under it: its name.
        facts: numbers under these, each in full and perhaps shorter.
        repeats: how many boxes it stands for.
        tag: the letter of the panel that shows its inside.
        role: its kind.
        title: what a reader sees who points at it.
        symbol: of what it does to several tensors, in a circle before its words.
    """

    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: tuple[tuple[str, ...], ...] = ()
    repeats: int = 1
    tag: str = ""
    role: str = "other"
    title: str = ""
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A box with its text, at its least size, without the cards that may lie under it.

    Its `lines` have their middles so far from its own, and stand so far below its top. `marks` say how many boxes it
    stands for (in bold), and which panel shows its inside; `sign` is where the middle of its sign stands.
    """

    content: Content
    width: float
    height: float
    lines: tuple[Text, ...]
    marks: tuple[Text, ...]
    sign: Point | None = None

    @property
    def stacked(self) -> float:
        return STACK if self.content.repeats > 1 else 0.0


def cards(
    contents: Sequence[Content], type: Type, theme: Theme, most: float = inf, roomy: bool = False
) -> list[Card] | None:
    """The cards of boxes that belong together: all with their numbers in full, or else all with shorter ones.

    Args:
        most: how wide they may be; text is wrapped to that.
        roomy: whether names of usual length must stay on one line, and words on two; many operations one on each.

    Returns:
        None if they are not, or if a number, or a name elsewhere than after `_ . -`, would have to be broken.
    """
    for short in (False, True):
        made: list[Card] = []
        for content in contents:
            card = _card(content, type, theme, most, short, roomy)
            if card is None:
                break
            made.append(card)
        else:
            return made
    return None


def _card(content: Content, type: Type, theme: Theme, most: float, short: bool, roomy: bool) -> Card | None:
    """One card; none if its texts do not fit."""
    side = 4.5 + (STRIPE if theme.paint(content.role).stripe else 0.0)
    aside = (side - 4.5) / 2  # by how much the middle of its texts is right of its own
    sign = symbol_width(content.symbol, type.sign, lambda t: type.width(t, type.text)) if content.symbol else 0.0
    sign += _APART if sign and (content.words or content.notes) else 0.0
    room = max(most - side - 4.5, 12.0)
    pills = [
        (text, bold, type.width(text, type.text, bold) + 5.0)
        for text, bold in ((f"×{content.repeats}" if content.repeats > 1 else "", True), (content.tag, False))
        if text
    ]
    marked = sum(far + _APART for _, _, far in pills)
    facts = [fact[-1] if short else fact[0] for fact in content.facts]
    if any(type.width(fact if not short else word, type.text) > room for fact in facts for word in fact.split(" ")):
        return None
    sizes = {"words": type.name, "notes": type.text}
    for part, size in sizes.items():
        pieces = (type.width(p, size) for text in getattr(content, part) for p in _PIECES.findall(text))
        if any(room < far < _LONG for far in pieces):
            return None
    first = max(room - sign, 12.0)
    words = [line for text in content.words for line in _operations(text, first, lambda t: type.width(t, type.name))]
    notes = [line for text in content.notes for line in wrap(text, room, lambda t: type.width(t, type.text))]
    named = max((type.width(text, type.text) for text in content.notes), default=0.0)
    usual = sum(max(2, text.count("+") + 1 if text.count("+") > 2 else 0) for text in content.words)
    if roomy and ((len(notes) > len(content.notes) and named < _USUAL) or len(words) > usual):
        return None
    rows = [_Row(text, type.name) for text in words]
    rows += [_Row(text, type.text, role="name" if rows else "text") for text in notes if text]
    rows += [_Row(line, type.text, role="muted") for line in _together(facts, room, lambda t: type.width(t, type.text))]
    leading = lambda i: sign if i == 0 else 0.0  # noqa: E731
    # Marks stand after a name where there is room, and not after a kernel, with which they could be read.
    at = max(
        (i for i, row in enumerate(rows) if leading(i) + row.reach(type) + marked <= room),
        key=lambda i: (rows[i].role == "name", i < len(words), i if i < len(words) else -i),
        default=None,
    )
    if (pills and at is None) or (sign and not rows):
        rows.append(_Row("", type.text))
        at = len(rows) - 1
    y, lines, widest, marks, middle = 3.0, [], 0.0, [], None
    for i, row in enumerate(rows):
        y += _OVER_PILL if pills and i == at and i else 0.0
        baseline = round(y + row.size * (_LEADING - 1) / 2 + row.size * _ASCENT, 3)
        reach = row.reach(type)
        after = marked if pills and i == at else 0.0
        after -= _APART if after and not row.text else 0.0
        whole = leading(i) + reach + after
        x = aside - whole / 2
        if sign and i == 0:
            drawn = sign - (_APART if content.words or content.notes else 0.0)
            middle = (x + drawn / 2, baseline - row.size * 0.36)
            x += sign
        if row.text:
            lines.append(Text(x + reach / 2, baseline, row.text, row.size, reach, "middle", role=row.role))
        x += reach + (_APART if row.text else 0.0)
        for text, bold, far in pills if i == at else ():
            marks.append(Text(x + 2.5, baseline, text, type.text, far - 5.0, bold=bold))
            x += far + _APART
        widest = max(widest, whole)
        y += row.size * _LEADING
    return Card(content, widest + side + 4.5, y + 2.6, tuple(lines), tuple(marks), middle)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a card."""

    text: str
    size: float
    role: str = "text"

    def reach(self, type: Type) -> float:
        return type.width(self.text, self.size)


def _together(texts: Iterable[str], room: float, width: Callable[[str], float]) -> list[str]:
    """Short texts in as few lines as they fit in."""
    lines: list[str] = []
    for text in texts:
        if lines and width(joined := f"{lines[-1]} · {text}") <= room:
            lines[-1] = joined
        else:
            lines.extend(wrap(text, room, width))
    return lines


# -- wrapping ---------------------------------------------------------------------------------------------------------


def wrap(text: str, room: float, width: Callable[[str], float]) -> list[str]:
    """The text in lines that fit, broken where one may: at spaces, else after `_ . -`, else anywhere.

    Nothing is left out but the spaces at the breaks. A no-break space is set as a space.

    >>> wrap("3×3 conv, 64, /2", 8, len)
    ['3×3', 'conv,', '64, /2']
    """
    lines: list[str] = []
    line = ""
    for word in re.findall("[^ ]+ *|^ +", printable(text)):
        if width((line + word).rstrip()) <= room:
            line += word
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = ""
        for piece in [word] if width(word.rstrip()) <= room else _pieces(word):
            if width((line + piece).rstrip()) <= room:
                line += piece
                continue
            if line:
                lines.append(line.rstrip())
            while width(piece.rstrip()) > room and len(piece) > 1:
                cut = _fitting(piece, room, width)
                lines.append(piece[:cut])
                piece = piece[cut:]
            line = piece
    lines = [*lines, line.rstrip()] if line.strip() else lines or [""]
    return [line.replace("\xa0", " ") for line in lines]


def _operations(text: str, room: float, width: Callable[[str], float]) -> list[str]:
    """The text in lines, broken between operations rather than within one, where that takes no more lines."""
    whole, anywhere = wrap(_WITHIN.sub("\xa0", text), room, width), wrap(text, room, width)
    return [line for line in (whole if len(whole) <= len(anywhere) else anywhere) if line]


def _pieces(word: str) -> list[str]:
    """Where a word that is too long may be broken: at its no-break spaces, else after `_ . -`."""
    parts: list[str] = re.findall("[^\xa0]+\xa0*|\xa0+", word)
    return parts if len(parts) > 1 else _PARTS.findall(word)


def _fitting(text: str, room: float, width: Callable[[str], float]) -> int:
    """How many letters fit, one at least."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width(text[:middle]) <= room else (low, middle - 1)
    return low
