"""Maths in labels against what Unicode says of its letters, and as it stands in figures."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.viz import diagram
from layerblocks.viz.fonts import face, missing
from layerblocks.viz.scene import Text
from layerblocks.viz.texts.latex_letters import latex_text
from layerblocks.viz.texts.maths import HIGH, LOW, SIGNS, with_maths


def maths(text):
    return with_maths("label", text)


@pytest.mark.parametrize(
    ("source", "letters"),
    [
        (r"$\alpha_i$", "αᵢ"),
        (r"$3{\times}3$ conv", "3×3 conv"),
        (r"$3\times3$", "3 × 3"),
        (r"$x_{t-1}$ and $h_t$", "xₜ₋₁ and hₜ"),
        (r"$\mathrm{softmax}(QK^T/\sqrt{d_k})V$", "softmax(QKᵀ/√dₖ)V"),
        (r"$-x$, $f(-x)$, $a - b$", "−x, f(−x), a − b"),
        (r"$\frac{1}{n+1}\sum_i x_i^2$", "1/(n + 1)∑ᵢxᵢ²"),
        (r"$\{a,b\}$ for 5\$", "{a, b} for 5$"),
        (r"$\text{our gate}_i \left( x \right)$", "our gateᵢ(x)"),
        (r"a \$ b", "a $ b"),
    ],
)
def test_maths_is_written_in_letters(source, letters):
    assert maths(source) == letters


def test_scripts_are_those_that_unicode_says_they_are():
    for scripts, kind in ((LOW, ("<sub>",)), (HIGH, ("<super>",))):
        for letter, script in scripts.items():
            decomposed = unicodedata.decomposition(script).split()
            if decomposed and letter != "×":  # which is set as the letter x
                assert decomposed[0] in kind and chr(int(decomposed[1], 16)) == letter, letter
            elif not decomposed:
                assert letter in "′∗" and not script.isalnum()


@pytest.mark.parametrize("font", ["sans", "times"])
def test_no_letter_is_missing(font):
    assert not missing(face(font), ["".join((*SIGNS.values(), *LOW.values(), *HIGH.values()))])


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("a $ b", r"must be text with its maths between two \$"),
        (r"$\alpa$", r"has \\alpa, which is not known; did you mean 'alpha'"),
        ("$x_Q$", "has 'Q', which cannot be set low"),
        ("${a$", "has a { without a }"),
        ("$a}$", "has a } without a {"),
        ("$" + "{" * 500 + "$", "has more than 120 signs"),
        (r"$\text x$", r"has no { after \\text"),
        ("$x^$", r"has nothing after \^"),
    ],
)
def test_what_does_not_parse_is_one_line(source, says):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(2, name="gate")(x))
    for label in ({"gate": source}, lambda node: source if node.name == "gate" else None):
        with pytest.raises(ValueError, match=rf"^diagram: .*{says}") as error:
            diagram(model, label=label)
        assert "\n" not in str(error.value)


@given(st.text(alphabet="ab1+-=(){}^_ Qα", max_size=12))
def test_any_maths_is_written_or_refused_in_a_line(text):
    try:
        written = maths(f"${text}$")
    except ValueError as error:
        assert "\n" not in str(error) and ("{" in text or "}" in text or "^" in text or "_" in text)
    else:
        assert not set(written) & set("{}^_$-") and text.count("{") == text.count("}")


def test_labels_and_the_legend_have_maths():
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(2, name="gate")(x))
    figure = diagram(model, label={"gate": [r"$\sigma(W_i x)$", r"$\alpha_1$"]}, highlight={"gate": r"$\lambda$-gate"})
    assert {"σ(Wᵢx)", "α₁", "λ-gate"} <= {item.text for item in figure.scene.items if isinstance(item, Text)}


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_every_letter_compiles(tmp_path):
    letters = latex_text(" ".join((*SIGNS.values(), *LOW.values(), *HIGH.values())))
    assert "U+" not in letters
    (tmp_path / "a.tex").write_text(rf"\documentclass{{article}}\begin{{document}}{letters}\end{{document}}")
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a"], cwd=tmp_path, check=False)
    assert done.returncode == 0
