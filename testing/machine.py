"""A state machine that composes networks call by call, and checks each against its oracle as soon as it is made.

Example:
    >>> from layerblocks.blocks import conv, max_pool
    >>> TestMine = network_machine({conv: None, max_pool: "b h w c -> b ceil(h/2) ceil(w/2) c"}).TestCase
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from .. import checks
from .network_building import PROBES, Call, Draft
from .oracles.layers import Expected
from .random_blocks import Piece, oriented, piece, pieces, straight
from .random_networks import Network

__all__ = ["NetworkMachine", "network_machine"]


class NetworkMachine(RuleBasedStateMachine):
    """Calls blocks on the tensors there are, on an image of known size and on one of unknown size at once.

    After each call: shape as the oracle says, on both, and a ValueError where the oracle refuses. In the end, of the
    model: unique names, parameters, and the shape that the unknown size gives at the known one. `network_machine`
    makes one of other blocks.
    """

    pieces: Sequence[Piece] = ()
    tensors = Bundle("tensors")

    def __init__(self) -> None:
        super().__init__()
        self.chosen = list(self.pieces) or pieces()
        self.draft = Draft((1, 1, 1), 40)

    @initialize(target=tensors, height=st.integers(1, 12), width=st.integers(1, 12), channels=st.integers(1, 4))
    def image(self, height: int, width: int, channels: int) -> int:
        import keras

        self.draft = Draft((height, width, channels), 40)
        self.known = [keras.Input(oriented((height, width, channels)))]
        self.unknown: list[Any] = [keras.Input(oriented((None, None, channels)))]
        self.expected_unknown: list[Expected | None] = [Expected((None, None, channels))]
        return 0

    @rule(target=tensors, x=tensors, data=st.data())
    def block(self, x: int, data: Any) -> int:
        """Any block on any image."""
        chosen = data.draw(st.sampled_from(self.chosen), label="block")
        return self._call(chosen, [x], data.draw(chosen.arguments, label="arguments"))

    @rule(target=tensors, xs=st.lists(tensors, min_size=2, max_size=3), join=st.sampled_from(["concat", "add"]))
    def join(self, xs: list[int], join: str) -> int:
        """Some tensors together, which have to have one size."""
        return self._call(piece(join), xs, {})

    @rule(target=tensors, x=tensors, other=tensors)
    def beside(self, x: int, other: int) -> int:
        """A tensor, and beside it another brought to its size."""
        return self._call(piece("concat"), [x, self._call(piece("match_size"), [other, x], {})], {})

    def _call(self, chosen: Piece, xs: Sequence[int], arguments: dict[str, Any]) -> int:
        """Make it, or see it refused; gives the new tensor, or the first one again."""
        call = Call.of(chosen, xs, arguments)
        note(f"{call!r}")
        if any(self.unknown[number] is None for number in xs):
            return xs[0]
        made = self.draft.call(chosen, xs, arguments)
        if made is None:
            if self._refused(call):
                _must_refuse(lambda: call(self.known), call)
            return xs[0]
        from layerblocks.blocks import weightless

        with weightless():
            self.known.append(call(self.known))
            try:
                expected = call.expected(self.expected_unknown)  # type: ignore[arg-type]
            except ValueError:
                _must_refuse(lambda: call(self.unknown), call)
                self.unknown.append(None)
                self.expected_unknown.append(None)
            else:
                self.unknown.append(call(self.unknown))
                self.expected_unknown.append(expected)
        return made

    def _refused(self, call: Call) -> bool:
        """Whether the oracle refuses, and not the draft, to which it was too large."""
        try:
            call.expected([tensor[0] for tensor in self.draft.tensors])  # type: ignore[misc]
        except ValueError:
            return True
        return False

    @invariant()
    def shapes(self) -> None:
        """The last tensor, of both images, has the shape that the oracle says."""
        if not self.draft.calls:
            return
        call, number = self.draft.calls[-1], len(self.draft.calls)
        got, expected = straight(self.known[-1].shape[1:]), self.draft.shape(number)
        assert got == expected, f"{call!r} gives {got}, its oracle {expected}"
        if (unknown := self.expected_unknown[-1]) is not None:
            got = straight(self.unknown[-1].shape[1:])
            assert got == unknown.shape, f"{call!r} of unknown size gives {got}, its oracle {unknown.shape}"

    def network(self) -> Network:
        """What there is, with the last tensor as its output."""
        calls, outputs = self.draft.reached({"main": len(self.draft.calls)})
        return Network(self.draft.image, calls, outputs)

    def teardown(self) -> None:
        if not self.draft.calls:
            return
        import keras

        net, number = self.network(), len(self.draft.calls)
        note(net.code)
        model = keras.Model(self.known[0], self.known[-1])
        twice = [name for name, uses in Counter(layer.name for layer in model.layers).items() if uses > 1]
        assert not twice, f"names used twice: {twice}"
        if net.parameters is not None:
            assert model.count_params() == net.parameters, f"{model.count_params()} parameters, not {net.parameters}"
        if self.unknown[-1] is not None:
            model = keras.Model(self.unknown[0], self.unknown[-1])
            for shape, tensor in zip((net.shape, *PROBES), self.draft.tensors[number], strict=True):
                if tensor is not None:
                    whole = oriented((*shape[:2], net.shape[2]))
                    got = straight(model.compute_output_shape((1, *whole))[1:])
                    assert got == tensor.shape, f"built for any size it gives {got} of {whole}, not {tensor.shape}"


def _must_refuse(build: Callable[[], Any], call: Call) -> None:
    from layerblocks.blocks import weightless

    try:
        with weightless():
            made = build()
    except ValueError:
        return
    raise AssertionError(f"{call!r} has to raise ValueError, and gives {tuple(made.shape)}")


@checks.public
def network_machine(blocks: Any = None, name: str = "Networks") -> type[NetworkMachine]:
    """The machine for a set of blocks; its `TestCase` is a test to pytest and unittest.

    Args:
        blocks: as for `networks`: None for those of this library, functions, or a dict of functions and oracles.
        name: of the class.

    Raises:
        TypeError: `blocks` are no functions.

    Example:
        >>> from layerblocks.blocks import conv, inception
        >>> network_machine([conv, inception], "Mine").__name__
        'Mine'
    """
    return type(checks.text("name", name), (NetworkMachine,), {"pieces": pieces(blocks)})
