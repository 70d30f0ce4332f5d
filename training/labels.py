"""Labels of images in every form that Keras takes them: numbers, one-hot rows, text, whole datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._old_checks import nearest, one_line

_MOST_CLASSES = 100_000


def as_array(function: str, argument: str, value: Any) -> np.ndarray[Any, Any]:
    """Numbers or text out of a list, a NumPy array or a tensor."""
    try:
        found = np.asarray(value)
    except Exception as error:
        raise TypeError(f"{function}: {argument}: a {type(value).__name__} cannot be made an array: {error}") from None
    if found.dtype == object and not all(isinstance(item, str | bytes) for item in found.flat):
        raise TypeError(f"{function}: {argument}={one_line(value)}: it takes an array of numbers or text")
    return found


def read_classes(function: str, classes: Any) -> tuple[str, ...] | None:
    """The names of the classes, in the order of their numbers."""
    if classes is None:
        return None
    if isinstance(classes, str | bytes) or not hasattr(classes, "__iter__"):
        raise TypeError(
            f"{function}: classes={one_line(classes)}: it takes the names of the classes, in order, or None"
        )
    names = tuple(map(str, classes))
    if not names:
        raise ValueError(f"{function}: classes is empty: it takes the names of the classes, in order, or None")
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ValueError(f"{function}: classes names {twice!r} twice: it takes names that differ")
    return names


def read_labels(
    function: str, argument: str, labels: Any, classes: Sequence[str] | None
) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """The number of each label's class, and the names of the classes: "0", "1" … for numbers without names."""
    found = as_array(function, argument, _targets(function, argument, labels))
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if not found.size:
        raise ValueError(f"{function}: {argument} is empty: it takes one label or more")
    if found.dtype.kind in "USO":
        return _of_text(function, argument, found, classes)
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{function}: {argument} has dtype {found.dtype}: it takes numbers or text")
    numbers = _of_rows(function, argument, found) if found.ndim == 2 else found
    if numbers.ndim != 1:
        raise ValueError(
            f"{function}: {argument} has shape {found.shape}: "
            "it takes (images,), (images, 1) or one-hot (images, classes)"
        )
    if not np.all(numbers == np.floor(numbers)):
        wrong = numbers[numbers != np.floor(numbers)][0]
        raise ValueError(f"{function}: {argument} has {wrong}: it takes whole numbers from 0 on, or text")
    limit = len(classes) if classes is not None else found.shape[1] if found.ndim == 2 else _MOST_CLASSES
    outside = numbers[(numbers < 0) | (numbers >= limit)]
    if outside.size:
        where = f"there are {limit} classes: " if limit != _MOST_CLASSES else ""
        raise ValueError(f"{function}: {argument} has class {outside[0]:.0f}, but {where}it takes 0 to {limit - 1}")
    if classes is not None and found.ndim == 2 and found.shape[1] != len(classes):
        raise ValueError(f"{function}: {argument} has {found.shape[1]} columns for {len(classes)} classes")
    numbers = numbers.astype(np.int64)
    count = found.shape[1] if found.ndim == 2 else int(numbers.max()) + 1
    return numbers, tuple(classes) if classes is not None else tuple(map(str, range(count)))


def _of_rows(function: str, argument: str, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    one_hot = np.all((rows == 0) | (rows == 1), axis=1) & (rows.sum(axis=1) == 1)
    if not one_hot.all():
        row = int(np.argmin(one_hot))
        raise ValueError(
            f"{function}: {argument} has shape {rows.shape} and its row {row} is not one-hot: it takes numbers of "
            f"classes, such as {argument}.argmax(-1), or np.nonzero({argument})[1] where images have several"
        )
    return np.argmax(rows, axis=1)


def _of_text(
    function: str, argument: str, found: np.ndarray[Any, Any], classes: Sequence[str] | None
) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    if found.ndim != 1:
        raise ValueError(f"{function}: {argument} has shape {found.shape}: of text it takes (images,)")
    words = [word.decode() if isinstance(word, bytes) else str(word) for word in found.tolist()]
    names = tuple(sorted(set(words))) if classes is None else tuple(classes)
    places = {name: place for place, name in enumerate(names)}
    for word in words:
        if word not in places:
            raise ValueError(f"{function}: {argument} has {word!r}, which classes does not name{nearest(word, names)}")
    return np.array([places[word] for word in words], np.int64), names


# -- datasets ---------------------------------------------------------------------------------------------------------


def _targets(function: str, argument: str, labels: Any) -> Any:
    """The labels of a `tf.data.Dataset` of labels or of (images, labels, …), batched or not; else what was given."""
    if not hasattr(labels, "element_spec"):
        return labels
    if int(labels.cardinality()) == -1:
        raise ValueError(f"{function}: {argument} is a dataset without end; give {argument}.take(…)")
    parts: list[np.ndarray[Any, Any]] = []
    for element in labels:
        images, target = element[:2] if isinstance(element, tuple) and len(element) > 1 else (None, element)
        if isinstance(target, dict | list | tuple):
            raise TypeError(
                f"{function}: {argument} is a dataset with labels for several outputs; map it to those of one"
            )
        part = as_array(function, argument, target)
        parts.append(part[None] if part.ndim == 0 or _is_one_hot_row(part, images) else part)
    if not parts:
        raise ValueError(f"{function}: {argument} is empty: it takes one label or more")
    return np.concatenate(parts)


def _is_one_hot_row(part: np.ndarray[Any, Any], images: Any) -> bool:
    """Whether it is the label of one image, and not those of a batch: as many as there are images."""
    if part.ndim != 1:
        return False
    lengths: Any = getattr(images, "shape", ())
    return part.dtype.kind == "f" if not len(lengths) else int(lengths[0]) != len(part)
