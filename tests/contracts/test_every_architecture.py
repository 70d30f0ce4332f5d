"""Every network of the catalogue goes through the check that we give to others, up to its last feature map.

A few sizes each, down to one pixel below the smallest, which has to be refused; of the deep ones, and in the dev
profile, one network of each kind.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import re
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from layerblocks import architectures
from layerblocks.architectures import build, list_architectures, variant
from layerblocks.architectures.catalogue import ENTRIES, constructor
from layerblocks.architectures.convnexts import V2_CONFIGS
from layerblocks.architectures.regnets import REGNET_X, REGNET_Y
from layerblocks.architectures.repvggs import REPVGG
from layerblocks.architectures.shufflenets import SHUFFLENET_FILTERS
from layerblocks.architectures.weight_names import APPLICATIONS
from layerblocks.blocks import weightless
from layerblocks.graphs import read_graph
from layerblocks.testing import check_net

from ..architectures.test_inception_resnets import SHORT as SHORT_INCEPTION_RESNET
from ..helpers import NIGHTLY

AXES = {1: "l", 2: "hw", 3: "dhw"}


def spec(side: str, channels: int | str, rank: int = 2, first: str | None = None, outputs: tuple[str, ...] = ()) -> str:
    """The same of every side, but for the first of a video; of several outputs all the same."""
    axes = AXES[rank]
    sides = [(side if place or first is None else first).format(n=axis) for place, axis in enumerate(axes)]
    shape = f"b {' '.join(sides)} {channels}"
    made = f"{{{', '.join(f'{key}: {shape}' for key in outputs)}}}" if outputs else shape
    return f"b {' '.join(axes)} 3 -> {made}"


VALID_POOLS = "((({n}-1)//2-2-1)//2-2-1)//2"
SIDES = {
    "lenet5": ("((({n}-4)//2)-4)//2-4", 32),
    "alexnet": ("(((({n}-7)//4-1)//2-1)//2-1)//2", 67),
    "zfnet": ("(ceil((ceil(({n}-3)//2/2)-3)//2/2)-1)//2", 53),
    "googlenet": ("ceil({n}/32)", 1),
    "googlenet_torchvision": ("ceil(ceil({n}/2)//2//2//2/2)", 15),
    "inception_v3": (f"((({VALID_POOLS})-1)//2-1)//2", 75),
    "vgg": ("{n}//32", 32),
    "resnet": ("ceil({n}/32)", 1),
    "cifar_resnet": ("ceil({n}/4)", 1),
    "densenet": ("ceil({n}/4)//8", 29),
    "cifar_densenet": ("{n}//4", 4),
    "xception": ("ceil((({n}-1)//2-2)/16)", 7),
    "mobilenet": ("ceil({n}/32)", 1),
    "efficientnet": ("ceil({n}/32)", 1),
    "resnext": ("ceil({n}/32)", 1),
    "wide_resnet": ("ceil({n}/32)", 1),
    "eca_resnet": ("ceil({n}/32)", 1),
    "darknet": ("ceil({n}/32)", 1),
    **dict.fromkeys(("cspdarknet", "cspresnet", "cspresnext"), ("ceil({n}/32)", 1)),
    "ghostnet": ("ceil({n}/32)", 1),
    "repvgg": ("ceil({n}/32)", 1),
    "resnest": ("ceil({n}/32)", 1),
    "res2net": ("ceil({n}/32)", 1),
    "regnet": ("ceil({n}/32)", 1),
    "mnasnet": ("ceil({n}/32)", 1),
    "shufflenet": ("ceil({n}/32)", 1),
    "squeezenet1_0": ("(({n}-5)//2)//2//2//2", 21),
    "squeezenet1_1": ("(({n}-1)//2)//2//2//2", 17),
    "convnext": ("{n}//32", 32),
    **dict.fromkeys(("inception_resnet", "inception_v4"), (f"((({VALID_POOLS})-1)//2-1)//2", 75)),
    "nasnet": ("ceil((({n}-1)//2)/16)", 3),
    "hrnet": ("ceil({n}/32)", 1),
    "convmixer": ("{n}//7", 7),
    "convmixer_1024": ("{n}//14", 14),
    **dict.fromkeys(("r3d", "mc3", "r2plus1d"), ("ceil({n}/16)", 1)),
    **dict.fromkeys(("wavenet", "tcn", "espcn", "edsr"), ("{n}", 1)),
    "srcnn": ("{n}-8", 9),
    "dcgan_discriminator": ("ceil({n}/16)", 1),
    "pix2pix_discriminator": ("{n}//8-1", 16),
}
FRAMES = {"r3d_18": "ceil({n}/8)", "mc3_18": "{n}", "r2plus1d_18": "ceil({n}/8)"}  # along the first side
CHANNELS = {
    "lenet5": 120,
    "alexnet": 256,
    "zfnet": 256,
    "googlenet": 1024,
    "googlenet_bn": 1024,
    "googlenet_torchvision": 1024,
    "inception_v3": 2048,
    "se_resnet50": 2048,
    "cifar_resnet164_v2": 256,
    "densenet121": 1024,
    "densenet161": 2208,
    "densenet169": 1664,
    "densenet201": 1920,
    "densenet264": 2688,
    "cifar_densenet40": 448,
    "cifar_densenet_bc100": 342,
    "xception": 2048,
    "mobilenet": 1024,
    "mobilenet_v2": 1280,
    **{f"efficientnet_b{n}": width for n, width in enumerate((1280, 1280, 1408, 1536, 1792, 2048, 2304, 2560))},
    **dict.fromkeys((f"efficientnet_v2_{n}" for n in ("b0", "b1", "s", "m", "l")), 1280),
    "efficientnet_v2_b2": 1408,
    "efficientnet_v2_b3": 1536,
    "convnext_tiny": 768,
    "convnext_small": 768,
    "convnext_base": 1024,
    "convnext_large": 1536,
    "convnext_xlarge": 2048,
    "mobilenet_v3_small": 576,
    "mobilenet_v3_large": 960,
    "inception_resnet_v2": 1536,
    "inception_v4": 1536,
    "nasnet_mobile": 1056,
    "nasnet_large": 4032,
    **dict.fromkeys(("hrnet_w18", "hrnet_w32", "hrnet_w48"), 2048),
    "convmixer_1536_20": 1536,
    "convmixer_768_32": 768,
    "convmixer_1024_20": 1024,
}
CHANNELS |= {
    **{f"regnet_x_{size}": stages[-1][1] for size, (stages, _) in REGNET_X.items()},
    **{f"regnet_y_{size}": stages[-1][1] for size, (stages, _) in REGNET_Y.items()},
    **dict.fromkeys(("mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"), 1280),
    **{f"shufflenet_v2_{size}": filters[-1] for size, filters in SHUFFLENET_FILTERS.items()},
    **dict.fromkeys(("squeezenet1_0", "squeezenet1_1"), 512),
}
CHANNELS |= dict.fromkeys(("resnet200d", "resnet200_v2"), 2048)
CHANNELS |= {"ghostnet_1_0": 960, "darknet53": 1024, "cspdarknet53": 1024, "cspresnet50": 1024, "cspresnext50": 2048}
CHANNELS |= {f"repvgg_{size}": filters[-1] for size, (_, filters) in REPVGG.items()}
CHANNELS |= {f"convnext_v2_{size}": filters[-1] for size, (_, filters) in V2_CONFIGS.items()}
CHANNELS |= dict.fromkeys(("r3d_18", "mc3_18", "r2plus1d_18"), 512)
CHANNELS |= {"wavenet": 512, "tcn": 25, "srcnn": 32, "espcn": 32, "dcgan_discriminator": 512}
CHANNELS |= {"pix2pix_discriminator": 512, **{f"edsr_baseline_x{scale}": 64 for scale in (2, 3, 4)}}
SEGMENTATION = {"fcn32s": 21, "fcn16s": 21, "fcn8s": 21, "unet": 2}
PSPNETS = ("pspnet_resnet50", "pspnet_resnet101")
DILATED = ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large")
SEGMENTATION |= {"attention_unet": 1, "resunet": 1, "vnet": 2, "unet_plus_plus": 1}
SEGMENTATION |= {"segnet": 11, "linknet_resnet18": 20, **dict.fromkeys(("fc_densenet56", "fc_densenet67"), 11)}
SEGMENTATION |= {"fc_densenet103": 11, "deeplab_v3_plus_resnet101": 21}
SEGMENTATION |= dict.fromkeys(("semantic_fpn_resnet50", "semantic_fpn_resnet101"), 19)
SEGMENTATION |= {**dict.fromkeys(DILATED, 21), "lraspp_mobilenet_v3_large": 21}
SEGMENTATION |= dict.fromkeys(PSPNETS, 21)

DEEP = {"cifar_resnet1202"}  # its like are here
DEEP_ISH = {"resnet101", "resnet152", "densenet169", "densenet201", "densenet264", "cifar_resnet110"}
DEEP_ISH |= {"resnest101", "res2net101", "resnet101d", "resnet152d", "resnet200d", "resnet200_v2", "eca_resnet101d"}
DEEP_ISH |= {"inception_resnet_v2", "nasnet_mobile", "nasnet_large", *DILATED, "lraspp_mobilenet_v3_large"}
DEEP_ISH |= {*PSPNETS, "deeplab_v3_plus_resnet101", "semantic_fpn_resnet101", "fc_densenet103"}
DEEP_ISH |= {"hrnet_w18", "hrnet_w32", "hrnet_w48", "inception_v4"}
ONE_EACH = {
    *("lenet5", "alexnet", "zfnet", "googlenet_torchvision", "vgg11_bn", "resnet18", "resnet18_v2", "cifar_resnet20"),
    *("cifar_densenet40", "xception", "mobilenet", "mobilenet_v2", "fcn8s", "unet"),
    *("efficientnet_b0", "efficientnet_v2_b0", "convnext_tiny", "mobilenet_v3_small"),
    *("regnet_y_400mf", "mnasnet0_5", "shufflenet_v2_x0_5", "squeezenet1_0"),
    *("inception_resnet_v2", "nasnet_mobile", "convmixer_768_32"),
    *("lraspp_mobilenet_v3_large", "r2plus1d_18"),
    *("tcn", "srcnn", "dcgan_discriminator"),
}
# Whose sides are multiples of a patch or of windows, or who have weights for each place: test_transformers.py.
OF_SOME_SIZES = {name for name in list_architectures() if ENTRIES[name].module in ("vits", "swins", "mixers")}
# What enlarges much, is very wide, or has a kernel over all of a side: test_generators.py, test_super_resolutions.py,
# test_signals.py.
OF_SOME_SIZES |= {"dcgan_generator", "pix2pix_generator", "edsr_x2", "edsr_x3", "edsr_x4", "eegnet_8_2", "eegnet_4_2"}
NAMES = [n for n in list_architectures() if (n in ONE_EACH or NIGHTLY) and n not in DEEP | OF_SOME_SIZES]


@pytest.mark.parametrize("name", [name for name in list_architectures() if name not in DEEP or NIGHTLY])
def test_the_catalogue_counts_what_is_built(name):
    entry = ENTRIES[name]
    with weightless():
        model = build(name)
    trained = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    assert (model.name, trained, model.count_params()) == (name, entry.trainable_parameters, entry.parameters)
    assert read_graph(model).multiply_adds == entry.multiply_adds


@pytest.mark.parametrize("name", list_architectures())
def test_help(name):
    """A title, a source with its year, and an example."""
    made, entry = constructor(name), ENTRIES[name]
    assert made.__name__ == name and ">>>" in inspect.getdoc(made) and entry.title
    assert re.search(r"[A-Z]\w+.* \d{4}b?$", entry.paper)


def test_the_stub_has_all_that_is_public():
    """For type checkers and editors; at run time a line in the catalogue is enough."""
    stub = Path(architectures.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    families = re.findall(r"^from \.(\w+) import \*", stub, re.MULTILINE)
    found = {*re.findall(r"^from \.\w+ import (\w+) as \1$", stub, re.MULTILINE)}
    for family in families:
        found |= {*vars(importlib.import_module(f"{architectures.__name__}.{family}"))}
    assert {entry.module for entry in ENTRIES.values()} == {*families}
    assert {*list_architectures()} <= {*architectures.__all__} <= found


def test_a_network_needs_no_line_but_that_of_the_catalogue(monkeypatch):
    """A constructor in a file of the package resolves by its entry, whatever the stub says."""
    mine = variant(architectures.lenet5, "mine", "Mine.")
    monkeypatch.setattr("layerblocks.architectures.lenets.mine", mine, raising=False)
    ENTRIES["mine"] = dataclasses.replace(ENTRIES["lenet5"], name="mine")
    try:
        importlib.reload(architectures)  # which reads the catalogue when it is imported
        assert architectures.mine is mine and "mine" in architectures.__all__
        assert "mine" in list_architectures() and build("mine", weights=None).name == "mine"
    finally:
        del ENTRIES["mine"]
        importlib.reload(architectures)


def test_nobody_is_said_to_have_what_nobody_has():
    """Keras's dialect is that of networks in `keras.applications`, torchvision's not that of what it lacks."""
    with_keras = {name for name in list_architectures() if "keras" in constructor(name).dialects}
    assert with_keras == {*APPLICATIONS}
    assert all(hasattr(keras.applications, application.name) for application in APPLICATIONS.values())
    lacking = (
        "vgg11_lrn",
        "vgg16c",
        "vgg16c_bn",
        "zfnet",
        "resnet18_v2",
        "se_resnet50",
        "densenet264",
        "unet",
        "fcn8s",
    )
    assert not any("torchvision" in constructor(name).dialects for name in lacking)


@pytest.mark.parametrize(
    "name, options, said",
    [
        ("zfnet", {"groups": 7}, "zfnet: groups must be None, as no layer has groups, got 7"),
        ("alexnet", {"dialect": "torchvision", "groups": 1}, "alexnet: groups must be None, as no layer has groups"),
        ("alexnet", {"dialect": "notes_bn", "lrn": False}, "alexnet: lrn must be True, as layers have no local resp"),
        ("cifar_resnet20", {"depth": 18}, "cifar_resnet20: depth must be None where residual, repeats and filters"),
        ("googlenet_torchvision", {"dialect": "paper"}, "dialect must be one of 'torchvision', got 'paper'"),
        ("resnet18", {"pooling": "max"}, "resnet18: pooling must be None with include_top=True, .* got 'max'"),
        ("unet", {"pooling": "avg"}, "unet: pooling must be None with include_top=True, .* got 'avg'"),
        ("vgg16_bn", {"dialect": "keras"}, "vgg16_bn: dialect must be one of 'paper' or 'torchvision'"),
        ("resnet18", {"dialect": "keras"}, "resnet18: dialect must be one of "),
    ],
)
def test_what_would_do_nothing_is_refused(name, options, said):
    with weightless(), pytest.raises(ValueError, match=said):
        build(name, **options)


def numpy_arguments(name: str) -> dict[str, Any]:
    """The numbers among a network's default arguments, as small as NumPy has them."""

    def small(value: Any) -> Any:
        if isinstance(value, tuple):
            return [small(item) for item in value]
        return np.min_scalar_type(value).type(value) if type(value) is int else value

    own = inspect.signature(constructor(name)).parameters.values()
    return {p.name: small(p.default) for p in own if isinstance(p.default, int | tuple) and p.name != "input_shape"}


@pytest.mark.parametrize("name", sorted({*ONE_EACH, "cifar_densenet_bc100", "vit_b_16", "swin_t", "mixer_b_16"}))
def test_numbers_of_numpy_are_numbers(name):
    """NumPy's own wrap around: 4 times 100 is 144 in eight bits."""
    with weightless():
        assert build(name, **numpy_arguments(name)).count_params() == ENTRIES[name].parameters


def test_a_product_of_numbers_of_numpy():
    small = {"depth": 10, "growth_rate": np.uint8(100), "bottleneck": np.uint8(4)}
    with weightless():
        assert architectures.cifar_densenet(**small).count_params() == 1_291_698


@pytest.mark.parametrize("name", sorted(ONE_EACH) if NIGHTLY else ["alexnet", "cifar_densenet40", "resnet18", "unet"])
@pytest.mark.parametrize("value", ["3", 3.5, float("nan"), [None], {}, np.zeros(2), b"x", -1, 0, "a\n\x1b[31m"])
def test_arguments_of_another_kind_are_refused_in_one_line(name, value):
    """By the network or by the block that it is for; a value that is one of theirs is built."""
    own = [word for word in inspect.signature(constructor(name)).parameters if word not in ("conv", "weights", "name")]
    for word in own:
        try:
            with weightless():
                build(name, **{"include_top": False, "pooling": "avg", word: value})
        except (TypeError, ValueError) as error:
            line = str(error)
            assert "\n" not in line and "\x1b" not in line and len(line) <= 600, line
            assert ": " in line


def kind(name: str) -> str:
    """The longest key of `SIDES` that the name begins with."""
    name = name.removeprefix("se_")
    return max((word for word in SIDES if name.startswith(word)), key=len)


def channels(name: str) -> int:
    if name in CHANNELS:
        return CHANNELS[name]
    if name.startswith("cifar_resnet"):
        return 64
    bottlenecks = any(depth in name for depth in ("50", "101", "152"))
    return 2048 if bottlenecks else 512


SHORT: dict[str, dict[str, Any]] = {
    "convnext_tiny": {"repeats": (1, 1, 2, 1)},
    "convmixer_768_32": {"repeats": 2},
    "inception_resnet_v2": {"layers": SHORT_INCEPTION_RESNET},
    "nasnet_mobile": {"cells": 1},
}
"""Fewer equal blocks, but nightly, as the check builds a network forty times."""


def network(x, name, **options):
    return build(name, input_tensor=x, **({} if NIGHTLY else SHORT.get(name, {})), **options).output


@pytest.mark.sweep_only(
    *("cifar_densenet40", "googlenet_torchvision", "xception", "efficientnet_b0", "efficientnet_v2_b0"),
    *("regnet_y_400mf", "mnasnet0_5", "shufflenet_v2_x0_5", "squeezenet1_0"),
    *("convnext_tiny", "mobilenet_v3_small", "inception_resnet_v2", "nasnet_mobile", "convmixer_768_32"),
    *("lraspp_mobilenet_v3_large", "r2plus1d_18"),
    *("tcn", "srcnn", "dcgan_discriminator"),
)
@pytest.mark.parametrize("name", NAMES)
def test_architecture(name, record_property):
    record_property("nets", tried(name, 2))


def tried(name: str, rank: int) -> int:
    """How many networks of one size or another `check_net` tried, the smallest and a smaller one among them."""
    if name in SEGMENTATION:
        options = {"dialect": "same"} if name == "unet" else {}
        outputs = ("main", "aux1") if name in (*DILATED, *PSPNETS) else ()
        shape, least = spec("{n}", SEGMENTATION[name], rank, outputs=outputs), 1
        net = partial(network, name=name, **options)
    else:
        side, least = SIDES[kind(name)]
        net = partial(network, name=name, include_top=False)
        shape = spec(side, channels(name), rank, FRAMES.get(name))
    quick = 1 if name in DEEP_ISH else 3 if NIGHTLY else 2
    return check_net(net, shape, sides=(max(1, least - 1), least + 40), least=least, max_examples=quick).examples


OF_IMAGES = {"inception_v3", "inception_v4", "inception_resnet_v2"}  # whose kernels are n×1 and 1×n


@pytest.mark.sweep_but("1-resnet18", "3-unet")
@pytest.mark.parametrize("name", [n for n in NAMES if n not in OF_IMAGES and (NIGHTLY or n in ONE_EACH)])
@pytest.mark.parametrize("rank", [1, 3])
def test_architecture_of_signals_and_volumes(name, rank, record_property):
    record_property("nets", tried(name, rank))


@pytest.mark.sweep_but("1-lenet5", "3-mobilenet")
@pytest.mark.parametrize("name", sorted(ONE_EACH - SEGMENTATION.keys() - OF_IMAGES))
@pytest.mark.parametrize("rank", [1, 3])
def test_the_smallest_signal_and_volume_are_as_large_as_the_smallest_image(name, rank):
    _, least = SIDES[kind(name)]
    net = partial(build, name, include_top=False)
    with weightless():
        assert net(input_shape=(*[least] * rank, 3)).output_shape == (None, *[1] * rank, channels(name))
    if least > 1:
        with weightless(), pytest.raises(ValueError, match=f"at least .*{least}"):
            net(input_shape=(*[least] * (rank - 1), least - 1, 3))


@pytest.mark.sweep_only("googlenet")
@pytest.mark.parametrize("name", ["googlenet", "resnet18", "mobilenet"])
def test_with_the_classifier(name):
    """Outputs by role; the head in float32."""
    outputs = {"main": "b 10", "aux1": "b 10", "aux2": "b 10"} if name == "googlenet" else "b 10"
    made = (
        f"b h w 3 -> {{{', '.join(f'{role}: {shape}' for role, shape in outputs.items())}}}"
        if isinstance(outputs, dict)
        else f"b h w 3 -> {outputs}"
    )
    least = 65 if name == "googlenet" else 1
    net = partial(network, name=name, classes=10)
    check_net(net, made, sides=(max(1, least - 1), least + 40), least=least, mixed_dtype="float32", max_examples=2)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SEGMENTATION])
def test_the_smallest_input_is_that_of_the_check(name):
    """`smallest_input` searches by building, the specification says it in advance."""
    if name in DEEP_ISH or name.startswith(
        ("inception", "densenet", "cifar_densenet", "efficientnet", "convnext", "convmixer")
    ):
        pytest.skip("its search builds a dozen deep networks")
    with weightless():
        found = constructor(name).smallest_input(include_top=False, input_shape=(None, None, 3))
    assert found == SIDES[kind(name)][1]
