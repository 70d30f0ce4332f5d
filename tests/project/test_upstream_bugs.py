"""The bugs that docs/upstream-bugs.md tells of are still there, and ours do not lead to them.

A failure here is good news: something was mended upstream. Then the guard can go, and the section with it.
"""

from __future__ import annotations

import contextlib
import io
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from layerblocks.blocks import (
    adaptive_avg_pool,
    add,
    avg_pool,
    basic_residual,
    block,
    concat,
    conv,
    decoder_block,
    deep_graphs,
    dense,
    depthwise,
    max_pool,
    separable,
    sparse,
    transposed,
    weightless,
)
from layerblocks.training import compile_args

from ..helpers import needs_tensorflow, seconds

PAGE = (Path(__file__).parents[2] / "docs" / "upstream-bugs.md").read_text("utf-8")
SECTION = re.compile(r"^## (.*?)\n.*?^```python\n(.*?)^```\n\n^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
BUGS = {title: (code, told.strip()) for title, code, told in SECTION.findall(PAGE)}

SEEN = {"keras": "3.15.1", "tensorflow": "2.21.0"}


def version(text):
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


older = version(keras.__version__) < version(SEEN["keras"]) or version(tf.__version__) < version(SEEN["tensorflow"])


def printed(code):
    """What the code prints, here or in a process of its own, or the signal that ends that."""
    if not code.startswith("#"):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "upstream-bugs.md", "exec"), {"__name__": "upstream"})
        return out.getvalue().strip()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=seconds(300))
    return done.stdout.strip() if done.returncode >= 0 else signal.Signals(-done.returncode).name


def test_every_section_has_its_code():
    assert len(BUGS) == len(re.findall(r"^## ", PAGE, re.MULTILINE)) >= 12


@pytest.mark.sweep_but("A concatenation does not look at what it cannot see")
@pytest.mark.skipif(older, reason="they were seen on later releases than these")
@needs_tensorflow
@pytest.mark.parametrize("title", BUGS)
def test_it_is_still_there(title):
    code, told = BUGS[title]
    found = printed(code)
    if code.startswith("# now and then") and not found:
        pytest.xfail("it did not show this time")
    assert found == told, "mended upstream? then its guard can go, and this section of the page"


# Ours do not lead there.


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_sums_are_of_one_shape():
    for other in ((2, 2, 1), (1, 1, 3), (2, 1, 3)):
        with pytest.raises(ValueError, match="add: xs must be tensors of one shape"):
            add([keras.Input((2, 2, 3)), keras.Input(other)])


def test_sums_of_unknown_sizes_are_of_one_size_when_they_run():
    x = keras.Input((None, None, 4))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        model = keras.Model(x, basic_residual(x, 4, conv=partial(conv, padding="valid")))
        model(images(1, 5, 5, 4))


def test_concatenations_are_of_one_size():
    with pytest.raises(ValueError, match="concat: xs must be tensors of one shape"):
        concat([keras.Input((3, 3, 1)), keras.Input((2, 2, 1))])


@pytest.mark.parametrize("side", [5, 6, 7])
def test_a_decoder_of_any_size(side):
    x = keras.Input((None, None, 3))
    model = keras.Model(x, decoder_block(max_pool(x, padding="valid"), x, 2))
    assert model(images(1, side, side, 3)).shape == (1, side, side, 2)


def test_an_adaptive_pooling_to_one_pixel():
    x = keras.Input((None, None, 2))
    image = images(1, 3, 4, 2)
    model = keras.Model(x, adaptive_avg_pool(x, 1))
    for y in (model(image), model.predict(image, verbose=0)):
        np.testing.assert_allclose(np.asarray(y)[0, 0, 0], image.mean((0, 1, 2)), rtol=1e-5)


def test_a_transposed_convolution_that_would_not_run():
    x = keras.Input((5, 5, 1))
    with pytest.raises(ValueError, match="output_padding must be at least 1"):
        transposed(x, 1, 2, output_padding=0)
    model = keras.Model(x, transposed(x, 1, 2, output_size=9))
    assert model(images(1, 5, 5, 1)).shape == (1, 9, 9, 1)


WINDOWS = {
    "conv": partial(conv, filters=3, padding="valid"),
    "conv with few zeros": partial(conv, filters=3, kernel_size=5, padding=1),
    "separable": partial(separable, filters=3, padding="valid"),
    "depthwise": partial(depthwise, padding="valid"),
    "sparse": partial(sparse, filters=1, connections=[[0, 1]], padding="valid"),
    "max_pool": partial(max_pool, pool_size=3, strides=1, padding="valid"),
    "avg_pool": partial(avg_pool, pool_size=3, padding="valid"),
}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("known", [(None, None), (None, 9), (9, None)])
def test_windows_larger_than_images_of_unknown_size(window, known):
    x = keras.Input((*known, 3))
    model = keras.Model(x, WINDOWS[window](x))
    small = [2 if n is None else n for n in known]
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="at least"):
        model(images(1, *small, 3))
    enough = [3 if n is None else n for n in known]
    assert all(model(images(1, *enough, 3)).shape)


def test_the_guard_is_there_where_it_is_needed():
    with weightless():
        known, unknown = keras.Input((9, 9, 3)), keras.Input((None, None, 3))
        names = [layer.name for layer in keras.Model(unknown, conv(unknown, 2, padding="valid", name="a")).layers]
        assert names[1:] == ["a.minimum_size", "a.conv"]
        for x, unit in (
            (known, partial(conv, padding="valid")),
            (unknown, conv),
            (unknown, partial(conv, kernel_size=1)),
        ):
            assert len(keras.Model(x, unit(x, 2)).layers) == 2
        names = [layer.name for layer in keras.Model(unknown, max_pool(unknown, padding="valid", name="p")).layers]
        assert names[1:] == ["p_minimum_size", "p"]


@pytest.mark.sweep
def test_deep_models():
    with weightless(), deep_graphs():
        x = y = keras.Input((4,))
        for _ in range(1500):
            y = keras.layers.Activation("relu")(y)
        assert len(keras.Model(x, y).layers) == 1501


def test_losses_by_output():
    x = keras.Input((4,))
    model = keras.Model(x, {"main": dense(x, 2), "aux": dense(x, 3)})
    given = compile_args(model)
    assert all(given[word].keys() == {"main", "aux"} for word in ("loss", "loss_weights", "metrics"))


def test_names():
    @block
    def tower(x):
        return conv(x, 1)

    with pytest.raises(ValueError, match="name must be words"):
        tower(keras.Input((3, 3, 1)), name="a/b")
