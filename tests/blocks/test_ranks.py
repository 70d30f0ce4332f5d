"""Signals, images and volumes: every block and architecture at rank 1, 2 and 3.

Shapes and counts against the closed forms and `check_net`; numbers against sums over windows in plain NumPy, and a
block of one rank against itself on a map of the next rank that has a single pixel on the axis more.
"""

from __future__ import annotations

import itertools
from functools import partial

import keras
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from layerblocks import blocks as b
from layerblocks.architectures import build as network
from layerblocks.graphs import read_graph, receptive_field
from layerblocks.testing import check_net, oracles

from ..helpers import array, build, data_format, images, real

RANKS = (1, 2, 3)
AXES = {1: "l", 2: "h w", 3: "d h w"}
SIDES = (7, 6, 5)


def shape_of(rank, channels=4):
    return (*SIDES[:rank], channels)


def spec(side, channels, rank):
    """`spec("ceil(n/2)", "8", 2)` is `b h w c -> b ceil(h/2) ceil(w/2) 8`; without a side it is of features."""
    axes = AXES[rank].split()
    after = [side.replace("n", axis) for axis in axes] if side else []
    return f"b {' '.join(axes)} c -> b {' '.join([*after, channels])}"


# Each block with arguments of any rank, what it makes of a side n, and its channels.
BLOCKS = {
    "conv": (partial(b.conv, filters=8, strides=2), "ceil(n/2)", "8"),
    "conv valid": (partial(b.conv, filters=8, padding="valid"), "n-2", "8"),
    "conv padded": (partial(b.conv, filters=8, padding=2), "n+2", "8"),
    "conv_bn": (partial(b.conv_bn, filters=8), "n", "8"),
    "preact_conv": (partial(b.preact_conv, filters=8), "n", "8"),
    "dilated": (partial(b.dilated, filters=8), "n", "8"),
    "separable": (partial(b.separable, filters=8, depth_multiplier=2, strides=2), "ceil(n/2)", "8"),
    "depthwise": (partial(b.depthwise, strides=2), "ceil(n/2)", "c"),
    "depthwise_separable": (partial(b.depthwise_separable, filters=8), "n", "8"),
    "transposed": (partial(b.transposed, filters=8), "2*n", "8"),
    "transposed padded": (partial(b.transposed, filters=8, padding=1, output_padding=1), "2*n", "8"),
    "max_pool": (partial(b.max_pool, pool_size=3, strides=2), "ceil(n/2)", "c"),
    "max_pool dilated": (partial(b.max_pool, pool_size=3, strides=1, dilation_rate=2), "n", "c"),
    "avg_pool": (partial(b.avg_pool, padding="valid"), "n//2", "c"),
    "adaptive_avg_pool": (partial(b.adaptive_avg_pool, output_size=2), "2", "c"),
    "global_avg_pool": (b.global_avg_pool, "", "c"),
    "global_max_pool": (b.global_max_pool, "", "c"),
    "zero_pad": (partial(b.zero_pad, padding=1), "n+2", "c"),
    "crop": (partial(b.crop, cropping=1), "n-2", "c"),
    "batch_norm": (b.batch_norm, "n", "c"),
    "fused_batch_norm": (b.fused_batch_norm, "n", "c"),
    "group_norm": (partial(b.group_norm, groups=1), "n", "c"),
    "layer_norm": (b.layer_norm, "n", "c"),
    "local_response_norm": (b.local_response_norm, "n", "c"),
    "norm_activation": (b.norm_activation, "n", "c"),
    "squeeze_excite": (b.squeeze_excite, "n", "c"),
    "subsample": (b.subsample, "n//2", "c"),
    "vgg_block": (partial(b.vgg_block, filters=8), "n//2", "8"),
    "basic_residual": (partial(b.basic_residual, filters=8, strides=2), "ceil(n/2)", "8"),
    "bottleneck": (partial(b.bottleneck, filters=8, shortcut=b.pad_shortcut, strides=2), "ceil(n/2)", "8"),
    "inverted_residual": (partial(b.inverted_residual, filters=4, expansion=2), "n", "4"),
    "xception_module": (partial(b.xception_module, filters=(8, 8), strides=2), "ceil(n/2)", "8"),
    "inception": (partial(b.inception, c1=2, c3=(2, 2), c5=(2, 2), pool_proj=2), "n", "8"),
    "inception_stacked": (partial(b.inception_stacked, c1=2, single=(2, 2), double=(2, 2, 2), pool_proj=2), "n", "8"),
    "inception_reduction": (partial(b.inception_reduction, single=(2,), double=(2, 2, 2)), "(n-3)//2+1", "4+c"),
    "dense_layer": (partial(b.dense_layer, growth_rate=4), "n", "c+4"),
    "dense_block": (partial(b.dense_block, layers=2, growth_rate=4), "n", "c+8"),
    "transition": (partial(b.transition, filters=4), "n//2", "4"),
    "bilinear_up": (partial(b.bilinear_up, factor=2), "2*(n+1)", "c"),
    "classifier": (partial(b.classifier, classes=10), "", "10"),
    "aux_classifier": (partial(b.aux_classifier, classes=10, output_size=2, units=4), "", "10"),
}


def expected(block, shape):
    function = BLOCKS[block][0]
    name = getattr(function, "func", function).__name__
    found = oracles.ORACLES[name].oracle
    given = dict(getattr(function, "keywords", {}))
    if "shortcut" in given:
        given["shortcut"] = oracles.pad_shortcut
    return found(shape, **given)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("block", BLOCKS)
def test_shape_parameters_and_multiply_adds(block, rank):
    shape = shape_of(rank)
    model, said = build(BLOCKS[block][0], shape), expected(block, shape)
    assert (model.output_shape[1:], model.count_params()) == (said.shape, said.parameters)
    assert sum(node.multiply_adds for node in read_graph(model).nodes) == said.multiply_adds


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("block", BLOCKS)
def test_check_net(block, rank):
    function, side, channels = BLOCKS[block]
    least = 3 if block in ("conv valid", "crop", "inception_reduction") else 1
    check_net(
        function,
        spec(side, channels, rank),
        sides=(1, 9),
        params={"c": 4},
        least=2 if block in ("avg_pool", "subsample", "vgg_block", "transition") else least,
        max_examples=5,
    )


@pytest.mark.sweep_but("conv-3", "separable-3", "transposed padded-1", "basic_residual-1", "max_pool dilated-3")
@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("block", BLOCKS)
def test_what_runs_has_the_shape_said(block, rank):
    model = real(BLOCKS[block][0], shape_of(rank))
    out = model(images(2, *shape_of(rank)))
    assert tuple(out.shape[1:]) == model.output_shape[1:]
    assert np.isfinite(array(out)).all()


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("block", BLOCKS)
def test_channels_first(block, rank):
    *size, channels = shape_of(rank)
    said = expected(block, shape_of(rank))
    with data_format("channels_first"):
        model = build(BLOCKS[block][0], (channels, *size))
    *size, channels = said.shape
    assert (model.output_shape[1:], model.count_params()) == ((channels, *size), said.parameters)


# Numbers, against sums over windows.


def margins(n, k, s, d, padding):
    """Zeros before and after a side."""
    extent = d * (k - 1) + 1
    missing = max((-(-n // s) - 1) * s + extent - n, 0) if padding == "same" else 2 * padding
    return missing // 2, missing - missing // 2


def windows(x, kernel, strides, dilation, padding, outside=0.0):
    """`batch sides… channels` -> `batch sides2… channels kernel…`."""
    rank = x.ndim - 2
    sides = [margins(n, k, strides, dilation, padding) for n, k in zip(x.shape[1:-1], kernel, strict=True)]
    x = np.pad(x, [(0, 0), *sides, (0, 0)], constant_values=outside)
    extents = tuple(dilation * (k - 1) + 1 for k in kernel)
    seen = sliding_window_view(x, extents, axis=tuple(range(1, rank + 1)))
    every = (slice(None), *[slice(None, None, strides)] * rank, slice(None), *[slice(None, None, dilation)] * rank)
    return seen[every]


GEOMETRY = {
    "strided": {"strides": 2},
    "dilated": {"dilation_rate": 2},
    "padded": {"padding": 1, "strides": 2},
    "grouped": {"groups": 2},
}


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("case", GEOMETRY)
def test_a_convolution_is_a_sum_over_windows(case, rank):
    given = GEOMETRY[case]
    x = images(2, *shape_of(rank))
    model = real(b.conv, shape_of(rank), 6, 3, activation=None, **given)
    kernel, bias = map(array, model.get_weights())
    seen = windows(x, (3,) * rank, given.get("strides", 1), given.get("dilation_rate", 1), given.get("padding", "same"))
    groups = given.get("groups", 1)
    parts = []
    for group in range(groups):
        channels = slice(4 // groups * group, 4 // groups * (group + 1))
        own = seen[(*[slice(None)] * (rank + 1), channels)]
        filters = kernel[..., 6 // groups * group : 6 // groups * (group + 1)]
        axes = tuple(range(rank + 2, 2 * rank + 2))
        parts.append(np.tensordot(own, filters, (*[(*axes, rank + 1)], (*range(rank), rank))))
    np.testing.assert_allclose(array(model(x)), np.concatenate(parts, -1) + bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_and_separable_convolutions(multiplier, rank):
    x = images(2, *shape_of(rank))
    seen = windows(x, (3,) * rank, 2, 1, "same")
    letters = "xyz"[:rank]

    def depthwise(kernel):
        kernel = kernel.reshape((*kernel.shape[:rank], 4, multiplier))
        out = np.einsum(f"...c{letters},{letters}cm->...cm", seen, kernel)
        return out.reshape((*out.shape[:-2], 4 * multiplier))

    model = real(b.depthwise, shape_of(rank), 4 * multiplier, 3, strides=2, activation=None)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(array(model(x)), depthwise(kernel) + bias, rtol=1e-4, atol=1e-4)

    model = real(b.separable, shape_of(rank), 6, 3, strides=2, activation=None, depth_multiplier=multiplier)
    kernel, pointwise, bias = model.get_weights()
    wanted = depthwise(kernel) @ pointwise.reshape(pointwise.shape[-2:]) + bias
    np.testing.assert_allclose(array(model(x)), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("strides, dilation", [(2, 1), (1, 2)])
def test_pools_are_maxima_and_means_over_windows(strides, dilation, rank):
    x = images(2, *shape_of(rank))
    axes = tuple(range(rank + 2, 2 * rank + 2))
    outside = windows(x, (3,) * rank, strides, dilation, "same", np.nan)
    for pool, wanted in ((b.max_pool, np.nanmax(outside, axes)), (b.avg_pool, np.nanmean(outside, axes))):
        model = build(pool, shape_of(rank), 3, strides=strides, dilation_rate=dilation)
        np.testing.assert_allclose(array(model(x)), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 3])
def test_the_windows_of_an_adaptive_pool(rank):
    x, n = images(2, *shape_of(rank)), 3
    wanted = np.empty((2, *[n] * rank, 4))
    for place in itertools.product(range(n), repeat=rank):
        window = [slice(i * side // n, -(-(i + 1) * side // n)) for i, side in zip(place, SIDES, strict=False)]
        wanted[(slice(None), *place)] = x[(slice(None), *window)].mean(tuple(range(1, rank + 1)))
    np.testing.assert_allclose(array(build(b.adaptive_avg_pool, shape_of(rank), n)(x)), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("padding", ["same", "valid", 1])
def test_a_transposed_convolution_is_the_adjoint_of_the_convolution(padding, rank):
    """The product of conv(y) with x is that of y with the transposed convolution of x, which has the same kernel."""
    small = images(1, *shape_of(rank))
    up = real(b.transposed, shape_of(rank), 5, 3, padding=padding, activation=None, use_bias=False)
    (kernel,) = up.get_weights()
    large = images(1, *up.output_shape[1:], seed=1)
    seen = windows(large, (3,) * rank, 2, 1, 0 if padding == "valid" else padding)
    axes = tuple(range(rank + 2, 2 * rank + 2))
    down = np.tensordot(seen, kernel, ((*axes, rank + 1), (*range(rank), rank)))
    np.testing.assert_allclose((down * small).sum(), (array(up(small)) * large).sum(), rtol=1e-3)


def test_padding_and_cropping_of_signals_and_volumes():
    x = np.arange(1.0, 6.0).reshape(1, 5, 1)
    assert array(build(b.zero_pad, (5, 1), (1, 2))(x)).ravel().tolist() == [0, 1, 2, 3, 4, 5, 0, 0]
    assert array(build(b.crop, (5, 1), ((1, 2),))(x)).ravel().tolist() == [2, 3]
    with data_format("channels_first"):
        assert array(build(b.crop, (1, 5), (1, 2))(x.reshape(1, 1, 5))).ravel().tolist() == [2, 3]
    assert build(b.zero_pad, (5, 6, 7, 1), ((1, 0), (0, 2), (3, 0))).output_shape[1:] == (6, 8, 10, 1)


@pytest.mark.parametrize("rank", RANKS)
def test_one_pair_of_margins_is_for_every_side(rank):
    shape = shape_of(rank)
    for pair in (((0, 2),), [[0, 2]]):
        assert build(b.zero_pad, shape, pair).output_shape[1:-1] == tuple(side + 2 for side in shape[:-1])
    x = images(1, *shape)
    wanted = np.pad(x, [(0, 0), *[(0, 2)] * rank, (0, 0)])
    np.testing.assert_array_equal(array(build(b.zero_pad, shape, ((0, 2),))(x)), wanted)


@pytest.mark.parametrize(
    "name, dialect",
    [("googlenet_torchvision", None), ("mobilenet", "keras"), ("mobilenet_v2", "keras"), ("squeezenet1_1", None)],
)
def test_margins_of_networks_are_for_every_side(name, dialect):
    options = {} if dialect is None else {"dialect": dialect}
    sides = set()
    for rank in RANKS:
        with b.weightless():
            model = network(name, input_shape=(*[64] * rank, 3), include_top=False, **options)
        sides |= set(model.output_shape[1:-1])
    assert len(sides) == 1


def test_matching_of_signals_and_volumes():
    for rank in (1, 3):
        x, like = keras.Input(shape_of(rank)), keras.Input((*[4] * rank, 2))
        model = keras.Model([x, like], b.match_size(x, like, offset=1))
        values = images(1, *shape_of(rank)), images(1, *[4] * rank, 2)
        wanted = values[0][(slice(None), *[slice(1, 5)] * rank)]
        np.testing.assert_array_equal(array(model(values)), wanted)


# A block of one rank is the block of the next on maps of a single pixel along the axis more.

ALIKE = {
    name: BLOCKS[name][0]
    for name in (
        *("conv", "conv_bn", "dilated", "separable", "depthwise_separable", "max_pool", "squeeze_excite"),
        *("basic_residual", "bottleneck", "inverted_residual", "xception_module", "inception", "inception_stacked"),
        *("dense_block", "adaptive_avg_pool", "classifier", "local_response_norm", "layer_norm", "group_norm"),
    )
}
ALIKE["adaptive_avg_pool"] = partial(b.adaptive_avg_pool, output_size=1)
ALIKE["vgg_block"] = partial(b.vgg_block, filters=8, padding="same")


@pytest.mark.sweep_but("bottleneck-1", "inception-1", "xception_module-2", "squeeze_excite-2", "vgg_block-1")
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("block", ALIKE)
def test_a_block_is_that_of_the_next_rank_on_a_single_pixel(block, rank):
    *size, channels = shape_of(rank)
    low, high = real(ALIKE[block], (*size, channels)), real(ALIKE[block], (*size, 1, channels), seed=1)
    for given, wanted in zip(high.weights, low.weights, strict=True):
        value, own = array(given).copy(), array(wanted)
        if value.ndim > own.ndim or own.ndim > 2:  # a kernel, of which only the middle of the axis more meets a pixel
            sides = own.shape[:rank]
            middle = (*[slice(None)] * rank, value.shape[rank] // 2)
            assert value.shape[:rank] == sides
            value[middle] = own.reshape(value[middle].shape)
        else:
            value = own
        given.assign(value)
    x = images(2, *size, channels)
    wanted = array(low(x))
    got = array(high(x[..., None, :]))
    np.testing.assert_allclose(got.reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-4)


# What is seen, counted and saved.


def test_windows_of_signals_and_volumes():
    def chain(x):
        return b.max_pool(b.dilated(b.conv(x, 4, 5, strides=2), 4), 3, strides=2)

    for rank in RANKS:
        field = receptive_field(build(chain, (*[64] * rank, 2)))
        assert tuple(field) == (5 + 2 * 4 + 2 * 2,) * rank


@pytest.mark.parametrize("rank", [1, 3])
def test_saved_and_loaded(rank, tmp_path):
    def everything(x):
        y = b.max_pool(b.conv_bn(x, 4), 3, strides=1, dilation_rate=2)
        y = b.sparse(b.basic_residual(y, 8, strides=2, shortcut=b.pad_shortcut), 2, 3, connections=[[0, 1], [2]])
        return b.adaptive_avg_pool(b.match_size(y, x), 2)

    model = real(everything, shape_of(rank))
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    x = images(2, *shape_of(rank))
    np.testing.assert_allclose(array(loaded(x)), array(model(x)), rtol=1e-5, atol=1e-5)
    again = [type(layer).from_config(layer.get_config()).get_config() for layer in model.layers]
    assert again == [layer.get_config() for layer in model.layers]


def test_a_guard_refuses_short_signals():
    model = build(partial(b.conv, filters=2, padding="valid"), (None, 3))
    with pytest.raises(Exception, match="at least 3"):
        model(images(1, 2, 3))


# Architectures.

LEAST = 80


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("name", ["resnet18", "resnet50_v2", "mobilenet_v2", "unet", "googlenet_bn"])
def test_a_network_takes_signals_and_volumes(name, rank):
    shape = (*[LEAST] * rank, 2)
    options = {"dialect": "same"} if name == "unet" else {}
    with b.weightless():
        model = network(name, input_shape=shape, classes=5, **options)
        image = network(name, input_shape=(LEAST, LEAST, 2), classes=5, **options)
    assert [layer.name for layer in model.layers] == [layer.name for layer in image.layers]
    outputs = model.output if isinstance(model.output, dict) else {"": model.output}
    assert all(output.shape[-1] == 5 for output in outputs.values())


def test_the_one_network_of_images_alone():
    with b.weightless(), pytest.raises(ValueError, match="rank 4: batch, height and width, and channels"):
        network("inception_v3", input_shape=(299, 3))
