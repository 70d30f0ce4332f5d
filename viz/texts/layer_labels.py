"""What a layer or a block is, in a few words: `7×7 conv, 64, /2`, `4-branch concat`, `residual 1×1, 3×3, 1×1`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, groupby, pairwise
from math import prod

from ...graphs.graph import AT_EACH_STEP, Graph, Node, Scale, Shape, activation_of, leaves, predecessors
from ...graphs.patterns import (
    is_depthwise,
    is_sum_of_convolutions,
    pads_channels,
    pattern_of,
    sources_of,
    subsamples,
)
from ...graphs.totals import Total
from ..lines import SHARES

# Layers that a short description does not tell: they come with the others.
_SILENT = frozenset({"input", "norm", "activation", "dropout", "shape"})
_MOST_PARTS = 4
_MOST_LETTERS = 56  # of what several layers do, with their kernels
_MOST_KERNELS = 4


def describe(node: Node) -> str:
    """What a node is, in a few words, from its layers alone; of one that stands for several, what each of them is.

    Which call of a layer it is is only said of one with weights, which the calls share.

    >>> conv = Node(0, ("c",), "Conv2D", "conv", (("filters", 64), ("kernel_size", (7, 7)), ("strides", (2, 2))))
    >>> describe(conv)
    '7×7 conv, 64, /2'
    """
    call, calls = node.call
    shares = any(leaf.weights or leaf.unbuilt for leaf in leaves(node))
    again = f"shared weights, {call} of {calls}" if calls > 1 and shares and not is_shared(node) else None
    return _join(_what(node), "at each step" if all(n.get(AT_EACH_STEP) for n in leaves(node)) else None, again)


def _what(node: Node) -> str:
    if node.kind == "Block" and node.words:
        return node.words  # blocks joined for want of room (`graphs.clusters`)
    if node.inner is None or node.words:  # a layer, or one that wraps others
        return _layer(node)
    if node.kind == "Unit":
        return " + ".join(_unit(node))
    kinds = {leaf.kind for leaf in leaves(node)}
    halved = "Concatenate" in kinds and any(map(is_depthwise, leaves(node)))  # as ghost modules are
    found = pattern_of(node) if halved or "Multiply" in kinds else None
    if found is not None and found.name.startswith("ghost"):
        squeezed = "SE" if "squeeze-and-excitation" in found.words else None
        count = sum(n.kind == "Add" for n in node.inner.nodes)
        said = (f"{count} × ghost bottleneck" if count > 1 else found.name) + _ghost(node.inner)
        return _join(said, squeezed, _of_skips(_ghost_skips(node.inner)), _dropped(node))
    if node.role == "merge":
        return _merge(node.inner)
    if _is_repvgg(node.inner):
        return _residual(node.inner, "RepVGG block")
    if found is not None and found.name == "MBConv":
        middle = next(layer for layer in leaves(node) if is_depthwise(layer))
        said = _join(f"MBConv {_window(middle.get('kernel_size'))}", _step(middle))  # would be six parts in a row
        return _join(f"residual {said}", _skip_of(node.inner), _dropped(node)) if is_residual(node) else said
    if is_residual(node):
        excited = found is not None and "squeeze-and-excitation" in found.words
        gated = "gated " if found is not None and found.name == "gated residual" else ""
        said = gated + _residual(node.inner)
        return _join(said, "SE" if excited else None, _skip_of(node.inner), _dropped(node))
    if node.role == "residual" and (said := _conditioned(node)):
        return said
    if found is not None and found.name == "gated unit" and (said := _gated_unit(node.inner)):
        return said
    return _chain(node.inner) or _with_norm(node.inner) or _sequence(node.inner) or node.role


def _ghost(inner: Graph) -> str:
    """The convolution that is strided, or that of a module that is larger than 1×1: ` 3×3, /2`; "" if there is none."""
    convs = [n for n in inner.nodes if n.role == "conv"]
    ends = {output.source for output in inner.outputs}
    way = longest_way(inner, [n.role == "conv" for n in inner.nodes], ends.pop() if len(ends) == 1 else None)
    told = next((n for n in way if _step(n)), convs[0])
    several = sum(n.kind == "Add" for n in inner.nodes) > 1
    kernel = "" if several or _is_projection(told) else f" {_kernel(told).removesuffix(' depthwise')}"
    return _join(kernel or None, _step(told)) if kernel else f", {_step(told)}" if _step(told) else ""


def _ghost_skips(inner: Graph) -> list[str]:
    """What is on the shorter way to each sum of ghost bottlenecks."""
    found, before, passed = [], predecessors(inner), set[int]()
    for join in [n for n in inner.nodes if n.kind == "Add"]:
        whole = {*_up(before, [join.id])}
        ways = [set(_up(before, [source])) - passed for source in before[join.id]]
        ways += [set()] if any(edge.target == join.id for edge in inner.entries) else []
        found.append(_named_skip([inner.nodes[n] for n in min(map(sorted, ways), key=len)]))
        passed = whole
    return found


def _is_repvgg(inner: Graph) -> bool:
    """Whether a block is a chain of sums each of a 1×1 and a larger convolution of one tensor."""
    sums = [n.id for n in inner.nodes if n.kind == "Add"]
    if not sums or any(n.role not in ("conv", "norm", "activation", "add") for n in inner.nodes):
        return False
    sources = sources_of(inner)
    convs = sum(n.role == "conv" for n in inner.nodes)
    return convs == 2 * len(sums) and all(is_sum_of_convolutions(inner.nodes, sources, number) for number in sums)


def _gated_unit(inner: Graph) -> str:
    """Two equal convolutions side by side, one of them scaled by the other: `gated width-2 conv, 16`."""
    said = {_layer(node) for node in inner.nodes if node.role == "conv"}
    return f"gated {said.pop()}" if len(said) == 1 else ""


def _dropped(node: Node) -> str:
    """What equal neighbours may be without."""
    return "drop path" if any(leaf.kind == "StochasticDepth" for leaf in leaves(node)) else ""


# Short words for the norms and activations that papers abbreviate.
_SHORT: Mapping[str, str] = {
    "BatchNormalization": "BN",
    "FusedBatchNormalization": "BN",
    "LayerNormalization": "LN",
    "GroupNormalization": "GN",
    "RMSNormalization": "RMSNorm",
    "SpectralNormalization": "SN",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "LeakyReLU": "leaky ReLU",
    "gelu": "GELU",
    "elu": "ELU",
    "selu": "SELU",
    "celu": "CELU",
    "silu": "SiLU",
    "swish": "SiLU",
    "hard_silu": "hard SiLU",
    "hard_sigmoid": "hard sigmoid",
    "leaky ReLU": "leaky ReLU",
    "log_softmax": "log softmax",
}


def _unit(node: Node) -> list[str]:
    """The parts of a unit in their order: a convolution, its norm, its activation. Paddings are not told."""
    return [part for layer in leaves(node) if layer.role != "shape" for part in _parts(layer)]


def _parts(layer: Node) -> list[str]:
    """A layer of a unit, norms and activations in short, and the activation that it has itself."""
    if layer.role in ("norm", "activation"):
        return [(_SHORT.get(layer.kind) if layer.role == "norm" else None) or _plain(layer)]
    own = activation_of(layer)
    return [_layer(layer), *([_SHORT.get(own, own)] if own else [])]


def parts_of(node: Node) -> list[str]:
    """What the layers of a block do, in their order, whatever their widths and strides: `3×3 conv`, `BN`, `ReLU`."""
    found = []
    for layer in leaves(node):
        if layer.role == "dropout":
            found.append("dropout")  # of any rate
        elif layer.role not in ("input", "shape"):
            found += [part.partition(",")[0] if part == layer.words else part for part in _parts(_narrow(layer))]
    return found


def _narrow(layer: Node) -> Node:
    """A layer without what says how wide it is and how far it steps."""
    return replace(layer, attributes=tuple(pair for pair in layer.attributes if pair[0] not in _WIDTHS))


_WIDTHS = frozenset({"filters", "units", "strides", "groups"})


def shape_text(shape: Shape | None, scales: Sequence[Scale | None] = ()) -> str:
    """A shape without its batch: `28×28×256`, a `?` where a size is unknown; `scalar` where only the batch is.

    >>> shape_text((None, None, None, 8), (None, Scale("H", 1, 2), Scale("W", 1, 2), None))
    'H/2×W/2×8'
    """
    if shape is None:
        return "?"
    unknown = [str(scale or "?") for scale in scales] if len(scales) == len(shape) else ["?"] * len(shape)
    sizes = zip(shape[1:], unknown[1:], strict=True)
    return "×".join(instead if size is None else str(size) for size, instead in sizes) or "scalar"


def shape_texts(node: Node) -> list[str]:
    """The shapes of all that a node returns."""
    return [shape_text(shape, () if port else node.scales) for port, shape in enumerate(node.outputs)]


def count_text(count: int | None) -> str:
    """A number with its thousands set apart, or `?`."""
    return "?" if count is None else f"{count:,}"


def work_text(total: Total) -> str:
    """All digits: `3,888`, `≥ 3,888` where some are not counted, `?` where none is.

    >>> work_text(Total(3888)), work_text(Total(3888, ("blur",))), work_text(Total(0, ("blur",)))
    ('3,888', '≥ 3,888', '?')
    """
    if total.exact is None and not total.known:
        return "?"
    return ("" if total.exact is not None else "≥ ") + count_text(total.known)


def repeats_of(graph: Graph, node: Node) -> int:
    """How many equal neighbours a box stands for by itself, those aside that the frames around it are repeated for."""
    return max(1, node.repeats // prod(graph.frames[number].repeats for number in node.frames))


def is_shared(node: Node) -> bool:
    """Whether a box that stands for several stands for as many calls of the same weights."""
    return node.repeats > 1 and bool(node.weights) and len(set(node.members)) == 1


def each_text(node: Node) -> str:
    """The parameters of one of the equal neighbours that a box stands for: `16,640 each ×12`; "" for a single one."""
    if node.repeats == 1 or not node.parameters:
        return ""
    if is_shared(node):
        return f"one set, used {node.repeats} times"
    return f"{count_text(node.parameters // node.repeats)} each ×{node.repeats}"


def parameters_text(node: Node) -> str:
    """`16,640 params`; of several `199,680 params, 16,640 each ×12`."""
    each = each_text(node)
    return f"{count_text(node.parameters)} params" + (f", {each}" if each else "")


def _layer(node: Node) -> str:
    if (groups := _shuffled_groups(node)) and node.get("axis") == -1:
        return f"channel shuffle, {groups} groups"
    words = {"conv": _conv, "pool": _pool, "dense": _dense, "merge": _concat}.get(node.role, _plain)
    return node.words if node.words == node.kind else words(node)  # nobody knows it by more than the name of its class


def _plain(node: Node) -> str:
    """What its entry says; of a node without one the name of its class in words, with a rate: `dropout 0.4`."""
    rate = node.get("rate") if node.role == "dropout" else None
    if node.role == "activation":
        words = node.words or str(node.get("activation") or node.kind)
        return _SHORT.get(words, words)
    if node.words and not isinstance(rate, float):
        return "reshape" if node.words.startswith("reshape, ") else node.words  # to what, the shape after it says
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"\dD$", "", node.kind)).lower()
    return words.replace("normalization", "norm") + (f" {rate:g}" if isinstance(rate, float) else "")


def _conv(node: Node) -> str:
    kind = node.kind.lower()
    word = next(
        (
            w
            for part, w in (("transpose", "transposed "), ("depthwise", "depthwise "), ("separable", "separable "))
            if part in kind
        ),
        "",
    )
    groups = node.get("groups", 1)
    return _join(
        f"{_window(node.get('kernel_size'))} {word}conv".strip(),
        node.get("filters"),
        _step(node),
        _unless_one("dilation ", node.get("dilation_rate")),
        f"{groups} groups" if isinstance(groups, int) and groups > 1 else None,
        "causal" if node.get("padding") == "causal" else None,
    )


def _pool(node: Node) -> str:
    kind = node.kind.lower()
    what = "avg" if "average" in kind or "avg" in kind else "max"
    if "global" in kind:
        return f"global {what} pool"
    if "adaptive" in kind:
        return f"adaptive {what} pool"
    size, strides = node.get("pool_size"), node.get("strides")
    window = f"size-{_extent(size)}" if _extent(size).isdigit() else _extent(size)
    return _join(f"{window} {what} pool".strip(), _stride(size if strides is None else strides, "/"))


def _dense(node: Node) -> str:
    return node.words if node.kind == "EinsumDense" and node.words else _join("dense", node.get("units"))


def _concat(node: Node) -> str:
    return "concat" if node.kind == "Concatenate" else _plain(node)


def _chain(inner: Graph) -> str:
    """Three or four convolutions one after the other, by their kernels: `1×1, 3×3 depthwise, 1×1 conv, /2`."""
    convs = [node for node in inner.nodes if node.role not in _SILENT]
    if not 2 < len(convs) <= _MOST_KERNELS or any(node.role != "conv" for node in convs):
        return ""
    if len({_kernel(conv) for conv in convs}) == 1 or longest_way(inner, [n in convs for n in inner.nodes]) != convs:
        return ""
    kernels, common = _kernels(convs)
    return _join(f"{', '.join(kernels)} conv", *common)


def _sequence(inner: Graph) -> str:
    """The telling layers in a row, equal neighbours drawn together: `2 × 3×3 conv + 2×2 max pool`.

    Sums are told that bring together what comes in, attention gates as one, and products of which no factor is a share.
    """
    nodes = inner.nodes
    gates, told = _gates_and_sums(inner)
    inside = set().union(*gates.values()) - {*gates}
    told |= {*gates, *(n.id for n in nodes if n.kind == "Multiply" and len(n.inputs) > 1 and not _scales(inner, n))}
    telling = [
        replace(n, words="attention gate") if n.id in gates else n
        for n in nodes
        if n.id in told - inside or (n.id not in inside and _is_telling(n) and n.kind != "Add")
    ]
    telling = telling or [n for n in nodes if n.role != "input"]
    end = _result(nodes, telling)
    if len(parts := _counted(map(_layer, telling))) == 1:
        return " + ".join((_times(*parts[0]), *end))
    said, dropped = "", [n for n in nodes if end and n.role == "dropout" and n.id not in inside]
    for layers in (sorted([*telling, *dropped], key=lambda n: n.id), telling) if dropped else (telling,):
        parts = _counted(_briefly(inner, layers))
        said = " + ".join((*(_times(*part) for part in parts), *end))
        if len(parts) <= _MOST_PARTS and len(said) <= _MOST_LETTERS:
            return said
    if len(parts) <= 2:
        return said
    parts = _counted(_step_alone(n) if "Transpose" in n.kind else _brief(n) for n in telling)
    said = " + ".join((*(_times(*part) for part in parts), *end))
    if len(parts) <= _MOST_PARTS and len(said) <= _MOST_LETTERS:
        return said
    kinds = _counted(map(_in_a_word, telling))
    if len(kinds) <= _MOST_PARTS:
        return " + ".join((*(_several(*kind) for kind in kinds), *end))
    return f"{len(nodes)} layers"


def _step_alone(node: Node) -> str:
    """`transposed conv ×2`, for want of room."""
    return " ".join(filter(None, ("transposed conv", _step(node))))


def _counted(texts: Iterable[str]) -> list[tuple[str, int]]:
    """Equal neighbours once, and how many they are."""
    return [(text, len(list(same))) for text, same in groupby(texts)]


def _result(nodes: Sequence[Node], telling: Sequence[Node]) -> tuple[str, ...]:
    """The activation that makes shares of what the last telling layer gives: `softmax`."""
    after = nodes[telling[-1].id + 1 :]
    if any(len(node.inputs) > 1 for node in after):
        return ()
    found = [name.lower() for node in (telling[-1], *after) for layer in leaves(node) if (name := activation_of(layer))]
    return (_SHORT.get(found[-1], found[-1]),) if found and found[-1] in SHARES else ()


def _briefly(inner: Graph, layers: Sequence[Node]) -> list[str]:
    """Layers among others; the two that end a transformer block as `MLP ×4`, by how much the first of them widens."""
    briefs = [*map(_brief, layers)]
    found = pattern_of(inner)
    blocks = ("transformer block", "transformer decoder block")
    if found is None or not found.name.startswith(blocks) or not all(map(_is_projection, layers[-2:])):
        return briefs
    wide, narrow = (n.get("units") or n.get("filters") for n in layers[-2:])
    if not isinstance(wide, int) or not isinstance(narrow, int):
        return briefs
    return [*briefs[:-2], f"MLP ×{wide / narrow:g}"]


def _scales(inner: Graph, product: Node) -> bool:
    """Whether a factor of a product is a share of 1, perhaps reshaped."""
    before = predecessors(inner)
    for number in before[product.id]:
        while inner.nodes[number].role == "shape" and len(before[number]) == 1:
            (number,) = before[number]
        *_, last = leaves(inner.nodes[number])
        if str(activation_of(last)).lower() in SHARES:
            return True
    return False


def _gates_and_sums(inner: Graph) -> tuple[dict[int, set[int]], set[int]]:
    """The products with a gate that is made of a sum of two tensors that come in, each with what only the gate is made
    of; and the other sums of tensors that come in.
    """
    before = predecessors(inner)
    entering: list[set[int]] = [set() for _ in inner.nodes]  # from which tensors that come in each is made
    for edge in inner.entries:
        entering[edge.target].add(edge.source)
    own = [*map(frozenset, entering)]
    for number, sources in enumerate(before):
        entering[number].update(*(entering[source] for source in sources))
    joined = set()
    for node in inner.nodes:
        given = [entering[source] for source in before[node.id]] + [{source} for source in own[node.id]]
        if node.kind == "Add" and any(a - b and b - a for a, b in combinations(given, 2)):
            joined.add(node.id)
    onward: list[set[int]] = [set() for _ in inner.nodes]
    for number, sources in enumerate(before):
        for source in sources:
            onward[source].add(number)
    leaving = {output.source for output in inner.outputs}
    gates: dict[int, set[int]] = {}
    for node in inner.nodes:
        if node.kind != "Multiply":
            continue
        made = {node.id}
        gated = {source for source in before[node.id] if not joined & {*_up(before, [source])}}
        for number in reversed(range(node.id)):
            if onward[number] and onward[number] <= made and number not in leaving | gated:
                made.add(number)
        if made & joined:
            gates[node.id] = made
    return gates, joined - set().union(*gates.values())


def _with_norm(inner: Graph) -> str:
    """A convolution or dense layer with the norm and activation around it, in their order: `LN + 2×2 conv, 192, /2`.

    Nothing for what is no chain of at most one of each.
    """
    kept = [n for n in inner.nodes if n.role not in ("input", "shape", "dropout")]
    roles = [n.role for n in kept]
    if not 1 < len(kept) <= 3 or "norm" not in roles or len({"conv", "dense"} & {*roles}) != 1:
        return ""
    if any(roles.count(role) > 1 or role not in ("conv", "dense", "norm", "activation") for role in roles):
        return ""
    before = predecessors(inner)
    chained = all(given == ([n - 1] if n else []) for n, given in enumerate(before))
    if not chained or any(n.inner is not None or len(n.inputs) > 1 for n in inner.nodes):
        return ""
    if {edge.target for edge in inner.entries} - {0} or {o.source for o in inner.outputs} != {len(before) - 1}:
        return ""
    return " + ".join(part for n in kept for part in _parts(n))


def _in_a_word(node: Node) -> str:
    """`conv`, `dense`, `pool`; else what it is without its sizes."""
    if grown := _grown(node):
        return grown
    word = node.role if node.role in ("conv", "dense", "pool") else _layer(node).partition(",")[0]
    return _step_alone(node) if "Transpose" in node.kind and node.role == "conv" else word


def _several(kind: str, count: int) -> str:
    if count == 1:
        return kind
    return f"{count} {kind}s" if kind.split()[-1] in ("conv", "pool") else f"{count} × {kind}"


def _times(text: str, count: int) -> str:
    return text if count == 1 else f"{count} × {text}"


def _brief(node: Node) -> str:
    """A layer among others: its width shows in the shape of what comes out."""
    if node.role in ("conv", "dense"):
        return _layer(replace(node, attributes=tuple(a for a in node.attributes if a[0] not in ("filters", "units"))))
    return _grown(node) or _layer(node)


def _grown(node: Node) -> str:
    """`up ×2` of a layer that makes a map larger; "" of any other."""
    found = _GROWING.match(node.words) if node.inner is None else None
    larger = found is not None and all(float(times) >= 1 for times in found[1].split("×")) and found[1] != "1"
    return f"up ×{found[1]}" if found is not None and larger else ""


_GROWING = re.compile(r"(?:upsample|resize) ×([\d.]+(?:×[\d.]+)*)")


def _merge(inner: Graph) -> str:
    joins = [n for n in inner.nodes if n.role == "merge"]
    if len(joins) == 1 and (said := _shuffle_unit(inner, joins[0])):
        return said
    if len(joins) > 1:
        return _dense_block(inner, joins) or f"{len(joins)} concats"
    if len({edge.source for edge in inner.entries}) > 1 or any(map(_is_telling, inner.nodes[joins[0].id + 1 :])):
        return _branches(inner, joins[0]) or _sequence(inner)  # not all branches are inside, or there is more than them
    return _join(f"{len(joins[0].inputs)}-branch {_concat(joins[0]).partition(',')[0]}", _dilations(inner.nodes))


def _dilations(branches: Iterable[Node]) -> str:
    """`dilations 6, 12, 18` of branches that differ in them."""
    found = dict.fromkeys(_unless_one("", node.get("dilation_rate")) for node in branches)
    told = [dilation for dilation in found if dilation]
    return f"dilations {', '.join(told)}" if len(told) > 1 else ""


def _branches(inner: Graph, join: Node) -> str:
    """Branches from what comes in, and the layers in a row after they meet, as in ASPP.

    `5-branch concat, dilations 6, 12, 18 + 2 × 1×1 conv`; "" where other ways lead through the block, or much follows.
    """
    before = predecessors(inner)
    readers = Counter(source for given in before for source in given)
    inside = set(_up(before, [join.id]))
    after = [node for node in inner.nodes if node.id not in inside]
    if len({edge.source for edge in inner.entries}) != 1 or not after:
        return ""
    apart = all(readers[number] == 1 and len(before[number]) < 2 for number in inside - {join.id})
    chained = [before[node.id] for node in after] == [[node.id] for node in (join, *after[:-1])]
    entered = any(edge.target not in inside for edge in inner.entries)
    if not apart or not chained or entered or {output.source for output in inner.outputs} != {after[-1].id}:
        return ""
    parts = _counted(map(_brief, filter(_is_telling, after)))
    if len(parts) > 2:
        return ""
    said = _join(f"{len(join.inputs)}-branch concat", _dilations(inner.nodes[n] for n in sorted(inside)))
    return " + ".join((said, *(_times(*part) for part in parts)))


def _shuffle_unit(inner: Graph, join: Node) -> str:
    """Two branches whose channels are shuffled after they meet, as in ShuffleNetV2: by the convolutions of the longer.

    `shuffle unit 3×3, channel split` where the other branch is a part of the channels as it is; "" for what is none. A
    depthwise convolution between two of 1×1 goes without saying.
    """
    before = predecessors(inner)
    last = inner.nodes[-1]
    shuffled = len(join.inputs) == 2 and before[last.id] == [join.id] and _shuffled_groups(last)
    if not shuffled or last.id != join.id + 1 or {o.source for o in inner.outputs} != {last.id}:
        return ""
    rest = [n for n in inner.nodes[: join.id] if n.role not in _SILENT and n.kind != "Split"]
    convs = longest_way(inner, [n.role == "conv" for n in inner.nodes], join.id)
    splits = [n for n in inner.nodes if n.kind == "Split"]
    if not 0 < len(convs) <= _MOST_KERNELS or any(n.role != "conv" for n in rest):
        return ""
    if splits:
        if len(splits) > 1 or len(splits[0].outputs) != 2 or len(convs) != len(rest) or before[splits[0].id]:
            return ""
        if splits[0].id not in before[join.id] or splits[0].get("axis") != join.get("axis"):
            return ""
    kernels, common = _kernels(convs)
    if len(convs) == 3 and is_depthwise(convs[1]) and all(map(_is_projection, (convs[0], convs[2]))):
        kernels = [_kernel(convs[1]).removesuffix(" depthwise")]
        common = [step for step in map(_step, convs) if step]
    return _join(f"shuffle unit {', '.join(kernels)}", *common, "channel split" if splits else "2 branches")


def _shuffled_groups(node: Node) -> int | None:
    """How many groups of channels a layer takes in turn: 2 for channels 0, 3, 1, 4, 2, 5; None if it does not so."""
    if node.kind != "Take" or not isinstance(node.windows, tuple) or len(node.windows) != 1:
        return None
    (along,) = node.windows
    order = next((axis.places for axis in along if axis.places is not None), None)
    if order is None or len(order) < 4 or order[0] != 0:
        return None
    each = order[1]
    if each < 2 or len(order) % each or len(order) // each < 2:
        return None
    groups = len(order) // each
    turns = tuple(start + group * each for start in range(each) for group in range(groups))
    return groups if order == turns else None


def _dense_block(inner: Graph, joins: Sequence[Node]) -> str:
    """Layers each of which adds channels to all that came before; "" for what is none.

    `dense block, 6 × (1×1, 3×3), growth 32`, where all add as many.
    """
    edges = {(edge.source, edge.target) for edge in inner.edges}
    convs = [node for node in inner.nodes if node.role == "conv"]
    one, rest = divmod(len(convs), len(joins))
    kernels = [_kernel(conv) for conv in convs]
    if rest or not 0 < one <= _MOST_KERNELS or kernels != kernels[:one] * len(joins):
        return ""
    if any((a.id, b.id) not in edges or len(b.inputs) != 2 for a, b in pairwise(joins)):
        return ""
    if longest_way(inner, [node.role == "conv" for node in inner.nodes]) != convs:
        return ""
    widths = {conv.get("filters") for conv in convs[one - 1 :: one]}
    growth = widths.pop() if len(widths) == 1 else None
    return _join("dense block", f"{len(joins)} × ({', '.join(kernels[:one])})", growth and f"growth {growth}")


def is_residual(node: Node) -> bool:
    """Whether a block adds what comes in to what its layers make of it, once or several times one after the other."""
    return node.inner is not None and bool(_skips(node.inner))


def _skips(inner: Graph) -> list[str]:
    """What goes past the layers at each sum of a block, if it is a chain of them, each of what came in and what layers
    made of it: `identity`, `projection`, or through what it goes; nothing for another block.
    """
    if len({edge.source for edge in inner.entries}) != 1 or any(_attends(n) for n in inner.nodes):
        return []
    sources: list[list[int]] = [[] for _ in inner.nodes]  # one further than the node; 0 is what comes in
    for edge in inner.edges:
        sources[edge.target].append(edge.source + 1)
    for edge in inner.entries:
        sources[edge.target].append(0)
    if not all(sources):
        return []
    before, depth, passed = [0], [0], 0
    found: list[str] = []
    for number, given in enumerate(sources, 1):
        node, at = inner.nodes[number - 1], list(given)
        while len(set(at)) > 1:  # the nearest that all ways pass
            deepest = max(at, key=lambda n: depth[n])
            at[at.index(deepest)] = before[deepest]
        before.append(at[0])
        depth.append(depth[at[0]] + 1)
        if node.role != "add" or len(given) < 2:
            continue
        ways = [_way(sources, start, at[0]) for start in given]
        between = inner.nodes[passed : at[0]]
        short = _short_cut(inner, ways)
        if node.kind != "Add" or at[0] < passed or _telling(between) or short is None:
            return []
        found.append(short)
        passed = number
    after = {passed}  # what is made of the last sum; another output is not
    for number, given in enumerate(sources, 1):
        if after & {*given}:
            after.add(number)
    return [] if _telling(inner.nodes[number - 1] for number in after - {passed, 0}) else found


def _skip_of(inner: Graph) -> str:
    return _of_skips(_skips(inner))


def _of_skips(kinds: Sequence[str]) -> str:
    """`projection skip`, `skip through max pool`; "" for the identity, which the key of a figure says.

    Of several sums, where the first alone has a projection or zeros for channels, that and the others.
    """
    if not kinds:
        return ""
    first, *others = kinds
    if set(others) <= {first}:
        return _said_of_skip(first)
    named = (first == "projection" or "zero-padded" in first) and {*others} == {"identity"}
    return f"{_said_of_skip(first)}, then identity" if named else "several kinds of skips"


def _said_of_skip(kind: str) -> str:
    return {"identity": "", "projection": "projection skip"}.get(kind, kind)


def has_identity_skip(node: Node) -> bool:
    """Whether a box is a residual block whose words say no other skip than the identity."""
    if node.inner is None or node.words:
        return False
    words = describe(node)
    return words.startswith(("residual", "gated residual", "ghost bottleneck")) and "skip" not in words


def _telling(nodes: Iterable[Node]) -> bool:
    return any(node.role not in _SILENT for node in nodes)


def _is_telling(node: Node) -> bool:
    return node.role not in _SILENT or bool(_grown(node))


def _way(sources: Sequence[Sequence[int]], start: int, end: int) -> list[int]:
    """All that lies on the ways back from one node to another, itself left out."""
    waiting, seen = [start], set[int]()
    while waiting:
        number = waiting.pop()
        if number != end and number not in seen:
            seen.add(number)
            waiting.extend(sources[number - 1])
    return sorted(seen)


def _short_cut(inner: Graph, ways: Sequence[Sequence[int]]) -> str | None:
    """What is on the ways but the longest, that have nothing on them, or one layer with weights, which the longest has.

    `identity` for nothing, `projection` for a 1×1 convolution or a dense layer, `zero-padded skip` for every second
    place or n-th and channels of zeros, else `skip through` the first layer; None if there is no such way.
    """

    def weighted(way: Sequence[int]) -> list[Node]:
        return [inner.nodes[n - 1] for n in way if inner.nodes[n - 1].role in ("conv", "dense")]

    def plain(way: Sequence[int]) -> bool:
        allowed = ("conv", "norm", "pool", "shape", "activation", "dense")
        nodes = [inner.nodes[n - 1] for n in way]
        return len(weighted(way)) < 2 and all(n.role in allowed or pads_channels(n) or subsamples(n) for n in nodes)

    wide = lambda way: not all(map(_is_projection, weighted(way)))  # noqa: E731
    *short, longest = sorted(ways, key=lambda way: (len(weighted(way)), wide(way), len(way)))
    if not weighted(longest) or not all(map(plain, short)):
        return None
    passed = [[inner.nodes[n - 1] for n in way] for way in short]
    if len(passed) == 1:
        return _named_skip(passed[0])
    through = [
        _layer(next(iter(weighted(way)), nodes[0])) if nodes else "nothing"
        for way, nodes in zip(short, passed, strict=True)
    ]
    return f"skips through {' and '.join(layer.partition(',')[0] for layer in through)}"


def _named_skip(passed: Sequence[Node]) -> str:
    if any(map(_is_projection, passed)):
        return "projection"
    widened = [node for node in passed if pads_channels(node)]
    smaller = [node for node in passed if node.role == "pool" and set(_sizes(node.get("pool_size"))) != {1}]
    if widened and all(node in widened or node.role == "pool" or subsamples(node) for node in passed):
        return f"skip through {_layer(smaller[0]).partition(',')[0]}, zero-padded" if smaller else "zero-padded skip"
    return f"skip through {_layer(passed[0]).partition(',')[0]}" if passed else "identity"


def _sizes(size: object) -> tuple[object, ...]:
    return size if isinstance(size, tuple) else (size,)


def _is_projection(node: Node) -> bool:
    size = node.get("kernel_size")
    return node.role == "dense" or (node.role == "conv" and isinstance(size, tuple) and set(size) == {1})


def _conditioned(node: Node) -> str:
    """A residual block to which something from outside is added between its convolutions: `residual 3×3, + dense, 3×3`.

    What is added comes from a dense layer alone, with activations and reshapings; "" for any other block.
    """
    found, inner = pattern_of(node), node.inner
    if found is None or found.name not in ("residual", "bottleneck residual") or inner is None:
        return ""
    ends = {output.source for output in inner.outputs}
    way = way_with_most(inner, [n.role == "conv" for n in inner.nodes], ends.pop() if len(ends) == 1 else None)
    on_it = {n.id for n in way}
    before = predecessors(inner)
    parts, added = [], 0
    for each in way:
        if each.role == "conv":
            parts.append(_one_kernel(each))
        elif each.kind == "Add" and each is not way[-1]:
            aside = [number for number in before[each.id] if number not in on_it]
            layers = [inner.nodes[number] for number in _up(before, aside)]
            if [n.role for n in layers if n.role not in ("activation", "shape")] != ["dense"]:
                return ""
            parts.append("+ dense")
            added += 1
    last = next((n for n in reversed(way) if n.kind == "Add"), None)
    if added != 1 or last is None or len(parts) > _MOST_KERNELS:
        return ""
    short = [inner.nodes[n] for n in _up(before, [n for n in before[last.id] if n not in on_it])]
    return _join(f"residual {', '.join(parts)}", _said_of_skip(_named_skip(short)))


def _up(before: Sequence[Sequence[int]], numbers: Iterable[int]) -> list[int]:
    """Some nodes and all before them."""
    waiting, seen = list(numbers), set[int]()
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting.extend(before[each])
    return sorted(seen)


def _attends(node: Node) -> bool:
    return "ttention" in node.kind or node.role == "attention"


def _residual(inner: Graph, word: str = "residual") -> str:
    """The convolutions along the longer way, and how much smaller they make the feature map."""
    ends = {output.source for output in inner.outputs}
    # Of two ways with as many convolutions, that of projections is the short one.
    counted = [(n.role == "conv") * (len(inner.nodes) + (not _is_projection(n))) for n in inner.nodes]
    end = ends.pop() if len(ends) == 1 else None
    convs = longest_way(inner, counted, end)
    kernels, common = _kernels(convs)
    way = way_with_most(inner, counted, end)
    common += dict.fromkeys(filter(None, (_grown(n) or _shrunk(n) for n in way)))
    sums = sum(n.role == "add" and len(n.inputs) > 1 for n in inner.nodes)
    each = len(kernels) // sums
    times = f"{sums} × " if sums > 1 else ""
    plain = [*map(_kernel, convs)]
    if not 0 < each <= 3 or plain[:each] * sums != plain:
        return _join(f"{times}{word}".strip(), *map(_step, convs), *common)
    if kernels == kernels[:each] * sums:
        return _join(f"{times}{word} {', '.join(kernels[:each])}", *common)
    if kernels[each:] == plain[each:]:
        first = kernels[0].removeprefix(plain[0]).strip() if each == 1 else ", ".join(kernels[:each])
        return _join(f"{times}{word} {', '.join(plain[:each])} (first {first})", *common)
    return _join(f"{times}{word} {', '.join(plain[:each])}", *map(_step, convs), *common)


def _shrunk(node: Node) -> str:
    """`2×2 avg pool, /2` of a pooling of a map to a smaller one; "" of any other."""
    return _layer(node) if node.role == "pool" and node.inner is None and "Global" not in node.kind else ""


def _kernels(convs: Sequence[Node]) -> tuple[list[str], list[str]]:
    """The kernels of several convolutions, each with what it has alone, `3×3 /2`; and what all have, or the only one.

    A dilation and causal padding are all's where every convolution of more than one position has them.
    """
    wide = [conv for conv in convs if not _is_projection(conv)] or [*convs]
    common = dict.fromkeys(said for said in _manners(wide[0]) if all(said in _manners(c) for c in wide)) if wide else {}
    kernels = []
    for conv in convs:
        own = [said for said in _manners(conv) if said not in common]
        step = _step(conv)
        kernels.append(" ".join(filter(None, (_kernel(conv), step if len(convs) > 1 else "", *own))))
    return kernels, [*filter(None, map(_step, convs if len(convs) == 1 else ())), *common]


def _one_kernel(conv: Node) -> str:
    """`3×3`, with what it does otherwise than others: `3×3 /2`."""
    return " ".join(filter(None, (_kernel(conv), _step(conv), *_manners(conv))))


def _manners(conv: Node) -> list[str]:
    """`dilation 2`, `causal`."""
    dilation = _unless_one("dilation ", conv.get("dilation_rate"))
    return [*filter(None, (dilation, "causal" if conv.get("padding") == "causal" else None))]


def _kernel(node: Node) -> str:
    """`3×3`, `3×3 transposed`: a convolution goes without saying."""
    kernel = _conv(replace(node, attributes=(("kernel_size", node.get("kernel_size")),))).removesuffix(" conv")
    return f"{kernel} depthwise" if is_depthwise(node) and "depthwise" not in kernel else kernel


def longest_way(graph: Graph, counted: Sequence[int], end: int | None = None) -> list[Node]:
    """Of all ways through a graph, or to one node of it, that with the most counted nodes: those nodes, in order.

    Args:
        counted: for how much each node counts, 0 for nothing.
    """
    return [node for node in way_with_most(graph, counted, end) if counted[node.id]]


def way_with_most(graph: Graph, counted: Sequence[int], end: int | None = None) -> list[Node]:
    """All nodes of `longest_way`, also those that are not counted."""
    best: list[tuple[int, int | None]] = []  # nodes counted up to here, and the node before
    before_each = predecessors(graph)
    for number, given in enumerate(before_each):
        sources = _gated(before_each, given) if graph.nodes[number].kind == "Multiply" else given
        before = max(sources, key=lambda s: best[s][0], default=None)
        best.append((counted[number] + (best[before][0] if before is not None else 0), before))
    step = max(range(len(best)), key=lambda i: best[i][0], default=None) if end is None else end
    way = []
    while step is not None:
        way.append(graph.nodes[step])
        step = best[step][1]
    return way[::-1]


def _gated(before_each: Sequence[Sequence[int]], sources: Sequence[int]) -> Sequence[int]:
    """Of the factors of a product those that are no gates: a gate is made of what it is multiplied with."""
    waiting, seen = [s for source in sources for s in before_each[source]], set[int]()
    while waiting:
        number = waiting.pop()
        if number not in seen:
            seen.add(number)
            waiting.extend(before_each[number])
    return [source for source in sources if source in seen][:1] or sources[:1]


def _join(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part)


def _extent(size: object) -> str:
    """`3×3`; for one dimension `3`."""
    return "×".join(map(str, size)) if isinstance(size, tuple) else str(size or "")


def _window(size: object) -> str:
    """`3×3`; for one dimension `kernel-3`, which nobody reads as a number of layers or channels."""
    text = _extent(size)
    return f"kernel-{text}" if text.isdigit() else text


def _uniform(value: object) -> object:
    """One number where all are equal: 2 for (2, 2)."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _stride(strides: object, sign: str) -> str | None:
    value = _uniform(strides)
    return None if value in (None, 1) else f"{sign}{_extent(value)}"


def _step(conv: Node) -> str | None:
    """What a convolution does to the size of a feature map: `/2`, or `×2` where it is transposed."""
    return _stride(conv.get("strides"), "×" if "Transpose" in conv.kind else "/")


def _unless_one(word: str, value: object) -> str | None:
    value = _uniform(value)
    return None if value in (None, 1) else f"{word}{_extent(value)}"
