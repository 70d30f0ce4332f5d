"""Write the constructors of the catalogue's modules into `__init__.pyi`: `python -m layerblocks.architectures`."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from .catalogue import ENTRIES

STUB = Path(__file__).with_name("__init__.pyi")


def _is_imported(name: str, constructor: Any, module: ModuleType) -> bool:
    """Whether it is made in another family, whose name for it is the same."""
    home = import_module(constructor.__module__)
    return home is not module and vars(home).get(name) is constructor


def stub(old: str) -> str:
    """Make the text of the stub: every constructor in the catalogue's modules, and what stands there of others.

    Example:
        >>> stub(STUB.read_text()) == STUB.read_text()
        True
    """
    families = {entry.module for entry in ENTRIES.values()}
    lines = [line for line in old.splitlines() if line.split()[1].lstrip(".") not in families]
    for family in families:
        module = import_module(f".{family}", __package__)
        for name, value in vars(module).items():
            if hasattr(value, "walk") and not _is_imported(name, value, module):
                lines.append(f"from .{family} import {name} as {name}")
    return "\n".join([*sorted(lines, key=_natural), ""])


def _natural(line: str) -> list[tuple[str, int]]:
    """A key by which resnet18 comes before resnet101, and resnet_v2 after both."""
    return [(text, int(number or -1)) for text, number in re.findall(r"(\D+)(\d*)", " ".join(line.split()[1:4]))]


if __name__ == "__main__":
    STUB.write_text(stub(STUB.read_text()))
    print(STUB)
