"""What is known of each layer and operation, an `Entry` each; read when `rules` is first asked.

Receptive fields, multiply-adds, words and roles of a layer are here; `rules` has what entries are made of.
"""

from . import layers as layers
from . import operations as operations
from . import own_layers as own_layers
