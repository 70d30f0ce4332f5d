"""Every public block goes through the check that we give to others, against a specification of its shape.

Parameters are written out here once more, as closed forms in the sizes that the specification names.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any

import keras
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from layerblocks import blocks
from layerblocks.blocks import conv, conv_bn, max_pool, projection_shortcut, weightless
from layerblocks.testing import check_net

from ..helpers import NOT_BLOCKS

EXAMPLES = max(6, settings().max_examples // 5)

few = st.integers(1, 9)
pairs = st.tuples(few, few)
triples = st.tuples(few, few, few)
SAME = "b h w c -> b h w c"
HALF = "b h w c -> b ceil(h/2) ceil(w/2) f"


@dataclass(frozen=True)
class Case:
    """What `check_net` is told of a block."""

    spec: str
    build: Callable[..., Any]
    params: dict[str, Any] = field(default_factory=dict)
    parameters: Any = 0
    options: dict[str, Any] = field(default_factory=dict)


def of(spec: str, block: Callable[..., Any], parameters: Any = 0, *, options: Any = None, **params: Any) -> Case:
    return Case(spec, block, params, parameters, options or {})


def features(block, *args, **options):
    """A block of features, behind a mean over the image."""
    return lambda x: block(blocks.global_avg_pool(x), *args, **options)


def with_skip(block, *args, **options):
    """A block of two images: what is left of this one after a pool, and this one."""

    def build(x):
        return block(max_pool(x), x, *args, **options)

    return build


def pyramid(x, f):
    fine, coarse = blocks.feature_pyramid([x, max_pool(x)], f)
    return blocks.add([fine, blocks.resize_like(coarse, x)])


def scaled(x):
    return blocks.scale(x, blocks.global_avg_pool(x, keepdims=True))


def merged(x, f):
    return blocks.merge_residual(x, conv(x, f, strides=2), strides=2, shortcut=projection_shortcut, conv=conv)


def inception_parameters(c, c1, c3, c5, pool_proj):
    branches = (c + 1) * c1 + (c + 1) * c3[0] + (9 * c3[0] + 1) * c3[1] + (c + 1) * c5[0] + (25 * c5[0] + 1) * c5[1]
    return branches + (c + 1) * pool_proj


def dense_parameters(c, layers, g):
    return sum(4 * n + 4 * n * g + 16 * g + 36 * g * g for n in range(c, c + layers * g, g))


def se_parameters(c):
    narrow = max(1, c // 16)
    return (c + 1) * narrow + (narrow + 1) * c


def bottleneck_parameters(c, f):
    width = f // 4
    inner = width * c + 9 * width * width + width * f + 4 * (2 * width + f)
    return inner + (f * c + 4 * f)


def residual_parameters(c, f):
    return 9 * c * f + 9 * f * f + 8 * f + (f * c + 4 * f)


CASES = {
    "conv": of(HALF, lambda x, f: conv(x, f, strides=2), lambda c, f: (9 * c + 1) * f, f=few),
    "conv_bn": of(HALF, lambda x, f: conv_bn(x, f, strides=2), lambda c, f: (9 * c + 4) * f, f=few),
    "preact_conv": of(HALF, lambda x, f: blocks.preact_conv(x, f, strides=2), lambda c, f: 9 * c * f + 4 * c, f=few),
    "separable": of(HALF, lambda x, f: blocks.separable(x, f, strides=2), lambda c, f: 9 * c + (c + 1) * f, f=few),
    "dilated": of(
        "b h w c -> b h-4 w-4 f",
        lambda x, f: blocks.dilated(x, f, padding="valid"),
        lambda c, f: (9 * c + 1) * f,
        f=few,
    ),
    "depthwise": of("b h w c -> b ceil(h/2) ceil(w/2) c", partial(blocks.depthwise, strides=2), lambda c: 10 * c),
    "sparse": of(
        "b h w 3 -> b h-4 w-4 2",
        partial(blocks.sparse, filters=2, kernel_size=5, connections=[[0, 1], [2]], padding="valid"),
        77,
    ),
    "transposed": of(
        "b h w c -> b 2*h 2*w f", lambda x, f: blocks.transposed(x, f), lambda c, f: (9 * c + 1) * f, f=few
    ),
    "norm_activation": of(SAME, blocks.norm_activation, lambda c: 4 * c),
    "depthwise_separable": of(
        HALF,
        lambda x, f: blocks.depthwise_separable(x, f, strides=2),
        lambda c, f: 9 * c + 4 * c + c * f + 4 * f,
        f=few,
    ),
    "max_pool": of("b h w c -> b ceil(h/2) ceil(w/2) c", max_pool),
    "avg_pool": of(
        "b h w c -> b (h-5)//3+1 (w-5)//3+1 c", partial(blocks.avg_pool, pool_size=5, strides=3, padding="valid")
    ),
    "adaptive_avg_pool": of("b h w c -> b s s c", lambda x, s: blocks.adaptive_avg_pool(x, s), s=st.integers(1, 5)),
    "global_avg_pool": of("b h w c -> b c", blocks.global_avg_pool),
    "global_max_pool": of("b h w c -> b c", blocks.global_max_pool),
    "batch_norm": of(SAME, blocks.batch_norm, lambda c: 4 * c),
    "fused_batch_norm": of(SAME, blocks.fused_batch_norm, lambda c: 4 * c),
    "group_norm": of(SAME, partial(blocks.group_norm, groups=1), lambda c: 2 * c),
    "layer_norm": of(SAME, blocks.layer_norm, lambda c: 2 * c),
    "local_response_norm": of(SAME, blocks.local_response_norm),
    "activate": of(SAME, partial(blocks.activate, activation="gelu")),
    "dropout": of(SAME, partial(blocks.dropout, rate=0.5)),
    "stochastic_depth": of(SAME, partial(blocks.stochastic_depth, rate=0.5)),
    "zero_pad": of("b h w c -> b h+3 w+3 c", partial(blocks.zero_pad, padding=((1, 2), (1, 2)))),
    "crop": of("b h w c -> b h-3 w-3 c", partial(blocks.crop, cropping=((1, 2), (1, 2)))),
    "concat": of("b h w c -> b h w 2*c", lambda x: blocks.concat([x, x])),
    "add": of(SAME, lambda x: blocks.add([x, x])),
    "scale": of(SAME, scaled),
    "match_size": of(
        SAME, lambda x: blocks.match_size(blocks.transposed(max_pool(x), x.shape[-1]), x), lambda c: (9 * c + 1) * c
    ),
    "flatten": of("b h w c -> b h*w*c", blocks.flatten),
    "dense": of("b h w c -> b n", lambda x, n: features(blocks.dense, n)(x), lambda c, n: (c + 1) * n, n=few),
    "radial_basis": of("b h w c -> b n", lambda x, n: features(blocks.radial_basis, n)(x), lambda c, n: c * n, n=few),
    "classifier": of(
        "b h w c -> b k",
        lambda x, k: blocks.classifier(x, k, units=(5,), dropout=0.5),
        lambda c, k: (c + 1) * 5 + 6 * k,
        k=few,
        options={"mixed_dtype": "float32"},
    ),
    "pixel_predictions": of(SAME, blocks.pixel_predictions, options={"mixed_dtype": "float32"}),
    "aux_classifier": of(
        "b h w c -> b k",
        lambda x, k: blocks.aux_classifier(x, k, filters=3, units=4),
        lambda h, w, c, k: (c + 1) * 3 + (((h - 5) // 3 + 1) * ((w - 5) // 3 + 1) * 3 + 1) * 4 + 5 * k,
        k=few,
        options={"least": 5},
    ),
    "chain": of(
        "b h w c -> b (h-2)//2 (w-2)//2 4",
        lambda x: blocks.chain(
            x, {"conv": {"filters": 4, "padding": "valid"}, "pool": partial(max_pool, padding="valid")}
        ),
        lambda c: (9 * c + 1) * 4,
    ),
    "subsample": of("b h w c -> b h//2 w//2 c", blocks.subsample, lambda c: 2 * c),
    "vgg_block": of(
        "b h w c -> b h//2 w//2 f",
        lambda x, f: blocks.vgg_block(x, f),
        lambda c, f: (9 * c + 1) * f + (9 * f + 1) * f,
        f=few,
    ),
    "residual": of(HALF, lambda x, f: blocks.residual(x, [(f, 3), (f, 3)], strides=2), residual_parameters, f=few),
    "basic_residual": of(HALF, lambda x, f: blocks.basic_residual(x, f, strides=2), residual_parameters, f=few),
    "bottleneck": of(
        HALF, lambda x, f: blocks.bottleneck(x, f, strides=2), bottleneck_parameters, f=st.sampled_from([4, 8])
    ),
    "merge_residual": of(HALF, merged, lambda c, f: (9 * c + 1) * f + (c + 1) * f, f=few),
    "identity_shortcut": of(
        SAME, lambda x: blocks.identity_shortcut(blocks.activate(x, "relu"), 1, strides=1, conv=conv)
    ),
    "projection_shortcut": of(
        HALF, lambda x, f: projection_shortcut(x, f, strides=2, conv=conv_bn), lambda c, f: (c + 4) * f, f=few
    ),
    "pad_shortcut": of(
        "b h w c -> b ceil(h/2) ceil(w/2) c+f",
        lambda x, f: blocks.pad_shortcut(x, x.shape[-1] + f, strides=2, conv=conv),
        f=few,
    ),
    "channel_projection_shortcut": of(
        "b h w c -> b ceil(h/2) ceil(w/2) c",
        lambda x: blocks.channel_projection_shortcut(x, x.shape[-1], strides=2, conv=conv),
    ),
    "inception": of(
        "b h w c -> b h w n",
        lambda x, c1, c3, c5, pool_proj: blocks.inception(x, c1, c3, c5, pool_proj),
        inception_parameters,
        c1=2,
        c3=(3, 4),
        c5=(1, 5),
        pool_proj=few.map(lambda width: 6),
        n=17,
    ),
    "inception_stacked": of(
        "b h w c -> b h w 11",
        lambda x: blocks.inception_stacked(x, 2, (3, 4), (1, 2, 3), 2),
        lambda c: (c + 1) * 8 + 28 * 4 + 10 * 2 + 19 * 3,
    ),
    "inception_asymmetric": of(
        "b h w c -> b h w 8",
        lambda x: blocks.inception_asymmetric(x, 2, (1, 1, 2), (1, 1, 1, 1, 2), 2, n=5),
        lambda c: (c + 1) * 6 + 6 + 6 * 2 + 3 * 6 + 6 * 2,
    ),
    "inception_expanded": of(
        "b h w c -> b h w 12",
        lambda x: blocks.inception_expanded(x, 2, (1, 2), (1, 1, 2), 2),
        lambda c: (c + 1) * 6 + 2 * (3 + 1) * 2 + 10 + 2 * (3 + 1) * 2,
    ),
    "inception_reduction": of(
        "b h w c -> b (h-3)//2+1 (w-3)//2+1 c+5",
        lambda x: blocks.inception_reduction(x, (2,), (1, 1, 3)),
        lambda c: (9 * c + 1) * 2 + (c + 1) + 10 + 10 * 3,
    ),
    "branches": of(
        "b h w c -> b h w 5",
        partial(blocks.branches, branches=[[(2, 1)], [(1, 1), (3, 3)]]),
        lambda c: (c + 1) * 3 + 10 * 3,
    ),
    "inception_residual": of(
        SAME,
        partial(blocks.inception_residual, branches={"wide": [(2, 1)], "deep": [(1, 1), (3, 3)]}, factor=0.5),
        lambda c: 2 * c + 8 + c + 4 + 27 + 12 + 6 * c,
    ),
    "convnext_block": of(SAME, blocks.convnext_block, lambda c: 50 * c + 2 * c + (c + 1) * 4 * c + (4 * c + 1) * c + c),
    "instance_norm": of(SAME, blocks.instance_norm, lambda c: 2 * c),
    "rms_norm": of(SAME, blocks.rms_norm, lambda c: c),
    "global_response_norm": of(SAME, blocks.global_response_norm, lambda c: 2 * c),
    "tokens": of("b h w c -> b h*w c", blocks.tokens),
    "to_map": of("b 6 c -> b 2 3 c", partial(blocks.to_map, sides=(2, 3)), options={"unknown": False}),
    "class_token": of("b n c -> b n+1 c", blocks.class_token, lambda c: c),
    "position_embedding": of(
        SAME, blocks.position_embedding, lambda h, w, c: h * w * c, options={"unknown": False, "broadcasts": True}
    ),
    "patch_embedding": of(
        "b h w c -> b h//4 w//4 f",
        lambda x, f: blocks.patch_embedding(x, f, 4),
        lambda c, f: (16 * c + 1) * f,
        f=few,
    ),
    "patch_merging": of(
        "b 6 8 c -> b 3 4 f",
        lambda x, f: blocks.patch_merging(x, f),
        lambda c, f: 8 * c + 4 * c * f,
        options={"unknown": False},
        f=few,
    ),
    "first_token": of("b n c -> b c", blocks.first_token),
    "self_attention": of("b h w 6 -> b h w 6", partial(blocks.self_attention, heads=2), 4 * 42),
    "mlp": of(SAME, lambda x: blocks.mlp(x, 5), lambda c: 5 * c + 5 + 5 * c + c),
    "transformer_block": of(
        "b h w 6 -> b h w 6", partial(blocks.transformer_block, heads=2), 24 + 4 * 42 + 7 * 24 + 25 * 6
    ),
    "mixer_block": of(
        SAME,
        partial(blocks.mixer_block, token_units=3, channel_units=2),
        lambda h, w, c: 4 * c + 6 * h * w + 3 + h * w + 4 * c + 2 + c,
        options={"unknown": False},
    ),
    "aspp": of(
        "b h w c -> b h w f",
        lambda x, f: blocks.aspp(x, f, (2, 3)),
        lambda c, f: 2 * (c * f + 4 * f) + 2 * (9 * c * f + 4 * f) + 4 * f * f + 4 * f,
        f=few,
    ),
    "pyramid_pooling": of(
        "b h w c -> b h w c+2*f", lambda x, f: blocks.pyramid_pooling(x, (1, 2), f), lambda c, f: 2 * f * (c + 4), f=few
    ),
    "feature_pyramid": of(
        "b h w c -> b h w f",
        pyramid,
        lambda c, f: 2 * ((c + 1) * f + (9 * f + 1) * f),
        f=few,
    ),
    "avg_pool_shortcut": of(
        HALF, lambda x, f: blocks.avg_pool_shortcut(x, f, strides=2, conv=conv_bn), lambda c, f: (c + 4) * f, f=few
    ),
    "layer_scale": of(SAME, blocks.layer_scale, lambda c: c),
    "rescale": of(SAME, partial(blocks.rescale, factor=0.5)),
    "gate": of(SAME, lambda x: blocks.gate(x, conv(x, 1)), lambda c: 9 * c + 1, options={"broadcasts": True}),
    "eca": of(SAME, partial(blocks.eca, kernel_size=3), 3, options={"broadcasts": True}),
    "cbam": of(SAME, blocks.cbam, lambda c: 2 * c + 1 + c + 99, options={"broadcasts": True}),
    "attention_gate": of(
        SAME,
        lambda x: blocks.attention_gate(x, conv(x, 5, strides=2), 3),
        lambda c: (9 * c + 1) * 5 + (4 * c + 1) * 3 + 18 + 4,
        options={"broadcasts": True},
    ),
    "split_attention": of(
        "b h w 6 -> b ceil(h/2) ceil(w/2) f",
        lambda x, f: blocks.split_attention(x, f, strides=2),
        lambda f: 54 * f + 8 * f + (f + 1) * 32 + 128 + 33 * 2 * f,
        options={"broadcasts": True},
        f=few,
    ),
    "hierarchical_conv": of(
        "b h w 6 -> b ceil(h/2) ceil(w/2) 6",
        partial(blocks.hierarchical_conv, filters=6, strides=2, scale=3),
        2 * (9 * 4 + 8),
    ),
    "ghost_conv": of(SAME, lambda x: blocks.ghost_conv(x, x.shape[-1], ratio=1), lambda c: c * c + 4 * c),
    "parallel_conv": of(
        HALF, lambda x, f: blocks.parallel_conv(x, f, strides=2), lambda c, f: 10 * c * f + 8 * f, f=few
    ),
    "resize": of("b h w c -> b 2*h 2*w c", blocks.resize),
    "resize_like": of(SAME, lambda x: blocks.resize_like(max_pool(x, 3), x)),
    "resize_conv": of(
        "b h w c -> b 2*h 2*w f", lambda x, f: blocks.resize_conv(x, f), lambda c, f: (9 * c + 1) * f, f=few
    ),
    "subpixel_conv": of(
        "b h w c -> b 2*h 2*w f", lambda x, f: blocks.subpixel_conv(x, f), lambda c, f: (9 * c + 1) * 4 * f, f=few
    ),
    "pixel_shuffle": of("b h w 12 -> b 2*h 2*w 3", blocks.pixel_shuffle),
    "pixel_unshuffle": of(
        "b 6 8 c -> b 2 4 6*c", partial(blocks.pixel_unshuffle, factor=(3, 2)), options={"unknown": False}
    ),
    "blur_pool": of("b h w c -> b ceil(h/2) ceil(w/2) c", blocks.blur_pool),
    "unpool": of(SAME, lambda x: blocks.unpool(max_pool(x), x)),
    "split": of("b h w 6 -> b h w 4", lambda x: blocks.split(x, (2, 4))[1]),
    "channel_shuffle": of("b h w 6 -> b h w 6", partial(blocks.channel_shuffle, groups=3)),
    "inverted_residual": of(
        SAME, lambda x: blocks.inverted_residual(x, x.shape[-1]), lambda c: 12 * c * c + 2 * 24 * c + 54 * c + 4 * c
    ),
    "xception_module": of(
        HALF,
        lambda x, f: blocks.xception_module(x, (f, f), strides=2),
        lambda c, f: 9 * c + c * f + 4 * f + 9 * f + f * f + 4 * f + c * f + 4 * f,
        f=few,
    ),
    "squeeze_excite": of(SAME, blocks.squeeze_excite, se_parameters),
    "dense_layer": of(
        "b h w c -> b h w c+g", lambda x, g: blocks.dense_layer(x, g), lambda c, g: dense_parameters(c, 1, g), g=few
    ),
    "dense_block": of(
        "b h w c -> b h w c+n*g",
        lambda x, n, g: blocks.dense_block(x, n, g),
        lambda c, n, g: dense_parameters(c, n, g),
        n=st.integers(1, 3),
        g=few,
    ),
    "transition": of(
        "b h w c -> b h//2 w//2 f", lambda x, f: blocks.transition(x, f), lambda c, f: 4 * c + c * f, f=few
    ),
    "bilinear_up": of("b h w c -> b 2*(h+1) 2*(w+1) c", blocks.bilinear_up, lambda c: 16 * c * c),
    "fuse_scores": of(SAME, with_skip(blocks.fuse_scores), lambda c: 16 * c * c + (c + 1) * c),
    "decoder_block": of(
        "b h w c -> b h w f",
        lambda x, f: blocks.decoder_block(max_pool(x), x, f),
        lambda c, f: (4 * c + 1) * f + (9 * (c + f) + 1) * f + (9 * f + 1) * f,
        f=few,
    ),
}


def test_every_public_block_is_here():
    functions = {name for name in blocks.__all__ if not inspect.isclass(getattr(blocks, name))}
    assert functions - NOT_BLOCKS == CASES.keys()


def tried(case, parameters, examples):
    """How many nets `check_net` tried."""
    params = {
        word: value if isinstance(value, st.SearchStrategy) else st.just(value) for word, value in case.params.items()
    }
    options = {"sides": (1, 40), "params": params, "parameters": parameters, "max_examples": examples, **case.options}
    return check_net(case.build, case.spec, **options).examples


@pytest.mark.parametrize("name", CASES)
def test_block(name, record_property):
    record_property("nets", tried(CASES[name], CASES[name].parameters, EXAMPLES))


# Signals and volumes, by the same specifications.

OF_IMAGES = {"inception_asymmetric", "inception_expanded"}  # whose kernels are n×1 and 1×n
OF_ROWS = {"to_map", "class_token", "first_token"}
BY_RANK = {  # what is not the same for every side
    1: {
        "zero_pad": of("b l c -> b l+3 c", partial(blocks.zero_pad, padding=((1, 2),))),
        "crop": of("b l c -> b l-3 c", partial(blocks.crop, cropping=((1, 2),))),
        "pixel_shuffle": of("b l 6 -> b 2*l 3", blocks.pixel_shuffle),
        "pixel_unshuffle": of(
            "b 6 c -> b 2 3*c", partial(blocks.pixel_unshuffle, factor=3), options={"unknown": False}
        ),
        "patch_merging": of(
            "b 6 c -> b 3 f",
            lambda x, f: blocks.patch_merging(x, f),
            lambda c, f: 4 * c + 2 * c * f,
            options={"unknown": False},
            f=few,
        ),
    },
    3: {
        "zero_pad": of("b d h w c -> b d+1 h+3 w+3 c", partial(blocks.zero_pad, padding=((1, 0), (1, 2), (1, 2)))),
        "crop": of("b d h w c -> b d-1 h-3 w-3 c", partial(blocks.crop, cropping=((1, 0), (1, 2), (1, 2)))),
        "pixel_shuffle": of("b d h w 24 -> b 2*d 2*h 2*w 3", blocks.pixel_shuffle),
        "pixel_unshuffle": of(
            "b 6 8 4 c -> b 2 4 4 6*c", partial(blocks.pixel_unshuffle, factor=(3, 2, 1)), options={"unknown": False}
        ),
        "patch_merging": of(
            "b 6 8 4 c -> b 3 4 2 f",
            lambda x, f: blocks.patch_merging(x, f),
            lambda c, f: 16 * c + 8 * c * f,
            options={"unknown": False},
            f=few,
        ),
    },
}
OTHER_RANKS = [(name, rank) for name in CASES if name not in OF_IMAGES | OF_ROWS for rank in (1, 3)]


def at_rank(name, rank):
    """The case of a block on signals or volumes: without the width, or with a depth before the height."""
    case = CASES[name]
    if name in BY_RANK[rank]:
        return BY_RANK[rank][name]
    spec = re.sub(r"\bs s\b", " ".join("s" * rank), case.spec).replace("h*w", "h" if rank == 1 else "d*h*w")
    words = []
    for word in spec.split(" "):
        if rank == 3 and re.search(r"\bh\b", word) and "*h*" not in word:
            words.append(re.sub(r"\bh\b", "d", word))
        if rank == 3 or not re.search(r"\bw\b", word):
            words.append(word)
    counts_pixels = {"unknown": False} if name == "aux_classifier" else {}
    return replace(case, spec=" ".join(words), options=case.options | counts_pixels)


@pytest.mark.parametrize(
    "given, signals, volumes",
    [
        (SAME, "b h c -> b h c", "b d h w c -> b d h w c"),
        (HALF, "b h c -> b ceil(h/2) f", "b d h w c -> b ceil(d/2) ceil(h/2) ceil(w/2) f"),
        ("b h w c -> b s s c", "b h c -> b s c", "b d h w c -> b s s s c"),
        ("b h w c -> b h*w c", "b h c -> b h c", "b d h w c -> b d*h*w c"),
    ],
)
def test_specifications_of_other_ranks(monkeypatch, given, signals, volumes):
    monkeypatch.setitem(CASES, "conv", of(given, conv))
    assert [at_rank("conv", rank).spec for rank in (1, 3)] == [signals, volumes]


def test_blocks_of_images_alone_say_so():
    for name in OF_IMAGES:
        for shape in ((9, 4), (9, 9, 9, 4)):
            with pytest.raises(ValueError, match=r"x must be .* of rank 4"):
                CASES[name].build(keras.Input(shape))
        assert "`x` is an image" in inspect.getdoc(getattr(blocks, name))


@pytest.mark.sweep_but("conv_bn-1", "resize-3", "aspp-3", "transformer_block-1", "inverted_residual-3")
@pytest.mark.parametrize("name, rank", OTHER_RANKS)
def test_block_of_signals_and_volumes(name, rank, record_property):
    record_property("nets", tried(at_rank(name, rank), None, EXAMPLES))


OWN_WEIGHTS = {  # whose channels or features follow from the number of pixels; a kernel without input channels
    *("position_embedding", "mixer_block", "subpixel_conv", "aux_classifier", "pixel_unshuffle", "pixel_shuffle"),
    "patch_merging",
    "sparse",
}


@pytest.mark.parametrize("name", [name for name in CASES if name not in OF_IMAGES | OF_ROWS | OWN_WEIGHTS])
def test_kernels_of_signals_and_volumes_have_as_many_pixels_a_side(name):
    """A kernel of k×k pixels is one of k, or k×k×k; every other weight is the same."""
    given = dict.fromkeys(CASES[name].params, 4) | {"c3": (3, 4), "c5": (1, 5)}

    def weights(rank):
        case = at_rank(name, rank) if rank != 2 else CASES[name]
        left = case.spec.split(" -> ")[0].split()
        words = inspect.signature(case.build).parameters
        params = {word: given[word] for word in case.params if word in words}
        shape = (*[12] * rank, int(left[-1]) if left[-1].isdigit() else 6)
        with weightless():
            model = keras.Model(x := keras.Input(shape), case.build(x, **params))
        return [tuple(weight.shape) for weight in model.weights]

    of_images = weights(2)
    for rank in (1, 3):
        expected = [prod(shape) * shape[0] ** (rank - 2) if len(shape) == 4 else prod(shape) for shape in of_images]
        assert sorted(map(prod, weights(rank))) == sorted(map(int, expected))


LAYERS = {name for name in blocks.__all__ if inspect.isclass(getattr(blocks, name))} - {"Bilinear", "FanInUniform"}
MADE_BY = {
    **{f"AdaptiveAveragePooling{rank}D": lambda x: blocks.adaptive_avg_pool(x, 2) for rank in (1, 2, 3)},
    **{f"DilatedAveragePooling{n}D": lambda x: blocks.avg_pool(x, strides=1, dilation_rate=2) for n in (1, 2, 3)},
    **{f"DilatedMaxPooling{n}D": lambda x: blocks.max_pool(x, strides=1, dilation_rate=2) for n in (1, 2, 3)},
    "FusedBatchNormalization": blocks.fused_batch_norm,
    "LocalResponseNormalization": blocks.local_response_norm,
    "MatchSize": lambda x: blocks.match_size(max_pool(x), x),
    "PadChannels": lambda x: blocks.pad_shortcut(x, 9, strides=2, conv=conv),
    "RadialBasisDense": features(blocks.radial_basis, 3),
    **{f"SparseConv{rank}D": lambda x: blocks.sparse(x, 1, connections=[[0]]) for rank in (1, 2, 3)},
    "StochasticDepth": lambda x: blocks.stochastic_depth(x, 0.5),
}


def test_every_public_layer_is_made_by_a_block():
    """So that the checks of the blocks reach them all."""
    assert MADE_BY.keys() == LAYERS
    for name, build in MADE_BY.items():
        with weightless():
            rank = int(name[-2]) if name.endswith("D") else 2
            model = keras.Model(x := keras.Input((*[None] * rank, 4)), build(x))
        assert name in {type(layer).__name__ for layer in model.layers}
