"""Functions said by their names: in blocks, in partials, in tables, and back again."""

from __future__ import annotations

from functools import partial

import keras
import pytest

from layerblocks import blocks as b
from layerblocks.blocks import words

from ..helpers import build

SAME = {
    "a name": (
        partial(b.bottleneck, filters=16, conv="separable"),
        partial(b.bottleneck, filters=16, conv=b.separable),
    ),
    "a pair": (
        partial(b.conv, filters=16, norm=("group_norm", {"groups": 8})),
        partial(b.conv, filters=16, norm=partial(b.group_norm, groups=8)),
    ),
    "a list, as of YAML": (
        partial(b.conv, filters=16, norm=["group_norm", {"groups": 8}]),
        partial(b.conv, filters=16, norm=partial(b.group_norm, groups=8)),
    ),
    "a dict": (
        partial(b.inception, c1=2, c3=(2, 2), c5=(2, 2), pool_proj=2, conv={"name": "conv_bn", "activation": "gelu"}),
        partial(b.inception, c1=2, c3=(2, 2), c5=(2, 2), pool_proj=2, conv=partial(b.conv_bn, activation="gelu")),
    ),
    "without its kind": (
        partial(b.basic_residual, filters=32, strides=2, shortcut="pad", conv={"name": "conv", "norm": "layer"}),
        partial(
            b.basic_residual, filters=32, strides=2, shortcut=b.pad_shortcut, conv=partial(b.conv, norm=b.layer_norm)
        ),
    ),
    "projections": (
        partial(b.basic_residual, filters=8, shortcut="all_projections"),
        partial(b.basic_residual, filters=8, shortcut=partial(b.projection_shortcut, always=True)),
    ),
    "in a partial": (
        partial(b.dense_block, layers=2, conv=partial(b.preact_conv, norm="group", activation="gelu")),
        partial(b.dense_block, layers=2, conv=partial(b.preact_conv, norm=b.group_norm, activation="gelu")),
    ),
    "transforms": (
        partial(b.bottleneck, filters=16, transforms=["squeeze_excite", ["stochastic_depth", {"rate": 0.2}]]),
        partial(b.bottleneck, filters=16, transforms=[b.squeeze_excite, partial(b.stochastic_depth, rate=0.2)]),
    ),
    "a pool": (partial(b.vgg_block, filters=4, pool="avg"), partial(b.vgg_block, filters=4, pool=b.avg_pool)),
    "a dense layer": (
        partial(b.classifier, classes=3, dense=("dense", {"use_bias": False})),
        partial(b.classifier, classes=3, dense=partial(b.dense, use_bias=False)),
    ),
    "a table": (
        partial(b.chain, layers={"c": {"filters": 3}, "p": "max_pool", "q": {"name": "avg_pool", "pool_size": 3}}),
        partial(b.chain, layers={"c": {"filters": 3}, "p": b.max_pool, "q": partial(b.avg_pool, pool_size=3)}),
    ),
    "a layer of Keras": (
        partial(b.conv, filters=4, activation=("leaky_relu", {"negative_slope": 0.1})),
        partial(b.conv, filters=4, activation=keras.layers.LeakyReLU(negative_slope=0.1)),
    ),
    "an enlargement": (
        partial(b.fuse_scores, skip=keras.Input((16, 16, 4)), up="bilinear_up", score="conv"),
        partial(b.fuse_scores, skip=keras.Input((16, 16, 4)), up=b.bilinear_up, score=b.conv),
    ),
    "a second unit": (
        partial(b.inverted_residual, filters=8, depthwise={"name": "depthwise", "norm": "batch"}),
        partial(b.inverted_residual, filters=8, depthwise=partial(b.depthwise, norm=b.batch_norm)),
    ),
}


def configs(function):
    """What each layer is, under its name."""
    with b.weightless():
        keras.backend.clear_session()
        x = keras.Input((8, 8, 32), name="x")
        skip = getattr(function, "keywords", {}).get("skip")
        model = keras.Model(x if skip is None else [x, skip], function(x))
    return [layer.get_config() for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


@pytest.mark.parametrize("case", SAME)
def test_a_word_is_the_function(case):
    said, given = SAME[case]
    assert configs(said) == configs(given)


REFUSED = {
    "bottleneck: conv must be .* did you mean 'separable'": partial(b.bottleneck, filters=16, conv="seperable"),
    "conv: norm must be .* did you mean 'group_norm'": partial(b.conv, filters=16, norm="grup_norm"),
    "shortcut must be .* did you mean 'pad'": partial(b.basic_residual, filters=16, shortcut="pda"),
    "unexpected argument 'group'; did you mean 'groups'.* group_norm": partial(
        b.conv, filters=16, norm=("group_norm", {"group": 8})
    ),
    r"transforms\[0\] must be .* did you mean 'squeeze_excite'": partial(
        b.bottleneck, filters=16, transforms=["squeze_excite"]
    ),
    r"layers\['p'\] must be .* did you mean 'max_pool'": partial(b.chain, layers={"p": "maxx_pool"}),
    "transforms must be a list": partial(b.bottleneck, filters=16, transforms="squeeze_excite"),
    "activation must be .* did you mean 'relu'": partial(b.conv, filters=16, activation="rellu"),
    "activation must be what keras.layers.LeakyReLU accepts": partial(
        b.conv, filters=16, activation=("leaky_relu", {"slope": 1})
    ),
    "norm must be .* did you mean 'layer": partial(b.basic_residual, filters=16, conv=partial(b.conv, norm="layr")),
}


@pytest.mark.parametrize("message", REFUSED)
def test_an_unknown_word_names_the_nearest(message):
    with pytest.raises((TypeError, ValueError), match=message.replace(": ", " .*: ", 1)) as caught:
        build(REFUSED[message], (8, 8, 32))
    assert "\n" not in str(caught.value)


@b.block
def downward(x, filters, unit=b.conv, *, conv=b.conv, norm=None, name=None):
    """A block of somebody else's, whose arguments say nothing of what they are."""
    return conv(x, filters, norm=norm, name="inside")


@b.unit
def twice_convolved(x, filters, kernel_size=3, *, strides=1, name=None, **options):
    return b.conv(b.conv(x, filters, kernel_size, strides=strides, name="1"), filters, kernel_size, name="2", **options)


def test_blocks_of_a_user():
    model = build(partial(downward, norm="batch", conv="separable"), (8, 8, 4), 4, name="d")
    assert [layer.name for layer in model.layers[1:]] == ["d.inside.conv", "d.inside.norm", "d.inside.activation"]
    assert b.registered("unit")["twice_convolved"] is twice_convolved
    assert b.registered("block")["downward"] is downward
    inner = build(partial(b.bottleneck, filters=8, conv="twice_convolved"), (8, 8, 8))
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in inner.layers) == 6
    assert build(partial(b.bottleneck, filters=8, transforms=[("downward", {"filters": 8})]), (8, 8, 8)).count_params()


def test_a_name_that_two_functions_have():
    def other(x, *, name=None):
        return x

    other.__name__ = other.__qualname__ = "downward"
    other.__module__ = "elsewhere"
    words.add("block", other)
    try:
        with pytest.raises(ValueError, match=r"the function itself, as there are .*downward and elsewhere.downward"):
            words.resolved("block", "residual", "downward")
    finally:
        del words._registered["block"]["downward"]["elsewhere", "downward"]


def test_words_of_functions_and_back():
    unit = partial(b.conv_bn, norm=partial(b.group_norm, groups=8), kernel_initializer="he_normal")
    said = words.word_of(unit)
    assert said == {"name": "conv_bn", "norm": {"name": "group_norm", "groups": 8}, "kernel_initializer": "he_normal"}
    again = words.resolved("unit", "conv", said)
    assert again.func is b.conv_bn and again.keywords["norm"].func is b.group_norm
    assert words.word_of(again) == said
    for nameless in (lambda x: x, partial(b.conv_bn, None)):
        with pytest.raises(TypeError, match="register"):
            words.word_of(nameless)


# Arguments that the notes have in another order, or that the framework asks for in another way.


def test_filters_and_convolutions_the_wrong_way_round():
    with pytest.raises(ValueError, match=r"did you mean vgg_block\(x, 64, 2\)"):
        build(b.vgg_block, (8, 8, 3), 2, 64)
    assert build(b.vgg_block, (8, 8, 3), 4, 5).count_params()  # more convolutions than filters, on purpose


def test_a_bias_beside_every_norm_in_one_word():
    model = build(b.bottleneck, (8, 8, 8), 16, strides=2, use_bias=True)
    convs = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convs) == 4 and all(layer.use_bias for layer in convs)


def test_a_block_may_declare_its_name():
    @b.block
    def own(x, name=None):
        return b.conv(x, 1, name="c")

    assert build(own, (4, 4, 1), name="n").layers[-1].name == "n.c.conv"
    with pytest.raises(TypeError, match="must declare name=None or no name at all: the decorator sets it"):
        b.block(lambda x, name="x": x)
