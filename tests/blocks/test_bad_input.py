"""Bad input is refused where it comes in, with one line that names the piece, the argument, what it got and must be."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks import blocks
from layerblocks.blocks import (
    activate,
    adaptive_avg_pool,
    add,
    aux_classifier,
    avg_pool,
    basic_residual,
    batch_norm,
    bottleneck,
    classifier,
    concat,
    conv,
    conv_bn,
    crop,
    dense,
    dilated,
    dropout,
    flatten,
    global_avg_pool,
    global_max_pool,
    group_norm,
    identity_shortcut,
    inception,
    layer_norm,
    layers,
    local_response_norm,
    max_pool,
    merge_residual,
    pad_shortcut,
    separable,
    transposed,
    vgg_block,
    weightless,
    zero_pad,
)

from ..helpers import needs_tensorflow

C3 = (4, 4)
PIECES = {
    "conv": partial(conv, filters=4),
    "separable": partial(separable, filters=4),
    "dilated": partial(dilated, filters=4),
    "transposed": partial(transposed, filters=4),
    "vgg_block": partial(vgg_block, filters=4),
    "inception": partial(inception, c1=4, c3=C3, c5=C3, pool_proj=4),
    "basic_residual": partial(basic_residual, filters=4),
    "bottleneck": partial(bottleneck, filters=4),
    "aux_classifier": partial(aux_classifier, classes=4),
    "classifier": partial(classifier, classes=4),
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "adaptive_avg_pool": partial(adaptive_avg_pool, output_size=2),
    "global_avg_pool": global_avg_pool,
    "global_max_pool": global_max_pool,
    "flatten": flatten,
    "dense": partial(dense, units=4),
    "dropout": partial(dropout, rate=0.5),
    "activate": partial(activate, activation="relu"),
    "zero_pad": partial(zero_pad, padding=1),
    "crop": partial(crop, cropping=1),
    "batch_norm": batch_norm,
    "group_norm": partial(group_norm, groups=2),
    "layer_norm": layer_norm,
    "local_response_norm": local_response_norm,
    "pad_shortcut": partial(pad_shortcut, filters=4, strides=1, conv=None),
}

ANY_RANK = {"dense", "dropout", "activate", "classifier", "batch_norm", "layer_norm"}

# Piece and argument.
INTEGERS = [
    *((piece, "filters") for piece in ("conv", "separable", "dilated", "transposed")),
    *((piece, "kernel_size") for piece in ("conv", "separable", "dilated", "transposed")),
    *((piece, "strides") for piece in ("conv", "separable", "dilated", "transposed", "max_pool", "avg_pool")),
    *((piece, "dilation_rate") for piece in ("conv", "separable", "dilated", "transposed")),
    ("conv", "groups"),
    ("separable", "depth_multiplier"),
    ("vgg_block", "filters"),
    ("vgg_block", "convs"),
    ("vgg_block", "kernel_size"),
    ("inception", "c1"),
    ("inception", "pool_proj"),
    ("basic_residual", "filters"),
    ("basic_residual", "strides"),
    ("bottleneck", "filters"),
    ("bottleneck", "strides"),
    ("aux_classifier", "classes"),
    ("aux_classifier", "filters"),
    ("aux_classifier", "units"),
    ("aux_classifier", "output_size"),
    ("classifier", "classes"),
    ("max_pool", "pool_size"),
    ("adaptive_avg_pool", "output_size"),
    ("dense", "units"),
    ("group_norm", "groups"),
    ("local_response_norm", "depth"),
    ("pad_shortcut", "filters"),
    ("pad_shortcut", "strides"),
]
PAIRED = {"kernel_size", "strides", "dilation_rate", "pool_size", "output_size"}

not_positive = st.integers(max_value=0)
not_an_integer = (
    st.booleans() | st.floats() | st.text(max_size=3) | st.just(object()) | st.complex_numbers() | st.binary(max_size=3)
)


def refused(function, shape=(8, 8, 4), **options):
    """The message of the error, which is one line."""
    with weightless(), pytest.raises((TypeError, ValueError)) as caught:
        function(keras.Input(shape), **options)
    message = str(caught.value)
    assert "\n" not in message, message
    return message, caught.type


@pytest.mark.parametrize("piece, argument", INTEGERS)
@given(value=not_positive | not_an_integer)
def test_numbers(piece, argument, value):
    message, kind = refused(PIECES[piece], **{argument: value})
    assert kind is (ValueError if isinstance(value, int) and not isinstance(value, bool) else TypeError)
    assert f"{argument} must be " in message or f"{argument}[" in message, message
    assert f"got {value!r}" in message


@pytest.mark.parametrize("piece, argument", [pair for pair in INTEGERS if pair[1] in PAIRED])
@pytest.mark.parametrize("value", [(1,), (1, 2, 3), (0, 1), (1, True), (1, "2"), (2, None)])
def test_pairs(piece, argument, value):
    message, _ = refused(PIECES[piece], **{argument: value})
    assert f"{argument} must be " in message or f"{argument}[" in message


@pytest.mark.parametrize("piece", ["conv", "separable", "dilated", "transposed", "max_pool", "avg_pool"])
@pytest.mark.parametrize("value", [-1, (0, -1), "sam", "", None, True, 1.5, (1, 2, 3), b"\0\0"])
def test_paddings(piece, value):
    message, _ = refused(PIECES[piece], padding=value)
    assert message.startswith(piece)
    assert "padding" in message


@pytest.mark.parametrize(
    "piece, word, value, nearest",
    [
        ("conv", "padding", "smae", "same"),
        ("avg_pool", "padding", "vaild", "valid"),
        ("bottleneck", "stride_on", "3×3", "3x3"),
        ("classifier", "pooling", "agv", "avg"),
        ("conv", "activation", "rellu", "relu"),
        ("conv_bn", "activation", "rellu", "relu"),
        ("classifier", "activation", "sofmax", "softmax"),
        ("classifier", "hidden_activation", "rellu", "relu"),
        ("activate", "activation", "gelv", "gelu"),
        ("conv", "kernel_initializer", "he_norml", "he_normal"),
        ("dense", "kernel_regularizer", "l22", "l2"),
    ],
)
def test_words_with_the_nearest(piece, word, value, nearest):
    pieces = {**PIECES, "conv_bn": partial(conv_bn, filters=4)}
    if word == "hidden_activation":
        pieces["classifier"] = partial(classifier, classes=4, units=(5,))
    message, kind = refused(pieces[piece], **{word: value})
    assert kind is ValueError
    assert word.removeprefix("hidden_") in message
    assert repr(value) in message
    assert f"did you mean {nearest!r}?" in message


@pytest.mark.parametrize(
    "piece, word, nearest",
    [
        ("conv", "kernel_initialiser", "kernel_initializer"),
        ("conv", "bias_regulariser", "bias_regularizer"),
        ("separable", "depthwise_initialiser", "depthwise_initializer"),
        ("transposed", "kernel_regulariser", "kernel_regularizer"),
        ("batch_norm", "momentun", "momentum"),
        ("dense", "kernel_initialiser", "kernel_initializer"),
        ("classifier", "kernel_initialiser", "kernel_initializer"),
    ],
)
def test_unknown_arguments_with_the_nearest(piece, word, nearest):
    message, kind = refused(PIECES[piece], **{word: "x"})
    assert kind is TypeError
    assert message.startswith(piece)
    assert f"unexpected argument {word!r}; did you mean {nearest!r}?" in message


@pytest.mark.parametrize(
    "piece, word, value",
    [
        ("conv", "data_format", "channels_first"),  # the shape would be read one way and computed another
        ("transposed", "data_format", "channels_first"),
        ("separable", "data_format", "channels_first"),
        ("batch_norm", "axis", 1),
        ("layer_norm", "axis", 1),
        ("group_norm", "axis", 1),
        ("conv", "rank", 2),
    ],
)
def test_arguments_that_the_piece_itself_sets(piece, word, value):
    message, kind = refused(PIECES[piece], **{word: value})
    assert kind is TypeError
    assert message.startswith(piece) and word in message


# What x is.


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize(
    "x", [np.zeros((1, 8, 8, 4), "float32"), keras.ops.zeros((1, 8, 8, 4)), "x", None, [1], keras.Input]
)
def test_only_symbolic_tensors(piece, x):
    with pytest.raises(TypeError, match=r"must be .*symbolic"):
        PIECES[piece](x)


@pytest.mark.parametrize("piece", sorted(PIECES.keys() - ANY_RANK))
@pytest.mark.parametrize("shape", [(), (8,), (8, 8, 8, 8, 4)])
def test_only_signals_images_and_volumes(piece, shape):
    message, kind = refused(PIECES[piece], shape)
    assert kind is ValueError
    assert "rank 3, 4 or 5" in message and repr((None, *shape)) in message


@pytest.mark.parametrize("piece", ["conv", "separable", "transposed", "group_norm", "basic_residual"])
def test_only_known_channels(piece):
    message, _ = refused(PIECES[piece], (8, 8, None))
    assert "number of channels is known" in message


# Arguments that are functions.


@pytest.mark.parametrize("piece", ["vgg_block", "inception", "basic_residual", "bottleneck", "aux_classifier"])
@pytest.mark.parametrize("value", [["conv"], None, 3])
def test_units_are_functions(piece, value):
    message, kind = refused(PIECES[piece], conv=value)
    assert kind is TypeError
    assert message.startswith(piece) and f"conv must be a function, got {value!r}" in message


@pytest.mark.parametrize(
    "piece, argument, value",
    [
        ("conv", "norm", ["batch_norm"]),
        ("inception", "pool", 2),
        ("inception", "pool", None),
        ("vgg_block", "pool", ("max", 2)),
        ("basic_residual", "shortcut", {"nme": "pad"}),
        ("bottleneck", "shortcut", None),
    ],
)
def test_other_functions(piece, argument, value):
    message, kind = refused(PIECES[piece], **{argument: value})
    assert kind is TypeError
    assert message.startswith(piece) and f"{argument} must be a function, got {value!r}" in message


@pytest.mark.parametrize("activation", [3, ["relu"], keras.layers.ReLU])
@pytest.mark.parametrize("unit", [conv, conv_bn])
def test_activations(unit, activation):
    message, _ = refused(partial(unit, filters=4), activation=activation)
    assert "activation" in message


# Combinations.


@pytest.mark.parametrize(
    "function, words",
    [
        (partial(conv, filters=4, strides=2, dilation_rate=2), "dilation_rate must be 1 where strides are above 1"),
        (
            partial(transposed, filters=4, strides=2, dilation_rate=(1, 2)),
            "dilation_rate must be 1 where strides are above 1",
        ),
        (
            partial(basic_residual, filters=4, strides=2, conv=dilated),
            "dilation_rate must be 1 where strides are above 1",
        ),
        (partial(conv, filters=6, groups=4), "groups must be a divisor of the 6 filters, got 4"),
        (partial(conv, filters=6, groups=3), "groups must be a divisor of the 4 channels of x, got 3"),
        (partial(conv, filters=4, norm=group_norm), "groups must be a divisor of the 4 channels of x, got 32"),
        (partial(separable, filters=4, strides=(1, 2)), "strides must be one stride for both axes, got (1, 2)"),
        (partial(transposed, filters=4, output_padding=2), "output_padding must be less than the stride of 2, got 2"),
        (partial(transposed, filters=4, output_padding=-1), "output_padding must be an integer of at least 0, got -1"),
        (partial(transposed, filters=4, kernel_size=4, output_padding=0), "output_padding must be at least 1"),
        (
            partial(transposed, filters=4, output_size=16, output_padding=1),
            "output_padding must be None where output_size is given, got 1",
        ),
        (partial(transposed, filters=4, output_size=14), "output_size must be 15 to 16 on an axis of 8 pixels, got 14"),
        (
            partial(transposed, filters=4, padding="valid", output_size=(17, 19)),
            "output_size must be 17 to 18 on an axis of 8 pixels, got (17, 19)",
        ),
        (partial(transposed, filters=4, padding=9), "padding must be less than half of the 17 pixels made, got 9"),
        (partial(bottleneck, filters=6), "reduction must be a divisor of filters=6, got 4"),
        (partial(bottleneck, filters=8, reduction=0), "reduction must be a finite number above 0, got 0"),
        (partial(bottleneck, filters=8, reduction="4"), "reduction must be a finite number above 0, got '4'"),
        (partial(basic_residual, filters=8, shortcut=identity_shortcut), "shortcut must be a function that gives"),
        (partial(basic_residual, filters=2, shortcut=pad_shortcut), "filters must be at least the 4 channels of x"),
        (partial(basic_residual, filters=4, conv=partial(conv, padding="valid")), "shortcut must be a function"),
        (
            partial(bottleneck, filters=4, shortcut=lambda x, filters, *, strides, conv: conv(x, 1, 1)),
            "shortcut must be",
        ),
        (partial(inception, c1=4, c3=C3, c5=C3, pool_proj=4, conv=partial(conv, padding="valid")), "one shape apart"),
        (partial(inception, c1=4, c3=4, c5=C3, pool_proj=4), "c3 must be 2 integers of at least 1, got 4"),
        (
            partial(inception, c1=4, c3=C3, c5=(4, 4, 4), pool_proj=4),
            "c5 must be 2 integers of at least 1, got (4, 4, 4)",
        ),
        (partial(inception, c1=4, c3=C3, c5=(4, 0), pool_proj=4), "c5[1] must be a positive integer, got 0"),
        (
            partial(vgg_block, filters=4, convs=2, kernel_size=[3]),
            "kernel_size must be one side, or a list of 2, got [3]",
        ),
        (partial(classifier, classes=4, pooling=None), "x must be batch and features where pooling=None"),
        (partial(classifier, classes=4, units=5), "units must be a sequence"),
        (partial(classifier, classes=4, units="ab"), "units must be a sequence"),
        (partial(classifier, classes=4, units=(5, 0)), "units[1] must be a positive integer, got 0"),
        (partial(classifier, classes=4, dropout=1), "dropout must be a number from 0 up to, not including, 1, got 1"),
        (partial(dropout, rate=-0.5), "rate must be a number from 0 up to, not including, 1, got -0.5"),
        (partial(dropout, rate=float("nan")), "rate must be a number from 0 up to, not including, 1, got nan"),
        (partial(blocks.batch_norm, epsilon=float("nan")), "epsilon must be a finite number at least 0, got nan"),
        (partial(blocks.layer_norm, epsilon=-1e-3), "epsilon must be a finite number at least 0, got -0.001"),
        (
            partial(blocks.batch_norm, momentum=1.5),
            "momentum must be a finite number at least 0 and at most 1, got 1.5",
        ),
        (
            partial(blocks.group_norm, groups=1, epsilon="1e-3"),
            "epsilon must be a finite number at least 0, got '1e-3'",
        ),
        (partial(dropout, rate="0.5"), "rate must be a number from 0 up to, not including, 1, got '0.5'"),
        (partial(zero_pad, padding=-1), "padding must be an integer of at least 0, got -1"),
        (partial(zero_pad, padding=True), "padding must be an integer of at least 0, got True"),
        (partial(crop, cropping=-1), "cropping must be an integer of at least 0, got -1"),
        (partial(crop, cropping=4), "cropping"),
        (partial(local_response_norm, k="2"), "k must be a finite number"),
        (partial(conv, filters=4, use_bias="no"), "use_bias must be one of None, True or False, got 'no'"),
    ],
)
def test_combinations(function, words):
    message, _ = refused(function)
    assert words in message


# Images too small.


@pytest.mark.parametrize(
    "function, shape, words",
    [
        (partial(conv, filters=4, padding="valid"), (2, 9, 4), "x must be a height and width of at least 3×3"),
        (
            partial(conv, filters=4, padding="valid", kernel_size=(1, 3), dilation_rate=4),
            (9, 8, 4),
            "x must be a height and width of at least 1×9",
        ),
        (partial(max_pool, padding="valid"), (1, 9, 4), "at least 2×2"),
        (partial(vgg_block, filters=4), (9, 1, 4), "max_pool in vgg_block 'vgg_block"),
        (partial(aux_classifier, classes=4), (4, 14, 4), "at least 5×5, or any with output_size=4, got (4, 14)"),
        (partial(aux_classifier, classes=4), (None, 14, 4), "known height and width of at least 5×5"),
        (partial(classifier, classes=4, pooling="flatten"), (None, 7, 4), "a known height and width"),
        (partial(transposed, filters=4, output_size=9), (None, 4, 4), "known height and width where output_size"),
    ],
)
def test_too_small_or_unknown(function, shape, words):
    message, kind = refused(function, shape)
    assert kind is ValueError
    assert words in message


# Sums and concatenations.


def shaped(*shapes):
    return [keras.Input(shape) for shape in shapes]


@pytest.mark.parametrize("piece", [add, concat])
@pytest.mark.parametrize(
    "xs, kind",
    [
        (None, TypeError),
        (shaped((8, 8, 4))[0], TypeError),
        (shaped((8, 8, 4)), TypeError),
        ([], TypeError),
        ([np.zeros((1, 8, 8, 4)), np.zeros((1, 8, 8, 4))], TypeError),
        (shaped((8, 8, 4), (8, 9, 4)), ValueError),
        (shaped((8, 8, 4), (1, 1, 4)), ValueError),
        (shaped((8, 8, 4), (None, 8, 4)), ValueError),
        (shaped((8, 8, 4), (8, 4)), ValueError),
        (shaped((8, 8, 4), (8, 8, 4), (8, 8, 8, 4)), ValueError),
    ],
)
def test_operands(piece, xs, kind):
    with pytest.raises(kind, match=f"^{piece.__name__}: xs must be"):
        piece(xs)


@pytest.mark.parametrize("other", [(8, 8, 1), (1, 1, 4), (8, 1, 4)])
def test_nothing_is_broadcast(other):
    with pytest.raises(ValueError, match=r"add: xs must be tensors of one shape, got \["):
        add(shaped((8, 8, 4), other))


def shrinking():
    """A branch shrunk to 1×1 beside a shortcut of 5×5, which no symbolic shape of None shows."""
    x = keras.Input((None, None, 4))
    return keras.Model(x, basic_residual(x, 4, conv=partial(conv, padding="valid"), name="block"))


FIVE = np.zeros((1, 5, 5, 4), "float32")


def test_a_residual_of_unknown_size_is_not_broadcast_when_it_runs():
    for run in (shrinking(), partial(shrinking().predict, verbose=0)):
        with pytest.raises(ValueError, match=r"block\.add: xs must be tensors of one shape, got \(1, 1, 1, 4\)"):
            run(FIVE)


@needs_tensorflow
def test_nor_in_a_function_traced_for_all_sizes():
    import tensorflow as tf

    function = tf.function(shrinking(), input_signature=[tf.TensorSpec((None, None, None, 4))])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"block\.add: xs must be tensors of one shape"):
        function(FIVE)


def test_nor_after_saving_loading_and_cloning(tmp_path):
    (model := shrinking()).save(tmp_path / "model.keras")
    for again in (keras.models.load_model(tmp_path / "model.keras"), keras.models.clone_model(model)):
        with pytest.raises(ValueError, match="must be tensors of one shape"):
            again(FIVE)


def test_a_sum_of_known_sizes_is_a_layer_of_keras():
    for shape, kind in (((8, 8, 4), keras.layers.Add), ((None, 8, 4), layers.Add)):
        with weightless():
            model = keras.Model(x := keras.Input(shape), basic_residual(x, 4, name="block"))
        assert type(model.get_layer("block.add")) is kind


def test_unequal_maps_of_unknown_size_are_not_joined_when_they_run():
    """Here the backend itself refuses, each with an error of its own."""
    x = keras.Input((None, None, 4))
    model = keras.Model(x, concat([x, conv(x, 4, padding="valid")]))
    with pytest.raises(Exception, match=r"[Cc]oncat"):
        model(FIVE)


def test_merge_residual_says_what_differs():
    x, branch = shaped((8, 8, 4), (4, 4, 8))
    with pytest.raises(ValueError, match=r"shortcut must be .*\(None, 4, 4, 8\), got \(None, 8, 8, 4\)"):
        merge_residual(x, branch, strides=1, shortcut=identity_shortcut, conv=conv)


def test_errors_inside_nested_blocks_name_the_path():
    @blocks.block
    def halved(x, filters):
        return basic_residual(x, filters // 2, name="body")

    message, _ = refused(partial(halved, filters=1, name="net"))
    assert message == "basic_residual 'net.body': filters must be a positive integer, got 0"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: conv_bn(x, 0, name="a"), "conv_bn 'a': filters must be a positive integer, got 0"),
        (lambda x: dilated(x, 0, name="a"), "dilated 'a': filters must be a positive integer, got 0"),
        (lambda x: dilated(x, 8, name="a/b"), "dilated: name must be words"),
        (
            lambda x: dilated(x, 8, rate=3, name="a"),
            "dilated 'a': unexpected argument 'rate'; did you mean 'dilation_rate'?",
        ),
        (
            lambda x: dilated(x, 8, strides=2, name="a"),
            "dilated 'a': dilation_rate must be 1 where strides are above 1",
        ),
        (
            lambda x: basic_residual(x, 8, strides=0, name="a"),
            "basic_residual 'a': strides must be a positive integer, got 0",
        ),
        (
            lambda x: basic_residual(x, 8, strides=(0, 1), name="a"),
            "basic_residual 'a': strides[0] must be a positive integer, got 0",
        ),
        (lambda x: bottleneck(x, 8, activatoin="relu", name="a"), "bottleneck 'a': unexpected argument 'activatoin'"),
        (lambda x: basic_residual(x, 8, conv=partial(conv_bn, groups=0), name="a"), "conv_bn 'a.conv1': groups must"),
        # Of which tensor it is said stays plain.
        (lambda x: basic_residual(x, 8, groups=3, name="a"), "conv_bn 'a.conv1': groups must be a divisor of the 4"),
    ],
)
def test_what_is_only_passed_on_is_refused_by_who_was_given_it(call, message):
    assert refused(call)[0].startswith(message)


@pytest.mark.parametrize(
    "function, words",
    [
        (3, "a function of tensors, got 3"),
        (lambda: 3, "a function of tensors; this one has no argument, got"),
        (keras.layers.ReLU, "a function of tensors, got"),
        (partial(conv, filters=3), "a function of tensors with a name, as of a def, got functools.partial"),
    ],
)
def test_block_decorates_functions_of_tensors(function, words):
    with pytest.raises(TypeError) as caught:
        blocks.block(function)
    message = str(caught.value)
    assert message.startswith(f"block: function must be {words}") and "\n" not in message


def test_tensors_are_shown_by_their_shape():
    x = keras.Input((8, 8, 4))
    with pytest.raises(TypeError, match=r"^concat: xs must be .*, got \[tensor of shape \(None, 8, 8, 4\)\]$"):
        concat([x])


# Layers by themselves.


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: blocks.PadChannels(6, strides=False), "PadChannels: strides must be a positive integer, got False"),
        (lambda: blocks.PadChannels(0), "PadChannels: filters must be a positive integer, got 0"),
        (lambda: blocks.PadChannels(6, data_format="last"), "data_format must be"),
        (
            lambda: blocks.AdaptiveAveragePooling2D((1, 2, 3)),
            "AdaptiveAveragePooling2D: output_size must be 2 integers",
        ),
        (lambda: blocks.LocalResponseNormalization(alpha=float("nan")), "alpha must be a finite number, got nan"),
        (lambda: blocks.LocalResponseNormalization(depth=2.5), "depth must be a positive integer, got 2.5"),
        (
            lambda: blocks.DilatedMaxPooling2D(2, 0),
            "DilatedMaxPooling2D: dilation_rate must be a positive integer, got 0",
        ),
        (lambda: blocks.DilatedAveragePooling2D("2", 1), "DilatedAveragePooling2D: pool_size must be"),
        (lambda: blocks.SparseConv2D(2, 3, 5), "SparseConv2D: connections must be a list of channels for each filter"),
        (lambda: blocks.SparseConv2D(2, 3, [[0], [1.5]]), "connections[1][0] must be an integer, got 1.5"),
        (lambda: blocks.SparseConv2D(1, 3, [[0]], padding="smae"), "did you mean 'same'?"),
        (lambda: blocks.RadialBasisDense(2, codes=[[1, float("nan")], [1, 1]]), "RadialBasisDense: codes must be"),
        (lambda: blocks.StochasticDepth(1.0), "StochasticDepth: rate must be a number from 0 up to"),
        (lambda: blocks.StochasticDepth(0.5, seed="x"), "seed must be an integer, got 'x'"),
        (lambda: blocks.MatchSize(-1), "MatchSize: offset must be an integer of at least 0, got -1"),
        (lambda: layers.MinimumSize(0, 3), "MinimumSize: height must be a positive integer, got 0"),
        (lambda: blocks.Bilinear()((3, 1)), "Bilinear: shape must be a size for each axis, filters and channels"),
    ],
)
def test_layers_check_their_arguments(make, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("word", ["k", "alpha", "beta"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(word, value):
    message, kind = refused(partial(local_response_norm, **{word: value}))
    assert kind is ValueError and message == f"local_response_norm: {word} must be a finite number, got {value}"


# Numbers of NumPy are Python's when they are reckoned with.


def parameters(function, **options):
    with weightless():
        return keras.Model(x := keras.Input((8, 8, 4)), function(x, **options)).count_params()


@pytest.mark.parametrize(
    "function, options",
    [
        (blocks.dense_layer, {"growth_rate": 100, "bottleneck": 4}),
        (blocks.dense_block, {"layers": 2, "growth_rate": 100, "bottleneck": 4}),
        (blocks.inverted_residual, {"filters": 100, "expansion": 100}),
        (blocks.bottleneck, {"filters": 200, "reduction": 2}),
        (blocks.residual, {"convs": [(200, 3), (200, 1)]}),
        (blocks.depthwise_separable, {"filters": 200, "depth_multiplier": 100}),
        (blocks.depthwise, {"filters": 200}),
        (blocks.separable, {"filters": 200, "depth_multiplier": 100}),
        (blocks.squeeze_excite, {"ratio": 2}),
        (
            blocks.inception_asymmetric,
            {"c1": 200, "single": (200,) * 3, "double": (200,) * 5, "pool_proj": 200, "n": 7},
        ),
        (blocks.inception_reduction, {"single": (200,), "double": (200,) * 4, "n": 3}),
        (blocks.vgg_block, {"filters": 200, "convs": 2, "strides": 1, "dilation_rate": 2}),
        (blocks.xception_module, {"filters": (200, 200)}),
        (blocks.classifier, {"classes": 200, "units": (200,)}),
        (blocks.bilinear_up, {"factor": 200}),
        (lambda x, **o: blocks.decoder_block(max_pool(x), x, **o), {"filters": 200, "convs": 2}),
    ],
)
def test_small_integers_do_not_overflow(function, options):
    small = keras.tree.map_structure(np.uint8, options)
    assert parameters(function, **small) == parameters(function, **options)
