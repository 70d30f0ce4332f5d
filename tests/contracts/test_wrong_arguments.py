"""A wrong argument never passes silently: every public call gives a tensor or a model, or says what is wrong with what.

Each argument of each public function gets values of every wrong kind. What comes is the kind of thing that the function
gives, or one line of ValueError or TypeError that names the argument; and nothing else.
"""

from __future__ import annotations

import inspect
from fractions import Fraction
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerblocks import architectures, blocks, models, training
from layerblocks.blocks import conv, projection_shortcut, weightless

from ..helpers import NOT_BLOCKS, dtype_policy

THREE, FIVE = (2, 2, 2), (2, 2, 2, 2, 2)
SHORTCUT = {"filters": 4, "strides": 2, "conv": conv}


def image(*shape):
    return lambda: keras.Input(shape or (9, 8, 4))


# What each block is called with, when nothing is wrong; functions make a tensor.
CALLS = {
    "conv": {"filters": 4},
    "conv_bn": {"filters": 4},
    "preact_conv": {"filters": 4},
    "separable": {"filters": 4},
    "dilated": {"filters": 4},
    "depthwise": {},
    "depthwise_separable": {"filters": 4},
    "sparse": {"filters": 2, "connections": [[0, 1], [2]]},
    "transposed": {"filters": 4},
    "norm_activation": {},
    "activate": {"activation": "relu"},
    "adaptive_avg_pool": {"output_size": 2},
    "avg_pool": {},
    "max_pool": {},
    "batch_norm": {},
    "fused_batch_norm": {},
    "group_norm": {"groups": 2},
    "layer_norm": {},
    "local_response_norm": {},
    "crop": {"cropping": 1},
    "zero_pad": {"padding": 1},
    "dense": {"x": image(4), "units": 3},
    "radial_basis": {"x": image(4), "units": 3},
    "dropout": {"rate": 0.5},
    "stochastic_depth": {"rate": 0.5},
    "flatten": {},
    "global_avg_pool": {},
    "global_max_pool": {},
    "vgg_block": {"filters": 4},
    "subsample": {},
    "residual": {"convs": [(4, 3), (4, 1)]},
    "basic_residual": {"filters": 4},
    "bottleneck": {"filters": 4},
    "inverted_residual": {"filters": 4},
    "xception_module": {"filters": (4, 4)},
    "branches": {"branches": [[(2, 1)], [(2, 1), (3, 3)]]},
    "inception_residual": {"branches": [[(2, 1)], [(2, 1), (3, 3)]]},
    "convnext_block": {},
    "layer_scale": {},
    "instance_norm": {},
    "rms_norm": {},
    "global_response_norm": {},
    "tokens": {},
    "to_map": {"x": image(6, 4), "sides": (2, 3)},
    "class_token": {"x": image(6, 4)},
    "position_embedding": {},
    "patch_embedding": {"filters": 4, "patch_size": 2},
    "patch_merging": {"x": image(6, 8, 4), "filters": 4},
    "first_token": {"x": image(6, 4)},
    "self_attention": {"heads": 2},
    "mlp": {"units": 4},
    "transformer_block": {"heads": 2},
    "mixer_block": {"token_units": 3, "channel_units": 3},
    "aspp": {"filters": 4},
    "pyramid_pooling": {},
    "feature_pyramid": {"xs": lambda: [image()(), image(5, 4, 2)()], "filters": 4},
    "avg_pool_shortcut": SHORTCUT,
    "rescale": {"factor": 0.5},
    "gate": {"weights": image(9, 8, 1)},
    "eca": {},
    "cbam": {},
    "split_attention": {"filters": 4},
    "hierarchical_conv": {"filters": 4},
    "ghost_conv": {"filters": 4},
    "parallel_conv": {"filters": 4},
    "attention_gate": {"signal": image(5, 4, 3)},
    "resize": {},
    "resize_like": {"like": image(3, 5, 2)},
    "resize_conv": {"filters": 4},
    "subpixel_conv": {"filters": 4},
    "pixel_shuffle": {},
    "pixel_unshuffle": {"factor": (3, 2)},
    "blur_pool": {},
    "unpool": {"before": image(17, 16, 4)},
    "split": {},
    "channel_shuffle": {},
    "inception": {"c1": 2, "c3": (2, 2), "c5": (2, 2), "pool_proj": 2},
    "inception_stacked": {"c1": 2, "single": (2, 2), "double": THREE, "pool_proj": 2},
    "inception_asymmetric": {"c1": 2, "single": THREE, "double": FIVE, "pool_proj": 2},
    "inception_expanded": {"c1": 2, "single": (2, 2), "double": THREE, "pool_proj": 2},
    "inception_reduction": {"single": (2,), "double": THREE},
    "squeeze_excite": {},
    "dense_layer": {"growth_rate": 2},
    "dense_block": {"layers": 2},
    "transition": {"filters": 4},
    "bilinear_up": {},
    "fuse_scores": {"skip": image()},
    "decoder_block": {"skip": image(), "filters": 4},
    "match_size": {"like": image()},
    "scale": {"weights": image(1, 1, 4)},
    "concat": {"xs": lambda: [image()(), image()()]},
    "add": {"xs": lambda: [image()(), image()()]},
    "classifier": {"classes": 3},
    "aux_classifier": {"classes": 3},
    "pixel_predictions": {},
    "chain": {"layers": {"a": {"filters": 4}}},
    "identity_shortcut": {**SHORTCUT, "strides": 1},
    "projection_shortcut": SHORTCUT,
    "pad_shortcut": SHORTCUT,
    "channel_projection_shortcut": SHORTCUT,
    "merge_residual": {"branch": image(), "strides": 1, "shortcut": projection_shortcut, "conv": conv},
}
LISTS = {"split", "feature_pyramid"}
"""Blocks that give a list of tensors."""

OPTIONS = ["kernel_initializer", "kernel_regularizer", "use_bias", "dtype", "nonsense"]
"""Beyond their own arguments, of those that take `**options`."""


class Thing:
    """Nothing that a network is made of."""

    def __repr__(self):
        return "Thing()"


WRONG = [
    *(None, True, False, 0, -1, 2, 12, 1.5, float("nan"), float("inf"), 1j, Fraction(1, 2)),
    *("", "x", "same", b"x", (), (1,), (0, 1), (1, 2, 3), ("a", "b"), [], [1, 2], {}, {"a": 1}, range(2)),
    *(np.array([1, 2]), np.float32(1.5), np.int64(2), Thing(), Thing, len, keras.layers.ReLU, keras.layers.ReLU()),
    lambda *args, **kwargs: None,
]
wrong = st.sampled_from(WRONG) | st.integers(-3, 9) | st.text(max_size=3) | st.floats()


def words_of(function):
    parameters = inspect.signature(function).parameters.values()
    words = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    takes_more = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return words + [word for word in OPTIONS if takes_more and word not in words]


def outcome(call, word, value, kind):
    """What came of a call: nothing to say if it was right, else the message, one line that names the argument."""
    try:
        with weightless():
            made = call()
    except (TypeError, ValueError) as error:
        message = str(error)
        assert "\n" not in message, message
        # A function that is one, but gives nothing sensible, is found out by who gets what it gave.
        by_another = callable(value) and ("None" in message or "must be" in message)
        assert word in message or INSIDE.get(word, word) in message or by_another, message
        assert (
            " must be " in message
            or "argument" in message
            or "gives None" in message
            or "Keras" in message
            or (word == "trainable")
        ), message
        return message
    assert isinstance(made, kind), made
    return None


def test_every_public_block_is_here():
    functions = {name for name in blocks.__all__ if not inspect.isclass(getattr(blocks, name))}
    assert functions - NOT_BLOCKS == CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_blocks(name):
    function = getattr(blocks, name)
    first = next(iter(inspect.signature(function).parameters))

    def call(**given):
        arguments = {first: image(), **CALLS[name], **given}
        made = {
            w: a() if w not in given and inspect.isfunction(a) and a not in FUNCTIONS else a
            for w, a in arguments.items()
        }
        return function(made.pop(first), **made)

    kind = list if name in LISTS else keras.KerasTensor
    with weightless():
        assert isinstance(call(), kind)

    @given(st.sampled_from(words_of(function)), wrong)
    @settings(max_examples=max(30, settings().max_examples))
    def test(word, value):
        outcome(partial(call, **{word: value}), word, value, kind)

    test()


FUNCTIONS = (conv, projection_shortcut)

NETWORKS = ["lenet5", "alexnet", "vgg11", "resnet18", "cifar_resnet20", "mobilenet", "fcn32s", "unet"]
# Of what goes further in as it is, the message speaks by the name that it has there.
INSIDE = {
    "repeats": "strides",
    "growth_rate": "filters",
    "stem_filters": "filters",
    "input_shape": "x must be",
    "strides": "shortcut",
}


@given(st.sampled_from(NETWORKS), st.data())
@settings(max_examples=max(40, settings().max_examples))
def test_architectures(name, data):
    constructor = getattr(architectures, name)
    word = data.draw(st.sampled_from([*words_of(constructor), "nonsense"]), label="argument")
    value = data.draw(wrong, label="value")
    outcome(lambda: constructor(**{word: value}), word, value, keras.Model)


with weightless():
    MODEL = architectures.cifar_resnet20()
LAYER = "stage1.block1.conv1.conv"
ON_MODELS = {
    "tensor_at": {"at": LAYER},
    "insert": {"after": LAYER, "fn": partial(blocks.dropout, rate=0.5)},
    "replace": {"name": "stage1.block1.conv1", "fn": partial(conv, filters=16)},
    "remove": {"name": "classifier"},
    "truncate": {"at": LAYER},
    "with_new_head": {"head": 7},
    "features": {"strides": (2,)},
    "loss_weights": {},
    "compile_args": {},
    "inference_model": {},
}


@given(st.sampled_from(sorted(ON_MODELS)), st.data())
@settings(max_examples=max(40, settings().max_examples))
def test_what_is_done_to_a_model(name, data):
    function = getattr(models if name in models.__all__ else training, name)
    parameters = inspect.signature(function).parameters.values()
    words = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    word = data.draw(st.sampled_from(words), label="argument")
    others = st.sampled_from([keras.Sequential([keras.layers.Dense(3)]), MODEL, keras.metrics.Accuracy, "stage1"])
    value = data.draw(wrong | others, label="value")
    arguments = {"model": MODEL, **ON_MODELS[name], word: value}
    try:
        with weightless():
            made = function(**arguments)
    except (TypeError, ValueError) as error:
        message = str(error)
        assert word in message or callable(value), message
        return
    assert made is not None or name == "loss_weights"


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: architectures.vgg16(convs=3), "vgg16: convs must be a sequence"),
        (lambda: architectures.unet(filters=0), "unet: filters must be a sequence"),
        (lambda: architectures.resnet18(conv=len), "resnet18: conv must be a function"),
        (
            lambda: architectures.resnet18(input_tensor=keras.Input((32, 32, 3)), input_shape=(64, 64, 3)),
            "resnet18: input_shape must be None, or (32, 32, 3), the shape of input_tensor, got (64, 64, 3)",
        ),
        (lambda: architectures.densenet121(layers=(6, 12)), "densenet121: layers must be 4 integers"),
        (
            lambda: training.compile_args(MODEL, metrics=[lambda a, b, c: 0]),
            "compile_args: metrics[0] must be a Keras name, a metric",
        ),
        (lambda: training.compile_args(MODEL, metrics=[3]), "compile_args: metrics[0] must be"),
        (lambda: training.loss_weights(3), "loss_weights: model must be a Keras model, got 3"),
        (lambda: training.compile_args(keras.Sequential([keras.layers.Dense(1)])), "compile_args: model must be"),
    ],
)
def test_what_the_fuzz_found(call, words):
    with weightless(), pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert words in str(caught.value)


def test_the_shape_of_the_input_tensor_may_be_said_twice():
    with weightless():
        x = keras.Input((32, 32, 3))
        assert architectures.resnet18(input_tensor=x, input_shape=(32, 32, 3)).count_params() > 0


def test_metrics_of_labels_and_predictions():
    def closeness(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_pred))

    given = training.compile_args(MODEL, metrics=[closeness, "accuracy", keras.metrics.SparseCategoricalAccuracy])
    assert given["metrics"][0] is closeness and isinstance(given["metrics"][2], keras.Metric)


def test_a_block_without_a_return():
    """The commonest slip of all, said where it happens."""

    @blocks.block
    def tower(x):
        blocks.conv(x, 4)

    with weightless(), pytest.raises(TypeError, match=r"tower 'tower.*': gives None instead of a tensor"):
        tower(keras.Input((8, 8, 3)))


def test_names_given_are_kept_free():
    """`conv_1` by name beside two that have none, at the top level."""
    keras.backend.clear_session()
    with weightless():
        x = keras.Input((8, 8, 3))
        y = conv(x, 4, name="conv_1")
        model = keras.Model(x, conv(conv(conv(y, 4), 4), 4))
    assert [layer.name for layer in model.layers[1:]] == ["conv_1.conv", "conv.conv", "conv_2.conv", "conv_3.conv"]


def test_heads_are_no_coarser_than_the_rest():
    for policy, dtype in (("float64", "float64"), ("mixed_float16", "float32"), ("bfloat16", "float32")):
        with dtype_policy(policy), weightless():
            x = keras.Input((8, 8, 3))
            assert blocks.classifier(x, 2).dtype == dtype
            assert blocks.pixel_predictions(x).dtype == dtype


def test_infinity_stays_in_its_window():
    x = np.ones((1, 4, 4, 1), "float32")
    x[0, 0, 0, 0] = np.inf
    y = np.asarray(blocks.AdaptiveAveragePooling2D((2, 2))(x)).reshape(2, 2)
    assert y.tolist() == [[np.inf, 1.0], [1.0, 1.0]]
