"""How the time to answer grows with the batch and falls with a second core, beside torch compiled."""

from __future__ import annotations

import statistics

from measure import Section, chosen, run, short
from peers import absent, compared, said

NETWORKS = ("ResNet-50", "MobileNetV2")
WAYS = ("ours answers float32 openvino", "ours answers float32", "torch answers float32 compiled")
BATCHES, CORES = (1, 8, 32), (1, 2)


def measured(quick: bool) -> Section:
    rows = [["float32", *(f"batch {batch}, {cores} core{'s' * (cores > 1)}" for batch in BATCHES for cores in CORES)]]
    for title in chosen(NETWORKS, 1 if quick else None):
        cells: dict[str, list[str]] = {way: [] for way in WAYS}
        for batch in BATCHES[: 1 if quick else None]:
            for cores in CORES:
                found = compared(title, WAYS, 2 if quick else 5, batch, cores)
                for way in WAYS:
                    taken = found.seconds.get(way)
                    cell = (
                        f"{short(statistics.median(taken))}, {found.megabytes[way]:.0f} MB" if taken else "not measured"
                    )
                    cells[way].append(cell)
        lacking = [""] * (len(BATCHES) * len(CORES))
        rows += [[f"{title}, {said(way)}", *(cells[way] + lacking)[: len(lacking)]] for way in WAYS]
    text = "Seconds of a batch and the most memory of its process, the weights and what made the graph included."
    return Section("Growth with batch and cores", text + absent("torch", "openvino"), rows=rows)


if __name__ == "__main__":
    run(measured, __doc__)
