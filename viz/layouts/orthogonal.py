"""Where the boxes and lines of a graph go that is no sequence: layers of boxes, and right-angled lines between them.

Sugiyama's method (Sugiyama, Tagawa, Toda 1981): every box gets a layer, lines over several layers a place in each,
layers an order with few crossings (barycentres), and places as near to their neighbours as keeps them apart
(isotonic regression). Between two layers, every line that changes its place has a track of its own.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, pairwise
from math import inf

from ...graphs.graph import Edge, Graph, Output
from ..lines import line_roles
from ..scene import Point
from .box_text import Type
from .contents import key_of
from .drawing import title_area, title_width
from .geometry import Label, Line, Outline, Piece, Placed, Size, label_area, meet
from .series_parallel import Around, Frames, number_of, title_of

_TRACK = 5.0  # between lines side by side
_HEAD = 9.0  # of a channel, for arrow heads
_LINE_GAP = 6.0  # between a line that passes and what stands beside it
_PORT, _EDGE = 9.0, 5.0  # between the ends of lines at one box, and from there to its corners
_FRAME = 4.0  # between a frame and what is in it
_BORDER = 1.5  # between a line and the border of a frame beside it, at least
_ROOMS: tuple[tuple[float, float, bool], ...] = (
    *((0.0, 0.0, False), (2.5, 0.0, False), (4.0, 0.0, False), (0.0, 6.0, False), (2.5, 9.0, False)),
    *((0.0, 12.0, False), (0.0, 0.0, True), (2.5, 0.0, True), (0.0, 6.0, True)),
)
"""How much wider a frame may be where something is in its way, how much more room it may have for its title, and
whether it reaches further to the left for that."""
_LEFTWARD = 3  # how many lines in a row a frame reaches over to the left for that
_SPARE = (0.0, 12.0, 28.0, 48.0)  # more room in a frame for those inside it
_FAR = 1e6  # longer than any figure
_SWEEPS = 8
_FAST = 1e4  # how much more than others the longest way stays where it is
_STRAIGHT = 14.0  # a line is put off the middle of its box by so much, if that makes it straight
_ASIDE = frozenset({"skip", "side", "projection", "padded", "concat", "gate", "aux"})


@dataclass(slots=True)
class _Vertex:
    """A box, an output, or the place of a line that passes its layer."""

    rank: int
    node: int = -1
    output: int = -1
    left: float = 0.0
    right: float = 0.0
    x: float = 0.0

    @property
    def is_line(self) -> bool:
        return self.node < 0 and self.output < 0


@dataclass(slots=True)
class _Net:
    """One tensor on its way in one role: its source, and in every channel from what to what it leads.

    A target is a vertex and which of what it states leads there; -1 where it passes.
    """

    source: int
    port: int
    role: str
    states: list[Edge | Output]
    stretches: dict[int, tuple[int, list[tuple[int, int]]]] = field(default_factory=dict)


def orthogonal(
    graph: Graph,
    sizes: Sequence[Size],
    labels: Mapping[tuple[int, int], str],
    type: Type,
    gaps: tuple[float, float],
    frames: Sequence[Frames] = (),
    direction: str = "TB",
    *,
    roles: Mapping[Edge, str] | None = None,
    faces: Sequence[tuple[float, float]] | None = None,
    words: Mapping[Edge, str] | None = None,
    whole: bool = True,
) -> Piece | None:
    """Layers of boxes from the top down.

    Args:
        sizes: of the boxes.
        labels: by node and output, what is written where its line begins.
        gaps: between layers, and between boxes of one layer, in points.
        frames: around each box. One that only shares a name is left out where something else is in its way.
        direction: which way the piece will be turned, so that the keys of outputs can be read.
        roles: of the lines; by default as `line_roles` says.
        faces: for each box how far from its left edge lines meet it, and over what width; by default its whole edge.
        words: what is written at the end of lines; of those to one box at the outer ones.
        whole: whether every frame that repeats must be there; otherwise one that something is in the way of is left
            out.

    Returns:
        None if something else is in the way of a frame that repeats and must be there.
    """
    around = list(dict.fromkeys(chain.from_iterable(frames)))
    title = type.text * 1.2 + 2 * _FRAME if around else 0.0
    room = (title, 2 * _FRAME * bool(around))
    along, across = room if direction in ("TB", "BT") else room[::-1]
    piece = _Drawing(
        graph, sizes, labels, type, (gaps[0] + along, gaps[1] + across), direction, roles, faces, words or {}
    ).piece()
    for spare in _SPARE:
        complete = _framed(piece, around, frames, type, direction, spare)
        if complete or (not whole and spare == _SPARE[-1]):
            widen(piece)
            return piece
        piece.outlines.clear()
    return None


def _framed(
    piece: Piece, around: Sequence[Around], frames: Sequence[Frames], type: Type, direction: str, spare: float
) -> bool:
    """Draw frames where nothing is in the way: whether that is so around all that repeats."""
    complete = True
    for frame in around:
        inside = [number for number, outer in enumerate(frames) if frame in outer]
        outer = frames[inside[0]][: frames[inside[0]].index(frame) + 1]
        deeper = max(len(frames[number]) for number in inside) - len(outer)
        found: dict[bool, Outline] = {}  # the first there is room for, and the first that reaches left for its title
        for wider, more, leftward in _ROOMS:
            if leftward not in found:
                extra = wider + spare * (deeper > 0)
                drawn = outline_around(piece, inside, outer, deeper, type, direction, extra, more, leftward)
                found |= {} if drawn is None else {leftward: drawn}
        outline = min(found.values(), key=partial(_room, piece), default=None)
        if outline is not None:
            piece.outlines.append(outline)
        elif frame.repeats > 1:
            complete = False
    return complete


def _room(piece: Piece, outline: Outline) -> float:
    """How much of the page a frame takes, also beside what stands in the piece."""
    place, boxes = outline.place, piece.boxes.values()
    beside = max(0.0, min(box.x for box in boxes) - place.x) + max(0.0, place.right - max(box.right for box in boxes))
    high = max(box.bottom for box in boxes) - min(box.y for box in boxes)
    return place.width * place.height + beside * high


def outline_around(
    piece: Piece,
    inside: Sequence[int],
    outer: Frames,
    deeper: int,
    type: Type,
    direction: str,
    wider: float,
    more: float = 0.0,
    leftward: bool = False,
) -> Outline | None:
    """A frame around some boxes; none if anything else stands in it or on its title, or a line runs along it."""
    title, pad = title_of(outer), _FRAME * (1 + deeper) + wider
    high = (type.text * 1.2 + 1) * (1 + deeper) + more
    boxes = [piece.boxes[number] for number in inside]
    left, top = min(box.x for box in boxes) - pad, min(box.y for box in boxes) - pad
    right, bottom = max(box.right for box in boxes) + pad + 3, max(box.bottom for box in boxes) + pad + 3
    wide, tall = title_width(title, outer[-1].repeats, type) + 2, type.text * 1.2 + 3
    if direction == "TB":
        top -= high
    elif direction == "BT":
        bottom += high
    else:  # the title stands at the left end of what will be the upper side
        left -= high
    place = Placed(left, top, right - left, bottom - top)
    shift, free = _title_place(piece, place, wide, tall, direction, type)
    for _ in range(_LEFTWARD if leftward and direction in ("TB", "BT") else 0):
        if shift:
            left -= wide + 3 - free
            place = Placed(left, top, right - left, bottom - top)
            shift, free = _title_place(piece, place, wide, tall, direction, type)
    lack = shift + wide + 4 - (place.width if direction in ("TB", "BT") else place.height)
    if direction in ("TB", "BT"):
        place = replace(place, width=place.width + max(0.0, lack))
    else:
        place = replace(place, y=top - max(0.0, lack) * (direction == "RL"), height=place.height + max(0.0, lack))
    others = [box for number, box in piece.boxes.items() if number not in inside]
    if any(meet(place, box) for box in others):
        return None
    for other in piece.outlines:
        holds = other.place.x + _BORDER <= place.x and place.right <= other.place.right - _BORDER
        holds = holds and other.place.y + _BORDER <= place.y and place.bottom <= other.place.bottom - _BORDER
        if meet(place, other.place) and (not holds or meet(place, title_area(other, type, direction))):
            return None
    if any(_runs_along(line, place) for line in piece.lines):
        return None
    for label in piece.labels:
        area = label_area(label, type.edge * 1.2, direction)
        held = place.x <= area.x and area.right <= place.right and place.y <= area.y and area.bottom <= place.bottom
        if meet(place, area) and not held:
            return None
    return Outline(title, place, len(outer), outer[-1].repeats, number_of(outer[-1]), shift)


def _title_place(
    piece: Piece, place: Placed, wide: float, tall: float, direction: str, type: Type
) -> tuple[float, float]:
    """How far from the left end of its upper side a frame has a place for its title that is on no line or label.

    And how far from there the first of these is.
    """
    x, y = place.x, place.y
    if direction in ("TB", "BT"):
        strip = Placed(x, y if direction == "TB" else place.bottom - tall, _FAR, tall)
    else:
        strip = Placed(x, y if direction == "LR" else place.bottom - _FAR, tall, _FAR)

    def taken(area: Placed) -> tuple[float, float]:
        if direction in ("TB", "BT"):
            return area.x - x, area.right - x
        return (
            (area.y - y, area.bottom - y) if direction == "LR" else (place.bottom - area.bottom, place.bottom - area.y)
        )

    areas = [
        Placed(min(ax, bx), min(ay, by), abs(ax - bx), abs(ay - by))
        for line in piece.lines
        for (ax, ay), (bx, by) in pairwise(line.points)
    ]
    areas += [label_area(label, type.edge * 1.2, direction) for label in piece.labels]
    shift = 0.0
    found = sorted(taken(area) for area in areas if meet(strip, area))
    for first, last in found:
        if first - 2 < shift + wide and shift < last + 1:
            shift = last + 1
    return shift, min((first for first, _ in found), default=wide)


def _runs_along(line: Line, area: Placed) -> bool:
    """Whether a line has a stretch on the border of an area."""
    for (ax, ay), (bx, by) in pairwise(line.points):
        upright, level = min(abs(ax - area.x), abs(ax - area.right)), min(abs(ay - area.y), abs(ay - area.bottom))
        if ax == bx and upright < _BORDER and min(ay, by) < area.bottom and max(ay, by) > area.y:
            return True
        if ay == by and level < _BORDER and min(ax, bx) < area.right and max(ax, bx) > area.x:
            return True
    return False


def widen(piece: Piece) -> None:
    """Move everything so that no frame stands out at the left or above."""
    left = min((outline.place.x for outline in piece.outlines), default=0.0)
    top = min((outline.place.y for outline in piece.outlines), default=0.0)
    if left < 0 or top < 0:
        moved = piece.moved(max(0.0, -left), max(0.0, -top))
        for name in ("boxes", "lines", "labels", "outlines"):
            setattr(piece, name, getattr(moved, name))
        piece.right, piece.height = piece.right + max(0.0, -left), piece.height + max(0.0, -top)
    piece.right = max([piece.right, *(outline.place.right for outline in piece.outlines)])
    piece.height = max([piece.height, *(outline.place.bottom for outline in piece.outlines)])


class _Drawing:
    def __init__(
        self,
        graph: Graph,
        sizes: Sequence[Size],
        labels: Mapping[tuple[int, int], str],
        type: Type,
        gaps: tuple[float, float],
        direction: str,
        roles: Mapping[Edge, str] | None,
        faces: Sequence[tuple[float, float]] | None,
        words: Mapping[Edge, str],
    ) -> None:
        self.graph, self.sizes, self.labels, self.type, self.gaps = graph, sizes, labels, type, gaps
        self.direction = direction
        self.roles = line_roles(graph) if roles is None else roles
        self.words = words
        self.faces = faces or [(size.width / 2, size.width - 2 * _EDGE) for size in sizes]
        self.keys = [key_of(graph, output) for output in graph.outputs]
        self.label = type.edge * 1.15 if labels else 0.0
        self.nets: list[_Net] = []
        self.vertices = [_Vertex(rank, node) for node, rank in enumerate(_ranks(graph))]
        self._find_nets()
        self.arriving: dict[int, list[Edge]] = defaultdict(list)
        for edge in graph.edges:
            self.arriving[edge.target].append(edge)
        self.leaving: dict[int, list[int]] = defaultdict(list)  # the nets that begin at each node
        for number, net in enumerate(self.nets):
            self.leaving[net.source].append(number)
        self._reach()
        count = max((vertex.rank for vertex in self.vertices), default=0) + 1
        self.layers: list[list[int]] = [[] for _ in range(count)]
        for number, vertex in enumerate(self.vertices):
            self.layers[vertex.rank].append(number)
        self.links: list[list[tuple[int, int]]] = [[] for _ in range(count)]  # of each channel
        for net in self.nets:
            for channel, (upper, lowers) in net.stretches.items():
                self.links[channel] += [(upper, lower) for lower, _ in lowers]

    def piece(self) -> Piece:
        self._order()
        self._place()
        starts, ends = self._ports()
        return self._drawn(starts, ends)

    # -- what there is --

    def _find_nets(self) -> None:
        roles = self.roles
        found: dict[tuple[int, int, str], list[tuple[int, Edge | Output]]] = {}
        for edge in self.graph.edges:
            role = roles[edge]
            key = (edge.source, edge.source_port, role if role in _ASIDE else "")
            found.setdefault(key, []).append((edge.target, edge))
        trunk = {(e.source, e.source_port) for e in self.graph.edges if roles[e] == "trunk"}
        for number, output in enumerate(self.graph.outputs):
            rank = self.vertices[output.source].rank + 1
            self.vertices.append(_Vertex(rank, output=number))
            key = (output.source, output.source_port, "")
            trunk |= set() if key in found else {key[:2]}
            found.setdefault(key, []).append((len(self.vertices) - 1, output))
        for (source, port, aside), targets in found.items():
            role = aside or ("trunk" if (source, port) in trunk and len(targets) == 1 else "branch")
            net = _Net(source, port, role, [what for _, what in targets])
            upper = source
            last = max(self.vertices[target].rank for target, _ in targets)
            for channel in range(self.vertices[source].rank, last):
                lowers = [(t, i) for i, (t, _) in enumerate(targets) if self.vertices[t].rank == channel + 1]
                net.stretches[channel] = upper, lowers
                if last > channel + 1:
                    self.vertices.append(_Vertex(channel + 1))
                    lowers.append((len(self.vertices) - 1, -1))
                    upper = len(self.vertices) - 1
            self.nets.append(net)

    def _key_room(self, output: int) -> tuple[float, float]:
        """How much room the key of an output takes across the flow, and along it."""
        key = self.keys[output]
        wide, high = self.type.width(key, self.type.edge) if key else 0.0, self.type.edge * 1.15 if key else 0.0
        return (wide, high) if self.direction in ("TB", "BT") else (high, wide)

    def _text(self, node: int, port: int) -> str:
        return self.labels.get((node, port), "")

    def _offsets(self, node: int) -> list[float]:
        """How far from the middle of its box each of its nets begins."""
        count = len(self.leaving[node])
        step = min(_PORT, self.faces[node][1] / max(1, count - 1))
        return [(i - (count - 1) / 2) * step for i in range(count)]

    def _reach(self) -> None:
        """How far each vertex reaches to its sides, with what is written beside its lines."""
        for vertex in self.vertices:
            if vertex.node < 0:
                half = self._key_room(vertex.output)[0] / 2 if vertex.output >= 0 else 0.0
                vertex.left = vertex.right = max(half, _LINE_GAP / 2)
                continue
            size, offsets = self.sizes[vertex.node], self._offsets(vertex.node)
            vertex.left = self.faces[vertex.node][0]
            vertex.right = size.width - vertex.left + size.beyond
            ports = [self.nets[n].port for n in self.leaving[vertex.node]]
            ports = sorted(set(ports)) or [0]
            wide = [self.type.width(text, self.type.edge) if (text := self._text(vertex.node, p)) else 0 for p in ports]
            far = max(offsets, default=0.0)
            vertex.right = max(vertex.right, far + 4 + wide[-1])
            if len(ports) > 1:
                vertex.left = max(vertex.left, far + 4 + wide[0])
            across = max((self._word_room(words)[0] for words in self._words_at(vertex.node)), default=0.0)
            if across:
                far = self.faces[vertex.node][1] / 2  # at most
                vertex.left, vertex.right = max(vertex.left, far + 4 + across), max(vertex.right, far + 4 + across)

    def _words_at(self, node: int) -> list[str]:
        """What is written at the ends of lines to a node."""
        return [self.words[edge] for edge in self.arriving[node] if edge in self.words]

    def _word_room(self, words: str) -> tuple[float, float]:
        """How much room words take across the flow, and along it."""
        wide, high = self.type.width(words, self.type.edge), self.type.edge * 1.15
        return (wide, high) if self.direction in ("TB", "BT") else (high, wide)

    # -- order --

    def _order(self) -> None:
        up: dict[int, list[int]] = defaultdict(list)
        down: dict[int, list[int]] = defaultdict(list)
        for upper, lower in chain.from_iterable(self.links):
            down[upper].append(lower)
            up[lower].append(upper)
        place: dict[int, float] = {}

        def note(layer: Sequence[int]) -> None:
            place.update((number, i - (len(layer) - 1) / 2) for i, number in enumerate(layer))

        for layer in self.layers:
            note(layer)
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(_SWEEPS):
            beside, layers = (up, self.layers) if sweep % 2 == 0 else (down, self.layers[::-1])
            for layer in layers:
                wanted = {
                    n: sum(place[m] for m in beside[n]) / len(beside[n]) if beside[n] else place[n] for n in layer
                }
                layer.sort(key=lambda n: wanted[n])
                note(layer)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _crossings(self) -> int:
        place = {number: i for layer in self.layers for i, number in enumerate(layer)}
        found = 0
        for links in self.links:
            seen: list[int] = []
            for _, lower in sorted((place[upper], place[lower]) for upper, lower in links):
                found += len(seen) - bisect_right(seen, lower)
                insort(seen, lower)
        return found

    # -- places --

    def _place(self) -> None:
        beside: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for upper, lower in chain.from_iterable(self.links):
            lines = self.vertices[upper].is_line + self.vertices[lower].is_line
            pull = (1.0, 2.0, 8.0)[lines]
            beside[upper].append((lower, pull))
            beside[lower].append((upper, pull))
        trunk = set(_longest(self.graph))
        axis: float | None = None  # where these stand
        offsets = [self._apart(layer) for layer in self.layers]
        for layer, off in zip(self.layers, offsets, strict=True):
            for number, at in zip(layer, off, strict=True):
                self.vertices[number].x = at - off[-1] / 2
        count = len(self.layers)
        for sweep in range(4 * _SWEEPS):
            if sweep == _SWEEPS:
                axis = sum(self.vertices[number].x for number in trunk) / max(1, len(trunk))
            for rank in range(count) if sweep % 2 == 0 else reversed(range(count)):
                layer = self.layers[rank]
                wanted, weights = [], []
                for number in layer:
                    own = beside[number]
                    weight = sum(pull for _, pull in own)
                    mean = (
                        sum(self.vertices[n].x * pull for n, pull in own) / weight if own else self.vertices[number].x
                    )
                    pinned = axis is not None and number in trunk
                    wanted.append(axis if axis is not None and pinned else mean)
                    weights.append(_FAST if pinned else weight or 0.1)
                for number, x in zip(layer, _kept_apart(wanted, weights, offsets[rank]), strict=True):
                    self.vertices[number].x = x
        self._straighten(offsets)
        least = min((v.x - v.left for v in self.vertices), default=0.0)
        for vertex in self.vertices:
            vertex.x -= least

    def _apart(self, layer: Sequence[int]) -> list[float]:
        """How far from the first each vertex of a layer is at least."""
        found = [0.0]
        for one, other in pairwise(layer):
            a, b = self.vertices[one], self.vertices[other]
            gap = 0.0 if a.is_line and b.is_line else _LINE_GAP / 2 if a.is_line or b.is_line else self.gaps[1]
            found.append(found[-1] + a.right + gap + b.left)
        return found

    def _straighten(self, offsets: Sequence[Sequence[float]]) -> None:
        """Let lines that pass several layers run straight as far as what stands beside them leaves room."""
        place = {number: (rank, i) for rank, layer in enumerate(self.layers) for i, number in enumerate(layer)}

        def room(number: int) -> tuple[float, float]:
            rank, i = place[number]
            layer, off = self.layers[rank], offsets[rank]
            low = self.vertices[layer[i - 1]].x + off[i] - off[i - 1] if i else -inf
            high = self.vertices[layer[i + 1]].x - off[i + 1] + off[i] if i + 1 < len(layer) else inf
            return low, high

        for _ in range(2):
            for net in self.nets:
                way = [upper for upper, _ in net.stretches.values() if self.vertices[upper].is_line]
                last = max(net.stretches)
                targets = [self.vertices[lower].x for lower, _ in net.stretches[last][1]]
                wanted = sum(targets) / len(targets)
                while way:
                    low, high, count = -inf, inf, 0
                    for number in way:
                        least, most = room(number)
                        if max(low, least) > min(high, most) + 1e-9:
                            break
                        low, high, count = max(low, least), min(high, most), count + 1
                    count = max(1, count)
                    for number in way[:count]:
                        self.vertices[number].x = min(max(wanted, low), high)
                    way = way[count:]

    # -- lines --

    def _ports(self) -> tuple[dict[int, float], dict[tuple[int, int, int], float]]:
        """Where each net begins, and where it ends: by net, vertex and input."""
        starts: dict[int, float] = {}
        for node, nets in self.leaving.items():
            vertex = self.vertices[node]

            def lean(number: int) -> float:
                _, lowers = self.nets[number].stretches[self.vertices[self.nets[number].source].rank]
                return sum(self.vertices[n].x for n, _ in lowers) / len(lowers)

            ordered = sorted(nets, key=lambda n: (self.nets[n].port, lean(n)))
            starts |= {n: vertex.x + off for n, off in zip(ordered, self._offsets(node), strict=True)}
        arriving: dict[int, list[tuple[float, int, int]]] = defaultdict(list)
        for number, net in enumerate(self.nets):
            for upper, lowers in net.stretches.values():
                x = self.vertices[upper].x if self.vertices[upper].is_line else starts[number]
                for lower, port in lowers:
                    arriving[lower].append((x, number, port))
        ends: dict[tuple[int, int, int], float] = {}
        for lower, found in arriving.items():
            vertex = self.vertices[lower]
            if vertex.node < 0:
                ends |= {(n, lower, port): vertex.x for _, n, port in found}
                continue
            room = self.faces[vertex.node][1]
            step = min(_PORT, room / max(1, len(found) - 1))
            if len(found) == 1 and abs(found[0][0] - vertex.x) <= min(_STRAIGHT, room / 2):
                ends[found[0][1], lower, found[0][2]] = found[0][0]
                continue
            found = self._words_outside(sorted(found))
            places = [vertex.x + (i - (len(found) - 1) / 2) * step for i in range(len(found))]
            free = (room - step * (len(found) - 1)) / 2
            shifts = [x - place for (x, *_), place in zip(found, places, strict=True)]
            shift = min(shifts, key=abs)
            if abs(shift) > min(free, _STRAIGHT):
                shift = 0.0
            for (_, number, port), place in zip(found, places, strict=True):
                ends[number, lower, port] = place + shift
        self._part_ways(starts, ends)
        return starts, ends

    def _words_outside(self, found: Sequence[tuple[float, int, int]]) -> list[tuple[float, int, int]]:
        """The ends of lines to one box from the left, the first and last that something is said of at the outside."""
        said = [n for n, (_, net, port) in enumerate(found) if self.nets[net].states[port] in self.words]
        left = said[0] if len(said) > 1 or (said and said[0] < len(found) // 2) else -1
        right = said[-1] if said and said[-1] != left else -1
        return [found[n] for n in sorted(range(len(found)), key=lambda n: (n == right) - (n == left))]

    def _part_ways(self, starts: Mapping[int, float], ends: dict[tuple[int, int, int], float]) -> None:
        """Move the ends of lines that would come down where another one goes down."""
        begins: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for number, net in enumerate(self.nets):
            for channel, (upper, _) in net.stretches.items():
                x = self.vertices[upper].x if self.vertices[upper].is_line else starts[number]
                begins[channel].append((x, number))
        for key, x in ends.items():
            number, lower, _ = key
            vertex = self.vertices[lower]
            near = begins[vertex.rank - 1]
            if vertex.node < 0 or (x, number) in near:
                continue
            half = self.faces[vertex.node][1] / 2
            taken = [at for at, other in near if other != number]
            taken += [at for each, at in ends.items() if each[1] == lower and each != key]
            if any(abs(x - at) < _TRACK / 2 for at, other in near if other != number):
                spots = [x + side * step for step in (2.5, 3.5, 5.0) for side in (1, -1)]
                free = [s for s in spots if abs(s - vertex.x) <= half and all(abs(s - at) >= 2.5 for at in taken)]
                ends[key] = free[0] if free else x

    def _drawn(self, starts: Mapping[int, float], ends: Mapping[tuple[int, int, int], float]) -> Piece:
        piece = Piece()
        tops: list[float] = []  # of each layer
        bottoms: list[float] = []
        tracks: list[tuple[dict[int, int], float]] = []
        y = 0.0
        for rank, layer in enumerate(self.layers):
            tops.append(y)
            here = [self.vertices[number] for number in layer]
            boxes = [self.sizes[vertex.node] for vertex in here if vertex.node >= 0]
            high = max((size.height + size.beyond for size in boxes), default=0.0)
            keys = [self._key_room(vertex.output)[1] + 1.5 for vertex in here if vertex.output >= 0]
            y += max([high, *keys])
            bottoms.append(y)
            zone = self.label + 2 if self.label and boxes else 2.0
            found = self._tracks(rank, starts, ends)
            tracks.append((found, y + zone))
            most = max(found.values(), default=-1) + 1
            if rank + 1 < len(self.layers):
                gap = (
                    self.gaps[0]
                    if any(v.node >= 0 for v in map(self.vertices.__getitem__, self.layers[rank + 1]))
                    else 0
                )
                below = [n for n in self.layers[rank + 1] if self.vertices[n].node >= 0]
                said = (words for n in below for words in self._words_at(self.vertices[n].node))
                head = max([_HEAD, *(self._word_room(words)[1] + 2 for words in said)])
                y += max(gap, zone + most * _TRACK + head)
        for layer, top in zip(self.layers, tops, strict=True):
            for vertex in map(self.vertices.__getitem__, layer):
                if vertex.node >= 0:
                    size = self.sizes[vertex.node]
                    piece.boxes[vertex.node] = Placed(
                        vertex.x - self.faces[vertex.node][0], top, size.width, size.height
                    )
                elif vertex.output >= 0 and self.keys[vertex.output]:
                    self._write_key(piece, self.keys[vertex.output], (vertex.x, top))
        for number, net in enumerate(self.nets):
            for points, what in self._ways(number, starts, ends, tops, bottoms, tracks):
                piece.lines.append(Line(points, net.role, states=(what,)))
        self._write(piece, starts)
        self._write_words(piece, ends, tops)
        piece.height = y
        piece.right = max((v.x + v.right for v in self.vertices), default=0.0)
        return piece

    def _tracks(
        self, channel: int, starts: Mapping[int, float], ends: Mapping[tuple[int, int, int], float]
    ) -> dict[int, int]:
        """The track of each net that changes its place in a channel, counted from the top."""
        spans: dict[int, tuple[float, float]] = {}
        above: dict[int, float] = {}
        below: list[tuple[float, int]] = []
        for number, net in enumerate(self.nets):
            if channel not in net.stretches:
                continue
            upper, lowers = net.stretches[channel]
            x = self.vertices[upper].x if self.vertices[upper].is_line else starts[number]
            to = [ends[number, lower, port] for lower, port in lowers]
            if any(abs(each - x) > 0.01 for each in to):
                spans[number] = min(x, *to), max(x, *to)
                above[number] = x
                below += [(each, number) for each in to]
        # What comes down where another goes down has its track above that of the other.
        first: dict[int, set[int]] = {number: set() for number in spans}
        for number, x in above.items():
            for each, other in below:
                if other != number and abs(each - x) < _TRACK / 2:
                    first[other].add(number)
        found: dict[int, int] = {}
        track = 0
        while len(found) < len(spans):
            waiting = [number for number in spans if number not in found]
            ready = [n for n in waiting if first[n] <= found.keys()] or waiting[:1]
            end = -inf
            placed = []
            for number in sorted(ready, key=lambda n: spans[n]):
                if spans[number][0] >= end + _TRACK:
                    placed.append(number)
                    end = spans[number][1]
            found |= dict.fromkeys(placed, track)
            track += 1
        return found

    def _ways(
        self,
        number: int,
        starts: Mapping[int, float],
        ends: Mapping[tuple[int, int, int], float],
        tops: Sequence[float],
        bottoms: Sequence[float],
        tracks: Sequence[tuple[Mapping[int, int], float]],
    ) -> list[tuple[tuple[Point, ...], Edge | Output]]:
        """A line from the source to each target, and what it states."""
        net = self.nets[number]
        size = self.sizes[net.source]
        start = (starts[number], tops[self.vertices[net.source].rank] + size.height + size.beyond)
        passing: list[Point] = [start]  # the way to where the next channel begins
        found: list[tuple[tuple[Point, ...], Edge | Output]] = []
        for channel, (_, lowers) in net.stretches.items():
            found_tracks, zone = tracks[channel]
            x = passing[-1][0]
            onward: list[Point] = []
            for lower, port in sorted(lowers, key=lambda pair: (pair[1] < 0, pair)):
                end = ends[number, lower, port]
                bottom = tops[channel + 1]
                turn: list[Point] = []
                if number in found_tracks and abs(end - x) > 0.01:
                    y = zone + found_tracks[number] * _TRACK + _TRACK / 2
                    turn = [(x, y), (end, y)]
                if port < 0:
                    onward = [*turn, (end, bottom), (end, bottoms[channel + 1])]
                    continue
                found.append(((*passing, *turn, (end, bottom)), net.states[port]))
            passing = [*passing, *onward]
        return found

    def _write_key(self, piece: Piece, key: str, tip: Point) -> None:
        """The key of an output before the tip of its arrow."""
        wide = self.type.width(key, self.type.edge)
        x, y = tip[0], tip[1] + 1.5 + self._key_room(self.keys.index(key))[1] / 2
        at = {"RL": (x, y + wide / 2), "LR": (x, y - wide / 2)}.get(self.direction, (x - wide / 2, y))
        piece.labels.append(Label(key, *at, wide))

    def _write(self, piece: Piece, starts: Mapping[int, float]) -> None:
        """The shape of each tensor beside where it leaves: of the last at the right, of the first at the left."""
        for node, box in piece.boxes.items():
            low = box.bottom + self.sizes[node].beyond
            spots = {self.nets[n].port: starts[n] for n in sorted(self.leaving[node], key=lambda n: starts[n])}
            right = max(spots.values(), default=0.0)
            for i, (port, x) in enumerate(spots.items()):
                text = self._text(node, port)
                wide = self.type.width(text, self.type.edge)
                y = low + self.label / 2 + 0.8
                if not text or 0 < i < len(spots) - 1:
                    continue
                if i == len(spots) - 1:
                    piece.labels.append(Label(text, right + 3, y, wide))
                else:
                    piece.labels.append(Label(text, x - 3 - wide, y, wide))

    def _write_words(self, piece: Piece, ends: Mapping[tuple[int, int, int], float], tops: Sequence[float]) -> None:
        """What is said of lines to a box: of the first at the left of its head, of the last at the right."""
        for node, edges in self.arriving.items():
            said = {edge: self.words[edge] for edge in edges if edge in self.words}
            if not said:
                continue
            places = {self.nets[n].states[port]: x for (n, lower, port), x in ends.items() if lower == node}
            first, last = min(places.values()), max(places.values())
            for side, at in ((-1, first), (1, last)):
                words = next((text for edge, text in said.items() if places[edge] == at), None)
                if words is None or (side > 0 and first == last):
                    continue
                across, along = self._word_room(words)
                x, y = at + side * (3 + across / 2), tops[self.vertices[node].rank] - 1 - along / 2
                wide = self.type.width(words, self.type.edge)
                start = {"RL": (x, y + wide / 2), "LR": (x, y - wide / 2)}.get(self.direction, (x - wide / 2, y))
                piece.labels.append(Label(words, *start, wide))


def _ranks(graph: Graph) -> list[int]:
    """The layer of every node: below all that feeds it, and what nothing feeds right above what it feeds."""
    before: list[list[int]] = [[] for _ in graph.nodes]
    onward: list[list[int]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        before[edge.target].append(edge.source)
        onward[edge.source].append(edge.target)
    found = [0] * len(graph.nodes)
    for number, sources in enumerate(before):
        found[number] = 1 + max((found[source] for source in sources), default=-1)
    for number in reversed(range(len(found))):
        if onward[number] and len(set(onward[number])) >= len(set(before[number])):
            found[number] = max(found[number], min(found[target] for target in onward[number]) - 1)
    return found


def _longest(graph: Graph) -> list[int]:
    """The nodes of the longest way through the graph."""
    best = [0] * len(graph.nodes)
    before = [-1] * len(graph.nodes)
    for edge in sorted(graph.edges, key=lambda e: (e.target, e.target_port)):
        if best[edge.source] + 1 > best[edge.target]:
            best[edge.target], before[edge.target] = best[edge.source] + 1, edge.source
    number = max(range(len(best)), key=lambda n: best[n], default=-1)
    way = []
    while number >= 0:
        way.append(number)
        number = before[number]
    return way[::-1]


def _kept_apart(wanted: Sequence[float], weights: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """The places nearest to those wanted, in order and as far apart as `offsets` say (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for want, weight, off in zip(wanted, weights, offsets, strict=True):
        mean, heavy, count = want - off, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, more, others = blocks.pop()
            mean = (mean * heavy + other * more) / (heavy + more)
            heavy, count = heavy + more, count + others
        blocks.append((mean, heavy, count))
    means = chain.from_iterable([mean] * count for mean, _, count in blocks)
    return [mean + off for mean, off in zip(means, offsets, strict=True)]
