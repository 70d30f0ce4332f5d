"""New heads stand on features, wherever these end: never on the old predictions."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks.architectures import fcn32s, lenet5, resnet18, unet, vgg16
from layerblocks.blocks import aux_classifier, classifier, weightless
from layerblocks.graphs.calls import calls
from layerblocks.models import add_aux_head, with_new_head
from layerblocks.training import compile_args

from ..agreement import images, made, randomize, run


def base(pooling=None, name="base"):
    """A backbone as `keras.applications` gives one."""
    x = image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="block1_conv")(x)
    x = layers.BatchNormalization(name="block1_bn")(x)
    x = layers.Conv2D(6, 3, activation="relu", name="block2_conv")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x) if pooling else x
    return keras.Model(image, x, name=name)


def dense(x, units=5):
    return layers.Dense(units, activation="softmax", name="predictions")(x)


def nested(pooling=None):
    """The layout of Keras's guide to transfer learning."""
    x = keras.Input((8, 8, 3), name="image")
    y = base(pooling)(layers.Rescaling(1 / 255, name="scale")(x), training=False)
    y = y if pooling else keras.ops.mean(y, (1, 2))
    return keras.Model(x, dense(layers.Dropout(0.2)(y)))


def sequence(*middle):
    return keras.Sequential([keras.Input((20, 3)), *middle, layers.Dense(5, activation="softmax")])


def volume():
    x = keras.Input((6, 6, 6, 1))
    return keras.Model(x, dense(layers.GlobalMaxPooling3D()(layers.Conv3D(4, 3, name="body")(x))))


def one_pixel():
    """As MobileNet ends: pooled, then a convolution and a reshaping."""
    x = keras.Input((8, 8, 3))
    y = layers.GlobalAveragePooling2D(keepdims=True)(layers.Conv2D(4, 3, name="body")(x))
    y = layers.Reshape((5,))(layers.Conv2D(5, 1)(layers.Dropout(0.1)(y)))
    return keras.Model(x, layers.Activation("softmax")(y))


def scores():
    """As SqueezeNet and network in network end: the map of scores is pooled."""
    x = keras.Input((8, 8, 3))
    y = layers.ReLU()(layers.Conv2D(5, 1)(layers.Conv2D(4, 3, name="body")(x)))
    return keras.Model(x, layers.Softmax()(layers.GlobalAveragePooling2D()(y)))


def autoencoder():
    """Its positions are drawn together in its middle, and come back."""
    x = keras.Input((8, 8, 1))
    y = layers.Dense(16)(layers.Flatten()(layers.Conv2D(4, 3, strides=2, padding="same")(x)))
    y = layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="relu")(layers.Reshape((4, 4, 1))(y))
    return keras.Model(x, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(y))


def token():
    """As a vision transformer ends: the first position is taken."""
    x = keras.Input((9, 8))
    y = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)]))
    return keras.Model(x, dense(y[:, 0]))


def whole():
    """A network with its head, nested."""
    x = keras.Input((8, 8, 3))
    inner = keras.Input((8, 8, 3))
    y = dense(layers.Flatten()(layers.Conv2D(4, 3)(inner)))
    return keras.Model(x, keras.Model(inner, y, name="net")(layers.Rescaling(1 / 255)(x)))


def per_step():
    x = keras.Input((7, 4))
    return keras.Model(
        x, layers.TimeDistributed(layers.Dense(5, activation="softmax"))(layers.LSTM(6, return_sequences=True)(x))
    )


# What a function is given, and how many classes a number makes of the output of 5.
CASES = {
    "pooling='avg' inside": (partial(nested, "avg"), (4, 4, 6), (7,)),
    "ops.mean": (nested, (4, 4, 6), (7,)),
    "GlobalAveragePooling1D": (partial(sequence, layers.Conv1D(4, 3), layers.GlobalAveragePooling1D()), (18, 4), (7,)),
    "LSTM": (partial(sequence, layers.LSTM(6)), (6,), (7,)),
    "volume": (volume, (4, 4, 4, 4), (7,)),
    "one pixel": (one_pixel, (6, 6, 4), (7,)),
    "scores": (scores, (6, 6, 4), (7,)),
    "autoencoder": (autoencoder, (8, 8, 6), (8, 8, 7)),
    "token": (token, (9, 8), (7,)),
    "whole": (whole, (6, 6, 4), (7,)),
    "per step": (per_step, (7, 6), (7, 7)),
    "dense": (lambda: keras.Sequential([keras.Input((3,)), layers.Dense(8, "relu"), layers.Dense(5)]), (8,), (7,)),
    "vgg of one pixel": (partial(vgg16, input_shape=(32, 32, 3)), (1, 1, 512), (7,)),
    "unet": (partial(unet, filters=(2, 4), padding="same", input_shape=(16, 16, 3)), (16, 16, 2), (16, 16, 7)),
    "unet of logits": (
        partial(unet, filters=(2, 4), padding="same", input_shape=(16, 16, 3), classifier_activation=None),
        (16, 16, 2),
        (16, 16, 7),
    ),
    "no top": (partial(base), (4, 4, 6), (7,)),
    "no top, pooled": (partial(base, "avg"), (4, 4, 6), (7,)),
}


def squashes(model):
    """How often a model squashes to probabilities, nested models included."""
    found = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += squashes(layer)
    parts = keras.Model(model.inputs, model.outputs).operations
    activations = [getattr(op, "activation", None) for op in parts]
    kinds = [type(op).__name__ for op in parts]
    return (
        found
        + sum(a in (keras.activations.softmax, keras.activations.sigmoid) for a in activations)
        + kinds.count("Softmax")
    )


@pytest.mark.parametrize("case", CASES)
def test_a_head_stands_on_the_features(case):
    model, features = made(CASES[case][0]), CASES[case][1]
    seen = []

    def head(x):
        seen.append(tuple(x.shape)[1:])
        return layers.Dense(3, name="own")(x)

    with weightless():
        changed = with_new_head(model, head)
    assert seen == [features]
    assert changed.output_shape == (None, *features[:-1], 3)
    assert squashes(changed) == 0
    assert changed.layers[-1].name == "head.own"


@pytest.mark.parametrize("case", CASES)
def test_other_classes(case):
    model = made(CASES[case][0])
    with weightless():
        changed = with_new_head(model, 7)
        again = keras.Model.from_config(changed.get_config())
    assert changed.output_shape == again.output_shape == (None, *CASES[case][2])
    assert squashes(changed) == max(squashes(model), "no top" in case)
    kept = {id(w) for w in changed.weights} & {id(w) for w in model.weights}
    assert len(changed.weights) - len(kept) == 2


def ensemble():
    x = keras.Input((4,))
    return keras.Model(x, layers.Average(name="mean")([layers.Dense(3, activation="softmax")(x) for _ in range(2)]))


def hidden_softmax():
    x = keras.Input((4,))
    return keras.Model(x, layers.Lambda(keras.ops.softmax, name="lambda")(layers.Dense(3)(x)))


UNKNOWN = {"mean": ensemble, "lambda": hidden_softmax, "crop": partial(fcn32s, input_shape=(64, 64, 3))}


@pytest.mark.parametrize("place", UNKNOWN)
@pytest.mark.parametrize("head", [7, layers.Dense(2)], ids=["classes", "function"])
def test_an_end_that_is_not_known_is_named(place, head):
    model = made(UNKNOWN[place])
    said = rf"^with_new_head: model must be .*; at=, .* says it, got 'the output of {place}'$"
    with weightless(), pytest.raises(ValueError, match=said):
        with_new_head(model, head)


def test_at_says_where_the_features_are():
    with weightless():
        net = with_new_head(lenet5(), 7, at="c5")
        within = with_new_head(nested("avg"), 7, at="base.block1", activation=None)
        piece = with_new_head(fcn32s(input_shape=(64, 64, 3)), layers.Conv2D(2, 1), at="block3")
    assert net.output_shape == (None, 7) and not any(layer.name.startswith("f6") for layer in net.layers)
    assert within.output_shape == (None, 7) and len(within.get_layer("base").layers) == 3
    assert within.layers[-1].activation is keras.activations.linear
    assert piece.output_shape[-1] == 2
    with weightless(), pytest.raises(ValueError, match=r"with_new_head: at must be .* did you mean 'base.block1"):
        with_new_head(nested(), 7, at="base.block1_cnov")


def test_what_is_nested_keeps_its_weights_and_how_it_is_called():
    model = nested("avg")
    randomize(model)
    x = images(2, 8, 8, 3) * 255
    changed = with_new_head(model, lambda y: layers.GlobalAveragePooling2D()(y))
    inner = model.get_layer("base")
    expected = np.asarray(inner(x / 255, training=False))
    np.testing.assert_allclose(np.asarray(changed(x)), expected, rtol=1e-4, atol=1e-6)
    (call,) = (call for call in calls(changed.outputs) if call.operation.name == "base")
    assert call.arguments.kwargs["training"] is False


def test_several_heads():
    with weightless():
        model = with_new_head(nested("avg"), {"species": 9, "age": partial(classifier, classes=1, activation=None)})
        net = with_new_head(vgg16(input_shape=(32, 32, 3)), {"main": 10, "other": 3})
        made_of_one = with_new_head(resnet18(input_shape=(32, 32, 3)), {"main": lambda x: classifier(x, 4)})
    assert {key: tensor.shape for key, tensor in model.output.items()} == {"species": (None, 9), "age": (None, 1)}
    assert [layer.name for layer in model.layers].count("base") == 1
    assert net.get_layer("main.predictions").units == 10 and net.get_layer("other.predictions").units == 3
    assert net.get_layer("main.predictions").input is net.get_layer("other.predictions").input
    assert list(made_of_one.output) == ["main"]
    arguments = compile_args(net)
    assert arguments["loss_weights"] == {"main": 1.0, "other": 1.0}
    for heads in ({}, {3: 4}, {"a": 0}, {"a": "ten"}):
        with weightless(), pytest.raises((TypeError, ValueError), match=r"^with_new_head: head(\['a'\])? must be "):
            with_new_head(base(), heads)


def test_an_auxiliary_head():
    with weightless():
        net = resnet18(input_shape=(64, 64, 3), classes=10)
        model = add_aux_head(net, "stage3", 10)
        more = add_aux_head(model, "stage2", partial(aux_classifier, classes=10, output_size=2))
        logits = add_aux_head(resnet18(input_shape=(64, 64, 3), classifier_activation=None), "stage3", 4)
    assert list(more.output) == ["main", "aux1", "aux2"] and more.output["aux2"].shape == (None, 10)
    assert more.loss_weights == {"main": 1.0, "aux1": 0.3, "aux2": 0.3} == compile_args(more)["loss_weights"]
    assert all(loss.get_config()["from_logits"] is False for loss in compile_args(more)["loss"].values())
    assert all(loss.get_config()["from_logits"] is True for loss in compile_args(logits)["loss"].values())
    assert {layer.name for layer in net.layers} < {layer.name for layer in more.layers}
    with weightless(), pytest.raises(ValueError, match=r"^add_aux_head: name must be a name other than .*main"):
        add_aux_head(net, "stage3", 10, name="main")
    with weightless(), pytest.raises(TypeError, match=r"^add_aux_head: head must be a positive integer"):
        add_aux_head(net, "stage3", "ten")


def test_an_auxiliary_head_in_a_nested_model_is_of_the_same_call():
    """Else statistics would be updated twice a step, and dropout would drop other things."""
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, dense(base("avg")(x)))
    changed = add_aux_head(model, "base.block1", 3)
    backbones = [call for call in changed.operations if isinstance(call, keras.Model)]
    assert len(backbones) == 1 and len(backbones[0].outputs) == 2
    randomize(changed)
    data = images(2, 8, 8, 3)
    assert np.array_equal(run(changed, data)["main"], run(model, data))
