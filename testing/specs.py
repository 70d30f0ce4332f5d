"""The shape language: what a net makes of a shape, in one line.

    b h w c -> b ceil(h/2) ceil(w/2) f
    b h w c, b 2*h 2*w d -> b 2*h 2*w f
    {image: f32[b h w 3], time: int[b]} -> {main: b k, aux: b k} where h >= 32, h % 8 == 0
    b ... c -> b prod(...) c

A dimension is an integer, a name, `_` (anything), or an expression of them with `+ - * // %`, `min max ceil floor`, and
`/` inside `ceil` and `floor`, worked out in exact fractions. `...` and `*dims` are any number of axes, the same ones
wherever they stand, and `prod(...)` their product; `c?` is an axis that may be missing (and then counts as 1), `#c` an
axis of size c or 1. A dtype may stand around a shape: `f32[b h]`, `float[b h]`, `int[b t]`.

On the left each name takes the size of its axis, and the same name the same size in all inputs; an expression may stand
there of names that have an axis of their own in an input. On the right every name has a value, from the left or as a
keyword. What follows `where` must hold of the sizes.

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
from .grammar import Condition, Dimension, Part, SpecError, read

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
class OneOr:
    """What `#c` expects: the size of c, or 1."""

    size: Side

    def __repr__(self) -> str:
        return f"1|{self.size}"


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
    inputs: tuple[Part, ...] | None
    outputs: tuple[Part, ...]
    conditions: tuple[Condition, ...] = ()

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
            layerblocks.testing.grammar.SpecError: functions are ceil, ...
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
    def keys(self) -> tuple[str | int, ...]:
        """The keys, or numbers, of several outputs; none for one output without a key."""
        return tuple(part.key for part in self.outputs if part.key is not None)

    @property
    def bound(self) -> set[str]:
        """Names that have an axis of their own on the left."""
        return _own(self.inputs or ())

    @property
    def free(self) -> set[str]:
        """Names that the left does not give a value."""
        terms = [d.term for part in (*(self.inputs or ()), *self.outputs) for d in part.shape]
        terms += [term for condition in self.conditions for term in (condition.left, condition.right)]
        several = {d.several for part in self.outputs for d in part.shape if d.several is not None}
        return {name for term in terms for name in term.names()} - self.bound | several - self.bound

    def bind(self, shape: Any, /, **names: Any) -> dict[str, Any]:
        """The names with the sizes that the left side, or all there is, gives them.

        Args:
            shape: of the input; several in a sequence, or in a dict where they have keys.
            names: sizes that are known already.

        Raises:
            ValueError: a shape does not fit; a size differs from an integer or from what the name has already; a
                condition does not hold.
            TypeError: a name was given no integer.

        Example:
            >>> Spec.parse("b n n c").bind((None, 7, 7, 3))
            {'b': None, 'n': 7, 'c': 3}
            >>> Spec.parse("b h w c, b 2*h 2*w d -> b 2*h 2*w c").bind([(1, 2, 3, 4), (1, 4, 6, 8)])
            {'b': 1, 'h': 2, 'w': 3, 'c': 4, 'd': 8}
            >>> Spec.parse("b *dims c -> b *dims 5").bind((8, 3, 4, 2))["dims"]
            (3, 4)
        """
        if self.inputs is None and self.keys:
            raise ValueError(f"{self.text!r} is of several tensors, not of one of shape {tuple(shape)}")
        parts = self.outputs if self.inputs is None else self.inputs
        known = bind(parts, by_part(parts, shape, self.text), _sizes(names), self.text)
        for condition in self.conditions:
            if not condition.left.names() | condition.right.names() <= known.keys():
                continue
            if condition.holds(known, self.text) is False:
                sizes = ", ".join(
                    f"{name} is {known[name]}" for name in sorted(condition.left.names() | condition.right.names())
                )
                raise ValueError(f"{shape} does not fit {self.text!r}: {condition.text} must hold, but {sizes}")
        return known

    def expected(self, shape: Any = None, /, **names: Any) -> Any:
        """The shape on the right, or a dict of them by key or number, for an input of this shape.

        Sizes are what the expressions say: they may well be below 1, where the input is too small.

        Args:
            shape: batch first; of several inputs a sequence, or a dict; None if there is no left side.
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
        return self.made(known)

    def made(self, known: Mapping[str, Any]) -> Any:
        """The shape on the right, or a dict of them, of names with their sizes."""
        shapes = {part.key: sizes_of(part.shape, known, self.text) for part in self.outputs}
        return shapes if self.keys else shapes[None]


def _own(parts: Sequence[Part]) -> set[str]:
    """Names that are all of an axis in them, or of several axes."""
    found = set()
    for dimension in (dimension for part in parts for dimension in part.shape):
        if dimension.several is not None:
            found |= {dimension.several, dimension.several.rstrip("?")}
        elif dimension.name is not None:
            found.add(dimension.name)
    return found


def _size_or_none(name: str, size: Any) -> Side:
    if size is not None and (isinstance(size, bool) or not hasattr(size, "__index__")):
        raise refuse(name, size, "an integer or None", TypeError)
    return None if size is None else operator.index(size)


def _sizes(names: Mapping[str, Any]) -> dict[str, Any]:
    """The names given, if they are integers, or tuples of them."""
    return {
        name: tuple(_size_or_none(name, one) for one in size)
        if isinstance(size, tuple | list)
        else _size_or_none(name, size)
        for name, size in names.items()
    }


def by_part(parts: Sequence[Part], given: Any, text: str) -> list[Any]:
    """What is given for each part: one thing where there is one part without a key, else a sequence or a dict."""
    if parts[0].key is None:
        return [given]
    if isinstance(parts[0].key, int):
        if not isinstance(given, Mapping):
            given = dict(enumerate(given)) if isinstance(given, list | tuple) else {}
    elif not isinstance(given, Mapping):
        given = {}
    if given.keys() != {part.key for part in parts}:
        what = "tensors " + ", ".join(str(part.key) for part in parts)
        raise ValueError(f"{text!r} is of {len(parts)} {what}, not of {', '.join(map(str, given)) or 'one'}")
    return [given[part.key] for part in parts]


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
    sentence = read(text)
    own = _own(sentence.before or ())
    for part in sentence.before or ():
        for dimension in part.shape:
            term = dimension.term
            known = term.names() & own if sentence.before and len(sentence.before) > 1 else set()
            if term.operation not in ("name", "number", "_", "several", "optional") and not known:
                of = ", or an expression of those that an input has" if len(sentence.before or ()) > 1 else ""
                raise SpecError(f"a name, an integer or _ expected before the arrow{of}", text, term.at)
    for part in sentence.after if sentence.before is not None else ():
        for dimension in part.shape:
            if dimension.is_optional and dimension.several not in own:
                raise SpecError(f"{dimension.text} stands on no input", text, dimension.term.at)
    return Spec(text, sentence.before, sentence.after, sentence.conditions)


def _agreed(names: dict[str, Any], name: str, size: Any, lenient: bool) -> bool:
    """Let a name have this size; whether it has no other one. To the lenient None is any size."""
    had = names.setdefault(name, size)
    if had is None and lenient:
        names[name] = size
    return had == size or (lenient and (had is None or size is None))


def bind(
    parts: Sequence[Part], shapes: Sequence[Any], names: dict[str, Any], text: str, *, lenient: bool = False
) -> dict[str, Any]:
    """Add to `names` what the shapes of these parts give; see `Spec.bind`.

    Args:
        lenient: whether a size that is not known fits any.
    """
    wide: list[tuple[str, Side]] = []
    for part, shape in zip(parts, shapes, strict=True):
        shape = tuple(shape)
        about = f"{_of(part)}{shape} does not fit {text!r}"
        for axes, dimension in aligned(part.shape, len(shape), _of(part), shape, text):
            if (several := dimension.several) is not None:
                sizes = shape[axes]
                if not _agreed_axes(names, several, sizes, lenient):
                    raise ValueError(f"{about}: {dimension.text} is {sizes}, but it is {names[several]}")
                if dimension.is_optional:
                    names.setdefault(several.rstrip("?"), sizes[0] if sizes else 1)
            elif dimension.broadcast:
                wide.append((str(dimension.name), shape[axes.start]))
            elif (name := dimension.name) is not None and not _agreed(names, name, shape[axes.start], lenient):
                raise ValueError(f"{about}: axis {axes.start} is {shape[axes.start]}, but {name} is {names[name]}")
    for name, size in sorted(wide, key=lambda pair: pair[1] == 1):
        names.setdefault(name, size)
    for part, shape in zip(parts, shapes, strict=True):
        shape = tuple(shape)
        expected = sizes_of(part.shape, names, text)
        for axis in differing(expected, shape, lenient=lenient):
            dimension = dimensions_of(part.shape, len(shape))[axis]
            raise ValueError(
                f"{_of(part)}{shape} does not fit {text!r}: axis {axis} is {shape[axis]}, "
                f"but {dimension.text} {'is ' if dimension.term.operation != 'number' else 'must be '}{expected[axis]}"
            )
    return names


def meet(parts: Sequence[Part], shapes: Any, names: dict[str, Any]) -> None:
    """Let each name that has no size yet have the one that it meets first, wherever the number of axes fits."""
    wide: dict[str, Side] = {}
    for part in parts:
        shape = shapes.get(part.key) if isinstance(shapes, Mapping) else shapes
        if not isinstance(shape, tuple):
            continue
        try:
            each = aligned(part.shape, len(shape))
        except ValueError:
            continue
        for axes, dimension in each:
            if dimension.several is not None:
                names.setdefault(dimension.several, shape[axes])
                if dimension.is_optional:
                    names.setdefault(dimension.several.rstrip("?"), shape[axes.start] if shape[axes] else 1)
            elif dimension.broadcast:
                if wide.get(str(dimension.name), 1) == 1:
                    wide[str(dimension.name)] = shape[axes.start]
            elif dimension.name is not None:
                names.setdefault(dimension.name, shape[axes.start])
    for name, size in wide.items():
        names.setdefault(name, size)


def _agreed_axes(names: dict[str, Any], name: str, sizes: Shape, lenient: bool) -> bool:
    had = names.setdefault(name, sizes)
    if not isinstance(had, tuple) or len(had) != len(sizes):
        return False
    if lenient:
        names[name] = tuple(b if a is None else a for a, b in zip(had, sizes, strict=True))
    return all(a == b or (lenient and None in (a, b)) for a, b in zip(had, sizes, strict=True))


def _of(part: Part) -> str:
    """In front of a shape, which of several it is."""
    return "" if part.key is None else f"{part.key}: "


def aligned(
    dimensions: Sequence[Dimension], count: int, of: str = "", shape: Any = "it", text: str = ""
) -> list[tuple[slice, Dimension]]:
    """Each dimension with its axes among so many.

    Raises:
        ValueError: so many axes cannot be those of the dimensions.
    """
    fixed = sum(dimension.several is None for dimension in dimensions)
    left = count - fixed
    most = next((1 if d.is_optional else left for d in dimensions if d.several is not None), 0)
    if not 0 <= left <= most:
        least = " at least" if fixed < len(dimensions) else ""
        raise ValueError(f"{of}{shape} has {count} axes, not the {fixed}{least} of {text!r}")
    found, at = [], 0
    for dimension in dimensions:
        axes = 1 if dimension.several is None else left
        found.append((slice(at, at + axes), dimension))
        at += axes
    return found


def dimensions_of(dimensions: Sequence[Dimension], count: int) -> list[Dimension]:
    """The dimension of each of so many axes.

    Example:
        >>> [dimension.text for dimension in dimensions_of(Spec.parse("b ... c").outputs[0].shape, 4)]
        ['b', '...', '...', 'c']
    """
    return [d for axes, d in aligned(dimensions, count) for _ in range(axes.start, axes.stop)]


def sizes_of(dimensions: Sequence[Dimension], names: Mapping[str, Any], text: str) -> Shape:
    """The expected size of each axis."""
    found: list[Any] = []
    for dimension in dimensions:
        if dimension.is_anything:
            found.append(ANYTHING)
        elif dimension.several is None:
            value = dimension.term.value(names, text)
            size = None if value is None else int(value)
            found.append(OneOr(size) if dimension.broadcast and size != 1 else size)
        elif isinstance(given := names.get(dimension.several), tuple):
            found += given
        else:
            raise SpecError(f"{dimension.text!r} has no sizes: give them as a tuple", text, dimension.term.at)
    return tuple(found)


def fits(expected: Any, got: Side, lenient: bool = False) -> bool:
    """Whether a size is the expected one; to the lenient an unknown one is."""
    if expected is ANYTHING or (lenient and (expected is None or got is None)):
        return True
    return got == 1 or got == expected.size if isinstance(expected, OneOr) else bool(expected == got)


def differing(expected: Shape, got: Shape, *, lenient: bool = False) -> list[int]:
    """The axes on which a shape is not the expected one; all of them where their number differs.

    Example:
        >>> differing((None, 4, ANYTHING), (None, 5, 7)), differing((None,), (None, 3))
        ([1], [0, 1])
    """
    if len(expected) != len(got):
        return list(range(max(len(expected), len(got))))
    return [axis for axis, (a, b) in enumerate(zip(expected, got, strict=True)) if not fits(a, b, lenient)]
