"""Values as the Python code that makes them, so that a failing case can be pasted."""

from __future__ import annotations

from functools import partial
from typing import Any


def code_of(value: Any) -> str:
    """The code of a value made of numbers, strings, containers, functions by their names, and partials of these.

    Example:
        >>> from functools import partial
        >>> code_of({"conv": partial(max, default=0), "filters": (4, 8)})
        "{'conv': partial(max, default=0), 'filters': (4, 8)}"
    """
    if isinstance(value, partial):
        given = [*map(code_of, value.args), *(f"{word}={code_of(item)}" for word, item in value.keywords.items())]
        return f"partial({', '.join([code_of(value.func), *given])})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{code_of(key)}: {code_of(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(code_of, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(code_of, value))}{',' if len(value) == 1 else ''})"
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    return repr(value)


class Written(partial[Any]):
    """A partial whose `repr` is the code that makes it, equal to another of the same code.

    Example:
        >>> Written(sorted, reverse=True)
        partial(sorted, reverse=True)
    """

    def __repr__(self) -> str:
        return code_of(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, partial) and code_of(self) == code_of(other)

    def __hash__(self) -> int:
        return hash(code_of(self))
