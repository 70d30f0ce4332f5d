"""Segmentation: what is fed and cropped, what is counted, what a run leaves, what is refused."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from layerblocks.architectures import unet
from layerblocks.blocks import conv, weightless

from ..helpers import needs_tensorflow
from .programs import lines_of_refusal, programs

pytestmark = needs_tensorflow

counts, data, masks, runs, segment = programs("confusion", "data", "masks", "runs", "segment")
confusion, intersection_over_union = counts.confusion, counts.intersection_over_union

SMALL = ["--width", 4, "--epochs", 2, "--batch-size", 4, "--verbose", 0]


def call(*words):
    """The exit code of segment.py in this process."""
    return runs.exit_code("segment.py", lambda: segment.main([*map(str, words)]))


def refused(capsys, *words):
    said = lines_of_refusal(capsys, lambda: call(*words))
    assert len(said) == 1 and ": error: " in said[-1]
    return said[-1].partition(": error: ")[2]


# -- counts -----------------------------------------------------------------------------------------------------------


@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 99))
def test_intersection_over_union(classes, pixels, seed):
    truth, found = np.random.default_rng(seed).integers(0, classes, (2, pixels))
    each = intersection_over_union(confusion(truth, found, classes))
    for label, value in enumerate(each):
        one, other = ({*np.flatnonzero(labels == label)} for labels in (truth, found))
        assert np.isnan(value) if not one | other else value == len(one & other) / len(one | other)
    metric = keras.metrics.MeanIoU(classes)
    metric.update_state(truth, found)
    np.testing.assert_allclose(np.nanmean(each), float(metric.result()), rtol=1e-5)


def test_ignored_pixels_count_for_nothing():
    truth = np.array([[[0, 1], [2, 255]]])
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    scores = np.random.default_rng(0).dirichlet(np.ones(3), (1, 2, 2)).astype("float32")
    counted = -np.log(scores[truth != 255, truth[truth != 255]]).mean()
    assert float(loss(truth, scores)) == pytest.approx(counted, rel=1e-5)


# -- shapes -----------------------------------------------------------------------------------------------------------


def test_shapes_follow_from_the_seed_and_look_as_their_masks_say():
    one, same, other = (masks.shapes(30, 64, seed) for seed in (0, 0, 1))
    assert (one.images.sources == same.images.sources).all() and (one.masks == same.masks).all()
    assert (one.masks != other.masks).any()
    assert one.images.sources.shape == (30, 64, 64, 3) and one.masks.shape == (30, 64, 64)
    assert {*np.unique(one.masks)} == {0, 1, 2, 3}
    for image, mask in zip(one.images.sources / 255.0, one.masks, strict=True):
        assert image[mask == 0].std(axis=0).max() < 1.5 * masks.NOISE, "one colour and noise"


@given(st.sampled_from([*masks.CORNERS, "circle"]), st.integers(0, 99))
def test_areas_of_shapes(name, seed):
    """By the formulas for regular polygons, where the whole shape is in the picture."""
    side = 400
    generator = np.random.default_rng(seed)
    radius = np.random.default_rng(seed).uniform(0.12, 0.28) * side
    inside = masks.shape(name, side, generator)
    edges = (inside[[0, -1]].any(), inside[:, [0, -1]].any())
    corners = masks.CORNERS.get(name, 1000)
    area = corners / 2 * np.sin(2 * np.pi / corners) * radius**2
    assert inside.sum() <= area * 1.03 and (any(edges) or inside.sum() >= area * 0.97)


# -- sizes ------------------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.integers(1, 150), st.integers(1, 4))
def test_the_image_that_a_u_net_without_padding_takes(side, levels):
    image, (before, after) = segment.input_of_valid(side, levels)
    with weightless():
        output = unet(input_shape=(image, image, 1), filters=[2] * (levels + 1)).output_shape[1]
    assert side <= output < side + 2**levels, "or a smaller one did too, whose output has 2^levels pixels less"
    assert image - output == 2 * before and before + side + after == image


def test_the_sizes_of_the_paper():
    assert segment.input_of_valid(388, 4) == (572, (92, 92))


def test_mirrored_images_go_on_as_in_a_mirror():
    images = np.arange(2 * 4 * 4).reshape(2, 4, 4, 1)
    wide = np.asarray(masks.mirrored((2, 5), 4)(images))
    np.testing.assert_array_equal(wide, np.pad(images, ((0, 0), (2, 5), (2, 5), (0, 0)), mode="reflect"))


@pytest.mark.parametrize("dialect", ["same", "paper"])
@pytest.mark.parametrize("network", segment.NETWORKS)
def test_every_network_gives_every_pixel_a_class(network, dialect):
    masked = masks.shapes(2, 37, 0)
    arguments = segment.parser().parse_args([network, "--dialect", dialect, "--width", "2"])
    with weightless():
        model, border = segment.network(arguments, masked)
    assert model.output_shape == (None, 37, 37, 4)
    ((images, labels),) = masks.batches(masked, masked.images, 2, border)
    assert images.shape[1:] == model.input_shape[1:] and labels.shape == (2, 37, 37)


def test_the_output_lies_where_the_mask_does():
    """A network without padding that only copies: each pixel of its output sees the one of the image at its place."""
    side, masked = 21, masks.shapes(1, 21, 0)
    image, border = segment.input_of_valid(side, 2)

    def centre(shape, dtype=None):
        kernel = np.zeros(shape, "float32")
        middle = [slice(size // 2, size // 2 + 1) for size in shape[:2]]
        kernel[(*middle, 0, 0)] = 1
        return keras.ops.convert_to_tensor(kernel)

    model = unet(
        input_shape=(image, image, 3),
        filters=(4, 4, 4),
        conv=partial(conv, kernel_initializer=centre, activation="relu"),
        include_top=False,
    )
    # The last decoder takes the skip of the first level, which is one half of its channels, and nothing from below.
    first, found = model.get_layer("decoder1.conv1.conv"), []
    model = masks.cropped(model, side)
    ((images, _),) = masks.batches(masked, masked.images, 1, border)
    for skip in (0, 4):
        kernel = np.zeros(first.kernel.shape, "float32")
        kernel[1, 1, skip, 0] = 1
        first.kernel.assign(kernel)
        found.append(np.asarray(model(images))[0, ..., 0])
    red = masked.images.sources[0, ..., 0] / 255
    assert [np.allclose(one, red, atol=1e-5) for one in found].count(True) == 1


# -- folders ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Twelve images of two sizes with their masks, a palette in one of them and pixels that do not count."""
    root = tmp_path / "photos"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    shapes = masks.shapes(12, 32, 0)
    for number, (pixels, mask) in enumerate(zip(shapes.images.sources, shapes.masks, strict=True)):
        size = (32, 32) if number % 2 else (48, 40)
        Image.fromarray(pixels).resize(size).save(root / "images" / f"{number:02}.{'jpg' if number % 3 else 'webp'}")
        labels = mask.copy()
        labels[:2] = 255
        picture = Image.fromarray(labels).resize(size, Image.NEAREST)
        if number == 3:
            picture = Image.fromarray(np.asarray(picture), mode="P")
            picture.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
        picture.save(root / "masks" / f"{number:02}.png")
    return root


def test_a_folder(folder):
    masked = masks.folder(folder, 32)
    assert (masked.classes, masked.images.channels, masked.side) == (("0", "1", "2", "3"), 3, 32)
    truth = masks.shapes(12, 32, 0).masks
    truth[:, :2] = 255
    np.testing.assert_array_equal(masked.masks[1::2], truth[1::2])
    assert np.mean(masked.masks[::2] == truth[::2]) > 0.95, "those of another size are as near as pixels allow"
    (folder / "classes.txt").write_text("\n".join(masks.SHAPES))
    assert masks.folder(folder, 16).classes == masks.SHAPES


def test_each_image_keeps_its_mask(folder):
    masked = masks.folder(folder, 32)
    splits = masks.split(masked, 0.2, 0.2, seed=3)
    assert sorted(np.concatenate([part.labels for part in vars(splits).values()])) == list(range(12))
    assert [len(part) for part in vars(splits).values()] == [8, 2, 2]
    files = [str(path) for path in sorted((folder / "images").iterdir())]
    truth = [np.asarray(data.fitted(data.read_image(file), 32, 3, False)) for file in files]
    for images, labels in masks.batches(masked, splits.train, 3, (0, 0), start=0, seed=1).take(4):
        for image, mask in zip(images, labels, strict=True):
            number = int(np.argmin([np.abs(image - one).max() for one in truth]))
            np.testing.assert_allclose(image, truth[number], atol=1e-5)
            np.testing.assert_array_equal(mask, masked.masks[number])


def break_folder(folder, how):
    images, labels = folder / "images", folder / "masks"
    mask, picture = labels / "01.png", images / "01.jpg"
    if how == "no mask":
        mask.unlink()
    elif how == "no image":
        picture.unlink()
    elif how == "no masks at all":
        for file in labels.iterdir():
            file.unlink()
    elif how == "no folder":
        labels.rename(folder / "labels")
    elif how == "other size":
        Image.new("L", (31, 32)).save(mask)
    elif how == "colour":
        Image.new("RGB", (32, 32)).save(mask)
    elif how == "range":
        (folder / "classes.txt").write_text("\n".join(masks.SHAPES[:3]))
    elif how == "broken image":
        picture.write_bytes(picture.read_bytes()[:300])
    elif how == "broken mask":
        mask.write_bytes(b"no mask")
    elif how == "one class":
        for file in labels.iterdir():
            Image.new("L", Image.open(file).size, 0).save(file)
    elif how == "one name":
        (folder / "classes.txt").write_text("thing\n")
    elif how == "same name":
        picture.with_suffix(".png").write_bytes(picture.read_bytes())


@pytest.mark.parametrize(
    "how, said",
    {
        "no mask": "12 images and 11 masks; no mask for {folder}/images/01.jpg",
        "no image": "11 images and 12 masks; no image for {folder}/masks/01.png",
        "no masks at all": "{folder}/masks: no images in it",
        "no folder": "it must be a folder with images/ and masks/, and there is no masks/",
        "other size": "{folder}/masks/01.png: 31×32 pixels, but {folder}/images/01.jpg has 32×32",
        "colour": "{folder}/masks/01.png: a mask is one number a pixel, grey or from a palette, but this has mode RGB",
        "range": ".png: label 3, but they go from 0 to 2, and 255 is ignored",
        "broken image": "1 of 12 images cannot be read: {folder}/images/01.jpg (",
        "broken mask": "{folder}/masks/01.png: no mask that can be read (cannot identify image file",
        "one class": "the masks have one class (0) besides 255, which is ignored; there must be two",
        "one name": "classes.txt: 1 classes; there must be two or more",
        "same name": "{folder}/images/01.jpg and {folder}/images/01.png have the same name",
    }.items(),
)
def test_folders_that_nobody_can_train_on(folder, tmp_path, capsys, how, said):
    break_folder(folder, how)
    assert said.format(folder=folder) in refused(capsys, "--data", folder, "--output", tmp_path / "out", *SMALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words, said",
    [
        (
            ["--data", "no/such/folder"],
            "--data must be shapes or a folder with images/ and masks/, got 'no/such/folder'",
        ),
        (["--count", 9, "--validation", 0.5, "--test", 0.5], "--validation and --test take parts of 1 that leave some"),
        (["--count", 2], "1 images to validate and 1 to test on leave none of 2 to train on"),
        (["fcn4s"], "argument network: invalid choice: 'fcn4s'"),
        (["--ignore", 256], "argument --ignore: it must be a number from 0 to 255, got '256'"),
        (["--size", 0], "argument --size: it must be a number from 1 on, got '0'"),
    ],
)
def test_bad_arguments(tmp_path, capsys, words, said):
    assert said in refused(capsys, *words, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# -- runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_a_run_leaves_what_it_says(tmp_path, capsys):
    words = ["--size", 32, "--count", 50, "--width", 4, "--epochs", 2, "--verbose", 0, "--output", tmp_path]
    assert call(*words) == 0
    *each, mean = (tmp_path / "iou.txt").read_text().splitlines()
    assert capsys.readouterr().out.strip().endswith("\n".join([*each, mean]))
    assert [line.split(":")[0] for line in each] == [*masks.SHAPES]
    assert mean.startswith("test: 10 images, mean IoU 0.")
    shares = [float(line.split()[-1]) for line in each if line.split()[-1] != "nan"]
    assert float(mean.split()[-1]) == pytest.approx(np.mean(shares), abs=1e-3)
    assert {"best.keras", "predictions.svg", "predictions.png", "curves.svg"} <= {p.name for p in tmp_path.iterdir()}


@pytest.mark.sweep
def test_without_padding_on_a_folder_killed_and_not(folder, tmp_path, monkeypatch):
    words = ["unet", "--dialect", "paper", "--data", folder, "--size", 20, *SMALL, "--output"]
    assert call(*words, tmp_path / "whole") == 0
    best = keras.models.load_model(tmp_path / "whole" / "best.keras")
    image, _ = segment.input_of_valid(20, 3)
    assert (best.input_shape, best.output_shape) == ((None, image, image, 3), (None, 20, 20, 4))
    on_epoch_end, seen = runs.Keeper.on_epoch_end, []

    def killed(self, epoch, logs=None):
        seen.append(epoch)
        if len(seen) == 2:
            raise KeyboardInterrupt
        on_epoch_end(self, epoch, logs)

    monkeypatch.setattr(runs.Keeper, "on_epoch_end", killed)
    assert [call(*words, tmp_path / "killed") for _ in range(2)] == [130, 0] and seen == [0, 1, 1]
    again = keras.models.load_model(tmp_path / "killed" / "best.keras")
    for weight, weight2 in zip(best.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, weight2)
