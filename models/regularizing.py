"""Penalties on the weights of a finished network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from .. import checks
from ..checks import public
from ..graphs.calls import wired
from .cloning import copied, nested, remade

# Arguments of layers that are regularizers of what multiplies their input.
_KERNELS = {f"{word}_regularizer" for word in ("kernel", "depthwise", "pointwise", "recurrent")}


@public
def regularized(model: keras.Model, *, l1: float = 0.0, l2: float = 0.0) -> keras.Model:
    """Copy a network into one whose every kernel has a penalty, as if all its layers had been made with it.

    Kernels of convolutions (depthwise and pointwise ones), of dense, recurrent and attention layers, in wrappers and
    nested models too, in the place of the penalties that they had; biases, norms and embeddings have none. The copy has
    weights of its own, of the same values, and is not compiled.

    Args:
        model: functional or sequential.
        l1: factor of the sum of the absolute values.
        l2: factor of the sum of the squares: half the weight decay of papers that write λ/2·‖w‖².

    Raises:
        ValueError: both factors are 0, or a layer has a trainable kernel that none of its arguments reaches.
        TypeError: `model` is no model with a graph.

    Example:
        >>> from layerblocks.architectures import vgg16
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = regularized(vgg16(), l2=5e-4)
        >>> sum(weight.regularizer is not None for weight in model.weights), len(model.weights)
        (16, 32)
    """
    network = wired(checks.instance("model", model, keras.Model, "a Keras model"))
    l1, l2 = checks.number("l1", l1, at_least=0), checks.number("l2", l2, at_least=0)
    if not l1 and not l2:
        raise checks.refuse("l2", l2, "a number above 0 where l1 is 0")
    penalty = keras.regularizers.serialize(keras.regularizers.L1L2(l1, l2))

    def remake(layer: keras.Layer, last: bool) -> keras.Layer:
        return remade(layer, **_with(layer.get_config(), penalty))

    made = copied(network, nested(network), remake=remake, values=lambda layer: layer.weights)
    missed = [weight.path for weight in made.trainable_weights if _is_kernel(weight) and weight.regularizer is None]
    if missed:
        raise checks.refuse("model", missed, "one whose layers have arguments for the regularizers of their kernels")
    return made


def _with(config: Mapping[str, Any], penalty: Any) -> dict[str, Any]:
    """A configuration with that penalty on every kernel, inside of wrappers too."""
    return {
        word: penalty if word in _KERNELS else _with(value, penalty) if isinstance(value, Mapping) else value
        for word, value in config.items()
    }


def _is_kernel(weight: Any) -> bool:
    return len(weight.shape) > 1 and weight.name not in ("embeddings", "bias")
