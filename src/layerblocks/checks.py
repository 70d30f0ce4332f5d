"""The one way to refuse an argument: `function: argument must be …, got …`, on one line of bounded length.

Every check returns the value converted to what the caller goes on with: a NumPy integer becomes an `int`.
Which function is speaking is known from `public` and `piece`, so that no check is told.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import operator
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from numbers import Real
from typing import Any, Literal, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Kind = TypeVar("Kind")

_LONGEST_VALUE = 120  # characters
_LONGEST_LINE = 500
_MOST_NAMES = 8

_function: ContextVar[str] = ContextVar("layerblocks_function", default="")
_inside: ContextVar[str] = ContextVar("layerblocks_inside", default="")


# -- who is speaking --------------------------------------------------------------------------------------------------


def where(nobody: str = "layerblocks") -> str:
    """The function that an error names, and what is being built: `max_pool in inception 'inception_3a'`."""
    function, inside = _function.get(), _inside.get()
    if function and inside:
        return f"{function} in {inside}"
    return function or inside or nobody


@contextmanager
def speaking(function: str, inside: str | None = None) -> Iterator[None]:
    """Let errors raised inside name `function`, and `inside` as what it belongs to (None for what is there already)."""
    token = _function.set(function)
    inside_token = _inside.set(_inside.get() if inside is None else inside)
    try:
        yield
    finally:
        _function.reset(token)
        _inside.reset(inside_token)


def public(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let errors name this function, unless a public function of ours called it: the user knows the outermost.

    A method is named with its class, what makes an instance by its class alone.
    """
    made = function.__name__ in ("__init__", "__post_init__")
    name = function.__qualname__.rpartition("<locals>.")[2]
    name = name.split(".")[-2] if made else name

    @functools.wraps(function)
    def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if _function.get() or _inside.get():
            return function(*args, **kwargs)
        token = _function.set(name)
        try:
            return function(*args, **kwargs)
        finally:
            _function.reset(token)

    return wrapper


def piece(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let errors name this function, a piece of a block: the innermost one. None as a result is refused."""
    name = function.__name__

    @functools.wraps(function)
    def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        token = _function.set(name)
        try:
            return something(function(*args, **kwargs))
        finally:
            _function.reset(token)

    return wrapper


def something(result: Result) -> Result:
    """The result, unless it is None: a function without a `return`."""
    if result is None:
        raise TypeError(f"{where()}: gives None instead of a tensor; it, or a function it was given, lacks a return")
    return result


# -- what it says -----------------------------------------------------------------------------------------------------


class _Repr(reprlib.Repr):
    def repr_KerasTensor(self, x: Any, level: int) -> str:  # as reprlib dispatches
        return f"tensor of shape {tuple(x.shape)}"


_repr = _Repr()
_repr.maxlevel = 4
_repr.maxtuple = _repr.maxlist = _repr.maxdict = _repr.maxset = _repr.maxfrozenset = 10
_repr.maxstring = _repr.maxother = _LONGEST_VALUE
_repr.maxlong = 40


def one_line(value: object, longest: int = _LONGEST_VALUE) -> str:
    """A value that was given, on one line, cut where it is long, without control characters.

    Example:
        >>> one_line("a\\x1b[31mb"), one_line([1, 2])
        ("'a\\\\x1b[31mb'", '[1, 2]')
    """
    try:
        text = _repr.repr(value)
    except Exception:  # a repr of somebody else's
        text = f"<{type(value).__name__}>"
    return plain(text, longest)


def plain(text: str, longest: int = _LONGEST_LINE) -> str:
    """Any text on one line, cut where it is long, without control characters.

    Example:
        >>> plain("two\\nlines, \\x1b[1mbold\\x1b[0m")
        'two lines, \\\\x1b[1mbold\\\\x1b[0m'
    """
    words = " ".join(str(text[: 4 * longest]).split())
    words = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in words)
    return words if len(words) <= longest else words[: longest - 1] + "…"


def refuse(argument: str, got: object, must_be: str, error: type[Exception] = ValueError) -> Exception:
    """The error to raise: `conv: filters must be a positive integer, got 0`."""
    return _about(argument, got, f"{argument} must be {must_be}, got {one_line(got)}", error)


def unexpected(argument: str, got: object, known: Iterable[object], of: str = "") -> Exception:
    """The error to raise where there is no such argument: `conv: unexpected argument 'filtres'; did you mean …?`."""
    return _about(argument, got, f"unexpected argument {one_line(argument)}{nearest(argument, known)}{of}", TypeError)


def complaint(message: str, error: type[Exception] = ValueError) -> Exception:
    """The error to raise where there is more to say than what an argument must be."""
    return error(plain(f"{where()}: {message}"))


def _about(argument: str, got: object, message: str, error: type[Exception]) -> Exception:
    made = complaint(message, error)
    made.about = (argument, got, message)  # type: ignore[attr-defined]
    return made


def passed_on(error: Exception, given: Mapping[str, Any]) -> None:
    """Let an error name who speaks now, if that was given the very value refused, under the same name.

    What a function only passes on is so refused under its own name, not under that of a piece which nobody called.
    What is said of the tensor of that piece stays there.
    """
    argument, got, message = getattr(error, "about", ("", None, ""))
    word, is_item, _ = argument.partition("[")
    if word not in given or re.search(r"\bof x\b", message):
        return
    value = given[word]
    if value is got or (is_item and is_sequence(value) and any(item is got for item in value)):
        error.args = (plain(f"{where()}: {message}"),)


def nearest(word: object, known: Iterable[object]) -> str:
    """`; did you mean 'relu'?` where something known is near, or has it as one of its words, else nothing."""
    names = [str(one) for one in known]
    near = difflib.get_close_matches(str(word)[:_LONGEST_VALUE], names, n=1)
    near = near or [name for name in sorted(names) if str(word) in name.split("_")]
    return f"; did you mean {one_line(near[0])}?" if near else ""


def listed(known: Sequence[object]) -> str:
    """`'a', 'b' or 'c'`, the first few of many."""
    words = [one_line(one) for one in known]
    if len(words) > _MOST_NAMES:
        return ", ".join(words[:_MOST_NAMES]) + ", …"
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "none, as there is none"


# -- checks -----------------------------------------------------------------------------------------------------------


def _index(value: Any) -> int | None:
    """The value as an int, None if it is none; an array of one number is not one, nor is a truth value."""
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_") or getattr(value, "shape", None):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def integer(argument: str, value: Any, at_least: int | None = 1, must_be: str = "") -> int:
    """The value as an int, if it is a whole number (NumPy's too) of at least so many; None for any."""
    must_be = must_be or {1: "a positive integer", 0: "an integer of at least 0", None: "an integer"}.get(
        at_least, f"an integer of at least {at_least}"
    )
    whole = _index(value)
    if whole is None:
        raise refuse(argument, value, must_be, TypeError)
    if at_least is not None and whole < at_least:
        raise refuse(argument, value, must_be)
    return whole


def integers(argument: str, value: Any, count: int, at_least: int | None = 1) -> tuple[int, ...]:
    """A tuple of exactly `count` integers."""
    must_be = f"{count} integers" + ("" if at_least is None else f" of at least {at_least}")
    if not is_sequence(value):
        raise refuse(argument, value, must_be, TypeError)
    if len(value) != count:
        raise refuse(argument, value, must_be)
    return tuple(integer(f"{argument}[{i}]", item, at_least) for i, item in enumerate(value))


def several(argument: str, value: Any, fewest: int = 1) -> tuple[int, ...]:
    """A tuple of `fewest` positive integers or more."""
    must_be = f"a list of {fewest} or more positive integers"
    if not is_sequence(value):
        raise refuse(argument, value, must_be, TypeError)
    if len(value) < fewest:
        raise refuse(argument, value, must_be)
    return integers(argument, value, len(value))


def is_sequence(value: object) -> bool:
    """Whether it is a list, a tuple or the like, and not text."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def number(
    argument: str,
    value: Any,
    must_be: str = "",
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """The value as a float, if it is a finite number within the bounds."""
    known = {"at least": (at_least, operator.ge), "above": (above, operator.gt)}
    known |= {"below": (below, operator.lt), "at most": (at_most, operator.le)}
    bounds = [(word, bound, holds) for word, (bound, holds) in known.items() if bound is not None]
    must_be = must_be or f"a finite number {' and '.join(f'{word} {bound:g}' for word, bound, _ in bounds)}".strip()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise refuse(argument, value, must_be, TypeError)
    try:
        real = float(value)
    except OverflowError:
        raise refuse(argument, value, must_be) from None
    if not math.isfinite(real) or not all(holds(real, bound) for _, bound, holds in bounds):
        raise refuse(argument, value, must_be)
    return real


def fraction(argument: str, value: Any) -> float:
    """The value as a float, if it is a number from 0 up to, not including, 1."""
    return number(argument, value, "a number from 0 up to, not including, 1", at_least=0, below=1)


def flag(argument: str, value: Any) -> bool:
    """The value as a bool, if it says yes or no: True or False, NumPy's too, 1 or 0."""
    if type(value).__name__ in ("bool", "bool_") or _index(value) in (0, 1):
        return bool(value)
    raise refuse(argument, value, "True or False", TypeError)


def choice(argument: str, value: Any, known: Iterable[Any], what: str = "") -> Any:
    """The value, if it is one of those known; `what` they are where there are many to list."""
    known = list(known)
    try:
        found = next((one for one in known if type(one) is type(value) and one == value), None)
        if found is not None or (value is None and None in known):
            return found
        if value in known:  # NumPy's kinds
            return known[known.index(value)]
    except (TypeError, ValueError):  # an array, which is equal to nothing as a whole; an __eq__ of somebody else's
        pass
    raise refuse(argument, value, (what or f"one of {listed(known)}") + nearest(value, known))


def unknown(argument: str, name: object, known: Iterable[object], what: str = "block") -> Exception:
    """The error to raise where an argument names what is not there: which names are near, or some that there are."""
    words = [str(one) for one in known]
    near = difflib.get_close_matches(str(name)[:_LONGEST_VALUE], words, n=3)
    said = f"; did you mean {listed(near)}?" if near else f": {listed(words)}"
    return refuse(argument, name, f"the name of a{'n' * what.startswith(tuple('aeio'))} {what}{said}")


def instance(argument: str, value: Any, kind: type[Kind], must_be: str) -> Kind:
    """The value, if it is of that type."""
    if not isinstance(value, kind):
        raise refuse(argument, value, must_be, TypeError)
    return value


def text(argument: str, value: Any, must_be: str = "text") -> str:
    """The value as a plain str, if it is text."""
    return str(instance(argument, value, str, must_be))


def names(argument: str, value: Any, must_be: str = "the name of a block, or several") -> tuple[str, ...]:
    """Names as a tuple, of which a single one needs no brackets."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        raise refuse(argument, value, must_be, TypeError)
    found = tuple(value)
    if not all(isinstance(name, str) for name in found):
        raise refuse(argument, found, must_be, TypeError)
    return found


def mapping(argument: str, value: Any, must_be: str = "a dict") -> Mapping[Any, Any]:
    """The value, if it is a mapping."""
    return instance(argument, value, Mapping, must_be)  # type: ignore[type-abstract]


def function(argument: str, value: Kind | None, *words: str) -> Kind:
    """Something to call that is no class; with words, a function that is called with these keywords.

    A layer is none: it would be the same one at every call.
    """
    if not callable(value) or (words and (isinstance(value, type) or hasattr(value, "compute_output_spec"))):
        raise refuse(argument, value, "a function", TypeError)
    try:
        taken = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):  # of some functions in C none is known
        return value
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken):
        missing = {*words} - {parameter.name for parameter in taken}
        if missing:
            must_be = f"a function with the argument{'s' * (len(missing) > 1)} {', '.join(sorted(missing))}"
            raise refuse(argument, value, must_be, TypeError)
    return value


def function_of_one(argument: str, value: Any, must_be: str = "a function of one tensor") -> Callable[..., Any]:
    """Something to call with one argument and no more, partials seen through; no class."""
    if not callable(value) or isinstance(value, type):
        raise refuse(argument, value, must_be, TypeError)
    inner: Any = value
    words: set[str] = set()
    while isinstance(inner, partial):
        inner, words = inner.func, words | inner.keywords.keys()
    try:
        taken = inspect.signature(inner).parameters
    except (TypeError, ValueError):  # of some functions in C none is known
        return value
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        for word in sorted(words - taken.keys()):
            name = one_line(getattr(inner, "__name__", inner)).strip("'")
            near = nearest(word, taken)
            raise refuse(argument, value, f"{must_be}; {name} has no argument {one_line(word)}{near}", TypeError)
    try:
        inspect.signature(value).bind(None)
    except (TypeError, ValueError) as error:
        stray = "".join(
            f"; it was given {one_line(word)}{nearest(word, taken)}" for word in sorted(words - taken.keys())
        )
        raise refuse(argument, value, f"{must_be} ({plain(str(error))}{stray})", TypeError) from None
    return value


_LEVELS = "None (layers), 1 (outermost blocks), 2 (one level further in), …"


def depth(value: Any, argument: str = "depth") -> int | None:
    """How many levels of blocks are opened: None for layers, or a positive integer."""
    return None if value is None else integer(argument, value, must_be=_LEVELS)


def depth_or_auto(value: Any, argument: str = "depth") -> Literal["auto"] | int | None:
    """`depth`, or "auto" for as deep as there is room."""
    if isinstance(value, str):
        if value == "auto":
            return "auto"
        raise refuse(argument, value, f"'auto', {_LEVELS}")
    return None if value is None else integer(argument, value, must_be=f"'auto', {_LEVELS}")
