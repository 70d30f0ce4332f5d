"""Initial values that Keras has no name for: those of torch, which torchvision's networks begin with."""

from __future__ import annotations

from math import prod
from typing import Any, Unpack

import keras

from ..blocks import arguments, conv, dense
from ..blocks.core import delegate
from ..blocks.tensors import channels, rank
from ..blocks.types import ConvBnOptions, DenseOptions, Norm, Size, Tensor

# `kaiming_normal_` with its two modes, and `kaiming_uniform_(a=sqrt(5))`, which is what a torch layer has by itself:
# numbers up to ±1/sqrt(fan-in).
KAIMING_FAN_OUT = keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")
KAIMING_FAN_IN = keras.initializers.VarianceScaling(2.0, mode="fan_in", distribution="untruncated_normal")
TORCH_DEFAULT = keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")


def normal(stddev: float) -> Any:
    return keras.initializers.RandomNormal(stddev=stddev)


def _bias(fan_in: int) -> Any:
    """Of a torch layer whose kernel has this fan-in."""
    return keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)


@delegate
def torch_conv(
    x: Tensor, filters: int, kernel_size: Size = 3, *, norm: Norm | None = None, **options: Unpack[ConvBnOptions]
) -> Tensor:
    """`conv` with the kernel and bias that a `torch.nn.Conv2d` begins with."""
    fan_in = channels(x) // options.get("groups", 1) * prod(arguments.sizes("kernel_size", kernel_size, rank(x)))
    given: dict[str, Any] = {"kernel_initializer": TORCH_DEFAULT, "bias_initializer": _bias(fan_in), **options}
    return conv(x, filters, kernel_size, norm=norm, **given)


def torch_dense(x: Tensor, units: int, *, name: str | None = None, **options: Unpack[DenseOptions]) -> Tensor:
    """`dense` with the kernel and bias that a `torch.nn.Linear` begins with."""
    given: dict[str, Any] = {"kernel_initializer": TORCH_DEFAULT, "bias_initializer": _bias(x.shape[-1]), **options}
    return dense(x, units, name=name, **given)
