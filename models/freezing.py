"""What of a network is trained and what stays as it is."""

from __future__ import annotations

import keras

from .. import _keras
from ..checks import public
from ..graphs.calls import calls
from .rewiring import Wiring


@public
def freeze(model: keras.Model, up_to: str | None = None, *, norms: bool = True) -> keras.Model:
    """Keep a network as it is up to a block, and train the rest.

    Batch normalization then works by the statistics that it has, also while the model is trained: a layer of Keras
    that is not trainable does so. Call it again for the next phase, and `compile` after it, as Keras asks.

    Args:
        model: functional or sequential; its layers' `trainable` is set.
        up_to: a block or layer by its dotted name; with it everything that it is computed from. None for all but the
            last layers with weights, one an output: the way to train a new head.
        norms: keep every batch normalization of the rest so, too. Its statistics suit the pretrained weights, and those
            of a few small batches would not.

    Returns:
        The same model.

    Raises:
        ValueError: there is no such block.
        TypeError: `model` has no graph.

    Example:
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = freeze(resnet18(classes=10), up_to="stage3")
        >>> sum(w.path.startswith("stage4") for w in model.trainable_weights), len(model.trainable_weights)
        (5, 7)
    """
    wiring = Wiring(model)
    if up_to is None:
        kept = set(wiring.calls) - _last(wiring)
    else:
        block = wiring.block("up_to", up_to)
        kept = set(calls(wiring.leaving(block) or block[-1].outputs))
    model.trainable = True
    frozen = {id(call.operation) for call in kept}
    for call in wiring.calls:
        if isinstance(call.operation, keras.Layer):
            _set(call.operation, id(call.operation) not in frozen, norms)
    return model


def _last(wiring: Wiring) -> set[object]:
    """The calls that train when only heads do: the last with weights on the way to an output, and what is after."""
    found: set[object] = set()
    for tensor in wiring.model.outputs:
        for call in reversed(calls([tensor])):
            found.add(call)
            if getattr(call.operation, "weights", None):
                break
    return found


def _set(layer: keras.Layer, trainable: bool, norms: bool) -> None:
    layer.trainable = trainable
    if trainable and norms:
        for part in _parts(layer):
            if isinstance(part, keras.layers.BatchNormalization):
                part.trainable = False


def _parts(layer: keras.Layer) -> list[keras.Layer]:
    """The layer and all that are inside of it."""
    return [layer, *_keras.sublayers(layer)]
