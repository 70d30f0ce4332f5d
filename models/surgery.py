"""Change a piece of a finished network and keep everything else: its layers, their weights and their names.

A piece is addressed by the name of its block (`stage3.block2`), of a layer, or, in networks whose names have no dots,
by what the names of its layers start with (`conv4_block6` of `keras.applications`); one in a nested model by the name
of that and a dot (`base.stage3.block2`). In its place comes a function from tensor to tensor, most simply one of
`layerblocks.blocks` with its arguments: `partial(bottleneck, filters=1024)`.

What comes back is a new model, not compiled. The layers that stay are the very same objects in both models: nothing is
allocated or copied, and training one trains the other (`keras.models.clone_model` gives layers of their own). Where
layers had to be called anew, after a change, the new model stands on inputs of its own; `layer.output` still is the
tensor of the network that the layer was first called in, and `tensor_at` gives that of the model at hand. A nested
model in which something changes is a new one of the same name, and of the same layers.

Where the shape of what leaves the piece changes and the rest still fits, a `UserWarning` says so.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import keras

from .. import checks
from ..blocks.core import checked_name, is_block
from ..checks import public
from ..graphs.calls import calls
from .rebuilding import (
    Change,
    Growing,
    Piece,
    assembled,
    change,
    function_name,
    ids,
    leaving_of,
    outermost,
    rebuild,
    unused,
    without,
)
from .rewiring import Chain, Wiring


@public
def tensor_at(model: keras.Model, at: str | Sequence[str]) -> Any:
    """Get the tensor that leaves a block of this very model; what `get_layer(at).output` is for a single layer.

    Args:
        model: functional or sequential.
        at: name of a layer or block; or several, for a list of tensors. What is in a nested model is computed again
            from what enters that, by the same layers, so that `keras.Model(model.input, tensor)` is a model. (Next to
            outputs of the nested model they are computed twice; `add_aux_head` has them of the same call.)

    Raises:
        ValueError: there is no such block, or several tensors leave it.
        TypeError: `model` is no model with a graph.

    Example:
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = resnet18()
        >>> tensor_at(model, "stage2").shape
        (None, 28, 28, 128)
        >>> [tensor.shape[-1] for tensor in tensor_at(model, ["stage1", "stage2", "stage3"])]
        [64, 128, 256]
    """
    wiring = Wiring(model)
    names = [at] if isinstance(at, str) or not checks.is_sequence(at) else list(at)
    found = [leaving_of(wiring, "at", name) for name in names]
    tensors = outermost(wiring, found, beside=True)
    return tensors if checks.is_sequence(at) else tensors[0]


@public
def replace(model: keras.Model, name: str, fn: Piece, *, keep_weights: bool = True) -> keras.Model:
    """Put what `fn` makes in the place of a block.

    Args:
        model: functional or sequential.
        name: of the block or layer that goes. A layer called several times goes in every place, and so does what
            comes, with the same weights everywhere.
        fn: from the tensor that entered the block to the one that leaves it; from and to lists where there are several.
            A block without a name gets that of the old one, and any other layers are named into it.
        keep_weights: give a layer that `fn` makes the weights of the old one that it stands for, where shapes agree:
            the one of the same name within the block, or the only one with weights. False for new ones.

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
    wiring, keep = Wiring(model), checks.flag("keep_weights", keep_weights)
    chain, block = wiring.find("name", name)
    inner = wiring.inner(chain)
    within = name if not chain else inner.name(block[0]) if len(block) == 1 else _tail(wiring, chain, name)
    one_layer = len({id(call.operation) for call in block}) == 1
    old = [call.operation for call in block]
    taken = set(inner.names) - {layer.name for layer in old}
    grow = Growing(fn, within, taken, old=old if keep else ())
    parts = [[call] for call in block] if one_layer else [block]
    return rebuild(wiring, [change(inner, name, part, grow, chain) for part in parts])


def _tail(wiring: Wiring, chain: Chain, name: str) -> str:
    """What is left of a path after the nested models."""
    for call in chain:
        name = name[len(wiring.name(call)) + 1 :]
        wiring = wiring.within(call)
    return name


What = type | tuple[type, ...] | Callable[[keras.Layer], Any]


@public
def replace_each(
    model: keras.Model, what: What, fn: Callable[[Any, Any], Any], *, keep_weights: bool = True
) -> keras.Model:
    """Put what `fn` makes in the place of every layer of a kind, in nested models too, all at once.

    Args:
        model: functional or sequential.
        what: the class of the layers, several classes, or a function that says of a layer whether it is one.
        fn: from the old layer and the tensor that entered it (a list where there are several) to the one that leaves
            it, or to the new layer, which is then called. The first layer that it makes has the old one's name. A layer
            that is called several times is replaced once, and called as often.
        keep_weights: as in `replace`; the old layer is there, so that `fn` can also compute new weights from its own.

    Raises:
        ValueError: there is no such layer, or what follows does not fit the new shape.
        TypeError: `what` or `fn` is none of these.

    Example:
        >>> import keras
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = replace_each(resnet18(), keras.layers.Activation, lambda layer, x: keras.layers.ELU())
        >>> sum(isinstance(layer, keras.layers.ELU) for layer in model.layers)
        17
    """
    wiring, keep = Wiring(model), checks.flag("keep_weights", keep_weights)
    must_be = "a function of the old layer and a tensor"
    if not callable(fn) or isinstance(fn, type | keras.Layer) or is_block(fn):
        raise checks.refuse("fn", fn, must_be, TypeError)
    try:
        inspect.signature(fn).bind(None, None)
    except ValueError:  # of some functions in C none is known
        pass
    except TypeError as error:
        raise checks.refuse("fn", fn, f"{must_be} ({error})", TypeError) from None
    asked = _asked(what)
    growing: dict[int, Growing] = {}
    changes: list[Change] = []
    for chain, inner in _wirings(wiring, ()):
        for call in inner.calls:
            layer = call.operation
            if call.is_input or isinstance(layer, keras.Model) or not asked(layer):
                continue
            if id(layer) not in growing:
                old = [layer] if keep else ()
                growing[id(layer)] = Growing(partial(fn, layer), layer.name, set(), old=old, exact=True)
            changes.append(change(inner, layer.name, [call], growing[id(layer)], chain))
    if not changes:
        raise checks.refuse("what", what, f"a kind of layers that there are in {wiring.model.name!r}")
    return rebuild(wiring, changes)


def _asked(what: Any) -> Callable[[Any], bool]:
    """Whether a layer is one of those."""
    kinds = what if isinstance(what, tuple) else (what,)
    if kinds and all(isinstance(kind, type) for kind in kinds):
        return lambda layer: isinstance(layer, kinds)
    must_be = "a class of layers, several, or a function of a layer"
    if isinstance(what, keras.Layer):
        raise checks.refuse("what", what, must_be, TypeError)
    asked = checks.function_of_one("what", what, must_be)
    return lambda layer: bool(asked(layer))


def _wirings(wiring: Wiring, chain: Chain) -> Iterator[tuple[Chain, Wiring]]:
    """The wiring of a model and of those nested in it, each once."""
    seen: set[int] = set()
    waiting = [(chain, wiring)]
    while waiting:
        chain, wiring = waiting.pop()
        yield chain, wiring
        for call in wiring.nested():
            if id(call.operation) not in seen:
                seen.add(id(call.operation))
                waiting.append(((*chain, call), wiring.within(call)))


@public
def insert(model: keras.Model, after: str, fn: Piece, *, name: str | None = None) -> keras.Model:
    """Put what `fn` makes after a block, before everything that used its output.

    Args:
        model: functional or sequential.
        after: name of the block or layer, which one tensor leaves; that of the input for the very beginning.
        fn: from that tensor to another one.
        name: of the new block; None for that of the function, made unique, and of a layer, which has its own.

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
    chain, tensor = leaving_of(wiring, "after", after)
    taken = set(wiring.inner(chain).names)
    if name is not None:
        checked_name(name)
        own = getattr(fn, "name", name) if isinstance(fn, keras.Layer) else name
        if own != name:
            raise checks.refuse("name", name, f"None where fn is a layer, which has a name of its own, {own!r}")
        if unused(name, taken) != name:
            raise checks.refuse("name", name, "one that the model does not have yet")
    grow = Growing(fn, function_name(fn) if name is None else name, taken)
    return rebuild(wiring, [Change([tensor], [tensor], grow, chain, said=after)])


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
    chain, block = wiring.find("name", name)
    inner = wiring.inner(chain)
    leaving = inner.leaving(block)
    kept = without(inner.model.output, ids(leaving))
    if not chain and kept and ids(inner.calls) - ids(calls(keras.tree.flatten(kept))) == ids(block):
        return assembled(wiring.model, wiring.model.input, kept)
    inner.the_one("name", name, inner.entering(block), "enters")
    inner.the_one("name", name, leaving, "leaves")
    return rebuild(wiring, [change(inner, name, block, lambda sources: sources, chain)])


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
        >>> from layerblocks.models import with_new_head
        >>> with weightless():
        ...     model = with_new_head(truncate(resnet18(), at="stage3"), 10)
        >>> model.count_params()
        2789834
    """
    wiring = Wiring(model)
    chain, inside = leaving_of(wiring, "at", at)
    (tensor,) = outermost(wiring, [(chain, inside)])
    outputs = wiring.model.output
    if not isinstance(outputs, Mapping) or "main" not in outputs:
        return assembled(wiring.model, wiring.model.input, tensor)
    cut = ids(calls([outputs["main"]])) - ids(calls([tensor]))
    kept = {key: output for key, output in outputs.items() if not cut & ids(calls([output]))}
    return assembled(wiring.model, wiring.model.input, {**kept, "main": tensor})
