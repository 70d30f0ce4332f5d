"""How the losses of a training in bfloat16 follow those in float32: the same ResNet-20, batches and seeds.

Also what is noise: how far the losses of two trainings in float32 lie apart that differ in their seed alone.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import keras
import numpy as np
from measure import Section, run

from layerblocks.architectures import build
from layerblocks.models import training_model
from layerblocks.training import FusedSGD, compile_args

SEEDS, STEPS, BATCH, CLASSES, SIDE = 3, 200, 32, 10, 32
WINDOW = 20
"""Losses of so many steps are averaged: those of a step go up and down with its batch."""


def batches(steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """A pattern of each class under as much noise again, in another place of each image."""
    random = np.random.default_rng(0)
    patterns = random.normal(size=(CLASSES, SIDE, SIDE, 3))
    found = []
    for _ in range(steps):
        labels = random.integers(0, CLASSES, BATCH)
        shifts = random.integers(0, 4, (BATCH, 2))
        seen = np.stack([np.roll(patterns[label], tuple(by), (0, 1)) for label, by in zip(labels, shifts, strict=True)])
        found.append(((seen + 2 * random.normal(size=seen.shape)).astype("float32"), labels.astype("int32")))
    return found


def losses(model: keras.Model, data: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    model.compile(**compile_args(model, FusedSGD(0.05, momentum=0.9), metrics=()))
    return [float(model.train_on_batch(*batch)) for batch in data]


def smooth(losses: Sequence[float]) -> list[float]:
    return [statistics.fmean(losses[start : start + WINDOW]) for start in range(0, len(losses), WINDOW)]


def apart(a: Sequence[float], b: Sequence[float]) -> float:
    return max(abs(one - other) for one, other in zip(smooth(a), smooth(b), strict=True))


def measured(quick: bool) -> Section:
    data = batches(2 * WINDOW if quick else STEPS)
    found: dict[Any, list[float]] = {}
    for seed in range(2 if quick else SEEDS):
        keras.utils.set_random_seed(seed)
        model = build("cifar_resnet20")
        for dtype in (None, "mixed_bfloat16"):
            found[seed, dtype] = losses(training_model(model, dtype=dtype), data)
    seeds = sorted({seed for seed, _ in found})
    ends = [len(data) // 4 * number for number in (1, 2, 3, 4)]
    rows: list[list[Any]] = [["losses", *(f"to step {end}" for end in ends), "apart at most"]]
    for seed in seeds:
        for dtype in (None, "mixed_bfloat16"):
            each = found[seed, dtype]
            last = f"{apart(each, found[seed, None]):.3f}" if dtype else ""
            cells = (f"{statistics.fmean(each[end - WINDOW : end]):.3f}" for end in ends)
            rows.append([f"seed {seed}, {dtype or 'float32'}", *cells, last])
    noise = [apart(found[a, None], found[b, None]) for a, b in combinations(seeds, 2)]
    text = (
        f"ResNet-20 of CIFAR on patterns under noise, {len(data)} steps of {BATCH} images by gradient descent with "
        f"momentum, from the same weights on the same batches: means of the last {WINDOW} losses, and how far these "
        f"means lie from float32's at most on the way. Those of two seeds in float32 lie {min(noise):.3f} to "
        f"{max(noise):.3f} apart."
    )
    return Section("Training in bfloat16", text, rows=rows)


if __name__ == "__main__":
    run(measured, __doc__)
