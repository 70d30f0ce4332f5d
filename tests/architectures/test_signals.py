"""WaveNet, TCN and EEGNet: published counts and fields of view, what they compute in NumPy, bad input."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from layerblocks.architectures import build, eegnet, tcn, wavenet
from layerblocks.blocks import batch_norm, conv, conv_bn, weightless
from layerblocks.graphs import receptive_field
from layerblocks.models import inference_model

from .. import naive
from ..agreement import differ, images, made, randomize, run, trainable
from ..helpers import data_format


def weights(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def causal(x, kernel, bias, rate=1):
    """`batch length channels`: what a place sees lies before it, or is it."""
    out = np.zeros((*x.shape[:2], kernel.shape[-1])) + bias
    for place in range(x.shape[1]):
        for tap in range(len(kernel)):
            seen = place - (len(kernel) - 1 - tap) * rate
            out[:, place] += x[:, seen] @ kernel[tap] if seen >= 0 else 0
    return out


# WaveNet.


def test_a_stack_of_wavenet_sees_1024_samples():
    """Section 2.1 of the paper; the first convolution sees one more."""
    assert receptive_field(made(wavenet, stacks=1)) == (1024 + 1,)
    assert receptive_field(made(wavenet)) == (5 * 1023 + 1 + 1,)


def test_parameters_of_wavenet():
    """Those of tensorflow-wavenet, which has no bias in the first convolution, and a last residual that is unused."""
    gated, residual, skip = 2 * (2 * 32 * 32 + 32), 32 * 32 + 32, 32 * 512 + 512
    ends = 2 * 256 * 32 + (512 * 512 + 512) + (512 * 256 + 256)
    theirs = 50 * (gated + residual + skip) + ends
    assert theirs == 1_515_968 and trainable(made(wavenet)) == theirs + 32 - residual


def test_wavenet_in_numpy():
    model = randomize(wavenet(filters=3, skip_filters=4, dilations=(1, 2), stacks=2, input_shape=(None, 5), classes=6))
    w, x = weights(model), images(2, 11, 5)
    y, skips = causal(x, *w["stem.conv"]), 0
    for stack in (1, 2):
        for layer, rate in ((1, 1), (2, 2)):
            name = f"stack{stack}.layer{layer}"
            content, gate = (causal(y, *w[f"{name}.{part}.conv"], rate) for part in ("content", "gate"))
            z = np.tanh(content) / (1 + np.exp(-gate))
            skips = skips + causal(z, *w[f"stack{stack}.skip{layer}.conv"])
            if (stack, layer) != (2, 2):
                y = y + causal(z, *w[f"stack{stack}.residual{layer}.conv"])
    y = naive.relu(causal(naive.relu(skips), *w["mix.conv"]))
    assert differ(run(model, x), naive.softmax(causal(y, *w["score.conv"]))) < 1e-5


@pytest.mark.parametrize("network", [wavenet, tcn])
def test_nothing_depends_on_what_comes_after_it(network):
    small = {"filters": 3, "skip_filters": 4, "dilations": (1, 2, 4), "stacks": 2}
    options = small if network is wavenet else {"filters": (3, 4, 4), "kernel_size": 3}
    model = randomize(network(**options, input_shape=(24, 2), include_top=False))
    x = images(1, 24, 2)
    later = x.copy()
    later[:, 13:] += 1
    before, after = run(model, x), run(model, later)
    assert np.array_equal(before[:, :13], after[:, :13]) and differ(before[:, 13:14], after[:, 13:14]) > 1e-3


# TCN.


def test_published_counts_of_tcn():
    """Table 1 of the paper: 70 thousand for MNIST; 66,910 in the authors' code, the lengths of kernels among them."""
    first = (7 * 1 * 25 + 25 + 25) + (7 * 25 * 25 + 25 + 25) + (1 * 25 + 25)
    ours = first + 7 * 2 * (7 * 25 * 25 + 25 + 25) + 25 * 10 + 10
    assert trainable(made(tcn)) == ours == 66_910
    assert receptive_field(made(tcn, include_top=False)) == (1 + 2 * 6 * (2**8 - 1),) > (784,)


def test_tcn_in_numpy():
    model = randomize(tcn(filters=(3, 3, 4), kernel_size=2, input_shape=(None, 2), classes=5))
    w, x = weights(model), images(2, 9, 2)
    y = x
    for block, rate in ((1, 1), (2, 2), (3, 4)):
        z = y
        for number in (1, 2):
            kernel, bias, length = w[f"block{block}.conv{number}.conv"]
            kernel = length * kernel / np.sqrt(np.square(kernel).sum((0, 1)))
            z = naive.relu(causal(z, kernel, bias, rate))
        shortcut = w.get(f"block{block}.shortcut.conv")
        y = naive.relu(z + (y if shortcut is None else causal(y, *shortcut)))
    kernel, bias = w["classifier.predictions"]
    assert differ(run(model, x), naive.softmax(y[:, -1] @ kernel + bias)) < 1e-5


# EEGNet.

# Electrodes, samples, first kernel, classes; and table 3 of the paper: parameters of EEGNet-8,2 and EEGNet-4,2.
P300, MRCP, SMR = ((64, 128), 64, 2), ((64, 192), 64, 2), ((22, 256), 32, 4)
PUBLISHED = {P300: (2_258, 1_066), MRCP: (2_322, 1_098), SMR: (1_716, 796)}


@pytest.mark.parametrize("data", PUBLISHED)
@pytest.mark.parametrize(("place", "filters"), [(0, 8), (1, 4)])
def test_published_counts_of_eegnet(data, place, filters):
    (electrodes, samples), kernel, classes = data
    model = made(
        eegnet, filters=filters, kernel_size=kernel, input_shape=(electrodes, samples, 1), classes=classes, dropout=0.25
    )
    wide = 2 * filters
    norms = 2 * (filters + wide + wide)
    kernels = kernel * filters + electrodes * wide + 16 * wide + wide * wide
    dense = wide * (samples // 32) * classes + classes
    assert trainable(model) == PUBLISHED[data][place] == norms + kernels + dense


def test_eegnet_by_keras_alone():
    """Table 2 of the paper."""
    x = keras.Input((6, 70, 1))
    y = layers.BatchNormalization()(layers.Conv2D(3, (1, 8), padding="same", use_bias=False)(x))
    y = layers.DepthwiseConv2D((6, 1), depth_multiplier=2, use_bias=False)(y)
    y = layers.AveragePooling2D((1, 4))(keras.activations.elu(layers.BatchNormalization()(y)))
    y = layers.SeparableConv2D(6, (1, 16), padding="same", use_bias=False)(y)
    y = layers.AveragePooling2D((1, 8))(keras.activations.elu(layers.BatchNormalization()(y)))
    theirs = keras.Model(x, layers.Dense(2, activation="softmax")(layers.Flatten()(y)))
    ours = randomize(eegnet(filters=3, kernel_size=8, input_shape=(6, 70, 1)))
    theirs.set_weights(ours.get_weights())
    x = images(4, 6, 70, 1)
    expected = run(theirs, x)
    assert differ(run(ours, x), expected) < 1e-5 and differ(expected[0], expected[1]) > 1e-3
    folded = inference_model(ours)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in folded.layers)
    assert differ(run(folded, x), expected) < 1e-5


def test_norms_of_eegnet_are_held():
    """No kernel over the electrodes is longer than 1, none of a class longer than 0.25, after a step."""
    model = randomize(eegnet(filters=2, kernel_size=4, input_shape=(6, 64, 1)))
    for layer in model.layers:
        for weight in layer.weights:
            if weight.constraint is not None:
                weight.assign(weight.constraint(keras.ops.convert_to_tensor(weight)))
    w = weights(model)
    assert np.linalg.norm(w["spatial.conv"][0], axis=0).max() < 1 + 1e-5
    assert np.linalg.norm(w["classifier.predictions"][0], axis=0).max() < 0.25 + 1e-5
    held = {layer.name for layer in model.layers for weight in layer.weights if weight.constraint is not None}
    assert held == {"spatial.conv", "classifier.predictions"}


@pytest.mark.parametrize("shape", [(128, 1), (5, 7, 64, 2)])
def test_eegnet_of_signals_and_of_electrodes_in_a_plane(shape):
    with weightless():
        features = eegnet(input_shape=shape, include_top=False).output_shape
    assert features == (None, *[1] * (len(shape) - 2), shape[-2] // 32, 16)


# All three.

SMALL = {
    wavenet: {"filters": 3, "skip_filters": 4, "dilations": (1, 2), "stacks": 2},
    tcn: {"filters": (3, 4)},
    eegnet: {"filters": 2},
}


@pytest.mark.parametrize("network", SMALL)
def test_channels_first(network):
    shape = (6, 64, 3) if network is eegnet else (40, 3)
    last = randomize(network(**SMALL[network], input_shape=shape))
    with data_format("channels_first"):
        first = network(**SMALL[network], input_shape=(shape[-1], *shape[:-1]))
    assert [w.shape for w in first.weights] == [w.shape for w in last.weights]


@pytest.mark.parametrize("network", [wavenet, tcn])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_causal_networks_of_every_rank(network, rank):
    with weightless():
        model = network(**SMALL[network], input_shape=(*[None] * rank, 2), classes=5, conv=conv_bn)
    assert model.output_shape == ((None, *[None] * rank, 5) if network is wavenet else (None, 5))


@pytest.mark.parametrize(
    ("network", "options", "said"),
    [
        (wavenet, {"dilations": ()}, r"dilations must be a list of 1 or more positive integers, got \(\)"),
        (wavenet, {"dilations": (1, 0)}, r"dilations\[1\] must be a positive integer"),
        (wavenet, {"stacks": 0}, "stacks must be a positive integer"),
        (wavenet, {"filters": 0}, "filters must be a positive integer"),
        (tcn, {"filters": 25}, "filters must be .*, got 25"),
        (tcn, {"dropout": 2}, "dropout must be"),
        (eegnet, {"input_shape": (None, 128, 1)}, "input_shape must be of a known number of electrodes"),
        (eegnet, {"input_shape": (64, 31, 1)}, "input_shape must be at least 32×32"),
        (eegnet, {"depth_multiplier": 0}, "depth_multiplier must be a positive integer"),
    ],
)
def test_bad_input(network, options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=f"{network.__name__}: {said}") as caught:
        network(**options)
    assert "\n" not in str(caught.value)


def test_padding_before_the_first_pixel():
    """A unit of any kind and rank; as many zeros as the kernel is long with its holes."""
    x = keras.Input((9, 8, 3))
    model = randomize(keras.Model(x, conv(x, 4, (2, 3), dilation_rate=(3, 1), padding="causal", activation=None)))
    given, (kernel, bias) = images(2, 9, 8, 3), model.layers[-1].get_weights()
    padded = np.pad(given, ((0, 0), (3, 0), (2, 0), (0, 0)))
    assert differ(run(model, given), naive.conv(padded, kernel, bias, dilation=(3, 1), padding="valid")) < 1e-5
    with weightless():
        strided = conv(keras.Input((9, 3)), 4, 3, strides=2, padding="causal", norm=batch_norm)
    assert strided.shape == (None, 5, 4)


def test_they_are_in_the_catalogue():
    with weightless():
        assert [build(name).name for name in ("wavenet", "tcn", "eegnet_8_2")] == ["wavenet", "tcn", "eegnet_8_2"]
        assert build("eegnet_4_2", conv=partial(conv_bn, activation="relu")).output_shape == (None, 2)
