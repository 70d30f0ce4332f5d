"""What random networks are made of: for each block its oracle, and the arguments that are worth drawing."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any

from hypothesis import strategies as st

from . import block_oracles as o
from . import oracles
from . import unit_oracles as u
from .annotations import block_kwargs
from .code import code_of
from .oracles import Expected, Oracle, Shape
from .shapes import Spec
from .strategies import sizes

few = st.integers(1, 8)
OMITTED = st.nothing()


@dataclass(frozen=True)
class Piece:
    """A block, what it has to give, and the strategies of the arguments that its annotations do not tell."""

    block: Callable[..., Any]
    oracle: Oracle
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return code_of(self.block)

    @cached_property
    def arguments(self) -> st.SearchStrategy[dict[str, Any]]:
        """Those that are not the block's own defaults."""
        parameters = inspect.signature(self.block).parameters

        def told(given: dict[str, Any]) -> dict[str, Any]:
            return {word: v for word, v in given.items() if not _is_default(parameters.get(word), v)}

        return block_kwargs(self.block, **self.overrides).map(told)


def _is_default(parameter: inspect.Parameter | None, value: Any) -> bool:
    if parameter is None or type(value) is not type(parameter.default):
        return False
    return bool(value == parameter.default)


def joins(block: Callable[..., Any]) -> bool:
    """Whether a block takes its tensors as one list."""
    return getattr(inspect.unwrap(block), "__name__", "") in ("concat", "add")


def _heads(shape: Shape, classes: int, *, output_size: Any = None, **options: Any) -> Expected:
    if output_size is not None:
        shape = adaptive(shape, output_size).shape
    return oracles.classifier(shape, classes, **options)


def _aux(shape: Shape, classes: int, **options: Any) -> Expected:
    if options.get("padding") == "symmetric":
        raise ValueError("no such padding of a pool")
    if options.get("output_size") is None and None in shape:
        raise ValueError("an unknown size")
    return oracles.aux_classifier(shape, classes, **options)


def adaptive(shape: Shape, output_size: Any) -> Expected:
    """So many pixels from any size."""
    return Expected((*oracles.pair(output_size), shape[2]))


def _framed(shape: Shape, margins: Any, sign: int) -> Expected:
    added = [sign * sum(oracles.pair(margin)) for margin in oracles.pair(margins)]
    sides = [None if n is None else n + more for n, more in zip(shape[:2], added, strict=True)]
    if any(n is not None and n < 1 for n in sides):
        raise ValueError("nothing is left")
    return Expected((*sides, shape[2]))


def padded(shape: Shape, padding: Any) -> Expected:
    """Zeros around."""
    return _framed(shape, padding, 1)


def cropped(shape: Shape, cropping: Any) -> Expected:
    """Rows and columns off."""
    return _framed(shape, cropping, -1)


def _transposed(shape: Shape, *args: Any, **options: Any) -> Expected:
    if options.get("padding") == "symmetric" or isinstance(oracles.pair(options.get("padding", "same"))[0], tuple):
        raise ValueError("no such padding of a transposed convolution")
    return u.transposed(shape, *args, **options)


def _group_norm(shape: Shape, *, groups: int = 32) -> Expected:
    if u.channels_of(shape) % groups:
        raise ValueError("groups do not divide")
    return u.norm(shape, 2)


def _joined(*shapes: Shape) -> Expected:
    return oracles.concat([Expected(shape) for shape in shapes])


def _summed(*shapes: Shape) -> Expected:
    return oracles.add([Expected(shape) for shape in shapes])


_ORACLES: dict[str, Oracle] = {
    "conv": u.conv,
    "conv_bn": u.conv_bn,
    "max_pool": u.pool,
    "avg_pool": u.pool,
    "batch_norm": partial(u.norm, parameters=4),
    "group_norm": _group_norm,
    "layer_norm": partial(u.norm, parameters=2),
    "local_response_norm": u.same,
    "activate": u.same,
    "dropout": u.same,
    "stochastic_depth": u.same,
    "separable": u.separable,
    "dilated": u.dilated,
    "depthwise": u.depthwise,
    "depthwise_separable": o.depthwise_separable,
    "preact_conv": u.preact_conv,
    "norm_activation": u.norm_activation,
    "transposed": _transposed,
    "subsample": o.subsample,
    "adaptive_avg_pool": adaptive,
    "zero_pad": padded,
    "crop": cropped,
    "vgg_block": o.vgg_block,
    "basic_residual": o.basic_residual,
    "bottleneck": o.bottleneck,
    "inverted_residual": o.inverted_residual,
    "xception_module": o.xception_module,
    "inception": o.inception,
    "inception_stacked": o.inception_stacked,
    "inception_asymmetric": o.inception_asymmetric,
    "inception_expanded": o.inception_expanded,
    "inception_reduction": o.inception_reduction,
    "dense_layer": o.dense_layer,
    "dense_block": o.dense_block,
    "transition": o.transition,
    "squeeze_excite": o.squeeze_excite,
    "bilinear_up": o.bilinear_up,
    "fuse_scores": o.fuse_scores,
    "decoder_block": o.decoder_block,
    "match_size": o.match_size,
    "concat": _joined,
    "add": _summed,
    "pixel_predictions": u.same,
    "classifier": _heads,
    "aux_classifier": _aux,
    "identity_shortcut": o.identity_shortcut,
    "projection_shortcut": o.projection_shortcut,
    "pad_shortcut": o.pad_shortcut,
    "channel_projection_shortcut": o.channel_projection_shortcut,
}

_RATE = st.sampled_from([0.5, 0.25])
_OVERRIDES: dict[str, dict[str, Any]] = {
    "conv": {"filters": few, "groups": st.sampled_from([1, 2])},
    "activate": {"activation": st.sampled_from(["relu", "gelu"])},
    "dropout": {"rate": _RATE},
    "stochastic_depth": {"rate": _RATE},
    "group_norm": {"groups": 1},
    "depthwise": {"filters": None},
    "transposed": {"filters": few, "strides": st.sampled_from([1, 2, (1, 2)]), "output_size": OMITTED},
    "vgg_block": {"kernel_size": sizes(), "dilation_rate": OMITTED},
    "bottleneck": {"filters": st.sampled_from([4, 8]), "reduction": st.sampled_from([4, 2])},
    "depthwise_separable": {"depthwise": OMITTED},
    "inverted_residual": {"expansion": st.integers(1, 3), "depthwise": OMITTED},
    "xception_module": {"shortcut": OMITTED},
    "transition": {"dilation_rate": OMITTED},
    "dense_block": {"layers": st.integers(1, 3), "growth_rate": st.integers(1, 4)},
    "dense_layer": {"bottleneck": st.integers(0, 2), "growth_rate": st.integers(1, 4)},
    "inception_asymmetric": {"n": st.sampled_from([3, 2, 5, 7])},
    "inception_reduction": {
        "single": st.tuples(few) | st.tuples(few, few),
        "double": st.tuples(few, few, few),
        "n": None,
    },
    "classifier": {
        "classes": few,
        "pooling": st.sampled_from(["avg", "max", "flatten"]),
        "units": st.lists(few, max_size=2).map(tuple),
        "dropout": st.sampled_from([0.0, 0.5]),
        "dense": OMITTED,
        "output": OMITTED,
    },
    "aux_classifier": {"classes": few, "dropout": _RATE},
    "decoder_block": {"up": OMITTED, "offset": st.integers(-1, 2), "convs": st.integers(1, 2)},
    "fuse_scores": {"up": OMITTED, "score": OMITTED, "offset": st.integers(-2, 2)},
    "squeeze_excite": {"gate": OMITTED},
}

CHAIN = [
    "conv",
    "max_pool",
    "avg_pool",
    "basic_residual",
    "conv_bn",
    "batch_norm",
    "inception",
    "bottleneck",
    "vgg_block",
    "separable",
    "depthwise",
    "dilated",
    "preact_conv",
    "transposed",
    "dense_block",
    "transition",
    "depthwise_separable",
    "inverted_residual",
    "xception_module",
    "squeeze_excite",
    "inception_stacked",
    "inception_asymmetric",
    "inception_expanded",
    "inception_reduction",
    "dense_layer",
    "subsample",
    "norm_activation",
    "group_norm",
    "layer_norm",
    "local_response_norm",
    "activate",
    "dropout",
    "stochastic_depth",
    "adaptive_avg_pool",
    "zero_pad",
    "crop",
    "bilinear_up",
]
"""Blocks of one image, from the simplest on."""


@cache
def piece(name: str) -> Piece:
    """A block of ours by name.

    Example:
        >>> piece("max_pool").oracle((7, 9, 3)).shape
        (4, 5, 3)
    """
    from layerblocks import blocks

    return Piece(getattr(blocks, name), _ORACLES[name], _OVERRIDES.get(name, {}))


def pieces(blocks: Any = None) -> list[Piece]:
    """Those of the library for None, or those of a user: blocks of one image, or a dict of blocks and their oracles.

    An oracle is a function of `(height, width, channels)` and the block's arguments, or a shape specification, or None
    for what the block itself gives at a known size.
    """
    if blocks is None:
        return [piece(name) for name in CHAIN]
    given = blocks if isinstance(blocks, Mapping) else dict.fromkeys(blocks)
    if not given or not all(callable(block) for block in given):
        raise TypeError(f"networks: blocks takes functions, or a dict of functions and their oracles, got {blocks!r}")
    return [
        block if isinstance(block, Piece) else Piece(block, oracle_of(block, oracle)) for block, oracle in given.items()
    ]


def oracle_of(block: Callable[..., Any], oracle: Any = None) -> Oracle:
    if isinstance(oracle, str):
        return partial(_specified, Spec.parse(oracle))
    if oracle is not None:
        return oracle
    name = getattr(inspect.unwrap(block), "__name__", "")
    from layerblocks import blocks

    return _ORACLES[name] if getattr(blocks, name, None) is block and name in _ORACLES else partial(built, block)


def _specified(spec: Spec, shape: Shape, **arguments: Any) -> Expected:
    """A specification says nothing of parameters."""
    sizes = {word: value for word, value in arguments.items() if isinstance(value, int)}
    return Expected(spec.expected((None, *shape), **sizes)[1:], None, None)  # type: ignore[arg-type]


def built(block: Callable[..., Any], *shapes: Shape, **arguments: Any) -> Expected:
    """What a block without an oracle gives: that of a symbolic build."""
    import keras

    from layerblocks.blocks import weightless

    state = random.getstate()  # which initialisers draw from, and Hypothesis does not allow while it draws
    with weightless():
        xs = [keras.Input(oriented(shape)) for shape in shapes]
        model = keras.Model(xs, block(xs, **arguments) if joins(block) else block(*xs, **arguments))
    random.setstate(state)
    return Expected(straight(model.output_shape[1:]), model.count_params())


def oriented(shape: Sequence[Any]) -> tuple[Any, ...]:
    """`height width channels` in the order of Keras's data format."""
    import keras

    if len(shape) == 3 and keras.config.image_data_format() == "channels_first":
        return (shape[2], *shape[:2])
    return tuple(shape)


def straight(shape: Sequence[Any]) -> tuple[Any, ...]:
    """Back again: `height width channels`."""
    import keras

    if len(shape) == 3 and keras.config.image_data_format() == "channels_first":
        return (*shape[1:], shape[0])
    return tuple(shape)


# A block's arguments in the words of its oracle.

_SILENT = {
    "activation",
    "dropout",
    "gate",
    "hidden_activation",
    "rate",
    "depth",
    "k",
    "alpha",
    "beta",
    "keepdims",
    "zero_init",
    "activate_first",
    "name",
}
"""Arguments that change neither shape nor parameters."""


def _norm_parameters(norm: Any) -> int:
    flags: dict[str, Any] = {}
    while isinstance(norm, partial):
        flags, norm = {**norm.keywords, **flags}, norm.func
    per_channel = {"batch_norm": 4, "group_norm": 2, "layer_norm": 2, "local_response_norm": 0}[norm.__name__]
    return per_channel - (flags.get("scale") is False) - (flags.get("center") is False)


def _of_function(function: Any) -> Oracle:
    words: dict[str, Any] = {}
    while isinstance(function, partial):
        words, function = {**function.keywords, **words}, function.func
    oracle = _ORACLES[function.__name__]
    words = translated(words)
    return partial(oracle, **words) if words else oracle


def translated(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a block in the words of its oracle: units and norms become theirs.

    Example:
        >>> from layerblocks.blocks import batch_norm
        >>> translated({"filters": 4, "norm": batch_norm, "activation": "relu"})
        {'filters': 4, 'norm_parameters': 4}
    """
    found: dict[str, Any] = {}
    for word, value in arguments.items():
        if word in _SILENT or word.endswith(("_initializer", "_regularizer", "_constraint")):
            continue
        if word == "norm":
            found["norm_parameters"] = None if value is None else _norm_parameters(value)
        elif word in ("conv", "up", "shortcut") or (word == "pool" and value is not None):
            found[word] = _of_function(value)
        else:
            found[word] = value
    return found
