"""Where a training step and an answer go: the seconds in kernels of oneDNN, and in what is left.

On one core, where kernels do not run beside each other.
"""

from __future__ import annotations

import statistics

from measure import Section, chosen, run, short
from peers import Peer, absent, has_bfloat16, said

NETWORKS = ("ResNet-50", "GoogLeNet", "MobileNetV2", "DenseNet-121")
WAYS = {
    "training, float32": ("ours trains float32", "torch trains float32 eager"),
    "training, bfloat16": ("ours trains bfloat16", "torch trains bfloat16 eager"),
    "inference, float32": ("ours answers float32", "torch answers float32 eager"),
}
KINDS = ("convolution", "batch_normalization", "reorder")
HEAD = ["network", "way", "batch", "convolutions", "share", "norms", "changes of layout", "all else"]


def measured(quick: bool) -> Section:
    rows = [HEAD]
    for title in chosen(NETWORKS, 1 if quick else None):
        for what, ways in WAYS.items():
            if "bfloat16" in what and not has_bfloat16():
                continue
            for way in ways:
                rows.append([f"{title}, {what}", said(way), *spent(way, title, quick)])
    text = (
        "A batch of 8 images on one core. Convolutions, norms and changes of layout are what oneDNN says of its own; "
        "TensorFlow computes all convolutions with it, torch those of 1×1 in float32 as products of matrices, in *all "
        "else*. What ours spends in convolutions nothing written in Python changes: were all else free, the batch "
        "would still take that long." + absent("torch")
    )
    return Section("Kernels", text, rows=rows)


def spent(way: str, title: str, quick: bool) -> list[str]:
    """The medians of a way for the columns from `batch` on."""
    peer = Peer(way, title, 2 if quick else 8, 1, kernels=True)
    try:
        peer.ready()
        batches = [(peer(), dict(peer.kernels)) for _ in range(2 if quick else 3)]
    except RuntimeError:
        return ["not measured", *[""] * (len(HEAD) - 3)]
    finally:
        peer.end()
    batch = statistics.median(taken for taken, _ in batches)
    conv, norm, layout = (statistics.median(each.get(kind, 0.0) for _, each in batches) for kind in KINDS)
    rest = max(batch - conv - norm - layout, 0)
    return [short(batch), short(conv), f"{conv / batch:.0%}", *map(short, (norm, layout, rest))]


if __name__ == "__main__":
    run(measured, __doc__)
