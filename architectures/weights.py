"""Load the weights of any source into a network, all or a named part: from a model, a file, torchvision, timm.

Which layer of another library is which of ours is data, in `weight_names.py`; what a file holds is read in
`weight_sources.py`.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from string import Formatter
from typing import Any, Literal

import keras
import numpy as np

from .. import _keras, checks
from ..blocks.core import weightless
from ..blocks.map_layers import LayerScale
from ..blocks.tensors import channel_axis
from ..graphs.calls import calls, wired
from ..models.computed import alike, difference, digest, layers_differ, neighbours_differ, relative
from ..models.inputs import CHANNELS, array_of, first_with_weights, kernel_for_channels
from ..models.origins import Origin
from . import weight_names
from .origins import constructor_of, origin
from .weight_names import APPLICATIONS, NUMBERED, RESCALED, RESCALED_VARIANCE, TORCH_TENSORS, TRAINED_DIALECT
from .weight_sources import (
    IMAGENET,
    Source,
    checked_model,
    layers_of,
    of_model,
    opened,
    unwrapped,
    with_attention,
)

# What may stand between a flattened image and the dense layer that sees its pixels: it moves none.
_IN_PLACE = (keras.layers.Dropout, keras.layers.Activation, keras.layers.Identity)
# Of which a part of the tensors means nothing.
_NORMS = (keras.layers.BatchNormalization, keras.layers.LayerNormalization, keras.layers.GroupNormalization)
_LISTED, _LONGEST = 8, 3000  # tensors and characters of an error
# Arguments that change no weight's meaning: a network may be given those of one in which they differ.
_HARMLESS = frozenset(
    (
        *("input_shape", "output_stride", "dropout", "stochastic_depth", "classifier_activation", "pooling"),
        *("include_top", "classes", "aux", "block_dropout", "zero_init", "train_upsampling", "output_size"),
    )
)


@dataclass(frozen=True)
class Loaded:
    """What `load` has done.

    Args:
        loaded: tensors of the model that were given a value.
        kept: tensors of the model that keep their own.
        unused: tensors of the source that nothing was given.
        changed: what was done to some on the way: other channels, another rank.
        dialect: whose computation the weights belong to; None where the source does not say.
    """

    loaded: tuple[str, ...]
    kept: tuple[str, ...]
    unused: tuple[str, ...]
    changed: tuple[str, ...]
    dialect: str | None

    def __str__(self) -> str:
        rows = {"loaded": self.loaded, "kept": self.kept, "unused": self.unused, "changed": self.changed}
        lines = [f"{word:<9}{len(names):>6}  {_list(names, 4)}".rstrip() for word, names in rows.items()]
        return "\n".join([*lines, f"{'dialect':<17}{self.dialect or 'not known'}"])


@checks.public
def load(
    model: keras.Model,
    source: Any,
    *,
    only: str | Iterable[str] | None = None,
    missing: Literal["error", "keep"] = "error",
    names: Mapping[str, str] | None = None,
    dialect: str | None = None,
    channels: Literal["sum", "mean", "repeat"] | None = None,
    inflate: Literal["mean", "center"] | None = None,
) -> Loaded:
    """Give a network the weights of a source: by default every tensor of both exactly once, or nothing is changed.

    The weights of a network that computes something else are refused: `model` remembers its dialect (`origin`), and
    where that is not the one of the source, the two are compared layer by layer.

    Args:
        model: one of our networks, or what was made of one that keeps the names of its layers.
        source: a state dict of torchvision or timm (arrays or tensors by name, whatever modules around the network put
            before all of them); a Keras model, of ours, of
            `keras.applications`, or a ResNet backbone of keras-hub; the path of a file, `.keras`, `.weights.h5`,
            `.h5`, `.safetensors`, or of PyTorch (`.pth`, `.pt`). Of another network the layers of the same names,
            and those of a VGG for an FCN. (What torchvision calls `transform_input`, other colours for the trained
            GoogLeNet and Inception-v3, is done to images and no part of the weights.)
        only: names of blocks of the model that are loaded alone, such as `"block1"`; None for all.
        missing: `"keep"` leaves what the source does not have, or has in another shape, as it is.
        names: a table of names in the notation of `layerblocks.architectures.weight_names`, for a source whose names
            are none of those known.
        dialect: whose computation the weights belong to; to be said where `names` are yours, where a file of ours does
            not say it, or where the model does not remember how it was built, which is then believed.
        channels: how kernels that see the image are changed to its channels, as `kernel_for_channels`.
        inflate: how 2-D kernels become 3-D ones, as `inflate_kernel`.

    Returns:
        What was loaded and what was not; it prints as a short table.

    Raises:
        ValueError: a tensor of one has none in the other, or one of another shape (says which); the model computes
            something else than the source, or what it computes is not known. Nothing is changed.
        TypeError: `model` is no Keras model, `source` nothing that holds weights.
        OSError: the file cannot be read.

    Example:
        >>> from layerblocks.architectures import vgg
        >>> options = {"convs": (1,), "filters": (4,), "units": (), "classes": 2, "input_shape": (8, 8, 3)}
        >>> model = vgg(dialect="torchvision", **options, output_size=1)
        >>> state = {"features.0.weight": np.ones((4, 3, 3, 3)), "features.0.bias": np.zeros(4)}
        >>> state |= {"classifier.6.weight": np.ones((2, 4)), "classifier.6.bias": np.zeros(2)}
        >>> load(model, state).dialect
        'torchvision'
        >>> load(vgg(dialect="torchvision", **{**options, "classes": 3}, output_size=1), state, missing="keep").kept
        ('classifier.predictions.kernel', 'classifier.predictions.bias')
    """
    model = checked_model("model", model)
    blocks = None if only is None else checks.names("only", only)
    keep = checks.choice("missing", missing, ("error", "keep")) == "keep"
    checks.choice("channels", channels, (None, *CHANNELS))
    checks.choice("inflate", inflate, (None, *_INFLATIONS))
    table = None if names is None else _Table("names", "", _checked_names(names), ())
    if dialect is not None:
        dialect = checks.text("dialect", dialect)
    return give(
        model,
        model.layers,
        _from_keras(model, source) if isinstance(source, str) and source == IMAGENET else opened(source, "source"),
        plan=_Plan("source", blocks, keep, table, dialect, channels, inflate),
    )


@checks.public
def inflate_kernel(kernel: Any, length: int, how: Literal["mean", "center"] = "mean") -> np.ndarray:
    """Make a 3-D kernel of a 2-D one, for images in a row (Carreira and Zisserman 2017, section 2.1; I3D).

    Shapes: `height width in out` -> `length height width in out`.

    Args:
        length: of the new axis, the first.
        how: `"mean"` repeats the kernel and divides it by `length`, so that a still video gives what the image gave;
            `"center"` has it in the middle and zeros around.

    Raises:
        ValueError: a number out of range.

    Example:
        >>> inflate_kernel(np.ones((3, 3, 1, 1)), 2)[:, 0, 0, 0, 0]
        array([0.5, 0.5])
    """
    length = checks.integer("length", length)
    place = _INFLATIONS[checks.choice("how", how, tuple(_INFLATIONS))]
    array = array_of("kernel", kernel)
    if array.ndim != 4:
        raise checks.refuse("kernel", array.shape, "an array of shape (height, width, in, out)")
    return place(array[None], length)


def _repeated(kernel: np.ndarray, length: int) -> np.ndarray:
    return np.repeat(kernel, length, 0) / length


def _centered(kernel: np.ndarray, length: int) -> np.ndarray:
    before = (length - 1) // 2
    return np.pad(kernel, ((before, length - 1 - before), *((0, 0),) * (kernel.ndim - 1)))


_INFLATIONS = {"mean": _repeated, "center": _centered}


# The argument `weights` of the constructors.


def _trained() -> str:
    """The networks that Keras has trained weights of; of many of one name the first and the last."""
    groups = [
        [*names]
        for _, names in itertools.groupby(APPLICATIONS, lambda name: name.rstrip("0123456789").partition("_")[0])
    ]
    return ", ".join(f"{names[0]} … {names[-1]}" if len(names) > 2 else ", ".join(names) for names in groups)


def checked(weights: Any, network: str) -> Source | str | None:
    """The argument, a file opened, or an error before anything is built or downloaded."""
    if weights is None:
        return None
    if _keras.is_weightless():
        raise checks.refuse("weights", weights, "None under weightless(), where there are no weights")
    if isinstance(weights, str) and weights == IMAGENET:
        if network not in APPLICATIONS:
            only = f"{IMAGENET!r} only exists for {_trained()}"
            raise checks.refuse("weights", weights, f"None, a model, a dict or a path; {only}")
        return weights
    return opened(weights, "weights", f"None, {IMAGENET!r}, ")


def dialect_of(source: Source | str | None, dialects: Collection[str]) -> str | None:
    """The one of these dialects that a source belongs to, as far as its names or its memory say."""
    if source is None or isinstance(source, str):
        trained = (RESCALED, TRAINED_DIALECT) if source is not None else ()
        return next((dialect for dialect in trained if dialect in dialects), None)
    if (known := source.origin) is not None:
        return known.dialect if known.dialect in dialects else None
    best = None
    of_names: Source | None = source
    while best is None and of_names is not None:
        best, of_names = _dialect_of_names(of_names, dialects), unwrapped(of_names)
    return best


def _dialect_of_names(source: Source, dialects: Collection[str]) -> str | None:
    """The dialect of the table that knows the most names, at least half."""
    best, most = None, 0
    source = with_attention(source)
    theirs = _renumbered(source.tensors)
    for table in _tables(source):
        common = next((dialect for dialect in table.dialects if dialect in dialects), None)
        pattern = _of_theirs(table.rules)
        found = sum(bool(pattern.fullmatch(name)) for name in theirs)
        if common is not None and found > most:
            best, most = common, found
    return best if 2 * most > len(theirs) else None


def is_unsaid(source: Source | str | None) -> bool:
    """Whether a file of weights does not say what network they are of."""
    return isinstance(source, Source) and source.places is not None and source.origin is None


def construct(
    model: keras.Model, layers: Sequence[keras.layers.Layer], source: Source | str, network: str, options: Any
) -> None:
    """Give `layers`, all of `model` or those of the network in it, what `checked` let pass."""
    plan = _Plan("weights")
    if isinstance(source, str):
        application = _application(network, options)
        with weightless():
            steps(model, layers, application(None), plan)  # refused before it is downloaded
        source = application(IMAGENET)
    if source.places is not None and not source.tensors:  # Keras used to write no names: by the order of the layers
        try:
            model.load_weights(source.places)
        except Exception as error:
            reason = checks.plain(str(error), 300) or type(error).__name__
            raise checks.refuse("weights", str(source.places), f"a file that save_weights wrote ({reason})") from error
        return
    give(model, layers, source, plan=plan)


def _application(
    network: str, options: Mapping[str, Any], built_for: tuple[int | None, ...] | None = None
) -> Callable[[str | None], Source]:
    """The network of `keras.applications`, built for that shape, or the size asked for where weights depend on it."""
    own = APPLICATIONS[network]
    arguments = {word: options[word] for word in (*own.options, "include_top", "classes")}
    shape = tuple(options["input_shape"])
    sides = shape[:2] if channel_axis() == -1 else shape[1:]
    if None not in sides and {*sides} <= {*own.sides}:
        arguments["input_shape"] = shape
    if built_for is not None:
        arguments["input_shape"] = built_for

    def make(weights: str | None) -> Source:
        source = of_model(getattr(keras.applications, own.name)(weights=weights, **arguments))
        return dataclasses.replace(source, is_trained=True)

    return make


def _from_keras(model: keras.Model, source: Any) -> Source:
    known = origin(model)
    made = None if known is None else constructor_of(known)
    if known is None or made is None or known.network not in APPLICATIONS or not known.alone or known.changes:
        must_be = f"weights themselves; {IMAGENET!r} only exists for {_trained()} as they were built"
        raise checks.refuse("source", source, must_be)
    defaults = {word: given.default for word, given in made.__signature__.parameters.items()}  # type: ignore[attr-defined]
    return _application(known.network, {**defaults, **known.arguments})(IMAGENET)


def _checked_names(names: Any) -> dict[str, str]:
    """A table of names, if both sides can be read and every placeholder of theirs is one of ours."""
    for rule, template in checks.mapping("names", names, "a dict of names by ours").items():
        argument = f"names[{checks.one_line(checks.text('names', rule))}]"
        theirs = checks.text(argument, template)
        try:
            words = {word for _, word, _, _ in Formatter().parse(rule) if word is not None}
            used = {word for _, words_, _, _ in Formatter().parse(theirs) if words_ for word in words_.split(",")}
        except ValueError:
            used = {""}
            words = set()
        if not used <= words:
            raise checks.refuse(argument, theirs, "a name in which placeholders of ours stand, as in weight_names")
    return dict(names)


# Loading.


@dataclass(frozen=True)
class _Table:
    """A table of names, whose it is and of which family, and the dialects that compute the same."""

    library: str
    family: str
    rules: Mapping[str, str] | None
    dialects: tuple[str, ...]


@dataclass(frozen=True)
class _Plan:
    """How a source is loaded; `argument` is what it was given as."""

    argument: str
    only: tuple[str, ...] | None = None
    keep: bool = False
    table: _Table | None = None
    dialect: str | None = None
    channels: Literal["sum", "mean", "repeat"] | None = None
    inflate: str | None = None

    @property
    def is_partial(self) -> bool:
        return self.keep or self.only is not None


@dataclass
class _Steps:
    """What would be written, and what not."""

    writes: list[tuple[Any, _Form, Any]] = dataclasses.field(default_factory=list)
    loaded: list[str] = dataclasses.field(default_factory=list)
    pairs: dict[str, tuple[keras.layers.Layer, str]] = dataclasses.field(default_factory=dict)
    kept: list[str] = dataclasses.field(default_factory=list)
    left: list[str] = dataclasses.field(default_factory=list)
    misfits: list[str] = dataclasses.field(default_factory=list)
    unused: list[str] = dataclasses.field(default_factory=list)
    changed: list[str] = dataclasses.field(default_factory=list)


def give(model: keras.Model, layers: Sequence[keras.layers.Layer], source: Source, *, plan: _Plan) -> Loaded:
    """Load a source into these layers of a model."""
    found, dialect = steps(model, layers, source, plan)
    _write(found.writes)
    for layer, _ in found.pairs.values():
        if isinstance(layer, keras.layers.Normalization):  # which computes with a copy of its weights
            layer.finalize_state()
    return Loaded(tuple(found.loaded), tuple(found.kept), tuple(found.unused), tuple(found.changed), dialect)


def steps(
    model: keras.Model, layers: Sequence[keras.layers.Layer], source: Source, plan: _Plan
) -> tuple[_Steps, str | None]:
    """What loading a source would write, or an error, and the dialect of the source."""
    ours = _weighted(layers)
    if plan.table is None or not any("qkv" in name for name in (plan.table.rules or {}).values()):
        source = with_attention(source)
    table, pairs = _best_table(ours, source, plan)  # of all layers, of which theirs may be numbers
    while not pairs and plan.table is None and (bare := unwrapped(source)) is not None:
        source = with_attention(bare)
        table, pairs = _best_table(ours, source, plan)
    if plan.only is not None:
        for block in plan.only:
            if not any(_is_inside(name, block) for name in ours):
                raise checks.unknown("only", block, sorted({name.partition(".")[0] for name in ours}))
        ours = {name: layer for name, layer in ours.items() if any(_is_inside(name, block) for block in plan.only)}
    _refuse_other_numbers(table, ours, pairs, source, plan)
    found = _found(model, ours, pairs, source, plan)
    if not found.writes and plan.is_partial:
        raise checks.refuse(
            plan.argument,
            _list([*source.tensors], 4),
            f"weights some of which the model has in {_list([*ours], 4) or 'it'}, under a known name and in its shape",
        )
    refused = {"left in the model": found.left, f"left in {plan.argument}": found.unused}
    refused["of another shape"] = found.misfits
    if plan.keep:
        refused = {}
    elif plan.only is not None:
        del refused[f"left in {plan.argument}"]
    dialect = _dialect_said(source, table, plan)
    if any(refused.values()):
        listed = "; ".join(f"{title}: {_list(fault)}" for title, fault in refused.items() if fault)
        whose = f", those of dialect={dialect!r}" if dialect and table.rules is not None else ""
        known = origin(model)
        if whose and known is not None and plan.dialect is None and dialect not in _dialects(known):
            whose = f" (its names are like those of {table.library}'s {table.family}; names= gives others)"
        said = f"{checks.where()}: {plan.argument} must be exactly the tensors of the network{whose}; {listed}"
        raise ValueError(checks.plain(said, _LONGEST))
    _refuse_what_computes_another(model, source, table, found, plan)
    found.kept += [tensor for tensors in (found.left, found.misfits) for tensor in map(_first_word, tensors)]
    outside = {id(layer) for layer in ours.values()}
    found.kept += [
        _spelt(layer, variable) for layer in layers if id(layer) not in outside for variable in layer.weights
    ]
    found.unused = [*map(_first_word, found.unused)]
    return found, dialect


def _first_word(said: str) -> str:
    return said.partition(" ")[0]


def _is_inside(name: str, block: str) -> bool:
    return f"{name}.".startswith(f"{block}.")


def _tables(source: Source) -> Iterator[_Table]:
    """The tables by which a source may be named, those of its kind."""
    libraries = (
        {"torchvision": weight_names.TORCHVISION, "timm": weight_names.TIMM}
        if source.is_torch
        else {
            "layerblocks": weight_names.OURS,
            "keras.applications": weight_names.KERAS,
            "keras-hub": weight_names.KERAS_HUB,
        }
    )
    if not source.is_torch:
        yield _Table("layerblocks", "", None, ())
    for library, families in libraries.items():
        for family, rules in families.items():
            yield _Table(library, family, rules, _one_of_two(source, weight_names.DIALECTS.get((library, family), ())))


def _one_of_two(source: Source, dialects: tuple[str, ...]) -> tuple[str, ...]:
    """Of a network to which Keras adds a constant for its trained weights: with it or without, as the source is.

    A model has the constant; of a file the statistics of the images say it, which are those of ImageNet.
    """
    if RESCALED not in dialects:
        return dialects
    if source.is_trained:
        return (RESCALED,)
    if source.model is not None:
        constants = sum(isinstance(layer, keras.layers.Rescaling) for layer in source.model.layers)
        return (RESCALED if constants > 1 else TRAINED_DIALECT,)
    statistics = [tensors for name, tensors in source.tensors.items() if re.fullmatch("normalization(_[0-9]+)?", name)]
    found = [tensors.get("variance", tensors.get("1")) for tensors in statistics]
    known = any(np.shape(value) == (3,) and np.allclose(value, RESCALED_VARIANCE, atol=1e-3) for value in found)
    return (RESCALED if known else TRAINED_DIALECT,)


def _best_table(ours: Mapping[str, Any], source: Source, plan: _Plan) -> tuple[_Table, dict[str, str]]:
    """The table under which most layers correspond, the first of several, and these layers."""
    tables = [plan.table] if plan.table is not None else [*_tables(source)]
    found = [(table, _pairs(table.rules, ours, source.tensors)) for table in tables]
    table, pairs = max(found, key=lambda entry: len(entry[1]))
    return (table if pairs or plan.table is not None else _Table("", "", None, ())), pairs


def _refuse_other_numbers(
    table: _Table, ours: Collection[str], pairs: Mapping[str, str], source: Source, plan: _Plan
) -> None:
    """Refuse a part of a source whose names are numbers among all its layers, of which it has more or fewer."""
    if not plan.is_partial or table.rules is None:
        return
    for rule, template, matches, found in _lines(table.rules, ours, source.tensors):
        apart = _numbers_apart(rule, template, matches, found)
        if apart is not None and not pairs.keys() & matches.keys():
            must_be = f"one that counts as many layers as the network, {apart[0]}, as {template!r} numbers them"
            raise checks.refuse(plan.argument, apart[1], f"{must_be}; load it into the network that it is of first")


def _dialect_said(source: Source, table: _Table, plan: _Plan) -> str | None:
    """Whose computation the weights are, as far as that is known."""
    if plan.dialect is not None:
        return plan.dialect
    if table.dialects:
        return table.dialects[0]
    return None if source.origin is None else source.origin.dialect


# What is computed.


def _refuse_what_computes_another(
    model: keras.Model, source: Source, table: _Table, found: _Steps, plan: _Plan
) -> None:
    """Compare the model with what the weights were made for; where nothing says what that is, that is an error."""
    if table.library == "layerblocks":
        theirs = source.model if source.model is not None else _built_again(source.origin)
        if theirs is not None:
            _refuse_another_of_ours(model, theirs, source.origin, found, plan, table.rules is None)
        elif source.origin is not None:
            _refuse_what_no_file_holds(model, source.origin, source.computed, plan)
        elif plan.dialect is None and plan.argument == "source" and len(_dialects(origin(model))) > 1:
            must_be = "said, as source does not say whose computation the weights belong to, which"
            raise checks.refuse("dialect", None, f"{must_be} differs between those of {checks.one_line(model.name)}")
        return
    if table.library != "names" and not table.dialects:  # which computes the same in every dialect
        return
    known = origin(model)
    wanted = table.dialects if plan.dialect is None else (plan.dialect,)
    if plan.dialect is None and not wanted:
        if known is not None and known.dialect is None:
            return
        raise checks.refuse("dialect", None, "said where names are given: whose computation the weights belong to")
    if known is None:
        if plan.dialect is not None:
            return
        must_be = f"said, as {checks.one_line(model.name)} does not remember how it was built; {wanted[0]!r} computes"
        raise checks.refuse("dialect", None, f"{must_be} what these weights were trained for")
    made = constructor_of(known)
    if plan.dialect is None and source.model is not None and not source.is_trained:
        _refuse_a_changed_library(model, source.model, known, table, found, plan)
    if known.dialect in wanted:
        if made is not None and plan.dialect is None:
            _refuse_an_argument_of_another(model, known, made, found, plan)
        return
    dialects = _dialects(known)
    needed = next((dialect for dialect in wanted if dialect in dialects), None)
    if needed is None:
        must_be = f"weights of a network in one of the dialects {checks.listed(dialects)} of {known.network}"
        raise checks.refuse(plan.argument, f"those of {' or '.join(wanted)}", must_be)
    only = tuple(found.pairs) if known.changes else None
    apart = _differs_from_the_dialect(model, known, made, needed, only)
    if apart is not None:
        raise _refuse_dialect(plan.argument, known, needed, apart)
    if plan.dialect is None:
        _refuse_an_argument_of_another(model, known, made, found, plan)


def _dialects(known: Origin | None) -> tuple[str, ...]:
    made = None if known is None else constructor_of(known)
    return () if made is None else tuple(made.dialects)  # type: ignore[attr-defined]


# What a layer of another library says as ours do, padding and activation being layers of their own in some.
_SAID_ALIKE = ("strides", "dilation_rate", "groups", "epsilon")


def _refuse_a_changed_library(
    model: keras.Model, source: keras.Model, known: Origin, table: _Table, found: _Steps, plan: _Plan
) -> None:
    """Refuse a model with the names of a library that computes something else than the library's network does."""
    theirs = {layer.name: layer for layer in layers_of(source)}
    alike = _SAID_ALIKE[2:] if known.arguments.get("output_stride") is not None else _SAID_ALIKE
    for layer, name in found.pairs.values():
        for word in alike:
            ours, other = (getattr(one, word, None) for one in (layer, theirs[name]))
            if None not in (ours, other) and ours != other:
                said = f"{layer.name} differs in {word}: {ours!r}, {other!r}"
                if known.dialect in table.dialects:
                    raise checks.complaint(f"model must compute what {plan.argument} does; {said}")
    if table.library != "keras.applications" or known.network not in APPLICATIONS or RESCALED in table.dialects:
        return
    defaults = constructor_of(known)
    words = {word: given.default for word, given in defaults.__signature__.parameters.items()}  # type: ignore[union-attr]
    own = {**words, **known.arguments}
    with weightless(), _order_of(source):
        usual = _application(known.network, own, tuple(source.inputs[0].shape[1:]))(None).model
    renamed = {name: called for called, name in _renumbered(layer.name for layer in source.layers).items()}
    last = {_keras.call_of(tensor).operation.name for tensor in source.outputs}  # softmax or logits
    only = [renamed[name] for _, name in found.pairs.values() if name in renamed and name not in last]
    apart = difference(source, usual, only, _renumbered)
    if apart is not None:
        must_be = f"the network of {table.library}, which it does not compute ({apart})"
        raise checks.refuse(plan.argument, source.name, f"{must_be}; load(…, dialect=…) loads all the same")


@contextmanager
def _order_of(model: keras.Model) -> Iterator[None]:
    """Let Keras build what follows in the order of axes that a model's layers have."""
    orders = (getattr(layer, "data_format", None) for layer in layers_of(model))
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(next((order for order in orders if order), before))
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


def _refuse_what_no_file_holds(model: keras.Model, known: Origin, computed: str | None, plan: _Plan) -> None:
    """Compare the model with the network of a file that cannot be built again, by the digest of what it computes."""
    if plan.dialect is not None or (computed is not None and digest(model) == computed):
        return
    why = f"changed by {_list(known.changes)}" if known.changes else "part of a larger graph"
    if known.unsaved:
        why = f"built with {_list(known.unsaved)}, which no file holds"
    raise checks.complaint(
        f"model must compute what {plan.argument} does, of {known.network} {why}, and is not known to; "
        f"load(…, dialect={known.dialect or 'paper'!r}) loads all the same"
    )


def _refuse_an_argument_of_another(model: keras.Model, known: Origin, made: Any, found: _Steps, plan: _Plan) -> None:
    """Find a change or argument without which the same tensors would be there and something else computed from them."""
    own = {} if known.dialect is None else {"dialect": known.dialect}
    only = tuple(found.pairs) if known.changes or plan.is_partial else None
    whole = model
    if known.changes or not known.alone:
        try:
            with weightless():
                whole = made(**known.arguments, **own)
        except (ValueError, TypeError):
            whole = model
        if known.changes and known.alone and whole is not model:
            apart = difference(model, whole, only)
            if apart is not None:
                raise checks.complaint(
                    f"model must compute what {plan.argument} does; {known.network} was changed since by "
                    f"{_list(known.changes)} ({apart}); load(…, dialect={known.dialect!r}) loads all the same"
                )
    for word in (*known.arguments, *known.unsaved):
        if word in _HARMLESS:
            continue
        others = {other: value for other, value in known.arguments.items() if other != word}
        try:
            with weightless():
                usual = made(**others, **own)
        except (ValueError, TypeError):  # which the others need
            continue
        apart = difference(whole, usual, only) if _shapes(usual, only) == _shapes(whole, only) else None
        if apart is not None:
            raise checks.complaint(
                f"model must compute what {plan.argument} does; {known.network} was built with an argument "
                f"{word!r} that changes it ({apart}); load(…, dialect={known.dialect!r}) loads all the same"
            )


def _shapes(model: keras.Model, only: Collection[str] | None) -> dict[str, list[tuple[int, ...]]]:
    return {
        name: [tuple(weight.shape) for weight in layer.weights]
        for name, layer in _weighted(model.layers).items()
        if only is None or name in only
    }


def _differs_from_the_dialect(
    model: keras.Model, known: Origin, made: Any, dialect: str, only: Collection[str] | None = None
) -> str | None:
    """Where the model computes something else than the same network in another dialect."""
    if not known.alone or known.unsaved:
        return "it is part of a larger graph" if not known.alone else f"{known.unsaved[0]} was not saved with it"
    try:
        with weightless():
            other = made(**known.arguments, dialect=dialect)
    except (ValueError, TypeError) as error:
        return checks.plain(str(error), 200)
    return difference(model, other, only)


def _refuse_dialect(argument: str, known: Origin, dialect: str | None, apart: str) -> Exception:
    return checks.complaint(
        f"model must be built with dialect={dialect!r} for these {'weights' if argument == 'source' else argument}, "
        f"{known.network} was built with dialect={known.dialect!r} ({apart})"
    )


def _built_again(known: Origin | None) -> keras.Model | None:
    """The network that a file of weights was saved from, as far as the file says how it was built."""
    made = None if known is None else constructor_of(known)
    if known is None or made is None or known.unsaved or known.changes or not known.alone:
        return None
    try:
        with weightless():
            return made(**known.arguments, **({} if known.dialect is None else {"dialect": known.dialect}))
    except (ValueError, TypeError):  # a file may say anything
        return None


def _refuse_another_of_ours(
    model: keras.Model, source: keras.Model, given: Origin | None, found: _Steps, plan: _Plan, same_names: bool
) -> None:
    if plan.is_partial or plan.inflate is not None:
        theirs = {layer.name: layer for layer in source.layers}
        last = {id(_keras.call_of(tensor).operation) for tensor in wired(model).outputs}
        for layer, name in found.pairs.values():
            aside = ("activation",) if id(layer) in last else ()  # softmax or logits
            if same_names and not alike(layer, theirs[name]):
                kinds = " and not ".join(type(one).__name__ for one in (layer, theirs[name]))
                raise checks.complaint(f"model must compute what {plan.argument} does; {layer.name} is of {kinds}")
            apart = layers_differ(layer, theirs[name], aside) if name in theirs else None
            if apart is not None:
                raise checks.complaint(f"model must compute what {plan.argument} does; {layer.name} differs in {apart}")
        compared = same_names and plan.dialect is None
        apart = neighbours_differ(model, source, found.pairs) if compared else None
        if apart is not None:
            raise checks.complaint(f"model must compute what {plan.argument} does; they differ in {apart}")
        return
    known = origin(model)
    remembered = known is not None and given is not None and not known.changes and not given.changes
    if known is not None and given is not None and remembered and _meant(known) == _meant(given):
        if known.dialect == given.dialect:
            return
        made = constructor_of(known)
        if made is not None and given.dialect is not None and given.dialect in made.dialects:  # type: ignore[attr-defined]
            apart = _differs_from_the_dialect(model, known, made, given.dialect)
            if apart is None:
                return
            raise _refuse_dialect(plan.argument, known, given.dialect, apart)
    apart = difference(model, source)
    if apart is None or (plan.dialect is not None and not remembered):
        return
    raise checks.complaint(f"model must compute what {plan.argument} does; they differ in {apart}")


def _meant(known: Origin) -> tuple[Any, ...]:
    """The constructor's family and the arguments that change the meaning of weights."""
    made = constructor_of(known)
    walk = known.network if made is None else made.walk.__name__  # type: ignore[attr-defined]
    bound = {} if made is None else made.defaults  # type: ignore[attr-defined]
    own = {**bound, **known.arguments}
    return walk, {word: value for word, value in own.items() if word not in _HARMLESS}


# Names.


def _weighted(layers: Iterable[keras.layers.Layer]) -> dict[str, keras.layers.Layer]:
    """The layers that have weights by their relative names."""
    by_name = {layer.name: layer for layer in layers if layer.weights}
    return {short: by_name[name] for short, name in relative(by_name).items()}


class _Group:
    """What a placeholder of our name stands for: a word or a number, and its place among the alternatives."""

    def __init__(self, text: str, number: int) -> None:
        self.text, self.number = text, number

    def __format__(self, spec: str) -> str:
        if "|" in spec:
            words = spec.split("|")
            return words[self.number] if self.number < len(words) else str(self.number)  # which no name has
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
        found = relative(theirs)
        return {name: found[name] for name in ours if name in found}
    pairs: dict[str, str] = {}
    for rule, template, matches, found in _lines(table, ours, theirs):
        if _numbers_apart(rule, template, matches, found) is None:
            pairs |= {name: other for name, groups in matches.items() if (other := _partner(template, groups, found))}
    return pairs


def _lines(
    table: Mapping[str, str], ours: Iterable[str], theirs: Iterable[str]
) -> Iterator[tuple[str, str, dict[str, dict[str, _Group]], dict[str, str]]]:
    """Each line of a table, what it matches of ours, and what is left of theirs by what tables call it."""
    found, rest = _renumbered(theirs), list(ours)
    for rule, template in table.items():
        matches = _matches(rule, rest)
        _add_places(template, matches)
        yield rule, template, matches, found
        for groups in matches.values():
            found.pop(template.format_map(groups), None)
        rest = [name for name in rest if name not in matches]


def _partner(template: str, groups: Mapping[str, _Group], found: Mapping[str, str]) -> str | None:
    return found.get(template.format_map(groups))


def _numbers_apart(
    rule: str, template: str, matches: Mapping[str, dict[str, _Group]], found: Iterable[str]
) -> tuple[int, int] | None:
    """How many layers of ours and of theirs are counted, where a name is a number among all of them and these differ.

    A number then says nothing: the fifth convolution of a deeper network is another one. Lines that begin further on
    count a part.
    """
    fields = [(field, spec or "") for _, field, spec, _ in Formatter().parse(template)]
    places = {(field, spec) for field, spec in fields if field and "," in field and spec[:1] != "+"}
    if not places or not matches:
        return None
    pattern = re.compile(_of_their_line(template, _words_of(rule)))
    theirs = {match.groups() for name in found if (match := pattern.fullmatch(name))}
    ours = {tuple(format(groups[field], spec) for field, spec in places) for groups in matches.values()}
    return None if ours == theirs or not theirs else (len(ours), len(theirs))


def _of_their_line(template: str, words: Mapping[str, str]) -> str:
    """What their names look like in a line, a group for each place; `words` are the alternatives of ours."""
    pattern = ""
    for literal, field, spec, _ in Formatter().parse(template):
        pattern += re.escape(literal)
        if field is not None and "," in field:
            pattern += "([0-9]+)"
        elif field is not None:
            choices = spec if spec and "|" in spec else "" if spec else words.get(field, "")
            pattern += f"(?:{'|'.join(map(re.escape, choices.split('|')))})" if choices else "[0-9]+"
    return pattern


def _of_theirs(table: Mapping[str, str] | None) -> re.Pattern[str]:
    """What their names look like in a table."""
    patterns = [_of_their_line(template, _words_of(rule)) for rule, template in (table or {}).items()]
    return re.compile("|".join(patterns) or r"(?!)")


def _words_of(rule: str) -> dict[str, str]:
    return {field: spec for _, field, spec, _ in Formatter().parse(rule) if field and spec}


# Tensors.


@dataclass(frozen=True)
class _Form:
    """How a tensor of ours is laid out elsewhere: seen as `view`, its axes in the order `axes`, in all as `shapes`."""

    view: tuple[int, ...]
    axes: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]

    def ours(self, value: Any) -> Any:
        turned = np.reshape(value, [self.view[axis] for axis in self.axes])
        return np.transpose(turned, np.argsort(self.axes))


def _keras_form(layer: keras.layers.Layer, name: str, shape: tuple[int, ...]) -> _Form:
    """As it is; a dense layer may be a convolution elsewhere and the other way round, a depthwise one one of groups."""
    others: list[tuple[int, ...]] = []
    if isinstance(layer, keras.layers.DepthwiseConv2D) and name == "kernel":
        others = [(*shape[:2], 1, prod(shape[2:]))]
    elif len(shape) == 2:
        others = [(1, 1, *shape)]
    elif name == "kernel" and len(shape) == 4:
        others = [(prod(shape[:-1]), shape[-1])]
    return _Form(shape, tuple(range(len(shape))), (shape, *others))


def _torch_form(
    pixels: Mapping[str, tuple[int, ...]], layer: keras.layers.Layer, name: str, shape: tuple[int, ...]
) -> _Form:
    """Torch's order of axes; `pixels` holds (height, width, channels) by the names of layers that see them in a row."""
    if name == "depthwise_kernel" or (len(shape) == 4 and isinstance(layer, keras.layers.DepthwiseConv2D)):
        height, width, channels, multiplier = shape
        return _Form(shape, (2, 3, 0, 1), ((channels * multiplier, 1, height, width),))
    if isinstance(layer, keras.layers.MultiHeadAttention) and "/" in name:
        return _attention_form(name, shape)
    if name in ("position_bias", "token", "embeddings"):
        axes = (1, 0) if name == "embeddings" and layer.channel_axis == 1 else tuple(range(len(shape)))
        turned = tuple(shape[axis] for axis in axes)
        return _Form(shape, axes, ((*(1,) * (3 - len(shape)), *turned), turned)[name == "position_bias" :])
    if name == "logit_scale":
        return _Form(shape, (0, 1, 2), (shape,))
    if len(shape) == 2:
        view = (*pixels.get(layer.name, shape[:1]), shape[1])
        axes = (3, 2, 0, 1) if len(view) == 4 else (1, 0)
        kernel = tuple(view[axis] for axis in axes)
        return _Form(view, axes, (shape[::-1], kernel if len(view) == 4 else (*kernel, 1, 1)))
    if len(shape) > 2:
        axes = (len(shape) - 1, len(shape) - 2, *range(len(shape) - 2))
        kernel = tuple(shape[axis] for axis in axes)
        return _Form(shape, axes, (kernel, (kernel[0], prod(kernel[1:]))))
    pixel = [(*shape, 1, 1)] if isinstance(layer, LayerScale) else []
    return _Form(shape, tuple(range(len(shape))), (shape, *pixel))


def _attention_form(name: str, shape: tuple[int, ...]) -> _Form:
    """Of a projection to heads or from them, which is one of all heads in torch."""
    if name.endswith("bias"):
        return _Form((prod(shape),), (0,), ((prod(shape),),))
    is_last = name.startswith("attention_output")
    view = (prod(shape[:-1]), shape[-1]) if is_last else (shape[0], prod(shape[1:]))
    return _Form(view, (1, 0), (view[::-1],))


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


def _found(
    model: keras.Model, ours: Mapping[str, keras.layers.Layer], pairs: Mapping[str, str], source: Source, plan: _Plan
) -> _Steps:
    """Each variable with its form and value in the source, and what has no partner."""
    form_of = partial(_torch_form, _flattened(model)) if source.is_torch else _keras_form
    first = first_with_weights(model) if plan.channels is not None else set()
    unused = {(name, tensor): value for name, tensors in source.tensors.items() for tensor, value in tensors.items()}
    found = _Steps()
    for short, layer in ours.items():
        before, left = len(found.writes), len(found.left)
        taken: dict[tuple[str, str], Any] = {}
        for place, variable in enumerate(layer.weights):
            name, shape = _tensor_name(layer, variable), tuple(variable.shape)
            theirs = pairs.get(short, "")
            names = (TORCH_TENSORS.get(name, name),) if source.is_torch else (name, str(place))
            if source.is_torch and isinstance(layer, keras.layers.SeparableConv2D) and name == "bias":
                names = ("pointwise.bias",)
            key = next(((theirs, one) for one in names if (theirs, one) in unused), None)
            tensor = _spelt(layer, variable)
            if key is None:
                found.left.append(f"{tensor} {shape}")
                continue
            value = taken[key] = unused.pop(key)
            given = tuple(value.shape)
            form = form_of(layer, name, shape)
            if isinstance(value, np.ndarray):
                _refuse_values(f"{_dotted(key)} of {plan.argument}", value, variable, name)
            if given not in form.shapes:
                adapted = _adapted(layer, name, shape, value, form_of, source, plan, layer.name in first)
                if adapted is None:
                    must_be = f"{tensor} must be {form.shapes[0]}, {_dotted(key)} is {given}"
                    found.misfits.append(must_be)
                    continue
                value, form = adapted, _Form(shape, tuple(range(len(shape))), (shape,))
                found.changed.append(f"{tensor} {given} -> {shape}")
            found.writes.append((variable, form, value))
            found.loaded.append(tensor)
        if plan.is_partial and isinstance(layer, _NORMS) and len(found.left) > left:
            found.left += [
                f"{_spelt(layer, variable)} {tuple(variable.shape)}" for variable, _, _ in found.writes[before:]
            ]
            unused.update(taken)
            del found.writes[before:], found.loaded[before:]
        if len(found.writes) > before:
            found.pairs[short] = layer, pairs[short]
    found.unused = [f"{_dotted(key)} {tuple(value.shape)}" for key, value in unused.items()]
    return found


def _refuse_values(argument: str, value: np.ndarray, variable: Any, name: str) -> None:
    """Refuse numbers of a file or dict that the model would compute NaN of."""
    if value.dtype.kind not in "fiu":
        return
    largest = {"float16": 65504.0, "float32": float(np.finfo("float32").max)}.get(str(variable.dtype), np.inf)
    for wrong, must_be in (
        (~np.isfinite(value), "finite numbers"),
        (np.abs(value) > largest, f"numbers that {variable.dtype} can hold"),
        (value < 0 if name == "moving_variance" else np.zeros((), bool), "variances, numbers of at least 0"),
    ):
        if wrong.any():
            raise checks.refuse(argument, value[wrong][0].item(), must_be)


def _adapted(
    layer: keras.layers.Layer,
    name: str,
    shape: tuple[int, ...],
    value: Any,
    form_of: Callable[[keras.layers.Layer, str, tuple[int, ...]], _Form],
    source: Source,
    plan: _Plan,
    sees_the_image: bool,
) -> np.ndarray | None:
    """A kernel with its channels or its rank changed as the plan allows, None where that does not make it fit."""
    given = tuple(value.shape)
    is_flat = plan.inflate is not None and len(shape) == 5 and len(given) == 4 and name == "kernel"
    if name != "kernel" or len(given) < 3 or len(given) != len(shape) - is_flat:
        return None
    theirs = shape[1:] if is_flat else shape
    if plan.channels is not None and sees_the_image:
        theirs = (*theirs[:-2], given[1] if source.is_torch else given[-2], theirs[-1])
    form = form_of(layer, name, theirs)
    if given not in form.shapes:
        return None
    kernel = form.ours(np.asarray(value))
    if plan.inflate is not None and is_flat:
        kernel = _INFLATIONS[plan.inflate](kernel[None], shape[0])
    if plan.channels is not None and kernel.shape != shape:
        kernel = kernel_for_channels(kernel, shape[-2], plan.channels)
    return kernel if kernel.shape == shape else None


def _tensor_name(layer: keras.layers.Layer, variable: Any) -> str:
    return variable.path.rpartition(f"{layer.name}/")[-1]


def _spelt(layer: keras.layers.Layer, variable: Any) -> str:
    return f"{layer.name}.{_tensor_name(layer, variable)}"


def _write(writes: Iterable[tuple[Any, _Form, Any]]) -> None:
    for variable, form, value in writes:
        variable.assign(np.reshape(form.ours(np.asarray(value)), variable.shape))


def _dotted(words: Iterable[str]) -> str:
    return ".".join(filter(None, words))


def _list(items: Sequence[str], most: int = _LISTED) -> str:
    more = f"{', …' if most < _LISTED else ''} and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
