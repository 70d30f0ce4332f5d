"""Bugs that no shape shows: modes, batches, gradients, shifts and export."""

import keras
from keras import layers, ops

from layerblocks.testing import (
    check_batch_independence,
    check_determinism,
    check_export,
    check_gradients,
    check_modes,
    check_shift_equivariance,
)

from .pairs import FEW, conv, pair


@pair("b h w c -> b h w 2", check=check_determinism, **FEW)
def dropout_in_inference(x, bug):
    return layers.Dropout(0.5)(conv(x, 2), training=True if bug else None)


@pair("b h w c -> b h w c", check=check_determinism, **FEW)
def deviation_without_epsilon(x, bug):
    centred = x - ops.mean(x, (1, 2), keepdims=True)
    return centred / (ops.std(x, (1, 2), keepdims=True) + (0 if bug else 1e-3))


@pair("b h w c -> b h w 2", check=check_batch_independence, **FEW)
def norm_that_always_trains(x, bug):
    return layers.BatchNormalization()(conv(x, 2), training=True if bug else None)


@pair("b h w c -> b h w 2", check=check_gradients, **FEW)
def gradient_stopped(x, bug):
    skip = layers.Dense(2)(x)
    return conv(x, 2) + (ops.stop_gradient(skip) if bug else skip)


@pair("b h w c -> b h w 2", check=check_gradients, **FEW)
def norm_of_what_is_zero(x, bug):
    y = layers.Dense(2, kernel_initializer="zeros")(x)
    return y / ops.sqrt(ops.sum(y**2, -1, keepdims=True) + (0 if bug else 1e-3))


@pair("b h w c -> b h w 2", "input (None, 16, 16, 1)", check_shift_equivariance)
def position_that_leaks(x, bug):
    rows = ops.reshape(ops.arange(x.shape[1], dtype="float32"), (1, -1, 1, 1))
    return conv(x * rows if bug else x, 2)


@keras.saving.register_keras_serializable("tests")
class Scaled(keras.Layer):
    """Has an argument that its config may lack."""

    def __init__(self, factor=1, whole=True, **options):
        super().__init__(**options)
        self.factor, self.whole = factor, whole

    def get_config(self):
        return super().get_config() | ({"factor": self.factor} if self.whole else {})

    def call(self, x):
        return self.factor * x


@pair("b c -> b c", "input (None, 1)", check_export)
def argument_that_the_config_lacks(x, bug):
    return Scaled(3, whole=not bug)(x)


@pair("b t c -> b t c", "input (None, 1, 1)", check_export, **FEW)
def number_of_the_length_that_was_built(x, bug):
    return x / (x.shape[1] if bug and x.shape[1] else 4)


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.Layer):
    """Twice as large in training."""

    def call(self, x, training=False):
        return 2 * x if training else x


@pair("b c -> b c", "input (None, 1)", check_modes)
def scale_of_training_alone(x, bug):
    return Doubled()(x) if bug else x * 2
