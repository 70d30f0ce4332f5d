"""Files are asked in a process that has only their runtime; what they need besides is said."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks import checks
from layerblocks.architectures import densenet121, googlenet, resnet18, unet
from layerblocks.blocks import aux_classifier, conv_bn
from layerblocks.blocks.layers import MinimumSize, StochasticDepth
from layerblocks.models import export
from layerblocks.models.calibration import MOST, examples_of
from layerblocks.models.file_formats import formats
from layerblocks.models.plain_keras import plain

from ..agreement import differ, images, randomize, run
from ..helpers import needs_tensorflow
from .test_exports import PIECES

ANY = {"input_shape": (None, None, 3), "classes": 3}
NETWORKS = {
    "resnet18": partial(resnet18, **ANY),
    "densenet121": partial(densenet121, **ANY),
    "unet": partial(unet, filters=(4, 8, 8), padding="same", **ANY),
    "googlenet": partial(googlenet, aux=partial(aux_classifier, output_size=4), **ANY),
}

OPEN = """
import sys
import keras
import numpy as np
model = keras.models.load_model(sys.argv[1])
assert not [name for name in sys.modules if name.startswith("layerblocks")]
answer = model(np.load(sys.argv[2]), training=False)
answer = keras.tree.flatten(answer)
np.savez(sys.argv[3], *[keras.ops.convert_to_numpy(part) for part in answer])
"""


def config_of(path):
    with zipfile.ZipFile(path) as file:
        return file.read("config.json").decode()


@pytest.mark.sweep
@pytest.mark.parametrize("name", NETWORKS)
def test_a_keras_file_opens_with_keras_alone(name, tmp_path, monkeypatch):
    """By a program of its own, which nothing here has written but these lines."""
    model = randomize(NETWORKS[name]())
    monkeypatch.setattr(formats, "APART", False)
    path = export(model, tmp_path / "net.keras")
    assert "layerblocks" not in config_of(path) and path.imports == ()
    x = images(2, 67, 90, 3)
    np.save(tmp_path / "x.npy", x)
    files = [str(tmp_path / name) for name in ("net.keras", "x.npy", "y.npz")]
    subprocess.run([sys.executable, "-P", "-c", OPEN, *files], check=True)
    got = np.load(tmp_path / "y.npz")
    expected = keras.tree.flatten(run(model, x))
    for number, answer in enumerate(expected):
        assert differ(got[f"arr_{number}"], np.asarray(answer)) < 1e-4


@pytest.mark.parametrize("sides", [pytest.param((9, 10), marks=pytest.mark.sweep), (None, None)], ids=["known", "any"])
@pytest.mark.parametrize("name", PIECES)
def test_every_piece_has_a_plain_form(name, sides):
    """Of the same numbers, and with nothing of ours in its configuration."""
    x = keras.Input((*sides, 4))
    model = randomize(keras.Model(x, PIECES[name](x)))
    made = plain(model)
    assert "layerblocks" not in made.to_json()
    again = keras.models.model_from_json(made.to_json())
    again.set_weights(made.get_weights())
    data = images(2, 9, 10, 4)
    assert differ(np.asarray(again(data)), np.asarray(model(data))) < 1e-5


def test_a_plain_model_is_left_as_it_is():
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, conv_bn(x, 4))
    assert plain(model) is model


def test_plain_forms_inside_nested_models_and_what_stays():
    x = keras.Input((8, 8, 3))
    inner = keras.Model(x, StochasticDepth(0.5)(MinimumSize(4, 4)(x)), name="inner")
    y = keras.Input((8, 8, 3))
    made = plain(keras.Model(y, inner(y)))
    assert "layerblocks" not in made.to_json()
    (dropout,) = made.get_layer("inner").layers[1:]
    dropped = np.asarray(dropout(np.ones((200, 2, 2, 3)), training=True))
    assert {len({*one.ravel()}) for one in dropped} == {1} and {*dropped.ravel()} == {0.0, 2.0}


def wrapped():
    """Ours in a wrapper, which is not looked into."""
    x = keras.Input((3, 8, 8, 3))
    return keras.Model(x, layers.TimeDistributed(MinimumSize(4, 4))(x), name="wrapped")


@pytest.mark.sweep
def test_the_import_that_is_needed_is_said(tmp_path):
    with pytest.warns(UserWarning, match=r"^export: net.keras opens only after `import layerblocks.blocks.layers`"):
        path = export(wrapped(), tmp_path / "net.keras")
    assert path.imports == ("layerblocks.blocks.layers",)


@pytest.mark.sweep_but("net.keras")
@pytest.mark.parametrize(
    "place", ["net.keras", *(pytest.param(p, marks=needs_tensorflow) for p in ("net", "net.tflite", "net.onnx"))]
)
def test_each_format_is_asked_in_its_own_process(place, tmp_path, monkeypatch):
    asked = []
    here = subprocess.run

    def counted(command, **options):
        if "runtimes.py" in str(command):
            asked.append(command)
        return here(command, **options)

    monkeypatch.setattr(subprocess, "run", counted)
    x = keras.Input((8, 8, 3))
    model = randomize(keras.Model(x, layers.Dense(2)(layers.Flatten()(conv_bn(x, 4)))))
    path = export(model, tmp_path / place)
    assert len(asked) == 1
    size = sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
    assert path.size == size > 0 and path.parameters == model.count_params() and path.off < 1e-4
    assert path.report.startswith(f"{place}: ") and f"{path.parameters:,} parameters" in path.report
    assert export(model, tmp_path / place, check=False).off is None


# Preprocessing.


def of(layer, shape=(8, 8, 3), dtype="float32"):
    x = keras.Input(shape, dtype=dtype)
    return keras.Model(x, layer(x), name="net")


def adapted():
    layer = layers.Normalization()
    layer.adapt(images(4, 8, 8, 3))
    return of(layer)


WORKS = {
    "mean": lambda: of(layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])),
    "inverted": lambda: of(layers.Normalization(mean=1.0, variance=4.0, axis=None, invert=True)),
    "adapted": adapted,
    "nested": lambda: of(keras.Sequential([keras.Input((8, 8, 3)), layers.Normalization(mean=1.0, variance=4.0)])),
    "rescaling": lambda: of(layers.Rescaling(1 / 255, offset=-1)),
    "resizing": lambda: of(layers.Resizing(5, 6)),
    "center": lambda: of(layers.CenterCrop(5, 6)),
    "one-hot": lambda: of(layers.CategoryEncoding(4, output_mode="one_hot"), (1,), "int32"),
    "augmented": lambda: of(keras.Sequential([keras.Input((8, 8, 3)), layers.RandomFlip(), layers.RandomZoom(0.2)])),
    "contrast": lambda: of(layers.RandomContrast(0.2)),
}
REFUSED = {
    "strings": (lambda: of(layers.StringLookup(vocabulary=["a"]), (1,), "string"), "LookupTableFindV2"),
    "integers": (lambda: of(layers.IntegerLookup(vocabulary=[0, 1]), (1,), "int64"), "LookupTableFindV2"),
    "hashing": (lambda: of(layers.Hashing(4), (1,), "int32"), "StringToHashBucketFast"),
    "buckets": (lambda: of(layers.Discretization(bin_boundaries=[0.0, 1.0]), (3,)), "Bucketize"),
}


@needs_tensorflow
@pytest.mark.parametrize("name", WORKS)
def test_preprocessing_in_onnx(name, tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    monkeypatch.setattr(formats, "APART", False)
    assert export(WORKS[name](), tmp_path / "net.onnx").off < 1e-4


@needs_tensorflow
def test_what_was_never_called_is_written(tmp_path):
    pytest.importorskip("tf2onnx")
    assert export(WORKS["rescaling"](), tmp_path / "net.onnx", check=False).off is None


@needs_tensorflow
@pytest.mark.parametrize("name", REFUSED)
def test_preprocessing_that_onnx_has_not(name, tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    monkeypatch.setattr(formats, "APART", False)
    make, operation = REFUSED[name]
    with pytest.raises(RuntimeError, match=f"^export: 'net' as 'onnx' .*: it has no {operation} of TensorFlow$"):
        export(make(), tmp_path / "net.onnx")


@pytest.mark.sweep
@needs_tensorflow
def test_efficientnet_of_keras(tmp_path):
    model = keras.applications.EfficientNetB0(weights=None, input_shape=(32, 32, 3), classes=3)
    assert export(model, tmp_path / "net.onnx").off < 1e-4


@needs_tensorflow
def test_an_lstm_in_litert_says_one_line(tmp_path, capfd):
    pytest.importorskip("tensorflow")
    x = keras.Input((None, 3))
    with pytest.raises(RuntimeError, match=r"^export: .* 'net' as 'litert': it has no \w.* of TensorFlow$") as caught:
        model = keras.Model(x, layers.LSTM(4)(x), name="net")
        capfd.readouterr()
        export(model, tmp_path / "net.tflite")
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)
    assert "error:" not in "".join(capfd.readouterr())


# Calibration.


def generated(data):
    yield from data


def examples(x):
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((x, np.arange(len(x))))
    return {
        "array": x,
        "list of examples": list(x),
        "list of batches": [x[:3], x[3:]],
        "generator": generated(list(x)),
        "generator with labels": generated([(x[:2], np.zeros(2)), (x[2:], np.zeros(3))]),
        "dataset": data,
        "batched, endless": data.batch(2).repeat(),
        "tensors": [tf.constant(one) for one in x],
        "dict": {"image": x},
    }


def test_calibration_from_whatever_gives_examples():
    x = images(5, 4, 4, 1)
    model = of(layers.Flatten(), (4, 4, 1))
    for name, given in examples(x).items():
        found = examples_of(given, model)
        if "endless" in name:
            assert len(found) == MOST
        assert np.array_equal(found[:5], x), name
    one, two = keras.Input((3,), name="b"), keras.Input((2,), name="a")
    model = keras.Model([one, two], layers.Concatenate()([one, two]))
    parts = images(5, 3), images(5, 2)
    pairs = [*zip(*parts, strict=True)]
    for given in (list(parts), parts, {"b": parts[0], "a": parts[1]}, pairs, generated((pair, 1) for pair in pairs)):
        found = examples_of(given, model)
        assert all(np.array_equal(a, b) for a, b in zip(found, parts, strict=True))


def failing():
    yield images(4, 4, 1)
    raise OSError("no such image")


@pytest.mark.parametrize(
    "given",
    [[], 3, "folder", images(5, 4, 4, 2), [images(4, 4, 1), images(4, 4, 2)], [None], failing(), images(0, 4, 4, 1)],
)
def test_what_are_no_examples(given, tmp_path):
    model = of(layers.Flatten(), (4, 4, 1))
    with (
        pytest.raises(
            (TypeError, ValueError), match=r"^export: representative_data must be arrays, a list, a gen"
        ) as caught,
        checks.speaking("export"),
    ):
        examples_of(given, model)
    assert "\n" not in str(caught.value)
