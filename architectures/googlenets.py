"""GoogLeNet (Szegedy et al. 2015, Going Deeper with Convolutions)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..blocks import aux_classifier, conv_bn, inception, local_response_norm, max_pool
from ..blocks import conv as _conv
from ..blocks.types import Tensor, Unit
from .network import Head, architecture, variant

# Table 1 of the paper: filters of the 1×1, 3×3, 5×5 and pool branches; None is a 3×3 max-pool of stride 2.
INCEPTIONS = {
    "inception_3a": (64, (96, 128), (16, 32), 32),
    "inception_3b": (128, (128, 192), (32, 96), 64),
    "pool3": None,
    "inception_4a": (192, (96, 208), (16, 48), 64),
    "inception_4b": (160, (112, 224), (24, 64), 64),
    "inception_4c": (128, (128, 256), (24, 64), 64),
    "inception_4d": (112, (144, 288), (32, 64), 64),
    "inception_4e": (256, (160, 320), (32, 128), 128),
    "pool4": None,
    "inception_5a": (256, (160, 320), (32, 128), 128),
    "inception_5b": (384, (192, 384), (48, 128), 128),
}
AUX = {"inception_4a": "aux1", "inception_4d": "aux2"}

DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "notes": {"lrn": False, "dropout": 0.0, "aux": partial(aux_classifier, padding="same", dropout=0.0)},
}


@architecture(dialects=DIALECTS)
def googlenet(
    x: Tensor,
    head: Head,
    *,
    aux: bool | Callable[..., Tensor] = True,
    lrn: bool = True,
    dropout: float = 0.4,
    conv: Unit = _conv,
) -> Tensor | dict[str, Tensor]:
    """GoogLeNet with its two auxiliary classifiers (Szegedy et al. 2015, table 1 and figure 3).

    The outputs are `{"main": …, "aux1": …, "aux2": …}`, each `batch classes`; a single tensor with `aux=False`
    or `include_top=False`. The heads sit on inception 4a and 4d and their losses count 0.3 in training
    (`compile_args`); `inference_model` takes them away.

    Args:
        aux: False for no auxiliary heads; a function `(x, classes, *, activation, conv, name)` for others, such as
            `partial(aux_classifier, output_size=4)`, which takes any input size.
        lrn: the two local response normalisations of the paper.
        dropout: rate before the classifier.
        conv: unit of every convolution.
        dialect: `"paper"`, or `"notes"`: no normalisation or dropout, heads pooled with `"same"`.
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name: as in
            `keras.applications`; `weights` is None or a weights file.

    Raises:
        ValueError: an image too small (at least 65×65 with the paper's heads), of unknown size with the paper's
            heads, or another argument out of range.
        TypeError: an unknown argument, or one of the wrong type.

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = googlenet()
        >>> model.count_params()
        13378280
    """
    x = conv(x, 64, 7, strides=2, name="conv1")
    x = max_pool(x, 3, strides=2, name="pool1")
    x = local_response_norm(x, name="norm1") if lrn else x
    x = conv(x, 64, 1, strides=1, name="conv2_reduce")
    x = conv(x, 192, 3, strides=1, name="conv2")
    x = local_response_norm(x, name="norm2") if lrn else x
    x = max_pool(x, 3, strides=2, name="pool2")
    make_aux = aux_classifier if aux is True else aux
    outputs = {}
    for name, filters in INCEPTIONS.items():
        x = max_pool(x, 3, strides=2, name=name) if filters is None else inception(x, *filters, conv=conv, name=name)
        if name in AUX and make_aux and head.include_top:
            outputs[AUX[name]] = make_aux(x, head.classes, activation=head.activation, conv=conv, name=AUX[name])
    main = head(x, dropout=dropout)
    return {"main": main, **outputs} if outputs else main


googlenet_bn = variant(
    googlenet,
    "googlenet_bn",
    """GoogLeNet with batch normalisation behind every convolution, and so without bias and response normalisation.

    Arguments as `googlenet`.

    Example:
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = googlenet_bn(aux=False)
        >>> model.count_params()
        7020392
    """,
    conv=conv_bn,
    lrn=False,
)
