"""Examples to calibrate by, from whatever gives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import keras
import numpy as np

from .. import checks

MOST = 512
_ARGUMENT = "representative_data"


def examples_of(data: Any, model: keras.Model) -> Any:
    """Gather examples as arrays, in the structure of the inputs of a model: at most `MOST` of them.

    Args:
        data: arrays for the inputs, or a list, a generator or a `tf.data.Dataset` of examples or batches, which may be
            tuples whose first part the inputs are.
    """
    specs = list(model.inputs)
    if _is_array(data) or isinstance(data, Mapping) or _is_one_for_each(data, specs):
        return _checked([_flat(data, specs)], specs, data)
    if isinstance(data, str) or not isinstance(data, Iterable):
        raise checks.refuse(_ARGUMENT, data, _must_be(specs), TypeError)
    return _checked(_gathered(data, specs), specs, data)


def _must_be(specs: list[Any]) -> str:
    shapes = " and ".join(str(tuple(spec.shape)[1:]) for spec in specs)
    return f"arrays, a list, a generator or a tf.data.Dataset of examples of shape {shapes}"


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _is_one_for_each(data: Any, specs: list[Any]) -> bool:
    """Whether a list has an array of examples for each of several inputs."""
    several = isinstance(data, list | tuple) and len(data) == len(specs) > 1
    return several and all(np.ndim(part) == len(spec.shape) for part, spec in zip(data, specs, strict=True))


def _flat(one: Any, specs: list[Any]) -> list[np.ndarray]:
    """The parts of a batch or an example that are inputs, in their order."""
    if isinstance(one, tuple) and one and (len(one) > len(specs) or isinstance(one[0], Mapping | list | tuple)):
        one = one[0] if len(specs) == 1 or isinstance(one[0], Mapping | list | tuple) else one[: len(specs)]
    elif isinstance(one, tuple) and len(specs) == 1 and len(one) in (1, 2, 3):
        one = one[0]
    if isinstance(one, Mapping):
        names = [spec.name for spec in specs]
        one = [one[name] for name in names] if {*names} == {*one} else [one[key] for key in sorted(one)]
        one = one[0] if len(one) == 1 else one
    parts = list(one) if isinstance(one, list | tuple) and len(specs) > 1 else [one]
    try:
        return [np.asarray(part) for part in parts]
    except (TypeError, ValueError):
        raise checks.refuse(_ARGUMENT, one, _must_be(specs)) from None


def _gathered(data: Iterable[Any], specs: list[Any]) -> Iterator[list[np.ndarray]]:
    """Batches of what is given one by one or in batches."""
    count = 0
    iterator = iter(data)
    while count < MOST:
        try:
            one = next(islice(iterator, 1), None)
        except Exception as error:  # of somebody's generator
            raise checks.refuse(_ARGUMENT, f"{type(error).__name__}: {error}", _must_be(specs)) from error
        if one is None:
            return
        parts = _flat(one, specs)
        if len(parts) == len(specs) and all(
            part.ndim == len(s.shape) - 1 for part, s in zip(parts, specs, strict=True)
        ):
            parts = [part[None] for part in parts]
        count += len(parts[0]) if parts[0].ndim else 1
        yield parts


def _checked(batches: Iterable[list[np.ndarray]], specs: list[Any], data: Any) -> Any:
    found = list(batches)
    if not found:
        raise checks.refuse(_ARGUMENT, data, _must_be(specs))
    for parts in found:
        fits = len(parts) == len(specs) and all(_fits(part, spec) for part, spec in zip(parts, specs, strict=True))
        if not fits or len({len(part) for part in parts}) > 1:
            raise checks.refuse(_ARGUMENT, [part.shape for part in parts], _must_be(specs))
    sizes = {tuple(part.shape[1:] for part in parts) for parts in found}
    if len(sizes) > 1:
        raise checks.refuse(_ARGUMENT, sorted(sizes), "examples of one size")
    arrays = [np.concatenate(parts)[:MOST] for parts in zip(*found, strict=True)]
    return arrays[0] if len(arrays) == 1 else arrays


def _fits(part: np.ndarray, spec: Any) -> bool:
    sides = tuple(spec.shape)[1:]
    return (
        part.ndim == len(spec.shape)
        and len(part) > 0
        and part.dtype.kind in "fiub"
        and all(want in (None, got) for want, got in zip(sides, part.shape[1:], strict=True))
        and bool(np.isfinite(part).all())
    )
