"""Feature maps of a network by their stride."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from .. import _keras, checks
from ..blocks.tensors import channel_axis
from ..blocks.types import Tensor
from ..checks import public
from ..graphs.calls import calls, infer, trunk, wired
from .outputs import main_output
from .rewiring import images_of

# A side so long that what padding adds and "valid" cuts off does not matter.
SIDE = 2**20
# The smallest map that still counts as one of so large an image: what is smaller has a size of its own.
LEAST = 64
# What only prepares a map for the layer after it.
PREPARE = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D)


@public
@_keras.deep_graphs()
def features(model: keras.Model, strides: Sequence[int] | None = (4, 8, 16, 32)) -> keras.Model:
    """Collect the feature maps of a network, one a stride, in a model of several outputs.

    The stride of a map is how many pixels of the image it has for one of its own; dilation does not change it. Of all
    maps of a stride the last is taken which every way from the image to the coarsest map passes, so never one inside a
    branch: in ResNet the ends of the stages, in U-Net those of the encoder. Auxiliary heads play no part.

    Shapes: `batch height width channels` -> a dict of `batch height/s width/s channels_s`, keyed `"stride4"`,
    `"stride8"`, ….

    Args:
        model: functional or sequential, on images.
        strides: those wanted; None for all that there are.

    Returns:
        A model that shares its layers with the old one. Its inputs are the same tensors.

    Raises:
        ValueError: no map has one of the strides (the message says which there are), or the model has no image for
            input.
        TypeError: `model` is no model with a graph, or `strides` no list of integers.

    Example:
        >>> from layerblocks.architectures import resnet50
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = features(resnet50(include_top=False, input_shape=(None, None, 3)))
        >>> model.output["stride8"].shape
        (None, None, None, 512)
    """
    model = wired(model)
    taps = strided_maps(main_output(model))
    count = len(strides) if isinstance(strides, Sequence) else 1
    wanted = list(taps) if strides is None else checks.integers("strides", strides, count)
    for stride in wanted:
        if stride not in taps:
            must_be = f"strides that {model.name!r} has a feature map of: {', '.join(map(str, taps)) or 'none'}"
            raise checks.refuse("strides", stride, must_be)
    if not wanted:
        raise checks.refuse("strides", strides, f"at least one of {', '.join(map(str, taps)) or 'none'}")
    outputs = {f"stride{stride}": taps[stride] for stride in wanted}
    return keras.Model(model.input, outputs, name=f"{model.name}_features")


def strided_maps(output: Tensor) -> dict[int, Tensor]:
    """Find for each stride that a network has up to `output` the last map that every way to its coarsest map passes."""
    strides = _strides(output)
    if not strides:
        raise checks.refuse("model", _keras.call_of(output).operation.name, "one whose input is a batch of images")
    coarsest = max(strides.values())
    maps = [tensor for call in calls([output]) for tensor in call.outputs if strides.get(id(tensor)) == coarsest]
    steps = [call for call in trunk(maps[-1]) if id(call.outputs[0]) in strides]
    depths = [call.outputs[0].shape[channel_axis()] for call in steps]
    # The image itself, scaled or padded, is no feature.
    begin = next((i for i, depth in enumerate(depths) if depth != depths[0]), len(steps))
    return {
        strides[id(call.outputs[0])]: call.outputs[0]
        for call in steps[begin:]
        if not isinstance(call.operation, PREPARE)
    }


def _strides(output: Tensor) -> dict[int, int]:
    """By how much each map that `output` needs, by its `id`, is smaller than the image; of those where that is said."""
    first = 1 if channel_axis() == -1 else 2
    specs = images_of(SIDE, SIDE, calls([output]), first)
    infer([output], specs, otherwise=_unknown)
    found = {key: _stride(spec.shape[first : first + 2]) for key, spec in specs.items() if len(spec.shape) == 4}
    return {key: stride for key, stride in found.items() if stride is not None}


def _unknown(call: Any) -> list[Any]:
    """For a layer that works on one size only: what follows has no stride."""
    return [keras.KerasTensor((None,) * len(tensor.shape), tensor.dtype) for tensor in call.outputs]


def _stride(sides: Sequence[int | None]) -> int | None:
    if any(side is None or side < LEAST for side in sides):
        return None
    ratios = {round(SIDE / side, 1) for side in sides if side is not None}
    return int(ratios.pop()) if len(ratios) == 1 and all(ratio == int(ratio) >= 1 for ratio in ratios) else None
