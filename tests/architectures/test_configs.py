"""Networks as plain data: what `config_of` tells, `build` makes again; words and tables in constructors."""

from __future__ import annotations

import json
import warnings
from functools import partial

import keras
import numpy as np
import pytest

from layerblocks import architectures as a
from layerblocks.__main__ import main
from layerblocks.blocks import conv_bn, group_norm, squeeze_excite, stochastic_depth, weightless
from layerblocks.models import remove, with_new_head

from ..helpers import array, data_format, images

GROUP_NORM = """
network: resnet18
input_shape: [1000, 12]
classes: 5
conv:
  name: conv_bn
  norm: [group_norm, {groups: 8}]
  kernel_initializer: he_normal
"""


def test_a_file_rebuilds_a_network_of_signals(tmp_path):
    """The same parameters, and from the same seed the same outputs."""
    (tmp_path / "net.yaml").write_text(GROUP_NORM)
    unit = partial(conv_bn, norm=partial(group_norm, groups=8), kernel_initializer="he_normal")
    keras.utils.set_random_seed(1)
    written = a.resnet18(input_shape=(1000, 12), classes=5, conv=unit)
    keras.utils.set_random_seed(1)
    read = a.build(tmp_path / "net.yaml")
    assert [(v.path, v.shape) for v in read.weights] == [(v.path, v.shape) for v in written.weights]
    x = images(2, 1000, 12)
    np.testing.assert_array_equal(array(read(x)), array(written(x)))
    assert a.config_of(a.build(a.write_config(read, tmp_path / "again.json"))) == a.config_of(read)


NETWORKS = {
    "transforms": partial(
        a.resnet50, repeats=(1, 1, 1, 1), transforms=[squeeze_excite, partial(stochastic_depth, rate=0.1)]
    ),
    "words": partial(a.resnet18, shortcut="pad", residual="bottleneck", conv=("conv", {"activation": "gelu"})),
    "a table": partial(a.vgg, convs=(1, (3, 1), 1, 1, 1), units=(8,)),
    "a family": partial(a.cifar_resnet, repeats=(1, 1, 1)),
    "a dialect": partial(a.resnet18, dialect="torchvision", use_bias=True),
    "an object": partial(a.vgg11, conv=partial(conv_bn, kernel_regularizer=keras.regularizers.L2(0.5))),
    "an activation": partial(a.resnet18, conv=partial(conv_bn, activation=keras.activations.gelu)),
    "layers": partial(a.resnet18, stem={"stem": {"filters": 8, "kernel_size": 3}, "pool": "max_pool"}),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_plain_data_rebuilds(case):
    with weightless():
        model = NETWORKS[case]()
        said = json.loads(json.dumps(a.config_of(model)))
        again = a.build(said)
    assert a.config_of(again) == said
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.count_params() == model.count_params()


def test_options_come_before_the_file():
    with weightless():
        assert a.build({"network": "resnet18", "classes": 5}, classes=7).output_shape == (None, 7)


def test_what_no_file_holds():
    with weightless():
        x = keras.Input((8,))
        with pytest.raises(ValueError, match="config_of: model must be a network of layerblocks"):
            a.config_of(keras.Model(x, keras.layers.Dense(1)(x)))
        with pytest.raises(ValueError, match=r"model must be a network as it was built; .* by with_new_head,"):
            a.config_of(with_new_head(a.resnet18(classes=10), 5))
        with pytest.raises(ValueError, match=r"config_of: model must be .* changed since by remove, got 'resnet18'"):
            a.config_of(remove(a.resnet18(), "stage4.block2"))
        with pytest.raises(TypeError, match="write_config: path must be a path, got 3"):
            a.write_config(a.resnet18(), 3)
        with pytest.raises(TypeError, match="config_of: conv must be given as a function that"):
            a.config_of(a.resnet18(conv=lambda x, filters, kernel_size=3, **o: conv_bn(x, filters, kernel_size, **o)))


@pytest.mark.parametrize(
    "config, message",
    [
        ({"network": "resnet81"}, "did you mean 'resnet18'"),
        ({"netwrk": "resnet18"}, "network must be the name of a network"),
        ({"network": "resnet18", "conv": "con_bn"}, "conv must be .* did you mean 'conv_bn'"),
        ({"network": "resnet18", "residual": "botleneck"}, "residual must be .* did you mean 'bottleneck'"),
        ({"network": "resnet18", "shortcut": "pda"}, "shortcut must be .* did you mean 'pad'"),
        ({"network": "resnet18", "clases": 3}, "did you mean 'classes'"),
        ("nothing.yaml", "a file that can be read"),
    ],
)
def test_a_mistyped_word_names_the_nearest(config, message):
    with weightless(), pytest.raises((TypeError, ValueError), match=message) as caught:
        a.build(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["- a", "{", "{}", "network: [1]"])
def test_files_that_are_no_configuration(text, tmp_path):
    (tmp_path / "net.yaml").write_text(text)
    with pytest.raises((TypeError, ValueError)) as caught:
        a.build(str(tmp_path / "net.yaml"))
    assert "\n" not in str(caught.value)


def test_the_command_line_draws_a_file(tmp_path, capsys):
    (tmp_path / "net.yaml").write_text("network: cifar_resnet\nrepeats: [1, 1, 1]\nconv: separable\n")
    assert main(["draw", str(tmp_path / "net.yaml"), "-o", str(tmp_path / "net.svg")]) == 0
    assert "<svg" in (tmp_path / "net.svg").read_text()
    assert main(["table", str(tmp_path / "net.yaml"), "-O", "classes=7"]) == 0
    assert "7" in capsys.readouterr().out


# Arguments of constructors.


def test_a_table_without_its_name():
    with weightless():
        assert a.resnet([2, 2, 2, 2]).count_params() == a.resnet(repeats=(2, 2, 2, 2)).count_params()
        assert a.vgg((1, 1, 2, 2, 2)).count_params() == 132_863_336
        for wrong in ((3,), ("resnet18",), ([3, 4, 6, 3], 64)):
            with pytest.raises(TypeError, match="arguments must be given by name"):
                a.resnet(*wrong)


@pytest.mark.parametrize("name", ["cifar_resnet20", "resnet18", "vgg11", "densenet121"])
def test_a_published_network_has_its_table(name):
    """The shape of an image given first was a table of blocks: 67 of them of ResNet-20, in silence."""
    with (
        weightless(),
        pytest.raises(TypeError, match=r"given by name.*did you mean input_shape=\(32, 32, 3\)") as caught,
    ):
        getattr(a, name)((32, 32, 3))
    assert "\n" not in str(caught.value)


def test_an_argument_of_the_unit_says_where_it_goes():
    said = r"unexpected argument 'norm'; conv=\{'name': 'conv_bn', 'norm': …\} has it everywhere"
    with weightless(), pytest.raises(TypeError, match=said):
        a.resnet18(norm="layer_norm")


def test_an_image_in_the_other_order_of_axes_is_said():
    with weightless():
        with pytest.warns(
            UserWarning, match=r"resnet18: input_shape \(3, 32, 32\) is an image of 3×32 with 32 channels"
        ):
            assert a.resnet18(input_shape=(3, 32, 32)).input_shape == (None, 3, 32, 32)
        with data_format("channels_first"), pytest.warns(UserWarning, match="image of 32×3 with 32 channels"):
            a.resnet18(input_shape=(32, 32, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for shape in ((32, 32, 3), (3, 32, 3), (3, 40, 32), (32, 3), (3, 32, 32, 1)):
                a.resnet18(input_shape=shape)


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "mobilenet", "unet", "inception_v3"])
def test_a_bias_beside_every_norm(name):
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Conv2DTranspose)
    with weightless():
        model = a.build(name, use_bias=True)
        assert all(layer.use_bias for layer in model.layers if isinstance(layer, kinds))
        without = a.build(name, use_bias=None)
        assert without.count_params() == a.build(name).count_params()


def test_volumes_have_a_padded_unet():
    with weightless():
        assert a.build("unet", input_shape=(64, 64, 64, 1)).output_shape == (None, 64, 64, 64, 2)
        assert a.config_of(a.build("unet", input_shape=(32, 32, 32, 1)))["dialect"] == "same"
