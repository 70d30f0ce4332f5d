"""What `compile` and `fit` need of a network with several outputs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from .. import _keras, checks
from ..checks import complaint, public, refuse
from ..models.outputs import aux_loss_weight, output_weights

# Losses by their Keras name, which depend on whether a head gives logits.
CROSS_ENTROPIES = {
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
}


@public
def loss_weights(model: keras.Model, aux_weight: float | None = None) -> dict[str, float] | None:
    """1 for every output, `aux_weight` for those called `aux…`; None for a model of a single output.

    Where it is not given, `aux_weight` is that of the network: 0.4 of Inception-v3, 0.3 of GoogLeNet and all others.

    Example:
        >>> from layerblocks.architectures import googlenet
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = googlenet()
        >>> loss_weights(model)
        {'main': 1.0, 'aux1': 0.3, 'aux2': 0.3}
    """
    output = _output(model)
    aux_weight = aux_loss_weight(model) if aux_weight is None else checks.number("aux_weight", aux_weight, at_least=0)
    return output_weights(output, aux_weight) if isinstance(output, Mapping) else None


def _output(model: Any) -> Any:
    """The symbolic output of a model, in its structure."""
    model = checks.instance("model", model, keras.Model, "a Keras model")
    try:
        return model.output
    except (AttributeError, ValueError):  # of a subclassed one, of a sequential one that was not built
        raise refuse("model", model, "one of the functional API, or called before") from None


def _gives_logits(output: Any) -> bool:
    """Whether the layer that makes `output` ends without an activation."""
    operation = _keras.call_of(output).operation
    if isinstance(operation, keras.Model) and isinstance(operation.output, keras.KerasTensor):
        return _gives_logits(operation.output)
    return getattr(operation, "activation", None) is keras.activations.linear


def _loss(loss: Any, output: Any) -> Any:
    if isinstance(loss, str) and loss in CROSS_ENTROPIES:
        return CROSS_ENTROPIES[loss](from_logits=_gives_logits(output))
    return loss


def quickest_jit() -> bool | str:
    """`jit_compile` for this machine: off where TensorFlow runs on a CPU, Keras's own choice elsewhere.

    On the CPU XLA makes a training step of GoogLeNet and ResNet-50 slower; `benchmarks/training_step.py` measures it.
    Keras itself leaves it off where TensorFlow sees no other device. JAX has nothing but XLA to compile with.
    """
    slow = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
    return False if slow else "auto"


@public
def compile_args(
    model: keras.Model,
    optimizer: Any = "adam",
    *,
    loss: Any = "sparse_categorical_crossentropy",
    metrics: Sequence[Any] = ("accuracy",),
    aux_weight: float | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Everything `model.compile` needs: `model.compile(**compile_args(model))`.

    Losses, loss weights and metrics are keyed by output, so that none lands on another one; cross-entropies know
    whether a head gives logits.

    Args:
        model: of one output, or of a dict of outputs (`main`, `aux1`, …).
        optimizer: a Keras name or optimizer.
        loss: a Keras name or function, for every output.
        metrics: Keras names, functions of nothing that make one metric an output, or functions of labels and
            predictions.
        aux_weight: of the loss of each auxiliary head; None for that of the network, 0.3 as in the paper of GoogLeNet
            unless its authors have another.
        options: further arguments of `compile`, `jit_compile` among them.

    Raises:
        ValueError: the model's outputs are a list, whose losses Keras would match by position.

    Example:
        >>> from layerblocks.architectures import googlenet
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = googlenet()
        >>> compile_args(model)["loss_weights"]
        {'main': 1.0, 'aux1': 0.3, 'aux2': 0.3}
    """
    common = {"optimizer": _optimizer(optimizer), "jit_compile": quickest_jit(), **options}
    weights = loss_weights(model, aux_weight)
    _known_loss(loss)
    if not isinstance(metrics, list | tuple):
        raise refuse("metrics", metrics, "a list", TypeError)
    for number, metric in enumerate(metrics):
        _check_metric(number, metric)
    if weights is not None and any(isinstance(metric, keras.Metric) for metric in metrics):
        raise refuse("metrics", metrics, "names or functions, as every output has its own", TypeError)
    if weights is None:
        if isinstance(model.output, list | tuple):
            raise complaint("model must be one of one output or a dict of them, got one of a list")
        return {"loss": _loss(loss, model.output), "metrics": _metrics(metrics), **common}
    return {
        "loss": {key: _loss(loss, model.output[key]) for key in weights},
        "loss_weights": weights,
        "metrics": {key: _metrics(metrics) for key in weights},
        **common,
    }


def _optimizer(value: Any) -> Any:
    """The value, if `compile` accepts it. None is made here, which would allocate variables under `weightless`."""
    named = isinstance(value, str) and value.lower() in {name.lower() for name in dir(keras.optimizers)}
    if named or isinstance(value, keras.optimizers.Optimizer) or (isinstance(value, Mapping) and "class_name" in value):
        return value
    raise refuse(
        "optimizer", value, "a Keras name, config or optimizer", ValueError if isinstance(value, str) else TypeError
    )


def _known_loss(value: Any) -> None:
    """Refuse what Keras makes no loss of."""
    try:
        if value is not None and callable(keras.losses.get(value)):
            return
    except (KeyError, TypeError, ValueError):  # no such name; a config that is none
        pass
    raise refuse("loss", value, "a Keras name, config or function", TypeError if value is None else ValueError)


def _check_metric(number: int, metric: Any) -> None:
    must_be = "a Keras name, a metric, a function of nothing that makes one, or one of labels and predictions"
    if not isinstance(metric, str | keras.Metric) and (not callable(metric) or _needs(metric) not in (0, 2)):
        raise refuse(f"metrics[{number}]", metric, must_be, TypeError)


def _needs(function: Any) -> int:
    """How many arguments a function has to be given."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 0
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.default is p.empty and p.kind in positional for p in parameters)


def _metrics(metrics: Sequence[Any]) -> list[Any]:
    made = (str, keras.Metric)
    return [metric if isinstance(metric, made) or _needs(metric) else metric() for metric in metrics]


@public
def label_every_output(data: Any, model: keras.Model) -> Any:
    """Give every output of `model` the label that `data` has once.

    Args:
        data: a `tf.data.Dataset` of `(x, y)` or `(x, y, sample_weight)`, or such a tuple of arrays.
        model: of one output (then nothing changes) or of a dict of them.

    Returns:
        The same kind of data with `y` (and `sample_weight`) as a dict keyed by output.

    Raises:
        TypeError: `data` is neither.

    Example:
        >>> import numpy as np
        >>> from layerblocks.architectures import googlenet
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = googlenet()
        >>> x, y = label_every_output((np.zeros((2, 224, 224, 3)), np.array([3, 5])), model)
        >>> sorted(y)
        ['aux1', 'aux2', 'main']
    """
    output = _output(model)
    if not hasattr(data, "map") and not (isinstance(data, tuple) and len(data) in (2, 3)):
        must_be = "a tf.data.Dataset or a tuple (x, y) or (x, y, sample_weight)"
        raise refuse("data", data, must_be, TypeError)
    if not isinstance(output, Mapping):
        return data
    keys = list(output)

    def spread(x: Any, *labels: Any) -> tuple[Any, ...]:
        return (x, *(dict.fromkeys(keys, label) for label in labels))

    if hasattr(data, "map"):
        return data.map(spread)
    return spread(*data)
