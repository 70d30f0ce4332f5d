"""Files of LiteRT (TensorFlow Lite), in int8 too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..plain_keras import for_use
from . import runtimes
from .formats import Format, quiet
from .runtimes import by_name


def _save(model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
    import tensorflow as tf

    # Keras also allows TensorFlow's own operations, which LiteRT by itself does not have.
    builtin = {"target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}}
    with quiet():  # the converter writes pages of the operations that LiteRT has not
        model.export(path, format="litert", verbose=False, **{**builtin, **options})


def _names(model: keras.Model) -> list[str]:
    return [tensor.name for tensor in model.inputs]


def _int8(model: keras.Model, data: Any) -> dict[str, Any]:
    """The options of a LiteRT file whose weights and activations are int8, calibrated on these examples."""
    import tensorflow as tf

    arrays = [np.asarray(array) for array in keras.tree.flatten(data)]

    def examples() -> Iterator[Any]:
        for number in range(min(map(len, arrays))):
            one = [array[number : number + 1] for array in arrays]
            yield one if len(one) == 1 else by_name((), one, _names(model))

    return {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "representative_dataset": examples,
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]},
    }


def _noise(path: Path, model: keras.Model, batch: Any) -> float:
    """The relative error that the steps of a LiteRT file's int8 tensors let expect of its answer to a batch.

    A number rounded to steps of s is off by s²/12 in the mean square. The errors of different tensors are independent,
    and the layers after carry them along as they do the values x, so that the shares s²/(12·x²) add up.
    """
    interpreter = runtimes.interpreter(path, keep=True)
    signature = next(iter(interpreter.get_signature_list()))
    runner = interpreter.get_signature_runner(signature)
    runner(**by_name(list(runner.get_input_details()), batch, _names(model)))
    total = 0.0
    for tensor in interpreter.get_tensor_details():
        steps = tensor["quantization_parameters"]["scales"]
        if tensor["dtype"] is not np.int8 or not len(steps):
            continue
        try:
            values = interpreter.get_tensor(tensor["index"])
        except ValueError:  # it is never computed
            continue
        zeros = tensor["quantization_parameters"]["zero_points"]
        if len(steps) > 1:  # one for each channel
            channels = [1] * values.ndim
            channels[tensor["quantization_parameters"]["quantized_dimension"]] = -1
            steps, zeros = steps.reshape(channels), zeros.reshape(channels)
        exact = (values.astype("float64") - zeros) * steps
        size = np.mean(np.square(exact))
        total += float(np.mean(np.square(steps)) / 12 / size) if size else 0.0
    return math.sqrt(total)


LITERT = Format(
    "litert",
    ".tflite",
    "LiteRT (TensorFlow Lite), by its own operations only",
    _save,
    prepared=for_use,
    needs=("tensorflow",),
    lacks=("bfloat16", "float16"),
    int8=_int8,
    noise=_noise,
)
