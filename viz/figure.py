"""A drawn figure: rendered when it is asked for, in whichever format."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from .. import checks
from ..files import check_writable, is_stream, why, write_whole
from ..graphs.graph import Graph
from .backends import FORMATS as SCENE_FORMATS
from .backends import render
from .scene import Scene
from .theme import Theme


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A drawn model; a notebook shows it as SVG.

    Args:
        graph: the graph that it shows.
        scene: its shapes, in points.
        theme: their look.
        make_dot: makes `dot`.
        path: the file it was written to, if it was.
        ends: the sentences that its alternative text ends with; the totals if there are none.
        own_caption: the caption in the words of its author.
        own_alt_text: the alternative text in the words of its author.
    """

    graph: Graph
    scene: Scene
    theme: Theme
    make_dot: Callable[[], Any]
    path: Path | None = None
    ends: tuple[str, ...] = ()
    own_caption: str | None = None
    own_alt_text: str | None = None
    _made: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    @property
    def width(self) -> float:
        """In points, at its final size."""
        return self.scene.width

    @property
    def height(self) -> float:
        """In points, at its final size."""
        return self.scene.height

    @property
    def text_size(self) -> float:
        """The size of its smallest text, in points."""
        return self.scene.text_size

    @property
    def svg(self) -> str:
        if "svg" not in self._made:
            self._made["svg"] = self._rendered("svg").decode()
        return self._made["svg"]

    @property
    def pdf(self) -> bytes:
        return self._rendered("pdf")

    @property
    def eps(self) -> bytes:
        return self._rendered("eps")

    @property
    def tikz(self) -> str:
        r"""A `tikzpicture` to be read with `\\input`; `save("net.tex")` writes a whole document."""
        return self._rendered("tikz-fragment").decode()

    @property
    def dot(self) -> Any:
        """The graph as a `pydot.Dot`, which Graphviz lays out."""
        return self.make_dot()

    @property
    def mermaid(self) -> str:
        from .texts.mermaid import mermaid

        return mermaid(self.graph)

    @property
    def alt_text(self) -> str:
        """What it shows, in words, for who cannot see it."""
        from .texts.captions import described

        return described(self.graph, ends=self.ends) if self.own_alt_text is None else self.own_alt_text

    @property
    def caption(self) -> str:
        """What it shows and what is drawn as one, for under the figure."""
        from .texts.captions import caption

        return caption(self.graph) if self.own_caption is None else self.own_caption

    def statement(self) -> Graph:
        """Read back what the figure says, from its shapes: the network as a graph, with every repeat unfolded.

        Its nodes are the boxes, as many times as the figure says they are there, by the names of what they stand for;
        its edges are the lines, its outputs the arrows that lead out.
        """
        from .statements import statement

        return statement(self.scene, self.graph)

    def png(self, dpi: float = 200) -> bytes:
        return self._rendered("png", dpi)

    def html(self) -> str:
        """A page to explore it in a browser, in one file and with no network; it prints to the same figure.

        It can be moved, zoomed and searched, with the keyboard too; boxes tell what they are, closed blocks open.
        """
        from .page import page

        return page(self)

    def _rendered(self, format: str, dpi: float = 200) -> bytes:
        scene = replace(self.scene, title=self.scene.title or self.graph.name)
        if not scene.description:
            scene = replace(scene, description=self.alt_text)
        return render(scene, format, self.theme, dpi=dpi)

    @checks.public
    def save(
        self,
        path: str | os.PathLike[str],
        dpi: float = 200,
        *,
        format: str | None = None,
        text: Literal["text", "paths"] = "text",
    ) -> Figure:
        """Write the figure to a file, whole or not at all, or to a stream.

        A file that is replaced keeps its mode, owner and links.

        Args:
            path: where to; the ending says in which format: .svg, .pdf, .png, .eps, .jpg, .gif, .tex (a document),
                .tikz (for LaTeX's input), .drawio (for draw.io), .pptx (a slide), .html (to be explored), .dot, .gv,
                .mmd or .md (Mermaid); without one .png, to a stream .svg. `"-"` is standard output.
            dpi: dots per inch, for .png, .jpg and .gif.
            format: one of these endings, whatever the path ends with.
            text: how an .svg has its letters: as text, which can be searched and edited, or as paths, for programs
                that know no fonts in a file.

        Raises:
            ValueError: no such format.
            OSError: the file cannot be written.
            ModuleNotFoundError: a package that writes this format is not installed.
        """
        dpi = checks.number("dpi", dpi, above=0, below=1e6)
        return saved("path", self, path, dpi, format, checks.choice("text", text, ("text", "paths")))

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the figure as SVG; the page to explore it where it asks for that."""
        from .page import framed

        made = {"text/html": framed, "image/svg+xml": lambda figure: figure.svg, "text/plain": repr}
        wanted = {"image/svg+xml", "text/plain"} if include is None else set(include)
        return {kind: write(self) for kind, write in made.items() if kind in wanted - set(exclude or ())}

    def __repr__(self) -> str:
        where = "" if self.path is None else f", written to {str(self.path)!r}"
        return f"<Figure of {self.graph.name!r}, {len(self.graph.nodes)} boxes{where}>"


def _from_scene(format: str) -> Callable[[Figure, float], bytes]:
    return lambda figure, dpi: figure._rendered(format, dpi)


_DOT: Callable[[Figure, float], bytes] = lambda figure, dpi: figure.dot.to_string().encode()  # noqa: E731
FORMATS: Mapping[str, Callable[[Figure, float], bytes]] = {
    **{ending: _from_scene(name) for name, format in SCENE_FORMATS.items() for ending in format.endings},
    ".html": lambda figure, dpi: figure.html().encode(),
    ".dot": _DOT,
    ".gv": _DOT,
    ".mmd": lambda figure, dpi: figure.mermaid.encode(),
    ".md": lambda figure, dpi: f"```mermaid\n{figure.mermaid.rstrip()}\n```\n".encode(),
}


def destination(argument: str, path: Any, format: Any = None) -> tuple[Path, str]:
    """Where a figure can be written, and the ending that says in which format."""
    try:
        target = Path(os.fsdecode(path))
    except TypeError:
        raise checks.refuse(argument, path, "a path or None", TypeError) from None
    if format is not None:
        ending = "." + checks.text("format", format).lower().removeprefix(".")
        checks.choice("format", ending[1:], [known[1:] for known in FORMATS])
    else:
        ending = target.suffix.lower() or (".svg" if is_stream(target) else ".png")  # as Keras does
    if ending not in FORMATS:
        known = f"a path that ends with {', '.join(FORMATS)}"
        raise checks.refuse(argument, os.fspath(target), known + checks.nearest(ending, FORMATS))
    try:
        check_writable(target)
    except (OSError, ValueError) as error:
        raise _unwritable(argument, target, error) from None
    return target, ending


def _unwritable(argument: str, target: Path, error: OSError | ValueError) -> Exception:
    words = why(error) if isinstance(error, OSError) else str(error)
    return checks.complaint(f"{argument} {checks.one_line(os.fspath(target))} cannot be written: {words}", type(error))


def saved(argument: str, figure: Figure, path: Any, dpi: float = 200, format: Any = None, text: str = "text") -> Figure:
    """The figure, written to a file whole or not at all."""
    target, ending = destination(argument, path, format)
    if text == "paths" and ending != ".svg":
        raise checks.refuse("text", text, "'text' for any format but .svg")
    data = figure._rendered("svg-paths") if text == "paths" else FORMATS[ending](figure, dpi)
    try:
        write_whole(target, data)
    except OSError as error:
        raise _unwritable(argument, target, error) from error
    return replace(figure, path=target)
