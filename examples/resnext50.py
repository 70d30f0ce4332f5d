"""ResNeXt-50 (32×4d), which is not among the architectures, by what sets it apart: `python examples/resnext50.py`.

Xie et al. 2017, Aggregated Residual Transformations for Deep Neural Networks, table 1: ResNet-50 whose 3×3 convolutions
are twice as wide and see 32 groups of channels apart.
"""

from __future__ import annotations

from functools import partial
from math import prod

from layerblocks.architectures import resnet, variant
from layerblocks.blocks import bottleneck, weightless

resnext50 = variant(
    resnet,
    "resnext50",
    "ResNeXt-50 (32×4d). Arguments and errors as `resnet`.",
    depth=50,
    residual=partial(bottleneck, reduction=2, groups=32),
    stride_on="3x3",
)

if __name__ == "__main__":
    with weightless():
        model = resnext50()
    parameters = sum(prod(variable.shape) for variable in model.trainable_variables)
    print(f"{model.name}: {parameters:,} trainable parameters")
