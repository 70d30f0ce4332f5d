"""Tensor -> tensor functions: everything a network is made of.

A unit is `unit(x, filters, kernel_size=3, *, strides=1, …, name=None)`: `conv`, `conv_bn`, `separable`, `dilated`,
`transposed`. A block takes its unit as `conv=`, so that `functools.partial` reaches every norm, activation,
initialiser and regulariser inside it. `@block` makes one of any function of tensors.

Example:
    >>> import keras
    >>> from functools import partial
    >>> from layerblocks.blocks import bottleneck, conv, group_norm
    >>> x = keras.Input((56, 56, 64))
    >>> bottleneck(x, 256, conv=partial(conv, norm=group_norm, activation="gelu")).shape
    (None, 56, 56, 256)
"""

from .core import block, default_of, weightless
from .heads import aux_classifier, classifier
from .inceptions import inception
from .layers import AdaptiveAveragePooling2D, LocalResponseNormalization, PadChannels
from .norms import batch_norm, group_norm, layer_norm, local_response_norm
from .pieces import (
    activate,
    adaptive_avg_pool,
    add,
    avg_pool,
    concat,
    crop,
    dense,
    dropout,
    flatten,
    global_avg_pool,
    global_max_pool,
    max_pool,
    zero_pad,
)
from .residuals import (
    basic_residual,
    bottleneck,
    identity_shortcut,
    merge_residual,
    pad_shortcut,
    projection_shortcut,
)
from .units import conv, conv_bn, dilated, separable, transposed
from .vgg import vgg_block

__all__ = [
    "AdaptiveAveragePooling2D",
    "LocalResponseNormalization",
    "PadChannels",
    "activate",
    "adaptive_avg_pool",
    "add",
    "aux_classifier",
    "avg_pool",
    "basic_residual",
    "batch_norm",
    "block",
    "bottleneck",
    "classifier",
    "concat",
    "conv",
    "conv_bn",
    "crop",
    "default_of",
    "dense",
    "dilated",
    "dropout",
    "flatten",
    "global_avg_pool",
    "global_max_pool",
    "group_norm",
    "identity_shortcut",
    "inception",
    "layer_norm",
    "local_response_norm",
    "max_pool",
    "merge_residual",
    "pad_shortcut",
    "projection_shortcut",
    "separable",
    "transposed",
    "vgg_block",
    "weightless",
    "zero_pad",
]
