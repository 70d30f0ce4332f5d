"""Entries of `keras.ops`: the operations that stand in a functional graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from ..rules import (
    REDUCED,
    UNKNOWN,
    UNREAD,
    Along,
    Call,
    Entry,
    PerOutput,
    Reads,
    Shape,
    Windows,
    aligned,
    knows,
)
from . import common
from .common import (
    axes_of,
    by,
    each,
    free,
    listed,
    mapped,
    none_at_all,
    places,
    sides,
    sliding,
    stepped,
)
from .layers import causal, concatenated, spaced


def operations(names: str) -> Any:
    return knows(*(f"keras.ops.{name}" for name in names.split()))


def _name(operation: Any) -> str:
    return spaced(type(operation).__name__)


def _unknown(call: Call) -> str:
    return UNKNOWN


# -- element by element -----------------------------------------------------------------------------------------------

_ACTIVATIONS = (
    "Relu Relu6 Sigmoid SparseSigmoid Softplus Softsign SoftShrink SparsePlus Silu Squareplus LogSigmoid LeakyRelu "
    "HardSigmoid HardSilu Elu Selu Gelu Celu TanhShrink HardTanh HardShrink Threshold Tanh"
)
_OF_ONE = (
    "Absolute Angle Arccos Arccosh Arcsin Arcsinh Arctan Arctanh Array BitwiseInvert BitwiseNot Cast Cbrt Ceil Clip "
    "Conjugate ConvertToTensor Copy Cos Cosh "
    "Deg2rad Rad2deg Erf Erfc Erfinv Exp Exp2 Expm1 Fabs Floor I0 Imag Isfinite Isinf "
    "Isnan Isneginf Isposinf Isreal Log Log10 Log1p Log2 LogicalNot NanToNum Negative Real Reciprocal Round Rsqrt "
    "SaturateCast Sign Signbit Sin Sinc Sinh Sqrt Square StopGradient Tan Trunc"
)
_OF_TWO = (
    "Arctan2 BitwiseAnd BitwiseOr BitwiseXor BitwiseLeftShift LeftShift BitwiseRightShift RightShift Equal Fmod Gcd "
    "Greater GreaterEqual Heaviside Hypot Isclose Lcm Ldexp Less LessEqual Logaddexp Logaddexp2 LogicalAnd LogicalOr "
    "LogicalXor Mod Nextafter NotEqual Polar FloorDivide Power DivideNoNan Where Select BinaryCrossentropy"
)
operations(_ACTIVATIONS)(free("activation", _name))
operations(_OF_ONE)(free("other", _name))
operations(_OF_TWO)(free("other", _name))


_WITH_A_CONSTANT = {  # of a tensor and a constant, and of a constant and a tensor
    "add": ("add {}", "add {}"),
    "subtract": ("subtract {}", "subtract from {}"),
    "multiply": ("multiply by {}", "multiply by {}"),
    "divide": ("divide by {}", "divide {} by it"),
    "max": ("max with {}", "max with {}"),
    "min": ("min with {}", "min with {}"),
}


def _of_a_constant(said: str) -> Callable[[Call], str]:
    """`add a constant` where one of the two operands is no tensor of the model, `multiply by 0.5` of a number."""

    def words(call: Call) -> str:
        import keras

        given = [*call.args, *call.kwargs.values()]
        constant = [not isinstance(value, keras.KerasTensor) for value in given]
        if len(given) != 2 or sum(constant) != 1:
            return said
        return _WITH_A_CONSTANT[said][constant[0]].format(_named_constant(given[constant.index(True)]))

    return words


def _named_constant(value: Any) -> str:
    """`0.5` of a number, `a weight` of a variable, `a constant` of any other."""
    import keras

    if isinstance(value, keras.Variable):
        return "a weight"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if number else "a constant"


for _kind, _role, _said, _symbol in (
    ("Add", "add", "add", "⊕"),
    ("Subtract", "add", "subtract", "⊖"),
    ("Multiply", "activation", "multiply", "⊙"),
    ("Divide", "activation", "divide", "⊘"),
    ("TrueDivide", "activation", "divide", "⊘"),
    ("Maximum", "add", "max", "max"),
    ("Minimum", "add", "min", "min"),
    ("Fmax", "add", "max", "max"),
    ("Fmin", "add", "min", "min"),
):
    operations(_kind)(free(_role, _said, symbol=_symbol, words_of_call=_of_a_constant(_said)))
operations("OnesLike ZerosLike EmptyLike FullLike")(
    free(
        "other",
        _name,
        lambda call: (
            tuple(Along(axis, None) for axis in range(len(call.inputs[0]))),  # its size alone
            *(aligned(s, call.outputs[0]) for s in call.inputs[1:]),
        ),
    )
)


# -- along some axes --------------------------------------------------------------------------------------------------


def _axes(call: Call) -> tuple[int, ...]:
    operation = call.operation
    given = getattr(operation, "axis", getattr(operation, "axes", None))
    return axes_of(given, len(call.inputs[0]))


def _reduction(call: Call) -> Windows:
    kept = bool(getattr(call.operation, "keepdims", False))
    first = common.reduced(call.inputs[0], _axes(call), kept)
    return (first, *(tuple(REDUCED for _ in shape) for shape in call.inputs[1:]))


def _gathered(call: Call) -> Windows:
    return (
        aligned(call.inputs[0], call.outputs[0], _axes(call)),
        *(tuple(REDUCED for _ in shape) for shape in call.inputs[1:]),
    )


def _axis_words(operation: Any) -> str:
    axis = getattr(operation, "axis", getattr(operation, "axes", None))
    return listed(_name(operation), "" if axis is None or axis in (-1, [-1], (-1,)) else common.axes(axis))


for _kind, _symbol in (("Mean", "mean"), ("Max", "max"), ("Min", "min"), ("Sum", "Σ")):
    operations(_kind)(free("pool", _axis_words, _reduction, _symbol))
operations(
    "All Any Amax Amin Argmax Argmin Average CountNonzero Logsumexp Median Nanargmax Nanargmin Nanmax Nanmean "
    "Nanmedian Nanmin Nanprod Nanstd Nansum Nanvar Prod Ptp Std Var Moments"
)(free("pool", _axis_words, _reduction))
operations("Softmax LogSoftmax Sparsemax")(free("activation", _axis_words, _gathered))
operations("Normalize")(free("norm", _axis_words, _gathered))
operations("Cumprod Cumsum Nancumsum Nancumprod Sort Argsort Argpartition")(free("other", _axis_words, _gathered))
operations("TopK Glu")(free("other", _name, lambda call: (aligned(call.inputs[0], call.inputs[0], (_last(call),)),)))


def _last(call: Call) -> int:
    axis: int = getattr(call.operation, "axis", -1)
    return axis % len(call.inputs[0])


def _normed(call: Call) -> Windows:
    operands = call.operands()
    gathered = _axes(call)
    found = [aligned(shape, call.outputs[0], gathered if i == 0 else ()) for i, (_, shape) in enumerate(operands)]
    return common.of_inputs(call, found)


operations("LayerNorm RMSNorm")(free("norm", _axis_words, _normed))
operations("BatchNorm")(
    free(
        "norm",
        "batch norm",
        lambda call: (aligned(call.inputs[0], call.outputs[0]), *(tuple(REDUCED for _ in s) for s in call.inputs[1:])),
    )
)


def _difference(call: Call) -> Windows:
    axis, n = _last(call), call.operation.n
    return (
        tuple(Along(a, Reads.window(n + 1)) if a == axis else Along(a) for a in range(len(call.inputs[0]))),
        *(tuple(REDUCED for _ in s) for s in call.inputs[1:]),
    )


operations("Diff")(free("other", _axis_words, _difference))


def _rolled(call: Call) -> Windows | str:
    """What leaves at one end comes in at the other."""
    shape, given = call.inputs[0], getattr(call.operation, "axis", None)
    if given is None:
        return UNKNOWN
    axes = axes_of(given, len(shape))
    shifts = each(call.operation.shift, len(axes))
    if not all(isinstance(n, int) for n in shifts) or len(set(axes)) < len(axes):
        return UNKNOWN
    found = [Along(a) for a in range(len(shape))]
    for axis, shift in zip(axes, shifts, strict=True):
        n = shape[axis]
        found[axis] = Along(axis, unknown=True) if n is None else common.gathered(axis, _turned(n, shift))
    return (tuple(found),)


def _turned(length: int, shift: int) -> Iterator[int]:
    return ((position - shift) % length for position in range(length))


def _flipped(call: Call) -> Windows:
    shape = call.inputs[0]
    fixed = {"Fliplr": 1, "Flipud": 0}.get(type(call.operation).__name__)
    axes = axes_of(getattr(call.operation, "axis", None) if fixed is None else fixed, len(shape))
    return (tuple(_reversed(n, a) if a in axes else Along(a) for a, n in enumerate(shape)),)


def _reversed(length: int | None, out: int, step: int = 1) -> Along:
    """The axis from its end, which is known only of a known length."""
    return Along(out, unknown=True) if length is None else Along(out, Reads.reversed(length, step))


operations("Roll")(free("shape", _axis_words, _rolled))
operations("Flip Fliplr Flipud")(free("shape", _axis_words, _flipped))


# -- shapes -----------------------------------------------------------------------------------------------------------


def _reshaped(call: Call) -> Windows | str:
    target = call.operation.newshape
    given = None if isinstance(target, int) else list(target)[1:]
    return common.regrouped(call.inputs[0], call.outputs[0], given)


def _expanded(call: Call) -> Windows:
    new = axes_of(call.operation.axis, len(call.outputs[0]))
    kept = [axis for axis in range(len(call.outputs[0])) if axis not in new]
    return (tuple(Along(kept[axis]) for axis in range(len(call.inputs[0]))),)


def _squeezed(call: Call) -> Windows:
    shape, given = call.inputs[0], call.operation.axis
    gone = [axis for axis, size in enumerate(shape) if size == 1] if given is None else axes_of(given, len(shape))
    return (common.reduced(shape, gone, False),)


def _transposed(call: Call) -> Windows:
    rank = len(call.inputs[0])
    axes = call.operation.axes
    return (common.permuted(range(rank)[::-1] if axes is None else axes_of(list(axes), rank)),)


def _swapped(call: Call) -> Windows:
    rank = len(call.inputs[0])
    order = list(range(rank))
    a, b = call.operation.axis1 % rank, call.operation.axis2 % rank
    order[a], order[b] = order[b], order[a]
    return (common.permuted(order),)


def _moved(call: Call) -> Windows:
    rank = len(call.inputs[0])
    source, target = axes_of(call.operation.source, rank), axes_of(call.operation.destination, rank)
    order = [axis for axis in range(rank) if axis not in source]
    for place, axis in sorted(zip(target, source, strict=True)):
        order.insert(place, axis)
    return (common.permuted(order),)


def _repeated(call: Call) -> Windows | str:
    axis, times = call.operation.axis, call.operation.repeats
    if axis is None or not isinstance(times, int):
        return UNKNOWN
    axis %= len(call.inputs[0])
    grown = Along(axis, Reads(1, times, 1 - times, 0, 1))
    return (tuple(grown if a == axis else Along(a) for a in range(len(call.inputs[0]))),)


def _tiled(call: Call) -> Windows:
    shape, output = call.inputs[0], call.outputs[0]
    times = each(call.operation.repeats, 1)
    times = (1,) * (len(output) - len(times)) + tuple(times)
    shift = len(output) - len(shape)
    found = []
    for a, n in enumerate(shape):
        if times[a + shift] == 1:
            found.append(Along(a + shift))
        elif n is None:
            found.append(Along(a + shift, Reads(follows=False), unknown=True))
        else:
            again = (p for _ in range(times[a + shift]) for p in range(n))
            found.append(common.gathered(a + shift, again, follows=False))
    return (tuple(found),)


_NUMPY_PADS = ("reflect", "symmetric", "edge", "wrap")


def _padded(call: Call) -> Windows | str:
    import numpy as np

    widths: Any = call.operation.pad_width
    shape, mode = call.inputs[0], call.operation.mode
    if mode not in ("constant", *_NUMPY_PADS) or len(call.inputs) != 1:
        return UNKNOWN
    pairs: list[Any] = [widths] * len(shape) if isinstance(widths, int) else list(widths)
    pairs = [each(pair, 2) for pair in (pairs * len(shape) if len(pairs) == 1 else pairs)]
    if any(not isinstance(n, int) for pair in pairs for n in pair):
        return UNKNOWN
    found = []
    for a, (n, pair) in enumerate(zip(shape, pairs, strict=True)):
        if not any(pair):
            found.append(Along(a))
        elif mode == "constant":
            found.append(Along(a, Reads.moved(*pair)))
        elif n is None or n > common.MOST_PLACES:
            found.append(Along(a, unknown=True))
        else:
            places = np.pad(np.arange(n), pair, mode=mode).tolist()
            found.append(Along(a, Reads.moved(*pair), places=tuple(places)))
    return (tuple(found),)


def _taken(call: Call) -> Windows | str:
    """What a slice reads."""
    key = call.argument("key")
    shape = call.inputs[0]
    keys = list(key) if isinstance(key, list | tuple) else [key]
    if any(not isinstance(k, int | slice | type(None) | type(Ellipsis)) for k in keys):
        return UNKNOWN
    if any(
        isinstance(k, slice) and any(not isinstance(n, int | None) for n in (k.start, k.stop, k.step)) for k in keys
    ):
        return UNKNOWN
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if Ellipsis not in keys:
        keys.append(Ellipsis)
    found: list[Along] = []
    out = 0
    for k in keys:
        if k is None:
            out += 1
        elif k is Ellipsis:
            for _ in range(len(shape) - used):
                found.append(Along(out))
                out += 1
        elif isinstance(k, int):
            found.append(_one_of(k, shape[len(found)]))
        else:
            found.append(_slice_of(k, shape[len(found)], out))
            out += 1
    return (tuple(found),)


def _slice_words(call: Call) -> str:
    """`last step`, `first step` of a sequence; else the slice as it is written: `slice [:, 3:8]`."""
    key = call.argument("key")
    keys = key if isinstance(key, list | tuple) else (key,)
    written = [_written(k) for k in keys]
    if None in written:
        return "slice"
    sequence = len(call.inputs) == 1 and len(call.inputs[0]) == 3 and len(keys) > 1
    if sequence and written[0] == ":" and written[1] in _STEPS and all(k in (":", "...") for k in written[2:]):
        return _STEPS[str(written[1])]
    return f"slice [{', '.join(map(str, written))}]"


_STEPS = {"0": "first step", "-1": "last step"}


def _written(key: Any) -> str | None:
    """An index or a slice as it is written; None of a tensor or an array."""
    if key is Ellipsis:
        return "..."
    if isinstance(key, slice):
        parts = (key.start, key.stop) if key.step is None else (key.start, key.stop, key.step)
        ends = all(isinstance(part, int | None) for part in parts)
        return ":".join("" if part is None else str(part) for part in parts) if ends else None
    return str(key) if isinstance(key, int | None) else None


def _one_of(index: int, length: int | None) -> Along:
    """One position of an axis, whatever the output's."""
    if length == 1:
        return REDUCED
    least = index + 1 if index >= 0 else -index
    if index < 0 and length is None:
        return Along(None, unknown=True, least=least)
    return Along(None, least=least, places=(index if index >= 0 or length is None else index + length,))


def _slice_of(key: slice, length: int | None, out: int) -> Along:
    step = 1 if key.step is None else key.step
    start = 0 if key.start is None else key.start
    if step < 0:
        if key.start is None and key.stop is None:
            return _reversed(length, out, -step)
        lost = Along(out, Reads(follows=False), unknown=True)
        return lost if length is None else common.gathered(out, range(length)[key], follows=False)
    if start < 0:
        if length is None:
            return Along(out, Reads(follows=False), unknown=True)
        start = max(0, start + length)
    follows = key.stop is None or key.stop < 0
    rest = -key.stop if key.stop is not None and key.stop < 0 else 0
    return Along(out, Reads(step, 1, start, start, start + rest + 1, follows), least=1 if follows else start + 1)


def _split(call: Call) -> Windows:
    """Where the parts begin differs from one output to the next; of an axis of unknown length nobody knows where."""
    shape = call.inputs[0]
    axis = {"Vsplit": 0, "Hsplit": 1, "Dsplit": 2}.get(type(call.operation).__name__)
    axis = getattr(call.operation, "axis", 0) % len(shape) if axis is None else axis
    found, begin = [], 0
    for output in call.outputs:
        n = output[axis]
        if n is None or shape[axis] is None:
            along = Along(axis, Reads(follows=False), unknown=True)
        else:
            along = Along(axis, Reads(1, 1, begin, begin, 1, False), least=begin + n)
            begin += n
        found.append((tuple(along if a == axis else Along(a) for a in range(len(shape))),))
    return PerOutput(tuple(found))


def _stacked(call: Call) -> Windows:
    new = call.operation.axis % len(call.outputs[0])
    return tuple(tuple(Along(a + (a >= new)) for a in range(len(shape))) for shape in call.inputs)


def _unstacked(call: Call) -> Windows:
    shape = call.inputs[0]
    axis = call.operation.axis % len(shape)
    return PerOutput(
        tuple(
            (tuple(_one_of(k, shape[a]) if a == axis else Along(a - (a > axis)) for a in range(len(shape))),)
            for k in range(len(call.outputs))
        )
    )


def _hot(call: Call) -> Windows:
    shape, output = call.inputs[0], call.outputs[0]
    axis = getattr(call.operation, "axis", -1) % len(output)
    if len(output) == len(shape) + 1:
        return (tuple(Along(a + (a >= axis)) for a in range(len(shape))),)
    return (tuple(REDUCED if a == axis else Along(a) for a in range(len(shape))),)


def _looked_up(call: Call) -> Windows | str:
    """`take`: of a table, in place of each number; of a tensor, from anywhere along the axis."""
    operands = call.operands()
    (_, table), axis = operands[0], call.operation.axis
    if axis is None:
        return UNKNOWN
    axis %= len(table)
    more = len(call.outputs[0]) - len(table) + 1
    places = _constant(call.argument("indices")) if len(call.inputs) == 1 and more == 1 else None
    if places is not None and (n := table[axis]) is not None and all(-n <= place < n for place in places):
        along = common.gathered(axis, (place % n for place in places), follows=False)
        return (tuple(along if a == axis else Along(a) for a in range(len(table))),)
    of_table = tuple(
        Along(None, unknown=True) if a == axis else Along(a if a < axis else a + more - 1) for a in range(len(table))
    )
    of_indices = tuple(Along(axis + a) for a in range(more))
    return common.of_inputs(call, [of_table, of_indices][: len(operands)])


def _constant(indices: Any) -> list[int] | None:
    """Integers that a call was given in a list or an array of one axis; None for a tensor of the model."""
    import keras
    import numpy as np

    if isinstance(indices, keras.KerasTensor | keras.Variable) or indices is None:
        return None
    found = np.asarray(indices)
    return found.tolist() if np.issubdtype(found.dtype, np.integer) else None


def _taken_along(call: Call) -> Windows | str:
    """Of the axis one position, which the second operand names."""
    (_, x), (_, indices) = call.operands()
    axis = call.operation.axis
    if axis is None:
        return UNKNOWN
    of_x = tuple(replace(a, unknown=i == axis % len(x)) for i, a in enumerate(aligned(x, call.outputs[0])))
    return common.of_inputs(call, [of_x, aligned(indices, call.outputs[0])])


operations("TakeAlongAxis")(free("other", _axis_words, _taken_along))
operations("Reshape")(free("shape", lambda o: f"reshape, {by(o.newshape)}", _reshaped))
operations("Ravel")(free("shape", "ravel", _unknown))
operations("ExpandDims")(free("shape", _axis_words, _expanded))
operations("Squeeze")(free("shape", _axis_words, _squeezed))
operations("Transpose")(
    free("shape", lambda o: listed("transpose", "" if o.axes is None else common.axes(o.axes)), _transposed)
)
operations("Swapaxes")(free("shape", lambda o: f"swap axes {o.axis1} and {o.axis2}", _swapped))
operations("Moveaxis")(free("shape", lambda o: f"move axis {by(o.source)} to {by(o.destination)}", _moved))
operations("Repeat")(free("shape", lambda o: f"repeat ×{by(o.repeats)}", _repeated))
operations("Tile")(free("shape", lambda o: f"tile ×{by(o.repeats)}", _tiled))
operations("BroadcastTo")(free("shape", lambda o: f"broadcast, {by(o.shape)}"))
operations("Pad")(free("shape", lambda o: f"pad, {o.mode}", _padded))
operations("GetItem")(free("shape", "slice", _taken, words_of_call=_slice_words))
operations("Split ArraySplit Hsplit Vsplit Dsplit")(free("shape", _axis_words, _split))
operations("Stack")(free("merge", _axis_words, _stacked, "‖"))
operations("Unstack")(free("shape", _axis_words, _unstacked))
operations("Concatenate")(free("merge", "concat", concatenated, "‖"))
operations("OneHot MultiHot")(free("embedding", _name, _hot))
operations("Take")(free("embedding", _axis_words, _looked_up))
operations("Tril Triu")(free("other", _name))
operations("Meshgrid Hstack Vstack Dstack Append")(free("merge", _name, _unknown))
operations("Rot90 Diag Diagflat Diagonal Trace View ViewAsComplex ViewAsReal")(free("shape", _name, _unknown))
operations("Slice SliceUpdate Scatter ScatterUpdate")(free("shape", _name, _unknown))
operations("Size Ndim")(free("other", _name, lambda call: tuple(tuple(UNREAD for _ in s) for s in call.inputs)))
operations("Arange Linspace Logspace Geomspace Full")(free("other", _name, _unknown))


# -- products ---------------------------------------------------------------------------------------------------------


def _contracted(call: Call) -> int:
    """Of two operands of which the last axis of the first is contracted."""
    (_, first), _ = call.operands()
    return prod(call.outputs[0][1:]) * first[-1]  # type: ignore[arg-type,operator]


def _matmul_reads(call: Call) -> Windows:
    (_, first), (_, second) = call.operands()
    rank = len(call.outputs[0])
    wide = rank + (len(first) == 1) + (len(second) == 1)
    of_first = [*(Along(a + wide - len(first)) for a in range(len(first) - 1)), REDUCED]
    if len(second) == 1:
        of_second = [REDUCED]
    else:
        of_second = [Along(a + wide - len(second)) for a in range(len(second) - 2)]
        of_second += [REDUCED, Along(rank - 1)]
    out = call.outputs[0]
    for axes, shape in ((of_first, first), (of_second, second)):
        for a in range(len(axes) - 2):  # a broadcast batch
            target = axes[a].axis
            if shape[a] == 1 and target is not None and out[target] != 1:
                axes[a] = REDUCED
    return common.of_inputs(call, [tuple(of_first), tuple(of_second)])


def _dot_reads(call: Call) -> Windows:
    (_, first), (_, second) = call.operands()
    b = len(second) - 2 if len(second) > 1 else 0
    of_first = (*(Along(a) for a in range(len(first) - 1)), REDUCED)
    rest = [a for a in range(len(second)) if a != b]
    of_second = tuple(REDUCED if a == b else Along(len(first) - 1 + rest.index(a)) for a in range(len(second)))
    return common.of_inputs(call, [of_first, of_second])


def _tensordot_axes(call: Call) -> tuple[Sequence[int], Sequence[int]]:
    (_, first), (_, second) = call.operands()
    axes = call.operation.axes
    if isinstance(axes, int):
        return range(len(first) - axes, len(first)), range(axes)
    one, other = axes
    return axes_of(one, len(first)), axes_of(other, len(second))


def _tensordot_cost(call: Call) -> int:
    (_, first), _ = call.operands()
    one, _ = _tensordot_axes(call)
    return prod(call.outputs[0][1:]) * prod(first[axis] for axis in one)  # type: ignore[arg-type,misc]


def _tensordot_reads(call: Call) -> Windows:
    (_, first), (_, second) = call.operands()
    one, other = _tensordot_axes(call)
    kept = [a for a in range(len(first)) if a not in one]
    more = [a for a in range(len(second)) if a not in other]
    of_first = tuple(REDUCED if a in one else Along(kept.index(a)) for a in range(len(first)))
    of_second = tuple(REDUCED if a in other else Along(len(kept) + more.index(a)) for a in range(len(second)))
    return common.of_inputs(call, [of_first, of_second])


def _einsum_cost(call: Call) -> int | None:
    operands = call.operands()
    batched = next(i for i, (number, _) in enumerate(operands) if number is not None)
    return common.einsum_multiply_adds(call.operation.subscripts, [s for _, s in operands], call.outputs[0], batched)


def _einsum_reads(call: Call) -> Windows:
    shapes = [shape for _, shape in call.operands()]
    return common.of_inputs(call, common.einsum_reads(call.operation.subscripts, shapes, call.outputs[0]))


def _linear(words: Callable[[Any], str] | str, cost: Any, window: Any, symbol: str = "@") -> Entry:
    said = (lambda operation: words) if isinstance(words, str) else words
    return Entry("dense", symbol, said, cost, window)


operations("Matmul")(_linear("matmul", _contracted, _matmul_reads))
operations("Dot")(_linear("dot", _contracted, _dot_reads, "·"))
operations("Inner")(
    _linear(
        "inner",
        _contracted,
        lambda call: common.of_inputs(
            call,
            [
                (*(Along(a) for a in range(len(call.operands()[0][1]) - 1)), REDUCED),
                (
                    *(Along(len(call.operands()[0][1]) - 1 + a) for a in range(len(call.operands()[1][1]) - 1)),
                    REDUCED,
                ),
            ],
        ),
        "·",
    )
)
operations("Einsum")(_linear(lambda o: f"einsum {o.subscripts}", _einsum_cost, _einsum_reads))
operations("Tensordot")(_linear(lambda o: f"tensordot, {o.axes}", _tensordot_cost, _tensordot_reads))
operations("Outer Kron")(_linear(_name, none_at_all, _unknown, "⊗"))


def _attention_cost(call: Call) -> int:
    (_, query), (_, key), (_, value) = call.operands()[:3]
    return prod(query[1:]) * key[1] + prod(query[1:3]) * value[1] * value[3]  # type: ignore[arg-type,operator]


def _attention_reads(call: Call) -> Windows:
    operands = call.operands()
    found: list[tuple[Along, ...]] = []
    for number, (_, shape) in enumerate(operands):
        if number == 0:
            found.append((Along(0), Along(1), Along(2), REDUCED))
        elif number < 3:
            found.append((Along(0), REDUCED, Along(2), Along(3, whole=True)))
        else:
            found.append(tuple(REDUCED for _ in shape))
    return common.of_inputs(call, found)


def _attention_words(operation: Any) -> str:
    return "causal attention" if operation.is_causal else "attention"


operations("DotProductAttention")(
    Entry(
        "attention",
        "",
        _attention_words,
        _attention_cost,
        _attention_reads,
        words_of_call=causal(_attention_words),
    )
)


# -- convolutions and poolings ----------------------------------------------------------------------------------------


def _kernels(call: Call) -> list[Shape]:
    return [shape for number, shape in call.operands()[1:]]


def _conv_cost(call: Call) -> int:
    return prod(_kernels(call)[0]) * places(call.operation, call.outputs[0])  # type: ignore[arg-type]


def _transposed_cost(call: Call) -> int:
    return prod(_kernels(call)[0]) * places(call.operation, call.inputs[0])  # type: ignore[arg-type]


def _separable_cost(call: Call) -> int:
    kernels: list[Any] = _kernels(call)
    return sum(map(prod, kernels)) * places(call.operation, call.outputs[0])


def _conv_reads(mixes: bool) -> Callable[[Call], Windows]:
    def window(call: Call) -> Windows:
        rank = len(call.inputs[0]) - 2
        return sliding(call, _kernels(call)[0][:rank], mixes)

    return window


def _conv_words(what: str, sign: str = "/") -> Callable[[Any], str]:
    return lambda o: listed(
        what, stepped(o.strides, sign), f"dilation {by(o.dilation_rate)}" if stepped(o.dilation_rate) else ""
    )


operations("Conv")(Entry("conv", "", _conv_words("conv"), _conv_cost, _conv_reads(True)))
operations("DepthwiseConv")(Entry("conv", "", _conv_words("depthwise conv"), _conv_cost, _conv_reads(False)))
operations("SeparableConv")(Entry("conv", "", _conv_words("separable conv"), _separable_cost, _conv_reads(True)))
operations("ConvTranspose")(
    Entry(
        "conv",
        "",
        _conv_words("transposed conv", "×"),
        _transposed_cost,
        lambda call: common.transposed(call, _kernels(call)[0][: len(call.inputs[0]) - 2]),
    )
)


def _pool_words(said: str) -> Callable[[Any], str]:
    return lambda o: listed(f"{by(o.pool_size)} {said}", stepped(o.strides or o.pool_size))


for _kind, _said, _symbol in (("MaxPool", "max pool", "max"), ("AveragePool", "average pool", "mean")):
    operations(_kind)(
        free(
            "pool",
            _pool_words(_said),
            lambda call: sliding(call, call.operation.pool_size, False),
            _symbol,
        )
    )
operations("AdaptiveMaxPool AdaptiveAveragePool")(free("pool", lambda o: f"{_name(o)}, {by(o.output_size)}", _unknown))
operations("Unfold Fold DepthToSpace SpaceToDepth")(free("shape", _name, _unknown))


# -- images -----------------------------------------------------------------------------------------------------------


def _patches(call: Call) -> Windows | str:
    operation, rank = call.operation, len(call.inputs[0]) - 2
    sizes = each(operation.size, rank)
    steps = each(operation.strides or sizes, rank)
    rates = each(operation.dilation_rate, rank)
    lengths = sides(operation, call.inputs[0])
    reads = [
        Reads.window(k, s, d, operation.padding, n) for k, s, d, n in zip(sizes, steps, rates, lengths, strict=True)
    ]
    return (mapped(call, reads, True),)


def _margins(sign: int, *names: str) -> Callable[[Call], Windows | str]:
    def window(call: Call) -> Windows | str:
        top, left, bottom, right = (getattr(call.operation, name) for name in names)
        if None in (top, left, bottom, right) or len(call.inputs[0]) != 4:
            return UNKNOWN
        reads = [Reads.moved(sign * top, sign * bottom), Reads.moved(sign * left, sign * right)]
        return (mapped(call, reads, False),)

    return window


_SIDES = ("top", "left", "bottom", "right")
operations("Resize")(free("shape", lambda o: listed(f"resize, {by(o.size)}", o.interpolation), common.resizing))
operations("ExtractPatches")(free("shape", lambda o: f"{by(o.size)} patches", lambda call: _patches(call)))
operations("PadImages")(free("shape", "pad", _margins(1, *(f"{side}_padding" for side in _SIDES))))
operations("CropImages")(free("shape", "crop", _margins(-1, *(f"{side}_cropping" for side in _SIDES))))
operations("RGBToGrayscale RGBToHSV HSVToRGB")(
    free(
        "other",
        _name,
        lambda call: (
            (mapped(call, [Reads()] * (len(call.inputs[0]) - 2), True),) if len(call.inputs[0]) > 3 else UNKNOWN
        ),
    )
)
operations("AffineTransform MapCoordinates PerspectiveTransform ElasticTransform ScaleAndTranslate")(
    free("other", _name, _unknown)
)


# -- what is counted or followed by nobody ----------------------------------------------------------------------------


def _cost_unknown(call: Call) -> None:
    return None


operations("GaussianBlur SobelEdges SSIM")(Entry("other", "", _name, _cost_unknown, _unknown))
operations("FFT FFT2 IFFT2 RFFT IRFFT STFT ISTFT")(Entry("other", "", _name, _cost_unknown, _unknown))
operations(
    "Cholesky CholeskyInverse Det Eig Eigh Inv LuFactor Norm Qr Solve SolveTriangular SVD Lstsq MatrixRank Pinv JVP "
    "Logdet Slogdet CDist Corrcoef Correlate Cross Vdot"
)(Entry("other", "", _name, _cost_unknown, _unknown))
operations("Map Scan AssociativeScan Switch WhileLoop ForiLoop Cond VectorizedMap")(
    Entry("other", "", _name, _cost_unknown, _unknown)
)
operations("CTCLoss CTCDecode CategoricalCrossentropy SparseCategoricalCrossentropy PSNR")(
    free("other", _name, _unknown)
)
operations("SegmentReduction SegmentSum SegmentMax SegmentMin SegmentProd ExtractSequences InTopK")(
    free("other", _name, _unknown)
)
operations(
    "AllClose Bincount Digitize Histogram IsIn Nonzero Percentile Quantile Nanpercentile Nanquantile SearchSorted "
    "Trapezoid Unique UnravelIndex Vander"
)(free("other", _name, _unknown))
operations("Rearrange")(free("shape", _name, _unknown))
