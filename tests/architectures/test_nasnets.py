"""NASNet-A: what its paper counts, its cells, its pools with zeros, bad input."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from layerblocks.architectures import build
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.architectures.nasnets import NORMAL, REDUCTION, nasnet
from layerblocks.blocks import weightless
from layerblocks.models.feature_maps import strided_maps

from ..agreement import made

TINY: dict[str, Any] = {"cells": 2, "filters": 4, "stem_filters": 3, "classes": 7, "input_shape": (63, 50, 3)}


def test_published_counts():
    """Table 2 and table 3 of the paper: 88.9 and 5.3 million parameters, 23.8 billion and 564 million multiply-adds."""
    large, mobile = ENTRIES["nasnet_large"], ENTRIES["nasnet_mobile"]
    assert (round(large.parameters / 1e6, 1), round(large.multiply_adds / 1e9, 1)) == (88.9, 23.8)
    assert (round(mobile.parameters / 1e6, 1), round(mobile.multiply_adds / 1e6)) == (5.3, 564)


def test_channels_that_the_paper_counts():
    """(N @ P): P is what comes out of the last cell."""
    assert made(nasnet, **TINY, include_top=False).output_shape == (None, 2, 2, 4 * 24)


def test_every_cell_has_five_sums_of_what_is_there():
    for cell in (NORMAL, REDUCTION):
        assert len(cell.pairs) == 5
        for number, pair in enumerate(cell.pairs):
            assert max(pair.of_left, pair.of_right) < number + 2
        used = {place for pair in cell.pairs for place in (pair.of_left, pair.of_right)}
        assert {*range(2, 7)} - used <= {*cell.joined}


@pytest.mark.parametrize("skips", [True, False])
def test_what_the_first_cell_after_a_reduction_sees(skips):
    """Of twice the sides, which it halves: what the reduction saw, or what that saw before."""
    model = made(nasnet, **TINY, skips_reduction=skips, include_top=False)
    given = model.get_layer("cell3.previous.activation").input
    before = "cell1" if skips else "cell2"
    assert given is model.get_layer(f"{before}.concat").output


def test_maps_by_stride():
    """Every cell sees the two before it, so that no map before the last is on every way."""
    shapes = {stride: tensor.shape[1:3] for stride, tensor in strided_maps(made(nasnet, **TINY).output).items()}
    assert shapes == {32: (2, 2)}


@pytest.mark.parametrize(("side", "margins"), [(64, (1, 1)), (66, (0, 1))])
def test_zeros_in_pools(side, margins):
    """On the side that Keras has them on, which is both where it is odd."""
    model = made(nasnet, **{**TINY, "input_shape": (side, side, 3)}, dialect="keras")
    pad = model.get_layer("stem1.sum2.left_pad")
    assert isinstance(pad, keras.layers.ZeroPadding2D) and pad.padding == (margins, margins)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cells": 0}, "nasnet: cells must be a positive integer, got 0"),
        ({"filters": 42}, "nasnet: filters must be a multiple of 4, got 42"),
        ({"stem_filters": 0}, "nasnet: stem_filters must be a positive integer"),
        ({"skips_reduction": 3}, "nasnet: skips_reduction must be True or False"),
        ({"zeros_in_pools": "yes"}, "nasnet: zeros_in_pools must be True or False"),
        ({"dropout": 3}, "dropout must be a number from 0"),
        ({"dialect": "keras", "input_shape": (None, None, 3)}, "nasnet: input_shape must be a known height and width"),
        ({"input_shape": (2, 9, 3)}, "nasnet: input_shape must be at least 3×3, got 2×9"),
    ],
)
def test_bad_input(options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said):
        nasnet(**{**TINY, **options})


def test_a_variant_that_is_not_there():
    with pytest.raises(ValueError, match=r"did you mean 'nasnet_(large|mobile)'"):
        build("nasnet_moblie")
