"""Random well-formed networks of blocks, each with what the oracles alone say of its shape and parameters.

Example:
    >>> from layerblocks.blocks import add, conv
    >>> net = Network((8, 8, 3), [Call(conv, [0], filters=3), Call(add, [0, 1])])
    >>> net
    Network(
        (8, 8, 3),
        [
            Call(conv, [0], filters=3),
            Call(add, [0, 1]),
        ],
        {'main': 2},
    )
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from ..checks import public
from .code import code_of
from .network_building import Call, Draft
from .oracles.layers import Expected, Shape, added
from .random_blocks import of_rank, oriented, piece, pieces
from .reports import imported
from .strategies import ValueOrStrategy, flag, integer, refuse, strategy

__all__ = ["Call", "Network", "networks"]


class Network:
    """A network as data: the shape of its image, its calls of blocks, and which tensors are its outputs.

    Tensor 0 is the image, tensor n what call n gives. Equal networks have the same code.

    Args:
        shape: height, width and channels (of signals length and channels, of volumes depth first); sides may be None.
        calls: `Call(block, [tensors], **arguments)`.
        outputs: tensors by role, `main` the first.

    Example:
        >>> from layerblocks.blocks import add, conv, max_pool
        >>> net = Network((8, 8, 3), [Call(conv, [0], filters=4), Call(max_pool, [1]), Call(conv, [2], filters=2)])
        >>> net.expected()
        Expected(shape=(4, 4, 2), parameters=186, multiply_adds=8064)
        >>> net.model().output_shape
        (None, 4, 4, 2)
    """

    def __init__(self, shape: Sequence[Any], calls: Sequence[Call], outputs: Mapping[str, int] | None = None) -> None:
        self.shape, self.calls = tuple(shape), tuple(calls)
        self.outputs = dict(outputs) if outputs is not None else {"main": len(self.calls)}

    def __call__(self, x: Any) -> Any:
        """Build on a symbolic tensor: a tensor, or a dict of them where there are several outputs."""
        tensors = [x]
        for call in self.calls:
            tensors.append(call(tensors))
        made = {role: tensors[number] for role, number in self.outputs.items()}
        return made if len(made) > 1 else made["main"]

    def model(self, shape: Sequence[Any] | None = None, *, weights: bool = False) -> Any:
        """A Keras model of it; without weights unless asked for.

        Args:
            shape: height, width and channels; None for the network's own.
            weights: allocate them.
        """
        import contextlib

        import keras

        from layerblocks.blocks import weightless

        with contextlib.nullcontext() if weights else weightless():
            x = keras.Input(oriented(self.shape if shape is None else shape))
            return keras.Model(x, self(x))

    def expected(self, shape: Sequence[Any] | None = None) -> Expected:
        """Shape (a dict where there are several outputs), parameters and multiply-adds, by the oracles alone.

        Args:
            shape: height, width and channels, the sides or some of them None; None for the network's own.

        Raises:
            ValueError: the network cannot be built on this shape.
        """
        tensors = [Expected(tuple(self.shape if shape is None else shape))]
        for call in self.calls:
            tensors.append(call.expected(tensors))
        made = {role: tensors[number].shape for role, number in self.outputs.items()}
        return Expected(
            made if len(made) > 1 else made["main"],  # type: ignore[arg-type]
            added(tensor.parameters for tensor in tensors),  # type: ignore[arg-type]
            added(tensor.multiply_adds for tensor in tensors),
        )

    @property
    def parameters(self) -> int:
        """Their number; None where one of the blocks has no oracle but a specification."""
        return self.expected().parameters

    @property
    def output_shape(self) -> Any:
        """Without the batch; a dict where there are several outputs."""
        return self.expected().shape

    @property
    def code(self) -> str:
        """A script that builds it with nothing but blocks and Keras.

        Example:
            >>> from layerblocks.blocks import conv
            >>> print(Network((8, 8, 3), [Call(conv, [0], filters=4)]).code)
            import keras
            from layerblocks.blocks import conv
            <BLANKLINE>
            x0 = keras.Input((8, 8, 3))
            x1 = conv(x0, filters=4)
            model = keras.Model(x0, x1)
        """
        lines = [call.line(f"x{number}") for number, call in enumerate(self.calls, 1)]
        ends = {role: f"x{number}" for role, number in self.outputs.items()}
        made = ", ".join(f"{role!r}: {end}" for role, end in ends.items())
        result = f"{{{made}}}" if len(ends) > 1 else ends["main"]
        imports, _ = imported([[call.block, *call.arguments.values()] for call in self.calls])
        head = ["import keras", *imports, "", f"x0 = keras.Input({code_of(oriented(self.shape))})"]
        return "\n".join([*head, *lines, f"model = keras.Model(x0, {result})"])

    def __repr__(self) -> str:
        calls = "".join(f"        {call!r},\n" for call in self.calls)
        listed = f"[\n{calls}    ]" if calls else "[]"
        return f"Network(\n    {code_of(self.shape)},\n    {listed},\n    {self.outputs!r},\n)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


def _chain(draw: Any, draft: Draft, x: int, depth: int, blocks: Sequence[Any], most: int) -> int:
    """Some calls one after the other; gives the last."""
    for _ in range(draw(st.integers(0, most))):
        kind = draw(st.sampled_from(_KINDS if depth else _KINDS[:1]))
        made = kind(draw, draft, x, depth, blocks)
        x = x if made is None else made
    return x


def _block(draw: Any, draft: Draft, x: int, depth: int, blocks: Sequence[Any]) -> int | None:
    chosen = draw(st.sampled_from(blocks))
    name = draw(st.sampled_from([None, None, None, "a", "stem", "b.c"]))
    return draft.call(chosen, [x], of_rank(draw(chosen.arguments), len(draft.image) - 1), name)


def _skip(draw: Any, draft: Draft, x: int, depth: int, blocks: Sequence[Any]) -> int | None:
    """A branch and a shortcut around it, added."""
    return _summed(draft, x, _chain(draw, draft, x, depth - 1, blocks, 2))


def _summed(draft: Draft, x: int, y: int) -> int | None:
    channels = draft.shape(x)[-1]
    if draft.shape(y)[-1] != channels:
        made = draft.call(piece("conv"), [y], {"filters": channels, "kernel_size": 1, "activation": None})
        y = y if made is None else made
    return draft.call(piece("add"), [draft.matched(y, x), x], {})


def _branches(draw: Any, draft: Draft, x: int, depth: int, blocks: Sequence[Any]) -> int | None:
    """Some chains side by side, concatenated."""
    ends = [_chain(draw, draft, x, depth - 1, blocks, 2) for _ in range(draw(st.integers(2, 3)))]
    return draft.call(piece("concat"), [ends[0], *(draft.matched(end, ends[0]) for end in ends[1:])], {})


def _hourglass(draw: Any, draft: Draft, x: int, depth: int, blocks: Sequence[Any]) -> int | None:
    """Down, a chain, and up again beside what was before."""
    y = draft.call(piece("max_pool"), [x], {})
    if y is None:
        return None
    up = piece(draw(st.sampled_from(["decoder_block", "fuse_scores"])))
    return draft.call(up, [_chain(draw, draft, y, depth - 1, blocks, 2), x], draw(up.arguments))


def _far(draw: Any, draft: Draft, x: int, depth: int, blocks: Sequence[Any]) -> int | None:
    """The image, or anything before, beside what is made of it: a long skip."""
    before = draw(st.integers(0, x))
    return None if not draft.is_map(before) else draft.call(piece("concat"), [x, draft.matched(before, x)], {})


def _aux(draw: Any, draft: Draft, x: int, depth: int, blocks: Sequence[Any]) -> int | None:
    """A head at the side."""
    if len(draft.outputs) < 2:
        head = piece(draw(st.sampled_from(["classifier", "aux_classifier"])))
        made = draft.call(head, [x], draw(head.arguments))
        if made is not None:
            draft.outputs[f"aux{len(draft.outputs) + 1}"] = made
    return None


_KINDS = [_block, _block, _block, _skip, _branches, _hourglass, _far, _aux]


@st.composite
def _networks(draw: Any, shape: Any, blocks: Sequence[Any], depth: int, max_calls: int, heads: bool) -> Network:
    draft = Draft(tuple(draw(shape)), max_calls)
    x = _chain(draw, draft, 0, depth, blocks, 5)
    if heads:
        head = draw(st.sampled_from([None, "classifier", "pixel_predictions"]))
        if head is not None:
            made = draft.call(piece(head), [x], draw(piece(head).arguments))
            x = x if made is None else made
    if not x:  # nothing at all
        draft.max_calls += 1
        x = draft.call(piece("conv"), [0], {"filters": 1}) or 0
    calls, outputs = draft.reached({"main": x, **draft.outputs})
    return Network(draft.image, calls, outputs)


@st.composite
def _shapes(draw: Any) -> Shape:
    side = st.integers(1, 8) | st.integers(1, 33)
    return draw(side), draw(side), draw(st.integers(1, 6))


@public
def networks(
    blocks: Any = None,
    *,
    shape: ValueOrStrategy[Sequence[int]] | None = None,
    depth: int = 2,
    max_calls: int = 24,
    heads: bool = True,
) -> st.SearchStrategy[Network]:
    """Random well-formed networks: blocks one after the other, branches and merges, skips, auxiliary heads.

    A network shrinks to few calls of simple blocks on a small image. Its `repr` is code that makes it again, `code` a
    script without Hypothesis; called on a symbolic tensor it builds; `expected()` says shape and parameters from
    closed forms alone. Some of its blocks are named, most are not. The strategy refuses no case: a call that its oracle
    refuses is left out.

    Args:
        blocks: None for those of this library; or functions of an image; or a dict of functions and their oracles: a
            function of `(height, width, channels)` and the block's arguments, a shape specification, or None for what
            the block itself gives on a known size.
        shape: height, width and channels of the image, at the most 33 and 6 unless given; with one side more or less
            the networks are of volumes or signals.
        depth: how deep branches nest.
        max_calls: no more calls than these.
        heads: end some networks in a classifier or in scores of pixels.

    Raises:
        InvalidArgument: an argument out of range, by its name.
        TypeError: `blocks` are no functions.

    Example:
        >>> from hypothesis import find
        >>> net = find(networks(shape=(9, 9, 3)), lambda net: len(net.output_shape) == 1)
        >>> len(net.calls) <= 2
        True
    """
    depth, max_calls, heads = integer("depth", depth, 0), integer("max_calls", max_calls), flag("heads", heads)
    if shape is not None and not isinstance(shape, st.SearchStrategy):
        if not isinstance(shape, list | tuple) or len(shape) not in (2, 3, 4):
            raise refuse("shape", shape, "height, width and channels (or one to three sides), or a strategy of them")
        shape = tuple(integer(f"shape[{axis}]", size) for axis, size in enumerate(shape))
    return _networks(_shapes() if shape is None else strategy(shape), pieces(blocks), depth, max_calls, heads)
