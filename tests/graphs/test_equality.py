"""What tells two layers apart: each pair differs in one thing that a network may be known for."""

from __future__ import annotations

import enum
import inspect
import re

import keras
import numpy as np
import pytest
from keras import layers, ops

from layerblocks.graphs import Edge, Graph, Node, fold, read_graph, same_kind, why_unequal
from layerblocks.graphs.equality import _has_nameless, configuration, plain


def doubled(x):
    return 2 * x


def halved(x):
    return x / 2


class Scaled(layers.Layer):
    def __init__(self, by, **options):
        super().__init__(**options)
        self.by = by

    def call(self, x):
        return x * self.by


class Applied(layers.Layer):
    """A layer that cannot write down what it was given."""

    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = function

    def call(self, x):
        return self.function(x)


class Forgetful(Scaled):
    def __init__(self, by, power, **options):
        super().__init__(by, **options)
        self.power = power

    def get_config(self):
        return {**keras.layers.Layer.get_config(self), "by": self.by}


def last(make):
    x = keras.Input((8, 16), name="x")
    return read_graph(keras.Model(x, make(x))).nodes[-1]


def heads(n, width, **given):
    return lambda x: layers.MultiHeadAttention(n, width)(x, x, **given)


def of(*layer):
    def make(x):
        for each in layer:
            x = each(x)
        return x

    return make


PAIRS = {
    "heads": (lambda: heads(4, 16), lambda: heads(8, 8), "num_heads|key_dim"),
    "causal": (lambda: heads(4, 16), lambda: heads(4, 16, use_causal_mask=True), "use_causal_mask"),
    "backwards": (
        lambda: of(layers.LSTM(8, return_sequences=True)),
        lambda: of(layers.LSTM(8, return_sequences=True, go_backwards=True)),
        "go_backwards",
    ),
    "dilation in a wrapper": (
        lambda: of(layers.Reshape((8, 16, 1)), layers.TimeDistributed(layers.Conv1D(4, 3, dilation_rate=1))),
        lambda: of(layers.Reshape((8, 16, 1)), layers.TimeDistributed(layers.Conv1D(4, 3, dilation_rate=2))),
        "layer.dilation_rate",
    ),
    "activation in a wrapper": (
        lambda: of(layers.TimeDistributed(layers.Dense(4, "relu"))),
        lambda: of(layers.TimeDistributed(layers.Dense(4, "tanh"))),
        "layer.activation",
    ),
    "what goes both ways": (
        lambda: of(layers.Bidirectional(layers.LSTM(4))),
        lambda: of(layers.Bidirectional(layers.GRU(4))),
        "layer",
    ),
    "dtype in a wrapper": (
        lambda: of(layers.Bidirectional(layers.LSTM(4))),
        lambda: of(layers.Bidirectional(layers.LSTM(4, dtype="mixed_bfloat16"))),
        "layer.dtype",
    ),
    "one of the cells": (
        lambda: of(layers.RNN([layers.LSTMCell(4), layers.LSTMCell(4)])),
        lambda: of(layers.RNN([layers.LSTMCell(4), layers.LSTMCell(4, recurrent_activation="relu")])),
        "cell.cells.1.recurrent_activation",
    ),
    "factor": (lambda: lambda x: x * 2.0, lambda: lambda x: x * 3.0, "argument"),
    "slice": (lambda: lambda x: x[..., :4], lambda: lambda x: x[..., 12:], "argument"),
    "axes": (
        lambda: lambda x: ops.transpose(x[..., :8], (0, 1, 2)),
        lambda: lambda x: ops.transpose(x[..., :8], (0, 2, 1)),
        "axes",
    ),
    "constant": (
        lambda: lambda x: x + np.arange(16.0, dtype="float32"),
        lambda: lambda x: x + np.arange(1.0, 17.0, dtype="float32"),
        "argument",
    ),
    "scale": (lambda: of(layers.Rescaling(1 / 255)), lambda: of(layers.Rescaling(1 / 127)), "scale"),
    "lambda": (
        lambda: of(layers.Lambda(lambda x: x)),
        lambda: of(layers.Lambda(lambda x: -x)),
        "cannot be compared.*not registered",
    ),
    "slope": (lambda: of(layers.LeakyReLU(0.3)), lambda: of(layers.LeakyReLU(0.01)), "negative_slope"),
    "ReLU6": (lambda: of(layers.ReLU(6)), lambda: of(layers.ReLU()), "max_value"),
    "dtype": (lambda: of(layers.Dense(4, dtype="bfloat16")), lambda: of(layers.Dense(4)), "dtype"),
    "activation": (lambda: of(layers.Dense(4, doubled)), lambda: of(layers.Dense(4, halved)), "activation"),
    "regularizer": (lambda: of(layers.Dense(4, kernel_regularizer="l2")), lambda: of(layers.Dense(4)), "regularizer"),
    "own": (lambda: of(Scaled(2)), lambda: of(Scaled(3)), "by"),
    "own without a configuration": (lambda: of(Applied(doubled)), lambda: of(Applied(doubled)), "no configuration"),
    "own with half a configuration": (lambda: of(Forgetful(2, 3)), lambda: of(Forgetful(2, 3)), "leaves out power"),
    "frozen": (
        lambda: of(layers.Dense(4, trainable=False)),
        lambda: of(layers.Dense(4)),
        "trainable",
    ),
}
UNTOLD = ("lambda", "own without a configuration", "own with half a configuration")


@pytest.mark.parametrize("name", PAIRS)
def test_what_differs_is_seen_and_said(name):
    a, b, says = PAIRS[name]
    one, other = last(a()), last(b())
    assert not same_kind(one, other)
    assert re.search(says, why_unequal(one, other))
    assert same_kind(one, one)


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in UNTOLD])
def test_what_is_made_the_same_twice_is_equal(name):
    make = PAIRS[name][0]
    assert why_unequal(last(make()), last(make())) is None


def test_initial_values_seeds_and_names_do_not_count():
    made = [
        layers.Dense(4, name="a", kernel_initializer="zeros"),
        layers.Dense(4, name="b", kernel_initializer=keras.initializers.HeNormal(3)),
    ]
    assert same_kind(*(last(of(layer)) for layer in made))
    assert same_kind(last(of(layers.Dropout(0.1, seed=1))), last(of(layers.Dropout(0.1, seed=2))))


def test_trainability_counts_where_asked():
    frozen, trained = last(of(layers.Dense(4, trainable=False))), last(of(layers.Dense(4)))
    assert same_kind(frozen, trained, trainable=False) and not same_kind(frozen, trained)


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in ("axes", "slice", "heads")])
def test_unequal_neighbours_are_not_folded(name):
    a, b, _ = PAIRS[name]
    x = keras.Input((8, 16), name="x")
    try:
        model = keras.Model(x, b()(a()(x)))
    except ValueError:
        pytest.skip("the two do not fit one behind the other")
    assert all(node.repeats == 1 for node in fold(read_graph(model)).nodes)


def test_a_lambda_called_twice_is_one_and_two_are_two():
    shared, x = layers.Lambda(lambda x: -x), keras.Input((8,), name="x")
    first, second = read_graph(keras.Model(x, shared(shared(x)))).nodes[1:]
    assert same_kind(first, second)


class Piped(layers.Layer):
    """A layer that writes down of its functions no more than their names."""

    def __init__(self, functions, **options):
        super().__init__(**options)
        self.functions = functions

    def call(self, x):
        for function in self.functions:
            x = function(x)
        return x

    def get_config(self):
        return {**super().get_config(), "functions": [function.__name__ for function in self.functions]}


def times(factor):
    def scaled(x):
        return factor * x

    return scaled


def test_two_functions_of_one_name_in_a_list_are_two():
    one, other = last(of(Piped([doubled, times(2)]))), last(of(Piped([doubled, times(3)])))
    assert not same_kind(one, other)
    assert same_kind(last(of(Piped([doubled, halved]))), last(of(Piped([doubled, halved]))))


def test_numbers_of_numpy_are_told_apart_by_their_values():
    two, again, three = (last(of(Scaled(np.float64(by)))) for by in (2, 2, 3))
    assert same_kind(two, again) and not same_kind(two, three)


class Level(enum.IntEnum):
    LOW, HIGH = 1, 2


def test_members_of_enumerations_are_what_they_stand_for():
    assert plain(Level.LOW) == plain(Level.LOW) == 1 != plain(Level.HIGH)
    assert plain(type("Text", (str,), {})("a")) == "a" and plain(type("Real", (float,), {})(0.5)) == 0.5


def test_what_says_nothing_of_itself_is_equal_to_itself_alone():
    one, other = object(), object()
    assert plain(one) == plain(one) != plain(other)


def test_a_layer_is_no_block_of_the_same_name():
    inner = read_graph(keras.Sequential([keras.Input((4,)), layers.Dense(3)]))
    layer, block = (Node(0, ("x",), "Own", "other", inner=held) for held in (None, inner))
    assert why_unequal(layer, block) == "inside: one is a layer, the other a block"
    assert why_unequal(block, block) is None


def test_what_is_inside_of_blocks_counts():
    def block(*kinds, edges=((0, 1),)):
        nodes = tuple(Node(number, (f"n{number}",), kind, "other") for number, kind in enumerate(kinds))
        inner = Graph("b", "Functional", nodes, tuple(Edge(*edge) for edge in edges))
        return Node(0, ("b",), "Block", "other", inner=inner)

    one = block("Dense", "ReLU", "Add", edges=((0, 1), (1, 2)))
    assert same_kind(one, block("Dense", "ReLU", "Add", edges=((0, 1), (1, 2))))
    assert why_unequal(one, block("Dense", "Softmax", "Add", edges=((0, 1), (1, 2)))) == "n1: kind: ReLU, Softmax"
    assert why_unequal(one, block("Dense", "ReLU")) == "inside: 3 layers, 2"
    assert why_unequal(one, block("Dense", "ReLU", "Add", edges=((0, 1), (0, 2)))) == "the wiring inside"


@pytest.mark.parametrize("value", [{"class_name": "__lambda__", "config": {}}, [1, ({"f": "<lambda>"},)]])
def test_a_function_without_a_name_is_found_wherever_it_stands(value):
    assert _has_nameless(value) and not _has_nameless({"class_name": "Dense", "config": ["lambda", 1]})


FIELDS = {
    layers.Conv2D: {"filters": 5, "kernel_size": 2, "strides": 2, "padding": "same", "dilation_rate": 2, "groups": 3},
    layers.BatchNormalization: {"momentum": 0.5, "epsilon": 0.1, "center": False, "scale": False, "axis": 1},
    layers.LSTM: {"units": 3, "unroll": True, "stateful": False, "use_bias": False, "recurrent_dropout": 0.5},
    layers.ReLU: {"max_value": 1.0, "negative_slope": 0.5, "threshold": 0.5},
    layers.UpSampling2D: {"size": 3, "interpolation": "bilinear"},
    layers.Softmax: {"axis": 1},
    layers.GroupNormalization: {"groups": 3, "epsilon": 0.1, "center": False},
}
GIVEN = {layers.Conv2D: {"filters": 3, "kernel_size": 3}, layers.LSTM: {"units": 2}}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, fields in FIELDS.items() for name in fields])
def test_every_field_counts(kind, name):
    given = GIVEN.get(kind, {})
    plain, flipped = kind(**given), kind(**{**given, name: FIELDS[kind][name]})
    assert (configuration(plain) != configuration(flipped)) == (getattr(plain, name) != getattr(flipped, name))
    assert configuration(plain) == configuration(kind(**given))


# -- every field of every layer ---------------------------------------------------------------------------------------

# What is asked for by layers of Keras besides a name, by the name of the parameter.
NEEDED = {
    "filters": 4,
    "units": 4,
    "kernel_size": 3,
    "pool_size": 2,
    "rate": 0.5,
    "n": 2,
    "size": 2,
    "dims": (2, 1),
    "target_shape": (-1,),
    "num_heads": 2,
    "key_dim": 4,
    "head_dim": 4,
    "num_query_heads": 4,
    "axes": -1,
    "num_key_value_heads": 2,
    "input_dim": 8,
    "output_dim": 4,
    "equation": "abc,cd->abd",
    "output_shape": (None, 4),
    "stddev": 0.1,
    "scale": 2.0,
    "height": 8,
    "width": 8,
    "factor": 0.2,
    "num_tokens": 4,
    "num_bins": 4,
    "max_value": 6.0,
    "l1": 0.1,
}
# Another valid value of what is a number, a flag or a word, by the name of the parameter; else one is made of it.
OTHER = {
    "padding": "same",
    "activation": "tanh",
    "recurrent_activation": "relu",
    "interpolation": "bilinear",
    "data_format": "channels_first",
    "merge_mode": "sum",
    "fill_mode": "constant",
    "output_mode": "count",
    "kernel_regularizer": "l2",
    "bias_regularizer": "l2",
    "recurrent_regularizer": "l2",
    "gamma_regularizer": "l2",
    "beta_regularizer": "l2",
    "activity_regularizer": "l2",
    "depthwise_regularizer": "l2",
    "alpha_regularizer": "l2",
    "pointwise_regularizer": "l2",
    "embeddings_regularizer": "l2",
    "dtype": "bfloat16",
    "dtype_policy": "bfloat16",
    "kernel_constraint": "non_neg",
    "bias_constraint": "non_neg",
    "recurrent_constraint": "non_neg",
    "gamma_constraint": "non_neg",
    "beta_constraint": "non_neg",
    "depthwise_constraint": "non_neg",
    "pointwise_constraint": "non_neg",
    "embeddings_constraint": "non_neg",
    "alpha_constraint": "non_neg",
}
# What tells no two layers apart, and why.
EXCUSED = {
    "name": "a name",
    "seed": "where random numbers begin",
    "trainable": "has a test of its own",
    "weights": "values",
    "kwargs": "of other layers",
}


def flipped(name, value):
    if name in OTHER and value != OTHER[name]:
        return OTHER[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 if value else 0.25
    if isinstance(value, tuple) and value and all(type(item) is int for item in value):
        return tuple(item + 1 for item in value)
    return None


def fields():
    """Every layer that is made of plain values, and every parameter of which another valid value is known."""
    for kind in dict.fromkeys(v for v in vars(layers).values() if isinstance(v, type) and issubclass(v, layers.Layer)):
        taken = inspect.signature(kind.__init__).parameters.values()
        needed = [p.name for p in taken if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD][1:]
        if not all(name in NEEDED for name in needed):
            continue
        given = {name: NEEDED[name] for name in needed}
        for parameter in (*taken, inspect.Parameter("dtype", inspect.Parameter.KEYWORD_ONLY, default="float32")):
            name = parameter.name
            if name in EXCUSED or name.endswith("_initializer") or name == "self":
                continue
            other = flipped(name, given.get(name, parameter.default))
            if other is not None:
                yield kind, name, given, other


def made(kind, given):
    try:
        return kind(**given)
    except Exception:
        return None


def node_of(layer):
    return Node(0, ("x",), type(layer).__name__, "other", configuration=configuration(layer))


CASES = [
    (one, other, f"{kind.__name__}.{name}")
    for kind, name, given, value in fields()
    if (one := made(kind, given)) is not None and (other := made(kind, {**given, name: value})) is not None
]


def test_most_fields_of_most_layers_are_tried():
    assert len({name.split(".")[0] for *_, name in CASES}) > 100 and len(CASES) > 600


# What Keras accepts and does not keep: nothing of the layer differs.
DROPPED = {"SimpleRNN.activity_regularizer", "StringLookup.dtype", "IntegerLookup.dtype"}


def test_what_keras_drops_is_in_no_configuration():
    for one, other, name in CASES:
        if name in DROPPED:
            pairs = zip(one.get_config().items(), other.get_config().items(), strict=True)
            assert [a[0] for a, b in pairs if a != b] == ["name"]


@pytest.mark.parametrize("case", [case for case in CASES if case[2] not in DROPPED], ids=lambda case: case[2])
def test_every_field_of_every_layer_is_seen(case):
    one, other, name = case
    why = why_unequal(node_of(one), node_of(other))
    assert why is not None, name
    assert why_unequal(node_of(one), node_of(one)) is None
