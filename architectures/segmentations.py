"""A class for every pixel: FCN (Long et al. 2015) and U-Net (Ronneberger et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from .. import checks
from ..blocks import (
    bilinear_up,
    decoder_block,
    default_of,
    fuse_scores,
    match_size,
    max_pool,
    pixel_predictions,
    vgg_block,
    zero_pad,
)
from ..blocks import conv as _conv
from ..blocks import dropout as _dropout
from ..blocks.signatures import given_to
from ..blocks.types import Padding, Pool, Tensor, Unit
from ..blocks.units import weight_options, without_norm
from .constructor import Head, architecture, published
from .vggs import FILTERS, VGG16_CONVS

FCN_DIALECTS: dict[str, dict[str, Any]] = {"paper": {}, "same": {"border": 0, "padding": "same"}}
UNET_DIALECTS: dict[str, dict[str, Any]] = {"paper": {}, "same": {"padding": "same"}}

unet_conv = partial(_conv, kernel_initializer="he_normal")


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a feature map lie in the image: pixel i has its centre at `origin + stride·i`.

    The same at every input size, so that what is cropped by it fits at every input size.

    Example:
        >>> pooled = Grid().window(2, strides=2)
        >>> pooled
        Grid(origin=0.5, stride=2)
        >>> pooled.enlarged(4, 2).before(Grid())
        -1
    """

    origin: float = 0.0
    stride: int = 1

    def window(self, side: int, strides: int = 1) -> Grid:
        """After a convolution or pool without padding."""
        return Grid(self.origin + (side - 1) / 2 * self.stride, self.stride * strides)

    def enlarged(self, side: int, factor: int) -> Grid:
        """After a transposed convolution without padding."""
        stride = self.stride // factor
        return Grid(self.origin - (side - 1) / 2 * stride, stride)

    def before(self, other: Grid) -> int:
        """Pixels of `other` before the first of this grid, which has the same stride."""
        return round((self.origin - other.origin) / self.stride)

    def shared(self, other: Grid) -> Grid:
        """What is left of both when the one that starts earlier is cropped."""
        return max(self, other, key=lambda grid: grid.origin)


@architecture(dialects=FCN_DIALECTS, input_shape=(500, 500, 3), classes=21)
def fcn(
    x: Tensor,
    head: Head,
    *,
    skips: Sequence[int] = (),
    filters: Sequence[int] = FILTERS,
    border: int = 99,
    padding: Padding = "valid",
    units: int = 4096,
    dropout: float = 0.5,
    train_upsampling: bool = False,
    conv: Unit = _conv,
) -> Tensor:
    """A fully convolutional VGG-16 that gives a class to every pixel (Long et al. 2015, section 4).

    Shapes: `batch height width channels` -> `batch height width classes`, for any input size, None included. Without
    a top the last feature map, of stride 32.

    Args:
        skips: blocks of the trunk whose scores are added on the way up, the first few of (4, 3, 2, 1).
        filters: of the blocks of the trunk.
        border: rows and columns of zeros around the image, besides the one that the first convolution adds.
        padding: of the 7×7 convolution that was the first dense layer; `"valid"` needs a border.
        units: filters of the two convolutions that were dense layers.
        dropout: rate after each of them.
        train_upsampling: whether the last enlargement is learned; in the paper it stays bilinear.
        conv: unit of the trunk and of the two convolutions; that of the scores is linear, has no norm and begins with
            zeros unless `conv` has an initialiser. The enlargements begin bilinear and have its regulariser.
        dialect: `"paper"`: 100 rows of zeros around the image; `"same"`: none, and `"same"` throughout.
    """
    border, units = checks.integer("border", border, at_least=0), checks.integer("units", units)
    filters = checks.integers("filters", filters, len(VGG16_CONVS))
    if tuple(skips) != (4, 3, 2, 1)[: len(skips)]:
        raise checks.refuse("skips", skips, "the first few of (4, 3, 2, 1)")
    image, grid, taps = x, Grid(origin=-border), {}
    x = zero_pad(x, border, name="border") if border else x
    for number, (convs, width) in enumerate(zip(VGG16_CONVS, filters, strict=True), 1):
        x = vgg_block(x, width, convs, padding="same", conv=conv, name=f"block{number}")
        grid = grid.window(2, strides=2)
        taps[number] = x, grid
    x = conv(x, units, 7, strides=1, padding=padding, name="fc6")
    grid = grid.window(7) if padding == "valid" else grid
    x = _dropout(x, dropout, name="dropout6")
    x = conv(x, units, 1, strides=1, name="fc7")
    x = _dropout(x, dropout, name="dropout7")
    if not head.include_top:
        return head(x)
    score = partial(without_norm(conv), activation=None)
    if default_of(conv, "kernel_initializer") is None:  # "we zero-initialize the class scoring layer" (section 4.3)
        score = partial(score, kernel_initializer="zeros")
    penalty = {w: v for w, v in weight_options(conv).items() if w.startswith("kernel") and w != "kernel_initializer"}
    enlarge: Any = partial(bilinear_up, **penalty)
    x = score(x, head.classes, 1, strides=1, name="score")
    for number in skips:
        skip, finer = taps[number]
        grid = grid.enlarged(4, 2)
        x = fuse_scores(x, skip, offset=grid.before(finer), up=enlarge, score=score, name=f"fuse{number}")
        grid = grid.shared(finer)
    before = grid.enlarged(2 * grid.stride, grid.stride).before(Grid())
    if before > 0:
        raise checks.refuse("border", border, f"at least {border + before} with padding={padding!r}")
    x = enlarge(x, grid.stride, trainable=train_upsampling, name="up")
    x = match_size(x, image, offset=-before, name="crop")
    return pixel_predictions(x, head.activation, name="predictions")


fcn32s = published(fcn, "fcn32s", skips=())
fcn16s = published(fcn, "fcn16s", skips=(4,))
fcn8s = published(fcn, "fcn8s", skips=(4, 3))


@architecture(dialects=UNET_DIALECTS, dialect_of_rank={1: "same", 3: "same"}, input_shape=(572, 572, 1), classes=2)
def unet(
    x: Tensor,
    head: Head,
    *,
    filters: Sequence[int] = (64, 128, 256, 512, 1024),
    convs: int | tuple[int, ...] = 2,
    padding: Literal["valid", "same"] = "valid",
    dropout: float = 0.5,
    block: Callable[..., Tensor] | None = None,
    stem: Callable[..., Tensor] | None = None,
    pool: Pool | None = max_pool,
    up: Unit | None = None,
    gate: Callable[..., Tensor] | None = None,
    gated_by: Literal["x", "up"] = "x",
    conv: Unit = unet_conv,
) -> Tensor:
    """U-Net: convolutions and pools down, convolutions and skips up (Ronneberger et al. 2015, figure 1).

    Shapes: `batch height width channels` -> `batch height width classes` with `"same"`, for any input size, None
    included; with `"valid"` smaller by at least 184 pixels a side (572 -> 388), those of the border. Without a top the
    last feature map.

    Args:
        filters: of the convolutions at each resolution, the finest first.
        convs: their number at each resolution, down and up; or a list with one for each.
        padding: of convolutions and pools; a `block` needs `"same"`.
        dropout: rate at the two coarsest resolutions.
        block: function `(x, filters, convs, *, conv, name)` in the place of the convolutions of a resolution.
        stem: that of the finest resolution on the way down; None for `block`.
        pool: function `(x, pool_size, *, padding, name)` that halves the sides, and is given `conv` if it asks for it;
            None where `block` does it, which then has an argument `strides`.
        up: unit that doubles the sides; None for `transposed` with norm, activation and options of `conv`.
        gate, gated_by: of each skip, as in `decoder_block`.
        conv: unit of every other convolution; that of the scores is linear and has no norm.
        dialect: `"paper"`: no padding, skips are cropped; `"same"`, which signals and volumes have unless it is given:
            the output has the size of the input.

    Raises:
        ValueError: an image too small for `"valid"` (which says the smallest).

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = unet()
        >>> model.output_shape, model.count_params()
        ((None, 388, 388, 2), 31030658)
    """
    checks.choice("padding", padding, ("valid", "same"))
    filters = checks.integers("filters", filters, max(2, len(filters)))
    each = convs if checks.is_sequence(convs) else [checks.integer("convs", convs)] * len(filters)
    counts = checks.integers("convs", each, len(filters))
    if block is not None and padding != "same":
        raise checks.refuse("padding", padding, "'same' with a block")
    if pool is None and block is None:
        raise checks.refuse("pool", pool, "a function where there is no block")
    unit = partial(conv, padding=padding)
    grid, skips, levels = Grid(), [], [*zip(range(1, len(filters) + 1), filters, counts, strict=True)]
    for number, width, count in levels:
        own: dict[str, Any] = {"conv": unit, "name": f"encoder{number}"}
        if number > 1:
            skips.append((x, grid))
            grid = grid.window(2, strides=2)
            if pool is None:
                own["strides"] = 2
            else:
                x = pool(x, 2, padding=padding, name=f"pool{number - 1}", **given_to(pool, conv=unit))
        rate = dropout if number >= len(filters) - 1 else 0.0
        make = stem if number == 1 and stem is not None else block
        if make is None:
            x = vgg_block(x, width, count, dropout=rate, pool=None, **own)
        else:
            x = _dropout(make(x, width, count, **own), rate, name=f"dropout{number}")
        grid = grid.window(_side(count, padding))
    options: dict[str, Any] = {"up": up, "gate": gate, "gated_by": gated_by, "block": block, "conv": unit}
    for (number, width, count), (skip, finer) in reversed([*zip(levels, skips, strict=False)]):
        grid = grid.enlarged(2, 2)
        x = decoder_block(x, skip, width, count, offset=grid.before(finer), name=f"decoder{number}", **options)
        grid = grid.shared(finer).window(_side(count, padding))
    if not head.include_top:
        return head(x)
    x = without_norm(conv)(x, head.classes, 1, strides=1, activation=None, name="score")
    return pixel_predictions(x, head.activation, name="predictions")


def _side(convs: int, padding: str) -> int:
    """Of so many 3×3 convolutions together."""
    return 1 + 2 * convs * (padding == "valid")
