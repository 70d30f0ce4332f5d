"""`assert_shape`: a tensor, an array or a model against the shape language."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from ..checks import public, refuse
from .reports import CheckError, Report, axes_off, matches
from .shapes import Shape, Side, Spec


@public
def assert_shape(x: Any, spec: str | Mapping[str, str] | Spec, /, **env: Side) -> dict[str, Side]:
    """What `x` is of has the shape that the spec says, and the names in it have these sizes.

    Args:
        x: anything with a `shape`, or a shape; a dict of them for several. Where the spec has an arrow, a pair of an
            input and what became of it, or a Keras model.
        spec: in the shape language; a name that has no size yet takes the one it meets.
        env: sizes of names.

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
        return _one_side(spec, x, env)
    given, made = _sides(x)
    try:
        names = spec.bind(_shape(given), **env)
    except ValueError as error:
        raise CheckError(Report(f"assert_shape: the input is off: {error}", spec=spec.text)) from None
    return _outputs(spec, made, names)


def _one_side(spec: Spec, x: Any, env: Mapping[str, Side]) -> dict[str, Side]:
    names = dict(env)
    shapes = _shapes(x)
    for part in spec.outputs:
        shape = shapes.get(part.key) if isinstance(shapes, dict) else shapes
        if isinstance(shape, tuple) and len(shape) == len(part.shape):
            for dimension, size in zip(part.shape, shape, strict=True):
                if dimension.name is not None:
                    names.setdefault(dimension.name, size)
    return _outputs(spec, x, names)


def _outputs(spec: Spec, made: Any, names: Mapping[str, Side]) -> dict[str, Side]:
    wanted = Spec(spec.text, None, spec.outputs).expected(**names)
    got = _shapes(made)
    if not matches(wanted, got):
        off = axes_off(spec, wanted, got)
        raise CheckError(Report("assert_shape: the shape is off", spec.text, expected=wanted, got=got, off=off))
    return dict(names)


def _sides(x: Any) -> tuple[Any, Any]:
    if hasattr(x, "input_shape") and hasattr(x, "output_shape"):
        return x.input_shape, x.output_shape
    if isinstance(x, tuple | list) and len(x) == 2:
        return x[0], x[1]
    raise refuse("x", x, "a pair (input, output), or a model, as the spec has an arrow", TypeError)


def _shapes(x: Any) -> Any:
    return {key: _shape(value) for key, value in x.items()} if isinstance(x, Mapping) else _shape(x)


def _shape(x: Any) -> Shape:
    shape = getattr(x, "shape", x)
    try:
        if not isinstance(shape, str | bytes):
            return tuple(None if size is None else operator.index(size) for size in shape)
    except TypeError:  # not to be gone through, or not of integers
        pass
    raise refuse("x", x, "something that has a shape, or a shape", TypeError)
