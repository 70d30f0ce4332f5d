"""Strategies: what they give, what they shrink to, and that their errors name the argument."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import keras
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from layerblocks import blocks
from layerblocks.blocks import batch_norm, block, conv, weightless
from layerblocks.blocks.types import Activation, Norm, Padding, Shortcut, Size, Unit
from layerblocks.testing import block_kwargs, image_shapes, networks, tensors, units
from layerblocks.testing.annotations import from_annotation
from layerblocks.testing.code import Written, code_of
from layerblocks.testing.random_blocks import chain, piece
from layerblocks.testing.random_networks import Network

from ..helpers import data_format, seconds


@dataclass(frozen=True)
class Ge:
    ge: float


@dataclass(frozen=True)
class Le:
    le: float


@dataclass(frozen=True)
class MultipleOf:
    multiple_of: int


class Interval:
    """As `annotated_types` groups its constraints."""

    __is_annotated_types_grouped_metadata__ = True

    def __iter__(self):
        yield from (Ge(3), Le(5))


@dataclass(frozen=True)
class Len:
    min_length: int
    max_length: int


def smallest(strategy, condition=lambda value: True):
    return find(strategy, condition, settings=settings(max_examples=2000, deadline=None))


# Shapes and tensors.


@given(image_shapes(min_side=5, max_side=9, channels=st.sampled_from([1, 3])))
def test_image_shapes(shape):
    *sides, channels = shape
    assert all(5 <= side <= 9 for side in sides) and channels in (1, 3)


@given(image_shapes(rank=st.integers(1, 3), channels=3))
def test_shapes_of_signals_images_and_volumes(shape):
    assert 2 <= len(shape) <= 4 and shape[-1] == 3


@pytest.mark.parametrize("shape", [(9, 3), (6, 5, 4, 2)])
def test_networks_of_signals_and_volumes_are_what_their_oracles_say(shape):
    nets = []

    @settings(max_examples=8, deadline=None, database=None)
    @given(networks(shape=shape, max_calls=8))
    def check(net):
        model, said = net.model(), net.expected()
        outputs = model.output if isinstance(model.output, dict) else {"": model.output}
        shapes = {role: tuple(output.shape[1:]) for role, output in outputs.items()}
        assert (shapes if len(shapes) > 1 else shapes.popitem()[1]) == said.shape
        if said.parameters is not None:
            assert model.count_params() == said.parameters
        nets.append(len(net.calls))

    check()
    assert len(nets) >= 8 and max(nets) > 1


def test_image_shapes_reach_their_ends_and_shrink_to_the_smallest():
    shapes = image_shapes(min_side=2, max_side=40)
    assert smallest(shapes) == (2, 2, 1)
    assert smallest(shapes, lambda shape: shape[0] == 40)[0] == 40


@given(image_shapes(unknown=st.booleans()), st.data())
def test_unknown_sides_and_other_data_formats(shape, data):
    assert len(shape) == 3 and shape[2] is not None
    with data_format("channels_first"):
        assert None not in data.draw(image_shapes(channels=2), label="shape")
        assert data.draw(image_shapes(channels=2, unknown=True), label="shape") == (2, None, None)


@given(tensors(image_shapes(max_side=4, unknown=st.booleans()), dtype=st.sampled_from(["float32", "float16"])))
def test_tensors(x):
    assert isinstance(x, keras.KerasTensor) and len(x.shape) == 4
    assert x.dtype in ("float32", "float16")


def test_tensors_of_a_given_shape():
    assert smallest(tensors((7, None, 3))).shape == (None, 7, None, 3)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: image_shapes(min_side=0), "image_shapes: min_side must be a positive integer, got 0"),
        (lambda: image_shapes(max_side="9"), "image_shapes: max_side must be a positive integer, got '9'"),
        (
            lambda: image_shapes(min_side=5, max_side=4),
            "image_shapes: max_side must be at least min_side, which is 5, got 4",
        ),
        (lambda: image_shapes(channels=-1), "image_shapes: channels must be"),
        (lambda: image_shapes(rank=4), "image_shapes: rank must be 1, 2 or 3, got 4"),
        (lambda: image_shapes(rank=0), "image_shapes: rank must be a positive integer, got 0"),
        (lambda: tensors(7), "tensors: shape must be a shape"),
        (lambda: units(padding="smae"), "units: padding must be"),
        (lambda: networks(depth=-1), "networks: depth must be an integer of at least 0, got -1"),
        (lambda: networks(max_calls=0), "networks: max_calls must be"),
        (lambda: networks(shape=(3,)), "networks: shape must be height, width and channels"),
    ],
)
def test_errors_name_the_argument(make, words):
    with pytest.raises(InvalidArgument) as caught:
        make()
    assert words in str(caught.value)


# Arguments from annotations.


@pytest.mark.parametrize(
    "annotation, holds",
    [
        (Annotated[int, Ge(1), Le(8)], lambda value: 1 <= value <= 8),
        (Annotated[int, Interval()], lambda value: 3 <= value <= 5),
        (Annotated[int, Ge(1), MultipleOf(4)], lambda value: value >= 4 and value % 4 == 0),
        (Annotated[float, Ge(0.5), Le(0.75)], lambda value: 0.5 <= value <= 0.75),
        (Annotated[list[int], Len(2, 2)], lambda value: len(value) == 2),
        (Annotated[int, st.just(17)], lambda value: value == 17),
        (int, lambda value: 1 <= value <= 8),
        (float, lambda value: 0 <= value < 1),
        (bool, lambda value: value in (True, False)),
        (Literal["same", "valid"], lambda value: value in ("same", "valid")),
        (int | None, lambda value: value is None or 1 <= value <= 8),
        (tuple[int, int], lambda value: len(value) == 2),
        (tuple[int, ...], lambda value: 1 <= len(value) <= 3),
        (Size, lambda value: isinstance(value, int) or len(value) == 2),
        (Padding, lambda value: isinstance(value, str | int | tuple)),
        (Padding | None, lambda value: value is None or isinstance(value, str | int | tuple)),
        (Activation, lambda value: value is None or isinstance(value, str)),
        (Unit, callable),
        (Norm | None, lambda value: value is None or callable(value)),
        (Shortcut, callable),
    ],
)
def test_annotations(annotation, holds):
    @given(from_annotation(annotation))
    def test(value):
        assert holds(value)

    test()


@dataclass(frozen=True)
class Between:
    """Without its ends."""

    gt: float
    lt: float


@pytest.mark.parametrize(
    "annotation, values",
    [
        (Annotated[int, Between(2, 5)], {3, 4}),
        (Annotated[int, Ge(3), Le(13), MultipleOf(4)], {4, 8, 12}),
        (Annotated[float, Ge(0.5), Le(0.5)], {0.5}),
        (Annotated[float, Between(1.0, 1.0 + 2**-22)], {1.0 + 2**-23}),
    ],
)
def test_the_ends_of_what_is_bounded(annotation, values):
    """Each value is drawn, and no other one."""
    seen = set()

    @settings(max_examples=100)
    @given(from_annotation(annotation))
    def test(value):
        seen.add(value)

    test()
    assert seen == values


def test_an_annotation_that_says_nothing():
    with pytest.raises(
        InvalidArgument, match=r"annotation must be a type that says which values, got <class 'object'>"
    ):
        from_annotation(object)


def tower(x, filters: Annotated[int, Ge(2), Le(4)], kind: Literal["max", "avg"], *, depth: int = 2, name=None):
    for _ in range(depth):
        x = conv(x, filters)
    return blocks.max_pool(x) if kind == "max" else blocks.avg_pool(x)


@given(tensors(), block_kwargs(tower))
def test_a_function_of_the_user(x, arguments):
    with weightless():
        y = tower(x, **arguments)
    assert y.shape == (None, -(-x.shape[1] // 2), -(-x.shape[2] // 2), arguments["filters"])


def test_arguments_shrink_to_the_defaults():
    assert smallest(block_kwargs(tower)) == {"filters": 2, "kind": "max"}
    assert smallest(block_kwargs(tower, depth=1, filters=st.just(3))) == {"kind": "max", "depth": 1, "filters": 3}
    assert smallest(block_kwargs(tower, depth=st.nothing()), lambda given: True) == {"filters": 2, "kind": "max"}


def test_what_is_bound_or_decorated_or_callable_otherwise():
    assert smallest(block_kwargs(partial(tower, filters=3), kind="avg"))["kind"] == "avg"
    assert smallest(block_kwargs(block(tower_without_name))) == {"filters": 1}

    class Net:
        def __call__(self, x, width: int):
            return conv(x, width)

    assert smallest(block_kwargs(Net())) == {"width": 1}


def tower_without_name(x, filters: int):
    return conv(x, filters)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: block_kwargs(lambda x, y: x), "'y', whose annotation is missing and says nothing of its values"),
        (lambda: block_kwargs(odd), "odd needs 'codec', whose annotation object says nothing"),
        (lambda: block_kwargs(tower, nonsense=1), "tower has no argument 'nonsense'; it has x, filters"),
        (lambda: block_kwargs(3), "block must be a function whose signature can be read, got 3"),
        (lambda: block_kwargs(empty), "empty, 'filters': no integer from 5 to 4"),
    ],
)
def test_what_the_annotations_do_not_say(make, words):
    with pytest.raises(InvalidArgument) as caught:
        make()
    assert str(caught.value).startswith("block_kwargs: ")
    assert words in str(caught.value)


def odd(x, codec: object): ...


def empty(x, filters: Annotated[int, Ge(5), Le(4)]): ...


@pytest.mark.parametrize("name", chain())
def test_every_block_of_ours_can_be_drawn(name):
    """No annotation of ours needs an override to be understood, but for a few of its values."""
    made = 0

    @given(piece(name).arguments, tensors(image_shapes(min_side=8, max_side=12, channels=4)))
    @settings(max_examples=15)
    def test(arguments, x):
        nonlocal made
        with weightless():
            try:
                getattr(blocks, name)(x, **arguments)
                made += 1
            except ValueError as error:
                assert "must be" in str(error)

    test()
    assert made > 1


# Units.


@given(units(), tensors(image_shapes(max_side=5)), st.integers(1, 5))
def test_units(unit, x, filters):
    with weightless():
        assert unit(x, filters).shape == (None, *x.shape[1:3], filters)
    assert eval(code_of(unit), {"partial": Written, **vars(blocks)}) == unit or callable(unit)


def test_units_of_a_kind():
    @given(units(norm=batch_norm, activation=st.just("gelu")))
    def test(unit):
        words = getattr(unit, "keywords", {})
        assert words.get("norm", batch_norm) is batch_norm and words.get("activation", "gelu") == "gelu"

    test()
    assert smallest(units()) is conv


# Types that resolve by themselves.


def test_types_resolve():
    assert smallest(st.from_type(keras.KerasTensor)).shape == (None, 1, 1, 1)
    assert smallest(st.from_type(Unit)) is conv
    assert isinstance(smallest(st.from_type(Network)), Network)


@pytest.mark.sweep
def test_hypothesis_starts_without_keras():
    code = (
        "import sys, hypothesis.strategies as st\n"
        "from layerblocks.testing.registration import register\n"
        "register(); register()\n"
        "assert 'keras' not in sys.modules and 'layerblocks.blocks' not in sys.modules\n"
        "import keras\n"
        "assert 'layerblocks.blocks' not in sys.modules\n"
        "assert keras.__spec__.loader is keras.__loader__\n"
        "st.from_type(keras.KerasTensor).validate()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=seconds(120))


# Code.


@pytest.mark.parametrize("value", [3, "x", (1,), [1, (2, 3)], {"a": (1, None)}, True])
def test_code_of_values(value):
    assert eval(code_of(value)) == value


def test_written_partials():
    unit = Written(conv, norm=batch_norm, kernel_size=(1, 3))
    assert repr(unit) == "partial(conv, norm=batch_norm, kernel_size=(1, 3))"
    assert unit == partial(conv, norm=batch_norm, kernel_size=(1, 3)) and hash(unit) == hash(eval(repr(unit), SCOPE))
    assert unit != conv


SCOPE = {"partial": Written, **vars(blocks)}
