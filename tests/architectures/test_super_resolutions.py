"""SRCNN, ESPCN and EDSR: published counts, what they compute in NumPy, every rank, bad input."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest

from layerblocks.architectures import build, edsr, espcn, srcnn
from layerblocks.architectures.super_resolutions import srcnn_conv
from layerblocks.blocks import conv_bn, weightless

from .. import naive
from ..agreement import differ, images, made, randomize, run, trainable


def weights(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def shuffled(x: np.ndarray, factor: int) -> np.ndarray:
    """Eq. 4 of Shi et al. 2016, with the channels of one pixel of the image made far apart, as torch has them."""
    batch, height, width, depth = x.shape
    made = depth // factor**2
    out = np.empty((batch, height * factor, width * factor, made))
    for row, column, channel in np.ndindex(factor, factor, made):
        out[:, row::factor, column::factor, channel] = x[..., channel * factor**2 + row * factor + column]
    return out


# Sides of the kernels, and the numbers in kernels by sections 4.1 and 4.3.2 of Dong et al. 2016.
@pytest.mark.parametrize(("sides", "published"), [((9, 1, 5), 8_032), ((9, 3, 5), 24_416), ((9, 5, 5), 57_184)])
def test_published_counts_of_srcnn(sides, published):
    model = made(srcnn, kernel_size=sides)
    assert trainable(model) == published + 64 + 32 + 1
    assert model.output_shape == (None, *[33 + 3 - sum(sides)] * 2, 1)


def test_parameters_of_espcn():
    """Section 3.2 of Shi et al. 2016: kernels of 5, 3 and 3, filters of 64, 32 and the square of the enlargement."""
    for scale in (2, 3, 4):
        last = 3 * 3 * 32 * scale**2 + scale**2
        model = made(espcn, scale=scale)
        assert trainable(model) == (25 * 64 + 64) + (9 * 64 * 32 + 32) + last
        assert model.output_shape == (None, 17 * scale, 17 * scale, 1)


# Of the authors' code, without its two fixed layers of 12 numbers that shift the colours.
PUBLISHED = {
    "edsr_baseline_x2": 1_369_859,
    "edsr_baseline_x3": 1_554_499,
    "edsr_baseline_x4": 1_517_571,
    "edsr_x2": 40_729_603,
    "edsr_x3": 43_680_003,
    "edsr_x4": 43_089_923,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts_of_edsr(name):
    scale, (blocks, width) = int(name[-1]), (16, 64) if "baseline" in name else (32, 256)
    square = 9 * width**2 + width
    enlarge = {2: [4], 3: [9], 4: [4, 4]}[scale]
    ends = (27 * width + width) + (27 * width + 3)
    expected = (2 * blocks + 1) * square + ends + sum(9 * width * width * n + width * n for n in enlarge)
    model = made(partial(build, name))
    assert trainable(model) == model.count_params() == PUBLISHED[name] == expected
    assert model.output_shape == (None, 48 * scale, 48 * scale, 3)


def test_srcnn_in_numpy():
    model = randomize(srcnn(filters=(3, 2), kernel_size=(3, 1, 5), input_shape=(None, None, 2), classes=2))
    w, x = weights(model), images(2, 9, 10, 2)
    y = x
    for name in ("conv1", "conv2"):
        y = naive.relu(naive.conv(y, *w[f"{name}.conv"], padding="valid"))
    assert differ(run(model, x), naive.conv(y, *w["image.conv"], padding="valid")) < 1e-5


def test_espcn_in_numpy():
    model = randomize(espcn(scale=3, filters=(3, 2), input_shape=(None, None, 1), classes=2))
    w, x = weights(model), images(2, 5, 6, 1)
    y = x
    for name in ("conv1", "conv2"):
        y = np.tanh(naive.conv(y, *w[f"{name}.conv"]))
    assert differ(run(model, x), shuffled(naive.conv(y, *w["image.conv.conv"]), 3)) < 1e-5


@pytest.mark.parametrize("scale", [3, 4])
def test_edsr_in_numpy(scale):
    model = randomize(edsr(scale=scale, repeats=2, filters=2, input_shape=(None, None, 3)))
    w, x = weights(model), images(1, 5, 4, 3)
    y = first = naive.conv(x, *w["stem.conv"])
    for block in ("block1", "block2"):
        branch = naive.relu(naive.conv(y, *w[f"{block}.conv1.conv"]))
        y = y + 0.1 * naive.conv(branch, *w[f"{block}.conv2.conv"])
    y = first + naive.conv(y, *w["body.conv"])
    for number, factor in enumerate({3: [3], 4: [2, 2]}[scale], 1):
        y = shuffled(naive.conv(y, *w[f"up{number}.conv.conv"]), factor)
    assert differ(run(model, x), naive.conv(y, *w["image.conv"])) < 1e-5


SMALL = {srcnn: {"conv": partial(srcnn_conv, padding="same")}, espcn: {"scale": 2}, edsr: {"repeats": 1, "filters": 4}}


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("rank", [1, 3])
def test_signals_and_volumes(network, rank):
    with weightless():
        shapes = [
            network(**SMALL[network], input_shape=(*[side] * rank, 2), classes=2).output_shape for side in (None, 8)
        ]
        normed = network(**{**SMALL[network], "conv": conv_bn}, input_shape=(*[8] * rank, 2))
    side = 8 if network is srcnn else 16
    assert shapes == [(None, *[None] * rank, 2), (None, *[side] * rank, 2)]
    norms = [layer for layer in normed.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == {srcnn: 2, espcn: 2, edsr: 5}[network]


@pytest.mark.parametrize(
    ("network", "options", "said"),
    [
        (srcnn, {"kernel_size": (9, 5)}, "kernel_size must be"),
        (srcnn, {"input_shape": (12, 40, 1)}, "input_shape must be at least 13×13"),
        (espcn, {"scale": 0}, "scale must be a positive integer"),
        (espcn, {"filters": 64}, "filters must be"),
        (edsr, {"scale": 8}, "scale must be one of 2, 3 or 4, got 8"),
        (edsr, {"repeats": 0}, "repeats must be a positive integer"),
        (edsr, {"branch_scale": "a"}, "branch_scale must be a finite number"),
    ],
)
def test_bad_input(network, options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=f"{network.__name__}: {said}") as caught:
        network(**options)
    assert "\n" not in str(caught.value)
