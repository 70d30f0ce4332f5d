"""`FusedBatchNormalization` against Keras's own, and `training_model` against the model it was made of."""

from __future__ import annotations

import importlib

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import layers

from layerblocks.architectures import build, resnet18
from layerblocks.blocks import FusedBatchNormalization, conv_bn, fused_batch_norm, weightless
from layerblocks.models import folding, inference_model, training_model
from layerblocks.testing import networks
from layerblocks.training import compile_args

from ..agreement import differ, images, randomize, run, runs_on_a_cpu
from ..helpers import data_format, dtype_policy, needs_half

here = importlib.import_module("layerblocks.blocks.layers")


@pytest.fixture(autouse=True, scope="module")
def kernel():
    """The one kernel normalizes small images, too, which these are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(here, "LEAST_FOR_KERNEL", 1)
        yield


def compiled(model, **options):
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy", **options)
    return model


def trained(model, x, labels, steps=3, **options):
    compiled(model, **options)
    return [float(model.train_on_batch(x, labels)) for _ in range(steps)]


def pair(shape, **options):
    """Keras's layer and ours, each as a model of its own with the same weights."""
    made = []
    for kind in (layers.BatchNormalization, FusedBatchNormalization):
        x = keras.Input(shape)
        y = kind(momentum=0.7, name="norm", **options)(x)
        made.append(keras.Model(x, layers.Dense(3, activation="softmax")(layers.Flatten()(y))))
    made[1].set_weights(randomize(made[0]).get_weights())
    return made


def same_weights(a, b, within):
    for one, other in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=within, atol=within)


@pytest.mark.sweep
@settings(max_examples=25)
@given(
    batch=st.integers(1, 4),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    channels=st.integers(1, 4),
    scale=st.booleans(),
    center=st.booleans(),
    epsilon=st.sampled_from([1e-5, 1e-3]),
    seed=st.integers(0, 99),
)
def test_trains_as_kerass_own(batch, height, width, channels, scale, center, epsilon, seed):
    """Weights, gradients and moving statistics, of one pixel too, whose variance is 0."""
    theirs, ours = pair((height, width, channels), scale=scale, center=center, epsilon=epsilon)
    x = 3 + 2 * images(batch, height, width, channels, seed=seed)
    labels = np.arange(batch) % 3
    losses = [trained(model, x, labels, jit_compile=False, run_eagerly=True) for model in (theirs, ours)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    same_weights(ours, theirs, 1e-4)
    np.testing.assert_allclose(run(ours, x), run(theirs, x), rtol=1e-4)


@pytest.mark.sweep_but("float32-False", "float64-False", "mixed_bfloat16-False")
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    "policy",
    ["float32", *(pytest.param(half, marks=needs_half) for half in ("mixed_float16", "mixed_bfloat16")), "float64"],
)
def test_trains_under_every_policy_and_xla(policy, jit_compile):
    with dtype_policy(policy):
        theirs, ours = pair((6, 5, 4))
        x = 3 + 2 * images(8, 6, 5, 4)
        losses = [trained(model, x, np.arange(8) % 3, jit_compile=jit_compile) for model in (theirs, ours)]
    within = {"float32": 1e-5, "float64": 1e-9, "mixed_float16": 5e-3, "mixed_bfloat16": 3e-2}[policy]
    np.testing.assert_allclose(*losses, rtol=within)
    same_weights(ours, theirs, within)


def stack(**options):
    """Every kind of linear layer with a norm right behind it, its bias random."""
    x = y = keras.Input((12, 12, 4))
    for linear in (
        layers.Conv2D(6, 3, **options),
        layers.DepthwiseConv2D(3, **options),
        layers.SeparableConv2D(6, 3, **options),
        layers.Conv2DTranspose(4, 3, strides=2, **options),
    ):
        y = layers.ReLU()(layers.BatchNormalization(momentum=0.7)(linear(y)))
    y = layers.Dense(5, **options)(layers.GlobalAveragePooling2D()(y))
    y = layers.BatchNormalization(momentum=0.7)(y)
    return randomize(keras.Model(x, layers.Dense(3, activation="softmax", name="head")(y)))


def biases(model):
    return [layer.name for layer in model.layers if getattr(layer, "use_bias", False)]


@pytest.mark.parametrize("policy", ["float64", "float32"])
def test_biases_that_a_norm_takes_out_are_gone_and_missed_by_nobody(policy):
    with dtype_policy(policy):
        model = stack()
        quick = training_model(model)
    assert biases(quick) == ["head"]
    assert [layer.name for layer in quick.layers] == [layer.name for layer in model.layers]
    within = 1e-8 if policy == "float64" and keras.backend.backend() != "jax" else 1e-4  # JAX computes it in float32
    x = images(8, 12, 12, 4).astype(policy)
    np.testing.assert_allclose(run(quick, x), run(model, x), rtol=within)
    losses = [trained(each, x, np.arange(8) % 3, steps=5) for each in (model, quick)]
    np.testing.assert_allclose(*losses, rtol=within)
    np.testing.assert_allclose(run(quick, x), run(model, x), rtol=within)


@pytest.mark.sweep_but("activation")
@pytest.mark.parametrize("what", ["bias_regularizer", "activity_regularizer", "activation"])
def test_a_bias_that_means_something_else_as_well_stays(what):
    model = stack(**{what: "relu" if what == "activation" else "l2"})
    quick = training_model(model)
    assert biases(quick) == biases(model)
    x = images(8, 12, 12, 4)
    losses = [trained(each, x, np.arange(8) % 3) for each in (model, quick)]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def between(change):
    x = keras.Input((6, 6, 2))
    y = layers.Conv2D(4, 3, name="conv")(x)
    return keras.Model(x, change(y))


def norm(x, **options):
    return layers.BatchNormalization(**options)(x)


@pytest.mark.parametrize(
    "change",
    [
        lambda y: norm(layers.Dropout(0.5)(y)),
        lambda y: norm(y, trainable=False),
        lambda y: layers.BatchNormalization()(y, training=False),
        lambda y: layers.Add()([norm(y), y]),
        lambda y: norm(y, axis=1),
    ],
    ids=["dropout", "frozen", "in use", "used twice", "another axis"],
)
def test_a_bias_whose_mean_is_not_that_of_the_norm_stays(change):
    assert biases(training_model(between(change))) == ["conv"]


@pytest.mark.sweep_but("resnet18")
@pytest.mark.parametrize("name", ["resnet18", "cifar_densenet40"])
def test_networks_train_as_before(name):
    model = randomize(build(name, input_shape=(32, 32, 3), classes=3))
    quick = training_model(model)
    kinds = {type(layer) for layer in quick.layers}
    assert FusedBatchNormalization in kinds and layers.BatchNormalization not in kinds
    x = images(4, 32, 32, 3)
    losses = []
    for each in (model, quick):
        each.compile(**compile_args(each, keras.optimizers.SGD(1e-3), metrics=()))
        losses.append([each.train_on_batch(x, np.arange(4) % 3) for _ in range(2)])
    np.testing.assert_allclose(*losses, rtol=1e-3)


@settings(max_examples=10)
@given(networks(shape=(9, 8, 3), max_calls=10), st.integers(0, 99))
def test_random_networks_do_as_before(net, seed):
    with dtype_policy("float64"):
        model = randomize(net.model(weights=True), seed)
        assume(runs_on_a_cpu(model))
        quick = training_model(model)
    x = images(2, 9, 8, 3, seed=seed).astype("float64")
    differences = keras.tree.map_structure(differ, run(quick, x), run(model, x))
    assert max(keras.tree.flatten(differences)) < 1e-6  # heads are in float32


def test_inference_folds_what_was_trained():
    quick = training_model(randomize(resnet18(input_shape=(32, 32, 3), classes=3)))
    assert len(folding(quick).folded) == 20
    x = images(2, 32, 32, 3)
    assert differ(run(inference_model(quick), x), run(quick, x)) < 1e-4


def test_a_model_of_keras_applications_without_weights():
    with weightless():
        model = keras.applications.ResNet50(weights=None)
        quick = training_model(model)
    assert model.count_params() - quick.count_params() == 26_560
    assert biases(quick) == ["predictions"]


def test_parts_that_are_shared_stay_so():
    x = keras.Input((8, 8, 2))
    shared = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()]
    )
    stem = layers.Conv2D(3, 3)
    y = layers.Add()([shared(stem(x)), shared(layers.ReLU()(stem(x)))])
    model = randomize(keras.Model(x, y))
    quick = training_model(model)
    assert len(quick.weights) == len(model.weights) - 1
    np.testing.assert_allclose(run(quick, images(2, 8, 8, 2)), run(model, images(2, 8, 8, 2)), rtol=1e-4, atol=1e-5)


def test_saved_and_loaded(tmp_path):
    x = keras.Input((8, 8, 3))
    model = randomize(keras.Model(x, conv_bn(x, 4, norm=fused_batch_norm)))
    model.save(path := tmp_path / "net.keras")
    loaded = keras.models.load_model(path)
    assert any(isinstance(layer, FusedBatchNormalization) for layer in loaded.layers)
    np.testing.assert_array_equal(run(loaded, images(2, 8, 8, 3)), run(model, images(2, 8, 8, 3)))


def test_channels_first_computes_as_keras_does():
    with data_format("channels_first"):
        x = keras.Input((3, 8, 8))
        y = fused_batch_norm(x)
        model = keras.Model(x, y)
    values = images(4, 3, 8, 8)
    expected = (values - values.mean((0, 2, 3), keepdims=True)) / np.sqrt(values.var((0, 2, 3), keepdims=True) + 1e-3)
    np.testing.assert_allclose(model(values, training=True), expected, rtol=1e-4, atol=1e-5)


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize("model", [None, "resnet50", Subclassed()])
def test_what_has_no_graph_is_refused(model):
    with pytest.raises((TypeError, ValueError), match="training_model: model must be"):
        training_model(model)
