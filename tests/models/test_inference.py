"""Folding and casting: the same answer by fewer layers, and nothing touched that must not be."""

from __future__ import annotations

import os
from collections import Counter

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import layers

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.models import folding, inference_model
from layerblocks.testing import networks
from layerblocks.training import compile_args

from ..agreement import differ, images, randomize, run, runs_on_a_cpu
from ..helpers import data_format, dear, dtype_policy, each_network

# Of models in float64, whose heads are in float32; of JAX, which has no float64 unless its user asks, everything is.
ROUNDING = 1e-3 if keras.backend.backend() == "jax" else 1e-6

LINEAR = {
    "conv": lambda **o: layers.Conv2D(6, 3, **o),
    "dilated": lambda **o: layers.Conv2D(6, 3, dilation_rate=2, padding="same", **o),
    "grouped": lambda **o: layers.Conv2D(6, 3, strides=2, groups=2, **o),
    "depthwise": lambda **o: layers.DepthwiseConv2D(3, depth_multiplier=3, **o),
    "separable": lambda **o: layers.SeparableConv2D(6, 3, depth_multiplier=2, **o),
    "transposed": lambda **o: layers.Conv2DTranspose(6, 3, strides=2, **o),
    "dense": lambda **o: layers.Dense(6, **o),
}

EVERY = [name for name in each_network() if name != "cifar_resnet1202"]
# Some of each family in every run; the others, some minutes more, in the nightly profile.
QUICK = [
    *("vgg11_bn", "googlenet_bn", "resnet18", "resnet18_v2", "se_resnet50", "cifar_resnet20", "cifar_densenet_bc100"),
    *("mobilenet", "mobilenet_v2", "xception", "unet"),
]
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
KERAS = {
    "ResNet50": 64,
    "ResNet50V2": 64,
    "DenseNet121": 64,
    "InceptionV3": 75,
    "InceptionResNetV2": 75,
    "Xception": 71,
    "MobileNet": 64,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "EfficientNetB0": 64,
    "EfficientNetV2B0": 64,
    "NASNetMobile": 64,
}
QUICK_KERAS = ("MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0")


def norms(model):
    """Every batch normalization right behind a linear layer that feeds nothing else, as Keras's own config says."""
    config = model.get_config()
    kinds = {entry["name"]: entry["class_name"] for entry in config["layers"]}
    sources = {}
    for entry in config["layers"]:
        found = []

        def look(tensor, found=found):
            if isinstance(tensor, dict) and tensor.get("class_name") == "__keras_tensor__":
                found.append(tensor["config"]["keras_history"][0])
            elif isinstance(tensor, dict):
                for value in tensor.values():
                    look(value)
            elif isinstance(tensor, list | tuple):
                for value in tensor:
                    look(value)

        look(entry["inbound_nodes"])
        sources[entry["name"]] = found
    fed = Counter(source for found in sources.values() for source in found)
    kernels = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "Dense"}
    linear = {
        entry["name"]
        for entry in config["layers"]
        if entry["class_name"] in kernels and entry["config"]["activation"] == "linear"
    }
    return [
        name
        for name, kind in kinds.items()
        if kind == "BatchNormalization" and any(s in linear and fed[s] == 1 for s in sources[name])
    ]


def calibrated(model, x):
    """Statistics as training leaves them: those of the data, so that values keep their size through all layers."""
    found = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in found:
        layer.momentum = 0.0
    model(x, training=True)
    return model


def agree(model, folded, x, within=1e-5):
    assert differ(run(folded, x), run(model, x)) < within


@settings(max_examples=20)
@given(
    kind=st.sampled_from(sorted(LINEAR)),
    use_bias=st.booleans(),
    scale=st.booleans(),
    center=st.booleans(),
    epsilon=st.sampled_from([1e-5, 1e-3]),
    between=st.sampled_from([None, lambda: layers.Dropout(0.3), layers.Identity]),
    seed=st.integers(0, 99),
)
def test_every_kind_of_linear_layer(kind, use_bias, scale, center, epsilon, between, seed):
    x = keras.Input((9, 8, 4))
    y = LINEAR[kind](use_bias=use_bias, name="linear")(x)
    y = y if between is None else between()(y)
    y = layers.BatchNormalization(scale=scale, center=center, epsilon=epsilon, name="norm")(y)
    model = randomize(keras.Model(x, layers.ReLU()(y)), seed)
    assert folding(model).folded == {"norm": "linear"}
    folded = inference_model(model)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in folded.layers)
    agree(model, folded, images(2, 9, 8, 4, seed=seed))


def at(name):
    """A small size that the network takes."""
    sizes = {
        "alexnet": 67,
        "zfnet": 67,
        "googlenet": 65,
        "inception_v3": 299,
        "lenet5": 32,
        "fcn": 64,
        "xception": 96,
        "unet": 188,
    }
    return next((size for start, size in sizes.items() if name.startswith(start)), 64)


def small(name, **options):
    side = at(name)
    channels = 1 if name == "lenet5" else 3
    known = {"classifier_activation": None} if name not in ("lenet5",) and "fcn" not in name and name != "unet" else {}
    return build(name, input_shape=(side, side, channels), **known, **options), (2, side, side, channels)


def of_keras(name):
    side = KERAS[name]
    constructor = getattr(keras.applications, name)
    return constructor(weights=None, include_top=False, pooling="avg", input_shape=(side, side, 3))


@pytest.mark.sweep_but("alexnet", "fcn16s", "resnet18", "unet", "MobileNet")
@pytest.mark.parametrize("name", [*EVERY, *KERAS])
def test_what_stays_is_what_does_not_follow_a_linear_layer(name):
    with weightless():
        model = of_keras(name) if name in KERAS else build(name)
        folded = inference_model(model)
    assert norms(folded) == []
    assert set(folding(model).kept) == {
        layer.name for layer in folded.layers if isinstance(layer, layers.BatchNormalization)
    }


@pytest.mark.sweep_but("cifar_resnet20", "MobileNet", "mobilenet")
@pytest.mark.parametrize("name", [*EVERY, *KERAS] if NIGHTLY else [*QUICK, *QUICK_KERAS])
def test_networks_fold_to_the_same_answer(name):
    """In float64, where rounding hides nothing; random weights magnify it by much in the deepest."""
    with dtype_policy("float64"):
        if name in KERAS:
            model, shape = of_keras(name), (2, KERAS[name], KERAS[name], 3)
        else:
            model, shape = small(name)
        randomize(model)
        folded = inference_model(model)
    assert norms(folded) == []
    whole = inference_model(model, fold_norm=False)
    agree(whole, folded, images(*shape).astype("float64"), within=ROUNDING)
    assert folded.count_params() <= whole.count_params()


@pytest.mark.sweep_but("resnet18")
@pytest.mark.parametrize("name", ["resnet18", "cifar_densenet_bc100"])
def test_networks_fold_to_the_same_answer_in_float32(name):
    model, shape = small(name)
    x = images(16, *shape[1:])
    agree(calibrated(randomize(model), x), inference_model(model), x, within=1e-5)


def test_random_networks():
    folded = []

    # How many fold must not be a matter of luck, and the first examples are the simplest.
    @settings(dear, derandomize=True, database=None, max_examples=max(60, dear.max_examples))
    @given(networks(shape=(9, 8, 3), max_calls=12))
    def test(net):
        with dtype_policy("float64"):
            model = randomize(net.model(weights=True))
            assume(runs_on_a_cpu(model))
            network = inference_model(model)
        assert norms(network) == []
        folded.append(len(folding(model).folded))
        whole = inference_model(model, fold_norm=False)
        x = images(2, 9, 8, 3).astype("float64")
        assume(np.isfinite(np.concatenate([part.ravel() for part in keras.tree.flatten(run(whole, x))])).all())
        agree(whole, network, x, within=ROUNDING)

    test()
    assert sum(map(bool, folded)) > len(folded) / 8


def two_paths():
    x = keras.Input((8, 8, 4))
    y = layers.Conv2D(4, 3, padding="same", name="shared")(x)
    return x, y


def kept(outputs, x):
    model = randomize(keras.Model(x, outputs))
    told = folding(model)
    assert told.folded == {} and inference_model(model) is model
    return told.kept


def test_a_norm_whose_input_feeds_others_too():
    x, y = two_paths()
    out = layers.Add(name="sum")([y, layers.BatchNormalization(name="norm")(y)])
    assert kept(out, x) == {"norm": "the output of 'shared' (Conv2D) feeds others too: 'sum'"}


def test_a_norm_whose_input_is_an_output_of_the_model():
    x, y = two_paths()
    assert "is one of the model's" in kept([y, layers.BatchNormalization(name="norm")(y)], x)["norm"]


def test_a_layer_between():
    x, y = two_paths()
    out = layers.BatchNormalization(name="norm")(layers.ReLU(name="relu")(y))
    assert kept(out, x) == {"norm": "follows 'relu' (ReLU), which is not linear alone"}


def test_an_activation_in_the_layer():
    x = keras.Input((8, 8, 4))
    out = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, activation="relu", name="conv")(x))
    assert kept(out, x) == {"norm": "'conv' (Conv2D) has an activation of its own"}


def test_shared_layers():
    x = keras.Input((8, 8, 4))
    conv, norm = layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="norm")
    first, second = layers.BatchNormalization(name="a")(conv(x)), layers.BatchNormalization(name="b")(conv(-x))
    assert kept(layers.Add()([first, second]), x) == dict.fromkeys("ab", "'conv' (Conv2D) is shared by 2 calls")
    one, two = layers.Conv2D(4, 3)(x), layers.Conv2D(4, 3)(x)
    assert set(kept(layers.Add()([norm(one), norm(two)]), x).values()) == {"is shared by 2 calls"}


def test_other_axes_training_and_subclasses():
    class Mine(layers.BatchNormalization):
        pass

    x, y = two_paths()
    assert "axis 1" in kept(layers.BatchNormalization(axis=1, name="norm")(y), x)["norm"]
    x, y = two_paths()
    assert "training=True" in kept(layers.BatchNormalization(name="norm")(y, training=True), x)["norm"]
    x, y = two_paths()
    assert "Mine" in kept(Mine(name="norm")(y), x)["norm"]
    x = keras.Input((8, 8, 4))
    assert kept(layers.BatchNormalization(name="norm")(x), x) == {"norm": "follows an input"}


def test_nested_models_fold_inside_and_stay_shared():
    inner = keras.Sequential(
        [keras.Input((None, None, 4)), layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="norm")],
        name="inner",
    )
    x = keras.Input((12, 12, 4))
    model = randomize(keras.Model(x, layers.BatchNormalization(name="last")(inner(inner(x)))))
    told = folding(model)
    assert told.folded == {"inner/norm": "inner/conv"}
    assert told.kept == {"last": "follows 'inner' (Sequential), which is not linear alone"}
    folded = inference_model(model)
    assert folded.count_params() == model.count_params() - 16
    agree(model, folded, images(2, 12, 12, 4))


def test_a_subclassed_model_is_left_alone():
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.conv, self.norm = layers.Conv2D(4, 3), layers.BatchNormalization()

        def call(self, x):
            return self.norm(self.conv(x))

    model = Own()
    model(images(1, 8, 8, 4))
    assert inference_model(model) is model and folding(model).folded == {}
    with pytest.raises(ValueError, match="model must be a functional or sequential one"):
        inference_model(model, dtype="bfloat16")


def test_a_copy_has_weights_of_its_own_and_saves(tmp_path):
    model, shape = small("resnet18")
    folded = inference_model(randomize(model))
    x = images(*shape)
    before = run(folded, x)
    randomize(model, seed=1)
    np.testing.assert_array_equal(run(folded, x), before)
    folded.save(tmp_path / "net.keras")
    np.testing.assert_array_equal(run(keras.models.load_model(tmp_path / "net.keras"), x), before)


def convolves_in_bfloat16():
    """Whether the kernels of this processor do; oneDNN below AVX-512 has none."""
    x = keras.ops.ones((1, 8, 8, 4), "bfloat16")
    try:
        return bool(keras.ops.all(keras.ops.conv(x, keras.ops.ones((3, 3, 4, 4), "bfloat16")) == 36))
    except Exception:
        return False


def test_bfloat16_all_but_the_last_layer():
    if not convolves_in_bfloat16():
        pytest.skip("no convolution in bfloat16 on this processor")
    model, shape = small("resnet18")
    x = images(*shape)
    network = inference_model(calibrated(randomize(model), x), dtype="bfloat16")
    dtypes = {layer.name: layer.dtype_policy.name for layer in network.layers if layer.weights}
    assert dtypes.pop(network.layers[-1].name) == "float32" and set(dtypes.values()) == {"bfloat16"}
    assert differ(run(network, x), run(model, x)) < 5e-2  # 8 bits of mantissa, 20 layers of random weights


def test_channels_first():
    with data_format("channels_first"), weightless():
        model = build("resnet18", input_shape=(3, 64, 64))
        assert norms(inference_model(model)) == [] and len(folding(model).folded) == 20


@pytest.mark.sweep
def test_folded_models_train_on():
    model, shape = small("cifar_resnet20")
    folded = inference_model(model)
    folded.compile(**compile_args(folded))
    folded.train_on_batch(images(*shape), np.zeros(2))


def test_bad_input():
    with pytest.raises(TypeError, match="inference_model: model must be a Keras model"):
        inference_model("resnet50")
    with pytest.raises(TypeError, match="folding: model must be a Keras model"):
        folding(None)
    with pytest.raises(ValueError, match="inference_model: dtype must be a dtype or a policy of Keras"):
        inference_model(keras.Sequential([keras.Input((2,)), layers.Dense(2)]), dtype="float12")


def test_a_layer_shared_with_a_nested_model_is_left_alone():
    conv = layers.Conv2D(4, 3, name="conv")
    inside = keras.Input((12, 12, 4))
    inner = keras.Model(inside, layers.BatchNormalization(name="norm")(conv(inside)), name="inner")
    x = keras.Input((12, 12, 4))
    model = randomize(keras.Model(x, layers.Add()([inner(x), conv(x)])))
    assert folding(model).kept == {"inner/norm": "'conv' (Conv2D) is shared by 2 calls"}
    agree(model, inference_model(model), images(2, 12, 12, 4))


class Inside(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.norm = layers.BatchNormalization(name="norm")

    def call(self, x):
        return self.norm(x)


def test_norms_inside_of_layers_are_named():
    x = keras.Input((3, 8, 8, 4))
    y = layers.TimeDistributed(layers.Conv2D(4, 3))(x)
    y = layers.TimeDistributed(layers.BatchNormalization(name="bn"), name="time")(y)
    inner = keras.Input((3, 6, 6, 4))
    y = keras.Model(inner, Inside(name="own")(inner), name="inner")(y)
    found = folding(keras.Model(x, layers.ReLU()(y)))
    assert found.folded == {} and found.kept == {
        "time/bn": "is inside of 'time' (TimeDistributed), which is not looked into",
        "inner/own/norm": "is inside of 'own' (Inside), which is not looked into",
    }
    assert str(found).startswith("0 folded, 2 kept")


def test_variables_inside_of_wrappers_keep_their_paths():
    x = keras.Input((5, 8, 4))
    y = layers.TimeDistributed(layers.BatchNormalization())(layers.TimeDistributed(layers.Dense(3, name="d"))(x))
    y = layers.TimeDistributed(layers.Flatten())(y)
    y = layers.Bidirectional(layers.LSTM(2, return_sequences=True, name="mine"), name="both")(y)
    y = layers.Bidirectional(
        layers.GRU(2, return_sequences=True), backward_layer=layers.LSTM(2, return_sequences=True, go_backwards=True)
    )(y)
    y = layers.RNN([layers.LSTMCell(2), layers.GRUCell(3, name="cell")])(y)
    model = keras.Model(x, layers.BatchNormalization()(layers.Dense(2)(y)))
    randomize(model)
    copy = inference_model(model)
    assert len(copy.layers) < len(model.layers)
    paths = [weight.path for weight in model.weights if weight.path.split("/")[0] in {x.name for x in copy.layers}]
    assert {weight.path for weight in copy.weights} <= set(paths)
    data = images(2, 5, 8, 4)
    assert differ(np.asarray(copy(data)), np.asarray(model(data))) < 1e-5
