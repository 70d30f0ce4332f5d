"""One way to compute a network, for a batch each line that it reads: `python peers.py WAY NETWORK BATCH CORES`.

In a process of its own, as the libraries of torch and TensorFlow do not always load into one, and so that each has the
threads and the memory of its own. For every line it prints the seconds that the batch took, and at first "ready".
A way is made of words: `ours` or `torch`, `answers` or `trains`, a dtype, and what is special to it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from measure import Ratio, short

SIDE, CLASSES = 224, 1000
PAUSE = 0.05
"""Seconds before each batch, in which the threads of the one before stop to wait for more."""
AT_ONCE = 3
"""Processes that are prepared at a time: more take more memory, and are no sooner ready."""
MARK = 1.1
Times = dict[str, list[float]]

HEAD = ["", "way", "median", "most memory", ""]
OURS = {
    "answers": "inference_model",
    "tensorflow": "runner on TensorFlow",
    "openvino": "runner on OpenVINO",
    "trains": "training_model and FusedSGD",
}

# By title the name in the catalogue and its options, and the name in torchvision.
NETWORKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "ResNet-50": ("resnet50", {"dialect": "torchvision"}, "resnet50"),
    "GoogLeNet": ("googlenet_torchvision", {}, "googlenet"),
    "MobileNetV2": ("mobilenet_v2", {"dialect": "torchvision"}, "mobilenet_v2"),
    "DenseNet-121": ("densenet121", {"dialect": "torchvision"}, "densenet121"),
    "EfficientNet-B0": ("efficientnet_b0", {"dialect": "torchvision"}, "efficientnet_b0"),
    "ConvNeXt-T": ("convnext_tiny", {}, "convnext_tiny"),
    "ViT-B/16": ("vit_b_16", {"dialect": "torchvision"}, "vit_b_16"),
    "Swin-T": ("swin_t", {"dialect": "torchvision"}, "swin_t"),
}


# -- the other side ---------------------------------------------------------------------------------------------------


class Peer:
    """A process that computes a batch whenever it is called."""

    def __init__(self, way: str, network: str, batch: int, cores: int, kernels: bool = False) -> None:
        command = [sys.executable, __file__, way, network, str(batch), str(cores)]
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", **os.environ}
        if kernels:
            environment["ONEDNN_VERBOSE"] = "1"
        self.way = way
        self.kernels = Counter[str]()  # seconds by kind, of the last batch
        self.process = Popen(command, stdin=PIPE, stdout=PIPE, text=True, bufsize=1, env=environment)
        self.megabytes = 0.0

    def ready(self) -> str:
        """Wait until it can compute; what it says of itself before."""
        said = []
        while (line := self._line().strip()) != "ready":
            said.append(line)
        return " ".join(said)

    def __call__(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.kernels.clear()
        taken, self.megabytes = map(float, self._line().split())
        return taken

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.process.communicate(timeout=60)

    def _line(self) -> str:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if line.startswith("> "):
                return line.removeprefix("> ")
            words = line.strip().split(",")
            if words[0].startswith("onednn_verbose") and "exec" in words:
                self.kernels[words[words.index("exec") + 2]] += float(words[-1]) / 1000
        raise RuntimeError(f"the process of {self.way!r} has ended: {self.process.wait()}")


@dataclass(frozen=True)
class Found:
    """What was measured, by way.

    Args:
        seconds: of each batch; batch i of one was right beside batch i of the others.
        megabytes: the most memory.
        said: what it said of itself before it was ready.
    """

    seconds: Times = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


def compared(network: str, ways: Sequence[str], runs: int, batch: int, cores: int) -> Found:
    """Measure each way in turn; those that cannot be are left out.

    Some are prepared at once; then all but the one that computes wait.
    """
    found, peers = Found(), dict[str, Peer]()
    try:
        for start in range(0, len(ways), AT_ONCE):
            started = [Peer(way, network, batch, cores) for way in ways[start : start + AT_ONCE]]
            for peer in started:
                peers[peer.way] = peer
            for peer in started:
                try:
                    found.said[peer.way] = peer.ready()
                    found.seconds[peer.way] = []
                except RuntimeError as error:
                    print(f"{network}: {error}", file=sys.stderr, flush=True)
                    peers.pop(peer.way).end()
        for number in range(runs):
            for way in list(peers)[:: 1 if number % 2 else -1]:
                time.sleep(PAUSE)
                found.seconds[way].append(peers[way]())
    finally:
        for peer in peers.values():
            peer.end()
    found.megabytes.update((way, peer.megabytes) for way, peer in peers.items())
    return found


def row(what: str, way: str, found: Found) -> list[str]:
    """What was measured of a way, for a table under `HEAD`."""
    median = short(statistics.median(found.seconds[way]))
    return [what, said(way), median, f"{found.megabytes[way]:.0f} MB", found.said[way]]


def said(way: str) -> str:
    """A way in words: what of ours it is, or how torch computes it."""
    side, _, dtype, *rest = [*way.split(), ""]
    if side == "torch":
        return f"torch, {'autocast, ' * (dtype == 'bfloat16')}{rest[0]}"
    return "Keras as it is" if "plain" in way else OURS[rest[0] or way.split()[1]]


def best(times: Times, start: str) -> str | None:
    """The quickest of the ways whose names start so."""
    chosen = [way for way in times if way.startswith(start)]
    return min(chosen, key=lambda way: statistics.median(times[way]), default=None)


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16, as far as Linux says."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and any(
        word in cpuinfo.read_text("ascii", "replace") for word in ("avx512_bf16", "amx_bf16")
    )


def against(
    networks: Iterable[str], ways: Mapping[str, Sequence[str]], runs: int, batch: int
) -> tuple[list[Ratio], list[list[str]]]:
    """The best of ours against the best of torch, the first of ours against Keras as it is, and a row for each way.

    Args:
        ways: by dtype, `bfloat16` where the processor has it.
    """
    ratios, rows = [], [HEAD]
    for network in networks:
        for dtype, several in ways.items():
            if dtype == "bfloat16" and not has_bfloat16():
                continue
            found = compared(network, several, runs, batch, 2)
            times = found.seconds
            rows += [row(f"{network}, {dtype}", way, found) for way in times]
            own = {way: each for way, each in times.items() if way.startswith("ours") and "plain" not in way}
            ours, theirs = best(own, "ours"), best(times, "torch")
            plain = next((way for way in times if "plain" in way), None)
            if ours and theirs:
                what = f"{network} in {dtype}, {said(ours)}"
                ratios.append(Ratio(what, said(theirs), times[ours], times[theirs], MARK))
            itself = next(way for way in several if way.startswith("ours") and "plain" not in way)
            if plain and itself in times:
                ratios.append(Ratio(f"{network} in {dtype}, {said(itself)}", said(plain), times[itself], times[plain]))
    return ratios, rows if len(rows) > 1 else []


def absent(*packages: str) -> str:
    """A sentence on what is missing among the packages."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return f" Not measured, as it is not installed: {', '.join(missing)}." if missing else ""


# -- ours -------------------------------------------------------------------------------------------------------------


def of_keras(words: Sequence[str], title: str, batch: int) -> Callable[[], Any]:
    import keras
    import numpy as np

    from layerblocks.architectures import build
    from layerblocks.models import inference_model, runner, training_model
    from layerblocks.models.runners import RUNTIMES
    from layerblocks.training import FusedSGD, compile_args

    name, options, _ = NETWORKS[title]
    images = np.random.default_rng(0).random((batch, SIDE, SIDE, 3), "float32")
    activation = {"classifier_activation": None if "trains" in words else "softmax"}
    model = build(name, input_shape=(SIDE, SIDE, 3), classes=CLASSES, **options, **activation)
    if isinstance(model.output, dict):
        model = inference_model(model, fold_norm=False)
    if "trains" in words:
        dtype = "mixed_bfloat16" if "bfloat16" in words else None
        if "plain" not in words:
            model = training_model(model, dtype=dtype)
        labels = np.arange(batch) % CLASSES
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer = (keras.optimizers.SGD if "plain" in words else FusedSGD)(1e-3, momentum=0.9)
        model.compile(**compile_args(model, optimizer, loss=loss, metrics=(), jit_compile="xla" in words))
        return lambda: model.train_on_batch(images, labels)
    calibrated(model, images)
    dtype = "bfloat16" if "bfloat16" in words else None
    if runtime := next((word for word in words if word in (*RUNTIMES, "quickest")), None):
        answer = runner(inference_model(model), runtime, batch=batch, dtype=dtype)
        print(f"> {answer.off:.0e} away", flush=True)
        return lambda: answer(images)
    if "plain" not in words:
        model = inference_model(model, dtype=dtype)
    model.compile(jit_compile="xla" in words)
    return lambda: model.predict_on_batch(images)


def calibrated(model: Any, images: Any) -> Any:
    """With the statistics of the images, as training leaves them; else what random weights give may vanish."""
    import keras

    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(images, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model


# -- torch ------------------------------------------------------------------------------------------------------------


def of_torch(words: Sequence[str], title: str, batch: int) -> Callable[[], Any]:
    import torch
    import torchvision

    torch.manual_seed(0)
    special = {"aux_logits": False, "init_weights": True} if title == "GoogLeNet" else {}
    network = getattr(torchvision.models, NETWORKS[title][2])(weights=None, **special)
    network = network.to(memory_format=torch.channels_last)
    images = torch.rand(batch, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % CLASSES
    cast = "bfloat16" in words

    def rounded() -> Any:
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=cast)

    if "trains" in words:
        network.train()
        optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9)
        called = torch.compile(network) if "compiled" in words else network

        def step() -> float:
            optimizer.zero_grad(set_to_none=True)
            with rounded():
                loss = torch.nn.functional.cross_entropy(called(images).float(), labels)
            loss.backward()
            optimizer.step()
            return float(loss.detach())

        return step
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        network(images)
    network.eval()
    if "weights" in words:
        network, images = network.to(torch.bfloat16), images.to(torch.bfloat16)
    called = torch.compile(network) if "compiled" in words else network

    def answer() -> Any:
        with torch.inference_mode(), rounded() if "weights" not in words else contextlib.nullcontext():
            return called(images).softmax(-1)

    return answer


def main(way: str, title: str, batch: int, cores: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    words = way.split()
    made = (of_torch if words[0] == "torch" else of_keras)(words, title, batch)
    for _ in range(2):
        made()
    print("> ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        made()
        taken = time.perf_counter() - start
        print(">", taken, megabytes(), flush=True)


def megabytes() -> float:
    """The most memory that this process has had, on Linux and macOS; 0 elsewhere."""
    if importlib.util.find_spec("resource") is None:
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
