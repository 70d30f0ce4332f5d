"""Saved models read without their weights: what a `.keras`, `.h5` or JSON file says of a model's structure.

Nothing of a file is executed and no weight is given a value. Where the classes of all layers are there, the model is
made of them. Where some are not (custom layers, a Lambda, names of Keras 2), its calls are those of the configuration,
and what of them cannot be computed has no shape.
"""

from __future__ import annotations

import copy
import inspect
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from .. import _keras, checks
from .calls import calls, has_graph

LARGEST = 2**26
"""Bytes of a configuration; that of ResNet-152 has some 2**19."""

_HDF5 = b"\x89HDF\r\n\x1a\n"


def structure_of(
    path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None, argument: str = "model"
) -> tuple[keras.Model, bool]:
    """The model that a file holds, without weights, and whether it was made of the classes of all its layers.

    Args:
        path: a `.keras`, `.h5` or JSON file (`model.to_json()`).
        custom_objects: classes and functions by the names that they are saved under.
        argument: what a message calls the file.

    Raises:
        ValueError: it is no such file, or broken.
    """
    known = {} if custom_objects is None else dict(checks.mapping("custom_objects", custom_objects, "a dict or None"))
    try:
        config = _configuration(Path(path))
    except Exception as error:  # a broken file raises whatever its reader likes
        raise _refused(argument, path, error) from error
    with (
        _keras.variables_without_values(),
        _keras.deep_graphs(),
        _keras.tensorflow_once_imported(),
        keras.saving.custom_object_scope(known),
    ):
        try:
            return _as_saved(config), True
        except Exception:  # a class that is not there, a Lambda, another version of Keras
            pass
        try:
            model = _Reading().model(config)
            return model, not _is_doubted(model)
        except Exception as error:
            raise _refused(argument, path, error) from error


def _is_doubted(model: Any) -> bool:
    """Whether of any layer the class is missing, or what it gives was not computed."""
    operations = [call.operation for call in calls(model.outputs)]
    return any(getattr(one, DOUBTED, False) or (has_graph(one) and _is_doubted(one)) for one in operations)


def _refused(argument: str, path: Any, error: Exception) -> Exception:
    why = checks.plain(str(error) or type(error).__name__, 300)
    return checks.refuse(argument, str(path), f"a file of a Keras model ({type(error).__name__}: {why})")


def _configuration(path: Path) -> dict[str, Any]:
    config = json.loads(_text(path))
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict) or "class_name" not in config:
        raise ValueError("its configuration is not that of a model")
    return config


def _text(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(8)
        if start.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive, archive.open("config.json") as member:
                return _decoded(member.read(LARGEST + 1))
        if start == _HDF5:
            return _decoded(_attribute(path))
        return _decoded(start + file.read(LARGEST + 1))


def _attribute(path: Path) -> Any:
    import h5py

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ValueError("it holds weights alone, without the configuration of a model")
        return file.attrs["model_config"]


def _decoded(text: bytes | str) -> str:
    if len(text) > LARGEST:
        raise ValueError(f"its configuration is longer than {LARGEST:,} bytes")
    return text if isinstance(text, str) else text.decode("utf-8")


def _as_saved(config: dict[str, Any]) -> keras.Model:
    given = copy.deepcopy({**config, "compile_config": None})  # which Keras takes apart
    model = keras.saving.deserialize_keras_object(given, safe_mode=True)
    if not isinstance(model, keras.Model):
        raise TypeError(f"it holds a {type(model).__name__}, which is no model")
    compiled = config.get("compile_config")
    weights = compiled.get("loss_weights") if isinstance(compiled, dict) else None
    if isinstance(weights, dict | list) and not hasattr(model, "loss_weights"):
        model.loss_weights = weights
    return model


# -- from the configuration alone -------------------------------------------------------------------------------------

Key = tuple[str, int]
"""A layer by its name, and which call of it."""


@dataclass
class _Reading:
    """The layers of one model by name, what their calls gave, and the shapes that the file says of these."""

    layers: dict[str, Any] = field(default_factory=dict)
    made: dict[Key, list[Any]] = field(default_factory=dict)
    said: dict[tuple[str, int, int], Any] = field(default_factory=dict)

    def model(self, config: Mapping[str, Any]) -> keras.Model:
        """A model of the layers of a configuration, however much of them is known."""
        inside = config["config"]
        name = str(inside.get("name") or config.get("name") or config["class_name"])
        if isinstance(inside.get("layers"), list) and "output_layers" in inside:
            return self._functional(inside, name)
        if isinstance(inside.get("layers"), list):
            return self._sequential(config, name)
        if str(config.get("module") or "keras").startswith("keras"):
            raise ValueError(f"it lists no layers of the {config['class_name']} that it holds")
        operation = _missing(config, name)
        x = _input(_input_shape(config), f"{name}_input")
        return keras.Model(x, _uncomputed(operation, (x,), {}, [None])[0], name=name)

    def _functional(self, config: Mapping[str, Any], name: str) -> keras.Model:
        waiting: dict[Key, tuple[Any, Any]] = {}
        for layer in config["layers"]:
            own = str(layer.get("name") or layer["config"]["name"])
            if layer["class_name"] == "InputLayer":
                self.made[own, 0] = [_input(_batch_shape(layer["config"]), own, layer["config"].get("dtype"))]
                continue
            self.layers[own] = _operation(layer, own)
            for number, node in enumerate(layer.get("inbound_nodes", ())):
                waiting[own, number] = self._arguments(node)
        while waiting:
            ready = [key for key, given in waiting.items() if all(one[:2] in self.made for one in _wanted(given))]
            if not ready:
                raise ValueError(f"its layers wait for each other: {', '.join(sorted({k[0] for k in waiting})[:3])}")
            for key in ready:
                self._call(key, *waiting.pop(key))
        inputs = _mapped(config["input_layers"], self._tensor)
        return keras.Model(inputs, _mapped(config["output_layers"], self._tensor), name=name)

    def _arguments(self, node: Any) -> tuple[Any, Any]:
        """What a call was given, tensors as `_Of`; as Keras 3 writes it, or Keras 2."""
        if isinstance(node, Mapping):
            return self._found(tuple(node["args"])), self._found(dict(node.get("kwargs", {})))
        rows = [node] if node and isinstance(node[0], str) else list(node)
        more = {k: _tensor_or_value(v) for row in rows if len(row) > 3 for k, v in row[3].items() if k != "name"}
        given = [_Of(str(row[0]), int(row[1]), int(row[2])) for row in rows]
        return (given if len(given) > 1 else given[0],), more

    def _found(self, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
            name, number, port = value["config"]["keras_history"]
            self.said[str(name), int(number), int(port)] = value["config"]
            return _Of(str(name), int(number), int(port))
        if isinstance(value, Mapping) and "class_name" in value:
            return keras.saving.deserialize_keras_object(dict(value), safe_mode=True)
        if isinstance(value, Mapping):
            return {key: self._found(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self._found, value))
        return value

    def _call(self, key: Key, args: Any, kwargs: Any) -> None:
        operation = self.layers[key[0]]
        args, kwargs = _filled((args, kwargs), lambda one: self.made[one[:2]][one[2]])
        said = {port: spec for (name, number, port), spec in self.said.items() if (name, number) == key}
        specs = [said.get(port) for port in range(max(said, default=0) + 1)]
        self.made[key] = _called(operation, args, kwargs, specs)

    def _tensor(self, name: str, number: int, port: int) -> Any:
        return self.made[name, number][port]

    def _sequential(self, config: Mapping[str, Any], name: str) -> keras.Model:
        layers = [layer for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"]
        first = config["config"]["layers"][0]["config"] if config["config"]["layers"] else {}
        own = str(first.get("name", name))
        has_input = len(layers) < len(config["config"]["layers"])
        x = inputs = _input(_batch_shape(first) or _input_shape(config), own if has_input else f"{own}_input")
        for layer in layers:
            x = _called(_operation(layer, str(layer["config"].get("name", layer["class_name"]))), (x,), {}, [None])[0]
        model = keras.Model(inputs, x, name=name)
        setattr(model, SEQUENTIAL, True)
        return model


class _Of(tuple[Any, ...]):
    """A tensor by its layer, which call of it, and which output."""

    __slots__ = ()

    def __new__(cls, *place: Any) -> _Of:
        return super().__new__(cls, place)


def _tensor_or_value(value: Any) -> Any:
    place = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)
    return _Of(*value) if place and all(type(number) is int for number in value[1:]) else value


def _filled(value: Any, fill: Callable[[_Of], Any]) -> Any:
    if isinstance(value, _Of):
        return fill(value)
    if isinstance(value, list | tuple):
        return type(value)(_filled(item, fill) for item in value)
    return {k: _filled(item, fill) for k, item in value.items()} if isinstance(value, dict) else value


def _wanted(value: Any) -> Iterator[_Of]:
    if isinstance(value, _Of):
        yield value
    elif isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _wanted(item)


def _mapped(places: Any, tensor: Callable[..., Any]) -> Any:
    """The tensors of a structure of `[name, call, output]`."""
    if isinstance(places, Mapping):
        return {key: _mapped(item, tensor) for key, item in places.items()}
    if len(places) == 3 and isinstance(places[0], str):
        return tensor(str(places[0]), int(places[1]), int(places[2]))
    return [_mapped(item, tensor) for item in places]


def _batch_shape(config: Mapping[str, Any]) -> Any:
    return config.get("batch_shape") or config.get("batch_input_shape")


def _input_shape(config: Mapping[str, Any]) -> Any:
    built = config.get("build_config")
    return built.get("input_shape") if isinstance(built, Mapping) else None


def _input(shape: Any, name: str, dtype: Any = None) -> Any:
    if isinstance(shape, list | tuple) and all(size is None or type(size) is int for size in shape):
        return keras.Input(batch_shape=tuple(shape), name=name, dtype=dtype if isinstance(dtype, str) else None)
    return _keras.without_shape(keras.Input((), name=name))


def _called(operation: Any, args: Any, kwargs: Any, specs: list[Any]) -> list[Any]:
    """What a call gives: computed where that can be, else of the shapes that the file says."""
    tensors = [one for one in keras.tree.flatten((args, kwargs)) if isinstance(one, keras.KerasTensor)]
    if not hasattr(operation, MISSING) and all(map(_keras.has_shape, tensors)):
        try:
            return list(keras.tree.flatten(operation(*args, **kwargs)))
        except Exception:  # a layer refuses its input with whatever it likes
            pass
    return _uncomputed(operation, args, kwargs, specs)


def _uncomputed(operation: Any, args: Any, kwargs: Any, specs: list[Any]) -> list[Any]:
    setattr(operation, DOUBTED, True)
    outputs = [_spec(spec) for spec in specs]
    _keras.call_uncomputed(operation, args, kwargs, outputs)
    return outputs


def _spec(said: Any) -> Any:
    try:
        return keras.KerasTensor(tuple(said["shape"]), said["dtype"])
    except (TypeError, KeyError, ValueError):
        return _keras.without_shape(keras.KerasTensor((), "float32"))


def _operation(config: Mapping[str, Any], name: str) -> Any:
    """A layer as saved; a model of which not all is known; a layer of Keras 2; or one that says it is missing."""
    for make in (_layer_as_saved, _nested, _of_keras_2):
        try:
            made = make(config, name)
        except Exception:  # a class that is not there, or does not accept what is said of it
            continue
        if isinstance(made, keras.Operation):
            return made
    return _missing(config, name)


def _layer_as_saved(config: Mapping[str, Any], name: str) -> Any:
    own = copy.deepcopy({key: value for key, value in config.items() if key not in ("inbound_nodes", "name")})
    return keras.saving.deserialize_keras_object(own, safe_mode=True)


def _nested(config: Mapping[str, Any], name: str) -> Any:
    return _Reading().model(config) if isinstance(config["config"].get("layers"), list) else None


def _of_keras_2(config: Mapping[str, Any], name: str) -> Any:
    if not str(config.get("module") or "keras").startswith("keras") or config.get("registered_name") not in (
        None,
        config["class_name"],
    ):
        return None
    kind: Any = getattr(keras.layers, str(config["class_name"]))
    try:
        return kind.from_config(copy.deepcopy(config["config"]))
    except Exception:  # an argument that it has no longer
        pass
    accepted = {*inspect.signature(kind.__init__).parameters, "name", "trainable", "dtype"}
    given = {key: value for key, value in config["config"].items() if key in accepted}
    if isinstance(given.get("axis"), list) and len(given["axis"]) == 1:
        given["axis"] = given["axis"][0]
    made = kind.from_config(copy.deepcopy(given))
    setattr(made, DOUBTED, True)
    return made


MISSING, DOUBTED, SEQUENTIAL = "missing_from_file", "doubted_in_file", "sequential_in_file"
_ATTRIBUTES = ("filters", "units", "kernel_size", "strides", "padding", "activation", "rate", "axis")


def _missing(config: Mapping[str, Any], name: str) -> Any:
    """What stands for a layer whose class is not there: of its name and its configuration."""
    kind = str(config["class_name"]).rsplit(">", 1)[-1]
    kind = kind if kind.isidentifier() else "Layer"
    inside = {key: value for key, value in config["config"].items() if key != "name"}
    body = {
        "__init__": lambda self, name: keras.Layer.__init__(self, name=name),
        "__module__": f"{__package__}.missing",
        "get_config": lambda self: inside,
    }
    made = type(kind, (keras.Layer,), body)(name)
    why = "its code is not executed" if kind == "Lambda" else f"no class {checks.plain(kind, 60)} is there"
    setattr(made, MISSING, f"{why}: read from the configuration alone")
    for key in _ATTRIBUTES:
        if isinstance(inside.get(key), str | int | float | list):
            setattr(made, key, inside[key])
    return made
