"""What a layer or a block is, in a few words: `7×7 conv, 64, /2`, `4-branch concat`, `residual 1×1, 3×3, 1×1`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from ...graphs.graph import Graph, Node, Shape, activation_of, leaves, predecessors

# Layers that a short description does not tell: they come with the others.
_SILENT = frozenset({"input", "norm", "activation", "dropout", "shape", "add"})
_MOST_PARTS = 2


def describe(node: Node) -> str:
    """What a node is, in a few words, from its layers alone; of one that stands for several, what each of them is.

    >>> conv = Node(0, ("c",), "Conv2D", "conv", (("filters", 64), ("kernel_size", (7, 7)), ("strides", (2, 2))))
    >>> describe(conv)
    '7×7 conv, 64, /2'
    """
    call, calls = node.call
    return _join(_what(node), f"call {call} of {calls}" if calls > 1 else None)


def _what(node: Node) -> str:
    if node.inner is None:
        return _layer(node)
    if node.kind == "Unit":
        return " + ".join(_unit(node))
    if node.role == "residual":
        return _residual(node.inner)
    if node.role == "merge":
        return _merge(node.inner)
    return _sequence(node.inner.nodes) or node.role


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
    "Softmax": "softmax",
    "log_softmax": "log softmax",
}


def _unit(node: Node) -> list[str]:
    """The parts of a unit in their order: a convolution, its norm, its activation. Paddings are not told."""
    parts: list[str] = []
    for layer in leaves(node):
        if layer.role in ("norm", "activation"):
            own = activation_of(layer) if layer.role == "activation" else layer.kind
            parts.append(_SHORT.get(str(own)) or _plain(layer))
        elif layer.role != "shape":
            own = activation_of(layer)
            parts.append(_layer(layer))
            parts += [_SHORT.get(own, own)] if own else []
    return parts


def shape_text(shape: Shape | None) -> str:
    """A shape without its batch: `28×28×256`, a `?` where a size is unknown; `scalar` where only the batch is."""
    if shape is None:
        return "?"
    return "×".join("?" if size is None else str(size) for size in shape[1:]) or "scalar"


def count_text(count: int | None) -> str:
    """A number with its thousands set apart, or `?`."""
    return "?" if count is None else f"{count:,}"


def _layer(node: Node) -> str:
    words = {"conv": _conv, "pool": _pool, "dense": _dense, "merge": _concat}.get(node.role, _plain)
    return words(node)


def _plain(node: Node) -> str:
    """The name of its class in words: `zero padding`, `local response norm`, `dropout 0.4`; an activation's own."""
    if node.words:
        return node.words
    if node.role == "activation":
        return str(node.get("activation") or node.kind)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"\dD$", "", node.kind)).lower()
    rate = node.get("rate") if node.role == "dropout" else None
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
        f"{_extent(node.get('kernel_size'))} {word}conv".strip(),
        node.get("filters"),
        _step(node),
        _unless_one("rate ", node.get("dilation_rate")),
        f"{groups} groups" if isinstance(groups, int) and groups > 1 else None,
    )


def _pool(node: Node) -> str:
    kind = node.kind.lower()
    what = "avg" if "average" in kind or "avg" in kind else "max"
    if "global" in kind:
        return f"global {what} pool"
    if "adaptive" in kind:
        return f"adaptive {what} pool"
    size, strides = node.get("pool_size"), node.get("strides")
    return _join(f"{_extent(size)} {what} pool".strip(), None if size == strides else _stride(strides, "/"))


def _dense(node: Node) -> str:
    return _join("dense", node.get("units"))


def _concat(node: Node) -> str:
    return "concat" if node.kind == "Concatenate" else _plain(node)


def _sequence(nodes: Iterable[Node]) -> str:
    """The telling layers in a row, equal neighbours drawn together: `2 × 3×3 conv + 2×2 max pool`."""
    nodes = list(nodes)
    telling = [n for n in nodes if n.role not in _SILENT] or [n for n in nodes if n.role != "input"]
    parts = [(text, len(list(same))) for text, same in groupby(map(_layer, telling))]
    if len(parts) == 1:
        return _times(*parts[0])
    parts = [(text, len(list(same))) for text, same in groupby(map(_brief, telling))]
    if len(parts) <= _MOST_PARTS:
        return " + ".join(_times(*part) for part in parts)
    roles = [(role, len(list(same))) for role, same in groupby(n.role for n in telling)]
    if len(roles) <= _MOST_PARTS + 1:
        return " + ".join(role if count == 1 else f"{count} {role}s" for role, count in roles)
    return f"{len(nodes)} layers"


def _times(text: str, count: int) -> str:
    return text if count == 1 else f"{count} × {text}"


def _brief(node: Node) -> str:
    """A layer among others: its width shows in the shape of what comes out."""
    if node.role in ("conv", "dense"):
        return _layer(replace(node, attributes=tuple(a for a in node.attributes if a[0] not in ("filters", "units"))))
    return _layer(node).removeprefix("global ").removeprefix("adaptive ")


def _merge(inner: Graph) -> str:
    joins = [n for n in inner.nodes if n.role == "merge"]
    return f"{len(joins[0].inputs)}-branch concat" if len(joins) == 1 else f"{len(joins)} concats"


def _residual(inner: Graph) -> str:
    """The convolutions along the longer way, and how much smaller they make the feature map."""
    convs = longest_way(inner, [n.role == "conv" for n in inner.nodes])
    kernels = [_extent(n.get("kernel_size")) for n in convs]
    sums = sum(n.role == "add" and len(n.inputs) > 1 for n in inner.nodes)
    one = kernels[: len(kernels) // sums]
    times = f"{sums} × " if sums > 1 else ""
    told = f"{times}residual {', '.join(one)}" if one * sums == kernels and len(one) <= 3 else f"{times}residual"
    return _join(told.strip(), *map(_step, convs))


def longest_way(graph: Graph, counted: Sequence[bool], end: int | None = None) -> list[Node]:
    """Of all ways through a graph, or to one node of it, that with the most counted nodes: those nodes, in order."""
    best: list[tuple[int, int | None]] = []  # nodes counted up to here, and the node before
    for number, sources in enumerate(predecessors(graph)):
        if graph.nodes[number].kind == "Multiply":
            sources = sources[:1]  # the others make the gate
        before = max(sources, key=lambda s: best[s][0], default=None)
        best.append((counted[number] + (best[before][0] if before is not None else 0), before))
    step = max(range(len(best)), key=lambda i: best[i][0], default=None) if end is None else end
    way = []
    while step is not None:
        if counted[step]:
            way.append(graph.nodes[step])
        step = best[step][1]
    return way[::-1]


def _join(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part)


def _extent(size: object) -> str:
    """`3×3`; for one dimension `3`."""
    return "×".join(map(str, size)) if isinstance(size, tuple) else str(size or "")


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
