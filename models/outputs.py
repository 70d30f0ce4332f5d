"""The outputs of a model by role: `main`, `aux1`, `aux2`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

AUX_LOSS_WEIGHT = 0.3

# Of networks whose authors have another one.
AUX_LOSS_WEIGHTS = {"inception_v3": 0.4}


def aux_loss_weight(model: keras.Model) -> float:
    """Find what each auxiliary head of a model counts in training: 0.3, or what its network says."""
    told = getattr(model, "loss_weights", None)
    if isinstance(told, Mapping) and isinstance(model.output, Mapping) and told.keys() == model.output.keys():
        return next((weight for key, weight in told.items() if key.startswith("aux")), AUX_LOSS_WEIGHT)
    return AUX_LOSS_WEIGHTS.get(getattr(getattr(model, "origin", None), "network", ""), AUX_LOSS_WEIGHT)


def main_output(model: keras.Model) -> Any:
    """Find the output called `main` of a dict, else the first."""
    outputs = model.output
    return outputs["main"] if isinstance(outputs, Mapping) and "main" in outputs else model.outputs[0]


def output_weights(outputs: Mapping[str, Any], aux_weight: float = AUX_LOSS_WEIGHT) -> dict[str, float]:
    """Give the loss weight of each output, the main one first: Keras itself hands the keys back sorted."""
    keys = sorted(outputs, key=lambda key: (key.startswith("aux"), key))
    return {key: aux_weight if key.startswith("aux") else 1.0 for key in keys}
