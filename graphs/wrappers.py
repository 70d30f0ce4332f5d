"""What is inside the layers of Keras that wrap others: a bidirectional one, a recurrent one of several cells."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from .equality import plain
from .rules import Call, Shape

# An output of a part, or, with -1 for it, what the wrapper itself receives.
Source = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One layer inside a wrapper, as if it had been called by itself.

    Args:
        name: what it is called there.
        operation: the layer.
        inputs: what it reads, and what each is for.
        outputs: the shapes that it returns.
        asked: of which layer the work and the windows are; itself, or one that runs it over all steps.
        configuration: what the wrapper itself was given, where this is the part to say so.
    """

    name: str
    operation: Any
    inputs: tuple[tuple[Source, str], ...]
    outputs: tuple[Shape, ...]
    asked: Any = None
    configuration: tuple[tuple[str, Hashable], ...] = ()


@dataclass(frozen=True, slots=True)
class Inside:
    """The parts of a wrapper in an order of computation, and which of their outputs are its own."""

    parts: list[Part] = field(default_factory=list)
    outputs: list[Source] = field(default_factory=list)


def inside_of(call: Call, carries: Sequence[str]) -> Inside | None:
    """What a call of a wrapper does inside; None for any other layer, and where it cannot be said.

    `carries` says what each input of the call is for.
    """
    opens = _OPENS.get(type(call.operation))
    if opens is None or not call.inputs or not call.outputs or len(carries) != len(call.inputs):
        return None
    try:
        found = opens(call, carries)
    except (TypeError, ValueError, AttributeError, IndexError):  # shapes or states of another kind
        return None
    return found if found is not None and len(found.outputs) == len(call.outputs) else None


def _beside(carries: Sequence[str], what: str) -> list[int]:
    return [number for number, carried in enumerate(carries) if carried == what]


def _given(layer: Any, *names: str) -> tuple[tuple[str, Hashable], ...]:
    return tuple((name, plain(getattr(layer, name))) for name in names if hasattr(layer, name))


# -- both ways --------------------------------------------------------------------------------------------------------

_MERGES: dict[str, Callable[..., Any]] = {
    "concat": keras.layers.Concatenate,
    "sum": keras.layers.Add,
    "mul": keras.layers.Multiply,
    "ave": keras.layers.Average,
}


def _both_ways(call: Call, carries: Sequence[str]) -> Inside | None:
    """A layer that runs forwards, one that runs backwards, and what becomes of the two."""
    wrapper = call.operation
    states, masks = _beside(carries, "state"), _beside(carries, "mask")
    half = len(states) // 2
    found = Inside()
    own = _given(wrapper, "merge_mode", "return_sequences", "return_state", "stateful", "zero_output_for_mask")
    made: list[tuple[Shape, ...]] = []
    for number, layer in enumerate((wrapper.forward_layer, wrapper.backward_layer)):
        returned = layer.compute_output_shape(call.inputs[0])
        outputs = tuple(map(tuple, returned)) if wrapper.return_state else (tuple(returned),)
        made.append(outputs)
        given = states[half * number : half * (number + 1)]
        inputs = [(0, "data"), *((s, "state") for s in given), *((m, "mask") for m in masks)]
        found.parts.append(
            Part(
                str(layer.name),
                layer,
                tuple(((-1, port), carried) for port, carried in inputs),
                outputs,
                configuration=own if number == 0 and wrapper.merge_mode is None else (),
            )
        )
    if wrapper.merge_mode is None:
        found.outputs.extend([(0, 0), (1, 0)])
    else:
        merge = _MERGES[wrapper.merge_mode](name=wrapper.merge_mode)
        both: Any = (((0, 0), "data"), ((1, 0), "data"))
        found.parts.append(Part(wrapper.merge_mode, merge, both, call.outputs[:1], configuration=own))
        found.outputs.append((2, 0))
    found.outputs.extend((number, port) for number, outputs in enumerate(made) for port in range(1, len(outputs)))
    return found


# -- cells ------------------------------------------------------------------------------------------------------------


def _cells(call: Call, carries: Sequence[str]) -> Inside | None:
    """Several cells, each run over what the one before it gave: all steps of one, then all of the next."""
    wrapper = call.operation
    if type(wrapper.cell) is not keras.layers.StackedRNNCells:
        return None
    masks, states = _beside(carries, "mask"), _beside(carries, "state")
    cells = wrapper.cell.cells
    counts = [len(keras.tree.flatten(cell.state_size)) for cell in cells]
    if states and len(states) != sum(counts):
        return None
    batch, steps, features = call.inputs[0]
    own = _given(wrapper, "return_sequences", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
    found = Inside()
    returned: list[Source] = []
    for number, cell in enumerate(cells):
        last = number == len(cells) - 1
        keeps = not last or wrapper.return_sequences
        size = cell.output_size if getattr(cell, "output_size", None) is not None else cell.state_size
        output = (batch, steps, size) if keeps else (batch, size)
        given = states[sum(counts[:number]) : sum(counts[: number + 1])]
        before: Source = (number - 1, 0) if number else (-1, 0)
        more = [*((s, "state") for s in given), *((m, "mask") for m in masks)]
        inputs = ((before, "data"), *(((-1, port), carried) for port, carried in more))
        kept = keras.tree.flatten(cell.state_size) if wrapper.return_state else ()
        outputs = (output, *((batch, size) for size in kept))
        over_time = keras.layers.RNN(
            cell, return_sequences=keeps, go_backwards=wrapper.go_backwards, name=str(cell.name)
        )
        asked = Call(over_time, ((batch, steps, features), *(call.inputs[port] for port, _ in more)), outputs)
        found.parts.append(Part(str(cell.name), cell, inputs, outputs, asked, own if number == 0 else ()))
        returned.extend((number, port) for port in range(1, len(outputs)))
        features = size
    found.outputs.extend([(len(cells) - 1, 0), *returned])
    return found


_OPENS: dict[Any, Callable[[Call, Sequence[str]], Inside | None]] = {
    keras.layers.Bidirectional: _both_ways,
    keras.layers.RNN: _cells,
}
