"""Feature maps by stride: the right ones of known networks, on the way that all paths take, at every output stride."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import build, describe, list_architectures, vgg16
from layerblocks.blocks import conv, max_pool, transposed, weightless
from layerblocks.graphs.calls import calls, trunk
from layerblocks.models import features, fully_convolutional
from layerblocks.models.feature_maps import strided_maps

from ..agreement import images, made, randomize, run
from ..helpers import data_format


def taps(model) -> dict[int, str]:
    return {stride: tensor._keras_history.operation.name for stride, tensor in strided_maps(main(model)).items()}


def main(model):
    return model.output["main"] if isinstance(model.output, dict) else model.output


# Known networks.

EXPECTED = {
    "alexnet": {4: "norm1", 8: "norm2", 16: "conv5.conv", 32: "pool5"},
    "vgg16": {
        1: "block1.conv2.conv",
        2: "block2.conv2.conv",
        4: "block3.conv3.conv",
        8: "block4.conv3.conv",
        16: "block5.conv3.conv",
        32: "block5.pool",
    },
    "googlenet": {
        2: "conv1.conv",
        4: "norm2",
        8: "inception_3b.concat",
        16: "inception_4e.concat",
        32: "inception_5b.concat",
    },
    "googlenet_torchvision": {
        2: "conv1.activation",
        4: "conv2.activation",
        8: "inception_3b.concat",
        16: "inception_4e.concat",
        32: "inception_5b.concat",
    },
    "inception_v3": {
        2: "conv3.activation",
        4: "conv5.activation",
        8: "mixed2.concat",
        16: "mixed7.concat",
        32: "mixed10.concat",
    },
    "inception_v4": {
        2: "conv3.activation",
        4: "mixed_4a.concat",
        8: "mixed_5e.concat",
        16: "mixed_6h.concat",
        32: "mixed_7d.concat",
    },
    "cspresnet50": {
        2: "stem.activation",
        **{2 ** (stage + 1): f"stage{stage}.transition.activation" for stage in range(1, 5)},
    },
    "swin_v2_t": {4: "stage1.block2.add2", 8: "stage2.block2.add2", 16: "stage3.block6.add2", 32: "norm"},
    "resnet18": {
        2: "stem.activation",
        4: "stage1.block2.activation",
        8: "stage2.block2.activation",
        16: "stage3.block2.activation",
        32: "stage4.block2.activation",
    },
    "cifar_resnet20": {
        1: "stage1.block3.activation",
        2: "stage2.block3.activation",
        4: "stage3.block3.activation",
    },
    "densenet121": {
        2: "stem.activation",
        4: "transition1.conv.conv",
        8: "transition2.conv.conv",
        16: "transition3.conv.conv",
        32: "postactivation.activation",
    },
    "unet": {  # not the decoder's, which the skips lead to past the coarsest map
        1: "encoder1.conv2.conv",
        2: "encoder2.conv2.conv",
        4: "encoder3.conv2.conv",
        8: "encoder4.dropout",
        16: "encoder5.dropout",
    },
}
KERAS = {
    "ResNet50": {
        2: "conv1_relu",
        4: "conv2_block3_out",
        8: "conv3_block4_out",
        16: "conv4_block6_out",
        32: "conv5_block3_out",
    },
    "ResNet50V2": {
        2: "conv1_conv",
        4: "conv2_block2_out",
        8: "conv3_block3_out",
        16: "conv4_block5_out",
        32: "post_relu",
    },
    "DenseNet121": {2: "conv1_relu", 4: "pool2_conv", 8: "pool3_conv", 16: "pool4_conv", 32: "relu"},
    "MobileNetV2": {
        2: "block_1_expand_relu",
        4: "block_3_expand_relu",
        8: "block_6_expand_relu",
        16: "block_13_expand_relu",
        32: "out_relu",
    },
    "EfficientNetB0": {
        2: "block2a_expand_activation",
        4: "block3a_expand_activation",
        8: "block4a_expand_activation",
        16: "block6a_expand_activation",
        32: "top_activation",
    },
}


@pytest.mark.parametrize("name", EXPECTED)
def test_taps_of_our_networks(name):
    assert taps(made(lambda: build(name))) == EXPECTED[name]


@pytest.mark.parametrize("name", KERAS)
def test_taps_of_keras_applications(name):
    assert taps(made(getattr(keras.applications, name), weights=None)) == KERAS[name]


def test_taps_behind_nested_models_of_one_size():
    model = made(keras.applications.ConvNeXtTiny, weights=None, input_shape=(64, 64, 3))
    shapes = {stride: tensor.shape[1:] for stride, tensor in strided_maps(model.output).items()}
    assert shapes == {4: (16, 16, 96), 8: (8, 8, 192), 16: (4, 4, 384), 32: (2, 2, 768)}


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("name", ["resnet50", "vgg16", "densenet121"])
def test_taps_under_an_output_stride(name, output_stride):
    def dilated():
        return build(name, output_stride=output_stride, include_top=False, input_shape=(96, 128, 3))

    model = made(dilated)
    found = strided_maps(model.output)
    assert max(found) == output_stride and found[output_stride].shape == model.output.shape
    with (
        weightless(),
        pytest.raises(
            ValueError, match=f"strides must be strides that .* has a feature map of: .*{output_stride}, got 64"
        ),
    ):
        features(model, (64,))
    if output_stride < 32:
        with weightless(), pytest.raises(ValueError, match=f"got {2 * output_stride}"):
            features(model)


BORDERED = {
    "lenet5",
    "fcn32s",
    "fcn16s",
    "fcn8s",
    "unet",
    "inception_resnet_v2",
    *("squeezenet1_0", "squeezenet1_1"),
}  # with a wide border of zeros, or none at all
OF_VIDEOS = {"r3d_18", "mc3_18", "r2plus1d_18", "vnet"}
# Signals, what enlarges, and what leaves out the sides of its images.
OTHERS = {"wavenet", "tcn", "eegnet_8_2", "eegnet_4_2", "dcgan_generator", "pix2pix_generator", "srcnn", "espcn"}
OTHERS |= {f"edsr_{size}x{scale}" for size in ("", "baseline_") for scale in (2, 3, 4)}
OTHERS |= {"dcgan_discriminator", "pix2pix_discriminator"}
OTHERS |= {"cspresnext50", "swin_v2_s", "swin_v2_b"}  # as the smaller ones of their kind


@pytest.mark.parametrize(
    "name", sorted({*list_architectures()} - {*EXPECTED, *BORDERED, *OF_VIDEOS, *OTHERS, "cifar_resnet1202"})[::4]
)
def test_taps_have_their_stride(name):
    model = made(lambda: build(name))
    found = strided_maps(main(model))
    assert found
    for stride, tensor in found.items():
        for side, whole in zip(tensor.shape[1:3], describe(name).input_shape[:2], strict=True):
            assert abs(side - whole / stride) < 3


# The trunk.


@st.composite
def graphs(draw):
    """A random directed graph of additions, every node of which leads to the output."""
    steps = []
    for number in range(draw(st.integers(1, 9))):
        sources = draw(st.sets(st.integers(0, number), min_size=1, max_size=3))
        steps.append(sorted(sources))
    return steps


@given(graphs())
def test_trunk_is_what_cuts_every_way(steps):
    with weightless():
        x = keras.Input((2,))
        tensors = [x]
        for sources in steps:
            given = [tensors[source] for source in sources]
            tensors.append(keras.layers.Add()(given) if len(given) > 1 else keras.layers.ReLU()(given[0]))
    end = tensors[-1]
    order = calls([end])
    edges = {id(call): [t._keras_history.operation._inbound_nodes[0] for t in call.input_tensors] for call in order}

    def reaches(without) -> bool:
        """Whether a way leads from the end to the input past a call."""
        waiting, seen = [order[-1]], set()
        while waiting:
            call = waiting.pop()
            if call is without or id(call) in seen:
                continue
            if call.is_input:
                return True
            seen.add(id(call))
            waiting += edges[id(call)]
        return False

    assert [id(call) for call in trunk(end)] == [id(call) for call in order if not reaches(call)]


# The model that comes out.


def test_values_and_sharing():
    model = randomize(build("resnet18", input_shape=(64, 96, 3), classes=4))
    maps = features(model, (32, 8))
    x = images(2, 64, 96, 3)
    got = run(maps, x)
    assert {key: value.shape for key, value in got.items()} == {"stride8": (2, 8, 12, 128), "stride32": (2, 2, 3, 512)}
    layers = {layer.name: layer for layer in model.layers}
    assert all(layers[layer.name] is layer for layer in maps.layers)
    assert not any(layer.name.startswith("classifier") for layer in maps.layers)
    both = keras.Model(model.input, [model.output, maps.output["stride32"]])
    assert np.array_equal(run(both, x)[1], got["stride32"])
    assert run(maps, images(1, 64, 96, 3)).keys() == {"stride8", "stride32"}


def test_any_size_and_saving(tmp_path):
    maps = features(build("resnet18", input_shape=(None, None, 3), include_top=False))
    maps.save(tmp_path / "maps.keras")
    again = keras.saving.load_model(tmp_path / "maps.keras")
    x = images(1, 75, 50, 3)
    before, after = run(maps, x), run(again, x)
    assert {key: value.shape[1:3] for key, value in before.items()} == {
        f"stride{s}": (-(-75 // s), -(-50 // s)) for s in (4, 8, 16, 32)
    }
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_channels_first():
    with data_format("channels_first"):
        model = features(made(lambda: build("googlenet")))
        assert model.output["stride16"].shape == (None, 832, 14, 14)


def test_after_surgery_and_conversion():
    with weightless():
        model = fully_convolutional(vgg16(), pooling=None)
        assert features(model, (16,)).output["stride16"].shape[3] == 512
        x = keras.Input((None, None, 1))
        y = max_pool(conv(x, 4, name="a"), name="pool")
        z = transposed(conv(y, 8, name="b"), 4, name="up")
        hourglass = keras.Model(x, conv(z, 2, name="c"))
    assert taps(hourglass) == {1: "a.conv", 2: "b.conv"}


@pytest.mark.parametrize(
    "strides, error, message",
    [
        ((4, 64), ValueError, "strides must be strides that 'resnet18' has a feature map of: 2, 4, 8, 16, 32, got 64"),
        ((1,), ValueError, "got 1"),
        ((), ValueError, "strides must be at least one of 2, 4, 8, 16, 32"),
        (("4",), TypeError, r"strides\[0\] must be a positive integer, got '4'"),
        (8, TypeError, "strides must be a list of positive integers, or None, got 8"),
        ("8", TypeError, "strides must be a list of positive integers, or None, got '8'"),
    ],
)
def test_strides_that_are_not_there(strides, error, message):
    with weightless(), pytest.raises(error, match=f"^features: .*{message}"):
        features(build("resnet18"), strides)


def test_models_without_images():
    x = keras.Input((8,), name="noise")
    message = r"features: model must be one whose input is a batch of images, got 'noise' of \(None, 8\)"
    with pytest.raises(ValueError, match=message):
        features(keras.Model(x, keras.layers.Dense(3)(x)))
    y = keras.layers.Reshape((4, 4, 3))(keras.layers.Dense(48)(x))
    generator = keras.Model(x, keras.layers.Conv2D(3, 3, padding="same")(keras.layers.UpSampling2D(32)(y)))
    with pytest.raises(ValueError, match=message):
        features(generator, None)
    with pytest.raises(TypeError, match="features: model must be a functional or a built model, got 'str'"):
        features("resnet18")


@pytest.mark.parametrize("sides", [(64, 64), (None, None)])
def test_strides_are_of_the_largest_image(sides):
    image, hint = keras.Input((*sides, 3)), keras.Input((1, 1, 1))
    if sides[0] is None:
        y = keras.layers.Multiply()([image, hint])
    else:
        y = keras.layers.Concatenate()([image, keras.layers.UpSampling2D(64)(hint)])
    y = keras.layers.AveragePooling2D(2)(keras.layers.Conv2D(8, 3, padding="same")(y))
    y = keras.layers.Conv2D(8, 3, padding="same", name="last")(y)
    assert taps(keras.Model([image, hint], y))[2] == "last"
    assert set(taps(keras.Model([image, hint], y))) <= {1, 2}


def test_maps_of_a_size_of_their_own_have_no_stride():
    x = keras.Input((64, 64, 3))
    y = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="map")(x)
    y = keras.layers.Resizing(96, 96)(y)
    y = keras.layers.Conv2D(5, 3, strides=2, padding="same")(y)
    assert taps(keras.Model(x, keras.layers.Resizing(64, 64)(y))) == {2: "map"}


class Pooled(keras.Layer):
    """A layer of somebody's own, of which nobody knows what it reads."""

    def call(self, x):
        return keras.ops.max_pool(x, 4, 4)


def test_no_stride_is_made_up():
    image, noise = keras.Input((64, 64, 3)), keras.Input((1, 1, 8))
    y = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="first")(image)
    z = keras.layers.Conv2D(4, 3, padding="same")(keras.layers.UpSampling2D(8)(noise))
    z = keras.layers.Conv2D(4, 3, padding="same")(keras.layers.UpSampling2D(4)(z))
    y = keras.layers.Conv2D(6, 3, padding="same", name="joined")(keras.layers.Concatenate()([y, z]))
    assert taps(keras.Model([image, noise], y)) == {2: "joined"}
    y = Pooled()(y)  # which says how long its output is
    y = keras.layers.Conv2D(8, 3, padding="same", name="after")(y)
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(y)
    model = keras.Model([image, noise], keras.layers.Multiply(name="gated")([y, gate]))
    assert taps(model) == {2: "joined", 8: "gated"}


# What there is to know.


def test_description():
    assert str(describe("googlenet_torchvision")).splitlines() == [
        "GoogLeNet of torchvision (googlenet_torchvision)",
        "  paper           after Szegedy et al. 2015",
        "  source          not in the paper: of torchvision",
        "  parameters      13,004,888 trainable with its auxiliary heads; 15,072 running statistics",
        "  multiply-adds   1,506,748,416 at 224×224×3",
        "  smallest input  15×15",
        "  dialects        torchvision",
        "  options         aux, lrn=False, dropout=0.2, units, layers, block, conv, dense",
    ]
    with pytest.raises(AttributeError):
        describe("vgg16").name = "vgg"


@pytest.mark.parametrize("name", list_architectures())
def test_cheap_description(name):
    about = describe(name)
    assert about.name == name and 1990 < about.year < 2030 and str(about.year) in about.paper
    axes = 3 if name == "vnet" else {"videos": 3, "wavenets": 1, "tcns": 1}.get(about.module, 2)
    assert len(about.input_shape) == axes + 1
    assert "conv" in about.options and "classes" not in about.options and "dialect" not in about.options


@pytest.mark.parametrize(
    "name, message", [("resnet5", "did you mean 'resnet50'"), ("x", "describe: name must be one of")]
)
def test_description_of_nothing(name, message):
    with pytest.raises(ValueError, match=message):
        describe(name)
    with pytest.raises(TypeError, match=r"describe: name must be one of the \d+ names in .*, got 3"):
        describe(3)
