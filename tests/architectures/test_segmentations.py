"""FCN and U-Net: figures, crops that lie right at every input size, and the layers made for them."""

from __future__ import annotations

from functools import partial
from math import ceil

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import fcn, fcn8s, fcn16s, fcn32s, unet
from layerblocks.architectures.segmentations import Grid
from layerblocks.blocks import (
    Bilinear,
    MatchSize,
    bilinear_up,
    conv,
    conv_bn,
    decoder_block,
    fuse_scores,
    match_size,
    pixel_predictions,
    separable,
    weightless,
)
from layerblocks.training import compile_args

from ..agreement import copy_weights, differ, images, made, multiply_adds, randomize, run, trainable
from ..helpers import build, data_format, dear, dtype_policy

FCNS = {32: fcn32s, 16: fcn16s, 8: fcn8s}
SMALL_FCN = {"filters": (2, 2, 3, 3, 4), "units": 5, "classes": 2, "input_shape": (None, None, 1)}
SMALL_UNET = {"filters": (2, 3, 4), "classes": 2, "input_shape": (None, None, 1), "dropout": 0.0}


def sized(constructor, height, width, **options):
    return constructor(**{**options, "input_shape": (height, width, 1)})


# Figures.

VGG_CONVS = 14_714_688  # of VGG-16, in REFERENCE: 138,357,544 less its three dense layers


def test_parameters_of_fcn():
    assert VGG_CONVS == 138_357_544 - (25088 * 4096 + 4096) - (4096 * 4096 + 4096) - (4096 * 1000 + 1000)
    trunk = VGG_CONVS + (49 * 512 * 4096 + 4096) + (4096 * 4096 + 4096) + (4096 * 21 + 21)
    learned = {32: trunk, 16: trunk + 513 * 21 + 16 * 21**2, 8: trunk + 513 * 21 + 257 * 21 + 2 * 16 * 21**2}
    for stride, constructor in FCNS.items():
        model = made(constructor)
        assert trainable(model) == learned[stride]
        assert model.count_params() == learned[stride] + (2 * stride) ** 2 * 21**2
        assert model.output_shape == (None, 500, 500, 21)
        assert made(constructor, dialect="same").count_params() == model.count_params()
        assert trainable(made(constructor, train_upsampling=True)) == model.count_params()


def test_multiply_adds_of_fcn32s():
    side, total, channels = 698, 0, 3
    for filters, convs in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convs):
            total, channels = total + 9 * channels * filters * side**2, filters
        side = ceil(side / 2)
    assert side == 22
    total += (49 * 512 * 4096 + 4096 * 4096 + 4096 * 21) * 16**2 + 64**2 * 21**2 * 16**2
    assert multiply_adds(made(fcn32s)) == total


def test_figures_of_unet():
    """Figure 1 of the paper: 572² in, 28² at the bottom, 388² out, with these crops of the skips."""
    model = made(unet)
    expected, channels = 0, 1
    for filters in (64, 128, 256, 512, 1024):
        expected += 9 * channels * filters + filters + 9 * filters**2 + filters
        channels = filters
    for filters in (512, 256, 128, 64):
        expected += 4 * channels * filters + filters + 9 * 2 * filters**2 + filters + 9 * filters**2 + filters
        channels = filters
    assert model.count_params() == expected + 64 * 2 + 2 == 31_030_658
    sides = [model.get_layer(f"encoder{number}.conv2.conv").output.shape[1] for number in range(1, 6)]
    assert sides == [568, 280, 136, 64, 28]
    sides = [model.get_layer(f"decoder{number}.conv2.conv").output.shape[1] for number in range(1, 5)]
    assert sides == [388, 196, 100, 52]
    assert [model.get_layer(f"decoder{number}.crop").offset[0] for number in range(1, 5)] == [88, 40, 16, 4]
    drops = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert drops == ["encoder4.dropout", "encoder5.dropout"]


def test_crops_of_the_papers():
    """The offsets of the authors' networks: 19; 5 and 27; 5, 9 and 31."""

    def crops(model):
        return [layer.offset[0] for layer in model.layers if isinstance(layer, MatchSize)]

    assert [crops(made(FCNS[stride])) for stride in (32, 16, 8)] == [[19], [5, 27], [5, 9, 31]]


# Where pixels lie.


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3), st.booleans()), min_size=1, max_size=4), st.integers(0, 9)
)
def test_grid(steps, border):
    """Against centres followed pixel by pixel."""
    grid, centres = Grid(origin=-border), np.arange(200.0) - border
    for side, strides, up in steps:
        if up and grid.stride % strides == 0:
            grid = grid.enlarged(side, strides)
            spread = np.full((len(centres) - 1) * strides + side, np.nan)
            for i, centre in enumerate(centres):  # pixel i adds to a window of which it is the centre
                spread[i * strides] = centre - (side - 1) / 2 * grid.stride
            known = ~np.isnan(spread)
            places = np.arange(len(spread))
            spread = spread[known][0] + (places - places[known][0]) * grid.stride
            centres = spread
        elif len(centres) > 20:
            grid = grid.window(side, strides=strides)
            starts = range(0, len(centres) - side + 1, strides)
            centres = np.array([centres[start : start + side].mean() for start in starts])
        np.testing.assert_allclose(centres[:3], grid.origin + grid.stride * np.arange(3))


@given(st.integers(1, 300), st.sampled_from([32, 16, 8]), st.sampled_from(["paper", "same"]))
@dear
def test_fcn_covers_the_image(side, stride, dialect):
    """Whatever the size: a score for every pixel, and none of them from outside what was computed."""
    model = made(
        partial(sized, FCNS[stride], side, 40), **{**SMALL_FCN, "dialect": dialect, "classifier_activation": None}
    )
    assert model.output_shape == (None, side, 40, 2)
    for layer in model.layers:
        if isinstance(layer, MatchSize):
            x, like = layer.input
            assert all(layer.offset[axis] + like.shape[axis + 1] <= x.shape[axis + 1] for axis in (0, 1)), layer.name


@given(st.integers(1, 80), st.integers(1, 80), st.integers(2, 5))
@dear
def test_unet_covers_the_image(height, width, levels):
    options = {**SMALL_UNET, "filters": (2, 3, 4, 5, 6)[:levels], "dialect": "same"}
    model = made(partial(sized, unet, height, width), **options)
    assert model.output_shape == (None, height, width, 2)
    for layer in model.layers:
        if isinstance(layer, MatchSize):
            x, like = layer.input
            assert all(0 <= x.shape[axis] - like.shape[axis] <= 1 for axis in (1, 2))


@given(st.integers(44, 120), st.integers(1, 40))
@dear
def test_valid_unet_of_every_size(side, more):
    """The paper's form adds nothing at the borders, so that a larger image gives the same scores where both have some.

    With crops that depended on the size, as those about the centre do, odd sizes would be shifted.
    """
    small = randomize(sized(unet, side, 44, **SMALL_UNET))
    large = sized(unet, side + more, 44 + more, **SMALL_UNET)
    copy_weights(small, large)
    x = images(1, side + more, 44 + more, 1)
    a, b = run(small, x[:, :side, :44]), run(large, x)
    np.testing.assert_allclose(b[:, : a.shape[1], : a.shape[2]], a, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("height, width", [(61, 77), (62, 64), (63, 81)])
def test_odd_sizes_of_unet(height, width):
    """Far from where an odd size ends, the scores are those of a larger even one."""
    some = randomize(unet(dialect="same", **SMALL_UNET))
    x = images(1, height, width, 1)
    wide = np.pad(x, ((0, 0), (0, -height % 4 + 8), (0, -width % 4 + 8), (0, 0)))
    near = height - 24
    assert differ(run(some, x)[:, :near, : width - 24], run(some, wide)[:, :near, : width - 24]) < 1e-5


def mirrored(model):
    """The same weights, every kernel made equal to its mirror image."""
    for layer in model.layers:
        if layer.weights and not isinstance(layer, keras.layers.Conv2DTranspose):
            kernel, *rest = layer.get_weights()
            layer.set_weights([(kernel + kernel[::-1] + kernel[:, ::-1] + kernel[::-1, ::-1]) / 4, *rest])
    return model


@pytest.mark.parametrize("stride", [32, 16, 8])
@pytest.mark.parametrize("dialect, side", [("paper", 90), ("same", 64)])
def test_fcn_is_not_shifted(stride, dialect, side):
    """Where all poolings divide and all kernels are symmetric, a mirrored image has mirrored scores.

    One pixel of misalignment anywhere between the branches breaks this.
    """
    linear = partial(conv, activation=None)  # so that the image is seen in every map
    options = {**SMALL_FCN, "dialect": dialect, "classifier_activation": None, "conv": linear}
    model = mirrored(randomized_scores(FCNS[stride](**options)))
    x = images(1, side, side, 1)
    scores, turned = run(model, x), run(model, x[:, ::-1, ::-1])
    assert differ(turned[:, ::-1, ::-1], scores) < 1e-4
    for layer in model.layers:
        if layer.name.endswith("score.conv"):
            assert run(keras.Model(model.input, layer.output), x).std() > 1e-2


def randomized_scores(model):
    """Random weights, but for the bilinear enlargements."""
    kept = {
        layer.name: layer.get_weights() for layer in model.layers if isinstance(layer, keras.layers.Conv2DTranspose)
    }
    randomize(model)
    for name, weights in kept.items():
        model.get_layer(name).set_weights(weights)
    return model


@pytest.mark.parametrize("dialect, side", [("paper", 64), ("same", 32)])
def test_unet_is_not_shifted(dialect, side):
    model = randomize(unet(dialect=dialect, **SMALL_UNET))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            kernel, bias = layer.get_weights()
            layer.set_weights([np.broadcast_to(kernel[:1, :1], kernel.shape), bias])
    mirrored(model)
    x = images(1, side, side, 1)
    assert differ(run(model, x[:, ::-1, ::-1])[:, ::-1, ::-1], run(model, x)) < 1e-4


@pytest.mark.sweep_but("same-fcn32s")
@pytest.mark.parametrize("constructor", [fcn32s, fcn8s])
@pytest.mark.parametrize("dialect", ["paper", "same"])
def test_fcn_of_unknown_size(constructor, dialect):
    some = randomized_scores(constructor(dialect=dialect, **SMALL_FCN))
    for height, width in ((33, 70), (1, 5), (97, 64)):
        known = sized(constructor, height, width, dialect=dialect, **SMALL_FCN)
        copy_weights(some, known)
        x = images(2, height, width, 1)
        got = run(some, x)
        assert got.shape == (2, height, width, 2) and differ(got, run(known, x)) < 1e-6
    assert differ(some.predict(x, verbose=0), got) < 1e-5


@pytest.mark.parametrize("dialect, sizes", [("paper", ((45, 62), (51, 44))), ("same", ((31, 18), (5, 7), (1, 2)))])
def test_unet_of_unknown_size(dialect, sizes):
    some = randomize(unet(dialect=dialect, **SMALL_UNET))
    for height, width in sizes:
        known = sized(unet, height, width, dialect=dialect, **SMALL_UNET)
        copy_weights(some, known)
        x = images(2, height, width, 1)
        got = run(some, x)
        assert tuple(got.shape) == (2, *known.output_shape[1:]) and differ(got, run(known, x)) < 1e-6
        assert differ(some.predict(x, verbose=0), got) < 1e-5
    if dialect == "paper":
        with pytest.raises(ValueError, match="at least 44×44"):
            some(images(1, 43, 60, 1))


# Layers and blocks.


@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.integers(0, 4))
@dear
def test_match_size(height, width, rows, columns, down, right):
    x, like = images(2, height, width, 3), np.zeros((2, rows, columns, 1), "float32")
    expected = np.zeros((2, rows, columns, 3), "float32")
    for i in range(rows):
        for j in range(columns):
            if i + down < height and j + right < width:
                expected[:, i, j] = x[:, i + down, j + right]
    layer = MatchSize((down, right))
    np.testing.assert_array_equal(np.asarray(layer([x, like])), expected)
    assert layer.compute_output_shape([x.shape, like.shape]) == expected.shape
    a, b = keras.Input((None, None, 3)), keras.Input((None, None, 1))
    np.testing.assert_array_equal(keras.Model([a, b], layer([a, b])).predict([x, like], verbose=0), expected)


def test_match_size_channels_first():
    x, like = images(2, 3, 5, 4), np.zeros((2, 1, 3, 6), "float32")
    got = np.asarray(MatchSize(1, data_format="channels_first")([x, like]))
    np.testing.assert_array_equal(got, np.pad(x[:, :, 1:4, 1:], ((0, 0), (0, 0), (0, 0), (0, 3))))


def test_match_size_only_where_needed():
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 5))
    assert match_size(a, b) is a
    assert match_size(a, b, offset=1) is not a
    assert match_size(keras.Input((None, 8, 3)), b).shape == (None, 8, 8, 3)
    with pytest.raises(ValueError, match="match_size: offset must be an integer of at least 0, got -1"):
        match_size(a, b, offset=-1)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 8, 16, 64])
def test_bilinear(side):
    """The formula of Caffe's filler, which the authors used."""
    kernel = np.asarray(Bilinear()((side, side, 3, 3), "float32"))
    factor = ceil(side / 2)
    centre = (2 * factor - 1 - side % 2) / (2 * factor)
    weights = [1 - abs(i / factor - centre) for i in range(side)]
    for i, row in enumerate(weights):
        for j, column in enumerate(weights):
            np.testing.assert_allclose(kernel[i, j], row * column * np.eye(3), atol=1e-6)
    with pytest.raises(ValueError, match="Bilinear: shape must be"):
        Bilinear()((3, 3))


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_bilinear_up(factor):
    """A ramp stays a ramp, `factor` times less steep, and pixels lie where the grid says."""
    x = keras.Input((None, None, 2))
    model = keras.Model(x, bilinear_up(x, factor))
    ramp = np.broadcast_to(np.arange(9.0)[None, :, None, None], (1, 9, 7, 2)).astype("float32")
    got = run(model, ramp)
    assert got.shape == (1, 10 * factor, 8 * factor, 2)
    grid = Grid(stride=factor).enlarged(2 * factor, factor)
    inside = got[0, 2 * factor : 8 * factor, 4 * factor, 0]
    places = (grid.origin + grid.stride * np.arange(2 * factor, 8 * factor)) / factor
    np.testing.assert_allclose(inside, places, rtol=1e-5)


def test_blocks_on_their_own():
    with weightless():
        x, skip = keras.Input((13, None, 8)), keras.Input((25, None, 6))
        for unit in (conv_bn, separable):
            y = decoder_block(x, skip, 4, conv=unit)
            assert y.shape == (None, 25, None, 4)
        assert fuse_scores(x, skip).shape == (None, 25, None, 8)
        assert fuse_scores(keras.Input((5, 5, 2)), keras.Input((30, 30, 6)), offset=4).shape == (None, 12, 12, 2)


def test_without_a_top():
    for constructor, last in ((fcn8s, (16, 16, 4096)), (unet, (388, 388, 64))):
        assert made(constructor, include_top=False).output_shape == (None, *last)
        assert made(constructor, include_top=False, pooling="avg").output_shape == (None, last[-1])


def test_probabilities():
    model = randomize(unet(dialect="same", **SMALL_UNET))
    x = images(1, 9, 7, 1)
    np.testing.assert_allclose(run(model, x).sum(-1), 1, rtol=1e-5)
    with data_format("channels_first"):
        model = made(unet, input_shape=(1, None, 40), dialect="same")
        assert model.output_shape == (None, 2, None, 40) and model.layers[-1].axis == 1
        assert made(fcn8s).output_shape == (None, 21, 500, 500)
        assert build(pixel_predictions, (2, 3, 3), "sigmoid").output_shape == (None, 2, 3, 3)


def test_mixed_precision():
    with dtype_policy("mixed_float16"):
        for constructor in (fcn8s, unet):
            for activation in ("softmax", None):
                assert made(constructor, classifier_activation=activation).output.dtype == "float32"


@pytest.mark.parametrize("activation", ["softmax", None])
def test_training(activation):
    keras.utils.set_random_seed(0)
    model = unet(dialect="same", classifier_activation=activation, **SMALL_UNET)
    model.compile(**compile_args(model, keras.optimizers.SGD(1e-2)))
    assert model.loss.get_config()["from_logits"] is (activation is None)
    x = images(4, 13, 11, 1)
    y = (x[..., 0] > 0).astype("int32")
    before = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    model.fit(x, y, verbose=0)  # one small step down the gradient
    assert model.evaluate(x, y, verbose=0, return_dict=True)["loss"] < before - 1e-5


def test_the_last_enlargement_is_not_trained():
    model = fcn16s(**SMALL_FCN)
    assert [layer.name for layer in model.layers if layer.weights and not layer.trainable] == ["up.conv"]
    untouched = run(model, images(1, 40, 33, 1))  # scores are zeros at first
    np.testing.assert_allclose(untouched, 0.5)


@pytest.mark.parametrize("constructor, options", [(fcn8s, SMALL_FCN), (unet, SMALL_UNET)])
def test_saved_and_loaded(constructor, options, tmp_path):
    model = randomize(constructor(**options))
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    x = images(1, 51, 60, 1)
    np.testing.assert_array_equal(run(again, x), run(model, x))


def test_two_in_one_graph():
    with weightless():
        x = keras.Input((None, None, 3))
        keras.Model(x, [fcn8s(input_tensor=x, name="a").output, unet(input_tensor=x, dialect="same", name="b").output])


@pytest.mark.parametrize(
    "constructor, options, message",
    [
        (
            unet,
            {"input_shape": (100, 100, 1)},
            r"unet: input_shape must be at least 188×188, got 100×100",
        ),
        (unet, {"padding": 1}, r"unet: padding must be one of 'valid' or 'same', got 1"),
        (unet, {"filters": (8,)}, r"unet: filters must be 2 integers"),
        (fcn, {"skips": (3,)}, r"fcn: skips must be the first few of \(4, 3, 2, 1\), got \(3,\)"),
        (fcn, {"filters": (8, 8)}, r"fcn: filters must be 5 integers"),
        (fcn32s, {"border": 79}, r"fcn32s: border must be at least 80 with padding='valid', got 79"),
        (fcn8s, {"border": -1}, r"fcn8s: border must be an integer of at least 0"),
    ],
)
def test_bad_input(constructor, options, message):
    with pytest.raises(ValueError, match=message):
        made(constructor, **options)
