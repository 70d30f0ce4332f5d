"""Saying what is wrong with an argument, in one line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: object, known: Iterable[str]) -> str:
    """`; did you mean 'svg'?` where something known is near, else nothing."""
    near = get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def unknown(argument: str, name: object, known: Iterable[str]) -> str:
    """That an argument names a block that is not there, and which names are near."""
    near = get_close_matches(str(name), list(known), n=3)
    told = f"did you mean {' or '.join(map(repr, near))}?" if near else "the layers' dotted names say which there are"
    return f"{argument}={name!r}: there is no such block; {told}"


def choice(function: str, argument: str, value: object, known: Iterable[str]) -> str:
    """The value, if it is one of those known."""
    known = list(known)
    if isinstance(value, str) and value in known:
        return value
    takes = ", ".join(map(repr, known))
    raise ValueError(f"{function}: {argument}={value!r}: it takes {takes}{nearest(value, known)}")


def level(function: str, depth: object) -> int | None:
    """The depth, if it is None or a whole number from 1 on."""
    number = isinstance(depth, int | float) and not isinstance(depth, bool)
    if depth is None or (number and isinstance(depth, int) and depth >= 1):
        return depth
    kind = ValueError if number else TypeError
    raise kind(f"{function}: depth={depth!r}: it takes None (layers), 1 (outermost blocks), 2 (a level further in), …")
