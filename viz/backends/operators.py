"""The page description that PDF and EPS share, in PDF's operators, which an EPS defines for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .marks import Letters, Shape, number

_WORDS = {"M": "m", "L": "l", "C": "c", "Z": "h"}


def operators(
    found: Iterator[Shape | Letters], height: float, line_of_text: Callable[[Letters, float], str]
) -> Iterator[str]:
    """Lines of a page on which y runs upwards; `line_of_text` writes letters at a height."""
    yield "1 j"
    for mark in found:
        if isinstance(mark, Letters):
            if mark.colour:
                yield f"{colour(mark.colour)} rg {line_of_text(mark, height - mark.y)}"
            continue
        paints = {(True, True): "B", (True, False): "f", (False, True): "S"}
        paint = paints.get((bool(mark.fill), bool(mark.line)))
        if paint is None or not mark.steps:
            continue
        looks = [f"{colour(mark.fill)} rg"] if mark.fill else []
        if mark.line:
            dashes = " ".join(map(number, mark.dashes))
            looks += [f"{colour(mark.line)} RG {number(mark.width)} w [{dashes}] 0 d"]
        words = (
            " ".join([*(f"{number(x)} {number(height - y)}" for x, y in points), _WORDS[step]])
            for step, points in mark.steps
        )
        yield " ".join([*looks, *words, paint])


def colour(code: str) -> str:
    """`#rrggbb` as three numbers up to 1."""
    return " ".join(number(int(code[i : i + 2], 16) / 255) for i in (1, 3, 5))
