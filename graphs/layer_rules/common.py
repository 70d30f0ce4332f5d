"""What several entries are made of: words, counts and windows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from math import prod
from typing import Any

from ..rules import (
    IN_PLACE,
    POINTWISE,
    REDUCED,
    UNKNOWN,
    Along,
    Call,
    Entry,
    PerOutput,
    Reads,
    Regrouped,
    Shape,
    Windows,
    aligned,
    spatial,
)


def none_at_all(call: Call) -> int:
    """Multiply-adds of what does not multiply and add, as convolutions do."""
    return 0


def pointwise(call: Call) -> str:
    return POINTWISE


def free(role: str, words: Callable[[Any], str] | str, window: Any = pointwise, symbol: str = "", **more: Any) -> Entry:
    """An entry of what costs nothing."""
    said = (lambda operation: words) if isinstance(words, str) else words
    return Entry(role, symbol, said, none_at_all, window, **more)


# -- words ------------------------------------------------------------------------------------------------------------


def by(sizes: Any) -> str:
    """3×3; one number where all are equal only if there is one axis."""
    return "×".join(map(str, sizes)) if isinstance(sizes, Iterable) else str(sizes)


def kernel_words(sizes: Any) -> str:
    """3×3; `kernel-3` where there is one axis."""
    text = by(sizes)
    return f"kernel-{text}" if text.isdigit() else text


def axes(numbers: Any) -> str:
    """`axis 1`, `axes 1, 2`: these are no sizes."""
    several = tuple(numbers) if isinstance(numbers, Iterable) else (numbers,)
    return f"{'axis' if len(several) == 1 else 'axes'} {', '.join(map(str, several))}"


def stepped(sizes: Any, sign: str = "/") -> str:
    """`/2`, `/2×1`; "" for 1."""
    steps = tuple(sizes) if isinstance(sizes, Iterable) else (sizes,)
    if all(step == 1 for step in steps):
        return ""
    return f"{sign}{steps[0] if len(set(steps)) == 1 else by(steps)}"


def listed(*parts: Any) -> str:
    """The parts that say something, with commas."""
    return ", ".join(str(part) for part in parts if part not in ("", None))


def activation_name(operation: Any) -> str:
    """The name of a layer's activation, "" for none."""
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", None) or getattr(activation, "name", None) or type(activation).__name__
    return "" if activation is None or name == "linear" else str(name)


# -- axes -------------------------------------------------------------------------------------------------------------


def channels_first(operation: Any) -> bool:
    order = getattr(operation, "data_format", None)
    if order is None:
        import keras

        order = keras.config.image_data_format()
    return order == "channels_first"


def places(operation: Any, shape: Shape) -> int:
    """How many positions a map has."""
    return prod(shape[2:] if channels_first(operation) else shape[1:-1])  # type: ignore[arg-type]


def channels(operation: Any, shape: Shape) -> int:
    return shape[1 if channels_first(operation) else -1]  # type: ignore[return-value]


def sides(operation: Any, shape: Shape) -> Shape:
    return shape[2:] if channels_first(operation) else shape[1:-1]


def each(value: Any, rank: int) -> tuple[Any, ...]:
    """One value an axis."""
    return tuple(value) if isinstance(value, list | tuple) else (value,) * rank


def axes_of(given: Any, rank: int) -> tuple[int, ...]:
    """Axes counted from the front; None for all."""
    if given is None:
        return tuple(range(rank))
    return tuple(axis % rank for axis in (given if isinstance(given, list | tuple) else (given,)))


def gathering(*attributes: str, last: bool = False) -> Callable[[Call], Windows]:
    """Shape kept; of the axes that an attribute names, everything is read."""

    def window(call: Call) -> Windows:
        shape = call.inputs[0]
        given = -1 if last else getattr(call.operation, attributes[0])
        gathered = axes_of(given, len(shape))
        return (aligned(shape, call.outputs[0], gathered), *(aligned(s, call.outputs[0]) for s in call.inputs[1:]))

    return window


def reduced(shape: Shape, axes: Sequence[int], keepdims: bool) -> tuple[Along, ...]:
    """What a reduction reads."""
    found, kept = [], 0
    for axis in range(len(shape)):
        gone = axis in axes
        found.append(REDUCED if gone else Along(kept))
        kept += not gone or keepdims
    return tuple(found)


def permuted(order: Sequence[int]) -> tuple[Along, ...]:
    """What a transposition reads; `order[i]` is which axis comes i-th."""
    return tuple(Along(list(order).index(axis)) for axis in range(len(order)))


def others(call: Call) -> Iterator[tuple[Along, ...]]:
    """Inputs after the first, a mask or a state: of each all is read, but of an example only its own."""
    return ((Along(0), *[REDUCED] * (len(shape) - 1)) for shape in call.inputs[1:])


def everything(call: Call) -> Windows:
    """Every output reads all of every input, and no axis of it follows one of theirs."""
    return tuple((Along(0), *[REDUCED] * (len(shape) - 1)) if shape else () for shape in call.inputs)


def gathered(axis: int, places: Iterable[int], follows: bool = True) -> Along:
    """An axis of which each position of the output reads that one; unknown if there are too many to say."""
    found = places if isinstance(places, range) else tuple(islice(places, MOST_PLACES + 1))
    reads = IN_PLACE if follows else Reads(follows=False)
    if len(found) > MOST_PLACES:
        return Along(axis, reads, unknown=True)
    return Along(axis, reads, places=found)


# Positions of more than this along an axis are not told one by one.
MOST_PLACES = 4096


def regrouped(shape: Shape, output: Shape, target: Sequence[Any] | None) -> Windows | str:
    """What a reshape reads, where the batch stays; `target` is what it was given for the axes after the batch."""
    a, b = 1, 1
    groups: list[tuple[tuple[int, ...], tuple[int, ...], bool]] = [((0,), (0,), False)]
    wild = None if target is None else [size in (-1, None) or not isinstance(size, int) for size in target]
    if shape[:1] != output[:1] or len(output) < 1:
        return UNKNOWN
    tail: list[tuple[tuple[int, ...], tuple[int, ...], bool]] = []
    ends = [len(shape), len(output)]
    while a < ends[0] and b < ends[1] and shape[a] == output[b] and (shape[a] is not None or a == b):
        if shape[a] is None and not (wild is None or wild[b - 1]):
            break
        groups.append(((a,), (b,), wild is not None and not wild[b - 1]))
        a, b = a + 1, b + 1
    while ends[0] > a and ends[1] > b and shape[ends[0] - 1] == output[ends[1] - 1] is not None:
        ends = [ends[0] - 1, ends[1] - 1]
        tail.insert(0, ((ends[0],), (ends[1],), wild is not None and not wild[ends[1] - 1]))
    rest_in, rest_out = shape[a : ends[0]], output[b : ends[1]]
    if None in rest_in or None in rest_out:
        if rest_in or rest_out:
            fixed = wild is not None and not any(wild[b - 1 : ends[1] - 1])
            groups.append((tuple(range(a, ends[0])), tuple(range(b, ends[1])), fixed))
        return Regrouped((*groups, *tail))
    if prod(rest_in) != prod(rest_out):  # type: ignore[arg-type]
        return UNKNOWN
    while a < ends[0] or b < ends[1]:
        before, after = list(range(a, min(a + 1, ends[0]))), list(range(b, min(b + 1, ends[1])))
        a, b = a + 1, b + 1
        while prod(shape[i] for i in before) != prod(output[i] for i in after):  # type: ignore[misc]
            if prod(shape[i] for i in before) < prod(output[i] for i in after):  # type: ignore[misc]
                before, a = [*before, a], a + 1
            else:
                after, b = [*after, b], b + 1
        fixed = wild is not None and not any(wild[axis - 1] for axis in after)
        groups.append((tuple(before), tuple(after), fixed))
    return Regrouped((*groups, *tail))


# -- activations ------------------------------------------------------------------------------------------------------

POINTWISE_FUNCTIONS = frozenset(
    [
        "linear",
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "swish",
        "hard_silu",
        "hard_swish",
        "softplus",
        "softsign",
        "tanh",
        "sigmoid",
        "hard_sigmoid",
        "exponential",
        "mish",
        "log_sigmoid",
        "squareplus",
        "sparse_plus",
        "sparse_sigmoid",
        "soft_shrink",
        "hard_shrink",
        "tanh_shrink",
        "hard_tanh",
        "threshold",
        "exp",
        "abs",
        "square",
        "sqrt",
        "sin",
        "cos",
        "scaled_tanh",
    ]
)
LAST_AXIS_FUNCTIONS = frozenset(("softmax", "log_softmax", "sparsemax", "glu"))


def activation_reads(activation: Any) -> str | None:
    """`POINTWISE`, "last" for what gathers the last axis, None for what nobody knows."""
    if activation is None:
        return POINTWISE
    module = str(getattr(activation, "__module__", ""))
    name = getattr(activation, "__name__", "")
    if module.startswith(("keras.", "layerblocks.")) and name in POINTWISE_FUNCTIONS:
        return POINTWISE
    if module.startswith("keras.") and name in LAST_AXIS_FUNCTIONS:
        return "last"
    if not isinstance(activation, type) and hasattr(activation, "get_config"):  # a layer
        from ..rules import entry_of

        window = entry_of(activation).window
        if window is pointwise:
            return POINTWISE
        return "last" if type(activation).__name__ == "Softmax" and activation.axis in (-1, [-1], (-1,)) else None
    return None


def activated(window: Callable[[Call], Windows | str]) -> Callable[[Call], Windows | str]:
    """A window, and what the layer's `activation` reads of what it makes."""

    def both(call: Call) -> Windows | str:
        found = window(call)
        reads = activation_reads(getattr(call.operation, "activation", None))
        if reads is None:
            return UNKNOWN
        if reads == POINTWISE or isinstance(found, str | Regrouped | PerOutput):
            return found
        last = len(call.outputs[0]) - 1
        return tuple(
            tuple(Along(a.axis, a.reads, True, a.least) if a.axis == last else a for a in axes) for axes in found
        )

    return both


# -- convolutions and poolings ----------------------------------------------------------------------------------------


def windowed(size: str, mixes: bool = True) -> Callable[[Call], Windows]:
    """What a layer with `size`, `strides`, `padding` and `dilation_rate` reads."""

    def window(call: Call) -> Windows:
        return sliding(call, getattr(call.operation, size), mixes)

    return window


def sliding(call: Call, size: Any, mixes: bool = True, stride: Any = None) -> tuple[tuple[Along, ...], ...]:
    operation, shape = call.operation, call.inputs[0]
    rank = len(shape) - 2
    sizes = each(size, rank)
    steps = each(stride or getattr(operation, "strides", None) or sizes, rank)
    rates = each(getattr(operation, "dilation_rate", 1), rank)
    reads = _slid(sides(operation, shape), sizes, steps, rates, str(operation.padding).lower())
    return (mapped(call, reads, mixes), *others(call))


@functools.lru_cache(maxsize=1024)
def _slid(
    lengths: Shape, sizes: tuple[int, ...], steps: tuple[int, ...], rates: tuple[int, ...], padding: str
) -> tuple[Reads, ...]:
    if padding not in ("valid", "same", "causal"):
        raise ValueError(padding)
    each_axis = zip(sizes, steps, rates, lengths, strict=True)
    reads = (Reads.window(k, s, d, padding, n) for k, s, d, n in each_axis)
    return tuple(IN_PLACE if one == IN_PLACE else one for one in reads)


def mapped(call: Call, reads: Sequence[Reads], mixes: bool) -> tuple[Along, ...]:
    """One window for each axis between batch and channels; without `mixes` each channel reads its own."""
    first = channels_first(call.operation)
    axes = list(spatial(call.inputs[0], reads, first))
    if not mixes:
        place = 1 if first else len(axes) - 1
        before, after = call.inputs[0][place], call.outputs[0][place]
        times = after // before if before and after and after % before == 0 else None
        axes[place] = Along(place, unknown=True) if times is None else Along(place, Reads(1, times, 1 - times, 0, 1))
    return tuple(axes)


def transposed(call: Call, size: Any) -> Windows:
    operation, rank = call.operation, len(call.inputs[0]) - 2
    padding = str(operation.padding).lower()
    if padding not in ("valid", "same"):
        raise ValueError(padding)
    reads = [
        Reads.transposed(k, s, d, padding, o)
        for k, s, d, o in zip(
            each(size, rank),
            each(operation.strides, rank),
            each(operation.dilation_rate, rank),
            each(operation.output_padding, rank),
            strict=True,
        )
    ]
    return (mapped(call, reads, True), *others(call))


def resized(before: Shape, after: Shape, interpolation: str, follows: bool = False) -> list[Reads] | None:
    """What an image resampled to another size reads; None where that is not known."""
    if None in before or None in after:
        return None
    found = []
    for n, m in zip(before, after, strict=True):
        assert n is not None and m is not None
        if interpolation == "nearest" and (m % n == 0 or n % m == 0):
            shift = (n // m) // 2 if n % m == 0 and n > m else 0
            found.append(Reads(n, m, shift * m - (m - 1) if n < m else shift * m, shift * m, 1, follows))
        elif interpolation == "bilinear" and n <= m:  # between the middles of two pixels
            # At x = (2p + 1) n / 2m - 1/2: floor(x) and ceil(x), of x = (2np + n - m) / 2m.
            found.append(Reads(2 * n, 2 * m, n - m - (2 * m - 1), n - m + 2 * m - 1, 2, follows))
        elif n == m:
            found.append(Reads(follows=follows))
        else:
            return None
    return found


# -- products ---------------------------------------------------------------------------------------------------------


def letters(equation: str, shapes: Sequence[Shape], output: Shape) -> tuple[list[list[str]], list[str]]:
    """The letters of the axes of each operand and of the result of an einsum; an ellipsis becomes digits."""
    equation = equation.replace(" ", "")
    left, arrow, right = equation.partition("->")
    operands = []
    for part, shape in zip(left.split(","), shapes, strict=True):
        more = len(shape) - len(part.replace("...", ""))
        operands.append(_spelled(part, more))
    widest = max((sum(letter.isdigit() for letter in one) for one in operands), default=0)
    if not arrow:
        flat = [letter for one in operands for letter in one]
        right = "..." * bool(widest) + "".join(sorted({c for c in flat if flat.count(c) == 1 and not c.isdigit()}))
    return operands, _spelled(right, widest)


def _spelled(part: str, more: int) -> list[str]:
    if "..." not in part:
        return list(part)
    before, after = part.split("...")
    return [*before, *(str(number) for number in reversed(range(more))), *after]


def einsum_multiply_adds(equation: str, shapes: Sequence[Shape], output: Shape, batched: int = 0) -> int | None:
    """Of two operands, axis 0 of one of which is the batch; None for more, whose order of contraction is open."""
    if len(shapes) == 1:
        return 0
    if len(shapes) != 2:
        return None
    operands, result = letters(equation, shapes, output)
    if set(operands[0]) == set(operands[1]) == set(result):
        return 0  # element by element
    sizes: dict[str, int | None] = {}
    for one, shape in zip(operands, shapes, strict=True):
        for letter, size in zip(one, shape, strict=True):
            sizes[letter] = size if sizes.get(letter, 1) == 1 else sizes[letter]
    used = {letter for letter in sizes if letter in result or all(letter in one for one in operands)}
    if operands[batched][0] in result:
        used.discard(operands[batched][0])
    return prod(sizes[letter] for letter in used)  # type: ignore[misc]


def einsum_reads(equation: str, shapes: Sequence[Shape], output: Shape) -> list[tuple[Along, ...]]:
    """What each operand of an einsum is read of."""
    operands, result = letters(equation, shapes, output)
    return [tuple(Along(result.index(letter)) if letter in result else REDUCED for letter in one) for one in operands]


def of_inputs(call: Call, reads: Sequence[tuple[Along, ...]]) -> Windows:
    """Those of the operands that are inputs."""
    return tuple(axes for axes, (number, _) in zip(reads, call.operands(), strict=True) if number is not None)


def resizing(call: Call) -> Windows | str:
    """The windows of a layer or operation that resizes images; unknown where it keeps their proportions."""
    operation = call.operation
    if operation.crop_to_aspect_ratio or operation.pad_to_aspect_ratio or len(call.inputs[0]) != 4:
        return UNKNOWN
    before, after = sides(operation, call.inputs[0]), sides(operation, call.outputs[0])
    reads = resized(before, after, operation.interpolation)
    return UNKNOWN if reads is None else (mapped(call, reads, False),)
