"""The public drawing functions: Keras's `plot_model` and `model_to_dot`, and what they lack."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checks import choice, level, nearest
from .dot import Options, block_figure, layer_figure
from .graph import Graph
from .reader import read_graph
from .render import Dot, Source, check_writable, draw, why, write_whole
from .rewrite import collapse, without_inputs
from .theme import DEFAULT, Theme

# What a file's ending asks Graphviz for; None for the DOT source itself.
FORMATS: Mapping[str, str | None] = {
    ".svg": "svg",
    ".pdf": "pdf",
    ".png": "png",
    ".eps": "eps:cairo",
    ".jpg": "jpg",
    ".jpeg": "jpg",
    ".gif": "gif",
    ".dot": None,
    ".gv": None,
}
_RANKDIRS = ("TB", "LR", "BT", "RL")
_SPLINES = ("ortho", "curved", "polyline", "spline", "line", "none", "true", "false")


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A drawn model. A notebook shows it as SVG.

    Args:
        graph: the graph that it shows.
        dot: the same as a `pydot.Dot`, laid out and rendered when it is asked for.
        path: the file it was written to, if it was.
    """

    graph: Graph
    dot: Dot
    path: Path | None = None

    @property
    def svg(self) -> str:
        return draw(self.dot.to_string(), "svg").decode()

    def save(self, path: str | os.PathLike[str]) -> Figure:
        """Write it to a file, whole or not at all; the ending says in which format.

        Raises:
            ValueError: no such format.
            OSError: the file cannot be written.
        """
        return Figure(self.graph, self.dot, _save("save", "path", self.dot, path))

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        where = "" if self.path is None else f", written to {str(self.path)!r}"
        return f"<Figure of {self.graph.name!r}, {len(self.graph.nodes)} boxes{where}>"


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] | None = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    *,
    depth: int | None = None,
    loss_weights: Mapping[str, float] | None = None,
    theme: Theme = DEFAULT,
    **others: Any,
) -> Figure:
    """Draw a Keras model, with no `dot` program: as `keras.utils.plot_model` does, or block by block.

    Args:
        model: any built Keras model, made with our blocks or not.
        to_file: where to; the ending says how: .svg, .pdf, .png, .eps, .jpg, .gif, .dot, .gv. None: to no file.
        show_shapes: show the shapes that every call of a layer takes and gives.
        show_dtype: show the dtypes it gives.
        show_layer_names: show names besides kinds.
        rankdir: from where to where: TB (top to bottom), LR, BT or RL.
        expand_nested: draw the layers of nested models, each model in a frame.
        dpi: dots per inch, for pixel formats; lowered, with a warning, for a picture too large to be made.
        show_layer_activations: show the activation of layers that have one.
        show_trainable: show whether layers with weights are trainable.
        splines: ortho, spline, polyline, curved, line or none; ortho is drawn as spline where edges
            are labelled, and above a thousand boxes.
        depth: None draws a box per layer, of which `show_*` and `expand_nested` choose the contents; 1 a box per
            outermost block, with what it is, its output shape and parameters; 2 opens these, and so on.
        loss_weights: by output key, to be shown on auxiliary heads. By default what the model was compiled with, or
            else its attribute `loss_weights`.
        theme: fonts, sizes and colours.

    Returns:
        A `Figure`: its `dot` is the `pydot.Dot`, its `path` the file; a notebook shows it.

    Raises:
        ValueError, TypeError: an argument is wrong; the message says which, and what it takes.
        OSError: the file cannot be written. Nothing is left behind.

    >>> import keras
    >>> x = keras.Input((32, 32, 3), name="image")
    >>> y = keras.layers.Conv2D(8, 3, name="stem.conv")(x)
    >>> y = keras.layers.ReLU(name="stem.activation")(y)
    >>> plot_model(keras.Model(x, y, name="net"), to_file=None, depth=1)
    <Figure of 'net', 2 boxes>
    """
    given = dict(locals())
    if to_file is not None:
        _destination("plot_model", "to_file", to_file)
    graph, dot = _draw("plot_model", given)
    path = None if to_file is None else _save("plot_model", "to_file", dot, to_file)
    return Figure(graph, dot, path)


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
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
    return _draw("model_to_dot", dict(locals()))[1]


def to_graphviz(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
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
    return Source(_draw("to_graphviz", dict(locals()))[1].to_string())


def _draw(function: str, given: Mapping[str, Any]) -> tuple[Graph, Any]:
    """What the three functions have in common; `given` are their arguments."""
    known = inspect.signature(_FUNCTIONS[function]).parameters
    for name, value in given["others"].items():
        if name == "layer_range" and value is None:
            continue
        if name == "layer_range":
            raise ValueError(f"{function}: layer_range={value!r}: Keras 3 has no such thing; depth= draws less")
        raise TypeError(f"{function}: there is no argument {name!r}{nearest(name, set(known) - {'others'})}")
    options = _options(function, given)
    depth = level(function, given["depth"])
    theme = given["theme"]
    if not isinstance(theme, Theme):
        raise TypeError(f"{function}: theme={theme!r}: it takes a Theme")
    try:
        graph = read_graph(
            given["model"],
            expand_nested=depth is not None or bool(given["expand_nested"]),
            loss_weights=given["loss_weights"],
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"{function}: {error}") from None
    subgraph = bool(given.get("subgraph"))
    if depth is not None:
        graph = collapse(graph, depth)
        return graph, block_figure(graph, options, theme, subgraph)
    if graph.kind == "Sequential":
        graph = without_inputs(graph)
    return graph, layer_figure(graph, options, theme, subgraph)


def _options(function: str, given: Mapping[str, Any]) -> Options:
    dpi = given["dpi"]
    if isinstance(dpi, bool) or not isinstance(dpi, int | float) or not 0 < dpi < 1e6:
        raise ValueError(f"{function}: dpi={dpi!r}: it takes a number above 0")
    choice(function, "rankdir", given["rankdir"], _RANKDIRS)
    choice(function, "splines", given["splines"], _SPLINES)
    return Options(**{name: given[name] for name in Options.__dataclass_fields__})


def _destination(function: str, argument: str, path: Any) -> tuple[Path, str | None]:
    """The path, and what Graphviz calls the format that its ending asks for."""
    try:
        target = Path(os.fsdecode(path))
    except TypeError:
        raise TypeError(f"{function}: {argument}={path!r}: it takes a path or None") from None
    ending = target.suffix.lower() or ".png"  # as Keras does
    if ending not in FORMATS:
        raise ValueError(
            f"{function}: {argument}={str(path)!r}: no format has the ending {target.suffix!r}; "
            f"it takes {', '.join(FORMATS)}{nearest(ending, FORMATS)}"
        )
    try:
        check_writable(target)
    except OSError as error:
        raise type(error)(f"{function}: {argument}={str(path)!r} cannot be written: {why(error)}") from None
    return target, FORMATS[ending]


def _save(function: str, argument: str, dot: Any, path: Any) -> Path:
    target, format = _destination(function, argument, path)
    source = dot.to_string()
    data = source.encode() if format is None else draw(source, format)
    try:
        write_whole(target, data)
    except OSError as error:
        raise type(error)(f"{function}: {argument}={str(path)!r} cannot be written: {why(error)}") from error
    return target


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function for function in (plot_model, model_to_dot, to_graphviz)
}
