"""Where volumes stand: left to right as close as their texts and arrows allow, row by row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

from ...graphs.graph import Graph
from ..rectangles import Rect
from ..scene import Point, Text
from .captions import Caption, Line
from .plan import Plan, Unit, is_flow
from .solids import DEPTH, Solid

if TYPE_CHECKING:
    from .lines import Drawn

LINE = 1.16  # of the text size, from baseline to baseline
_ARROW, _TURN = 12.0, 20.0  # room for an arrow, and for one that changes its lane
_APART, _WORDS = 5.0, 3.0  # between volumes, and between texts
_BELOW = 2.5
_LANES = 7.0
_MOST_SPREAD = 24.0  # more between two volumes, so that a row is as long as the page is wide
_STEPS = 7  # of halving
STUB = 16.0  # of an arrow that goes on in the next row
RISE = 4.0  # from a volume to where its arrow turns up to the next level of a U
FRAME = 4.0  # between what is in a frame and its line
_OUT = 10.0  # of the arrow of an output
_TIPS = 3.0  # between the arrows of outputs side by side
_ARC = 9.0  # above a level of a U, for its short cut
_OVER = 5.5  # where there are several, for each


def around(rects: Iterable[Rect]) -> Rect:
    """The smallest rectangle that holds some."""
    found = list(rects)
    return Rect(
        min(r.left for r in found),
        min(r.top for r in found),
        max(r.right for r in found),
        max(r.bottom for r in found),
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """A volume in its place: `x` is where it begins along the flow, `y` the middle that arrows meet."""

    solid: Solid
    x: float
    y: float

    @property
    def shift(self) -> float:
        """How far its rear stands to the right of its front, and above it."""
        return self.solid.depth * DEPTH

    @property
    def front(self) -> Rect:
        half, back = self.solid.height / 2, self.shift / 2
        left = self.x - back
        return Rect(left, self.y + back - half, left + self.solid.thickness, self.y + back + half)

    @property
    def outline(self) -> Rect:
        front = self.front
        return Rect(front.left, front.top - self.shift, front.right + self.shift, front.bottom)

    @property
    def entry(self) -> Point:
        """Where an arrow along the flow meets it."""
        return (self.front.left + max(0.0, self.front.top - self.y), self.y)

    @property
    def exit(self) -> Point:
        return (self.front.right + min(self.shift, self.front.bottom - self.y), self.y)

    def crown(self, x: float | None = None) -> Point:
        """The middle of its upper face, or of the stretch of it at `x` from where it begins."""
        along = self.solid.thickness / 2 if x is None else x
        return (self.front.left + along + self.shift / 2, self.front.top - self.shift / 2)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A unit by itself, beginning at 0 on the axis."""

    placed: tuple[Placed, ...]
    texts: tuple[Text, ...]
    bodies: tuple[Rect, ...]
    words: tuple[Rect, ...]
    whole: Rect


@dataclass(frozen=True, slots=True)
class Setting:
    """What is to be placed: units, each by itself, the height of each lane, and what feeds a node.

    `forks` are the nodes from which arrows lead to several lanes, `arched` those that short cuts lead to or from above;
    `frames` says from which height to which each frame reaches.
    """

    plan: Plan
    standing: Sequence[_Standing]
    lanes: Mapping[tuple[int, int], float]
    before: Mapping[int, Sequence[int]]
    forks: frozenset[int]
    frames: Mapping[int, tuple[float, float]]
    arched: frozenset[int] = frozenset()


@dataclass(slots=True)
class Row:
    """One row of the figure, its axis at height 0 and its left end at 0; `ways` are its lines, if they are known."""

    first: bool = True
    levelled: bool = False
    placed: dict[int, Placed] = field(default_factory=dict)
    heads: list[tuple[str, _Standing]] = field(default_factory=list)  # that are to stand above it
    runs: list[tuple[int, ...]] = field(default_factory=list)
    wholes: list[Rect] = field(default_factory=list)  # of each run, with its texts
    texts: list[Text] = field(default_factory=list)
    bodies: list[Rect] = field(default_factory=list)
    words: list[Rect] = field(default_factory=list)
    uprights: list[Rect] = field(default_factory=list)  # lines from level to level
    ways: list[Drawn] | None = None
    groups: list[list[int]] = field(default_factory=list)  # its units, from one place where it could end to the next

    def copy(self) -> Row:
        """A row to try more in."""
        lists = ("heads", "runs", "wholes", "texts", "bodies", "words", "uprights", "groups")
        own = {name: list(getattr(self, name)) for name in lists}
        return Row(self.first, self.levelled, dict(self.placed), **own)

    def whole(self, number: int) -> Rect:
        """The volumes that stand together with a node, and their texts."""
        return next(whole for run, whole in zip(self.runs, self.wholes, strict=True) if number in run)

    @property
    def start(self) -> float:
        return 0.0 if self.first else STUB

    @property
    def right(self) -> float:
        return max(r.right for r in (*self.bodies, *self.words))


def setting(graph: Graph, plan: Plan, captions: Sequence[Caption], solids: Sequence[Solid]) -> Setting:
    before: dict[int, list[int]] = {}
    for edge in graph.edges:
        if is_flow(graph, edge) or graph.nodes[edge.target].head is not None:
            before.setdefault(edge.target, []).append(edge.source)
    lane = {n: (unit.region, unit.lane) for unit in plan.units for n in unit.nodes}
    ahead: dict[int, set[tuple[int, int]]] = {}
    for edge in graph.edges:
        if is_flow(graph, edge):
            ahead.setdefault(edge.source, set()).add(lane[edge.target])
    forks = frozenset(source for source, lanes in ahead.items() if len(lanes) > 1)
    last = {node.id for node in graph.nodes} - {edge.source for edge in graph.edges}
    standing = [_standing(unit, caption, solids, last) for unit, caption in zip(plan.units, captions, strict=True)]
    lanes = _lane_heights(plan, standing)
    heights = _frame_heights(plan, standing, lanes)
    return Setting(plan, standing, lanes, before, forks, heights, frozenset(_arched(graph, plan)))


def _arched(graph: Graph, plan: Plan) -> Iterable[int]:
    """The ends of short cuts, and of what leads past others of one unit."""
    home = {number: place for place, unit in enumerate(plan.units) for number in unit.nodes}
    for edge in graph.edges:
        if edge.role == "skip" or (home[edge.source] == home[edge.target] and edge.target > edge.source + 1):
            yield from (edge.source, edge.target)


def _frame_heights(
    plan: Plan, standing: Sequence[_Standing], lanes: Mapping[tuple[int, int], float]
) -> dict[int, tuple[float, float]]:
    found: dict[int, tuple[float, float]] = {}
    for unit, shape in zip(plan.units, standing, strict=True):
        if unit.head is None:
            y = lanes[unit.region, unit.lane]
            for frame in unit.frames:
                top, bottom = found.get(frame, (inf, -inf))
                found[frame] = min(top, shape.whole.top + y), max(bottom, shape.whole.bottom + y)
    return found


def rows(given: Setting, limit: float) -> list[Row] | None:
    """Fill rows no wider than the limit; None if a stretch that cannot be cut is wider."""
    found: list[Row] = []
    base, row = Row(levelled=given.plan.levels > 1), None
    groups = _groups(given.plan)
    for group in groups:
        more = 0.0 if group is groups[-1] else STUB
        for start in (base, Row(first=False)):
            trial = start.copy()
            _extend(trial, group, given)
            whole = trial.copy()
            _add_heads(whole, given)
            if whole.right + more <= limit:
                break
            if row is None or start is not base:
                return None
            found.append(row)
        base, row = trial, whole
    return [*found, row] if row is not None else []


def _groups(plan: Plan) -> list[list[int]]:
    """The units between one cut and the next."""
    groups: list[list[int]] = [[]]
    for number in range(len(plan.units)):
        groups[-1].append(number)
        if number in plan.cuts:
            groups.append([])
    return [group for group in groups if group]


def _lane_heights(plan: Plan, standing: Sequence[_Standing]) -> dict[tuple[int, int], float]:
    """How far below the axis the middle of each lane lies."""
    above: dict[tuple[int, int], float] = {}
    below: dict[tuple[int, int], float] = {}
    for unit, shape in zip(plan.units, standing, strict=True):
        if unit.head is None:
            key = (unit.region, unit.lane)
            above[key] = max(above.get(key, 0.0), -shape.whole.top)
            below[key] = max(below.get(key, 0.0), shape.whole.bottom)
    found = {(-1, 0): 0.0}
    for level in range(1, plan.levels):
        arcs = max(_ARC, _OVER * (plan.arcs[level] + 1)) if plan.arcs else _ARC
        room = arcs + above[-1, level] if (-1, level) in above else 0.0  # nothing where no unit begins
        found[-1, level] = found[-1, level - 1] + below.get((-1, level - 1), 0.0) + room
    for region, (count, axis) in enumerate(plan.axes):
        y, middles = 0.0, []
        for lane in range(count):
            y += above[region, lane]
            middles.append(y)
            y += below[region, lane] + _LANES
        zero = middles[axis] if axis is not None else (middles[0] + middles[-1]) / 2
        found.update(((region, lane), middle - zero) for lane, middle in enumerate(middles))
    return found


# -- one unit ---------------------------------------------------------------------------------------------------------


def _standing(unit: Unit, caption: Caption, solids: Sequence[Solid], last: Collection[int]) -> _Standing:
    """The volumes of a unit beside one another, just as far apart as the lines below them ask for.

    `last` are the nodes from which nothing leads on.
    """
    placed: list[Placed] = []
    ends: dict[int, float] = {}
    due: list[tuple[int, int, Line]] = []  # lines by the last volume that they are below
    x = 0.0
    for place, (number, lines) in enumerate(zip(unit.nodes, caption.under, strict=True)):
        due += [(place + line.span - 1, i, line) for i, line in enumerate(lines)]
        placed.append(Placed(solids[number], x, 0.0))
        for end, i, line in due:
            if end == place:
                over = ends.get(i, -inf) + _WORDS + line.width / 2 - _middle(placed[-line.span :])
                placed[-line.span :] = [replace(p, x=p.x + max(0.0, over)) for p in placed[-line.span :]]
        ends.update((i, _middle(placed[-line.span :]) + line.width / 2) for end, i, line in due if end == place)
        x = placed[-1].x + solids[number].thickness
    leaves = any(
        p.solid.ball and p.solid.node not in last and keys for p, keys in zip(placed, caption.keys, strict=False)
    )
    floor = max(p.front.bottom for p in placed) + _BELOW + _OUT * leaves
    texts: list[Text] = []
    for place, lines in enumerate(caption.under):
        span = lines[0].span if lines else 1
        texts += _stacked(lines, _middle(placed[place : place + span]), floor)
    floor += max((sum(line.size * LINE for line in lines) for lines in caption.under), default=0.0)
    texts += _stacked(caption.below, _middle(placed), floor)
    bodies = [p.outline for p in placed]
    for each, keys in zip(placed, caption.keys, strict=False):
        for rank, key in enumerate(keys):
            start, tip = way_out(each, each.solid.node in last, rank, len(keys))
            bodies.append(around([Rect(*start, *start), Rect(*tip, *tip)]))
            ahead = start[1] == tip[1]
            low = tip[1] + (0.0 if tip[1] > start[1] else 0.76 * key.size)
            at = (tip[0] + 2.0, tip[1] + 0.36 * key.size) if ahead else (tip[0] - 2.0, low)
            if key.text:
                texts.append(Text(*at, key.text, key.size, key.width, "start" if ahead else "end", role=key.role))
    words = [text_rect(t) for t in texts]
    whole = around((*bodies, *words))
    return _Standing(tuple(placed), tuple(texts), tuple(bodies), tuple(words), whole)


def way_out(placed: Placed, last: bool, rank: int, count: int) -> tuple[Point, Point]:
    """From where to where an output leaves a volume: along the flow; where more leads on up, or down from a sign."""
    if not last and placed.solid.ball:  # into whose top lead short cuts
        x = placed.front.left + placed.solid.thickness * (rank + 1) / (count + 1)
        return (x, placed.front.bottom), (x, placed.front.bottom + _OUT)
    if not last:
        deep, aside = (rank + 1) / (count + 1), placed.solid.thickness / 4
        x, y = placed.front.left + aside + deep * placed.shift, placed.front.top - deep * placed.shift
        if placed.shift < _TIPS * (count + 1):  # too small for arrows side by side
            x = placed.crown()[0] + (rank - (count - 1) / 2) * _TIPS
        return (x, y), (x, placed.outline.top - _OUT - (count - 1 - rank) * LINE * 7.0)
    x, y = placed.exit
    y += (rank - (count - 1) / 2) * LINE * 7.0
    return (x, y), (x + _OUT, y)


def _middle(placed: Sequence[Placed]) -> float:
    return (min(p.front.left for p in placed) + max(p.front.right for p in placed)) / 2


def _stacked(lines: Sequence[Line], middle: float, top: float) -> list[Text]:
    found = []
    for line in lines:
        found.append(
            Text(middle, top + 0.8 * line.size, line.text, line.size, line.width, "middle", line.bold, line.role)
        )
        top += line.size * LINE
    return found


def text_rect(text: Text) -> Rect:
    """Where a text stands: from the top of its capitals to the foot of its descenders."""
    left = text.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor] * text.width
    return Rect(left, text.y - 0.76 * text.size, left + text.width, text.y + 0.24 * text.size)


def justified(rows: list[Row], given: Setting, limit: float) -> list[Row]:
    """The same rows as long as the page is wide: what stands together further apart. The last is spread as the others.

    Where that is further than looks good, they are as long as the longest of them then is.
    """

    def spread(row: Row, more: float) -> Row:
        wider = Row(row.first, row.levelled)
        for group in row.groups:
            _extend(wider, group, given, more)
        _add_heads(wider, given)
        return wider

    def fill(row: Row, length: float, most: float) -> tuple[Row, float]:
        low, high, found = 0.0, most, row
        widest = spread(row, most)
        if widest.right <= length:
            return widest, most
        for _ in range(_STEPS):
            middle = (low + high) / 2
            wider = spread(row, middle)
            if wider.right <= length:
                low, found = middle, wider
            else:
                high = middle
        return found, low

    rooms = [0.0 if row is rows[-1] else STUB for row in rows]
    longest = max(fill(row, limit - room, _MOST_SPREAD)[0].right + room for row, room in zip(rows, rooms, strict=True))
    found, most = [], _MOST_SPREAD
    for row, room in zip(rows, rooms, strict=True):
        wider, most = fill(row, longest - room, most if row is rows[-1] else _MOST_SPREAD)
        found.append(wider)
    return found


def _extend(row: Row, group: list[int], given: Setting, spread: float = 0.0) -> None:
    """Add units to the right end of a row, so much further than they need, and take down the auxiliary heads."""
    units = [(given.plan.units[number], given.standing[number]) for number in group]
    row.groups.append(group)
    heights = given.frames
    for unit, shape in units:
        if unit.head is None:
            y = given.lanes[unit.region, unit.lane]
            sides = [
                Rect(shape.whole.left - FRAME * depth, top - FRAME - y, shape.whole.left, bottom + FRAME - y)
                for depth, frame in enumerate(reversed(unit.opens), 1)
                for top, bottom in [heights[frame]]
            ]
            x = _leftmost(row, shape, y, given, sides, FRAME * unit.enters)
            put(row, shape, x + (0.0 if shape.placed[0].solid.ball or not row.runs else spread), y)
            if given.plan.arcs:
                row.uprights += _uprights(row, shape, given)
            for frame in reversed(unit.closes):
                held = [other for other in given.plan.units if frame in other.frames]
                depth = max(len(other.frames) - other.frames.index(frame) for other in held)
                framed = {n for other in held for n in other.nodes}
                right = max(w.right for run, w in zip(row.runs, row.wholes, strict=True) if framed & set(run))
                top, bottom = heights[frame]
                row.bodies.append(Rect(right, top - FRAME, right + FRAME * depth, bottom + FRAME))
    row.heads += [(unit.head, shape) for unit, shape in units if unit.head is not None]


def _uprights(row: Row, shape: _Standing, given: Setting) -> list[Rect]:
    """Where the lines to a unit from other levels of a U run up or down."""
    found = []
    for number in (placed.solid.node for placed in shape.placed):
        here = row.placed[number]
        for there in (row.placed[source] for source in given.before.get(number, ()) if source in row.placed):
            if drops(row, there, here.y):
                x = here.crown()[0]
                found.append(Rect(x - 3.0, there.y, x, here.outline.top))
            elif rises(row, there, here.y):
                x = there.exit[0] + RISE
                found.append(Rect(x, here.y, x, there.y))
    return found


def _add_heads(row: Row, given: Setting) -> None:
    """Add auxiliary heads above a row: the last first, so that no line up to one meets another."""
    lines: list[Rect] = []
    above: list[Rect] = []
    bodies, words = len(row.bodies), len(row.words)
    for head in reversed(dict.fromkeys(head for head, _ in row.heads)):
        shapes = [shape for other, shape in row.heads if other == head]
        first = shapes[0].placed[0]
        sources = [row.placed[s] for s in given.before.get(first.solid.node, ()) if s in row.placed]
        left = max((p.crown()[0] for p in sources), default=row.start)
        beside = min((r.left for r in shapes[0].words), default=inf) - _WORDS
        places = [left - min(first.entry[0] - _ARROW, beside)]
        for before, after in pairwise(shapes):
            arrow = before.placed[-1].exit[0] + _ARROW - after.placed[0].entry[0]
            places.append(places[-1] + max(arrow, before.whole.right + _WORDS - after.whole.left))
        right = max(shape.whole.right + x for shape, x in zip(shapes, places, strict=True))
        near, far = [*lines, *above], [*row.bodies[:bodies], *row.words[:words]]  # heads; what arrows lead to
        under = [b.top for b in near if b.left < right + _WORDS and left < b.right]
        under += [b.top for b in far if b.left < right + _TURN and left < b.right]
        arches = [row.placed[n].outline for n in given.arched if n in row.placed]
        under += [b.top - _ARC for b in arches if b.left < right + _TURN and left < b.right]
        y = min(under, default=0.0) - _LANES - max(shape.whole.bottom for shape in shapes)
        for shape, x in zip(shapes, places, strict=True):
            put(row, shape, x, y)
            above.append(shape.whole.moved(x, y))
        lines += [Rect(p.crown()[0], y, p.crown()[0], p.crown()[1]) for p in sources]


def put(row: Row, shape: _Standing, x: float, y: float) -> None:
    """Add a unit to a row, so far from its left end and below its axis."""
    row.runs.append(tuple(p.solid.node for p in shape.placed))
    row.wholes.append(shape.whole.moved(x, y))
    row.placed.update((p.solid.node, replace(p, x=p.x + x, y=y)) for p in shape.placed)
    row.texts += [replace(t, x=t.x + x, y=t.y + y) for t in shape.texts]
    row.bodies += [r.moved(x, y) for r in shape.bodies]
    row.words += [r.moved(x, y) for r in shape.words]


def _leftmost(
    row: Row,
    shape: _Standing,
    y: float,
    given: Setting,
    sides: Sequence[Rect] = (),
    inside: float = 0.0,
) -> float:
    """How far left a unit can stand: after what feeds it, and clear of what stands there.

    `sides` are those of frames that begin with it, `inside`
    how far it is inside of those it is entered through.
    """
    x = row.start - min(r.left for r in (*shape.bodies, *shape.words, *sides))
    for here in shape.placed:
        sources = given.before.get(here.solid.node, ())
        joined = any(s in row.placed and row.placed[s].y != y for s in sources)
        for source in sources:
            there = row.placed.get(source)
            if there is None:
                x = max(x, row.start + _TURN - _ARROW - min(here.entry[0], shape.whole.left) if y else x)
            elif drops(row, there, y):
                passed = [r.right for r in row.words if there.y < r.top < y]
                x = max(x, max((there.exit[0] + _WORDS, *passed)) + _WORDS - here.crown()[0])
            elif rises(row, there, y):
                turn = there.exit[0] + RISE
                x = max(x, turn + 2.0 - min(r.left for r in (*shape.words, shape.whole)), turn + _ARROW - here.entry[0])
            elif y == there.y and not joined and source not in given.forks:
                x = max(x, there.exit[0] + _ARROW - here.entry[0])
            else:  # across at a place where neither has texts
                clear = max(there.exit[0] + _TURN / 2, row.whole(source).right + _WORDS)
                x = max(x, there.exit[0] + _TURN - here.entry[0], clear + _WORDS + inside - shape.whole.left)
    for mine, theirs, gap in (
        ((*shape.bodies, *sides), row.bodies, _APART),
        ((*shape.bodies, *sides), row.words, _WORDS),
        ((*shape.bodies, *shape.words), row.uprights, _WORDS),
        (shape.words, row.bodies, _WORDS),
        (shape.words, row.words, _WORDS + 1.0),
    ):
        for a in mine:
            for b in reversed(theirs[-60:]):
                if a.top + y < b.bottom + 1.0 and b.top - 1.0 < a.bottom + y:
                    x = max(x, b.right + gap - a.left)
    return x


def rises(row: Row, source: Placed, y: float) -> bool:
    """Whether a volume at that height is fed from below, one level of a U further down."""
    return row.levelled and y < source.y


def drops(row: Row, source: Placed, y: float) -> bool:
    """Whether a volume at that height is fed from above, one level of a U further up."""
    return row.levelled and y > source.y
