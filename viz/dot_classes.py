"""`pydot.Dot` and `graphviz.Source` that draw in process where there is no `dot` program."""

from __future__ import annotations

import functools
import inspect
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..extras import needs
from ..files import write_whole
from .dot_rendering import draw

pydot, graphviz = needs("pydot", extra="dot"), needs("graphviz", extra="dot")
_Dot: Any = pydot.Dot
_Source: Any = graphviz.Source

ENGINES = ("dot", "neato", "fdp", "sfdp", "twopi", "circo", "osage", "patchwork")


class Dot(_Dot):
    """A `pydot.Dot` that draws in process where there is no `dot` program on the PATH.

    >>> Dot("G", graph_type="digraph").create_svg()[:5]
    b'<?xml'
    """

    def create(self, prog: Any = None, format: str = "ps", encoding: str | None = None) -> Any:
        engine = self.prog if prog is None else prog
        if engine not in ENGINES or shutil.which(engine):
            return super().create(prog, format, encoding)
        return draw(self.to_string(), format, engine)

    def write(self, path: Any, prog: Any = None, format: str = "raw", encoding: str | None = None) -> bool:
        text = format == "raw"
        write_whole(path, self.to_string().encode(encoding or "utf-8") if text else self.create(prog, format, encoding))
        return True

    def splitlines(self, keepends: bool = False) -> list[str]:
        """The lines of the graph, as `graphviz.Source` reads them of a text: it can be given the graph itself."""
        return self.to_string().splitlines(keepends)

    def _repr_svg_(self) -> str:
        return str(self.create(format="svg").decode())


class Source(_Source):
    """A `graphviz.Source` that draws in process where there is no `dot` program on the PATH.

    >>> Source("digraph { a -> b }").pipe(format="svg")[:5]
    b'<?xml'
    """

    @functools.wraps(_Source.pipe)
    def pipe(self, *args: Any, **options: Any) -> Any:
        try:
            return super().pipe(*args, **options)
        except graphviz.ExecutableNotFound:
            asked = _bound(_Source.pipe, self, *args, **options)
            data = self._draw(asked)
            return data if asked["encoding"] is None else data.decode(asked["encoding"])

    @functools.wraps(_Source.render)
    def render(self, *args: Any, **options: Any) -> str:
        try:
            return super().render(*args, **options)
        except graphviz.ExecutableNotFound:  # by now the arguments are checked and the source is saved
            asked = _bound(_Source.render, self, *args, **options)
        outfile = asked["outfile"]
        if outfile is None:
            asked["format"] = asked["format"] or self.format
            target = ".".join(filter(None, (self.filepath, asked["formatter"], asked["renderer"], asked["format"])))
        else:
            folder = Path() if asked["directory"] is not None else Path(self.directory)
            target = os.fspath(folder / outfile)
            asked["format"] = asked["format"] or Path(outfile).suffix[1:]
        write_whole(target, self._draw(asked))
        if asked["cleanup"]:
            Path(self.filepath).unlink()
        if asked["view"] or asked["quiet_view"]:
            graphviz.view(target)
        return target

    def _draw(self, asked: Mapping[str, Any]) -> bytes:
        wanted = ":".join(filter(None, (asked["format"] or self.format, asked["renderer"], asked["formatter"])))
        return draw(self.source, wanted, asked["engine"] or self.engine)


def _bound(function: Callable[..., Any], *args: Any, **options: Any) -> dict[str, Any]:
    """The arguments of a call by name, those that were not given too."""
    bound = inspect.signature(function).bind(*args, **options)
    bound.apply_defaults()
    return bound.arguments
