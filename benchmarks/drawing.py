"""How fast figures are drawn: `python benchmarks/drawing.py`, with Graphviz's `dot` on the PATH for the comparison.

Prints the time to draw ResNet-152 and ResNet-1202 to PDF from built models, and its ratio to that of
`keras.utils.plot_model`, which draws ResNet-50 to PNG by the `dot` program; the two take turns, so that what else the
machine does hits both. The ratio is to be at least 10.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.viz import diagram

RUNS = 5


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    with weightless():
        small = keras.applications.ResNet50(weights=None)
        models = {"ResNet-152": build("resnet152"), "ResNet-1202": build("cifar_resnet1202")}
    with tempfile.TemporaryDirectory() as folder:
        works = {
            f"{name} to PDF": lambda model=model: diagram(model, width="ieee1").save(Path(folder) / "net.pdf")
            for name, model in models.items()
        }
        if shutil.which("dot"):
            works["keras plot_model, ResNet-50 to PNG"] = lambda: keras.utils.plot_model(
                small, str(Path(folder) / "net.png"), show_shapes=True, show_layer_names=True
            )
        else:
            print("no dot program on the PATH: nothing to compare with")
        times: dict[str, list[float]] = {name: [] for name in works}
        for run in range(RUNS + 1):
            for name, work in works.items():
                taken = seconds(work)
                if run:  # the first fills caches
                    times[name].append(taken)
    *_, last = times
    for name, taken in times.items():
        ratio = statistics.median(times[last]) / statistics.median(taken)
        print(
            f"{name:36} median {statistics.median(taken):6.3f} s ({min(taken):.3f} to {max(taken):.3f}), "
            f"{ratio:.1f} times as fast as {last}"
        )


if __name__ == "__main__":
    main()
