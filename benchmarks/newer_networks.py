"""How long networks since 2019 take to answer, as `inference.py` measures it."""

from __future__ import annotations

from functools import partial

from inference import measured
from measure import run

NETWORKS = ("EfficientNet-B0", "ConvNeXt-T", "ViT-B/16", "Swin-T")

if __name__ == "__main__":
    run(partial(measured, titles=NETWORKS, title_of_section="Inference of newer networks"), __doc__)
