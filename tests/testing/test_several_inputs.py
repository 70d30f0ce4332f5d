"""`check_net` on nets of several inputs, on layers and models, and where it could pass without a test."""

from __future__ import annotations

import random
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import strategies as st
from keras import layers, ops

from layerblocks.blocks import decoder_block, weightless
from layerblocks.testing import CheckError, check_net
from layerblocks.testing.checks import Tried
from layerblocks.testing.reports import _source, imported

FEW = {"max_examples": 12, "sides": (1, 24)}


def wrong(build, spec, **options):
    with pytest.raises(CheckError) as caught:
        check_net(build, spec, **{"max_examples": 60, "sides": (1, 24), **options})
    return caught.value.report


def reproduced(report):
    names = dict(report.names)
    try:
        exec(report.code, names)
    except Exception as error:
        return error
    return names["y"].shape


# Right nets, and the same with a mistake.


def siamese(left, right, width=4):
    tower = keras.Sequential([layers.Conv2D(width, 3, padding="same"), layers.GlobalAveragePooling2D()])
    return layers.Dot(axes=1)([tower(left), tower(right)])


def streams(inputs):
    image, tokens = inputs["image"], inputs["tokens"]
    words = layers.GlobalAveragePooling1D()(layers.Embedding(9, 5)(tokens))
    maps = layers.Conv2D(4, 3, strides=2, padding="same")(image)
    return {"joint": layers.Concatenate()([layers.GlobalAveragePooling2D()(maps), words]), "maps": maps}


def timed(x, t, filters=4):
    """A U-Net of one step, conditioned on a time embedding."""
    embedding = layers.Dense(filters)(layers.Reshape((1, 1, 1))(t))
    down = layers.Conv2D(filters, 3, strides=2, padding="same")(x)
    up = layers.Conv2DTranspose(filters, 3, strides=2, padding="same")(layers.Activation("silu")(down * embedding))
    return layers.Conv2D(3, 1)(layers.Concatenate()([up, x]))


def test_a_decoder_block_with_its_skip():
    spec = "b h w c, b 2*h 2*w d -> b 2*h 2*w filters"
    done = check_net(decoder_block, spec, params={"filters": st.integers(1, 4)}, **FEW)
    assert done.accepted == done.examples > 1

    def no_skip(x, skip, filters):
        return layers.Conv2DTranspose(filters + 0 * skip.shape[-1], 2, strides=2)(x)

    check_net(no_skip, spec, params={"filters": 2}, **FEW)  # shapes alone do not tell
    report = wrong(lambda x, skip: layers.Concatenate()([x, skip]), "b h w c, b 2*h 2*w d -> b 2*h 2*w c+d")
    assert report.smallest == "inputs (None, 1, 1, 1), (None, 2, 2, 1)"
    assert "x2 = keras.Input(batch_shape=(None, 2, 2, 1))" in report.code and "(x1, x2)" in report.code
    assert isinstance(reproduced(report), ValueError)


def test_siamese_two_stream_and_time_conditioned_nets():
    check_net(siamese, "b h w c, b h w c -> b 1", **FEW)
    check_net(
        streams,
        "{image: b h w 3, tokens: int[b t]} -> {joint: f32[b 9], maps: b ceil(h/2) ceil(w/2) 4}",
        **FEW,
    )
    check_net(timed, "b h w 3, f32[b] -> b h w 3 where h % 2 == 0, w % 2 == 0", broadcasts=True, **FEW)
    report = wrong(timed, "b h w 3, b -> b h w 3", broadcasts=True)
    assert report.smallest == "inputs (None, 1, 1, 3), (None,)" and isinstance(reproduced(report), ValueError)
    report = wrong(siamese, "b h w c, b h w d -> b 1")
    assert report.title == "check_net: it refuses an input that the spec allows"
    assert report.smallest.startswith("inputs (None, 1, 1, ")


def test_keys_are_arguments_where_the_net_has_them():
    def net(*, image, mask):
        return layers.Multiply()([image, mask])

    check_net(net, "{image: b h w c, mask: b h w 1} -> b h w c", **FEW)
    report = wrong(net, "{mask: b h w 1, image: b h w c} -> b h w 1")
    assert report.smallest == "inputs mask=(None, 1, 1, 1), image=(None, 1, 1, 2)"
    assert report.code.splitlines()[-2].endswith("(mask=mask, image=image)") and reproduced(report)[-1] == 2


def test_a_dict_of_one_input_stays_one():
    report = wrong(lambda inputs: layers.ReLU()(inputs["image"]), "{image: b h w c} -> b h w 2")
    assert report.code.splitlines()[-2] == 'y = build({"image": image})' and reproduced(report)[-1] == 1


def test_several_outputs_without_keys_and_a_list_of_inputs():
    check_net(lambda x: (x, layers.GlobalAveragePooling2D()(x)), "b h w c -> b h w c, b c", **FEW)
    check_net(layers.Concatenate(), "b h c, b h d -> b h c+d", **FEW)
    report = wrong(layers.Concatenate(), "b h c, b h d -> b h c+c")
    assert report.code.splitlines()[-2] == "y = build([x1, x2])" and len(reproduced(report)) == 3


def test_any_number_of_axes():
    done = check_net(lambda x: layers.Dense(5)(x), "b ... c -> b ... 5", max_examples=12, sides=(1, 5))
    assert done.examples > 3
    check_net(lambda x: layers.Flatten()(x), "b ... -> b prod(...)", max_examples=12, sides=(1, 5), unknown=False)
    assert "axis" in wrong(lambda x: layers.Dense(5)(x), "b ... c -> b ... c", sides=(1, 5)).off[0]


def test_an_axis_that_may_be_missing_is_tried_with_and_without():
    ranks = set()

    def net(x):
        ranks.add(len(x.shape))
        return layers.Activation("relu")(x)

    check_net(net, "b t c? -> b t c?", max_examples=12, sides=(1, 5), seed=0)
    assert ranks == {2, 3}


def test_a_channel_that_stands_first_is_no_side():
    """Whatever Keras's data format is, c is what a layer is built for."""
    seen = []

    def net(x):
        seen.append(x.shape)
        return layers.Conv2D(2, 1, data_format="channels_first")(x)

    with weightless():
        shape = net(keras.Input((3, 4, 5))).shape
    assert shape == (None, 2, 4, 5)
    if keras.backend.backend() != "tensorflow":
        check_net(net, "b c h w -> b 2 h w", **FEW)
        check_net(lambda x: layers.BatchNormalization(axis=1)(x), "b 3 h w -> b 3 h w", **FEW)
        assert all(1 <= shape[1] <= 8 for shape in seen) and any(shape[2] is None for shape in seen)


def test_only_sizes_that_the_conditions_allow_are_tried():
    seen = []

    def net(x):
        seen.append(x.shape[1:3])
        return layers.MaxPooling2D(8)(x)

    done = check_net(net, "b h w c -> b h//8 w//8 c where h >= 32, h % 8 == 0, 16 < w <= 40", unknown=False)
    assert done.examples > 5
    assert all(h % 8 == 0 and h >= 32 and 16 < w <= 40 for h, w in seen)


def test_outputs_of_unknown_sizes_are_compared_one_by_one():
    """One of several claims to know its size, or is missing there."""

    def claims(x):
        return {"a": x, "b": layers.Resizing(x.shape[1] or 7, x.shape[2] or 7)(x)}

    def lacks(x):
        return {"a": x} if x.shape[1] is None else {"a": x, "b": x}

    for net in (claims, lacks):
        assert "claims to know" in wrong(net, "b h w c -> {a: b h w c, b: b h w c}").title


@pytest.mark.parametrize("other", [lambda x: x[..., None], lambda x: {"a": x}])
def test_another_kind_of_output_for_unknown_sizes_is_told_from_that_for_a_size(other):
    report = wrong(lambda x: other(x) if x.shape[1] is None else x, "b h w c -> b h w c")
    assert "claims to know" in report.title and report.smallest == "input (None, 1, 1, 1)"


# Layers and models.


class Scale(keras.layers.Layer):
    def __init__(self, factor=2, **options):
        super().__init__(**options)
        self.factor = factor

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1],))

    def call(self, x):
        return x * self.kernel * self.factor


class Net(keras.Model):
    def __init__(self, filters):
        super().__init__()
        self.inner = keras.Sequential([layers.Conv2D(filters, 3, strides=2, padding="same"), Scale()])
        self.pool = layers.MaxPooling2D(2)

    def call(self, x, training=False):
        return self.pool(self.inner(x))


def test_layers_and_models_by_class_and_as_they_are():
    check_net(Scale, "b h w c -> b h w c", params={"factor": st.integers(1, 3)}, **FEW)
    check_net(Scale(3), "b h w c -> b h w c", **FEW)  # made anew for other channels
    spec = "b h w c -> b ceil(h/2)//2 ceil(w/2)//2 filters"
    check_net(Net, spec, params={"filters": st.integers(1, 3)}, too_small="skip", **FEW)
    report = wrong(Net, "b h w c -> b h//4 w//4 filters", params={"filters": 1}, too_small="skip", sides=(1, 40))
    assert report.smallest in ("input (None, 4, 7, 1), filters=1", "input (None, 7, 4, 1), filters=1")
    assert "y = Net(filters=1)(x)" in report.code and reproduced(report)[1:3] in ((1, 2), (2, 1))
    with weightless():
        model = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3)])
    check_net(model, "b h w 3 -> b h-2 w-2 4", **FEW)
    report = wrong(model, "b h w 3 -> b h-2 w-2 5", too_small="skip")
    assert report.code.splitlines()[-2] == "y = build(x)" and reproduced(report)[-1] == 4


# Nothing is taken for tested that was not.


def test_a_check_of_nothing_is_an_error():
    def pooled(x):
        return layers.MaxPooling2D(32)(x)

    for options in ({"sides": (1, 20)}, {"sides": (1, 20), "too_small": "skip"}):
        with pytest.raises(ValueError, match=r"check_net: sides must be such that .*leave images.*accepted"):
            check_net(pooled, "b h w c -> b h//32 w//32 c", max_examples=30, **options)
    with pytest.raises(ValueError, match="check_net: sides must be such that"):
        check_net(pooled, "b h w c -> b h w c where h > 100, h < w", max_examples=30)
    with pytest.raises(ValueError, match="check_net: sides must be such that"):
        check_net(pooled, "b h w c -> b h w c where c > 100", max_examples=30)


def test_what_was_tried_is_said():
    done = check_net(lambda x: layers.MaxPooling2D(2)(x), "b h w c -> b h//2 w//2 c", max_examples=30, seed=1)
    assert isinstance(done, Tried) and 5 < done.examples <= 30 and done.accepted + done.refused == done.examples
    assert done.accepted > 0 < done.refused
    again = check_net(lambda x: layers.MaxPooling2D(2)(x), "b h w c -> b h//2 w//2 c", max_examples=30, seed=1)
    assert again == done
    report = wrong(lambda x: layers.MaxPooling2D(2)(x), "b h w c -> b ceil(h/2) w//2 c")
    assert report.tried.endswith("refused as too small") and f"tried      {report.tried}" in str(report)


@pytest.mark.parametrize("draw", [random.random, np.random.random])
def test_a_net_that_draws_random_numbers_is_noticed(draw):
    """Hypothesis seeds both, so that a plain repetition would see nothing."""

    def stochastic_depth(x):
        for _ in range(3):
            if draw() < 0.5:
                x = layers.Conv2D(2, 3, padding="same")(x)
        return layers.Conv2D(2, 1)(x)

    report = wrong(stochastic_depth, "b h w c -> b h w 2", unknown=False)
    assert "built again it is another net" in report.title and report.off


def test_a_net_that_counts_its_calls_is_noticed():
    calls = []

    def net(x):
        calls.append(1)
        return layers.Conv2D(2, 1 + 2 * (len(calls) % 2), padding="same")(x)

    assert "built again" in wrong(net, "b h w c -> b h w 2", unknown=False).title


def test_which_argument_to_change_is_said():
    def deep(x):
        for _ in range(3):
            x = layers.MaxPooling2D(2)(x)
        return layers.GlobalAveragePooling2D()(x)

    with pytest.raises(CheckError) as caught:
        check_net(deep, "b h w c -> b c", max_examples=12)
    report = caught.value.report
    assert report.smallest == "input (None, 1, 1, 1)"
    assert report.hint == "from 8 on it accepts this one: sides=(8, 96) or least=8, if that is meant"
    check_net(deep, "b h w c -> b c", least=8, max_examples=12)


def test_the_report_holds_no_colours():
    """Keras colours its messages."""
    report = wrong(lambda x: layers.Conv2D(2, 3, groups=2)(layers.Dense(3)(x)), "b h w c -> b h-2 w-2 2")
    assert "\x1b" not in str(report) + report.code and report.got.startswith("ValueError: ")


def test_what_no_module_gives_comes_with_its_source_where_that_can_stand_alone():
    def own(x):
        return ops.relu(x)

    def half(x):
        return own(x) / 2

    assert imported(own, check_net) == (["from layerblocks.testing import check_net"], {"own": own})
    assert _source("own", own) == (["from keras import ops"], ["def own(x):", "    return ops.relu(x)", ""])
    imports, (comment,) = _source("half", half)
    assert imports == [] and comment.startswith("# half: ") and "test_several_inputs" in comment


LOCAL = """
import keras
from layerblocks.testing import CheckError, check_net

def pooled(x, size):
    return keras.layers.MaxPooling2D(size, padding="same")(x)

def test():
    try:
        check_net(pooled, "b h w c -> b ceil(h/size) w//size c", params={"size": 2}, too_small="skip", max_examples=60)
    except CheckError as error:
        return error.report.code

print(test())
"""


def test_the_code_runs_as_printed(tmp_path):
    """In another process, with no more than what is printed, of a function of a script."""
    script = tmp_path / "own.py"
    script.write_text(LOCAL)
    code = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("((None, 1, 2, 1)"), (code, done.stdout)


def test_a_sum_over_the_batch_keeps_its_shape_secret():
    """What shapes cannot tell, the checks of properties do: see test_properties."""
    check_net(lambda x: x - ops.mean(x, 0, keepdims=True), "b h w c -> b h w c", broadcasts=True, **FEW)
