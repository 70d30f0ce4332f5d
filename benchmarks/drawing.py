"""How long a figure takes, from a built model to the file, against keras `plot_model` and visualkeras.

The one needs Graphviz's `dot` on the PATH, the other its package; what is missing is left out.
"""

from __future__ import annotations

import importlib.util
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from measure import Ratio, Section, in_turn, run, short
from peers import absent

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.viz import diagram


def measured(quick: bool) -> Section:
    with weightless():
        names = {
            "ResNet-50": "resnet50",
            "ResNet-152": "resnet152",
            "ResNet-1202": "cifar_resnet1202",
        }
        models = {title: build(name) for title, name in names.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "net")

        def drawn(title: str, **options: Any) -> Callable[[], Any]:
            return lambda: diagram(models[title], width="ieee1", **options).save(file.with_suffix(".pdf"))

        works: dict[str, Callable[[], Any]] = {title: drawn(title) for title in models}
        if shutil.which("dot"):
            works["plot_model"] = lambda: keras.utils.plot_model(
                models["ResNet-50"], str(file.with_suffix(".png")), show_shapes=True, show_layer_names=True
            )
        if importlib.util.find_spec("visualkeras"):
            import visualkeras

            works["visualkeras"] = lambda: visualkeras.graph_view(
                models["ResNet-50"], to_file=str(file.with_suffix(".png"))
            )
        times = in_turn(works, 2 if quick else 7)
    ratios = []
    if "plot_model" in works:
        peer = "keras plot_model, ResNet-50 to PNG"
        ratios = [
            Ratio(f"{title} to PDF", peer, times[title], times["plot_model"], 10 if title == "ResNet-1202" else None)
            for title in ("ResNet-50", "ResNet-152", "ResNet-1202")
        ]
    if "visualkeras" in works:
        peer = "visualkeras graph_view, ResNet-50 to PNG"
        ratios.append(Ratio("ResNet-50 to PDF", peer, times["ResNet-50"], times["visualkeras"]))
    text = "A built model to a file, text and all, for a column of a paper." + absent("visualkeras")
    if "plot_model" not in works:
        text += " plot_model was not measured, as the dot program of Graphviz is not on the PATH."
    rows = [["to PDF", "median"], *([title, short(statistics.median(times[title]))] for title in models)]
    return Section("Drawing", text, ratios, rows)


if __name__ == "__main__":
    run(measured, __doc__)
