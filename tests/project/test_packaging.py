"""The wheel holds the whole tree, under one name only."""

import importlib
import pkgutil
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import layerblocks

ROOT = Path(__file__).parents[2]
PACKAGES = ("blocks", "architectures", "viz", "testing")
FOLDERS = {**{name: name for name in PACKAGES}, "src/layerblocks": ""}


def test_the_wheel_holds_every_module_of_the_tree(tmp_path):
    tree = tmp_path / "tree"  # a copy, as setuptools leaves a build folder behind
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*pip, str(tree)], check=True, capture_output=True, text=True)
    (wheel,) = tmp_path.glob("layerblocks-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    for folder, package in FOLDERS.items():
        for module in (ROOT / folder).rglob("*.py"):
            path = Path("layerblocks", package, module.relative_to(ROOT / folder))
            assert path.as_posix() in held
    assert "layerblocks/py.typed" in held
    assert not [name for name in held if name.split("/")[0] in (*PACKAGES, "tests", "src")]


def test_nothing_is_imported_twice_under_the_bare_folder_names():
    for module in pkgutil.walk_packages(layerblocks.__path__, "layerblocks."):
        importlib.import_module(module.name)
    assert not {*PACKAGES} & set(sys.modules)


def test_importing_the_package_imports_no_keras():
    code = "import sys, layerblocks.architectures as a; a.list_architectures(); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
