"""DCGAN and pix2pix: published counts, what they compute by NumPy and by torch, every size, bad input."""

from __future__ import annotations

from functools import partial
from itertools import chain, pairwise

import keras
import numpy as np
import pytest

from layerblocks.architectures import dcgan_discriminator, dcgan_generator, pix2pix_discriminator, pix2pix_generator
from layerblocks.blocks import conv_bn, layer_norm, weightless
from layerblocks.graphs import receptive_field
from layerblocks.models import inference_model

from ..agreement import differ, images, made, randomize, run, trainable

PAIRS = {"generator": (100, 512, 256, 128, 64, 3), "discriminator": (3, 64, 128, 256, 512, 1)}
SMALL = (2, 3, 4, 5)
TINY = {"filters": (2, 3, 4, 5), "dropout": 0.5}


@pytest.mark.parametrize(
    ("network", "widths", "published"),
    [(dcgan_generator, PAIRS["generator"], 3_576_704), (dcgan_discriminator, PAIRS["discriminator"], 2_765_568)],
)
def test_published_counts_of_dcgan(network, widths, published):
    """Of PyTorch's example: kernels of 4×4 without biases, and norms but at the image and at the score."""
    norms = widths[1:-1] if network is dcgan_generator else widths[2:-1]
    kernels = sum(16 * before * after for before, after in pairwise(widths))
    assert trainable(made(network)) == published == kernels + 2 * sum(norms)


def test_figure_1_of_dcgan():
    """Twice as many filters: maps of 4×4×1024, 8×8×512, 16×16×256, 32×32×128 and 64×64×3."""
    model = made(dcgan_generator, filters=(128, 256, 512, 1024))
    shapes = dict.fromkeys(layer.output.shape[1:] for layer in model.layers[1:])
    assert [*shapes] == [(4, 4, 1024), (8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)]


def test_published_count_of_the_generator_of_pix2pix():
    """54,413,955 in the authors' code."""
    down = (3, 64, 128, 256, 512, 512, 512, 512, 512)
    up = [(512, 512), (1024, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64)]
    kernels = sum(16 * a * b for a, b in [*pairwise(down), *up, (128, 3)])
    norms = 2 * sum(down[2:-1]) + 2 * sum(filters for _, filters in up)
    assert trainable(made(pix2pix_generator)) == 54_413_955 == kernels + norms + 3


def test_published_count_and_patch_of_the_discriminator_of_pix2pix():
    """2,768,705 in the authors' code; patches of 70×70 pixels by section 3.2.2 of the paper."""
    model = made(pix2pix_discriminator)
    kernels = sum(16 * a * b for a, b in [(6, 64), (64, 128), (128, 256), (256, 512), (512, 1)])
    assert trainable(model) == 2_768_705 == kernels + 64 + 2 * (128 + 256 + 512) + 1
    assert receptive_field(model) == (70, 70) and model.output_shape == (None, 30, 30, 1)


def test_where_dropout_is():
    """Appendix 6.1: after the first three of the way up."""
    with weightless():
        model = pix2pix_generator()
    assert [layer.name for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [
        f"up{number}.dropout" for number in (1, 2, 3)
    ]


# Torch's own layers.


def hand_over(model: keras.Model, theirs: list) -> None:
    """Kernels, biases, norms and their statistics in the order in which the networks have them."""
    import torch

    ours = [layer for layer in model.layers if layer.weights]
    for layer, module in zip(ours, theirs, strict=True):
        values = layer.get_weights()
        if isinstance(module, torch.nn.BatchNorm2d):
            targets = (module.weight, module.bias, module.running_mean, module.running_var)
        else:
            targets = (module.weight,) if module.bias is None else (module.weight, module.bias)
            # Both keep (in, out) of a transposed kernel the other way round; a dense kernel is one of 4×4 pixels.
            kernel = values[0] if values[0].ndim == 4 else values[0].reshape(*module.kernel_size, -1, 1)
            values[0] = kernel.transpose(3, 2, 0, 1)
        for target, value in zip(targets, values, strict=True):
            target.data = torch.from_numpy(value.copy())


def of_torch(module, x: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return module.eval()(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)


def test_dcgan_by_torch():
    nn = pytest.importorskip("torch").nn
    enlarge, shrink = partial(nn.ConvTranspose2d, bias=False), partial(nn.Conv2d, bias=False)
    a, b, c, d = SMALL
    up = [(7, d, 1, 0), (d, c, 2, 1), (c, b, 2, 1), (b, a, 2, 1)]
    steps = [[enlarge(i, o, 4, s, p), nn.BatchNorm2d(o), nn.ReLU()] for i, o, s, p in up]
    generator = nn.Sequential(*chain(*steps), enlarge(a, 3, 4, 2, 1), nn.Tanh())
    steps = [[shrink(i, o, 4, 2, 1), nn.BatchNorm2d(o), nn.LeakyReLU(0.2)] for i, o in ((a, b), (b, c), (c, d))]
    discriminator = nn.Sequential(
        shrink(3, a, 4, 2, 1), nn.LeakyReLU(0.2), *chain(*steps), shrink(d, 1, 4, 1, 0), nn.Sigmoid()
    )
    for theirs, ours, x in (
        (generator, dcgan_generator(filters=SMALL, input_shape=(1, 1, 7)), images(2, 1, 1, 7)),
        (discriminator, dcgan_discriminator(filters=SMALL), images(2, 64, 64, 3)),
    ):
        randomize(ours)
        hand_over(ours, [module for module in theirs if [*module.parameters()]])
        expected = of_torch(theirs, x)
        assert differ(run(ours, x).reshape(expected.shape), expected) < 1e-5


def test_pix2pix_by_torch():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Generator(nn.Module):
        """Of three resolutions."""

        def __init__(self):
            super().__init__()
            widths = (3, 2, 3, 4)
            self.down = nn.ModuleList(nn.Conv2d(i, o, 4, 2, 1, bias=False) for i, o in pairwise(widths))
            self.down_norm = nn.BatchNorm2d(3)
            self.up = nn.ModuleList([nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False)])
            self.up.append(nn.ConvTranspose2d(6, 2, 4, 2, 1, bias=False))
            self.up.append(nn.ConvTranspose2d(4, 3, 4, 2, 1))
            self.up_norms = nn.ModuleList([nn.BatchNorm2d(3), nn.BatchNorm2d(2)])

        def forward(self, x):
            leak = partial(nn.functional.leaky_relu, negative_slope=0.2)
            first = self.down[0](x)
            second = self.down_norm(self.down[1](leak(first)))
            y = self.up_norms[0](self.up[0](torch.relu(self.down[2](leak(second)))))
            y = self.up_norms[1](self.up[1](torch.relu(torch.cat([second, y], 1))))
            return torch.tanh(self.up[2](torch.relu(torch.cat([first, y], 1))))

    theirs = Generator()
    ours = randomize(pix2pix_generator(filters=(2, 3, 4), input_shape=(16, 24, 3)))
    down, up = [*theirs.down], [*theirs.up]
    hand_over(
        ours, [down[0], down[1], theirs.down_norm, down[2], up[0], theirs.up_norms[0], up[1], theirs.up_norms[1], up[2]]
    )
    x = images(2, 16, 24, 3)
    assert differ(run(ours, x), of_torch(theirs, x)) < 1e-5
    patches = nn.Sequential(
        *(nn.Conv2d(6, 2, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(2, 3, 4, 2, 1, bias=False), nn.BatchNorm2d(3), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(3, 4, 4, 1, 1, bias=False), nn.BatchNorm2d(4), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(4, 1, 4, 1, 1), nn.Sigmoid()),
    )
    ours = randomize(pix2pix_discriminator(filters=(2, 3, 4), input_shape=(33, 40, 6)))
    hand_over(ours, [module for module in patches if [*module.parameters()]])
    x = images(2, 33, 40, 6)
    assert differ(run(ours, x), of_torch(patches, x)) < 1e-5


# Every size and rank.


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_sides_and_ranks(rank):
    unknown = (None,) * rank
    with weightless():
        for side in (1, 3):
            made = dcgan_generator(filters=SMALL, input_shape=(*[side] * rank, 6))
            assert made.output_shape == (None, *[16 * (side + 3)] * rank, 3)
        assert dcgan_generator(filters=SMALL, input_shape=(*unknown, 6)).output_shape == (None, *unknown, 3)
        assert dcgan_discriminator(filters=SMALL, input_shape=(*[48] * rank, 3)).output_shape == (None, 1)
        assert dcgan_discriminator(filters=SMALL, input_shape=(*[33] * rank, 3), include_top=False).output_shape == (
            *(None, *[3] * rank, 5),
        )
        for side in (1, 16, 31, None):
            shape = pix2pix_generator(**TINY, input_shape=(*[side] * rank, 3), classes=2).output_shape
            assert shape == (None, *[side] * rank, 2)
        assert pix2pix_discriminator(filters=SMALL, input_shape=(*[24] * rank, 6)).output_shape == (
            None,
            *[1] * rank,
            1,
        )


def test_odd_sides_of_pix2pix():
    """Known or not, the image made has the size of the one given."""
    static, unknown = (pix2pix_generator(**TINY, input_shape=(*sides, 3)) for sides in ((13, 22), (None, None)))
    unknown.set_weights(randomize(static).get_weights())
    x = images(2, 13, 22, 3)
    assert run(static, x).shape == (2, 13, 22, 3) and differ(run(unknown, x), run(static, x)) < 1e-6


@pytest.mark.parametrize("network", [dcgan_generator, dcgan_discriminator, pix2pix_generator, pix2pix_discriminator])
def test_every_norm_folds_into_its_convolution(network):
    shape = {dcgan_generator: (2, 2, 6), pix2pix_discriminator: (32, 32, 6)}.get(network, (32, 32, 3))
    model = randomize(network(filters=SMALL, input_shape=shape))
    folded, x = inference_model(model), images(2, *shape)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)
    assert differ(run(folded, x), run(model, x)) < 1e-5


def test_the_way_up_has_the_activation_of_the_way_down_but_its_leak():
    def activations(**options):
        with weightless():
            layers = pix2pix_generator(**TINY, input_shape=(16, 16, 3), **options).layers
        return {
            layer.name: getattr(layer.activation, "__name__", "") for layer in layers if ".activation" in layer.name
        }

    usual = activations()
    assert {usual[f"down{number}.activation"] for number in (2, 3)} == {"leaky_relu"}
    assert {usual[f"up{number}.activation"] for number in (1, 2, 3)} == {"relu"}
    assert activations(use_bias=True) == usual
    assert {*activations(conv=partial(conv_bn, activation="gelu", norm=layer_norm)).values()} == {"gelu"}


@pytest.mark.parametrize(
    ("network", "options", "said"),
    [
        (dcgan_generator, {"filters": (64, 0)}, r"filters\[1\] must be a positive integer"),
        (dcgan_generator, {"up": 3}, "up must be"),
        (dcgan_discriminator, {"filters": ()}, "filters must be"),
        (dcgan_discriminator, {"input_shape": (None, None, 3)}, "x must be|input_shape must be"),
        (pix2pix_generator, {"filters": (64,)}, "filters must be"),
        (pix2pix_generator, {"dropout": -1}, "dropout must be"),
        (pix2pix_discriminator, {"input_shape": (23, 64, 6)}, "input_shape must be at least 24×24"),
    ],
)
def test_bad_input(network, options, said):
    with weightless(), pytest.raises((TypeError, ValueError), match=f"({said})") as caught:
        network(**options)
    assert "\n" not in str(caught.value)
