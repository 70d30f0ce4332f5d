"""What a model could not be saved with is refused by the block that is given it, not after the training."""

from __future__ import annotations

from functools import partial, update_wrapper

import keras
import pytest

from layerblocks.architectures import lenet5
from layerblocks.blocks import activate, conv, conv_bn, dense, separable, weightless


class Own:
    def __call__(self, x):
        return x


@keras.saving.register_keras_serializable("layerblocks_tests")
class Kept(Own):
    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


leaky = partial(keras.activations.leaky_relu, negative_slope=0.1)
UNSAVEABLE = [leaky, update_wrapper(leaky, keras.activations.leaky_relu), Own()]
UNSAVEABLE += [lambda x: keras.ops.relu(x)]


@pytest.mark.parametrize("value", UNSAVEABLE, ids=["partial", "named partial", "object", "lambda"])
@pytest.mark.parametrize("unit", [conv, conv_bn, separable])
def test_a_unit_refuses_what_cannot_be_saved(unit, value):
    said = rf"^{unit.__name__} .*: activation must be one that a model can be saved with: a function by `def`, .*, got "
    with weightless(), pytest.raises(TypeError, match=said):
        unit(keras.Input((8, 8, 3)), 4, activation=value)


@pytest.mark.parametrize("word", ["kernel_initializer", "kernel_regularizer", "bias_constraint"])
def test_what_else_is_given_by_a_function(word):
    with weightless(), pytest.raises(TypeError, match=f"^conv .*: {word} must be one that a model can be saved with"):
        conv(keras.Input((8, 8, 3)), 4, **{word: partial(keras.ops.sum)})
    with weightless(), pytest.raises(TypeError, match=f"^conv .*: {word} must be one that a model can be saved with"):
        conv(keras.Input((8, 8, 3)), 4, **{word: lambda *given: given[0]})


def test_others():
    x = keras.Input((8,))
    with weightless():
        for function in (lambda: dense(x, 3, activation=leaky), lambda: activate(x, leaky)):
            with pytest.raises(TypeError, match="activation must be one that a model can be saved with"):
                function()
        with pytest.raises(TypeError, match="activation must be one that a model can be saved with"):
            lenet5(conv=partial(conv, activation=leaky))


def test_what_can_be_saved_is(tmp_path):
    x = keras.Input((8, 8, 3))
    for value in (keras.activations.gelu, keras.ops.relu, keras.layers.LeakyReLU(0.1), Kept(), "relu", None):
        model = keras.Model(x, conv(x, 2, activation=value))
        model.save(tmp_path / "net.keras")
        keras.models.load_model(tmp_path / "net.keras")
