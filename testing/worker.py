"""The other side of `subprocesses`: runs models on random numbers and says what shapes came out.

One job a line on the standard input, one reply a line on what was the standard output.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import os
import pickle
import sys
from typing import Any


def _prepare(job: dict[str, Any]) -> None:
    for path in job["path"]:
        if path not in sys.path:
            sys.path.append(path)
    for module in job["modules"]:
        with contextlib.suppress(Exception):  # what is missing is said by loading the model
            importlib.import_module(module)


def _model(job: dict[str, Any], config: str | None, shapes: list[list[int | None]]) -> Any:
    import keras

    from .reports import root_cause

    error: Exception | None = None
    if config is not None:
        try:
            keras.config.enable_unsafe_deserialization()  # the caller's own code
            return keras.models.model_from_json(config)
        except Exception as caught:
            error = caught
    if job["pickled"] is None:
        raise TypeError(root_cause(error) if error else "layers without a config")
    from .builds import called

    net, arguments = pickle.loads(base64.b64decode(job["pickled"]))
    xs, y = called(net, [tuple(shape) for shape in shapes], arguments)
    return keras.Model(net.given(xs), y)


def run(job: dict[str, Any]) -> dict[str, Any]:
    """The shapes that each of the models gives for the same inputs, by output; or what it raised, and where."""
    _prepare(job)
    import keras
    import numpy as np

    from .data import drawn

    random = np.random.default_rng(0)
    xs = [drawn(random, size, dtype, below=1) for size, dtype in zip(job["sizes"], job["dtypes"], strict=True)]
    keys = job["keys"]
    x = xs[0] if keys[0] is None else xs if isinstance(keys[0], int) else dict(zip(keys, xs, strict=True))
    shapes: dict[str, Any] = {}
    for kind, (config, shapes_of) in job["models"].items():
        try:
            model = _model(job, config, shapes_of)
        except Exception as error:
            return {"stage": "load", "kind": kind, "error": str(error)}
        try:
            y = model(x, training=False)
            y = {"": y} if keras.ops.is_tensor(y) else y
            pairs = y.items() if isinstance(y, dict) else enumerate(y)
            shapes[kind] = {str(key): list(keras.ops.convert_to_numpy(value).shape) for key, value in pairs}
        except Exception as error:
            return {"stage": "run", "kind": kind, "error": _said(error)}
    return {"shapes": shapes}


def _said(error: Exception) -> str:
    from .reports import said

    return " ".join(said(error).split())[:500]


def main() -> None:
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever prints is not to be taken for a reply
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), file=replies, flush=True)


if __name__ == "__main__":
    main()
