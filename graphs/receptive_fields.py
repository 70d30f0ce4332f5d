"""What one pixel of the output sees of the input, and the smallest input that a network accepts, from one walk.

The walk follows every axis of every tensor through the windows of each layer: the rule of one layer is the `window=` of
its entry in `layer_rules`. What nobody knows is said, with the layer's name. A chain of (window, stride, …) is worked
out in plain Python.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm, prod
from typing import Any, NamedTuple

from .. import checks
from .graph import Graph, Node, changed
from .rules import IN_PLACE, Along, PerOutput, Reads, Regrouped, Shape, Unknown, Windows
from .window_arithmetic import least_input, receptive_field_of

# A pattern of more positions than this, before it repeats, is not followed any further.
_LONGEST = 4096
# The longest input for which a layer that nobody knows is asked how large its output is.
_LARGEST = 1 << 12


# -- public -----------------------------------------------------------------------------------------------------------


@checks.public
def min_input_size(model: Any) -> Any:
    """The smallest image from which every output of a network still has a pixel.

    The sizes within a model are not looked at, only its layers, so that what stands here is also the smallest size for
    which it could be built anew; a reshape to fixed sizes accepts those only. Branches that fit together at some sizes
    only are not seen: it is a lower bound there.

    Args:
        model: a functional or built sequential Keras model of images, signals, volumes or sequences; or a chain of
            (window, stride, padding).

    Returns:
        Pixels, (height, width) for a model of images; a dict of these by the name of the input for a model of several
        such inputs; one number for a chain.

    Raises:
        TypeError: it is neither.
        ValueError: no input has positions; or a layer on the way does not say what it needs: the message names it.

    Example:
        >>> min_input_size([(3, 2, "valid"), (2, 2, "valid")])
        5
    """
    if _is_chain(model):
        return least_input(model)
    walk = _walk(model)
    needs = _needs(walk)
    return _answer(walk, lambda number, axis: needs[number][axis])


@checks.public
def receptive_field(model: Any) -> Any:
    """How many pixels of the input lie between the first and the last that one pixel of the output sees, both included.

    Args:
        model: a functional or built sequential Keras model of images, signals, volumes or sequences; or a chain of
            (window, stride).

    Returns:
        Pixels, (height, width) for a model of images, the largest over all paths and outputs, and None on an axis where
        something sees all of the image (a global pooling, a dense layer); a dict of these by the name of the input for
        a model of several such inputs; one number for a chain.

    Raises:
        TypeError: it is neither.
        ValueError: no input has positions; or nobody knows what a layer on the way reads: the message names it.

    Example:
        >>> receptive_field([(7, 2), (3, 2), (3, 1), (3, 1)])
        27
    """
    if _is_chain(model):
        return receptive_field_of(model)
    walk = _walk(model)
    seen = _seen_of(walk)
    ends = [_at(seen, tensor) for tensor in walk.outputs]
    found = {
        (number, axis): [end[number, axis] for end in ends if (number, axis) in end]
        for number, axes in walk.axes.items()
        for axis in axes
    }
    flat = [one for views in found.values() for one in views if isinstance(one, Unknown)]
    if unknown := dict.fromkeys(name for one in flat for name in one.names):
        names = " and ".join(checks.one_line(name) for name in unknown)
        raise checks.complaint(f"nobody knows what layer {names} reads of its input; see layerblocks.graphs.knows")

    return _answer(walk, lambda number, axis: _most(found[number, axis]))


def with_receptive_fields(graph: Graph) -> Graph:
    """Say of every layer how many pixels of the input one position of its output sees, along each axis.

    A tuple with None on an axis of which everything is seen; `Unknown`, with the names of the layers that do not say;
    None for what sees no input with positions. Borders are not looked at.

    >>> import keras
    >>> x = keras.Input((32, 32, 3), name="x")
    >>> y = keras.layers.Conv2D(4, 3, strides=2, name="a")(x)
    >>> y = keras.layers.Conv2D(4, 3, name="b")(y)
    >>> from layerblocks.graphs import read_graph
    >>> [node.receptive_field for node in read_graph(keras.Model(x, y)).nodes]
    [(1, 1), (3, 3), (7, 7)]
    """
    sources = _sources(graph)
    axes = _axes(graph, sources)
    seen = _seen(graph.nodes, sources, axes)
    fields = {id(one): _field(one, axes) for one in {id(one): one for one in seen}.values()}
    nodes = (changed(n, receptive_field=fields[id(one)]) for n, one in zip(graph.nodes, seen, strict=True))
    return changed(graph, nodes=tuple(nodes))


Strides = tuple[Fraction | None, ...]


def strides(model: Any, image: Any = None) -> dict[int, Strides]:
    """For each tensor of a model, how many pixels of an image it moves on by from one position to the next.

    Along each axis of the image; None on one along which it has no positions of the image, or nobody knows which. By
    the tensor's `id`; what does not depend on the image is not there. A layer that nobody knows is asked how long its
    output is.

    Args:
        model: a built Keras model; of a functional or sequential one all tensors have an entry, of others none.
        image: the input tensor that is meant; the first with positions if none is given.

    >>> import keras
    >>> x = keras.Input((32, 32, 3), name="x")
    >>> y = keras.layers.MaxPooling2D()(keras.layers.Conv2D(4, 3, strides=2)(x))
    >>> [int(stride) for stride in strides(keras.Model(x, y))[id(y)]]
    [4, 4]
    """
    walk = _walk(model)
    steps = [_as_it_says(step) for step in walk.steps]
    seen = _seen(steps, [step.sources for step in steps], walk.axes)
    number = next(iter(walk.axes)) if image is None else walk.tensors[id(image)][0]
    found: dict[int, Strides] = {}
    for key, tensor in walk.tensors.items():
        one = _at(seen, tensor)
        if any((number, axis) in one for axis in walk.axes[number]):
            places = [one.get((number, axis)) for axis in walk.axes[number]]
            found[key] = tuple(place.stride if isinstance(place, _Place) else None for place in places)
    return found


def _as_it_says(step: _Step) -> _Step:
    """A layer of which nobody knows what it reads: with the strides by which its output grows with its input."""
    if step.ask is None or not isinstance(step.windows, Unknown):
        return step
    output = step.outputs[0] if step.outputs else ()
    half = _LARGEST // 2
    windows = []
    for number, shape in enumerate(step.inputs):
        if len(shape) != len(output):
            return step
        axes = [Along(0)]
        for axis in range(1, len(shape)):
            whole, part = (step.ask(number, axis, length) or 0 for length in (_LARGEST, half))
            grows = Reads(half, whole - part) if whole > part else None
            axes.append(Along(axis, unknown=True) if grows is None else Along(axis, grows))
        windows.append(tuple(axes))
    return step._replace(windows=tuple(windows))


def _is_chain(model: Any) -> bool:
    return isinstance(model, list | tuple | Iterator)


# -- one walk ---------------------------------------------------------------------------------------------------------


class _Step(NamedTuple):
    """One call: what it reads, from where."""

    name: str
    windows: Windows | Unknown | None
    sources: tuple[tuple[int, int], ...]  # a step and its output
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    ask: Callable[[int, int, int], int | None] | None = None  # input, axis, length -> length of the output's axis


@dataclass(frozen=True, slots=True)
class _Walk:
    steps: list[_Step]
    outputs: list[tuple[int, int]]
    axes: dict[int, tuple[int, ...]]  # for each input with positions, their axes
    tensors: Mapping[int, tuple[int, int]]


def _walk(model: Any) -> _Walk:
    from .reader import Calls, read_calls

    if isinstance(model, Graph):
        read = Calls(model, [None] * len(model.nodes), {})
    else:
        read = read_calls(model, "a built Keras model, a Graph, or a chain")
    graph = read.graph
    sources = _sources(graph)
    steps = [
        _Step(
            node.name,
            node.windows,
            tuple(before),
            node.inputs,
            node.outputs,
            None if call is None or not isinstance(node.windows, Unknown) else _asker(call),
        )
        for node, before, call in zip(graph.nodes, sources, read.calls, strict=True)
    ]
    axes = _axes(graph, sources)
    if not axes:
        if closed := [node for node in graph.nodes if node.closed and not node.inputs]:
            must_be = "one whose call can be followed"
            raise checks.refuse("model", f"{closed[0].name!r} ({closed[0].closed})", must_be, TypeError)
        entries = [node for node, before in zip(graph.nodes, sources, strict=True) if not before]
        names = ", ".join(f"{checks.one_line(n.name)} of {n.outputs[0] if n.outputs else '?'}" for n in entries)
        raise checks.complaint(f"model must have an input of images, signals or sequences, got {names}")
    return _Walk(steps, [(o.source, o.source_port) for o in graph.outputs], axes, read.tensors)


def _sources(graph: Graph) -> list[list[tuple[int, int]]]:
    """Of each node, the tensors that it reads, in the order of its inputs."""
    found: list[list[tuple[int, int, int]]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        found[edge.target].append((edge.target_port, edge.source, edge.source_port))
    return [[(source, port) for _, source, port in sorted(before)] for before in found]


def _axes(graph: Graph, sources: Sequence[Sequence[tuple[int, int]]]) -> dict[int, tuple[int, ...]]:
    """For each input with positions, their axes."""
    found = {}
    for node, before in zip(graph.nodes, sources, strict=True):
        if node.role == "input" and not before and (axes := _positions_of(graph, node)):
            found[node.id] = axes
    return found


def _positions_of(graph: Graph, node: Node) -> tuple[int, ...]:
    orders = (later.get("data_format") for later in graph.nodes[node.id :])
    first = (order == "channels_first" for order in orders if order is not None)
    return _positions(node.outputs[0] if node.outputs else (), bool(node.dtypes) and "int" in node.dtypes[0], first)


def _positions(shape: Shape, tokens: bool, channels_first: Iterator[bool]) -> tuple[int, ...]:
    """The axes of an input that have positions: all but batch and channels; those of a sequence of tokens.

    `channels_first` says of each layer after it that has an order of axes which it is.
    """
    import keras

    if len(shape) == 2 and tokens:
        return (1,)
    if len(shape) < 3:
        return ()
    first = next(channels_first, keras.config.image_data_format() == "channels_first")
    return tuple(range(2, len(shape)) if first else range(1, len(shape) - 1))


def _answer(walk: _Walk, ask: Callable[[int, int], int | None]) -> Any:
    found = {number: tuple(ask(number, axis) for axis in axes) for number, axes in walk.axes.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    return {walk.steps[number].name: sides for number, sides in found.items()}


# -- forwards: what is seen -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _View:
    """Along one axis, the first and the last input pixel that each position of a feature map sees; None of none.

    Position `p + len(spans)` sees what `p` sees, `shift` pixels further on. Without a shift there are no others.
    """

    spans: tuple[tuple[int, int] | None, ...]
    shift: int | None

    def at(self, position: int) -> tuple[int, int] | None:
        if self.shift is None:
            return self.spans[position] if 0 <= position < len(self.spans) else None
        turns, place = divmod(position, len(self.spans))
        span = self.spans[place]
        return None if span is None else (span[0] + turns * self.shift, span[1] + turns * self.shift)

    @property
    def size(self) -> int:
        return max((span[1] - span[0] + 1 for span in self.spans if span is not None), default=0)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a tensor the positions of an axis of the input are.

    Args:
        axis: the axis along which they lie; None where all of the tensor sees the same of the input.
        view: what each of them sees.
        step: how many pixels of the input it is from one to the next; None where they are as many whatever the input.
        side: pixels of the input, if known.
        inner: they lie at `index // inner` along the axis; None if nobody knows how they lie in it.
        length: how many they are, where the axis holds others too.
        whole: whether each sees everything.
    """

    axis: int | None
    view: _View
    step: Fraction | None
    side: int | None
    inner: int | None = 1
    length: int | None = None
    whole: bool = False

    @property
    def plain(self) -> bool:
        return self.inner == 1 and self.length is None

    @property
    def stride(self) -> Fraction | None:
        return self.step if self.plain and self.axis is not None else None


# What a tensor sees of each axis of each input: where its positions lie, None for everything, or whose fault it is that
# nobody knows. What it does not see is not there.
_Seen = Mapping[tuple[int, int], "_Place | Unknown | None"]

_SINGLE = _View(((0, 0),), 1)
_ONE = Fraction(1)


def _seen(
    steps: Sequence[_Step | Node],
    sources: Iterable[Sequence[tuple[int, int]]],
    axes: Mapping[int, tuple[int, ...]],
) -> list[_Seen | tuple[_Seen, ...]]:
    """What the output of each step sees of these axes of the inputs; each of its outputs, where they differ."""
    seen: list[_Seen | tuple[_Seen, ...]] = []
    for number, (step, before) in enumerate(zip(steps, sources, strict=True)):
        if number in axes:
            sides = step.outputs[0]
            seen.append({(number, a): _Place(a, _SINGLE, _ONE, sides[a]) for a in axes[number]})
            continue
        coming = [_at(seen, tensor) for tensor in before]
        if isinstance(step.windows, PerOutput):
            parts = enumerate(step.windows.each)
            seen.append(tuple(_through(step, windows, _shape_of(step, port), coming) for port, windows in parts))
        else:
            seen.append(_through(step, step.windows, _shape_of(step, 0), coming))
    return seen


def _shape_of(step: _Step | Node, port: int) -> Shape:
    return step.outputs[port] if port < len(step.outputs) else ()


def _at(seen: Sequence[_Seen | tuple[_Seen, ...]], tensor: tuple[int, int]) -> _Seen:
    """What a tensor sees: by its step, and which output it is."""
    one = seen[tensor[0]]
    return one[min(tensor[1], len(one) - 1)] if isinstance(one, tuple) else one


def _seen_of(walk: _Walk) -> list[_Seen | tuple[_Seen, ...]]:
    return _seen(walk.steps, [step.sources for step in walk.steps], walk.axes)


_Answer = Unknown | Regrouped | tuple[tuple[Along, ...], ...] | None


def _through(step: _Step | Node, windows: Any, output: Shape, seen: Sequence[_Seen]) -> _Seen:
    found: dict[tuple[int, int], _Place | Unknown | None] = {}
    if len(seen) == 1:  # what leaves all as it is keeps the very same
        same = True
        for key, place in seen[0].items():
            new = _followed(step, windows, output, 0, place) if isinstance(place, _Place) else place
            same = same and new is place
            if new is not _UNREAD:
                found[key] = new
        return seen[0] if same else found
    for number, one in enumerate(seen):
        for key, place in one.items():
            new = _followed(step, windows, output, number, place) if isinstance(place, _Place) else place
            if new is not _UNREAD:
                found[key] = _joined(step, output, found[key], new) if key in found else new
    return found


_UNREAD = _Place(-1, _SINGLE, None, None)


def _followed(
    step: _Step | Node, windows: _Answer, output: Shape, number: int, place: _Place
) -> _Place | Unknown | None:
    """Where the positions lie in an output of a step, of which it is this input."""
    if type(windows) is tuple and number < len(windows) and place.axis is not None:
        axes = windows[number]
        if place.axis < len(axes):
            along = axes[place.axis]
            if along.reads is IN_PLACE and along.places is None and not along.whole and not along.unknown:
                if along.axis == place.axis:
                    return place
                if along.axis is not None:
                    return changed(place, axis=along.axis)
            found = _moved(step, along, output, number, place)
            return None if place.whole and isinstance(found, Unknown) else found
    if isinstance(windows, Regrouped):
        regrouped = place if place.axis is None else _regrouped(step, windows, place)
        return regrouped or (None if place.whole else Unknown((step.name,)))
    if place.whole:
        return None
    if place.axis is None and isinstance(windows, tuple) and number < len(windows):
        return place if any(along.reads is not None for along in windows[number][1:]) else _UNREAD
    return windows if isinstance(windows, Unknown) else Unknown((step.name,))


def _moved(step: _Step | Node, along: Along, output: Shape, number: int, place: _Place) -> _Place | Unknown | None:
    """Where positions lie after what becomes of their axis."""
    assert place.axis is not None
    lost, reads = Unknown((step.name,)), along.reads
    length = step.inputs[number][place.axis] if number < len(step.inputs) else None
    if along.unknown:
        return lost
    if along.whole:
        return _gathered(place, along, length)
    view = _plain_view(place, length)
    if along.places is not None:
        if view is None and not place.whole:
            return lost
        if along.axis is None:
            span = None if view is None else _within(view.at(along.places[0]), place.side)
            return None if place.whole else _Place(None, _View((span,), 0), None, place.side)
        if length is None or len(along.places) > _LONGEST:
            return lost
        follows = reads is not None and reads.follows
        if view is not None:
            spans = (view.at(p) if 0 <= p < length else None for p in along.places)
            view = _told(spans, place.side)
        return _Place(along.axis, view or place.view, place.step if follows else None, place.side, whole=place.whole)
    if reads is None or along.axis is None:
        return _UNREAD
    if reads == IN_PLACE:
        return place if along.axis == place.axis else changed(place, axis=along.axis)
    follows = reads.follows or _follows_another(step, along.axis, number)
    if view is not None:
        length = output[along.axis] if along.axis < len(output) else None
        view = _composed(view, reads, length)
        if view is not None and not follows and length is not None and length <= _LONGEST:
            view = _told(map(view.at, range(length)), place.side)  # what was cut off is not read after it
    if view is None and not place.whole:
        return lost
    moved = place.step * Fraction(abs(reads.step), reads.per) if follows and place.step is not None else None
    return _Place(along.axis, view or place.view, moved, place.side, whole=place.whole)


def _follows_another(step: _Step | Node, axis: int, number: int) -> bool:
    """Whether an axis of the output is as long as one of another input."""
    windows = step.windows if isinstance(step.windows, tuple) else ()
    others = (along for i, axes in enumerate(windows) if i != number for along in axes if along.axis == axis)
    return any(along.reads is None or along.reads.follows for along in others)


def _gathered(place: _Place, along: Along, length: int | None) -> _Place | None:
    """What sees all positions of an axis: everything, unless they are only those of a part of the input."""
    if place.step is None and not place.whole and length is not None and length <= _LONGEST:
        view = _plain_view(place, length)
        span = None if view is None else _within(_union(map(view.at, range(length))), place.side)
        if span is not None and (place.side is None or span != (0, place.side - 1)):
            return _Place(along.axis, _View((span,), 0), None, place.side)
    if along.axis is None:
        return None
    reads = along.reads or IN_PLACE
    step = None if place.step is None or not reads.follows else place.step * Fraction(abs(reads.step), reads.per)
    return changed(place, axis=along.axis, step=step, whole=True)


def _plain_view(place: _Place, length: int | None) -> _View | None:
    """What each index along an axis sees; None if nobody knows."""
    if place.plain or place.inner is None:
        return place.view if place.plain else None
    view, inner = place.view, place.inner
    if place.length is None or length is None:
        return None
    if length == inner * place.length and inner * len(view.spans) <= _LONGEST:
        return _View(tuple(span for span in view.spans for _ in range(inner)), view.shift)
    if length > _LONGEST:
        return None
    return _View(tuple(view.at(index // inner % place.length) for index in range(length)), None)


@functools.lru_cache(maxsize=1024)
def _composed(view: _View, reads: Reads, length: int | None) -> _View | None:
    """What each position of an output sees that reads so."""
    if view.shift is None:
        if length is None or length > _LONGEST:
            return None
        turns, outputs, inputs = 1, length, 0
    else:
        common = gcd(reads.step, reads.per)
        outputs, inputs = reads.per // common, reads.step // common
        turns = len(view.spans) // gcd(len(view.spans), inputs) if inputs else 1
    if turns * outputs > _LONGEST:
        return None
    spans = []
    every = view.shift is None or None in view.spans
    for position in range(turns * outputs):
        first, last = reads.span(position)  # empty between the pixels that a transposed convolution sets apart
        places: Iterable[int] = range(first, last + 1) if first > last or every else (first, last)
        spans.append(_union(view.at(place) for place in places))
    return _View(tuple(spans), None if view.shift is None else view.shift * inputs * turns // len(view.spans))


def _union(spans: Iterable[tuple[int, int] | None]) -> tuple[int, int] | None:
    some = [span for span in spans if span is not None]
    return (min(first for first, _ in some), max(last for _, last in some)) if some else None


def _told(spans: Iterable[tuple[int, int] | None], side: int | None) -> _View:
    """What each position sees, one by one."""
    return _View(tuple(_within(span, side) for span in spans), None)


def _within(span: tuple[int, int] | None, side: int | None) -> tuple[int, int] | None:
    """What of a span lies in the input."""
    if span is None:
        return None
    first, last = max(span[0], 0), span[1] if side is None else min(span[1], side - 1)
    return (first, last) if first <= last else None


def _joined(
    step: _Step | Node, output: Shape, one: _Place | Unknown | None, other: _Place | Unknown | None
) -> _Place | Unknown | None:
    """What two see together."""
    if one is None or other is None or _is_whole(one) or _is_whole(other):
        kept = one if isinstance(one, _Place) and one.axis is not None else other
        if not isinstance(kept, _Place) or kept.axis is None:
            return None
        beside = other if kept is one else one
        if isinstance(beside, _Place) and beside.axis not in (None, kept.axis):
            return None
        return changed(kept, whole=True, step=_step_of(kept, beside))
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        names = (name for some in (one, other) if isinstance(some, Unknown) for name in some.names)
        return Unknown(tuple(dict.fromkeys(names)))
    if one is other or one == other:
        return one
    if one.axis is None:
        one, other = other, one
    if other.axis not in (None, one.axis):  # two positions, each of which may be anywhere
        return None
    lost = Unknown((step.name,))
    if other.axis is not None and ((one.inner, one.length) != (other.inner, other.length) or one.inner is None):
        return lost
    if other.axis is None and not one.plain:
        return lost
    length = output[one.axis] if one.axis is not None and one.axis < len(output) else 1
    view = _together(one.view, other.view, length, one.side)
    if view is None or (view.shift is None and not one.plain):
        return lost
    return changed(one, view=view, step=_step_of(one, other))


def _is_whole(one: _Place | Unknown | None) -> bool:
    return isinstance(one, _Place) and one.whole


def _step_of(one: _Place, other: _Place | Unknown | None) -> Fraction | None:
    """From one position to the next of what two see together, where they agree."""
    steps = {place.step for place in (one, other) if isinstance(place, _Place) and place.step is not None}
    return steps.pop() if len(steps) == 1 else None


def _together(one: _View, other: _View, positions: int | None, side: int | None) -> _View | None:
    """What two views see at each position; None where they move on differently and nobody knows how far."""
    if one.shift is not None and other.shift is not None:
        length = lcm(len(one.spans), len(other.spans))
        shifts = {view.shift * length // len(view.spans) for view in (one, other) if view.shift is not None}
        if len(shifts) == 1 and length <= _LONGEST:
            return _View(tuple(_union((one.at(p), other.at(p))) for p in range(length)), shifts.pop())
    if positions is None or positions > _LONGEST:
        return None
    return _told((_union((one.at(p), other.at(p))) for p in range(positions)), side)


def _regrouped(step: _Step | Node, windows: Regrouped, place: _Place) -> _Place | None:
    """Where the positions of an axis lie after a reshape; None if nobody knows."""
    inputs, outputs = step.inputs[0], step.outputs[0]
    assert place.axis is not None
    group = next((g for g in windows.groups if place.axis in g[0]), None)
    if group is None:
        return None
    before, after, _ = group
    if len(before) == len(after) == 1:
        return changed(place, axis=after[0])
    later = [inputs[axis] for axis in before if axis > place.axis]
    length = place.length if place.length is not None else inputs[place.axis]
    if place.inner is None or None in later or length is None:
        return changed(place, axis=after[0], inner=None, length=None) if len(after) == 1 else None
    inner, later_ones = place.inner * prod(later), 1  # type: ignore[arg-type]
    for axis in reversed(after):
        size = outputs[axis]
        if size is None:
            return None
        if inner < later_ones * size or (length == 1 and inner == later_ones * size):
            fits = inner % later_ones == 0 and (size * later_ones) % (inner * length) == 0
            if not fits:
                return None
            whole = inner == later_ones and length == size
            return changed(
                place, axis=axis, inner=1 if whole else inner // later_ones, length=None if whole else length
            )
        later_ones *= size
    return None


def _field(
    seen: _Seen | tuple[_Seen, ...], axes: Mapping[int, tuple[int, ...]]
) -> tuple[int | None, ...] | Unknown | None:
    """The sizes seen, the largest over inputs of one rank and over outputs."""
    each = seen if isinstance(seen, tuple) else (seen,)
    found: list[list[list[_Place | Unknown | None]]] = []
    for number, positions in axes.items():
        places = [[one[number, axis] for one in each if (number, axis) in one] for axis in positions]
        if any(places):
            found.append([views for views in places if views])
    flat = [place for places in found for views in places for place in views]
    if names := dict.fromkeys(name for place in flat if isinstance(place, Unknown) for name in place.names):
        return Unknown(tuple(names))
    if not found or len({len(places) for places in found}) > 1:
        return None
    return tuple(_most([place for views in same for place in views]) for same in zip(*found, strict=True))


def _most(views: Iterable[_Place | Unknown | None]) -> int | None:
    """The largest size seen; None for everything."""
    sizes = []
    for one in views:
        if one is None or _is_whole(one):
            return None
        if isinstance(one, _Place):
            sizes.append(one.view.size)
    return max(sizes, default=0)


# -- backwards: what is needed ----------------------------------------------------------------------------------------


def _needs(walk: _Walk) -> list[dict[int, int]]:
    """For each step the least length of each axis of its output."""
    needs: list[dict[int, int]] = [{} for _ in walk.steps]
    for number, _ in walk.outputs:
        for axis in range(len(_shape_of(walk.steps[number], 0))):
            needs[number].setdefault(axis, 1)
    relevant = [any(one) if isinstance(one, tuple) else bool(one) for one in _seen_of(walk)]
    for number in reversed(range(len(walk.steps))):
        step = walk.steps[number]
        for place, (source, _) in enumerate(step.sources):
            if not relevant[source]:
                continue
            for axis, least in _before(step, place, needs[number]).items():
                needs[source][axis] = max(needs[source].get(axis, 1), least)
    for number, axes in walk.axes.items():
        for axis in axes:
            needs[number].setdefault(axis, 1)
    return needs


def _before(step: _Step, place: int, wanted: Mapping[int, int]) -> dict[int, int]:
    """What an input of a step needs, by axis."""
    windows = step.windows
    if isinstance(windows, Regrouped):
        return _before_regrouping(step, windows, wanted)
    each = windows.each if isinstance(windows, PerOutput) else (windows,)
    found: dict[int, int] = {}
    for one in each:
        if one is None or isinstance(one, Unknown) or place >= len(one):
            return _asked(step, place, wanted)
        for axis, along in enumerate(one[place]):
            least = 1 if along.axis is None else wanted.get(along.axis, 1)
            needed = along.reads.needs(least) if along.axis is not None and along.reads else least
            found[axis] = max(along.least, needed, found.get(axis, 1))
    return found


def _before_regrouping(step: _Step, windows: Regrouped, wanted: Mapping[int, int]) -> dict[int, int]:
    shape, found = step.inputs[0], {}
    for before, after, fixed in windows.groups:
        if len(before) == len(after) == 1 and not fixed:
            found[before[0]] = wanted.get(after[0], 1)
            continue
        for axis in before:
            size = shape[axis]
            if fixed and size is not None:
                found[axis] = size
            elif fixed or any(wanted.get(out, 1) > 1 for out in after):
                whole = None not in shape[1:] and all(wanted.get(out, 1) in (1, step.outputs[0][out]) for out in after)
                if whole and size is not None:
                    found[axis] = size
                    continue
                raise _not_said(step.name)
            else:
                found[axis] = 1
    return found


def _not_said(name: str) -> Exception:
    return checks.complaint(f"how large an input layer {name!r} needs is not known; see layerblocks.graphs.knows")


def _asked(step: _Step, place: int, wanted: Mapping[int, int]) -> dict[int, int]:
    """The smallest sides at which a layer that nobody knows says itself that it gives those wanted, by halving."""
    if step.ask is None or place >= len(step.inputs):
        raise _not_said(step.name)
    shape, output = step.inputs[place], step.outputs[0]
    if len(shape) != len(output):
        raise _not_said(step.name)
    found = {}
    for axis in range(1, len(shape)):
        least = wanted.get(axis, 1)
        if shape[axis] is not None and shape[axis] == output[axis] and _same(step, place, axis, least):
            found[axis] = least
            continue
        if least == 1 and axis == len(shape) - 1:
            continue  # channels
        low, high = 0, _LARGEST  # given(low) < least <= given(high)
        if (step.ask(place, axis, high) or 0) < least:
            raise _not_said(step.name)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if (step.ask(place, axis, middle) or 0) >= least else (middle, high)
        found[axis] = high
    return found


def _same(step: _Step, place: int, axis: int, length: int) -> bool:
    assert step.ask is not None
    return step.ask(place, axis, length) == length and (length == 1 or step.ask(place, axis, length - 1) == length - 1)


def _asker(call: Any) -> Callable[[int, int, int], int | None]:
    import keras

    from .._keras import infer_again

    def ask(place: int, axis: int, length: int) -> int | None:
        rank = len(call.input_tensors[place].shape)
        specs = {}
        for other in call.input_tensors:
            shape = list(other.shape)
            if len(shape) == rank:
                shape[1:-1] = [_LARGEST] * (rank - 2)
                shape[axis] = length
            specs[id(other)] = keras.KerasTensor(shape, other.dtype)
        try:
            return infer_again(call, specs)[0].shape[axis] or 0
        except Exception:  # a layer of somebody else's
            return 0

    return ask
