"""Tables as data, and the ways they are written: text, Markdown, LaTeX, CSV, HTML."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from ...graphs.totals import Total
from .latex_letters import latex_text
from .layer_labels import count_text, work_text


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers one after another, or branches side by side (`parallel`), `times` times over.

    >>> print(Stack(("1×1, 64", "3×3, 64", "1×1, 256"), 3, "/2"))
    [1×1, 64; 3×3, 64; 1×1, 256] × 3, /2
    """

    lines: tuple[str, ...]
    times: int = 1
    note: str = ""
    parallel: bool = False

    @property
    def bracketed(self) -> bool:
        return len(self.lines) > 1 or self.times > 1

    def __str__(self) -> str:
        body = (" | " if self.parallel else "; ").join(self.lines)
        times = f" × {self.times}" if self.times > 1 else ""
        return (f"[{body}]{times}" if self.bracketed else body) + (f", {self.note}" if self.note else "")


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, between 0 and 1."""

    value: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} %"


# What a cell may hold: words; a number, None if it is unknown; a sum, some of which may be unknown; layers; or several
# of these, a line each. For programs only the first of several numbers is written.
Cell = str | int | None | Share | Total | Stack | tuple["Cell", ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its headings, its rows, and rows of sums below a line. `numbers` are the columns set to the right."""

    heads: tuple[str, ...]
    body: tuple[tuple[Cell, ...], ...]
    foot: tuple[tuple[Cell, ...], ...] = ()
    numbers: frozenset[int] = frozenset()
    caption: str = ""
    label: str = ""


def write(sheet: Sheet, format: str) -> str:
    """The table in one of `FORMATS`, without a line break at its end.

    >>> print(write(Sheet(("layer", "size"), (("a|b", 1024),), numbers=frozenset([1])), "markdown"))
    | layer | size |
    |---|---:|
    | a\\|b | 1,024 |
    """
    return _WRITERS[format](sheet)


# What a terminal obeys, and what turns the direction of what follows.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _plain(cell: Cell) -> str:
    """A cell in a line, control characters written out."""
    if isinstance(cell, tuple):
        return " + ".join(map(_plain, cell))
    if cell is None or isinstance(cell, int):
        return count_text(cell)
    if isinstance(cell, Total):
        return work_text(cell)
    return _CONTROLS.sub(lambda c: c[0].encode("unicode_escape").decode("ascii"), " ".join(str(cell).split()))


# -- text -------------------------------------------------------------------------------------------------------------


def _text(sheet: Sheet) -> str:
    rows = [tuple(map(_lines, row)) for row in (sheet.heads, *sheet.body, *sheet.foot)]
    widths = [max(max(map(len, cell)) for cell in column) for column in zip(*rows, strict=True)]
    written = []
    for row in rows:
        for line in zip_longest(*row, fillvalue=""):
            cells = (
                cell.rjust(width) if column in sheet.numbers else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            written.append("  ".join(cells).rstrip())
    return "\n".join(written)


def _lines(cell: Cell) -> list[str]:
    return [_plain(part) for part in cell] or [""] if isinstance(cell, tuple) else [_plain(cell)]


# -- Markdown ---------------------------------------------------------------------------------------------------------

# Signs that would mean something: an underscore only at the edge of a word, a bracket only where it makes a link.
_MARKS = re.compile(r"[\\|*`]|(?<!\w)_|_(?!\w)|\](?=\()")


def _markdown(sheet: Sheet) -> str:
    rule = "|" + "|".join("---:" if column in sheet.numbers else "---" for column in range(len(sheet.heads))) + "|"
    head, *body = (
        "| " + " | ".join("<br>".join(map(_mark, _lines(cell))) for cell in row) + " |"
        for row in (sheet.heads, *sheet.body, *sheet.foot)
    )
    return "\n".join([head, rule, *body])


def _mark(text: str) -> str:
    return _MARKS.sub(r"\\\g<0>", _entities(text, '"'))


def _entities(text: str, left: str = "") -> str:
    signs = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
    return "".join(letter if letter in left else signs.get(letter, letter) for letter in text)


# -- CSV --------------------------------------------------------------------------------------------------------------


def _csv(sheet: Sheet) -> str:
    """Plain numbers, for programs to read; an unknown one is empty, a share is a fraction of 1.

    Text that a spreadsheet would compute, as it begins with one of `= + - @`, is quoted with an apostrophe.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([_value(cell) for cell in row] for row in (sheet.heads, *sheet.body, *sheet.foot))
    return file.getvalue().rstrip("\n")


def _value(cell: Cell) -> object:
    if isinstance(cell, tuple) and cell and isinstance(cell[0], int | Total):
        return _value(cell[0])
    if isinstance(cell, Total):
        return cell.exact
    if cell is None or isinstance(cell, int):
        return cell
    if isinstance(cell, Share):
        return round(cell.value, 6)
    text = _plain(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


# -- HTML -------------------------------------------------------------------------------------------------------------


def _html(sheet: Sheet) -> str:
    parts = [f"  <caption>{_entities(sheet.caption)}</caption>"] if sheet.caption else []
    parts += ["  <thead>", _html_row(sheet, sheet.heads, "col"), "  </thead>"]
    for element, rows in (("tbody", sheet.body), ("tfoot", sheet.foot)):
        if rows:
            parts += [f"  <{element}>", *(_html_row(sheet, row, "row") for row in rows), f"  </{element}>"]
    name = f' id="{_entities(sheet.label)}"' if sheet.label else ""
    return "\n".join([f"<table{name}>", *parts, "</table>"])


def _html_row(sheet: Sheet, row: Sequence[Cell], scope: str) -> str:
    cells = []
    for column, cell in enumerate(row):
        right = ' style="text-align: right"' if column in sheet.numbers else ' style="text-align: left"'
        text = "<br>".join(_entities(line) for line in _lines(cell))
        heading = scope == "col" or column == 0
        cells.append(f'<th scope="{scope}"{right}>{text}</th>' if heading else f"<td{right}>{text}</td>")
    return f"    <tr>{''.join(cells)}</tr>"


# -- LaTeX ------------------------------------------------------------------------------------------------------------


# What is wider than its column becomes as wide; the rest keeps its size.
_SHRINK = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%"


def _latex(sheet: Sheet) -> str:
    columns = "".join("r" if column in sheet.numbers else "l" for column in range(len(sheet.heads)))
    rules: list[Iterable[str]]
    rules = [["\\toprule"], [_latex_row(sheet.heads)], ["\\midrule"], _spaced(sheet.body)]
    if sheet.foot:
        rules += [["\\midrule"], map(_latex_row, sheet.foot)]
    inside = [f"  {line}" for line in chain(*rules, ["\\bottomrule"])]
    tabular = [_SHRINK, f"\\begin{{tabular}}{{{columns}}}", *inside, "\\end{tabular}}"]
    if not (sheet.caption or sheet.label):
        return "\n".join(tabular)
    names = [f"\\caption{{{latex_text(sheet.caption)}}}"] if sheet.caption else []
    names += [f"\\label{{{sheet.label}}}"] if sheet.label else []
    return "\n".join(["\\begin{table}", *(f"  {line}" for line in ("\\centering", *names, *tabular)), "\\end{table}"])


def _latex_row(row: Iterable[Cell]) -> str:
    return " & ".join(map(_latex_cell, row)).rstrip() + " \\\\"


def _spaced(rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The rows; those of several lines keep their distance."""
    for row in rows:
        if any(len(cell) > 1 if isinstance(cell, tuple) else isinstance(cell, Stack) for cell in row):
            yield "\\addlinespace[4pt]"
        yield _latex_row(row)


def _latex_cell(cell: Cell) -> str:
    if isinstance(cell, tuple):
        lines = [_latex_cell(part) for part in cell]
        if len(lines) < 2:
            return "".join(lines)
        return "\\begin{tabular}{@{}l@{}}" + " \\\\ ".join(lines) + "\\end{tabular}"
    if cell == 0 or (isinstance(cell, Total) and cell.exact == 0):
        return "--"
    if isinstance(cell, Stack) and cell.bracketed:
        lines = [f"\\mbox{{{line}}}" for line in map(latex_text, cell.lines)]
        body = "\\left[\\begin{array}{@{}l@{}}" + " \\\\ ".join(lines) + "\\end{array}\\right]"
        times = f" \\times {cell.times}" if cell.times > 1 else ""
        return f"${body}{times}$" + (f", {latex_text(cell.note)}" if cell.note else "")
    return latex_text(_plain(cell))


_WRITERS: Mapping[str, Callable[[Sheet], str]] = {
    "text": _text,
    "markdown": _markdown,
    "csv": _csv,
    "latex": _latex,
    "html": _html,
}
FORMATS = tuple(_WRITERS)
