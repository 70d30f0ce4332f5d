"""Canaries: the undocumented corners of Keras that `layerblocks._keras` stands on are still what they were.

A failure here means that Keras has changed, and says what of ours rests on it.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras.src.ops import function

from layerblocks import _keras

from ..helpers import needs_tensorflow

SEEN = f"seen in Keras 3.15.1, not in {keras.__version__}"


@pytest.mark.parametrize("method", ["_initialize_with_initializer", "_direct_assign"])
def test_a_variable_has_the_methods_that_weightless_replaces(method):
    assert callable(getattr(keras.Variable, method, None)), f"weightless() replaces keras.Variable.{method}, {SEEN}"


def test_a_variable_is_given_its_value_by_that_method_and_can_do_without():
    with _keras.variables_without_values():
        variable = keras.Variable("zeros", shape=(3,))
    assert not _keras.is_allocated(variable), f"weightless() leaves Variable._value None, {SEEN}"
    assert tuple(variable.shape) == tuple(np.shape(variable)) == (3,), (
        f"such a variable is read as its initialiser, {SEEN}"
    )
    assert _keras.is_allocated(keras.Variable("zeros", shape=(3,)))


def test_variables_of_a_stateless_scope_wait_in_a_list_that_weightless_keeps_out_of():
    with keras.StatelessScope():
        waiting = keras.Variable("zeros", shape=(3,))
        with _keras.variables_without_values():
            variable = keras.Variable("zeros", shape=(3,))
        assert not _keras.is_allocated(waiting)
    assert _keras.is_allocated(waiting), f"Keras allocates what waits at the end of a StatelessScope, {SEEN}"
    assert not _keras.is_allocated(variable), f"weightless() replaces variables.register_uninitialized_variable, {SEEN}"


def test_the_scope_that_is_open_can_be_asked_for():
    assert not _keras.is_weightless()
    with keras.StatelessScope():
        assert _keras.is_weightless(), f"global attribute {_keras._STATELESS!r}, {SEEN}"
    assert not _keras.is_weightless()


def test_the_search_of_a_graph_gives_what_that_of_keras_gives():
    x, z = keras.Input((4, 4, 2), name="x"), keras.Input((4, 4, 2), name="z")
    shared = keras.layers.Conv2D(2, 1)
    y = shared(x) + shared(z)
    y = keras.layers.Concatenate()([shared(y), y * 2.0, x])
    for inputs, outputs in (([x, z], [y]), ([x, z], [y, shared(x)]), ([y], [keras.ops.relu(y)])):
        expected = function._build_map(inputs, outputs)
        original = function._build_map_helper
        with _keras.deep_graphs():
            assert function._build_map_helper is not original, f"deep_graphs replaces it, {SEEN}"
            assert function._build_map(inputs, outputs) == expected, f"the same nodes in the same order, {SEEN}"
        assert function._build_map_helper is original


def test_another_keras_is_warned_of_once(monkeypatch):
    monkeypatch.setattr(_keras, "_warned", [])
    monkeypatch.setattr(keras, "__version__", "4.1.0")
    with pytest.warns(
        UserWarning, match=r"^layerblocks was tested on Keras 3\.15\.\*, not on 4\.1\.0: [^\n]*$"
    ) as caught:
        for _ in range(3):
            with _keras.deep_graphs():
                pass
    assert len(caught) == 1


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
def test_every_layer_and_operation_is_named_by_operation_init(make):
    seen = []
    with _keras.operations_named(lambda name, operation: seen.append(operation) or name):
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


def test_sgd_keeps_the_momentum_of_a_variable_at_its_index():
    optimizer = keras.optimizers.SGD(0.5, momentum=0.9)
    variables = [keras.Variable([1.0]), keras.Variable([1.0])]
    optimizer.apply([keras.ops.zeros(1), keras.ops.ones(1)], variables)
    kept = [float(np.asarray(_keras.momentum_of(optimizer, variable))[0]) for variable in variables]
    assert kept == [0.0, -0.5], f"SGD has momentums in the order of _get_variable_index, {SEEN}"


def test_an_optimizer_that_accumulates_counts_batches_and_asks_its_schedule_by_them():
    """What `_keras.applying_at_once` makes up for: `iterations` are updates, the schedule goes by batches."""
    schedule = keras.optimizers.schedules.PolynomialDecay(100.0, 100, 0.0)  # 100 less what it is asked for
    optimizer = keras.optimizers.SGD(schedule, gradient_accumulation_steps=3)
    optimizer.build([keras.Variable(0.0)])
    with _keras.applying_at_once(optimizer):
        batches = optimizer.iterations
        batches.assign(4)
        assert int(optimizer.iterations) == 4
        assert float(optimizer.learning_rate) == 100 - (4 * 3 + 2)
    assert optimizer.gradient_accumulation_steps == 3 and int(optimizer.iterations) == 4 // 3
    assert float(optimizer.learning_rate) == 100 - 4


def test_backup_and_restore_leaves_the_epoch_with_the_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    assert _keras.restored_epoch(model) is None
    for epochs in (1, 2):
        callback = keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        model.fit(np.zeros((2, 3)), np.zeros((2, 2)), epochs=epochs, callbacks=[callback], verbose=0)
    assert _keras.restored_epoch(model) == 1, f"fit_distributed goes on from there, {SEEN}"


def test_an_average_has_its_function_and_arguments():
    def own(labels, predictions, power=1):
        return keras.ops.mean(predictions**power, -1)

    found = _keras.averaged(keras.metrics.MeanMetricWrapper(own, power=2))
    assert (found.func, found.keywords) == (own, {"power": 2}), f"metrics of logits are told by it, {SEEN}"
    assert _keras.averaged(metric := keras.metrics.BinaryAccuracy()) is metric


def test_a_configuration_is_asked_for_without_importing_tensorflow():
    code = (
        "import sys, keras; from layerblocks import _keras\n"
        "config = _keras.config_of(keras.layers.MultiHeadAttention(2, 8))\n"
        "assert config['num_heads'] == 2 and config['dtype']['config'] == {'name': 'float32'}\n"
        "assert keras.backend.backend() == 'tensorflow' or 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"serialization_lib.tf is replaced, {SEEN}: {done.stderr}"


def test_classes_of_keras_have_the_modules_that_their_public_names_are_made_of():
    kinds = (keras.layers.Conv2D, keras.Sequential, type(_keras.call_of(keras.ops.abs(keras.Input((1,)))).operation))
    assert [*map(_keras.public_name, kinds)] == ["keras.layers.Conv2D", "keras.models.Sequential", "keras.ops.Absolute"]
