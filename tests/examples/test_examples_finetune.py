"""Fine-tuning: any network of the table, what moves in which phase, what it is worth, what is refused."""

from __future__ import annotations

import gc
import json
import re
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.models import freeze

from ..helpers import needs_tensorflow
from .programs import lines_of_refusal, programs

pytestmark = needs_tensorflow

data, finetune, runs, train = programs("data", "finetune", "runs", "train")

NETS = """
import keras
from layerblocks.blocks import classifier, conv, conv_bn, vgg_block

def small(input_shape, classes, conv=conv):
    images = x = keras.Input(input_shape)
    for number, filters in enumerate((16, 32, 64), 1):
        x = vgg_block(x, filters, 2, conv=conv, name=f"block{number}")
    return keras.Model(images, classifier(x, classes, name="classifier"), name="small")

def heads(input_shape, classes):
    images = keras.Input(input_shape)
    x = conv_bn(images, 8, strides=2, name="stem")
    aux = classifier(x, classes, activation=None, name="aux1")
    x = conv_bn(x, 16, strides=2, name="body")
    return keras.Model(images, {"main": classifier(x, classes, activation=None, name="main"), "aux1": aux})
"""


def call(*words):
    """The exit code of finetune.py in this process."""
    return runs.exit_code("finetune.py", lambda: finetune.main([*map(str, words)]))


def tune(*words):
    return call("train", *words, "--verbose", 0)


def refused(capsys, *words):
    said = lines_of_refusal(capsys, lambda: call(*words))
    assert ": error: " in said[-1]
    return said[-1].partition(": error: ")[2]


def accuracy(out):
    return float(re.search(r"test: \d+ images, accuracy ([\d.]+)%", out).group(1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Digits from 0 to 4 and from 5 to 9 as files, and networks."""
    root, digits = tmp_path_factory.mktemp("finetune"), load_digits()
    for number, (pixels, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        target = root / ("low" if digit < 5 else "high") / str(digit)
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 255 / 16).round().astype("uint8")).save(target / f"{number}.png")
    (root / "nets.py").write_text(NETS)
    return root


@pytest.fixture(scope="module")
def trained(folder):
    """A network that was trained a little on the digits from 0 to 4."""
    words = [f"{folder}/nets.py:small", "--data", folder / "low", "--size", 16, "--epochs", 2, "--verbose", 0]
    words += ["--learning-rate", 2e-3, "--steps-per-epoch", 5]
    words += ["--rotation", 10, "--shift", 0.1, "--zoom", 0.1, "--output", folder / "trained"]
    train.main([*map(str, words)])
    return folder / "trained" / "best.keras"


@pytest.fixture(scope="module")
def tuned(folder, trained):
    words = [trained, "--data", folder / "high", "--up-to", "block1", "--output", folder / "tuned"]
    assert tune(*words, *SHORT) == 0
    return folder / "tuned"


SHORT = ["--steps-per-epoch", 10, "--head-epochs", 1, "--epochs", 2, "--head-rate", 1e-2, "--rate", 1e-3]


# -- what it is worth -------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_from_scratch_keeps_nothing_of_the_trained_network(folder, trained, capsys):
    """How much fine-tuning is worth, a training decides; that it begins where the old one ended, does not."""
    few = ["--steps-per-epoch", 1, "--head-epochs", 1, "--epochs", 1, "--head-rate", 1e-5, "--rate", 1e-5]
    old = weights_of(trained)
    for words, same in (((), True), (("--from-scratch",), False)):
        target = folder / f"run{len(words)}"
        capsys.readouterr()
        assert tune(trained, "--data", folder / "high", *few, *words, "--output", target) == 0
        assert 0 <= accuracy(capsys.readouterr().out) <= 100
        new = weights_of(target / "best.keras")
        kernels = [path for path in new if path.endswith("kernel") and "classifier" not in path]
        assert kernels and all(np.allclose(old[path], new[path], atol=1e-3) is same for path in kernels)


def weights_of(path):
    return {variable.path: np.array(variable) for variable in keras.models.load_model(path).variables}


def test_what_moves_in_which_phase(tuned, trained):
    before, head, after = map(weights_of, (trained, tuned / "head" / "best.keras", tuned / "blocks" / "best.keras"))

    def moved(one, other):
        return {path.split(".")[0] for path in one if not np.array_equal(one[path], other[path])}

    assert moved(before, head) == {"classifier"}
    assert moved(head, after) == {"block2", "block3", "classifier"}


@pytest.mark.sweep
def test_norms_work_by_the_statistics_that_they_have(folder, tmp_path):
    sys.path.insert(0, str(folder))
    from nets import heads

    keras.utils.set_random_seed(0)
    model = heads((16, 16, 1), 7)
    model.save_weights(tmp_path / "heads.weights.h5")
    words = [f"{folder}/nets.py:heads", "--weights", tmp_path / "heads.weights.h5", "--old-classes", 7, "--size", 16]
    words += ["--data", folder / "high", "--output", tmp_path / "run", "--steps-per-epoch", 2]
    assert tune(*words, "--head-epochs", 1, "--epochs", 1) == 0
    before, after = ({v.path: np.array(v) for v in m.variables} for m in (model, saved(tmp_path / "run")))
    norms = [path for path in after if "norm" in path]
    assert len(norms) == 8 and all(np.array_equal(before[path], after[path]) for path in norms)
    assert not np.array_equal(before["body.conv/kernel"], after["body.conv/kernel"])
    # The auxiliary head is gone, and the main one, which gave logits, gives probabilities.
    scores = saved(tmp_path / "run").predict(np.random.default_rng(0).random((3, 16, 16, 1)), verbose=0)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def saved(run):
    return keras.models.load_model(run / "best.keras")


# -- the files --------------------------------------------------------------------------------------------------------


def test_a_run_leaves_what_it_says(tuned, folder, capsys):
    names = {"best.keras", "about.json", "confusion.txt", "confusion.svg", "confusion.png", "head", "blocks"}
    assert {path.name for path in tuned.iterdir()} == names
    about = json.loads((tuned / "about.json").read_text())
    assert about.pop("classes") == ["5", "6", "7", "8", "9"]
    assert about == {"size": 16, "channels": 1, "pad": False, "preprocess": "unit", "up_to": "block1"}
    header, *rows = (tuned / "confusion.txt").read_text().splitlines()
    assert header.split() == ["5", "6", "7", "8", "9", "found"]
    matrix = np.array([row.split()[1:-1] for row in rows], int)
    splits = data.load(str(folder / "high"), validation=0.1, test=0.2, seed=0)
    assert (matrix.sum(axis=1) == np.bincount(splits.test.labels)).all()
    batches = data.in_order(splits.test, 64, size=16, channels=1)
    predicted = saved(tuned).predict(batches, verbose=0).argmax(axis=1)
    truth = np.zeros((5, 5), int)
    for label, guess in zip(splits.test.labels, predicted, strict=True):
        truth[label, guess] += 1
    np.testing.assert_array_equal(matrix, truth)


def test_predict_names_class_and_probability_of_single_files(tuned, folder, tmp_path, capsys):
    files, pixels = [], []
    for digit, suffix in ((5, "jpg"), (6, "png"), (7, "webp")):
        picture = Image.open(next((folder / "high" / str(digit)).iterdir())).resize((16, 16), Image.BICUBIC)
        files.append(tmp_path / f"{digit}.{suffix}")
        picture.convert("RGB").save(files[-1], **({"lossless": True} if suffix == "webp" else {}))
        pixels.append(np.asarray(Image.open(files[-1]).convert("L"))[..., None] / 255)
    assert call("predict", tuned, *files) == 0
    scores = saved(tuned).predict(np.stack(pixels), verbose=0)
    lines = [f"{file}: {row.argmax() + 5} {row.max():.1%}" for file, row in zip(files, scores, strict=True)]
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.sweep
def test_killed_between_and_in_phases_it_ends_as_if_it_had_not_been(tuned, folder, trained, monkeypatch):
    target, on_epoch_end, seen = folder / "killed", runs.Keeper.on_epoch_end, []

    def killed(self, epoch, logs=None):
        seen.append(self.folder.name)
        if len(seen) in (2, 4):
            raise KeyboardInterrupt
        on_epoch_end(self, epoch, logs)

    monkeypatch.setattr(runs.Keeper, "on_epoch_end", killed)
    words = [trained, "--data", folder / "high", "--up-to", "block1", "--output", target]
    assert [tune(*words, *SHORT) for _ in range(3)] == [130, 130, 0]
    assert seen == ["head", "blocks", "blocks", "blocks", "blocks"]
    one, other = weights_of(tuned / "best.keras"), weights_of(target / "best.keras")
    assert all(np.array_equal(one[path], other[path]) for path in one)


@pytest.mark.sweep
def test_a_tuned_network_is_tuned_once_more(tuned, folder, tmp_path, capsys):
    words = [tuned / "best.keras", "--data", folder / "low", "--test-data", folder / "low", "--output", tmp_path]
    assert tune(*words, "--head-epochs", 0, "--epochs", 1, "--steps-per-epoch", 1) == 0
    assert json.loads((tmp_path / "about.json").read_text())["up_to"] == "block1"
    assert f"test: {sum(1 for _ in (folder / 'low').rglob('*.png'))} images" in capsys.readouterr().out


# -- every network of the table ---------------------------------------------------------------------------------------


def arguments_for(name, *words):
    return finetune.parser().parse_args(["train", name, "--data", "digits", "--output", "run", *words])


IMAGES = data.Images(np.zeros((4, 6, 6, 3), "uint8"), np.arange(4) % 2, ("a", "b"), 3)


@pytest.fixture(scope="module")
def uncollected():
    """Garbage collection looks through all of a deep network again and again while it grows."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.sweep_but("VGG16", "MobileNet")
@pytest.mark.parametrize("name", finetune.PRETRAINED)
def test_every_network_of_the_table(name, uncollected):
    known = finetune.PRETRAINED[name]
    with weightless():
        old, side, channels = finetune.old_network(arguments_for(name, "--from-scratch"), IMAGES)
        model = finetune.with_classes(old, 2)
        assert (side, channels, model.output_shape) == (known.size, 3, (None, 2))
        freeze(model)
        head = {variable.path for variable in model.trainable_variables}
        assert head == {"classifier.predictions/kernel", "classifier.predictions/bias"}
        freeze(model, known.up_to)
    trainable = {id(variable) for variable in model.trainable_variables}
    maps = [layer for layer in model.layers if len(layer.output.shape) == 4 and layer.variables]
    trained = [[id(variable) in trainable for variable in layer.variables] for layer in maps]
    norms = [isinstance(layer, keras.layers.BatchNormalization) for layer in maps]
    strides = [side / layer.output.shape[1] for layer in maps]
    for layer, own, norm, stride in zip(maps, trained, norms, strides, strict=True):
        assert not any(own) if norm or stride < 12 else all(own) or not any(own), layer.name
    coarsest = [
        all(own) for own, norm, stride in zip(trained, norms, strides, strict=True) if stride < side and not norm
    ]
    assert coarsest[-1] and not coarsest[0], "the last convolution is trained"


# What each module makes of the colour (255, 0, 51).
PREPARED = {
    **dict.fromkeys(("vgg16", "vgg19", "resnet"), (51 - 103.939, 0 - 116.779, 255 - 123.68)),
    **dict.fromkeys(("xception", "inception_v3", "inception_resnet_v2", "resnet_v2", "nasnet"), (1, -1, -0.6)),
    **dict.fromkeys(("mobilenet", "mobilenet_v2"), (1, -1, -0.6)),
    "densenet": ((1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225),
    **dict.fromkeys(("efficientnet", "efficientnet_v2", "convnext"), (255, 0, 51)),
    "unit": (1, 0, 0.2),
}


def test_every_network_gets_the_images_that_it_was_trained_on():
    assert set(PREPARED) == {*finetune.MODULES, finetune.UNIT}
    pixels = np.full((1, 2, 2, 3), (255, 0, 51), "uint8")
    images = data.Images(pixels, np.zeros(1, "int32"), ("a",), 3)
    for name, colour in PREPARED.items():
        prepare = finetune.preprocessing(name)
        ((batch, _),) = data.in_order(images, 1, size=2, channels=3).map(lambda x, y, f=prepare: (f(x), y))
        np.testing.assert_allclose(batch[0], np.broadcast_to(colour, (2, 2, 3)), atol=1e-4)
    for network, weights, module in (
        ("ResNet50V2", "imagenet", "resnet_v2"),
        ("resnet50_v2", "imagenet", "resnet_v2"),
        ("resnet50_v2", "my.weights.h5", None),
        ("resnet18", "imagenet", None),
    ):
        known = finetune.known_weights(arguments_for(network, "--weights", weights))
        assert (known and known.module) == module


@pytest.fixture(scope="module")
def mobilenet(folder):
    """What Keras would download."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3))
    model.save_weights(folder / "mobilenet.weights.h5")
    return folder / "mobilenet.weights.h5", np.array(model.get_layer("conv_dw_1").kernel)


@pytest.mark.sweep
def test_weights_that_keras_downloads(mobilenet, monkeypatch, folder, tmp_path):
    (file, kernel), asked = mobilenet, []
    module = sys.modules[keras.applications.MobileNet.__module__]
    monkeypatch.setattr(module.file_utils, "get_file", lambda name, *_, **__: asked.append(name) or str(file))
    words = ["MobileNet", "--data", folder / "high", "--size", 32, "--output", tmp_path, "--batch-size", 4]
    assert tune(*words, "--head-epochs", 0, "--epochs", 1, "--steps-per-epoch", 1) == 0
    assert asked == ["mobilenet_1_0_224_tf_no_top.h5"]
    np.testing.assert_array_equal(saved(tmp_path).get_layer("conv_dw_1").kernel, kernel)
    about = json.loads((tmp_path / "about.json").read_text())
    assert (about["preprocess"], about["up_to"], about["channels"]) == ("mobilenet", "conv_pw_11", 3)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_weights_that_do_not_fit(mobilenet, monkeypatch, folder, trained, tmp_path, capsys):
    file, _ = mobilenet
    module = sys.modules[keras.applications.MobileNet.__module__]

    def offline(*_, **__):
        raise Exception("URL fetch failure on https://example.org/w.h5: None -- name not known")

    monkeypatch.setattr(module.file_utils, "get_file", offline)
    nets, low = f"{folder}/nets.py", folder / "low"
    broken, small = tmp_path / "broken.weights.h5", tmp_path / "small.weights.h5"
    broken.write_bytes(b"no weights")
    (tmp_path / "broken.keras").write_bytes(b"no model")
    keras.models.load_model(trained).save_weights(small)
    other = tmp_path / "resnet18.weights.h5"
    build("resnet18", input_shape=(32, 32, 1), classes=7).save_weights(other)
    for words, said in (
        (["MobileNet"], "--weights imagenet: MobileNet could not load them: URL fetch failure on https"),
        (["MobileNet", "--weights", broken], "could not load them: Unable to synchronously open file"),
        (["MobileNet", "--weights", tmp_path / "none.h5"], "path to the weights file to be loaded"),
        (
            ["MobileNetV2", "--weights", file, "--no-top", "--size", 32],
            "layer expanded_conv_project needs (1, 1, 32, 16), the file has (1, 1, 32, 64)",
        ),
        (
            [f"{nets}:small", "--weights", small, "--old-classes", 7, "--size", 16],
            "layer classifier.predictions needs (64, 7), the file has (64, 5)",
        ),
        ([f"{nets}:small"], "needs a file that save_weights wrote"),
        (["resnet18", "--weights", small, "--size", 32], "resnet18 could not load them: "),
        (["resnet18", "--weights", other, "--size", 32], "classifier.predictions.kernel must be (512, 1000), "),
        (["resnet18"], "'imagenet' only exists for vgg16, "),
        (["resnet19"], "did you mean 'resnet18'"),
        ([tmp_path / "none.keras"], "none.keras: there is no such file"),
        ([tmp_path / "broken.keras"], "broken.keras: no Keras model that can be loaded"),
        ([trained, "--up-to", "block4"], "did you mean 'block"),
        ([trained, "--size", 20], "needs images of shape (16, 16, 1), --size is 20"),
        ([trained, "--head-epochs", 0, "--epochs", 0], "are both 0"),
        ([trained, "--test-data", folder / "high"], "has the classes 5, 6, 7, 8, 9, but --data has 0, 1, 2, 3, 4"),
        ([trained, "--test-data", folder / "nothing"], "there is no such folder"),
    ):
        line = refused(capsys, "train", *words, "--data", low, "--output", tmp_path / "out")
        assert said in line and len(line) < 1000
        assert not (tmp_path / "out").exists()


def test_folders_that_nobody_can_tune_on(trained, tmp_path, capsys):
    photos = tmp_path / "photos"
    for number in range(4):
        (photos / "hotdog").mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 9)).save(photos / "hotdog" / f"{number}.png")
    words = ["train", trained, "--data", photos, "--output", tmp_path / "out"]
    assert "one class (hotdog)" in refused(capsys, *words)
    (photos / "not-hotdog").mkdir()
    (photos / "not-hotdog" / "1.jpg").write_bytes(b"corrupt")
    assert "1 of 5 files cannot be read; --skip-unreadable leaves them out" in refused(capsys, *words)


def test_files_that_cannot_be_predicted(tuned, folder, tmp_path, capsys):
    text, good = tmp_path / "notes.txt", next((folder / "high" / "5").iterdir())
    text.write_text("no image")
    half = tmp_path / "half.png"
    half.write_bytes(good.read_bytes()[:60])
    for file in (text, half, tmp_path / "none.png"):
        assert refused(capsys, "predict", tuned, good, file).startswith(f"{file}: no image that can be read (")
    assert "no run of finetune.py train" in refused(capsys, "predict", tmp_path, good)
    assert "the following arguments are required: FILE" in refused(capsys, "predict", tuned)
