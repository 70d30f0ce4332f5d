"""`check_shapes`: the property test of what `@shapes` declares."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import checks
from ..checks import complaint, public, refuse
from . import pytest_options as options
from .checks import Tried, check_net, described
from .declared import declared
from .eager import is_large
from .examples import Example, Vacuous, as_net, failure_of, smallest_failure
from .reports import CheckError, Report, axes_off, matches, reproduction, said

_BATCH = (1, 3)


@public
def check_shapes(
    target: Any, *, sides: Any = (1, 24), params: Any = None, max_examples: int | None = None, seed: int | None = None
) -> Tried:
    """Call what `@shapes` declares on random numbers of many shapes, and hold the results against its spec.

    The class of a layer or of a model is also built without weights, for known and unknown sizes, as by `check_net`.
    Sizes of which the spec leaves no pixel, or that its conditions exclude, are not tried.

    Args:
        target: function or class that is decorated with `@shapes`.
        sides: (least, most) pixels of a named side, or a strategy.
        params: by name, a value or a strategy each, in place of those that `@shapes` was given. Other arguments without
            a default are drawn by their annotations.
        max_examples: at least 1; None for `--layerblocks-examples` of pytest, or the Hypothesis profile (100).
        seed: of the examples.

    Returns:
        How many examples were tried.

    Raises:
        CheckError: an AssertionError, with the smallest example found.
        TypeError, ValueError: the arguments make no sense, or leave nothing to try.

    Example:
        >>> import keras
        >>> from layerblocks.testing import shapes
        >>> @shapes("b h w c -> b h w")
        ... def brightness(x):
        ...     return keras.ops.mean(x, -1)
        >>> check_shapes(brightness, max_examples=10, seed=0).refused
        0
    """
    __tracebackhide__ = True
    from hypothesis import reject

    declaration = declared(target)
    if declaration is None:
        raise refuse("target", target, "a function or a class that is decorated with @shapes", TypeError)
    params = {} if params is None else checks.mapping("params", params, "a dict of values and strategies by argument")
    given = {**declaration.params, **params}
    given |= _drawn(target, declaration.spec, given)
    number = options.max_examples() if max_examples is None else checks.integer("max_examples", max_examples)
    seed = None if seed is None else checks.integer("seed", seed, 0)
    net = as_net(target, declaration.spec, sides=sides, params=given, least=1, too_small="skip", batch=_BATCH)
    tried: dict[str, bool] = {}
    is_layer, built = isinstance(target, type) and hasattr(target, "compute_output_spec"), None
    if is_layer:
        options_of_both: dict[str, Any] = {"sides": sides, "params": given, "max_examples": number, "seed": seed}
        built = check_net(target, declaration.spec, too_small="skip", **options_of_both)
    for traced, examples in ((True, 0 if is_layer else number), (False, -(-number // 10))):

        def check(example: Example, traced: bool = traced) -> None:
            if is_large(example.shapes):
                reject()
            tried[repr(example)] = True
            _run(net, example, traced)

        try:
            error = smallest_failure(check, net, examples, seed)
        except Vacuous:
            raise complaint(f"sides must be such that the spec leaves something to try, got {sides!r}") from None
        if error is not None:
            raise CheckError(replace(error.report, tried=str(Tried.of(tried)))) from error.__cause__
    return built or Tried.of(tried)


def _drawn(target: Any, spec: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Strategies of the arguments that have no default and are no inputs."""
    from hypothesis import strategies as st
    from hypothesis.errors import InvalidArgument

    from .annotations import from_annotation, hints_of

    function: Any = vars(target).get("__init__", target) if isinstance(target, type) else target
    hints, found = hints_of(function), {}
    parameters = [
        (word, p)
        for word, p in inspect.signature(function).parameters.items()
        if word != "self" and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if not isinstance(target, type):
        keyed = {part.key for part in spec.inputs} <= {word for word, _ in parameters}
        places = len(spec.inputs) if isinstance(spec.inputs[0].key, int) else 1
        skipped = {part.key for part in spec.inputs} if keyed else {word for word, _ in parameters[:places]}
        parameters = [(word, p) for word, p in parameters if word not in skipped]
    for word, parameter in parameters:
        if word in given or (parameter.default is not parameter.empty and word not in spec.free):
            continue
        try:
            found[word] = from_annotation(hints[word])
        except (KeyError, InvalidArgument):
            if word not in spec.free:
                raise complaint(
                    f"params must be what gives {word}, whose annotation says nothing of its values"
                ) from None
            found[word] = st.integers(1, 8)
    return found


def _run(net: Any, example: Example, traced: bool) -> None:
    """Hold one call against the spec; if `traced`, without computing it, where the function lets itself be traced."""
    expected = net.expected(example)
    code, names = reproduction(net, example.shapes, example.arguments, numbers=True)
    failed = {"spec": net.spec.text, "smallest": described(net, example), "code": code, "names": names}
    name = getattr(net.build, "__qualname__", "function")
    try:
        result = _traced(net, example) if traced else None
        result = net.call(_numbers(net, example), example.arguments) if result is None else result
    except Exception as error:
        report = getattr(error, "report", None)
        parts = {"expected": expected, "got": said(error)}
        if isinstance(report, Report) and report.off:
            parts = {"expected": report.expected, "got": report.got, "off": report.off}
        raise failure_of(Report(f"check_shapes: {name} fails", **failed, **parts), example) from error
    if isinstance(result, list | tuple):
        result = dict(enumerate(result))
    many = isinstance(result, Mapping)
    got = {key: _shape_of(value) for key, value in result.items()} if many else _shape_of(result)
    if not matches(expected, got):
        off = axes_off(net.spec, expected, got)
        title = f"check_shapes: the result of {name} has not the shape of the spec"
        raise failure_of(Report(title, **failed, expected=expected, got=got, off=off), example)


def _traced(net: Any, example: Example) -> Any:
    """What becomes of symbolic inputs; None where the function is not one of Keras's operations, or fails."""
    import keras

    inputs = [keras.KerasTensor(shape, dtype=dtype) for shape, dtype in zip(example.shapes, net.dtypes(), strict=True)]
    try:
        return keras.backend.compute_output_spec(lambda *xs: net.call(xs, example.arguments), *inputs)
    except Exception:  # numbers will tell whether it is at fault
        return None


def _numbers(net: Any, example: Example) -> list[Any]:
    import keras
    import numpy as np

    from .data import drawn

    random, tensors = np.random.default_rng(0), []
    for shape, dtype in zip(example.shapes, net.dtypes(), strict=True):
        numbers = random.random(shape) if "float" in dtype else drawn(random, shape, dtype, below=1)
        tensors.append(keras.ops.convert_to_tensor(np.asarray(numbers).astype(dtype)))
    return tensors


def _shape_of(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, "shape", ()))
