"""GoogLeNet's dialects, the factorized Inception blocks and Inception-v3: figures, agreement, shapes, input sizes."""

from __future__ import annotations

import re
from functools import partial
from math import ceil

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import googlenet, googlenet_torchvision, inception_v3
from layerblocks.architectures.googlenets import TORCH_LAYERS
from layerblocks.architectures.inceptions_v3 import LAYERS, unscaled
from layerblocks.blocks import (
    aux_classifier,
    avg_pool,
    block,
    conv,
    conv_bn,
    group_norm,
    inception,
    inception_asymmetric,
    inception_expanded,
    inception_reduction,
    inception_stacked,
    separable,
    squeeze_excite,
    weightless,
)
from layerblocks.models import inference_model
from layerblocks.training import compile_args

from ..agreement import differ, hand_over, images, made, multiply_adds, randomize, run, trainable
from ..helpers import build, data_format, dear, dtype_policy

# Figures.

FIGURES = {
    "torchvision's GoogLeNet": (googlenet_torchvision, {}, 13_004_888, 13_019_960, 1.507),
    "torchvision's GoogLeNet, main": (googlenet_torchvision, {"aux": False}, 6_624_904, 6_639_464, 1.498),
    "torchvision's GoogLeNet as a dialect": (googlenet, {"dialect": "torchvision"}, 13_004_888, 13_019_960, 1.507),
    "torchvision's Inception-v3": (inception_v3, {"dialect": "torchvision"}, 27_161_264, 27_197_488, 5.719),
    "torchvision's Inception-v3, main": (
        inception_v3,
        {"dialect": "torchvision", "aux": False},
        23_834_568,
        23_869_000,
        5.713,
    ),
    "keras.applications' Inception-v3": (inception_v3, {"dialect": "keras"}, 23_817_352, 23_851_784, 5.713),
    # The head has two norms of 128 and 768 channels, here without a scale.
    "Inception-v3": (inception_v3, {}, 27_161_264 - 17_216 - 896, 27_197_488 - 17_216 - 896, 5.719),
}


@pytest.mark.parametrize("figure", FIGURES)
def test_figures(figure):
    constructor, options, some, every, billions = FIGURES[figure]
    model = made(constructor, **options)
    assert (trainable(model), model.count_params()) == (some, every)
    assert round(multiply_adds(model) / 1e9, 3) == billions


def test_the_notes_normalised_googlenet():
    """Biased convolutions and a norm behind each but the 1×1 of the stem; 1000 hidden units before the classes."""
    model = made(googlenet, dialect="notes_bn", classes=10)
    norms = 7280 - 64  # channels of all convolutions
    bare = 6_998_552 - (1024 + 1) * 1000
    assert trainable(model) == bare + 2 * norms + (1024 + 1) * 1000 + (1000 + 1) * 10
    assert model.count_params() == trainable(model) + 2 * norms
    order = [layer.name for layer in model.layers if layer.name.startswith(("conv", "pool1", "norm", "activation"))]
    assert order == [
        *("conv1.conv", "pool1", "norm1.norm", "norm1.activation"),
        *("conv2_reduce.conv", "conv2.conv", "conv2.norm", "conv2.activation"),
    ]
    assert [layer.name for layer in model.layers[-4:]] == [
        f"classifier.{name}" for name in ("pool", "dropout", "dense1", "predictions")
    ]
    sizes = [tuple(model.get_layer(name).output.shape[1:3]) for name in ("pool1", "pool2", "pool3", "pool4")]
    assert sizes == [(54, 54), (25, 25), (12, 12), (5, 5)]


def test_norms_of_each_dialect():
    kinds = {}
    for dialect in ("paper", "keras", "torchvision"):
        model = made(inception_v3, dialect=dialect)
        layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        kinds[dialect] = {(layer.scale, layer.epsilon, layer.momentum) for layer in layers}
    assert kinds == {"paper": {(False, 1e-3, 0.99)}, "keras": {(False, 1e-3, 0.99)}, "torchvision": {(True, 1e-3, 0.9)}}


# Agreement.


def number(layer: keras.layers.Layer) -> int:
    """The place of a layer that Keras named, in the order in which they were made."""
    found = re.search(r"_(\d+)$", layer.name)
    return int(found[1]) if found else 0


def test_inception_v3_computes_what_keras_applications_does():
    theirs = randomize(keras.applications.InceptionV3(weights=None, input_shape=(86, 101, 3), classes=7))
    order = []

    def recorded(*args, **options):
        y = unscaled(*args, **options)
        order.append(y._keras_history.operation.name.removesuffix(".activation"))
        return y

    ours = inception_v3(dialect="keras", input_shape=(86, 101, 3), classes=7, conv=recorded)
    for kind, part in ((keras.layers.Conv2D, "conv"), (keras.layers.BatchNormalization, "norm")):
        layers = sorted((layer for layer in theirs.layers if isinstance(layer, kind)), key=number)
        hand_over(layers, [ours.get_layer(f"{name}.{part}") for name in order])
    hand_over([theirs.get_layer("predictions")], [ours.get_layer("classifier.predictions")])
    x = images(2, 86, 101, 3)
    assert differ(run(ours, x), run(theirs, x)) < 1e-5


@pytest.mark.parametrize("window", [2, 3])
@given(size=st.tuples(st.integers(1, 20), st.integers(1, 20)), seed=st.integers(0, 99))
@dear
def test_pools_round_up_as_torch_does(window, size, seed):
    """Windows that begin inside the image, cut off at its end."""
    pool = {3: TORCH_LAYERS["pool1"], 2: TORCH_LAYERS["pool4"]}[window]
    rows, columns = (ceil((side - window) / 2) + 1 for side in size)
    if rows < 1 or columns < 1:
        with pytest.raises(ValueError):
            build(pool, (*size, 1))
        return
    x = np.maximum(images(1, *size, 2, seed=seed), 0)
    expected = np.empty((1, rows, columns, 2), "float32")
    for i, j in np.ndindex(rows, columns):
        seen = x[:, 2 * i : 2 * i + window, 2 * j : 2 * j + window]
        assert seen.size
        expected[:, i, j] = seen.max(axis=(1, 2))
    for shape in (size, (None, None)):
        assert np.array_equal(run(model_of(pool, (*shape, 2)), x), expected)


def model_of(function, shape, *args, **options) -> keras.Model:
    x = keras.Input(shape)
    return keras.Model(x, function(x, *args, **options))


def test_pools_of_torchvisions_inception_v3_average_zeros_in():
    ones = np.ones((1, 5, 6, 4), "float32")
    inside = np.outer([2, 3, 3, 3, 2], [2, 3, 3, 3, 3, 2])  # pixels of each 3×3 window
    for layers, share in ((LAYERS, 1), (inception_v3.dialects["torchvision"]["layers"], inside / 9)):
        make, *filters = layers["mixed0"]
        model = model_of(make, (5, 6, 4), *filters, name="mixed0")
        pooled = keras.Model(model.input, model.get_layer("mixed0.pool").output)
        assert np.allclose(run(pooled, ones)[0, :, :, 0], share)


# Blocks.

UNITS = [conv, conv_bn, separable, partial(conv, norm=partial(group_norm, groups=2), activation="gelu")]
units = st.sampled_from(UNITS)
filters = st.integers(1, 8).map(lambda n: 2 * n)
sides = st.integers(1, 24) | st.none()


def many(count: int):
    return st.tuples(*[filters] * count)


def weights_of(depth: int, *steps: tuple[tuple[int, int], int], unit) -> int:
    """Parameters of units one behind the other, each a kernel and a number of filters."""
    total = 0
    for (height, width), each in steps:
        x = keras.Input((8, 8, depth))
        with weightless():
            total += keras.Model(x, unit(x, each, (height, width), strides=1)).count_params()
        depth = each
    return total


@given(
    height=sides,
    width=sides,
    c1=filters,
    single=many(2),
    double=many(3),
    proj=filters,
    unit=units,
    n=st.sampled_from([3, 5]),
)
@dear
def test_stacked(height, width, c1, single, double, proj, unit, n):
    model = build(inception_stacked, (height, width, 6), c1, single, double, proj, kernel_size=n, conv=unit)
    assert model.output_shape == (None, height, width, c1 + single[-1] + double[-1] + proj)
    one, three = (1, 1), (3, 3)
    assert model.count_params() == sum(
        weights_of(6, *branch, unit=unit)
        for branch in (
            [(one, c1)],
            [(one, single[0]), ((n, n), single[1])],
            [(one, double[0]), (three, double[1]), (three, double[2])],
            [(one, proj)],
        )
    )


@given(
    height=sides,
    width=sides,
    c1=filters,
    single=many(3),
    double=many(5),
    proj=filters,
    unit=units,
    n=st.sampled_from([3, 7]),
)
@dear
def test_asymmetric(height, width, c1, single, double, proj, unit, n):
    model = build(inception_asymmetric, (height, width, 6), c1, single, double, proj, n=n, conv=unit)
    assert model.output_shape == (None, height, width, c1 + single[-1] + double[-1] + proj)
    one, row, column = (1, 1), (1, n), (n, 1)
    assert model.count_params() == sum(
        weights_of(6, *zip(kernels, widths, strict=True), unit=unit)
        for kernels, widths in (
            ([one], [c1]),
            ([one, row, column], single),
            ([one, column, row, column, row], double),
            ([one], [proj]),
        )
    )


@given(height=sides, width=sides, c1=filters, single=many(2), double=many(3), proj=filters, unit=units)
@dear
def test_expanded(height, width, c1, single, double, proj, unit):
    model = build(inception_expanded, (height, width, 6), c1, single, double, proj, conv=unit)
    assert model.output_shape == (None, height, width, c1 + 2 * single[-1] + 2 * double[-1] + proj)
    one, row, column = (1, 1), (1, 3), (3, 1)
    assert model.count_params() == sum(
        (
            weights_of(6, (one, c1), unit=unit),
            weights_of(6, (one, single[0]), unit=unit),
            *(weights_of(single[0], (kernel, single[1]), unit=unit) for kernel in (row, column)),
            weights_of(6, (one, double[0]), ((3, 3), double[1]), unit=unit),
            *(weights_of(double[1], (kernel, double[2]), unit=unit) for kernel in (row, column)),
            weights_of(6, (one, proj), unit=unit),
        )
    )


@given(
    height=sides,
    width=sides,
    single=many(1) | many(2),
    double=many(3),
    extra=filters,
    n=st.sampled_from([None, 3, 7]),
    unit=units,
)
@dear
def test_reduction(height, width, single, double, extra, n, unit):
    double = double if n is None else (*double, extra)
    options = {"n": n, "conv": unit}
    if min(height or 9, width or 9) < 3:
        with pytest.raises(ValueError, match="at least 3"):
            build(inception_reduction, (height, width, 6), single, double, **options)
        return
    model = build(inception_reduction, (height, width, 6), single, double, **options)
    shape = [None if side is None else (side - 3) // 2 + 1 for side in (height, width)]
    assert model.output_shape == (None, *shape, single[-1] + double[-1] + 6)
    kernels = [(1, 1), (3, 3), (3, 3)] if n is None else [(1, 1), (1, n), (n, 1), (3, 3)]
    assert model.count_params() == sum(
        (
            weights_of(6, *zip([(1, 1), (3, 3)][-len(single) :], single, strict=True), unit=unit),
            weights_of(6, *zip(kernels, double, strict=True), unit=unit),
        )
    )


def test_inception_with_another_kernel():
    model = build(inception, (28, 28, 8), 4, (2, 4), (2, 4), 4, kernel_size=3, name="inception")
    assert model.get_layer("inception.5x5.conv").kernel_size == (3, 3)


@pytest.mark.parametrize(
    "block, arguments",
    [
        (inception_stacked, (8, (8, 8, 8), (8, 8, 8), 8)),
        (inception_stacked, (8, (8, 8), (8, 8), 8)),
        (inception_asymmetric, (8, (8, 8), (8, 8, 8, 8, 8), 8)),
        (inception_asymmetric, (8, (8, 8, 8), (8, 8, 8, 8, 0), 8)),
        (inception_expanded, (8, (8, 8), 8, 8)),
        (inception_reduction, ((8, 8, 8), (8, 8, 8))),
        (inception_reduction, ((), (8, 8, 8))),
        (inception_reduction, ((8,), (8, 8, 8, 8))),
    ],
)
def test_wrong_numbers_of_filters(block, arguments):
    with pytest.raises((ValueError, TypeError), match=rf"{block.__name__}.*(single|double).*must be"):
        build(block, (16, 16, 8), *arguments)


# Networks.


def test_outputs_and_loss_weights():
    model = made(inception_v3, classes=10)
    assert {key: output.shape for key, output in model.output.items()} == {"main": (None, 10), "aux1": (None, 10)}
    assert compile_args(model)["loss_weights"] == {"main": 1.0, "aux1": 0.4}
    assert (
        inference_model(model, fold_norm=False).count_params()
        == made(inception_v3, classes=10, aux=False).count_params()
    )


@pytest.mark.sweep_but("googlenet_torchvision-options2-15")
@pytest.mark.parametrize(
    "constructor, options, least",
    [
        (inception_v3, {}, 299),
        (inception_v3, {"dialect": "keras", "include_top": False}, 75),  # as keras.applications says
        (googlenet_torchvision, {}, 15),
        (googlenet, {"dialect": "notes_bn"}, 75),
    ],
)
def test_any_input_size_from_the_smallest_on(constructor, options, least):
    model = made(constructor, input_shape=(None, None, 3), **options)
    guard = model.get_layer("minimum_size")
    assert (guard.height, guard.width) == (least, least)
    for size in ((least, least, 3), (317, 331, 3)):
        fixed = made(constructor, input_shape=size, **options)
        assert model.compute_output_shape((2, *size)) == fixed.compute_output_shape((2, *size))


def test_smaller_images_are_refused():
    with pytest.raises(ValueError, match="googlenet_torchvision: input_shape must be at least 15×15"):
        made(googlenet_torchvision, input_shape=(14, 15, 3))
    assert googlenet_torchvision.smallest_input() == 15


@pytest.mark.parametrize("constructor", [googlenet_torchvision, inception_v3])
def test_channels_first(constructor):
    last = made(constructor)
    with data_format("channels_first"):
        first = made(constructor)
    assert first.count_params() == last.count_params()
    assert first.input_shape == (None, 3, *last.input_shape[1:3])
    names = [layer.name for layer in last.layers if len(layer.output.shape) == 4]
    for name in names:
        height, width, channels = last.get_layer(name).output.shape[1:]
        assert first.get_layer(name).output.shape[1:] == (channels, height, width), name


def test_two_in_one_graph_and_mixed_precision():
    with dtype_policy("mixed_float16"), weightless():
        x = keras.Input((299, 299, 3))
        both = [inception_v3(input_tensor=x, name=name, classes=5) for name in ("left", "right")]
        model = keras.Model(x, [model.output["main"] for model in both])
    assert all(output.dtype == "float32" for model in both for output in model.output.values())
    assert both[0].get_layer("left.mixed0.concat").compute_dtype == "float16"
    assert len({layer.name for layer in model.layers}) == len(model.layers)


def test_any_unit():
    model = made(inception_v3, conv=partial(separable, norm=partial(group_norm, groups=4)), classes=3)
    kinds = {type(layer).__name__ for layer in model.layers if layer.weights}
    assert kinds == {"SeparableConv2D", "GroupNormalization", "Dense"}


@pytest.mark.parametrize("constructor", [googlenet, inception_v3])
def test_auxiliary_heads_by_choice(constructor):
    keys = ["aux1", "aux2", "main"] if constructor is googlenet else ["aux1", "main"]
    other = partial(aux_classifier, output_size=4)
    assert sorted(made(constructor, aux=other, input_shape=(128, 96, 3)).output) == keys
    assert sorted(made(constructor, aux=True).output) == keys
    assert not isinstance(made(constructor, aux=False).output, dict)
    assert not isinstance(made(constructor, include_top=False).output, dict)
    with pytest.raises(ValueError, match="aux must be the name of a block"):
        made(constructor, aux="both")
    with pytest.raises(TypeError, match="aux must be True or False or a function"):
        made(constructor, aux=3)


def test_a_block_of_ones_own():
    @block
    def se_inception(x, *filters, conv):
        return squeeze_excite(inception(x, *filters, conv=conv, name="inception"), name="se")

    model = made(googlenet, block=se_inception, aux=False)
    blocks = {"3a": 256, "3b": 480, "4a": 512, "4b": 512, "4c": 512, "4d": 528, "4e": 832, "5a": 832, "5b": 1024}
    more = sum(2 * width * (width // 16) + width // 16 + width for width in blocks.values())
    assert model.count_params() == 6_998_552 + more
    assert model.get_layer("inception_5b.se.reduce.conv").filters == 64


def test_a_table_of_layers_of_ones_own():
    layers = {**LAYERS, "mixed0": (inception, 64, (48, 64), (64, 96), 32), "pool2": partial(avg_pool, pool_size=2)}
    model = made(inception_v3, layers=layers, aux=False)
    assert model.get_layer("mixed0.5x5.conv").kernel_size == (5, 5)
    assert model.get_layer("pool2").output.shape[1:] == (36, 36, 192)
