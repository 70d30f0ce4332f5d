"""The published networks as data, a line each: nothing here imports Keras, so that listing them is instant.

A new network is a constructor in the file of its family and its line here.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import checks


@dataclass(frozen=True)
class Entry:
    """A network by name: the module of its constructor, its source, and its size at the default arguments.

    Args:
        trainable_parameters: those that a training changes, auxiliary heads included; what papers count.
        parameters: these and what no training changes, as `count_params` has them: running statistics of norms, the
            fixed codes of LeNet-5, the fixed enlargements of FCN.
    """

    name: str
    module: str
    title: str
    paper: str
    trainable_parameters: int
    parameters: int
    multiply_adds: int

    @property
    def source(self) -> str:
        """Whose network it is, a key of `SOURCES`; where that is not the paper, `paper` is what it comes from."""
        return next((source for source, names in NOT_IN_A_PAPER.items() if self.name in names), "paper")

    @property
    def deviations(self) -> tuple[str, ...]:
        """What the default network does otherwise than its source, or where the source is silent."""
        return DEVIATIONS.get(self.name, DEVIATIONS.get(self.module, ()))

    @property
    def year(self) -> int:
        return int(re.findall(r"\d{4}", self.paper)[-1])


_LECUN = "LeCun et al. 1998"
_KRIZHEVSKY = "Krizhevsky et al. 2012"
_ZEILER = "Zeiler and Fergus 2014"
_SZEGEDY = "Szegedy et al. 2015"
_SZEGEDY_BN = "after Szegedy et al. 2015"
_SZEGEDY_V3 = "Szegedy et al. 2016"
_VGG = "Simonyan and Zisserman 2015"
_VGG_BN = "after Simonyan and Zisserman 2015"
_HE = "He et al. 2016"
_HE_V2 = "He et al. 2016b"
_AFTER_HE_V2 = "after He et al. 2016b"
_HU = "Hu et al. 2018"
_HE_D = "He et al. 2019"
_HE_D_LATER = "after He et al. 2019"
_WANG = "Wang et al. 2020"
_WANG_LATER = "after Wang et al. 2020"
_ZHANG = "Zhang et al. 2020"
_DING = "Ding et al. 2021"
_WANG_CSP = "Wang et al. 2020b"
_HAN = "Han et al. 2020"
_REDMON = "Redmon and Farhadi 2018"
_BOCHKOVSKIY = "Bochkovskiy et al. 2020"
_GAO = "Gao et al. 2021"
_HUANG = "Huang et al. 2017"
_CHOLLET = "Chollet 2017"
_HOWARD = "Howard et al. 2017"
_SANDLER = "Sandler et al. 2018"
_TAN = "Tan and Le 2019"
_TAN_V2 = "Tan and Le 2021"
_XIE = "Xie et al. 2017"
_XIE_LATER = "after Xie et al. 2017"
_ZAGORUYKO = "Zagoruyko and Komodakis 2016"
_ZAGORUYKO_LATER = "after Zagoruyko and Komodakis 2016"
_RADOSAVOVIC = "Radosavovic et al. 2020"
_TAN_MNAS = "Tan et al. 2019"
_TAN_MNAS_LATER = "after Tan et al. 2019"
_MA = "Ma et al. 2018"
_IANDOLA = "Iandola et al. 2016"
_IANDOLA_LATER = "after Iandola et al. 2016"
_HOWARD_V3 = "Howard et al. 2019"
_SZEGEDY_V4 = "Szegedy et al. 2017"
_ZOPH = "Zoph et al. 2018"
_LIU = "Liu et al. 2022"
_WOO = "Woo et al. 2023"
_DOSOVITSKIY = "Dosovitskiy et al. 2021"
_LIU_SWIN = "Liu et al. 2021"
_LIU_SWIN_V2 = "Liu et al. 2022b"
_TOLSTIKHIN = "Tolstikhin et al. 2021"
_TROCKMAN = "Trockman and Kolter 2022"
_LONG = "Long et al. 2015"
_RONNEBERGER = "Ronneberger et al. 2015"
_TRAN = "Tran et al. 2018"
_OKTAY = "Oktay et al. 2018"
_ZHANG_RESUNET = "Zhang et al. 2018"
_MILLETARI = "Milletari et al. 2016"
_ZHOU = "Zhou et al. 2020"
_BADRINARAYANAN = "Badrinarayanan et al. 2017"
_CHAURASIA = "Chaurasia and Culurciello 2017"
_ZHAO = "Zhao et al. 2017"
_CHEN_PLUS = "Chen et al. 2018"
_KIRILLOV = "Kirillov et al. 2019"
_JEGOU = "Jégou et al. 2017"
_WANG = "Wang et al. 2020"
_LONG_LATER = "after Long et al. 2015"
_CHEN_LATER = "after Chen et al. 2017"
_HOWARD_V3_LATER = "after Howard et al. 2019"
_OORD = "van den Oord et al. 2016"
_BAI = "Bai et al. 2018"
_LAWHERN = "Lawhern et al. 2018"
_DONG = "Dong et al. 2016"
_SHI = "Shi et al. 2016"
_LIM = "Lim et al. 2017"
_RADFORD_LATER = "after Radford et al. 2016"
_ISOLA = "Isola et al. 2017"

SOURCES = {
    "paper": "in the paper",
    "keras": "not in the paper: of keras.applications",
    "torchvision": "not in the paper: of torchvision",
    "timm": "not in the paper: of timm",
    "pytorch": "not in the paper: of PyTorch's examples",
    "ours": "not in the paper: ours",
}

_OF_TORCHVISION = (
    *("resnext101_32x8d", "wide_resnet101_2", "mnasnet0_5", "mnasnet0_75", "mnasnet1_3", "squeezenet1_1"),
)
NOT_IN_A_PAPER = {
    "keras": ("resnet50_v2", "resnet101_v2"),
    "torchvision": (
        *("googlenet_torchvision", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn", *_OF_TORCHVISION),
        *("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"),
        *("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"),
    ),
    "timm": ("resnet101d", "resnet152d", "resnet200d", "eca_resnet50d", "eca_resnet101d"),
    "pytorch": ("dcgan_generator", "dcgan_discriminator"),
    "ours": ("googlenet_bn", "vgg11_lrn_bn", "vgg16c_bn", "resnet18_v2", "resnet34_v2"),
}

# By name or by module.
_NORM_DECAY = "running statistics decay by 0.99 a step, by {} in the authors' code"
DEVIATIONS: dict[str, tuple[str, ...]] = {
    "lenets": (
        "the ten bitmaps of the output are drawn after figure 3; the paper has 96 characters",
        "trained by the softmax of the distances (eq. 9 without its constant)",
    ),
    "googlenets": ("the paper names no initialiser; Keras's are used",),
    "googlenet_torchvision": (),
    "inceptions_v3": (
        _NORM_DECAY.format(0.9997),
        "the paper names no initialiser; Keras's are used",
    ),
    "vggs": ("Glorot's initialiser, which section 3.1 found to do without pre-training; not N(0, 0.1)",),
    "xceptions": ("the paper names no initialiser; Keras's are used",),
    "mobilenet": (
        _NORM_DECAY.format(0.9997),
        "initialiser of the authors' code, N(0, 0.09) cut off at two deviations; the paper names none",
    ),
    "mobilenet_v2": (
        _NORM_DECAY.format(0.997),
        "initialiser of the authors' code, N(0, 0.09) cut off at two deviations; the paper names none",
    ),
    "mnasnets": ("He's initialiser by the fan-out; the paper names none",),
    "shufflenets": ("the paper names no initialiser; Keras's are used",),
    "squeezenets": ("the first convolution has no padding: it makes 109 of 224 pixels, 111 in table 1 of the paper",),
    "squeezenet1_1": (),
    "ghostnets": ("He's initialiser; the paper names none", "dropout of 0.2, as in the authors' code"),
    "cspnets": (
        "both halves of the first stage have as many channels, as in timm; in the authors' configurations the blocks "
        "have half as many at first",
        "the paper names no initialiser; Keras's are used",
    ),
    "darknets": ("the paper names no initialiser; Keras's are used",),
    "efficientnets": ("initialisers of the authors' code; the papers name none",),
    "convnexts": ("initialisers of the authors' code; the paper names none",),
    **dict.fromkeys(
        (f"convnext_v2_{name}" for name in ("atto", "femto", "pico", "nano", "tiny", "base", "large", "huge")),
        (
            "no stochastic depth, as in its pre-training; in its fine-tuning 0.1, of T 0.2",
            "initialisers of the authors' code; the paper names none",
        ),
    ),
    "vits": (
        "one dense layer after the class token, as in the fine-tuning of the paper; two in its pre-training",
        "the paper names no initialiser; Keras's are used",
    ),
    "swins": ("initialisers of the authors' code; the paper names none",),
    "mixers": ("the paper names no initialiser; Keras's are used",),
    "convmixers": ("the paper names no initialiser; Keras's are used",),
    "mobilenets_v3": ("initialiser of the authors' code, N(0, 0.09) cut off at two deviations; the paper names none",),
    "inception_resnets": (
        "stem, widths and factors of the authors' code; figures 3 and 15 to 19 of the paper have others",
        _NORM_DECAY.format(0.9997),
        "the paper names no initialiser; Keras's are used",
    ),
    "inceptions_v4": (
        _NORM_DECAY.format(0.9997),
        "the paper names no initialiser; Keras's are used",
    ),
    **dict.fromkeys(
        ("deeplabv3_resnet50", "deeplabv3_resnet101"),
        (
            "output stride 8 and rates 12, 24, 36; the paper trains at 16, with rates 6, 12, 18",
            "a 3×3 convolution before the scores and an auxiliary head, which the paper has not",
            "no multi-grid: the blocks of the last stage have one rate; in the paper 1, 2 and 4 times as much",
        ),
    ),
    "deeplabv3_mobilenet_v3_large": (
        "the block that gives up its stride is dilated itself, which weights of the strided network do not expect",
    ),
    "lraspp_mobilenet_v3_large": (
        "a mean over the whole map; over 49×49 windows in the paper",
        "the block that gives up its stride is dilated itself, which weights of the strided network do not expect",
    ),
    "attention_unet": (
        "of images, 64 to 1,024 filters, gates of the size of the skips with norms, as in the usual PyTorch code",
        "the paper has volumes, 16 to 256 filters and gates as in figure 2 (dialect 'paper'), and four outputs",
    ),
    "resunet": (
        "linear 1×1 convolutions where a shortcut changes its shape, without which there are the paper's 7.8 million",
        "the nearest pixel enlarges, of which the paper says nothing; initial values are He's",
    ),
    "vnet": ("the paper names no initialiser; He's are used",),
    "linknets": ("the paper names no initialiser; those of PyTorch are used",),
    **dict.fromkeys(
        ("pspnet_resnet50", "pspnet_resnet101"),
        ("a 7×7 convolution in the stem, three 3×3 in the authors' code", "logits, as torchvision's networks"),
    ),
    "deeplab_v3_plus_resnet101": (
        "no multi-grid: the blocks of the last stage have one rate; in the paper 1, 2 and 4 times as much",
    ),
    "fc_densenet56": ("1.4 million parameters, running statistics among them; the paper's table says 1.5",),
    "hrnets": ("initialiser of the authors' code; the paper names none",),
    "unet_plus_plus": ("no dropout; 0.5 after each convolution in the authors' code",),
    "videos": ("the paper names no initialiser; He's are used",),
    "r2plus1d_18": (
        "45 filters between the two convolutions of the stem, as in the authors' code; 83 by section 3.5",
        "the paper names no initialiser; He's are used",
    ),
    "wavenets": (
        "numbers of filters of the program tensorflow-wavenet; the paper names none, and no initialiser",
        "no residual convolution in the last layer, which nothing would follow",
    ),
    "tcns": ("Keras's initialiser, and kernels of length 1 at first; N(0, 0.0001) in the authors' code",),
    "eegnets": ("the paper names no initialiser; Keras's are used",),
    "srcnn": ("convolutions without padding, as in training; for use the authors' program fills up the border",),
    "espcn": ("the paper names no initialiser; Keras's are used",),
    "edsrs": (
        "the mean colour is not subtracted and added by fixed layers, as in the authors' code",
        "the paper names no initialiser; Keras's are used",
    ),
    "dcgans": ("half as many filters as in figure 1 of the paper, and kernels of 4×4",),
    "pix2pix_generator": (
        "no norm after the innermost convolution, as in the authors' errata",
        "no noise but dropout where images are made: `training=True`",
    ),
    "nasnets": (
        "no auxiliary classifier and no ScheduledDropPath",
        _NORM_DECAY.format(0.9997),
        "initialiser and dropout of the authors' code; the paper names none",
    ),
    **dict.fromkeys(
        (f"efficientnet_v2_{name}" for name in ("b0", "b1", "b2", "b3", *"sml")),
        (
            "running statistics decay by 0.9 a step, as in the authors' code; by 0.99 in the paper",
            "initialisers of the authors' code; the paper names none",
        ),
    ),
}

ENTRIES = {
    entry.name: entry
    for entry in (
        Entry("lenet5", "lenets", "LeNet-5", _LECUN, 60_000, 60_840, 328_096),
        Entry("alexnet", "alexnets", "AlexNet", _KRIZHEVSKY, 60_965_224, 60_965_224, 724_406_816),
        Entry("zfnet", "alexnets", "ZFNet", _ZEILER, 62_357_608, 62_357_608, 1_168_032_896),
        Entry("googlenet", "googlenets", "GoogLeNet", _SZEGEDY, 13_378_280, 13_378_280, 1_591_044_096),
        Entry(
            "googlenet_bn", "googlenets", "GoogLeNet with BatchNorm", _SZEGEDY_BN, 13_385_816, 13_400_888, 1_591_044_096
        ),
        Entry(
            "googlenet_torchvision",
            "googlenets",
            "GoogLeNet of torchvision",
            _SZEGEDY_BN,
            13_004_888,
            13_019_960,
            1_506_748_416,
        ),
        Entry("inception_v3", "inceptions_v3", "Inception-v3", _SZEGEDY_V3, 27_143_152, 27_179_376, 5_718_899_296),
        Entry("vgg11", "vggs", "VGG-11 (A)", _VGG, 132_863_336, 132_863_336, 7_609_090_048),
        Entry("vgg11_lrn", "vggs", "VGG-11 (A-LRN)", _VGG, 132_863_336, 132_863_336, 7_609_090_048),
        Entry("vgg13", "vggs", "VGG-13 (B)", _VGG, 133_047_848, 133_047_848, 11_308_466_176),
        Entry("vgg16c", "vggs", "VGG-16 (C)", _VGG, 133_638_952, 133_638_952, 11_770_888_192),
        Entry("vgg16", "vggs", "VGG-16 (D)", _VGG, 138_357_544, 138_357_544, 15_470_264_320),
        Entry("vgg19", "vggs", "VGG-19 (E)", _VGG, 143_667_240, 143_667_240, 19_632_062_464),
        Entry("vgg11_bn", "vggs", "VGG-11 (A) with BatchNorm", _VGG_BN, 132_868_840, 132_874_344, 7_609_090_048),
        Entry(
            "vgg11_lrn_bn", "vggs", "VGG-11 (A-LRN) with BatchNorm", _VGG_BN, 132_868_840, 132_874_344, 7_609_090_048
        ),
        Entry("vgg13_bn", "vggs", "VGG-13 (B) with BatchNorm", _VGG_BN, 133_053_736, 133_059_624, 11_308_466_176),
        Entry("vgg16c_bn", "vggs", "VGG-16 (C) with BatchNorm", _VGG_BN, 133_647_400, 133_655_848, 11_770_888_192),
        Entry("vgg16_bn", "vggs", "VGG-16 (D) with BatchNorm", _VGG_BN, 138_365_992, 138_374_440, 15_470_264_320),
        Entry("vgg19_bn", "vggs", "VGG-19 (E) with BatchNorm", _VGG_BN, 143_678_248, 143_689_256, 19_632_062_464),
        Entry("resnet18", "resnets", "ResNet-18", _HE, 11_689_512, 11_699_112, 1_814_073_344),
        Entry("resnet34", "resnets", "ResNet-34", _HE, 21_797_672, 21_814_696, 3_663_761_408),
        Entry("resnet50", "resnets", "ResNet-50", _HE, 25_557_032, 25_610_152, 3_857_973_248),
        Entry("resnet101", "resnets", "ResNet-101", _HE, 44_549_160, 44_654_504, 7_570_194_432),
        Entry("resnet152", "resnets", "ResNet-152", _HE, 60_192_808, 60_344_232, 11_282_415_616),
        Entry("resnext50_32x4d", "resnets", "ResNeXt-50 32×4d", _XIE, 25_028_904, 25_097_128, 4_230_479_872),
        Entry("resnext101_32x8d", "resnets", "ResNeXt-101 32×8d", _XIE_LATER, 88_791_336, 88_994_216, 16_414_015_488),
        Entry("resnext101_64x4d", "resnets", "ResNeXt-101 64×4d", _XIE, 83_455_272, 83_658_152, 15_460_270_080),
        Entry("wide_resnet50_2", "resnets", "Wide ResNet-50-2", _ZAGORUYKO, 68_883_240, 68_951_464, 11_398_021_120),
        Entry(
            "wide_resnet101_2",
            "resnets",
            "Wide ResNet-101-2",
            _ZAGORUYKO_LATER,
            126_886_696,
            127_024_552,
            22_753_050_624,
        ),
        Entry("resnet18_v2", "resnets", "ResNet-18 v2", _AFTER_HE_V2, 11_687_720, 11_695_528, 1_814_073_344),
        Entry("resnet34_v2", "resnets", "ResNet-34 v2", _AFTER_HE_V2, 21_795_880, 21_811_112, 3_663_761_408),
        Entry("resnet50_v2", "resnets", "ResNet-50 v2", _AFTER_HE_V2, 25_549_352, 25_594_792, 3_857_973_248),
        Entry("resnet101_v2", "resnets", "ResNet-101 v2", _AFTER_HE_V2, 44_541_480, 44_639_144, 7_570_194_432),
        Entry("resnet152_v2", "resnets", "ResNet-152 v2", _HE_V2, 60_185_128, 60_328_872, 11_282_415_616),
        Entry("cifar_resnet20", "resnets", "ResNet-20 for CIFAR", _HE, 269_722, 271_098, 40_551_040),
        Entry("cifar_resnet32", "resnets", "ResNet-32 for CIFAR", _HE, 464_154, 466_426, 68_862_592),
        Entry("cifar_resnet44", "resnets", "ResNet-44 for CIFAR", _HE, 658_586, 661_754, 97_174_144),
        Entry("cifar_resnet56", "resnets", "ResNet-56 for CIFAR", _HE, 853_018, 857_082, 125_485_696),
        Entry("cifar_resnet110", "resnets", "ResNet-110 for CIFAR", _HE, 1_727_962, 1_736_058, 252_887_680),
        Entry("cifar_resnet1202", "resnets", "ResNet-1202 for CIFAR", _HE, 19_421_274, 19_510_906, 2_829_238_912),
        Entry("cifar_resnet164_v2", "resnets", "ResNet-164 v2 for CIFAR", _HE_V2, 1_703_258, 1_727_482, 244_500_992),
        Entry("se_resnet50", "resnets", "SE-ResNet-50", _HU, 28_088_024, 28_141_144, 3_860_488_192),
        Entry("resnet50d", "resnets", "ResNet-50-D", _HE_D, 25_576_264, 25_629_512, 4_328_824_832),
        Entry("resnet101d", "resnets", "ResNet-101-D", _HE_D_LATER, 44_568_392, 44_673_864, 8_041_046_016),
        Entry("resnet152d", "resnets", "ResNet-152-D", _HE_D_LATER, 60_212_040, 60_363_592, 11_753_267_200),
        Entry("resnet200d", "resnets", "ResNet-200-D", _HE_D_LATER, 64_693_064, 64_869_192, 15_247_122_432),
        Entry("resnet200_v2", "resnets", "ResNet-200 v2", _HE_V2, 64_666_152, 64_834_472, 14_776_270_848),
        Entry("eca_resnet50", "resnets", "ECA-ResNet-50", _WANG, 25_557_118, 25_610_238, 4_089_272_064),
        Entry("eca_resnet50d", "resnets", "ECA-ResNet-50-D", _WANG_LATER, 25_576_350, 25_629_598, 4_328_912_640),
        Entry("eca_resnet101d", "resnets", "ECA-ResNet-101-D", _WANG_LATER, 44_568_563, 44_674_035, 8_041_220_864),
        Entry("resnest50", "resnests", "ResNeSt-50", _ZHANG, 27_483_240, 27_547_816, 5_371_160_576),
        Entry("resnest101", "resnests", "ResNeSt-101", _ZHANG, 48_275_016, 48_405_128, 10_200_565_760),
        Entry("res2net50", "res2nets", "Res2Net-50", _GAO, 25_699_120, 25_758_612, 4_255_166_464),
        Entry("res2net101", "res2nets", "Res2Net-101", _GAO, 45_206_688, 45_325_748, 8_066_974_464),
        Entry("repvgg_a0", "repvggs", "RepVGG-A0", _DING, 9_108_968, 9_132_616, 1_512_581_120),
        Entry("repvgg_a1", "repvggs", "RepVGG-A1", _DING, 14_092_264, 14_122_088, 2_626_488_320),
        Entry("repvgg_a2", "repvggs", "RepVGG-A2", _DING, 28_210_600, 28_253_160, 5_685_345_280),
        Entry("repvgg_b0", "repvggs", "RepVGG-B0", _DING, 15_817_960, 15_853_160, 3_397_191_680),
        Entry("repvgg_b1", "repvggs", "RepVGG-B1", _DING, 57_415_016, 57_483_112, 13_128_089_600),
        Entry("ghostnet_1_0", "ghostnets", "GhostNet", _HAN, 5_182_508, 5_204_476, 141_150_512),
        Entry("darknet53", "darknets", "DarkNet-53", _REDMON, 41_609_928, 41_645_640, 7_109_156_864),
        Entry("cspdarknet53", "darknets", "CSPDarkNet-53", _BOCHKOVSKIY, 27_642_184, 27_677_512, 5_002_567_680),
        Entry("cspresnet50", "cspnets", "CSPResNet-50", _WANG_CSP, 21_616_168, 21_656_488, 3_458_752_512),
        Entry("cspresnext50", "cspnets", "CSPResNeXt-50", _WANG_CSP, 20_569_896, 20_627_368, 3_074_424_832),
        Entry("densenet121", "densenets", "DenseNet-121", _HUANG, 7_978_856, 8_062_504, 2_834_161_664),
        Entry("densenet161", "densenets", "DenseNet-161", _HUANG, 28_681_000, 28_900_936, 7_727_907_072),
        Entry("densenet169", "densenets", "DenseNet-169", _HUANG, 14_149_480, 14_307_880, 3_359_843_328),
        Entry("densenet201", "densenets", "DenseNet-201", _HUANG, 20_013_928, 20_242_984, 4_291_365_888),
        Entry("densenet264", "densenets", "DenseNet-264", _HUANG, 33_337_704, 33_736_232, 5_751_653_376),
        Entry("cifar_densenet40", "densenets", "DenseNet L=40 for CIFAR", _HUANG, 1_019_722, 1_037_818, 264_812_928),
        Entry(
            "cifar_densenet_bc100", "densenets", "DenseNet-BC L=100 for CIFAR", _HUANG, 769_162, 793_150, 287_929_692
        ),
        Entry("xception", "xceptions", "Xception", _CHOLLET, 22_855_952, 22_910_480, 8_357_403_496),
        Entry("mobilenet", "mobilenets", "MobileNet", _HOWARD, 4_231_976, 4_253_864, 568_740_352),
        Entry("mobilenet_v2", "mobilenets", "MobileNetV2", _SANDLER, 3_504_872, 3_538_984, 300_774_272),
        Entry("efficientnet_b0", "efficientnets", "EfficientNet-B0", _TAN, 5_288_548, 5_330_564, 385_814_752),
        Entry("efficientnet_b1", "efficientnets", "EfficientNet-B1", _TAN, 7_794_184, 7_856_232, 686_802_832),
        Entry("efficientnet_b2", "efficientnets", "EfficientNet-B2", _TAN, 9_109_994, 9_177_562, 993_561_872),
        Entry("efficientnet_b3", "efficientnets", "EfficientNet-B3", _TAN, 12_233_232, 12_320_528, 1_827_141_392),
        Entry("efficientnet_b4", "efficientnets", "EfficientNet-B4", _TAN, 19_341_616, 19_466_816, 4_393_771_024),
        Entry("efficientnet_b5", "efficientnets", "EfficientNet-B5", _TAN, 30_389_784, 30_562_520, 10_266_384_752),
        Entry("efficientnet_b6", "efficientnets", "EfficientNet-B6", _TAN, 43_040_704, 43_265_136, 19_067_593_536),
        Entry("efficientnet_b7", "efficientnets", "EfficientNet-B7", _TAN, 66_347_960, 66_658_680, 37_745_884_192),
        Entry("efficientnet_v2_b0", "efficientnets", "EfficientNetV2-B0", _TAN_V2, 7_139_704, 7_200_312, 718_086_176),
        Entry("efficientnet_v2_b1", "efficientnets", "EfficientNetV2-B1", _TAN_V2, 8_141_052, 8_212_124, 1_196_819_360),
        Entry(
            "efficientnet_v2_b2", "efficientnets", "EfficientNetV2-B2", _TAN_V2, 10_096_086, 10_178_374, 1_697_542_832
        ),
        Entry(
            "efficientnet_v2_b3", "efficientnets", "EfficientNetV2-B3", _TAN_V2, 14_358_406, 14_467_622, 3_011_458_816
        ),
        Entry("efficientnet_v2_s", "efficientnets", "EfficientNetV2-S", _TAN_V2, 21_458_488, 21_612_360, 8_365_617_152),
        Entry(
            "efficientnet_v2_m", "efficientnets", "EfficientNetV2-M", _TAN_V2, 54_139_356, 54_431_388, 24_582_460_384
        ),
        Entry(
            "efficientnet_v2_l", "efficientnets", "EfficientNetV2-L", _TAN_V2, 118_515_272, 119_027_848, 56_079_699_008
        ),
        Entry("regnet_x_400mf", "regnets", "RegNetX-400MF", _RADOSAVOVIC, 5_495_976, 5_533_832, 413_812_608),
        Entry("regnet_x_800mf", "regnets", "RegNetX-800MF", _RADOSAVOVIC, 7_259_656, 7_296_968, 799_699_712),
        Entry("regnet_x_1_6gf", "regnets", "RegNetX-1.6GF", _RADOSAVOVIC, 9_190_136, 9_233_640, 1_602_849_792),
        Entry("regnet_x_3_2gf", "regnets", "RegNetX-3.2GF", _RADOSAVOVIC, 15_296_552, 15_359_112, 3_176_621_952),
        Entry("regnet_x_8gf", "regnets", "RegNetX-8GF", _RADOSAVOVIC, 39_572_648, 39_663_112, 7_995_132_416),
        Entry("regnet_x_16gf", "regnets", "RegNetX-16GF", _RADOSAVOVIC, 54_278_536, 54_389_704, 15_940_755_456),
        Entry("regnet_x_32gf", "regnets", "RegNetX-32GF", _RADOSAVOVIC, 107_811_560, 107_973_576, 31_735_929_792),
        Entry("regnet_y_400mf", "regnets", "RegNetY-400MF", _RADOSAVOVIC, 4_344_144, 4_371_296, 401_842_848),
        Entry("regnet_y_800mf", "regnets", "RegNetY-800MF", _RADOSAVOVIC, 6_432_512, 6_462_944, 833_856_256),
        Entry("regnet_y_1_6gf", "regnets", "RegNetY-1.6GF", _RADOSAVOVIC, 11_202_430, 11_255_102, 1_612_076_160),
        Entry("regnet_y_3_2gf", "regnets", "RegNetY-3.2GF", _RADOSAVOVIC, 19_436_338, 19_502_498, 3_176_482_752),
        Entry("regnet_y_8gf", "regnets", "RegNetY-8GF", _RADOSAVOVIC, 39_381_472, 39_468_000, 8_473_070_592),
        Entry("regnet_y_16gf", "regnets", "RegNetY-16GF", _RADOSAVOVIC, 83_590_140, 83_712_956, 15_911_510_272),
        Entry("regnet_y_32gf", "regnets", "RegNetY-32GF", _RADOSAVOVIC, 145_046_770, 145_205_058, 32_279_552_832),
        Entry("mnasnet0_5", "mnasnets", "MnasNet-B1 ×0.5", _TAN_MNAS_LATER, 2_218_512, 2_239_136, 104_455_968),
        Entry("mnasnet0_75", "mnasnets", "MnasNet-B1 ×0.75", _TAN_MNAS_LATER, 3_170_208, 3_200_016, 215_493_104),
        Entry("mnasnet1_0", "mnasnets", "MnasNet-B1", _TAN_MNAS, 4_383_312, 4_421_232, 314_415_872),
        Entry("mnasnet1_3", "mnasnets", "MnasNet-B1 ×1.3", _TAN_MNAS_LATER, 6_282_256, 6_331_072, 526_362_432),
        Entry("shufflenet_v2_x0_5", "shufflenets", "ShuffleNetV2 ×0.5", _MA, 1_366_792, 1_374_744, 40_476_448),
        Entry("shufflenet_v2_x1_0", "shufflenets", "ShuffleNetV2 ×1.0", _MA, 2_278_604, 2_294_784, 144_907_992),
        Entry("shufflenet_v2_x1_5", "shufflenets", "ShuffleNetV2 ×1.5", _MA, 3_503_624, 3_527_064, 295_759_392),
        Entry("shufflenet_v2_x2_0", "shufflenets", "ShuffleNetV2 ×2.0", _MA, 7_393_996, 7_427_712, 583_253_464),
        Entry("squeezenet1_0", "squeezenets", "SqueezeNet 1.0", _IANDOLA, 1_248_424, 1_248_424, 818_924_576),
        Entry("squeezenet1_1", "squeezenets", "SqueezeNet 1.1", _IANDOLA_LATER, 1_235_496, 1_235_496, 349_151_936),
        Entry("convnext_tiny", "convnexts", "ConvNeXt-T", _LIU, 28_589_128, 28_589_128, 4_455_531_264),
        Entry("convnext_small", "convnexts", "ConvNeXt-S", _LIU, 50_223_688, 50_223_688, 8_683_712_256),
        Entry("convnext_base", "convnexts", "ConvNeXt-B", _LIU, 88_591_464, 88_591_464, 15_354_729_472),
        Entry("convnext_large", "convnexts", "ConvNeXt-L", _LIU, 197_767_336, 197_767_336, 34_361_433_600),
        Entry("convnext_xlarge", "convnexts", "ConvNeXt-XL", _LIU, 350_196_968, 350_196_968, 60_921_030_656),
        Entry("convnext_v2_atto", "convnexts", "ConvNeXt V2-A", _WOO, 3_708_400, 3_708_400, 547_332_480),
        Entry("convnext_v2_femto", "convnexts", "ConvNeXt V2-F", _WOO, 5_233_240, 5_233_240, 779_629_824),
        Entry("convnext_v2_pico", "convnexts", "ConvNeXt V2-P", _WOO, 9_066_280, 9_066_280, 1_367_055_360),
        Entry("convnext_v2_nano", "convnexts", "ConvNeXt V2-N", _WOO, 15_623_800, 15_623_800, 2_445_528_320),
        Entry("convnext_v2_tiny", "convnexts", "ConvNeXt V2-T", _WOO, 28_635_496, 28_635_496, 4_455_531_264),
        Entry("convnext_v2_base", "convnexts", "ConvNeXt V2-B", _WOO, 88_717_800, 88_717_800, 15_354_729_472),
        Entry("convnext_v2_large", "convnexts", "ConvNeXt V2-L", _WOO, 197_956_840, 197_956_840, 34_361_433_600),
        Entry("convnext_v2_huge", "convnexts", "ConvNeXt V2-H", _WOO, 660_289_640, 660_289_640, 114_922_100_480),
        Entry("mobilenet_v3_small", "mobilenets_v3", "MobileNetV3-Small", _HOWARD_V3, 2_542_856, 2_554_968, 56_510_400),
        Entry(
            "mobilenet_v3_large", "mobilenets_v3", "MobileNetV3-Large", _HOWARD_V3, 5_483_032, 5_507_432, 216_589_760
        ),
        Entry(
            "inception_resnet_v2",
            "inception_resnets",
            "Inception-ResNet-v2",
            _SZEGEDY_V4,
            55_813_192,
            55_873_736,
            13_155_794_016,
        ),
        Entry("inception_v4", "inceptions_v4", "Inception-v4", _SZEGEDY_V4, 42_648_232, 42_711_400, 12_253_974_624),
        Entry("nasnet_mobile", "nasnets", "NASNet-A (4 @ 1056)", _ZOPH, 5_289_978, 5_326_716, 563_638_816),
        Entry("nasnet_large", "nasnets", "NASNet-A (6 @ 4032)", _ZOPH, 88_753_150, 88_949_818, 23_783_414_658),
        Entry("vit_b_16", "vits", "ViT-B/16", _DOSOVITSKIY, 86_567_656, 86_567_656, 17_563_828_224),
        Entry("vit_b_32", "vits", "ViT-B/32", _DOSOVITSKIY, 88_224_232, 88_224_232, 4_409_186_304),
        Entry("vit_l_16", "vits", "ViT-L/16", _DOSOVITSKIY, 304_326_632, 304_326_632, 61_554_712_576),
        Entry("vit_l_32", "vits", "ViT-L/32", _DOSOVITSKIY, 306_535_400, 306_535_400, 15_377_539_072),
        Entry("vit_h_14", "vits", "ViT-H/14", _DOSOVITSKIY, 632_045_800, 632_045_800, 167_295_109_120),
        Entry("swin_t", "swins", "Swin-T", _LIU_SWIN, 28_288_354, 28_288_354, 4_490_566_656),
        Entry("swin_s", "swins", "Swin-S", _LIU_SWIN, 49_606_258, 49_606_258, 8_740_875_264),
        Entry("swin_b", "swins", "Swin-B", _LIU_SWIN, 87_768_224, 87_768_224, 15_430_946_816),
        Entry("swin_v2_t", "swins", "Swin V2-T", _LIU_SWIN_V2, 28_347_154, 28_351_570, 5_939_690_496),
        Entry("swin_v2_s", "swins", "Swin V2-S", _LIU_SWIN_V2, 49_728_418, 49_737_442, 11_545_857_024),
        Entry("swin_v2_b", "swins", "Swin V2-B", _LIU_SWIN_V2, 87_918_816, 87_930_848, 20_325_134_336),
        Entry("mixer_s_32", "mixers", "Mixer-S/32", _TOLSTIKHIN, 19_104_624, 19_104_624, 1_002_426_368),
        Entry("mixer_s_16", "mixers", "Mixer-S/16", _TOLSTIKHIN, 18_528_264, 18_528_264, 3_776_958_464),
        Entry("mixer_b_32", "mixers", "Mixer-B/32", _TOLSTIKHIN, 60_293_428, 60_293_428, 3_237_722_112),
        Entry("mixer_b_16", "mixers", "Mixer-B/16", _TOLSTIKHIN, 59_880_472, 59_880_472, 12_601_767_936),
        Entry("mixer_l_32", "mixers", "Mixer-L/32", _TOLSTIKHIN, 206_939_264, 206_939_264, 11_253_293_056),
        Entry("mixer_l_16", "mixers", "Mixer-L/16", _TOLSTIKHIN, 208_196_168, 208_196_168, 44_547_678_208),
        Entry("mixer_h_14", "mixers", "Mixer-H/14", _TOLSTIKHIN, 432_350_952, 432_350_952, 120_989_911_040),
        Entry(
            "convmixer_1536_20", "convmixers", "ConvMixer-1536/20", _TROCKMAN, 51_625_960, 51_751_912, 51_099_168_768
        ),
        Entry("convmixer_768_32", "convmixers", "ConvMixer-768/32", _TROCKMAN, 21_110_248, 21_210_088, 20_676_851_712),
        Entry("convmixer_1024_20", "convmixers", "ConvMixer-1024/20", _TROCKMAN, 24_383_464, 24_467_432, 5_948_547_072),
        Entry("fcn32s", "segmentations", "FCN-32s", _LONG, 134_346_581, 136_152_917, 181_365_854_976),
        Entry("fcn16s", "segmentations", "FCN-16s", _LONG, 134_364_410, 134_815_994, 181_448_086_272),
        Entry("fcn8s", "segmentations", "FCN-8s", _LONG, 134_376_863, 134_489_759, 181_529_034_048),
        Entry("unet", "segmentations", "U-Net", _RONNEBERGER, 31_030_658, 31_030_658, 150_428_424_448),
        Entry("attention_unet", "unets", "Attention U-Net", _OKTAY, 34_878_573, 34_894_197, 66_424_930_304),
        Entry("resunet", "unets", "ResUNet", _ZHANG_RESUNET, 8_220_993, 8_227_393, 34_627_059_712),
        Entry("vnet", "unets", "V-Net", _MILLETARI, 65_175_314, 65_175_314, 502_142_074_880),
        Entry("unet_plus_plus", "unets", "U-Net++", _ZHOU, 9_042_177, 9_042_177, 4_188_930_048),
        Entry("segnet", "segnets", "SegNet", _BADRINARAYANAN, 29_449_355, 29_465_227, 106_712_432_640),
        Entry(
            "linknet_resnet18", "linknets", "LinkNet of ResNet-18", _CHAURASIA, 11_535_764, 11_547_476, 10_884_218_880
        ),
        Entry(
            "pspnet_resnet50",
            "pyramid_segmentations",
            "PSPNet of ResNet-50",
            _ZHAO,
            48_957_802,
            49_016_554,
            164_079_403_712,
        ),
        Entry(
            "pspnet_resnet101",
            "pyramid_segmentations",
            "PSPNet of ResNet-101",
            _ZHAO,
            67_949_930,
            68_060_906,
            232_263_058_112,
        ),
        Entry(
            "deeplab_v3_plus_resnet101",
            "pyramid_segmentations",
            "DeepLabV3+ of ResNet-101",
            _CHEN_PLUS,
            59_344_309,
            59_453_845,
            92_820_363_712,
        ),
        Entry(
            "semantic_fpn_resnet50",
            "pyramid_segmentations",
            "Semantic FPN of ResNet-50",
            _KIRILLOV,
            28_478_675,
            28_531_795,
            44_017_123_328,
        ),
        Entry(
            "semantic_fpn_resnet101",
            "pyramid_segmentations",
            "Semantic FPN of ResNet-101",
            _KIRILLOV,
            47_470_803,
            47_576_147,
            63_411_585_024,
        ),
        Entry("hrnet_w18", "hrnets", "HRNet-W18", _WANG, 21_299_004, 21_350_220, 4_283_537_072),
        Entry("hrnet_w32", "hrnets", "HRNet-W32", _WANG, 41_232_680, 41_307_304, 8_921_133_056),
        Entry("hrnet_w48", "hrnets", "HRNet-W48", _WANG, 77_469_864, 77_571_240, 17_277_996_032),
        Entry("fc_densenet56", "fc_densenets", "FC-DenseNet56", _JEGOU, 1_376_795, 1_397_963, 8_916_982_368),
        Entry("fc_densenet67", "fc_densenets", "FC-DenseNet67", _JEGOU, 3_463_243, 3_502_923, 20_901_653_248),
        Entry("fc_densenet103", "fc_densenets", "FC-DenseNet103", _JEGOU, 9_322_091, 9_425_163, 20_072_570_112),
        Entry(
            "fcn_resnet50",
            "dilated_segmentations",
            "FCN of ResNet-50",
            _LONG_LATER,
            35_322_218,
            35_376_874,
            152_716_512_000,
        ),
        Entry(
            "fcn_resnet101",
            "dilated_segmentations",
            "FCN of ResNet-101",
            _LONG_LATER,
            54_314_346,
            54_421_226,
            232_737_606_400,
        ),
        Entry(
            "deeplabv3_resnet50",
            "dilated_segmentations",
            "DeepLabV3 of ResNet-50",
            _CHEN_LATER,
            42_004_074,
            42_061_290,
            178_721_945_088,
        ),
        Entry(
            "deeplabv3_resnet101",
            "dilated_segmentations",
            "DeepLabV3 of ResNet-101",
            _CHEN_LATER,
            60_996_202,
            61_105_642,
            258_743_039_488,
        ),
        Entry(
            "deeplabv3_mobilenet_v3_large",
            "dilated_segmentations",
            "DeepLabV3 of MobileNetV3-Large",
            _CHEN_LATER,
            11_029_328,
            11_057_332,
            10_452_447_938,
        ),
        Entry(
            "lraspp_mobilenet_v3_large",
            "dilated_segmentations",
            "LR-ASPP of MobileNetV3-Large",
            _HOWARD_V3_LATER,
            3_221_538,
            3_246_194,
            2_086_219_688,
        ),
        Entry("r3d_18", "videos", "R3D-18", _TRAN, 33_371_472, 33_381_072, 40_696_553_472),
        Entry("mc3_18", "videos", "MC3-18", _TRAN, 11_695_440, 11_705_040, 43_342_635_008),
        Entry("r2plus1d_18", "videos", "R(2+1)D-18", _TRAN, 33_370_839, 33_396_999, 41_496_308_736),
        Entry("wavenet", "wavenets", "WaveNet", _OORD, 1_514_944, 1_514_944, 23_740_416_000),
        Entry("tcn", "tcns", "TCN", _BAI, 66_910, 66_910, 51_607_050),
        Entry("eegnet_8_2", "eegnets", "EEGNet-8,2", _LAWHERN, 2_258, 2_338, 4_341_888),
        Entry("eegnet_4_2", "eegnets", "EEGNet-4,2", _LAWHERN, 1_066, 1_106, 2_168_896),
        Entry("srcnn", "super_resolutions", "SRCNN", _DONG, 8_129, 8_129, 4_872_800),
        Entry("espcn", "super_resolutions", "ESPCN", _SHI, 22_729, 22_729, 6_538_336),
        Entry("edsr_baseline_x2", "edsrs", "EDSR baseline ×2", _LIM, 1_369_859, 1_369_859, 3_162_488_832),
        Entry("edsr_baseline_x3", "edsrs", "EDSR baseline ×3", _LIM, 1_554_499, 1_554_499, 3_607_068_672),
        Entry("edsr_baseline_x4", "edsrs", "EDSR baseline ×4", _LIM, 1_517_571, 1_517_571, 4_569_219_072),
        Entry("edsr_x2", "edsrs", "EDSR ×2", _LIM, 40_729_603, 40_729_603, 93_847_486_464),
        Entry("edsr_x3", "edsrs", "EDSR ×3", _LIM, 43_680_003, 43_680_003, 100_721_885_184),
        Entry("edsr_x4", "edsrs", "EDSR ×4", _LIM, 43_089_923, 43_089_923, 115_781_861_376),
        Entry("dcgan_generator", "dcgans", "DCGAN generator", _RADFORD_LATER, 3_576_704, 3_578_624, 104_628_224),
        Entry(
            "dcgan_discriminator", "dcgans", "DCGAN discriminator", _RADFORD_LATER, 2_765_568, 2_767_360, 103_817_216
        ),
        Entry("pix2pix_generator", "pix2pixs", "pix2pix generator", _ISOLA, 54_413_955, 54_423_811, 6_048_186_368),
        Entry(
            "pix2pix_discriminator", "pix2pixs", "pix2pix discriminator", _ISOLA, 2_768_705, 2_770_497, 3_197_140_992
        ),
    )
}


def list_architectures() -> list[str]:
    """List the names of the networks that `build` makes.

    Example:
        >>> "googlenet" in list_architectures()
        True
    """
    return list(ENTRIES)


def find(name: Any) -> Entry:
    """The entry of a name; of another name a refusal that says the nearest."""
    must_be = f"one of the {len(ENTRIES)} names in list_architectures()"
    if not isinstance(name, str):
        raise checks.refuse("name", name, must_be, TypeError)
    if name not in ENTRIES:
        raise checks.refuse("name", name, must_be + checks.nearest(name.lower().replace("-", ""), ENTRIES))
    return ENTRIES[name]


def constructor(name: str) -> Callable[..., Any]:
    """Get the function that makes the network of a name.

    Raises:
        ValueError: there is no such name; says the nearest.
        TypeError: not a string.
    """
    with checks.speaking("build"):
        module = find(name).module
    return getattr(importlib.import_module(f".{module}", __package__), name)


def build(name: str | Mapping[str, Any] | Path, /, **options: Any) -> Any:
    """Make the network of that name, or of what `config_of` tells of one, itself or in a YAML or JSON file.

    Args:
        name: a name; a dict with the name under `"network"`, and arguments; or the path of a file that holds one.
        options: the arguments of its constructor, before those of a dict. Functions may be said by their names:
            `conv="separable"`, `conv={"name": "conv_bn", "norm": ("group_norm", {"groups": 8})}`.

    Raises:
        ValueError: there is no such name, or an argument out of range.
        TypeError: an argument that the network does not have.

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = build("resnet18", classes=10)
        >>> model.output_shape
        (None, 10)
    """
    if isinstance(name, Mapping | Path) or (isinstance(name, str) and is_config(name)):
        from .configs import built

        return built(name, **options)
    return constructor(name)(**options)


def is_config(name: str) -> bool:
    """Whether a name is that of a file which holds a configuration.

    Example:
        >>> is_config("net.yaml"), is_config("resnet18")
        (True, False)
    """
    return name.endswith((".yaml", ".yml", ".json"))


@dataclass(frozen=True)
class Description(Entry):
    """A network before it is built; what needs Keras is found out when it is asked for."""

    @cached_property
    def smallest_input(self) -> int | None:
        """The smallest side of a square image that the network works on with its default arguments."""
        return constructor(self.name).smallest_input()  # type: ignore[attr-defined]

    @property
    def dialects(self) -> tuple[str, ...]:
        """Whose versions there are, the default first."""
        made = constructor(self.name)
        default = self._defaults.get("dialect")
        return tuple(sorted(made.dialects, key=lambda dialect: dialect != default))  # type: ignore[attr-defined]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(height, width, channels) of the default input, for which the multiply-adds are; frames first in videos."""
        return self._defaults["input_shape"] or (224, 224, 3)

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of this network beyond those of all, with their defaults."""
        from .constructor import COMMON

        of_all = (*COMMON, "dialect", "use_bias")
        return {word: default for word, default in self._defaults.items() if word not in of_all}

    @property
    def _defaults(self) -> dict[str, Any]:
        made = constructor(self.name)
        words = {word: given.default for word, given in inspect.signature(made).parameters.items()}
        return {**words, **made.dialects.get(words.get("dialect"), {})}  # type: ignore[attr-defined]

    def __str__(self) -> str:
        side, given = self.smallest_input, self.input_shape
        smallest, shape = ("×".join(map(str, sides)) for sides in ([side] * (len(given) - 1), given))
        fixed = self.parameters - self.trainable_parameters
        kind = _FIXED.get(self.module, "running statistics")
        heads = " with its auxiliary heads" if self.options.get("aux") else ""
        rows = {
            "paper": self.paper,
            "source": SOURCES[self.source],
            "parameters": f"{self.trainable_parameters:,} trainable{heads}" + (f"; {fixed:,} {kind}" if fixed else ""),
            "multiply-adds": f"{self.multiply_adds:,} at {shape}",
            "smallest input": smallest,
            "dialects": ", ".join(self.dialects) or "one",
            "options": ", ".join(map(_option, self.options, self.options.values())) or "none",
        }
        lines = [f"  {word:<16}{value}" for word, value in rows.items()]
        lines += [f"  {'differs' if not number else '':<16}{text}" for number, text in enumerate(self.deviations)]
        return "\n".join([f"{self.title} ({self.name})", *lines])


# What is no running statistic among the parameters that no training changes.
_FIXED = {"lenets": "of fixed codes", "segmentations": "of fixed enlargements", "swins": "of biases that are zeros"}


def _option(word: str, default: Any) -> str:
    """`dropout=0.4`, and the mere name where the default would say nothing to a reader."""
    plain = default is None or isinstance(default, bool | int | float | str)
    return f"{word}={default!r}" if plain else word


@checks.public
def describe(name: str) -> Description:
    """Describe a network before it is built, as data that prints well.

    Name, paper, year, parameters and multiply-adds are at hand at once, without Keras. The smallest input, the
    dialects and the options are looked up when asked for.

    Args:
        name: one of `list_architectures()`.

    Raises:
        ValueError: there is no such name; says the nearest.
        TypeError: not a string.

    Example:
        >>> print(describe("inception_v3"))
        Inception-v3 (inception_v3)
          paper           Szegedy et al. 2016
          source          in the paper
          parameters      27,143,152 trainable with its auxiliary heads; 36,224 running statistics
          multiply-adds   5,718,899,296 at 299×299×3
          smallest input  299×299
          dialects        paper, keras, torchvision
          options         aux=True, dropout=0.2, layers, conv, dense=None
          differs         running statistics decay by 0.99 a step, by 0.9997 in the authors' code
                          the paper names no initialiser; Keras's are used
    """
    return Description(**vars(find(name)))
