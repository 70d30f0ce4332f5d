"""Sums of parallel convolutions become one, with the same answer, and nothing else does."""

from __future__ import annotations

from functools import partial

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from layerblocks.architectures import repvgg
from layerblocks.blocks import conv, conv_bn, parallel_conv, weightless
from layerblocks.models import folding, inference_model

from ..agreement import differ, images, randomize, run

CONVS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)


def agree(model, *shape):
    """The model for use, after its answer was held against that of the other."""
    made, x = inference_model(model), images(2, *shape)
    assert differ(run(made, x), run(model, x)) < 1e-5
    return made


@settings(max_examples=8)
@given(
    sides=st.sampled_from([(9, 8), (8, 9), (None, None), (7,), (4, 5, 3)]),
    unit=st.sampled_from([conv, conv_bn]),
    padding=st.sampled_from(["same", "symmetric"]),
    kernel_size=st.sampled_from([1, 3, 5]),
    strides=st.integers(1, 2),
    filters=st.sampled_from([4, 6]),
    use_bias=st.booleans(),
    seed=st.integers(0, 9),
)
def test_the_answer_stays(sides, unit, padding, kernel_size, strides, filters, use_bias, seed):
    unit = partial(unit, padding=padding, use_bias=use_bias)
    x = keras.Input((*sides, 4))
    model = keras.Model(x, parallel_conv(x, filters, kernel_size, strides=strides, conv=unit))
    made = agree(randomize(model, seed), *(side or 9 for side in sides), 4)
    known = None not in sides or padding == "symmetric" or strides == 1
    assert sum(isinstance(layer, CONVS) for layer in made.layers) == (1 if known else 2)
    assert any(isinstance(layer, layers.Add) for layer in made.layers) is not known
    assert not folding(model).kept


@pytest.mark.parametrize("groups", [2, 4])
def test_groups(groups):
    x = keras.Input((6, 5, 4))
    model = randomize(keras.Model(x, parallel_conv(x, 4, conv=partial(conv_bn, groups=groups))))
    (one,) = (layer for layer in agree(model, 6, 5, 4).layers if isinstance(layer, CONVS))
    assert one.groups == groups and one.kernel.shape == (3, 3, 4 // groups, 4)


def test_a_network_of_them_is_plain():
    options = {"repeats": (1, 2), "filters": (8, 16), "classes": 5, "input_shape": (16, 12, 3)}
    for dialect in ("paper", "timm"):
        model = randomize(repvgg(**options, dialect=dialect))
        made = agree(model, 16, 12, 3)
        kinds = [type(layer).__name__ for layer in made.layers if layer.weights]
        assert kinds == [*["Conv2D"] * 4, "Dense"]
        # 3×3 kernels and biases, and the classifier.
        widths = ((3, 8), (8, 8), (8, 16), (16, 16))
        assert made.count_params() == sum(9 * a * b + b for a, b in widths) + 17 * 5
        assert folding(model).folded["stage2.block2.identity"] == "stage2.block2.conv.conv"


def otherwise():
    """Sums that are none of parallel convolutions, by what they are."""
    x = keras.Input((8, 8, 4))
    one, two = (layers.Conv2D(4, side, padding="same")(x) for side in (3, 1))
    yield "a residual", x, layers.Add()([x, layers.Conv2D(4, 3, padding="same")(x)])
    yield "an activation", x, layers.Add()([layers.Conv2D(4, 3, padding="same", activation="relu")(x), two])
    yield "another input", x, layers.Add()([one, layers.Conv2D(4, 1)(layers.ReLU()(x))])
    yield "two wide kernels", x, layers.Add()([one, layers.Conv2D(4, 5, padding="same")(x)])
    yield "other strides", x, layers.Add()([layers.Conv2D(4, 1, strides=2)(x), layers.MaxPooling2D()(two)])
    yield "used elsewhere", x, layers.Concatenate()([one, layers.Add()([one, two])])
    yield "other groups", x, layers.Add()([layers.Conv2D(4, 3, padding="same", groups=2)(x), two])
    yield "one that broadcasts along the sides", x, layers.Add()([layers.Conv2D(4, 8)(x), two])
    narrow = [layers.Conv2D(1, side, padding="same")(x) for side in (3, 1)]
    yield "one that broadcasts along the channels", x, layers.Add()([*narrow, x])
    shared = layers.Conv2D(4, 1)
    yield "a layer used twice", x, layers.Add()([one, shared(x), shared(x)])


@pytest.mark.parametrize(("x", "y"), [pytest.param(x, y, id=word) for word, x, y in otherwise()])
def test_other_sums_stay(x, y):
    model = randomize(keras.Model(x, y))
    kept = [type(layer).__name__ for layer in agree(model, 8, 8, 4).layers]
    assert "Add" in kept and kept == [type(layer).__name__ for layer in model.layers]


def test_without_weights():
    with weightless():
        model = repvgg(repeats=(1,), filters=(8,), input_shape=(8, 8, 3), classes=2)
        assert sum(isinstance(layer, CONVS) for layer in inference_model(model).layers) == 2
