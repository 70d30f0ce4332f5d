"""SegNet, LinkNet, PSPNet, DeepLabV3+, FPN and FC-DenseNet: published counts, decoders wired by hand, bad input."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from layerblocks.architectures import build, deeplab_v3_plus, linknet, load, resnet18, semantic_fpn, weights
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.architectures.dilated_segmentations import dilated_segmentation
from layerblocks.architectures.pyramid_segmentations import psp_decoder
from layerblocks.blocks import dense_block, weightless
from layerblocks.models import features, inference_model

from ..agreement import differ, images, made, randomize, run
from .test_unets import Layers, cropped, joined

BN = 2  # trained parameters of a norm, for each channel
TRUNKS = {"resnet18": 11_176_512, "resnet50": 23_508_032, "resnet101": 42_500_160}  # of their 1,000 classes without


# Millions of parameters: the papers of SegNet (table 4 of Jégou et al. 2017), LinkNet and FC-DenseNet. Of FC-DenseNet
# they are those of the running statistics too, and of the smallest 1.4 where its table says 1.5.
PUBLISHED = {
    "segnet": 29.4,
    "linknet_resnet18": 11.5,
    "fc_densenet56": 1.4,
    "fc_densenet67": 3.5,
    "fc_densenet103": 9.4,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(name):
    entry = ENTRIES[name]
    counted = entry.parameters if name.startswith("fc") else entry.trainable_parameters
    assert round(counted / 1e6, 1) == PUBLISHED[name]


def conv(filters: int, given: int, side: int = 3, norm: bool = True, bias: bool = False) -> int:
    return side * side * given * filters + BN * filters * norm + filters * bias


def scores(classes: int, given: int) -> int:
    return conv(classes, given, 1, norm=False, bias=True)


def test_counts_of_decoders():
    """Written down from the figures of the papers."""
    psp = 4 * conv(512, 2048, 1) + conv(512, 4096) + scores(21, 512) + conv(256, 1024) + scores(21, 256)
    aspp = 2 * conv(256, 2048, 1) + 3 * conv(256, 2048) + conv(256, 5 * 256, 1)
    plus = aspp + conv(48, 256, 1) + conv(256, 304) + conv(256, 256) + scores(21, 256)
    laterals = sum(conv(256, given, 1, norm=False, bias=True) for given in (256, 512, 1024, 2048))
    fpn = (
        laterals + 4 * conv(256, 256, norm=False, bias=True) + 4 * conv(128, 256) + 3 * conv(128, 128) + scores(19, 128)
    )
    expected = {
        "pspnet_resnet50": TRUNKS["resnet50"] + psp,
        "pspnet_resnet101": TRUNKS["resnet101"] + psp,
        "deeplab_v3_plus_resnet101": TRUNKS["resnet101"] + plus,
        "semantic_fpn_resnet50": TRUNKS["resnet50"] + fpn,
        "semantic_fpn_resnet101": TRUNKS["resnet101"] + fpn,
    }
    assert {name: ENTRIES[name].trainable_parameters for name in expected} == expected


# By hand.


def linear(x: Any, sides: tuple[int, ...]) -> np.ndarray:
    """Interpolated between the middles of the pixels."""
    x = ops.convert_to_numpy(x)
    for axis, length in enumerate(sides, 1):
        known = x.shape[axis]
        places = (np.arange(length) + 0.5) * known / length - 0.5
        x = np.apply_along_axis(lambda line: np.interp(places, np.arange(known), line), axis, x)  # noqa: B023
    return x.astype("float32")


def unpooled(x: Any, before: Any) -> np.ndarray:
    x, before = ops.convert_to_numpy(x), ops.convert_to_numpy(before)
    made = np.zeros_like(before)
    for batch, row, column, channel in np.ndindex(*x.shape):
        window = before[batch, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, channel]
        i, j = np.unravel_index(window.argmax(), window.shape)
        made[batch, 2 * row + i, 2 * column + j, channel] = x[batch, row, column, channel]
    return made


def pooled(x: Any) -> Any:
    return ops.max_pool(x, 2, 2, padding="same")


def segnet_by_hand(go: Layers, x: Any) -> Any:
    fine = go.unit(go.unit(x, "encoder1.conv1"), "encoder1.conv2")
    coarse = go.unit(go.unit(pooled(fine), "encoder2.conv1"), "encoder2.conv2")
    y = go.unit(go.unit(unpooled(pooled(coarse), coarse), "decoder2.conv1"), "decoder2.conv2")
    return ops.softmax(go(go.unit(unpooled(y, fine), "decoder1.conv1"), "score.conv"))


def fc_densenet_by_hand(go: Layers, x: Any) -> Any:
    def layer(x: Any, name: str) -> Any:
        return go.unit(x, name, ("norm", "activation", "conv"))

    def grown(x: Any, name: str, layers: int) -> list[Any]:
        made: list[Any] = []
        for number in range(1, layers + 1):
            made.append(layer(joined(x, *made) if made else x, f"{name}.layer{number}.3x3"))
        return made

    x = go(x, "stem.conv")
    fine = joined(x, *grown(x, "encoder1", 2))
    y = joined(*grown(pooled(layer(fine, "transition1.conv")), "coarsest", 3))
    seen = joined(fine, cropped(go(y, "decoder1.up.conv"), fine))
    return ops.softmax(go(joined(seen, *grown(seen, "decoder1.block", 2)), "score.conv"))


SMALL: dict[str, tuple[Any, dict[str, Any]]] = {
    "segnet": (segnet_by_hand, {"filters": (2, 3), "convs": (2, 2), "input_shape": (7, 9, 3), "classes": 4}),
    "fc_densenet103": (
        fc_densenet_by_hand,
        {"layers": (2, 3), "growth_rate": 2, "stem_filters": 3, "input_shape": (7, 9, 3), "classes": 4},
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_outputs_of_its_layers_wired_by_hand(name):
    by_hand, options = SMALL[name]
    model = randomize(build(name, **options))
    x = images(2, *options["input_shape"])
    found = run(model, x)
    assert differ(found, ops.convert_to_numpy(by_hand(Layers(model), ops.convert_to_tensor(x)))) < 1e-5
    assert np.ptp(found) > 1e-3 and differ(run(inference_model(model), x), found) < 1e-4


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("sides", [(13,), (9, None), (None, 4, 7)])
def test_any_size_of_any_rank(name, sides):
    options = {**SMALL[name][1], "input_shape": (*sides, 3)}
    assert made(partial(build, name), **options).output_shape == (None, *sides, 4)


STAGES = [f"stage{number}" for number in (1, 2, 3, 4)]


def maps(model: keras.Model, x: np.ndarray) -> list[np.ndarray]:
    """What leaves the stages of its ResNet-18."""
    tensors = [model.get_layer(f"{stage}.block2.activation").output for stage in STAGES]
    return [ops.convert_to_tensor(y) for y in run(keras.Model(model.input, tensors), x)]


def linknet_by_hand(go: Layers, found: list[Any], sides: tuple[int, int]) -> Any:
    *skips, x = found
    for number, skip in ((4, skips[2]), (3, skips[1]), (2, skips[0]), (1, None)):
        for part in ("reduce", "up", "expand"):
            x = go.unit(x, f"decoder{number}.{part}")
        x = x if skip is None else cropped(x, skip) + skip
    x = go(go.unit(go.unit(x, "score.up1"), "score.conv"), "score.up2.conv")
    return ops.softmax(x[:, : sides[0], : sides[1]])


def deeplab_by_hand(go: Layers, found: list[Any], sides: tuple[int, int]) -> Any:
    low, *_, x = found
    means = ops.mean(x, axis=(1, 2), keepdims=True)
    seen = [go.unit(x, f"aspp.{part}") for part in ("1x1", "dilated1", "dilated2", "dilated3")]
    x = go.unit(joined(*seen, go.unit(means, "aspp.of_all") + ops.zeros_like(seen[0])), "aspp.project")
    x = joined(linear(x, low.shape[1:3]), go.unit(low, "low"))
    x = go(go.unit(go.unit(x, "conv1"), "conv2"), "score.conv")
    return ops.softmax(linear(x, sides))


def fpn_by_hand(go: Layers, found: list[Any], sides: tuple[int, int]) -> Any:
    above, levels = None, []
    for number in (4, 3, 2, 1):
        y = go(found[number - 1], f"decoder.pyramid.lateral{number}.conv")
        if above is not None:
            rows, columns = (
                np.arange(side) * n // side for side, n in zip(y.shape[1:3], above.shape[1:3], strict=True)
            )
            y = y + ops.convert_to_numpy(above)[:, rows][:, :, columns]
        above = y
        levels.insert(0, go(y, f"decoder.pyramid.smooth{number}.conv"))
    total = go.unit(levels[0], "decoder.level1.conv1")
    for number in (2, 3, 4):
        y = levels[number - 1]
        for step in range(1, number):
            y = linear(go.unit(y, f"decoder.level{number}.conv{step}"), levels[number - 1 - step].shape[1:3])
        total = total + y
    return ops.softmax(linear(go(total, "score.conv"), sides))


ON_RESNET: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "linknet": (linknet, linknet_by_hand, {}),
    "deeplab_v3_plus": (deeplab_v3_plus, deeplab_by_hand, {"filters": 6, "low_filters": 3, "rates": (1, 2, 3)}),
    "semantic_fpn": (semantic_fpn, fpn_by_hand, {"filters": 32, "pyramid_filters": 5}),
}


@pytest.mark.parametrize("name", ON_RESNET)
def test_decoders_wired_by_hand(name):
    """Of a size that nothing divides; folded the same."""
    network, by_hand, options = ON_RESNET[name]
    sides = (45, 38)
    model = randomize(network(backbone="resnet18", classes=4, input_shape=(*sides, 3), **options))
    x = images(1, *sides, 3)
    found = run(model, x)
    assert differ(found, ops.convert_to_numpy(by_hand(Layers(model), maps(model, x), sides))) < 2e-5
    assert np.ptp(found) > 1e-3 and differ(run(inference_model(model), x), found) < 1e-3


def test_a_pyramid_of_means_by_hand():
    x = keras.Input((7, 9, 8))
    model = randomize(keras.Model(x, psp_decoder(x, filters=5, name="d")))
    go, y = Layers(model), images(2, 7, 9, 8)
    seen = [y]
    for number, cells in enumerate((1, 2, 3, 6), 1):
        rows, columns = ([slice(i * n // cells, -(-(i + 1) * n // cells)) for i in range(cells)] for n in (7, 9))
        means = np.stack([np.stack([y[:, a, b].mean((1, 2)) for b in columns], 1) for a in rows], 1)
        seen.append(linear(go.unit(means, f"d.pyramid.conv{number}"), (7, 9)))
    assert differ(run(model, y), ops.convert_to_numpy(go.unit(joined(*seen), "d.conv"))) < 1e-5


def test_only_what_a_dense_block_adds():
    x = keras.Input((8, 8, 6))
    with weightless():
        whole, new = dense_block(x, 3, 4), dense_block(x, 3, 4, with_input=False)
        assert (whole.shape[-1], new.shape[-1]) == (18, 12)
        assert keras.Model(x, whole).count_params() == keras.Model(x, new).count_params()
        assert dense_block(x, 1, 4, with_input=False).shape[-1] == 4


# Backbones.


@pytest.mark.parametrize("network", [linknet, semantic_fpn, partial(deeplab_v3_plus, output_stride=None)])
@pytest.mark.parametrize("backbone", ["vgg11_bn", "shufflenet_v2_x0_5"])
def test_another_backbone(network, backbone):
    with weightless():
        model = network(backbone=backbone, classes=4, input_shape=(70, 90, 3))
        bare = build(backbone, include_top=False, input_shape=(70, 90, 3))
    assert model.output_shape == (None, 70, 90, 4)
    assert {x.name for x in bare.layers if x.weights} <= {x.name for x in model.layers}


@pytest.mark.parametrize("network", [linknet, semantic_fpn, deeplab_v3_plus])
@pytest.mark.parametrize("sides", [(70,), (None, 70), (40, None, 33)])
def test_signals_and_volumes_on_a_backbone(network, sides):
    shape = {"backbone": "resnet18", "input_shape": (*sides, 3)}
    assert made(network, classes=4, **shape).output_shape == (None, *sides, 4)


def test_weights_of_a_classifier_load(monkeypatch):
    monkeypatch.setattr(weights, "_write", lambda found: None)
    monkeypatch.setattr(weights._keras, "is_allocated", lambda variable: True)
    with weightless():
        model = linknet(input_shape=(64, 64, 3))
        report = load(model, resnet18(dialect="torchvision", input_shape=(64, 64, 3)), missing="keep")
    assert {name.partition(".")[0] for name in report.kept} == {*(f"decoder{n}" for n in (1, 2, 3, 4)), "score"}
    assert prod(features(model).output["stride8"].shape[1:]) == 8 * 8 * 128


@pytest.mark.parametrize(
    ("network", "options", "said"),
    [
        (linknet, {"backbone": "cifar_resnet20"}, "linknet: backbone must be a network that has feature maps of strid"),
        (linknet, {"backbone": "resnet81"}, "backbone must be one of the names .*did you mean 'resnet"),
        (linknet, {"filters": 0}, "filters must be a positive integer"),
        (deeplab_v3_plus, {"output_stride": 3}, "output_stride must be one of"),
        (deeplab_v3_plus, {"backbone": "xception"}, "output_stride must be None with a backbone without it, xception"),
        (deeplab_v3_plus, {"rates": 6}, "rates must be a sequence of"),
        (semantic_fpn, {"filters": -1}, "filters must be a positive integer"),
        (dilated_segmentation, {"decoder": partial(psp_decoder, sizes=())}, "sizes must be a sequence of integers"),
        (partial(build, "segnet"), {"convs": (2, 2)}, "segnet: convs must be 5 integers"),
        (partial(build, "segnet"), {"filters": ()}, "segnet: filters must be 1 integer"),
        (partial(build, "fc_densenet56"), {"layers": (4,)}, "fc_densenet56: layers must be 2 integers"),
        (partial(build, "fc_densenet56"), {"growth_rate": 0}, "growth_rate must be a positive integer"),
        (partial(build, "fc_densenet57"), {}, "did you mean 'fc_densenet"),
    ],
)
def test_bad_input(network, options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said) as caught:
        network(**options)
    assert "\n" not in str(caught.value)
