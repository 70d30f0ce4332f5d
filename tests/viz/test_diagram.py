"""`diagram`: every network fits a column, nothing lies on anything, and what is asked for is what is drawn."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from typing import get_args

import keras
import PIL.Image
import pymupdf
import pytest
from keras import layers

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.graphs import kinds, read_graph
from layerblocks.graphs.graph import leaves
from layerblocks.viz import Figure, Paint, Theme, diagram, diff, plot_model, points
from layerblocks.viz.diagrams import Direction, Fact, Style
from layerblocks.viz.overlaps import overlaps
from layerblocks.viz.scene import Box, Path, Text
from layerblocks.viz.venues import WIDTHS, Venue

from ..helpers import each_family, each_network
from .scene_checks import check_scene, effective_text, labels, named, texts_in
from .statement_checks import check_statement

COLUMN, PAGE = round(points("ieee1"), 3), 9 * 72
KERAS = (
    *("ResNet152", "DenseNet201", "InceptionV3", "InceptionResNetV2", "EfficientNetB7", "ConvNeXtBase", "Xception"),
    *("MobileNetV2", "NASNetMobile"),
)


@cache
def model_of(name):
    with weightless():
        return getattr(keras.applications, name)(weights=None) if name in KERAS else build(name)


@cache
def graph_of(name):
    """Read once: a figure takes a graph as it takes a model."""
    return read_graph(model_of(name), expand_nested=True)


def words(scene):
    return [item.text for item in scene.items if isinstance(item, Text)]


def roles(scene, kind):
    return {item.role for item in scene.items if isinstance(item, kind)}


@pytest.mark.sweep_but("alexnet", "cifar_resnet20", "resnet18", "googlenet", "unet", "mobilenet")
@pytest.mark.parametrize("name", [*each_network(), *KERAS])
def test_every_network_in_a_column(name):
    figure = diagram(graph_of(name), width="ieee1")
    assert figure.width == COLUMN and figure.height <= PAGE and figure.text_size >= 6
    check_scene(figure.scene)
    check_statement(figure, graph_of(name))
    assert not overlaps(figure.scene)
    assert set(named(figure.scene)) == {node.name for node in figure.graph.nodes}


@pytest.mark.sweep_but("alexnet", "unet")
@pytest.mark.parametrize("name", each_family())
def test_volumes_of_every_family_in_a_column(name):
    assert not overlaps(diagram(graph_of(name), width="ieee1", style="volumes").scene)


@pytest.mark.sweep_but("alexnet", "googlenet", "resnet18", "densenet121", "unet")
@pytest.mark.parametrize("name", each_network())
def test_a_lesser_depth_comes_before_leaving_out_what_was_asked_for(name):
    figure = diagram(graph_of(name), width="ieee1", show=("shape", "parameters"))
    told = sum("params" in text or " each" in text for text in words(figure.scene))
    assert told == sum(node.parameters > 0 for node in figure.graph.nodes)


@pytest.mark.sweep_but("Xception", "MobileNetV2")
@pytest.mark.parametrize("name", KERAS)
def test_networks_not_made_with_blocks_of_ours_at_block_level(name):
    figure = plot_model(model_of(name), None, depth=1)
    assert effective_text(figure.scene) >= 6
    check_scene(figure.scene)
    figure = diagram(graph_of(name), depth=1, width="ieee1")
    assert figure.text_size >= 6
    check_scene(figure.scene)


@pytest.mark.sweep_only("cifar_resnet1202-options14")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("googlenet", {"width": "ieee1", "zoom": True}),
        ("googlenet", {"width": "ieee2", "zoom": True}),
        ("googlenet", {"width": "ieee1", "expand": "inception_3a"}),
        ("googlenet", {"width": "neurips", "direction": "LR"}),
        ("resnet50", {"width": "neurips", "zoom": True}),
        ("resnet50", {"depth": 3}),
        ("resnet18", {"depth": None}),
        ("vgg16", {"width": "neurips", "direction": "LR"}),
        ("vgg16", {"direction": "BT"}),
        ("unet", {"width": "neurips"}),
        ("fcn8s", {"depth": 2}),
        ("densenet121", {"depth": 2}),
        ("inception_v3", {"depth": 1, "zoom": "mixed9", "width": "acm2"}),
        ("xception", {"depth": 1, "width": 500, "zoom": ["entry1", "middle3"]}),
        ("cifar_resnet1202", {"depth": 2, "fold": False}),
    ],
)
def test_other_figures(name, options):
    figure = diagram(graph_of(name), **options)
    if len(figure.graph.nodes) < 200:
        check_scene(figure.scene)
    assert figure.text_size >= 6


# -- what is in it ----------------------------------------------------------------------------------------------------


def test_a_folded_box_says_of_how_many():
    figure = diagram(graph_of("resnet50"), depth=2)
    assert "×5" in texts_in(figure.scene, "stage3.block2–block6")
    stacked = [i for i in figure.scene.items if isinstance(i, Box) and i.role == "residual" and not i.name]
    assert len(stacked) >= 8, "cards behind it"


def test_opened_blocks_stand_in_a_frame():
    figure = diagram(graph_of("googlenet"), expand="inception_3a")
    boxes, items = named(figure.scene), figure.scene.items
    (frame,) = (item for item in items if isinstance(item, Box) and item.role == "frame")
    inside = [name for name, box in boxes.items() if frame.x < box.left < frame.x + frame.width]
    assert {name for name in inside if name.startswith("inception_3a.")} == {
        name for name in boxes if name.startswith("inception_3a.")
    }
    assert "inception_3a" in words(figure.scene)
    branches = [boxes[f"inception_3a.{name}"] for name in ("1x1", "3x3", "5x5", "pool_proj")]
    assert len({round(box.bottom, 2) for box in branches}) == 1, "side by side"


def test_panels_carry_the_letters_of_the_boxes():
    figure = diagram(graph_of("resnet50"), depth=2, zoom=True, width="neurips")
    found = kinds(figure.graph)
    assert len(found) == 2 and sum(text.startswith(("(a) ", "(b) ")) for text in words(figure.scene)) == 2
    assert "a" in texts_in(figure.scene, "stage1.block1") and "b" in texts_in(figure.scene, "stage1.block2–block3")
    assert {"projection", "skip"} <= roles(figure.scene, Path)
    one = diagram(graph_of("resnet50"), depth=2, zoom="stage1.block3", width="neurips")
    assert [text for text in words(one.scene) if text.startswith("(")] == ["(a) stage1.block2 and 11 more"]


Conv2D = keras.layers.Conv2D


def nested():
    """Three blocks with branches, `body1` to `body3`, and one without, `head`; few enough to be drawn as layers."""
    x = y = keras.Input((8, 8, 4), name="image")
    for number, width in enumerate((4, 8, 4), 1):
        sides = [Conv2D(width, 3, padding="same", name=f"body{number}.{side}.conv") for side in ("left", "right")]
        paths = [side(y) for side in sides]
        y = keras.layers.Concatenate(name=f"body{number}.join")(paths)
    for layer in (Conv2D(2, 1, name="head.one.conv"), Conv2D(2, 1, name="head.two.conv")):
        y = layer(y)
    return keras.Model(x, y, name="nested")


def panels_of(figure):
    return [text for text in words(figure.scene) if text.startswith("(")]


def test_zoom_leaves_closed_what_it_draws_in_panels():
    model = nested()
    assert not any("body1" in node.members or node.name == "body1" for node in diagram(model).graph.nodes), "open"
    assert panels_of(diagram(model, zoom=True)) == ["(a) body1 and 2 more"]
    for name in ("body1", "body3"):
        figure = diagram(model, zoom=name)
        assert panels_of(figure) == ["(a) body1 and 2 more"] and name in {node.name for node in figure.graph.nodes}
    assert panels_of(diagram(model, zoom="head")) == ["(a) head"], "one that occurs once, without branches"
    assert panels_of(diagram(model, zoom=["head", "body2"])) == ["(a) body1 and 2 more", "(b) head"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            {"depth": None, "zoom": True},
            "zoom must be False where every block is drawn open; depth=1 draws some closed",
        ),
        ({"depth": None, "zoom": "body1"}, "zoom must be the name of a block that is drawn closed; depth=1 does so"),
        ({"expand": "body1", "zoom": "body1"}, "zoom must be the name of a block that is drawn closed, got 'body1'"),
        ({"zoom": "bdy1"}, "zoom must be the name of a block; did you mean 'body1'"),
    ],
)
def test_zoom_says_what_is_open_already(arguments, says):
    with pytest.raises(ValueError, match=f"^diagram: {says}"):
        diagram(nested(), **arguments)


def test_the_legend_tells_what_occurs_and_nothing_else():
    def told(**options):
        figure = diagram(graph_of("lenet5"), **options)
        return {i.text for i in figure.scene.items if isinstance(i, Text) and i.role == "legend"}

    assert told(depth=1) == set(), "the boxes say what they are"
    assert told(depth=1, theme="mono") == {"convolution", "fully connected"}, "but not what patterns mean"
    assert told(depth=1, label={"c1": "first"}) == {"convolution"}
    assert told(depth=1, theme="mono", legend=False) == set()
    figure = diagram(graph_of("unet"), depth=1)
    assert "skip to a concatenation" in words(figure.scene) and "identity skip" not in words(figure.scene)
    assert "equal blocks in a row" in words(diagram(graph_of("resnet50")).scene)


def test_heads_with_their_loss_weight():
    x = keras.Input((8, 8, 3), name="x")
    y = layers.Conv2D(4, 3, name="a.conv")(x)
    head = layers.Dense(2, name="aux1.dense")(layers.Flatten(name="aux1.flatten")(y))
    main = layers.Dense(2, name="out.dense")(layers.Flatten(name="out.flatten")(y))
    model = keras.Model(x, {"aux1": head, "main": main})
    scene = diagram(model, depth=1, loss_weights={"aux1": 0.25}).scene
    assert "loss × 0.25" in texts_in(scene, "aux1") and "aux" in roles(scene, Path)


def test_what_is_told_of_each_block():
    def told(*show):
        return texts_in(diagram(graph_of("googlenet"), depth=1, show=show).scene, "inception_3a")

    assert told() == ["4-branch concat", "inception_3a"]
    assert "163,696 params" in told("parameters")
    assert any(text.endswith("mult-adds") for text in told("multiply_adds"))
    assert any(text.startswith("sees ") for text in told("receptive_field"))
    assert labels(diagram(graph_of("googlenet"), depth=1, show="parameters").scene) == ["main"]  # the output's key
    assert "28×28×256" in labels(diagram(graph_of("googlenet"), depth=1).scene)
    assert "28×28×256" in texts_in(diagram(graph_of("googlenet"), depth=1, direction="LR").scene, "inception_3a")


def test_callables_say_what_stands_in_boxes_and_how_they_look():
    own = Paint("#123456", "#654321", width=2.0)
    figure = diagram(
        graph_of("lenet5"),
        depth=1,
        label=lambda node: ["first", "second"] if node.name == "c1" else "one" if node.name == "c3" else None,
        style=lambda node: own if node.role == "dense" else None,
    )
    assert texts_in(figure.scene, "c1") == ["first", "second"] and texts_in(figure.scene, "c3") == ["one"]
    assert figure.svg.count("#123456") >= 1 and "fully connected" not in words(figure.scene)


def test_patterns_say_what_stands_in_boxes_and_how_they_look():
    figure = diagram(
        graph_of("lenet5"),
        depth=1,
        label={"c1": ["first", "second"]},
        style={"c3": "#123456", "s?": ("#FEDCBA", "halved")},
        highlight={"c5*": "ours"},
    )
    assert texts_in(figure.scene, "c1") == ["first", "second"]
    keys = [text.text for text in figure.scene.items if isinstance(text, Text) and text.role == "legend"]
    assert {"ours", "c3", "halved"} <= set(keys)
    fills = {item.name: figure.theme.paint(item.role).fill for item in figure.scene.items if isinstance(item, Box)}
    assert fills["c3"] == "#123456" and fills["s2"] == "#FEDCBA"
    assert fills["c5"] == figure.theme.paint("highlight").fill
    inks = {figure.theme.paint(i.role).line for i in figure.scene.items if isinstance(i, Text) and i.text == "c3"}
    assert "#FFFFFF" in inks, "text on what is dark is light"


def test_names_can_be_left_out():
    shown = {name: words(diagram(graph_of("resnet18"), depth=1, names=name).scene) for name in (True, False)}
    assert "stem" in shown[True] and "stem" not in shown[False] and "input" in shown[False]


def test_blocks_that_stay_one_box_at_every_depth():
    graph = graph_of("resnet18")
    opened, kept = (diagram(graph, depth=3, fold=False, collapse=c).graph for c in ((), ("stage4", "stage2.block1")))
    wanted = [n.name for n in opened.nodes if not n.name.startswith(("stage4.", "stage2.block1."))]
    assert [n.name for n in kept.nodes if n.kind != "Block" or n.name in wanted] == wanted
    whole = {n.name: n for n in kept.nodes if n.name in ("stage4", "stage2.block1")}
    assert len(whole) == 2 and len(kept.nodes) == len(wanted) + 2
    for name, node in whole.items():
        inside = [n for n in opened.nodes if n.name.startswith(f"{name}.")]
        assert node.parameters == sum(n.parameters or 0 for n in inside) > 0
    drawn = diagram(graph, collapse=["stage3"], expand="stage4", width="ieee1").graph
    assert "stage3" in [n.name for n in drawn.nodes] and any(n.name.startswith("stage4.") for n in drawn.nodes)


def test_words_of_an_author_stand_under_and_in_the_file():
    figure = diagram(graph_of("resnet18"), depth=1, caption="Our net.", alt_text="A chain <of> blocks & a head.")
    assert (figure.caption, figure.alt_text) == ("Our net.", "A chain <of> blocks & a head.")
    assert "A chain &lt;of&gt; blocks &amp; a head.</desc>" in figure.svg
    assert pymupdf.open("pdf", figure.pdf).metadata["subject"] == "A chain <of> blocks & a head."


def test_a_part_of_a_network():
    figure = diagram(graph_of("resnet18"), only="stage2", depth="auto")
    drawn = {leaf.name for node in figure.graph.nodes for leaf in leaves(node)}
    whole = {n.name.removeprefix("stage2.") for n in graph_of("resnet18").nodes if n.name.startswith("stage2.")}
    assert whole == {name for name in drawn if name.startswith("block")}
    assert [node.outputs for node in figure.graph.nodes if node.role == "input"] == [((None, 56, 56, 64),)]
    assert figure.graph.nodes[figure.graph.outputs[0].source].outputs == ((None, 28, 28, 128),)
    check_scene(figure.scene)
    between = diagram(graph_of("unet"), between=("encoder2", "pool3"))
    check_scene(between.scene)
    assert {".".join(node.path).partition(".")[0] for node in between.graph.nodes} == {
        *("pool1", "encoder2", "pool2", "encoder3", "pool3")
    }
    assert len(between.graph.outputs) == 3, "what two skips and the way down bring outside"


@pytest.mark.parametrize("style", ["boxes", "volumes"])
def test_a_theme_and_a_style(style):
    figure = diagram(graph_of("lenet5"), style=style, theme=replace(Theme(), font="DejaVu Serif"), width=300)
    assert "DejaVu Serif" in figure.svg and figure.width <= 300.01


def two_inputs():
    a, b = keras.Input((8,), name="left"), keras.Input((8,), name="right")
    shared = layers.Dense(4, name="shared")
    joined = layers.Concatenate(name="join")([shared(a), shared(b)])
    inner_in = keras.Input((8,))
    inner = keras.Model(inner_in, layers.Dense(3, name="d")(layers.Dense(5, name="c")(inner_in)), name="inner")
    y = layers.Add(name="twice")([joined, joined])
    return keras.Model([a, b], {"main": {"one": inner(y), "two": layers.Dense(1, name="two")(y)}}, name="two_inputs")


def test_inputs_shared_layers_nested_models_and_double_edges():
    for depth in ("auto", 1, 2, None):
        figure = diagram(two_inputs(), depth=depth)
        check_scene(figure.scene)
        boxes = named(figure.scene)
        assert boxes["left"].top == boxes["right"].top and {"shared", "twice"} & {n.split(".")[0] for n in boxes}


def test_any_model_and_any_name():
    class Own(keras.Model):
        def call(self, x):
            return x

    own = Own(name="<own> & é漢")
    own.build((None, 4))
    for model in (
        own,
        keras.Sequential([keras.Input((4,)), layers.Dense(2, name="x" * 300)], name="long"),
        keras.Sequential([layers.Dense(2), layers.Dense(3)]),
    ):
        if not model.built:
            model.build((None, 5))
        figure = diagram(model)
        check_scene(figure.scene)
        assert ET.fromstring(figure.svg) is not None


# -- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_what_does_not_fit_says_what_would():
    with pytest.raises(
        ValueError, match=r"^diagram: 'densenet121' at depth 2 does not fit 251.059 × 500 points"
    ) as error:
        diagram(graph_of("densenet121"), depth=2, width="ieee1", height=500, fold=False)
    assert re.search(r"it would with depth=1 or .*height=(\d+)$", str(error.value))
    assert diagram(graph_of("densenet121"), depth=1, width="ieee1", height=500, fold=False)
    height = int(re.search(r"height=(\d+)", str(error.value))[1])
    assert diagram(graph_of("densenet121"), depth=2, width="ieee1", height=height, fold=False).height <= height


def test_auto_takes_a_lesser_depth_where_the_page_asks_for_it():
    free, bound = diagram(graph_of("resnet18")), diagram(graph_of("resnet18"), width="ieee1")
    assert len(bound.graph.nodes) < len(free.graph.nodes)


def test_less_type_is_a_choice():
    figure = diagram(graph_of("googlenet"), depth=1, width=110, height=400, min_text=4)
    assert 4 <= figure.text_size < 6
    with pytest.raises(ValueError, match="does not fit 110 × 400 points in type of 6 points"):
        diagram(graph_of("googlenet"), depth=1, width=110, height=400)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"width": "ieee3"}, ValueError, "width must be a length.*did you mean 'ieee.*, got 'ieee3'"),
        ({"width": True}, TypeError, "width must be a length.*, got True"),
        ({"height": "tall"}, ValueError, "height must be a length.*, got 'tall'"),
        (
            {"style": "3d"},
            ValueError,
            "style must be one of 'boxes' or 'volumes', a dict by name or pattern, or a function.*, got '3d'",
        ),
        ({"direction": "down"}, ValueError, "direction must be one of 'TB'.*, got 'down'"),
        ({"show": "shapes"}, ValueError, "show must be one of 'shape'.*did you mean 'shape'.*, got 'shapes'"),
        ({"show": 3}, TypeError, "show must be .*, got 3"),
        ({"depth": 0}, ValueError, "depth must be 'auto', None.*, got 0"),
        ({"depth": "deep"}, ValueError, "depth must be 'auto'.*, got 'deep'"),
        ({"max_boxes": 0}, ValueError, "max_boxes must be a positive integer, got 0"),
        ({"min_text": 0}, ValueError, "min_text must be a size in points above 0.*, got 0"),
        ({"min_text": float("nan")}, ValueError, "min_text must .*, got nan"),
        ({"width": float("nan")}, ValueError, "width must .*, got nan"),
        ({"expand": "c9"}, ValueError, "expand must be the name of a block.*, got 'c9'"),
        ({"expand": 3}, TypeError, "expand must be the name of a block, or several, got 3"),
        ({"zoom": "c9"}, ValueError, "zoom must be the name of a block.*, got 'c9'"),
        ({"zoom": [1]}, TypeError, r"zoom must be True, .*, got \(1,\)"),
        ({"label": lambda: "name"}, TypeError, r"label must be a function of a node, .*too many positional arguments"),
        ({"label": "name"}, TypeError, "label must be a function, or a dict of texts.*, got 'name'"),
        ({"label": lambda node: 3}, TypeError, "what label gives for 'input' must be text.*, got 3"),
        (
            {"style": lambda node: "red"},
            TypeError,
            "what style gives for 'input' must be a Paint, .*or None, got 'red'",
        ),
        ({"theme": "darkk"}, ValueError, "theme must be one of 'paper'.*did you mean 'dark'.*, got 'darkk'"),
        ({"theme": 3}, TypeError, "theme must be one of 'paper'.*, got 3"),
        ({"font": "timess"}, ValueError, "font must be one of 'Arimo'.*did you mean 'times'.*, got 'timess'"),
        ({"names": "off"}, TypeError, "names must be .*, got 'off'"),
        ({"label": {"d9": "x"}}, ValueError, "label must be .* patterns .*, got 'd9'"),
        ({"label": {"c1": 3}}, TypeError, r"label\['c1'\] must be text.*, got 3"),
        ({"style": {"c1": "redd"}}, ValueError, r"style\['c1'\] must be a colour.*did you mean 'red'.*, got 'redd'"),
        ({"style": {"cc*": "red"}}, ValueError, "style must be .* patterns .*, got 'cc\\*'"),
        ({"highlight": "inpu"}, ValueError, "highlight must be .*did you mean 'input'.*, got 'inpu'"),
        ({"collapse": "c9"}, ValueError, "collapse must be the name of a block.*, got 'c9'"),
        ({"collapse": 3}, TypeError, "collapse must be the name of a block, or several, got 3"),
        ({"caption": 3}, TypeError, "caption must be text, got 3"),
        ({"alt_text": 3}, TypeError, "alt_text must be text, got 3"),
        ({"highlight": 3}, TypeError, "highlight must be .*, got 3"),
        ({"highlight": "c1", "style": "volumes"}, ValueError, "highlight must be None with style='volumes'"),
        ({"groups": 3}, TypeError, "groups must be a dict of words by name or pattern, got 3"),
        ({"groups": {"c1": 3}}, TypeError, r"groups\['c1'\] must be text, got 3"),
        ({"groups": {"c1": " "}}, ValueError, r"groups\['c1'\] must be text that is not empty, got ' '"),
        ({"groups": {"c1": "$x"}}, ValueError, r"groups\['c1'\] must be text with its maths between two \$"),
        ({"groups": {"inpu": "x"}}, ValueError, "groups must be .* patterns .*did you mean 'input'.*, got 'inpu'"),
        ({"callouts": {3: "x"}}, TypeError, "callouts must be a dict of words by name or pattern, got 3"),
        ({"callouts": {"d9*": "x"}}, ValueError, "callouts must be .* patterns .*, got 'd9\\*'"),
        ({"only": "c9"}, ValueError, "only must be the name of a layer or block.*, got 'c9'"),
        ({"between": "c1"}, ValueError, "between must be the names of two blocks, got 'c1'"),
        ({"between": ("c3", "c1")}, ValueError, "between must be .*the second comes after the first"),
        ({"between": ("c1", "c3"), "only": "c1"}, ValueError, "between must be None with only="),
        ({"loss_weights": {"x": 1}}, ValueError, "loss_weights must be the name of an output: .*, got 'x'"),
    ],
)
def test_wrong_arguments(arguments, error, says):
    with pytest.raises(error, match=f"^diagram: .*{says}"):
        diagram(model_of("lenet5"), **arguments)


def test_the_words_that_type_checkers_know_are_those_that_work():
    assert set(get_args(Venue)) == set(WIDTHS)
    for venue in get_args(Venue):
        assert diagram(graph_of("lenet5"), width=venue, depth=1).width == pytest.approx(72 * WIDTHS[venue], abs=0.01)
    for direction in get_args(Direction):
        for style in get_args(Style):
            assert diagram(graph_of("lenet5"), direction=direction, style=style, show=get_args(Fact), depth=1).svg
    assert diagram(graph_of("lenet5"), width="8cm").width == diagram(graph_of("lenet5"), width=points("8cm")).width


def test_a_model_not_built_or_none_at_all():
    with pytest.raises(ValueError, match=r"^diagram: model .* is not built"):
        diagram(keras.Sequential([layers.Dense(2)]))
    with pytest.raises(TypeError, match=r"^diagram: model must be a built Keras model.*, got 'resnet50'"):
        diagram("resnet50")


# -- the figure -------------------------------------------------------------------------------------------------------

STARTS = {
    "svg": b"<?xml",
    "pdf": b"%PDF-",
    "png": b"\x89PNG",
    "eps": b"%!PS-Adobe-3.0 EPSF",
    "jpg": b"\xff\xd8",
    "tex": b"\\documentclass",
    "tikz": b"",
    "dot": b"digraph",
    "mmd": b"",
    "md": b"```mermaid\n",
    "gif": b"GIF8",
}


@pytest.mark.parametrize("ending", STARTS)
def test_it_is_saved_in_every_format(tmp_path, ending):
    figure = diagram(graph_of("lenet5"), width="ieee1")
    saved = figure.save(tmp_path / f"net.{ending}", dpi=100)
    assert isinstance(saved, Figure) and saved.path.read_bytes().startswith(STARTS[ending]) and figure.path is None
    assert [path.name for path in tmp_path.iterdir()] == [f"net.{ending}"]


def test_what_it_knows_of_itself():
    figure = diagram(graph_of("resnet50"), width="ieee1", depth=2)
    assert figure.eps.startswith(b"%!PS") and figure.pdf.startswith(b"%PDF") and figure.png(50).startswith(b"\x89PNG")
    assert "\\begin{tikzpicture}" in figure.tikz and figure.dot.to_string().startswith("digraph")
    assert "flowchart" in figure.mermaid
    assert figure._repr_svg_() == figure.svg == figure._repr_mimebundle_()["image/svg+xml"]
    assert len(figure.alt_text) <= 2000 and "6" in figure.caption
    assert repr(figure) == f"<Figure of {figure.graph.name!r}, 13 boxes>"


DESCRIBED = {
    "boxes": (lambda: diagram(graph_of("lenet5")), "lenet5", "multiply-adds."),
    "opened": (lambda: diagram(graph_of("resnet18"), depth=1, expand="stage2"), "resnet18", "multiply-adds."),
    "panels": (lambda: diagram(graph_of("resnet50"), zoom=True, depth=2), "resnet50", "drawn open: (a) stage1.block"),
    "volumes": (lambda: diagram(graph_of("lenet5"), style="volumes"), "lenet5", "multiply-adds."),
    "changes": (
        lambda: diff(graph_of("vgg16"), graph_of("vgg19")).figure(),
        "From vgg16 to vgg19",
        "From vgg16 to vgg19: 3 layers added; parameters 138,357,544 → 143,667,240;",
    ),
    "layers": (lambda: plot_model(model_of("lenet5"), to_file=None), "lenet5", "multiply-adds."),
}


@pytest.mark.parametrize("kind", DESCRIBED)
def test_who_cannot_see_it_is_told_what_it_shows(kind):
    """In every format that has a place for it, whatever is drawn."""
    make, title, says = DESCRIBED[kind]
    figure = make()
    assert says in figure.alt_text and len(figure.alt_text) < 2000
    root = ET.fromstring(figure.svg)
    assert [root.find(f"{{http://www.w3.org/2000/svg}}{tag}").text for tag in ("title", "desc")] == [
        title,
        figure.alt_text,
    ]
    document = pymupdf.open("pdf", figure.pdf)
    assert (document.metadata["title"], document.metadata["subject"]) == (title, figure.alt_text)
    assert f"/Alt <FEFF{figure.alt_text.encode('utf-16-be').hex().upper()}>".encode() in figure.pdf
    picture = PIL.Image.open(io.BytesIO(figure.png(40)))
    assert (picture.text["Title"], picture.text["Description"]) == (title, figure.alt_text)
    assert f"%%Title: {title}\n".encode() in figure.eps


def test_nothing_is_left_where_it_fails(tmp_path, monkeypatch):
    figure = diagram(graph_of("lenet5"))
    for path, error, says in (
        (tmp_path / "net.docx", ValueError, "path must be a path that ends with .svg, .*net.docx'"),
        (tmp_path / "missing" / "net.svg", FileNotFoundError, "the folder .* does not exist"),
        (3, TypeError, "path must be a path or None, got 3"),
    ):
        with pytest.raises(error, match=f"^Figure.save: .*{says}"):
            figure.save(path)
    with pytest.raises(ValueError, match=r"^Figure.save: dpi must be a finite number above 0.*, got 0"):
        figure.save(tmp_path / "net.png", dpi=0)
    assert not list(tmp_path.iterdir())


def test_the_same_figure_from_the_model_and_its_graph():
    assert diagram(model_of("lenet5")).svg == diagram(graph_of("lenet5")).svg
