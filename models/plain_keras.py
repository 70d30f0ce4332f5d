"""Networks of Keras's own layers alone, which compute what ours do in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from .. import _keras
from ..blocks import layers as own
from ..graphs.calls import has_graph
from .cloning import copied, nested, remade
from .origins import Network

_OURS = "layerblocks"
# Those that draw numbers in training and pass images on in use.
_AUGMENTATIONS = (
    *("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomShear", "RandomPerspective"),
    *("RandomContrast", "RandomBrightness", "RandomSaturation", "RandomHue", "RandomColorJitter"),
    *("RandomColorDegeneration", "RandomSharpness", "RandomPosterization", "RandomGaussianBlur", "RandomGrayscale"),
    *("RandomInvert", "RandomErasing", "RandAugment", "AugMix", "MixUp", "CutMix"),
)


def plain(model: keras.Model) -> keras.Model:
    """Copy a model into one of Keras's layers and operations, as far as there are such; itself where it is one.

    It computes the same in use. The guards of `MinimumSize` and `Add` go, and what trains differently from Keras's own
    (stochastic depth, a fused norm, connections that are not there) becomes Keras's own form of it.
    """
    if not has_graph(model) or not any(_is_ours(layer) for layer in _layers(model)):
        return model
    network = keras.Model(model.inputs, model.outputs, name=model.name) if _is_sequential(model) else model

    def remake(layer: keras.Layer, last: bool) -> keras.Layer:
        kind, config = _kind_of(layer), _arguments_of(layer)
        return remade(layer, **config) if kind is None else kind.from_config(config)

    made = copied(network, nested(network), remake=remake, values=_values, without=_guards(network), instead=_inlined)
    return keras.Model(made.input, made.output, name=made.name) if isinstance(made, Network) else made


def for_use(model: keras.Model, *, constants: bool = False) -> keras.Model:
    """Copy a model into one without what only augments images in training; itself where there is nothing of that.

    With `constants` a `Normalization` becomes operations on constants, which some exporters lose in the layer.
    """
    layers = list(_layers(model)) if has_graph(model) else []
    idle = [layer for layer in layers if _is_augmentation(layer)]
    norms = [x for x in layers if constants and type(x) is keras.layers.Normalization]
    if not idle and not norms:
        return model
    network = keras.Model(model.inputs, model.outputs, name=model.name) if _is_sequential(model) else model
    return copied(
        network,
        nested(network),
        remake=lambda layer, last: remade(layer),
        values=lambda layer: layer.weights,
        without=idle,
        instead=partial(_normalized, {id(norm) for norm in norms}),
    )


def _is_augmentation(layer: Any) -> bool:
    return type(layer).__module__.startswith("keras.") and type(layer).__name__ in _AUGMENTATIONS


def _is_sequential(model: Any) -> bool:
    return isinstance(model, keras.Sequential)


def _layers(model: Any) -> Any:
    """The layers of a model and of those nested in it."""
    for layer in model.layers:
        yield from _layers(layer) if has_graph(layer) else [layer]


def _is_ours(layer: Any) -> bool:
    return type(layer).__module__.startswith(f"{_OURS}.") or _names_us(layer.get_config())


def _names_us(config: Any) -> bool:
    """Whether a configuration names something of this package."""
    if isinstance(config, Mapping):
        said = (str(config.get("registered_name", "")), str(config.get("module", "")))
        return any(word.startswith(_OURS) for word in said) or any(map(_names_us, config.values()))
    if isinstance(config, list | tuple):
        return any(map(_names_us, config))
    return isinstance(config, str) and config.startswith(f"{_OURS}>")


# -- layers for layers ------------------------------------------------------------------------------------------------

_LAYERS: Mapping[type, type] = {
    own.Add: keras.layers.Add,
    own.FusedBatchNormalization: keras.layers.BatchNormalization,
    own.StochasticDepth: keras.layers.Dropout,
    own.SparseConv2D: keras.layers.Conv2D,
    own.AdaptiveAveragePooling2D: keras.layers.AdaptiveAveragePooling2D,
}


def _kind_of(layer: Any) -> Any:
    if type(layer) is own.AdaptiveAveragePooling2D and tuple(layer.output_size) == (1, 1):
        return keras.layers.GlobalAveragePooling2D  # of a single window Keras's own has a pixel too many
    return _LAYERS.get(type(layer))


def _arguments_of(layer: Any) -> dict[str, Any]:
    """What the new layer has otherwise; no initializer of ours, which has done its work."""
    config = _without_ours(layer.get_config())
    if type(layer) is own.StochasticDepth:
        rank = len(_keras.first_call(layer).input_tensors[0].shape)
        return {**config, "noise_shape": (None, *[1] * (rank - 1))}
    if _kind_of(layer) is keras.layers.GlobalAveragePooling2D:
        return {**{word: config[word] for word in ("name", "trainable", "dtype", "data_format")}, "keepdims": True}
    config.pop("connections", None)
    return config


def _without_ours(config: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for word, value in config.items():
        if word.endswith("_initializer") and _names_us(value):
            changed[word] = "zeros"
        elif word == "activation" and _names_us(value):
            changed[word] = "linear"  # which `_inlined` makes up for
        else:
            changed[word] = _without_ours(value) if isinstance(value, Mapping) else value
    return changed


def _values(layer: Any) -> Sequence[Any]:
    if type(layer) is not own.SparseConv2D:
        return list(layer.weights)
    kernel, *bias = (np.asarray(keras.ops.convert_to_numpy(weight)) for weight in layer.weights)
    channels = 1 + max(seen for inputs in layer.connections for seen in inputs)
    channels = max(channels, _keras.first_call(layer).input_tensors[0].shape[layer.channel_axis])
    dense = np.zeros((*kernel.shape[:2], channels, layer.filters), kernel.dtype)
    places = [(seen, out) for out, inputs in enumerate(layer.connections) for seen in inputs]
    for number, (seen, out) in enumerate(places):
        dense[:, :, seen, out] = kernel[:, :, number]
    return [dense, *bias]


def _guards(model: keras.Model) -> list[Any]:
    return [layer for layer in _layers(model) if type(layer) is own.MinimumSize]


# -- operations for layers --------------------------------------------------------------------------------------------

# Their calls are of operations alone, which Keras can follow on symbolic tensors and write down.
_FOLLOWED = (own.LocalResponseNormalization, own.PadChannels)


def _inlined(call: Any, tensors: Sequence[Any], make: Callable[[], Any]) -> list[Any] | None:
    """What operations give in the place of a layer; None where it becomes a layer."""
    layer = call.operation
    if type(layer) in _FOLLOWED:
        return [layer.call(tensors[0])]
    if type(layer) is own.MatchSize:
        return [_matched(layer, *tensors)]
    if type(layer) in (own.DilatedMaxPooling2D, own.DilatedAveragePooling2D):
        return [_pooled(layer, tensors[0])]
    if type(layer) is own.RadialBasisDense:
        centers = np.asarray(ops.convert_to_numpy(layer.centers))
        apart = ops.expand_dims(tensors[0], 1) - centers
        return [_activated(layer.activation, -ops.sum(ops.square(apart), axis=-1))]
    if getattr(layer, "activation", None) is own.scaled_tanh and not has_graph(layer):
        return [_activated(own.scaled_tanh, make()(*tensors))]
    return None


def _activated(activation: Any, x: Any) -> Any:
    return 1.7159 * ops.tanh(2 / 3 * x) if activation is own.scaled_tanh else activation(x)


def _normalized(norms: set[int], call: Any, tensors: Sequence[Any], make: Callable[[], Any]) -> list[Any] | None:
    layer = call.operation
    if id(layer) not in norms:
        return None
    mean, variance = (np.asarray(ops.convert_to_numpy(part), "float32") for part in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    if layer.invert:
        return [tensors[0] * deviation + mean]
    return [(tensors[0] - mean) / deviation]


def _one(x: Any, axis: int) -> Any:
    """The first place of every axis but the batch and this one, of ones, as integers."""
    window: list[Any] = [slice(None), *[slice(0, 1)] * (len(x.shape) - 1)]
    window[axis] = slice(None)
    return ops.cast(ops.ones_like(x[tuple(window)]), "int32")


def _matched(layer: own.MatchSize, x: Any, like: Any) -> Any:
    """Rows and columns of an image by their numbers, zeros where there are none."""
    for axis, offset in layer.along(layer.offset):
        size, wanted = x.shape[axis], like.shape[axis]
        if None not in (size, wanted):
            x = _window(ops.pad(x, _widths(axis, 0, max(0, offset + wanted - size))), axis, offset, offset + wanted)
            continue
        places = ops.cumsum(_one(like, axis), axis=axis) - 1 + offset
        last = ops.sum(_one(x, axis), axis=axis, keepdims=True) - 1
        there = ops.cast(places <= last, x.dtype)
        x = ops.take_along_axis(x, ops.minimum(places, last), axis=axis) * there
    return x


def _widths(axis: int, before: int, after: int) -> list[tuple[int, int]]:
    widths = [(0, 0)] * 4
    widths[axis] = (before, after)
    return widths


def _window(x: Any, axis: int, start: int, stop: int | None) -> Any:
    window: list[Any] = [slice(None)] * 4
    window[axis] = slice(start, stop)
    return x[tuple(window)]


def _pooled(layer: Any, x: Any) -> Any:
    """The pooling of pixels that lie apart, by windows from both ends, so that no size need be known."""

    def joined(x: Any, outside: float, join: Callable[[Any, Any], Any]) -> Any:
        for axis, pixels, rate in layer.along(layer.pool_size, layer.dilation_rate):
            before, all_of = (pixels - 1) // 2 * rate, (pixels - 1) * rate
            padded = ops.pad(x, _widths(axis, before, all_of - before), constant_values=outside)
            found = None
            for start in range(0, all_of + 1, rate):
                one = _window(padded, axis, start, start - all_of or None)
                found = one if found is None else join(found, one)
            x = found
        return x

    if type(layer) is own.DilatedMaxPooling2D:
        return joined(x, float("-inf"), ops.maximum)
    return joined(x, 0.0, ops.add) / joined(ops.ones_like(x), 0.0, ops.add)
