"""What one pixel of the output sees of the input, and the smallest input that a network accepts, from one walk.

The walk follows every axis of every tensor through the windows of each layer: the rule of one layer is the `window=` of
its entry in `layer_rules`. What nobody knows is said, with the layer's name. A chain of (window, stride, …) is worked out in plain Python.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd, lcm, prod
from operator import is_
from typing import Any, NamedTuple

from .. import checks
from .graph import Graph, Node, changed
from .rules import IN_PLACE, Call, Reads, Regrouped, Shape, Unknown, Windows, windows_of
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
    ends = [seen[number] for number, _ in walk.outputs]
    found = {
        (number, axis): [end[number, axis] for end in ends if (number, axis) in end]
        for number, axes in walk.axes.items()
        for axis in axes
    }
    flat = [one for views in found.values() for one in views if isinstance(one, Unknown)]
    if unknown := dict.fromkeys(name for one in flat for name in one.names):
        names = " and ".join(checks.one_line(name) for name in unknown)
        raise checks.complaint(f"nobody knows what layer {names} reads of its input; see layerblocks.graphs.knows")

    def size(number: int, axis: int) -> int | None:
        views = found[number, axis]
        return None if None in views else max((one.view.size for one in views if isinstance(one, _Place)), default=0)

    return _answer(walk, size)


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
    sources: list[list[tuple[int, int]]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        sources[edge.target].append((edge.target_port, edge.source))
    axes = {}
    for node, before in zip(graph.nodes, sources, strict=True):
        before.sort()
        if node.role == "input" and not before and (found := _positions_of(graph, node)):
            axes[node.id] = found
    seen = _seen(graph.nodes, [[source for _, source in before] for before in sources], axes)
    fields = {id(one): _field(one, axes) for one in {id(one): one for one in seen}.values()}
    nodes = (changed(n, receptive_field=fields[id(one)]) for n, one in zip(graph.nodes, seen, strict=True))
    return changed(graph, nodes=tuple(nodes))


def strides(model: Any) -> dict[str, tuple[int | None, ...] | Unknown]:
    """For each layer of a model of one image, how many pixels its output moves on by along each axis of the image.

    None on an axis along which the output has no positions, or moves by less than a pixel. By the layer's name.

    >>> import keras
    >>> x = keras.Input((32, 32, 3), name="x")
    >>> y = keras.layers.Conv2D(4, 3, strides=2, name="a")(x)
    >>> strides(keras.Model(x, keras.layers.MaxPooling2D(name="b")(y)))
    {'x': (1, 1), 'a': (2, 2), 'b': (4, 4)}
    """
    walk = _walk(model)
    seen = _seen_of(walk)
    number, axes = next(iter(walk.axes.items()))
    found: dict[str, tuple[int | None, ...] | Unknown] = {}
    for step, one in zip(walk.steps, seen, strict=True):
        places = [one.get((number, axis)) for axis in axes]
        names = dict.fromkeys(name for place in places if isinstance(place, Unknown) for name in place.names)
        steps = tuple(place.stride if isinstance(place, _Place) else None for place in places)
        found[step.name] = Unknown(tuple(names)) if names else steps
    return found


def _is_chain(model: Any) -> bool:
    return isinstance(model, list | tuple | Iterator)


# -- one walk ---------------------------------------------------------------------------------------------------------


class _Step(NamedTuple):
    """One call: what it reads, from where."""

    name: str
    windows: Windows | Unknown
    sources: tuple[tuple[int, int], ...]  # a step and its output
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    enters: bool = False
    channels_first: bool | None = None
    tokens: bool = False
    ask: Callable[[int, int, int], int | None] | None = None  # input, axis, length -> length of the output's axis


@dataclass(frozen=True, slots=True)
class _Walk:
    steps: list[_Step]
    outputs: list[tuple[int, int]]
    axes: dict[int, tuple[int, ...]]  # for each input with positions, their axes


def _walk(model: Any) -> _Walk:
    from .calls import has_graph

    if not has_graph(model):
        raise checks.refuse("model", model, "a functional or built sequential Keras model, or a chain", TypeError)
    steps: list[_Step] = []
    outputs = _add(steps, model, None)
    entries = [number for number, step in enumerate(steps) if step.enters]
    axes = {}
    for number in entries:
        first = (step.channels_first for step in steps[number:] if step.channels_first is not None)
        if found := _positions(steps[number].outputs[0], steps[number].tokens, first):
            axes[number] = found
    if not axes:
        names = ", ".join(f"{steps[number].name!r} of {steps[number].outputs[0]}" for number in entries)
        raise checks.complaint(f"model must have an input of images, signals or sequences, got {names}")
    return _Walk(steps, outputs, axes)


def _add(steps: list[_Step], model: Any, feeds: list[tuple[int, int]] | None) -> list[tuple[int, int]]:
    """Add the calls of a model; `feeds` is what it is called on."""
    from .calls import calls, has_graph

    known: dict[int, tuple[int, int]] = {}
    if feeds is not None:
        known.update(zip(map(id, model.inputs), feeds, strict=True))
    for call in calls((*model.outputs, *model.inputs)):
        if all(id(tensor) in known for tensor in call.outputs):
            continue
        operation = call.operation
        shapes = tuple(tuple(tensor.shape) for tensor in call.outputs)
        if call.is_input:
            tokens = "int" in str(call.outputs[0].dtype)
            steps.append(_Step(operation.name, (), (), (), shapes, True, tokens=tokens))
            known[id(call.outputs[0])] = (len(steps) - 1, 0)
            continue
        sources = [known[id(tensor)] for tensor in call.input_tensors]
        if has_graph(operation) and len(sources) == len(operation.inputs):
            made = _add(steps, operation, sources)
        else:
            steps.append(_step_of(call, sources, shapes))
            made = [(len(steps) - 1, port) for port in range(len(shapes))]
        known.update(zip(map(id, call.outputs), made, strict=True))
    return [known[id(tensor)] for tensor in model.outputs]


def _step_of(call: Any, sources: Sequence[tuple[int, int]], shapes: tuple[Shape, ...]) -> _Step:
    inputs = tuple(tuple(tensor.shape) for tensor in call.input_tensors)
    windows = windows_of(Call(call.operation, inputs, shapes, call.arguments.args, call.arguments.kwargs))
    order = getattr(call.operation, "data_format", None)
    first = None if order is None else order == "channels_first"
    ask = _asker(call) if isinstance(windows, Unknown) else None
    return _Step(call.operation.name, windows, tuple(sources), inputs, shapes, False, first, ask=ask)


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

    Position `p + len(spans)` sees what `p` sees, `shift` pixels further on.
    """

    spans: tuple[tuple[int, int] | None, ...]
    shift: int

    def at(self, position: int) -> tuple[int, int] | None:
        turns, place = divmod(position, len(self.spans))
        span = self.spans[place]
        return None if span is None else (span[0] + turns * self.shift, span[1] + turns * self.shift)

    @property
    def size(self) -> int:
        return max((span[1] - span[0] + 1 for span in self.spans if span is not None), default=0)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a tensor the positions of an axis of the input are: `index // inner` along an axis, or `None` if nobody
    knows how they lie in it; `length` of them where the axis holds others too."""

    axis: int
    view: _View
    inner: int | None = 1
    length: int | None = None

    @property
    def plain(self) -> bool:
        return self.inner == 1 and self.length is None

    @property
    def stride(self) -> int | None:
        steps, rest = divmod(abs(self.view.shift), len(self.view.spans))
        return steps if self.plain and not rest else None


# What a tensor sees of each axis of each input: where its positions lie, None for everything, or whose fault it is that
# nobody knows. What it does not see is not there.
_Seen = Mapping[tuple[int, int], "_Place | Unknown | None"]


def _seen(
    steps: Sequence[_Step | Node], sources: Iterable[Sequence[int]], axes: Mapping[int, tuple[int, ...]]
) -> list[_Seen]:
    """What the output of each step sees of these axes of the inputs; `sources` are the steps that it reads."""
    seen: list[_Seen] = []
    for number, (step, before) in enumerate(zip(steps, sources, strict=True)):
        if number in axes:
            seen.append({(number, axis): _Place(axis, _View(((0, 0),), 1)) for axis in axes[number]})
        else:
            seen.append(_through(step, [seen[source] for source in before]))
    return seen


def _seen_of(walk: _Walk) -> list[_Seen]:
    return _seen(walk.steps, ([source for source, _ in step.sources] for step in walk.steps), walk.axes)


def _through(step: _Step | Node, seen: Sequence[_Seen]) -> _Seen:
    found: dict[tuple[int, int], _Place | Unknown | None] = {}
    if len(seen) == 1:  # what leaves all as it is keeps the very same
        found = {
            key: new
            for key, place in seen[0].items()
            if (new := _followed(step, 0, place) if isinstance(place, _Place) else place) is not _UNREAD
        }
        return seen[0] if len(found) == len(seen[0]) and all(map(is_, found.values(), seen[0].values())) else found
    for number, one in enumerate(seen):
        for key, place in one.items():
            new = _followed(step, number, place) if isinstance(place, _Place) else place
            if new is not _UNREAD:
                found[key] = _joined(step, found[key], new) if key in found else new
    return found


_UNREAD = _Place(-1, _View(((0, 0),), 0))


def _followed(step: _Step | Node, number: int, place: _Place) -> _Place | Unknown | None:
    """Where the positions lie in the output of a step, of which it is this input."""
    windows = step.windows
    if windows is None:
        return Unknown((step.name,))
    if isinstance(windows, Unknown):
        return windows
    if isinstance(windows, Regrouped):
        return _regrouped(step, windows, place) or Unknown((step.name,))
    if number >= len(windows) or place.axis >= len(windows[number]):
        return Unknown((step.name,))
    along = windows[number][place.axis]
    reads = along.reads
    if along.unknown:
        return Unknown((step.name,))
    if along.whole:
        return None
    if reads is None or along.axis is None:
        return _UNREAD
    if reads is IN_PLACE or (reads.step, reads.per, reads.first, reads.last) == (1, 1, 0, 0):
        same = along.axis == place.axis
        return place if same else _Place(along.axis, place.view, place.inner, place.length)
    view = _composed(place.view, reads) if place.plain else None
    return Unknown((step.name,)) if view is None else _Place(along.axis, view)


@functools.lru_cache(maxsize=1024)
def _composed(view: _View, reads: Reads) -> _View | None:
    common = gcd(reads.step, reads.per)
    outputs, inputs = reads.per // common, reads.step // common
    turns = len(view.spans) // gcd(len(view.spans), inputs) if inputs else 1
    if turns * outputs > _LONGEST:
        return None
    spans = []
    for position in range(turns * outputs):
        first, last = reads.span(position)  # empty between the pixels that a transposed convolution sets apart
        places: Iterable[int] = range(first, last + 1) if first > last or None in view.spans else (first, last)
        spans.append(_union(view.at(place) for place in places))
    return _View(tuple(spans), view.shift * inputs * turns // len(view.spans))


def _union(spans: Iterable[tuple[int, int] | None]) -> tuple[int, int] | None:
    some = [span for span in spans if span is not None]
    return (min(first for first, _ in some), max(last for _, last in some)) if some else None


def _joined(
    step: _Step | Node, one: _Place | Unknown | None, other: _Place | Unknown | None
) -> _Place | Unknown | None:
    """What two see together, where their positions lie equally far apart."""
    if one is None or other is None:
        return None
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        names = (name for some in (one, other) if isinstance(some, Unknown) for name in some.names)
        return Unknown(tuple(dict.fromkeys(names)))
    if one is other or one == other:
        return one
    if one.axis != other.axis:  # two positions, each of which may be anywhere
        return None
    lost = Unknown((step.name,))
    if (one.inner, one.length) != (other.inner, other.length) or one.inner is None:
        return lost
    length = lcm(len(one.view.spans), len(other.view.spans))
    shifts = {place.view.shift * length // len(place.view.spans) for place in (one, other)}
    if len(shifts) > 1 or length > _LONGEST:
        return lost
    spans = []
    for position in range(length):
        spans.append(_union(place.view.at(position) for place in (one, other)))
    return _Place(one.axis, _View(tuple(spans), shifts.pop()), one.inner, one.length)


def _regrouped(step: _Step | Node, windows: Regrouped, place: _Place) -> _Place | None:
    """Where the positions of an axis lie after a reshape; None if nobody knows."""
    inputs, outputs = step.inputs[0], step.outputs[0]
    group = next((g for g in windows.groups if place.axis in g[0]), None)
    if group is None:
        return None
    before, after, _ = group
    if len(before) == len(after) == 1:
        return _Place(after[0], place.view, place.inner, place.length)
    later = [inputs[axis] for axis in before if axis > place.axis]
    length = place.length if place.length is not None else inputs[place.axis]
    if place.inner is None or None in later or length is None:
        return _Place(after[0], place.view, None) if len(after) == 1 else None
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
            return _Place(axis, place.view, 1 if whole else inner // later_ones, None if whole else length)
        later_ones *= size
    return None


def _field(seen: _Seen, axes: Mapping[int, tuple[int, ...]]) -> tuple[int | None, ...] | Unknown | None:
    """The sizes seen, the largest over inputs of one rank."""
    found: list[list[_Place | Unknown | None]] = []
    for number, positions in axes.items():
        if places := [seen[number, axis] for axis in positions if (number, axis) in seen]:
            found.append(places)
    flat = [place for places in found for place in places]
    if names := dict.fromkeys(name for place in flat if isinstance(place, Unknown) for name in place.names):
        return Unknown(tuple(names))
    if not found or len({len(places) for places in found}) > 1:
        return None
    return tuple(
        None if None in places else max(place.view.size for place in places if isinstance(place, _Place))
        for places in zip(*found, strict=True)
    )


# -- backwards: what is needed ----------------------------------------------------------------------------------------


def _needs(walk: _Walk) -> list[dict[int, int]]:
    """For each step the least length of each axis of its output."""
    needs: list[dict[int, int]] = [{} for _ in walk.steps]
    for number, _ in walk.outputs:
        for axis in range(len(walk.steps[number].outputs[0])):
            needs[number].setdefault(axis, 1)
    relevant = [bool(one) for one in _seen_of(walk)]
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
    if isinstance(windows, Unknown) or (not isinstance(windows, Regrouped) and place >= len(windows)):
        return _asked(step, place, wanted)
    if isinstance(windows, Regrouped):
        return _before_regrouping(step, windows, wanted)
    found = {}
    for axis, along in enumerate(windows[place]):
        least = 1 if along.axis is None else wanted.get(along.axis, 1)
        found[axis] = max(along.least, along.reads.needs(least) if along.axis is not None and along.reads else least)
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
    shape, output = step.inputs[place], step.outputs[0]
    if step.ask is None or len(shape) != len(output):
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
