"""The calling convention: `block` gives a function its name and scope, `weightless` builds without allocating."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeGuard, TypeVar

import keras

from .. import _keras, checks
from ..checks import where

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass
class _Scope:
    path: str
    block: str
    taken: set[str] = field(default_factory=set)

    def join(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def unused(self, base: str) -> str:
        name, number = base, 0
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name


_current: ContextVar[_Scope | None] = ContextVar("layerblocks_scope", default=None)
_NAME = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)  # TensorFlow runs no others


def _check_name(block: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{block}: name must be a string or None, got {checks.one_line(name)}")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{block}: name must be words of A-Z, a-z, 0-9, _ and - joined by dots, got {checks.one_line(name)}"
        )


def full_name(base: str, name: str | None = None) -> str:
    """The dotted name, unique where none is given, of a piece made at this point of the network."""
    scope = _current.get()
    if name is not None:
        _check_name(base if scope is None else where(), name)
        if scope is None:
            _keras.names_given().add(name)
        elif name in scope.taken:
            raise ValueError(f"{where()}: name {name!r} is taken by another piece of this block")
        else:
            scope.taken.add(name)
    elif scope is not None:
        name = scope.unused(base)
    else:
        name = _numbered(base)
        while name in _keras.names_given():
            name = _numbered(base)
    return name if scope is None else scope.join(name)


def _numbered(base: str) -> str:
    uses = keras.backend.get_uid(base)
    return base if uses == 1 else f"{base}_{uses - 1}"


@contextmanager
def scope(path: str, block: str) -> Iterator[None]:
    """Names made inside start with `path` and a dot, or stand alone where `path` is empty."""
    token = _current.set(_Scope(path, block))
    try:
        with checks.speaking("", f"{block} {path!r}" if path else block):
            yield
    finally:
        _current.reset(token)


def _rename(name: str | None, kind: type) -> str | None:
    scope = _current.get()
    if scope is None or (name is not None and _is_inside(name, scope.path)):
        return name
    return scope.join(scope.unused(name or _snake_case(kind.__name__)))


def _is_inside(name: str, path: str) -> bool:
    return not path or name.startswith(f"{path}.")


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


# Layers and `keras.ops` nodes that a block makes by itself are named into its scope as well.
_keras.name_operations(_rename)
_keras.map_graphs_of_any_depth()


def block(function: Callable[..., Result]) -> Callable[..., Result]:
    """Give a function of tensors its `name=` argument and a scope for the names of what it makes.

    Layers made inside get dotted names (`inception_3a.3x3.conv`), nested as deep as blocks nest and unique
    where no name is given. They survive saving, loading and cloning, and they are what the diagrams of
    `layerblocks.viz` group by, so any decorated function is a box there.

    Args:
        function: takes tensors, returns tensors; made of blocks, Keras layers or `keras.ops`.

    Returns:
        The function with one more keyword, `name`: a string or None.

    Example:
        >>> import keras
        >>> from layerblocks.blocks import block, conv, max_pool
        >>> @block
        ... def downsample(x, filters, *, conv=conv):
        ...     return max_pool(conv(x, filters, name="3x3"), name="pool")
        >>> x = keras.Input((32, 32, 3))
        >>> model = keras.Model(x, downsample(x, 8, name="down1"))
        >>> [layer.name for layer in model.layers[1:]]
        ['down1.3x3.conv', 'down1.pool']
    """
    signature = inspect.signature(function)
    if "name" in signature.parameters:
        raise TypeError(f"block: {function.__name__} must not declare name, the decorator adds it")

    @functools.wraps(function)
    def wrapper(*args: Any, name: str | None = None, **kwargs: Any) -> Result:
        with scope(full_name(function.__name__, name), function.__name__):
            return checks.something(function(*args, **kwargs))

    parameters = list(signature.parameters.values())
    named = inspect.Parameter("name", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="str | None")
    last = len(parameters) - (bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD)
    parameters.insert(last, named)
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.is_block = True  # type: ignore[attr-defined]
    return wrapper


def is_block(function: object) -> TypeGuard[Callable[..., Any]]:
    """Whether a function, partials seen through, was decorated with `block`."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "is_block", False)


def default_of(function: Callable[..., Any], argument: str, fallback: Any = None) -> Any:
    """What `function` takes for `argument` when it is not given, partials seen through.

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
    parameter = inspect.signature(function).parameters.get(argument)
    return fallback if parameter is None or parameter.default is parameter.empty else parameter.default


@contextmanager
def weightless() -> Iterator[None]:
    """Build models inside without allocating their weights: shapes, counts, diagrams and configs only.

    VGG-19 takes milliseconds and no memory. Everything that asks for a structure works on such a model
    (`count_params`, `summary`, `to_json`, `layerblocks.viz`); its weights are not there, so that predicting
    or saving it draws fresh random numbers. Variables of models made outside are not touched.

    Raises:
        RuntimeError: `keras.backend.clear_session()` was called inside, which ends the scope unseen.

    Example:
        >>> from layerblocks.architectures import vgg16
        >>> with weightless():
        ...     model = vgg16()
        >>> model.count_params()
        138357544
    """
    outside = _keras.swap_pending_variables([])
    scope = keras.StatelessScope(initialize_variables=False)
    try:
        with scope:
            yield
            alive = _keras.current_stateless_scope() is scope
    finally:
        _keras.swap_pending_variables(outside)
    if not alive:
        raise RuntimeError(
            "weightless: keras.backend.clear_session() was called inside it, so that weights were allocated; "
            "call it before or after"
        )
