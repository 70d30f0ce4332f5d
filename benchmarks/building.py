"""How long a network takes to build, with and without weights, against keras.applications.

With `--once WAY` it builds every network once, in one of the three ways, and prints the seconds of each.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import keras
from measure import Ratio, Section, run, seconds

from layerblocks.architectures import build
from layerblocks.blocks import weightless

NETWORKS: dict[str, tuple[str, Callable[..., keras.Model]]] = {
    "VGG-19": ("vgg19", keras.applications.VGG19),
    "ResNet-50": ("resnet50", keras.applications.ResNet50),
    "DenseNet-121": ("densenet121", keras.applications.DenseNet121),
    "Inception-v3": ("inception_v3", keras.applications.InceptionV3),
    "MobileNetV2": ("mobilenet_v2", keras.applications.MobileNetV2),
}
WAYS = ("weightless", "with weights", "theirs")


def once(way: str) -> dict[str, float]:
    """The models are kept, so that each has to ask the system for its memory, as the first in a program does."""
    kept: list[Any] = [build("lenet5"), keras.applications.MobileNet(weights=None, input_shape=(32, 32, 3))]
    taken = {}
    for title, (name, theirs) in NETWORKS.items():
        with weightless() if way == "weightless" else nullcontext():
            work = (lambda f=theirs: f(weights=None)) if way == "theirs" else lambda n=name: build(n, dialect="keras")
            taken[title] = seconds(lambda work=work: kept.append(work()))
    return taken


def in_a_process(way: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--once", way]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measured(quick: bool) -> Section:
    times: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for number in range(2 if quick else 5):
        for way in WAYS if number % 2 else reversed(WAYS):
            times[way].append(in_a_process(way))
    ratios = [
        Ratio(
            f"{title}, {way}",
            f"{title} of keras.applications",
            *([taken[title] for taken in times[side]] for side in (way, "theirs")),
            wanted=50 if (title, way) == ("VGG-19", "weightless") else None,
        )
        for title in NETWORKS
        for way in ("weightless", "with weights")
    ]
    text = (
        "The same network, parameter by parameter, of 224×224 or 299×299 images and 1000 classes, built once in a "
        "process that has built small ones before. `weightless()` builds what figures, tables and tests of shapes need."
    )
    return Section("Building", text, ratios)


if __name__ == "__main__":
    if "--once" in sys.argv[1:]:
        print(json.dumps(once(sys.argv[-1])))
    else:
        run(measured, __doc__)
