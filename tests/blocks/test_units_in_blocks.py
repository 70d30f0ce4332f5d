"""What is given to a unit reaches every convolution of every block, and blocks keep their units' character."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest

from layerblocks.blocks import (
    activate,
    add,
    aux_classifier,
    avg_pool,
    basic_residual,
    batch_norm,
    block,
    bottleneck,
    classifier,
    concat,
    conv,
    conv_bn,
    dilated,
    group_norm,
    inception,
    layer_norm,
    local_response_norm,
    max_pool,
    separable,
    transposed,
    vgg_block,
)
from layerblocks.testing import oracles

from .. import naive
from ..helpers import UNITS, build, data_format, dtype_policy, images, real

BLOCKS = {
    "vgg_block": (partial(vgg_block, filters=4), 2),
    "inception": (partial(inception, c1=4, c3=(4, 4), c5=(4, 4), pool_proj=4), 6),
    "basic_residual": (partial(basic_residual, filters=8), 3),
    "bottleneck": (partial(bottleneck, filters=8), 4),
    "aux_classifier": (partial(aux_classifier, classes=3, filters=4, units=5), 1),
}
"""Each block, and its convolutions on an image of four channels."""

DENSE = {"aux_classifier": 2}
"""Dense layers, of which each has a kernel."""

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.SeparableConv2D, keras.layers.Conv2DTranspose)
KINDS = {conv: 1, conv_bn: 1, separable: 2, dilated: 1, transposed: 1}
"""Units, and their kernels."""


def convolutions(model):
    return [layer for layer in model.layers if isinstance(layer, CONVOLUTIONS)]


def kernels(model):
    return [weight for weight in model.weights if "kernel" in weight.name]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("unit", sorted(UNITS.keys() - {"valid", "padded", "dilated valid"}))
def test_every_unit_runs_in_every_block(block, unit):
    """The symbolic shape is the one that comes out."""
    make, _ = BLOCKS[block]
    model = real(make, (9, 8, 4), conv=UNITS[unit][0])
    out = model(images(2, 9, 8, 4))
    assert tuple(out.shape) == (2, *model.output_shape[1:])
    assert np.isfinite(out).all()


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("unit", KINDS)
def test_options_reach_every_convolution(block, unit):
    make, count = BLOCKS[block]
    options = {
        "kernel_initializer": "ones",
        "kernel_regularizer": keras.regularizers.L2(0.5),
        "kernel_constraint": "max_norm",
        "dtype": "float32",
    }
    x = keras.Input((8, 8, 4))
    model = keras.Model(x, make(x, conv=partial(unit, **options)))
    assert len(convolutions(model)) == count
    assert len(kernels(model)) == count * KINDS[unit] + DENSE.get(block, 0)
    assert all((kernel.numpy() == 1).all() for kernel in kernels(model))
    expected = [0.5 * np.prod(kernel.shape) for kernel in kernels(model)]
    np.testing.assert_allclose(sorted(map(float, model.losses)), sorted(expected))
    assert all(isinstance(kernel.constraint, keras.constraints.MaxNorm) for kernel in kernels(model))


def test_depthwise_and_pointwise_alone():
    x = keras.Input((8, 8, 4))
    unit = partial(separable, kernel_initializer="ones", pointwise_initializer="zeros", depthwise_regularizer="l2")
    layer = convolutions(keras.Model(x, unit(x, 4)))[0]
    assert layer.depthwise_kernel.numpy().all() and not layer.pointwise_kernel.numpy().any()
    assert len(layer.losses) == 1


@pytest.mark.parametrize("make", [keras.initializers.HeNormal, keras.initializers.GlorotUniform])
@pytest.mark.parametrize("unit", [conv, separable])
def test_one_initializer_does_not_make_twins(make, unit):
    """Keras's initialisers give the same numbers each time they are asked for the same shape."""
    x = keras.Input((8, 8, 4))
    model = keras.Model(x, vgg_block(x, 4, 3, conv=partial(unit, kernel_initializer=make())))
    values = [layer.weights[0].numpy() for layer in convolutions(model)]
    assert not np.allclose(values[0], values[1]) and not np.allclose(values[1], values[2])


def test_a_seed_makes_the_same_network_twice():
    def weights():
        x = keras.Input((8, 8, 4))
        unit = partial(conv, kernel_initializer=keras.initializers.HeNormal(seed=3))
        return keras.Model(x, vgg_block(x, 4, conv=unit)).get_weights()

    assert all((a == b).all() for a, b in zip(weights(), weights(), strict=True))


# Bias and activation.


@pytest.mark.parametrize("unit", [conv, separable, dilated, transposed])
@pytest.mark.parametrize("norm", [batch_norm, partial(group_norm, groups=2), layer_norm, local_response_norm])
def test_bias_exactly_where_there_is_no_norm(unit, norm):
    def bias(**options):
        return convolutions(build(unit, (8, 8, 4), 4, **options))[0].use_bias

    assert (bias(), bias(norm=norm)) == (True, False)
    assert (bias(use_bias=False), bias(norm=norm, use_bias=True)) == (False, True)


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", None])
@pytest.mark.parametrize("unit", [conv, conv_bn, separable])
@pytest.mark.parametrize("make", [partial(basic_residual, filters=8), partial(bottleneck, filters=8)])
def test_the_activation_of_the_unit_follows_the_sum(make, unit, activation):
    model = real(make, (6, 6, 4), conv=partial(unit, activation=activation), name="r")
    add_layer = model.get_layer("r.add")
    total = keras.Model(model.input, add_layer.output)
    x = images(2, 6, 6, 4)
    expected = keras.activations.get(activation)(total(x))
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-4)
    branch, side = (keras.Model(model.input, operand)(x) for operand in add_layer.input)
    np.testing.assert_allclose(total(x), branch + side, rtol=1e-4, atol=1e-4)
    assert np.min(branch) < 0 and np.min(side) < 0, "neither side is activated before the sum"


def test_a_block_as_activation():
    @block
    def learned(x):
        return keras.layers.PReLU(shared_axes=[1, 2])(x)

    model = build(basic_residual, (8, 8, 4), 4, conv=partial(conv_bn, activation=learned), name="r")
    found = [layer.name for layer in model.layers if isinstance(layer, keras.layers.PReLU)]
    assert found == ["r.conv1.activation.p_re_lu", "r.activation.p_re_lu"]


def test_a_layer_as_activation_is_saved_and_loaded(tmp_path):
    unit = partial(conv_bn, activation=keras.layers.LeakyReLU(negative_slope=0.3))
    model = real(vgg_block, (8, 8, 4), 4, conv=unit)
    model.save(tmp_path / "model.keras")
    x = images(1, 8, 8, 4)
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(x), model(x), rtol=1e-5)


def test_a_layer_with_weights_as_activation_is_another_for_every_convolution(tmp_path):
    unit = partial(conv, activation=keras.layers.PReLU(shared_axes=[1, 2]))
    model = real(vgg_block, (8, 8, 4), 4, conv=unit)
    assert model.count_params() == oracles.vgg_block((8, 8, 4), 4).parameters + 2 * 4
    model.save(tmp_path / "model.keras")
    x = images(1, 8, 8, 4)
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(x), model(x), rtol=1e-5)


# Whole blocks by numbers.


def test_aux_classifier_by_numbers():
    model = real(aux_classifier, (8, 11, 3), 4, filters=5, units=6)
    kernel, bias, hidden, hidden_bias, out, out_bias = model.get_weights()
    x = images(2, 8, 11, 3) / 10
    y = naive.relu(naive.conv(naive.avg_pool(x, 5, 3, "valid"), kernel, bias))
    assert y.shape == (2, 2, 3, 5)
    y = naive.relu(y.reshape(2, -1) @ hidden + hidden_bias) @ out + out_bias
    np.testing.assert_allclose(model(x), naive.softmax(y), rtol=1e-3, atol=1e-5)


def test_aux_classifier_of_any_size_by_numbers():
    model = real(aux_classifier, (None, None, 3), 4, filters=5, units=6, output_size=2, activation=None)
    kernel, bias, hidden, hidden_bias, out, out_bias = model.get_weights()
    for size in ((1, 1), (3, 7), (8, 8)):
        x = images(2, *size, 3)
        y = naive.relu(naive.conv(naive.adaptive_avg_pool(x, (2, 2)), kernel, bias))
        y = naive.relu(y.reshape(2, -1) @ hidden + hidden_bias) @ out + out_bias
        np.testing.assert_allclose(model.predict(x, verbose=0), y, rtol=1e-3, atol=1e-3)


def test_inception_by_numbers():
    model = real(inception, (5, 6, 3), 2, (2, 3), (2, 4), 5, name="i")
    x = images(2, 5, 6, 3)

    def branch(x, *names):
        for name in names:
            x = naive.relu(naive.conv(x, *(weight.numpy() for weight in model.get_layer(f"i.{name}.conv").weights)))
        return x

    branches = [
        branch(x, "1x1"),
        branch(x, "3x3_reduce", "3x3"),
        branch(x, "5x5_reduce", "5x5"),
        branch(naive.max_pool(x, 3, 1, "same"), "pool_proj"),
    ]
    np.testing.assert_allclose(model(x), np.concatenate(branches, axis=-1), rtol=1e-3, atol=1e-3)


def test_classifier_by_numbers():
    x = images(2, 3, 4, 5)
    for pooling, pooled in (
        ("avg", x.mean(axis=(1, 2))),
        ("max", x.max(axis=(1, 2))),
        ("flatten", x.reshape(2, -1)),
    ):
        model = real(classifier, (3, 4, 5), 3, pooling=pooling, units=(4,), dropout=0.5, activation="sigmoid")
        hidden, hidden_bias, out, out_bias = model.get_weights()[:4]
        y = naive.relu(pooled @ hidden + hidden_bias) @ out + out_bias
        np.testing.assert_allclose(model(x), 1 / (1 + np.exp(-y)), rtol=1e-3, atol=1e-5)


def test_dropout_of_the_classifier_lies_behind_each_hidden_layer_or_the_pool():
    def dropouts(**options):
        model = build(classifier, (4, 4, 3), 2, dropout=0.5, name="c", **options)
        return [layer.name for layer in model.layers if isinstance(layer, keras.layers.Dropout)]

    assert dropouts() == ["c.dropout"]
    assert dropouts(units=(4, 4)) == ["c.dropout1", "c.dropout2"]
    assert not [layer for layer in build(classifier, (4, 4, 3), 2).layers if isinstance(layer, keras.layers.Dropout)]


# Policies.


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "make", [partial(classifier, classes=3, units=(4,)), partial(aux_classifier, classes=3, filters=4, units=4)]
)
def test_heads_are_float32_in_mixed_precision(policy, make):
    with dtype_policy(policy):
        x = keras.Input((8, 8, 4))
        model = keras.Model(x, make(basic_residual(x, 4)))
        hidden = [layer for layer in model.layers if layer.name.endswith(("dense1", "conv1.conv"))]
        assert {layer.compute_dtype for layer in hidden} == {policy.removeprefix("mixed_")}
        assert model.output.dtype == "float32"
        assert model(images(1, 8, 8, 4)).dtype == "float32"
        assert {variable.dtype for variable in model.trainable_variables} == {"float32"}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_every_unit_and_pool_runs_in_mixed_precision(policy):
    with dtype_policy(policy):
        x = keras.Input((6, 6, 4))
        outputs = [unit(x, 4) for unit in KINDS]
        outputs += [max_pool(x), avg_pool(x), local_response_norm(x), activate(x, "gelu"), add([x, x]), concat([x, x])]
        outputs += [basic_residual(x, 8, strides=2)]
        results = keras.Model(x, outputs)(images(1, 6, 6, 4))
        assert {result.dtype.name for result in results} == {policy.removeprefix("mixed_")}


def test_channels_first_is_remembered_by_a_saved_model():
    with data_format("channels_first"):
        config = build(local_response_norm, (4, 6, 6)).get_config()
    restored = keras.Model.from_config(config)
    assert restored.layers[1].data_format == "channels_first"
    assert restored.output_shape == (None, 4, 6, 6)
