"""Weights of `keras.applications`, of files and of other models: the same outputs, every tensor once or no change."""

from __future__ import annotations

import zipfile
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from layerblocks.architectures import (
    build,
    cifar_resnet,
    load,
    mobilenet,
    mobilenet_v2,
    resnet18,
    vgg11,
    vgg16,
    weights,
)
from layerblocks.architectures.weight_names import APPLICATIONS
from layerblocks.blocks import conv, weightless

from ..agreement import differ, images, run
from ..helpers import LOOKED_AT, data_format, dtype_policy, first_of_each

# Of their own tests: `test_efficientnets`.
ELSEWHERE = [name for name in APPLICATIONS if name.startswith("efficientnet")]
# The side of the images; the other side is a bit longer.
SIDES = dict.fromkeys(APPLICATIONS, 64) | {"inception_v3": 81, "inception_resnet_v2": 81, "xception": 79}
DEPENDS_ON_SIZE = ("vgg16", "vgg19")
TINY: dict[str, Any] = {"dialect": "keras", "alpha": 0.25, "classes": 10, "input_shape": (32, 32, 3)}
tiny = partial(mobilenet, **TINY)
small = partial(cifar_resnet, repeats=(1, 1, 1))


def application(name: str, **options: Any) -> keras.Model:
    return getattr(keras.applications, APPLICATIONS[name].name)(weights=None, **options)


def randomize(model: keras.Model, seed: int = 0) -> keras.Model:
    """Random weights, biases and statistics, under which the values stay in hand however deep the network is."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        for variable in layer.weights:
            shape, name = tuple(variable.shape), variable.name
            values = random.standard_normal(shape, dtype="float32")
            if name in ("gamma", "moving_variance", "variance"):
                values = random.uniform(0.5, 1.0, shape)
            elif len(shape) > 1:
                seen = prod(shape[:2] if is_depthwise or name == "depthwise_kernel" else shape[:-1])
                values = values * (2 / seen) ** 0.5
            else:
                values = values / 5
            variable.assign(values.astype("float32"))
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


@pytest.fixture(scope="module")
def tiny_source() -> keras.Model:
    """A network of keras.applications, small and random."""
    return randomize(keras.applications.MobileNet(weights=None, alpha=0.25, classes=10, input_shape=(32, 32, 3)))


def same_weights(a: keras.Model, b: keras.Model) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


def pretend(monkeypatch: pytest.MonkeyPatch, name: str, source: keras.Model | None = None) -> list[dict[str, Any]]:
    """Let `source` be what Keras downloads as that network; gives the calls that ask for it."""
    real, asked = getattr(keras.applications, APPLICATIONS[name].name), []

    def download(**options: Any) -> keras.Model:
        if options["weights"] != "imagenet":
            return real(**options)
        asked.append(options)
        return source if source is not None else real(**{**options, "weights": None})

    monkeypatch.setattr(keras.applications, APPLICATIONS[name].name, download)
    return asked


def check_agreement(model: keras.Model, source: keras.Model, x: np.ndarray) -> None:
    expected = run(source, x)
    assert differ(expected[0], expected[1]) > 1e-3  # the images matter
    assert differ(run(model, x), expected) < 1e-5


@pytest.mark.sweep_but("mobilenet_v2")
@pytest.mark.parametrize(
    "name",
    first_of_each((n for n in APPLICATIONS if n not in (*DEPENDS_ON_SIZE, *ELSEWHERE)), *LOOKED_AT),
)
def test_trained_weights_agree(name, monkeypatch):
    options: dict[str, Any] = {"input_shape": (SIDES[name], SIDES[name] + 5, 3), "classifier_activation": None}
    source = randomize(application(name, **options))
    asked = pretend(monkeypatch, name, source)
    model = build(name, weights="imagenet", **options)
    assert len(asked) == 1
    assert asked[0]["include_top"] is True and asked[0]["classes"] == 1000
    x = images(2, *options["input_shape"])
    scales = any(isinstance(layer, keras.layers.Rescaling) for layer in source.layers)  # bytes to numbers about 0
    check_agreement(model, source, 127.5 + 40 * x if scales else x)
    keras.backend.clear_session()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vgg16", {"input_shape": (32, 32, 3), "classifier_activation": None}),
        ("vgg16", {"input_shape": (32, 49, 3), "include_top": False}),
        ("vgg19", {"input_shape": (49, 32, 3), "include_top": False, "pooling": "max"}),
    ],
)
def test_vgg_agrees(name, options):
    source = randomize(application(name, **options))
    model = build(name, dialect="keras", **options)
    load(model, source)
    check_agreement(model, source, images(2, *options["input_shape"]))


@pytest.mark.sweep_but("vgg19", "xception")
@pytest.mark.parametrize("name", ["vgg19", "resnet50", "resnet50_v2", "inception_v3", "densenet121", "xception"])
def test_every_tensor_once(name, monkeypatch):
    """At its own size, without allocating it; with a top where this depends on the size."""
    steps: list[Any] = []
    monkeypatch.setattr(weights, "_write", steps.extend)
    monkeypatch.setattr(weights._keras, "is_allocated", lambda variable: True)
    include_top = name in DEPENDS_ON_SIZE
    for _ in range(2):  # Keras numbers its unnamed layers on and on
        with weightless():
            source = application(name, include_top=include_top)
    with weightless():
        model = build(name, dialect="keras", include_top=include_top)
    load(model, source)
    for place, of in ((0, model), (2, source)):
        assert len(steps) == len(of.weights)
        assert {id(step[place]) for step in steps} == {id(variable) for variable in of.weights}


# Trained weights, without the network.


def test_trained_weights_without_a_top(monkeypatch):
    source = randomize(keras.applications.MobileNetV2(weights=None, alpha=0.35, include_top=False))
    asked = pretend(monkeypatch, "mobilenet_v2", source)
    model = mobilenet_v2(weights="imagenet", include_top=False, alpha=0.35, classes=7, pooling="avg")
    assert asked == [
        {"weights": "imagenet", "include_top": False, "classes": 7, "alpha": 0.35, "input_shape": (224, 224, 3)}
    ]
    x = images(2, 224, 224, 3)
    assert differ(run(model, x), run(source, x).mean((1, 2))) < 1e-5


@pytest.mark.parametrize(
    ("shape", "asked_for"), [((160, 160, 3), (160, 160, 3)), ((96, 96, 3), None), ((None, None, 3), None)]
)
def test_trained_weights_of_a_size(shape, asked_for, monkeypatch):
    """Of MobileNet there are some for several sizes of images; others take those for 224×224."""
    asked = pretend(monkeypatch, "mobilenet")
    mobilenet(weights="imagenet", include_top=False, alpha=0.25, input_shape=shape)
    assert asked[0].get("input_shape") == asked_for


def test_trained_weights_need_their_dialect(monkeypatch):
    asked = pretend(monkeypatch, "mobilenet")
    with pytest.raises(ValueError, match=r"mobilenet: dialect must be 'keras' with weights='imagenet', got 'paper'"):
        mobilenet(weights="imagenet", dialect="paper")
    assert "relu6" in str(mobilenet(weights="imagenet", alpha=0.25).get_layer("stem.activation").get_config())
    assert len(asked) == 1


@pytest.mark.parametrize("options", [{"conv": conv}, {"input_shape": (32, 32, 1)}])
def test_what_does_not_fit_is_not_downloaded(options, monkeypatch):
    asked = pretend(monkeypatch, "mobilenet")
    with pytest.raises(ValueError, match=r"mobilenet: weights must be exactly the tensors"):
        mobilenet(weights="imagenet", alpha=0.25, **options)
    assert not asked


def test_in_a_larger_graph(tiny_source):
    """What stands before the network keeps its weights."""
    x = keras.Input((32, 32, 1))
    colour = conv(x, 3, 1, name="colour")
    image = images(2, 32, 32, 1)
    expected = run(tiny_source, run(keras.Model(x, colour), image))
    for given in (tiny_source, tiny(weights=tiny_source, name="left")):
        model = tiny(weights=given, input_tensor=colour)
        assert differ(run(model, image), expected) < 1e-5


def test_channels_first(tiny_source, monkeypatch):
    asked = pretend(monkeypatch, "mobilenet")
    with data_format("channels_first"):
        load(model := tiny(input_shape=(3, 32, 32)), tiny_source)
        mobilenet(weights="imagenet", include_top=False, alpha=0.25, input_shape=(3, 160, 160))
    assert same_weights(model, tiny(weights=tiny_source))
    assert asked[0]["input_shape"] == (3, 160, 160)


def test_other_precision(tiny_source):
    model = tiny(weights=tiny_source)
    with dtype_policy("mixed_float16"):
        mixed = tiny(weights=tiny_source)
    assert same_weights(model, mixed)


def changed(layer: keras.Layer, kind: str) -> keras.Layer:
    config = layer.get_config()
    if kind == "activation" and isinstance(layer, keras.layers.ReLU):
        return keras.layers.ELU(name=layer.name)
    if kind == "epsilon" and isinstance(layer, keras.layers.BatchNormalization):
        config["epsilon"] = 0.1
    if kind == "strides" and layer.name == "conv_dw_12":
        config["strides"] = (1, 1)
    if kind == "padding" and layer.name == "conv_dw_11":
        config["padding"] = "valid"
    return type(layer).from_config(config)


@pytest.mark.parametrize("kind", ["activation", "epsilon", "strides", "padding"])
def test_a_changed_network_of_a_library_is_refused(kind, tiny_source):
    """Its names and shapes are those of the library, what it computes is not."""
    options = {"input_shape": (96, 96, 3), "classes": 10, "alpha": 0.25}
    whole = keras.applications.MobileNet(weights=None, **options)
    source = keras.models.clone_model(whole, clone_function=partial(changed, kind=kind))
    model = tiny(input_shape=(96, 96, 3))
    before = model.get_weights()
    for part in ({}, {"missing": "keep"}, {"only": "stage5"}):
        with pytest.raises(
            ValueError, match=r"load: (source|model) must (be the network of keras\.applications, which|comp)"
        ):
            load(model, source, **part)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert load(model, source, dialect="keras").loaded
    again = keras.models.clone_model(whole, clone_function=partial(changed, kind=""))
    assert load(model, again).dialect == "keras"
    body = keras.Model(again.input, keras.layers.Dense(4, name="own")(again.get_layer("conv_pw_13_relu").output))
    assert load(model, body, missing="keep").loaded  # another head is none of it


# Files and models of ours.


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_file_of_ours(ending, tmp_path):
    model, path = randomize(small()), tmp_path / f"small{ending}"
    model.save(path) if ending == ".keras" else model.save_weights(path)
    for options in ({}, {"name": "left"}, {"input_shape": (None, 9, 3)}, {"output_stride": 1}):
        assert same_weights(small(weights=path, **options), model)
    assert same_weights(small(weights=str(path)), model)
    colour = conv(keras.Input((32, 32, 1)), 3, 1, name="colour")
    right = small(weights=path, input_tensor=colour, name="right")
    kernels = [given.get_layer(f"{prefix}stem.conv").kernel for given, prefix in ((right, "right."), (model, ""))]
    assert np.array_equal(*kernels)


def test_file_without_names(tmp_path):
    """As older versions of Keras wrote it."""
    model = randomize(small())
    model.save_weights(path := tmp_path / "small.weights.h5")
    with h5py.File(path, "a") as file:
        file.visititems(lambda name, group: group.attrs.pop("name", None) and None)
    assert same_weights(small(weights=path), model)


@pytest.mark.parametrize("ending", [".weights.h5", ".h5", ".keras"])
def test_file_of_keras_applications(ending, tmp_path, tiny_source):
    path = tmp_path / f"application{ending}"
    tiny_source.save_weights(path) if ending == ".weights.h5" else tiny_source.save(path)
    load(model := tiny(), tiny_source)
    assert same_weights(tiny(weights=path), model)


@pytest.mark.parametrize("options", [{}, {"name": "left"}, {"input_shape": (None, 9, 3)}, {"output_stride": 1}])
def test_model_of_ours(options):
    model = randomize(small())
    other = small(weights=model, **options)
    assert same_weights(other, model) and same_weights(small(weights=other), model)


# Bad input.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"classes": 7},
            r"of another shape: classifier\.predictions\.kernel must be \(256, 7\), conv_preds\.kernel",
        ),
        ({"include_top": False}, r"left in source: conv_preds\.kernel \(1, 1, 256, 10\), conv_preds\.bias \(10,\)$"),
        (
            {"alpha": 0.5},
            r"of another shape: stem\.conv\.kernel must be \(3, 3, 3, 16\), conv1\.kernel is \(3, 3, 3, 8\)",
        ),
        (
            {"conv": conv},
            r"left in the model: stem\.conv\.bias \(8,\), .*; left in source: conv1_bn\.gamma \(8,\), .* and",
        ),
    ],
)
def test_all_or_nothing(change, message, tiny_source):
    model = randomize(tiny(**change))
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"load: source must be exactly the tensors.*; {message}"):
        load(model, tiny_source)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    with pytest.raises(ValueError, match="mobilenet: weights must be exactly the tensors of the network"):
        tiny(weights=tiny_source, **change)


def test_not_the_same_network(tiny_source):
    with pytest.raises(
        ValueError, match=r"left in the model: stage1\.block1\.conv1\.conv.* and \d+ more; left in source: "
    ):
        load(small(), tiny_source)


def test_not_ready(tiny_source):
    with weightless():
        empty = tiny()
        with pytest.raises(ValueError, match=r"mobilenet: weights must be None under weightless\(\)"):
            tiny(weights=tiny_source)
    for model, source, argument in ((empty, tiny_source, "model"), (tiny(), empty, "source")):
        with pytest.raises(ValueError, match=rf"{argument} must be a model with weights, not one made under"):
            load(model, source)
    with pytest.raises(ValueError, match="mobilenet: weights must be a model with weights"):
        tiny(weights=empty)
    with pytest.raises(TypeError, match="load: source must be a Keras model, a dict of arrays by name or"):
        load(tiny(), 3)


@pytest.mark.parametrize(
    ("make", "weights", "error", "message"),
    [
        (
            tiny,
            3,
            TypeError,
            "mobilenet: weights must be None, 'imagenet', a Keras model, a dict of arrays by name or .*, got 3",
        ),
        (tiny, "", ValueError, "mobilenet: weights must be .*there is no such file"),
        (tiny, "nothing.weights.h5", ValueError, "there is no such file.*, got 'nothing.weights.h5'"),
        (tiny, Path("nothing.weights.h5"), ValueError, "there is no such file"),
        (
            tiny,
            "imagenet",
            ValueError,
            "mobilenet: classes must be 1000 with include_top=True and weights='imagenet', got 10",
        ),
        (
            resnet18,
            "imagenet",
            ValueError,
            "resnet18: weights must be .* only exists for vgg16, .*, mobilenet_v2, .*, got 'ima",
        ),
        (vgg11, "imagnet", ValueError, "vgg11: weights must be .*, got 'imagnet'"),
        (partial(vgg16, classes=10), "imagenet", ValueError, "vgg16: classes must be 1000"),
    ],
)
def test_bad_weights(make, weights, error, message):
    with pytest.raises(error, match=message):
        make(weights=weights)


@pytest.mark.parametrize("name", ["bad.weights.h5", "bad.h5", "bad.keras", "bad.txt"])
@pytest.mark.parametrize("make", [tiny, small])
def test_no_weights_file(make, name, tmp_path):
    (path := tmp_path / name).write_text("not a file of weights")
    with pytest.raises(ValueError, match=rf"weights must be a file .*{name}"):
        make(weights=path)


def zipped(path: Path, config: str | None) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")
        if config is not None:
            file.writestr("config.json", config)
        file.writestr("model.weights.h5", b"none")


@pytest.mark.parametrize(
    "config",
    [
        None,
        "{}",
        "[]",
        "null",
        '{"module": "keras", "class_name": "Functional"}',
        '{"module": "keras", "class_name": "Functional", "config": {"layers": [3]}}',
        '{"a":' * 5000 + "1" + "}" * 5000,
        "[" * 100_000,
    ],
)
def test_a_broken_keras_file_is_refused_in_one_line(config, tmp_path):
    zipped(path := tmp_path / "bad.keras", config)
    with pytest.raises(ValueError, match=r"mobilenet: weights must be a file .*bad\.keras") as caught:
        tiny(weights=path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 500


@pytest.mark.parametrize("content", ["text", 3, [], {"name": 7}, {"name": "stem.conv", "0": "words", "1": 2.0}])
def test_a_broken_weights_file_is_refused_in_one_line(content, tmp_path):
    """HDF5 that nobody's `save_weights` wrote: other things where tensors are, or none."""
    with h5py.File(path := tmp_path / "bad.weights.h5", "w") as file:
        group = file.create_group("layers/conv2d/vars")
        group.attrs["name"] = content["name"] if isinstance(content, dict) else "stem.conv"
        for place, value in (content if isinstance(content, dict) else {"0": content}).items():
            if place != "name":
                group[place] = value
    with pytest.raises(ValueError, match=r"mobilenet: weights must be ") as caught:
        tiny(weights=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_weights_file_that_ends_too_early_is_refused(share, tmp_path):
    tiny().save_weights(path := tmp_path / "cut.weights.h5")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"mobilenet: weights must be a file .*cut\.weights\.h5"):
        tiny(weights=path)


def test_file_of_another_network(tmp_path, tiny_source):
    small(classes=11).save_weights(ours := tmp_path / "ours.weights.h5")
    tiny_source.save_weights(theirs := tmp_path / "theirs.weights.h5")
    with pytest.raises(ValueError, match=r"classifier\.predictions\.bias must be \(10,\), classifier.* is \(11,\)"):
        small(weights=ours)
    with pytest.raises(ValueError, match=r"left in the model: stage1.* left in weights: stage1.block1.conv1.norm.0"):
        tiny(weights=ours)
    with pytest.raises(
        ValueError,
        match=r"cifar_resnet: weights must be exactly the tensors .*; left in weights: .*conv_(dw|pw)_[0-9]+",
    ):
        small(weights=theirs)
    with pytest.raises(
        ValueError, match=r"of another shape: classifier\.predictions\.kernel must be \(256, 11\), conv_preds\.0 is"
    ):
        tiny(weights=theirs, classes=11)
