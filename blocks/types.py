"""Words of the signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict

import keras

if TYPE_CHECKING:
    # Keras is not typed: what pyright makes of `keras.Input` is a tensor or a list, which would fit nowhere.
    Tensor: TypeAlias = Any
else:
    Tensor: TypeAlias = keras.KerasTensor
"""A symbolic tensor: of images `batch height width channels`, as is said unless said otherwise; of signals
`batch length channels`, of volumes `batch depth height width channels`."""

Size: TypeAlias = int | tuple[int, ...]
"""One number for all axes, or one for each: (length,), (height, width) or (depth, height, width)."""

Margins: TypeAlias = tuple[tuple[int, int], ...]
"""For each axis what lies (before, after) it: of images rows (above, below) and columns (left, right)."""

Padding: TypeAlias = Literal["same", "valid", "symmetric", "causal"] | Size | Margins
"""Keras's two, equal on opposite sides, all before the first pixel, so many zeros on every side, or (before, after)
for each axis."""

Activation: TypeAlias = str | Callable[[Any], Any] | None
"""A Keras name, a function of a tensor, a block; None for linear."""


# Classes, so that each word is a type of its own; any function at all is one to a type checker.


class _Function(Protocol):
    def __call__(self, *args: Any, **kwargs: Any) -> Tensor: ...


class Unit(_Function, Protocol):
    """`unit(x, filters, kernel_size=3, *, strides=1, activation=…, name=None)`."""


class Norm(_Function, Protocol):
    """`norm(x, *, name)`."""


class Pool(_Function, Protocol):
    """`pool(x, pool_size, *, strides, name)`, and `padding` and `dilation_rate` where a block has them."""


class Dense(_Function, Protocol):
    """`dense(x, units, *, activation, name)`."""


class Shortcut(_Function, Protocol):
    """`shortcut(x, filters, *, strides, conv)`."""


# What functions pass on as `**options`, spelled out, so that editors and type checkers know it.


class LayerOptions(TypedDict, total=False):
    """Of every Keras layer."""

    dtype: Any
    trainable: bool


class BiasOptions(LayerOptions, total=False):
    bias_initializer: Any
    bias_regularizer: Any
    bias_constraint: Any
    activity_regularizer: Any


class KernelOptions(BiasOptions, total=False):
    """Of `keras.layers.Conv2D`, `Conv2DTranspose` and the like, beyond what a unit has of its own."""

    kernel_initializer: Any
    kernel_regularizer: Any
    kernel_constraint: Any


class DenseOptions(KernelOptions, total=False):
    """Of `keras.layers.Dense`."""

    use_bias: bool
    lora_rank: int | None
    lora_alpha: float | None
    quantization_config: Any


class DepthwiseOptions(KernelOptions, total=False):
    """Of `keras.layers.DepthwiseConv2D`; `kernel_…` and `depthwise_…` are the same."""

    depthwise_initializer: Any
    depthwise_regularizer: Any
    depthwise_constraint: Any


class SeparableOptions(DepthwiseOptions, total=False):
    """Of `keras.layers.SeparableConv2D`; `kernel_…` is for both parts."""

    pointwise_initializer: Any
    pointwise_regularizer: Any
    pointwise_constraint: Any


class SubsampleOptions(DepthwiseOptions, total=False):
    use_bias: bool | None
    norm: Norm | None


class PreactOptions(KernelOptions, total=False):
    """Of `conv`, beyond what `preact_conv` has of its own."""

    dilation_rate: Size
    groups: int
    padding: Padding
    layer: Callable[..., keras.Layer] | None


class UnitOptions(PreactOptions, SeparableOptions, total=False):
    """Of a unit, beyond filters, kernel, strides, norm and activation."""

    depth_multiplier: int


class PointwiseOptions(KernelOptions, total=False):
    """Of a unit that makes a 1×1 convolution."""

    groups: int
    norm: Norm | None
    activation: Activation
    use_bias: bool | None


class DilatedOptions(PointwiseOptions, total=False):
    """Of `conv`, beyond filters, kernel and dilation."""

    strides: Size
    padding: Padding
    name: str | None


class ConvBnOptions(PreactOptions, total=False):
    """Of `conv`, beyond filters, kernel and norm."""

    strides: Size
    activation: Activation
    use_bias: bool | None
    name: str | None


class TransposedOptions(KernelOptions, total=False):
    """Of `transposed`, beyond filters and kernel."""

    strides: Size
    dilation_rate: Size
    padding: Literal["same", "valid"] | Size
    output_padding: Size | None
    output_size: Size | None
    norm: Norm | None
    activation: Activation
    use_bias: bool | None


class ResidualOptions(UnitOptions, total=False):
    """Of `residual`, beyond what its kinds have of their own."""

    use_bias: bool | None
    norm: Norm | None
    stride_on: str | None
    activation_at: Literal["end", "start"] | None
    zero_init: bool
    inner: Sequence[Callable[[Tensor], Tensor]]
    transforms: Sequence[Callable[[Tensor], Tensor]]
    wide: Unit | None


class DenseLayerOptions(TypedDict, total=False):
    """Of `dense_layer`."""

    bottleneck: int
    dropout: float
    dilation_rate: Size
    conv: Unit


class ScaleOptions(LayerOptions, total=False):
    """Of every normalisation layer of Keras."""

    epsilon: float
    center: bool
    scale: bool
    beta_initializer: Any
    gamma_initializer: Any
    beta_regularizer: Any
    gamma_regularizer: Any
    beta_constraint: Any
    gamma_constraint: Any


class BatchNormOptions(ScaleOptions, total=False):
    """Of `keras.layers.BatchNormalization`."""

    momentum: float
    moving_mean_initializer: Any
    moving_variance_initializer: Any
    synchronized: bool
    renorm: bool
    renorm_clipping: Any
    renorm_momentum: float


class LayerNormOptions(ScaleOptions, total=False):
    """Of `keras.layers.LayerNormalization`."""

    rms_scaling: bool


class StochasticDepthOptions(LayerOptions, total=False):
    seed: int | None
