"""LaTeX documents of real networks: every letter has a form there, and they compile without a warning."""

from __future__ import annotations

import re
import shutil

import pytest

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.viz import diagram, diff
from layerblocks.viz.scene import Text

from .test_backends import _KEEP, compiled

FIGURES = {
    "googlenet": lambda: diagram(weightless_net("googlenet"), width="ieee1"),
    "resnet50": lambda: diagram(weightless_net("resnet50"), width="neurips", depth=2, zoom=True),
    "unet": lambda: diagram(weightless_net("unet"), width="ieee1"),
    "unet as volumes": lambda: diagram(weightless_net("unet"), width="ieee2", style="volumes"),
    "changes": lambda: diff(weightless_net("resnet18"), weightless_net("resnet34")).figure(width="ieee2"),
}


def weightless_net(name):
    with weightless():
        return build(name)


@pytest.mark.parametrize("name", FIGURES)
def test_latex_has_every_letter_of_a_figure(name):
    _, _, shown = FIGURES[name]().tikz.partition("begin{tikzpicture}")
    assert "layerblocksletter" not in shown, "a box in the place of a letter"


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
@pytest.mark.parametrize("name", FIGURES)
def test_the_document_of_a_network_compiles_without_a_warning(tmp_path, name):
    figure = FIGURES[name]()
    (page,) = compiled(tmp_path, figure.save(tmp_path / "net.tex").path.read_text(encoding="utf-8"))
    assert tuple(page.rect) == pytest.approx((0, 0, figure.width, figure.height), abs=0.05)
    log = (tmp_path / "a.log").read_text(errors="replace")
    assert not re.search(r"warning|overfull|underfull", log, re.IGNORECASE), log
    plain = [t.text for t in figure.scene.items if isinstance(t, Text) and re.fullmatch(r"[A-Za-z0-9, ]{4,}", t.text)]
    assert plain and set(plain) <= {line.strip() for line in page.get_text("text", flags=_KEEP).splitlines()}
