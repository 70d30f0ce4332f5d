"""`check_net`: a net, or any part of one, against what it is said to make of every image size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from .. import checks
from ..checks import public
from . import pytest_options as options
from .examples import Example, Net, as_net, smallest_failure
from .reports import CheckError, Report, axes_off, matches, reproduction
from .shapes import Shape, Spec

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
) -> None:
    """Build a net at many sizes and with many arguments, without weights, and hold it against its spec.

    Of every example: the output has the shape of the spec; built for unknown sizes the net says the same of this one,
    and has as many parameters; no sum broadcasts, and every layer with weights leads to an output; too small an image
    is refused with ValueError. Of a fifth of them: with height and width exchanged all is exchanged. Of a tenth: under
    `mixed_float16` shapes stay, weights are float32, outputs float16 or float32. Of `eager` of them: run on real
    numbers, in another process, built for the size and for unknown sizes, the shapes are those too.

    Args:
        build: function of a symbolic tensor, and of what `params` gives by keyword; returns a tensor or a dict of them.
        spec: in the shape language, such as `"b h w c -> b ceil(h/2) ceil(w/2) filters"`.
        sides: (least, most) pixels of a named side, or a strategy.
        params: by name, a value or a strategy each, or a strategy of such dicts. A name on the left of the spec, such
            as `c`, is the size of that axis (channels are 1 to 8 unless given); the others go to `build` if it has
            them, and to the spec.
        least: smallest side, or (height, width), at which the net has to work, where the spec does not show it.
        too_small: `"raises"`, where a side is below `least` or the spec has no pixel left, the net must raise
            ValueError; `"skip"`, such sizes are not tried.
        unknown: also build for unknown sizes; a net may refuse them, with ValueError.
        broadcasts: whether sums of different shapes are meant.
        parameters: their number, or a function of the names of the spec and of `params` that gives it.
        mixed_dtype: dtype of every output under `mixed_float16`; None for either.
        eager: number of examples to run on real numbers.
        max_examples: at least 1; None for `--layerblocks-examples` of pytest, or the Hypothesis profile (100).

    Raises:
        CheckError: an AssertionError, with the smallest example found, what is off, and code to see it.
        SpecError, TypeError, ValueError: the arguments make no sense.

    Example:
        >>> from hypothesis import strategies as st
        >>> from layerblocks.blocks import conv
        >>> check_net(conv, "b h w c -> b ceil(h/2) ceil(w/2) filters", params={"filters": st.integers(1, 9),
        ...     "strides": 2}, max_examples=10)
    """
    __tracebackhide__ = True  # pytest then shows the call alone
    net = as_net(build, spec, sides=sides, params=params, least=least, too_small=too_small)
    unknown, broadcasts = checks.flag("unknown", unknown), checks.flag("broadcasts", broadcasts)
    if parameters is not None and not callable(parameters):
        parameters = checks.integer("parameters", parameters, 0, "None, an integer of at least 0, or a function")
    mixed_dtype = checks.choice("mixed_dtype", mixed_dtype, [None, "float16", "float32", "bfloat16", "float64"])
    eager = checks.integer("eager", eager, 0)
    number = options.max_examples() if max_examples is None else checks.integer("max_examples", max_examples)
    checked = _Checked(net, unknown, broadcasts, parameters, mixed_dtype, _unknown_builds(net), _runs())
    for check, examples in (
        (_closed_form, number),
        (_exchanged, -(-number // 5)),
        (_mixed, -(-number // 10)),
        (_eager, eager),
    ):
        error = smallest_failure(lambda example, check=check: check(checked, example), net, examples)  # type: ignore[misc]
        if error is not None:
            raise CheckError(error.report) from error.__cause__


@dataclass(frozen=True)
class _Checked:
    net: Net
    unknown: bool
    broadcasts: bool
    parameters: Parameters
    mixed_dtype: str | None
    unknown_build: Callable[[Example], Any]
    run: Callable[..., Any]


def _failed(
    net: Net,
    example: Example,
    what: str,
    *,
    policy: str = "",
    shape: Shape | None = None,
    run: Shape | None = None,
    **parts: Any,
) -> CheckError:
    """What to raise; `shape` is what the net was built for, if it is not that of the example."""
    code, names = reproduction(net.build, shape or example.shape, example.arguments, policy, run)
    given = "".join(f", {name}={value}" for name, value in example.described.items())
    report = Report(
        f"check_net: {what}",
        spec=net.spec.text,
        smallest=f"input {example.shape}{given}",
        code=code,
        names=names,
        **parts,
    )
    return CheckError(report)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _build(net: Net, example: Example, what: str = "", policy: str = "", shape: Shape | None = None) -> Any:
    """What is built, None where the net rightly refuses; else a CheckError."""
    from .builds import built

    expected, failed = net.expected(example), partial(_failed, net, example, policy=policy, shape=shape)
    try:
        made = built(net.build, example.shape if shape is None else shape, example.arguments)
    except ValueError as error:
        if expected is None:
            return None
        raise failed(f"it refuses an input that the spec allows{what}", expected=expected, got=_said(error)) from error
    except Exception as error:
        wanted = "ValueError, as the image is too small" if expected is None else expected
        raise failed(f"it raises something else than ValueError{what}", expected=wanted, got=_said(error)) from error
    if expected is None:
        wanted = "ValueError, as no pixel is left" if net.fits(example) else f"ValueError below {net.least}"
        raise failed(f"it accepts what is too small{what}", expected=wanted, got=made.shapes)
    return made


def _same_shape(net: Net, example: Example, got: Any, title: str, expected: Any = None, **parts: Any) -> None:
    expected = net.expected(example) if expected is None else expected
    if not matches(expected, got):
        off = axes_off(net.spec, expected, got)
        raise _failed(net, example, title, expected=expected, got=got, off=off, **parts)


def _closed_form(checked: _Checked, example: Example) -> None:
    net = checked.net
    made = _build(net, example)
    if made is None:
        return
    _same_shape(net, example, made.shapes, "the output has not the shape of the spec")
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


def _unknown_builds(net: Net) -> Callable[[Example], Any]:
    """The net built for unknown sizes, or what it raised; once for each choice of arguments."""
    from .builds import built

    known: dict[str, Any] = {}

    def build(example: Example) -> Any:
        key = repr((net.unknown(example), example.described))
        if key not in known:
            if len(known) >= 64:
                known.clear()
            try:
                known[key] = built(net.build, net.unknown(example), example.arguments)
            except Exception as error:
                known[key] = error.with_traceback(None)
        return known[key]

    return build


def _as_of_unknown_size(checked: _Checked, example: Example, made: Any) -> None:
    """Built for unknown sizes, the net says the same of this one, and knows no more than it can."""
    net, shape = checked.net, checked.net.unknown(example)
    if shape == example.shape:
        return
    unknown = checked.unknown_build(example)
    if isinstance(unknown, ValueError):
        return
    if isinstance(unknown, Exception):
        title = "built for unknown sizes it raises something else than ValueError"
        raise _failed(net, example, title, shape=shape, got=_said(unknown)) from unknown
    symbolic = net.expected(replace(example, shape=shape))
    if _claims(symbolic, unknown.shapes):
        off = axes_off(net.spec, symbolic, unknown.shapes)
        title = "built for unknown sizes it claims to know one that it cannot know"
        raise _failed(net, example, title, shape=shape, expected=symbolic, got=unknown.shapes, off=off)
    try:
        got = plain_shapes(unknown.model.compute_output_shape(example.shape))
    except Exception as error:
        title = "built for unknown sizes it refuses an input that the spec allows"
        raise _failed(net, example, title, shape=shape, got=_said(error)) from error
    _same_shape(net, example, got, "built for unknown sizes it gives another shape", shape=shape)
    if unknown.parameters != made.parameters:
        title = "the number of parameters depends on the size"
        expected = f"{unknown.parameters}, as for unknown sizes"
        raise _failed(net, example, title, expected=expected, got=made.parameters)


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
    made, turned = _build(net, example), _build(net, other, " with height and width exchanged")
    if made is None or turned is None:
        return
    _same_shape(
        net,
        other,
        turned.shapes,
        "with height and width exchanged the output has not the shape of the spec",
        expected=net.turned(made.shapes),
    )
    if made.parameters != turned.parameters:
        title = "the number of parameters changes with height and width exchanged"
        raise _failed(net, other, title, expected=made.parameters, got=turned.parameters)


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
    from .eager import BATCH

    net = checked.net
    made = _build(net, example)
    if made is None:
        return
    models = {"built for this size": (made.model, example.shape)}
    unknown = checked.unknown_build(example) if checked.unknown else None
    if unknown is not None and hasattr(unknown, "model") and net.unknown(example) != example.shape:
        models["built for unknown sizes"] = (unknown.model, net.unknown(example))
    outcome = checked.run(net.build, example, models)
    if outcome is None:
        return
    reply, expected, size = outcome.reply, _with_batch(made.shapes, BATCH), (BATCH, *example.shape[1:])
    if reply is None:
        title = "run on real numbers it ends the process"
        raise _failed(net, example, title, run=size, expected=expected, got=outcome.ended)
    if reply.get("stage") == "load":
        raise TypeError(
            "check_net: build must be a net that another process can build, as eager is given: of layers, or by a "
            f"function, that can be imported there; got {reply['error']}"
        )
    if "error" in reply:
        kind = reply["kind"]
        parts = {"shape": models[kind][1], "run": size, "expected": expected, "got": reply["error"]}
        raise _failed(net, example, f"{kind} it fails when it is run", **parts)
    for kind, shapes in reply["shapes"].items():
        got = {key: tuple(shape) for key, shape in shapes.items()}
        shown = got.get("", got)
        if not matches(expected, shown):
            parts = {"shape": models[kind][1], "run": size, "expected": expected, "got": shown}
            off = axes_off(net.spec, expected, shown)
            raise _failed(net, example, f"{kind} and run it gives another shape", off=off, **parts)


_CRASHES = 3


def _runs() -> Callable[..., Any]:
    """Runs an example in the worker, each once; none any more after so many have ended the process, which is dear."""
    from .eager import job_of
    from .subprocesses import shared_worker

    known: dict[str, Any] = {}

    def run(build: Callable[..., Any], example: Example, models: Mapping[str, tuple[Any, Shape]]) -> Any:
        key = repr(example)
        if key not in known:
            if sum(outcome is not None and outcome.reply is None for outcome in known.values()) >= _CRASHES:
                known[key] = None
            else:
                known[key] = shared_worker().run(job_of(build, example.arguments, models, example.shape))
        return known[key]

    return run


def _with_batch(shapes: Any, batch: int) -> Any:
    if isinstance(shapes, Mapping):
        return {str(key): _with_batch(shape, batch) for key, shape in shapes.items()}
    return tuple(batch if axis == 0 and size is None else size for axis, size in enumerate(shapes))
