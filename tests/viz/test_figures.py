"""What the figures show: measured on what is drawn, and pinned by golden DOT."""

from __future__ import annotations

import inspect
import os
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import partial
from pathlib import Path as File

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks.architectures import build, describe
from layerblocks.blocks import (
    bottleneck,
    conv,
    depthwise,
    inverted_residual,
    squeeze_excite,
    stochastic_depth,
    weightless,
)
from layerblocks.graphs import overview, read_graph
from layerblocks.graphs.graph import Output
from layerblocks.graphs.rewrite import box, contract
from layerblocks.viz import Theme, diagram, model_to_dot, plot_model, to_graphviz
from layerblocks.viz.dot import escape
from layerblocks.viz.scene import Box, Path, Text
from layerblocks.viz.texts import layer_labels

from .. import zoo
from ..helpers import each_network
from .scene_checks import check_scene, effective_text, labels, named, points, texts_in

GOLDEN = File(__file__).parent / "golden"


def block_figure(name, **options):
    with weightless():
        model = build(name, **options)
    return plot_model(model, None, depth=1)


GOOGLENET = [
    *("input", "conv1", "pool1", "conv2_reduce", "conv2", "pool2", "inception_3a", "inception_3b", "pool3"),
    *("inception_4a", "inception_4b", "inception_4c", "inception_4d", "inception_4e", "pool4"),
    *("inception_5a", "inception_5b", "classifier", "aux1", "aux2"),
]


@pytest.mark.parametrize("options", [{}, {"classes": 10, "lrn": False}])
def test_googlenet_in_a_column(options):
    figure = block_figure("googlenet", **options)
    scene, boxes = figure.scene, named(figure.scene)
    assert effective_text(scene) >= 6
    check_scene(scene)
    assert set(boxes) >= set(GOOGLENET)
    assert texts_in(scene, "inception_3a") == ["4-branch concat", "inception_3a", "163,696 params"]
    assert texts_in(scene, "conv1") == ["7×7 conv, 64, /2", "conv1", "9,472 params"]
    for head in ("aux1", "aux2"):
        assert {"classifier", "loss × 0.3"} <= {*texts_in(scene, head)}
    assert not any("loss" in text for text in texts_in(scene, "classifier"))
    assert labels(scene).count("14×14×512") == 1, "4a to 4b; 4b to 4c and 4c to 4d are as large"
    trunk = [boxes[name] for name in GOOGLENET[:-2]]
    columns = {round(box.left, 2): {round(b.right, 2) for b in trunk if abs(b.left - box.left) < 0.01} for box in trunk}
    assert len(columns) <= 2, "a column is ragged"
    assert all(len(rights) == 1 for rights in columns.values()), "its boxes are not of one width"
    for head, beside in (("aux1", "inception_4a"), ("aux2", "inception_4d")):
        box, source = boxes[head], boxes[beside]
        assert box.left > source.right and abs(box.top + box.bottom - source.top - source.bottom) < 0.01


@pytest.mark.sweep_but("alexnet", "fcn16s", "resnet18", "unet")
@pytest.mark.parametrize("name", sorted(set(each_network()) - {"googlenet"}))
def test_every_network_in_a_column_and_as_the_catalogue_counts_it(name):
    figure = block_figure(name)
    assert effective_text(figure.scene) >= 6
    check_scene(figure.scene)
    entry = describe(name)
    assert figure.graph.multiply_adds == entry.multiply_adds
    assert figure.graph.parameters == entry.parameters


def test_a_network_of_fifty_layers_opened_once():
    """ResNet-50 block by block."""
    with weightless():
        model = build("resnet50")
    figure = plot_model(model, None, depth=2)
    assert sum(n.role == "residual" for n in figure.graph.nodes) == 16
    check_scene(figure.scene)


def test_trunk_skip_and_head_look_different_without_colour():
    x = keras.Input((8, 8, 4), name="x")
    y = conv(x, 4, name="one")
    z = layers.Add(name="sum")([conv(y, 4, name="two"), y])
    head = layers.Dense(1, name="aux1")(layers.Flatten(name="aux_in")(z))
    model = keras.Model(x, {"aux1": head, "main": conv(z, 1, name="last")})
    look = {(e.get_source(), e.get_destination()): e.get_attributes() for e in model_to_dot(model, depth=1).get_edges()}
    figure = plot_model(model, None, depth=1)
    names = {n.name: f"n{n.id}" for n in figure.graph.nodes}
    assert look[names["one"], names["sum"]]["tailport"] == "e"
    assert look[names["sum"], names["aux_in"]]["style"] == "dashed"
    assert "style" not in look[names["one"], names["two"]]
    lines = {item.role: item for item in figure.scene.items if isinstance(item, Path)}
    assert {"trunk", "skip", "aux"} <= set(lines)
    paint = figure.theme.paint
    assert (
        paint("aux").dashes
        and not paint("trunk").dashes
        and paint("projection").dashes not in ((), paint("aux").dashes)
    )
    assert paint("concat").width > 1.5 * paint("trunk").width
    boxes = named(figure.scene)
    x = [px for px, _ in points(lines["skip"])]
    assert max(x) > boxes["two"].right or min(x) < boxes["two"].left, "a skip runs beside what it skips"


def test_a_theme_changes_fonts_sizes_and_colours():
    paints = {**Theme().paints, "dense": replace(Theme().paint("dense"), fill="#123456")}
    theme = replace(Theme(), font="DejaVu Serif", name_size=11, paints=paints)
    for depth in (None, 1):
        figure = plot_model(small_net(), None, depth=depth, theme=theme)
        assert "DejaVu Serif" in figure.svg and 'font-size="11"' in figure.svg and "#123456" in figure.svg
        assert "DejaVu Serif" in figure.dot.to_string()


@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
@pytest.mark.parametrize("splines", ["ortho", "curved", "polyline", "spline", "line", "none"])
def test_every_direction_and_line(rankdir, splines):
    for depth in (None, 1, 2):
        scene = plot_model(small_net(), None, rankdir=rankdir, splines=splines, depth=depth).scene
        paths = [item for item in scene.items if isinstance(item, Path)]
        lines = [path for path in paths if not path.role.endswith(("-mark", "-volume"))]
        boxes = named(scene)
        assert boxes and bool(lines) == (splines != "none")
        first, last = boxes["image"], boxes[next(name for name in boxes if name.startswith("head"))]
        assert {"TB": first.top < last.top, "BT": first.top > last.top, "LR": first.left < last.left}.get(
            rankdir, first.left > last.left
        )
        if splines == "ortho":
            check_scene(scene)


# -- what Keras's arguments show --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(plot_model, keras.utils.plot_model), (model_to_dot, keras.utils.model_to_dot)],
)
def test_takes_what_keras_takes(ours, theirs):
    def signature(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    assert signature(ours) == signature(theirs)
    assert ours(small_net(), **({"to_file": None} if ours is plot_model else {}), layer_range=None)
    with pytest.raises(ValueError, match="layer_range"):
        ours(small_net(), layer_range=["a", "b"])


def html_cells(dot):
    """Every label as rows of plain text."""
    labels = [node.get("label") for node in dot.get_nodes() if node.get("label")]
    return [re.sub(r"<[^>]*>", "|", label[1:-1]) for label in labels]


def everything(cell):
    return re.sub(r"\|+", "|", cell).strip("|").split("|")


def test_shows_the_information_that_keras_shows():
    model = small_net()
    model.get_layer("head.dense").trainable = False
    ask = dict.fromkeys(("show_shapes", "show_dtype", "show_layer_names", "show_layer_activations"), True)
    mine = [everything(c) for c in html_cells(model_to_dot(model, **ask, show_trainable=True))]
    theirs = [everything(c) for c in html_cells(keras.utils.model_to_dot(model, **ask, show_trainable=True))]
    assert sorted(mine) == sorted(theirs)
    assert ["Conv2D"] in [everything(c) for c in html_cells(model_to_dot(model, show_layer_names=False))]


def test_a_subgraph_can_be_put_into_another_graph():
    import pydot

    outside = pydot.Dot("outside", graph_type="digraph")
    for depth in (None, 1):
        outside.add_subgraph(model_to_dot(small_net(f"net {depth}"), subgraph=True, depth=depth))
    text = outside.to_string()
    assert text.count("subgraph cluster_net_") == 2
    names = re.findall(r'^"(net.*?)" \[label', text, re.M)
    assert names and len(names) == len(set(names))


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"rankdir": "TD"}, ValueError, "rankdir must be one of 'TB', 'LR', 'BT' or 'RL'.*, got 'TD'"),
        ({"splines": "orthogonal"}, ValueError, "did you mean 'ortho'"),
        ({"dpi": 0}, ValueError, "dpi must be a finite number above 0 .*, got 0"),
        ({"dpi": "high"}, TypeError, "dpi must .*, got 'high'"),
        ({"depth": 0}, ValueError, "depth must be None .*, got 0"),
        ({"depth": True}, TypeError, "depth must be .*, got True"),
        ({"depth": 1.5}, TypeError, "depth must be .*, got 1.5"),
        ({"theme": "dark"}, TypeError, "theme must be a Theme, got 'dark'"),
        ({"show_shape": True}, TypeError, "there is no argument 'show_shape'; did you mean 'show_shapes'"),
    ],
)
@pytest.mark.parametrize("function", [plot_model, model_to_dot, to_graphviz])
def test_wrong_arguments(function, arguments, error, says):
    with pytest.raises(error, match=f"^{function.__name__}: .*{says}"):
        function(small_net(), **arguments)


# -- names ------------------------------------------------------------------------------------------------------------

NAMES = [
    'a<b> & "c"',
    "back\\slash \\N \\G \\l \\",
    "&lt; &amp; &#92; <BR>",
    "{record|<port>}",
    "né漢字🙂",
    "two\nlines",
    "tab\there",
    "<html>",
    '"quoted"',
    "  spaces  ",
    "digraph",
    "a.b..c.",
    "x" * 200,
    "%s %d {} \\n",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_shown_as_it_is(name):
    x = keras.Input((2,), name="x")
    inner = keras.Sequential([keras.Input((2,)), layers.Dense(2, name=name), layers.Dense(2, name="z")], name=name)
    y = layers.Dense(2, name=name + "!")(inner(layers.Dense(2, name=name + "?")(x)))
    model = keras.Model(x, {"main": y}, name=name)
    wanted = re.sub(r"\s+", "", name)
    for depth in (None,) if "." in name else (None, 1, 2):
        svg = plot_model(model, None, depth=depth, expand_nested=True, show_layer_names=True).svg
        shown = re.sub(r"\s+", "", "".join(ET.fromstring(svg).itertext()))
        assert shown.count(wanted) >= 3, f"depth {depth}"


@pytest.mark.parametrize("name", [".", "..", "a.", ".a", "a..b"])
def test_names_with_nothing_between_their_dots_are_drawn(name):
    x = keras.Input((2,), name="x")
    model = keras.Model(x, layers.Dense(2, name="b.c")(layers.Dense(2, name=name)(x)))
    for depth in (None, 1, 2, 3):
        assert plot_model(model, None, depth=depth, show_layer_names=True).svg


def test_characters_that_no_picture_can_hold_are_replaced():
    assert escape("a\x00b\x1b\ud800c") == "a\ufffdb\ufffd\ufffdc"


# -- golden DOT -------------------------------------------------------------------------------------------------------


def unit(x, filters, kernel_size, name, strides=1):
    """What a block of ours makes, from Keras's layers alone."""
    x = layers.Conv2D(filters, kernel_size, strides, padding="same", use_bias=False, name=f"{name}.conv")(x)
    x = layers.BatchNormalization(name=f"{name}.norm")(x)
    return layers.Activation("relu", name=f"{name}.activation")(x)


def small_net(name="small"):
    """A bit of everything: a unit, branches, an auxiliary head unless it is the plain one, a skip, a classifier."""
    x = keras.Input((16, 16, 3), name="image")
    y = unit(x, 4, 3, "stem", strides=2)
    left, right = unit(y, 2, 1, "mix.1x1"), unit(unit(y, 2, 1, "mix.3x3_reduce"), 4, 3, "mix.3x3")
    y = layers.Concatenate(name="mix.concat")([left, right])
    outputs = {}
    if name != "small":
        flat = layers.Flatten(name="aux1.flatten")(layers.AveragePooling2D(5, 3, name="aux1.pool")(y))
        outputs["aux1"] = layers.Dense(3, activation="softmax", name="aux1.dense")(flat)
    y = layers.Add(name="block.add")([unit(y, 6, 3, "block.3x3"), y])
    y = layers.MaxPooling2D(2, name="pool")(y)
    y = layers.GlobalAveragePooling2D(name="head.pool")(y)
    outputs["main"] = layers.Dense(3, activation="softmax", name="head.dense")(y)
    return keras.Model(x, outputs, name=name)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("layers", {"show_shapes": True, "show_layer_activations": True}),
        ("blocks", {"depth": 1}),
        ("blocks_with_head", {"depth": 1, "loss_weights": {"aux1": 0.3}}),
        ("blocks_opened", {"depth": 2}),
    ],
)
def test_golden_dot(name, options):
    """Set GOLDEN=write to renew the files, and look at what changed."""
    with weightless():
        model = small_net("with_head" if "head" in name else "small")
    text = model_to_dot(model, **options).to_string()
    path = GOLDEN / f"{name}.dot"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "rank, of_five, of_three", [(1, "kernel-5", "kernel-3"), (2, "5×5", "3×3"), (3, "5×5×5", "3×3×3")]
)
def test_an_inverted_residual_without_its_sum_is_called_so(rank, of_five, of_three):
    squeeze = partial(squeeze_excite, ratio=4)
    with weightless():
        x = y = keras.Input((*[16] * rank, 16))
        y = inverted_residual(y, 24, strides=2, kernel_size=5, inner=[squeeze], name="a")
        y = inverted_residual(y, 40, name="b")
        model = keras.Model(x, inverted_residual(y, 40, name="c"))
    said = {node.name: layer_labels.describe(node) for node in overview(read_graph(model), 1).nodes}
    one = of_three.replace("3", "1")
    assert (said["a"], said["b"]) == (f"MBConv {of_five}, /2", f"{one}, {of_three} depthwise, {one} conv")
    assert said["c"].startswith("residual")


def test_gates_and_dropped_paths_are_said():
    squeeze, drop = partial(squeeze_excite, ratio=4), partial(stochastic_depth, rate=0.2)
    with weightless():
        x = y = keras.Input((16, 16, 16))
        y = inverted_residual(y, 16, inner=[squeeze], transforms=[drop], name="a")
        y = bottleneck(y, 16, reduction=1, inner=[squeeze], name="b")
        y = bottleneck(y, 16, reduction=1, transforms=[drop], name="c")
        y = conv(squeeze(depthwise(y, name="d.depthwise"), name="d.squeeze"), 8, 1, name="d.project")
        y = conv(squeeze(depthwise(y, name="e.depthwise"), name="e.squeeze"), 32, 1, name="e.project")
    graph = overview(read_graph(keras.Model(x, y)), 1)
    said = {node.name: layer_labels.describe(node) for node in graph.nodes if node.name in "abcde"}
    assert said.pop("e") != "MBConv 3×3", "it widens"
    assert said == {
        "a": "residual MBConv 3×3, drop path",
        "b": "residual 1×1, 3×3, 1×1, SE",
        "c": "residual 1×1, 3×3, 1×1, drop path",
        "d": "MBConv 3×3",
    }


def pooled_skip(x):
    y = layers.Conv2D(16, 3, strides=2, padding="same", name="b.conv")(x)
    return layers.Add(name="b.add")([y, layers.MaxPooling2D(name="b.pool")(x)])


def projected_then_plain(x):
    for i in (1, 2):
        y = layers.Conv2D(24, 3, padding="same", name=f"b.conv{i}")(x)
        x = layers.Conv2D(24, 1, name="b.skip")(x) if i == 1 else x
        x = layers.Add(name=f"b.add{i}")([y, x])
    return x


def dense_block_of(*growths):
    def block(x):
        for i, growth in enumerate(growths):
            y = layers.Conv2D(growth, 3, padding="same", name=f"b.{i}.conv")(x)
            x = layers.Concatenate(name=f"b.{i}.concat")([x, y])
        return x

    return block


def shuffled(order):
    def unit(x):
        left, right = keras.ops.split(x, 2, axis=-1)
        for i, size in enumerate((1, 3, 1)):
            kind = layers.DepthwiseConv2D if i == 1 else partial(layers.Conv2D, 8)
            right = kind(kernel_size=size, padding="same", name=f"b.conv{i}")(right)
        joined = layers.Concatenate(name="b.concat")([left, right])
        return keras.ops.take(joined, np.arange(16).reshape(order, -1).T.reshape(-1), axis=-1)

    return unit


@pytest.mark.parametrize(
    ("words", "piece"),
    [
        ("residual 3×3, /2, skip through 2×2 max pool", pooled_skip),
        ("2 × residual 3×3, projection skip, then identity", projected_then_plain),
        ("dense block, 2 × (3×3), growth 4", dense_block_of(4, 4)),
        ("dense block, 2 × (3×3)", dense_block_of(4, 6)),
        (
            "LN + 2×2 conv, 8, /2",
            lambda x: layers.Conv2D(8, 2, 2, name="b.conv")(layers.LayerNormalization(name="b.norm")(x)),
        ),
    ],
)
def test_a_closed_block_says_its_skip_its_growth_and_its_norm(words, piece):
    with weightless():
        x = keras.Input((8, 8, 16))
        model = keras.Model(x, layers.Conv2D(1, 1, name="end.conv")(piece(x)))
    [block] = [node for node in overview(read_graph(model), 1).nodes if node.name == "b"]
    assert layer_labels.describe(block) == words


@pytest.mark.parametrize(
    ("words", "order"), [("shuffle unit 3×3, channel split", 2), ("shuffle unit 3×3, channel split", 8), (None, 1)]
)
def test_a_shuffle_unit_is_one_whose_channels_are_shuffled(words, order):
    with weightless():
        x = keras.Input((8, 8, 16))
        graph = read_graph(keras.Model(x, shuffled(order)(x)))
    boxed = contract(graph, [0] + [1] * (len(graph.nodes) - 1), lambda part, members: box(part, members, ("b",), ()))
    block = boxed.nodes[-1]
    said = layer_labels.describe(block)
    assert said == words if words else "shuffle" not in said


def test_the_key_says_what_boxes_leave_unsaid():
    with weightless():
        figures = [diagram(zoo.build(name), width="ieee1") for name in ("diffusion_unet", "tcn", "vit")]
    said = [[item.text for item in figure.scene.items if getattr(item, "role", "") == "legend"] for figure in figures]
    identity = "residual: identity skip, unless said"
    assert identity in said[0] and "output of MLP" in said[0]
    assert identity in said[1] and not any("output of" in text for text in said[1])
    assert identity not in said[2]
    own = diagram(figures[1].graph, label={"residual*": "residual ours"})
    assert not any(getattr(item, "text", "") == identity for item in own.scene.items)
    words = {item.text for item in figures[0].scene.items if getattr(item, "role", "") == "text"}
    assert any("+ dense" in text for text in words) and any("projection skip" in text for text in words)


def test_a_swatch_stands_for_all_boxes_that_look_so():
    """Words of the author do not say that a decoder joins branches; the stages, in the same blue, say what they are."""
    with weightless():
        figure = diagram(build("deeplabv3_resnet50"), width="ieee1", label={"decoder*": "ASPP"})
    keys = [item.text for item in figure.scene.items if getattr(item, "role", "") == "legend"]
    assert "concatenation, residual" in keys and "concatenation" not in keys


@pytest.mark.parametrize("direction", ["TB", "BT"])
def test_arrows_out_of_the_network_leave_its_frames(direction):
    with weightless():
        scene = diagram(build("resnet18"), width="ieee1", direction=direction).scene
    [out] = [i for i in scene.items if isinstance(i, Path) and i.states and isinstance(i.states[0], Output)]
    frames = [item for item in scene.items if getattr(item, "role", "") == "frame"]
    (x, y) = out.steps[-1][-1]
    assert frames and not any(f.x < x < f.x + f.width and f.y < y < f.y + f.height for f in frames)


def test_a_frame_reaches_to_the_left_for_its_title_where_that_takes_less_room():
    """To the right of its boxes a line is in the way."""
    with weightless():
        figure = diagram(zoo.build("encoder_decoder"), width="ieee1")
    (title,) = (item for item in figure.scene.items if getattr(item, "text", "") == "transformer decoder block 2")
    frames = [item for item in figure.scene.items if isinstance(item, Box) and item.role == "frame"]
    (around,) = (f for f in frames if f.x < title.x < f.x + f.width and f.y < title.y < f.y + f.height)
    inside = [
        item
        for item in figure.scene.items
        if isinstance(item, Box) and item.states is not None and around.y < item.y < around.y + around.height
        if item.states.node >= 0
    ]
    boxes = max(item.x + item.width for item in inside) - min(item.x for item in inside)
    assert around.width < max(boxes, title.width) * 1.8 and title.x < min(item.x for item in inside)


def test_what_could_not_be_read_says_so():
    figure = diagram(zoo.build("untraceable"), width="ieee1")
    texts = [item.text for item in figure.scene.items if isinstance(item, Text)]
    assert any("inside not known" in text for text in texts) and "nested model" not in texts
