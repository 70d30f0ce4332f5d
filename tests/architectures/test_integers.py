"""Integers of NumPy are converted where they are checked: a uint8 of 100 times 4 is 400, not 144."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest

from layerblocks import blocks
from layerblocks.architectures import cifar_densenet, cifar_resnet, origin
from layerblocks.architectures.catalogue import constructor
from layerblocks.blocks import weightless

from ..helpers import each_family

# Of arguments whose default is None, and of such as multiply to more than 255.
GIVEN: dict[str, dict[str, Any]] = {
    "resnet": {"filters": 200, "repeats": (1, 2, 1, 1), "output_stride": 16},
    "vgg": {"output_stride": 16, "output_size": 7, "filters": (64, 128, 200, 255, 255)},
    "alexnet": {"groups": 2, "output_size": 6},
    "zfnet": {"output_size": 6},
    "densenet": {"growth_rate": 100, "output_stride": 16},
    "cifar_densenet": {"stem_filters": None, "growth_rate": 100, "bottleneck": 4, "depth": 22},
    "fcn": {"filters": (64, 128, 200, 255, 255)},
    "unet": {"filters": (64, 128, 255)},
    "mobilenet": {"depth_multiplier": 3},
}


def narrow(value: Any) -> Any:
    """Every integer inside as the smallest that NumPy has for it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return np.min_scalar_type(value).type(value)
    if isinstance(value, Mapping):
        return {key: narrow(item) for key, item in value.items()}
    return tuple(map(narrow, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value


def structure(model: keras.Model) -> dict[str, Any]:
    config = json.loads(model.to_json())["config"]
    config["layers"][0].pop("origin", None)
    return config


def told(model: keras.Model) -> dict[str, Any]:
    """What a network remembers that it was given, tables apart."""
    return {word: value for word, value in origin(model).arguments.items() if not isinstance(value, Mapping)}


def integers_of(made: Any, name: str) -> dict[str, Any]:
    """All arguments of a constructor that have integers, tables of layers among them."""
    family = name if name in GIVEN else max((f for f in GIVEN if name.startswith(f)), key=len, default="")
    words = {word: parameter.default for word, parameter in inspect.signature(made).parameters.items()}
    found = {word: value for word, value in {**words, **GIVEN.get(family, {})}.items() if has_integers(value)}
    if "output_stride" in found and name.startswith("cifar"):
        del found["output_stride"]
    return found | {"classes": 200, "input_shape": (96, 128, 3)}


def has_integers(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(has_integers, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(map(has_integers, value))
    return isinstance(value, int) and not isinstance(value, bool)


A_FEW = {
    *("lenet5", "alexnet", "googlenet", "vgg11", "resnet18", "densenet121", "cifar_densenet_bc100", "mobilenet_v2"),
    *("fcn8s", "unet"),
}


@pytest.mark.sweep_but(*A_FEW)
@pytest.mark.parametrize("name", [name for name in each_family(*A_FEW) if name != "cifar_resnet1202"])
def test_every_integer_of_every_constructor(name):
    made = constructor(name)
    given = {
        word: value for word, value in integers_of(made, name).items() if word in inspect.signature(made).parameters
    }
    if name == "inception_v3":
        given["input_shape"] = (299, 299, 3)
    if name == "swin_t":
        given["input_shape"] = (224, 224, 3)
    if name == "unet":
        given["input_shape"] = (188, 188, 3)
    assert {"classes", "input_shape"} <= given.keys()
    with weightless():
        narrowed, plain = made(**narrow(given)), made(**given)
    assert structure(narrowed) == structure(plain)
    assert repr(told(narrowed)) == repr(told(plain))


def test_the_case_that_was_wrong():
    with weightless():
        model = cifar_densenet(depth=10, growth_rate=np.uint8(100), bottleneck=np.uint8(4))
        assert model.count_params() == cifar_densenet(depth=10, growth_rate=100, bottleneck=4).count_params()
        assert cifar_resnet(filters=np.uint8(128)).output_shape == (None, 10)
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) > 1_000_000


X, SMALL = (64, 64, 200), (32, 32, 200)
BLOCKS: dict[str, dict[str, Any]] = {
    "adaptive_avg_pool": {"output_size": (3, 2)},
    "aux_classifier": {"classes": 200, "filters": 200, "units": 200},
    "avg_pool": {"pool_size": 3, "strides": (2, 1)},
    "basic_residual": {"filters": 200, "strides": 2},
    "bilinear_up": {"factor": 128},
    "bottleneck": {"filters": 252, "reduction": 4, "strides": (2, 1)},
    "classifier": {"classes": 200, "units": (255, 200), "output_size": 3},
    "conv": {"filters": 200, "kernel_size": (3, 5), "strides": 2, "groups": 200, "padding": 2},
    "dense_block": {"layers": 3, "growth_rate": 100, "bottleneck": 4},
    "dense_layer": {"growth_rate": 100, "bottleneck": 4, "dilation_rate": 2},
    "depthwise": {"filters": 200, "kernel_size": 3, "strides": 2},
    "depthwise_separable": {"filters": 200, "depth_multiplier": 2},
    "dilated": {"filters": 200, "dilation_rate": (2, 100)},
    "group_norm": {"groups": 100},
    "inception": {"c1": 200, "c3": (200, 200), "c5": (200, 200), "pool_proj": 200, "kernel_size": 3},
    "inception_asymmetric": {
        "c1": 200,
        "single": (200,) * 3,
        "double": (200,) * 5,
        "pool_proj": 200,
        "n": 5,
    },
    "inception_expanded": {"c1": 200, "single": (200,) * 2, "double": (200,) * 3, "pool_proj": 200},
    "inception_reduction": {"single": (200,), "double": (200,) * 4, "n": 3},
    "inception_stacked": {"c1": 200, "single": (200,) * 2, "double": (200,) * 3, "pool_proj": 200},
    "inverted_residual": {"filters": 200, "expansion": 6, "strides": 2},
    "local_response_norm": {"depth": 5},
    "max_pool": {"pool_size": 3, "strides": 2, "padding": 1},
    "residual": {"convs": ((200, 3), (200, 1)), "strides": 2},
    "separable": {"filters": 200, "depth_multiplier": 2, "strides": 2},
    "squeeze_excite": {"ratio": 3},
    "subsample": {"pool_size": (2, 3)},
    "transition": {"filters": 200, "strides": 2},
    "transposed": {"filters": 200, "kernel_size": 200, "strides": 128},
    "vgg_block": {"filters": 200, "convs": 3, "kernel_size": 3},
    "xception_module": {"filters": (200, 255), "strides": 2},
    "zero_pad": {"padding": ((200, 200), (200, 1))},
}


@pytest.mark.parametrize("name", BLOCKS)
def test_every_integer_of_a_block(name):
    x = keras.Input(X)
    make = partial(getattr(blocks, name), x, name="block")
    with weightless():
        plain, narrowed = (keras.Model(x, make(**given)) for given in (BLOCKS[name], narrow(BLOCKS[name])))
    same, found = structure(plain), structure(narrowed)
    assert found == {**same, "name": found["name"]}
