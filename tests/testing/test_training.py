"""`assert_trainable`, `assert_learns`, `assert_roundtrip`: on nets that can, and on those that cannot."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest
from keras import layers, ops

from layerblocks.architectures import build as network
from layerblocks.blocks import bottleneck, classifier, conv, conv_bn, vgg_block, weightless
from layerblocks.testing import CheckError, assert_learns, assert_roundtrip, assert_trainable
from layerblocks.testing.data import drawn, inputs_for
from layerblocks.testing.training import _task

from ..helpers import dtype_policy

# JAX does not tell a weight without a path from one with a gradient of zeros.
NO_PATH = "has a gradient of zeros" if keras.backend.backend() == "jax" else "has no path to an output"


def two_heads():
    x = keras.Input((8, 8, 3))
    y = bottleneck(conv_bn(x, 8), 8, zero_init=True)
    return keras.Model(x, {"main": classifier(y, 5), "aux": classifier(conv(x, 4), 3, dropout=0.5)}, name="net")


def values(model):
    return [np.array(variable.value) for variable in model.variables]


@pytest.mark.parametrize("check", [assert_trainable, assert_learns, assert_roundtrip])
def test_a_good_model_passes_and_is_left_as_it_was(check):
    model = two_heads()
    before = values(model)
    check(model)
    assert all((a == b).all() for a, b in zip(before, values(model), strict=True))


@pytest.mark.sweep_only("cifar_resnet20")
@pytest.mark.sweep_but("lenet5", "cifar_resnet20")
@pytest.mark.parametrize("name", ["lenet5", "cifar_resnet20", "mobilenet"])
def test_networks(name):
    model = network(name)
    assert_trainable(model)
    assert_roundtrip(model)


def test_a_users_own_net():
    plain = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            *[layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()],
            layers.Dense(4, activation="softmax"),
        ]
    )
    mobilenet = keras.applications.MobileNet(input_shape=(32, 32, 3), alpha=0.25, weights=None, classes=5)
    for model in (plain, mobilenet):
        assert_trainable(model)
        assert_roundtrip(model)
    assert_learns(plain)


# Weights that no step reaches.


class Head(keras.Layer):
    """Takes two branches and looks at one."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(3)

    def build(self, shapes):
        self.dense.build(shapes[0])

    def call(self, branches):
        return self.dense(branches[0])

    def compute_output_shape(self, shapes):
        return (shapes[0][0], 3)


def off(model, **options):
    with pytest.raises(CheckError) as caught:
        assert_trainable(model, **options)
    return caught.value.report.off


def test_a_head_that_ignores_a_branch():
    x = keras.Input((8, 8, 3))
    branches = [layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name=name)(x)) for name in ("seen", "ignored")]
    assert off(keras.Model(x, Head()(branches))) == (
        f"ignored/kernel {NO_PATH}",
        f"ignored/bias {NO_PATH}",
    )


def test_a_layer_outside_the_graph():
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    model.projection = layers.Dense(2, name="projection", use_bias=False)
    model.projection.build((None, 3))
    assert off(model) == (f"projection/kernel {NO_PATH}",)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.used = layers.Dense(3, name="used")
        self.unused = layers.Dense(3, name="unused")

    def call(self, x):
        return self.used(x)


def test_a_subclassed_model():
    model = Subclassed()
    x = np.ones((2, 4), "float32")
    model(x)
    assert off(model, x=x) == ("layer 'unused' was never built",)
    with pytest.raises(ValueError, match=r"x must be given, as the model .* does not say what its inputs are"):
        assert_trainable(model)


def test_layers_that_lead_nowhere():
    def make():
        x = keras.Input((8, 8, 3))
        layers.Conv2D(4, 3, name="lost")(x)
        return keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))

    assert off(make) == ("layer 'lost' has weights and leads to no output",)


def test_gradients_that_stop_vanish_or_burst():
    x = keras.Input((4,))
    y = layers.Dense(3, name="stopped")(x)
    assert f"stopped/kernel {NO_PATH}" in off(keras.Model(x, layers.Dense(2)(ops.stop_gradient(y))))[0]
    y = ops.multiply(layers.Dense(3, name="zeroed")(x), 0.0)
    assert off(keras.Model(x, y)) == (
        "zeroed/kernel has a gradient of zeros",
        "zeroed/bias has a gradient of zeros",
    )
    y = ops.sqrt(ops.multiply(layers.Dense(3, name="root", use_bias=False)(x), 0.0))  # infinite slope at 0
    assert off(keras.Model(x, y)) == ("root/kernel has a gradient that is not finite",)


def test_zeros_by_chance_are_no_fault():
    """A softmax whose outputs sum to one, zeros for weights, and a ReLU that is off at first."""
    x = keras.Input((4,))
    y = layers.Dense(3, activation="relu", bias_initializer=keras.initializers.Constant(-1e-3))(x)
    assert_trainable(keras.Model(x, layers.Dense(3, "softmax", kernel_initializer="zeros")(y)))


def test_frozen_weights_are_not_asked():
    model = two_heads()
    for layer in model.layers[:4]:
        layer.trainable = False
    assert_trainable(model)
    model.trainable = False
    with pytest.raises(ValueError, match="model must be one with trainable weights"):
        assert_trainable(model)


def test_under_mixed_precision():
    with dtype_policy("mixed_float16"):
        x = keras.Input((8, 8, 3))
        model = keras.Model(x, classifier(vgg_block(x, 4), 3))
    assert_trainable(model)


@pytest.mark.parametrize("check", [assert_trainable, assert_learns, assert_roundtrip])
def test_what_is_no_model_with_weights(check):
    with pytest.raises(TypeError, match="model must be a Keras model"):
        check(3)
    with weightless():
        empty = two_heads()
    with pytest.raises(ValueError, match="built under weightless"):
        check(empty)
    with pytest.raises(ValueError, match="model must be built"):
        check(keras.Sequential([layers.Dense(3)]))


# Learning.


def test_a_net_that_does_not_see_its_input_learns_nothing():
    x = keras.Input((6,))
    y = layers.Dense(3, "softmax")(layers.Lambda(lambda t: 0 * t, output_shape=(6,))(x))
    with pytest.raises(CheckError, match="does not learn one batch of 4"):
        assert_learns(keras.Model(x, y), steps=50)


def test_given_targets():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    x = np.eye(3, dtype="float32")
    assert_learns(model, x, np.array([[1.0], [2.0], [3.0]]), loss="mean_squared_error")
    with pytest.raises(ValueError, match="y and loss go together"):
        assert_learns(model, x, np.ones((3, 1)))
    with pytest.raises(CheckError, match="of the first"):  # the same input cannot have two outputs
        assert_learns(model, np.ones((2, 3), "float32"), np.array([[1.0], [-1.0]]), loss="mse", steps=20)


@pytest.mark.sweep
def test_all_kinds_of_outputs():
    x = keras.Input((None, None, 3))
    y = conv_bn(x, 8)
    maps = layers.Conv2D(3, 1, activation="softmax")(layers.GlobalAveragePooling2D(keepdims=True)(y))
    gates = layers.Dense(2, activation="sigmoid")(layers.GlobalAveragePooling2D()(y))
    assert_learns(keras.Model(x, {"maps": maps, "gates": gates, "plain": layers.Dense(2)(gates)}))


@pytest.mark.parametrize(("activation", "shape"), [("softmax", (2,)), ("softmax", (3, 1, 2)), ("sigmoid", (3, 1, 5))])
def test_one_class_an_example_is_there_to_learn(activation, shape):
    """Of all answers that are the same at each place, one alone has no loss."""
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    loss = _task(keras.Sequential([keras.Input(shape), layers.Activation(activation)]), x, np.random.default_rng(0))
    answers = np.eye(2) if activation == "softmax" else [[0.0], [1.0]]
    pairs = [np.stack([np.broadcast_to(one, shape) for one in pair]) for pair in product(answers, repeat=2)]
    first, second, *_ = sorted(float(loss(pair)) for pair in pairs)
    assert first < 1e-3 and second > 1


# Saving.


@keras.saving.register_keras_serializable("tests")
class Forgetful(keras.Layer):
    def __init__(self, factor=1.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {"name": self.name}


class Unknown(keras.Layer):
    def call(self, x):
        return x


def test_models_that_do_not_come_back():
    x = keras.Input((4,))
    with pytest.raises(CheckError) as caught:
        assert_roundtrip(keras.Model(x, {"out": Forgetful(2.0)(x)}, name="net"))
    report = caught.value.report
    assert report.title == "assert_roundtrip: model 'net', saved and loaded, gives something else"
    assert report.off[0].startswith("output 'out' differs by up to")
    with pytest.raises(CheckError, match="Could not locate class 'Unknown'"):
        assert_roundtrip(keras.Model(x, Unknown()(x)))
    assert_roundtrip(keras.Model(x, Unknown()(x)), custom_objects={"Unknown": Unknown})


def test_inputs_of_all_kinds():
    image, words = keras.Input((None, None, 3), name="image"), keras.Input((7,), dtype="int32", name="words")
    y = layers.Concatenate()([layers.GlobalMaxPooling2D()(image), layers.Flatten()(layers.Embedding(9, 2)(words))])
    model = keras.Model({"image": image, "words": words}, y)
    given = inputs_for(model)
    assert {key: (value.shape, value.dtype.name) for key, value in given.items()} == {
        "image": ((4, 32, 32, 3), "float32"),
        "words": ((4, 7), "int32"),
    }
    assert_trainable(model)
    assert_roundtrip(model)


def test_numbers_are_drawn_by_their_dtype():
    random = np.random.default_rng(0)
    normal = drawn(random, (10, 100), "float16")
    assert (normal.shape, normal.dtype) == ((10, 100), "float16") and abs(normal.std() - 1) < 0.2 > abs(normal.mean())
    for dtype, below, values in (("bool", 3, {False, True}), ("int32", 2, {0, 1}), ("uint8", 3, {0, 1, 2})):
        whole = drawn(random, (1000,), dtype, below)
        assert whole.dtype == dtype and {*whole.tolist()} == values
