"""Read what holds weights, a model, a dict of tensors or a file, into arrays by the names of layers and tensors."""

from __future__ import annotations

import dataclasses
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..models.inputs import array_of
from ..models.origins import Origin, origin_of_file
from .origins import origin
from .weight_names import TORCH_COUNTERS, TORCH_RENAMED, UNNAMED

IMAGENET = "imagenet"
_KERAS_FILES, _TORCH_FILES = (".h5", ".hdf5", ".keras"), (".safetensors", ".pth", ".pt", ".bin")
_MUST_BE = (
    f"a Keras model, a dict of arrays by name or the path of a file ({', '.join((*_KERAS_FILES, *_TORCH_FILES))})"
)

# What checkpoints keep a state dict as, and what wrappers of modules put before every name.
_WRAPPED, _PREFIXES = ("state_dict", "model", "model_state_dict"), ("module.", "_orig_mod.")

Tensors = Mapping[str, Mapping[str, Any]]
"""By layer, and in it by name or place, what NumPy makes an array of."""


@dataclass(frozen=True)
class Source:
    """Weights by the names of their layers.

    Args:
        tensors: of each layer, by name, or in a file of Keras by the place in the layer.
        is_torch: whether names and the order of axes are those of PyTorch.
        model: that holds the weights, where there is one.
        places: the file, where Keras wrote it.
        origin: how the network that they belong to was built, where that is known.
        computed: the digest of what it computes, where a file has it.
        is_trained: whether they are, or stand for, the trained weights that Keras publishes.
    """

    tensors: Tensors
    is_torch: bool = False
    model: keras.Model | None = None
    places: Path | None = None
    origin: Origin | None = None
    computed: str | None = None
    is_trained: bool = False


def opened(source: Any, argument: str, or_else: str = "") -> Source:
    """Read a source, or raise an error of one line; `or_else` is what else the argument may be."""
    if isinstance(source, Source):
        return source
    if isinstance(source, keras.Model):
        return of_model(checked_model(argument, source))
    if isinstance(source, Mapping):
        return _of_state_dict(source, argument)
    if not isinstance(source, str | Path):
        raise checks.refuse(argument, source, or_else + _MUST_BE, TypeError)
    path = Path(source)
    if not path.is_file():
        raise checks.refuse(argument, str(source), f"{or_else}{_MUST_BE} (there is no such file)")
    if path.suffix not in (*_KERAS_FILES, *_TORCH_FILES):
        raise checks.refuse(argument, str(source), f"a file that ends in {', '.join((*_KERAS_FILES, *_TORCH_FILES))}")
    try:
        return _of_torch_file(path, argument) if path.suffix in _TORCH_FILES else _of_keras_file(path)
    except OSError as error:
        if getattr(error, "errno", None):  # what the file system refuses; HDF5 has OSErrors of its own
            raise
        raise _broken(argument, path, error) from error
    except ImportError as error:
        raise checks.refuse(argument, str(path), f"read with {error.name}, which is not installed") from error
    except Exception as error:  # a broken file makes HDF5, zipfile and Keras raise what they like
        raise _broken(argument, path, error) from error


def _broken(argument: str, path: Path, error: Exception) -> Exception:
    reason = checks.plain(str(error), 300) or type(error).__name__
    return checks.refuse(argument, str(path), f"a file of weights ({reason})")


def checked_model(argument: str, model: Any) -> keras.Model:
    model = checks.instance(argument, model, keras.Model, "a Keras model")
    if not all(map(_keras.is_allocated, model.weights)):
        raise checks.refuse(argument, model.name, "a model with weights, not one made under weightless()")
    return model


def of_model(model: keras.Model) -> Source:
    """The weights of a Keras model, and of those that it has for layers."""
    tensors = {
        layer.name: {
            _placed(variable.path.rpartition(f"{layer.name}/")[-1], place): variable
            for place, variable in enumerate(layer.weights)
        }
        for layer in layers_of(model)
        if layer.weights
    }
    return Source(tensors, model=model, origin=origin(model))


def layers_of(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers of a model, and of the models among them."""
    for layer in model.layers:
        if isinstance(layer, keras.Model) and layer.layers:
            yield from layers_of(layer)
        else:
            yield layer


# PyTorch.


def _of_state_dict(state: Mapping[Any, Any], argument: str) -> Source:
    """Tensors by the names of their modules; the two of a separable convolution as those of one layer."""
    tensors: dict[str, dict[str, Any]] = {}
    for word in _WRAPPED:
        if isinstance(state.get(word), Mapping):
            state = state[word]
    prefix = next((word for word in _PREFIXES if state and all(str(key).startswith(word) for key in state)), "")
    for key, value in state.items():
        name = checks.text(f"a name in {argument}", key).removeprefix(prefix)
        for old, new in TORCH_RENAMED.items():
            name = re.sub(old, new, name)
        layer, _, tensor = name.rpartition(".")
        if tensor in TORCH_COUNTERS:
            continue
        tensors.setdefault(layer, {})[tensor] = _numbers(f"{argument}[{key!r}]", value)
    for layer in [name.removesuffix(".pointwise") for name in tensors if name.endswith(".pointwise")]:
        if f"{layer}.conv1" in tensors:
            parts = {part: tensors.pop(f"{layer}.{part}") for part in ("conv1", "pointwise")}
            tensors[layer] = {f"{part}.{name}": value for part in parts for name, value in parts[part].items()}
    return Source(tensors, is_torch=True)


def unwrapped(source: Source) -> Source | None:
    """The same without the module that all names begin with, `encoder` or `net`; None where there is none."""
    first = {name.partition(".")[0] for name in source.tensors}
    if not source.is_torch or len(first) != 1 or not all("." in name for name in source.tensors):
        return None
    return dataclasses.replace(source, tensors={name.partition(".")[2]: own for name, own in source.tensors.items()})


def with_attention(source: Source) -> Source:
    """Query, key and value, which torch has in one tensor, and the projection after them as tensors of one layer."""
    if not source.is_torch:
        return source
    tensors = {name: dict(own) for name, own in source.tensors.items()}
    for name, given in source.tensors.items():
        parent, _, last = name.rpartition(".")
        prefix, layer, after = "in_proj_", name, f"{name}.out_proj"
        if last == "qkv":
            prefix, layer, after = "", parent, f"{parent}.proj"
        fused = {word: value for word, value in given.items() if word.startswith(prefix)}
        is_attention = last == "qkv" or "in_proj_weight" in given
        if not is_attention or any(np.ndim(value) == 0 or len(value) % 3 for value in fused.values()):
            continue
        own = tensors.setdefault(layer, {})
        for word, value in fused.items():
            del tensors[name][word]
            parts = zip(("query", "key", "value"), np.split(value, 3), strict=True)
            own |= {f"{part}.{word.removeprefix(prefix)}": piece for part, piece in parts}
        hidden, biases = (f"{layer}.cpb_mlp.{place}" for place in (0, 2))
        for theirs, part in ((after, "attention_output"), (hidden, "offset_hidden"), (biases, "offset_bias")):
            own |= {f"{part}.{word}": value for word, value in tensors.pop(theirs, {}).items()}
    return dataclasses.replace(source, tensors={name: own for name, own in tensors.items() if own})


def _numbers(argument: str, value: Any) -> np.ndarray:
    if hasattr(value, "detach"):  # a parameter of PyTorch, wherever it lies
        value = value.detach().cpu()
    array = array_of(argument, value)
    if array.dtype.kind in "biu" and array.dtype.itemsize == 1:
        raise checks.refuse(argument, array.dtype.name, "an array of floating-point numbers, not of quantized ones")
    return array


def _of_torch_file(path: Path, argument: str) -> Source:
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file  # type: ignore[import-not-found,unused-ignore]

        return _of_state_dict(load_file(path), argument)
    import torch  # type: ignore[import-not-found,unused-ignore]

    state = torch.load(path, map_location="cpu", weights_only=True)
    return _of_state_dict(checks.mapping(argument, state, "a file that holds a dict of tensors"), argument)


# Keras.


def _of_keras_file(path: Path) -> Source:
    import h5py  # not with the module, which every network imports

    if path.suffix == ".keras":
        if not zipfile.is_zipfile(path):
            raise ValueError("not a zip file")
        with _keras.deep_graphs():
            model = keras.saving.load_model(path, compile=False)
        return of_model(checks.instance("what it holds", model, keras.Model, "a Keras model"))
    with h5py.File(path) as file:
        root = file.get("model_weights", file)
        tensors = _legacy(root) if "layer_names" in root.attrs else _of_weights_file(file)
        known, computed = origin_of_file(file)
    return Source(tensors, places=path, origin=known, computed=computed)


def _of_weights_file(file: Any) -> Tensors:
    """What `save_weights` wrote: the tensors of each layer under their places; nothing where no names are with them."""
    found: dict[str, dict[str, Any]] = {}

    def visit(name: str, group: Any) -> None:
        parts = name.split("/")
        in_models = {*parts[:-1:2]} == {"layers"}
        if in_models and parts[-1] == "vars" and "name" in group.attrs and len(group):
            found[str(group.attrs["name"])] = {place: _stored(value) for place, value in group.items()}

    file.visititems(visit)
    return found


def _legacy(root: Any) -> Tensors:
    """What older versions of Keras wrote: by layer the names of its tensors."""
    found: dict[str, dict[str, Any]] = {}
    for layer in map(_text, root.attrs["layer_names"]):
        for name in map(_text, root[layer].attrs["weight_names"]):
            *path, tensor = re.sub(r":\d+$", "", name).split("/")
            owner = path[-1] if len(path) > 1 and path[0] == layer else layer  # of a model in the model
            tensors = found.setdefault(owner, {})
            tensors[_placed(tensor, len(tensors))] = _stored(root[layer][name])
    return found


def _placed(name: str, place: int) -> str:
    """The name of a tensor in its layer; its place where it has none of its own."""
    return str(place) if re.fullmatch(UNNAMED, name) else name


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _stored(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biufV":
        raise ValueError(f"it holds {array.dtype} where numbers should be")
    return array
