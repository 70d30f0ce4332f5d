"""Keras's own files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from ... import _keras
from .formats import Format, Runtime, flat


def _save(model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
    model.save(path, **options)


def _load(path: Path, model: keras.Model) -> Runtime:
    with _keras.deep_graphs():
        loaded = keras.models.load_model(path, compile=False)
    return lambda batch: flat(loaded(batch, training=False))


KERAS = Format("keras", ".keras", "`keras.models.load_model`", _save, _load)
