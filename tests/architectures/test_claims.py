"""What the catalogue and the README say of the networks: whose they are, what is counted, how they were trained."""

from __future__ import annotations

import inspect
import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import keras
import pytest

from layerblocks import __main__ as command_line
from layerblocks import architectures
from layerblocks.architectures import (
    Recipe,
    build,
    cifar_resnet20,
    describe,
    googlenet,
    inception_v3,
    list_architectures,
    recipe,
    resnet50,
)
from layerblocks.architectures.catalogue import DEVIATIONS, ENTRIES, NOT_IN_A_PAPER, SOURCES, constructor
from layerblocks.architectures.recipes import RECIPES
from layerblocks.blocks import batch_norm, conv_bn, weightless
from layerblocks.models.outputs import AUX_LOSS_WEIGHT, AUX_LOSS_WEIGHTS
from layerblocks.training import compile_args, loss_weights

README = Path(__file__).parents[2] / "README.md"

# Who has the networks that are in no paper: found in the code of keras.applications and torchvision, or nowhere.
KERAS_HAS = {"resnet50_v2": "ResNet50V2", "resnet101_v2": "ResNet101V2"}
NOBODY_HAS = {"googlenet_bn", "vgg11_lrn_bn", "vgg16c_bn", "resnet18_v2", "resnet34_v2"}


def test_whose_each_network_is():
    sources = {name: describe(name).source for name in list_architectures()}
    assert {*sources.values()} == {*SOURCES}
    assert {name for name, source in sources.items() if source == "ours"} == NOBODY_HAS
    assert {name for name, source in sources.items() if source == "keras"} == {*KERAS_HAS}
    assert all(hasattr(keras.applications, name) for name in KERAS_HAS.values())
    of_torchvision = {name for name, source in sources.items() if source == "torchvision"}
    wider = {"resnext101_32x8d", "wide_resnet101_2", "mnasnet0_5", "mnasnet0_75", "mnasnet1_3", "squeezenet1_1"}
    wider |= {*("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101")}
    wider |= {"deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"}
    assert of_torchvision == {"googlenet_torchvision", *(f"vgg{depth}_bn" for depth in (11, 13, 16, 19)), *wider}
    assert all("torchvision" in constructor(name).dialects for name in of_torchvision)
    of_timm = {name for name, source in sources.items() if source == "timm"}
    assert of_timm == {"resnet101d", "resnet152d", "resnet200d", "eca_resnet50d", "eca_resnet101d"}
    assert all("timm" in constructor(name).dialects for name in of_timm)
    assert {name for name, source in sources.items() if source == "pytorch"} == {
        "dcgan_generator",
        "dcgan_discriminator",
    }
    for names in NOT_IN_A_PAPER.values():
        assert all(ENTRIES[name].paper.startswith("after ") for name in names)
    assert all(not ENTRIES[name].paper.startswith("after ") for name, source in sources.items() if source == "paper")


def test_the_readme_counts_them():
    text = " ".join(README.read_text(encoding="utf-8").split())
    numbers = re.search(
        r"(\d+) networks, from LeNet-5 .*?: (\d+) of papers, (\d+) of `keras.applications`, "
        r"(\d+) of torchvision, (\d+) of timm, (\d+) of PyTorch's examples and (\d+)",
        text,
    )
    counted = Counter(describe(name).source for name in list_architectures())
    by_source = (counted[word] for word in ("paper", "keras", "torchvision", "timm", "pytorch", "ours"))
    assert tuple(map(int, numbers.groups())) == (counted.total(), *by_source)


def test_the_list_says_it_too(capsys):
    assert command_line.main(["list"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "network", "trainable", "multiply-adds", "of", "paper"]
    for row in rows:
        name = row.split()[0]
        assert f"{ENTRIES[name].trainable_parameters:,}" in row and f" {ENTRIES[name].source} " in row


@pytest.mark.parametrize("name", ["xception", "lenet5", "fcn16s", "inception_v3", "vgg16", "googlenet_torchvision"])
def test_what_is_counted(name):
    """First what is trained, then what else there is, by its kind."""
    with weightless():
        model = build(name)
    trained = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    others = [weight for weight in model.non_trainable_weights if "seed" not in weight.name]
    fixed = sum(math.prod(weight.shape) for weight in others)
    (line,) = [line for line in str(describe(name)).splitlines() if line.startswith("  parameters")]
    assert f" {trained:,} trainable" in line
    assert (f"; {fixed:,} " in line) == bool(fixed)
    assert ("auxiliary heads" in line) == isinstance(model.output, dict)
    kinds = {"centers": "fixed codes", "kernel": "fixed enlargements"}
    assert all(kinds.get(weight.name, "running statistics") in line for weight in others)


def test_xception_as_its_paper_counts_it():
    """Table 3 of Chollet 2017: 22,855,952."""
    assert "22,855,952 trainable; 54,528 running statistics" in str(describe("xception"))


def test_deviations_are_of_networks_that_are():
    assert {*DEVIATIONS} <= {*ENTRIES, *(entry.module for entry in ENTRIES.values())}
    assert "0.9997" in str(describe("inception_v3")) and "0.9997" in str(describe("mobilenet"))
    assert "0.997 " in str(describe("mobilenet_v2"))


def test_the_decay_that_is_said_is_that_of_the_network_and_the_other_can_be_had():
    def momenta(model):
        return {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}

    with weightless():
        assert momenta(inception_v3()) == momenta(build("mobilenet")) == momenta(build("mobilenet_v2")) == {0.99}
        norm = {"scale": False, "momentum": recipe("inception_v3").batch_norm_momentum}
        assert momenta(
            inception_v3(conv=lambda *x, **o: conv_bn(*x, **o, norm=lambda y, name: batch_norm(y, name=name, **norm)))
        ) == {0.9997}


# Recipes.


def test_every_network_has_a_recipe():
    for name, entry in ENTRIES.items():
        found = recipe(name)
        assert isinstance(found, Recipe)
        assert ("which has no such network" in found.source) == (entry.source != "paper")
        year = entry.paper.split()[-1]
        assert year in found.source, (name, found.source)
        assert found.options.keys() <= optimizer_arguments(found.optimizer)
    assert {*RECIPES} <= {*ENTRIES, *(entry.module for entry in ENTRIES.values())}
    named = rf"recipe: name must be one of the {len(ENTRIES)} names .*did you mean 'resnet50'"
    with pytest.raises(ValueError, match=named):
        recipe("resnet5")
    with pytest.raises(TypeError, match="recipe: name"):
        recipe(50)


def optimizer_arguments(name):
    kind = getattr(keras.optimizers, name, None)
    return set() if kind is None else kind(0.1).get_config().keys()


# Facts by hand, from the papers.
FACTS = {
    "alexnet": ("SGD", 0.01, 128, 5e-4),
    "vgg19": ("SGD", 0.01, 256, 5e-4),
    "inception_v3": ("RMSprop", 0.045, 1600, 4e-5),
    "resnet101": ("SGD", 0.1, 256, 1e-4),
    "cifar_resnet110": ("SGD", 0.1, 128, 1e-4),
    "densenet201": ("SGD", 0.1, 256, 1e-4),
    "cifar_densenet_bc100": ("SGD", 0.1, 64, 1e-4),
    "xception": ("SGD", 0.045, None, 1e-5),
    "mobilenet_v2": ("RMSprop", 0.045, 1536, 4e-5),
    "efficientnet_b3": ("RMSprop", 0.256, None, 1e-5),
    "efficientnet_v2_m": ("RMSprop", 0.256, 4096, 1e-5),
    "se_resnet50": ("SGD", 0.6, 1024, None),
    "convnext_base": ("AdamW", 4e-3, 4096, None),
    "mobilenet_v3_large": ("RMSprop", 0.1, 4096, 1e-5),
    "inception_resnet_v2": ("RMSprop", 0.045, None, None),
    "nasnet_large": ("RMSprop", None, None, None),
    "fcn8s": ("SGD", 1e-4, 20, 5e-4),
    "fcn_resnet101": ("SGD", 1e-4, 20, 5e-4),
    "deeplabv3_resnet50": ("SGD", None, 16, None),
    "r2plus1d_18": ("SGD", 0.01, None, None),
}


@pytest.mark.parametrize("name", FACTS)
def test_facts(name):
    found = recipe(name)
    assert (found.optimizer, found.learning_rate, found.batch_size, found.weight_decay) == FACTS[name]


def test_schedules():
    steps = recipe("cifar_densenet40").schedule
    assert [steps.multiple(epoch) for epoch in (0, 149, 150, 225)] == pytest.approx([1, 1, 0.1, 0.01])
    falling = recipe("inception_v3").schedule
    assert [falling.multiple(epoch) for epoch in (0, 1, 2, 5)] == pytest.approx([1, 1, 0.94, 0.94**2])
    (callback,) = recipe("densenet121").callbacks()
    assert [callback.schedule(epoch, 0.1) for epoch in (0, 29, 30, 60)] == pytest.approx([0.1, 0.1, 0.01, 0.001])
    (plateau,) = recipe("vgg16").callbacks()
    assert isinstance(plateau, keras.callbacks.ReduceLROnPlateau) and plateau.factor == 0.1
    assert recipe("cifar_resnet20").callbacks() == [] == recipe("fcn8s").callbacks()


def test_compile_args_uses_what_keras_has():
    with weightless():
        model = inception_v3(classes=10)
    made = compile_args(model, recipe=recipe("inception_v3"), loss="categorical_crossentropy")
    assert made["loss_weights"] == {"main": 1.0, "aux1": 0.4}
    for loss in made["loss"].values():
        config = loss.get_config()
        assert (type(loss), config["label_smoothing"], config["from_logits"]) == (
            keras.losses.CategoricalCrossentropy,
            0.1,
            False,
        )
    config = made["optimizer"].get_config()
    assert (config["rho"], config["epsilon"], config["global_clipnorm"]) == (0.9, 1.0, 2.0)
    assert isinstance(made["optimizer"], keras.optimizers.RMSprop)
    assert config["use_ema"] and config["weight_decay"] is None
    with weightless():
        small = cifar_resnet20()
    optimizer = compile_args(small, recipe=recipe("cifar_resnet20"))["optimizer"]
    rates = [float(optimizer._learning_rate(step)) for step in (0, 32_001, 48_001)]
    assert rates == pytest.approx([0.1, 0.01, 0.001])


def test_what_is_given_comes_before_the_recipe():
    with weightless():
        model = googlenet(classes=10)
    made = compile_args(model, "adam", recipe=recipe("googlenet"), aux_weight=0.1)
    assert made["optimizer"] == "adam" and made["loss_weights"]["aux1"] == 0.1
    smoothed = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    with weightless():
        made = compile_args(resnet50(), loss=smoothed, recipe=recipe("inception_v3"))
    assert made["loss"].get_config()["label_smoothing"] == 0.2


@pytest.mark.parametrize(
    "given, said",
    [
        ({"recipe": "resnet50"}, "recipe must be what layerblocks.architectures.recipe gives, got 'resnet50'"),
        ({"recipe": recipe("lenet5")}, "optimizer must be given, as the recipe .* lacks the optimizer 'stochastic"),
        ({"recipe": recipe("unet")}, "optimizer must be given, as the recipe .* lacks a learning rate"),
        ({"recipe": recipe("inception_v3")}, "loss must be 'categorical_crossentropy' of one-hot labels"),
    ],
)
def test_what_a_recipe_cannot_do_is_refused(given, said):
    with weightless():
        model = resnet50(classes=4)
    with pytest.raises((TypeError, ValueError), match=f"compile_args: {said}"):
        compile_args(model, **given)


def test_the_auxiliary_weight_of_a_network_survives_a_file(tmp_path):
    with weightless():
        assert loss_weights(inception_v3()) == {"main": 1.0, "aux1": 0.4}
        assert loss_weights(googlenet()) == {"main": 1.0, "aux1": 0.3, "aux2": 0.3}
        assert loss_weights(inception_v3(), 0.3) == {"main": 1.0, "aux1": 0.3}
        again = keras.models.model_from_json(inception_v3().to_json())
    assert loss_weights(again) == {"main": 1.0, "aux1": 0.4}


def test_the_weights_of_auxiliary_heads_are_those_of_the_networks():
    """Which a model from a file knows by the name of its network alone."""
    made = {name: getattr(architectures, name) for name in architectures.__all__}
    own = {name: net.walk.aux_weight for name, net in made.items() if hasattr(net, "walk")}
    assert {name: weight for name, weight in own.items() if weight != AUX_LOSS_WEIGHT} == AUX_LOSS_WEIGHTS


def test_recipes_need_no_keras():
    code = "import sys; from layerblocks.architectures import recipe; recipe('vgg16'); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", list_architectures())
def test_what_a_network_s_help_refers_to_can_be_helped_with(name):
    made = re.search(r"Arguments and errors as `(\w+)`", inspect.getdoc(getattr(architectures, name)) or "")
    assert made is None or inspect.getdoc(getattr(architectures, made[1]))
