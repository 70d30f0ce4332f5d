"""Labelled images as `tf.data`: the digits of scikit-learn, a set of `keras.datasets`, or a folder of class folders."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")

Augment = Callable[[Any, Any], Any]
"""From an image and its number in the stream to another image."""


class Refused(Exception):
    """What a program cannot go on with, and why, in one line."""


@dataclass(frozen=True)
class Images:
    """Images and their classes.

    Args:
        sources: the images as one array (count, height, width, channels) of values from 0 to 255, or as many paths.
        labels: the class of each, from 0 on.
        classes: the names of the classes.
        channels: 1 if all are grey, else 3.
    """

    sources: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    channels: int

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: Any) -> Images:
        return replace(self, sources=self.sources[chosen], labels=self.labels[chosen])

    @property
    def side(self) -> int | None:
        """The longer side in pixels, where all are alike."""
        return max(self.sources.shape[1:3]) if self.sources.ndim == 4 else None


@dataclass(frozen=True)
class Splits:
    """Images to train on, to choose the best epoch by, and for the figure that is reported; the last may be empty."""

    train: Images
    validation: Images
    test: Images


# -- where images come from -------------------------------------------------------------------------------------------


def load(
    data: str,
    *,
    validation: float,
    test: float,
    seed: int,
    skip_unreadable: bool = False,
    test_data: str | None = None,
) -> Splits:
    """Images by what `--data` and `--test-data` say, each class split alike.

    Args:
        data: `digits`, a name of `keras.datasets`, or a folder with one folder of images a class.
        validation, test: the part of each class that is held out; a set of `keras.datasets` has its own test images.
        seed: of the split.
        skip_unreadable: leave out files that are no image or a broken one, instead of refusing the folder.
        test_data: a folder of the same class folders, to test on instead of a part.

    Raises:
        Refused: there are no such data, or one cannot train and validate on them.
    """
    if test_data is not None:
        splits = load(data, validation=validation, test=0, seed=seed, skip_unreadable=skip_unreadable)
        if not Path(test_data).is_dir():
            raise Refused(f"--test-data {test_data}: there is no such folder")
        tests = folder(test_data, skip_unreadable)
        if tests.classes != splits.train.classes:
            theirs, ours = (", ".join(classes) for classes in (tests.classes, splits.train.classes))
            raise Refused(f"--test-data {test_data} has the classes {theirs}, but --data has {ours}")
        return replace(splits, test=tests)
    if data == "digits":
        return split(digits(), validation, test, seed)
    if Path(data).is_dir():
        return split(folder(data, skip_unreadable), validation, test, seed)
    if data in dir(keras.datasets):
        images, tests = keras_dataset(data)
        return replace(split(images, validation, 0, seed), test=tests)
    names = ", ".join(name for name in dir(keras.datasets) if not name.startswith("_"))
    raise Refused(
        f"--data must be digits, a name of keras.datasets ({names}) or a folder of class folders, got {data!r}"
    )


def digits() -> Images:
    """1,797 real handwritten digits of 8×8 pixels."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.round(bunch.images[..., None] * (255 / 16)).astype("uint8")
    return Images(pixels, bunch.target.astype("int32"), tuple(map(str, bunch.target_names)), 1)


def keras_dataset(name: str) -> tuple[Images, Images]:
    """The training and the test images of a set of `keras.datasets`, which Keras downloads."""
    try:
        train, test = getattr(keras.datasets, name).load_data()
    except Exception as error:  # whatever the network and the file system have to say
        raise Refused(f"--data {name}: Keras could not load it: {one_line(error)}") from error
    classes = 0
    found = []
    for pixels, labels in (train, test):
        pixels, labels = np.asarray(pixels), np.asarray(labels).squeeze()
        if pixels.ndim not in (3, 4) or labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise Refused(f"--data {name}: no images with one class each; arrays of shape {pixels.shape}")
        pixels = pixels[..., None] if pixels.ndim == 3 else pixels
        classes = classes or int(labels.max()) + 1
        check_labels(labels, classes, f"--data {name}")
        found.append(Images(pixels, labels.astype("int32"), tuple(map(str, range(classes))), pixels.shape[-1]))
    return found[0], found[1]


def folder(path: str | Path, skip_unreadable: bool = False) -> Images:
    """The images of a folder with one folder of them a class; every file is read once, before any training.

    Raises:
        Refused: there are no classes to tell apart, a class without images, or files that cannot be read.
    """
    root = Path(path)
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    paths = {name: image_files(root / name) for name in names}
    if not any(paths.values()):
        beside = " directly, but there must be one folder of them for each class" if image_files(root) else ""
        raise Refused(f"{root}: {'it has images' + beside if beside else 'no images in it'}")
    empty = [name for name, files in paths.items() if not files]
    if empty:
        raise Refused(f"{root}: no images in the class folder {', '.join(empty)}")
    if len(names) == 1:
        raise Refused(f"{root}: one class ({names[0]}); there must be at least two to tell apart")
    files = [file for name in names for file in paths[name]]
    labels = np.repeat(np.arange(len(names), dtype="int32"), [len(paths[name]) for name in names])
    channels, bad = inspect(files)
    for file, reason in bad.items():
        print(f"unreadable: {file}: {reason}", file=sys.stderr)
    if bad and not skip_unreadable:
        raise Refused(f"{root}: {len(bad)} of {len(files)} files cannot be read; --skip-unreadable leaves them out")
    good = np.array([file not in bad for file in files])
    sources = np.array([str(file) for file in files])
    images = Images(sources[good], labels[good], tuple(names), channels)
    gone = [name for label, name in enumerate(names) if label not in images.labels]
    if gone:
        raise Refused(f"{root}: no readable image in the class folder {', '.join(gone)}")
    return images


def image_files(path: Path) -> list[Path]:
    """All files below a folder that are called as images are, in order."""
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())


def inspect(files: Sequence[Path]) -> tuple[int, dict[Path, str]]:
    """Decode every file: how many channels they need, and why which of them cannot be read."""

    def channels_or_reason(file: Path) -> int | str:
        try:
            pixels = read_image(file)
        except Exception as error:  # decoders raise what they like at a broken file
            return one_line(error) or type(error).__name__
        return pixels.shape[-1]

    found = {}
    progress = keras.utils.Progbar(len(files), unit_name="file", verbose=int(len(files) > 1000))
    with ThreadPoolExecutor() as pool:
        for file, result in zip(files, pool.map(channels_or_reason, files), strict=True):
            found[file] = result
            progress.add(1)
    bad = {file: result for file, result in found.items() if isinstance(result, str)}
    return max((result for result in found.values() if isinstance(result, int)), default=3), bad


def read_image(path: str | Path, channels: int | None = None) -> np.ndarray:
    """An image file as (height, width, channels) from 0 to 255, upright, on white where it is transparent.

    Args:
        path: JPEG, PNG, WebP, GIF (its first picture) or whatever else Pillow reads.
        channels: 1 for grey, 3 for colour, None for what the file has.

    Raises:
        OSError, ValueError, SyntaxError: the file cannot be read whole.
    """
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file)
        picture.load()
    if picture.mode.startswith("I"):  # 16 bits a pixel
        picture = Image.fromarray((np.asarray(picture).clip(0, 65535) / 257).round().astype("uint8"))
    elif picture.mode == "F":
        raise ValueError("pixels are floating-point numbers without a known range")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    grey = picture.mode in ("1", "L") if channels is None else channels == 1
    pixels = np.asarray(picture.convert("L" if grey else "RGB"))
    return pixels[..., None] if grey else pixels


def check_labels(labels: np.ndarray, classes: int, whose: str) -> None:
    """Refuse labels that no class has."""
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise Refused(f"{whose}: labels go from 0 to {classes - 1}, but {len(outside)} do not ({outside[0]} for one)")


def split(images: Images, validation: float, test: float, seed: int) -> Splits:
    """Hold out the given parts of every class, at least one image for each part that is not zero.

    Raises:
        Refused: a class has too few images for it, or the parts leave nothing to train on.
    """
    check_labels(images.labels, len(images.classes), "labels")
    if not (0 < validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise Refused(f"--validation and --test take parts of 1 that leave some, got {validation} and {test}")
    generator = np.random.default_rng(seed)
    parts: tuple[list[int], ...] = ([], [], [])
    for label, name in enumerate(images.classes):
        own = generator.permutation(np.flatnonzero(images.labels == label))
        validations, tests = max(1, int(len(own) * validation)), max(int(test > 0), int(len(own) * test))
        if validations + tests >= len(own):
            uses = f"{validations} to validate on" + f" and {tests} to test on (none with --test 0)" * (test > 0)
            raise Refused(f"class {name}: {uses} leave none of its {len(own)} image{'s'[: len(own) != 1]} to train on")
        places = [len(own) - validations - tests, len(own) - tests]
        for part, chosen in zip(parts, np.split(own, places), strict=True):
            part.extend(chosen)
    return Splits(*(images[np.sort(np.array(part, int))] for part in parts))


# -- what a network is fed --------------------------------------------------------------------------------------------


def fitted(image: tf.Tensor, size: int, channels: int, pad: bool) -> tf.Tensor:
    """An image of any size, from 0 to 255, as (size, size, channels) from 0 to 1.

    Args:
        pad: keep the proportions and fill up with black, instead of stretching.
    """
    image = tf.cast(image, tf.float32) / 255
    if channels == 1 and image.shape[-1] == 3:
        image = tf.image.rgb_to_grayscale(image)
    elif channels == 3 and image.shape[-1] == 1:
        image = tf.image.grayscale_to_rgb(image)
    if pad:
        sides = tf.cast(tf.shape(image)[:2], tf.float32)
        sides = tf.maximum(tf.cast(tf.round(sides * (size / tf.reduce_max(sides))), tf.int32), 1)
        before = (size - sides) // 2
        image = tf.image.resize(image, sides, antialias=True)
        image = tf.image.pad_to_bounding_box(image, before[0], before[1], size, size)
    elif image.shape[:2] != (size, size):
        image = tf.image.resize(image, (size, size), antialias=True)
    return tf.ensure_shape(tf.clip_by_value(image, 0, 1), (size, size, channels))


def reader(images: Images, size: int, channels: int, pad: bool) -> Callable[[Any], tuple[Any, Any]]:
    """From the place of an image to the image as `fitted`, and its label; for `tf.data`."""
    labels = tf.constant(images.labels)
    sources = tf.constant(images.sources)

    def pixels(index: tf.Tensor) -> tf.Tensor:
        source = tf.gather(sources, index)
        if images.side is not None:
            return source
        read = tf.numpy_function(lambda path: read_image(path.decode(), channels), [source], tf.uint8, stateful=False)
        return tf.ensure_shape(read, (None, None, channels))

    return lambda index: (fitted(pixels(index), size, channels, pad), tf.gather(labels, index))


def some(images: Images, count: int, seed: int) -> Images:
    """So many of the images, drawn once; all where there are no more."""
    return images[np.sort(np.random.default_rng(seed).permutation(len(images))[:count])]


def in_order(images: Images, batch_size: int, *, size: int, channels: int, pad: bool = False) -> tf.data.Dataset:
    """Batches of (image, label), each image once and in order: to evaluate on."""
    places = tf.data.Dataset.range(len(images))
    read = places.map(reader(images, size, channels, pad), num_parallel_calls=tf.data.AUTOTUNE)
    return read.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def steps_in(images: Images, batch_size: int) -> int:
    """How many batches `shuffled` makes of one pass over the images."""
    return max(1, len(images) // batch_size)


def shuffled(
    images: Images,
    batch_size: int,
    *,
    size: int,
    channels: int,
    pad: bool = False,
    seed: int = 0,
    augment: Augment | None = None,
    start: int = 0,
    share: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Batches of (image, label) without end, in another order each pass: to train on.

    The order and what augmentation does follow from the seed and the number of the batch alone, so that a training
    that goes on at batch `start` sees what it would have seen. Of each pass the images that do not fill a batch are
    left out. Of each batch this gives the part that is this one's `share`, of so many equal ones.
    """
    count, batch_size = len(images), min(batch_size, len(images))
    steps = count // batch_size
    part = batch_size // share[1]
    first, done = divmod(start, steps)
    read = reader(images, size, channels, pad)

    def element(number: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = read(index)
        return (image if augment is None else augment(image, number)), label

    def one_pass(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seed=tf.stack([seed, number]))
        places = tf.reshape(tf.range(steps * batch_size, dtype=tf.int64), (steps, batch_size))
        mine = tf.reshape(places[tf.where(number == first, done, 0) :, share[0] * part : (share[0] + 1) * part], [-1])
        numbered = tf.data.Dataset.from_tensor_slices((mine + number * count, tf.gather(order, mine)))
        return numbered.map(element, num_parallel_calls=tf.data.AUTOTUNE).batch(part, drop_remainder=True)

    return tf.data.Dataset.counter(first).flat_map(one_pass).prefetch(tf.data.AUTOTUNE)


def one_line(error: BaseException) -> str:
    """What an error says, as one line."""
    return " ".join(str(error).split())
