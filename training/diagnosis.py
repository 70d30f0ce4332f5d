"""What loss against validation loss says about a training, as a verdict with its evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import NormalDist, median
from types import MappingProxyType
from typing import Any

from .. import checks
from .history import Series, TrainingLog, read_history

FALLING, FLAT, RISING = "falling", "flat", "rising"

_FEWEST = 5  # the fewest points of which a steady fall is significant: by chance it has 1 in 60
_LONGEST = 20
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Rule:
    """What it means that the loss and the validation loss move as they do, and what to do about it."""

    verdict: str
    advice: str


_MORE = "Train for more epochs"
_REGULARISE = "Add dropout or max pooling, or get more data"
_STOP = f"{_REGULARISE}; the best weights are those of epoch {{best}}"
_DATA = "Look at the training data: its structure, wrong or superfluous labels, its quality"
_SMALLER = "Lower the learning rate or change the batch size"
_DESIGN = "Check the design of the network, the hyper-parameters and the data"

RULES: Mapping[tuple[str, str], Rule] = MappingProxyType(
    {
        (FALLING, FALLING): Rule("still learning", _MORE),
        (FALLING, FLAT): Rule("overfitting", _REGULARISE),
        (FALLING, RISING): Rule("overfitting", _STOP),
        (FLAT, FALLING): Rule("suspect data", _DATA),
        (FLAT, FLAT): Rule("plateau", _SMALLER),
        (FLAT, RISING): Rule("overfitting", _STOP),
        (RISING, FALLING): Rule("suspect data", _DATA),
        (RISING, FLAT): Rule("unsound", _DESIGN),
        (RISING, RISING): Rule("unsound", _DESIGN),
    }
)
"""By how the training loss and the validation loss move."""

# Where there are no two movements to look up.
TOO_SHORT = Rule("too short", f"Train for at least {_FEWEST} epochs with validation data")
NO_VALIDATION = Rule("no validation", "Give fit validation_data or validation_split")
DIVERGED = Rule("diverged", "Lower the learning rate, clip the gradients, look for invalid numbers in the data")


@dataclass(frozen=True, slots=True)
class Trend:
    """How a logged quantity moved over the last epochs.

    Args:
        key: what Keras logs it under.
        kind: falling, flat or rising.
        slope: change per epoch: the median over all pairs of epochs (Theil 1950, Sen 1968).
        low, high: its 95 % confidence interval.
        change: the slope over all the epochs looked at, as a part of the level.
        level: the value in the middle of these epochs, by the slope.
        epochs: the first and the last epoch looked at.
        points: how many values there are between them.
    """

    key: str
    kind: str
    slope: float
    low: float
    high: float
    change: float
    level: float
    epochs: tuple[int, int]
    points: int

    def __str__(self) -> str:
        moves = {FALLING: "falls", FLAT: "is flat", RISING: "rises"}[self.kind]
        slope, low, high = map(_signed, (self.slope, self.low, self.high))
        return f"{self.key} {moves} ({_signed(100 * self.change)} %: {slope} an epoch, 95 % interval {low} to {high})"


def _signed(number: float) -> str:
    return f"{number:+.2g}".replace("-", "−") if number else "0"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the curves say; `str()` says it in two sentences.

    Args:
        verdict: still learning, overfitting, suspect data, plateau or unsound; or too short, no validation, diverged.
        advice: what to do.
        evidence: what the verdict rests on, in words.
        train, validation: how the two losses move; None where they could not be judged.
        best_epoch: where the validation loss (the loss, if there is none) is lowest; None if it never is a number.
        output: the output whose losses these are; None for those of the whole model.
        heads: the same for each output of a model with several, if the whole model was asked for.
    """

    verdict: str
    advice: str
    evidence: str
    train: Trend | None = None
    validation: Trend | None = None
    best_epoch: int | None = None
    output: str | None = None
    heads: Mapping[str, Diagnosis] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        return f"{self.verdict.capitalize()}: {self.evidence}. {self.advice}."


@checks.public
def diagnose(
    history: Any, *, output: str | None = None, window: int | None = None, tolerance: float = 0.02
) -> Diagnosis:
    """Say what the loss and the validation loss of a training mean together.

    Each is falling, flat or rising over the last epochs, and `RULES` says what the pair means: both falling, still
    learning; only the loss falling, overfitting; only the validation loss falling, suspect data; both flat, a
    plateau; both rising, an unsound design. A loss moves if the 95 % interval of its slope (Theil and Sen's, which
    single spikes do not bend) leaves out zero, so that noise is flat, and if it moves by more than `tolerance`.

    Args:
        history: as of `read_history`.
        output: the output to judge, by name; None for the loss of the whole model, with every output in `heads`.
        window: how many epochs to look back, at least 5; by default a third of them, between 5 and 20.
        tolerance: a loss that changes by no more than this part of itself over the window is flat.

    Raises:
        TypeError: it is no history, or an argument is no number.
        ValueError: it has no loss, there is no such output, or a number is too small.

    >>> loss = [2.0 * 0.8**epoch for epoch in range(15)]
    >>> print(diagnose({"loss": loss, "val_loss": [0.7 + value for value in loss[:7]] + [1.1] * 8}))
    Overfitting: in epochs 11–15 loss falls (−89 %: −0.031 an epoch, 95 % interval −0.043 to −0.022) while val_loss is \
flat (0 %: 0 an epoch, 95 % interval 0 to 0). Add dropout or max pooling, or get more data.
    """
    log = read_history(history)
    if window is not None:
        window = checks.integer("window", window, _FEWEST, f"None, or at least {_FEWEST} epochs, or noise decides")
    tolerance = checks.number("tolerance", tolerance, at_least=0)
    if output is not None:
        output = checks.choice("output", output, log.heads, "" if log.heads else "None, as this model has one output")
        return _judge(log, output, window, tolerance, {})
    heads = {head: _judge(log, head, window, tolerance, {}) for head in log.heads}
    return _judge(log, None, window, tolerance, heads)


def _judge(
    log: TrainingLog, output: str | None, window: int | None, tolerance: float, heads: Mapping[str, Diagnosis]
) -> Diagnosis:
    key = "loss" if output is None else f"{output}_loss"
    train, validation = log.find(key), log.find(f"val_{key}")
    both = [series for series in (train, validation) if series is not None] if train else []
    best = both[-1].best() if both else None

    def verdict(rule: Rule, evidence: str, *trends: Trend) -> Diagnosis:
        loss, val_loss = (*trends, None, None)[:2]
        advice = rule.advice.format(best=best)
        return Diagnosis(rule.verdict, advice, evidence, loss, val_loss, best, output, MappingProxyType(dict(heads)))

    broken = next((found for found in map(_broken, both) if found), None)
    if broken:
        return verdict(DIVERGED, broken)
    epochs = sorted(set.intersection(*(set(series.epochs) for series in both))) if both else []
    names = " and ".join(series.key for series in both)
    if len(epochs) < _FEWEST:
        return verdict(TOO_SHORT, f"{len(epochs)} epoch{'' if len(epochs) == 1 else 's'} with {names or key}")
    seen = epochs[-(window or min(max(math.ceil(len(epochs) / 3), _FEWEST), _LONGEST)) :]
    trends = [_trend(series, seen, tolerance) for series in both]
    when = f"in epochs {seen[0]}–{seen[-1]}"
    if len(trends) == 1:
        rule = NO_VALIDATION
        return verdict(rule, f"{when} {trends[0]}, and there is nothing to compare it with", *trends)
    rule = RULES[trends[0].kind, trends[1].kind]
    return verdict(rule, f"{when} {trends[0]} while {trends[1]}", *trends)


def _broken(series: Series) -> str | None:
    for epoch, value in zip(series.epochs, series.values, strict=True):
        if not math.isfinite(value):
            return f"{series.key} is {value} at epoch {epoch}"
    return None


def _trend(series: Series, epochs: Sequence[int], tolerance: float) -> Trend:
    logged = dict(zip(series.epochs, series.values, strict=True))
    values = [logged[epoch] for epoch in epochs]
    slope, low, high = _theil_sen(epochs, values)
    middle = (epochs[0] + epochs[-1]) / 2
    # The level is taken along the slope, so that a steeper fall about the same middle is not measured by another rod.
    level = abs(median(value - slope * (epoch - middle) for epoch, value in zip(epochs, values, strict=True)))
    moved = slope * (epochs[-1] - epochs[0])
    kind = FLAT
    if abs(moved) > tolerance * level and (low > 0 or high < 0):
        kind = FALLING if slope < 0 else RISING
    change = moved / level if level else math.copysign(math.inf, moved) if moved else 0.0
    return Trend(series.key, kind, slope, low, high, change, level, (epochs[0], epochs[-1]), len(epochs))


def _theil_sen(times: Sequence[int], values: Sequence[float]) -> tuple[float, float, float]:
    """The median of the slopes of all pairs, and its confidence interval after Sen 1968 (from Kendall's tau)."""
    points = list(zip(times, values, strict=True))
    slopes = sorted((later[1] - sooner[1]) / (later[0] - sooner[0]) for sooner, later in combinations(points, 2))
    count, pairs = len(points), len(slopes)
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    outside = math.floor((pairs - NormalDist().inv_cdf((1 + _CONFIDENCE) / 2) * deviation) / 2)
    cut = max(outside - 1, 0)
    return median(slopes), slopes[cut], slopes[pairs - 1 - cut]
