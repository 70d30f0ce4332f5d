"""Weights of torchvision and timm: names and shapes, the layouts in NumPy, and with torch at hand the outputs."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerblocks.architectures import build, describe, googlenet, load, origin, resnet, resnet18, vgg, weights
from layerblocks.architectures.catalogue import constructor
from layerblocks.blocks import basic_residual, batch_norm, bottleneck, conv_bn, weightless
from layerblocks.models import replace_each, tensor_at, with_new_head

from .. import naive
from ..agreement import differ, run
from ..helpers import LOOKED_AT, NIGHTLY, data_format, first_of_each
from . import torch_outputs


def published(library: str) -> dict[str, dict[str, list[int]]]:
    found: dict[str, dict[str, list[int]]] = {}
    for path in sorted((Path(__file__).parent / "data").glob(f"{library}*_state_dicts.json.gz")):
        found |= json.loads(gzip.decompress(path.read_bytes()))
    return found


# By network the shapes of its state_dict, as torchvision 0.29 has them: with `weights=None`, `aux_logits=True` where
# there are such heads, without `num_batches_tracked`. Of timm 1.0 the networks whose names are others.
PUBLISHED = published("torchvision")
TIMM = published("timm")
OURS = {"mobilenetv1_100": "mobilenet", "mobilenetv2_100": "mobilenet_v2", "legacy_xception": "xception"}
OURS |= {"seresnet50": "se_resnet50", "resnetv2_50": "resnet50_v2", "mixer_b16_224": "mixer_b_16"}
OURS |= {"vit_base_patch16_224": "vit_b_16", "swin_tiny_patch4_window7_224": "swin_t"}
OURS |= {"ghostnet_100": "ghostnet_1_0", "resnest50d": "resnest50", "res2net50_26w_4s": "res2net50"}
OURS |= {"convnextv2_atto": "convnext_v2_atto", "ecaresnet50d": "eca_resnet50d"}
COUNTER = "num_batches_tracked"


def empty(shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """A state dict that needs no memory."""
    return {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes.items()}


# Of each family whose networks differ in depth and width alone one or two are built here, nightly all.
LARGE = ("swin_s", "swin_b", "vit_l_16", "vit_l_32", "vit_h_14", "convnext_small", "convnext_base", "convnext_large")
LARGE += ("swin_v2_s", "swin_v2_b")


# Names and shapes.


@pytest.fixture
def written(monkeypatch) -> list[Any]:
    """What would be written; models need no weights."""
    found: list[Any] = []
    monkeypatch.setattr(weights, "_write", found.extend)
    monkeypatch.setattr(weights._keras, "is_allocated", lambda variable: True)
    return found


EVERY = [*(("torchvision", name) for name in PUBLISHED), *(("timm", name) for name in TIMM)]
EVERY = [(library, name) for library, name in EVERY if NIGHTLY or name not in LARGE]
QUICK = ("torchvision-alexnet", "torchvision-vgg11_bn", "torchvision-resnet18", "timm-vgg11", "timm-mobilenetv1_100")


@pytest.mark.sweep_but(*QUICK)
@pytest.mark.parametrize(("library", "name"), EVERY, ids=[*map("-".join, EVERY)])
def test_published_names_and_shapes(library, name, written):
    """Every tensor has its place, and the order of the names does not matter."""
    dialects = describe(ours := OURS.get(name, name)).dialects
    with weightless():
        model = build(ours, dialect=library if library in dialects else "torchvision")
    shapes = sorted(published(library)[name].items())
    state = {key: np.broadcast_to(np.float32(place), shape) for place, (key, shape) in enumerate(shapes)}
    report = load(model, state)
    assert {id(variable) for variable, _, _ in written} == {id(variable) for variable in model.weights}
    assert len(written) == len(model.weights) == len(report.loaded) and not report.kept and not report.unused
    parts = Counter(int(value.flat[0]) for _, _, value in written)
    assert sorted(parts) == list(range(len(shapes)))
    for place, (key, _) in enumerate(shapes):  # query, key and value are one tensor there
        assert parts[place] == (3 if re.search(r"in_proj_|\.qkv\.", key) else 1), key


FIRST = first_of_each(dict.fromkeys(OURS.get(name, name) for _, name in EVERY), *LOOKED_AT, "vgg11", "vgg11_bn")
OF_FAMILIES = [(library, name) for library, name in EVERY if OURS.get(name, name) in FIRST]


@pytest.mark.sweep_but(*QUICK)
@pytest.mark.parametrize(("library", "name"), OF_FAMILIES, ids=[*map("-".join, OF_FAMILIES)])
def test_a_wrong_dialect_is_refused(library, name, written):
    """By what is computed: the tensors are the same."""
    ours = OURS.get(name, name)
    dialects = describe(ours).dialects
    right = library if library in dialects else "torchvision"
    for dialect in dialects:
        if dialect != right:
            with weightless():
                model = build(ours, dialect=dialect)
            with pytest.raises(
                ValueError, match=rf"model must be built with dialect='{right}'|must be exactly the ten"
            ):
                load(model, empty(published(library)[name]))
            assert not written
    assert len(dialects) > 1 or dialects == (right,)


@pytest.mark.parametrize(("library", "name"), [("torchvision", "resnet50"), ("timm", "seresnet50"), ("timm", "vgg11")])
def test_weights_bring_their_dialect(library, name):
    """Which is found without building anything."""
    dialects = constructor(OURS.get(name, name)).dialects
    source = weights.checked(empty(published(library)[name]), name)
    assert weights.dialect_of(source, dialects) == ("timm" if name == "seresnet50" else "torchvision")


@cache
def small_resnet() -> keras.Model:
    """A ResNet of few tensors, under names as torchvision would give them."""
    options: dict[str, Any] = {"repeats": (1, 1), "strides": (1, 2), "filters": 4, "residual": basic_residual}
    return resnet(dialect="torchvision", input_shape=(16, 16, 3), classes=5, **options)


def small_state() -> dict[str, np.ndarray]:
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (5, 8), "fc.bias": (5,)}
    norms = {"bn1": 64}
    for stage, (seen, filters) in enumerate([(64, 4), (4, 8)], 1):
        block = f"layer{stage}.0"
        shapes |= {
            f"{block}.conv1.weight": (filters, seen, 3, 3),
            f"{block}.conv2.weight": (filters, filters, 3, 3),
            f"{block}.downsample.0.weight": (filters, seen, 1, 1),
        }
        norms |= {f"{block}.{name}": filters for name in ("bn1", "bn2", "downsample.1")}
    for name, width in norms.items():
        shapes |= {f"{name}.{tensor}": (width,) for tensor in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{name}.{COUNTER}"] = ()
    random = np.random.default_rng(0)
    return {name: random.uniform(0.5, 1.5, shape).astype("float32") for name, shape in shapes.items()}


STATE = small_state()
TENSORS = sorted(key for key in STATE if not key.endswith(COUNTER))


@given(order=st.permutations(sorted(STATE)))
@settings(max_examples=10)
def test_order_does_not_matter(order):
    model = small_resnet()
    load(model, {key: STATE[key] for key in order})
    assert np.array_equal(model.get_layer("classifier.predictions").kernel, STATE["fc.weight"].T)
    assert np.array_equal(model.get_layer("stem.norm").moving_variance, STATE["bn1.running_var"])
    kernel = model.get_layer("stage2.block1.shortcut.conv").kernel
    assert np.array_equal(kernel, STATE["layer2.0.downsample.0.weight"].transpose(2, 3, 1, 0))


@given(
    missing=st.sets(st.sampled_from(TENSORS), max_size=4),
    extra=st.sets(st.sampled_from(["layer3.0.conv1.weight", "fc.scale", "AuxLogits.fc.bias", "lonely"]), max_size=3),
    changed=st.sets(st.sampled_from(TENSORS), max_size=3),
)
@settings(max_examples=40)
def test_all_or_nothing(missing, extra, changed):
    """What is left on either side and what has another shape is said, and nothing is written."""
    changed -= missing
    state = {key: value for key, value in STATE.items() if key not in missing}
    state |= {key: np.zeros(3) for key in extra} | {key: np.zeros((2, *STATE[key].shape)) for key in changed}
    model = small_resnet()
    before = model.get_weights()
    if not missing and not extra and not changed:
        load(model, state)
        return
    with pytest.raises(ValueError, match="must be exactly the tensors of the network, those of dialect='tor") as caught:
        load(model, state)
    message = str(caught.value)
    for title, faults in (("left in the model", missing), ("left in source", extra), ("of another shape", changed)):
        assert (title in message) == bool(faults)
    assert all(key in message for key in extra | changed)
    if missing:
        assert message.partition("left in the model: ")[2].partition("; ")[0].count(" (") == len(missing)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.sweep
def test_published_files_of_densenet(written):
    """Their names have a dot more than those of the module."""
    renamed = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", key): np.broadcast_to(np.float32(0), shape)
        for key, shape in PUBLISHED["densenet121"].items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in renamed
    with weightless():
        model = build("densenet121", dialect="torchvision")
    load(model, renamed)
    assert len(written) == len(model.weights)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"aux": False},
            r"; left in source: aux1\.conv\.conv\.weight \(128, 512, 1, 1\), [^;]* and \d+ more$|aux2",
        ),
        ({"include_top": False, "aux": False}, r"left in source: .*aux1"),
        ({"classes": 10}, r"of another shape: .*classifier\.predictions\.bias must be \(10,\), fc\.bias is \(1000,\)"),
        (
            {"dialect": "paper"},
            r"left in the model: conv1\.conv\.bias \(64,\), .*left in source: conv1\.bn\.weight",
        ),
    ],
)
def test_another_googlenet(options, message, written):
    with weightless():
        model = googlenet(**{"dialect": "torchvision", **options})
    with pytest.raises(ValueError, match=message):
        load(model, empty(PUBLISHED["googlenet"]))
    assert not written


@pytest.mark.parametrize(
    ("model", "source", "error", "message"),
    [
        (
            small_resnet,
            list(STATE.values()),
            TypeError,
            "load: source must be a Keras model, a dict of arrays by name or",
        ),
        (lambda: STATE, STATE, TypeError, "load: model must be a Keras model, got {"),
        (small_resnet, {**STATE, "fc.bias": list("names")}, TypeError, r"source\['fc.bias'\] must be an array of numb"),
        (
            small_resnet,
            {**STATE, "fc.bias": None},
            TypeError,
            r"source\['fc.bias'\] must be an array of numbers, got None",
        ),
        (small_resnet, {**STATE, 3: STATE["fc.bias"]}, TypeError, "a name in source must be text, got 3"),
        (small_resnet, {}, ValueError, "must be exactly the tensors of the network"),
    ],
)
def test_bad_arguments(model, source, error, message):
    with pytest.raises(error, match=message) as caught:
        load(model(), source)
    assert "\n" not in str(caught.value)


def without_relu(model: keras.Model) -> keras.Model:
    return replace_each(model, keras.layers.Activation, lambda old, x: keras.layers.Activation("gelu")(x))


def test_what_was_changed_is_compared_where_it_is_loaded():
    """A new end is no reason to refuse what comes before it; what comes before is."""
    report = load(with_new_head(small_resnet(), 7), STATE, missing="keep")
    assert report.kept == ("classifier.predictions.kernel", "classifier.predictions.bias")
    with pytest.raises(
        ValueError, match=r"load: model must compute .* resnet was changed since by replace_each \(what "
    ):
        load(without_relu(small_resnet()), STATE)
    with pytest.raises(ValueError, match="resnet was changed since by with_new_head, replace_each"):
        load(without_relu(with_new_head(small_resnet(), 7)), STATE, missing="keep")
    assert load(without_relu(small_resnet()), STATE, dialect="torchvision").loaded


def test_an_argument_is_compared_under_another_end_too():
    gelu = partial(conv_bn, use_bias=False, activation="gelu", norm=partial(batch_norm, momentum=0.9, epsilon=1e-5))
    options: dict[str, Any] = {"repeats": (1, 1), "strides": (1, 2), "filters": 4, "residual": basic_residual}
    options |= {"dialect": "torchvision", "input_shape": (16, 16, 3), "conv": gelu}
    for model in (resnet(**options, classes=7), with_new_head(resnet(**options, classes=5), 7)):
        with pytest.raises(ValueError, match="resnet was built with an argument 'conv' that changes it"):
            load(model, STATE, missing="keep")
    inside = resnet(**options, input_tensor=keras.Input((16, 16, 3)), classes=5)
    with pytest.raises(ValueError, match="resnet was built with an argument 'conv' that changes it"):
        load(inside, STATE)


def test_a_model_without_weights_is_refused():
    with weightless():
        model = resnet18()
    with pytest.raises(ValueError, match="load: model must be a model with weights, not one made under"):
        load(model, STATE)


# Layouts: what torch computes, in NumPy, on images as torch has them.


def torch_conv(x, weight, bias):
    """3×3, one pixel of zeros on every side: `batch channels height width`."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
    return np.einsum("nchwab,ocab->nohw", windows, weight) + bias[:, None, None]


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_what_sees_a_flattened_image(order):
    random = np.random.default_rng(0)
    shapes = {"features.0.weight": (4, 3, 3, 3), "features.3.weight": (5, 4, 3, 3), "classifier.0.weight": (7, 30)}
    shapes |= {"classifier.3.weight": (6, 7), "classifier.6.weight": (2, 6)}
    shapes |= {key.replace("weight", "bias"): shape[:1] for key, shape in shapes.items()}
    state = {key: random.normal(size=shape).astype("float32") for key, shape in shapes.items()}
    x = random.normal(size=(2, 3, 9, 11)).astype("float32")

    y = x
    for layer in ("features.0", "features.3"):
        y = np.maximum(torch_conv(y, state[f"{layer}.weight"], state[f"{layer}.bias"]), 0)
        height, width = (side // 2 * 2 for side in y.shape[2:])
        y = y[:, :, :height, :width].reshape(*y.shape[:2], height // 2, 2, width // 2, 2).max((3, 5))
    y = naive.adaptive_avg_pool(y.transpose(0, 2, 3, 1), (2, 3)).transpose(0, 3, 1, 2).reshape(2, -1)
    for layer in ("classifier.0", "classifier.3", "classifier.6"):
        y = y @ state[f"{layer}.weight"].T + state[f"{layer}.bias"]
        y = y if layer == "classifier.6" else np.maximum(y, 0)

    options: dict[str, Any] = {"convs": (1, 1), "filters": (4, 5), "units": (7, 6), "output_size": (2, 3), "classes": 2}
    with data_format(order):
        shape = (9, 11, 3) if order == "channels_last" else (3, 9, 11)
        model = vgg(dialect="torchvision", input_shape=shape, classifier_activation=None, **options)
        load(model, state)
    if order == "channels_last":
        assert differ(run(model, x.transpose(0, 2, 3, 1)), y) < 1e-5
    else:  # which runs on accelerators only
        with data_format("channels_last"):
            other = vgg(dialect="torchvision", input_shape=(9, 11, 3), classifier_activation=None, **options)
        load(other, state)
        for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
            assert np.array_equal(ours, theirs)


def test_depthwise_kernels():
    random = np.random.default_rng(0)
    drawn = {key: random.normal(size=shape).astype("float32") for key, shape in PUBLISHED["mobilenet_v2"].items()}
    state = {key: abs(numbers) if key.endswith("running_var") else numbers for key, numbers in drawn.items()}
    model = build("mobilenet_v2", weights=state)
    for name, key in (("stage1.block1", "features.1.conv.0"), ("stage3.block2", "features.5.conv.1")):
        kernel = model.get_layer(f"{name}.depthwise.conv").kernel
        for channel in (0, 7, 31):
            assert np.array_equal(kernel[:, :, channel, 0], state[f"{key}.0.weight"][channel, 0])


# The outputs, where torch and the libraries are installed.

PIXELS = {"weights_backbone": None, "aux_loss": True}
HEADS = {"aux_logits": True, "transform_input": False, "init_weights": False}
RESNEXT = {"residual": partial(bottleneck, reduction=2, groups=32)}
WIDE = {"residual": partial(bottleneck, reduction=2)}
CONVNEXT = {f"features.{2 * number - 1}": f"stage{number}" for number in range(1, 5)}
STAGES = {f"layer{number}": f"stage{number}" for number in range(1, 5)}
# With larger weights torch's own float32 is far from its float64, with smaller ones nothing is left of the image.
GAINS = {"efficientnet_b6": 1.0, "efficientnet_b7": 1.0}
GAINS |= {"efficientnet_v2_s": 0.9, "efficientnet_v2_m": 0.9, "efficientnet_v2_l": 0.8}
SMALL, ODD = (64, 64), (81, 70)


def case(
    theirs: str, ours: str = "", sizes: Any = (SMALL, ODD), taps: Any = None, gain: float = 1.0, **given: Any
) -> Any:
    """A network of a library, ours, what that is given and the other, sizes, and what is compared inside by name.

    The weights are times `gain` where the gates of squeeze-and-excite would otherwise leave nothing of the image, or
    depend on how numbers are rounded.
    """
    library, name = theirs.split("/")
    return library, name, given.pop("options", {}), ours or OURS.get(name, name), given, list(sizes), taps or {}, gain


VITS = ("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32")
REAL = [
    case("torchvision/alexnet", sizes=[(224, 224), (70, 99)], taps={"features.12": "pool5"}),
    *(case(f"torchvision/{name}", sizes=[(37, 70), (64, 33)]) for name in PUBLISHED if name.startswith("vgg")),
    case(
        "torchvision/googlenet",
        "googlenet_torchvision",
        sizes=[(97, 130), (64, 64)],
        taps={"inception3b": "inception_3b", "inception5b": "inception_5b"},
        options=HEADS,
    ),
    case("torchvision/inception_v3", sizes=[(299, 310), (310, 299)], taps={"Mixed_6a": "mixed3"}, options=HEADS),
    *(case(f"torchvision/{name}", taps=STAGES) for name in PUBLISHED if name.startswith("resnet")),
    *(case(f"torchvision/{name}", taps=STAGES) for name in PUBLISHED if name.startswith(("resnext", "wide_resnet"))),
    *(
        case(f"torchvision/{name}", taps={"features.norm5": "postactivation.norm"})
        for name in PUBLISHED
        if "dense" in name
    ),
    *(
        case(f"torchvision/{name}", taps={f"trunk_output.block{stage}": f"stage{stage}" for stage in range(1, 5)})
        for name in PUBLISHED
        if name.startswith("regnet")
    ),
    *(case(f"torchvision/{name}") for name in PUBLISHED if name.startswith(("mnasnet", "squeezenet"))),
    *(
        case(f"torchvision/{name}", taps={f"stage{stage + 1}": f"stage{stage}" for stage in range(1, 4)})
        for name in PUBLISHED
        if name.startswith("shufflenet")
    ),
    *(
        case(
            f"torchvision/{name}",
            taps={f"features.{stage}": f"stage{stage}" for stage in range(1, 7)},
            gain=GAINS.get(name, 1.1),
        )
        for name in PUBLISHED
        if name.startswith("efficientnet")
    ),
    case("torchvision/mobilenet_v2", taps={"features.6": "stage3.block3", "features.18": "last"}),
    case("torchvision/mobilenet_v3_large", taps={"features.6": "stage3", "features.16": "last"}),
    case("torchvision/mobilenet_v3_small", taps={"features.6": "stage3", "features.12": "last"}),
    case(
        "torchvision/mobilenet_v3_large",
        options={"dilated": True},
        taps={"features.13": "stage6.block1", "features.16": "last"},
        output_stride=16,
    ),
    *(
        case(
            f"torchvision/{name}", taps={f"backbone.{theirs}": ours for theirs, ours in STAGES.items()}, options=PIXELS
        )
        for name in ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101")
    ),
    case("torchvision/deeplabv3_mobilenet_v3_large", taps={"backbone.16": "last"}, options=PIXELS),
    case(
        "torchvision/lraspp_mobilenet_v3_large",
        taps={"backbone.4": "stage3.block1", "backbone.16": "last"},
        options={"weights_backbone": None},
    ),
    *(
        case(f"torchvision/{name}", sizes=[(8, 48, 56), (5, 37, 41)], taps=STAGES)
        for name in ("r3d_18", "mc3_18", "r2plus1d_18")
    ),
    *(case(f"timm/{name}", taps=STAGES) for name in ("resnet18", "resnet50", "seresnet50")),
    case("timm/resnext50_32x4d", "resnet50", taps=STAGES, **RESNEXT),
    case("timm/wide_resnet50_2", "resnet50", taps=STAGES, **WIDE),
    case("timm/resnetv2_18", "resnet18_v2", taps={"stages.0": "stage1", "stages.3": "stage4"}),
    case("timm/resnetv2_50", taps={f"stages.{number}": f"stage{number + 1}" for number in range(4)}),
    case("timm/densenet121", taps={"features.denseblock2": "block2"}),
    case("timm/inception_v3", sizes=[(299, 310), (96, 97)], aux=False),
    case("timm/inception_v4", sizes=[(75, 97), (96, 81)], taps={"features.9": "mixed_5e", "features.17": "mixed_6h"}),
    case("timm/mobilenetv1_100", taps={"blocks.2": "stage3"}),
    case("timm/mobilenetv2_100", taps={"blocks.2": "stage3"}),
    case("timm/mobilenetv2_050", "mobilenet_v2", alpha=0.5),
    case("timm/legacy_xception", sizes=[(79, 84), (96, 71)], taps={"block3": "entry3"}),
    *(case(f"timm/{name}", sizes=[(64, 64), (224, 96)]) for name in ("vgg11", "vgg16_bn")),
    *(case(f"torchvision/{name}", sizes=[(64, 64)], options={"image_size": 64}) for name in VITS),
    case("torchvision/vit_h_14", sizes=[(56, 56)], options={"image_size": 56}),
    case("torchvision/vit_b_16", sizes=[(224, 224)]),
    case("torchvision/swin_t", sizes=[(224, 224), (448, 224)], taps={"permute": "norm"}),
    *(case(f"torchvision/{name}", sizes=[(224, 224)], taps={"permute": "norm"}) for name in ("swin_s", "swin_b")),
    case("torchvision/swin_v2_t", sizes=[(256, 256), (512, 256)], taps={"permute": "norm"}),
    *(case(f"torchvision/{name}", sizes=[(256, 256)], taps={"permute": "norm"}) for name in ("swin_v2_s", "swin_v2_b")),
    case("timm/vit_base_patch16_224", sizes=[(64, 96)], options={"img_size": [64, 96]}),
    case("timm/swin_tiny_patch4_window7_224", sizes=[(224, 224)]),
    case("timm/mixer_s32_224", "mixer_s_32", sizes=[(224, 224)]),
    case("timm/mixer_b16_224", sizes=[(64, 96)], options={"img_size": [64, 96]}),
    case("timm/hrnet_w18", sizes=[(64, 96)], taps={"layer1": "stage1"}),
    case("timm/convmixer_768_32", sizes=[(64, 49), (63, 77)]),
    *(case(f"torchvision/{name}", taps=CONVNEXT) for name in PUBLISHED if name.startswith("convnext")),
    case("timm/convnext_tiny", taps={"stages.1": "stage2"}),
    *(case(f"timm/{name}", taps=STAGES) for name in ("resnet50d", "ecaresnet50d", "resnest50d")),
    case("timm/res2net50_26w_4s", taps=STAGES),
    case("timm/darknet53", taps={"stages.2": "stage3"}, gain=0.7),
    case("timm/cspdarknet53", taps={"stages.2": "stage3"}, gain=0.85),
    *(case(f"timm/{name}", taps={"stages.1": "stage2"}) for name in ("cspresnet50", "cspresnext50")),
    case("timm/repvgg_a0", taps={f"stages.{number}": f"stage{number + 1}" for number in range(4)}),
    case("timm/convnextv2_atto", taps={"stages.1": "stage2"}),
    # In float64 they differ by 8e-15; in float32 a gain of 1 brings torch itself 1.4e-5 from that.
    case("timm/ghostnet_100", taps={"blocks.6": "stage4", "blocks.9": "last"}, gain=0.8),
]
# Dear ones, whose like are in the sweep.
DEAR = {*LARGE, "cspresnext50", "vit_b_16", "vit_base_patch16_224", "swin_tiny_patch4_window7_224", "mixer_b16_224"}
REAL = [each for each in REAL if NIGHTLY or each[1] not in DEAR]


def names(case: Any) -> str:
    return f"{case[0]}-{case[1]}"


@pytest.mark.sweep_but("torchvision-resnet18", "timm-mobilenetv1_100")
@pytest.mark.skipif(not all(map(find_spec, ("torch", "torchvision"))), reason="torch and torchvision are not installed")
@pytest.mark.parametrize("case", REAL, ids=names)
def test_outputs_agree(case, tmp_path, monkeypatch):
    """Built by one call, auxiliary heads and what is inside included; refused in every other dialect."""
    library, name, options, ours, given, sizes, taps, gain = case
    if library == "timm" and not find_spec("timm"):  # not imported: torch beside TensorFlow crashes
        pytest.skip("timm is not installed")
    request = {"library": library, "name": name, "options": options, "sizes": sizes, "taps": taps, "gain": gain}
    subprocess.run([sys.executable, torch_outputs.__file__, json.dumps(request), tmp_path], check=True)
    with np.load(tmp_path / "outputs.npz") as file:
        results = dict(file)
    shapes = json.loads(str(results.pop("shapes")))
    known = published(library)
    assert {"image_size", "img_size"} & {*options} or shapes == known.get(name, shapes)
    state = torch_outputs.random_state(shapes, gain)
    found = {}
    build_ours = constructor(ours)
    for place, size in enumerate(sizes):
        model = build_ours(input_shape=(*size, 3), weights=state, **given)
        outputs = model.output if isinstance(model.output, dict) else {"main": model.output}
        inside = keras.Model(model.input, {**outputs, **{tap: tensor_at(model, tap) for tap in taps.values()}})
        found |= {f"{place}.{key}": value for key, value in run(inside, torch_outputs.random_images(size)).items()}
        keras.backend.clear_session()
    assert found.keys() == results.keys()
    for key, expected in results.items():
        assert differ(expected[0], expected[1]) > 1e-3  # the images matter
        assert differ(found[key], expected) < 1e-5, key
    monkeypatch.setattr(weights._keras, "is_allocated", lambda variable: True)
    for dialect in build_ours.dialects:
        if dialect != origin(model).dialect:
            for size in sizes:
                with weightless():
                    try:
                        other = build_ours(input_shape=(*size, 3), dialect=dialect, **given)
                    except ValueError:  # which needs larger images
                        other = build_ours(dialect=dialect, **given)
                with pytest.raises(ValueError, match=r"model must be built with dialect=|must be exactly the ten"):
                    load(other, state)


def test_names_of_a_family_that_the_network_is_not_of(written):
    state = {"conv_stem.weight": np.zeros((32, 3, 3, 3), "float32"), "bn1.weight": np.zeros(32, "float32")}
    state["blocks.0.0.conv_dw.weight"] = np.zeros((32, 1, 3, 3), "float32")
    with weightless():
        model = build("efficientnet_b0")
    with pytest.raises(ValueError, match=r"its names are like those of timm's mobilenet; names= gives others"):
        load(model, state)
