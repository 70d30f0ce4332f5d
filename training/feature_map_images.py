"""What a layer makes of an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from .._old_checks import choice, one_line, unknown, whole
from .labels import as_array
from .panels import FORMATS, MOST_TILES, inches, tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_feature_maps(
    model: Any,
    layer: str,
    image: Any,
    *,
    maps: int | Sequence[int] = 16,
    columns: int = 4,
    data_format: str | None = None,
    width: float | str = "ieee1",
) -> list[Axes]:
    """Draw what a layer gives for an image, a picture for each channel, from its lowest value (dark) to its highest.

    The model runs once, in inference mode; a title says which channel it is.

    Args:
        model: any Keras model with weights: Sequential, functional, subclassed, nested.
        layer: the name of the layer, dotted or not; in a nested model `model.layer`.
        image: `(height, width, channels)`, or a batch of one, preprocessed as the model takes it; for a model with
            several inputs the list or dict of batches that it takes.
        maps: how many channels, from the first on; or their numbers.
        columns: how many pictures a row has.
        data_format: of the layer: `channels_last` or `channels_first`; None asks the layer, else its model.
        width: of the figure, as in `plot_history`.

    Returns:
        The axes, channel by channel.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: there is no such layer or channel, the layer gives no feature maps, the image does not fit, or
            the model has no weights, as it was built under `weightless`.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="stem.conv")])
    >>> axes = plot_feature_maps(model, "stem.conv", np.ones((8, 8, 1)), maps=(0, 3))
    >>> [(ax.get_title(), ax.images[0].get_array().shape) for ax in axes]
    [('0', (6, 6)), ('3', (6, 6))]
    """
    function = "plot_feature_maps"
    columns = whole(function, "columns", columns)
    inch = inches(function, width)
    if data_format is not None:
        choice(function, "data_format", data_format, FORMATS)
    found = _find_layer(function, model, layer)
    given = _channel_last(_run(function, model, layer, found, image), data_format or _data_format(found, model))
    numbers = _channels(function, maps, given.shape[-1])
    axes = tiles(inch, columns, given.shape[0] / given.shape[1], [str(number) for number in numbers])
    for one, number in zip(axes, numbers, strict=True):
        one.imshow(given[..., number], cmap="viridis", interpolation="antialiased")
    return axes


def _find_layer(function: str, model: Any, name: Any) -> Any:
    if not hasattr(model, "layers") or not callable(model):
        raise TypeError(f"{function}: model={one_line(model)}: it takes a Keras model")
    if not isinstance(name, str):
        raise TypeError(f"{function}: layer={one_line(name)}: it takes the name of a layer")
    known = dict(_named_layers(model, ""))
    if name in known:
        return known[name]
    inside = [path for path in known if path.startswith(f"{name}.")]
    if inside:
        some = ", ".join(map(repr, inside[:8])) + (" …" if len(inside) > 8 else "")
        raise ValueError(f"{function}: layer={name!r} is a block; it takes one of its layers: {some}")
    raise ValueError(f"{function}: {unknown('layer', name, known, f'layer in the model {model.name!r}')}")


def _named_layers(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        yield prefix + layer.name, layer
        if hasattr(layer, "layers"):
            yield from _named_layers(layer, f"{prefix}{layer.name}.")


def _run(function: str, model: Any, name: str, layer: Any, image: Any) -> np.ndarray[Any, Any]:
    """What the layer gives for the image."""
    batch = image if isinstance(image, list | tuple | dict) else _batch(function, model, image)
    if not all(_is_allocated(variable) for variable in model.weights):
        raise ValueError(f"{function}: the model {model.name!r} has no weights: build it outside of weightless()")
    with _watched(layer) as outputs:
        try:
            model(batch, training=False)
        except (TypeError, ValueError) as error:
            shape = getattr(batch, "shape", None)
            said = str(error).strip().splitlines()
            told = f" of shape {tuple(shape)}" if shape is not None else ""
            raise ValueError(
                f"{function}: image{told} is none that the model {model.name!r} takes: {said[0] if said else error!r}"
            ) from error
    if not outputs:
        raise ValueError(f"{function}: layer={name!r} was not called")
    if len(outputs) > 1:
        raise ValueError(f"{function}: layer={name!r} is shared and called {len(outputs)} times, giving several maps")
    shape = getattr(outputs[0], "shape", None)
    if shape is None or len(shape) != 4:
        gives = "no single tensor" if shape is None else f"shape {tuple(shape)}"
        raise ValueError(f"{function}: layer={name!r} gives {gives}: feature maps have (1, height, width, channels)")
    maps = np.asarray(outputs[0], dtype=float)
    if len(maps) != 1:
        raise ValueError(f"{function}: image is a batch of {len(maps)}: it takes one")
    return maps[0]


def _batch(function: str, model: Any, image: Any) -> np.ndarray[Any, Any]:
    array = as_array(function, "image", image)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{function}: image has dtype {array.dtype}: it takes numbers")
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or not array.size:
        raise ValueError(f"{function}: image has shape {array.shape}: it takes (height, width, channels)")
    if len(array) != 1:
        raise ValueError(f"{function}: image is a batch of {len(array)}: it takes one")
    return array.astype("float32")


def _is_allocated(variable: Any) -> bool:
    """A variable without a value draws another one each time it is asked."""
    return variable.value is variable.value


@contextmanager
def _watched(layer: Any) -> Iterator[list[Any]]:
    """What the layer gives while this lasts. It works in models that have no graph to cut, too."""
    outputs: list[Any] = []
    call = layer.call

    def watched(*args: Any, **kwargs: Any) -> Any:
        given = call(*args, **kwargs)
        outputs.append(given)
        return given

    before = vars(layer).get("call")
    vars(layer)["call"] = watched
    try:
        yield outputs
    finally:
        if before is None:
            del vars(layer)["call"]
        else:
            vars(layer)["call"] = before


def _data_format(layer: Any, model: Any) -> str:
    found = (getattr(one, "data_format", None) for one in (layer, *dict(_named_layers(model, "")).values()))
    return next((format for format in found if format in FORMATS), FORMATS[0])


def _channel_last(maps: np.ndarray[Any, Any], data_format: str) -> np.ndarray[Any, Any]:
    return np.moveaxis(maps, 0, -1) if data_format == "channels_first" else maps


def _channels(function: str, maps: Any, count: int) -> tuple[int, ...]:
    if not isinstance(maps, Sequence) or isinstance(maps, str | bytes):
        return tuple(range(min(whole(function, "maps", maps), count, MOST_TILES)))
    numbers = tuple(maps)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"{function}: maps has {number!r}: it takes a number of maps, or their numbers")
        if not 0 <= number < count:
            raise ValueError(
                f"{function}: maps has channel {number}, but the layer has {count}: it takes 0 to {count - 1}"
            )
    if not 1 <= len(numbers) <= MOST_TILES:
        raise ValueError(f"{function}: maps has {len(numbers)} channels: it takes 1 to {MOST_TILES}")
    return numbers
