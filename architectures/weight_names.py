"""Our layer names and those of other libraries: a table for each family and library, as data.

On the left our name, on the right theirs. `{n}` stands for a number; `{part:a|b}` on the left for one of these words,
on the right for what it stood for. `{n:+1}` is one more than the number; `{s,b:+1}` one more than the place of the
pair, from 0 on, among all those that the line matches, in the order of the words where they are words. The first line
that matches a name counts. A table of yours, `names=` of `load`, is written in the same way, of such lines or of these:
`{**TIMM["resnet"], "classifier.predictions": "head.linear"}`.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase


@dataclass(frozen=True)
class Application:
    """A network of `keras.applications` with trained weights: its name, and what these depend on."""

    name: str
    options: tuple[str, ...] = ()
    sides: tuple[int, ...] = ()


TRAINED_DIALECT = "keras"
# Where Keras adds a constant for its trained weights alone, and the variance of the images that these hold.
RESCALED, RESCALED_VARIANCE = "keras_imagenet", (0.229, 0.224, 0.225)
APPLICATIONS = {
    "vgg16": Application("VGG16"),
    "vgg19": Application("VGG19"),
    "resnet50": Application("ResNet50"),
    "resnet101": Application("ResNet101"),
    "resnet152": Application("ResNet152"),
    "resnet50_v2": Application("ResNet50V2"),
    "resnet101_v2": Application("ResNet101V2"),
    "resnet152_v2": Application("ResNet152V2"),
    "inception_v3": Application("InceptionV3"),
    "densenet121": Application("DenseNet121"),
    "densenet169": Application("DenseNet169"),
    "densenet201": Application("DenseNet201"),
    "xception": Application("Xception"),
    "mobilenet": Application("MobileNet", ("alpha", "depth_multiplier"), (128, 160, 192, 224)),
    "mobilenet_v2": Application("MobileNetV2", ("alpha",), (96, 128, 160, 192, 224)),
    **{f"efficientnet_b{n}": Application(f"EfficientNetB{n}") for n in range(8)},
    **{f"efficientnet_v2_{n}": Application(f"EfficientNetV2{n.upper()}") for n in ("b0", "b1", "b2", "b3", *"sml")},
    **{
        f"convnext_{size}": Application(f"ConvNeXt{'XLarge' if size == 'xlarge' else size.title()}")
        for size in ("tiny", "small", "base", "large", "xlarge")
    },
    "mobilenet_v3_small": Application("MobileNetV3Small", ("alpha", "minimalistic"), (224,)),
    "mobilenet_v3_large": Application("MobileNetV3Large", ("alpha", "minimalistic"), (224,)),
    "inception_resnet_v2": Application("InceptionResNetV2"),
    "nasnet_mobile": Application("NASNetMobile"),
    "nasnet_large": Application("NASNetLarge"),
}

# What other libraries number over all their layers: instead of these numbers stand places here, from 0 on.
NUMBERED = ("conv2d_", "batch_normalization_", "layer_normalization_", "normalization_", "features.")
# A letter for a number from 1 on.
_LETTER = "|".join(("", *ascii_lowercase))

# In the order in which they stand in a block.
_INCEPTION_UNITS = "|".join(
    (
        "1x1",
        *("single_reduce", "single", "single_1", "single_2", "single_1x3", "single_3x1", "single_strided"),
        *("double_reduce", "double", "double_1", "double_2", "double_3", "double_4", "double_2_1x3", "double_2_3x1"),
        *("double_strided", "pool_proj"),
    )
)

_CONV2D = "{kind:conv2d|batch_normalization}"
_V3 = "{part:expand|depthwise|project|squeeze_excite.reduce|squeeze_excite.expand}.{kind:conv|norm}"
_V3_KERAS = "{part:expand|depthwise|project|squeeze_excite_conv|squeeze_excite_conv_1}{kind:|_bn}"

KERAS: dict[str, dict[str, str]] = {
    "vgg": {
        "block{b}.conv{c}.conv": "block{b}_conv{c}",
        "classifier.dense{n}": "fc{n}",
        "classifier.predictions": "predictions",
    },
    "resnet": {
        "stem.{kind:conv|norm}": "conv1_{kind:conv|bn}",
        "stage{s}.block{b}.preactivation.norm": "conv{s:+1}_block{b}_preact_bn",
        "stage{s}.block{b}.conv{c}.{kind:conv|norm}": "conv{s:+1}_block{b}_{c}_{kind:conv|bn}",
        "stage{s}.block{b}.shortcut.{kind:conv|norm}": "conv{s:+1}_block{b}_0_{kind:conv|bn}",
        "postactivation.norm": "post_bn",
        "classifier.predictions": "predictions",
    },
    "inception_v3": {
        "conv{c}.{kind:conv|norm}": "{kind:conv2d|batch_normalization}_{c:-1}",
        f"mixed{{n}}.{{unit:{_INCEPTION_UNITS}}}.{{kind:conv|norm}}": ("{kind:conv2d|batch_normalization}_{n,unit:+5}"),
        "classifier.predictions": "predictions",
    },
    "densenet": {
        "stem.{kind:conv|norm}": "conv1_{kind:conv|bn}",
        "block{b}.layer{n}.{part:1x1.norm|1x1.conv|3x3.norm|3x3.conv}": (
            "conv{b:+1}_block{n}_{part:0_bn|1_conv|1_bn|2_conv}"
        ),
        "transition{n}.conv.{kind:conv|norm}": "pool{n:+1}_{kind:conv|bn}",
        "postactivation.norm": "bn",
        "classifier.predictions": "predictions",
    },
    "xception": {
        "conv{c:1|2}.{kind:conv|norm}": "block1_conv{c}{kind:|_bn}",
        "conv{c:3|4}.{kind:conv|norm}": "block14_sepconv{c:1|2}{kind:|_bn}",
        "{module:entry1|entry2|entry3|exit}.shortcut.{kind:conv|norm}": (
            "{kind:conv2d|batch_normalization}_{module:0|1|2|3}"
        ),
        "entry{n}.conv{c}.{kind:conv|norm}": "block{n:+1}_sepconv{c}{kind:|_bn}",
        "middle{n}.conv{c}.{kind:conv|norm}": "block{n:+4}_sepconv{c}{kind:|_bn}",
        "exit.conv{c}.{kind:conv|norm}": "block13_sepconv{c}{kind:|_bn}",
        "classifier.predictions": "predictions",
    },
    "mobilenet": {
        "stem.{kind:conv|norm}": "conv1{kind:|_bn}",
        "stage{s}.block{b}.{part:depthwise|pointwise}.{kind:conv|norm}": "conv_{part:dw|pw}_{s,b:+1}{kind:|_bn}",
        "classifier.predictions": "conv_preds",
    },
    "mobilenet_v2": {
        "stem.{kind:conv|norm}": "{kind:Conv1|bn_Conv1}",
        "stage1.block1.{part:depthwise|project}.{kind:conv|norm}": "expanded_conv_{part}{kind:|_BN}",
        "stage{s}.block{b}.{part:expand|depthwise|project}.{kind:conv|norm}": "block_{s,b:+1}_{part}{kind:|_BN}",
        "last.{kind:conv|norm}": "Conv_1{kind:|_bn}",
        "classifier.predictions": "predictions",
    },
    "mobilenet_v3": {
        "stem.{kind:conv|norm}": "conv{kind:|_bn}",
        f"stage1.block1.{_V3}": f"expanded_conv_{_V3_KERAS}",
        f"stage{{s}}.block{{b}}.{_V3}": f"expanded_conv_{{s,b:+1}}_{_V3_KERAS}",
        "last.{kind:conv|norm}": "conv_1{kind:|_bn}",
        "classifier.{part:dense1|predictions}": "{part:conv_2|logits}",
    },
    "inception_resnet_v2": {
        "conv{c}.{kind:conv|norm}": f"{_CONV2D}_{{c:-1}}",
        "conv_7b.{kind:conv|norm}": "conv_7b{kind:|_bn}",
        "mixed_5b.{unit:1x1|single_1|single_2|double_1|double_2|double_3|pool_2}.{kind:conv|norm}": (
            f"{_CONV2D}_{{unit:+5}}"
        ),
        "block35_{n}.{unit:1x1|single_1|single_2|double_1|double_2|double_3}.{kind:conv|norm}": (
            f"{_CONV2D}_{{n,unit:+12}}"
        ),
        "mixed_6a.{unit:single|double_1|double_2|double_3}.{kind:conv|norm}": f"{_CONV2D}_{{unit:+72}}",
        "block17_{n}.{unit:1x1|single_1|single_2|single_3}.{kind:conv|norm}": f"{_CONV2D}_{{n,unit:+76}}",
        "mixed_7a.{unit:first_1|first_2|single_1|single_2|double_1|double_2|double_3}.{kind:conv|norm}": (
            f"{_CONV2D}_{{unit:+156}}"
        ),
        "block8_{n}.{unit:1x1|single_1|single_2|single_3}.{kind:conv|norm}": f"{_CONV2D}_{{n,unit:+163}}",
        "block{side}_{n}.up.conv": "block{side}_{n}_conv",
        "classifier.predictions": "predictions",
    },
    "efficientnet": {
        "normalization": "normalization_0",
        "stem.{kind:conv|norm}": "stem_{kind:conv|bn}",
        "stage{s}.block{b}.depthwise.conv": f"block{{s}}{{b:{_LETTER}}}_dwconv",
        "stage{s}.block{b}.depthwise.norm": f"block{{s}}{{b:{_LETTER}}}_bn",
        "stage{s}.block{b}.{part:expand|project}.{kind:conv|norm}": (
            f"block{{s}}{{b:{_LETTER}}}_{{part}}_{{kind:conv|bn}}"
        ),
        "stage{s}.block{b}.squeeze_excite.{part:reduce|expand}.conv": f"block{{s}}{{b:{_LETTER}}}_se_{{part}}",
        "top.{kind:conv|norm}": "top_{kind:conv|bn}",
        "classifier.predictions": "predictions",
    },
}
KERAS["efficientnet_v2"] = {
    **KERAS["efficientnet"],
    "stage{s}.block{b}.depthwise.conv": f"block{{s}}{{b:{_LETTER}}}_dwconv2",
    "stage{s}.block{b}.conv.{kind:conv|norm}": f"block{{s}}{{b:{_LETTER}}}_project_{{kind:conv|bn}}",
}


def _convnext(size: str) -> dict[str, str]:
    """Of a network that puts its own name before that of every layer."""
    return {
        "stem.{kind:conv|norm}": f"{size}_stem_{{kind:conv|layernorm}}",
        "stage{s}.downsample.{kind:conv|norm}": f"{size}_downsampling_{{kind:conv|layernorm}}_{{s:-2}}",
        "stage{s}.block{b}.{part:depthwise.conv|depthwise.norm|expand.conv|project.conv|layer_scale}": (
            f"{size}_stage_{{s:-1}}_block_{{b:-1}}_"
            "{part:depthwise_conv|layernorm|pointwise_conv_1|pointwise_conv_2|layer_scale}"
        ),
        "norm": f"{size}_head_layernorm",
        "classifier.predictions": f"{size}_head_dense",
    }


for _size in (name for name in APPLICATIONS if name.startswith("convnext")):
    KERAS[_size] = _convnext(_size)
    KERAS[f"{_size}_without_top"] = {**KERAS[_size], "norm": "layer_normalization_0"}


def _nasnet(cells: int) -> dict[str, str]:
    """Of a network of so many normal cells a stage, after which it is that the reductions are numbered."""
    places = {
        ("cell{n:" + "|".join(str(n) for n in range(1, cells + 1)) + "}", "normal"): "{n:+0}",
        ("cell{n}", "normal"): "{n}",
        ("reduction{n:1|2}", "reduction"): f"reduce_{{n:{cells}|{2 * cells}}}",
        ("stem{n}", "reduction"): "stem_{n}",
    }
    rules = {"stem.{kind:conv|norm}": "stem_{kind:conv|bn}1", "classifier.predictions": "predictions"}
    for (cell, kind), place in places.items():
        # The third and last that are on the left of a sum in a reduction are numbered without the pools between.
        sums = "{p}" if kind == "normal" else "{p:1|2|3|5}"
        theirs = "{p}" if kind == "normal" else "{p:1|2|3|4}"
        rules |= {
            f"{cell}.input.{{kind:conv|norm}}": f"{kind}_{{kind:conv|bn}}_1_{place}",
            f"{cell}.previous.conv": f"adjust_conv_projection_{place}",
            f"{cell}.previous.{{part:even.conv|odd.conv}}": f"adjust_conv_{{part:1|2}}_{place}",
            f"{cell}.previous.norm": f"adjust_bn_{place}",
            f"{cell}.sum{sums}.{{side:left|right}}.conv{{c}}.{{kind:conv|norm}}": (
                f"separable_conv_{{c}}{{kind:|_bn}}_{kind}_{{side}}{theirs}_{place}"
            ),
        }
    return rules


KERAS["nasnet_mobile"], KERAS["nasnet_large"] = _nasnet(4), _nasnet(6)

TORCHVISION: dict[str, dict[str, str]] = {
    "alexnet": {
        "conv{c}.conv": "features.{c:-1}",
        "classifier.{part:dense1|dense2|predictions}": "classifier.{part:1|4|6}",
    },
    "vgg": {
        "block{b}.conv{c}.{kind:conv|norm}": "features.{b,c,kind}",
        "classifier.{part:dense1|dense2|predictions}": "classifier.{part:0|3|6}",
    },
    "googlenet": {
        "{part:conv1|conv2_reduce|conv2}.{kind:conv|norm}": "{part:conv1|conv2|conv3}.{kind:conv|bn}",
        "inception_{n}{letter:a|b|c|d|e}.{part:1x1|3x3_reduce|3x3|5x5_reduce|5x5|pool_proj}.{kind:conv|norm}": (
            "inception{n}{letter}.branch{part:1|2.0|2.1|3.0|3.1|4.1}.{kind:conv|bn}"
        ),
        "aux{n}.conv.{kind:conv|norm}": "aux{n}.conv.{kind:conv|bn}",
        "aux{n}.classifier.{part:dense1|predictions}": "aux{n}.{part:fc1|fc2}",
        "classifier.predictions": "fc",
    },
    "inception_v3": {
        "conv{c:1|2|3|4|5}.{kind:conv|norm}": "Conv2d_{c:1a_3x3|2a_3x3|2b_3x3|3b_1x1|4a_3x3}.{kind:conv|bn}",
        "mixed{n:0|1|2}.{part:1x1|single_reduce|single|pool_proj}.{kind:conv|norm}": (
            "Mixed_{n:5b|5c|5d}.branch{part:1x1|5x5_1|5x5_2|_pool}.{kind:conv|bn}"
        ),
        "mixed{n:0|1|2}.double_{part:reduce|1|2}.{kind:conv|norm}": (
            "Mixed_{n:5b|5c|5d}.branch3x3dbl_{part:1|2|3}.{kind:conv|bn}"
        ),
        "mixed3.{part:single_strided|double_reduce|double|double_strided}.{kind:conv|norm}": (
            "Mixed_6a.branch{part:3x3|3x3dbl_1|3x3dbl_2|3x3dbl_3}.{kind:conv|bn}"
        ),
        "mixed{n:4|5|6|7}.{part:1x1|single_reduce|single_1|single_2|pool_proj}.{kind:conv|norm}": (
            "Mixed_{n:6b|6c|6d|6e}.branch{part:1x1|7x7_1|7x7_2|7x7_3|_pool}.{kind:conv|bn}"
        ),
        "mixed{n:4|5|6|7}.double_{part:reduce|1|2|3|4}.{kind:conv|norm}": (
            "Mixed_{n:6b|6c|6d|6e}.branch7x7dbl_{part:1|2|3|4|5}.{kind:conv|bn}"
        ),
        "mixed8.{part:single_reduce|single_strided}.{kind:conv|norm}": ("Mixed_7a.branch3x3_{part:1|2}.{kind:conv|bn}"),
        "mixed8.double_{part:reduce|1|2|strided}.{kind:conv|norm}": (
            "Mixed_7a.branch7x7x3_{part:1|2|3|4}.{kind:conv|bn}"
        ),
        "mixed{n:9|10}.{part:1x1|single_reduce|single_1x3|single_3x1|pool_proj}.{kind:conv|norm}": (
            "Mixed_{n:7b|7c}.branch{part:1x1|3x3_1|3x3_2a|3x3_2b|_pool}.{kind:conv|bn}"
        ),
        "mixed{n:9|10}.double_{part:reduce|1|2_1x3|2_3x1}.{kind:conv|norm}": (
            "Mixed_{n:7b|7c}.branch3x3dbl_{part:1|2|3a|3b}.{kind:conv|bn}"
        ),
        "aux1.conv{c}.{kind:conv|norm}": "AuxLogits.conv{c:-1}.{kind:conv|bn}",
        "aux1.classifier.predictions": "AuxLogits.fc",
        "classifier.predictions": "fc",
    },
    "resnet": {
        "stem.{kind:conv|norm}": "{kind:conv1|bn1}",
        "stage{s}.block{b}.conv{c}.{kind:conv|norm}": "layer{s}.{b:-1}.{kind:conv|bn}{c}",
        "stage{s}.block{b}.shortcut.{kind:conv|norm}": "layer{s}.{b:-1}.downsample.{kind:0|1}",
        "classifier.predictions": "fc",
    },
    "densenet": {
        "stem.{kind:conv|norm}": "features.{kind}0",
        "block{b}.layer{n}.{part:1x1.norm|1x1.conv|3x3.norm|3x3.conv}": (
            "features.denseblock{b}.denselayer{n}.{part:norm1|conv1|norm2|conv2}"
        ),
        "transition{n}.conv.{kind:conv|norm}": "features.transition{n}.{kind}",
        "postactivation.norm": "features.norm5",
        "classifier.predictions": "classifier",
    },
    "mobilenet_v2": {
        "stem.{kind:conv|norm}": "features.0.{kind:0|1}",
        "stage1.block1.depthwise.{kind:conv|norm}": "features.1.conv.0.{kind:0|1}",
        "stage1.block1.project.{kind:conv|norm}": "features.1.conv.{kind:1|2}",
        "stage{s}.block{b}.{part:expand|depthwise}.{kind:conv|norm}": ("features.{s,b:+2}.conv.{part:0|1}.{kind:0|1}"),
        "stage{s}.block{b}.project.{kind:conv|norm}": "features.{s,b:+2}.conv.{kind:2|3}",
        "last.{kind:conv|norm}": "features.18.{kind:0|1}",
        "classifier.predictions": "classifier.1",
    },
}

_REGNET = "trunk_output.block{s}.block{s}-{b:-1}"
TORCHVISION |= {
    "regnet": {
        "stem.{kind:conv|norm}": "stem.{kind:0|1}",
        "stage{s}.block{b}.conv{c:1|2|3}.{kind:conv|norm}": f"{_REGNET}.f.{{c:a|b|c}}.{{kind:0|1}}",
        "stage{s}.block{b}.squeeze_excite.{part:reduce|expand}.conv": f"{_REGNET}.f.se.{{part:fc1|fc2}}",
        "stage{s}.block{b}.shortcut.{kind:conv|norm}": f"{_REGNET}.proj.{{kind:0|1}}",
        "classifier.predictions": "fc",
    },
    "mnasnet": {
        "stem.{kind:conv|norm}": "layers.{kind:0|1}",
        "stage1.block1.depthwise.{kind:conv|norm}": "layers.{kind:3|4}",
        "stage1.block1.project.{kind:conv|norm}": "layers.{kind:6|7}",
        "stage{s}.block{b}.expand.{kind:conv|norm}": "layers.{s:+6}.{b:-1}.layers.{kind:0|1}",
        "stage{s}.block{b}.depthwise.{kind:conv|norm}": "layers.{s:+6}.{b:-1}.layers.{kind:3|4}",
        "stage{s}.block{b}.project.{kind:conv|norm}": "layers.{s:+6}.{b:-1}.layers.{kind:6|7}",
        "last.{kind:conv|norm}": "layers.{kind:14|15}",
        "classifier.predictions": "classifier.1",
    },
    "shufflenet_v2": {
        "stem.{kind:conv|norm}": "conv1.{kind:0|1}",
        "stage{s}.block{b}.shortcut_depthwise.{kind:conv|norm}": "stage{s:+1}.{b:-1}.branch1.{kind:0|1}",
        "stage{s}.block{b}.shortcut.{kind:conv|norm}": "stage{s:+1}.{b:-1}.branch1.{kind:2|3}",
        "stage{s}.block{b}.conv1.{kind:conv|norm}": "stage{s:+1}.{b:-1}.branch2.{kind:0|1}",
        "stage{s}.block{b}.depthwise.{kind:conv|norm}": "stage{s:+1}.{b:-1}.branch2.{kind:3|4}",
        "stage{s}.block{b}.conv2.{kind:conv|norm}": "stage{s:+1}.{b:-1}.branch2.{kind:5|6}",
        "last.{kind:conv|norm}": "conv5.{kind:0|1}",
        "classifier.predictions": "fc",
    },
    "efficientnet": {
        "stem.{kind:conv|norm}": "features.0.{kind:0|1}",
        "stage1.block{b}.{part:depthwise|project}.{kind:conv|norm}": ("features.1.{b:-1}.block.{part:0|2}.{kind:0|1}"),
        "stage1.block{b}.squeeze_excite.{part:reduce|expand}.conv": "features.1.{b:-1}.block.1.{part:fc1|fc2}",
        "stage{s}.block{b}.{part:expand|depthwise|project}.{kind:conv|norm}": (
            "features.{s}.{b:-1}.block.{part:0|1|3}.{kind:0|1}"
        ),
        "stage{s}.block{b}.squeeze_excite.{part:reduce|expand}.conv": "features.{s}.{b:-1}.block.2.{part:fc1|fc2}",
        "top.{kind:conv|norm}": "features.8.{kind:0|1}",
        "classifier.predictions": "classifier.1",
    },
    "squeezenet1_0": {
        "conv1.conv": "features.0",
        "fire{n:2|3|4|5|6|7|8|9}.{part:squeeze|expand1x1|expand3x3}.conv": "features.{n:3|4|5|7|8|9|10|12}.{part}",
        "classifier.maps.conv": "classifier.1",
    },
    "squeezenet1_1": {
        "conv1.conv": "features.0",
        "fire{n:2|3|4|5|6|7|8|9}.{part:squeeze|expand1x1|expand3x3}.conv": "features.{n:3|4|6|7|9|10|11|12}.{part}",
        "classifier.maps.conv": "classifier.1",
    },
}
TORCHVISION["efficientnet_v2"] = {
    "stage1.block{b}.conv.{kind:conv|norm}": "features.1.{b:-1}.block.0.{kind:0|1}",
    "stage{s:2|3}.block{b}.{part:expand|project}.{kind:conv|norm}": (
        "features.{s:2|3}.{b:-1}.block.{part:0|1}.{kind:0|1}"
    ),
    **TORCHVISION["efficientnet"],
}
TORCHVISION["efficientnet_v2_s"] = {
    **TORCHVISION["efficientnet_v2"],
    "top.{kind:conv|norm}": "features.7.{kind:0|1}",
}

_VIT = "block{b}.{part:norm1|attention.attention|norm2|mlp.expand.conv|mlp.project.conv}"
_SWIN = f"stage{{s:1|2|3|4}}.{_VIT}"
_MIXER = "|".join(("norm1", "of_places.expand.conv", "of_places.project.conv"))
_MIXER += "|" + "|".join(("norm2", "of_channels.expand.conv", "of_channels.project.conv"))
TORCHVISION |= {
    "vit": {
        "patches.projection.conv": "conv_proj",
        "class_token": "class_token",
        "position_embedding": "encoder.pos_embedding",
        _VIT: "encoder.layers.encoder_layer_{b:-1}.{part:ln_1|self_attention|ln_2|mlp.0|mlp.3}",
        "norm": "encoder.ln",
        "classifier.predictions": "heads.head",
    },
    "swin": {
        "patches.{part:projection.conv|norm}": "features.0.{part:0|2}",
        _SWIN: "features.{s:1|3|5|7}.{b:-1}.{part:norm1|attn|norm2|mlp.0|mlp.3}",
        "stage{s:2|3|4}.downsample.{part:norm|reduction.conv}": "features.{s:2|4|6}.{part:norm|reduction}",
        "norm": "norm",
        "classifier.predictions": "head",
    },
}

_CONVNEXT = "depthwise.conv|depthwise.norm|expand.conv|project.conv"
TORCHVISION["convnext"] = {
    "stem.{kind:conv|norm}": "features.0.{kind:0|1}",
    "stage{s:2|3|4}.downsample.{kind:norm|conv}": "features.{s:2|4|6}.{kind:0|1}",
    f"stage{{s:1|2|3|4}}.block{{b}}.{{part:{_CONVNEXT}}}": "features.{s:1|3|5|7}.{b:-1}.block.{part:0|2|3|5}",
    "stage{s:1|2|3|4}.block{b}.layer_scale": "features.{s:1|3|5|7}.{b:-1}.layer_scale",
    "norm": "classifier.0",
    "classifier.predictions": "classifier.2",
}

# Of each stage the blocks, and whether they have squeeze-and-excite, which moves the number of what comes after it.
_V3_STAGES = {
    "mobilenet_v3_large": ((1, False), (2, False), (3, True), (4, False), (2, True), (3, True)),
    "mobilenet_v3_small": ((1, True), (2, False), (3, True), (2, True), (3, True)),
}


def _mobilenet_v3(stages: tuple[tuple[int, bool], ...], features: str = "features") -> dict[str, str]:
    """Of a network that numbers its blocks over all stages, and the parts of a block; the first has no expansion."""
    rules, first = {"stem.{kind:conv|norm}": f"{features}.0.{{kind:0|1}}"}, 1
    for number, (blocks, squeezes) in enumerate(stages, 1):
        block = f"{features}.{{b:+{first - 1}}}.block"
        begins = 0 if number == 1 else 1
        parts = {"depthwise": begins, "project": begins + 1 + squeezes} | ({"expand": 0} if begins else {})
        rules |= {
            f"stage{number}.block{{b}}.{part}.{{kind:conv|norm}}": f"{block}.{place}.{{kind:0|1}}"
            for part, place in parts.items()
        }
        if squeezes:
            part = f"stage{number}.block{{b}}.squeeze_excite.{{part:reduce|expand}}.conv"
            rules[part] = f"{block}.{begins + 1}.{{part:fc1|fc2}}"
        first += blocks
    return {**rules, "last.{kind:conv|norm}": f"{features}.{first}.{{kind:0|1}}"}


TORCHVISION |= {
    name: {**_mobilenet_v3(stages), "classifier.{part:dense1|predictions}": "classifier.{part:0|3}"}
    for name, stages in _V3_STAGES.items()
}

# What is of every frame is at the place of a convolution, or in it before a convolution along the frames.
TORCHVISION["video_resnet"] = {
    "stem.{kind:conv|norm}": "stem.{kind:0|1}",
    "stem.{part:spatial.conv|spatial.norm|temporal.conv|temporal.norm}": "stem.{part:0|1|3|4}",
    "stage{s}.block{b}.conv{c}.{kind:conv|norm}": "layer{s}.{b:-1}.conv{c}.{kind:0|1}",
    "stage{s}.block{b}.conv{c}.{part:spatial.conv|spatial.norm|temporal.conv|temporal.norm}": (
        "layer{s}.{b:-1}.conv{c}.{part:0.0|0.1|0.3|1}"
    ),
    "stage{s}.block{b}.shortcut.{kind:conv|norm}": "layer{s}.{b:-1}.downsample.{kind:0|1}",
    "classifier.predictions": "fc",
}

# torchvision's segmentation networks have the layers of a classifier under a prefix, and say `0`, `1` and `4` for a
# convolution, its norm and the scores.
_RESNET_BACKBONE = {
    ours: f"backbone.{theirs}" for ours, theirs in TORCHVISION["resnet"].items() if not ours.startswith("classifier")
}
_FCN_HEADS = {
    "{head:decoder|aux1.decoder}.conv.{kind:conv|norm}": "{head:classifier|aux_classifier}.{kind:0|1}",
    "{head:score|aux1.score}.conv": "{head:classifier|aux_classifier}.4",
}
_DEEPLAB_HEADS = {
    "decoder.aspp.{part:1x1|dilated1|dilated2|dilated3}.{kind:conv|norm}": (
        "classifier.0.convs.{part:0|1|2|3}.{kind:0|1}"
    ),
    "decoder.aspp.of_all.{kind:conv|norm}": "classifier.0.convs.4.{kind:1|2}",
    "decoder.aspp.project.{kind:conv|norm}": "classifier.0.project.{kind:0|1}",
    "decoder.conv.{kind:conv|norm}": "classifier.{kind:1|2}",
    **_FCN_HEADS,
}
_V3_BACKBONE = _mobilenet_v3(_V3_STAGES["mobilenet_v3_large"], "backbone")
TORCHVISION |= {
    "fcn_resnet": {**_RESNET_BACKBONE, **_FCN_HEADS},
    "deeplabv3_resnet": {**_RESNET_BACKBONE, **_DEEPLAB_HEADS},
    "deeplabv3_mobilenet_v3": {**_V3_BACKBONE, **_DEEPLAB_HEADS},
    "lraspp_mobilenet_v3": {
        **_V3_BACKBONE,
        "reduce.{kind:conv|norm}": "classifier.cbr.{kind:0|1}",
        "scale.conv": "classifier.scale.1",
        "{part:low|high}_score.conv": "classifier.{part}_classifier",
    },
}

_FCN = "block{b}.conv{c}.conv"
KERAS["fcn"] = {_FCN: "block{b}_conv{c}", "fc{part:6|7}.conv": "fc{part:1|2}"}
TORCHVISION["fcn"] = {_FCN: "features.{b,c}", "fc{part:6|7}.conv": "classifier.{part:0|3}"}

# Of timm what is not named as in torchvision.
TIMM: dict[str, dict[str, str]] = {
    "resnet": {
        **TORCHVISION["resnet"],
        "stage{s}.block{b}.squeeze_excite.{part:reduce|expand}.conv": "layer{s}.{b:-1}.se.{part:fc1|fc2}",
        "stage{s}.block{b}.eca.conv": "layer{s}.{b:-1}.se.conv",
    },
    "resnet_v2": {
        "stem.conv": "stem.conv",
        "stage{s}.block{b}.preactivation.norm": "stages.{s:-1}.blocks.{b:-1}.norm1",
        "stage{s}.block{b}.conv{c}.conv": "stages.{s:-1}.blocks.{b:-1}.conv{c}",
        "stage{s}.block{b}.conv{c}.norm": "stages.{s:-1}.blocks.{b:-1}.norm{c:+1}",
        "stage{s}.block{b}.shortcut.conv": "stages.{s:-1}.blocks.{b:-1}.downsample.conv",
        "postactivation.norm": "norm",
        "classifier.predictions": "head.fc",
    },
    "vgg": {
        "block{b}.conv{c}.{kind:conv|norm}": "features.{b,c,kind}",
        "classifier.dense{n}": "pre_logits.fc{n}",
        "classifier.predictions": "head.fc",
    },
    "fcn": {_FCN: "features.{b,c}", "fc{part:6|7}.conv": "pre_logits.fc{part:1|2}"},
    "mobilenet": {
        "stem.{kind:conv|norm}": "{kind:conv_stem|bn1}",
        "stage{s}.block{b}.{part:depthwise|pointwise}.conv": "blocks.{s:-1}.{b:-1}.{part:conv_dw|conv_pw}",
        "stage{s}.block{b}.{part:depthwise|pointwise}.norm": "blocks.{s:-1}.{b:-1}.{part:bn1|bn2}",
        "classifier.predictions": "classifier",
    },
    "mobilenet_v2": {
        "stem.{kind:conv|norm}": "{kind:conv_stem|bn1}",
        "stage1.block1.{part:depthwise|project}.conv": "blocks.0.0.{part:conv_dw|conv_pw}",
        "stage1.block1.{part:depthwise|project}.norm": "blocks.0.0.{part:bn1|bn2}",
        "stage{s}.block{b}.{part:expand|depthwise|project}.conv": (
            "blocks.{s:-1}.{b:-1}.{part:conv_pw|conv_dw|conv_pwl}"
        ),
        "stage{s}.block{b}.{part:expand|depthwise|project}.norm": "blocks.{s:-1}.{b:-1}.{part:bn1|bn2|bn3}",
        "last.{kind:conv|norm}": "{kind:conv_head|bn2}",
        "classifier.predictions": "classifier",
    },
    "xception": {
        "conv{c}.{kind:conv|norm}": "{kind:conv|bn}{c}",
        "{module:entry1|entry2|entry3|exit}.shortcut.{kind:conv|norm}": "block{module:1|2|3|12}.{kind:skip|skipbn}",
        "entry1.conv{c:1|2}.conv": "block1.rep.{c:0|3}",
        "entry1.conv{c:1|2}.norm": "block1.rep.{c:1|4}",
        "{module:entry2|entry3|exit}.conv{c:1|2}.conv": "block{module:2|3|12}.rep.{c:1|4}",
        "{module:entry2|entry3|exit}.conv{c:1|2}.norm": "block{module:2|3|12}.rep.{c:2|5}",
        "middle{n}.conv{c:1|2|3}.conv": "block{n:+3}.rep.{c:1|4|7}",
        "middle{n}.conv{c:1|2|3}.norm": "block{n:+3}.rep.{c:2|5|8}",
        "classifier.predictions": "fc",
    },
}

TIMM |= {
    "vit": {
        "patches.projection.conv": "patch_embed.proj",
        "class_token": "cls_token",
        "position_embedding": "pos_embed",
        _VIT: "blocks.{b:-1}.{part:norm1|attn|norm2|mlp.fc1|mlp.fc2}",
        "norm": "norm",
        "classifier.predictions": "head",
    },
    "swin": {
        "patches.{part:projection.conv|norm}": "patch_embed.{part:proj|norm}",
        _SWIN: "layers.{s:0|1|2|3}.blocks.{b:-1}.{part:norm1|attn|norm2|mlp.fc1|mlp.fc2}",
        "stage{s}.downsample.{part:norm|reduction.conv}": "layers.{s:-1}.downsample.{part:norm|reduction}",
        "norm": "norm",
        "classifier.predictions": "head.fc",
    },
    "mixer": {
        "patches.projection.conv": "stem.proj",
        f"block{{b}}.{{part:{_MIXER}}}": (
            "blocks.{b:-1}.{part:norm1|mlp_tokens.fc1|mlp_tokens.fc2|norm2|mlp_channels.fc1|mlp_channels.fc2}"
        ),
        "norm": "norm",
        "classifier.predictions": "head",
    },
    "hrnet": {
        "stem{n}.{kind:conv|norm}": "{kind:conv|bn}{n}",
        "stage1.block{b}.conv{c}.{kind:conv|norm}": "layer1.{b:-1}.{kind:conv|bn}{c}",
        "stage1.block{b}.shortcut.{kind:conv|norm}": "layer1.{b:-1}.downsample.{kind:0|1}",
        "transition{t}.same{i}.{kind:conv|norm}": "transition{t}.{i:-1}.{kind:0|1}",
        "transition{t}.half{i}.{kind:conv|norm}": "transition{t}.{i:-1}.0.{kind:0|1}",
        "stage{s}.module{m}.branch{i}.block{b}.conv{c}.{kind:conv|norm}": (
            "stage{s}.{m:-1}.branches.{i:-1}.{b:-1}.{kind:conv|bn}{c}"
        ),
        "stage{s}.module{m}.fuse{i}.up{j}.{kind:conv|norm}": "stage{s}.{m:-1}.fuse_layers.{i:-1}.{j:-1}.{kind:0|1}",
        "stage{s}.module{m}.fuse{i}.down{j}.conv{k}.{kind:conv|norm}": (
            "stage{s}.{m:-1}.fuse_layers.{i:-1}.{j:-1}.{k:-1}.{kind:0|1}"
        ),
        "head.grown{i}.conv{c}.{kind:conv|norm}": "incre_modules.{i:-1}.0.{kind:conv|bn}{c}",
        "head.grown{i}.shortcut.{kind:conv|norm}": "incre_modules.{i:-1}.0.downsample.{kind:0|1}",
        "head.down{i}.{kind:conv|norm}": "downsamp_modules.{i:-1}.{kind:0|1}",
        "head.last.{kind:conv|norm}": "final_layer.{kind:0|1}",
        "classifier.predictions": "classifier",
    },
    "convmixer": {
        "stem.{part:unit.conv|norm}": "stem.{part:0|2}",
        "block{b}.depthwise.{part:unit.conv|norm}": "blocks.{b:-1}.0.fn.{part:0|2}",
        "block{b}.pointwise.{part:unit.conv|norm}": "blocks.{b:-1}.{part:1|3}",
        "classifier.predictions": "head",
    },
}

TIMM["convnext"] = {
    "stem.{kind:conv|norm}": "stem.{kind:0|1}",
    "stage{s}.downsample.{kind:norm|conv}": "stages.{s:-1}.downsample.{kind:0|1}",
    f"stage{{s}}.block{{b}}.{{part:{_CONVNEXT}}}": ("stages.{s:-1}.blocks.{b:-1}.{part:conv_dw|norm|mlp.fc1|mlp.fc2}"),
    "stage{s}.block{b}.{part:layer_scale|global_response_norm}": "stages.{s:-1}.blocks.{b:-1}.{part:gamma|mlp.grn}",
    "norm": "head.norm",
    "classifier.predictions": "head.fc",
}

# A deeper stem; means of shortcuts before their convolutions, of one pixel too.
TIMM["resnet_d"] = {
    "stem1.{kind:conv|norm}": "conv1.{kind:0|1}",
    "stem2.{kind:conv|norm}": "conv1.{kind:3|4}",
    "stem3.{kind:conv|norm}": "{kind:conv1.6|bn1}",
    **{ours: theirs for ours, theirs in TIMM["resnet"].items() if "stem" not in ours and "shortcut" not in ours},
    "stage{s}.block{b}.shortcut.{kind:conv|norm}": "layer{s}.{b:-1}.downsample.{kind:1|2}",
}

TIMM["resnest"] = {
    **TIMM["resnet_d"],
    "stage{s}.block{b}.conv2.conv.{kind:conv|norm}": "layer{s}.{b:-1}.conv2.{kind:conv|bn0}",
    "stage{s}.block{b}.conv2.reduce.{kind:conv|norm}": "layer{s}.{b:-1}.conv2.{kind:fc1|bn1}",
    "stage{s}.block{b}.conv2.expand.conv": "layer{s}.{b:-1}.conv2.fc2",
}
TIMM["res2net"] = {
    **TIMM["resnet"],
    "stage{s}.block{b}.conv2.conv{n}.{kind:conv|norm}": "layer{s}.{b:-1}.{kind:convs|bns}.{n:-1}",
}

_REP = "{part:conv|pointwise}.{kind:conv|norm}"
_REP_TIMM = "{part:conv_kxk|conv_1x1}.{kind:conv|bn}"
TIMM["repvgg"] = {
    f"stem.{_REP}": f"stem.{_REP_TIMM}",
    f"stage{{s}}.block{{b}}.{_REP}": f"stages.{{s:-1}}.{{b:-1}}.{_REP_TIMM}",
    "stage{s}.block{b}.identity": "stages.{s:-1}.{b:-1}.identity",
    "classifier.predictions": "head.fc",
}

_GHOST = {
    "{part:expand|project}.{unit:primary|ghosts}.{kind:conv|norm}": (
        "{part:ghost1|ghost2}.{unit:primary_conv|cheap_operation}.{kind:0|1}"
    ),
    "depthwise.{kind:conv|norm}": "{kind:conv_dw|bn_dw}",
    "squeeze_excite.{part:reduce|expand}.conv": "se.{part:conv_reduce|conv_expand}",
    "shortcut_depthwise.{kind:conv|norm}": "shortcut.{kind:0|1}",
    "shortcut.{kind:conv|norm}": "shortcut.{kind:2|3}",
}
TIMM["ghostnet"] = {
    "stem.{kind:conv|norm}": "{kind:conv_stem|bn1}",
    **{f"stage{{s:1|2|3|4|5}}.block1.{ours}": f"blocks.{{s:0|1|3|5|7}}.0.{theirs}" for ours, theirs in _GHOST.items()},
    **{f"stage{{s:2|3|4|5}}.block{{b}}.{ours}": f"blocks.{{s:2|4|6|8}}.{{b:-2}}.{t}" for ours, t in _GHOST.items()},
    "last.{kind:conv|norm}": "blocks.9.0.{kind:conv|bn1}",
    "classifier.{part:dense1|predictions}": "{part:conv_head|classifier}",
}

TIMM["darknet"] = {
    "stem.{kind:conv|norm}": "stem.conv1.{kind:conv|bn}",
    "stage{s}.block{b}.conv{c}.{kind:conv|norm}": "stages.{s:-1}.blocks.{b:-1}.conv{c}.{kind:conv|bn}",
    "stage{s}.{part:downsample|expand|branch|transition}.{kind:conv|norm}": (
        "stages.{s:-1}.{part:conv_down|conv_exp|conv_transition_b|conv_transition}.{kind:conv|bn}"
    ),
    "classifier.predictions": "head.fc",
}

# By letter of ours the places of the blocks that follow one another.
_V4_BLOCKS = {"mixed_5{n:b|c|d|e}": "{n:6|7|8|9}", "mixed_6{n:b|c|d|e|f|g|h}": "{n:11|12|13|14|15|16|17}"}
_V4_LAST = "mixed_7{n:b|c|d}"
TIMM["inception_v4"] = {
    "conv{c}.{kind:conv|norm}": "features.{c:-1}.{kind:conv|bn}",
    "mixed_{n:3|5}a.conv.{kind:conv|norm}": "features.{n:3|5}.conv.{kind:conv|bn}",
    "mixed_{n:4|7}a.{branch:single|double}_{c}.{kind:conv|norm}": (
        "features.{n:4|18}.branch{branch:0|1}.{c:-1}.{kind:conv|bn}"
    ),
    "mixed_6a.single.{kind:conv|norm}": "features.10.branch0.{kind:conv|bn}",
    "mixed_6a.double_{c}.{kind:conv|norm}": "features.10.branch1.{c:-1}.{kind:conv|bn}",
    f"{_V4_LAST}.single_1.{{kind:conv|norm}}": "features.{n:19|20|21}.branch1_0.{kind:conv|bn}",
    f"{_V4_LAST}.double_{{c:1|2|3}}.{{kind:conv|norm}}": "features.{n:19|20|21}.branch2_{c:0|1|2}.{kind:conv|bn}",
    f"{_V4_LAST}.{{branch:single_2|double_4}}.{{end:1x3|3x1}}.{{kind:conv|norm}}": (
        "features.{n:19|20|21}.branch{branch:1_1|2_3}{end:a|b}.{kind:conv|bn}"
    ),
    **{
        f"{ours}.{part}.{{kind:conv|norm}}": f"features.{place}.branch{branch}.{{kind:conv|bn}}"
        for ours, place in {**_V4_BLOCKS, _V4_LAST: "{n:19|20|21}"}.items()
        for part, branch in {
            "1x1": "0",
            "{branch:single|double}_{c}": "{branch:1|2}.{c:-1}",
            "pool_2": "3.1",
        }.items()
    },
    "classifier.predictions": "last_linear",
}

KERAS_HUB: dict[str, dict[str, str]] = {
    "resnet": {
        "stem.{kind:conv|norm}": "conv1_{kind:conv|bn}",
        "stage{s}.block{b}.preactivation.norm": "stack{s:-1}_block{b:-1}_pre_activation_bn",
        "stage{s}.block{b}.conv{c}.{kind:conv|norm}": "stack{s:-1}_block{b:-1}_{c}_{kind:conv|bn}",
        "stage{s}.block{b}.shortcut.{kind:conv|norm}": "stack{s:-1}_block{b:-1}_0_{kind:conv|bn}",
        "postactivation.norm": "post_bn",
        "classifier.predictions": "predictions",
    },
}

# Of networks of ours that hold another one.
OURS: dict[str, dict[str, str]] = {"fcn": {_FCN: _FCN, "fc{n:6|7}.conv": "classifier.dense{n:1|2}"}}

# By library and where it matters by family: the dialects that compute what the library does, the first that a network
# has; none where every one does.
_ANY: tuple[str, ...] = ()
DIALECTS: dict[tuple[str, str], tuple[str, ...]] = {
    **{("keras.applications", family): (TRAINED_DIALECT,) for family in KERAS},
    ("keras.applications", "efficientnet"): (TRAINED_DIALECT, RESCALED),
    **{("torchvision", family): ("torchvision",) for family in TORCHVISION},
    **{("timm", family): ("timm", "torchvision") for family in TIMM},
    ("keras-hub", "resnet"): ("torchvision", "timm"),
    **{(library, "fcn"): _ANY for library in ("keras.applications", "torchvision", "timm", "layerblocks")},
}

# What Keras calls a variable that its layer gives no name.
UNNAMED = r"variable(_\d+)?"
# Of torch's tensors by the names of Keras's.
TORCH_TENSORS = {
    "kernel": "weight",
    "depthwise_kernel": "conv1.weight",  # of a separable convolution, which is two layers there
    "pointwise_kernel": "pointwise.weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
TORCH_TENSORS |= {
    **{
        f"{part}/{ours}": f"{part}.{theirs}"
        for part in ("query", "key", "value", "attention_output", "offset_hidden", "offset_bias")
        for ours, theirs in (("kernel", "weight"), ("bias", "bias"))
    },
    "position_bias": "relative_position_bias_table",
    "token": "weight",
    "embeddings": "weight",
}
TORCH_COUNTERS = ("num_batches_tracked", "relative_position_index", "relative_coords_table")
TORCH_RENAMED = {
    # Names in the files that torchvision publishes, which it changes itself when it loads them.
    r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)": r"\1\2",
    r"(.*encoder_layer_\d+\.mlp)\.linear_1\.": r"\1.0.",
    r"(.*encoder_layer_\d+\.mlp)\.linear_2\.": r"\1.3.",
    # Parameters of a network itself, as of a module with a weight.
    r"^((?:.*\.)?(?:class_token|cls_token|pos_embedding|pos_embed|layer_scale))$": r"\1.weight",
    r"^(stages\.\d+\.blocks\.\d+\.gamma)$": r"\1.weight",
}
