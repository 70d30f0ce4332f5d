"""What a file answers in its own runtime, asked in a process that has only that: this file run as a program.

It imports nothing of this package, so that what a file needs of it is missed here and not at its user's.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

# A file's answer to one batch, as a flat list of arrays.
Runtime = Callable[[Any], list[np.ndarray]]


def load(word: str, path: Path, names: Sequence[str], by_key: bool) -> Runtime:
    """Load a file of that format.

    Args:
        names: of the inputs of the model, in their order.
        by_key: whether the model has a dict of outputs, whose keys are in their order.
    """
    return _LOADS[word](path, names, by_key)


def flat(answer: Any) -> list[np.ndarray]:
    """List outputs as arrays, those of a dict in the order of its keys, as Keras has them."""
    import keras

    return [_array(part) for part in keras.tree.flatten(answer)]


def _array(tensor: Any) -> np.ndarray:
    import keras

    array = np.asarray(keras.ops.convert_to_numpy(tensor))
    return array.astype("float32") if array.dtype == "bfloat16" else array


def parts_of(batch: Any) -> list[Any]:
    """The arrays of a batch, those of a dict in the order of its keys."""
    if isinstance(batch, Mapping):
        return [part for key in sorted(batch) for part in parts_of(batch[key])]
    return [part for one in batch for part in parts_of(one)] if isinstance(batch, list | tuple) else [batch]


def by_name(names: Sequence[str], batch: Any, inputs: Sequence[str]) -> dict[str, np.ndarray]:
    """Give each part of a batch the name that a file has for it."""
    parts = parts_of(batch)
    return {names[0]: parts[0]} if len(parts) == 1 else dict(zip(inputs, parts, strict=True))


def _keras(path: Path, names: Sequence[str], by_key: bool) -> Runtime:
    import keras

    loaded = keras.models.load_model(path, compile=False)
    return lambda batch: flat(loaded(batch, training=False))


def _saved_model(path: Path, names: Sequence[str], by_key: bool) -> Runtime:
    import keras
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda batch: flat(loaded.serve(keras.tree.map_structure(tf.convert_to_tensor, batch)))


def interpreter(path: Path, *, keep: bool = False) -> Any:
    """Make an interpreter of a LiteRT file; `keep` for every tensor on the way."""
    if importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType  # pyright: ignore[reportMissingImports]
    else:
        import tensorflow as tf

        Interpreter, OpResolverType = tf.lite.Interpreter, tf.lite.experimental.OpResolverType
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # others compute in places where nobody can look
    options: dict[str, Any] = {"num_threads": os.cpu_count()}
    if keep:
        options |= {"experimental_preserve_all_tensors": True, "experimental_op_resolver_type": plain}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own says where it is moving
        return Interpreter(str(path), **options)


def _litert(path: Path, names: Sequence[str], by_key: bool) -> Runtime:
    runner = interpreter(path).get_signature_runner()
    inputs, outputs = list(runner.get_input_details()), list(runner.get_output_details())
    numbered = [f"output_{number}" for number in range(len(outputs))]
    order = numbered if {*numbered} == {*outputs} else sorted(outputs)

    def run(batch: Any) -> list[np.ndarray]:
        answer = runner(**by_name(inputs, batch, names))
        return [np.asarray(answer[name]) for name in order]

    return run


def _onnx(path: Path, names: Sequence[str], by_key: bool) -> Runtime:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = [tensor.name for tensor in session.get_inputs()]
    outputs = [tensor.name for tensor in session.get_outputs()]
    order = sorted(outputs) if by_key else outputs
    return lambda batch: session.run(order, by_name(inputs, batch, names))


def _openvino(path: Path, names: Sequence[str], by_key: bool, precision: str = "f32") -> Runtime:
    import openvino  # pyright: ignore[reportMissingImports]

    core = openvino.Core()
    hints = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}  # its own is bf16, if there is that
    compiled = core.compile_model(core.read_model(str(path)), "CPU", hints)
    inputs = [tensor.any_name for tensor in compiled.inputs]
    outputs = sorted(compiled.outputs, key=lambda tensor: tensor.any_name) if by_key else compiled.outputs

    def run(batch: Any) -> list[np.ndarray]:
        answer = compiled(by_name(inputs, batch, names))
        return [np.array(answer[tensor]) for tensor in outputs]

    return run


_LOADS: Mapping[str, Callable[[Path, Sequence[str], bool], Runtime]] = {
    "keras": _keras,
    "tf_saved_model": _saved_model,
    "litert": _litert,
    "onnx": _onnx,
    "openvino": _openvino,
    "openvino_bfloat16": partial(_openvino, precision="bf16"),
}


def _said(error: BaseException) -> tuple[str, str]:
    return type(error).__name__, str(error)


def _answers(task: Mapping[str, Any]) -> dict[str, Any]:
    """The answers to batches, or what was raised and at which of the steps."""
    try:
        for module in task["imports"]:
            importlib.import_module(module)
        runtime = load(task["word"], Path(task["path"]), task["names"], task["by_key"])
    except Exception as error:  # runtimes raise what they like
        return {"failed": "load", "error": _said(error)}
    answers: list[Any] = []
    for batch in task["batches"]:
        try:
            answers.append(runtime(batch))
        except Exception as error:
            return {"failed": "run", "error": _said(error), "answers": answers}
    return {"answers": answers}


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    given = pickle.loads(source.read_bytes())  # written by the process that started this one, in a folder of its own
    target.write_bytes(pickle.dumps(_answers(given)))
