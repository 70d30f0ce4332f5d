"""What the blocks must give, in closed form and plain Python: output shapes, parameters and multiply-adds.

An oracle mirrors the piece of its name: where `inception(x, 64, (96, 128), (16, 32), 32, conv=separable)` makes a
tensor, `oracles.inception(shape, 64, (96, 128), (16, 32), 32, conv=oracles.separable)` says its shape and counts
from `shape = (height, width, channels)`; a height or width of None is unknown and stays so. Where the piece has to
refuse, the oracle raises ValueError. Nothing here imports Keras or the pieces themselves.

Example:
    >>> inception((28, 28, 192), 64, (96, 128), (16, 32), 32)
    Expected(shape=(28, 28, 256), parameters=163696, multiply_adds=128049152)

`layers` has those of single layers, `units` and `blocks` those of the pieces of these names; `@oracle` beside each says
to which block it belongs.
"""

from __future__ import annotations

from ...graphs.window_arithmetic import Side as Side
from ...graphs.window_arithmetic import conv_out as conv_out
from ...graphs.window_arithmetic import extent as extent
from ...graphs.window_arithmetic import least_input as least_input
from ...graphs.window_arithmetic import pair as pair
from ...graphs.window_arithmetic import pool_out as pool_out
from ...graphs.window_arithmetic import transposed_out as transposed_out
from ...graphs.window_arithmetic import windows as windows
from .blocks import aux_classifier as aux_classifier
from .blocks import basic_residual as basic_residual
from .blocks import bilinear_up as bilinear_up
from .blocks import bottleneck as bottleneck
from .blocks import channel_projection_shortcut as channel_projection_shortcut
from .blocks import classifier as classifier
from .blocks import decoder_block as decoder_block
from .blocks import dense_block as dense_block
from .blocks import dense_layer as dense_layer
from .blocks import depthwise_separable as depthwise_separable
from .blocks import fuse_scores as fuse_scores
from .blocks import identity_shortcut as identity_shortcut
from .blocks import inception as inception
from .blocks import inception_asymmetric as inception_asymmetric
from .blocks import inception_expanded as inception_expanded
from .blocks import inception_reduction as inception_reduction
from .blocks import inception_stacked as inception_stacked
from .blocks import inverted_residual as inverted_residual
from .blocks import match_size as match_size
from .blocks import pad_shortcut as pad_shortcut
from .blocks import projection_shortcut as projection_shortcut
from .blocks import residual as residual
from .blocks import squeeze_excite as squeeze_excite
from .blocks import subsample as subsample
from .blocks import transition as transition
from .blocks import vgg_block as vgg_block
from .blocks import xception_module as xception_module
from .layers import Expected as Expected
from .layers import Oracle as Oracle
from .layers import Padding as Padding
from .layers import Shape as Shape
from .layers import Size as Size
from .layers import add as add
from .layers import added as added
from .layers import batch_norm as batch_norm
from .layers import concat as concat
from .layers import dense as dense
from .layers import flatten as flatten
from .layers import global_pool as global_pool
from .layers import upsample as upsample
from .registry import ORACLES as ORACLES
from .registry import Registered as Registered
from .registry import oracle as oracle
from .units import conv as conv
from .units import conv_bn as conv_bn
from .units import depthwise as depthwise
from .units import dilated as dilated
from .units import pool as pool
from .units import preact_conv as preact_conv
from .units import separable as separable
from .units import separable_bn as separable_bn
from .units import sparse as sparse
from .units import transposed as transposed
