"""Feature maps of a network by their stride."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

import keras

from .. import _keras, checks
from ..blocks.tensors import channel_axis
from ..blocks.types import Tensor
from ..checks import public
from ..graphs.calls import calls, trunk, wired
from ..graphs.receptive_fields import strides as strides_of
from .origins import made_of
from .outputs import main_output
from .rewiring import height_axis

# What only prepares a map for the layer after it.
PREPARE = (
    *(keras.layers.ZeroPadding1D, keras.layers.ZeroPadding2D, keras.layers.ZeroPadding3D),
    *(keras.layers.Cropping1D, keras.layers.Cropping2D, keras.layers.Cropping3D),
)


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
    if strides is not None and not checks.is_sequence(strides):
        raise checks.refuse("strides", strides, "a list of positive integers, or None", TypeError)
    wanted = list(taps) if strides is None else checks.integers("strides", strides, len(strides))
    for stride in wanted:
        if stride not in taps:
            must_be = f"strides that {model.name!r} has a feature map of: {', '.join(map(str, taps)) or 'none'}"
            raise checks.refuse("strides", stride, must_be)
    if not wanted:
        raise checks.refuse("strides", strides, f"at least one of {', '.join(map(str, taps)) or 'none'}")
    outputs = {f"stride{stride}": taps[stride] for stride in wanted}
    return made_of(model, model.input, outputs, f"{model.name}_features")


def strided_maps(output: Tensor) -> dict[int, Tensor]:
    """Find for each stride that a network has up to `output` the last map that every way to its coarsest map passes."""
    strides = _strides(output)
    if not strides:
        entries = (call.outputs[0] for call in calls([output]) if call.is_input)
        got = ", ".join(f"{tensor.name!r} of {tuple(tensor.shape)}" for tensor in entries)
        raise checks.complaint(f"model must be one whose input is a batch of images, got {got}")
    coarsest = max(strides.values())
    maps = [
        tensor
        for call in calls([output])
        for tensor in call.outputs
        if len(tensor.shape) == 4 and strides.get(id(tensor)) == coarsest
    ]
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
    """The stride of each map of the image, by its `id`; of those that have one, the same along both sides.

    The image is the largest input. A map that does not depend on it has no stride, nor has one of a size of its own.
    """
    first = height_axis()
    entries = [call.outputs[0] for call in calls([output]) if call.is_input]
    images = [tensor for tensor in entries if len(tensor.shape) == 4]
    if not images:
        return {}
    image = max(images, key=lambda tensor: _area(tensor.shape[first : first + 2]))
    found = {}
    for key, each in strides_of(keras.Model(entries, output), image).items():
        one = each[0] if len(each) == 2 and each[0] == each[1] else None
        if one is not None and one.denominator == 1 and one >= 1:
            found[key] = int(one)
    return found


def _area(sides: Sequence[int | None]) -> float:
    return prod(inf if side is None else side for side in sides)
