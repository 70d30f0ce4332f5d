"""mypy and pyright see what a user's file does wrong with the blocks, and nothing where it does right."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import layerblocks
from layerblocks import blocks

# `# wrong` on the lines at which a type checker has to stop, and at no other.
USERS_FILE = """\
from functools import partial

import keras

from layerblocks.blocks import (
    basic_residual,
    block,
    bottleneck,
    classifier,
    conv,
    conv_bn,
    dilated,
    group_norm,
    inception,
    max_pool,
    register,
    separable,
    squeeze_excite,
    transposed,
    vgg_block,
)
from layerblocks.blocks.types import Tensor


@block
def mine(x: Tensor, filters: int, *, name: str | None = None) -> Tensor:
    return max_pool(conv(x, filters, name="3x3"), name="pool")


@register("unit")
@block
def unit(x: Tensor, filters: int, kernel_size: int = 3, *, strides: int = 1, name: str | None = None) -> Tensor:
    return conv_bn(x, filters, kernel_size, strides=strides)


x = keras.Input((32, 32, 3))
y = mine(x, 3)
y = mine(x, 3, name="m")
y = unit(y, 16, strides=2, name="u")
y = conv(y, 16, (3, 1), strides=(1, 2), padding=((0, 1), (1, 0)), kernel_initializer="he_normal", name="c")
y = conv_bn(y, 16, 3, strides=2, activation="gelu", use_bias=True, kernel_regularizer=keras.regularizers.L2(1e-4))
y = dilated(y, 16, activation=None, name="holes")
y = separable(y, 16, depthwise_initializer="he_normal", norm=partial(group_norm, groups=4, epsilon=1e-5))
y = transposed(y, 16, strides=2, output_padding=1, bias_initializer="zeros")
y = basic_residual(y, 16, strides=2, groups=2, zero_init=True, conv=partial(conv, norm=group_norm), name="r")
y = bottleneck(y, 256, stride_on="3x3", activation_at="start", transforms=[squeeze_excite], conv=unit)
y = inception(y, 64, (96, 128), (16, 32), 32, conv=separable, name="i")
y = vgg_block(y, 64, 2, strides=1, pool=None, padding="same")
y = classifier(y, 10, pooling=None, units=(5,), use_bias=False, activation=None, name="head")

basic_residual(x, "16")  # wrong
basic_residual(x, 16, stride=2)  # wrong
basic_residual(x, 16, activation_at="ende")  # wrong
bottleneck(x, 64, zero_init="yes")  # wrong
mine(x, 3, nam="m")  # wrong
mine(x, "3")  # wrong
mine(x)  # wrong
unit(x, 3, stride=2)  # wrong
conv(x, 16, stride=2)  # wrong
conv(x, 16, padding="smae")  # wrong
conv(x, 16, kernel_initialiser="he_normal")  # wrong
conv(x, 16, name=3)  # wrong
conv_bn(x, 16, dilation=2)  # wrong
max_pool(x, "2")  # wrong
inception(x, 64, (96, 128, 3), (16, 32), 32)  # wrong
vgg_block(x, 64, strides=3)  # wrong
classifier(x, 10, classes_=3)  # wrong
separable(x, 16, depthwise_initialiser="he_normal")  # wrong
register("units")  # wrong
"""

EXPECTED = {number for number, line in enumerate(USERS_FILE.splitlines(), 1) if line.endswith("# wrong")}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder of a user's, in which the package lies as it does when it is installed."""
    folder = tmp_path_factory.mktemp("project")
    package = folder / "layerblocks"
    package.mkdir()
    source = Path(layerblocks.__file__).resolve().parent
    rooms = Path(blocks.__file__).resolve().parent.parent
    for path in source.iterdir():
        if path.is_file():
            shutil.copy(path, package)
    for room in layerblocks.__all__:
        if room[0] != "_":
            shutil.copytree(rooms / room, package / room, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "users.py").write_text(USERS_FILE)
    return folder


def test_mypy(project):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--no-error-summary", "users.py"]
    # Of our own modules only what the user sees is of interest here.
    run = subprocess.run(
        [*command, "--follow-imports=silent", "--no-incremental"],
        cwd=project,
        env={**os.environ, "MYPYPATH": str(project)},
        capture_output=True,
        text=True,
    )
    found = {int(line) for line in re.findall(r"^users\.py:(\d+): error:", run.stdout, re.M)}
    assert found == EXPECTED, run.stdout + run.stderr


def errors_of_pyright(folder: Path, what: str) -> dict[str, list[str]]:
    """What pyright says of a file or a folder, by file and line."""
    pyright = shutil.which("pyright") or shutil.which("pyright", path=str(Path(sys.executable).parent))
    if pyright is None and find_spec("pyright") is None:
        pytest.skip("needs pyright")
    command = [pyright] if pyright else [sys.executable, "-m", "pyright"]
    run = subprocess.run(
        [*command, "--outputjson", "--pythonpath", sys.executable, what], cwd=folder, capture_output=True, text=True
    )
    try:
        said = json.loads(run.stdout)
    except ValueError:
        pytest.skip(f"pyright does not run here: {run.stderr.strip()[-200:]}")
    assert said["summary"]["filesAnalyzed"], run.stderr
    found: dict[str, list[str]] = {}
    for one in said["generalDiagnostics"]:
        if one["severity"] == "error":
            place = f"{Path(one['file']).name}:{one['range']['start']['line'] + 1}"
            found.setdefault(place, []).append(one["message"])
    return found


def test_pyright(project):
    found = errors_of_pyright(project, "users.py")
    assert found.keys() == {f"users.py:{line}" for line in EXPECTED}, found


@pytest.mark.sweep
def test_pyright_of_the_package(project, tmp_path):
    """As `.ci/pyright` checks it, with the exceptions of pyproject.toml; a fault that is put in is found."""
    shutil.copytree(project / "layerblocks", tmp_path / "layerblocks")
    shutil.copy(Path(__file__).parents[2] / "pyproject.toml", tmp_path)
    planted = tmp_path / "layerblocks" / "blocks" / "planted.py"
    planted.write_text("from .units import conv\n\nconv(None, 3, stride=2)\n")
    assert errors_of_pyright(tmp_path, "layerblocks").keys() == {"planted.py:3"}
