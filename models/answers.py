"""What a model and a file of it are asked, and how far their answers lie apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..blocks.layers import MinimumSize
from ..graphs.calls import infer, wired
from .file_formats.runtimes import flat
from .rewiring import images_of, leaves

CLOSE = 1e-4
# How far int8 answers may lie beyond what the steps of the tensors let expect (measured are up to 1 of it), and how far
# at the most.
_MARGIN, _MOST = 4, 0.5
_CALIBRATED = 32  # examples that int8 answers are compared on

_CHECK = "True, False, or a batch that the model accepts"


_COUNT = "a positive number of examples, or a batch that the model accepts"


def is_count(batch: Any) -> bool:
    """Whether it is no batch, and so should be a number of examples."""
    return not isinstance(batch, Mapping | list | tuple) and not getattr(batch, "ndim", 0)


def counted(batch: Any) -> int:
    """The number of examples as an int."""
    return checks.integer("batch", batch, must_be=_COUNT)


def batch_of(model: keras.Model, batch: Any) -> Any:
    """Make a batch of so many random examples, in the structure of the inputs, or check one that is given."""
    if is_count(batch):
        count = counted(batch)
        try:
            graph = wired(model)
        except ValueError:  # of a subclassed one that says no sizes
            graph = None
        if graph is None or any(None in tuple(tensor.shape)[1:] for tensor in graph.inputs):
            raise checks.refuse("batch", count, "a batch of arrays where the sizes of inputs are not known")
        try:
            batch = _structured(model, graph, _drawn(graph, count))
        except Exception as error:  # so many that there is no room for them
            raise checks.refuse("batch", count, _COUNT) from error
    try:
        batch = keras.tree.map_structure(np.asarray, batch)
        model(batch, training=False)
    except Exception as error:  # a model refuses a batch with whatever it likes
        raise checks.refuse("batch", batch, _COUNT) from error
    return batch


def _drawn(graph: keras.Model, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random_numbers(random, (count, *tuple(tensor.shape)[1:]), tensor.dtype) for tensor in graph.inputs]


def _structured(model: keras.Model, graph: keras.Model, arrays: list[Any]) -> Any:
    alone = isinstance(model, keras.Sequential)  # which is called on an array, though its graph has a list
    return arrays[0] if alone else keras.tree.pack_sequence_as(graph.input, arrays)


def asked(model: keras.Model, check: Any, data: Any) -> list[Any]:
    """What the model and the file are asked, in the structure of the inputs."""
    if check is not True:
        try:
            return [keras.tree.map_structure(np.asarray, check)]
        except (TypeError, ValueError) as error:
            raise checks.refuse("check", check, _CHECK) from error
    if data is not None:
        return [keras.tree.map_structure(lambda array: np.asarray(array)[:_CALIBRATED], data)]
    random = np.random.default_rng(0)
    graph = wired(model)
    found = []
    for examples, sides in enumerate(_sizes(graph), 2):
        drawn = [
            random_numbers(random, (examples, *_filled(tensor.shape, sides)), tensor.dtype) for tensor in graph.inputs
        ]
        found.append(_structured(model, graph, drawn))
    return found


def answer_of(model: keras.Model, batch: Any, check: Any = True) -> Any:
    """What the model answers to a batch, as a flat list of arrays."""
    try:
        return flat(model(batch, training=False))
    except Exception as error:  # a model refuses a batch with whatever it likes
        if check is True:
            raise
        raise checks.refuse("check", check, _CHECK) from error


def random_numbers(random: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Draw an input of that shape; of integers zeros and ones, which every vocabulary has."""
    if "float" in dtype:
        numbers = random.normal(size=shape).astype("float32")
        return numbers if dtype == "bfloat16" else numbers.astype(dtype)
    if dtype == "string":
        return random.choice(np.array(["", "a", "b", "word"], object), shape)
    return random.integers(0, 2, shape).astype(dtype)


def _filled(shape: Sequence[int | None], sides: tuple[int, int]) -> tuple[int, ...]:
    """A shape without its batch, with numbers where it has None."""
    left = iter(sides)
    return tuple(next(left, sides[-1]) if size is None else size for size in tuple(shape)[1:])


def _sizes(model: keras.Model) -> list[tuple[int, int]]:
    """Two sizes of images that the model works on, if there are images."""
    least = max((max(x.least) for x in leaves(model) if isinstance(x, MinimumSize)), default=8)
    if not any(None in tuple(tensor.shape)[1:] for tensor in model.inputs):
        return [(least, least)]
    round_up = 32 * math.ceil(least / 32)
    choices = [(least + 5, least + 8), (least, least + 3), (round_up, round_up + 32), (round_up + 32, round_up + 32)]
    found = [size for size in choices if _accepts(model, size)][:2]
    if not found:
        raise checks.refuse("check", True, "a batch of a size that the model works on, as none was found")
    return found


def _accepts(model: keras.Model, size: tuple[int, int]) -> bool:
    try:
        infer(model.outputs, images_of(*size, [_keras.call_of(tensor) for tensor in model.inputs]))
    except Exception:  # layers refuse a shape with whatever they like
        return False
    return True


def compare(
    word: str,
    model: keras.Model,
    got: Sequence[np.ndarray],
    batch: Any,
    expected: Sequence[np.ndarray],
    within: float,
    noise: Callable[[Any], float] | None,
) -> float:
    """How far off the file's answers are, an error where that is too far; with `noise`, in the root mean square."""
    who = f"{checks.where()}: {model.name!r} as {word!r}"
    allowed = within if noise is None else min(_MARGIN * noise(batch), _MOST)
    if [array.shape for array in got] != [array.shape for array in expected]:
        shapes = " and ".join(str(np.shape(part)) for part in keras.tree.flatten(batch))
        found, wanted = (", ".join(str(array.shape) for array in arrays) for arrays in (got, expected))
        raise RuntimeError(f"{who} answers {found} to {shapes}, the model {wanted}")
    worst = 0.0
    for number, (array, truth) in enumerate(zip(got, expected, strict=True)):
        if truth.dtype.kind not in "fiub":
            off = float(np.mean(array != truth))
        else:
            measure = _root_mean_square if noise is not None else _largest
            size = measure(truth.astype("float64"))
            off = measure(array.astype("float64") - truth) / max(size, 1e-30)
        if not off <= allowed:  # nor is NaN
            which = f" (output {number})" if len(got) > 1 else ""
            why = "" if noise is None else f" ({_MARGIN} times what the steps of its int8 tensors let expect)"
            answers = f"{who} answers differently{which}"
            raise RuntimeError(f"{answers}: off by {off:.2g} of the answer, where {allowed:.2g} is allowed{why}")
        worst = max(worst, off)
    return worst


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=0.0))


def _root_mean_square(array: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(array))))
