"""From one pixel of the output back to the input: the smallest image that a network takes, and what the pixel sees.

A chain of (window, stride, …) is worked out in plain Python; a Keras model is walked against its edges. What a layer
needs in order to give so many pixels is known in closed form for Keras's convolutions, poolings and the like; of any
other layer it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .window_sizes import extent, least_input, pair, receptive_field_of

Sides = tuple[int | None, ...]
_LARGEST = 1 << 14


def min_input_size(model: Any) -> Any:
    """The smallest image from which every output of a network still has a pixel.

    The sizes within a model are not looked at, only its layers, so that what stands here is also the smallest size for
    which it could be built anew. Branches that fit together at some sizes only are not seen: it is a lower bound there.

    Args:
        model: a functional or built sequential Keras model of one input; or a chain of (window, stride, padding).

    Returns:
        Pixels, (height, width) for a model of images; one number for a chain.

    Raises:
        TypeError: it is neither.

    Example:
        >>> min_input_size([(3, 2, "valid"), (2, 2, "valid")])
        5
    """
    return _answer(model, _LEAST, least_input)


def receptive_field(model: Any) -> Any:
    """How many pixels of the input lie between the first and the last that one pixel of the output sees, both included.

    Args:
        model: a functional or built sequential Keras model of one input; or a chain of (window, stride).

    Returns:
        Pixels, (height, width) for a model of images, the largest over all paths and outputs, and None on an axis where
        something sees all of the image (a global pooling, a dense layer); one number for a chain.

    Raises:
        TypeError: it is neither.

    Example:
        >>> receptive_field([(7, 2), (3, 2), (3, 1), (3, 1)])
        27
    """
    return _answer(model, _FIELD, receptive_field_of)


@dataclass(frozen=True)
class _Question:
    """What is asked of the layers, each rule for one axis: `rule(pixels of the output, …) -> pixels of the input`."""

    window: Callable[[int, int, int, bool], int]  # extent, stride, whether valid
    transposed: Callable[[int, int, int, bool, int | None], int]  # and the output padding
    padded: Callable[[int, int], int]  # rows added, below 0 for cropped
    enlarged: Callable[[int, int, bool], int]  # factor, whether interpolated
    whole: int | None  # for a layer that has all of the image in one number
    other: bool  # whether unknown layers are asked


def _transposed_least(n: int, e: int, s: int, valid: bool, given: int | None) -> int:
    filled = max(e, s) - e if valid else s - e % 2
    own = (e if valid else e % 2) + (filled if given is None else given)
    return max(1, -(-(n - own) // s) + 1)


_LEAST = _Question(
    window=lambda n, e, s, valid: (n - 1) * s + (e if valid else 1),
    transposed=_transposed_least,
    padded=lambda n, rows: max(1, n - rows),
    enlarged=lambda n, factor, smooth: -(-n // factor),
    whole=1,
    other=True,
)
_FIELD = _Question(
    window=lambda n, e, s, valid: (n - 1) * s + e,
    transposed=lambda n, e, s, valid, given: (n + e - 2) // s + 1,
    padded=lambda n, rows: n,
    enlarged=lambda n, factor, smooth: (n + factor - 2) // factor + 1 + smooth,
    whole=None,
    other=False,
)


def _answer(model: Any, question: _Question, chain: Callable[[Any], int]) -> Any:
    if isinstance(model, Iterable) and not hasattr(model, "layers"):
        return chain(model)
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise TypeError(f"model takes a functional or built sequential Keras model, or a chain, got {model!r:.80}")
    needed = _walk(model, question, [_ones(tensor, 1) for tensor in model.outputs])
    return needed[0]


def _ones(tensor: Any, number: int | None) -> Sides:
    return (number,) * max(0, len(tensor.shape) - 2)


def _most(first: Sides | None, second: Sides) -> Sides:
    if first is None:
        return second
    return tuple(None if a is None or b is None else max(a, b) for a, b in zip(first, second, strict=True))


def _walk(model: Any, question: _Question, outputs: list[Sides]) -> list[Sides]:
    """What the inputs of a model need so that its outputs have these sides."""
    from .._keras import call_of

    needs: dict[int, Sides] = {}
    for tensor, sides in zip(model.outputs, outputs, strict=True):
        needs[id(tensor)] = _most(needs.get(id(tensor)), sides)
    entries = {id(tensor) for tensor in model.inputs}
    for call in _from_the_end(model, call_of):
        if any(id(tensor) in entries for tensor in call.outputs):
            continue
        wanted = [needs.get(id(tensor), _ones(tensor, 1)) for tensor in call.outputs]
        for tensor, sides in zip(call.input_tensors, _before(call, question, wanted), strict=True):
            needs[id(tensor)] = _most(needs.get(id(tensor)), sides)
    return [needs.get(id(tensor), _ones(tensor, 1)) for tensor in model.inputs]


def _from_the_end(model: Any, call_of: Callable[[Any], Any]) -> list[Any]:
    """The calls of a model, each before those that it takes something from."""
    done: set[int] = set()
    order: list[Any] = []
    entries = {id(tensor) for tensor in model.inputs}
    waiting = [(call_of(tensor), False) for tensor in model.outputs]
    while waiting:
        call, ready = waiting.pop()
        if ready:
            order.append(call)
        elif id(call) not in done:
            done.add(id(call))
            waiting.append((call, True))
            if not any(id(tensor) in entries for tensor in call.outputs):
                waiting.extend((call_of(tensor), False) for tensor in call.input_tensors)
    return order[::-1]


def _before(call: Any, question: _Question, wanted: list[Sides]) -> list[Sides]:
    """What each input of a call needs."""
    layer, tensors = call.operation, call.input_tensors
    if hasattr(layer, "layers") and getattr(layer, "outputs", None) and len(tensors) == len(layer.inputs):
        return _walk(layer, question, wanted)
    out = wanted[0]
    kind = {c.__name__ for c in type(layer).__mro__}
    if "MatchSize" in kind:
        return [_ones(tensors[0], 1) if question.other else out, out]
    if "MinimumSize" in kind:
        least = (layer.height, layer.width)
        return [_most(out, least) if question.other else out]
    return [_through(call, layer, kind, tensor, question, out) for tensor in tensors]


def _through(call: Any, layer: Any, kind: set[str], tensor: Any, question: _Question, out: Sides) -> Sides:
    rank = len(tensor.shape) - 2
    if rank < 1:
        return ()
    name = type(layer).__name__
    if len(out) != rank or name.startswith(("Global", "Adaptive")):
        return _ones(tensor, question.whole)
    if None in out:
        return out
    if not kind.isdisjoint(_ELEMENTWISE):
        return out
    for attribute, rule in _RULES.items():
        if hasattr(layer, attribute):
            return tuple(rule(layer, question, n, axis) for axis, n in enumerate(out))  # type: ignore[arg-type]
    return _asked(call, tensor, out) if question.other else out


_ELEMENTWISE = {
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Activation", "ReLU", "Dropout"),
    *("BatchNormalization", "FusedBatchNormalization", "LayerNormalization", "GroupNormalization", "Rescaling"),
    *("Dense", "InputLayer"),
}


def _of(value: Any, axis: int) -> Any:
    return value[axis] if isinstance(value, tuple | list) else value


def _windowed(size: str) -> Callable[[Any, _Question, int, int], int]:
    def rule(layer: Any, question: _Question, n: int, axis: int) -> int:
        window = _of(getattr(layer, size), axis)
        stride = _of(getattr(layer, "strides", 1) or window, axis)
        e = extent(window, _of(getattr(layer, "dilation_rate", 1), axis))
        valid = getattr(layer, "padding", "same") == "valid"
        if "Transpose" in type(layer).__name__:
            return question.transposed(n, e, stride, valid, _of(layer.output_padding, axis))
        return question.window(n, e, stride, valid)

    return rule


def _enlarged(layer: Any, question: _Question, n: int, axis: int) -> int:
    return question.enlarged(n, _of(layer.size, axis), getattr(layer, "interpolation", "nearest") != "nearest")


_RULES: dict[str, Callable[[Any, _Question, int, int], int]] = {
    "kernel_size": _windowed("kernel_size"),
    "pool_size": _windowed("pool_size"),
    "cropping": lambda layer, question, n, axis: question.padded(n, -sum(pair(_of(layer.cropping, axis)))),
    "size": _enlarged,
}


def _padded(layer: Any, question: _Question, n: int, axis: int) -> int:
    return question.padded(n, sum(pair(_of(layer.padding, axis))))


_RULES["padding"] = _padded  # a layer that has this and no window is a ZeroPadding


def _asked(call: Any, tensor: Any, out: Sides) -> Sides:
    """The smallest sides at which the layer itself says that it gives those wanted, found by halving."""
    import keras

    from .._keras import infer_again

    layer = call.operation
    last = getattr(layer, "data_format", None) or keras.config.image_data_format()
    first = 1 if last == "channels_last" else 2

    def given(axis: int, side: int) -> int:
        specs = {}
        for other in call.input_tensors:
            shape = list(other.shape)
            if len(shape) == len(tensor.shape):
                shape[first : first + len(out)] = [_LARGEST] * len(out)
                shape[first + axis] = side
            specs[id(other)] = keras.KerasTensor(shape, other.dtype)
        try:
            made = infer_again(call, specs)[0].shape
        except (ValueError, TypeError):
            return 0
        return made[first + axis] or 0

    sides = []
    for axis, wanted in enumerate(out):
        assert wanted is not None
        if given(axis, wanted) == wanted and given(axis, wanted - 1) < wanted:
            sides.append(wanted)
            continue
        low, high = 0, _LARGEST  # given(low) < wanted <= given(high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if given(axis, middle) >= wanted else (middle, high)
        sides.append(high)
    return tuple(sides)
