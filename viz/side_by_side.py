"""Several networks in one figure, (a), (b), …, as papers set what they compare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from string import ascii_lowercase
from typing import Any

from .. import checks
from ..graphs.graph import Edge, Frame, Graph, Node, Output, changed
from .diagrams import diagram
from .dot import block_figure
from .figure import Figure
from .fonts import Face, face
from .layouts.figures import on_page
from .layouts.keras_tables import Options
from .scene import Box, Item, Path, Polygon, Scene, Stated, Text, moved
from .texts.maths import with_maths
from .theme import theme_of
from .venues import height_for, in_points

_APART = 14.0  # points between two networks
_LEADING = 1.25


@checks.public
def figures(
    *models: Any, titles: Sequence[str] | None = None, width: Any = None, height: Any = None, **options: Any
) -> Figure:
    """Draw several networks side by side in one figure, each with its letter and title below.

    Each has an equal share of the width, and is drawn as `diagram` draws it. In the graph of the figure, names begin
    with the letters: `a.stem`, `b.stem`.

    Args:
        models: what `diagram` draws, 2 to 26 of them.
        titles: a text for each, with maths between dollar signs; by default the names of the networks.
        width: of the whole figure, as of `diagram`; None: as wide as it needs.
        height: the figure comes out no taller.
        options: the others of `diagram`, for all of them: `depth`, `style`, `theme`, …; in `groups` and `callouts`, a
            pattern that begins with a letter, `b.block3`, is of that network alone.

    Raises:
        ValueError, TypeError: there are too few or too many, an argument is wrong, or one does not fit its share.

    >>> import keras
    >>> def net(units):
    ...     x = keras.Input((8,), name="x")
    ...     return keras.Model(x, keras.layers.Dense(units, name="head")(x), name=f"net{units}")
    >>> figure = figures(net(2), net(4), titles=["narrow", "wide"])
    >>> [node.name for node in figure.graph.nodes]
    ['a.x', 'a.head', 'b.x', 'b.head']
    """
    if not 2 <= len(models) <= len(ascii_lowercase):
        raise checks.refuse("models", len(models), "2 to 26 networks")
    theme = theme_of("theme", options.pop("theme", None), options.pop("font", None))
    said = None if titles is None else checks.names("titles", titles, _TITLES)
    if said is not None and (isinstance(titles, str) or len(said) != len(models)):
        raise checks.refuse("titles", titles, f"{_TITLES}, of which there are {len(models)}")
    page = theme.page or (None, None)
    wide = page[0] if width is None else in_points("width", width)
    high = page[1] if width is None else height_for(width)
    high = high if height is None else in_points("height", height)
    share = None if wide is None else (wide - _APART * (len(models) - 1)) / len(models)
    if share is not None and share < 1:
        raise checks.refuse("width", width, f"wide enough for {len(models)} networks")
    below = 3 * _LEADING * theme.text_size
    if high is not None and high <= below:
        raise checks.refuse("height", height, f"more than {below:g} points, which titles take")
    own = {name: options.pop(name, None) for name in _WORDS}
    for name, text in own.items():
        if text is not None:
            checks.text(name, text)
    drawn = [
        diagram(model, theme=theme, width=share, height=None if high is None else high - below, **_of(options, letter))
        for model, letter in zip(models, ascii_lowercase[: len(models)], strict=True)
    ]
    words = [with_maths("titles", title) for title in said or [figure.graph.name for figure in drawn]]
    return _beside(drawn, [f"({a}) {title}".strip() for a, title in zip(ascii_lowercase, words, strict=False)], own)


def _of(options: Mapping[str, Any], letter: str) -> dict[str, Any]:
    """The options of one network: of notes, those of all and its own, whose patterns begin with its letter."""
    found = dict(options)
    for argument in ("groups", "callouts"):
        if isinstance(notes := options.get(argument), Mapping):
            own = {p: words for p, words in notes.items() if not re.match(r"[a-z]\.", str(p)) or p[0] == letter}
            found[argument] = {p.removeprefix(f"{letter}.") if isinstance(p, str) else p: w for p, w in own.items()}
    return found


_TITLES = "a text for each network"
_WORDS = ("caption", "alt_text")


def _beside(drawn: Sequence[Figure], titles: Sequence[str], own: Mapping[str, str | None]) -> Figure:
    """The figures in a row, at one height, with their titles below."""
    graph = _together([figure.graph for figure in drawn])
    theme = drawn[0].theme
    paints = dict(theme.paints)
    letters, size = face(theme.font), theme.text_size
    left, items = 0.0, list[Item]()
    bottom = max(figure.height for figure in drawn)
    lowest = bottom
    offsets = zip(_sums(len(f.graph.nodes) for f in drawn), _sums(len(f.graph.frames) for f in drawn), strict=True)
    for figure, title, letter, (node, frame) in zip(drawn, titles, ascii_lowercase, offsets, strict=False):
        paints |= {_role(role, letter): paint for role, paint in figure.theme.paints.items() if _is_own(role)}
        for item in figure.scene.items:
            if item.role != "page":
                items.append(_renamed(moved(item, left, 0.0), letter, node, frame))
        for row, line in enumerate(_lines(title, figure.width, letters, size), 1):
            baseline = bottom + row * _LEADING * size
            middle, measured = left + figure.width / 2, letters.width(line, size)
            items.append(Text(round(middle, 3), round(baseline, 3), line, size, measured, "middle", role="title"))
            lowest = max(lowest, baseline + 0.4 * size)
        left += figure.width + _APART
    shown = replace(theme, paints=paints)
    scene = on_page(Scene(round(left - _APART, 3), round(lowest, 3), tuple(items), graph.name), shown)
    return Figure(
        graph,
        scene,
        shown,
        partial(block_figure, graph, Options(), shown),
        own_caption=own.get("caption") or _each(titles, [figure.caption for figure in drawn]),
        own_alt_text=own.get("alt_text") or _each(titles, [figure.alt_text for figure in drawn]),
    )


def _each(titles: Sequence[str], texts: Sequence[str]) -> str:
    return " ".join(f"{title}: {text}" for title, text in zip(titles, texts, strict=True))


def _sums(counts: Iterable[int]) -> list[int]:
    """How many there are before each."""
    return [0, *accumulate(counts)][:-1]


def _lines(text: str, width: float, letters: Face, size: float) -> list[str]:
    """A title in lines no wider than its figure, where its words let it."""
    found: list[str] = []
    for word in text.split():
        longer = f"{found[-1]} {word}" if found else word
        if found and letters.width(longer, size) <= width:
            found[-1] = longer
        else:
            found.append(word)
    return found


def _is_own(role: str) -> bool:
    return re.match(r"own\d", role) is not None


def _role(role: str, letter: str) -> str:
    """The role of a look that a caller gave, which is of one network: `own1a-mark`."""
    return re.sub(r"^own\d+", rf"\g<0>{letter}", role)


def _renamed(item: Item, letter: str, node: int, frame: int) -> Item:
    """The same shape in the whole: its name, its role, and what it states, by the numbers of the nodes there."""
    role = _role(item.role, letter)
    if isinstance(item, Path):
        return replace(item, role=role, states=tuple(_shifted(each, letter, node, frame) for each in item.states))
    if isinstance(item, Box | Polygon):
        name = f"{letter}.{item.name}" if item.name else ""
        return replace(item, role=role, name=name, states=item.states and _stated(item.states, letter, node, frame))
    return replace(item, role=role)


def _stated(of: Stated, letter: str, node: int, frame: int) -> Stated:
    return replace(
        of,
        node=of.node + node if of.node >= 0 else of.node,
        frame=of.frame + frame if of.frame >= 0 else of.frame,
        against=tuple(_shifted(edge, letter, node, frame) for edge in of.against),
    )


def _shifted(link: Any, letter: str, node: int, frame: int) -> Any:
    """A tensor on its way, or what is returned, by the numbers in the whole."""
    if isinstance(link, Output):
        return changed(link, key=f"{letter}.{link.key}", source=link.source + node)
    each = tuple(number + frame if number >= 0 else number for number in link.each)
    return changed(link, source=link.source + node, target=link.target + node, each=each)


def _together(graphs: Sequence[Graph]) -> Graph:
    """One graph of several that have nothing to do with one another."""
    nodes, edges, frames, outputs = list[Node](), list[Edge](), list[Frame](), list[Output]()
    for graph, letter in zip(graphs, ascii_lowercase, strict=False):
        node, frame = len(nodes), len(frames)
        edges += [_shifted(edge, letter, node, frame) for edge in graph.edges]
        outputs += [_shifted(output, letter, node, frame) for output in graph.outputs]
        nodes += [
            changed(
                n,
                id=n.id + node,
                path=(letter, *n.path),
                members=tuple(f"{letter}.{name}" for name in n.members),
                frames=tuple(f + frame for f in n.frames),
            )
            for n in graph.nodes
        ]
        frames += [
            changed(
                f,
                id=f.id + frame,
                path=(letter, *f.path) if f.path else (),
                members=tuple(f"{letter}.{name}" for name in f.members),
            )
            for f in graph.frames
        ]
    name = ", ".join(dict.fromkeys(graph.name for graph in graphs))
    whole = all(graph.verified for graph in graphs)
    return Graph(name, "Functional", tuple(nodes), tuple(edges), tuple(outputs), tuple(frames), verified=whole)
