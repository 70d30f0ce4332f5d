"""How long a network takes to answer, against Keras and the best of torch, each in a process of its own, in turn.

Of torch eager in channels_last and compiled, in float32 and by autocast; with `--only NETWORK` of that one alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from measure import Ratio, Section, chosen, run
from peers import HEAD, absent, best, compared, row, said

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
MARK = 1.1
FIRST = ("ResNet-50", "GoogLeNet", "MobileNetV2", "DenseNet-121")


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16, as far as Linux says."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and any(
        word in cpuinfo.read_text("ascii", "replace") for word in ("avx512_bf16", "amx_bf16")
    )


def measured(quick: bool, titles: Sequence[str] = FIRST, title_of_section: str = "Inference") -> Section:
    batch, runs = (2, 2) if quick else (8, 9)
    ratios, rows = [], [HEAD]
    for title in chosen(titles, 1 if quick else None):
        for dtype, ways in WAYS.items():
            if dtype == "bfloat16" and not has_bfloat16():
                continue
            found = compared(title, ways, runs, batch, 2)
            times = found.seconds
            for way in times:
                rows.append(row(f"{title}, {dtype}", way, found))
            ours, theirs = best(times, f"ours answers {dtype}"), best(times, "torch")
            if ours and theirs:
                what = f"{title} in {dtype}, {said(ours)}"
                ratios.append(Ratio(what, said(theirs), times[ours], times[theirs], MARK))
            plain = "ours answers plain"
            if plain in times and f"ours answers {dtype}" in times:
                what = f"{title} in {dtype}, inference_model"
                ratios.append(Ratio(what, "Keras as it is", times[f"ours answers {dtype}"], times[plain]))
    text = (
        f"{batch} images of 224×224 on two cores. The networks are torchvision's, with the same layers on both sides "
        "and random weights, whose norms have the statistics of the images; the best of ours beside the best of torch, "
        "and every way that was measured below. How far answers lie from those of the model in float32 is a share of "
        "the largest probability." + absent("torch", "torchvision", "openvino")
    )
    return Section(title_of_section, text, ratios, rows if len(rows) > 1 else ())


if __name__ == "__main__":
    run(measured, __doc__)
