"""What the blocks must give, in closed form and plain Python: output shapes, parameters and multiply-adds.

An oracle mirrors the piece of its name: where `inception(x, 64, (96, 128), (16, 32), 32, conv=separable)` makes a
tensor, `oracles.inception(shape, 64, (96, 128), (16, 32), 32, conv=oracles.separable)` says its shape and counts
from `shape = (height, width, channels)`; a height or width of None is unknown and stays so. Where the piece has to
refuse, the oracle raises ValueError. Nothing here imports Keras or the pieces themselves.

Example:
    >>> inception((28, 28, 192), 64, (96, 128), (16, 32), 32)
    Expected(shape=(28, 28, 256), parameters=163696, multiply_adds=128049152)
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graphs.window_sizes import Side, conv_out, extent, least_input, pair, pool_out, transposed_out, windows
from .block_oracles import (
    basic_residual,
    bilinear_up,
    bottleneck,
    channel_projection_shortcut,
    decoder_block,
    dense_block,
    dense_layer,
    depthwise_separable,
    fuse_scores,
    identity_shortcut,
    inception,
    inception_asymmetric,
    inception_expanded,
    inception_reduction,
    inception_stacked,
    inverted_residual,
    match_size,
    pad_shortcut,
    projection_shortcut,
    residual,
    squeeze_excite,
    subsample,
    transition,
    vgg_block,
    xception_module,
)
from .layer_oracles import (
    Expected,
    Oracle,
    Padding,
    Shape,
    Size,
    add,
    batch_norm,
    concat,
    dense,
    flatten,
    global_pool,
    transposed,
    upsample,
)
from .unit_oracles import conv, conv_bn, depthwise, dilated, pool, preact_conv, separable, separable_bn, sparse

__all__ = [
    "Expected",
    "Oracle",
    "Padding",
    "Shape",
    "Side",
    "Size",
    "add",
    "aux_classifier",
    "basic_residual",
    "batch_norm",
    "bilinear_up",
    "bottleneck",
    "channel_projection_shortcut",
    "classifier",
    "concat",
    "conv",
    "conv_bn",
    "conv_out",
    "decoder_block",
    "dense",
    "dense_block",
    "dense_layer",
    "depthwise",
    "depthwise_separable",
    "dilated",
    "extent",
    "flatten",
    "fuse_scores",
    "global_pool",
    "identity_shortcut",
    "inception",
    "inception_asymmetric",
    "inception_expanded",
    "inception_reduction",
    "inception_stacked",
    "inverted_residual",
    "least_input",
    "match_size",
    "pad_shortcut",
    "pair",
    "pool",
    "pool_out",
    "preact_conv",
    "projection_shortcut",
    "residual",
    "separable",
    "separable_bn",
    "sparse",
    "squeeze_excite",
    "subsample",
    "transition",
    "transposed",
    "transposed_out",
    "upsample",
    "vgg_block",
    "windows",
    "xception_module",
]


def classifier(shape: Shape, classes: int, *, pooling: str | None = "avg", units: Sequence[int] = ()) -> Expected:
    """Pool or flatten, and dense layers.

    Example:
        >>> classifier((7, 7, 512), 1000, pooling="flatten", units=(4096, 4096)).parameters
        123642856
    """
    y = Expected(shape)
    if pooling is not None:
        y = y.then(flatten if pooling == "flatten" else global_pool)
    for width in (*units, classes):
        y = y.then(dense, width)
    return y


def aux_classifier(
    shape: Shape,
    classes: int,
    *,
    filters: int = 128,
    units: int = 1024,
    padding: Padding = "valid",
    output_size: Size | None = None,
    conv: Oracle = conv,
) -> Expected:
    """GoogLeNet's auxiliary classifier.

    Example:
        >>> aux_classifier((14, 14, 512), 1000)
        Expected(shape=(1000,), parameters=3188840, multiply_adds=4169728)
    """
    if output_size is not None:
        pooled = Expected((*pair(output_size), shape[2]))
    else:
        pooled = pool(shape, 5, strides=3, padding=padding)
    return pooled.then(conv, filters, 1, strides=1).then(classifier, classes, pooling="flatten", units=(units,))
