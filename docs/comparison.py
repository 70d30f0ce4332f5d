"""Compose the sheet of docs/comparison.md: `python docs/comparison.py FOLDER`.

FOLDER has what other programs drew of the same networks, as `plotneuralnet-unet.png`, `visualkeras-vgg16.png`, …; ours
are drawn anew. Each figure is as wide as one column of a paper, or as tall as the tallest of ours where it is longer.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.viz import diagram, points
from layerblocks.viz.fonts import face

SHEET = Path(__file__).parent / "comparison.png"
NETWORKS = {"unet": "U-Net", "vgg16": "VGG-16", "resnet18": "ResNet-18"}
OURS: dict[str, dict[str, Any]] = {"layerblocks": {}, "layerblocks, volumes": {"style": "volumes"}}
OTHERS = ("PlotNeuralNet", "visualkeras", "torchview")
_DPI, _GAP, _COLOURS = 110, 26, 256
_MISSING = {("torchview", "unet"): "(torchvision has no U-Net)"}


def ours(network: str, **arguments: Any) -> bytes:
    """A figure of ours in one column, of twice the pixels of the sheet."""
    with weightless():
        return diagram(build(network), width="ieee1", **arguments).png(dpi=2 * _DPI)


def sheet(folder: Path) -> Any:
    """The figures of every program, a row for each network."""
    from PIL import Image, ImageDraw, ImageFont

    wide = round(points("ieee1") / 72 * _DPI)
    rows = []
    for network in NETWORKS:
        drawn = {name: _fit(Image.open(io.BytesIO(ours(network, **how))), wide) for name, how in OURS.items()}
        high = max(picture.height for picture in drawn.values())
        for program in OTHERS:
            path = folder / f"{program.lower()}-{network}.png"
            if path.exists():
                drawn[program] = _fit(Image.open(path), wide, high)
        rows.append((network, high, drawn))
    columns = (*OURS, *OTHERS)
    head, title = 40, 30
    size = (_GAP + len(columns) * (wide + _GAP), head + sum(high + title + _GAP for _, high, _ in rows))
    made = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(made)
    large, small = (ImageFont.truetype(face().cut(bold).path, px) for bold, px in ((True, 17), (False, 15)))
    for place, program in enumerate(columns):
        pen.text((_GAP + place * (wide + _GAP), 12), program, "black", large)
    top = head
    for network, high, drawn in rows:
        pen.line((_GAP, top, size[0] - _GAP, top), "#B0B0B0")
        pen.text((_GAP, top + 6), NETWORKS[network], "#404040", small)
        for place, program in enumerate(columns):
            at = (_GAP + place * (wide + _GAP), top + title)
            if program in drawn:
                made.paste(drawn[program], at)
            else:
                pen.text(at, _MISSING.get((program, network), "(none)"), "#707070", small)
        top += high + title + _GAP
    return made.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def _fit(picture: Any, wide: int, high: int = 1 << 20) -> Any:
    """A picture at the width of a column, less where it would be taller than is said, on white."""
    from PIL import Image, ImageOps

    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.convert("RGBA").getchannel("A"))
    return ImageOps.contain(flat, (wide, high), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    sheet(Path(sys.argv[1])).save(SHEET, optimize=True)
    print(f"{SHEET.name}: {SHEET.stat().st_size:,} bytes")
