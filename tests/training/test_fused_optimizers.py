"""`FusedSGD` against Keras's SGD: the same numbers, by one operation for each variable."""

from __future__ import annotations

from collections import Counter

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from layerblocks.training import FusedSGD

from ..agreement import images
from ..helpers import needs_tensorflow


def updated(kind, gradients, **options):
    """A variable and its momentum after some gradients."""
    start = np.linspace(-1, 1, gradients[0].size, dtype="float32").reshape(gradients[0].shape)
    variable = keras.Variable(start)
    optimizer = kind(**options)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return [keras.ops.convert_to_numpy(weight) for weight in (variable, *optimizer.variables)]


@settings(max_examples=10)
@given(
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    nesterov=st.booleans(),
    options=st.sampled_from([{}, {"weight_decay": 0.1}, {"clipnorm": 0.5}, {"gradient_accumulation_steps": 2}]),
    seed=st.integers(0, 99),
)
def test_it_computes_what_kerass_own_does(momentum, nesterov, options, seed):
    gradients = list(images(3, 2, 5, seed=seed).astype("float32"))
    given = {"learning_rate": 0.1, "momentum": momentum, "nesterov": nesterov, **options}
    ours, theirs = (updated(kind, gradients, **given) for kind in (FusedSGD, keras.optimizers.SGD))
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def model():
    x = keras.Input((3,))
    return keras.Model(x, layers.Dense(2)(layers.Embedding(9, 4)(x[:, 0])))


def compiled(optimizer):
    keras.utils.set_random_seed(1)
    made = model()
    made.compile(optimizer, "mse")
    return made


@pytest.mark.parametrize("rate", [0.1, keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)])
def test_a_network_trains_as_before_with_sparse_gradients_and_schedules(rate):
    x, y = np.arange(12).reshape(4, 3) % 9, images(4, 2)
    made = [compiled(kind(rate, momentum=0.9)) for kind in (FusedSGD, keras.optimizers.SGD)]
    losses = [[float(each.train_on_batch(x, y)) for _ in range(4)] for each in made]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_saved_and_loaded_it_goes_on(tmp_path):
    made = compiled(FusedSGD(0.1, momentum=0.9, nesterov=True))
    x, y = np.ones((4, 3), "int32"), images(4, 2)
    made.train_on_batch(x, y)
    made.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    assert type(loaded.optimizer) is FusedSGD and loaded.optimizer.get_config() == made.optimizer.get_config()
    losses = [[float(each.train_on_batch(x, y)) for _ in range(2)] for each in (made, loaded)]
    np.testing.assert_allclose(*losses, rtol=1e-6)


@needs_tensorflow
def test_an_update_is_one_operation():
    from tensorflow import TensorSpec, function

    x = keras.Input((3,))
    made = keras.Model(x, layers.Dense(2)(layers.Dense(4)(x)))

    def operations(optimizer):
        made.compile(optimizer, "mse")
        optimizer.build(made.trainable_variables)
        graph = function(made.train_step).get_concrete_function((TensorSpec((2, 3)), TensorSpec((2, 2)))).graph
        return Counter(operation.type for operation in graph.get_operations())

    fused, plain = (operations(kind(0.1, momentum=0.9)) for kind in (FusedSGD, keras.optimizers.SGD))
    assert fused["ResourceApplyKerasMomentum"] == 4 and not plain["ResourceApplyKerasMomentum"]
    assert plain["AssignAddVariableOp"] - fused["AssignAddVariableOp"] == 4
    assert sum(fused.values()) < sum(plain.values())
