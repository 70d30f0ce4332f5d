"""What an author asks of single boxes: labels, looks and highlights by pattern, and a part of a network alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, cast

from .. import checks
from ..graphs.graph import Graph, Node, Output, changed, mark_edges, mark_heads
from .annotations import Note
from .layouts.contents import Say
from .texts.maths import with_maths
from .theme import Paint, Theme, colour_code, luminance

_MOST = 4  # highlights of a figure

# -- patterns ---------------------------------------------------------------------------------------------------------


def names_of(node: Node) -> Iterator[str]:
    """All by which a box can be meant: its name, the last part of it, and those of all that it stands for.

    >>> sorted(set(names_of(Node(0, ("stage1", "gate"), "Dense", "dense"))))
    ['gate', 'stage1.gate']
    """
    for name in (node.name, *node.members):
        yield name
        yield name.rpartition(".")[2]


def matches(pattern: str, node: Node) -> bool:
    """Whether a pattern (`gate*`, `stage?.conv`) is that of one of a box's names, or of a block that it lies in."""
    return any(_is_or_lies_in(pattern, name) for name in (node.name, *node.members))


def _is_or_lies_in(pattern: str, name: str) -> bool:
    """Whether a pattern is that of a name, of what that lies in, or of the last part of either."""
    parts = name.split(".")
    wholes = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return any(fnmatchcase(each, pattern) for each in (*parts, *wholes))


def check_patterns(argument: str, patterns: Iterable[str], graphs: Sequence[Graph]) -> None:
    """Refuse a pattern that no drawn box matches."""
    nodes = [node for graph in graphs for node in graph.nodes]
    for pattern in patterns:
        if not any(matches(pattern, node) for node in nodes):
            known = dict.fromkeys(name for node in nodes for name in names_of(node))
            stem = pattern.strip("*?")
            begun = next((name for name in known if stem and name.startswith(stem)), stem)
            near = checks.nearest(begun, known)
            must_be = f"a dict by names or patterns (*, ?) of boxes that are drawn{near}"
            raise checks.refuse(argument, pattern, must_be)


def _patterns(argument: str, value: Any, must_be: str) -> dict[str, Any]:
    return {checks.text(argument, key, must_be): said for key, said in checks.mapping(argument, value, must_be).items()}


_LABEL = "a function, or a dict of texts by name or pattern"


def label_by(value: Any) -> Say | None:
    """What boxes say, from a callback or a dict by pattern of which the first that matches counts."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        if not callable(value):
            raise checks.refuse("label", value, _LABEL, TypeError)
        if not isinstance(value, type):
            checks.function_of_one("label", value, "a function of a node, or a dict of texts by name or pattern")
        return _with_maths_of(cast("Say", checks.function("label", value)))
    texts = _patterns("label", value, _LABEL)
    for pattern, said in texts.items():
        lines = [said] if isinstance(said, str) else said
        if not isinstance(lines, list | tuple) or not all(isinstance(line, str) for line in lines):
            raise checks.refuse(f"label[{pattern!r}]", said, "text, or a list of texts", TypeError)
        texts[pattern] = [with_maths(f"label[{pattern!r}]", line) for line in lines]
    return lambda node: next((said for pattern, said in texts.items() if _is(pattern, node)), None)


def _with_maths_of(say: Say) -> Say:
    """What a callback gives, with its maths as letters."""

    def said(node: Node) -> Any:
        lines: Any = say(node)
        argument = f"what label gives for {node.name!r}"
        if isinstance(lines, list | tuple):
            return [with_maths(argument, line) if isinstance(line, str) else line for line in lines]
        return with_maths(argument, lines) if isinstance(lines, str) else lines

    return said


def _is(pattern: str, node: Node) -> bool:
    """Whether it is the box itself that matches."""
    return any(fnmatchcase(name, pattern) for name in names_of(node))


_STYLE = "a dict by name or pattern of a colour, a Paint, or (either of these, words of the legend)"


def style_by(value: Any, theme: Theme) -> Callable[[Node], Any]:
    """The looks of boxes from a dict by pattern of which the first that matches counts.

    A colour fills the box, with a line of the same hue. The legend has the words, or else the pattern without signs.
    """
    found: list[tuple[str, Paint | str, str]] = []
    for pattern, said in _patterns("style", value, _STYLE).items():
        look, words = said if isinstance(said, tuple) and len(said) == 2 else (said, pattern.strip("*?._-"))
        words = with_maths(f"style[{pattern!r}]", checks.text(f"style[{pattern!r}]", words, _STYLE))
        if not isinstance(look, Paint):
            look = colour_code(f"style[{pattern!r}]", look)
        found.append((pattern, look, words))

    def style(node: Node) -> Any:
        for pattern, look, words in found:
            if matches(pattern, node):
                return (look if isinstance(look, Paint) else filled(theme.paint(node.role), look)), words
        return None

    return style


def filled(paint: Paint, colour: str) -> Paint:
    """The look with another fill, and a line of that hue, darker, or lighter where the fill is dark."""
    if colour == "none":
        return replace(paint, fill=colour)
    share, end = (0.55, 0) if luminance(colour) > 0.18 else (0.5, 255)
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    line = "#" + "".join(f"{round(part + share * (end - part)):02x}" for part in parts)
    return replace(paint, fill=colour, line=line)


_HIGHLIGHT = "a dict of the legend's words by name or pattern, or patterns"


def highlight_by(value: Any, theme: Theme) -> Callable[[Node], Any]:
    """The look of what an author points out: the accent, with another border for all that has other words."""
    if isinstance(value, Mapping):
        words = {p: with_maths("highlight", checks.text("highlight", said, _HIGHLIGHT)) for p, said in value.items()}
        for pattern in words:
            checks.text("highlight", pattern, _HIGHLIGHT)
    else:
        words = dict.fromkeys(checks.names("highlight", value, _HIGHLIGHT), "")
    base = theme.paint("highlight")
    groups = list(dict.fromkeys(words.values()))
    if len(groups) > _MOST:
        raise checks.refuse("highlight", value, f"of at most {_MOST} different words")
    looks = [replace(base, border=border, width=2 * base.width) for border in ("solid", "dashed", "dotted", "dashdot")]

    def style(node: Node) -> Any:
        said = next((said for pattern, said in words.items() if matches(pattern, node)), None)
        return None if said is None else (looks[groups.index(said)], said)

    return style


_GROUPS = "a dict of words by name or pattern"


@dataclass(frozen=True, slots=True)
class Words:
    """What an author writes beside the boxes of some patterns: at a brace along them, or as a callout."""

    words: str
    patterns: tuple[str, ...]
    callout: bool

    def mean(self, node: Node) -> bool:
        return any(matches(pattern, node) for pattern in self.patterns)

    def on(self, graph: Graph) -> Note:
        """The boxes that are meant, each with how many of the equal blocks in it are, and how many there are."""
        meant: dict[int, tuple[int, int]] = {}
        for node in graph.nodes:
            if self.mean(node):
                names = [name for name in node.members if any(_is_or_lies_in(p, name) for p in self.patterns)]
                meant[node.id] = (len(names), len(node.members)) if names else (1, 1)
        if not self.callout:
            meant |= dict.fromkeys(_between(graph, meant), (1, 1))
        return Note(self.words, meant, self.callout)

    def sentence(self, graph: Graph) -> str:
        """The same for who cannot see it."""
        found = self.on(graph).boxes
        names = [graph.nodes[number].name for number in sorted(found)]
        if not names:
            return ""
        at = f"{names[0]} to {names[-1]}" if len(names) > 2 else " and ".join(names)
        return f"{'A note on' if self.callout else 'A brace along'} {at} says: {checks.plain(self.words)}."


def _between(graph: Graph, meant: Collection[int]) -> list[int]:
    """What has no weights and is only on the ways from some nodes to others, as a pool between two blocks."""
    sources: dict[int, list[int]] = defaultdict(list)
    targets: dict[int, list[int]] = defaultdict(list)
    for edge in graph.edges:
        sources[edge.target].append(edge.source)
        targets[edge.source].append(edge.target)
    returned = {output.source for output in graph.outputs}
    light = [n.id for n in graph.nodes if not (n.weights or n.unbuilt or n.id in meant or n.id in returned)]
    found = {number for number in light if sources[number] and targets[number]}
    while True:
        inside = found.union(meant)
        fewer = {n for n in found if inside.issuperset(sources[n]) and inside.issuperset(targets[n])}
        if fewer == found:
            return sorted(found)
        found = fewer


def words_by(groups: Any, callouts: Any) -> tuple[Words, ...]:
    """What an author writes beside boxes; patterns that have the same words are of one group."""
    found: dict[tuple[str, bool], list[str]] = {}
    for argument, value, callout in (("groups", groups, False), ("callouts", callouts, True)):
        for pattern, said in _patterns(argument, {} if value is None else value, _GROUPS).items():
            words = with_maths(f"{argument}[{pattern!r}]", checks.text(f"{argument}[{pattern!r}]", said))
            if not words.strip():
                raise checks.refuse(f"{argument}[{pattern!r}]", said, "text that is not empty")
            found.setdefault((" ".join(words.split()), callout), []).append(pattern)
    return tuple(Words(words, tuple(patterns), callout) for (words, callout), patterns in found.items())


def patterns_of(value: Any) -> tuple[str, ...]:
    """The patterns in a checked `label`, `style` or `highlight`."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Mapping | list | tuple) else ()


# -- parts of a network -----------------------------------------------------------------------------------------------


def inside(argument: str, graph: Graph, name: str) -> set[int]:
    """The nodes of a layer or block of that name, or refuse it."""
    found = {n.id for n in graph.nodes if n.name == name or ".".join(n.path).startswith(f"{name}.")}
    if not found:
        known = dict.fromkeys(".".join(n.path[:length]) for n in graph.nodes for length in range(1, len(n.path) + 1))
        raise checks.unknown(argument, name, known, "layer or block")
    return found


def on_the_way(graph: Graph, before: set[int], after: set[int]) -> set[int]:
    """The nodes on the ways from some to others, with these: none if no way leads there."""
    onward: dict[int, list[int]] = defaultdict(list)
    backward: dict[int, list[int]] = defaultdict(list)
    for edge in graph.edges:
        onward[edge.source].append(edge.target)
        backward[edge.target].append(edge.source)

    def reached(start: set[int], step: Mapping[int, Sequence[int]]) -> set[int]:
        found, waiting = set(start), sorted(start)
        while waiting:
            for number in step.get(waiting.pop(), ()):
                if number not in found:
                    found.add(number)
                    waiting.append(number)
        return found

    return reached(before, onward) & reached(after, backward)


def part(graph: Graph, kept: set[int], name: str) -> Graph:
    """A part of a network: what it gets from outside are its inputs, what is used outside its outputs."""
    entering = dict.fromkeys(
        (e.source, e.source_port) for e in graph.edges if e.target in kept and e.source not in kept
    )
    new: dict[tuple[int, int], int] = {}
    nodes: list[Node] = []
    for source, port in entering:
        before = graph.nodes[source]
        new[source, port] = len(nodes)
        shapes, dtypes = before.outputs[port : port + 1], before.dtypes[port : port + 1]
        nodes.append(Node(len(nodes), before.path, "InputLayer", "input", outputs=shapes, dtypes=dtypes))
    place = {}
    for node in graph.nodes:
        if node.id in kept:
            place[node.id] = len(nodes)
            nodes.append(replace(node, id=len(nodes), head=None))
    edges = tuple(
        changed(edge, source=place[edge.source], target=place[edge.target])
        if edge.source in kept
        else changed(edge, source=new[edge.source, edge.source_port], source_port=0, target=place[edge.target])
        for edge in graph.edges
        if edge.target in kept
    )
    outputs = [replace(o, source=place[o.source]) for o in graph.outputs if o.source in kept]
    returned = {(o.source, o.source_port) for o in outputs}
    for edge in graph.edges:
        leaving = (place.get(edge.source, -1), edge.source_port)
        if edge.source in kept and edge.target not in kept and leaving not in returned:
            returned.add(leaving)
            outputs.append(Output(graph.nodes[edge.source].name, *leaving))
    made = Graph(name, graph.kind, tuple(nodes), edges, tuple(outputs), graph.frames, verified=graph.verified)
    return mark_edges(mark_heads(made))
