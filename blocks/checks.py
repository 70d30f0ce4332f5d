"""What every block checks of its arguments; messages name the block, the argument, what it got and takes."""

from __future__ import annotations

import difflib
import inspect
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import keras

from .core import where
from .types import Margins


def refuse(argument: str, got: object, takes: str, error: type[Exception] = ValueError) -> Exception:
    return error(f"{where()}: {argument} takes {takes}, got {got!r}")


def nearest(word: object, choices: Iterable[str]) -> str:
    """`; did you mean 'relu'?` or nothing."""
    close = difflib.get_close_matches(str(word), list(choices), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def integer(argument: str, value: Any, at_least: int = 1) -> int:
    takes = "a positive integer" if at_least == 1 else f"an integer of at least {at_least}"
    if isinstance(value, bool):
        raise refuse(argument, value, takes, TypeError)
    try:
        number = operator.index(value)
    except TypeError:
        raise refuse(argument, value, takes, TypeError) from None
    if number < at_least:
        raise refuse(argument, value, takes)
    return number


def integers(argument: str, value: Any, count: int, at_least: int = 1) -> tuple[int, ...]:
    """A tuple of exactly `count` integers."""
    takes = f"{count} integers of at least {at_least}"
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != count:
        raise refuse(argument, value, takes, TypeError if not isinstance(value, Sequence) else ValueError)
    return tuple(integer(f"{argument}[{i}]", item, at_least) for i, item in enumerate(value))


def pair(argument: str, value: Any, at_least: int = 1) -> tuple[int, int]:
    """One integer for both axes, or two for height and width."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        height, width = integers(argument, value, 2, at_least)
        return height, width
    number = integer(argument, value, at_least)
    return number, number


def margins(argument: str, value: Any) -> Margins:
    """Pixels (above, below) and (left, right): one integer for all, one an axis, or a pair an axis."""
    one_an_axis = isinstance(value, tuple | list) and len(value) == 2
    rows, columns = value if one_an_axis else (value, value)
    return pair(argument, rows, at_least=0), pair(argument, columns, at_least=0)


def number(argument: str, value: Any, takes: str = "a number") -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise refuse(argument, value, takes, TypeError)
    return float(value)


def fraction(argument: str, value: Any) -> float:
    number(argument, value, "a number from 0 up to, not including, 1")
    if not 0 <= value < 1:
        raise refuse(argument, value, "a number from 0 up to, not including, 1")
    return float(value)


def choice(argument: str, value: Any, choices: Sequence[Any]) -> Any:
    if value not in choices:
        words = [str(item) for item in choices]
        takes = f"one of {', '.join(map(repr, choices))}{nearest(value, words)}"
        raise refuse(argument, value, takes)
    return value


def function(argument: str, value: Any) -> Callable[..., Any]:
    if not callable(value):
        raise refuse(argument, value, "a function", TypeError)
    return value


def table(argument: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise refuse(argument, value, "a table, a dict by name", TypeError)
    return value


_NAMED = {
    "activation": keras.activations,
    "constraint": keras.constraints,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
}


def identifier(argument: str, value: Any) -> None:
    """What is given by a name, such as an activation or a `kernel_initializer`, has one that Keras knows."""
    kind = argument.rpartition("_")[2]
    if kind not in _NAMED:
        return
    if kind == "activation" and isinstance(value, type):
        raise refuse(argument, value, "a name or a function, not a class", TypeError)
    if isinstance(value, str):
        try:
            _NAMED[kind].get(value)
        except ValueError:
            takes = f"a name in keras.{kind}s or a function{nearest(value, dir(_NAMED[kind]))}"
            raise refuse(argument, value, takes) from None


def symbolic(x: Any, kind: str = "a symbolic Keras tensor") -> None:
    if not isinstance(x, keras.KerasTensor):
        raise refuse("x", type(x).__name__, f"{kind} (keras.Input or a block's output)", TypeError)


def image(x: Any) -> tuple[int | None, ...]:
    """The shape of a symbolic batch of images, or an error."""
    takes = "a symbolic Keras tensor of rank 4"
    symbolic(x, takes)
    if len(x.shape) != 4:
        raise refuse("x", tuple(x.shape), f"{takes}, batch and three axes")
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
        takes = "tensors of one shape" + ("" if skip is None else " apart from the channels")
        raise refuse("xs", [tuple(x.shape) for x in xs], takes)


def options(layer: type, given: dict[str, Any]) -> None:
    """Keywords passed through to a Keras layer are such as it takes."""
    own = {"self", "kwargs", "name", "axis", "data_format"}
    known = {*inspect.signature(layer.__init__).parameters, "dtype", "trainable"} - own  # type: ignore[misc]
    for word in given:
        if word not in known:
            raise TypeError(
                f"{where()}: unexpected argument {word!r}{nearest(word, known)} "
                f"(beyond its own it takes those of keras.layers.{layer.__name__})"
            )
