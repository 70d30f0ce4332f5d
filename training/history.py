"""What a training logged, epoch by epoch: read from a Keras `History`, its dict or a `CSVLogger` file."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from .. import checks
from ..checks import complaint, nearest, one_line, public, refuse
from ..files import why

LEARNING_RATES = ("learning_rate", "lr")
_VALIDATION = "val_"
_LOSS = "loss"
_NOT_LOGGED = ("", "NA")  # the second is what CSVLogger writes
_HISTORY = "a Keras History, its .history or the path of a CSVLogger file"
_FREQUENCY = "a positive integer, the epochs after which fit validated, or None"
_GAPS = "numbers, or None where nothing was logged"


@dataclass(frozen=True, slots=True)
class Series:
    """One logged quantity, at the epochs at which it was logged; the first epoch is 1.

    Args:
        key: what Keras logs it under: `val_aux1_loss`.
        head: the output it belongs to: `aux1`; empty for the whole model.
        quantity: what it is: `loss`.
        validation: whether it was measured on the validation data.
    """

    key: str
    head: str
    quantity: str
    validation: bool
    epochs: tuple[int, ...]
    values: tuple[float, ...]

    def best(self, higher: bool = False) -> int | None:
        """The epoch of the lowest, or highest, finite value; of two alike, the first."""
        sign = -1 if higher else 1
        finite = [(sign * v, epoch) for epoch, v in zip(self.epochs, self.values, strict=True) if math.isfinite(v)]
        return min(finite)[1] if finite else None


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """Everything that a training logged.

    Args:
        series: one for each key.
        heads: the outputs that have quantities of their own, `main` first; none for a model with one output.
    """

    series: tuple[Series, ...]
    heads: tuple[str, ...]

    @property
    def quantities(self) -> tuple[str, ...]:
        """Each once: the loss, the metrics, the learning rate."""
        found = dict.fromkeys(series.quantity for series in self.series)
        return tuple(sorted(found, key=lambda name: (name in LEARNING_RATES, name != _LOSS)))

    def find(self, key: str) -> Series | None:
        """The series that Keras logs under this key."""
        return next((series for series in self.series if series.key == key), None)


@public
def read_history(history: Any, *, validation_freq: int | Container[int] | None = None) -> TrainingLog:
    """Read what a training logged; all functions of a history also accept the `TrainingLog` this returns.

    Outputs of a model with several are known by their losses: `aux1_loss` and `main_loss` make the heads `aux1` and
    `main`, and `main_accuracy` is then the accuracy of `main`.

    Args:
        history: a Keras `History` (what `fit` returns), its `.history`, or the path of a file that `CSVLogger` wrote.
            In a dict, None stands for an epoch at which a key was not logged.
        validation_freq: what `fit` was given, where it was not 1 and the numbers of epochs do not tell it.

    Raises:
        TypeError: it is no history.
        ValueError: it has no epoch or no loss, its lists do not fit each other, or the file cannot be read as one.
        OSError: there is no such file.

    >>> log = read_history({"loss": [2.0, 1.0, 0.5, 0.4], "val_loss": [1.2, 0.9]})
    >>> [(series.key, series.epochs) for series in log.series]
    [('loss', (1, 2, 3, 4)), ('val_loss', (2, 4))]
    """
    freq = _frequency(validation_freq)
    if isinstance(history, TrainingLog):
        return history
    epochs, columns = _columns(history)
    columns = {key: values for key, values in columns.items() if any(value is not None for value in values)}
    if not columns:
        raise complaint("history must be of one epoch or more, got none: it is empty before fit has run one")
    heads = _heads(columns)
    series = tuple(_series(key, values, epochs, heads, freq) for key, values in columns.items())
    if not any(one.quantity == _LOSS and not one.validation for one in series):
        raise complaint(f"history must be one with a loss, got {checks.listed([*columns])}{nearest(_LOSS, columns)}")
    return TrainingLog(series, heads)


def _frequency(value: Any) -> int | Container[int] | None:
    if value is None:
        return None
    if not isinstance(value, Container) or isinstance(value, str | bytes | Mapping):
        return checks.integer("validation_freq", value, must_be=_FREQUENCY)
    if not isinstance(value, Iterable):
        return value
    return tuple(checks.integer("validation_freq[…]", epoch, must_be=_FREQUENCY) for epoch in value)


# -- sources ----------------------------------------------------------------------------------------------------------


def _columns(history: Any) -> tuple[Sequence[int], dict[str, list[float | None]]]:
    """The number of each epoch from 1 on, and the values of each key."""
    if isinstance(history, str | os.PathLike):
        return _read_csv(Path(history))
    table = history if isinstance(history, Mapping) else getattr(history, "history", None)
    if not isinstance(table, Mapping):
        raise refuse("history", history, _HISTORY, TypeError)
    columns = {str(key): [_number(key, value) for value in _listed(key, values)] for key, values in table.items()}
    longest = max(map(len, columns.values()), default=0)
    counted = getattr(history, "epoch", None)
    if isinstance(counted, list) and len(counted) == longest:
        return [int(epoch) + 1 for epoch in counted], columns
    return range(1, longest + 1), columns


def _listed(key: object, values: Any) -> Iterable[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise refuse(f"history[{one_line(key)}]", values, "a list of numbers, one an epoch", TypeError)
    return values


def _number(key: object, value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        raise refuse(f"history[{one_line(key)}]", value, _GAPS, TypeError) from None


def _read_csv(path: Path) -> tuple[Sequence[int], dict[str, list[float | None]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except ValueError:
        raise refuse("history", str(path), "the path of a text file, as CSVLogger writes it") from None
    except OSError as error:
        told = f"history must be {_HISTORY}, got {one_line(str(path))}, which cannot be read: {why(error)}"
        raise complaint(told, type(error)) from None

    def wrong(what: str) -> Exception:
        return complaint(f"history must be a file that CSVLogger wrote, got {one_line(str(path))}: {what}")

    first = text.partition("\n")[0]
    separator = max(",;\t|", key=first.count)
    rows = [row for row in csv.DictReader(text.splitlines(), delimiter=separator) if any(row.values())]
    if "epoch" not in first.replace('"', "").strip().split(separator):
        raise wrong(f"its first line has no 'epoch'; it is {one_line(first)}")
    keys = [key for key in rows[0] if key and key != "epoch"] if rows else []
    columns: dict[str, list[float | None]] = {key: [] for key in keys}
    for line, row in enumerate(rows, 2):
        for key in keys:
            value = row[key]
            try:
                columns[key].append(None if value is None or value in _NOT_LOGGED else float(value))
            except ValueError:
                raise wrong(f"line {line}: {one_line(value)} of {one_line(key)} is no number") from None
    try:
        epochs = [int(row["epoch"]) + 1 for row in rows]
    except (TypeError, ValueError):
        raise wrong("an epoch is no integer") from None
    grows = all(before < after for before, after in pairwise(epochs))
    # CSVLogger(append=True) counts anew when a second fit is not given its initial_epoch.
    return (epochs if grows else range(1, len(rows) + 1)), columns


# -- keys -------------------------------------------------------------------------------------------------------------


def _heads(keys: Iterable[str]) -> tuple[str, ...]:
    """The outputs, by their losses. A single `x_loss` is a metric of that name unless there is an `x_accuracy` too."""
    names = list(dict.fromkeys(key.removeprefix(_VALIDATION) for key in keys))
    found = [name.removesuffix(f"_{_LOSS}") for name in names if name.endswith(f"_{_LOSS}")]
    if len(found) == 1 and sum(name.startswith(f"{found[0]}_") for name in names) == 1:
        return ()
    return tuple(sorted(found, key=lambda head: head != "main"))


def _series(
    key: str,
    values: Sequence[float | None],
    epochs: Sequence[int],
    heads: Sequence[str],
    validation_freq: int | Container[int] | None,
) -> Series:
    validation = key.startswith(_VALIDATION)
    name = key.removeprefix(_VALIDATION)
    head = max((head for head in heads if name.startswith(f"{head}_")), key=len, default="")
    if len(values) < len(epochs):
        if not validation:
            must_be = "one value an epoch, or None where nothing was logged"
            raise complaint(f"history[{key!r}] must be {must_be}, got {len(values)} values for {len(epochs)} epochs")
        epochs = _validated(key, len(values), epochs, validation_freq)
    pairs = [(epoch, value) for epoch, value in zip(epochs, values, strict=True) if value is not None]
    quantity = name.removeprefix(f"{head}_") if head else name
    return Series(key, head, quantity, validation, tuple(e for e, _ in pairs), tuple(v for _, v in pairs))


def _validated(
    key: str, count: int, epochs: Sequence[int], validation_freq: int | Container[int] | None
) -> tuple[int, ...]:
    """The epochs after which Keras validated, where it did not after each."""
    if validation_freq is None:
        tried = [_every(freq, epochs) for freq in range(2, max(epochs) + 1)]
    else:
        tried = [_every(validation_freq, epochs)]
    fitting = {found for found in tried if len(found) == count}
    if len(fitting) == 1:
        return fitting.pop()
    problem = "fits no validation_freq" if not fitting else "fits more than one validation_freq"
    raise complaint(
        f"history[{key!r}] must be one value an epoch, or history read by read_history(history, validation_freq=…) "
        f"with what fit was given; got {count} values for {len(epochs)} epochs, which {problem}"
        f"{'' if validation_freq is None else f' such as {one_line(validation_freq)}'}"
    )


def _every(validation_freq: int | Container[int], epochs: Sequence[int]) -> tuple[int, ...]:
    if isinstance(validation_freq, int):
        return tuple(epoch for epoch in epochs if epoch % validation_freq == 0)
    return tuple(epoch for epoch in epochs if epoch in validation_freq)
