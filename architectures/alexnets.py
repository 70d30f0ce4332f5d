"""AlexNet (Krizhevsky et al. 2012) and ZFNet (Zeiler and Fergus 2014), its refinement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from .. import checks
from ..blocks import batch_norm, chain, default_of, local_response_norm, max_pool
from ..blocks import conv as _conv
from ..blocks import dense as _dense
from ..blocks.types import Dense, Size, Tensor, Unit
from .constructor import Head, architecture, published
from .initial_values import torch_conv, torch_dense

Layers = Mapping[str, Mapping[str, Any] | Callable[..., Tensor]]

halving_pool = partial(max_pool, padding="valid")
overlapping_pool = partial(halving_pool, pool_size=3, strides=2)
# With the last window partly outside where it does not fit, as figure 3 of ZFNet has it: 110 -> 55, 26 -> 13.
covering_pool = partial(max_pool, pool_size=3, strides=2, padding="same")

# Section 3.5 and figure 2 of the paper; section 5 for the biases that start at 1.
ALEXNET: dict[str, Any] = {
    "conv1": {"filters": 96, "kernel_size": 11, "strides": 4, "padding": "valid"},
    "norm1": local_response_norm,
    "pool1": overlapping_pool,
    "conv2": {"filters": 256, "kernel_size": 5, "groups": 2, "bias_initializer": "ones"},
    "norm2": local_response_norm,
    "pool2": overlapping_pool,
    "conv3": {"filters": 384},
    "conv4": {"filters": 384, "groups": 2, "bias_initializer": "ones"},
    "conv5": {"filters": 256, "groups": 2, "bias_initializer": "ones"},
    "pool5": overlapping_pool,
}
# "One weird trick for parallelizing convolutional neural networks" (Krizhevsky 2014), as torchvision has it.
ONE_WEIRD_TRICK: dict[str, Any] = {
    "conv1": {"filters": 64, "kernel_size": 11, "strides": 4, "padding": 2},
    "pool1": overlapping_pool,
    "conv2": {"filters": 192, "kernel_size": 5},
    "pool2": overlapping_pool,
    "conv3": {"filters": 384},
    "conv4": {"filters": 256},
    "conv5": {"filters": 256},
    "pool5": overlapping_pool,
}
# With biases that start at zero, as everywhere in Keras.
PLAIN_ALEXNET: dict[str, Any] = {
    name: {word: value for word, value in step.items() if word != "bias_initializer"}
    if isinstance(step, Mapping)
    else step
    for name, step in ALEXNET.items()
}
_NORMED: dict[str, Any] = {"norm": batch_norm, "use_bias": True}
HALF_SIZE: dict[str, Any] = {
    "conv1": {"filters": 96, "kernel_size": 11, "strides": 2, "padding": "valid", **_NORMED},
    "pool1": halving_pool,
    "conv2": {"filters": 256, "kernel_size": 5, "padding": "valid", **_NORMED},
    "pool2": halving_pool,
    "conv3": {"filters": 384, "activation": None},
    "conv4": {"filters": 384, "activation": None},
    "conv5": {"filters": 256, **_NORMED},
    "pool5": halving_pool,
}
# Figure 3 of ZFNet: maps are normalized after the pooling.
ZFNET: dict[str, Any] = {
    "conv1": {"filters": 96, "kernel_size": 7, "strides": 2, "padding": 1},
    "pool1": covering_pool,
    "norm1": local_response_norm,
    "conv2": {"filters": 256, "kernel_size": 5, "strides": 2, "padding": "valid"},
    "pool2": covering_pool,
    "norm2": local_response_norm,
    "conv3": {"filters": 384},
    "conv4": {"filters": 384},
    "conv5": {"filters": 256},
    "pool5": overlapping_pool,
}

# Initialisers as configurations, from which every layer makes one of its own: one object would draw equal weights.
_GAUSSIAN = {"class_name": "RandomNormal", "config": {"stddev": 0.01}}
_gaussian_conv = partial(_conv, kernel_initializer=_GAUSSIAN)
_gaussian_dense = partial(_dense, kernel_initializer=_GAUSSIAN)
_biased_dense = partial(_gaussian_dense, bias_initializer="ones")

_PLAIN: dict[str, Any] = {"conv": _conv, "dense": _dense, "output": _dense}
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "torchvision": {
        "conv": torch_conv,
        "dense": torch_dense,
        "output": torch_dense,
        "layers": ONE_WEIRD_TRICK,
        "output_size": 6,
        "dropout": (0.5, 0.5, 0.0),
        "input_shape": (224, 224, 3),
        "classifier_activation": None,
    },
    "notes": {
        **_PLAIN,
        "layers": PLAIN_ALEXNET,
        "groups": 1,
        "lrn": False,
        "input_shape": (227, 227, 1),
        "classes": 10,
    },
    "notes_bn": {**_PLAIN, "layers": HALF_SIZE, "units": (2048, 2048), "input_shape": (112, 112, 3), "classes": 10},
}


@architecture(dialects=DIALECTS, input_shape=(227, 227, 3))
def alexnet(
    x: Tensor,
    head: Head,
    *,
    layers: Layers = ALEXNET,
    groups: int | None = None,
    lrn: bool = True,
    output_size: Size | None = None,
    units: tuple[int, ...] = (4096, 4096),
    dropout: float | Sequence[float] = 0.5,
    dense: Dense = _biased_dense,
    output: Dense = _gaussian_dense,
    conv: Unit = _gaussian_conv,
) -> Tensor:
    """AlexNet: five convolutions and three dense layers (Krizhevsky et al. 2012, section 3.5).

    Shapes: `batch height width channels` -> `batch classes`; the dense layers need a known input size, 227×227 in
    the paper's network, unless there is an `output_size`.

    Args:
        layers: by name, the arguments of a convolution or a function `(x, *, name)`.
        groups: of the convolutions that have several in `layers` (the second, fourth and fifth); None for as many as
            there, 1 for all on one device.
        lrn: the two local response normalizations.
        output_size: average the last feature map to this size; with 6, images of any size fit.
        units: of the hidden dense layers, which have the activation of `conv`.
        dropout: rate after each of them, or a list of the rates before each dense layer, the last one included.
        dense, output: units of the hidden and of the last dense layers, functions `(x, units, *, activation, name)`;
            where one is not given it has the initialisers, regularisers … of a `dense` or `conv` that is.
        conv: unit of every convolution.
        dialect: `"paper"`; `"torchvision"`: the "one weird trick" network, for any size, with dropout before the dense
            layers, which gives logits; `"notes"`: one group, no normalization and Keras's initialisers, for 227×227×1;
            `"notes_bn"`:
            BatchNorm and 2048 units, for 112×112×3.

    Raises:
        ValueError: an image too small (below 67×67 in the paper's network).

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     counts = [alexnet(**option).count_params() for option in ({}, {"groups": 1})]
        >>> counts
        [60965224, 62378344]
    """
    x = chain(x, _with_options(layers, groups, lrn), conv=conv)
    return head(
        x,
        pooling="flatten",
        output_size=output_size,
        units=units,
        dropout=dropout,
        hidden_activation=default_of(conv, "activation", "relu"),
        dense=dense,
        output=output,
    )


def _with_options(layers: Layers, groups: int | None, lrn: bool) -> Layers:
    """Set the groups of the layers that have some, and leave the normalizations out where they are not wanted."""
    if not checks.flag("lrn", lrn):
        if local_response_norm not in layers.values():
            raise checks.refuse("lrn", lrn, "True, as layers have no local response normalization")
        layers = {name: step for name, step in layers.items() if step is not local_response_norm}
    if groups is None:
        return layers
    groups = checks.integer("groups", groups)
    grouped = {name: step for name, step in layers.items() if isinstance(step, Mapping) and "groups" in step}
    if not grouped:
        raise checks.refuse("groups", groups, "None, as no layer has groups")
    # Without the word where it is 1: not every unit has it.
    changed = {"groups": groups} if groups > 1 else {}
    own = {name: {word: value for word, value in step.items() if word != "groups"} for name, step in grouped.items()}
    return {**layers, **{name: {**step, **changed} for name, step in own.items()}}


# AlexNet with a finer first layer.
zfnet = published(
    alexnet, "zfnet", dialects={"paper": {}}, layers=ZFNET, dense=_gaussian_dense, input_shape=(224, 224, 3)
)
