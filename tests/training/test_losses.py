"""What `compile` and `fit` get of a network with several heads, and that training, saving and loading work."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from layerblocks.architectures import googlenet, resnet18
from layerblocks.blocks import aux_classifier, basic_residual, classifier, conv, dense, flatten, weightless
from layerblocks.models import inference_model
from layerblocks.training import compile_args, label_every_output, loss_weights, quickest_jit

from ..helpers import images
from ..naive import softmax

HEADS = ["main", "aux1", "aux2"]
CLASSES = 3


def heads(*names, activation="softmax", **options):
    """A small network with a head of each name."""
    x = keras.Input((4, 4, 2))
    outputs = {name: classifier(x, CLASSES, activation=activation, name=name, **options) for name in names}
    return keras.Model(x, outputs)


@pytest.fixture(scope="module")
def small_googlenet():
    """With both heads at 32×32, whose pools are adaptive."""
    keras.utils.set_random_seed(0)
    return googlenet(input_shape=(32, 32, 3), classes=CLASSES, aux=partial(aux_classifier, output_size=2))


def labels(count, seed=0):
    return np.random.default_rng(seed).integers(0, CLASSES, count)


def cross_entropy(probabilities, y):
    return -np.log(np.asarray(probabilities)[np.arange(len(y)), y]).mean()


# compile_args


def test_compile_args_are_keyed_by_output():
    arguments = compile_args(heads(*HEADS))
    assert arguments["loss_weights"] == {"main": 1.0, "aux1": 0.3, "aux2": 0.3}
    assert set(arguments["loss"]) == set(arguments["metrics"]) == set(HEADS)
    assert arguments["metrics"]["aux1"] == ["accuracy"]
    assert list(arguments["loss_weights"]) == HEADS


def test_compile_args_of_a_single_output():
    x = keras.Input((4, 4, 2))
    arguments = compile_args(keras.Model(x, classifier(x, CLASSES)))
    assert "loss_weights" not in arguments
    assert arguments["metrics"] == ["accuracy"]
    assert isinstance(arguments["loss"], keras.losses.SparseCategoricalCrossentropy)


def test_further_arguments_of_compile():
    arguments = compile_args(heads(*HEADS), "sgd", aux_weight=0.5, jit_compile=True, steps_per_execution=2)
    assert arguments["loss_weights"] == {"main": 1.0, "aux1": 0.5, "aux2": 0.5}
    assert (arguments["optimizer"], arguments["jit_compile"], arguments["steps_per_execution"]) == ("sgd", True, 2)


def test_jit_is_off_for_tensorflow_on_a_cpu():
    quickest = False if keras.backend.backend() == "tensorflow" else "auto"
    assert quickest_jit() == compile_args(heads("main"))["jit_compile"] == quickest


def test_loss_weights():
    assert loss_weights(heads("main", "aux1", "other"), 0.1) == {"main": 1.0, "aux1": 0.1, "other": 1.0}
    assert loss_weights(inference_model(heads(*HEADS))) is None


LOSSES = {
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation, logits", [(None, True), ("linear", True), ("softmax", False), ("sigmoid", False)])
def test_cross_entropies_know_whether_they_get_logits(loss, activation, logits):
    model = heads(*HEADS, activation=activation)
    losses = compile_args(model, loss=loss)["loss"]
    assert {name: type(made) for name, made in losses.items()} == dict.fromkeys(HEADS, LOSSES[loss])
    assert {made.get_config()["from_logits"] for made in losses.values()} == {logits}
    main = compile_args(inference_model(model), loss=loss)["loss"]
    assert main.get_config()["from_logits"] is logits


def test_logits_are_known_head_by_head():
    x = keras.Input((4, 4, 2))
    model = keras.Model(
        x, {"main": classifier(x, CLASSES, name="main"), "aux1": classifier(x, CLASSES, activation=None, name="aux1")}
    )
    found = {name: loss.get_config()["from_logits"] for name, loss in compile_args(model)["loss"].items()}
    assert found == {"main": False, "aux1": True}


def test_logits_of_a_head_that_two_outputs_share():
    x, head = keras.Input((4,)), keras.layers.Dense(CLASSES)
    model = keras.Model(x, {"main": head(x), "aux1": head(dense(x, 4))})
    found = {name: loss.get_config()["from_logits"] for name, loss in compile_args(model)["loss"].items()}
    assert found == {"main": True, "aux1": True}


def test_logits_of_a_model_inside_a_model():
    inner = inference_model(heads("main", activation=None))
    x = keras.Input((4, 4, 2))
    loss = compile_args(keras.Model(x, inner(x)))["loss"]
    assert loss.get_config()["from_logits"] is True


def test_logits_are_known_of_a_loaded_model(tmp_path):
    heads(*HEADS, activation=None).save(tmp_path / "model.keras")
    losses = compile_args(keras.models.load_model(tmp_path / "model.keras"))["loss"]
    assert {loss.get_config()["from_logits"] for loss in losses.values()} == {True}


def test_other_losses_are_left_alone():
    def mine(y_true, y_pred):
        return y_pred

    for loss in ("mse", mine, keras.losses.Hinge()):
        assert compile_args(heads("main", "aux1"), loss=loss)["loss"] == {"main": loss, "aux1": loss}


def test_every_output_has_a_metric_of_its_own():
    model = heads(*HEADS)
    for metric in (keras.metrics.SparseCategoricalAccuracy, partial(keras.metrics.SparseTopKCategoricalAccuracy, k=2)):
        metrics = compile_args(model, metrics=[metric])["metrics"]
        assert len({id(made) for each in metrics.values() for made in each}) == 3


@pytest.mark.parametrize(
    "options, words",
    [
        ({"metrics": "accuracy"}, "metrics must be"),
        (
            {"metrics": [keras.metrics.SparseCategoricalAccuracy()]},
            r"metrics\[0\] must be",
        ),  # one state for three heads
        ({"aux_weight": "0.3"}, "aux_weight must be"),
        ({"aux_weight": -1}, "aux_weight must be"),
    ],
)
def test_bad_compile_args(options, words):
    with pytest.raises((TypeError, ValueError), match=f"compile_args: {words}"):
        compile_args(heads(*HEADS), **options)


def test_lists_of_outputs_are_refused():
    x = keras.Input((4, 4, 2))
    model = keras.Model(x, [classifier(x, 2), classifier(x, 2)])
    with pytest.raises(
        ValueError, match="compile_args: model must be one of one output or a dict of them, got one of a list"
    ):
        compile_args(model)


@pytest.mark.parametrize("function", [compile_args, inference_model, partial(label_every_output, (1, 2))])
def test_what_is_no_model(function):
    with pytest.raises(TypeError, match="model must be a Keras model, got None"):
        function(None)


# label_every_output


def test_arrays():
    x, y, weights = np.zeros((4, 1)), labels(4), np.ones(4)
    model = heads(*HEADS)
    for data in ((x, y), (x, y, weights)):
        images, *rest = label_every_output(data, model)
        assert images is x
        assert [set(each) for each in rest] == [set(HEADS)] * len(data[1:])
        assert all(value is given for each, given in zip(rest, data[1:], strict=True) for value in each.values())


def test_datasets():
    x, y = np.zeros((4, 4, 4, 2), "float32"), labels(4)
    model = heads(*HEADS)
    dataset = label_every_output(tf.data.Dataset.from_tensor_slices((x, y)).batch(2), model)
    for _, given in dataset:
        assert set(given) == set(HEADS)
    batches = [given["aux2"].numpy() for _, given in dataset]
    np.testing.assert_array_equal(np.concatenate(batches), y)
    model.compile(**compile_args(model))
    model.fit(dataset, shuffle=False, verbose=0)
    model.evaluate(
        label_every_output(tf.data.Dataset.from_tensor_slices((x, y, np.ones(4))).batch(2), model), verbose=0
    )


def test_sample_weights_reach_every_head():
    model = heads(*HEADS)
    model.compile(**compile_args(model, metrics=()))
    x, y = images(4, 4, 4, 2), labels(4)
    weights = np.array([1.0, 0, 0, 0])
    data = label_every_output((x, y, weights), model)
    outputs = model(x)
    each = [-np.log(np.asarray(outputs[name])[0, y[0]]) / 4 for name in HEADS]
    expected = each[0] + 0.3 * each[1] + 0.3 * each[2]
    loss = model.evaluate(*data[:2], sample_weight=data[2], verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_a_single_output_changes_nothing():
    data = (np.zeros(3), np.zeros(3))
    assert label_every_output(data, inference_model(heads(*HEADS))) is data


@pytest.mark.parametrize("data", [[1, 2], (1,), (1, 2, 3, 4), "xy", None, np.zeros(3)])
def test_other_data_is_refused(data):
    with pytest.raises(TypeError, match=r"label_every_output: data must be a tf\.data\.Dataset or a tuple"):
        label_every_output(data, heads(*HEADS))


# inference_model


def test_inference_model_shares_layers_and_weights(small_googlenet):
    main = inference_model(small_googlenet)
    x = images(2, 32, 32, 3)
    np.testing.assert_array_equal(main(x), small_googlenet(x)["main"])
    assert not [layer.name for layer in main.layers if layer.name.startswith("aux")]
    assert {id(layer) for layer in main.layers} < {id(layer) for layer in small_googlenet.layers}
    assert main.output_shape == (None, CLASSES)
    weight = main.trainable_variables[0]
    before = weight.numpy()
    weight.assign(before + 1)
    np.testing.assert_array_equal(small_googlenet.get_layer("conv1.conv").kernel, before + 1)
    weight.assign(before)


def test_inference_model_of_another_output():
    model = heads(*HEADS)
    np.testing.assert_array_equal(inference_model(model, "aux2")(images(1, 4, 4, 2)), model(images(1, 4, 4, 2))["aux2"])


def test_inference_model_of_one_output_is_itself():
    model = inference_model(heads(*HEADS))
    assert inference_model(model) is model


def test_inference_model_of_no_such_output():
    with pytest.raises(
        ValueError, match=r"inference_model: output must be one of main, aux1, aux2; did you mean 'aux\d'\?, got 'aux3'"
    ):
        inference_model(heads(*HEADS), "aux3")


def test_inference_model_of_a_weightless_one():
    with weightless():
        model = googlenet()
    assert inference_model(model).count_params() == 6_998_552


# Training.


def test_loss_of_googlenet_is_main_and_three_tenths_of_each_head(small_googlenet):
    model = small_googlenet
    model.compile(**compile_args(model))
    x, y = images(6, 32, 32, 3), labels(6)
    outputs = model(x)
    expected = {name: cross_entropy(outputs[name], y) for name in HEADS}
    found = model.evaluate(*label_every_output((x, y), model), batch_size=6, verbose=0, return_dict=True)
    for name in HEADS:
        np.testing.assert_allclose(found[f"{name}_loss"], expected[name], rtol=1e-4)
        accuracy = np.mean(np.argmax(outputs[name], axis=-1) == y)
        np.testing.assert_allclose(found[f"{name}_accuracy"], accuracy, rtol=1e-6)
    total = expected["main"] + 0.3 * expected["aux1"] + 0.3 * expected["aux2"]
    np.testing.assert_allclose(found["loss"], total, rtol=1e-4)


@pytest.mark.sweep
def test_a_step_moves_every_weight(small_googlenet):
    model = small_googlenet
    model.compile(**compile_args(model, keras.optimizers.SGD(0.1)))
    before = [weight.copy() for weight in model.get_weights()]
    history = model.fit(*label_every_output((images(4, 32, 32, 3), labels(4)), model), verbose=0).history
    assert np.isfinite(history["loss"][0])
    assert {"main_accuracy", "aux1_accuracy", "aux2_accuracy"} <= set(history)
    still = [
        variable.path
        for variable, old in zip(model.trainable_variables, before, strict=True)
        if np.array_equal(variable, old)
    ]
    assert not [path for path in still if "kernel" in path]


def test_a_step_down_the_gradient_lowers_the_loss():
    """A small one does, of any network, where the labels reach the heads that they belong to."""
    keras.utils.set_random_seed(1)
    x = keras.Input((8, 8, 1))
    y = conv(x, 8)
    z = basic_residual(y, 8, conv=conv)
    outputs = {"main": classifier(z, 2, name="main"), "aux1": classifier(y, 2, name="aux1")}
    model = keras.Model(x, outputs)
    bright = np.repeat([0, 1], 32)
    data = images(64, 8, 8, 1) + bright[:, None, None, None]
    model.compile(**compile_args(model, keras.optimizers.SGD(0.01)))
    given = label_every_output((data, bright), model)
    before, _, after = (
        model.evaluate(*given, batch_size=64, verbose=0, return_dict=True),
        model.fit(*given, batch_size=64, verbose=0),
        model.evaluate(*given, batch_size=64, verbose=0, return_dict=True),
    )
    assert after["loss"] < before["loss"] - 1e-5


def test_logits_and_softmax_have_one_loss():
    model = heads("main", "aux1", activation=None)
    x, y = images(5, 4, 4, 2), labels(5)
    model.compile(**compile_args(model))
    loss = model.evaluate(*label_every_output((x, y), model), verbose=0, return_dict=True)["loss"]
    outputs = model(x)
    each = {name: cross_entropy(softmax(np.asarray(outputs[name])), y) for name in ("main", "aux1")}
    np.testing.assert_allclose(loss, each["main"] + 0.3 * each["aux1"], rtol=1e-5)


# Saving.


def save_and_load(model, path):
    model.save(path)
    return keras.models.load_model(path)


def test_googlenet_saved_and_loaded_is_the_same(tmp_path):
    model = googlenet(input_shape=(65, 65, 3), classes=2)
    loaded = save_and_load(model, tmp_path / "googlenet.keras")
    x = images(2, 65, 65, 3)
    before, after = model(x), loaded(x)
    for name in HEADS:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-5)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    assert compile_args(loaded)["loss_weights"] == {"main": 1.0, "aux1": 0.3, "aux2": 0.3}


@pytest.mark.parametrize("size", [(32, 32), (None, None)])
def test_resnet_saved_and_loaded_is_the_same(tmp_path, size):
    model = resnet18(input_shape=(*size, 3), classes=2, shortcut="pad")
    loaded = save_and_load(model, tmp_path / "resnet.keras")
    x = images(2, 32, 32, 3)
    np.testing.assert_allclose(loaded(x), model(x), rtol=1e-5)


@pytest.mark.sweep
def test_a_compiled_model_trains_on_after_loading(tmp_path):
    model = heads(*HEADS)
    model.compile(**compile_args(model))
    data = label_every_output((images(4, 4, 4, 2), labels(4)), model)
    model.fit(*data, verbose=0)
    loaded = save_and_load(model, tmp_path / "model.keras")
    expected = model.evaluate(*data, verbose=0, return_dict=True)
    found = loaded.evaluate(*data, verbose=0, return_dict=True)
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-5)


def test_flatten_of_a_loaded_head(tmp_path):
    x = keras.Input((3, 3, 2))
    model = keras.Model(x, dense(flatten(x), 2))
    data = images(1, 3, 3, 2)
    np.testing.assert_allclose(save_and_load(model, tmp_path / "m.keras")(data), model(data), rtol=1e-6)
