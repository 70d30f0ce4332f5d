"""How long a training step takes, against Keras and the best of torch, each in a process of its own, in turn.

With `--only NETWORK` of that one alone.
"""

from __future__ import annotations

from inference import has_bfloat16
from measure import Ratio, Section, chosen, run
from peers import HEAD, absent, best, compared, row, said

WAYS = {
    "float32": (
        *("ours trains float32 plain", "ours trains float32"),
        *("torch trains float32 eager", "torch trains float32 compiled"),
    ),
    "bfloat16": ("ours trains bfloat16", "torch trains bfloat16 eager", "torch trains bfloat16 compiled"),
}
NETWORKS = ("ResNet-50", "GoogLeNet", "MobileNetV2", "DenseNet-121")
MARK = 1.1


def measured(quick: bool) -> Section:
    batch, runs = (2, 2) if quick else (8, 7)
    ratios, rows = [], [HEAD]
    for title in chosen(NETWORKS, 1 if quick else None):
        for dtype, ways in WAYS.items():
            if dtype == "bfloat16" and not has_bfloat16():
                continue
            found = compared(title, ways, runs, batch, 2)
            times = found.seconds
            for way in times:
                rows.append(row(f"{title}, {dtype}", way, found))
            ours, theirs, plain = f"ours trains {dtype}", best(times, "torch"), "ours trains float32 plain"
            what = f"{title} in {dtype}, {said(ours)}"
            if ours in times and theirs:
                ratios.append(Ratio(what, said(theirs), times[ours], times[theirs], MARK))
            if ours in times and plain in times:
                ratios.append(Ratio(what, "Keras as it is", times[ours], times[plain]))
    text = (
        f"A step of gradient descent with momentum on {batch} images of 224×224 and 1000 classes, on two cores, of "
        "torchvision's networks, with the same layers on both sides." + absent("torch", "torchvision")
    )
    return Section("Training", text, ratios, rows if len(rows) > 1 else ())


if __name__ == "__main__":
    run(measured, __doc__)
