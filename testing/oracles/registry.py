"""Which oracle belongs to which block, said beside the oracle, and which of its arguments are worth drawing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

OracleT = TypeVar("OracleT", bound=Callable[..., Any])


class _Omitted:
    """Stands for an argument that is left at its default."""

    def __repr__(self) -> str:
        return "OMITTED"


OMITTED = _Omitted()
FEW = range(1, 9)


@dataclass(frozen=True)
class Registered:
    """An oracle, what to draw for those arguments whose annotations do not say it, and whether it chains.

    Args:
        draws: by argument: a list of values, a range of integers, a function of `hypothesis.strategies` that gives a
            strategy, `OMITTED`, or the value itself.
        chain: whether the block goes from one image to one image, and may stand anywhere in a random network.
    """

    oracle: Callable[..., Any]
    draws: Mapping[str, Any] = field(default_factory=dict)
    chain: bool = True


ORACLES: dict[str, Registered] = {}
"""By the name of the block; those that chain from the simplest on, as random networks shrink to the first."""


def oracle(*names: str, draws: Mapping[str, Any] | None = None, chain: bool = True) -> Callable[[OracleT], OracleT]:
    """Register what is decorated as the oracle of the blocks of these names; all else follows from it.

    Example:
        >>> sorted(ORACLES["conv"].draws)
        ['filters', 'groups', 'layer']
    """

    def register(function: OracleT) -> OracleT:
        for name in names:
            ORACLES[name] = Registered(function, draws or {}, chain)
        return function

    return register
