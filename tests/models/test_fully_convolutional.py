"""Dense heads turned into convolutions: the same outputs, at every place of a larger image too."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import alexnet, googlenet, lenet5, resnet18, vgg, vgg16
from layerblocks.blocks import weightless
from layerblocks.models import fully_convolutional

from ..helpers import data_format, dear, dtype_policy, images

NARROW = {"convs": (1, 1, 2, 1, 1), "filters": (4, 6, 8, 8, 8), "units": (12, 10), "classes": 5}


def shaken(model):
    """Random weights everywhere, biases too; norms in their range."""
    random = np.random.default_rng(0)
    model.set_weights(
        [random.normal(0, 0.3, w.shape) if "variance" not in w.path else w.numpy() for w in model.weights]
    )
    return model


def sequential(*head):
    return keras.Sequential([keras.Input((9, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), *head])


MODELS = {
    "vgg": lambda: vgg(input_shape=(64, 32, 3), **NARROW),
    "vgg of one pixel": lambda: vgg(input_shape=(32, 32, 3), **NARROW),
    "vgg of torchvision": lambda: vgg(input_shape=(64, 96, 3), dialect="torchvision", output_size=(2, 3), **NARROW),
    "vgg with norms": lambda: vgg(input_shape=(64, 64, 3), dialect="notes_bn", **NARROW),
    "vgg for CIFAR": lambda: vgg(dialect="notes_cifar", **NARROW),
    "alexnet": lambda: alexnet(input_shape=(99, 107, 3), units=(12, 10), classes=5),
    "alexnet of torchvision": lambda: alexnet(
        input_shape=(99, 99, 3), dialect="torchvision", units=(12,), dropout=0.5, output_size=2, classes=5
    ),
    "lenet": lambda: lenet5(dialect="modern"),
    "keras.applications": lambda: keras.applications.VGG16(weights=None, input_shape=(32, 32, 3), classes=4),
    "sequential": lambda: sequential(keras.layers.Dense(5), keras.layers.ReLU(), keras.layers.Dense(3, "softmax")),
    "softmax apart": lambda: sequential(keras.layers.Dropout(0.5), keras.layers.Dense(3), keras.layers.Softmax()),
    "softmax as activation": lambda: sequential(keras.layers.Dense(3), keras.layers.Activation("softmax")),
    "one dense layer on two maps": lambda: shared_dense(),
    "two outputs": lambda: two_outputs(),
}


def two_outputs():
    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3)(x)
    flat = keras.layers.Flatten()(y)
    pooled = keras.layers.GlobalAveragePooling2D()(y)
    outputs = {"flat": keras.layers.Dense(3)(flat), "pooled": keras.layers.Dense(2)(pooled)}
    return keras.Model(x, outputs)


def shared_dense():
    x = keras.Input((8, 8, 3))
    flatten, dense = keras.layers.Flatten(), keras.layers.Dense(3)
    maps = keras.layers.Conv2D(4, 3)(x), keras.layers.Conv2D(4, 3)(x)
    return keras.Model(x, [dense(flatten(y)) for y in maps])


def assert_same(a, b):
    keras.tree.map_structure(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6), a, b)


@pytest.mark.parametrize("name", MODELS)
def test_the_same_at_its_own_size(name):
    model = MODELS[name]() if name == "keras.applications" else shaken(MODELS[name]())
    x = images(2, *model.input_shape[1:])
    converted = fully_convolutional(model)
    assert_same(converted(x), model(x))
    assert converted.count_params() == model.count_params()
    assert converted.name == model.name
    assert converted.input_shape == (None, None, None, 3 if name != "lenet" else 1)
    kept = [layer.name for layer in model.layers if type(layer).__name__ not in ("Flatten", "AdaptiveAveragePooling2D")]
    made = [layer.name for layer in converted.layers]
    assert set(kept) <= set(made) and not any(isinstance(layer, keras.layers.Flatten) for layer in converted.layers)
    # and they are weights of its own
    before = keras.tree.map_structure(np.array, model(x))
    converted.set_weights([np.zeros(w.shape) for w in converted.weights])
    assert_same(model(x), before)


@functools.cache
def lenet_and_conversions():
    model = shaken(lenet5(dialect="modern"))
    return model, {pooling: fully_convolutional(model, pooling=pooling) for pooling in (None, "avg", "max")}


@dear
@given(st.integers(0, 20), st.integers(0, 20))
def test_a_larger_image_gives_what_every_crop_gives(rows, columns):
    """LeNet-5 has no padding, so that the map holds its output on each crop, four pixels apart."""
    model, converted = lenet_and_conversions()
    x = images(1, 32 + rows, 32 + columns, 1)
    made = np.array(converted[None](x))
    assert made.shape == (1, rows // 4 + 1, columns // 4 + 1, 10)
    for i, j in np.ndindex(made.shape[1:3]):
        crop = x[:, 4 * i : 4 * i + 32, 4 * j : 4 * j + 32]
        np.testing.assert_allclose(made[:, i, j], model(crop), rtol=1e-4, atol=1e-5)
    for pooling, pooled in (("avg", np.mean), ("max", np.max)):
        np.testing.assert_allclose(converted[pooling](x), pooled(made, axis=(1, 2)), rtol=1e-4, atol=1e-30)


def test_smaller_images_are_refused():
    converted = fully_convolutional(vgg(input_shape=(70, 40, 3), **NARROW))
    assert converted(images(1, 64, 32, 3)).shape == (1, 5)  # 64 pixels give as many as 70
    for size in ((63, 32), (64, 31)):
        with pytest.raises(ValueError, match="at least 64×32 pixels"):
            converted(images(1, *size, 3))


def test_an_adaptive_pooling_of_an_unknown_size():
    model = shaken(vgg(input_shape=(None, None, 3), output_size=2, **NARROW))
    converted = fully_convolutional(model)
    assert_same(converted(images(1, 64, 64, 3)), model(images(1, 64, 64, 3)))
    assert converted.get_layer("minimum_size").height == 64


def test_kernels_and_kinds():
    with weightless():
        converted = fully_convolutional(vgg16(), pooling=None)
    shapes = {
        name: converted.get_layer(f"classifier.{name}").kernel.shape for name in ("dense1", "dense2", "predictions")
    }
    assert shapes == {"dense1": (7, 7, 512, 4096), "dense2": (1, 1, 4096, 4096), "predictions": (1, 1, 4096, 1000)}
    assert converted.count_params() == 138_357_544
    assert converted.compute_output_shape((2, 224, 224, 3)) == (2, 1, 1, 1000)
    assert converted.compute_output_shape((2, 384, 512, 3)) == (2, 6, 10, 1000)
    rates = [layer.rate for layer in converted.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.5, 0.5]
    with weightless():
        assert fully_convolutional(vgg16()).output_shape == (None, 1000)


def test_weightless_allocates_nothing():
    with weightless():
        converted = fully_convolutional(vgg16())
    assert all(variable._value is None for variable in converted.weights)


def test_save_and_load(tmp_path):
    model = fully_convolutional(shaken(vgg(input_shape=(32, 32, 3), **NARROW)))
    model.save(tmp_path / "net.keras")
    x = images(1, 64, 70, 3)
    np.testing.assert_array_equal(model(x), keras.saving.load_model(tmp_path / "net.keras")(x))


def test_it_trains():
    model = fully_convolutional(vgg(input_shape=(32, 32, 3), **NARROW))
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(images(2, 40, 64, 3), np.array([0, 1]), verbose=0)


def test_channels_first():
    with data_format("channels_first"), weightless():
        converted = fully_convolutional(vgg16(), pooling=None)
        assert converted.compute_output_shape((1, 3, 256, 288)) == (1, 1000, 2, 3)
        assert converted.get_layer("classifier.predictions.activation").axis == 1
        assert fully_convolutional(vgg16()).output_shape == (None, 1000)


def test_mixed_precision():
    with dtype_policy("mixed_float16"):
        converted = fully_convolutional(vgg(input_shape=(32, 32, 3), **NARROW))
        assert converted.get_layer("classifier.dense1").compute_dtype == "float16"
        assert converted.output.dtype == "float32"


@pytest.mark.parametrize(
    "model, kind, words",
    [
        (lambda: resnet18(input_shape=(32, 32, 3)), ValueError, "ends in flatten and dense layers, got 'resnet18'"),
        (lambda: lenet5(), ValueError, "got .RadialBasisDense 'classifier.predictions'"),
        (
            lambda: sequential(keras.layers.Dense(4), keras.layers.BatchNormalization(name="norm")),
            ValueError,
            "dense layers, dropout and activations alone at its end, got .BatchNormalization 'norm'",
        ),
        (lambda: vgg(include_top=False, input_shape=(32, 32, 3), **NARROW), ValueError, "ends in flatten and dense"),
        (
            lambda: sequential(keras.layers.Identity(name="last")),
            ValueError,
            "ends in flatten and dense layers, got 'sequential",
        ),
        (lambda: keras.Sequential([keras.Input((7,)), keras.layers.Dense(3)]), ValueError, "a single input of rank 4"),
        (lambda: keras.Sequential([keras.layers.Dense(3)]), TypeError, "a functional or a built model"),
        (lambda: "vgg16", TypeError, "a functional or a built model, got 'str'"),
    ],
)
def test_bad_models(model, kind, words):
    with weightless(), pytest.raises(kind, match=f"fully_convolutional: model must be .*{words}") as caught:
        fully_convolutional(model())
    assert "\n" not in str(caught.value)


def test_bad_pooling():
    with (
        weightless(),
        pytest.raises(ValueError, match="fully_convolutional: pooling must be one of None, 'avg' or 'max', got 'sum'"),
    ):
        fully_convolutional(vgg16(), pooling="sum")


def test_heads_of_vectors_stay():
    """An auxiliary head behind a feature map is converted, the main one behind a global average stays dense."""
    with weightless():
        model = googlenet(classes=7)
        converted = fully_convolutional(model)
    assert converted.output_shape == model.output_shape
    assert isinstance(converted.get_layer("classifier.predictions"), keras.layers.Dense)
    assert isinstance(converted.get_layer("aux1.classifier.predictions"), keras.layers.Conv2D)
    assert converted.count_params() == model.count_params()
