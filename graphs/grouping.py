"""Dotted names for the layers of any model, so that `collapse` finds blocks where nobody named any.

What belongs together is read off the names first (`conv2_block1_1_conv`), as far as layers of one prefix stand together
in the graph; then off the graph: what lies between a fork and the layer where its branches meet.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise

from .. import checks
from .graph import Graph, Node, a_graph, changed, subgraph
from .naming import Word, Words, is_automatic, text_of, without_common, words_of
from .rewrite import placement, shared_prefix

Path = tuple[str, ...]

_LINEAR = frozenset({"conv", "dense", "model", "other"})
_SILENT = frozenset({"activation", "norm", "dropout"})
# A region of branches is a block if it holds at most this part of a network's layers, or this many of them.
_LARGEST_PART = 0.5
_SMALL = 10
# How far apart, for each of them, layers of one name may stand and be of one block.
_WIDEST = 100


@checks.public
def group(graph: Graph) -> Graph:
    """Give layers without dots in their names dotted ones, by the blocks that they form; nothing else changes.

    Prefixes that layers next to each other share become blocks (`conv2_block1_1_conv` is `conv2.block1.1_conv`),
    together with the layers of automatic names (`conv2d_57`, `add_3`) that only they use. Where names tell nothing, a
    block is what lies between a fork and the layer where the branches meet, named after that layer; and what is left in
    a row is cut into stages where the feature map changes its size. Nested models are grouped each by itself. Where any
    layer has a dotted name, nothing is done.

    >>> import keras
    >>> x = y = keras.Input((8,), name="x")
    >>> for name in ("body1_dense", "body1_relu", "body2_dense", "body2_relu"):
    ...     y = keras.layers.Dense(8, name=name)(y)
    >>> from layerblocks.graphs import read_graph
    >>> [node.name for node in group(read_graph(keras.Model(x, y))).nodes]
    ['x', 'body1.dense', 'body1.relu', 'body2.dense', 'body2.relu']
    """
    a_graph(graph)
    # Of each node, what its name has in each of the nested models around it: `entry`, then `conv1`.
    names: list[list[Path]] = []
    scopes: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for node in graph.nodes:
        lengths = (0, *(len(graph.frames[f].path) for f in node.frames), len(node.path))
        names.append([node.path[a:b] for a, b in pairwise(lengths)])
        for level in range(len(node.frames) + 1):
            scopes[node.frames[:level]].append(node.id)
    for frames, members in scopes.items():
        _group_scope(graph, members, len(frames), names)
    paths = (tuple(chain(*parts)) for parts in names)
    nodes = (n if n.path == path else changed(n, path=path) for n, path in zip(graph.nodes, paths, strict=True))
    framed = {f: names[n.id][: i + 1] for n in graph.nodes for i, f in enumerate(n.frames)}
    return changed(
        graph,
        nodes=tuple(nodes),
        frames=tuple(changed(f, path=tuple(chain(*framed.get(f.id, [f.path])))) for f in graph.frames),
    )


def _group_scope(graph: Graph, members: Sequence[int], level: int, names: list[list[Path]]) -> None:
    """Lengthen the names that some nodes have in one model, where none of them has a dot."""
    if any(len(names[number][level]) != 1 for number in members):
        return
    items = _items(graph, members, level, names)
    parts = _parts(items, nested=level > 0)
    for number, item in zip(members, items.place, strict=True):
        names[number][level] = parts[item]


@dataclass(frozen=True, slots=True)
class _Items:
    """The layers of one model, and its nested models each as one, in an order of computation."""

    place: list[int]
    names: list[str]
    roles: list[str]
    automatic: list[bool]
    layers: list[int]
    halves: list[bool]
    onward: list[set[int]]
    backward: list[set[int]]
    leaving: set[int]


def _items(graph: Graph, members: Sequence[int], level: int, names: Sequence[Sequence[Path]]) -> _Items:
    part = subgraph(graph, members)
    nodes = [graph.nodes[number] for number in members]
    inside: list[Hashable] = [("frame", n.frames[level]) if len(n.frames) > level else n.id for n in nodes]
    place = placement(part, inside)
    firsts = dict(reversed(list(zip(place, nodes, strict=True))))
    items = [firsts[item] for item in range(len(firsts))]
    nested = [len(node.frames) > level for node in items]
    onward: list[set[int]] = [set() for _ in items]
    backward: list[set[int]] = [set() for _ in items]
    for edge in part.edges:
        source, target = place[edge.source], place[edge.target]
        if source != target:
            onward[source].add(target)
            backward[target].add(source)
    counts = Counter(item for item, node in zip(place, nodes, strict=True) if node.role in _LINEAR)
    return _Items(
        place=place,
        names=[names[node.id][level][0] for node in items],
        roles=["model" if inner else _role(node) for node, inner in zip(items, nested, strict=True)],
        automatic=[not inner and is_automatic(node) for node, inner in zip(items, nested, strict=True)],
        layers=[counts[item] for item in range(len(items))],
        halves=[_halves(node) for node in items],
        onward=onward,
        backward=backward,
        leaving={place[output.source] for output in part.outputs},
    )


def _role(node: Node) -> str:
    return "padding" if node.kind.startswith("ZeroPadding") else node.role


def _halves(node: Node) -> bool:
    """Whether the feature map comes out much smaller or larger than it goes in."""
    if node.role == "pool" or not node.inputs or not node.outputs:
        return node.role == "pool"
    if len(node.inputs[0]) != len(node.outputs[0]):
        return True
    spatial = slice(2, None) if node.get("data_format") == "channels_first" else slice(1, -1)
    sizes = list(zip(node.inputs[0][spatial], node.outputs[0][spatial], strict=True))
    if any(a is None or b is None for a, b in sizes):
        strides = node.get("strides", 1)
        return strides not in (1, (1,) * len(sizes))
    return any(2 * max(a, b) >= 3 * min(a, b) for a, b in sizes if a and b)


# -- blocks -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    """What belongs together: its name, its items, and what is left of their names."""

    name: str
    members: frozenset[int]
    rest: Words


def _parts(items: _Items, nested: bool) -> list[Path]:
    """The name of each item, split where blocks begin."""
    everything = frozenset(i for i, role in enumerate(items.roles) if role != "input")
    named = {i: words_of(items.names[i]) for i in sorted(everything) if not items.automatic[i]}
    rests = dict(without_common(named, least=2 if nested else _SMALL))
    parts: list[list[str]] = [[] for _ in items.names]
    waiting: list[tuple[frozenset[int], Words]] = [(everything, dict(rests))]
    while waiting:
        members, words = waiting.pop()
        for block in _blocks(items, members, words, outermost=members == everything):
            for number in sorted(block.members):
                parts[number].append(block.name)
                if number in block.rest:
                    rests[number] = block.rest[number]
            waiting.append((block.members, block.rest))
    found: list[Path] = []
    taken: dict[Path, str] = {}
    for number, name in enumerate(items.names):
        left = rests.get(number, ())
        path = (*parts[number], name[left[0].start :] if left else name)
        if taken.setdefault(path, name) != name:
            path = (*parts[number], name)
        taken[path] = name
        found.append(path)
    return found


def _blocks(items: _Items, members: frozenset[int], words: Words, outermost: bool) -> list[_Block]:
    """The blocks that some items form, one level of them."""
    blocks = _named_blocks(items, members, _alike(items, members, words))
    if outermost and 2 * _covered(items, blocks) < sum(items.layers[number] for number in members):
        blocks = max(
            blocks, _named_blocks(items, members, _alike_at_the_end(items, words)), key=partial(_covered, items)
        )
    owner = {number: name for name, block in blocks.items() for number in block.members}
    owner |= _region_blocks(items, members, words, owner, outermost)
    _take_neighbours(items, members, owner)
    if outermost:
        _take_runs(items, members, owner, set(owner.values()) | set(items.names))
    found: dict[str, set[int]] = defaultdict(set)
    for number, name in owner.items():
        found[name].add(number)
    return [
        _Block(name, frozenset(inside), {n: _left(words, blocks, name, n) for n in sorted(inside) if n in words})
        for name, inside in found.items()
        if len(inside) > 1 and inside < members and (outermost or _is_more_than_a_unit(items, inside))
    ]


def _left(words: Words, blocks: Mapping[str, _Block], name: str, number: int) -> tuple[Word, ...]:
    """What is left of the name of an item in a block."""
    return blocks[name].rest.get(number, words[number]) if name in blocks else words[number]


def _is_more_than_a_unit(items: _Items, members: set[int]) -> bool:
    joins = any(len(items.backward[number]) > 1 for number in members)
    return joins or sum(items.layers[number] for number in members) > 1


# -- by name ----------------------------------------------------------------------------------------------------------


def _named_blocks(items: _Items, members: frozenset[int], found: Mapping[str, Words]) -> dict[str, _Block]:
    """Items of similar names, with what lies between them, where that is of no other block."""
    hulls = {name: _hull(items, members, set(block)) for name, block in found.items()}
    owner = {number: name for name, block in found.items() for number in block}
    invaded = {name: Counter(owner[n] for n in hull if owner.get(n, name) != name) for name, hull in hulls.items()}
    for name, hull in hulls.items():
        others = hull - set(found[name])
        strangers = sum(not items.automatic[number] for number in others)
        bare = not any(items.layers[n] for n in found[name]) and any(items.layers[n] for n in others)
        if not hull or 2 * strangers > len(found[name]) or bare:
            del invaded[name]
    while True:  # the one that takes most from others is none
        taken_from = {name: sum(count[n] for n in invaded if n in count) for name, count in invaded.items()}
        worst = max(taken_from, key=lambda name: taken_from[name], default=None)
        if worst is None or not taken_from[worst]:
            break
        del invaded[worst]
    hulls = {name: hulls[name] for name in invaded}
    taken: set[int] = set()
    blocks = {}
    for name, hull in hulls.items():
        inside = frozenset(hull - taken)
        if set(found[name]) <= inside:
            taken |= inside
            blocks[name] = _Block(name, inside, found[name])
    return blocks


def _alike(items: _Items, members: frozenset[int], words: Words) -> dict[str, Words]:
    """Items by the first word of their names, and what is left of the names.

    Where almost all begin with the same bare word (`expanded_conv_1_…`), the second one is needed besides.
    """
    total = sum(items.layers[number] for number in members)
    for length in (1, 2, 3):
        found: dict[str, dict[int, tuple[Word, ...]]] = defaultdict(dict)
        for number, own in words.items():
            if number in members and own:
                found[text_of(items.names[number], own[:length])][number] = own[length:]
        most = max(found, key=lambda name: sum(items.layers[n] for n in found[name]), default="")
        if not most.replace("_", "").isalpha() or sum(items.layers[n] for n in found[most]) <= 0.6 * total:
            break
    blocks: dict[str, Words] = {}
    for block in found.values():
        if _several(items, block):
            first = min(block)
            more = len(shared_prefix([word.text for word in own] for own in block.values()))
            name = text_of(items.names[first], words[first][: len(words[first]) - len(block[first]) + more])
            blocks[name] = {number: own[more:] for number, own in block.items()}
    return blocks


def _alike_at_the_end(items: _Items, words: Words) -> dict[str, Words]:
    """Items by the last word of their names (`bn_left1_12`), or the last two where many share these (`bn_1_stem_2`)."""
    ends = {number: items.names[number].split("_")[-2:] for number in words}
    lasts = Counter(end[-1] for end in ends.values())
    pairs = Counter(tuple(end) for end in ends.values())
    found: dict[tuple[str, ...], dict[int, tuple[Word, ...]]] = defaultdict(dict)
    for number, end in ends.items():
        often = pairs[tuple(end)] > 1 and 3 * pairs[tuple(end)] >= lasts[end[-1]]
        found[tuple(end) if often else tuple(end[-1:])][number] = words[number]
    return {items.names[max(block)]: block for block in found.values() if _several(items, block)}


def _several(items: _Items, block: Collection[int]) -> bool:
    """Whether these are more than the calls of one layer."""
    return len({items.names[number] for number in block}) > 1


def _covered(items: _Items, blocks: Mapping[str, _Block]) -> int:
    """How many layers some blocks hold."""
    return sum(items.layers[number] for block in blocks.values() for number in block.members)


def _hull(items: _Items, members: frozenset[int], block: set[int]) -> set[int]:
    """The items of a block and all that lie on the ways between them."""
    first, last = min(block), max(block)
    if last - first > _WIDEST * len(block):
        return set()
    between = range(first, last + 1)
    after, before = set(block), set(block)
    for number in between:
        if number in members and any(source in after for source in items.backward[number]):
            after.add(number)
    for number in reversed(between):
        if number in members and any(target in before for target in items.onward[number]):
            before.add(number)
    return after & before


# -- by the graph -----------------------------------------------------------------------------------------------------


def _regions(items: _Items, members: frozenset[int]) -> list[tuple[int, frozenset[int]]]:
    """What lies between a fork and the item where its branches meet, if nothing else leads in or out.

    Returns:
        That item, and all of the region, the fork not.
    """
    above: dict[int, int] = {}  # the last item that all ways to this one pass; -1 is where everything begins
    limit = max(_LARGEST_PART * sum(items.layers[number] for number in members), _SMALL)
    found = []
    for number in sorted(members):
        sources = [source if source in members else -1 for source in sorted(items.backward[number])] or [-1]
        fork = sources[0]
        for source in sources[1:]:
            while fork != source:
                if fork > source:
                    fork = above[fork]
                else:
                    source = above[source]
        above[number] = fork
        if len(items.backward[number]) > 1:
            region = _between(items, members, fork, number)
            inner = region - {number}
            begun = set().union(*(items.backward[n] for n in region)) - region
            single = len(begun) == 1 and all(items.onward[n] <= region and n not in items.leaving for n in inner)
            if single and sum(items.layers[n] for n in region) <= limit:
                found.append((number, frozenset(region)))
    return found


def _between(items: _Items, members: frozenset[int], fork: int, join: int) -> set[int]:
    region, waiting = {join}, [join]
    while waiting:
        fresh = (items.backward[waiting.pop()] & members) - region - {fork}
        region |= fresh
        waiting.extend(fresh)
    return region


def _region_blocks(
    items: _Items, members: frozenset[int], words: Words, owner: dict[int, str], outermost: bool
) -> dict[int, str]:
    """The blocks that regions form: the largest that hold no part of a block, or several whole ones.

    Of a region in which only one block has a part, all goes to that block.
    """
    regions = sorted(_regions(items, members), key=lambda region: (len(region[1]), region[0]))
    for _, region in regions:
        touched = {owner[number] for number in region if number in owner}
        if len(touched) == 1:
            owner |= dict.fromkeys(region, touched.pop())
    sizes = Counter(owner.values())
    linear = {number for number in members if items.layers[number]}
    found: dict[int, str] = {}
    for join, region in reversed(regions):
        held = Counter(owner[number] for number in region if number in owner)
        whole = len(held) != 1 and all(sizes[name] == count for name, count in held.items())
        part = region < members and (outermost or not region >= linear)
        if whole and part and not any(number in found for number in region):
            name = items.names[join][words[join][0].start :] if words.get(join) else items.names[join]
            taken = set(found.values()) | set(sizes)
            found |= dict.fromkeys(region, name if name not in taken else _unused(f"{name}_", taken))
    return found


def _take_neighbours(items: _Items, members: frozenset[int], owner: dict[int, str]) -> None:
    """What has an automatic name and serves one block alone: the padding before it, the activation behind it."""
    for number in sorted(members):
        if number in owner or not items.automatic[number] or len(items.backward[number]) != 1:
            continue
        (source,) = items.backward[number]
        if items.roles[number] in _SILENT and source in owner and items.onward[source] == {number}:
            owner[number] = owner[source]
    for number in sorted(members, reverse=True):
        if number in owner or not items.automatic[number] or items.roles[number] not in (*_SILENT, "padding"):
            continue
        if len(items.onward[number]) == 1 and number not in items.leaving:
            (target,) = items.onward[number]
            if target in owner and items.backward[target] == {number}:
                owner[number] = owner[target]


def _take_runs(items: _Items, members: frozenset[int], owner: dict[int, str], taken: set[str]) -> None:
    """Stages of what is left in a row: each ends where the feature map changes its size."""
    loose = [number for number in sorted(members) if number not in owner and items.automatic[number]]
    follows = {
        number: next(iter(items.onward[number]))
        for number in loose
        if len(items.onward[number]) == 1 and number not in items.leaving
    }
    follows = {a: b for a, b in follows.items() if b in set(loose) and items.backward[b] == {a}}
    begun = bool(owner)
    first = min(owner, default=-1)
    for start in [number for number in loose if number not in set(follows.values())]:
        run = [start]
        while run[-1] in follows:
            run.append(follows[run[-1]])
        stages = _stages(items, run)
        for stage in stages:
            if sum(items.layers[number] for number in stage) < 2:
                continue
            stem = begun and stage[-1] < first and len(stages) == 1
            name = "stem" if stem and "stem" not in taken else _unused("stage", taken)
            taken.add(name)
            owner |= dict.fromkeys(stage, name)


def _stages(items: _Items, run: Sequence[int]) -> list[list[int]]:
    """A row, cut before what makes the feature map smaller; a pooling ends the stage before it instead."""
    stages: list[list[int]] = [[]]
    for number in run:
        pools = items.roles[number] == "pool"
        filled = any(items.layers[n] for n in stages[-1])
        if filled and items.halves[number] and not pools:
            stages.append([])
        stages[-1].append(number)
        if filled and pools:
            stages.append([])
    return [stage for stage in stages if stage]


def _unused(name: str, taken: set[str]) -> str:
    return next(candidate for number in range(1, len(taken) + 2) if (candidate := f"{name}{number}") not in taken)
