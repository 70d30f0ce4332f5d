"""Hypothesis strategies for image shapes, symbolic tensors, and what blocks are given: units, norms, paddings.

Each argument of a strategy is a value or a strategy of values. Cases shrink to small images and few channels.

Example:
    >>> from hypothesis import find
    >>> find(tensors(image_shapes(channels=3, unknown=True)), lambda x: True).shape
    (None, None, None, 3)
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar, Union

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from .. import checks
from ..checks import public
from .code import Written

T = TypeVar("T")
ValueOrStrategy: TypeAlias = Union[T, st.SearchStrategy[T]]  # noqa: UP007  (of a variable it cannot be made by |)

LARGEST = 8
"""Integers and lengths without an upper bound of their own end here."""


def strategy(value: Any) -> st.SearchStrategy[Any]:
    """A strategy as it is, a value as the strategy of just that value.

    Example:
        >>> strategy(3)
        just(3)
    """
    return value if isinstance(value, st.SearchStrategy) else st.just(value)


def refuse(argument: str, got: object, must_be: str) -> Exception:
    """The error to raise, as Hypothesis calls it."""
    return checks.refuse(argument, got, must_be, InvalidArgument)


def integer(argument: str, value: Any, at_least: int = 1) -> int:
    """The value as an int, if it is one of at least so many; else Hypothesis's InvalidArgument."""
    try:
        return checks.integer(argument, value, at_least)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(str(error)) from None


def flag(argument: str, value: Any) -> bool:
    """The value as a bool, if it says yes or no; else Hypothesis's InvalidArgument."""
    try:
        return checks.flag(argument, value)
    except TypeError as error:
        raise InvalidArgument(str(error)) from None


@st.composite
def _image_shapes(draw: Any, rank: Any, side: Any, channels: Any, unknown: Any) -> tuple[int | None, ...]:
    known = [draw(side) for _ in range(draw(rank))]
    sides = [None if draw(unknown) else size for size in known]
    depth = draw(channels)
    first = sys.modules["keras"].config.image_data_format() == "channels_first"
    return (depth, *sides) if first else (*sides, depth)


@public
def image_shapes(
    *,
    min_side: int = 1,
    max_side: int = 32,
    channels: ValueOrStrategy[int] | None = None,
    unknown: ValueOrStrategy[bool] = False,
    rank: ValueOrStrategy[int] = 2,
) -> st.SearchStrategy[tuple[int | None, ...]]:
    """Shapes of images without the batch: `height width channels`, in the order of Keras's `image_data_format`.

    Args:
        min_side, max_side: of height and width, in pixels.
        channels: None for 1 to 8.
        unknown: whether height and width are None; with `st.booleans()` each of them by itself.
        rank: how many sides there are: 1 for signals (`length channels`), 2 for images, 3 for volumes (`depth height
            width channels`).

    Raises:
        InvalidArgument: an argument out of range, by its name.

    Example:
        >>> from hypothesis import find
        >>> find(image_shapes(min_side=5, channels=3), lambda shape: True)
        (5, 5, 3)
        >>> find(image_shapes(rank=st.integers(1, 3)), lambda shape: len(shape) == 4)
        (1, 1, 1, 1)
    """
    importlib.import_module("keras")  # which draws random numbers, and so not while a case is drawn
    low = integer("min_side", min_side)
    high = integer("max_side", max_side)
    if low > high:
        raise refuse("max_side", high, f"at least min_side, which is {low}")
    if channels is not None and not isinstance(channels, st.SearchStrategy):
        channels = integer("channels", channels)
    if not isinstance(unknown, st.SearchStrategy):
        unknown = flag("unknown", unknown)
    if not isinstance(rank, st.SearchStrategy) and integer("rank", rank) > 3:
        raise refuse("rank", rank, "1, 2 or 3")
    depth = st.integers(1, LARGEST) if channels is None else strategy(channels)
    side = st.integers(low, min(high, low + 7)) | st.integers(low, high)  # the small ones often
    return _image_shapes(strategy(rank), side, depth, strategy(unknown))


@public
def tensors(
    shape: ValueOrStrategy[Sequence[int | None]] | None = None, *, dtype: ValueOrStrategy[str] = "float32"
) -> st.SearchStrategy[Any]:
    """Symbolic tensors, the input of every block.

    Args:
        shape: without the batch; None for that of any image. `image_shapes(unknown=st.booleans())` gives sizes of None
            among the others.
        dtype: a Keras name.

    Raises:
        InvalidArgument: an argument of the wrong type, by its name.

    Example:
        >>> from hypothesis import find
        >>> find(tensors(image_shapes(channels=3)), lambda x: True).shape
        (None, 1, 1, 3)
    """
    shape = image_shapes() if shape is None else shape
    if not isinstance(shape, st.SearchStrategy):
        sizes = shape if isinstance(shape, Sequence) and not isinstance(shape, str | bytes) else [0]
        if not all(size is None or (type(size) is not bool and isinstance(size, int) and size > 0) for size in sizes):
            raise refuse("shape", shape, "a shape, or a strategy of shapes")
    if not isinstance(dtype, st.SearchStrategy):
        import keras

        try:
            dtype = keras.backend.standardize_dtype(checks.text("dtype", dtype))
        except (TypeError, ValueError):
            raise refuse("dtype", dtype, "a dtype by its Keras name") from None

    def make(shape: Sequence[int | None], dtype: str) -> Any:
        import keras

        return keras.Input(tuple(shape), dtype=dtype)

    return st.builds(make, strategy(shape), strategy(dtype))


# Words of the signatures of blocks.


def words() -> dict[str, st.SearchStrategy[Any]]:
    """What blocks are given, units aside, by the names that `layerblocks.blocks.types` has for it.

    Norms are for any number of channels, shortcuts for any residual block.

    Example:
        >>> from hypothesis import find
        >>> find(words()["Padding"], lambda padding: not isinstance(padding, str))
        0
    """
    from layerblocks import blocks as b  # with Keras, and so not before it is needed

    side, margin = st.integers(1, 3), st.integers(0, 2)
    margins = margin | st.tuples(margin, margin) | st.tuples(st.tuples(margin, margin), st.tuples(margin, margin))
    norms = [b.batch_norm, b.layer_norm, Written(b.batch_norm, scale=False), Written(b.group_norm, groups=1)]
    return {
        "Padding": st.sampled_from(["same", "valid", "symmetric", "causal"]) | margins,
        "Size": side | st.tuples(side, side),
        "Activation": st.sampled_from([None, "relu", "gelu", "tanh", "sigmoid"]),
        "Norm": st.sampled_from([*norms, b.local_response_norm]),
        "Pool": st.sampled_from([b.max_pool, b.avg_pool]),
        "Shortcut": st.sampled_from([b.projection_shortcut, Written(b.projection_shortcut, always=True)]),
        "Dense": st.sampled_from([b.dense, Written(b.dense, use_bias=False)]),
    }


def _unit(function: Callable[..., Any], words: dict[str, Any]) -> Callable[..., Any]:
    return Written(function, **words) if words else function


@public
def units(
    *,
    norm: ValueOrStrategy[Any] | None = None,
    activation: ValueOrStrategy[Any] | None = None,
    padding: ValueOrStrategy[Any] = "same",
) -> st.SearchStrategy[Callable[..., Any]]:
    """Units to put into any block, `unit(x, filters, kernel_size=3, *, strides=1, name=None)`; shrinks to `conv`.

    Args:
        norm: a norm or a strategy of them; None for any and for none.
        activation: a Keras name or a strategy of them; None for any.
        padding: `"same"` unless given, as most blocks need a unit that keeps the size.

    Example:
        >>> from hypothesis import find
        >>> find(units(), lambda unit: True).__name__
        'conv'
    """
    _check_unit(norm, activation, padding)
    from layerblocks import blocks as b

    known = words()
    kinds = [b.conv, b.conv_bn, b.separable, b.depthwise_separable, b.dilated, b.preact_conv]
    given = {
        "activation": known["Activation"] if activation is None else strategy(activation),
        "norm": st.none() | known["Norm"] if norm is None else strategy(norm),
        "padding": strategy(padding),
    }
    return st.builds(_unit, st.sampled_from(kinds), st.fixed_dictionaries({}, optional=given))


def _check_unit(norm: Any, activation: Any, padding: Any) -> None:
    """That each is a strategy, or what a unit accepts."""
    import keras

    if norm is not None and not callable(norm) and not isinstance(norm, st.SearchStrategy):
        raise refuse("norm", norm, "a norm, a strategy of norms, or None")
    if activation is not None and not isinstance(activation, st.SearchStrategy):
        try:
            checks.text("activation", activation)
            keras.activations.get(activation)
        except (TypeError, ValueError):
            raise refuse(
                "activation", activation, "the Keras name of an activation, a strategy of names, or None"
            ) from None
    pixels = padding if isinstance(padding, tuple) and len(padding) == 2 else (padding,)
    flat = [side for one in pixels for side in (one if isinstance(one, tuple) and len(one) == 2 else (one,))]
    known = isinstance(padding, st.SearchStrategy) or (
        isinstance(padding, str) and padding in ("same", "valid", "symmetric", "causal")
    )
    if not known and not all(type(side) is int and side >= 0 for side in flat):
        raise refuse("padding", padding, "'same', 'valid', 'symmetric', 'causal', pixels, or a strategy")
