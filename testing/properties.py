"""What holds of a net beyond its shapes: `check_…`, each at sizes that Hypothesis chooses, with weights and numbers.

All take the net and its spec as `check_net` does. Each example is a model of its own, with random weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from .. import checks
from ..checks import complaint, public
from . import pytest_options as options
from .checks import Tried, described
from .examples import Example, Net, Vacuous, as_net, failure_of, side_axes, smallest_failure
from .reports import CheckError, Report, reproduction, said
from .specs import Spec

BATCH = 4
_RTOL, _ATOL = 1e-4, 1e-4
_EXAMPLES = 10  # unless another number is asked for, a tenth of what `check_net` tries, and at most so many


@dataclass(frozen=True)
class _Made:
    """A model of one example, and random inputs for it."""

    net: Net
    example: Example
    model: Any
    inputs: list[Any]

    def run(self, inputs: list[Any] | None = None, training: bool = False) -> dict[str, Any]:
        """The outputs as arrays, by key."""
        from .data import arrays

        given = self.net.given(self.inputs if inputs is None else inputs)
        # `training=False` would also take it from layers that were called with `training=True`
        return arrays(self.model(given, training=True) if training else self.model(given))

    def other(self, seed: int) -> list[Any]:
        """Other random inputs."""
        return _random(self.net, self.example, seed)


def _random(net: Net, example: Example, seed: int) -> list[Any]:
    import numpy as np

    from .data import drawn
    from .eager import with_batch

    random, shapes = np.random.default_rng(seed), with_batch(example.shapes, BATCH)
    return [drawn(random, shape, dtype) for shape, dtype in zip(shapes, net.dtypes(), strict=True)]


def _made(net: Net, example: Example, inputs: list[Any] | None = None) -> _Made:
    import keras

    from .builds import called

    keras.utils.set_random_seed(0)
    xs, y = called(net, example.shapes, example.arguments)
    inputs = _random(net, example, 0) if inputs is None else inputs
    return _Made(net, example, keras.Model(net.given(xs), y), inputs)


def _check(
    title: str,
    problems: Callable[[_Made], tuple[str, ...]],
    build: Any,
    spec: Any,
    sides: Any,
    params: Any,
    least: Any,
    max_examples: Any,
    seed: Any,
) -> Tried:
    """Find the smallest example of which there are problems."""
    from hypothesis import reject

    from .eager import is_large

    net = as_net(build, spec, sides=sides, params=params, least=least, too_small="skip")
    if max_examples is None:
        number = min(_EXAMPLES, -(-options.max_examples() // 10))
    else:
        number = checks.integer("max_examples", max_examples)
    seed = None if seed is None else checks.integer("seed", seed, 0)
    tried: dict[str, bool] = {}

    def check(example: Example) -> None:
        if is_large(example.shapes):
            reject()
        tried[repr(example)] = True
        parts: dict[str, Any] = {}
        try:
            off = problems(_made(net, example))
        except Exception as error:
            if hasattr(error, "about") or isinstance(error, _Refused):
                raise
            off, parts = (), {"got": said(error)}
        if off or parts:
            code, names = reproduction(net, example.shapes, example.arguments)
            what = title if off else "it fails when it is built or run"
            report = Report(
                f"{checks.where('check')}: {what}",
                spec=net.spec.text,
                smallest=described(net, example),
                off=off[:_SHOWN],
                code=code,
                names=names,
                **parts,
            )
            raise failure_of(report, example)

    try:
        error = smallest_failure(check, net, number, seed)
    except Vacuous:
        raise complaint(f"sides and least must be such that the spec leaves something to try, got {sides!r}") from None
    except _Refused as refused:
        raise complaint(str(refused)) from None
    if error is not None:
        raise CheckError(replace(error.report, tried=str(Tried.of(tried)))) from error.__cause__
    return Tried.of(tried)


_SHOWN = 8


class _Refused(Exception):
    """The check is not for such a net."""


def _apart(expected: Mapping[str, Any], got: Mapping[str, Any]) -> tuple[str, ...]:
    """One line for each output that differs."""
    import numpy as np

    lines = []
    for key, values in expected.items():
        other = got[key]
        name = f"output {key!r}" if key else "the output"
        if values.shape != other.shape:
            lines.append(f"{name} has the shape {other.shape} instead of {values.shape}")
        elif not np.allclose(values, other, rtol=_RTOL, atol=_ATOL, equal_nan=True):
            most = np.abs(values.astype("float64") - other.astype("float64")).max()
            lines.append(f"{name} differs by up to {most:.3g}, of values up to {np.abs(values).max():.3g}")
    return tuple(lines)


@public
def check_gradients(
    build: Callable[..., Any],
    spec: str | Mapping[str, str] | Spec,
    *,
    sides: Any = (1, 12),
    params: Any = None,
    least: int | tuple[int, ...] = 1,
    max_examples: int | None = None,
    seed: int | None = None,
) -> Tried:
    """One step reaches every weight with a finite gradient that is not all zeros, at odd sizes as at even ones.

    Args:
        build, spec, sides, params, least, max_examples, seed: as of `check_net`; sizes that are too small are not
            tried. Ten examples unless told otherwise.

    Returns:
        How many examples were tried.

    Raises:
        CheckError: an AssertionError, with the smallest example found and the weights that are not reached.
        SpecError, TypeError, ValueError: the arguments make no sense, or leave nothing to try.

    Example:
        >>> import keras
        >>> def half(x):
        ...     a, b = keras.layers.Dense(2, name="used")(x), keras.layers.Dense(2, name="cut")(x)
        ...     return a + keras.ops.stop_gradient(b)
        >>> check_gradients(half, "b c -> b 2", params={"c": 3}, max_examples=1)
        Traceback (most recent call last):
        layerblocks.testing.reports.CheckError: check_gradients: a weight has no gradient
          spec       b c -> b 2
          ...
    """
    __tracebackhide__ = True

    def problems(made: _Made) -> tuple[str, ...]:
        from .training import unreached

        if not made.model.trainable_variables:
            raise _Refused("build must be a net with trainable weights")
        return tuple(unreached(made.model, made.net.given(made.inputs), 0))

    return _check("a weight has no gradient", problems, build, spec, sides, params, least, max_examples, seed)


@public
def check_modes(
    build: Callable[..., Any],
    spec: str | Mapping[str, str] | Spec,
    *,
    sides: Any = (1, 12),
    params: Any = None,
    least: int | tuple[int, ...] = 1,
    max_examples: int | None = None,
    seed: int | None = None,
) -> Tried:
    """In training a net without normalization by batch, dropout or noise gives what it gives in inference.

    Args:
        build, spec, sides, params, least, max_examples, seed: as of `check_gradients`.

    Raises:
        CheckError: an AssertionError, with the smallest example found.
        ValueError: the net has layers that are meant to differ, which are named; or the arguments make no sense.

    Example:
        >>> from layerblocks.blocks import conv
        >>> check_modes(conv, "b h w c -> b h w 2", params={"filters": 2}, max_examples=2, seed=0).refused
        0
    """
    __tracebackhide__ = True

    def problems(made: _Made) -> tuple[str, ...]:
        meant = [layer.name for layer in _flat(made.model) if _differs(layer)]
        if meant:
            raise _Refused(
                f"build must be a net without layers that differ in training, got one with {', '.join(meant[:3])}"
            )
        return _apart(made.run(), made.run(training=True))

    title = "in training it gives something else than in inference"
    return _check(title, problems, build, spec, sides, params, least, max_examples, seed)


def _flat(model: Any) -> list[Any]:
    found = getattr(model, "_flatten_layers", None)
    return [layer for layer in found() if layer is not model] if found else list(model.layers)


_MEANT = ("BatchNormalization", "Dropout", "Noise", "Random", "SpectralNormalization")


def _differs(layer: Any) -> bool:
    own = type(layer).__module__.startswith(("keras", "layerblocks"))
    return own and any(word in type(layer).__name__ for word in _MEANT) and getattr(layer, "rate", 1) != 0


@public
def check_batch_independence(
    build: Callable[..., Any],
    spec: str | Mapping[str, str] | Spec,
    *,
    sides: Any = (1, 12),
    params: Any = None,
    least: int | tuple[int, ...] = 1,
    max_examples: int | None = None,
    seed: int | None = None,
) -> Tried:
    """In inference, what becomes of one example does not change with the others of its batch, nor with their order.

    Args:
        build, spec, sides, params, least, max_examples, seed: as of `check_gradients`.

    Raises:
        CheckError: an AssertionError, with the smallest example found.
        SpecError, TypeError, ValueError: the arguments make no sense, or leave nothing to try.

    Example:
        >>> import keras
        >>> check_batch_independence(lambda x: x - keras.ops.mean(x, 0), "b c -> b c", max_examples=1)
        Traceback (most recent call last):
        layerblocks.testing.reports.CheckError: check_batch_independence: an example depends on others of its batch
          ...
    """
    __tracebackhide__ = True

    def problems(made: _Made) -> tuple[str, ...]:
        import numpy as np

        whole, other = made.run(), made.other(1)
        mixed = [np.concatenate([x[:1], y[1:]]) for x, y in zip(made.inputs, other, strict=True)]
        first = {key: values[:1] for key, values in whole.items()}
        off = _apart(first, {key: values[:1] for key, values in made.run(mixed).items()})
        turned = made.run([x[::-1].copy() for x in made.inputs])
        return off or _apart(whole, {key: values[::-1] for key, values in turned.items()})

    title = "an example depends on others of its batch"
    return _check(title, problems, build, spec, sides, params, least, max_examples, seed)


@public
def check_determinism(
    build: Callable[..., Any],
    spec: str | Mapping[str, str] | Spec,
    *,
    sides: Any = (1, 12),
    params: Any = None,
    least: int | tuple[int, ...] = 1,
    max_examples: int | None = None,
    seed: int | None = None,
) -> Tried:
    """In inference a net gives the same output for the same input, call after call, and none that is not finite.

    Args:
        build, spec, sides, params, least, max_examples, seed: as of `check_gradients`.

    Raises:
        CheckError: an AssertionError, with the smallest example found.
        SpecError, TypeError, ValueError: the arguments make no sense, or leave nothing to try.

    Example:
        >>> import keras
        >>> always = lambda x: keras.layers.Dropout(0.5)(x, training=True)
        >>> check_determinism(always, "b c -> b c", params={"c": 8}, max_examples=1)
        Traceback (most recent call last):
        layerblocks.testing.reports.CheckError: check_determinism: the same input gives another output
          ...
    """
    __tracebackhide__ = True

    def problems(made: _Made) -> tuple[str, ...]:
        import numpy as np

        first = made.run()
        off = tuple(
            f"output {key!r} is not finite" if key else "the output is not finite"
            for key, values in first.items()
            if not np.isfinite(values.astype("float64")).all()
        )
        return off or _apart(first, made.run()) or _apart(first, made.run())

    title = "the same input gives another output"
    return _check(title, problems, build, spec, sides, params, least, max_examples, seed)


@public
def check_shift_equivariance(
    build: Callable[..., Any],
    spec: str | Mapping[str, str] | Spec,
    *,
    sides: Any = (16, 128),
    params: Any = None,
    least: int | tuple[int, ...] = 1,
    max_examples: int | None = None,
    seed: int | None = None,
) -> Tried:
    """Shifted by its stride, what is far from the border is shifted by a pixel of the output.

    The stride is that of the spec. The image is dark but for a patch in its middle, and as large as it takes for the
    patch not to be seen at the border, where padding may do what it likes.

    Args:
        build, spec, params, least, max_examples, seed: as of `check_gradients`; the first output that has sides is
            looked at, and the first input that has is shifted.
        sides: (least, most) pixels of the image, at least 16.

    Raises:
        CheckError: an AssertionError, with the arguments of the net.
        ValueError: the patch is seen at the border of the largest image, as of a net that looks at all of it; the spec
            has no output with sides; or the arguments make no sense.

    Example:
        >>> import keras
        >>> def strided(x):
        ...     return keras.layers.Conv2D(2, 3, strides=2, padding="same")(x)
        >>> check_shift_equivariance(strided, "b h w c -> b ceil(h/2) ceil(w/2) 2", max_examples=1).refused
        0
    """
    __tracebackhide__ = True
    first, last = checks.integers("sides", sides, 2)
    if not 16 <= first <= last:
        raise checks.refuse("sides", sides, "the least and the most pixels of the image, at least 16")

    def problems(made: _Made) -> tuple[str, ...]:
        net, size = made.net, first
        while size <= last:
            found = _shifted(net, made.example, size)
            if found is not None:
                return found
            size *= 2
        raise _Refused(f"build must be a net that does not look at all of an image of {last} pixels at once, got one")

    title = "shifted by its stride, the image gives something else"
    return _check(title, problems, build, spec, (first, first), params, least, max_examples, seed)


def _sized(net: Net, example: Example, size: int) -> Example:
    """The example with the sides of its first input so large, and what follows from it."""
    part, shape = net.inputs[0], example.shapes[0]
    axes = side_axes(part, len(shape))
    names = net.spec.bind(net.given(example.shapes), **example.names)
    names |= {str(part.shape[axis].name): size for axis in axes if part.shape[axis].name is not None}
    from .specs import sizes_of

    shapes = [sizes_of(one.shape, names, net.spec.text) for one in net.inputs]
    return replace(example, shapes=tuple(shapes))


def _shifted(net: Net, example: Example, size: int) -> tuple[str, ...] | None:
    """What is off where the image is shifted by its stride; None if the border is seen."""
    import numpy as np

    sized = _sized(net, example, size)
    made = _made(net, sized)
    axes = side_axes(net.inputs[0], len(sized.shapes[0]))
    dark = [np.zeros_like(x) for x in made.inputs]
    base = made.run(dark)
    key, steps, ins = _strides(net, sized, axes)
    lit = [x.copy() for x in dark]
    places = [slice(None)] * lit[0].ndim
    for axis in axes:
        places[axis] = slice(size // 2 - size // 8, size // 2 + size // 8)
    lit[0][tuple(places)] = made.inputs[0][tuple(places)] + 1
    seen = made.run(lit)[key] - base[key]
    outs = [axis for axis in range(1, seen.ndim) if axis in steps]
    for axis in outs:
        edge = np.take(seen, [0, -1], axis)
        if np.abs(edge).max() > _ATOL:
            return None
    for axis, step in steps.items():
        moved = [np.roll(lit[0], ins[axis], axis), *lit[1:]]
        after = made.run(moved)[key] - base[key]
        if np.abs(np.take(after, [0, -1], axis)).max() > _ATOL:
            return None
        off = _apart({"": np.roll(seen, step, axis)}, {"": after})
        if off:
            return tuple(f"axis {axis}, by {ins[axis]}: {line}" for line in off)
    return ()


def _strides(net: Net, sized: Example, axes: tuple[int, ...]) -> tuple[str, dict[int, int], dict[int, int]]:
    """The key of the first output that has the sides; by axis, pixels of the output for how many of the input."""
    shapes = net.spec.expected(net.given(sized.shapes), **sized.names)
    by_key = shapes if isinstance(shapes, Mapping) else {"": shapes}
    far = _sized(net, sized, sized.shapes[0][axes[0]] + _FAR) if axes else sized
    beyond = net.spec.expected(net.given(far.shapes), **far.names)
    beyond = beyond if isinstance(beyond, Mapping) else {"": beyond}
    for key, shape in by_key.items():
        if len(shape) != len(sized.shapes[0]) or not axes:
            continue
        slopes = {
            axis: Fraction(beyond[key][axis] - shape[axis], _FAR).limit_denominator(64)
            for axis in axes
            if isinstance(shape[axis], int)
        }
        if len(slopes) == len(axes) and all(slope > 0 for slope in slopes.values()):
            return (
                str(key),
                {axis: slope.numerator for axis, slope in slopes.items()},
                {axis: slope.denominator for axis, slope in slopes.items()},
            )
    raise _Refused(f"spec must be of an output with the sides of its input, got {net.spec.text!r}")


_FAR = math.lcm(*range(1, 17))


@public
def check_export(
    build: Callable[..., Any],
    spec: str | Mapping[str, str] | Spec,
    *,
    sides: Any = (1, 12),
    params: Any = None,
    least: int | tuple[int, ...] = 1,
    formats: str | Sequence[str] = "keras",
    max_examples: int | None = None,
    seed: int | None = None,
) -> Tried:
    """Saved and loaded, and built for unknown sizes with the same weights, a net gives the same numbers.

    Args:
        build, spec, sides, params, least, max_examples, seed: as of `check_gradients`.
        formats: of the files, of `"keras"`, `"tf_saved_model"` and `"onnx"`, which Keras writes on TensorFlow alone and
            ONNX Runtime reads.

    Raises:
        CheckError: an AssertionError, with the smallest example found.
        SpecError, TypeError, ValueError: the arguments make no sense, or leave nothing to try.
        ModuleNotFoundError: what reads a format is not installed; the message says which extra brings it.

    Example:
        >>> from layerblocks.blocks import conv_bn
        >>> check_export(conv_bn, "b h w c -> b h w 2", params={"filters": 2}, max_examples=1).examples
        1
    """
    from . import exports

    __tracebackhide__ = True
    formats = exports.checked(formats)

    def problems(made: _Made) -> tuple[str, ...]:
        expected = made.run()
        for form in formats:
            off = _apart(expected, exports.answers(made.model, made.net.given(made.inputs), form))
            if off:
                return tuple(f"as {form}, loaded: {line}" for line in off)
        try:
            sizes = replace(made.example, shapes=made.net.unknown(made.example))
            unknown = _made(made.net, sizes, made.inputs).model
        except ValueError:  # it may refuse them
            return ()
        if len(unknown.weights) != len(made.model.weights):
            return (f"built for unknown sizes: {len(unknown.weights)} weights, not {len(made.model.weights)}",)
        unknown.set_weights(made.model.get_weights())
        off = _apart(expected, replace(made, model=unknown).run())
        return tuple(f"built for unknown sizes: {line}" for line in off)

    title = "exported it gives something else"
    return _check(title, problems, build, spec, sides, params, least, max_examples, seed)
