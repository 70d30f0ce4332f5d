"""The networks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ZOO: dict[str, Callable[[], Any]] = {}


def net(function: Callable[[], Any]) -> Callable[[], Any]:
    """Put a network into the zoo, under the name of its function."""
    assert function.__name__ not in ZOO
    ZOO[function.__name__] = function
    return function
