"""What Keras has of the training of a paper."""

from __future__ import annotations

from typing import Any

import keras

from ..checks import refuse

_RECIPE = "what layerblocks.architectures.recipe gives"


def settings_of(recipe: Any, optimizer: Any, loss: Any, aux_weight: float | None) -> tuple[Any, Any, float | None]:
    """Give optimizer, loss and weight of auxiliary heads; of the recipe where they are not given.

    Raises:
        TypeError: it is no recipe.
        ValueError: Keras has no such optimizer, the recipe has no learning rate, or it smooths the labels of a loss
            that cannot.
    """
    if not all(hasattr(recipe, word) for word in ("optimizer", "options", "label_smoothing", "aux_weight")):
        raise refuse("recipe", recipe, _RECIPE, TypeError)
    made = optimizer_of(recipe) if optimizer is None else optimizer
    return made, _smoothed(loss, recipe), recipe.aux_weight if aux_weight is None else aux_weight


def optimizer_of(recipe: Any) -> keras.optimizers.Optimizer:
    """Make the optimizer, with the schedule of its learning rate where that counts iterations."""
    kind = getattr(keras.optimizers, recipe.optimizer, None)
    if kind is None or recipe.learning_rate is None:
        lacks = f"the optimizer {recipe.optimizer!r} of Keras" if kind is None else "a learning rate"
        raise refuse("optimizer", None, f"given, as the recipe ({recipe.source}) lacks {lacks}")
    rate, plan = recipe.learning_rate, recipe.schedule
    if plan is not None and plan.unit == "iterations":
        rates = [rate * plan.factor**number for number in range(len(plan.at) + 1)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay([int(step) for step in plan.at], rates)
    return kind(learning_rate=rate, **recipe.options)


def _smoothed(loss: Any, recipe: Any) -> Any:
    """The loss with the label smoothing of the recipe, for which labels have to be one-hot."""
    if not recipe.label_smoothing:
        return loss
    if loss == "categorical_crossentropy":
        return keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
    own = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    if not own.get("label_smoothing"):
        must_be = (
            f"'categorical_crossentropy' of one-hot labels, or a loss object with label_smoothing, as the recipe "
            f"smooths by {recipe.label_smoothing}"
        )
        raise refuse("loss", loss, must_be)
    return loss
