"""How long a network takes to answer, against keras.applications and torchvision, and how far the answers differ.

Where torch is not installed, its part is left out.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from measure import Ratio, Section, in_turn, run
from peers import calibrated

from layerblocks.models import inference_model

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


def difference(answer: Any, truth: np.ndarray) -> float:
    return float(np.abs(np.asarray(answer, "float32") - truth).max())


@contextmanager
def torchvision_peer(batch: int) -> Iterator[Callable[[], Any]]:
    command = [sys.executable, str(Path(__file__).with_name("torchvision_peer.py")), str(batch)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as peer:
        assert peer.stdin is not None and peer.stdout is not None
        asked, answers = peer.stdin, peer.stdout

        def answer() -> None:
            asked.write("\n")
            if not answers.readline():
                raise RuntimeError("the process of torchvision has ended")

        yield answer
        asked.close()


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
        with ExitStack() as stack:
            if title == "ResNet-50" and importlib.util.find_spec("torchvision"):
                works["torchvision"] = stack.enter_context(torchvision_peer(batch))
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
