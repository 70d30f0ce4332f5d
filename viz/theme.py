"""How figures look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Paint:
    """The look of one role. `border` and `width` tell roles apart where there is no colour."""

    fill: str
    line: str
    border: str = "solid"  # what Graphviz calls style: solid, dashed, dotted, rounded, bold
    width: float = 0.8


# Tints and shades of Okabe and Ito's palette, which colour-blind readers can tell apart.
_BLUE = Paint("#DCEBF7", "#0072B2")
_PAINTS: Mapping[str, Paint] = MappingProxyType(
    {
        "input": Paint("#FFFFFF", "#4D4D4D", "rounded"),
        "conv": _BLUE,
        "pool": Paint("#FBE3D3", "#D55E00", "rounded"),
        "merge": Paint("#D3EEE4", "#007A59", width=1.6),
        "residual": Paint("#FDEFCF", "#B87900", width=1.6),
        "add": Paint("#FDEFCF", "#B87900"),
        "norm": Paint("#EFEFEF", "#6B6B6B"),
        "activation": Paint("#EFEFEF", "#6B6B6B", "rounded"),
        "dense": Paint("#F5E1EC", "#A6487A", width=1.6),
        "dropout": Paint("#EFEFEF", "#6B6B6B", "dotted"),
        "shape": Paint("#F7F7F7", "#6B6B6B"),
        "model": Paint("#E4F3FC", "#2D87BD", width=1.6),
        "other": Paint("#F7F7F7", "#4D4D4D"),
        "aux": Paint("#FCFAE3", "#7A7213", "dashed"),
    }
)


@dataclass(frozen=True, slots=True)
class Theme:
    """Fonts, sizes and colours of a figure. Lengths and sizes are in points.

    Make your own with `dataclasses.replace`:

    >>> from dataclasses import replace
    >>> replace(Theme(), font="Times", name_size=9).font
    'Times'
    """

    font: str = "Helvetica"
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
        return self.paints.get(role) or self.paints.get("other") or _BLUE


DEFAULT = Theme()
