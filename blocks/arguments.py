"""What blocks check of their arguments beyond `layerblocks.checks`: tensors, sizes of two axes, functions by role."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import keras
import numpy as np

from ..checks import complaint, function, integer, integers, is_sequence, nearest, one_line, refuse
from .types import Dense, Margins, Norm, Pool, Unit


def pair(argument: str, value: Any, at_least: int = 1) -> tuple[int, int]:
    """One integer for both axes, or two for height and width."""
    if is_sequence(value):
        height, width = integers(argument, value, 2, at_least)
        return height, width
    number = integer(argument, value, at_least)
    return number, number


def margins(argument: str, value: Any) -> Margins:
    """Pixels (above, below) and (left, right): one integer for all, one an axis, or a pair an axis."""
    one_an_axis = isinstance(value, tuple | list) and len(value) == 2
    rows, columns = value if one_an_axis else (value, value)
    return pair(argument, rows, at_least=0), pair(argument, columns, at_least=0)


def functions(**given: Any) -> None:
    """Every argument is a function that is called with a `name`."""
    for argument, value in given.items():
        function(argument, value, "name")


def transforms(argument: str, value: Any) -> Sequence[Callable[..., Any]]:
    """Functions of one tensor."""
    if not is_sequence(value):
        raise refuse(argument, value, "a list of functions", TypeError)
    for number, item in enumerate(value):
        if not callable(item):
            raise refuse(f"{argument}[{number}]", item, "a function", TypeError)
    return value


def connections(argument: str, value: Any) -> tuple[tuple[int, ...], ...]:
    """Channels by output channel; whether they fit the tensor is for the layer to say."""
    if not is_sequence(value) or not all(map(is_sequence, value)):
        raise refuse(argument, value, "a list of channels for each filter", TypeError)
    return tuple(integers(f"{argument}[{n}]", seen, len(seen), at_least=None) for n, seen in enumerate(value))


def codes(argument: str, value: Any) -> tuple[tuple[float, ...], ...] | None:
    """A code, so many finite numbers, for each unit; None for none."""
    if value is None:
        return None
    try:
        numbers = np.asarray(value, "float64")
    except (TypeError, ValueError):
        numbers = np.empty(())
    if numbers.ndim != 2 or not np.isfinite(numbers).all():
        raise refuse(argument, value, "a code, a list of finite numbers, for each unit, all of one length", TypeError)
    return tuple(tuple(code) for code in numbers.tolist())


def annotated(argument: str, value: Any, annotation: Any) -> Any:
    """The value, if it is of the annotation's type, as far as it says one; of words and numbers not yet which.

    Integers of whatever kind become `int`.
    """
    if annotation in (Unit, Norm, Pool, Dense):
        function(argument, value, "name")
    elif not _is(annotation, value):
        raise refuse(argument, value, _said(annotation), TypeError)
    return _converted(value)


def _converted(value: Any) -> Any:
    """Python's own integers instead of others, also inside tuples and lists."""
    if type(value) in (tuple, list):
        return type(value)(map(_converted, value))
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


def _said(annotation: Any) -> str:
    if getattr(annotation, "_is_protocol", False):
        return "a function"
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    kind = "a sequence, " if get_origin(annotation) in (tuple, list, Sequence) else ""
    return kind + re.sub(r"\w+\.(?=\w)", "", str(annotation))


def _is(annotation: Any, value: Any) -> bool:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return any(_is(member, value) for member in arguments)
    if origin is Literal:
        return True
    if annotation in (int, float):
        return isinstance(value, Integral if annotation is int else Real) and not isinstance(value, bool)
    if origin in (tuple, list, Sequence) and arguments:
        if not is_sequence(value):
            return False
        if origin is not tuple or arguments[-1] is ...:
            return all(_is(arguments[0], item) for item in value)
        return len(value) == len(arguments) and all(map(_is, arguments, value))
    if origin is Mapping:
        return isinstance(value, Mapping)
    if origin is Callable or getattr(annotation, "_is_protocol", False):
        return callable(value) and not isinstance(value, type | keras.Layer)
    return not isinstance(annotation, type) or isinstance(value, annotation)


_NAMED = {
    "activation": keras.activations,
    "constraint": keras.constraints,
    "dtype": keras.dtype_policies,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
}


def identifier(argument: str, value: Any, kind: str | None = None) -> None:
    """What is given by a name, such as an activation or a `kernel_initializer`, has one that Keras knows.

    Of which `kind` it is says the last word of the argument, unless given.
    """
    kind = argument.rpartition("_")[2] if kind is None else kind
    if kind not in _NAMED or value is None:
        return
    if kind == "activation" and isinstance(value, type):
        raise refuse(argument, value, "a name or a function, not a class", TypeError)
    try:
        known = kind == "dtype" or callable(_NAMED[kind].get(value))
        if kind == "dtype":
            keras.dtype_policies.get(value)
    except (AttributeError, TypeError, ValueError):
        known = False
    if not known:
        must_be = "a dtype or a policy of Keras" if kind == "dtype" else f"a name in keras.{kind}s or a function"
        close = nearest(value, dir(_NAMED[kind])) if isinstance(value, str) else ""
        raise refuse(argument, value, must_be + close)


def symbolic(x: Any, kind: str = "a symbolic Keras tensor", argument: str = "x") -> None:
    if not isinstance(x, keras.KerasTensor):
        raise refuse(argument, type(x).__name__, f"{kind} (keras.Input or a block's output)", TypeError)


def image(x: Any, argument: str = "x") -> tuple[int | None, ...]:
    """The shape of a symbolic batch of images, or an error."""
    must_be = "a symbolic Keras tensor of rank 4"
    symbolic(x, must_be, argument)
    if len(x.shape) != 4:
        raise refuse(argument, tuple(x.shape), f"{must_be}, batch and three axes")
    return tuple(x.shape)


def same_shapes(xs: Sequence[Any], skip: int | None = None) -> None:
    """Every tensor has one shape, apart from axis `skip`."""
    if not isinstance(xs, Sequence) or len(xs) < 2:
        raise refuse("xs", xs, "a list of at least two tensors", TypeError)
    for x in xs:
        if not isinstance(x, keras.KerasTensor):
            raise refuse("xs", type(x).__name__, "symbolic Keras tensors", TypeError)
    shapes = [list(x.shape) for x in xs]
    if skip is not None:
        for shape in shapes:
            shape[skip] = None
    if any(shape != shapes[0] for shape in shapes):
        must_be = "tensors of one shape" + ("" if skip is None else " apart from the channels")
        raise refuse("xs", [tuple(x.shape) for x in xs], must_be)


def options(layer: type, given: Mapping[str, Any]) -> None:
    """Keywords passed through to a Keras layer are among its arguments."""
    own = {"self", "kwargs", "name", "axis", "data_format"}
    known = {*inspect.signature(layer.__init__).parameters, "dtype", "trainable"} - own  # type: ignore[misc]
    for word in given:
        if word not in known:
            raise complaint(
                f"unexpected argument {one_line(word)}{nearest(word, known)} "
                f"(beyond its own it has those of keras.layers.{layer.__name__})",
                TypeError,
            )
