"""From a scene to bytes: one module a format, and one line in `FORMATS`."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ... import checks
from ..fonts import Face, face, missing
from ..scene import Scene, Text
from ..theme import DEFAULT, Theme


@dataclass(frozen=True, slots=True)
class Format:
    """The function that writes a scene, as `module.function` of this folder, and the endings of such files."""

    writer: str
    endings: tuple[str, ...]

    @property
    def write(self) -> Callable[[Scene, Theme, Face, float], bytes]:
        """The function of a scene, a theme, a font and the dots per inch of pixels; imported when first used."""
        module, _, function = self.writer.partition(".")
        return getattr(importlib.import_module(f".{module}", __name__), function)


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "svg": Format("svg.svg", (".svg",)),
        "svg-paths": Format("svg.svg_paths", ()),
        "pdf": Format("pdf.pdf", (".pdf",)),
        "png": Format("png.png", (".png",)),
        "eps": Format("eps.eps", (".eps",)),
        "jpg": Format("png.jpg", (".jpg", ".jpeg")),
        "gif": Format("png.gif", (".gif",)),
        "drawio": Format("drawio.drawio", (".drawio",)),
        "pptx": Format("pptx.pptx", (".pptx",)),
        "tikz": Format("tikz.standalone", (".tex",)),
        "tikz-fragment": Format("tikz.tikz", (".tikz",)),
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
        format: `svg`, `svg-paths` (letters as outlines), `pdf`, `png`, `eps`, `jpg`, `gif`, `tikz` (a document),
            `tikz-fragment` (for `\\input`), `drawio` or `pptx`.
        theme: the look of each role.
        dpi: dots per inch, of pixels.
        font: a family or a file, see `face`; that of the theme if None.

    Raises:
        ValueError: there is no such format or font, or a length is no finite number above 0.
        TypeError: a length is not a number.
        ModuleNotFoundError: pixels are asked for, and matplotlib is not installed.

    >>> from layerblocks.viz.scene import Box
    >>> render(Scene(72, 36, (Box(1, 1, 70, 34, "conv"),)), "pdf")[:8]
    b'%PDF-1.5'
    """
    chosen = FORMATS[checks.choice("format", format, FORMATS)]
    dpi = checks.number("dpi", dpi, above=0)
    for side in ("width", "height"):
        checks.number(f"scene.{side}", getattr(scene, side), above=0)
    letters = face(theme.font if font is None else font)
    boxes = missing(letters, (item.text for item in scene.items if isinstance(item, Text)))
    if boxes:
        what = f"no font of this machine has {checks.one_line(boxes)}: drawn as boxes; font= takes a file that has them"
        warnings.warn(f"{checks.where()}: {what}", stacklevel=3)
    return chosen.write(scene, theme, letters, dpi)
