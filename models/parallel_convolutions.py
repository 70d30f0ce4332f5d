"""Sums of convolutions of one tensor, which one convolution computes (Ding et al. 2021, RepVGG, figure 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .. import _keras
from ..blocks.layers import Add, MinimumSize
from .cloning import Parts
from .rewiring import Wiring

_CONVS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_PADS = (keras.layers.ZeroPadding1D, keras.layers.ZeroPadding2D, keras.layers.ZeroPadding3D)


@dataclass(frozen=True)
class Branch:
    """Of a sum: the call of a convolution or None, and the norm after it or None."""

    conv: Any
    norm: Any


@dataclass(frozen=True)
class Sum:
    """A sum that one convolution computes: its branches, which has the widest kernel, where the others lie in that."""

    branches: tuple[Branch, ...]
    widest: int
    offset: tuple[int, ...]

    @property
    def layer(self) -> Any:
        """The convolution of the widest kernel."""
        return self.branches[self.widest].conv.operation

    @property
    def identities(self) -> Iterator[Any]:
        """The norms of what enters."""
        return (branch.norm for branch in self.branches if branch.conv is None and branch.norm is not None)


def parallel_sums(parts: Parts, into: Mapping[int, Any]) -> dict[int, Sum]:
    """Find the sums of two convolutions of one tensor or more, by the `id` of their calls.

    Beside them may stand that tensor and norms of it.

    Args:
        into: by the `id` of a convolution the norm that is folded into it.
    """
    times = Counter(id(call.operation) for _, wiring in parts.values() for call in wiring.calls)
    found = {}
    for _, wiring in parts.values():
        for call in wiring.calls:
            if type(call.operation) in (keras.layers.Add, Add) and times[id(call.operation)] == 1:
                one = _sum_of(call, wiring, times, into)
                if one is not None:
                    found[id(call)] = one
    return found


def _sum_of(total: Any, wiring: Wiring, times: Mapping[int, int], into: Mapping[int, Any]) -> Sum | None:
    branches, sources = [], set()
    outputs = {id(tensor) for tensor in wiring.model.outputs}

    def is_alone(tensor: Any) -> bool:
        call = _keras.call_of(tensor)
        return times[id(call.operation)] == 1 and len(wiring.users[id(tensor)]) == 1 and id(tensor) not in outputs

    for tensor in total.input_tensors:
        call, norm = _keras.call_of(tensor), None
        if type(call.operation) is keras.layers.BatchNormalization and is_alone(tensor):
            norm, before = call.operation, call.input_tensors[0]
            made = _keras.call_of(before)
            if into.get(id(made.operation)) is norm:
                tensor, call = before, made
            elif _keras.called_with(call, "training"):
                return None
            else:
                branches.append(Branch(None, norm))
                sources.add(id(before))
                continue
        if type(call.operation) in _CONVS and is_alone(tensor) and _is_linear(call.operation):
            branches.append(Branch(call, norm))
            sources.add(id(_unpadded(call)))
        else:
            branches.append(Branch(None, None))
            sources.add(id(tensor))
    convs = [place for place, branch in enumerate(branches) if branch.conv is not None]
    if len(convs) < 2 or len(sources) > 1:
        return None
    widest = max(convs, key=lambda place: branches[place].conv.operation.kernel_size)
    wide = branches[widest].conv.operation
    offset = _offset(branches[widest].conv)
    others = [branches[place].conv for place in convs if place != widest]
    fits = all(max(other.operation.kernel_size) == 1 and _pad_before(other) is None for other in others)
    words = ("strides", "groups", "data_format", "filters")
    alike = all(getattr(one.operation, word) == getattr(wide, word) for one in others for word in words)
    stays = len(convs) == len(branches) or max(wide.strides) == 1
    stays &= len({tuple(tensor.shape) for tensor in total.input_tensors}) == 1  # a sum that broadcasts is another
    one = Sum(tuple(branches), widest, offset) if offset is not None and fits and alike and stays else None
    return one if one and all(_normalizes_channels(norm, wide) for norm in one.identities) else None


def _is_linear(layer: Any) -> bool:
    plain = not getattr(layer, "quantization_mode", None) and not getattr(layer, "lora_enabled", False)
    return plain and layer.activation is keras.activations.linear and max(layer.dilation_rate) == 1


def _normalizes_channels(norm: Any, conv: Any) -> bool:
    rank = len(conv.kernel_size) + 2
    return bool(norm.axis % rank == (rank - 1 if conv.data_format == "channels_last" else 1))


def _pad_before(conv: Any) -> Any | None:
    """The call that puts zeros around what a convolution sees, if there is one."""
    call = _keras.call_of(conv.input_tensors[0])
    while type(call.operation) is MinimumSize:
        call = _keras.call_of(call.input_tensors[0])
    return call if type(call.operation) in _PADS else None


def _unpadded(conv: Any) -> Any:
    """What a convolution sees, before zeros are put around it."""
    pad = _pad_before(conv)
    return (conv if pad is None else pad).input_tensors[0]


def _offset(conv: Any) -> tuple[int, ...] | None:
    """The place in the kernel that lies on every `strides`-th pixel from the first on; None where that is not known."""
    layer, (tensor,), pad = conv.operation, conv.input_tensors, _pad_before(conv)
    sides = tensor.shape[1:-1] if layer.data_format == "channels_last" else tensor.shape[2:]
    if pad is not None:
        if layer.padding != "valid":
            return None
        padding = pad.operation.padding
        pairs = [padding] if isinstance(padding[0], int) else padding
        if None in sides and any(sum(pair) != k - 1 for pair, k in zip(pairs, layer.kernel_size, strict=True)):
            return None
        offset = tuple(before for before, _ in pairs)
    elif layer.padding == "same":
        if None in sides and max(layer.strides) > 1:
            return None
        total = [
            k - 1 if s == 1 else max((-(-n // s) - 1) * s + k - n, 0)
            for n, k, s in zip(sides, layer.kernel_size, layer.strides, strict=True)
        ]
        offset = tuple(side // 2 for side in total)
    elif None in sides and max(layer.kernel_size) > 1:
        return None
    else:
        offset = tuple(0 for _ in layer.kernel_size)
    return offset if all(place < side for place, side in zip(offset, layer.kernel_size, strict=True)) else None


def summed(total: Sum, weights: Mapping[int, Any], factors: Mapping[int, Any]) -> list[np.ndarray]:
    """Compute kernel and bias of the one convolution.

    Args:
        weights: by the `id` of a convolution its kernel and its bias, norms folded into them.
        factors: by the `id` of a norm its factor and its shift of each channel.
    """
    kernel, bias = (np.array(array, "float64") for array in weights[id(total.layer)])
    group = kernel.shape[-2]
    for place, branch in enumerate(total.branches):
        if place == total.widest:
            continue
        if branch.conv is not None:
            narrow, shift = weights[id(branch.conv.operation)]
            kernel[total.offset] += narrow.reshape(narrow.shape[-2:])
        else:
            width = kernel.shape[-1]
            factor, shift = (np.ones(width), 0) if branch.norm is None else factors[id(branch.norm)]
            kernel[total.offset][np.arange(width) % group, np.arange(width)] += factor
        bias = bias + shift
    return [kernel, bias]
