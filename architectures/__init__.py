"""The published networks, each assembled from blocks, and what is done to a finished model.

Names resolve when first used, so that `list_architectures` answers without importing Keras.

Example:
    >>> from layerblocks.architectures import build, list_architectures
    >>> "resnet50" in list_architectures()
    True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .catalogue import ENTRIES, build, describe, list_architectures

if TYPE_CHECKING:
    from .alexnets import alexnet, zfnet
    from .convolutional_heads import fully_convolutional
    from .densenets import (
        cifar_densenet,
        cifar_densenet40,
        cifar_densenet_bc100,
        densenet,
        densenet121,
        densenet169,
        densenet201,
        densenet264,
    )
    from .devices import WorkerLost, device_strategy, is_chief
    from .exports import export
    from .feature_maps import features
    from .freezing import freeze
    from .googlenets import googlenet, googlenet_bn, googlenet_torchvision
    from .inceptions_v3 import inception_v3
    from .inference import Folding, folding, inference_model
    from .lenets import lenet5
    from .mobilenets import mobilenet, mobilenet_v2
    from .network import architecture, variant
    from .quick_training import training_model
    from .resnets import (
        cifar_resnet,
        cifar_resnet20,
        cifar_resnet32,
        cifar_resnet44,
        cifar_resnet56,
        cifar_resnet110,
        cifar_resnet164_v2,
        cifar_resnet1202,
        resnet,
        resnet18,
        resnet18_v2,
        resnet34,
        resnet34_v2,
        resnet50,
        resnet50_v2,
        resnet101,
        resnet101_v2,
        resnet152,
        resnet152_v2,
        resnet_v2,
        se_resnet50,
    )
    from .segmentations import fcn, fcn8s, fcn16s, fcn32s, unet
    from .surgery import insert, remove, replace, tensor_at, truncate, with_new_head
    from .training import compile_args, label_every_output, loss_weights, quickest_jit
    from .training_loop import fit_distributed
    from .vggs import (
        vgg,
        vgg11,
        vgg11_bn,
        vgg11_lrn,
        vgg11_lrn_bn,
        vgg13,
        vgg13_bn,
        vgg16,
        vgg16_bn,
        vgg16c,
        vgg16c_bn,
        vgg19,
        vgg19_bn,
    )
    from .weights import load_keras_applications, load_torchvision
    from .xceptions import xception

_MODULES = {name: entry.module for name, entry in ENTRIES.items()} | {
    "architecture": "network",
    "cifar_densenet": "densenets",
    "cifar_resnet": "resnets",
    "compile_args": "training",
    "densenet": "densenets",
    "device_strategy": "devices",
    "export": "exports",
    "fcn": "segmentations",
    "features": "feature_maps",
    "fit_distributed": "training_loop",
    "freeze": "freezing",
    "fully_convolutional": "convolutional_heads",
    "inference_model": "inference",
    "folding": "inference",
    "Folding": "inference",
    "WorkerLost": "devices",
    "insert": "surgery",
    "is_chief": "devices",
    "label_every_output": "training",
    "load_keras_applications": "weights",
    "load_torchvision": "weights",
    "loss_weights": "training",
    "quickest_jit": "training",
    "remove": "surgery",
    "replace": "surgery",
    "resnet": "resnets",
    "resnet_v2": "resnets",
    "tensor_at": "surgery",
    "training_model": "quick_training",
    "truncate": "surgery",
    "variant": "network",
    "vgg": "vggs",
    "with_new_head": "surgery",
}

__all__ = [
    "Folding",
    "WorkerLost",
    "alexnet",
    "architecture",
    "build",
    "cifar_densenet",
    "cifar_densenet40",
    "cifar_densenet_bc100",
    "cifar_resnet",
    "cifar_resnet20",
    "cifar_resnet32",
    "cifar_resnet44",
    "cifar_resnet56",
    "cifar_resnet110",
    "cifar_resnet164_v2",
    "cifar_resnet1202",
    "compile_args",
    "densenet",
    "densenet121",
    "densenet169",
    "densenet201",
    "densenet264",
    "describe",
    "device_strategy",
    "export",
    "fcn",
    "fcn8s",
    "fcn16s",
    "fcn32s",
    "features",
    "fit_distributed",
    "folding",
    "freeze",
    "fully_convolutional",
    "googlenet",
    "googlenet_bn",
    "googlenet_torchvision",
    "inception_v3",
    "inference_model",
    "insert",
    "is_chief",
    "label_every_output",
    "lenet5",
    "list_architectures",
    "load_keras_applications",
    "load_torchvision",
    "loss_weights",
    "mobilenet",
    "mobilenet_v2",
    "quickest_jit",
    "remove",
    "replace",
    "resnet",
    "resnet18",
    "resnet18_v2",
    "resnet34",
    "resnet34_v2",
    "resnet50",
    "resnet50_v2",
    "resnet101",
    "resnet101_v2",
    "resnet152",
    "resnet152_v2",
    "resnet_v2",
    "se_resnet50",
    "tensor_at",
    "training_model",
    "truncate",
    "unet",
    "variant",
    "vgg",
    "vgg11",
    "vgg11_bn",
    "vgg11_lrn",
    "vgg11_lrn_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg16c",
    "vgg16c_bn",
    "vgg19",
    "vgg19_bn",
    "with_new_head",
    "xception",
    "zfnet",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
