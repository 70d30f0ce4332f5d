"""How long a training step of every family takes through `training_model`, against the model as it is, in turn.

With `--only NETWORK` of those alone, by their names in the catalogue.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from measure import Ratio, Section, chosen, in_turn, run

from layerblocks.architectures import build
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.models import training_model
from layerblocks.models.training_copies import changes_of

BATCH, RUNS, CLASSES = 4, 6, 10
HEAD = ["not measured", "why"]
SIDES = (96, 128, 224)


def names() -> list[str]:
    """Of every family the network that costs least."""
    least: dict[str, Any] = {}
    for entry in ENTRIES.values():
        if entry.module not in least or entry.multiply_adds < least[entry.module].multiply_adds:
            least[entry.module] = entry
    return [entry.name for entry in least.values()]


def built(name: str) -> keras.Model:
    """With the smallest images of those that it can be built for, or its own."""
    for side in SIDES:
        try:
            return build(name, input_shape=(side, side, 3), classes=CLASSES)
        except (TypeError, ValueError):
            continue
    return build(name)


def step(model: keras.Model) -> Callable[[], Any]:
    """A step of gradient descent with momentum, of a rate of 0, so that every run computes the same."""
    images = np.random.default_rng(0).normal(size=(BATCH, *(n or 64 for n in model.input_shape[1:]))).astype("float32")
    output = model(images, training=False)
    wanted = keras.tree.map_structure(lambda tensor: np.zeros(tensor.shape, "float32"), output)
    losses = keras.tree.map_structure(lambda _: "mean_squared_error", output)
    model.compile(keras.optimizers.SGD(0.0, momentum=0.9), losses, jit_compile=False)
    return lambda: model.train_on_batch(images, wanted)


def of_one(name: str, quick: bool) -> Section:
    """What is measured of one network, in this process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    model = built(name)
    size = "×".join(str(n or 64) for n in model.input_shape[1:])
    if not changes_of(model, None):
        return Section(name, "", [], [HEAD, [f"{name}, {size}", "nothing to change: the same operations"]])
    works = {"plain": step(model), "ours": step(training_model(model))}
    times = in_turn(works, 2 if quick else RUNS, warm=1)
    return Section(name, "", [Ratio(f"{name}, {size}", "the model as it is", times["ours"], times["plain"], 1.0)])


def apart(name: str, quick: bool) -> Section:
    """The same in a process of its own; a row that says so, if that ended before."""
    command = [sys.executable, __file__, "--json", "--only", name, *["--quick"] * quick]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return Section(name, "", [], [HEAD, [name, f"its process ended with {done.returncode}"]])
    found = Section.loads(done.stdout.splitlines()[-1])
    for ratio in found.ratios:
        print(ratio.what, round(ratio.median, 3), ratio.spread, file=sys.stderr, flush=True)
    return found


def measured(quick: bool) -> Section:
    least = names()
    wanted = chosen([*least, *(name for name in ENTRIES if name not in least)], 2 if quick else len(least))
    found = [(apart if len(wanted) > 1 else of_one)(name, quick) for name in wanted]
    rows = [HEAD, *(row for each in found for row in each.rows[1:])]
    text = (
        f"A step on one core with {BATCH} images, as small as can be from 96×96 on, of the network of every family "
        "that costs least, through `training_model` against the same model without, with the same optimizer. Where "
        "`training_model` finds nothing to change both compute the same operations, and nothing is measured."
    )
    return Section("Training of every family", text, [ratio for each in found for ratio in each.ratios], rows)


if __name__ == "__main__":
    run(measured, __doc__)
