"""Every format answers in its own runtime what the model answers, or there is no file and a line that says why."""

from __future__ import annotations

import dataclasses
import importlib.util
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks import blocks
from layerblocks.architectures import cifar_resnet, lenet5, unet
from layerblocks.blocks import classifier, conv, conv_bn, weightless
from layerblocks.blocks.layers import (
    AdaptiveAveragePooling2D,
    Add,
    DilatedAveragePooling2D,
    DilatedMaxPooling2D,
    LocalResponseNormalization,
    MatchSize,
    MinimumSize,
    PadChannels,
    RadialBasisDense,
    SparseConv2D,
    StochasticDepth,
)
from layerblocks.models import export, inference_model
from layerblocks.models import file_formats as runtimes

from ..agreement import differ, images, randomize, run
from ..helpers import needs_half, needs_tensorflow


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Files are asked in this process, which is quicker; `test_clean_processes.py` asks them in their own."""
    monkeypatch.setattr(runtimes.formats, "APART", False)


PATHS = {kind.word: f"net{kind.ending}" for kind in runtimes.FORMATS.values()}


@pytest.fixture(params=PATHS)
def place(request, tmp_path):
    kind = runtimes.FORMATS[request.param]
    if kind.needs and keras.backend.backend() != "tensorflow":
        pytest.skip(f"{request.param} is written by TensorFlow")
    for name in kind.needs:
        pytest.importorskip(name)
    return tmp_path / PATHS[request.param]


def pooled(x):
    return layers.MaxPooling2D()(x)


# Every block and layer that computes in a way of its own, of 4 channels.
PIECES = {
    "conv_bn": partial(conv_bn, filters=4),
    "dilated": partial(conv, filters=4, dilation_rate=2),
    "grouped": partial(conv, filters=4, groups=2, strides=2),
    "depthwise": blocks.depthwise,
    "separable": partial(blocks.separable, filters=4),
    "transposed": partial(blocks.transposed, filters=4),
    "response_norm": LocalResponseNormalization(),
    "group_norm": partial(conv, filters=4, norm=partial(blocks.group_norm, groups=2), activation="gelu"),
    "adaptive": AdaptiveAveragePooling2D((3, 2)),
    "concat": lambda x: blocks.concat([conv(x, 3), x]),
    "residual": lambda x: Add()([conv(x, 4), x]),
    "stochastic_depth": lambda x: x + StochasticDepth(0.5)(conv(x, 4)),
    "squeeze_excite": partial(blocks.squeeze_excite, ratio=2),
    "match": lambda x: MatchSize(1)([x, pooled(x)]),
    "match_larger": lambda x: MatchSize()([pooled(x), x]),
    "minimum": lambda x: layers.ReLU()(MinimumSize(6, 7)(x)),
    "pad_channels": PadChannels(6, strides=2),
    "dilated_average": DilatedAveragePooling2D(2, 2),
    "dilated_maximum": DilatedMaxPooling2D(3, 2),
    "sparse": SparseConv2D(2, 3, [[0, 1], [2]]),
    "tanh": lambda x: layers.Activation(blocks.scaled_tanh)(x),
    "radial": lambda x: RadialBasisDense(3)(layers.GlobalAveragePooling2D()(x)),
    "classifier": partial(classifier, classes=5),
}


def all_pieces(*sides, seed=0):
    """A model of all of them, each an output of its own."""
    x = keras.Input((*sides, 4))
    return randomize(keras.Model(x, {name: piece(x) for name, piece in PIECES.items()}, name="pieces"), seed)


@pytest.mark.sweep_but("keras", "onnx")
def test_every_piece(place):
    export(all_pieces(9, 10), place)


@pytest.mark.sweep_but("keras")
def test_every_piece_on_sizes_known_when_it_runs(place):
    export(all_pieces(None, None), place)


@pytest.mark.sweep
@needs_tensorflow
def test_int8(tmp_path):
    pytest.importorskip("tensorflow")
    x = keras.Input((9, 10, 4))
    # TensorFlow's own interpreter fails to divide int8; minus infinity around the image goes into the image's range.
    without = ("minimum", "dilated_average", "dilated_maximum")
    kept = {name: piece(x) for name, piece in PIECES.items() if name not in without}
    model = randomize(keras.Model(x, kept))
    data = images(12, 9, 10, 4)
    quantized = export(model, tmp_path / "net.tflite", representative_data=data)
    answer, runtime = run(model, data[:8]), runtimes.runtimes.load("litert", quantized, ["input"], True)
    for got, name in zip(runtime(data[:8]), sorted(kept), strict=True):
        assert differ(got, answer[name]) < 0.1, name
    with pytest.raises(RuntimeError, match=r"answers differently \(output \d+\): off by .* where 1e-06 is allowed"):
        export(model, quantized, representative_data=data, within=1e-6)


@needs_tensorflow
def test_int8_that_keeps_nothing_is_refused(tmp_path):
    x = keras.Input((4, 4, 2))
    model = keras.Model(x, classifier(x, 1000))
    with pytest.raises(RuntimeError, match=r"off by 1 of the answer, where .* what the steps of its int8 tensors let"):
        export(model, tmp_path / "net.tflite", representative_data=images(8, 4, 4, 2))
    assert list(tmp_path.iterdir()) == []


@needs_tensorflow
def test_what_int8_may_be_off_by_is_what_a_simulation_is_off_by(tmp_path):
    """A single convolution: rounding the image, the kernel and the answer to 8 bits, in NumPy."""
    x = keras.Input((12, 12, 4))
    model = randomize(keras.Model(x, conv(x, 8, activation=None, use_bias=False)))
    data = images(32, 12, 12, 4)
    path = export(model, tmp_path / "net.tflite", representative_data=data)
    exact = run(model, data)

    def rounded(array, step):
        return (np.round(array / step) * step).astype("float32")

    (kernel,) = model.get_weights()
    model.set_weights([rounded(kernel, np.abs(kernel).max((0, 1, 2)) / 127)])
    answer = run(model, rounded(data, np.ptp(data) / 255))
    answer = rounded(answer, np.ptp(exact) / 255)
    off = np.sqrt(np.mean((answer - exact) ** 2) / np.mean(exact**2))
    assert runtimes.LITERT.noise(path, model, data) == pytest.approx(off, rel=0.1)


SMALL = {
    "lenet5": partial(lenet5, classes=4),
    "cifar_resnet": partial(cifar_resnet, repeats=(1, 1, 1), classes=4, input_shape=(16, 16, 3)),
    "unet": partial(unet, filters=(2, 4, 6), padding="same", classes=2, input_shape=(None, None, 3)),
}


@pytest.mark.sweep_but("keras-lenet5", "keras-cifar_resnet", "onnx-lenet5", "litert-lenet5", "tf_saved_model-lenet5")
@pytest.mark.parametrize("name", SMALL)
def test_networks(name, place):
    model = randomize(SMALL[name]())
    export(inference_model(model), place)


def test_it_is_what_its_own_runtime_answers(place):
    """Asked here once more, without the code that checked."""
    x = keras.Input((8, 8, 3), name="image")
    model = randomize(keras.Model(x, classifier(conv_bn(x, 4), 5)))
    assert export(model, str(place)) == place
    data = images(3, 8, 8, 3, seed=5)
    match place.suffix:
        case ".keras":
            got = keras.models.load_model(place)(data)
        case ".tflite":
            interpreter = runtimes.runtimes.interpreter(place)
            interpreter.resize_tensor_input(0, data.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], data)
            interpreter.invoke()
            got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        case ".onnx":
            import onnxruntime

            (got,) = onnxruntime.InferenceSession(place).run(None, {"image": data})
        case _:
            import tensorflow as tf

            loaded = tf.saved_model.load(str(place))
            got = loaded.serve(data)
    assert differ(np.asarray(got), run(model, data)) < 1e-4


@pytest.mark.sweep_but("keras", "onnx", "tf_saved_model")
def test_inputs_and_outputs_of_every_structure(place):
    one, two = keras.Input((4,), name="z"), keras.Input((4,), name="a")
    many = [layers.Dense(2)(one) for _ in range(11)]
    export(keras.Model([one, two], [layers.Subtract()([one, two]), *many]), place)
    named = keras.Model({"later": one, "earlier": two}, {"off": layers.Subtract()([one, two]), "and": many[0]})
    export(named, place)  # in the place of the first
    whole = keras.Input((3,), dtype="int32")
    export(keras.Model(whole, layers.Embedding(2, 3)(whole)), place)
    export(keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(2, 3)]), place)


class Own(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(x)


@needs_tensorflow
def test_a_subclassed_model_needs_a_batch(tmp_path):
    model = Own(name="own")
    model(images(1, 3))
    with pytest.raises(ValueError, match="export: check must be a batch, or False, where the model is a Own, got True"):
        export(model, tmp_path / "net.onnx")
    pytest.importorskip("tf2onnx")
    export(model, tmp_path / "net.onnx", check=images(2, 3))
    export(model, tmp_path / "unchecked", check=False)
    with pytest.raises(RuntimeError, match="'own' as 'keras' cannot be loaded: Could not locate class 'Own'"):
        export(model, tmp_path / "net.keras", check=images(2, 3))


def small():
    x = keras.Input((6, 6, 3))
    return keras.Model(x, conv(x, 2), name="small")


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def broken(word, **changed):
    return {**runtimes.FORMATS, word: dataclasses.replace(runtimes.FORMATS[word], **changed)}


def wrong(shift):
    def load(path, model):
        return lambda batch: [array + shift for array in runtimes.runtimes.flat(model(batch))]

    return load


FAILURES = {
    "off": (wrong(0.01), r"'small' as '\w+' answers differently: off by 0.0\d+ of the answer, where 0.0001 is allowed"),
    "not a number": (wrong(np.nan), "off by nan"),
    "shape": (
        wrong(np.zeros((2, 1, 1, 1, 1))),
        r"answers \(2, 2, 6, 6, 2\) to \(2, 6, 6, 3\), the model \(2, 6, 6, 2\)",
    ),
    "not loaded": (lambda path, model: 1 / 0, "cannot be loaded: division by zero"),
    "not run": (lambda path, model: lambda batch: 1 / 0, r"refuses a batch of \(2, 6, 6, 3\): division by zero"),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("word", ["keras", pytest.param("tf_saved_model", marks=needs_tensorflow)])
def test_a_failure_leaves_what_was_there(word, failure, tmp_path, monkeypatch):
    place, model = tmp_path / PATHS[word], small()
    load, said = FAILURES[failure]
    with monkeypatch.context() as patch:
        patch.setattr("layerblocks.models.exports.FORMATS", broken(word, load=load))
        with pytest.raises(RuntimeError, match=said):
            export(model, place)
        assert list(tmp_path.iterdir()) == []
    export(model, place)
    before = content(tmp_path)
    monkeypatch.setattr("layerblocks.models.exports.FORMATS", broken(word, load=load))
    with pytest.raises(RuntimeError, match=said):
        export(model, place)
    assert content(tmp_path) == before


@needs_tensorflow
def test_an_exporter_that_stops_half_way_leaves_nothing(tmp_path, monkeypatch):
    def write(model, path, options):
        path.mkdir()
        (path / "half").write_text("x")
        raise OSError("the disk is full")

    monkeypatch.setattr("layerblocks.models.exports.FORMATS", broken("tf_saved_model", write=write))
    with pytest.raises(RuntimeError, match="Keras cannot write 'small' as 'tf_saved_model': the disk is full"):
        export(small(), tmp_path / "net")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", [word for word, kind in runtimes.FORMATS.items() if kind.needs])
def test_what_is_not_installed_is_said_in_one_line(word, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    needs = runtimes.FORMATS[word].needs
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in needs else find(name))
    with pytest.raises(ImportError) as caught:
        export(small(), tmp_path / PATHS[word])
    package = "tensorflow" if needs == ("tensorflow",) else "'layerblocks[export]'"
    assert str(caught.value) == f"export: format={word!r} needs {' and '.join(needs)}: pip install {package}"


def test_other_backends(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"needs Keras on tensorflow, not on jax; a \.keras file goes"):
        export(small(), tmp_path / "net")


@needs_half
def test_half_precision(place):
    x = keras.Input((6, 6, 3))
    model = inference_model(keras.Model(x, classifier(conv_bn(x, 2, name="first"), 2)), dtype="bfloat16")
    if place.suffix in (".keras", ""):
        export(model, place)
    else:
        with pytest.raises(ValueError, match=r"model must be one that computes in float32 where .*'first\.conv'"):
            export(model, place)


@needs_tensorflow
def test_an_operation_that_a_runtime_lacks(tmp_path):
    pytest.importorskip("tensorflow")
    x = keras.Input((4,))
    with pytest.raises(RuntimeError, match="Keras cannot write 'odd' as 'litert': it has no Erfinv of TensorFlow"):
        export(keras.Model(x, keras.ops.erfinv(x), name="odd"), tmp_path / "net.tflite")


def test_every_format_is_in_the_help():
    """And has an ending of its own; the tests above walk them all."""
    known = {"keras": "net.keras", "tf_saved_model": "net", "litert": "net.tflite", "onnx": "net.onnx"}
    assert known.items() <= PATHS.items()
    assert len({*PATHS.values()}) == len(PATHS)
    for kind in runtimes.FORMATS.values():
        assert f"| `{kind.word}` |" in export.__doc__ and f"| {kind.loaded_by} |" in export.__doc__


def test_bad_input(tmp_path):
    model, path = small(), tmp_path / "net.keras"
    for argument, error, said in [
        ({"format": "onxx"}, ValueError, "format must be one of .* did you mean 'onnx'"),
        ({"format": "onnx"}, ValueError, "path must be a path that ends in .onnx for format='onnx'"),
        ({"check": images(2, 5)}, ValueError, ""),
        ({"within": 0}, ValueError, "within must be a positive number or None"),
        ({"within": "1e-4"}, TypeError, "within must be a positive number or None"),
        (
            {"representative_data": images(2, 6, 6, 3)},
            ValueError,
            "format must be 'litert' with representative_data, which is for int8, got 'keras'",
        ),
    ]:
        with pytest.raises(error, match=said):
            export(model, path, **argument)
    with pytest.raises(TypeError, match="export: model must be a Keras model, got "):
        export("resnet50", path)
    with pytest.raises(TypeError, match="export: path must be a path, got None"):
        export(model, None)
    with pytest.raises(ValueError, match=r"a path that ends in .keras, .tflite, .onnx, or in nothing .* did you mean"):
        export(model, tmp_path / "net.onxx")
    with pytest.raises(ValueError, match="representative_data must be arrays, a list, a"):
        export(model, tmp_path / "net.tflite", representative_data=[])
    with weightless():
        unmade = small()
    with pytest.raises(ValueError, match="model must be a model that has weights"):
        export(unmade, path)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be(tmp_path):
    model = small()
    with pytest.raises(FileNotFoundError, match=r"the folder '.*nowhere' does not exist"):
        export(model, tmp_path / "nowhere" / "net.keras")
    (tmp_path / "net.keras").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        export(model, tmp_path / "net.keras")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="is a file, and 'tf_saved_model' is a folder"):
        export(model, tmp_path / "file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("mine")
    with pytest.raises(FileExistsError, match="has other things in it than a model"):
        export(model, tmp_path / "folder")
    assert {path.name for path in tmp_path.iterdir()} == {"net.keras", "file", "folder"}
