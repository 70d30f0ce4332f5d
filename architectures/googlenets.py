"""GoogLeNet (Szegedy et al. 2015, Going Deeper with Convolutions)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from .. import checks
from ..blocks import (
    aux_classifier,
    batch_norm,
    chain,
    conv_bn,
    inception,
    local_response_norm,
    max_pool,
    norm_activation,
)
from ..blocks import conv as _conv
from ..blocks.core import given_to
from ..blocks.types import Dense, Tensor, Unit
from .constructor import Head, architecture, published
from .initial_values import normal, torch_dense

# Table 1 of the paper. Of the Inception blocks the filters of the 1×1, 3×3, 5×5 and pool branches; the others are
# layers of `chain`.
_POOL = partial(max_pool, pool_size=3, strides=2)
LAYERS: dict[str, Any] = {
    "conv1": {"filters": 64, "kernel_size": 7, "strides": 2},
    "pool1": _POOL,
    "norm1": local_response_norm,
    "conv2_reduce": {"filters": 64, "kernel_size": 1},
    "conv2": {"filters": 192, "kernel_size": 3},
    "norm2": local_response_norm,
    "pool2": _POOL,
    "inception_3a": (64, (96, 128), (16, 32), 32),
    "inception_3b": (128, (128, 192), (32, 96), 64),
    "pool3": _POOL,
    "inception_4a": (192, (96, 208), (16, 48), 64),
    "inception_4b": (160, (112, 224), (24, 64), 64),
    "inception_4c": (128, (128, 256), (24, 64), 64),
    "inception_4d": (112, (144, 288), (32, 64), 64),
    "inception_4e": (256, (160, 320), (32, 128), 128),
    "pool4": _POOL,
    "inception_5a": (256, (160, 320), (32, 128), 128),
    "inception_5b": (384, (192, 384), (48, 128), 128),
}
AUX = {"inception_4a": "aux1", "inception_4d": "aux2"}

# Windows that begin inside the image count also where they end outside: torch's ceil_mode.
_CEIL_POOL = partial(_POOL, padding=((0, 1),))
TORCH_LAYERS = {
    **LAYERS,
    **dict.fromkeys(("pool1", "pool2", "pool3"), _CEIL_POOL),
    "pool4": partial(_CEIL_POOL, pool_size=2),
}
_BARE = {"norm": None, "activation": None}
NOTES_LAYERS = {
    **LAYERS,
    **dict.fromkeys(("pool1", "pool2", "pool3", "pool4"), partial(_POOL, padding="valid")),
    "conv1": {**LAYERS["conv1"], **_BARE, "padding": "valid"},
    "norm1": norm_activation,
    "conv2_reduce": {**LAYERS["conv2_reduce"], **_BARE},
    "conv2": {**LAYERS["conv2"], "padding": "valid"},
}

_torch_conv = partial(
    conv_bn,
    norm=partial(batch_norm, momentum=0.9, epsilon=1e-3),
    padding="symmetric",
    kernel_initializer=normal(0.01),
)

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "notes": {"lrn": False, "dropout": 0.0, "aux": partial(aux_classifier, padding="same", dropout=0.0)},
    "notes_bn": {
        "layers": NOTES_LAYERS,
        "lrn": False,
        "aux": False,
        "units": (1000,),
        "dropout": (0.4, 0.0),
        "conv": partial(conv_bn, use_bias=True),
    },
    "torchvision": {
        "layers": TORCH_LAYERS,
        "lrn": False,
        "aux": partial(aux_classifier, output_size=4),
        "dropout": 0.2,
        "block": partial(inception, kernel_size=3),
        "conv": _torch_conv,
        "dense": partial(torch_dense, kernel_initializer=normal(0.01)),
        "classifier_activation": None,
    },
}


def inception_network(
    x: Tensor,
    head: Head,
    layers: Mapping[str, Any],
    heads: Mapping[str, str],
    *,
    aux: bool | Callable[..., Tensor],
    default_aux: Callable[..., Tensor],
    conv: Unit,
    dense: Dense | None,
    **options: Any,
) -> Tensor | dict[str, Tensor]:
    """A chain of layers and blocks with auxiliary classifiers on some of them: what the Inception networks are.

    Args:
        layers: by name a block and its arguments, a tuple, or a layer of `chain`.
        heads: by the name of the layer that it sits on, the name of each auxiliary output.
        aux: False for none, True for `default_aux`, or another function `(x, classes, *, activation, conv, name)`,
            which is given `dense` too if it has that argument.
        conv: unit of every convolution.
        dense: unit of every dense layer.
        options: of the classifier.
    """
    make_aux = checks.function("aux", default_aux if aux is True else aux, "name") if aux and head.include_top else None
    outputs: dict[str, Tensor] = {}
    for name, step in layers.items():
        if isinstance(step, tuple):
            make, *arguments = step
            x = make(x, *arguments, conv=conv, name=name)
        else:
            x = chain(x, {name: step}, conv=conv)
        if name in heads and make_aux is not None:
            given = {"activation": head.activation, "conv": conv, **given_to(make_aux, dense=dense)}
            outputs[heads[name]] = make_aux(x, head.classes, **given, name=heads[name])
    main = head(x, dense=dense, **options)
    return {"main": main, **outputs} if outputs else main


@architecture(dialects=DIALECTS)
def googlenet(
    x: Tensor,
    head: Head,
    *,
    aux: bool | Callable[..., Tensor] = True,
    lrn: bool = True,
    dropout: float | Sequence[float] = 0.4,
    units: tuple[int, ...] = (),
    layers: Mapping[str, Any] = LAYERS,
    block: Callable[..., Tensor] = inception,
    conv: Unit = _conv,
    dense: Dense | None = None,
) -> Tensor | dict[str, Tensor]:
    """GoogLeNet with its two auxiliary classifiers (Szegedy et al. 2015, table 1 and figure 3).

    The outputs are `{"main": …, "aux1": …, "aux2": …}`, each `batch classes`; a single tensor with `aux=False`
    or `include_top=False`. The heads sit on inception 4a and 4d and their losses count 0.3 in training
    (`compile_args`); `inference_model` removes them.

    Args:
        aux: False for no auxiliary heads; a function `(x, classes, *, activation, conv, name)` for others, such as
            `partial(aux_classifier, output_size=4)`, which fits any input size.
        lrn: the two local response normalisations of the paper.
        dropout: rate before the classifier, or a list of those before each of its dense layers.
        units: hidden layers of the classifier.
        layers: everything before the classifier by its name: of an Inception block its filters, of other layers what
            `chain` has for them.
        block: function `(x, c1, c3, c5, pool_proj, *, conv, name)`.
        conv: unit of every convolution.
        dense: unit of every dense layer, a function `(x, units, *, activation, name)`; None for `dense` with the
            initialisers, regularisers … of `conv`.
        dialect: `"paper"`; `"notes"`: no normalisation or dropout, heads pooled with `"same"`; `"notes_bn"`: norms,
            `"valid"` pools, no heads, a hidden layer; `"torchvision"`: norms, 3×3 for 5×5, heads for any size, logits.

    Raises:
        ValueError: an image too small (at least 65×65 with the paper's heads), of unknown size with the paper's
            heads.
    """
    steps = {
        name: (block, *step) if isinstance(step, tuple) else step
        for name, step in layers.items()
        if lrn or step is not local_response_norm
    }
    options: dict[str, Any] = {"dropout": dropout, "units": units, "conv": conv, "dense": dense}
    return inception_network(x, head, steps, AUX, aux=aux, default_aux=aux_classifier, **options)


googlenet_bn = published(googlenet, "googlenet_bn", dialects=("paper",), conv=conv_bn, lrn=False)
googlenet_torchvision = published(googlenet, "googlenet_torchvision", dialects=("torchvision",))
