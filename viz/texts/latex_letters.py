"""Any text, safe in LaTeX: what pdflatex compiles without further packages."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

from .maths import HIGH, LOW, SIGNS

_SIGNS = {
    "\\": "\\textbackslash{}",
    "{": "\\{",
    "}": "\\}",
    "$": "\\$",
    "&": "\\&",
    "#": "\\#",
    "%": "\\%",
    "_": "\\_",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    '"': "{\\char34}",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "…": "\\ldots{}",
    "√": "$\\surd$",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "ß": "\\ss{}",
    "æ": "\\ae{}",
    "Æ": "\\AE{}",
    "œ": "\\oe{}",
    "Œ": "\\OE{}",
    "ø": "\\o{}",
    "Ø": "\\O{}",
    "ł": "\\l{}",
    "Ł": "\\L{}",
    "ı": "\\i{}",
    "\t": " ",
    "\n": " ",
    "\r": " ",
    "\u00a0": "~",
}
_SIGNS |= {sign: f"$\\{command}$" for command, sign in SIGNS.items()}


def _scripts(sign: str, letters: Mapping[str, str]) -> dict[str, str]:
    """The letters that stand high or low, by those that they are."""
    plain = {script: _SIGNS.get(letter, letter).strip("$") for letter, script in letters.items()}
    wanted = {script: letter for script, letter in plain.items() if script not in _SIGNS and not script.isascii()}
    return {s: f"${sign}{letter if len(letter) == 1 else f'{{{letter}}}'}$" for s, letter in wanted.items()}


_SIGNS |= _scripts("^", HIGH) | _scripts("_", LOW)
_SIGNS["µ"] = _SIGNS["μ"]

# What stands on or below a letter.
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0323": "d",
    "\u0327": "c",
}
_BELOW = "\u0323\u0327"
_LIGATURES = ("--", ",,", "''", "``", "<<", ">>", "?`", "!`")


def latex_text(text: str) -> str:
    r"""Any text for a sentence, a table or a label in LaTeX.

    What pdflatex has no letter for in its usual fonts is told by its number, so that the file compiles.

    >>> print(latex_text("a_b & 3×3, 50 %"))
    a\_b \& 3$\times$3, 50 \%
    >>> print(latex_text("naïve 中"))
    na\"{\i}ve U+4E2D
    """
    # Two hyphens in a row would become a dash, two commas or quotation marks another mark.
    written = "".join(("{}" if pair in _LIGATURES else "") + _letter(pair[1]) for pair in _pairs(text))
    return f"{{}}{written}" if written.startswith(("[", "*")) else written  # either would belong to a `\\` before


def _pairs(text: str) -> Iterator[str]:
    """Each letter, behind the one before it."""
    return (before + letter for before, letter in zip(f" {text}", text, strict=False))


def _letter(letter: str) -> str:
    if letter in _SIGNS:
        return _SIGNS[letter]
    if letter.isascii() and letter.isprintable():
        return letter
    parts = unicodedata.normalize("NFD", letter)
    base, marks = parts[:1], parts[1:]
    if len(marks) == 1 and base.isascii() and base.isalpha() and marks in _ACCENTS:
        dotless = base in "ij" and marks not in _BELOW
        return f"\\{_ACCENTS[marks]}{{{chr(92) if dotless else ''}{base}}}"
    plain = unicodedata.normalize("NFKD", letter)
    if plain != letter and plain.isascii() and plain.isprintable():
        return "".join(map(_letter, plain))
    return f"U+{ord(letter):04X}"
