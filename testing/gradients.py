"""A loss and its gradients by whichever backend Keras runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

Loss = Callable[[Any], Any]


def loss_and_gradients(model: Any, x: Any, loss: Loss) -> tuple[float, list[Any]]:
    """`loss(model(x, training=True))`, and its gradient by each trainable weight as an array, None without a path.

    With JAX a gradient of zeros stands for no path as well.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
        >>> value, found = loss_and_gradients(model, keras.ops.array([[3.0, 4.0]]), keras.ops.sum)
        >>> value, [gradient.tolist() for gradient in found]
        (7.0, [[[3.0], [4.0]], [1.0]])
    """
    value, found = _BACKENDS[keras.backend.backend()](model, x, loss)
    numbers = keras.ops.convert_to_numpy
    return float(numbers(value)), [None if gradient is None else numbers(gradient) for gradient in found]


def _tensorflow(model: Any, x: Any, loss: Loss) -> tuple[Any, list[Any]]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss(model(x, training=True))
    found = tape.gradient(value, [variable.value for variable in model.trainable_variables])
    return value, [tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in found]


def _torch(model: Any, x: Any, loss: Loss) -> tuple[Any, list[Any]]:
    tensors = [variable.value for variable in model.trainable_variables]
    for tensor in tensors:
        tensor.grad = None
    value = loss(model(x, training=True))
    value.backward()
    found = [tensor.grad for tensor in tensors]
    for tensor in tensors:
        tensor.grad = None
    return value, found


def _jax(model: Any, x: Any, loss: Loss) -> tuple[Any, list[Any]]:
    import jax

    variables = model.trainable_variables

    def compute(weights: list[Any]) -> Any:
        with keras.StatelessScope(list(zip(variables, weights, strict=True))):
            return loss(model(x, training=True))

    value, found = jax.value_and_grad(compute)([variable.value for variable in variables])
    return value, list(found)


_BACKENDS: dict[str, Callable[[Any, Any, Loss], tuple[Any, list[Any]]]] = {
    "tensorflow": _tensorflow,
    "torch": _torch,
    "jax": _jax,
}
