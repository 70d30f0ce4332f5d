"""Keras imported quickly and without a word, for a command line that draws and counts but never trains."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_QUICKEST = "jax"
_UNUSED = ("matplotlib", "pandas", "sklearn")
"""What Keras imports along where it is installed, for features that no command uses."""


def asked_backend() -> str | None:
    """The backend that the user asked Keras for, by its variable or its file, or None.

    The file that Keras makes by itself says tensorflow, so that there the word is nobody's wish.
    """
    if asked := os.environ.get("KERAS_BACKEND"):
        return asked
    try:
        home = os.environ.get("KERAS_HOME") or Path("~", ".keras").expanduser()
        written = json.loads(Path(home, "keras.json").read_text("utf-8")).get("backend")
    except (OSError, RuntimeError, ValueError, AttributeError):  # no such file, no home, no JSON, no object
        return None
    return None if written == "tensorflow" else written


def import_keras() -> None:
    """Import Keras on the backend that was asked for, or else on jax where that is installed.

    Jax starts in less than half the time that TensorFlow takes, and shapes, counts and figures are the same on both.
    """
    if "keras" in sys.modules:
        return
    with quiet(), _absent(_UNUSED), _environment(TF_CPP_MIN_LOG_LEVEL="3"):
        if asked_backend() is None and importlib.util.find_spec(_QUICKEST):
            try:
                with _environment(KERAS_BACKEND=_QUICKEST, JAX_PLATFORMS="cpu"):
                    importlib.import_module("keras")
                return
            except Exception:  # one that this Keras cannot work with is as good as none
                for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
                    del sys.modules[name]
        importlib.import_module("keras")


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Variables that have a value inside, where the user has set none."""
    ours = [word for word in values if not os.environ.get(word)]
    os.environ.update({word: values[word] for word in ours})
    try:
        yield
    finally:
        for word in ours:
            del os.environ[word]


@contextmanager
def _absent(packages: tuple[str, ...]) -> Iterator[None]:
    """Packages that cannot be imported inside, unless they are already."""
    ours = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(ours))  # type: ignore[arg-type]  # None is Python's own way to refuse an import
    try:
        yield
    finally:
        for name in ours:
            del sys.modules[name]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the chatter of a backend's start, which its C++ writes to descriptor 2, from the user."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
