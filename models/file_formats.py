"""The file formats that Keras writes: how each is written, and asked by its own runtime what it answers."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import _keras, checks

# A file's answer to one batch, as a flat list of arrays.
Runtime = Callable[[Any], list[np.ndarray]]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of files.

    Args:
        word: what it is called, by Keras too where Keras exports it.
        ending: of its paths; none for a folder.
        write: write a model there, with the options of Keras's exporter.
        load: load what was written of this model.
        needs: modules that it takes to write and load one.
        lacks: dtypes that its runtime does not compute in.
    """

    word: str
    ending: str
    write: Callable[[keras.Model, Path, Mapping[str, Any]], None]
    load: Callable[[Path, keras.Model], Runtime]
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def require(self, model: keras.Model) -> None:
        """Raise an error that says what is missing, if something is."""
        missing = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if missing:
            package = "tensorflow" if missing == ["tensorflow"] else "'layerblocks[export]'"
            raise ImportError(f"export: format={self.word!r} needs {' and '.join(missing)}: pip install {package}")
        if self.needs and keras.backend.backend() != "tensorflow":
            raise RuntimeError(
                f"export: format={self.word!r} takes Keras on tensorflow, not on {keras.backend.backend()}; "
                "a .keras file goes from one to the other"
            )
        for layer in leaves(model):
            if layer.compute_dtype in self.lacks:
                raise checks.refuse(
                    "model",
                    f"{layer.name!r} in {layer.compute_dtype}",
                    f"one that computes in float32 where format={self.word!r}",
                )

    def written(self, model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
        try:
            self.write(model, path, options)
        except Exception as error:  # exporters raise what they like
            raise RuntimeError(f"export: Keras cannot write {model.name!r} as {self.word!r}: {line(error)}") from error

    def loaded(self, path: Path, model: keras.Model) -> Runtime:
        try:
            return self.load(path, model)
        except Exception as error:  # so do runtimes
            raise RuntimeError(f"export: {model.name!r} as {self.word!r} cannot be loaded: {line(error)}") from error


def flat(answer: Any) -> list[np.ndarray]:
    """Outputs as arrays, those of a dict in the order of its keys, as Keras has them."""
    return [_array(part) for part in keras.tree.flatten(answer)]


def _array(tensor: Any) -> np.ndarray:
    array = np.asarray(keras.ops.convert_to_numpy(tensor))
    return array.astype("float32") if array.dtype == "bfloat16" else array


def leaves(model: Any) -> Iterator[Any]:
    """The layers of a model and of those nested in it."""
    for layer in model.layers:
        yield from leaves(layer) if isinstance(layer, keras.Model) else (layer,)


def line(error: BaseException) -> str:
    """What an error says, in one line that is not too long."""
    lacking = sorted({*re.findall(r"'tf\.(\w+)' op is neither", str(error))})  # of the pages of LiteRT's converter
    said = " ".join(str(error).split()) or type(error).__name__
    if lacking:
        return f"it has no {', '.join(lacking)} of TensorFlow"
    return said if len(said) <= 400 else f"{said[:300]} … {said[-90:]}"


def _by_name(names: Sequence[str], batch: Any, model: keras.Model) -> dict[str, np.ndarray]:
    """Each part of a batch by the name that a file has for it."""
    parts = keras.tree.flatten(batch)
    if len(parts) == 1:
        return {names[0]: parts[0]}
    return dict(zip([tensor.name for tensor in model.inputs], parts, strict=True))


# -- Keras and TensorFlow ---------------------------------------------------------------------------------------------


def _save_keras(model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
    model.save(path, **options)


def _load_keras(path: Path, model: keras.Model) -> Runtime:
    with _keras.deep_graphs():
        loaded = keras.models.load_model(path, compile=False)
    return lambda batch: flat(loaded(batch, training=False))


def _save_folder(model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
    model.export(path, format="tf_saved_model", verbose=False, **options)


def _load_folder(path: Path, model: keras.Model) -> Runtime:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda batch: flat(loaded.serve(keras.tree.map_structure(tf.convert_to_tensor, batch)))


# -- LiteRT -----------------------------------------------------------------------------------------------------------


def _save_litert(model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
    import tensorflow as tf

    # Keras also allows TensorFlow's own operations, which LiteRT by itself does not have.
    builtin = {"target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}}
    model.export(path, format="litert", verbose=False, **{**builtin, **options})


def int8(model: keras.Model, data: Any) -> dict[str, Any]:
    """The options of a LiteRT file whose weights and activations are int8, calibrated on these examples."""
    import tensorflow as tf

    arrays = [np.asarray(array) for array in keras.tree.flatten(data)]

    def examples() -> Iterator[Any]:
        for number in range(min(map(len, arrays))):
            one = [array[number : number + 1] for array in arrays]
            yield one if len(one) == 1 else _by_name((), one, model)

    return {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "representative_dataset": examples,
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]},
    }


def _interpreter(path: Path, *, keep: bool = False) -> Any:
    """One that computes; it keeps every tensor on the way if told."""
    if importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    else:
        import tensorflow as tf

        Interpreter, OpResolverType = tf.lite.Interpreter, tf.lite.experimental.OpResolverType
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # others compute in places where nobody can look
    options = {"experimental_preserve_all_tensors": True, "experimental_op_resolver_type": plain} if keep else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own says where it is moving
        return Interpreter(str(path), **options)


def _load_litert(path: Path, model: keras.Model) -> Runtime:
    runner = _interpreter(path).get_signature_runner()
    inputs, outputs = list(runner.get_input_details()), list(runner.get_output_details())
    numbered = [f"output_{number}" for number in range(len(outputs))]
    order = numbered if {*numbered} == {*outputs} else sorted(outputs)

    def run(batch: Any) -> list[np.ndarray]:
        answer = runner(**_by_name(inputs, batch, model))
        return [np.asarray(answer[name]) for name in order]

    return run


def noise_of(path: Path, model: keras.Model, batch: Any) -> float:
    """The relative error that the steps of a LiteRT file's int8 tensors let expect of its answer to a batch.

    A number rounded to steps of s is off by s²/12 in the mean square. The errors of different tensors are independent,
    and the layers behind carry them along as they do the values x, so that the shares s²/(12·x²) add up.
    """
    interpreter = _interpreter(path, keep=True)
    signature = next(iter(interpreter.get_signature_list()))
    runner = interpreter.get_signature_runner(signature)
    runner(**_by_name(list(runner.get_input_details()), batch, model))
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


# -- ONNX -------------------------------------------------------------------------------------------------------------


def _save_onnx(model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
    _know_erfc()
    with _grouped_in_the_graph(model):
        model.export(path, format="onnx", verbose=False, **options)


@functools.cache
def _know_erfc() -> None:
    """Teach tf2onnx the one operation of TensorFlow's exact GELU that it does not know: erfc(x) = 1 - erf(x)."""
    from tf2onnx import constants, handler, onnx_opset  # noqa: F401  # what it knows

    if any("Erfc" in operations for operations in handler.tf_op.get_opsets()[constants.ONNX_DOMAIN]):
        return

    @handler.tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, graph: Any, node: Any, **options: Any) -> None:
            made = {"shapes": node.output_shapes, "dtypes": node.output_dtypes}
            (x,), outputs, name = node.input, node.output, node.name
            one = graph.make_const(f"{name}/one", np.array(1, "float32"))
            erf = graph.make_node("Erf", [x], name=f"{name}/erf", **made)
            graph.remove_node(name)
            graph.make_node("Sub", [one.output[0], erf.output[0]], name=name, outputs=outputs, **made)


@contextlib.contextmanager
def _grouped_in_the_graph(model: keras.Model) -> Iterator[None]:
    """Have grouped convolutions as such in the graph that is exported.

    On a CPU Keras puts them into a function compiled by XLA, as TensorFlow itself computes none there; but nothing is
    computed here, and ONNX has them and no XLA.
    """
    import tensorflow as tf

    def convolution(layer: Any) -> Callable[[Any, Any], Any]:
        return lambda inputs, kernel: tf.nn.convolution(
            inputs,
            kernel,
            strides=list(layer.strides),
            padding=layer.padding.upper(),
            data_format="NHWC" if layer.data_format == "channels_last" else "NCHW",
            dilations=list(layer.dilation_rate),
        )

    grouped = [x for x in leaves(model) if isinstance(x, keras.layers.Conv2D) and x.groups > 1]
    try:
        for layer in grouped:
            vars(layer)["convolution_op"] = convolution(layer)
        yield
    finally:
        for layer in grouped:
            vars(layer).pop("convolution_op", None)


def _load_onnx(path: Path, model: keras.Model) -> Runtime:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = [tensor.name for tensor in session.get_inputs()]
    outputs = [tensor.name for tensor in session.get_outputs()]
    order = sorted(outputs) if isinstance(getattr(model, "output", None), Mapping) else outputs
    return lambda batch: session.run(order, _by_name(inputs, batch, model))


FORMATS = {
    kind.word: kind
    for kind in (
        Format("keras", ".keras", _save_keras, _load_keras),
        Format("tf_saved_model", "", _save_folder, _load_folder, ("tensorflow",)),
        Format("litert", ".tflite", _save_litert, _load_litert, ("tensorflow",), ("bfloat16", "float16")),
        Format("onnx", ".onnx", _save_onnx, _load_onnx, ("onnx", "onnxruntime", "tf2onnx"), ("bfloat16",)),
    )
}
"""By what each is called."""
