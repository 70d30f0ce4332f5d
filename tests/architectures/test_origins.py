"""What a network remembers of how it was built, and what that is good for."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from functools import cache, partial
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from layerblocks.architectures import (
    architecture,
    cifar_resnet,
    densenet121,
    fcn8s,
    googlenet_torchvision,
    list_architectures,
    load,
    mobilenet,
    mobilenet_v2,
    origin,
    resnet50,
    variant,
    vgg16,
    xception,
)
from layerblocks.architectures.catalogue import constructor
from layerblocks.blocks import conv_bn, dense, weightless
from layerblocks.models import freeze, inference_model, replace_each, with_input, with_new_head
from layerblocks.models.computed import difference, digest

from ..agreement import differ, images, run

SMALL: dict[str, Any] = {"repeats": (1, 1, 1), "input_shape": (16, 16, 3)}


@cache
def small() -> keras.Model:
    return cifar_resnet(**SMALL)


def test_a_network_remembers():
    known = origin(small())
    assert (known.network, known.dialect, dict(known.arguments)) == ("cifar_resnet", None, SMALL)
    with weightless():
        known = origin(googlenet_torchvision(classes=10, input_shape=(None, None, 3)))
    assert (known.network, known.dialect) == ("googlenet_torchvision", "torchvision")
    assert known.arguments == {"classes": 10, "input_shape": (None, None, 3)}


@pytest.mark.parametrize("copy", ["file", "clone", "pickle", "json", "nested"])
def test_copies_remember(copy, tmp_path):
    model = cifar_resnet(**SMALL, classes=7)
    if copy == "file":
        model.save(path := tmp_path / "a.keras")
        made = keras.saving.load_model(path)
    elif copy == "clone":
        made = keras.models.clone_model(model)
    elif copy == "pickle":
        made = pickle.loads(pickle.dumps(model))
    elif copy == "json":
        made = keras.models.model_from_json(model.to_json())
    else:
        outer = keras.Model(x := keras.Input((16, 16, 3)), keras.layers.Dense(2)(model(x)))
        outer.save(path := tmp_path / "a.keras")
        made = keras.saving.load_model(path).get_layer(model.name)
    assert origin(made) == origin(model) is not None
    del model
    assert origin(made).arguments["classes"] == 7


def test_what_no_file_holds_is_said(tmp_path):
    model = cifar_resnet(**SMALL, conv=partial(conv_bn, activation="gelu"))
    model.save(path := tmp_path / "a.keras")
    del model
    assert origin(keras.saving.load_model(path)).unsaved == ("conv",)


def test_a_file_of_weights_says_whose_they_are(tmp_path):
    """The tensors are the same in every dialect; Keras reads the file as any other."""
    tiny = partial(resnet50, repeats=(1, 1), strides=(1, 2), filters=8, input_shape=(16, 16, 3), classes=2)
    model = tiny(dialect="v1.5")
    model.save_weights(path := tmp_path / "a.weights.h5")
    assert origin(tiny(weights=path)).dialect == "v1.5"
    assert load(tiny(dialect="v1.5", input_shape=(32, 32, 3)), path).dialect == "v1.5"
    with pytest.raises(
        ValueError, match=r"model must be built with dialect='v1\.5' for these weights, resnet50 was built"
    ):
        load(tiny(), path)
    with pytest.raises(ValueError, match=r"stage2\.block1\.conv1\.conv differs in strides"):
        load(tiny(), path, only="stage2")
    again = tiny()
    again.load_weights(path)
    assert np.array_equal(again.get_layer("stem.conv").kernel, model.get_layer("stem.conv").kernel)
    with h5py.File(path, "a") as file:
        file.attrs["layerblocks_origin"] = "{"
    for make in (tiny, partial(tiny, dialect="v1.5")):
        for part in ({}, {"only": "stage2"}, {"missing": "keep"}):
            with pytest.raises(
                ValueError, match="load: dialect must be said, as source does not say whose computation"
            ):
                load(make(), path, **part)
    with pytest.raises(ValueError, match="resnet50: dialect must be said, as weights do not say whose computation th"):
        tiny(weights=path)
    assert load(tiny(), path, dialect="paper").dialect == "paper"
    assert origin(tiny(weights=path, dialect="v1.5")).dialect == "v1.5"


PLAIN = """
import sys, keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
assert not any(name.startswith("layerblocks") for name in sys.modules)
assert type(model).__module__.startswith("keras.src")
model.save(sys.argv[2])
np.save(sys.argv[3], keras.ops.convert_to_numpy(model(np.load(sys.argv[3]))))
"""


def test_a_process_that_has_only_keras_opens_the_file(tmp_path):
    """And another that has it forgets what it was."""
    with zipfile.ZipFile(path := tmp_path / "a.keras", "w"):
        pass
    model = vgg16(convs=(1, 1, 1, 1, 1), filters=(2,) * 5, units=(4,), classes=3, input_shape=(32, 32, 3))
    model.save(path)
    np.save(x := tmp_path / "x.npy", image := images(1, 32, 32, 3))
    subprocess.run([sys.executable, "-c", PLAIN, path, tmp_path / "b.keras", x], check=True)
    assert differ(np.load(x), run(model, image)) < 1e-5
    config = json.loads(zipfile.ZipFile(path).read("config.json"))
    assert config["class_name"] == "Functional" and config["module"].startswith("keras.")


@pytest.mark.parametrize(
    "told", [3, {}, {"network": 3, "arguments": []}, {"network": "vgg16", "dialect": 3, "unsaved": 3}, {"network": "x"}]
)
def test_a_file_that_tells_nonsense(told):
    config = small().get_config()
    config["layers"][0]["origin"] = told
    model = type(small()).from_config(config)
    known = origin(model)
    assert known is None or isinstance(known.network, str)
    load(model, small(), **({} if known is None else {"dialect": "paper"}))


def test_what_was_changed_does_not_remember():
    model = cifar_resnet(**SMALL, classes=9)
    assert origin(keras.Model(model.input, model.get_layer("stage1.block1.add").output)) is None
    config = model.get_config()
    config["layers"] = [
        {**layer, "config": {**layer["config"], "epsilon": 0.1}} if "epsilon" in layer["config"] else layer
        for layer in config["layers"]
    ]
    assert origin(keras.Model.from_config(config)) is None


def test_what_was_changed_by_ours_says_what_by(tmp_path):
    model = cifar_resnet(**SMALL, classes=9)
    made = gelus(with_new_head(model, 4))
    made.save(path := tmp_path / "a.keras")
    for known in (origin(made), origin(keras.saving.load_model(path)), origin(keras.models.clone_model(made))):
        assert known.changes == ("with_new_head", "replace_each")
        assert (known.network, known.arguments["classes"]) == ("cifar_resnet", 9)
    assert origin(model).changes == () and origin(inference_model(model)).changes == ("inference_model",)
    assert origin(with_input(model, (24, 24, 3))).changes == ("with_input",)
    with pytest.raises(ValueError, match=r"compute what source does; they differ in activation of stem"):
        load(made, with_new_head(model, 4))
    assert load(with_new_head(model, 4), with_new_head(model, 4)).loaded


CONV: dict[str, Any] = {"conv": partial(conv_bn, activation="gelu")}


def gelus(model: keras.Model) -> keras.Model:
    return replace_each(model, keras.layers.Activation, lambda old, x: keras.layers.Activation("gelu")(x))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: cifar_resnet(**SMALL, **CONV), "built with conv, which no file holds"),
        (lambda: with_new_head(gelus(cifar_resnet(**SMALL)), 10), "changed by replace_each, with_new_head"),
        (lambda: cifar_resnet(**SMALL, input_tensor=keras.Input((16, 16, 3))), "part of a larger graph"),
    ],
    ids=["argument", "surgery", "graph"],
)
def test_weights_of_what_no_file_can_build_again(make, said, tmp_path):
    """They go where the same is computed, and nowhere else unless told."""
    make().save_weights(path := tmp_path / "a.weights.h5")
    assert load(make(), path).loaded
    other = cifar_resnet(**SMALL, conv=partial(conv_bn, activation="tanh"))
    before = other.get_weights()
    for part in ({}, {"only": "stage1"}, {"missing": "keep"}):
        with pytest.raises(
            ValueError, match=rf"load: model must compute what source does, of cifar_resnet {said}, and"
        ):
            load(other, path, **part)
    assert all(map(np.array_equal, before, other.get_weights()))
    assert load(other, path, dialect="paper").loaded


def test_what_is_computed_has_one_digest_in_every_process():
    """Sizes, and the names of layers without weights, do not matter; a setting does."""
    with weightless():
        one, larger = cifar_resnet(**SMALL), cifar_resnet(**{**SMALL, "input_shape": (32, 32, 3)})
        other = cifar_resnet(**SMALL, conv=partial(conv_bn, activation="gelu"))
    assert digest(one) == digest(larger) != digest(other)
    x = keras.Input((4,))
    assert digest(keras.Model(x, keras.layers.Lambda(lambda y: y * 2)(x))) != digest(one)
    program = """
import keras
from layerblocks.models.computed import digest
x = keras.Input((4,))
print(digest(keras.Model(x, [keras.layers.Dense(2, activation="relu", name="a")(x), x])))
"""
    printed = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1] and len(printed[0].split()[-1]) == 32


def test_what_is_changed_in_training_alone_still_does():
    model = cifar_resnet(**SMALL, classes=11)
    assert origin(freeze(model, "stage1.block1")) == origin(model)


def test_bad_model():
    with pytest.raises(TypeError, match="origin: model must be a Keras model, got 3"):
        origin(3)


# What is computed.


@pytest.mark.parametrize(
    ("make", "a", "b", "said"),
    [
        (resnet50, "v1.5", "paper", "strides of stage2.block1.conv1.conv: (1, 1), (2, 2)"),
        (resnet50, "paper", "torchvision", "padding of stem.conv: 'same', 'valid'"),
        (resnet50, "keras", "torchvision", "use_bias of stem.conv: True, False"),
        (densenet121, "keras", "torchvision", "epsilon of stem.norm: 1.001e-05, 1e-05"),
        (mobilenet, "keras", "paper", "activation of stem.activation: "),
        (mobilenet_v2, "paper", "keras", None),  # the momentum of the norms
        (xception, "paper", "keras", None),  # dropout
        (vgg16, "paper", "torchvision", "what classifier.flatten receives"),
    ],
)
def test_where_dialects_differ(make, a, b, said):
    with weightless():
        one, other = (make(dialect=dialect, classifier_activation=None) for dialect in (a, b))
        again = make(dialect=a, classifier_activation=None, name="again")
    found = difference(one, other)
    assert found is None if said is None else found.startswith(said)
    assert difference(one, again) is None and difference(again, one) is None


def test_the_order_of_activation_counts():
    def net(first: str) -> keras.Model:
        x = y = keras.Input((8, 8, 3))
        for kind in (first, "norm" if first == "act" else "act"):
            y = keras.layers.BatchNormalization(name="norm")(y) if kind == "norm" else keras.layers.ReLU(name="act")(y)
        return keras.Model(x, y)

    assert difference(net("act"), net("act")) is None
    assert difference(net("act"), net("norm")) == "what act receives"


@pytest.mark.parametrize("own", [{}, {"dialect": "v1.5"}, {"dialect": "torchvision"}])
def test_weights_of_ours_bring_their_dialect(own):
    """The tensors are the same in all of these."""
    tiny = partial(resnet50, repeats=(1, 1), strides=(1, 2), filters=8, input_shape=(16, 16, 3), classes=2)
    model = tiny(**own)
    assert origin(tiny(weights=model)).dialect == own.get("dialect", "paper")
    other = "paper" if own else "torchvision"
    with pytest.raises(
        ValueError, match=rf"resnet50: model must be built with dialect='{origin(model).dialect}' for t"
    ):
        tiny(weights=model, dialect=other)


def test_a_network_of_somebody_else_remembers_too():
    @architecture(dialects={"thin": {}, "wide": {"width": 8}}, input_shape=(8, 8, 3), classes=2)
    def mine(x: Any, head: Any, *, width: int = 4) -> Any:
        """Mine."""
        return head(conv_bn(x, width, name="stem"))

    model = mine(dialect="wide")
    assert origin(model).network == "mine" and origin(model).dialect == "wide"
    assert origin(mine(weights=model)).dialect == "wide"
    with weightless():
        assert origin(variant(mine, "yours", "Yours.", width=6)()).network == "yours"


@pytest.mark.parametrize("make", [fcn8s, vgg16])
def test_dialects_of_libraries_end_as_they_do(make):
    with weightless():
        assert origin(make()).dialect == "paper"
        model = vgg16(dialect="torchvision", dense=dense)
    assert model.get_layer("classifier.predictions").activation is keras.activations.linear
    assert origin(model).unsaved == () and "dense" in origin(model).arguments


def test_every_dialect_of_a_library_gives_logits_where_that_does():
    """None of torchvision's and timm's networks has a softmax."""
    found = {
        (name, library): constructor(name).dialects[library].get("classifier_activation", "softmax")
        for name in list_architectures()
        for library in {"torchvision", "timm"} & {*constructor(name).dialects}
    }
    assert len(found) > 25 and {*found.values()} == {None}
