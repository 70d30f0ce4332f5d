"""Augmentation as Keras layers inside `tf.data`, repeatable image by image.

Keras's random layers draw from a seed that counts on with every call, so that what an image gets depends on how many
came before it. Here it follows from the number of the image in the training alone: a training that is resumed, read
in parallel or shared by several workers sees the same images.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from data import Augment, Images, Refused, read_image

RANGE = (0.0, 1.0)  # of the values of an image
FILL = "nearest"  # beyond the edges of an image that was turned or moved
MEASURED = 1000  # images, of which the colours of all are told
layers = keras.layers


class AtRandom(keras.layers.Layer):
    """A change of a batch of one image, which `function` makes from it and a seed."""

    def __init__(self, function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> None:
        super().__init__()
        self.function, self.generator = function, keras.random.SeedGenerator(0)

    def call(self, images: Any) -> Any:
        return self.function(images[0], self.generator.next())[None]


@dataclass(frozen=True)
class Scene:
    """What the layers of a kind are made for: the side of the images in pixels, and the images themselves."""

    side: int
    images: Images


@dataclass(frozen=True)
class Kind:
    """One way to augment: its flag and the layers that do it.

    Args:
        takes: the type of the argument.
        most: the most that it may be; the least is above zero, which would do nothing.
        help: what the argument measures.
        layers: from the argument and the scene.
        colour: whether it needs images in colour.
        pair: the most that either of two numbers may be, which may be given instead; None where there is no such form.
    """

    takes: type
    most: float
    help: str
    layers: Callable[[Any, Scene], Sequence[keras.Layer]]
    colour: bool = False
    pair: float | None = None


def _crop(border: int, scene: Scene) -> list[keras.Layer]:
    return [layers.ZeroPadding2D(border), layers.RandomCrop(scene.side, scene.side)]


def _resized_crop(areas: float | tuple[float, float], scene: Scene) -> list[keras.Layer]:
    """As Inception and ResNet are trained: a part of any proportions is stretched to the size of the whole."""
    areas = areas if isinstance(areas, tuple) else (areas, 1.0)

    def cropped(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        whole = tf.constant([[[0.0, 0.0, 1.0, 1.0]]])
        *_, box = tf.image.stateless_sample_distorted_bounding_box(
            tf.shape(image), whole, seed, min_object_covered=0.0, aspect_ratio_range=(0.5, 2.0), area_range=areas
        )
        return tf.image.crop_and_resize(image[None], box[0], [0], (scene.side, scene.side))[0]

    return [AtRandom(cropped)]


def _rotation(degrees: float, scene: Scene) -> list[keras.Layer]:
    return [layers.RandomRotation(degrees / 360, fill_mode=FILL)]


def _shift(high: bool, wide: bool) -> Callable[[float, Scene], list[keras.Layer]]:
    def shift(far: float, scene: Scene) -> list[keras.Layer]:
        part = far / scene.side if far >= 1 else far
        if part > 1:
            raise Refused(f"a shift must be at most {scene.side} pixels, the side of the images, got {far:g}")
        return [layers.RandomTranslation(part * high, part * wide, FILL)]

    return shift


def _shear(part: float, scene: Scene) -> list[keras.Layer]:
    return [layers.RandomShear((0.0, part), (0.0, part), fill_mode=FILL)]


def _zoom(part: float | tuple[float, float], scene: Scene) -> list[keras.Layer]:
    factors = tuple(seen - 1 for seen in part) if isinstance(part, tuple) else part
    return [layers.RandomZoom(factors, fill_mode=FILL)]


def _brightness(part: float | tuple[float, float], scene: Scene) -> list[keras.Layer]:
    if not isinstance(part, tuple):
        return [layers.RandomBrightness(part, RANGE)]
    return [AtRandom(lambda image, seed: image * tf.random.stateless_uniform((), seed, *part))]


def _saturation(part: float, scene: Scene) -> list[keras.Layer]:
    return [layers.RandomSaturation((0.5 - part / 2, 0.5 + part / 2), RANGE)]  # 0.5 leaves it as it is


def _jpeg_quality(lowest: int, scene: Scene) -> list[keras.Layer]:
    def encoded(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return tf.image.adjust_jpeg_quality(image, tf.random.stateless_uniform((), seed, lowest, 101, tf.int32))

    return [AtRandom(encoded)]


def _noise(stddev: float, scene: Scene) -> list[keras.Layer]:
    """Keras's own layer does not let its seeds be replaced."""
    return [AtRandom(lambda image, seed: image + tf.random.stateless_normal(tf.shape(image), seed, stddev=stddev))]


def _blur(sigma: float, scene: Scene) -> list[keras.Layer]:
    return [layers.RandomGaussianBlur((1.0, 1.0), 2 * int(np.ceil(2 * sigma)) + 1, (0.0, sigma), RANGE)]


def _erase(part: float, scene: Scene) -> list[keras.Layer]:
    return [layers.RandomErasing((1.0, 1.0), (0.02 * part, part), 0.0, RANGE)]


def principal_colours(images: Images) -> np.ndarray:
    """The principal components of the colours of images, a column each, as long as its variance (3, 3)."""
    some = images.sources[:: -(-len(images) // MEASURED)]
    read = [source if images.side else read_image(source, 3) for source in some]
    pixels = [np.broadcast_to(image, (*image.shape[:2], 3)).reshape(-1, 3) / 255 for image in read]
    variances, directions = np.linalg.eigh(np.cov(np.concatenate(pixels), rowvar=False))
    return (directions * variances).astype("float32")


def _colour_noise(stddev: float, scene: Scene) -> list[keras.Layer]:
    """As AlexNet is trained (Krizhevsky et al. 2012, section 4.1)."""
    colours = principal_colours(scene.images)

    def coloured(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return image + tf.linalg.matvec(colours, tf.random.stateless_normal((3,), seed, stddev=stddev))

    return [AtRandom(coloured)]


FLIPS = {  # each by a draw of its own; one layer for both would flip both or neither
    "horizontal": ("horizontal",),
    "vertical": ("vertical",),
    "both": ("horizontal", "vertical"),
}
SHIFT = "part of the {}, or pixels from 1 on"
KINDS = {
    "resized-crop": Kind(
        *(float, 1, "least (and most) part of the area that is seen, at 1:2 to 2:1, stretched to the whole"),
        *(_resized_crop, False, 1),
    ),
    "crop": Kind(int, 512, "pixels of border added before an image is cropped to its size again", _crop),
    "rotation": Kind(float, 180, "degrees", _rotation),
    "shift": Kind(float, 4096, SHIFT.format("side"), _shift(True, True)),
    "shift-width": Kind(float, 4096, SHIFT.format("width"), _shift(False, True)),
    "shift-height": Kind(float, 4096, SHIFT.format("height"), _shift(True, False)),
    "shear": Kind(float, 1, "part of the side", _shear),
    "zoom": Kind(float, 0.99, "part of the side, in and out; or least and most part that is seen", _zoom, False, 10),
    "brightness": Kind(float, 1, "part of the range; or least and most factor", _brightness, False, 10),
    "contrast": Kind(float, 1, "part of the contrast", lambda part, _: [layers.RandomContrast(part, RANGE)]),
    "saturation": Kind(float, 0.99, "0.2 multiplies it by 0.67 to 1.5", _saturation, colour=True),
    "hue": Kind(float, 1, "part of half a turn", lambda part, _: [layers.RandomHue(part, RANGE)], colour=True),
    "colour-noise": Kind(float, 1, "standard deviation, along the principal components", _colour_noise, colour=True),
    "jpeg-quality": Kind(int, 100, "the lowest quality, of 100", _jpeg_quality),
    "blur": Kind(float, 16, "standard deviation in pixels", _blur),
    "noise": Kind(float, 1, "standard deviation, part of the range", _noise),
    "erase": Kind(float, 1, "part of the area, which turns black", _erase),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A flag for each kind."""
    group = parser.add_argument_group("augmentation of the training images, at random up to the strength given")
    group.add_argument("--flip", choices=FLIPS)
    for name, kind in KINDS.items():
        words = {} if kind.pair is None else {"nargs": "+"}
        group.add_argument(f"--{name}", type=kind.takes, metavar=name.split("-")[-1].upper(), help=kind.help, **words)


def chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    """The kinds that the flags ask for, and their strengths: numbers, or pairs of them.

    Raises:
        Refused: a strength is out of range.
    """
    asked = {name: getattr(arguments, name.replace("-", "_")) for name in ("flip", *KINDS)}
    return {name: _strength(name, given) for name, given in asked.items() if given is not None}


def _strength(name: str, given: Any) -> Any:
    if name == "flip":
        return given
    kind, numbers = KINDS[name], given if isinstance(given, list) else [given]
    if len(numbers) == 1 and 0 < numbers[0] <= kind.most:
        return numbers[0]
    if len(numbers) == 2 and 0 < numbers[0] <= numbers[1] <= kind.pair:
        return tuple(numbers)
    pair = f", or two up to {kind.pair}, the least and the most" * (kind.pair is not None)
    raise Refused(f"--{name} must be a number above 0 up to {kind.most}{pair}, got {' '.join(map(str, numbers))}")


class _Seeds(keras.random.SeedGenerator):
    """Seeds that follow from the number of an image and from how many were drawn for it already."""

    def restart(self, seed: int, number: tf.Tensor) -> None:
        self.of_image, self.drawn = tf.stack([tf.constant(seed, tf.int64), tf.cast(number, tf.int64)]), 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        self.drawn += 1
        return tf.random.fold_in(self.of_image, self.drawn)


def augmentation(
    kinds: dict[str, Any], *, side: int, channels: int, seed: int, images: Images, larger: bool = False
) -> Augment | None:
    """A function of an image and of its number; None if there is nothing to do.

    Args:
        kinds: as `chosen` gives them.
        side: of the images that come out, in pixels.
        channels: of the images; colours take 3.
        seed: of all that is drawn.
        images: which are augmented.
        larger: whether they are larger, and cropped to that side at random.

    Raises:
        Refused: a kind that changes colours, of grey images; a shift by more than the side.
    """
    seeds = _Seeds(seed)
    made: list[keras.Layer] = [layers.RandomCrop(side, side)] if larger else []
    made += [layers.RandomFlip(way) for way in FLIPS[kinds["flip"]]] if "flip" in kinds else []
    for name, kind in KINDS.items():
        if name in kinds and kind.colour and channels != 3:
            raise Refused(f"--{name} needs images in colour, and these are grey")
        if name in kinds:
            made.extend(kind.layers(kinds[name], Scene(side, images)))
    for layer in made:
        if hasattr(layer, "generator"):
            layer.generator = seeds

    def augment(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        seeds.restart(seed, number)
        batch = image[None]
        for layer in made:
            batch = layer(batch)
        return tf.clip_by_value(batch[0], *RANGE)

    return augment if made else None
