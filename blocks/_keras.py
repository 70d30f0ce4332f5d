"""Every private corner of Keras that the blocks stand on; `tests/test_keras_internals.py` watches them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras.src.backend.common import global_state

_PENDING = "uninitialized_variables"
_SCOPE = "stateless_scope"


def swap_pending_variables(variables: list[Any]) -> list[Any]:
    """Put `variables` in the place of Keras's list of variables still to be allocated; return the old list."""
    pending = global_state.get_global_attribute(_PENDING, [], set_to_default=True)
    global_state.set_global_attribute(_PENDING, variables)
    return pending


def current_stateless_scope() -> Any:
    return global_state.get_global_attribute(_SCOPE)


def name_operations(rename: Callable[[str | None, type], str | None]) -> None:
    """Let `rename(name, class)` decide the name of every Keras operation made from now on.

    `keras.Operation.__init__` is public, as every custom layer calls it; that each layer and each `keras.ops`
    node passes through it is what is relied on here.
    """
    original = keras.Operation.__init__

    # Keras reads the bare signature of `__init__`, so it has to stay the same.
    @functools.wraps(original)
    def __init__(self: Any, name: str | None = None) -> None:
        original(self, name=rename(name, type(self)))

    keras.Operation.__init__ = __init__
