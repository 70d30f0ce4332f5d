"""ResNeSt, Res2Net, RepVGG, GhostNet, DarkNet, CSPNet: counts of the modules of timm, tables, bad arguments."""

from __future__ import annotations

import math

import pytest

from layerblocks.architectures import build
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.architectures.cspnets import cspnet
from layerblocks.architectures.darknets import darknet
from layerblocks.architectures.ghostnets import ghostnet
from layerblocks.architectures.repvggs import repvgg
from layerblocks.blocks import weightless
from layerblocks.graphs import read_graph

from ..agreement import made

# Trainable parameters, and all of them with the running statistics, as the modules of timm 1.0 have them.
COUNTS = {
    "resnest50": (27_483_240, 27_547_816),
    "resnest101": (48_275_016, 48_405_128),
    "res2net50": (25_699_120, 25_758_612),
    "repvgg_a0": (9_108_968, 9_132_616),
    "repvgg_a1": (14_092_264, 14_122_088),
    "repvgg_a2": (28_210_600, 28_253_160),
    "repvgg_b0": (15_817_960, 15_853_160),
    "repvgg_b1": (57_415_016, 57_483_112),
    "ghostnet_1_0": (5_182_508, 5_204_476),
    "darknet53": (41_609_928, 41_645_640),
    "cspdarknet53": (27_642_184, 27_677_512),
    "cspresnet50": (21_616_168, 21_656_488),
    "cspresnext50": (20_569_896, 20_627_368),
}
# Weights without norms in millions and operations at 256×256 in billions, as CSPNet's authors count them, and what a
# pixel of the first stage, of 64×64, has more than theirs: 64→256 and 128→64 (128) for 64→128, 64→64, 64→64 (128).
OF_CSPNET = {
    "cspresnet50": (21.57, 8.97, 64 * 256 + 128 * 64 - 64 * (128 + 64 + 64)),
    "cspresnext50": (20.50, 7.93, 64 * 256 + 128 * 128 - 64 * (128 + 64 + 128)),
}
# Table 6 of the paper of GhostNet, in millions of multiply-adds; table 4 of that of RepVGG has the plain form's.
WORK = {"ghostnet_1_0": 141}


def test_counts_are_those_of_timm():
    assert {name: (ENTRIES[name].trainable_parameters, ENTRIES[name].parameters) for name in COUNTS} == COUNTS
    assert {name: round(ENTRIES[name].multiply_adds / 1e6) for name in WORK} == WORK


def test_the_first_block_of_a_stage_keeps_its_parts_apart():
    with weightless():
        model = build("res2net50", input_shape=(32, 32, 3), include_top=False)
    names = {layer.name for layer in model.layers}
    assert {"stage1.block1.conv2.pool", "stage2.block1.conv2.pool", "stage1.block2.conv2.add2"} <= names
    assert not {"stage1.block1.conv2.add2", "stage1.block2.conv2.pool", "stage1.block1.conv2.conv4.conv"} & names
    assert model.get_layer("stage3.block2.conv2.conv1.conv").filters == 4 * 26


def test_splits_and_means_of_resnest():
    with weightless():
        model = build("resnest50", input_shape=(64, 64, 3), include_top=False)
    conv = model.get_layer("stage2.block1.conv2.conv.conv")
    assert (conv.filters, conv.groups, conv.strides) == (2 * 128, 2, (1, 1))
    names = {layer.name for layer in model.layers}
    assert "stage2.block1.conv2.downsample" in names and "stage1.block1.conv2.downsample" not in names
    assert model.get_layer("stage1.block1.conv2.reduce.conv").filters == 32


def test_half_of_the_channels_goes_past_a_stage():
    options = {"repeats": (1, 2), "filters": (8, 16), "include_top": False, "input_shape": (16, 12, 3)}
    model = made(darknet, **options, cross_stage=True)
    assert model.output_shape == (None, 4, 3, 16)
    assert model.get_layer("stage1.concat").output.shape == (None, 8, 6, 16)
    assert model.get_layer("stage2.concat").output.shape == (None, 4, 3, 16)
    slopes = {
        dialect: made(darknet, **options, dialect=dialect).get_layer("stem.activation").negative_slope
        for dialect in ("paper", "timm")
    }
    assert slopes == {"paper": 0.1, "timm": 0.01}


@pytest.mark.parametrize("name", OF_CSPNET)
def test_counts_are_those_of_the_authors_of_cspnet(name):
    millions, billions, more = OF_CSPNET[name]
    with weightless():
        model = build(name, input_shape=(256, 256, 3))
    weights = sum(math.prod(variable.shape) for variable in model.trainable_variables if "kernel" in variable.name)
    assert round((weights - more) / 1e6, 2) == millions
    assert round(2 * (read_graph(model).multiply_adds - 64 * 64 * more) / 1e9, 2) == billions


def test_the_stages_of_cspnet_begin_as_the_authors_have_it():
    """Between the first and the last without an activation; timm's all."""
    options = {"repeats": (1, 1, 1), "filters": (8, 16, 24), "groups": 2, "include_top": False}
    for dialect, linear in (("paper", [False, True, False]), ("timm", [True, True, True])):
        model = made(cspnet, **options, input_shape=(64, 48, 3), dialect=dialect)
        names = {layer.name for layer in model.layers}
        assert [f"stage{number}.expand.activation" not in names for number in (1, 2, 3)] == linear
    assert model.output_shape == (None, 4, 3, 24)
    assert "stage1.downsample.conv" not in names and model.get_layer("stage2.downsample.conv").groups == 2
    assert model.get_layer("stage2.concat").output.shape == (None, 8, 6, 32)


@pytest.mark.parametrize(
    ("net", "options", "said"),
    [
        (repvgg, {"repeats": (1, 2)}, r"repvgg: repeats must be .*4 .*got \(1, 2\)"),
        (repvgg, {"filters": (8, 0), "repeats": (1, 1)}, r"repvgg: filters\[1\] must be a positive integer, got 0"),
        (ghostnet, {"stages": ()}, "ghostnet: stages must be one stage at least"),
        (ghostnet, {"stages": (((3, 16, 16, False),),)}, r"ghostnet: stages\[0\]\[0\] must be a sequence of 5 "),
        (ghostnet, {"stages": (((3, 15, 16, False, 1),),)}, "ratio must be a divisor of filters=15, got 2"),
        (darknet, {"filters": (9,), "repeats": (1,)}, "darknet: filters must be even, got 9"),
        (cspnet, {"filters": (8, 0), "repeats": (1, 1)}, r"cspnet: filters\[1\] must be .*, got 0"),
        (cspnet, {"filters": (8,)}, r"cspnet: repeats must be 1 integers"),
        (cspnet, {"filters": (9,), "repeats": (1,), "expansion": 1}, "cspnet: expansion must be .*even.* of 9, got 1"),
        (cspnet, {"expansion": 0}, "cspnet: expansion must be"),
        (cspnet, {"groups": 5}, "groups must be"),
        (cspnet, {"reduction": 3}, "reduction must be a divisor of filters=128, got 3"),
        (cspnet, {"activated_ends": 3}, "cspnet: activated_ends must be"),
        (darknet, {"cross_stage": 3}, "darknet: cross_stage must be"),
    ],
)
def test_arguments_out_of_range(net, options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said) as caught:
        net(**options)
    assert "\n" not in str(caught.value)
