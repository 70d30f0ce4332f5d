"""`pydot.Dot` and `graphviz.Source` that draw in process where there is no `dot` program."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from ..extras import needs
from ..files import write_whole
from .render import draw

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

    def _repr_svg_(self) -> str:
        return str(self.create(format="svg").decode())


class Source(_Source):
    """A `graphviz.Source` that draws in process where there is no `dot` program on the PATH.

    >>> Source("digraph { a -> b }").pipe(format="svg")[:5]
    b'<?xml'
    """

    def pipe(
        self,
        format: str | None = None,
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = False,
        *,
        engine: str | None = None,
        encoding: str | None = None,
    ) -> Any:
        others = {"renderer": renderer, "formatter": formatter, "neato_no_op": neato_no_op, "quiet": quiet}
        try:
            return super().pipe(format, engine=engine, encoding=encoding, **others)
        except graphviz.ExecutableNotFound:
            data = self._draw(format, renderer, formatter, engine)
            return data if encoding is None else data.decode(encoding)

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = False,
        quiet_view: bool = False,
        *,
        outfile: str | os.PathLike[str] | None = None,
        **others: Any,
    ) -> str:
        others |= {"renderer": renderer, "formatter": formatter, "neato_no_op": neato_no_op, "quiet": quiet}
        others |= {"view": view, "cleanup": cleanup, "quiet_view": quiet_view}
        try:
            return super().render(filename, directory=directory, format=format, outfile=outfile, **others)
        except graphviz.ExecutableNotFound:
            pass  # by now the arguments are checked and the source is saved
        if outfile is None:
            target = ".".join(filter(None, (self.filepath, formatter, renderer, format or self.format)))
        else:
            folder = Path() if directory is not None else Path(self.directory)
            target = os.fspath(folder / outfile)
            format = format or Path(outfile).suffix[1:]
        write_whole(target, self._draw(format, renderer, formatter, others.get("engine")))
        if cleanup:
            Path(self.filepath).unlink()
        if view or quiet_view:
            graphviz.view(target)
        return target

    def _draw(self, format: str | None, renderer: str | None, formatter: str | None, engine: str | None) -> bytes:
        wanted = ":".join(filter(None, (format or self.format, renderer, formatter)))
        return draw(self.source, wanted, engine or self.engine)
