"""In what boxes differ that are called alike, such as the last of several blocks, which alone has no activation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from ...graphs.graph import Graph, Node
from .layer_labels import describe, parts_of

_MOST_SAID = 2  # differences; what differs in more has a letter


def descriptions(graph: Graph) -> list[str]:
    """What each node is, in a few words, and in what it differs from others of which these say the same."""
    apart = told_apart(graph)
    return [", ".join(filter(None, (describe(node), apart.get(node.id)))) for node in graph.nodes]


def told_apart(graph: Graph) -> Mapping[int, str]:
    """What to say of boxes besides their descriptions, where these are equal and the layers inside are not.

    Layers count by what they do, whatever their widths. Of blocks with one description those that there are the most of
    are as described, and of others is said what they have besides or lack. Where that is too much to say, blocks have a
    letter for their type, in the order of the network.

    Returns:
        By the number of the node: `no final ReLU`, `with dropout`, `type B`.
    """
    alike: dict[str, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        if node.inner is not None and node.kind != "Unit" and not node.words:
            alike[describe(node)].append(node)
    found: dict[int, str] = {}
    for nodes in alike.values():
        if len(nodes) > 1:
            found |= _among(nodes)
    return found


def _among(nodes: Sequence[Node]) -> dict[int, str]:
    parts = {node.id: parts_of(node) for node in nodes}
    kinds: dict[frozenset[tuple[str, int]], list[Node]] = defaultdict(list)
    for node in nodes:
        kinds[frozenset(Counter(parts[node.id]).items())].append(node)
    if len(kinds) == 1:
        return {}
    said: dict[int, dict[str, list[Node]]] = {}  # by the first node of each type: its own, and those that differ little
    for same in sorted(kinds.values(), key=lambda same: -sum(node.repeats for node in same)):
        first = same[0].id
        near = ((other, _difference(parts[first], parts[other])) for other in said)
        other, text = next(((other, text) for other, text in near if text and text not in said[other]), (first, ""))
        said.setdefault(other, {})[text] = same
    letters = dict(zip(sorted(said), ascii_uppercase, strict=False))
    found: dict[int, str] = {}
    for first, lots in said.items():
        letter = f"type {letters.get(first, first)}" if len(said) > 1 else ""
        found |= {node.id: ", ".join(filter(None, (letter, text))) for text, same in lots.items() for node in same}
    return {number: text for number, text in found.items() if text}


def _difference(own: Sequence[str], usual: Sequence[str]) -> str:
    """What there is besides the usual layers, or is missing; "" if that is too much to say."""
    more, less = Counter(own) - Counter(usual), Counter(usual) - Counter(own)
    if more.total() == less.total() == 1:
        return f"{next(iter(more))} for {next(iter(less))}"
    if len(more) + len(less) > _MOST_SAID:
        return ""
    said = [_more(part, count, own, usual) for part, count in more.items()]
    said += [_fewer(part, count, own, usual) for part, count in less.items()]
    return ", ".join(said)


def _more(part: str, count: int, own: Sequence[str], usual: Sequence[str]) -> str:
    if part not in usual:
        return f"with {part}"
    return f"final {part}" if count == 1 and own[-1] == part != usual[-1] else f"{count} {part} more"


def _fewer(part: str, count: int, own: Sequence[str], usual: Sequence[str]) -> str:
    if part not in own:
        return f"no {part}"
    return f"no final {part}" if count == 1 and usual[-1] == part != own[-1] else f"{count} {part} fewer"
