"""The example programs called in this process, and what they say when they refuse."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))  # as it is for the program itself


def programs(*names: str) -> list[ModuleType]:
    """Modules of the examples."""
    return [importlib.import_module(name) for name in names]


def lines_of_refusal(capsys, call: Callable[[], int]) -> list[str]:
    """What a program writes to standard error when it ends with exit code 2."""
    capsys.readouterr()
    try:
        code = call()
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr().err.strip().splitlines()
    assert code == 2
    return said
