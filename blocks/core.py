"""The calling convention: `block` gives a function its name and scope, `weightless` builds without allocating."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

import keras

from .. import _keras, checks
from . import words
from .signatures import accepts as accepts
from .signatures import default_of as default_of
from .signatures import given_to as given_to
from .signatures import is_block as is_block
from .signatures import undecorated as undecorated
from .words import register as register
from .words import registered as registered

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Oracle = TypeVar("Oracle", bound=Callable[..., Any])


@dataclass
class _Scope:
    path: str
    block: str
    frame: int
    whole: bool = False
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


def checked_name(name: object) -> None:
    checks.instance("name", name, str, "a string or None")
    if not _NAME.fullmatch(str(name)):
        raise checks.refuse("name", name, "words of A-Z, a-z, 0-9, _ and - joined by dots")


def full_name(base: str, name: str | None = None, speaker: str = "") -> str:
    """The dotted name, unique where none is given, of a piece made at this point of the network."""
    scope = _current.get()
    if name is not None:
        with checks.speaking(speaker or base) if scope is None else nullcontext():
            checked_name(name)
        if scope is None:
            _keras.names_given().add(name)
        elif name in scope.taken:
            raise checks.refuse("name", name, "a name that no other piece of this block has")
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
def scope(path: str, block: str, *, whole: bool = False) -> Iterator[None]:
    """Names made inside start with `path` and a dot, or stand alone where `path` is empty.

    In the place of a `whole` layer, the first one made inside has the very name.
    """
    frame = id(sys._getframe(2))  # that of the `with` statement: 0 is here, 1 is contextlib's
    token = _current.set(_Scope(path, block, frame, whole))
    try:
        with _keras.operations_named(_rename), checks.speaking("", f"{block} {path!r}" if path else block):
            yield
    finally:
        _current.reset(token)


def _rename(name: str | None, operation: Any) -> str | None:
    """Layers and `keras.ops` nodes that a block makes by itself are named into its scope as well."""
    scope = _current.get()
    if scope is None or (name is not None and _is_inside(name, scope.path)):
        return name
    if _keras.made_by_another(operation, scope.frame):  # it has the names that Keras gives, as when it is loaded
        return name
    if scope.whole:
        scope.whole = False
        return scope.path
    return scope.join(scope.unused(name or _snake_case(type(operation).__name__)))


def _is_inside(name: str, path: str) -> bool:
    return not path or name.startswith(f"{path}.")


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def block(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Give a function of tensors its `name=` argument and a scope for the names of what it makes.

    Wherever it accepts a function it accepts the name of one, with arguments or without (`conv="separable"`,
    `norm=("group_norm", {"groups": 8})`), and it may itself be given to another by its name.

    Layers made inside get dotted names (`inception_3a.3x3.conv`), nested as deep as blocks nest and unique
    where no name is given. They survive saving, loading and cloning, and they are what the diagrams of
    `layerblocks.viz` group by, so any decorated function is a box there. Layers that another layer makes for itself
    keep the names that Keras gives them.

    Args:
        function: from tensors to tensors; made of blocks, Keras layers or `keras.ops`. It may declare
            `name: str | None = None` itself, so that editors and type checkers know of it, and need not use it.

    Returns:
        The function with the keyword `name`, a string or None, if it has none.

    Raises:
        TypeError: it is no function, has no argument, or one `name` that is not None by default.

    Example:
        >>> import keras
        >>> from layerblocks.blocks import block, conv, max_pool
        >>> @block
        ... def downsample(x, filters, *, conv=conv, name: str | None = None):
        ...     return max_pool(conv(x, filters, name="3x3"), name="pool")
        >>> x = keras.Input((32, 32, 3))
        >>> model = keras.Model(x, downsample(x, 8, name="down1"))
        >>> [layer.name for layer in model.layers[1:]]
        ['down1.3x3.conv', 'down1.pool']
    """
    signature = _signature(function)
    parameters = list(signature.parameters.values())
    declared = signature.parameters.get("name")
    if declared is not None and declared.default is not None:
        raise TypeError(f"block: {function.__name__} must declare name=None or no name at all: the decorator sets it")
    positional = declared is not None and declared.kind is not inspect.Parameter.KEYWORD_ONLY
    place = parameters.index(declared) if declared is not None and positional else None

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Result:
        by_place = place is not None and len(args) > place
        name = args[place] if by_place else kwargs.get("name")  # type: ignore[index]
        if declared is None:
            kwargs.pop("name", None)
        speaker = _delegate.get() or function.__name__
        token = _delegate.set("")
        try:
            with scope(full_name(function.__name__, name, speaker), speaker):
                try:
                    args, kwargs = words.settled(function, args, kwargs)
                    return checks.something(function(*args, **kwargs))
                except (TypeError, ValueError) as error:
                    if hasattr(error, "about"):
                        checks.passed_on(error, _given(signature, args, kwargs))
                    raise
        finally:
            _delegate.reset(token)

    if declared is None:
        named = inspect.Parameter("name", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="str | None")
        last = len(parameters) - (bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD)
        parameters.insert(last, named)
        wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.is_block = True  # type: ignore[attr-defined]
    words.add("block", wrapper)
    return wrapper


def unit(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Make a block of a function that is a unit, and let every block be given it by its name: `conv="mine"`.

    Args:
        function: `(x, filters, kernel_size=3, *, strides=1, …, name=None)`.

    Raises:
        ValueError: another function is a unit of that name already. One that is defined again takes its place.
        TypeError: it is no function of tensors.

    Example:
        >>> import keras
        >>> from layerblocks.blocks import bottleneck, conv, unit
        >>> @unit
        ... def twice(x, filters, kernel_size=3, *, strides=1, name: str | None = None, **options):
        ...     return conv(conv(x, filters, kernel_size, strides=strides), filters, kernel_size, **options)
        >>> bottleneck(keras.Input((8, 8, 16)), 16, conv="twice").shape
        (None, 8, 8, 16)
    """
    return register("unit")(block(function))


def _signature(function: Any) -> inspect.Signature:
    """That of a function of tensors."""
    must_be = "a function of tensors"
    with checks.speaking("block", ""):
        if not callable(function) or isinstance(function, type):
            raise checks.refuse("function", function, must_be, TypeError)
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            raise checks.refuse("function", function, f"{must_be} with a signature", TypeError) from None
        if not signature.parameters.keys() - {"name"}:
            raise checks.refuse("function", function, f"{must_be}; this one has no argument", TypeError)
        if not hasattr(function, "__name__"):
            raise checks.refuse("function", function, f"{must_be} with a name, as of a def", TypeError)
        return signature


def _given(signature: inspect.Signature, args: Any, kwargs: Any) -> dict[str, Any]:
    """By name what a function was called with; its options among them."""
    given = dict(signature.bind_partial(*args, **kwargs).arguments)
    options = [word for word, p in signature.parameters.items() if p.kind is p.VAR_KEYWORD and word in given]
    return given | {word: value for options_of in options for word, value in given[options_of].items()}


_delegate: ContextVar[str] = ContextVar("layerblocks_delegate", default="")


def delegate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let errors of the one block that a function calls, with defaults of its own, name the function."""

    @functools.wraps(function)
    def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        token = _delegate.set(_delegate.get() or function.__name__)
        try:
            return function(*args, **kwargs)
        finally:
            _delegate.reset(token)

    return wrapper


def expects(function: Callable[..., Any]) -> Callable[[Oracle], Oracle]:
    """Let a block carry what a test expects of it: the decorated function computes that from the arguments alone.

    The function is called as the block is, with the shape of each tensor, without the batch, in its place, and gives
    `(shape, parameters, multiply_adds)`; None for what it does not know. It is the attribute `expected` of the block.

    Example:
        >>> from layerblocks.blocks import block, conv, expects
        >>> @block
        ... def stem(x, filters, *, name: str | None = None):
        ...     return conv(x, filters, 1, name="1x1")
        >>> @expects(stem)
        ... def expected_of_stem(shape, filters):
        ...     height, width, channels = shape
        ...     return (height, width, filters), (channels + 1) * filters, height * width * channels * filters
        >>> stem.expected((8, 8, 3), 4)
        ((8, 8, 4), 16, 768)
    """

    def decorator(oracle: Oracle) -> Oracle:
        function.expected = oracle  # type: ignore[attr-defined]
        return oracle

    return decorator


@contextmanager
def weightless() -> Iterator[None]:
    """Build models inside without allocating their weights: shapes, counts, diagrams and configs only.

    VGG-19 takes milliseconds and no memory. Everything that asks for a structure works on such a model
    (`count_params`, `summary`, `compile`, `to_json`, `layerblocks.viz`); its weights are not there, so that predicting
    or saving it draws fresh random numbers. Variables of models made outside are not touched. Scopes may overlap and
    end in any order; other threads and tasks are not weightless, unless they were started inside with a copy of the
    context, as tasks of asyncio are.

    Example:
        >>> from layerblocks.architectures import vgg16
        >>> with weightless():
        ...     model = vgg16()
        >>> model.count_params()
        138357544
    """
    with _keras.variables_without_values():
        yield


@contextmanager
def deep_graphs() -> Iterator[None]:
    """Make, load, clone or cut models of any depth inside, by Keras's own functions.

    Keras searches a graph by a function that calls itself once a layer, which ends in a RecursionError on a model of
    some hundreds of blocks. Constructors of `layerblocks` and what it does to models need no help.

    Example:
        >>> x = keras.Input((4,))
        >>> y = x
        >>> for _ in range(2000):
        ...     y = keras.layers.ReLU()(y)
        >>> with deep_graphs():
        ...     model = keras.Model(x, y)
        >>> len(model.layers)
        2001
    """
    with _keras.deep_graphs():
        yield
