"""From a scene to bytes: one module a format."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from math import isfinite
from types import MappingProxyType

from ..._old_checks import choice
from ..fonts import Face, face
from ..scene import Scene
from ..theme import DEFAULT, Theme
from . import eps, pdf, png, svg, tikz

_Write = Callable[[Scene, Theme, Face, float], bytes]
_WRITERS: Mapping[str, _Write] = MappingProxyType(
    {
        "svg": lambda scene, theme, font, dpi: svg.svg(scene, theme, font),
        "pdf": lambda scene, theme, font, dpi: pdf.pdf(scene, theme, font),
        "png": lambda scene, theme, font, dpi: png.png(scene, theme, font, dpi),
        "eps": lambda scene, theme, font, dpi: eps.eps(scene, theme, font),
        "tikz": lambda scene, theme, font, dpi: tikz.standalone(scene, theme),
        "tikz-fragment": lambda scene, theme, font, dpi: tikz.tikz(scene, theme),
    }
)
FORMATS = tuple(_WRITERS)


def render(
    scene: Scene,
    format: str,
    theme: Theme = DEFAULT,
    *,
    dpi: float = 200,
    font: str | os.PathLike[str] | None = None,
) -> bytes:
    """A scene as a file; the same scene gives the same bytes.

    Args:
        scene: what is drawn.
        format: `svg`, `pdf`, `png`, `eps`, `tikz` (a document) or `tikz-fragment` (for `\\input`).
        theme: the look of each role.
        dpi: dots per inch of a PNG.
        font: a family or a file, see `face`; that of the theme if None.

    Raises:
        ValueError: there is no such format or font, or a length is not positive.
        TypeError: a length is not a number.

    >>> from layerblocks.viz.scene import Box
    >>> render(Scene(72, 36, (Box(1, 1, 70, 34, "conv"),)), "pdf")[:8]
    b'%PDF-1.7'
    """
    write = _WRITERS[choice("render", "format", format, FORMATS)]
    for argument, length in (("dpi", dpi), ("scene.width", scene.width), ("scene.height", scene.height)):
        if not isinstance(length, int | float):
            raise TypeError(f"render: {argument}={length!r}: it takes a number above 0")
        if not (isfinite(length) and length > 0):
            raise ValueError(f"render: {argument}={length!r}: it takes a number above 0")
    return write(scene, theme, face(theme.font if font is None else font), dpi)
