"""Images with a class for every pixel, as `tf.data`: generated shapes, or a folder of images and one of masks."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from data import Images, Refused, Splits, image_files, in_order, inspect, one_line, shuffled

SHAPES = ("background", "circle", "square", "triangle")
CORNERS = {"square": 4, "triangle": 3}
NOISE = 0.1  # standard deviation, of values from 0 to 1


@dataclass(frozen=True)
class Masked:
    """Images and their masks.

    Args:
        images: whose labels are their own numbers, so that each finds its mask.
        masks: the class of each pixel, (count, side, side), at the size that a network gives.
        classes: the names of the classes.
        ignore: the label of pixels that do not count.
    """

    images: Images
    masks: np.ndarray
    classes: tuple[str, ...]
    ignore: int

    @property
    def side(self) -> int:
        return self.masks.shape[1]

    @property
    def digest(self) -> str:
        """What tells one set of masks from another."""
        return f"{zlib.crc32(self.masks.tobytes()):08x}"


# -- generated shapes -------------------------------------------------------------------------------------------------


def shapes(count: int, side: int, seed: int) -> Masked:
    """Up to three circles, squares and triangles of any colour on a noisy ground; what comes later lies above."""
    generator = np.random.default_rng(seed)
    images, masks = np.empty((count, side, side, 3), "uint8"), np.zeros((count, side, side), "uint8")
    for image, mask in zip(images, masks, strict=True):
        ground = generator.uniform(0.2, 0.8, 3)
        drawn = np.broadcast_to(ground, image.shape).copy()
        for _ in range(generator.integers(1, 4)):
            label = int(generator.integers(1, len(SHAPES)))
            inside = shape(SHAPES[label], side, generator)
            colour = ground + generator.choice((-1, 1), 3) * generator.uniform(0.2, 0.5, 3)
            drawn[inside], mask[inside] = colour, label
        drawn += generator.normal(0, NOISE, drawn.shape)
        image[:] = np.clip(drawn * 255, 0, 255).round()
    return Masked(Images(images, np.arange(count, dtype="int32"), SHAPES, 3), masks, SHAPES, 255)


def shape(name: str, side: int, generator: np.random.Generator) -> np.ndarray:
    """Which pixels lie in a shape of some size, place and turn."""
    radius = generator.uniform(0.12, 0.28) * side
    x, y = np.meshgrid(*(np.arange(side) - generator.uniform(0.2, 0.8) * side for _ in range(2)))
    if name == "circle":
        return np.hypot(x, y) <= radius
    corners, turn = CORNERS[name], generator.uniform(0, 2 * np.pi)
    sides = turn + 2 * np.pi * np.arange(corners) / corners
    distance = np.max([x * np.cos(angle) + y * np.sin(angle) for angle in sides], axis=0)
    return distance <= radius * np.cos(np.pi / corners)


# -- folders ----------------------------------------------------------------------------------------------------------


def folder(path: str | Path, side: int, *, classes: int | None = None, ignore: int = 255) -> Masked:
    """`images/NAME.jpg` and `masks/NAME.png` (or whatever else they are called), all read once before any training.

    A mask holds a number for each pixel, as a grey image or by the places in a palette. Their names are the lines of
    `classes.txt`, if there is one; else there are as many classes as `classes` says or the highest number needs.

    Raises:
        Refused: images and masks are not pairs of the same size, cannot be read, or hold labels that no class has.
    """
    root = Path(path)
    pictures, masks = (_by_name(root / part) for part in ("images", "masks"))
    for one, other, what in ((pictures, masks, "mask"), (masks, pictures, "image")):
        alone = sorted(one.keys() - other.keys())
        if alone:
            counts = f"{len(pictures)} images and {len(masks)} masks"
            raise Refused(f"{root}: {counts}; no {what} for {_listed([str(one[name]) for name in alone])}")
    files = [pictures[name] for name in sorted(pictures)]
    channels, bad = inspect(files)
    if bad:
        said = [f"{file} ({reason})" for file, reason in bad.items()]
        raise Refused(f"{root}: {len(bad)} of {len(files)} images cannot be read: {_listed(said)}")
    known = _names(root)
    limit = len(known) if known else classes
    labels = [read_mask(masks[name], pictures[name], side, limit, ignore) for name in sorted(pictures)]
    stacked = np.stack(labels)
    found = np.unique(stacked[stacked != ignore])
    if not limit and len(found) < 2:
        which = ", ".join(map(str, found)) or "none"
        raise Refused(
            f"{root}: the masks have one class ({which}) besides {ignore}, which is ignored; there must be two"
        )
    names = known or tuple(map(str, range(limit or int(found.max()) + 1)))
    numbers = np.arange(len(files), dtype="int32")
    return Masked(Images(np.array([str(file) for file in files]), numbers, names, channels), stacked, names, ignore)


def _by_name(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        raise Refused(f"{path.parent}: it must be a folder with images/ and masks/, and there is no {path.name}/")
    found: dict[str, Path] = {}
    for file in image_files(path):
        name = str(file.relative_to(path).with_suffix(""))
        if name in found:
            raise Refused(f"{found[name]} and {file} have the same name")
        found[name] = file
    if not found:
        raise Refused(f"{path}: no images in it")
    return found


def _names(root: Path) -> tuple[str, ...]:
    path = root / "classes.txt"
    if not path.is_file():
        return ()
    names = tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
    if len(names) < 2:
        raise Refused(f"{path}: {len(names)} classes; there must be two or more, a line each")
    return names


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    return ", ".join(words[:3]) + more


def read_mask(path: Path, picture: Path, side: int, classes: int | None, ignore: int) -> np.ndarray:
    """The labels of a mask file, (side, side), each that of the nearest pixel.

    Raises:
        Refused: it cannot be read, is in colour, is not as large as its picture, or has other labels.
    """
    from PIL import Image

    try:
        with Image.open(path) as file, Image.open(picture) as beside:
            file.load()
            mask, (width, height) = file.copy(), beside.size
    except Exception as error:  # decoders raise what they like at a broken file
        raise Refused(f"{path}: no mask that can be read ({one_line(error)})") from error
    if mask.mode not in ("1", "L", "P"):
        raise Refused(f"{path}: a mask is one number a pixel, grey or from a palette, but this has mode {mask.mode}")
    if mask.size != (width, height):
        raise Refused(f"{path}: {mask.width}×{mask.height} pixels, but {picture} has {width}×{height}")
    labels = np.asarray(mask).astype("uint8")
    outside = np.setdiff1d(labels, [*range(classes), ignore]) if classes else []
    if len(outside):
        numbers = _listed([str(label) for label in outside])
        raise Refused(f"{path}: label {numbers}, but they go from 0 to {classes - 1}, and {ignore} is ignored")
    places = [((np.arange(side) + 0.5) * size / side).astype(int) for size in labels.shape]
    return labels[np.ix_(*places)]


# -- what a network is fed --------------------------------------------------------------------------------------------


def split(masked: Masked, validation: float, test: float, seed: int) -> Splits:
    """Hold out the given parts, at least one image for each that is not zero."""
    if not (0 < validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise Refused(f"--validation and --test take parts of 1 that leave some, got {validation} and {test}")
    count = len(masked.images)
    validations, tests = max(1, int(count * validation)), max(int(test > 0), int(count * test))
    if validations + tests >= count:
        raise Refused(f"{validations} images to validate and {tests} to test on leave none of {count} to train on")
    order = np.random.default_rng(seed).permutation(count)
    parts = np.split(order, [count - validations - tests, count - tests])
    return Splits(*(masked.images[np.sort(part)] for part in parts))


def mirrored(border: tuple[int, int], side: int) -> Callable[[Any], Any]:
    """Images with so many rows and columns more before and after, which go on as in a mirror."""
    places = np.pad(np.arange(side), border, mode="reflect")
    return lambda images: tf.gather(tf.gather(images, places, axis=1), places, axis=2) if any(border) else images


def batches(
    masked: Masked, images: Images, batch_size: int, border: tuple[int, int], start: int | None = None, seed: int = 0
) -> tf.data.Dataset:
    """Batches of (images, masks): in order, or without end from batch `start` on, as `in_order` and `shuffled`."""
    shape = {"size": masked.side, "channels": masked.images.channels}
    if start is None:
        made = in_order(images, batch_size, **shape)
    else:
        made = shuffled(images, batch_size, **shape, seed=seed, start=start)
    wider, masks = mirrored(border, masked.side), tf.constant(masked.masks)
    return made.map(lambda pixels, numbers: (wider(pixels), tf.cast(tf.gather(masks, numbers), tf.int32)))


def cropped(model: keras.Model, side: int) -> keras.Model:
    """The model without the rows and columns that its output has more than that."""
    height, width = model.output_shape[1:3]
    more = ((0, height - side), (0, width - side))
    return keras.Model(model.input, keras.layers.Cropping2D(more, name="crop_output")(model.output), name=model.name)
