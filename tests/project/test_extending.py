"""The five examples of docs/extending.md: one file, one line beside it, and it works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
ROOMS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests")


@dataclass(frozen=True)
class Extension:
    """An example of the page: a file, each line beside it after the one that it follows, and what has to run then."""

    path: str
    file: str
    changed: str
    changes: tuple[tuple[str, str], ...]
    check: str


def extensions() -> dict[str, Extension]:
    found = {}
    for section in PAGE.split("\n## ")[1:]:
        (file, check), (diff,) = (
            re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL) for kind in ("python", "diff")
        )
        path = re.match(r"# (\S+)\n", file)[1]
        head, *lines = diff.splitlines()
        changes = []
        for number, line in enumerate(lines):
            if line.startswith("+"):
                changes.append((lines[number - 1][1:] if number else "", line[1:]))
            else:
                assert line.startswith(" "), "an extension only adds"
        assert len(changes) == 1, "an extension is one line beside its file"
        found[section.splitlines()[0]] = Extension(
            path, file.partition("\n")[2], head.removeprefix("+++ "), tuple(changes), check
        )
    return found


EXTENSIONS = extensions()


def test_there_are_five():
    assert list(EXTENSIONS) == ["A unit", "A network", "A file format", "A rule for a layer", "Surgery"]


def copied(folder: Path) -> Path:
    """The package as it is installed, in a folder that may be changed."""
    place = folder / "site" / "layerblocks"
    shutil.copytree(ROOT / "src" / "layerblocks", place)
    for room in ROOMS:
        shutil.copytree(ROOT / room, place / room, ignore=shutil.ignore_patterns("__pycache__"))
    return place


@pytest.fixture
def package(tmp_path) -> Path:
    return copied(tmp_path)


def python(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, in which the copy is the package."""
    paths = os.pathsep.join(filter(None, (str(place.parent), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, *words],
        cwd=place.parents[1],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


def extend(package: Path, extension: Extension) -> None:
    target = package / extension.path
    assert not target.exists()
    target.write_text(extension.file, encoding="utf-8")
    registry = package / extension.changed
    lines = registry.read_text(encoding="utf-8").splitlines(keepends=True)
    for before, added in extension.changes:
        place, *more = (n for n, line in enumerate(lines) if stands_there(before, line)) if before else (len(lines),)
        assert not more, f"{extension.changed} has several lines such as {before!r}"
        lines.insert(place + 1, f"{added}\n")
    registry.write_text("".join(lines), encoding="utf-8")


def stands_there(context: str, line: str) -> bool:
    """Whether a line is that of the page, of which `…` may stand for the rest; none stands for the end of the file."""
    return line.startswith(context.removesuffix("…")) if context.endswith("…") else line.rstrip("\n") == context


@pytest.fixture(scope="module")
def works_already(tmp_path_factory) -> set[str]:
    """What of the page works without any extension."""
    code = ""
    for name, extension in EXTENSIONS.items():
        code += f"try: exec({extension.check!r}, {{}})\nexcept Exception: pass\nelse: print({name!r})\n"
    done = python(copied(tmp_path_factory.mktemp("plain")), "-c", code)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


RUN = """
import doctest, importlib, layerblocks
assert layerblocks.__file__.startswith({package!r})
module = importlib.import_module({module!r})
own = [one for one in vars(module).values() if getattr(one, "__module__", "") == module.__name__]
tests = [test for one in own for test in doctest.DocTestFinder().find(one, module=False, globs=dict(vars(module)))]
runner = doctest.DocTestRunner()
assert not sum(runner.run(test).failed for test in tests)
print("examples:", sum(len(test.examples) for test in tests))
"""


@pytest.mark.sweep_but("A rule for a layer")
@pytest.mark.parametrize("name", EXTENSIONS)
def test_an_extension_works(name, package, works_already):
    assert name not in works_already
    extension = EXTENSIONS[name]
    extend(package, extension)
    module = "layerblocks." + extension.path.removesuffix(".py").replace("/", ".")
    done = python(package, "-c", RUN.format(package=str(package), module=module) + extension.check)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    is_public = extension.path.partition("/")[0] in ("blocks", "architectures", "models")
    assert not is_public or not re.search("^examples: 0$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", EXTENSIONS)
def test_an_extension_has_the_style_of_the_house(name, package):
    pytest.importorskip("ruff")
    extension = EXTENSIONS[name]
    extend(package, extension)
    options = ("--no-cache", "--config", str(ROOT / "pyproject.toml"))
    for command in (("check", *options), ("format", "--check", *options)):
        done = python(package, "-m", "ruff", *command, str(package / extension.path))
        assert done.returncode == 0, done.stdout
