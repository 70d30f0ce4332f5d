"""What a layer makes of an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _keras, checks
from ..checks import complaint, listed, one_line, public, refuse
from .labels import as_array, of_numbers
from .panels import FORMATS, MOST_TILES, inches, tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@public
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
        image: `(height, width, channels)`, or a batch of one, preprocessed as for the model; for a model with several
            inputs the list or dict of their batches.
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
    columns, inch = checks.integer("columns", columns), inches(width)
    data_format = checks.choice("data_format", data_format, [*FORMATS, None])
    found = _find_layer(model, layer)
    given = _channel_last(_run(model, layer, found, image), data_format or _data_format(found, model))
    numbers = _channels(maps, given.shape[-1])
    axes = tiles(inch, columns, given.shape[0] / given.shape[1], [str(number) for number in numbers])
    for one, number in zip(axes, numbers, strict=True):
        one.imshow(given[..., number], cmap="viridis", interpolation="antialiased")
    return axes


def _find_layer(model: Any, name: Any) -> Any:
    if not all((hasattr(model, "layers"), callable(model))):
        raise refuse("model", model, "a Keras model", TypeError)
    name = checks.text("layer", name, "the name of a layer")
    known = dict(_named_layers(model, ""))
    if name in known:
        return known[name]
    inside = [path for path in known if path.startswith(f"{name}.")]
    if inside:
        raise complaint(f"layer must be a single one, got the block {one_line(name)}, of {listed(inside)}")
    raise checks.unknown("layer", name, known, f"layer in the model {model.name!r}")


def _named_layers(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        yield prefix + layer.name, layer
        if hasattr(layer, "layers"):
            yield from _named_layers(layer, f"{prefix}{layer.name}.")


def _run(model: Any, name: str, layer: Any, image: Any) -> np.ndarray[Any, Any]:
    """What the layer gives for the image."""
    batch = image if isinstance(image, list | tuple | dict) else _batch(image)
    if not all(map(_keras.is_allocated, model.weights)):
        raise complaint(f"model must be one with weights, got {model.name!r}, which was built under weightless()")
    with _watched(layer) as outputs:
        try:
            model(batch, training=False)
        except Exception as error:  # of the model, or of the backend, which has its own
            shape = getattr(batch, "shape", None)
            got = one_line(image) if shape is None else f"one of shape {tuple(shape)}"
            told = f"image must be one for the model {model.name!r}, got {got}: {str(error).strip() or type(error)}"
            raise complaint(told) from error
    if len(outputs) != 1:
        times = f"{len(outputs)} times, as it is shared" if outputs else "not at all"
        raise complaint(f"layer must be one that is called once, got {one_line(name)}, called {times}")
    shape = getattr(outputs[0], "shape", None)
    if shape is None or len(shape) != 4:
        gives = "no single tensor" if shape is None else f"shape {tuple(shape)}"
        must_be = "one that gives feature maps, (1, height, width, channels)"
        raise complaint(f"layer must be {must_be}, got {one_line(name)}, which gives {gives}")
    maps = np.asarray(outputs[0], dtype=float)
    if len(maps) != 1:
        raise complaint(f"image must be one, got a batch of {len(maps)}")
    return maps[0]


def _batch(image: Any) -> np.ndarray[Any, Any]:
    array = of_numbers("image", as_array("image", image))
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or not array.size:
        raise complaint(f"image must be of shape (height, width, channels), got {array.shape}")
    if len(array) != 1:
        raise complaint(f"image must be one, got a batch of {len(array)}")
    return array.astype("float32")


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


def _channels(maps: Any, count: int) -> tuple[int, ...]:
    if not checks.is_sequence(maps):
        number = checks.integer("maps", maps, must_be="how many channels, from 1 on, or their numbers")
        return tuple(range(min(number, count, MOST_TILES)))
    must_be = f"a channel of the layer, 0 to {count - 1}"
    numbers = tuple(checks.integer(f"maps[{place}]", number, 0, must_be) for place, number in enumerate(maps))
    for place, number in enumerate(numbers):
        if number >= count:
            raise refuse(f"maps[{place}]", number, must_be)
    if not 1 <= len(numbers) <= MOST_TILES:
        raise complaint(f"maps must be 1 to {MOST_TILES} channels, got {len(numbers)}")
    return numbers
