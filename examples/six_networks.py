"""Six published networks in a few lines each, of blocks alone: `python examples/six_networks.py`.

ResNeXt-50 32×4d (Xie et al. 2017), Wide ResNet-50-2 (Zagoruyko and Komodakis 2016), EfficientNet-B0 (Tan and Le 2019),
MobileNetV3-Small (Howard et al. 2019), ConvNeXt-T (Liu et al. 2022), Inception-ResNet-v2 (Szegedy et al. 2017).
"""

from __future__ import annotations

from functools import partial
from math import prod

import keras

from layerblocks.blocks import (
    avg_pool,
    batch_norm,
    bottleneck,
    branches,
    classifier,
    conv_bn,
    convnext_block,
    global_avg_pool,
    inception_residual,
    inverted_residual,
    layer_norm,
    max_pool,
    preact_conv,
    squeeze_excite,
    stochastic_depth,
    weightless,
)
from layerblocks.blocks import conv as plain_conv


def wide_resnet(x, *, reduction, groups=1, classes=1000):
    """ResNet-50 with another width inside its bottlenecks."""
    x = max_pool(conv_bn(x, 64, 7, strides=2, name="stem"), 3, strides=2, name="pool")
    for stage, (filters, repeats) in enumerate([(256, 3), (512, 4), (1024, 6), (2048, 3)], 1):
        for block in range(1, repeats + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            options = {"reduction": reduction, "groups": groups, "stride_on": "3x3"}
            x = bottleneck(x, filters, strides=strides, name=f"stage{stage}.block{block}", **options)
    return classifier(x, classes, name="classifier")


resnext50 = partial(wide_resnet, reduction=2, groups=32)
wide_resnet50 = partial(wide_resnet, reduction=2)


def efficientnet_b0(x, *, classes=1000, rate=0.2):
    conv = partial(conv_bn, activation="silu")
    x = conv(x, 32, strides=2, name="stem")
    stages = [(16, 1, 1, 1, 3), (24, 2, 2, 6, 3), (40, 2, 2, 6, 5), (80, 3, 2, 6, 3), (112, 3, 1, 6, 5)]
    stages += [(192, 4, 2, 6, 5), (320, 1, 1, 6, 3)]
    for stage, (filters, repeats, strides, expansion, kernel) in enumerate(stages, 1):
        for block in range(1, repeats + 1):
            options = {"expansion": expansion, "kernel_size": kernel, "conv": conv}
            options["inner"] = [partial(squeeze_excite, ratio=4 * expansion)]
            options["transforms"] = [partial(stochastic_depth, rate=rate * stage / 7)]
            step = strides if block == 1 else 1
            x = inverted_residual(x, filters, strides=step, name=f"stage{stage}.block{block}", **options)
    return classifier(conv(x, 1280, 1, name="top"), classes, dropout=0.2, name="classifier")


def mobilenet_v3_small(x, *, classes=1000):
    x = conv_bn(x, 16, strides=2, activation="hard_silu", name="stem")
    table = [(16, 16, 2, 3, 8, "relu"), (24, 72, 2, 3, 0, "relu"), (24, 88, 1, 3, 0, "relu")]
    table += [(40, 96, 2, 5, 24, "hard_silu"), *[(40, 240, 1, 5, 64, "hard_silu")] * 2]
    table += [(48, 120, 1, 5, 32, "hard_silu"), (48, 144, 1, 5, 40, "hard_silu")]
    table += [(96, 288, 2, 5, 72, "hard_silu"), *[(96, 576, 1, 5, 144, "hard_silu")] * 2]
    for block, (filters, width, strides, kernel, narrow, activation) in enumerate(table, 1):
        se = partial(squeeze_excite, filters=narrow, gate="hard_sigmoid", conv=plain_conv)
        options = {"expansion": width / x.shape[-1], "kernel_size": kernel, "inner": [se] if narrow else []}
        options["conv"] = partial(conv_bn, activation=activation)
        x = inverted_residual(x, filters, strides=strides, name=f"block{block}", **options)
    x = conv_bn(x, 576, 1, activation="hard_silu", name="top")
    return classifier(x, classes, units=(1024,), dropout=0.2, hidden_activation="hard_silu", name="classifier")


def convnext_tiny(x, *, classes=1000):
    norm = partial(layer_norm, epsilon=1e-6)
    x = plain_conv(x, 96, 4, strides=4, norm=norm, activation=None, use_bias=True, name="stem")
    for stage, (filters, repeats) in enumerate([(96, 3), (192, 3), (384, 9), (768, 3)], 1):
        if stage > 1:
            options = {"norm": norm, "activation": None, "use_bias": True, "name": f"stage{stage}.down"}
            x = preact_conv(x, filters, 2, strides=2, **options)
        for block in range(1, repeats + 1):
            x = convnext_block(x, name=f"stage{stage}.block{block}")
    x = norm(global_avg_pool(x, name="pool"), name="norm")
    return classifier(x, classes, pooling=None, name="classifier")


def inception_resnet_v2(x, *, classes=1000):
    conv = partial(conv_bn, norm=partial(batch_norm, scale=False))
    valid, half = partial(conv, padding="valid"), {"strides": 2, "padding": "valid"}
    shrink, pool = partial(max_pool, pool_size=3, **half), partial(avg_pool, pool_size=3, strides=1)
    x = conv(valid(valid(x, 32, strides=2), 32), 64)
    x = shrink(valid(valid(shrink(x), 80, 1), 192))
    x = branches(x, [[(96, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)], [pool, (64, 1)]], conv=conv)
    for _ in range(10):
        x = inception_residual(x, [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]], factor=0.17, conv=conv)
    last = [{"filters": filters, **half} for filters in (384, 288, 320)]
    x = branches(x, [[last[0]], [(256, 1), (256, 3), last[0]], [shrink]], conv=conv)
    for _ in range(20):
        x = inception_residual(x, [[(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]], factor=0.1, conv=conv)
    x = branches(x, [[(256, 1), last[0]], [(256, 1), last[1]], [(256, 1), (288, 3), last[2]], [shrink]], conv=conv)
    for factor, at in [(0.2, "end")] * 9 + [(1.0, None)]:
        table = [[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]]
        x = inception_residual(x, table, factor=factor, activation_at=at, conv=conv)
    return classifier(conv(x, 1536, 1, name="top"), classes, name="classifier")


NETWORKS = {
    "resnext50": (resnext50, 224),
    "wide_resnet50": (wide_resnet50, 224),
    "efficientnet_b0": (efficientnet_b0, 224),
    "mobilenet_v3_small": (mobilenet_v3_small, 224),
    "convnext_tiny": (convnext_tiny, 224),
    "inception_resnet_v2": (inception_resnet_v2, 299),
}
"""Each with the side of its images."""


def trainable_parameters(name):
    """Of a network by name, built without its weights."""
    network, side = NETWORKS[name]
    with weightless():
        model = keras.Model(x := keras.Input((side, side, 3)), network(x), name=name)
    return sum(prod(variable.shape) for variable in model.trainable_variables)


if __name__ == "__main__":
    for network in NETWORKS:
        print(f"{network}: {trainable_parameters(network):,} trainable parameters")
