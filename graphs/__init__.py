"""What a network is, as plain data: any Keras model read, counted, grouped and drawn together into blocks.

`read_graph` reads; `collapse`, `fuse`, `fold`, `group` and `overview` make graphs of graphs; `receptive_field` and
`min_input_size` follow windows. Names resolve when first used.

Example:
    >>> import keras
    >>> from layerblocks.graphs import read_graph
    >>> x = keras.Input((8, 8, 3))
    >>> read_graph(keras.Model(x, keras.layers.Conv2D(4, 3)(x))).nodes[1].parameters
    112
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
