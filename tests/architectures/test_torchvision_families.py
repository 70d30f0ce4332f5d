"""RegNet, MnasNet, ShuffleNetV2, SqueezeNet and what else torchvision has: tables, counts, arguments out of range."""

from __future__ import annotations

import math

import keras
import pytest

from layerblocks.architectures import build
from layerblocks.architectures.catalogue import ENTRIES, constructor
from layerblocks.architectures.mnasnets import mnasnet
from layerblocks.architectures.regnets import REGNET_X, REGNET_Y, regnet
from layerblocks.architectures.shufflenets import shufflenet_v2
from layerblocks.architectures.squeezenets import squeezenet
from layerblocks.blocks import bottleneck, squeeze_excite, weightless

from .test_weights_torchvision import published

SHAPES = published("torchvision")
OF_TORCHVISION = sorted({*SHAPES} & {*ENTRIES} - {"googlenet", "inception_v3"})


def test_counts_are_those_of_torchvision():
    """Of the tensors that its modules have, running statistics aside; AlexNet's paper has groups and biases besides.

    The filters in the middle of R(2+1)D are of each convolution in its paper, of each block in torchvision. The biases
    of Swin V2's keys are zeros there, too, which count and never learn.
    """
    assert len(OF_TORCHVISION) > 55
    for name in OF_TORCHVISION:
        if name not in ("alexnet", "r2plus1d_18"):
            trained = {key: shape for key, shape in SHAPES[name].items() if "running_" not in key}
            entry = ENTRIES[name]
            count = entry.parameters if name.startswith("swin_v2") else entry.trainable_parameters
            assert sum(map(math.prod, trained.values())) == count, name


# Depth, w_0, w_a, w_m of table 4 of the RegNet paper's appendix and of the authors' configurations.
LINES = {
    "x_400mf": (22, 24, 24.48, 2.54),
    "x_800mf": (16, 56, 35.73, 2.28),
    "x_1_6gf": (18, 80, 34.01, 2.25),
    "x_3_2gf": (25, 88, 26.31, 2.25),
    "x_8gf": (23, 80, 49.56, 2.88),
    "x_16gf": (22, 216, 55.59, 2.1),
    "x_32gf": (23, 320, 69.86, 2.0),
    "y_400mf": (16, 48, 27.89, 2.09),
    "y_800mf": (14, 56, 38.84, 2.4),
    "y_1_6gf": (27, 48, 20.71, 2.65),
    "y_3_2gf": (21, 80, 42.63, 2.66),
    "y_8gf": (17, 192, 76.82, 2.19),
    "y_16gf": (18, 200, 106.23, 2.48),
    "y_32gf": (20, 232, 115.89, 2.53),
}


@pytest.mark.parametrize("size", LINES)
def test_widths_are_on_the_line_of_the_paper(size):
    """Equations 2 to 4: widths grow in a line, are rounded to powers of w_m, then to 8, then to whole groups."""
    depth, w_0, w_a, w_m = LINES[size]
    stages, group = (REGNET_X if size[0] == "x" else REGNET_Y)[size[2:]]
    widths = []
    for block in range(depth):
        power = round(math.log((w_0 + w_a * block) / w_0) / math.log(w_m))
        widths.append(round(w_0 * w_m**power / 8) * 8)
    found = []
    for width in dict.fromkeys(widths):
        own = min(group, width)
        rounded = max(own, int(width + own / 2) // own * own)
        found.append((widths.count(width), rounded if rounded >= 0.9 * width else rounded + own))
    assert tuple(found) == stages


def test_squeeze_and_excite_stands_before_the_last_convolution():
    with weightless():
        model = keras.Model(x := keras.Input((8, 8, 16)), bottleneck(x, 16, inner=[squeeze_excite], name="r"))
        wide = build("regnet_y_400mf", include_top=False)
    names = [layer.name for layer in model.layers]
    assert names.index("r.conv2.activation") < names.index("r.squeeze_excite.scale") < names.index("r.conv3.conv")
    # A quarter of what enters the block, not of what it is wide (torchvision, pycls).
    narrow = [wide.get_layer(f"stage2.block{n}.squeeze_excite.reduce.conv").filters for n in (1, 2)]
    assert narrow == [48 // 4, 104 // 4]


def test_the_resolution_is_kept_by_dilation():
    small = {"stages": ((1, 16), (1, 32), (1, 48), (1, 64)), "input_shape": (64, 64, 3)}
    with weightless():
        model = regnet(output_stride=16, include_top=False, **small)
        usual = regnet(include_top=False, **small)
    assert model.output_shape == (None, 4, 4, 64) and usual.output_shape == (None, 2, 2, 64)
    assert model.count_params() == usual.count_params()


def test_half_of_the_channels_passes_a_shuffle_block():
    with weightless():
        model = build("shufflenet_v2_x0_5", input_shape=(32, 32, 3))
    assert model.get_layer("stage1.block2.conv1.conv").input.shape[-1] == 24
    assert [model.get_layer(f"stage{n}.block1.concat").output.shape[-1] for n in (1, 2, 3)] == [48, 96, 192]


@pytest.mark.parametrize(
    "made, options, message",
    [
        (regnet, {"stages": ()}, "regnet: stages must be one stage at least"),
        (regnet, {"stages": ((1, 2, 3),)}, r"regnet: stages\[0\] must be (a sequence of )?2 integers"),
        (regnet, {"stages": ((0, 32),)}, r"regnet: stages\[0\]\[0\] must be a positive integer, got 0"),
        (regnet, {"se_ratio": -1.0}, "regnet: se_ratio must be"),
        (
            regnet,
            {"stages": ((1, 40),), "group_width": 16},
            "regnet: group_width must be a divisor of the width of every stage, such as 40, got 16",
        ),
        (regnet, {"output_stride": 5}, "regnet: output_stride must be one of"),
        (mnasnet, {"alpha": 0}, "mnasnet: alpha must be a positive number"),
        (shufflenet_v2, {"filters": (48, 96, 192)}, "shufflenet_v2: filters must be (a sequence of )?4 integers"),
        (shufflenet_v2, {"filters": (47, 96, 192, 1024)}, "filters must be even"),
        (squeezenet, {"modules": ((16,),)}, r"squeezenet: modules\[0\] must be (a sequence of )?2 integers"),
        (squeezenet, {"modules": 3}, "squeezenet: modules must be"),
        (squeezenet, {"input_shape": (20, 20, 3)}, "squeezenet: input_shape must be at least 21×21, got 20×20"),
    ],
)
def test_arguments_out_of_range(made, options, message):
    with weightless(), pytest.raises((ValueError, TypeError), match=message) as caught:
        made(**options)
    assert "\n" not in str(caught.value)


def test_nobody_says_to_have_what_torchvision_lacks():
    assert "torchvision" not in constructor("efficientnet_v2_b0").dialects
    assert all("torchvision" in constructor(name).dialects for name in OF_TORCHVISION)
