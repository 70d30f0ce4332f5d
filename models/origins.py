"""What a network remembers: the constructor that made it, the dialect and the arguments, and what was changed since."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

import keras

from .. import checks
from .computed import difference, digest
from .outputs import AUX_LOSS_WEIGHT, AUX_LOSS_WEIGHTS, keep_outputs, refuse_one_label

_ATTRIBUTE, _COMPUTED = "layerblocks_origin", "layerblocks_computed"
_living: WeakSet[Network] = WeakSet()
_numbers = itertools.count()


@dataclass(frozen=True)
class Origin:
    """How a network was built.

    Args:
        network: name of the constructor.
        dialect: None where the network has no dialects.
        arguments: those that the constructor was given, `input_shape` always among them.
        unsaved: arguments that no file holds, such as functions, where the network comes from a file.
        alone: whether the model is that network and nothing else.
        changes: the functions that made this model of that network, in their order, such as `with_new_head`.
    """

    network: str
    dialect: str | None
    arguments: Mapping[str, Any]
    unsaved: tuple[str, ...] = ()
    alone: bool = True
    changes: tuple[str, ...] = ()


@keras.saving.register_keras_serializable("layerblocks", "Network")
class Network(keras.Model):
    """A functional model that remembers its origin.

    Its file says `Functional` of Keras: a process without this package opens it as that, and leaves the origin unread,
    which stands beside the configuration of the first layer.
    """

    origin: Origin | None = None

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.origin is not None:
            config["layers"][0]["origin"] = _written(self.origin)
            weights = getattr(self, "loss_weights", None)
            if isinstance(weights, Mapping):
                config["layers"][0]["origin"]["loss_weights"] = dict(weights)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Network:
        told = config["layers"][0].get("origin") if config.get("layers") else None
        made = super().from_config(config, custom_objects=custom_objects)
        if isinstance(told, dict):
            remember(made, _read(told))
            weights = told.get("loss_weights")
            if isinstance(weights, dict) and isinstance(made.output, Mapping) and weights.keys() == made.output.keys():
                made.loss_weights = weights
        return made

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        refuse_one_label(self, y)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        refuse_one_label(self, y)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def save_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Save the weights, and the origin beside them where all are in one file, with a digest of what is computed."""
        super().save_weights(filepath, *args, **kwargs)
        if self.origin is not None and Path(filepath).is_file() and str(filepath).endswith(".h5"):
            import h5py  # not with the module, which every network imports

            with h5py.File(filepath, "a") as file:
                file.attrs[_ATTRIBUTE] = json.dumps(_written(self.origin))
                if (computed := digest(self)) is not None:
                    file.attrs[_COMPUTED] = computed

    def __reduce__(self) -> tuple[Any, ...]:
        unpickle, arguments = super().__reduce__()  # its class is looked up by its name, which is that of Keras's
        return _unpickled, (unpickle.__name__, arguments)


# As which a process that has only Keras finds it.
_PLAIN = type(keras.Model(x := keras.Input((1,)), x))
Network.__module__, Network.__name__, Network.__qualname__ = _PLAIN.__module__, "Functional", "Functional"


def _unpickled(how: str, arguments: tuple[Any, ...]) -> keras.Model:
    return getattr(Network, how)(*arguments)


def made_of(old: Any, inputs: Any, outputs: Any, name: str | None = None) -> keras.Model:
    """Make a model of parts of another; it remembers the origin of that, and the function that is at work."""
    known = getattr(old, "origin", None)
    name = old.name if name is None else name
    if not isinstance(known, Origin):
        made = keras.Model(inputs, outputs, name=name)
    else:
        made, change = Network(inputs, outputs, name=name), checks.where("changed").split()[0]
        changes = known.changes if known.changes[-1:] == (change,) else (*known.changes, change)
        remember(made, replace(known, changes=changes))
    keep_outputs(made, old)
    return made


def remember(model: Any, origin: Origin) -> None:
    """Let a network know its origin."""
    model.origin = origin
    model.number = next(_numbers)
    _living.add(model)


def living() -> list[Any]:
    """All networks that remember, the oldest first."""
    return sorted(_living, key=lambda network: network.number)


def known_origin(model: keras.Model) -> Origin | None:
    """What a model remembers, or one that remembers and computes the same."""
    known = getattr(model, "origin", None)
    if isinstance(known, Origin):
        return known
    names = [layer.name for layer in model.layers]
    for other in living():
        if [layer.name for layer in other.layers] == names and difference(model, other) is None:
            if isinstance(model, Network) and other.origin is not None:
                remember(model, other.origin)
            return other.origin
    return None


def aux_loss_weight(model: keras.Model) -> float:
    """Find what each auxiliary head of a model counts in training: 0.3, or what its network says."""
    told = getattr(model, "loss_weights", None)
    if isinstance(told, Mapping) and isinstance(model.output, Mapping) and told.keys() == model.output.keys():
        return next((weight for key, weight in told.items() if key.startswith("aux")), AUX_LOSS_WEIGHT)
    known = known_origin(model)
    return AUX_LOSS_WEIGHT if known is None else AUX_LOSS_WEIGHTS.get(known.network, AUX_LOSS_WEIGHT)


# -- in a file --------------------------------------------------------------------------------------------------------


def origin_of_file(file: Any) -> tuple[Origin | None, str | None]:
    """What `save_weights` wrote of the network, in an HDF5 file: its origin, and the digest of what it computes."""
    try:
        told = json.loads(file.attrs.get(_ATTRIBUTE, "null"))
    except (TypeError, ValueError):
        return None, None
    computed = file.attrs.get(_COMPUTED)
    return (_read(told), computed if isinstance(computed, str) else None) if isinstance(told, dict) else (None, None)


def _written(origin: Origin) -> dict[str, Any]:
    """The same as what JSON can hold."""
    kept = {word: value for word, value in origin.arguments.items() if _is_plain(value)}
    unsaved = sorted({*origin.unsaved, *(word for word in origin.arguments if word not in kept)})
    return {
        "network": origin.network,
        "dialect": origin.dialect,
        "arguments": kept,
        "unsaved": unsaved,
        "alone": origin.alone,
        **({"changes": list(origin.changes)} if origin.changes else {}),
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(word, str) and _is_plain(item) for word, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _read(told: Mapping[str, Any]) -> Origin:
    arguments = told.get("arguments")
    arguments = {str(word): _tuples(value) for word, value in arguments.items()} if isinstance(arguments, dict) else {}
    dialect = told.get("dialect")
    return Origin(
        str(told.get("network")),
        dialect if isinstance(dialect, str) else None,
        arguments,
        _words(told.get("unsaved")),
        bool(told.get("alone")),
        _words(told.get("changes")),
    )


def _words(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
