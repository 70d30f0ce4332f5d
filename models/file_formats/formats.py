"""What a file format is: how a model is written in it, and how its runtime is asked what the file answers."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ... import _keras, checks
from ..rewiring import leaves
from . import runtimes
from .runtimes import Runtime

APART = True
"""Whether files are asked in a process of their own; some seconds less where they are not."""

# Operations that a runtime does not have, in the pages of LiteRT's converter and in the words of ONNX's.
_LACKING = re.compile(r"(?<='tf\.)\w+(?=' op (?:is neither|requires))|(?<=No Op registered for )\w+")


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of files.

    Args:
        word: its name, Keras's too where Keras exports it.
        ending: of its paths; none for a folder.
        loaded_by: what a reader loads it with, in Markdown, for the table in the help of `export`.
        write: write a model there, with the options of Keras's exporter.
        needs: modules without which one cannot be written and loaded.
        lacks: dtypes that its runtime does not compute in.
        prepared: the model that is written for one; None for the model itself.
        imports: what has to be imported before a file is loaded, by its path; None where nothing has.
        load: load what was written of a model; None for what `runtimes` has for the format.
        int8: the options of `write`, by model and examples, for a file in int8; None where there is none.
        noise: the relative error that such a file may make on a batch.
    """

    word: str
    ending: str
    loaded_by: str
    write: Callable[[keras.Model, Path, Mapping[str, Any]], None]
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    prepared: Callable[[keras.Model], keras.Model] | None = None
    imports: Callable[[Path], tuple[str, ...]] | None = None
    load: Callable[[Path, keras.Model], Runtime] | None = None
    int8: Callable[[keras.Model, Any], dict[str, Any]] | None = None
    noise: Callable[[Path, keras.Model, Any], float] | None = None

    def require(self, model: keras.Model) -> None:
        """Refuse the model or the machine, if something is missing."""
        missing = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if missing:
            package = "tensorflow" if missing == ["tensorflow"] else "'layerblocks[export]'"
            raise ImportError(
                f"{checks.where()}: format={self.word!r} needs {' and '.join(missing)}: pip install {package}"
            )
        if self.needs and keras.backend.backend() != "tensorflow":
            raise RuntimeError(
                f"{checks.where()}: format={self.word!r} needs Keras on tensorflow, not on {keras.backend.backend()}; "
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
            raise RuntimeError(
                f"{checks.where()}: Keras cannot write {model.name!r} as {self.word!r}: {line(error)}"
            ) from error

    def answers(self, path: Path, model: keras.Model, batches: Sequence[Any], imports: Sequence[str]) -> list[Any]:
        """What the file answers to batches in a process of its own, an exception where it does not."""
        inputs, by_key = signature(model)
        task = {"word": self.word, "path": str(path), "names": inputs, "by_key": by_key, "batches": list(batches)}
        found = self._asked(path, model, {**task, "imports": list(imports)})
        if "failed" not in found:
            return list(found["answers"])
        who, (kind, text) = f"{checks.where()}: {model.name!r} as {self.word!r}", found["error"]
        if found["failed"] == "load":
            raise RuntimeError(f"{who} cannot be loaded: {line_of(text, kind)}")
        shapes = " and ".join(str(np.shape(part)) for part in runtimes.parts_of(batches[len(found["answers"])]))
        raise RuntimeError(
            f"{checks.where()}: {model.name!r} as {self.word!r} refuses a batch of {shapes}: {line_of(text, kind)}"
        )

    def _asked(self, path: Path, model: keras.Model, task: Mapping[str, Any]) -> dict[str, Any]:
        if self.load is not None or not APART or "__main__" in task["imports"]:
            return self._asked_here(path, model, task)
        with tempfile.TemporaryDirectory(prefix="layerblocks-") as folder:
            given, found = Path(folder) / "task", Path(folder) / "answers"
            given.write_bytes(pickle.dumps(task))
            environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend(), "TF_CPP_MIN_LOG_LEVEL": "3"}
            if task["imports"]:
                environment["PYTHONPATH"] = os.pathsep.join(sys.path)
            program = [sys.executable, "-P", runtimes.__file__, str(given), str(found)]
            ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
            if not found.exists():
                last = (ended.stderr.strip().splitlines() or [""])[-1]
                return {"failed": "load", "error": ("", f"the process ended with {ended.returncode}: {last}")}
            return dict(pickle.loads(found.read_bytes()))  # written by the process that was just started

    def _asked_here(self, path: Path, model: keras.Model, task: Mapping[str, Any]) -> dict[str, Any]:
        try:
            with _keras.deep_graphs():
                if self.load is not None:
                    runtime = self.load(path, model)
                else:
                    runtime = runtimes.load(self.word, path, task["names"], task["by_key"])
        except Exception as error:  # runtimes raise what they like
            return {"failed": "load", "error": (type(error).__name__, str(error))}
        answers: list[Any] = []
        for batch in task["batches"]:
            try:
                answers.append(runtime(batch))
            except Exception as error:
                return {"failed": "run", "error": (type(error).__name__, str(error)), "answers": answers}
        return {"answers": answers}


def signature(model: keras.Model) -> tuple[list[str], bool]:
    """The names of the inputs of a model, and whether it has a dict of outputs."""
    inputs = [tensor.name for tensor in getattr(model, "inputs", None) or []]
    return inputs, isinstance(getattr(model, "output", None), Mapping)


def line(error: BaseException) -> str:
    """Shorten what an error says to one line."""
    return line_of(str(error), type(error).__name__)


def line_of(text: str, kind: str) -> str:
    """Shorten the text of an error of that kind to one line."""
    lacking = sorted({*_LACKING.findall(text)})
    said = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split()) or kind
    if lacking:
        return f"it has no {', '.join(lacking)} of TensorFlow"
    return said if len(said) <= 400 else f"{said[:300]} … {said[-90:]}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Throw away what is written to standard output and error, also by what is not Python."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with Path(os.devnull).open("wb") as nothing:
            for number in (1, 2):
                os.dup2(nothing.fileno(), number)
        yield
    finally:
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
