"""ONNX files."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..plain_keras import for_use
from ..rewiring import leaves
from .formats import Format


def _save(model: keras.Model, path: Path, options: Mapping[str, Any]) -> None:
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


ONNX = Format(
    "onnx",
    ".onnx",
    "`onnxruntime`",
    _save,
    prepared=functools.partial(for_use, constants=True),
    needs=("onnx", "onnxruntime", "tf2onnx"),
    lacks=("bfloat16",),
)
