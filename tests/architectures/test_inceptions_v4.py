"""Inception-v4: the count of timm, its auxiliary classifier, its maps by stride, bad input."""

from __future__ import annotations

import math

import pytest

from layerblocks.architectures import build
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.architectures.inceptions_v4 import LAYERS, inception_v4
from layerblocks.blocks import weightless
from layerblocks.models.feature_maps import strided_maps

from ..agreement import made

SHORT = {name: step for name, step in LAYERS.items() if name[-2:] not in ("5d", "5e", "6d", "6e", "6f", "6g", "7d")}


def test_counts_of_timm():
    """Which has a scale in every norm; the norms of the authors have none."""
    with weightless():
        model = inception_v4(dialect="timm")
    assert sum(math.prod(variable.shape) for variable in model.trainable_variables) == 42_679_816
    scales = sum(math.prod(variable.shape) for variable in model.trainable_variables if variable.name == "gamma")
    assert ENTRIES["inception_v4"].trainable_parameters == 42_679_816 - scales == 42_648_232


def test_auxiliary_classifier():
    model = made(inception_v4, layers=SHORT, aux=True, classes=10)
    assert {role: tensor.shape for role, tensor in model.output.items()} == {"main": (None, 10), "aux1": (None, 10)}
    assert model.loss_weights == {"main": 1.0, "aux1": 0.4}


def test_maps_by_stride():
    """Figure 9 of the paper."""
    model = made(inception_v4, layers=SHORT, include_top=False)
    shapes = {stride: tensor.shape[1:] for stride, tensor in strided_maps(model.output).items()}
    assert shapes[8] == (35, 35, 384) and shapes[16] == (17, 17, 1024) and shapes[32] == (8, 8, 1536)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"aux": 3}, "inception_v4: aux must be"),
        ({"dropout": 2}, "dropout must be a number from 0"),
        ({"layers": 3}, "inception_v4: layers must be"),
        ({"layers": {**SHORT, "mixed_5b": (LAYERS["mixed_5b"][0], 3)}}, "'mixed_5b': branches must be"),
        ({"input_shape": (512, 2)}, r"inception_v4: input_shape must be of an image: .*, got \(512, 2\)"),
        ({"layers": SHORT, "input_shape": (74, 99, 3)}, "inception_v4: input_shape must be at least 75×75"),
    ],
)
def test_bad_input(options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said):
        inception_v4(**options)


def test_a_variant_that_is_not_there():
    with pytest.raises(ValueError, match=r"did you mean 'inception_v[34]'"):
        build("inception_v5")
