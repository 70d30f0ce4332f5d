"""Labels of images in every form that Keras accepts: numbers, one-hot rows, text, whole datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import complaint, nearest, one_line, refuse

_MOST_CLASSES = 100_000


def as_array(argument: str, value: Any) -> np.ndarray[Any, Any]:
    """Numbers or text out of a list, a NumPy array or a tensor."""
    try:
        found = np.asarray(value)
    except Exception as error:
        told = f"{argument} must be an array of numbers or text, got a {type(value).__name__}: {error}"
        raise complaint(told, TypeError) from None
    if found.dtype == object and not all(isinstance(item, str | bytes) for item in found.flat):
        raise refuse(argument, value, "an array of numbers or text", TypeError)
    return found


def of_numbers(argument: str, found: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array, if it holds real numbers."""
    if found.dtype.kind not in "biuf":
        raise complaint(f"{argument} must be of numbers, got dtype {found.dtype}", TypeError)
    return found


def read_classes(classes: Any) -> tuple[str, ...] | None:
    """The names of the classes, in the order of their numbers."""
    if classes is None:
        return None
    must_be = "the names of the classes, in order, or None"
    if isinstance(classes, str | bytes):
        raise refuse("classes", classes, must_be, TypeError)
    try:
        names = tuple(map(str, classes))
    except TypeError:
        raise refuse("classes", classes, must_be, TypeError) from None
    if not names:
        raise refuse("classes", classes, must_be)
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise complaint(f"classes must be names that differ, got {one_line(twice)} twice")
    return names


def read_labels(
    argument: str, labels: Any, classes: Sequence[str] | None
) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """The number of each label's class, and the names of the classes: "0", "1" … for numbers without names."""
    found = as_array(argument, _targets(argument, labels))
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if not found.size:
        raise refuse(argument, labels, "one label or more")
    if found.dtype.kind in "SUO":
        return _of_text(argument, found, classes)
    found = of_numbers(argument, found)
    numbers = _of_rows(argument, found) if found.ndim == 2 else found
    if numbers.ndim != 1:
        shapes = "(images,), (images, 1) or one-hot (images, classes)"
        raise complaint(f"{argument} must be of shape {shapes}, got {found.shape}")
    if not np.all(numbers == np.floor(numbers)) or not np.all(np.isfinite(numbers)):
        wrong = numbers[(numbers != np.floor(numbers)) | ~np.isfinite(numbers)][0]
        raise complaint(f"{argument} must be integers of at least 0, or text, got {wrong}")
    limit = len(classes) if classes is not None else found.shape[1] if found.ndim == 2 else _MOST_CLASSES
    outside = numbers[(numbers < 0) | (numbers >= limit)]
    if outside.size:
        among = f", as there are {limit} classes" if limit != _MOST_CLASSES else ""
        raise complaint(f"{argument} must be classes 0 to {limit - 1}{among}, got {outside[0]:.0f}")
    if classes is not None and found.ndim == 2 and found.shape[1] != len(classes):
        raise complaint(f"{argument} must be of {len(classes)} columns, one a class, got {found.shape[1]}")
    numbers = numbers.astype(np.int64)
    count = found.shape[1] if found.ndim == 2 else int(numbers.max()) + 1
    return numbers, tuple(classes) if classes is not None else tuple(map(str, range(count)))


def _of_rows(argument: str, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    one_hot = np.all((rows == 0) | (rows == 1), axis=1) & (rows.sum(axis=1) == 1)
    if not one_hot.all():
        row = int(np.argmin(one_hot))
        raise complaint(
            f"{argument} must be numbers of classes, such as {argument}.argmax(-1), or np.nonzero({argument})[1] where "
            f"images have several, or one-hot rows, got shape {rows.shape} whose row {row} is not one-hot"
        )
    return np.argmax(rows, axis=1)


def _of_text(
    argument: str, found: np.ndarray[Any, Any], classes: Sequence[str] | None
) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    if found.ndim != 1:
        raise complaint(f"{argument} must be of shape (images,) where it is text, got {found.shape}")
    words = [word.decode() if isinstance(word, bytes) else str(word) for word in found.tolist()]
    names = tuple(sorted(set(words))) if classes is None else tuple(classes)
    places = {name: place for place, name in enumerate(names)}
    for word in words:
        if word not in places:
            raise complaint(f"{argument} must be names of classes, got {one_line(word)}{nearest(word, names)}")
    return np.array([places[word] for word in words], np.int64), names


# -- datasets ---------------------------------------------------------------------------------------------------------


def _targets(argument: str, labels: Any) -> Any:
    """The labels of a `tf.data.Dataset` of labels or of (images, labels, …), batched or not; else what was given."""
    if not hasattr(labels, "element_spec"):
        return labels
    if int(labels.cardinality()) == -1:
        raise complaint(f"{argument} must be a dataset that ends, got one without end; give {argument}.take(…)")
    parts: list[np.ndarray[Any, Any]] = []
    for element in labels:
        images, target = element[:2] if isinstance(element, tuple) and len(element) > 1 else (None, element)
        if isinstance(target, dict | list | tuple):
            told = f"{argument} must be a dataset with labels for one output, got several; map it to those of one"
            raise complaint(told, TypeError)
        part = as_array(argument, target)
        parts.append(part[None] if part.ndim == 0 or _is_one_hot_row(part, images) else part)
    if not parts:
        raise complaint(f"{argument} must be one label or more, got none")
    return np.concatenate(parts)


def _is_one_hot_row(part: np.ndarray[Any, Any], images: Any) -> bool:
    """Whether it is the label of one image, and not those of a batch: as many as there are images."""
    if part.ndim != 1:
        return False
    lengths: Any = getattr(images, "shape", ())
    return part.dtype.kind == "f" if not len(lengths) else int(lengths[0]) != len(part)
