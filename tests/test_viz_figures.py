"""What the figures show: measured on the SVG, as a reader would, and pinned by golden DOT."""

from __future__ import annotations

import inspect
import os
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import pytest
from keras import layers

from layerblocks.architectures import build, describe, list_architectures
from layerblocks.blocks import conv, weightless
from layerblocks.viz import Theme, model_to_dot, plot_model, to_graphviz
from layerblocks.viz.dot import escape, text_width

GOLDEN = Path(__file__).parent / "golden"
COLUMN = (3.5 * 72, 9 * 72)  # points: a column of a paper
SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other, slack=0.0):
        return (
            self.left < other.right - slack
            and other.left < self.right - slack
            and self.top < other.bottom - slack
            and other.top < self.bottom - slack
        )

    def holds(self, other, slack=0.0):
        return (
            self.left - slack <= other.left
            and other.right <= self.right + slack
            and self.top - slack <= other.top
            and other.bottom <= self.bottom + slack
        )


def points(text):
    numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", text)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def around(found):
    xs, ys = zip(*found, strict=True)
    return Box(min(xs), min(ys), max(xs), max(ys))


def text_box(element):
    size, x, y = (float(element.get(key)) for key in ("font-size", "x", "y"))
    width = text_width(element.text, size, element.get("font-weight") == "bold")
    left = {"start": x, "middle": x - width / 2, "end": x - width}[element.get("text-anchor")]
    return Box(left, y - 0.75 * size, left + width, y + 0.2 * size)


@dataclass(frozen=True)
class Drawing:
    """What an SVG of Graphviz shows, in points."""

    width: float
    height: float
    boxes: dict[str, Box]
    texts: dict[str, list[tuple[str, Box]]]
    labels: list[tuple[str, Box]]
    lines: list[list[tuple[float, float]]]
    sizes: list[float]

    @property
    def effective_text(self):
        """The size of the smallest text when the figure is scaled down to fit a column."""
        return min(self.sizes) * min(1, COLUMN[0] / self.width, COLUMN[1] / self.height)


def read_svg(svg):
    root = ET.fromstring(svg)
    width, height = (float(root.get(key).removesuffix("pt")) for key in ("width", "height"))
    boxes, texts, labels, lines = {}, {}, [], []
    for group in root.iter(f"{SVG}g"):
        title = group.findtext(f"{SVG}title")
        written = [(t.text, text_box(t)) for t in group.findall(f"{SVG}text")]
        shapes = [points(p.get("points")) for p in group.iter(f"{SVG}polygon")]
        paths = [points(p.get("d")) for p in group.iter(f"{SVG}path")]
        if group.get("class") == "node":
            boxes[title], texts[title] = around([p for shape in shapes + paths for p in shape]), written
        elif group.get("class") == "edge":
            labels += written
            lines += paths
    sizes = [float(t.get("font-size")) for t in root.iter(f"{SVG}text")]
    return Drawing(width, height, boxes, texts, labels, lines, sizes)


def check_geometry(drawing):
    """Nothing overlaps, and every text is inside its box."""
    boxes = list(drawing.boxes.items())
    for i, (one, box) in enumerate(boxes):
        for other, beside in boxes[i + 1 :]:
            assert not box.overlaps(beside), f"{one} lies on {other}"
        for text, written in drawing.texts[one]:
            assert box.holds(written, slack=0.5), f"{text!r} sticks out of {one}"
        for text, label in drawing.labels:
            assert not box.overlaps(label, slack=0.5), f"the label {text!r} lies on {one}"
    for i, (text, label) in enumerate(drawing.labels):
        for other, beside in drawing.labels[i + 1 :]:
            assert not label.overlaps(beside, slack=0.5), f"the labels {text!r} and {other!r} overlap"
        for line in drawing.lines:
            start, *_, end = line
            if start[0] == end[0] and label.left < start[0] < label.right:  # the upright lines of the column
                assert not min(start[1], end[1]) < label.top < max(start[1], end[1]), f"a line runs through {text!r}"


def block_drawing(name, **options):
    with weightless():
        model = build(name, **options)
    figure = plot_model(model, None, depth=1)
    return figure, read_svg(figure.svg)


GOOGLENET = [
    *("input", "conv1", "pool1", "conv2_reduce", "conv2", "pool2", "inception_3a", "inception_3b", "pool3"),
    *("inception_4a", "inception_4b", "inception_4c", "inception_4d", "inception_4e", "pool4"),
    *("inception_5a", "inception_5b", "classifier", "aux1", "aux2"),
]


@pytest.mark.parametrize("options", [{}, {"classes": 10, "lrn": False}])
def test_googlenet_in_a_column(options):
    figure, drawing = block_drawing("googlenet", **options)
    assert drawing.effective_text >= 6
    check_geometry(drawing)
    assert {n.name for n in figure.graph.nodes} >= set(GOOGLENET)
    shown = {n.name: " ".join(t for t, _ in drawing.texts[f"n{n.id}"]) for n in figure.graph.nodes}
    assert shown["inception_3a"] == "inception_3a 28×28×256 4-branch concat 163,696 params"
    assert shown["conv1"] == "conv1 112×112×64 7×7 conv, 64, /2 9,472 params"
    assert "loss × 0.3" in shown["aux1"] and "loss × 0.3" in shown["aux2"]
    assert "loss" not in shown["classifier"]
    assert sorted(text for text, _ in drawing.labels).count("14×14×512") == 4, "4a to 4b and aux1, 4b to 4c, 4c to 4d"
    number = {n.name: f"n{n.id}" for n in figure.graph.nodes}
    trunk = [drawing.boxes[number[name]] for name in GOOGLENET[:-2]]
    assert max(b.left for b in trunk) - min(b.left for b in trunk) < 0.5, "the column is ragged"
    assert max(b.right for b in trunk) - min(b.right for b in trunk) < 0.5, "its boxes are not of one width"
    for head, beside in (("aux1", "inception_4a"), ("aux2", "inception_4d")):
        box, source = drawing.boxes[number[head]], drawing.boxes[number[beside]]
        assert box.left > source.right and abs(box.top + box.bottom - source.top - source.bottom) < 1


@pytest.mark.parametrize("name", sorted(set(list_architectures()) - {"googlenet"}))
def test_every_network_in_a_column_and_as_the_catalogue_counts_it(name):
    figure, drawing = block_drawing(name)
    assert drawing.effective_text >= 6
    check_geometry(drawing)
    entry = describe(name)
    assert figure.graph.multiply_adds == entry.multiply_adds
    assert figure.graph.parameters == entry.parameters


def test_a_network_of_fifty_layers_opened_once():
    """ResNet-50 block by block: longer than a column, but nothing overlaps."""
    with weightless():
        model = build("resnet50")
    figure = plot_model(model, None, depth=2)
    assert sum(n.role == "residual" for n in figure.graph.nodes) == 16
    boxes = read_svg(figure.svg).boxes.values()
    assert not any(a.overlaps(b) for a in boxes for b in boxes if a is not b)


def test_trunk_skip_and_head_look_different_without_colour():
    x = keras.Input((8, 8, 4), name="x")
    y = conv(x, 4, name="one")
    z = layers.Add(name="sum")([conv(y, 4, name="two"), y])
    head = layers.Dense(1, name="aux1")(layers.Flatten(name="aux_in")(z))
    model = keras.Model(x, {"aux1": head, "main": conv(z, 1, name="last")})
    look = {(e.get_source(), e.get_destination()): e.get_attributes() for e in model_to_dot(model, depth=1).get_edges()}
    names = {n.name: f"n{n.id}" for n in plot_model(model, None, depth=1).graph.nodes}
    assert look[names["one"], names["sum"]]["tailport"] == "e"
    assert look[names["sum"], names["aux_in"]]["style"] == "dashed"
    assert "style" not in look[names["one"], names["two"]]


def test_a_theme_changes_fonts_sizes_and_colours():
    paints = {**Theme().paints, "dense": replace(Theme().paint("dense"), fill="#123456")}
    theme = replace(Theme(), font="Courier", name_size=11, paints=paints)
    for depth in (None, 1):
        svg = plot_model(small_net(), None, depth=depth, theme=theme).svg
        assert "Courier" in svg and 'font-size="11.00"' in svg and "#123456" in svg


@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
@pytest.mark.parametrize("splines", ["ortho", "curved", "polyline", "spline", "line", "none"])
def test_every_direction_and_line(rankdir, splines):
    for depth in (None, 1, 2):
        svg = plot_model(small_net(), None, rankdir=rankdir, splines=splines, depth=depth).svg
        drawing = read_svg(svg)
        assert drawing.boxes and (splines == "none" or drawing.lines)


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
        ({"rankdir": "TD"}, ValueError, "rankdir='TD': it takes 'TB', 'LR', 'BT', 'RL'"),
        ({"splines": "orthogonal"}, ValueError, "did you mean 'ortho'"),
        ({"dpi": 0}, ValueError, "dpi=0: it takes a number above 0"),
        ({"dpi": "high"}, ValueError, "dpi='high'"),
        ({"depth": 0}, ValueError, "depth=0: it takes None"),
        ({"depth": True}, TypeError, "depth=True"),
        ({"depth": 1.5}, ValueError, "depth=1.5"),
        ({"theme": "dark"}, TypeError, "theme='dark': it takes a Theme"),
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
