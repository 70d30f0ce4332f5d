"""How many pixels of the input one position of a layer's output sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, gcd, lcm

from .graph import Graph, Node, Shape, changed

# A pattern of more positions than this, before it repeats, is not followed any further.
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class _View:
    """Along one axis, the first and the last input pixel that each position of a feature map sees.

    Position `p + len(spans)` sees what `p` sees, `shift` pixels further on.
    """

    spans: tuple[tuple[int, int], ...]
    shift: int

    def at(self, position: int) -> tuple[int, int]:
        turns, place = divmod(position, len(self.spans))
        first, last = self.spans[place]
        return first + turns * self.shift, last + turns * self.shift

    @property
    def size(self) -> int:
        return max(last - first for first, last in self.spans) + 1


Views = tuple[_View, ...]


def with_receptive_fields(graph: Graph) -> Graph:
    """Say of every layer how many pixels of the input one position of its output sees, along each axis.

    Convolutions, poolings, transposed convolutions, paddings, croppings and upsamplings are followed exactly, on a map
    without borders; branches that meet see what any of them sees. What a normalization gathers over the map does not
    count. None is what sees everything (behind a global pooling, a Flatten) or what nobody knows (any other layer).

    >>> import keras
    >>> x = keras.Input((32, 32, 3), name="x")
    >>> y = keras.layers.Conv2D(4, 3, strides=2, name="a")(x)
    >>> y = keras.layers.Conv2D(4, 3, name="b")(y)
    >>> from layerblocks.graphs import read_graph
    >>> [node.receptive_field for node in read_graph(keras.Model(x, y)).nodes]
    [(1, 1), (3, 3), (7, 7)]
    """
    arriving: list[list[tuple[int, int]]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        arriving[edge.target].append((edge.target_port, edge.source))
    views: list[Views | None] = []
    for node in graph.nodes:
        seen = [views[source] for _, source in sorted(arriving[node.id])]
        views.append(_through(node, seen))
    sizes = (None if view is None else tuple(axis.size for axis in view) for view in views)
    return changed(
        graph, nodes=tuple(changed(n, receptive_field=size) for n, size in zip(graph.nodes, sizes, strict=True))
    )


# What one position of an output reads: the first and the last position of the input, and after how many positions the
# same happens again, how many further on.
Reads = tuple[Callable[[int], tuple[int, int]], int, int]


def _through(node: Node, seen: Sequence[Views | None]) -> Views | None:
    """What a layer's output sees, given what its inputs see."""
    shape = node.outputs[0] if node.outputs else ()
    if node.role == "input" and not seen:
        return (_View(((0, 0),), 1),) * (len(shape) - 2) if len(shape) > 2 else None
    views = _union(seen[:1] if node.kind == "MatchSize" else seen)
    if views is None or len(node.outputs) != 1 or len(views) != len(shape) - 2:
        return None
    rule = next((rule for applies, rule in _RULES if applies(node)), None)
    if rule is None or rule is _in_place:
        return views if rule else None
    found = []
    for axis, view in enumerate(views):
        read = rule(node, axis)
        through = None if read is None else _composed(view, read)
        if through is None:
            return None
        found.append(through)
    return tuple(found)


def _composed(view: _View, read: Reads) -> _View | None:
    function, outputs, inputs = read
    turns = len(view.spans) // gcd(len(view.spans), inputs)
    if turns * outputs > _LONGEST:
        return None
    spans = []
    for position in range(turns * outputs):
        first, last = function(position)
        spans.append((view.at(first)[0], view.at(last)[1]))
    return _View(tuple(spans), view.shift * inputs * turns // len(view.spans))


def _union(seen: Sequence[Views | None]) -> Views | None:
    """What all see together, where positions lie equally far apart."""
    if len(seen) == 1:
        return seen[0]
    known = [views for views in seen if views is not None]
    if not known or len(known) < len(seen) or len({len(views) for views in known}) > 1:
        return None
    found = []
    for axes in zip(*known, strict=True):
        length = lcm(*(len(axis.spans) for axis in axes))
        shifts = {axis.shift * length // len(axis.spans) for axis in axes}
        if len(shifts) > 1 or length > _LONGEST:
            return None
        spans = [[axis.at(position) for axis in axes] for position in range(length)]
        found.append(_View(tuple((min(s)[0], max(last for _, last in s)) for s in spans), shifts.pop()))
    return tuple(found)


def _along(node: Node, attribute: str, axis: int, default: int = 1) -> int:
    value = node.get(attribute)
    value = value[axis] if isinstance(value, tuple) and axis < len(value) else value
    return value if isinstance(value, int) else default


def _lengths(node: Node, axis: int) -> tuple[int | None, int | None]:
    """The sizes of the map along one axis, before and behind the layer."""

    def length(shape: Shape) -> int | None:
        return (shape[2:] if node.get("data_format") == "channels_first" else shape[1:-1])[axis]

    before = node.inputs[0] if node.inputs else ()
    return length(before) if len(before) == len(node.outputs[0]) else None, length(node.outputs[0])


def _window(node: Node, axis: int) -> Reads:
    """A convolution or a pooling."""
    kernel = _along(node, "kernel_size" if node.get("kernel_size") is not None else "pool_size", axis)
    step = _along(node, "strides", axis)
    reach = (kernel - 1) * _along(node, "dilation_rate", axis)
    start = 0
    if node.get("padding") == "causal":
        start = -reach
    elif node.get("padding") == "same":
        before, behind = _lengths(node, axis)
        known = before is not None and behind is not None
        missing = (behind - 1) * step + reach + 1 - before if known else reach + 1 - step  # type: ignore[operator]
        start = -(max(missing, 0) // 2)
    return lambda p: (p * step + start, p * step + start + reach), 1, step


def _transposed(node: Node, axis: int) -> Reads:
    step = _along(node, "strides", axis)
    reach = (_along(node, "kernel_size", axis) - 1) * _along(node, "dilation_rate", axis)
    cut = max(reach + 1 - step, 0) // 2 if node.get("padding") == "same" else 0
    return lambda p: (ceil((p + cut - reach) / step), (p + cut) // step), step, 1


def _upsampled(node: Node, axis: int) -> Reads | None:
    size = _along(node, "size", axis)
    if node.get("interpolation", "nearest") == "nearest":
        return lambda p: (p // size, p // size), size, 1
    if node.get("interpolation") == "bilinear":  # between the middles of two pixels
        return lambda p: ((2 * p + 1 - size) // (2 * size), -((size - 1 - 2 * p) // (2 * size))), size, 1
    return None


def _moved(attribute: str, sign: int) -> Callable[[Node, int], Reads | None]:
    """A padding or a cropping, which move the map."""

    def rule(node: Node, axis: int) -> Reads | None:
        value = node.get(attribute)
        sides = value[axis] if isinstance(value, tuple) and value and isinstance(value[0], tuple) else value
        by = sides[0] if isinstance(sides, tuple) else sides
        return (lambda p: (p + sign * by, p + sign * by), 1, 1) if isinstance(by, int) else None

    return rule


def _in_place(node: Node, axis: int) -> Reads:
    return lambda p: (p, p), 1, 1


def _keeps_places(node: Node) -> bool:
    """Whether all tensors that meet are maps of the size that comes out, channels aside."""
    out = node.outputs[0]
    return any(all(shape[axes] == out[axes] for shape in node.inputs) for axes in (slice(1, -1), slice(2, None)))


def _kind(*parts: str) -> Callable[[Node], bool]:
    return lambda node: any(part in node.kind for part in parts)


def _role(*roles: str) -> Callable[[Node], bool]:
    return lambda node: node.role in roles


# The first that applies says how. Any other layer may do anything.
_RULES: Sequence[tuple[Callable[[Node], bool], Callable[[Node, int], Reads | None]]] = (
    (_kind("Global", "Adaptive"), lambda node, axis: None),
    (lambda node: node.role == "conv" and "Transpose" in node.kind, _transposed),
    (_role("conv", "pool"), _window),
    (_kind("PadChannels"), _window),
    (_kind("ZeroPadding"), _moved("padding", -1)),
    (_kind("Cropping"), _moved("cropping", 1)),
    (_kind("UpSampling"), _upsampled),
    (_kind("Rescaling", "LayerScale", "CustomScaleLayer"), _in_place),
    (_role("input", "norm", "activation", "dropout", "dense"), _in_place),
    (lambda node: node.role in ("add", "merge") and _keeps_places(node), _in_place),
)
