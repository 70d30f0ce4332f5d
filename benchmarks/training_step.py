"""How long a training step takes, against Keras and the best of torch, each in a process of its own, in turn.

With `--only NETWORK` of that one alone.
"""

from __future__ import annotations

from measure import Section, chosen, run
from peers import absent, against

WAYS = {
    "float32": (
        *("ours trains float32 plain", "ours trains float32"),
        *("torch trains float32 eager", "torch trains float32 compiled"),
    ),
    "bfloat16": ("ours trains bfloat16", "torch trains bfloat16 eager", "torch trains bfloat16 compiled"),
}
NETWORKS = ("ResNet-50", "GoogLeNet", "MobileNetV2", "DenseNet-121")


def measured(quick: bool) -> Section:
    batch, runs = (2, 2) if quick else (8, 7)
    ratios, rows = against(chosen(NETWORKS, 1 if quick else None), WAYS, runs, batch)
    text = (
        f"A step of gradient descent with momentum on {batch} images of 224×224 and 1000 classes, on two cores, of "
        "torchvision's networks, with the same layers on both sides." + absent("torch", "torchvision")
    )
    return Section("Training", text, ratios, rows)


if __name__ == "__main__":
    run(measured, __doc__)
