"""Losses of every spelling agree with NumPy; heads of every kind of end; labels, weights and metrics by output."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks.architectures import architecture, cifar_resnet, googlenet, inception_v3
from layerblocks.blocks import aux_classifier, conv_bn, weightless
from layerblocks.models import add_aux_head, regularized, training_model, with_input
from layerblocks.models.predictions import gives_logits
from layerblocks.training import compile_args, label_every_output, loss_weights

LOGITS = np.random.default_rng(0).normal(size=(6, 3)).astype("float32") * 3
LABELS = np.array([0, 2, 1, 1, 0, 2])


def softmax(x):
    exact = np.exp(x - x.max(-1, keepdims=True))
    return exact / exact.sum(-1, keepdims=True)


CROSS_ENTROPY = -np.log(softmax(LOGITS)[np.arange(6), LABELS]).mean()


def head(*ends, units=3):
    x = keras.Input((4,))
    y = layers.Dense(units)(x)
    for end in ends:
        y = end(y)
    return keras.Model(x, y)


def named(y_true, y_pred, from_logits=False):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits)


SPARSE = {
    "snake": "sparse_categorical_crossentropy",
    "camel": "SparseCategoricalCrossentropy",
    "function": keras.losses.sparse_categorical_crossentropy,
    "object": keras.losses.SparseCategoricalCrossentropy(),
    "object that says it": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "class": keras.losses.SparseCategoricalCrossentropy,
    "config": {"class_name": "SparseCategoricalCrossentropy", "config": {}},
    "function of one's own": named,
    "partial": partial(keras.losses.sparse_categorical_crossentropy, ignore_class=7),
    "partial of a class": partial(keras.losses.SparseCategoricalCrossentropy, from_logits=True, ignore_class=7),
}


@pytest.mark.parametrize("logits", [True, False], ids=["logits", "softmax"])
@pytest.mark.parametrize("spelling", SPARSE)
def test_every_spelling_of_a_loss_is_the_same_number(spelling, logits):
    model = head(*(() if logits else (layers.Softmax(),)))
    loss = compile_args(model, loss=SPARSE[spelling])["loss"]
    given = LOGITS if logits else softmax(LOGITS)
    found = loss(LABELS, given) if callable(loss) else keras.losses.get(loss)(LABELS, given)
    np.testing.assert_allclose(np.mean(np.asarray(found)), CROSS_ENTROPY, rtol=1e-5)


def smoothed(rate):
    target = np.eye(3)[LABELS] * (1 - rate) + rate / 3
    return -(target * np.log(softmax(LOGITS))).sum(-1).mean()


def test_what_a_loss_has_besides_stays():
    loss = compile_args(head(), loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1))["loss"]
    np.testing.assert_allclose(float(loss(np.eye(3)[LABELS], LOGITS)), smoothed(0.1), rtol=1e-5)
    assert loss.get_config()["label_smoothing"] == 0.1
    focal = compile_args(head(), loss=keras.losses.CategoricalFocalCrossentropy(alpha=0.5, gamma=1.0))["loss"]
    p = softmax(LOGITS)[np.arange(6), LABELS]
    np.testing.assert_allclose(float(focal(np.eye(3)[LABELS], LOGITS)), (-0.5 * (1 - p) * np.log(p)).mean(), rtol=1e-4)
    for name in ("binary_focal_crossentropy", "BinaryFocalCrossentropy", "categorical_focal_crossentropy"):
        assert compile_args(head(), loss=name)["loss"].get_config()["from_logits"] is True
        assert compile_args(head(layers.Activation("sigmoid")), loss=name)["loss"].get_config()["from_logits"] is False
    hinge = keras.losses.Hinge()
    assert compile_args(head(), loss=hinge)["loss"] is hinge
    assert compile_args(head(), loss="mse")["loss"] == "mse"


def pixelwise(end):
    x = keras.Input((4, 4, 2))
    return keras.Model(x, end(layers.Conv2D(3, 1)(x)))


ENDS = {
    "linear": (lambda: head(), True),
    "activation": (lambda: head(layers.Activation("softmax")), False),
    "operation": (lambda: head(keras.ops.softmax), False),
    "sigmoid": (lambda: head(keras.ops.sigmoid), False),
    "linear layer": (lambda: head(layers.Activation("linear"), layers.Dropout(0.1)), True),
    "reshaped": (lambda: head(layers.Softmax(), layers.Reshape((3, 1)), layers.Flatten()), False),
    "temperature": (lambda: head(lambda y: y / 2.0), True),
    "norm": (lambda: head(layers.BatchNormalization()), True),
    "pixels": (lambda: pixelwise(layers.UpSampling2D()), True),
    "pixels, softmax": (lambda: pixelwise(lambda y: layers.Cropping2D(1)(layers.Softmax()(y))), False),
    "scores": (lambda: pixelwise(layers.GlobalAveragePooling2D()), True),
    "nested": (lambda: keras.Sequential([keras.Input((4,)), head(layers.Softmax())]), False),
    "nested twice": (
        lambda: keras.Sequential([keras.Input((4,)), keras.Sequential([keras.Input((4,)), head()])]),
        True,
    ),
    "time": (lambda: keras.Sequential([keras.Input((7, 4)), layers.TimeDistributed(layers.Dense(3))]), True),
    "ensemble": (lambda: head(lambda y: layers.Average()([layers.Softmax()(y), layers.Softmax()(y * 2.0)])), False),
    "sum": (lambda: head(lambda y: layers.Add()([y, y * 2.0])), True),
    "tied": (lambda: head(lambda y: keras.ops.matmul(y, np.ones((3, 5), "float32"))), True),
    "rectified": (lambda: head(layers.ReLU()), None),
    "unknown": (lambda: head(layers.Lambda(keras.ops.softmax, output_shape=(3,))), None),
    "scaled probabilities": (lambda: head(layers.Softmax(), lambda y: y * 2.0), None),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_a_head_gives(end):
    make, expected = ENDS[end]
    with weightless():
        model = make()
        assert gives_logits(model.outputs[0]) is expected
        if expected is not None:
            assert compile_args(model)["loss"].get_config()["from_logits"] is expected
            return
        with pytest.raises(ValueError, match=r"^compile_args: loss must be a loss object with from_logits, as what '"):
            compile_args(model)
        own = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        assert compile_args(model, loss=own)["loss"] is own and compile_args(model, loss="mse")["loss"] == "mse"


def two(**activations):
    x = keras.Input((4,))
    return keras.Model(x, {key: layers.Dense(3, activation=a, name=key)(x) for key, a in activations.items()})


def test_losses_by_output():
    model = two(main="softmax", aux1=None, value=None)
    found = compile_args(
        model,
        loss={"main": "sparse_categorical_crossentropy", "aux1": "sparse_categorical_crossentropy", "value": "mse"},
    )
    assert [found["loss"][key].get_config()["from_logits"] for key in ("main", "aux1")] == [False, True]
    assert found["loss"]["value"] == "mse" and found["loss_weights"] == {"main": 1.0, "value": 1.0, "aux1": 0.3}
    part = compile_args(model, loss={"main": "mse", "aux1": None, "value": None})
    assert part["loss"] == {"main": "mse"} and part["loss_weights"] == {"main": 1.0}
    own = compile_args(model, loss="mse", loss_weights={"aux1": 0.7})
    assert own["loss_weights"] == {"main": 1.0, "value": 1.0, "aux1": 0.7}


def test_metrics_by_output_and_weighted():
    model = two(main="softmax", aux1="softmax")
    found = compile_args(model, metrics={"main": ["accuracy"]}, weighted_metrics=["mse"])
    assert found["metrics"] == {"main": ["accuracy"], "aux1": []}
    assert found["weighted_metrics"] == {"main": ["mse"], "aux1": ["mse"]}
    metric = keras.metrics.SparseTopKCategoricalAccuracy(2)
    assert compile_args(model, metrics={"main": [metric]})["metrics"]["main"] == [metric]
    assert compile_args(head(), weighted_metrics=["mse"])["weighted_metrics"] == ["mse"]
    assert "weighted_metrics" not in compile_args(model)


def test_the_accuracy_of_a_single_logit():
    """Keras compares it with a half; a logit's half is at 0."""
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(1)(x))
    (metric,) = compile_args(model, loss="binary_crossentropy")["metrics"]
    metric.update_state(np.array([[1.0], [1.0], [0.0]]), np.array([[0.2], [3.0], [-0.1]]))
    assert metric.name == "accuracy" and float(metric.result()) == 1.0
    assert compile_args(head(layers.Activation("sigmoid"), units=1), loss="binary_crossentropy")["metrics"] == [
        "accuracy"
    ]


BAD = [
    ({"loss": 3}, "loss must be a Keras name, config, loss or function, got 3"),
    ({"loss": None}, "loss must be a Keras name, config, loss or function, got None"),
    ({"loss": "focal"}, "loss must be .*, got 'focal'"),
    ({"loss": ["mse"]}, r"loss must be .*, got \['mse'\]"),
    ({"loss": float("nan")}, "loss must be .*, got nan"),
    ({"loss": {"main": "mse"}}, "loss must be a dict of every output; aux1 may be None, got "),
    ({"loss": {"main": "mse", "aux": "mse"}}, "loss must be a dict by output: main, aux1; did you mean 'aux1'"),
    ({"loss": {"main": None, "aux1": None}}, "loss must be .*"),
    ({"loss": {"class_name": "Nothing"}}, "loss must be"),
    ({"metrics": ["acuracy"]}, r"metrics\[0\] must be a Keras name"),
    ({"metrics": {"mian": ["mse"]}}, "metrics must be a dict by output"),
    ({"metrics": {"main": "mse"}}, "metrics must be a list"),
    ({"weighted_metrics": [3]}, r"weighted_metrics\[0\] must be a Keras name"),
    ({"aux_weight": float("nan")}, "aux_weight must be"),
    ({"loss_weights": {"main": float("inf")}}, r"loss_weights\['main'\] must be"),
    ({"loss_weights": {"aux2": 1.0}}, "loss_weights must be one of"),
]


@pytest.mark.parametrize("given, said", BAD)
def test_what_is_no_argument(given, said):
    model = two(main="softmax", aux1="softmax")
    with pytest.raises((TypeError, ValueError), match=f"^compile_args: {said}") as caught:
        compile_args(model, **given)
    assert "\n" not in str(caught.value)


def test_a_dict_for_a_single_output():
    with pytest.raises(
        ValueError, match=r"^compile_args: loss must be no dict by output, as the model has a single one"
    ):
        compile_args(head(), loss={"main": "mse"})


# Labels.


def test_class_weights_become_sample_weights():
    model = two(main="softmax", aux1="softmax")
    x = np.zeros((6, 4))
    for labels in (LABELS, LABELS[:, None], np.eye(3)[LABELS], LABELS.astype("float32")):
        *_, weights = label_every_output((x, labels), model, class_weight={0: 2.0, 2: 0.5})
        for weight in weights.values():
            np.testing.assert_array_equal(weight, [2, 0.5, 1, 1, 2, 0.5])
    *_, weights = label_every_output((x, LABELS, np.arange(6)), model, class_weight={"main": {0: 2.0}})
    np.testing.assert_array_equal(weights["main"], [0, 1, 2, 3, 8, 5])
    np.testing.assert_array_equal(weights["aux1"], np.arange(6))
    _, y, weights = label_every_output((x, {"main": LABELS, "aux1": LABELS}), model, class_weight={1: 3.0})
    assert y["main"] is LABELS and weights["aux1"].tolist() == [1, 1, 3, 3, 1, 1]
    *_, weight = label_every_output((x, LABELS), head(), class_weight={1: 3.0})
    assert weight.tolist() == [1, 1, 3, 3, 1, 1]
    maps = np.array([[[0, 1], [2, 2]]])
    *_, weight = label_every_output((x[:1], maps), pixelwise(layers.Identity()), class_weight={2: 9.0})
    assert weight.tolist() == [[[1, 1], [9, 9]]]


def test_class_weights_of_a_dataset():
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((np.zeros((6, 4)), LABELS)).batch(4)
    found = [w["aux1"].numpy() for *_, w in label_every_output(data, two(main=None, aux1=None), class_weight={0: 2.0})]
    np.testing.assert_array_equal(np.concatenate(found), [2, 1, 1, 1, 2, 1])


def species_and_age():
    x = keras.Input((4,))
    return keras.Model(x, {"species": layers.Dense(4)(x), "age": layers.Dense(1)(x)})


def test_class_weights_are_of_the_outputs_that_they_are_given_for():
    """What has none counts as it is, whatever its targets are."""
    ages = np.array([[0.2], [40.5], [7], [60]])
    data = (np.zeros((4, 4)), {"species": np.arange(4), "age": ages})
    *_, weights = label_every_output(data, species_and_age(), class_weight={"species": {1: 3.0}})
    assert weights["species"].tolist() == [1, 3, 1, 1] and weights["age"].tolist() == [1, 1, 1, 1]
    given = {"species": np.full(4, 2.0), "age": np.arange(8.0).reshape(4, 2)}
    *_, weights = label_every_output((*data, given), species_and_age(), class_weight={"species": {1: 3.0}})
    assert weights["species"].tolist() == [2, 6, 2, 2] and weights["age"] is given["age"]
    with pytest.raises(ValueError, match=r"class_weight must be a dict by output, .*units: species 4, age 1, got"):
        label_every_output(data, species_and_age(), class_weight={0: 2.0, 1: 3.0})
    with pytest.raises(TypeError, match="data must be of numbers, got dtype <U1"):
        label_every_output((data[0], np.array(["a", "b", "c", "d"])), head(), class_weight={0: 2.0})
    with pytest.raises(ValueError, match=r"data must be labels from 0 to 1 of 'age', whose classes .*, got 0\.2$"):
        label_every_output(data, species_and_age(), class_weight={"age": {0: 2.0}})


def test_a_label_that_is_no_class_counts_nothing():
    maps = np.array([[[0, 255], [1, 2]]])
    net, weights = pixelwise(layers.Identity()), {1: 4.0}
    *_, weight = label_every_output((np.zeros((1, 2, 2, 4)), maps), net, class_weight=weights, ignore_class=255)
    assert weight.tolist() == [[[1, 0], [4, 1]]]
    with pytest.raises(ValueError, match=r"data must be labels from 0 to 2, whose classes have weights, got 255$"):
        label_every_output((np.zeros((1, 2, 2, 4)), maps), net, class_weight=weights)
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensors((np.zeros((1, 2, 2, 4)), maps))
    (*_, weight), *_ = label_every_output(data, net, class_weight=weights, ignore_class=255)
    assert weight.numpy().tolist() == [[[1, 0], [4, 1]]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="data must be labels from 0 to 2"):
        next(iter(label_every_output(data, net, class_weight=weights)))


@pytest.mark.parametrize(
    "weights", [3, {0: "a"}, {0: -1}, {3: 1.0}, {-1: 1.0}, {"mian": {0: 1.0}}, {0: float("nan")}, {0.5: 1.0}]
)
def test_what_are_no_class_weights(weights):
    with pytest.raises((TypeError, ValueError), match=r"^label_every_output: class_weight\S* must be"):
        label_every_output((np.zeros((6, 4)), LABELS), two(main=None, aux1=None), class_weight=weights)


def test_one_label_for_several_outputs_says_what_to_write():
    """As the seeds of this project and every example write it: compile(loss="…"); fit(x, y)."""
    with weightless():
        net = googlenet(input_shape=(32, 32, 3), classes=3, aux=partial(aux_classifier, output_size=1))
    x = keras.Input((4,))
    small = add_aux_head(keras.Model(x, layers.Dense(3, activation="softmax", name="head")(x), name="small"), "head", 3)
    said = r"y must be a dict of labels by output \(main, aux1.*compile_args\(model, loss=…\).*label_every_output"
    small.compile(loss="sparse_categorical_crossentropy")
    small.evaluate(np.zeros((6, 4)), {"main": LABELS, "aux1": LABELS}, verbose=0)
    for metrics in ([], ["accuracy"]):
        small.compile(loss="sparse_categorical_crossentropy", metrics=metrics)
        for run in (small.fit, small.evaluate):
            with pytest.raises(ValueError, match=f"^small: {said}"):
                run(np.zeros((6, 4)), LABELS, verbose=0)
    with pytest.raises(ValueError, match=f"^googlenet: {said}"):
        net.compute_loss(y=LABELS, y_pred=None)
    small.compile(**compile_args(small))
    small.evaluate(*label_every_output((np.zeros((6, 4)), LABELS), small), verbose=0)


def small():
    return add_aux_head(cifar_resnet(repeats=(1, 1, 1), input_shape=(8, 8, 3), classes=3), "stage1", 3)


def copy_of(model):
    return keras.models.model_from_json(model.to_json())


COPIES = {
    "clone": keras.models.clone_model,
    "file": copy_of,
    "channels": partial(with_input, shape=(8, 8, 1), channels="sum"),
    "training_model": training_model,
    "regularized": partial(regularized, l2=1e-3),
    "of somebody else's": lambda _: regularized(
        add_aux_head(keras.Model(x := keras.Input((4,)), layers.Dense(3, name="head")(x)), "head", 3), l2=1e-3
    ),
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_say_what_to_write_too(kind):
    """Whatever a model of several outputs is made by."""
    with weightless():
        made = COPIES[kind](small())
    for hook in (made.compute_loss, made.compute_metrics):
        with pytest.raises(ValueError, match=r"y must be a dict of labels by output \(main, aux1\): model\.compile"):
            hook(x=None, y=LABELS, y_pred=None)


@pytest.mark.parametrize("kind", ["clone", "file", "channels", "training_model", "regularized"])
def test_copies_weigh_their_outputs_alike(kind):
    """A weight that its author gave, in a network of one's own."""

    @architecture(input_shape=(8, 8, 3), classes=3, aux_weight=0.7)
    def mine(x, head):
        """Mine."""
        x = conv_bn(x, 4, name="stem")
        return {"main": head(x), "aux1": layers.Dense(3, name="aux1")(layers.Flatten(name="flat")(x))}

    with weightless():
        model = mine()
        assert loss_weights(model) == {"main": 1.0, "aux1": 0.7}
        made = COPIES[kind](model)
        if kind == "clone":  # of which Keras keeps nothing but the layers
            model, made = (whole := inception_v3()), keras.models.clone_model(whole)
            assert loss_weights(made)["aux1"] == 0.4
        assert loss_weights(made) == loss_weights(model)


ONE_LOGIT = np.array([[0.2], [3.0], [-0.1], [0.7]], "float32")
ONE_LABEL = np.array([[1.0], [1.0], [0.0], [0.0]], "float32")
LOGIT_METRICS = {
    "sparse_categorical_crossentropy": 3,
    "SparseCategoricalCrossentropy": 3,
    keras.metrics.SparseCategoricalCrossentropy: 3,
    keras.losses.sparse_categorical_crossentropy: 3,
    "binary_crossentropy": 1,
    "BinaryCrossentropy": 1,
    "binary_accuracy": 1,
    "BinaryAccuracy": 1,
    keras.metrics.BinaryAccuracy: 1,
    keras.metrics.binary_accuracy: 1,
    partial(keras.metrics.binary_accuracy, threshold=0.5): 1,
    "AUC": 1,
    keras.metrics.AUC: 1,
    "accuracy": 1,
}


@pytest.mark.parametrize("metric", LOGIT_METRICS, ids=lambda metric: getattr(metric, "__name__", str(metric)[:30]))
def test_a_metric_of_logits_is_that_of_their_probabilities(metric):
    x = keras.Input((4,))
    units = LOGIT_METRICS[metric]
    squash = "softmax" if units == 3 else "sigmoid"
    found = []
    for activation in (None, squash):
        model = keras.Model(x, layers.Dense(units, activation=activation)(x))
        (made,) = compile_args(model, loss="mse", metrics=[metric])["metrics"]
        made = keras.metrics.get(made) if isinstance(made, str) and made != "accuracy" else made
        made = keras.metrics.BinaryAccuracy() if isinstance(made, str) else made
        made = made if isinstance(made, keras.Metric) else keras.metrics.MeanMetricWrapper(made)
        given = LOGITS if units == 3 else ONE_LOGIT
        given = given if activation is None else np.asarray(keras.activations.get(squash)(given))
        made.update_state(LABELS if units == 3 else ONE_LABEL, given)
        found.append(float(made.result()))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


AVERAGED = keras.metrics.MeanMetricWrapper


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"metrics": ["Precision"]}, r"metrics\[0\] must be a metric of logits, as 'dense\S*' gives them, not of prob"),
        ({"metrics": [keras.metrics.Recall]}, r"metrics\[0\] must be a metric of logits"),
        ({"metrics": ["kl_divergence"]}, r"metrics\[0\] must be a metric of logits"),
        ({"metrics": [keras.metrics.AUC()]}, r"metrics\[0\] must be made with from_logits=True, as 'dense"),
        ({"weighted_metrics": [keras.metrics.BinaryAccuracy()]}, r"weighted_metrics\[0\] must be made with threshold="),
        ({"metrics": [partial(keras.metrics.F1Score, threshold=0.5)]}, r"metrics\[0\] must be a metric of logits"),
        ({"metrics": [keras.metrics.FBetaScore(threshold=0.5)]}, r"metrics\[0\] must be a metric of logits"),
        ({"metrics": [AVERAGED(keras.metrics.kl_divergence)]}, r"metrics\[0\] must be a metric of logits"),
        ({"metrics": [lambda: AVERAGED(keras.metrics.binary_crossentropy)]}, r"metrics\[0\] must be made with from_l"),
        ({"metrics": [AVERAGED(keras.metrics.binary_accuracy)]}, r"metrics\[0\] must be made with threshold=0\.0"),
        ({"metrics": ["crossentropy"]}, r"metrics\[0\] must be a Keras name"),
        ({"loss": "kl_divergence"}, "loss must be one of logits, as 'dense"),
        ({"loss": keras.losses.Dice()}, "loss must be one of logits"),
        ({"loss": "tversky"}, "loss must be one of logits"),
        ({"loss": "poisson"}, "loss must be one of logits, as 'dense.*, not of rates"),
    ],
)
def test_what_is_of_probabilities_is_refused_for_logits(option, said):
    with pytest.raises(ValueError, match=f"^compile_args: {said}"):
        compile_args(head(), **{"loss": "mse", **option})
    fine = {word: value for word, value in option.items() if "from_logits" not in said and "threshold" not in said}
    if "crossentropy" not in option.get("metrics", []) and fine:
        assert compile_args(head(layers.Softmax()), **{"loss": "mse", **fine})


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"metrics": ["MeanIoU"]}, r"metrics\[0\] must be a metric or a function that makes one, as it has arg"),
        ({"metrics": ["IoU"]}, r"metrics\[0\] must be a metric or a function that makes one"),
        ({"metrics": [keras.metrics.MeanIoU(3)]}, r"metrics\[0\] must be made with sparse_y_pred=False, as 'dense"),
        ({"metrics": [partial(keras.metrics.IoU, 3, [0])]}, r"metrics\[0\] must be made with sparse_y_pred=False"),
    ],
)
def test_a_metric_that_compares_numbers_of_classes(option, said):
    """A head gives a number for each class."""
    for model in (head(), head(layers.Softmax())):
        with pytest.raises(ValueError, match=f"^compile_args: {said.replace('dense', '(dense|softmax)')}"):
            compile_args(model, **option)
    (made,) = compile_args(head(), metrics=[partial(keras.metrics.MeanIoU, 3, sparse_y_pred=False)])["metrics"]
    made.update_state(LABELS, LOGITS)
    chosen = LOGITS.argmax(-1)
    overlaps = [((c == LABELS) & (chosen == c)).sum() / ((c == LABELS) | (chosen == c)).sum() for c in range(3)]
    assert float(made.result()) == pytest.approx(np.mean(overlaps), rel=1e-5)


def test_a_single_unit_is_no_class_among_others():
    """Its softmax is 1 whatever it is given, and the loss 0 or a constant: nothing would be learned, in silence."""
    constant = keras.losses.sparse_categorical_crossentropy(np.zeros(4), np.random.rand(4, 1), from_logits=True)
    assert np.asarray(constant).tolist() == [0, 0, 0, 0]
    one = head(units=1)
    for loss in ("sparse_categorical_crossentropy", keras.losses.CategoricalCrossentropy(label_smoothing=0.1)):
        with pytest.raises(ValueError, match=r"loss must be one of a single unit, as 'dense.*'binary_crossentropy'"):
            compile_args(one, loss=loss)
    for loss in ("binary_crossentropy", "mse"):
        with pytest.raises(ValueError, match="model must be one that ends in a sigmoid or in logits"):
            compile_args(head(layers.Softmax(), layers.Dropout(0.5), units=1), loss=loss)
        assert compile_args(head(layers.Activation("sigmoid"), units=1), loss=loss)
        assert compile_args(one, loss=loss)
    with pytest.raises(ValueError, match="loss must be one of a single unit"):
        compile_args(one, metrics=["mse"])


def test_what_compile_has_no_argument_for():
    with pytest.raises(TypeError, match=r"unexpected argument 'los_weights'; did you mean 'loss_weights'"):
        compile_args(head(), los_weights=[1])


def test_an_average_of_ones_own_function_is_taken_as_it_is():
    metrics = [AVERAGED(lambda labels, predictions: keras.ops.mean(predictions, -1), name="mean")]
    assert compile_args(head(), loss="mse", metrics=metrics)["metrics"] == metrics


def test_a_metric_of_what_is_not_known():
    model = head(layers.ReLU())
    with pytest.raises(ValueError, match=r"metrics\[0\] must be a metric object with from_logits, as what 're_lu"):
        compile_args(model, loss="mse", metrics=["sparse_categorical_crossentropy"])
    own = keras.metrics.SparseCategoricalCrossentropy(from_logits=True)
    assert compile_args(model, loss="mse", metrics=[own])["metrics"] == [own]
