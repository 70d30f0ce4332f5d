"""Where the boxes and lines of a sequence go: from the top down, in time that grows with its length.

Everything is reckoned as if the figure ran from the top down; `drawing.turned` makes the other directions of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from string import ascii_uppercase
from typing import Literal

from ...graphs.graph import Edge, Graph, Output
from ..lines import line_words, together
from ..scene import Point
from ..theme import Theme
from .box_text import Card, Content, Type
from .contents import key_of
from .drawing import title_area, title_width
from .geometry import Connector, Label, Line, Outline, Piece, Placed, Size, label_area, meet, tag_area
from .level_grid import Grid
from .series_parallel import (
    ENTRY,
    EXIT,
    Composition,
    Fork,
    Framed,
    Frames,
    Irreducible,
    Lane,
    Part,
    Parts,
    key,
    main_branch,
    numbers,
)

LANE_GAP = 6.0  # between short cuts, and between them and the boxes
_DROP = 9.0  # from where branches part to the boxes below: a corner and an arrow head
_STUB = 5.0
_FRAME = 5.0  # between a frame and what is in it
_TWICE = 7.0  # between two lines from one box to the next
_JUNCTION = 6.0  # room for a short cut that leaves a line
_SPARE = 3.4  # between the ends of lines at one side of a box
_FAR = 1e6  # further than any figure reaches


_Into = Literal["all", "frame", "branch", "head"]
"""What a sequence is: all that is drawn, or what is in a frame, a branch of a fork, or an auxiliary head."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be laid out. `width` and `height` bound it, in points; inf where nothing does.

    `roomy`: no usual name on an axis may be broken. `strict`: an encoder with a decoder is drawn as a U or not at all,
    and nothing is left to Graphviz. `grids` are those of an encoder with a decoder that is no sequence. `whole`: every
    frame that repeats must be there; otherwise one for which there is no place is left out.
    """

    graph: Graph
    composition: Composition | None
    contents: Sequence[Content]
    labels: Mapping[tuple[int, int], str]
    frames: Sequence[Frames]
    theme: Theme
    direction: str
    splines: str
    width: float
    height: float
    most_columns: int
    roomy: bool
    strict: bool = False
    grids: Sequence[Grid] = ()
    whole: bool = True

    @property
    def is_column(self) -> bool:
        return self.direction in ("TB", "BT")


def sizes_of(request: Request, made: Sequence[Card]) -> list[Size]:
    if request.is_column:
        return [Size(card.width, card.height, card.stacked) for card in made]
    return [Size(card.height, card.width, card.stacked) for card in made]


def layer_gap(request: Request, type: Type) -> float:
    """Between boxes that follow one another, with what may be written there."""
    gap = request.theme.layer_gap
    return max(gap, type.edge * 1.25 + 3) if request.labels else gap * 0.7


class Layout:
    """Lays out a composition with boxes of given sizes."""

    def __init__(
        self,
        request: Request,
        type: Type,
        sizes: Sequence[Size],
        composition: Composition,
        extra: Mapping[int, float] | None = None,
        outer: int | None = None,
    ) -> None:
        """`outer` is the side of what is apart: 1 is the right, -1 the left; by default where no short cuts run."""
        self.request, self.type, self.sizes, self.composition = request, type, sizes, composition
        self.graph = graph = request.graph
        self.extra = extra or {}  # further room above a part, by its first box
        self.words = line_words(graph, composition.roles)
        self.labels = request.labels  # by node and output: what is written once where that tensor leaves
        self.layer_gap, self.side_gap = layer_gap(request, type), request.theme.side_gap
        self.label = type.edge * 1.15 if self.labels else 0.0  # the height of what is written on a line
        self.edges: dict[tuple[int, int], list[Edge]] = defaultdict(list)
        self.beside: dict[tuple[int, int], list[Edge]] = defaultdict(list)  # all that is no skip
        self.leaving = [0] * len(graph.nodes)
        for edge in graph.edges:
            self.leaving[edge.source] += edge.role not in ("skip", "aux")
            if edge.role != "skip":
                self.beside[edge.source, edge.target].append(edge)
            if edge.role != "skip" and edge not in composition.apart:
                self.edges[edge.source, edge.target].append(edge)
        self.returned: dict[int, list[Output]] = defaultdict(list)
        for output in graph.outputs:
            self.returned[output.source].append(output)
        self.side = -1 if composition.heads else 1  # short cuts run where the heads are not
        self.outer = -self.side if outer is None else outer

    def column(self) -> Piece:
        """The whole sequence, with its heads."""
        piece = self._sequence(self.composition.parts, 0, outermost=True)
        self._add_apart(piece)
        self._lead_out(piece)
        return piece

    def _lead_out(self, piece: Piece) -> None:
        """Let arrows out of the network end outside of the frames, where nothing is in the way."""
        if not self.request.is_column:
            return
        for number, line in enumerate(piece.lines):
            (before, _), (x, y) = line.points[-2:]
            if before != x or not line.states or not all(isinstance(each, Output) for each in line.states):
                continue
            around = [o.place.bottom for o in piece.outlines if o.place.x < x < o.place.right and o.place.y < y]
            end = max((bottom for bottom in around if y < bottom), default=0.0) + _STUB
            if end <= y or any(box.x - 4 < x < box.right + 4 and y < box.bottom for box in piece.boxes.values()):
                continue
            ends = (point for other in piece.lines if other is not line for point in other.points)
            if not any(abs(px - x) < 4 and y < py < end + 4 for px, py in ends):
                piece.lines[number] = replace(line, points=(*line.points[:-1], (x, end)))
                piece.height = max(piece.height, end)

    # -- sequences --

    def _sequence(
        self,
        parts: Parts,
        level: int,
        outermost: bool = False,
        into: _Into = "all",
    ) -> Piece:
        lanes = self.composition.lanes.get(key(level, parts), ())
        piece, before, end = Piece(), None, 0.0
        entered = any(lane.start == ENTRY for lane in lanes)
        left = any(lane.end == EXIT for lane in lanes)
        y = _JUNCTION if entered else 0.0
        heads: list[tuple[int, Piece, float]] = []
        lowest = 0.0
        extents: list[tuple[float, float]] = []
        spans: list[tuple[float, float]] = []
        for part in parts:
            inner = self._part(part, level, into if before is None else "all")
            top = y + (self._gap(before, inner) if before is not None else 0.0)
            if self.extra:
                top += self.extra.get(next(iter(numbers((part,)))), 0.0) if not level else 0.0
            if before is None and into == "frame" and len(inner.tops) > 1 and inner.fan is None:
                piece.fan = y + _STUB
                top = piece.fan + _DROP
            if outermost:
                for source in (n for n in numbers((part,)) if n in self.composition.heads):
                    head = self._sequence(self.composition.heads[source], 0, into="head")
                    first = head.boxes[head.tops[0][0]]
                    start = inner.boxes[source].middle[1] - first.middle[1]
                    top = max(top, lowest + self.layer_gap - start if heads else 0.0, -start)
                    lowest = top + start + head.height
                    heads.append((source, head, top + start))
            placed = piece.add(inner, 0, top)
            extents.append((inner.left, inner.right))
            spans.append((top, top + inner.height))
            if before is None:
                piece.tops, piece.fan = placed.tops, piece.fan if placed.fan is None else placed.fan
            else:
                self._connect(piece, before.bottoms, placed.tops, (end, top), placed.fan)
            before, y = placed, top + inner.height
            end = y
        if before is not None:
            piece.bottoms = before.bottoms
        piece.height = max(piece.height, y + (_JUNCTION if left else 0.0))
        self._add_lanes(piece, parts, lanes, extents, self.side if outermost else 1)
        self._add_heads(piece, heads, [(*span, right) for span, (_, right) in zip(spans, extents, strict=True)])
        return piece

    def _part(self, part: Part, level: int, into: _Into) -> Piece:
        if isinstance(part, Fork):
            return self._fork(part, level)
        return self._framed(part, level, into) if isinstance(part, Framed) else self._box(part)

    def _box(self, number: int) -> Piece:
        size = self.sizes[number]
        height = size.height + size.beyond
        box = Placed(-size.width / 2, 0.0, size.width, size.height)
        right = max(size.width / 2 + size.beyond, self._label_reach(number))
        piece = Piece(size.width / 2, right, height, {number: box})
        piece.tops, piece.bottoms = [(number, 0.0, 0.0)], [(number, 0.0, height)]
        for rank, output in enumerate(self.returned.get(number, ())):
            self._add_output(piece, number, output, rank)
        return piece

    def _add_output(self, piece: Piece, number: int, output: Output, rank: int) -> None:
        """An arrow out of the network, with its key at the head: on along the axis where nothing else leads on."""
        key, label = key_of(self.graph, output), self.labels.get((number, output.source_port), "")
        box, size = piece.boxes[number], self.sizes[number]
        long, high = self._along_and_across(key)
        others = len(self.returned[number]) - 1
        if self.graph.kind == "Block" and (self.leaving[number] or others or not label):
            return  # in a panel, what goes out of the block is what leaves its last box
        if not self.leaving[number] and not others:
            start = piece.height
            end = start + (max(self.layer_gap, 10.0) if label else _STUB + 3.0)
            piece.lines.append(Line(((0.0, start), (0.0, end)), "trunk", states=(output,)))
            if label:
                self._write(piece, label, 0.0, (start + end) / 2 - 0.5)
            piece.height = end
            if key and self.request.is_column:
                self._write(piece, key, 0.0, (start + end) / 2 + (0.0 if label else 1.0), before=bool(label))
            elif key:
                self._write_key(piece, key, (0.0, end + 1.5 + long / 2))
                piece.height = end + 1.5 + long
            return
        # Out of the side where no short cuts run; there, the shape stands in the box that it is the shape of.
        side = -self.side
        x = box.x if side < 0 else box.right + size.beyond
        y = box.middle[1] + (rank - others / 2) * max(3.5, min(high, box.height / (others + 1)))
        in_rows = bool(others) and not self.request.is_column  # keys above each other, each from its arrow on
        end = x + side * (_STUB + _DROP + (others - rank) * (high + 1.5) * in_rows)
        piece.lines.append(Line(((x, y), (end, y)), "trunk", states=(output,)))
        far = end
        if key:
            middle = y + long / 2 - 2.0 if in_rows else y if self.request.is_column else max(y, long / 2)
            self._write_key(piece, key, (end + side * (1.5 + high / 2), middle))
            piece.height = max(piece.height, middle + long / 2)
            far = end + side * (2.5 + high)
        if side < 0:
            piece.left = max(piece.left, -far)
        else:
            piece.right = max(piece.right, far)

    def _along_and_across(self, text: str) -> tuple[float, float]:
        """How much room a text takes along the axis and across it."""
        wide, high = self.type.width(text, self.type.edge), self.type.edge * 1.15
        return (high, wide) if self.request.is_column else (wide, high)

    def _write_key(self, piece: Piece, key: str, middle: Point) -> None:
        """A text around a place. What is written starts at its left edge, whichever way the axis runs."""
        wide = self.type.width(key, self.type.edge)
        x, y = middle
        at = {"RL": (x, y + wide / 2), "LR": (x, y - wide / 2)}.get(self.request.direction, (x - wide / 2, y))
        piece.labels.append(Label(key, *at, wide))
        across = self._along_and_across(key)[1] / 2
        piece.left, piece.right = max(piece.left, across - x), max(piece.right, across + x)

    def _label_reach(self, number: int) -> float:
        return max((3 + self.type.width(t, self.type.edge) for (n, _), t in self._texts(number)), default=0.0)

    def _texts(self, number: int) -> list[tuple[tuple[int, int], str]]:
        node = self.graph.nodes[number]
        keys = ((number, port) for port in range(max(1, len(node.outputs))))
        return [(k, self.labels[k]) for k in keys if self.labels.get(k)]

    def _framed(self, part: Framed, level: int, into: _Into) -> Piece:
        inner = self._sequence(part.parts, level + 1, into="frame" if into == "all" else into)
        piece, wide, high = Piece(), title_width(part.title, part.repeats, self.type) + 6, self.type.text * 1.2
        if not self.request.is_column:  # the title stands at the left of the sequence, along it
            above, below = _FRAME + 3, _FRAME + 1
            left, right = inner.left + _FRAME + high, inner.right + _FRAME
            # The line to a head runs across, and so between the title and the lower end.
            shift = above + inner.boxes[inner.tops[0][0]].middle[1] if into == "head" else 0.0
            below += max(0.0, shift + wide - above - inner.height - below)
        else:
            above, below = (
                (_FRAME, high + _FRAME + 1) if self.request.direction == "BT" else (high + _FRAME + 1, _FRAME)
            )
            passing = inner.bottoms if self.request.direction == "BT" else inner.tops if into == "branch" else ()
            first = min((x for _, x, _ in passing), default=0.0)  # of the lines that pass beside the title
            left, right = max(inner.left + _FRAME, wide + 3 - min(first, 0.0)), inner.right + _FRAME
            shift = 0.0
        placed = piece.add(inner, 0, above)
        piece.left, piece.right, piece.height = left, right, above + inner.height + below
        piece.tops, piece.bottoms, piece.fan = placed.tops, placed.bottoms, placed.fan
        place = Placed(-left, 0.0, left + right, piece.height)
        piece.outlines.insert(0, Outline(part.title, place, level, part.repeats, part.frame, shift))
        return piece

    def _fork(self, part: Fork, level: int) -> Piece:
        """Branches side by side, ending at one height; a projection stands at the right of what it is short for."""
        pieces = [self._sequence(branch, level + 1, into="branch") for branch in part.branches]
        main = main_branch(part, self.composition.arriving)
        if main is not None:
            order = sorted(range(len(pieces)), key=lambda i: i != main)
            axis = pieces[main].left
        else:
            order, axis = list(range(len(pieces))), None
        at, x = {}, 0.0
        for i in order:
            at[i] = x + pieces[i].left
            x += pieces[i].width + self.side_gap
        if axis is None:
            axis = (at[order[0]] + at[order[-1]]) / 2
            middle = at[order[len(order) // 2]]
            if len(order) % 2 and abs(middle - axis) < 12:
                axis = middle
        piece = Piece()
        tall = max(each.height for each in pieces)
        for i in order:
            placed = piece.add(pieces[i], at[i] - axis, tall - pieces[i].height)
            piece.tops += placed.tops
            piece.bottoms += placed.bottoms
        return piece

    # -- lines --

    def _gap(self, before: Piece, after: Piece) -> float:
        ends = ((s, t) for s, *_ in before.bottoms for t, *_ in after.tops)
        said = [self.words[edge] for pair in ends for edge in self.edges.get(pair, ()) if edge in self.words]
        along = max((self._along_and_across(words)[0] + _DROP + 3 for words in said), default=0.0)
        if len(before.bottoms) == 1 and (len(after.tops) == 1 or after.fan is not None):
            return self.layer_gap if self.request.is_column else max(self.layer_gap, along)
        return max(self.label + 2, along, _STUB) + _DROP

    def _connect(
        self,
        piece: Piece,
        bottoms: list[tuple[int, float, float]],
        tops: list[tuple[int, float, float]],
        gap: tuple[float, float],
        fan: float | None,
    ) -> None:
        """Draw the lines from what stands above to what stands below, each tensor's shape beside where it leaves.

        Args:
            gap: from where to where there is nothing between them.
            fan: where the lines part, if inside what stands below.
        """
        links = [
            (edges, (sx, sy), (tx, ty))
            for s, sx, sy in bottoms
            for t, tx, ty in tops
            for edges in together(self.edges.pop((s, t), ()))
        ]
        straight = len(bottoms) == len(tops) == 1
        bus = gap[1] - _DROP
        if fan is not None:
            bus = fan
        elif len(tops) > 1:
            bus = gap[0] + max(self.label + 2, _STUB)
        written: set[tuple[int, int]] = set()
        parting = self._ports(piece, links) if len(bottoms) == 1 < len(tops) else {}
        ranks: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, (edges, _, _) in enumerate(links):
            ranks[edges[0].source, edges[0].target].append(i)
        # What runs straight comes first, and so has the label.
        for i, (edges, (sx, sy), (tx, ty)) in sorted(enumerate(links), key=lambda link: link[1][1][0] != link[1][2][0]):
            edge = edges[0]
            alike = ranks[edge.source, edge.target]
            aside = (alike.index(i) - (len(alike) - 1) / 2) * _TWICE  # Add()([x, x]) is fed twice
            role = self.composition.roles[edge]
            if role in ("trunk", "branch"):
                role = "trunk" if len(links) == 1 else "branch"
            tensor = (edge.source, edge.source_port)
            text = "" if tensor in written else self.labels.get(tensor, "")
            written.add(tensor)
            if parting and text:  # where it arrives
                self._write(piece, text, tx, ty - _DROP / 2 - 0.5)
            elif text:
                if straight:  # all that passes, once
                    every = dict.fromkeys((es[0].source, es[0].source_port) for es, _, _ in links)
                    text = ", ".join(filter(None, (self.labels.get(each) for each in every)))
                    written |= every.keys()
                down = gap[0] + self.label / 2 + 0.8
                if straight or fan is not None:
                    down = (
                        min(down, (gap[0] + gap[1]) / 2 - 0.6) if gap[1] - gap[0] > 30 else (gap[0] + gap[1]) / 2 - 0.6
                    )
                framed = gap[0] - sy < 4 * _FRAME  # the box above ends in a frame: what is written stands below that
                self._write(piece, text, sx + abs(aside), down if len(bottoms) == 1 or framed else down + sy - gap[0])
            beside = piece.boxes.get(edge.target)
            points: tuple[Point, ...] = ((sx, sy), (sx, bus), (tx + aside, bus), (tx + aside, ty))
            if parting:
                out, level = parting[edge.source_port]
                turn = bus - level * min(3.0, (bus - gap[0] - 1) / len(parting)) if fan is None else bus - level * 1.5
                points = ((sx + out, sy), (sx + out, turn), (tx, turn), (tx, ty))
            elif sx == tx:
                points = ((sx + aside, sy), (tx + aside, ty))
            elif role in ("projection", "padded") and beside and len(tops) == 1 and sx > beside.right + _DROP:
                points = (
                    (sx, sy),
                    (sx, beside.middle[1]),
                    (beside.right, beside.middle[1]),
                )  # into the side of the sum
            piece.lines.append(Line(points, role, states=edges))
            if words := self.words.get(edge):
                beside_head = max(ty - 9.0, (sy + ty) / 2 - 0.6)
                if sy < gap[0] - 0.01 or gap[1] + 0.01 < ty:  # a frame ends or begins between them
                    beside_head = (gap[0] + gap[1]) / 2 - 0.6 if self.request.is_column else min(ty - 9, gap[1] - 2)
                at = (min(x for x, _ in points[-2:]), points[-2][1] - 4.0) if len(points) > 2 else (tx, beside_head)
                self._write(piece, words, (sx if len(points) > 2 else at[0]) + aside, at[1], before=True)

    def _ports(
        self, piece: Piece, links: Sequence[tuple[Sequence[Edge], Point, Point]]
    ) -> dict[int, tuple[float, int]]:
        """For each output of a box of several, how far from its middle its line leaves, and how early it turns."""
        reach: dict[int, float] = {}
        for edges, _, (tx, _) in links:
            reach[edges[0].source_port] = min(tx, reach.get(edges[0].source_port, tx))
        if len(reach) < 2:
            return {}
        number, count = links[0][0][0].source, len(reach)
        pitch = min(_TWICE, 0.7 * piece.boxes[number].width / count) if number in piece.boxes else 2.0
        leaves = {
            port: (rank - (count - 1) / 2) * pitch
            for rank, port in enumerate(sorted(reach, key=lambda port: (reach[port], port)))
        }
        middle = links[0][1][0]
        left = [port for port in leaves if reach[port] < middle + leaves[port]]
        right = [port for port in reversed(leaves) if port not in left]
        # Of those that go the same way the farthest turns first, so that none crosses or covers another.
        level = {port: len(way) - 1 - place for way in (left, right) for place, port in enumerate(way)}
        return {port: (out, level[port]) for port, out in leaves.items()}

    def _write(self, piece: Piece, text: str, x: float, y: float, before: bool = False) -> None:
        """Text beside a line, at its right or (`before`) its left."""
        width = self.type.width(text, self.type.edge)
        if not self.request.is_column:
            piece.labels.append(
                Label(text, x + self.type.edge * 0.8, y - width * (self.request.direction == "LR"), width)
            )
            return
        piece.labels.append(Label(text, x - 3 - width if before else x + 3, y, width))
        piece.left = max(piece.left, width + 3 - x if before else 0.0)
        piece.right = max(piece.right, 0.0 if before else x + 3 + width)

    # -- beside the sequence --

    def _add_lanes(
        self, piece: Piece, parts: Parts, lanes: Sequence[Lane], extents: list[tuple[float, float]], side: int
    ) -> None:
        """Short cuts at one side: the shorter, the nearer."""
        if not lanes:
            return
        place = {number: i for i, part in enumerate(parts) for number in numbers((part,))} | {
            ENTRY: -1,
            EXIT: len(parts),
        }
        # How far out something is, before, at the upper half and at the lower half of each part.
        reach = [0.0] * (2 * len(parts) + 2)
        for i, (left, right) in enumerate(extents):
            out = right if side > 0 else left
            reach[2 * i + 1] = reach[2 * i + 2] = out
        starts: dict[int, list[Lane]] = defaultdict(list)
        ends: dict[int, list[Lane]] = defaultdict(list)
        ordered = []
        for group in together([lane.edge for lane in lanes]):
            ordered += [(lane, group) for lane in lanes if lane.edge == group[0]]
        ordered.sort(key=lambda each: (place[each[0].end] - place[each[0].start], place[each[0].start]))
        for lane, _ in ordered:
            starts[lane.start].append(lane)
            ends[lane.end].append(lane)
        tips = {
            lane: (
                self._end(piece, lane, True, starts[lane.start].index(lane), side, len(starts[lane.start])),
                self._end(piece, lane, False, ends[lane.end].index(lane), side, len(ends[lane.end])),
            )
            for lane, _ in ordered
        }
        laid: list[tuple[int, int, float, float]] = []  # from where to where a lane runs, how far out, with its words
        for lane, edges in ordered:
            first, last = 2 * place[lane.start] + 2, 2 * place[lane.end] + 1
            beside = [each for each in laid if each[0] <= last and first <= each[1]]
            inner = [each[3] for each in beside if first <= each[0] and each[1] <= last]
            out = max([*reach[first : last + 1], *inner]) + LANE_GAP
            while any(near - LANE_GAP + 0.01 < out < far + LANE_GAP - 0.01 for *_, near, far in beside):
                out += 1.0
            x, far = side * out, out
            (sx, sy), (tx, ty) = tips[lane]
            role = self.composition.roles[lane.edge]
            points = ((sx, sy), (x, sy), (x, ty), (tx, ty))
            piece.lines.append(Line(points, role, lane.end != EXIT, states=edges))
            if words := self.words.get(lane.edge):
                long, wide = self._along_and_across(words)
                others = {y for each, _ in ordered if each != lane for _, y in tips[each]}
                spots = [ty - 5 - long / 2 - back for back in range(max(1, int(ty - sy - long - 5)))]
                passed = [sum(abs(spot - y) < long / 2 + 0.6 for y in others) for spot in spots]
                self._write_key(piece, words, (x + side * (3 + wide / 2), spots[passed.index(min(passed))]))
                far += 3 + wide
            laid.append((first, last, out, far))
            if side > 0:
                piece.right = max(piece.right, far + 1)
            else:
                piece.left = max(piece.left, far + 1)

    def _end(self, piece: Piece, lane: Lane, leaving: bool, rank: int, side: int, count: int = 1) -> Point:
        """Where a short cut begins (in the lower half of a box, or on the line in) or ends (in its upper half).

        It is one of `count` there, nearer to each other where there are many.
        """
        number, half = (lane.start, 1) if leaving else (lane.end, -1)
        if number == ENTRY:
            first, across, _ = max(piece.tops, key=lambda top: side * top[1])
            beside = len(together(self.beside.get((lane.edge.source, first), ())))
            out = across + side * max(beside - 1, 0) / 2 * _TWICE
            return out, _JUNCTION / 2 - 1 if piece.fan is None else piece.fan + _JUNCTION / 2
        if number == EXIT:
            return side * max(side * x for _, x, _ in piece.bottoms), piece.height - _JUNCTION / 2 + 1
        box, size = piece.boxes[number], self.sizes[number]
        most, least, pitch = box.height / 2 - 2.5, box.height * 0.18, 3.5
        if least + pitch * (count - 1) > most:
            least = min(least, 1.0)
            pitch = min(pitch, (most - least) / (count - 1))
        down = min(least + pitch * rank, most)
        x = box.right + size.beyond if side > 0 and half > 0 and size.beyond else box.right if side > 0 else box.x
        return x, box.middle[1] + half * down

    def _add_heads(
        self, piece: Piece, heads: Sequence[tuple[int, Piece, float]], reach: Sequence[tuple[float, float, float]]
    ) -> None:
        """Heads in a line beside the sequence; `reach` is how far its parts stand out, from where to where."""
        if not heads:
            return
        out = max(
            right
            for top, bottom, right in reach
            if any(top < y + head.height + 4 and y - 4 < bottom for _, head, y in heads)
        )
        # Their first boxes begin at one place, whatever is written at the left of the arrows below.
        begins = [head.boxes[head.tops[0][0]].x for _, head, _ in heads]
        over = max(head.left + x for (_, head, _), x in zip(heads, begins, strict=True))
        for (source, head, y), begin in zip(heads, begins, strict=True):
            box, size = piece.boxes[source], self.sizes[source]
            piece.add(head, out + self.side_gap + 4 + over - begin, y)
            target = piece.boxes[head.tops[0][0]]
            found = self.edges.pop((source, head.tops[0][0]), ())
            middle = box.middle[1]
            points = ((box.right + size.beyond, middle), (target.x, middle))
            piece.lines.append(Line(points, "aux", states=tuple(found)))

    def _add_apart(self, piece: Piece) -> None:
        """The ends of what is apart, at a letter for each tensor."""
        ends: dict[tuple[int, bool, str, str], list[Edge]] = defaultdict(list)
        for edge, letter in lettered(self.composition.apart).items():
            for number, leaving in ((edge.source, True), (edge.target, False)):
                if number in piece.boxes:
                    ends[number, leaving, self.composition.roles[edge], letter].append(edge)
        for (number, leaving, role, letter), edges in ends.items():
            box = piece.boxes[number]
            level = [other for other in piece.boxes.values() if other.y < box.bottom and box.y < other.bottom]
            side = self.outer
            if any(side * (other.middle[0] - box.middle[0]) > 0 for other in level):
                side = -side
            self.connect_elsewhere(piece, number, leaving, role, letter, edges, side)

    def connect_elsewhere(
        self,
        piece: Piece,
        number: int,
        leaving: bool,
        role: str,
        text: str,
        edges: Sequence[Edge],
        side: int | None = None,
    ) -> None:
        """Where lines from a box go on elsewhere, or those to it come from: at a circle with letters.

        `side` is 1 at the right, -1 at the left; by default where short cuts run.
        """
        wide = max(8.0, self.type.width(text, self.type.edge) + 4)
        high, across = (8.0, wide) if self.request.is_column else (wide, 8.0)
        wanted = self.side if side is None else side
        spots: list[tuple[bool, bool, Point, float]] = []  # each whether in the way, aside, where and how far out
        for toward in (wanted, -wanted):
            for x, y in self._free_ends(piece, Lane(edges[0], number, number), leaving, toward):
                edge = toward * x
                near = edge + 9
                for first, last in sorted(self._in_band(piece, Placed(-_FAR, y - high / 2, 2 * _FAR, high), toward)):
                    if edge < last and first < near + across:
                        near = max(near, last)
                line = Placed(min(x, toward * near), y - 1, near - edge, 2)
                spots.append((self._is_taken(piece, line, number), toward != wanted, (x, y), toward * near))
        *_, (x, y), near = min(spots, key=lambda spot: spot[:2])
        points = ((x, y), (near, y))
        piece.lines.append(Line(points if leaving else points[::-1], role, not leaving, states=tuple(edges)))
        out = 1 if near > x else -1
        piece.connectors.append(Connector(text, (near + out * across / 2, y), wide))
        if out > 0:
            piece.right = max(piece.right, near + across)
        else:
            piece.left = max(piece.left, across - near)

    def _free_ends(self, piece: Piece, lane: Lane, leaving: bool, side: int) -> list[Point]:
        """Where at the side of a box a line can begin or end, apart from the others there if it may."""
        box = piece.boxes[lane.start]
        edge = box.right if side > 0 else box.x
        taken = [
            y
            for line in piece.lines
            for x, y in (line.points[0], line.points[-1])
            if abs(x - edge) < 4 and box.y <= y <= box.bottom
        ]
        found = []
        for half in (leaving, not leaving):
            found += [self._end(piece, lane, half, rank, side) for rank in range(4)]
            x = found[-1][0]
            found += [(x, box.middle[1] + (share if half else -share) * box.height) for share in (0.3, 0.4)]
        free = [spot for spot in found if all(abs(spot[1] - y) >= _SPARE for y in taken)]
        return free or found

    def _is_taken(self, piece: Piece, line: Placed, number: int) -> bool:
        """Whether a box, a text or a tag is in the way of a line out of a box."""
        direction = self.request.direction
        tags = [tag_area(each, direction) for each in piece.connectors]
        texts = [label_area(label, self.type.edge, direction) for label in piece.labels]
        titles = [title_area(outline, self.type, direction) for outline in piece.outlines]
        boxes = [box for other, box in piece.boxes.items() if other != number]
        return any(meet(line, area) for area in (*tags, *texts, *titles, *boxes))

    def _in_band(self, piece: Piece, band: Placed, side: int) -> Iterator[tuple[float, float]]:
        """From where to where outwards there is anything at the height of a band, with what keeps it apart."""

        def reach(first: float, last: float, gap: float) -> tuple[float, float]:
            near, far = sorted((side * first, side * last))
            return near - gap, far + gap

        for line in piece.lines:
            for (ax, ay), (bx, by) in pairwise(line.points):
                if min(ay, by) - 1 < band.bottom and band.y < max(ay, by) + 1:
                    yield reach(ax, bx, 4.0)
        for label in piece.labels:
            if meet(band, area := label_area(label, self.type.edge, self.request.direction)):
                yield reach(area.x, area.right, 2.0)
        for each in piece.connectors:
            area = tag_area(each, self.request.direction)
            if area.y - 1 < band.bottom and band.y < area.bottom + 1:
                yield reach(area.x, area.right, 2.0)
        for outline in piece.outlines:
            place = outline.place
            if place.y - 1 < band.bottom and band.y < place.bottom + 1:
                inside = place.y + 1 < band.y and band.bottom < place.bottom - 1
                sides = ((place.x, place.x), (place.right, place.right)) if inside else ((place.x, place.right),)
                yield from (reach(*each, 2.0) for each in sides)

    def finish(self) -> None:
        """Raise if any line was not drawn."""
        left = [pair for pair, edges in self.edges.items() if edges]
        if left:
            raise Irreducible(f"{len(left)} edges have no place")


def lettered(edges: Sequence[Edge]) -> dict[Edge, str]:
    """A letter for each tensor, by the edges that carry it."""
    letters: dict[tuple[int, int], str] = {}
    return {e: letters.setdefault((e.source, e.source_port), letter_of(len(letters))) for e in edges}


def letter_of(number: int) -> str:
    """`A` to `Z`, then numbers."""
    return ascii_uppercase[number] if number < 26 else str(number - 25)
