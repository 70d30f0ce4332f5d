"""Figures and tables of any Keras model, with no `dot` program.

`diagram` draws a network as a paper shows it: in blocks, equal neighbours as one, at the size of a venue's column.

    diagram(model, width="ieee1").save("net.pdf")

`plot_model` and `model_to_dot` take what Keras's take and draw what they draw; `depth=1` draws a box per block instead,
fit for a paper's column. `to_graphviz` gives a `graphviz.Source`, `table` and `rows` say the same in words and numbers.

    plot_model(model, "net.pdf", depth=1)

All of them read a `Graph` (`read_graph`), which `collapse` draws together into blocks. A block is whatever shares the
first part of a dotted layer name: layers called `stem.conv` and `stem.activation` make the block `stem`. A layer of
your own is counted if it has a method `multiply_adds(input_shape, output_shape)`.

Beside the figure: `compare` puts several networks in one table, `diff` says and draws what changed between two,
`alt_text` and `caption` describe a figure in words, and `mermaid` writes it for a README.

Of a training: `plot_history` draws its curves and `diagnose` says what they mean; `plot_class_distribution`,
`plot_images`, `plot_feature_maps` and `plot_confusion_matrix` draw what went in and what came out. They return
matplotlib axes.
"""

from .changes.changes import Change, status
from .changes.difference import Difference, diff
from .charts.charts import plot_class_distribution, plot_confusion_matrix
from .charts.curves import plot_history
from .charts.diagnosis import Diagnosis, Rule, Trend, diagnose
from .charts.features import plot_feature_maps
from .charts.history import Series, TrainingLog, read_history
from .charts.images import plot_images
from .diagram import diagram
from .figure import Figure
from .graphs.folding import fold, kinds, opened
from .graphs.fusing import fuse
from .graphs.graph import Edge, Frame, Graph, Node, Output, Weight
from .graphs.grouping import group
from .graphs.overview import overview
from .graphs.reader import read_graph
from .graphs.rewrite import collapse
from .plot import model_to_dot, plot_model, to_graphviz
from .texts.mermaid import mermaid
from .texts.table import Row, compare, rows, table, totals
from .texts.words import alt_text, caption
from .theme import Paint, Theme

__all__ = [
    "Change",
    "Diagnosis",
    "Difference",
    "Edge",
    "Figure",
    "Frame",
    "Graph",
    "Node",
    "Output",
    "Paint",
    "Row",
    "Rule",
    "Series",
    "Theme",
    "TrainingLog",
    "Trend",
    "Weight",
    "alt_text",
    "caption",
    "collapse",
    "compare",
    "diagnose",
    "diagram",
    "diff",
    "fold",
    "fuse",
    "group",
    "kinds",
    "mermaid",
    "model_to_dot",
    "opened",
    "overview",
    "plot_class_distribution",
    "plot_confusion_matrix",
    "plot_feature_maps",
    "plot_history",
    "plot_images",
    "plot_model",
    "read_graph",
    "read_history",
    "rows",
    "status",
    "table",
    "to_graphviz",
    "totals",
]
