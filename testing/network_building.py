"""A network while it is drawn: calls of blocks, and what the oracles say of their tensors at several sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .code import code_of
from .oracles.layers import Expected, Shape
from .random_blocks import Piece, joins, oracle_of, piece, translated

LARGEST_SIDE = 72
MOST_CHANNELS = 96
# Two tensors are of one size where they are at all of these: odd and even, and what small strides make of them.
PROBES = ((97, 101, 99), (98, 103, 100), (100, 104, 102), (119, 120, 117))


class Call:
    """A block called on earlier tensors of a network, by their numbers.

    Example:
        >>> from layerblocks.blocks import max_pool
        >>> Call(max_pool, [3], pool_size=3)
        Call(max_pool, [3], pool_size=3)
    """

    def __init__(self, block: Callable[..., Any], inputs: Sequence[int], /, **arguments: Any) -> None:
        self.block, self.inputs, self.arguments = block, tuple(inputs), arguments
        self.oracle = oracle_of(block)

    @classmethod
    def of(cls, made_of: Piece, inputs: Sequence[int], arguments: Mapping[str, Any]) -> Call:
        """A call of a piece, with its own oracle."""
        call = cls.__new__(cls)
        call.block, call.inputs, call.arguments = made_of.block, tuple(inputs), dict(arguments)
        call.oracle = made_of.oracle
        return call

    @property
    def name(self) -> str:
        """Of the block."""
        return code_of(self.block)

    def __call__(self, tensors: Sequence[Any]) -> Any:
        xs = [tensors[number] for number in self.inputs]
        return self.block(xs, **self.arguments) if joins(self.block) else self.block(*xs, **self.arguments)

    def expected(self, tensors: Sequence[Expected]) -> Expected:
        """What the oracle says."""
        return self.oracle(*(tensors[number].shape for number in self.inputs), **translated(self.arguments))

    def line(self, name: str) -> str:
        """The statement that makes the tensor of this name."""
        xs = [f"x{number}" for number in self.inputs]
        inputs = [f"[{', '.join(xs)}]"] if joins(self.block) else xs
        return f"{name} = {self.name}({', '.join([*inputs, *_keywords(self.arguments)])})"

    def __repr__(self) -> str:
        return f"Call({', '.join([self.name, repr(list(self.inputs)), *_keywords(self.arguments)])})"


def _keywords(arguments: Mapping[str, Any]) -> list[str]:
    return [f"{word}={code_of(value)}" for word, value in arguments.items()]


class Draft:
    """Calls so far, what the oracles say of each tensor at the image's size and the probes, and heads at the side."""

    def __init__(self, image: Shape, max_calls: int) -> None:
        self.image, self.max_calls = image, max_calls
        self.calls: list[Call] = []
        self.outputs: dict[str, int] = {}
        self.names: set[str] = set()
        images = [image, *((*sides[: len(image) - 1], image[-1]) for sides in PROBES)]
        self.tensors: list[list[Expected | None]] = [[Expected(shape) for shape in images]]

    def shape(self, number: int) -> Shape:
        """Of a tensor, at the image's size."""
        expected = self.tensors[number][0]
        assert expected is not None
        return expected.shape

    def is_map(self, number: int) -> bool:
        """Whether a tensor has the sides of the image, as features and rows of tokens have not."""
        return len(self.shape(number)) == len(self.image)

    def call(
        self, made_of: Piece, inputs: Sequence[int], arguments: Mapping[str, Any], name: str | None = None
    ) -> int | None:
        """The number of the new tensor; None where the oracle refuses, or it would be too large."""
        if len(self.calls) >= self.max_calls or any(not self.is_map(number) for number in inputs):
            return None
        if name is not None and name not in self.names:
            arguments = {**arguments, "name": name}
        call = Call.of(made_of, inputs, arguments)
        made = [self._at(call, size) for size in range(len(self.tensors[0]))]
        if made[0] is None or _too_large(made[0].shape):
            return None
        if "name" in arguments:
            self.names.add(arguments["name"])
        self.calls.append(call)
        self.tensors.append(made)
        return len(self.calls)

    def _at(self, call: Call, size: int) -> Expected | None:
        tensors = [tensor[size] for tensor in self.tensors]
        if any(tensors[number] is None for number in call.inputs):
            return None
        try:
            return call.expected(tensors)  # type: ignore[arg-type]
        except ValueError:
            return None

    def matched(self, number: int, like: int) -> int:
        """The tensor, or where its size is another at any of the sizes, the tensor brought to it."""
        if self._sizes(number) == self._sizes(like):
            return number
        made = self.call(piece("match_size"), [number, like], {})
        return like if made is None else made

    def _sizes(self, number: int) -> list[Shape | None]:
        return [None if expected is None else expected.shape[:-1] for expected in self.tensors[number]]

    def reached(self, outputs: Mapping[str, int]) -> tuple[list[Call], dict[str, int]]:
        """The calls that an output needs, and the outputs under their new numbers."""
        needed, ahead = set(), list(outputs.values())
        while ahead:
            number = ahead.pop()
            if number and number not in needed:
                needed.add(number)
                ahead += self.calls[number - 1].inputs
        numbers = {0: 0} | {number: new for new, number in enumerate(sorted(needed), 1)}
        calls = []
        for number in sorted(needed):
            old = self.calls[number - 1]
            kept = Piece(old.block, old.oracle)
            calls.append(Call.of(kept, [numbers[of] for of in old.inputs], old.arguments))
        return calls, {role: numbers[number] for role, number in outputs.items()}


def _too_large(shape: Shape) -> bool:
    *sides, channels = shape
    return max([0, *(side or 0 for side in sides)]) > LARGEST_SIDE or (bool(sides) and (channels or 0) > MOST_CHANNELS)
