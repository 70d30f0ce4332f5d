"""Patterns of layers that papers have names for, recognised by structure.

A block is reduced along its series-parallel decomposition: what only rescales or reorders (norms, activations, dropout)
is left out, and wherever ways from one tensor meet again, they become one step of its kind. What is left must be a
single chain that matches a pattern exactly; otherwise it has no name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .. import checks
from .graph import Graph, Node, activation_of


@dataclass(frozen=True, slots=True)
class Pattern:
    """What papers call some layers, and how it is said with what tells it from others of its name."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class _Step:
    """A layer, or several that are one: its letter, its width, and the ways that met in it."""

    letter: str
    width: int | None = None
    ways: tuple[tuple[_Step, ...], ...] = ()


Way = tuple[_Step, ...]


@dataclass(slots=True)
class _Reduction:
    """Of each layer that counts, its steps and where they come from; -1, -2, … is what comes in from outside."""

    steps: dict[int, tuple[Way, int]] = field(default_factory=dict)
    joins: dict[int, tuple[str, list[tuple[Way, int]]]] = field(default_factory=dict)
    readers: dict[int, set[int]] = field(default_factory=dict)
    residual: bool = False
    pre_norm: bool = False
    post_norm: bool = False


def pattern_of(thing: Node | Graph) -> Pattern | None:
    """Name the pattern that a block or a graph is.

    Residual, bottleneck residual, inverted residual, MBConv, fused MBConv, ConvNeXt block, squeeze-and-excitation,
    efficient channel attention, attention gate, inception block, ASPP, pyramid pooling, feature pyramid level,
    dense block, attention, transformer block, transformer decoder block, Mixer block, sinusoidal embedding,
    decoder level, RNN stack, MLP, conv block, gated residual (with a skip output or none), RepVGG block, RepVGG stage,
    ghost module, ghost bottleneck, ghost stage.

    Returns:
        None for a layer, and for what matches none of them exactly.

    Raises:
        TypeError: `thing` is neither a node nor a graph.

    >>> import keras
    >>> x = keras.Input((8, 8, 16))
    >>> y = keras.layers.Conv2D(16, 3, padding="same")(keras.layers.Conv2D(16, 3, padding="same")(x))
    >>> from layerblocks.graphs import read_graph
    >>> pattern_of(read_graph(keras.Model(x, keras.layers.Add()([x, y])))).name
    'residual'
    """
    if not isinstance(thing, Node | Graph):
        raise checks.refuse("thing", thing, "a Node or a Graph", TypeError)
    graph = thing.inner if isinstance(thing, Node) else thing
    if graph is None:
        return None
    sources = sources_of(graph)
    if isinstance(thing, Node):
        sources = _same_tensors(sources, len(thing.inputs))
    return recognised(graph.nodes, sources, {o.source for o in graph.outputs})


def _same_tensors(sources: Sequence[Sequence[int]], distinct: int) -> list[list[int]]:
    """One number for each tensor that comes in: one that a layer takes twice has two in the inside of a block."""
    used = Counter(source for own in sources for source in set(own) if source < 0)
    surplus = len(used) - distinct
    same: dict[int, int] = {}
    for own in sources:
        outside = sorted({source for source in own if source < 0}, reverse=True)
        for again in outside[1:]:
            if surplus > 0 and used[again] == 1:
                same[again] = same.get(outside[0], outside[0])
                surplus -= 1
    return [[same.get(source, source) for source in own] for own in sources]


def sources_of(graph: Graph) -> list[list[int]]:
    """Where the data of each node comes from, in the order of its inputs; -1, -2, … from outside."""
    found: list[list[tuple[int, int]]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        if edge.carries != "mask":
            found[edge.target].append((edge.target_port, edge.source))
    for edge in graph.entries:
        if edge.carries != "mask":
            found[edge.target].append((edge.target_port, -1 - edge.source))
    return [[source for _, source in sorted(each, key=lambda pair: pair[0])] for each in found]


def recognised(nodes: Sequence[Node], sources: Sequence[Sequence[int]], exits: Iterable[int]) -> Pattern | None:
    """The pattern of layers in an order of computation, `sources` as `sources_of` gives them."""
    leaving = set(exits)
    if len(leaving) == 2:
        return _with_skip_output(nodes, sources, leaving)
    if len(leaving) != 1:
        return None
    reduction, origin = _reduced(nodes, sources, leaving)
    chain, end = _back(reduction, origin[leaving.pop()], whole=True)
    used = {source for each in sources for source in each if source < 0}
    if end >= 0 or not chain or (len(used) > 1 and not any(s.letter in _WITH_SIDES for s in _all(chain))):
        return None
    return _named(chain, reduction)


def _with_skip_output(nodes: Sequence[Node], sources: Sequence[Sequence[int]], leaving: set[int]) -> Pattern | None:
    """The pattern of a residual that gives, besides its sum, what is computed on the way to it, as in WaveNet."""
    for number in sorted(leaving):
        needed = {number}
        for before in range(number, -1, -1):
            needed |= {s for s in sources[before] if s >= 0} if before in needed else set()
        (other,) = leaving - {number}
        way, at = set[int](), other
        while at >= 0 and at not in needed and len(set(sources[at])) == 1:
            way.add(at)
            (at,) = set(sources[at])
        if nodes[number].kind != "Add" or at < 0 or at == number or {*needed, *way} != {*range(len(nodes))}:
            continue
        new = {old: i for i, old in enumerate(sorted(needed))}
        found = recognised(
            [nodes[old] for old in new], [[new.get(s, s) for s in sources[old]] for old in new], [new[number]]
        )
        if found is not None and found.name.endswith("residual"):
            return Pattern(found.name, f"{found.words}, skip output")
    return None


def sums_a_residual(graph: Graph) -> bool:
    """Whether somewhere a tensor is added to what is computed from it."""
    sums = {node.id for node in graph.nodes if node.kind == "Add"}
    if not sums or len(graph.nodes) == 1:
        return False
    if not any(node.kind.startswith("UpSampling") or "Transpose" in node.kind for node in graph.nodes):
        inside = any(edge.role == "skip" and edge.target in sums for edge in graph.edges)
        skips = {edge.source for edge in graph.entries if edge.role == "skip" and edge.target in sums}
        if inside or any(edge.source in skips and edge.target not in sums for edge in graph.entries):
            return True
    return _reduced(graph.nodes, sources_of(graph), {o.source for o in graph.outputs})[0].residual


# -- letters ----------------------------------------------------------------------------------------------------------

_SILENT = frozenset({"activation", "norm", "dropout"})
_SIZED_BY = frozenset({"Resize", "MatchSize"})  # another tensor, of which nothing else is taken
_RESHAPING = frozenset(
    {"Reshape", "Flatten", "Roll", "Identity", "ExpandDims", "Squeeze", "InputLayer", "Cast", "LayerScale"}
)
_ATTENTION = frozenset({"MultiHeadAttention", "GroupedQueryAttention", "GroupQueryAttention", "WindowAttention"})
_PRODUCTS = frozenset({"Matmul", "Einsum", "Dot"})
_GATES = {"sigmoid": "σ", "hard_sigmoid": "σ", "softmax": "s", "tanh": "t"}
_WITH_SIDES = frozenset({"xatt", "rnn", "gate", "skip", "top-down", "condition"})


def _letters(node: Node) -> tuple[_Step, ...]:
    """What a layer is in a chain; nothing for one that only rescales or reorders."""
    given = str(activation_of(node) or "").lower()
    last = (_Step(_GATES[given]),) if given in _GATES else ()
    kind = node.kind
    if kind in _RECURRENT or node.role == "recurrent":
        return (_Step("rnn"),)
    if node.inner is not None and kind != "Unit":
        return (_Step("?"),)
    if kind in _ATTENTION:
        return (_Step("att"),)
    if node.role == "conv":
        return (_Step(_conv(node), _filters(node)), *last)
    if node.role == "dense":
        return (_Step("d", _whole(node.get("units"))), *last)
    if node.role == "pool":
        return (_Step("gp" if kind.startswith("Global") else "p"),)
    if kind in ("Mean", "Max") and node.inputs and node.outputs and len(node.inputs[0]) > 2:
        return (_Step("gp"),)
    if kind.startswith(("UpSampling", "Resizing", "Resize")):
        return (_Step("up"),)
    if kind in ("Permute", "Transpose"):
        return (_Step("T"),)
    if kind in ("Sin", "Cos"):
        return (_Step("wave"),)
    if pads_channels(node):
        return (_Step("pad"),)
    if subsamples(node):
        return (_Step("p"),)
    if node.role in _SILENT or kind in _RESHAPING or kind.startswith("ZeroPadding"):
        return last
    return (_Step("?"),)


_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _filters(node: Node) -> int | None:
    """Channels of what a convolution gives; a depthwise one does not say them."""
    shape = node.outputs[0] if node.outputs else None
    if not is_depthwise(node) or shape is None:
        return _whole(node.get("filters"))
    return shape[1] if node.get("data_format") == "channels_first" else shape[-1]


def _conv(node: Node) -> str:
    size, rate = _largest(node.get("kernel_size", 1)), _largest(node.get("dilation_rate", 1))
    kind = next((short for word, short in _CONVS if word in node.kind), "dw" if is_depthwise(node) else "c")
    return kind + str(size) + (f"@{rate}" if rate > 1 else "")


def pads_channels(node: Node) -> bool:
    """Whether a layer adds channels of zeros and no other place: a skip without weights, option A of ResNets."""
    if node.kind == "PadChannels":
        return True
    given = dict(node.configuration)
    zeros = given.get("mode") == "constant" and given.get("constant_values", 0) in (None, 0)
    widths = given.get("pad_width")
    if node.kind != "Pad" or not zeros or not isinstance(widths, tuple) or len(widths) < 3:
        return False
    *others, channels = widths
    return set(others) == {(0, 0)} != {channels}


def subsamples(node: Node) -> bool:
    """Whether a slice has every second or n-th place of some sides of a map, and all examples and channels."""
    index = dict(node.configuration).get("argument 1")
    if node.kind != "GetItem" or not isinstance(index, tuple) or not node.inputs:
        return False
    whole = all(
        isinstance(one, tuple) and one[:1] == ("slice",) and one[1] in (None, 0) and not one[2] for one in index
    )
    steps = [one[3] for one in index] if whole else []
    of_sides = steps[1 : len(node.inputs[0]) - 1]
    stepped = [step for step in steps if step not in (None, 1)]
    return bool(stepped) and stepped == [step for step in of_sides if step not in (None, 1)] and min(stepped) > 0


def is_depthwise(node: Node) -> bool:
    """Whether a convolution sees each channel by itself, as one of volumes does that has as many groups as channels."""
    groups = _whole(node.get("groups")) or 1
    one_each = groups > 1 and any(shape is not None and groups in (shape[1], shape[-1]) for shape in node.inputs)
    return "Depthwise" in node.kind or one_each


_CONVS = (("Transpose", "up"), ("Depthwise", "dw"), ("Separable", "sep"))


def _largest(value: object) -> int:
    return max(value) if isinstance(value, tuple) and value else value if isinstance(value, int) else 1


def _is_conv(step: _Step) -> bool:
    return step.letter.startswith(("c", "dw", "sep")) and step.letter[-1].isdigit()


# -- reduction --------------------------------------------------------------------------------------------------------


def _reduced(
    nodes: Sequence[Node], sources: Sequence[Sequence[int]], leaving: Iterable[int]
) -> tuple[_Reduction, list[int]]:
    """Steps and joins of what counts; and for each layer the last one that counts up to it."""
    reduction = _Reduction()
    origin: list[int] = []
    read = Counter(source for own in sources for source in set(own))
    letters = [
        _letters(node) if len(set(own)) < 2 or _has_a_query(node) else ()
        for node, own in zip(nodes, sources, strict=True)
    ]
    for number, node in enumerate(nodes):
        own = [origin[s] if s >= 0 else s for s in sources[number]]
        silent = len(set(sources[number])) < 2 and not letters[number] and node.kind not in _JOINS
        if node.role == "input" and not own:
            silent, own = True, [-1 - number - len(nodes)]
        origin.append(own[0] if silent and own else number)
        if node.role == "norm" and len(sources[number]) == 1:
            (source,) = sources[number]
            reduction.pre_norm |= read[source] > 1
            reduction.post_norm |= read[source] == 1 and source >= 0 and nodes[source].kind == "Add"
        if silent and own:
            continue
        for source in dict.fromkeys(own):
            reduction.readers.setdefault(source, set()).add(number)
    for number in leaving:
        reduction.readers.setdefault(origin[number], set()).add(len(nodes))
    for number, node in enumerate(nodes):
        if origin[number] != number:
            continue
        own = [origin[s] if s >= 0 else s for s in sources[number]]
        if node.role == "input" and not sources[number]:
            continue
        if node.kind in _JOINS and len(own) > 1:
            sign = "RepVGG" if is_sum_of_convolutions(nodes, sources, number) else _JOINS[node.kind]
            _join(reduction, number, sign, own)
        elif letters[number] and own:
            _one(reduction, number, letters[number], own)
        elif own:
            reduction.joins[number] = ("?", [((), s) for s in own])
    return reduction, origin


_JOINS = {"Add": "+", "Multiply": "×", "Concatenate": "‖", "Stack": "‖", "Subtract": "-"} | dict.fromkeys(
    _PRODUCTS | {"Attention", "AdditiveAttention"}, "@"
)


def _has_a_query(node: Node) -> bool:
    return node.kind in _ATTENTION | _RECURRENT | _SIZED_BY or node.role == "recurrent"


def _one(reduction: _Reduction, number: int, letters: Way, own: Sequence[int]) -> None:
    """A layer that goes on from its first input; others look on from the side."""
    first, others = own[0], {s for s in own[1:] if s != own[0]}
    if others and letters[0].letter == "att":
        letters = (_Step("xatt"), *letters[1:])
    for side in others:
        reduction.readers[side].discard(number)
    reduction.steps[number] = (letters, first)


def _back(reduction: _Reduction, number: int, whole: bool = False) -> tuple[Way, int]:
    """The steps of the only way that leads to a layer, and where it begins."""
    way: Way = ()
    while number >= 0 and number in reduction.steps and len(reduction.readers.get(number, ())) <= 1:
        letters, source = reduction.steps[number]
        way, number = (*letters, *way), source
    return way, number


def is_sum_of_convolutions(nodes: Sequence[Node], sources: Sequence[Sequence[int]], number: int) -> bool:
    """Whether a layer adds a 1×1 and a larger convolution of one tensor, perhaps that itself too, each with a norm and
    without an activation, as a RepVGG block does: so that all could be one convolution.
    """
    if nodes[number].kind != "Add" or len(sources[number]) not in (2, 3):
        return False
    kernels, starts = [], set()
    for source in sources[number]:
        if source < 0 or nodes[source].role != "norm" or len(sources[source]) != 1:
            return False
        (at,) = sources[source]
        node = nodes[at] if at >= 0 else None
        linear = node is not None and str(activation_of(node) or "linear") == "linear"
        if node is not None and node.role == "conv" and node.inner is None and linear and len(sources[at]) == 1:
            kernels.append(_conv(node))
            (at,) = sources[at]
        else:
            kernels.append("")
        starts.add(at)
    larger = [kernel for kernel in kernels if kernel not in ("", "c1")]
    plain = all(kernel[1:].isdigit() and kernel[0] == "c" for kernel in larger)
    return len(starts) == 1 and kernels.count("c1") == 1 == len(larger) and plain


def _join(reduction: _Reduction, number: int, sign: str, own: Sequence[int]) -> None:
    """Ways that meet: one step, where they come from one tensor or all but one look on from the side."""
    ways = [_back(reduction, source) for source in own]
    ends = [end for _, end in ways]
    step: _Step | None = None
    main = ends[0]
    if len(set(ends)) == 1:
        step = _parallel(sign, tuple(way for way, _ in ways), reduction)
        kept: Way = ()
    else:
        found = _beside(reduction, sign, ways)
        step, kept, main = found if found is not None else (None, (), main)
    if step is None:
        reduction.joins[number] = (sign, ways)
        return
    inside = set(own) | {number}
    for end in set(ends):
        readers = reduction.readers[end]
        readers -= {r for r in readers if r != number and _leads_only_to(reduction, r, own)}
        readers -= inside - {number}
        if end == main:
            readers.add(number)
        else:
            readers.discard(number)
    reduction.steps[number] = ((*kept, step), main)


def _leads_only_to(reduction: _Reduction, start: int, ends: Sequence[int]) -> bool:
    """Whether the way on from a layer passes single readers and ends in one of some layers."""
    for _ in range(_LONGEST_WAY):
        if start in ends:
            return True
        readers = reduction.readers.get(start, set())
        if len(readers) != 1:
            return False
        (start,) = readers
    return False


_LONGEST_WAY = 200


def _parallel(sign: str, ways: Sequence[Way], reduction: _Reduction) -> _Step | None:
    """What ways from one tensor are where they meet."""
    first = min(range(len(ways)), key=lambda number: _length(ways[number]))
    short, long = ways[first], [*ways[:first], *ways[first + 1 :]]
    texts = ["".join(f"{s.letter} " for s in way).strip() for way in ways]
    if sign == "RepVGG":
        return _Step(sign, _width(long[0]), tuple(ways))
    if sign == "+" and len(ways) == 2:
        if _length(short) < _length(long[0]) and all(_is_short(s) for s in short) and _length(short) <= 2:
            reduction.residual = True
            return _Step("residual", _width(long[0]), (long[0], short))
        return _Step("sum", None, tuple(ways))
    if sign == "×" and len(ways) == 2:
        return _gate(ways, short, long[0])
    if sign == "@":
        scored = [text for text in texts if " s" in f" {text}"]
        projections = all(s.letter in ("d", "T", "?", "s", "scores") for way in ways for s in way)
        if len(scored) == 1 and projections and any("scores" in text for text in scored):
            return _Step("att", None, tuple(ways))
        if not scored and len(ways) == 2 and all(s.letter in ("d", "T") for way in ways for s in way):
            return _Step("scores", None, tuple(ways))
        return None
    if sign == "‖":
        if not short and [s.letter[:2] for s in long[0]] == ["dw"] and len(ways) == 2:
            return _Step("ghost", None, tuple(ways))
        if not short and len(ways) == 2 and long[0] and all(_is_conv(s) for s in long[0]):
            return _Step("dense", None, tuple(ways))
        rates = {s.letter.rpartition("@")[2] for way in ways for s in way if "@" in s.letter}
        if len(rates) > 1 and len(ways) > 2:
            return _Step("ASPP", None, tuple(ways))
        scales = [way for way in ways if way and way[0].letter in ("p", "gp") and way[-1].letter.startswith("up")]
        if len(scales) > 1 and len(ways) - len(scales) <= 1:
            return _Step("pyramid", None, tuple(ways))
        if all([s.letter for s in way] == ["wave"] for way in ways) and len(ways) == 2:
            return _Step("waves", None, tuple(ways))
        several = sum(any(_is_conv(s) for s in way) for way in ways) > 1
        if all(ways) and several and all(_is_conv(s) or s.letter == "p" for way in ways for s in way):
            return _Step("inception", None, tuple(ways))
        return _Step("branches", None, tuple(ways))
    return None


def _gate(ways: Sequence[Way], short: Way, long: Way) -> _Step:
    squeezed = [s.letter for s in long]
    ends = len(squeezed) == 4 and (squeezed[0], squeezed[3]) == ("gp", "σ")
    if not short and ends and all(letter in ("d", "c1") for letter in squeezed[1:3]):
        return _Step("se", None, tuple(ways))
    if not short and len(long) == 3 and (squeezed[0], squeezed[2]) == ("gp", "σ") and squeezed[1][0] == "c":
        return _Step("eca", None, tuple(ways))
    if short and all(s.letter in ("d", "σ") for way in ways for s in way):
        return _Step("glu", _width(long), tuple(ways))
    if short and sorted(way[-1].letter if way else "" for way in ways) == ["t", "σ"] and _is_conv(short[0]):
        return _Step("gated unit", _width(long), tuple(ways))
    return _Step("gated", None, tuple(ways))


def _beside(reduction: _Reduction, sign: str, ways: Sequence[tuple[Way, int]]) -> tuple[_Step, Way, int] | None:
    """The step of a join to which something comes in from the side, what stands before it, and where that begins."""
    if sign == "‖" and len(ways) > 2:
        rising = [(way, end) for way, end in ways if any(s.letter.startswith("up") for s in way)]
        if len(rising) == 1 and not any(way for way, _ in ways if way is not rising[0][0]):
            return _Step("skip"), *rising[0]
    if len(ways) != 2:
        return None
    for (way, end), (side, start) in (ways, ways[::-1]):
        letters = [s.letter for s in side]
        if (
            sign == "×"
            and not way
            and letters in (["c1", "σ"], ["c1", "σ", "up"])
            and reduction.joins.get(start, ("", []))[0] == "+"
        ):
            sums = reduction.joins[start][1]
            if all([s.letter for s in w] in (["c1"], ["c2"]) for w, _ in sums) and end in [e for _, e in sums]:
                for other in {e for _, e in sums if e != end}:
                    reduction.readers[other] -= {
                        r for r in reduction.readers[other] if _leads_only_to(reduction, r, [start])
                    }
                reduction.readers[end] -= {r for r in reduction.readers[end] if _leads_only_to(reduction, r, [start])}
                return _Step("gate", None, (side, ())), (), end
        up = any(s.letter.startswith("up") for s in way)
        if up and sign == "+" and [s.letter for s in way] == ["up"] and letters == ["c1"]:
            return _Step("top-down"), way, end
        if up and sign in "‖+" and all(s.letter == "gate" for s in side):
            return _Step("skip", None, (side,)), way, end
        if sign == "+" and letters and all(letter == "d" for letter in letters) and any(map(_is_conv, way)):
            return _Step("condition"), way, end
    return None


def _length(way: Way) -> int:
    return sum(s.letter not in ("σ", "s", "t", "pad") for s in way)


def _is_short(step: _Step) -> bool:
    return step.letter in ("c1", "d", "p", "pad", "up", "se") or _is_conv(step) or step.letter.startswith("up")


def _width(way: Way) -> int | None:
    return next((s.width for s in reversed(way) if s.width is not None), None)


def _all(way: Way) -> Iterable[_Step]:
    waiting = list(way)
    while waiting:
        step = waiting.pop()
        yield step
        waiting.extend(s for inner in step.ways for s in inner)


# -- names ------------------------------------------------------------------------------------------------------------

_COMPOSITES = {
    "se": "squeeze-and-excitation",
    "eca": "efficient channel attention",
    "gate": "attention gate",
    "inception": "inception block",
    "ASPP": "ASPP",
    "pyramid": "pyramid pooling",
    "att": "attention",
    "xatt": "cross-attention",
    "glu": "gated linear unit",
    "gated unit": "gated unit",
    "branches": "parallel branches",
    "waves": "sinusoidal embedding",
    "RepVGG": "RepVGG block",
}


def _named(chain: Way, reduction: _Reduction) -> Pattern | None:
    chain = tuple(s for s in chain if s.letter not in ("σ", "s", "t"))
    letters = [s.letter for s in chain]
    if len(chain) == 4 and (letters[0], letters[2], letters[3]) == ("c1", "se", "c1") and letters[1].startswith("dw"):
        return _inverted(chain)
    if _is_unexpanded(chain):
        return _said("MBConv")
    if len(chain) == 1 and letters[0] == "residual":
        return _residual(chain[0], reduction)
    if letters and letters[0] in _COMPOSITES and (len(chain) == 1 or letters in (["ASPP", "c1"], ["pyramid", "c1"])):
        return _said(_COMPOSITES[letters[0]])
    if len(chain) == 2 and _is_conv(chain[0]) and letters[1] == "ghost":
        return _said("ghost module")
    if len(chain) > 1 and set(letters) == {"RepVGG"}:
        return Pattern("RepVGG stage", f"RepVGG stage, {len(chain)} blocks")
    if len(chain) > 1 and set(letters) == {"residual"}:
        return _residuals(chain, reduction)
    if len(chain) > 1:
        if set(letters) == {"dense"}:
            return Pattern("dense block", f"dense block, {len(chain)} layers")
        if set(letters) == {"rnn"}:
            return Pattern("RNN stack", f"RNN stack, {len(chain)} layers")
        if set(letters) == {"d"}:
            return Pattern("MLP", f"MLP, {' → '.join(str(s.width or '?') for s in chain)}")
        if "skip" in letters[1:] and all(_is_conv(s) or s.letter[:2] == "up" or s.letter == "skip" for s in chain):
            gated = any(s.letter == "gate" for s in _all(chain))
            return Pattern("decoder level", "decoder level, gated skip" if gated else "decoder level")
        if letters[:2] == ["up", "top-down"] and all(map(_is_conv, chain[2:])):
            return _said("feature pyramid level")
        convs = [s for s in chain if _is_conv(s) or (s.letter[:2] == "up" and s.letter != "up")]
        if len(convs) > 1 and all(_is_conv(s) or s.letter in ("p", "se") or s.letter[:2] == "up" for s in chain):
            names = [s.letter for s in chain if s.letter != "se"]
            if len(names) == 3 and names[0] == names[2] == "c1" and names[1].startswith("dw"):
                return _inverted(chain)
            return _said("conv block")
    return None


def _said(name: str) -> Pattern:
    return Pattern(name, name)


def _inverted(main: Way) -> Pattern | None:
    """An expansion, a depthwise convolution, and a projection to fewer channels."""
    if not _narrows([s for s in main if s.letter == "c1"]):
        return None
    return _said("MBConv" if any(s.letter == "se" for s in main) else "inverted residual")


def _is_unexpanded(main: Way) -> bool:
    """Whether it is an inverted residual as wide as its input: a depthwise convolution, a gate, and no widening."""
    letters = [s.letter for s in main]
    return letters[1:] == ["se", "c1"] and letters[0].startswith("dw") and _narrows(main, 0)


def _narrows(steps: Sequence[_Step], least: int = 1) -> bool:
    """Whether the last has so many channels less than the first."""
    first, last = steps[0].width, steps[-1].width
    return first is not None and last is not None and first - last >= least


def _residual(step: _Step, reduction: _Reduction) -> Pattern:
    main = tuple(s for s in step.ways[0] if s.letter not in ("σ", "s", "t", "condition"))
    letters = [s.letter for s in main if s.letter != "se"]
    excited = ", squeeze-and-excitation" if len(letters) < len(main) else ""
    if _is_unexpanded(main):
        return _said("MBConv")
    if len(letters) == 3 and letters[0] == letters[2] == "c1":
        if letters[1].startswith("dw") and (inverted := _inverted(main)) is not None:
            return inverted
        widths = [s.width for s in main if s.letter == "c1"]
        if letters[1].startswith("c") and letters[1] != "c1" and (widths[0] or 0) <= (widths[-1] or 0):
            return Pattern("bottleneck residual", "bottleneck residual" + excited)
    if len(letters) == 2 and letters[0][0] == "c" and letters[0] != "c1" == letters[1] and _narrows(main):
        return _said("fused MBConv")
    if _is_ghost_bottleneck(letters):
        return Pattern("ghost bottleneck", "ghost bottleneck" + excited)
    if letters[:1] == ["gated unit"] and letters[1:] in ([], ["c1"]) and not step.ways[1]:
        return Pattern("gated residual", "gated residual" + excited)
    if len(letters) == 3 and letters[0].startswith("dw") and letters[1] in ("d", "c1") and letters[1] == letters[2]:
        return _said("ConvNeXt block")
    half = None if "c1" in letters else _half(step)
    return _said(f"{half} residual") if half else Pattern("residual", "residual" + excited)


def _is_ghost_bottleneck(letters: Sequence[str]) -> bool:
    """Whether it is two ghost modules, with a depthwise convolution between them where it is strided."""
    module = ["c1", "ghost"]
    between = letters[2:-2]
    apart = len(between) < 2 and all(letter.startswith("dw") for letter in between)
    return list(letters[:2]) == module == list(letters[-2:]) and len(letters) > 3 and apart


def _half(step: _Step) -> str | None:
    """Which part of a transformer block a residual is, if any."""
    if step.ways[1]:
        return None
    letters = [s.letter for s in step.ways[0] if s.letter not in ("σ", "t", "s")]
    letters = ["d" if letter == "c1" else letter for letter in letters]  # a dense layer at every place
    core = [letter for letter in letters if letter not in ("d", "T")]
    if core == ["att"]:
        return "attention"
    if core == ["xatt"]:
        return "cross-attention"
    if letters in (["d", "d"], ["glu", "d"]):
        return "feed-forward"
    return "token-mixing" if letters == ["T", "d", "d", "T"] else None


def _residuals(chain: Way, reduction: _Reduction) -> Pattern | None:
    """Of several residuals in a row: the block of a transformer that they are, or ghost bottlenecks."""
    blocks = [_residual(step, reduction) for step in chain]
    if {block.name for block in blocks} == {"ghost bottleneck"}:
        excited = ", squeeze-and-excitation" if all(block.words != block.name for block in blocks) else ""
        return Pattern("ghost stage", f"ghost stage, {len(chain)} blocks{excited}")
    said = ("pre-norm",) * reduction.pre_norm + ("post-norm",) * reduction.post_norm
    norm = f", {said[0]}" if len(said) == 1 else ""
    names: Mapping[tuple[str | None, ...], str] = {
        ("attention", "feed-forward"): "transformer block",
        ("attention", "cross-attention", "feed-forward"): "transformer decoder block",
        ("token-mixing", "feed-forward"): "Mixer block",
    }
    name = names.get(tuple(map(_half, chain)))
    return None if name is None else Pattern(name, name + norm)
