"""Windows of every kind against what layers do: which positions of the input change which of the output."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from layerblocks._keras import public_name
from layerblocks.blocks import layers as own_layers
from layerblocks.blocks import map_layers, weightless
from layerblocks.graphs import (
    Reads,
    Unknown,
    conv_out,
    knows,
    min_input_size,
    pool_out,
    read_graph,
    receptive_field,
    transposed_out,
)
from layerblocks.graphs.calls import calls
from layerblocks.graphs.layer_rules.common import pointwise
from layerblocks.graphs.layer_rules.layers import _kept
from layerblocks.graphs.layer_rules.operations import _unknown
from layerblocks.graphs.receptive_fields import strides
from layerblocks.graphs.rules import _ENTRIES, EVERYTHING, POINTWISE, Along, Entry, PerOutput, entry_of
from layerblocks.graphs.window_arithmetic import least_side

SIDE = 16


def seen(model, axis):
    """From the first to the last slice of the input, along an axis, that changes one number of the output."""
    shape = model.input_shape[1:]
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 1, (1, *shape)).astype("float32")
    changed = np.repeat(x, shape[axis - 1], 0)
    for place in range(shape[axis - 1]):
        slab = changed[(place, *[slice(None)] * (axis - 1), place)]
        slab += rng.uniform(3, 9, slab.shape).astype("float32")
    difference = np.abs(np.asarray(model(changed)) - np.asarray(model(x))) > 1e-5
    numbers = difference.reshape(len(difference), -1)
    first, last = numbers.argmax(0), len(numbers) - 1 - numbers[::-1].argmax(0)
    return int((last - first + 1)[numbers.any(0)].max())


RANKS = {1: (SIDE, 3), 2: (SIDE, SIDE, 3), 3: (SIDE, SIDE, 8, 3)}


def each_rank(name, *args, ranks=(1, 2, 3), **options):
    return [(lambda x, n=n: getattr(layers, f"{name}{n}D")(*args, **options)(x), RANKS[n]) for n in ranks]


IMAGE = RANKS[2]
CASES = [
    *each_rank("Conv", 4, 3, strides=2, padding="same"),
    *each_rank("Conv", 4, 3, dilation_rate=2),
    *each_rank("DepthwiseConv", 4, ranks=(1, 2), padding="same"),
    *each_rank("SeparableConv", 4, 2, ranks=(1, 2)),
    *[(lambda x, n=n: getattr(layers, f"Conv{n}DTranspose")(2, 3, strides=2)(x), RANKS[n]) for n in (1, 2, 3)],
    (lambda x: layers.Conv1D(4, 3, padding="causal", dilation_rate=2)(x), RANKS[1]),
    *each_rank("MaxPooling", 3, strides=2),
    *each_rank("AveragePooling", 2, padding="same"),
    *each_rank("GlobalMaxPooling", keepdims=True),
    *each_rank("GlobalAveragePooling", keepdims=True),
    *each_rank("UpSampling", 2),
    *each_rank("ZeroPadding", 1),
    *each_rank("Cropping", 1),
    (lambda x: layers.AdaptiveAveragePooling2D((5, 8))(x), IMAGE),
    (lambda x: layers.AdaptiveMaxPooling1D(5)(x), RANKS[1]),
    (lambda x: layers.UpSampling2D(3, interpolation="bilinear")(x), IMAGE),
    (lambda x: layers.Resizing(32, 24, "bilinear")(x), IMAGE),
    (lambda x: layers.Resizing(32, 8, "nearest")(x), IMAGE),
    (lambda x: layers.CenterCrop(8, 9)(x), IMAGE),
    (lambda x: layers.Rescaling(2.0)(x), IMAGE),
    (lambda x: layers.Dense(4)(x), IMAGE),
    (lambda x: layers.EinsumDense("abcd,de->abce", output_shape=(None, None, 4))(x), IMAGE),
    (lambda x: layers.EinsumDense("abcd,be->aecd", output_shape=(5, None, None))(x), IMAGE),
    (lambda x: layers.Permute((2, 1, 3))(layers.Conv2D(2, (3, 1))(x)), IMAGE),
    (lambda x: layers.Permute((3, 2, 1))(layers.Dense(4)(layers.Permute((3, 2, 1))(x))), IMAGE),
    (lambda x: layers.BatchNormalization()(x), IMAGE),
    (lambda x: layers.LayerNormalization()(x), IMAGE),
    (lambda x: layers.LayerNormalization(axis=(1, 2, 3))(x), IMAGE),
    (lambda x: layers.LayerNormalization(axis=2)(x), IMAGE),
    (lambda x: layers.GroupNormalization(3)(x), IMAGE),
    (lambda x: layers.RMSNormalization()(x), IMAGE),
    (lambda x: layers.UnitNormalization(axis=2)(x), IMAGE),
    (lambda x: layers.Softmax(axis=(1, 2))(x), IMAGE),
    (lambda x: layers.Softmax()(x), IMAGE),
    (lambda x: layers.Conv2D(4, 3, activation="softmax")(x), IMAGE),
    (lambda x: layers.PReLU()(x), IMAGE),
    (lambda x: layers.Dropout(0.5)(x), IMAGE),
    (lambda x: layers.SpectralNormalization(layers.Conv2D(2, 5))(x), IMAGE),
    (lambda x: layers.TimeDistributed(layers.Conv1D(2, 3))(x), IMAGE),
    (lambda x: layers.LSTM(4, return_sequences=True)(x), RANKS[1]),
    (lambda x: layers.Bidirectional(layers.GRU(4, return_sequences=True))(x), RANKS[1]),
    (lambda x: layers.ConvLSTM1D(2, 3, return_sequences=True)(x), (3, SIDE, 2)),
    (lambda x: layers.ConvLSTM1D(2, 2, strides=2, padding="same", return_sequences=True)(x), (3, SIDE, 2)),
    (lambda x: layers.MultiHeadAttention(2, 3)(x, x), RANKS[1]),
    (lambda x: layers.MultiHeadAttention(2, 3, attention_axes=(2,))(x, x), IMAGE),
    (lambda x: layers.GroupQueryAttention(4, 4, 2)(x, x), RANKS[1]),
    (lambda x: layers.Attention()([x, x]), RANKS[1]),
    (lambda x: layers.AdditiveAttention()([x, x]), RANKS[1]),
    (lambda x: layers.Dot(axes=2)([x, x]), RANKS[1]),
    (lambda x: layers.Add()([x, layers.Conv2D(3, 3, padding="same")(x)]), IMAGE),
    (lambda x: layers.Multiply()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)]), IMAGE),
    (lambda x: layers.Concatenate()([x, layers.MaxPooling2D(5, 1, "same")(x)]), IMAGE),
    (lambda x: layers.Reshape((SIDE, SIDE, 3))(layers.Activation("relu")(layers.Reshape((SIDE**2, 3))(x))), IMAGE),
    (lambda x: layers.Reshape((SIDE, SIDE, 3))(layers.Softmax(1)(layers.Reshape((-1, 3))(x))), IMAGE),
    (lambda x: ops.conv(x, np.ones((5, 3, 3, 2), "float32"), padding="same"), IMAGE),
    (lambda x: ops.depthwise_conv(x, np.ones((2, 3, 3, 1), "float32"), 2), IMAGE),
    (lambda x: ops.max_pool(x, 3, 2), IMAGE),
    (lambda x: ops.average_pool(x, 5, 1, "same"), IMAGE),
    (lambda x: ops.mean(x, axis=(1, 2), keepdims=True), IMAGE),
    (lambda x: x * ops.mean(x, axis=(1, 2), keepdims=True), IMAGE),
    (lambda x: ops.max(x, axis=1, keepdims=True), IMAGE),
    (lambda x: ops.cumsum(x, axis=1), IMAGE),
    (lambda x: ops.softmax(x, axis=2), IMAGE),
    (lambda x: ops.transpose(ops.conv(x, np.ones((3, 1, 3, 2), "float32")), (0, 2, 1, 3)), IMAGE),
    (lambda x: x[:, 2:-1, ::3], IMAGE),
    (lambda x: x + ops.pad(x[:, 3:], ((0, 0), (3, 0), (0, 0), (0, 0))), IMAGE),
    (lambda x: x[:, 1:] - x[:, :-1], IMAGE),
    (lambda x: ops.repeat(x, 2, axis=1), IMAGE),
    (lambda x: ops.diff(x, axis=1), IMAGE),
    (lambda x: ops.flip(x, axis=2), IMAGE),
    (lambda x: layers.Conv2D(2, 3)(ops.flip(layers.Conv2D(2, 4, strides=2)(x), axis=(1, 2))), IMAGE),
    (lambda x: layers.Conv2D(2, 3)(layers.MaxPooling2D(2)(x)[:, ::-1, ::-2]), IMAGE),
    (lambda x: layers.Conv2D(2, 3)(layers.UpSampling2D(2)(x)[:, ::-1]), IMAGE),
    (lambda x: ops.flip(layers.Conv2D(3, 3, padding="same")(ops.flip(x, axis=1)), axis=1) + x, IMAGE),
    (lambda x: ops.matmul(x, np.ones((3, 5), "float32")), IMAGE),
    (lambda x: ops.matmul(np.ones((5, SIDE), "float32"), x), RANKS[1]),
    (lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))), RANKS[1]),
    (lambda x: ops.einsum("bhwc,hk->bkwc", x, np.ones((SIDE, 4), "float32")), IMAGE),
    (lambda x: ops.einsum("...wc,ck", x, np.ones((3, 4), "float32")), IMAGE),
    (lambda x: ops.image.resize(x, (32, 32)), IMAGE),
    (lambda x: layers.Dense(2)(ops.image.extract_patches(x, 4)), IMAGE),
    (lambda x: ops.relu(x) + ops.sigmoid(x) * ops.exp(-x), IMAGE),
    (lambda x: own_layers.MatchSize(1)([layers.UpSampling2D(2)(x), x]), IMAGE),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_what_is_seen_is_what_changes_the_output(number):
    make, shape = CASES[number]
    keras.utils.set_random_seed(0)
    x = keras.Input(shape)
    model = keras.Model(x, make(x))
    for weight in model.weights:  # nothing cancels
        if "kernel" in weight.name and not isinstance(model.layers[-1], layers.RNN):
            weight.assign(abs(weight))
    told = receptive_field(model)
    assert read_graph(model).nodes[-1].receptive_field == told
    for axis, size in enumerate(told, 1):
        assert seen(model, axis) == (shape[axis - 1] if size is None else size), (axis, told)


def lengths(make, sides):
    """The sides of the output for an input of these; None if it cannot be built."""
    try:
        with weightless():
            shape = make(keras.Input((*sides, 3), batch_size=2)).shape
    except (ValueError, TypeError):
        return None
    return shape if all(size is None or size > 0 for size in shape) else None


FREE = [number for number, (_, shape) in enumerate(CASES[:33]) if shape in RANKS.values()]


@pytest.mark.parametrize("number", FREE)
def test_the_smallest_input_is_the_smallest_that_can_be_built(number):
    make, shape = CASES[number]
    x = keras.Input(shape)
    with weightless():
        least = min_input_size(keras.Model(x, make(x)))
    assert lengths(make, least)
    for axis, size in enumerate(least):
        smaller = tuple(n - (i == axis) for i, n in enumerate(least))
        assert size == 1 or not lengths(make, smaller)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("size", "stride", "rate"), [(1, 1, 1), (1, 3, 1), (2, 3, 1), (3, 2, 1), (3, 1, 2), (4, 1, 3)])
def test_sides_in_closed_form_are_those_of_keras(size, stride, rate, padding):
    def side(kind, *given, **options):
        return kind(*given, padding=padding, **options).compute_output_shape((None, 17, 3))[1]

    strided = {"strides": stride, "dilation_rate": rate}
    assert conv_out(17, size, stride, rate, padding) == side(layers.Conv1D, 2, size, **strided)
    if rate == 1:
        assert pool_out(17, size, stride, padding) == side(layers.MaxPooling1D, size, stride)
    if keras.backend.backend() != "tensorflow" or 1 in (stride, rate):
        assert transposed_out(17, size, stride, rate, padding) == side(layers.Conv1DTranspose, 2, size, **strided)


def conv(x, size=3, filters=3):
    return layers.Conv2D(filters, size, padding="same")(x)


# What only positions that are told one by one can say.
PLACES = [
    lambda x: conv(ops.roll(x, 3, axis=1)),
    lambda x: ops.roll(conv(ops.roll(x, (-2, 5), axis=(1, 2))), (2, -5), axis=(1, 2)),
    lambda x: x + ops.roll(x, 1, axis=2),
    lambda x: conv(ops.hsplit(x, 2)[1]),
    lambda x: conv(ops.split(x, [3, 9], axis=1)[1] * 2.0),
    lambda x: layers.Add()([conv(part) for part in ops.split(x, 4, axis=2)]),
    lambda x: conv(x)[:, 4],
    lambda x: conv(x)[:, -1, 2],
    lambda x: x * conv(x)[:, 2:3],
    lambda x: x * ops.expand_dims(conv(x)[:, 2], 1),
    lambda x: conv(ops.unstack(x, axis=1)[5][:, None]),
    lambda x: conv(layers.Concatenate(axis=1)([x, conv(x)])),
    lambda x: conv(layers.Concatenate(axis=1)([x[:, :4], x[:, 12:], x[:, 4:12]])),
    lambda x: conv(ops.tile(x, (1, 2, 1, 1))),
    lambda x: conv(ops.pad(x, ((0, 0), (4, 4), (2, 0), (0, 0)), mode="reflect"), 5),
    lambda x: conv(ops.pad(x, ((0, 0), (0, 3), (2, 2), (0, 0)), mode="symmetric")),
    lambda x: conv(x[:, 13:2:-2]),
    lambda x: conv(ops.take(x, np.array([7, 0, -1, 3]), axis=1)),
    lambda x: x + x[:, ::-1],
    lambda x: conv(x) + ops.flip(x, axis=2),
    lambda x: ops.mean(layers.CenterCrop(6, 16)(x), axis=(1, 2)),
    lambda x: ops.mean(conv(x[:, 5:9]), axis=1),
    lambda x: layers.Softmax(axis=(1, 2))(conv(x[:, 5:9, :3])),
    lambda x: conv(pixels_shuffled(conv(x, filters=8))),
    lambda x: layers.Dense(4)(layers.Flatten()(x[:, 3:5, 2:9])),
    lambda x: layers.Conv1D(2, 5)(layers.Reshape((SIDE * SIDE, 3))(x)),
]


def pixels_shuffled(x):
    height, width, channels = x.shape[1:]
    x = layers.Reshape((height, width, 2, 2, channels // 4))(x)
    return layers.Reshape((2 * height, 2 * width, channels // 4))(layers.Permute((1, 3, 2, 4, 5))(x))


@pytest.mark.parametrize("number", range(len(PLACES)))
def test_each_position_sees_what_changes_it(number):
    keras.utils.set_random_seed(number)
    x = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(x, PLACES[number](x))
    for weight in model.weights:
        weight.assign(abs(weight))
    told = receptive_field(model)
    assert read_graph(model).nodes[-1].receptive_field == told
    assert [SIDE if size is None else size for size in told] == [seen(model, axis) for axis in (1, 2)]


@pytest.mark.parametrize(
    ("make", "least"),
    [
        (lambda x: layers.AdaptiveAveragePooling2D((5, 8))(x), (1, 1)),
        (lambda x: layers.Conv2D(2, 3)(ops.take(x, np.zeros(4, int), axis=1)), (1, 3)),
    ],
)
def test_as_many_positions_as_are_asked_for_come_of_any_number(make, least):
    with weightless():
        assert min_input_size(image_model(make)) == least
        assert all(image_model(make, (*least, 3)).output_shape[1:3])


def test_a_window_needs_fewer_positions_by_those_that_are_added():
    with weightless():
        padded = image_model(lambda x: layers.Conv2D(2, 5)(ops.pad(x, ((0, 0), (1, 1), (0, 5), (0, 0)))))
        assert (min_input_size(padded), receptive_field(padded)) == ((3, 1), (5, 5))


def test_the_least_side_is_found_by_halving():
    for least in range(1, 70):
        asked = []

        def works(n, least=least, asked=asked):
            asked.append(n)
            assert len(asked) < 20
            return n >= least

        assert least_side(works) == least
    assert least_side(lambda n: False) is None


def test_a_window_is_of_neighbours_unless_said_otherwise():
    assert Reads.window(3) == Reads.window(3, 1, 1, "valid") == Reads(step=1, per=1, first=0, last=2, least=3)
    assert Reads.window(3, padding="same") == Reads(step=1, per=1, first=-1, last=1, least=1)
    assert Reads.window(3, dilation=2) == Reads(step=1, per=1, first=0, last=4, least=5)


def test_what_is_needed_for_so_many_positions():
    assert [Reads.window(3, 2).needs(n) for n in (1, 2, 3)] == [3, 5, 7]
    assert [Reads(per=2).needs(n) for n in (1, 2, 3, 4)] == [1, 1, 2, 2]
    assert [Reads.moved(1, 2).needs(n) for n in (1, 3, 4, 5)] == [1, 1, 1, 2]
    assert Reads(follows=False).needs(9) == 1


@pytest.mark.parametrize(
    ("make", "sees"),
    [
        (lambda x: layers.Conv1D(2, 5)(layers.Reshape((32, 96))(x)), (5, 32)),
        (lambda x: layers.Conv1D(2, 5)(layers.Reshape((32 * 32, 3))(x)), (2, 32)),
        (lambda x: conv(layers.Reshape((32, 32, 3))(layers.ReLU()(layers.Reshape((32 * 32, 3))(x)))), (3, 3)),
        (lambda x: conv(layers.Reshape((32, 64, 3))(layers.UpSampling2D((1, 2))(x))), (3, 2)),
        (lambda x: conv(layers.Reshape((32, 32, 3))(sum(map(layers.Reshape((-1, 3)), (x, conv(x)))))), (5, 5)),
    ],
    ids=["rows", "pixels in a row", "and back", "as it was", "added"],
)
def test_rows_and_columns_are_followed_through_a_reshape(make, sees):
    """Five pixels in a row lie in two rows, and may be the last of the one and the first of the other."""
    with weightless():
        told = receptive_field(image_model(make))
    assert tuple(32 if size is None else size for size in told) == sees


@pytest.mark.parametrize("make", [lambda x: ops.pad(x, 1), lambda x: ops.pad(x, ((1, 1),)), lambda x: x])
def test_a_padding_of_all_axes_is_one_of_each(make):
    assert receptive_field(image_model(lambda x: layers.Conv1D(2, 5)(make(x)), (16, 3))) == (5,)
    x = keras.Input((16, 3))
    with weightless():
        assert min_input_size(keras.Model(x, layers.Conv1D(2, 5)(make(x)))) == (5 - make(x).shape[1] + 16,)


def test_a_padding_may_name_the_margins_of_two_axes():
    x = keras.Input((16,), dtype="int32")
    with weightless():
        model = keras.Model(x, layers.Conv1D(4, 5)(layers.Embedding(10, 3)(ops.pad(x, ((0, 0), (2, 1))))))
        assert (receptive_field(model), min_input_size(model)) == ((5,), (2,))


@pytest.mark.parametrize("key", [slice(2, -1), slice(None, -3), slice(3, None), slice(1, None, 2), slice(2, -2, 3)])
def test_a_slice_needs_one_position_that_it_does_not_leave_out(key):
    least = next(n for n in range(1, SIDE) if range(n)[key])
    assert min_input_size(image_model(lambda x: x[:, key], (SIDE, SIDE, 3))) == (least, 1)


@pytest.mark.parametrize(
    "attend",
    [
        lambda q, v: layers.MultiHeadAttention(2, 3)(q, v),
        lambda q, v: layers.GroupQueryAttention(4, 4, 2)(q, v),
        lambda q, v: layers.Attention()([q, v]),
        lambda q, v: layers.AdditiveAttention()([q, v]),
    ],
)
def test_a_position_sees_its_own_query_and_all_values(attend):
    q, v = keras.Input((9, 8), name="q"), keras.Input((7, 8), name="v")
    with weightless():
        assert receptive_field(keras.Model([q, v], attend(q, v))) == {"q": (1,), "v": (None,)}


def test_numbers_that_are_no_integers_name_no_positions():
    model = image_model(lambda x: layers.Conv2D(2, 3)(ops.take(x, np.array([0.0, 2.0, 4.0]), axis=1)))
    assert isinstance(read_graph(model).nodes[-1].receptive_field, Unknown)


def test_what_is_added_to_the_scores_of_attention_is_read_with_them():
    x, bias = keras.Input((SIDE, 2, 4)), keras.Input((2, SIDE, SIDE))
    model = keras.Model([x, bias], ops.dot_product_attention(x, x, x, bias=bias))
    node = read_graph(model).nodes[-1]
    assert [len(axes) for axes in node.windows] == [len(shape) for shape in node.inputs] == [4] * 4


def test_rows_of_thousands_of_pixels_are_followed():
    """A window of three, of pixels each of which sees its row, lies in two rows at most."""
    make = lambda x: layers.Conv1D(1, 3)(layers.Reshape((3 * 4096, 1))(layers.Softmax(2)(x)))  # noqa: E731
    assert receptive_field(image_model(make, (3, 4096, 1))) == (2, None)


LAST = (-1, [-1], (-1,))


@pytest.mark.parametrize(
    ("make", "shape", "sees"),
    [
        (lambda x: layers.Dense(4)(layers.Reshape((-1, 3))(conv(x))), (8, None, 3), (3, 3)),
        (lambda x: layers.Conv1D(2, 3)(ops.squeeze(ops.expand_dims(layers.Conv1D(3, 5)(x), 2))), (16, 3), (7,)),
        (lambda x: layers.LSTM(2, return_sequences=True)(x), (16, 3), (None,)),
        (lambda x: layers.ConvLSTM1D(2, 3, padding="same", return_sequences=True)(x), (3, 16, 2), (None, 7)),
        (lambda x: layers.AdaptiveAveragePooling2D((1, 8))(x), (32, 32, 3), (None, 4)),
        *(
            (lambda x, axis=axis: layers.Conv2D(2, 3, activation=layers.Softmax(axis))(x), (9, 9, 3), (3, 3))
            for axis in LAST
        ),
    ],
    ids=[
        "tokens of any width",
        "an axis of one",
        "steps",
        "steps of maps",
        "a whole axis",
        *(f"softmax of {axis}" for axis in LAST),
    ],
)
def test_what_becomes_of_axes(make, shape, sees):
    with weightless():
        model = image_model(make, shape)
        assert receptive_field(model) == sees
        nodes = [node for node in read_graph(model).nodes if isinstance(node.windows, tuple)]
    assert nodes and all(list(map(len, node.windows)) == list(map(len, node.inputs)) for node in nodes)
    followed = [[along.axis for along in axes if along.axis is not None] for node in nodes for axes in node.windows]
    assert all(len(axes) == len({*axes}) for axes in followed), "no axis of the output follows two of the input"


def test_where_parts_of_an_image_are_put_among_the_examples_nobody_knows_what_is_seen():
    with weightless():
        halves = image_model(lambda x: conv(ops.reshape(x, (-1, 16, 32, 3))))
    assert halves.output_shape == (None, 16, 32, 3)
    assert isinstance(read_graph(halves).nodes[-1].receptive_field, Unknown)


def test_of_an_axis_of_unknown_length_nobody_knows_where_positions_go():
    for make in (
        lambda x: ops.roll(x, 1, axis=1),
        lambda x: layers.Concatenate(axis=1)([x, x]),
        lambda x: x[:, -3:],
        lambda x: ops.tile(x, (1, 2, 1, 1)),
        lambda x: ops.pad(x, ((0, 0), (2, 2), (0, 0), (0, 0)), mode="reflect"),
    ):
        graph = read_graph(image_model(lambda x, make=make: conv(make(x)), (None, None, 3)))
        assert isinstance(graph.nodes[-1].receptive_field, Unknown)


def test_a_layer_of_layers_is_opened():
    model = image_model(lambda x: layers.Conv2D(2, 3)(Wrapper7(name="mine")(x)))
    assert (receptive_field(model), min_input_size(model)) == ((9, 9), (3, 3))


def test_what_is_split_at_every_step_is_followed_at_every_step():
    image, images = keras.Input((16, 8, 3), name="image"), keras.Input((5, 16, 8, 3), name="images")
    inner = keras.Model(image, layers.Conv2D(2, 3)(ops.split(image, 2, axis=1)[1]))
    model = keras.Model(images, layers.TimeDistributed(inner)(images))
    assert receptive_field(inner) == (3, 3)
    assert receptive_field(read_graph(model, expand_nested=True)) == receptive_field(model) == (1, 3, 3)


def image_model(make, shape=(32, 32, 3)):
    x = keras.Input(shape, name="image")
    return keras.Model(x, make(x))


class Wrapper7(keras.Layer):
    """A user's layer around a convolution."""

    def __init__(self, **options):
        super().__init__(**options)
        self.conv = layers.Conv2D(3, 7, padding="same")

    def call(self, x):
        return self.conv(x)


class Blur(keras.Layer):
    """A blur pool that says what it reads."""

    def call(self, x):
        return ops.average_pool(x, 3, 2, "same")

    def window(self):
        return [Reads.window(3, 2, padding="same")] * 2

    def multiply_adds(self, input_shape, output_shape):
        return 0


class Gate(keras.Layer):
    def __init__(self, padding="same"):
        super().__init__()
        self.padding = padding

    def call(self, x):
        return x


@pytest.mark.parametrize(
    "make",
    [
        lambda x: layers.Lambda(lambda t: ops.max_pool(t, 5, 1, "same"), name="mine")(x),
        lambda x: Gate("same")(x),
        lambda x: ops.roll(x, 1),
        lambda x: ops.take_along_axis(x, np.arange(32)[None, ::-1, None, None], axis=1),
        lambda x: layers.Conv2D(3, 3, activation=lambda t: ops.roll(t, 1, 1), name="mine")(x),
        lambda x: layers.Conv2D(3, 3, activation=layers.Softmax(1), name="mine")(x),
        lambda x: layers.TimeDistributed(layers.Lambda(lambda t: t * 2, name="mine"), name="mine")(x),
    ],
)
def test_what_nobody_knows_is_said_by_name(make):
    model = image_model(lambda x: layers.Conv2D(2, 3, padding="same")(make(x)))
    name = read_graph(model).nodes[1].name
    field = read_graph(model).nodes[-1].receptive_field
    assert field == Unknown((name,)) and str(field) == f"unknown ({name})"
    with pytest.raises(ValueError, match=f"receptive_field: nobody knows what layer '{name}' reads"):
        receptive_field(model)


def test_what_sees_everything_does_so_behind_an_unknown_layer_too():
    def gated(x):
        return layers.Multiply()([x, layers.Lambda(lambda t: t * 2)(layers.GlobalMaxPooling2D(keepdims=True)(x))])

    assert receptive_field(image_model(gated)) == (None, None)


def test_a_layer_says_for_itself():
    model = image_model(lambda x: layers.Conv2D(2, 3)(Blur()(layers.Conv2D(2, 3, padding="same")(x))))
    assert receptive_field(model) == (9, 9)
    assert min_input_size(model) == (5, 5)
    assert strides(model)[id(model.output)] == (2, 2)


@pytest.mark.parametrize(("window", "expected"), [(POINTWISE, (3, 3)), (EVERYTHING, (None, None))])
def test_a_user_registers_a_layer(window, expected):
    class Own(keras.Layer):
        def call(self, x):
            return x

    model = image_model(lambda x: Own()(layers.Conv2D(2, 3)(x)))
    assert isinstance(read_graph(model).nodes[-1].receptive_field, Unknown)
    knows(Own)(Entry(window=lambda call: window))
    assert receptive_field(image_model(lambda x: Own()(layers.Conv2D(2, 3)(x)))) == expected


def test_what_is_said_of_the_last_output_is_said_of_those_after_it_too():
    class Three(keras.Layer):
        def call(self, x):
            return x, x, x

    def windows(reads):
        return ((Along(0), Along(1, reads), Along(2, reads), Along(3)),)

    knows(Three)(Entry(window=lambda call: PerOutput((windows(Reads()), windows(Reads.window(3, padding="same"))))))
    model = image_model(lambda x: [layers.ReLU(name=name)(y) for name, y in zip("abc", Three()(x), strict=True)])
    fields = {node.name: node.receptive_field for node in read_graph(model).nodes}
    assert (fields["a"], fields["b"], fields["c"]) == ((1, 1), (3, 3), (3, 3))


class Cut(keras.Layer):
    """Takes three rows and columns off, and then every other one; nobody but itself knows."""

    def call(self, x):
        return x[:, 3::2, 3::2]


def test_a_layer_that_nobody_knows_is_asked_what_it_needs_and_how_far_it_steps():
    model = image_model(lambda x: Cut()(x))
    assert min_input_size(model) == (4, 4), "of three rows none is left"
    assert strides(model)[id(model.output)] == (2, 2)


class Filled(keras.Layer):
    """Puts a row and a column to the first where there are no more; nobody but itself knows."""

    def call(self, x):
        return ops.pad(x, [(0, 0), *((0, 1) if size == 1 else (0, 0) for size in x.shape[1:3]), (0, 0)])


def test_a_layer_that_nobody_knows_may_need_less_than_it_gives():
    with weightless():
        assert min_input_size(image_model(lambda x: layers.MaxPooling2D(2)(Filled()(x)))) == (1, 1)
        assert image_model(lambda x: layers.MaxPooling2D(2)(Filled()(x)), (1, 1, 3)).output_shape == (None, 1, 1, 3)


def test_what_meets_in_a_sum_steps_as_far_as_each_of_it():
    def make(x):
        y = layers.Conv2D(4, 3, strides=2, padding="same")(x)
        return layers.Add()([y, layers.Conv2D(4, 3, padding="same")(y)])

    model = image_model(make)
    assert strides(model)[id(model.output)] == (2, 2)


def test_of_gaps_between_pixels_the_middle_of_a_window_counts():
    """Set three apart, two of them lie within five positions, of which the first and last may be gaps."""
    model = image_model(lambda x: layers.Conv1D(2, 5)(layers.Conv1DTranspose(2, 1, strides=3)(x)), shape=(16, 3))
    assert receptive_field(model) == (2,)


def test_a_reshape_to_fixed_sizes_accepts_one_size():
    def make(x):
        y = layers.Conv2D(8, 1)(x)
        y = layers.Reshape((16, 16, 8))(layers.LayerNormalization()(layers.Reshape((4, 64, 8))(y)))
        return layers.Conv2D(4, 3, strides=2)(layers.Concatenate()([y, x]))

    assert min_input_size(image_model(make, (16, 16, 8))) == (16, 16)


@pytest.mark.parametrize("target", [(4, 64, 8), (16, 16, 2, 4), (4, 4, 16, 8), (16, 4, 4, 8), (256, 8), (2048,)])
def test_a_reshape_to_any_fixed_sizes_needs_all_of_its_input(target):
    with weightless():
        assert min_input_size(image_model(lambda x: layers.Reshape(target)(x), (16, 16, 8))) == (16, 16)


def test_an_input_without_positions_is_refused_by_its_name():
    x = keras.Input((12,), name="vector")
    model = keras.Model(x, layers.Conv2DTranspose(3, 3)(layers.Reshape((2, 2, 3))(layers.Dense(12)(x))))
    for ask in (min_input_size, receptive_field):
        says = rf"{ask.__name__}: model must have an input of images.*, got 'vector' of \(None, 12\)$"
        with pytest.raises(ValueError, match=says):
            ask(model)


def test_several_images_have_an_answer_each():
    a, b, c = keras.Input((32, 32, 3), name="a"), keras.Input((16, 16, 3), name="b"), keras.Input((3,), name="c")
    y = layers.Concatenate()([layers.MaxPooling2D(2)(a), b])
    y = layers.Conv2D(4, 3)(y) + layers.Dense(4)(c)[:, None, None]
    model = keras.Model([a, b, c], y)
    assert receptive_field(model) == {"a": (6, 6), "b": (3, 3)}
    assert min_input_size(model) == {"a": (6, 6), "b": (3, 3)}


def test_tokens_are_a_sequence():
    x = keras.Input((20,), dtype="int32")
    model = keras.Model(x, layers.Conv1D(4, 5)(layers.Embedding(10, 3)(x)))
    assert (receptive_field(model), min_input_size(model)) == ((5,), (5,))


@pytest.mark.parametrize("name", ["unet", "fcn8s"])
def test_one_truth_for_networks_that_go_up_again(name):
    from layerblocks.architectures import build

    with weightless():
        model = build(name)
        told = receptive_field(model)
    graph = read_graph(model)
    ends = [graph.nodes[output.source].receptive_field for output in graph.outputs]
    assert told in ends and told[0] is not None


# -- every entry ------------------------------------------------------------------------------------------------------

SEQUENCE = RANKS[1]
REDUCTIONS = (
    "all amax amin argmax argmin logsumexp median nanargmax nanargmin nanmax nanmean nanmedian nanmin "
    "nanprod nanstd nansum nanvar prod std var sum min any"
)
ALONG = "argsort sort cumprod nancumsum nancumprod log_softmax sparsemax normalize"


def of_axis(name, *args, **options):
    return lambda x: getattr(ops, name)(x, *args, axis=1, **options)


# What one draw of numbers does not show: many are drawn, of those that an order or a truth depends on.
DRAWN = {
    **{name: (of_axis(name, keepdims=True), SEQUENCE) for name in REDUCTIONS.split()},
    **{name: (of_axis(name), SEQUENCE) for name in ALONG.split()},
    "average": (of_axis("average"), SEQUENCE),
    "count_nonzero": (of_axis("count_nonzero"), SEQUENCE),
    "ptp": (of_axis("ptp"), SEQUENCE),
    "moments": (lambda x: ops.moments(x, axes=[1])[1], SEQUENCE),
    "top_k": (lambda x: ops.top_k(x, 2)[0], SEQUENCE),
    "glu": (lambda x: ops.glu(x, axis=-1), (SIDE, 4)),
    "layer_norm": (lambda x: ops.layer_normalization(x, np.ones(3), np.zeros(3), axis=-1), SEQUENCE),
    "rms_norm": (lambda x: ops.rms_normalization(x, np.ones(3), axis=-1), SEQUENCE),
    "batch_norm": (lambda x: ops.batch_normalization(x, np.zeros(3), np.ones(3), axis=-1), SEQUENCE),
    "gray": (lambda x: ops.image.rgb_to_grayscale(x), IMAGE),
    "hsv": (lambda x: ops.image.rgb_to_hsv(x), IMAGE),
    "rgb": (lambda x: ops.image.hsv_to_rgb(x), IMAGE),
    "pad images": (lambda x: layers.Conv2D(2, 3)(ops.image.pad_images(x, 1, 2, 3, 0)), IMAGE),
    "crop images": (lambda x: layers.Conv2D(2, 3)(ops.image.crop_images(x, 1, 2, 3, 0)), IMAGE),
    "squeeze": (lambda x: layers.Conv1D(2, 3)(ops.squeeze(ops.expand_dims(x, 1), 1)), SEQUENCE),
    "stack": (lambda x: ops.stack([x, layers.Conv1D(3, 5, padding="same")(x)], axis=-1), SEQUENCE),
    "unstack": (lambda x: ops.unstack(layers.Conv1D(2, 3)(x), axis=-1)[1], SEQUENCE),
    "swapaxes": (lambda x: layers.Conv2D(2, (2, 3))(ops.swapaxes(x, 1, 2)), IMAGE),
    "moveaxis": (lambda x: layers.Conv2D(2, (2, 3))(ops.moveaxis(x, 1, 2)), IMAGE),
    "tile": (lambda x: ops.tile(layers.Conv1D(3, 3)(x), (1, 1, 2)), SEQUENCE),
    "reshape": (lambda x: layers.Conv1D(2, 3)(ops.reshape(ops.reshape(x, (-1, 1, SIDE, 3)), (-1, SIDE, 3))), SEQUENCE),
    "split": (lambda x: ops.split(layers.Conv1D(4, 3)(x), 2, axis=-1)[1], SEQUENCE),
    "array_split": (lambda x: ops.array_split(layers.Conv1D(4, 3)(x), 2, axis=-1)[1], SEQUENCE),
    "dsplit": (lambda x: ops.dsplit(layers.Conv1D(4, 3)(x), 2)[1], SEQUENCE),
    "roll": (lambda x: ops.roll(layers.Conv1D(4, 3)(x), 1, axis=-1), SEQUENCE),
    "fliplr": (lambda x: layers.Conv1D(2, 3)(ops.fliplr(layers.Conv1D(2, 4, strides=2)(x))), SEQUENCE),
    "concatenate": (lambda x: ops.concatenate([x, layers.Conv1D(3, 5, padding="same")(x)], axis=-1), SEQUENCE),
    "attention": (lambda x: ops.dot_product_attention(x, x, x), (SIDE, 2, 4)),
    "tensordot": (lambda x: ops.tensordot(layers.Conv1D(3, 3)(x), np.ones((3, 5), "float32"), axes=1), SEQUENCE),
    "dot": (lambda x: ops.dot(layers.Conv1D(3, 3)(x), np.ones((3, 5), "float32")), SEQUENCE),
    "inner": (lambda x: ops.inner(layers.Conv1D(3, 3)(x), np.ones((5, 3), "float32")), SEQUENCE),
    "separable": (
        lambda x: ops.separable_conv(x, np.ones((3, 3, 1), "float32"), np.ones((1, 3, 4), "float32")),
        SEQUENCE,
    ),
    "transposed, apart": (lambda x: layers.Conv1D(2, 2)(layers.Conv1DTranspose(2, 1, strides=2)(x)), SEQUENCE),
    **{
        name: (lambda x, name=name: x + getattr(ops, name)(layers.Conv1D(3, 3, padding="same")(x)), SEQUENCE)
        for name in ("ones_like", "zeros_like")
    },
    "full_like": (lambda x: x + ops.full_like(layers.Conv1D(3, 3, padding="same")(x), 2), SEQUENCE),
    **{
        f"adaptive {what} {n}": (
            lambda x, what=what, n=n: getattr(layers, f"Adaptive{what}Pooling{n}D")(3)(x),
            RANKS[n],
        )
        for what in ("Average", "Max")
        for n in (1, 2, 3)
    },
    "flatten": (lambda x: layers.Dense(2)(layers.Flatten()(x)), SEQUENCE),
    "masking": (lambda x: layers.Masking()(x), SEQUENCE),
    "repeat vector": (lambda x: layers.RepeatVector(3)(layers.GlobalAveragePooling1D()(x)), SEQUENCE),
    "rnn": (lambda x: layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)], return_sequences=True)(x), SEQUENCE),
    "simple rnn": (lambda x: layers.SimpleRNN(3, return_sequences=True)(x), SEQUENCE),
    "gru": (lambda x: layers.GRU(3, return_sequences=True)(x), SEQUENCE),
    "conv lstm 2": (lambda x: layers.ConvLSTM2D(2, 2, return_sequences=True)(x), (2, 8, 8, 2)),
    "conv lstm 3": (lambda x: layers.ConvLSTM3D(2, 2, return_sequences=True)(x), (2, 6, 5, 4, 2)),
    "discretization": (lambda x: layers.Discretization([0.0, 1.0])(x), SEQUENCE),
    "auto contrast": (lambda x: layers.AutoContrast()(x), IMAGE),
    **{
        f"own {what} {n}": (
            lambda x, home=home, what=what, n=n, given=given: getattr(home, f"{what}{n}D")(*given)(x),
            RANKS[n],
        )
        for home, what, given in (
            (own_layers, "AdaptiveAveragePooling", (5,)),
            (own_layers, "DilatedAveragePooling", (3, 2)),
            (own_layers, "DilatedMaxPooling", (3, 2)),
            (map_layers, "WeightStandardizedConv", (2, 3)),
            (map_layers, "WeightNormalizedConv", (2, 3)),
        )
        for n in (1, 2, 3)
    },
    **{
        f"own conv {n}": (
            lambda x, n=n: getattr(own_layers, f"SparseConv{n}D")(2, 3, [[0, 1], [1, 2]])(x),
            RANKS[n],
        )
        for n in (1, 3)
    },
    "own resize": (lambda x: map_layers.Resize((2, 2), "linear")(x), IMAGE),
    "own shuffle": (lambda x: map_layers.PixelShuffle((2, 2))(x), (8, 8, 8)),
    "own merging": (lambda x: layers.Dense(2)(map_layers.PatchMerging((2, 2))(x)), IMAGE),
    "own unshuffle": (lambda x: layers.Dense(2)(map_layers.PixelUnshuffle((2, 2))(x)), IMAGE),
    "own blur": (lambda x: map_layers.BlurPooling((3, 3), (2, 2))(x), IMAGE),
    "own response": (lambda x: map_layers.GlobalResponseNormalization()(x), IMAGE),
    "own norm": (lambda x: own_layers.LocalResponseNormalization(3)(x), IMAGE),
    "own least": (lambda x: own_layers.MinimumSize(4, 5)(x), IMAGE),
    "own conv": (lambda x: own_layers.SparseConv2D(2, (3, 2), [[0, 1], [1, 2]])(x), IMAGE),
    "own pad": (lambda x: own_layers.PadChannels(5, strides=2)(x), IMAGE),
}
TOKENS = {
    "embedding": lambda x: layers.Embedding(9, 3)(x),
    "reversible": lambda x: layers.ReversibleEmbedding(9, 3)(x),
    "one_hot": lambda x: ops.one_hot(x, 9),
    "multi_hot": lambda x: ops.multi_hot(x, 9),
    "category": lambda x: layers.CategoryEncoding(9)(x),
    "hashing": lambda x: layers.Hashing(9)(x),
    "lookup": lambda x: layers.IntegerLookup(vocabulary=[1, 3, 4, 7])(x),
    "take": lambda x: ops.take(np.arange(27.0).reshape(9, 3), x, axis=0),
}


def seen_in_draws(model, axis):
    """As `seen`, over draws of what is there and of what is put in its place."""
    shape, rng = model.input_shape[1:], np.random.default_rng(0)
    whole = "int" in str(model.inputs[0].dtype)
    firsts, lasts = [], []
    for level in (0.0, 1.0) * 3:
        for put in (0, 3, 7) if whole else (0.0, -10.0, 10.0):
            x = rng.uniform(0.1, 1, (1, *shape)) * level
            x = (x * 8).astype("int32") if whole else x.astype("float32")
            changed = np.repeat(x, shape[axis - 1], 0)
            for place in range(shape[axis - 1]):
                changed[(place, *[slice(None)] * (axis - 1), place)] = (
                    put if whole else put + rng.uniform(-0.1, 0.1) * (put != 0)
                )
            before, after = (np.asarray(model(y)).astype("float64") for y in (x, changed))
            numbers = (~np.isclose(after, before, 1e-5, 1e-5, equal_nan=True)).reshape(len(after), -1)
            seen_any = numbers.any(0)
            firsts.append(np.where(seen_any, numbers.argmax(0), len(numbers)))
            lasts.append(np.where(seen_any, len(numbers) - 1 - numbers[::-1].argmax(0), -1))
    return int((np.max(lasts, 0) - np.min(firsts, 0) + 1).max())


@pytest.mark.sweep_only("rnn", "nanmedian", "gru", "simple rnn", "conv lstm 3")
@pytest.mark.parametrize("name", [*DRAWN, *TOKENS])
def test_what_is_seen_is_what_changes_the_output_in_some_draw(name):
    make, shape = DRAWN[name] if name in DRAWN else (TOKENS[name], (SIDE,))
    keras.utils.set_random_seed(0)
    x = keras.Input(shape, dtype="int32" if name in TOKENS else None)
    model = keras.Model(x, make(x))
    for weight in model.weights:
        if "kernel" in weight.name and not isinstance(model.layers[-1], layers.RNN):
            weight.assign(abs(weight))
        if weight.name == "gamma":  # some start at zero
            weight.assign(weight + 0.5)
    for axis, size in enumerate(receptive_field(model), 1):
        assert seen_in_draws(model, axis) == (shape[axis - 1] if size is None else size), axis


# Windows of entries that no case measures, and why not.
_VECTORS = "reads vectors, which have no positions"
_BATCH = "what it moves are the examples"
_SIZE = "reads a size and no numbers"
_RUN = "cannot be run: Keras 3.15 swaps two arguments"
_WINDOWS = "layerblocks.blocks.window_layers.WindowAttention"
EXCUSED = {
    **dict.fromkeys(("keras.layers.GRUCell", "keras.layers.LSTMCell", "keras.layers.SimpleRNNCell"), _VECTORS),
    **dict.fromkeys(("keras.layers.StackedRNNCells", "layerblocks.blocks.layers.RadialBasisDense"), _VECTORS),
    **dict.fromkeys(("keras.ops.Flipud", "keras.ops.Vsplit"), _BATCH),
    **dict.fromkeys(("keras.ops.Ndim", "keras.ops.Size"), _SIZE),
    **dict.fromkeys(("keras.layers.StringLookup", "keras.layers.TextVectorization"), "reads text"),
    "keras.layers.Equalization": "depends on which of 256 values are there",
    "keras.ops.Argpartition": "cannot be run by TensorFlow on more than one axis",
    "keras.ops.ConvTranspose": _RUN,
    "keras.ops.EmptyLike": "its numbers may be any",
    "keras.ops.Hsplit": "is said not to be known",
    "keras.ops.TakeAlongAxis": "is said not to be known",
    **dict.fromkeys(
        (*(f"layerblocks.blocks.map_layers.{name}" for name in ("ClassToken", "FirstToken", "MaxUnpooling")), _WINDOWS),
        "is said not to be known",
    ),
}


def operations_of(make, *shapes, **options):
    inputs = [keras.Input(shape, **options) for shape in shapes]
    with weightless():
        return {public_name(type(call.operation)) for call in calls(keras.Model(inputs, make(*inputs)).outputs)}


def test_every_window_is_measured_or_excused():
    entry_of(layers.Dense(1))  # reads the entries
    entries = {name: entry if isinstance(entry, Entry) else entry() for name, entry in _ENTRIES.items()}
    claiming = {name for name, e in entries.items() if e.window not in (None, pointwise, _unknown, _kept)}
    claiming = {name for name in claiming if name.startswith(("keras.", "layerblocks."))}
    measured = {name for case in (*CASES, *DRAWN.values()) for name in operations_of(*case)}
    measured |= {name for make in TOKENS.values() for name in operations_of(make, (SIDE,), dtype="int32")}
    assert claiming - measured == {*EXCUSED}


# -- random nets ------------------------------------------------------------------------------------------------------

LENGTHS = {1: (72,), 2: (48, 40)}


def drawn_step(rng, rank):
    """A function of a tensor that may change its sides; it reads no size, so that it can be called on another."""

    def each(low, high):
        return tuple(int(n) for n in rng.integers(low, high, rank, endpoint=True))

    def layer(name, *args, **options):
        return lambda x: getattr(layers, name.format(rank))(*args, **options)(x)

    size, steps, padding = each(1, 4), each(1, 3), str(rng.choice(["same", "valid"]))
    filters, step, by = int(rng.integers(1, 3)), int(rng.integers(1, 3)), each(1, 2)
    margins = tuple(zip(each(0, 2), each(0, 2), strict=True))
    margins = margins if rank > 1 else margins[0]
    slices = tuple(slice(int(rng.integers(0, 3)), -int(rng.integers(1, 3)), int(rng.integers(1, 3))) for _ in size)
    return [
        layer("Conv{}D", filters, size, strides=steps, padding=padding),
        layer("Conv{}D", filters, size, dilation_rate=each(2, 3), padding=padding),
        layer("DepthwiseConv{}D", size, strides=step, padding=padding),
        layer("SeparableConv{}D", filters, size, strides=step, padding=padding),
        layer("Conv{}DTranspose", filters, size, strides=by, padding=padding),
        layer("MaxPooling{}D", size, strides=steps, padding=padding),
        layer("AveragePooling{}D", size, strides=by, padding=padding),
        layer("UpSampling{}D", by if rank > 1 else by[0]),
        layer("ZeroPadding{}D", margins),
        layer("Cropping{}D", margins),
        lambda x: x[(slice(None), *slices)],
        lambda x: ops.flip(x, axis=1),
        lambda x: ops.repeat(x, 2, axis=rank),
        lambda x: layers.Conv1D(1, 3, padding="causal")(x) if rank == 1 else layers.Permute((2, 1, 3))(x),
        lambda x: layers.UpSampling2D(by, interpolation="bilinear")(x) if rank == 2 else x[:, 1:] + x[:, :-1],
        lambda x: layers.BatchNormalization()(x),
        lambda x: layers.RMSNormalization()(x),
        lambda x: layers.ReLU()(layers.UnitNormalization()(x)),
    ][int(rng.integers(18))]


def drawn_branch(rng, rank):
    """A function of a tensor that keeps its sides."""
    size, rate, step = (int(n) for n in rng.integers((2, 1, 2), (5, 4, 4)))

    def of(name):
        return getattr(layers, name.format(rank))

    def down_and_up(x):
        y = of("MaxPooling{}D")(step, padding="same")(x)
        y = of("Conv{}D")(2, size, padding="same")(y)
        up = of("UpSampling{}D")(step) if rate == 1 else of("Conv{}DTranspose")(2, step, strides=step, padding="same")
        return up(y)[(slice(None), *(slice(0, n) for n in x.shape[1:-1]))]

    def padded(x):
        y = of("Conv{}D")(2, size, padding="valid")(x)
        return of("ZeroPadding{}D")(((size - 1, 0),) * rank if rank > 1 else (size - 1, 0))(y)

    def same(x):
        return of("Conv{}D")(2, size, dilation_rate=rate, padding="same")(x)

    return [
        same,
        lambda x: of("DepthwiseConv{}D")(size, padding="same")(same(x)),
        lambda x: of("MaxPooling{}D")(size, 1, padding="same")(x),
        lambda x: x,
        padded,
        down_and_up,
        lambda x: ops.mean(x, axis=tuple(range(1, rank + 1)), keepdims=True) if rate == 1 else padded(x),
    ][int(rng.integers(7))]


def drawn_fork(rng, rank):
    """Two branches that meet again."""
    one, other = drawn_branch(rng, rank), drawn_branch(rng, rank)
    joined = bool(rng.integers(2))

    def fork(x):
        a, b = one(x), other(x)
        if a.shape[:-1] == b.shape[:-1] and joined:
            return layers.Concatenate()([a, b])
        return ops.mean(a, axis=-1, keepdims=True) + b

    return fork


def drawn_net(seed):
    """The rank of the input, and a function that makes the net of its sides."""
    rng = np.random.default_rng(seed)
    rank = 1 if rng.random() < 0.7 else 2
    steps = [(drawn_fork if rng.random() < 0.3 else drawn_step)(rng, rank) for _ in range(rng.integers(2, 7))]

    def make(sides):
        x = y = keras.Input((*sides, 1))
        for step in steps:
            y = step(y)
        model = keras.Model(x, y)
        for call in calls(model.outputs):  # a padding may hide that nothing was left before it
            if any(size < 1 for tensor in call.outputs for size in tensor.shape[1:]):
                raise ValueError(f"{call.operation.name} leaves nothing")
        return model

    return rank, make


def spans(model, axis):
    """The first and the last slice of the input along an axis that changes each position of the output, if any does."""
    sides, filters = model.input_shape[1:-1], model.output_shape[-1]
    slabs = np.zeros((sides[axis], *sides, 1), "float32")
    for place in range(sides[axis]):
        slabs[(place, *[slice(None)] * axis, place)] = 1
    changed = np.asarray(model(slabs)).reshape(sides[axis], -1, filters).any(-1)  # of nothing comes nothing
    first, last = changed.argmax(0), sides[axis] - 1 - changed[::-1].argmax(0)
    return [(int(a), int(b)) for a, b in {*zip(first[changed.any(0)], last[changed.any(0)], strict=True)}]


def is_cut(model):
    """Whether something is cut to a fixed size, below which the smallest input is a lower bound only."""
    keys = [call.arguments.args[1] for call in calls(model.outputs) if type(call.operation).__name__ == "GetItem"]
    return any(isinstance(part, slice) and (part.stop or 0) > 0 for key in keys for part in key)


def can_be_built(make, sides):
    try:
        with weightless():
            make(sides)
    except (ValueError, TypeError):
        return False
    return True


def checked(seed):
    """Whether a net drawn by chance is small enough to be checked; it is then what is said of it."""
    rank, make = drawn_net(seed)
    sides = LENGTHS[rank]
    try:
        model = make(sides)
    except ValueError:
        return False
    for weight in model.weights:
        if "kernel" in weight.name:
            weight.assign(np.abs(weight) + 0.1)
    told, least = receptive_field(model), min_input_size(model)
    for axis, (length, size) in enumerate(zip(sides, told, strict=True)):
        found = spans(model, axis)
        if not found:
            return False
        truth = max(last - first for first, last in found) + 1
        if size is None:
            assert truth == max(found, key=lambda s: s[1])[1] - min(found)[0] + 1, (seed, axis)
        elif 3 * min(truth, size) >= length:  # borders may hide what is seen
            return False
        else:
            assert truth == size, (seed, axis, truth, size)
    assert is_cut(model) or can_be_built(make, least), (seed, least)
    for axis, size in enumerate(least):
        smaller = tuple(n - (i == axis) for i, n in enumerate(least))
        assert size == 1 or not can_be_built(make, smaller), (seed, least, smaller)
    return True


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="compiles every operation for every shape")
@pytest.mark.parametrize(
    ("first", "count"), [(0, 40), *(pytest.param(10_000 * n, 100, marks=pytest.mark.sweep) for n in range(1, 6))]
)
def test_windows_of_random_nets(first, count):
    seeds = iter(range(first, first + 10 * count))
    done = sum(1 for _ in range(count) if any(checked(seed) for seed in seeds))
    assert done == count
