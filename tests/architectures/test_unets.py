"""Attention U-Net, ResUNet, V-Net and U-Net++: published counts, and the same from their layers wired by hand."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from layerblocks.architectures import build, unet
from layerblocks.architectures.unets import residual_convs, resized, unet_plus_plus, vnet_block
from layerblocks.blocks import attention_gate, conv_bn, decoder_block, weightless
from layerblocks.models import features, inference_model
from layerblocks.training import loss_weights

from ..agreement import differ, images, made, randomize, run, trainable

# Millions of parameters: of the usual PyTorch code; of V-Net as other papers count it; table 3 of U-Net++.
MILLIONS = {"attention_unet": 34.88, "vnet": 65.18, "unet_plus_plus": 9.04}
SMALL: dict[str, dict[str, Any]] = {
    "attention_unet": {"filters": (2, 4), "input_shape": (7, 8, 3)},
    "resunet": {"filters": (2, 3), "input_shape": (7, 8, 3)},
    "vnet": {"filters": (2, 4), "convs": (1, 2), "input_shape": (4, 6, 5, 1)},
    "unet_plus_plus": {"filters": (2, 3, 4), "input_shape": (7, 8, 3)},
}


@pytest.mark.parametrize("name", MILLIONS)
def test_published_counts(name):
    assert round(trainable(made(partial(build, name))) / 1e6, 2) == MILLIONS[name]


def test_the_3x3_convolutions_of_resunet_are_what_its_paper_counts():
    """7.8 million; the shortcuts that change their shape are beside them."""
    kernels = [x.kernel.shape for x in made(partial(build, "resunet")).layers if isinstance(x, keras.layers.Conv2D)]
    assert round(sum(prod(shape) for shape in kernels if shape[0] == 3) / 1e6, 1) == 7.8


def test_attention_unet_of_its_paper_without_gates():
    """Its table 1: 5.88 million parameters of the U-Net that the gates go into, for volumes."""
    bare = made(partial(build, "attention_unet", dialect="paper", gate=None))
    assert abs(trainable(bare) / 1e6 - 5.88) < 0.01 and bare.output_shape == (None, 160, 160, 96, 1)
    gated = made(partial(build, "attention_unet", dialect="paper"))
    assert [x.name for x in gated.layers if x.name.endswith(".gate")] == [f"decoder{n}.gate.gate" for n in (4, 3, 2, 1)]


class Layers:
    """The layers of a model by name, one after the other."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def __call__(self, x: Any, *names: str) -> Any:
        for name in names:
            x = self.model.get_layer(name)(x)
        return x

    def unit(self, x: Any, name: str, parts: tuple[str, ...] = ("conv", "norm", "activation")) -> Any:
        return self(x, *(f"{name}.{part}" for part in parts))


def joined(*xs: Any) -> Any:
    return ops.concatenate(xs, axis=-1)


def pooled(x: Any) -> Any:
    return ops.max_pool(x, 2, 2, padding="same")


def cropped(x: Any, like: Any) -> Any:
    return x[tuple(slice(side) for side in like.shape[:-1])]


def doubled(x: Any) -> Any:
    return ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)


def attention_unet_by_hand(go: Layers, x: Any) -> Any:
    fine = go.unit(go.unit(x, "encoder1.conv1"), "encoder1.conv2")
    coarse = go.unit(go.unit(pooled(fine), "encoder2.conv1"), "encoder2.conv2")
    up = cropped(go.unit(doubled(coarse), "decoder1.up.conv"), fine)
    of_both = (
        go.unit(y, f"decoder1.gate.{name}", ("conv", "norm")) for y, name in ((up, "of_signal"), (fine, "of_skip"))
    )
    weights = ops.sigmoid(go.unit(ops.relu(sum(of_both)), "decoder1.gate.weights", ("conv", "norm")))
    y = go.unit(go.unit(joined(fine * weights, up), "decoder1.conv1"), "decoder1.conv2")
    return ops.sigmoid(go(y, "score.conv"))


def resunet_by_hand(go: Layers, x: Any) -> Any:
    def block(x: Any, name: str) -> Any:
        y = ops.relu(go(x, f"{name}.preactivation.norm"))
        return go(go.unit(y, f"{name}.conv1"), f"{name}.conv2.conv") + go(y, f"{name}.shortcut.conv")

    fine = go(go.unit(x, "encoder1.conv1"), "encoder1.conv2.conv") + go(x, "encoder1.shortcut.conv")
    up = cropped(doubled(block(fine, "encoder2")), fine)
    return ops.sigmoid(go(block(joined(fine, up), "decoder1.block"), "score.conv"))


def vnet_by_hand(go: Layers, x: Any) -> Any:
    def prelu(x: Any, name: str) -> Any:
        return ops.maximum(x, 0) + go.model.get_layer(f"{name}.prelu").alpha * ops.minimum(x, 0)

    fine = prelu(go(x, "encoder1.conv1.conv") + joined(x, x), "encoder1.activation")
    down = prelu(go(fine, "pool1.conv.conv"), "pool1.conv.activation")
    y = go(prelu(go(down, "encoder2.conv1.conv"), "encoder2.conv1.activation"), "encoder2.conv2.conv")
    coarse = prelu(y + down, "encoder2.activation")
    both = joined(fine, cropped(prelu(go(coarse, "decoder1.up.conv"), "decoder1.up.activation"), fine))
    y = prelu(go(both, "decoder1.block.conv1.conv") + both, "decoder1.block.activation")
    return ops.softmax(go(y, "score.conv"))


def unet_plus_plus_by_hand(go: Layers, x: Any) -> Any:
    def node(x: Any, name: str) -> Any:
        return go(x, f"{name}.conv1.conv", f"{name}.conv2.conv")

    def nested(below: Any, skips: list[Any], name: str) -> Any:
        return node(joined(*skips, cropped(go(below, f"{name}.up.conv"), skips[0])), name)

    first = node(x, "node1_0")
    second = node(pooled(first), "node2_0")
    third = node(pooled(second), "node3_0")
    above = nested(second, [first], "node1_1")
    last = nested(nested(third, [second], "node2_1"), [first, above], "node1_2")
    return ops.sigmoid(go(last, "score.conv"))


BY_HAND = {
    "attention_unet": attention_unet_by_hand,
    "resunet": resunet_by_hand,
    "vnet": vnet_by_hand,
    "unet_plus_plus": unet_plus_plus_by_hand,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_outputs_of_its_layers_wired_by_hand(name):
    """Of a side that two does not divide; folded the same."""
    model = randomize(build(name, **SMALL[name]))
    x = images(2, *SMALL[name]["input_shape"])
    found = run(model, x)
    assert differ(found, ops.convert_to_numpy(BY_HAND[name](Layers(model), ops.convert_to_tensor(x)))) < 1e-5
    assert np.ptp(found) > 1e-3 and differ(run(inference_model(model), x), found) < 1e-4


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("sides", [(13,), (9, None), (None, 4, 7)])
def test_any_size_of_any_rank(name, sides):
    options = {**SMALL[name], "input_shape": (*sides, 3), "classes": 2, "classifier_activation": None}
    assert made(partial(build, name), **options).output_shape == (None, *sides, 2)


def test_deep_supervision():
    model = made(unet_plus_plus, **SMALL["unet_plus_plus"], deep_supervision=True)
    assert {key: y.shape for key, y in model.output.items()} == dict.fromkeys(("main", "aux1"), (None, 7, 8, 1))
    assert loss_weights(model) == {"main": 1.0, "aux1": 1.0}
    four = made(partial(build, "unet_plus_plus"), deep_supervision=True)
    assert {*four.output} == {"main", "aux1", "aux2", "aux3"} and four.count_params() == 9_042_177 + 3 * 33


@pytest.mark.parametrize("name", ["attention_unet", "resunet", "unet_plus_plus"])
def test_features_are_those_of_the_way_down(name):
    with weightless():
        model = build(name, input_shape=(64, 96, 3))
        found = features(model, None).output
    count = {"attention_unet": 5, "resunet": 4, "unet_plus_plus": 5}[name]
    assert {key: (y.shape[1], y.shape[2]) for key, y in found.items()} == {
        f"stride{2**level}": (64 >> level, 96 >> level) for level in range(count)
    }
    assert [y.shape[-1] for y in found.values()] == [*model_filters(name)]


def model_filters(name: str) -> tuple[int, ...]:
    first = 32 if name == "unet_plus_plus" else 64
    return tuple(first << level for level in range(4 if name == "resunet" else 5))


X, SKIP = (4, 4, 4), (8, 8, 2)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (partial(unet, block=residual_convs), "unet: padding must be 'same' with a block, got 'valid'"),
        (partial(unet, pool=None), "unet: pool must be a function where there is no block"),
        (partial(unet, convs=(2, 2)), "unet: convs must be 5 integers"),
        (partial(unet, convs=0), "unet: convs must be a positive integer"),
        (partial(unet, padding="same", gate=3), "gate must be a function"),
        (partial(unet, padding="same", gated_by="y"), "gated_by must be one of 'x' or 'up'"),
        (partial(unet_plus_plus, filters=(8,)), "unet_plus_plus: filters must be 2 integers"),
        (partial(unet_plus_plus, deep_supervision=2), "deep_supervision must be True or False"),
        (partial(build, "vnet", convs=(1, 2)), "vnet: convs must be 5 integers"),
        (lambda: decoder_block(keras.Input(X), [keras.Input(SKIP)] * 2, 4, offset=1), "offset must be at most 0 with"),
        (lambda: decoder_block(keras.Input(X), [keras.Input(SKIP), 3], 4), "skip must be"),
        (lambda: vnet_block(keras.Input(X), 0), "filters must be a positive integer"),
    ],
)
def test_bad_input(net, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said) as caught:
        net()
    assert "\n" not in str(caught.value)


def test_a_unit_that_enlarges_keeps_a_kernel_of_its_own():
    x, skip = keras.Input(X), keras.Input(SKIP)
    with weightless():
        model = keras.Model([x, skip], decoder_block(x, skip, 3, up=partial(conv_bn_up, kernel_size=5), name="d"))
        plain = keras.Model([x, skip], decoder_block(x, skip, 3, up=resized, gate=attention_gate, name="e"))
    assert model.get_layer("d.up.conv").kernel_size == (5, 5)
    assert plain.get_layer("e.concat").output.shape == (None, 8, 8, 6)


def conv_bn_up(x, filters, kernel_size=3, *, strides=2, padding="same", name=None):
    return conv_bn(resized(x, filters, strides=strides), filters, kernel_size, name=name)
