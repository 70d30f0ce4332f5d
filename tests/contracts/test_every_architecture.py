"""Every network of the catalogue goes through the check that we give to others, up to its last feature map.

A few sizes each, down to one pixel below the smallest, which has to be refused; of the deep ones, and in the dev
profile, one network of each kind.
"""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import settings

from layerblocks.architectures import build, list_architectures
from layerblocks.blocks import weightless
from layerblocks.testing import check_net

THOROUGH = settings().max_examples >= 100


def spec(side: str, channels: int | str) -> str:
    """The same of height and width."""
    return f"b h w 3 -> b {side.format(n='h')} {side.format(n='w')} {channels}"


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
}
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
    "densenet169": 1664,
    "densenet201": 1920,
    "densenet264": 2688,
    "cifar_densenet40": 448,
    "cifar_densenet_bc100": 342,
    "xception": 2048,
    "mobilenet": 1024,
    "mobilenet_v2": 1280,
}
SEGMENTATION = {"fcn32s": 21, "fcn16s": 21, "fcn8s": 21, "unet": 2}

DEEP = {"cifar_resnet1202"}  # its like are here
DEEP_ISH = {"resnet101", "resnet152", "densenet169", "densenet201", "densenet264", "cifar_resnet110"}
ONE_EACH = {
    *("lenet5", "alexnet", "zfnet", "googlenet_torchvision", "vgg11_bn", "resnet18", "resnet18_v2", "cifar_resnet20"),
    *("cifar_densenet40", "xception", "mobilenet", "mobilenet_v2", "fcn8s", "unet"),
}
NAMES = [name for name in list_architectures() if (name in ONE_EACH or THOROUGH) and name not in DEEP]


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


def network(x, **options):
    return build(input_tensor=x, **options).output


@pytest.mark.parametrize("name", NAMES)
def test_architecture(name):
    if name in SEGMENTATION:
        options = {"dialect": "same"} if name == "unet" else {}
        net, shape, least = partial(network, name=name, **options), spec("{n}", SEGMENTATION[name]), 1
    else:
        side, least = SIDES[kind(name)]
        net, shape = partial(network, name=name, include_top=False), spec(side, channels(name))
    quick = 1 if name in DEEP_ISH else 3 if THOROUGH else 2
    check_net(net, shape, sides=(max(1, least - 1), least + 40), least=least, max_examples=quick)


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
    if name in DEEP_ISH or name.startswith(("inception", "densenet", "cifar_densenet")):
        pytest.skip("its search builds a dozen deep networks")
    from layerblocks.architectures.catalogue import constructor

    with weightless():
        found = constructor(name).smallest_input(include_top=False, input_shape=(None, None, 3))
    assert found == SIDES[kind(name)][1]
