"""A figure in words: a description for those who do not see it, and a caption for those who do."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from ... import checks
from ...graphs.graph import Edge, Graph, Node, Output, leaves
from ...graphs.overviews import overview
from ...graphs.reader import graph_of
from ..lines import line_roles, skip_words
from .differences import descriptions
from .latex_letters import latex_text
from .layer_labels import count_text, describe, is_residual, is_shared, repeats_of, shape_texts

_FIRST_SENTENCE = 124
_LEAST = 200
_MOST_LISTED = 6


@checks.public
def alt_text(model: Any, max_length: int = 2000) -> str:
    """What a figure shows, in plain sentences: for the alternative text that publishers and web pages ask for.

    What network it is, in a first sentence under 125 characters; then every box with what it is and what leaves it, in
    order, repeats told once; branches, short cuts and auxiliary heads; the totals. Where that is too long, boxes in the
    middle are counted only.

    Args:
        model: a graph as it is drawn; or a built Keras model, or a file of one, drawn together by `overview`.
        max_length: in characters; the text stays under it.

    Raises:
        TypeError, ValueError: `model` is no built Keras model; `max_length` is no integer of at least 200.

    >>> import keras
    >>> x = keras.Input((8, 8, 3), name="image")
    >>> y = keras.layers.Conv2D(4, 3, name="stem.conv")(x)
    >>> y = keras.layers.Flatten(name="flatten")(y)
    >>> print(alt_text(keras.Model(x, y, name="net")))
    Diagram of the network net: 3 boxes, from an input of 8×8×3 to an output of 144. In order: image (input of \
8×8×3); stem.conv (3×3 conv, 4) gives 6×6×4; flatten gives 144. In all, 112 parameters and 3,888 multiply-adds.
    """
    return described(_drawn(model), checks.integer("max_length", max_length, _LEAST))


def described(graph: Graph, max_length: int = 2000, ends: Sequence[str] = ()) -> str:
    """`alt_text` of a graph as it is drawn; `ends` are the sentences that it ends with in the place of the totals."""
    first = _first_sentence(graph)
    steps = list(_steps(graph))
    others = [*_short_cuts(graph), *_heads(graph), *_outputs(graph), *_unused(graph), *(ends or (sum_sentence(graph),))]
    room = max_length - 1 - len(first) - 1
    while others and len(" ".join(others)) > room * 2 // 3:  # the totals, which come last, stay longest
        others.pop(0)
    room -= sum(len(text) + 1 for text in others)
    flow = _flow(steps, room)
    return " ".join(filter(None, (first, flow, *others)))


@checks.public
def caption(model: Any, format: str = "text") -> str:
    """A paragraph to put under a figure: what it shows, what was drawn together, what boxes and lines mean.

    Args:
        model: a graph as it is drawn; or a built Keras model, or a file of one, drawn together by `overview`.
        format: text or latex.

    Raises:
        TypeError, ValueError: `model` is no built Keras model; or no such format.

    >>> import keras
    >>> x = y = keras.Input((8,), name="x")
    >>> for i in range(1, 4):
    ...     y = keras.layers.Dense(8, name=f"block{i}.dense")(y)
    ...     y = keras.layers.ReLU(name=f"block{i}.activation")(y)
    >>> print(caption(keras.Model(x, y, name="net")))
    Architecture of net: 7 layers in 2 boxes, with the shapes of what passes between them. ×3 means 3 equal blocks in \
a row: block1–block3, each dense, 8 + ReLU, 72 parameters. In all, 216 parameters and 192 multiply-adds.
    """
    format = checks.choice("format", format, ("text", "latex"))
    graph = _drawn(model)
    sentences = [_what_it_shows(graph), *_folded(graph), *_opened(graph), *_lines(graph), *_marks(graph)]
    sentences.append(sum_sentence(graph))
    text = " ".join(sentences)
    return latex_text(text) if format == "latex" else text


def _drawn(model: Any) -> Graph:
    graph = graph_of(model)
    return graph if isinstance(model, Graph) else overview(graph)


# -- pieces of sentences ----------------------------------------------------------------------------------------------


def _plain(text: str, most: int = 60) -> str:
    """A name without what cannot be read, cut where it is very long."""
    letters = (" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    words = " ".join("".join(letters).split()) or "unnamed"
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def _name(node: Node) -> str:
    return _plain(node.name)


def _called(node: Node) -> str:
    """The name, with which call of the layer it is where there are several boxes of it."""
    call, calls = node.call
    return f"{_name(node)} (shared, {call} of {calls})" if calls > 1 and not is_shared(node) else _name(node)


def _listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def _some(words: Sequence[str]) -> str:
    """All of them, or the first few and how many more there are."""
    if len(words) <= _MOST_LISTED:
        return _listed(words)
    return _listed([*words[: _MOST_LISTED - 1], f"{len(words) - _MOST_LISTED + 1} more"])


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 'es' if word.endswith('x') else 's'}"


def _shapes(node: Node) -> str:
    """All shapes that leave a node, those that are equal and follow each other once."""
    texts = [(text, len(list(same))) for text, same in groupby(shape_texts(node))]
    return _listed([text if count == 1 else f"{text} ({count} times)" for text, count in texts] or ["?"])


# -- alt text ---------------------------------------------------------------------------------------------------------


def _first_sentence(graph: Graph) -> str:
    """What it is: under 125 characters, whatever the network is called."""
    boxes = _counted(len(graph.nodes), "box")
    ends = []
    reading = {edge.target for edge in graph.edges}
    inputs = [node for node in graph.nodes if node.role == "input" and node.id not in reading]
    if inputs:
        one = len(inputs) == 1
        ends.append(f"from an input of {_shapes(inputs[0])}" if one else f"from {_counted(len(inputs), 'input')}")
    main = [o for o in graph.outputs if graph.nodes[o.source].head is None]
    if main:
        one = len(main) == 1
        ends.append(f"to an output of {_shape_of(graph, main[0])}" if one else f"to {_counted(len(main), 'output')}")
    for tail in (f"{boxes}, {' '.join(ends)}." if ends else f"{boxes}.", f"{boxes}."):
        head = "Diagram of the network "
        room = _FIRST_SENTENCE - len(head) - len(tail) - 2
        if room >= 24:
            return f"{head}{_plain(graph.name, room)}: {tail}"
    return f"Diagram of a network: {boxes}."


def _steps(graph: Graph) -> Iterator[tuple[str, str]]:
    """Each box of the main part, in order, in full and in brief; what it follows, if not the one before."""
    before: int | None = None
    sources: dict[int, list[int]] = {}
    for edge in sorted(graph.edges, key=lambda e: (e.target, e.target_port)):
        sources.setdefault(edge.target, []).append(edge.source)
    for node, described in zip(graph.nodes, descriptions(graph), strict=True):
        if node.head is not None:
            continue
        come = list(dict.fromkeys(sources.get(node.id, [])))
        by = "" if not come or come == [before] else f" after {_some([_called(graph.nodes[s]) for s in come])}"
        last = graph.nodes[before] if before is not None else None
        gives = by + _gives(node, last if come == [before] else None)
        again = "".join(_begins(graph, node, before))
        own = repeats_of(graph, node)
        named = f"{again}{_name(node)}"
        yield f"{named}{_what(node, own, described)}{gives}", f"{named}{_in_brief(node)}{gives}"
        before = node.id


def _begins(graph: Graph, node: Node, before: int | None) -> Iterator[str]:
    """That from here on some boxes are computed several times over."""
    around = () if before is None else graph.nodes[before].frames
    for number in node.frames:
        times = graph.frames[number].repeats
        if times > 1 and number not in around:
            boxes = sum(number in other.frames for other in graph.nodes)
            yield f"{times} times over {_counted(boxes, 'box')}, that is "


def _in_brief(node: Node) -> str:
    return f" (input of {_shapes(node)})" if node.role == "input" else ""


def _what(node: Node, repeats: int, described: str) -> str:
    """` (3×3 conv, 64)`; nothing where the name says it."""
    if node.role == "input":
        return f" (input of {_shapes(node)})"
    words = _plain(described, 120)
    told = "" if words == _name(node) else words
    times = f"{repeats} in a row" if repeats > 1 else ""
    inside = ", each ".join(filter(None, (times, told)))
    inside += ", all with one set of weights" if is_shared(node) and repeats > 1 else ""
    closed = f"not opened, {_plain(node.closed, 80)}" if node.closed else ""
    inside = "; ".join(filter(None, (inside, closed)))
    return f" ({inside})" if inside else ""


def _gives(node: Node, before: Node | None) -> str:
    if node.role == "input":
        return ""
    known = not any(None in shape[1:] for shape in node.outputs)
    kept = known and before is not None and before.outputs == node.outputs and node.outputs
    return f" keeps {_shapes(node)}" if kept else f" gives {_shapes(node)}"


def _flow(steps: Sequence[tuple[str, str]], room: int) -> str:
    """The steps in a sentence, each in full or in brief; those in the middle are only counted where even so they are
    too many.
    """
    for chosen in ([full for full, _ in steps], [brief for _, brief in steps]):
        text = f"In order: {'; '.join(chosen)}."
        if len(text) <= room:
            return text
    for kept in range(len(steps) - 1, -1, -1):
        head, tail = chosen[: kept - kept // 2], chosen[len(steps) - kept // 2 :]
        text = f"In order: {'; '.join((*head, _counted(len(steps) - kept, 'more box'), *tail))}."
        if len(text) <= room:
            return text
    return ""


def _short_cuts(graph: Graph) -> Iterator[str]:
    roles = line_roles(graph)
    parting = {number for number, count in Counter(edge.source for edge in graph.edges).items() if count > 1}
    direct = [(e.source, e.target) for e, role in roles.items() if role in ("skip", "concat") and e.source in parting]
    longer = _with_layers(graph, [edge for edge, role in roles.items() if role in ("projection", "padded")])
    sides = [(e.source, e.target) for e, role in roles.items() if role == "side"]
    told = (("skip connection", "", direct), ("skip output", "", sides), ("short cut", " with layers on", longer))
    for word, more, pairs in told:
        texts = [f"from {_name(graph.nodes[s])} to {_name(graph.nodes[t])}" for s, t in dict.fromkeys(pairs)]
        if texts:
            on = (more + (" it" if len(texts) == 1 else " them")) if more else ""
            yield f"{_counted(len(texts), word)}{on}: {_some(texts)}."
    inside = sum(node.repeats for node in graph.nodes if is_residual(node))
    if inside:
        adds = "block adds" if inside == 1 else "blocks add"
        yield f"{inside:,} residual {adds} the input to what the layers make of it."


def _with_layers(graph: Graph, edges: Sequence[Edge]) -> list[tuple[int, int]]:
    """Where each way of such edges begins and ends: on it lie the boxes that read nothing else."""
    leaving: dict[int, list[int]] = {}
    for edge in edges:
        leaving.setdefault(edge.source, []).append(edge.target)
    reading = Counter(edge.target for edge in graph.edges)
    on = {number for number, count in Counter(edge.target for edge in edges).items() if count == reading[number]}
    found = []
    for start in sorted(leaving.keys() - on):
        waiting, seen = [start], set[int]()
        while waiting:
            for target in leaving.get(waiting.pop(), ()):
                if target not in on:
                    found.append((start, target))
                elif target not in seen:
                    seen.add(target)
                    waiting.append(target)
    return found


def _heads(graph: Graph) -> Iterator[str]:
    weights = {o.key: o.loss_weight for o in graph.outputs}
    starts: dict[str, list[str]] = {}
    for edge in graph.edges:
        head = graph.nodes[edge.target].head
        if head is not None and graph.nodes[edge.source].head is None:
            starts.setdefault(head, []).append(_name(graph.nodes[edge.source]))
    for head, sources in starts.items():
        weight = weights.get(head)
        loss = "" if weight is None else f", its loss weighted {weight:g}"
        yield f"Auxiliary head {_plain(head)} branches off after {_some(list(dict.fromkeys(sources)))}{loss}."


def _outputs(graph: Graph) -> Iterator[str]:
    """All outputs, by the keys that the model gives them, unless there is one and it has no name of its own."""
    main = [output for output in graph.outputs if graph.nodes[output.source].head is None]
    if len(main) == 1:
        maker = graph.nodes[main[0].source]
        layers = [part for layer in leaves(maker) for part in (layer.name, *layer.path)]
        members = [part for member in maker.members for part in (member, member.rpartition(".")[2])]
        if main[0].key in ("main", *members, *layers):
            return
    texts = []
    for output in main:
        node, key = graph.nodes[output.source], _plain(output.key)
        by = "" if key in (_name(node), _plain(node.path[-1])) else f" by {_name(node)}"
        texts.append(f"{key}{by} ({_shape_of(graph, output)})")
    if texts:
        yield f"Output{'' if len(texts) == 1 else 's'}: {'; '.join(texts)}."


def _shape_of(graph: Graph, output: Output) -> str:
    texts = shape_texts(graph.nodes[output.source])
    return texts[output.source_port] if output.source_port < len(texts) else "?"


def _unused(graph: Graph) -> Iterator[str]:
    if graph.unused:
        are = "is" if len(graph.unused) == 1 else "are"
        yield f"{_some([_name(node) for node in graph.unused])} {are} kept by the model and not used."


def panel_sentence(titles: Sequence[str]) -> str:
    """That there are panels, and what is in them."""
    are = "panel shows a block" if len(titles) == 1 else "panels show blocks"
    return f"{len(titles)} {are} drawn open: {_some([_plain(title) for title in titles])}."


def sum_sentence(graph: Graph) -> str:
    """What it comes to, and the names of the layers of which the multiply-adds are not known."""
    total, trained = graph.parameters, graph.trainable_parameters
    if not graph.verified:
        return f"Not verified: read from the configuration alone, with {_counted(total, 'parameter')} that are known."
    parts = [_counted(total, "parameter") + (f" ({count_text(trained)} trained)" if trained != total else "")]
    done = graph.work
    if done.exact is not None:
        parts.append(_counted(done.known, "multiply-add"))
        return f"In all, {_listed(parts)}."
    left_out = _some([_plain(name) for name in done.uncounted])
    if done.known:
        parts.append(f"at least {_counted(done.known, 'multiply-add')}, not counting {left_out}")
        return f"In all, {_listed(parts)}."
    return f"In all, {_listed(parts)}; multiply-adds are not known, those of {left_out}."


# -- caption ----------------------------------------------------------------------------------------------------------


def _what_it_shows(graph: Graph) -> str:
    layers = sum(_layers_of(node) for node in graph.nodes)
    boxes = _counted(len(graph.nodes), "box")
    what = boxes if layers == len(graph.nodes) else f"{_counted(layers, 'layer')} in {boxes}"
    return f"Architecture of {_plain(graph.name)}: {what}, with the shapes of what passes between them."


def _layers_of(node: Node) -> int:
    """How many layers a box stands for, those that are called again left out."""
    first = sum(leaf.call[0] == 1 for leaf in leaves(node))
    return first if is_shared(node) else first * node.repeats


def _folded(graph: Graph) -> Iterator[str]:
    """What was drawn together, by how many times it occurs."""
    found: dict[int, list[str]] = {}
    for node, described in zip(graph.nodes, descriptions(graph), strict=True):
        inside = any(graph.frames[f].repeats > 1 for f in node.frames)
        if node.repeats > 1 and not inside:
            each = "" if is_shared(node) or not node.parameters else f", {node.parameters // node.repeats:,} parameters"
            each += ", all with one set of weights" if is_shared(node) else ""
            found.setdefault(node.repeats, []).append(f"{_name(node)}, each {_plain(described, 120)}{each}")
    for frame in graph.frames:
        if frame.repeats > 1 and any(frame.id in node.frames for node in graph.nodes):
            boxes = [_name(node) for node in graph.nodes if frame.id in node.frames]
            named = _plain(frame.name) if frame.path else f"around {boxes[0]} to {boxes[-1]}"
            found.setdefault(frame.repeats, []).append(f"all in the frame {named}")
    for count, texts in sorted(found.items()):
        yield f"×{count} means {count} equal blocks in a row: {_joined(texts)}."


def _joined(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_LISTED
    return "; ".join(texts if more <= 0 else [*texts[:_MOST_LISTED], f"and {more} more"])


def _opened(graph: Graph) -> Iterator[str]:
    around = {f for node in graph.nodes for f in node.frames}
    found = Counter(_plain(frame.name) for frame in graph.frames if frame.id in around and frame.repeats == 1)
    names = [name if count == 1 else f"{name} ({count} times)" for name, count in found.items()]
    if names:
        yield f"{_some(names)} {'is' if len(names) == 1 else 'are'} drawn open, in a frame."


_MEANINGS = {
    "branch": "lines side by side are branches",
    "skip": "lines past boxes are skip connections that change nothing",
    "gated": "lines past boxes are skip connections, scaled by gates where they are gated and else unchanged",
    "side": "skip outputs are second outputs of blocks that go past others to a sum",
    "projection": "dash-dotted lines are short cuts with layers on them",
    "padded": "zero-padded skips have zeros for the channels that are more",
    "aux": "dashed lines lead to auxiliary heads",
}


def _lines(graph: Graph) -> Iterator[str]:
    drawn = line_roles(graph)
    roles = {"skip" if role == "concat" else role for role in drawn.values()}
    told = {**_MEANINGS, "skip": _MEANINGS["gated"]} if "gated" in skip_words([(graph, drawn)]) else _MEANINGS
    meanings = [text for role, text in told.items() if role in roles]
    if meanings:
        text = "; ".join(meanings)
        yield f"{text[0].upper()}{text[1:]}."


def _marks(graph: Graph) -> Iterator[str]:
    """What the short words in the boxes mean, of those that occur."""
    strides = {stride for node in graph.nodes for stride in re.findall(r"[ ,]/([\d×]+)", describe(node))}
    if strides:
        yield "/2 is a stride of 2." if strides == {"2"} else "/ and a number is a stride."
    weights = {o.key: o.loss_weight for o in graph.outputs if o.loss_weight not in (None, 1)}
    if weights:
        told = _some([f"{weight:g} for {_plain(key)}" for key, weight in weights.items()])
        yield f"The loss is weighted {told}."
