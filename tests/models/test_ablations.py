"""Grids of an ablation: what their cells are, what their tables say, and what they refuse."""

from __future__ import annotations

import csv
import io
import re
from functools import partial
from types import SimpleNamespace

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.architectures import cifar_resnet20, resnet18
from layerblocks.blocks import (
    batch_norm,
    classifier,
    conv_bn,
    depthwise_separable,
    group_norm,
    layer_norm,
    projection_shortcut,
    separable,
    squeeze_excite,
    stochastic_depth,
    weightless,
)
from layerblocks.models import Grid, grid, pareto
from layerblocks.testing import check_net

from ..agreement import multiply_adds

NORMS = {"batch_norm": batch_norm, "layer_norm": layer_norm, "group_norm(groups=8)": partial(group_norm, groups=8)}
ACTIVATIONS = ["relu", "gelu", "silu"]
UNITS = {"conv_bn": conv_bn, "separable": separable, "depthwise_separable": depthwise_separable}
WORDS = {
    "norm": ["batch_norm", "layer_norm", ("group_norm", {"groups": 8})],
    "activation": ACTIVATIONS,
    "conv": [*UNITS],
}


TWO = {"conv_bn": conv_bn, "separable": partial(separable, norm=batch_norm)}


@pytest.fixture(scope="module")
def cells():
    return grid(resnet18, **WORDS)


def by_hand(norm, activation, conv):
    unit = UNITS[conv]
    options = {"norm": NORMS[norm], "activation": activation}
    unit = partial(unit, conv=partial(conv_bn, **options)) if unit is depthwise_separable else partial(unit, **options)
    with weightless():
        return resnet18(conv=unit)


def test_three_by_three_by_three(cells):
    """Each number of the table is that of the model built by hand; group norm cannot stand on three channels."""
    assert len(cells) == 27
    rows = {(r["norm"], r["activation"], r["conv"]): r for r in csv.DictReader(io.StringIO(cells.table("csv")))}
    assert len(rows) == 27
    for (norm, activation, conv), row in rows.items():
        if norm.startswith("group") and conv == "depthwise_separable":
            assert "groups must be a divisor of the 3 channels" in row["parameters"]
            continue
        if activation != "gelu":
            continue  # what follows does not depend on it, as the next test says
        model = by_hand(norm, activation, conv)
        assert int(row["parameters"]) == model.count_params()
        assert int(row["multiply-adds"]) == multiply_adds(model)
    assert [*cells.refused] == [
        f"norm=group_norm(groups=8), activation={activation}, conv=depthwise_separable" for activation in ACTIVATIONS
    ]


def test_columns_differ_exactly_where_the_models_do(cells):
    same = grid(resnet18, activation=ACTIVATIONS)
    assert same.table("csv").splitlines() == ["activation", *ACTIVATIONS]
    assert "in common: parameters 11,699,112, multiply-adds 1.81 G" in same.table()
    head = grid(resnet18, conv=TWO).table("csv").splitlines()[0]
    assert head == "conv,parameters,multiply-adds"
    assert cells.table("csv").splitlines()[0] == (
        "norm,activation,conv,parameters,multiply-adds,activations,receptive field"
    )


def test_the_best_is_bold_and_marked():
    two = grid(resnet18, conv=TWO)
    name = {unit: f"conv={unit}" for unit in ("conv_bn", "separable")}
    scores = {name["conv_bn"]: 0.7, name["separable"]: 0.6}
    assert r"conv\_bn & 11,699,112 & 1.81 G & \textbf{0.7} \\" in two.table("latex", scores=scores)
    assert r"separable & \textbf{1,956,155} & \textbf{223.13 M} & 0.6 \\" in two.table("latex", scores=scores)
    assert re.search(r"separable +1,956,155 \* +223.13 M \*", str(two))
    assert "| **1,956,155** |" in two.table("markdown", columns=["parameters"])
    errors = two.table("latex", columns=["parameters"], scores=scores, higher_is_better=False)
    assert r"\textbf{0.6}" in errors


def test_cells_are_models_when_asked():
    cells = grid(cifar_resnet20, repeats={"shallow": (1, 1, 1), "deep": (2, 2, 2)}, norm=[layer_norm, None])
    assert isinstance(cells, Grid)
    assert next(iter(cells)) == "repeats=shallow, norm=layer_norm"
    cell = cells["repeats=shallow, norm=None"]
    with weightless():
        model, normed = cell(), cells["repeats=shallow, norm=layer_norm"]()
    assert model.count_params() == cell.measured.parameters and cell.refused == ""
    assert not any(isinstance(layer, keras.layers.LayerNormalization) for layer in model.layers)
    kinds = {type(layer) for layer in normed.layers}
    assert keras.layers.LayerNormalization in kinds and keras.layers.BatchNormalization not in kinds
    with pytest.raises(KeyError, match="shallow, norm=layer_norm"):
        cells["repeats=shalow, norm=layer_norm"]


def test_check_net_goes_over_all_cells():
    cells = grid(cifar_resnet20, norm=["batch_norm", ("group_norm", {"groups": 3})], activation=["relu", "gelu"])
    assert len(cells.refused) == 2
    small = {"sides": (1, 20), "max_examples": 2}
    checked = cells.each(check_net, "b h w 3 -> b 10", **small)
    assert [*checked] == ["norm=batch_norm, activation=relu", "norm=batch_norm, activation=gelu"]
    with pytest.raises(AssertionError) as caught:
        cells.each(check_net, "b h w 3 -> b 11", **small)
    assert caught.value.__notes__ == ["in the cell norm=batch_norm, activation=relu"]


class Trial:
    """As a trial of optuna, or the hyperparameters of keras-tuner, asks."""

    def __init__(self, word, place):
        setattr(self, word, lambda name, labels: self.asked.append((name, labels)) or labels[place])
        self.asked = []


@pytest.mark.parametrize("word", ["suggest_categorical", "Choice"])
def test_a_tuner_asks_for_a_cell(word):
    cells = grid(cifar_resnet20, norm=["batch_norm", ("group_norm", {"groups": 3})], activation=["relu", "gelu"])
    trial = Trial(word, 0)
    assert cells.suggest(trial).name == "norm=batch_norm, activation=relu"
    assert trial.asked == [("norm", ["batch_norm", "group_norm(groups=3)"]), ("activation", ["relu", "gelu"])]
    with pytest.raises(ValueError, match=r"suggest: norm=group_norm.*is refused: .*divisor"):
        cells.suggest(Trial(word, 1))
    with pytest.raises(TypeError, match="trial must be"):
        cells.suggest(SimpleNamespace())


def test_choices_from_a_file():
    """As YAML gives them."""
    read = {"norm": ["batch_norm", {"name": "group_norm", "groups": 8}], "conv": ["conv_bn"], "classes": [10, 5]}
    cells = grid(cifar_resnet20, **read)
    assert [*cells][-1] == "norm=group_norm(groups=8), conv=conv_bn, classes=5"
    with weightless():
        last = [*cells.values()][-1]()
    assert last.output_shape == (None, 5)


def test_every_function_may_be_said_by_its_name():
    """Of the network, of its unit, with arguments, in lists; and without its kind."""
    choices = {
        "shortcut": ["pad", "projection_shortcut"],
        "transforms": [[], ["squeeze_excite"], [("stochastic_depth", {"rate": 0.1}), "squeeze_excite"]],
        "activation": ["relu", ("leaky_relu", {"negative_slope": 0.1})],
        "norm": [None, ("group", {"groups": 4})],
    }
    cells = grid(cifar_resnet20, **choices)
    assert len(cells) == 24
    last = [*cells.values()][-1]
    assert last.choices["norm"] == "group(groups=4)" and last.choices["shortcut"] == "projection_shortcut"
    with weightless():
        found = last()
        group = partial(group_norm, groups=4)
        leaky = keras.layers.LeakyReLU(negative_slope=0.1)
        expected = cifar_resnet20(
            shortcut=projection_shortcut,
            transforms=[partial(stochastic_depth, rate=0.1), squeeze_excite],
            conv=partial(conv_bn, norm=group, activation=leaky),
        )
    assert [(type(one), one.count_params()) for one in found.layers] == [
        (type(one), one.count_params()) for one in expected.layers
    ]
    assert {layer.rate for layer in found.layers if type(layer).__name__ == "StochasticDepth"} == {0.1}


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"shortcut": ["pda"]}, "'pad'"),
        ({"norm": [("group", {"grops": 8})]}, "'groups'"),
        ({"transforms": [["squeeze_exite"]]}, "'squeeze_excite'"),
        ({"norm": ["bach_norm"]}, "'batch_norm'"),
        ({"conv": ["separabel"]}, "'separable'"),
        ({"nrm": ["batch_norm"]}, "nrm must be"),
        ({"norm": "batch_norm"}, "norm must be a list"),
        ({"norm": []}, "at least one value"),
        ({"activation": ["relu", "relu"]}, "different names"),
        ({}, "choices must be"),
    ],
)
def test_wrong_choices_are_refused(choices, words):
    with pytest.raises((TypeError, ValueError), match=words):
        grid(resnet18, **choices)


def test_a_plot_draws_the_front():
    def net(width=4, input_tensor=None):
        x = keras.Input((8, 8, 3)) if input_tensor is None else input_tensor
        return keras.Model(x, classifier(conv_bn(x, width), 3))

    cells = grid(net, width=[2, 4, 8])
    axes = cells.plot({"width=2": 0.7, "width=4": 0.6, "width=8": 0.8})
    assert {text.get_text() for text in axes.texts} == {"2", "8"}
    front = max((line.get_xydata().tolist() for line in axes.lines), key=len)
    assert front == [[64 * 27 * 2 + 6, 0.7], [64 * 27 * 8 + 24, 0.8]]


points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


@given(points, st.booleans())
def test_no_point_beats_one_of_the_front(points, higher):
    sign = 1 if higher else -1

    def beats(one, other):
        return one[0] <= other[0] and sign * one[1] >= sign * other[1] and one != other

    expected = {n for n, point in enumerate(points) if not any(beats(other, point) for other in points)}
    front = pareto(points, higher_is_better=higher)
    assert {*front} == expected
    assert [points[n][0] for n in front] == sorted(points[n][0] for n in front)
