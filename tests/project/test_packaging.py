"""What is installed: the whole tree under one name, nothing that has gone, and an sdist whose own tests run."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from functools import partial
from pathlib import Path

import pytest

import layerblocks

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests")
FOLDERS = {**{name: name for name in PACKAGES}, "src/layerblocks": ""}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LEFT_BEHIND = shutil.ignore_patterns(
    ".git", ".venv", "venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "runs"
)


@pytest.fixture
def tree(tmp_path) -> Path:
    """A copy of the repository, as building writes into it."""
    return Path(shutil.copytree(ROOT, tmp_path / "tree", ignore=LEFT_BEHIND))


def run(*words: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    process = subprocess.run(list(map(str, words)), cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert process.returncode == 0, (process.stdout + process.stderr)[-4000:]
    return process.stdout


def built(tree: Path, kind: str, *options: object) -> Path:
    """What setuptools builds of a tree, as pip has it built: `wheel`, `sdist` or `editable`."""
    place = tree.parent / "built"
    place.mkdir(exist_ok=True)
    words = ", ".join(map(repr, (str(place), *options)))
    out = run(sys.executable, "-c", f"from setuptools.build_meta import *; print(build_{kind}({words}))", cwd=tree)
    return place / out.splitlines()[-1]


def held(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def modules(tree: Path) -> set[str]:
    """Every file of our packages, data too, where the wheel has it."""
    return {
        Path("layerblocks", package, path.relative_to(tree / folder)).as_posix()
        for folder, package in FOLDERS.items()
        for path in (tree / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_the_wheel_holds_every_module_and_none_that_has_gone(tree):
    """Built twice in the same folder, with setuptools' own build folder left between, and a file renamed."""
    wheel = built(tree, "wheel")
    assert modules(tree) <= held(wheel)
    assert not [name for name in held(wheel) if name.split("/")[0] in (*PACKAGES, "tests", "src", "docs")]
    assert (tree / "build").is_dir(), "there is nothing for the second build to find"
    (tree / "blocks" / "vgg.py").rename(tree / "blocks" / "vggs.py")
    (tree / "viz" / "new").mkdir()
    (tree / "viz" / "new" / "__init__.py").write_text("")
    again = held(built(tree, "wheel"))
    assert {name for name in again if name.startswith("layerblocks/")} == modules(tree)


def test_a_new_room_needs_no_second_entry(tree):
    (tree / "rooms").mkdir()
    (tree / "rooms" / "__init__.py").write_text("")
    assert "layerblocks/rooms/__init__.py" in held(built(tree, "wheel"))


LICENCES = [path for pattern in PROJECT["license-files"] for path in ROOT.glob(pattern)]


def test_the_wheel_holds_every_licence(tree):
    found = {Path(name).name for name in held(built(tree, "wheel")) if "/licenses/" in name}
    assert {path.name for path in LICENCES} == found
    assert all(list(ROOT.glob(pattern)) for pattern in PROJECT["license-files"])


def test_every_font_that_a_figure_embeds_has_its_licence():
    """Those that are in the tree, and those that `viz.fonts` names."""
    named = re.findall(r'"(\w[\w-]+)\.ttf"', (ROOT / "viz" / "fonts.py").read_text(encoding="utf-8"))
    names = {*named, *(path.stem for path in (ROOT / "viz").rglob("*.[ot]tf"))}
    texts = "".join(path.read_text(encoding="utf-8") for path in LICENCES)
    assert names
    for name in names:
        assert re.search(r"DejaVu changes are in public domain" if "DejaVu" in name else name[:4], texts), name


# -- the source distribution ------------------------------------------------------------------------------------------


@pytest.fixture
def unpacked(tree) -> Path:
    archive = built(tree, "sdist")
    with tarfile.open(archive) as tar:
        tar.extractall(tree.parent / "sdist", filter="data")
    (folder,) = (tree.parent / "sdist").iterdir()
    return folder


def test_the_source_distribution_is_the_repository(unpacked, tree):
    parts = ("tests", "docs", "examples", "benchmarks", ".ci", ".github", *FOLDERS)
    wanted = {path.relative_to(tree) for part in parts for path in (tree / part).rglob("*") if path.is_file()}
    wanted |= {path.relative_to(tree) for ending in ("*.md", "*.cff", "*.py", "*.toml") for path in tree.glob(ending)}
    missing = {path for path in wanted if not (unpacked / path).is_file()}
    assert not missing
    assert not list(unpacked.rglob("*.pyc"))


@pytest.mark.sweep
def test_its_own_tests_run(unpacked):
    """Against what is built from it. All are collected, which imports each file with its helpers, and some run."""
    site = unpacked.parent / "site"
    zipfile.ZipFile(built(unpacked, "wheel")).extractall(site)
    places = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    there = partial(run, sys.executable, "-m", "pytest", "-q", cwd=unpacked, env={**os.environ, "PYTHONPATH": places})
    where = "import layerblocks.blocks; print(layerblocks.blocks.__file__)"
    found = run(sys.executable, "-c", where, cwd=unpacked, env={**os.environ, "PYTHONPATH": places})
    assert Path(found.strip()).is_relative_to(site)
    assert not re.search(r"\berrors?\b", there("--collect-only", "tests").splitlines()[-1])
    some = (
        "tests/contracts/test_imports.py::test_every_room_is_in_the_table",
        "tests/project/test_docs.py::test_the_gallery_is_what_its_program_writes",
        "tests/project/test_readme.py::test_the_two_commands_are_there_for_ci_to_run",
        "tests/testing/test_oracles.py",
    )
    assert " passed" in there(*some).splitlines()[-1]


# -- an editable install, seen by tools -------------------------------------------------------------------------------

USER = """
from typing import Literal

from layerblocks import blocks, viz
from layerblocks.architectures import resnet18
from layerblocks.viz import diagram, diff, table
from layerblocks.testing import check_net

reveal_type(blocks.conv_bn)
reveal_type(diagram)
reveal_type(table)
wrong: int = "a string"
"""


@pytest.fixture
def environment(tree) -> Path:
    """The Python of an environment into which the tree is installed as `pip install -e` does in strict mode."""
    run(sys.executable, "-m", "venv", "--without-pip", tree.parent / "venv", cwd=tree)
    site = next((tree.parent / "venv").glob("[Ll]ib*/**/site-packages"))
    zipfile.ZipFile(built(tree, "editable", {"editable_mode": "strict"})).extractall(site)
    (site / "others.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    (tree.parent / "user.py").write_text(USER)
    return tree.parent / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def test_mypy_sees_an_editable_install(environment, tmp_path):
    pytest.importorskip("mypy")
    words = ("-m", "mypy", "--python-executable", environment, "--ignore-missing-imports", "user.py")
    out = subprocess.run([sys.executable, *map(str, words)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert [line for line in out.stdout.splitlines() if "error" in line][:1] == [
        'user.py:12: error: Incompatible types in assignment (expression has type "str", variable has type "int")'
        "  [assignment]"
    ]
    assert len(re.findall(r'Revealed type is "(?:def|Overload|.*\[)', out.stdout)) == 3, out.stdout


def test_pyright_sees_an_editable_install(environment, tmp_path):
    pytest.importorskip("pyright")
    words = ("-m", "pyright", "--pythonpath", environment, "user.py")
    out = subprocess.run([sys.executable, *map(str, words)], cwd=tmp_path, capture_output=True, text=True, check=False)
    errors = [line for line in out.stdout.splitlines() if " error: " in line]
    assert len(errors) == 1 and ":12:" in errors[0], out.stdout
    assert not re.search(r'is "Unknown"|could not be resolved', out.stdout)


# -- what is asked of a user ------------------------------------------------------------------------------------------


def extra(name: str) -> set[str]:
    """The packages that an extra brings, with those of the extras that it names."""
    found = set()
    for line in PROJECT["optional-dependencies"][name]:
        package, _, inner = re.match(r"([\w-]+)(\[([\w,]+)\])?", line).groups()
        found |= set().union(*map(extra, inner.split(","))) if package == "layerblocks" else {package}
    return found


def test_the_core_brings_no_backend():
    core = {re.match(r"[\w-]+", line)[0] for line in PROJECT["dependencies"]}
    assert not core & {"tensorflow", "jax", "torch", "pydot", "graphviz", "hypothesis"}
    assert {"keras", "numpy", "h5py", "lazy_loader"} <= core


def test_the_readme_installs_what_it_is_known_for():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    core = {re.match(r"[\w-]+", line)[0] for line in PROJECT["dependencies"]}
    commands = re.findall(r"pip install -q '\.\[([\w,]+)\]' && ", readme)
    assert len(commands) == 2
    draw, test = (core | set().union(*map(extra, words.split(","))) for words in commands)
    assert {"tensorflow", "numpy", "pydot", "graphviz"} <= draw
    assert {"tensorflow", "numpy", "pydot", "graphviz", "hypothesis", "pytest", "pytest-xdist"} <= test


def test_all_is_every_extra_of_use():
    every = set().union(*map(extra, PROJECT["optional-dependencies"].keys() - {"all", "test"}))
    assert extra("all") == every
    assert every <= extra("test")


def test_nothing_is_imported_twice_under_the_bare_folder_names():
    for module in pkgutil.walk_packages(layerblocks.__path__, "layerblocks."):
        importlib.import_module(module.name)
    assert not {*PACKAGES} & set(sys.modules)
