"""`assert_shape`: a tensor, an array or a model against the shape language."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ..checks import public, refuse
from .grammar import Part
from .reports import CheckError, Report, axes_off, matches
from .specs import Shape, Spec, by_part, meet


@public
def assert_shape(x: Any, spec: str | Mapping[str, str] | Spec, /, **env: Any) -> dict[str, Any]:
    """What `x` is of has the shape that the spec says, and the names in it have these sizes.

    Args:
        x: anything with a `shape`, or a shape; for several a sequence, or a dict where they have keys. Where the spec
            has an arrow, a pair of the input (or inputs) and what became of it, or a Keras model.
        spec: in the shape language; a name that has no size yet takes the one it meets.
        env: sizes of names; of `*dims` a tuple.

    Returns:
        The names with their sizes, for the next call.

    Raises:
        CheckError: an AssertionError that says which axes are off.
        SpecError, TypeError: the spec cannot be read, or `x` has no shape.

    Example:
        >>> import numpy as np
        >>> env = assert_shape(np.zeros((2, 7, 9, 3)), "b h w c")
        >>> assert_shape(np.zeros((2, 4, 5, 8)), "b ceil(h/2) ceil(w/2) f", **env)["f"]
        8
    """
    __tracebackhide__ = True  # pytest then shows the call alone
    spec = Spec.parse(spec)
    if spec.inputs is None:
        return _outputs(spec, x, dict(env), known=False)
    given, made = _sides(x)
    shapes = _shapes(given, isinstance(spec.inputs[0].key, int))
    try:
        names = spec.bind(shapes, **env)
    except ValueError as error:
        raise CheckError(Report(f"assert_shape: the input is off: {error}", spec=spec.text)) from None
    if off := dtypes_off(spec.inputs, given):
        raise CheckError(Report("assert_shape: the dtype of the input is off", spec.text, off=off))
    return _outputs(spec, made, names, known=True)


def _outputs(spec: Spec, x: Any, names: dict[str, Any], known: bool) -> dict[str, Any]:
    """What is on the right, or all there is; unless they are `known`, names take the sizes they meet."""
    got = _shapes(x, isinstance(spec.outputs[0].key, int))
    if not known:
        meet(spec.outputs, got, names)
    wanted = spec.made(names)
    if not matches(wanted, got):
        off = axes_off(spec, wanted, got)
        raise CheckError(Report("assert_shape: the shape is off", spec.text, expected=wanted, got=got, off=off))
    if off := dtypes_off(spec.outputs, x):
        raise CheckError(Report("assert_shape: the dtype is off", spec.text, off=off))
    for condition in spec.conditions:
        if condition.holds(names, spec.text) is False:
            raise CheckError(Report(f"assert_shape: {condition.text} must hold", spec.text, got=got))
    return names


def dtypes_off(parts: Sequence[Part], x: Any) -> tuple[str, ...]:
    """One line for each tensor whose dtype is known and not of those that the spec says."""
    lines = []
    for part, tensor in zip(parts, by_part(parts, x, ""), strict=True) if any(p.dtype for p in parts) else ():
        dtype = dtype_of(tensor)
        if part.dtype and dtype and dtype not in part.dtypes:
            lines.append(f"{'the dtype' if part.key is None else part.key}: {part.dtype} expected, got {dtype}")
    return tuple(lines)


def dtype_of(tensor: Any) -> str:
    """The name of its dtype, of whichever library; empty if it has none."""
    dtype = getattr(tensor, "dtype", "")
    try:
        return _named(dtype)
    except TypeError:  # it has no hash
        return _named.__wrapped__(dtype)


@lru_cache(maxsize=256)
def _named(dtype: Any) -> str:
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def _sides(x: Any) -> tuple[Any, Any]:
    if hasattr(x, "input_shape") and hasattr(x, "output_shape"):
        return x.input_shape, x.output_shape
    if isinstance(x, tuple | list) and len(x) == 2:
        return x[0], x[1]
    raise refuse("x", x, "a pair (input, output), or a model, as the spec has an arrow", TypeError)


def _shapes(x: Any, several: bool = False) -> Any:
    if several and isinstance(x, tuple | list):
        x = dict(enumerate(x))
    return {key: _shape(value) for key, value in x.items()} if isinstance(x, Mapping) else _shape(x)


def _shape(x: Any) -> Shape:
    shape = getattr(x, "shape", x)
    try:
        if not isinstance(shape, str | bytes):
            return tuple(None if size is None else operator.index(size) for size in shape)
    except TypeError:  # not to be gone through, or not of integers
        pass
    raise refuse("x", x, "something that has a shape, or a shape", TypeError)
