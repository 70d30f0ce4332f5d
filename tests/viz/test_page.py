"""The page of a figure: whole and inert as a file, and used in a real browser where there is one."""

from __future__ import annotations

import functools
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.viz import diagram
from layerblocks.viz.page import page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = (
    "</script><script>document.title='hit'</script>",
    "<img src=x onerror=\"document.title='hit'\">",
    "a'\"`&\x1b[31m",
)


@functools.cache
def resnet():
    with weightless():
        return diagram(build("resnet18"), width="ieee2", depth=1)


def hostile():
    """A graph whose names no page should believe; Keras refuses a slash, other makers of graphs may not."""
    from layerblocks.graphs.graph import Edge, Graph, Node

    names = ("x", *HOSTILE)
    nodes = tuple(
        Node(i, (name,), "Dense" if i else "InputLayer", "dense" if i else "input") for i, name in enumerate(names)
    )
    return Graph(HOSTILE[0], "Functional", nodes, tuple(Edge(i, i + 1) for i in range(len(names) - 1)))


def chain(length):
    """A graph of dense layers, ten in each of its frames."""
    from layerblocks.graphs.graph import Edge, Frame, Graph, Node

    nodes = [Node(0, ("x",), "InputLayer", "input", outputs=((None, 4),))]
    for i in range(1, length):
        path, frames = (f"part{i // 10}", f"dense{i}"), (i // 10,)
        nodes.append(Node(i, path, "Dense", "dense", inputs=((None, 4),), outputs=((None, 4),), frames=frames))
    frames = tuple(Frame(i, (f"part{i}",)) for i in range(length // 10 + 1))
    return Graph("chain", "Functional", tuple(nodes), tuple(Edge(i, i + 1) for i in range(length - 1)), frames=frames)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def views(text):
    return json.loads(re.search(r'id="views">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_knows_every_box_and_what_opens():
    figure = resnet()
    first, *insides = views(figure.html())
    assert [node["name"] for node in first["nodes"]] == [node.name for node in figure.graph.nodes]
    for entry, node in zip(first["nodes"], figure.graph.nodes, strict=True):
        facts = dict(entry["facts"])
        assert facts["parameters"] == f"{node.parameters:,}"
        assert ("opens" in entry) == (node.inner is not None and len(node.inner.nodes) > 1)
    assert insides


def test_the_page_is_one_file_without_a_network():
    text = resnet().html()
    for tag, attributes in Tags(text).found:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert not {"src", "href", "srcset"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\((?!data:)|@import", text)


def test_a_hostile_model_writes_no_markup():
    text = diagram(hostile()).html()
    tags = [tag for tag, _ in Tags(text).found]
    assert tags.count("script") == 2 and "img" not in tags and "\x1b" not in text


def test_blocks_without_room_for_their_inside_say_so():
    nodes = views(page(resnet(), insides=1))[0]["nodes"]
    assert sum("opens" in node for node in nodes) >= 1
    assert any("no room" in dict(node["facts"]).get("inside", "") for node in nodes)


def test_the_work_for_each_box_does_not_grow_with_their_number(monkeypatch):
    from layerblocks.viz.backends import groups

    found = []
    holds = groups._holds
    monkeypatch.setattr(groups, "_holds", lambda outer, inner: found.append(outer) or holds(outer, inner))
    counts = []
    for length in (200, 800):
        groups.grouped(diagram(chain(length), depth=None, fold=False).scene)
        counts.append(len(found) / length)
        found.clear()
    assert 0 < counts[1] < 1.5 * counts[0], counts


def test_a_notebook_gets_the_picture_made_once_and_the_page_where_it_asks(monkeypatch):
    from layerblocks.viz import page as module

    figure = diagram(resnet().graph)
    with monkeypatch.context() as no_page:
        no_page.setattr(module, "page", lambda figure: pytest.fail("the page was made"))
        bundle = figure._repr_mimebundle_()
        assert bundle == {"image/svg+xml": figure.svg, "text/plain": repr(figure)}
        assert figure._repr_mimebundle_()["image/svg+xml"] is figure.svg
        assert figure._repr_mimebundle_(exclude=["image/svg+xml"]).keys() == {"text/plain"}
    asked = figure._repr_mimebundle_(include=["text/html"])
    [(tag, attributes)] = Tags(asked["text/html"]).found
    assert asked.keys() == {"text/html"} and tag == "iframe"
    assert attributes["srcdoc"] == figure.html() and attributes["sandbox"] == "allow-scripts"


def test_a_figure_of_another_theme_is_drawn_anew():
    from dataclasses import replace

    from layerblocks.viz.theme import THEMES

    figure = resnet()
    assert figure.svg != replace(figure, theme=THEMES["dark"]).svg


# -- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a figure; nothing may be asked of a network, and nothing go wrong."""
    asked, wrong = [], []
    tab = browser.new_page(viewport={"width": 1000, "height": 700})
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)

    def show(figure):
        tab.goto(figure.save(tmp_path / "net.html").path.as_uri())
        return tab

    yield show
    assert not wrong and all(url.startswith(("file:", "data:")) for url in asked)
    tab.close()


def scale(tab):
    return float(re.search(r"scale\(([\d.]+)\)", tab.locator("#view").get_attribute("style"))[1])


def test_it_zooms_moves_and_fits(opened):
    tab = opened(resnet())
    before = scale(tab), tab.locator("#view svg").bounding_box()["x"]
    tab.keyboard.press("+")
    assert scale(tab) == pytest.approx(before[0] * 1.25, abs=1e-4)
    tab.mouse.move(500, 300)
    tab.mouse.wheel(0, -200)
    assert scale(tab) > before[0] * 1.3
    x = tab.locator("#view svg").bounding_box()["x"]
    tab.mouse.down()
    tab.mouse.move(560, 300)
    tab.mouse.up()
    assert tab.locator("#view svg").bounding_box()["x"] == pytest.approx(x + 60, abs=1)
    tab.keyboard.press("0")
    assert (scale(tab), tab.locator("#view svg").bounding_box()["x"]) == pytest.approx(before)


def test_it_tells_opens_and_closes(opened):
    figure = resnet()
    tab = opened(figure)
    block = next(node for node in figure.graph.nodes if node.inner is not None and len(node.inner.nodes) > 3)
    place = [node.name for node in figure.graph.nodes].index(block.name)
    hit = tab.locator(".hit").nth(place)
    hit.hover()
    assert (
        block.name in tab.locator("#facts").inner_text()
        and f"{block.parameters:,}" in tab.locator("#facts").inner_text()
    )
    hit.dblclick()
    assert tab.locator("#path button").count() == 2
    assert tab.locator(".hit").count() == len(views(figure.html())[1]["nodes"]) or tab.locator(".hit").count() > 1
    tab.keyboard.press("Escape")
    assert tab.locator("#path button").count() == 1 and tab.locator(".hit").count() == len(figure.graph.nodes)
    hit.focus()
    tab.keyboard.press("Enter")
    assert tab.locator("#path button").count() == 2


def test_it_searches(opened):
    tab = opened(resnet())
    tab.keyboard.press("/")
    tab.keyboard.type("conv")
    names = [node for node in views(resnet().html())[0]["nodes"] if "conv" in node["search"]]
    assert tab.locator(".hit.found").count() == len(names) > 0
    assert tab.locator("#count").inner_text() == f"{len(names)} found"
    tab.keyboard.press("Enter")
    assert tab.locator(".hit.current").count() == 1
    tab.keyboard.press("Escape")
    assert tab.locator(".hit.found").count() == 0


def test_it_prints_to_the_figure(opened):
    import pymupdf

    figure = resnet()
    tab = opened(figure)
    tab.keyboard.press("+")
    [sheet] = pymupdf.open("pdf", tab.pdf(prefer_css_page_size=True))
    assert tuple(sheet.rect)[2:] == pytest.approx((figure.width, figure.height), abs=1.5)
    assert "search" not in sheet.get_text() and figure.graph.nodes[0].name in sheet.get_text()


def test_no_name_is_run(opened):
    tab = opened(diagram(hostile()))
    tab.locator(".hit").nth(1).hover()
    tab.keyboard.press("/")
    tab.keyboard.type("script")
    assert tab.title() != "hit" and tab.locator("img").count() == 0
    assert "script" in tab.locator("#facts").inner_text()


def test_a_figure_longer_than_a_page_of_pdf_can_be_is_printed_smaller(opened):
    import pymupdf

    figure = diagram(chain(450), depth=None, fold=False)
    assert figure.height > 14_400
    [sheet] = pymupdf.open("pdf", opened(figure).pdf(prefer_css_page_size=True))
    assert sheet.rect.height == pytest.approx(14_000, abs=2) and "dense449" in sheet.get_text()
