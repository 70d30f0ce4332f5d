"""How large a layer is drawn as a volume, and which parts it has: sizes in points out of the shapes of a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod

from ...graphs.graph import Graph, Node, Scale, Shape, predecessors
from ..symbols import symbol_of, symbol_width

DEPTH = 0.3536
"""How far one point of depth goes to the right and up: cabinet projection, half the length at 45 degrees."""

POWER = 0.5
"""Sizes and channels are drawn as this power of themselves."""

_VECTOR_POWER = 0.3
_TALLEST, _THICKEST, _LONGEST = 88.0, 24.0, 56.0  # the largest map, the most channels and units, at scale 1
_LOWEST, _THINNEST = 3.0, 1.6
_SLAB, _ROD, _BALL = 2.6, 3.4, 7.0
_MOST_SLABS = 4
_NOMINAL = 256  # positions along a side of which nothing is known
_BAND = 0.26
# What has weights or joins is as thick as its channels; anything else changes sizes only, and is a thin slab.
_THICK = frozenset({"conv", "merge", "residual", "model", "dense", "attention", "recurrent", "embedding"})
_WEIGHTLESS = frozenset({"shape", "dropout", "activation", "other", "norm"})


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a volume along the flow: a repeated slab, its banded end, the copied half of a concatenation."""

    role: str
    thickness: float


@dataclass(frozen=True, slots=True)
class Solid:
    """One node as a volume: parts from left to right, and the height and depth they share, in points.

    A `ball` joins several tensors, as its `symbol` says: it has no size of its own.
    """

    node: int
    parts: tuple[Part, ...]
    height: float
    depth: float
    ball: bool = False
    symbol: str = ""

    @property
    def thickness(self) -> float:
        return sum(part.thickness for part in self.parts)


@dataclass(frozen=True, slots=True)
class Letters:
    """How large the texts of a figure are, and how wide each is."""

    size: float = 7.0
    width: Callable[[str], float] = lambda text: 4.5 * len(text)


@dataclass(frozen=True, slots=True)
class Measure:
    """The scale of one figure: the largest size, channels and vector of its graph, and a common factor.

    A map of `n` positions along a side is `scale · 88 · √(n / largest)` points high, `c` channels are
    `scale · 24 · √(c / most)` thick, and a vector is a rod `scale · 56 · (c / longest) ** 0.3` long, where the longest
    has 4096 units at least: so 1² stands readable beside 224², a larger map is never drawn smaller, nor more channels
    thinner.

    >>> measure = Measure(side=224, channels=512, vector=4096)
    >>> [round(measure.side_of(n)) for n in (224, 112, 56, 28, 14, 7, 1)]
    [88, 62, 44, 31, 22, 16, 6]
    """

    side: int = 1
    channels: int = 1
    vector: int = 1
    scale: float = 1.0
    letters: Letters = Letters()

    def side_of(self, size: float | None) -> float:
        """How high, or deep, so many positions are drawn; unknown ones as the largest."""
        size = self.side if size is None else size
        return max(_LOWEST, self.scale * _TALLEST * (size / self.side) ** POWER)

    def thickness_of(self, channels: int | None) -> float:
        """How thick so many channels are drawn."""
        channels = self.channels if channels is None else channels
        return max(_THINNEST, self.scale * _THICKEST * (channels / self.channels) ** POWER)

    def length_of(self, units: int | None) -> float:
        """How long the rod of so many units is drawn."""
        units = self.vector if units is None else units
        return max(_LOWEST, self.scale * _LONGEST * (units / max(self.vector, 4096)) ** _VECTOR_POWER)

    @property
    def slab(self) -> float:
        """The thickness of what has no channels of its own."""
        return max(_THINNEST, self.scale * _SLAB)


@dataclass(frozen=True, slots=True)
class Extent:
    """A shape in its parts: `space` are the sizes of its positions, empty for a vector.

    Of unknown ones, `scales` say what they follow, and `nominal` what they are drawn as.
    """

    space: tuple[int | None, ...]
    channels: int | None
    scales: tuple[Scale | None, ...] = ()
    nominal: int = _NOMINAL

    @property
    def sides(self) -> tuple[float | None, float | None]:
        """Height and width; a sequence is a line of positions one wide."""
        scales = self.scales or (None,) * len(self.space)
        sizes = [
            size if size is not None or scale is None else self.nominal * scale.times / scale.over
            for size, scale in zip(self.space, scales, strict=True)
        ]
        return (sizes[-2], sizes[-1]) if len(sizes) > 1 else (sizes[0], 1)

    @property
    def text(self) -> str:
        """`224²`, `28×56`, `H/2×W/2` where the size is unknown, `16×28²` for a volume of video."""
        scales = self.scales or (None,) * len(self.space)
        words = [str(scale or "?") if n is None else str(n) for n, scale in zip(self.space, scales, strict=True)]
        if len(words) > 1 and words[-1] == words[-2] and self.space[-1] is not None:
            words[-2:] = [f"{words[-1]}²"]
        return "×".join(words)


def extent(
    shape: Shape | None, channels_first: bool = False, scales: Sequence[Scale | None] = (), nominal: int = _NOMINAL
) -> Extent:
    """The positions and channels of a shape with its batch.

    >>> extent((None, 28, 28, 256)).text, extent((None, 1000)).space
    ('28²', ())
    """
    sizes = [] if shape is None else [*shape[1:]]
    if not sizes:
        return Extent((), 1)
    known = [*scales[1:]] if len(scales) == len(sizes) + 1 else [None] * len(sizes)
    if channels_first and len(sizes) > 1:
        sizes, known = [*sizes[1:], sizes[0]], [*known[1:], known[0]]
    return Extent(tuple(sizes[:-1]), sizes[-1], tuple(known[:-1]), nominal)


def extents(graph: Graph) -> list[Extent]:
    """What each node returns. Channels come first if a layer of the graph says so."""
    first = any(_layout(node) == "channels_first" for node in graph.nodes)
    shapes = [node.outputs[0] if node.outputs else None for node in graph.nodes]
    positions = (extent(shape, first).space for shape in shapes)
    nominal = max((size for space in positions for size in space if size), default=_NOMINAL)
    scales = [node.scales for node in graph.nodes]
    return [extent(shape, first, each, nominal) for shape, each in zip(shapes, scales, strict=True)]


def _layout(node: Node) -> object:
    inside = node.inner.nodes if node.inner is not None else ()
    return node.get("data_format") or next((found for n in inside if (found := _layout(n))), None)


def measure(graph: Graph, found: Sequence[Extent], scale: float = 1.0, letters: Letters = Letters()) -> Measure:
    """The measure that fits the largest of each kind in a graph."""
    maps = [e for e in found if e.space]
    thick = [e.channels for node, e in zip(graph.nodes, found, strict=True) if e.space and is_thick(node)]
    return Measure(
        side=max((ceil(s) for e in maps for s in e.sides if s), default=1),
        channels=max((c for c in thick if c), default=1),
        vector=max((e.channels for e in found if not e.space and e.channels), default=1),
        scale=scale,
        letters=letters,
    )


def is_thick(node: Node) -> bool:
    """Whether it is drawn as thick as its channels."""
    return node.role in _THICK and not is_flat(node)


def is_flat(node: Node) -> bool:
    """Whether it only changes how a tensor is laid out or cut."""
    return node.role in _WEIGHTLESS


def is_ball(node: Node) -> bool:
    """Whether it joins several tensors of one size into one, drawn as papers do: a ball with its sign."""
    return symbol_of(node) not in ("", "‖")


def own_repeats(graph: Graph, node: Node) -> int:
    """For how many equal neighbours it stands, those of the frames it lies in aside."""
    return max(1, node.repeats // prod(graph.frames[f].repeats for f in node.frames))


def extras(node: Node) -> tuple[str, ...]:
    """What a convolution or dense layer does besides, as words for the legend: `norm`, `ReLU`.

    A block of several convolutions does it in each, which distinguishes nothing.
    """
    inside = node.inner.nodes if node.inner is not None else (node,)
    if node.role not in ("conv", "dense") or sum(n.role in ("conv", "dense") for n in inside) != 1:
        return ()
    found: dict[str, None] = {}
    for layer in inside:
        if layer.role == "norm":
            found["batch norm" if "Batch" in layer.kind else "norm"] = None
        name = layer.get("activation") if layer.role != "norm" else None
        if layer.role == "activation" and not name:
            name = layer.kind.lower()
        if isinstance(name, str) and name != "linear":
            found[{"relu": "ReLU", "relu6": "ReLU6"}.get(name.lower(), name)] = None
    return tuple(found)


def solids(graph: Graph, found: Sequence[Extent], measure: Measure) -> list[Solid]:
    """Every node as a volume."""
    return [_solid(graph, node, found, measure) for node in graph.nodes]


def _solid(graph: Graph, node: Node, found: Sequence[Extent], measure: Measure) -> Solid:
    own = found[node.id]
    symbol = symbol_of(node)
    if is_ball(node):
        high = max(_BALL, measure.letters.size * 1.2) if symbol.isalpha() else _BALL
        across = symbol_width(symbol, high, measure.letters.width)
        return Solid(node.id, (Part("add", across),), high, 0.0, ball=True, symbol=symbol)
    if not own.space:
        rod = max(_THINNEST + 0.8, measure.scale * _ROD)
        parts = _banded(node, _slabs(graph, node, rod))
        return Solid(node.id, parts, measure.length_of(own.channels), rod, symbol=symbol)
    tall, wide = own.sides
    thickness = measure.thickness_of(own.channels) if is_thick(node) else measure.slab
    if node.role == "input":
        thickness = max(measure.slab * 0.75, _THINNEST)
    parts = _banded(node, _slabs(graph, node, thickness))
    copied = [found[n].channels for n in copied_inputs(graph, node)]
    if copied and node.inner is None:
        parts = _joined(node, copied, own.channels, thickness)
    elif copied:
        parts = (*(Part("copy", measure.thickness_of(c)) for c in copied), *parts)
    return Solid(node.id, parts, measure.side_of(tall), measure.side_of(wide), symbol=symbol)


def _slabs(graph: Graph, node: Node, thickness: float) -> tuple[Part, ...]:
    """One slab for each of the equal neighbours that the node stands for, as far as can be seen."""
    role = "aux" if node.head is not None else node.role
    return (Part(role, thickness),) * min(own_repeats(graph, node), _MOST_SLABS)


def _banded(node: Node, slabs: Sequence[Part]) -> tuple[Part, ...]:
    """The end of each slab set apart: darker where a norm or activation follows, in its colour where branches join."""
    if node.inner is not None and node.role in ("merge", "residual"):
        role = f"{node.role}-end"
    elif extras(node):
        role = f"{slabs[0].role}-band"
    else:
        return tuple(slabs)
    parts: list[Part] = []
    for slab in slabs:
        band = max(_BAND * slab.thickness, min(1.0, slab.thickness / 2))
        parts += [Part(slab.role, slab.thickness - band), Part(role, band)]
    return tuple(parts)


def _joined(node: Node, copied: Sequence[int | None], channels: int | None, thickness: float) -> tuple[Part, ...]:
    """A concatenation: what was copied from further back, paler, beside what came the long way."""
    if not channels or None in copied:
        return (Part("copy", thickness / 2), Part(node.role, thickness / 2))
    share = min(sum(c for c in copied if c) / channels, 1.0)
    parts = (Part("copy", thickness * share), Part(node.role, thickness * (1 - share)))
    return tuple(part for part in parts if part.thickness > 0)


def copied_inputs(graph: Graph, node: Node) -> tuple[int, ...]:
    """Of the inputs of a concatenation, the nodes further back that a short cut brings; none if all are equally near.

    Layers that only cut or reshape are looked through: U-Net crops what it copies.
    """
    joins = node.role == "merge" and (node.inner is None or any(n.role == "merge" for n in node.inner.nodes))
    edges = [e for e in graph.edges if e.target == node.id]
    if not joins or len(edges) < 2 or not any(e.role == "skip" for e in graph.edges if _reaches(graph, e.target, node)):
        return ()
    before = predecessors(graph)
    origin = {e.source: _origin(graph, before, e.source) for e in edges}
    return tuple(dict.fromkeys(e.source for e in edges if origin[e.source] < max(origin.values())))


def _reaches(graph: Graph, target: int, node: Node) -> bool:
    """Whether the edge ends at the node, or at a layer right before it that only cuts."""
    return target == node.id or (
        is_flat(graph.nodes[target]) and any(e.source == target and e.target == node.id for e in graph.edges)
    )


def _origin(graph: Graph, before: Sequence[Sequence[int]], number: int) -> int:
    while is_flat(graph.nodes[number]) and before[number]:
        number = min(before[number])
    return number
