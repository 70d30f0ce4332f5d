"""A `pydot.Dot` goes into `graphviz.Source` as it is, as notebooks write it."""

from __future__ import annotations

import graphviz
import keras
import pytest

from layerblocks.viz import model_to_dot


def test_graphviz_source_renders_a_pydot_graph(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")])
    dot = model_to_dot(model, show_shapes=True)
    assert "".join(graphviz.Source(dot)).strip() == dot.to_string().strip()
    try:
        written = graphviz.Source(model_to_dot(model, show_shapes=True)).render(str(tmp_path / "net"))
    except graphviz.ExecutableNotFound:
        pytest.skip("needs the dot program")
    assert (tmp_path / "net.pdf").exists() and written.endswith(".pdf")
