"""How the time to build, count and draw a network grows with its depth: CIFAR ResNets of 20 to 1202 layers.

With `--train` the deepest one is built with its weights, trained for a step, saved and loaded, which takes a minute or
two: eagerly, as tracing its graph alone takes several.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from measure import Section, in_turn, run

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.training import compile_args
from layerblocks.viz import diagram, table

BLOCKS = {20: 9, 56: 27, 110: 54, 1202: 600}


def without_weights(depth: int) -> Any:
    with weightless():
        return build(f"cifar_resnet{depth}")


def measured(quick: bool) -> Section:
    depths = [20, 56] if quick else list(BLOCKS)
    models = {depth: without_weights(depth) for depth in depths}
    works = {("build", depth): lambda depth=depth: without_weights(depth) for depth in depths}
    works |= {("table", depth): lambda depth=depth: table(models[depth]) for depth in depths}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.pdf")
        works |= {
            ("draw", depth): lambda depth=depth: diagram(models[depth], width="ieee1").save(path) for depth in depths
        }
        times = in_turn(works, 2 if quick else 5)
    rows: list[list[Any]] = [["network", "blocks", "building, ms a block", "table, ms a block", "PDF, ms a block"]]
    for depth in depths:
        each = [1000 * statistics.median(times[way, depth]) / BLOCKS[depth] for way in ("build", "table", "draw")]
        rows.append([f"ResNet-{depth}", BLOCKS[depth], *(f"{ms:.2f}" for ms in each)])
    text = "What a residual block costs stays the same from the shallowest network to the deepest, or falls."
    return Section("Growth with depth", text, rows=rows)


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
    if "--train" in sys.argv[1:]:
        deepest()
    else:
        run(measured, __doc__)
