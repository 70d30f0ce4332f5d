"""Dotted names: nested, unique, kept by save, load and clone, and free of what the process built before."""

from __future__ import annotations

import inspect
import itertools
import threading
from functools import partial

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import resnet18
from layerblocks.blocks import (
    activate,
    add,
    basic_residual,
    block,
    bottleneck,
    concat,
    conv,
    conv_bn,
    default_of,
    dense,
    dropout,
    inception,
    max_pool,
    separable,
    vgg_block,
    weightless,
)

from ..helpers import dear, images


def names(model):
    """Every node but the input, those of `keras.ops` too."""
    return [operation.name for operation in model.operations if not isinstance(operation, keras.layers.InputLayer)]


def model_of(function, *args, shape=(8, 8, 4), **options):
    with weightless():
        x = keras.Input(shape)
        return keras.Model(x, function(x, *args, **options))


@block
def raw(x, filters):
    """What a user writes who knows Keras and not us."""
    y = keras.layers.Conv2D(filters, 3, padding="same", name="wide")(x)
    z = keras.layers.Conv2D(filters, 1)(x)
    return keras.ops.relu(y + z) * 2.0


@block
def deep(x):
    return raw(raw(conv(x, 4), 4, name="first"), 4)


# Names of the pieces.


def test_names_of_an_inception():
    assert set(names(model_of(inception, 4, (4, 4), (4, 4), 4, name="inception_3a"))) == {
        "inception_3a.1x1.conv",
        "inception_3a.3x3_reduce.conv",
        "inception_3a.3x3.conv",
        "inception_3a.5x5_reduce.conv",
        "inception_3a.5x5.conv",
        "inception_3a.pool",
        "inception_3a.pool_proj.conv",
        "inception_3a.concat",
    }


def test_names_of_a_residual():
    assert set(names(model_of(basic_residual, 8, name="r"))) == {
        *(f"r.{piece}.{part}" for piece in ("conv1", "conv2", "shortcut") for part in ("conv", "norm")),
        "r.conv1.activation",
        "r.add",
        "r.activation",
    }


def test_a_users_own_block_of_raw_keras():
    assert set(names(model_of(raw, 4, name="mine"))) == {
        "mine.wide",
        "mine.conv2d",
        "mine.add",
        "mine.relu",
        "mine.multiply",
    }


def test_blocks_nest():
    found = names(model_of(deep, name="net"))
    assert {name.rpartition(".")[0] for name in found} == {"net.conv", "net.first", "net.raw"}
    assert len(set(found)) == len(found) == 11


def test_layers_and_models_made_by_hand_inside_a_block():
    @block
    def attention(x):
        inner = keras.Sequential([keras.layers.Dense(4), keras.layers.ReLU()], name="mlp")
        flat = keras.layers.Reshape((-1, 4))(x)
        return inner(keras.layers.MultiHeadAttention(2, 3)(flat, flat))

    found = names(model_of(attention, name="attention"))
    assert all(name.startswith("attention.") for name in found)
    assert sum(name.endswith(".mlp") for name in found) == 1


# Uniqueness.


def test_pieces_without_a_name_are_numbered():
    @block
    def three(x):
        for _ in range(3):
            x = activate(conv(x, 4, activation=None), "relu")
        return x

    assert names(model_of(three, name="t")) == [
        name for end in ("", "_1", "_2") for name in (f"t.conv{end}.conv", f"t.activation{end}")
    ]


TREES = st.recursive(st.sampled_from(["conv", "dense", "raw"]), lambda below: st.lists(below, max_size=3), max_leaves=8)


@given(TREES, st.none() | st.sampled_from(["a", "net.part", "3x3"]))
def test_every_name_is_the_path_to_it_however_blocks_nest(tree, name):
    pieces = {"conv": partial(conv, filters=2), "dense": partial(dense, units=2), "raw": partial(raw, filters=2)}

    @block
    def nest(x, tree):
        for branch in tree if isinstance(tree, list) else [tree]:
            x = nest(x, branch) if isinstance(branch, list) else pieces[branch](x)
        return x

    with weightless():
        x = keras.Input((4, 4, 2))
        y = nest(x, [tree], name="root" if name is None else name)
        if y is x:
            return
        found = names(keras.Model(x, y))
    assert len(set(found)) == len(found)
    assert all(found_name.startswith(f"{name or 'root'}.") for found_name in found)


def test_an_explicit_name_twice_is_refused():
    @block
    def twice(x):
        return conv(conv(x, 4, name="a"), 4, name="a")

    with pytest.raises(
        ValueError, match=r"twice 'net': name must be a name that no other piece of this block has, got 'a'"
    ):
        model_of(twice, name="net")


def test_an_explicit_name_twice_outside_of_any_block_is_refused():
    def twice(x):
        return conv(conv(x, 4, name="a"), 4, name="a")

    with pytest.raises(ValueError, match=r"a\.conv"):
        model_of(twice)


def test_raw_layers_of_one_name_are_numbered():
    @block
    def twice(x):
        return keras.layers.ReLU(name="r")(keras.layers.ReLU(name="r")(x))

    assert set(names(model_of(twice, name="t"))) == {"t.r", "t.r_1"}


def test_our_names_and_keras_own_do_not_collide_in_one_model():
    def mixed(x):
        x = keras.layers.Dense(4)(dense(keras.layers.Dense(4)(dense(x, 4)), 4))
        x = keras.layers.Dropout(0.5)(dropout(keras.layers.Dropout(0.5)(dropout(x, 0.5)), 0.5))
        return keras.layers.Activation("relu")(activate(x, "relu"))

    found = names(model_of(mixed))
    assert len(set(found)) == len(found) == 10


@pytest.mark.parametrize("name", ["a/b", "", ".", "a.", ".a", "a..b", "a b", "3×3", "a:0", "ä"])
@pytest.mark.parametrize("piece", [partial(conv, filters=4), partial(max_pool), partial(vgg_block, filters=4)])
def test_names_that_cannot_be_are_refused(piece, name):
    with pytest.raises(ValueError, match="name must be"):
        model_of(piece, name=name)


@pytest.mark.parametrize("name", [3, b"a", ["a"], True])
def test_names_of_another_type_are_refused(name):
    with pytest.raises(TypeError, match="conv: name must be a string or None"):
        model_of(conv, 4, name=name)


@pytest.mark.parametrize("name", ["a", "3x3", "A-1", "a.b.c", "_a"])
def test_names_that_can_be_run(name):
    @block
    def outer(x):
        return conv(x, 2, name=name)

    x = keras.Input((4, 4, 1))
    keras.Model(x, outer(x, name="net")).predict(images(1, 4, 4, 1), verbose=0)


# Several networks in one graph.


def test_two_networks_on_one_input():
    with weightless():
        x = keras.Input((32, 32, 3))
        first, second = resnet18(input_tensor=x, name="first"), resnet18(input_tensor=x, name="second")
        both = keras.Model(x, add([first.output, second.output]))
    assert both.count_params() == 2 * first.count_params()
    assert {name.partition(".")[0] for name in names(both)} - {"first", "second"} == {names(both)[-1]}
    assert both.get_layer("first.stage1.block1.conv1.conv") is not both.get_layer("second.stage1.block1.conv1.conv")


def test_two_networks_on_two_inputs():
    with weightless():
        twins = [resnet18(input_shape=(32, 32, 3), name=name) for name in ("left", "right")]
        both = keras.Model(
            [twin.input for twin in twins], concat([twin.get_layer(twin.name + ".pool").output for twin in twins])
        )
    assert len({operation.name for operation in both.operations}) == len(both.operations)


def test_two_networks_without_a_name_on_one_input():
    with weightless():
        x = keras.Input((32, 32, 3))
        both = keras.Model(x, [resnet18(input_tensor=x).output, resnet18(input_tensor=x).output])
    assert len(set(names(both))) == len(names(both))


def test_a_network_inside_a_block():
    @block
    def siamese(x):
        return add([resnet18(input_tensor=x, name="left").output, resnet18(input_tensor=x, name="right").output])

    found = names(model_of(siamese, shape=(32, 32, 3), name="siamese"))
    assert {".".join(name.split(".")[:2]) for name in found} == {"siamese.left", "siamese.right", "siamese.add"}


def test_two_whole_models_used_as_layers():
    with weightless():
        x = keras.Input((32, 32, 3))
        models = [resnet18(input_shape=(32, 32, 3), name=name) for name in ("first", "second")]
        both = keras.Model(x, [model(x) for model in models])
    assert names(both) == ["first", "second"]


# Independence and survival.


def test_names_of_a_network_do_not_depend_on_what_was_built_before():
    with weightless():
        first = names(resnet18(input_shape=(32, 32, 3)))
        for _ in range(3):
            conv(keras.Input((4, 4, 1)), 2)
        again = names(resnet18(input_shape=(32, 32, 3)))
    assert first == again
    assert "stage1.block1.conv1.conv" in first


def test_names_do_not_depend_on_other_threads():
    expected = set(names(model_of(deep, name="net")))
    found, start = [], threading.Barrier(8)

    def work():
        start.wait()
        for _ in range(3):
            found.append(set(names(model_of(deep, name="net"))))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 24


def test_a_block_that_fails_leaves_no_scope_behind():
    @block
    def outer(x):
        return conv(x, 0)

    with pytest.raises(ValueError, match=r"conv 'outer_here\.conv'"):
        model_of(outer, name="outer_here")
    with pytest.raises(ValueError, match=r"^max_pool: pool_size"):
        max_pool(keras.Input((4, 4, 1)), 0)
    assert names(model_of(conv, 2, name="after")) == ["after.conv"]


@pytest.mark.parametrize(
    "function",
    [
        partial(raw, filters=4),
        deep,
        partial(inception, c1=2, c3=(2, 2), c5=(2, 2), pool_proj=2, conv=conv_bn),
        partial(bottleneck, filters=8, strides=2, conv=separable),
    ],
)
def test_names_survive_saving_loading_and_cloning(function, tmp_path):
    x = keras.Input((8, 8, 4))
    model = keras.Model(x, function(x, name="net"))
    model.save(tmp_path / "model.keras")
    expected = names(model)
    assert names(keras.models.load_model(tmp_path / "model.keras")) == expected
    assert names(keras.models.clone_model(model)) == expected
    assert names(keras.Model.from_config(model.get_config())) == expected
    assert names(keras.models.model_from_json(model.to_json())) == expected


# The decorator.


def test_block_adds_name_to_the_signature_and_keeps_the_rest():
    def make(x, filters: int = 3, *, conv=conv, **options):
        """Docs."""

    made = block(make)
    assert list(inspect.signature(made).parameters) == ["x", "filters", "conv", "name", "options"]
    assert (made.__name__, made.__doc__, made.__wrapped__) == ("make", "Docs.", make)
    assert inspect.signature(made).parameters["name"].default is None


def test_block_refuses_a_function_whose_name_is_not_none_by_default():
    for function in (lambda x, name: x, lambda x, *, name="mine": x):
        with pytest.raises(TypeError, match=r"block: .* must declare name=None or no name at all"):
            block(function)


def test_a_function_may_declare_its_name():
    @block
    def by_keyword(x, filters, *, name: str | None = None):
        return conv(x, filters)

    @block
    def by_place(x, filters, name=None):
        return keras.layers.Dense(filters, name=f"{name}_dense")(x)

    assert names(model_of(by_keyword, 2, name="a")) == ["a.conv.conv"]
    assert names(model_of(by_place, 2, "b")) == names(model_of(by_place, 2, name="b")) == ["b.b_dense"]
    assert list(inspect.signature(by_place).parameters) == ["x", "filters", "name"]


# What a layer makes for itself, and what is left of Keras afterwards.


class Gate(keras.layers.Layer):
    """Makes layers in each of the places where a layer of a user's makes them."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.first = keras.layers.Dense(units, name="first")
        self.stack = keras.Sequential([keras.layers.Dense(units, name="inner")], name="stack")

    def build(self, shape):
        self.last = keras.layers.Dense(shape[-1], name="last")
        self.first.build(shape)
        self.stack.build((*shape[:-1], self.units))
        self.last.build((*shape[:-1], self.units))
        self.built = True

    def call(self, x):
        return x * self.last(self.stack(self.first(x)))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@block
def gated(x):
    x = Gate(3, name="gate")(x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(2, name="lstm"), name="both")(keras.layers.Reshape((-1, 4))(x))
    return keras.layers.ReLU()(x)


def paths(model):
    return [weight.path for weight in model.weights]


def test_what_a_layer_makes_for_itself_has_the_path_of_plain_keras(tmp_path):
    x = keras.Input((8, 8, 4))
    model = keras.Model(x, gated(x, name="net"))
    gate = keras.Model(x, Gate(3, name="net.gate")(x))
    assert paths(model)[: len(paths(gate))] == paths(gate)
    assert paths(gate)[0] == "net.gate/first/kernel"
    series = keras.Input((64, 4))
    lstm = keras.layers.LSTM(2, name="net.lstm")
    both = keras.Model(series, keras.layers.Bidirectional(lstm, name="net.both")(series))
    assert paths(model)[len(paths(gate)) :] == paths(both)
    assert names(model) == ["net.gate", "net.reshape", "net.both", "net.re_lu"]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={"Gate": Gate})
    # Those of a Bidirectional change in plain Keras when it is loaded.
    assert paths(loaded)[: len(paths(gate))] == paths(gate)


def test_keras_is_as_it_was_after_a_block_a_failing_one_and_overlapping_ones():
    from layerblocks import _keras

    originals = keras.Operation.__init__, _keras.function._build_map_helper
    inside, seen = threading.Event(), []

    @block
    def slow(x):
        inside.set()
        started.wait(30)
        return keras.layers.ReLU()(x)

    started = threading.Event()
    worker = threading.Thread(target=lambda: seen.extend(names(model_of(slow, name="slow"))))
    worker.start()
    assert inside.wait(30)
    # A block of another thread is open now: here plain Keras is plain Keras, and a block is one.
    assert keras.Operation.__init__ is not originals[0]
    assert keras.layers.ReLU(name="plain").name == "plain"
    assert names(model_of(conv, 2, name="mine")) == ["mine.conv"]
    with pytest.raises(ValueError, match="filters must be"):
        model_of(conv, 0)
    started.set()
    worker.join()
    assert seen == ["slow.re_lu"]
    resnet18(input_shape=(32, 32, 3), name="r")
    assert (keras.Operation.__init__, _keras.function._build_map_helper) == originals


def test_importing_again_changes_nothing():
    import importlib

    from layerblocks import _keras
    from layerblocks.blocks import core

    original = keras.Operation.__init__
    try:
        for _ in range(3):
            importlib.reload(_keras)
            importlib.reload(core)
        assert keras.Operation.__init__ is original

        @core.block
        def one(x):
            return keras.layers.ReLU()(x)

        assert one(keras.Input((3,)), name="a")._keras_history.operation.name == "a.re_lu"
        assert keras.Operation.__init__ is original
    finally:
        assert names(model_of(conv, 2, name="after")) == ["after.conv"]


def test_models_of_any_depth():
    from layerblocks.blocks import deep_graphs

    x = y = keras.Input((2,))
    for _ in range(1500):
        y = keras.layers.Activation("linear")(y)
    with pytest.raises(RecursionError):  # Keras by itself; where this passes, `deep_graphs` can go
        keras.Model(x, y)
    with deep_graphs():
        model = keras.Model(x, y)
        clone = keras.models.clone_model(model)
    assert [layer.name for layer in clone.layers[1:]] == [layer.name for layer in model.layers[1:]]
    assert len(model.layers) == 1501


# Registered names and expectations.


def test_registered_units_and_norms():
    from layerblocks.blocks import register, registered

    assert registered("unit")["separable"] is separable
    assert {"conv", "conv_bn", "depthwise", "dilated", "transposed"} <= registered("unit").keys()
    assert {"batch_norm", "group_norm", "layer_norm"} <= registered("norm").keys()
    with pytest.raises(TypeError):
        registered("unit")["mine"] = conv

    def define():
        @register("unit")
        @block
        def mine(x, filters, kernel_size=3, *, strides=1, name=None):
            return conv(x, filters, kernel_size, strides=strides)

        return mine

    try:
        define()
        again = define()
        assert registered("unit")["mine"] is again  # as a cell of a notebook that runs again
    finally:
        from layerblocks.blocks import words

        words._registered["unit"].pop("mine", None)

    def conv_(x, filters, *, name=None):
        return x

    conv_.__name__ = "conv"
    with pytest.raises(ValueError, match=r"register: function must be of a name that no other unit has, got 'conv'"):
        register("unit")(conv_)
    with pytest.raises(ValueError, match=r"kind must be one of 'unit' or 'norm', got 'block'"):
        registered("block")
    with pytest.raises(TypeError, match=r"register: function must be a function with the argument name"):
        register("norm")(lambda x: x)


def test_default_of_sees_through_partials():
    def unit(x, filters, *, activation="relu", needed):
        return x

    outer = partial(partial(unit, activation="gelu"), needed=1)
    found = [default_of(f, word) for f, word in itertools.product((unit, outer), ("activation", "needed", "other"))]
    assert found == ["relu", None, None, "gelu", 1, None]
    assert default_of(conv_bn, "activation", "relu") == "relu"


@dear
@given(st.lists(st.sampled_from(["conv", "max_pool", "vgg_block"]), min_size=1, max_size=6))
def test_sequences_outside_of_any_block_are_unique(pieces):
    make = {
        "conv": partial(conv, filters=2),
        "max_pool": max_pool,
        "vgg_block": partial(vgg_block, filters=2, pool=None),
    }

    def chain(x):
        for piece in pieces:
            x = make[piece](x)
        return x

    found = names(model_of(chain))
    assert len(set(found)) == len(found)
