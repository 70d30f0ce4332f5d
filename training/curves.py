"""Loss and metric curves of a training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from .. import checks
from ..checks import complaint, listed, public, refuse
from ..viz.fonts import face
from ..viz.venues import INCH
from .history import LEARNING_RATES, Series, TrainingLog, read_history
from .panels import GREY, SMALL, check_axes, dress, figure_of, inches, new_figure, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL = 2.3  # the least width, in inches
_ASPECT = 0.45
_WHOLE = (GREY, "x")  # the model of which the heads are
_MARKERS = 8  # on each line
# What is better when higher; all else is better when lower, as losses and errors are.
_HIGHER = (
    *("acc", "auc", "precision", "recall", "sensitivity", "specificity", "score", "iou", "io_u", "similarity", "dice"),
)


@public
def plot_history(
    history: Any,
    *,
    metrics: str | Iterable[str] | None = None,
    axes: Axes | Sequence[Axes] | Mapping[str, Axes] | None = None,
    smooth: float = 0.0,
    best: str | None = "loss",
    width: float | str = "ieee1",
) -> dict[str, Axes]:
    """Draw the loss, the metrics and the learning rate of a training over its epochs, one panel each.

    Training is solid, validation dashed with open markers; each output of a model with several has its colour and
    its marker. A dotted line marks the best epoch. Text is 7 and 8 points at the figure's own size.

    Args:
        history: as of `read_history`: a Keras `History`, its `.history`, or the path of a `CSVLogger` file.
        metrics: which to draw, by name without `val_` and without the output: `"loss"`, `"accuracy"`; None for all.
        axes: where to draw, one for each, in their order or by name; None for a new figure.
        smooth: from 0 to below 1: the weight of the past in an exponential moving average, which is then drawn over
            the values.
        best: what makes an epoch the best: a metric, as it is on the validation data if that was logged. None: no mark.
        width: of a new figure: points, `"3.5in"`, `"8cm"`, or a venue's column: `"ieee1"`, `"neurips"` …

    Returns:
        The axes by what they show; `axes["loss"].figure.savefig("curves.pdf")` writes them all.

    Raises:
        TypeError: it is no history, or an argument is of another kind.
        ValueError: the history is empty or has no loss, there is no such metric, or a number is out of range.

    >>> axes = plot_history({"loss": [2.0, 1.0, 0.5], "val_loss": [1.5, 1.0, 1.1], "accuracy": [0.3, 0.6, 0.8]})
    >>> {name: len(panel.get_lines()) for name, panel in axes.items()}
    {'loss': 3, 'accuracy': 2}
    """
    log = read_history(history)
    names = _metrics(log, metrics)
    smooth = checks.fraction("smooth", smooth)
    marked = None if best is None else _best(log, best)
    inch = inches(width)
    panels = _new(names, inch) if axes is None else _given(names, axes)
    looks = dict(zip(log.heads or ("",), styles(len(log.heads) or 1), strict=True))
    for name, panel in panels.items():
        for series in log.series:
            if series.quantity == name:
                weight = 0 if name in LEARNING_RATES else smooth
                _draw(panel, series, *looks.get(series.head, _WHOLE), weight)
        _finish(panel, name, log)
        if axes is None and names.index(name) + _columns(names, inch) < len(names):  # another is below it
            panel.set_xlabel("")
            panel.tick_params(labelbottom=False)
        if marked is not None:
            panel.axvline(marked, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
    first = next(iter(panels.values()))
    _legend(first, log, names, looks, marked, inch if axes is None else None)
    return panels


def _metrics(log: TrainingLog, metrics: Any) -> tuple[str, ...]:
    if metrics is None:
        return log.quantities
    asked = checks.names("metrics", metrics, "names, or None for all")
    if not asked:
        raise refuse("metrics", metrics, "names, or None for all")
    return tuple(dict.fromkeys(checks.choice("metrics", name, log.quantities) for name in asked))


def _best(log: TrainingLog, best: Any) -> int | None:
    """The epoch of the best finite value; of two alike, the first."""
    best = checks.text("best", best, "the name of a metric, or None")
    series = log.find(f"val_{best}") or log.find(best)
    if series is None and best == "loss":
        return None
    if series is None:
        raise checks.unknown("best", best, [series.key for series in log.series], "metric")
    return series.best(higher=any(part in series.quantity for part in _HIGHER))


# -- where ------------------------------------------------------------------------------------------------------------


def _new(names: Sequence[str], width: float) -> dict[str, Axes]:
    columns = _columns(names, width)
    rows = -(-len(names) // columns)
    figure = new_figure(width, rows * width / columns * _ASPECT + 0.6)
    return {name: figure.add_subplot(rows, columns, number) for number, name in enumerate(names, 1)}


def _columns(names: Sequence[str], width: float) -> int:
    return min(len(names), max(int(width / _PANEL), 1))


def _given(names: Sequence[str], axes: Any) -> dict[str, Axes]:
    if isinstance(axes, Mapping):
        missing = [name for name in names if name not in axes]
        if missing:
            raise complaint(f"axes must be a dict of axes for {listed(names)}, got none for {listed(missing)}")
        return {name: check_axes(f"axes[{name!r}]", axes[name]) for name in names}
    flat = axes.ravel().tolist() if hasattr(axes, "ravel") else list(axes) if isinstance(axes, Sequence) else [axes]
    flat = flat if isinstance(flat, list) else [flat]  # ravel of an array of no axis
    checked = [check_axes("axes", one) for one in flat]
    if len(checked) != len(names):
        raise complaint(f"axes must be {len(names)}, for {listed(names)}, got {len(checked)}")
    return dict(zip(names, checked, strict=True))


# -- what -------------------------------------------------------------------------------------------------------------


def _draw(axes: Axes, series: Series, colour: str, marker: str, smooth: float) -> None:
    values = [value if math.isfinite(value) else math.nan for value in series.values]
    look: dict[str, Any] = {"color": colour, "linewidth": 1.1, "linestyle": "--" if series.validation else "-"}
    marks: dict[str, Any] = {
        "marker": marker,
        "markersize": 3.2,
        "markeredgewidth": 0.8,
        "markerfacecolor": "white" if series.validation and marker != "x" else colour,
        "markevery": -(-len(values) // _MARKERS),
    }
    if smooth:
        axes.plot(series.epochs, values, label=f"_{series.key}", **{**look, "linewidth": 0.6, "alpha": 0.4})
        values = _smoothed(values, smooth)
    axes.plot(series.epochs, values, label=series.key, **look, **marks)


def _smoothed(values: Sequence[float], weight: float) -> list[float]:
    """The exponential moving average, started without a bias to zero; a missing value changes nothing after it."""
    total = parts = 0.0
    found = []
    for value in values:
        if not math.isnan(value):
            total, parts = total * weight + value, parts * weight + 1
        found.append(math.nan if math.isnan(value) else total / parts)
    return found


def _finish(axes: Axes, name: str, log: TrainingLog) -> None:
    from matplotlib.ticker import MaxNLocator

    dress(axes, "epoch", name.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    first, last = axes.dataLim.intervalx
    axes.set_xlim(first - 0.5, last + max(0.5, 0.03 * (last - first)))  # there is no epoch 0
    axes.grid(True, color="#E0E0E0", linewidth=0.5)
    axes.set_axisbelow(True)
    values = [value for series in log.series if series.quantity == name for value in series.values]
    rates = [value for value in values if 0 < value < math.inf]
    if name in LEARNING_RATES and rates and len(rates) == len(values) and max(rates) > 20 * min(rates):
        axes.set_yscale("log")


def _legend(
    axes: Axes,
    log: TrainingLog,
    names: Sequence[str],
    looks: Mapping[str, tuple[str, str]],
    best: int | None,
    width: float | None,
) -> None:
    """What the line styles, colours and markers say, as far as they occur; above a new figure of that width."""
    from matplotlib.lines import Line2D

    def entry(label: str, **look: Any) -> Line2D:
        return Line2D([], [], label=label, linewidth=1.1, markersize=3.2, **look)

    shown = [series for series in log.series if series.quantity in names and series.quantity not in LEARNING_RATES]
    entries = []
    grey, marker = (GREY, "") if log.heads else looks[""]
    for head in (*log.heads, "") if log.heads else ():
        if any(series.head == head for series in shown):
            colour, mark = looks.get(head, _WHOLE)
            entries.append(entry(head or "whole model", color=colour, marker=mark))
    if any(not series.validation for series in shown):
        entries.append(entry("training", color=grey, marker=marker))
    if any(series.validation for series in shown):
        entries.append(entry("validation", color=grey, marker=marker, linestyle="--", markerfacecolor="white"))
    if best is not None:
        entries.append(entry(f"best: epoch {best}", color=GREY, linestyle=":"))
    if not entries:
        return
    text: dict[str, Any] = {"fontsize": SMALL, "handlelength": 2.6, "columnspacing": 1.2}
    if width is None:
        look: dict[str, Any] = {"framealpha": 0.85, "edgecolor": "none", "ncols": 1 + (len(entries) > 3)}
        axes.legend(handles=entries, **look, **text)
        return
    columns = max(n for n in range(1, len(entries) + 1) if n == 1 or _legend_width(entries, n) <= width * INCH)
    figure_of(axes).legend(handles=entries, loc="outside upper center", frameon=False, ncols=columns, **text)


def _legend_width(entries: Sequence[Any], columns: int) -> float:
    """How wide a legend is, in points; its columns are filled one after the other."""
    labels = iter([face().width(str(one.get_label()), SMALL) for one in entries])
    fewest, rest = divmod(len(entries), columns)
    longest = [max(islice(labels, fewest + (column < rest))) for column in range(columns)]
    return sum(longest) + (4.6 * columns + 1) * SMALL
