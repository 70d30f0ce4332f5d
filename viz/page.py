"""How large a figure may be: the columns of venues, and lengths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from .._old_checks import nearest, one_line

INCH = 72.0
# Widths in inches: of one column and of the whole text, from the venues' own templates.
WIDTHS: Mapping[str, float] = MappingProxyType(
    {
        "ieee1": 3.5,
        "ieee2": 7.16,
        "acm1": 3.33,
        "acm2": 7.0,
        "cvpr1": 3.25,
        "cvpr2": 6.875,
        "icml1": 3.25,
        "icml2": 6.75,
        "neurips": 5.5,
        "iclr": 5.5,
        "springer": 4.8,
        "elsevier1": 3.54,
        "elsevier2": 7.48,
        "a4": 6.3,
        "letter": 6.5,
    }
)
HEIGHTS: Mapping[str, float] = MappingProxyType({"springer": 7.6, "a4": 9.7, "iclr": 9.0})
TALLEST = 9.0  # inches: of the text on a page
_UNITS: Mapping[str, float] = MappingProxyType(
    {"pt": 1.0, "bp": 1.0, "in": INCH, "cm": INCH / 2.54, "mm": INCH / 25.4, "pc": 12.0, "px": 0.75}
)


def length(function: str, argument: str, value: object) -> float:
    """A length in points: a number, `"252pt"`, `"3.5in"`, `"8cm"`, `"89mm"`, or the name of a venue's column.

    Raises:
        ValueError: it is none of these, or not above 0.
        TypeError: it is neither a number nor text.

    >>> length("diagram", "width", "3.5in"), length("diagram", "width", "ieee1")
    (252.0, 252.0)
    """
    takes = f"it takes a length ('3.5in', '8cm', '252pt', a number of points) or one of {', '.join(map(repr, WIDTHS))}"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{function}: {argument}={one_line(value)}: {takes}")
    if isinstance(value, str):
        if value.lower() in WIDTHS:
            return WIDTHS[value.lower()] * INCH
        found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", value.lower())
        if not found or found[2] not in _UNITS:
            raise ValueError(f"{function}: {argument}={value!r}: {takes}{nearest(value.lower(), WIDTHS)}")
        value = float(found[1]) * _UNITS[found[2]]
    if not 1 <= value < 1e6:
        raise ValueError(f"{function}: {argument}={value!r}: it takes at least 1 point, and at most a million")
    return float(value)


def height_for(width: object) -> float:
    """How tall a figure of that width may be, in points: as the text of the venue's page."""
    name = width.lower() if isinstance(width, str) else ""
    return HEIGHTS.get(name, TALLEST) * INCH


def wider(width: float) -> list[tuple[str, float]]:
    """The venues' columns that are wider, narrowest first, one of each width."""
    found: dict[float, str] = {}
    for name, inches in WIDTHS.items():
        if inches * INCH > width + 0.5:
            found.setdefault(inches * INCH, name)
    return [(name, points) for points, name in sorted(found.items())]
