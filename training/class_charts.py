"""How many images each class has, and which classes a network mistakes for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..checks import complaint, public, refuse
from ..viz.venues import INCH
from .labels import as_array, of_numbers, read_classes, read_labels
from .panels import COLOURS, GREY, SMALL, TEXT, check_axes, dress, figure_of, inches, name_ticks, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_MOST_NAMED = 60
_BAR = 0.155  # inches from one named bar to the next
# Over which axes the numbers that make a hundred percent are summed, and what these are.
_SHARES: dict[str, tuple[Any, str]] = {
    "true": (1, " (% of the true class)"),
    "pred": (0, " (% of the predicted class)"),
    "all": ((0, 1), " (% of all)"),
}


@public
def plot_class_distribution(
    labels: Any, *, classes: Sequence[str] | None = None, ax: Axes | None = None, width: float | str = "ieee1"
) -> Axes:
    """Draw how many labels each class has: a bar and a number for each; above 60 classes, bars by class number.

    Args:
        labels: class numbers `(images,)` or `(images, 1)`, one-hot rows `(images, classes)`, text, or a
            `tf.data.Dataset` of these or of `(images, labels)`, batched or not.
        classes: the names of the classes, in order; those without a label get an empty bar.
        ax: where to draw; None for a new figure.
        width: of a new figure, as in `plot_history`.

    Raises:
        TypeError: these are no labels or names.
        ValueError: there are none, one is out of range or named by no class, or a row is not one-hot.

    >>> ax = plot_class_distribution([0, 2, 2, 1, 2], classes=["cat", "dog", "panda"])
    >>> [int(bar.get_width()) for bar in ax.patches]
    [1, 1, 3]
    """
    numbers, names = read_labels("labels", labels, read_classes(classes))
    counts = np.bincount(numbers, minlength=len(names))
    named = len(names) <= _MOST_NAMED
    inch = inches(width)
    if ax is None:
        ax = new_figure(inch, len(names) * _BAR + 0.45 if named else inch * 0.5).add_subplot()
    check_axes("ax", ax)
    if not named:
        ax.bar(range(len(names)), counts, width=1.0, color=COLOURS[0])
        dress(ax, "class", "images")
        ax.set_xlim(-0.5, len(names) - 0.5)
        return ax
    bars = ax.barh(range(len(names)), counts, height=0.72, color=COLOURS[0])
    ax.bar_label(bars, [f"{count:,}" for count in counts], padding=2, fontsize=SMALL)
    dress(ax, "images")
    name_ticks(ax.yaxis, names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.margins(x=0.13)
    _whole_ticks(ax.xaxis)
    return ax


@public
def plot_confusion_matrix(
    matrix: Any,
    classes: Sequence[str] | None = None,
    *,
    normalize: str | None = None,
    ax: Axes | None = None,
    width: float | str = "ieee1",
) -> Axes:
    """Draw which classes are taken for which, the true class in rows and the predicted one in columns.

    Every cell holds its number as far as there is room for 5 points; the darker the cell, the higher it is.

    Args:
        matrix: the counts, `(classes, classes)`.
        classes: the names of the classes, in order; None for numbers.
        normalize: None for counts; `"true"`, `"pred"` or `"all"` for percent of the true class, of the predicted
            class, or of all. A class without images has an empty row or column.
        ax: where to draw; None for a new figure.
        width: of a new figure, as in `plot_history`.

    Raises:
        TypeError: these are no numbers or names.
        ValueError: the matrix is empty, not square or has a negative number, or the names are of another number.

    >>> ax = plot_confusion_matrix([[8, 2], [1, 9]], ["cat", "dog"], normalize="true")
    >>> [text.get_text() for text in ax.texts]
    ['80', '20', '10', '90']
    """
    names = read_classes(classes)
    counts = of_numbers("matrix", as_array("matrix", matrix))
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise complaint(f"matrix must be of shape (classes, classes), got {counts.shape}")
    if not np.all(np.isfinite(counts)) or counts.min() < 0:
        raise refuse("matrix", matrix, "counts, which are finite and not below 0")
    if names is not None and len(names) != len(counts):
        raise complaint(f"classes must be one name for each of {len(counts)} classes, got {len(names)}")
    normalize = checks.choice("normalize", normalize, [*_SHARES, None])
    inch = inches(width)
    if ax is None:
        ax = new_figure(inch, inch).add_subplot()
    check_axes("ax", ax)
    names = names or tuple(map(str, range(len(counts))))
    shown = _percent(counts, normalize)
    ax.imshow(np.nan_to_num(shown), cmap="Blues", vmin=0, vmax=np.nan_to_num(shown).max() or 1)
    _name_cells(ax, shown, whole=normalize is None and bool(np.all(counts == np.floor(counts))))
    dress(ax, f"predicted{_SHARES[normalize][1] if normalize else ''}", "true")
    ax.spines[:].set_visible(False)
    if len(names) <= _MOST_NAMED:
        long = max(map(len, names)) * len(names) > 40
        name_ticks(ax.xaxis, names, rotation=90 if long else 0)
        name_ticks(ax.yaxis, names)
    return ax


def _percent(counts: np.ndarray[Any, Any], normalize: str | None) -> np.ndarray[Any, Any]:
    if normalize is None:
        return counts.astype(float)
    total = counts.sum(axis=_SHARES[normalize][0], keepdims=True).astype(float)
    return np.divide(100.0 * counts, total, out=np.full(counts.shape, np.nan), where=total > 0)


def _name_cells(axes: Axes, shown: np.ndarray[Any, Any], *, whole: bool) -> None:
    texts = [
        ["" if np.isnan(v) else f"{v:.0f}" if whole or v >= 9.95 or v == 0 else f"{v:.1f}" for v in row]
        for row in shown
    ]
    longest = max(len(text) for row in texts for text in row)
    figure = figure_of(axes)
    cell = figure.bbox.width / figure.dpi * INCH * axes.get_position().width / len(shown)
    size = min(TEXT, 0.9 * cell / (0.64 * max(longest, 1)))
    if size < 5:
        return
    dark = 0.55 * (np.nanmax(shown) if not np.all(np.isnan(shown)) else 1)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            value = shown[row, column]
            colour = "white" if value > dark else "black" if value else GREY
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _whole_ticks(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", integer=True))
