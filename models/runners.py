"""One call for a model, whichever runtime computes it: Keras, TensorFlow, ONNX Runtime, LiteRT or OpenVINO."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..checks import public
from ..extras import needs
from .answers import CLOSE, asked, batch_of, compare, counted, is_count
from .calibration import examples_of
from .exports import export
from .file_formats import FORMATS, runtimes
from .file_formats.formats import line, signature
from .inference import cast
from .measuring import in_turn, quickest

KERAS, TENSORFLOW, QUICKEST, BFLOAT16 = "keras", "tensorflow", "quickest", "bfloat16"
CLOSE_IN_BFLOAT16 = 0.05
"""It rounds to 2⁻⁹ of a number, some dozens of times on the way through a network."""
RUNS = 9
"""Answers of each runtime that are timed, in turn with the others."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A model in a runtime, to be called with a batch like the model.

    Args:
        runtime: that computes it.
        off: how far its answers lay from the model's when it was made, as a share of the largest value, or of root
            mean squares for int8; 0 for Keras.
        dtype: `"bfloat16"` where it computes in that, None in that of the model.
        seconds: of an answer of each runtime, in the median, where several were measured.
        without: runtimes that were not measured, and why.
        answer: what gives the outputs for a batch of the dtypes of the inputs.
        model: that it was made of.

    Example:
        >>> import keras, numpy as np
        >>> x = keras.Input((2,))
        >>> run = runner(keras.Model(x, keras.layers.Rescaling(3)(x)), "keras")
        >>> run(np.ones((1, 2))).tolist()
        [[3.0, 3.0]]
        >>> print(run)
        keras, off by 0 of the answer
    """

    runtime: str
    off: float
    dtype: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    answer: Callable[[Any], Any] = field(kw_only=True, repr=False)
    model: keras.Model = field(kw_only=True, repr=False)

    @public
    def __call__(self, x: Any) -> Any:
        """Answer a batch with arrays, in the structure of the outputs of the model."""
        specs = list(getattr(self.model, "inputs", None) or ())
        try:
            parts = [np.asarray(part) for part in keras.tree.flatten(x)]
        except (TypeError, ValueError) as error:
            raise checks.refuse("x", x, "a batch that the model accepts") from error
        got, shapes = " and ".join(str(part.shape) for part in parts), " and ".join(str(spec.shape) for spec in specs)
        if specs and not _fit(parts, specs):
            raise checks.refuse("x", got, f"a batch of shape {shapes}")
        try:
            parts = [_converted(part, spec.dtype) for part, spec in zip(parts, specs, strict=True)] if specs else parts
            return self.answer(keras.tree.pack_sequence_as(x, parts))
        except Exception as error:  # runtimes raise what they like
            raise checks.refuse("x", got, f"a batch that {self.runtime} computes ({line(error)})") from error

    @property
    def title(self) -> str:
        """The runtime, and the dtype where that is not the model's."""
        return titled(self.runtime, self.dtype)

    def __str__(self) -> str:
        times = "".join(f"\n  {name}: {taken:.3g} s" for name, taken in self.seconds.items())
        without = "".join(f"\n  {name}: not measured, {reason}" for name, reason in self.without.items())
        return f"{self.title}, off by {self.off:.2g} of the answer{times}{without}"


def titled(runtime: str, dtype: str | None) -> str:
    """What a runtime is called among those that are measured."""
    return runtime if dtype is None else f"{runtime} in {dtype}"


def _fit(parts: Sequence[np.ndarray], specs: Sequence[Any]) -> bool:
    """Whether arrays have as many axes as the inputs, and their sizes where these are known."""
    return len(parts) == len(specs) and all(
        len(spec.shape) == part.ndim
        and all(want in (None, size) for want, size in zip(spec.shape, part.shape, strict=True))
        for part, spec in zip(parts, specs, strict=True)
    )


def _converted(array: np.ndarray, dtype: str) -> np.ndarray:
    """Text stays what it is; bfloat16, which NumPy does not have, is given as float32."""
    return array if array.dtype.kind in "OSU" else array.astype("float32" if dtype == "bfloat16" else dtype)


@public
def runner(
    model: keras.Model,
    runtime: str = QUICKEST,
    *,
    batch: Any = 1,
    dtype: str | None = None,
    representative_data: Any = None,
    within: float | None = None,
) -> Runner:
    """Give a model to another runtime, which answers a batch in the same call, as arrays.

    What is written for the runtime is what `export` writes; give it what `inference_model` makes, which is quickest
    everywhere. Before it is handed over it answers what the model answers, up to 1e-4 of the largest value of each
    output, in float32 as the model (OpenVINO's own choice would be bfloat16 where the processor has it). It keeps the
    weights that the model has now, which TensorFlow then lays out once as its kernels want them; Keras alone answers by
    those that the model has later.

    Args:
        runtime: `"keras"`, `"tensorflow"`, `"onnxruntime"`, `"litert"`, `"openvino"`; or `"quickest"` of those that are
            installed and can compute the model, by measurement on this machine: the one with the largest gain over
            Keras of those that are quicker in three quarters of the pairs, else Keras. `print` of the result says what
            was measured.
        batch: as many random examples as are answered at once, or a batch of your own, which is then compared as well.
        dtype: `"bfloat16"` to compute in it, which Keras, TensorFlow and OpenVINO can, all but what makes the outputs;
            where the quickest is chosen, each of these is measured both ways. Keras answers by the weights that the
            model has now, too.
        representative_data: examples to calibrate int8 by, as `export` has them: of `litert` only. Where the quickest
            is chosen, that of LiteRT is then in int8.
        within: how far the answers may differ, as a share of the largest value; None for 1e-4, for 0.05 in bfloat16, or
            for int8 for what the calibration allows, as in `export`.

    Raises:
        ImportError: what the runtime needs is not installed.
        RuntimeError: it cannot compute the model, or answers differently.
        TypeError, ValueError: an argument is none of these.

    Example:
        >>> import keras, numpy as np
        >>> x = keras.Input((8, 8, 3))
        >>> model = keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
        >>> run = runner(model, "keras")
        >>> run(np.zeros((5, 8, 8, 3))).shape
        (5, 2)
    """
    checks.instance("model", model, keras.Model, "a Keras model")
    runtime = checks.choice("runtime", runtime, (*RUNTIMES, QUICKEST))
    casting = [name for name, kind in RUNTIMES.items() if kind.casts]
    if checks.choice("dtype", dtype, (None, BFLOAT16)) is not None and runtime not in (*casting, QUICKEST):
        must_be = f"one of {', '.join(map(repr, (*casting, QUICKEST)))} where dtype is {BFLOAT16!r}"
        raise checks.refuse("runtime", runtime, must_be)
    within = None if within is None else checks.number("within", within, "a positive number or None", above=0)
    if not model.built or not all(map(_keras.is_allocated, model.variables)):
        raise checks.refuse("model", model.name, "a model that has weights (not one made inside weightless())")
    data = None if representative_data is None else examples_of(representative_data, model)
    if data is not None and runtime not in ("litert", QUICKEST):
        raise checks.refuse("runtime", runtime, "'litert' or 'quickest' with representative_data, which is for int8")
    one = batch_of(model, batch) if runtime == QUICKEST or not is_count(batch) else counted(batch)
    make = partial(_made, model, True if is_count(batch) else one, within)
    if runtime != QUICKEST:
        return make(data, runtime, dtype)
    runners, without = {KERAS: make(None, KERAS, None)}, {}
    both = (None, dtype) if dtype is not None else (None,)
    for name, word in ((name, word) for name in RUNTIMES for word in both if word is None or name in casting):
        if titled(name, word) != KERAS:
            try:
                runners[titled(name, word)] = make(data if name == "litert" else None, name, word)
            except (ImportError, RuntimeError, ValueError) as error:
                if isinstance(error, ValueError) and not hasattr(error, "about"):  # none that says what it refuses
                    raise
                without[titled(name, word)] = checks.plain(str(error).removeprefix(f"{checks.where()}: "))
    times = in_turn({name: partial(made.answer, one) for name, made in runners.items()}, RUNS, warm=2)
    pairs = {name: tuple(zip(times[KERAS], times[name], strict=True)) for name in runners if name != KERAS}
    seconds = {name: statistics.median(taken) for name, taken in times.items()}
    return dataclasses.replace(runners[quickest(pairs, KERAS)], seconds=seconds, without=without)


# -- runtimes ---------------------------------------------------------------------------------------------------------


def _needs_onnxruntime() -> None:
    needs("onnx", extra="export")
    needs("tf2onnx", extra="export")
    needs("onnxruntime", extra="export")


def _needs_litert() -> None:
    needs("tensorflow", extra="tensorflow")


def _needs_tensorflow() -> None:
    needs("tensorflow", extra="tensorflow")
    if keras.backend.backend() != "tensorflow":
        text = f"'tensorflow' needs Keras on tensorflow, not on {keras.backend.backend()}"
        raise checks.complaint(text, RuntimeError)


def _needs_openvino() -> None:
    needs("openvino", extra="openvino")
    needs("tensorflow", extra="tensorflow")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What computes a model.

    Args:
        require: raise an error where something is missing.
        word: the format of `export` that it loads; None where it computes the model itself.
        loaders: what `runtimes` calls what loads it, by dtype.
    """

    require: Callable[[], None]
    word: str | None = None
    loaders: Mapping[str | None, str] = field(default_factory=dict)

    @property
    def casts(self) -> bool:
        """Whether it computes in bfloat16."""
        return self.word is None or BFLOAT16 in self.loaders


RUNTIMES: Mapping[str, Runtime] = {
    KERAS: Runtime(lambda: None),
    TENSORFLOW: Runtime(_needs_tensorflow),
    "onnxruntime": Runtime(_needs_onnxruntime, "onnx", {None: "onnx"}),
    "litert": Runtime(_needs_litert, "litert", {None: "litert"}),
    "openvino": Runtime(_needs_openvino, "tf_saved_model", {None: "openvino", BFLOAT16: "openvino_bfloat16"}),
}


def _made(model: keras.Model, check: Any, within: float | None, data: Any, name: str, dtype: str | None) -> Runner:
    """A model in that runtime, compared on random numbers where `check` is True, or on that batch."""
    if name == KERAS and dtype is None:
        return Runner(name, 0.0, answer=partial(_by_keras, model), model=model)
    RUNTIMES[name].require()
    word = RUNTIMES[name].word
    if word is not None:
        FORMATS[word].require(model)
    batches = _batches(model, check, data)
    answers = [model(batch, training=False) for batch in batches]
    load, noise = partial(_itself, model, name, dtype), None
    with tempfile.TemporaryDirectory(prefix="layerblocks-", ignore_cleanup_errors=True) as folder:
        if word is not None:
            kind = FORMATS[word]
            path = Path(folder) / f"net{kind.ending}"
            export(model, path, check=False, representative_data=data)
            load = partial(runtimes.load, RUNTIMES[name].loaders[dtype], path, *signature(model))
            if data is not None and within is None and kind.noise is not None:
                noise = partial(kind.noise, path, model)
        try:
            run = load()
            found = [run(batch) for batch in batches]
        except Exception as error:  # runtimes raise what they like
            text = f"{model.name!r} cannot be computed by {titled(name, dtype)}: {line(error)}"
            raise checks.complaint(text, RuntimeError) from error
        allowed = within or (CLOSE if dtype is None else CLOSE_IN_BFLOAT16)
        off = max(
            compare(titled(name, dtype), model, got, batch, runtimes.flat(expected), allowed, noise)
            for got, batch, expected in zip(found, batches, answers, strict=True)
        )
    structure = keras.tree.map_structure(lambda part: 0, answers[0])
    return Runner(name, off, dtype, answer=lambda x: keras.tree.pack_sequence_as(structure, run(x)), model=model)


def _itself(model: keras.Model, name: str, dtype: str | None) -> Callable[[Any], list[np.ndarray]]:
    network = model if dtype is None else cast(model, dtype)
    answer = network.predict_on_batch if name == KERAS else _frozen(network)
    return lambda batch: runtimes.flat(answer(batch))


def _by_keras(model: keras.Model, batch: Any) -> Any:
    answer = model.predict_on_batch(batch)
    return keras.tree.pack_sequence_as(answer, runtimes.flat(answer))


def _frozen(model: keras.Model) -> Callable[[Any], Any]:
    """The model as a graph of TensorFlow that its weights are constants of, whose layout is then not made every time.

    Keras's own function reads them anew for each batch, as they may have changed.
    """
    import tensorflow as tf

    kinds = (model.trainable_variables, model.non_trainable_variables)
    values = [[np.asarray(keras.ops.convert_to_numpy(weight)) for weight in kind] for kind in kinds]

    def answer(batch: Any) -> Any:
        trainable, others = ([tf.constant(value) for value in kind] for kind in values)
        return model.stateless_call(trainable, others, batch, training=False)[0]

    if not getattr(model, "inputs", None):
        return tf.function(answer, autograph=False)
    specs = keras.tree.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), model.input)
    if isinstance(model, keras.Sequential):
        (specs,) = keras.tree.flatten(specs)
    return tf.function(answer, [specs], autograph=False)


def _batches(model: keras.Model, check: Any, data: Any) -> list[Any]:
    try:
        return asked(model, check, data)
    except (TypeError, ValueError) as error:  # which speaks of `check`, an argument of `export`
        must_be = "a batch of arrays, where no size is known that the model works on"
        raise checks.refuse("batch", check, must_be) from error
