"""What a model is made of, as rows and as a table; several models side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from heapq import merge
from itertools import groupby
from math import prod
from typing import Any

from ... import checks
from ...graphs.graph import Graph, Node, Shape, activation_of, leaves, sum_weights, work_of
from ...graphs.grouping import group
from ...graphs.reader import graph_of
from ...graphs.repeats import fold as fold_equal
from ...graphs.repeats import structure
from ...graphs.rewrite import collapse, without_bare_wrappers, without_masks
from ...graphs.rules import Unknown, field_words
from ...graphs.totals import Total
from .layer_labels import describe, each_text, repeats_of, shape_text
from .notation import notation, told
from .table_formats import FORMATS, Cell, Share, Sheet, Stack, write

_NOTHING = Total()


@dataclass(frozen=True, slots=True)
class Row:
    """One block, or one layer, or several equal ones in a row.

    Args:
        name: its dotted name.
        kind: what it is, in a few words.
        outputs: the shapes that leave it, batch first.
        parameters: all of them, trainable or not; None if some are not known.
        trainable: those that are.
        multiply_adds: for one example; None if those of any layer are unknown.
        repeats: how many equal neighbours it stands for; the numbers are those of all.
        receptive_field: as `Node` has it.
        layers: the same as `kind`, as data.
        counted: the multiply-adds as far as they are known, and the names of the layers that are not counted.
        each: the parameters of one of the neighbours, in words.
        beside: what `kind` does not say, by columns: norms, activations, dropout, attention, joins.
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
    counted: Total = _NOTHING
    each: str = ""
    beside: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: what it says of a row, given the row of the sums."""

    cell: Callable[[Row, Row], Cell]
    number: bool = False
    summed: bool = False


def _beside(name: str) -> Column:
    return Column(lambda row, _: row.beside.get(name, ""))


def _share(part: int | None, whole: int | None) -> Cell:
    return Share(part / whole) if part is not None and whole else None


COLUMNS: Mapping[str, Column] = {
    "kind": Column(lambda row, _: row.layers),
    "output shape": Column(lambda row, _: ", ".join(map(shape_text, row.outputs)) or "?"),
    "repeats": Column(lambda row, _: row.repeats, number=True),
    "receptive field": Column(lambda row, _: field_words(row.receptive_field)),
    **{name: _beside(name) for name in ("norm", "activation", "dropout", "attention", "joins")},
    "parameters": Column(lambda row, _: (row.parameters, row.each) if row.each else row.parameters, True, True),
    "trainable": Column(lambda row, _: row.trainable, number=True, summed=True),
    "share of parameters": Column(lambda row, total: _share(row.parameters, total.parameters), True, True),
    "multiply-adds": Column(lambda row, _: row.counted, number=True, summed=True),
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
    return _rows(_read(model, depth))


@checks.public
def totals(model: Any) -> Row:
    """A model's parameters in all, those of shared layers once, and its multiply-adds as far as they are known.

    `multiply_adds` is None where those of any layer are unknown; `counted` prints as `≥ 3.1 G` then, and has in
    `uncounted` the names of these layers.

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
        model: a built Keras model, a `.keras`, `.h5` or `.json` file of one, or a graph as it is to be shown.
        depth: 1 for outermost blocks, 2 for one level further in, …; None for layers.
        format: text, markdown, latex (no wider than its column; it needs booktabs and graphicx), csv (plain numbers,
            for programs) or html.
        fold: whether equal neighbours are one row, with the numbers of all of them. None: blocks are, layers are not,
            and nothing is in csv.
        columns: which, after the names: "kind", "output shape", "repeats", "receptive field", "norm", "activation",
            "dropout", "attention", "joins", "parameters", "trainable", "share of parameters", "multiply-adds",
            "share of multiply-adds".
        caption: for latex and html.
        label: to refer to the table by, in latex (`\ref`) and html (`id`).

    Raises:
        TypeError, ValueError: `model` is no built Keras model, or an argument is none that it takes.

    >>> import keras
    >>> x = keras.Input((8, 8, 3), name="image")
    >>> y = keras.layers.Conv2D(4, 3, name="stem.conv")(x)
    >>> print(table(keras.Model(x, keras.layers.Flatten(name="flatten")(y))))
    block          kind         output shape  parameters  multiply-adds
    image          input        8×8×3                  0              0
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
        body=tuple(_body(graph, total, chosen, format == "csv")),
        foot=(*_foot(total, names, chosen, format == "csv"), *_not_verified(graph, names)),
        numbers=frozenset(i for i, column in enumerate(chosen, 1) if column.number),
        caption=caption,
        label=label,
    )
    return write(sheet, format)


def _body(graph: Graph, total: Row, chosen: Sequence[Column], bare: bool) -> Iterator[tuple[Cell, ...]]:
    """The rows; before those that are computed several times over, one that says so."""
    within: set[int] = set()
    for number, row in enumerate(_rows(graph)):
        for frame in graph.nodes[number].frames if number < len(graph.nodes) and not bare else ():
            times = graph.frames[frame].repeats
            if times > 1 and frame not in within:
                count = sum(frame in node.frames for node in graph.nodes)
                yield (f"{times} times over, {count} rows:", *[""] * len(chosen))
            within.add(frame)
        yield (row.name, *(column.cell(row, total) for column in chosen))


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
    if total.counted.uncounted and "multiply-adds" in names and not bare:
        left_out = tuple(_few(total.counted.uncounted))
        words = [name for name, column in zip(names, chosen, strict=True) if not column.number]
        if words:
            yield ("not counted", *(left_out if name == words[0] else "" for name in names))
        else:
            yield (("not counted:", *left_out), *[""] * len(names))
    if bare or "parameters" not in names or total.parameters is None or total.trainable is None:
        return
    for name, count in (("trainable", total.trainable), ("non-trainable", total.parameters - total.trainable)):
        yield (name, *(count if column == "parameters" else "" for column in names))


def _few(names: Sequence[str], most: int = 6) -> list[str]:
    """All of the names, or the first few and how many more."""
    return list(names) if len(names) <= most else [*names[: most - 1], f"and {len(names) - most + 1:,} more"]


def _not_verified(graph: Graph, names: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    if not graph.verified:
        yield ("not verified: read from the configuration alone", *("" for _ in names))


def _read(model: Any, depth: int | None, argument: str = "model") -> Graph:
    depth = checks.depth(depth)
    graph = graph_of(model, argument)
    return graph if isinstance(model, Graph) else _collapsed(graph, depth)


def _collapsed(graph: Graph, depth: int | None) -> Graph:
    graph = without_masks(graph)
    return collapse(group(graph if depth is None else without_bare_wrappers(graph)), depth)


def _rows(graph: Graph) -> list[Row]:
    """What is computed, in order; and then what is not, though its weights count."""
    found = [_row(node, repeats_of(graph, node)) for node in graph.nodes]
    found += (replace(_row(node), kind=(kind := f"not used: {describe(node)}"), layers=kind) for node in graph.unused)
    seen = {weight.id for node in (*graph.nodes, *graph.unused) for weight in node.weights}
    loose = {weight.id: weight for weight in graph.loose if weight.id not in seen}.values()
    if loose:
        size, trained = sum(w.size for w in loose), sum(w.size for w in loose if w.trainable)
        kind = f"{len(loose)} of no layer"
        found.append(Row("weights", kind, (), size, trained, 0, layers=kind))
    return found


def _row(node: Node, repeats: int = 1) -> Row:
    layers = told(node, repeats)
    return Row(
        name=node.name,
        kind=" + ".join(map(str, layers)),
        outputs=node.outputs,
        parameters=None if _has_unknown_weights([node]) else node.parameters,
        trainable=None if _has_unknown_weights([node]) else sum_weights([node])[1],
        multiply_adds=node.multiply_adds,
        repeats=node.repeats,
        receptive_field=node.receptive_field,
        layers=layers,
        counted=work_of([node]),
        each=each_text(node),
        beside={name: ", ".join(_words(word, leaves(node))) for name, word in _BESIDE.items()},
    )


def _total(graph: Graph) -> Row:
    done, known = graph.work, not _has_unknown_weights(graph.nodes)
    parameters = graph.parameters if known else None
    trainable = graph.trainable_parameters if known else None
    return Row("total", "", (), parameters, trainable, done.exact, counted=done)


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
        format: text, markdown, latex (no wider than its column; it needs booktabs and graphicx), csv or html.
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
    counted = [graph.work for graph in graphs.values()]
    sums: list[tuple[Cell, ...]] = [*_what_differs(list(layers.values())), ("parameters", "", *parameters)]
    if parameters != trainable:
        sums.append(("trainable", "", *trainable))
    sums.append(("multiply-adds", "", *counted))
    if any(done.uncounted for done in counted) and format != "csv":
        sums.append(("not counted", "", *(tuple(_few(done.uncounted)) for done in counted)))
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
        found = [_words(word, graph.nodes) for graph in graphs]
        if _differs(map(tuple, found)):
            yield (name, "", *(", ".join(words) or "none" for words in found))


def _words(word: Callable[[Node], object], layers: Iterable[Node]) -> list[str]:
    return sorted({str(said) for layer in layers if (said := word(layer))})


def _told_apart(graphs: Sequence[Graph], found: Sequence[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """A row with letters, equal where structures are, if columns are equal and what they stand for is not."""
    columns = list(zip(*(row[2:] for row in found), strict=True))
    letters: list[str] = []
    doubts = False
    for number, column in enumerate(columns):
        alike = [k for k in range(number) if columns[k] == column]
        said = {k: _why_unlike(graphs[k], graphs[number]) for k in alike}
        same = next((k for k, why in said.items() if why is None), None)
        if same is not None:
            letters.append(letters[same])
            continue
        count = len(set(letters))
        letters.append(chr(ord("A") + count) if count < 26 else str(count + 1))
        doubts = doubts or bool(alike)
        if why := next(filter(None, said.values()), None):
            letters[-1] += f" ({why})"
    return [("structure", "", *letters)] if doubts else []


def _why_unlike(one: Graph, other: Graph) -> str | None:
    """None for the same structure; why nobody can tell; "" for another."""
    from ..changes.changes import find_changes

    if _structure(one) == _structure(other):
        return None
    changes, _ = find_changes(one, other)
    if not changes:
        return None
    unclear = all(change.status == "unclear" for change in changes)
    return f"{changes[0].name}: {changes[0].words}" if unclear else ""


def _structure(graph: Graph) -> Hashable:
    return structure(Node(0, ("",), graph.kind, "model", inner=_unnamed(graph)))


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
