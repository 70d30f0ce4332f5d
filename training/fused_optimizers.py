"""Gradient descent with momentum whose update is one pass over memory."""

from __future__ import annotations

from typing import Any

import keras

from .. import _keras


@keras.saving.register_keras_serializable("layerblocks")
class FusedSGD(keras.optimizers.SGD):
    """Keras's SGD with momentum, updated by one kernel of TensorFlow instead of an operation for each sign of it.

    Arguments, variables and numbers, up to rounding, are those of `keras.optimizers.SGD`. Without momentum, on other
    backends, for sparse gradients and on several devices it computes as Keras does.

    Example:
        >>> import keras
        >>> weight = keras.Variable([1.0, 2.0])
        >>> FusedSGD(0.5, momentum=0.9).apply([keras.ops.ones(2)], [weight])
        >>> keras.ops.convert_to_numpy(weight).tolist()
        [0.5, 1.5]
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if self.momentum == 0 or not _has_kernel(gradient, variable):
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        momentum = _keras.momentum_of(self, variable)
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=_handle(variable),
            accum=_handle(momentum),
            lr=tf.cast(learning_rate, dtype),
            grad=tf.cast(gradient, dtype),
            momentum=tf.cast(self.momentum, dtype),
            use_nesterov=self.nesterov,
        )


def _has_kernel(gradient: Any, variable: Any) -> bool:
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.distribute.has_strategy() and not isinstance(gradient, tf.IndexedSlices)


def _handle(variable: Any) -> Any:
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
