"""What the tests of single networks share: counts from the layers alone, random weights, comparing two models."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import keras
import numpy as np

from layerblocks.blocks import weightless


def made(constructor: Callable[..., keras.Model], **options: Any) -> keras.Model:
    with weightless():
        return constructor(**options)


def trainable(model: keras.Model) -> int:
    return sum(prod(variable.shape) for variable in model.trainable_variables)


def pixels(tensor: Any) -> int:
    return prod(tensor.shape[1:3])


def multiply_adds(model: keras.Model) -> int:
    """Of every convolution and dense layer, channels last."""
    total = 0
    for layer in model.layers:
        match layer:
            case keras.layers.Conv2DTranspose():
                total += prod(layer.kernel.shape) * pixels(layer.input)
            case keras.layers.SeparableConv2D():
                kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
                total += sum(prod(kernel.shape) for kernel in kernels) * pixels(layer.output)
            case keras.layers.Conv2D() | keras.layers.DepthwiseConv2D():
                total += prod(layer.kernel.shape) * pixels(layer.output)
            case keras.layers.Dense():
                total += prod(layer.kernel.shape)
    return total


def randomize(model: keras.Model, seed: int = 0) -> keras.Model:
    """Random weights of a size that keeps the values in hand, random biases and statistics."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if variable.path.endswith(("gamma", "variance")):
            values = random.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            seen = prod(shape[:2]) if "depthwise" in variable.path else prod(shape[:-1])
            values = random.normal(size=shape) * (2 / seen) ** 0.5
        else:
            values = random.normal(size=shape) / 5
        variable.assign(values.astype("float32"))
    return model


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """By name where both are ours: built for different sizes, or one of them dilated."""
    assert [layer.name for layer in source.layers if layer.weights] == [
        layer.name for layer in target.layers if layer.weights
    ]
    target.set_weights(source.get_weights())


def weighted(model: keras.Model, choose: Callable[[str], bool] = lambda name: True) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if layer.weights and choose(layer.name)]


def hand_over(source: list[keras.layers.Layer], target: list[keras.layers.Layer]) -> None:
    """Layer by layer; a 1×1 convolution may become a dense layer."""
    for giver, taker in zip(source, target, strict=True):
        theirs, ours = giver.get_weights(), taker.get_weights()
        taker.set_weights([a.reshape(b.shape) for a, b in zip(theirs, ours, strict=True)])


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def run(model: keras.Model, x: np.ndarray) -> Any:
    """Eagerly."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, model(x))


def differ(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference as a share of the largest value."""
    assert a.shape == b.shape
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))


def runs_on_a_cpu(model):
    """TensorFlow has no transposed convolution with dilation there."""
    return not any(
        max(getattr(layer, "dilation_rate", (1,))) > 1 for layer in model.layers if "Transpose" in type(layer).__name__
    )
