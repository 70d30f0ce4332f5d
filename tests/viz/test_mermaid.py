"""Mermaid: every box, edge and frame once, in a syntax checked against Mermaid's own parser when it was written."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import googlenet, resnet50, unet
from layerblocks.blocks import weightless
from layerblocks.graphs import overview, read_graph
from layerblocks.viz.lines import line_roles
from layerblocks.viz.texts.mermaid import mermaid

from ..random_models import random_model
from .test_captions import graphs

MARGIN = r"(?P<margin>(?:  )+)"
# What stands between quotation marks: no mark of Mermaid's, HTML's or Markdown's but in an entity, and line breaks.
LABEL = r'"(?P<label>(?:[^#&<>"`*~\\\[\]%$\x00-\x1f]|#\w+;|<br/>)+)"'
OUTLINES = ((r"\(\[", r"\]\)"), (r"\[\[", r"\]\]"), (r"\{\{", r"\}\}"), (r"\(", r"\)"), (r"\[", r"\]"))
FRAME = re.compile(rf"{MARGIN}subgraph f(?P<id>\d+) \[{LABEL}\]")
END = re.compile(rf"{MARGIN}end")
EDGE = re.compile(r"  n(\d+) (-->|-\.->|-->\|skip\||-->\|projection\|) n(\d+)")
CLASS = re.compile(r"  classDef ([a-z]+) fill:#[0-9A-F]{6},stroke:#[0-9A-F]{6},color:#000000(,stroke-dasharray:\d \d)?")


def read(text):
    """Boxes with their frames and labels, edges and classes, of a chart in which every line is of a known kind."""
    head, *lines = text.split("\n")
    assert re.fullmatch(r"flowchart (TB|LR|BT|RL)", head)
    boxes, edges, classes, inside = {}, [], [], []
    for line in lines:
        box = re.fullmatch(
            rf"{MARGIN}n(?P<id>\d+)(?P<open>\(\[|\[\[|\{{\{{|\(|\[){LABEL}(?P<close>\]\)|\]\]|\}}\}}|\)|\]):::(?P<role>[a-z]+)",
            line,
        )
        if box:
            assert len(box["margin"]) == 2 * (len(inside) + 1)
            assert any(re.fullmatch(a, box["open"]) and re.fullmatch(b, box["close"]) for a, b in OUTLINES)
            boxes[int(box["id"])] = (box["label"], tuple(inside), box["role"])
        elif frame := FRAME.fullmatch(line):
            inside.append(int(frame["id"]))
        elif END.fullmatch(line):
            inside.pop()
        elif edge := EDGE.fullmatch(line):
            edges.append((int(edge[1]), int(edge[3]), edge[2]))
        else:
            found = CLASS.fullmatch(line)
            assert found, line
            classes.append(found[1])
    assert not inside
    return boxes, edges, classes


def words(label):
    """What a browser shows of a label: Mermaid's entities are HTML's with another first sign."""
    entities = (
        re.sub(r"#(?:(\d+)|(\w+));", lambda m: f"&#{m[1]};" if m[1] else f"&{m[2]};", line)
        for line in label.split("<br/>")
    )
    return " ".join(map(html.unescape, entities))


def visible(text):
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@given(graphs(), st.sampled_from(["TB", "LR"]))
def test_any_graph_is_there_whole(graph, direction):
    text = mermaid(graph, direction=direction)
    boxes, edges, classes = read(text)
    assert sorted(boxes) == [n.id for n in graph.nodes]
    roles = line_roles(graph)
    assert edges == [(e.source, e.target, ARROWS.get(roles[e], "-->")) for e in graph.edges]
    assert [frames for _, frames, _ in boxes.values()] == [graph.nodes[i].frames for i in boxes]
    assert sorted(classes) == sorted({role for _, _, role in boxes.values()}) == sorted(set(classes))
    for number, (label, _, role) in boxes.items():
        node = graph.nodes[number]
        assert role == ("aux" if node.head is not None else node.role)
        assert visible(".".join(node.path)) in visible(words(label)) or node.frames


ARROWS = {
    "aux": "-.->",
    "skip": "-->|skip|",
    "side": "-->|skip output|",
    "concat": "-->|skip|",
    "projection": "-->|projection|",
    "padded": "-->|zero-padded skip|",
}


@given(st.data())
def test_any_model(data):
    graph = overview(read_graph(random_model(data.draw), expand_nested=True))
    boxes, edges, _ = read(mermaid(graph))
    assert len(boxes) == len(graph.nodes) and len(edges) == len(graph.edges)


def test_a_network_of_a_paper():
    with weightless():
        graph = overview(read_graph(googlenet()), 1, expand=["inception_3a"])
    lines = mermaid(graph).splitlines()
    assert lines[1] == '  n0(["input<br/>224×224×3"]):::input'
    assert '  n2("pool1<br/>3×3 max pool, /2<br/>56×56×64"):::pool' in lines
    opened = lines.index('  subgraph f0 ["inception_3a"]')
    assert lines[opened + 1].startswith('    n8["1x1<br/>1×1 conv, 64')
    aux = next(n.id for n in graph.nodes if n.name == "aux1")
    assert any(line.endswith(f"-.-> n{aux}") for line in lines)
    assert any(f"  n{aux}[" in line and "loss × 0.3" in line and line.endswith(":::aux") for line in lines)


def test_repeats_and_skips():
    with weightless():
        text = mermaid(overview(read_graph(resnet50())))
        skips = mermaid(overview(read_graph(unet()), 1))
    assert "block2–block6 × 5" in text
    assert skips.count("-->|skip|") == 4


def test_an_unknown_direction():
    with (
        weightless(),
        pytest.raises(ValueError, match="mermaid: direction must be one of 'TB', 'LR', 'BT' or 'RL', got 'TD'"),
    ):
        mermaid(read_graph(resnet50()), direction="TD")
