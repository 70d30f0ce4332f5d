"""The few layers that Keras lacks, on `keras.ops`, registered so that saved models load."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from .. import checks
from . import arguments

serializable = keras.saving.register_keras_serializable("layerblocks")


class _Layer(keras.Layer):
    """Has the shape of its input, and for its configuration the arguments that `ARGUMENTS` names."""

    ARGUMENTS: tuple[str, ...] = ()

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {word: getattr(self, word) for word in self.ARGUMENTS}
        return {**super().get_config(), **{word: _serialized(word, value) for word, value in own.items()}}


def _serialized(word: str, value: Any) -> Any:
    kind = word.rpartition("_")[2]
    named = kind in ("activation", "constraint", "initializer", "regularizer")
    return getattr(keras, f"{kind}s").serialize(value) if named else value


class _ImageLayer(_Layer):
    """Remembers the data format it was made under, as Keras's own image layers do."""

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        checks.choice("data_format", data_format, (None, "channels_last", "channels_first"))
        self.data_format = data_format or keras.config.image_data_format()
        self.channel_axis, self.first = (-1, 1) if self.data_format == "channels_last" else (1, 2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}

    def along(self, first: Any, *values: Any) -> Any:
        """The axes of an image, a signal or a volume, each with what belongs to it."""
        return zip(itertools.count(self.first), first, *values, strict=False)

    def ready(self, word: str, rank: int) -> tuple[int, ...]:
        """An argument for each of so many axes, refused where it is one for each of another number."""
        with checks.speaking(self.name):
            return arguments.sizes(word, getattr(self, word), rank, at_least=0)


class _AdaptiveAveragePooling(_ImageLayer):
    """Mean over `output_size` windows an axis."""

    ARGUMENTS = ("output_size",)
    RANK = 2

    def __init__(self, output_size: int | tuple[int, ...], **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.output_size = arguments.sizes("output_size", output_size, self.RANK)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        shape[self.first : self.first + self.RANK] = self.output_size
        return tuple(shape)

    def call(self, x: Any) -> Any:
        for axis, windows in self.along(self.output_size):
            size, means = ops.shape(x)[axis], []
            for i in range(windows):
                window: list[Any] = [slice(None)] * len(x.shape)
                window[axis] = slice(i * size // windows, ((i + 1) * size + windows - 1) // windows)
                means.append(ops.mean(x[tuple(window)], axis=axis, keepdims=True))
            x = ops.concatenate(means, axis=axis)
        return x


@serializable
class AdaptiveAveragePooling2D(_AdaptiveAveragePooling):
    """Mean over `output_size` nearly equal windows an axis, from any input size, also one known only at run time.

    Window i of n pixels runs from floor(i·n/o) up to ceil((i+1)·n/o), as in torch. Keras's own layer of this
    name has a window of a pixel too many where the output is 1 (docs/upstream-bugs.md).

    Shapes: `batch height width channels` -> `batch output_height output_width channels`.

    Example:
        >>> import numpy as np
        >>> np.asarray(AdaptiveAveragePooling2D((1, 2))(np.arange(4.0).reshape(1, 1, 4, 1))).ravel().tolist()
        [0.5, 2.5]
    """


@serializable
class AdaptiveAveragePooling1D(_AdaptiveAveragePooling):
    """`AdaptiveAveragePooling2D` for signals: `batch length channels` -> `batch output_length channels`."""

    RANK = 1


@serializable
class AdaptiveAveragePooling3D(_AdaptiveAveragePooling):
    """`AdaptiveAveragePooling2D` for volumes: `batch depth height width channels` -> the same with other sides."""

    RANK = 3


@serializable
class LocalResponseNormalization(_ImageLayer):
    """Divides each value by (k + alpha · sum of squares over n neighbouring channels) ** beta.

    `alpha` is not divided by `depth`, and `depth` is the full width n of the window, as in the AlexNet paper
    (Krizhevsky et al. 2012, section 3.3), whose constants are the defaults.

    Shapes: `batch height width channels` -> the same.

    Example:
        >>> import numpy as np
        >>> np.asarray(LocalResponseNormalization(k=1.0, alpha=1.0, beta=1.0)(np.ones((1, 1, 1, 3)))).ravel().tolist()
        [0.25, 0.25, 0.25]
    """

    ARGUMENTS = ("depth", "k", "alpha", "beta")

    def __init__(self, depth: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.depth = checks.integer("depth", depth)
            self.k, self.alpha = checks.number("k", k), checks.number("alpha", alpha)
            self.beta = checks.number("beta", beta)

    def call(self, x: Any) -> Any:
        channels = x.shape[self.channel_axis]
        axis = self.channel_axis % len(x.shape)
        before = (self.depth - 1) // 2
        widths = [(0, 0)] * len(x.shape)
        widths[axis] = (before, self.depth - 1 - before)
        wide = keras.backend.result_type(self.compute_dtype, "float32")  # float16 ends at the square of 256
        squares = ops.pad(ops.square(ops.cast(x, wide)), widths)
        window: list[Any] = [slice(None)] * len(x.shape)
        total: Any = 0
        for start in range(self.depth):
            window[axis] = slice(start, start + channels)
            total = total + squares[tuple(window)]
        return x * ops.cast(ops.power(self.k + self.alpha * total, -self.beta), x.dtype)


@serializable
class PadChannels(_ImageLayer):
    """Every `strides`-th pixel, and zero channels after the old ones: the parameter-free shortcut, option A.

    (He et al. 2016, section 3.3.) Shapes:
    `batch height width channels` -> `batch ceil(height/s) ceil(width/s) filters`.

    Example:
        >>> PadChannels(filters=8, strides=2)(keras.Input((5, 5, 3))).shape
        (None, 3, 3, 8)
    """

    ARGUMENTS = ("filters", "strides")

    def __init__(self, filters: int, strides: int | tuple[int, ...] = 1, **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.filters = checks.integer("filters", filters)
            self.strides = arguments.sizes_of_some_rank("strides", strides)

    def build(self, input_shape: Any) -> None:
        self.strides = self.ready("strides", len(input_shape) - 2)

    def call(self, x: Any) -> Any:
        window: list[Any] = [slice(None)] * len(x.shape)
        for axis, stride in self.along(self.strides):
            window[axis] = slice(None, None, stride)
        widths = [(0, 0)] * len(x.shape)
        widths[self.channel_axis] = (0, self.filters - x.shape[self.channel_axis])
        return ops.pad(x[tuple(window)], widths)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        for axis, stride in self.along(self.ready("strides", len(shape) - 2)):
            shape[axis] = None if shape[axis] is None else -(-shape[axis] // stride)
        shape[self.channel_axis] = self.filters
        return tuple(shape)


@serializable  # type: ignore[untyped-decorator]
def scaled_tanh(x: Any) -> Any:
    """1.7159·tanh(2x/3): runs from about -1.7 to 1.7 and keeps ±1 (LeCun et al. 1998, appendix A).

    Example:
        >>> np.asarray(scaled_tanh(keras.ops.array([-1.0, 0.0, 1.0]))).round(4).tolist()
        [-1.0, 0.0, 1.0]
    """
    return 1.7159 * ops.tanh(2 / 3 * x)


class _DilatedPooling(_ImageLayer):
    """Joins `pool_size` pixels an axis that lie `dilation_rate` apart, at every pixel."""

    ARGUMENTS = ("pool_size", "dilation_rate")
    RANK = 2

    def __init__(self, pool_size: int | tuple[int, ...], dilation_rate: int | tuple[int, ...], **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.pool_size = arguments.sizes("pool_size", pool_size, self.RANK)
            self.dilation_rate = arguments.sizes("dilation_rate", dilation_rate, self.RANK)

    def _joined(self, x: Any, outside: float, join: Callable[[Any, Any], Any]) -> Any:
        for axis, pixels, rate in self.along(self.pool_size, self.dilation_rate):
            before, size = (pixels - 1) // 2 * rate, ops.shape(x)[axis]
            widths: list[Any] = [(0, 0)] * len(x.shape)
            widths[axis] = (before, (pixels - 1) * rate - before)
            padded = ops.pad(x, widths, constant_values=outside)
            window: list[Any] = [slice(None)] * len(x.shape)
            shifted = []
            for start in range(0, pixels * rate, rate):
                window[axis] = slice(start, start + size)
                shifted.append(padded[tuple(window)])
            x = functools.reduce(join, shifted)
        return x


class _DilatedAveragePooling(_DilatedPooling):
    def call(self, x: Any) -> Any:
        return self._joined(x, 0.0, ops.add) / self._joined(ops.ones_like(x), 0.0, ops.add)


class _DilatedMaxPooling(_DilatedPooling):
    def call(self, x: Any) -> Any:
        return self._joined(x, float("-inf"), ops.maximum)


@serializable
class DilatedAveragePooling2D(_DilatedAveragePooling):
    """The mean of `pool_size` pixels an axis that lie `dilation_rate` apart, at every pixel; none from outside.

    To an average pooling what `DilatedMaxPooling2D` is to a max-pooling.

    Shapes: `batch height width channels` -> the same.

    Example:
        >>> import numpy as np
        >>> np.asarray(DilatedAveragePooling2D(2, 2)(np.array([5.0, 1, 2, 3]).reshape(1, 1, 4, 1))).ravel().tolist()
        [3.5, 2.0, 2.0, 3.0]
    """


@serializable
class DilatedAveragePooling1D(_DilatedAveragePooling):
    """`DilatedAveragePooling2D` for signals: `batch length channels` -> the same."""

    RANK = 1


@serializable
class DilatedAveragePooling3D(_DilatedAveragePooling):
    """`DilatedAveragePooling2D` for volumes: `batch depth height width channels` -> the same."""

    RANK = 3


@serializable
class DilatedMaxPooling2D(_DilatedMaxPooling):
    """The maximum of `pool_size` pixels an axis that lie `dilation_rate` apart, at every pixel.

    On every d-th pixel it is the maximum that an undilated pooling, of stride 1 and with `"same"`, has on those
    pixels alone: what a max-pool becomes in a network whose stride before it was turned into a dilation d.

    Shapes: `batch height width channels` -> the same.

    Example:
        >>> import numpy as np
        >>> np.asarray(DilatedMaxPooling2D(2, 2)(np.array([5.0, 1, 2, 3]).reshape(1, 1, 4, 1))).ravel().tolist()
        [5.0, 3.0, 2.0, 3.0]
    """


@serializable
class DilatedMaxPooling1D(_DilatedMaxPooling):
    """`DilatedMaxPooling2D` for signals: `batch length channels` -> the same."""

    RANK = 1


@serializable
class DilatedMaxPooling3D(_DilatedMaxPooling):
    """`DilatedMaxPooling2D` for volumes: `batch depth height width channels` -> the same."""

    RANK = 3


class _SparseConv(_ImageLayer):
    """A convolution in which each output channel sees only the input channels that a table names for it."""

    RANK = 2
    ARGUMENTS = (
        *("filters", "kernel_size", "connections", "strides", "padding", "dilation_rate", "activation", "use_bias"),
        *("kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer"),
        *("kernel_constraint", "bias_constraint", "activity_regularizer"),
    )

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, ...],
        connections: Any,
        *,
        strides: int | tuple[int, ...] = 1,
        padding: str = "valid",
        dilation_rate: int | tuple[int, ...] = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        activity_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        with checks.speaking(type(self).__name__):
            self.filters, self.use_bias = checks.integer("filters", filters), checks.flag("use_bias", use_bias)
            self.padding = checks.choice("padding", padding, ("same", "valid"))
            self.kernel_size = arguments.sizes("kernel_size", kernel_size, self.RANK)
            self.strides = arguments.sizes("strides", strides, self.RANK)
            self.dilation_rate = arguments.sizes("dilation_rate", dilation_rate, self.RANK)
            self.connections = arguments.connections("connections", connections)
            self.activation = keras.activations.get(activation)
            self.kernel_initializer = keras.initializers.get(kernel_initializer)
            self.bias_initializer = keras.initializers.get(bias_initializer)
            self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
            self.bias_regularizer = keras.regularizers.get(bias_regularizer)
            self.kernel_constraint = keras.constraints.get(kernel_constraint)
            self.bias_constraint = keras.constraints.get(bias_constraint)

    def build(self, input_shape: Any) -> None:
        channels = input_shape[self.channel_axis]
        known = {*range(channels)}
        fit = all(seen and len({*seen}) == len(seen) and {*seen} <= known for seen in self.connections)
        if len(self.connections) != self.filters or not fit:
            must_be = f"for each of {self.filters} filters different ones of the channels 0 to {channels - 1}"
            with checks.speaking(self.name):
                raise checks.refuse("connections", self.connections, must_be)
        places = [seen * self.filters + out for out, inputs in enumerate(self.connections) for seen in inputs]
        # For each place of the dense kernel the weight that goes there; after the last weight stands a zero.
        weights = {place: number for number, place in enumerate(places)}
        self._gather = np.array([weights.get(place, len(places)) for place in range(channels * self.filters)])
        self._channels = channels

        def initializer(shape: Any, dtype: Any = None) -> Any:
            drawn = [
                self.kernel_initializer((*self.kernel_size, len(seen), self.filters), dtype=dtype)[..., out]
                for out, seen in enumerate(self.connections)
            ]
            return ops.concatenate(drawn, axis=-1)

        options = {"regularizer": self.kernel_regularizer, "constraint": self.kernel_constraint}
        self.kernel = self.add_weight((*self.kernel_size, len(places)), initializer, name="kernel", **options)
        self.bias = None
        if self.use_bias:
            options = {"regularizer": self.bias_regularizer, "constraint": self.bias_constraint}
            self.bias = self.add_weight((self.filters,), self.bias_initializer, name="bias", **options)

    def call(self, x: Any) -> Any:
        kernel = ops.convert_to_tensor(self.kernel)
        kernel = ops.take(ops.concatenate([kernel, ops.zeros_like(kernel[..., :1])], axis=-1), self._gather, axis=-1)
        x = ops.conv(
            x,
            ops.reshape(kernel, (*self.kernel_size, self._channels, self.filters)),
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )
        if self.bias is not None:
            x = x + ops.reshape(self.bias, (-1,) if self.channel_axis == -1 else (-1, *[1] * self.RANK))
        return self.activation(x)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        for axis, k, s, d in self.along(self.kernel_size, self.strides, self.dilation_rate):
            if shape[axis] is not None:
                shape[axis] = -(-(shape[axis] - (d * (k - 1) if self.padding == "valid" else 0)) // s)
        shape[self.channel_axis] = self.filters
        return tuple(shape)

    def multiply_adds(self, input_shape: Any, output_shape: Any) -> int:
        return math.prod(self.kernel.shape) * math.prod(output_shape[self.first : self.first + self.RANK])


@serializable
class SparseConv2D(_SparseConv):
    """A convolution in which each output channel sees only the input channels that a table names for it.

    Its kernel holds what is connected and nothing else, k² weights a connection. An initialiser sees, for each output
    channel, the shape of a convolution of just its input channels, and so the right fan-in.

    Shapes: as `keras.layers.Conv2D`, whose arguments these are.

    Args:
        connections: for each output channel, the input channels that it sees.

    Raises:
        ValueError: the table does not fit the filters or the channels.

    Example:
        >>> layer = SparseConv2D(2, 5, [[0, 1], [2]])
        >>> layer(keras.Input((14, 14, 3))).shape, layer.count_params()
        ((None, 10, 10, 2), 77)
    """


@serializable
class SparseConv1D(_SparseConv):
    """`SparseConv2D` for signals; shapes as `keras.layers.Conv1D`."""

    RANK = 1


@serializable
class SparseConv3D(_SparseConv):
    """`SparseConv2D` for volumes; shapes as `keras.layers.Conv3D`."""

    RANK = 3


@serializable
class RadialBasisDense(_Layer):
    """Minus the squared distance of the features from a fixed code of ±1 for each unit, and an activation.

    (LeCun et al. 1998, section II.B, eq. 7.) The nearest code has the largest output, so that a softmax after it and a
    cross-entropy are the paper's discriminative loss (eq. 9, without its constant). The codes are fixed weights.

    Shapes: `batch features` -> `batch units`.

    Args:
        codes: `units features`; None for ±1 at random (the paper's other choice), the same ones in every process.

    Raises:
        ValueError: the codes do not fit the units or the features.

    Example:
        >>> import numpy as np
        >>> layer = RadialBasisDense(2, codes=[[1, 1, 1], [1, -1, -1]])
        >>> np.asarray(layer(np.array([[1.0, 1.0, 0.0]]))).tolist()
        [[-1.0, -5.0]]
    """

    ARGUMENTS = ("units", "codes", "activation")

    def __init__(self, units: int, codes: Any = None, activation: Any = None, **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.units, self.activation = checks.integer("units", units), keras.activations.get(activation)
            self.codes = arguments.codes("codes", codes)

    def build(self, input_shape: Any) -> None:
        shape = (self.units, input_shape[-1])
        codes: Any = self.codes
        if codes is None:
            codes = np.random.default_rng(0).choice((-1, 1), shape)
        elif np.shape(codes) != shape:
            with checks.speaking(self.name):
                raise checks.refuse("codes", np.shape(codes), f"of the shape {shape}")
        self.centers = self.add_weight(
            shape, lambda shape, dtype=None: ops.cast(np.asarray(codes), dtype), trainable=False, name="centers"
        )

    def call(self, x: Any) -> Any:
        return self.activation(-ops.sum(ops.square(x[:, None, :] - self.centers), axis=-1))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        return (input_shape[0], self.units)

    def multiply_adds(self, input_shape: Any, output_shape: Any) -> int:
        return math.prod(self.centers.shape)


@serializable
class StochasticDepth(_Layer):
    """In training, zeros for a share `rate` of the examples; the others divided by 1 - `rate` (Huang et al. 2016).

    The paper multiplies by 1 - `rate` in inference instead, which is the same network up to that factor.

    Shapes: `batch …` -> the same.

    Example:
        >>> import numpy as np
        >>> y = np.asarray(StochasticDepth(0.5, seed=0)(np.ones((100, 2, 2, 3)), training=True))
        >>> sorted({*y.ravel().tolist()}), {len({*example.ravel()}) for example in y}
        ([0.0, 2.0], {1})
    """

    ARGUMENTS = ("rate", "seed")

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.rate = checks.fraction("rate", rate)
            self.seed = None if seed is None else checks.integer("seed", seed, at_least=None)
            self.seed_generator = keras.random.SeedGenerator(seed)
            self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or not self.rate:
            return x
        one_each = (ops.shape(x)[0], *[1] * (len(x.shape) - 1))
        kept = keras.random.uniform(one_each, seed=self.seed_generator) >= self.rate
        return x * ops.cast(kept, x.dtype) / (1 - self.rate)


@serializable
class MinimumSize(_ImageLayer):
    """Passes images on and refuses those below `height`×`width`; signals have a `length`, volumes a `depth` as well.

    A network for any size needs it where it has a smallest one: TensorFlow on the CPU returns uninitialised
    memory from a convolution, or ends the process in a pooling, that is larger than its image.

    Shapes: `batch height width channels` -> the same.

    Raises:
        ValueError: the image is smaller.

    Example:
        >>> MinimumSize(32, 32)(keras.Input((None, None, 3))).shape
        (None, None, None, 3)
    """

    def __init__(
        self,
        height: int | None = None,
        width: int | None = None,
        *,
        length: int | None = None,
        depth: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        given = {"length": length, "depth": depth, "height": height, "width": width}
        self.ARGUMENTS = tuple(word for word, value in given.items() if value is not None)
        with checks.speaking(type(self).__name__):
            if self.ARGUMENTS not in (("length",), ("height", "width"), ("depth", "height", "width")):
                must_be = "height and width of images, length of signals, or depth, height and width of volumes"
                raise checks.refuse("height", height, f"given with what belongs to it: {must_be}", TypeError)
            for word in self.ARGUMENTS:
                setattr(self, word, checks.integer(word, given[word]))

    @property
    def least(self) -> tuple[int, ...]:
        """The smallest side on each axis."""
        return tuple(getattr(self, word) for word in self.ARGUMENTS)

    def call(self, x: Any) -> Any:
        if len(x.shape) != len(self.ARGUMENTS) + 2:
            raise ValueError(f"{self.name}: x must have batch, {', '.join(self.ARGUMENTS)} and channels, got {x.shape}")
        kind = {1: "signals", 2: "images", 3: "volumes"}[len(self.ARGUMENTS)]
        message = f"{self.name}: {kind} must be of at least {'×'.join(map(str, self.least))} pixels, got shape"
        for axis, least in self.along(self.least):
            if x.shape[axis] is None:  # after a few sizes Keras traces a function for all of them
                import tensorflow as tf

                tf.debugging.Assert(tf.shape(x)[axis] >= least, [message, tf.shape(x)])
            elif x.shape[axis] < least:
                raise ValueError(f"{message} {tuple(x.shape)}")
        return x


@serializable
class Add(keras.layers.Add):
    """The sum of tensors of exactly one shape, also where sizes are known only when it runs; nothing is broadcast.

    Keras's own broadcasts what it learns at run time: an image of 1×1 onto one of any size, without a word. (XLA drops
    the check from a function that TensorFlow traced for all sizes; TensorFlow Lite does, too.)

    Shapes: `batch …`, the same, … -> the same.

    Raises:
        ValueError, tf.errors.InvalidArgumentError: the shapes differ when it runs.

    Example:
        >>> Add()([keras.Input((None, None, 3)), keras.Input((None, None, 3))]).shape
        (None, None, None, 3)
    """

    def call(self, inputs: Any) -> Any:
        first, *others = inputs
        message = f"{self.name}: xs must be tensors of one shape, got"
        for other in others:
            pairs = list(zip(first.shape, other.shape, strict=True))
            if any(None not in pair and pair[0] != pair[1] for pair in pairs):
                raise ValueError(f"{message} {tuple(first.shape)} and {tuple(other.shape)}")
            if any(None in pair for pair in pairs[1:]):  # a function that TensorFlow traced for all sizes
                import tensorflow as tf

                shapes = tf.shape(first), tf.shape(other)
                tf.debugging.Assert(tf.reduce_all(tf.equal(*shapes)), [message, *shapes])
        return super().call(inputs)


USUAL_BATCH, LEAST_FOR_KERNEL = 8, 2**17
"""Examples in a batch of unknown size, and the numbers in one from which the kernel of a norm is quicker.

Measured on two cores: at half as many it is no quicker than the operations of Keras, at twice as many by half.
"""


def gains_by_kernel(shape: Sequence[int | None]) -> bool:
    """Whether a batch of images of that shape is so large that one kernel normalizes it sooner than many operations.

    Example:
        >>> gains_by_kernel((None, 14, 14, 256)), gains_by_kernel((None, 7, 7, 48)), gains_by_kernel((None, None, 7, 4))
        (True, False, True)
    """
    batch, *sides = shape
    known = [side for side in sides if side is not None]
    large = len(known) < len(sides) or math.prod(known) * (batch or USUAL_BATCH) >= LEAST_FOR_KERNEL
    return len(shape) == 4 and large


@serializable
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch normalization of images, trained by one kernel of TensorFlow instead of a dozen operations.

    Each of those passes over the whole image, so that without a compiler they are most of what is not convolution in
    a training step. On other backends, in float64, with another axis or rank, in use, and for batches of small images,
    for which starting the kernel takes longer than the operations, it computes as Keras does.

    Shapes: `batch height width channels` -> the same.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 5, 2))
        >>> y = FusedBatchNormalization()(x, training=True)
        >>> bool(abs(keras.ops.mean(y)) < 1e-4), bool(abs(keras.ops.std(y) - 1) < 1e-3)
        (True, True)
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not (training and self.trainable and mask is None and self._has_kernel(inputs)):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        scale = tf.ones_like(self.moving_mean) if self.gamma is None else tf.convert_to_tensor(self.gamma)
        offset = tf.zeros_like(self.moving_mean) if self.beta is None else tf.convert_to_tensor(self.beta)
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=scale, offset=offset, mean=[], variance=[], epsilon=self.epsilon, is_training=True
        )
        number = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), "float32")
        variance *= (number - 1) / number  # it is the unbiased one, Keras's is not
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        return y

    def _has_kernel(self, inputs: Any) -> bool:
        return (
            keras.backend.backend() == "tensorflow"
            and gains_by_kernel(inputs.shape)
            and self.axis in (-1, 3)
            and not (self.synchronized or self.renorm)
            and keras.backend.standardize_dtype(inputs.dtype) in ("float32", "float16", "bfloat16")
            and self.variable_dtype == "float32"
        )


@serializable
class MatchSize(_ImageLayer):
    """The first of two images with the height and width of the second: row i of it is row i + `offset` of the first.

    Rows and columns that the first does not have are zeros. Sizes known only at run time are looked up there, so that
    what is joined afterwards fits at every input size.

    Shapes: `batch height width channels`, `batch height2 width2 channels2` -> `batch height2 width2 channels`.

    Example:
        >>> import numpy as np
        >>> long, short = np.arange(5.0).reshape(1, 1, 5, 1), np.zeros((1, 1, 2, 7))
        >>> np.asarray(MatchSize(offset=(0, 1))([long, short])).ravel().tolist()
        [1.0, 2.0]
    """

    ARGUMENTS = ("offset",)

    def __init__(self, offset: int | tuple[int, ...] = 0, **options: Any) -> None:
        super().__init__(**options)
        with checks.speaking(type(self).__name__):
            self.offset = arguments.sizes_of_some_rank("offset", offset, at_least=0)

    def build(self, input_shape: Any) -> None:
        self.offset = self.ready("offset", len(input_shape[0]) - 2)

    def call(self, inputs: Any) -> Any:
        x, like = inputs
        for axis, offset in self.along(self.offset):
            size, wanted = ops.shape(x)[axis], ops.shape(like)[axis]
            missing = offset + wanted - size
            if not isinstance(missing, int) or missing > 0:
                widths: list[Any] = [(0, 0)] * len(x.shape)
                widths[axis] = (0, missing if isinstance(missing, int) else ops.maximum(missing, 0))
                x = ops.pad(x, widths)
            window: list[Any] = [slice(None)] * len(x.shape)
            window[axis] = slice(offset, offset + wanted)
            x = x[tuple(window)]
        if None in tuple(x.shape):  # padding by what is known later, TensorFlow forgets even the channels
            shape = [*ops.shape(inputs[0])]
            axes = slice(self.first, self.first + len(shape) - 2)
            shape[axes] = ops.shape(like)[axes]
            x = ops.reshape(x, shape)
        return x

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape, like = map(list, input_shape)
        axes = slice(self.first, self.first + len(shape) - 2)
        shape[axes] = like[axes]
        return tuple(shape)
