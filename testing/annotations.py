"""The arguments of any block, drawn from the annotations of its signature.

Example:
    >>> from hypothesis import find
    >>> from layerblocks.blocks import dense_block
    >>> find(block_kwargs(dense_block, dropout=0.5), lambda arguments: arguments["layers"] > 2)
    {'layers': 3, 'dropout': 0.5}
"""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from ..checks import one_line, public
from .strategies import LARGEST, refuse, strategy, units, words


def _words() -> dict[Any, st.SearchStrategy[Any]]:
    from layerblocks.blocks import types

    return {getattr(types, word): values for word, values in words().items()} | {types.Unit: units()}


# From annotations.


class _Unknown(Exception):
    """An annotation that says nothing of the values."""


def from_annotation(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation: words of `layerblocks.blocks.types`, Literal, numbers with or without bounds, tuples.

    Integers without bounds are sizes and counts, 1 to 8; numbers are rates, from 0 up to, not including, 1. Bounds are
    those of `annotated_types`, or whatever has their attributes (`ge`, `gt`, `le`, `lt`, `multiple_of`, `min_length`,
    `max_length`).

    Raises:
        InvalidArgument: it says nothing of the values.

    Example:
        >>> from typing import Literal
        >>> from_annotation(tuple[int, Literal["same", "valid"]])
        tuples(integers(min_value=1, max_value=8), sampled_from(('same', 'valid')))
    """
    try:
        return _resolved(annotation, [])
    except _Unknown:
        raise InvalidArgument(
            f"from_annotation: annotation must be a type that says which values, got {annotation!r}"
        ) from None


def _resolved(annotation: Any, metadata: Iterable[Any]) -> st.SearchStrategy[Any]:
    known = _words()
    if (word := _among(annotation, known)) is not None:
        return word
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return _annotated(arguments[0], [*arguments[1:], *metadata])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return _union(arguments, known)
    if annotation in (None, type(None)):
        return st.none()
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return _integers(metadata)
    if annotation is float:
        return _floats(metadata)
    if origin is tuple and arguments[-1:] != (...,):
        return st.tuples(*(_resolved(argument, []) for argument in arguments))
    if origin in (list, tuple, Sequence, Iterable) and arguments:
        least, most = _lengths(metadata)
        lists = st.lists(_resolved(arguments[0], []), min_size=least, max_size=most)
        return lists if origin is list else lists.map(tuple)
    raise _Unknown


def _among(annotation: Any, known: Mapping[Any, Any]) -> Any:
    try:
        return known.get(annotation)
    except TypeError:  # not hashable
        return None


def _union(members: Sequence[Any], known: Mapping[Any, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """A union, which Python flattens, put together of the words that it was written with."""
    found, left = [], list(members)
    for word, values in known.items():
        parts = get_args(word)
        if get_origin(word) in (Union, types.UnionType) and all(part in left for part in parts):
            left = [member for member in left if member not in parts]
            found.append(values)
    left.sort(key=lambda member: member is not type(None))
    return st.one_of([*(_resolved(member, []) for member in left), *found])


def _annotated(annotation: Any, metadata: Sequence[Any]) -> st.SearchStrategy[Any]:
    for item in metadata:
        if isinstance(item, st.SearchStrategy):
            return item
    try:
        return _resolved(annotation, list(_flat(metadata)))
    except _Unknown:
        whole: Any = typing.Annotated[(annotation, *metadata)]
        return st.from_type(whole)


def _flat(metadata: Iterable[Any]) -> Iterable[Any]:
    """Constraints one by one: `annotated_types.Interval` and `Len` hold several."""
    for item in metadata:
        if getattr(item, "__is_annotated_types_grouped_metadata__", False):
            yield from _flat(item)
        else:
            yield item


def _bounds(metadata: Iterable[Any], step: int) -> tuple[Any, Any]:
    """Least and largest value; `step` is what separates `gt` from `ge`."""
    low: list[Any] = []
    high: list[Any] = []
    for item in metadata:
        for word, bounds, shift in (("ge", low, 0), ("gt", low, step), ("le", high, 0), ("lt", high, -step)):
            if (bound := getattr(item, word, None)) is not None:
                bounds.append(bound + shift)
    return max(low, default=None), min(high, default=None)


def _integers(metadata: Iterable[Any]) -> st.SearchStrategy[int]:
    metadata = list(metadata)
    low, high = _bounds(metadata, 1)
    step = math.lcm(*(int(m) for item in metadata if (m := getattr(item, "multiple_of", None)) is not None))
    low = (1 if high is None or high >= 1 else high - LARGEST) if low is None else math.ceil(low)
    high = low + LARGEST * step - 1 if high is None else math.floor(high)
    least, most = -(-low // step), high // step
    if least > most:
        raise InvalidArgument(f"no integer from {low} to {high} that {step} divides")
    numbers = st.integers(least, most)
    return numbers if step == 1 else numbers.map(lambda number: number * step)


def _floats(metadata: Iterable[Any]) -> st.SearchStrategy[float]:
    metadata = list(metadata)
    low, high = _bounds(metadata, 0)
    open_low = any(getattr(item, "gt", None) == low is not None for item in metadata)
    open_high = high is None or any(getattr(item, "lt", None) == high for item in metadata)
    low = 0.0 if low is None else low
    return st.floats(
        low, max(1.0, low + 1.0) if high is None else high, exclude_min=open_low, exclude_max=open_high, width=32
    )


def _lengths(metadata: Iterable[Any]) -> tuple[int, int]:
    least, most = 1, 3
    for item in metadata:
        least = least if getattr(item, "min_length", None) is None else item.min_length
        most = most if getattr(item, "max_length", None) is None else item.max_length
    return least, max(least, most)


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotation of each parameter, as far as its names can be found.

    Example:
        >>> def block(x, filters: "int", size: "Nowhere"): ...
        >>> hints_of(block)
        {'filters': <class 'int'>}
    """
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    if not inspect.isroutine(function) and not isinstance(function, type):
        function = type(function).__call__
    found, names = {}, getattr(function, "__globals__", {})
    for word, annotation in inspect.get_annotations(function).items():
        holder = types.FunctionType((lambda: None).__code__, names)
        holder.__annotations__ = {word: annotation}
        try:
            found.update(typing.get_type_hints(holder, include_extras=True))
        except (NameError, AttributeError, SyntaxError, TypeError):
            continue
    return found


def _is_tensor(word: str, annotation: Any, first: bool) -> bool:
    import keras

    members = get_args(annotation) or (annotation,)
    given = keras.KerasTensor in members and type(None) not in members  # a tensor, or several
    return given or (first and annotation is None)


@public
def block_kwargs(block: Callable[..., Any], /, **overrides: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a block, drawn from the annotations of its signature: any function of a tensor, yours too.

    What is annotated as a tensor, or several, and an unannotated first parameter, is left to you; so are `name` and
    `**options`. An argument whose annotation says nothing of its values keeps its default. Arguments shrink to their
    defaults.
    What one argument says of another (no strides together with a dilation) no annotation tells: give an override, or
    expect the ValueError.

    Args:
        block: a function, decorated with `layerblocks.blocks.block` or not, or a `functools.partial` of one.
        overrides: values or strategies by argument; also of arguments that only `**options` take. `st.nothing()` leaves
            the argument at its default.

    Raises:
        InvalidArgument: an argument without default whose annotation says nothing of its values; an override that the
            block does not take.

    Example:
        >>> from typing import Literal
        >>> from hypothesis import find
        >>> def tower(x, filters: int, kind: Literal["max", "avg"], *, depth: int = 2, name=None): ...
        >>> find(block_kwargs(tower, filters=16), lambda arguments: True)
        {'kind': 'max', 'filters': 16}
    """
    called = getattr(block, "__name__", None) or getattr(getattr(block, "func", None), "__name__", one_line(block))
    try:
        parameters = inspect.signature(block).parameters
    except (TypeError, ValueError):  # not to be called, or of C
        raise refuse("block", block, "a function whose signature can be read") from None
    takes_more = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for word in overrides:
        if word not in parameters and not takes_more:
            raise InvalidArgument(f"block_kwargs: {called} has no argument {word!r}; it has {', '.join(parameters)}")
    hints = hints_of(block)
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for position, (word, parameter) in enumerate(parameters.items()):
        if word in overrides or word == "name" or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        hint = hints.get(word)
        if _is_tensor(word, hint, first=position == 0):
            continue
        has_default = parameter.default is not parameter.empty
        try:
            if hint is None:
                raise _Unknown
            values = _resolved(hint, [])
        except _Unknown:
            if has_default:
                continue
            raise InvalidArgument(
                f"block_kwargs: {called} needs {word!r}, whose annotation "
                f"{parameter.annotation if parameter.annotation is not parameter.empty else 'is missing and'!s} "
                f"says nothing of its values; give block_kwargs({called}, {word}=…)"
            ) from None
        except InvalidArgument as error:
            raise InvalidArgument(f"block_kwargs: {called}, {word!r}: {error}") from None
        (optional if has_default else required)[word] = values
    given = {word: strategy(value) for word, value in overrides.items()}
    required |= {word: values for word, values in given.items() if not values.is_empty}
    return st.fixed_dictionaries(required, optional=optional)
