"""How large a figure may be: the columns of venues, and lengths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from numbers import Real
from types import MappingProxyType
from typing import Literal

from .. import checks

INCH = 72.0
Venue = Literal[
    "ieee1",
    "ieee2",
    "acm1",
    "acm2",
    "cvpr1",
    "cvpr2",
    "icml1",
    "icml2",
    "neurips",
    "iclr",
    "springer",
    "elsevier1",
    "elsevier2",
    "a4",
    "letter",
]
Length = float | Venue  # what is checked before a program runs: see `points`
_TEX = 1 / 72.27  # inches to TeX's point; those of a page (big points) are 72 to the inch
# Widths in inches: of one column and of the whole text, as the venues' own classes set them.
WIDTHS: Mapping[Venue, float] = MappingProxyType(
    {
        "ieee1": 252 * _TEX,  # IEEEtran
        "ieee2": 516 * _TEX,
        "acm1": 241.1475 * _TEX,  # acmart, sigconf
        "acm2": 506.295 * _TEX,
        "cvpr1": 3.28125,  # cvpr
        "cvpr2": 6.875,
        "icml1": 3.25,
        "icml2": 6.75,
        "neurips": 5.5,
        "iclr": 5.5,
        "springer": 12.2 / 2.54,  # llncs
        "elsevier1": 252 * _TEX,  # elsarticle, 5p
        "elsevier2": 522 * _TEX,
        "a4": 16 / 2.54,
        "letter": 6.5,
    }
)
_INCHES: Mapping[str, float] = {str(name): inches for name, inches in WIDTHS.items()}
# The text of a page, in inches: of those that are not here as of TALLEST.
HEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "ieee1": 672 * _TEX,  # of conferences; of journals 696
        "ieee2": 672 * _TEX,
        "acm1": 612 * _TEX,  # 626, and more around a caption than the others have
        "acm2": 612 * _TEX,
        "cvpr1": 8.875,
        "cvpr2": 8.875,
        "springer": 19.3 / 2.54,
        "elsevier1": 682 * _TEX,
        "elsevier2": 682 * _TEX,
        "a4": 9.7,
    }
)
CAPTION = 0.6  # inches: three lines below a figure that is as tall as the text
_LONGEST_SIDE = 32_000  # pixels: cairo stops at 32,767
_MOST_PIXELS = 2**28  # a gigabyte of memory
TALLEST = 9.0  # inches: of the text on a page
_UNITS: Mapping[str, float] = MappingProxyType(
    {"pt": INCH * _TEX, "bp": 1.0, "in": INCH, "cm": INCH / 2.54, "mm": INCH / 25.4, "pc": 12.0, "px": 0.75}
)


@checks.public
def points(length: float | str) -> float:
    """Convert a length to points, 72 to the inch: `"3.5in"`, `"8cm"`, `"89mm"`, or the name of a venue's column.

    `"252pt"` are points of TeX, 72.27 to the inch, as `\\the\\columnwidth` prints them; those of 72 are `"252bp"`.

    Functions that have a `width` accept such words as they are. Type checkers know only the venues and numbers, so that
    they find `width="ieeee1"`; with `width=points("8cm")` they are content.

    Raises:
        ValueError: it is none of these, or not between 1 and a million points.
        TypeError: it is neither a number nor text.

    >>> points("3.5in"), round(points("ieee1"), 2)
    (252.0, 251.06)
    """
    return in_points("length", length)


def in_points(argument: str, value: object) -> float:
    """`points` of an argument of another function."""
    must_be = f"a length ('3.5in', '8cm', '252pt', a number of points) or one of {', '.join(map(repr, WIDTHS))}"
    if isinstance(value, str):
        if value.lower() in _INCHES:
            return _INCHES[value.lower()] * INCH
        found = re.fullmatch(r"\s*(\d{1,9}\.?\d*|\.\d+)\s*([a-z]*)\s*", value.lower())
        if not found or found[2] not in _UNITS:
            raise checks.refuse(argument, value, must_be + checks.nearest(value.lower(), WIDTHS))
        long = float(found[1]) * _UNITS[found[2]]
    elif isinstance(value, bool) or not isinstance(value, Real):
        raise checks.refuse(argument, value, must_be, TypeError)
    else:
        long = checks.number(argument, value, must_be)
    if not 1 <= long < 1e6:
        raise checks.refuse(argument, value, "a length of at least 1 point, and less than a million")
    return long


def height_for(width: object) -> float:
    """How tall a figure of that width may be, in points: at a venue as the text of its page less a caption."""
    name = width.lower() if isinstance(width, str) else ""
    return (HEIGHTS.get(name, TALLEST) - (CAPTION if name in _INCHES else 0.0)) * INCH


def possible_dpi(width: float, height: float, dpi: float) -> tuple[float, str]:
    """The resolution at which so many points can be pixels, and what is said where that is less than what is asked."""
    wide, high = width / INCH, height / INCH
    most: float = min(_LONGEST_SIDE / max(wide, high), (_MOST_PIXELS / (wide * high)) ** 0.5)
    if dpi <= most:
        return dpi, ""
    return most, (
        f"drawn at {most:.3g} instead of {dpi:g} dots per inch, which would make {wide * dpi:,.0f} × {high * dpi:,.0f} "
        "pixels, more than a picture can have; SVG and PDF have no limit, and depth=1 draws less"
    )


def wider(width: float, venue: object = None) -> list[tuple[str, float]]:
    """The venues' columns that are wider, narrowest first, one of each width; before all those of the same venue."""
    family = venue.lower().rstrip("12") if isinstance(venue, str) and venue.lower() in _INCHES else ""
    same = [(n, w * INCH) for n, w in _INCHES.items() if family == n.rstrip("12") and w * INCH > width + 0.5]
    found: dict[float, str] = {}
    for name, inches in WIDTHS.items():
        if inches * INCH > width + 0.5:
            found.setdefault(inches * INCH, name)
    return [*same, *((name, points) for points, name in sorted(found.items()))]
