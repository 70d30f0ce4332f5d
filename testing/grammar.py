"""The words of the shape language, read character by character: no Python is evaluated anywhere.

spec        side ["->" side] ["where" condition ("," condition)*]
side        shape ("," shape)* | "{" name ":" shape ("," name ":" shape)* "}"
shape       dimension* | dtype "[" dimension* "]"   dimensions set apart by blanks
dimension   "_" | "..." | "*" name | name "?" | "#" name | sum   no blanks in it, unless in parentheses
sum         product (("+" | "-") product)*
product     atom (("*" | "//" | "/" | "%") atom)*   "/" inside ceil( ), floor( ) and conditions only
atom        integer | name | "(" sum ")" | function "(" sum ("," sum)* ")" | "prod(" ("..." | "*" name) ")"
function    ceil | floor | min | max
condition   sum (("==" | "!=" | "<=" | ">=" | "<" | ">") sum)+
dtype       f32 | float32 | float | int | bool | …
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fractions import Fraction
from math import ceil, floor, prod
from typing import Any

from .. import checks

_TOKEN = re.compile(
    r"(?P<number>[0-9]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>->|//|\.\.\.|[<>=!]=|[-+*/%(),:{}\[\]?#<>])"
)
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
            >>> sorted(read("ceil(h/s)").after[0].shape[0].term.names())
            ['h', 's']
        """
        if self.operation in ("name", "prod"):
            return {str(self.leaf)}
        return {name for term in self.terms for name in term.names()}

    def value(self, names: Mapping[str, Any], text: str) -> Fraction | None:
        """The number it stands for, exactly; None if a name in it is unknown."""
        if self.operation == "number":
            return Fraction(self.leaf)
        if self.operation in ("name", "prod"):
            if self.leaf not in names:
                raise SpecError(f"{self.leaf!r} has no value: give it one as a keyword", text, self.at)
            given = names[str(self.leaf)]
            several = isinstance(given, tuple)
            if several != (self.operation == "prod"):
                raise SpecError(f"{self.leaf!r} is {'several axes' if several else 'one axis'}", text, self.at)
            if not several:
                return None if given is None else Fraction(given)
            return None if None in given else Fraction(prod(given))
        values = [term.value(names, text) for term in self.terms]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        if self.operation in ("/", "//", "%") and known[1] == 0:
            raise SpecError("division by zero", text, self.at)
        return Fraction(_OPERATIONS[self.operation](*known))


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "ceil": ceil,
    "floor": floor,
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
}
_FUNCTIONS = {"ceil": 1, "floor": 1, "min": 0, "max": 0}  # number of arguments, 0 for any
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FLOATS = {"bf16": "bfloat16", **{f"f{bits}": f"float{bits}" for bits in (16, 32, 64)}}
_INTEGERS = {f"i{bits}": f"int{bits}" for bits in (8, 16, 32, 64)}
_UNSIGNED = {f"u{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)}
_COMPLEX = {"c64": "complex64", "c128": "complex128"}
_EACH = {**_FLOATS, **_INTEGERS, **_UNSIGNED, **_COMPLEX}
DTYPES: dict[str, tuple[str, ...]] = {
    "float": ("float32", "float16", "bfloat16", "float64"),
    "int": ("int32", "int64", "int16", "int8"),
    "uint": ("uint8", *(name for name in _UNSIGNED.values() if name != "uint8")),
    "complex": tuple(_COMPLEX.values()),
    "bool": ("bool",),
    **{short: (name,) for short, name in _EACH.items()},
    **{name: (name,) for name in _EACH.values()},
}
"""The dtypes that a word before `[` stands for, the one to try first in front."""
ELLIPSIS = "..."


@dataclass(frozen=True)
class Dimension:
    """One axis: what it is, and as it was written."""

    text: str
    term: Term
    broadcast: bool = False
    """`#c`: of size c or 1."""

    @property
    def several(self) -> str | None:
        """The name of what may be any number of axes, `*dims` or `...`, or none or one, `c?`; else None."""
        return str(self.term.leaf) if self.term.operation in ("several", "optional") else None

    @property
    def is_optional(self) -> bool:
        return self.term.operation == "optional"

    @property
    def name(self) -> str | None:
        """The name that is all of it, or None."""
        return str(self.term.leaf) if self.term.operation == "name" else None

    @property
    def is_anything(self) -> bool:
        return self.term.operation == "_"


@dataclass(frozen=True)
class Part:
    """The shape of one tensor, its key or number where there are several, and its dtype where it is said."""

    key: str | int | None
    shape: tuple[Dimension, ...]
    dtype: str | None = None

    @property
    def dtypes(self) -> tuple[str, ...]:
        """What it may be of; none for anything."""
        return () if self.dtype is None else DTYPES[self.dtype]


@dataclass(frozen=True)
class Condition:
    """A comparison of two sizes."""

    comparison: str
    left: Term
    right: Term
    text: str

    def holds(self, names: Mapping[str, Any], text: str) -> bool | None:
        """Whether it holds; None if a size in it is unknown."""
        left, right = self.left.value(names, text), self.right.value(names, text)
        return None if left is None or right is None else _COMPARISONS[self.comparison](left, right)


@dataclass(frozen=True)
class Sentence:
    """A spec as it is written: what stands before the arrow, if there is one, after it, and the conditions."""

    before: tuple[Part, ...] | None
    after: tuple[Part, ...]
    conditions: tuple[Condition, ...]


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

    def spec(self) -> Sentence:
        first, second = self.side(), None
        if self.next.kind == "->":
            self.take()
            second = self.side()
        conditions: list[Condition] = []
        if self.is_where():
            self.take()
            self.depth, self.rounding = 1, 1  # blanks and fractions are welcome
            conditions += self.condition()
            while self.next.kind == ",":
                self.take()
                conditions += self.condition()
            self.depth = self.rounding = 0
        self.expect("end", "after the condition" if conditions else "after the shape")
        return Sentence(None if second is None else first, first if second is None else second, tuple(conditions))

    def is_where(self) -> bool:
        return self.next.kind == "name" and self.next.text == "where"

    def condition(self) -> list[Condition]:
        """A comparison, or a chain of them, as pairs."""
        found: list[Condition] = []
        start, left = self.next, self.sum()
        while self.next.kind in _COMPARISONS:
            sign = self.take()
            middle, right = self.next, self.sum()
            text = self.text[start.at : self.tokens[self.place - 1].end]
            found.append(Condition(sign.kind, left, right, text))
            start, left = middle, right
        if not found:
            raise self.error(f"a comparison expected, {', '.join(_COMPARISONS)}")
        return found

    def side(self) -> tuple[Part, ...]:
        if self.next.kind != "{":
            found = [self.part(None)]
            while self.next.kind == ",":
                self.take()
                found.append(self.part(None))
            numbered = (replace(part, key=number) for number, part in enumerate(found))
            return tuple(numbered if len(found) > 1 else found)
        self.take()
        parts: dict[str, Part] = {}
        while True:
            key = self.expect("name", "as the key of a tensor")
            if key.text in parts:
                raise self.error(f"a second {key.text!r}", key)
            self.expect(":", f"after the key {key.text!r}")
            parts[key.text] = self.part(key.text)
            if self.next.kind != ",":
                break
            self.take()
        self.expect("}", "after the last shape")
        return tuple(parts.values())

    def part(self, key: str | None) -> Part:
        after = self.tokens[self.place + 1] if self.next.kind == "name" else self.next
        if self.next.kind != "name" or after.kind != "[" or after.apart:
            return Part(key, self.shape())
        dtype, opening = self.take(), self.take()
        if dtype.text not in DTYPES:
            near = get_close_matches(dtype.text, DTYPES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self.error(f"a dtype such as f32, int or bool expected, not {dtype.text!r}{hint}", dtype)
        shape = self.shape()
        if self.next.kind != "]":
            raise self.error("']' expected for this one", opening)
        self.take()
        return Part(key, shape, dtype.text)

    def shape(self) -> tuple[Dimension, ...]:
        dimensions: list[Dimension] = []
        inside = self.tokens[self.place - 1].kind == "["
        while self.next.kind not in ("end", "->", ",", "}", "]") and not self.is_where():
            if dimensions and not self.next.apart:
                raise self.error("a blank expected between two dimensions")
            start = self.next
            dimensions.append(self.dimension())
            if sum(dimension.several is not None for dimension in dimensions) > 1:
                raise self.error("a second of '...', '*name' and 'name?': where it begins is not known", start)
        if self.next.kind == "]" and not inside:
            raise self.error("']' without a '['")
        return tuple(dimensions)

    def dimension(self) -> Dimension:
        start = self.next
        after = self.tokens[min(self.place + 1, len(self.tokens) - 1)]
        joined = after.kind == "name" and not after.apart
        if start.kind == ELLIPSIS:
            self.take()
            return Dimension(ELLIPSIS, Term("several", ELLIPSIS, at=start.at))
        if start.kind in ("*", "#") and joined:
            self.take()
            if after.text in ("_", "where"):
                raise self.error("the name of an axis expected", after)
            name = self.take().text
            kind = "several" if start.kind == "*" else "name"
            return Dimension(start.kind + name, Term(kind, name, at=start.at), start.kind == "#")
        if start.kind == "name" and start.text != "_" and after.kind == "?" and not after.apart:
            self.place += 2
            return Dimension(f"{start.text}?", Term("optional", f"{start.text}?", at=start.at))
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
        return self.chain(self.atom, "*", "/", "//", "%")

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
        if token.kind in ("+", "-", "*", "/", "//", "%"):
            raise self.error(f"{token.text!r} lacks what stands before it; no blanks around it, as in h-2", token)
        raise self.error(
            f"a dimension expected, not {token.text!r}" if token.text else "the spec ends too early", token
        )

    def function(self, name: _Token) -> Term:
        if name.text == "prod":
            return self.product_of_axes(name)
        if name.text not in _FUNCTIONS:
            near = get_close_matches(name.text, _FUNCTIONS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self.error(f"functions are {', '.join(_FUNCTIONS)} and prod, not {name.text!r}{hint}", name)
        takes = _FUNCTIONS[name.text]
        self.rounding += takes == 1
        terms = self.inside(self.take(), many=takes == 0)
        self.rounding -= takes == 1
        return Term(name.text, terms=terms, at=name.at)

    def product_of_axes(self, name: _Token) -> Term:
        """`prod(...)` or `prod(*dims)`."""
        self.expect("(", "after prod")
        several = self.dimension().several if self.next.kind in (ELLIPSIS, "*") else None
        if several is None:
            raise self.error("'...' or a name such as *dims expected in prod( )")
        self.expect(")", "after the axes")
        return Term("prod", several, at=name.at)

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


def read(text: str) -> Sentence:
    """Both sides of a spec; None for the first where there is no arrow.

    Raises:
        SpecError: it is not of the shape language; the message marks the character.

    Example:
        >>> spec = read("b h w c, int[b t] -> {main: b k, aux: b k} where h >= 32")
        >>> [part.key for part in spec.after], [dimension.text for dimension in spec.before[0].shape]
        (['main', 'aux'], ['b', 'h', 'w', 'c'])
        >>> spec.before[1].dtypes[0], spec.conditions[0].text
        ('int32', 'h >= 32')
    """
    return _Reader(text).spec()
