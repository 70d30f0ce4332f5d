"""One net at one size, built without weights: its shapes, dtypes, parameters, and what is odd about its graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from .._keras import call_of, operations_made
from ..blocks import weightless
from .examples import Net
from .specs import Shape

# A sum of maps of different sizes is a slip, a product (a gate, an attention) mostly is not.
SUMS = {"Add", "Subtract", "Average", "Maximum", "Minimum"}


@dataclass(frozen=True)
class Built:
    """What was built."""

    model: Any
    shapes: Any
    dtypes: Any
    parameters: int
    variable_dtypes: tuple[str, ...]
    broadcasts: tuple[str, ...]
    """Sums whose operands differ in shape."""
    dangling: tuple[str, ...]
    """Layers with weights that lead to no output."""


def plain(tensors: Any, part: Callable[[Any], Any]) -> Any:
    """`part` of the one tensor, or of each of a dict of them; of a list by number."""
    if isinstance(tensors, list | tuple):
        tensors = dict(enumerate(tensors))
    if isinstance(tensors, Mapping):
        return {key: part(tensor) for key, tensor in tensors.items()}
    return part(tensors)


def shape_of(tensor: Any) -> Shape:
    return tuple(tensor.shape)


def built(net: Net, shapes: Sequence[Shape], arguments: Mapping[str, Any]) -> Built:
    """Build it for these shapes of its inputs, batch first, without weights.

    Raises:
        TypeError: the net does not return symbolic tensors.

    Example:
        >>> from layerblocks.blocks import conv_bn
        >>> from layerblocks.testing.examples import as_net
        >>> net = as_net(conv_bn, "b h w c -> b ceil(h/2) ceil(w/2) 4", sides=(1, 9), params={}, least=1)
        >>> made = built(net, [(None, 7, 9, 3)], {"filters": 4, "strides": 2})
        >>> made.shapes, made.parameters
        ((None, 4, 5, 4), 124)
    """
    with weightless(), operations_made() as made:
        xs, y = called(net, shapes, arguments)
        model = keras.Model(net.given(xs), y)
        variables = {id(variable) for variable in model.variables}
        weights = model.weights
        return Built(
            model=model,
            shapes=plain(y, shape_of),
            dtypes=plain(y, lambda tensor: keras.backend.standardize_dtype(tensor.dtype)),
            parameters=model.count_params(),
            variable_dtypes=tuple(str(variable.dtype) for variable in weights),
            broadcasts=tuple(_broadcasts(y)),
            dangling=tuple(dangling(made, variables)),
        )


def called(net: Net, shapes: Sequence[Shape], arguments: Mapping[str, Any]) -> tuple[list[Any], Any]:
    """Symbolic inputs of these shapes, and what the net makes of them."""
    xs = [
        keras.Input(batch_shape=shape, dtype=dtype, name=part.key if isinstance(part.key, str) else None)
        for part, shape, dtype in zip(net.inputs, shapes, net.dtypes(), strict=True)
    ]
    y = net.call(xs, arguments)
    for tensor in keras.tree.flatten(y):
        if not isinstance(tensor, keras.KerasTensor):
            raise TypeError(f"build must be a function that returns symbolic tensors, got {type(tensor).__name__}")
    return xs, y


def signature_of(made: Built) -> Any:
    """What two builds of one net have in common: shapes, parameters, and the kind of each operation, in order."""
    return made.shapes, made.parameters, [type(operation).__name__ for operation in made.model.operations]


def dangling(made: list[Any], variables: set[int]) -> Iterator[str]:
    """Names of the layers that have weights, but none among `variables`, given by `id`."""
    for operation in made:
        own = getattr(operation, "weights", ())  # not the seeds of a layer that is there to be copied
        if own and variables.isdisjoint(map(id, own)):
            yield operation.name


def _broadcasts(outputs: Any) -> Iterator[str]:
    seen: set[int] = set()
    waiting = [call_of(tensor) for tensor in keras.tree.flatten(outputs)]
    while waiting:
        call = waiting.pop()
        if id(call) in seen:
            continue
        seen.add(id(call))
        waiting += map(call_of, call.input_tensors)
        if isinstance(call.operation, keras.Model):
            waiting += map(call_of, getattr(call.operation, "outputs", None) or ())
        shapes = list(dict.fromkeys(shape_of(tensor)[1:] for tensor in call.input_tensors))
        if len(shapes) > 1 and not SUMS.isdisjoint(c.__name__ for c in type(call.operation).__mro__):
            yield f"{call.operation.name} sums shapes {' and '.join(map(str, shapes))}"


@contextmanager
def policy(name: str) -> Iterator[None]:
    """Keras's dtype policy, and afterwards the old one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
