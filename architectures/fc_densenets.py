"""FC-DenseNet, the Tiramisu (Jégou et al. 2017, The One Hundred Layers Tiramisu)."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import checks
from ..blocks import decoder_block, dense_block, max_pool, pixel_predictions, transition, transposed
from ..blocks.tensors import channels
from ..blocks.types import Padding, Size, Tensor, Unit
from ..blocks.units import leading, weight_options, without_norm
from .constructor import Head, architecture, published
from .densenets import densenet_conv

# Table 2 of the paper and section 4.1: layers in each dense block down to the coarsest, growth rate.
FC_DENSENETS = {56: ((4,) * 6, 12), 67: ((5,) * 6, 16), 103: ((4, 5, 7, 10, 12, 15), 16)}

fc_densenet_conv = partial(densenet_conv, use_bias=True, kernel_initializer="he_uniform")


def rounding_up(x: Tensor, pool_size: Size = 2, *, padding: Padding = "same", **options: Any) -> Tensor:
    """A maximum pool that leaves out no pixel, whichever padding is asked for."""
    return max_pool(x, pool_size, padding="same", **options)


def _block(x: Tensor, filters: int, convs: int, *, name: str | None = None, **options: Any) -> Tensor:
    """A dense block as a decoder calls it."""
    return dense_block(x, convs, bottleneck=0, name=name, **options)


@architecture(input_shape=(224, 224, 3), classes=11, table="layers")
def fc_densenet(
    x: Tensor,
    head: Head,
    *,
    layers: tuple[int, ...] = FC_DENSENETS[103][0],
    growth_rate: int = 16,
    stem_filters: int = 48,
    dropout: float = 0.2,
    up: Unit | None = None,
    conv: Unit = fc_densenet_conv,
) -> Tensor:
    """FC-DenseNet: dense blocks down and up with skips; on the way up only what a block adds (Jégou et al. 2017).

    (Figure 1 and table 2.)

    Shapes: `batch height width channels` -> `batch height width classes`, for any input size, None included. Without
    a top the last feature map.

    Args:
        layers: of the dense blocks on the way down, the coarsest last; the way up mirrors them.
        growth_rate: channels that each layer adds.
        stem_filters: of the first convolution.
        dropout: rate after each convolution of the blocks and transitions.
        up: unit that doubles the sides, a 3×3 kernel unless it has one; None for a linear `transposed` without norm.
        conv: unit of every other convolution; norm and activation stand before it.
    """
    *down, coarsest = checks.integers("layers", layers, max(2, len(layers)))
    linear: Any = partial(transposed, norm=None, activation=None, **weight_options(conv))
    enlarge = partial(linear, kernel_size=3) if up is None else up
    x = leading(conv)(x, stem_filters, 3, strides=1, norm=None, activation=None, name="stem")
    options: dict[str, Any] = {"growth_rate": growth_rate, "dropout": dropout}
    skips = []
    for number, count in enumerate(down, 1):
        x = _block(x, 0, count, conv=conv, name=f"encoder{number}", **options)
        skips.append(x)
        x = transition(x, channels(x), dropout=dropout, pool=rounding_up, conv=conv, name=f"transition{number}")
    x = _block(x, 0, coarsest, with_input=False, conv=conv, name="coarsest", **options)
    for number, count in reversed([*enumerate(down, 1)]):
        own = partial(_block, with_input=number == 1, **options)
        name, skip = f"decoder{number}", skips[number - 1]
        x = decoder_block(x, skip, channels(x), count, up=enlarge, block=own, conv=conv, name=name)
    if not head.include_top:
        return head(x)
    x = without_norm(conv)(x, head.classes, 1, strides=1, activation=None, name="score")
    return pixel_predictions(x, head.activation, name="predictions")


def _published(depth: int) -> Any:
    layers, growth_rate = FC_DENSENETS[depth]
    return published(fc_densenet, f"fc_densenet{depth}", layers=layers, growth_rate=growth_rate)


fc_densenet56, fc_densenet67, fc_densenet103 = map(_published, FC_DENSENETS)
