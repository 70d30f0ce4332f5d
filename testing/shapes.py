"""The shape language: what a net makes of a shape, in one line.

    b h w c -> b ceil(h/2) ceil(w/2) f
    b h w 3 -> {main: b k, aux1: b k}

A dimension is an integer, a name, `_` (anything), or an expression of them with `+ - * //`, `min max ceil floor`, and
`/` inside `ceil` and `floor`, worked out in exact fractions. On the left stand names, integers and `_` only: each name
takes the size of its axis, and the same name the same size. On the right every name has a value, from the left or as a
keyword.

None is a size that is not known: an expression of an unknown name is unknown, and None fits None only, so that a net
that forgets a size, or claims to know one that it cannot know, is found. `_` fits None as well.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .. import checks
from ..checks import complaint, refuse
from .grammar import Dimension, Part, SpecError, read

Side = int | None
Shape = tuple[Any, ...]

__all__ = ["ANYTHING", "Shape", "Spec", "SpecError", "differing"]


class _Anything:
    """What `_` expects."""

    def __repr__(self) -> str:
        return "_"

    def __reduce__(self) -> str:
        return "ANYTHING"


ANYTHING = _Anything()
"""The size that `_` stands for in an expected shape."""


@dataclass(frozen=True)
class Spec:
    """A shape specification that has been read.

    Example:
        >>> spec = Spec.parse("b h w c -> b ceil(h/2) ceil(w/2) f")
        >>> spec.expected((None, 7, 9, 3), f=64)
        (None, 4, 5, 64)
        >>> spec.expected((8, None, 9, 3), f=64)
        (8, None, 5, 64)
    """

    text: str
    inputs: tuple[Dimension, ...] | None
    outputs: tuple[Part, ...]

    @staticmethod
    def parse(spec: str | Mapping[str, str] | Spec) -> Spec:
        """Read a spec; a dict has one for each output, all with the same left side.

        Raises:
            SpecError: it is not of the shape language; below the message's first line stands the text, the character
                marked.
            TypeError: it is neither text nor a dict of texts.

        Example:
            >>> Spec.parse({"main": "b h w c -> b k", "aux": "b h w c -> b 10"}).text
            'b h w c -> {main: b k, aux: b 10}'
            >>> Spec.parse("b h w c -> b ciel(h/2) w c")
            Traceback (most recent call last):
            layerblocks.testing.grammar.SpecError: functions are ceil, floor, min, max, not 'ciel'; did you mean 'ceil'?
                b h w c -> b ciel(h/2) w c
                             ^
        """
        if isinstance(spec, Spec):
            return spec
        if isinstance(spec, Mapping):
            spec = _joined(spec)
        text = checks.text("spec", spec, "text such as 'b h w c -> b h w f', or a dict of them by output")
        try:
            return _parse(text)
        except SpecError as error:
            raise error.of_argument("spec") from None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of several outputs; none for one output without a key."""
        return tuple(part.key for part in self.outputs if part.key is not None)

    @property
    def free(self) -> set[str]:
        """Names on the right that the left does not give a value."""
        bound = {dimension.name for dimension in self.inputs or ()}
        return {name for part in self.outputs for d in part.shape for name in d.term.names()} - bound

    def bind(self, shape: Sequence[Side], /, **names: Side) -> dict[str, Side]:
        """The names with the sizes that the left side, or all there is, gives them.

        Raises:
            ValueError: the shape does not fit; a size differs from an integer or from what the name has already.
            TypeError: a name was given no integer.

        Example:
            >>> Spec.parse("b n n c").bind((None, 7, 7, 3))
            {'b': None, 'n': 7, 'c': 3}
        """
        if self.inputs is None and self.keys:
            raise ValueError(f"{self.text!r} is of several tensors, not of one of shape {tuple(shape)}")
        dimensions = self.outputs[0].shape if self.inputs is None else self.inputs
        return _bind(dimensions, tuple(shape), _sizes(names), self.text)

    def expected(self, shape: Sequence[Side] | None = None, /, **names: Side) -> Any:
        """The shape on the right, or a dict of them, for an input of this shape.

        Sizes are what the expressions say: they may well be below 1, where the input is too small.

        Args:
            shape: batch first; None if there is no left side.
            names: sizes of the names that are not on the left.

        Raises:
            ValueError: the shape does not fit the left side.
            SpecError: a name has no value, or a division is by zero.

        Example:
            >>> Spec.parse("b h w c -> {main: b 10, maps: b h//32 w//32 _}").expected((None, 224, 64, 3))
            {'main': (None, 10), 'maps': (None, 7, 2, _)}
        """
        known = _sizes(names)
        if self.inputs is not None:
            if shape is None:
                raise ValueError(f"{self.text!r} needs the shape of the input")
            known = self.bind(shape, **names)
        shapes = {part.key: tuple(_size(d, known, self.text) for d in part.shape) for part in self.outputs}
        return shapes if self.keys else shapes[None]


def _sizes(names: Mapping[str, Any]) -> dict[str, Side]:
    """The names given, if they are integers."""
    for name, size in names.items():
        if size is not None and (isinstance(size, bool) or not hasattr(size, "__index__")):
            raise refuse(name, size, "an integer or None", TypeError)
    return {name: None if size is None else operator.index(size) for name, size in names.items()}


def _joined(specs: Mapping[str, str]) -> str:
    sides: dict[str, str] = {}
    left: str | None = None
    for key, text in specs.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise refuse("spec", {key: text}, "a dict of texts by output", TypeError)
        before, _, after = text.rpartition("->")
        if left is not None and before.split() != left.split():
            raise complaint(
                f"spec must be of one left side for all outputs, got {left.strip()!r} and {before.strip()!r}"
            )
        left, sides[key] = before, after.strip()
    if not sides:
        raise refuse("spec", {}, "of at least one output")
    right = "{" + ", ".join(f"{key}: {shape}" for key, shape in sides.items()) + "}"
    return f"{left.strip()} -> {right}" if left else right


@lru_cache(maxsize=512)
def _parse(text: str) -> Spec:
    first, outputs = read(text)
    inputs = None if first is None else _input(first, text)
    return Spec(text, inputs, outputs)


def _input(parts: tuple[Part, ...], text: str) -> tuple[Dimension, ...]:
    if parts[0].key is not None:
        raise SpecError("one shape expected before the arrow, without a key", text, text.index("{"))
    for dimension in parts[0].shape:
        if dimension.term.operation not in ("name", "number", "_"):
            raise SpecError("a name, an integer or _ expected before the arrow", text, dimension.term.at)
    return parts[0].shape


def _bind(dimensions: Sequence[Dimension], shape: Shape, names: dict[str, Side], text: str) -> dict[str, Side]:
    if len(shape) != len(dimensions):
        raise ValueError(f"{shape} has {len(shape)} axes, not the {len(dimensions)} of {text!r}")
    for axis, (dimension, size) in enumerate(zip(dimensions, shape, strict=True)):
        name = dimension.name
        if name is not None and names.setdefault(name, size) != size:
            raise ValueError(f"{shape} does not fit {text!r}: axis {axis} is {size}, but {name} is {names[name]}")
    expected = tuple(_size(dimension, names, text) for dimension in dimensions)
    for axis in differing(expected, shape):
        raise ValueError(
            f"{shape} does not fit {text!r}: axis {axis} is {shape[axis]}, "
            f"but {dimensions[axis].text} {'is ' if dimensions[axis].term.terms else 'must be '}{expected[axis]}"
        )
    return names


def _size(dimension: Dimension, names: Mapping[str, Side], text: str) -> Any:
    if dimension.is_anything:
        return ANYTHING
    value = dimension.term.value(names, text)
    return None if value is None else int(value)


def differing(expected: Shape, got: Shape) -> list[int]:
    """The axes on which a shape is not the expected one; all of them where their number differs.

    Example:
        >>> differing((None, 4, ANYTHING), (None, 5, 7)), differing((None,), (None, 3))
        ([1], [0, 1])
    """
    if len(expected) != len(got):
        return list(range(max(len(expected), len(got))))
    return [axis for axis, (a, b) in enumerate(zip(expected, got, strict=True)) if a is not ANYTHING and a != b]
