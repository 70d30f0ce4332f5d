"""Layers replaced all at once, in nested models, with their weights; penalties on all kernels."""

from __future__ import annotations

import warnings
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks.architectures import resnet18, unet, vgg16
from layerblocks.architectures.resnets import resnet_conv
from layerblocks.blocks import basic_residual, conv, squeeze_excite, weightless
from layerblocks.models import (
    features,
    freeze,
    inference_model,
    insert,
    regularized,
    remove,
    replace,
    replace_each,
    tensor_at,
    training_model,
    truncate,
    with_new_head,
)

from ..agreement import images, made, randomize, run
from ..helpers import calls_of


class WeightStandardized(layers.Conv2D):
    """A convolution by a kernel of mean 0 and variance 1 (Qiao et al. 2019)."""

    def call(self, x):
        kernel = self.kernel - keras.ops.mean(self.kernel, (0, 1, 2))
        kernel = kernel / (keras.ops.std(self.kernel, (0, 1, 2)) + 1e-5)
        return self.convolution_op(x, kernel) + self.bias


def backbone():
    x = image = keras.Input((8, 8, 3))
    for number in (1, 2, 3):
        x = layers.Conv2D(4, 3, padding="same", name=f"stage{number}.conv")(x)
        x = layers.BatchNormalization(name=f"stage{number}.norm")(x)
        x = layers.ReLU(name=f"stage{number}.relu")(x)
    return keras.Model(image, x, name="base")


def nested(depth=1):
    """A backbone in a network, in another …"""
    inner = backbone()
    for number in range(depth):
        x = keras.Input((8, 8, 3))
        y = inner(layers.Rescaling(0.5, name=f"scale{number}")(x), training=False)
        inner = keras.Model(x, y, name="base" if depth == 1 else f"outer{number}")
    x = keras.Input((8, 8, 3), name="image")
    y = layers.GlobalAveragePooling2D(name="pool")(inner(x))
    return keras.Model(x, layers.Dense(5, activation="softmax", name="head")(y))


def kinds(model):
    found = []
    for layer in model.layers:
        found += kinds(layer) if isinstance(layer, keras.Model) else [type(layer).__name__]
    return found


def leaves(model):
    for layer in model.layers:
        yield from leaves(layer) if isinstance(layer, keras.Model) else [layer]


# All of a kind.


def test_every_layer_of_a_kind():
    model = randomize(nested())
    changed = replace_each(model, layers.ReLU, lambda layer, x: layers.Activation("gelu"))
    assert kinds(changed) == [kind.replace("ReLU", "Activation") for kind in kinds(model)]
    assert [layer.name for layer in leaves(changed)] == [layer.name for layer in leaves(model)]
    assert {id(w) for w in changed.weights} == {id(w) for w in model.weights}

    def by_hand(x):
        for layer in leaves(model):
            if not isinstance(layer, layers.InputLayer):
                x = keras.activations.gelu(x) if isinstance(layer, layers.ReLU) else layer(x)
        return x

    x = images(2, 8, 8, 3)
    np.testing.assert_allclose(np.asarray(changed(x)), np.asarray(by_hand(x)), rtol=1e-4, atol=1e-6)


def test_the_old_layer_is_handed_over_and_its_weights_kept():
    model = randomize(nested(depth=2))
    given = []

    def standardized(layer, x):
        given.append((layer.name, tuple(x.shape)))
        return WeightStandardized.from_config(layer.get_config())

    changed = replace_each(model, layers.Conv2D, standardized)
    assert sorted(given) == [("stage1.conv", (None, 8, 8, 3)), *((f"stage{n}.conv", (None, 8, 8, 4)) for n in (2, 3))]
    pairs = list(zip(leaves(model), leaves(changed), strict=True))
    for old, new in pairs:
        assert old.name == new.name
        assert isinstance(old, layers.InputLayer) or (old is new) != isinstance(old, layers.Conv2D)
        assert all(np.array_equal(a, b) for a, b in zip(old.get_weights(), new.get_weights(), strict=True))
    assert not np.allclose(np.asarray(run(model, images(2, 8, 8, 3))), np.asarray(run(changed, images(2, 8, 8, 3))))
    fresh = replace_each(model, layers.Conv2D, standardized, keep_weights=False)
    for old, new in zip(leaves(model), leaves(fresh), strict=True):
        assert not isinstance(old, layers.Conv2D) or not np.array_equal(old.get_weights()[0], new.get_weights()[0])


def test_by_several_classes_or_a_function_and_of_shared_layers():
    x = keras.Input((4,))
    shared, act = layers.Dense(4, name="shared"), layers.ReLU(name="act")
    model = keras.Model(x, act(shared(act(shared(x)))))
    changed = replace_each(
        model, (layers.ReLU, layers.Dense), lambda layer, x: type(layer).from_config(layer.get_config())
    )
    assert [layer.name for layer in changed.layers[1:]] == ["shared", "act"]
    assert changed.get_layer("shared") is not shared
    data = images(2, 4)
    assert np.array_equal(run(changed, data), run(model, data))
    by_name = replace_each(model, lambda layer: layer.name == "act", lambda layer, x: keras.ops.tanh(x))
    assert kinds(by_name) == ["InputLayer", "Dense"]
    norms = replace_each(backbone(), layers.BatchNormalization, lambda layer, x: layers.GroupNormalization(2))
    assert kinds(norms).count("GroupNormalization") == 3
    assert [layer.name for layer in norms.layers[1:]] == [layer.name for layer in backbone().layers[1:]]


def test_what_each_is_no_kind():
    model = made(backbone)
    relu = lambda layer, x: x  # noqa: E731
    for what, fn, error, said in [
        (layers.LSTM, relu, ValueError, "what must be a kind of layers that there are in 'base', got "),
        ("ReLU", relu, TypeError, "what must be a class of layers, several, or a function of a layer, got 'ReLU'"),
        (layers.ReLU, layers.ReLU, TypeError, "fn must be a function of the old layer and a tensor"),
        (layers.ReLU, lambda layer, x: 3, TypeError, "fn must be a function that gives symbolic tensors, got 3"),
        (layers.Conv2D, lambda layer, x: layers.Dense(9), ValueError, "what 'stage1.norm' receives must be .*4.*, got"),
    ]:
        with weightless(), pytest.raises(error, match=f"^replace_each: {said}"):
            replace_each(model, what, fn)


def test_a_network_is_made_anew_once_whatever_the_number():
    """Calls are counted: each layer after the first change is called once."""
    model = made(partial(keras.applications.ResNet50, weights=None, input_shape=(32, 32, 3)))
    counted = 0
    call = layers.BatchNormalization.compute_output_spec

    def counting(self, *args, **kwargs):
        nonlocal counted
        counted += 1
        return call(self, *args, **kwargs)

    layers.BatchNormalization.compute_output_spec = counting
    try:
        with weightless():
            changed = replace_each(model, lambda x: getattr(x, "activation", 0) is keras.activations.relu, gelu)
    finally:
        layers.BatchNormalization.compute_output_spec = call
    assert sum(layer.get_config().get("activation") == "gelu" for layer in changed.layers) == 49
    assert counted <= 53


def gelu(layer, x):
    return layers.Activation("gelu")


@pytest.mark.sweep
def test_it_calls_little_more_than_a_copy():
    model = keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3))

    def each():
        replace_each(model, lambda x: getattr(x, "activation", 0) is keras.activations.relu, gelu)

    each()
    assert calls_of(each) < 1.5 * calls_of(lambda: keras.models.clone_model(model))


# One at a time.


def test_a_layer_of_the_same_shape_keeps_its_weights_unless_told():
    model = randomize(backbone())
    old = model.get_layer("stage2.conv")

    def dilated(x):
        return layers.Conv2D(4, 3, padding="same", dilation_rate=2)(x)

    kept = replace(model, "stage2.conv", dilated).get_layer("stage2.conv.conv2d")
    assert all(np.array_equal(a, b) for a, b in zip(kept.get_weights(), old.get_weights(), strict=True))
    fresh = replace(model, "stage2.conv", dilated, keep_weights=False).get_layer("stage2.conv.conv2d")
    assert not np.array_equal(fresh.get_weights()[0], old.get_weights()[0])
    larger = replace(model, "stage2.conv", lambda x: layers.Conv2D(4, 5, padding="same")(x))
    assert not np.array_equal(larger.get_layer("stage2.conv.conv2d").get_weights()[1], old.get_weights()[1])
    ready = layers.Conv2D(4, 3, padding="same")
    ready.build((None, 8, 8, 4))
    before = ready.get_weights()[0]
    assert replace(model, "stage2.conv", ready).get_layer(ready.name) is ready
    assert np.array_equal(ready.get_weights()[0], before), "what has weights of its own keeps these"


def test_a_block_keeps_the_weights_of_its_layers_by_their_names():
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, basic_residual(conv(x, 8), 8, conv=resnet_conv, name="stage2.block2"))
    randomize(model)
    block = [layer for layer in model.layers if layer.name.startswith("stage2.block2.") and layer.weights]
    changed = replace(
        model, "stage2.block2", partial(basic_residual, filters=8, conv=partial(resnet_conv, activation="gelu"))
    )
    for layer in block:
        twin = changed.get_layer(layer.name)
        assert twin is not layer
        assert all(np.array_equal(a, b) for a, b in zip(twin.get_weights(), layer.get_weights(), strict=True))


def test_what_was_frozen_stays_so():
    model = backbone()
    model.get_layer("stage1.conv").trainable = False
    changed = replace(model, "stage1.conv", lambda x: layers.Conv2D(4, 3, padding="same")(x))
    assert changed.get_layer("stage1.conv.conv2d").trainable is False


def test_a_change_of_shape_is_said():
    model = made(partial(resnet18, input_shape=(35, 35, 3)))
    with weightless():
        with pytest.warns(UserWarning, match=r"^replace: what leaves 'pool' is .*8, 8, 64\) now and was .*9, 9, 64"):
            replace(model, "pool", layers.AveragePooling2D(3, 2))
        with pytest.warns(UserWarning, match=r"^insert: what leaves 'stage1' is \(None, 4, 4, 64\) now and was"):
            insert(model, "stage1", layers.MaxPooling2D(2))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            replace(model, "pool", layers.AveragePooling2D(3, 2, padding="same"))
            replace_each(model, layers.Activation, gelu)


# In nested models.


def test_paths_reach_into_nested_models():
    model = randomize(nested())
    x = images(2, 8, 8, 3)
    before = run(model, x)
    with weightless():
        changed = replace(model, "base.base.stage2", partial(conv, filters=4))
        attentive = insert(model, "base/base/stage2.relu", squeeze_excite)
        restored = remove(attentive, "base.base.squeeze_excite")
        cut = truncate(model, "base.base.stage1")
    inner = changed.get_layer("base").get_layer("base")
    assert [layer.name for layer in inner.layers if "stage2" in layer.name] == ["stage2.conv"]
    assert changed.get_layer("head") is model.get_layer("head")
    assert np.array_equal(run(restored, x), before) and np.array_equal(run(model, x), before)
    assert cut.output_shape == (None, 8, 8, 4) and kinds(cut) == kinds(model)[:7]
    with pytest.raises(
        ValueError, match=r"remove: name must be the .* did you mean 'base.base.stage2'\?, got 'base.base.stge2'"
    ):
        remove(model, "base.base.stge2")


def test_tensors_of_nested_models_by_several_names():
    model = randomize(nested())
    taps = tensor_at(model, ["base.base.stage1", "head", "base.base.stage2.norm", "pool"])
    found = run(keras.Model(model.input, taps), images(2, 8, 8, 3))
    inner = model.get_layer("base").get_layer("base")
    half = images(2, 8, 8, 3) / 2
    for number, name in ((0, "stage1.relu"), (2, "stage2.norm")):
        expected = run(keras.Model(inner.input, inner.get_layer(name).output), half)
        np.testing.assert_allclose(found[number], expected, rtol=1e-5)
    assert np.array_equal(found[1], run(model, images(2, 8, 8, 3)))
    assert tensor_at(model, "pool") is model.get_layer("pool").output
    with pytest.raises(ValueError, match="tensor_at: at must be the name of a layer or block"):
        tensor_at(model, ["pool", "pol"])


def test_freezing_reaches_into_nested_models():
    model = nested()
    assert freeze(model, "base.base.stage1") is model
    trained = {w.path.split("/")[-2] for w in model.trainable_weights}
    assert trained == {"stage2.conv", "stage3.conv", "head"}
    freeze(model, "base.base.stage2.conv", norms=False)
    trained = {w.path.split("/")[-2] for w in model.trainable_weights}
    assert trained == {"stage2.norm", "stage3.conv", "stage3.norm", "head"}
    freeze(model)
    assert {w.path.split("/")[-2] for w in model.trainable_weights} == {"head"}
    x = keras.Input((4,))
    left, right, last = (layers.Dense(4, name=name)(y) for name, y in [("left", x), ("right", x), ("last", x)])
    model = keras.Model(x, layers.Add()([left, right, last]))
    freeze(model, ["left", "right"])
    assert {w.path.split("/")[0] for w in model.trainable_weights} == {"last"}


def test_surgery_of_a_nested_model_that_is_called_twice():
    x, y = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    inner = backbone()
    model = keras.Model([x, y], layers.Subtract()([inner(x), inner(y)]))
    with weightless():
        changed = replace(model, "base.stage3", partial(conv, filters=4))
    assert [layer.name for layer in changed.layers].count("base") == 1
    assert changed.get_layer("base").get_layer("stage3.conv")


def test_saving_what_was_changed_inside(tmp_path):
    model = replace_each(randomize(nested()), layers.ReLU, gelu)
    model.save(tmp_path / "net.keras")
    x = images(2, 8, 8, 3)
    assert np.array_equal(run(keras.models.load_model(tmp_path / "net.keras"), x), run(model, x))


def test_features_of_a_changed_network():
    with weightless():
        model = replace_each(resnet18(input_shape=(64, 64, 3)), layers.Activation, gelu)
        assert features(model).output["stride8"].shape == (None, 8, 8, 128)
        assert with_new_head(model, 3).output_shape == (None, 3)


# Penalties.


def wrapped():
    x = keras.Input((5, 8, 8, 3))
    y = layers.TimeDistributed(layers.SeparableConv2D(4, 3))(x)
    y = layers.TimeDistributed(layers.GlobalAveragePooling2D())(y)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(y)
    y = layers.MultiHeadAttention(2, 4)(y, y)
    return keras.Model(x, layers.Dense(2)(layers.LayerNormalization()(y)))


@pytest.mark.parametrize(
    "network",
    [
        wrapped,
        nested,
        partial(vgg16, input_shape=(32, 32, 3)),
        partial(resnet18, input_shape=(64, 64, 3)),
        partial(unet, filters=(2, 4), padding="same", input_shape=(16, 16, 3)),
        partial(keras.applications.MobileNetV2, weights=None, input_shape=(32, 32, 3)),
    ],
)
def test_a_penalty_reaches_every_kernel(network):
    model = made(network)
    with weightless():
        changed = regularized(model, l2=1e-4)
    assert len(changed.weights) == len(model.weights)
    for weight in changed.weights:
        has = weight.regularizer is not None
        assert has == (len(weight.shape) > 1 and weight.name != "bias"), weight.path
        assert not has or float(weight.regularizer.l2) == pytest.approx(1e-4)


def test_a_penalty_is_what_it_should_be():
    model = randomize(nested())
    model.get_layer("head").trainable = False
    changed = regularized(model, l1=0.01, l2=0.1)
    kernels = [np.asarray(w) for w in model.trainable_weights if len(w.shape) > 1]
    assert len(kernels) == 3 and len(changed.trainable_weights) == len(model.trainable_weights)
    expected = sum(0.1 * np.square(k).sum() + 0.01 * np.abs(k).sum() for k in kernels)
    np.testing.assert_allclose(float(sum(changed.losses)), expected, rtol=1e-5)
    assert np.array_equal(run(changed, images(2, 8, 8, 3)), run(model, images(2, 8, 8, 3)))
    assert not model.losses


class Own(keras.Layer):
    def build(self, shape):
        self.matrix = self.add_weight((shape[-1], 3), name="matrix")

    def call(self, x):
        return x @ self.matrix

    def compute_output_shape(self, shape):
        return (*shape[:-1], 3)


def test_a_kernel_that_no_argument_reaches_is_named():
    x = keras.Input((4,))
    model = keras.Model(x, Own(name="own")(x))
    with pytest.raises(ValueError, match=r"^regularized: model must be one whose .*, got \['own/matrix'\]$"):
        regularized(model, l2=1e-4)
    for given in ({}, {"l2": float("nan")}, {"l2": -1.0}, {"l1": "a"}):
        with pytest.raises((TypeError, ValueError), match=r"^regularized: l\d must be a"):
            regularized(model, **given)


@pytest.mark.parametrize("copy", [inference_model, training_model, partial(regularized, l2=0.1)])
def test_copies_train_what_was_trained(copy):
    model = nested()
    freeze(model, "base.base.stage2")
    paths = {w.path.split("/")[-2] for w in copy(model).trainable_weights}
    assert paths - {"stage3.norm"} == {"stage3.conv", "head"}
