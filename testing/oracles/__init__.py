"""What the blocks must give, in closed form and plain Python: output shapes, parameters and multiply-adds.

An oracle mirrors the piece of its name: where `inception(x, 64, (96, 128), (16, 32), 32, conv=separable)` makes a
tensor, `oracles.inception(shape, 64, (96, 128), (16, 32), 32, conv=oracles.separable)` says its shape and counts
from `shape = (height, width, channels)`; a height or width of None is unknown and stays so. Where the piece has to
refuse, the oracle raises ValueError. Nothing here imports Keras or the pieces themselves.

Example:
    >>> inception((28, 28, 192), 64, (96, 128), (16, 32), 32)
    Expected(shape=(28, 28, 256), parameters=163696, multiply_adds=128049152)

`layers` has those of single layers, `units`, `blocks` and `pieces` those of blocks; `@oracle` beside each says
to which block it belongs.
"""

from __future__ import annotations

# ruff: noqa: F403  (all that these have, so that a new oracle needs no line here)
from ...graphs.window_arithmetic import *
from .blocks import *
from .layers import *
from .pieces import *
from .registry import *
from .units import *
