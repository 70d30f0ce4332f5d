"""`@shapes`: checked at each call, shown by help, collected by pytest as a property test."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops

import layerblocks.blocks  # noqa: F401  (a run in this process forgets what it imports; NumPy cannot come again)
from layerblocks.testing import CheckError, check_shapes, shapes
from layerblocks.testing.declared import _shape

from ..helpers import calls_of, needs_tensorflow

pytest_plugins = ["pytester"]


@shapes("b h w c -> b h//2 w//2 2*c")
def folded(x):
    """Fold columns into channels."""
    half = x[:, : x.shape[1] // 2 * 2 : 2, : x.shape[2] // 2 * 2 : 2]
    return ops.concatenate([half, half], -1)


@shapes("b h w c -> b ceil(h/size) ceil(w/size) c")
def pooled(x, size, *, mode="max"):
    return x[:, ::size, ::size]


@shapes("f32[b k], int[b] -> f32[]")
def loss(y_pred, y_true):
    return ops.mean(ops.sparse_categorical_crossentropy(y_true, ops.softmax(y_pred)))


@shapes("{image: b h w c, mask: b h w} -> {image: b h w c, mask: b h w}")
def flipped(batch):
    return {"image": batch["image"][:, :, ::-1], "mask": batch["mask"][:, :, ::-1]}


@shapes("b h w c -> b h w filters", filters=3)
class Dense(keras.layers.Layer):
    def __init__(self, filters, **options):
        super().__init__(**options)
        self.filters = filters
        self.inner = layers.Dense(filters)

    def call(self, x, training=False):
        return self.inner(x)


class Own(keras.layers.Layer):
    @shapes("b t d, b s d -> b t s")
    def call(self, queries, keys):
        return ops.einsum("btd,bsd->bts", queries, keys)


TARGETS = {target.__name__: target for target in (folded, pooled, loss, flipped, Dense, Own)}


def test_sizes_that_are_no_integers_are_unknown():
    """As JAX's dimensions of a name are."""

    class Tensor:
        def __init__(self, *shape):
            self.shape = shape

    size = object()
    assert _shape(Tensor(size, size)) == _shape(Tensor(None, size)) == (None, None)
    assert _shape(Tensor(size, 3)) == (None, 3) and _shape(Tensor(2, 3)) == (2, 3)


def test_a_call_that_fits():
    x = ops.ones((2, 5, 7, 3))
    assert folded(x).shape == (2, 2, 3, 6) and pooled(x, 3).shape == pooled(x, size=3).shape == (2, 2, 3, 3)
    assert loss(ops.ones((4, 3)), ops.ones((4,), "int32")).shape == ()
    assert flipped({"image": x, "mask": x[..., 0]})["mask"].shape == (2, 5, 7)
    assert flipped(batch={"image": x, "mask": x[..., 0]})["image"].shape == x.shape and folded(x=x).shape[-1] == 6
    assert Dense(4)(x).shape == (2, 5, 7, 4) and Own()(ops.ones((2, 3, 4)), ops.ones((2, 5, 4))).shape == (2, 3, 5)
    assert Dense(4)(keras.Input((None, None, 3))).shape == (None, None, None, 4)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: folded(ops.ones((2, 5, 7))), "folded: the inputs must be of shapes as in .* has 3 axes, not the 4"),
        (lambda: pooled(size=2, x=ops.ones((2, 5, 7))), "pooled: the inputs must be of shapes as in .* has 3 axes"),
        (lambda: loss(ops.ones((4, 3)), ops.ones((5,), "int32")), "loss: .* axis 0 is 5, but b is 4"),
        (lambda: loss(ops.ones((4, 3)), ops.ones((4,))), "input 1 must be of dtype int, .*got float32 of shape"),
        (lambda: flipped({"image": ops.ones((1, 2, 2, 3))}), "of 2 tensors image, mask, not of image"),
        (lambda: Own()(ops.ones((2, 3, 4)), ops.ones((2, 5, 5))), "d is 4"),
    ],
)
def test_an_argument_that_does_not_fit_is_a_value_error(call, words):
    for _ in range(2):  # not only the first time
        with pytest.raises(ValueError, match=words):
            call()


def test_what_fitted_once_is_looked_at_again_with_another_dtype():
    scores, labels = ops.ones((6, 3)), ops.ones((6,), "int32")
    assert loss(scores, labels).shape == ()
    with pytest.raises(ValueError, match="input 1 must be of dtype int"):
        loss(scores, ops.cast(labels, "float32"))


def test_a_size_that_is_not_known_fits_any_other():
    same = shapes("b h, b h -> b h")(lambda x, y: y)
    assert same(keras.Input((None,)), keras.Input((3,))).shape == (None, 3)
    with pytest.raises(ValueError, match="axis 1 is 4, but h is 3"):
        same(keras.Input((3,)), keras.Input((4,)))


def test_a_result_that_does_not_fit():
    @shapes("b h -> b h+n")
    def longer(x, n=1):
        return ops.pad(x, ((0, 0), (0, 1)))

    assert longer(ops.ones((2, 3))).shape == (2, 4)
    for _ in range(2):
        with pytest.raises(CheckError, match=r"longer: the result [^$]*axis 1: h\+n is 5, got 4"):
            longer(ops.ones((2, 3)), 2)

    @shapes("b h -> b h+n")
    def too_short(x, n=2):
        return ops.pad(x, ((0, 0), (0, 1)))

    with pytest.raises(CheckError, match=r"axis 1: h\+n is 5, got 4"):
        too_short(ops.ones((2, 3)))  # what is not given has its default
    with pytest.raises(CheckError, match="tensors 0, 1"):
        shapes("b -> b, b")(lambda x: x)(ops.ones(2))
    with pytest.raises(CheckError, match="int expected, got float32"):
        shapes("b -> int[b]")(lambda x: x)(ops.ones(2))
    with pytest.raises(CheckError, match="axis 0: k is 2, got 3"):
        shapes("b -> k, k")(lambda x: (x, ops.ones(3)))(ops.ones(2))


def test_it_is_shown_by_help_and_keeps_the_signature():
    import inspect

    assert folded.__doc__ == "Fold columns into channels.\n\nShapes: b h w c -> b h//2 w//2 2*c"
    assert [*inspect.signature(pooled).parameters] == ["x", "size", "mode"] and pooled.__name__ == "pooled"
    assert [*inspect.signature(Dense.call).parameters] == ["self", "x", "training"]
    assert "Shapes: b h w c -> b h w filters" in Dense.__doc__


@pytest.mark.parametrize("name", TARGETS)
def test_right_ones_pass_their_property_test(name):
    assert check_shapes(TARGETS[name], sides=(2, 9), max_examples=10).accepted > 3


def test_what_is_declared_of_nothing_is_refused():
    for spec, kind in ((3, TypeError), ("b h", ValueError), ("b h ->", None)):
        if kind is not None:
            with pytest.raises(kind, match="shapes: spec must be"):
                shapes(spec)
    with pytest.raises(TypeError, match="check_shapes: target must be a function or a class that is decorated"):
        check_shapes(len)

    @shapes("b h -> b h+n")
    def net(x, other):
        return x

    with pytest.raises(ValueError, match="check_shapes: params must be what gives other"):
        check_shapes(net)


SWITCHED = """
import sys
from layerblocks.testing import shapes
def half(x): return x
assert (shapes("b h -> b h//2")(half) is half) == (sys.argv[1] == "off"), "not as it is"
assert "Shapes: b h" in shapes("b h -> b h//2")(half).__doc__
print(", ".join({"keras", "hypothesis", "numpy"} & set(sys.modules)))
"""


@pytest.mark.parametrize("word", ["off", "on"])
def test_off_by_one_switch_it_is_not_there(word, monkeypatch):
    monkeypatch.setenv("LAYERBLOCKS_SHAPES", word)
    done = subprocess.run([sys.executable, "-c", SWITCHED, word], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@needs_tensorflow
def test_a_step_of_tf_data():
    import tensorflow as tf

    @shapes("h w 3, int[] -> 8 8 3, int[]")
    def step(image, label):
        return tf.image.resize(image, (8, 8)), label

    data = tf.data.Dataset.from_tensor_slices((np.zeros((2, 5, 6, 3), "float32"), np.zeros(2, "int32"))).map(step)
    assert next(iter(data))[0].shape == (8, 8, 3)

    @shapes("h w 3, int[] -> 8 9 3, int[]")
    def wrong(image, label):
        return tf.image.resize(image, (8, 8)), label

    with pytest.raises(Exception, match="axis 1: 9, got 8"):  # AutoGraph makes another error of it
        tf.data.Dataset.from_tensor_slices((np.zeros((2, 5, 6, 3), "float32"), np.zeros(2, "int32"))).map(wrong)


def test_a_call_costs_little():
    plain, declared, x = (lambda x: x), shapes("b h w c -> b h w c")(lambda x: x), np.zeros((2, 3, 4, 5))
    declared(x)  # reads the declaration once
    assert calls_of(lambda: declared(x)) - calls_of(lambda: plain(x)) <= 12


# The repository of a stranger: plain Keras, three layers, a loss, an augmentation.

STRANGER = {
    "strangers/__init__.py": "",
    "strangers/own_layers.py": """
        import keras
        from keras import layers, ops
        from layerblocks.testing import shapes

        @shapes("b h w c -> b ceil(h/2) ceil(w/2) filters")
        class Down(keras.layers.Layer):
            def __init__(self, filters: int, **options):
                super().__init__(**options)
                self.filters = filters
                self.conv = layers.Conv2D(filters, 3, strides=2, padding="same")

            def call(self, x):
                return self.conv(x)

        @shapes("b h w c -> b c")
        class Attention(keras.layers.Layer):
            def build(self, shape):
                self.scores = layers.Dense(1)
                self.scores.build(shape)

            def call(self, x):
                weights = ops.sigmoid(self.scores(x))
                return ops.sum(weights * x, axis=(1, 2)) / ops.sum(weights, axis=(1, 2))

        @shapes("b h w c, b ceil(h/2) ceil(w/2) d -> b h w c+d")
        class Merge(keras.layers.Layer):
            def call(self, skip, x):
                up = ops.repeat(ops.repeat(x, 2, 1), 2, 2)
                return ops.concatenate([skip, CROPPED], -1)
    """,
    "strangers/training.py": """
        from keras import ops
        from layerblocks.testing import shapes

        @shapes("b h w k, b h w k -> b")
        def dice(y_true, y_pred):
            overlap = ops.sum(y_true * y_pred, axis=AXES)
            return 1 - 2 * overlap / (ops.sum(y_true + y_pred, axis=AXES) + 1e-6)

        @shapes("b h w c -> b size size c where h >= size, w >= size")
        def crop(images, size: int):
            top, left = (images.shape[1] - size) // 2, (images.shape[2] - size) // 2
            return images[:, top : top + size, left : left + size]
    """,
}
RIGHT = {"CROPPED": "up[:, : skip.shape[1], : skip.shape[2]]", "AXES": "(1, 2, 3)"}
WRONG = {"CROPPED": "up", "AXES": "(0, 1, 2)"}


def stranger(pytester, request, words):
    import textwrap

    for name, text in STRANGER.items():
        for word, code in words.items():
            text = text.replace(word, code)
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    known = request.config.pluginmanager.hasplugin("layerblocks")
    plugin = [] if known else ["-p", "layerblocks.testing.plugin"]
    return pytester.runpytest_inprocess(
        *plugin, "-p", "no:cacheprovider", "--layerblocks-shapes", "--layerblocks-examples=10", "strangers"
    )


@pytest.mark.sweep
def test_a_strangers_repository_gains_its_tests_by_one_command(pytester, request):
    stranger(pytester, request, RIGHT).assert_outcomes(passed=5)


def test_two_planted_bugs_of_a_stranger_are_found(pytester, request):
    result = stranger(pytester, request, WRONG)
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*smallest   inputs (None, 1, 1, 1), (None, 1, 1, 1)*",
            "*smallest   inputs (1, 1, 1, 2), (1, 1, 1, 2)*",
            "*layerblocks: to reproduce*",
            "from strangers.training import dice",
            "*y = dice(x1, x2)",
        ]
    )


def test_nothing_is_collected_unless_it_is_asked_for(pytester, request):
    for name, text in STRANGER.items():
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    plugin = [] if request.config.pluginmanager.hasplugin("layerblocks") else ["-p", "layerblocks.testing.plugin"]
    assert pytester.runpytest_inprocess(*plugin, "strangers").ret == pytest.ExitCode.NO_TESTS_COLLECTED
