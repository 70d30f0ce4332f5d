"""A figure says what the network is: read back from its shapes, repeats unfolded, it is the network again."""

from typing import get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from layerblocks.architectures import build, list_architectures
from layerblocks.blocks import weightless
from layerblocks.graphs import Edge, Graph, Node, Output, read_graph
from layerblocks.graphs.graph import mark_edges
from layerblocks.testing import networks
from layerblocks.viz import diagram
from layerblocks.viz.diagrams import Direction
from layerblocks.viz.page import Venue
from tests import zoo

from .statement_checks import check_statement

STYLES = ("boxes", "volumes")
NETS = [*(f"zoo {name}" for name in zoo.ZOO), *list_architectures()]
QUICK = (
    "zoo siamese",
    "zoo vae",
    "zoo postnorm_encoder",
    "zoo encoder_decoder",
    "zoo attention_unet",
    "zoo shared_six_times",
    "zoo actor_critic",
    "zoo gated_tabular",
    "zoo feature_pyramid_detector",
    "resnet18",
    "googlenet",
    "unet",
)


def graph_of(name):
    if name.startswith("zoo "):
        return read_graph(zoo.build(name.removeprefix("zoo ")))
    with weightless():
        return read_graph(build(name))


def drawn(graph, **options):
    """The figure; None where it does not fit."""
    try:
        return diagram(graph, **options)
    except ValueError as error:
        assert "does not fit" in str(error)
        return None


def check_net(graph, options):
    unfolded, count = {}, 0
    for each in options:
        figure = drawn(graph, **each)
        if figure is not None:
            check_statement(figure, graph, unfolded)
            count += 1
    return count


@pytest.mark.parametrize("name", QUICK)
def test_a_figure_says_what_the_network_is(name):
    options = [
        {"width": "ieee1"},
        {"depth": 1, "direction": "LR"},
        {"width": "ieee2", "style": "volumes"},
        {"depth": 2, "style": "volumes", "fold": False},
    ]
    assert check_net(graph_of(name), options) > 1


@pytest.mark.sweep
@pytest.mark.parametrize("name", NETS)
def test_every_figure_of_every_net_says_what_the_network_is(name):
    """All directions at every depth; all venues; each with and without folding, in both styles."""
    depths = ("auto", 1, 2)
    sizes = [
        *({"direction": each, "depth": depth} for each in get_args(Direction) for depth in depths),
        *({"width": each} for each in get_args(Venue)),
        *({"width": "ieee1", "direction": each} for each in get_args(Direction)[1:]),
    ]
    both = [{**size, "fold": fold} for size in sizes for fold in (True, False)]
    volumes = [{**each, "style": "volumes"} for each in both if each.get("direction", "TB") == "TB"]
    assert check_net(graph_of(name), [*both, *volumes])


# -- random nets ------------------------------------------------------------------------------------------------------


def as_graph(made):
    """A graph of what `nets` made."""
    names, edges, outputs = made
    arriving = [sum(target == i for _, target in edges) for i in range(len(names))]
    nodes, ports, links = [], {}, []
    for i, (name, kind) in enumerate(names):
        role = {"Add": "add", "Concatenate": "merge", "InputLayer": "input"}.get(kind, "conv")
        sign = {"Add": "⊕", "Concatenate": "‖"}.get(kind, "")
        inputs = ((None, 8, 8, 4),) * arriving[i]
        nodes.append(Node(i, (name,), kind, role, inputs=inputs, outputs=((None, 8, 8, 4),), symbol=sign, words=kind))
    for source, target in edges:
        ports[target] = ports.get(target, -1) + 1
        links.append(Edge(source, target, 0, ports[target], (None, 8, 8, 4)))
    return mark_edges(Graph("net", "Functional", tuple(nodes), tuple(links), tuple(outputs)))


@st.composite
def nets(draw):
    """Chains, residuals, forks, what repeats, and long skips, one in another, with outputs anywhere."""
    names, edges, ends = [("x", "InputLayer")], [], []

    def layer(kind, *sources):
        names.append((f"n{len(names)}", kind))
        edges.extend((source, len(names) - 1) for source in sources)
        return len(names) - 1

    def part(plan, x, aside):
        kind, *inner = plan
        if kind == "chain":
            for each in inner:
                x = part(each, x, aside)
            return x
        if kind == "residual":
            return layer("Add", x, part(inner[0], x, aside))
        if kind == "fork":
            return layer("Concatenate", *(part(each, x, aside) for each in inner))
        if kind == "repeat":
            for _ in range(inner[1]):
                x = part(inner[0], x, aside)
            return x
        if kind == "aside":
            return layer("Add", x, aside)
        return layer(kind, x)

    leaf = st.sampled_from([("A",), ("B",), ("C",), ("aside",)])
    plans = st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(st.just("chain"), inner, inner),
            st.tuples(st.just("residual"), inner),
            st.tuples(st.just("fork"), inner, inner),
            st.tuples(st.just("repeat"), inner, st.integers(2, 4)),
        ),
        max_leaves=7,
    )
    aside = layer("D", 0)
    start = draw(st.integers(0, 1))
    last = part(draw(plans), start, aside)
    last = part(draw(plans), last, aside)
    if draw(st.booleans()):
        last = layer("Concatenate", last, draw(st.integers(0, last - 1)))
    ends = {source for source, _ in edges}
    outputs = {last, *(i for i in range(len(names)) if i not in ends)}
    if draw(st.booleans()):
        outputs.add(draw(st.integers(1, last)))
    return as_graph((names, edges, [Output(f"out{i}", i) for i in sorted(outputs)]))


def check_random(graph, data):
    fold = data.draw(st.booleans())
    style = data.draw(st.sampled_from(STYLES))
    direction = data.draw(st.sampled_from(get_args(Direction))) if style == "boxes" else "TB"
    width = data.draw(st.sampled_from([None, "ieee1", "ieee2"]))
    figure = drawn(graph, depth=None, fold=fold, style=style, direction=direction, width=width)
    if figure is not None:
        check_statement(figure, graph)


@given(nets(), st.data())
@settings(max_examples=25)
def test_figures_of_random_graphs(graph, data):
    check_random(graph, data)


@given(networks(), st.data())
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
def test_figures_of_random_networks(network, data):
    check_random(read_graph(network.model()), data)


@pytest.mark.sweep
@given(nets(), st.data())
@settings(max_examples=800, phases=[Phase.generate, Phase.shrink])
def test_figures_of_many_random_graphs(graph, data):
    check_random(graph, data)


@pytest.mark.sweep
@given(networks(), st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_figures_of_many_random_networks(network, data):
    check_random(read_graph(network.model()), data)
