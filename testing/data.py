"""Random inputs for a model, and comparing what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ..checks import complaint

BATCH, SIDE = 4, 32


def inputs_for(model: Any, batch: int = BATCH, seed: int = 0) -> Any:
    """Random numbers in the structure of the model's inputs; unknown sides become 32, or the smallest that it accepts.

    Raises:
        ValueError: the model does not say what its inputs are.

    Example:
        >>> x = keras.Input((None, 7, 3))
        >>> inputs_for(keras.Model(x, keras.layers.ReLU()(x))).shape
        (4, 32, 7, 3)
    """
    tensors = getattr(model, "input", None)  # in their structure, which a sequential model does not have
    if tensors is None:
        tensors = getattr(model, "inputs", None)
    if tensors is None:
        raise complaint(f"x must be given, as the model {model.name!r} does not say what its inputs are")
    if isinstance(tensors, list | tuple) and len(tensors) == 1:
        tensors = tensors[0]
    random, least = np.random.default_rng(seed), _least(model)

    def one(tensor: Any) -> Any:
        shape = [batch if axis == 0 else size or least for axis, size in enumerate(tensor.shape)]
        return drawn(random, shape, tensor.dtype)

    return keras.tree.map_structure(one, tensors)


def drawn(random: Any, shape: Sequence[int], dtype: str, below: int = 2) -> Any:
    """An array of random numbers: normal ones, integers below a bound (of 1 only indices that exist), truth values."""
    if "float" in dtype:
        return np.asarray(random.normal(size=shape)).astype(dtype)
    return np.asarray(random.integers(0, 2 if dtype == "bool" else below, shape)).astype(dtype)


def _least(model: Any) -> int:
    from ..graphs.receptive_fields import min_input_size

    try:
        return max(SIDE, *min_input_size(model), 0)
    except Exception:  # a layer may refuse to be asked
        return SIDE


def by_output(outputs: Any) -> dict[str, Any]:
    """Outputs by their key, or number; one output by an empty key."""
    if isinstance(outputs, Mapping):
        return {str(key): value for key, value in outputs.items()}
    if isinstance(outputs, list | tuple):
        return {str(number): value for number, value in enumerate(outputs)}
    return {"": outputs}


def arrays(outputs: Any) -> dict[str, Any]:
    """As `by_output`, of NumPy arrays."""
    return {key: keras.ops.convert_to_numpy(value) for key, value in by_output(outputs).items()}


def kept(model: Any) -> Callable[[], None]:
    """A function that gives the model its present weights and states back."""
    held = [(variable, keras.ops.convert_to_numpy(variable.value)) for variable in model.variables]

    def restore() -> None:
        for variable, value in held:
            variable.assign(value)

    return restore
