"""The one way to import a package that not everybody has."""

from __future__ import annotations

import importlib
from typing import Any, Literal

from . import checks

Extra = Literal["tensorflow", "jax", "dot", "training", "office", "export", "openvino", "examples", "testing", "yaml"]


def needs(module: str, *, extra: Extra) -> Any:
    """The module, imported; where it is not installed, the error says which extra brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # it is there, and something that it imports is not
        install = f"pip install 'layerblocks[{extra}]'"
        raise checks.complaint(f"needs {package}, which is not installed: {install}", ModuleNotFoundError) from error
