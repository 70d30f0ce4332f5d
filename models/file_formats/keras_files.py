"""Keras's own files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from ..plain_keras import plain
from .formats import Format


def _save(model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
    model.save(path, **options)


def _imports(path: Path) -> tuple[str, ...]:
    """The modules that register something of which there is some in a file."""
    with zipfile.ZipFile(path) as file:
        config = json.loads(file.read("config.json"))
    return tuple(dict.fromkeys(_modules(config)))


def _modules(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        module, registered = config.get("module"), config.get("registered_name")
        if isinstance(module, str) and isinstance(registered, str) and ">" in registered:
            yield module
        config = list(config.values())
    if isinstance(config, list):
        for part in config:
            yield from _modules(part)


KERAS = Format(
    "keras", ".keras", "`keras.models.load_model`, with Keras alone", _save, prepared=plain, imports=_imports
)
