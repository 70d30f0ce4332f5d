"""What functions accept and have by default, partials seen through."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeGuard, Unpack, get_args, get_origin, get_type_hints


def is_block(function: object) -> TypeGuard[Callable[..., Any]]:
    """Whether a function, partials seen through, was decorated with `block`."""
    return getattr(undecorated(function), "is_block", False)


def undecorated(function: Any) -> Any:
    """The function that partials were made of."""
    while isinstance(function, partial):
        function = function.func
    return function


@functools.lru_cache(1024)
def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


@functools.lru_cache(1024)
def _options(function: Callable[..., Any]) -> frozenset[str] | None:
    """The words that a function has as `**options`, as far as it says which; None for any at all."""
    rest = [word for word, p in _parameters(function).items() if p.kind is p.VAR_KEYWORD]
    if not rest:
        return frozenset()
    hint = get_type_hints(function).get(rest[0])
    return frozenset(get_args(hint)[0].__annotations__) if get_origin(hint) is Unpack else None


def accepts(function: Callable[..., Any], argument: str) -> bool:
    """Whether `function` has an argument of that name, by itself or among its `**options`, partials seen through.

    Example:
        >>> from layerblocks.blocks import conv, dense
        >>> accepts(conv, "norm"), accepts(dense, "norm"), accepts(dense, "kernel_regularizer")
        (True, False, True)
    """
    base = undecorated(function)
    options = _options(base)
    return argument in _parameters(base) or options is None or argument in options


def given_to(function: Callable[..., Any], **units: Any) -> dict[str, Any]:
    """Those of `units` that a function accepts and no partial has given it already: what a block passes on to it."""
    bound: set[str] = set()
    while isinstance(function, partial):
        bound |= {*function.keywords}
        function = function.func
    named = _parameters(function)
    return {word: unit for word, unit in units.items() if word in named and word not in bound}


def binds(function: Callable[..., Any], argument: str) -> bool:
    """Whether a partial has given a function this argument.

    Example:
        >>> from layerblocks.blocks import conv
        >>> binds(partial(conv, kernel_size=5), "kernel_size"), binds(conv, "kernel_size")
        (True, False)
    """
    while isinstance(function, partial):
        if argument in function.keywords:
            return True
        function = function.func
    return False


def default_of(function: Callable[..., Any], argument: str, fallback: Any = None) -> Any:
    """What `function` has for `argument` when it is not given, partials seen through.

    Example:
        >>> from functools import partial
        >>> from layerblocks.blocks import conv
        >>> default_of(partial(conv, activation="gelu"), "activation")
        'gelu'
    """
    while isinstance(function, partial):
        if argument in function.keywords:
            return function.keywords[argument]
        function = function.func
    parameter = _parameters(function).get(argument)
    return fallback if parameter is None or parameter.default is parameter.empty else parameter.default


def hands_on(function: Callable[..., Any], argument: str) -> bool:
    """Whether a unit has that argument itself, or hands further arguments to a `conv` that has it.

    Example:
        >>> from layerblocks.blocks import conv, depthwise_separable
        >>> hands_on(conv, "norm"), hands_on(depthwise_separable, "norm"), hands_on(depthwise_separable, "rate")
        (True, True, False)
    """
    if default_of(function, argument, function) is not function:
        return True
    inner = default_of(function, "conv")
    return callable(inner) and _options(undecorated(function)) != frozenset() and hands_on(inner, argument)
