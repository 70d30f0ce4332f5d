"""Multiply-adds of every kind against the products in what JAX makes of it, and totals that say what they leave out."""

from __future__ import annotations

from math import prod

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.src.ops.numpy import Matmul

from layerblocks._keras import public_name
from layerblocks.blocks import map_layers, weightless
from layerblocks.graphs import Total, read_graph
from layerblocks.graphs.calls import calls
from layerblocks.graphs.layer_rules.common import none_at_all
from layerblocks.graphs.layer_rules.operations import _cost_unknown
from layerblocks.graphs.rules import _ENTRIES, Call, Entry, entry_of
from layerblocks.graphs.rules import multiply_adds as of_call
from layerblocks.graphs.totals import activation_bytes, bytes_of, multiply_adds, parameter_bytes, total


def products(jaxpr):
    """The multiply-adds of the convolutions and products of matrices, those of a loop as often as it runs."""
    found = 0
    for equation in jaxpr.eqns:
        kind, parameters = equation.primitive.name, equation.params
        shapes = [getattr(variable.aval, "shape", ()) for variable in equation.invars]
        out = equation.outvars[0].aval.shape if equation.outvars else ()
        if kind == "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            found += prod(out) * prod(shapes[0][axis] for axis in contracted)
        elif kind == "conv_general_dilated":
            numbers = parameters["dimension_numbers"]
            transposed = max(parameters["lhs_dilation"]) > 1
            shape, spec = (shapes[0], numbers.lhs_spec) if transposed else (out, numbers.out_spec)
            found += prod(shapes[1]) * prod(shape[axis] for axis in spec[2:])
        times = parameters.get("length", 1) if kind == "scan" else 1
        for value in parameters.values():
            for inside in value if isinstance(value, tuple | list) else [value]:
                inside = getattr(inside, "jaxpr", inside)
                found += times * products(inside) if hasattr(inside, "eqns") else 0
    return found


def truth(model):
    import jax
    from jax.interpreters.partial_eval import dce_jaxpr

    arguments = [jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for x in model.inputs]
    call = lambda *xs: model(list(xs) if len(xs) > 1 else xs[0], training=False)  # noqa: E731
    jaxpr = jax.make_jaxpr(call)(*arguments).jaxpr
    return products(dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))[0])  # without what nobody uses


def sizes(rank):
    return (4, 5, 6)[:rank]


def ones(*shape):
    return np.ones(shape, "float32")


def by_hand(x):
    query, key, value = (layers.Dense(32)(x) for _ in range(3))
    return ops.matmul(ops.softmax(ops.matmul(query, ops.transpose(key, (0, 2, 1)))), value)


CASES = {
    "conv, grouped": (lambda x: layers.Conv2D(6, 3, strides=2, groups=2, padding="same")(x), (9, 9, 4)),
    "conv, causal": (lambda x: layers.Conv1D(6, 3, padding="causal")(x), (9, 4)),
    "conv, volume": (lambda x: layers.Conv3D(6, 3)(x), (5, 6, 7, 4)),
    **{
        f"conv, {kind} {n}": (
            lambda x, n=n, kind=kind: getattr(map_layers, f"Weight{kind}Conv{n}D")(6, 3, strides=2)(x),
            (*sizes(n), 3),
        )
        for kind in ("Standardized", "Normalized")
        for n in (1, 2, 3)
    },
    "depthwise": (lambda x: layers.DepthwiseConv2D(3, depth_multiplier=2)(x), (9, 9, 4)),
    "depthwise 1": (lambda x: layers.DepthwiseConv1D(3, depth_multiplier=2)(x), (9, 4)),
    "separable 1": (lambda x: layers.SeparableConv1D(5, 3)(x), (9, 4)),
    "separable 2": (lambda x: layers.SeparableConv2D(5, 3, strides=2)(x), (9, 9, 4)),
    **{
        f"transposed {n}": (lambda x, n=n: getattr(layers, f"Conv{n}DTranspose")(5, 3, strides=2)(x), (*sizes(n), 3))
        for n in (1, 2, 3)
    },
    "dense": (lambda x: layers.Dense(5)(x), (7, 3, 4)),
    "einsum dense": (lambda x: layers.EinsumDense("abc,cd->abd", output_shape=(None, 8))(x), (7, 4)),
    "einsum dense, heads": (lambda x: layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 8))(x), (7, 4)),
    "einsum dense, …": (lambda x: layers.EinsumDense("...x,xy->...y", output_shape=8)(x), (7, 3, 4)),
    **{f"{n} last": (lambda x, n=n: getattr(layers, n)(5)(x), (7, 3)) for n in ("LSTM", "GRU", "SimpleRNN")},
    **{
        f"{n} both ways": (lambda x, n=n: layers.Bidirectional(getattr(layers, n)(5, return_sequences=True))(x), (7, 3))
        for n in ("LSTM", "GRU", "SimpleRNN")
    },
    "cells": (lambda x: layers.RNN([layers.LSTMCell(4), layers.GRUCell(5)], unroll=True)(x), (7, 3)),
    "a step of LSTM": (lambda x, h, c: layers.LSTMCell(5)(x, [h, c])[0], (3,), (5,), (5,)),
    "a step of GRU": (lambda x, h: layers.GRUCell(5)(x, h)[0], (3,), (5,)),
    "a step of RNN": (lambda x, h: layers.SimpleRNNCell(5)(x, h)[0], (3,), (5,)),
    "cell": (lambda x: layers.RNN(layers.SimpleRNNCell(5))(x), (7, 3)),
    **{
        f"conv LSTM {n}": (
            lambda x, n=n: getattr(layers, f"ConvLSTM{n}D")(2, 3, padding="same")(x),
            (3, *sizes(n), 3),
        )
        for n in (1, 2, 3)
    },
    "conv LSTM, strided": (lambda x: layers.ConvLSTM2D(2, 3, strides=2, return_sequences=True)(x), (3, 7, 8, 3)),
    "each step, dense": (lambda x: layers.TimeDistributed(layers.Dense(5))(x), (7, 3)),
    "each step, conv": (lambda x: layers.TimeDistributed(layers.Conv2D(5, 3))(x), (7, 6, 6, 3)),
    "each step, model": (
        lambda x: layers.TimeDistributed(
            keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(5, 3), layers.Flatten(), layers.Dense(3)])
        )(x),
        (7, 6, 6, 3),
    ),
    "spectral": (lambda x: layers.SpectralNormalization(layers.Conv2D(4, 5))(x), (9, 9, 3)),
    "heads": (lambda x: layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True), (5, 8)),
    "heads, other": (lambda x, y: layers.MultiHeadAttention(2, 3, output_shape=9)(x, key=y, value=y), (5, 8), (7, 6)),
    "heads, columns": (lambda x: layers.MultiHeadAttention(2, 3, attention_axes=(2,))(x, x), (4, 5, 6)),
    "heads, image": (lambda x: layers.MultiHeadAttention(2, 3)(x, x), (4, 5, 6)),
    "heads, grouped": (lambda x: layers.GroupQueryAttention(4, 4, 2)(x, x), (5, 8)),
    "attention": (lambda x, y: layers.Attention()([x, y]), (5, 8), (7, 8)),
    "attention, keys": (lambda x, y, z: layers.Attention(use_scale=True)([x, y, z]), (5, 8), (7, 6), (7, 8)),
    "attention, concat": (lambda x, y: layers.Attention(score_mode="concat")([x, y]), (5, 8), (7, 8)),
    "attention, additive": (lambda x, y: layers.AdditiveAttention()([x, y]), (5, 8), (7, 8)),
    "attention by hand": (by_hand, (256, 32)),
    "dot": (lambda x, y: layers.Dot(axes=2)([x, y]), (5, 8), (7, 8)),
    "dot, first": (lambda x, y: layers.Dot(axes=1)([x, y]), (7, 5), (7, 8)),
    "dot, vectors": (lambda x, y: layers.Dot(axes=1)([x, y]), (8,), (8,)),
    "matmul": (lambda x, y: ops.matmul(x, ops.transpose(y, (0, 2, 1))), (5, 8), (7, 8)),
    "@": (lambda x, y: x @ ops.swapaxes(y, 1, 2), (5, 8), (7, 8)),
    "matmul, constant": (lambda x: ops.matmul(x, ones(8, 3)), (5, 8)),
    "matmul, constant first": (lambda x: ops.matmul(ones(3, 5), x), (5, 8)),
    "einsum": (lambda x, y: ops.einsum("btd,bsd->bts", x, y), (5, 8), (7, 8)),
    "einsum, a factor first": (lambda x: ops.einsum("d,btd->bt", ones(8), x), (5, 8)),
    "einsum, a weight for each step": (lambda x, y: ops.einsum("bt,btd->btd", x, y), (5,), (5, 8)),
    "einsum, steps of each feature": (lambda x, y: ops.einsum("btd,bd->btd", x, y), (5, 8), (8,)),
    "einsum, constant": (lambda x: ops.einsum("ij,bjk->bik", ones(3, 5), x), (5, 8)),
    "tensordot": (lambda x: ops.tensordot(x, ones(8, 3), axes=1), (5, 8)),
    "ops.dot": (lambda x: ops.dot(x, ones(8, 3)), (5, 8)),
    "inner": (lambda x: ops.inner(x, ones(3, 8)), (5, 8)),
    "ops attention": (lambda x: ops.dot_product_attention(x, x, x), (5, 4, 8)),
    "ops.conv": (lambda x: ops.conv(x, ones(3, 3, 4, 5), 2, "same"), (9, 9, 4)),
    "ops.depthwise_conv": (lambda x: ops.depthwise_conv(x, ones(3, 3, 4, 2)), (9, 9, 4)),
    "ops.separable_conv": (lambda x: ops.separable_conv(x, ones(3, 3, 4, 2), ones(1, 1, 8, 5)), (9, 9, 4)),
}


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="counts the products in what JAX makes of it")
@pytest.mark.parametrize("name", CASES)
def test_multiply_adds_are_those_that_jax_needs(name):
    make, *shapes = CASES[name]
    inputs = [keras.Input(shape) for shape in shapes]
    model = keras.Model(inputs, make(*inputs))
    assert read_graph(model).multiply_adds == truth(model) > 0


# Entries that count and that no case measures, and why not.
EXCUSED = {
    **dict.fromkeys(("keras.layers.Embedding", "keras.layers.ReversibleEmbedding"), "by hand, below"),
    **dict.fromkeys(("keras.models.Functional", "keras.models.Sequential"), "the sum of what is in it"),
    "keras.layers.StackedRNNCells": "inside an RNN, above",
    "keras.ops.ConvTranspose": "cannot be run: Keras 3.15 swaps two arguments",
}


def test_every_count_is_measured_or_excused():
    entry_of(layers.Dense(1))  # reads the entries
    entries = {name: entry if isinstance(entry, Entry) else entry() for name, entry in _ENTRIES.items()}
    counting = {name for name, e in entries.items() if e.multiply_adds not in (None, none_at_all, _cost_unknown)}
    counting = {name for name in counting if name.startswith(("keras.", "layerblocks."))}
    measured = set()
    for make, *shapes in CASES.values():
        inputs = [keras.Input(shape) for shape in shapes]
        with weightless():
            model = keras.Model(inputs, make(*inputs))
        measured |= {public_name(type(call.operation)) for call in calls(model.outputs)}
    assert counting - measured == {*EXCUSED}


def test_multiply_adds_of_attention_by_hand():
    x = keras.Input((256, 32))
    assert read_graph(keras.Model(x, by_hand(x))).multiply_adds == 4_980_736


def test_multiply_adds_of_attention_with_values_of_another_size():
    query, value, key = (keras.Input(shape) for shape in ((5, 8), (7, 6), (7, 4)))
    model = keras.Model([query, value, key], layers.MultiHeadAttention(2, 3, value_dim=5)(query, value, key))
    projections = 5 * 8 * 2 * 3 + 7 * 4 * 2 * 3 + 7 * 6 * 2 * 5
    assert read_graph(model).multiply_adds == projections + 2 * 5 * 7 * (3 + 5) + 5 * 2 * 5 * 8


@pytest.mark.parametrize(
    ("kind", "options", "each"),
    [
        ("Conv2D", {"filters": 5}, 4 * 9 * 5),
        ("DepthwiseConv2D", {"depth_multiplier": 2}, 4 * 9 * 2),
        ("SeparableConv2D", {"filters": 5}, 4 * 9 + 4 * 5),
        ("Conv2DTranspose", {"filters": 5}, 4 * 9 * 5),
    ],
)
def test_multiply_adds_where_channels_stand_first(kind, options, each):
    """A transposed convolution multiplies each pixel of what it is given, the others each of what they give."""
    layer = getattr(layers, kind)(kernel_size=3, data_format="channels_first", **options)
    big, small = (None, 4, 9, 7), (None, layer.compute_output_shape((None, 4, 9, 7))[1], 7, 5)
    before, after = (small, big) if "Transpose" in kind else (big, small)
    before = (None, 4, *before[2:])
    assert of_call(Call(layer, (before,), (after,))) == 7 * 5 * each


def test_an_embedding_reversed_is_a_product():
    x = keras.Input((6,), dtype="int32")
    layer = layers.ReversibleEmbedding(11, 4)
    assert read_graph(keras.Model(x, layer(layer(x), reverse=True))).multiply_adds == 6 * 4 * 11


def test_torch_counts_the_same():
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        torch.nn.Conv2d(3, 8, 3, stride=2, groups=1)(torch.zeros(1, 3, 17, 17))
    layer = layers.Conv2D(8, 3, strides=2)
    shape = layer(keras.Input((17, 17, 3))).shape
    assert 2 * multiply_adds(layer, [(None, 17, 17, 3)], [shape]) == counter.get_total_flops()


class Stranger(layers.Dense):
    """Says nothing of what it does instead of its base."""

    def call(self, x):
        return super().call(x) @ ops.ones((self.units, self.units))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Lambda(lambda x: x @ ops.transpose(x, (0, 2, 1))),
        Stranger(4),
        layers.TimeDistributed(Stranger(4)),
        layers.RNN(type("Cell", (layers.LSTMCell,), {"call": layers.LSTMCell.call})(4)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_nobody_knows_is_not_free(layer):
    x = keras.Input((5, 4))
    model = keras.Model(x, layer(x))
    assert read_graph(model).multiply_adds is None


class Counting(keras.Layer):
    """A layer, and the cell of a recurrent one, that says what it costs."""

    state_size = output_size = 4

    def call(self, x, states=None):
        return x[..., :4] if states is None else (x[:, :4], states)

    def multiply_adds(self, input_shape, output_shape):
        return input_shape[-1] * output_shape[-1]


@pytest.mark.parametrize(("make", "work"), [(Counting, 6 * 4), (lambda: layers.RNN(Counting()), 5 * 6 * 4)])
def test_a_layer_says_what_it_costs(make, work):
    x = keras.Input((5, 6))
    assert read_graph(keras.Model(x, make()(x))).multiply_adds == work
    layer = Counting()
    layer.multiply_adds = None
    assert read_graph(keras.Model(x, layer(x))).multiply_adds is None


def test_a_total_says_what_it_leaves_out():
    found = total([("a", 3_000_000_000), ("b", None), ("c", 100_000_000), ("b", None)])
    assert found == Total(3_100_000_000, ("b",)) and found.exact is None
    assert (str(found), found.explanation) == ("≥ 3.1 G", "at least 3,100,000,000, not counting b")
    assert Total().exact == 0 and Total() + Total(5) == Total(5)
    assert Total(5).exact == 5 and str(Total(5) + Total(6, ("x",))) == "≥ 11"
    many = Total(1, tuple("abcdef"))
    assert many.explanation == "at least 1, not counting a, b, c, d and 2 others"


def test_one_unknown_layer_does_not_blank_the_budget():
    x = keras.Input((8, 8, 3))
    y = layers.Lambda(lambda t: t * 2, name="mine")(layers.Conv2D(4, 3, name="conv")(x))
    graph = read_graph(keras.Model(x, layers.Dense(2, name="dense")(y)))
    assert graph.work == Total(36 * 4 * 27 + 36 * 8, ("mine",)) and graph.multiply_adds is None


def test_a_size_that_is_not_known_is_not_counted():
    assert of_call(Call(Matmul(), ((None, None, 8), (None, 8, 2)), ((None, None, 2),))) is None


def test_windows_that_are_put_among_the_examples_are_counted():
    """Attention within windows of 4×4, four an image, as one writes it: the windows become rows of the batch."""
    x = keras.Input((8, 8, 16))
    y = ops.reshape(x, (-1, 2, 4, 2, 4, 16))
    y = ops.reshape(ops.transpose(y, (0, 1, 3, 2, 4, 5)), (-1, 16, 16))
    y = layers.MultiHeadAttention(2, 8)(y, y)
    y = layers.Dense(4)(y * 2.0)
    y = ops.transpose(ops.reshape(y, (-1, 2, 2, 4, 4, 4)), (0, 1, 3, 2, 4, 5))
    model = keras.Model(x, layers.Dense(3)(ops.reshape(y, (-1, 8, 8, 4))))
    within = 4 * 16 * 16 * 16 + 2 * 16 * 16 * 16 + 16 * 16 * 4
    assert read_graph(model).multiply_adds == 4 * within + 64 * 4 * 3


def test_windows_are_counted_though_what_they_are_multiplied_by_is_one_for_all():
    x, weights = keras.Input((8, 8, 16)), keras.Input(batch_shape=(1, 16, 5))
    windows = ops.reshape(x, (-1, 16, 16))  # four of each image
    assert read_graph(keras.Model([x, weights], ops.matmul(windows, weights))).multiply_adds == 4 * 16 * 16 * 5


def test_of_sums_over_the_examples_nobody_knows_how_many_products_there_are():
    x, y = keras.Input((5,)), keras.Input((7,))
    assert read_graph(keras.Model([x, y], ops.einsum("bt,bs->ts", x, y))).multiply_adds is None


def test_examples_put_one_after_the_other_are_counted():
    a, b, x = keras.Input((6,)), keras.Input((6,)), keras.Input((8, 8, 16))
    with weightless():
        both = layers.Dense(5)(ops.concatenate([a, b], axis=0))
        turned = layers.Dense(5)(ops.transpose(x, (1, 0, 2, 3)))
    assert read_graph(keras.Model([a, b], both)).multiply_adds == 2 * 6 * 5
    assert read_graph(keras.Model(x, turned)).multiply_adds is None


def test_bytes():
    assert [bytes_of(dtype) for dtype in ("float16", "float64", "int8", "bool", "int4")] == [2, 8, 1, 1, 1]
    assert activation_bytes([(None, 4, 3), (None, 2)], ["float32", "int64"]) == 48 + 16
    assert activation_bytes([(None, None, 3)], ["float32"]) is None
    assert activation_bytes([(None, 0, 3)], ["float32"]) == 0
    layer = layers.Dense(4, dtype="bfloat16")
    layer.build((None, 3))
    assert parameter_bytes(layer) == 2 * 16


@pytest.mark.parametrize("name", ["ConvNeXtTiny", "InceptionResNetV2", "EfficientNetV2B0", "NASNetMobile"])
def test_nothing_of_published_networks_is_unknown(name):
    from layerblocks.graphs import Unknown

    with weightless():
        graph = read_graph(getattr(keras.applications, name)(weights=None), expand_nested=True)
    assert graph.work.uncounted == ()
    assert not any(isinstance(node.receptive_field, Unknown) for node in graph.nodes)
