"""Give a class to every pixel: U-Net or FCN on generated shapes (nothing to download) or a folder of masks.

python examples/segment.py
python examples/segment.py unet --dialect paper --size 128
python examples/segment.py fcn8s --data my/photos --size 256 --width 32 --output runs/photos

A folder holds images/NAME.jpg, masks/NAME.png and, for their names, classes.txt. Killed, it goes on with the same
command. The folder of the run holds the best network (best.keras), the log, the curves, the intersection over union
of each class, and images beside their masks and what the network makes of them.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import masks
import numpy as np
import runs
import train
from confusion import confusion, intersection_over_union
from data import Refused, in_order, one_line, steps_in

from layerblocks.architectures import fcn8s, fcn16s, fcn32s, unet
from layerblocks.blocks import batch_norm, conv_bn
from layerblocks.training import compile_args, plot_images

NETWORKS = {"unet": unet, "fcn8s": fcn8s, "fcn16s": fcn16s, "fcn32s": fcn32s}
CONVS = 2  # of U-Net at each resolution, down and up
# Colours that stay apart for those who see few: black, orange, blue, green, yellow, dark blue, red, pink.
COLOURS = ("000000", "e69f00", "56b4e9", "009e73", "f0e442", "0072b2", "d55e00", "cc79a7")
IGNORED = (255, 255, 255)
FREE = {"output", "verbose"}  # may change when a run goes on


def parser() -> argparse.ArgumentParser:
    made = runs.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    count, whole = runs.number(int, 1), runs.number(int, 0)
    made.add_argument("network", nargs="?", default="unet", choices=NETWORKS)
    help_text = "same: maps keep their size; paper: as published, with images mirrored or padded around as it needs"
    made.add_argument("--dialect", choices=("same", "paper"), default="same", help=help_text)
    made.add_argument("--width", type=count, default=16, help="filters of the finest maps; the papers have 64")

    data = made.add_argument_group("data")
    data.add_argument("--data", default="shapes", help="shapes, or a folder with images/ and masks/")
    data.add_argument("--count", type=count, default=2000, help="of the shapes' images")
    data.add_argument("--size", type=count, default=64, help="side of images and masks in pixels")
    data.add_argument("--classes", type=runs.number(int, 2, 255), help="of a folder without a classes.txt")
    data.add_argument("--ignore", type=runs.number(int, 0, 255), default=255, help="label of pixels that do not count")
    data.add_argument("--validation", type=float, default=0.1, metavar="PART", help="held out to choose the epoch by")
    data.add_argument("--test", type=float, default=0.2, metavar="PART", help="held out for the figures at the end")

    training = made.add_argument_group("training")
    training.add_argument("--epochs", type=count, default=9)
    training.add_argument("--batch-size", type=count, default=8)
    training.add_argument("--learning-rate", type=runs.number(float, 0), default=2e-3)
    training.add_argument("--seed", type=whole, default=0)
    training.add_argument("--output", type=Path, help="the folder of the run; runs/NETWORK-DATA unless given")
    training.add_argument("--verbose", type=int, choices=(0, 1, 2), default=1, help="0 nothing, 1 bars, 2 lines")
    return made


def input_of_valid(side: int, levels: int, convs: int = CONVS) -> tuple[int, tuple[int, int]]:
    """How large an image a U-Net without padding needs to give a class to `side` pixels a side.

    Without padding a network loses a border. From the coarsest level, where maps have m pixels a side, follow the size
    of the image and that of the output, without a rest at any pool.

    Args:
        levels: how many times sides are halved.
        convs: 3×3 convolutions at each level, down and up.

    Returns:
        The side, and the pixels that the image has more before and after those that get a class.
    """
    lost = 2 * convs * (2**levels - 1)  # by the convolutions on the way down, and as many on the way up
    coarsest = -(-(side + lost) // 2**levels) + 2 * convs
    image = coarsest * 2**levels + lost
    before = lost + convs * 2**levels
    return image, (before, image - side - before)


def widths(name: str, width: int) -> dict[str, Any]:
    """The filters of a network, from those of its finest maps."""
    if name == "unet":
        return {"filters": [width * factor for factor in (1, 2, 4, 8)]}
    return {"filters": [width * factor for factor in (1, 2, 4, 8, 8)], "units": width * 16}


def network(arguments: argparse.Namespace, masked: masks.Masked) -> tuple[keras.Model, tuple[int, int]]:
    """The model, from images that are mirrored by the border to a probability for each class of each pixel."""
    options, side, border = widths(arguments.network, arguments.width), masked.side, (0, 0)
    if arguments.network == "unet" and arguments.dialect == "paper":
        side, border = input_of_valid(side, len(options["filters"]) - 1)
    model = NETWORKS[arguments.network](
        input_shape=(side, side, masked.images.channels),
        classes=len(masked.classes),
        dialect=arguments.dialect,
        # He's initialisation for ReLU; Keras's momentum of 0.99 would need thousands of steps.
        conv=partial(conv_bn, norm=partial(batch_norm, momentum=0.9), kernel_initializer="he_normal"),
        dropout=0.1,
        **options,
    )
    return masks.cropped(model, masked.side), border


def pictures(pixels: np.ndarray, truth: np.ndarray, found: np.ndarray, masked: masks.Masked, target: Path) -> None:
    """Images, their masks and what the network made of them, side by side in colours that the legend names."""
    from matplotlib.colors import hsv_to_rgb
    from matplotlib.patches import Patch

    count = len(masked.classes)
    colours = np.array([list(bytes.fromhex(colour)) for colour in COLOURS] + [IGNORED] * 256, "uint8")[:256]
    for label in range(len(COLOURS), count):  # and round the circle where there are more
        colours[label] = hsv_to_rgb((label * 0.618 % 1, 0.6, 0.9)) * 255
    colours[masked.ignore] = IGNORED
    tiles = [
        tile
        for one in zip(np.round(pixels * 255).astype("uint8"), colours[truth], colours[found], strict=True)
        for tile in one
    ]
    axes = plot_images(tiles, labels=["image", "truth", "prediction"] * len(pixels), columns=3)
    figure = axes[0].figure
    handles = [
        Patch(facecolor=colours[label] / 255, edgecolor="grey", label=name) for label, name in enumerate(masked.classes)
    ]
    figure.legend(handles=handles[:24], loc="upper center", bbox_to_anchor=(0.5, 0), ncols=4, fontsize=7, frameon=False)
    for suffix in (".svg", ".png"):
        runs.write_whole(
            target / f"predictions{suffix}", lambda draft: figure.savefig(draft, dpi=200, bbox_inches="tight")
        )


def loaded(arguments: argparse.Namespace) -> masks.Masked:
    """The images and masks that `--data` says."""
    if arguments.data == "shapes":
        return masks.shapes(arguments.count, arguments.size, arguments.seed)
    if not Path(arguments.data).is_dir():
        raise Refused(f"--data must be shapes or a folder with images/ and masks/, got {arguments.data!r}")
    return masks.folder(arguments.data, arguments.size, classes=arguments.classes, ignore=arguments.ignore)


def main(words: Sequence[str] | None = None) -> None:
    arguments = parser().parse_args(words)
    if arguments.output is None:
        arguments.output = Path("runs", f"{arguments.network}-{Path(arguments.data).name}")
    keras.utils.set_random_seed(arguments.seed)
    masked = loaded(arguments)
    splits = masks.split(masked, arguments.validation, arguments.test, arguments.seed)
    steps = steps_in(splits.train, arguments.batch_size)
    try:
        model, border = network(arguments, masked)
    except ValueError as error:
        raise Refused(one_line(error)) from error
    classes, ignore = len(masked.classes), masked.ignore
    schedule = keras.optimizers.schedules.CosineDecay(arguments.learning_rate, arguments.epochs * steps)
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=ignore)
    score = keras.metrics.MeanIoU(classes, sparse_y_pred=False, ignore_class=ignore, name="mean_iou")
    model.compile(**compile_args(model, keras.optimizers.Adam(schedule), loss=loss, metrics=[score]))

    runs.open_folder(arguments.output)
    given = argparse.Namespace(**{word: value for word, value in vars(arguments).items() if word not in FREE})
    settings = {**train.settings(given, splits, masked.side, masked.images.channels), "masks": masked.digest}
    settings["--epochs"] = arguments.epochs  # which the learning rate depends on
    keeper = runs.Keeper(arguments.output, settings, [], "val_loss")
    keeper.restore(model)
    batches = partial(masks.batches, masked, batch_size=arguments.batch_size, border=border)
    parts = ", ".join(f"{len(images)} to {word}" for word, images in vars(splits).items())
    print(f"{model.name}: {model.count_params():,} parameters, {masked.side}×{masked.side}, {classes} classes; {parts}")
    if keeper.epoch < arguments.epochs:
        model.fit(
            batches(splits.train, start=keeper.epoch * steps, seed=arguments.seed),
            steps_per_epoch=steps,
            initial_epoch=keeper.epoch,
            epochs=arguments.epochs,
            validation_data=batches(splits.validation),
            callbacks=[runs.StopAtNaN(), runs.csv_log(arguments.output, keeper.epoch), keeper],
            shuffle=False,
            verbose=arguments.verbose,
        )
    print(runs.report(arguments.output))

    best = keras.models.load_model(arguments.output / runs.BEST, compile=False)
    print(f"{arguments.output / runs.BEST}: of epoch {keeper.best_epoch + 1}")
    word = "test" if len(splits.test) else "validation"
    images = getattr(splits, word)
    found = best.predict(batches(images), verbose=0).argmax(axis=-1)
    truth = masked.masks[images.labels].astype(int)
    counted = truth != ignore
    each = intersection_over_union(confusion(truth[counted], found[counted], classes))
    lines = [f"{name}: {value:.3f}" for name, value in zip(masked.classes, each, strict=True)]
    text = "\n".join([*lines, f"{word}: {len(images)} images, mean IoU {np.nanmean(each):.3f}"])
    print(text)
    runs.write_whole(arguments.output / "iou.txt", lambda draft: draft.write_text(text + "\n", "utf-8"))
    shown, _ = next(iter(in_order(images, 4, size=masked.side, channels=masked.images.channels)))
    pictures(np.asarray(shown), truth[:4], found[:4], masked, arguments.output)


if __name__ == "__main__":
    sys.exit(runs.exit_code("segment.py", main))
