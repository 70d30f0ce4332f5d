"""How long the command line takes from a cold start, process by process, on each backend."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from measure import Ratio, Section, in_turn, run

DRAW = ("-m", "layerblocks", "draw", "googlenet")


def process(arguments: Sequence[str], folder: str, backend: str | None = None) -> Callable[[], Any]:
    environment = {word: value for word, value in os.environ.items() if word != "KERAS_BACKEND"}
    if backend is not None:
        environment["KERAS_BACKEND"] = backend
    command = [sys.executable, *arguments]
    return lambda: subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)


def measured(quick: bool) -> Section:
    backends = [name for name in ("tensorflow", "jax") if importlib.util.find_spec(name)]
    with tempfile.TemporaryDirectory() as folder:
        works = {f"draw on {backend}": process(DRAW, folder, backend) for backend in backends}
        works |= {f"keras on {backend}": process(("-c", "import keras"), folder, backend) for backend in backends}
        works["draw"] = process(DRAW, folder)
        works["list"] = process(("-m", "layerblocks", "list"), folder)
        times = in_turn(works, 2 if quick else 7)
    draw = "layerblocks draw googlenet"
    on_tensorflow = times["draw on tensorflow"]
    mark = 2 if "jax" in backends else None
    ratios = [Ratio(draw, "the same with KERAS_BACKEND=tensorflow", times["draw"], on_tensorflow, mark)]
    ratios += [
        Ratio(
            f"{draw}, {backend}", f"import keras, {backend}", times[f"draw on {backend}"], times[f"keras on {backend}"]
        )
        for backend in backends
    ]
    ratios.append(Ratio("layerblocks list", "import keras, tensorflow", times["list"], times["keras on tensorflow"]))
    text = (
        "Whole processes. Unless asked otherwise, the command line uses jax where it is installed, and it spares what "
        "Keras imports along for features that no figure needs."
    )
    return Section("Start of the command line", text, ratios)


if __name__ == "__main__":
    run(measured, __doc__)
