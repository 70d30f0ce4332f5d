"""Receptive fields against what a real layer does: which inputs change an output, one after the other."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from keras import layers

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.graphs import overview, read_graph

from ..helpers import dear

LENGTH = 72
PADDING = st.sampled_from(["same", "valid"])
ONES = {"kernel_initializer": "ones", "use_bias": False}


# What keeps the length, and reads no more than its own position or a few.
OTHERS = {
    "dense": lambda: layers.Dense(1, **ONES),
    "relu": lambda: layers.Activation("relu"),
    "batch norm": lambda: layers.BatchNormalization(),
    "dropout": lambda: layers.Dropout(0.5),
    "separable": lambda: layers.SeparableConv1D(
        1, 3, padding="same", depthwise_initializer="ones", pointwise_initializer="ones", use_bias=False
    ),
    "wrapped": lambda: layers.SpectralNormalization(layers.Conv1D(1, 3, padding="same", **ONES)),
    "repeat": lambda: lambda x: keras.ops.repeat(x, 2, axis=1),
    "slice": lambda: lambda x: x[:, 1::2],
    "there and back": lambda: lambda x: layers.Reshape(x.shape[1:])(layers.Reshape((1, -1, 1))(x)),
    "differences": lambda: lambda x: x[:, 1:] + x[:, :-1],
    "padded": lambda: lambda x: keras.ops.pad(x, ((0, 0), (1, 0), (0, 0))),
}


def random_step(draw):
    """One layer of one dimension; every weight is 1, so that no two ways cancel."""
    size, step = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    kind = draw(
        st.sampled_from(["conv", "dilated", "pool", "max", "depthwise", "transposed", "up", "pad", "crop", *OTHERS])
    )
    if kind in OTHERS:
        return OTHERS[kind]()
    if kind == "conv":
        return layers.Conv1D(1, size, strides=step, padding=draw(st.sampled_from(["same", "valid", "causal"])), **ONES)
    if kind == "dilated":
        return layers.Conv1D(1, size, dilation_rate=step, padding=draw(PADDING), **ONES)
    if kind == "pool":
        return layers.AveragePooling1D(size, strides=step, padding=draw(PADDING))
    if kind == "max":
        return layers.MaxPooling1D(size, strides=step, padding=draw(PADDING))
    if kind == "depthwise":
        return layers.DepthwiseConv1D(size, padding=draw(PADDING), depthwise_initializer="ones", use_bias=False)
    if kind == "transposed":
        return layers.Conv1DTranspose(1, size, strides=min(step, size), padding="valid", **ONES)
    if kind == "up":
        return layers.UpSampling1D(step)
    if kind == "pad":
        return layers.ZeroPadding1D((size, step))
    return layers.Cropping1D((step, size))


def random_chain(draw):
    x = y = keras.Input((LENGTH, 1))
    for _ in range(draw(st.integers(1, 5))):
        layer = random_step(draw)
        z = layer(y)
        if draw(st.booleans()) and z.shape == y.shape:
            z = layers.Add()([z, y])
        y = z
    if draw(st.booleans()):
        size = draw(st.integers(1, 5))
        branches = [layers.Conv1D(1, size, padding="same", **ONES)(y), layers.MaxPooling1D(2, 1, padding="same")(y)]
        y = layers.Concatenate()(branches)
    return keras.Model(x, y)


def seen(model):
    """The most pixels from the first to the last that change one position of the output."""
    response = np.asarray(model(np.eye(LENGTH, dtype="float32")[:, :, None])).sum(-1)  # pixel, position
    spans = [np.flatnonzero(column) for column in response.T]
    return max((int(span[-1] - span[0]) + 1 for span in spans if len(span)), default=0)


@dear
@given(st.data())
def test_receptive_fields_are_what_the_model_sees(data):
    model = random_chain(data.draw)
    (told,) = read_graph(model).nodes[-1].receptive_field
    assume(3 * told < LENGTH)
    assert seen(model) == told


@pytest.mark.parametrize("size", [2, 3])
def test_bilinear_upsampling_sees_two_pixels(size):
    x = keras.Input((24, 24, 1))
    y = layers.UpSampling2D(size, interpolation="bilinear")(x)
    assert read_graph(keras.Model(x, y)).nodes[-1].receptive_field == (2, 2)
    y = layers.Conv2D(1, 3, **ONES)(y)
    model = keras.Model(x, y)
    told = read_graph(model).nodes[-1].receptive_field[0]
    pixels = np.zeros((24, 24, 24, 1), "float32")
    pixels[range(24), range(24)] = 1  # whole rows
    response = np.asarray(model(pixels)).sum((2, 3))
    spans = [np.flatnonzero(np.abs(column) > 1e-6) for column in response.T]
    assert max(int(s[-1] - s[0]) + 1 for s in spans if len(s)) == told


def fields(model):
    return {n.name: n.receptive_field for n in read_graph(model, expand_nested=True).nodes}


def test_each_axis_has_its_own():
    x = keras.Input((32, 32, 3), name="x")
    y = layers.Conv2D(4, (3, 5), strides=(1, 2), name="a")(x)
    y = layers.SeparableConv2D(4, (3, 1), name="b")(y)
    z = layers.Conv2D(4, (1, 3), data_format="channels_first", name="c")(layers.Permute((3, 1, 2), name="p")(x))
    found = fields(keras.Model(x, [y, z]))
    assert (found["x"], found["a"], found["b"], found["p"], found["c"]) == ((1, 1), (3, 5), (5, 5), (1, 1), (1, 3))


def test_what_sees_everything_has_none_on_each_axis():
    x = keras.Input((8, 8, 3), name="x")
    y = layers.Conv2D(4, 3, padding="same", name="a")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="pool")(y)
    z = layers.Multiply(name="gated")([y, gate])
    found = fields(keras.Model(x, layers.Dense(2, name="d")(layers.Flatten(name="flat")(z))))
    assert found == {"x": (1, 1), "a": (3, 3), **dict.fromkeys(("pool", "gated", "flat", "d"), (None, None))}
    assert set(fields(keras.Sequential([keras.Input((4,)), layers.Dense(2, name="d")])).values()) == {None}


@pytest.mark.parametrize(
    ("name", "node", "expected"),
    [
        ("vgg16", "block5", 212),
        ("resnet18", "stage4", 435),
        ("resnet50", "stage4", 483),
        ("resnet101", "stage4", 1027),
        ("alexnet", "conv5", 163),
        ("lenet5", "c3", 14),
    ],
)
def test_published_networks(name, node, expected):
    """Araujo, Norris and Sim 2019, and by hand: conv k, stride s adds (k - 1) times the product of strides so far."""
    with weightless():
        graph = overview(read_graph(build(name)), 1)
    found = {n.name: n.receptive_field for n in graph.nodes}
    assert found.get(node) == (expected, expected), found


def test_nested_models_go_on_where_they_begin():
    u = keras.Input((None, None, 1))
    inner = keras.Model(u, layers.Conv2D(1, 3, name="conv")(u), name="inner")
    x = keras.Input((20, 20, 1), name="x")
    found = fields(keras.Model(x, inner(layers.MaxPooling2D(2, name="pool")(x))))
    assert found["inner.conv"] == (6, 6)
