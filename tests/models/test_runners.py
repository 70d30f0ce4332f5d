"""A model in every runtime that is installed answers as it does in Keras, behind the same call."""

from __future__ import annotations

import importlib
import sys

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks.blocks import conv_bn
from layerblocks.models import inference_model, runner

from ..agreement import differ, images, randomize, run
from ..helpers import needs_half, needs_tensorflow

here = importlib.import_module("layerblocks.models.runners")


@pytest.fixture(params=here.RUNTIMES)
def runtime(request):
    if request.param != "keras" and keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow computes it, or writes the file that is computed")
    try:
        here.RUNTIMES[request.param].require()
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    return request.param


def two_heads(*sides):
    x, other = keras.Input((*sides, 3), name="image"), keras.Input((2,), name="vector")
    y = layers.GlobalAveragePooling2D()(conv_bn(x, 4))
    y = layers.concatenate([y, other])
    outputs = {"b": layers.Dense(3)(y), "a": layers.Dense(2)(y)}
    return randomize(keras.Model({"image": x, "vector": other}, outputs))


def one(*sides):
    x = keras.Input((*sides, 3))
    y = layers.GlobalAveragePooling2D()(conv_bn(x, 4))
    return inference_model(randomize(keras.Model(x, layers.Dense(2)(y))))


def test_answers_as_keras_does_in_the_same_structure(runtime):
    model = two_heads(8, 8)
    found = runner(model, runtime)
    assert found.runtime == runtime and found.off <= 1e-4
    batch = {"image": images(3, 8, 8, 3).astype("float64"), "vector": images(3, 2)}
    answer = found(batch)
    keras.tree.assert_same_structure(answer, run(model, batch))
    assert max(keras.tree.flatten(keras.tree.map_structure(differ, answer, run(model, batch)))) < 1e-4
    assert all(isinstance(part, np.ndarray) for part in keras.tree.flatten(answer))


def test_sizes_that_are_none_stay_so(runtime):
    model = one(None, None)
    found = runner(model, runtime)
    for sides in ((9, 7), (12, 8)):
        assert differ(found(x := images(2, *sides, 3)), run(model, x)) < 1e-4
    with pytest.raises(ValueError, match=r"Runner.__call__: x must be a batch of shape \(None, None, None, 3\), got"):
        found(images(2, 9, 9, 4))


def test_the_quickest_is_of_those_that_were_measured(monkeypatch):
    model = one(8, 8)
    slow = dict.fromkeys(here.RUNTIMES, 1.0) | {"onnxruntime": 0.5}
    calls = []

    def in_turn(works, runs, *, warm):
        calls.extend(works)
        assert all(work().shape == (2, 2) for work in works.values())
        return {name: [slow[name]] * runs for name in works}

    monkeypatch.setattr(here, "in_turn", in_turn)
    monkeypatch.setitem(sys.modules, "openvino", None)
    found = runner(model, batch=images(2, 8, 8, 3))
    assert found.runtime == ("onnxruntime" if "onnxruntime" in calls else "keras")
    assert {*found.seconds} == {*calls} and {*calls, *found.without} == {*here.RUNTIMES}
    assert found.without["openvino"] == "needs openvino, which is not installed: pip install 'layerblocks[openvino]'"
    assert "not measured, needs openvino" in str(found)
    slow["onnxruntime"] = 1.0
    assert runner(model, batch=images(2, 8, 8, 3)).runtime == "keras"


@needs_half
def test_in_bfloat16_it_answers_the_same_up_to_its_rounding(runtime):
    model = two_heads(8, 8)
    batch = {"image": images(3, 8, 8, 3), "vector": images(3, 2)}
    if runtime in ("onnxruntime", "litert"):
        with pytest.raises(ValueError, match="runner: runtime must be one of 'keras', 'tensorflow', 'openvino'"):
            runner(model, runtime, dtype="bfloat16")
        return
    found = runner(model, runtime, dtype="bfloat16")
    assert (found.runtime, found.dtype, found.title) == (runtime, "bfloat16", f"{runtime} in bfloat16")
    assert found.off <= 0.05
    apart = keras.tree.map_structure(differ, found(batch), run(model, batch))
    assert max(keras.tree.flatten(apart)) < 0.05
    if runtime != "openvino":  # which computes in float32 where the processor has no other
        assert found.off > 1e-5


@needs_half
def test_those_in_bfloat16_are_measured_beside_those_in_float32(monkeypatch):
    seen = []

    def in_turn(works, runs, *, warm):
        seen.extend(works)
        return {name: [0.5 if name == "keras in bfloat16" else 1.0] * runs for name in works}

    monkeypatch.setattr(here, "in_turn", in_turn)
    found = runner(one(8, 8), batch=2, dtype="bfloat16")
    assert found.title == "keras in bfloat16" and str(found).startswith("keras in bfloat16, off by")
    both = [name for name in seen if name.endswith(" in bfloat16")]
    assert {name.removesuffix(" in bfloat16") for name in both} <= {"keras", "tensorflow", "openvino"}
    assert "onnxruntime in bfloat16" not in {*seen, *found.without}


@needs_tensorflow
def test_weights_are_constants_of_its_graph():
    """Else the kernels lay them out anew for every batch."""
    model = one(8, 8)
    graph = here._frozen(model).get_concrete_function().graph
    assert not graph.captures
    assert not {"ReadVariableOp", "VarHandleOp"} & {operation.type for operation in graph.get_operations()}


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r"^runner: needs openvino, .*: pip install 'layerblocks\[openvino\]'$"):
        runner(one(8, 8), "openvino")


def test_int8_is_calibrated_and_compared(runtime):
    model, data = one(8, 8), images(16, 8, 8, 3)
    if runtime != "litert":
        with pytest.raises(ValueError, match="runner: runtime must be 'litert' or 'quickest'"):
            runner(model, runtime, representative_data=data)
        return
    found = runner(model, runtime, representative_data=iter(data))
    assert 1e-4 < found.off < 0.5
    assert differ(found(data), run(model, data)) < 0.1
    with pytest.raises(RuntimeError, match=r"runner: .* as 'litert' answers differently"):
        runner(model, runtime, representative_data=data, within=1e-6)


def test_answers_that_differ_are_refused(monkeypatch, runtime):
    if runtime == "keras":
        pytest.skip("it is what the others are compared with")

    def wrong(load):
        return lambda *args: lambda batch: [part + 1 for part in load(*args)(batch)]

    monkeypatch.setattr(here.runtimes, "load", wrong(here.runtimes.load))
    monkeypatch.setattr(here, "_itself", wrong(here._itself))
    with pytest.raises(RuntimeError, match=rf"runner: .* as '{runtime}' answers differently: off by"):
        runner(one(8, 8), runtime)
