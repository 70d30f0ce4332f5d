"""What trains after `freeze`, seen in a step of training: what may move moves, the rest and its statistics do not."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.models import freeze, with_new_head
from layerblocks.training import compile_args, label_every_output

from ..agreement import images

DIM = images(2, 64, 64, 3) / 1000
"""Norms at their first statistics leave large what is large, and JAX has no gradient through a softmax of 0 or 1."""


def moved(model, x, y):
    """The variables that a step of training changes, by path."""
    before = {w.path: np.array(w) for w in model.weights}
    model.compile(**compile_args(model, keras.optimizers.SGD(1.0)))
    model.train_on_batch(x, y)
    return {
        path for path, value in before.items() if not np.array_equal(value, {w.path: w for w in model.weights}[path])
    }


def blocks_of(paths):
    return {path.split(".")[0].split("/")[0] for path in paths}


def test_only_the_head_moves():
    model = freeze(with_new_head(build("resnet18", input_shape=(64, 64, 3)), 5))
    assert blocks_of(moved(model, DIM, np.array([0, 4]))) == {"classifier"}


def test_phases_of_fine_tuning_with_statistics_kept():
    model = build("resnet18", input_shape=(64, 64, 3), classes=5)
    freeze(model, up_to="stage3")
    paths = moved(model, DIM, np.array([0, 4]))
    assert blocks_of(paths) == {"stage4", "classifier"} and not any("norm" in path for path in paths)
    freeze(model, up_to="stage3", norms=False)
    paths = moved(model, DIM, np.array([0, 4]))
    assert blocks_of(paths) == {"stage4", "classifier"} and any("moving_mean" in path for path in paths)


def test_auxiliary_heads_train_with_the_main_one():
    model = freeze(build("googlenet", input_shape=(65, 65, 3), classes=5))
    x, y = label_every_output((images(2, 65, 65, 3), np.array([0, 4])), model)
    assert blocks_of(moved(model, x, y)) == {"aux1", "aux2", "classifier"}


def test_blocks_beside_the_frozen_way_train():
    x = keras.Input((8, 8, 3))
    left = layers.Conv2D(4, 3, name="left.conv")(x)
    right = layers.Conv2D(4, 3, name="right.conv")(x)
    model = keras.Model(x, layers.Dense(2, name="head")(layers.Flatten()(layers.Add()([left, right]))))
    freeze(model, up_to="left")
    assert {w.path.split("/")[0] for w in model.trainable_weights} == {"right.conv", "head"}


@pytest.mark.parametrize("kind", [keras.applications.MobileNetV2, keras.applications.ResNet50V2])
def test_networks_of_keras(kind):
    with weightless():
        model = freeze(kind(weights=None, classes=10))
        assert {w.path.split("/")[0] for w in model.trainable_weights} == {"predictions"}
        stage = "block_13" if kind is keras.applications.MobileNetV2 else "conv4"
        freeze(model, up_to=stage)
    assert not any(layer.trainable for layer in model.layers if layer.name.startswith(stage))
    assert not any(layer.trainable for layer in model.layers if isinstance(layer, layers.BatchNormalization))


def test_a_nested_backbone():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization()], name="body")
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(inner(x))))
    assert len(freeze(model).trainable_weights) == 2
    assert len(freeze(model, up_to="body").trainable_weights) == 2
    model = freeze(keras.Model(x, inner(x)))
    assert len(model.trainable_weights) == 2, "the convolution's; its norm keeps still"


def test_bad_input():
    with weightless():
        model = build("resnet18")
    with pytest.raises(ValueError, match=r"freeze: up_to must be the name of a layer or block.*did you mean 'stage\d'"):
        freeze(model, up_to="stage9")
    with pytest.raises(TypeError, match="freeze: up_to must be the name of a layer or block"):
        freeze(model, up_to=3)
    with pytest.raises(TypeError, match="freeze: model must be a functional"):
        freeze("resnet18")
