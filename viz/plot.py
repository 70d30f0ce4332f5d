"""The public drawing functions: Keras's `plot_model` and `model_to_dot`, and what they lack."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from .. import checks
from ..extras import needs
from ..graphs.graph import Graph
from ..graphs.grouping import group
from ..graphs.reader import read_graph
from ..graphs.rewrite import collapse, without_inputs
from .diagrams import Direction
from .dot import block_figure, layer_figure
from .figure import Figure, destination, saved
from .layouts.figures import Look, figure_scene
from .layouts.keras_tables import Options, layer_scene
from .scene import Scene
from .theme import DEFAULT, Theme
from .venues import INCH

if TYPE_CHECKING:
    from .dot_classes import Source

Splines = Literal["ortho", "curved", "polyline", "spline", "line", "none", "true", "false"]
_FLAGS = {
    *("show_shapes", "show_dtype", "show_layer_names", "show_layer_activations", "show_trainable"),
    *("expand_nested", "subgraph"),
}
_COLUMN = (3.5 * INCH, 9 * INCH)  # of a paper
_LEAST = 6.0  # points: type that can be read in it


@checks.public
def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] | None = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: Direction = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: Splines = "ortho",
    *,
    depth: int | None = None,
    loss_weights: Mapping[str, float] | None = None,
    theme: Theme = DEFAULT,
    **others: Any,
) -> Figure:
    """Draw a Keras model, with no `dot` program: as `keras.utils.plot_model` does, or block by block.

    Args:
        model: any built Keras model, made with our blocks or not.
        to_file: where to; the ending says how: .svg, .pdf, .png, .eps, .jpg, .gif, .tex, .tikz, .dot, .gv, .mmd, .md.
            None: to no file.
        show_shapes: show the input and output shapes of every call of a layer.
        show_dtype: show the dtypes of its outputs.
        show_layer_names: show names besides kinds.
        rankdir: from where to where: TB (top to bottom), LR, BT or RL.
        expand_nested: draw the layers of nested models, each model in a frame.
        dpi: dots per inch, for pixel formats; lowered, with a warning, for a picture too large to be made.
        show_layer_activations: show the activation of layers that have one.
        show_trainable: show whether layers with weights are trainable.
        splines: ortho, spline, polyline, curved, line or none; Graphviz draws ortho as spline above a thousand boxes.
        depth: None draws a box per layer, of which `show_*` and `expand_nested` choose the contents; 1 a box per
            outermost block, with what it is, its output shape and parameters; 2 opens these, and so on.
        loss_weights: by output key, to be shown on auxiliary heads. By default what the model was compiled with, or
            else its attribute `loss_weights`.
        theme: fonts, sizes and colours.

    Returns:
        A `Figure`: its `path` is the file, its `dot` the same graph as a `pydot.Dot`; a notebook shows it.

    Raises:
        ValueError, TypeError: an argument is wrong; the message says which, and what it must be.
        OSError: the file cannot be written. Nothing is left of it.

    >>> import keras
    >>> x = keras.Input((32, 32, 3), name="image")
    >>> y = keras.layers.Conv2D(8, 3, name="stem.conv")(x)
    >>> y = keras.layers.ReLU(name="stem.activation")(y)
    >>> plot_model(keras.Model(x, y, name="net"), to_file=None, depth=1)
    <Figure of 'net', 2 boxes>
    """
    given = dict(locals())
    if to_file is not None:
        destination("to_file", to_file)
    graph, options = _graph(given)
    scene = (layer_scene if depth is None else _block_scene)(graph, options, theme)
    figure = Figure(graph, scene, theme, lambda: _dot(graph, options, theme, depth))
    return figure if to_file is None else saved("to_file", figure, to_file, dpi)


@checks.public
def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: Direction = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: Splines = "ortho",
    *,
    depth: int | None = None,
    loss_weights: Mapping[str, float] | None = None,
    theme: Theme = DEFAULT,
    **others: Any,
) -> Any:
    """Turn a Keras model into a `pydot.Dot`; its `write` and `create` work with no `dot` program too.

    Args:
        subgraph: return a `pydot.Cluster`, to be put into another graph.

    The other arguments, and what is raised, are those of `plot_model`.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")])
    >>> dot = model_to_dot(model)
    >>> dot.create(prog="dot", format="svg")[:5]
    b'<?xml'
    """
    graph, options = _graph(dict(locals()))
    return _dot(graph, options, theme, depth, bool(subgraph))


@checks.public
def to_graphviz(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: Direction = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: Splines = "ortho",
    *,
    depth: int | None = None,
    loss_weights: Mapping[str, float] | None = None,
    theme: Theme = DEFAULT,
    **others: Any,
) -> Source:
    """Turn a Keras model into a `graphviz.Source`; its `render` and `pipe` work with no `dot` program too.

    The arguments, and what is raised, are those of `plot_model`.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")])
    >>> to_graphviz(model, depth=1).pipe(format="pdf")[:5]
    b'%PDF-'
    """
    graph, options = _graph(dict(locals()))
    needs("graphviz", extra="dot")
    from .dot_classes import Source

    return Source(_dot(graph, options, theme, depth).to_string())


def _dot(graph: Graph, options: Options, theme: Theme, depth: int | None, subgraph: bool = False) -> Any:
    """The graph as a `pydot.Dot`, or as a cluster to be put into another."""
    return (layer_figure if depth is None else block_figure)(graph, options, theme, subgraph)


def _block_scene(graph: Graph, options: Options, theme: Theme) -> Scene:
    """A column of boxes; where type in it would be too small on a paper's page, in as many as the page holds."""
    look = Look(theme, direction=options.rankdir, legend=False, splines=options.splines)
    scene = figure_scene(graph, look)
    assert scene is not None  # nothing bounds it
    shrunk = min(1.0, _COLUMN[0] / scene.width, _COLUMN[1] / scene.height)
    if scene.text_size * shrunk >= _LEAST or options.rankdir != "TB":
        return scene
    return figure_scene(graph, replace(look, width=_COLUMN[0], height=_COLUMN[1], min_text=_LEAST)) or scene


def _graph(given: Mapping[str, Any]) -> tuple[Graph, Options]:
    """What the three functions have in common: `given` are their arguments."""
    for name, value in given["others"].items():
        if name != "layer_range":
            known = given.keys() - {"others"}
            raise checks.complaint(f"there is no argument {name!r}{checks.nearest(name, known)}", TypeError)
        if value is not None:
            raise checks.refuse(name, value, "None: Keras 3 has no such thing; depth= draws less")
    checks.number("dpi", given["dpi"], above=0, below=1e6)
    checks.choice("rankdir", given["rankdir"], get_args(Direction))
    checks.choice("splines", given["splines"], get_args(Splines))
    given = {**given, **{name: checks.flag(name, given[name]) for name in _FLAGS & given.keys()}}
    options = Options(**{name: given[name] for name in Options.__dataclass_fields__})
    depth = checks.depth(given["depth"])
    checks.instance("theme", given["theme"], Theme, "a Theme")
    expand = depth is not None or given["expand_nested"]
    graph = read_graph(given["model"], expand_nested=expand, loss_weights=given["loss_weights"])
    if depth is not None:
        return collapse(group(graph), depth), options
    return without_inputs(graph) if graph.kind == "Sequential" else graph, options
