"""What a file format is: how a model is written in it, and how its runtime is asked what the file answers."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ... import checks
from ..rewiring import leaves

# A file's answer to one batch, as a flat list of arrays.
Runtime = Callable[[Any], list[np.ndarray]]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of files.

    Args:
        word: its name, Keras's too where Keras exports it.
        ending: of its paths; none for a folder.
        loaded_by: what a reader loads it with, in Markdown, for the table in the help of `export`.
        write: write a model there, with the options of Keras's exporter.
        load: load what was written of this model.
        needs: modules without which one cannot be written and loaded.
        lacks: dtypes that its runtime does not compute in.
        int8: the options of `write`, by model and examples, for a file in int8; None where there is none.
        noise: the relative error that such a file may make on a batch.
    """

    word: str
    ending: str
    loaded_by: str
    write: Callable[[keras.Model, Path, Mapping[str, Any]], None]
    load: Callable[[Path, keras.Model], Runtime]
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    int8: Callable[[keras.Model, Any], dict[str, Any]] | None = None
    noise: Callable[[Path, keras.Model, Any], float] | None = None

    def require(self, model: keras.Model) -> None:
        """Refuse the model or the machine, if something is missing."""
        missing = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if missing:
            package = "tensorflow" if missing == ["tensorflow"] else "'layerblocks[export]'"
            raise ImportError(f"export: format={self.word!r} needs {' and '.join(missing)}: pip install {package}")
        if self.needs and keras.backend.backend() != "tensorflow":
            raise RuntimeError(
                f"export: format={self.word!r} needs Keras on tensorflow, not on {keras.backend.backend()}; "
                "a .keras file goes from one to the other"
            )
        for layer in leaves(model):
            if layer.compute_dtype in self.lacks:
                raise checks.refuse(
                    "model",
                    f"{layer.name!r} in {layer.compute_dtype}",
                    f"one that computes in float32 where format={self.word!r}",
                )

    def written(self, model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
        try:
            self.write(model, path, options)
        except Exception as error:  # exporters raise what they like
            raise RuntimeError(f"export: Keras cannot write {model.name!r} as {self.word!r}: {line(error)}") from error

    def loaded(self, path: Path, model: keras.Model) -> Runtime:
        try:
            return self.load(path, model)
        except Exception as error:  # so do runtimes
            raise RuntimeError(f"export: {model.name!r} as {self.word!r} cannot be loaded: {line(error)}") from error


def flat(answer: Any) -> list[np.ndarray]:
    """List outputs as arrays, those of a dict in the order of its keys, as Keras has them."""
    return [_array(part) for part in keras.tree.flatten(answer)]


def _array(tensor: Any) -> np.ndarray:
    array = np.asarray(keras.ops.convert_to_numpy(tensor))
    return array.astype("float32") if array.dtype == "bfloat16" else array


def line(error: BaseException) -> str:
    """Shorten what an error says to one line."""
    lacking = sorted({*re.findall(r"'tf\.(\w+)' op is neither", str(error))})  # of the pages of LiteRT's converter
    said = " ".join(str(error).split()) or type(error).__name__
    if lacking:
        return f"it has no {', '.join(lacking)} of TensorFlow"
    return said if len(said) <= 400 else f"{said[:300]} … {said[-90:]}"


def by_name(names: Sequence[str], batch: Any, model: keras.Model) -> dict[str, np.ndarray]:
    """Give each part of a batch the name that a file has for it."""
    parts = keras.tree.flatten(batch)
    if len(parts) == 1:
        return {names[0]: parts[0]}
    return dict(zip([tensor.name for tensor in model.inputs], parts, strict=True))
