"""Layers as Keras draws them: a table each, with the rows that were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...graphs.graph import Graph, Node, Shape
from ..scene import Box, Item, Point, Scene, Stated, Text
from ..theme import Theme
from .box_text import Type, type_of, wrap
from .contents import box_names
from .drawing import frames_and_lines
from .geometry import Size
from .graphviz_layout import layered
from .series_parallel import Around, Frames

_PAD = 4.0  # inside cells
_LEADING, _ASCENT = 1.22, 0.76
_MOST = 230.0  # a title wider than this is wrapped
_GAPS = (18.0, 14.4)  # between layers, and beside one another, as Keras has them
_MARGIN = 3.0


@dataclass(frozen=True, slots=True)
class Options:
    """What Keras's `plot_model` can be asked to show, and how."""

    show_shapes: bool = False
    show_dtype: bool = False
    show_layer_names: bool = False
    show_layer_activations: bool = False
    show_trainable: bool = False
    rankdir: str = "TB"
    dpi: float = 200
    splines: str = "ortho"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: runs of text, bold or not, and the role whose look it has."""

    runs: tuple[tuple[str, bool], ...]
    role: str = "cell"


def table_rows(node: Node, name: str, options: Options) -> list[list[Cell]]:
    """The rows of a layer's table: its title, its activation if that is wanted, and what else is wanted in one row."""
    call, calls = node.call
    shared = f", shared, {call} of {calls}" if calls > 1 else ""
    title: tuple[tuple[str, bool], ...] = ((node.kind, True),)
    if options.show_layer_names and name:
        title = ((name, True), (f" ({node.kind}{shared})", False))
    elif shared:
        title = ((node.kind, True), (f" ({shared[2:]})", False))
    rows = [[Cell(title, node.role)]]
    activation = node.get("activation")
    if options.show_layer_activations and activation is not None:
        rows.append([Cell((("Activation: ", False), (str(activation), True)))])
    dtypes = node.dtypes[0] if len(node.dtypes) == 1 else str(list(node.dtypes)) if node.dtypes else "?"
    state, role = ("Trainable", "trainable") if node.trainable else ("Non-trainable", "frozen")
    cells = [
        (options.show_shapes and node.kind != "InputLayer", _cell("Input shape: ", _shapes(node.inputs))),
        (options.show_shapes, _cell("Output shape: ", _shapes(node.outputs))),
        (options.show_dtype, _cell("Output dtype: ", dtypes)),
        (options.show_trainable and node.trainable is not None, Cell(((state, True),), role)),
    ]
    if asked := [cell for wanted, cell in cells if wanted]:
        rows.append(asked)
    return rows


def _cell(label: str, value: str) -> Cell:
    return Cell(((label, False), (value, True)))


def _shapes(shapes: Sequence[Shape]) -> str:
    """`(None, 8)`, a list where there are several, as Keras writes them."""
    return str(shapes[0]) if len(shapes) == 1 else str(list(shapes)) if shapes else "?"


def model_frames(graph: Graph) -> list[Frames]:
    """For each layer the nested models around it."""
    return [tuple(Around(f, graph.frames[f].path) for f in node.frames) for node in graph.nodes]


def name_within(node: Node, frames: Frames) -> str:
    """A layer's name without those of the models around it."""
    return ".".join(node.path[len(frames[-1].path) :] if frames else node.path)


def layer_scene(graph: Graph, options: Options, theme: Theme) -> Scene:
    """One table a layer, nested models in frames, laid out by Graphviz as Keras's pictures are."""
    type, frames = type_of(theme), model_frames(graph)
    tables = [
        _table(table_rows(node, name_within(node, around), options), type)
        for node, around in zip(graph.nodes, frames, strict=True)
    ]
    geometry = layered(
        graph,
        [Size(table.width, table.height) for table in tables],
        {},
        type,
        frames,
        direction=options.rankdir,
        splines=options.splines,
        gaps=_GAPS,
        ports=False,
        outputs=False,
    )
    geometry = geometry.moved(_MARGIN, _MARGIN)
    items: list[Item] = list(frames_and_lines(geometry, type))
    names = box_names(graph)
    for number, place in sorted(geometry.boxes.items()):
        items += _drawn(tables[number], names[number], (place.x, place.y), number)
    return Scene(round(geometry.width + 2 * _MARGIN, 3), round(geometry.height + 2 * _MARGIN, 3), tuple(items))


# -- tables -----------------------------------------------------------------------------------------------------------

_Line = list[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class _Set:
    """A cell with its text in lines."""

    lines: tuple[_Line, ...]
    role: str
    size: float
    width: float

    @property
    def height(self) -> float:
        return len(self.lines) * self.size * _LEADING + 2 * _PAD


@dataclass(frozen=True, slots=True)
class _Table:
    rows: tuple[tuple[_Set, ...], ...]
    type: Type

    @property
    def width(self) -> float:
        return max(sum(cell.width for cell in row) for row in self.rows)

    @property
    def height(self) -> float:
        return sum(max(cell.height for cell in row) for row in self.rows)


def _table(rows: Sequence[Sequence[Cell]], type: Type) -> _Table:
    sizes: Mapping[bool, float] = {True: type.name, False: type.text}
    return _Table(tuple(tuple(_set(cell, sizes[i == 0], type) for cell in row) for i, row in enumerate(rows)), type)


def _set(cell: Cell, size: float, type: Type) -> _Set:
    """A cell's runs on one line if they fit, else each wrapped on lines of its own."""
    whole = sum(type.width(text, size, bold) for text, bold in cell.runs)
    lines: list[_Line] = [list(cell.runs)]
    if whole > _MOST or any("\n" in text for text, _ in cell.runs):
        lines = [
            [(line, bold)]
            for text, bold in cell.runs
            for part in text.split("\n")
            for line in wrap(part.strip(" "), _MOST, lambda t, bold=bold: type.width(t, size, bold))  # type: ignore[misc]
        ]
    wide = max(sum(type.width(text, size, bold) for text, bold in line) for line in lines)
    return _Set(tuple(lines), cell.role, size, wide + 2 * _PAD)


def _drawn(table: _Table, name: str, at: Point, number: int) -> Iterator[Item]:
    x, y = at
    wide = table.width
    for i, row in enumerate(table.rows):
        high = max(cell.height for cell in row)
        spare = (wide - sum(cell.width for cell in row)) / len(row)
        left = x
        for k, cell in enumerate(row):
            width = cell.width + spare
            own = name if not i and not k else ""
            place = (round(left, 3), round(y, 3), round(width, 3), round(high, 3))
            yield Box(*place, cell.role, 0.0, own, own, Stated(number) if own else None)
            top = y + (high - len(cell.lines) * cell.size * _LEADING) / 2
            for n, line in enumerate(cell.lines):
                baseline = top + cell.size * (n * _LEADING + (_LEADING - 1) / 2 + _ASCENT)
                long = sum(table.type.width(text, cell.size, bold) for text, bold in line)
                start = left + (width - long) / 2
                for text, bold in line:
                    far = table.type.width(text, cell.size, bold)
                    yield Text(round(start, 3), round(baseline, 3), text, cell.size, round(far, 3), bold=bold)
                    start += far
            left += width
        y += high
