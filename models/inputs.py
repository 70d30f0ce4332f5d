"""A finished network on other images: of another size, or with other channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np

from .. import _keras, checks
from ..blocks.tensors import channel_axis
from ..graphs.calls import calls, has_graph, wired
from .cloning import remade
from .origins import made_of
from .rewiring import recompute

CHANNELS = ("sum", "mean", "repeat")
_MOST = 2**20  # channels of an image


@checks.public
@_keras.deep_graphs()
def with_input(
    model: keras.Model,
    shape: Sequence[int | None],
    *,
    channels: Literal["sum", "mean", "repeat"] | None = None,
) -> keras.Model:
    """Build a model on another input: images of another size, or with other channels, with the same weights.

    Args:
        model: functional or sequential, with one input.
        shape: of the new input, without the batch: (height, width, channels), None for a side of any length.
        channels: how the kernels that see the input are changed to other channels, as `kernel_for_channels`.

    Returns:
        A model that shares its layers with the old one, apart from those whose kernels change. A model in it that was
        made for the old input is a new one of the same name and layers.

    Raises:
        ValueError: a layer does not fit the new size, such as a dense layer after flattening (says which); other
            channels without `channels`; a layer that sees the input has no kernel that can be changed.
        TypeError: not a model with a graph, or `shape` no list of integers and None.

    Example:
        >>> from layerblocks.architectures import resnet18
        >>> grey = with_input(resnet18(input_shape=(64, 64, 3)), (None, None, 1), channels="sum")
        >>> grey.input_shape
        (None, None, None, 1)
    """
    model = wired(model)
    if len(model.inputs) != 1:
        raise checks.refuse("model", f"one of {len(model.inputs)} inputs", "a model with one input")
    (old,) = model.inputs
    rank, axis = len(old.shape) - 1, channel_axis()
    if not checks.is_sequence(shape):
        raise checks.refuse("shape", shape, f"a tuple of {rank} integers or None", TypeError)
    if len(shape) != rank or shape[axis if axis == -1 else 0] is None:
        raise checks.refuse(
            "shape", shape, f"{rank} numbers, the sides and the channels; None for a side of any length"
        )
    sides = tuple(side if side is None else checks.integer("shape", side) for side in shape)
    checks.choice("channels", channels, (None, *CHANNELS))
    given, wanted = old.shape[axis], (None, *sides)[axis]
    if given != wanted and channels is None:
        raise checks.refuse("shape", tuple(shape), f"one of {given} channels, or any with channels= given")
    return _on(model, sides, channels)


def _on(model: Any, sides: tuple[int | None, ...], channels: Any) -> keras.Model:
    """The model on an input of these sides and channels; those nested in it, that were made for others, as well."""
    (old,) = model.inputs
    axis = channel_axis()
    x = keras.Input(sides, dtype=old.dtype, name=_keras.call_of(old).operation.name)
    known = {id(old): x}
    if old.shape[axis] != x.shape[axis]:
        for call in _first(model):
            if _is_nested(call):
                continue
            layer = _for_channels(call.operation, x.shape[axis], channels)
            inputs = recompute(call.input_tensors, known)
            made = _keras.call_again(
                call, {id(t): new for t, new in zip(call.input_tensors, inputs, strict=True)}, layer
            )
            _give(layer, call.operation, channels)
            known.update(zip(map(id, call.outputs), made, strict=True))
    made_on: dict[tuple[int, tuple[int | None, ...]], keras.Model] = {}
    for call in calls(model.outputs):
        if _is_nested(call) and not all(id(tensor) in known for tensor in call.outputs):
            (tensor,) = recompute(call.input_tensors, known)
            nested, shape = wired(call.operation), tuple(tensor.shape[1:])
            if not _fits(nested.inputs[0].shape[1:], shape):
                if (id(call.operation), shape) not in made_on:
                    made_on[id(call.operation), shape] = _on(nested, shape, channels)
                again = _keras.call_again(call, {id(call.input_tensors[0]): tensor}, made_on[id(call.operation), shape])
                known.update(zip(map(id, call.outputs), again, strict=True))
    recompute(model.outputs, known)
    outputs = keras.tree.map_structure(lambda tensor: known[id(tensor)], model.output)
    inputs = keras.tree.map_structure(lambda tensor: x, model.input)
    return made_of(model, inputs, outputs)


def _is_nested(call: Any) -> bool:
    """Whether a call is of a model of one input."""
    return has_graph(call.operation) and len(call.input_tensors) == len(wired(call.operation).inputs) == 1


def _fits(made_for: Sequence[int | None], shape: Sequence[int | None]) -> bool:
    return len(made_for) == len(shape) and all(own in (None, side) for own, side in zip(made_for, shape, strict=True))


@checks.public
def kernel_for_channels(kernel: Any, channels: int, how: Literal["sum", "mean", "repeat"] = "sum") -> np.ndarray:
    """Make the kernel of a convolution that sees so many channels of one that saw others.

    Shapes: `… in out` -> `… channels out`.

    Args:
        how: `"sum"`: each new channel has an equal share of the sum of the old ones, so that an image whose channels
            are equal gives what it gave; `"mean"`: each has the mean of the old ones; `"repeat"`: the old ones in
            turn, times old channels / new channels.

    Raises:
        ValueError: a number out of range.

    Example:
        >>> kernel_for_channels(np.ones((1, 1, 3, 2)), 4)[0, 0, :, 0]
        array([0.75, 0.75, 0.75, 0.75])
    """
    channels = checks.integer("channels", channels)
    if channels > _MOST:
        raise checks.refuse("channels", channels, f"at most {_MOST}")
    checks.choice("how", how, CHANNELS)
    array = array_of("kernel", kernel)
    if array.ndim < 2 or not array.size:
        raise checks.refuse("kernel", array.shape, "an array of shape (…, in, out)")
    given = array.shape[-2]
    if how == "repeat":
        return array[..., np.arange(channels) % given, :] * np.asarray(given / channels, array.dtype)
    one = array.sum(-2, keepdims=True) / channels if how == "sum" else array.mean(-2, keepdims=True)
    return np.repeat(one, channels, -2)


def array_of(argument: str, value: Any) -> np.ndarray:
    """The value as an array of numbers."""
    try:
        array = np.asarray(value)
    except Exception:  # a symbolic tensor, a variable without a value; each backend has errors of its own
        array = np.asarray("")
    if array.dtype.kind not in "biufV":  # V for bfloat16
        raise checks.refuse(argument, value, "an array of numbers", TypeError)
    return array


def first_with_weights(model: Any) -> set[str]:
    """Find the names of the layers with weights that no other such layer stands before."""
    return {call.operation.name for call in _first(wired(model))}


def _first(model: Any) -> list[Any]:
    """Their calls."""
    image: set[int] = set()
    found = []
    for call in calls(model.outputs):
        if call.is_input or any(id(tensor) in image for tensor in call.input_tensors):
            if getattr(call.operation, "weights", None):
                found.append(call)
            else:
                image.update(map(id, call.outputs))
    return found


_KERNELS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D, keras.layers.Dense)
_OTHERS = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)


def _for_channels(layer: Any, channels: int, how: str) -> Any:
    if not isinstance(layer, _KERNELS) or isinstance(layer, _OTHERS) or getattr(layer, "groups", 1) != 1:
        kind = type(layer).__name__
        raise checks.complaint(f"{checks.one_line(layer.name)} sees the input, and a {kind} has no other channels")
    return remade(layer)


def _give(new: Any, old: Any, how: Any) -> None:
    """The weights of the old layer, its kernel for the channels of the new one."""
    for ours, theirs in zip(new.weights, old.weights, strict=True):
        if _keras.is_allocated(ours) and _keras.is_allocated(theirs):
            value = keras.ops.convert_to_numpy(theirs)
            ours.assign(value if ours.shape == theirs.shape else kernel_for_channels(value, ours.shape[-2], how))
