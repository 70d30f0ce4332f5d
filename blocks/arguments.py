"""What blocks check of their arguments beyond `layerblocks.checks`: tensors, sizes of two axes, functions by role."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import keras
import numpy as np

from .. import checks
from . import words
from .types import Dense, Margins, Norm, Pool, Unit

RANKS = {1: "length", 2: "height and width", 3: "depth, height and width"}
"""The axes of signals, images and volumes."""


def sizes(argument: str, value: Any, rank: int, at_least: int = 1) -> tuple[int, ...]:
    """One integer for all axes, or one for each of so many."""
    if checks.is_sequence(value):
        return checks.integers(argument, value, rank, at_least)
    return (checks.integer(argument, value, at_least),) * rank


def sizes_of_some_rank(argument: str, value: Any, at_least: int = 1) -> int | tuple[int, ...]:
    """One integer for all axes, or one for each, of a layer that does not know yet how many there are."""
    if not checks.is_sequence(value):
        return checks.integer(argument, value, at_least)
    if len(value) not in RANKS:
        raise checks.refuse(argument, value, "an integer, or one for each of one to three axes")
    return checks.integers(argument, value, len(value), at_least)


def margins(argument: str, value: Any, rank: int) -> Margins:
    """What lies (before, after) each axis: one integer for all, one an axis, a pair an axis, or `(pair,)` for all.

    Of a signal, which has one axis, a pair is that axis's.
    """
    if checks.is_sequence(value) and len(value) == 1 and checks.is_sequence(value[0]):
        value = tuple(value) * rank
    one_an_axis = isinstance(value, tuple | list) and len(value) == rank
    pairs = [sizes(argument, one, 2, at_least=0) for one in (value if one_an_axis else (value,) * rank)]
    return tuple((before, after) for before, after in pairs)


def holes(dilation_rate: Any, rank: int) -> dict[str, tuple[int, ...]]:
    """The argument, for units that may not know it, only where it does something."""
    rates = sizes("dilation_rate", dilation_rate, rank)
    return {} if {*rates} == {1} else {"dilation_rate": rates}


def halving(strides: Any, dilation_rate: Any, rank: int) -> tuple[Literal[1, 2], dict[str, tuple[int, ...]]]:
    """The stride of a pool that halves its image or keeps it, and `holes` where it keeps it."""
    strides, dilation = checks.choice("strides", strides, (1, 2)), holes(dilation_rate, rank)
    if dilation and strides > 1:
        raise checks.refuse("strides", strides, f"1 with dilation_rate={checks.one_line(dilation_rate)}")
    return strides, dilation


def functions(**given: Any) -> None:
    """Every argument is a function that is called with a `name`."""
    for argument, value in given.items():
        checks.function(argument, value, "name")


def transforms(argument: str, value: Any) -> Sequence[Callable[..., Any]]:
    """Functions of one tensor."""
    if not checks.is_sequence(value):
        raise checks.refuse(argument, value, "a list of functions", TypeError)
    for place, item in enumerate(value):
        if not callable(item):
            raise checks.refuse(f"{argument}[{place}]", item, "a function", TypeError)
    return value


def connections(argument: str, value: Any) -> tuple[tuple[int, ...], ...]:
    """Channels by output channel; whether they fit the tensor is for the layer to say."""
    if not checks.is_sequence(value) or not all(map(checks.is_sequence, value)):
        raise checks.refuse(argument, value, "a list of channels for each filter", TypeError)
    return tuple(checks.integers(f"{argument}[{n}]", seen, len(seen), at_least=None) for n, seen in enumerate(value))


def codes(argument: str, value: Any) -> tuple[tuple[float, ...], ...] | None:
    """A code, so many finite numbers, for each unit; None for none."""
    if value is None:
        return None
    try:
        numbers = np.asarray(value, "float64")
    except (TypeError, ValueError):
        numbers = np.empty(())
    if numbers.ndim != 2 or not np.isfinite(numbers).all():
        raise checks.refuse(
            argument, value, "a code, a list of finite numbers, for each unit, all of one length", TypeError
        )
    return tuple(tuple(map(float, code)) for code in numbers)


def annotated(argument: str, value: Any, annotation: Any) -> Any:
    """Convert a value to what its annotation says, as far as it says something: NumPy's 8 is 8, a list is a tuple."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _one_of(argument, value, annotation, inner)
    if origin is Literal:
        return checks.choice(argument, value, inner)
    if annotation is Any:
        return _of_python(value)
    if annotation is bool:
        return checks.flag(argument, value)
    if annotation is int:
        return checks.integer(argument, value, at_least=None)
    if annotation is float:
        return checks.number(argument, value)
    if origin in (tuple, list, Sequence) and inner:
        return _sequence(argument, value, annotation)
    if origin is Mapping:
        given = checks.mapping(argument, value)
        said = {k: words.resolved("pool", f"{argument}[{checks.one_line(k)}]", v) for k, v in given.items()}
        return said if any(said[word] is not given[word] for word in given) else given
    if (kind := words.kind_of(annotation)) is not None and kind not in ("blocks", "activation"):
        function = words.resolved(kind, argument, value)
        if annotation in (Unit, Norm, Pool, Dense):
            return checks.function(argument, function, "name")
        return callable_instance(argument, function)
    if isinstance(annotation, type) and not isinstance(value, annotation):
        raise checks.refuse(argument, value, _words(annotation), TypeError)
    return value


def _of_python(value: Any) -> Any:
    """The integers of NumPy in a value, and in its tuples and lists, as Python's."""
    if isinstance(value, np.integer):
        return value.item()
    return type(value)(map(_of_python, value)) if type(value) in (tuple, list) else value


def _one_of(argument: str, value: Any, annotation: Any, members: Sequence[Any]) -> Any:
    """Convert to the first that it fits; where one names the fault inside a sequence, or a word, say that."""
    faults: list[Exception] = []
    for member in members:
        try:
            return annotated(argument, value, member)
        except (TypeError, ValueError) as error:
            faults.append(error)
    precise = [error for error in faults if isinstance(error, ValueError) or f"{argument}[" in str(error)]
    if len(precise) == 1:
        raise precise[0]
    raise checks.refuse(argument, value, _words(annotation), ValueError if precise else TypeError)


def _sequence(argument: str, value: Any, annotation: Any) -> tuple[Any, ...]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if not checks.is_sequence(value):
        raise checks.refuse(argument, value, _words(annotation), TypeError)
    if origin is tuple and inner[-1] is not Ellipsis:
        if len(value) != len(inner):
            raise checks.refuse(argument, value, _words(annotation))
    else:
        inner = (inner[0],) * len(value)
    items = enumerate(zip(value, inner, strict=True))
    return tuple(annotated(f"{argument}[{place}]", item, kind) for place, (item, kind) in items)


def callable_instance(argument: str, value: Any) -> Callable[..., Any]:
    """A function, or an object that is called; no class and no layer, which would be the same one at every call."""
    if not callable(value) or isinstance(value, type | keras.Layer):
        raise checks.refuse(argument, value, "a function", TypeError)
    return value


_WORDS = {int: "an integer", float: "a number", bool: "True or False", str: "a string", type(None): "None"}


def _words(annotation: Any, several: bool = False) -> str:
    """An annotation in words: `a number or a sequence of numbers`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_words(one, several) for one in inner))
    if origin is Literal:
        return checks.listed(inner)
    if origin in (tuple, list, Sequence) and inner:
        kinds = " and ".join(dict.fromkeys(_words(one, True) for one in inner if one is not Ellipsis))
        count = f"{len(inner)} " if origin is tuple and inner[-1] is not Ellipsis else ""
        return f"{'sequences' if several else 'a sequence'} of {count}{kinds}"
    if origin is Mapping:
        one = "a dict"
    elif origin is Callable or getattr(annotation, "_is_protocol", False):
        one = "a function"
    else:
        one = _WORDS.get(annotation, f"a {annotation.__name__}" if isinstance(annotation, type) else str(annotation))
    return f"{re.sub('^an? ', '', one)}s" if several and one.startswith("a") else one


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
        raise checks.refuse(argument, value, "a name or a function, not a class", TypeError)
    try:
        known = kind == "dtype" or callable(_NAMED[kind].get(value))
        if kind == "dtype":
            keras.dtype_policies.get(value)
    except (AttributeError, TypeError, ValueError):
        known = False
    if not known:
        must_be = "a dtype or a policy of Keras" if kind == "dtype" else f"a name in keras.{kind}s or a function"
        close = checks.nearest(value, dir(_NAMED[kind])) if isinstance(value, str) else ""
        raise checks.refuse(argument, value, must_be + close)
    if callable(value) and not _can_be_saved(value):
        must_be = "one that a model can be saved with: a function by `def`, a layer, an object with get_config"
        raise checks.refuse(argument, value, must_be, TypeError)


def _can_be_saved(value: Any) -> bool:
    """Whether Keras can write it down: no partial, no lambda, nor an object that does not say how it was made."""
    described = hasattr(value, "get_config") and hasattr(value, "from_config")
    named = str(getattr(value, "__name__", "")).isidentifier()
    return not isinstance(value, partial) and (described or named)


def symbolic(x: Any, kind: str = "a symbolic Keras tensor", argument: str = "x") -> None:
    if not isinstance(x, keras.KerasTensor):
        raise checks.refuse(argument, type(x).__name__, f"{kind} (keras.Input or a block's output)", TypeError)


def image(x: Any, argument: str = "x", ranks: Sequence[int] = tuple(RANKS)) -> tuple[int | None, ...]:
    """The shape of a symbolic batch of images, signals or volumes, or an error."""
    must_be = f"a symbolic Keras tensor of rank {' or '.join(', '.join(str(n + 2) for n in ranks).rsplit(', ', 1))}"
    symbolic(x, must_be, argument)
    if len(x.shape) - 2 not in ranks:
        axes = "one to three axes" if len(ranks) == len(RANKS) else " or ".join(RANKS[rank] for rank in ranks)
        raise checks.refuse(argument, tuple(x.shape), f"{must_be}: batch, {axes}, and channels")
    return tuple(x.shape)


def same_shapes(xs: Sequence[Any], skip: int | None = None) -> None:
    """Every tensor has one shape, apart from axis `skip`."""
    if not isinstance(xs, Sequence) or len(xs) < 2:
        raise checks.refuse("xs", xs, "a list of at least two tensors", TypeError)
    for x in xs:
        if not isinstance(x, keras.KerasTensor):
            raise checks.refuse("xs", type(x).__name__, "symbolic Keras tensors", TypeError)
    shapes = [list(x.shape) for x in xs]
    if skip is not None:
        for shape in shapes:
            shape[skip] = None
    if any(shape != shapes[0] for shape in shapes):
        must_be = "tensors of one shape" + ("" if skip is None else " apart from the channels")
        raise checks.refuse("xs", [tuple(x.shape) for x in xs], must_be)


# What Keras's layers accept of numbers without a look at them, and compute NaN of.
_BOUNDS: dict[str, dict[str, Any]] = {"epsilon": {"at_least": 0}, "momentum": {"at_least": 0, "at_most": 1}}


def options(layer: type, given: Mapping[str, Any]) -> None:
    """Keywords passed through to a Keras layer are among its arguments."""
    own = {"self", "kwargs", "name", "axis", "data_format"}
    known = {*inspect.signature(layer.__init__).parameters, "dtype", "trainable"} - own  # type: ignore[misc]
    for word in given:
        if word not in known:
            raise checks.unexpected(
                word, given[word], known, f" (beyond its own it has those of keras.layers.{layer.__name__})"
            )
        if word in _BOUNDS:
            checks.number(word, given[word], **_BOUNDS[word])
