"""Who may know what: viz stands on Keras alone, and one file of it on what Keras does not document."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import layerblocks.viz

FILES = sorted(Path(layerblocks.viz.__file__).parent.glob("*.py"))
OUTSIDE = {"keras", "pydot", "graphviz", "pygraphviz"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imports_itself_and_little_else(path):
    import sys

    found = set(imported(path))
    inside = {f".{file.stem}" for file in FILES}
    assert found <= set(sys.stdlib_module_names) | OUTSIDE | inside
    assert "keras" not in found or path.stem == "reader", "the graph is plain data for all but the reader"


PRIVATE = re.compile(
    r"_inbound_nodes|_outbound_nodes|_keras_history|\b_nodes\b|_functional\b(?!\()|_outputs_struct|keras\.src"
)


@pytest.mark.parametrize("path", [path for path in FILES if path.stem != "reader"], ids=lambda path: path.stem)
def test_only_the_reader_touches_what_keras_keeps_to_itself(path):
    assert not PRIVATE.search(path.read_text(encoding="utf-8"))
