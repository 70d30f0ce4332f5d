"""What is known of each layer and operation of Keras, and what is said not to be."""

from __future__ import annotations

import importlib
import inspect

import keras
import pytest
from keras import layers, ops
from keras.src.ops import nn as nn_operations
from keras.src.ops import numpy as numpy_operations

from layerblocks._keras import public_name
from layerblocks.blocks import layers as own_layers
from layerblocks.blocks import map_layers
from layerblocks.graphs.equality import configuration
from layerblocks.graphs.rules import (
    NOTHING_KNOWN,
    Call,
    Entry,
    entry_of,
    inputs_of,
    knows,
    mixes_positions,
    words_of,
)
from layerblocks.graphs.rules import _entry as entry_of_class

# What is in `keras.layers` and has no entry, and why.
WITHOUT = {
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), "another library's code"),
    "InputSpec": "is no layer",
    "Layer": "does nothing",
    "Wrapper": "does nothing",
}


def operations():
    modules = [
        importlib.import_module(f"keras.src.ops.{name}")
        for name in ("numpy", "nn", "image", "math", "linalg", "core", "einops")
    ]
    return [
        kind
        for module in modules
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, keras.Operation) and kind.__module__ == module.__name__
    ]


def test_every_layer_of_keras_has_an_entry_or_a_reason():
    kinds = {name: kind for name, kind in vars(layers).items() if inspect.isclass(kind)}
    assert len(kinds) > 150
    assert {name for name, kind in kinds.items() if entry_of_class(kind) is NOTHING_KNOWN} == {*WITHOUT}


def test_every_layer_of_ours_has_an_entry():
    kinds = [
        kind
        for home in (own_layers, map_layers)
        for kind in vars(home).values()
        if inspect.isclass(kind) and issubclass(kind, keras.Layer) and kind.__module__ == home.__name__
    ]
    public = [kind for kind in kinds if not kind.__name__.startswith("_")]
    assert len(public) > 30
    assert [kind.__name__ for kind in public if entry_of_class(kind) is NOTHING_KNOWN] == []


def test_every_operation_of_keras_has_an_entry():
    kinds = operations()
    assert len(kinds) > 300
    assert [public_name(kind) for kind in kinds if entry_of_class(kind) is NOTHING_KNOWN] == []


def test_every_entry_is_of_something_that_there_is():
    from layerblocks.graphs import rules

    there = {public_name(kind) for kind in (*operations(), *filter(inspect.isclass, vars(layers).values()))}
    assert {name for name in rules._ENTRIES if name.startswith(("keras.ops.", "keras.layers."))} <= there


class Quiet(layers.Conv2D):
    """The same, under another name."""

    def __init__(self, *args, mood="calm", **options):
        super().__init__(*args, **options)
        self.mood = mood

    def get_config(self):
        return {**super().get_config(), "mood": self.mood}


class Loud(layers.Conv2D):
    def call(self, x):
        return super().call(super().call(x))


class Sum(layers.Add):
    def _merge_function(self, inputs):
        return ops.sum(inputs[0], axis=1, keepdims=True) + inputs[1]


Impostor = type("Conv2D", (keras.Layer,), {"call": lambda self, x: x})


def test_a_subclass_is_its_base_only_if_it_changes_nothing():
    assert entry_of(Quiet(4, 3)) is entry_of(layers.Conv2D(4, 3))
    for stranger in (Loud(4, 3), Sum(), Impostor()):
        assert entry_of(stranger) is NOTHING_KNOWN


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (layers.Conv2D(64, 3, strides=2), "3×3 conv, 64, /2"),
        (layers.Conv2D(64, (1, 7), dilation_rate=2, activation="relu"), "1×7 conv, 64, dilation 2, relu"),
        (layers.Bidirectional(layers.LSTM(128)), "LSTM, 128, both ways"),
        (layers.GRU(8, go_backwards=True), "GRU, 8, backwards"),
        (layers.MultiHeadAttention(8, 64), "attention, 8 heads × 64"),
        (layers.RNN([layers.LSTMCell(4), layers.GRUCell(5)]), "RNN of cells: LSTM, 4; GRU, 5"),
        (layers.TimeDistributed(layers.Dense(3)), "dense, 3, at each step"),
        (layers.ReLU(6), "ReLU6"),
        (layers.Maximum(), "max"),
        (layers.Subtract(), "subtract"),
        (layers.LayerNormalization(axis=(1, 2)), "layer norm, axes 1, 2"),
        (layers.Permute((2, 1)), "permute, axes 2, 1"),
        (layers.MultiHeadAttention(1, 32), "attention, 1 head × 32"),
        (layers.Rescaling(1 / 127.5, -1), "rescale, × 1/127.5 − 1"),
        (layers.Rescaling(1 / 255), "rescale, × 1/255"),
        (layers.Rescaling(2.0, 0.5), "rescale, × 2 + 0.5"),
        (layers.Rescaling(0.0), "rescale, × 0"),
        (layers.UpSampling2D(), "upsample ×2"),
        (layers.UpSampling2D((1, 3), interpolation="bilinear"), "upsample ×1×3, bilinear"),
        (layers.Conv1D(8, 3, padding="causal"), "kernel-3 conv, 8, causal"),
        (layers.SpatialDropout2D(0.25), "spatial dropout, 0.25"),
        (own_layers.StochasticDepth(0.2), "stochastic depth, 0.2"),
        (map_layers.PixelShuffle((2, 2)), "pixel shuffle, ×2"),
        (Impostor(), "Conv2D"),
    ],
    ids=str,
)
def test_words(operation, words):
    assert words_of(operation) == words


def test_words_of_every_entry_are_one_line_of_text():
    for operation in (
        numpy_operations.Mean(axis=1),
        nn_operations.Conv(),
        numpy_operations.Transpose((0, 2, 1)),
        numpy_operations.Matmul(),
    ):
        assert words_of(operation) and "\n" not in words_of(operation)


PAIRS = [
    (layers.ReLU(6), layers.ReLU()),
    (layers.MultiHeadAttention(4, 16), layers.MultiHeadAttention(8, 8)),
    (layers.LSTM(8), layers.LSTM(8, go_backwards=True)),
    (layers.TimeDistributed(layers.Conv2D(4, 3)), layers.TimeDistributed(layers.Conv2D(4, 3, dilation_rate=2))),
    (layers.TimeDistributed(layers.Dense(4, "relu")), layers.TimeDistributed(layers.Dense(4, "tanh"))),
    (layers.LeakyReLU(0.3), layers.LeakyReLU(0.01)),
    (layers.Rescaling(2.0), layers.Rescaling(3.0)),
    (layers.Dense(4, dtype="bfloat16"), layers.Dense(4)),
    (layers.Dense(4, activation=lambda x: x), layers.Dense(4, activation=lambda x: -x)),
    (
        layers.TimeDistributed(layers.Dense(4, activation=lambda x: x)),
        layers.TimeDistributed(layers.Dense(4, activation=lambda x: -x)),
    ),
    (layers.RNN([layers.LSTMCell(4)]), layers.RNN([layers.LSTMCell(4, activation="relu")])),
    (layers.Lambda(lambda x: x), layers.Lambda(lambda x: -x)),
    (numpy_operations.Transpose((0, 2, 1)), numpy_operations.Transpose((1, 0, 2))),
    (numpy_operations.Mean(axis=1), numpy_operations.Mean(axis=2)),
]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda layer: type(layer).__name__)
def test_configurations_differ_where_layers_do(one, other):
    assert configuration(one) != configuration(other)
    assert configuration(one) == configuration(one)


def test_names_seeds_and_initial_values_are_aside():
    one = layers.Dense(4, kernel_initializer="ones", name="a")
    assert configuration(one) == configuration(layers.Dense(4, name="b"))
    assert configuration(layers.Dropout(0.5, seed=1)) == configuration(layers.Dropout(0.5, seed=2))


def test_a_layer_without_get_config_is_told_by_what_it_was_given():
    class Own(keras.Layer):
        def __init__(self, width):
            super().__init__()
            self.width = width

    assert configuration(Own(3)) == configuration(Own(3)) != configuration(Own(4))


def test_an_entry_may_say_what_tells_two_layers_apart():
    class Rows:
        def __init__(self, count):
            self.count = count

    class Table(keras.Layer):
        def __init__(self, rows):
            super().__init__()
            self.rows = rows

    assert configuration(Table(Rows(3))) != configuration(Table(Rows(3)))
    knows(Table)(Entry(configuration=lambda layer: {"rows": layer.rows.count}))
    assert configuration(Table(Rows(3))) == configuration(Table(Rows(3))) != configuration(Table(Rows(4)))
    knows(Table)(Entry(configuration=lambda layer: None))
    assert configuration(Table(Rows(3))) != configuration(Table(Rows(3)))


def calls_of(make, *shapes):
    from layerblocks.graphs.calls import calls

    tensors = [keras.Input(shape) for shape in shapes]
    call = calls([make(*tensors)])[-1]
    shapes = tuple(tuple(t.shape) for t in call.input_tensors)
    return Call(call.operation, shapes, tuple(tuple(t.shape) for t in call.outputs), *_arguments(call))


def _arguments(call):
    return call.arguments.args, call.arguments.kwargs


def test_what_each_input_is():
    heads = layers.MultiHeadAttention(2, 4)
    assert inputs_of(calls_of(lambda q, v: heads(q, v), (5, 8), (6, 8))) == ("query", "value")
    made = calls_of(lambda q, v, k, m: heads(q, value=v, key=k, attention_mask=m), (5, 8), (6, 8), (6, 8), (5, 6))
    assert inputs_of(made) == ("query", "mask", "key", "value")
    assert inputs_of(calls_of(lambda q, v: layers.Attention()([q, v]), (5, 8), (6, 8))) == ("query", "value")
    states = calls_of(lambda x, h, c: layers.LSTM(4)(x, initial_state=[h, c]), (5, 8), (4,), (4,))
    assert inputs_of(states) == ("data", "state", "state")
    assert inputs_of(calls_of(lambda a, b: a + b, (5, 8), (5, 8))) == ("data", "data")


def test_mixing_of_positions():
    assert mixes_positions(calls_of(layers.Conv2D(4, 3), (8, 8, 3))) is True
    assert mixes_positions(calls_of(layers.Conv2D(4, 1), (8, 8, 3))) is False
    assert mixes_positions(calls_of(layers.Dense(4), (8, 8, 3))) is False
    assert mixes_positions(calls_of(layers.LayerNormalization(axis=(1, 2)), (8, 8, 3))) is True
    assert mixes_positions(calls_of(layers.Lambda(lambda x: x), (8, 8, 3))) is None


def test_kinds_are_classes_or_names():
    with pytest.raises(TypeError, match="kinds must be classes of layers or their full names, got"):
        knows(3)
