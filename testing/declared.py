"""`@shapes`: the spec of a function of tensors, at the function: checked at each call, shown by `help`, tested.

It needs neither Keras nor Hypothesis. Where the environment has `LAYERBLOCKS_SHAPES=off` when a function is declared,
it is left as it is, and a call costs nothing.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .. import checks
from ..checks import public, refuse
from .assertions import dtype_of
from .reports import CheckError, Report
from .specs import Spec, bind, by_part, differing, dimensions_of, meet

Target = TypeVar("Target", bound=Callable[..., Any])

SWITCH = "LAYERBLOCKS_SHAPES"
_MOST = 1024  # kinds of calls that are remembered


@dataclass(frozen=True)
class Declaration:
    """What `@shapes` was given."""

    spec: Spec
    params: Mapping[str, Any]


@public
def shapes(spec: str | Spec, /, **params: Any) -> Callable[[Target], Target]:
    """Say what a function makes of the shapes of its arguments; each call is held against it.

    Works on a function of tensors or arrays, of whichever library, on its inputs in their order or by their keys, and
    on the class of a layer, a model or a loss, of which `call` is meant. Names that the inputs do not give a size are
    arguments of the function, or attributes of the layer, of that name; else any size fits. At a call a size that is
    not known (None) fits any. `pytest --layerblocks-shapes` makes a property test of each; see `check_shapes`.

    Args:
        spec: in the shape language, with an arrow.
        params: values, or Hypothesis strategies, of other arguments, for `check_shapes`; of a class, those that make an
            instance.

    Returns:
        A decorator. What it decorates raises a ValueError where an argument does not fit, and a CheckError (an
        AssertionError) where the result does not. Under `LAYERBLOCKS_SHAPES=off` it changes nothing.

    Raises:
        SpecError, TypeError, ValueError: the spec cannot be read, or has no arrow.

    Example:
        >>> import numpy as np
        >>> @shapes("b h w c -> b h//2 w//2 c")
        ... def half(x):
        ...     return x[:, ::2, ::2]
        >>> half(np.zeros((1, 4, 6, 3))).shape
        (1, 2, 3, 3)
        >>> half(np.zeros((1, 5, 6, 3)))
        Traceback (most recent call last):
        layerblocks.testing.reports.CheckError: half: the result has not the shape that it is said to have
          spec       b h w c -> b h//2 w//2 c
          expected   (1, 2, 3, 3)
          got        (1, 3, 3, 3)
          off        axis 1: h//2 is 2, got 3
    """
    read = Spec.parse(spec)
    if read.inputs is None:
        raise refuse("spec", read.text, "of the inputs, an arrow, and what becomes of them")
    declaration = Declaration(read, params)

    def declare(target: Target) -> Target:
        if not callable(target):
            raise refuse("target", target, "a function, or the class of a layer, a model or a loss", TypeError)
        on = os.environ.get(SWITCH, "on").lower() not in ("off", "0", "false")
        if isinstance(target, type):
            kind: Any = target
            name = "call" if hasattr(kind, "call") else "__call__"
            if on:
                setattr(kind, name, _checked(getattr(kind, name), declaration, kind.__qualname__, method=True))
            _show(kind, declaration)
            return kind
        method = next(iter(_parameters(target)), "") == "self"
        made: Any = _checked(target, declaration, getattr(target, "__qualname__", "function"), method) if on else target
        _show(made, declaration)
        return made

    return declare


def declared(target: Any) -> Declaration | None:
    """What a function or a class, or its `call`, was declared to be."""
    found = vars(target).get("__shapes__") if hasattr(target, "__dict__") else None
    if found is None and isinstance(target, type):
        call = vars(target).get("call", vars(target).get("__call__"))
        found = getattr(call, "__shapes__", None)
    return found if isinstance(found, Declaration) else None


def _show(target: Any, declaration: Declaration) -> None:
    text = f"Shapes: {declaration.spec.text}"
    target.__doc__ = f"{inspect.cleandoc(target.__doc__)}\n\n{text}" if target.__doc__ else text
    target.__shapes__ = declaration


def _parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _checked(function: Any, declaration: Declaration, name: str, method: bool) -> Any:
    spec = declaration.spec
    assert spec.inputs is not None  # `shapes` refuses it
    inputs, first = spec.inputs, int(method)
    count, words = len(inputs), [*_parameters(function)][int(method) :]
    keyed = isinstance(inputs[0].key, str)
    by_keyword = keyed and {str(part.key) for part in inputs} <= {*words}
    typed = any(part.dtype for part in (*inputs, *spec.outputs))
    free = sorted(spec.free)
    places = {word: place + first for place, word in enumerate(words)}
    defaults = {word: p.default for word, p in _parameters(function).items() if p.default is not p.empty}
    known: set[Any] = set()

    def given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any]:
        """The inputs of a call."""
        if by_keyword:
            return [_argument(str(part.key), args, kwargs) for part in inputs]
        if count == 1 and not keyed:
            return args[first : first + 1] or [_argument(words[0], args, kwargs)]
        whole = args[first] if len(args) > first else _argument(words[0], args, kwargs)
        if keyed or (isinstance(whole, list | tuple) and len(whole) == count):
            return by_part(inputs, whole, spec.text)
        return [_argument(word, args, kwargs) for word in words[:count]]

    def _argument(word: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if word in kwargs:
            return kwargs[word]
        place = places.get(word, len(args))
        return args[place] if place < len(args) else defaults.get(word)

    def sizes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """What the call gives the free names; None where it gives none."""
        found = []
        for word in free:
            value = _argument(word, args, kwargs) if word in places else None
            if value is None and method and args:
                value = getattr(args[0], word, None)
            found.append(value if type(value) is int or hasattr(value, "__index__") else None)
        return tuple(found)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        tensors = given(args, kwargs)
        before = tuple([_shape(tensor) for tensor in tensors])
        values = sizes(args, kwargs) if free else ()
        dtypes = tuple(map(dtype_of, tensors)) if typed else ()
        if (before, values, dtypes) not in known:
            _check_inputs(spec, tensors, before, name)
            _remember(known, (before, values, dtypes))
        result = function(*args, **kwargs)
        after: Any
        if isinstance(result, Mapping):
            after = tuple((key, _shape(value)) for key, value in result.items())
        elif isinstance(result, list | tuple):
            after = tuple(enumerate(map(_shape, result)))
        else:
            after = _shape(result)
        call = (before, values, dtypes, after, tuple(map(dtype_of, _flat(result))) if typed else ())
        if call not in known:
            numbers = {word: value for word, value in zip(free, values, strict=bool(free)) if value is not None}
            _check_result(spec, before, result, after, numbers, name)
            _remember(known, call)
        return result

    return wrapper


def _flat(result: Any) -> list[Any]:
    if isinstance(result, Mapping):
        return list(result.values())
    return list(result) if isinstance(result, list | tuple) else [result]


def _remember(known: set[Any], call: Any) -> None:
    if len(known) >= _MOST:
        known.clear()
    known.add(call)


def _shape(tensor: Any) -> tuple[Any, ...] | None:
    """Its shape as a tuple; None if it is not known, even in its rank."""
    shape = getattr(tensor, "shape", ())
    try:
        for size in shape:
            if type(size) is not int:  # JAX's dimensions of a name, while Keras looks for a shape
                return tuple([size if type(size) is int else None for size in shape])
        return tuple(shape)
    except ValueError:  # TensorFlow's shapes of unknown rank
        return None


def _check_inputs(spec: Spec, tensors: Sequence[Any], shapes: tuple[Any, ...], name: str) -> None:
    inputs = spec.inputs or ()
    for part, tensor, shape in zip(inputs, tensors, shapes, strict=True):
        dtype = dtype_of(tensor)
        if part.dtype and dtype not in part.dtypes:
            got = f"{dtype} of shape {shape}" if dtype else checks.one_line(tensor)
            raise ValueError(f"{name}: {_word(part)} must be of dtype {part.dtype}, as in {spec.text!r}, got {got}")
    if None in shapes:
        return
    try:
        names = bind(inputs, shapes, {}, spec.text, lenient=True)
    except ValueError as error:
        raise ValueError(f"{name}: the inputs must be of shapes as in {spec.text!r}, got {error}") from None
    for condition in spec.conditions:
        if (
            condition.left.names() | condition.right.names() <= names.keys()
            and condition.holds(names, spec.text) is False
        ):
            got = ", ".join(map(str, shapes))
            raise ValueError(f"{name}: the inputs must be of shapes where {condition.text}, got {got}")


def _word(part: Any) -> str:
    return "the input" if part.key is None else f"input {part.key}"


def _check_result(
    spec: Spec, before: tuple[Any, ...], result: Any, after: Any, numbers: Mapping[str, int], name: str
) -> None:
    if None in before:
        return
    names = bind(spec.inputs or (), before, dict(numbers), spec.text, lenient=True)
    several = isinstance(result, Mapping | list | tuple)
    got: Any = dict(after) if several else after
    keys = {part.key for part in spec.outputs}
    failed = functools.partial(Report, f"{name}: the result has not the shape that it is said to have", spec.text)
    if (several and got.keys() != keys) or (not several and keys != {None}):
        wanted = "one tensor" if keys == {None} else f"tensors {', '.join(map(str, spec.keys))}"
        raise CheckError(failed(expected=wanted, got=got if several else "one tensor"))
    meet(spec.outputs, got, names)
    for part in spec.outputs:
        names |= {word: None for term in part.shape for word in term.term.names() if word not in names}
    wanted = spec.made(names)
    of = "" if not several else "output "
    off: list[str] = []
    dtypes: dict[Any, Any] = dict(zip(got, _flat(result), strict=True)) if several else {None: result}
    for part in spec.outputs:
        expected, shape = (wanted[part.key], got[part.key]) if several else (wanted, got)
        where = f"{of}{part.key}, " if several else ""
        dtype = dtype_of(dtypes[part.key])
        if part.dtype and dtype not in part.dtypes:
            off.append(f"{where}{part.dtype} expected, got {dtype or 'no dtype'}")
        if shape is None:
            continue
        if len(shape) != len(expected):
            off.append(f"{where}{len(expected)} axes expected, got {len(shape)}")
            continue
        each = dimensions_of(part.shape, len(expected))
        for axis in differing(expected, shape, lenient=True):
            value = "" if each[axis].text == str(expected[axis]) else f" is {expected[axis]}"
            off.append(f"{where}axis {axis}: {each[axis].text}{value}, got {shape[axis]}")
    if off:
        raise CheckError(failed(expected=wanted, got=got, off=tuple(off)))
