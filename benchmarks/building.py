"""How long a network takes to build, with and without weights, against keras.applications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from measure import Ratio, Section, in_turn, run

from layerblocks.architectures import build
from layerblocks.blocks import weightless

NETWORKS: dict[str, tuple[str, Callable[..., keras.Model]]] = {
    "VGG-19": ("vgg19", keras.applications.VGG19),
    "ResNet-50": ("resnet50", keras.applications.ResNet50),
    "DenseNet-121": ("densenet121", keras.applications.DenseNet121),
    "Inception-v3": ("inception_v3", keras.applications.InceptionV3),
    "MobileNetV2": ("mobilenet_v2", keras.applications.MobileNetV2),
}


def without_weights(name: str) -> Any:
    with weightless():
        return build(name, dialect="keras")


def measured(quick: bool) -> Section:
    ratios = []
    for title, (name, theirs) in list(NETWORKS.items())[: 1 if quick else None]:
        works = {
            "weightless": lambda name=name: without_weights(name),
            "with weights": lambda name=name: build(name, dialect="keras"),
            "theirs": lambda theirs=theirs: theirs(weights=None),
        }
        keras.backend.clear_session()
        times = in_turn(works, 2 if quick else 7)
        wanted = {"weightless": 50 if title == "VGG-19" else None, "with weights": None}
        ratios += [
            Ratio(f"{title}, {way}", f"{title} of keras.applications", times[way], times["theirs"], mark)
            for way, mark in wanted.items()
        ]
    text = (
        "The same network, parameter by parameter, of 224×224 or 299×299 images and 1000 classes. `weightless()` "
        "builds what figures, tables and tests of shapes need."
    )
    return Section("Building", text, ratios)


if __name__ == "__main__":
    run(measured, __doc__)
