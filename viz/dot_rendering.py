"""From DOT to bytes, by the Graphviz inside the pygraphviz wheel: no `dot` program is needed."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..extras import needs
from .venues import INCH, possible_dpi

_ONE_AT_A_TIME = threading.Lock()  # Graphviz keeps global state, and file descriptor 2 belongs to everybody
_STACK = 128 * 2**20  # Graphviz recurses as deep as the network; this is address space, used as far as needed
_PIXELS = ("png", "jpg", "jpeg", "jpe", "gif")
_LONG_AGO = b"/CreationDate (D:19700101000000Z)"


def draw(source: str, format: str, engine: str = "dot") -> bytes:
    """Lay out a graph in DOT and render it, in this process; the same source gives the same bytes.

    Args:
        source: the graph, in DOT.
        format: what Graphviz calls the output format: `svg`, `pdf`, `png`, `eps:cairo` …
        engine: the layout engine.

    Raises:
        RuntimeError: Graphviz refuses; with what it said.
        OSError: this machine has no font, so that all text would be missing. SVG does not need one.

    >>> draw("digraph { a -> b }", "png")[1:4]
    b'PNG'
    """
    kind = format.split(":")[0]
    if (kind in (*_PIXELS, "pdf") or "cairo" in format) and not _has_font():
        raise OSError(
            f"Graphviz finds no font on this machine, so a {kind} would have no text: "
            "install one (on Debian: apt install fonts-dejavu-core), or write .svg"
        )
    return _draw(source, format, engine)


def _draw(source: str, format: str, engine: str) -> bytes:
    gv = needs("pygraphviz.graphviz", extra="dot")  # here, as in another thread nobody knows which function is called
    notes: list[str] = []
    with _ONE_AT_A_TIME:
        data, said = _with_deep_stack(lambda: _quietly(lambda: _in_process(gv, source, format, engine, notes)))
    for line in (*notes, *(f"Graphviz: {line}" for line in said)):
        warnings.warn(line, stacklevel=3)
    if isinstance(data, Exception):
        raise RuntimeError(f"Graphviz could not draw this as {format!r}: {data}") from data
    return _undated(data)


def _undated(data: bytes) -> bytes:
    """A PDF or an EPS without the time of its making, which would make every file another."""
    if data.startswith(b"%!PS"):
        return re.sub(rb"(?<=%%CreationDate: )[^\r\n]*", b"Thu Jan  1 00:00:00 1970", data)
    found = re.search(rb"/CreationDate \(D:[^)]*\)", data) if data.startswith(b"%PDF") else None
    if found is None:
        return data
    longer = len(found[0]) - len(_LONG_AGO)  # by a time zone; what follows moves, and the table of places with it
    data = data[: found.start()] + _LONG_AGO + data[found.end() :]
    table = data.rindex(b"\nxref")

    def moved(place: re.Match[bytes]) -> bytes:
        old = int(place[0])
        return b"%0*d" % (len(place[0]), old - longer if old > found.start() else old)

    return data[:table] + re.sub(rb"\d{10}(?= \d{5} n)|(?<=startxref\n)\d+", moved, data[table:])


@functools.cache
def _has_font() -> bool:
    return b"/Font" in _draw("digraph { a }", "pdf", "dot")


def _in_process(gv: Any, source: str, format: str, engine: str, notes: list[str]) -> bytes:
    with tempfile.TemporaryFile("w+b") as file:
        file.write(source.encode())
        file.seek(0)
        graph = gv.agread(file, None)
    if format.split(":")[0] not in _PIXELS:
        gv.agsafeset(graph, b"dpi", b"72", b"")  # else Graphviz magnifies what is measured in points
    context = gv.gvContextWithBuiltins()
    try:
        _lay_out(gv, context, graph, engine)
        if format.split(":")[0] in _PIXELS:
            _fit_pixels(gv, context, graph, engine, notes)
        try:
            return _rendered(gv, context, graph, format)
        finally:
            gv.gvFreeLayout(context, graph)
    finally:
        gv.agclose(graph)
        gv.gvFreeContext(context)


def _lay_out(gv: Any, context: Any, graph: Any, engine: str) -> None:
    if gv.gvLayout(context, graph, engine.encode()):
        raise ValueError(f"the layout engine {engine!r} failed")


def _rendered(gv: Any, context: Any, graph: Any, format: str) -> bytes:
    found = gv.gvRenderData(context, graph, format.encode())
    if not isinstance(found, list | tuple) or found[0]:
        raise ValueError("rendering failed")
    return bytes(found[1])


def _fit_pixels(gv: Any, context: Any, graph: Any, engine: str, notes: list[str]) -> None:
    """Lower the resolution of a picture that would be cut off, and say so."""
    _, _, width, height = _rendered(gv, context, graph, "plain").split(b"\n")[0].split()
    wide, high = ((float(side) + 0.2) * INCH for side in (width, height))  # with a margin
    dpi, lowered = possible_dpi(wide, high, float(gv.agget(graph, b"dpi") or 96))
    if lowered:
        notes.append(lowered)
        gv.gvFreeLayout(context, graph)
        gv.agsafeset(graph, b"dpi", f"{dpi:.4g}".encode(), b"")
        _lay_out(gv, context, graph, engine)


def _with_deep_stack(work: Callable[[], Any]) -> Any:
    """Run in a thread whose stack does not depend on the machine."""
    found: list[Any] = []
    before = threading.stack_size(_STACK)
    try:
        thread = threading.Thread(target=lambda: found.append(work()))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    return found[0]


def _quietly(work: Callable[[], bytes]) -> tuple[bytes | Exception, list[str]]:
    """What the work returns, or the error that it or Graphviz raises, and the warnings that Graphviz wrote.

    What Fontconfig says of the machine's configuration is dropped. What else arrives at standard error meanwhile is
    passed on: it is another thread's.
    """
    data: bytes | Exception
    with _standard_error() as lines:
        try:
            data = work()
        except Exception as error:
            data = error
    said, others = _messages(lines)
    if others:
        os.write(2, "".join(f"{line}\n" for line in others).encode())
    errors = [text for kind, text in said if kind == "Error"]
    if errors or isinstance(data, Exception):
        data = ValueError("; ".join(errors) or str(data))
    return data, [text for kind, text in said if kind == "Warning"]


def _messages(lines: Iterable[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Graphviz's own messages, which may go on for some lines, and the lines before them."""
    said: list[tuple[str, str]] = []
    others = []
    for line in lines:
        kind, colon, text = line.partition(": ")
        if colon and kind in ("Error", "Warning"):
            said.append((kind, text))
        elif line.startswith("Fontconfig ") or not line:
            continue
        elif said:
            said[-1] = (said[-1][0], f"{said[-1][1]} {line}")
        else:
            others.append(line)
    return said, others


@contextlib.contextmanager
def _standard_error() -> Iterator[list[str]]:
    lines: list[str] = []
    try:
        saved = os.dup(2)
    except OSError:  # closed: nothing to see
        yield lines
        return
    with tempfile.TemporaryFile() as caught:
        _flush()
        os.dup2(caught.fileno(), 2)
        try:
            yield lines
        finally:
            _flush()
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            lines.extend(caught.read().decode(errors="replace").splitlines())


def _flush() -> None:
    with contextlib.suppress(Exception):  # it may be closed, or none at all
        sys.stderr.flush()
