"""Six published networks of blocks alone: their parameters, and that each is short and names no layer of Keras."""

import ast
import runpy
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "examples" / "six_networks.py"
PROGRAM = runpy.run_path(str(FILE))
TRAINABLE = {
    "resnext50": 25_028_904,
    "wide_resnet50": 68_883_240,
    "efficientnet_b0": 5_288_548,
    "mobilenet_v3_small": 2_542_856,
    "convnext_tiny": 28_589_128,
    "inception_resnet_v2": 55_813_192,
}
"""Trainable parameters of torchvision's, and of keras.applications' Inception-ResNet-v2."""


@pytest.mark.parametrize("name", TRAINABLE)
def test_trainable_parameters(name):
    assert PROGRAM["trainable_parameters"](name) == TRAINABLE[name]


def test_each_is_short_and_has_no_layer_of_keras():
    assert PROGRAM["NETWORKS"].keys() == TRAINABLE.keys()
    tree = ast.parse(FILE.read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for function in functions:
        body = function.body[1:] if ast.get_docstring(function) else function.body
        lines = {line for statement in body for line in range(statement.lineno, statement.end_lineno + 1)}
        assert len(lines) + 1 < 20, (function.name, len(lines) + 1)
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert "layers" not in attributes and "ops" not in attributes
