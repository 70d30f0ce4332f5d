"""The training examples: what they feed, what they keep, what they refuse; killed, they end as if they had not been."""

from __future__ import annotations

import argparse
import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from layerblocks.training import compile_args, label_every_output, read_history

from ..helpers import needs_tensorflow
from .programs import EXAMPLES, lines_of_refusal, programs

pytestmark = needs_tensorflow

augmentation, custom_loop, data, runs, train = programs("augmentation", "custom_loop", "data", "runs", "train")

NETS = """
import keras
from layerblocks.blocks import classifier, conv_bn

def two_heads(input_shape, classes):
    images = keras.Input(input_shape)
    x = conv_bn(images, 8, strides=2, name="stem")
    aux = classifier(x, classes, name="aux1")
    x = conv_bn(x, 16, strides=2, name="body")
    x = keras.layers.Dropout(0.3, name="dropout")(x)
    return keras.Model(images, {"main": classifier(x, classes, name="main"), "aux1": aux}, name="two_heads")

def other(input_shape, classes):
    images = keras.Input(input_shape)
    return keras.Model(images, classifier(conv_bn(images, 4, strides=4, name="stem"), classes))

@keras.saving.register_keras_serializable("tests")
class Breaking(keras.layers.Layer):
    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x, training=False):
        if training:
            self.calls.assign_add(1.0)
        return x * keras.ops.where(self.calls > 3, float("nan"), 1.0)

def breaking(input_shape, classes):
    images = keras.Input(input_shape)
    return keras.Model(images, classifier(Breaking()(conv_bn(images, 4, strides=4)), classes))

def outside_in(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(classes + 1)])

def picky(input_shape, classes):
    images = keras.Input((9, 9, 3))
    return keras.Model(images, classifier(images, classes))

def positional(shape):
    return None

def none(input_shape, classes):
    return None

not_a_function = 3
"""


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    path = tmp_path_factory.mktemp("nets") / "my_nets.py"
    path.write_text(NETS)
    return path


def call(*words):
    """The exit code of train.py in this process."""
    return runs.exit_code("train.py", lambda: train.main([*map(str, words), "--verbose", "0"]))


def refused(capsys, *words):
    """What train.py says when it refuses: one line after those that list files."""
    said = lines_of_refusal(capsys, lambda: call(*words))
    assert said[-1].startswith("train.py: error: ") or ": error: " in said[-1]
    assert "Traceback" not in "\n".join(said)
    return said[-1]


# -- splits -----------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(3, 40), min_size=2, max_size=6),
    st.floats(0.01, 0.5),
    st.one_of(st.just(0.0), st.floats(0.01, 0.45)),
    st.integers(0, 9),
)
def test_splits_share_nothing_and_lose_nothing(counts, validation, test, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    images = data.Images(np.arange(len(labels)), labels, tuple(map(str, range(len(counts)))), 1)
    splits = data.split(images, validation, test, seed)
    parts = [part.sources for part in vars(splits).values()]
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    for part, fraction in zip(parts[1:], (validation, test), strict=True):
        found = np.bincount(labels[part.astype(int)], minlength=len(counts))
        assert list(found) == [max(int(fraction > 0), int(count * fraction)) for count in counts]
    again = data.split(images, validation, test, seed)
    assert all((one.sources == other).all() for one, other in zip(vars(again).values(), parts, strict=True))


def test_digits():
    splits = data.load("digits", validation=0.1, test=0.2, seed=0)
    assert [len(part) for part in vars(splits).values()] == [1266, 176, 355]
    pixels = np.concatenate([part.sources for part in vars(splits).values()])
    assert (pixels.shape, pixels.dtype, pixels.max()) == ((1797, 8, 8, 1), np.uint8, 255)
    assert len(splits.train.classes) == 10


@pytest.mark.parametrize("shape, labels_shape", [((12, 9, 7, 3), (12, 1)), ((12, 6, 6), (12,))])
def test_sets_of_keras_datasets(monkeypatch, shape, labels_shape):
    labels = np.arange(12).reshape(labels_shape) % 3
    loader = argparse.Namespace(
        load_data=lambda: ((np.ones(shape, "uint8"), labels), (np.zeros(shape, "uint8"), labels))
    )
    monkeypatch.setattr(keras.datasets, "cifar10", loader)
    splits = data.load("cifar10", validation=0.25, test=0.2, seed=0)
    assert [len(part) for part in vars(splits).values()] == [9, 3, 12]
    assert splits.train.sources.shape[1:] == (*shape[1:3], shape[3] if len(shape) == 4 else 1)
    assert splits.train.channels == splits.train.sources.shape[-1]
    assert splits.test.sources.max() == 0


def failing():
    raise OSError("URL fetch\nfailure")


IMAGES = np.zeros((4, 6, 6, 3), "uint8")


@pytest.mark.parametrize(
    "load_data, words",
    [
        (lambda: ((IMAGES, np.arange(4)), (IMAGES, np.arange(4) + 1)), r"labels go from 0 to 3, but 1 do not \(4"),
        (lambda: ((IMAGES, np.arange(4) - 1), (IMAGES, np.arange(4))), r"labels go from 0 to 2, but 1 do not \(-1"),
        (lambda: ((IMAGES[:, 0, 0], np.arange(4)), (IMAGES, np.arange(4))), "no images"),
        (lambda: ((IMAGES, np.arange(4) / 2), (IMAGES, np.arange(4))), "no images"),
        (failing, "could not load it: URL fetch failure"),
    ],
)
def test_bad_sets_of_keras_datasets(monkeypatch, load_data, words):
    monkeypatch.setattr(keras.datasets, "cifar10", argparse.Namespace(load_data=load_data))
    with pytest.raises(data.Refused, match=words):
        data.load("cifar10", validation=0.25, test=0.2, seed=0)


def test_labels_outside_the_classes():
    with pytest.raises(data.Refused, match="labels go from 0 to 1, but 2 do not"):
        data.split(data.Images(IMAGES, np.array([0, 1, 2, -1]), ("a", "b"), 3), 0.2, 0.2, 0)


# -- files ------------------------------------------------------------------------------------------------------------


def photo(path, size=(20, 12), mode="RGB", seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), "uint8")
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path):
    for name in ("cat", "dog"):
        for number, suffix in enumerate(("jpg", "png", "bmp", "gif", "webp", "JPEG", "tiff")):
            photo(tmp_path / "photos" / name / f"{number}.{suffix}", seed=number)
    return tmp_path / "photos"


def test_a_folder_of_class_folders(photos):
    photo(photos / "cat" / "more" / "deep.png")
    (photos / "cat" / "notes.txt").write_text("no image")
    (photos / ".hidden").mkdir()
    images = data.folder(photos)
    assert (len(images), images.classes, images.channels, images.side) == (15, ("cat", "dog"), 3, None)
    assert list(np.bincount(images.labels)) == [8, 7]
    batches = list(data.in_order(images, 4, size=16, channels=3))
    assert [len(labels) for _, labels in batches] == [4, 4, 4, 3]
    found = np.concatenate([pixels for pixels, _ in batches])
    assert found.shape == (15, 16, 16, 3) and 0 <= found.min() < 0.2 and 0.8 < found.max() <= 1


def test_grey_stays_grey_unless_one_is_in_colour(tmp_path):
    for number in range(4):
        photo(tmp_path / str(number % 2) / f"{number}.png", mode="L")
    assert data.folder(tmp_path).channels == 1
    photo(tmp_path / "0" / "colour.png")
    images = data.folder(tmp_path)
    assert images.channels == 3
    for channels in (1, 3):
        batch, _ = next(iter(data.in_order(images, 5, size=8, channels=channels)))
        assert batch.shape == (5, 8, 8, channels)


def test_files_are_read_upright_on_white_and_in_eight_bits(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    assert data.read_image(photo(tmp_path / "turned.jpg", exif=exif)).shape == (20, 12, 3)
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "glass.png")
    assert (data.read_image(tmp_path / "glass.png") == 255).all()
    deep = np.array([[0, 257, 65535]], "uint16")
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert data.read_image(tmp_path / "deep.png")[..., 0].tolist() == [[0, 1, 255]]
    photo(tmp_path / "palette.gif", mode="P")
    assert data.read_image(tmp_path / "palette.gif", 1).shape == (12, 20, 1)


@settings(max_examples=15)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(4, 24), st.sampled_from([1, 3]), st.sampled_from([1, 3]))
def test_fitted_images(height, width, size, has, takes):
    white = tf.fill((height, width, has), tf.constant(255, tf.uint8))
    assert np.allclose(data.fitted(white, size, takes, pad=False), 1, atol=1e-3)
    padded = np.asarray(data.fitted(white, size, takes, pad=True))
    assert padded.shape == (size, size, takes)
    rows, columns = (padded.mean(axis=(axis, 2)) > 1e-6 for axis in (1, 0))
    scale = size / max(height, width)
    assert abs(rows.sum() - max(1, height * scale)) <= 1 and abs(columns.sum() - max(1, width * scale)) <= 1


def test_broken_files_are_listed_and_refused_or_skipped(photos, capsys):
    whole = (photos / "cat" / "0.jpg").read_bytes()
    (photos / "cat" / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "dog" / "truncated.png").write_bytes((photos / "dog" / "1.png").read_bytes()[:200])
    (photos / "dog" / "corrupt.png").write_bytes(b"this is no image")
    (photos / "dog" / "empty.webp").write_bytes(b"")
    line = refused(capsys, "lenet5", "--data", photos, "--output", photos.parent / "out")
    assert line.endswith("4 of 18 files cannot be read; --skip-unreadable leaves them out")
    assert not (photos.parent / "out").exists()
    images = data.folder(photos, skip_unreadable=True)
    listed = capsys.readouterr().err.splitlines()
    assert len(images) == 14
    assert sorted(Path(text.split(": ")[1]).name for text in listed) == [
        *("corrupt.png", "empty.webp", "truncated.jpg", "truncated.png")
    ]


def test_folders_that_nobody_can_train_on(tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()

    def said():
        return refused(capsys, "lenet5", "--data", folder, "--output", tmp_path / "out").removeprefix(
            "train.py: error: "
        )

    assert said() == f"{folder}: no images in it"
    photo(folder / "loose.png")
    assert said() == f"{folder}: it has images directly, but there must be one folder of them for each class"
    photo(folder / "cat" / "1.png")
    assert said() == f"{folder}: one class (cat); there must be at least two to tell apart"
    (folder / "dog").mkdir()
    assert said() == f"{folder}: no images in the class folder dog"
    (folder / "dog" / "1.png").write_bytes(b"broken")
    with pytest.raises(data.Refused, match="no readable image in the class folder dog"):
        data.folder(folder, skip_unreadable=True)
    photo(folder / "dog" / "1.png")
    assert said() == (
        "class cat: 1 to validate on and 1 to test on (none with --test 0) leave none of its 1 image to train on"
    )


# -- batches ----------------------------------------------------------------------------------------------------------


def numbered(count):
    """Images that are their own number."""
    pixels = np.arange(count, dtype="uint8").reshape(count, 1, 1, 1) * np.ones((1, 2, 2, 1), "uint8")
    return data.Images(pixels, np.arange(count, dtype="int32"), tuple(map(str, range(count))), 1)


def taken(images, batch_size, start, steps, **options):
    batches = data.shuffled(images, batch_size, size=2, channels=1, start=start, **options).take(steps)
    return [(np.asarray(x), np.asarray(y)) for x, y in batches]


@pytest.mark.sweep
@settings(max_examples=8)
@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 40), st.integers(0, 3))
def test_a_stream_goes_on_where_it_is_told(count, batch_size, start, seed):
    images = numbered(count)
    steps = data.steps_in(images, batch_size)
    batches = taken(images, batch_size, 0, start + 4, seed=seed)
    for (x, y), (u, v) in zip(batches[start:], taken(images, batch_size, start, 4, seed=seed), strict=True):
        assert (x == u).all() and (y == v).all()
    assert all(np.allclose(x[:, 0, 0, 0] * 255, y) for x, y in batches)
    for number in range(len(batches) // steps):
        shown = np.concatenate([y for _, y in batches[number * steps : (number + 1) * steps]])
        assert len(set(shown)) == len(shown) == steps * min(batch_size, count)


def test_passes_and_seeds_have_orders_of_their_own():
    orders = [np.concatenate([y for _, y in taken(numbered(30), 10, 0, 6, seed=seed)]) for seed in (0, 1)]
    assert len({tuple(part) for order in orders for part in (order[:30], order[30:])}) == 4


STRENGTHS = {  # a word or two after a kind say which of its forms it is
    "resized-crop": 0.1,
    "resized-crop as a pair": (0.1, 0.5),
    "flip": "both",
    "crop": 3,
    "rotation": 20,
    "shift": 0.2,
    "shift-width": 0.2,
    "shift-height": 0.2,
    "shear": 0.2,
    "shift in pixels": 3,
    "zoom": 0.2,
    "zoom as a pair": (0.7, 1.4),
    "brightness": 0.3,
    "brightness as a pair": (0.5, 1.5),
    "contrast": 0.3,
    "saturation": 0.5,
    "hue": 0.5,
    "colour-noise": 0.5,
    "jpeg-quality": 20,
    "blur": 2.0,
    "noise": 0.1,
    "erase": 0.3,
}


def augmenting(form, channels=3, side=12, seed=0, **options):
    """The augmentation of a key of `STRENGTHS`, of noisy images."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, side, side, channels), "uint8")
    images = data.Images(pixels, np.zeros(6, "int32"), ("a",), channels)
    kinds = {form.split()[0]: STRENGTHS[form]}
    return augmentation.augmentation(kinds, side=side, channels=channels, seed=seed, images=images, **options)


def test_every_kind_of_augmentation_is_tried():
    assert {form.split()[0] for form in STRENGTHS} == {"flip", *augmentation.KINDS}
    pairs = {form.split()[0] for form in STRENGTHS if form.endswith("pair")}
    assert pairs == {name for name, kind in augmentation.KINDS.items() if kind.pair is not None}


@pytest.mark.sweep_but("noise", "flip")
@pytest.mark.parametrize("kind", STRENGTHS)
def test_augmentation_follows_from_the_number_of_the_image(kind):
    image = tf.random.stateless_uniform((12, 12, 3), (1, 2))

    def drawn(seed):
        made = augmenting(kind, seed=seed)
        return np.stack([*tf.data.Dataset.range(12).map(lambda number: made(image, number), num_parallel_calls=4)])

    first = drawn(0)
    assert first.shape == (12, 12, 12, 3) and first.dtype == np.float32 and 0 <= first.min() <= first.max() <= 1
    assert len({one.tobytes() for one in first}) > 2
    np.testing.assert_array_equal(drawn(0), first)
    assert (drawn(1) != first).any()
    brought = augmenting(kind)(image, tf.constant(5))
    np.testing.assert_allclose(brought, first[5], atol=1e-5)


def of_number(augment, image):
    """What an augmentation makes of an image, for thirty images with numbers of their own."""
    return np.stack([*tf.data.Dataset.range(30).map(lambda number: augment(tf.constant(image, "float32"), number))])


def test_a_shift_in_pixels_is_as_far_as_it_says():
    image = np.zeros((12, 12, 3), "float32")
    image[4:8, 6] = 1
    for kind, axis in (("shift-width", 1), ("shift-height", 0)):
        kinds, scene = {kind: 3}, {"side": 12, "channels": 3, "seed": 0, "images": numbered(2)}
        made = of_number(augmentation.augmentation(kinds, **scene), image)[..., 0]
        weights = made.sum(axis=(1, 2))
        middles = (made.sum(axis=2 - axis) * np.arange(12)).sum(axis=1) / weights  # along the way that it goes
        moved = middles - (6 if axis else 5.5)
        assert 1.5 < np.abs(moved).max() <= 3 + 1e-3
        across = (made.sum(axis=1 + axis) * np.arange(12)).sum(axis=1) / weights
        np.testing.assert_allclose(across, 5.5 if axis else 6, atol=1e-4)


def test_a_resized_crop_has_the_area_and_the_proportions_that_it_says():
    rows, columns = np.meshgrid(np.linspace(0, 1, 48), np.linspace(0, 1, 48), indexing="ij")
    image = np.stack([rows, columns, np.zeros_like(rows)], axis=-1)  # each place says where it is
    kinds, scene = {"resized-crop": (0.2, 0.6)}, {"side": 48, "channels": 3, "seed": 0, "images": numbered(2)}
    made = of_number(augmentation.augmentation(kinds, **scene), image)
    high, wide = (made[..., axis].max(axis=(1, 2)) - made[..., axis].min(axis=(1, 2)) for axis in (0, 1))
    assert 0.18 < (high * wide).min() < 0.4 < (high * wide).max() < 0.62
    assert 0.45 < (wide / high).min() < 0.8 and 1.25 < (wide / high).max() < 2.2


@pytest.mark.parametrize("seen", [(0.5, 0.5), (1.5, 1.5)])
def test_a_zoom_as_a_pair_is_the_part_that_is_seen(seen):
    ramp = np.broadcast_to(np.linspace(0.4, 0.6, 24)[:, None, None], (24, 24, 3))
    scene = {"side": 24, "channels": 3, "seed": 0, "images": numbered(2)}
    made = of_number(augmentation.augmentation({"zoom": seen}, **scene), ramp)
    slopes = np.diff(made[:, 10:14, 12, 0], axis=1) / (0.2 / 23)
    np.testing.assert_allclose(slopes, seen[0], atol=1e-3)


def test_brightness_as_a_pair_multiplies():
    scene = {"side": 12, "channels": 1, "seed": 0, "images": numbered(2)}
    image = np.broadcast_to(np.linspace(0.1, 0.6, 12)[:, None, None], (12, 12, 1))
    made = of_number(augmentation.augmentation({"brightness": (0.5, 1.5)}, **scene), image) / image
    assert np.ptp(made, axis=(1, 2, 3)).max() < 1e-5
    assert 0.5 <= made.min() < 0.8 and 1.2 < made.max() <= 1.5


def test_colour_noise_is_along_the_principal_components():
    draw = np.random.default_rng(0)
    pixels = (draw.normal(128, 1, (40, 6, 6, 1)) * 1 + draw.normal(0, 40, (40, 6, 6, 1)) * np.array([1, 0.5, 0])) % 256
    images = data.Images(pixels.astype("uint8"), np.zeros(40, "int32"), ("a",), 3)
    scene = {"side": 6, "channels": 3, "seed": 0, "images": images}
    grey = np.full((6, 6, 3), 0.5, "float32")
    noise = of_number(augmentation.augmentation({"colour-noise": 1.0}, **scene), grey) - grey
    assert np.ptp(noise, axis=(1, 2)).max() < 1e-6  # the same at every place
    centred = images.sources.reshape(-1, 3) / 255 - images.sources.reshape(-1, 3).mean(axis=0) / 255
    *_, directions = np.linalg.svd(centred, full_matrices=False)
    along = noise[:, 0, 0] @ directions.T
    variances = (centred @ directions.T).var(axis=0)
    spread = along.std(axis=0)
    np.testing.assert_allclose(spread, variances, rtol=0.5, atol=1e-6)  # of thirty draws


def test_erasing_and_blurring():
    white = np.ones((12, 12, 1), "float32")
    gone = 1 - of_number(augmenting("erase", 1), white)[..., 0]
    assert set(np.unique(gone)) == {0.0, 1.0}
    assert all(np.ptp(hole, axis=0).any() == 1 and hole.sum() <= 0.35 * 144 for hole in gone)
    board = np.indices((12, 12)).sum(axis=0)[..., None] % 2.0
    blurred = of_number(augmenting("blur", 1), board)
    inside = blurred[:, 4:8, 4:8]
    assert np.ptp(inside, axis=(1, 2, 3)).min() < 0.05
    np.testing.assert_allclose(inside.mean(axis=(1, 2, 3)), 0.5, atol=0.02)


def test_larger_images_are_cropped_at_random():
    image = np.arange(64, dtype="float32").reshape(8, 8, 1) / 64
    scene = {"side": 6, "channels": 1, "seed": 0, "images": numbered(2)}
    made = of_number(augmentation.augmentation({}, **scene, larger=True), image)
    corners = {tuple(np.round(one[0, 0] * 64).astype(int)) for one in made}
    assert made.shape == (30, 6, 6, 1) and corners <= {(8 * row + column,) for row in range(3) for column in range(3)}
    assert len(corners) > 4


def test_ten_crops_are_the_corners_and_the_centre_and_these_flipped():
    images = np.random.default_rng(0).normal(size=(3, 9, 9, 2)).astype("float32")
    x = keras.Input((6, 6, 2))
    weights = np.random.default_rng(1).normal(size=(72, 4)).astype("float32")
    dense = keras.layers.Dense(4, use_bias=False, activation="softmax")
    model = keras.Model(x, dense(keras.layers.Flatten()(x)))
    dense.set_weights([weights])
    guesses = []
    for top, left in ((1, 1), (0, 0), (0, 3), (3, 0), (3, 3)):
        for crop in (images[:, top : top + 6, left : left + 6], images[:, top : top + 6, left : left + 6][:, :, ::-1]):
            logits = np.exp(crop.reshape(3, 72) @ weights)
            guesses.append(logits / logits.sum(axis=1, keepdims=True))
    found = train.ten_crops(model, 9)(images)
    np.testing.assert_allclose(found, np.mean(guesses, axis=0), rtol=1e-4)


def test_augmented_streams_go_on_where_they_are_told():
    kinds = dict.fromkeys(("noise", "brightness"), 0.1)
    augment = augmentation.augmentation(kinds, side=2, channels=1, seed=0, images=numbered(11))
    batches = taken(numbered(11), 3, 0, 9, augment=augment)
    for (x, _), (u, _) in zip(batches[4:], taken(numbered(11), 3, 4, 5, augment=augment), strict=True):
        np.testing.assert_array_equal(x, u)
    # An image comes out otherwise in each pass.
    assert len({x[list(y).index(5)].tobytes() for x, y in batches if 5 in y}) > 1


@pytest.mark.parametrize(
    "words, said",
    [
        (["--hue", 0.1], "--hue needs images in colour, and these are grey"),
        (
            ["--zoom", 1.5],
            "--zoom must be a number above 0 up to 0.99, or two up to 10, the least and the most, got 1.5",
        ),
        (["--zoom", 1.5, 0.5], "the least and the most, got 1.5 0.5"),
        (["--resized-crop", 0.1, 0.2, 0.3], "the least and the most, got 0.1 0.2 0.3"),
        (["--shift-width", 40], "a shift must be at most 32 pixels, the side of the images, got 40"),
        (["--colour-noise", 0.1], "--colour-noise needs images in colour, and these are grey"),
        (["--ten-crop"], "--ten-crop needs --crop-from, the side of the images that it crops"),
        (["--crop-from", 30], "--crop-from must be at least 32, the side of the crops, got 30"),
        (["--validation-freq", 3, "--epochs", 2], "--validation-freq must be at most 2, the epochs"),
        (["--loss", "mse"], "argument --loss: invalid choice: 'mse'"),
        (["--test-data", "no/such/folder"], "--test-data no/such/folder: there is no such folder"),
        (["--rotation", 0], "--rotation must be a number above 0 up to 180, got 0.0"),
        (["--noise", "nan"], "--noise must be a number above 0 up to 1, got nan"),
        (["--flip", "up"], "argument --flip: invalid choice: 'up'"),
        (["--epochs", 0], "argument --epochs: it must be a number from 1 on, got '0'"),
        (["--bn-momentum", 2], "argument --bn-momentum: it must be a number from 0 to 1, got '2'"),
        (["--validation", 0], "--validation and --test take parts of 1"),
        (["--validation", 0.5, "--test", 0.5], "--validation and --test take parts of 1"),
        (["--data", "digit"], "--data must be digits, a name of keras.datasets (boston_housing, california_housing, "),
        (["--data", "no/such/folder"], "--data must be digits"),
        (["--size", 4], "lenet5"),
        (["--option", "depth=3"], "lenet5: unexpected argument 'depth'"),
    ],
)
def test_bad_arguments(tmp_path, capsys, words, said):
    assert said in refused(capsys, "lenet5", *words, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_networks(tmp_path, nets, capsys):
    for network, said in {
        "resnet19": "did you mean 'resnet18'?",
        "no/such/file.py:net": "cannot be imported",
        "no_such_module:net": "cannot be imported",
        f"{nets}:no_such_net": "has no function 'no_such_net'",
        f"{nets}:not_a_function": "has no function 'not_a_function'",
        f"{nets}:positional": "is called with input_shape, classes",
        f"{nets}:none": "gave NoneType",
        f"{nets}:outside_in": "an output has shape (None, 11); 10 classes take (None, 10)",
        f"{nets}:picky": "needs images of shape (9, 9, 3); --size and --channels make it (32, 32, 1)",
    }.items():
        assert said in refused(capsys, network, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("output", ["file/out", "/proc/nowhere/out"])
def test_folders_that_cannot_be_written_to(tmp_path, nets, capsys, output):
    (tmp_path / "file").write_text("")
    line = refused(capsys, f"{nets}:other", "--output", tmp_path / output)
    assert f"--output {tmp_path / output}: cannot be written to: " in line


# -- runs -------------------------------------------------------------------------------------------------------------

# An epoch is no pass over the images, and the learning rate falls after each epoch that is no better.
SHORT = ["--size", 16, "--epochs", 6, "--steps-per-epoch", 7, "--rotation", 10, "--noise", 0.05]
SHORT += ["--plateau", 1, "--learning-rate", 0.3]


def state(folder):
    with np.load(folder / runs.STATE) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(str(arrays.pop("about"))), arrays


def same(one, other):
    """Two runs are alike to the bit, apart from where they are."""
    (about, arrays), (about2, arrays2) = state(one), state(other)
    assert about == about2
    assert arrays.keys() == arrays2.keys() and len(arrays) > 20
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], arrays2[name])
    for name in (runs.LOG, runs.VERDICT):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    weights, weights2 = (keras.models.load_model(folder / runs.BEST).get_weights() for folder in (one, other))
    for weight, weight2 in zip(weights, weights2, strict=True):
        np.testing.assert_array_equal(weight, weight2)


@pytest.fixture(scope="module")
def uninterrupted(nets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "whole"
    assert call(f"{nets}:two_heads", *SHORT, "--output", folder, "--dump-weights") == 0
    return folder


def test_a_run_leaves_what_it_says(uninterrupted):
    names = {path.name for path in uninterrupted.iterdir()} - {"tensorboard"}
    assert names == {"best.keras", "state.npz", "log.csv", "curves.svg", "curves.png", "diagnosis.txt", "weights.txt"}
    log = read_history(uninterrupted / "log.csv")
    assert log.heads == ("main", "aux1")
    assert log.find("val_main_loss").epochs == (1, 2, 3, 4, 5, 6)
    assert (uninterrupted / "diagnosis.txt").read_text(encoding="utf-8").strip()
    about, _ = state(uninterrupted)
    losses = log.find("val_main_loss").values
    assert about["best"] == min(losses) and about["best_epoch"] == losses.index(min(losses))
    best = keras.models.load_model(uninterrupted / "best.keras")
    assert best.output_shape == (None, 10) and not [layer for layer in best.layers if layer.name.startswith("aux")]
    assert best.get_layer("stem.norm").momentum == 0.9
    assert log.find("learning_rate").values == pytest.approx(reduced(losses, start=0.3, factor=0.3, patience=1))


def reduced(losses, start, factor, patience):
    """The learning rate of each epoch: it falls after so many epochs without a better loss, whatever the losses."""
    rates, best, waited = [], float("inf"), 0
    for loss in losses:
        rates.append(start)
        waited = 0 if loss < best - 1e-4 else waited + 1
        best = loss if waited == 0 else best
        if waited >= patience:
            start, waited = start * factor, 0
    return rates


def test_weights_as_text(uninterrupted):
    lines = (uninterrupted / "weights.txt").read_text(encoding="utf-8").splitlines()
    for variable in keras.models.load_model(uninterrupted / "best.keras").trainable_variables:
        name, shape, *lines = lines
        assert (name, shape) == (variable.path, str(tuple(variable.shape)))
        rows = int(np.prod(variable.shape[:-1]))
        values, lines = np.loadtxt(lines[:rows], dtype="float32", ndmin=2), lines[rows:]
        np.testing.assert_array_equal(values.reshape(variable.shape), np.asarray(variable))
    assert not lines


@pytest.mark.sweep
def test_killed_at_a_random_step_it_ends_as_if_it_had_not_been(uninterrupted, nets, tmp_path):
    words = [f"{nets}:two_heads", *SHORT, "--output", tmp_path / "run"]
    epoch, step = random.randint(2, 6), random.randint(1, 6)
    print(f"killed in epoch {epoch} from step {step} on")
    command = [sys.executable, str(EXAMPLES / "train.py"), *map(str, words), "--verbose", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        seen, reached = b"", 0
        while reached < step:
            chunk = process.stdout.read(100)
            assert chunk, process.stderr.read().decode()[-2000:]
            seen += chunk
            behind = seen.partition(b"Epoch %d/6" % epoch)[2]  # the bar does not show every step
            reached = max([0, *map(int, re.findall(rb"(\d+)/7", behind))])
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    about, _ = state(tmp_path / "run")
    assert 0 < about["epoch"] < 6
    (tmp_path / "run" / "log.csv").open("a").write("5,0.1")  # as if killed while it wrote
    assert call(*words) == 0
    same(tmp_path / "run", uninterrupted)


@pytest.mark.sweep
def test_a_full_disk_loses_nothing(uninterrupted, nets, tmp_path, capsys, monkeypatch):
    folder, savez, written = tmp_path / "run", np.savez, []

    def full(path, **arrays):
        written.append(path)
        if len(written) == 3:
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        savez(path, **arrays)

    monkeypatch.setattr(np, "savez", full)
    folder.mkdir()
    (folder / "log.csv").write_text("epoch,loss\n0,")  # as if killed in the first epoch
    line = refused(capsys, f"{nets}:two_heads", *SHORT, "--output", folder)
    assert "No space left on device" in line and line.endswith(
        "nothing that was kept is lost, the same command goes on from there"
    )
    assert state(folder)[0]["epoch"] == 2
    assert not list(folder.glob(".draft*"))
    assert call(f"{nets}:two_heads", *SHORT, "--output", folder) == 0
    same(folder, uninterrupted)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_run_with_other_settings_is_left_alone(uninterrupted, nets, photos, capsys):
    before = contents(uninterrupted)
    end = "; give the same settings or another --output"
    for words, said in (
        ([f"{nets}:two_heads", *SHORT, "--learning-rate", 0.1], "--learning-rate 0.3 (now 0.1)"),
        ([f"{nets}:two_heads", *SHORT, "--seed", 1], "--seed 0 (now 1), digest "),
        ([f"{nets}:two_heads", *SHORT, "--shift", 0.1], "--shift None (now 0.1)"),
        ([f"{nets}:other", *SHORT], "--network "),
        ([f"{nets}:two_heads", *SHORT, "--data", photos], "--data digits (now "),
    ):
        line = refused(capsys, *words, "--output", uninterrupted)
        assert f"{uninterrupted} holds a run with {said}" in line and line.endswith(end)
    assert contents(uninterrupted) == before


def test_a_setting_of_40_letters_is_said_whole_and_a_longer_one_cut_to_them():
    assert [runs._short("x" * count) for count in (39, 40)] == ["x" * 39, "x" * 40]
    assert runs._short("abcde" * 9) == "abcde" * 7 + "ab..." and len(runs._short("x" * 41)) == 40


@pytest.mark.sweep
def test_a_run_of_another_network_or_a_broken_one(uninterrupted, nets, tmp_path, capsys):
    changed = tmp_path / nets.name
    words = [f"{changed}:two_heads", *SHORT, "--epochs", 1, "--output", tmp_path / "run"]
    changed.write_text(NETS)
    assert call(*words) == 0
    changed.write_text(NETS.replace("conv_bn(images, 8", "conv_bn(images, 6"))
    assert refused(capsys, *words).endswith("holds a run of another network; give another --output")
    changed.write_text(NETS)
    whole = (tmp_path / "run" / "state.npz").read_bytes()
    (tmp_path / "run" / "state.npz").write_bytes(whole[:1000])
    assert "state.npz cannot be read" in refused(capsys, *words)
    (tmp_path / "run" / "state.npz").write_bytes(whole)
    (tmp_path / "run" / "log.csv").unlink()
    assert "log.csv has 0 of the 1 epochs" in refused(capsys, *words, "--epochs", 2)


@pytest.mark.sweep
def test_a_finished_run_is_not_trained_on_but_more_epochs_are(nets, tmp_path, capsys):
    words = [f"{nets}:other", "--size", 8, "--batch-size", 256, "--output", tmp_path]
    assert call(*words, "--epochs", 1) == 0
    before = contents(tmp_path)
    assert call(*words, "--epochs", 1) == 0
    assert contents(tmp_path)["state.npz"] == before["state.npz"]
    assert call(*words, "--epochs", 2) == 0
    assert state(tmp_path)[0]["epoch"] == 2
    assert read_history(tmp_path / "log.csv").find("loss").epochs == (1, 2)
    assert "test: 355 images, loss" in capsys.readouterr().out


@pytest.mark.sweep
def test_stopped_early_it_stays_stopped(nets, tmp_path):
    words = [f"{nets}:other", "--size", 8, "--batch-size", 256, "--learning-rate", 0, "--output", tmp_path]
    words += ["--patience", 2, "--bn-momentum", 1]
    assert call(*words, "--epochs", 9) == 0
    about, _ = state(tmp_path)
    assert (about["epoch"], about["stopped"]) == (3, True)
    assert call(*words, "--epochs", 12) == 0
    assert state(tmp_path)[0]["epoch"] == 3


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_epoch(nets, tmp_path, capsys):
    words = [f"{nets}:breaking", "--size", 8, "--batch-size", 512, "--output", tmp_path]  # two batches an epoch
    line = refused(capsys, *words)
    assert line.endswith("loss is nan at batch 2 of epoch 2; the files are those of epoch 1. Lower --learning-rate")
    about, arrays = state(tmp_path)
    assert about["epoch"] == 1
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert zipfile.ZipFile(tmp_path / "best.keras").testzip() is None
    assert "at batch 2 of epoch 2" in refused(capsys, *words)  # once more from the last good epoch
    line = refused(capsys, f"{nets}:other", "--learning-rate", 1e38, "--size", 8, "--output", tmp_path / "early")
    assert "of epoch 1; nothing was kept" in line


def test_tensorboard_is_asked_for_only_where_it_is(nets, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train.importlib.util, "find_spec", lambda name: None)
    words = [f"{nets}:other", "--size", 8, "--output", tmp_path, "--epochs", 1]
    assert "pip install tensorboard" in refused(capsys, *words, "--tensorboard")


def test_tensorboard_logs_and_learning_rates(nets, tmp_path):
    pytest.importorskip("tensorboard")
    assert call(f"{nets}:other", "--size", 8, "--output", tmp_path, "--epochs", 1, "--tensorboard") == 0
    assert list((tmp_path / "tensorboard").rglob("events*"))
    settings = state(tmp_path)[0]["settings"]
    assert (settings["--learning-rate"], settings["--size"], settings["--channels"]) == (0.001, 8, 1)


def test_files_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    runs.write_whole(path, lambda draft: draft.write_text("old"))

    def breaks(draft):
        draft.write_text("half of the n")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.write_whole(path, breaks)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


# -- what the training half of a course says ---------------------------------------------------------------------------


def test_every_line_of_a_course(photos, nets, tmp_path, capsys, monkeypatch):
    grown = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [f"{kind}:0"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu, on)))
    words = [f"{nets}:two_heads", "--data", photos, "--test-data", photos, "--size", 16, "--batch-size", 4]
    words += ["--crop-from", 20, "--ten-crop", "--flip", "horizontal", "--loss", "categorical_crossentropy"]
    words += ["--rotation", 180, "--shift-width", 4, "--zoom", 0.8, 1.2, "--resized-crop", 0.1, "--colour-noise", 0.1]
    words += ["--blur", 1, "--erase", 0.1, "--validation-freq", 2, "--validation-steps", 1, "--top-k", 2]
    words += ["--optimizer", "plain-sgd", "--epochs", 5, "--pictures", "--memory-growth", "--output", tmp_path / "run"]
    assert call(*words) == 0
    assert grown == [("GPU:0", True)]
    log = read_history(tmp_path / "run" / "log.csv")
    assert log.find("val_main_loss").epochs == (2, 4) and log.find("main_loss").epochs == (1, 2, 3, 4, 5)
    assert log.find("learning_rate").epochs == (1, 2, 3, 4, 5)
    assert set(log.find("val_main_top_2").values) == {1.0}  # of two classes
    batch, classes = (Image.open(tmp_path / "run" / f"{name}.png") for name in ("batch", "classes"))
    assert len(batch.getcolors(1 << 20)) > 500 > len(classes.convert("L").getcolors(1 << 20))  # of noise, of bars
    assert "test: 14 images, loss" in (said := capsys.readouterr().out) and "top_2 100.00%" in said
    before = contents(tmp_path / "run")
    assert call(*words) == 0  # done, and nothing is done again
    assert contents(tmp_path / "run")["state.npz"] == before["state.npz"]


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "binary_crossentropy"])
def test_labels_are_what_the_loss_compares(nets, tmp_path, loss):
    seen = []
    words = [f"{nets}:other", "--size", 8, "--batch-size", 256, "--epochs", 1, "--loss", loss, "--output", tmp_path]
    fit = keras.Model.fit

    def spy(model, batches, **options):
        images, labels = (np.asarray(part) for part in next(iter(batches)))
        guesses = np.asarray(model(images, training=False), "float64")
        assert set(np.unique(labels)) == {0, 1} and labels.shape == guesses.shape
        expected = -(labels * np.log(guesses)).sum(axis=1)
        if loss.startswith("binary"):  # on TensorFlow of the logits: docs/upstream-bugs.md
            dense = model.layers[-1]
            features = np.asarray(keras.Model(model.input, dense.input)(images, training=False))
            logits = features @ np.asarray(dense.kernel) + np.asarray(dense.bias)
            expected = (np.logaddexp(0, logits) - labels * logits).mean(axis=1)
        right = guesses.argmax(axis=1) == labels.argmax(axis=1)
        found = model.evaluate(images, labels, verbose=0, return_dict=True)
        seen.append((found["loss"], expected.mean(), found["accuracy"], right.mean()))
        return fit(model, batches, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", spy)
        assert call(*words) == 0
    ((loss_found, loss_expected, accuracy_found, accuracy_expected),) = seen
    assert (loss_found, accuracy_found) == pytest.approx((loss_expected, accuracy_expected), rel=1e-4)


# -- programs ---------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_a_folder_and_a_published_network_from_the_command_line(photos, tmp_path):
    words = ["lenet5", "--data", photos, "--epochs", 1, "--pad", "--output", tmp_path / "run"]
    words += ["--batch-size", 4, "--flip", "horizontal", "--hue", 0.1, "--crop", 2, "--verbose", 2, "--test", 0]
    words += ["--deterministic"]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "train.py"), *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "2 classes, 32×32×3; 12 to train, 2 to validation, 0 to test" in done.stdout
    assert "validation: 2 images, loss" in done.stdout and "test:" not in done.stdout


@pytest.mark.sweep
def test_the_custom_loop_is_what_fit_does(nets):
    sys.path.insert(0, str(nets.parent))
    from my_nets import two_heads

    splits = data.load("digits", validation=0.1, test=0.2, seed=0)
    batches = data.shuffled(splits.train, 32, size=8, channels=1)
    weights, losses = [], []
    for fit in (True, False):
        keras.utils.set_random_seed(0)
        model, optimizer = two_heads((8, 8, 1), 10), keras.optimizers.SGD(0.01)
        model.get_layer("dropout").rate = 0
        if fit:
            model.compile(**compile_args(model, optimizer))
            labelled = label_every_output(batches, model)
            losses += model.fit(labelled, steps_per_epoch=5, verbose=0, shuffle=False).history["loss"]
        else:
            step = custom_loop.training_step(model, optimizer)
            losses.append(np.mean([float(step(*batch)) for batch in batches.take(5)]))
        weights.append(model.get_weights())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
