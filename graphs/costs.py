"""How many multiply-adds a layer does for one example.

Counted are the products that a convolution or a dense layer needs; bias, normalization, pooling and activations are
not, as is usual. A layer of your own says for itself, by a method:

    def multiply_adds(self, input_shape, output_shape):  # batch first, as Keras has them
        return 400 * output_shape[1] * output_shape[2]

It gets a list of shapes where there are several tensors, and is not called while a size other than the batch is None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from .graph import Shape

Count = Callable[[Any, Shape, Shape], int]


def multiply_adds(layer: Any, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    """Multiply-adds of one call, for one example; None if a size is unknown or the layer does not say.

    Args:
        layer: a Keras layer or operation.
        inputs: the shapes it was called on, batch first.
        outputs: the shapes it returned.

    >>> import keras
    >>> layer = keras.layers.Conv2D(64, 3)
    >>> layer.build((None, 224, 224, 3))
    >>> multiply_adds(layer, [(None, 226, 226, 3)], [(None, 224, 224, 64)])
    86704128
    """
    own = getattr(layer, "multiply_adds", None)
    count = next((_COUNTS[c.__name__] for c in type(layer).__mro__ if c.__name__ in _COUNTS), None)
    if not callable(own) and count is None:
        # A matrix in a layer that we do not know (recurrent, attention) means work that we cannot count.
        looks_up = any(c.__name__ == "Embedding" for c in type(layer).__mro__)
        return None if not looks_up and any(len(w.shape) > 1 for w in getattr(layer, "weights", ())) else 0
    if not inputs or not outputs or any(None in shape[1:] for shape in (*inputs, *outputs)):
        return None
    if callable(own):
        told = own(*(shapes[0] if len(shapes) == 1 else list(shapes) for shapes in (inputs, outputs)))
        return None if told is None else int(told)
    return None if count is None else count(layer, inputs[0], outputs[0])


def _positions(layer: Any, shape: Shape) -> int:
    """The number of places in a feature map: its height times width, or what there is of them."""
    spatial = shape[2:] if getattr(layer, "data_format", None) == "channels_first" else shape[1:-1]
    return prod(size or 0 for size in spatial)


def _convolution(layer: Any, inputs: Shape, outputs: Shape) -> int:
    return prod(layer.kernel.shape) * _positions(layer, outputs)  # the kernel's shape is per group already


def _transposed(layer: Any, inputs: Shape, outputs: Shape) -> int:
    return prod(layer.kernel.shape) * _positions(layer, inputs)


def _separable(layer: Any, inputs: Shape, outputs: Shape) -> int:
    kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
    return sum(prod(kernel.shape) for kernel in kernels) * _positions(layer, outputs)


def _dense(layer: Any, inputs: Shape, outputs: Shape) -> int:
    return prod(layer.kernel.shape) * prod(size or 0 for size in outputs[1:-1])


_COUNTS: dict[str, Count] = {
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D"), _convolution),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposed),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    "Dense": _dense,
}
