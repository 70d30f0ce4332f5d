"""How long a network takes to answer, against Keras and the best of torch, each in a process of its own, in turn.

Of torch eager in channels_last and compiled, in float32 and by autocast; with `--only NETWORK` of that one alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from measure import Section, chosen, run
from peers import absent, against

WAYS = {
    "float32": (
        *("ours answers plain", "ours answers float32", "ours answers float32 tensorflow"),
        *("ours answers float32 openvino", "torch answers float32 eager", "torch answers float32 compiled"),
    ),
    "bfloat16": (
        *("ours answers bfloat16", "ours answers bfloat16 tensorflow", "ours answers bfloat16 openvino"),
        *("torch answers bfloat16 eager", "torch answers bfloat16 compiled"),
    ),
}
FIRST = ("ResNet-50", "GoogLeNet", "MobileNetV2", "DenseNet-121")


def measured(quick: bool, titles: Sequence[str] = FIRST, title_of_section: str = "Inference") -> Section:
    batch, runs = (2, 2) if quick else (8, 9)
    ratios, rows = against(chosen(titles, 1 if quick else None), WAYS, runs, batch)
    text = (
        f"{batch} images of 224×224 on two cores. The networks are torchvision's, with the same layers on both sides "
        "and random weights, whose norms have the statistics of the images; the best of ours beside the best of torch, "
        "and every way that was measured below. How far answers lie from those of the model in float32 is a share of "
        "the largest probability." + absent("torch", "torchvision", "openvino")
    )
    return Section(title_of_section, text, ratios, rows)


if __name__ == "__main__":
    run(measured, __doc__)
