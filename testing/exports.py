"""A model written in a file format, and what it answers from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras

from .. import checks
from ..extras import needs
from .data import arrays, by_output

Answers = dict[str, Any]


def _keras(model: Any, given: Any, folder: Path) -> Answers:
    model.save(folder / "model.keras")
    return arrays(keras.models.load_model(folder / "model.keras", compile=False)(given))


def _saved_model(model: Any, given: Any, folder: Path) -> Answers:
    tensorflow = needs("tensorflow", extra="tensorflow")
    model.export(folder / "model", format="tf_saved_model", verbose=False)
    loaded = tensorflow.saved_model.load(str(folder / "model"))  # its variables live as long as it does
    return arrays(loaded.serve(keras.tree.map_structure(tensorflow.convert_to_tensor, given)))


def _onnx(model: Any, given: Any, folder: Path) -> Answers:
    runtime = needs("onnxruntime", extra="export")
    needs("tf2onnx", extra="export")
    model.export(folder / "model.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    values = dict(zip([tensor.name for tensor in model.inputs], keras.tree.flatten(given), strict=True))
    names = [one.name for one in session.get_inputs()]
    if set(names) != set(values):  # what ONNX makes of names that have no letters for it
        values = dict(zip(names, values.values(), strict=True))
    # A dict of outputs lies in the order of its keys.
    keys = sorted(by_output(model.output)) if isinstance(model.output, Mapping) else [*by_output(model.output)]
    return dict(zip(keys, session.run(None, values), strict=True))


FORMATS: dict[str, Callable[[Any, Any, Path], Answers]] = {
    "keras": _keras,
    "tf_saved_model": _saved_model,
    "onnx": _onnx,
}


def answers(model: Any, given: Any, form: str) -> Answers:
    """The outputs by key, as `data.arrays` has them, of the model written in that format and read again."""
    with TemporaryDirectory() as folder:
        return FORMATS[form](model, given, Path(folder))


def checked(formats: Any) -> Sequence[str]:
    """The formats, if Keras can write them here."""
    formats = checks.names("formats", formats, "names of file formats")
    if not formats:
        raise checks.refuse("formats", formats, "one file format at least")
    for form in formats:
        checks.choice("formats", form, FORMATS)
    if "onnx" in formats and keras.backend.backend() != "tensorflow":
        must_be = f"of what Keras writes on {keras.backend.backend()}, without 'onnx'"
        raise checks.refuse("formats", formats, must_be)
    return formats
