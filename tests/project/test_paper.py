"""docs/paper.md: what it says to do is done, and what it says to compile compiles, at the sizes that it tells."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from layerblocks.blocks import weightless
from layerblocks.viz import points

PAGE = (Path(__file__).parents[2] / "docs" / "paper.md").read_text(encoding="utf-8")
BLOCKS = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where all that the page writes is written."""
    made = tmp_path_factory.mktemp("paper")
    patch = pytest.MonkeyPatch()
    patch.chdir(made)
    names: dict[str, object] = {"__name__": "paper"}
    with weightless():
        for kind, code in BLOCKS.findall(PAGE):
            if kind == "python":
                exec(compile(code, "docs/paper.md", "exec"), names)
    patch.undo()
    return made


@pytest.mark.sweep
def test_the_page_writes_what_it_says(folder):
    said = set(re.findall(r'save\("([^"]+)"', "".join(code for kind, code in BLOCKS.findall(PAGE) if kind == "python")))
    assert {path.name for path in folder.iterdir() if path.suffix != ".log"} >= said and len(said) >= 8


def test_widths_are_those_of_the_table():
    rows = re.findall(r'^\|[^|]*\|([^|]*"[a-z]+\d?"[^|]*)\|([^|]*pt[^|]*)\|$', PAGE, re.MULTILINE)
    assert len(rows) == 7
    for names, told in rows:
        names, told = re.findall(r'"(\w+)"', names), [float(v) for v in re.findall(r"([\d.]+) pt", told)]
        assert {round(points(name) * 72.27 / 72, 1) for name in names} == set(told)


LATEX = [code for kind, code in BLOCKS.findall(PAGE) if kind == "latex"]


@pytest.mark.sweep
@pytest.mark.parametrize("number", range(len(LATEX)))
def test_its_documents_compile(folder, tmp_path, number):
    name = re.search(r"\\documentclass(?:\[[^]]*\])?\{(\w+)\}", LATEX[number])[1]
    if not shutil.which("pdflatex") or subprocess.run(["kpsewhich", f"{name}.cls"], capture_output=True).returncode:
        pytest.skip(f"needs pdflatex and {name}.cls")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "a.tex").write_text(LATEX[number], encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stdout[-800:]
    assert not re.search(r"Overfull \\hbox [^\n]*in paragraph", run.stdout)
