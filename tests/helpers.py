"""What the tests share: building without weights, random arguments, and the check of a piece against its oracle."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from layerblocks.architectures import list_architectures
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.blocks import (
    batch_norm,
    conv,
    conv_bn,
    dilated,
    group_norm,
    layer_norm,
    local_response_norm,
    separable,
    transposed,
    weightless,
)
from layerblocks.testing import builds, oracles
from layerblocks.testing.oracles import Expected

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
LOOKED_AT = (
    *("cifar_resnet20", "resnet18", "resnet50", "resnet50_v2", "se_resnet50", "vgg16", "unet", "fcn8s", "fcn16s"),
    *("densenet121", "cifar_densenet40", "googlenet_torchvision", "mobilenet_v2", "efficientnet_v2_b0"),
)
"""Networks that are no variant of the first of their family."""


def first_of_each(names: Iterable[str], *others: str) -> list[str]:
    """Of these networks the first of every family, and the others; nightly all."""
    first: dict[str, str] = {}
    names = [*names]
    for name in names:
        first.setdefault(ENTRIES[name].module, name)
    return [name for name in names if NIGHTLY or name in (*first.values(), *others)]


def each_family(*others: str) -> list[str]:
    """The first network of every family, and these; nightly every network."""
    return first_of_each(list_architectures(), *others)


def each_network() -> list[str]:
    """The first network of every family and those that are otherwise; nightly every network."""
    return each_family(*LOOKED_AT)


NOT_BLOCKS = {
    *("block", "deep_graphs", "default_of", "expects", "matching", "register", "registered", "unit", "weightless"),
    *("scaled_tanh", "spectral_normalized", "weight_normalized", "weight_standardized"),
}
"""What `blocks` has beside functions of tensors."""

SPATIAL = {"kernel_size", "strides", "dilation_rate", "padding", "pool_size", "output_padding", "output_size"}
"""Arguments that have a value for each axis."""

dear = settings(max_examples=max(10, settings().max_examples // 4))
"""For properties that run real numbers through a model."""

NORMS = {
    None: None,
    batch_norm: 4,
    partial(batch_norm, scale=False): 3,
    partial(group_norm, groups=2): 2,
    layer_norm: 2,
    local_response_norm: 0,
}
"""Norm and its parameters for each channel; two groups, as the filters drawn below are even."""

UNITS: dict[str, tuple[Callable[..., Any], oracles.Oracle]] = {
    "conv": (conv, oracles.conv),
    "conv_bn": (conv_bn, partial(oracles.conv, norm_parameters=4)),
    "conv_bn with bias": (partial(conv_bn, use_bias=True), partial(oracles.conv, norm_parameters=4, use_bias=True)),
    "conv with group norm": (
        partial(conv, norm=partial(group_norm, groups=2), activation="gelu"),
        partial(oracles.conv, norm_parameters=2),
    ),
    "conv with layer norm": (partial(conv, norm=layer_norm), partial(oracles.conv, norm_parameters=2)),
    "conv with response norm": (partial(conv, norm=local_response_norm), partial(oracles.conv, norm_parameters=0)),
    "conv without bias": (partial(conv, use_bias=False), partial(oracles.conv, use_bias=False)),
    "grouped": (partial(conv, groups=2), partial(oracles.conv, groups=2)),
    "valid": (partial(conv, padding="valid"), partial(oracles.conv, padding="valid")),
    "padded": (partial(conv, padding=1), partial(oracles.conv, padding=1)),
    "separable": (separable, oracles.separable),
    "separable with norm": (
        partial(separable, norm=batch_norm, depth_multiplier=2),
        partial(oracles.separable, norm_parameters=4, depth_multiplier=2),
    ),
    "dilated": (dilated, oracles.dilated),
    "dilated valid": (
        partial(dilated, padding="valid", dilation_rate=(1, 2)),
        partial(oracles.dilated, padding="valid", dilation_rate=(1, 2)),
    ),
    "transposed": (transposed, oracles.transposed),
}
"""Units to put into blocks, each with its oracle."""

array = keras.ops.convert_to_numpy
"""A NumPy array of a tensor, whichever the backend."""

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="is about TensorFlow, where Keras runs on another backend"
)

# On a processor that has bfloat16 and float16, where a setting keeps oneDNN from both: TensorFlow asks the processor
# alone, and ends the process when oneDNN then refuses.
_ISA = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
needs_half = pytest.mark.skipif(
    keras.backend.backend() == "tensorflow" and not any(word in _ISA for word in ("ALL", "DEFAULT", "BF16", "FP16")),
    reason="is about half precision, which ONEDNN_MAX_CPU_ISA forbids and TensorFlow asks for all the same",
)

sides = st.integers(1, 5) | st.integers(1, 40)
sizes = st.tuples(sides, sides)
channels = st.sampled_from([2, 4, 6, 8])  # even, for groups
seeds = st.integers(0, 2**32 - 1)


def calls_of(function: Callable[[], object]) -> int:
    """Give the number of Python functions that `function()` calls: what it costs, the same on every machine."""
    count = 0

    def counting(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


_SPIN = 0.1  # seconds that `_spin` takes on one idle core of 2024


def _spin() -> float:
    start = time.perf_counter()
    sum(number * number for number in range(1_000_000))
    return time.perf_counter() - start


def time_scale() -> float:
    """How much slower than an idle machine this one is now, 1 at the least; LAYERBLOCKS_TIME_SCALE says otherwise."""
    if given := os.environ.get("LAYERBLOCKS_TIME_SCALE"):
        return float(given)
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 1.0
    return max(1.0, waiting, _spin() / _SPIN)


def seconds(nominal: float) -> float:
    """A time limit that stretches with the load of the machine: every limit of a subprocess or a loop is one."""
    return nominal * time_scale()


def scalar_or_pair(least: int, most: int) -> st.SearchStrategy[Any]:
    one = st.integers(least, most)
    return one | st.tuples(one, one)


paddings = st.sampled_from(["same", "valid"]) | scalar_or_pair(0, 3)


def build(function: Callable[..., Any], shape: Any, *args: Any, **options: Any) -> keras.Model:
    """The model of one piece, without weights."""
    with weightless():
        x = keras.Input(shape)
        return keras.Model(x, function(x, *args, **options))


def real(function: Callable[..., Any], shape: Any, *args: Any, seed: int = 0, **options: Any) -> keras.Model:
    """The model of one piece, with random weights everywhere: biases and statistics too."""
    x = keras.Input(shape)
    model = keras.Model(x, function(x, *args, **options))
    random = np.random.default_rng(seed)
    model.set_weights(
        [random.uniform(0.5, 1.5, w.shape) * random.choice([-1, 1], w.shape) for w in model.get_weights()]
    )
    for variable in model.non_trainable_variables:
        if "variance" in variable.path:
            variable.assign(np.abs(variable.numpy()))
    return model


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def swapped(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with height and width exchanged; a list has one entry a layer."""
    return {
        word: value[::-1] if word in SPATIAL and isinstance(value, tuple) else value
        for word, value in arguments.items()
    }


def check(
    piece: Callable[..., Any], oracle: oracles.Oracle, size: tuple[int, int], channels: int, **arguments: Any
) -> None:
    """The piece has the shape and parameters of its oracle, or refuses where it does.

    So it does with height and width exchanged; and built for unknown sizes it says the same of this one.
    """
    for shape, given in (((*size, channels), arguments), ((*size[::-1], channels), swapped(arguments))):
        try:
            expected = oracle(shape, **given)
        except ValueError:
            with pytest.raises(ValueError):
                build(piece, shape, **given)
        else:
            assert _got(build(piece, shape, **given)) == expected
            check_unknown(piece, oracle, shape, expected, given)


def check_unknown(
    piece: Callable[..., Any],
    oracle: oracles.Oracle,
    shape: tuple[int, int, int],
    expected: Expected,
    arguments: dict[str, Any],
) -> None:
    for partly in ((None, None, shape[2]), (shape[0], None, shape[2])):
        try:
            unknown = oracle(partly, **arguments)
        except ValueError:
            with pytest.raises(ValueError):
                build(piece, partly, **arguments)
        else:
            model = build(piece, partly, **arguments)
            assert _got(model) == unknown
            assert tuple(model.compute_output_shape((2, *shape))) == (2, *expected.shape)


def _got(model: keras.Model) -> Expected:
    return Expected(tuple(model.output_shape[1:]), model.count_params())


@contextmanager
def data_format(name: str) -> Iterator[None]:
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(name)
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


dtype_policy = builds.policy
"""Keras's dtype policy, and afterwards the old one."""
