"""How the time to build a ResNet grows with its depth: `python benchmarks/build_depth.py [--train]`.

Prints, without weights, the processor time a block for CIFAR ResNets from 20 to 1202 layers, and its ratio to that of
ResNet-110, which is to stay below 1.5. With `--train` the deepest one is built with its weights, trained for a step,
saved and loaded as well, which takes a minute or two: eagerly, as tracing its graph alone takes several.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from layerblocks.architectures import build, compile_args
from layerblocks.blocks import weightless

BLOCKS = {20: 9, 56: 27, 110: 54, 1202: 600}
RUNS = 3


def seconds(function: Callable[[], Any]) -> float:
    gc.collect()
    start = time.process_time()
    with weightless():
        function()
    return time.process_time() - start


def build_times() -> None:
    runs: dict[int, list[float]] = {depth: [] for depth in BLOCKS}
    for _ in range(RUNS + 1):
        for depth, times in runs.items():
            times.append(seconds(lambda name=f"cifar_resnet{depth}": build(name)))
    best = {depth: min(times[1:]) for depth, times in runs.items()}  # the first run imports and fills caches
    each = {depth: best[depth] / blocks for depth, blocks in BLOCKS.items()}
    for depth, blocks in BLOCKS.items():
        print(
            f"ResNet-{depth:<5} {blocks:>4} blocks  {best[depth]:6.2f} s  {1000 * each[depth]:5.1f} ms a block, "
            f"{each[depth] / each[110]:.2f} of ResNet-110"
        )


def deepest() -> None:
    images, labels = np.zeros((2, 32, 32, 3), "float32"), np.zeros(2, "int32")
    start = time.perf_counter()

    def done(what: str) -> None:
        nonlocal start
        print(f"ResNet-1202 {what}: {time.perf_counter() - start:.1f} s", flush=True)
        start = time.perf_counter()

    model = build("cifar_resnet1202")
    done("built with weights")
    model.compile(**compile_args(model, run_eagerly=True, jit_compile=False))
    model.train_on_batch(images, labels)
    done("first training step")
    model.train_on_batch(images, labels)
    done("second training step")
    with tempfile.TemporaryDirectory() as folder:
        model.save(path := Path(folder, "resnet1202.keras"))
        done("saved")
        loaded = keras.models.load_model(path)
        done("loaded")
    same = np.array_equal(loaded(images), model(images))
    done(f"gives the {'same' if same else 'WRONG'} output after loading")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="also train, save and load the deepest")
    chosen = parser.parse_args()
    build_times()
    if chosen.train:
        deepest()
