"""How figures look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

# Dashes and gaps by the name of a border, in points.
DASHES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {"dashed": (3.0, 2.0), "dotted": (0.8, 1.8), "dashdot": (5.0, 1.6, 0.8, 1.6)}
)


@dataclass(frozen=True, slots=True)
class Paint:
    """The look of one role. `border`, `width` and `stripe` tell roles apart where there is no colour.

    Args:
        fill: the colour of a face.
        line: the colour of its outline, of a line, or of a text.
        border: solid, rounded (corners), dashed, dotted, dashdot or bold.
        width: of the outline or line, in points.
        stripe: the pattern at the left edge of a box: solid, bars, dots, zigzag, cross, rails; none if empty.
    """

    fill: str
    line: str
    border: str = "solid"
    width: float = 0.8
    stripe: str = ""

    @property
    def dashes(self) -> tuple[float, ...]:
        """The dashes and gaps of its line, in points; none for an unbroken one."""
        return DASHES.get(self.border, ())


_BLUE = Paint("#DCEBF7", "#0072B2", stripe="solid")
_INK, _GREY, _PAPER = "#303030", "#6B6B6B", "#FFFFFF"
# Tints and shades of Okabe and Ito's palette, which colour-blind readers can tell apart.
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
        "gate": Paint(_INK, _INK, width=0.9),
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
    ends = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (paint.fill, paint.line)]
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


@dataclass(frozen=True, slots=True)
class Theme:
    """Fonts, sizes and colours of a figure. Lengths and sizes are in points.

    Make your own with `dataclasses.replace`:

    >>> from dataclasses import replace
    >>> replace(Theme(), font="DejaVu Serif", name_size=9).font
    'DejaVu Serif'

    Args:
        font: a family or the path of a font file; the default comes with matplotlib.
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

    def paint(self, role: str) -> Paint:
        """The look of a role.

        Of a `conv` follow those of the small marks on it (`conv-mark`) and of its `conv-volume`, with the `conv-band`
        of a norm or activation and the `merge-end` where branches join.
        """
        found = self.paints.get(role)
        base, _, kind = role.rpartition("-")
        if found is None and kind in _DERIVED:
            return _DERIVED[kind](self.paint(base))
        return found or self.paints.get(role.partition("-")[0]) or self.paints.get("other") or _BLUE


DEFAULT = Theme()
