"""Fine-tune a trained network on images of other classes: first a new head alone, then the last blocks too, slowly.

python examples/finetune.py train ResNet50 --data hotdog/train --test-data hotdog/test --output runs/hotdog
python examples/finetune.py train runs/resnet18-digits/best.keras --data my/letters --up-to stage3
python examples/finetune.py train resnet18 --weights my.weights.h5 --old-classes 10 --data my/photos
python examples/finetune.py predict runs/hotdog hdog1.jpeg photos/05.webp

Killed, it goes on with the same command. The folder of the run holds the best network (best.keras), what it takes and
gives (about.json), the confusion matrix, and the log and the curves of each phase.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import augmentation
import keras
import numpy as np
import runs
import tensorflow as tf
import train
from confusion import confusion
from data import Images, Refused, Splits, fitted, in_order, load, one_line, read_image, shuffled, steps_in
from pretrained import MODULES, PRETRAINED, UNIT, Pretrained, preprocessing

from layerblocks.architectures import build
from layerblocks.models import freeze, with_new_head
from layerblocks.training import compile_args, label_every_output, plot_confusion_matrix

IMAGENET, ABOUT = "imagenet", "about.json"
MOST_IN_TEXT = 20  # classes of which the matrix is printed too
FREE = {"run", "output", "verbose", "epochs", "head_epochs", "skip_unreadable"}  # may change when a run goes on


def parser() -> argparse.ArgumentParser:
    made = runs.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = made.add_subparsers(required=True, metavar="train | predict")
    count, epochs, rate = runs.number(int, 1), runs.number(int, 0), runs.number(float, 0)

    tune = commands.add_parser("train", help="fine-tune a network on a folder of class folders")
    tune.set_defaults(run=fine_tune)
    names = "a name of keras.applications (ResNet50) or of list_architectures() (resnet50), file.py:function, or .keras"
    tune.add_argument("network", help=names)
    tune.add_argument("--weights", default=IMAGENET, help="imagenet, which Keras downloads, or a .weights.h5 file")
    tune.add_argument("--old-classes", type=count, default=1000, help="of the network whose weights are in the file")
    tune.add_argument("--no-top", action="store_true", help="the file has no head, as those that Keras calls notop")
    tune.add_argument("--preprocess", choices=(UNIT, *MODULES), help="of the images; unit is from 0 to 1, as train.py")
    tune.add_argument("--up-to", metavar="BLOCK", help="the last block that stays as it is")
    tune.add_argument("--from-scratch", action="store_true", help="as many steps without the weights, to compare")

    data = tune.add_argument_group("data")
    data.add_argument("--data", required=True, help="a folder of class folders, digits, or a name of keras.datasets")
    data.add_argument("--test-data", help="a folder with the same class folders; else a part of --data")
    data.add_argument("--validation", type=float, default=0.1, metavar="PART", help="held out to choose the epoch by")
    data.add_argument("--test", type=float, default=0.2, metavar="PART", help="held out for the confusion matrix")
    data.add_argument("--skip-unreadable", action="store_true", help="leave out broken files instead of refusing them")
    data.add_argument("--size", type=count, help="side of the images in pixels; else what the network is made for")
    data.add_argument("--channels", type=int, choices=(1, 3), help="grey or colour, where the network accepts both")
    data.add_argument("--pad", action="store_true", help="keep the proportions and pad, instead of stretching")
    augmentation.add_arguments(tune)

    training = tune.add_argument_group("training")
    training.add_argument("--head-epochs", type=epochs, default=3, help="of the first phase")
    training.add_argument("--epochs", type=epochs, default=7, help="of the second phase")
    training.add_argument("--steps-per-epoch", type=count, help="batches between two validations; else one pass")
    training.add_argument("--head-rate", type=rate, default=1e-3, help="learning rate of the first phase")
    training.add_argument("--rate", type=rate, default=1e-4, help="learning rate of the second phase")
    training.add_argument("--batch-size", type=count, default=32)
    training.add_argument("--seed", type=epochs, default=0)
    training.add_argument("--output", type=Path, required=True, help="the folder of the run")
    training.add_argument("--verbose", type=int, choices=(0, 1, 2), default=1, help="0 nothing, 1 bars, 2 lines")

    use = commands.add_parser("predict", help="the class of single images, and its probability")
    use.set_defaults(run=predict)
    use.add_argument("folder", type=Path, help="the --output of a training")
    use.add_argument("files", nargs="+", metavar="FILE", help="JPEG, PNG, WebP, …")
    return made


# -- the trained network ----------------------------------------------------------------------------------------------


def old_network(arguments: argparse.Namespace, images: Images) -> tuple[keras.Model, int, int]:
    """The network with its weights and its old head, and the side and the channels of the images that it takes."""
    name, weights = arguments.network, None if arguments.from_scratch else arguments.weights
    if name.endswith(".keras"):
        model = loaded(name)
        if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
            raise Refused(f"{name} needs {one_line(model.input_shape)}, which are no images")
        side, channels = model.input_shape[1], model.input_shape[-1]
        side = arguments.size or side or images.side or train.PHOTOS
        return _for_short(keras.models.clone_model(model)) if weights is None else model, side, channels
    channels = 3 if name in PRETRAINED or weights == IMAGENET else arguments.channels or images.channels
    side = PRETRAINED[name].size if name in PRETRAINED and not arguments.size else train.side_of(arguments, images)
    options: dict[str, Any] = {"input_shape": (side, side, channels), "classes": arguments.old_classes}
    if ":" in name:
        return _of_user(name, weights, options), side, channels
    # Without a top it takes images of any size, and the download is smaller; but a file mostly holds one.
    options |= {"weights": weights, "include_top": weights not in (None, IMAGENET) and not arguments.no_top}
    make = getattr(keras.applications, name) if name in PRETRAINED else lambda **words: build(name, **words)
    try:
        with warnings.catch_warnings(action="ignore"):
            model = make(**options)
    except Exception as error:  # Keras raises what it likes where it cannot download
        if weights is None:
            raise
        raise Refused(f"--weights {weights}: {name} could not load them: {_fault(error)}") from error
    return _for_short(model) if weights is None else model, side, channels


def loaded(path: str | Path) -> keras.Model:
    """A model file, or one line that says why it is none."""
    if not Path(path).is_file():
        raise Refused(f"{path}: there is no such file")
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras and the layers of a user raise what they like
        raise Refused(f"{path}: no Keras model that can be loaded ({_fault(error)})") from error


def _of_user(name: str, weights: str | None, options: dict[str, Any]) -> keras.Model:
    model = train.user_function(name)(**options)
    if weights == IMAGENET:
        raise Refused(f"--weights: {name} needs a file that save_weights wrote")
    if weights is None:
        return _for_short(model)
    try:
        with warnings.catch_warnings(action="ignore"):  # of Keras, before it refuses the file
            model.load_weights(weights)
    except (OSError, ValueError) as error:
        raise Refused(f"--weights {weights}: {name} could not load them: {_fault(error)}") from error
    return model


def _for_short(model: keras.Model) -> keras.Model:
    """An untrained network, fit for a short training: its statistics follow soon enough."""
    model.trainable = True
    for layer in train.layers_of(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, 0.9)
    return model


def _fault(error: Exception) -> str:
    """The first layer that does not fit, out of what Keras says, which prints whole kernels; or the rest in short."""
    pattern = r"object <\w+ name=([^,]+),.*?variable\.shape=(\(.*?\)), Received: value\.shape=(\(.*?\))"
    found = re.search(pattern, str(error), re.DOTALL)
    text = "layer {} needs {}, the file has {}".format(*found.groups()) if found else one_line(error)
    return text if len(text) <= 600 else f"{text[:600]} …"


def said_beside(arguments: argparse.Namespace) -> dict[str, Any]:
    """What a run of this program wrote about the network that is tuned once more."""
    path = Path(arguments.network).with_name(ABOUT)
    return json.loads(path.read_text("utf-8")) if arguments.network.endswith(".keras") and path.is_file() else {}


def known_weights(arguments: argparse.Namespace) -> Pretrained | None:
    """The row of the table that the weights belong to; those of our resnet50_v2 are Keras's of ResNet50V2."""
    if arguments.network in PRETRAINED:
        return PRETRAINED[arguments.network]
    like = {name.lower(): known for name, known in PRETRAINED.items()}
    return like.get(arguments.network.replace("_", "")) if arguments.weights == IMAGENET else None


def _first(model: keras.Model) -> str:
    """The name of the layer that the images come in by."""
    return next(layer.name for layer in model.layers if isinstance(layer, keras.layers.InputLayer))


def with_classes(old: keras.Model, classes: int) -> keras.Model:
    """The network with a new head, which gives probabilities."""
    old.trainable = True  # what was frozen in an earlier training is not for good
    model = with_new_head(old, classes)
    losses = compile_args(model)["loss"]
    main = losses["main"] if isinstance(losses, dict) else losses
    return with_new_head(old, classes, activation="softmax") if main.get_config()["from_logits"] else model


# -- training ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phase:
    """A part of the training: what is frozen up to which block, or with None all but the head."""

    name: str
    up_to: str | None
    epochs: int
    learning_rate: float


def fine_tune(arguments: argparse.Namespace) -> None:
    if not arguments.head_epochs + arguments.epochs:
        raise Refused("--head-epochs and --epochs are both 0, which leaves nothing to train")
    keras.utils.set_random_seed(arguments.seed)
    kinds = augmentation.chosen(arguments)
    about_images = ("data", "test_data", "validation", "test", "seed", "skip_unreadable")
    splits = load(**{word: getattr(arguments, word) for word in about_images})
    beside, known = said_beside(arguments), known_weights(arguments)
    try:
        old, side, channels = old_network(arguments, splits.train)
        model = with_classes(old, len(splits.train.classes))
        if model.input_shape[1:] not in ((side, side, channels), (None, None, channels)):
            raise Refused(f"{arguments.network} needs images of shape {model.input_shape[1:]}, --size is {side}")
        # Where no block is known, everything from the images on.
        in_table = known.up_to if known is not None and arguments.network in PRETRAINED else None
        up_to = arguments.up_to or beside.get("up_to") or in_table or _first(model)
        freeze(model, up_to)  # refused now if there is no such block
    except (TypeError, ValueError) as error:
        raise Refused(one_line(error)) from error
    given = arguments.preprocess or beside.get("preprocess")
    prepared = given or (known.module if known is not None else UNIT)
    about = {"classes": splits.train.classes, "size": side, "channels": channels, "pad": arguments.pad}
    about |= {"preprocess": prepared, "up_to": up_to}

    runs.open_folder(arguments.output)
    shape = {"size": side, "channels": channels, "pad": arguments.pad}
    prepare = preprocessing(prepared)
    augment = augmentation.augmentation(kinds, side=side, channels=channels, seed=arguments.seed, images=splits.train)

    def batches(images: Images, start: int | None = None) -> tf.data.Dataset:
        """In order to evaluate on, or without end to train on, from batch `start` on."""
        if start is None:
            made = in_order(images, 64, **shape)
        else:
            options = {"seed": arguments.seed, "augment": augment, "start": start}
            made = shuffled(images, arguments.batch_size, **shape, **options)
        return made.map(lambda pixels, labels: (prepare(pixels), labels))

    phases = [
        Phase("head", None, arguments.head_epochs, arguments.head_rate),
        Phase("blocks", up_to, arguments.epochs, arguments.rate),
    ]
    if arguments.from_scratch:
        phases = [Phase("scratch", None, arguments.head_epochs + arguments.epochs, arguments.head_rate)]
    done, keepers = 0, []
    for phase in phases:
        if not arguments.from_scratch:
            freeze(model, phase.up_to)
        if phase.epochs:
            keepers.append(trained(arguments, model, phase, splits, batches, done))
        done += phase.epochs
    best = min(keepers, key=lambda keeper: keeper.best)
    runs.write_whole(arguments.output / runs.BEST, lambda draft: shutil.copy(best.folder / runs.BEST, draft))
    text = json.dumps(about, indent=1, ensure_ascii=False)
    runs.write_whole(arguments.output / ABOUT, lambda draft: draft.write_text(text, "utf-8"))
    print(f"{arguments.output / runs.BEST}: of epoch {best.best_epoch + 1} of the phase {best.folder.name}")

    network = loaded(arguments.output / runs.BEST)
    word = "test" if len(splits.test) else "validation"
    images = getattr(splits, word)
    predicted = network.predict(batches(images), verbose=0).argmax(axis=1)
    print(f"{word}: {len(images)} images, accuracy {np.mean(predicted == images.labels):.2%}")
    report(confusion(images.labels, predicted, len(images.classes)), images.classes, arguments.output)


def trained(
    arguments: argparse.Namespace,
    model: keras.Model,
    phase: Phase,
    splits: Splits,
    batches: Callable[..., tf.data.Dataset],
    done: int,
) -> runs.Keeper:
    """Train what is not frozen, in a folder of its own, or what is left of it after a kill; `done` epochs are."""
    model.compile(**compile_args(model, keras.optimizers.Adam(phase.learning_rate)))
    target = arguments.output / phase.name
    runs.open_folder(target)
    given = argparse.Namespace(**{word: value for word, value in vars(arguments).items() if word not in FREE})
    settings = {**train.settings(given, splits, *model.input_shape[2:]), "epochs before": done}
    keeper = runs.Keeper(target, settings, [], "val_main_loss" if isinstance(model.output, dict) else "val_loss")
    keeper.restore(model)
    steps = arguments.steps_per_epoch or steps_in(splits.train, arguments.batch_size)
    count = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    print(f"{phase.name}: {count:,} of {model.count_params():,} parameters, {phase.epochs} × {steps} steps")
    if keeper.epoch < phase.epochs:
        model.fit(
            label_every_output(batches(splits.train, (done + keeper.epoch) * steps), model),
            steps_per_epoch=steps,
            initial_epoch=keeper.epoch,
            epochs=phase.epochs,
            validation_data=label_every_output(batches(splits.validation), model),
            callbacks=[runs.StopAtNaN(), runs.csv_log(target, keeper.epoch), keeper],
            shuffle=False,
            verbose=arguments.verbose,
        )
    print(runs.report(target))
    return keeper


# -- what comes out ---------------------------------------------------------------------------------------------------


def report(matrix: np.ndarray, classes: Sequence[str], target: Path) -> None:
    """The confusion matrix as text and as pictures."""
    width = max(len("predicted"), *map(len, classes))
    cells = max(5, *(len(name) + 1 for name in classes))
    lines = [" " * width + "".join(f"{name:>{cells}}" for name in classes) + f"{'found':>8}"]
    for name, row, hits in zip(classes, matrix, matrix.diagonal(), strict=True):
        share = f"{hits / row.sum():8.1%}" if row.sum() else ""
        lines.append(f"{name:<{width}}" + "".join(f"{count:>{cells}}" for count in row) + share)
    text = "\n".join(lines)
    if len(classes) <= MOST_IN_TEXT:
        print(f"true in rows, predicted in columns\n{text}")
    runs.write_whole(target / "confusion.txt", lambda draft: draft.write_text(text + "\n", "utf-8"))
    figure = plot_confusion_matrix(matrix, classes).figure
    for suffix in (".svg", ".png"):
        runs.write_whole(target / f"confusion{suffix}", lambda draft: figure.savefig(draft, dpi=200))


def predict(arguments: argparse.Namespace) -> None:
    path = arguments.folder / ABOUT
    if not path.is_file():
        raise Refused(f"{arguments.folder}: no run of finetune.py train, which ends in an {ABOUT}")
    about = json.loads(path.read_text("utf-8"))
    images = []
    for file in arguments.files:
        try:
            pixels = read_image(file, about["channels"])
        except Exception as error:  # decoders raise what they like at a broken file
            raise Refused(f"{file}: no image that can be read ({one_line(error)})") from error
        images.append(fitted(pixels, about["size"], about["channels"], about["pad"]))
    network = loaded(arguments.folder / runs.BEST)
    found = network.predict(preprocessing(about["preprocess"])(tf.stack(images)), verbose=0)
    for file, probabilities in zip(arguments.files, found, strict=True):
        print(f"{file}: {about['classes'][probabilities.argmax()]} {probabilities.max():.1%}")


def main(words: Sequence[str] | None = None) -> None:
    arguments = parser().parse_args(words)
    arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(runs.exit_code("finetune.py", main))
