"""What random networks are made of: blocks with their oracles, and strategies of their arguments."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any

from hypothesis import strategies as st

from .. import checks
from .annotations import block_kwargs
from .code import code_of
from .oracles.layers import Expected, Oracle, Shape
from .oracles.registry import OMITTED, ORACLES, Registered
from .specs import Spec


@dataclass(frozen=True)
class Piece:
    """A block, what it has to give, and what to draw for the arguments whose annotations do not say it."""

    block: Callable[..., Any]
    oracle: Oracle
    draws: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return code_of(self.block)

    @cached_property
    def arguments(self) -> st.SearchStrategy[dict[str, Any]]:
        """Those that are not the block's own defaults."""
        parameters = inspect.signature(self.block).parameters

        def written(given: dict[str, Any]) -> dict[str, Any]:
            return {word: v for word, v in given.items() if not _is_default(parameters.get(word), v)}

        return block_kwargs(self.block, **{word: _drawn(value) for word, value in self.draws.items()}).map(written)


def _drawn(value: Any) -> Any:
    """A strategy, or a value, of what `oracle(draws=…)` says."""
    if isinstance(value, list):
        return st.sampled_from(value)
    if isinstance(value, range):
        return st.integers(value.start, value.stop - 1)
    return st.nothing() if value is OMITTED else value(st) if callable(value) else value


_SIZES = {
    "kernel_size",
    "pool_size",
    "strides",
    "dilation_rate",
    "padding",
    "cropping",
    "output_size",
    "factor",
    "window",
}
"""Arguments that have a number for each side, or one for all."""


def of_rank(arguments: Mapping[str, Any], rank: int) -> dict[str, Any]:
    """Arguments that were drawn for images, for signals or volumes: one number a side.

    Example:
        >>> of_rank({"strides": (1, 2), "filters": 3}, 3)
        {'strides': (1, 2, 1), 'filters': 3}
    """
    return {
        word: (*value, *value)[:rank] if word in _SIZES and isinstance(value, tuple) and len(value) == 2 else value
        for word, value in arguments.items()
    }


def _is_default(parameter: inspect.Parameter | None, value: Any) -> bool:
    if parameter is None or type(value) is not type(parameter.default):
        return False
    return bool(value == parameter.default)


def joins(block: Callable[..., Any]) -> bool:
    """Whether the tensors of a block are given as one list."""
    return getattr(inspect.unwrap(block), "__name__", "") in ("concat", "add")


@cache
def piece(name: str) -> Piece:
    """A block of ours by name.

    Example:
        >>> piece("max_pool").oracle((7, 9, 3)).shape
        (4, 5, 3)
    """
    from layerblocks import blocks

    block = getattr(blocks, name)
    found = _registered(block)
    return Piece(block, found.oracle, found.draws)


@cache
def chain() -> list[str]:
    """The names of the blocks of one image, from the simplest on; a block that says what it gives is one of them."""
    from layerblocks import blocks

    own = [name for name in sorted(vars(blocks)) if name not in ORACLES and _own(getattr(blocks, name)) is not None]
    return [name for name, found in ORACLES.items() if found.chain] + own


def _own(block: Any) -> Any:
    """The expectation that a block itself declares: an oracle or a shape specification."""
    return getattr(block, "expected", None) if callable(block) and not isinstance(block, type) else None


def _registered(block: Callable[..., Any]) -> Registered:
    """What is registered for a block of ours, what the block declares, or its own symbolic build."""
    from layerblocks import blocks

    name = getattr(inspect.unwrap(block), "__name__", "")
    if name in ORACLES and getattr(blocks, name, None) is block:
        return ORACLES[name]
    own = _own(block)
    return Registered(partial(built, block) if own is None else oracle_of(block, own))


def pieces(blocks: Any = None) -> list[Piece]:
    """Those of the library for None, or those of a user: blocks of one image, or a dict of blocks and their oracles.

    An oracle is a function of `(height, width, channels)` and the block's arguments, or a shape specification, or None
    for what the block itself gives at a known size.
    """
    if blocks is None:
        return [piece(name) for name in chain()]
    must_be = "one function or more, or a dict of functions and their oracles"
    if isinstance(blocks, str) or not isinstance(blocks, Iterable) or not all(map(callable, given := [*blocks])):
        raise checks.refuse("blocks", blocks, must_be, TypeError)
    if not given:
        raise checks.refuse("blocks", blocks, must_be, TypeError)
    oracles = blocks if isinstance(blocks, Mapping) else dict.fromkeys(given)
    return [b if isinstance(b, Piece) else Piece(b, oracle_of(b, found)) for b, found in oracles.items()]


def oracle_of(block: Callable[..., Any], oracle: Any = None) -> Oracle:
    """The oracle of a block, from what was given for it."""
    if isinstance(oracle, str):
        return partial(_specified, Spec.parse(oracle))
    if oracle is not None:
        return checks.function(f"blocks[{code_of(block)}]", oracle)
    return _registered(block).oracle


def _specified(spec: Spec, shape: Shape, **arguments: Any) -> Expected:
    """A specification says nothing of parameters."""
    sizes = {word: value for word, value in arguments.items() if isinstance(value, int)}
    return Expected(spec.expected((None, *shape), **sizes)[1:], None, None)  # type: ignore[arg-type]


def built(block: Callable[..., Any], *shapes: Shape, **arguments: Any) -> Expected:
    """What a block without an oracle gives: that of a symbolic build."""
    import keras

    from layerblocks.blocks import weightless

    state = random.getstate()  # which initialisers draw from, and Hypothesis does not allow while it draws
    with weightless():
        xs = [keras.Input(oriented(shape)) for shape in shapes]
        model = keras.Model(xs, block(xs, **arguments) if joins(block) else block(*xs, **arguments))
    random.setstate(state)
    return Expected(straight(model.output_shape[1:]), model.count_params())


def oriented(shape: Sequence[Any]) -> tuple[Any, ...]:
    """`height width channels` in the order of Keras's data format; so are shapes of signals and volumes."""
    import keras

    if len(shape) > 1 and keras.config.image_data_format() == "channels_first":
        return (shape[-1], *shape[:-1])
    return tuple(shape)


def straight(shape: Sequence[Any]) -> tuple[Any, ...]:
    """Back again: `height width channels`."""
    import keras

    if len(shape) > 1 and keras.config.image_data_format() == "channels_first":
        return (*shape[1:], shape[0])
    return tuple(shape)


# A block's arguments in the words of its oracle.

_SILENT = {
    *("activation", "dropout", "gate", "hidden_activation", "rate", "depth", "k", "alpha", "beta", "keepdims"),
    *("zero_init", "activate_first", "name"),
}
"""Arguments that change neither shape nor parameters."""


def _norm_parameters(norm: Any) -> int:
    """Of each channel, by the oracle of the norm."""
    words = norm.keywords if isinstance(norm, partial) else {}
    channels = words.get("groups", 32)
    return _of_function(norm)((1, 1, channels)).parameters // channels


def _of_function(function: Any) -> Oracle:
    words: dict[str, Any] = {}
    while isinstance(function, partial):
        words, function = {**function.keywords, **words}, function.func
    oracle = oracle_of(function)
    words = translated(words)
    return partial(oracle, **words) if words else oracle


def translated(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a block in the words of its oracle: units and norms become theirs.

    Example:
        >>> from layerblocks.blocks import batch_norm
        >>> translated({"filters": 4, "norm": batch_norm, "activation": "relu"})
        {'filters': 4, 'norm_parameters': 4}
    """
    found: dict[str, Any] = {}
    for word, value in arguments.items():
        if word in _SILENT or word.endswith(("_initializer", "_regularizer", "_constraint")):
            continue
        if word == "norm":
            found["norm_parameters"] = None if value is None else _norm_parameters(value)
        elif word in ("conv", "up", "shortcut") or (word == "pool" and value is not None):
            found[word] = _of_function(value)
        else:
            found[word] = value
    return found
