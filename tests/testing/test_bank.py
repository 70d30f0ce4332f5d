"""The bank: each of 60 bugs is found and shrunk to its smallest case, and the nets without them pass."""

from __future__ import annotations

import pytest

from layerblocks.testing import CheckError, check_net

from ..helpers import NIGHTLY
from .bank import PAIRS

SEEDS = range(20)  # of all: an hour
QUICK = pytest.mark.sweep_but("decoder_that_does_not_crop", "flattened_before_the_pool")
SHAPES, NUMBERS = 20, 2  # examples for each seed of a right net


def found(name, seed):
    with pytest.raises(CheckError) as caught:
        PAIRS[name].tried(bug=True, max_examples=100, seed=seed)
    assert caught.value.report.smallest == PAIRS[name].smallest, f"seed {seed}"


def passes(name, seed):
    pair = PAIRS[name]
    number = SHAPES if pair.check is check_net else NUMBERS
    assert pair.tried(bug=False, max_examples=number, seed=seed).accepted, f"seed {seed}"


def test_there_are_sixty():
    assert len(PAIRS) == 60


@QUICK
@pytest.mark.parametrize("name", PAIRS)
def test_a_wrong_net_is_found_and_a_right_one_passes(name):
    found(name, 0)
    passes(name, 0)


@pytest.mark.sweep
@pytest.mark.parametrize("name", PAIRS if NIGHTLY else ())
def test_a_wrong_net_is_found_with_each_seed(name):
    for seed in SEEDS:
        found(name, seed)


@pytest.mark.sweep
@pytest.mark.parametrize("name", PAIRS if NIGHTLY else ())
def test_a_right_net_passes_with_each_seed(name):
    for seed in SEEDS:
        passes(name, seed)
