"""The published networks, each assembled from blocks.

Names resolve when first used, so that `list_architectures` answers without importing Keras.

Example:
    >>> from layerblocks.architectures import build, list_architectures
    >>> "resnet50" in list_architectures()
    True
"""

import lazy_loader

from .catalogue import ENTRIES

# By module what is public beside the networks of the catalogue; type checkers read the same in `__init__.pyi`.
_PUBLIC = {
    "catalogue": ["build", "describe", "list_architectures"],
    "configs": ["config_of", "write_config"],
    "constructor": ["architecture", "variant"],
    "convmixers": ["convmixer"],
    "convnexts": ["convnext", "convnext_v2"],
    "cspnets": ["cspnet"],
    "darknets": ["darknet"],
    "densenets": ["cifar_densenet", "densenet"],
    "dilated_segmentations": ["dilated_segmentation", "lraspp"],
    "efficientnets": ["efficientnet"],
    "fc_densenets": ["fc_densenet"],
    "ghostnets": ["ghostnet"],
    "hrnets": ["hrnet"],
    "linknets": ["linknet"],
    "mixers": ["mixer"],
    "mnasnets": ["mnasnet"],
    "mobilenets_v3": ["mobilenet_v3"],
    "nasnets": ["nasnet"],
    "origins": ["origin"],
    "pyramid_segmentations": ["deeplab_v3_plus", "semantic_fpn"],
    "recipes": ["Recipe", "Schedule", "recipe"],
    "regnets": ["regnet"],
    "repvggs": ["repvgg"],
    "resnets": ["cifar_resnet", "resnet", "resnet_v2"],
    "segmentations": ["fcn"],
    "shufflenets": ["shufflenet_v2"],
    "squeezenets": ["squeezenet"],
    "swins": ["swin", "swin_v2"],
    "vggs": ["vgg"],
    "videos": ["video_resnet"],
    "vits": ["vit"],
    "edsrs": ["edsr"],
    "eegnets": ["eegnet"],
    "weights": ["inflate_kernel", "load"],
}
for _entry in ENTRIES.values():
    _PUBLIC.setdefault(_entry.module, []).append(_entry.name)

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs=_PUBLIC)
