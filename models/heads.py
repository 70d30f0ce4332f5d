"""New ends of a network: other classes, other heads, several of them, auxiliary ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import keras

from .. import _keras, checks
from ..blocks import arguments, block, classifier
from ..checks import public
from .outputs import main_output, output_weights
from .predictions import End, end_of, features_of, gives_logits
from .rebuilding import (
    Change,
    Growing,
    Piece,
    assembled,
    assembled_with,
    guarded,
    leaving_of,
    names,
    outermost,
    rebuild,
)
from .rewiring import Chain, Wiring

_NAME = re.compile(r"[\w-]+", re.ASCII)
_HEAD = "a positive integer, the number of classes, or a function of one tensor"
_HEADS = f"{_HEAD}, or a dict of these by output"


@public
def with_new_head(
    model: keras.Model, head: int | Piece | Mapping[str, int | Piece], *, at: str | None = None, **options: Any
) -> keras.Model:
    """Put a new end, untrained, on the body of a network.

    With a number of classes the layer that makes the predictions of every output, the auxiliary ones too, gives way to
    one of so many: a dense layer, or the convolution that predicts each pixel. A network that ends otherwise, as
    without its top, gets a `classifier` after its last feature map.

    With a function everything after the features of the main output gives way to what it makes of these. They end
    before the last map is pooled, flattened or averaged, whatever does so and in whatever nested model, so that the
    function is given the map, as `classifier` is: a dense layer alone would answer for each of its pixels. Where
    positions stay, as in a segmentation, or there are none, they end at the layer that makes the predictions. Hidden
    dense layers between stay with a number of classes and go with a function.

    With a dict of numbers and functions the model has these heads, on the same features, and no others.

    Args:
        model: functional or sequential.
        head: number of classes, or a function from tensor to tensor, or a dict of them by the keys of the outputs.
        at: name of the block or layer whose output is the features, where they are not those found.
        options: with a number of classes, what the last layer has otherwise than the old one, such as
            `activation=None` for logits; where there was none, or with `at`, those of `classifier`.

    Raises:
        ValueError: `head` is out of range, or it is not known where the features of an output end: `at` says it.
        TypeError: `head` is neither, or there are options for a function.

    Example:
        >>> from layerblocks.architectures import googlenet
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = with_new_head(googlenet(), 10)
        ...     several = with_new_head(googlenet(), {"species": 200, "age": 1})
        >>> {key: output.shape for key, output in model.output.items()}
        {'main': (None, 10), 'aux1': (None, 10), 'aux2': (None, 10)}
        >>> {key: output.shape for key, output in several.output.items()}
        {'species': (None, 200), 'age': (None, 1)}
    """
    wiring = Wiring(model)
    main = main_output(wiring.model)
    given = None if at is None else leaving_of(wiring, "at", at)
    if isinstance(head, Mapping):
        return _with_heads(wiring, _checked_heads(head), given, options)
    if callable(head):
        if options:
            raise checks.complaint(f"unexpected argument {next(iter(options))!r} where head is a function", TypeError)
        return _with_piece(wiring, main, given, head, "head", "head", _HEAD)
    classes = checks.integer("head", head, must_be=_HEADS)
    if given is not None:
        return _with_piece(wiring, main, given, _classifier(given[1], classes, options), "classifier")
    changes: list[Change] = []
    for output in wiring.model.outputs:
        end = end_of(output)
        if end.call is not None:
            like = _like(end.call.operation, classes, options)
            changes.append(Change(end.call.input_tensors, end.call.outputs, like, end.chain))
            changes += _reshaped(end, classes)
        elif output is main and not end.closed:
            grow = Growing(_classifier(main, classes, options), "classifier", names([main]))
            changes.append(Change([main], [main], grow))
        else:
            raise _unknown_end(end, main=output is main)
    return rebuild(wiring, changes)


def _unknown_end(end: End, main: bool = True) -> Exception:
    place = ".".join(call.operation.name for call in (*end.chain, end.place))
    name = checks.one_line(place)
    way = "at=, the block whose output is the features, says it" if main else f"`replace(model, {name}, fn)` changes it"
    return checks.refuse("model", f"the output of {place}", f"one whose features are known to end somewhere; {way}")


def _with_piece(
    wiring: Wiring,
    main: Any,
    given: tuple[Chain, Any] | None,
    fn: Piece,
    name: str,
    argument: str = "fn",
    must_be: str = "a function of one tensor",
) -> keras.Model:
    """A function in the place of all that follows the features."""
    if given is None:
        chain, tensor, end = features_of(main)
        if tensor is None:
            raise _unknown_end(end)
        given = chain, tensor
    (features,) = outermost(wiring, [given])
    grow = Growing(fn, name, names([features]), argument, must_be)
    return rebuild(wiring, [Change([features], [main], grow)])


def _classifier(features: Any, classes: int, options: Mapping[str, Any]) -> Piece:
    """A classifier for features of that rank."""
    rank = len(features.shape)
    if rank in (2, 4):
        pooling = "avg" if rank == 4 else None
        return partial(classifier, classes=classes, **{"pooling": pooling, **options})
    pools = {3: keras.layers.GlobalAveragePooling1D, 5: keras.layers.GlobalAveragePooling3D}
    if rank not in pools:
        raise checks.refuse("model", f"features of shape {tuple(features.shape)}", "one of signals, images or volumes")
    return partial(_pooled_classifier, pool=pools[rank], classes=classes, options=options)


@block
def _pooled_classifier(x: Any, *, pool: Any, classes: int, options: Mapping[str, Any], name: str | None = None) -> Any:
    return classifier(pool(name="pool")(x), classes, pooling=None, name="dense", **options)


Grow = Callable[[Sequence[Any]], Sequence[Any]]


def _like(layer: Any, classes: int, options: Mapping[str, Any], name: str | None = None) -> Grow:
    """Make a layer of so many units or filters, apart from the options as the old one and of its name, or another."""
    inner = layer.layer if isinstance(layer, keras.layers.TimeDistributed) else layer
    size = "units" if isinstance(inner, keras.layers.Dense) else "filters"
    kind: Any = type(inner)
    arguments.options(kind, dict(options))
    if size in options:
        raise checks.complaint(f"unexpected argument {size!r}: head is their number", TypeError)
    for word, option in options.items():
        arguments.identifier(word, option)
    config = {**inner.get_config(), size: classes, **options}
    if name is not None and inner is layer:
        config["name"] = name
    try:
        made: Any = kind.from_config(config)
    except (TypeError, ValueError) as error:
        raise checks.complaint(str(error), type(error)) from error
    if inner is not layer:
        made = keras.layers.TimeDistributed(made, name=layer.name if name is None else name)
    return _of(made)


def _of(layer: Any) -> Grow:
    return lambda sources: [layer(*sources)]


def _reshaped(end: End, classes: int) -> Iterator[Change]:
    """The layers after the predictions that give these a shape with the number of classes in it, made for another."""
    old = end.call.outputs[0].shape
    for chain, call in end.after:
        layer = call.operation
        if isinstance(layer, keras.layers.Reshape) and (channels := {old[-1], old[1]} & {*layer.target_shape}):
            target = [classes if size in channels else size for size in layer.target_shape]
            made = keras.layers.Reshape(target, name=layer.name)
            yield Change(call.input_tensors, call.outputs, _of(made), chain)


# -- several heads ----------------------------------------------------------------------------------------------------


def _first(grow: Grow, x: Any) -> Any:
    return grow([x])[0]


def _checked_heads(heads: Mapping[Any, Any]) -> dict[str, Any]:
    if not heads or not all(isinstance(key, str) and key for key in heads):
        raise checks.refuse("head", heads, "a dict of one head or more by the names of the outputs")
    return {
        key: one if callable(one) else checks.integer(f"head[{key!r}]", one, must_be=_HEAD)
        for key, one in heads.items()
    }


def _with_heads(
    wiring: Wiring, heads: Mapping[str, Any], given: tuple[Chain, Any] | None, options: Mapping[str, Any]
) -> keras.Model:
    """Heads by output, on the features of the main output, or of that of the same key."""
    main, outputs = main_output(wiring.model), wiring.model.output
    own = {key: outputs[key] if isinstance(outputs, Mapping) and key in outputs else main for key in heads}
    found = {key: (*given, None) if given is not None else features_of(output) for key, output in own.items()}
    # A number of classes goes where that was which it replaces, unless another head looks into a nested model there.
    apart = all(not chain for chain, *_ in found.values())
    places: list[tuple[Chain, Any]] = []
    pieces: list[Any] = []
    for key, head in heads.items():
        chain, tensor, end = found[key]
        if apart and end is not None and end.call is not None and not end.chain and not callable(head):
            chain, tensor = end.chain, end.call.input_tensors[0]
            like = _like(end.call.operation, head, options, name=f"{key}.predictions")
            pieces.append(partial(_first, like))
        elif tensor is None and end is not None:
            raise _unknown_end(end)
        else:
            pieces.append(head if callable(head) else _classifier(tensor, head, options))
        places.append((chain, tensor))
    sources = outermost(wiring, places)
    taken = names(sources)
    grown = {
        key: Growing(piece, key, taken, f"head[{key!r}]")([source])
        for key, piece, source in zip(heads, pieces, sources, strict=True)
    }
    for key, tensors in grown.items():
        if len(tensors) != 1:
            raise checks.refuse(f"head[{key!r}]", len(tensors), "a function that gives 1 tensors")
    made = {key: tensors[0] for key, tensors in grown.items()}
    model = guarded(assembled(wiring.model, wiring.model.input, made))
    model.loss_weights = output_weights(made)
    return model


@public
def add_aux_head(model: keras.Model, at: str, head: int | Piece, *, name: str | None = None) -> keras.Model:
    """Add an auxiliary head to a finished network, on what leaves a block, as the paper of GoogLeNet does.

    Args:
        model: functional or sequential; a single output of it is `main` afterwards.
        at: name of the block or layer, in a nested model too.
        head: a number of classes, for a `classifier` that ends as the main output does (softmax, or logits); or a
            function from tensor to tensor, such as `partial(aux_classifier, classes=10)`.
        name: of the output; None for the next of `aux1`, `aux2`, …, whose loss `compile_args` weighs by 0.3.

    Raises:
        ValueError: there is no such block, several tensors leave it, or the name is taken.
        TypeError: `head` is neither.

    Example:
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = add_aux_head(resnet18(classes=10), "stage3", 10)
        >>> {key: output.shape for key, output in model.output.items()}
        {'main': (None, 10), 'aux1': (None, 10)}
    """
    wiring = Wiring(model)
    chain, inside = leaving_of(wiring, "at", at)
    network, tensor = _exposed(wiring, chain, inside)
    outputs = network.output if isinstance(network.output, Mapping) else {"main": network.output}
    if isinstance(outputs.get("main"), list | tuple):
        raise checks.refuse("model", wiring.model.name, "one of one output or of a dict of them")
    if name is None:
        name = next(f"aux{number}" for number in range(1, len(outputs) + 2) if f"aux{number}" not in outputs)
    elif not isinstance(name, str) or not _NAME.fullmatch(name) or name in outputs:
        raise checks.refuse("name", name, f"a name other than those of the outputs, {', '.join(outputs)}, of letters")
    if not callable(head):
        classes = checks.integer("head", head, must_be=_HEAD)
        logits = {"activation": None} if gives_logits(main_output(wiring.model)) else {}
        head = _classifier(tensor, classes, logits)
    made = Growing(head, name, names(network.outputs), "head", _HEAD)([tensor])
    if len(made) != 1:
        raise checks.refuse("head", len(made), "a function that gives 1 tensors")
    grown = {**outputs, name: made[0]}
    built = guarded(assembled(network, network.input, grown))
    built.loss_weights = {**output_weights(grown), **getattr(wiring.model, "loss_weights", {})}
    return built


def _exposed(wiring: Wiring, chain: Chain, tensor: Any) -> tuple[keras.Model, Any]:
    """A model in which a tensor of a nested one is a tensor of its own graph, computed by the same call of that."""
    if not chain:
        return wiring.model, tensor
    call = chain[0]
    if sum(other.operation is call.operation for other in wiring.calls) > 1:
        raise checks.refuse("at", call.operation.name, "in a nested model that is called once")
    inner, inside = _exposed(wiring.within(call), chain[1:], tensor)
    part = assembled(inner, inner.input, [*inner.outputs, inside])
    taps: list[Any] = []

    def grow(sources: Sequence[Any]) -> list[Any]:
        *made, tap = _keras.call_again(call, dict(zip(map(id, call.input_tensors), sources, strict=True)), part)
        taps.append(tap)
        return made

    model = assembled_with(wiring, [Change(call.input_tensors, call.outputs, grow)], [])
    return model, taps[0]
