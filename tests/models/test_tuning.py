"""What is chosen by measurement, what is remembered of it, and training in bfloat16; no time is asserted."""

from __future__ import annotations

import importlib
import random
from collections import Counter

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks.blocks import FusedBatchNormalization
from layerblocks.models import Tuning, training_model, tuning
from layerblocks.models.computed import digest

from ..agreement import images, randomize, run
from ..helpers import needs_half, needs_tensorflow

here = importlib.import_module("layerblocks.models.tuning")
layers_of_ours = importlib.import_module("layerblocks.blocks.layers")
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(here, "PAIRS", 4)
    monkeypatch.setattr(layers_of_ours, "LEAST_FOR_KERNEL", 1)  # one kernel normalizes small images, too
    return tmp_path / "layerblocks" / "tuning"


def small(**options):
    x = keras.Input((8, 8, 3))
    y = layers.ReLU()(layers.BatchNormalization(name="norm", **options)(layers.Conv2D(4, 3, name="conv")(x)))
    y = layers.GlobalAveragePooling2D()(y)
    y = layers.Dense(3, name="dense")(layers.Dropout(0.1)(y))
    return randomize(keras.Model(x, layers.Softmax(name="softmax")(y)))


MODEL = small()


@pytest.fixture
def measured(monkeypatch):
    """Times by what each candidate is, in the place of the clock; which steps were measured, in order."""
    asked: list[str] = []
    takes: dict[str, list[float]] = {}
    steps = {}

    def step(model, batch):
        norm = type(model.get_layer("norm")) is FusedBatchNormalization
        words = ["fused_norm"] * norm + ["no_idle_bias"] * (not model.get_layer("conv").use_bias)
        policy = model.get_layer("conv").dtype_policy.name
        steps[id(found := object())] = ", ".join([*words, *[policy] * (policy != "float32")])
        return found

    def in_turn(works, runs, *, warm):
        name = steps[id(works["own"])]
        asked.append(name)
        return {"reference": [2.0] * runs, "own": (takes.get(name, [2.5]) * runs)[:runs]}

    monkeypatch.setattr(here, "_step", step)
    monkeypatch.setattr(here, "in_turn", in_turn)
    return asked, takes


QUICK = "no_idle_bias"


def test_the_quickest_is_chosen_and_made(measured):
    asked, takes = measured
    takes |= {QUICK: [1.0], "mixed_bfloat16": [1.5]}
    found = tuning(MODEL, batch=2, dtype="mixed_bfloat16")
    assert found.chosen == QUICK and found.gains[QUICK] == 2 and found.gains["as it is"] == 1
    assert Counter(asked) == {name: 1 + (name in takes) for name in found.pairs}  # what is ahead is measured again
    words = {word for name in found.pairs for word in name.split(", ")}
    assert words == {QUICK, "mixed_bfloat16", *["fused_norm"] * ON_TENSORFLOW}
    assert len(found.pairs) == 2 ** len(words) - 1
    quick = training_model(MODEL, batch=2, dtype="mixed_bfloat16", tune=True)
    assert not quick.get_layer("conv").use_bias and quick.get_layer("conv").dtype_policy.name == "float32"
    assert type(quick.get_layer("norm")) is layers.BatchNormalization
    assert "no_idle_bias: 1 s, 2.00 times as quick in the median of 8 pairs, chosen" in str(found)


@pytest.mark.parametrize("times", [[2.5], [2.0], [1.0, 3.0], [1.0, 1.0, 1.0, 3.0, 3.0]])
def test_what_is_not_ahead_in_three_quarters_of_the_pairs_is_left(measured, times):
    measured[1].update({QUICK: times})
    found = tuning(MODEL, batch=2)
    assert found.chosen == ("as it is" if len(times) != 5 else QUICK)  # of which the first four alone are seen
    kept = training_model(MODEL, batch=2, tune=True)
    assert kept.get_layer("conv").use_bias == (len(times) != 5)
    np.testing.assert_allclose(run(kept, x := images(2, 8, 8, 3)), run(MODEL, x), rtol=1e-4)


def test_what_was_measured_is_remembered_by_all_that_it_depends_on(measured, cache):
    asked, _ = measured
    first = tuning(MODEL, batch=2)
    number = len(asked)
    again = tuning(small(), batch=2)  # made anew
    assert (first.remembered, again.remembered) == (False, True) and again.pairs == first.pairs
    assert len(asked) == number and len(list(cache.iterdir())) == 1
    frozen = small()
    frozen.get_layer("dense").trainable = False
    for others in ({"batch": 3}, {"batch": 2, "model": frozen}, {"batch": 2, "model": small(center=False)}):
        assert not tuning(**{"model": MODEL, **others}).remembered
    assert len(list(cache.iterdir())) == 4
    assert not tuning(MODEL, batch=2, dtype="mixed_bfloat16").remembered  # which was not measured yet
    assert len(list(cache.iterdir())) == 4
    assert tuning(MODEL, batch=2, dtype="mixed_bfloat16").remembered


def test_other_settings_of_the_kernels_are_another_machine(measured, monkeypatch):
    tuning(MODEL, batch=2)
    monkeypatch.setenv("ONEDNN_CPU_ISA_HINTS", "PREFER_YMM")
    assert not tuning(MODEL, batch=2).remembered


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"pairs": 3}', '{"pairs": {"a": []}}', '{"pairs": {"a": [[1, -1]]}}', "\xff"]
)
def test_a_broken_file_is_measured_anew_and_mended(measured, cache, text):
    right = tuning(MODEL, batch=2)
    (file,) = cache.iterdir()
    file.write_bytes(text.encode("latin-1"))
    with pytest.warns(UserWarning, match="is not read, and measured anew"):
        found = tuning(MODEL, batch=2)
    assert not found.remembered and found.pairs == right.pairs
    assert tuning(MODEL, batch=2).remembered


def test_a_cache_that_cannot_be_written_is_said(measured, cache):
    cache.parent.parent.mkdir(exist_ok=True)
    cache.parent.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="cannot be written"):
        tuning(MODEL, batch=2)


def test_what_cannot_be_told_is_not_remembered(measured, cache, monkeypatch):
    """Of a function that somebody wrote there is no digest."""
    x = keras.Input((8, 8, 3))
    y = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, name="conv", activation=lambda z: z + 1)(x))
    model = keras.Model(x, layers.Dense(1, name="dense")(y))
    assert digest(model) is None
    monkeypatch.setattr(here, "candidates_of", lambda model, dtype: {"fused_norm": ("fused_norm",)})
    monkeypatch.setattr(here, "_measured", lambda model, batch, new: dict.fromkeys(new, ((2.0, 1.0),)))
    for _ in range(2):
        assert not tuning(model, batch=2).remembered
    assert not cache.exists()


def test_real_steps_leave_the_model_and_the_seeds_alone(monkeypatch):
    monkeypatch.setattr(here, "PAIRS", 1)
    monkeypatch.setattr(here, "candidates_of", lambda model, dtype: {QUICK: (QUICK,)})
    x = keras.Input((4,))
    model = randomize(keras.Model(x, layers.BatchNormalization()(layers.Dense(2)(x))))
    before, state = model.get_weights(), random.getstate()
    found = tuning(model, batch=images(2, 4))
    assert random.getstate() == state and not model.compiled and found.batch == ((2, 4),)
    assert all(taken > 0 for pairs in found.pairs.values() for pair in pairs for taken in pair)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_a_candidate_nothing_is_measured(measured):
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(2)(x))
    assert str(tuning(model, batch=2)).startswith("as it is: no candidate, so nothing was measured")
    assert len(training_model(model, batch=2, tune=True).layers) == 2 and measured[0] == []


def test_times_of_nobody_are_as_it_is():
    assert Tuning({}, ((1,),), "a machine").chosen == "as it is"


@needs_tensorflow
def test_what_has_nothing_to_gain_trains_by_the_very_operations_that_it_had(monkeypatch):
    """Such as GoogLeNet as published, and norms of small images: the copy is no quicker, and no slower."""
    from tensorflow import TensorSpec, function

    x = keras.Input((8, 8, 3))
    y = layers.concatenate([layers.Conv2D(4, 3, activation="relu")(x), layers.Conv2D(2, 3)(x)])
    model = keras.Model(x, layers.Dense(3, activation="softmax")(layers.Flatten()(layers.MaxPooling2D()(y))))

    def operations(model):
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
        model.optimizer.build(model.trainable_variables)
        batch = TensorSpec((2, 8, 8, 3)), TensorSpec((2,), "int32")
        graph = function(model.train_step).get_concrete_function(batch).graph
        return Counter(operation.type for operation in graph.get_operations())

    assert operations(training_model(model)) == operations(model)
    model = small()
    fused, before = operations(training_model(model)), operations(model)
    assert fused["FusedBatchNormV3"] == 1 and sum(fused.values()) < sum(before.values())
    monkeypatch.setattr(layers_of_ours, "LEAST_FOR_KERNEL", 8 * 6 * 6 * 4 + 1)  # of a usual batch, and one
    assert not operations(training_model(model))["FusedBatchNormV3"]
    assert tuning(model, batch=2).pairs.keys() <= {QUICK}


# -- bfloat16 ---------------------------------------------------------------------------------------------------------


@needs_half
def test_what_makes_the_outputs_stays_in_float32():
    quick = training_model(small(), dtype="mixed_bfloat16")
    policies = {layer.name: layer.dtype_policy.name for layer in quick.layers}
    assert policies["conv"] == policies["norm"] == "mixed_bfloat16"
    assert policies["dense"] == policies["softmax"] == "float32"
    assert {weight.dtype for weight in quick.trainable_weights} == {"float32"}
    assert keras.backend.standardize_dtype(quick(images(2, 8, 8, 3)).dtype) == "float32"


def test_heads_inside_of_nested_models_and_other_dtypes_stay():
    x = keras.Input((6,))
    head = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="logits"), layers.Softmax(name="softmax")])
    exact = layers.Dense(4, dtype="float64", name="exact")(layers.Dense(5, name="first")(x))
    quick = training_model(keras.Model(x, head(exact)), dtype="mixed_bfloat16")
    made = (*quick.layers[1:-1], *quick.layers[-1].layers[-2:])
    found = {layer.name: layer.dtype_policy.name for layer in made}
    assert found == {"first": "mixed_bfloat16", "exact": "float64", "logits": "float32", "softmax": "float32"}


@needs_half
def test_steps_in_bfloat16_are_float32s_up_to_its_rounding():
    """Weights after steps on the same batch: 2⁻⁸ for each of some roundings on the way."""
    model = small()
    x, labels = images(8, 8, 8, 3), np.arange(8) % 3
    made = [training_model(model), training_model(model, dtype="mixed_bfloat16")]
    for each in made:
        each.get_layer("norm").momentum = 0.5
        each.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        each.layers[-3].rate = 0.0
        for _ in range(3):
            each.train_on_batch(x, labels)
    moved = 0.0
    for start, one, other in zip(training_model(model).weights, made[0].weights, made[1].weights, strict=True):
        start, one, other = (np.asarray(keras.ops.convert_to_numpy(w), "float64") for w in (start, one, other))
        moved += float(np.abs(one - start).max())
        assert np.abs(other - one).max() <= 16 * 2**-8 * max(np.abs(one).max(), 0.1)
    assert moved > 0.1
    apart = np.abs(run(made[1], x) - run(made[0], x)).max()
    assert 0 < apart < 16 * 2**-8


def test_the_words_go_together():
    with pytest.raises(ValueError, match="training_model: batch must be None where tune is False"):
        training_model(MODEL, batch=2)
    with pytest.raises(ValueError, match=r"training_model: batch must be .* where tune is True, got None"):
        training_model(MODEL, tune=True)
    with pytest.raises(ValueError, match="training_model: dtype must be one of 'mixed_bfloat16'"):
        training_model(MODEL, dtype="bfloat16")
    open_model = keras.Model(x := keras.Input((None, None, 3)), layers.Conv2D(2, 3)(x))
    with pytest.raises(ValueError, match="tuning: batch must be a batch of arrays where the sizes"):
        tuning(open_model, batch=2)
