"""What a figure says, held against the network: the same boxes, tensors and outputs, where it says that they are."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

from layerblocks.graphs import Edge, Output, overview
from layerblocks.graphs.graph import leaves
from layerblocks.graphs.rewrite import without_masks
from layerblocks.viz.scene import Box, Path, Polygon, Text
from layerblocks.viz.statements import bounds
from layerblocks.viz.symbols import sign_of, symbol_of

from .scene_checks import points

NEAR = 1.2  # points: from the end of a line to what it touches
HEAD = 2.0  # from the tip of an arrow


def check_statement(figure, graph, unfolded=None):
    """Raise unless a figure of a graph says what the graph says, in lines that touch what they lead to.

    `unfolded` keeps, by depth, what the graph is at that depth with nothing folded.
    """
    check_boxes_and_lines(figure, graph, {} if unfolded is None else unfolded)
    check_ends(figure)
    check_marks(figure)


# -- what is said -----------------------------------------------------------------------------------------------------


def facts(graph):
    """Boxes, tensors with their shapes and ports, and outputs, all by name."""
    names = [node.name for node in graph.nodes]
    tensors = (
        (names[e.source], e.source_port, names[e.target], e.target_port, e.shape, e.carries) for e in graph.edges
    )
    outputs = ((o.key, names[o.source], o.source_port) for o in graph.outputs)
    return {"boxes": Counter(names), "tensors": Counter(tensors), "outputs": Counter(outputs)}


def check_boxes_and_lines(figure, graph, unfolded):
    said = figure.statement()
    assert [node.id for node in said.nodes] == [*range(len(said.nodes))]
    assert all(edge.source < edge.target for edge in said.edges), "it says that something waits for itself"
    found = facts(said)
    if any(node.kind == "Block" and node.words for node in figure.graph.nodes):
        check_joined(said, figure.graph, graph)
        return
    for depth in (*range(1, max((len(node.path) for node in graph.nodes), default=1) + 8), None):
        if depth not in unfolded:
            unfolded[depth] = overview(graph, depth, fold=False)
        if facts(unfolded[depth])["boxes"] == found["boxes"]:
            break
    else:
        raise AssertionError(f"at no depth has the network these boxes: {sorted(found['boxes'])}")
    for what, there in facts(unfolded[depth]).items():
        missing, more = there - found[what], found[what] - there
        assert not missing and not more, f"{what} not said: {[*missing][:4]}; said of none: {[*more][:4]}"
    check_layers(said, unfolded[depth], without_masks(graph))


def check_joined(said, boxes, graph):
    """Where blocks are joined for want of room: every layer is in one box, and lines lead where tensors do."""
    graph = without_masks(graph)
    layers = Counter(known_as(leaf, graph) for n in boxes.nodes for leaf in leaves(n))
    there = Counter(known_as(n, graph) for n in graph.nodes)
    assert not layers - there, f"in a box, and not in the network: {[*(layers - there)][:4]}"
    if all(node.repeats == 1 for box in boxes.nodes for node in (box, *(box.inner.nodes if box.inner else ()))):
        assert layers == there, f"in no box: {[*(there - layers)][:4]}"
        check_layers(said, boxes, graph)
    for box in boxes.nodes:
        if box.kind == "Block" and box.words and box.name.endswith(" layers"):
            count = sum(layer.role != "input" for layer in leaves(box))
            assert int(box.name.split()[0]) >= count
            assert int(box.name.split()[0]) == count or any(n.repeats > 1 for n in box.inner.nodes)


def known_as(layer, graph):
    """What tells a layer from others; one that is alone in a block may be called as the block is."""
    within = [node for node in graph.nodes if node.path[: len(layer.path)] == layer.path]
    name = within[0].path[-1] if len(within) == 1 else layer.path[-1]
    return name, layer.kind, layer.call, layer.inputs


def check_layers(said, boxes, graph):
    """The lines lead from box to box just where a tensor leads from a layer in the one to a layer in the other.

    What is left out are layers that cannot be told from others by their last name and their call.
    """

    known = [known_as(layer, graph) for layer in graph.nodes]
    alike = Counter(known)
    inside = {known_as(leaf, graph): node.name for node in boxes.nodes for leaf in leaves(node)}
    home = [inside.get(each) if alike[each] == 1 else None for each in known]
    if None in home or max(Counter(n.name for n in boxes.nodes).values()) > 1:
        return
    lead = {(home[e.source], home[e.target]) for e in graph.edges if home[e.source] != home[e.target]}
    assert {(said.nodes[e.source].name, said.nodes[e.target].name) for e in said.edges} == lead


def check_marks(figure):
    """Every ×n is written, every sign is that of the operation, every output has an arrow, its key said."""
    graph, texts = figure.graph, [item.text for item in figure.scene.items if isinstance(item, Text)]
    marks = [text for text in texts if " each" not in text and " shared" not in text]  # which are of parameters
    written = Counter(word for text in marks for word in text.split(" ") if word.startswith("×"))
    stated = {}
    for i, item in enumerate(figure.scene.items):
        if isinstance(item, Box | Polygon) and item.states is not None:
            stated[item.states.node if item.states.node >= 0 else f"frame {i}"] = item.states
    assert {number for number in stated if isinstance(number, int)} == {*range(len(graph.nodes))}
    wanted = Counter(f"×{each.repeats}" for each in stated.values() if each.repeats > 1)
    assert not wanted - written, f"not written: {wanted - written}"
    for number, each in stated.items():
        if isinstance(number, int):
            node = graph.nodes[number]
            assert each.symbol in (symbol_of(node), sign_of(node))  # in volumes, and in boxes
    arrows = {link for item in figure.scene.items if isinstance(item, Path) for link in item.states}
    for output in graph.outputs:
        assert output in arrows, f"no arrow for {output}"
        said = output.key in texts or f"→ {output.key}" in texts or output.key == graph.nodes[output.source].name
        said = said or (output.key == "main" and len(graph.outputs) == 1)
        assert said, f"the key {output.key} is not said"


# -- where it is drawn ------------------------------------------------------------------------------------------------


def check_ends(figure):
    loose = [f"the {end} of {link}" for end, link in loose_ends(figure.scene)]
    assert not loose, f"drawn beside what it leads to: {loose[:4]}"


def loose_ends(scene):
    """The ends of lines that touch neither their box nor another line of the same tensor, or into the same box."""
    shapes, lines = defaultdict(list), defaultdict(list)
    for item in scene.items:
        if isinstance(item, Box | Polygon) and item.states is not None and item.states.node >= 0:
            shapes[item.states.node].append(reach(item))
        if isinstance(item, Path):
            for link in item.states:
                lines[link].append((points(item), item.arrow))
    found = []
    for link, pieces in lines.items():
        same = [way for other, ways in lines.items() if other != link and tensor(other) == tensor(link) for way in ways]
        begun = [
            i
            for i, (way, _) in enumerate(pieces)
            if any(near(way[0], shape, NEAR) for shape in shapes[link.source]) or any(on(way[0], w) for w, _ in same)
        ]
        if not begun:
            found.append(("start", link))
        if isinstance(link, Output):
            continue
        into = [
            way for other, ways in lines.items() if other != link and isinstance(other, Edge)
            for way in ways if other.target == link.target
        ]  # fmt: skip
        ended = [
            i
            for i, (way, arrow) in enumerate(pieces)
            if (arrow and any(near(way[-1], shape, HEAD) for shape in shapes[link.target]))
            or any(on(way[-1], w) for w, _ in into)
        ]
        if not ended:
            found.append(("end", link))
    for item in scene.items:
        if isinstance(item, Box | Polygon) and item.states is not None:
            for edge in item.states.against:
                gaps = [apart(a, b) for a in shapes[edge.source] for b in shapes[edge.target]]
                if min(gaps) > 7.0:
                    found.append(("touch", edge))
    return found


def tensor(link):
    return link.source, link.source_port


def reach(item):
    """The sides of a shape, with the cards under it, wherever these look out."""
    left, top, right, bottom = bounds(item)
    out = 3.0 if item.states.repeats > 1 else 0.0
    return left - out, top - out, right + out, bottom + out


def near(point, shape, slack):
    left, top, right, bottom = shape
    return left - slack <= point[0] <= right + slack and top - slack <= point[1] <= bottom + slack


def apart(a, b):
    across, down = max(a[0], b[0]) - min(a[2], b[2]), max(a[1], b[1]) - min(a[3], b[3])
    return max(across, down)


def on(point, way):
    """Whether a point lies on a line."""
    for (ax, ay), (bx, by) in pairwise(way):
        dx, dy = bx - ax, by - ay
        long = dx * dx + dy * dy
        t = 0.0 if not long else max(0.0, min(1.0, ((point[0] - ax) * dx + (point[1] - ay) * dy) / long))
        if (ax + t * dx - point[0]) ** 2 + (ay + t * dy - point[1]) ** 2 <= NEAR**2:
            return True
    return False
