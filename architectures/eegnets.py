"""EEGNet (Lawhern et al. 2018, A Compact Convolutional Neural Network for EEG-based Brain-Computer Interfaces)."""

from __future__ import annotations

from functools import partial

from keras.constraints import MaxNorm

from .. import checks
from ..blocks import avg_pool, batch_norm, conv_bn
from ..blocks import dense as _dense
from ..blocks import depthwise as _depthwise
from ..blocks import dropout as _dropout
from ..blocks import separable as _separable
from ..blocks.tensors import sides
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published

# Table 2 of the paper: activations, and the largest norms of the kernels that see all electrodes, and of a class.
eegnet_conv = partial(conv_bn, activation="elu")
eegnet_depthwise = partial(_depthwise, norm=batch_norm, activation="elu", kernel_constraint=MaxNorm(1.0))
eegnet_separable = partial(_separable, norm=batch_norm, activation="elu")
eegnet_dense = partial(_dense, kernel_constraint=MaxNorm(0.25))


@architecture(input_shape=(64, 128, 1), classes=2)
def eegnet(
    x: Tensor,
    head: Head,
    *,
    filters: int = 8,
    depth_multiplier: int = 2,
    kernel_size: int = 64,
    dropout: float = 0.5,
    conv: Unit = eegnet_conv,
    depthwise: Unit = eegnet_depthwise,
    separable: Unit = eegnet_separable,
    dense: Dense = eegnet_dense,
) -> Tensor:
    """EEGNet: filters along the time, over the electrodes, and along the time again (Lawhern et al. 2018, table 2).

    Shapes: `batch electrodes samples channels` -> `batch classes`, for a known number of electrodes and at least 32
    samples; without a top `batch 1 samples//32 filters·depth_multiplier`. The electrodes may be in a plane, and of a
    signal without electrodes the channels are.

    Args:
        filters: along the time.
        depth_multiplier: filters over the electrodes for each of those.
        kernel_size: samples that the first filters see, half a second in the paper.
        dropout: rate after each of the two pools: 0.5 within a subject, 0.25 across subjects.
        conv: unit of the first convolution; its activation is that of the other two.
        depthwise: unit of the convolution over the electrodes.
        separable: unit of the last convolution.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`.
    """
    *electrodes, samples = sides(x)
    if None in electrodes:
        raise checks.refuse("input_shape", (*electrodes, samples), "of a known number of electrodes, the first side")
    filters, alone = checks.integer("filters", filters), (1,) * len(electrodes)
    width = filters * checks.integer("depth_multiplier", depth_multiplier)
    length, rate = checks.integer("kernel_size", kernel_size), checks.fraction("dropout", dropout)
    x = conv(x, filters, (*alone, length), strides=1, activation=None, name="temporal")
    x = depthwise(x, width, (*electrodes, 1), strides=1, padding="valid", name="spatial")
    x = avg_pool(x, (*alone, 4), padding="valid", name="pool1")
    x = separable(_dropout(x, rate, name="dropout1"), width, (*alone, 16), strides=1, name="separable")
    x = _dropout(avg_pool(x, (*alone, 8), padding="valid", name="pool2"), rate, name="dropout2")
    return head(x, pooling="flatten", dense=dense)


eegnet_8_2 = published(eegnet, "eegnet_8_2")
eegnet_4_2 = published(eegnet, "eegnet_4_2", filters=4)
