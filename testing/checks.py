"""`check_net`: a net, or any part of one, against what it is said to make of every image size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from .. import checks
from ..checks import complaint, public
from . import pytest_options as options
from .examples import Example, Net, Vacuous, as_net, failure_of, side_axes, smallest_failure
from .reports import CheckError, Report, axes_off, matches, reproduction, said
from .specs import Shape, Spec

Parameters = int | Callable[..., Any] | None


@public
def check_net(
    build: Callable[..., Any],
    spec: str | Mapping[str, str] | Spec,
    *,
    sides: Any = (1, 96),
    params: Any = None,
    least: int | tuple[int, ...] = 1,
    too_small: Literal["raises", "skip"] = "raises",
    unknown: bool = True,
    broadcasts: bool = False,
    parameters: Parameters = None,
    mixed_dtype: str | None = None,
    eager: int = 0,
    max_examples: int | None = None,
    seed: int | None = None,
) -> Tried:
    """Build a net at many sizes and with many arguments, without weights, and hold it against its spec.

    Of every example: the output has the shape of the spec; built for unknown sizes the net says the same of this one,
    and has as many parameters; no sum broadcasts, and every layer with weights leads to an output; too small an image
    is refused with ValueError. Of a fifth of them: with height and width exchanged all is exchanged. Of a tenth: under
    `mixed_float16` shapes stay, weights are float32, outputs float16 or float32. Of some: built again it is the same.
    Of `eager` of them: run on real numbers, in another process, built for the size and for unknown sizes, the shapes
    are those too.

    Args:
        build: function of symbolic tensors, and of what `params` gives by keyword; returns a tensor or a dict of them.
            Several inputs go to it one by one, by keyword where the spec has keys that are arguments of it, or as the
            list or dict that they are. Or a layer or a model, or the class of one, which is then made of `params`.
        spec: in the shape language, such as `"b h w c -> b ceil(h/2) ceil(w/2) filters"`. Of sizes that the conditions
            after `where` exclude none is tried.
        sides: (least, most) pixels of a named side, or a strategy.
        params: by name, a value or a strategy each, or a strategy of such dicts. A name on the left of the spec, such
            as `c`, is the size of that axis (channels are 1 to 8 unless given); the others go to `build` if it has
            them, and to the spec.
        least: smallest side, or (height, width), at which the net has to work, where the spec does not show it.
        too_small: `"raises"`, where a side is below `least` or the spec has no pixel left, the net must raise
            ValueError; `"skip"`, such sizes are not tried.
        unknown: also build for unknown sizes; a net may refuse them, with ValueError, and is then built for the largest
            ones, to have as many parameters.
        broadcasts: whether sums of different shapes are meant.
        parameters: their number, or a function of the names of the spec and of `params` that gives it.
        mixed_dtype: dtype of every output under `mixed_float16`; None for either.
        eager: number of examples to run on real numbers.
        max_examples: at least 1; None for `--layerblocks-examples` of pytest, or the Hypothesis profile (100).
        seed: of the examples; None for others every time, unless the Hypothesis profile has it.

    Returns:
        How many examples were tried.

    Raises:
        CheckError: an AssertionError, with the smallest example found, what is off, and code to see it.
        SpecError, TypeError, ValueError: the arguments make no sense, or leave too few examples to try.

    Example:
        >>> from hypothesis import strategies as st
        >>> from layerblocks.blocks import conv
        >>> check_net(conv, "b h w c -> b ceil(h/2) ceil(w/2) filters", params={"filters": st.integers(1, 9),
        ...     "strides": 2}, max_examples=10).refused
        0
    """
    __tracebackhide__ = True  # pytest then shows the call alone
    net = as_net(build, spec, sides=sides, params=params, least=least, too_small=too_small)
    unknown, broadcasts = checks.flag("unknown", unknown), checks.flag("broadcasts", broadcasts)
    if parameters is not None and not callable(parameters):
        parameters = checks.integer("parameters", parameters, 0, "None, an integer of at least 0, or a function")
    mixed_dtype = checks.choice("mixed_dtype", mixed_dtype, [None, "float16", "float32", "bfloat16", "float64"])
    eager = checks.integer("eager", eager, 0)
    number = options.max_examples() if max_examples is None else checks.integer("max_examples", max_examples)
    seed = options.common_seed() if seed is None else checks.integer("seed", seed, 0)
    tried: dict[str, bool] = {}
    unknown_build, largest_build = _builds_for(net, net.unknown), _builds_for(net, net.largest)
    checked = _Checked(
        net, unknown, broadcasts, parameters, mixed_dtype, unknown_build, largest_build, _runs(), tried, {}
    )

    def run(check: Callable[..., Any], examples: int) -> None:
        __tracebackhide__ = True
        try:
            error = smallest_failure(partial(check, checked), net, examples, seed)
        except Vacuous:
            raise _nothing(net, Tried.of(tried)) from None
        if error is not None:
            report = replace(error.report, tried=str(Tried.of(tried)), hint=_hint(net, error))
            raise CheckError(report) from error.__cause__

    run(_closed_form, number)
    run(_same_again, min(_TWICE, -(-number // 10)))
    run(_exchanged, -(-number // 5))
    run(_mixed, -(-number // 10))
    run(_eager, eager)
    if not Tried.of(tried).accepted:  # a few examples may all be too small by chance
        run(_closed_form, 10 * number + 20)
    count = Tried.of(tried)
    if not count.accepted or (count.examples > _MANY and count.accepted * _FEW < count.examples):
        raise _nothing(net, count)
    return count


_FEW, _MANY = 20, 20  # of more examples than that, one in so many must be one that the net accepts


@dataclass(frozen=True)
class Tried:
    """How many different examples there were, and how many of them were too small."""

    examples: int
    accepted: int
    refused: int

    @staticmethod
    def of(tried: Mapping[str, bool]) -> Tried:
        accepted = sum(tried.values())
        return Tried(len(tried), accepted, len(tried) - accepted)

    def __str__(self) -> str:
        return f"{self.examples} examples, {self.accepted} accepted, {self.refused} refused as too small"


def _nothing(net: Net, count: Tried) -> Exception:
    got = f"got {checks.one_line(net.sides)}: {count}"
    return complaint(f"sides must be such that spec, params and least leave images that the net accepts, {got}")


_REFUSES = "it refuses an input that the spec allows"


def _hint(net: Net, error: CheckError) -> str:
    """From which side on the net does accept its input, where it refused one that is smaller; or what turns it off."""
    if error.report.title.endswith(_DEPENDS):
        return "unknown=False, or their number as parameters, if that is meant"
    if not error.report.title.startswith(f"check_net: {_REFUSES}") or not isinstance(net.sides, tuple):
        return ""
    from .builds import built

    failed: Example = error.example  # type: ignore[attr-defined]
    low, high = net.sides

    def accepts(side: int) -> bool:
        shapes = [
            tuple(max(size, side) if axis in side_axes(part, len(shape)) else size for axis, size in enumerate(shape))
            for part, shape in zip(net.inputs, failed.shapes, strict=True)
        ]
        try:
            example = replace(failed, shapes=tuple(shapes))
            if net.expected(example) is None:
                return False
            built(net, example.shapes, example.arguments)
        except Exception:
            return False
        return True

    if not accepts(high):
        return ""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if accepts(middle) else (middle + 1, high)
    return (
        f"from {low} on it accepts this one: sides=({low}, {max(low, net.sides[1])}) or least={low}, if that is meant"
    )


@dataclass(frozen=True)
class _Checked:
    net: Net
    unknown: bool
    broadcasts: bool
    parameters: Parameters
    mixed_dtype: str | None
    unknown_build: Callable[[Example], Any]
    largest_build: Callable[[Example], Any]
    run: Callable[..., Any]
    tried: dict[str, bool]
    known: dict[str, tuple[Any, int] | None]
    """By example the shapes and the number of parameters, None where it is too small."""

    def shapes_and_parameters(self, example: Example, what: str = "") -> tuple[Any, int] | None:
        key = repr(example)
        if key not in self.known:
            made = _build(self.net, example, what)
            self.known[key] = None if made is None else (made.shapes, made.parameters)
        return self.known[key]


def _failed(
    net: Net,
    example: Example,
    what: str,
    *,
    policy: str = "",
    shapes: Sequence[Shape] | None = None,
    run: Sequence[Shape] = (),
    **parts: Any,
) -> CheckError:
    """What to raise; `shapes` is what the net was built for, if it is not those of the example."""
    code, names = reproduction(net, shapes or example.shapes, example.arguments, policy, run)
    title = f"{checks.where('check_net')}: {what}"
    smallest = described(net, example)
    return failure_of(Report(title, spec=net.spec.text, smallest=smallest, code=code, names=names, **parts), example)


def described(net: Net, example: Example) -> str:
    """An example in one line.

    Example:
        >>> from layerblocks.blocks import conv
        >>> net = as_net(conv, "b h w c -> b h w f", sides=(1, 9), params={"f": 2}, least=1)
        >>> described(net, Example(((None, 7, 9, 3),), {"f": 2}, {}))
        'input (None, 7, 9, 3), f=2'
    """
    given = "".join(f", {name}={value}" for name, value in example.described.items())
    if net.inputs[0].key is None:
        return f"input {example.shapes[0]}{given}"
    of_key = not isinstance(net.inputs[0].key, int)
    shapes = [
        f"{part.key}={shape}" if of_key else str(shape) for part, shape in zip(net.inputs, example.shapes, strict=True)
    ]
    return f"inputs {', '.join(shapes)}{given}"


def _build(net: Net, example: Example, what: str = "", policy: str = "") -> Any:
    """What is built, None where the net rightly refuses; else a CheckError."""
    from .builds import built

    expected, failed = net.expected(example), partial(_failed, net, example, policy=policy)
    try:
        made = built(net, example.shapes, example.arguments)
    except ValueError as error:
        if expected is None:
            return None
        raise failed(f"{_REFUSES}{what}", expected=expected, got=said(error)) from error
    except AssertionError as error:
        raise failed(f"what @shapes declares does not hold{what}", expected=expected, got=said(error)) from error
    except Exception as error:
        wanted = "ValueError, as the image is too small" if expected is None else expected
        raise failed(f"it raises something else than ValueError{what}", expected=wanted, got=said(error)) from error
    if expected is None:
        wanted = "ValueError, as no pixel is left" if net.fits(example) else f"ValueError below {net.least}"
        raise failed(f"it accepts what is too small{what}", expected=wanted, got=made.shapes)
    return made


def _same_shape(net: Net, example: Example, got: Any, title: str, expected: Any = None, **parts: Any) -> None:
    expected = net.expected(example) if expected is None else expected
    if not matches(expected, got):
        off = axes_off(net.spec, expected, got)
        raise _failed(net, example, title, expected=expected, got=got, off=off, **parts)


def _same_dtype(net: Net, example: Example, got: Any) -> None:
    dtypes: Mapping[Any, Any] = got if isinstance(got, Mapping) else {None: got}
    off = tuple(
        f"{'the output' if part.key is None else part.key} is {dtypes[part.key]}, not {part.dtype}"
        for part in net.spec.outputs
        if part.dtype is not None and dtypes.get(part.key) not in part.dtypes
    )
    if off:
        raise _failed(net, example, "the output has not the dtype of the spec", off=off)


def _closed_form(checked: _Checked, example: Example) -> None:
    net = checked.net
    made = _build(net, example)
    checked.tried[repr(example)] = made is not None
    checked.known[repr(example)] = None if made is None else (made.shapes, made.parameters)
    if made is None:
        return
    _same_shape(net, example, made.shapes, "the output has not the shape of the spec")
    _same_dtype(net, example, made.dtypes)
    if made.broadcasts and not checked.broadcasts:
        off = made.broadcasts
        raise _failed(net, example, "a sum broadcasts: TensorFlow computes something, unasked", off=off)
    if made.dangling:
        off = tuple(f"layer {name!r}" for name in made.dangling)
        raise _failed(net, example, "layers with weights lead to no output", off=off)
    wanted = checked.parameters
    if callable(wanted):
        wanted = net.called(wanted, example)
    if wanted is not None and wanted != made.parameters:
        raise _failed(net, example, "the number of parameters is off", expected=wanted, got=made.parameters)
    if checked.unknown:
        _as_of_unknown_size(checked, example, made)


def _builds_for(net: Net, shapes_of: Callable[[Example], Any]) -> Callable[[Example], Any]:
    """The net built for other shapes than those of an example, or what it raised; each once."""
    from .builds import built

    known: dict[str, Any] = {}

    def build(example: Example) -> Any:
        shapes = shapes_of(example)
        key = repr((shapes, example.described))
        if key not in known:
            if len(known) >= 64:
                known.clear()
            try:
                known[key] = built(net, shapes, example.arguments)
            except Exception as error:
                known[key] = error.with_traceback(None)
        return known[key]

    return build


def _as_of_unknown_size(checked: _Checked, example: Example, made: Any) -> None:
    """Built for unknown sizes, the net says the same of this one, and knows no more than it can."""
    net, shapes = checked.net, checked.net.unknown(example)
    if shapes == example.shapes:
        return
    unknown = checked.unknown_build(example)
    if isinstance(unknown, ValueError):
        _as_of_the_largest_size(checked, example, made)
        return
    if isinstance(unknown, Exception):
        title = "built for unknown sizes it raises something else than ValueError"
        raise _failed(net, example, title, shapes=shapes, got=said(unknown)) from unknown
    symbolic = net.expected(replace(example, shapes=shapes))
    if _claims(symbolic, unknown.shapes):
        off = axes_off(net.spec, symbolic, unknown.shapes)
        title = "built for unknown sizes it claims to know one that it cannot know"
        raise _failed(net, example, title, shapes=shapes, expected=symbolic, got=unknown.shapes, off=off)
    try:
        got = plain_shapes(unknown.model.compute_output_shape(net.given(example.shapes)))
    except Exception as error:
        title = "built for unknown sizes it refuses an input that the spec allows"
        raise _failed(net, example, title, shapes=shapes, got=said(error)) from error
    _same_shape(net, example, got, "built for unknown sizes it gives another shape", shapes=shapes)
    if unknown.parameters != made.parameters:
        expected = f"{unknown.parameters}, as for unknown sizes"
        raise _failed(net, example, _DEPENDS, expected=expected, got=made.parameters)


_DEPENDS = "the number of parameters depends on the size"


def _as_of_the_largest_size(checked: _Checked, example: Example, made: Any) -> None:
    """Where unknown sizes are refused: built for the largest ones, the net has as many parameters."""
    net = checked.net
    if checked.parameters is not None or net.largest(example) == example.shapes:
        return
    largest = checked.largest_build(example)
    if hasattr(largest, "parameters") and largest.parameters != made.parameters:
        expected = f"{largest.parameters}, as for {', '.join(map(str, net.largest(example)))}"
        raise _failed(net, example, _DEPENDS, expected=expected, got=made.parameters)


def plain_shapes(shapes: Any) -> Any:
    """Shapes as Keras gives them, of one tensor, a list or a dict."""
    if isinstance(shapes, Mapping):
        return {key: tuple(shape) for key, shape in shapes.items()}
    if shapes and all(isinstance(shape, list | tuple) for shape in shapes):
        return {number: tuple(shape) for number, shape in enumerate(shapes)}
    return tuple(shapes)


def _claims(expected: Any, got: Any) -> bool:
    """Whether a size is given where the spec has an unknown one, or another one than the spec."""
    if isinstance(expected, Mapping):
        return (
            not isinstance(got, Mapping)
            or expected.keys() != got.keys()
            or any(_claims(expected[key], got[key]) for key in expected)
        )
    if isinstance(got, Mapping) or len(expected) != len(got):
        return True
    return any(b is not None and not matches((a,), (b,)) for a, b in zip(expected, got, strict=True))


def _exchanged(checked: _Checked, example: Example) -> None:
    """With height and width exchanged, in the arguments as well, the output has them exchanged."""
    net = checked.net
    other = net.exchanged(example)
    if other is None:
        return
    made = checked.shapes_and_parameters(example)
    turned = checked.shapes_and_parameters(other, " with height and width exchanged")
    if made is None or turned is None:
        return
    (shapes, parameters), (turned_shapes, turned_parameters) = made, turned
    _same_shape(
        net,
        other,
        turned_shapes,
        "with height and width exchanged the output has not the shape of the spec",
        expected=net.turned(shapes, example),
    )
    if parameters != turned_parameters:
        title = "the number of parameters changes with height and width exchanged"
        raise _failed(net, other, title, expected=parameters, got=turned_parameters)


def _same_again(checked: _Checked, example: Example) -> None:
    """Built again, with other random numbers to be had, it is the same net."""
    import random

    import numpy as np

    from .builds import signature_of

    net = checked.net
    found: list[Any] = []
    before, before_numpy = random.getstate(), np.random.get_state()
    try:
        for seed in range(_BUILDS):  # Hypothesis gives every example the same numbers
            random.seed(seed)
            np.random.seed(seed)
            made = _build(net, example)
            found.append(None if made is None else signature_of(made))
    finally:
        random.setstate(before)
        np.random.set_state(before_numpy)
    other = next((one for one in found if one != found[0]), found[0])
    if other != found[0]:
        names = ("shapes", "parameters", "operations")
        off = tuple(f"{name}: {a} and {b}" for name, a, b in zip(names, found[0], other, strict=True) if a != b)
        raise _failed(net, example, "built again it is another net: it draws random numbers, or keeps a state", off=off)


_TWICE, _BUILDS = 3, 6  # examples, and builds of each: what is drawn hardly depends on the size

MIXED = "mixed_float16"


def _mixed(checked: _Checked, example: Example) -> None:
    """Under mixed precision: shapes as ever, weights of full precision, outputs of either, the policy left alone."""
    import keras

    from .builds import policy

    net, failed = checked.net, partial(_failed, checked.net, example, policy=MIXED)
    with policy(MIXED):
        made = _build(net, example, f" under {MIXED}", policy=MIXED)
        after = keras.config.dtype_policy().name
    if after != MIXED:
        raise failed("it leaves Keras with another dtype policy", expected=MIXED, got=after)
    if made is None:
        return
    _same_shape(net, example, made.shapes, f"under {MIXED} the output has not the shape of the spec", policy=MIXED)
    halves = sum(dtype == "float16" for dtype in made.variable_dtypes)
    if halves:
        raise failed("weights of half precision", expected="float32", got=f"{halves} of float16")
    allowed = ("float16", "float32") if checked.mixed_dtype is None else (checked.mixed_dtype,)
    dtypes = made.dtypes if isinstance(made.dtypes, Mapping) else {"the output": made.dtypes}
    off = tuple(f"{key} is {dtype}" for key, dtype in dtypes.items() if "float" in dtype and dtype not in allowed)
    if off:
        raise failed(f"dtype under {MIXED}", expected=" or ".join(allowed), off=off)


def _eager(checked: _Checked, example: Example) -> None:
    """Run on real numbers, built for the size and for unknown ones, it gives the shapes that it says."""
    from .eager import BATCH, with_batch

    net = checked.net
    made = _build(net, example)
    if made is None:
        return
    models = {"built for this size": (made.model, example.shapes)}
    unknown = checked.unknown_build(example) if checked.unknown else None
    if unknown is not None and hasattr(unknown, "model") and net.unknown(example) != example.shapes:
        models["built for unknown sizes"] = (unknown.model, net.unknown(example))
    outcome = checked.run(net, example, models)
    if outcome is None:
        return
    reply, expected, sizes = outcome.reply, _with_batch(made.shapes, BATCH), with_batch(example.shapes)
    if reply is None:
        title = "run on real numbers it ends the process"
        raise _failed(net, example, title, run=sizes, expected=expected, got=outcome.ended)
    if reply.get("stage") == "load":
        raise TypeError(
            "check_net: build must be a net that another process can build, as eager is given: of layers, or by a "
            f"function, that can be imported there; got {reply['error']}"
        )
    if "error" in reply:
        kind = reply["kind"]
        parts = {"shapes": models[kind][1], "run": sizes, "expected": expected, "got": reply["error"]}
        raise _failed(net, example, f"{kind} it fails when it is run", **parts)
    for kind, shapes in reply["shapes"].items():
        got = {key: tuple(shape) for key, shape in shapes.items()}
        shown = got.get("", got)
        if not matches(expected, shown):
            parts = {"shapes": models[kind][1], "run": sizes, "expected": expected, "got": shown}
            off = axes_off(net.spec, expected, shown)
            raise _failed(net, example, f"{kind} and run it gives another shape", off=off, **parts)


_CRASHES = 3


def _runs() -> Callable[..., Any]:
    """Runs an example in the worker, each once; none any more after so many have ended the process, which is dear."""
    from .eager import job_of
    from .subprocesses import shared_worker

    known: dict[str, Any] = {}

    def run(net: Net, example: Example, models: Mapping[str, tuple[Any, Sequence[Shape]]]) -> Any:
        key = repr(example)
        if key not in known:
            if sum(outcome is not None and outcome.reply is None for outcome in known.values()) >= _CRASHES:
                known[key] = None
            else:
                known[key] = shared_worker().run(job_of(net, example.arguments, models, example.shapes))
        return known[key]

    return run


def _with_batch(shapes: Any, batch: int) -> Any:
    if isinstance(shapes, Mapping):
        return {str(key): _with_batch(shape, batch) for key, shape in shapes.items()}
    return tuple(batch if axis == 0 and size is None else size for axis, size in enumerate(shapes))
