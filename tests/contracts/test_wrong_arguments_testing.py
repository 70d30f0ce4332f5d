"""Every public function of `testing` and `training` works with what it is given, or says in one line what is wrong."""

from __future__ import annotations

import inspect
from functools import cache

import keras
import numpy as np
import pytest
from hypothesis import find
from hypothesis import strategies as st

from layerblocks import testing, training
from layerblocks.blocks import conv
from layerblocks.testing import CheckError, SpecError

FUNCTIONS = {
    name: getattr(package, name)
    for package in (testing, training)
    for name in package.__all__
    if inspect.isfunction(getattr(package, name))
}
NEEDS_TENSORFLOW = {"fit_distributed", "device_strategy", "is_chief"}


def net(*outputs):
    x = keras.Input((3,))
    heads = {name: keras.layers.Dense(2, "softmax", name=name)(x) for name in outputs}
    return keras.Model(x, heads if len(outputs) > 1 else heads["main"])


MODEL, HEADS = net("main"), net("main", "aux1")
X = np.linspace(0, 1, 12, dtype="float32").reshape(4, 3)
LOGGED = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.0, 1.0]}
MAPS = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3, name="conv")])


@testing.shapes("b h -> b h")
def shaped(x):
    return x


# What each function is called with, when nothing is wrong.
CALLS = {
    "assert_learns": {"model": MODEL, "steps": 1, "to": 0.999},
    "assert_roundtrip": {"model": MODEL},
    "assert_shape": {"x": (2, 3), "spec": "b c"},
    "assert_trainable": {"model": MODEL},
    "block_kwargs": {"block": conv},
    **{
        f"check_{name}": {
            "build": conv,
            "spec": "b h w c -> b h w filters",
            "params": {"filters": 2},
            "max_examples": 1,
        }
        for name in ("batch_independence", "determinism", "export", "gradients", "modes", "shift_equivariance")
    },
    "check_shapes": {"target": shaped, "max_examples": 1},
    "shapes": {"spec": "b -> b"},
    "check_net": {"build": conv, "spec": "b h w c -> b h w filters", "params": {"filters": 2}, "max_examples": 1},
    "image_shapes": {},
    "network_machine": {},
    "networks": {},
    "tensors": {},
    "units": {},
    "compile_args": {"model": HEADS},
    "device_strategy": {"name": "mirrored"},
    "diagnose": {"history": LOGGED},
    "fit_distributed": {"verbose": 0},  # and what `distributed` gives
    "is_chief": {"strategy": None},
    "label_every_output": {"data": (X, np.arange(len(X)) % 2), "model": HEADS},
    "loss_weights": {"model": HEADS},
    "plot_class_distribution": {"labels": [0, 1, 1]},
    "plot_confusion_matrix": {"matrix": np.eye(3)},
    "plot_feature_maps": {"model": MAPS, "layer": "conv", "image": np.zeros((4, 4, 1))},
    "plot_history": {"history": LOGGED},
    "plot_images": {"images": np.zeros((2, 4, 4))},
    "quickest_jit": {},
    "read_history": {"history": LOGGED},
}


class Thing:
    """Nothing that a test is made of."""

    def __repr__(self):
        return "<a thing\nof two lines>"


WRONG = [
    *(None, True, False, -3, 0, 2, 10**30, 1.5, float("nan"), float("inf"), 1j, "", "no", "x\x1b[1m", b"x"),
    *([], (), {}, [1], ["x"], {"x": 1}, {1: 2}, range(2), np.zeros(3), np.array([True]), np.int64(1), np.float32(2)),
    *(Thing(), keras.layers.ReLU(), MODEL, st.integers()),
]
# Share their arguments with check_modes.
SWEPT = {f"check_{name}" for name in ("batch_independence", "determinism", "export", "gradients")}
WORDS = [
    pytest.param(name, word, marks=pytest.mark.sweep if name in SWEPT else ())
    for name, function in FUNCTIONS.items()
    for word, parameter in inspect.signature(function).parameters.items()
    if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
]
LONG = {"steps", "max_examples", "eager", "epochs", "steps_per_epoch"}
# What else a message may speak of, as the two go together.
ALSO = {"y": "loss", "loss": "y", "params": "spec"}


@cache
def distributed():
    """A strategy, a model made in it, and two batches."""
    import tensorflow as tf

    strategy = training.device_strategy("mirrored")
    with strategy.scope():
        model = net("main")
        model.compile(**training.compile_args(model, "sgd"))
    batches = tf.data.Dataset.from_tensors((X, np.zeros(4, "int32"))).repeat(2)
    return {"model": model, "data": batches, "strategy": strategy}


def called(name, word, value):
    """The function with one argument given; arguments by position where it has such."""
    others = distributed() if name == "fit_distributed" else {}
    function, arguments = FUNCTIONS[name], {**CALLS[name], **others, word: value}
    by_position = [
        arguments.pop(w) for w, p in inspect.signature(function).parameters.items() if p.kind is p.POSITIONAL_ONLY
    ]
    return function(*by_position, **arguments)


def test_every_public_function_is_here():
    assert FUNCTIONS.keys() == CALLS.keys()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no file is called "x"


@pytest.mark.parametrize(("name", "word"), WORDS)
def test_a_wrong_argument_is_named(name, word):
    if name in NEEDS_TENSORFLOW and keras.backend.backend() != "tensorflow":
        pytest.skip("is about TensorFlow, where Keras runs on another backend")
    for value in WRONG:
        if word in LONG and isinstance(value, int) and value == 10**30:
            continue  # right, and long
        if word == "parameters" and callable(value):
            continue  # what a function of the caller's raises is the caller's
        try:
            called(name, word, value)
        except (CheckError, SpecError):
            continue  # what the check is for; a spec that cannot be read is shown with its place marked
        except (TypeError, ValueError, OSError) as error:
            said = str(error)
            where = f"{name}({word}={value!r}): {type(error).__name__}: {said}"
            assert said.startswith(f"{name}: "), where
            assert word in said or ALSO.get(word, word) in said, where
            assert "must be" in said or "go together" in said, where
            assert "\n" not in said and said.isprintable() and len(said) <= 700, where


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("check_net", {"max_examples": 0}),
        ("check_net", {"max_examples": -3}),
        ("check_net", {"eager": -3}),
        ("check_net", {"least": -3}),
        ("check_net", {"unknown": "no"}),
        ("check_net", {"broadcasts": "no"}),
        ("assert_roundtrip", {"rtol": float("nan")}),
        ("networks", {"heads": "no"}),
        ("assert_learns", {"to": float("inf")}),
        ("diagnose", {"tolerance": float("nan")}),
    ],
)
def test_what_tests_nothing_is_refused(name, given):
    (word,) = given
    with pytest.raises((TypeError, ValueError), match=rf"^{name}: {word} must be .*, got "):
        called(name, word, given[word])


def test_a_strategy_that_is_right_gives_something():
    for name in ("image_shapes", "tensors", "units", "networks"):
        assert find(FUNCTIONS[name](), lambda value: True) is not None
