"""Make constructors with the arguments that every Keras user knows from functions that walk over blocks."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import operator
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

import keras

from .. import _keras, checks
from ..blocks import arguments
from ..blocks import dense as _dense
from ..blocks import words as words_of_blocks
from ..blocks.core import full_name, scope, weightless
from ..blocks.heads import classifier
from ..blocks.pools import global_avg_pool, global_max_pool
from ..blocks.tensors import at_least, channel_axis, channels, guarded, sides
from ..blocks.types import Activation, Dense, Tensor, Unit
from ..blocks.units import matching
from ..garbage import no_collection
from ..graphs.window_arithmetic import least_side
from ..models.origins import Network, Origin, remember
from ..models.outputs import AUX_LOSS_WEIGHT, output_weights, with_said_labels
from . import weights as _weights
from .catalogue import ENTRIES
from .origins import add_constructor
from .weight_sources import IMAGENET

COMMON = {
    "include_top": True,
    "weights": None,
    "input_tensor": None,
    "input_shape": None,
    "pooling": None,
    "classes": 1000,
    "classifier_activation": "softmax",
    "name": None,
}
_NOT_OF_THE_NETWORK = ("dialect", "weights", "input_tensor", "name")
# What many look for among the arguments of a network.
_OF_UNITS = ("norm", "activation", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
_POOLS = {"avg": global_avg_pool, "max": global_max_pool}

# What the help of every network ends in.
_OF_ALL = """
    `include_top`, `weights`, `input_tensor`, `input_shape`, `pooling`, `classes`, `classifier_activation` and
    `name` are those of `keras.applications`; `weights` may also be a model, a state dict or a file (`load`), and
    brings the dialect with it. `conv` is instead of the dialect's unit, with the padding and the epsilon that this
    one has. `use_bias`, True or False, is that of every convolution by `conv`, beside a norm too; None for that of
    its unit (the enlargements of FCN and what NASNet halves have none). Functions may be said by their names, as in
    `build`. An image too small or another argument out of range is a ValueError, an unknown argument or one of the
    wrong type a TypeError.
"""
_EXAMPLE = """
    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = {name}()
        >>> model.count_params()
        {parameters}
"""


@dataclass(frozen=True)
class Head:
    """How a network ends; called on its last feature map it gives the classes, or without a top the features."""

    include_top: bool
    pooling: str | None
    classes: int
    activation: Activation

    def __call__(self, x: Tensor, **options: Any) -> Tensor:
        if self.include_top:
            return classifier(x, self.classes, activation=self.activation, name="classifier", **options)
        return x if self.pooling is None else _POOLS[self.pooling](x, name="global_pool")


def dilate_stages(strides: Sequence[int], output_stride: int | None) -> list[tuple[Any, int]]:
    """Give stride and dilation rate of each stage of a network whose strides multiply to `output_stride` and no more.

    A stage that would go beyond keeps the resolution; it and those after it see as far through holes instead. What
    stands before the stride in such a stage still has the rate of the stage before.

    Args:
        strides: of the stages, the stem's among them.
        output_stride: None for no dilation, or the stride that some stage reaches.

    Raises:
        ValueError: no stage ends at `output_stride`.

    Example:
        >>> dilate_stages((4, 2, 2, 2), 8)
        [(4, 1), (2, 1), (1, 2), (1, 4)]
    """
    reached = list(itertools.accumulate(strides, operator.mul))
    checks.choice("output_stride", output_stride, (None, *sorted(set(reached))))
    limit = reached[-1] if output_stride is None else output_stride
    return [
        (stride, 1) if total <= limit else (1, total // limit) for stride, total in zip(strides, reached, strict=True)
    ]


def divided(x: Tensor, number: Any, words: str) -> Tensor:
    """`x`, an image whose sides a walk divides into pieces of `number` pixels, as the arguments in `words` say.

    Raises:
        ValueError: a side is unknown or no multiple; says which sizes work.
    """
    number, given = checks.integer(words, number), sides(x)
    below = [max(1, (side or 0) // number) * number for side in given]
    if None in given or any(side % number for side in given if side is not None):
        said = " or ".join("×".join(str(side + more) for side in below) for more in (0, number))
        must_be = f"of sides that are multiples of {number}, by {words}, such as {said}"
        error = checks.refuse("input_shape", given, must_be)
        error.divisor = number  # type: ignore[attr-defined]
        raise error
    return x


def architecture(
    *,
    dialects: Mapping[str, Mapping[str, Any]] | None = None,
    aux_weight: float = AUX_LOSS_WEIGHT,
    table: str | None = None,
    dialect_of_rank: Mapping[int, str] | None = None,
    **defaults: Any,
) -> Callable[[Callable[..., Any]], Callable[..., keras.Model]]:
    """Make a constructor of a walk: a function `walk(x, head, *, …)` from an image tensor to a tensor or a dict.

    The constructor accepts, as keywords, `include_top, weights, input_tensor, input_shape, pooling, classes,
    classifier_activation, name` and those of the walk, and returns a model. Layer names have no prefix where
    the network stands alone; with `name` or `input_tensor` they have one, so that two networks go into one graph.

    `weights` is None for random ones, what `load` accepts for a source, or `"imagenet"`, which Keras downloads, for
    images as `preprocess_input` of that network gives them. Where the weights say whose they are, the network is built
    in that dialect. Every tensor is used exactly once, or it is an error that says which was not.

    Args:
        dialects: by name, the arguments in which the networks of that name differ between sources; adds
            the argument `dialect`, whose default is the first.
        aux_weight: of the loss of each auxiliary head in training (`compile_args`).
        table: the argument that says how the network is put together, which may be given without its name.
        dialect_of_rank: the dialect of signals (1) or volumes (3) where it is another than that of images.
        defaults: of the common arguments where they are not Keras's; `input_shape` (height, width, channels).
    """

    def decorate(walk: Callable[..., Any]) -> Callable[..., keras.Model]:
        walk.aux_weight, walk.table = aux_weight, table  # type: ignore[attr-defined]
        walk.dialect_of_rank = dialect_of_rank or {}  # type: ignore[attr-defined]
        made = _constructor(walk, walk.__name__, defaults, dialects or {})
        made.__doc__ = f"{(walk.__doc__ or '').rstrip()}\n{_OF_ALL}{_example(walk.__name__)}    "
        return made

    return decorate


def variant(
    constructor: Callable[..., keras.Model],
    name: str,
    doc: str,
    *,
    dialects: Mapping[str, Mapping[str, Any]] | Collection[str] | None = None,
    **bound: Any,
) -> Callable[..., keras.Model]:
    """Make the same constructor under another name, with some arguments bound.

    Args:
        dialects: None for those of the constructor; the names of some of them where the others do not have this
            network; or others.
    """
    known = constructor.dialects  # type: ignore[attr-defined]
    if dialects is None:
        kept = known
    else:
        kept = dialects if isinstance(dialects, Mapping) else {dialect: known[dialect] for dialect in dialects}
    hints, words = get_type_hints(constructor.walk), inspect.signature(constructor).parameters  # type: ignore[attr-defined]
    followers = _following({word: default.default for word, default in words.items()}, bound, hints)
    defaults = {**constructor.defaults, **bound, **(followers if "conv" in bound else {})}  # type: ignore[attr-defined]
    made = _constructor(constructor.walk, name, defaults, kept)  # type: ignore[attr-defined]
    made.__doc__ = doc
    return made


def published(constructor: Callable[..., keras.Model], name: str, **bound: Any) -> Callable[..., keras.Model]:
    """Make the variant of a family that is in the catalogue under that name; its help is made of its line there."""
    entry = ENTRIES[name]
    doc = f"{entry.title} ({entry.paper}). Arguments and errors as `{constructor.__name__}`.\n{_example(name)}    "
    return variant(constructor, name, doc, **bound)


def _example(name: str) -> str:
    """The example of a network of the catalogue, in its help."""
    return _EXAMPLE.format(name=name, parameters=ENTRIES[name].parameters) if name in ENTRIES else ""


def _constructor(
    walk: Callable[..., Any], name: str, defaults: Mapping[str, Any], dialects: Mapping[str, Mapping[str, Any]]
) -> Callable[..., keras.Model]:
    own = [p for p in inspect.signature(walk).parameters.values() if p.name not in ("x", "head")]
    words = {**COMMON, **({"dialect": next(iter(dialects))} if dialects else {}), **{p.name: p.default for p in own}}
    if "conv" in words:
        words.setdefault("use_bias", None)
    words = {word: defaults.get(word, default) for word, default in words.items()}
    hints = {word: hint for word, hint in get_type_hints(walk).items() if word in {p.name for p in own}}

    def settle(positional: tuple[Any, ...], given: Mapping[str, Any]) -> dict[str, Any]:
        """Every argument, converted, the head among them."""
        with scope("", name):
            if positional:
                table = None if name in ENTRIES else walk.table  # type: ignore[attr-defined]
                given = _with_table(table, name, positional, given, hints)
            for word in given:
                if word not in words:
                    of_unit = f"; conv={{'name': 'conv_bn', {word!r}: …}} has it everywhere"
                    near = of_unit if word in _OF_UNITS and "conv" in words else checks.nearest(word, words)
                    raise TypeError(
                        f"{name}: unexpected argument {checks.one_line(word)}{near}; "
                        f"its arguments are {', '.join(words)}"
                    )
            source: Mapping[str, Any] = {}
            weights, asked = _weights.checked(given.get("weights"), name), None
            if dialects:
                brought = _weights.dialect_of(weights, dialects)
                if brought is None and "dialect" not in given and len(dialects) > 1 and _weights.is_unsaid(weights):
                    raise checks.refuse("dialect", None, "said, as weights do not say whose computation they belong to")
                usual = _of_rank(walk.dialect_of_rank, given, dialects, words["dialect"])  # type: ignore[attr-defined]
                asked = given.get("dialect", usual if brought is None else brought)
                source = dialects[checks.choice("dialect", asked, tuple(dialects))]
                if weights == IMAGENET and asked != brought:
                    raise checks.refuse("dialect", asked, f"{brought!r} with weights={IMAGENET!r}")
            own = {
                word: arguments.annotated(word, value, hints[word]) for word, value in given.items() if word in hints
            }
            settled = {**words, **source, **given, **own}
            settled.pop("dialect", None)
            asked_for, bias = tuple(given), None if "use_bias" in hints else settled.pop("use_bias", None)
            if bias is not None:
                biased = functools.partial(settled["conv"], use_bias=checks.flag("use_bias", bias))
                settled["conv"], given = biased, {**given, "conv": biased}
            settled |= _following(settled, given, hints)
            if given.get("input_shape") is not None:
                settled["input_shape"] = _checked_shape(given["input_shape"])
                _warn_of_the_other_order(settled["input_shape"])
            else:
                settled["input_shape"] = _oriented({**words, **source}["input_shape"] or (224, 224, 3))
            if given.get("input_tensor") is not None:
                shape = arguments.image(given["input_tensor"], "input_tensor")[1:]
                if given.get("input_shape") is not None and settled["input_shape"] != shape:
                    said = f"None, or {shape}, the shape of input_tensor"
                    raise checks.refuse("input_shape", given["input_shape"], said)
                settled["input_shape"] = shape
            head = _head(settled)
            settled |= {"classes": head.classes, "include_top": head.include_top}
            told = {
                word: given[word]
                if word not in settled or (word in hints and words_of_blocks.is_said_in_words(given.get(word)))
                else settled[word]
                for word in (*asked_for, "input_shape")
                if word not in _NOT_OF_THE_NETWORK
            }
            known = Origin(name, asked, told, alone=settled["input_tensor"] is None)
            return {**settled, "weights": weights, "head": head, "origin": known}

    @functools.wraps(walk)
    def construct(*positional: Any, **given: Any) -> keras.Model:
        settled = settle(positional, given)
        try:
            return _build(walk, name, **settled)
        except (TypeError, ValueError) as error:
            if "conv" in given:
                _refuse_unit(name, given, words, error)
            raise

    def of_walk(settled: Mapping[str, Any]) -> dict[str, Any]:
        return {word: value for word, value in settled.items() if word not in (*COMMON, "origin")}

    def smallest_input(**given: Any) -> int | None:
        """Find the smallest side of a square image that the network can be built on with these arguments."""
        settled = settle((), given)
        shape = settled["input_shape"]
        return _smallest(functools.partial(walk, **of_walk(settled)), _channels_of(shape), name, len(shape) - 1)

    def trunk(x: Tensor, **given: Any) -> Tensor:
        """Make the layers of the network up to its last feature map on a tensor of another one, under their names."""
        return walk(x, **of_walk(settle((), {**given, "include_top": False, "input_shape": tuple(x.shape[1:])})))

    construct.__name__ = construct.__qualname__ = name
    construct.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(w, inspect.Parameter.KEYWORD_ONLY, default=default) for w, default in words.items()],
        return_annotation="keras.Model",
    )
    construct.walk, construct.defaults, construct.dialects = walk, dict(defaults), dialects  # type: ignore[attr-defined]
    construct.smallest_input, construct.trunk = smallest_input, trunk  # type: ignore[attr-defined]
    add_constructor(name, construct)
    return construct


def _following(settled: Mapping[str, Any], given: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """The units of a network that a `conv` which is given changes too: what it says holds everywhere.

    A unit that is given itself is left as it is; `output` follows a `dense` that is given before a `conv`.
    """
    units = [word for word, hint in hints.items() if any(one in (Unit, Dense) for one in (hint, *get_args(hint)))]
    changed = {}
    for word in units:
        leader = given.get("dense", given.get("conv")) if word == "output" else given.get("conv")
        if word != "conv" and word not in given and settled[word] is not None and leader is not None:
            changed[word] = matching(settled[word], leader)
    if "dense" in units and "conv" in hints and settled["dense"] is None:
        changed["dense"] = matching(_dense, settled["conv"])
    return changed


# What a layer of a network asks of its unit, and the argument of the network that asks for less.
_ASKED = {
    **dict.fromkeys(("filters", "kernel_size", "padding", "connections", "depth_multiplier"), ""),
    "strides": "output_stride",
    "dilation_rate": "output_stride",
    "groups": "groups",
}


def _refuse_unit(name: str, given: Mapping[str, Any], words: Collection[str], error: Exception) -> None:
    """Say of a unit that cannot do what a layer asks of it that it does not fit the network."""
    about: Any = getattr(error, "about", None) or getattr(error.__cause__, "about", ("",))
    asked = about[0]
    if asked not in _ASKED or asked in given:
        return
    instead = f", or with another {_ASKED[asked]}" if _ASKED[asked] in words else ""
    must_be = f"a unit that fits every convolution of the network, got {_unit_in_words(given['conv'])}{instead}"
    raise type(error)(checks.plain(f"{name}: conv must be {must_be} ({error})")) from error


def _unit_in_words(unit: Any) -> str:
    """`dilated(dilation_rate=2)`."""
    options: dict[str, Any] = {}
    while isinstance(unit, functools.partial):
        options = {**unit.keywords, **options}
        unit = unit.func
    said = {word: getattr(value, "__name__", checks.one_line(value, 40)) for word, value in options.items()}
    listed = ", ".join(f"{word}={value}" for word, value in said.items())
    name = getattr(unit, "__name__", type(unit).__name__)
    return f"{name}({listed})" if listed else name


def _of_rank(known: Mapping[int, str], given: Mapping[str, Any], dialects: Collection[str], usual: str) -> str:
    """The dialect of a signal, an image or a volume where none is given."""
    shape = given.get("input_shape")
    rank = len(shape) - 1 if isinstance(shape, tuple | list) else 2
    dialect = known.get(rank, usual)
    return dialect if dialect in dialects else usual


def _with_table(
    table: str | None, name: str, positional: tuple[Any, ...], given: Mapping[str, Any], hints: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The arguments by name, with the one that may be given without it."""
    first, *others = positional
    is_table = isinstance(first, Mapping) or checks.is_sequence(first)
    if table is None or table in given or others or not is_table:
        raise TypeError(_by_name(name, first, hints))
    return {table: first, **given}


def _by_name(name: str, value: Any, hints: Mapping[str, Any]) -> str:
    """Say that arguments have names, and which of them this value fits where it is more than a number or a word."""
    fitting = []
    with contextlib.suppress(TypeError, ValueError):
        fitting.append(f"input_shape={checks.one_line(_checked_shape(value))}")
    for word, hint in hints.items():
        with contextlib.suppress(TypeError, ValueError):
            if not isinstance(value, bool | int | float | str):
                arguments.annotated(word, value, hint)
                fitting.append(f"{word}={checks.one_line(value)}")
    advice = f"; did you mean {' or '.join(fitting[:3])}?" if fitting else ""
    return checks.plain(
        f"{name}: arguments must be given by name, not as positional ones, got {checks.one_line(value)}{advice}"
    )


def _head(settled: Mapping[str, Any]) -> Head:
    arguments.identifier("classifier_activation", settled["classifier_activation"])
    include_top = checks.flag("include_top", settled["include_top"])
    pooling = checks.choice("pooling", settled["pooling"], (None, *_POOLS))
    if include_top and pooling is not None:
        raise checks.refuse("pooling", pooling, "None with include_top=True, whose pooling is that of the network")
    return Head(include_top, pooling, checks.integer("classes", settled["classes"]), settled["classifier_activation"])


def _oriented(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """(height, width, channels) under Keras's data format."""
    *axes, depth = shape
    return shape if channel_axis() == -1 else (depth, *axes)


def _build(
    walk: Callable[..., Any],
    block: str,
    /,
    *,
    head: Head,
    weights: Any,
    input_tensor: Any,
    input_shape: tuple[int | None, ...],
    name: str | None,
    origin: Origin,
    **settled: Any,
) -> keras.Model:
    path = full_name(block, name) if name is not None or input_tensor is not None else ""
    if weights == IMAGENET and head.include_top and head.classes != 1000:
        with scope("", block):
            raise checks.refuse("classes", head.classes, f"1000 with include_top=True and weights={IMAGENET!r}")
    options = {word: value for word, value in settled.items() if word not in COMMON}
    build = functools.partial(walk, head=head, **options)
    with scope(path, block), no_collection():
        x = keras.Input(input_shape, name=full_name("input")) if input_tensor is None else input_tensor
        outputs = _at_least_the_smallest(x, build, block)
    inputs = x if input_tensor is None else _keras.source_inputs(x)
    if isinstance(inputs, list) and len(inputs) == 1:
        inputs = inputs[0]
    with _keras.deep_graphs():
        model = Network(inputs, outputs, name=name or block)
    remember(model, origin)
    if isinstance(outputs, Mapping):
        # For diagrams of a model that is not compiled yet, and for `compile_args`.
        model.loss_weights = output_weights(outputs, walk.aux_weight)  # type: ignore[attr-defined]
        with_said_labels(model)
    if weights is not None:
        layers = model.layers if input_tensor is None else [x for x in model.layers if x.name.startswith(f"{path}.")]
        with scope("", block):
            _weights.construct(model, layers, weights, block, {**settled, "input_shape": input_shape})
    return model


def _channels_of(shape: Sequence[Any]) -> Any:
    return shape[-1 if channel_axis() == -1 else 0]


def _checked_shape(shape: Any) -> tuple[int | None, ...]:
    must_be = "(height, width, channels), positive integers; height and width may be None"
    must_be += " (of signals (length, channels), of volumes (depth, height, width, channels))"
    if not isinstance(shape, tuple | list):
        raise checks.refuse("input_shape", shape, must_be, TypeError)
    if len(shape) - 1 not in arguments.RANKS or _channels_of(shape) is None:
        raise checks.refuse("input_shape", shape, must_be)
    try:
        return tuple(side if side is None else checks.integer("input_shape", side) for side in shape)
    except (TypeError, ValueError):
        raise checks.refuse("input_shape", shape, must_be) from None


def _warn_of_the_other_order(shape: tuple[int | None, ...]) -> None:
    """Say of what looks like a square image of 1 or 3 channels in the other order of axes what it is taken for."""
    axis = channel_axis()
    sides, depth = (shape[:-1], shape[-1]) if axis == -1 else (shape[1:], shape[0])
    turned = (sides[0], (*sides[1:], depth)) if axis == -1 else (sides[-1], (depth, *sides[:-1]))
    few, equal = turned
    if len(shape) == 3 and few in (1, 3) and len({*equal}) == 1 and (equal[0] or 0) >= 16:
        image = "×".join(map(str, sides))
        order = keras.config.image_data_format()
        said = f"input_shape {shape} is an image of {image} with {depth} channels, as Keras has them {order}"
        warnings.warn(checks.plain(f"{checks.where()}: {said}"), UserWarning, stacklevel=4)


def _at_least_the_smallest(x: Tensor, build: functools.partial[Any], block: str) -> Any:
    """Build on `x`; an image too small is refused with the smallest that works, now or when it comes."""
    given = sides(x)
    known = [side for side in given if side is not None]
    if len(known) < len(given):
        least = _smallest(build, channels(x), block, len(given))
        if least is not None and least > 1:
            x = at_least(x, [least] * len(given), "minimum_size")
        with guarded():
            return build(x)
    try:
        return build(x)
    except ValueError as error:
        least = _smallest(build, channels(x), block, len(given))
        if least is None or min(known) >= least:
            raise
        wanted, got = ("×".join(map(str, one)) for one in ([least] * len(given), given))
        raise ValueError(checks.plain(f"{block}: input_shape must be at least {wanted}, got {got} ({error})")) from None


def _smallest(build: functools.partial[Any], depth: int, block: str, rank: int) -> int | None:
    """The smallest side of a square image, or what is like it, that can be built on, None if there is none.

    The search builds a dozen networks, so that what was found for arguments is kept.
    """
    asked = (build.func, tuple(build.keywords.items()), depth, block, rank, channel_axis())
    try:
        hash(asked)
    except TypeError:
        return _searched.__wrapped__(*asked)
    return _searched(*asked)


@functools.lru_cache(maxsize=128)
def _searched(
    walk: Callable[..., Any], options: tuple[tuple[str, Any], ...], depth: int, block: str, rank: int, axis: int
) -> int | None:
    @functools.cache
    def fault(side: int) -> ValueError | None:
        try:
            with weightless(), scope("", block):
                walk(keras.Input(_oriented((*[side] * rank, depth))), **dict(options))
        except ValueError as error:
            return error
        return None

    # Of a network that works on multiples of a size alone, the least of these.
    number = getattr(fault(1), "divisor", 1)
    least = least_side(lambda side: fault(side * number) is None)
    return None if least is None else least * number
