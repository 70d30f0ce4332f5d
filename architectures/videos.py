"""ResNets of videos: R3D, MC, rMC and R(2+1)D (Tran et al. 2018, A Closer Look at Spatiotemporal Convolutions)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any, Literal, Unpack

from .. import checks
from ..blocks import arguments, basic_residual, block, conv_bn, default_of
from ..blocks import dense as _dense
from ..blocks.core import delegate, register
from ..blocks.tensors import channels, rank
from ..blocks.types import Dense, PointwiseOptions, Size, Tensor, Unit
from .constructor import Head, architecture, published
from .initial_values import KAIMING_FAN_OUT, normal
from .resnets import resnet_conv, stage

Kind = Literal["3d", "2d", "2+1d"]
# Figure 1 and table 1 of the paper: what conv1 and each of the four stages are made of.
R3D: tuple[Kind, ...] = ("3d", "3d", "3d", "3d", "3d")
MC3: tuple[Kind, ...] = ("3d", "3d", "2d", "2d", "2d")
R2PLUS1D: tuple[Kind, ...] = ("2+1d", "2+1d", "2+1d", "2+1d", "2+1d")
STEM_MIDDLE = 45  # filters between the two convolutions of conv1, in the authors' code and in torchvision

_TORCH: dict[str, Any] = {
    "conv": partial(resnet_conv, padding="symmetric", kernel_initializer=KAIMING_FAN_OUT),
    "dense": partial(_dense, kernel_initializer=normal(0.01)),
    "middle_of": "block",
    "classifier_activation": None,
}
DIALECTS: dict[str, dict[str, Any]] = {"paper": {}, "torchvision": _TORCH}


@register("unit")
@delegate
def per_frame(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    conv: Unit = conv_bn,
    name: str | None = None,
    **options: Unpack[PointwiseOptions],
) -> Tensor:
    """A convolution of every frame by itself, a unit: nothing is mixed or left out along the first side.

    Shapes: `batch frames height width channels` -> `batch frames ceil(height/s) ceil(width/s) filters`.

    Example:
        >>> import keras
        >>> model = keras.Model(x := keras.Input((16, 56, 56, 64)), per_frame(x, 128, strides=2, name="conv1"))
        >>> model.output_shape, model.get_layer("conv1.conv").kernel_size
        ((None, 16, 28, 28, 128), (1, 3, 3))
    """
    _, *kernel = arguments.sizes("kernel_size", kernel_size, rank(x))
    _, *steps = arguments.sizes("strides", strides, rank(x))
    return conv(x, filters, (1, *kernel), strides=(1, *steps), name=name, **options)


@register("unit")
@delegate
def factorized(
    x: Tensor,
    filters: int,
    kernel_size: Size = 3,
    *,
    strides: Size = 1,
    middle: int | None = None,
    conv: Unit = conv_bn,
    name: str | None = None,
    **options: Unpack[PointwiseOptions],
) -> Tensor:
    """A convolution of every frame and one along the frames, a unit (Tran et al. 2018, section 3.5).

    Shapes: `batch frames height width channels` -> `batch ceil(frames/s) ceil(height/s) ceil(width/s) filters`.

    Args:
        middle: filters of the first; None for `middle_filters`. What sees one pixel alone stays one convolution.

    Example:
        >>> import keras
        >>> model = keras.Model(x := keras.Input((16, 56, 56, 64)), factorized(x, 64, name="conv1"))
        >>> [layer.name for layer in model.layers if layer.name.endswith("conv")]
        ['conv1.spatial.conv', 'conv1.temporal.conv']
    """
    kernel = arguments.sizes("kernel_size", kernel_size, rank(x))
    steps = arguments.sizes("strides", strides, rank(x))
    if prod(kernel) == 1:
        return conv(x, filters, kernel, strides=steps, name=name, **options)
    between = middle_filters(channels(x), filters, kernel) if middle is None else checks.integer("middle", middle)
    return _in_two(x, filters, kernel, strides=steps, middle=between, conv=conv, name=name, **options)


@block
def _in_two(
    x: Tensor,
    filters: int,
    kernel_size: tuple[int, ...],
    *,
    strides: tuple[int, ...],
    middle: int,
    conv: Unit,
    **options: Any,
) -> Tensor:
    still, first = (1,) * (len(kernel_size) - 1), {word: v for word, v in options.items() if word != "activation"}
    x = conv(x, middle, (1, *kernel_size[1:]), strides=(1, *strides[1:]), name="spatial", **first)
    return conv(x, filters, (kernel_size[0], *still), strides=(strides[0], *still), name="temporal", **options)


def middle_filters(given: int, filters: int, kernel_size: Sequence[int] = (3, 3, 3)) -> int:
    """As many that the two convolutions have the parameters of the one instead of which they stand.

    Example:
        >>> middle_filters(64, 64), 64 * 3**3 * 64, 144 * 3**2 * 64 + 64 * 3 * 144
        (144, 110592, 110592)
    """
    length, area = kernel_size[0], prod(kernel_size[1:])
    return max(1, length * area * given * filters // (area * given + length * filters))


def _same_middle(x: Tensor, filters: int, *, conv: Unit, **options: Any) -> Tensor:
    """Both convolutions of the block have the middle of its first."""
    middle = middle_filters(channels(x), filters, (3,) * rank(x))
    return basic_residual(x, filters, conv=partial(conv, middle=middle), **options)


@architecture(dialects=DIALECTS, table="kinds", input_shape=(16, 112, 112, 3), classes=400)
def video_resnet(
    x: Tensor,
    head: Head,
    *,
    kinds: Sequence[Kind] = R3D,
    repeats: Sequence[int] = (2, 2, 2, 2),
    filters: int = 64,
    middle_of: Literal["convolution", "block"] = "convolution",
    conv: Unit = resnet_conv,
    dense: Dense | None = None,
) -> Tensor:
    """A ResNet of basic blocks whose convolutions see some frames at once, or one, or the one after the other.

    (Tran et al. 2018, figure 1 and table 1.)

    Shapes: `batch frames height width channels` -> `batch classes`, for any size, None included.

    Args:
        kinds: of the convolutions of the stem and of each stage: `"3d"`; `"2d"`, of every frame by itself, whose stride
            keeps the frames; `"2+1d"`, such a one and one along the frames. `"3d"` everywhere is R3D, at first only MC,
            at last only rMC.
        repeats: number of blocks in each stage.
        filters: of the first stage; twice as many in each after it.
        middle_of: whether the filters between the two convolutions of `"2+1d"` are those of each `"convolution"` that
            they stand for, or for both of a `"block"` those of its first.
        conv: unit of every convolution.
        dense: unit of the classifier, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"torchvision"`: as many zeros on every side, the middle of a block, logits.
    """
    filters = checks.integer("filters", filters)
    repeats = checks.several("repeats", repeats)
    if not checks.is_sequence(kinds) or len(kinds) != len(repeats) + 1:
        raise checks.refuse("kinds", kinds, f"{len(repeats) + 1} kinds, of the stem and of each stage in repeats")
    known = {"3d": conv, "2d": partial(per_frame, conv=conv), "2+1d": partial(factorized, conv=conv)}
    first, *others = (checks.choice(f"kinds[{place}]", kind, tuple(known)) for place, kind in enumerate(kinds))
    shared = checks.choice("middle_of", middle_of, ("convolution", "block")) == "block"
    axes, activation = rank(x) - 1, default_of(conv, "activation", "relu")
    stem = partial(factorized, conv=conv, middle=STEM_MIDDLE) if first == "2+1d" else known[first]
    x = stem(x, 64, (3, *[7] * axes), strides=(1, *[2] * axes), name="stem")
    for number, (kind, count) in enumerate(zip(others, repeats, strict=True), 1):
        unit = conv if kind == "3d" else partial(known[kind], activation=activation)  # that of the sum too
        blocks: list[dict[str, Any]] = [{"strides": 1 if number == 1 else 2}, *[{}] * (count - 1)]
        residual = _same_middle if shared and kind == "2+1d" else basic_residual
        x = stage(x, filters * 2 ** (number - 1), blocks, residual=residual, conv=unit, name=f"stage{number}")
    return head(x, dense=dense)


r3d_18 = published(video_resnet, "r3d_18", kinds=R3D)
mc3_18 = published(video_resnet, "mc3_18", kinds=MC3)
r2plus1d_18 = published(video_resnet, "r2plus1d_18", kinds=R2PLUS1D)
