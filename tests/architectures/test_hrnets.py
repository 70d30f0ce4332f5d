"""HRNet: timm's counts, sizes, what goes from one resolution to another, bad input; test_weights_torchvision.py."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.architectures.hrnets import exchange, hrnet
from layerblocks.blocks import weightless
from layerblocks.models import inference_model

from ..agreement import differ, images, made, randomize, run
from .test_unets import Layers

# Of timm 1.0.
TIMM = {"hrnet_w18": 21_299_004, "hrnet_w32": 41_232_680, "hrnet_w48": 77_469_864}
SMALL = {"width": 2, "modules": (1, 1), "repeats": 1, "head_filters": (4, 8, 12), "units": 6, "classes": 3}


def test_counts_of_timm():
    assert {name: ENTRIES[name].trainable_parameters for name in TIMM} == TIMM


@pytest.mark.parametrize("sides", [(33,), (37, None), (16, None, 9)])
def test_any_size_of_any_rank(sides):
    assert made(hrnet, **SMALL, input_shape=(*sides, 3)).output_shape == (None, 3)
    bare = made(hrnet, **SMALL, input_shape=(*sides, 3), include_top=False)
    assert bare.output_shape == (None, *(None if side is None else -(-side // 16) for side in sides), 6)


def test_resolutions_by_hand():
    """One exchange between three, of sides that do not divide."""
    inputs = [keras.Input((9, 7, 2)), keras.Input((5, 4, 3)), keras.Input((3, 2, 4))]
    model = randomize(keras.Model(inputs, exchange(inputs, 1, name="e")))
    go, xs = Layers(model), [images(2, *x.shape[1:], seed=n) for n, x in enumerate(inputs)]
    ys = []
    for number, x in enumerate(xs, 1):
        inner = go.unit(x, f"e.branch{number}.block1.conv1")
        ys.append(ops.relu(go.unit(inner, f"e.branch{number}.block1.conv2", ("conv", "norm")) + x))

    def up(x, like, name):
        x = ops.convert_to_numpy(go.unit(x, name, ("conv", "norm")))
        rows, columns = (np.arange(m) * n // m for n, m in zip(x.shape[1:3], like.shape[1:3], strict=True))
        return x[:, rows][:, :, columns]

    def down(x, name):
        return go.unit(x, f"{name}.conv1", ("conv", "norm"))

    expected = [
        ys[0] + up(ys[1], ys[0], "e.fuse1.up2") + up(ys[2], ys[0], "e.fuse1.up3"),
        down(ys[0], "e.fuse2.down1") + ys[1] + up(ys[2], ys[1], "e.fuse2.up3"),
        go.unit(go.unit(ys[0], "e.fuse3.down1.conv1"), "e.fuse3.down1.conv2", ("conv", "norm"))
        + down(ys[1], "e.fuse3.down2")
        + ys[2],
    ]
    for found, wanted in zip(run(model, xs), expected, strict=True):
        assert differ(found, np.maximum(ops.convert_to_numpy(wanted), 0)) < 1e-5


def test_it_folds():
    model = randomize(hrnet(**SMALL, input_shape=(40, 33, 3)))
    x, folded = images(2, 40, 33, 3), inference_model(model)
    assert differ(run(folded, x), run(model, x)) < 1e-4
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "hrnet: width must be a positive integer"),
        ({"modules": (1, 1)}, "hrnet: head_filters must be 3 integers"),
        ({"modules": (1, 0, 1)}, r"hrnet: modules\[1\] must be a positive integer"),
        ({"repeats": 0}, "repeats must be a positive integer"),
        ({"head_filters": (2, 8, 12, 16)}, "reduction must be a divisor of filters=2"),
    ],
)
def test_bad_input(options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said) as caught:
        hrnet(**options)
    assert "\n" not in str(caught.value)


def test_use_bias_is_that_of_the_head_too():
    with weightless():
        plain, without = (hrnet(**SMALL, input_shape=(40, 33, 3), use_bias=bias) for bias in (None, False))
    assert {x.name for x in plain.layers if getattr(x, "bias", None) is not None and "conv" in x.name} == {
        *("head.down1.conv", "head.down2.conv", "head.last.conv")
    }
    assert not any(getattr(x, "bias", None) is not None for x in without.layers if "conv" in x.name)
