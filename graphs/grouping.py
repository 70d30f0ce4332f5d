"""Dotted names for the layers of any model, so that `collapse` finds blocks where nobody named any.

What belongs together is read off the names first (`conv2_block1_1_conv`), as far as layers of one prefix stand together
in the graph; then off the graph: what lies between a fork and the layer where its branches meet, and rows of layers.
What the graph alone tells has no name; it is called by the pattern that it is (`residual 1`, `transformer block 3`).
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise, permutations

from .. import checks
from .graph import Frame, Graph, Node, a_graph, changed, subgraph
from .naming import Word, Words, is_automatic, text_of, without_common, words_of
from .patterns import Pattern, recognised
from .rewrite import placement, shared_prefix

Path = tuple[str, ...]

_LINEAR = frozenset({"conv", "dense", "attention", "recurrent", "embedding", "model", "other"})
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
    block is what lies between a fork and the layer where the branches meet, and what is left in a row, cut where the
    feature map changes its size; what lies between the ends of a long skip connection, as that of a U-Net, is none.
    Such a block is called by its pattern (`patterns.pattern_of`) and numbered. Nested models are grouped each by
    itself. Where any layer has a dotted name, nothing is done.

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
    if level and graph.frames[graph.nodes[members[0]].frames[level - 1]].whole is not None:  # what a layer wraps
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
    nodes: list[Node]
    sources: list[list[int]]
    shrinks: list[bool]
    grows: list[bool]
    onward: list[set[int]]
    backward: list[set[int]]
    leaving: set[int]
    last: set[int]


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
    sources: list[list[int]] = [[] for _ in items]
    for edge in sorted(part.edges, key=lambda e: (e.target, e.target_port)):
        source, target = place[edge.source], place[edge.target]
        if source != target:
            if edge.carries != "mask":
                sources[target].append(source)
            onward[source].add(target)
            backward[target].add(source)
    leaving = {place[output.source] for output in part.outputs}
    counts = Counter(item for item, node in zip(place, nodes, strict=True) if node.role in _LINEAR)
    return _Items(
        place=place,
        names=[names[node.id][level][0] for node in items],
        roles=[_as_one(graph, n, level).role if inner else _role(n) for n, inner in zip(items, nested, strict=True)],
        automatic=[
            _is_automatic(graph.frames[node.frames[level]]) if inner else is_automatic(node)
            for node, inner in zip(items, nested, strict=True)
        ],
        layers=[counts[item] for item in range(len(items))],
        nodes=[_as_one(graph, n, level) if inner else n for n, inner in zip(items, nested, strict=True)],
        sources=sources,
        shrinks=[not inner and _changes(node, smaller=True) for node, inner in zip(items, nested, strict=True)],
        grows=[not inner and _changes(node, smaller=False) for node, inner in zip(items, nested, strict=True)],
        onward=onward,
        backward=backward,
        leaving=leaving,
        last=_last(onward, leaving, [_role(node) for node in items]),
    )


def _is_automatic(frame: Frame) -> bool:
    return frame.whole is not None and is_automatic(changed(frame.whole, path=frame.path))


def _as_one(graph: Graph, node: Node, level: int) -> Node:
    """What stands for all that is in a frame: a nested model, or what a layer wraps."""
    whole = graph.frames[node.frames[level]].whole
    return changed(node, kind="Model" if whole is None else whole.kind, role="model" if whole is None else whole.role)


def _last(onward: Sequence[set[int]], leaving: set[int], roles: Sequence[str]) -> set[int]:
    """What leaves the model, and what only an activation or a reshaping stands after."""
    last = set(leaving)
    for number in reversed(range(len(onward))):
        if len(onward[number]) == 1:
            (target,) = onward[number]
            if target in last and roles[target] in ("activation", "shape", "dropout"):
                last.add(number)
    return last


def _role(node: Node) -> str:
    return "padding" if node.kind.startswith("ZeroPadding") else node.role


_REORDERING = frozenset({"Reshape", "Permute", "Transpose", "Flatten"})


def _changes(node: Node, smaller: bool) -> bool:
    """Whether the feature map comes out much smaller than it goes in; or much larger."""
    if not node.inputs or not node.outputs or node.role in ("add", "merge", "activation") or node.kind in _REORDERING:
        return False
    if len(node.inputs[0]) != len(node.outputs[0]):
        return smaller and node.role == "pool"
    spatial = slice(2, None) if node.get("data_format") == "channels_first" else slice(1, -1)
    sizes = list(zip(node.inputs[0][spatial], node.outputs[0][spatial], strict=True))
    if any(a is None or b is None for a, b in sizes):
        larger = "Transpose" in node.kind or node.kind.startswith("UpSampling")
        strided = node.role == "pool" or node.get("strides", 1) not in (1, (1,) * len(sizes)) or larger
        return strided and smaller != larger
    return any(2 * (a if smaller else b) >= 3 * (b if smaller else a) for a, b in sizes if a and b)


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
    owner |= _region_blocks(items, members, owner, outermost)
    _take_neighbours(items, members, owner)
    _join_halves(items, members, owner)
    if outermost:
        _take_runs(items, members, owner)
    found: dict[str, set[int]] = defaultdict(set)
    for number, name in owner.items():
        found[name].add(number)
    found = {
        name: inside
        for name, inside in found.items()
        if len(inside) > 1 and inside < members and (outermost or _is_more_than_a_unit(items, inside))
    }
    called = _called(items, words, found)
    return [
        _Block(
            called.get(name, name),
            frozenset(inside),
            {n: _left(words, blocks, name, n) for n in sorted(inside) if n in words},
        )
        for name, inside in found.items()
    ]


# The names of blocks that the graph alone tells begin so, until all are found.
_UNNAMED = "\0"


def _called(items: _Items, words_of_names: Words, found: Mapping[str, set[int]]) -> dict[str, str]:
    """What blocks without a name are called: their pattern, numbered where there are several of it.

    Where branches meet in a layer that somebody has named, the block has that name.
    """
    called: dict[str, str] = {}
    for name in found:
        join = int(name[1:]) if name.startswith(_UNNAMED) and name[1:].isdigit() else None
        if join is not None and not items.automatic[join] and items.roles[join] != "model":
            own = items.names[join]
            own = own[words_of_names[join][0].start :] if words_of_names.get(join) else own
            if own not in found and own not in called.values():
                called[name] = own
    unnamed = [name for name in found if name.startswith(_UNNAMED) and name not in called]
    unnamed.sort(key=lambda name: min(found[name]))
    owner = {number: name for name in unnamed for number in found[name]}
    words = {name: _kind(items, found[name]) for name in unnamed}
    for name in unnamed:
        if words[name] == "decoder level":
            for number in found[name]:
                joins = len(items.backward[number]) > 1 or items.onward[number] & found[name] - {number}
                for source in items.backward[number] - found[name] if joins and not items.grows[number] else ():
                    if words.get(owner.get(source, "")) == "conv block":
                        words[owner[source]] = "encoder level"
    counts, used = Counter(words.values()), Counter[str]()
    for name in unnamed:
        word = words[name]
        used[word] += 1
        called[name] = f"{word} {used[word]}" if counts[word] > 1 else word
    return called


def _kind(items: _Items, members: Collection[int]) -> str:
    pattern = _pattern(items, members)
    return "block" if pattern is None else pattern.name


def _pattern(items: _Items, members: Collection[int]) -> Pattern | None:
    """The pattern of some items."""
    inside = sorted(members)
    new = {number: i for i, number in enumerate(inside)}
    outside: dict[int, int] = {}
    sources = [
        [new[s] if s in new else outside.setdefault(s, -1 - len(outside)) for s in items.sources[n]] for n in inside
    ]
    exits = {new[n] for n in inside if n in items.leaving or any(t not in new for t in items.onward[n])}
    return recognised([items.nodes[n] for n in inside], sources, exits)


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
        if _several(items, block) and _is_scope(items, words, block):
            first = min(block)
            more = len(shared_prefix([word.text for word in own] for own in block.values()))
            name = text_of(items.names[first], words[first][: len(words[first]) - len(block[first]) + more])
            blocks[name] = {number: own[more:] for number, own in block.items()}
    return blocks


def _is_scope(items: _Items, words: Words, block: Mapping[int, tuple[Word, ...]]) -> bool:
    """Whether layers of one first word are a block: it has a number, or most of three at least follow each other.

    Of two, one must be a norm or an activation that follows.
    """
    first = min(block)
    used = words[first][: len(words[first]) - len(block[first])]
    if any(character.isdigit() for word in used for character in word.text):
        return True
    linked = sum(bool(items.backward[number] & block.keys()) for number in block)
    several = len({items.names[number] for number in block}) > 2
    return (several and 2 * linked >= len(block)) or (linked > 0 and items.roles[max(block)] in _SILENT)


def _alike_at_the_end(items: _Items, words: Words) -> dict[str, Words]:
    """Items by the last word of their names (`bn_left1_12`), or the last two where many share these (`bn_1_stem_2`)."""
    ends = {number: items.names[number].split("_")[-2:] for number in words}
    lasts = Counter(end[-1] for end in ends.values())
    pairs = Counter(tuple(end) for end in ends.values())
    found: dict[tuple[str, ...], dict[int, tuple[Word, ...]]] = defaultdict(dict)
    for number, end in ends.items():
        often = pairs[tuple(end)] > 1 and 3 * pairs[tuple(end)] >= lasts[end[-1]]
        found[tuple(end) if often else tuple(end[-1:])][number] = words[number]
    return {
        items.names[max(block)]: block
        for end, block in found.items()
        if _several(items, block) and any(character.isdigit() for character in "".join(end))
    }


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


def _is_long_skip(items: _Items, join: int, region: frozenset[int], sums: Collection[int]) -> bool:
    """Whether what comes in goes past whole blocks or past other sizes of the map, as in a U-Net: that is no block."""
    if len(items.backward[join]) != 2:
        return False
    inside = region - {join}
    if any(items.shrinks[n] for n in inside) and any(items.grows[n] for n in inside):
        return True
    return sum(number in sums for number in inside) > 1


def _sided(items: _Items, members: frozenset[int], join: int) -> frozenset[int] | None:
    """The region of a sum or product of something and of what is computed from it, and of more from outside."""
    first, second = sorted(items.backward[join])
    for start, other in ((first, second), (second, first)):
        fork, short = start, [start]
        while len(items.backward[fork]) == 1 and len(items.onward[fork]) == 1 and len(short) <= _LONGEST_SHORTCUT:
            (fork,) = items.backward[fork]
            short.append(fork)
        for end, way in ((start, []), (fork, short[:-1])):
            region = _cone(items, members, join, other, end)
            if region is not None and all(number in members for number in way):
                return frozenset(region | set(way))
    return None


_LONGEST_SHORTCUT = 3
_LARGEST_CONE = 40


def _cone(
    items: _Items, members: frozenset[int], join: int, last: int, fork: int, aside: Collection[int] = ()
) -> set[int] | None:
    """All between a fork and a join that only the join needs, and what is `aside`."""
    region, waiting, seen = {join}, [-last], {last}
    while waiting:
        number = -heapq.heappop(waiting)
        if number == fork or number not in members or number < fork:
            continue
        if not items.onward[number] - region <= set(aside) or number in items.leaving or items.roles[number] == "input":
            continue
        region.add(number)
        if len(region) > _LARGEST_CONE:
            return None
        for source in items.backward[number] - seen:
            seen.add(source)
            heapq.heappush(waiting, -source)
    after = {fork}
    for number in sorted(region):
        if items.backward[number] & after:
            after.add(number)
    kept = {join}
    for number in sorted(region - {join}, reverse=True):
        beside = len(items.backward[number]) == 1 and (
            items.roles[number] in ("dense", "shape", "activation") or _is_pointwise(items.nodes[number])
        )
        if (number in after or beside) and items.onward[number] - kept <= set(aside):
            kept.add(number)
    return kept if last in kept and last in after else None


def _with_skip_outputs(items: _Items, members: frozenset[int]) -> list[tuple[int, frozenset[int]]]:
    """The regions of residuals that give two tensors each: their sum goes on to the next one, and another tensor to a
    sum or concatenation that several of them have in common, as in WaveNet.

    That other one, and what it alone passes before it gets there, is part of the region.
    """
    found: dict[int, list[tuple[int, int, frozenset[int]]]] = defaultdict(list)  # by where they have in common
    for join in sorted(members):
        if items.nodes[join].kind != "Add" or len(items.backward[join]) != 2:
            continue
        for fork, last in permutations(sorted(items.backward[join])):
            sides = _sides(items, members, fork, join) if fork < last and join <= fork + _WIDEST else {}
            region = _cone(items, members, join, last, fork, sides) if sides else None
            begun = [(n, reader) for n in sorted(region or ()) for reader in items.onward[n] if reader in sides]
            if region is not None and len(begun) == 1:
                common, way = sides[begun[0][1]]
                found[common].append((fork, join, frozenset({*region, *way})))
    several = [blocks for blocks in found.values() if len({fork for fork, _, _ in blocks}) > 1]
    return [(join, region) for blocks in several for _, join, region in blocks]


def _sides(items: _Items, members: frozenset[int], fork: int, join: int) -> dict[int, tuple[int, list[int]]]:
    """Where ways begin that leave a region and lead to another join than its own: that one, and what lies before it."""
    found = {}
    before = {join}  # what the join is made of
    for number in range(join, fork, -1):
        before |= items.backward[number] if number in before else set()
    for number in range(fork + 1, join):
        for reader in sorted(items.onward[number]) if number in members and len(items.onward[number]) > 1 else ():
            way: list[int] = []
            at = reader
            while at in members and len(way) < _LONGEST_SIDE and _goes_on(items, at):
                way.append(at)
                (at,) = items.onward[at]
            if at in members - before and items.nodes[at].kind in ("Add", "Concatenate"):
                found[reader] = _total(items, at), way
    return found


def _goes_on(items: _Items, number: int) -> bool:
    """Whether an item reads one tensor and gives one to one reader, and is no more than a layer."""
    single = len(items.backward[number]) == len(items.onward[number]) == 1 and number not in items.leaving
    return single and (items.roles[number] in (*_SILENT, "shape", "dense") or _is_pointwise(items.nodes[number]))


def _total(items: _Items, join: int) -> int:
    """The last of sums each of which only the next one reads."""
    while items.nodes[join].kind == "Add" and len(items.onward[join]) == 1 and join not in items.leaving:
        (following,) = items.onward[join]
        if items.nodes[following].kind != "Add":
            break
        join = following
    return join


_LONGEST_SIDE = 3


# Where branches meet in one of these, what lies between is a block even where no pattern is known for it.
_MEETING = frozenset({"Add", "Concatenate", "Model"})


def _is_pointwise(node: Node) -> bool:
    """Whether a layer is a 1×1 convolution."""
    size = node.get("kernel_size")
    return node.role == "conv" and isinstance(size, tuple) and set(size) == {1}


def _region_blocks(items: _Items, members: frozenset[int], owner: dict[int, str], outermost: bool) -> dict[int, str]:
    """The blocks that regions form: the largest that hold no part of a block, or several whole ones.

    Of a region in which only one block has a part, all goes to that block.
    """
    all_regions = _regions(items, members)
    joins = {join for join, _ in all_regions}
    for number in sorted(members - joins):
        if items.nodes[number].kind in ("Add", "Multiply") and len(items.backward[number]) == 2:
            region = _sided(items, members, number)
            if region is not None:
                all_regions.append((number, region))
    all_regions += _with_skip_outputs(items, members)
    sums = {join for join, _ in all_regions if items.nodes[join].kind == "Add"}
    all_regions = [(join, region) for join, region in all_regions if not _is_long_skip(items, join, region, sums)]
    regions = sorted(all_regions, key=lambda region: (len(region[1]), region[0]))
    for _, region in regions:
        touched = {owner[number] for number in region if number in owner}
        if len(touched) == 1:
            owner |= dict.fromkeys(region, touched.pop())
    sizes = Counter(owner.values())
    linear = {number for number in members if items.layers[number]}
    found: dict[int, str] = {}
    for join, region in reversed(regions):
        if items.nodes[join].kind not in _MEETING and _pattern(items, region) is None:
            continue
        held = Counter(owner[number] for number in region if number in owner)
        whole = len(held) != 1 and all(sizes[name] == count for name, count in held.items())
        part = region < members and (outermost or not region >= linear)
        if whole and part and not any(number in found for number in region):
            found |= dict.fromkeys(region, f"{_UNNAMED}{join}")
    return found


def _join_halves(items: _Items, members: frozenset[int], owner: dict[int, str]) -> None:
    """The residuals of attention and of the feed-forward network after it are one block of a transformer."""
    blocks: dict[str, set[int]] = defaultdict(set)
    for number, name in owner.items():
        if name.startswith(_UNNAMED):
            blocks[name].add(number)
    parts = {name: pattern.name for name in blocks if (pattern := _pattern(items, blocks[name])) is not None}
    reads = {name: _reader(items, blocks[name], owner) for name in parts}
    done: set[str] = set()
    for name in sorted(parts, key=lambda name: min(blocks[name])):
        row = [name]
        while len(row) < 3 and (following := reads.get(row[-1])) in parts:
            assert following is not None
            row.append(following)
        count = next((n for n in (3, 2) if tuple(parts[each] for each in row[:n]) in _HALVES), 0)
        union = set[int]().union(*(blocks[each] for each in row[:count]))
        if count and union < members and not done & set(row[:count]):
            done |= set(row[:count])
            owner |= dict.fromkeys(union, f"{name}+")


def _reader(items: _Items, block: Collection[int], owner: Mapping[int, str]) -> str | None:
    """The only block that reads what leaves one; None if more does."""
    read = {target for number in block for target in items.onward[number]} - set(block)
    names = {owner.get(target) for target in read}
    return next(iter(names)) if len(names) == 1 and not any(number in items.leaving for number in block) else None


_HALVES = (
    ("attention residual", "feed-forward residual"),
    ("token-mixing residual", "feed-forward residual"),
    ("attention residual", "cross-attention residual", "feed-forward residual"),
)


def _take_neighbours(items: _Items, members: frozenset[int], owner: dict[int, str]) -> None:
    """What has an automatic name and serves one block alone: the padding before it, the activation after it.

    A norm after a residual that normalises what it reads is the next block's, or the network's last.
    """
    for number in sorted(members):
        if number in owner or not items.automatic[number] or len(items.backward[number]) != 1:
            continue
        (source,) = items.backward[number]
        if items.roles[number] not in _SILENT or source not in owner or items.onward[source] != {number}:
            continue
        if items.roles[number] != "norm" or not _is_pre_norm(items, owner, source):
            owner[number] = owner[source]
    for number in sorted(members, reverse=True):
        if number in owner or not items.automatic[number] or items.roles[number] not in (*_SILENT, "padding"):
            continue
        if len(items.onward[number]) == 1 and number not in items.leaving:
            (target,) = items.onward[number]
            if target in owner and items.backward[target] == {number}:
                owner[number] = owner[target]


def _is_pre_norm(items: _Items, owner: Mapping[int, str], join: int) -> bool:
    """Whether a sum ends a block in which what is computed begins with a norm."""
    if items.nodes[join].kind != "Add":
        return False
    inside = owner[join]
    return any(
        items.roles[n] == "norm" and owner.get(n) == inside and all(owner.get(s) != inside for s in items.backward[n])
        for n in range(max(0, join - _LARGEST_CONE), join)
    )


def _take_runs(items: _Items, members: frozenset[int], owner: dict[int, str]) -> None:
    """What is left in a row: levels of feature maps of one size, dense or recurrent layers."""
    loose = [number for number in sorted(members) if number not in owner and items.automatic[number]]
    excited = _excitations(items, set(loose), owner)
    loose = sorted([*loose, *chain.from_iterable(excited.values())])
    whole = set(chain.from_iterable(excited.values()))
    left = set(loose)
    follows = {
        number: next(iter(items.onward[number]))
        for number in loose
        if len(items.onward[number]) == 1 and number not in items.leaving
    }
    follows = {a: b for a, b in follows.items() if b in left and items.backward[b] == {a}}
    for before, inside in excited.items():
        follows[before] = min(inside)
        follows[max(items.backward[max(inside)] & inside)] = max(inside)
    gates: dict[int, set[int]] = {}
    for join in loose:
        if join not in whole and items.nodes[join].kind in ("Concatenate", "Add") and len(items.backward[join]) > 1:
            found = _rises_to(items, join, left, follows, owner)
            if found is not None:
                follows[found[0]] = join
                gates[join] = found[1]
    followed = set(follows.values())
    for start in [number for number in loose if number not in followed]:
        run = [start]
        while run[-1] in follows:
            run.append(follows[run[-1]])
        for stage in _stages(items, run, whole):
            linear = {items.names[number] for number in stage if items.layers[number] and number not in whole}
            joins = any(number in gates for number in stage)
            if len(linear) > 1 or (linear and joins):
                more = set[int]().union(*(gates.get(number, ()) for number in stage))
                owner |= dict.fromkeys((*stage, *more), f"{_UNNAMED}row{stage[0]}")


def _rises_to(
    items: _Items, join: int, left: Collection[int], follows: Mapping[int, int], owner: Mapping[int, str]
) -> tuple[int, set[int]] | None:
    """The input of a join that comes from a smaller map, where it is the only one; and the gate on the other."""
    before = {b: a for a, b in follows.items()}
    found = []
    for source in items.backward[join] & set(left):
        others = items.onward[source] - {join}
        names = {owner.get(number, "") for number in others}
        gated = {n for n in owner if owner[n] in names} if others and names and "" not in names else set()
        if (others and not (gated and any(s in gated for s in items.backward[join]))) or source in items.leaving:
            continue
        number = source
        for _ in range(_LONGEST_RISE):
            if items.grows[number] or number not in before:
                break
            number = before[number]
        if items.grows[number]:
            found.append((source, gated))
    return found[0] if len(found) == 1 else None


_LONGEST_RISE = 5


def _excitations(items: _Items, loose: Collection[int], owner: Mapping[int, str]) -> dict[int, set[int]]:
    """The squeeze-and-excitation after each layer of a row that has one."""
    blocks: dict[str, set[int]] = defaultdict(set)
    for number, name in owner.items():
        if name.startswith(_UNNAMED) and not name.endswith("+"):
            blocks[name].add(number)
    found = {}
    for block in blocks.values():
        join = max(block)
        if items.nodes[join].kind != "Multiply" or len(items.backward[join] & block) != 1:
            continue
        before = items.backward[join] - block
        pattern = _pattern(items, block)
        if before <= set(loose) and pattern is not None and pattern.name == "squeeze-and-excitation":
            found[before.pop()] = block
    return found


def _stages(items: _Items, run: Sequence[int], whole: Collection[int] = ()) -> list[list[int]]:
    """A row, cut before what changes the size of the map, and where it goes from convolutions to other layers.

    A pooling ends the stage before it. A last 1×1 convolution after others stands for itself. The 1×1 convolution
    before a depthwise one that is strided goes with it. Nothing is cut within `whole`.
    """
    stages: list[list[int]] = [[]]
    family = ""
    for number in run:
        if number in whole:
            stages[-1].append(number)
            continue
        role, kind = items.roles[number], _family(items, number)
        filled = any(items.layers[n] for n in stages[-1])
        pools = role == "pool" and kind == "map"
        cut = filled and ((items.shrinks[number] and not pools) or items.grows[number])
        if cut or (kind and kind != family and stages[-1] and family):
            expansion = next((n for n in reversed(stages[-1]) if items.layers[n]), None)
            if cut and items.nodes[number].kind.startswith("Depthwise") and expansion is not None:
                at = stages[-1].index(expansion) if _is_pointwise(items.nodes[expansion]) else len(stages[-1])
                stages[-1], moved = stages[-1][:at], stages[-1][at:]
                stages.append(moved)
            else:
                stages.append([])
        family = kind or family
        if kind == "none":
            stages.append([])
        else:
            stages[-1].append(number)
        if filled and pools:
            stages.append([])
    for stage in stages:
        linear = [number for number in stage if items.layers[number]]
        if len(linear) > 1 and linear[-1] in items.last and _is_pointwise(items.nodes[linear[-1]]):
            del stage[stage.index(linear[-1]) :]
    return [stage for stage in stages if stage]


def _family(items: _Items, number: int) -> str:
    """What a layer works on: "" for what goes with anything, "none" for what stands alone."""
    node, role = items.nodes[number], items.roles[number]
    if role in (*_SILENT, "padding") and len(items.backward[number]) < 2:
        return ""
    if role == "conv" or (role == "pool" and len(node.inputs[0]) == len(node.outputs[0])) or items.grows[number]:
        return "map"
    if node.kind in ("Concatenate", "Add"):
        return "map"
    if role in ("dense", "recurrent"):
        return role
    return "none"
