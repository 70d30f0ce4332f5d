"""What the training pictures share: figures at their final size, and marks that do not need colour.

Nothing here knows pyplot or changes matplotlib's settings: figures are plain `matplotlib.figure.Figure` objects, which
a notebook shows and `savefig` writes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from .. import checks
from ..viz.venues import INCH, in_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Okabe and Ito's palette, without its yellow, which is too light for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#595959"
WRONG = "#D55E00"

MOST_TILES = 400
FORMATS = ("channels_last", "channels_first")

# Points, at the final size.
TEXT = 8.0
SMALL = 7.0


def inches(width: Any) -> float:
    """The width of a figure, in the unit of matplotlib."""
    found = in_points("width", width) / INCH
    if not 1 <= found <= 100:
        raise checks.refuse("width", width, "1 to 100 inches")
    return found


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own, of so many inches, known to no window and no pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def check_axes(argument: str, value: Any) -> Axes:
    """The value, if it is axes of matplotlib."""
    from matplotlib.axes import Axes

    return checks.instance(argument, value, Axes, "matplotlib axes, or None for a new figure")


def figure_of(axes: Axes) -> Figure | SubFigure:
    figure = axes.get_figure()
    assert figure is not None
    return figure


def styles(count: int) -> list[tuple[str, str]]:
    """A colour and a marker for each; no two have both in common for the first forty."""
    return list(islice(zip(cycle(COLOURS), cycle(MARKERS), strict=False), count))


def dress(axes: Axes, xlabel: str = "", ylabel: str = "") -> None:
    """Labels and ticks in true points, and no more lines than needed."""
    axes.set_xlabel(xlabel, fontsize=TEXT, parse_math=False)
    axes.set_ylabel(ylabel, fontsize=TEXT, parse_math=False)
    axes.tick_params(labelsize=SMALL, length=2.5, width=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.6)


def name_ticks(axis: Any, names: Sequence[str], **options: Any) -> None:
    """Label the places 0, 1, 2 … with names, in which a `$` is a dollar."""
    axis.set_ticks(range(len(names)), names, fontsize=SMALL, parse_math=False, **options)


def tiles(width: float, columns: int, aspect: float, titles: Sequence[str]) -> list[Axes]:
    """Axes for pictures `aspect` times as high as wide, under titles that are broken to fit, row by row."""
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    gap = 0.06  # inches
    side = width / columns - gap
    letters = max(int(side * INCH / (0.58 * SMALL)), 4)  # DejaVu Sans is 0.58 of its size wide, on average
    broken = [textwrap.fill(title, letters) for title in titles]
    heads = []  # the height above each row of pictures
    for row in range(rows):
        lines = max(title.count("\n") + 1 if title else 0 for title in broken[row * columns : (row + 1) * columns])
        heads.append((lines * 1.2 * SMALL + (4 if lines else 0)) / INCH)
    height = sum(heads) + rows * (side * aspect + gap)
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    found = []
    for number, title in enumerate(broken):
        row, column = divmod(number, columns)
        left, bottom = (
            column * (side + gap) + gap / 2,
            sum(heads[: row + 1]) + (row + 1) * side * aspect + (row + 0.5) * gap,
        )
        axes = figure.add_axes((left / width, 1 - bottom / height, side / width, side * aspect / height))
        axes.set_title(title, fontsize=SMALL, pad=3, parse_math=False, linespacing=1.1)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_linewidth(0.6)
        found.append(axes)
    return found
