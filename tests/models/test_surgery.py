"""Surgery: the piece is changed, every other layer is the same object, its weights and results are untouched."""

from __future__ import annotations

import json
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import cifar_resnet20, googlenet, resnet18, resnet50, vgg16
from layerblocks.architectures.resnets import resnet_conv
from layerblocks.blocks import (
    add,
    aux_classifier,
    basic_residual,
    block,
    bottleneck,
    classifier,
    conv,
    deep_graphs,
    dilated,
    group_norm,
    inception_stacked,
    pixel_predictions,
    separable,
    squeeze_excite,
    weightless,
)
from layerblocks.models import features, inference_model, insert, remove, replace, tensor_at, truncate, with_new_head
from layerblocks.training import compile_args, label_every_output

from ..agreement import images, made, randomize, run
from ..helpers import dear

SMALL = {"input_shape": (64, 64, 3), "classes": 5}


@pytest.fixture(scope="module")
def resnet():
    return randomize(resnet50(**SMALL))


@pytest.fixture(scope="module")
def net():
    """Three outputs, two of them auxiliary."""
    return randomize(googlenet(aux=partial(aux_classifier, output_size=1, filters=8, units=16), **SMALL))


def inside(name: str, block: str) -> bool:
    return f"{name}.".startswith(f"{block}.")


def others(model, block: str) -> dict[str, keras.layers.Layer]:
    return {
        layer.name: layer
        for layer in model.layers
        if not inside(layer.name, block) and not isinstance(layer, keras.layers.InputLayer)
    }


def weights(layers) -> dict[str, np.ndarray]:
    return {variable.path: variable.numpy() for layer in layers.values() for variable in layer.weights}


def same(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> bool:
    return before.keys() == after.keys() and all(np.array_equal(before[path], after[path]) for path in before)


def same_values(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(keras.tree.flatten(a), keras.tree.flatten(b), strict=True))


class untouched:
    """Everything but a block is the same layers with the same weights, and the old model computes what it did."""

    def __init__(self, model, block):
        self.model, self.block = model, block

    def __enter__(self):
        self.layers, self.x = others(self.model, self.block), images(2, 64, 64, 3)
        self.weights, self.outputs = weights(self.layers), run(self.model, self.x)
        return self

    def check(self, changed, new=None):
        layers = others(changed, self.block if new is None else new)
        assert layers == self.layers
        assert same(self.weights, weights(layers))
        assert changed.name == self.model.name

    def __exit__(self, *_):
        assert same_values(run(self.model, self.x), self.outputs)


# A trained ResNet-50 and GoogLeNet.


def test_a_bottleneck_becomes_one_with_squeeze_and_excitation(resnet):
    se_bottleneck = partial(bottleneck, filters=1024, conv=resnet_conv, transforms=[squeeze_excite])
    with untouched(resnet, "stage3.block4") as kept:
        changed = replace(resnet, "stage3.block4", se_bottleneck)
        kept.check(changed)
    new = [layer.name for layer in changed.layers if inside(layer.name, "stage3.block4")]
    assert "stage3.block4.conv1.conv" in new and any("squeeze_excite" in name for name in new)
    assert changed.count_params() == resnet.count_params() + 1024 * 64 + 64 + 64 * 1024 + 1024
    assert run(changed, kept.x).shape == (2, 5)


def test_the_same_block_with_the_same_weights_computes_the_same(resnet):
    changed = replace(resnet, "stage2.block3", partial(bottleneck, filters=512, conv=resnet_conv))
    for layer in resnet.layers:
        if inside(layer.name, "stage2.block3"):
            twin = changed.get_layer(layer.name)
            assert twin is not layer
            twin.set_weights(layer.get_weights())
    x = images(2, 64, 64, 3)
    assert np.array_equal(run(changed, x), run(resnet, x))


def test_a_stage_becomes_dilated(resnet):
    @block
    def stage(x, filters, *, conv):
        for number in (1, 2, 3):
            x = bottleneck(x, filters, conv=conv, name=f"block{number}")
        return x

    with untouched(resnet, "stage4") as kept:
        changed = replace(resnet, "stage4", partial(stage, filters=2048, conv=partial(dilated, norm=group_norm)))
        kept.check(changed)
    assert tensor_at(changed, "stage4").shape == (None, 4, 4, 2048)
    assert changed.get_layer("stage4.block2.conv2.conv").dilation_rate == (2, 2)
    assert run(changed, kept.x).shape == (2, 5)
    assert features(changed, None).output["stride16"] is tensor_at(changed, "stage4")


def test_the_last_stage_goes(resnet):
    with untouched(resnet, "stage4") as kept:
        body = truncate(resnet, "stage3")
        changed = with_new_head(body, 7, dropout=0.3)
    layers = others(changed, "classifier")
    assert layers == {name: layer for name, layer in others(resnet, "stage4").items() if not inside(name, "classifier")}
    assert same(weights(layers), {path: value for path, value in kept.weights.items() if path.split("/")[-2] in layers})
    assert [layer.name for layer in changed.layers[-3:]] == [
        f"classifier.{n}" for n in ("pool", "dropout", "predictions")
    ]
    assert np.array_equal(run(body, kept.x), run(keras.Model(resnet.input, tensor_at(resnet, "stage3")), kept.x))
    assert run(changed, kept.x).shape == (2, 7)


def test_a_stage_that_does_not_fit_says_where(resnet):
    with pytest.raises(
        ValueError, match=r"remove: what 'classifier.predictions' receives must be \(None, 2048\), got \(None, 1024\)"
    ):
        remove(resnet, "stage4")
    with pytest.raises(ValueError, match=r"replace: what 'stage3.block5.add' receives must be .*1024.*, got .*1000"):
        replace(resnet, "stage3.block5.conv3", partial(conv, filters=1000, kernel_size=1))


def test_an_inception_block_of_googlenet_and_its_heads(net):
    with untouched(net, "inception_4b") as kept:
        changed = replace(net, "inception_4b", lambda x: inception_stacked(x, 160, (112, 224), (24, 64, 64), 64))
        kept.check(changed)
    assert sorted(changed.output) == ["aux1", "aux2", "main"]
    assert changed.loss_weights == net.loss_weights == {"main": 1.0, "aux1": 0.3, "aux2": 0.3}
    before, after = kept.outputs, run(changed, kept.x)
    assert np.array_equal(before["aux1"], after["aux1"])  # sits before the change
    assert not np.array_equal(before["aux2"], after["aux2"])
    assert inference_model(changed).count_params() == changed.count_params() - sum(
        layer.count_params() for layer in net.layers if layer.name.startswith("aux")
    )


def test_a_changed_model_trains_with_its_heads(net):
    changed = with_new_head(insert(net, "inception_5a", squeeze_excite), 3, activation=None)
    changed.compile(**compile_args(changed, "sgd", run_eagerly=True))
    assert all(loss.from_logits for loss in changed._compile_loss._user_loss.values())
    data = label_every_output((images(4, 64, 64, 3), np.array([0, 1, 2, 0])), changed)
    logs = changed.fit(*data, verbose=0).history
    assert {"main_accuracy", "aux1_accuracy", "aux2_accuracy"} <= set(logs)


def test_heads_go_one_by_one(net):
    x = images(2, 64, 64, 3)
    before = run(net, x)
    one = remove(net, "aux1")
    assert sorted(one.output) == ["aux2", "main"] and one.loss_weights == {"main": 1.0, "aux2": 0.3}
    none = remove(one, "aux2")
    assert sorted(none.output) == ["main"]
    assert np.array_equal(run(none, x)["main"], before["main"])
    assert not any(layer.name.startswith("aux") for layer in none.layers)
    hidden = remove(net, "aux1.classifier.predictions")  # not the whole head
    assert hidden.output["aux1"].shape == (None, 16)
    with pytest.raises(ValueError, match="remove: name must be a block that one tensor enters"):
        remove(net, "inception_4b.concat")


def test_truncating_keeps_the_heads_that_nothing_was_cut_from(net):
    assert sorted(truncate(net, "inception_4d").output) == ["aux1", "aux2", "main"]
    assert sorted(truncate(net, "inception_4c").output) == ["aux1", "main"]
    model = truncate(net, "inception_3b")
    assert sorted(model.output) == ["main"] and model.output["main"].shape == (None, 8, 8, 480)


# Any network, any place.


with weightless():
    NETS = [
        cifar_resnet20(),
        resnet18(input_shape=(64, 64, 3)),
        googlenet(input_shape=(96, 96, 3)),
        vgg16(input_shape=(32, 32, 3)),
        keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3)),
        keras.applications.DenseNet121(weights=None, input_shape=(64, 64, 3)),
    ]


def blocks_of(model) -> list[str]:
    names = {".".join(layer.name.split(".")[:length]) for layer in model.layers for length in range(1, 4)}
    return sorted(names | {"_".join(layer.name.split("_")[:2]) for layer in model.layers} - {"input_layer"})


@st.composite
def places(draw):
    model = draw(st.sampled_from(NETS))
    return model, draw(st.sampled_from(blocks_of(model)))


def structure(model):
    """All that a file says but what it remembers."""
    config = json.loads(model.to_json())["config"]
    config["layers"][0].pop("origin", None)
    return config


@given(places())
@dear
def test_a_linear_layer_behind_any_block(place):
    model, name = place
    with weightless():
        try:
            changed = insert(model, name, keras.layers.Activation("linear", name="nothing"))
        except ValueError as error:
            assert "one tensor leaves" in str(error)
            return
        restored = remove(changed, "nothing")
    old, new = ({layer.name: layer for layer in m.layers if layer.weights} for m in (model, changed))
    assert old == new == {layer.name: layer for layer in restored.layers if layer.weights}
    assert structure(restored) == structure(keras.Model(model.input, model.output, name=model.name))


@given(
    places(), st.sampled_from([partial(conv, filters=24), partial(separable, filters=40, strides=2), squeeze_excite])
)
def test_any_block_anywhere_fits_or_says_where_not(place, fn):
    """What a changed model says of its shapes is what it has when made anew from its configuration."""
    model, name = place
    with weightless():
        try:
            changed = replace(model, name, fn)
        except (ValueError, TypeError) as error:
            assert str(error).startswith(("replace: ", "conv", "separable", "squeeze_excite", "global_avg_pool"))
            return
        again = keras.Model.from_config(changed.get_config())
    assert keras.tree.map_structure(lambda x: tuple(x.shape), again.output) == keras.tree.map_structure(
        lambda x: tuple(x.shape), changed.output
    )
    assert again.count_params() == changed.count_params()
    stays = {
        layer.name for layer in model.layers if not (inside(layer.name, name) or layer.name.startswith(f"{name}_"))
    }
    assert all(
        changed.get_layer(n) is model.get_layer(n)
        for n in stays & {layer.name for layer in changed.layers if layer.weights}
    )


def test_models_of_keras_by_prefix():
    with weightless():
        model = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=5)
        changed = replace(model, "conv4_block6", partial(bottleneck, filters=1024))
        deeper = insert(changed, after="conv4_block6", fn=partial(bottleneck, filters=1024), name="conv4_block7")
        shorter = remove(changed, "conv4_block6")
        cut = truncate(model, "conv4_block6")
    assert not [layer.name for layer in changed.layers if layer.name.startswith("conv4_block6_")]
    assert changed.get_layer("conv4_block6.conv2.conv").filters == 256
    assert tensor_at(deeper, "conv4_block7").shape == (None, 4, 4, 1024)
    assert shorter.count_params() == model.count_params() - sum(
        layer.count_params() for layer in model.layers if layer.name.startswith("conv4_block6")
    )
    assert cut.output_shape == (None, 4, 4, 1024)
    assert cut.layers[-1].name == "conv4_block6_out"


@pytest.mark.parametrize("name", ["VGG16", "ResNet50V2", "MobileNet", "MobileNetV2", "DenseNet121", "EfficientNetB0"])
@pytest.mark.parametrize("top", [True, False])
def test_new_classes_on_models_of_keras(name, top):
    with weightless():
        model = getattr(keras.applications, name)(weights=None, include_top=top, input_shape=(64, 64, 3))
        changed = with_new_head(model, 7)
    assert changed.output_shape == (None, 7)
    kept = [layer for layer in model.layers if layer.weights]
    assert [layer for layer in changed.layers if layer.weights][:-1] == kept[: -1 if top else None]


def test_new_heads():
    with weightless():
        vgg = vgg16(input_shape=(32, 32, 3))
        swapped = with_new_head(vgg, 10, activation=None, use_bias=False)
        own = with_new_head(vgg, lambda x: classifier(conv(x, 64, name="narrow"), 10, name="classes"))
        hidden = with_new_head(truncate(vgg, "classifier.dense1"), 10)
        pooled = with_new_head(vgg16(include_top=False, pooling="max", input_shape=(32, 32, 3)), 10)
    last = swapped.layers[-1]
    assert (last.name, last.units, last.use_bias) == ("classifier.predictions", 10, False)
    assert last.activation is keras.activations.linear
    assert swapped.get_layer("classifier.dense1") is vgg.get_layer("classifier.dense1")
    assert [layer.name for layer in own.layers[-3:]] == [
        "head.narrow.conv",
        "head.classes.pool",
        "head.classes.predictions",
    ]
    assert own.layers[-4] is vgg.get_layer("block5.pool")
    assert [layer.name for layer in hidden.layers[-2:]] == ["classifier.dense1", "classifier_1.predictions"]
    assert isinstance(pooled.layers[-2], keras.layers.GlobalMaxPooling2D)
    assert pooled.layers[-1].name == "classifier.predictions"


# Graphs of every kind.


def test_shared_layers_nested_models_and_call_arguments():
    x, y = keras.Input((8,), name="x"), keras.Input((8,), name="y")
    shared, nested = (
        keras.layers.Dense(8, name="shared"),
        keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)], name="nested"),
    )
    first = nested(shared(keras.layers.Dropout(0.5, name="drop")(x, training=True)))
    second = shared(first)
    model = keras.Model({"x": x, "y": y}, [keras.layers.Add(name="sum")([second, nested(y)]), first], name="mine")
    data = {"x": images(3, 8), "y": images(3, 8, seed=1)}

    changed = insert(model, "sum", keras.layers.Dense(4, name="more"))
    assert changed.input.keys() == {"x", "y"} and [o.shape for o in changed.outputs] == [(None, 4), (None, 8)]
    assert changed.get_layer("nested") is nested and changed.get_layer("shared") is shared
    assert len({weight.path for weight in changed.weights}) == len(changed.weights)

    new = replace(model, "shared", lambda t: keras.layers.Dense(8, use_bias=False)(t))
    assert [layer.name for layer in new.layers if "shared" in layer.name] == ["shared.dense"]  # once, and called twice
    new.get_layer("shared.dense").set_weights([shared.kernel.numpy()])
    shared.bias.assign(np.zeros(8))
    dropless = [remove(m, "drop") for m in (model, new)]
    assert same_values(*(run(m, data) for m in dropless))
    assert not np.array_equal(run(model, data)[1], run(model, data)[1])  # still drops, as it was called to
    assert not np.array_equal(run(new, data)[1], run(new, data)[1])


def test_a_shared_layer_behind_itself():
    shared = keras.layers.Dense(4, name="shared")
    x = keras.Input((4,))
    model = keras.Model(x, shared(keras.layers.ReLU(name="between")(shared(x))))
    ones = keras.layers.Dense(4, kernel_initializer="ones", bias_initializer="ones")
    changed = replace(model, "shared", ones, keep_weights=False)
    assert [type(layer).__name__ for layer in changed.layers] == ["InputLayer", "Dense", "ReLU"]
    assert np.array_equal(run(changed, np.ones((1, 4), "float32")), np.full((1, 4), 21.0))


def test_behind_the_input():
    with weightless():
        model = resnet18(input_shape=(64, 64, 3))
        changed = insert(model, "input", keras.layers.Rescaling(1 / 255, name="scale"))
    assert [layer.name for layer in changed.layers[:3]] == ["input", "scale", "stem.conv"]
    assert changed.input_shape == (None, 64, 64, 3)


def test_a_new_piece_that_needs_larger_images_says_so():
    """TensorFlow on the CPU would return what lies in memory from a convolution larger than its image."""
    model = resnet18(input_shape=(None, None, 3), classes=3)
    changed = replace(model, "stage4", partial(conv, filters=512, kernel_size=3, strides=1, padding="valid"))
    assert run(changed, images(1, 33, 40, 3)).shape == (1, 3)
    with pytest.raises(ValueError, match="minimum_size: images must be of at least 33×33"):
        changed(images(1, 32, 40, 3))
    again = replace(changed, "stage3", partial(conv, filters=256, kernel_size=5, strides=2, padding="valid"))
    with pytest.raises(ValueError, match=r"minimum_size(_1)?: images must be of at least 65×65"):
        again(images(1, 64, 70, 3))
    assert run(again, images(1, 65, 65, 3)).shape == (1, 3)
    assert len(remove(model, "stage4.block2").layers) < len(model.layers)
    assert not any("minimum_size" in layer.name for layer in remove(model, "stage4.block2").layers)


def test_several_tensors_and_operations():
    x = keras.Input((8, 8, 4))
    a, b = conv(x, 4, name="a"), conv(x, 4, name="b")
    model = keras.Model(x, conv(keras.ops.relu(a + b), 2, name="c"))
    operation = next(op.name for op in model.operations if type(op).__name__ == "Add")
    changed = replace(model, operation, lambda tensors: add(tensors, name="add"))
    assert changed.get_layer(f"{operation}.add") and changed.get_layer("c.conv") is model.get_layer("c.conv")
    data = images(1, 8, 8, 4)
    assert np.array_equal(run(changed, data), run(model, data))
    with pytest.raises(ValueError, match="a block that one tensor enters, not 2"):
        remove(model, operation)
    with pytest.raises(ValueError, match=r"must be \(None, 8, 8, 4\) and \(None, 8, 8, 4\), got .* \(None, 8, 8, 1\)"):
        replace(model, "b", partial(conv, filters=1))  # Keras alone would broadcast it


def test_sequential_models():
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="one"), keras.layers.Dense(2, name="two")])
    changed = insert(model, "one", keras.layers.Activation("tanh", name="bend"))
    assert [layer.name for layer in changed.layers[1:]] == ["one", "bend", "two"]
    assert with_new_head(model, 9).output_shape == (None, 9)


def test_a_layer_called_anew_is_known_by_its_model():
    """`layer.output` is that of the first call; nothing of the old network gets into the new one unseen."""
    with weightless():
        model = resnet18(input_shape=(64, 64, 3))
        changed = replace(model, "stage2.block2", partial(basic_residual, filters=128))
        later = "stage3.block1.activation"
        assert tensor_at(changed, later) is not model.get_layer(later).output
        keras.Model(changed.input, tensor_at(changed, later))
        with pytest.raises(ValueError):
            keras.Model(changed.input, model.get_layer(later).output)
        # Where nothing is called anew the new model stands on the old tensors.
        assert tensor_at(with_new_head(model, 3), later) is model.get_layer(later).output


@pytest.mark.sweep
def test_a_thousand_blocks_deep():
    with weightless():
        x = y = keras.Input((4, 4, 2))
        for number in range(1000):
            y = keras.layers.ReLU(name=f"relu{number}")(y)
        with deep_graphs():
            model = keras.Model(x, y)
        changed = replace(model, "relu3", partial(conv, filters=2))
        assert len(remove(truncate(changed, "relu998"), "relu500").layers) == 999


def test_saving(tmp_path, net):
    changed = insert(remove(net, "aux2"), "inception_5b", squeeze_excite)
    changed = with_new_head(changed, lambda x: classifier(x, 4, name="four"))
    changed.save(tmp_path / "changed.keras")
    x = images(2, 64, 64, 3)
    before, after = run(changed, x), run(keras.saving.load_model(tmp_path / "changed.keras"), x)
    assert sorted(before) == ["aux1", "main"] and before["main"].shape == (2, 4)
    assert same_values(before, after)


# Bad input.

HEAD = "a positive integer, the number of classes, or a function of one tensor"
HEADS = f"{HEAD}, or a dict of these by output"


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda m: replace(m, "stage3.blok1", conv),
            ValueError,
            r"replace: name must be .*did you mean 'stage3.block1'\?, got",
        ),
        (lambda m: truncate(m, "stage9"), ValueError, r"truncate: at must be .*did you mean 'stage"),
        (lambda m: insert(m, 3, conv), TypeError, "insert: after must be the name of a layer or block, got 3"),
        (lambda m: replace(m, "stage1", 3), TypeError, "replace: fn must be a function of one tensor, got 3"),
        (lambda m: replace(m, "input", lambda x: x), ValueError, "replace: name must be a block that a tensor enters"),
        (
            lambda m: replace(m, "stage1", lambda x: None),
            TypeError,
            "replace: fn must be a function that gives sym",
        ),
        (
            lambda m: replace(m, "stage1", lambda x: [x, x]),
            ValueError,
            "replace: fn must be a function that gives 1 tensors",
        ),
        (lambda m: insert(m, "stage1", keras.layers.ReLU(name="pool")), ValueError, "insert: fn must be .*got 'pool'"),
        (
            lambda m: insert(m, "stage1", conv, name="stage2"),
            ValueError,
            "insert: name must be one that the model does not",
        ),
        (
            lambda m: insert(m, "stage1", keras.layers.ReLU(name="bend"), name="other"),
            ValueError,
            "insert: name must be None where fn is a layer, which has a name of its own, 'bend', got 'other'",
        ),
        (lambda m: insert(m, "stage1", conv, name="a/b"), ValueError, "insert: name must be words of A-Z"),
        (lambda m: insert(m, "stage1", conv, name=3), TypeError, "insert: name must be a string"),
        (
            lambda m: insert(m, "stage1", lambda x: keras.Input(x.shape[1:])),
            ValueError,
            "insert: fn must be a function of the tensor that it is given, and of no other",
        ),
        (lambda m: with_new_head(m, 0), ValueError, f"with_new_head: head must be {HEADS}, got 0"),
        (lambda m: with_new_head(m, "ten"), TypeError, f"with_new_head: head must be {HEADS}, got 'ten'"),
        (lambda m: with_new_head(m, keras.layers.ReLU), TypeError, f"with_new_head: head must be {HEAD}, got <class"),
        (
            lambda m: with_new_head(m, lambda: 3),
            TypeError,
            rf"^with_new_head: head must be {HEAD} \(too many positional arguments\), got <function",
        ),
        (
            lambda m: replace(m, "stage1", lambda x, y: x),
            TypeError,
            r"^replace: fn must be a function of one tensor \(missing a required argument: 'y'\), got <function",
        ),
        (
            lambda m: with_new_head(m, partial(pixel_predictions, activatoin=None)),
            TypeError,
            f"^with_new_head: head must be {HEAD}; pixel_predictions has no argument 'activatoin'; "
            "did you mean 'activation'",
        ),
        (
            lambda m: with_new_head(m, partial(classifier, clases=3)),
            TypeError,
            rf"^with_new_head: head must be {HEAD}.*'classes'.*, got functools.partial",
        ),
        (
            lambda m: with_new_head(m, lambda x: 3),
            TypeError,
            "^with_new_head: head must be a function that gives symbolic tensors, got 3$",
        ),
        (
            lambda m: with_new_head(m, lambda x: [x, x]),
            ValueError,
            "^with_new_head: head must be a function that gives 1 tensors",
        ),
        (
            lambda m: with_new_head(m, 5, activation="softmx"),
            ValueError,
            "^with_new_head: activation must be a name in keras.activations .*did you mean 'softmax'.*, got 'softmx'$",
        ),
        (lambda m: with_new_head(m, 5, units=3), TypeError, "^with_new_head: unexpected argument 'units'"),
        (
            lambda m: with_new_head(m, 3, unit=4),
            TypeError,
            "with_new_head: unexpected argument 'unit'; did you mean 'units'",
        ),
        (lambda m: with_new_head(m, lambda x: x, dropout=1), TypeError, "unexpected argument 'dropout' where head is"),
        (lambda m: remove("resnet18", "stage1"), TypeError, "remove: model must be a functional or a built model"),
        (lambda m: remove(keras.Sequential(), "stage1"), TypeError, "remove: model must be a functional or a built"),
    ],
)
def test_bad_input(call, error, message):
    model = made(resnet18, input_shape=(64, 64, 3))
    with weightless(), pytest.raises(error, match=message):
        call(model)


def test_a_block_that_is_entered_again():
    x = keras.Input((4,))
    y = keras.layers.Dense(4, name="twin.one")(x)
    z = keras.layers.Dense(4, name="between")(y)
    model = keras.Model(x, keras.layers.Dense(4, name="twin.two")(z))
    with pytest.raises(ValueError, match="replace: name must be a block that what leaves it does not enter again"):
        replace(model, "twin", lambda tensors: tensors[0])
