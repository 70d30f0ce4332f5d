"""What is given as `conv=` holds for every convolution and every dense layer of every network, except what is listed.

Each network is built once with a unit that has everything changed: norm, activation, initialisers, regularisers and
constraint; and is compared with itself as it is by default, layer by layer.
"""

from __future__ import annotations

import inspect
import math
import re
from functools import partial

import keras
import pytest

from layerblocks import architectures, blocks
from layerblocks.architectures import variant
from layerblocks.architectures.catalogue import constructor
from layerblocks.blocks import (
    conv,
    conv_bn,
    dense,
    depthwise,
    dilated,
    layer_norm,
    preact_conv,
    separable,
    weightless,
)

from ..helpers import each_family

# What keeps to itself, by character: parts of layer names. The README and the docstrings say the same.
EXCEPT = {
    "kernel_initializer": (r"^(fuse\d\.)?up\.conv", r"aux1\.classifier\.predictions"),  # bilinear; torchvision's 0.001
    "bias_initializer": (r"^conv[245]\.conv",),  # of AlexNet, which are its paper's
    "norm": (r"^(fuse\d\.)?up\.conv", r"score\.conv", r"squeeze_excite\.", r"^s[24]\.scale", r"^image\."),
    "kind": (r"(^|\.)up\.conv", r"^score\.up[12]\.conv", r"^s[24]\.scale", r"^c3\.conv", r"^stage\d\.downsample\.conv"),
}
GIVEN = {
    "kernel_regularizer": keras.regularizers.L2(0.25),
    "kernel_initializer": keras.initializers.RandomNormal(stddev=0.125),
    "kernel_constraint": keras.constraints.MaxNorm(7),
    "bias_regularizer": keras.regularizers.L1(0.5),
    "bias_initializer": keras.initializers.Constant(0.5),
    "bias_constraint": keras.constraints.NonNeg(),
}
CONVOLUTIONS = (
    *(keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D),
    *(keras.layers.Conv3D, blocks.SparseConv2D),
)
NORMS = (keras.layers.BatchNormalization, keras.layers.LayerNormalization)
OF_TANH = {"wavenet", "dcgan_generator", "pix2pix_generator"}  # of its gates, and of the images made
A_FEW = {
    *("lenet5", "alexnet", "googlenet", "inception_v3", "vgg11", "vgg16_bn", "resnet18", "resnet50_v2", "se_resnet50"),
    *("densenet121", "xception", "mobilenet", "mobilenet_v2", "fcn8s", "unet"),
}
MAPS = ("wavenet", "srcnn", "espcn", "edsr", "dcgan_generator", "pix2pix")
EACH = [name for name in each_family(*A_FEW) if name != "cifar_resnet1202"]


def marker(x):
    return keras.ops.gelu(x)


def own_unit(name: str, dialect: str | None = None):
    made = constructor(name)
    own = made.dialects.get(dialect or next(iter(made.dialects), None), {})
    unit = own.get("conv", inspect.signature(made).parameters["conv"].default)
    if unit is None:  # that of the backbone
        return conv_bn
    if "depthwise_initializer" in getattr(unit, "keywords", {}):  # which would come before the one given for all
        others = {word: value for word, value in unit.keywords.items() if word != "depthwise_initializer"}
        return partial(unit.func, *unit.args, **others)
    return unit


# Of images, as the layers looked at here are.
SHAPES = {"wavenet": (9, 9, 4), "tcn": (9, 9, 4)}


def built(name: str, **options) -> dict[str, keras.Layer]:
    """Layers by name."""
    shape = {"input_shape": SHAPES[name]} if name in SHAPES else {}
    with weightless():
        return {layer.name: layer for layer in constructor(name)(**{**shape, **options}).layers}


def excepted(character: str, name: str) -> bool:
    return any(re.search(pattern, name) for pattern in EXCEPT.get(character, ()))


def weights_of(layers: dict[str, keras.Layer], part: str) -> list[tuple[str, keras.Variable]]:
    """Kernels or biases of everything that convolves or connects."""
    kinds = (*CONVOLUTIONS, keras.layers.Dense)
    found = [(name, w) for name, layer in layers.items() if isinstance(layer, kinds) for w in layer.weights]
    return [(name, weight) for name, weight in found if part in weight.name]


def share(layers: dict[str, keras.Layer], character: str) -> float:
    """Of kernel or bias weights, those that have what was given, the excepted layers left out."""
    part, _, kind = character.partition("_")
    reached, total = 0, 0
    for name, weight in weights_of(layers, part):
        if kind == "initializer":
            words = {
                "kernel": ("kernel_initializer", "depthwise_initializer", "pointwise_initializer"),
                "bias": ("bias_initializer",),
            }[part]
            own = [getattr(layers[name], word) for word in words if hasattr(layers[name], word)]
            has = all(same(value, GIVEN[character]) for value in own)
        else:
            has = same(getattr(weight, kind), GIVEN[character])
        if not excepted(character, name):
            reached += has * math.prod(weight.shape)
            total += math.prod(weight.shape)
    assert total or part == "bias"
    return reached / total if total else 1.0


def same(value, given) -> bool:
    return type(value) is type(given) and value.get_config() == given.get_config()


def activations(layers: dict[str, keras.Layer]) -> dict[str, object]:
    """By layer the function that follows its kernel, or that it is."""
    found = {name: getattr(layer, "activation", None) for name, layer in layers.items()}
    leaky = {name for name, layer in layers.items() if isinstance(layer, keras.layers.LeakyReLU)}
    found |= dict.fromkeys(leaky, keras.activations.leaky_relu)
    return {name: function for name, function in found.items() if function not in (None, keras.activations.linear)}


def stem(name: str) -> str:
    return name.rpartition(".")[0]


@pytest.mark.sweep_but(*A_FEW)
@pytest.mark.parametrize("name", EACH)
def test_everything_reaches_everything(name):
    """100 % of the weights have each option; every activation and every norm is the one that was given."""
    unit = partial(own_unit(name), **GIVEN, activation=marker, norm=layer_norm)
    before, after = built(name), built(name, conv=unit)
    assert {character: share(after, character) for character in GIVEN} == dict.fromkeys(GIVEN, 1.0)
    changing = ("relu", "relu6", "scaled_tanh", "silu", "gelu", "hard_silu", "leaky_relu", "elu")
    changing += ("tanh",) if name == "espcn" else ()
    changing = changing[1:] if "mobilenet_v3" in name else changing  # early_activation=
    inner = [layer for layer, function in activations(before).items() if getattr(function, "__name__", "") in changing]
    assert inner, "the network has activations"
    now = activations(after)
    # A norm takes the activation of its convolution out into a layer beside it.
    assert [now.get(layer) or now.get(f"{stem(layer)}.activation") for layer in inner] == [marker] * len(inner)
    left = {getattr(function, "__name__", "") for function in now.values()} - {"marker"}
    early = {"relu", "hard_sigmoid"} if "mobilenet_v3" in name else set()
    early |= {"tanh"} if name in OF_TANH else set()
    early |= {"hard_sigmoid"} if name == "ghostnet_1_0" else set()
    assert left <= {"softmax", "sigmoid"} | early
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in after.values())
    norms = {layer for layer, made in before.items() if isinstance(made, NORMS)}
    if norms:
        assert norms <= {layer for layer, made in after.items() if isinstance(made, keras.layers.LayerNormalization)}
    else:
        convolutions = {layer for layer, made in after.items() if isinstance(made, CONVOLUTIONS)}
        without = {layer for layer in convolutions if f"{stem(layer)}.norm" not in after}
        assert without == {layer for layer in convolutions if excepted("norm", layer)}


@pytest.mark.sweep_but("alexnet", "inception_v3", "mobilenet_v2", "vgg16_bn")
@pytest.mark.parametrize("name", EACH)
def test_in_every_dialect(name):
    """Also where a dialect has units of its own for dense or depthwise layers."""
    for dialect in constructor(name).dialects:
        layers = built(name, dialect=dialect, conv=partial(own_unit(name, dialect), **GIVEN))
        assert {character: share(layers, character) for character in GIVEN} == dict.fromkeys(GIVEN, 1.0), dialect


@pytest.mark.sweep_but("alexnet", "fcn16s", "googlenet", "se_resnet50")
@pytest.mark.parametrize("name", EACH)
def test_a_plain_unit_does_as_well(name):
    """The unit of the blocks instead of the network's own; `preact_conv` where that is one.

    Without a norm, blocks that begin as their shortcut do so by the zeros of a kernel.
    """
    unit = preact_conv if blocks.core.undecorated(own_unit(name)) is preact_conv else conv
    made = constructor(name)
    begins = made.dialects.get(next(iter(made.dialects), None), {}).get("zero_init")
    layers = built(name, conv=partial(unit, **GIVEN), **({"zero_init": False} if begins else {}))
    assert {character: share(layers, character) for character in GIVEN} == dict.fromkeys(GIVEN, 1.0)


@pytest.mark.sweep_but("alexnet", "googlenet", "lenet5", "vgg11")
@pytest.mark.parametrize("name", EACH)
def test_dense_changes_every_dense_layer_and_nothing_else(name):
    made = constructor(name)
    if "dense" not in inspect.signature(made).parameters:  # a network for every pixel
        pixels = ("attention_unet", "resunet", "vnet", "segnet", "linknet", "pspnet", "semantic", "fc_densenet")
        assert name.startswith(("fcn", "unet", "squeezenet", "deeplab", "lraspp", *pixels, *MAPS))
        return
    layers = built(name, dense=partial(dense, kernel_regularizer=GIVEN["kernel_regularizer"]))
    kinds = {
        isinstance(layers[layer], keras.layers.Dense): same(weight.regularizer, GIVEN["kernel_regularizer"])
        for layer, weight in weights_of(layers, "kernel")
    }
    assert kinds in ({True: True, False: False}, {True: True})


def test_a_dense_that_is_given_is_not_changed_by_conv():
    own = partial(dense, kernel_initializer="zeros")
    layers = built("vgg11", dense=own, conv=partial(conv, kernel_regularizer="l2"))
    last = layers["classifier.predictions"]
    assert last.kernel_regularizer is None and isinstance(last.kernel_initializer, keras.initializers.Zeros)


def test_a_variant_with_a_unit_bound():
    mine = variant(architectures.alexnet, "mine", "Mine.", conv=partial(conv, **GIVEN))
    with weightless():
        layers = {layer.name: layer for layer in mine().layers}
    assert share(layers, "kernel_regularizer") == 1.0 and share(layers, "kernel_initializer") == 1.0


def kinds(layers: dict[str, keras.Layer]) -> dict[str, type]:
    return {name: type(layer) for name, layer in layers.items() if isinstance(layer, CONVOLUTIONS)}


@pytest.mark.sweep_but(*A_FEW)
@pytest.mark.parametrize(
    "name",
    [name for name in EACH if not name.startswith(("resnext", "regnet", "resnest", "r3d", "mc3", "r2", "dcgan_g"))],
)
def test_the_kind_of_convolution(name):
    """Separable everywhere; depthwise, sparse, transposed ones and Xception's plain ones have other arguments.

    Without networks of groups, of transposed convolutions alone, and of volumes, whose separable layer Keras lacks.
    """
    options = {"groups": 1} if name == "alexnet" else {}
    after = kinds(built(name, conv=separable, **options))
    plain = {"xception": r"^conv[12]\.|\.shortcut\.", "pix2pix_generator": r"^image\."}.get(name, "^$")
    left = {layer: kind for layer, kind in after.items() if kind is not keras.layers.SeparableConv2D}
    unsaid = [
        layer
        for layer, kind in left.items()
        if not excepted("kind", layer) and kind is not keras.layers.DepthwiseConv2D and not re.search(plain, layer)
    ]
    assert unsaid == []
    assert len(after) > len(left)


def test_the_other_kinds_have_arguments_of_their_own():
    layers = kinds(built("xception", plain=partial(separable, norm=layer_norm)))
    assert {*layers.values()} == {keras.layers.SeparableConv2D}
    layers = kinds(built("mobilenet", depthwise=partial(conv_bn, groups=2)))
    assert {*layers.values()} == {keras.layers.Conv2D}


STRIDED = [
    *("alexnet", "zfnet", "googlenet", "inception_v3", "resnet18", "resnet50_v2", "densenet121", "xception"),
    *("mobilenet", "mobilenet_v2", "cifar_resnet20"),
]


@pytest.mark.parametrize("name", STRIDED)
def test_a_kind_that_cannot_stride_is_refused_by_the_network(name):
    """Xception strides in its pools and plain convolutions alone."""
    make = constructor(name)
    options = {"conv": partial(dilated, dilation_rate=2), **({"plain": dilated} if name == "xception" else {})}
    with weightless(), pytest.raises(ValueError) as error:
        make(**options)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{name}: conv must be a unit that fits every convolution of the network, got dilated(dil")
    assert "strides are above 1" in line
    has_stride = "output_stride" in inspect.signature(make).parameters
    assert ("output_stride" in line) == has_stride


@pytest.mark.parametrize("name", ["vgg11", "lenet5", "cifar_densenet40"])
def test_a_kind_that_cannot_stride_fits_where_nothing_strides(name):
    options = {"input_shape": (64, 64, 1)} if name == "lenet5" else {}
    layers = built(name, conv=partial(dilated, dilation_rate=2), **options)
    convolutions = [made for layer, made in layers.items() if isinstance(made, keras.layers.Conv2D)]
    rates = {made.dilation_rate for made in convolutions if isinstance(made, keras.layers.Conv2D)}
    assert convolutions and rates == {(2, 2)}


@pytest.mark.parametrize(
    "name, unit, said",
    [
        ("alexnet", separable, "unexpected argument 'groups'"),
        ("vgg16", depthwise, "filters must be a multiple of the 3 channels"),
        ("unet", depthwise, "filters must be a multiple of the 1024 channels"),
        ("resnet18", partial(conv_bn, groups=3), "groups must be a divisor of the 64 "),
        ("lenet5", partial(blocks.sparse, connections=[[0]] * 6), "connections must be for each of 120"),
    ],
)
def test_what_a_kind_cannot_do_is_said_by_the_network(name, unit, said):
    with weightless(), pytest.raises((TypeError, ValueError)) as error:
        constructor(name)(conv=unit)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{name}: conv must be a unit that fits every convolution of the network, got ")
    assert said in line and "0x" not in line


def test_an_argument_that_is_wrong_itself_is_refused_under_its_own_name():
    with weightless(), pytest.raises(ValueError, match="growth_rate must be a positive integer, got -1"):
        constructor("densenet121")(conv=preact_conv, growth_rate=-1)
    with weightless(), pytest.raises(ValueError, match="input_shape must be at least 32×32"):
        constructor("vgg16")(conv=conv, input_shape=(31, 31, 3))


# Blocks.

X, Y = (8, 8, 4), (16, 16, 4)
BLOCKS = {
    "aspp": partial(blocks.aspp, filters=4, rates=(1, 2)),
    "aux_classifier": partial(blocks.aux_classifier, classes=3, filters=4, units=5),
    "basic_residual": partial(blocks.basic_residual, filters=8, transforms=[blocks.squeeze_excite]),
    "bottleneck": partial(blocks.bottleneck, filters=8, strides=2),
    "chain": partial(blocks.chain, layers={"a": {"filters": 4}, "b": {"filters": 3}}),
    "decoder_block": partial(blocks.decoder_block, filters=4),
    "dense_block": partial(blocks.dense_block, layers=2, growth_rate=4),
    "dense_layer": partial(blocks.dense_layer, growth_rate=4),
    "depthwise_separable": partial(blocks.depthwise_separable, filters=8),
    "inception": partial(blocks.inception, c1=4, c3=(4, 4), c5=(4, 4), pool_proj=4),
    "inception_asymmetric": partial(
        blocks.inception_asymmetric, c1=4, single=(4, 4, 4), double=(4, 4, 4, 4, 4), pool_proj=4
    ),
    "inception_expanded": partial(blocks.inception_expanded, c1=4, single=(4, 4), double=(4, 4, 4), pool_proj=4),
    "inception_reduction": partial(blocks.inception_reduction, single=(4, 4), double=(4, 4, 4)),
    "inception_stacked": partial(blocks.inception_stacked, c1=4, single=(4, 4), double=(4, 4, 4), pool_proj=4),
    "inverted_residual": partial(blocks.inverted_residual, filters=8),
    "pyramid_pooling": partial(blocks.pyramid_pooling, sizes=(1, 2), filters=4),
    "residual": partial(blocks.residual, convs=[(4, 3), (8, 1)]),
    "squeeze_excite": partial(blocks.squeeze_excite, ratio=2),
    "transition": partial(blocks.transition, filters=2),
    "vgg_block": partial(blocks.vgg_block, filters=4),
    "xception_module": partial(blocks.xception_module, filters=(8, 8), strides=2),
}
WITHOUT_WEIGHTS = {
    *("channel_projection_shortcut", "identity_shortcut", "pad_shortcut", "projection_shortcut"),  # given by a block
    *("merge_residual", "norm_activation", "avg_pool_shortcut"),
}
# Of several tensors, or with activations and norms by arguments of their own.
STEPS = [[{"filters": 4}], [{"filters": 3, "kernel_size": 1}]]
OTHERWISE = {
    "attention_gate": (partial(blocks.attention_gate, filters=4), X, (4, 4, 6)),
    "branches": (partial(blocks.branches, branches=STEPS), X),
    "cbam": (partial(blocks.cbam, ratio=2), X),
    "convnext_block": (blocks.convnext_block, X),
    "feature_pyramid": (lambda *xs, conv: blocks.feature_pyramid(xs, 4, conv=conv), (16, 16, 4), (8, 8, 6), (4, 4, 8)),
    "ghost_conv": (partial(blocks.ghost_conv, filters=8), X),
    "hierarchical_conv": (partial(blocks.hierarchical_conv, filters=X[-1], scale=2), X),
    "inception_residual": (partial(blocks.inception_residual, branches=STEPS), X),
    "mixer_block": (partial(blocks.mixer_block, token_units=4, channel_units=4), (8, 4)),
    "mlp": (partial(blocks.mlp, units=5), (8, 4)),
    "patch_embedding": (partial(blocks.patch_embedding, filters=4, patch_size=4), X),
    "patch_merging": (partial(blocks.patch_merging, filters=4), X),
    "parallel_conv": (partial(blocks.parallel_conv, filters=4), X),
    "resize_conv": (partial(blocks.resize_conv, filters=4), X),
    "self_attention": (partial(blocks.self_attention, heads=2), (8, 4)),
    "split_attention": (partial(blocks.split_attention, filters=4), X),
    "subpixel_conv": (partial(blocks.subpixel_conv, filters=4), X),
    "transformer_block": (partial(blocks.transformer_block, heads=2, window=4), X),
    "transformer_block of tokens": (partial(blocks.transformer_block, heads=2), (8, 4)),
}


def test_every_block_that_has_a_unit_is_here():
    public = {name: getattr(blocks, name) for name in blocks.__all__}
    functions = {name: made for name, made in public.items() if inspect.isfunction(made)}
    with_units = {name for name, made in functions.items() if "conv" in inspect.signature(made).parameters}
    assert with_units | {"dense_block"} == {*BLOCKS} | WITHOUT_WEIGHTS | {name.partition(" ")[0] for name in OTHERWISE}


@pytest.mark.parametrize("unit", [conv, conv_bn, separable])
@pytest.mark.parametrize("name", BLOCKS)
def test_everything_reaches_every_layer_of_a_block(name, unit):
    x = keras.Input(X)
    tensors = [x, keras.Input(Y)] if name == "decoder_block" else [x]
    with weightless():
        y = BLOCKS[name](*tensors, conv=partial(unit, **GIVEN, activation=marker))
        layers = {layer.name: layer for layer in keras.Model(tensors, y).layers}
    assert {character: share(layers, character) for character in GIVEN} == dict.fromkeys(GIVEN, 1.0)
    left = {getattr(function, "__name__", "") for function in activations(layers).values()}
    assert left <= {"marker", "softmax", "sigmoid"}


def innermost(layer):
    """A layer, or those that it is made of."""
    parts = list(layer._flatten_layers(include_self=False, recursive=False))
    return [inner for part in parts for inner in innermost(part)] if parts else [layer]


@pytest.mark.parametrize("name", OTHERWISE)
def test_the_options_of_weights_reach_every_layer_of_the_others(name):
    """The projections of an attention, too, which no unit makes."""
    make, *shapes = OTHERWISE[name]
    inputs = [keras.Input(shape) for shape in shapes]
    with weightless():
        model = keras.Model(inputs, make(*inputs, conv=partial(conv, **GIVEN)))
    layers = {f"{layer.name}/{one.name}": one for layer in model.layers for one in innermost(layer)}
    weighty = {place: one for place, one in layers.items() if any("kernel" in w.name for w in one.weights)}
    assert weighty
    for place, layer in weighty.items():
        for weight in layer.weights:
            part = "bias" if weight.name == "bias" else "kernel"
            assert same(weight.regularizer, GIVEN[f"{part}_regularizer"]), place
            assert same(weight.constraint, GIVEN[f"{part}_constraint"]), place
        words = [word for word in vars(layer) if word.endswith("_initializer") and getattr(layer, word) is not None]
        for word in words:
            given = GIVEN[f"{'bias' if word.startswith('bias') else 'kernel'}_initializer"]
            if word != "bias_initializer" or getattr(layer, "use_bias", True):
                assert same(getattr(layer, word), given), (place, word)


def test_a_function_of_ones_own_is_given_the_unit_if_it_asks_for_it():
    seen = []

    def gate(x, *, conv):
        seen.append(conv)
        return x

    unit, x = partial(conv_bn, activation="gelu"), keras.Input(X)
    with weightless():
        blocks.basic_residual(x, 4, transforms=[gate, lambda x: x, partial(gate, conv=conv)], conv=unit)
    assert seen == [unit, conv]
