"""Surgery, freezing and features of subclassed models: what they do of their functional twins."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks.graphs import read_graph
from layerblocks.models import features, freeze, replace, truncate, with_new_head
from layerblocks.viz import diagram, table

from ..zoo.subclassed import ResNet18


def by_hand(width=16):
    """The same network, functional."""

    def residual(x, filters, projection=False, strides=1):
        y = layers.Conv2D(filters, 3, padding="same", strides=strides)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(y))
        if projection:
            x = layers.Conv2D(filters, 1, strides=strides)(x)
        return layers.ReLU()(layers.Add()([y, x]))

    x = image = keras.Input((64, 64, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(width, 7, 2, "same")(x)))
    x = layers.MaxPooling2D(3, 2, "same")(x)
    for i in range(4):
        x = residual(x, width * 2**i, i > 0, 2 if i else 1)
        x = residual(x, width * 2**i)
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)), name="net")


@pytest.fixture(scope="module")
def net():
    model = ResNet18(width=16)
    model(np.zeros((2, 64, 64, 1), "float32"))
    return model


@pytest.fixture(scope="module")
def twins(net):
    x = keras.Input((64, 64, 1))
    return keras.Model(x, net.call(x), name="net"), by_hand()


def drawn(figure):
    """All that is drawn, without what names take part in: words, places and the fonts that the words are set in."""
    svg = re.sub(r"<style.*?</style>|<title.*?</title>|<desc.*?</desc>", "", figure.svg, flags=re.S)
    svg = re.sub(r"<(text|tspan)[^>]*>([^<]*)", "", svg)
    return [
        (tag, re.findall(r'class="([^"]*)"|fill="([^"]*)"|stroke-dasharray="([^"]*)"', rest))
        for tag, rest in re.findall(r"<(\w+)([^>]*)", svg)
    ]


@pytest.mark.parametrize("depth", ["auto", 1, None])
def test_the_figure_is_that_of_the_functional_one(net, twins, depth):
    first, *others = [drawn(diagram(model, depth=depth)) for model in (net, *twins)]
    assert len(first) > 40 and all(other == first for other in others)


def test_the_table_is_that_of_the_functional_one(net, twins):
    first, *others = [
        [line.split("  ", 1)[-1].split() for line in table(model).splitlines()][1:] for model in (net, *twins)
    ]
    assert first[0] == ["input", "64×64×1", "0", "0"] and others == [first, first]


def test_a_new_head_stands_on_the_same_layers(net, twins):
    made, *others = [with_new_head(model, 3) for model in (net, *twins)]
    assert {model.count_params() for model in (made, *others)} == {net.count_params() - 129 * 7}
    images = np.random.default_rng(1).normal(size=(2, 64, 64, 1)).astype("float32")
    weights = dict.fromkeys(map(id, made.weights))
    assert all(id(weight) in weights for weight in net.stem.weights) and id(net.fc.kernel) not in weights
    made.layers[-1].set_weights([np.asarray(weight)[..., :3] for weight in net.fc.get_weights()])
    np.testing.assert_allclose(np.asarray(made(images)), np.asarray(net(images))[:, :3], atol=1e-4)
    assert read_graph(made, expand_nested=True).parameters == made.count_params()


def test_blocks_are_found_by_the_attributes_that_they_are_kept_as(net):
    images = np.zeros((1, 64, 64, 1), "float32")
    made = replace(net, "blocks.7", layers.Conv2D(128, 1, name="last"))
    assert made.get_layer("last").input.shape == (None, 2, 2, 128)
    assert made.count_params() < net.count_params()
    assert truncate(net, "blocks.1")(images).shape == (1, 16, 16, 16)
    with pytest.raises(ValueError, match=re.escape("replace: name must be the name of a layer or block")):
        replace(net, "block7", layers.ReLU())


def test_what_is_frozen_is_the_model_itself():
    net = ResNet18(width=4)
    net(np.zeros((1, 32, 32, 1), "float32"))
    assert freeze(net, up_to="blocks.5") is net
    trained = {id(weight) for weight in net.trainable_weights}
    kept = {id(w) for block in net.blocks[6:] for w in block.weights if "batch" not in w.path and "bn" not in w.path}
    assert trained == kept | {id(weight) for weight in net.fc.weights}


def test_features_are_those_of_the_functional_one(net, twins):
    made, *others = [features(model) for model in (net, *twins)]
    shapes = {key: tuple(tensor.shape) for key, tensor in made.output.items()}
    assert shapes["stride32"] == (None, 2, 2, 128)
    assert [{key: tuple(t.shape) for key, t in other.output.items()} for other in others] == [shapes, shapes]


class Sampling(keras.Model):
    def __init__(self):
        super().__init__(name="sampling")
        self.dense, self.seed = layers.Dense(2), keras.random.SeedGenerator(1)

    def call(self, x):
        return self.dense(x + keras.random.normal((3,), seed=self.seed))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_draws_numbers_of_its_own_is_refused():
    model = Sampling()
    model(np.ones((2, 3), "float32"))
    with pytest.raises(
        TypeError, match=r"with_new_head: model must be one whose call can be followed, got .'sampling'"
    ):
        with_new_head(model, 3)
