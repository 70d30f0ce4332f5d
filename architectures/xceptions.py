"""Xception (Chollet 2017, Xception: Deep Learning with Depthwise Separable Convolutions)."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..blocks import batch_norm, matching, max_pool, separable, xception_module
from ..blocks import conv as _conv
from ..blocks.types import Dense, Pool, Tensor, Unit
from .constructor import Head, architecture
from .initial_values import KAIMING_FAN_IN, KAIMING_FAN_OUT, torch_dense
from .resnets import symmetric_pool

# Figure 5 of the paper: the modules by name, with the filters of their convolutions and their stride.
MODULES: dict[str, tuple[tuple[int, ...], int]] = {
    "entry1": ((128, 128), 2),
    "entry2": ((256, 256), 2),
    "entry3": ((728, 728), 2),
    **{f"middle{number}": ((728, 728, 728), 1) for number in range(1, 9)},
    "exit": ((728, 1024), 2),
}

xception_conv = partial(separable, norm=batch_norm)

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "keras": {"dropout": 0.0},
    "timm": {
        # All channels count in torch's fan-out of a depthwise kernel, as in Keras's fan-in.
        "conv": partial(
            separable,
            norm=partial(batch_norm, momentum=0.9, epsilon=1e-5),
            kernel_initializer=KAIMING_FAN_OUT,
            depthwise_initializer=KAIMING_FAN_IN,
        ),
        "dense": torch_dense,
        "pool": symmetric_pool,
        "dropout": 0.0,
        "classifier_activation": None,
    },
}


@architecture(dialects=DIALECTS, input_shape=(299, 299, 3))
def xception(
    x: Tensor,
    head: Head,
    *,
    dropout: float = 0.5,
    pool: Pool = max_pool,
    conv: Unit = xception_conv,
    plain: Unit | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """Xception: modules of separable convolutions with shortcuts around them (Chollet 2017, figure 5).

    Shapes: `batch height width channels` -> `batch classes`, for any input size, None included.

    Args:
        dropout: rate before the classifier.
        pool: of the modules, a function `(x, pool_size, *, strides, name)`.
        conv: unit of every separable convolution.
        plain: unit of the two convolutions of the stem and of the shortcuts; None for `conv` with padding, norm,
            activation and options of the one here.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"keras"`, which has no dropout; `"timm"`: as many zeros on every side of the pools, logits.
    """
    plain = matching(_conv, conv) if plain is None else plain
    x = plain(x, 32, 3, strides=2, padding="valid", name="conv1")
    x = plain(x, 64, 3, strides=1, padding="valid", name="conv2")
    activated = True
    for name, (filters, strides) in MODULES.items():
        units = {"pool": pool, "conv": conv, "plain": plain}
        x = xception_module(x, filters, strides=strides, activate_first=not activated, **units, name=name)
        activated = False
    x = conv(x, 1536, 3, strides=1, name="conv3")
    x = conv(x, 2048, 3, strides=1, name="conv4")
    return head(x, dropout=dropout, dense=dense)
