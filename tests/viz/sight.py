"""How figures are seen, after the papers and not after our code: contrast, lightness, and colours seen by the blind."""

from __future__ import annotations

# Machado, Oliveira and Fernandes (2009), doi:10.1109/TVCG.2009.113, severity 1; on linear light.
BLIND = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
# Of sRGB under D65 to XYZ (IEC 61966-2-1); the middle row is the luminance of WCAG 2.2.
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.95047, 1.0, 1.08883)


def linear(colour):
    """The light of `#rrggbb`, of each part from 0 to 1."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def times(rows, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in rows]


def wcag(one, other):
    """Contrast as WCAG 2.2 defines it, from 1 to 21."""
    low, high = sorted(times(XYZ, linear(colour))[1] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(light):
    """CIELAB of linear sRGB."""
    x, y, z = (
        (v / white) ** (1 / 3) if v / white > 0.008856 else 7.787 * v / white + 16 / 116
        for v, white in zip(times(XYZ, light), WHITE, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def lightness(colour):
    """What is left of a colour in grey, from 0 to 100."""
    return lab(linear(colour))[0]


def far(one, other, blind=None):
    """The difference of two colours in CIELAB (1976), as everybody sees it, or as one of `BLIND` does."""
    lights = map(linear, (one, other))
    if blind is not None:
        lights = ([min(max(part, 0), 1) for part in times(BLIND[blind], light)] for light in lights)
    return sum((a - b) ** 2 for a, b in zip(*map(lab, lights), strict=True)) ** 0.5
