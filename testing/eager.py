"""A net run on real numbers in another process: what comes out has the shape that the symbolic net says."""

from __future__ import annotations

import base64
import json
import math
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .examples import Net
from .specs import Shape

BATCH = 2
_MOST = 2**24


def job_of(
    net: Net, arguments: Mapping[str, Any], models: Mapping[str, tuple[Any, Sequence[Shape]]], shapes: Sequence[Shape]
) -> dict[str, Any]:
    """The job of the worker: models, each with the shapes that it was built for, and the shapes of the inputs."""
    configs = {
        kind: (_config(model), [list(shape) for shape in built_for]) for kind, (model, built_for) in models.items()
    }
    modules = {"layerblocks.blocks", *_modules_of_function(net.build)}
    for config, _ in configs.values():
        modules |= set(_modules(json.loads(config))) if config else set()
    return {
        "path": [path for path in sys.path if path],
        "modules": sorted(modules),
        "models": configs,
        "pickled": _pickled(net, arguments),
        "sizes": [list(size) for size in with_batch(shapes)],
        "dtypes": net.dtypes(),
        "keys": [part.key for part in net.inputs],
    }


def with_batch(shapes: Sequence[Shape], batch: int = BATCH) -> tuple[Shape, ...]:
    """The shapes, of so many examples where their number is not known."""
    return tuple((batch if shape and shape[0] is None else shape[0], *shape[1:]) if shape else () for shape in shapes)


def is_large(shapes: Sequence[Shape]) -> bool:
    """Whether no memory may hold numbers of such a shape, as of a strategy of sides without bounds."""
    return max(map(math.prod, with_batch(shapes))) > _MOST


def _config(model: Any) -> str | None:
    try:
        return model.to_json()
    except Exception:  # any layer may have no config
        return None


def _pickled(net: Net, arguments: Mapping[str, Any]) -> str | None:
    """The net, without the strategies of its cases."""
    try:
        return base64.b64encode(pickle.dumps((replace(net, sides=None, params=None), dict(arguments)))).decode()
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
