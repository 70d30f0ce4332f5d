"""Unknown sizes as shares of the input's: as large as Keras says that they are for a size that all of them divide."""

from __future__ import annotations

import keras
import pytest
from keras import layers

from layerblocks.blocks import weightless
from layerblocks.graphs import read_graph

SIZES = {"H": 64, "W": 96, "T": 48, "D": 32}


def said(make, *shapes):
    with weightless():
        inputs = [keras.Input(shape, name=f"x{i}") for i, shape in enumerate(shapes)]
        return read_graph(keras.Model(inputs, make(*inputs))).nodes


def scales(node):
    return [None if scale is None else str(scale) for scale in node.scales]


IMAGE = (None, None, 3)
CASES = {
    "strides": (layers.Conv2D(4, 3, strides=(2, 4), padding="same"), IMAGE, ["H/2", "W/4"]),
    "a pooling": (layers.MaxPooling2D(4), IMAGE, ["H/4", "W/4"]),
    "up": (layers.UpSampling2D((3, 1)), IMAGE, ["3H", "W"]),
    "transposed": (layers.Conv2DTranspose(4, 2, strides=2), IMAGE, ["2H", "2W"]),
    "exchanged": (layers.Permute((2, 1, 3)), IMAGE, ["W", "H"]),
    "one known": (layers.MaxPooling2D(2), (None, 32, 3), ["H/2", None]),
    "a signal": (layers.Conv1D(4, 3, strides=3, padding="same"), (None, 8), ["T/3"]),
    "tokens": (layers.Dense(4), (None, 8), ["T"]),
    "a volume": (layers.AveragePooling3D(2), (None, None, None, 2), ["D/2", "H/2", "W/2"]),
    "a video": (layers.TimeDistributed(layers.Conv2D(4, 3)), (None, 16, 16, 3), ["T", None, None]),
    "none that follows": (layers.GlobalAveragePooling2D(keepdims=True), IMAGE, [None, None]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_size_is_the_share_that_keras_gives(name):
    layer, shape, expected = CASES[name]
    *_, node = said(layer, shape)
    assert (scales(node)[1:-1] or [None] * len(expected)) == expected
    letters = {1: "T", 2: "HW", 3: "DHW"}[len(shape) - 1] if name != "a video" else "T__"
    true = [SIZES.get(letter, n) if n is None else n for letter, n in zip(letters, shape, strict=False)]
    made = layer.compute_output_shape((1, *true, shape[-1]))
    for scale, size in zip(node.scales[1:-1], made[1:], strict=False):
        assert scale is None or SIZES[scale.of] * scale.times == size * scale.over


def test_shares_multiply_along_a_network_and_are_what_they_were_where_it_goes_up_again():
    def make(x):
        y = layers.Conv2D(4, 3, strides=2, padding="same", name="a")(x)
        z = layers.UpSampling2D(2, name="up")(layers.MaxPooling2D(2, name="b")(y))
        return layers.Add(name="sum")([y, z])

    nodes = {node.name: scales(node)[1:3] for node in said(make, IMAGE)}
    assert nodes == {
        "x0": ["H", "W"],
        "a": ["H/2", "W/2"],
        "b": ["H/4", "W/4"],
        "up": ["H/2", "W/2"],
        "sum": ["H/2", "W/2"],
    }


def test_what_takes_of_the_border_is_about_a_share():
    *_, node = said(layers.Conv2D(4, 5, strides=2), IMAGE)
    assert scales(node)[1:3] == ["≈H/2", "≈W/2"]


def test_sizes_of_several_inputs_are_told_apart_and_of_two_that_meet_nothing_is_said():
    def make(a, b):
        both = layers.Concatenate(axis=1, name="row")([a, b])
        return [both, layers.MaxPooling1D(2, name="half")(b)]

    nodes = {node.name: scales(node)[1:2] for node in said(make, (None, 4), (None, 4))}
    assert (nodes["x0"], nodes["x1"], nodes["half"]) == (["T1"], ["T2"], ["T2/2"])
    assert nodes["row"] in ([], [None])


def test_of_known_sizes_nothing_is_said():
    assert all(node.scales == () for node in said(layers.Conv2D(4, 3), (8, 8, 3)))


def test_where_channels_come_first_they_have_no_letter():
    layer = layers.Conv2D(4, 3, padding="same", data_format="channels_first")
    first, last = said(layer, (3, None, None))
    assert scales(first) == scales(last) == [None, None, "H", "W"]
