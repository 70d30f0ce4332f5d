"""The bank: each of 60 bugs is found and shrunk to its smallest case, and the nets without them pass."""

from __future__ import annotations

import pytest

from layerblocks.testing import CheckError, check_net

from ..helpers import NIGHTLY
from .bank import PAIRS

SEEDS = range(20) if NIGHTLY else (0,)  # of all: an hour
SHAPES, NUMBERS = 20, 2  # examples for each seed of a right net


def test_there_are_sixty():
    assert len(PAIRS) == 60


@pytest.mark.sweep_but("decoder_that_does_not_crop", "flattened_before_the_pool")
@pytest.mark.parametrize("name", PAIRS)
def test_a_wrong_net_is_found_and_a_right_one_passes(name):
    pair = PAIRS[name]
    for seed in SEEDS:
        with pytest.raises(CheckError) as caught:
            pair.tried(bug=True, max_examples=100, seed=seed)
        assert caught.value.report.smallest == pair.smallest, f"seed {seed}"
        number = SHAPES if pair.check is check_net else NUMBERS
        assert pair.tried(bug=False, max_examples=number, seed=seed).accepted, f"seed {seed}"
