"""What Hypothesis loads when it starts, so that types of Keras and of this library resolve by themselves.

`st.from_type(keras.KerasTensor)`, `st.builds(f)` of a function of a `Unit`, `@given(...)` on annotations. Nothing is
imported for it: a module's types are registered when somebody imports the module.

Example:
    >>> import keras
    >>> from hypothesis import find, strategies as st
    >>> find(st.from_type(keras.KerasTensor), lambda x: True).shape
    (None, 1, 1, 1)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def _register_tensors(keras: ModuleType) -> None:
    from hypothesis import strategies as st

    def of_type(kind: Any) -> Any:
        from .strategies import tensors

        return tensors()

    st.register_type_strategy(keras.KerasTensor, of_type)


def _register_words(types: ModuleType) -> None:
    from hypothesis import strategies as st

    def of_type(kind: Any) -> Any:
        from .annotations import from_annotation

        return from_annotation(kind)

    for word in ("Unit", "Norm", "Pool", "Dense", "Shortcut"):
        st.register_type_strategy(getattr(types, word), of_type)


def _register_networks(module: ModuleType) -> None:
    from hypothesis import strategies as st

    st.register_type_strategy(module.Network, lambda kind: module.networks())


_REGISTER: dict[str, Callable[[ModuleType], None]] = {
    "keras": _register_tensors,
    "layerblocks.blocks.types": _register_words,
    "layerblocks.testing.random_networks": _register_networks,
}


def register() -> None:
    """Register the types of what is imported, and of the rest as soon as it is."""
    waiting = {}
    for name, then in _REGISTER.items():
        if name in sys.modules and not getattr(sys.modules[name].__spec__, "_initializing", False):
            then(sys.modules[name])
        else:
            waiting[name] = then
    if waiting and not any(isinstance(finder, _Waiting) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Waiting(waiting))


class _Waiting(MetaPathFinder):
    """Finds nothing by itself; lets a function have each of some modules once it is imported."""

    def __init__(self, waiting: dict[str, Callable[[ModuleType], None]]) -> None:
        self.waiting = waiting

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.waiting:
            return None
        for finder in sys.meta_path:
            found = None if finder is self else finder.find_spec(name, path, target)
            if found is not None and found.loader is not None:
                found.loader = _Followed(found.loader, self.waiting.pop(name))
                return found
        return None


class _Followed(Loader):
    """Another loader, and a function of the module that it made."""

    def __init__(self, loader: Loader, then: Callable[[ModuleType], None]) -> None:
        self.loader, self.then = loader, then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        self.then(module)
