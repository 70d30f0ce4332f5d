"""Dense heads as convolutions, so that a trained network works on larger images."""

from __future__ import annotations

from typing import Any

import keras

from .. import _keras, checks
from ..blocks import AdaptiveAveragePooling2D, weightless
from ..blocks.layers import MinimumSize
from ..checks import public
from ..graphs.calls import wired
from ..graphs.window_arithmetic import LARGEST_MINIMUM, least_side
from .origins import made_of

POOLS = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}
# What does the same to a value wherever it stands, and so may stand on a map as well as on a vector.
POINTWISE = (
    *(keras.layers.Dropout, keras.layers.AlphaDropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise),
    *(keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU, keras.layers.Identity),
    keras.layers.Softmax,  # over the channels
)
# What a convolution has from the dense layer that it replaces.
SHARED = (
    *("name", "trainable", "dtype", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer"),
    *("bias_regularizer", "activity_regularizer", "bias_constraint"),
)


@public
@_keras.deep_graphs()
def fully_convolutional(model: keras.Model, *, pooling: str | None = "avg") -> keras.Model:
    """Make convolutions of a network's dense layers, so that it works on images of any size from its own upwards.

    The dense layer after a feature map of h×w pixels becomes an h×w convolution, those after it 1×1 convolutions,
    with the same weights (Simonyan and Zisserman 2015, section 3.2). On an image of the size that the network was made
    for it computes the same; on a larger one a map of outputs, which are pooled. An adaptive pooling in front of the
    dense layers is left out.

    Shapes: `batch height width channels` -> `batch classes`, or `batch rows columns classes` with `pooling=None`.

    Args:
        model: functional or sequential, on one batch of images, with flatten, dense layers, dropout and activations
            after a feature map of known size: VGG, AlexNet, `keras.applications.VGG16`.
        pooling: `"avg"` as in the paper, or `"max"`, over the map of outputs; None for the map itself.

    Returns:
        A new model with weights of its own; it and its layers have the old names.

    Raises:
        ValueError: no dense layer stands after a feature map, something after it works on vectors only, or
            `pooling` is out of range.
        TypeError: not a functional or a built sequential model.

    Example:
        >>> from layerblocks.architectures import vgg16
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = fully_convolutional(vgg16(), pooling=None)
        >>> model.compute_output_shape((1, 384, 512, 3))
        (1, 6, 10, 1000)
    """
    pooling = checks.choice("pooling", pooling, (None, *POOLS))
    model = wired(model)
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise checks.refuse("model", [tuple(x.shape) for x in model.inputs], "one of a single input of rank 4")
    with weightless():
        least = _least_size(_Conversion(model, None, (1, 1)))
    conversion = _Conversion(model, pooling, least)
    if not _keras.is_weightless():  # else there are no weights to copy
        for old, new in conversion.layers.values():
            shapes = [weight.shape for weight in new.weights]
            new.set_weights([w.reshape(shape) for w, shape in zip(old.get_weights(), shapes, strict=True)])
    return conversion.made


class _Conversion:
    """One way through the graph of a model, whose dense layers after feature maps are made anew as convolutions."""

    def __init__(self, model: keras.Model, pooling: str | None, least: tuple[int, int]) -> None:
        formats = [layer.data_format for layer in model.layers if isinstance(layer, keras.layers.Flatten)]
        self.data_format = formats[0] if formats else keras.config.image_data_format()
        self.first, self.channel_axis = (1, -1) if self.data_format == "channels_last" else (2, 1)
        self.layers: dict[int, tuple[keras.Layer, keras.Layer]] = {}  # by the id of the old one: the old and the new
        # Of tensors that were vectors and are maps now: how many pixels the next dense layer sees, and their layer.
        self.maps: dict[int, tuple[tuple[int, int], str]] = {}
        self.unpooled: dict[int, Any] = {}  # what went into an adaptive pooling
        self.pools: dict[str, keras.Layer] = {}
        given = model.inputs[0]
        self.channels = given.shape[self.channel_axis]
        name = next((layer.name for layer in model.layers if isinstance(layer, keras.layers.InputLayer)), None)
        self.x = self.entrance = keras.Input(self.oriented(None, None)[1:], dtype=given.dtype, name=name)
        if max(least) > 1:
            self.entrance = MinimumSize(*least, data_format=self.data_format, name="minimum_size")(self.x)
        made = keras.models.clone_model(
            model,
            input_tensors=keras.tree.pack_sequence_as(model.input, [self.x]),
            clone_function=lambda layer: layer,
            call_function=self.call,
        )
        if not any(type(old) is not type(new) for old, new in self.layers.values()):
            raise checks.refuse("model", model.name, "one that ends in flatten and dense layers")
        outputs = keras.tree.map_structure(lambda y: self.pool(y, pooling), made.output)
        self.made = made_of(model, self.x, outputs)

    def oriented(self, height: int | None, width: int | None) -> tuple[int | None, ...]:
        """The shape of a batch of images of that size."""
        sizes = (height, width)
        return (None, *sizes, self.channels) if self.channel_axis == -1 else (None, self.channels, *sizes)

    def call(self, layer: Any, *args: Any, **options: Any) -> Any:
        """What in the new model stands for a call of a layer of the old one."""
        args, options = keras.tree.map_structure(lambda x: self.entrance if x is self.x else x, (args, options))
        on_maps = any(id(x) in self.maps for x in keras.tree.flatten((args, options)))
        if isinstance(layer, MinimumSize):
            return args[0]
        if isinstance(layer, keras.layers.Flatten) and not on_maps and len(args[0].shape) == 4:
            height, width = layer.input.shape[self.first : self.first + 2]
            y = self.unpooled.get(id(args[0]), args[0])
            self.maps[id(y)] = ((height, width), layer.name)
            return y
        if on_maps and isinstance(layer, keras.layers.Dense):
            return self.convolve(layer, args[0])
        if on_maps and not isinstance(layer, POINTWISE):
            kind = f"{type(layer).__name__} {layer.name!r}"
            raise checks.refuse("model", kind, "one with dense layers, dropout and activations alone at its end")
        if on_maps and _is_softmax(layer):
            y = self.softmax(args[0], layer.name, layer.dtype_policy)
        else:
            y = self.copy(layer)(*args, **options)
        if on_maps:
            self.maps[id(y)] = (self.maps[id(args[0])][0], layer.name)
        if isinstance(layer, AdaptiveAveragePooling2D):
            self.unpooled[id(y)] = args[0]
        return y

    def copy(self, layer: Any) -> Any:
        """A layer of the same configuration, one for each old one; an operation without weights is used again."""
        if not isinstance(layer, keras.Layer):
            return layer
        if id(layer) not in self.layers:
            self.layers[id(layer)] = (layer, type(layer).from_config(layer.get_config()))
        return self.layers[id(layer)][1]

    def convolve(self, dense: keras.layers.Dense, x: Any) -> Any:
        """The convolution that does at every pixel what the dense layer did."""
        softmax_apart = _is_softmax(dense) and self.channel_axis != -1
        if id(dense) not in self.layers:
            config = dense.get_config()
            own = {
                "filters": dense.units,
                "kernel_size": self.maps[id(x)][0],
                "activation": None if softmax_apart else config["activation"],
                "data_format": self.data_format,
            }
            shared = {word: config[word] for word in SHARED if word in config}
            self.layers[id(dense)] = (dense, keras.layers.Conv2D.from_config({**shared, **own}))
        y = self.layers[id(dense)][1](x)
        if softmax_apart:
            y = self.softmax(y, f"{dense.name}.activation", dense.dtype_policy)
        self.maps[id(y)] = ((1, 1), dense.name)
        return y

    def softmax(self, x: Any, name: str, dtype: Any) -> Any:
        return keras.layers.Softmax(axis=self.channel_axis, name=name, dtype=dtype)(x)

    def pool(self, y: Any, pooling: str | None) -> Any:
        """An output that was a vector is one again."""
        if id(y) not in self.maps:
            return y
        pixels, name = self.maps[id(y)]
        if pixels != (1, 1):
            raise checks.refuse("model", f"the output {name}", "one with a dense layer after each flatten layer")
        if pooling is None:
            return y
        if name not in self.pools:  # one for each dense layer, which may have been called on several maps
            self.pools[name] = POOLS[pooling](data_format=self.data_format, name=f"{name}.pool", dtype=y.dtype)
        return self.pools[name](y)


def _is_softmax(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Softmax) or getattr(layer, "activation", None) is keras.activations.softmax


def _least_size(conversion: _Conversion) -> tuple[int, int]:
    """Find the smallest height and width that the converted model works on."""

    def works(height: int, width: int) -> bool:
        try:
            conversion.made.compute_output_shape(conversion.oriented(height, width))
        except ValueError:
            return False
        return True

    side = least_side(lambda side: works(side, side))
    if side is None:
        raise checks.complaint(f"model must be one for images of at most {LARGEST_MINIMUM} pixels a side")
    height, width = least_side(lambda height: works(height, side)), least_side(lambda width: works(side, width))
    return height or side, width or side
