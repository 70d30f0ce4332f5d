"""A drawn figure: rendered when it is asked for, in whichever format."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._old_checks import nearest, one_line
from ..files import check_writable, why, write_whole
from ..graphs.graph import Graph
from .backends import render
from .scene import Scene
from .theme import Theme


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A drawn model. A notebook shows it as SVG.

    Args:
        graph: the graph that it shows.
        scene: its shapes, in points.
        theme: their look.
        make_dot: makes `dot`.
        path: the file it was written to, if it was.
        ends: the sentences that its alternative text ends with; the totals if there are none.
    """

    graph: Graph
    scene: Scene
    theme: Theme
    make_dot: Callable[[], Any]
    path: Path | None = None
    ends: tuple[str, ...] = ()

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
        return self._rendered("svg").decode()

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

        return described(self.graph, ends=self.ends)

    @property
    def caption(self) -> str:
        """What it shows and what is drawn as one, for under the figure."""
        from .texts.captions import caption

        return caption(self.graph)

    def png(self, dpi: float = 200) -> bytes:
        return self._rendered("png", dpi)

    def _rendered(self, format: str, dpi: float = 200) -> bytes:
        scene = replace(self.scene, title=self.scene.title or self.graph.name)
        if not scene.description:
            scene = replace(scene, description=self.alt_text)
        return render(scene, format, self.theme, dpi=dpi)

    def save(self, path: str | os.PathLike[str], dpi: float = 200) -> Figure:
        """Write it to a file, whole or not at all.

        Args:
            path: where to; the ending says in which format: .svg, .pdf, .png, .eps, .jpg, .gif, .tex (a document),
                .tikz (for LaTeX's input), .dot, .gv, .mmd or .md (Mermaid).
            dpi: dots per inch, for .png, .jpg and .gif.

        Raises:
            ValueError: no such format.
            OSError: the file cannot be written.
        """
        check_dpi("save", dpi)
        return saved("save", "path", self, path, dpi)

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        where = "" if self.path is None else f", written to {str(self.path)!r}"
        return f"<Figure of {self.graph.name!r}, {len(self.graph.nodes)} boxes{where}>"


def _pixels(kind: str) -> Callable[[Figure, float], bytes]:
    def write(figure: Figure, dpi: float) -> bytes:
        from PIL import Image

        file = io.BytesIO()
        Image.open(io.BytesIO(figure.png(dpi))).convert("RGB").save(file, kind, quality=95)
        return file.getvalue()

    return write


FORMATS: Mapping[str, Callable[[Figure, float], bytes]] = {
    ".svg": lambda figure, dpi: figure.svg.encode(),
    ".pdf": lambda figure, dpi: figure.pdf,
    ".png": lambda figure, dpi: figure.png(dpi),
    ".eps": lambda figure, dpi: figure.eps,
    ".jpg": _pixels("JPEG"),
    ".jpeg": _pixels("JPEG"),
    ".gif": _pixels("GIF"),
    ".tex": lambda figure, dpi: figure._rendered("tikz"),
    ".tikz": lambda figure, dpi: figure.tikz.encode(),
    ".dot": lambda figure, dpi: figure.dot.to_string().encode(),
    ".gv": lambda figure, dpi: figure.dot.to_string().encode(),
    ".mmd": lambda figure, dpi: figure.mermaid.encode(),
    ".md": lambda figure, dpi: f"```mermaid\n{figure.mermaid.rstrip()}\n```\n".encode(),
}


def check_dpi(function: str, dpi: Any) -> None:
    if isinstance(dpi, bool) or not isinstance(dpi, int | float) or not 0 < dpi < 1e6:
        raise ValueError(f"{function}: dpi={one_line(dpi)}: it takes a number above 0")


def destination(function: str, argument: str, path: Any) -> Path:
    """The path, if a file of a known format can be made there."""
    try:
        target = Path(os.fsdecode(path))
    except TypeError:
        raise TypeError(f"{function}: {argument}={one_line(path)}: it takes a path or None") from None
    ending = target.suffix.lower() or ".png"  # as Keras does
    if ending not in FORMATS:
        raise ValueError(
            f"{function}: {argument}={str(path)!r}: no format has the ending {target.suffix!r}; "
            f"it takes {', '.join(FORMATS)}{nearest(ending, FORMATS)}"
        )
    try:
        check_writable(target)
    except OSError as error:
        raise type(error)(f"{function}: {argument}={str(path)!r} cannot be written: {why(error)}") from None
    return target


def saved(function: str, argument: str, figure: Figure, path: Any, dpi: float = 200) -> Figure:
    """The figure, written to a file whole or not at all."""
    target = destination(function, argument, path)
    data = FORMATS[target.suffix.lower() or ".png"](figure, dpi)
    try:
        write_whole(target, data)
    except OSError as error:
        raise type(error)(f"{function}: {argument}={str(path)!r} cannot be written: {why(error)}") from error
    return replace(figure, path=target)
