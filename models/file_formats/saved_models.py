"""Folders of TensorFlow's SavedModel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from .formats import Format, Runtime, flat


def _save(model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
    model.export(path, format="tf_saved_model", verbose=False, **options)


def _load(path: Path, model: keras.Model) -> Runtime:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda batch: flat(loaded.serve(keras.tree.map_structure(tf.convert_to_tensor, batch)))


SAVED_MODEL = Format(
    "tf_saved_model", "", "`tf.saved_model.load`, its endpoint `serve`", _save, _load, needs=("tensorflow",)
)
