"""Weights in part or changed: other classes, channels, ranks, networks that hold one another, names of your own."""

from __future__ import annotations

import re
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import keras
import numpy as np
import pytest

from layerblocks.architectures import (
    cifar_resnet,
    fcn8s,
    fcn16s,
    fcn32s,
    inflate_kernel,
    load,
    resnet,
    resnet50,
    resnet_v2,
    vgg,
    vgg11,
    vgg13,
    vgg13_bn,
    vgg16,
)
from layerblocks.architectures.weight_names import TORCHVISION
from layerblocks.blocks import basic_residual, batch_norm, bottleneck, conv_bn, group_norm
from layerblocks.blocks.layers import FusedBatchNormalization

from ..agreement import differ, images, randomize, run

BATCH, LAYER = keras.layers.BatchNormalization, keras.layers.LayerNormalization
WIDTHS: dict[str, Any] = {"filters": (4, 4, 6, 6, 8), "classes": 3}
small_vgg = partial(vgg16, **WIDTHS, units=(9, 9), input_shape=(224, 224, 3))
small_fcn: dict[str, Any] = {**WIDTHS, "units": 9, "input_shape": (40, 50, 3)}
NETWORK: dict[str, Any] = {
    "repeats": (1, 1),
    "strides": (1, 2),
    "filters": 4,
    "residual": basic_residual,
    "input_shape": (16, 16, 3),
    "classes": 5,
    "dialect": "torchvision",
}
small = partial(resnet, **NETWORK)
torch_norm = partial(batch_norm, momentum=0.9, epsilon=1e-5)


def torch_state(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of `small` as torchvision names and turns them."""
    found = {}
    for layer in model.layers:
        where, _, kind = layer.name.rpartition(".")
        name = {"stem": {"conv": "conv1", "norm": "bn1"}.get(kind, ""), "classifier": "fc"}.get(where)
        if name is None and layer.weights:
            stage, block, unit = where.split(".")
            own = {"conv": "downsample.0", "norm": "downsample.1"}
            own = own if unit == "shortcut" else {"conv": f"conv{unit[-1]}", "norm": f"bn{unit[-1]}"}
            name = f"layer{stage[-1]}.{int(block[5:]) - 1}.{own[kind]}"
        for variable in layer.weights:
            value = np.array(variable)
            tensor = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}.get(variable.name)
            tensor = tensor or {"moving_mean": "running_mean", "moving_variance": "running_var"}[variable.name]
            found[f"{name}.{tensor}"] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
    return found


@cache
def trained() -> keras.Model:
    return randomize(small())


@cache
def state() -> dict[str, np.ndarray]:
    return torch_state(trained())


def tensors(model: keras.Model) -> dict[str, np.ndarray]:
    return {f"{layer.name}.{v.name}": np.array(v) for layer in model.layers for v in layer.weights}


def loaded(model: keras.Model, source: Any, **options: Any) -> Any:
    """Load and check that the report says what changed and what did not."""
    before = tensors(randomize(model, seed=7))
    report = load(model, source, **options)
    after = tensors(model)
    assert sorted([*report.loaded, *report.kept]) == sorted(after)
    for name in after:
        assert np.array_equal(after[name], before[name]) == (name in report.kept)
    return report


def refused(model: keras.Model, source: Any, match: str, **options: Any) -> None:
    before = tensors(model)
    with pytest.raises(ValueError, match=match) as caught:
        load(model, source, **options)
    assert "\n" not in str(caught.value)
    assert all(np.array_equal(value, before[name]) for name, value in tensors(model).items())


# One network in another.


def test_fcn_starts_from_vgg16():
    """As the paper has it: the convolutions, and the dense layers as convolutions; the scores are new."""
    source = randomize(small_vgg())
    model = fcn32s(**small_fcn)
    refused(model, source, "must be exactly the tensors of the network")
    report = loaded(model, source, missing="keep")
    assert {name.partition(".")[0] for name in report.kept} == {"score", "up"}
    assert report.unused == ("classifier.predictions.kernel", "classifier.predictions.bias")
    first = np.array(source.get_layer("classifier.dense1").kernel).reshape(7, 7, 8, 9)
    assert np.array_equal(model.get_layer("fc6.conv").kernel, first)
    assert np.array_equal(
        np.array(model.get_layer("fc7.conv").kernel)[0, 0], source.get_layer("classifier.dense2").kernel
    )

    torch = {}
    for place, layer in enumerate([layer for layer in source.layers if isinstance(layer, keras.layers.Conv2D)]):
        torch[f"features.{3 * place}.weight"] = np.array(layer.kernel).transpose(3, 2, 0, 1)
        torch[f"features.{3 * place}.bias"] = np.array(layer.bias)
    for number, name in (("0", "dense1"), ("3", "dense2"), ("6", "predictions")):
        kernel, bias = map(np.array, source.get_layer(f"classifier.{name}").weights)
        rows = first.transpose(3, 2, 0, 1).reshape(9, -1) if number == "0" else kernel.T
        torch |= {f"classifier.{number}.weight": rows, f"classifier.{number}.bias": bias}
    for given in (torch, {key.replace("classifier.0", "pre_logits.fc1"): value for key, value in torch.items()}):
        again = fcn32s(**small_fcn)
        kept = load(again, given, missing="keep").kept
        timm = given is not torch
        assert (len(kept) == 5 if timm else kept == report.kept) or timm
        assert np.array_equal(again.get_layer("block5.conv3.conv").kernel, model.get_layer("block5.conv3.conv").kernel)
        assert timm or np.array_equal(again.get_layer("fc6.conv").kernel, first)


def test_the_finer_fcn_starts_from_the_coarser():
    coarse, finer, finest = (make(**small_fcn) for make in (fcn32s, fcn16s, fcn8s))
    randomize(coarse)
    kept = loaded(finer, coarse, missing="keep").kept
    assert {name.rpartition(".conv")[0] for name in kept} == {"fuse4.up", "fuse4.score", "up"}
    load(randomize(finer, seed=3), coarse, missing="keep")
    kept = loaded(finest, finer, missing="keep").kept
    assert {name.rpartition(".conv")[0] for name in kept} == {"fuse3.up", "fuse3.score", "up"}
    assert np.array_equal(finest.get_layer("score.conv").kernel, coarse.get_layer("score.conv").kernel)


def test_a_deeper_vgg_starts_from_a_shallow_one():
    """Section 3.1 of the paper: the first four convolutions and the dense layers."""
    options: dict[str, Any] = {**WIDTHS, "units": (9, 9), "input_shape": (32, 32, 3)}
    shallow, deep = randomize(vgg11(**options)), vgg16(**options)
    report = loaded(deep, shallow, only=("block1.conv1", "block2.conv1", "block3", "classifier"), missing="keep")
    names = {name.rpartition(".")[0] for name in report.loaded if name.startswith("block")}
    assert names == {f"{name}.conv" for name in ("block1.conv1", "block2.conv1", "block3.conv1", "block3.conv2")}
    refused(deep, shallow, r"left in the model: block1\.conv2\.conv\.kernel", only="block1")


def test_layers_that_compute_something_else_are_refused_in_part_too():
    """Of the same name and shape."""
    apart = r"model must compute what source does; stage2\.block1\.conv1\.conv differs in"
    refused(resnet(**{**NETWORK, "dialect": "paper"}), trained(), apart, only="stage2.block1")
    refused(small(strides=(1, 1)), trained(), f"{apart} strides", missing="keep")


def shallower() -> tuple[keras.Model, dict[str, np.ndarray]]:
    """A VGG and its weights as torchvision numbers them, all of one width, so that any fits anywhere."""
    model = randomize(vgg13(**EQUAL))
    found: dict[str, np.ndarray] = {}
    for place, layer in enumerate([layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]):
        found[f"features.{3 * place}.weight"] = np.array(layer.kernel).transpose(3, 2, 0, 1)
        found[f"features.{3 * place}.bias"] = np.array(layer.bias)
    for number, name in (("0", "dense1"), ("3", "dense2"), ("6", "predictions")):
        kernel, bias = map(np.array, model.get_layer(f"classifier.{name}").weights)
        found |= {f"classifier.{number}.weight": kernel.T, f"classifier.{number}.bias": bias}
    return model, found


EQUAL: dict[str, Any] = {"filters": (4,) * 5, "units": (5, 5), "classes": 3, "input_shape": (32, 32, 3)}
EQUAL["dialect"] = "torchvision"


@pytest.mark.parametrize("make", [vgg16, vgg11, partial(vgg, convs=(2, 2, 2, 2, 1))])
def test_numbers_of_another_depth_are_no_names(make):
    """The seventh convolution of a VGG is another one in each; its shape may be the same."""
    _, given = shallower()
    said = (
        r"source must be one that counts as many layers as the network, \d+, as 'features\.\{b,c,kind\}' numbers them"
    )
    refused(make(**EQUAL), given, said, missing="keep")
    refused(make(**EQUAL), given, said, only="block5", missing="keep")
    refused(make(**EQUAL), given, "must be exactly the tensors of the network")
    fcn = {**WIDTHS, "filters": (4,) * 5, "units": 5, "input_shape": (40, 50, 3)}
    refused(fcn32s(**fcn), given, "source must be one that counts as many layers", missing="keep")


def test_convolutions_of_a_network_without_norms():
    """As many of them; a bias is no offset of a norm."""
    source, given = shallower()
    report = loaded(model := vgg13_bn(**EQUAL), given, missing="keep")
    assert {name.split(".")[-2] for name in report.loaded} == {"conv"}
    assert np.array_equal(model.get_layer("block4.conv2.conv").kernel, source.get_layer("block4.conv2.conv").kernel)


@pytest.mark.parametrize("only", ["block5", ("block2.conv2", "block4"), "block1.conv1"])
def test_a_part_has_the_numbers_of_the_whole(only):
    source, given = shallower()
    report = loaded(model := vgg13(**EQUAL), given, only=only)
    assert report.loaded
    for name in {name.rpartition(".")[0] for name in report.loaded}:
        assert np.array_equal(model.get_layer(name).kernel, source.get_layer(name).kernel), name


def of(activation: str) -> Any:
    return partial(conv_bn, use_bias=False, activation=activation, norm=torch_norm, padding="symmetric")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (lambda: small(conv=of("gelu")), r"they differ in \S+activation in activation"),
        (
            lambda: small(conv=of("relu"), preactivation=True),
            r"they differ in \S+activation, which only one of them has",
        ),
    ],
)
def test_the_activations_of_a_part_are_compared(source, said):
    """They have no weights, so that no tensor says which they are."""
    source = source()
    for part in ({"missing": "keep"}, {"only": "stage2", "missing": "keep"}):
        refused(small(conv=of("relu")), source, rf"load: model must compute what source does; {said}", **part)
    assert load(small(conv=of("relu")), source, dialect="torchvision", missing="keep").loaded


def test_logits_and_probabilities_have_the_same_weights_in_part_too():
    options = {**NETWORK, "classifier_activation": "softmax"}
    assert not loaded(resnet(**options), trained(), missing="keep").kept


def test_half_a_norm_is_none():
    """Scale and offset of one kind of norm without the statistics of another."""
    source = randomize(small(conv=partial(of("relu"), norm=partial(group_norm, groups=2))))
    report = loaded(small(), source, missing="keep")
    assert {name for name in report.loaded if ".norm." in name} == set()
    assert "stem.norm.gamma" in report.kept and "stem.norm.gamma" in report.unused
    state = {key: value for key, value in torch_state(trained()).items() if "running" not in key}
    assert not [name for name in loaded(small(), state, missing="keep").loaded if ".norm." in name]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda a: a * np.nan, ValueError, r"fc\.weight of source must be finite numbers, got nan"),
        (lambda a: a / 0, ValueError, r"fc\.weight of source must be finite numbers"),
        (lambda a: a.astype("int8"), ValueError, r"source\['fc.weight'\] must be an array of floating-point numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_are_no_trained_numbers(change, error, said):
    """Of a training that diverged, or quantized, whose scales are elsewhere."""
    for part in ({}, {"missing": "keep"}):
        with pytest.raises(error, match=f"load: {said}"):
            load(small(), {**state(), "fc.weight": change(state()["fc.weight"])}, **part)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("fc.bias", 1e300, r"fc\.bias of source must be numbers that float32 can hold, got 1e\+300"),
        ("bn1.running_var", -0.5, r"bn1\.running_var of source must be variances, numbers of at least 0, got -0\.5"),
    ],
)
def test_what_the_model_would_make_nan_of(key, value, said):
    refused(small(), {**state(), key: np.full(state()[key].shape, value)}, said)


@pytest.mark.parametrize("prefix", ["encoder.", "module.module.", "_orig_mod.module.", "net.model."])
def test_what_wrappers_put_before_every_name(prefix):
    """Modules in modules, and what PyTorch's guides call a state dict in a checkpoint."""
    wrapped = {f"{prefix}{key}": value for key, value in state().items()}
    for given in (wrapped, {"epoch": 3, "model_state_dict": wrapped}):
        model = small()
        assert load(model, given).dialect == "torchvision"
        assert all(np.array_equal(value, tensors(trained())[name]) for name, value in tensors(model).items())
    refused(small(), {**wrapped, "loss.weight": np.ones(3)}, "must be exactly the tensors of the network")


def test_a_prefix_does_not_hide_the_dialect():
    wrapped = {f"net.{key}": value for key, value in state().items()}
    refused(small(dialect="paper"), wrapped, "model must be built with dialect='torchvision'")


# Other classes, channels, ranks.


def test_other_classes():
    refused(small(classes=7), state(), "of another shape: classifier.predictions.kernel")
    report = loaded(small(classes=7), state(), missing="keep")
    assert report.kept == ("classifier.predictions.kernel", "classifier.predictions.bias")
    assert report.unused == () and report.dialect == "torchvision"
    assert "kept" in str(report) and "classifier.predictions.kernel" in str(report)


@pytest.mark.parametrize("channels", [1, 4, 13])
@pytest.mark.parametrize("how", ["sum", "mean", "repeat"])
@pytest.mark.parametrize("kind", ["state dict", "model"])
def test_other_channels(channels, how, kind):
    source = state() if kind == "state dict" else trained()
    model = small(input_shape=(16, 16, channels))
    refused(model, source, "of another shape: stem.conv.kernel")
    report = load(model, source, channels=how)
    assert report.changed[0].startswith("stem.conv.kernel ") and len(report.changed) == 1
    kernel, old = (np.array(given.get_layer("stem.conv").kernel) for given in (model, trained()))
    for place in range(channels):
        one = {"sum": old.sum(2) / channels, "mean": old.mean(2), "repeat": old[:, :, place % 3] * 3 / channels}[how]
        assert np.allclose(kernel[:, :, place], one, atol=1e-6)
    if how == "sum":
        grey = images(2, 16, 16, 1)
        given = (np.repeat(grey, channels, -1), np.repeat(grey, 3, -1))
        assert differ(run(model, given[0]), run(trained(), given[1])) < 1e-5


@pytest.mark.parametrize("how", ["mean", "center"])
def test_other_rank(how):
    """A video that stands still gives what its image gives, far from its ends."""
    kinds = ((keras.layers.Conv2D, (9, 9, 3)), (keras.layers.Conv3D, (5, 9, 9, 3)))
    flat, deep = (
        keras.Model(x := keras.Input(shape), kind(4, 3, padding="same", name="stem")(x)) for kind, shape in kinds
    )
    randomize(flat)
    refused(deep, flat, "of another shape: stem.kernel")
    assert load(deep, flat, inflate=how).changed == ("stem.kernel (3, 3, 3, 4) -> (3, 3, 3, 3, 4)",)
    image = images(1, 9, 9, 3)
    assert differ(run(deep, np.repeat(image[:, None], 5, 1))[:, 2], run(flat, image)) < 1e-5
    kernel = np.array(flat.get_layer("stem").kernel)
    assert np.array_equal(inflate_kernel(kernel, 3, how), deep.get_layer("stem").kernel)


def one_conv(kind: Any, shape: tuple[int, ...], norm: Any = None, activation: str = "relu", **options: Any) -> Any:
    x = keras.Input(shape)
    y = kind(2, 3, name="stem.conv", **options)(x)
    y = y if norm is None else norm(name="stem.norm")(y)
    y = keras.layers.Activation(activation, name="stem.activation")(y)
    return keras.Model(x, keras.layers.Flatten(name="flat")(y))


def test_layers_of_another_rank_are_compared():
    """And the activations after them."""
    flat, deep = partial(one_conv, keras.layers.Conv2D, (9, 9, 3)), partial(one_conv, keras.layers.Conv3D, (5, 9, 9, 3))
    said = "load: model must compute what source does; "
    refused(deep(strides=2), flat(), f"{said}stem.conv differs in strides", inflate="mean")
    refused(deep(dilation_rate=(1, 2, 1)), flat(), f"{said}stem.conv differs in dilation_rate", inflate="mean")
    refused(deep(activation="gelu"), flat(), f"{said}they differ in .*activation in activation", inflate="mean")
    assert not load(deep(strides=(1, 2, 2)), flat(strides=2), inflate="mean").kept


def test_another_kind_of_norm_is_refused():
    """Whose scale and offset have the same names and shapes."""
    made = {norm: one_conv(keras.layers.Conv2D, (9, 9, 3), norm) for norm in (BATCH, LAYER, FusedBatchNormalization)}
    said = "load: model must compute what source does; stem.norm is of LayerNormalization and not BatchNormalization"
    refused(made[LAYER], made[BATCH], said, missing="keep")
    assert not load(made[BATCH], made[FusedBatchNormalization], missing="keep").kept  # which computes the same


@pytest.mark.parametrize(
    ("kernel", "length", "how", "error", "message"),
    [
        (np.ones((3, 3, 1, 1)), 0, "mean", ValueError, "length must be a positive integer, got 0"),
        (np.ones((3, 3, 1)), 2, "mean", ValueError, r"kernel must be an array of shape \(height, width, in, out\)"),
        ("kernel", 2, "mean", TypeError, "kernel must be an array of numbers, got 'kernel'"),
        (np.ones((3, 3, 1, 1)), 2, "first", ValueError, "how must be one of 'mean' or 'center'"),
    ],
)
def test_bad_kernels(kernel, length, how, error, message):
    with pytest.raises(error, match=f"inflate_kernel: {message}"):
        inflate_kernel(kernel, length, how)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"stride_on": "1x1", "residual": bottleneck},
            "'stride_on' that changes it (strides of stage2.block1.conv1.conv",
        ),
        (
            {"conv": partial(conv_bn, activation="gelu", padding="symmetric", norm=torch_norm)},
            "'conv' that changes it (",
        ),
        (
            {"strides": (1, 1, 2, 2), "repeats": (1,) * 4},
            "'strides' that changes it (strides of stage2.block1.conv1.conv",
        ),
    ],
)
def test_an_argument_that_changes_what_is_computed(options, said):
    """In the right dialect; the tensors are the same."""
    kept = {key: value for key, value in options.items() if key in ("residual", "repeats")}
    source = torch_state(randomize(small(**{"strides": (1, 2, 2, 2)[: len(options.get("repeats", "of"))], **kept})))
    refused(small(**options), source, re.escape(said))
    assert not load(small(**options), source, dialect="torchvision").kept
    with pytest.raises(ValueError, match=re.escape(said)):
        small(**options, weights=source)


# Names of your own, and models that do not remember.


def test_names_of_your_own():
    renamed = {key.replace("fc.", "head.linear."): value for key, value in state().items()}
    table = {**TORCHVISION["resnet"], "classifier.predictions": "head.linear"}
    refused(small(), renamed, "left in source: head.linear.weight")
    refused(small(), renamed, "dialect must be said where names are given", names=table)
    assert not loaded(small(), renamed, names=table, dialect="torchvision").kept
    refused(
        resnet(**{**NETWORK, "dialect": "v1.5"}), renamed, "dialect='torchvision'", names=table, dialect="torchvision"
    )


def test_a_model_that_does_not_remember_is_not_believed_unsaid():
    whole = small()
    model = keras.Model(whole.input, whole.get_layer("classifier.pool").output, name="trunk")
    kept = {key: value for key, value in state().items() if not key.startswith("fc")}
    refused(model, kept, "dialect must be said, as 'trunk' does not remember how it was built; 'torchvision' computes")
    assert len(load(model, kept, dialect="torchvision").loaded) == len(kept)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"only": "stage9"}, ValueError, "load: only must be the name of a block"),
        ({"only": 3}, TypeError, "load: only must be the name of a block, or several"),
        ({"missing": "ignore"}, ValueError, "load: missing must be one of 'error' or 'keep'"),
        ({"channels": "max"}, ValueError, "load: channels must be one of None, 'sum', 'mean' or 'repeat'"),
        ({"inflate": True}, ValueError, "load: inflate must be one of None, 'mean' or 'center'"),
        ({"names": "fc"}, TypeError, "load: names must be a dict"),
        (
            {"names": {"classifier.predictions": "fc{n}"}},
            ValueError,
            r"load: names\['classifier.predictions'\] must be a",
        ),
        ({"names": {"block{b": "fc"}}, ValueError, "load: names.* must be a name in which .* stand"),
        ({"names": {3: "fc"}}, TypeError, "load: names must be text, got 3"),
        ({"names": {"fc": 3}}, TypeError, r"load: names\['fc'\] must be text, got 3"),
        ({"dialect": 3}, TypeError, "load: dialect must be text"),
        ({"dialect": "tensorflow"}, ValueError, "load: source must be weights of a network in one of the dialects"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message) as caught:
        load(small(), state(), **options)
    assert "\n" not in str(caught.value)


def test_nothing_in_common_is_an_error():
    refused(small(), {"conv9.weight": np.zeros((1, 1, 1, 1))}, "source must be weights some of which", missing="keep")
    with pytest.raises(ValueError, match="source must be weights themselves; 'imagenet' only exists for"):
        load(cifar_resnet(repeats=(1, 1, 1)), "imagenet")


# Other sources.


@pytest.mark.parametrize("wrap", [lambda state: {"state_dict": state, "epoch": 3}, lambda state: {"model": state}])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_checkpoints(wrap, prefix):
    """A state dict within one, of a module that was wrapped."""
    load(model := small(), wrap({f"{prefix}{key}": value for key, value in state().items()}))
    assert np.array_equal(model.get_layer("stem.conv").kernel, trained().get_layer("stem.conv").kernel)


@pytest.mark.skipif(not find_spec("safetensors"), reason="safetensors is not installed")
def test_safetensors(tmp_path):
    from safetensors.numpy import save_file

    save_file({key: np.ascontiguousarray(value) for key, value in state().items()}, path := tmp_path / "a.safetensors")
    model = resnet(**{**NETWORK, "dialect": "torchvision"}, weights=path)
    assert np.array_equal(model.get_layer("stem.conv").kernel, trained().get_layer("stem.conv").kernel)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"source must be a file of weights \(.*a\.safetensors"):
        load(small(), path)


def keras_hub_names(layer: str) -> str:
    words = layer.split(".")
    kind = {"conv": "conv", "norm": "bn"}[words[-1]]
    if words[0] == "stem":
        return f"conv1_{kind}"
    number = "0" if words[2] == "shortcut" else words[2][4:]
    return f"stack{int(words[0][5:]) - 1}_block{int(words[1][5:]) - 1}_{number}_{kind}"


def test_keras_hub():
    """Its ResNet backbones compute what torchvision does; their names begin at 0."""
    whole = trained()
    layers = [layer for layer in whole.layers if layer.weights and "classifier" not in layer.name]
    x = keras.Input((4, 4, 3))
    source = keras.Model(x, x)
    held = []
    for layer in layers:
        copy = type(layer).from_config({**layer.get_config(), "name": keras_hub_names(layer.name)})
        held.append(copy(keras.Input(layer.input.shape[1:])))
        copy.set_weights(layer.get_weights())
    source = keras.Model([y._keras_history.operation.input for y in held], held)
    model = resnet(**{**NETWORK, "include_top": False}, weights=source)
    report = load(model, source)
    assert report.dialect == "torchvision" and not report.kept and not report.unused
    assert np.array_equal(
        model.get_layer("stage2.block1.shortcut.conv").kernel, whole.get_layer("stage2.block1.shortcut.conv").kernel
    )


@pytest.mark.sweep
@pytest.mark.skipif(not find_spec("keras_hub"), reason="keras-hub is not installed")
@pytest.mark.parametrize("kind", ["basic_block", "bottleneck_block"])
@pytest.mark.parametrize("make", [resnet, resnet_v2])
def test_keras_hub_agrees(make, kind):
    import keras_hub

    blocks = [2, 2, 2, 2] if kind == "basic_block" else [3, 4, 6, 3]
    widths, strides = [64, 128, 256, 512], [1, 2, 2, 2]
    source = keras_hub.models.ResNetBackbone(
        [64], [7], widths, blocks, strides, kind, use_pre_activation=make is resnet_v2, image_shape=(81, 70, 3)
    )
    randomize(source)
    depth = 18 if kind == "basic_block" else 50
    model = make(depth=depth, include_top=False, input_shape=(81, 70, 3), weights=source)
    x = images(2, 81, 70, 3)
    assert differ(run(model, x), run(source, x)) < 1e-5


def test_a_network_that_was_given_its_dialect_by_its_weights():
    assert resnet50.__name__ == "resnet50"  # the families have the same words
    assert vgg(weights=None, input_shape=(32, 32, 3), units=(4,), **WIDTHS).origin.dialect == "paper"
