"""A finished model as a file for another runtime, checked there before it is handed over."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..blocks.layers import MinimumSize
from ..checks import public
from ..graphs.calls import infer, wired
from .file_formats import FORMATS, table
from .file_formats.formats import Runtime, flat, leaves, line
from .rewiring import images_of

CLOSE = 1e-4
# How far int8 answers may lie beyond what the steps of the tensors let expect (measured are up to 1 of it), and how far
# at the most.
_MARGIN, _MOST = 4, 0.5
_CALIBRATED = 32  # examples that int8 answers are compared on


@public
def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    representative_data: Any = None,
    check: Any = True,
    within: float | None = None,
    **options: Any,
) -> Path:
    """Write a model for another runtime, and compare what the file answers there with what the model does.

    By Keras's own exporters; what `inference_model` gives is quickest everywhere. All outputs are written, under their
    keys where the model has a dict of them. Sizes that are None stay so in every format. Nothing is written unless the
    file loads and answers alike.

    FORMATS

    An int8 file has float32 inputs and outputs; operations without an int8 form stay in float32. Its answers are
    compared on `representative_data`: the root mean square of the differences, as a share of that of the answers, may
    be 4 times `√Σ s²/(12·x²)`, and at most a half, where s is the step and x² the mean square of each int8 tensor in
    the file: rounding errors of that size, independent of each other, go through the layers as the values do. So an
    untrained softmax over a thousand classes, all below its step of 1/256, is refused.

    LiteRT and ONNX have no assertions: the guards of `MinimumSize` and `Add` against sizes that a network does not
    work on are gone there, and so it is with a size that the runtime itself cannot know.

    Args:
        model: functional or sequential; any other where `check` is a batch.
        path: its ending is the format's; a folder for `tf_saved_model`. Replaced where it is such a file or folder.
        format: None for that of the ending, `tf_saved_model` where it has none.
        representative_data: examples, inputs of `model`, to calibrate int8 by: `litert` only. A hundred are usual.
        check: True for numbers drawn with a seed, of two sizes where the size is None; or a batch of your own; or
            False to hand the file over as it is.
        within: the largest difference, as a share of the largest value of that output; None for 1e-4, or for int8 for
            what the calibration allows (then of root mean squares).
        options: further arguments of `model.export`, or of `model.save`: `opset_version`, `input_signature` …

    Returns:
        The path.

    Raises:
        ImportError: what the format needs is not installed.
        RuntimeError: Keras cannot write it, its runtime cannot load it, or it answers differently.
        ValueError, TypeError: an argument is none of these.
        OSError: there cannot be a file there.

    Example:
        >>> import keras, tempfile
        >>> from pathlib import Path
        >>> from layerblocks.blocks import conv_bn
        >>> from layerblocks.models import inference_model
        >>> x = keras.Input((8, 8, 3))
        >>> model = inference_model(keras.Model(x, conv_bn(x, 4)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export(model, Path(folder) / "net.keras").name
        'net.keras'
    """
    checks.instance("model", model, keras.Model, "a Keras model")
    word, target = _target(path, format)
    kind = FORMATS[word]
    within = None if within is None else checks.number("within", within, "a positive number or None", above=0)
    _arguments(model, word, representative_data, check)
    kind.require(model)
    batches = [] if check is False else _batches(model, check, representative_data)
    answers = [flat(model(batch, training=False)) for batch in batches]
    draft = Path(tempfile.mkdtemp(prefix=".layerblocks-", dir=target.parent))
    try:
        made = draft / target.name
        if representative_data is not None and kind.int8 is not None:
            options = {**kind.int8(model, representative_data), **options}
        kind.written(model, made, options)
        if batches:
            runtime = kind.loaded(made, model)
            is_int8 = representative_data is not None and within is None
            noise = partial(kind.noise, made, model) if is_int8 and kind.noise is not None else None
            for batch, expected in zip(batches, answers, strict=True):
                _compare(word, model, runtime, batch, expected, CLOSE if within is None else within, noise)
        _put(made, target, draft)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Path(path)


export.__doc__ = (export.__doc__ or "").replace("FORMATS", table("    "), 1)


# -- arguments --------------------------------------------------------------------------------------------------------


def _target(path: Any, format: Any) -> tuple[str, Path]:
    if not isinstance(path, str | os.PathLike):
        raise checks.refuse("path", path, "a path", TypeError)
    target = Path(os.path.realpath(path))
    endings = {kind.ending: word for word, kind in FORMATS.items()}
    if format is not None:
        word = checks.choice("format", format, tuple(FORMATS))
        if FORMATS[word].ending not in ("", target.suffix):
            raise checks.refuse("path", str(path), f"a path that ends in {FORMATS[word].ending} for format={word!r}")
    elif target.suffix not in endings:
        must_be = f"a path that ends in {', '.join(filter(None, endings))}, or in nothing for a folder"
        raise checks.refuse("path", str(path), f"{must_be}{checks.nearest(target.suffix, endings)}")
    else:
        word = endings[target.suffix]
    if not target.parent.is_dir():
        raise FileNotFoundError(f"export: the folder {str(target.parent)!r} does not exist")
    if FORMATS[word].ending and target.is_dir():
        raise IsADirectoryError(f"export: {str(path)!r} is a folder")
    if not FORMATS[word].ending and target.exists():
        if not target.is_dir():
            raise FileExistsError(f"export: {str(path)!r} is a file, and {word!r} is a folder")
        if any(target.iterdir()) and not (target / "saved_model.pb").exists():
            raise FileExistsError(f"export: the folder {str(path)!r} has other things in it than a model")
    return word, target


def _arguments(model: keras.Model, word: str, data: Any, check: Any) -> None:
    if data is not None:
        known = [kind.word for kind in FORMATS.values() if kind.int8 is not None]
        if word not in known:
            raise checks.refuse("format", word, f"{checks.listed(known)} with representative_data, which is for int8")
        if not keras.tree.flatten(data) or not all(np.ndim(array) and len(array) for array in keras.tree.flatten(data)):
            raise checks.refuse("representative_data", data, "arrays of examples for the inputs of the model")
    if not model.built or not all(map(_keras.is_allocated, model.variables)):
        raise checks.refuse("model", model.name, "a model that has weights (not one made inside weightless())")
    if check is True and data is None and not isinstance(model, keras.Function | keras.Sequential):
        raise checks.refuse("check", check, f"a batch, or False, where the model is a {type(model).__name__}")


# -- what is compared -------------------------------------------------------------------------------------------------


def _batches(model: keras.Model, check: Any, data: Any) -> list[Any]:
    """What the model and the file are asked, in the structure of the inputs."""
    if check is not True:
        return [keras.tree.map_structure(np.asarray, check)]
    if data is not None:
        return [keras.tree.map_structure(lambda array: np.asarray(array)[:_CALIBRATED], data)]
    random = np.random.default_rng(0)
    graph = wired(model)
    batches = []
    for examples, sides in enumerate(_sizes(graph), 2):
        drawn = [_drawn(random, (examples, *_filled(tensor.shape, sides)), tensor.dtype) for tensor in graph.inputs]
        alone = isinstance(model, keras.Sequential)  # which is called on an array, though its graph has a list
        batches.append(drawn[0] if alone else keras.tree.pack_sequence_as(graph.input, drawn))
    return batches


def _drawn(random: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if "float" in dtype:
        numbers = random.normal(size=shape).astype("float32")
        return numbers if dtype == "bfloat16" else numbers.astype(dtype)
    return random.integers(0, 2, shape).astype(dtype)


def _filled(shape: Sequence[int | None], sides: tuple[int, int]) -> tuple[int, ...]:
    """A shape without its batch, with numbers where it has None."""
    left = iter(sides)
    return tuple(next(left, sides[-1]) if size is None else size for size in tuple(shape)[1:])


def _sizes(model: keras.Model) -> list[tuple[int, int]]:
    """Two sizes of images that the model works on, if there are images."""
    least = max((max(x.height, x.width) for x in leaves(model) if isinstance(x, MinimumSize)), default=8)
    if not any(None in tuple(tensor.shape)[1:] for tensor in model.inputs):
        return [(least, least)]
    round_up = 32 * math.ceil(least / 32)
    choices = [(least + 5, least + 8), (least, least + 3), (round_up, round_up + 32), (round_up + 32, round_up + 32)]
    found = [size for size in choices if _accepts(model, size)][:2]
    if not found:
        raise checks.refuse("check", True, "a batch of a size that the model works on, as none was found")
    return found


def _accepts(model: keras.Model, size: tuple[int, int]) -> bool:
    first = 1 if keras.config.image_data_format() == "channels_last" else 2
    try:
        infer(model.outputs, images_of(*size, [_keras.call_of(tensor) for tensor in model.inputs], first))
    except Exception:  # layers refuse a shape with whatever they like
        return False
    return True


def _compare(
    word: str,
    model: keras.Model,
    runtime: Runtime,
    batch: Any,
    expected: list[np.ndarray],
    within: float,
    noise: Callable[[Any], float] | None,
) -> None:
    """An error unless the file answers as the model did; where there is `noise`, in the root mean square."""
    shapes = " and ".join(str(np.shape(part)) for part in keras.tree.flatten(batch))
    who = f"export: {model.name!r} as {word!r}"
    try:
        got = runtime(batch)
        allowed = within if noise is None else min(_MARGIN * noise(batch), _MOST)
    except Exception as error:  # runtimes raise what they like
        raise RuntimeError(f"{who} refuses a batch of {shapes}: {line(error)}") from error
    if [array.shape for array in got] != [array.shape for array in expected]:
        found, wanted = (", ".join(str(array.shape) for array in arrays) for arrays in (got, expected))
        raise RuntimeError(f"{who} answers {found} to {shapes}, the model {wanted}")
    for number, (array, answer) in enumerate(zip(got, expected, strict=True)):
        measure = _root_mean_square if noise is not None else _largest
        size = measure(answer.astype("float64"))
        off = measure(array.astype("float64") - answer) / max(size, 1e-30)
        if not off <= allowed:  # nor is NaN
            which = f" (output {number})" if len(got) > 1 else ""
            why = "" if noise is None else f" ({_MARGIN} times what the steps of its int8 tensors let expect)"
            answers = f"{who} answers differently{which}"
            raise RuntimeError(f"{answers}: off by {off:.2g} of the answer, where {allowed:.2g} is allowed{why}")


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=0.0))


def _root_mean_square(array: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(array))))


def _put(made: Path, target: Path, draft: Path) -> None:
    """Into its place in one step; a folder there goes first, and comes back if that fails."""
    if not target.is_dir():
        made.replace(target)
        return
    before = draft / ".before"
    target.replace(before)
    try:
        made.replace(target)
    except BaseException:
        before.replace(target)
        raise
