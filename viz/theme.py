"""How figures look."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

from .. import checks

Border = Literal["solid", "rounded", "dashed", "dotted", "dashdot", "bold"]
Stripe = Literal["", "solid", "bars", "dots", "zigzag", "cross", "rails"]

# Dashes and gaps by the name of a border, in points.
DASHES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {"dashed": (3.0, 2.0), "dotted": (0.8, 1.8), "dashdot": (5.0, 1.6, 0.8, 1.6)}
)


@dataclass(frozen=True, slots=True)
class Paint:
    """The look of one role. `border`, `width` and `stripe` distinguish roles where there is no colour.

    Args:
        fill: the colour of a face.
        line: the colour of its outline, of a line, or of a text.
        border: solid, rounded (corners), dashed, dotted, dashdot or bold.
        width: of the outline or line, in points.
        stripe: the pattern at the left edge of a box: solid, bars, dots, zigzag, cross, rails; none if empty.

    Colours are `#RRGGBB`, `none`, a name of CSS, or, with matplotlib, any of its; they are kept as `#RRGGBB`.

    Raises:
        ValueError, TypeError: there is no such colour, border or stripe, or `width` is no finite number from 0 on.
    """

    fill: str
    line: str
    border: Border = "solid"
    width: float = 0.8
    stripe: Stripe = ""

    @checks.public
    def __post_init__(self) -> None:
        _set(
            self,
            fill=colour_code("fill", self.fill),
            line=colour_code("line", self.line),
            border=checks.choice("border", self.border, get_args(Border)),
            width=checks.number("width", self.width, at_least=0),
            stripe=checks.choice("stripe", self.stripe, get_args(Stripe)),
        )

    @property
    def dashes(self) -> tuple[float, ...]:
        """The dashes and gaps of its line, in points; none for an unbroken one."""
        return DASHES.get(self.border, ())


def colour_code(argument: str, value: Any) -> str:
    """A colour as `#RRGGBB`, or as it is if it is empty or none; of one that is partly transparent, what is opaque.

    >>> colour_code("fill", "tomato"), colour_code("fill", "#FFF"), colour_code("fill", "none")
    ('#ff6347', '#ffffff', 'none')
    """
    word = checks.text(argument, value, _COLOUR)
    if re.fullmatch("#[0-9A-Fa-f]{6}", word):
        return word
    if word.lower() in ("", "none", "transparent"):
        return "none"
    return _named_colour(argument, word)


_COLOUR = "a colour: '#RRGGBB', a name of CSS, or 'none'"


@functools.lru_cache(maxsize=256)
def _named_colour(argument: str, word: str) -> str:
    from PIL import ImageColor

    try:
        return "#{:02x}{:02x}{:02x}".format(*ImageColor.getrgb(word)[:3])
    except ValueError:
        pass
    try:
        from matplotlib.colors import to_hex

        return str(to_hex(word))
    except (ImportError, ValueError):
        raise checks.refuse(argument, word, _COLOUR + checks.nearest(word, ImageColor.colormap)) from None


def _set(made: Any, **fields: Any) -> None:
    """Put checked values into a frozen dataclass that is being made."""
    for name, value in fields.items():
        object.__setattr__(made, name, value)


_BLUE = Paint("#DCEBF7", "#0072B2", stripe="solid")
_INK, _GREY, _PAPER = "#303030", "#6B6B6B", "#FFFFFF"
# Tints and shades of Okabe and Ito's palette, which colour-blind readers can distinguish.
_PAINTS: Mapping[str, Paint] = MappingProxyType(
    {
        "input": Paint(_PAPER, "#4D4D4D", "rounded"),
        "conv": _BLUE,
        "pool": Paint("#FBE3D3", "#D55E00", "rounded", stripe="bars"),
        "merge": Paint("#D3EEE4", "#007A59", width=1.4, stripe="cross"),
        "residual": Paint("#FDEFCF", "#B87900", width=1.4, stripe="zigzag"),
        "add": Paint("#FDEFCF", "#B87900", stripe="zigzag"),
        "norm": Paint("#EFEFEF", _GREY, stripe="dots"),
        "activation": Paint("#EFEFEF", _GREY, "rounded", stripe="dots"),
        "dense": Paint("#F5E1EC", "#A6487A", width=1.4, stripe="rails"),
        "attention": Paint("#E9E4F5", "#6A51A3", width=1.4, stripe="cross"),
        "recurrent": Paint("#E3F1DE", "#3F7D2B", width=1.4, stripe="bars"),
        "embedding": Paint("#F3ECDF", "#7A5C2E", stripe="rails"),
        "dropout": Paint("#F4F4F4", _GREY, "dotted"),
        "shape": Paint("#F7F7F7", _GREY),
        "model": Paint("#E4F3FC", "#2D87BD", width=1.4),
        "other": Paint("#F7F7F7", "#4D4D4D"),
        "aux": Paint("#FCFAE3", "#7A7213", "dashed"),
        # Faces of volumes.
        "input-volume": Paint(_PAPER, "#4D4D4D", width=0.5),
        "copy-volume": Paint(_PAPER, "#007A59", width=0.5),
        # Lines.
        "trunk": Paint(_INK, _INK, width=0.9),
        "branch": Paint(_INK, _INK, width=0.9),
        "skip": Paint("#B87900", "#B87900", width=0.9),
        "projection": Paint("#B87900", "#B87900", "dashdot", 0.9),
        "concat": Paint("#007A59", "#007A59", width=1.6),
        "gate": Paint(_INK, _INK, "dashed", width=0.9),
        "mask": Paint(_GREY, _GREY, "dotted", width=0.9),
        "continuation": Paint(_INK, _INK, width=0.9),
        # Cells of tables.
        "cell": Paint(_PAPER, _GREY, width=0.6),
        "trainable": Paint("#D3EEE4", _GREY, width=0.6),
        "frozen": Paint("#FBE3D3", _GREY, width=0.6),
        "frame": Paint(_PAPER, "#8C8C8C", "dashed", 0.6),
        "panel": Paint(_PAPER, "#8C8C8C", width=0.6),
        # Texts, and what they stand on.
        "text": Paint(_INK, "#1A1A1A"),
        "edge": Paint(_GREY, "#404040"),
        "title": Paint(_INK, "#1A1A1A"),
        "legend": Paint(_INK, "#1A1A1A"),
        "muted": Paint(_GREY, "#505050"),
        "badge": Paint(_INK, _INK, width=0.0),
        "badge-text": Paint(_PAPER, _PAPER),
        "tag": Paint(_PAPER, _INK, width=0.6),
    }
)


def _mix(paint: Paint, share: float, width: float) -> Paint:
    """A stronger fill, so much of it the colour of the line, in an outline of that width."""
    if "none" in (paint.fill, paint.line):
        return replace(paint, width=width)
    ends = [[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in (paint.fill, paint.line)]
    mixed = "".join(f"{round(a + share * (b - a)):02X}" for a, b in zip(*ends, strict=True))
    return replace(paint, fill=f"#{mixed}", width=width)


# Looks that follow from that of the role before the dash.
_DERIVED: Mapping[str, Callable[[Paint], Paint]] = MappingProxyType(
    {
        "mark": lambda base: replace(base, fill=base.line, border="solid", width=0.6),
        "volume": lambda base: _mix(base, 0.14, 0.5),
        "band": lambda base: _mix(base, 0.45, 0.5),
        "end": lambda base: _mix(base, 0.62, 0.5),
    }
)


@functools.lru_cache(maxsize=1024)
def _derived(kind: str, base: Paint) -> Paint:
    return _DERIVED[kind](base)


_SIZES = ("name_size", "text_size", "edge_size")
_GAPS = ("padding", "layer_gap", "side_gap", "arrow")


@dataclass(frozen=True, slots=True)
class Theme:
    """Fonts, sizes and colours of a figure. Lengths and sizes are in points.

    Make your own with `dataclasses.replace`:

    >>> from dataclasses import replace
    >>> replace(Theme(), font="DejaVu Serif", name_size=9).font
    'DejaVu Serif'

    Args:
        font: a family or the path of a font file; the default comes with layerblocks.
        name_size: of the names in boxes.
        text_size: of the words under them.
        edge_size: of the shapes on edges.
        padding: between the two columns of text in a box.
        layer_gap: between boxes that follow one another.
        side_gap: between boxes side by side.
        arrow: the length of an arrow head, in tenths of its size at a line a point wide.
        edge: the colour of lines in DOT.
        edge_text: the colour of text beside lines in DOT.
        frame: the colour of frames in DOT.
        paints: the look of each role.

    Raises:
        ValueError, TypeError: a size is no finite number above 0, a gap none from 0 on, or a colour or `Paint` is none.
    """

    font: str = "DejaVu Sans"
    name_size: float = 8.0
    text_size: float = 7.0
    edge_size: float = 7.0
    padding: float = 6.0
    layer_gap: float = 11.5
    side_gap: float = 10.0
    arrow: float = 0.45
    edge: str = "#404040"
    edge_text: str = "#404040"
    frame: str = "#8C8C8C"
    paints: Mapping[str, Paint] = field(default_factory=lambda: _PAINTS)

    @checks.public
    def __post_init__(self) -> None:
        paints = self.paints
        if paints is not _PAINTS:
            for role, paint in checks.mapping("paints", paints, "a dict of a Paint by role").items():
                checks.text("paints", role, "a dict of a Paint by role")
                checks.instance(f"paints[{role!r}]", paint, Paint, "a Paint")
        _set(
            self,
            font=checks.text("font", self.font, "the name of a family, or the path of a font file"),
            **{size: checks.number(size, getattr(self, size), above=0) for size in _SIZES},
            **{gap: checks.number(gap, getattr(self, gap), at_least=0) for gap in _GAPS},
            **{part: colour_code(part, getattr(self, part)) for part in ("edge", "edge_text", "frame")},
        )

    def paint(self, role: str) -> Paint:
        """The look of a role.

        Of a `conv` follow those of the small marks on it (`conv-mark`) and of its `conv-volume`, with the `conv-band`
        of a norm or activation and the `merge-end` where branches join.
        """
        found = self.paints.get(role)
        base, _, kind = role.rpartition("-")
        if found is None and kind in _DERIVED:
            return _derived(kind, self.paint(base))
        return found or self.paints.get(role.partition("-")[0]) or self.paints.get("other") or _BLUE


DEFAULT = Theme()
