"""How much slower XLA, Keras's default, makes a training step: `python benchmarks/training_step.py [NAME ...]`.

Prints, for each network, the median time of a step compiled by XLA over that of one that is not, measured in turn in
one process. `quickest_jit` rests on it.
"""

from __future__ import annotations

import statistics
import sys
import time

import keras
import numpy as np

from layerblocks.architectures import build, compile_args, label_every_output

BATCH, STEPS = 8, 5


def ready(name: str, jit_compile: bool) -> tuple[keras.Model, tuple]:
    model = build(name, classes=10)
    model.compile(**compile_args(model, jit_compile=jit_compile))
    images = np.random.default_rng(0).random((BATCH, *model.input_shape[1:]), "float32")
    return model, label_every_output((images, np.arange(BATCH) % 10), model)


def main(names: list[str]) -> None:
    for name in names:
        times: dict[bool, list[float]] = {True: [], False: []}
        models = {jit: ready(name, jit) for jit in times}
        for step in range(STEPS + 1):
            for jit, (model, batch) in models.items():
                start = time.perf_counter()
                model.train_on_batch(*batch)
                if step:  # the first one compiles
                    times[jit].append(time.perf_counter() - start)
        xla, plain = (statistics.median(times[jit]) for jit in (True, False))
        print(f"{name}: XLA {xla:.2f} s, without {plain:.2f} s a step, ratio {xla / plain:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["googlenet", "resnet50"])
