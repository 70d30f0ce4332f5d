"""Weights from files, models of ours, `keras.applications` and torchvision: all of them or none, tensor by tensor.

Which layer of another library is which of ours is data, in `weight_names.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Formatter
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..blocks.core import weightless
from ..blocks.tensors import channel_axis
from ..checks import public
from ..graphs.calls import calls, wired
from .weight_names import (
    APPLICATIONS,
    KERAS,
    NUMBERED,
    TORCH_COUNTERS,
    TORCH_DIALECT,
    TORCH_RENAMED,
    TORCH_TENSORS,
    TORCHVISION,
    TRAINED_DIALECT,
)

IMAGENET = "imagenet"
# What may stand between a flattened image and the dense layer that sees its pixels: it moves none.
_IN_PLACE = (keras.layers.Dropout, keras.layers.Activation, keras.layers.Identity)
_LISTED, _LONGEST = 20, 6000  # tensors and characters of an error

Tensors = Mapping[str, Mapping[str, Any]]
"""By layer, and in it by name, what NumPy makes an array of."""


@public
def load_keras_applications(model: keras.Model, source: keras.Model) -> keras.Model:
    """Give a model of ours the weights of one of `keras.applications`, every tensor of both exactly once.

    What the two compute agrees where `model` was built with `dialect="keras"`.

    Args:
        model: one of our networks, or what was made of one that keeps the names of its layers.
        source: the same network of `keras.applications`, with a top exactly if `model` has one.

    Returns:
        `model` itself.

    Raises:
        ValueError: a tensor of one has none in the other, or one of another shape; says which, and changes nothing.
        TypeError: one of them is no Keras model.

    Example:
        >>> from layerblocks.architectures import mobilenet
        >>> source = keras.applications.MobileNet(weights=None, alpha=0.25, classes=10)
        >>> model = load_keras_applications(mobilenet(dialect="keras", alpha=0.25, classes=10), source)
        >>> bool((model.get_layer("stem.conv").kernel.numpy() == source.get_layer("conv1").kernel.numpy()).all())
        True
    """
    layers = _checked_model("model", model).layers
    _write(_steps(layers, _of_model(_checked_model("source", source)), KERAS.values(), "source"))
    return model


@public
def load_torchvision(model: keras.Model, state_dict: Mapping[str, Any]) -> keras.Model:
    """Give a model of ours the weights of one of torchvision, every tensor of both exactly once.

    What the two compute agrees where `model` was built with `dialect="torchvision"`. Kernels are turned from torch's
    order of axes into Keras's, and so is what sees a flattened image. (What torchvision calls `transform_input`, other
    colours for the trained GoogLeNet and Inception-v3, is done to images and no part of the weights.)

    Args:
        model: one of our networks, or what was made of one that keeps the names of its layers.
        state_dict: arrays by name, `{name: tensor.numpy() for name, tensor in module.state_dict().items()}`;
            `num_batches_tracked`, which nothing is computed from, may be among them.

    Returns:
        `model` itself.

    Raises:
        ValueError: a tensor of one has none in the other, or one of another shape; says which, and changes nothing.
        TypeError: `model` is no Keras model, or `state_dict` no dict of arrays.

    Example:
        >>> from layerblocks.architectures import vgg
        >>> options = {"convs": (1,), "filters": (4,), "units": (), "classes": 2, "input_shape": (8, 8, 3)}
        >>> model = vgg(dialect="torchvision", **options, output_size=1)
        >>> state = {"features.0.weight": np.ones((4, 3, 3, 3)), "features.0.bias": np.zeros(4)}
        >>> state |= {"classifier.6.weight": np.ones((2, 4)), "classifier.6.bias": np.zeros(2)}
        >>> load_torchvision(model, state).get_layer("classifier.predictions").kernel.numpy().tolist()
        [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    layers = _checked_model("model", model).layers
    if not isinstance(state_dict, Mapping):
        raise checks.refuse("state_dict", type(state_dict).__name__, "a dict of arrays by name", TypeError)
    source: dict[str, dict[str, Any]] = {}
    for key, value in state_dict.items():
        for old, new in TORCH_RENAMED.items():
            key = re.sub(old, new, key)
        layer, _, name = key.rpartition(".")
        if name in TORCH_COUNTERS:
            continue
        array = source.setdefault(layer, {})[name] = np.asarray(value)
        if array.dtype.kind in "OSU":
            raise checks.refuse(f"state_dict[{key!r}]", type(value).__name__, "an array of numbers", TypeError)
    steps = _steps(
        layers,
        source,
        TORCHVISION.values(),
        "state_dict",
        dialect=TORCH_DIALECT,
        names=TORCH_TENSORS,
        form_of=partial(_torch_form, _flattened(model)),
    )
    _write(steps)
    return model


# The argument `weights` of the constructors.


def trained_dialect(weights: Any, network: str) -> dict[str, str]:
    """The argument `dialect` that goes with the weights, where they belong to one."""
    is_trained = isinstance(weights, str) and weights == IMAGENET and network in APPLICATIONS
    return {"dialect": TRAINED_DIALECT} if is_trained else {}


def checked(weights: Any, network: str, *, include_top: bool, classes: int) -> Any:
    """The argument, or an error before anything is built or downloaded."""
    if weights is None:
        return None
    if _keras.is_weightless():
        raise checks.refuse("weights", weights, "None under weightless(), where there are no weights")
    must_be = f"None or the path of a weights file, a Keras model or {IMAGENET!r}"
    if isinstance(weights, keras.Model):
        return _checked_model("weights", weights)
    if not isinstance(weights, str | Path):
        raise checks.refuse("weights", weights, must_be, TypeError)
    if weights == IMAGENET:
        if network not in APPLICATIONS:
            raise checks.refuse("weights", weights, f"{must_be}, which only exists for {', '.join(APPLICATIONS)}")
        if include_top and classes != 1000:
            raise checks.refuse("classes", classes, f"1000 with include_top=True and weights={IMAGENET!r}")
        return weights
    if not Path(weights).is_file():
        raise checks.refuse("weights", str(weights), f"{must_be} (there is no such file)")
    if Path(weights).suffix not in (".h5", ".hdf5", ".keras"):
        raise checks.refuse("weights", str(weights), "a file that ends in .weights.h5, .keras or .h5")
    return Path(weights)


def load(
    model: keras.Model,
    layers: Sequence[keras.layers.Layer],
    weights: Any,
    network: str,
    *,
    include_top: bool,
    classes: int,
    input_shape: Sequence[int | None],
    options: Mapping[str, Any],
) -> None:
    """Give `layers`, all of `model` or those of the network in it, what `checked` let pass."""

    def application(weights: str | None) -> Tensors:
        """Of the same network of `keras.applications`, of the size asked for where its weights depend on that."""
        own = APPLICATIONS[network]
        arguments = {word: options[word] for word in own.options}
        sides = input_shape[:2] if channel_axis() == -1 else input_shape[1:]
        of_a_file = weights not in (None, IMAGENET)
        if None not in sides and (of_a_file or {*sides} <= {*own.sides}):
            arguments["input_shape"] = tuple(input_shape)
        make = getattr(keras.applications, own.name)
        return _of_model(make(weights=weights, include_top=include_top, classes=classes, **arguments))

    tables = [None, *KERAS.values()]
    if isinstance(weights, keras.Model):
        source = _of_model(weights)
    elif weights == IMAGENET:
        with weightless():
            _steps(layers, application(None), tables, "weights")  # refused before it is downloaded
        source = application(weights)
    else:
        try:
            stored = _of_file(weights) if weights.name.endswith(".weights.h5") else None
            if stored is not None and not stored:  # Keras used to write no names: by the order of the layers
                return model.load_weights(weights)
            if weights.suffix == ".keras":
                with _keras.deep_graphs():
                    source = _of_model(keras.saving.load_model(weights, compile=False))
            elif stored and not _relative(stored).keys().isdisjoint(_weighted(layers)):
                source = _named(stored, layers)
            elif network in APPLICATIONS:
                source = application(str(weights))
            else:
                raise ValueError("its layers have other names")
        except Exception as error:  # a broken file makes HDF5, zipfile and Keras raise what they like
            must_be = "a file that save_weights wrote, or one of the same network of keras.applications"
            reason = checks.plain(str(error), 300) or type(error).__name__
            raise checks.refuse("weights", str(weights), f"{must_be} ({reason})") from error
    _write(_steps(layers, source, tables, "weights"))


# What holds weights.


def _tensor_name(layer: keras.layers.Layer, variable: Any) -> str:
    return variable.path.rpartition(f"{layer.name}/")[-1]


def _of_model(model: keras.Model) -> Tensors:
    return {
        layer.name: {_tensor_name(layer, variable): variable for variable in layer.weights}
        for layer in model.layers
        if layer.weights
    }


def _of_file(path: Path) -> Tensors:
    """What `save_weights` wrote: the tensors of each layer under their places; nothing where no names are with them."""
    import h5py  # not with the module, which every network imports

    found: dict[str, dict[str, Any]] = {}

    def visit(name: str, group: Any) -> None:
        parts = name.split("/")
        if len(parts) == 3 and parts[-1] == "vars" and "name" in group.attrs and len(group):
            found[str(group.attrs["name"])] = {place: _numbers(value) for place, value in group.items()}

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def _numbers(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biufV":  # V for bfloat16
        raise ValueError(f"it holds {array.dtype} where numbers should be")
    return array


def _named(stored: Tensors, layers: Sequence[keras.layers.Layer]) -> Tensors:
    """The same with the names that tensors have in our layer of that name, where it has one in the place."""
    ours, named = _weighted(layers), {}
    for short, name in _relative(stored).items():
        known = ours[short].weights if short in ours else []
        names = {str(place): _tensor_name(ours[short], variable) for place, variable in enumerate(known)}
        named[name] = {names.get(place, place): value for place, value in stored[name].items()}
    return named


def _checked_model(argument: str, model: Any) -> keras.Model:
    if not isinstance(model, keras.Model):
        raise checks.refuse(argument, type(model).__name__, "a Keras model", TypeError)
    if not all(map(_keras.is_allocated, model.weights)):
        raise checks.refuse(argument, model.name, "a model with weights, not one made under weightless()")
    return model


# Names.


def _relative(names: Iterable[str]) -> dict[str, str]:
    """The names without the prefix that all of them have, of a network in a larger graph, and what they were."""
    names = list(names)
    split = [name.split(".")[:-1] for name in names]
    common = 0
    while split and all(len(parts) > common and parts[common] == split[0][common] for parts in split):
        common += 1
    return {".".join(name.split(".")[common:]): name for name in names}


def _weighted(layers: Iterable[keras.layers.Layer]) -> dict[str, keras.layers.Layer]:
    """The layers that have weights by their relative names."""
    by_name = {layer.name: layer for layer in layers if layer.weights}
    return {short: by_name[name] for short, name in _relative(by_name).items()}


class _Group:
    """What a placeholder of our name stands for: a word or a number, and its place among the alternatives."""

    def __init__(self, text: str, number: int) -> None:
        self.text, self.number = text, number

    def __format__(self, spec: str) -> str:
        if "|" in spec:
            return spec.split("|")[self.number]
        return str(self.number + int(spec)) if spec else self.text


def _matches(rule: str, names: Iterable[str]) -> dict[str, dict[str, _Group]]:
    """The names that a line of a table matches, with what its placeholders stand for in each."""
    pattern, words = "", {}
    for literal, field, spec, _ in Formatter().parse(rule):
        pattern += re.escape(literal)
        if field is not None:
            words[field] = spec.split("|") if spec else []
            pattern += f"(?P<{field}>{'|'.join(map(re.escape, words[field])) or '[0-9]+'})"
    found = {name: match for name in names if (match := re.fullmatch(pattern, name))}
    return {
        name: {
            field: _Group(text, words[field].index(text) if words[field] else int(text))
            for field, text in match.groupdict().items()
        }
        for name, match in found.items()
    }


def _add_places(template: str, matches: Mapping[str, dict[str, _Group]]) -> None:
    """To the placeholders of each match, those of several fields: its place among all matches."""
    for _, fields, _, _ in Formatter().parse(template):
        if fields and "," in fields:
            keys = {name: tuple(groups[f].number for f in fields.split(",")) for name, groups in matches.items()}
            order = {key: place for place, key in enumerate(sorted(set(keys.values())))}
            for name, groups in matches.items():
                groups[fields] = _Group(str(order[keys[name]]), order[keys[name]])


def _renumbered(names: Iterable[str]) -> dict[str, str]:
    """The names by what the tables call them: with places, from 0 on, instead of the numbers that count all layers."""
    called = {name: name for name in names}
    for prefix in NUMBERED:
        bare = prefix.rstrip("_.")
        numbers = {n: int(n.removeprefix(prefix)) for n in called if re.fullmatch(f"{re.escape(prefix)}[0-9]+", n)}
        numbers.update({name: 0 for name in called if name == bare})
        for place, name in enumerate(sorted(numbers, key=numbers.__getitem__)):
            called[name] = f"{prefix}{place}"
    return {new: name for name, new in called.items()}


def _pairs(table: Mapping[str, str] | None, ours: Iterable[str], theirs: Iterable[str]) -> dict[str, str]:
    """Their layer for each of ours that has one; None for a table means the same names."""
    if table is None:
        found = _relative(theirs)
        return {name: found[name] for name in ours if name in found}
    found, pairs = _renumbered(theirs), {}
    rest = list(ours)
    for rule, template in table.items():
        matches = _matches(rule, rest)
        _add_places(template, matches)
        for name, groups in matches.items():
            other = found.pop(template.format_map(groups), None)
            if other is not None:
                pairs[name] = other
        rest = [name for name in rest if name not in matches]
    return pairs


# Tensors.


@dataclass(frozen=True)
class _Form:
    """How a tensor of ours is laid out elsewhere: seen as `view`, its axes in the order `axes`, in all as `shape`."""

    view: tuple[int, ...]
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def ours(self, value: Any) -> Any:
        turned = np.reshape(value, [self.view[axis] for axis in self.axes])
        return np.transpose(turned, np.argsort(self.axes))


def _same_form(layer: keras.layers.Layer, shape: tuple[int, ...], given: tuple[int, ...]) -> _Form:
    """As it is; a dense layer may be a 1×1 convolution."""
    is_pointwise = isinstance(layer, keras.layers.Dense) and given == (1, 1, *shape)
    return _Form(shape, tuple(range(len(shape))), given if is_pointwise else shape)


def _torch_form(
    pixels: Mapping[str, tuple[int, ...]], layer: keras.layers.Layer, shape: tuple[int, ...], given: tuple[int, ...]
) -> _Form:
    """Torch's order of axes; `pixels` holds (height, width, channels) by the names of layers that see them in a row."""
    if len(shape) == 4 and isinstance(layer, keras.layers.DepthwiseConv2D):
        height, width, channels, multiplier = shape
        return _Form(shape, (2, 3, 0, 1), (channels * multiplier, 1, height, width))
    if len(shape) == 4:
        return _Form(shape, axes := (3, 2, 0, 1), tuple(shape[axis] for axis in axes))
    if len(shape) == 2:
        view = (*pixels.get(layer.name, shape[:1]), shape[1])
        return _Form(view, (3, 2, 0, 1) if len(view) == 4 else (1, 0), shape[::-1])
    return _Form(shape, tuple(range(len(shape))), shape)


def _flattened(model: keras.Model) -> dict[str, tuple[int, ...]]:
    """Find the dense layers after a flattened image: its (height, width, channels)."""
    found = {}
    for call in calls(wired(model).outputs):
        if isinstance(call.operation, keras.layers.Dense):
            before = _keras.call_of(call.input_tensors[0])
            while isinstance(before.operation, _IN_PLACE):
                before = _keras.call_of(before.input_tensors[0])
            if isinstance(before.operation, keras.layers.Flatten):
                *sides, last = before.input_tensors[0].shape[1:]
                is_last = before.operation.data_format == "channels_last"
                found[call.operation.name] = (*sides, last) if is_last else (*sides[1:], last, sides[0])
    return found


def _steps(
    layers: Sequence[keras.layers.Layer],
    source: Tensors,
    tables: Iterable[Mapping[str, str] | None],
    argument: str,
    *,
    dialect: str = TRAINED_DIALECT,
    names: Mapping[str, str] | None = None,
    form_of: Callable[[keras.layers.Layer, tuple[int, ...], tuple[int, ...]], _Form] = _same_form,
) -> list[tuple[Any, _Form, Any]]:
    """Each variable with its form and value in the source, under the table by which most layers correspond.

    Args:
        argument: that the source came from, for the error where something is left or has another shape.
        dialect: of our networks that have the tensors of these tables, for the same error.
        names: of tensors in the source by ours, where they differ.
        form_of: function from our layer, the shape of its tensor, and that of theirs, to the form theirs has to have.
    """
    ours = _weighted(layers)
    pairs, is_foreign = max(((_pairs(table, ours, source), table is not None) for table in tables), key=_size)
    unused = {(name, tensor): value for name, tensors in source.items() for tensor, value in tensors.items()}
    steps, left, misfits = [], [], []
    for short, layer in ours.items():
        for variable in layer.weights:
            name, shape = _tensor_name(layer, variable), tuple(variable.shape)
            key = (pairs.get(short, ""), (names or {}).get(name, name))
            if key not in unused:
                left.append(f"{layer.name}.{name} {shape}")
                continue
            value = unused.pop(key)
            form = form_of(layer, shape, tuple(value.shape))
            if form.shape != tuple(value.shape):
                misfits.append(f"{layer.name}.{name} must be {form.shape}, {_dotted(key)} is {tuple(value.shape)}")
            steps.append((variable, form, value))
    rest = [f"{_dotted(key)} {tuple(value.shape)}" for key, value in unused.items()]
    faults = {"left in the model": left, f"left in {argument}": rest, "of another shape": misfits}
    if any(faults.values()):
        listed = "; ".join(f"{title}: {_list(fault)}" for title, fault in faults.items() if fault)
        whose = f", those of dialect={dialect!r}" if is_foreign else ""
        said = f"{checks.where()}: {argument} must be exactly the tensors of the network{whose}; {listed}"
        raise ValueError(checks.plain(said, _LONGEST))
    return steps


def _size(found: tuple[Mapping[str, str], bool]) -> int:
    return len(found[0])


def _write(steps: Iterable[tuple[Any, _Form, Any]]) -> None:
    for variable, form, value in steps:
        variable.assign(np.reshape(form.ours(np.asarray(value)), variable.shape))


def _dotted(words: Iterable[str]) -> str:
    return ".".join(filter(None, words))


def _list(items: Sequence[str]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more
