"""What is optional: what works without it, and what says which extra brings it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from layerblocks.extras import needs

HERE = Path(__file__).parents[2]
ROOMS = ("blocks", "graphs", "architectures", "models", "viz", "training", "testing", "src")

WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(("matplotlib", "pydot", "graphviz", "pygraphviz", "pandas", "sklearn")))
import keras
from layerblocks.viz import diagram, model_to_dot, plot_model, to_graphviz, Theme
x = y = keras.Input((8, 8, 3), name="image")
for name in ("stem", "body1", "body2"):
    y = keras.layers.Conv2D(8, 3, padding="same", name=f"{name}.conv")(y)
    y = keras.layers.ReLU(name=f"{name}.activation")(y)
y = keras.layers.Add(name="sum")([y, keras.layers.Conv2D(8, 1, name="short.conv")(x)])
model = keras.Model(x, y, name="net")
figure = diagram(model, width="ieee1")
assert figure.svg and figure.pdf and figure.eps and figure.tikz and figure.mermaid and figure.alt_text
assert plot_model(model, None, depth=1).svg
assert diagram(model, style="volumes").svg
for attempt in (
    lambda: figure.png(),
    lambda: diagram(model, theme=Theme(font="DejaVu Serif")),
    lambda: model_to_dot(model),
    lambda: to_graphviz(model),
    lambda: plot_model(model, None),
):
    try:
        attempt()
    except ModuleNotFoundError as error:
        print(error)
"""


def test_boxes_are_drawn_without_the_optional_packages():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "render: needs matplotlib, which is not installed: pip install 'layerblocks[training]'",
        "diagram: needs matplotlib, which is not installed: pip install 'layerblocks[training]'",
        "model_to_dot: needs pydot, which is not installed: pip install 'layerblocks[dot]'",
        "to_graphviz: needs graphviz, which is not installed: pip install 'layerblocks[dot]'",
        "plot_model: needs pygraphviz, which is not installed: pip install 'layerblocks[dot]'",
    ]


def test_what_a_package_itself_lacks_is_said_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "half.py").write_text("import no_such_package_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_package_at_all'"):
        needs("half", extra="dot")


def asked():
    """Every `needs(module, extra=…)` in the rooms."""
    for room in ROOMS:
        for path in sorted((HERE / room).rglob("*.py")):
            for call in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "needs":
                    words = {
                        word.arg: word.value.value for word in call.keywords if isinstance(word.value, ast.Constant)
                    }
                    if isinstance(call.args[0], ast.Constant):
                        yield path.name, call.args[0].value.partition(".")[0], words["extra"]


def test_every_extra_that_is_named_brings_the_package():
    project = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]
    found, called = list(asked()), {"yaml": "pyyaml", "pptx": "python-pptx"}
    assert {package for _, package, _ in found} >= {"pydot", "graphviz", "pygraphviz", "matplotlib"}
    for file, package, extra in found:
        lines = [*project["dependencies"], *project["optional-dependencies"].get(extra, ())]
        assert called.get(package, package) in {re.match(r"[\w-]+", line)[0].lower() for line in lines}, (
            file,
            package,
            extra,
        )
