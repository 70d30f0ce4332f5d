"""ResNet-50 of torchvision, which answers a batch for every line that it reads: `python torchvision_peer.py BATCH`.

In a process of its own, as the libraries of torch and TensorFlow do not always load into one.
"""

from __future__ import annotations

import sys

import torch
import torchvision


def main(batch: int) -> None:
    model = torchvision.models.resnet50().eval()
    images = torch.rand(batch, 3, 224, 224)
    for _ in sys.stdin:
        with torch.inference_mode():
            model(images)
        print("answered", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
