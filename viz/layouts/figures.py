"""A figure from a graph: the overview, panels with blocks drawn open, and the legend, within a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from string import ascii_lowercase
from typing import Any

from ... import checks
from ...graphs.graph import Graph, Node
from ..annotations import Put, annotated
from ..lines import line_roles, skip_words
from ..scene import Box, Item, Path, Polygon, Scene, Text, moved
from ..texts.layer_labels import has_identity_skip
from ..theme import Paint, Theme
from ..wishes import Words
from .box_text import Content, Type
from .boxes import Request, lettered
from .columns import Arranged
from .contents import Say, box_names, contents, tensor_labels
from .drawing import drawn, title_width
from .fit import arrange, types
from .legend import Entry, entries, height_of, joined, legend_items, says_kind, width_of
from .level_grid import grids
from .series_parallel import Composition, Frames, Irreducible, compose, compose_conditioned, frames_around
from .u_shape import arms

MARGIN = 2.0
_MOST_LETTERS, _LONGEST_KEY = 4, 30
IDENTITY = "residual: identity skip, unless said"
_NOTHING: Mapping[type, Any] = {Box: None, Polygon: None, Path: ()}
_TRIES = 4  # to lay out boxes so that there is room beside them
_PANEL, _BETWEEN = 5.0, 10.0  # inside the frame of a panel, and between panels


@dataclass(frozen=True, slots=True)
class Zoom:
    """A block drawn open in a panel: its letter, the names of all of its kind, and its inside."""

    letter: str
    names: tuple[str, ...]
    graph: Graph

    @property
    def title(self) -> str:
        others = len(self.names) - 1
        return f"({self.letter}) {self.names[0]}" + (f" and {others} more" if others else "")


@dataclass(frozen=True, slots=True)
class Look:
    """How a figure is to be drawn; lengths in points, None where nothing is asked."""

    theme: Theme
    show: Sequence[str] = ("shape", "parameters")
    direction: str = "TB"
    width: float | None = None
    height: float | None = None
    min_text: float = 6.0
    legend: bool = True
    say: Say | None = None
    paints: Mapping[str, str] = field(default_factory=dict)  # the role that a box of that name gets in place of its own
    keys: Mapping[str, str] = field(default_factory=dict)  # what the legend calls such roles
    names: bool = True  # whether boxes say their names beside what they are
    notes: Sequence[Words] = ()  # what is written beside boxes
    splines: str = "ortho"
    shows_all: bool = False  # whether a figure that leaves out some of `show` counts as one that does not fit
    strict: bool = False  # whether one does that is an encoder with a decoder and no U, or that Graphviz has to lay out


def zooms(found: Sequence[tuple[Node, tuple[str, ...]]], opened: Callable[[Node], Graph]) -> list[Zoom]:
    """Panels for kinds of blocks, lettered in their order."""
    return [
        Zoom(ascii_lowercase[i] if i < 26 else str(i + 1), names, opened(node)) for i, (node, names) in enumerate(found)
    ]


def figure_scene(graph: Graph, look: Look, panels: Sequence[Zoom] = ()) -> Scene | None:
    """The figure at its final size, in the largest type that fits; None if none does."""
    tags = {name: panel.letter for panel in panels for name in panel.names}
    # A repeat without its frame in the overview is seen by who asked for it, and drawn unfolded.
    whole = look.strict or look.splines != "ortho" or graph.unfolded is None
    parts = [_Part(graph, look, tags, whole), *(_Part(panel.graph, look, {}) for panel in panels)]
    sizes = list(types(look.theme, look.min_text))
    if look.width is None and look.height is None:
        return _Page(parts, panels, look, _Way(sizes[0])).scene()
    densest = _Way(sizes[-1], 1 if look.shows_all else 3)
    for crowded in (False, True) if look.notes else (False,):
        if _Page(parts, panels, look, densest, crowded).scene() is not None:
            scenes = (_Page(parts, panels, look, way, crowded).scene() for way in _ways(sizes, look))
            return next((scene for scene in scenes if scene is not None), None)
    return None


@dataclass(frozen=True, slots=True)
class _Way:
    """How a figure is set: in which type, how densely, and whether usual names must stay whole.

    The density is 0 with shapes on lines, 1 with shapes in boxes, 2 with these alone, 3 without names beside words.
    """

    type: Type
    density: int = 0
    roomy: bool = False


def _ways(sizes: Sequence[Type], look: Look) -> Iterator[_Way]:
    """Larger type comes before roomier boxes, that before leaving numbers out, and that before breaking names."""
    inside = look.direction in ("LR", "RL")  # where shapes stand in the boxes anyway
    for roomy in (True, False):
        yield from (_Way(type, density, roomy) for type in sizes for density in ((0,) if inside else (0, 1)))
        if not look.shows_all:
            yield from (_Way(type, density, roomy) for density in (2, 3) for type in sizes)


class _Part:
    """The overview or a panel, with what its boxes say in each density."""

    def __init__(self, graph: Graph, look: Look, tags: Mapping[str, str], whole: bool = True) -> None:
        """`whole`: every frame that repeats must be there."""
        self.graph, self.look, self.whole = graph, look, whole
        self.composition: Composition | None = None
        self.frames: Sequence[Frames] = frames_around(graph)
        if look.splines == "ortho":  # which this package lays out itself, where it can
            with suppress(Irreducible):
                self.composition = compose(graph)
            if self.composition is None:
                conditioned = compose_conditioned(graph)
                if conditioned is not None and arms(graph, conditioned) is not None:
                    self.composition = conditioned
            if self.composition is not None:
                self.frames = self.composition.frames
        by_levels = look.splines == "ortho" and self.composition is None and look.direction == "TB"
        self.grids = grids(graph) if by_levels else []
        self.tags = {
            node.name: letter
            for node in graph.nodes
            for name in (node.members or (node.name,))
            if (letter := tags.get(name))
        }
        self._said: dict[int, tuple[list[Content], dict[tuple[int, int], str]]] = {}

    def arranged(self, way: _Way, width: float, height: float, columns: int = 6) -> Arranged | None:
        """The layout in at most so many columns; none if it does not fit."""
        look, density = self.look, way.density
        if density not in self._said:
            inside = density > 0 or look.direction in ("LR", "RL") or bool(self.grids)
            show = [what for what in look.show if density < 2 or (density == 2 and what == "shape")]
            said = contents(self.graph, show, self.frames, inside, look.say, self.tags, look.names)
            if density == 3:
                said = [replace(c, notes=(), facts=()) if c.words else c for c in said]
            self._said[density] = said, {} if inside else tensor_labels(self.graph, look.show)
        request = Request(
            self.graph,
            self.composition,
            *self._said[density],
            self.frames,
            look.theme,
            look.direction,
            "spline" if look.splines == "ortho" else look.splines,
            width,
            height,
            columns,
            way.roomy,
            look.strict,
            self.grids,
            self.whole,
        )
        return arrange(request, way.type)

    def drawn(self, arranged: Arranged, x: float, y: float, named: bool) -> Iterator[Item]:
        names = box_names(self.graph) if named else [""] * len(self.graph.nodes)
        roles = [
            self.look.paints.get(n.name, c.content.role) for n, c in zip(self.graph.nodes, arranged.cards, strict=True)
        ]
        geometry = arranged.geometry.moved(x, y)
        items = drawn(geometry, arranged.cards, names, arranged.type, self.look.theme, roles, self.look.direction)
        # What a panel shows is stated of the inside of a block, not of the network.
        return items if named else (i if isinstance(i, Text) else replace(i, states=_NOTHING[type(i)]) for i in items)


@dataclass(frozen=True, slots=True)
class _Page:
    """The overview and panels of a figure, set in one way; `crowded`: notes stand where they leave boxes their room."""

    parts: Sequence[_Part]
    panels: Sequence[Zoom]
    look: Look
    way: _Way
    crowded: bool = False

    def scene(self) -> Scene | None:
        """The figure with its legend; none if it does not fit."""
        look, type = self.look, self.way.type
        room = inf if look.width is None else look.width - 2 * MARGIN
        tall = inf if look.height is None else look.height - 2 * MARGIN
        found = self._legend() if look.legend else []
        if width_of(found, type) > room:
            return None
        # The legend is as wide as the page, or, where that is not bounded, as the figure; that says how high it is.
        below = height_of(found, type, room) if room < inf else 0.0
        best: Put | None = None
        for put in (self._beside, self._under) if self.panels else (self._alone,):
            page = put(room, tall - below)
            if page is not None and (best is None or page[1] < best[1] * 0.95):
                best = page
        if best is None:
            return None
        wide, high, items = best
        if room == inf:
            room = max(wide, min(width_of(found, type) * 2.2, 200.0)) if found else wide
            below = height_of(found, type, room)
            if high + below > tall:
                return None
        items = [moved(item, MARGIN + (room - wide) / 2, MARGIN) for item in items]
        items += legend_items(found, type, look.theme, (MARGIN, MARGIN + high), room)
        width = look.width if look.width is not None else room + 2 * MARGIN
        return Scene(round(width, 3), round(high + below + 2 * MARGIN, 3), tuple(items))

    def _legend(self) -> list[Entry]:
        """What no box says: a kind is left out whose boxes are in its words, unless it has a pattern."""
        look = self.look
        boxes = []
        plain: dict[str, None] = {}
        silent: set[str] = set()
        for part in self.parts:
            said = contents(part.graph, (), part.frames, False, look.say, {}, look.names)
            for node, content in zip(part.graph.nodes, said, strict=True):
                role = look.paints.get(node.name, content.role)
                own = look.say is not None and look.say(node) is not None
                if role not in look.keys and not own and has_identity_skip(node):
                    plain[role] = None
                told = not look.theme.paint(role).stripe and says_kind(role, (*content.words, *content.notes))
                if role in look.keys or content.symbol or not told:
                    boxes.append((role, content.symbol))
                else:
                    silent.add(role)
        # A swatch stands for all boxes that look so, also for those that say what they are.
        looks = {look.theme.paint(role) for role, symbol in boxes if not symbol}
        boxes += [(role, "") for role in sorted(silent - {*plain}) if look.theme.paint(role) in looks]
        drawn = [(part.graph, line_roles(part.graph)) for part in self.parts]
        lines = [role for _, roles in drawn for role in roles.values()]
        repeated = any(node.repeats > 1 for part in self.parts for node in part.graph.nodes)
        more = dict.fromkeys(plain, IDENTITY)
        found = entries(boxes, lines, repeated and bool(boxes or lines), look.keys, more, self._letters())
        skips = skip_words(drawn)
        found = [replace(entry, words=skips) if entry.role == "concat" else entry for entry in found]
        return joined(found, look.theme)

    def _letters(self) -> dict[str, str]:
        """Where lines of the overview go on elsewhere: the letters of few tensors, and what these come from."""
        overview = self.parts[0]
        if overview.composition is None:
            return {}
        names = box_names(overview.graph)
        found = {letter: names[edge.source] for edge, letter in lettered(overview.composition.apart).items()}
        long = any(len(name) > _LONGEST_KEY for name in found.values())
        return {} if len(found) > _MOST_LETTERS or long else found

    def _alone(self, room: float, tall: float) -> Put | None:
        """The overview with what is written beside it, laid out within so much less as that needs."""
        overview, type = self.parts[0], self.way.type
        notes = [note.on(overview.graph) for note in self.look.notes]
        down = self.look.direction in ("TB", "BT")
        bounds = (room, tall) if self.crowded else (inf, inf)
        wide, high = room, tall
        for _ in range(_TRIES if notes else 1):
            arranged = overview.arranged(self.way, wide, high)
            if arranged is None:
                return None
            put = arranged.geometry.width, arranged.geometry.height, list(overview.drawn(arranged, 0.0, 0.0, True))
            whole = annotated(put, notes, type.text, lambda text: type.width(text, type.text), down, bounds)
            if whole is None or (whole[0] <= room + 0.01 and whole[1] <= tall + 0.01):
                return whole
            wide = put[0] + room - whole[0] if whole[0] > room else wide
            high = put[1] + tall - whole[1] if whole[1] > tall else high
        return None

    def _under(self, room: float, tall: float) -> Put | None:
        """Panels below the overview."""
        shelf = self._shelf(room, tall)
        if shelf is None or shelf[1] > tall - 40:
            return None
        top = self._alone(room, tall - shelf[1] - _BETWEEN)
        if top is None:
            return None
        wide = max(top[0], shelf[0])
        items = [moved(item, (wide - top[0]) / 2, 0.0) for item in top[2]]
        items += [moved(item, (wide - shelf[0]) / 2, top[1] + _BETWEEN) for item in shelf[2]]
        return wide, top[1] + _BETWEEN + shelf[1], items

    def _beside(self, room: float, tall: float) -> Put | None:
        """Panels at the right of the overview."""
        if self.look.direction in ("LR", "RL"):
            return None
        for share in (0.5, 0.38, 0.62) if room < inf else (1.0,):
            left = self._alone(room * share, tall)
            shelf = left and self._shelf(room - left[0] - _BETWEEN * 1.4, tall)
            if left and shelf and shelf[1] <= tall:
                x = left[0] + _BETWEEN * 1.4
                items = [*left[2], *(moved(item, x, 0.0) for item in shelf[2])]
                return x + shelf[0], max(left[1], shelf[1]), items
        return None

    def _shelf(self, room: float, tall: float) -> Put | None:
        """Panels in rows, each in a frame with its title."""
        if room < 50:
            return None
        type = self.way.type
        x = y = high = wide = 0.0
        items: list[Item] = []
        for part, panel in zip(self.parts[1:], self.panels, strict=True):
            arranged = part.arranged(self.way, room - 2 * _PANEL, tall, columns=1)
            if arranged is None:
                return None
            geometry, title = arranged.geometry, type.text * 1.2 + 3
            inner = max(geometry.width, title_width(panel.title, 1, type))
            if inner > room - 2 * _PANEL + 0.01:
                return None
            frame = (inner + 2 * _PANEL, geometry.height + 2 * _PANEL + title)
            if x and x + frame[0] > min(room, 520.0):
                x, y, high = 0.0, y + high + _BETWEEN, 0.0
            items.append(Box(x, y, frame[0], frame[1], "panel", 3))
            said = type.width(panel.title, type.text, True)
            items.append(Text(x + 4, y + 3 + type.text, panel.title, type.text, said, bold=True, role="title"))
            items += part.drawn(arranged, x + _PANEL + (inner - geometry.width) / 2, y + _PANEL + title, False)
            x, high, wide = x + frame[0] + _BETWEEN, max(high, frame[1]), max(wide, x + frame[0])
        return wide, y + high, items


def on_page(scene: Scene, theme: Theme) -> Scene:
    """The scene on the colour of the page, where that is none of paper."""
    if theme.paint("page").fill == "none":
        return scene
    return replace(scene, items=(Box(0.0, 0.0, scene.width, scene.height, "page"), *scene.items))


def repainted(
    graphs: Iterable[Graph], theme: Theme, style: Callable[[Node], Any]
) -> tuple[Theme, dict[str, str], dict[str, str]]:
    """A theme with a role for every look that a caller's `style` gives, which box gets which, and their keys."""
    # The legend knows these.
    roles: dict[tuple[Paint, str], str] = {
        (paint, ""): role for role, paint in reversed(list(theme.paints.items())) if role not in ("page", "inverse")
    }
    known = len(roles)
    given: dict[str, str] = {}
    for node in (node for graph in graphs for node in graph.nodes):
        said = style(node)
        if said is None:
            continue
        paint, words = said if isinstance(said, tuple) and len(said) == 2 else (said, "")
        if not isinstance(paint, Paint) or not isinstance(words, str):
            must_be = "a Paint, (Paint, words of the legend), or None"
            raise checks.refuse(f"what style gives for {node.name!r}", said, must_be, TypeError)
        given[node.name] = roles.setdefault((paint, words), f"own{len(roles) - known + 1}")
    made = {role: paint for (paint, _), role in roles.items()}
    return replace(theme, paints={**theme.paints, **made}), given, {role: w for (_, w), role in roles.items() if w}
