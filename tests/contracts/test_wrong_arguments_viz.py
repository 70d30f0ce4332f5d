"""Every public function of `graphs` and `viz` works with what it is given, or says in one line what is wrong."""

from __future__ import annotations

import dataclasses
import functools
import inspect

import keras
import numpy as np
import pytest

from layerblocks import graphs, viz

PACKAGES = (graphs, viz)
FUNCTIONS = {
    name: getattr(package, name)
    for package in PACKAGES
    for name in package.__all__
    if inspect.isroutine(getattr(package, name))
}


def network():
    x = y = keras.Input((8, 8, 3), name="image")
    for number in range(3):
        y = keras.layers.Conv2D(4, 3, padding="same", name=f"stage.block{number}.conv")(y)
        y = keras.layers.ReLU(name=f"stage.block{number}.activation")(y)
    y = keras.layers.Dense(2, name="head")(keras.layers.Flatten(name="flatten")(y))
    return keras.Model(x, y, name="net")


MODEL = network()
FUNCTIONS["figures"] = functools.partial(viz.figures, MODEL, MODEL)
BLOCKS = graphs.collapse(graphs.read_graph(MODEL))

# What each function is called with, when nothing is wrong.
CALLS = {
    **{name: {"graph": BLOCKS} for name in ("collapse", "fold", "fuse", "group", "kinds", "mermaid", "overview")},
    **{name: {"model": MODEL} for name in ("alt_text", "caption", "diagram", "model_to_dot", "read_graph")},
    **{name: {"model": MODEL} for name in ("rows", "table", "to_graphviz", "totals")},
    **{name: {"n": 9} for name in ("conv_out", "pool_out", "transposed_out")},
    **{name: {"a": BLOCKS.nodes[0], "b": BLOCKS.nodes[0]} for name in ("same_kind", "why_unequal")},
    **{name: {"model": MODEL} for name in ("min_input_size", "receptive_field")},
    **{name: {"node": next(n for n in BLOCKS.nodes if n.inner)} for name in ("opened", "status")},
    "compare": {"models": [MODEL]},
    "diff": {"a": MODEL, "b": MODEL},
    "figures": {},
    "plot_model": {"model": MODEL, "to_file": None},
    "knows": {"kinds": "somewhere.Layer"},
    "points": {"length": "8cm"},
}


class Thing:
    """Nothing that a figure is made of."""

    def __repr__(self):
        return "<a thing\nof two lines>"


WRONG = [
    *(None, True, False, -1, 0, 2, 10**30, 1.5, float("nan"), float("inf"), 1j, "", "x", "auto", b"x"),
    *([], (), {}, [1], ["x"], {"x": 1}, range(2), np.zeros(3), np.zeros((2, 2)), np.array([True]), np.int64(1)),
    *(Thing(), keras.layers.ReLU(), BLOCKS, BLOCKS.nodes[0], MODEL, viz.Theme()),
]
WORDS = [
    (name, word)
    for name, function in FUNCTIONS.items()
    for word, parameter in inspect.signature(function).parameters.items()
    if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
]
FLAGS = [
    (name, word)
    for name, word in WORDS
    if isinstance(inspect.signature(FUNCTIONS[name]).parameters[word].default, bool) and word != "zoom"
]
# What a message may say: what the argument must be, or with what a figure would fit.
TELLS = (
    "must be",
    "is not built",
    "see layerblocks.graphs.knows",
    "it would with",
    "did you mean",
    "there is no argument",
)

# What a field of the public dataclasses that a user makes may be, and what it may not.
_NAN, _INFINITE = float("nan"), float("inf")
_COLOURS = (("navy", "#FFF", "none", ""), ("blu", "#12345", "red\nblue", None, 3, _NAN, Thing()))
_GAPS = ((0, 2, np.float32(1.5)), (-1, _NAN, _INFINITE, 10**400, "1", None, True, Thing()))
_SIZES = ((0.5, 9, np.int64(7)), (0, *_GAPS[1]))
FIELDS = {
    **dict.fromkeys([(viz.Paint, "fill"), (viz.Paint, "line")], _COLOURS),
    (viz.Paint, "border"): (("dashed", "bold"), ("dahsed", "", None, 1, Thing())),
    (viz.Paint, "stripe"): (("zigzag", ""), ("zigzak", None, 0, Thing())),
    (viz.Paint, "width"): _GAPS,
    (viz.Theme, "font"): (("DejaVu Sans", "mine.ttf"), (None, 3, b"x", Thing())),
    **dict.fromkeys([(viz.Theme, word) for word in ("name_size", "text_size", "edge_size", "least_size")], _SIZES),
    **dict.fromkeys([(viz.Theme, word) for word in ("padding", "layer_gap", "side_gap", "arrow")], _GAPS),
    **dict.fromkeys([(viz.Theme, word) for word in ("edge", "edge_text", "frame")], _COLOURS),
    (viz.Theme, "page"): ((None, (960, 540)), (3, "a4", (1,), (0, 5), (1, _NAN), {"a": 1}, Thing())),
    (viz.Theme, "paints"): (({}, {"conv": viz.Theme().paint("pool")}), (None, 3, ["conv"], {"conv": "red"}, {1: None})),
}
NEEDED = {viz.Paint: {"fill": "#FFFFFF", "line": "red"}, viz.Theme: {}}


def test_every_public_function_is_here():
    assert FUNCTIONS.keys() == CALLS.keys()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no file is called "x"


@pytest.mark.parametrize(("name", "word"), WORDS)
def test_a_wrong_argument_is_named(name, word):
    for value in WRONG:
        if callable(value) and word in ("label", "style"):
            continue  # what a function of the caller's raises is the caller's
        try:
            FUNCTIONS[name](**{**CALLS[name], word: value})
        except (TypeError, ValueError, OSError) as error:
            said = str(error)
            where = f"{name}({word}={value!r}): {type(error).__name__}: {said}"
            assert said.startswith(f"{name}: "), where
            assert word in said or "does not fit" in said or "graphs.knows" in said, where
            assert any(tells in said for tells in TELLS) or isinstance(error, OSError), where
            assert "takes" not in said and said.isprintable() and len(said) < 700, where


@pytest.mark.parametrize(("name", "word"), FLAGS)
def test_only_yes_or_no_is_taken_for_it(name, word):
    for value in ("no", [], 1.0, np.zeros(3), Thing()):
        with pytest.raises(TypeError, match=f"^{name}: {word} must be True or False, got "):
            FUNCTIONS[name](**{**CALLS[name], word: value})
    for value in (True, False, 1, 0, np.bool_(1)):
        FUNCTIONS[name](**{**CALLS[name], word: value})


def test_every_field_is_here():
    assert set(FIELDS) == {(made, field.name) for made in NEEDED for field in dataclasses.fields(made)}


@pytest.mark.parametrize(("made", "field"), FIELDS)
def test_a_class_checks_what_it_is_given(made, field):
    right, wrong = FIELDS[made, field]
    for value in right:
        assert made(**{**NEEDED[made], field: value})
    for value in wrong:
        with pytest.raises((TypeError, ValueError), match=f"^{made.__name__}: {field}.* must be .*, got ") as error:
            made(**{**NEEDED[made], field: value})
        assert str(error.value).isprintable() and len(str(error.value)) < 700, value


def test_a_dataclass_that_is_made_over_is_checked_too():
    with pytest.raises(ValueError, match=r"^Paint: border must be .*did you mean 'dashed'.*, got 'dahsed'"):
        dataclasses.replace(viz.Theme().paint("conv"), border="dahsed")
    with pytest.raises(ValueError, match=r"^Theme: edge_size must be a finite number above 0, got nan"):
        dataclasses.replace(viz.Theme(), edge_size=float("nan"))
