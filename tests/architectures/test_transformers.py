"""ViT, Swin, MLP-Mixer and ConvMixer: published counts, tables, sizes that work, names of weights, bad input."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from layerblocks.architectures import build, config_of, describe, load
from layerblocks.architectures.catalogue import ENTRIES, constructor
from layerblocks.architectures.convmixers import convmixer
from layerblocks.architectures.mixers import mixer
from layerblocks.architectures.swins import swin, swin_v2
from layerblocks.architectures.vits import vit
from layerblocks.blocks import conv, weightless
from layerblocks.models import features

from ..agreement import images, made, randomize, run
from .test_integers import structure

VIT: dict[str, Any] = {"patch_size": 4, "repeats": 2, "filters": 8, "heads": 2, "classes": 5, "input_shape": (8, 12, 3)}
SWIN_SMALL: dict[str, Any] = {"repeats": (2, 3), "filters": 8, "heads": 2, "window": 2, "patch_size": 2, "classes": 5}
SWIN_SMALL["input_shape"] = (16, 8, 3)
MIXER: dict[str, Any] = {"patch_size": 4, "repeats": 2, "filters": 8, "token_units": 3, "channel_units": 6}
MIXER["input_shape"] = (8, 12, 3)

# Millions of parameters and billions of multiply-adds: the page of Swin's authors; table 1 of MLP-Mixer, which leaves
# the classifier out; table 1 of ConvMixer. (ViT's are held against torchvision's: its paper rounds 304 to 307.)
PUBLISHED: dict[str, tuple[float, float | None]] = {
    **dict(zip(("swin_t", "swin_s", "swin_b"), ((28, 4.5), (50, 8.7), (88, 15.4)), strict=True)),
    **dict(zip(("swin_v2_t", "swin_v2_s", "swin_v2_b"), ((28, 5.9), (50, 11.5), (88, 20.3)), strict=True)),
    **{
        f"mixer_{name}": (millions, None)
        for name, millions in zip(
            ("s_32", "s_16", "b_32", "b_16", "l_32", "l_16", "h_14"), (19, 18, 60, 59, 206, 207, 431), strict=True
        )
    },
    **{f"convmixer_{name}": (m, None) for name, m in (("1536_20", 51.6), ("768_32", 21.1), ("1024_20", 24.4))},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(name):
    entry, (millions, work) = ENTRIES[name], PUBLISHED[name]
    counted = entry.trainable_parameters
    if name.startswith("mixer"):
        counted -= 1000 * (describe(name).options["filters"] + 1)
    assert round(counted / 1e6, 1 if name.startswith("conv") else None) == millions
    assert work is None or round(entry.multiply_adds / 1e9, 1) == work


def test_counts_of_swin_v2_are_those_of_torchvision():
    """Which counts the biases of keys too, though it reads none of them."""
    counts = {"swin_v2_t": 28_351_570, "swin_v2_s": 49_737_442, "swin_v2_b": 87_930_848}
    assert {name: ENTRIES[name].parameters for name in counts} == counts
    for name in counts:
        repeats, filters = (describe(name).options[word] for word in ("repeats", "filters"))
        biases = sum(count * filters * 2**stage for stage, count in enumerate(repeats))
        assert ENTRIES[name].parameters - ENTRIES[name].trainable_parameters == biases


def test_swin_v2_has_its_norms_after_what_they_norm():
    places = {layer.name: place for place, layer in enumerate(made(swin_v2, **SWIN_SMALL).layers)}
    block = "stage1.block2"
    attention, perceptron = f"{block}.attention.attention", f"{block}.mlp.project.conv"
    assert places[attention] < places[f"{block}.norm1"] < places[f"{block}.add1"]
    assert places[perceptron] < places[f"{block}.norm2"] < places[f"{block}.add2"]
    assert places["stage2.downsample.reduction.conv"] < places["stage2.downsample.norm"]


@pytest.mark.parametrize("name", ["vit_b_16", "vit_h_14", "swin_t", "mixer_s_32", "convmixer_1024_20"])
def test_the_smallest_input(name):
    least = {"vit_b_16": 16, "vit_h_14": 14, "swin_t": 224, "mixer_s_32": 32, "convmixer_1024_20": 14}
    with weightless():
        small = {"repeats": (1, 1, 1, 1) if name == "swin_t" else 1, "filters": 48, "include_top": False}
        assert constructor(name).smallest_input(**small) == least[name]


@pytest.mark.parametrize(
    ("net", "options", "said"),
    [
        (
            vit,
            {**VIT, "input_shape": (9, 12, 3)},
            r"vit: input_shape must be of sides that are multiples of 4, by patch_s",
        ),
        (vit, {**VIT, "input_shape": (9, 12, 3)}, r"such as 8×12 or 12×16, got \(9, 12\)$"),
        (vit, {**VIT, "input_shape": (3, 12, 3)}, "vit: input_shape must be at least 4×4, got 3×12"),
        (vit, {**VIT, "input_shape": (None, None, 3)}, r"vit: input_shape must be of sides .* got \(None, None\)"),
        (vit, {**VIT, "heads": 3}, "heads must be a divisor of the 8 channels"),
        (vit, {**VIT, "repeats": 0}, "vit: repeats must be a positive integer, got 0"),
        (vit, {**VIT, "patch_size": 0}, "vit: patch_size must be a positive integer, got 0"),
        (
            swin,
            {**SWIN_SMALL, "input_shape": (16, 12, 3)},
            "swin: input_shape must be of sides that are multiples of 8, by",
        ),
        (swin, {**SWIN_SMALL, "input_shape": (4, 8, 3)}, "swin: input_shape must be at least 8×8, got 4×8"),
        (swin, {**SWIN_SMALL, "repeats": ()}, "swin: repeats must be"),
        (swin, {**SWIN_SMALL, "window": -1}, "swin: window must be a positive integer, got -1"),
        (swin, {**SWIN_SMALL, "heads": 5}, "heads must be a divisor of the 8 channels"),
        (swin, {**SWIN_SMALL, "cosine": 3}, "cosine must be"),
        (swin_v2, {**SWIN_SMALL, "norm_at": "middle"}, "norm_at must be"),
        (swin, {**SWIN_SMALL, "stochastic_depth": 2}, "swin: stochastic_depth must be"),
        (
            mixer,
            {**MIXER, "input_shape": (8, 13, 3)},
            r"mixer: input_shape must be .*such as 8×12 or 12×16, got \(8, 13\)",
        ),
        (mixer, {**MIXER, "norm": 3}, "mixer: norm must be"),
        (
            convmixer,
            {"filters": 8, "repeats": 1, "input_shape": (6, 9, 3)},
            "convmixer: input_shape must be at least 7×7",
        ),
        (convmixer, {"kernel_size": 0}, "kernel_size must be"),
    ],
)
def test_bad_input(net, options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=said) as caught:
        net(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("wrong", "right"), [("vit_b_8", "vit_b_"), ("swin_x", "swin_"), ("mixer_b_64", "mixer_b_")])
def test_a_variant_that_is_not_there(wrong, right):
    with pytest.raises(ValueError, match=f"did you mean '{right}"):
        build(wrong)


@pytest.mark.parametrize("sides", [(8,), (8, 12), (4, 8, 8)])
def test_signals_and_volumes(sides):
    patches = int(np.prod(sides)) // 4 ** len(sides)
    shape = {"input_shape": (*sides, 3), "include_top": False}
    assert made(vit, **{**VIT, **shape}).output_shape == (None, patches + 1, 8)
    assert made(mixer, **{**MIXER, **shape}).output_shape == (None, patches, 8)
    wide = {**shape, "input_shape": (*(8 * side for side in sides), 3)}
    assert made(swin, **{**SWIN_SMALL, **wide}).output_shape == (None, *(2 * side for side in sides), 16)


def test_the_class_token_alone_is_classified():
    """No weight of it depends on the other tokens but by attention: without blocks' sums the image does not matter."""
    model = made(vit, **VIT)
    names = [layer.name for layer in model.layers]
    assert names[-3:] == ["norm", "first_token", "classifier.predictions"]
    assert model.get_layer("first_token").output.shape == (None, 8)
    assert made(vit, **VIT, include_top=False, pooling="avg").output_shape == (None, 8)


def test_every_second_block_has_shifted_windows():
    model = made(swin, **SWIN_SMALL)
    kinds = [layer for layer in model.layers if type(layer).__name__ == "WindowAttention"]
    # The map of the second stage is 4×2 patches: a window along one side, which nothing shifts.
    assert [layer.shift for layer in kinds] == [(0, 0), (1, 1), (0, 0), (1, 0), (0, 0)]
    rates = [layer.rate for layer in model.layers if type(layer).__name__ == "StochasticDepth"]
    assert rates == pytest.approx([rate for rate in (0.05, 0.1, 0.15, 0.2) for _ in range(2)])
    assert [layer.output.shape[1:] for layer in kinds[1:3]] == [(8, 4, 8), (4, 2, 16)]


def test_features_by_stride():
    model = made(swin, **{**SWIN_SMALL, "repeats": (1, 1, 1), "input_shape": (32, 16, 3)})
    with weightless():
        found = features(model, (2, 4, 8)).output
    assert {key: tensor.shape[1:] for key, tensor in found.items()} == {
        "stride2": (16, 8, 8),
        "stride4": (8, 4, 16),
        "stride8": (4, 2, 32),
    }


def test_the_activation_of_a_convmixer_stands_before_its_norm():
    model = made(convmixer, filters=8, repeats=1, kernel_size=3, patch_size=2, input_shape=(8, 8, 3))
    names = [layer.name for layer in model.layers]
    assert names.index("block1.depthwise.unit.conv") < names.index("block1.depthwise.norm") < names.index("block1.add")
    assert model.get_layer("block1.pointwise.unit.conv").activation is keras.activations.gelu
    assert describe("convmixer_768_32").options["conv"].keywords["activation"] == "relu"


def test_what_is_said_builds_them_again():
    with weightless():
        model = swin(**SWIN_SMALL, norm=("layer_norm", {"epsilon": 0.25}), stochastic_depth=0.0)
        again = build(config_of(model))
    assert structure(again) == structure(model) and again.get_layer("norm").epsilon == 0.25


def torch_names() -> dict[str, np.ndarray]:
    """A state dict as torchvision's ViT of the sizes of `VIT` has it."""
    shapes = {"class_token": (1, 1, 8), "conv_proj.weight": (8, 3, 4, 4), "encoder.pos_embedding": (1, 7, 8)}
    norms = ["encoder.ln"]
    for block in range(2):
        name = f"encoder.layers.encoder_layer_{block}"
        norms += [f"{name}.ln_1", f"{name}.ln_2"]
        shapes |= {f"{name}.self_attention.in_proj_weight": (24, 8), f"{name}.self_attention.in_proj_bias": (24,)}
        shapes |= {f"{name}.self_attention.out_proj.weight": (8, 8), f"{name}.self_attention.out_proj.bias": (8,)}
        shapes |= {f"{name}.mlp.linear_1.weight": (32, 8), f"{name}.mlp.linear_1.bias": (32,)}
        shapes |= {f"{name}.mlp.3.weight": (8, 32), f"{name}.mlp.3.bias": (8,)}
    shapes |= {f"{name}.{tensor}": (8,) for name in norms for tensor in ("weight", "bias")}
    shapes |= {"conv_proj.bias": (8,), "heads.head.weight": (5, 8), "heads.head.bias": (5,)}
    random = np.random.default_rng(0)
    return {name: random.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def test_query_key_and_value_are_one_tensor_in_torch():
    state = torch_names()
    model = vit(**VIT, weights=state)
    attention = model.get_layer("block2.attention.attention")
    whole = state["encoder.layers.encoder_layer_1.self_attention.in_proj_weight"]
    for place, dense in enumerate((attention.query_dense, attention.key_dense, attention.value_dense)):
        part = whole[8 * place : 8 * place + 8]  # out in, the heads one after the other
        np.testing.assert_array_equal(np.asarray(dense.kernel), part.reshape(2, 4, 8).transpose(2, 0, 1))
    out = state["encoder.layers.encoder_layer_1.self_attention.out_proj.weight"]
    np.testing.assert_array_equal(np.asarray(attention.output_dense.kernel), out.T.reshape(2, 4, 8))
    np.testing.assert_array_equal(np.asarray(model.get_layer("class_token").token), state["class_token"][0, 0])
    embeddings = np.asarray(model.get_layer("position_embedding").embeddings)
    np.testing.assert_array_equal(embeddings, state["encoder.pos_embedding"][0])


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("encoder.pos_embedding", (1, 8, 8), "position_embedding.embeddings must be (1, 7, 8), encoder.pos_embedding"),
        ("encoder.layers.encoder_layer_0.self_attention.in_proj_bias", (25,), "in_proj_bias (25,)"),
        ("encoder.layers.encoder_layer_0.self_attention.in_proj_bias", (27,), "query/bias must be (8,), "),
    ],
)
def test_tensors_of_another_network_are_refused(name, shape, said):
    model = vit(**VIT, dialect="torchvision")
    before = model.get_weights()
    with pytest.raises(ValueError) as caught:
        load(model, {**torch_names(), name: np.zeros(shape, "float32")})
    assert said in str(caught.value), str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_table_of_names_may_name_what_is_split_or_what_is_not():
    """A convolution that somebody calls `qkv` is one, where their table says so."""
    x = keras.Input((4, 4, 3))
    model = keras.Model(x, conv(conv(x, 9, 1, name="a"), 2, 1, name="b"))
    state = {"m.qkv.weight": np.ones((9, 3, 1, 1)), "m.qkv.bias": np.zeros(9)}
    state |= {"m.proj.weight": np.ones((2, 9, 1, 1)), "m.proj.bias": np.zeros(2)}
    report = load(model, state, names={"a.conv": "m.qkv", "b.conv": "m.proj"}, dialect="mine")
    assert len(report.loaded) == 4


@pytest.mark.sweep
def test_a_file_holds_all_of_it(tmp_path):
    model = randomize(swin(**{**SWIN_SMALL, "repeats": (2,)}))
    x = images(4, 16, 8, 3)
    model.save(tmp_path / "swin.keras")
    np.testing.assert_array_equal(run(keras.saving.load_model(tmp_path / "swin.keras"), x), run(model, x))
