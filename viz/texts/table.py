"""What a model is made of, as rows and as a table; several models side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from heapq import merge
from itertools import combinations, groupby
from math import prod
from typing import Any

from ... import checks
from ...graphs.graph import Graph, Node, Shape, activation_of, leaves
from ...graphs.grouping import group
from ...graphs.reader import graph_of
from ...graphs.repeats import fold as fold_equal
from ...graphs.repeats import structure
from ...graphs.rewrite import collapse
from ...graphs.rules import Unknown, field_words
from .layer_labels import describe, shape_text
from .notation import notation, told
from .table_formats import FORMATS, Cell, Share, Sheet, Stack, write


@dataclass(frozen=True, slots=True)
class Row:
    """One block, or one layer, or several equal ones in a row.

    Args:
        name: its dotted name.
        kind: what it is, in a few words.
        outputs: the shapes that leave it, batch first.
        parameters: all of them, trainable or not; None if some are not known.
        trainable: those that are.
        multiply_adds: for one example; None if a size is unknown.
        repeats: how many equal neighbours it stands for; the numbers are those of all.
        receptive_field: as `Node` has it.
        layers: the same as `kind`, as data.
    """

    name: str
    kind: str
    outputs: tuple[Shape, ...]
    parameters: int | None
    trainable: int | None
    multiply_adds: int | None
    repeats: int = 1
    receptive_field: tuple[int | None, ...] | Unknown | None = None
    layers: Cell = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: what it says of a row, given the row of the sums."""

    cell: Callable[[Row, Row], Cell]
    number: bool = False
    summed: bool = False


def _share(part: int | None, whole: int | None) -> Cell:
    return Share(part / whole) if part is not None and whole else None


COLUMNS: Mapping[str, Column] = {
    "kind": Column(lambda row, _: row.layers),
    "output shape": Column(lambda row, _: ", ".join(map(shape_text, row.outputs))),
    "repeats": Column(lambda row, _: row.repeats, number=True),
    "receptive field": Column(lambda row, _: field_words(row.receptive_field)),
    "parameters": Column(lambda row, _: row.parameters, number=True, summed=True),
    "trainable": Column(lambda row, _: row.trainable, number=True, summed=True),
    "share of parameters": Column(lambda row, total: _share(row.parameters, total.parameters), True, True),
    "multiply-adds": Column(lambda row, _: row.multiply_adds, number=True, summed=True),
    "share of multiply-adds": Column(lambda row, total: _share(row.multiply_adds, total.multiply_adds), True, True),
}
USUAL = ("kind", "output shape", "parameters", "multiply-adds")
USUAL_CSV = ("kind", "output shape", "parameters", "trainable", "multiply-adds")


@checks.public
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
    return list(map(_row, _read(model, depth).nodes))


@checks.public
def totals(model: Any) -> Row:
    """A model's parameters and multiply-adds in all, those of shared layers once.

    >>> import keras
    >>> totals(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])).parameters
    10
    """
    return _total(_read(model, None))


@checks.public
def table(
    model: Any,
    depth: int | None = 1,
    format: str = "text",
    *,
    fold: bool | None = None,
    columns: Sequence[str] | None = None,
    caption: str = "",
    label: str = "",
) -> str:
    r"""Name, kind, output shape, parameters and multiply-adds of every block, and what they come to.

    Args:
        model: a built Keras model, or a graph as it is to be told.
        depth: 1 for outermost blocks, 2 for one level further in, …; None for layers.
        format: text, markdown, latex (with the package booktabs), csv (plain numbers, for programs) or html.
        fold: whether equal neighbours are one row, with the numbers of all of them. None: blocks are, layers are not,
            and nothing is in csv.
        columns: which, behind the names: "kind", "output shape", "repeats", "receptive field", "parameters",
            "trainable", "share of parameters", "multiply-adds", "share of multiply-adds".
        caption: for latex and html.
        label: to refer to the table by, in latex (`\ref`) and html (`id`).

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
    format = checks.choice("format", format, FORMATS)
    names = _columns(columns, USUAL_CSV if format == "csv" else USUAL)
    check_words(caption, label)
    fold = None if fold is None else checks.flag("fold", fold)
    graph = _read(model, depth)
    total = _total(graph)
    if fold or (fold is None and format != "csv" and depth is not None):
        graph = fold_equal(graph)
    chosen = [COLUMNS[name] for name in names]
    sheet = Sheet(
        heads=("layer" if depth is None else "block", *names),
        body=tuple((row.name, *(c.cell(row, total) for c in chosen)) for row in map(_row, graph.nodes)),
        foot=(*_foot(total, names, chosen, format == "csv"), *_not_verified(graph, names)),
        numbers=frozenset(i for i, column in enumerate(chosen, 1) if column.number),
        caption=caption,
        label=label,
    )
    return write(sheet, format)


def _columns(given: Sequence[str] | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    if given is None:
        return usual
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise checks.refuse("columns", given, f"a sequence of names, such as {usual!r}", TypeError)
    return tuple(checks.choice("columns", name, COLUMNS) for name in given)


def check_words(caption: object, label: object) -> None:
    """Raise if these are no caption and no label of a table."""
    checks.text("caption", caption)
    if not re.fullmatch(r"[\w:.+-]*", checks.text("label", label), re.ASCII):
        raise checks.refuse("label", label, "letters, digits and any of : . _ + -")


def _foot(total: Row, names: Sequence[str], chosen: Sequence[Column], bare: bool) -> Iterator[tuple[Cell, ...]]:
    """The sums, and of the parameters those that are trained and those that are not."""
    yield ("total", *(column.cell(total, total) if column.summed else "" for column in chosen))
    if bare or "parameters" not in names or total.parameters is None or total.trainable is None:
        return
    for name, count in (("trainable", total.trainable), ("non-trainable", total.parameters - total.trainable)):
        yield (name, *(count if column == "parameters" else "" for column in names))


def _not_verified(graph: Graph, names: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    if not graph.verified:
        yield ("not verified: read from the configuration alone", *("" for _ in names))


def _read(model: Any, depth: int | None, argument: str = "model") -> Graph:
    depth = checks.depth(depth)
    graph = graph_of(model, argument)
    return graph if isinstance(model, Graph) else _collapsed(graph, depth)


def _collapsed(graph: Graph, depth: int | None) -> Graph:
    return collapse(group(graph), depth)


def _row(node: Node) -> Row:
    layers = told(node)
    return Row(
        name=node.name,
        kind=" + ".join(map(str, layers)),
        outputs=node.outputs,
        parameters=None if _has_unknown_weights([node]) else node.parameters,
        trainable=None if _has_unknown_weights([node]) else sum(w.size for w in node.weights if w.trainable),
        multiply_adds=node.multiply_adds,
        repeats=node.repeats,
        receptive_field=node.receptive_field,
        layers=layers,
    )


def _total(graph: Graph) -> Row:
    known = not _has_unknown_weights(graph.nodes)
    return Row(
        "total",
        "",
        (),
        graph.parameters if known else None,
        graph.trainable_parameters if known else None,
        graph.multiply_adds,
    )


def _has_unknown_weights(nodes: Iterable[Node]) -> bool:
    return any(layer.unbuilt for node in nodes for layer in leaves(node))


# -- several models ---------------------------------------------------------------------------------------------------

# The rows of one model in the comparison: where the size of the feature map stays the same.
_Stage = tuple[str, str, tuple[Stack, ...]]  # size, names of the blocks, what they are


@checks.public
def compare(
    models: Iterable[Any] | Mapping[str, Any],
    format: str = "text",
    *,
    depth: int | None = 1,
    caption: str = "",
    label: str = "",
) -> str:
    """Several networks side by side, a row for each size of the feature maps (He et al. 2016, table 1).

    Below them stands what no row tells: norms, activations, dropout, attention and joins where the networks do not have
    the same, and where two columns would be equal though the networks are not, letters that tell structures apart.

    Args:
        models: built Keras models, or a dict of them by the names to head the columns with.
        format: text, markdown, latex (with the package booktabs), csv or html.
        depth: 1 for outermost blocks, 2 for one level further in, ….
        caption: for latex and html.
        label: to refer to the table by, in latex and html.

    Raises:
        TypeError, ValueError: a model is no built Keras model, or an argument is none that it takes.

    >>> import keras
    >>> def net(*filters):
    ...     x = y = keras.Input((8, 8, 3))
    ...     for i, count in enumerate(filters):
    ...         y = keras.layers.Conv2D(count, 3, padding="same", name=f"stage.conv{i}")(y)
    ...     return keras.Model(x, keras.layers.Dense(2, name="head")(keras.layers.Flatten(name="flat")(y)))
    >>> print(compare({"two": net(4, 4), "three": net(4, 4, 4)}))
    block          output size  two           three
    stage          8×8          [3×3, 4] × 2  [3×3, 4] × 3
    head           1×1          dense, 2      dense, 2
    parameters                  774           922
    multiply-adds               16,640        25,856
    """
    format = checks.choice("format", format, FORMATS)
    check_words(caption, label)
    depth = checks.depth(depth)
    if not isinstance(models, Mapping):
        models = _by_name(models)
    layers = {name: graph_of(model, f"models[{name!r}]") for name, model in models.items()}
    graphs = {n: graph if isinstance(models[n], Graph) else _collapsed(graph, depth) for n, graph in layers.items()}
    if not graphs:
        raise checks.refuse("models", models, "one or more Keras models")
    stages = [list(_stages(graph)) for graph in graphs.values()]
    body: list[tuple[Cell, ...]] = [
        (_agreed(stage[1] for stage in found if stage), size, *(stage[2] if stage else "" for stage in found))
        for size, found in _side_by_side(stages)
    ]
    trainable = [graph.trainable_parameters for graph in graphs.values()]
    parameters = [graph.parameters for graph in graphs.values()]
    sums: list[tuple[Cell, ...]] = [
        *_what_differs(list(layers.values())),
        *([("trainable", "", *trainable)] if _differs(map(bool, map(int.__sub__, parameters, trainable))) else []),
        ("parameters", "", *parameters),
        ("multiply-adds", "", *(graph.multiply_adds for graph in graphs.values())),
    ]
    sums[:0] = _told_apart(list(layers.values()), [*body, *sums])
    sheet = Sheet(("block", "output size", *graphs), tuple(body), tuple(sums), caption=caption, label=label)
    return write(sheet, format)


# What no notation of a block tells, by what it is called in a row of its own.
_BESIDE: Mapping[str, Callable[[Node], object]] = {
    "norm": lambda layer: describe(layer) if layer.role == "norm" else None,
    "activation": activation_of,
    "dropout": lambda layer: describe(layer) if layer.role == "dropout" else None,
    "attention": lambda layer: describe(layer) if "Attention" in layer.kind else None,
    "joins": lambda layer: describe(layer) if len(layer.inputs) > 1 and "Attention" not in layer.kind else None,
}


def _what_differs(graphs: Sequence[Graph]) -> Iterator[tuple[Cell, ...]]:
    """A row for each of these kinds of layers of which the models do not have the same."""
    for name, word in _BESIDE.items():
        found = [sorted({str(said) for layer in graph.nodes if (said := word(layer))}) for graph in graphs]
        if _differs(map(tuple, found)):
            yield (name, "", *(", ".join(words) or "none" for words in found))


def _told_apart(graphs: Sequence[Graph], found: Sequence[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """A row with letters, equal where structures are, if columns are equal and what they stand for is not."""
    columns = list(zip(*(row[2:] for row in found), strict=True))
    structures = [structure(Node(0, ("",), graph.kind, "model", inner=_unnamed(graph))) for graph in graphs]
    letters = {made: chr(ord("A") + i) if i < 26 else str(i + 1) for i, made in enumerate(dict.fromkeys(structures))}
    if all(structures[i] == structures[k] for i, k in combinations(range(len(graphs)), 2) if columns[i] == columns[k]):
        return []
    return [("structure", "", *(letters[made] for made in structures))]


def _unnamed(graph: Graph) -> Graph:
    """The graph without what its layers are called, by which shared ones are known."""
    numbers: dict[tuple[str, ...], str] = {}
    paths = ((numbers.setdefault(node.path, str(len(numbers))),) for node in graph.nodes)
    return replace(graph, nodes=tuple(replace(n, path=path) for n, path in zip(graph.nodes, paths, strict=True)))


def _differs(values: Iterable[object]) -> bool:
    return len(set(values)) > 1


def _by_name(models: Iterable[Any]) -> dict[str, Any]:
    """The models under their names; a name that occurs again is numbered."""
    if isinstance(models, str | bytes) or not isinstance(models, Iterable):
        raise checks.refuse("models", models, "a sequence or a dict of Keras models", TypeError)
    found: dict[str, Any] = {}
    for model in models:
        name = str(getattr(model, "name", model))
        numbers = (f"{name} ({number})" for number in range(2, len(found) + 3))
        found[name if name not in found else next(n for n in numbers if n not in found)] = model
    return found


def _stages(graph: Graph) -> Iterator[_Stage]:
    telling = [(node, stacks) for node in graph.nodes if node.head is None and (stacks := notation(node))]
    for size, found in groupby(telling, key=lambda pair: _size(pair[0])):
        pairs = list(found)
        yield size, ", ".join(node.name for node, _ in pairs), tuple(stack for _, stacks in pairs for stack in stacks)


def _size(node: Node) -> str:
    """The size of the feature map: `56×56`; one position where there is no map."""
    shape = node.outputs[0][1:] if node.outputs else ()
    first = any(layer.get("data_format") == "channels_first" for layer in leaves(node))
    return shape_text((None, *(shape[1:] if first else shape[:-1]))) if len(shape) > 1 else "1×1"


def _side_by_side(stages: Sequence[Sequence[_Stage]]) -> list[tuple[str, list[_Stage | None]]]:
    """For each size, in order, what each model has of it."""
    rows: list[tuple[str, list[_Stage | None]]] = []
    for count, own in enumerate(stages):
        before, after = [size for size, _ in rows], [stage[0] for stage in own]
        merged: list[tuple[str, list[_Stage | None]]] = []
        for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if what == "equal":
                merged += [(size, [*had, stage]) for (size, had), stage in zip(rows[a:b], own[c:d], strict=True)]
                continue
            old = [(size, [*had, None]) for size, had in rows[a:b]]
            new = [(stage[0], [*[None] * count, stage]) for stage in own[c:d]]
            merged += merge(old, new, key=lambda row: -_area(row[0]))
        rows = merged
    return rows


def _area(size: str) -> int:
    return prod(int(side) for side in size.split("×") if side.isdigit())


def _agreed(names: Iterable[str]) -> str:
    distinct = set(names)
    return distinct.pop() if len(distinct) == 1 else ""
