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

from .attention import squeeze_excite
from .core import block, default_of, weightless
from .decoders import bilinear_up, decoder_block, fuse_scores
from .dense_blocks import dense_block, dense_layer, transition
from .heads import aux_classifier, classifier, pixel_predictions
from .inceptions import inception, inception_asymmetric, inception_expanded, inception_reduction, inception_stacked
from .initializers import Bilinear
from .layers import (
    AdaptiveAveragePooling2D,
    DilatedAveragePooling2D,
    DilatedMaxPooling2D,
    FusedBatchNormalization,
    LocalResponseNormalization,
    MatchSize,
    PadChannels,
    RadialBasisDense,
    SparseConv2D,
    StochasticDepth,
    scaled_tanh,
)
from .norms import batch_norm, fused_batch_norm, group_norm, layer_norm, local_response_norm
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
    match_size,
    max_pool,
    radial_basis,
    scale,
    stochastic_depth,
    zero_pad,
)
from .residuals import (
    basic_residual,
    bottleneck,
    channel_projection_shortcut,
    identity_shortcut,
    merge_residual,
    pad_shortcut,
    projection_shortcut,
    residual,
)
from .separables import depthwise_separable, inverted_residual, xception_module
from .units import (
    conv,
    conv_bn,
    depthwise,
    dilated,
    matching,
    norm_activation,
    preact_conv,
    separable,
    sparse,
    transposed,
)
from .vgg import chain, subsample, vgg_block

__all__ = [
    "AdaptiveAveragePooling2D",
    "Bilinear",
    "DilatedAveragePooling2D",
    "DilatedMaxPooling2D",
    "FusedBatchNormalization",
    "LocalResponseNormalization",
    "MatchSize",
    "PadChannels",
    "RadialBasisDense",
    "SparseConv2D",
    "StochasticDepth",
    "activate",
    "adaptive_avg_pool",
    "add",
    "aux_classifier",
    "avg_pool",
    "basic_residual",
    "batch_norm",
    "bilinear_up",
    "block",
    "bottleneck",
    "chain",
    "channel_projection_shortcut",
    "classifier",
    "concat",
    "conv",
    "conv_bn",
    "crop",
    "decoder_block",
    "default_of",
    "dense",
    "dense_block",
    "dense_layer",
    "depthwise",
    "depthwise_separable",
    "dilated",
    "dropout",
    "flatten",
    "fuse_scores",
    "fused_batch_norm",
    "global_avg_pool",
    "global_max_pool",
    "group_norm",
    "identity_shortcut",
    "inception",
    "inception_asymmetric",
    "inception_expanded",
    "inception_reduction",
    "inception_stacked",
    "inverted_residual",
    "layer_norm",
    "local_response_norm",
    "match_size",
    "matching",
    "max_pool",
    "merge_residual",
    "norm_activation",
    "pad_shortcut",
    "pixel_predictions",
    "preact_conv",
    "projection_shortcut",
    "radial_basis",
    "residual",
    "scale",
    "scaled_tanh",
    "separable",
    "sparse",
    "squeeze_excite",
    "stochastic_depth",
    "subsample",
    "transition",
    "transposed",
    "vgg_block",
    "weightless",
    "xception_module",
    "zero_pad",
]
