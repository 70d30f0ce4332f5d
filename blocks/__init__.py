"""Tensor -> tensor functions: everything a network is made of.

A unit is `unit(x, filters, kernel_size=3, *, strides=1, …, name=None)`: `conv`, `conv_bn`, `separable`, `dilated`,
`transposed`. A block is given its unit as `conv=`, so that `functools.partial` reaches every norm, activation,
initialiser and regulariser inside it. `@block` makes one of any function of tensors; a public name is
one line here, and `registered("unit")` has the units by name. Where a function is accepted, so is its name, with
arguments or without: `conv="separable"`, `norm=("group_norm", {"groups": 8})`.

Signals (`batch length channels`), images (`batch height width channels`) and volumes (`batch depth height width
channels`) go through the same functions: how many axes there are is seen from `x`, and a size is one number for all
of them or one for each.

`x` is a symbolic tensor. Every function here raises a ValueError of a number out of range and a TypeError of an
argument of the wrong type or one that its Keras layer does not have, in one line that names both; its help says what
else it refuses.

Example:
    >>> import keras
    >>> from functools import partial
    >>> from layerblocks.blocks import bottleneck, conv, group_norm
    >>> x = keras.Input((56, 56, 64))
    >>> bottleneck(x, 256, conv=partial(conv, norm=group_norm, activation="gelu")).shape
    (None, 56, 56, 256)
"""

from typing import TYPE_CHECKING

from .activations import activate as activate
from .activations import dropout as dropout
from .activations import stochastic_depth as stochastic_depth
from .attention import squeeze_excite as squeeze_excite
from .branches import branches as branches
from .branches import inception_residual as inception_residual
from .channel_moves import channel_shuffle as channel_shuffle
from .channel_moves import split as split
from .contexts import aspp as aspp
from .contexts import avg_pool_shortcut as avg_pool_shortcut
from .contexts import feature_pyramid as feature_pyramid
from .contexts import pyramid_pooling as pyramid_pooling
from .convnexts import convnext_block as convnext_block
from .core import block as block
from .core import deep_graphs as deep_graphs
from .core import expects as expects
from .core import unit as unit
from .core import weightless as weightless
from .decoders import bilinear_up as bilinear_up
from .decoders import decoder_block as decoder_block
from .decoders import fuse_scores as fuse_scores
from .dense_blocks import dense_block as dense_block
from .dense_blocks import dense_layer as dense_layer
from .dense_blocks import transition as transition
from .fully_connected import dense as dense
from .fully_connected import flatten as flatten
from .fully_connected import radial_basis as radial_basis
from .gates import attention_gate as attention_gate
from .gates import cbam as cbam
from .gates import eca as eca
from .gates import gate as gate
from .gates import layer_scale as layer_scale
from .gates import rescale as rescale
from .heads import aux_classifier as aux_classifier
from .heads import classifier as classifier
from .heads import pixel_predictions as pixel_predictions
from .inceptions import inception as inception
from .inceptions import inception_asymmetric as inception_asymmetric
from .inceptions import inception_expanded as inception_expanded
from .inceptions import inception_reduction as inception_reduction
from .inceptions import inception_stacked as inception_stacked
from .initializers import Bilinear as Bilinear
from .initializers import FanInUniform as FanInUniform
from .kernel_norms import spectral_normalized as spectral_normalized
from .kernel_norms import weight_normalized as weight_normalized
from .kernel_norms import weight_standardized as weight_standardized
from .layers import AdaptiveAveragePooling1D as AdaptiveAveragePooling1D
from .layers import AdaptiveAveragePooling2D as AdaptiveAveragePooling2D
from .layers import AdaptiveAveragePooling3D as AdaptiveAveragePooling3D
from .layers import DilatedAveragePooling1D as DilatedAveragePooling1D
from .layers import DilatedAveragePooling2D as DilatedAveragePooling2D
from .layers import DilatedAveragePooling3D as DilatedAveragePooling3D
from .layers import DilatedMaxPooling1D as DilatedMaxPooling1D
from .layers import DilatedMaxPooling2D as DilatedMaxPooling2D
from .layers import DilatedMaxPooling3D as DilatedMaxPooling3D
from .layers import FusedBatchNormalization as FusedBatchNormalization
from .layers import LocalResponseNormalization as LocalResponseNormalization
from .layers import MatchSize as MatchSize
from .layers import PadChannels as PadChannels
from .layers import RadialBasisDense as RadialBasisDense
from .layers import SparseConv1D as SparseConv1D
from .layers import SparseConv2D as SparseConv2D
from .layers import SparseConv3D as SparseConv3D
from .layers import StochasticDepth as StochasticDepth
from .layers import scaled_tanh as scaled_tanh
from .map_norms import global_response_norm as global_response_norm
from .map_norms import instance_norm as instance_norm
from .map_norms import rms_norm as rms_norm
from .merges import add as add
from .merges import concat as concat
from .merges import scale as scale
from .multipath_units import ghost_conv as ghost_conv
from .multipath_units import hierarchical_conv as hierarchical_conv
from .multipath_units import parallel_conv as parallel_conv
from .multipath_units import split_attention as split_attention
from .norms import batch_norm as batch_norm
from .norms import fused_batch_norm as fused_batch_norm
from .norms import group_norm as group_norm
from .norms import layer_norm as layer_norm
from .norms import local_response_norm as local_response_norm
from .pools import adaptive_avg_pool as adaptive_avg_pool
from .pools import avg_pool as avg_pool
from .pools import global_avg_pool as global_avg_pool
from .pools import global_max_pool as global_max_pool
from .pools import max_pool as max_pool
from .residuals import basic_residual as basic_residual
from .residuals import bottleneck as bottleneck
from .residuals import channel_projection_shortcut as channel_projection_shortcut
from .residuals import identity_shortcut as identity_shortcut
from .residuals import merge_residual as merge_residual
from .residuals import pad_shortcut as pad_shortcut
from .residuals import projection_shortcut as projection_shortcut
from .residuals import residual as residual
from .resizing import blur_pool as blur_pool
from .resizing import pixel_shuffle as pixel_shuffle
from .resizing import pixel_unshuffle as pixel_unshuffle
from .resizing import resize as resize
from .resizing import resize_conv as resize_conv
from .resizing import resize_like as resize_like
from .resizing import subpixel_conv as subpixel_conv
from .resizing import unpool as unpool
from .separables import depthwise_separable as depthwise_separable
from .separables import inverted_residual as inverted_residual
from .separables import xception_module as xception_module
from .signatures import default_of as default_of
from .sizes import crop as crop
from .sizes import match_size as match_size
from .sizes import zero_pad as zero_pad
from .tokens import class_token as class_token
from .tokens import first_token as first_token
from .tokens import patch_embedding as patch_embedding
from .tokens import patch_merging as patch_merging
from .tokens import position_embedding as position_embedding
from .tokens import to_map as to_map
from .tokens import tokens as tokens
from .transformers import mixer_block as mixer_block
from .transformers import mlp as mlp
from .transformers import self_attention as self_attention
from .transformers import transformer_block as transformer_block
from .units import conv as conv
from .units import conv_bn as conv_bn
from .units import depthwise as depthwise
from .units import dilated as dilated
from .units import matching as matching
from .units import norm_activation as norm_activation
from .units import preact_conv as preact_conv
from .units import separable as separable
from .units import sparse as sparse
from .units import transposed as transposed
from .vgg import chain as chain
from .vgg import subsample as subsample
from .vgg import vgg_block as vgg_block
from .words import register as register
from .words import registered as registered

if not TYPE_CHECKING:  # which read the lines above
    __all__ = sorted(name for name, value in globals().items() if getattr(value, "__module__", "").startswith(__name__))
