"""A new block is one file and one line: what else it needs is found out here, by walking what is public."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import keras
import pytest

from layerblocks import architectures, blocks
from layerblocks.blocks import registered
from layerblocks.testing.oracles import ORACLES
from layerblocks.testing.random_blocks import Piece, chain, piece, pieces

TOOLS = {
    *("block", "deep_graphs", "default_of", "expects", "matching", "register", "registered", "scaled_tanh", "unit"),
    "weightless",
    *("spectral_normalized", "weight_normalized", "weight_standardized"),
}
"""Public functions of `blocks` that make no tensor."""
OPEN = {
    "chain": "gives what its layers give",
    "radial_basis": "has weights of its own kind; tests/architectures/test_lenets.py counts them",
}
"""Blocks without an oracle, and why."""

BLOCKS = sorted(name for name in blocks.__all__ if inspect.isroutine(getattr(blocks, name)) and name not in TOOLS)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_has_help_and_an_oracle(name):
    block = getattr(blocks, name)
    words = inspect.getdoc(block) or ""
    assert words.partition("\n")[0].endswith((".", ":")), f"{name}: a docstring whose first line says what it does"
    assert name in ORACLES or name in OPEN or getattr(block, "expected", None) is not None, (
        f"{name}: put @oracle({name!r}) over what it has to give in testing/oracles, or let the block say `expected`"
    )


def test_an_oracle_is_of_a_block_that_there_is():
    assert ORACLES.keys() <= set(BLOCKS)
    assert not OPEN.keys() & ORACLES.keys()
    assert OPEN.keys() <= set(BLOCKS)


def test_no_function_of_ours_takes_the_word_of_an_activation():
    """Of any module: once imported, `activation="leaky_relu"` would be another function for everybody."""
    for module in pkgutil.iter_modules(architectures.__path__):
        importlib.import_module(f"{architectures.__name__}.{module.name}")
    kinds = ("unit", "norm", "pool", "shortcut", "dense", "block")
    ours = {
        name
        for kind in kinds
        for name, function in registered(kind).items()
        if getattr(function, "__module__", "").startswith("layerblocks")
    }
    assert ours and not {name for name in ours if hasattr(keras.activations, name)}


def test_random_networks_draw_every_block_that_goes_from_an_image_to_an_image():
    names = chain()
    assert names[0] == "conv", "what networks shrink to"
    assert {name for name in BLOCKS if name in ORACLES and ORACLES[name].chain} <= set(names)
    assert [repr(found) for found in pieces()] == names


@pytest.mark.parametrize("name", BLOCKS)
def test_what_is_drawn_is_an_argument(name):
    if name not in ORACLES:
        return
    words = inspect.signature(getattr(blocks, name)).parameters
    assert ORACLES[name].draws.keys() <= words.keys() or any(p.kind is p.VAR_KEYWORD for p in words.values())
    assert isinstance(piece(name), Piece)


def test_a_block_that_says_what_it_gives_needs_nothing_here(monkeypatch):
    """One file: the block. One line: its name among the public ones."""

    def halved(x, *, name=None):
        return keras.layers.AveragePooling2D(2, padding="same", name=name)(x)

    halved.expected = "b h w c -> b ceil(h/2) ceil(w/2) c"
    monkeypatch.setattr(blocks, "halved", halved, raising=False)
    monkeypatch.setattr(blocks, "__all__", [*blocks.__all__, "halved"])
    chain.cache_clear()
    try:
        assert chain()[-1] == "halved"
        assert piece("halved").oracle((7, 9, 3)).shape == (4, 5, 3)
    finally:
        chain.cache_clear()
        piece.cache_clear()
