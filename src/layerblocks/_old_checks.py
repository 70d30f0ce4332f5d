"""Saying what is wrong with an argument, in one line."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

Kind = TypeVar("Kind")
_MOST_TOLD = 6
_LONGEST = 200  # characters of a value that was given


def nearest(word: object, known: Iterable[str]) -> str:
    """`; did you mean 'svg'?` where something known is near, else nothing."""
    near = get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def unknown(argument: str, name: object, known: Iterable[str], what: str = "block") -> str:
    """That an argument names what is not there, and which names are near or, where none is, which there are."""
    known = list(known)
    near = get_close_matches(str(name), known, n=3)
    told = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it takes {_some(known)}"
    return f"{argument}={name!r}: there is no such {what}; {told}"


def _some(known: Sequence[str]) -> str:
    more = " …" if len(known) > _MOST_TOLD else ""
    return ", ".join(map(repr, known[:_MOST_TOLD])) + more if known else "none, as there is none"


def one_line(value: object) -> str:
    """What was given, on one line and cut where it is long."""
    words = " ".join(repr(value).split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


def choice(function: str, argument: str, value: object, known: Iterable[str]) -> str:
    """The value, if it is one of those known."""
    known = list(known)
    if isinstance(value, str) and value in known:
        return value
    takes = ", ".join(map(repr, known))
    raise ValueError(f"{function}: {argument}={one_line(value)}: it takes {takes}{nearest(value, known)}")


def kind(function: str, argument: str, value: object, of: type[Kind], takes: str) -> Kind:
    """The value, if it is of that type."""
    if not isinstance(value, of):
        raise TypeError(f"{function}: {argument}={one_line(value)}: it takes {takes}")
    return value


def text(function: str, argument: str, value: object) -> str:
    """The value, if it is text."""
    return kind(function, argument, value, str, "text")


def flag(function: str, argument: str, value: object) -> bool:
    """The value, if it says yes or no: True or False, NumPy's too, 1 or 0."""
    if type(value).__name__ in ("bool", "bool_") or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise TypeError(f"{function}: {argument}={one_line(value)}: it takes True or False")


def whole(function: str, argument: str, value: object, takes: str = "a whole number from 1 on") -> int:
    """The value, if it is a whole number from 1 on, NumPy's too."""
    number = _index(value)
    if number is None:
        raise TypeError(f"{function}: {argument}={one_line(value)}: it takes {takes}")
    if number < 1:
        raise ValueError(f"{function}: {argument}={number}: it takes {takes}")
    return number


def _index(value: Any) -> int | None:
    if isinstance(value, bool) or getattr(value, "shape", None):  # an array of one number is not one
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def names(function: str, argument: str, given: Any, takes: str = "the name of a block, or several") -> tuple[str, ...]:
    """Names, of which a single one needs no brackets."""
    found = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (None,)
    if not all(isinstance(name, str) for name in found):
        raise TypeError(f"{function}: {argument}={one_line(given)}: it takes {takes}")
    return found


_LEVELS = "None (layers), 1 (outermost blocks), 2 (a level further in), …"


def level(function: str, depth: object) -> int | None:
    """The depth, if it is None or a whole number from 1 on."""
    return None if depth is None else whole(function, "depth", depth, _LEVELS)


def level_or_auto(function: str, depth: object) -> Literal["auto"] | int | None:
    """The depth, if it is "auto", None or a whole number from 1 on."""
    if isinstance(depth, str) and depth == "auto":
        return "auto"
    takes = f"'auto', {_LEVELS}"
    if isinstance(depth, str):
        raise ValueError(f"{function}: depth={depth!r}: it takes {takes}")
    return None if depth is None else whole(function, "depth", depth, takes)
