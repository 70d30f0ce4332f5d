"""`check_net`: bugs planted in nets are found and shrunk to the smallest case, good nets pass quickly."""

from __future__ import annotations

from functools import partial

import keras
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from keras import layers, ops

from layerblocks.blocks import (
    aux_classifier,
    basic_residual,
    bottleneck,
    classifier,
    conv,
    inception,
    transposed,
    vgg_block,
)
from layerblocks.testing import CheckError, assert_trainable, check_net
from layerblocks.testing.examples import Example, _shrunk, as_net, failure_of
from layerblocks.testing.reports import Report

from ..helpers import data_format


def smallest(build, spec, **options):
    """The report on a net that has a bug, found within 100 examples."""
    with pytest.raises(CheckError) as caught:
        check_net(build, spec, max_examples=100, **options)
    report = caught.value.report
    assert str(report).startswith("check_net: ") and report.code
    return report


def reproduced(report):
    """What the code of the report gives, or raises, run as it stands."""
    names = dict(report.names)
    try:
        exec(report.code, names)
    except Exception as error:
        return error
    return keras.tree.map_structure(lambda tensor: tuple(tensor.shape), names["y"])


# Planted bugs.


def a_row_too_many(x, first=37):
    y = layers.Conv2D(4, 3, padding="same")(x)
    return layers.ZeroPadding2D(((0, 1), (0, 0)))(y) if (x.shape[1] or 0) >= first else y


@pytest.mark.parametrize("first", [37, 80])
def test_a_row_too_many_from_some_height_on(first):
    report = smallest(partial(a_row_too_many, first=first), "b h w c -> b h w 4")
    assert report.smallest == f"input (None, {first}, 1, 1)"
    assert report.off == (f"axis 1: h is {first}, got {first + 1}",) and report.hint == ""
    assert reproduced(report) == (None, first + 1, 1, 4)


def same_for_valid(x, filters):
    return layers.Conv2D(filters, 3, padding="same")(x)


def test_same_for_valid():
    report = smallest(same_for_valid, "b h w c -> b h-2 w-2 filters", params={"filters": st.integers(1, 9)})
    assert report.smallest == "input (None, 1, 1, 1), filters=1"
    assert report.title == "check_net: it accepts what is too small"
    assert reproduced(report) == (None, 1, 1, 1)


def test_same_for_valid_where_small_ones_are_skipped():
    build = partial(same_for_valid, filters=2)
    report = smallest(build, "b h w c -> b h-2 w-2 2", too_small="skip")
    assert report.smallest == "input (None, 3, 3, 1)"
    assert report.off == ("axis 1: h-2 is 1, got 3", "axis 2: w-2 is 1, got 3")


def wrong_stride(x):
    y = layers.Conv2D(4, 3, strides=2, padding="same")(x)
    return layers.Add()([y, layers.Conv2D(4, 1)(x)])


def test_a_wrong_stride_on_the_shortcut():
    """At a side of 1 strides do nothing, at 2 the 1 is broadcast."""
    report = smallest(wrong_stride, "b h w c -> b ceil(h/2) ceil(w/2) 4")
    assert report.smallest == "input (None, 1, 2, 1)"
    assert (report.expected, report.got) == ((None, 1, 1, 4), (None, 1, 2, 4))


def odd_sizes(x):
    strided = layers.Conv2D(4, 3, strides=2, padding="same")(x)
    return layers.Concatenate()([strided, layers.MaxPooling2D(2)(x)])


def test_a_concat_of_odd_sizes():
    """No symbolic shape of None shows it."""
    report = smallest(odd_sizes, "b h w c -> b h//2 w//2 4+c")
    assert report.smallest == "input (None, 2, 3, 1)"
    assert report.got.startswith("ValueError: A `Concatenate` layer requires inputs with matching shapes")
    assert isinstance(reproduced(report), ValueError)


def broadcast(x):
    return layers.Add()([x, ops.sum(x, -1, keepdims=True)])


def test_a_channel_broadcast_in_a_sum():
    """The shape is right; TensorFlow's numbers are not."""
    report = smallest(broadcast, "b h w c -> b h w c")
    assert report.smallest == "input (None, 1, 1, 2)"
    assert "sums shapes (1, 1, 2) and (1, 1, 1)" in report.off[0]
    check_net(broadcast, "b h w c -> b h w c", broadcasts=True, max_examples=10)


def test_a_broadcast_inside_of_a_nested_model():
    def nested(x):
        inner = keras.Input(x.shape[1:])
        return keras.Model(inner, broadcast(inner), name="inner")(x)

    assert "sums shapes (1, 1, 2) and (1, 1, 1)" in smallest(nested, "b h w c -> b h w c").off[0]


def ignored_branch(x):
    used = layers.Conv2D(4, 3, padding="same")(x)
    layers.Conv2D(4, 5, padding="same", name="ignored")(x)
    return layers.GlobalAveragePooling2D()(used)


def test_a_head_that_ignores_a_branch():
    report = smallest(ignored_branch, "b h w c -> b 4")
    assert report.smallest == "input (None, 1, 1, 1)"
    assert report.off == ("layer 'ignored'",)


def test_the_same_by_its_gradients():
    with pytest.raises(CheckError) as caught:
        assert_trainable(lambda: keras.Model(x := keras.Input((8, 8, 3)), ignored_branch(x)))
    assert caught.value.report.off == ("layer 'ignored' has weights and leads to no output",)


def test_sizes_without_a_name_stay_as_they_are_where_others_are_shrunk():
    report = smallest(partial(a_row_too_many, first=5), "b h _ c -> b h _ 4", sides=(2, 96))
    assert report.smallest == "input (None, 5, 2, 1)" and report.off == ("axis 1: h is 5, got 6",)


def test_each_size_is_made_smaller_by_itself_down_to_one():
    """Where Hypothesis left off."""

    def check(example):
        if example.shapes[0][1] >= 5:
            raise failure_of(Report("off"), example)

    net = as_net(broadcast, "b h w c -> b h w c", sides=(1, 96), params=None, least=1, too_small="raises")
    left = failure_of(Report("off"), Example(((None, 9, 4, 3),), {}, {}))
    assert _shrunk(check, net, left).example.shapes == ((None, 5, 1, 1),)


def test_no_size_is_made_smaller_than_the_least_that_is_tried():
    """That of a side, of channels, and of a batch."""

    def check(example):
        raise failure_of(Report("off"), example)

    for batch, size, least in ((None, None, None), ((2, 4), 4, 2)):
        net = as_net(broadcast, "b h w c -> b h w c", sides=(5, 96), params=None, least=1, batch=batch)
        left = failure_of(Report("off"), Example(((size, 9, 7, 3),), {}, {}))
        assert _shrunk(check, net, left).example.shapes == ((least, 5, 5, 1),)


def test_height_and_width_confused():
    def confused(x):
        return layers.Resizing(x.shape[2], x.shape[1])(x) if x.shape[1] else x

    report = smallest(confused, "b h w c -> b h w c")
    assert report.smallest == "input (None, 1, 2, 1)"
    sideways = partial(layers.Conv2D, 4, (3, 1))
    report = smallest(lambda x: sideways()(x), "b h w c -> b _ _ 4", sides=(3, 96))
    assert report.title == ("check_net: with height and width exchanged the output has not the shape of the spec")
    check_net(lambda x: sideways()(x), "b h w c -> b h-2 w 4")  # meant
    report = smallest(lambda x: layers.LayerNormalization(axis=1)(x), "b h w c -> b h w c", unknown=False)
    assert report.title == "check_net: the number of parameters changes with height and width exchanged"
    assert sorted((report.expected, report.got)) == [2, 4]


def test_parameters_that_depend_on_the_size_where_unknown_ones_are_refused():
    def flat(x):
        return layers.Dense(3)(layers.Flatten()(x))

    report = smallest(flat, "b h w c -> b 3", sides=(1, 9))
    assert report.title == "check_net: the number of parameters depends on the size"
    assert (report.smallest, report.got) == ("input (None, 1, 1, 1)", 6)
    assert report.expected == "246, as for (None, 9, 9, 1)" and report.hint.startswith("unknown=False, or ")
    few = {"sides": (1, 9), "max_examples": 5}
    check_net(flat, "b h w c -> b 3", unknown=False, **few)
    check_net(flat, "b h w c -> b 3", parameters=lambda h, w, c: 3 * h * w * c + 3, **few)
    check_net(flat, "b 4 4 c -> b 3", **few)  # of one size
    check_net(flat, "b h w c -> b 3", params={"h": 3, "w": 2}, **few)


def test_conditions_bound_the_largest_size():
    def flat(x):
        return layers.Dense(3)(layers.Flatten()(x))

    report = smallest(flat, "b h w c -> b 3 where h < 9, w <= 7")
    assert report.expected == f"{3 * 8 * 7 + 3}, as for (None, 8, 7, 1)" and report.got == 6


def test_arguments_are_exchanged_as_well():
    params = {"kernel_size": st.tuples(st.integers(1, 3), st.integers(1, 3)), "filters": 2}
    check_net(partial(conv, padding="valid"), "b h w c -> b _ _ filters", params=params, sides=(3, 30))


def test_a_size_that_is_not_known():
    def frozen(x):
        return layers.Resizing(x.shape[1] or 7, x.shape[2] or 7)(x)

    report = smallest(frozen, "b h w c -> b h w c")
    assert "claims to know" in report.title and report.smallest == "input (None, 1, 1, 1)"
    check_net(frozen, "b h w c -> b h w c", unknown=False, max_examples=10)


def test_another_net_for_unknown_sizes():
    def other(x):
        return layers.Conv2D(4, 3, strides=2, padding="same" if x.shape[1] is None else "valid")(x)

    report = smallest(other, "b h w c -> b (h-1)//2 (w-1)//2 4", least=3)
    assert report.title == "check_net: built for unknown sizes it gives another shape"
    assert report.smallest == "input (None, 3, 3, 1)"


def test_an_error_that_is_no_value_error():
    report = smallest(lambda x: layers.Resizing(x.shape[1] // 2 + 1, 3)(x), "b h w c -> b h//2+1 3 c")
    assert report.title == "check_net: built for unknown sizes it raises something else than ValueError"
    assert report.got.startswith("TypeError: unsupported operand")

    def failing(x):
        raise KeyError("mine")

    assert smallest(failing, "b h w c -> b h w c").got == "KeyError: 'mine'"


def test_parameters_that_depend_on_the_size():
    def growing(x):
        return layers.Conv2D(2, 1 + ((x.shape[1] or 0) > 9), padding="same")(x)

    report = smallest(growing, "b h w c -> b h w 2")
    assert report.smallest == "input (None, 10, 1, 1)"
    assert (report.expected, report.got) == ("4, as for unknown sizes", 10)


def test_parameters_that_are_given():
    count = lambda c, filters: 9 * c * filters + filters  # noqa: E731
    options = {"params": {"filters": st.integers(1, 9)}, "spec": "b h w c -> b h w filters"}
    check_net(conv, **options, parameters=count)
    report = smallest(partial(conv, use_bias=False), **options, parameters=count)
    assert (report.smallest, report.expected, report.got) == ("input (None, 1, 1, 1), filters=1", 10, 9)
    assert smallest(conv, "b h w 3 -> b h w 2", params={"filters": 2}, parameters=57).got == 56


class Half(keras.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(1,), dtype="float16")

    def call(self, x):
        return x * ops.cast(self.scale, x.dtype)

    def compute_output_shape(self, shape):
        return shape


class Single(keras.Layer):
    """Adds its numbers in full precision to those of half."""

    def call(self, x):
        return layers.Add(dtype="float64")([x, x])

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, "float64" if self.compute_dtype == "float16" else x.dtype)


@pytest.mark.sweep
def test_mixed_precision():
    before = keras.config.dtype_policy()
    spec = "b h w c -> b h w c"
    assert smallest(lambda x: Half()(x), spec).title == "check_net: weights of half precision"
    assert smallest(lambda x: Single()(x), spec).off == ("the output is float64",)
    report = smallest(lambda x: layers.Conv2D(4, 1)(x), "b h w c -> b h w 4", mixed_dtype="float32")
    assert report.off == ("the output is float16",)
    assert 'set_dtype_policy("mixed_float16")' in report.code

    def careless(x):
        if keras.config.dtype_policy().name == "mixed_float16":
            keras.config.set_dtype_policy("float32")
        return layers.Conv2D(4, 1)(x)

    assert smallest(careless, "b h w c -> b h w 4").title == "check_net: it leaves Keras with another dtype policy"
    assert keras.config.dtype_policy() == before
    check_net(partial(classifier, classes=3), "b h w c -> b 3", mixed_dtype="float32", max_examples=10)


def test_several_outputs():
    def heads(x):
        return {"main": classifier(x, 5), "aux1": aux_classifier(x, 3, name="aux")}

    check_net(
        heads, "b h w c -> {main: b 5, aux1: b 3}", least=5, max_examples=20, unknown=False
    )  # whose units count the pixels
    report = smallest(heads, {"main": "b h w c -> b 5", "aux1": "b h w c -> b 4"}, least=5)
    assert report.off == ("output 'aux1', axis 1: 4, got 3",)
    assert smallest(heads, "b h w c -> b 5", least=5).off == ("one output expected, not a dict of 'main', 'aux1'",)
    report = smallest(heads, "b h w c -> {main: b 5, aux1: b 3}", least=4)
    assert (report.smallest, report.title) == (
        "input (None, 4, 4, 1)",
        "check_net: it refuses an input that the spec allows",
    )


# Good nets.

GOOD = {
    "conv": (conv, "b h w c -> b ceil(h/strides) ceil(w/strides) filters"),
    "basic_residual": (basic_residual, "b h w c -> b ceil(h/strides) ceil(w/strides) filters"),
    "transposed": (transposed, "b h w c -> b h*strides w*strides filters"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_blocks(name):
    build, spec = GOOD[name]
    check_net(build, spec, params={"filters": st.integers(1, 9), "strides": st.integers(1, 3)}, max_examples=30)


def test_more_good_blocks():
    few = st.integers(1, 9)
    check_net(vgg_block, "b h w c -> b h//2 w//2 filters", params={"filters": few}, max_examples=20)
    params = {"c1": few, "c3": (3, 4), "c5": st.tuples(few, st.just(2)), "pool_proj": few}
    check_net(inception, "b h w c -> b h w c1+pool_proj+6", params=params, max_examples=20)
    check_net(
        partial(bottleneck, strides=2), "b h w c -> b ceil(h/2) ceil(w/2) 8", params={"filters": 8}, max_examples=20
    )


def test_channels_first():
    with data_format("channels_first"):
        check_net(
            partial(conv, strides=2), "b c h w -> b 4 ceil(h/2) ceil(w/2)", params={"filters": 4}, max_examples=20
        )


def test_other_ranks():
    check_net(lambda x: layers.Conv1D(4, 3, strides=2)(x), "b t c -> b floor((t-3)/2)+1 4", max_examples=20)
    check_net(lambda x: layers.Dense(3)(x), "b f -> b 3", max_examples=20)
    check_net(lambda x: layers.MaxPooling3D(2)(x), "b d h w c -> b d//2 h//2 w//2 c", max_examples=20)
    report = smallest(lambda x: layers.Conv1D(4, 3)(x), "b t c -> b t-1 4", too_small="skip")
    assert report.smallest == "input (None, 2, 1)"


# A net of somebody who does not use our blocks.


def test_a_users_own_net():
    def small_net(x, width):
        for filters in (width, 2 * width):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
            x = layers.MaxPooling2D(2)(x)
        return layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))

    check_net(small_net, "b h w 3 -> b 10", params={"width": st.integers(1, 8)}, least=4, max_examples=30)
    report = smallest(small_net, "b h w 3 -> b 10", params={"width": st.integers(1, 8)}, least=3)
    assert report.smallest == "input (None, 3, 3, 3), width=1"

    def sequential(x):
        net = keras.Sequential([layers.Conv2D(8, 3), layers.ReLU(), layers.AveragePooling2D(2)])
        return net(x)

    check_net(sequential, "b h w c -> b (h-2)//2 (w-2)//2 8", max_examples=30)


def test_a_network_of_keras():
    def mobilenet(x):
        return keras.applications.MobileNet(input_tensor=x, alpha=0.25, weights=None, include_top=False).output

    check_net(mobilenet, "b h w 3 -> b (h+1)//32 (w+1)//32 256", sides=(25, 96), max_examples=6)
    report = smallest(mobilenet, "b h w 3 -> b h//32 w//32 256", sides=(31, 66))  # what one expects
    assert report.smallest == "input (None, 31, 31, 3)"


def test_what_is_run_on_real_numbers(monkeypatch):
    """A net for unknown sizes only where there is one, and it is another."""
    seen = []
    monkeypatch.setattr("layerblocks.testing.checks._runs", lambda: lambda net, example, models: seen.append({*models}))

    def ran(build, spec, **options):
        seen.clear()
        check_net(build, spec, eager=1, max_examples=3, sides=(1, 9), **options)
        return {frozenset(models) for models in seen}

    def flat(x):
        return layers.Dense(3)(layers.Flatten()(x))

    this, unknown = "built for this size", "built for unknown sizes"
    pointwise = layers.Conv2D(4, 1)
    assert ran(pointwise, "b h w c -> b h w 4") == {frozenset({this, unknown})}
    assert ran(pointwise, "b h w c -> b h w 4", unknown=False) == {frozenset({this})}
    assert ran(flat, "b h w c -> b 3", parameters=lambda h, w, c: 3 * h * w * c + 3) == {frozenset({this})}
    assert ran(pointwise, "b 2 3 c -> b 2 3 4") == {frozenset({this})}


# How it is called.


@pytest.mark.parametrize(
    "options, kind, words",
    [
        ({"build": 3}, TypeError, "build must be a function"),
        ({"spec": "b h w c"}, ValueError, "and an arrow"),
        ({"spec": "b h w c -> b h w f"}, ValueError, "params must be what gives f of the spec"),
        (
            {"params": {"filters": 2, "fliters": 3}, "build": wrong_stride},
            TypeError,
            "params must be of what spec or build has, got 'filters', 'fliters'",
        ),
        ({"too_small": "maybe"}, ValueError, "too_small must be one of 'raises' or 'skip', got 'maybe'"),
        ({"least": (1, 2, 3)}, ValueError, "least must be 2 integers of at least 1, got"),
        ({"spec": "b h w c -> b h w -1"}, ValueError, "lacks what stands before it"),
        ({"build": lambda x: 3}, CheckError, "function that returns symbolic tensors"),
    ],
)
def test_bad_arguments(options, kind, words):
    with pytest.raises(kind, match=words):
        check_net(**{"build": wrong_stride, "spec": "b h w c -> b h w 4", **options})


def test_sides_and_params_are_strategies_too():
    seen = []
    check_net(
        lambda x, **given: seen.append((*x.shape[1:], given["filters"])) or conv(x, **given),
        "b h w c -> b h w filters",
        sides=st.sampled_from([8, 16]),
        params=st.fixed_dictionaries({"filters": st.integers(2, 3)}),
        unknown=False,
        max_examples=20,
    )
    assert {size for case in seen for size in case[:2]} == {8, 16}
    assert {case[3] for case in seen} == {2, 3}
    seen.clear()
    check_net(lambda x: seen.append(tuple(x.shape)) or conv(x, 2), "2 h h c -> 2 h h 2", params={"c": 5}, unknown=False)
    assert {(shape[0], shape[3]) for shape in seen} == {(2, 5)} and all(shape[1] == shape[2] for shape in seen)


def test_a_net_is_given_the_arguments_that_it_has():
    """What the spec alone has is of the spec alone."""
    seen = set()

    def net(x, filters):
        seen.add(filters)
        return layers.Conv2D(2 * filters, 1)(x)

    params = {"k": 2, "filters": st.sampled_from([1, 3])}
    check_net(net, "b h w c -> b h w k*filters", params=params, unknown=False, max_examples=4, seed=0)
    assert seen and seen <= {1, 3}


def test_the_profile_says_how_many_examples():
    seen = []
    before = settings().max_examples
    check_net(lambda x: seen.append(1) or conv(x, 2), "b h w c -> b h w 2", unknown=False)
    assert before <= len(seen) <= 2 * before + 3  # the first three twice


@settings(max_examples=3, suppress_health_check=[HealthCheck.nested_given])
@given(st.integers(1, 5))
def test_inside_a_property(filters):
    check_net(conv, "b h w c -> b h w filters", params={"filters": filters}, max_examples=5)


def test_the_smallest_is_that_of_a_plain_search():
    """Hypothesis alone, on the same question, finds no smaller one."""
    case = find(st.tuples(st.integers(1, 96), st.integers(1, 96)), lambda s: s[0] // 2 != -(-s[0] // 2) and s[1] > 5)
    report = smallest(lambda x: layers.MaxPooling2D(2, padding="same")(x), "b h w c -> b h//2 _ c", sides=(1, 96))
    assert case == (1, 6) and report.smallest == "input (None, 1, 1, 1)"
