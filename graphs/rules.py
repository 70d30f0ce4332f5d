"""What is known of each kind of layer and operation, in one place: one `Entry` each.

Figures, tables, counts, receptive fields and equality all ask here. What has no entry, and does not say for itself, is
unknown: never free, never pointwise, never equal. Entries of Keras's own layers and operations stand in `layer_rules/`
and are read when the first is asked for. A layer of your own either says for itself, by methods,

    def multiply_adds(self, input_shape, output_shape):  # batch first; a list of shapes where there are several
        return 400 * output_shape[1] * output_shape[2]

    def window(self):  # along each axis between batch and channels
        return [Reads.window(5, stride=2, padding="valid")] * 2  # or POINTWISE, EVERYTHING

or has an entry, by `knows`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .. import checks

Shape = tuple[int | None, ...]


# -- windows ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reads:
    """What is read along one axis.

    Position `p` of the output reads the input from `ceil((step·p + first) / per)` up to and including
    `floor((step·p + last) / per)`, and `m` positions of the output need `ceil((step·(m - 1) + least) / per)` of it.
    `step / per` is the stride, negative where the axis is reversed. `follows` is False where the output is as long
    whatever the input.
    """

    step: int = 1
    per: int = 1
    first: int = 0
    last: int = 0
    least: int = 1
    follows: bool = True

    @classmethod
    def window(
        cls, size: int, stride: int = 1, dilation: int = 1, padding: str = "valid", length: int | None = None
    ) -> Reads:
        """What a convolution or a pooling reads; `length` is that of the input, on which "same" depends.

        >>> Reads.window(3, 2)
        Reads(step=2, per=1, first=0, last=2, least=3, follows=True)
        """
        reach = (size - 1) * dilation
        start = 0
        if padding == "causal":
            start = -reach
        elif padding == "same":
            missing = reach + 1 - stride
            if length is not None:
                missing = (-(-length // stride) - 1) * stride + reach + 1 - length
            start = -(max(missing, 0) // 2)
        return cls(stride, 1, start, start + reach, reach + 1 if padding == "valid" else 1)

    @classmethod
    def transposed(
        cls, size: int, stride: int, dilation: int = 1, padding: str = "valid", output_padding: int | None = None
    ) -> Reads:
        """What a transposed convolution reads."""
        reach = (size - 1) * dilation
        if padding == "same":
            cut = max(reach + 1 - stride, 0) // 2 if output_padding is None else reach // 2
            own = (reach + 1) % 2 + (stride - (reach + 1) % 2 if output_padding is None else output_padding)
        else:
            cut = 0
            own = reach + 1 + (max(stride - reach - 1, 0) if output_padding is None else output_padding)
        return cls(1, stride, cut - reach, cut, 1 - own + stride)

    @classmethod
    def reversed(cls, length: int, step: int = 1) -> Reads:
        """What a flip of an axis of that length reads, of every `step`-th position."""
        return cls(-step, 1, length - 1, length - 1)

    @classmethod
    def moved(cls, before: int, after: int) -> Reads:
        """What a padding reads; a cropping where negative."""
        return cls(first=-before, last=-before, least=1 - before - after)

    def span(self, position: int) -> tuple[int, int]:
        """The first and the last position of the input that a position of the output reads."""
        at = self.step * position
        return -((-at - self.first) // self.per), (at + self.last) // self.per

    def needs(self, length: int) -> int:
        """The least input from which there are so many positions."""
        if not self.follows:
            return 1
        return max(1, -(-(abs(self.step) * (length - 1) + self.least) // self.per))


IN_PLACE = Reads()
MADE_ANEW = Reads(follows=False)  # channels, of which there are as many whatever the input has


@dataclass(frozen=True, slots=True)
class Along:
    """What becomes of one axis of an input: which axis of the output follows it, and through which window.

    `axis` is None where no axis of the output follows it. With `whole`, every position of the output reads all of it:
    a reduction, a contraction, a normalization or a softmax over it. Without `reads` nothing is read, though the length
    may follow.
    `least` is a length below which the axis must not be, whatever is wanted of the output. Where it is `unknown`,
    nobody knows which position of the output reads what.
    `places` says it of an axis of known length one by one: which position each of the output reads, none where there
    is no such position; with no axis of the output, the only one that is read. `reads` is then for the lengths alone.
    """

    axis: int | None
    reads: Reads | None = IN_PLACE
    whole: bool = False
    least: int = 1
    unknown: bool = False
    places: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Regrouped:
    """A reshape of the only input: which of its axes, together, become which axes of the output.

    `fixed` says of each group whether the reshape accepts one size only.
    """

    groups: tuple[tuple[tuple[int, ...], tuple[int, ...], bool], ...]


@dataclass(frozen=True, slots=True)
class PerOutput:
    """The windows of a call whose outputs read different parts of its inputs, as a split does."""

    each: tuple[tuple[tuple[Along, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Says of some layers, by name, that what was asked is not known; it prints as "unknown (blur, lambda_1)"."""

    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"unknown ({', '.join(self.names)})" if self.names else "unknown"


def field_words(field: tuple[int | None, ...] | Unknown | None) -> str:
    """A receptive field in words: "9×9"; "all" along an axis of which everything is seen; "" where there is none.

    >>> field_words((9, 9)), field_words((None, None)), field_words((3, None)), field_words(Unknown(("blur",)))
    ('9×9', 'all', '3×all', 'unknown (blur)')
    """
    if field is None or isinstance(field, Unknown):
        return "" if field is None else str(field)
    sizes = ["all" if size is None else str(size) for size in field]
    return "all" if set(sizes) == {"all"} else "×".join(sizes)


# For each input of a call, what becomes of each of its axes, batch first.
Windows = tuple[tuple[Along, ...], ...] | Regrouped | PerOutput

REDUCED = Along(None, whole=True)
UNREAD = Along(None, None)

# What an entry, or a method `window`, may say in short.
POINTWISE = "pointwise"  # every position reads its own position only, channels aside
EVERYTHING = "everything"  # every position reads all positions
UNKNOWN = "unknown"


# -- entries ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer or operation.

    Args:
        operation: the layer or operation.
        inputs: the shapes of the tensors that it received, batch first, in Keras's order of them.
        outputs: the shapes that it returned.
        args: what it was called with, tensors in their places.
        kwargs: what it was called with by keyword.
    """

    operation: Any
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def argument(self, name: str, default: Any = None) -> Any:
        """What the call was given for a parameter of `call`, else what the operation was made with, else `default`."""
        parameters = _parameters(self.operation.__class__)
        if name in self.kwargs:
            return self.kwargs[name]
        if name in parameters and parameters.index(name) < len(self.args):
            return self.args[parameters.index(name)]
        return getattr(self.operation, name, default)

    def operands(self) -> list[tuple[int | None, Shape]]:
        """The shapes of all that it was called with, constants too; with which input each is, None for a constant."""
        import keras

        if not self.args and not self.kwargs:
            return list(enumerate(self.inputs))
        found: list[tuple[int | None, Shape]] = []
        inputs = iter(enumerate(self.inputs))
        for leaf in keras.tree.flatten((self.args, dict(self.kwargs))):
            if isinstance(leaf, keras.KerasTensor):
                found.append(next(inputs))
            elif hasattr(leaf, "shape"):
                found.append((None, tuple(leaf.shape)))
        return found


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one kind of layer or operation.

    Args:
        role: what it is for: `input conv pool merge add norm activation dropout dense shape attention recurrent
            embedding model other`.
        symbol: how it is written between its operands or in a small circle: ⊕ ⊖ ⊙ max mean ‖; "" for none.
        words: what it is, with its sizes, on one line, for an operation: "3×3 conv, 64, /2".
        multiply_adds: for a call, those of one example; None if not known. Sizes are known when it is called.
        window: for a call, `Windows`, or one of `POINTWISE`, `EVERYTHING`, `UNKNOWN`.
        inputs: what each input is, where the arguments do not say: "data", "query", "key", "value", "mask", "state".
        configuration: what tells two of them apart, for an operation; None where that cannot be said.
        words_of_call: `words` for a call, where its arguments tell more: "causal attention, 4 heads × 16".
    """

    role: str = "other"
    symbol: str = ""
    words: Callable[[Any], str] | None = None
    multiply_adds: Callable[[Call], int | None] | None = None
    window: Callable[[Call], Windows | str] | None = None
    inputs: tuple[str, ...] = ()
    configuration: Callable[[Any], Mapping[str, object] | None] | None = None
    words_of_call: Callable[[Call], str] | None = None


NOTHING_KNOWN = Entry()

_ENTRIES: dict[str, Entry | Callable[[], Entry]] = {}
_OF_CLASSES: dict[type, Entry | Callable[[], Entry]] = {}


@checks.public
def knows(*kinds: str | type) -> Callable[[Entry | Callable[[], Entry]], Any]:
    """Register an entry for kinds of layers: a function that returns it, or the entry itself.

    Args:
        kinds: classes, or their full names (`"keras.layers.Conv2D"`, `"package.module.MyLayer"`).

    Example:
        >>> import keras
        >>> class Blur(keras.Layer):
        ...     def call(self, x):
        ...         return keras.ops.average_pool(x, 3, 2)
        >>> @knows(Blur)
        ... def blur() -> Entry:
        ...     return Entry(role="pool", words=lambda layer: "3×3 blur, /2", multiply_adds=lambda call: 0)
        >>> words_of(Blur())
        '3×3 blur, /2'
    """
    if not kinds or not all(isinstance(kind, str | type) for kind in kinds):
        raise checks.refuse("kinds", kinds, "classes of layers or their full names", TypeError)

    def register(entry: Entry | Callable[[], Entry]) -> Any:
        for kind in kinds:
            if isinstance(kind, type):
                _OF_CLASSES[kind] = entry
            else:
                _ENTRIES[kind] = entry
        _entry.cache_clear()
        return entry

    return register


def entry_of(operation: Any) -> Entry:
    """The entry of a layer or operation; `NOTHING_KNOWN` where there is none.

    A subclass has its base's entry only if it does not override what it does.

    >>> import keras
    >>> entry_of(keras.layers.Add()).symbol
    '⊕'
    """
    kind: Any = type(operation)
    return _entry(kind)


@functools.lru_cache(maxsize=4096)
def _entry(kind: type) -> Entry:
    from .._keras import public_name

    _load()
    for base in kind.__mro__:
        found = _OF_CLASSES.get(base) or _ENTRIES.get(public_name(base))
        if found is not None:
            return found if isinstance(found, Entry) else found()
        if not _adds_nothing(base):
            break
    return NOTHING_KNOWN


# What a subclass may have and still do what its base does. Whatever else its base has too, it may change.
_HARMLESS = frozenset(
    [
        "__init__",
        "get_config",
        "from_config",
        "__module__",
        "__doc__",
        "__annotations__",
        "__dict__",
        "__weakref__",
        "__qualname__",
        "__slots__",
        "compile",
        "train_step",
        "test_step",
        "predict_step",
        "compute_loss",
        "compute_metrics",
        "metrics",
        "build_from_config",
    ]
)


def _adds_nothing(kind: type) -> bool:
    bases = kind.__mro__[1:-1]
    return not any(name in vars(base) for name in vars(kind) if name not in _HARMLESS for base in bases)


@functools.lru_cache(maxsize=4096)
def _says(kind: type, method: str) -> bool:
    """Whether a layer says for itself: by a method that is not older than its `call`."""
    for base in kind.__mro__:
        if method in vars(base):
            return callable(getattr(kind, method))
        if "call" in vars(base):
            return False
    return False


@functools.cache
def _load() -> None:
    importlib.import_module(f"{__package__}.layer_rules")


@functools.lru_cache(maxsize=4096)
def _parameters(kind: type) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(kind.call).parameters)[1:]  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        return ()


def method_of(operation: Any, name: str) -> Callable[..., Any] | None:
    """What a layer says by a method of this name; None where it has none."""
    found = getattr(operation, name, None)
    return found if callable(found) else None


# -- asking -----------------------------------------------------------------------------------------------------------


def words_of(operation: Any) -> str:
    """What a layer is, with its sizes: "LSTM, 128, both ways"; the name of its class where no more is known."""
    words = entry_of(operation).words
    return type(operation).__name__ if words is None else words(operation)


def words_of_call(call: Call) -> str:
    """What a layer is as it was called: "causal attention, 4 heads × 16"; what its entry says of it, else its words."""
    words = entry_of(call.operation).words_of_call
    return words_of(call.operation) if words is None else words(call)


def multiply_adds(call: Call) -> int | None:
    """Multiply-adds of one call, for one example; None where they are not known.

    >>> import keras
    >>> multiply_adds(Call(keras.layers.Dot(axes=1), ((None, 8, 4), (None, 8, 2)), ((None, 4, 2),)))
    64
    """
    own = method_of(call.operation, "multiply_adds") if _says(call.operation.__class__, "multiply_adds") else None
    count = entry_of(call.operation).multiply_adds
    if own is not None:
        if not call.inputs or not call.outputs or not _sized(call):
            return None
        given = own(*(shapes[0] if len(shapes) == 1 else list(shapes) for shapes in (call.inputs, call.outputs)))
        return None if given is None else int(given)
    if count is None:
        return None
    try:
        return count(call)
    except (TypeError, AttributeError, IndexError):  # a size that is None, a layer that is not built
        return None


def _sized(call: Call) -> bool:
    return not any(None in shape[1:] for shape in (*call.inputs, *call.outputs))


def windows_of(call: Call) -> Windows | Unknown:
    """What becomes of each axis of each input of a call."""
    own = _says(call.operation.__class__, "window")
    window = entry_of(call.operation).window
    said: Any = UNKNOWN
    if own:
        said = call.operation.window()
    elif window is not None:
        try:
            said = window(call)
        except (TypeError, AttributeError, IndexError, ValueError):
            said = UNKNOWN
    return _as_windows(call, said)


def _as_windows(call: Call, said: Any) -> Windows | Unknown:
    """What was said in short, in full."""
    if isinstance(said, Regrouped | PerOutput):
        return said
    if said in (None, UNKNOWN) or not call.outputs:
        return Unknown((str(getattr(call.operation, "name", type(call.operation).__name__)),))
    if said in (POINTWISE, EVERYTHING) or not isinstance(said[0], tuple):
        if said == POINTWISE:
            return tuple([aligned(shape, call.outputs[0]) for shape in call.inputs])
        channels_first = getattr(call.operation, "data_format", None) == "channels_first"
        return tuple(_in_full(shape, call.outputs[0], said, channels_first) for shape in call.inputs)
    return tuple(tuple(axes) for axes in said)


def _in_full(shape: Shape, output: Shape, said: Any, channels_first: bool) -> tuple[Along, ...]:
    if said == EVERYTHING:
        kept = len(shape) == len(output)
        return tuple(Along(0) if axis == 0 else Along(axis if kept else None, whole=True) for axis in range(len(shape)))
    return spatial(shape, said, channels_first)


@functools.lru_cache(maxsize=1024)
def aligned(shape: Shape, output: Shape, gathered: Iterable[int] = ()) -> tuple[Along, ...]:
    """Each position its own, as broadcasting aligns them; of the axes `gathered` (of the input) everything."""
    shift = len(output) - len(shape)
    found = []
    for axis, size in enumerate(shape):
        spread = size == 1 and axis + shift >= 0 and output[axis + shift] != 1
        if spread or axis + shift < 0:
            found.append(REDUCED)
        else:
            found.append(Along(axis + shift, whole=axis in gathered))
    return tuple(found)


def spatial(shape: Shape, reads: Sequence[Reads | str], channels_first: bool = False) -> tuple[Along, ...]:
    """One window for each axis between batch and channels; all channels are read."""
    return _spatial(shape, tuple(reads), channels_first)


def _along(axis: int, reads: Reads | str) -> Along:
    if isinstance(reads, Reads):
        return Along(axis, reads)
    return Along(axis, whole=reads == EVERYTHING, unknown=reads not in (POINTWISE, EVERYTHING))


@functools.lru_cache(maxsize=1024)
def _spatial(shape: Shape, reads: tuple[Reads | str, ...], channels_first: bool) -> tuple[Along, ...]:
    if len(reads) != len(shape) - 2:
        raise ValueError("one window for each axis between batch and channels")
    first = 2 if channels_first else 1
    axes = [_along(axis, one) for axis, one in enumerate(reads, first)]
    channels = Along(1 if channels_first else len(shape) - 1, MADE_ANEW, whole=True)
    return (Along(0), channels, *axes) if channels_first else (Along(0), *axes, channels)


def with_steps(windows: Windows | Unknown) -> Windows | Unknown:
    """The windows of what is done to every step of an axis after the batch, each step for itself."""
    if isinstance(windows, Unknown):
        return windows
    if isinstance(windows, Regrouped):
        moved = tuple((_moved(before), _moved(after), fixed) for before, after, fixed in windows.groups)
        return Regrouped((moved[0], ((1,), (1,), False), *moved[1:]))
    if isinstance(windows, PerOutput):
        return PerOutput(tuple(map(_with_steps, windows.each)))
    return _with_steps(windows)


def _with_steps(windows: Sequence[Sequence[Along]]) -> tuple[tuple[Along, ...], ...]:
    return tuple((axes[0], Along(1), *(_moved_along(along) for along in axes[1:])) for axes in windows if axes)


def _moved(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis + (axis > 0) for axis in axes)


def _moved_along(along: Along) -> Along:
    return along if along.axis is None else replace(along, axis=along.axis + (along.axis > 0))


def mixes_positions(call: Call) -> bool | None:
    """Whether a position of the output reads more than one position of an input; None where that is not known."""
    found = windows_of(call)
    if isinstance(found, Unknown):
        return None
    if isinstance(found, Regrouped):
        return False
    inner = [
        along
        for windows in (found.each if isinstance(found, PerOutput) else (found,))
        for axes in windows
        for along in axes[1:-1]
    ]
    if any(a.whole or (a.reads is not None and a.reads.first != a.reads.last) for a in inner):
        return True
    return None if any(along.unknown for along in inner) else False


_ROLES_OF_ARGUMENTS = {
    **dict.fromkeys(("query", "q"), "query"),
    **dict.fromkeys(("key", "k"), "key"),
    **dict.fromkeys(("value", "v"), "value"),
    **dict.fromkeys(("mask", "attention_mask", "query_mask", "key_mask", "value_mask", "padding_mask"), "mask"),
    **dict.fromkeys(("initial_state", "states", "state"), "state"),
}


def inputs_of(call: Call) -> tuple[str, ...]:
    """What each input of a call is: data, query, key, value, mask or state, in the order of its inputs."""
    import keras

    names = _parameters(call.operation.__class__)
    found: list[str] = []
    listed = entry_of(call.operation).inputs
    for position, value in enumerate(call.args):
        name = names[position] if position < len(names) else names[-1] if names else ""
        tensors = sum(isinstance(leaf, keras.KerasTensor) for leaf in keras.tree.flatten(value))
        role = _ROLES_OF_ARGUMENTS.get(name, "data")
        found += listed[:tensors] if position == 0 and len(listed) >= tensors and tensors > 1 else [role] * tensors
    for name in sorted(call.kwargs):
        tensors = sum(isinstance(leaf, keras.KerasTensor) for leaf in keras.tree.flatten(call.kwargs[name]))
        found += [_ROLES_OF_ARGUMENTS.get(name, "data")] * tensors
    found += ["data"] * (len(call.inputs) - len(found))
    return tuple(found[: len(call.inputs)])
