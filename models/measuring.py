"""Works timed in turn, and which of them is quicker beyond what noise makes of it."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Pairs = Sequence[tuple[float, float]]
"""The seconds of a reference and of something else, of two runs right beside each other each."""


def seconds(work: Callable[[], Any]) -> float:
    """Time one run of it."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(works: Mapping[str, Callable[[], Any]], runs: int, *, warm: int = 1) -> dict[str, list[float]]:
    """The seconds of each run; the works take turns, so that what else the machine does hits them all.

    The first `warm` runs, which import, compile and fill caches, do not count. The order turns round with every run.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for run in range(warm + runs):
        for name in list(works)[:: 1 if run % 2 else -1]:
            gc.collect()
            taken = seconds(works[name])
            if run >= warm:
                times[name].append(taken)
    return times


def gain(pairs: Pairs) -> float:
    """How many times as long the reference takes, in the median of the pairs.

    Example:
        >>> gain([(3.0, 2.0), (3.0, 1.0), (8.0, 4.0)])
        2.0
    """
    return statistics.median(reference / own for reference, own in pairs)


def is_ahead(pairs: Pairs) -> bool:
    """Whether it is quicker than the reference in at least three quarters of the pairs, which noise is in a half."""
    return bool(pairs) and 4 * sum(own < reference for reference, own in pairs) >= 3 * len(pairs)


def quickest(measured: Mapping[str, Pairs], reference: str) -> str:
    """The one with the largest gain of those that are ahead of the reference; the reference, if none is.

    Example:
        >>> quickest({"a": [(2, 1), (2, 1), (1, 2), (1, 2)], "b": [(3, 2)] * 3 + [(2, 3)]}, "as it is")
        'b'
        >>> quickest({"a": [(1, 2), (3, 2)]}, "as it is")
        'as it is'
    """
    ahead = {name: gain(pairs) for name, pairs in measured.items() if is_ahead(pairs)}
    return max(ahead, key=ahead.__getitem__, default=reference)
