"""The outputs of a model by role: `main`, `aux1`, `aux2`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from .. import checks

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


def with_said_labels(model: keras.Model) -> keras.Model:
    """Let a model of a dict of outputs say what to write where `fit` is given one label for all of them.

    Keras ends there in a KeyError about paths, or in one about metrics. `compute_loss` and `compute_metrics` are its
    public hooks, here of the instance, so that the model stays of Keras's class and its file opens without this
    package; a model that is loaded from there has them no more.
    """
    outputs = model.output
    if not isinstance(outputs, Mapping) or len(outputs) < 2:
        return model
    keys = ", ".join(outputs)

    def check(y: Any) -> None:
        if y is not None and not isinstance(y, Mapping):
            said = (
                f"y must be a dict of labels by output ({keys}): model.compile(**compile_args(model, loss=…)), then "
                f"model.fit(*label_every_output((x, y), model)), both of layerblocks.training"
            )
            raise ValueError(checks.plain(f"{model.name}: {said}"))

    def compute_loss(
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        check(y)
        return type(model).compute_loss(model, x, y, y_pred, sample_weight, training)

    def compute_metrics(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        check(y)
        return type(model).compute_metrics(model, x, y, y_pred, sample_weight)

    model.compute_loss, model.compute_metrics = compute_loss, compute_metrics
    return model
