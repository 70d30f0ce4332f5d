"""EfficientNet and EfficientNetV2: what `keras.applications` computes, its weights, its counts, at two sizes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from layerblocks.architectures import build
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.architectures.efficientnets import DEVIATION, SCALES, efficientnet
from layerblocks.architectures.weight_names import APPLICATIONS
from layerblocks.blocks import weightless

from ..agreement import differ, images, run
from .test_weights_keras import application, pretend, randomize

NAMES = [name for name in APPLICATIONS if name.startswith("efficientnet")]
# The narrowest, without anything that depends on the size of the net.
TINY = {"width_coefficient": 0.25, "stages": ((16, 2, 1, 1, 3), (24, 1, 2, 6, 5)), "classes": 7}
TORCHVISION = {  # trainable parameters, as its documentation counts them
    **{f"efficientnet_b{n}": count for n, count in enumerate((5288548, 7794184, 9109994, 12233232, 19341616))},
    "efficientnet_b5": 30389784,
    "efficientnet_b6": 43040704,
    "efficientnet_b7": 66347960,
    "efficientnet_v2_s": 21458488,
    "efficientnet_v2_m": 54139356,
    "efficientnet_v2_l": 118515272,
}


@pytest.fixture(autouse=True, scope="module")
def _let_go():
    yield
    keras.backend.clear_session()


def pixels(*shape: int) -> np.ndarray:
    return (images(*shape) + 1) * 127


@pytest.mark.parametrize("name", TORCHVISION)
def test_published_counts(name):
    assert ENTRIES[name].trainable_parameters == TORCHVISION[name]


@pytest.mark.sweep
def test_trained_weights_have_their_constant(monkeypatch):
    """Keras divides by the root of the deviations too, where the weights are trained ones."""
    options = {"input_shape": (32, 32, 3), "classifier_activation": None}
    source = randomize(application("efficientnet_b0", **options))
    pretend(monkeypatch, "efficientnet_b0", source)
    model = build("efficientnet_b0", weights="imagenet", **options)
    normalization = source.get_layer(next(layer.name for layer in source.layers if "normalization" in layer.name))
    normalization.adapt_variance.assign(normalization.adapt_variance * np.array(DEVIATION, "float32"))
    normalization.finalize_state()
    x = pixels(2, 32, 32, 3)
    assert differ(run(model, x), run(source, x)) < 1e-5


@pytest.mark.parametrize("dialect", ["keras", "keras_imagenet"])
def test_a_file_says_by_its_statistics_whose_it_is(dialect, tmp_path):
    model = efficientnet(dialect=dialect, input_shape=(16, 16, 3), **TINY)
    if dialect == "keras_imagenet":
        model.get_layer("normalization").adapt_variance.assign(np.array(DEVIATION))
    model.save_weights(path := tmp_path / "tiny.weights.h5")
    assert efficientnet(weights=path, input_shape=(16, 16, 3), **TINY).origin.dialect == dialect


def test_statistics_that_are_adapted_are_those_that_are_loaded():
    """Keras computes with a copy of them."""
    source = efficientnet(dialect="keras", input_shape=(16, 16, 3), **TINY)
    source.get_layer("normalization").adapt(pixels(4, 16, 16, 3) / 100)
    model = efficientnet(weights=source, input_shape=(16, 16, 3), **TINY)
    x = pixels(2, 16, 16, 3)
    assert differ(run(model, x), run(source, x)) < 1e-6


def test_other_channels():
    with weightless():
        model = build("efficientnet_v2_b0", dialect="keras", input_shape=(32, 32, 4), include_top=False)
    assert model.output_shape == (None, 1, 1, 1280)


@pytest.mark.parametrize("number", range(8))
def test_sizes_of_the_authors(number):
    entry = SCALES[number]
    with weightless():
        shape = build(f"efficientnet_b{number}", include_top=False, stages=TINY["stages"]).input_shape
    assert shape == (None, entry[2], entry[2], 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stages": ((16, 1, 1),)}, r"efficientnet: stages\[0\] must be \(filters, repeats, strides, expansion, "),
        ({"stages": ((16, 1, 1, 0),)}, r"efficientnet: stages\[0\]\[3\] must be a positive integer, got 0"),
        ({"stages": ((16, 1, 1, 1, 3, 2),)}, r"efficientnet: stages\[0\]\[5\] must be True or False, got 2"),
        ({"stages": ()}, "efficientnet: stages must be one stage at least"),
        ({"width_coefficient": 0}, "efficientnet: width_coefficient must be a positive number"),
        ({"depth_coefficient": float("nan")}, "efficientnet: depth_coefficient must be"),
        ({"stochastic_depth": 1.5}, "efficientnet: stochastic_depth must be"),
    ],
)
def test_bad_input(options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said):
        efficientnet(**options)


def test_a_variant_that_is_not_there():
    with pytest.raises(ValueError, match=r"did you mean 'efficientnet_(v2_)?b[0-9]'"):
        build("efficientnet_b8")
