"""What the benchmarks share: works timed in turn, what they are to each other, and a page of Markdown of it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerblocks.models.measuring import in_turn, seconds

__all__ = ["Ratio", "Section", "chosen", "in_turn", "markdown", "run", "seconds", "short", "table"]
_ONLY: list[str] = []


@dataclass(frozen=True)
class Ratio:
    """How many times as long a peer takes as something of ours.

    Args:
        what: of ours that was measured.
        peer: what it is compared with.
        seconds, peer_seconds: of each run; run i of one was right beside run i of the other.
        wanted: what the ratio is to be at least, if that was set as a mark.
        note: anything to say about it, such as how far the answers differ.
    """

    what: str
    peer: str
    seconds: Sequence[float]
    peer_seconds: Sequence[float]
    wanted: float | None = None
    note: str = ""

    @property
    def each(self) -> list[float]:
        return [theirs / ours for ours, theirs in zip(self.seconds, self.peer_seconds, strict=True)]

    @property
    def median(self) -> float:
        return statistics.median(self.each)

    @property
    def spread(self) -> tuple[float, float]:
        """The middle half of the runs lies in it."""
        low, _, high = statistics.quantiles(self.each, n=4, method="inclusive")
        return low, high

    @property
    def verdict(self) -> str:
        if self.wanted is None:
            return ""
        return f"{'yes' if self.median >= self.wanted else 'no'} (≥ {self.wanted:g})"


@dataclass(frozen=True)
class Section:
    """One part of the page: ratios, and a table of what is no ratio, of which the first row is the head."""

    title: str
    text: str
    ratios: Sequence[Ratio] = field(default_factory=list)
    rows: Sequence[Sequence[Any]] = field(default_factory=list)

    @classmethod
    def loads(cls, text: str) -> Section:
        found = json.loads(text)
        return cls(**{**found, "ratios": [Ratio(**ratio) for ratio in found["ratios"]]})

    def dumps(self) -> str:
        return json.dumps(dataclasses.asdict(self))


def chosen(titles: Iterable[str], most: int | None = None) -> list[str]:
    """Those of the titles that `--only` names, else the first so many."""
    titles = list(titles)
    return [title for title in titles if title in _ONLY] if _ONLY else titles[:most]


def short(taken: float) -> str:
    return f"{taken:.2f} s" if taken >= 1 else f"{1000 * taken:.0f} ms" if taken >= 0.01 else f"{1000 * taken:.1f} ms"


def table(rows: Sequence[Sequence[Any]]) -> str:
    head, *body = [[str(cell) for cell in row] for row in rows]
    ruled = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in ruled)


def markdown(section: Section) -> str:
    parts = [f"### {section.title}", section.text]
    if section.ratios:
        marked = any(ratio.wanted for ratio in section.ratios)
        noted = any(ratio.note for ratio in section.ratios)
        rows = [["", "ours", "against", "theirs", "ratio", "middle half", *["mark"] * marked, *[""] * noted]]
        for ratio in section.ratios:
            ours, theirs = statistics.median(ratio.seconds), statistics.median(ratio.peer_seconds)
            low, high = ratio.spread
            cells = [ratio.what, short(ours), ratio.peer, short(theirs), f"**{ratio.median:.2f}**"]
            rows.append(
                [*cells, f"{low:.2f} to {high:.2f}", *[ratio.verdict] * marked, *[ratio.note] * noted],
            )
        parts.append(table(rows))
    if section.rows:
        parts.append(table(section.rows))
    return "\n\n".join(parts)


def run(measured: Callable[[bool], Section], doc: str | None) -> None:
    """The command line of one benchmark."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few and small runs, to see whether it works")
    parser.add_argument("--json", action="store_true", help="print it for report.py")
    parser.add_argument("--only", nargs="+", default=[], metavar="NETWORK", help="of these alone, where it has several")
    given = parser.parse_args()
    _ONLY[:] = given.only
    section = measured(given.quick)
    sys.stdout.write(section.dumps() if given.json else markdown(section) + "\n")
