"""The published networks: parameters, multiply-adds, shapes and tables, sizes and the arguments of a constructor."""

from __future__ import annotations

import inspect
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks import architectures
from layerblocks.architectures import (
    architecture,
    build,
    googlenet,
    googlenet_bn,
    list_architectures,
    resnet18,
    resnet50,
    variant,
    vgg,
    vgg16,
)
from layerblocks.blocks import aux_classifier, conv, conv_bn, group_norm, separable, weightless
from layerblocks.models import inference_model
from layerblocks.testing import oracles

from ..agreement import made, multiply_adds, trainable
from ..helpers import data_format, dear, images


def output_shapes(model) -> dict[str, tuple[int | None, ...]]:
    outputs = model.output if isinstance(model.output, dict) else {"main": model.output}
    return {name: tuple(output.shape) for name, output in outputs.items()}


def parameters(model, prefix: str) -> int:
    """Of the layers whose dotted name starts so."""
    return sum(layer.count_params() for layer in model.layers if f"{layer.name}.".startswith(f"{prefix}."))


def shape(model, prefix: str) -> tuple[int, ...]:
    """Of what the last layer of that name makes."""
    return [layer for layer in model.layers if f"{layer.name}.".startswith(f"{prefix}.")][-1].output.shape[1:]


# Published figures: 224×224×3 and 1000 classes.

FIGURES = {
    "GoogLeNet": (partial(googlenet), 13_378_280, 13_378_280, 1.591),
    "GoogLeNet, main": (partial(googlenet, aux=False), 6_998_552, 6_998_552, 1.583),
    "GoogLeNet, BN": (partial(googlenet_bn), 13_385_816, 13_400_888, 1.591),
    "GoogLeNet, BN, main": (partial(googlenet_bn, aux=False), 7_005_832, 7_020_392, 1.583),
    "VGG A": (partial(vgg, convs=(1, 1, 2, 2, 2)), 132_863_336, 132_863_336, 7.609),
    "VGG A, BN": (
        partial(vgg, convs=(1, 1, 2, 2, 2), conv=partial(conv_bn, use_bias=True)),
        132_868_840,
        132_874_344,
        7.609,
    ),
    "VGG B": (partial(vgg, convs=(2, 2, 2, 2, 2)), 133_047_848, 133_047_848, 11.308),
    "VGG D": (partial(vgg16), 138_357_544, 138_357_544, 15.470),
    "VGG D, BN": (partial(vgg16, conv=partial(conv_bn, use_bias=True)), 138_365_992, 138_374_440, 15.470),
    "VGG E": (partial(vgg, convs=(2, 2, 4, 4, 4)), 143_667_240, 143_667_240, 19.632),
    "ResNet-18, B": (partial(resnet18), 11_689_512, 11_699_112, 1.814),
    "ResNet-18, A": (partial(resnet18, shortcut="pad"), 11_515_688, 11_523_496, 1.795),
    "ResNet-50, v1": (partial(resnet50), 25_557_032, 25_610_152, 3.858),
    "ResNet-50, v1.5": (partial(resnet50, stride_on="3x3"), 25_557_032, 25_610_152, 4.089),
    "ResNet-50, v1.5 by dialect": (partial(resnet50, dialect="v1.5"), 25_557_032, 25_610_152, 4.089),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    constructor, expected_trainable, expected_total, expected_giga = FIGURES[name]
    model = made(constructor)
    assert (trainable(model), model.count_params()) == (expected_trainable, expected_total)
    assert round(multiply_adds(model) / 1e9, 3) == expected_giga


# The tables of the course notes, row by row: prefix, output shape, parameters.

GOOGLENET_ROWS = [
    ("conv1", (112, 112, 64), 9_472),
    ("pool1", (56, 56, 64), 0),
    ("conv2_reduce", (56, 56, 64), 4_160),
    ("conv2", (56, 56, 192), 110_784),
    ("pool2", (28, 28, 192), 0),
    ("inception_3a", (28, 28, 256), 163_696),
    ("inception_3b", (28, 28, 480), 388_736),
    ("pool3", (14, 14, 480), 0),
    ("inception_4a", (14, 14, 512), 376_176),
    ("inception_4b", (14, 14, 512), 449_160),
    ("inception_4c", (14, 14, 512), 510_104),
    ("inception_4d", (14, 14, 528), 605_376),
    ("inception_4e", (14, 14, 832), 868_352),
    ("pool4", (7, 7, 832), 0),
    ("inception_5a", (7, 7, 832), 1_043_456),
    ("inception_5b", (7, 7, 1024), 1_444_080),
    ("classifier", (10,), 10_250),
]
RESNET_ROWS = [
    ("stem.conv", (112, 112, 64), 3_200),
    ("stem.norm", (112, 112, 64), 256),
    ("pool", (56, 56, 64), 0),
    ("stage1", (56, 56, 64), 148_736),
    ("stage2", (28, 28, 128), 526_976),
    ("stage3", (14, 14, 256), 2_102_528),
    ("stage4", (7, 7, 512), 8_399_360),
    ("classifier", (10,), 5_130),
]


def check_table(model, rows, total):
    assert [(row, shape(model, row), parameters(model, row)) for row, _, _ in rows] == rows
    assert sum(count for _, _, count in rows) == total == model.count_params()


def test_notes_table_of_googlenet():
    check_table(made(googlenet, dialect="notes", classes=10, aux=False), GOOGLENET_ROWS, 5_983_802)


def test_notes_aux_heads_of_googlenet():
    model = made(googlenet, dialect="notes", classes=10)
    assert inference_model(model).count_params() == 5_983_802
    for name, channels in (("aux1", 512), ("aux2", 528)):
        assert shape(model, f"{name}.pool") == (5, 5, channels)
        expected = oracles.aux_classifier((14, 14, channels), 10, padding="same").parameters
        assert parameters(model, name) == expected
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert not [layer for layer in model.layers if "norm" in layer.name]


def test_notes_table_of_resnet():
    model = made(resnet18, dialect="notes", classes=10, input_shape=(224, 224, 1))
    check_table(model, RESNET_ROWS, 11_186_186)
    assert trainable(model) == 11_178_378
    assert not [layer for layer in model.layers if "shortcut.norm" in layer.name]


def test_notes_table_of_vgg16():
    model = made(vgg16)
    rows = [layer.output.shape[1:] for layer in model.layers[1:] if not isinstance(layer, keras.layers.Dropout)]
    sides = [224] * 3 + [112] * 3 + [56] * 4 + [28] * 4 + [14] * 4
    filters = [64] * 3 + [128] * 3 + [256] * 4 + [512] * 8
    pooled = {2: 112, 5: 56, 9: 28, 13: 14, 17: 7}
    trunk = [(pooled.get(i, side),) * 2 + (width,) for i, (side, width) in enumerate(zip(sides, filters, strict=True))]
    assert rows == [*trunk, (25088,), (4096,), (4096,), (1000,)]


# What makes each network that network.


def test_googlenet_of_the_paper():
    model = made(googlenet)
    assert output_shapes(model) == {"main": (None, 1000), "aux1": (None, 1000), "aux2": (None, 1000)}
    order = [layer.name for layer in model.layers]
    assert order.index("pool1") < order.index("norm1") < order.index("conv2_reduce.conv")
    assert order.index("conv2.conv") < order.index("norm2") < order.index("pool2")
    heads = {name: model.get_layer(f"{name}.pool").input.shape[1:] for name in ("aux1", "aux2")}
    assert heads == {"aux1": (14, 14, 512), "aux2": (14, 14, 528)}
    rates = {layer.name.split(".")[0]: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == {"classifier": 0.4, "aux1": 0.7, "aux2": 0.7}


def test_resnet_strides_where_its_version_puts_them():
    for stride_on, first, second in (("1x1", 2, 1), ("3x3", 1, 2)):
        model = made(resnet50, stride_on=stride_on)
        strides = [model.get_layer(f"stage2.block1.{name}.conv").strides for name in ("conv1", "conv2", "conv3")]
        assert strides == [(first, first), (second, second), (1, 1)]
        assert model.get_layer("stage2.block1.shortcut.conv").strides == (2, 2)


@pytest.mark.parametrize(
    "shortcut, projections, pads", [("pad", 0, 3), ("projection", 3, 0), ("all_projections", 8, 0)]
)
def test_resnet_shortcuts(shortcut, projections, pads):
    names = [layer.name for layer in made(resnet18, shortcut=shortcut).layers]
    assert sum(name.endswith("shortcut.conv") for name in names) == projections
    assert sum(name.endswith("shortcut") for name in names) == pads


def test_any_unit_goes_into_any_network():
    for constructor in (googlenet, resnet18, resnet50, vgg16):
        model = made(constructor, conv=separable)
        assert any(isinstance(layer, keras.layers.SeparableConv2D) for layer in model.layers)
        assert not any(type(layer) is keras.layers.Conv2D for layer in model.layers)
    normed = made(resnet18, conv=partial(conv, norm=group_norm, activation="gelu"))
    assert any(isinstance(layer, keras.layers.GroupNormalization) for layer in normed.layers)


# Sizes.

LEAST = {
    "googlenet": oracles.least_input([(7, 2, "same"), *[(3, 2, "same")] * 3, (5, 3, "valid")]),
    "vgg16": oracles.least_input([(2, 2, "valid")] * 5),
    "resnet18": 1,
    "resnet50": 1,
}


def test_least_sizes_by_the_closed_form():
    assert (LEAST["googlenet"], LEAST["vgg16"]) == (65, 32)


@pytest.mark.parametrize("name", LEAST)
def test_smallest_input(name):
    least = LEAST[name]
    shapes = output_shapes(made(partial(build, name), input_shape=(least, least + 9, 3), classes=7))
    assert set(shapes.values()) == {(None, 7)}
    for size in ((least - 1, least + 9), (least + 9, least - 1)) if least > 1 else ():
        words = f"{name}: input_shape must be at least {least}×{least}, got {size[0]}×{size[1]}"
        with pytest.raises(ValueError, match=words):
            made(partial(build, name), input_shape=(*size, 3))


@dear
@given(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.integers(1, 4))
def test_resnet_of_any_size(size, channels):
    model = made(resnet18, input_shape=(*size, channels), classes=5, include_top=False)
    stem = oracles.Expected((*size, channels)).then(oracles.conv, 64, 7, strides=2).then(oracles.pool, 3, strides=2)
    expected = stem
    for filters, strides in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        unit = partial(oracles.conv, norm_parameters=4)
        expected = expected.then(oracles.basic_residual, filters, strides=strides, conv=unit)
    assert model.output_shape[1:] == expected.shape
    assert model.count_params() == expected.parameters - 64 + 4 * 64  # the stem has a norm in the bias's place


@pytest.mark.sweep_but("constructor4-size0", "constructor4-size1", "constructor4-size2")
@pytest.mark.parametrize("size", [(None, None), (None, 96), (96, None)])
@pytest.mark.parametrize(
    "constructor",
    [
        resnet18,
        partial(resnet50, shortcut="projection"),
        partial(googlenet, aux=False),
        partial(googlenet_bn, aux=partial(aux_classifier, output_size=4)),
        partial(vgg16, include_top=False),
    ],
)
def test_unknown_sizes(constructor, size):
    unknown, known = (made(constructor, input_shape=(*shape, 3)) for shape in (size, (96, 96)))
    assert unknown.count_params() == known.count_params()
    shapes = unknown.compute_output_shape((2, 96, 96, 3))
    assert shapes == known.compute_output_shape((2, 96, 96, 3))


def test_unknown_sizes_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"aux_classifier 'aux1': x must be .* or any with output_size=4"):
        made(googlenet, input_shape=(None, None, 3))


def test_unknown_sizes_refused_by_dense_layers():
    with pytest.raises(ValueError, match=r"flatten in classifier 'classifier': x must be a known height and width"):
        made(vgg16, input_shape=(None, None, 3))


def tiny_with_a_minimum():
    """A network of unknown size that needs eight pixels."""

    @architecture()
    def tiny(x, head):
        return head(conv(x, 2, 8, padding="valid"))

    return tiny(input_shape=(None, None, 1), include_top=False)


def test_an_image_too_small_is_refused_when_it_comes():
    model = tiny_with_a_minimum()
    assert model(np.ones((1, 8, 9, 1))).shape == (1, 1, 2, 2)
    for shape in ((1, 7, 9, 1), (1, 9, 7, 1)):
        with pytest.raises(ValueError, match="at least 8×8 pixels"):
            model(np.ones(shape))
        with pytest.raises(ValueError, match="at least 8×8 pixels"):
            tiny_with_a_minimum().predict(np.ones(shape), verbose=0)


def test_an_image_too_small_is_refused_behind_others_of_several_sizes():
    """TensorFlow stops looking at each size after a few, and leaves it unknown inside the graph."""
    model = tiny_with_a_minimum()
    for side in (12, 11, 10):
        assert model.predict(np.ones((1, side, side, 1)), verbose=0).shape == (1, side - 7, side - 7, 2)
    with pytest.raises(Exception, match="at least 8×8 pixels"):
        model.predict(np.ones((1, 7, 7, 1)), verbose=0)


def test_the_minimum_is_looked_for_on_each_axis():
    @architecture()
    def tiny(x, head):
        return head(conv(x, 2, (3, 8), padding="valid"))

    assert made(tiny, input_shape=(3, 8, 1), include_top=False).output_shape == (None, 1, 1, 2)
    assert made(tiny, input_shape=(None, None, 1), include_top=False).get_layer("minimum_size").width == 8


# The arguments that `keras.applications` has.


def test_list_and_build():
    assert {"googlenet", "vgg16", "resnet18", "resnet50"} <= set(list_architectures())
    assert len(set(list_architectures())) == len(list_architectures())
    assert set(architectures.__all__) == set(dir(architectures))


@pytest.mark.parametrize("name", list_architectures())
def test_signature_and_doc(name):
    constructor = getattr(architectures, name)
    words = set(inspect.signature(constructor).parameters)
    theirs = set(inspect.signature(keras.applications.ResNet50).parameters)
    assert theirs - words == set()
    assert constructor.__name__ == name
    assert "Example:" in constructor.__doc__ or "Args:" in constructor.__doc__


@pytest.mark.parametrize("pooling, expected", [(None, (None, 7, 7, 512)), ("avg", (None, 512)), ("max", (None, 512))])
def test_without_top(pooling, expected):
    model = made(resnet18, include_top=False, pooling=pooling)
    assert model.output_shape == expected
    assert model.count_params() == 11_699_112 - 513_000
    assert made(googlenet, include_top=False, pooling=pooling).output_shape[1:] == (*expected[1:-1], 1024)
    assert made(vgg16, include_top=False, pooling=pooling).output_shape == expected


def test_activation_of_every_head():
    for activation, expected in ((None, "linear"), ("softmax", "softmax"), ("sigmoid", "sigmoid")):
        model = made(googlenet, classifier_activation=activation)
        heads = [layer for layer in model.layers if layer.name.endswith("predictions")]
        assert [head.activation.__name__ for head in heads] == [expected] * 3


def test_input_tensor_inside_another_model():
    with weightless():
        x = keras.Input((64, 64, 1))
        features = resnet18(input_tensor=conv(x, 3), include_top=False, pooling="avg", name="backbone")
    assert features.input is x
    assert features.output_shape == (None, 512)
    assert "backbone.stage4.block2.activation" in [layer.name for layer in features.layers]


def test_name_and_prefix():
    model = made(resnet18, name="left")
    assert model.name == "left"
    assert all(layer.name.startswith("left.") for layer in model.layers)
    assert made(resnet18).name == "resnet18"


def test_channels_first():
    with data_format("channels_first"):
        model = made(resnet18)
        assert (model.input_shape, model.count_params()) == ((None, 3, 224, 224), 11_699_112)
        assert made(googlenet).count_params() == 13_378_280


def test_weights_of_a_file(tmp_path):
    options = {"include_top": False, "input_shape": (32, 32, 3)}
    model = resnet18(**options)
    model.save_weights(tmp_path / "resnet.weights.h5")
    for path in (tmp_path / "resnet.weights.h5", str(tmp_path / "resnet.weights.h5")):
        same = resnet18(weights=path, **options)
        for a, b in zip(model.get_weights(), same.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


# Architectures of one's own.


def test_own_architecture():
    @architecture(dialects={"wide": {"filters": 8}, "narrow": {"filters": 2}}, input_shape=(16, 16, 1), classes=3)
    def mine(x, head, *, filters=4, kernel=3):
        return head(conv(x, filters, kernel, name="only"))

    assert made(mine).count_params() == 8 * 10 + 9 * 3
    assert made(mine, dialect="narrow").count_params() == 2 * 10 + 3 * 3
    assert made(mine, dialect="narrow", filters=4).count_params() == 4 * 10 + 5 * 3
    big = variant(mine, "big", "Big.", kernel=5)
    assert (big.__name__, big.__doc__) == ("big", "Big.")
    assert made(big, dialect="narrow").count_params() == 2 * 26 + 3 * 3


# Bad input.

BAD = [
    (
        partial(build, "ResNet-50"),
        ValueError,
        r"build: name must be one of .*; did you mean 'resnet50'\?, got 'ResNet-50'",
    ),
    (partial(build, "gogglenet"), ValueError, r"did you mean 'googlenet'\?"),
    (partial(build, ""), ValueError, "got ''"),
    (partial(build, None), TypeError, "build: name must be one of the .*list_architectures.*, got None"),
    (partial(build, "vgg16", clases=3), TypeError, r"vgg16: unexpected argument 'clases'; did you mean 'classes'\?"),
    (partial(resnet18, False), TypeError, "positional"),
    *((partial(resnet18, classes=value), ValueError, "resnet18: classes must be") for value in (0, -1)),
    *((partial(resnet18, classes=value), TypeError, "resnet18: classes must be") for value in (True, 10.0, "10", None)),
    (partial(resnet18, pooling="agv"), ValueError, r"resnet18: pooling must be .*did you mean 'avg'\?, got 'agv'"),
    *(
        (partial(resnet18, input_shape=value), ValueError, r"resnet18: input_shape must be \(height, width, channels\)")
        for value in ((32,), (8, 8, 8, 8, 3), (0, 32, 3), (-1, 32, 3), (32, 32, None), (32.0, 32, 3), (True, 32, 3))
    ),
    *((partial(resnet18, input_shape=value), TypeError, "input_shape must be") for value in (32, "32", {32})),
    (partial(resnet18, input_tensor=np.zeros((1, 32, 32, 3))), TypeError, "resnet18: .* symbolic"),
    (partial(resnet18, input_tensor=keras.KerasTensor((None, 3))), ValueError, "resnet18: .* rank"),
    *((partial(resnet18, name=value), ValueError, "name must be") for value in ("a/b", "", "a b", "a..b")),
    (partial(resnet18, name=3), TypeError, "name must be a string"),
    (partial(resnet18, include_top="no"), TypeError, "resnet18: include_top must be"),
    (partial(resnet18, shortcut="proj"), ValueError, r"resnet18: shortcut must be .*'projection_shortcut'"),
    (partial(resnet18, shortcut=3), TypeError, "shortcut must be"),
    (partial(resnet18, conv="convolve"), ValueError, "resnet18: conv must be the name of a unit"),
    (partial(resnet18, stride_on="nonsense"), ValueError, "stride_on must be"),
    (partial(resnet18, dialect="note"), ValueError, r"resnet18: dialect must be .*did you mean 'notes'\?"),
    (partial(resnet50, stride_on="3"), ValueError, "stride_on must be one of"),
    (partial(googlenet, aux="yes"), ValueError, "googlenet: aux must be"),
    (partial(googlenet, dropout=1.5), ValueError, "dropout must be a number from 0 up to, not including, 1, got 1.5"),
    (partial(googlenet, classifier_activation="sofmax"), ValueError, "sofmax"),
    (partial(vgg, convs=(1, 1)), ValueError, "vgg: (convs|filters) must be"),
    (partial(vgg, convs=(2, 2, 0, 2, 2)), ValueError, "convs must be"),
    (partial(vgg, units=5), TypeError, "units must be a sequence"),
]


@pytest.mark.parametrize("function, kind, words", BAD)
def test_bad_input(function, kind, words):
    with weightless(), pytest.raises(kind, match=words) as caught:
        function()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "weights, kind", [(3, TypeError), ("imagenet", ValueError), ("/nowhere.weights.h5", ValueError)]
)
def test_bad_weights(weights, kind):
    with pytest.raises(kind, match=f"resnet18: weights must be None, .*{weights}"):
        resnet18(weights=weights, include_top=False, input_shape=(8, 8, 1))


def test_nothing_else_in_the_module():
    with pytest.raises(AttributeError, match=r"layerblocks\.architectures attribute resnet51"):
        architectures.resnet51  # noqa: B018


# Numbers, on nets small enough to run.


def test_googlenet_runs_at_the_smallest_size_and_beyond():
    model = googlenet(input_shape=(65, 66, 3), classes=3)
    outputs = model(images(2, 65, 66, 3))
    for name in ("main", "aux1", "aux2"):
        np.testing.assert_allclose(np.sum(outputs[name], axis=-1), 1, rtol=1e-5)
    assert not np.allclose(outputs["main"], outputs["aux1"])


def test_residual_adds_before_it_activates():
    """relu(norm(conv2) + shortcut), taken apart in the graph."""
    model = resnet18(input_shape=(16, 16, 3), include_top=False)
    taps = ("stage2.block1.conv2.norm", "stage2.block1.shortcut.norm", "stage2.block1.activation")
    tapped = keras.Model(model.input, [model.get_layer(name).output for name in taps])
    branch, side, out = tapped(images(2, 16, 16, 3))
    np.testing.assert_allclose(out, np.maximum(branch + side, 0), rtol=1e-5, atol=1e-6)
    assert np.min(branch) < 0 and np.min(side) < 0
