"""Images in a grid, with their labels and what a network takes them for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..checks import complaint, public, refuse
from .labels import as_array, of_numbers, read_classes, read_labels
from .panels import FORMATS, MOST_TILES, WRONG, inches, tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CHANNELS = (1, 3, 4)
_BYTES = (0.0, 255.0)
_RANGES = ((0.0, 1.0), (-1.0, 1.0), _BYTES)
_OVERSHOOT = 0.1  # of floats, by resizing; more would let standardised images pass for nearly black ones


@public
def plot_images(
    images: Any,
    labels: Any = None,
    predictions: Any = None,
    *,
    columns: int = 5,
    classes: Sequence[str] | None = None,
    value_range: tuple[float, float] | None = None,
    data_format: str = "channels_last",
    width: float | str = "ieee1",
) -> list[Axes]:
    """Draw images in a grid, each under its label, or under what it was taken for.

    A wrong prediction has a cross before it, the true class after it, and a thick dashed frame.

    Args:
        images: `(images, height, width)`, `(images, height, width, 1 | 3 | 4)`, or a list of images of any sizes.
        labels: the true classes: numbers, one-hot rows or text.
        predictions: the same, or what the network gives, `(images, classes)`: the highest counts, and is
            shown as percent if these are probabilities.
        columns: how many images a row has.
        classes: the names of the classes, in order.
        value_range: the values of black and white. None: 0 and 255 for integers; for floats the first of (0, 1),
            (−1, 1) and (0, 255) into which they all fit.
        data_format: `channels_last` or `channels_first`.
        width: of the figure, as in `plot_history`.

    Returns:
        The axes, image by image.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: there are no images or more than 400, they are no images, there are more or fewer labels than
            images, a class is out of range, or the values of floats fit no range.

    >>> axes = plot_images(np.zeros((2, 8, 8)), labels=[0, 1], predictions=[0, 0], classes=["cat", "dog"])
    >>> [ax.get_title() for ax in axes]
    ['cat', '✗ cat (dog)']
    """
    names = read_classes(classes)
    columns = checks.integer("columns", columns)
    inch = inches(width)
    arrays = _scaled(_images(images, checks.choice("data_format", data_format, FORMATS)), value_range)
    titles, wrong = _titles(len(arrays), labels, predictions, names)
    aspect = float(np.median([array.shape[0] / array.shape[1] for array in arrays]))
    axes = tiles(inch, columns, aspect, titles)
    for one, array, is_wrong in zip(axes, arrays, wrong, strict=True):
        one.imshow(array, cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
        if is_wrong:
            one.spines[:].set(linewidth=2.0, linestyle=(0, (1.5, 2.5)), edgecolor=WRONG)
    return axes


def _images(images: Any, data_format: str) -> list[np.ndarray[Any, Any]]:
    """Each as (height, width) or (height, width, 3 | 4)."""
    if isinstance(images, list | tuple):
        batch = [as_array(f"images[{number}]", image) for number, image in enumerate(images)]
    else:
        whole = as_array("images", images)
        if whole.ndim not in (3, 4):
            hint = "; image[None] is a batch of one" if whole.ndim == 2 else ""
            shapes = "(images, height, width, channels) or (images, height, width)"
            raise complaint(f"images must be of shape {shapes}, got {whole.shape}{hint}")
        batch = list(whole)
    if not batch:
        raise refuse("images", images, "one image or more")
    if len(batch) > MOST_TILES:
        raise complaint(f"images must be at most {MOST_TILES}, such as images[:25], got {len(batch)}")
    found = []
    for number, image in enumerate(batch):
        if image.ndim == 3 and data_format == "channels_first":
            image = np.moveaxis(image, 0, -1)
        of_numbers("images", image)
        if image.ndim not in (2, 3) or not image.size or (image.ndim == 3 and image.shape[-1] not in _CHANNELS):
            raise complaint(
                f"images[{number}] must be of shape (height, width), or have 1, 3 or 4 channels, "
                f"got {batch[number].shape} ({data_format})"
            )
        if image.ndim == 2 and image.shape[1] in (3, 4) and image.shape[0] > 16:
            raise complaint(f"images must be several, got one image of shape {(len(batch), *image.shape)}: image[None]")
        found.append(image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image)
    return found


def _scaled(arrays: list[np.ndarray[Any, Any]], value_range: Any) -> list[np.ndarray[Any, Any]]:
    """The images with values from 0 to 1, all by the same rule."""
    low, high = _range(arrays, value_range)
    return [np.clip((array.astype(float) - low) / (high - low), 0, 1) for array in arrays]


def _range(arrays: list[np.ndarray[Any, Any]], value_range: Any) -> tuple[float, float]:
    if value_range is not None:
        must_be = "None, or the finite numbers of black and white, black being lower"
        try:
            low, high = map(float, value_range)
        except (TypeError, ValueError):
            raise refuse("value_range", value_range, must_be, TypeError) from None
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise refuse("value_range", value_range, must_be)
        return low, high
    if not all(np.isfinite(array).all() for array in arrays):
        raise complaint("images must be of finite numbers, got others")
    least, most = float(min(a.min() for a in arrays)), float(max(a.max() for a in arrays))
    kinds = {array.dtype.kind for array in arrays}
    if kinds == {"b"}:
        return 0.0, 1.0
    for low, high in _RANGES if "f" in kinds else (_BYTES,):
        if low - _OVERSHOOT <= least and most <= high + _OVERSHOOT:
            return low, high
    raise complaint(
        f"images must be of values from 0 to 1, −1 to 1 or 0 to 255, or value_range=(black, white) be given, "
        f"got {least:g} to {most:g}"
    )


def _titles(count: int, labels: Any, predictions: Any, names: tuple[str, ...] | None) -> tuple[list[str], list[bool]]:
    """What stands over each image, and whether it was taken for something else."""
    true = _shown("labels", labels, names, count)
    if predictions is None:
        return [""] * count if true is None else true, [False] * count
    found, shares = _guesses(predictions)
    taken = _shown("predictions", found, names, count)
    assert taken is not None
    wrong = [False] * count if true is None else [a != b for a, b in zip(true, taken, strict=True)]
    titles = []
    for number, guess in enumerate(taken):
        text = f"{guess} {shares[number]:.0%}" if shares is not None else guess
        titles.append(f"✗ {text} ({true[number]})" if true is not None and wrong[number] else text)
    return titles, wrong


def _shown(argument: str, labels: Any, names: tuple[str, ...] | None, count: int) -> list[str] | None:
    if labels is None:
        return None
    numbers, known = read_labels(argument, labels, names)
    if len(numbers) != count:
        raise complaint(f"{argument} must be one for each of {count} images, got {len(numbers)}")
    return [known[number] for number in numbers]


def _guesses(predictions: Any) -> tuple[Any, np.ndarray[Any, Any] | None]:
    """Class numbers or text; and how sure the network is, if it says so."""
    found = as_array("predictions", predictions)
    if found.ndim != 2 or found.shape[1] == 1 or found.dtype.kind != "f":
        return found, None
    if not np.isfinite(found).all():
        raise complaint("predictions must be finite numbers, got others")
    sure = found.min() >= 0 and np.allclose(found.sum(axis=1), 1, atol=1e-2) and not np.all((found == 0) | (found == 1))
    return np.eye(found.shape[1])[found.argmax(axis=1)], found.max(axis=1) if sure else None
