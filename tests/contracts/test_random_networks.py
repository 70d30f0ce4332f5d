"""The whole library on random networks that nobody thought of: drawn, tabled, described, saved, loaded, cut, run."""

from __future__ import annotations

import keras
import numpy as np
from hypothesis import assume, given, settings

from layerblocks import viz
from layerblocks.blocks import block
from layerblocks.testing import assert_roundtrip
from layerblocks.testing.random_networks import networks

from ..helpers import dtype_policy

some = settings(max_examples=max(8, settings().max_examples // 3))
few = settings(max_examples=max(4, settings().max_examples // 12))
small = networks(max_calls=10)


def as_a_block(net):
    def network(x):
        return net(x)

    return block(network)


@some
@given(networks())
def test_drawn(tmp_path_factory, net):
    """Twice the same bytes, of a model with two networks in it."""
    model = net.model()
    folder = tmp_path_factory.mktemp("drawn")
    first, second = folder / "first.svg", folder / "second.svg"
    viz.plot_model(model, first)
    viz.plot_model(model, second)
    assert first.read_bytes() == second.read_bytes()
    assert b"<svg" in first.read_bytes()[:2000]


@some
@given(networks())
def test_collapsed_and_drawn(tmp_path_factory, net):
    path = tmp_path_factory.mktemp("drawn") / "net.pdf"
    viz.plot_model(net.model(), path, depth=1)
    assert path.read_bytes().startswith(b"%PDF")


@some
@given(networks())
def test_tables_and_words(net):
    model = net.model()
    total = viz.totals(model)
    assert total.parameters == net.parameters
    assert viz.table(model) == viz.table(model)
    assert viz.alt_text(model)
    assert sum(row.parameters or 0 for row in viz.rows(model, depth=None)) == net.parameters


@some
@given(networks())
def test_multiply_adds(net):
    """Convolutions and dense layers; ours and those of the oracles count alike."""
    expected = net.expected().multiply_adds
    assume(expected is not None)
    names = {call.name for call in net.calls}
    assume(not names & {"subsample", "squeeze_excite"})  # the oracle has no word on what comes between
    assert viz.totals(net.model()).multiply_adds == expected


@some
@given(networks())
def test_configurations(net):
    model = net.model()
    again = keras.models.model_from_json(model.to_json())
    assert again.count_params() == net.parameters
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


@few
@given(small)
def test_saved_loaded_cloned(net):
    model = net.model(weights=True)
    x = np.random.default_rng(0).normal(size=(2, *net.shape)).astype("float32")
    assert_roundtrip(model, x)


@few
@given(small)
def test_run_on_real_numbers(net):
    """At the size that it is built for, and built for unknown ones, to the same numbers."""
    model = net.model(weights=True)
    x = np.random.default_rng(0).normal(size=(2, *net.shape)).astype("float32")
    y = model(x)
    outputs = y if isinstance(y, dict) else {"main": y}
    expected = net.output_shape if isinstance(net.output_shape, dict) else {"main": net.output_shape}
    assert {role: tuple(output.shape[1:]) for role, output in outputs.items()} == expected
    try:
        unknown = net.model((None, None, net.shape[2]), weights=True)
    except ValueError:
        return
    unknown.set_weights(model.get_weights())
    again = unknown(x)
    again = again if isinstance(again, dict) else {"main": again}
    for role, output in outputs.items():
        np.testing.assert_allclose(np.asarray(again[role]), np.asarray(output), rtol=1e-4, atol=1e-4)


@few
@given(small)
def test_mixed_precision(net):
    with dtype_policy("mixed_float16"):
        model = net.model()
    assert {variable.dtype for variable in model.variables} <= {"float32", "uint32", "int64"}
    assert model.count_params() == net.parameters
