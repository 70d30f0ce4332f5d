"""Whether a model can be trained at all: every weight has a gradient, one small batch can be learnt by heart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from .. import checks
from .._keras import is_allocated, operations_made
from ..checks import complaint, refuse
from .builds import dangling
from .data import arrays, by_output, inputs_for, kept
from .gradients import loss_and_gradients
from .reports import CheckError, Report

_TRIES = 5
_RATES = (0.02, 0.002)  # for small nets, and for deep ones


@checks.public
def assert_trainable(model: Any, x: Any = None, *, seed: int = 0) -> None:
    """One step reaches every trainable weight of a model with a finite gradient that is not all zeros.

    The loss is a random mixture of all outputs. Weights that one step misses by chance, after a zero or a ReLU that is
    off, are looked for with other inputs and slightly other weights. The model is left as it was.

    Args:
        model: a built Keras model; or a function that makes one, of which layers that lead nowhere are found as well.
        x: its inputs; None for random numbers.
        seed: of the random numbers.

    Raises:
        CheckError: an AssertionError that names the weights without a gradient, and layers outside the graph.
        TypeError, ValueError: not a model with weights.

    Example:
        >>> x = keras.Input((4,))
        >>> a, b = keras.layers.Dense(3, name="used")(x), keras.layers.Dense(3, name="ignored")(x)
        >>> assert_trainable(keras.Model(x, 0 * b + a, name="net"))
        Traceback (most recent call last):
        layerblocks.testing.reports.CheckError: assert_trainable: model 'net' does not train all its weights
          off        ignored/kernel has a gradient of zeros
                     ignored/bias has a gradient of zeros
    """
    __tracebackhide__ = True  # pytest then shows the call alone
    lost: list[str] = []
    if not isinstance(model, keras.Model):
        model, lost = _made(model)
    check_built(model)
    seed = checks.integer("seed", seed, 0)
    if not model.trainable_variables:
        raise complaint(f"model must be one with trainable weights, got {model.name!r}, which has none")
    restore = kept(model)
    try:
        with accepted(model, x):
            problems = unreached(model, x, seed)
    finally:
        restore()
    problems += [f"layer {name!r} has weights and leads to no output" for name in lost]
    problems += [f"layer {layer.name!r} was never built" for layer in model.layers if not layer.built]
    if problems:
        title = f"assert_trainable: model {model.name!r} does not train all its weights"
        raise CheckError(Report(title, off=tuple(problems)))


def _made(make: Callable[[], Any]) -> tuple[Any, list[str]]:
    if not callable(make):
        raise refuse("model", make, "a Keras model or a function that makes one", TypeError)
    with operations_made() as made:
        try:
            model = make()
        except TypeError as error:
            raise refuse("model", make, "a Keras model or a function of nothing that makes one", TypeError) from error
    if not isinstance(model, keras.Model):
        raise refuse("model", model, "a Keras model or a function that makes one", TypeError)
    return model, list(dangling(made, {id(variable) for variable in model.variables}))


def check_built(model: Any) -> None:
    """The model has weights, or an error."""
    if not model.built:
        raise complaint(f"model must be built, got {model.name!r}, which is not: call it on a batch first")
    if not all(map(is_allocated, model.variables)):
        raise complaint(f"model must have weights, got {model.name!r}, which was built under weightless()")


@contextmanager
def accepted(model: Any, given: Any, argument: str = "x") -> Iterator[None]:
    """What a model or its backend raises of what it was given, as a refusal of that argument."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        if given is None:
            raise
        raise refuse(argument, given, f"what fits the model {model.name!r}") from error


def unreached(model: Any, x: Any, seed: int) -> list[str]:
    """What is wrong with the gradient of each weight."""
    variables = model.trainable_variables
    problems: dict[int, str] = {}
    final: dict[int, str] = {}
    waiting = set(range(len(variables)))
    for attempt in range(_TRIES):
        random = np.random.default_rng((seed, attempt))
        given = inputs_for(model, seed=seed + attempt) if x is None else x
        if attempt:
            _shake(variables, random)
        _, found = loss_and_gradients(model, given, _mixture(random))
        for number in sorted(waiting):
            gradient, name = found[number], variables[number].path
            if gradient is None:
                problems[number] = f"{name} has no path to an output"
            elif not np.isfinite(gradient).all():
                problems[number] = f"{name} has a gradient that is not finite"
            elif not gradient.any():
                problems[number] = f"{name} has a gradient of zeros"
            else:
                problems.pop(number, None)
        if not attempt:  # numbers that are not finite are a fault at the model's own weights alone
            final = {number: text for number, text in problems.items() if not text.endswith("of zeros")}
        waiting = problems.keys() - final.keys()
        if not waiting:
            break
    return [text for _, text in sorted({**problems, **final}.items())]


def _shake(variables: Any, random: np.random.Generator) -> None:
    for variable in variables:
        noise = random.normal(scale=0.1, size=tuple(variable.shape))
        variable.assign(keras.ops.convert_to_numpy(variable.value) + noise.astype("float32"))


def _mixture(random: np.random.Generator) -> Callable[[Any], Any]:
    """A sum of all outputs with random factors, as a plain sum of a softmax has no gradient."""

    def loss(outputs: Any) -> Any:
        total: Any = 0.0
        for output in by_output(outputs).values():
            if "float" in keras.backend.standardize_dtype(output.dtype):
                factors = random.normal(size=tuple(output.shape)).astype("float32")
                total = total + keras.ops.sum(keras.ops.cast(output, "float32") * factors)
        return total

    return loss


@checks.public
def assert_learns(
    model: Any, x: Any = None, y: Any = None, *, loss: Any = None, steps: int = 300, to: float = 0.1, seed: int = 0
) -> None:
    """A model learns one small batch by heart: its loss falls to a tenth within some hundred steps of Adam.

    Without `y` it is given random classes where an output is a softmax or a sigmoid, and otherwise what the same model
    gives with other weights, which it can reach. The model is left as it was.

    Args:
        model: a built Keras model.
        x: inputs; None for four random ones.
        y: targets in the structure of the outputs, and `loss` as in `compile`.
        steps: at most, at each of two learning rates.
        to: share of the first loss to fall to.
        seed: of the random numbers.

    Raises:
        CheckError: an AssertionError that says how far the loss fell.
        TypeError, ValueError: not a model with weights, or one of `y` and `loss` without the other.

    Example:
        >>> assert_learns(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")]))
    """
    __tracebackhide__ = True  # pytest then shows the call alone
    check_built(checks.instance("model", model, keras.Model, "a Keras model"))
    steps, to, seed = (
        checks.integer("steps", steps),
        checks.number("to", to, above=0, below=1),
        checks.integer("seed", seed, 0),
    )
    if (y is None) != (loss is None):
        raise complaint("y and loss go together: both must be given, or neither")
    if loss is not None:
        try:
            loss = checks.function("loss", keras.losses.get(loss))
        except (TypeError, ValueError):
            raise refuse("loss", loss, "a Keras loss, by name or as a function") from None
    x = inputs_for(model, seed=seed) if x is None else x
    restore = kept(model)
    with accepted(model, x):
        model(x, training=False)
    compute = _task(model, x, np.random.default_rng(seed)) if y is None else _given(loss, y)
    first, last, taken = 0.0, math.inf, 0
    for rate in _RATES:
        try:
            with accepted(model, y, "y"):
                first, last, taken = _fall(model, x, compute, rate, steps, to)
        finally:
            restore()
        if last <= to * first:
            break
    if not last <= to * first:
        got = f"{last:.4g} after {taken} steps, {last / first:.0%} of the first" if first else f"{last:.4g}"
        title = f"assert_learns: model {model.name!r} does not learn one batch of {len(keras.tree.flatten(x)[0])}"
        raise CheckError(Report(title, expected=f"a loss of {to * first:.4g} at most", got=got))


def _given(loss: Any, y: Any) -> Callable[[Any], Any]:
    function, targets = keras.losses.get(loss), by_output(y)
    return lambda outputs: sum(
        keras.ops.mean(function(targets[key], value)) for key, value in by_output(outputs).items()
    )


def _task(model: Any, x: Any, random: np.random.Generator) -> Callable[[Any], Any]:
    """A loss that the model can bring down to nothing."""
    own = arrays(model(x, training=False))
    restore = kept(model)
    _shake(model.trainable_variables, random)
    taught = arrays(model(x, training=False))
    restore()
    parts: dict[str, tuple[Any, Any]] = {}
    for key, values in own.items():
        if not np.issubdtype(values.dtype, np.floating):
            continue
        if values.min() >= 0 and values.shape[-1] > 1 and np.allclose(values.sum(-1), 1, atol=1e-2):
            labels = random.integers(0, values.shape[-1], values.shape[:1])  # one class an example, at all its pixels
            labels = np.broadcast_to(labels.reshape(-1, *[1] * (values.ndim - 2)), values.shape[:-1])
            parts[key] = keras.losses.SparseCategoricalCrossentropy(), np.array(labels)
        elif values.min() > 0 and values.max() < 1:
            labels = random.integers(0, 2, (len(values), *[1] * (values.ndim - 1)))
            parts[key] = keras.losses.BinaryCrossentropy(), np.broadcast_to(labels, values.shape).astype("float32")
        else:
            parts[key] = keras.losses.MeanSquaredError(), taught[key]
    return lambda outputs: sum(
        parts[key][0](parts[key][1], keras.ops.cast(value, "float32"))
        for key, value in by_output(outputs).items()
        if key in parts
    )


def _fall(
    model: Any, x: Any, compute: Callable[[Any], Any], rate: float, steps: int, to: float
) -> tuple[float, float, int]:
    """The first loss, the last, and how many steps lie between."""
    optimizer = keras.optimizers.Adam(rate)
    variables = model.trainable_variables
    first = 0.0
    for step in range(steps + 1):
        last, found = loss_and_gradients(model, x, compute)
        first = last if step == 0 else first
        if step == steps or last <= to * first or not np.isfinite(last):
            return first, last, step
        pairs = [(g, v) for g, v in zip(found, variables, strict=True) if g is not None]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g, _ in pairs], [v for _, v in pairs])
    raise AssertionError("not reached")
