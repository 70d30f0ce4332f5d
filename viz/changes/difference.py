"""What changed between two models: by structure, whatever their layers are called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ... import checks
from ...graphs.graph import Graph, Node, leaves
from ...graphs.overviews import overview
from ...graphs.reader import graph_of
from ..texts.layer_labels import describe, work_text
from ..texts.table import check_words
from ..texts.table_formats import FORMATS, Cell, Sheet, write
from ..theme import Paint, theme_of
from .changes import Change, find_changes, status

SIGNS: Mapping[str, str] = {"added": "+", "removed": "−", "changed": "≠", "unclear": "?", "kept": ""}
# Told apart by outline and stripe where there is no colour.
PAINTS: Mapping[str, Paint] = {
    "added": Paint("#D3EEE4", "#007A59", width=1.4, stripe="solid"),
    "removed": Paint("#FBE3D3", "#D55E00", "dashed", width=1.2, stripe="cross"),
    "changed": Paint("#FDEFCF", "#B87900", width=1.8, stripe="zigzag"),
    "unclear": Paint("#F1ECF6", "#6B4E8F", "dotted", width=1.4),
    "kept": Paint("#FFFFFF", "#8C8C8C"),
}
_VERBS = {"unclear": "that cannot be compared"}
_MOST_NAMES = 3
_MINOR = ("norm", "activation", "dropout", "shape")  # layers that come with others


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What changed between two models. False if nothing did for certain; a notebook shows the figure.

    Args:
        before: the layers of the first model.
        after: those of the second.
        changes: what is not the same, in the order of the layers.
        layers: both in one graph: the second, and in it what only the first has. `status` says of a node whether it is
            added, removed, changed, unclear or kept.
        depth, max_boxes, fold: how the figure is drawn together.
    """

    before: Graph
    after: Graph
    changes: tuple[Change, ...]
    layers: Graph
    depth: Literal["auto"] | int | None = "auto"
    max_boxes: int = 40
    fold: bool = True

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def graph(self) -> Graph:
        """Both models in one graph, drawn together to blocks."""
        return overview(self.layers, self.depth, self.max_boxes, fold=self.fold)

    def __repr__(self) -> str:
        return f"<Difference: {self.summary}>"

    @property
    def summary(self) -> str:
        """One sentence: how much changed, what, and what it costs."""
        names = f"{self.before.name} and {self.after.name}"
        if not self:
            trained = [graph.trainable_parameters for graph in (self.before, self.after)]
            more = (
                ""
                if trained[0] == trained[1]
                else f"; trained parameters {_number(trained[0])} → {_number(trained[1])}"
            )
            return f"{names} have the same structure{more}."
        found: dict[str, list[Change]] = {status: [] for status in ("changed", "unclear", "added", "removed")}
        for change in self.changes:
            found[change.status].append(change)
        parts = [
            f"{_count_of(changes)} {_VERBS.get(status, status)}"
            + (f" ({_attributes(changes)})" if status in ("changed", "unclear") else "")
            for status, changes in found.items()
            if changes
        ]
        costs = [
            f"{what} {was} → {now}" if was != now or "≥" in was else f"{what} {now} as before"
            for what, was, now in (
                ("parameters", _number(self.before.parameters), _number(self.after.parameters)),
                ("multiply-adds", _work(self.before), _work(self.after)),
            )
        ]
        return f"From {self.before.name} to {self.after.name}: {', '.join(parts)}; {'; '.join(costs)}."

    @checks.public
    def table(self, format: str = "text", *, caption: str = "", label: str = "") -> str:
        """The changes, a row for all that are the same (in csv for each).

        Args:
            format: text, markdown, latex (no wider than its column; it needs booktabs and graphicx), csv or html.
            caption: for latex and html.
            label: to refer to the table by, in latex and html.

        Raises:
            ValueError: no such format, or a label that LaTeX could not take.
        """
        format = checks.choice("format", format, FORMATS)
        check_words(caption, label)
        same: dict[object, list[Change]] = defaultdict(list)
        for number, change in enumerate(self.changes):
            same[number if format == "csv" else (change.status, change.words)].append(change)
        body: list[tuple[Cell, ...]] = [
            (changes[0].status, _names(changes), changes[0].words, _more(sum(c.parameters for c in changes), format))
            for changes in same.values()
        ]
        total = self.after.parameters - self.before.parameters
        heads = ("change", "where", "what", "parameters")
        follows = total - sum(change.parameters for change in self.changes)
        foot = [("total", "", "", _more(total, format))]
        if follows:
            foot.insert(0, ("kept", "layers that get another input", "", _more(follows, format)))
        return write(Sheet(heads, tuple(body), tuple(foot), frozenset([3]), caption, label), format)

    def figure(self, **options: Any) -> Any:
        """The second model with what was removed still in it, drawn by `diagram`.

        What is new has a `+` and a bold outline, what is gone a `−` and a dashed one, what changed a `≠`, the boldest
        outline, and what changed in it; what cannot be compared a `?`, a dotted outline, and why; the rest is plain.

        Args:
            options: those of `diagram`; `depth`, `max_boxes` and `fold` are those given to `diff` unless told.
        """
        from ..diagrams import diagram

        theme = theme_of("theme", options.pop("theme", None), options.pop("font", None))
        theme = replace(theme, paints={**PAINTS, **theme.paints})
        given = {
            "depth": self.depth,
            "max_boxes": self.max_boxes,
            "fold": self.fold,
            "style": lambda node: theme.paint(status(node)),
            "label": _said,
            **options,
        }
        figure = diagram(self.layers, theme=theme, **given)
        title = f"From {self.before.name} to {self.after.name}"
        return replace(figure, scene=replace(figure.scene, title=title), ends=(self.summary,))

    def _repr_svg_(self) -> Any:
        return self.figure()._repr_svg_()


@checks.public
def diff(
    a: Any, b: Any, *, depth: Literal["auto"] | int | None = "auto", max_boxes: int = 40, fold: bool = True
) -> Difference:
    """What changed from one model to another: layers new, gone or made otherwise, and wired otherwise.

    Layers are matched by what they are and how they are wired; their whole configuration counts. Names do not, nor do
    the values of weights, what is trained, and shapes that only follow from a change before. What nobody can tell of,
    such as two lambdas, is a change of status "unclear" that says why.

    Args:
        a: the model before: a built Keras model, a `.keras`, `.h5` or `.json` file of one, or a graph of its layers.
        b: the model after.
        depth: of the figure: 1 for outermost blocks, 2 for one level further in, …; None for layers; "auto" for the
            deepest level that has at most `max_boxes` boxes.
        max_boxes: how many boxes "auto" may take.
        fold: whether equal neighbours become one box of the figure.

    Raises:
        TypeError, ValueError: one is no built Keras model; or `depth` is none.

    >>> import keras
    >>> def net(filters):
    ...     x = keras.Input((8, 8, 3))
    ...     y = keras.layers.Conv2D(filters, 3, name="stem.conv")(x)
    ...     return keras.Model(x, keras.layers.Dense(2, name="head")(keras.layers.Flatten()(y)), name=f"net{filters}")
    >>> changes = diff(net(4), net(6))
    >>> print(changes.table())
    change   where                          what           parameters
    changed  stem.conv                      filters 4 → 6         +56
    kept     layers that get another input                       +144
    total                                                        +200
    >>> changes.summary
    'From net4 to net6: 1 layer changed (filters); parameters 402 → 602; multiply-adds 4,176 → 6,264.'
    >>> bool(diff(net(4), net(4)))
    False
    """
    depth, max_boxes = checks.depth_or_auto(depth), checks.integer("max_boxes", max_boxes)
    fold = checks.flag("fold", fold)
    before, after = graph_of(a, "a"), graph_of(b, "b")
    return Difference(before, after, *find_changes(before, after), depth, max_boxes, fold)


# -- words ------------------------------------------------------------------------------------------------------------


def _count_of(changes: Sequence[Change]) -> str:
    """`1 layer`, `2 blocks`, `1 block and 3 layers`."""
    blocks = sum(node.kind == "Block" for change in changes if (node := change.after or change.before))
    counts = ((blocks, "block"), (len(changes) - blocks, "layer"))
    return " and ".join(f"{n} {word}{'s' if n > 1 else ''}" for n, word in counts if n)


def _attributes(changes: Sequence[Change]) -> str:
    return ", ".join(dict.fromkeys(name.replace("_", " ") for change in changes for name, _, _ in change.details))


def _number(count: int) -> str:
    return f"{count:,}"


def _work(graph: Graph) -> str:
    done = work_text(graph.work)
    return "unknown" if done == "?" else done


def _more(count: int, format: str) -> Cell:
    return count if format == "csv" else f"{count:+,}".replace("-", "−") if count else "0"


def _names(changes: Sequence[Change]) -> str:
    names = [change.name for change in changes]
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: _MOST_NAMES - 1])}, …, {names[-1]} ({len(names)})"


def _said(node: Node) -> list[str] | None:
    """The lines of a box in the figure; None for the usual."""
    own_status = status(node)
    if own_status == "kept":
        return None
    name = f"{SIGNS[own_status]} {node.name}"
    if own_status not in ("changed", "unclear"):
        return [name, describe(node), *([f"{node.parameters:,} params"] if node.parameters else [])]
    changed = [layer for layer in leaves(node) if layer.get("status", "kept") != "kept"]
    telling = [layer for layer in changed if layer.get("change") or layer.role not in _MINOR]
    found: dict[tuple[str, str], list[Node]] = defaultdict(list)
    for layer in telling or changed:
        change = layer.get("change")
        found["" if change else SIGNS[status(layer)], str(change or describe(layer))].append(layer)
    lines = [_line(sign, text, layers, len(node.path)) for (sign, text), layers in found.items()]
    rest = len(lines) - _MOST_NAMES
    return [name, *lines[:_MOST_NAMES], *([f"and {rest} more"] if rest > 0 else [])]


def _line(sign: str, text: str, layers: Sequence[Node], depth: int) -> str:
    """`conv1: strides 2 → 1`, `3 × strides 2 → 1`, `+ 3×3 conv, 256`."""
    if len(layers) > 1:
        return f"{sign} {len(layers)} × {text}".strip()
    inside = layers[0].path[depth : depth + 1]
    return f"{sign} {text}" if sign else f"{inside[0]}: {text}" if inside else text
