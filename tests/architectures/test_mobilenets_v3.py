"""MobileNetV3: what its paper and torchvision count, Keras's narrow and minimalistic ones, bad input."""

from __future__ import annotations

import re

import keras
import pytest

from layerblocks.architectures import build
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.architectures.mobilenets_v3 import LARGE, SMALL, mobilenet_v3
from layerblocks.blocks import weightless

from ..agreement import differ, images, made, run
from .test_weights_keras import application, pretend, randomize

# Tables 1 and 2 of the paper: the expanded channels of every block.
EXPANDED = {
    "large": [64, 72, 72, 120, 120, 240, 200, 184, 184, 480, 672, 672, 960, 960],
    "small": [72, 88, 96, 240, 240, 120, 144, 288, 576, 576],
}


def test_published_counts():
    """Trainable parameters as torchvision's documentation counts them; multiply-adds of table 3."""
    small, large = ENTRIES["mobilenet_v3_small"], ENTRIES["mobilenet_v3_large"]
    assert (small.trainable_parameters, large.trainable_parameters) == (2_542_856, 5_483_032)
    assert (round(small.multiply_adds / 1e6, -1), round(large.multiply_adds / 1e6, -1)) == (60, 220)


@pytest.mark.parametrize(("name", "stages"), [("large", LARGE), ("small", SMALL)])
def test_expanded_channels_of_the_paper(name, stages):
    model = made(mobilenet_v3, stages=stages, include_top=False)
    widths = [
        layer.output.shape[-1] for layer in model.layers if re.fullmatch(r"stage.\.block.\.expand\.conv", layer.name)
    ]
    assert widths == EXPANDED[name]


@pytest.mark.sweep_but("options0")
@pytest.mark.parametrize("options", [{"alpha": 0.75}, {"minimalistic": True}, {"alpha": 1.3, "include_top": False}])
def test_what_keras_computes_by_its_other_arguments(options, monkeypatch):
    options = {"input_shape": (64, 69, 3), "classifier_activation": None, **options}
    source = randomize(application("mobilenet_v3_small", **options))
    asked = pretend(monkeypatch, "mobilenet_v3_small", source)
    model = build("mobilenet_v3_small", weights="imagenet", **options)
    assert asked[0]["alpha"] == options.get("alpha", 1.0)
    x = 127 * (images(2, 64, 69, 3) + 1)
    assert differ(run(model, x), run(source, x)) < 1e-5


def test_activations_of_the_first_stages():
    model = made(mobilenet_v3, early_activation="relu6")
    found = {
        layer.name: layer.activation.__name__ for layer in model.layers if isinstance(layer, keras.layers.Activation)
    }
    assert found["stage3.block1.depthwise.activation"] == "relu6" == found["stage1.block1.depthwise.activation"]
    assert found["stage4.block1.depthwise.activation"] == "hard_silu" == found["stem.activation"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stages": ((16, 1, 3),)}, r"mobilenet_v3: stages\[0\] must be \(filters, strides, kernel_size, squeeze, "),
        ({"stages": ((16, 1, 3, 2, True, (1,)),)}, r"mobilenet_v3: stages\[0\]\[3\] must be True or False, got 2"),
        ({"stages": ((16, 1, 3, True, True, (0,)),)}, r"mobilenet_v3: stages\[0\]\[5\] must be"),
        ({"stages": ((16, 0, 3, True, True, (1,)),)}, r"mobilenet_v3: stages\[0\]\[1\] must be a positive integer"),
        ({"alpha": 0}, "mobilenet_v3: alpha must be a positive number"),
        ({"minimalistic": 3}, "mobilenet_v3: minimalistic must be True or False"),
        ({"early_activation": "rellu"}, "activation must be .*rellu"),
        ({"units": 0}, r"mobilenet_v3: units must be a positive integer"),
        ({"preprocess": 3}, "mobilenet_v3: preprocess must be"),
    ],
)
def test_bad_input(options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said):
        mobilenet_v3(**options)


def test_a_variant_that_is_not_there():
    with pytest.raises(ValueError, match=r"did you mean 'mobilenet_v3_(small|large)'"):
        build("mobilenet_v3_medium")
