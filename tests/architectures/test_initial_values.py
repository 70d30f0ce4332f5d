"""What networks begin with, measured: the spread of every kernel and bias against the formula of its source."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest

from layerblocks import blocks
from layerblocks.architectures import (
    alexnet,
    cifar_densenet40,
    cifar_resnet,
    cifar_resnet20,
    densenet121,
    fcn8s,
    googlenet_torchvision,
    inception_v3,
    lenet5,
    mobilenet,
    mobilenet_v2,
    resnet18,
    resnet18_v2,
    resnet50,
    se_resnet50,
    unet,
    vgg11,
    vgg11_bn,
    vgg16,
    vgg19,
    xception,
)
from layerblocks.architectures.lenets import C3
from layerblocks.blocks import squeeze_excite, weightless

Rule = Callable[[str, tuple[int, ...], bool], float]
"""Standard deviation of a kernel by the layer's name, the kernel's shape and whether it is depthwise."""

ZEROS = keras.initializers.Zeros
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.DepthwiseConv2D)


def fans(shape: tuple[int, ...], depthwise: bool = False) -> tuple[int, int]:
    """Fan-in and fan-out as `torch.nn.init` counts them: a depthwise kernel, (out, 1, height, width), has one input."""
    *sides, inner, outer = shape
    area = math.prod(sides)
    return (area, inner * outer * area) if depthwise else (inner * area, outer * area)


def he_out(_: str, shape: tuple[int, ...], depthwise: bool) -> float:
    return math.sqrt(2 / fans(shape, depthwise)[1])


def he_in(_: str, shape: tuple[int, ...], depthwise: bool) -> float:
    return math.sqrt(2 / fans(shape, depthwise)[0])


def torch_default(_: str, shape: tuple[int, ...], depthwise: bool) -> float:
    return math.sqrt(1 / 3 / fans(shape, depthwise)[0])


def glorot(_: str, shape: tuple[int, ...], depthwise: bool) -> float:
    return math.sqrt(2 / sum(fans(shape)))


def constant(stddev: float, **others: float) -> Rule:
    return lambda name, shape, depthwise: next((v for word, v in others.items() if name.startswith(word)), stddev)


# By network: the rule of the convolutions, that of the dense layers, and whether a dense layer's bias is that of torch,
# uniform up to 1/sqrt(fan-in), or nought. Read off torchvision 0.20.
TORCHVISION: dict[Any, tuple[Rule, Rule, bool]] = {
    "alexnet": (torch_default, torch_default, True),
    "vgg11": (he_out, constant(0.01), False),
    "vgg11_bn": (he_out, constant(0.01), False),
    "vgg19": (he_out, constant(0.01), False),
    "googlenet_torchvision": (constant(0.01), constant(0.01), True),
    "inception_v3": (constant(0.1), constant(0.1, aux1=0.001), True),
    "resnet18": (he_out, torch_default, True),
    "resnet50": (he_out, torch_default, True),
    "densenet121": (he_in, torch_default, False),
    "mobilenet_v2": (he_out, constant(0.01), False),
}
NARROW = {"units": (96, 64), "classes": 80}
MADE = {
    "alexnet": partial(alexnet, **NARROW),
    "vgg11": partial(vgg11, **NARROW),
    "vgg11_bn": partial(vgg11_bn, **NARROW),
    "vgg19": partial(vgg19, **NARROW),
    **{made.__name__: made for made in (googlenet_torchvision, inception_v3, resnet18, resnet50, densenet121)},
    "mobilenet_v2": mobilenet_v2,
}


def initial(made: Callable[..., keras.Model], **options: Any) -> dict[str, tuple[Any, Any, Any]]:
    """By name a layer, and its kernel and bias as its initialisers make them.

    Of layers of one kind, side and initialiser the one with the largest kernel of up to 2e5 weights, or the smallest.
    """
    keras.utils.set_random_seed(3)
    with weightless():
        layers = [layer for layer in made(**options).layers if isinstance(layer, (*CONVOLUTIONS, keras.layers.Dense))]
    alike: dict[Any, list[Any]] = {}
    for layer in layers:
        draw, bias = drawn_by(layer), layer.bias_initializer.get_config()
        key = type(layer), layer.weights[0].shape[:-2], type(draw), str({**draw.get_config(), "seed": 0})
        alike.setdefault((*key, type(layer.bias_initializer), len(bias)), []).append(layer)
    found = {}
    for group in alike.values():
        group.sort(key=lambda one: math.prod(one.weights[0].shape))
        layer = ([one for one in group if math.prod(one.weights[0].shape) < 2e5] or group[:1])[-1]
        kernel, *rest = layer.weights
        bias = np.asarray(layer.bias_initializer(rest[0].shape)) if rest else np.zeros(1)
        found[layer.name] = layer, np.asarray(drawn_by(layer)(kernel.shape)), bias
    return found


def drawn_by(layer: Any) -> Any:
    return getattr(layer, "depthwise_initializer", None) or layer.kernel_initializer


def check(found: dict[str, tuple[Any, Any, Any]], convolutions: Rule, dense: Rule) -> None:
    measured = 0
    for name, (layer, kernel, _) in found.items():
        rule = dense if isinstance(layer, keras.layers.Dense) else convolutions
        expected = rule(name, kernel.shape, isinstance(layer, keras.layers.DepthwiseConv2D))
        if kernel.size >= 200:
            measured += 1
            near = 0.02 + 2.5 / math.sqrt(kernel.size)
            np.testing.assert_allclose(np.sqrt(np.mean(kernel**2)), expected, rtol=near, err_msg=name)
    assert measured > len(found) / 2


@pytest.mark.sweep_but("alexnet", "vgg11_bn", "resnet18", "mobilenet_v2")
@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name):
    convolutions, dense, biased = TORCHVISION[name]
    found = initial(MADE[name], dialect="torchvision")
    check(found, convolutions, dense)
    for layer_name, (layer, kernel, bias) in found.items():
        if (isinstance(layer, keras.layers.Dense) and biased) or name == "alexnet":
            bound = fans(kernel.shape)[0] ** -0.5
            assert abs(bias).max() <= bound, layer_name
            near = 0.02 + 2.5 / math.sqrt(bias.size)
            np.testing.assert_allclose(np.std(bias), bound / math.sqrt(3), rtol=near, err_msg=layer_name)
        else:
            assert not bias.any(), layer_name


# Read off timm 1.0; of a depthwise kernel timm counts the channels in Xception and not in MobileNet.
TIMM: dict[str, tuple[Callable[..., keras.Model], Rule, Rule]] = {
    "mobilenet": (
        mobilenet,
        lambda name, shape, depthwise: math.sqrt(2 / (fans(shape)[1] if not depthwise else math.prod(shape[:2]))),
        lambda _, shape, __: math.sqrt(1 / 3 / shape[1]),
    ),
    "se_resnet50": (se_resnet50, he_out, torch_default),
    "resnet18_v2": (resnet18_v2, he_out, constant(0.01)),
    "xception": (xception, he_out, torch_default),
}


@pytest.mark.sweep_but("mobilenet")
@pytest.mark.parametrize("name", TIMM)
def test_timm(name):
    make, convolutions, dense = TIMM[name]
    check(initial(make, dialect="timm"), convolutions, dense)
    with weightless():
        layers = {layer.name: layer for layer in make(dialect="timm").layers if layer.weights}
    zeros = [one for one, layer in layers.items() if isinstance(getattr(layer, "gamma_initializer", None), ZEROS)]
    assert zeros == [one for one in layers if name == "se_resnet50" and one.endswith("conv3.norm")]
    for one in layers.values() if name == "xception" else ():
        if isinstance(one, keras.layers.SeparableConv2D):
            depthwise, pointwise = (weight.shape for weight in one.weights[:2])
            drawn = [
                made(shape)
                for made, shape in ((one.depthwise_initializer, depthwise), (one.pointwise_initializer, pointwise))
            ]
            assert np.std(drawn[0]) == pytest.approx(he_out("", depthwise, True), rel=0.1)
            assert np.std(drawn[1]) == pytest.approx(he_out("", pointwise, False), rel=0.05)
            break


def test_a_normal_distribution_is_not_cut_off():
    """Keras's `he_normal` ends at two deviations, torch's does not."""
    for name in ("resnet18", "vgg11"):
        found = initial(partial(MADE[name], include_top=False), dialect="torchvision")
        _, kernel, _ = max(found.values(), key=lambda each: each[1].size)
        assert abs(kernel).max() > 3 * kernel.std(), name


# The papers.


def test_lenet5_begins_within_2_4_over_the_inputs_of_a_unit():
    """Appendix A of LeCun et al. 1998; the units of C3 have as many inputs as the table says."""
    keras.utils.set_random_seed(3)
    model = lenet5()
    inputs = {"c1.conv": 25, "c5.conv": 400, "classifier.dense1": 120}
    for name, fan_in in inputs.items():
        for weight in model.get_layer(name).weights:
            values = abs(np.asarray(weight))
            assert 0.6 * 2.4 / fan_in < values.max() <= 2.4 / fan_in, (name, weight.name)
    kernel, bias = map(np.asarray, model.get_layer("c3.conv").weights)
    start = 0
    for seen, offset in zip(C3, bias, strict=True):
        limit = 2.4 / (25 * len(seen))
        values = abs(kernel[..., start : start + len(seen)])
        assert 0.9 * limit < values.max() <= limit and abs(offset) <= limit
        start += len(seen)
    for name in ("s2.scale.conv", "s4.scale.conv"):  # the coefficient of a mean of four is four times that of their sum
        coefficient, offset = (abs(np.asarray(weight)) for weight in model.get_layer(name).weights)
        assert 0.3 < coefficient.max() / 4 <= 2.4 / 4 and 0.1 < offset.max() <= 2.4 / 4


def test_the_network_of_the_modern_dialect_begins_as_keras_does():
    for dialect in ("modern", "notes", "notes_sigmoid"):
        check(initial(lenet5, dialect=dialect), glorot, glorot)


@pytest.mark.sweep_but("cifar_resnet20", "cifar_densenet40")
@pytest.mark.parametrize(
    "made", [resnet18, cifar_resnet20, cifar_densenet40, densenet121], ids=lambda made: made.__name__
)
def test_he_everywhere(made):
    """ "We initialize the weights as in" He et al. 2015: He et al. 2016, Huang et al. 2017."""
    check(initial(made), he_in, he_in)


def test_he_in_squeeze_and_excitation_too():
    """Hu et al. 2018, section 6.1."""
    found = initial(cifar_resnet, repeats=(1, 1, 1), filters=64, transforms=[partial(squeeze_excite, ratio=2)])
    assert any("squeeze_excite" in name for name in found)
    check(found, he_in, he_in)


def test_he_in_the_scores_of_unet_too():
    """Ronneberger et al. 2015, section 3: a Gaussian of deviation sqrt(2/N) in every layer."""
    found = initial(partial(unet, classes=8), filters=(64, 128))
    assert "score.conv" in found
    check({name: each for name, each in found.items() if ".up." not in name}, he_in, he_in)


def test_scores_of_fcn_begin_with_zeros_unless_the_unit_has_an_initialiser():
    he = partial(blocks.conv, kernel_initializer="he_normal")
    for options, kind in (({}, keras.initializers.Zeros), ({"conv": he}, keras.initializers.HeNormal)):
        with weightless():
            layers = fcn8s(**options).layers
        scores = [layer for layer in layers if "score" in layer.name and layer.weights]
        assert len(scores) == 3 and all(type(layer.kernel_initializer) is kind for layer in scores)


@pytest.mark.sweep_but("mobilenet_v2")
@pytest.mark.parametrize("made", [mobilenet, mobilenet_v2], ids=lambda made: made.__name__)
def test_mobilenets_begin_as_their_authors_code_does(made):
    found = initial(made)
    cut_off = 0.8796 * 0.09  # the deviation of what is left within two deviations
    check(found, constant(cut_off), constant(cut_off))
    assert max(abs(kernel).max() for _, kernel, _ in found.values()) <= 0.18
    check(initial(made, dialect="keras"), lambda name, shape, depthwise: glorot(name, shape, depthwise), glorot)


# The notes.


def test_alexnet_of_the_notes_begins_as_keras_does():
    """No layer of theirs names an initialiser."""
    found = initial(alexnet, dialect="notes", **NARROW)
    check(found, glorot, glorot)
    assert not any(bias.any() for _, _, bias in found.values())


def test_alexnet_of_the_paper():
    check(initial(alexnet, **NARROW), constant(0.01), constant(0.01))
    with weightless():
        layers = {layer.name: layer for layer in alexnet(**NARROW).layers if layer.weights}
    begin = {name: keras.initializers.serialize(layer.bias_initializer)["class_name"] for name, layer in layers.items()}
    ones = ("conv2.conv", "conv4.conv", "conv5.conv", "classifier.dense1", "classifier.dense2")
    assert begin == {**dict.fromkeys(layers, "Zeros"), **dict.fromkeys(ones, "Ones")}


def test_vgg16_of_the_notes_is_their_table():
    """F6 to F8: gaussian, 0.005, bias 0.1; the table says nothing of the convolutions."""
    found = initial(vgg16, dialect="notes", **NARROW)
    check(found, glorot, constant(0.005))
    for layer, _, bias in found.values():
        np.testing.assert_allclose(bias, 0.1 if isinstance(layer, keras.layers.Dense) else 0)


# The initialiser.


def test_fan_in_uniform_is_saved_and_draws_anew():
    made = blocks.FanInUniform(2.4)
    again = keras.initializers.deserialize(keras.initializers.serialize(made))
    assert isinstance(again, blocks.FanInUniform) and again.get_config() == made.get_config()
    seeded = [np.asarray(blocks.FanInUniform(1.0, 4, seed=5)((100,))) for _ in range(2)]
    assert (seeded[0] == seeded[1]).all() and abs(seeded[0]).max() <= 0.25
    listed = np.asarray(blocks.FanInUniform(1.0, [1, 100])((500, 2)))
    assert abs(listed[:, 0]).max() > 0.9 and abs(listed[:, 1]).max() <= 0.01
    with pytest.raises(ValueError, match="FanInUniform: fan_in"):
        blocks.FanInUniform(1.0, 0)
    with pytest.raises(ValueError, match="FanInUniform: bound"):
        blocks.FanInUniform(-1.0)


def test_two_layers_do_not_begin_alike():
    model = lenet5(layers={"a": {"filters": 8}, "b": {"filters": 8}}, input_shape=(8, 8, 8))
    first, second = (np.asarray(model.get_layer(f"{name}.conv").kernel) for name in "ab")
    assert not np.allclose(first, second)
