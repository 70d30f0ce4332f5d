"""A model written down and read again is the same model."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import checks
from .._keras import deep_graphs
from .data import arrays, inputs_for
from .reports import CheckError, Report, root_cause
from .training import accepted, check_built


@checks.public
def assert_roundtrip(
    model: Any, x: Any = None, *, custom_objects: Any = None, rtol: float = 1e-5, atol: float = 1e-5, seed: int = 0
) -> None:
    """Saved and loaded, cloned, and with its weights saved and loaded alone, a model gives the same output.

    Args:
        model: a built Keras model; one that cannot be cloned (not functional, not sequential) is only saved.
        x: inputs; None for four random ones.
        custom_objects: as of `keras.models.load_model`.
        rtol, atol: how far numbers may differ, relatively and at all.
        seed: of the random inputs.

    Raises:
        CheckError: an AssertionError that says which way failed, and how.
        TypeError, ValueError: not a model with weights.

    Example:
        >>> x = keras.Input((8, 8, 3))
        >>> y = keras.layers.Conv2D(4, 3)(x)
        >>> assert_roundtrip(keras.Model(x, {"main": keras.layers.Flatten()(y), "maps": y}))
    """
    __tracebackhide__ = True  # pytest then shows the call alone
    check_built(checks.instance("model", model, keras.Model, "a Keras model"))
    rtol, atol = checks.number("rtol", rtol, at_least=0), checks.number("atol", atol, at_least=0)
    seed = checks.integer("seed", seed, 0)
    if custom_objects is not None:
        checks.mapping("custom_objects", custom_objects, "a dict of classes and functions by name, or None")
    x = inputs_for(model, seed=seed) if x is None else x
    with accepted(model, x):
        expected = arrays(model(x, training=False))
    ways = {"saved and loaded": _saved}
    if isinstance(model, keras.Sequential | keras.Function):
        ways |= {"cloned": _cloned, "made anew from its config, with weights from a file": _weights}
    for way, again in ways.items():
        try:
            with tempfile.TemporaryDirectory() as folder, keras.saving.custom_object_scope(custom_objects or {}):
                got = arrays(again(model, Path(folder))(x, training=False))
        except Exception as error:
            title = f"assert_roundtrip: model {model.name!r} cannot be {way}"
            raise CheckError(Report(title, got=root_cause(error))) from error
        off = tuple(_differences(expected, got, rtol, atol))
        if off:
            raise CheckError(Report(f"assert_roundtrip: model {model.name!r}, {way}, gives something else", off=off))


@deep_graphs()
def _saved(model: Any, folder: Path) -> Any:
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras", compile=False)


@deep_graphs()
def _cloned(model: Any, folder: Path) -> Any:
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    return clone


@deep_graphs()
def _weights(model: Any, folder: Path) -> Any:
    model.save_weights(folder / "model.weights.h5")
    again = keras.models.model_from_json(model.to_json())
    again.load_weights(folder / "model.weights.h5")
    return again


def _differences(expected: Any, got: Any, rtol: float, atol: float) -> Any:
    if expected.keys() != got.keys():
        yield f"outputs {sorted(got)} instead of {sorted(expected)}"
        return
    for key, values in expected.items():
        output = f"output {key!r}" if key else "the output"
        if values.shape != got[key].shape:
            yield f"{output} has the shape {got[key].shape} instead of {values.shape}"
        elif not np.allclose(values, got[key], rtol=rtol, atol=atol, equal_nan=True):
            apart = np.abs(values.astype("float64") - got[key]).max()
            yield f"{output} differs by up to {apart:.3g}, of values up to {np.abs(values).max():.3g}"
