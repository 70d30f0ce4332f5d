"""Weights of torchvision: its published names and shapes, the layouts in NumPy, and with torch at hand the outputs."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerblocks.architectures import build, googlenet, load_torchvision, resnet, vgg, weights
from layerblocks.blocks import basic_residual, bottleneck, weightless

from .. import naive
from ..agreement import differ, run
from ..helpers import data_format
from . import torchvision_outputs

# By network the shapes of its state_dict, as torchvision 0.29 has them: with `weights=None`, `aux_logits=True` where
# there are such heads, without `num_batches_tracked`.
PUBLISHED: dict[str, dict[str, list[int]]] = json.loads(
    gzip.decompress((Path(__file__).parent / "data" / "torchvision_state_dicts.json.gz").read_bytes())
)
COUNTER = "num_batches_tracked"


def network(name: str, **options: Any) -> keras.Model:
    """Ours of that name in torchvision."""
    return build(name, dialect="torchvision", classifier_activation=None, **options)


# Names and shapes.


@pytest.fixture
def steps(monkeypatch) -> list[Any]:
    """What would be written; models need no weights."""
    found: list[Any] = []
    monkeypatch.setattr(weights, "_write", found.extend)
    monkeypatch.setattr(weights._keras, "is_allocated", lambda variable: True)
    return found


@pytest.mark.sweep_but("alexnet", "vgg11", "vgg11_bn", "resnet18")
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_names_and_shapes(name, steps):
    """Every tensor has its place, and the order of the names does not matter."""
    with weightless():
        model = network(name)
    shapes = sorted(PUBLISHED[name].items())
    load_torchvision(
        model, {key: np.broadcast_to(np.float32(place), shape) for place, (key, shape) in enumerate(shapes)}
    )
    assert {id(variable) for variable, _, _ in steps} == {id(variable) for variable in model.weights}
    assert len(steps) == len(model.weights)
    assert sorted(int(value.flat[0]) for _, _, value in steps) == list(range(len(shapes)))


@cache
def small_resnet() -> keras.Model:
    """A ResNet of few tensors, under names as torchvision would give them."""
    options: dict[str, Any] = {"repeats": (1, 1), "strides": (1, 2), "filters": 4, "residual": basic_residual}
    return resnet(dialect="torchvision", input_shape=(16, 16, 3), classes=5, **options)


def small_state() -> dict[str, np.ndarray]:
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (5, 8), "fc.bias": (5,)}
    norms = {"bn1": 64}
    for stage, (seen, filters) in enumerate([(64, 4), (4, 8)], 1):
        block = f"layer{stage}.0"
        shapes |= {
            f"{block}.conv1.weight": (filters, seen, 3, 3),
            f"{block}.conv2.weight": (filters, filters, 3, 3),
            f"{block}.downsample.0.weight": (filters, seen, 1, 1),
        }
        norms |= {f"{block}.{name}": filters for name in ("bn1", "bn2", "downsample.1")}
    for name, width in norms.items():
        shapes |= {f"{name}.{tensor}": (width,) for tensor in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{name}.{COUNTER}"] = ()
    random = np.random.default_rng(0)
    return {name: random.uniform(0.5, 1.5, shape).astype("float32") for name, shape in shapes.items()}


STATE = small_state()
TENSORS = sorted(key for key in STATE if not key.endswith(COUNTER))


@given(order=st.permutations(sorted(STATE)))
@settings(max_examples=10)
def test_order_does_not_matter(order):
    model = small_resnet()
    assert load_torchvision(model, {key: STATE[key] for key in order}) is model
    assert np.array_equal(model.get_layer("classifier.predictions").kernel, STATE["fc.weight"].T)
    assert np.array_equal(model.get_layer("stem.norm").moving_variance, STATE["bn1.running_var"])
    kernel = model.get_layer("stage2.block1.shortcut.conv").kernel
    assert np.array_equal(kernel, STATE["layer2.0.downsample.0.weight"].transpose(2, 3, 1, 0))


@given(
    missing=st.sets(st.sampled_from(TENSORS), max_size=4),
    extra=st.sets(st.sampled_from(["layer3.0.conv1.weight", "fc.scale", "AuxLogits.fc.bias", "lonely"]), max_size=3),
    changed=st.sets(st.sampled_from(TENSORS), max_size=3),
)
@settings(max_examples=40)
def test_all_or_nothing(missing, extra, changed):
    """What is left on either side and what has another shape is said, and nothing is written."""
    changed -= missing
    state = {key: value for key, value in STATE.items() if key not in missing}
    state |= {key: np.zeros(3) for key in extra} | {key: np.zeros((2, *STATE[key].shape)) for key in changed}
    model = small_resnet()
    before = model.get_weights()
    if not missing and not extra and not changed:
        load_torchvision(model, state)
        return
    with pytest.raises(ValueError, match="must be exactly the tensors of the network, those of dialect='tor") as caught:
        load_torchvision(model, state)
    message = str(caught.value)
    for title, faults in (("left in the model", missing), ("left in state_dict", extra), ("of another shape", changed)):
        assert (title in message) == bool(faults)
    assert all(key in message for key in extra | changed)
    if missing:
        assert message.partition("left in the model: ")[2].partition("; ")[0].count(" (") == len(missing)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.sweep
def test_published_files_of_densenet(steps):
    """Their names have a dot more than those of the module."""
    renamed = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", key): np.broadcast_to(np.float32(0), shape)
        for key, shape in PUBLISHED["densenet121"].items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in renamed
    with weightless():
        model = network("densenet121")
    load_torchvision(model, renamed)
    assert len(steps) == len(model.weights)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"aux": False},
            r"; left in state_dict: aux1\.conv\.conv\.weight \(128, 512, 1, 1\), [^;]* and \d+ more$|aux2",
        ),
        ({"include_top": False, "aux": False}, r"left in state_dict: .*aux1"),
        ({"classes": 10}, r"of another shape: .*classifier\.predictions\.bias must be \(10,\), fc\.bias is \(1000,\)"),
        (
            {"dialect": "paper"},
            r"left in the model: conv1\.conv\.bias \(64,\), .*left in state_dict: conv1\.bn\.weight",
        ),
    ],
)
def test_another_googlenet(options, message, steps):
    with weightless():
        model = googlenet(**{"dialect": "torchvision", **options})
    with pytest.raises(ValueError, match=message):
        load_torchvision(model, {key: np.broadcast_to(0, shape) for key, shape in PUBLISHED["googlenet"].items()})
    assert not steps


def test_bad_arguments():
    with pytest.raises(TypeError, match="load_torchvision: state_dict must be a dict of arrays by name, got 'list'"):
        load_torchvision(small_resnet(), list(STATE.values()))
    with pytest.raises(TypeError, match="load_torchvision: model must be a Keras model, got 'dict'"):
        load_torchvision(STATE, STATE)
    with pytest.raises(TypeError, match=r"state_dict\['fc.bias'\] must be an array of numbers, got 'list'"):
        load_torchvision(small_resnet(), {**STATE, "fc.bias": list("names")})
    with weightless():
        model = network("resnet18")
    with pytest.raises(ValueError, match="load_torchvision: model must be a model with weights, not one made under"):
        load_torchvision(model, STATE)


# Layouts: what torch computes, in NumPy, on images as torch has them.


def torch_conv(x, weight, bias):
    """3×3, one pixel of zeros on every side: `batch channels height width`."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
    return np.einsum("nchwab,ocab->nohw", windows, weight) + bias[:, None, None]


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_what_sees_a_flattened_image(order):
    random = np.random.default_rng(0)
    shapes = {"features.0.weight": (4, 3, 3, 3), "features.3.weight": (5, 4, 3, 3), "classifier.0.weight": (7, 30)}
    shapes |= {"classifier.3.weight": (6, 7), "classifier.6.weight": (2, 6)}
    shapes |= {key.replace("weight", "bias"): shape[:1] for key, shape in shapes.items()}
    state = {key: random.normal(size=shape).astype("float32") for key, shape in shapes.items()}
    x = random.normal(size=(2, 3, 9, 11)).astype("float32")

    y = x
    for layer in ("features.0", "features.3"):
        y = np.maximum(torch_conv(y, state[f"{layer}.weight"], state[f"{layer}.bias"]), 0)
        height, width = (side // 2 * 2 for side in y.shape[2:])
        y = y[:, :, :height, :width].reshape(*y.shape[:2], height // 2, 2, width // 2, 2).max((3, 5))
    y = naive.adaptive_avg_pool(y.transpose(0, 2, 3, 1), (2, 3)).transpose(0, 3, 1, 2).reshape(2, -1)
    for layer in ("classifier.0", "classifier.3", "classifier.6"):
        y = y @ state[f"{layer}.weight"].T + state[f"{layer}.bias"]
        y = y if layer == "classifier.6" else np.maximum(y, 0)

    options: dict[str, Any] = {"convs": (1, 1), "filters": (4, 5), "units": (7, 6), "output_size": (2, 3), "classes": 2}
    with data_format(order):
        shape = (9, 11, 3) if order == "channels_last" else (3, 9, 11)
        model = vgg(dialect="torchvision", input_shape=shape, classifier_activation=None, **options)
        load_torchvision(model, state)
    if order == "channels_last":
        assert differ(run(model, x.transpose(0, 2, 3, 1)), y) < 1e-5
    else:  # which runs on accelerators only
        with data_format("channels_last"):
            other = vgg(dialect="torchvision", input_shape=(9, 11, 3), classifier_activation=None, **options)
        for ours, theirs in zip(model.get_weights(), load_torchvision(other, state).get_weights(), strict=True):
            assert np.array_equal(ours, theirs)


def test_depthwise_kernels():
    random = np.random.default_rng(0)
    state = {key: random.normal(size=shape).astype("float32") for key, shape in PUBLISHED["mobilenet_v2"].items()}
    model = load_torchvision(network("mobilenet_v2"), state)
    for name, key in (("stage1.block1", "features.1.conv.0"), ("stage3.block2", "features.5.conv.1")):
        kernel = model.get_layer(f"{name}.depthwise.conv").kernel
        for channel in (0, 7, 31):
            assert np.array_equal(kernel[:, :, channel, 0], state[f"{key}.0.weight"][channel, 0])


# The outputs, where torch and torchvision are installed.

HEADS = {"aux_logits": True, "transform_input": False, "init_weights": False}
RESNEXT = {"residual": partial(bottleneck, reduction=2, groups=32)}
REAL: dict[str, tuple[dict[str, Any], str, dict[str, Any], list[tuple[int, int]]]] = {
    "alexnet": ({}, "alexnet", {}, [(224, 224), (70, 99)]),
    **{name: ({}, name, {}, [(37, 70)]) for name in ("vgg11", "vgg13_bn", "vgg16", "vgg19_bn")},
    "googlenet": (HEADS, "googlenet", {}, [(97, 130), (64, 64)]),
    "inception_v3": (HEADS, "inception_v3", {}, [(299, 310)]),
    **{name: ({}, name, {}, [(81, 70)]) for name in PUBLISHED if name.startswith("resnet")},
    "resnext50_32x4d": ({}, "resnet50", RESNEXT, [(64, 64)]),
    **{name: ({}, name, {}, [(81, 70)]) for name in PUBLISHED if name.startswith("densenet")},
    "mobilenet_v2": ({}, "mobilenet_v2", {}, [(64, 64), (81, 70)]),
}


@pytest.mark.skipif(not all(map(find_spec, ("torch", "torchvision"))), reason="torch and torchvision are not installed")
@pytest.mark.parametrize("name", REAL)
def test_outputs_agree(name, tmp_path):
    options, ours, changed, sizes = REAL[name]
    request = json.dumps({"name": name, "options": options, "sizes": sizes})
    script = Path(torchvision_outputs.__file__)
    subprocess.run([sys.executable, script, request, path := tmp_path / "outputs.npz"], check=True)
    with np.load(path) as file:
        results = dict(file)
    shapes = json.loads(str(results.pop("shapes")))
    assert shapes == PUBLISHED.get(name, shapes)
    state = torchvision_outputs.random_state(shapes)
    given = {}
    for place, size in enumerate(sizes):
        model = load_torchvision(network(ours, input_shape=(*size, 3), **changed), state)
        y = run(model, torchvision_outputs.random_images(size))
        given |= {f"{place}.{key}": value for key, value in (y if isinstance(y, dict) else {"main": y}).items()}
        keras.backend.clear_session()
    assert given.keys() == results.keys()
    for key, expected in results.items():
        assert differ(expected[0], expected[1]) > 1e-3  # the images matter
        assert differ(given[key], expected) < 1e-5
