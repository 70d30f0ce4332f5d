"""Functions by their names, as a file, a tuner or a command line says them: the one resolver of words.

A word is a name, `(name, arguments)`, or `{"name": name, **arguments}`; the arguments may hold words themselves. Where
a function accepts a unit, norm, pool, shortcut, dense layer, activation or block, a word does as well, there and in
partials of it. A name may leave out its kind: `norm="group"`, `pool="max"`, `shortcut="pad"`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType, UnionType
from typing import Any, Literal, TypeVar, Union, Unpack, get_args, get_origin, get_type_hints

import keras

from .. import checks
from .signatures import _options, _parameters, accepts, undecorated
from .types import Activation, Dense, Norm, Pool, Shortcut, Unit

Block = TypeVar("Block", bound=Callable[..., Any])
Kind = Literal["unit", "norm", "pool", "shortcut", "dense", "block"]

_KINDS: dict[Any, str] = {Unit: "unit", Norm: "norm", Pool: "pool", Dense: "dense", Shortcut: "shortcut"}

# What the arguments of a function that does not say what they are stand for.
_BY_NAME = {
    "conv": "unit",
    "depthwise": "unit",
    "norm": "norm",
    "pool": "pool",
    "shortcut": "shortcut",
    "dense": "dense",
    "activation": "activation",
    "residual": "block",
    "transforms": "blocks",
}

# What is registered outlives a reload of this module. By its name every function of that name, by its home.
_registered: dict[str, dict[str, dict[tuple[str, str], Callable[..., Any]]]] = globals().get("_registered", {})


def register(kind: Kind) -> Callable[[Block], Block]:
    """Make a function known by its name as a unit, a norm or the like, so that it can be given by a word.

    Args:
        kind: `"unit"`, a function `(x, filters, kernel_size=3, *, strides=1, …, name=None)`; `"norm"`,
            `(x, *, name=None)`; `"pool"`, `(x, pool_size, *, strides, name=None)`; `"dense"`,
            `(x, units, *, activation, name=None)`; `"shortcut"`, `(x, filters, *, strides, conv)`; `"block"`, any
            function of a tensor, as every one is that is decorated with `block`.

    Returns:
        A decorator that gives the function back as it is.

    Raises:
        ValueError: another function has the name already. One that is defined again, as in a notebook, takes its place.
        TypeError: it is no function, or has no argument `name`.

    Example:
        >>> from layerblocks.blocks import block, conv, register, registered
        >>> @register("unit")
        ... @block
        ... def leaky(x, filters, kernel_size=3, *, strides=1, name: str | None = None, **options):
        ...     return conv(x, filters, kernel_size, strides=strides, activation="leaky_relu", **options)
        >>> registered("unit")["leaky"] is leaky
        True
    """
    kind = checks.choice("kind", kind, get_args(Kind))

    def decorator(function: Block) -> Block:
        with checks.speaking("register"):
            checks.function("function", function, *(("strides", "conv") if kind == "shortcut" else ("name",)))
            if _registered.get(kind, {}).get(function.__name__, {}).keys() - {_home(function)}:
                raise checks.refuse("function", function.__name__, f"of a name that no other {kind} has")
            add(kind, function)
        return function

    return decorator


def add(kind: str, function: Callable[..., Any], name: str | None = None) -> None:
    """Make a function known; what stands inside another one is not, as nobody can tell which of them is meant."""
    home = _home(function)
    if kind != "block" or "<locals>" not in home[1]:
        _registered.setdefault(kind, {}).setdefault(name or function.__name__, {})[home] = function


def _home(function: Any) -> tuple[str, str]:
    function = undecorated(function)
    return str(function.__module__), str(getattr(function, "__qualname__", function.__name__))


def registered(kind: Kind) -> Mapping[str, Callable[..., Any]]:
    """The units, norms, … by their names: ours, and what was given to `register`.

    Example:
        >>> sorted(registered("norm"))[:2]
        ['batch_norm', 'fused_batch_norm']
    """
    known = _registered.get(checks.choice("kind", kind, get_args(Kind)), {})
    return MappingProxyType({name: next(iter(found.values())) for name, found in known.items() if len(found) == 1})


# -- from words to functions ------------------------------------------------------------------------------------------


def is_word(value: object) -> bool:
    """Whether a function is said by its name.

    Example:
        >>> is_word("conv"), is_word(["group_norm", {"groups": 8}]), is_word({"name": "conv"}), is_word([3, 3])
        (True, True, True, False)
    """
    return _parted(value) is not None


def is_said_in_words(value: Any) -> bool:
    """Whether it is a word or a list of words."""
    return is_word(value) or (checks.is_sequence(value) and bool(value) and all(map(is_word, value)))


def _parted(value: Any) -> tuple[str, Mapping[str, Any]] | None:
    """The name and the arguments of a word, None if it is none."""
    if isinstance(value, str):
        return value, {}
    if isinstance(value, Mapping):
        name = value.get("name")
        return (name, {word: v for word, v in value.items() if word != "name"}) if isinstance(name, str) else None
    if isinstance(value, tuple | list) and len(value) == 2:
        name, given = value
        return (name, given) if isinstance(name, str) and isinstance(given, Mapping) else None
    return None


def resolved(kind: str, argument: str, value: Any) -> Any:
    """The function that a word of that kind means; what is no word as it is, but for the words in a partial.

    Raises:
        ValueError: nothing has that name, or more than one function; says the nearest.
        TypeError: an argument that the function does not have; says the nearest.

    Example:
        >>> resolved("norm", "norm", ("group", {"groups": 8})).keywords
        {'groups': 8}
    """
    if kind == "blocks":
        if not checks.is_sequence(value) or is_word(value):
            return value
        return [resolved("block", f"{argument}[{number}]", item) for number, item in enumerate(value)]
    if isinstance(value, partial):
        return _inside(value)
    parted = _parted(value)
    if parted is None:
        return value
    if kind == "activation":
        return _activation(argument, value, *parted)
    return _with(argument, _found(kind, argument, parted[0]), parted[1])


def _with(argument: str, function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """A partial of the arguments of a word, which the function must have."""
    for word, value in given.items():
        if not isinstance(word, str) or not accepts(function, word):
            base = undecorated(function)
            known = [*_parameters(base), *sorted(_options(base) or ())][1:]
            raise checks.unexpected(word, value, known, f" (of {base.__name__}, given as {argument})")
    return _inside(partial(function, **given)) if given else function


def _found(kind: str, argument: str, name: str) -> Callable[..., Any]:
    """The only function of that name: of the kind, with or without the kind's name after it, or any block."""
    places = [(kind, name), (kind, f"{name}_{kind}"), ("block", name)]
    found = {home: f for where, word in places for home, f in _registered.get(where, {}).get(word, {}).items()}
    if not found:
        own = _registered.get(kind, {})
        short = [word.removesuffix(f"_{kind}") for word in own]
        names = dict.fromkeys([*own, *short, *_registered.get("block", {})])
        raise checks.unknown(argument, name, names, kind)
    if len(found) > 1:
        homes = " and ".join(".".join(home) for home in found)
        raise checks.refuse(argument, name, f"the function itself, as there are {homes}")
    return next(iter(found.values()))


_LAYERS = {name.lower(): name for name in dir(keras.layers) if name[:1].isupper()}


def _activation(argument: str, value: Any, name: str, given: Mapping[str, Any]) -> Any:
    """A Keras name as it is; with arguments Keras's layer of that name; else a block."""
    if not given and (isinstance(value, str) and not _registered.get("block", {}).get(value)):
        return value  # what Keras does not know is refused where it is used
    if not given and hasattr(keras.activations, name):
        return name
    if name in _registered.get("block", {}):
        return _with(argument, _found("block", argument, name), given)
    layer = _LAYERS.get(name.replace("_", "").lower())
    if layer is None:
        known = [*sorted(vars(keras.activations)), *_registered.get("block", {})]
        raise checks.unknown(argument, name, [word for word in known if not word.startswith("_")], "activation")
    try:
        return getattr(keras.layers, layer)(**given)
    except (TypeError, ValueError) as error:
        raise checks.refuse(argument, value, f"what keras.layers.{layer} accepts ({error})", type(error)) from None


def _inside(function: partial[Any]) -> partial[Any]:
    """A partial in which words are functions."""
    kinds, inner = kinds_of(undecorated(function)), function.func
    inner = _inside(inner) if isinstance(inner, partial) else inner
    changed = {}
    for word, value in function.keywords.items():
        kind = kinds.get(word)
        if kind is not None and (new := resolved(kind, word, value)) is not value:
            changed[word] = new
    if not changed and inner is function.func:
        return function
    return partial(inner, *function.args, **{**function.keywords, **changed})


_SAID = (str, tuple, list, dict, partial)


def settled(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The arguments of a call, in which words are functions."""
    kinds = kinds_of(function)
    for word, value in kwargs.items():
        if isinstance(value, _SAID) and word in kinds:
            kwargs = {**kwargs, word: resolved(kinds[word], word, value)}
    for place, value in enumerate(args[1:], 1):
        if isinstance(value, _SAID):
            names = list(_parameters(function))
            kind = kinds.get(names[place]) if place < len(names) else None
            if kind is not None:
                args = (*args[:place], resolved(kind, names[place], value), *args[place + 1 :])
    return args, kwargs


@functools.lru_cache(1024)
def kinds_of(function: Callable[..., Any]) -> Mapping[str, str]:
    """Which arguments of a function are functions, and of which kind: by their annotations, else by their names."""
    try:
        hints = get_type_hints(function)
    except Exception:  # annotations of somebody else's, of names that are not there
        hints = {}
    parameters = _parameters(function)
    for word, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD and get_origin(hints.get(word)) is Unpack:
            options = get_args(hints.pop(word))[0]
            hints = {**get_type_hints(options), **hints}
    kinds = {word: kind for word, hint in hints.items() if (kind := kind_of(hint)) is not None}
    return {**{word: kind for word, kind in _BY_NAME.items() if word in parameters and word not in hints}, **kinds}


_ACTIVATION = {*get_args(Activation)}


def kind_of(hint: Any) -> str | None:
    """The kind of the functions that an annotation means, None for other things.

    Example:
        >>> kind_of(Norm | None), kind_of(Activation), kind_of(Sequence[Callable[..., Any]]), kind_of(int)
        ('norm', 'activation', 'blocks', None)
    """
    origin, inner = get_origin(hint), get_args(hint)
    if isinstance(hint, type):
        return _KINDS.get(hint)
    if origin in (Union, UnionType):
        if {*inner} >= _ACTIVATION:
            return "activation"
        return next((kind for one in inner if (kind := kind_of(one)) is not None), None)
    if hint is Callable or origin is Callable or origin is _CALLABLE:
        return "block"
    if origin is Sequence and inner and kind_of(inner[0]) == "block":
        return "blocks"
    return None


_CALLABLE = get_origin(Callable[..., Any])


# -- and back ---------------------------------------------------------------------------------------------------------


def word_of(value: Any) -> Any:
    """What a file can hold of an argument, from which `resolved` makes it again.

    Raises:
        TypeError: a function that has no name, or an object that Keras cannot write down.

    Example:
        >>> from layerblocks.blocks import conv_bn, group_norm
        >>> word_of(partial(conv_bn, norm=partial(group_norm, groups=8), kernel_size=(3, 3)))
        {'name': 'conv_bn', 'norm': {'name': 'group_norm', 'groups': 8}, 'kernel_size': [3, 3]}
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(word): word_of(one) for word, one in value.items()}
    if isinstance(value, tuple | list):
        return [word_of(one) for one in value]
    if isinstance(value, partial) and not value.args:
        inner = word_of(value.func)
        inner = {"name": inner} if isinstance(inner, str) else inner
        return {**inner, **{word: word_of(one) for word, one in value.keywords.items()}}
    for kind in _registered.values():
        for name, homes in kind.items():
            if any(one is value for one in homes.values()) and len(homes) == 1:
                return name
    own = getattr(value, "__name__", None)
    if own is not None and value is getattr(keras.activations, own, None):
        return own
    if hasattr(value, "get_config") or (own is not None and keras.saving.get_registered_name(value) != own):
        return keras.saving.serialize_keras_object(value)
    raise checks.refuse("value", value, "a function with a name that `register` knows", TypeError)
