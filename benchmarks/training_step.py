"""How long a training step takes, against keras.applications compiled as Keras does by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from measure import Ratio, Section, in_turn, run

from layerblocks.architectures import build
from layerblocks.models import training_model
from layerblocks.training import compile_args, label_every_output

CLASSES = 10
THEIRS: dict[str, Callable[..., keras.Model]] = {
    "ResNet-50": keras.applications.ResNet50,
    "DenseNet-121": keras.applications.DenseNet121,
    "MobileNetV2": keras.applications.MobileNetV2,
}
BATCHES = [("ResNet-50", 8), ("ResNet-50", 32), ("DenseNet-121", 8), ("MobileNetV2", 8)]


def step(model: keras.Model, batch: int, **options: Any) -> Callable[[], Any]:
    images = np.random.default_rng(0).random((batch, *model.input_shape[1:]), "float32")
    labelled = label_every_output((images, np.arange(batch) % CLASSES), model)
    model.compile(**compile_args(model, keras.optimizers.SGD(1e-3, momentum=0.9), metrics=(), **options))
    return lambda: model.train_on_batch(*labelled)


def measured(quick: bool) -> Section:
    runs = 2 if quick else 7
    ratios = []
    for title, batch in [("ResNet-50", 2)] if quick else BATCHES:
        keras.backend.clear_session()
        theirs = THEIRS[title](weights=None, classes=CLASSES, input_shape=(224, 224, 3))
        works = {"ours": step(training_model(theirs), batch), "theirs": step(theirs, batch, jit_compile="auto")}
        times = in_turn(works, runs)
        what, peer = f"{title}, training_model of it, batch {batch}", f"{title} of keras.applications"
        mark = 1.4 if title == "ResNet-50" else None
        ratios.append(Ratio(what, peer, times["ours"], times["theirs"], mark))
    batch = 2 if quick else 8
    for title, name in list({"GoogLeNet": "googlenet", "ResNet-50": "resnet50"}.items())[: 1 if quick else None]:
        keras.backend.clear_session()
        works = {str(xla): step(build(name, classes=CLASSES), batch, jit_compile=xla) for xla in (False, True)}
        times = in_turn(works, runs)
        ratios.append(
            Ratio(f"{title} as compile_args has it, batch {batch}", "the same by XLA", times["False"], times["True"])
        )
    text = (
        f"A step of stochastic gradient descent with momentum, images of 224×224, {CLASSES} classes, from the same "
        "weights. Keras leaves XLA off where there is no accelerator, as `compile_args` does."
    )
    return Section("Training", text, ratios)


if __name__ == "__main__":
    run(measured, __doc__)
