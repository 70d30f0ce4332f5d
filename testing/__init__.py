"""Property-based shape tests for everyone: what a net should make of any image, checked without weights in seconds.

The shape language, the oracles and the assertions need neither Hypothesis nor, until they are given a model, Keras;
`check_net` and the strategies need Hypothesis, by `pip install layerblocks[testing]`. Names resolve when first used.

Example:
    >>> from layerblocks.testing import check_net, Spec
    >>> Spec.parse("b h w c -> b ceil(h/2) ceil(w/2) f").expected((None, 7, 9, 3), f=64)
    (None, 4, 5, 64)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
