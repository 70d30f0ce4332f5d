"""All of `keras.applications`: what it computes, on random weights and statistics at two sizes, and what it counts."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import keras
import pytest

from layerblocks.architectures import build, describe
from layerblocks.architectures.catalogue import ENTRIES
from layerblocks.architectures.weight_names import APPLICATIONS
from layerblocks.blocks import weightless
from layerblocks.graphs import read_graph

from ..agreement import differ, images, run
from ..helpers import LOOKED_AT, first_of_each
from .test_weights_keras import application, randomize

PAGE = Path(__file__).parents[2] / "docs" / "keras-applications.md"
# Which bring pixels from 0 to 255 into their range themselves; EfficientNet divides by 255 twice.
OF_PIXELS = {"efficientnet_v2": 1, "efficientnet": 20, "convnext": 1, "mobilenet_v3": 1}
# Where the smallest that there is is not 32: both sides of each image beyond that.
SIZES: dict[str, Any] = {
    **{name: [(81, 86), (96, 75)] for name in ("inception_v3", "inception_resnet_v2")},
    "xception": [(79, 84), (96, 71)],
}


@pytest.fixture(autouse=True)
def _let_go():
    yield
    keras.backend.clear_session()


def test_they_are_all_there():
    there = {name for name, value in vars(keras.applications).items() if inspect.isfunction(value)}
    assert {application.name for application in APPLICATIONS.values()} == there
    assert len(there) == 40 and {*APPLICATIONS} <= {*ENTRIES}


def test_the_page_has_them_all():
    rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert {row[0].strip("| `"): row[1].strip("`") for row in rows} == {n: a.name for n, a in APPLICATIONS.items()}
    for name, _, paper, trainable, computed, _ in rows:
        entry = ENTRIES[name.strip("| `")]
        counts = (f"{entry.trainable_parameters:,}", f"{entry.multiply_adds:,}")
        assert (paper, trainable, computed) == (entry.paper, *counts)


@pytest.mark.sweep
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", first_of_each(APPLICATIONS, *LOOKED_AT))
def test_what_keras_computes(name, place):
    sides = SIZES.get(name, [(32, 64), (51, 40)])[place]
    options = {"input_shape": (*sides, 3), "classifier_activation": None}
    source = randomize(application(name, **options))
    model = build(name, dialect="keras", weights=source, **options)
    x = images(2, *sides, 3)
    scale = next((scale for kind, scale in OF_PIXELS.items() if name.startswith(kind)), None)
    x = x if scale is None else scale * 127 * (x + 1)
    expected = run(source, x)
    assert differ(expected[0], expected[1]) > 1e-4  # the images matter
    assert differ(run(model, x), expected) < 1e-5


@pytest.mark.sweep_but("mobilenet_v3_small")
@pytest.mark.parametrize("name", first_of_each(APPLICATIONS, *LOOKED_AT))
def test_as_many_as_keras_has(name):
    with weightless():
        source = application(name, input_shape=describe(name).input_shape)
        model = build(name, dialect="keras")
        assert source.input_shape in (model.input_shape, application(name).input_shape)
    assert model.count_params() == source.count_params()
    assert read_graph(model).multiply_adds == read_graph(source).multiply_adds


@pytest.mark.sweep_but(".weights.h5-mobilenet_v3_small")
@pytest.mark.parametrize(
    ("ending", "name"),
    [
        *((ending, "mobilenet_v3_small") for ending in (".weights.h5", ".h5", ".keras")),
        *((".weights.h5", name) for name in ("convnext_tiny", "inception_resnet_v2", "nasnet_mobile")),
    ],
)
def test_files_of_keras(name, ending, tmp_path):
    """Of every new family, where nothing but names and places says what is what."""
    side = SIZES.get(name, [(32, 32)])[0][0]
    options = {"input_shape": (side, side, 3), "classifier_activation": None}
    source = randomize(application(name, **options))
    path = tmp_path / f"application{ending}"
    source.save_weights(path) if ending == ".weights.h5" else source.save(path)
    x = images(2, side, side, 3)
    assert differ(run(build(name, weights=path, **options), x), run(source, x)) < 1e-5
