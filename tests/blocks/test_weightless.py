"""`weightless()` allocates nothing, and leaves nothing behind that would."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import googlenet, vgg16
from layerblocks.blocks import classifier, conv_bn, dense, weightless

from ..helpers import dear, images


def small():
    x = keras.Input((8, 8, 3))
    return keras.Model(x, classifier(conv_bn(x, 4), 2, dropout=0.5))


def allocated(model):
    """Whether each variable holds a value; Keras draws one anew for whoever reads a variable that has none."""
    return {variable._value is not None for variable in model.variables}


def test_nothing_is_allocated():
    with weightless():
        model = small()
    assert allocated(model) == {False}
    assert model.count_params() == small().count_params()


def test_sizes_beyond_any_memory():
    with weightless():
        x = keras.Input((10**6,))
        model = keras.Model(x, dense(x, 10**6))
    assert model.count_params() == 10**12 + 10**6


def test_structure_is_all_there():
    with weightless():
        model = googlenet(classes=10)
    assert model.compute_output_shape((2, 224, 224, 3)) == dict.fromkeys(("main", "aux1", "aux2"), (2, 10))
    with weightless():
        clone = keras.models.model_from_json(model.to_json())
    assert [layer.name for layer in clone.layers] == [layer.name for layer in model.layers]
    lines = []
    model.summary(print_fn=lines.append)
    assert "inception_3a" in "\n".join(lines)


def test_an_ordinary_model_built_afterwards_works_and_trains():
    with weightless():
        vgg16()
    model = small()
    assert allocated(model) == {True}
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    before = [weight.copy() for weight in model.get_weights()]
    model.fit(images(4, 8, 8, 3), np.array([0, 1, 0, 1]), verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_models_are_not_allocated_by_an_ordinary_scope_that_ends_later():
    with weightless():
        model = small()
    with keras.StatelessScope():
        small()
    assert allocated(model) == {False}


def test_a_model_made_before_is_not_touched():
    model = small()
    before = model.get_weights()
    with weightless():
        small()
        inside = model(images(1, 8, 8, 3))
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    np.testing.assert_array_equal(inside, model(images(1, 8, 8, 3)))


def test_variables_that_wait_outside_are_neither_allocated_nor_lost():
    with keras.StatelessScope():
        waiting = small()
        with weightless():
            model = small()
        assert allocated(waiting) == {False}
    assert allocated(waiting) == {True}
    assert allocated(model) == {False}


def test_nested():
    with weightless():
        with weightless():
            inner = small()
        outer = small()
    assert allocated(inner) == allocated(outer) == {False}
    assert allocated(small()) == {True}


@dear
@given(st.lists(st.sampled_from(["build", "open", "close", "fail"]), max_size=8))
def test_any_order_of_building_and_nesting(steps):
    models: list[tuple[keras.Model, bool]] = []

    def walk(depth):
        while steps:
            step = steps.pop(0)
            if step == "build":
                models.append((small(), depth > 0))
            elif step == "open":
                try:
                    with weightless():
                        walk(depth + 1)
                except KeyError:
                    pass
            elif depth and step == "close":
                return
            elif depth:
                raise KeyError

    walk(0)
    models.append((small(), False))
    assert [allocated(model) == {False} for model, _ in models] == [empty for _, empty in models]


def test_an_exception_passes_and_leaves_nothing_behind():
    with pytest.raises(KeyError, match="mine"), weightless():
        model = small()
        raise KeyError("mine")
    assert allocated(model) == {False}
    assert allocated(small()) == {True}


@pytest.mark.parametrize("depth", [1, 2])
def test_clear_session_inside_changes_nothing(depth):
    made = []

    def build(depth):
        with weightless():
            if depth:
                build(depth - 1)
            else:
                keras.backend.clear_session()
            made.append(small())

    build(depth)
    assert set.union(*map(allocated, made)) == {False}
    assert allocated(small()) == {True}


def test_compile_inside():
    with weightless():
        model = small()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert allocated(model) == {False} and model.optimizer is not None
    after = small()
    after.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    after.fit(images(2, 8, 8, 3), np.array([0, 1]), verbose=0)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_scopes_that_end_in_any_order(order):
    """As generator fixtures do."""

    def fixture():
        with weightless():
            yield

    original = vars(keras.Variable).get("_initialize_with_initializer")
    opened = [fixture() for _ in order]
    for generator in opened:
        next(generator)
    for number in order:
        assert allocated(small()) == {False}
        next(opened[number], None)
    assert allocated(small()) == {True}
    assert vars(keras.Variable).get("_initialize_with_initializer") is original


def test_tasks_that_overlap():
    async def task(before, after, made):
        await asyncio.sleep(before)
        with weightless():
            await asyncio.sleep(after)
            made.append(allocated(small()))
        made.append(allocated(small()))

    async def plain(made):
        await asyncio.sleep(0.02)
        made.append(allocated(small()))

    async def main():
        made = [[], [], []]
        await asyncio.gather(task(0, 0.03, made[0]), task(0.01, 0.06, made[1]), plain(made[2]))
        return made

    assert asyncio.run(main()) == [[{False}, {True}], [{False}, {True}], [{True}]]
    assert allocated(small()) == {True}


def test_a_scope_that_ends_in_another_context_ends_for_all_that_inherited_it():
    scope = weightless()
    scope.__enter__()
    inherited = contextvars.copy_context()
    assert inherited.run(lambda: allocated(small())) == {False}
    inherited.run(scope.__exit__, None, None, None)
    assert allocated(small()) == inherited.run(lambda: allocated(small())) == {True}


def test_threads_that_overlap():
    opened, closed = threading.Barrier(2), threading.Barrier(2)
    made = {}

    def work(first):
        with weightless():
            opened.wait(30)
            if first:
                made["first", "inside"] = allocated(small())
        if first:
            made["first", "after"] = allocated(small())
        closed.wait(30)

    def second():
        with weightless():
            opened.wait(30)
            closed.wait(30)
            made["second", "inside"] = allocated(small())
        made["second", "after"] = allocated(small())

    threads = [threading.Thread(target=work, args=(True,)), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == {
        ("first", "inside"): {False},
        ("first", "after"): {True},
        ("second", "inside"): {False},
        ("second", "after"): {True},
    }


def test_other_threads_are_not_weightless():
    made = {}

    def work():
        made["thread"] = small()

    with weightless():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        made["here"] = small()
    assert (allocated(made["thread"]), allocated(made["here"])) == ({True}, {False})


def test_as_a_decorator():
    assert allocated(weightless()(small)()) == {False}
