"""Ablations: the same network with every combination of some choices, compared before anything is trained."""

from __future__ import annotations

import html
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import keras

from .. import checks
from ..blocks import arguments
from ..blocks.core import accepts, default_of, registered, undecorated, weightless
from ..blocks.words import kinds_of, resolved
from ..checks import public
from ..extras import needs
from ..graphs.reader import graph_of
from ..graphs.receptive_fields import with_receptive_fields
from ..graphs.rules import Unknown, field_words
from ..graphs.totals import Total, activation_bytes, total

_OF_UNITS = ("norm", "activation", "use_bias", "padding", "groups", "kernel_initializer", "kernel_regularizer")
"""What is bound into the unit of a network that has no such argument itself."""

MEASURES = ("parameters", "multiply-adds", "activations", "receptive field")


@dataclass(frozen=True)
class Measured:
    """What is known of a network without its weights: parameters, multiply-adds, and bytes of what layers return.

    Args:
        trainable: parameters that are trained.
        parameters: all of them.
        multiply_adds: of one example.
        activations: bytes of the outputs of all layers for one example.
        receptive_field: pixels that one of the last feature map sees, per axis.
        smallest: sides of the last feature map.
    """

    trainable: int
    parameters: int
    multiply_adds: Total
    activations: Total
    receptive_field: tuple[int | None, ...] | Unknown | None
    smallest: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Cell:
    """One combination of the choices; called it gives the model.

    Args:
        choices: for each word the name of what is chosen.
        net: the function that makes the model.
        arguments: what it is called with.
    """

    choices: Mapping[str, str]
    net: Callable[..., Any] = field(repr=False)
    arguments: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """`norm=batch_norm, activation=relu`."""
        return ", ".join(f"{word}={label}" for word, label in self.choices.items())

    def __call__(self, **more: Any) -> keras.Model:
        """The model, with weights; `more` goes to the function that makes it."""
        return self.net(**{**self.arguments, **more})

    def of(self, x: Any) -> Any:
        """What the network makes of a symbolic tensor, as `check_net` asks for it."""
        model = self(input_tensor=x)
        return model.output if isinstance(model, keras.Model) else model

    @cached_property
    def measured(self) -> Measured | None:
        """Parameters, multiply-adds and the like, of the network built without weights; None where it is refused."""
        return self._tried[0]

    @cached_property
    def refused(self) -> str:
        """Why the network cannot be built; "" where it can."""
        return self._tried[1]

    @cached_property
    def _tried(self) -> tuple[Measured | None, str]:
        try:
            with weightless():
                model = self()
        except (TypeError, ValueError) as error:
            reason = error.__cause__ if isinstance(error.__cause__, TypeError | ValueError) else error
            return None, checks.plain(str(reason).partition("\n")[0])
        if not isinstance(model, keras.Model):
            raise checks.refuse("net", type(model).__name__, "a function that gives a keras.Model", TypeError)
        graph = with_receptive_fields(graph_of(model))
        maps = [node for node in graph.nodes if node.outputs and len(node.outputs[0]) >= 3]
        wide = [node for node in maps if node.role != "input" and {*node.outputs[0][1:-1]} != {1}]
        work = ((node.name, activation_bytes(node.outputs, node.dtypes)) for node in graph.nodes)
        measured = Measured(
            graph.trainable_parameters,
            graph.parameters,
            graph.work,
            total(work),
            wide[-1].receptive_field if wide else None,
            tuple(wide[-1].outputs[0][1:-1]) if wide else None,
        )
        return measured, ""


class Grid(Mapping[str, Cell]):
    """The cells of an ablation by their names; printed, the table that compares them."""

    def __init__(self, net: Callable[..., Any], choices: Mapping[str, Mapping[str, Any]]) -> None:
        self.net, self.choices = net, choices
        named = [[(word, label) for label in labels] for word, labels in choices.items()]
        cells = [self._cell(dict(combination)) for combination in itertools.product(*named)]
        self._cells = {cell.name: cell for cell in cells}

    def _cell(self, labels: Mapping[str, str]) -> Cell:
        values = {word: self.choices[word][label] for word, label in labels.items()}
        return Cell(labels, self.net, _arguments(self.net, values))

    def __getitem__(self, name: str) -> Cell:
        if name not in self._cells:
            raise KeyError(checks.unknown("name", name, self._cells, "cell").args[0])
        return self._cells[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def refused(self) -> dict[str, str]:
        """Why some cells cannot be built, by their names."""
        return {name: cell.refused for name, cell in self.items() if cell.refused}

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        choices = " × ".join(f"{len(labels)} {word}" for word, labels in self.choices.items())
        return f"<grid of {choices}: {len(self)} cells>"

    @public
    def table(
        self,
        format: str = "text",
        *,
        columns: Sequence[str] | None = None,
        scores: Mapping[str, float] | None = None,
        higher_is_better: bool = True,
    ) -> str:
        """The cells side by side: what was chosen, and those numbers in which they differ, the best in bold.

        The numbers that all have in common are in the last line; refused cells have their reason instead of numbers.

        Args:
            format: `"text"`, where a star marks the best, `"markdown"`, `"latex"` or `"csv"`.
            columns: of `parameters`, `multiply-adds`, `activations` (bytes of the outputs of all layers, an example)
                and `receptive field` (of the last feature map); None for those that differ.
            scores: a number for each cell, by name, such as an accuracy; for a column of its own.
            higher_is_better: of the scores; of all else less is better, and of the receptive field nothing is.
        """
        format = checks.choice("format", format, ("text", "markdown", "latex", "csv"))
        higher_is_better = checks.flag("higher_is_better", higher_is_better)
        if columns is not None:
            columns = [checks.choice("columns", c, MEASURES) for c in checks.names("columns", columns, "columns")]
        scores = self._scores(scores)
        cells = [cell for cell in self.values() if cell.measured is not None]
        said = {name: [_MEASURES[name][0](cell.measured) for cell in cells] for name in MEASURES}  # type: ignore[arg-type]
        differing = [name for name in MEASURES if len({*said[name]}) > 1]
        shown = list(differing if columns is None else columns)
        best: dict[str, float | None] = {name: _least(_MEASURES[name][1], cells) for name in shown}
        if scores:
            sign = -1 if higher_is_better else 1
            marks = [sign * scores.get(cell.name, float("inf") * sign) for cell in cells]
            best["score"] = min(marks) if marks else None
        words = [word for word, labels in self.choices.items() if len(labels) > 1] or list(self.choices)
        rows = []
        for cell in self.values():
            chosen = [(cell.choices[word], False) for word in words]
            if cell.measured is None:
                rows.append([*chosen, (f"refused: {cell.refused}", False)])
                continue
            for name in shown:
                text, number = _MEASURES[name][0](cell.measured), _MEASURES[name][1](cell.measured)
                text = str(number) if format == "csv" and number is not None else text
                chosen.append((text, len({*said[name]}) > 1 and number is not None and number == best[name]))
            if scores:
                mark = scores.get(cell.name)
                is_best = mark is not None and (-mark if higher_is_better else mark) == best["score"]
                chosen.append(("" if mark is None else f"{mark:g}", is_best))
            rows.append(chosen)
        common = [f"{name} {said[name][0]}" for name in MEASURES if cells and name not in differing and said[name][0]]
        head = [*words, *shown, *(["score"] if scores else [])]
        return _WRITERS[format](head, rows, len(words), ", ".join(common) if len(self) > 1 else "")

    def _scores(self, scores: Any) -> dict[str, float]:
        found = {} if scores is None else checks.mapping("scores", scores)
        for name in found:
            if name not in self._cells:
                raise checks.unknown("scores", name, self._cells, "cell")
        return {name: checks.number(f"scores[{name}]", score) for name, score in found.items()}

    @public
    def each(self, function: Callable[..., Any], *args: Any, **options: Any) -> dict[str, Any]:
        """Call a function with the network of every cell that can be built, as a function of a symbolic tensor.

        For `check_net` over all cells: `grid(…).each(check_net, "b h w 3 -> b 1000", least=32)`. The constructor must
        accept `input_tensor`, as those of `layerblocks.architectures` and `keras.applications` do.

        Returns:
            What it gave, by the names of the cells. An error names the cell in a note.
        """
        function = checks.function("function", function)
        found = {}
        for name, cell in self.items():
            if cell.refused:
                continue
            try:
                found[name] = function(cell.of, *args, **options)
            except Exception as error:
                error.add_note(f"in the cell {name}")
                raise
        return found

    @public
    def suggest(self, trial: Any) -> Cell:
        """The cell that a tuner asks for: `suggest(trial)` of optuna, `suggest(hp)` of keras-tuner.

        Each word of the choices is a categorical parameter of the tuner. A refused cell is pruned by optuna
        (`optuna.TrialPruned`), and is a ValueError with its reason otherwise.

        Example of use: `study.optimize(lambda trial: train(cells.suggest(trial)()), n_trials=20)`.
        """
        ask = getattr(trial, "suggest_categorical", None) or getattr(trial, "Choice", None)
        if ask is None:
            must_be = "a trial of optuna or the hyperparameters of keras-tuner"
            raise checks.refuse("trial", trial, must_be, TypeError)
        cell = self._cell({word: ask(word, list(labels)) for word, labels in self.choices.items()})
        if cell.refused:
            if (optuna := sys.modules.get("optuna")) is not None and isinstance(trial, optuna.trial.BaseTrial):
                raise optuna.TrialPruned(cell.refused)
            raise checks.complaint(f"{cell.name} is refused: {cell.refused}")
        return cell

    @public
    def plot(
        self,
        scores: Mapping[str, float] | None = None,
        *,
        against: str = "multiply-adds",
        higher_is_better: bool = True,
        axes: Any = None,
    ) -> Any:
        """Draw every cell by its cost and its score, and the line of those that no other beats in both.

        Args:
            scores: a number for each cell, by name; None for the parameters.
            against: the cost, of `parameters`, `multiply-adds`, `activations`.
            higher_is_better: of the scores.
            axes: of matplotlib; None for a new figure.

        Returns:
            The axes.
        """
        against = checks.choice("against", against, MEASURES[:3])
        given, higher_is_better = self._scores(scores), checks.flag("higher_is_better", higher_is_better)
        of = {name: _MEASURES[against][1](cell.measured) for name, cell in self.items() if cell.measured is not None}
        marks = given or {name: cell.measured.parameters for name, cell in self.items() if cell.measured is not None}
        points: dict[str, tuple[float, float]] = {
            name: (float(cost), float(marks[name])) for name, cost in of.items() if name in marks and cost is not None
        }
        if not points:
            raise checks.refuse("scores", scores, "a number for a cell that can be built")
        if axes is None:
            axes = needs("matplotlib.figure", extra="training").Figure(layout="constrained").add_subplot()
        front = pareto([points[name] for name in points], higher_is_better=bool(given) and higher_is_better)
        middle = sum(cost for cost, _ in points.values()) / len(points)
        labels: dict[tuple[float, float], list[str]] = {}
        for number, (name, point) in enumerate(points.items()):
            beaten = number not in front
            axes.plot(*([one] for one in point), "." if beaten else "o", color="#888888" if beaten else "#0072B2")
            if not beaten:
                labels.setdefault(point, []).append(", ".join(self[name].choices.values()))
        for point, same in labels.items():
            inward = {"ha": "right", "xytext": (-5, 5)} if point[0] > middle else {"ha": "left", "xytext": (5, 5)}
            text = same[0] if len(same) == 1 else f"{same[0]} and {len(same) - 1} more"
            axes.annotate(text, point, textcoords="offset points", fontsize=7, **inward)
        line = sorted(labels)
        axes.plot(*zip(*line, strict=True), "-", color="#0072B2", linewidth=1, zorder=0)
        for axis in (axes.xaxis, axes.yaxis)[: 1 if given else 2]:
            axis.set_major_formatter(
                needs("matplotlib.ticker", extra="training").EngFormatter(sep="\N{NARROW NO-BREAK SPACE}")
            )
        axes.set_xlabel(f"{against}{' (bytes)' if against == 'activations' else ''}")
        axes.set_ylabel("score" if given else "parameters")
        return axes


@public
def pareto(points: Sequence[tuple[float, float]], *, higher_is_better: bool = True) -> list[int]:
    """The places of the points that no other beats: none costs as little and scores as well, or better in one.

    Args:
        points: (cost, score) each.
        higher_is_better: of the scores.

    Returns:
        Their places, by rising cost.

    Example:
        >>> pareto([(1, 70), (2, 60), (3, 80)])
        [0, 2]
    """
    higher_is_better = checks.flag("higher_is_better", higher_is_better)
    if not checks.is_sequence(points) or not all(checks.is_sequence(point) and len(point) == 2 for point in points):
        raise checks.refuse("points", points, "a list of (cost, score)", TypeError)
    sign = 1 if higher_is_better else -1
    numbers = [(checks.number("points", cost), sign * checks.number("points", score)) for cost, score in points]
    order = sorted(range(len(numbers)), key=lambda place: (numbers[place][0], -numbers[place][1]))
    front: list[int] = []
    for place in order:
        if not front or numbers[place][1] > numbers[front[-1]][1] or numbers[place] == numbers[front[-1]]:
            front.append(place)
    return front


@public
def grid(net: Callable[..., Any], /, **choices: Any) -> Grid:
    """Every combination of some choices for a network, as cells that are named, measured and built when asked.

    `net` is called with a word that it has as an argument. One that it has not, such as `norm` or `activation`, is
    bound into its `conv`. Nothing is built until it is asked for, and for the table without weights.

    Args:
        net: a function that gives a model, such as `resnet18`.
        choices: for each word the values to compare: a list, whose values are named by what they are, or a dict of
            names and values. Where `net` or its unit accepts a function (`conv`, `norm`, `activation`, `shortcut`,
            `transforms` …), a value may be its name, alone or as `("group", {"groups": 8})` or
            `{"name": "group_norm", "groups": 8}`, so that all can come from a file.

    Returns:
        A mapping of names to cells. `print` it for the table; `.table("latex")`, `.plot(scores)`,
        `.each(check_net, …)`, `.suggest(trial)`, `.refused`; a cell called gives the model.

    Raises:
        TypeError: `net` is no function, or has neither an argument of a word nor a `conv` that has.
        ValueError: a word has no values, two of the same name, or names no registered function.

    Example:
        >>> from layerblocks.architectures import cifar_resnet20
        >>> cells = grid(cifar_resnet20, norm=["batch_norm", "layer_norm"], activation=["relu", "gelu"])
        >>> list(cells)[:2]
        ['norm=batch_norm, activation=relu', 'norm=batch_norm, activation=gelu']
        >>> print(cells.table("markdown").splitlines()[0])
        | norm | activation | parameters |
        >>> model = cells["norm=layer_norm, activation=gelu"]()
    """
    arguments.callable_instance("net", net)
    if not choices:
        raise checks.refuse("choices", choices, "at least one word with the values to compare", TypeError)
    for word in choices:
        _check_word(net, word)
    return Grid(net, {word: _labelled(net, word, values) for word, values in choices.items()})


def _check_word(net: Callable[..., Any], word: str) -> None:
    if accepts(net, word) or (word in _OF_UNITS and accepts(net, "conv")):
        return
    raise checks.complaint(
        f"{word} must be an argument of net or, where net has conv, of {', '.join(_OF_UNITS)}", TypeError
    )


def _labelled(net: Callable[..., Any], word: str, values: Any) -> dict[str, Any]:
    """The values of a word by their names, functions for what is said by its name."""
    if isinstance(values, Mapping):
        named = {checks.text(word, label, "names"): value for label, value in values.items()}
    elif checks.is_sequence(values):
        named = {}
        for value in values:
            label = _label(value)
            if label in named:
                raise checks.refuse(word, values, f"values of different names; two are {label}, give a dict of names")
            named[label] = value
    else:
        raise checks.refuse(word, values, "a list of values, or a dict of names and values", TypeError)
    if not named:
        raise checks.refuse(word, values, "at least one value")
    return {label: _settled(net, word, value) for label, value in named.items()}


def _settled(net: Callable[..., Any], word: str, value: Any) -> Any:
    """A function for the word of one, as `net` or its unit would have it."""
    kind = _kind(net, word)
    found = value if kind is None else resolved(kind, word, value)
    if kind in ("unit", "norm", "pool", "dense") and (found is not None or kind == "unit"):
        checks.function(word, found, "name")
    return found


def _kind(net: Callable[..., Any], word: str) -> str | None:
    """What a word of `net`, or else of its unit, stands for: a norm, a shortcut …; None for other things."""
    if accepts(net, word):
        return kinds_of(undecorated(net)).get(word)
    return kinds_of(undecorated(_unit(net))).get(word)


def _unit(net: Callable[..., Any]) -> Callable[..., Any]:
    unit = default_of(net, "conv")
    return registered("unit")["conv_bn"] if unit is None else unit


def _label(value: Any) -> str:
    """What a value is called where it has no name: `group_norm(groups=8)`."""
    if isinstance(value, partial):
        words = ", ".join(f"{word}={_label(option)}" for word, option in value.keywords.items())
        return f"{_label(undecorated(value))}({words})"
    if isinstance(value, Mapping) and "name" in value:
        return _label((value["name"], {word: option for word, option in value.items() if word != "name"}))
    if checks.is_sequence(value) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], Mapping):
        words = ", ".join(f"{word}={_label(option)}" for word, option in value[1].items())
        return f"{value[0]}({words})" if words else value[0]
    return str(getattr(value, "__name__", None) or checks.one_line(value, 40)).strip("'")


def _arguments(net: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What `net` is called with: what it has not itself is bound into its unit."""
    own = {word: value for word, value in values.items() if accepts(net, word)}
    rest = {word: value for word, value in values.items() if word not in own}
    if rest:
        own["conv"] = _bound(own.get("conv") or _unit(net), rest)
    return own


def _bound(unit: Callable[..., Any], words: Mapping[str, Any]) -> Callable[..., Any]:
    """A unit with these arguments; one that is made of another unit has them there."""
    inner = default_of(unit, "conv")
    return partial(unit, **words) if inner is None else partial(unit, conv=_bound(inner, words))


# -- tables -----------------------------------------------------------------------------------------------------------


def _field(measured: Measured) -> str:
    words = field_words(measured.receptive_field)
    sides = measured.smallest
    return f"{words} at {'×'.join('?' if n is None else str(n) for n in sides)}" if words and sides else words


def _bytes(size: Total) -> str:
    return f"{size}B" if size.known >= 1000 else f"{size} B"


_MEASURES: dict[str, tuple[Callable[[Measured], str], Callable[[Measured], int | None]]] = {
    "parameters": (lambda m: f"{m.parameters:,}", lambda m: m.parameters),
    "multiply-adds": (lambda m: str(m.multiply_adds), lambda m: m.multiply_adds.exact),
    "activations": (lambda m: _bytes(m.activations), lambda m: m.activations.exact),
    "receptive field": (_field, lambda m: None),
}
"""By the column: the words, and the number of which less is better."""


def _least(number: Callable[[Measured], int | None], cells: Sequence[Cell]) -> int | None:
    found = [number(cell.measured) for cell in cells if cell.measured is not None]
    return min((one for one in found if one is not None), default=None)


_Rows = Sequence[Sequence[tuple[str, bool]]]


def _text(head: Sequence[str], rows: _Rows, words: int, common: str) -> str:
    lines = [list(head), *([f"{text}{' *' if best else ''}" for text, best in row] for row in rows)]
    full = [line for line in lines if len(line) == len(head)]
    widths = [max(len(line[n]) for line in full) for n in range(len(head))]
    widths[:words] = [max(len(line[n]) for line in lines) for n in range(words)]
    written = []
    for line in lines:
        cells = []
        for n, text in enumerate(line):
            is_reason = len(line) != len(head) and n == words
            starred = text if text.endswith(" *") or n < words or is_reason else f"{text}  "
            cells.append(
                starred if is_reason else starred.ljust(widths[n]) if n < words else starred.rjust(widths[n] + 2)
            )
        written.append("  ".join(cells).rstrip())
    written.insert(1, "─" * max(map(len, written[:1])))
    return "\n".join([*written, *([f"in common: {common}"] if common else [])])


def _markdown(head: Sequence[str], rows: _Rows, words: int, common: str) -> str:
    def cell(text: str, best: bool) -> str:
        safe = html.escape(text, quote=False).replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
        return f"**{safe}**" if best else safe

    lines = [f"| {' | '.join(cell(word, False) for word in head)} |"]
    lines.append(f"|{'|'.join(' --- ' if n < words else ' ---: ' for n in range(len(head)))}|")
    for row in rows:
        filled = [*(cell(*one) for one in row), *[""] * (len(head) - len(row))]
        if len(filled) > len(head):  # a reason where there is no column of numbers
            filled = [*filled[: words - 1], " ".join(filled[words - 1 :])]
        lines.append(f"| {' | '.join(filled)} |")
    return "\n".join([*lines, *(["", f"In common: {cell(common, False)}."] if common else [])])


_LATEX = {
    "\\": r"\textbackslash{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "<": r"$<$",
    ">": r"$>$",
}


def _latex(head: Sequence[str], rows: _Rows, words: int, common: str) -> str:
    def cell(text: str, best: bool) -> str:
        safe = "".join(_LATEX.get(char, char) for char in text)
        return rf"\textbf{{{safe}}}" if best else safe

    lines = [rf"\begin{{tabular}}{{{'l' * words}{'r' * (len(head) - words)}}}", r"\toprule"]
    lines += [" & ".join(cell(word, False) for word in head) + r" \\", r"\midrule"]
    for row in rows:
        cells = [cell(*one) for one in row]
        if len(row) != len(head) and len(head) > words:
            cells[words] = rf"\multicolumn{{{len(head) - words}}}{{l}}{{{cells[words]}}}"
        elif len(row) > len(head):
            cells = [*cells[: words - 1], " ".join(cells[words - 1 :])]
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule"]
    if common:
        lines.append(rf"\multicolumn{{{len(head)}}}{{l}}{{In common: {cell(common, False)}}} \\")
    return "\n".join([*lines, r"\end{tabular}"])


def _csv(head: Sequence[str], rows: _Rows, words: int, common: str) -> str:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if any(char in text for char in ',"\n') else text

    return "\n".join([",".join(map(cell, head)), *(",".join(cell(text) for text, _ in row) for row in rows)])


_WRITERS = {"text": _text, "markdown": _markdown, "latex": _latex, "csv": _csv}
