"""A net run on real numbers in another process: what comes out has the shape that the symbolic net says."""

from __future__ import annotations

import base64
import json
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .shapes import Shape

BATCH = 2


def job_of(
    build: Callable[..., Any], arguments: Mapping[str, Any], models: Mapping[str, tuple[Any, Shape]], shape: Shape
) -> dict[str, Any]:
    """The job of the worker: models, each with the shape that it was built for, and the shape of the images."""
    configs = {kind: (_config(model), list(built_for)) for kind, (model, built_for) in models.items()}
    modules = {"layerblocks.blocks", *_modules_of_function(build)}
    for config, _ in configs.values():
        modules |= set(_modules(json.loads(config))) if config else set()
    return {
        "path": [path for path in sys.path if path],
        "modules": sorted(modules),
        "models": configs,
        "pickled": _pickled(build, arguments),
        "size": [BATCH, *shape[1:]],
    }


def _config(model: Any) -> str | None:
    try:
        return model.to_json()
    except Exception:  # any layer may have no config
        return None


def _pickled(build: Callable[..., Any], arguments: Mapping[str, Any]) -> str | None:
    try:
        return base64.b64encode(pickle.dumps((build, dict(arguments)))).decode()
    except Exception:  # lambdas, functions inside functions
        return None


def _modules_of_function(build: Any) -> Iterator[str]:
    module = getattr(getattr(build, "func", build), "__module__", None)
    if module and module != "__main__":
        yield module


def _modules(config: Any) -> Iterator[str]:
    """Where the classes of a saved model come from."""
    if isinstance(config, dict):
        module = config.get("module")
        if isinstance(module, str) and module.split(".")[0] not in ("keras", "builtins", "__main__"):
            yield module
        config = list(config.values())
    if isinstance(config, list):
        for item in config:
            yield from _modules(item)
