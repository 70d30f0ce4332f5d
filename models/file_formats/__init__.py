"""The file formats that `export` writes, a file and a line here each."""

from __future__ import annotations

from .formats import Format
from .keras_files import KERAS
from .litert_files import LITERT
from .onnx_files import ONNX
from .saved_models import SAVED_MODEL

FORMATS: dict[str, Format] = {kind.word: kind for kind in (KERAS, SAVED_MODEL, LITERT, ONNX)}
"""By what each is called."""


def table(indent: str = "") -> str:
    """Make the Markdown table of the formats: how each is called, its paths, and what loads it."""
    rows = [("format", "path", "loaded by"), ("---",) * 3] + [
        (f"`{kind.word}`", f"`….{kind.ending[1:]}`" if kind.ending else "a folder", kind.loaded_by)
        for kind in FORMATS.values()
    ]
    return f"\n{indent}".join(f"| {' | '.join(row)} |" for row in rows)
