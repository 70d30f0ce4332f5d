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
import tensorflow as tf
from data import Augment, Refused

RANGE = (0.0, 1.0)  # of the values of an image
FILL = "nearest"  # beyond the edges of an image that was turned or moved
layers = keras.layers


class RandomJpegQuality(keras.layers.Layer):
    """What JPEG makes of an image (a batch of one) at a quality between the lowest given and 100."""

    def __init__(self, lowest: int) -> None:
        super().__init__()
        self.lowest = lowest
        self.generator = keras.random.SeedGenerator(0)

    def call(self, images: Any) -> Any:
        quality = tf.random.stateless_uniform((), self.generator.next(), self.lowest, 101, tf.int32)
        return tf.image.adjust_jpeg_quality(images[0], quality)[None]


class RandomNoise(keras.layers.Layer):
    """Gaussian noise; Keras's own layer does not let its seeds be replaced."""

    def __init__(self, stddev: float) -> None:
        super().__init__()
        self.stddev = stddev
        self.generator = keras.random.SeedGenerator(0)

    def call(self, images: Any) -> Any:
        return images + tf.random.stateless_normal(tf.shape(images), self.generator.next(), stddev=self.stddev)


@dataclass(frozen=True)
class Kind:
    """One way to augment: its flag and the layers that do it.

    Args:
        takes: the type of the argument.
        most: the most that it may be; the least is above zero, which would do nothing.
        help: what the argument measures.
        layers: from the argument and the side of the images in pixels.
        colour: whether it needs images in colour.
    """

    takes: type
    most: float
    help: str
    layers: Callable[[Any, int], Sequence[keras.Layer]]
    colour: bool = False


def _crop(border: int, side: int) -> list[keras.Layer]:
    return [layers.ZeroPadding2D(border), layers.RandomCrop(side, side)]


def _rotation(degrees: float, side: int) -> list[keras.Layer]:
    return [layers.RandomRotation(degrees / 360, fill_mode=FILL)]


def _shift(part: float, side: int) -> list[keras.Layer]:
    return [layers.RandomTranslation(part, part, fill_mode=FILL)]


def _shear(part: float, side: int) -> list[keras.Layer]:
    return [layers.RandomShear((0.0, part), (0.0, part), fill_mode=FILL)]


def _zoom(part: float, side: int) -> list[keras.Layer]:
    return [layers.RandomZoom(part, fill_mode=FILL)]


def _saturation(part: float, side: int) -> list[keras.Layer]:
    return [layers.RandomSaturation((0.5 - part / 2, 0.5 + part / 2), RANGE)]  # 0.5 leaves it as it is


FLIPS = {  # each by a draw of its own; one layer for both would flip both or neither
    "horizontal": ("horizontal",),
    "vertical": ("vertical",),
    "both": ("horizontal", "vertical"),
}
KINDS = {
    "crop": Kind(int, 512, "pixels of border added before an image is cropped to its size again", _crop),
    "rotation": Kind(float, 180, "degrees", _rotation),
    "shift": Kind(float, 1, "part of the side", _shift),
    "shift-width": Kind(float, 1, "part of the width", lambda part, _: [layers.RandomTranslation(0.0, part, FILL)]),
    "shift-height": Kind(float, 1, "part of the height", lambda part, _: [layers.RandomTranslation(part, 0.0, FILL)]),
    "shear": Kind(float, 1, "part of the side", _shear),
    "zoom": Kind(float, 0.99, "part of the side, in and out", _zoom),
    "brightness": Kind(float, 1, "part of the range", lambda part, _: [layers.RandomBrightness(part, RANGE)]),
    "contrast": Kind(float, 1, "part of the contrast", lambda part, _: [layers.RandomContrast(part, RANGE)]),
    "saturation": Kind(float, 0.99, "0.2 multiplies it by 0.67 to 1.5", _saturation, colour=True),
    "hue": Kind(float, 1, "part of half a turn", lambda part, _: [layers.RandomHue(part, RANGE)], colour=True),
    "jpeg-quality": Kind(int, 100, "the lowest quality, of 100", lambda lowest, _: [RandomJpegQuality(lowest)]),
    "noise": Kind(float, 1, "standard deviation, part of the range", lambda part, _: [RandomNoise(part)]),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A flag for each kind."""
    group = parser.add_argument_group("augmentation of the training images, at random up to the strength given")
    group.add_argument("--flip", choices=FLIPS)
    for name, kind in KINDS.items():
        group.add_argument(f"--{name}", type=kind.takes, metavar=name.split("-")[-1].upper(), help=kind.help)


def chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    """The kinds that the flags ask for, and their strengths.

    Raises:
        Refused: a strength is out of range.
    """
    asked = {name: getattr(arguments, name.replace("-", "_")) for name in ("flip", *KINDS)}
    asked = {name: strength for name, strength in asked.items() if strength is not None}
    for name, strength in asked.items():
        if name != "flip" and not 0 < strength <= KINDS[name].most:
            raise Refused(f"--{name} must be a number above 0 up to {KINDS[name].most}, got {strength}")
    return asked


class _Seeds(keras.random.SeedGenerator):
    """Seeds that follow from the number of an image and from how many were drawn for it already."""

    def restart(self, seed: int, number: tf.Tensor) -> None:
        self.of_image, self.drawn = tf.stack([tf.constant(seed, tf.int64), tf.cast(number, tf.int64)]), 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        self.drawn += 1
        return tf.random.fold_in(self.of_image, self.drawn)


def augmentation(kinds: dict[str, Any], *, side: int, channels: int, seed: int) -> Augment | None:
    """A function of an image and of its number; None if there is nothing to do.

    Args:
        kinds: as `chosen` gives them.
        side: of the images, in pixels.
        channels: of the images; colours take 3.
        seed: of all that is drawn.

    Raises:
        Refused: a kind that changes colours, of grey images.
    """
    seeds = _Seeds(seed)
    made: list[keras.Layer] = [layers.RandomFlip(way) for way in FLIPS[kinds["flip"]]] if "flip" in kinds else []
    for name, kind in KINDS.items():
        if name in kinds and kind.colour and channels != 3:
            raise Refused(f"--{name} needs images in colour, and these are grey")
        if name in kinds:
            made.extend(kind.layers(kinds[name], side))
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
