"""The words of the shape language, read character by character: no Python is evaluated anywhere.

spec        side ["->" side]
side        shape | "{" name ":" shape ("," name ":" shape)* "}"
shape       dimension*                       set apart by blanks
dimension   "_" | sum                        no blanks in it, unless in parentheses
sum         product (("+" | "-") product)*
product     atom (("*" | "//" | "/") atom)*  "/" inside ceil( ) and floor( ) only
atom        integer | name | "(" sum ")" | function "(" sum ("," sum)* ")"
function    ceil | floor | min | max
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from math import ceil, floor
from typing import Any

from .. import checks

_TOKEN = re.compile(r"(?P<number>[0-9]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>->|//|[-+*/(),:{}])")
_DIGITS, _DEPTH = 18, 30
_SHOWN = 60  # characters before and after the place that is marked


class SpecError(ValueError):
    """A shape specification that cannot be read or worked out: one line, the part of the text, and a mark below it."""

    def __init__(self, message: str, text: str, at: int) -> None:
        self.text, self.at = text, at
        start = max(text.rfind("\n", 0, at) + 1, at - _SHOWN)
        line = text[start : at + _SHOWN].partition("\n")[0]
        line = "".join(character if character.isprintable() else "?" for character in line)
        super().__init__(f"{checks.plain(message)}\n    {line}\n    {' ' * (at - start)}^")

    def of_argument(self, argument: str) -> SpecError:
        """The same, which names the function speaking and its argument."""
        speaker = checks.where("")
        if speaker:
            self.args = (f"{speaker}: {argument} must be of the shape language: {self}",)
        return self


@dataclass(frozen=True)
class Term:
    """A part of a dimension: an operation on terms, or a number, a name or `_` as the `leaf`; and where it stands."""

    operation: str
    leaf: int | str = ""
    terms: tuple[Term, ...] = ()
    at: int = 0

    def names(self) -> set[str]:
        """The names in it.

        Example:
            >>> sorted(read("ceil(h/s)")[1][0].shape[0].term.names())
            ['h', 's']
        """
        if self.operation == "name":
            return {str(self.leaf)}
        return {name for term in self.terms for name in term.names()}

    def value(self, names: Mapping[str, int | None], text: str) -> Fraction | None:
        """The number it stands for, exactly; None if a name in it is unknown."""
        if self.operation == "number":
            return Fraction(self.leaf)
        if self.operation == "name":
            if self.leaf not in names:
                raise SpecError(f"{self.leaf!r} has no value: give it one as a keyword", text, self.at)
            given = names[str(self.leaf)]
            return None if given is None else Fraction(given)
        values = [term.value(names, text) for term in self.terms]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        if self.operation in ("/", "//") and known[1] == 0:
            raise SpecError("division by zero", text, self.at)
        return Fraction(_OPERATIONS[self.operation](*known))


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "ceil": ceil,
    "floor": floor,
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
}
_FUNCTIONS = {"ceil": 1, "floor": 1, "min": 0, "max": 0}  # number of arguments, 0 for any


@dataclass(frozen=True)
class Dimension:
    """One axis: what it is, and as it was written."""

    text: str
    term: Term

    @property
    def name(self) -> str | None:
        """The name that is all of it, or None."""
        return str(self.term.leaf) if self.term.operation == "name" else None

    @property
    def is_anything(self) -> bool:
        return self.term.operation == "_"


@dataclass(frozen=True)
class Part:
    """The shape of one tensor, and its key where there are several."""

    key: str | None
    shape: tuple[Dimension, ...]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int
    apart: bool  # a blank before it

    @property
    def end(self) -> int:
        return self.at + len(self.text)


def _tokens(text: str) -> list[_Token]:
    found, at, apart = [], 0, True
    while at < len(text):
        if text[at].isspace():
            at, apart = at + 1, True
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise SpecError(f"{text[at]!r} is not of the shape language", text, at)
        kind = match.lastgroup or ""
        if kind == "number" and len(match[0]) > _DIGITS:
            raise SpecError(f"a number of more than {_DIGITS} digits", text, at)
        found.append(_Token(match[0] if kind == "sign" else kind, match[0], at, apart))
        at, apart = match.end(), False
    return [*found, _Token("end", "", len(text), True)]


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.place, self.depth, self.rounding = text, _tokens(text), 0, 0, 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.next
        self.place += 1
        return token

    def error(self, message: str, token: _Token | None = None) -> SpecError:
        return SpecError(message, self.text, (token or self.next).at)

    def expect(self, kind: str, after: str) -> _Token:
        if self.next.kind != kind:
            got = repr(self.next.text) if self.next.text else "the end"
            raise self.error(f"{kind if kind in ('name', 'end') else repr(kind)} expected {after}, not {got}")
        return self.take()

    def spec(self) -> tuple[tuple[Part, ...] | None, tuple[Part, ...]]:
        first, second = self.side(), None
        if self.next.kind == "->":
            self.take()
            second = self.side()
        self.expect("end", "after the shape")
        return (None, first) if second is None else (first, second)

    def side(self) -> tuple[Part, ...]:
        if self.next.kind != "{":
            return (Part(None, self.shape()),)
        self.take()
        parts: dict[str, Part] = {}
        while True:
            key = self.expect("name", "as the key of a tensor")
            if key.text in parts:
                raise self.error(f"a second {key.text!r}", key)
            self.expect(":", f"after the key {key.text!r}")
            parts[key.text] = Part(key.text, self.shape())
            if self.next.kind != ",":
                break
            self.take()
        self.expect("}", "after the last shape")
        return tuple(parts.values())

    def shape(self) -> tuple[Dimension, ...]:
        dimensions: list[Dimension] = []
        while self.next.kind not in ("end", "->", ",", "}"):
            if dimensions and not self.next.apart:
                raise self.error("a blank expected between two dimensions")
            dimensions.append(self.dimension())
        return tuple(dimensions)

    def dimension(self) -> Dimension:
        start = self.next
        term = self.sum()
        return Dimension(self.text[start.at : self.tokens[self.place - 1].end], term)

    def operator(self, *kinds: str) -> bool:
        """Whether one of them goes on with this dimension: outside parentheses a blank ends it."""
        token = self.next
        if token.kind not in kinds or (token.apart and not self.depth):
            return False
        if self.tokens[self.place + 1].apart and not self.depth:
            raise self.error(f"no blanks around {token.text!r}, or parentheses around all of it")
        return True

    def chain(self, part: Callable[[], Term], *kinds: str) -> Term:
        term = part()
        while self.operator(*kinds):
            sign = self.take()
            if sign.kind == "/" and not self.rounding:
                raise self.error("'/' must stand inside ceil( ) or floor( ), or be '//'", sign)
            if term.operation == "_":
                raise self.error("'_' stands alone: it is no number to calculate with", sign)
            term = Term(sign.kind, terms=(term, part()), at=sign.at)
        return term

    def sum(self) -> Term:
        return self.chain(self.product, "+", "-")

    def product(self) -> Term:
        return self.chain(self.atom, "*", "/", "//")

    def atom(self) -> Term:
        token = self.take()
        if token.kind == "number":
            return Term("number", int(token.text), at=token.at)
        if token.kind == "(":
            return self.inside(token)[0]
        if token.kind == "name" and self.next.kind == "(" and not self.next.apart:
            return self.function(token)
        if token.text == "_":
            alone = self.depth == 0 and (self.place < 2 or token.apart or self.tokens[self.place - 2].kind in ":{,")
            if not alone:
                raise self.error("'_' stands alone: it is no number to calculate with", token)
            return Term("_", at=token.at)
        if token.kind == "name":
            return Term("name", token.text, at=token.at)
        if token.kind in ("+", "-", "*", "/", "//"):
            raise self.error(f"{token.text!r} lacks what stands before it; no blanks around it, as in h-2", token)
        raise self.error(
            f"a dimension expected, not {token.text!r}" if token.text else "the spec ends too early", token
        )

    def function(self, name: _Token) -> Term:
        if name.text not in _FUNCTIONS:
            near = get_close_matches(name.text, _FUNCTIONS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self.error(f"functions are {', '.join(_FUNCTIONS)}, not {name.text!r}{hint}", name)
        takes = _FUNCTIONS[name.text]
        self.rounding += takes == 1
        terms = self.inside(self.take(), many=takes == 0)
        self.rounding -= takes == 1
        return Term(name.text, terms=terms, at=name.at)

    def inside(self, opening: _Token, many: bool = False) -> tuple[Term, ...]:
        """What stands in parentheses."""
        self.depth += 1
        if self.depth > _DEPTH:
            raise self.error(f"more than {_DEPTH} parentheses in each other", opening)
        terms = [self.sum()]
        while many and self.next.kind == ",":
            self.take()
            terms.append(self.sum())
        if self.next.kind != ")":
            raise self.error("')' expected for this one", opening)
        self.take()
        self.depth -= 1
        return tuple(terms)


def read(text: str) -> tuple[tuple[Part, ...] | None, tuple[Part, ...]]:
    """Both sides of a spec; None for the first where there is no arrow.

    Raises:
        SpecError: it is not of the shape language; the message marks the character.

    Example:
        >>> inputs, outputs = read("b h w c -> {main: b k, aux: b k}")
        >>> [part.key for part in outputs], [dimension.text for dimension in inputs[0].shape]
        (['main', 'aux'], ['b', 'h', 'w', 'c'])
    """
    return _Reader(text).spec()
