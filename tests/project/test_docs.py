"""The code in the pages of docs/ runs as it stands, page by page."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
RUNNING = ("testing.md",)
CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", RUNNING)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page}
    for code in CODE.findall((DOCS / page).read_text(encoding="utf-8")):
        exec(compile(code, page, "exec"), namespace)


def gallery():
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_gallery_is_what_its_program_writes():
    module = gallery()
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == module.page()
    names = [name for _, name, _, _ in module.FIGURES] + [module.file_of(name) for name in module.STRANGERS]
    assert sorted(path.stem for path in (DOCS / "gallery").glob("*.svg")) == sorted(names)


def colours(svg):
    return Counter(colour.lower() for colour in re.findall("#[0-9a-fA-F]{6}", svg))


@pytest.mark.parametrize("name", ["googlenet-zoom", "vgg16-volumes", "resnet50"])
def test_a_line_of_the_gallery_draws_its_figure(name):
    module = gallery()
    figure = module.draw(next(line for _, each, _, line in module.FIGURES if each == name))
    committed = (DOCS / "gallery" / f"{name}.svg").read_text(encoding="utf-8")
    opening = re.compile(r"<svg[^>]*>")
    assert opening.search(figure.svg)[0] == opening.search(committed)[0], "another size than in the gallery"
    assert colours(figure.svg) == colours(committed), "other colours than in the gallery"


def test_the_sheet_beside_other_programs_is_there_and_small():
    page = (DOCS / "comparison.md").read_text(encoding="utf-8")
    program = (DOCS / "comparison.py").read_text(encoding="utf-8")
    assert "](comparison.png)" in page and (DOCS / "comparison.png").stat().st_size < 500_000
    for other in ("PlotNeuralNet", "visualkeras", "torchview"):
        assert other in page and f'"{other}"' in program
    assert "## Where ours is still behind" in page
