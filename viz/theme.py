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


ThemeName = Literal["paper", "mono", "slides", "dark"]
_HAIR = 0.5  # points: an outline


@dataclass(frozen=True, slots=True)
class _Palette:
    """The colours of one theme, and how thick its lines are, in hairlines.

    Kinds of boxes have one of five fills, each with the line around it: `plain` (what has no weights), `cold` and
    `deep` (convolutions, and blocks of them), `warm` and `strong` (dense and recurrent layers, attention). `accent` is
    of what an author points out.
    """

    page: str
    ink: str
    muted: str
    frame: str
    plain: tuple[str, str]
    cold: tuple[str, str]
    deep: tuple[str, str]
    warm: tuple[str, str]
    strong: tuple[str, str]
    accent: tuple[str, str]
    skip: str
    concat: str
    stripes: bool = False
    hair: float = _HAIR


_STRIPES: Mapping[str, Stripe] = MappingProxyType(
    {
        "conv": "solid",
        "pool": "bars",
        "merge": "cross",
        "residual": "zigzag",
        "add": "zigzag",
        "norm": "dots",
        "activation": "dots",
        "dense": "rails",
        "attention": "cross",
        "recurrent": "bars",
        "embedding": "rails",
    }
)
_FILLS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("pool", "add", "norm", "activation", "dropout", "shape", "other"), "plain"),
        "conv": "cold",
        **dict.fromkeys(("merge", "residual", "model"), "deep"),
        **dict.fromkeys(("dense", "embedding", "recurrent"), "warm"),
        "attention": "strong",
        "highlight": "accent",
    }
)
_BORDERS: Mapping[str, Border] = MappingProxyType(
    {"input": "rounded", "pool": "rounded", "activation": "rounded", "dropout": "dotted", "aux": "dashed"}
)
# Faces of volumes, which no words distinguish: a fill for each group of kinds, with such a share of the colour of its
# line that they are steps of one ladder in grey too, and an outline for each kind of a group.
_VOLUMES: Mapping[str, tuple[str, float, Border]] = MappingProxyType(
    {
        "add": ("plain", 0.08, "solid"),
        "activation": ("plain", 0.08, "dashed"),
        "shape": ("plain", 0.08, "dashdot"),
        "dropout": ("plain", 0.08, "dotted"),
        "conv": ("cold", 0.1, "solid"),
        "dense": ("warm", 0.14, "solid"),
        "recurrent": ("warm", 0.14, "dashdot"),
        "embedding": ("warm", 0.14, "dashed"),
        "residual": ("deep", 0.16, "solid"),
        "model": ("deep", 0.16, "dashed"),
        "pool": ("accent", 0.09, "solid"),
        "merge": ("deep", 0.42, "solid"),
        "attention": ("strong", 0.54, "solid"),
    }
)


def _paints(of: _Palette) -> Mapping[str, Paint]:
    """The look of every role in the colours of a palette."""
    hair, page, ink, muted = of.hair, of.page, of.ink, of.muted

    def box(role: str, fill: str) -> Paint:
        face, line = getattr(of, fill)
        return Paint(face, line, _BORDERS.get(role, "solid"), hair, _STRIPES.get(role, "") if of.stripes else "")

    def line(colour: str, border: Border = "solid", share: float = 1.2) -> Paint:
        return Paint(colour, colour, border, round(share * hair, 3))

    def text(colour: str) -> Paint:
        return Paint(colour, colour)

    return MappingProxyType(
        {
            **{role: box(role, fill) for role, fill in _FILLS.items()},
            "input": Paint(page, of.plain[1], "rounded", hair),
            "aux": Paint(page, of.plain[1], "dashed", hair),
            # Faces of volumes.
            "input-volume": Paint(page, muted, width=hair),
            "other-volume": Paint(page, of.plain[1], "dashdot", hair),
            "copy-volume": Paint(page, of.deep[1], "dashed", hair),
            "norm-volume": _mix(box("", "plain"), 0.08, 2 * hair),
            **{
                f"{role}-volume": replace(_mix(box("", fill), share, hair), border=border)
                for role, (fill, share, border) in _VOLUMES.items()
            },
            # Lines.
            "trunk": line(ink),
            "branch": line(ink),
            "skip": line(of.skip),
            "side": line(of.concat, share=1.9),
            "projection": line(of.skip, "dashdot"),
            "padded": line(of.skip, "dashed", share=1.9),
            "concat": line(of.concat, share=1.9),
            "gate": line(ink, "dashed"),
            "mask": line(muted, "dotted"),
            "continuation": line(muted, share=1.2),
            # Beside boxes.
            "brace": line(ink),
            "callout": line(muted, share=1.0),
            "note": text(ink),
            # Cells of tables.
            "cell": Paint(page, muted, width=hair),
            "trainable": Paint(of.cold[0], muted, width=hair),
            "frozen": Paint(of.warm[0], muted, width=hair),
            "frame": Paint(page, of.frame, "dashed" if of.stripes else "solid", hair),
            "panel": Paint(page, of.frame, width=hair),
            # Texts, and what they stand on.
            "text": text(ink),
            "edge": text(muted),
            "title": text(ink),
            "legend": text(ink),
            "muted": text(muted),
            "name": text(muted),
            "inverse": text(page),
            "badge": Paint(page, ink, width=hair),
            "badge-text": text(ink),
            "tag": Paint(page, ink, width=hair),
            "page": Paint("none" if page == "#FFFFFF" else page, "none", width=0.0),
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


_PAPER = _Palette(
    page="#FFFFFF",
    ink="#1F2328",
    muted="#3C4046",
    frame="#8A8F96",
    plain=("#F6F6F6", "#6E6E6A"),
    cold=("#E3EDF8", "#47698C"),
    deep=("#C4DAEF", "#3B5F86"),
    warm=("#F7DFB5", "#8A6420"),
    strong=("#ECC791", "#7A5516"),
    accent=("#F6A991", "#9A3412"),
    skip="#8A6420",
    concat="#2F5D8C",
)
_PAINTS = _paints(_PAPER)
_SIZES = ("name_size", "text_size", "edge_size", "least_size")
_GAPS = ("padding", "layer_gap", "side_gap", "arrow")


@dataclass(frozen=True, slots=True)
class Theme:
    """Fonts, sizes and colours of a figure. Lengths and sizes are in points.

    Make your own with `dataclasses.replace`, from the default or another of `THEMES`:

    >>> from dataclasses import replace
    >>> replace(Theme(), font="times", name_size=9).font
    'times'

    Args:
        font: a family or the path of a font file; the default comes with layerblocks. See `layerblocks.viz.fonts`.
        name_size: of what boxes are: their operation, or the label given.
        text_size: of the names and numbers under it, of titles and the legend.
        edge_size: of the shapes on edges.
        least_size: no text is smaller, unless a figure asks for it.
        padding: between the two columns of text in a box.
        layer_gap: between boxes that follow one another.
        side_gap: between boxes side by side.
        arrow: the length of an arrow head, in tenths of its size at a line a point wide.
        edge: the colour of lines in DOT.
        edge_text: the colour of text beside lines in DOT.
        frame: the colour of frames in DOT.
        paints: the look of each role.
        page: the width and height of the page, where a figure is not told any; None for as large as it needs.

    Raises:
        ValueError, TypeError: a size is no finite number above 0, a gap none from 0 on, or a colour or `Paint` is none.
    """

    font: str = "Arimo"
    name_size: float = 8.0
    text_size: float = 7.0
    edge_size: float = 7.0
    least_size: float = 6.0
    padding: float = 6.0
    layer_gap: float = 11.5
    side_gap: float = 10.0
    arrow: float = 0.45
    edge: str = "#404040"
    edge_text: str = "#404040"
    frame: str = "#8C8C8C"
    paints: Mapping[str, Paint] = field(default_factory=lambda: _PAINTS)
    page: tuple[float, float] | None = None

    @checks.public
    def __post_init__(self) -> None:
        paints = self.paints
        if paints is not _PAINTS:
            for role, paint in checks.mapping("paints", paints, "a dict of a Paint by role").items():
                checks.text("paints", role, "a dict of a Paint by role")
                checks.instance(f"paints[{role!r}]", paint, Paint, "a Paint")
        page = self.page
        if page is not None:
            sides = "a width and a height in points, or None"
            if not checks.is_sequence(page) or len(page) != 2:
                raise checks.refuse("page", page, sides, TypeError)
            page = (checks.number("page", page[0], sides, above=0), checks.number("page", page[1], sides, above=0))
        _set(
            self,
            page=page,
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
        return found or self.paints.get(role.partition("-")[0]) or self.paints.get("other") or _PAINTS["other"]


_MONO = _paints(
    replace(
        _PAPER,
        ink="#111111",
        muted="#333333",
        frame="#777777",
        plain=("#FFFFFF", "#555555"),
        cold=("#F1F1F1", "#222222"),
        deep=("#D4D4D4", "#222222"),
        warm=("#E2E2E2", "#222222"),
        strong=("#C6C6C6", "#222222"),
        accent=("#A8A8A8", "#000000"),
        skip="#444444",
        concat="#111111",
        stripes=True,
    )
)
_DARK = _paints(
    _Palette(
        page="#14171C",
        ink="#F0F2F5",
        muted="#E2E6EB",
        frame="#7C8592",
        plain=("#22272F", "#98A1AD"),
        cold=("#1D354C", "#86B4E0"),
        deep=("#2B4D70", "#9CC4EC"),
        warm=("#4E3C1D", "#DDB566"),
        strong=("#6F5125", "#E8C277"),
        accent=("#B1335D", "#FFB59B"),
        skip="#DDB566",
        concat="#86B4E0",
    )
)
_SLIDES = _paints(replace(_PAPER, hair=1.0))

THEMES: Mapping[str, Theme] = MappingProxyType(
    {
        "paper": Theme(),
        "mono": Theme(paints=_MONO),
        "slides": Theme(
            name_size=18.0,
            text_size=15.0,
            edge_size=15.0,
            least_size=14.0,
            padding=10.0,
            layer_gap=22.0,
            side_gap=20.0,
            paints=_SLIDES,
            page=(960.0, 540.0),
        ),
        "dark": Theme(edge="#F0F2F5", edge_text="#C2C8D0", frame="#7C8592", paints=_DARK),
    }
)
"""The themes by their names: two hues and an accent on white, greys and patterns, large type on 16:9, and on black."""

DEFAULT = THEMES["paper"]


def theme_of(argument: str, value: Any, font: Any = None) -> Theme:
    """The theme of that name, or the one given, in another font if one is named."""
    if value is None:
        found = DEFAULT
    elif isinstance(value, str):
        must_be = f"one of {checks.listed([*THEMES])}, or a Theme"
        found = THEMES[checks.choice(argument, value, [*THEMES], must_be)]
    else:
        found = checks.instance(argument, value, Theme, f"one of {checks.listed([*THEMES])}, a Theme, or None")
    if font is None:
        return found
    from .fonts import face

    face(font)  # that there is one
    return replace(found, font=str(font))


def luminance(colour: str) -> float:
    """How light a colour is, from 0 (black) to 1 (white), as WCAG reckons it."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """How strongly two colours contrast, from 1 to 21, as WCAG reckons it.

    >>> round(contrast("#000000", "#ffffff"), 2)
    21.0
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
