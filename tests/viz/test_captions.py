"""Alternative text and captions: within their bounds for any network, and true."""

from __future__ import annotations

import re

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from layerblocks.architectures import densenet121, googlenet, inception_v3, resnet50, resnet152, unet, vgg16
from layerblocks.blocks import weightless
from layerblocks.graphs import collapse, overview, read_graph
from layerblocks.graphs.graph import Edge, Frame, Graph, Node, Output, mark_edges, mark_heads
from layerblocks.viz.texts.captions import alt_text, caption
from layerblocks.viz.texts.mermaid import mermaid
from layerblocks.viz.texts.table import table

from ..random_models import random_model
from ..zoo import build


def made(constructor, **options):
    with weightless():
        return constructor(**options)


@st.composite
def graphs(draw):
    """Any graph, with names of every sort."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text("x", min_size=150, max_size=200)
    count = draw(st.integers(1, 60))
    roles = ("input", "conv", "pool", "merge", "add", "dense", "residual", "other", "norm")
    names = draw(st.lists(text, min_size=count, max_size=count))
    kinds = draw(st.lists(st.sampled_from(roles), min_size=count, max_size=count))
    shape = st.tuples(st.none(), st.none() | st.integers(0, 10**9), st.integers(0, 10**9))
    shapes = draw(st.lists(st.lists(shape, max_size=5).map(tuple), min_size=count, max_size=count))
    repeats = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    frames = (Frame(0, (draw(text),)), Frame(1, (draw(text),), ("a", "b")))
    nodes = tuple(
        Node(
            i,
            (names[i],),
            names[i] or "Layer",
            kinds[i],
            outputs=shapes[i],
            frames=draw(st.sampled_from([(), (0,), (1,)])),
            members=tuple(map(str, range(repeats[i]))) if repeats[i] > 1 else (),
        )
        for i in range(count)
    )
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=100))
    edges = tuple(Edge(min(p), max(p), target_port=i) for i, p in enumerate(pairs) if p[0] != p[1])
    keys = draw(st.lists(st.sampled_from(["main", "aux1", "aux 2"]) | text, max_size=6, unique=True))
    outputs = tuple(
        Output(key, draw(st.integers(0, count - 1)), 0, draw(st.sampled_from([None, 1.0, 0.3]))) for key in keys
    )
    return mark_edges(mark_heads(Graph(draw(text), "Functional", nodes, edges, outputs, frames)))


def check(text, limit):
    assert 0 < len(text) < limit
    assert len(text.split(". ")[0]) + 1 < 125
    assert text.isprintable() and text == " ".join(text.split()) and text.endswith(".")


@given(graphs(), st.sampled_from([200, 500, 2000]))
def test_any_graph_in_words(graph, limit):
    check(alt_text(graph, limit), limit)
    told = caption(graph)
    assert told.isprintable() and len(told) < 6000
    assert caption(graph, "latex").isascii()


@given(st.data())
def test_any_model_in_words(data):
    model = random_model(data.draw)
    check(alt_text(model), 2000)
    assert f"{model.count_params():,} parameters" in alt_text(model)
    assert f"{model.count_params():,} parameters" in caption(model)


@pytest.mark.sweep_but("1-unet", "1-vgg16", "None-unet")
@pytest.mark.parametrize(
    "network", [densenet121, googlenet, inception_v3, resnet152, unet, vgg16], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("depth", ["auto", 1, None])
def test_published_networks_in_words(network, depth):
    text = alt_text(overview(read_graph(made(network), expand_nested=True), depth))
    check(text, 2000)
    assert text.startswith(f"Diagram of the network {network.__name__}: ")


def test_every_box_is_named_with_what_leaves_it():
    graph = overview(read_graph(made(resnet50)))
    text = alt_text(graph)
    for node in graph.nodes:
        assert node.name in text
        shape = "×".join(map(str, node.outputs[0][1:]))
        assert re.search(rf"{re.escape(node.name)}\b.*?{shape}", text)
    assert "stage3.block2–block6 (5 in a row, each residual 1×1, 3×3, 1×1) keeps 14×14×1024" in text
    assert "16 residual blocks add the input to what the layers make of it." in text
    assert text.endswith("In all, 25,610,152 parameters (25,557,032 trained) and 3,857,973,248 multiply-adds.")


def test_heads_and_their_weights():
    text = alt_text(made(googlenet))
    assert "Auxiliary head aux1 branches off after inception_4a, its loss weighted 0.3." in text
    assert "Auxiliary head aux2 branches off after inception_4d, its loss weighted 0.3." in text
    assert "The loss is weighted 0.3 for aux1 and 0.3 for aux2." in caption(made(googlenet))


def test_skips_of_a_unet():
    text = alt_text(collapse(read_graph(made(unet)), 1))
    assert "4 skip connections: from encoder4 to decoder4, from encoder3 to decoder3, " in text


def test_branches_say_what_they_follow():
    x = keras.Input((8, 8, 4), name="x")
    y = [layers.Conv2D(4, 1, name=f"branch{i}")(x) for i in range(3)]
    text = alt_text(collapse(read_graph(keras.Model(x, layers.Concatenate(name="join")(y), name="net")), None))
    assert "branch1 (1×1 conv, 4) after x gives 8×8×4" in text
    assert "join (concat) after branch0, branch1 and branch2 gives 8×8×12" in text


def test_less_room_means_less_said_but_never_the_ends():
    graph = overview(read_graph(made(resnet152)))
    full, brief, cut = (alt_text(graph, limit) for limit in (2000, 700, 400))
    assert "(7×7 conv" in full and "(7×7 conv" not in brief
    assert "more boxes;" not in brief and re.search(r"; \d+ more boxes; ", cut)
    assert all("classifier.predictions" in text and text.endswith("multiply-adds.") for text in (full, brief, cut))


def test_a_caption_tells_what_was_folded():
    told = caption(made(resnet50))
    assert told.startswith("Architecture of resnet50: 175 layers in 13 boxes")
    assert (
        "×5 means 5 equal blocks in a row: stage3.block2–block6, each residual 1×1, 3×3, 1×1, 1,120,256 parameters."
        in told
    )
    assert "/2 is a stride of 2." in told


def test_a_caption_tells_what_was_opened_and_what_lines_mean():
    told = caption(overview(read_graph(made(googlenet)), 1, expand=["inception_3a"]))
    assert "inception_3a is drawn open, in a frame." in told
    assert "Lines side by side are branches; dashed lines lead to auxiliary heads." in told
    assert "means" not in told, "nothing is folded"


def test_a_caption_for_latex():
    told = caption(made(googlenet), "latex")
    assert "inception" not in caption(made(vgg16), "latex")
    assert told.isascii() and "×" not in told


A_MODEL = "a built Keras model, a file of one, or a Graph"


@pytest.mark.parametrize(
    ("function", "arguments", "error", "says"),
    [
        (alt_text, {"model": 3}, TypeError, f"alt_text: model must be {A_MODEL}, got 3"),
        (alt_text, {"max_length": 100}, ValueError, "alt_text: max_length must be an integer of at least 200, got 100"),
        (
            alt_text,
            {"max_length": True},
            TypeError,
            "alt_text: max_length must be an integer of at least 200, got True",
        ),
        (caption, {"model": None}, TypeError, f"caption: model must be {A_MODEL}, got None"),
        (
            caption,
            {"format": "latexx"},
            ValueError,
            "caption: format must be one of .*did you mean 'latex'.*, got 'latexx'",
        ),
    ],
)
def test_wrong_arguments(function, arguments, error, says):
    x = keras.Input((4,), name="x")
    with pytest.raises(error, match=says):
        function(**{"model": keras.Model(x, layers.Dense(2, name="d")(x)), **arguments})


# -- nothing that is not so -------------------------------------------------------------------------------------------


def test_an_unknown_size_is_not_kept():
    x = keras.Input((None, None, 3))
    model = keras.Model(x, layers.Conv2D(3, 3, strides=2, name="down")(layers.Conv2D(3, 1, name="same")(x)))
    assert "keeps" not in alt_text(model) and "down (3×3 conv, 3, /2) gives ≈H/2×≈W/2×3" in alt_text(model)


def test_all_outputs_are_told_by_their_keys():
    x = keras.Input((8,))
    keys = ("mean", "spread", "skew", "excess", "tail")
    model = keras.Model(x, {key: layers.Dense(i + 1, name=f"dense{i}")(x) for i, key in enumerate(keys)})
    text = alt_text(model)
    assert "to 5 outputs" in text
    assert all(f"{key} by dense{i} ({i + 1})" in text for i, key in enumerate(keys))
    split = keras.Model(x, keras.ops.split(x, 4, -1))
    assert "gives 2 (4 times)" in alt_text(split)


def test_what_is_not_counted_is_named():
    x = keras.Input((8,))
    own = layers.Lambda(lambda x: x, output_shape=(8,), name="own")
    model = keras.Model(x, layers.Dense(2, name="top")(own(x)))
    for text in (alt_text(model), caption(model)):
        assert text.endswith("In all, 18 parameters and at least 16 multiply-adds, not counting own.")


@pytest.mark.parametrize("name", ["attention_unet", "siamese", "attention_by_hand", "linknet", "dueling_dqn"])
def test_only_what_adds_its_input_to_its_result_is_residual(name):
    model = build(name)
    assert "residual" not in alt_text(model) + caption(model) + table(model)


def test_boxes_that_are_repeated_together_are_not_each_in_a_row():
    model = build("prenorm_encoder")
    assert "4 times over 7 boxes" in alt_text(model) and "in a row" not in alt_text(model)
    assert "[attention, 2 heads × 16; [dense, 64; dense, 32]] × 4" in table(model)
    assert "8,544 each ×4" in table(model) and "4 times over, 4 rows:" in table(build("convmixer"))


def test_layers_are_counted_once_however_often_they_are_called():
    assert "functional: 3 boxes" in caption(build("shared_six_times"))


def test_strides_that_are_not_the_same_along_all_axes():
    assert "/ and a number is a stride." in caption(build("r2plus1d"))


def test_one_set_of_weights_is_told_once():
    model = build("shared_six_times")
    assert "6 in a row" in alt_text(model) and "all with one set of weights" in alt_text(model)
    assert "one set, used 6 times" in table(model)
    assert "584 params, one set, used 6 times" in mermaid(overview(read_graph(model, expand_nested=True)))


def test_ways_with_layers_on_them_end_where_something_else_comes_in():
    text = alt_text(build("ecg_resnet"))
    assert "3 short cuts with layers on them: from conv1d to residual 1.add, from residual 1.add to" in text


@pytest.mark.parametrize("name", ["dueling_dqn", "factorization"])
def test_a_stream_beside_another_is_no_short_cut(name):
    assert "short cut" not in alt_text(build(name)) + caption(build(name))


def test_what_joins_with_something_from_outside_is_told_by_its_layers():
    text = alt_text(overview(read_graph(build("pix2pix"), expand_nested=True), 1))
    assert "decoder level 3 (4×4 transposed conv, ×2 + concat, no dropout)" in text and "branch concat" not in text


def test_what_passes_a_layer_on_its_way_into_a_block_is_no_skip_that_changes_nothing():
    text = alt_text(build("diffusion_unet"))
    assert "2 skip connections: from residual 2 to concatenate_1 and from residual 1 to concatenate_2" in text


def test_calls_of_one_layer_are_told_apart():
    both = " and ".join(f"sequential.dense (shared, {call} of 2)" for call in (1, 2))
    assert f"subtract after {both}" in alt_text(build("siamese"))
