"""The outputs of a model by role: `main`, `aux1`, `aux2`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from .. import checks

AUX_LOSS_WEIGHT = 0.3

# Of networks whose authors have another one.
AUX_LOSS_WEIGHTS = {
    **dict.fromkeys(("inception_v3", "inception_v4", "inception_resnet_v2"), 0.4),
    **dict.fromkeys(("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"), 0.5),
    **dict.fromkeys(("dilated_segmentation", "deeplabv3_mobilenet_v3_large"), 0.5),
    **dict.fromkeys(("pspnet_resnet50", "pspnet_resnet101"), 0.5),
    "unet_plus_plus": 1.0,
}


def main_output(model: keras.Model) -> Any:
    """Find the output called `main` of a dict, else the first."""
    outputs = model.output
    return outputs["main"] if isinstance(outputs, Mapping) and "main" in outputs else model.outputs[0]


def output_weights(outputs: Mapping[str, Any], aux_weight: float = AUX_LOSS_WEIGHT) -> dict[str, float]:
    """Give the loss weight of each output, the main one first: Keras itself hands the keys back sorted."""
    keys = sorted(outputs, key=lambda key: (key.startswith("aux"), key))
    return {key: aux_weight if key.startswith("aux") else 1.0 for key in keys}


def refuse_one_label(model: keras.Model, y: Any) -> None:
    """Say what to write where `fit` is given one label for several outputs; Keras ends in a KeyError about paths."""
    outputs = model.output
    if not isinstance(outputs, Mapping) or len(outputs) < 2 or y is None or isinstance(y, Mapping):
        return
    said = (
        f"y must be a dict of labels by output ({', '.join(outputs)}): model.compile(**compile_args(model, loss=…)), "
        f"then model.fit(*label_every_output((x, y), model)), both of layerblocks.training"
    )
    raise ValueError(checks.plain(f"{model.name}: {said}"))


def with_said_labels(model: keras.Model) -> keras.Model:
    """Let a model of a class of Keras's say what to write where one label is given for several outputs.

    `compute_loss` and `compute_metrics` are its public hooks, here of the instance.
    """
    outputs = model.output
    if not isinstance(outputs, Mapping) or len(outputs) < 2 or hasattr(model, "origin"):
        return model

    def compute_loss(
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        refuse_one_label(model, y)
        return type(model).compute_loss(model, x, y, y_pred, sample_weight, training)

    def compute_metrics(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        refuse_one_label(model, y)
        return type(model).compute_metrics(model, x, y, y_pred, sample_weight)

    model.compute_loss, model.compute_metrics = compute_loss, compute_metrics
    return model


def keep_outputs(made: keras.Model, old: Any) -> None:
    """Let a model made of another one weigh its outputs as that does, and say the same of labels."""
    weights, outputs = getattr(old, "loss_weights", None), made.output
    if isinstance(weights, Mapping) and isinstance(outputs, Mapping):
        made.loss_weights = {key: weight for key, weight in weights.items() if key in outputs}
    if "compute_loss" in vars(old):
        with_said_labels(made)
