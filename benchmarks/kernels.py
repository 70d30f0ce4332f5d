"""Where a training step goes: the seconds in kernels of oneDNN, which TensorFlow and torch share, and in what is left.

On one core, where kernels do not run beside each other.
"""

from __future__ import annotations

import statistics

from measure import Section, chosen, run, short
from peers import Peer, absent, said

NETWORKS = ("ResNet-50", "GoogLeNet", "MobileNetV2", "DenseNet-121")
WAYS = ("ours trains float32", "torch trains float32 eager")
HEAD = ["float32", "way", "step", "convolutions", "share", "norms by oneDNN", "changes of layout", "all else"]


def measured(quick: bool) -> Section:
    rows = [HEAD]
    for title in chosen(NETWORKS, 1 if quick else None):
        for way in WAYS:
            peer = Peer(way, title, 2 if quick else 8, 1, kernels=True)
            try:
                peer.ready()
                steps = [(peer(), dict(peer.kernels)) for _ in range(2 if quick else 5)]
            except RuntimeError:
                rows.append([title, said(way), "not measured", *[""] * (len(HEAD) - 3)])
                continue
            finally:
                peer.end()
            step = statistics.median(taken for taken, _ in steps)
            kinds = ("convolution", "batch_normalization", "reorder")
            conv, norm, layout = (statistics.median(each.get(kind, 0.0) for _, each in steps) for kind in kinds)
            parts = [f"{conv / step:.0%}", *map(short, (norm, layout, max(step - conv - norm - layout, 0)))]
            rows.append([title, said(way), short(step), short(conv), *parts])
    text = (
        "A training step on one core. Both sides call the same kernels for convolutions: what these take bounds the "
        "ratio, whatever is done about the rest." + absent("torch")
    )
    return Section("Kernels of a training step", text, rows=rows)


if __name__ == "__main__":
    run(measured, __doc__)
