"""The networks of `keras.applications` with trained weights, and what their images have to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

UNIT = "unit"  # images from 0 to 1, as train.py feeds them


@dataclass(frozen=True)
class Pretrained:
    """A network of `keras.applications` with trained weights.

    Args:
        module: with its `preprocess_input`.
        size: side of the images that it was trained on, in pixels.
        up_to: the last block before its last stage.
    """

    module: str
    size: int
    up_to: str


PRETRAINED = {
    "Xception": Pretrained("xception", 299, "block12"),
    "VGG16": Pretrained("vgg16", 224, "block4"),
    "VGG19": Pretrained("vgg19", 224, "block4"),
    "ResNet50": Pretrained("resnet", 224, "conv4"),
    "ResNet50V2": Pretrained("resnet_v2", 224, "conv4"),
    "ResNet101": Pretrained("resnet", 224, "conv4"),
    "ResNet101V2": Pretrained("resnet_v2", 224, "conv4"),
    "ResNet152": Pretrained("resnet", 224, "conv4"),
    "ResNet152V2": Pretrained("resnet_v2", 224, "conv4"),
    "InceptionV3": Pretrained("inception_v3", 299, "mixed7"),
    "InceptionResNetV2": Pretrained("inception_resnet_v2", 299, "block17_20"),
    "MobileNet": Pretrained("mobilenet", 224, "conv_pw_11"),
    "MobileNetV2": Pretrained("mobilenet_v2", 224, "block_12"),
    "DenseNet121": Pretrained("densenet", 224, "pool4"),
    "DenseNet169": Pretrained("densenet", 224, "pool4"),
    "DenseNet201": Pretrained("densenet", 224, "pool4"),
    "NASNetMobile": Pretrained("nasnet", 224, "normal_concat_8"),
    "NASNetLarge": Pretrained("nasnet", 331, "normal_concat_12"),
    "EfficientNetB0": Pretrained("efficientnet", 224, "block5c"),
    "EfficientNetB1": Pretrained("efficientnet", 240, "block5d"),
    "EfficientNetB2": Pretrained("efficientnet", 260, "block5d"),
    "EfficientNetB3": Pretrained("efficientnet", 300, "block5e"),
    "EfficientNetB4": Pretrained("efficientnet", 380, "block5f"),
    "EfficientNetB5": Pretrained("efficientnet", 456, "block5g"),
    "EfficientNetB6": Pretrained("efficientnet", 528, "block5h"),
    "EfficientNetB7": Pretrained("efficientnet", 600, "block5j"),
    "EfficientNetV2B0": Pretrained("efficientnet_v2", 224, "block5e"),
    "EfficientNetV2B1": Pretrained("efficientnet_v2", 240, "block5f"),
    "EfficientNetV2B2": Pretrained("efficientnet_v2", 260, "block5f"),
    "EfficientNetV2B3": Pretrained("efficientnet_v2", 300, "block5g"),
    "EfficientNetV2S": Pretrained("efficientnet_v2", 384, "block5i"),
    "EfficientNetV2M": Pretrained("efficientnet_v2", 480, "block5n"),
    "EfficientNetV2L": Pretrained("efficientnet_v2", 480, "block5s"),
    "ConvNeXtTiny": Pretrained("convnext", 224, "convnext_tiny_stage_2"),
    "ConvNeXtSmall": Pretrained("convnext", 224, "convnext_small_stage_2"),
    "ConvNeXtBase": Pretrained("convnext", 224, "convnext_base_stage_2"),
    "ConvNeXtLarge": Pretrained("convnext", 224, "convnext_large_stage_2"),
    "ConvNeXtXLarge": Pretrained("convnext", 224, "convnext_xlarge_stage_2"),
}
MODULES = sorted({known.module for known in PRETRAINED.values()})


def preprocessing(name: str) -> Callable[[Any], Any]:
    """From images from 0 to 1 to what the network was trained on."""
    if name == UNIT:
        return lambda images: images
    function = getattr(keras.applications, name).preprocess_input
    return lambda images: function(images * 255)
