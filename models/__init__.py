"""What is done to a finished Keras model: surgery, heads, features, freezing, copies for training and use, export.

Names resolve when first used.

Example:
    >>> from layerblocks.architectures import resnet18
    >>> from layerblocks.models import features
    >>> sorted(features(resnet18(input_shape=(64, 64, 3)), strides=(8, 16)).output)
    ['stride16', 'stride8']
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
