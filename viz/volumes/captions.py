"""What is written below volumes: channels, sizes and names, where they are news."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...graphs.graph import Graph, Node, Output, sum_weights
from ...graphs.rewrite import shared_prefix
from ..layouts.contents import frozen_text, key_of, short_count
from ..texts.layer_labels import is_shared
from .plan import Plan, Unit, on_axis
from .solids import Extent, is_ball, is_thick, own_repeats

_WIDE = 8.0  # times its size: a name that is long
_NARROW = 5.5  # on a level of a U
_NARROWEST = 3.5


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text with its measured width, below so many volumes that stand together."""

    text: str
    width: float
    size: float
    role: str = "text"
    bold: bool = False
    span: int = 1


@dataclass(frozen=True, slots=True)
class Caption:
    """What is written below the volumes of a unit, line by line, and below all of them together.

    `keys` are those of the outputs that leave each of them, written at their arrows.
    """

    under: tuple[tuple[Line, ...], ...]
    below: tuple[Line, ...]
    keys: tuple[tuple[Line, ...], ...] = ()


def captions(
    graph: Graph,
    found: Sequence[Extent],
    plan: Plan,
    size: float,
    measured: Callable[[str, float, bool], float],
    label: Callable[[Node], str | None] | None,
    show: Iterable[str],
    brief: bool,
    bare: bool = False,
) -> list[Caption]:
    """The captions of every unit.

    `brief` writes equal channels that follow one another once, long names in two lines, and keys below. `bare` leaves
    out what blocks are called that have no names of their own, such as `encoder level 1`.
    """

    def line(text: str, role: str = "text", bold: bool = False, span: int = 1) -> Line:
        return Line(text, measured(text, size, bold), size, role, bold, span)

    show = frozenset(show)
    before = {e.target: e.source for e in reversed(graph.edges)}
    names = _names(graph, plan) if label is None else [""] * len(plan.units)
    if bare:
        names = ["" if " " in name else name for name in names]
    most = _NARROWEST if bare else _NARROW if plan.levels > 1 else _WIDE
    frames = _frame_titles(graph, plan)
    for place, unit in enumerate(plan.units):
        for frame in unit.frames:
            if graph.frames[frame].repeats == 1:  # which says the rest
                names[place] = names[place].removeprefix(graph.frames[frame].name).removeprefix(".")
    latest: dict[tuple[str | None, int, int], str] = {}  # the size last written on a lane
    written: list[Caption] = []
    for place, unit in enumerate(plan.units):
        nodes = [graph.nodes[n] for n in unit.nodes]
        channels = [_channels(graph, n, found, before.get(n.id), "shape" in show) for n in nodes]
        spans = _spans(channels) if brief else [1] * len(nodes)
        under: list[tuple[Line, ...]] = []
        for node, words, span in zip(nodes, channels, spans, strict=True):
            lines = [line(words, span=span)] if words and span else []
            own = label(node) if label is not None else None
            under.append((*lines, *(line(w, "muted") for w in (own.split("\n") if own else ()) if w)))
        below: list[Line] = []
        words = _sizes(graph, found, plan, place, latest) if "shape" in show else ""
        if words:
            below.append(line(words, "edge"))
        if names[place]:
            long = brief and measured(names[place], size, True) > most * size
            below += [line(words, bold=True) for words in (_halves(names[place]) if long else (names[place],))]
        if "parameters" in show and (weights := sum_weights(nodes)[0]):
            below.append(line(_weights_text(graph, nodes, weights), "muted"))
        if "trainable" in show and (words := _listed_frozen(nodes)):
            below.append(line(words, "muted"))
        loss = [o.loss_weight for o in graph.outputs if o.source in unit.nodes and o.loss_weight is not None]
        below += [line(f"loss × {weight:g}", "muted") for weight in loss if unit.head is not None]
        below += [line(title, "muted", bold=True) for title in frames.get(place, ())]
        outputs = [[_key(graph, o, names[place]) for o in graph.outputs if o.source == n.id] for n in nodes]
        if brief:
            below += [line(f"→ {key}", "edge") for each in outputs for key in each if key]
            outputs = [[""] * len(each) for each in outputs]
        keys = (tuple(line(key, "edge") for key in each) for each in outputs)
        written.append(Caption(tuple(under), tuple(below), tuple(keys)))
    return written


def _key(graph: Graph, output: Output, name: str) -> str:
    """The key of an output, also where its layer is called so, unless that is what is written below the volumes."""
    node = graph.nodes[output.source]
    if output.key == node.path[-1] != node.name and output.key != name and graph.kind != "Block":
        return output.key
    return key_of(graph, output)


def _listed_frozen(nodes: Sequence[Node]) -> str:
    """Whether volumes that stand together are trained."""
    said = {frozen_text(node) for node in nodes if node.weights}
    return "" if said <= {""} else "frozen" if said == {"frozen"} else "partly frozen"


def _weights_text(graph: Graph, nodes: Sequence[Node], weights: int) -> str:
    """The parameters of a unit; of one of the equal neighbours that it stands for, where it stands for several."""
    times = {1 if is_shared(node) else node.repeats for node in nodes}
    count = times.pop() if len(times) == 1 else 1
    own = max(own_repeats(graph, node) for node in nodes)  # a frame says the rest
    each = "" if count == 1 else " each" if own == 1 else f" each ×{own}"
    return f"{short_count(weights // count)} par.{each}"


def _halves(name: str) -> tuple[str, ...]:
    """A name in two lines, parted where its words are, as near to its middle as can be.

    >>> _halves("reduction_concat_reduce_4")
    ('reduction_', 'concat_reduce_4')
    """
    ends = [m.end() for m in re.finditer(r"[._–-]+ *| +", name) if 0 < m.end() < len(name)]
    middle = min(ends, key=lambda end: abs(2 * end - len(name)), default=len(name))
    return tuple(filter(None, (name[:middle].rstrip(), name[middle:])))


def _spans(words: Sequence[str]) -> list[int]:
    """How many equal words each begins; 0 where one before says it."""
    spans = [1] * len(words)
    for i in reversed(range(len(words) - 1)):
        if words[i] == words[i + 1] and "×" not in words[i]:
            spans[i], spans[i + 1] = spans[i + 1] + 1, 0
    return spans


def _channels(graph: Graph, node: Node, found: Sequence[Extent], before: int | None, shown: bool) -> str:
    """How many channels, where that is news, and how many equal neighbours there are."""
    own, repeats = found[node.id].channels, own_repeats(graph, node)
    same = before is not None and found[before].channels == own and not is_thick(node)
    times = f"×{repeats}" if repeats > 1 else ""
    words = "" if same or is_ball(node) or not shown else "?" if own is None else str(own)
    return " ".join(filter(None, (words, times)))


def _sizes(
    graph: Graph,
    found: Sequence[Extent],
    plan: Plan,
    place: int,
    latest: dict[tuple[str | None, int, int], str],
) -> str:
    """The size of the unit's maps, if it is not what was written last; that of the pool at its end if none follows."""
    unit = plan.units[place]
    lane = _lane_of(plan, unit)
    sized = [n for n in unit.nodes if found[n].space and not is_ball(graph.nodes[n])]
    if not sized:
        return ""
    body = [n for n in sized if is_thick(graph.nodes[n])] or sized[:1]
    first, last = found[body[0]].text, found[body[-1]].text
    words = [first if first == last else f"{first.removesuffix('²')}–{last}"]
    if latest.get(lane) == last == first:
        words = []
    latest[lane] = last
    end = found[sized[-1]].text
    same = (u for u in plan.units[place + 1 :] if _lane_of(plan, u) == lane)
    later = (n for u in same for n in u.nodes)
    if end != last and all(graph.nodes[n].head is not None or not found[n].space for n in later):
        words += [f"→ {end}"]
        latest[lane] = end
    return " ".join(words)


def _lane_of(plan: Plan, unit: Unit) -> tuple[str | None, int, int]:
    """On which line of volumes it stands; all that is on the axis is on one."""
    return (None, -1, 0) if on_axis(plan, unit) else (unit.head, unit.region, unit.lane)


# -- names ------------------------------------------------------------------------------------------------------------


def _names(graph: Graph, plan: Plan) -> list[str]:
    """What each unit is called. Neighbours on the trunk that would be called the same are called so once."""
    level = _level(graph)
    shared: dict[int, tuple[str, ...]] = {}
    for unit in plan.units:
        paths = [graph.nodes[n].path for n in unit.nodes]
        shared[unit.region] = shared_prefix([*paths, shared.get(unit.region, paths[0])])
    names = []
    for unit in plan.units:
        nodes = [graph.nodes[n] for n in unit.nodes]
        if all(is_ball(n) for n in nodes):
            names.append("")
        elif on_axis(plan, unit):
            names.append(run_name(nodes, level))
        else:
            names.append(_branch_name(nodes, shared.get(unit.region, ())))
    main = [i for i, unit in enumerate(plan.units) if on_axis(plan, unit)]
    for here, there in pairwise(main):
        if not names[there]:  # a sum is of the block before it
            names[there] = names[here]
    groups: list[list[int]] = []
    for i in main:
        if groups and names[groups[-1][-1]] == names[i]:
            groups[-1].append(i)
        else:
            groups.append([i])
    for group in groups:
        widest = max(group, key=lambda i: sum(is_thick(graph.nodes[n]) for n in plan.units[i].nodes))
        for i in group:
            names[i] = names[i] if i == widest else ""
    return names


def _level(graph: Graph) -> int:
    """How many parts of a name distinguish blocks: more than one if nearly all layers begin with the same."""
    deepest = max((len(n.path) for n in graph.nodes), default=1)
    level = 1
    while level < deepest and len({n.path[:level] for n in graph.nodes if len(n.path) > level}) == 1:
        level += 1
    return level


def run_name(nodes: Sequence[Node], level: int = 1) -> str:
    """What nodes that stand together are called: their block, or the first and the last of them.

    >>> run_name([Node(i, (f"conv{i}",), "Conv2D", "conv") for i in (3, 4, 5)])
    'conv3–5'
    """
    thick = [n for n in nodes if is_thick(n)] or list(nodes)
    blocks = [".".join(n.path[:level]) for n in thick]
    first, last = blocks[0], blocks[-1]
    if first.startswith(last) or last.startswith(first):
        return min(first, last, key=len)
    common = shared_prefix([tuple(first), tuple(last)])
    ends = [m.end() for m in re.finditer(r"[._]|(?<=[A-Za-z])(?=\d)", first) if m.end() <= len(common)]
    return f"{first}–{last[ends[-1] :] if ends else last}"


def _branch_name(nodes: Sequence[Node], block: tuple[str, ...]) -> str:
    """What a branch is called inside its block, or an auxiliary head."""
    last = ([n for n in nodes if is_thick(n)] or list(nodes))[-1]
    return last.path[0] if last.head is not None else (last.path[len(block) :] or last.path[-1:])[0]


def _frame_titles(graph: Graph, plan: Plan) -> dict[int, list[str]]:
    """For each frame its title, below the unit in it that is lowest and has most volumes."""
    inside: dict[int, list[int]] = {}
    for place, unit in enumerate(plan.units):
        for frame in unit.frames:
            inside.setdefault(frame, []).append(place)
    titles: dict[int, list[str]] = {}
    for frame in sorted(inside, reverse=True):
        known = graph.frames[frame]
        widest = max(inside[frame], key=lambda place: (plan.units[place].lane, len(plan.units[place].nodes)))
        titles.setdefault(widest, []).append(f"×{known.repeats}" if known.repeats > 1 else known.name)
    return titles
