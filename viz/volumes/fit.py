"""The scale at which volumes fit a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...graphs.graph import Graph
from .captions import Caption
from .place import Row, Setting, rows, setting
from .plan import Plan
from .solids import Extent, Letters, Solid, measure, solids

LARGEST = 1.0
_STEPS = 9  # of halving


@dataclass(frozen=True, slots=True)
class Laid:
    """Volumes at one scale, in rows."""

    rows: list[Row]
    solids: list[Solid]
    scale: float
    given: Setting


@dataclass(frozen=True, slots=True)
class Attempt:
    """A graph with all that does not depend on the scale."""

    graph: Graph
    found: Sequence[Extent]
    plan: Plan
    captions: Sequence[Caption]
    letters: Letters

    def laid(self, limit: float, scale: float) -> Laid | None:
        """Rows no wider than the limit at one scale; None if there are none."""
        made = solids(self.graph, self.found, measure(self.graph, self.found, scale, self.letters))
        given = setting(self.graph, self.plan, self.captions, made)
        filled = rows(given, limit)
        return None if filled is None else Laid(filled, made, scale, given)

    def fitted(self, limit: float, smallest: float, suits: Callable[[Laid], bool]) -> Laid | None:
        """As few rows as the smallest scale allows, at the largest scale at which they suffice and suit.

        None if a stretch that cannot be cut is wider than the limit, or even the smallest scale does not suit.
        """
        least = self.laid(limit, smallest)
        if least is None or not suits(least):
            return None

        def at_scale(scale: float) -> Laid | None:
            laid = self.laid(limit, scale)
            return laid if laid is not None and len(laid.rows) <= len(least.rows) and suits(laid) else None

        return _last(at_scale, smallest, LARGEST, least)


def balanced(laid: Laid, limit: float) -> Laid:
    """The same number of rows at the same scale, as equally long as can be."""

    def at_limit(saved: float) -> Laid | None:
        filled = rows(laid.given, limit - saved)
        return replace(laid, rows=filled) if filled is not None and len(filled) <= len(laid.rows) else None

    return laid if len(laid.rows) == 1 else _last(at_limit, 0.0, limit, laid)


def _last(trial: Callable[[float], Laid | None], low: float, high: float, known: Laid) -> Laid:
    """What a trial finds, if anything, as far from `low`, where `known` is, towards `high` as can be."""
    found = trial(high)
    if found is not None:
        return found
    for _ in range(_STEPS):
        middle = (low + high) / 2
        found = trial(middle)
        if found is None:
            high = middle
        else:
            low, known = middle, found
    return known
