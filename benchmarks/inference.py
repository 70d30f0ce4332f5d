"""How long a network takes to answer, against keras.applications and torchvision, and how far the answers differ.

Where torch is not installed, its part is left out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from measure import Ratio, Section, in_turn, run

from layerblocks.architectures import inference_model

THEIRS: dict[str, Callable[..., keras.Model]] = {
    "ResNet-50": keras.applications.ResNet50,
    "DenseNet-121": keras.applications.DenseNet121,
    "MobileNetV2": keras.applications.MobileNetV2,
}
MARKS = {("ResNet-50", "float32"): 1.1, ("ResNet-50", "bfloat16"): 2.0}


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16, as far as Linux says."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and any(
        word in cpuinfo.read_text("ascii", "replace") for word in ("avx512_bf16", "amx_bf16")
    )


def calibrated(model: keras.Model, images: np.ndarray) -> keras.Model:
    """With the statistics of the images, as training leaves them."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(images, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model


def difference(answer: Any, truth: np.ndarray) -> float:
    return float(np.abs(np.asarray(answer, "float32") - truth).max())


def of_torchvision(images: np.ndarray) -> Callable[[], Any]:
    import torch
    import torchvision

    model = torchvision.models.resnet50().eval()
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())

    def answer() -> Any:
        with torch.inference_mode():
            return model(x)

    return answer


def measured(quick: bool) -> Section:
    batch, runs = (2, 2) if quick else (8, 15)
    images = np.random.default_rng(0).random((batch, 224, 224, 3), "float32")
    ratios = []
    for title, constructor in list(THEIRS.items())[: 1 if quick else None]:
        keras.backend.clear_session()
        theirs = calibrated(constructor(weights=None), images)
        theirs.compile()
        truth = theirs.predict_on_batch(images)
        ours = {"float32": inference_model(theirs)}
        if has_bfloat16():
            ours["bfloat16"] = inference_model(theirs, dtype="bfloat16")
        for model in ours.values():
            model.compile()
        works: dict[str, Callable[[], Any]] = {
            dtype: lambda model=model: model.predict_on_batch(images) for dtype, model in ours.items()
        }
        works["theirs"] = lambda theirs=theirs: theirs.predict_on_batch(images)
        if title == "ResNet-50" and importlib.util.find_spec("torchvision"):
            works["torchvision"] = of_torchvision(images)
        times = in_turn(works, runs, warm=2)
        peers = {"theirs": f"{title} of keras.applications", "torchvision": f"{title} of torchvision, eager"}
        for peer, dtype in ((peer, dtype) for peer in peers if peer in works for dtype in ours):
            same = peer == "theirs"
            note = f"{difference(works[dtype](), truth):.0e} away" if same else ""
            mark = MARKS.get((title, dtype)) if same else None
            ratios.append(
                Ratio(f"{title}, inference_model in {dtype}", peers[peer], times[dtype], times[peer], mark, note)
            )
    text = (
        f"`predict_on_batch` of {batch} images of 224×224, as `compile` leaves it; the same weights, with batch "
        "statistics as training leaves them. The last column is the largest difference of a probability. The network "
        "of torchvision has weights of its own."
    )
    return Section("Inference", text, ratios)


if __name__ == "__main__":
    run(measured, __doc__)
