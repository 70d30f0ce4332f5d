"""Folders of TensorFlow's SavedModel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from ..plain_keras import for_use
from .formats import Format


def _save(model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
    model.export(path, format="tf_saved_model", verbose=False, **options)


SAVED_MODEL = Format(
    "tf_saved_model",
    "",
    "`tf.saved_model.load`, its endpoint `serve`",
    _save,
    prepared=for_use,
    needs=("tensorflow",),
)
