"""The few layers that Keras lacks, on `keras.ops`, registered so that saved models load."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

register = keras.saving.register_keras_serializable("layerblocks")


class _ImageLayer(keras.Layer):
    """Remembers the data format it was made under, as Keras's own image layers do."""

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = data_format or keras.config.image_data_format()
        self.channel_axis = -1 if self.data_format == "channels_last" else 1

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


@register
class AdaptiveAveragePooling2D(_ImageLayer):
    """Mean over `output_size` nearly equal windows an axis, from any input size, also one known only at run time.

    Window i of n pixels runs from floor(i·n/o) up to ceil((i+1)·n/o), as in torch. Keras's own layer of this
    name needs static sizes and averages over a wrong window where the output is 1 (seen in Keras 3.15).

    Shapes: `batch height width channels` -> `batch output_height output_width channels`.

    Example:
        >>> import numpy as np
        >>> AdaptiveAveragePooling2D((1, 2))(np.arange(4.0).reshape(1, 1, 4, 1)).numpy().ravel().tolist()
        [0.5, 2.5]
    """

    def __init__(self, output_size: tuple[int, int], **options: Any) -> None:
        super().__init__(**options)
        self.output_size = tuple(output_size)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        batch, channels = input_shape[0], input_shape[self.channel_axis]
        if self.channel_axis == 1:
            return (batch, channels, *self.output_size)
        return (batch, *self.output_size, channels)

    def _means(self, size: Any, windows: int) -> Any:
        """`windows size`: row i averages the pixels of window i."""
        i = ops.arange(windows, dtype="int32")[:, None]
        pixel = ops.arange(size, dtype="int32")[None, :]
        start, end = i * size // windows, ((i + 1) * size + windows - 1) // windows
        inside = ops.cast(ops.logical_and(pixel >= start, pixel < end), self.compute_dtype)
        return inside / ops.cast(end - start, self.compute_dtype)

    def call(self, x: Any) -> Any:
        height_axis = 1 if self.channel_axis == -1 else 2
        shape = ops.shape(x)
        rows = self._means(shape[height_axis], self.output_size[0])
        columns = self._means(shape[height_axis + 1], self.output_size[1])
        return ops.einsum("yh,xw,bhwc->byxc" if height_axis == 1 else "yh,xw,bchw->bcyx", rows, columns, x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_size": self.output_size}


@register
class LocalResponseNormalization(_ImageLayer):
    """Divides each value by (k + alpha · sum of squares over n neighbouring channels) ** beta.

    `alpha` is not divided by `depth`, and `depth` is the full width n of the window, as in the AlexNet paper
    (Krizhevsky et al. 2012, section 3.3), whose constants are the defaults.

    Shapes: `batch height width channels` -> the same.

    Example:
        >>> import numpy as np
        >>> LocalResponseNormalization(k=1.0, alpha=1.0, beta=1.0)(np.ones((1, 1, 1, 3))).numpy().ravel().tolist()
        [0.25, 0.25, 0.25]
    """

    def __init__(self, depth: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, **options: Any) -> None:
        super().__init__(**options)
        self.depth, self.k, self.alpha, self.beta = depth, k, alpha, beta

    def call(self, x: Any) -> Any:
        channels = x.shape[self.channel_axis]
        axis = self.channel_axis % len(x.shape)
        before = (self.depth - 1) // 2
        widths = [(0, 0)] * len(x.shape)
        widths[axis] = (before, self.depth - 1 - before)
        squares = ops.pad(ops.square(x), widths)
        window: list[Any] = [slice(None)] * len(x.shape)
        total: Any = 0
        for start in range(self.depth):
            window[axis] = slice(start, start + channels)
            total = total + squares[tuple(window)]
        return x * ops.power(self.k + self.alpha * total, -self.beta)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"depth": self.depth, "k": self.k, "alpha": self.alpha, "beta": self.beta}
        return {**super().get_config(), **own}


@register
class PadChannels(_ImageLayer):
    """Every `strides`-th pixel, and zero channels after the old ones: the parameter-free shortcut, option A.

    (He et al. 2016, section 3.3.) Shapes:
    `batch height width channels` -> `batch ceil(height/s) ceil(width/s) filters`.

    Example:
        >>> PadChannels(filters=8, strides=2)(keras.Input((5, 5, 3))).shape
        (None, 3, 3, 8)
    """

    def __init__(self, filters: int, strides: int | tuple[int, int] = 1, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters
        self.strides = (strides, strides) if isinstance(strides, int) else tuple(strides)

    def call(self, x: Any) -> Any:
        rows, columns = slice(None, None, self.strides[0]), slice(None, None, self.strides[1])
        missing = (0, self.filters - x.shape[self.channel_axis])
        if self.channel_axis == 1:
            return ops.pad(x[:, :, rows, columns], [(0, 0), missing, (0, 0), (0, 0)])
        return ops.pad(x[:, rows, columns, :], [(0, 0), (0, 0), (0, 0), missing])

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        height_axis = 1 if self.channel_axis == -1 else 2
        for axis, stride in zip((height_axis, height_axis + 1), self.strides, strict=True):
            shape[axis] = None if shape[axis] is None else -(-shape[axis] // stride)
        shape[self.channel_axis] = self.filters
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "strides": self.strides}


@register
class MinimumSize(_ImageLayer):
    """Passes images on and refuses those below `height`×`width`.

    A network for any size needs it where it has a smallest one: TensorFlow on the CPU returns uninitialised
    memory from a convolution, or ends the process in a pooling, that is larger than its image.

    Shapes: `batch height width channels` -> the same.

    Raises:
        ValueError: the image is smaller.

    Example:
        >>> MinimumSize(32, 32)(keras.Input((None, None, 3))).shape
        (None, None, None, 3)
    """

    def __init__(self, height: int, width: int, **options: Any) -> None:
        super().__init__(**options)
        self.height, self.width = height, width

    def call(self, x: Any) -> Any:
        first = 1 if self.channel_axis == -1 else 2
        for side, least in zip(x.shape[first : first + 2], (self.height, self.width), strict=True):
            if side is not None and side < least:
                raise ValueError(
                    f"{self.name}: images take at least {self.height}×{self.width} pixels, got shape {tuple(x.shape)}"
                )
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}
