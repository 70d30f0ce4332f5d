"""A scene as PNG, by matplotlib's Agg, from the outlines of the same font as the other pictures."""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from ...extras import needs
from ..fonts import Cut, Face
from ..scene import Scene
from ..theme import Theme
from ..venues import possible_dpi
from .marks import Letters, Shape, Step, Steps, marks


def png(scene: Scene, theme: Theme, face: Face, dpi: float) -> bytes:
    """A scene as an opaque PNG, which knows its resolution; lowered, with a warning, where it would be too large."""
    from PIL.PngImagePlugin import PngInfo

    words = PngInfo()
    for key, text in (("Title", scene.title), ("Description", scene.description)):
        if text:
            words.add_itxt(key, text.encode("utf-8", "replace").decode())
    picture, dpi = _painted(scene, theme, face, dpi)
    return _saved(picture, "PNG", dpi=(dpi, dpi), pnginfo=words)


def jpg(scene: Scene, theme: Theme, face: Face, dpi: float) -> bytes:
    """A scene as JPEG."""
    return _saved(_painted(scene, theme, face, dpi)[0], "JPEG", quality=95)


def gif(scene: Scene, theme: Theme, face: Face, dpi: float) -> bytes:
    """A scene as GIF."""
    return _saved(_painted(scene, theme, face, dpi)[0], "GIF")


def _saved(picture: Any, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def _painted(scene: Scene, theme: Theme, face: Face, dpi: float) -> tuple[Any, float]:
    """The picture, and its resolution."""
    import numpy as np
    from PIL import Image

    agg, transforms = (needs(f"matplotlib.{part}", extra="training") for part in ("backends.backend_agg", "transforms"))
    RendererAgg, Affine2D = agg.RendererAgg, transforms.Affine2D
    dpi, lowered = possible_dpi(scene.width, scene.height, dpi)
    if lowered:
        warnings.warn(lowered, stacklevel=3)
    wide, high = (max(1, round(side * dpi / 72)) for side in (scene.width, scene.height))
    renderer = RendererAgg(wide, high, dpi)
    paper = renderer.new_gc()
    paper.set_linewidth(0)
    sheet = (("M", ((0, 0),)), ("L", ((wide, 0),)), ("L", ((wide, high),)), ("L", ((0, high),)), ("Z", ()))
    renderer.draw_path(paper, _path(sheet), Affine2D(), (1.0, 1.0, 1.0))
    # y runs upwards
    across, up = wide / scene.width, high / scene.height
    page = Affine2D().scale(across, -up).translate(0, high)
    for mark in marks(scene, theme, face):
        if isinstance(mark, Letters):
            cut, scale = face.cut(mark.bold), mark.size / face.cut(mark.bold).units
            place = Affine2D().scale(scale * mark.stretch, -scale).translate(mark.x, mark.y) + page
            _draw(renderer, _line(cut, mark.text), place, Shape((), mark.colour))
        elif mark.steps:
            _draw(renderer, _path(mark.steps), page, mark)
    pixels = np.asarray(renderer.buffer_rgba())[..., :3]
    return Image.fromarray(np.ascontiguousarray(pixels)), dpi


def _draw(renderer: Any, path: Any, transform: Any, shape: Shape) -> None:
    look = renderer.new_gc()
    look.set_snap(False)
    look.set_joinstyle("round")
    look.set_capstyle("butt")
    look.set_foreground(shape.line or "#000000")
    look.set_linewidth(shape.width if shape.line else 0)
    if shape.dashes:
        look.set_dashes(0, list(shape.dashes))
    face = tuple(int(shape.fill[i : i + 2], 16) / 255 for i in (1, 3, 5)) if shape.fill else None
    if face or shape.line:
        renderer.draw_path(look, path, transform, face)


def _path(steps: Iterable[Step]) -> Any:
    """An outline for matplotlib, which simplifies nothing."""
    from matplotlib.path import Path

    codes = {"M": Path.MOVETO, "L": Path.LINETO, "C": Path.CURVE4, "Q": Path.CURVE3, "Z": Path.CLOSEPOLY}
    points: list[tuple[float, float]] = []
    kinds: list[int] = []
    for step, places in steps:
        points += places or ((0.0, 0.0),)
        kinds += [int(codes[step])] * (len(places) or 1)
    path = Path(points, kinds)
    path.should_simplify = False
    return path


def _line(cut: Cut, text: str) -> Any:
    """The outlines of a line of text, in units of the font."""
    steps: list[Step] = []
    x = 0
    for letter in text:
        for step, places in _glyph(cut, letter):
            steps.append((step, tuple((px + x, py) for px, py in places)))
        x += cut.advance(letter)
    return _path(steps or (("M", ((0.0, 0.0),)),))


@functools.lru_cache(maxsize=1024)
def _glyph(cut: Cut, letter: str) -> Steps:
    from fontTools.pens.basePen import decomposeQuadraticSegment

    steps: list[Step] = []
    for step, points in cut.outline(letter):
        if step == "qCurveTo":
            steps += _quadratic(points, decomposeQuadraticSegment)
        else:
            kind = {"moveTo": "M", "lineTo": "L", "curveTo": "C", "closePath": "Z", "endPath": "Z"}[step]
            steps.append((kind, points))
    return tuple(steps)


def _quadratic(points: Any, decompose: Callable[..., Any]) -> Iterable[Step]:
    """A chain of quadratic curves; one that has no corner (None at its end) is a whole outline."""
    if points[-1] is None:
        first, last = points[0], points[-2]
        middle = ((first[0] + last[0]) / 2, (first[1] + last[1]) / 2)
        yield "M", (middle,)
        points = (*points[:-1], middle)
    yield from (("Q", tuple(pair)) for pair in decompose(points))
