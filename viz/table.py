"""What a model is made of, as rows and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .checks import choice, level
from .describe import count_text, describe, shape_text
from .graph import Graph, Shape
from .reader import read_graph
from .rewrite import collapse


@dataclass(frozen=True, slots=True)
class Row:
    """One block, or one layer.

    Args:
        name: its dotted name.
        kind: what it is, in a few words.
        outputs: the shapes that leave it, batch first.
        parameters: all of them, trainable or not.
        trainable: those that are.
        multiply_adds: for one example; None if a size is unknown.
    """

    name: str
    kind: str
    outputs: tuple[Shape, ...]
    parameters: int
    trainable: int
    multiply_adds: int | None


def rows(model: Any, depth: int | None = 1) -> list[Row]:
    """The rows of a model's table, in the order in which they are computed.

    Args:
        model: a built Keras model.
        depth: 1 for outermost blocks, 2 for one level further in, …; None for layers.

    Raises:
        TypeError, ValueError: `model` is no built Keras model, or `depth` no depth.

    >>> import keras
    >>> x = keras.Input((8, 8, 3), name="image")
    >>> y = keras.layers.Conv2D(4, 3, name="stem.conv")(x)
    >>> rows(keras.Model(x, y), depth=None)[1].multiply_adds
    3888
    """
    return _rows(_read("rows", model, depth))


def totals(model: Any) -> Row:
    """A model's parameters and multiply-adds in all, those of shared layers once.

    >>> import keras
    >>> totals(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])).parameters
    10
    """
    return _total(_read("totals", model, None))


def table(model: Any, depth: int | None = 1, format: str = "text") -> str:
    """Name, kind, output shape, parameters and multiply-adds of every block, and what they come to.

    Args:
        model: a built Keras model.
        depth: 1 for outermost blocks, 2 for one level further in, …; None for layers.
        format: text, markdown or csv.

    Raises:
        TypeError, ValueError: `model` is no built Keras model, or an argument is none that it takes.

    >>> import keras
    >>> x = keras.Input((8, 8, 3), name="image")
    >>> y = keras.layers.Conv2D(4, 3, name="stem.conv")(x)
    >>> print(table(keras.Model(x, keras.layers.Flatten(name="flatten")(y))))
    block          kind         output shape  parameters  multiply-adds
    image          float32      8×8×3                  0              0
    stem           3×3 conv, 4  6×6×4                112          3,888
    flatten        flatten      144                    0              0
    total                                            112          3,888
    trainable                                        112
    non-trainable                                      0
    """
    write = _WRITERS[choice("table", "format", format, _WRITERS)]
    graph = _read("table", model, depth)
    return write(_rows(graph), _total(graph), "layer" if depth is None else "block")


def _read(function: str, model: Any, depth: int | None) -> Graph:
    level(function, depth)
    try:
        return collapse(read_graph(model, expand_nested=True), depth)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{function}: {error}") from None


def _rows(graph: Graph) -> list[Row]:
    return [
        Row(
            name=node.name,
            kind=", ".join(node.dtypes) if node.role == "input" else describe(node),
            outputs=node.outputs,
            parameters=node.parameters,
            trainable=sum(w.size for w in node.weights if w.trainable),
            multiply_adds=node.multiply_adds,
        )
        for node in graph.nodes
    ]


def _total(graph: Graph) -> Row:
    return Row("total", "", (), graph.parameters, graph.trainable_parameters, graph.multiply_adds)


def _shapes(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(shape_text, shapes))


def _lines(found: Sequence[Row], total: Row, first: str) -> list[tuple[str, ...]]:
    """Heading, rows, and three lines of sums, all as text."""
    return [
        (first, "kind", "output shape", "parameters", "multiply-adds"),
        *(
            (r.name, r.kind, _shapes(r.outputs), count_text(r.parameters), count_text(r.multiply_adds))
            for r in (*found, total)
        ),
        ("trainable", "", "", count_text(total.trainable), ""),
        ("non-trainable", "", "", count_text(total.parameters - total.trainable), ""),
    ]


def _text(found: Sequence[Row], total: Row, first: str) -> str:
    lines = [tuple(" ".join(cell.split()) for cell in line) for line in _lines(found, total, first)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(_aligned(line, widths)).rstrip() for line in lines)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Words to the left, the two columns of numbers to the right."""
    return [
        cell.ljust(width) if i < len(line) - 2 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]


def _markdown(found: Sequence[Row], total: Row, first: str) -> str:
    head, *body = (
        "| " + " | ".join(" ".join(cell.replace("\\", "\\\\").replace("|", "\\|").split()) for cell in line) + " |"
        for line in _lines(found, total, first)
    )
    return "\n".join([head, "|---|---|---|---:|---:|", *body])


def _csv(found: Sequence[Row], total: Row, first: str) -> str:
    """Plain numbers, for programs to read; an unknown one is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow((first, "kind", "output shape", "parameters", "trainable", "multiply-adds"))
    writer.writerows(
        (r.name, r.kind, _shapes(r.outputs), r.parameters, r.trainable, r.multiply_adds) for r in (*found, total)
    )
    return file.getvalue().rstrip("\n")


_WRITERS: Mapping[str, Callable[[Sequence[Row], Row, str], str]] = {
    "text": _text,
    "markdown": _markdown,
    "csv": _csv,
}
