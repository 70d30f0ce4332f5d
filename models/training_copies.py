"""Copies of a model that compute the same and train in less time, by what is changed in them."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from typing import Any

import keras

from .. import _keras, checks
from ..blocks.layers import FusedBatchNormalization, gains_by_kernel
from .cloning import Parts, copied, nested, remade
from .inference import linear_norms
from .rewiring import leaves

FUSED_NORM, NO_IDLE_BIAS = "fused_norm", "no_idle_bias"


def training_dtype(dtype: str | None) -> str | None:
    """The dtype, if it is one that is trained in."""
    return None if dtype is None else str(checks.choice("dtype", dtype, ("mixed_bfloat16",)))


def changes_of(network: keras.Model, dtype: str | None) -> tuple[str, ...]:
    """The words of what `made` can change of a model so that it computes otherwise."""
    parts = nested(network)
    layers, head = list(leaves(network)), _head(parts)
    words = {FUSED_NORM: any(map(_gains_a_kernel, layers)), NO_IDLE_BIAS: bool(_biased(parts))}
    if dtype is not None:
        words[dtype] = any(_is_cast(layer, head) for layer in layers)
    return tuple(word for word, found in words.items() if found)


def made(network: keras.Model, changes: Collection[str]) -> keras.Model:
    """Copy a model with these changes: `FUSED_NORM`, `NO_IDLE_BIAS`, a dtype."""
    parts = nested(network)
    biased = _biased(parts) if NO_IDLE_BIAS in changes else {}
    idle = set(map(id, biased.values()))
    dtype = next((word for word in changes if word not in (FUSED_NORM, NO_IDLE_BIAS)), None)
    head = _head(parts)

    def remake(layer: keras.Layer, last: bool) -> keras.Layer:
        options = {"dtype": dtype} if dtype is not None and _is_cast(layer, head) else {}
        if FUSED_NORM in changes and _is_plain_norm(layer):
            return remade(layer, FusedBatchNormalization, **options)
        return remade(layer, **options, **({"use_bias": False} if id(layer) in idle else {}))

    def values(layer: keras.Layer) -> Sequence[Any]:
        if id(layer) in idle:
            return [weight for weight in layer.weights if weight is not layer.bias]
        if id(layer) in biased:
            bias = biased[id(layer)].bias
            return [weight - bias if weight is layer.moving_mean else weight for weight in layer.weights]
        return layer.weights

    return copied(network, parts, remake=remake, values=values)


def _is_plain_norm(layer: Any) -> bool:
    return type(layer) is keras.layers.BatchNormalization


def _gains_a_kernel(layer: Any) -> bool:
    """Whether a `FusedBatchNormalization` in the place of a layer computes otherwise."""
    if not _is_plain_norm(layer) or not layer.trainable or keras.backend.backend() != "tensorflow":
        return False
    return gains_by_kernel(_keras.first_call(layer).input_tensors[0].shape) and layer.axis in (-1, 3)


def _is_cast(layer: Any, head: Container[int]) -> bool:
    return id(layer) not in head and layer.dtype_policy.name == "float32"


def _biased(parts: Parts) -> dict[int, Any]:
    """By `id` of a norm the linear layer before it whose bias it subtracts again."""
    return {
        id(call.operation): linear
        for _, call, linear in linear_norms(parts)
        if not isinstance(linear, str) and _subtracts_bias(call, linear)
    }


def _head(parts: Parts) -> set[int]:
    """By `id` the layers from the outputs of a model back to the first with weights on each way, those among them."""
    found: set[int] = set()
    ends = [next(iter(parts))]
    for number in ends:  # which grows by the nested models that make an output
        _, wiring = parts[number]
        calls = [_keras.call_of(tensor) for tensor in wiring.model.outputs]
        for call in calls:
            operation = call.operation
            if id(operation) in parts:
                ends += [id(operation)] * (id(operation) not in ends)
            elif id(operation) not in found and not call.is_input:
                found.add(id(operation))
                if not getattr(operation, "weights", None):
                    calls += [_keras.call_of(tensor) for tensor in call.input_tensors]
    return found


def _subtracts_bias(call: Any, linear: Any) -> bool:
    """Whether training by its own mean a norm subtracts what the linear layer before it adds, whatever that is."""
    norm = call.operation
    straight = _keras.call_of(call.input_tensors[0]).operation is linear  # dropout between would drop the bias, too
    trains = norm.trainable and _keras.called_with(call, "training") is None and not norm.renorm
    free = linear.use_bias and linear.bias_regularizer is None and linear.activity_regularizer is None
    return straight and trains and free
