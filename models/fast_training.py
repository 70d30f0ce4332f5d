"""Models that train faster: batch normalization in one kernel, no bias that it subtracts again, bfloat16."""

from __future__ import annotations

from typing import Any

import keras

from .. import checks
from ..checks import public
from ..graphs.calls import wired
from .training_copies import FUSED_NORM, NO_IDLE_BIAS, made, training_dtype
from .tuning import candidates_of, tuning


@public
def training_model(
    model: keras.Model, *, dtype: str | None = None, batch: Any = None, tune: bool = False
) -> keras.Model:
    """Copy a model, of Keras's own layers or of ours, into one that does the same and trains in less time.

    Every `BatchNormalization` becomes a `FusedBatchNormalization`, and the biases of linear layers right before one go:
    it subtracts them with the mean, so that their gradient is zero. Layers keep their names, the model has weights of
    its own and is not compiled. `inference_model` works on it like on any other. What has nothing of that is copied as
    it is.

    Args:
        dtype: `"mixed_bfloat16"` to compute in bfloat16, with weights in float32; what makes the outputs, up to the
            last layers with weights, stays in float32, and so do layers that were not in float32 before. Quicker only
            on processors that have it.
        batch: as many random examples as a step has, or a batch of your own, to measure with: see `tuning`.
        tune: measure on this machine which of these changes make a step quicker, the dtype among them, and make those
            alone, or none; `tuning(model, batch=batch, dtype=dtype)` says what was found.

    Raises:
        TypeError: it is no Keras model.
        ValueError: a layer cannot be copied, Keras does not know the graph, or there is no such dtype.

    Example:
        >>> import keras
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = keras.applications.ResNet50(weights=None)
        ...     quick = training_model(model)
        >>> model.count_params() - quick.count_params()  # the biases of 53 convolutions
        26560
    """
    network = wired(checks.instance("model", model, keras.Model, "a Keras model"))
    dtype = training_dtype(dtype)
    if not checks.flag("tune", tune):
        if batch is not None:
            raise checks.refuse("batch", batch, "None where tune is False, as nothing is measured")
        return made(network, (FUSED_NORM, NO_IDLE_BIAS, *([dtype] if dtype else [])))
    if batch is None:
        raise checks.refuse("batch", batch, "a positive number of examples, or a batch, where tune is True")
    chosen = tuning(model, batch=batch, dtype=dtype).chosen
    return made(network, candidates_of(network, dtype).get(chosen, ()))
