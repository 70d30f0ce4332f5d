"""FCN, DeepLabV3 and LR-ASPP on dilated networks; R3D, MC and R(2+1)D: published counts, backbones, bad input."""

from __future__ import annotations

import re
from functools import partial

import keras
import pytest

from layerblocks.architectures import build, load, origin, resnet18, weights
from layerblocks.architectures.dilated_segmentations import deeplab_decoder, dilated_segmentation, lraspp
from layerblocks.architectures.videos import factorized, middle_filters, per_frame, video_resnet
from layerblocks.blocks import conv_bn, weightless
from layerblocks.training import loss_weights

from ..agreement import made, multiply_adds, trainable

# By torchvision's documentation: thousands of millions of multiply-adds, at 520×520.
OPERATIONS = {
    "fcn_resnet50": 152.717,
    "deeplabv3_resnet50": 178.722,
    "deeplabv3_mobilenet_v3_large": 10.452,
    "lraspp_mobilenet_v3_large": 2.086,
}
# Millions of parameters, table 2 of Tran et al. 2018.
KINDS = {
    **{f"MC{first}": (["3d"] * (first - 1) + ["2d"] * (6 - first)) for first in (3, 4, 5)},
    **{f"rMC{first}": (["2d"] * (first - 1) + ["3d"] * (6 - first)) for first in (3, 4, 5)},
    "R2D": ["2d"] * 5,
    "R3D": ["3d"] * 5,
    "R(2+1)D": ["2+1d"] * 5,
}
MILLIONS = {"R2D": 11.4, "R3D": 33.4, "MC3": 11.7, "MC4": 12.7, "MC5": 16.9, "rMC3": 33.0, "rMC4": 32.0, "rMC5": 27.9}
MILLIONS |= {"R(2+1)D": 33.3}


@pytest.mark.parametrize("name", OPERATIONS)
def test_multiply_adds_of_torchvision(name):
    assert round(multiply_adds(made(partial(build, name))) / 1e9, 3) == OPERATIONS[name]


@pytest.mark.parametrize("name", KINDS)
def test_published_counts_of_videos(name):
    assert abs(trainable(made(partial(video_resnet, tuple(KINDS[name])))) / 1e6 - MILLIONS[name]) < 0.1


def test_the_middle_of_a_block_is_that_of_torchvision():
    """Its documentation counts 31,505,325; by convolutions there are as many as in R3D, but for roundings."""
    r3d, ours, theirs = (
        trainable(made(partial(build, name, dialect=dialect)))
        for name, dialect in (("r3d_18", "paper"), ("r2plus1d_18", "paper"), ("r2plus1d_18", "torchvision"))
    )
    assert theirs == 31_505_325 and abs(ours - r3d) < 0.01 * r3d
    for given, filters in ((64, 64), (64, 128), (256, 512)):
        middle, whole = middle_filters(given, filters), 27 * given * filters
        assert 0 <= whole - (9 * given * middle + 3 * middle * filters) < 9 * given + 3 * filters


def test_frames_are_kept_where_nothing_is_seen_along_them():
    shapes = {name: made(partial(build, name, include_top=False)).output_shape for name in ("mc3_18", "r3d_18")}
    assert shapes == {"mc3_18": (None, 16, 7, 7, 512), "r3d_18": (None, 2, 7, 7, 512)}
    x = keras.Input((9, 8, 8, 4))
    with weightless():
        kernels = [
            layer.kernel_size
            for unit in (per_frame, factorized)
            for layer in keras.Model(x, unit(x, 6, 5, strides=2, name="u")).layers
            if isinstance(layer, keras.layers.Conv3D)
        ]
    assert kernels == [(1, 5, 5), (1, 5, 5), (5, 1, 1)]


SMALL = {"backbone": "resnet18", "input_shape": (32, 40, 3), "classes": 4}


def test_any_classifier_is_a_backbone_and_its_weights_load(monkeypatch):
    monkeypatch.setattr(weights, "_write", lambda found: None)
    monkeypatch.setattr(weights._keras, "is_allocated", lambda variable: True)
    with weightless():
        model = dilated_segmentation(**SMALL, decoder=partial(deeplab_decoder, filters=8, rates=(1, 2)))
        trained = resnet18(dialect="torchvision", input_shape=(32, 40, 3), output_stride=8)
        single = dilated_segmentation(backbone="densenet121", output_stride=None, aux=False, classes=4)
    assert {key: tensor.shape for key, tensor in model.output.items()} == dict.fromkeys(
        ("main", "aux1"), (None, 32, 40, 4)
    )
    assert loss_weights(model) == {"main": 1.0, "aux1": 0.5} and origin(model).network == "dilated_segmentation"
    report = load(model, trained, missing="keep")
    assert {name.partition(".")[0] for name in report.kept} == {"aux1", "decoder", "score"}
    assert single.output_shape == (None, 520, 520, 4)


@pytest.mark.parametrize("dialect", ["paper", "torchvision"])
def test_what_is_dilated_where_a_stride_is_given_up(dialect):
    with weightless():
        model = build("mobilenet_v3_large", dialect=dialect, output_stride=16, include_top=False)
    found = [model.get_layer(f"stage6.block{block}.depthwise.conv").dilation_rate for block in (1, 2, 3)]
    assert found == [(1, 1) if dialect == "paper" else (2, 2), (2, 2), (2, 2)]
    assert model.output_shape == (None, 14, 14, 960)


@pytest.mark.parametrize(
    ("network", "options", "said"),
    [
        (dilated_segmentation, {"backbone": "resnet5"}, "backbone must be one of the names .*did you mean 'resnet50'"),
        (dilated_segmentation, {"backbone": 3}, "backbone must be .*got 3"),
        (dilated_segmentation, {"backbone": "xception"}, "output_stride must be None with a backbone without it, xcep"),
        (dilated_segmentation, {"output_stride": 3}, "output_stride must be one of"),
        (dilated_segmentation, {"aux_at": "stage9"}, "aux_at must be the name of a block of resnet50"),
        (dilated_segmentation, {"aux": 2}, "aux must be True or False"),
        (dilated_segmentation, {"decoder": 3}, "decoder must be"),
        (lraspp, {"low_at": "nowhere"}, "low_at must be the name of a block of mobilenet_v3_large"),
        (lraspp, {"filters": 0}, "filters must be a positive integer"),
        (video_resnet, {"kinds": ("3d",)}, "kinds must be 5 kinds, of the stem and of each stage in repeats"),
        (video_resnet, {"kinds": ("3d", "3d", "3d", "3d", "4d")}, r"kinds\[4\] must be one of '3d', '2d' or '2\+1d'"),
        (video_resnet, {"repeats": (2, 0, 2, 2)}, r"repeats\[1\] must be a positive integer"),
        (video_resnet, {"middle_of": "stage"}, "middle_of must be one of 'convolution' or 'block'"),
    ],
)
def test_bad_input(network, options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said) as caught:
        network(**options)
    assert "\n" not in str(caught.value) and re.match(r"\w+: ", str(caught.value))


def test_no_unit_is_lost_on_the_way():
    with weightless():
        model = video_resnet(
            ("2+1d",) * 5, conv=partial(conv_bn, activation="gelu"), input_shape=(8, 32, 32, 3), classes=5
        )
    found = {layer.activation.__name__ for layer in model.layers if isinstance(layer, keras.layers.Activation)}
    assert found == {"gelu"}
