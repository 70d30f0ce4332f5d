"""Change a piece of a finished network and keep everything else: its layers, their weights and their names.

A piece is addressed by the name of its block (`stage3.block2`), of a layer, or, in networks whose names have no dots,
by what the names of its layers start with (`conv4_block6` of `keras.applications`). In its place comes a function
from tensor to tensor, most simply one of `layerblocks.blocks` with its arguments: `partial(bottleneck, filters=1024)`.

What comes back is a new model, not compiled. The layers that stay are the very same objects in both models: nothing is
allocated or copied, and training one trains the other (`keras.models.clone_model` gives layers of their own). Where
layers had to be called anew, after a change, the new model stands on inputs of its own; `layer.output` still is the
tensor of the network that the layer was first called in, and `tensor_at` gives that of the model at hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from .. import _keras, checks
from ..blocks import arguments, classifier
from ..blocks.core import default_of, is_block, scope
from ..blocks.layers import MinimumSize
from ..blocks.tensors import channel_axis
from ..blocks.types import Tensor
from ..checks import public
from ..graphs.calls import calls, infer, trunk
from ..graphs.window_arithmetic import LARGEST_MINIMUM, least_side
from .outputs import main_output
from .rewiring import Wiring, images_of, inputs_again, recompute, shapes

Piece = Callable[[Any], Any]

# What a classifier begins with.
POOLS = (keras.layers.Flatten, keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)
# What predictions end in.
FINAL = (keras.activations.softmax, keras.activations.sigmoid, keras.activations.linear)


@public
def tensor_at(model: keras.Model, at: str) -> Tensor:
    """Get the tensor that leaves a block of this very model; what `get_layer(at).output` is for a single layer.

    Args:
        model: functional or sequential.
        at: name of a layer or block.

    Raises:
        ValueError: there is no such block, or several tensors leave it.
        TypeError: `model` is no model with a graph.

    Example:
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     tensor_at(resnet18(), "stage2").shape
        (None, 28, 28, 128)
    """
    wiring = Wiring(model)
    return wiring.the_one("at", at, wiring.leaving(wiring.block("at", at)), "leaves")


@public
def replace(model: keras.Model, name: str, fn: Piece) -> keras.Model:
    """Put what `fn` makes in the place of a block.

    Args:
        model: functional or sequential.
        name: of the block or layer that goes. A layer called several times goes in every place, and so does what
            comes, with the same weights everywhere.
        fn: from the tensor that entered the block to the one that leaves it; from and to lists where there are several.
            A block without a name gets that of the old one, and any other layers are named into it.

    Raises:
        ValueError: there is no such block, nothing enters or leaves it, or what follows does not fit the new shape.
        TypeError: `fn` is no function, or does not give tensors.

    Example:
        >>> from functools import partial
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import basic_residual, separable, weightless
        >>> with weightless():
        ...     model = replace(resnet18(), "stage4.block2", partial(basic_residual, filters=512, conv=separable))
        >>> model.get_layer("stage4.block2.conv1.conv").__class__.__name__
        'SeparableConv2D'
    """
    wiring = Wiring(model)
    block = wiring.block("name", name)
    one_layer = len({id(call.operation) for call in block}) == 1
    grow = _Growing(fn, name, set(wiring.names) - {call.operation.name for call in block})
    parts = [[call] for call in block] if one_layer else [block]
    return _rebuild(wiring, [(_change(wiring, name, part), grow) for part in parts])


@public
def insert(model: keras.Model, after: str, fn: Piece, *, name: str | None = None) -> keras.Model:
    """Put what `fn` makes after a block, before everything that used its output.

    Args:
        model: functional or sequential.
        after: name of the block or layer, which one tensor leaves; that of the input for the very beginning.
        fn: from that tensor to another one.
        name: of the new block; None for that of the function, made unique.

    Raises:
        ValueError: there is no such block, several tensors leave it, what follows does not fit the new shape, or
            `name` is taken.
        TypeError: `fn` is no function, or does not give a tensor.

    Example:
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import squeeze_excite, weightless
        >>> with weightless():
        ...     model = insert(resnet18(), after="stage3", fn=squeeze_excite)
        >>> tensor_at(model, "squeeze_excite").shape
        (None, 14, 14, 256)
    """
    wiring = Wiring(model)
    tensor = wiring.the_one("after", after, wiring.leaving(wiring.block("after", after)), "leaves")
    taken = set(wiring.names)
    if name is not None and (not isinstance(name, str) or _unused(name, taken) != name):
        raise checks.refuse("name", name, "one that the model does not have yet")
    grow = _Growing(fn, _function_name(fn) if name is None else name, taken)
    return _rebuild(wiring, [(_Change([tensor], [tensor]), grow)])


@public
def remove(model: keras.Model, name: str) -> keras.Model:
    """Take a block out: what entered it goes on in its place. A whole branch to an output goes with its output.

    Args:
        model: functional or sequential.
        name: of a block that one tensor enters and one leaves, or of an auxiliary head, such as `"aux1"`.

    Raises:
        ValueError: there is no such block, several tensors enter or leave it, or what follows does not fit the shape
            of what entered it.

    Example:
        >>> from layerblocks.architectures import googlenet
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = remove(googlenet(), "aux1")
        >>> sorted(model.output)
        ['aux2', 'main']
    """
    wiring = Wiring(model)
    block = wiring.block("name", name)
    leaving = wiring.leaving(block)
    kept = _without(wiring.model.output, _ids(leaving))
    if kept and _ids(wiring.calls) - _ids(calls(keras.tree.flatten(kept))) == _ids(block):
        return _assembled(wiring.model, wiring.model.input, kept)
    wiring.the_one("name", name, wiring.entering(block), "enters")
    wiring.the_one("name", name, leaving, "leaves")
    return _rebuild(wiring, [(_change(wiring, name, block), lambda sources: sources)])


@public
def truncate(model: keras.Model, at: str) -> keras.Model:
    """Cut a network off after a block: what leaves the block is the output.

    In a dict of outputs that is `main`; the others stay as far as nothing that they need was cut off.

    Args:
        model: functional or sequential.
        at: name of a block or layer, which one tensor leaves.

    Raises:
        ValueError: there is no such block, or several tensors leave it.

    Example:
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = with_new_head(truncate(resnet18(), at="stage3"), 10)
        >>> model.count_params()
        2789834
    """
    wiring = Wiring(model)
    tensor = wiring.the_one("at", at, wiring.leaving(wiring.block("at", at)), "leaves")
    outputs = wiring.model.output
    if not isinstance(outputs, Mapping) or "main" not in outputs:
        return _assembled(wiring.model, wiring.model.input, tensor)
    cut = _ids(calls([outputs["main"]])) - _ids(calls([tensor]))
    kept = {key: output for key, output in outputs.items() if not cut & _ids(calls([output]))}
    return _assembled(wiring.model, wiring.model.input, {**kept, "main": tensor})


@public
def with_new_head(model: keras.Model, head: int | Piece, **options: Any) -> keras.Model:
    """Put a new end, untrained, on the body of a network.

    With a number of classes the dense layer at the end of every output, the auxiliary ones too, gives way to one of so
    many units. A network that ends otherwise, as without its top, gets a `classifier` after its last feature map.

    With a function everything from the global pooling (or flattening) of the main output on gives way to what it makes
    of the last feature map.

    Args:
        model: functional or sequential.
        head: number of classes, or a function from tensor to tensor.
        options: with a number of classes, what the last dense layer has otherwise than the old one, such as
            `activation=None` for logits; where there was none, those of `classifier`.

    Raises:
        ValueError: `head` is out of range, or an output other than the main one ends without a dense layer.
        TypeError: `head` is neither, or there are options for a function.

    Example:
        >>> from layerblocks.architectures import googlenet
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = with_new_head(googlenet(), 10)
        >>> {key: output.shape for key, output in model.output.items()}
        {'main': (None, 10), 'aux1': (None, 10), 'aux2': (None, 10)}
    """
    wiring = Wiring(model)
    main = main_output(wiring.model)
    pooled = next((call for call in trunk(main) if isinstance(call.operation, POOLS)), None)
    features = main if pooled is None else pooled.input_tensors[0]
    if callable(head):
        if options:
            raise checks.complaint(f"unexpected argument {next(iter(options))!r} where head is a function", TypeError)
        return _rebuild(wiring, [(_Change([features], [main]), _Growing(head, "head", _names([features])))])
    classes = checks.integer("head", head)
    changes: list[tuple[_Change, Grow]] = []
    for output in wiring.model.outputs:
        last, closed = _end(output)
        if closed and isinstance(last.operation, keras.layers.Dense):
            changes.append((_Change(last.input_tensors, last.outputs), _dense_like(last.operation, classes, options)))
        elif output is main and not (closed and pooled is None):
            start = features if closed else main
            pooling = {"pooling": "avg" if len(start.shape) == 4 else None}
            fn = partial(classifier, classes=classes, **{**pooling, **options})
            changes.append((_Change([start], [main]), _Growing(fn, "classifier", _names([start]))))
        else:
            raise checks.refuse("model", last.operation.name, "one that ends in features or a dense layer; use replace")
    return _rebuild(wiring, changes)


# -- how it is done ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Change:
    """Tensors that are made anew, `targets`, and those that they are made of."""

    sources: Sequence[Any]
    targets: Sequence[Any]


Grow = Callable[[Sequence[Any]], Sequence[Any]]
"""From what stands for the sources of a change to what stands for its targets."""


class _Growing:
    """A user's function as that; called a second time it gives the layers of the first, shared."""

    def __init__(self, fn: Piece, name: str, taken: set[str]) -> None:
        self.fn, self.name = checks.function("fn", fn), _unused(name, taken)
        self.sources: Sequence[Any] = ()
        self.made: list[Any] = []

    def __call__(self, sources: Sequence[Any]) -> list[Any]:
        if self.made:
            return recompute(self.made, {id(old): new for old, new in zip(self.sources, sources, strict=True)})
        self.sources, made = sources, self._grow(sources[0] if len(sources) == 1 else list(sources))
        self.made = list(made) if isinstance(made, list | tuple) else [made]
        for tensor in self.made:
            if not isinstance(tensor, keras.KerasTensor):
                raise checks.refuse("fn", type(tensor).__name__, "a function that gives symbolic tensors", TypeError)
        return self.made

    def _grow(self, x: Any) -> Any:
        if isinstance(self.fn, keras.Layer) or (is_block(self.fn) and default_of(self.fn, "name") is not None):
            return self.fn(x)
        if is_block(self.fn):
            return self.fn(x, name=self.name)
        with scope(self.name, _function_name(self.fn)):
            return self.fn(x)


def _change(wiring: Wiring, name: str, block: Sequence[Any]) -> _Change:
    """Find all that enters and leaves a block."""
    change = _Change(wiring.entering(block), wiring.leaving(block))
    if not change.sources:
        raise checks.refuse("name", name, "a block that a tensor enters")
    if _ids(block) & _ids(calls(change.sources)):
        raise checks.refuse("name", name, "a block that what leaves it does not enter again")
    return change


def _rebuild(wiring: Wiring, changes: Sequence[tuple[_Change, Grow]]) -> keras.Model:
    model = wiring.model
    # Where nothing has to be called again the old tensors do; else none of them, so that the two are not mixed up.
    if _anything_after(wiring, [change for change, _ in changes]):
        known = dict(inputs_again(model))
    else:
        known = {id(tensor): tensor for call in wiring.calls for tensor in call.outputs}
    inputs = keras.tree.map_structure(lambda tensor: known[id(tensor)], model.input)
    for change, grow in changes:
        made = grow(recompute(change.sources, known))
        if len(made) != len(change.targets):
            must_be = f"a function that gives {len(change.targets)} tensors, for {shapes(change.targets)}"
            raise checks.refuse("fn", shapes(made), must_be)
        known.update(zip(map(id, change.targets), made, strict=True))
    recompute(model.outputs, known)
    outputs = keras.tree.map_structure(lambda tensor: known[id(tensor)], model.output)
    return _guarded(_assembled(model, inputs, outputs))


def _guarded(model: keras.Model) -> keras.Model:
    """Put a `MinimumSize` that holds where the model accepts images of any size and a new piece needs larger ones."""
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        return model
    (image,), first = model.inputs, 1 if channel_axis() == -1 else 2
    sides = image.shape[first : first + 2]
    guards = [layer for layer in model.layers if isinstance(layer, MinimumSize)]

    def works(side: int) -> bool:
        height, width = (side if known is None else known for known in sides)
        try:
            infer(model.outputs, images_of(height, width, calls(model.outputs), first))
        except Exception:  # layers refuse a shape with whatever they like
            return False
        return True

    if None not in sides or works(max([1, *(max(guard.height, guard.width) for guard in guards)])):
        return model
    least = least_side(works)
    if least is None:
        raise checks.complaint(f"what was made works on images of no size up to {LARGEST_MINIMUM}×{LARGEST_MINIMUM}")
    height, width = (least if known is None else 1 for known in sides)
    taken = {layer.name for layer in model.layers}
    guard = MinimumSize(height, width, name=_unused("minimum_size", taken))
    return insert(model, _keras.call_of(image).operation.name, guard)


def _anything_after(wiring: Wiring, changes: Sequence[_Change]) -> bool:
    """Whether more layers compute from the targets what is still needed."""
    targets = {id(tensor) for change in changes for tensor in change.targets}
    after = set(targets)
    for call in wiring.calls:
        if any(id(tensor) in after for tensor in call.input_tensors):
            after.update(map(id, call.outputs))
    needed = [*wiring.model.outputs, *(tensor for change in changes for tensor in change.sources)]
    return any(id(tensor) in after - targets for tensor in needed)


@_keras.deep_graphs()
def _assembled(old: keras.Model, inputs: Any, outputs: Any) -> keras.Model:
    operations = {id(call.operation): call.operation for call in calls(keras.tree.flatten((outputs, inputs)))}
    (name, times), *_ = Counter(operation.name for operation in operations.values()).most_common(1)
    if times > 1:
        raise checks.refuse("fn", name, "a function whose layers have names of their own")
    model = keras.Model(inputs, outputs, name=old.name)
    if isinstance(outputs, Mapping) and hasattr(old, "loss_weights"):
        model.loss_weights = {key: weight for key, weight in old.loss_weights.items() if key in outputs}
    return model


def _without(outputs: Any, gone: set[int]) -> Any:
    """Leave some outputs of a model out of the structure that they have."""
    if isinstance(outputs, Mapping):
        return {key: output for key, output in outputs.items() if id(output) not in gone}
    return [output for output in keras.tree.flatten(outputs) if id(output) not in gone]


def _end(output: Any) -> tuple[Any, bool]:
    """Find what an output ends in, an activation of its own left aside, and whether that is predictions or features."""
    call = _keras.call_of(output)
    activation = getattr(call.operation, "activation", None)
    if isinstance(call.operation, keras.layers.Dense):
        return call, activation in FINAL
    if isinstance(call.operation, keras.layers.Softmax) or (activation is not None and activation in FINAL):
        return _keras.call_of(call.input_tensors[0]), True
    return call, False


def _dense_like(layer: keras.layers.Dense, classes: int, options: Mapping[str, Any]) -> Grow:
    """Make a dense layer of so many units, apart from the options as the old one and of its name."""
    arguments.options(type(layer), dict(options))
    made = type(layer).from_config({**layer.get_config(), "units": classes, **options})
    return lambda sources: [made(*sources)]


def _function_name(fn: Any) -> str:
    """Find what a function is called, partials seen through; `block` for one without a name."""
    while isinstance(fn, partial):
        fn = fn.func
    name = getattr(fn, "name", None) if isinstance(fn, keras.Layer) else getattr(fn, "__name__", None)
    return name if isinstance(name, str) and name.isidentifier() else "block"


def _unused(name: str, taken: set[str]) -> str:
    """Number the name where that is needed, so that no layer has it nor lies in a block of it."""
    free, number = name, 0
    while any(f"{other}.".startswith(f"{free}.") for other in taken):
        number += 1
        free = f"{name}_{number}"
    return free


def _names(tensors: Sequence[Any]) -> set[str]:
    """Of all layers that the tensors need."""
    return {call.operation.name for call in calls(tensors)}


def _ids(things: Sequence[Any]) -> set[int]:
    return set(map(id, things))
