"""What must hold of every drawn figure, checked from its geometry."""

from __future__ import annotations

from itertools import combinations

from layerblocks.viz.fonts import face
from layerblocks.viz.overlaps import crosses
from layerblocks.viz.rectangles import Rect
from layerblocks.viz.scene import Box, Path, Scene, Text

PAGE = (3.5 * 72, 9 * 72)  # points: a column of a paper


def box_rect(box: Box) -> Rect:
    return Rect(box.x, box.y, box.x + box.width, box.y + box.height)


def text_rect(text: Text, font: str | None = None) -> Rect:
    width = face(font).width(text.text, text.size, text.bold)
    assert abs(width - text.width) < 0.01, f"{text.text!r} is said to be {text.width} wide, and is {width}"
    left = {"start": text.x, "middle": text.x - width / 2, "end": text.x - width}[text.anchor]
    return Rect(left, text.y - 0.73 * text.size, left + width, text.y + 0.2 * text.size)


def points(path: Path) -> list[tuple[float, float]]:
    """The line as short straight steps."""
    found = [path.start]
    for step in path.steps:
        if len(step) == 1:
            found.append(step[0])
            continue
        (ax, ay), ((bx, by), (cx, cy), (dx, dy)) = found[-1], step
        for i in range(1, 13):
            t, u = i / 12, 1 - i / 12
            found.append(
                (
                    u**3 * ax + 3 * u * u * t * bx + 3 * u * t * t * cx + t**3 * dx,
                    u**3 * ay + 3 * u * u * t * by + 3 * u * t * t * cy + t**3 * dy,
                )
            )
    return found


def named(scene: Scene) -> dict[str, Rect]:
    """The boxes that stand for nodes."""
    found = [item for item in scene.items if isinstance(item, Box) and item.name]
    assert len({box.name for box in found}) == len(found), "two boxes have one name"
    return {box.name: box_rect(box) for box in found}


def texts_in(scene: Scene, name: str) -> list[str]:
    """What stands in a box."""
    box = named(scene)[name]
    return [t.text for t in scene.items if isinstance(t, Text) and box.holds(text_rect(t), 0.6)]


def labels(scene: Scene) -> list[str]:
    return [t.text for t in scene.items if isinstance(t, Text) and t.role == "edge"]


def check_scene(scene: Scene, least: float = 6.0, curved: bool = False) -> None:
    """Nothing overlaps, sticks out, or is run through; `curved` lines may touch labels."""
    page = Rect(0, 0, scene.width, scene.height)
    boxes = {f"box {name}": rect for name, rect in named(scene).items()}
    for i, item in enumerate(scene.items):
        if isinstance(item, Box) and not item.name and item.role == "panel":
            boxes[f"panel {i}"] = box_rect(item)
    inside = {name: rect for name, rect in boxes.items() if name.startswith("box")}
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        assert not a.overlaps(b, 0.01), f"{one} lies on {other}"
    texts = [(item, text_rect(item)) for item in scene.items if isinstance(item, Text)]
    lines = [
        (item, points(item))
        for item in scene.items
        if isinstance(item, Path) and not item.role.endswith(("-mark", "-volume"))
    ]
    for item in scene.items:
        if isinstance(item, Box):
            assert page.holds(box_rect(item), 0.01), f"{item} is off the page"
    for text, rect in texts:
        assert text.size >= least - 1e-6, f"{text.text!r} is {text.size} points"
        assert text.text.strip(), "an empty text"
        assert page.holds(rect, 0.3), f"{text.text!r} is off the page"
        holding = [name for name, box in inside.items() if box.holds(rect, 0.6)]
        for name, box in inside.items():
            assert name in holding or not box.overlaps(rect, 0.3), f"{text.text!r} lies across the edge of {name}"
        assert len(holding) <= 1
    for (a, one), (b, other) in combinations(texts, 2):
        assert not one.overlaps(other, 0.3), f"{a.text!r} lies on {b.text!r}"
    for line, way in lines:
        for x, y in way:
            assert page.holds(Rect(x, y, x, y), 0.3), f"a {line.role} is off the page"
        for name, box in inside.items():
            assert not crosses(way, box.shrunk(0.8)), f"a {line.role} runs through {name}"
        if not curved:
            for text, rect in texts:
                assert not crosses(way, rect.shrunk(0.4)), f"a {line.role} runs through {text.text!r}"


def effective_text(scene: Scene) -> float:
    """The size of the smallest text when the figure is scaled down to fit a column."""
    return scene.text_size * min(1, PAGE[0] / scene.width, PAGE[1] / scene.height)
