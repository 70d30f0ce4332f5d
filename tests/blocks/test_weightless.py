"""`weightless()` allocates nothing, and leaves nothing behind that would."""

from __future__ import annotations

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
def test_clear_session_inside_is_an_error(depth):
    def build(depth):
        with weightless():
            build(depth - 1) if depth else keras.backend.clear_session()

    with pytest.raises(RuntimeError, match=r"weightless: keras\.backend\.clear_session\(\) was called inside"):
        build(depth)
    assert allocated(small()) == {True}


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
