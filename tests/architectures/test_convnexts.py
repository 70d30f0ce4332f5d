"""ConvNeXt: its published counts, trained weights with and without a top, its tables, bad input."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from layerblocks.architectures import build, describe
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.architectures.convnexts import CONFIGS, V2_CONFIGS, convnext, convnext_v2
from layerblocks.blocks import conv_bn, global_response_norm, weightless

from ..agreement import differ, images, made, run
from .test_weights_keras import application, pretend, randomize

TINY: dict[str, Any] = {"repeats": (1, 2), "filters": (8, 16), "classes": 7, "input_shape": (16, 24, 3)}
# Table 12 of the paper: millions of parameters and billions of multiply-adds.
PUBLISHED = {"tiny": (28.6, 4.5), "small": (50.2, 8.7), "base": (88.6, 15.4), "large": (197.8, 34.4)}
PUBLISHED["xlarge"] = (350.2, 60.9)


@pytest.mark.parametrize("size", PUBLISHED)
def test_published_counts(size):
    entry = ENTRIES[f"convnext_{size}"]
    assert (round(entry.parameters / 1e6, 1), round(entry.multiply_adds / 1e9, 1)) == PUBLISHED[size]


# Those of the modules of timm; of H, which is not there, the millions of table 13 of the paper.
V2_COUNTS = {"atto": 3_708_400, "femto": 5_233_240, "pico": 9_066_280, "nano": 15_623_800, "tiny": 28_635_496}
V2_COUNTS |= {"base": 88_717_800, "large": 197_956_840}


def test_counts_of_version_2():
    assert {size: ENTRIES[f"convnext_v2_{size}"].parameters for size in V2_COUNTS} == V2_COUNTS
    assert {*V2_CONFIGS} == {*V2_COUNTS, "huge"} and round(ENTRIES["convnext_v2_huge"].parameters / 1e6) == 660


@pytest.mark.sweep
@pytest.mark.parametrize("options", [{}, {"include_top": False}, {"include_top": False, "pooling": "avg"}])
def test_trained_weights(options, monkeypatch):
    """The norm after the mean is another layer of Keras's where there is no top, and of the map without a mean."""
    options = {"input_shape": (64, 40, 3), "classifier_activation": None, **options}
    source = randomize(application("convnext_tiny", **options))
    asked = pretend(monkeypatch, "convnext_tiny", source)
    model = build("convnext_tiny", weights="imagenet", **options)
    x = 127 * (images(2, 64, 40, 3) + 1)
    assert len(asked) == 1 and differ(run(model, x), run(source, x)) < 1e-5


def test_stochastic_depth_grows_evenly_from_nothing():
    model = made(convnext, **{**TINY, "repeats": (2, 3)}, stochastic_depth=0.4)
    rates = [layer.rate for layer in model.layers if "stochastic_depth" in layer.name]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_version_2_by_its_arguments():
    model = made(convnext, **TINY, inner=[global_response_norm], transforms=[], stochastic_depth=0)
    names = {layer.name for layer in model.layers}
    assert any("global_response_norm" in name for name in names) and not any("layer_scale" in name for name in names)
    assert [layer.name for layer in made(convnext_v2, **TINY).layers] == [layer.name for layer in model.layers]


def test_its_norm_is_between_the_mean_and_the_classes():
    with_top, without = made(convnext, **TINY), made(convnext, **TINY, include_top=False, pooling="avg")
    names = [layer.name for layer in with_top.layers]
    assert names[-3:] == ["global_pool", "norm", "classifier.predictions"]
    assert without.layers[-1].name == "norm" and without.output_shape == (None, 16)


def test_what_is_left_of_sides_that_are_not_divided():
    model = made(convnext, **TINY, include_top=False)
    assert model.output_shape == (None, 2, 3, 16)
    model = made(convnext, **{**TINY, "input_shape": (23, 31, 3)}, include_top=False)
    assert model.output_shape == (None, 2, 3, 16)
    assert describe("convnext_tiny").smallest_input == 32


def test_images_without_three_channels_are_not_normalised():
    model = made(convnext, **{**TINY, "input_shape": (16, 16, 2)}, dialect="keras")
    assert not any(isinstance(layer, keras.layers.Normalization) for layer in model.layers)


def test_any_norm_of_the_convolutions_stays_a_layer_norm():
    model = made(convnext, **TINY, conv=conv_bn)
    assert [type(layer).__name__ for layer in model.layers if layer.name == "stem.norm"] == ["LayerNormalization"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"repeats": (3, 3)}, r"convnext: repeats must be .*4.*got \(3, 3\)"),
        ({"repeats": (), "filters": ()}, "convnext: filters must be"),
        ({"repeats": (3, 3, 0, 3)}, r"convnext: repeats\[2\] must be a positive integer, got 0"),
        ({"filters": (96, 192, 384, -1)}, r"convnext: filters\[3\] must be a positive integer, got -1"),
        ({"stochastic_depth": 1.5}, "convnext: stochastic_depth must be"),
        ({"inner": 3}, "convnext: inner must be"),
        ({"preprocess": 3}, "convnext: preprocess must be"),
        ({"input_shape": (31, 64, 3)}, "convnext: input_shape must be at least 32×32, got 31×64"),
    ],
)
def test_bad_input(options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said):
        convnext(**options)


def test_a_variant_that_is_not_there():
    with pytest.raises(ValueError, match=r"did you mean 'convnext_large'"):
        build("convnext_larg")
    assert all(len(repeats) == len(filters) == 4 for repeats, filters, _ in CONFIGS.values())


def test_weights_of_one_of_ours():
    model = randomize(convnext(**TINY))
    x = images(2, 16, 24, 3)
    assert np.array_equal(run(convnext(**TINY, weights=model), x), run(model, x))
    with pytest.raises(ValueError, match=r"weights must be exactly the tensors .*stage2.downsample.conv.kernel"):
        convnext(weights=model, **{**TINY, "filters": (8, 24)})
