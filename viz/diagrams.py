"""The public `diagram`: a figure fit for a paper, from any live Keras model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, inf
from typing import Any, Literal, get_args

from .. import checks
from ..garbage import no_collection
from ..graphs.clusters import clustered
from ..graphs.graph import Graph, Node
from ..graphs.overviews import by_dotted_names, overview, overviews
from ..graphs.reader import graph_of
from ..graphs.repeats import fold, kinds, opened
from .dot import block_figure
from .figure import Figure
from .layouts.contents import SHOW, Fact, Say
from .layouts.figures import Look, Zoom, figure_scene, on_page, repainted, zooms
from .layouts.keras_tables import Options
from .scene import Scene
from .statements import torn
from .texts.captions import panel_sentence, sum_sentence
from .theme import Theme, ThemeName, theme_of
from .venues import INCH, Length, height_for, in_points, wider
from .wishes import check_patterns, highlight_by, inside, label_by, on_the_way, part, patterns_of, style_by, words_by

Direction = Literal["TB", "LR", "BT", "RL"]
Style = Literal["boxes", "volumes"]


@checks.public
@no_collection()
def diagram(
    model: Any,
    *,
    depth: Literal["auto"] | int | None = "auto",
    max_boxes: int = 40,
    expand: str | Sequence[str] = (),
    collapse: str | Sequence[str] = (),
    zoom: bool | str | Sequence[str] = (),
    fold: bool = True,
    width: Length | None = None,
    height: Length | None = None,
    min_text: float | None = None,
    direction: Direction = "TB",
    style: Style | Mapping[str, Any] | Callable[[Node], Any] = "boxes",
    label: Mapping[str, str | Sequence[str]] | Say | None = None,
    highlight: Mapping[str, str] | str | Sequence[str] | None = None,
    groups: Mapping[str, str] | None = None,
    callouts: Mapping[str, str] | None = None,
    only: str | None = None,
    between: tuple[str, str] | None = None,
    show: Fact | Sequence[Fact] = "shape",
    names: bool = True,
    legend: bool = True,
    theme: ThemeName | Theme | None = None,
    font: str | os.PathLike[str] | None = None,
    loss_weights: Mapping[str, float] | None = None,
    caption: str | None = None,
    alt_text: str | None = None,
) -> Figure:
    """Draw a network as a paper shows it: block by block, equal neighbours as one, at its final size.

    A long network goes on in further columns (rows, where it runs from left to right). Type is stepped down, and what
    is written in boxes made shorter, only where the page asks for it.

    Args:
        model: any built Keras model, made with our blocks or not; a file of one; or a `Graph`.
        depth: 1 draws the outermost blocks, 2 opens these, …, None draws layers; "auto" the deepest level with at most
            `max_boxes` boxes that fits the page with all that is to be shown.
        max_boxes: how many boxes "auto" may draw.
        expand: names of blocks that are drawn open where they stand, each in a frame.
        collapse: names of blocks that are one box each at every depth.
        zoom: True for a panel with the inside of every kind of block, or names of blocks whose kinds are wanted; the
            boxes carry the letters of the panels. Depth "auto" leaves these blocks closed.
        fold: whether equal neighbours become one box, `×6`.
        width: the figure comes out as wide: a length (`"8cm"`, `"3.5in"`, `"252pt"`, a number of points), or the
            column of a venue: ieee1, ieee2, acm1, acm2, cvpr1, cvpr2, icml1, icml2, neurips, iclr, springer,
            elsevier1, elsevier2, a4, letter. None: as wide as it needs.
        height: it comes out no taller; by default, where the width is given, as tall as the venue's page.
        min_text: no text is smaller, in points; by default as the theme has it, 6 on paper and 14 on slides.
        direction: from where to where: TB (top to bottom), LR, BT or RL.
        style: "boxes", "volumes" (oblique boxes as large as the feature maps); a dict by name or pattern of a colour or
            `Paint`, alone or with words of the legend, `{"gate*": ("#F6E27F", "ours")}`; or a function that gives
            these of a node, or None for the usual.
        label: what stands in a box: a dict by name or pattern, `{"gate*": "gate"}`, or a callback of a node; of text,
            or a list of lines of which those after the first are smaller; None for the usual. Maths stands between
            dollar signs: `$\\alpha_i$`, `$3{\\times}3$`; `\\$` is a dollar.
        highlight: what has the accent, and what the legend calls that: `{"gate*": "ours"}`; or patterns alone. A
            pattern is that of a box, of one that it stands for, or of a block that it lies in.
        groups: a brace with words along the boxes of a pattern: `{"stage1*": "encoder", "stage[34]*": "decoder"}`.
            Patterns with the same words are one group; boxes between which others stand are braced in parts.
        callouts: a note beside the boxes of a pattern, with a line to them: `{"block3": "our change"}`.
        only: the name of a block (or layer) that is drawn alone; what it gets are inputs.
        between: the names of two blocks (or layers); they and what lies between them are drawn.
        show: what is written of every block: shape (where it changes), parameters, multiply_adds, receptive_field,
            dtype, trainable (which marks what is frozen).
        names: whether boxes have their names, small, under what they are.
        legend: whether a legend stands below the figure, of lines, patterns and what else no box says.
        theme: paper (the default), mono (greys and patterns), slides (large type on 16:9), dark, or a `Theme` of fonts,
            sizes and colours.
        font: a family or the path of a font file: "sans" (as wide as Helvetica), "times", "stix", "DejaVu Sans", …
        loss_weights: by output key, shown on auxiliary heads; by default what the model was compiled with, or else its
            attribute `loss_weights`.
        caption: what stands under it, `Figure.caption`, in your own words.
        alt_text: what it shows, for who cannot see it, in your own words; files have it as their description.

    Returns:
        A `Figure`: `save` it to a file; a notebook shows it.

    Raises:
        ValueError, TypeError: an argument is wrong, or the figure does not fit; the message says what would do.

    >>> import keras
    >>> x = y = keras.Input((32, 32, 3), name="image")
    >>> for name in ("stem", "body1", "body2"):
    ...     y = keras.layers.Conv2D(8, 3, padding="same", name=f"{name}.conv")(y)
    ...     y = keras.layers.ReLU(name=f"{name}.activation")(y)
    >>> figure = diagram(keras.Model(x, y, name="net"), width="ieee1")
    >>> round(figure.width), figure.text_size
    (251, 7.0)
    """
    theme = theme_of("theme", theme, font)
    look = _look(width, height, min_text, direction, label, show, names, legend, theme)
    look = replace(look, notes=words_by(groups, callouts))
    depth = checks.depth_or_auto(depth)
    wanted = _Wanted(
        _part(graph_of(model, loss_weights=loss_weights), only, between),
        checks.integer("max_boxes", max_boxes),
        checks.names("expand", expand),
        checks.names("collapse", collapse),
        zoom if isinstance(zoom, bool) else checks.names("zoom", zoom, "True, the name of a block, or several"),
        checks.flag("fold", fold),
        _style(style, highlight, theme),
        look,
    )
    words = _words("caption", caption), _words("alt_text", alt_text)
    by_pattern = {"label": label, "style": style if isinstance(style, Mapping) else None, "highlight": highlight}
    by_pattern |= {"groups": groups, "callouts": callouts}
    for shown, how in _attempts(wanted, depth, look):
        drawn = _drawn(wanted, shown, how)
        if drawn is not None:
            for argument, value in by_pattern.items():
                check_patterns(argument, patterns_of(value), [drawn[0], *(p.graph for p in _panels(wanted, drawn[0]))])
            return _figure(drawn, direction, *words)
    raise checks.complaint(_misfit(wanted, depth, width))


def _attempts(wanted: _Wanted, depth: Literal["auto"] | int | None, look: Look) -> Iterator[tuple[Graph, Look]]:
    """What to draw, and how: as fine as can be with all facts, then with fewer, then in fewer boxes."""
    tried = []
    strict = replace(look, strict=depth == "auto")
    for shown in _zoomable(wanted, depth):
        yield shown, replace(strict, shows_all=True)
        tried.append(shown)
    for shown in tried:
        yield shown, strict
    if depth == "auto":
        for shown in _coarser(wanted, tried[-1]):
            yield shown, replace(strict, shows_all=True)
            yield shown, strict
        yield from ((shown, look) for shown in tried)


# What is shown, the figure, the theme it is painted in, and how its description ends.
_Drawn = tuple[Graph, Scene, Theme, tuple[str, ...]]


def _figure(drawn: _Drawn, direction: Direction, caption: str | None, alt_text: str | None) -> Figure:
    shown, scene, theme, ends = drawn
    make_dot = partial(block_figure, shown, Options(rankdir=direction), theme)
    return Figure(shown, scene, theme, make_dot, ends=ends, own_caption=caption, own_alt_text=alt_text)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be drawn, whatever the depth."""

    graph: Graph
    max_boxes: int
    expand: tuple[str, ...]
    collapse: tuple[str, ...]
    zoom: bool | tuple[str, ...]
    fold: bool
    style: Style | Callable[[Node], Any]
    look: Look


def _overviews(wanted: _Wanted, depth: Literal["auto"] | int | None) -> Iterator[Graph]:
    """The network at the depth asked for; where that is left open, at ever lesser depths."""
    asked = (wanted.max_boxes, wanted.expand, wanted.fold, wanted.collapse)
    fewest = inf
    for shown in overviews(wanted.graph, *asked) if depth == "auto" else [overview(wanted.graph, depth, *asked)]:
        if depth == "auto" and len(shown.nodes) > wanted.max_boxes:
            shown = clustered(shown, wanted.max_boxes, _kept(wanted, shown))
        if len(shown.nodes) < fewest:
            fewest = len(shown.nodes)
            yield shown


_STEPS = 10  # by what part of the boxes there are fewer from one attempt to the next


def _coarser(wanted: _Wanted, shown: Graph) -> Iterator[Graph]:
    """The network in ever fewer boxes than it has blocks."""
    fewest = most = len(shown.nodes)
    kept = _kept(wanted, shown)
    while most > 1:
        most -= max(1, most // _STEPS)
        joined = clustered(shown, most, kept)
        if len(joined.nodes) < fewest:
            fewest = most = len(joined.nodes)
            yield joined


def _kept(wanted: _Wanted, shown: Graph) -> set[str]:
    """The boxes that somebody asked for: what is in opened blocks, kept whole, written about, or shown in panels."""
    if wanted.zoom is True:
        return {node.name for node in shown.nodes}
    kept = {node.name for node in shown.nodes if wanted.expand and node.frames}
    kept |= {node.name for node in shown.nodes if {node.name, *node.members} & set(wanted.collapse)}
    kept |= {node.name for node in shown.nodes for words in wanted.look.notes if words.mean(node)}
    closed = _closed(shown) if wanted.zoom else {}
    return kept | {closed[name].name for name in wanted.zoom or () if name in closed}


def _zoomable(wanted: _Wanted, depth: Literal["auto"] | int | None) -> Iterator[Graph]:
    """Those of the overviews in which the blocks that are wanted in panels are closed."""
    if not wanted.zoom or wanted.style == "volumes":
        yield from _overviews(wanted, depth)
        return
    found = list(_overviews(wanted, depth))
    closed = [shown for shown in found if _has_panels(wanted, shown)]
    depths = [] if closed else _depths_with_panels(wanted)
    if depths and isinstance(wanted.zoom, bool):
        must_be = f"False where every block is drawn open; depth={depths[-1]} draws some closed"
        raise checks.refuse("zoom", wanted.zoom, must_be)
    yield from closed or found


def _has_panels(wanted: _Wanted, shown: Graph) -> bool:
    if isinstance(wanted.zoom, bool):
        return bool(kinds(shown))
    return all(name in _closed(shown) for name in wanted.zoom)


def _closed(shown: Graph) -> dict[str, Node]:
    """The boxes of blocks by their names, and by those of all that each stands for."""
    boxes = [node for node in shown.nodes if node.inner is not None]
    return {name: node for node in boxes for name in (node.name, *node.members)}


def _depths_with_panels(wanted: _Wanted) -> list[int]:
    depths = range(1, _deepest(wanted.graph))
    return [depth for depth in depths if any(_has_panels(wanted, shown) for shown in _overviews(wanted, depth))]


def _deepest(graph: Graph) -> int:
    return max((len(node.path) for node in graph.nodes), default=1) + 1


def _drawn(wanted: _Wanted, shown: Graph, look: Look) -> _Drawn | None:
    """The figure; none if it does not fit. What repeats and cannot be kept whole in its frame is not folded.

    A strict figure has no more boxes for that than asked for. Where there is no room for all that is unfolded, Graphviz
    draws it folded, if it may.
    """
    kept: list[tuple[str, ...]] = []
    folded = shown
    while True:
        drawn = _drawn_so(wanted, folded, look)
        if drawn is None or not (more := [each for each in torn(drawn[1], folded) if each not in kept]):
            break
        if folded.unfolded is None:
            return None
        kept += more
        folded = fold(folded.unfolded, kept)
        if look.strict and len(folded.nodes) > max(wanted.max_boxes, len(shown.nodes)):
            return None
    if drawn is None and kept and not look.strict and wanted.style != "volumes":
        drawn = _drawn_so(wanted, shown, replace(look, splines="spline"))
        return None if drawn is None or torn(drawn[1], shown) else drawn
    return drawn


def _drawn_so(wanted: _Wanted, shown: Graph, look: Look) -> _Drawn | None:
    panels = _panels(wanted, shown)
    if callable(wanted.style):
        theme, paints, keys = repainted((shown, *(panel.graph for panel in panels)), look.theme, wanted.style)
        look = replace(look, theme=theme, paints=paints, keys=keys)
    scene = _volumes(shown, look) if wanted.style == "volumes" else figure_scene(shown, look, panels)
    scene = scene and on_page(scene, look.theme)
    said = [sentence for words in look.notes if (sentence := words.sentence(shown))]
    said += [panel_sentence([panel.title for panel in panels])] if panels else []
    ends = (*said, sum_sentence(shown)) if said else ()
    return None if scene is None else (shown, scene, look.theme, ends)


def _volumes(shown: Graph, look: Look) -> Scene | None:
    from .volumes.scene import volumes

    def label(node: Node) -> str | None:
        said = look.say(node) if look.say else None
        return said if said is None or isinstance(said, str) else " ".join(said)

    def drawn(show: Sequence[str]) -> Scene | None:
        return volumes(
            shown,
            look.theme,
            width=look.width,
            height=look.height,
            min_text=look.min_text,
            label=label if look.say else None,
            show=show,
            legend=look.legend,
            strict=look.strict,
            notes=[words.on(shown) for words in look.notes],
        )

    fewer = [fact for fact in look.show if fact == "shape"]
    again = look.strict and not look.shows_all  # which was tried with all
    found = None if again else drawn(look.show)
    return found or (drawn(fewer) if not look.shows_all and len(fewer) < len(look.show) else None)


def _panels(wanted: _Wanted, shown: Graph) -> list[Zoom]:
    if not wanted.zoom:
        return []
    if wanted.style == "volumes":
        raise checks.complaint("zoom must be False with style='volumes': panels are drawn with style='boxes'")
    found = kinds(shown)
    if isinstance(wanted.zoom, bool):
        return zooms(found, opened)
    closed = _closed(shown)
    for name in wanted.zoom:
        if name not in closed:
            raise _not_closed(wanted, name)
    # Also what is no kind worth a panel of its own accord.
    known = {name for _, names in found for name in names}
    boxes = {node.name: node for node in map(closed.__getitem__, wanted.zoom) if not known & {*_names(node)}}
    asked = {name for given in wanted.zoom for name in _names(closed[given])}
    wide = [*found, *((node, _names(node)) for node in boxes.values())]
    return zooms([kind for kind in wide if asked & set(kind[1])], opened)


def _names(node: Node) -> tuple[str, ...]:
    return node.members or (node.name,)


def _not_closed(wanted: _Wanted, name: str) -> Exception:
    """What to say of a name that is no closed block: at which depth it is one."""
    known: list[str] = []
    for depth in range(1, _deepest(wanted.graph)):
        for shown in _overviews(wanted, depth):
            if name in _closed(shown):
                return checks.refuse("zoom", name, f"the name of a block that is drawn closed; depth={depth} does so")
            known += _closed(shown)
    if any(name in _levels(node) for node in wanted.graph.nodes):
        return checks.refuse("zoom", name, "the name of a block that is drawn closed")
    return checks.unknown("zoom", name, dict.fromkeys(known))


def _levels(node: Node) -> list[str]:
    """The names of the blocks that it lies in."""
    return [".".join(node.path[:length]) for length in range(1, len(node.path))]


# -- arguments --------------------------------------------------------------------------------------------------------


def _look(
    width: Any,
    height: Any,
    min_text: Any,
    direction: Any,
    label: Any,
    show: Any,
    names: Any,
    legend: Any,
    theme: Theme,
) -> Look:
    wide, high = theme.page or (None, None)
    if width is not None:
        wide = in_points("width", width)
        high = height_for(width)
    return Look(
        theme=theme,
        show=tuple(checks.choice("show", each, SHOW) for each in checks.names("show", show, _SHOW)),
        direction=checks.choice("direction", direction, get_args(Direction)),
        width=wide,
        height=high if height is None else in_points("height", height),
        names=checks.flag("names", names),
        min_text=theme.least_size
        if min_text is None
        else checks.number("min_text", min_text, "a size in points above 0 and at most 100", above=0, at_most=100),
        legend=checks.flag("legend", legend),
        say=label_by(label),
    )


def _words(argument: str, value: Any) -> str | None:
    return None if value is None else checks.text(argument, value)


_SHOW = f"one or several of {checks.listed(SHOW)}"


def _style(style: Any, highlight: Any, theme: Theme) -> Style | Callable[[Node], Any]:
    """The kind of figure, or what gives the looks of boxes: a highlight before a style."""
    named = get_args(Style)
    if isinstance(style, Mapping):
        style = style_by(style, theme)
    elif not callable(style):
        must_be = f"one of {checks.listed(named)}, a dict by name or pattern, or a function that gives a Paint"
        style = checks.choice("style", style, named, must_be)
    if highlight is None:
        return style
    if style == "volumes":
        raise checks.complaint("highlight must be None with style='volumes': boxes are highlighted")
    first, then = highlight_by(highlight, theme), style if callable(style) else lambda node: None
    return lambda node: first(node) or then(node)


def _part(graph: Graph, only: Any, between: Any) -> Graph:
    """The part of a network that is wanted, or all of it."""
    if only is None and between is None:
        return graph
    if only is not None and between is not None:
        raise checks.complaint("between must be None with only=, which is a part by itself")
    named = by_dotted_names(graph)
    if only is not None:
        only = checks.text("only", only, "the name of a block")
        return part(named, inside("only", named, only), only)
    ends = checks.names("between", between, _BETWEEN)
    if isinstance(between, str) or len(ends) != 2:
        raise checks.refuse("between", between, _BETWEEN)
    kept = on_the_way(named, *(inside("between", named, name) for name in ends))
    if not kept:
        raise checks.refuse("between", between, "the names of two blocks of which the second comes after the first")
    return part(named, kept, f"{ends[0]} to {ends[1]}")


_BETWEEN = "the names of two blocks"


# -- what would do ----------------------------------------------------------------------------------------------------


def _misfit(wanted: _Wanted, depth: Literal["auto"] | int | None, width: Length | None) -> str:
    """That the figure does not fit, and which depth or width would do: found by trying.

    The widths of the venue that was asked for are tried first.
    """
    look = wanted.look
    *_, first = _zoomable(wanted, depth)
    page = " × ".join(f"{side:g}" for side in (look.width, look.height) if side is not None)
    deep = "layer by layer" if depth is None else f"at depth {depth}"
    said = f"{checks.one_line(wanted.graph.name)} {deep} does not fit {page} points in type of {look.min_text:g} points"
    ways = []
    if depth != "auto":
        layers = max((len(node.path) for node in wanted.graph.nodes), default=1) + 1
        less = range(min(layers if depth is None else depth, 9) - 1, 0, -1)
        ways += [f"depth={each}" for each in less if _fits(wanted, each, look)][:1]
    if look.width is not None:
        for name, points in wider(look.width, width):
            if _drawn(wanted, first, replace(look, width=points)) is not None:
                ways.append(f"width={name!r} ({points / INCH:g} in)")
                break
    taller = _drawn(wanted, first, replace(look, height=None))
    if taller is not None and look.height is not None:
        ways.append(f"height={ceil(taller[1].height)}")
    return f"{said}; it would with {' or '.join(ways)}" if ways else f"{said}; width=None draws it as large as it is"


def _fits(wanted: _Wanted, depth: int, look: Look) -> bool:
    shown_at = [shown for shown in _overviews(wanted, depth) if not wanted.zoom or _has_panels(wanted, shown)]
    return any(_drawn(wanted, shown, look) is not None for shown in shown_at)
