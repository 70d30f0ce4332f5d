"""Every function of `models` works with what it is given, or says in one line what is wrong with which argument."""

from __future__ import annotations

import inspect
from contextlib import nullcontext
from functools import partial

import keras
import numpy as np
import pytest

from layerblocks import models
from layerblocks.blocks import classifier, conv, conv_bn, dropout, weightless

FUNCTIONS = {name: getattr(models, name) for name in models.__all__ if not inspect.isclass(getattr(models, name))}


def network():
    x = keras.Input((32, 32, 3), name="image")
    y = conv_bn(x, 4, strides=2, name="stem")
    y = conv_bn(y, 4, strides=2, name="stage.block1")
    y = conv_bn(y, 4, name="stage.block2")
    y = keras.layers.Flatten(name="flatten")(y)
    return keras.Model(x, keras.layers.Dense(3, activation="softmax", name="head")(y), name="net")


with weightless():
    MODEL = network()
    BODY = keras.Model(MODEL.input, MODEL.get_layer("flatten").input, name="body")
WITH_WEIGHTS = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="dense")


def small_network(conv=conv_bn, input_tensor=None):
    x = keras.Input((32, 32, 3)) if input_tensor is None else input_tensor
    return keras.Model(x, classifier(conv(x, 4), 3))


# What each function is called with, when nothing is wrong.
CALLS = {
    **{name: {"model": MODEL} for name in ("folding", "freeze", "fully_convolutional")},
    **{name: {"model": MODEL} for name in ("inference_model", "training_model")},
    "add_aux_head": {"model": MODEL, "at": "stem", "head": 3},
    "regularized": {"model": MODEL, "l2": 1e-4},
    "replace_each": {"model": MODEL, "what": keras.layers.Activation, "fn": lambda layer, x: x},
    "with_input": {"model": BODY, "shape": (64, 64, 3)},
    "kernel_for_channels": {"kernel": np.ones((3, 3, 3, 4)), "channels": 1},
    "export": {"model": WITH_WEIGHTS, "path": "net.keras"},
    "tuning": {"model": WITH_WEIGHTS, "batch": 2},
    "runner": {"model": WITH_WEIGHTS, "runtime": "keras"},
    "features": {"model": MODEL, "strides": (2, 4)},
    "grid": {"net": small_network, "conv": ["conv_bn", "separable"]},
    "pareto": {"points": [(1, 70), (2, 60)]},
    "insert": {"model": MODEL, "after": "stem", "fn": partial(dropout, rate=0.5)},
    "remove": {"model": MODEL, "name": "stage.block2"},
    "replace": {"model": MODEL, "name": "stage.block2", "fn": partial(conv, filters=4)},
    "tensor_at": {"model": MODEL, "at": "stem"},
    "truncate": {"model": MODEL, "at": "stage"},
    "with_new_head": {"model": MODEL, "head": 5},
}


class Thing:
    """Nothing that a network is made of."""

    def __repr__(self):
        return "<a thing\nof two lines>"


def wrong():
    """Values, made anew each time: a sequential model is built where it is called."""
    return [
        *(None, True, False, -1, 0, 2, 10**30, 1.5, float("nan"), float("inf"), 1j, "", "x", "stge", "\x1b[1m", b"x"),
        *([], (), {}, [1], ["x"], {"x": 1}, range(2), np.zeros(3), np.zeros((2, 2)), np.int64(1), Thing(), Thing),
        *(keras.layers.ReLU, keras.Input((2,)), MODEL, keras.Sequential(), keras.Sequential([keras.layers.Dense(3)])),
        *(conv, lambda: 3, lambda x: None, lambda x: 3, lambda x: [x, x], lambda x, y: x),
        partial(classifier, clases=3),
    ]


WORDS = [
    (name, word)
    for name, function in FUNCTIONS.items()
    for word, parameter in inspect.signature(function).parameters.items()
    if parameter.kind is not parameter.VAR_KEYWORD
]
OPTIONS = ("activation", "kernel_initializer", "kernel_regularizer", "dtype", "units", "name", "nonsense")
"""Of the dense layer that `with_new_head` makes."""


def test_every_public_function_is_here():
    assert FUNCTIONS.keys() == CALLS.keys()


def called(name, /, **given):
    """The function with its usual arguments but for those given; the net of `grid` has no keyword."""
    arguments = {**CALLS[name], **given}
    return FUNCTIONS[name](*([arguments.pop("net")] if name == "grid" else []), **arguments)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.sweep_only("export-within", "export-check", "export-representative_data", "export-format")
@pytest.mark.parametrize(("name", "word"), [*WORDS, *(("with_new_head", word) for word in OPTIONS)])
def test_a_wrong_argument_is_named(name, word):
    for value in wrong():
        if (name, word) == ("export", "path") and isinstance(value, str):
            continue  # a folder of that name for a SavedModel
        try:
            with nullcontext() if name in ("export", "runner", "tuning") else weightless():
                made = called(name, **{word: value})
        except (TypeError, ValueError, OSError) as error:
            said = str(error)
            where = f"{name}({word}={value!r}): {type(error).__name__}: {said}"
            assert said.startswith(f"{name}: ") or (callable(value) and "must be" in said), where
            assert word in said or " receives must be " in said, where
            assert " must be " in said or "unexpected argument" in said or isinstance(error, OSError), where
            assert said.isprintable() and len(said) <= 700, where
        else:
            assert made is not None, f"{name}({word}={value!r})"
