"""Training pictures: what the axes hold is what was logged, counted or computed, and verdicts fit synthetic curves."""

from __future__ import annotations

import ast
import io
import math
import re
from collections import Counter
from itertools import product
from pathlib import Path

import keras
import matplotlib
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import layerblocks.training
from layerblocks import blocks
from layerblocks.training import (
    diagnose,
    plot_class_distribution,
    plot_confusion_matrix,
    plot_feature_maps,
    plot_history,
    plot_images,
    read_history,
)
from layerblocks.training.diagnosis import RULES, _theil_sen
from layerblocks.training.labels import read_labels

from ..helpers import array

KINDS = ("falling", "flat", "rising")
MIRRORED = dict(zip(KINDS, reversed(KINDS), strict=True))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A net with two outputs, its history and its log file."""
    path = tmp_path_factory.mktemp("log") / "log.csv"
    keras.utils.set_random_seed(0)
    x = keras.Input((4, 4, 2))
    y = keras.layers.Conv2D(3, 3, padding="same", name="stem.conv")(x)
    z = keras.layers.Flatten()(keras.layers.ReLU(name="stem.relu")(y))
    model = keras.Model(x, {key: keras.layers.Dense(2, "softmax", name=f"{key}.dense")(z) for key in ("main", "aux1")})
    loss = dict.fromkeys(("main", "aux1"), "sparse_categorical_crossentropy")
    model.compile("adam", loss=loss, metrics={"main": ["accuracy"], "aux1": ["accuracy"]})
    images, labels = np.random.default_rng(0).normal(size=(12, 4, 4, 2)), np.arange(12) % 2
    data = (images, {"main": labels, "aux1": labels})
    callbacks = [keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1))]
    callbacks.append(keras.callbacks.CSVLogger(path))
    history = model.fit(*data, validation_data=data, validation_freq=2, epochs=6, verbose=0, callbacks=callbacks)
    return model, history, path


# -- reading ----------------------------------------------------------------------------------------------------------


def test_reads_history_dict_and_file_alike(trained):
    _, history, path = trained
    log = read_history(history)
    assert log.heads == ("main", "aux1")
    assert log.quantities == ("loss", "accuracy", "learning_rate")
    assert {series.key: list(series.values) for series in log.series} == history.history
    assert log.find("val_main_loss").epochs == (2, 4, 6)
    assert log.find("main_accuracy").epochs == tuple(range(1, 7))
    assert sorted(read_history(history.history).series, key=str) == sorted(log.series, key=str)
    for one, other in zip(*(sorted(read_history(x).series, key=str) for x in (path, str(path))), strict=True):
        assert one == other == log.find(one.key)
    assert read_history(log) is log


NAMES = st.sampled_from(["main", "aux1", "aux2", "side.out", "aux_1"])
METRICS = st.sampled_from(["accuracy", "mean_io_u", "top_k_categorical_accuracy"])


@given(st.lists(NAMES, min_size=2, unique=True), st.lists(METRICS, unique=True), st.booleans(), st.integers(1, 5))
def test_every_key_finds_its_output_and_quantity(heads, metrics, validated, epochs):
    quantities = ["loss", *metrics]
    expected = {(head, q): f"{head}_{q}" for head, q in product(heads, quantities)} | {("", "loss"): "loss"}
    keys = [key for key in expected.values() for key in ((key, f"val_{key}") if validated else (key,))]
    log = read_history({key: [float(len(key))] * epochs for key in sorted(keys)})
    assert set(log.heads) == set(heads)
    assert {(s.head, s.quantity): s.key for s in log.series if not s.validation} == expected
    assert all(s.key == "val_" + expected[s.head, s.quantity] for s in log.series if s.validation)


def test_a_single_metric_that_ends_in_loss_is_no_output():
    assert read_history({"loss": [1.0], "hinge_loss": [2.0]}).heads == ()
    assert read_history({"loss": [1.0], "aux_loss": [2.0], "aux_accuracy": [0.5]}).heads == ("aux",)


@given(st.integers(1, 30), st.integers(1, 8))
def test_places_of_rare_validation(epochs, freq):
    truth = tuple(epoch for epoch in range(1, epochs + 1) if epoch % freq == 0)
    assume(truth)
    table = {"loss": [1.0] * epochs, "val_loss": [1.0] * len(truth)}
    assert read_history(table, validation_freq=freq).find("val_loss").epochs == truth
    assert read_history(table, validation_freq=list(truth)).find("val_loss").epochs == truth
    others = {tuple(e for e in range(1, epochs + 1) if e % f == 0) for f in range(1, epochs + 1)}
    if sum(len(other) == len(truth) for other in others) == 1:
        assert read_history(table).find("val_loss").epochs == truth
    else:
        with pytest.raises(ValueError, match="validation_freq"):
            read_history(table)


def test_none_stands_for_not_logged_and_nan_for_itself():
    log = read_history({"loss": [1.0, math.nan, 3.0], "val_loss": [None, 2.0, None]})
    assert log.find("val_loss").epochs == (2,)
    assert log.find("loss").epochs == (1, 2, 3)


def test_csv_of_two_runs_is_counted_through(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch;loss;val_loss\n0;3;NA\n1;2;2.5\n0;1;NA\n")
    log = read_history(path)
    assert log.find("loss").epochs == (1, 2, 3)
    assert log.find("val_loss").epochs == (2,)


# -- diagnosis --------------------------------------------------------------------------------------------------------

SHAPES = {  # over t from 0 to 1, with a level of about 1
    "falling": (lambda t: 1.5 - t, lambda t: 2 * np.exp(-3 * t), lambda t: 1 / (0.3 + t)),
    "flat": (np.ones_like, lambda t: 1 + np.exp(-60 * t), lambda t: 1 - 0.004 * t),
    "rising": (lambda t: 0.5 + t, lambda t: np.exp(t), lambda t: 0.5 + (t - 0.4) ** 2 * (t > 0.4) * 3),
}


def curve(kind, shape, epochs, noise, seed):
    t = np.linspace(0, 1, epochs)
    return SHAPES[kind][shape](t) + noise * np.random.default_rng(seed).uniform(-1, 1, epochs)


def verdict(train, validation, **options):
    return diagnose({"loss": list(train), "val_loss": list(validation)}, **options)


def test_the_rules_cover_every_pair_and_say_what_was_taught():
    assert set(RULES) == set(product(KINDS, KINDS))
    taught = {
        ("falling", "falling"): ("still learning", "more epochs"),
        ("falling", "flat"): ("overfitting", "dropout or max pooling"),
        ("flat", "falling"): ("suspect data", "training data"),
        ("flat", "flat"): ("plateau", "learning rate or change the batch size"),
        ("rising", "rising"): ("unsound", "design of the network, the hyper-parameters and the data"),
    }
    for pair, (name, advice) in taught.items():
        assert RULES[pair].verdict == name and advice in RULES[pair].advice


@pytest.mark.parametrize("pair", sorted(RULES))
@given(
    shapes=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    epochs=st.integers(24, 60),
    noise=st.sampled_from([0, 0.001, 0.005]),
    seed=st.integers(0, 10**6),
    scale=st.floats(1e-6, 1e6),
)
@settings(max_examples=15)
def test_synthetic_curves_get_their_verdict(pair, shapes, epochs, noise, seed, scale):
    curves = [
        scale * curve(kind, shape, epochs, noise, seed + place)
        for place, (kind, shape) in enumerate(zip(pair, shapes, strict=True))
    ]
    found = verdict(*curves)
    assert (found.train.kind, found.validation.kind) == pair
    assert (found.verdict, found.best_epoch) == (RULES[pair].verdict, int(np.argmin(curves[1])) + 1)


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.5])
def test_noise_is_flat(noise):
    rng = np.random.default_rng(1)
    found = Counter(verdict(*rng.normal(1, noise, (2, 40))).train.kind for _ in range(300))
    assert found["flat"] >= 0.9 * 300


@pytest.mark.parametrize("epochs", [5, 8, 20])
def test_the_interval_holds_the_slope_as_often_as_it_says(epochs):
    rng, held = np.random.default_rng(2), 0
    for _ in range(400):
        _, low, high = _theil_sen(range(epochs), list(0.3 * np.arange(epochs) + rng.normal(size=epochs)))
        held += low <= 0.3 <= high
    assert held >= 0.93 * 400


@pytest.mark.parametrize(("epochs", "wider"), [(5, 0), (6, 0), (9, 1), (14, 1), (30, 1)])
def test_the_interval_is_that_of_scipy_or_a_rank_wider(epochs, wider):
    """SciPy rounds Sen's ranks to the nearest, here they are rounded outwards."""
    stats = pytest.importorskip("scipy.stats")
    for seed in range(20):
        values = list(np.random.default_rng(seed).normal(size=epochs))
        slope, low, high = _theil_sen(range(epochs), values)
        peer = stats.theilslopes(values, alpha=0.95)
        i, j = np.triu_indices(epochs, 1)
        slopes = sorted((np.array(values)[j] - np.array(values)[i]) / (j - i))
        ranks = [int(np.argmin(np.abs(slopes - end))) for end in (low, peer.low_slope, peer.high_slope, high)]
        assert slope == pytest.approx(peer.slope)
        assert (ranks[1] - ranks[0], ranks[3] - ranks[2]) == (wider, wider)


VALUES = st.lists(st.floats(0.01, 10), min_size=6, max_size=12)


@given(VALUES)
def test_theil_sen_against_numpy(values):
    i, j = np.triu_indices(len(values), 1)
    slopes = (np.array(values)[j] - np.array(values)[i]) / (j - i)
    slope, low, high = _theil_sen(range(len(values)), values)
    assert slope == pytest.approx(np.median(slopes))
    assert slopes.min() <= low <= slope <= high <= slopes.max()


@given(VALUES, st.sampled_from([2.0**n for n in (-20, -3, 1, 14)]))
def test_scale_time_and_sign(values, scale):
    """The verdict does not know the unit; run backwards or upside down, falling is rising."""

    def kind(values):
        return verdict(values, values, window=len(values)).train.kind

    assert kind([scale * value for value in values]) == kind(values)
    assert kind(values[::-1]) == MIRRORED[kind(values)]
    assert kind([-value for value in values]) == MIRRORED[kind(values)]


@given(VALUES, st.floats(0, 2))
def test_a_downward_pull_never_turns_the_trend_upward(values, pull):
    window = len(values)
    middle = (window - 1) / 2
    pulled = [value - pull * (epoch - middle) for epoch, value in enumerate(values)]
    before, after = (verdict(v, v, window=window).train for v in (values, pulled))
    assert KINDS.index(after.kind) <= KINDS.index(before.kind)
    assert after.level == pytest.approx(before.level, abs=1e-9)


@given(st.sampled_from(KINDS), st.integers(0, 2), st.integers(0, 19), st.floats(5, 1e6))
def test_a_single_spike_bends_nothing(kind, shape, place, height):
    values = curve(kind, shape, 60, 0.001, 3)
    values[40 + place] += height
    assert verdict(values, values).train.kind == kind


@given(VALUES, st.floats(0, 0.5), st.floats(0, 0.5))
def test_more_tolerance_only_flattens(values, one, other):
    strict, loose = (verdict(values, values, tolerance=t).train.kind for t in sorted((one, other)))
    assert loose in ("flat", strict)


@given(VALUES, VALUES)
def test_says_it_in_two_sentences_with_its_numbers(train, validation):
    length = min(len(train), len(validation))
    found = verdict(train[:length], validation[:length])
    assert len(re.findall(r"\.(?=\s|$)", str(found))) == 2
    assert str(found).lower().startswith(found.verdict)
    assert f"{found.train.epochs[0]}–{found.train.epochs[1]}" in str(found)
    assert found.train.points == 5
    assert found.train.low <= found.train.slope <= found.train.high


def test_what_cannot_be_judged_is_said():
    short = diagnose({"loss": [3, 2, 1.0], "val_loss": [3, 2, 1.0]})
    assert short.verdict == "too short" and "3 epochs" in str(short) and short.train is None
    broken = diagnose({"loss": [3, 2, math.nan, math.nan], "val_loss": [3, 2, 1, 1]})
    assert broken.verdict == "diverged" and "loss is nan at epoch 3" in str(broken) and broken.best_epoch == 3
    assert diagnose({"loss": [1] * 6, "val_loss": [1] * 5 + [math.inf]}).verdict == "diverged"
    alone = diagnose({"loss": [9.0, 8, 7, 6, 5, 4]})
    assert alone.verdict == "no validation" and alone.train.kind == "falling" and alone.best_epoch == 6
    for one in (short, broken, alone):
        assert len(re.findall(r"\.(?=\s|$)", str(one))) == 2


def test_each_output_is_judged():
    down, flat = [0.9**n for n in range(15)], [1.0] * 15
    pairs = {"main": (down, flat), "aux1": (flat, flat), "aux2": (down, down)}
    table = {"loss": down, "val_loss": flat}
    for head, (train, validation) in pairs.items():
        table |= {f"{head}_loss": train, f"val_{head}_loss": validation}
    whole = diagnose(table)
    found = {head: one.verdict for head, one in whole.heads.items()}
    assert found == {"main": "overfitting", "aux1": "plateau", "aux2": "still learning"}
    assert whole.verdict == "overfitting"
    assert diagnose(table, output="aux2") == whole.heads["aux2"]
    assert "aux2_loss falls" in str(whole.heads["aux2"])


def test_rare_validation_is_compared_at_its_epochs():
    table = {"loss": [1 - 0.01 * n for n in range(40)], "val_loss": [1.0] * 8}
    found = diagnose(table)
    assert found.verdict == "overfitting"
    assert (found.train.epochs, found.train.points) == ((20, 40), 5)
    assert found.train.slope == pytest.approx(-0.01)


# -- curves -----------------------------------------------------------------------------------------------------------


def test_lines_hold_the_history(trained):
    _, history, _ = trained
    panels = plot_history(history)
    assert list(panels) == ["loss", "accuracy", "learning_rate"]
    drawn = {
        line.get_label(): line for panel in panels.values() for line in panel.get_lines() if len(line.get_xdata()) > 2
    }
    assert set(drawn) == set(history.history)
    log = read_history(history)
    for key, line in drawn.items():
        assert list(line.get_ydata()) == history.history[key]
        assert tuple(line.get_xdata()) == log.find(key).epochs
        assert line.get_linestyle() == ("--" if key.startswith("val_") else "-")
    looks = {key: (drawn[key].get_color(), drawn[key].get_marker()) for key in ("loss", "main_loss", "aux1_loss")}
    assert len({colour for colour, _ in looks.values()}) == len({marker for _, marker in looks.values()}) == 3
    assert drawn["val_aux1_accuracy"].get_color() == drawn["aux1_loss"].get_color()


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=8), st.sampled_from(["loss", "accuracy", "val_accuracy"]))
@settings(max_examples=10)
def test_the_best_epoch_is_marked_in_every_panel(values, best):
    panels = plot_history({"loss": [1.0] * len(values), "val_loss": values, "val_accuracy": values}, best=best)
    expected = (np.argmin if best == "loss" else np.argmax)(values) + 1
    for panel in panels.values():
        marks = [line for line in panel.get_lines() if line.get_linestyle() == ":"]
        assert [list(line.get_xdata()) for line in marks] == [[expected, expected]]
    without = plot_history({"loss": values}, best=None)["loss"]
    assert len(without.get_lines()) == 1


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(0.01, 0.99))
@settings(max_examples=10)
def test_smoothing_stays_within_what_it_smooths(values, weight):
    raw, smooth = plot_history({"loss": values}, smooth=weight, best=None)["loss"].get_lines()
    assert list(raw.get_ydata()) == values
    found = smooth.get_ydata()
    assert found[0] == pytest.approx(values[0])
    for place, value in enumerate(found):
        seen = values[: place + 1]
        assert min(seen) - 1e-9 <= value <= max(seen) + 1e-9


def test_text_is_readable_and_figures_have_their_size(trained):
    panels = plot_history(trained[1], width="acm1")
    figure = panels["loss"].figure
    assert figure.get_size_inches()[0] == pytest.approx(241.1475 / 72.27)
    figure.draw_without_rendering()
    sizes = [text.get_fontsize() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]
    assert min(sizes) >= 7
    box = figure.get_tightbbox()
    assert box.x0 >= -0.01 and box.x1 <= 3.34
    side_by_side = plot_history(trained[1], width="7.16in")
    assert len({panel.get_position().y0 for panel in side_by_side.values()}) == 1


def test_draws_in_given_axes(trained):
    figure = Figure()
    axes = figure.subplots(1, 3)
    assert list(plot_history(trained[1], axes=axes).values()) == list(axes)
    one = Figure().add_subplot()
    assert plot_history(trained[1], metrics="accuracy", axes=one) == {"accuracy": one}
    assert one.get_legend() is not None
    assert plot_history(trained[1], metrics=["loss"], axes={"loss": axes[1]})["loss"] is axes[1]


def test_values_that_are_no_numbers_leave_gaps():
    (line,) = plot_history({"loss": [1.0, math.inf, math.nan, 2.0]}, best=None)["loss"].get_lines()
    assert np.isnan(line.get_ydata()).tolist() == [False, True, True, False]


def test_nothing_global_is_touched(trained):
    before = dict(matplotlib.rcParams)
    plot_history(trained[1])
    plot_confusion_matrix([[1, 0], [0, 1]])
    assert dict(matplotlib.rcParams) == before
    folder = Path(layerblocks.training.__file__).parent
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        code = [ast.dump(node) for node in ast.walk(tree) if not isinstance(node, ast.Constant)]
        assert not any(re.search(r"(id|attr|name|module)='[^']*(pyplot|rcParams|rc_context)", node) for node in code)
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not any("matplotlib" in ast.dump(node) for node in top)


def test_the_same_history_gives_the_same_bytes(trained):
    def svg():
        file = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "same"}):
            plot_history(trained[1])["loss"].figure.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()

    assert svg() == svg()


# -- charts -----------------------------------------------------------------------------------------------------------


def forms(numbers, count):
    """The same labels in every form."""
    import tensorflow as tf

    one_hot = np.eye(count)[numbers]
    images = np.zeros((len(numbers), 2, 2, 1))
    yield numbers
    yield np.array(numbers, "float32")[:, None]
    yield keras.ops.convert_to_tensor(numbers)
    yield one_hot
    yield one_hot.astype("uint8")
    yield [f"{number:02}" for number in numbers]
    for labels in (np.array(numbers), one_hot):
        data = tf.data.Dataset.from_tensor_slices((images, labels))
        yield data
        yield data.batch(4)
        yield data.map(lambda image, label: label)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20))
@settings(max_examples=8)
def test_every_form_of_labels_is_counted(numbers):
    classes = [f"{number:02}" for number in range(5)]
    truth = [Counter(numbers)[number] for number in range(5)]
    for labels in forms(numbers, 5):
        found, names = read_labels("labels", labels, classes)
        assert (found.tolist(), names) == (numbers, tuple(classes))
    ax = plot_class_distribution(numbers, classes=classes)
    assert [bar.get_width() for bar in ax.patches] == truth
    assert [text.get_text() for text in ax.get_yticklabels()] == classes
    assert [text.get_text() for text in ax.texts] == [str(count) for count in truth]


def test_many_classes_and_odd_names():
    ax = plot_class_distribution(np.arange(200) % 100)
    assert [bar.get_height() for bar in ax.patches] == [2] * 100
    ax = plot_class_distribution(["$5$", "naïve_ü", "<&>"])
    ax.figure.draw_without_rendering()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["$5$", "<&>", "naïve_ü"]
    assert not any(text.get_parse_math() for text in ax.get_yticklabels())


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 99), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
@settings(max_examples=10)
def test_confusion_matrix(rows):
    matrix = np.array(rows)
    ax = plot_confusion_matrix(matrix)
    assert np.array_equal(ax.images[0].get_array(), matrix)
    assert [text.get_text() for text in ax.texts] == [str(number) for number in matrix.ravel()]
    for normalize, axis in (("true", 1), ("pred", 0)):
        shown = np.asarray(plot_confusion_matrix(matrix, normalize=normalize).images[0].get_array())
        filled = matrix.sum(axis=axis) > 0
        assert shown.sum(axis=axis) == pytest.approx(100.0 * filled)


def test_small_cells_stay_empty():
    assert not plot_confusion_matrix(np.full((80, 80), 1000)).texts
    sizes = [text.get_fontsize() for text in plot_confusion_matrix(np.full((20, 20), 7)).texts]
    assert len(sizes) == 400 and min(sizes) >= 5


# -- images -----------------------------------------------------------------------------------------------------------

RAMP = np.linspace(0, 1, 48).reshape(1, 4, 4, 3)


@pytest.mark.parametrize(
    "images",
    [RAMP, RAMP * 2 - 1, RAMP * 255, np.round(RAMP * 255).astype("uint8"), np.round(RAMP * 255).astype("int64")],
    ids=["0–1", "−1–1", "0–255", "uint8", "int64"],
)
def test_ranges_of_values(images):
    assert np.asarray(plot_images(images)[0].images[0].get_array()) == pytest.approx(RAMP[0], abs=0.003)


def test_a_given_range_clips():
    shown = plot_images(RAMP[..., 0] * 16, value_range=(0, 8))[0].images[0].get_array()
    assert np.asarray(shown) == pytest.approx(np.clip(RAMP[0, ..., 0] * 2, 0, 1))
    dark = plot_images(np.zeros((1, 4, 4), "uint8") + 1)[0].images[0].get_array()
    assert np.asarray(dark) == pytest.approx(1 / 255)


def test_channels_first_and_grey():
    first = plot_images(np.moveaxis(RAMP, -1, 1), data_format="channels_first")[0].images[0].get_array()
    assert np.array_equal(first, plot_images(RAMP)[0].images[0].get_array())
    assert plot_images(RAMP[..., :1])[0].images[0].get_array().shape == (4, 4)
    assert [ax.images[0].get_array().shape for ax in plot_images([np.zeros((4, 6)), np.zeros((5, 4, 3))])] == [
        (4, 6),
        (5, 4, 3),
    ]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=7), st.integers(1, 4))
@settings(max_examples=10)
def test_wrong_predictions_are_told_without_colour(pairs, columns):
    true, guessed = map(list, zip(*pairs, strict=True))
    images, names = np.zeros((len(pairs), 4, 4)), ["cat", "dog", "hen"]
    sure = 0.7 * np.eye(3)[guessed] + 0.1
    for predictions, share in ((guessed, ""), ([names[g] for g in guessed], ""), (sure, " 80%"), (sure * 9 - 4, "")):
        axes = plot_images(images, true, predictions, classes=names, columns=columns)
        for ax, t, g in zip(axes, true, guessed, strict=True):
            title = " ".join(ax.get_title().split())
            assert title == (f"{names[g]}{share}" if t == g else f"✗ {names[g]}{share} ({names[t]})")
            assert (ax.spines["left"].get_linewidth() > 1) == (t != g)
            assert (ax.spines["left"].get_linestyle() != "solid") == (t != g)
    boxes = [ax.get_position() for ax in axes]
    assert len({round(box.x0, 6) for box in boxes}) == min(columns, len(pairs))
    assert all(box.x0 >= 0 and box.x1 <= 1 and box.y0 >= 0 and box.y1 <= 1 for box in boxes)


# -- feature maps -----------------------------------------------------------------------------------------------------


def shown(axes):
    return np.stack([ax.images[0].get_array() for ax in axes], -1)


def test_feature_maps_are_what_the_layer_gives(trained):
    model, image = trained[0], np.random.default_rng(0).normal(size=(4, 4, 2)).astype("float32")
    for name in ("stem.conv", "stem.relu"):
        truth = array(keras.Model(model.input, model.get_layer(name).output)(image[None]))[0]
        assert np.array_equal(shown(plot_feature_maps(model, name, image)), truth)
        assert np.array_equal(shown(plot_feature_maps(model, name, image[None], maps=[2, 0])), truth[..., [2, 0]])
        assert "call" not in vars(model.get_layer(name))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.built = True
        self.conv = keras.layers.Conv2D(2, 1, name="conv")
        self.unused = keras.layers.Conv2D(2, 1, name="unused")

    def call(self, x):
        return self.conv(x)


def test_feature_maps_of_nested_subclassed_and_channels_first_models():
    image = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    inner = keras.Sequential([keras.Input((4, 6, 3)), keras.layers.Conv2D(2, 1, name="a.conv")], name="inner")
    x = keras.Input((4, 6, 3))
    nested = keras.Model(x, keras.layers.ReLU(name="relu")(inner(x)))
    truth = array(inner(image[None]))[0]
    assert np.array_equal(shown(plot_feature_maps(nested, "inner.a.conv", image)), truth)
    assert np.array_equal(shown(plot_feature_maps(nested, "inner", image)), truth)
    model = Subclassed()
    model(image[None])
    assert np.array_equal(shown(plot_feature_maps(model, "conv", image)), array(model(image[None]))[0])
    up = keras.layers.UpSampling2D(2, data_format="channels_first", name="up")
    first = keras.Sequential([keras.Input((4, 6, 3)), up, keras.layers.ReLU(name="relu")])
    for name in ("up", "relu"):
        maps = shown(plot_feature_maps(first, name, np.abs(image)))
        assert np.array_equal(np.moveaxis(maps, -1, 0), array(first(np.abs(image)[None]))[0])
    assert shown(plot_feature_maps(first, "up", image, data_format="channels_last")).shape == (4, 12, 6)


# -- bad input --------------------------------------------------------------------------------------------------------

GOOD = {"loss": [1.0, 2.0], "accuracy": [0.1, 0.2], "val_accuracy": [0.1, 0.2]}

BAD = [
    (lambda: plot_history(3), TypeError, "plot_history: history must be a Keras History, .* got 3"),
    (lambda: plot_history([1.0]), TypeError, r"history must be a Keras History, .* got \[1.0\]"),
    (lambda: plot_history({}), ValueError, "history must be of one epoch or more, got none"),
    (lambda: plot_history({"loss": []}), ValueError, "history must be of one epoch or more, got none"),
    (lambda: plot_history(keras.callbacks.History()), ValueError, "empty before fit"),
    (
        lambda: plot_history({"los": [1.0]}),
        ValueError,
        "history must be one with a loss, got 'los'; did you mean 'los'",
    ),
    (lambda: plot_history({"loss": 3}), TypeError, "a list of numbers"),
    (lambda: plot_history({"loss": ["x"]}), TypeError, r"history\['loss'\] must be numbers, .* got 'x'"),
    (lambda: plot_history({"loss": [1.0] * 3, "accuracy": [1.0]}), ValueError, "1 values for 3 epochs"),
    (lambda: plot_history({"loss": [1.0] * 7, "val_loss": [1.0] * 5}), ValueError, "fits no validation_freq"),
    (lambda: plot_history(GOOD, metrics="acuracy"), ValueError, "did you mean 'accuracy'"),
    (lambda: plot_history(GOOD, metrics=[]), ValueError, r"metrics must be names, or None for all, got \[\]"),
    (lambda: plot_history(GOOD, metrics=3), TypeError, "metrics must be names, or None for all, got 3"),
    (lambda: plot_history(GOOD, smooth=1), ValueError, "smooth must be a number from 0 up to, not including, 1, got 1"),
    (lambda: plot_history(GOOD, smooth="a"), TypeError, "smooth must be a number .* got 'a'"),
    (lambda: plot_history(GOOD, best="val_acuracy"), ValueError, "did you mean 'val_accuracy'"),
    (lambda: plot_history(GOOD, width="ieee"), ValueError, "did you mean 'ieee"),
    (lambda: plot_history(GOOD, width=None), TypeError, "width must be a length.*got None"),
    (lambda: plot_history(GOOD, width=0), ValueError, "width must be a length.*got 0"),
    (lambda: plot_history(GOOD, width=3.5), ValueError, "width must be 1 to 100 inches, got 3.5"),
    (lambda: plot_history(GOOD, axes="here"), TypeError, "matplotlib axes"),
    (lambda: plot_history(GOOD, axes=[]), ValueError, "axes must be 2, for .*, got 0"),
    (
        lambda: plot_history(GOOD, axes={}),
        ValueError,
        "axes must be a dict of axes .* got none for 'loss' or 'accuracy'",
    ),
    (
        lambda: read_history({"loss": [1.0] * 4, "val_loss": [1.0]}, validation_freq=0),
        ValueError,
        "validation_freq must be .*, got 0",
    ),
    (lambda: diagnose({"accuracy": [1.0]}), ValueError, "diagnose: history must be one with a loss"),
    (
        lambda: diagnose(GOOD, output="main"),
        ValueError,
        "output must be None, as this model has one output, got 'main'",
    ),
    (
        lambda: diagnose(GOOD, window=2),
        ValueError,
        "window must be None, or at least 5 epochs, or noise decides, got 2",
    ),
    (
        lambda: diagnose(GOOD, window=2.5),
        TypeError,
        "window must be None, or at least 5 epochs, or noise decides, got 2.5",
    ),
    (lambda: diagnose(GOOD, tolerance=-1), ValueError, "tolerance must be a finite number at least 0, got -1"),
    (lambda: diagnose(GOOD, tolerance="a"), TypeError, "tolerance must be a finite number at least 0, got 'a'"),
    (lambda: plot_class_distribution([]), ValueError, r"labels must be one label or more, got \[\]"),
    (
        lambda: plot_class_distribution([0, 3], classes=["a", "b"]),
        ValueError,
        "labels must be classes 0 to 1, as there are 2 classes, got 3",
    ),
    (lambda: plot_class_distribution([-1]), ValueError, "labels must be classes 0 to .*, got -1"),
    (lambda: plot_class_distribution([0.5]), ValueError, "labels must be integers of at least 0, or text, got 0.5"),
    (lambda: plot_class_distribution([[1, 1], [0, 1]]), ValueError, "row 0 is not one-hot"),
    (lambda: plot_class_distribution(np.zeros((2, 2, 2))), ValueError, r"labels must be of shape .* got \(2, 2, 2\)"),
    (lambda: plot_class_distribution(["cat", "dgo"], classes=["cat", "dog"]), ValueError, "did you mean 'dog'"),
    (
        lambda: plot_class_distribution([0], classes="cat"),
        TypeError,
        "classes must be the names of the classes, .* got 'cat'",
    ),
    (lambda: plot_class_distribution([0], classes=["a", "a"]), ValueError, "'a' twice"),
    (
        lambda: plot_class_distribution([0], classes=[]),
        ValueError,
        r"classes must be the names of the classes, .* got \[\]",
    ),
    (
        lambda: plot_class_distribution(keras.Input((3,))),
        TypeError,
        "labels must be an array of numbers or text, got a KerasTensor",
    ),
    (lambda: plot_class_distribution([None]), TypeError, "numbers or text"),
    (
        lambda: plot_class_distribution([0], ax=3),
        TypeError,
        "ax must be matplotlib axes, or None for a new figure, got 3",
    ),
    (
        lambda: plot_confusion_matrix([[1, 2]]),
        ValueError,
        r"matrix must be of shape \(classes, classes\), got \(1, 2\)",
    ),
    (lambda: plot_confusion_matrix([[]]), ValueError, "shape"),
    (lambda: plot_confusion_matrix([[-1]]), ValueError, "matrix must be counts, which are finite and not below 0"),
    (lambda: plot_confusion_matrix([["a"]]), TypeError, "dtype"),
    (
        lambda: plot_confusion_matrix([[1]], ["a", "b"]),
        ValueError,
        "classes must be one name for each of 1 classes, got 2",
    ),
    (lambda: plot_confusion_matrix([[1]], normalize="tru"), ValueError, "did you mean 'true'"),
    (lambda: plot_images([]), ValueError, "images must be one image or more, got"),
    (lambda: plot_images(np.zeros((0, 4, 4))), ValueError, "images must be one image or more, got"),
    (lambda: plot_images(np.zeros((4, 4))), ValueError, r"image\[None\]"),
    (
        lambda: plot_images(np.zeros((64, 64, 3))),
        ValueError,
        r"images must be several, got one image of shape \(64, 64, 3\)",
    ),
    (lambda: plot_images(np.zeros((2, 4, 4, 2))), ValueError, "1, 3 or 4 channels"),
    (lambda: plot_images(np.zeros((500, 4, 4))), ValueError, "images must be at most 400, .* got 500"),
    (lambda: plot_images(np.random.default_rng(0).normal(size=(2, 9, 9))), ValueError, "value_range="),
    (lambda: plot_images(np.full((1, 4, 4), -3, "int8")), ValueError, "value_range="),
    (lambda: plot_images(np.full((1, 4, 4), np.nan)), ValueError, "images must be of finite numbers"),
    (lambda: plot_images(np.full((1, 4, 4), "a")), TypeError, "dtype"),
    (lambda: plot_images(np.zeros((1, 4, 4)), value_range=(1, 0)), ValueError, "black being lower"),
    (lambda: plot_images(np.zeros((1, 4, 4)), value_range=3), TypeError, "value_range must be None, or .* got 3"),
    (lambda: plot_images(np.zeros((2, 4, 4)), [0]), ValueError, "labels must be one for each of 2 images, got 1"),
    (
        lambda: plot_images(np.zeros((2, 4, 4)), None, [0]),
        ValueError,
        "predictions must be one for each of 2 images, got 1",
    ),
    (
        lambda: plot_images(np.zeros((1, 4, 4)), [2], classes=["a"]),
        ValueError,
        "labels must be classes 0 to 0, as there are 1 classes, got 2",
    ),
    (lambda: plot_images(np.zeros((1, 4, 4)), columns=0), ValueError, "columns must be a positive integer, got 0"),
    (lambda: plot_images(np.zeros((1, 4, 4)), data_format="last"), ValueError, "channels_last"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_bad_files(tmp_path):
    path = tmp_path / "log.csv"
    for text, message in (
        ("", "no 'epoch'"),
        ("loss\n1\n", "no 'epoch'"),
        ("epoch,loss\n", "history must be of one epoch or more, got none"),
        ("epoch,loss\n0,[1 2]\n", "is no number"),
        ("epoch,loss\nx,1\n", "an epoch is no integer"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=re.escape(message)):
            plot_history(path)
    with pytest.raises(FileNotFoundError):
        plot_history(tmp_path / "none.csv")


def test_endless_datasets_are_refused():
    import tensorflow as tf

    with pytest.raises(ValueError, match="without end"):
        plot_class_distribution(tf.data.Dataset.from_tensor_slices([1, 2]).repeat())
    with pytest.raises(TypeError, match="one output, got several"):
        plot_class_distribution(tf.data.Dataset.from_tensors((1, {"a": 1})))


def test_bad_feature_maps(trained):
    model, image = trained[0], np.zeros((4, 4, 2))
    shared = keras.layers.Conv2D(2, 1, name="shared")
    x = keras.Input((4, 4, 2))
    twice = keras.Model(x, shared(shared(x)))
    loose = Subclassed()
    loose(image[None])
    with blocks.weightless():
        empty = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Conv2D(2, 1, name="conv")], name="net")
    for call, error, message in (
        (lambda: plot_feature_maps(3, "a", image), TypeError, "a Keras model"),
        (lambda: plot_feature_maps(model, 3, image), TypeError, "layer must be the name of a layer, got 3"),
        (lambda: plot_feature_maps(model, "stem.cnv", image), ValueError, "did you mean 'stem.conv'"),
        (
            lambda: plot_feature_maps(model, "stem", image),
            ValueError,
            "got the block 'stem', of 'stem.conv'.* 'stem.relu'",
        ),
        (lambda: plot_feature_maps(model, "main.dense", image), ValueError, r"gives shape \(1, 2\)"),
        (lambda: plot_feature_maps(twice, "shared", image), ValueError, "called 2 times"),
        (lambda: plot_feature_maps(loose, "unused", image), ValueError, "called not at all"),
        (lambda: plot_feature_maps(empty, "conv", image), ValueError, "model must be one with weights, got 'net'"),
        (lambda: plot_feature_maps(model, "stem.conv", np.zeros((4, 4, 5))), ValueError, r"shape \(1, 4, 4, 5\)"),
        (lambda: plot_feature_maps(model, "stem.conv", np.zeros((2, 4, 4, 2))), ValueError, "batch of 2"),
        (
            lambda: plot_feature_maps(model, "stem.conv", np.zeros(4)),
            ValueError,
            r"image must be of shape .* got \(4,\)",
        ),
        (lambda: plot_feature_maps(model, "stem.conv", image, maps=0), ValueError, "maps must be .* got 0"),
        (lambda: plot_feature_maps(model, "stem.conv", image, maps="a"), TypeError, "maps must be .* got 'a'"),
        (
            lambda: plot_feature_maps(model, "stem.conv", image, maps=[3]),
            ValueError,
            r"maps\[0\] must be a channel of the layer, 0 to 2, got 3",
        ),
        (
            lambda: plot_feature_maps(model, "stem.conv", image, maps=[]),
            ValueError,
            "maps must be 1 to 400 channels, got 0",
        ),
    ):
        with pytest.raises(error, match=message):
            call()
        assert not any("call" in vars(layer) for layer in model.layers)
