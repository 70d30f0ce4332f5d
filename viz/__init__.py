"""Figures and tables of any Keras model, with no `dot` program.

`plot_model` and `model_to_dot` take what Keras's take and draw what they draw; `depth=1` draws a box per block instead,
fit for a paper's column. `to_graphviz` gives a `graphviz.Source`, `table` and `rows` say the same in words and numbers.

    plot_model(model, "net.pdf", depth=1)

All of them read a `Graph` (`read_graph`), which `collapse` draws together into blocks. A block is whatever shares the
first part of a dotted layer name: layers called `stem.conv` and `stem.activation` make the block `stem`. A layer of
your own is counted if it has a method `multiply_adds(input_shape, output_shape)`.
"""

from .graph import Edge, Frame, Graph, Node, Output, Weight
from .plot import Figure, model_to_dot, plot_model, to_graphviz
from .reader import read_graph
from .rewrite import collapse
from .table import Row, rows, table, totals
from .theme import Paint, Theme

__all__ = [
    "Edge",
    "Figure",
    "Frame",
    "Graph",
    "Node",
    "Output",
    "Paint",
    "Row",
    "Theme",
    "Weight",
    "collapse",
    "model_to_dot",
    "plot_model",
    "read_graph",
    "rows",
    "table",
    "to_graphviz",
    "totals",
]
