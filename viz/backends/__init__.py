"""From a scene to bytes: one module a format, and one line in `FORMATS`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ... import checks
from ..fonts import Face, face
from ..scene import Scene
from ..theme import DEFAULT, Theme
from . import eps, pdf, png, svg, tikz


@dataclass(frozen=True, slots=True)
class Format:
    """How a scene is written (`dpi` is for pixels alone), and the endings of such files."""

    write: Callable[[Scene, Theme, Face, float], bytes]
    endings: tuple[str, ...]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "svg": Format(svg.svg, (".svg",)),
        "pdf": Format(pdf.pdf, (".pdf",)),
        "png": Format(png.png, (".png",)),
        "eps": Format(eps.eps, (".eps",)),
        "jpg": Format(png.jpg, (".jpg", ".jpeg")),
        "gif": Format(png.gif, (".gif",)),
        "tikz": Format(tikz.standalone, (".tex",)),
        "tikz-fragment": Format(tikz.tikz, (".tikz",)),
    }
)


@checks.public
def render(
    scene: Scene,
    format: str,
    theme: Theme = DEFAULT,
    *,
    dpi: float = 200,
    font: str | os.PathLike[str] | None = None,
) -> bytes:
    """Write a scene as a file; the same scene gives the same bytes.

    Args:
        scene: what is drawn.
        format: `svg`, `pdf`, `png`, `eps`, `jpg`, `gif`, `tikz` (a document) or `tikz-fragment` (for `\\input`).
        theme: the look of each role.
        dpi: dots per inch, of pixels.
        font: a family or a file, see `face`; that of the theme if None.

    Raises:
        ValueError: there is no such format or font, or a length is no finite number above 0.
        TypeError: a length is not a number.
        ModuleNotFoundError: pixels are asked for, and matplotlib is not installed.

    >>> from layerblocks.viz.scene import Box
    >>> render(Scene(72, 36, (Box(1, 1, 70, 34, "conv"),)), "pdf")[:8]
    b'%PDF-1.7'
    """
    chosen = FORMATS[checks.choice("format", format, FORMATS)]
    dpi = checks.number("dpi", dpi, above=0)
    for side in ("width", "height"):
        checks.number(f"scene.{side}", getattr(scene, side), above=0)
    return chosen.write(scene, theme, face(theme.font if font is None else font), dpi)
