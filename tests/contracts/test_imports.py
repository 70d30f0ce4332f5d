"""Who may know what: viz stands on Keras alone, and one file of it on what Keras does not document."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import layerblocks.viz

VIZ = Path(layerblocks.viz.__file__).parent
FILES = sorted(VIZ.rglob("*.py"))
OUTSIDE = {"keras", "pydot", "graphviz", "pygraphviz", "matplotlib", "numpy", "fontTools", "PIL"}


def imported(path):
    """What a file imports: a name from outside, or the path of a module inside."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield path.parents[node.level - 1].joinpath(*(node.module or "").split("."))


def named(path):
    return path.relative_to(VIZ).as_posix()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_imports_itself_and_little_else(path):
    found = set(imported(path))
    for inside in (each for each in found if isinstance(each, Path)):
        assert inside.with_suffix(".py") in FILES or inside / "__init__.py" in FILES
    outside = {each for each in found if isinstance(each, str)}
    assert outside <= set(sys.stdlib_module_names) | OUTSIDE
    assert "keras" not in outside or path.stem == "reader", "the graph is plain data for all but the reader"


PRIVATE = re.compile(
    r"_inbound_nodes|_outbound_nodes|_keras_history|\b_nodes\b|_functional\b(?!\()|_outputs_struct|keras\.src"
)


@pytest.mark.parametrize("path", [path for path in FILES if path.stem != "reader"], ids=named)
def test_only_the_reader_touches_what_keras_keeps_to_itself(path):
    assert not PRIVATE.search(path.read_text(encoding="utf-8"))
