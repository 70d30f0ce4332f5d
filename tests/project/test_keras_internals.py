"""Canaries: the undocumented corners of Keras that `blocks/_keras.py` stands on are still what they were.

A failure here means that Keras has changed, and says what of ours rests on it.
"""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras.src.backend.common import global_state

from layerblocks import _keras
from layerblocks.blocks import weightless

from ..helpers import needs_tensorflow

SEEN = f"seen in Keras 3.15.1, not in {keras.__version__}"


def pending():
    return global_state.get_global_attribute(_keras._PENDING)


def test_stateless_scope_takes_initialize_variables():
    assert "initialize_variables" in inspect.signature(keras.StatelessScope).parameters, (
        f"weightless() needs keras.StatelessScope(initialize_variables=False), {SEEN}"
    )


def test_a_variable_of_such_a_scope_has_no_value():
    held = _keras.swap_pending_variables([])
    try:
        with keras.StatelessScope(initialize_variables=False):
            variable = keras.Variable("zeros", shape=(3,))
        assert variable._value is None, f"weightless() needs a scope that leaves Variable._value None, {SEEN}"
        assert tuple(variable.shape) == (3,)
    finally:
        _keras.swap_pending_variables(held)


def test_such_variables_wait_in_a_global_list_that_the_next_ordinary_scope_allocates():
    held = _keras.swap_pending_variables([])
    try:
        with keras.StatelessScope(initialize_variables=False):
            variable = keras.Variable("zeros", shape=(3,))
        assert any(waiting is variable for waiting in pending()), (
            f"weightless() sets the global list {_keras._PENDING!r} aside, {SEEN}"
        )
        with keras.StatelessScope():
            pass
        assert variable._value is not None, f"weightless() guards against that list being allocated, {SEEN}"
    finally:
        _keras.swap_pending_variables(held)


def test_swapping_that_list_gives_the_old_one_back():
    mine: list[object] = []
    held = _keras.swap_pending_variables(mine)
    assert pending() is mine, f"the global attribute {_keras._PENDING!r} is the list itself, {SEEN}"
    assert _keras.swap_pending_variables(held) is mine


def test_the_scope_that_is_open_can_be_asked_for():
    assert _keras.current_stateless_scope() is None
    with keras.StatelessScope() as scope:
        assert _keras.current_stateless_scope() is scope, f"global attribute {_keras._SCOPE!r}, {SEEN}"
    assert _keras.current_stateless_scope() is None


def test_clear_session_ends_the_scope_unseen():
    with keras.StatelessScope():
        keras.backend.clear_session()
        assert _keras.current_stateless_scope() is None, f"weightless() reports this case, {SEEN}"


def test_weightless_leaves_the_pending_list_as_it_was():
    before = pending()
    with weightless():
        keras.Variable("zeros", shape=(3,))
    assert pending() is before or pending() == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.ReLU(),
        lambda: keras.layers.Conv2D(2, 3),
        lambda: keras.Sequential(),
        lambda: keras.Input((3,)),
        lambda: keras.Input((3,)) + 1.0,
        lambda: keras.ops.concatenate([keras.Input((3,)), keras.Input((3,))]),
        lambda: type("Mine", (keras.Layer,), {})(),
    ],
)
def test_every_layer_and_operation_is_named_by_operation_init(make, monkeypatch):
    seen = []
    # Through the class, as the blocks do it: restored afterwards.
    monkeypatch.setattr(keras.Operation, "__init__", keras.Operation.__init__)
    _keras.name_operations(lambda name, kind: seen.append(kind) or name)
    make()
    assert seen, f"@block names layers and keras.ops nodes in keras.Operation.__init__, {SEEN}"


def test_operation_init_keeps_its_signature():
    assert list(inspect.signature(keras.Operation.__init__).parameters) == ["self", "name"], (
        f"Keras reads it to serialise operations, {SEEN}"
    )


def test_an_operation_serialises_its_own_arguments_still():
    class Scale(keras.Operation):
        def __init__(self, factor, *, name=None):
            super().__init__(name=name)
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    assert Scale(3, name="s").get_config() == {"factor": 3, "name": "s"}


@needs_tensorflow
def test_wanted_scope_names_are_those_tensorflow_takes():
    """Why names are refused: Keras hands a layer's name to TensorFlow, which takes ASCII words only."""
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.ReLU(name="3×3")(x))
    with ThreadPoolExecutor() as aside, pytest.raises(ValueError, match="scope name"):
        # Keras leaves its own scopes open when this fails, which are a thread's.
        aside.submit(model.predict, np.ones((1, 3)), verbose=0).result()


def test_a_compiled_model_makes_the_variables_of_its_metrics_and_optimizer_when_told():
    model = keras.Model(x := keras.Input((3,)), {"main": keras.layers.Dense(2)(x), "aux": keras.layers.Dense(2)(x)})
    model.compile("adam", {"main": "mse", "aux": "mse"}, metrics={"main": ["mae"], "aux": ["mae"]})
    outputs = {"main": np.zeros((1, 2)), "aux": np.zeros((1, 2))}
    _keras.build_compiled(model, (np.zeros((1, 3)), outputs))
    assert model.optimizer.built, f"fit_distributed builds all before the graph is traced, {SEEN}"
    trackers = _keras.loss_trackers(model)
    assert [metric.name for metric in trackers] == ["main_loss", "aux_loss"], (
        f"fit_distributed knows by Model._compile_loss.metrics which metrics are losses, {SEEN}"
    )
    assert {id(metric) for metric in trackers} <= {id(metric) for metric in model.metrics}
    assert sum(len(metric.variables) for metric in model.metrics) == 2 + 2 * 2 + 2 * 2  # loss, losses and metrics


def test_backup_and_restore_leaves_the_epoch_with_the_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    assert _keras.restored_epoch(model) is None
    for epochs in (1, 2):
        callback = keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        model.fit(np.zeros((2, 3)), np.zeros((2, 2)), epochs=epochs, callbacks=[callback], verbose=0)
    assert _keras.restored_epoch(model) == 1, f"fit_distributed goes on from there, {SEEN}"
