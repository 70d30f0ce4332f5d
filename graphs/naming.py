"""The words that the names of layers are made of."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .graph import AT_EACH_STEP, Node


@dataclass(frozen=True, slots=True)
class Word:
    """A part of a name, and where it starts."""

    text: str
    start: int


Words = Mapping[int, tuple[Word, ...]]


def words_of(name: str) -> tuple[Word, ...]:
    """`conv2_block1_1_conv` in four, `stage_0_block_12_gelu` in three, `block2a_bn` in three."""
    found: list[Word] = []
    for match in re.finditer(r"[^_]+", name):
        word, start = match.group(), match.start()
        numbered = re.fullmatch(r"([A-Za-z]+\d+)([a-z])", word)
        if word.isdigit() and found and found[-1].text.isalpha():
            found[-1] = Word(name[found[-1].start : match.end()], found[-1].start)
        elif numbered:
            found += [Word(numbered[1], start), Word(numbered[2], start + len(numbered[1]))]
        else:
            found.append(Word(word, start))
    return tuple(found)


def without_common(words: Words, least: int) -> Words:
    """Take off the words that all names begin with, the name of the network, if there are enough names to tell."""
    while len(words) >= least and len({own[0].text for own in words.values()}) == 1:
        if any(len(own) == 1 for own in words.values()):
            break
        words = {number: own[1:] for number, own in words.items()}
    return words


def text_of(name: str, words: Sequence[Word]) -> str:
    """Some words in a row as they stand in a name."""
    return name[words[0].start : words[-1].start + len(words[-1].text)]


def is_automatic(node: Node) -> bool:
    """Whether Keras has made up the name: `conv2d`, `batch_normalization_3`; `time_distributed` of what that wraps."""
    wrapped = bool(node.get(AT_EACH_STEP)) and is_made_up("TimeDistributed", node.path[-1])
    return wrapped or is_made_up(node.kind, node.path[-1])


def is_made_up(kind: str, name: str) -> bool:
    """Whether Keras has made up a name for a layer of some class.

    >>> is_made_up("Conv2D", "conv2d_7"), is_made_up("Conv2D", "conv1")
    (True, False)
    """
    return re.fullmatch(rf"{re.escape(_snake(kind))}(_\d+)?", name) is not None


@functools.lru_cache(maxsize=1024)
def _snake(kind: str) -> str:
    kind = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", kind).lower()


def scoped(names: Iterable[str], keys: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """The path of each name, by its key: cut at its dots, at one between two digits only if another name shares it.

    >>> scoped(["a.conv", "a.bn", "mobilenetv2_1.00_32"], range(3))
    {0: ('a', 'conv'), 1: ('a', 'bn'), 2: ('mobilenetv2_1.00_32',)}
    """
    texts = list(map(str, names))
    parts = {key: text.split(".") for key, text in zip(keys, texts, strict=True)}
    if not any(map(_DECIMAL.search, texts)):
        return {key: tuple(own) for key, own in parts.items()}
    scopes = Counter(tuple(own[:k]) for own in parts.values() for k in range(1, len(own)))
    return {key: _cut(own, scopes) for key, own in parts.items()}


_DECIMAL = re.compile(r"\d\.\d")


def _cut(own: Sequence[str], scopes: Mapping[tuple[str, ...], int]) -> tuple[str, ...]:
    ends = [k for k in range(1, len(own)) if scopes[tuple(own[:k])] > 1 or not _is_decimal(own[k - 1], own[k])]
    return tuple(".".join(own[a:b]) for a, b in pairwise((0, *ends, len(own))))


def _is_decimal(before: str, after: str) -> bool:
    return before[-1:].isdigit() and after[:1].isdigit()
