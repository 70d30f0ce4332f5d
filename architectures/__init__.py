"""The published networks, each assembled from blocks, and what is done to a finished model.

Names resolve when first used, so that `list_architectures` answers without importing Keras.

Example:
    >>> from layerblocks.architectures import build, list_architectures
    >>> "resnet50" in list_architectures()
    True
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
