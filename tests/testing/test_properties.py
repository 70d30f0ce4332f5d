"""The checks of what holds beyond shapes: right nets pass, and nets that break each are found."""

from __future__ import annotations

import inspect

import keras
import pytest
from keras import layers, ops

from layerblocks.testing import (
    CheckError,
    check_batch_independence,
    check_determinism,
    check_export,
    check_gradients,
    check_modes,
    check_net,
    check_shift_equivariance,
    exports,
    pytest_options,
)

from ..helpers import needs_tensorflow

CHECKS = {
    check.__name__: check
    for check in (
        check_batch_independence,
        check_determinism,
        check_export,
        check_gradients,
        check_modes,
        check_shift_equivariance,
    )
}
SPEC = "b h w c -> b ceil(h/2) ceil(w/2) 2"


def right(x):
    return layers.Conv2D(2, 3, strides=2, padding="same", activation="tanh")(x)


@keras.saving.register_keras_serializable("tests")
class Twice(keras.layers.Layer):
    """Something else in training, for no good reason."""

    def call(self, x, training=False):
        return 2 * x if training else x


@keras.saving.register_keras_serializable("tests")
class Forgetful(keras.layers.Layer):
    """Has an argument that its config lacks."""

    def __init__(self, factor=1, **options):
        super().__init__(**options)
        self.factor = factor

    def get_config(self):
        return {"name": self.name}

    def call(self, x):
        return self.factor * x


BROKEN = {
    "check_batch_independence": {
        "mean of the batch": lambda x: x - ops.mean(x, 0, keepdims=True),
        "norm in training mode": lambda x: layers.BatchNormalization()(x, training=True),
        "softmax over the batch": lambda x: layers.Softmax(axis=0)(x),
        "cumulative sum": lambda x: ops.cumsum(x, axis=0),
    },
    "check_determinism": {
        "dropout in inference": lambda x: layers.Dropout(0.5)(x, training=True),
        "noise": lambda x: layers.GaussianNoise(1.0)(x, training=True),
        "logarithm of what may be negative": lambda x: ops.log(x),
    },
    "check_export": {
        "a config that lacks an argument": lambda x: Forgetful(3)(x),
        "another net for unknown sizes": lambda x: x if x.shape[1] else 2 * x,
    },
    "check_gradients": {
        "a gradient that is stopped": lambda x: x + ops.stop_gradient(layers.Dense(1)(x)),
        "a sign": lambda x: ops.sign(layers.Dense(2)(x)),
        "a square root at zero": lambda x: ops.sqrt(layers.Dense(2, kernel_initializer="zeros")(x)),
    },
    "check_modes": {"a layer of its own": lambda x: Twice()(x)},
    "check_shift_equivariance": {
        "a position": lambda x: x * ops.reshape(ops.arange(x.shape[1], dtype="float32"), (1, -1, 1, 1)),
        "a resize of another factor": lambda x: layers.Resizing(x.shape[1], x.shape[2])(x[:, ::3, ::3]),
    },
}
CASES = [(name, what) for name, nets in BROKEN.items() for what in nets]


@pytest.mark.parametrize("name", CHECKS)
def test_a_right_net_passes(name):
    assert CHECKS[name](right, SPEC, max_examples=3, seed=0).examples > 0


@pytest.mark.parametrize(("name", "what"), CASES)
def test_a_net_that_breaks_it_is_found(name, what):
    options = {"sides": (3, 6)} if name != "check_shift_equivariance" else {"params": {"c": 1}}
    spec = "b h w c -> b h w c" if "shift" in name else "b h w c -> b _ _ _"
    with pytest.raises(CheckError) as caught:
        CHECKS[name](BROKEN[name][what], spec, max_examples=6, seed=0, **options)
    report = caught.value.report
    assert str(report).startswith(f"{name}: ") and report.off and report.code and report.smallest


@pytest.mark.parametrize("name", CHECKS)
def test_a_failure_is_shown_where_the_check_is_called(name):
    spec = "b h w c -> b h w c" if "shift" in name else "b h w c -> b _ _ _"
    with pytest.raises(CheckError) as caught:
        CHECKS[name](next(iter(BROKEN[name].values())), spec, params={"c": 1}, max_examples=2, seed=0)
    frames = [entry.frame.code.name for entry in caught.traceback.filter(caught)]
    assert frames[0] == "test_a_failure_is_shown_where_the_check_is_called" and name not in frames


def test_sizes_begin_at_1_unless_told_otherwise():
    defaults = {
        name: {word: p.default for word, p in inspect.signature(check).parameters.items()}
        for name, check in (*CHECKS.items(), ("check_net", check_net))
    }
    assert {given["least"] for given in defaults.values()} == {1}
    first = {name: given["sides"][0] for name, given in defaults.items()}
    assert {name for name, side in first.items() if side != 1} == {"check_shift_equivariance"}
    assert len({given["sides"] for name, given in defaults.items() if first[name] == 1 and name != "check_net"}) == 1


def test_there_are_a_tenth_of_the_examples_and_ten_at_most(monkeypatch):
    for examples, most in ((15, 2), (20, 2), (1000, 10)):
        monkeypatch.setattr(pytest_options, "EXAMPLES", examples)
        assert 1 <= check_determinism(lambda x: 2 * x, "b c d e -> b c d e", seed=0).examples <= most


def test_what_is_too_large_to_run_is_not_tried():
    with pytest.raises(ValueError, match="must be such that the spec leaves something to try"):
        check_determinism(lambda x: 2 * x, "b h w c -> b h w c", sides=(10**6, 10**6), max_examples=1)


FORMATS = ("keras", "tf_saved_model", "onnx")


@keras.saving.register_keras_serializable("tests")
class Counting(keras.Layer):
    """Its answer depends on how often any was called: a file holds one of them."""

    calls = [0]  # noqa: RUF012

    def call(self, x):
        self.calls[0] += 1
        return x * self.calls[0]


def two(x):
    return {"b": layers.Dense(3)(x["right"]), "a": layers.Dense(2)(x["left"])}


@pytest.mark.sweep
@needs_tensorflow
@pytest.mark.parametrize("form", FORMATS)
def test_file_formats(form):
    assert check_export(right, SPEC, formats=form, max_examples=1).accepted == 1
    spec = "{right: b t c, left: b d} -> {b: b t 3, a: b 2}"
    assert check_export(two, spec, formats=[form], max_examples=1).accepted == 1
    assert check_export(lambda x: x[::-1], "b c, b d -> b d, b c", formats=[form], max_examples=1).accepted == 1
    with pytest.raises(CheckError, match=f"as {form}, loaded: the output differs"):
        check_export(lambda x: Counting()(x), "b c -> b c", formats=form, max_examples=1)


def test_file_formats_that_are_refused():
    refused = {"h5": "must be one of 'keras'", (): "must be one file format at least", 3: "must be names"}
    if keras.backend.backend() != "tensorflow":
        refused["onnx"] = "must be of what Keras writes on .* without 'onnx'"
    for formats, words in refused.items():
        with pytest.raises(TypeError if formats == 3 else ValueError, match=f"check_export: formats {words}"):
            check_export(right, SPEC, formats=formats, max_examples=1)


class Written(Exception):
    """What a model was told to write."""


@pytest.mark.parametrize("form", ["tf_saved_model", "onnx"])
def test_nothing_is_printed_of_a_file_that_is_written(form, monkeypatch):
    class Model:
        def export(self, path, **options):
            raise Written(options)

    monkeypatch.setattr(exports, "needs", lambda name, extra: None)
    with pytest.raises(Written) as caught:
        exports.answers(Model(), None, form)
    assert caught.value.args == ({"format": form, "verbose": False},)


def test_shapes_alone_tell_nothing_of_them():
    for what in ("mean of the batch", "softmax over the batch"):
        check_net(BROKEN["check_batch_independence"][what], "b h w c -> b h w c", max_examples=5, broadcasts=True)


def test_what_is_meant_to_differ_is_refused():
    with pytest.raises(ValueError, match=r"check_modes: build must be a net without layers that differ .* with drop"):
        check_modes(lambda x: layers.Dropout(0.5, name="drop")(x), "b c -> b c", max_examples=1)
    with pytest.raises(ValueError, match="check_gradients: build must be a net with trainable weights"):
        check_gradients(lambda x: x + 1, "b c -> b c", max_examples=1)


def test_a_net_that_looks_at_the_whole_image_has_no_shift():
    def gated(x):
        return x * ops.mean(x, (1, 2), keepdims=True) + ops.mean(x, (1, 2), keepdims=True)

    with pytest.raises(ValueError, match="check_shift_equivariance: build must be a net that does not look at all"):
        check_shift_equivariance(gated, "b h w c -> b h w c", sides=(16, 16), max_examples=1)
    with pytest.raises(ValueError, match="spec must be of an output with the sides"):
        check_shift_equivariance(lambda x: layers.GlobalMaxPooling2D()(x), "b h w c -> b c", max_examples=1)


def test_upsampling_is_shifted_by_more():
    check_shift_equivariance(lambda x: layers.UpSampling2D(2)(x), "b h w c -> b 2*h 2*w c", max_examples=1)
