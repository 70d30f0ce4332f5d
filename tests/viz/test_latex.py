"""LaTeX documents of real networks: every letter has a form there, and they compile without a warning."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.viz import diagram, diff, table
from layerblocks.viz.scene import Text
from layerblocks.viz.venues import height_for, points

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


CLASSES = {  # the class of each venue that Debian's TeX Live has: its options, and the widths of its column and page
    "IEEEtran": ("journal,letterpaper", "ieee1", "ieee2"),
    "acmart": ("sigconf,nonacm", "acm1", "acm2"),
    "elsarticle": ("5p,twocolumn", "elsevier1", "elsevier2"),
    "llncs": ("", "springer", "springer"),
}
PAGE = r"""\documentclass[%s]{%s}
\usepackage{graphicx,booktabs}
\begin{document}
\title{T}\author{A}\maketitle
\typeout{WIDTHS \the\columnwidth, \the\textwidth}
\begin{figure}\includegraphics{column}\caption{One.}\end{figure}
\begin{figure*}\includegraphics{page}\caption{Two.}\end{figure*}
\begin{table}\caption{Three.}%s\end{table}
\begin{figure}[p]\rule{1cm}{%sbp}\caption{%s}\end{figure}
Words.
\end{document}
"""


def has_class(name):
    if not shutil.which("kpsewhich"):
        return False
    return subprocess.run(["kpsewhich", f"{name}.cls"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", CLASSES)
def test_figures_and_tables_fit_the_columns_of_the_venues_own_class(tmp_path, name):
    if not (shutil.which("pdflatex") and has_class(name)):
        pytest.skip(f"needs pdflatex and {name}.cls")
    options, column, page = CLASSES[name]
    model = weightless_net("resnet50")
    for file, width in (("column", column), ("page", page)):
        diagram(model, width=width, height=300).save(tmp_path / f"{file}.pdf")
    (tmp_path / "a.tex").write_text(
        PAGE % (options, name, table(model, format="latex"), height_for(column), "words " * 26)
    )
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "a.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (tmp_path / "a.pdf").exists(), run.stdout[-500:]
    log = (tmp_path / "a.log").read_text(errors="replace")
    widths = [float(found) for found in re.search(r"WIDTHS ([\d.]+)pt, ([\d.]+)pt", log).groups()]
    for width, told in zip((column, page), widths, strict=True):
        assert points(width) * 72.27 / 72 == pytest.approx(told, abs=0.01), "as wide as the column, to a hair"
    assert not re.search(r"Overfull \\hbox [^\n]*(?:in paragraph|in alignment|detected)", log), log
    assert "Float too large" not in log, "no room for a caption below what is as tall as can be"
    assert "PDF inclusion" not in log, "a PDF of a later version than LaTeX allows"
