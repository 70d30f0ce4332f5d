"""What of a network is trained and what stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from .. import checks
from ..checks import public
from ..graphs.calls import calls
from .rewiring import Chain, Wiring, leaves


@public
def freeze(model: keras.Model, up_to: str | Sequence[str] | None = None, *, norms: bool = True) -> keras.Model:
    """Keep a network as it is up to a block, and train the rest.

    Batch normalization then works by the statistics that it has, also while the model is trained: a layer of Keras
    that is not trainable does so. Call it again for the next phase, and `compile` after it, as Keras asks.

    Args:
        model: functional or sequential; its layers' `trainable` is set.
        up_to: a block or layer by its dotted name, one in a nested model by `base.stage3`, or several of them; with
            each everything that it is computed from. None for all but the last layers with weights, one an output: the
            way to train a new head.
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
    wiring, norms = Wiring(model), checks.flag("norms", norms)
    if up_to is None:
        frozen = {id(call.operation) for call in set(wiring.calls) - _last(wiring)}
    else:
        names = [up_to] if isinstance(up_to, str) or not checks.is_sequence(up_to) else list(up_to)
        if not names:
            raise checks.refuse("up_to", up_to, "the name of a layer or block, or several, or None")
        frozen = _needed(wiring, [wiring.find("up_to", name) for name in names])
    model.trainable = True
    _freeze(wiring, frozen, norms)
    return model


def _needed(wiring: Wiring, places: Sequence[tuple[Chain, Sequence[object]]]) -> set[int]:
    """The `id`s of the layers that blocks are made of and computed from, those inside of nested models too."""
    found: set[int] = set()
    for chain, block in places:
        inner = wiring.inner(chain)
        kept = calls(inner.leaving(block) or block[-1].outputs)  # type: ignore[attr-defined]
        found |= {id(call.operation) for call in kept}
        for depth in range(len(chain)):
            before = calls(chain[depth].input_tensors)
            found |= {id(call.operation) for call in before}
    return found


def _freeze(wiring: Wiring, frozen: set[int], norms: bool) -> None:
    for call in wiring.calls:
        layer = call.operation
        if not isinstance(layer, keras.Layer):
            continue
        _set(layer, id(layer) not in frozen, norms)
        if isinstance(layer, keras.Model) and id(layer) not in frozen and frozen & _inside(layer):
            _freeze(wiring.within(call), frozen, norms)


def _inside(model: keras.Model) -> set[int]:
    """The `id`s of all layers of a model and of those nested in it."""
    found = {id(layer) for layer in model.layers}
    return found.union(*(_inside(layer) for layer in model.layers if isinstance(layer, keras.Model)))


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
        for part in leaves(layer):
            if isinstance(part, keras.layers.BatchNormalization):
                part.trainable = False
