"""Inception-ResNet-v2: its auxiliary classifier, its maps by stride, bad input."""

from __future__ import annotations

import pytest

from layerblocks.architectures import build
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.architectures.inception_resnets import LAYERS, inception_resnet_v2
from layerblocks.blocks import weightless
from layerblocks.models.feature_maps import strided_maps

from ..agreement import made

SHORT = {name: step for name, step in LAYERS.items() if not name.startswith("block") or name.endswith(("_1", "_20"))}


def test_counts_of_keras():
    """As the page of keras.applications says them, 55.9 million."""
    assert ENTRIES["inception_resnet_v2"].parameters == 55_873_736


def test_auxiliary_classifier():
    model = made(inception_resnet_v2, layers=SHORT, aux=True, classes=10)
    assert {role: tensor.shape for role, tensor in model.output.items()} == {"main": (None, 10), "aux1": (None, 10)}
    assert model.loss_weights == {"main": 1.0, "aux1": 0.4}


def test_maps_by_stride():
    model = made(inception_resnet_v2, layers=SHORT, include_top=False)
    shapes = {stride: tensor.shape[1:] for stride, tensor in strided_maps(model.output).items()}
    assert shapes[8] == (35, 35, 320) and shapes[16] == (17, 17, 1088) and shapes[32] == (8, 8, 1536)


def test_the_last_block_is_not_activated():
    model = made(inception_resnet_v2, layers={**SHORT, "block8_10": LAYERS["block8_10"]}, include_top=False)
    names = {layer.name for layer in model.layers}
    assert "block8_1.activation" in names and "block8_10.activation" not in names
    assert "block8_1.rescale" in names and "block8_10.rescale" not in names


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"aux": 3}, "inception_resnet_v2: aux must be"),
        ({"dropout": 2}, "dropout must be a number from 0"),
        ({"layers": 3}, "inception_resnet_v2: layers must be"),
        ({"layers": {**SHORT, "block35_1": (LAYERS["block35_1"][0], 3)}}, "'block35_1': branches must be"),
        ({"input_shape": (512, 2)}, r"inception_resnet_v2: input_shape must be of an image: .*, got \(512, 2\)"),
        ({"layers": SHORT, "input_shape": (74, 99, 3)}, "inception_resnet_v2: input_shape must be at least 75×75"),
    ],
)
def test_bad_input(options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said):
        inception_resnet_v2(**options)


def test_a_variant_that_is_not_there():
    with pytest.raises(ValueError, match="did you mean 'inception_resnet_v2'"):
        build("inception_resnet_v1")
