"""Train a network on images: the digits (nothing to download), a set of keras.datasets or a folder of class folders.

python examples/train.py googlenet_bn
python examples/train.py resnet18 --data cifar10 --flip horizontal --crop 4
python examples/train.py my_nets.py:tiny_net --data my/photos --pad --rotation 15 --output runs/tiny
python examples/train.py resnet18 --strategy mirrored --batch-size 128        # docs/many-devices.md
python examples/train.py alexnet --data my/photos --test-data my/more --crop-from 256 --size 224 --ten-crop \
    --flip horizontal --colour-noise 0.1 --optimizer sgd --top-k 5            # as it was published

Killed, it goes on with the same command, and ends as if it had not been killed. The folder of the run holds the best
network without its auxiliary heads (best.keras), the log, the curves and what they say.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import augmentation
import keras
import numpy as np
import runs
import tensorflow as tf
from data import Images, Refused, Splits, in_order, load, one_line, shuffled, some, steps_in

from layerblocks.architectures import build, describe
from layerblocks.training import (
    compile_args,
    device_strategy,
    fit_distributed,
    is_chief,
    label_every_output,
    plot_class_distribution,
    plot_images,
)

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
    "plain-sgd": keras.optimizers.SGD,
}
LOSSES = {  # and whether the labels are one-hot vectors
    "sparse_categorical_crossentropy": False,
    "categorical_crossentropy": True,
    "binary_crossentropy": True,
}
STRATEGIES = ("mirrored", "multiworker")
SMALLEST = 32  # side of the images in pixels, unless given, where their own is less
PHOTOS = 224  # the same of files, for a user's network
EVALUATED = 64  # images in a batch without gradients
FREE = (  # may change when a run goes on
    *("epochs", "output", "dump_weights", "tensorboard", "verbose", "skip_unreadable", "strategy"),
    *("memory_growth", "pictures", "ten_crop"),
)


def parser() -> argparse.ArgumentParser:
    made = runs.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    count, part = runs.number(int, 1), runs.number(float, 0, 1)
    made.add_argument("network", help="a name of list_architectures(), module:function or file.py:function")
    made.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="an argument of the network")
    made.add_argument("--bn-momentum", type=part, default=0.9, help="of BatchNorm; Keras's 0.99 suits long trainings")

    data = made.add_argument_group("data")
    data.add_argument("--data", default="digits", help="digits, a name of keras.datasets, or a folder of class folders")
    data.add_argument("--validation", type=float, default=0.1, metavar="PART", help="held out to choose the epoch by")
    data.add_argument("--test", type=float, default=0.2, metavar="PART", help="held out for the figure at the end")
    data.add_argument("--test-data", metavar="FOLDER", help="a folder with the same class folders, to test on instead")
    data.add_argument("--skip-unreadable", action="store_true", help="leave out broken files instead of refusing them")
    data.add_argument("--size", type=count, help="side of the images in pixels; else one that suits network and data")
    data.add_argument("--pad", action="store_true", help="keep the proportions and pad, instead of stretching")
    data.add_argument("--channels", type=int, choices=(1, 3), help="grey or colour; else as the images are")
    cropped = "side to which images are fitted, before --size of them is cropped: at random, and to test the centre"
    data.add_argument("--crop-from", type=count, metavar="SIDE", help=cropped)
    data.add_argument("--ten-crop", action="store_true", help="test on the corners and the centre, flipped too")
    augmentation.add_arguments(made)

    training = made.add_argument_group("training")
    training.add_argument("--epochs", type=count, default=30)
    training.add_argument("--steps-per-epoch", type=count, help="batches between two validations; else one pass")
    training.add_argument("--batch-size", type=count, default=32)
    training.add_argument("--optimizer", default="adam", choices=OPTIMIZERS)
    training.add_argument(
        "--learning-rate", type=runs.number(float, 0), help="0.001 unless given; 0.0001 without norms"
    )
    training.add_argument("--loss", default="sparse_categorical_crossentropy", choices=LOSSES)
    training.add_argument("--top-k", type=count, metavar="K", help="count too whether the class is among the first K")
    training.add_argument("--validation-freq", type=count, default=1, help="epochs from one validation to the next")
    training.add_argument("--validation-steps", type=count, help=f"batches of {EVALUATED} that it is on; else all")
    training.add_argument("--aux-weight", type=part, help="of the loss of each auxiliary head")
    training.add_argument("--patience", type=count, default=7, help="epochs without a better one before it stops")
    training.add_argument("--plateau", type=count, default=3, help="such epochs before the learning rate falls to 0.3")
    training.add_argument("--strategy", choices=STRATEGIES, help="all GPUs of this machine, or of those in TF_CONFIG")
    training.add_argument("--memory-growth", action="store_true", help="take a GPU's memory as it is needed")
    training.add_argument("--seed", type=runs.number(int, 0), default=0)
    training.add_argument("--deterministic", action="store_true", help="the same bits on a GPU too, at some cost")

    output = made.add_argument_group("output")
    output.add_argument("--output", type=Path, help="the folder of the run; runs/NETWORK-DATA unless given")
    output.add_argument("--tensorboard", action=argparse.BooleanOptionalAction, help="logs for it; where installed")
    output.add_argument("--dump-weights", action="store_true", help="the best weights as text too")
    output.add_argument("--pictures", action="store_true", help="draw a batch as it is trained on, and the classes")
    output.add_argument("--verbose", type=int, choices=(0, 1, 2), default=1, help="0 nothing, 1 bars, 2 lines")
    return made


# -- the network ------------------------------------------------------------------------------------------------------


def user_function(name: str) -> Callable[..., Any]:
    """The function of `module:function` or `file.py:function`."""
    source, _, word = name.rpartition(":")
    file = source.endswith(".py")
    sys.path.insert(0, str(Path(source).parent) if file else "")  # for what it imports from beside it
    try:
        if not file:
            module = importlib.import_module(source)
        else:
            spec = importlib.util.spec_from_file_location(Path(source).stem, source)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
    except (ImportError, FileNotFoundError) as error:
        raise Refused(f"{name}: cannot be imported: {one_line(error)}") from error
    if not callable(getattr(module, word, None)):
        raise Refused(f"{name}: {source} has no function {word!r}")
    return getattr(module, word)


def value_of(text: str) -> Any:
    """A Python value; a string needs no quotes."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def side_of(arguments: argparse.Namespace, images: Images) -> int:
    """The side of the images: as given; else their own or, of files, what the network is made for."""
    if arguments.size is not None:
        return arguments.size
    side = None if images.side is None else max(images.side, SMALLEST)
    if ":" in arguments.network:
        return side or PHOTOS
    described = describe(arguments.network)
    return max(side or described.input_shape[0], described.smallest_input or 1)


def network(arguments: argparse.Namespace, side: int, channels: int, classes: int) -> keras.Model:
    """The model by name or by a user's function, which is given `input_shape` and `classes`."""
    name = arguments.network
    options = {word: value_of(text) for word, _, text in (option.partition("=") for option in arguments.option)}
    options |= {"input_shape": (side, side, channels), "classes": classes}
    if ":" in name:
        function = user_function(name)
        try:
            inspect.signature(function).bind(**options)
        except TypeError as error:
            raise Refused(f"{name} is called with {', '.join(options)}: {one_line(error)}") from error
        model = function(**options)
        if not isinstance(model, keras.Model):
            raise Refused(f"{name} gave {type(model).__name__}; it must be a function that gives a Keras model")
    else:
        model = build(name, **options)
    for output in model.outputs:
        if tuple(output.shape) != (None, classes):
            raise Refused(f"{name}: an output has shape {output.shape}; {classes} classes take (None, {classes})")
    shape = model.inputs[0].shape[1:]
    if len(model.inputs) != 1 or any(
        takes not in (None, given) for takes, given in zip(shape, options["input_shape"], strict=False)
    ):
        raise Refused(f"{name} needs images of shape {shape}; --size and --channels make it {options['input_shape']}")
    return model


def layers_of(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a model, those of models within it too."""
    for layer in model.layers:
        yield from layers_of(layer) if isinstance(layer, keras.Model) else (layer,)


# -- the run ----------------------------------------------------------------------------------------------------------


def settings(arguments: argparse.Namespace, splits: Splits, side: int, channels: int) -> dict[str, Any]:
    """What makes a run this one: another with the same would do the same."""
    digest = hashlib.sha256()
    for images in (splits.train, splits.validation):
        digest.update(images.labels.tobytes() + images.sources.tobytes())
    given = {f"--{word.replace('_', '-')}": value for word, value in vars(arguments).items() if word not in FREE}
    found = {"--size": side, "--channels": channels, "images": len(splits.train), "digest": digest.hexdigest()[:8]}
    return {**given, **found}


def watchers(arguments: argparse.Namespace, monitor: str) -> list[keras.callbacks.Callback]:
    """What looks at the validation loss of each epoch, and remembers it."""
    words = {"mode": "min", "verbose": arguments.verbose}
    return [
        runs.EarlyStopping(monitor, patience=arguments.patience, **words),
        runs.ReduceLROnPlateau(monitor, 0.3, patience=arguments.plateau, **words),
    ]


def loggers(arguments: argparse.Namespace, epoch: int) -> list[keras.callbacks.Callback]:
    """What writes down each epoch, from this one on."""
    made = [runs.csv_log(arguments.output, epoch)]
    installed = importlib.util.find_spec("tensorboard") is not None
    if arguments.tensorboard and not installed:
        raise Refused("--tensorboard: it is not installed (pip install tensorboard)")
    if installed and arguments.tensorboard is not False:
        made.append(keras.callbacks.TensorBoard(arguments.output / "tensorboard", write_graph=False))
    return made


def strategy_of(arguments: argparse.Namespace) -> tf.distribute.Strategy | None:
    """What `--strategy` asks for."""
    try:
        return None if arguments.strategy is None else device_strategy(arguments.strategy)
    except ValueError as error:
        raise Refused(one_line(error)) from error


def compiled_with(arguments: argparse.Namespace) -> dict[str, Any]:
    """The loss and the metrics, as `compile_args` accepts them."""
    one_hot = LOSSES[arguments.loss]
    top = keras.metrics.TopKCategoricalAccuracy if one_hot else keras.metrics.SparseTopKCategoricalAccuracy
    tops = [] if arguments.top_k is None else [partial(top, arguments.top_k, name=f"top_{arguments.top_k}")]
    return {"loss": arguments.loss, "metrics": ("accuracy", *tops)}


def grow_memory() -> None:
    """Let TensorFlow take the memory of GPUs as it needs it, instead of all at once."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def ten_crops(model: keras.Model, side: int) -> keras.Model:
    """A network of images of a larger `side`: its mean over the corners, the centre, and these flipped.

    As AlexNet was tested (Krizhevsky et al. 2012, section 4.1).
    """
    size, channels = model.input_shape[1], model.input_shape[-1]
    images, gap = keras.Input((side, side, channels), name="images"), side - size
    places = [(gap // 2, gap // 2), *((top, left) for top in (0, gap) for left in (0, gap))]
    crops = [images[:, top : top + size, left : left + size] for top, left in places]
    guesses = [model(crop) for crop in (*crops, *(crop[:, :, ::-1] for crop in crops))]
    return keras.Model(images, keras.layers.Average(name="mean")(guesses), name=model.name)


def draw(images: Any, labels: Any, splits: Splits, folder: Path) -> None:
    """A batch as the network sees it, and how many images of each class it is trained on."""
    classes = splits.train.classes
    batch = plot_images(np.asarray(images)[:25], np.asarray(labels)[:25], classes=classes)[0].figure
    bars = plot_class_distribution(splits.train.labels, classes=classes).figure
    for name, figure in (("batch.png", batch), ("classes.png", bars)):
        runs.write_whole(folder / name, lambda draft, figure=figure: figure.savefig(draft, dpi=200))


def check_choices(arguments: argparse.Namespace) -> None:
    """Refuse what does not go together."""
    if arguments.ten_crop and arguments.crop_from is None:
        raise Refused("--ten-crop needs --crop-from, the side of the images that it crops")
    if arguments.validation_freq > arguments.epochs:
        raise Refused(f"--validation-freq must be at most {arguments.epochs}, the epochs, so that one is the best")


def check_batch(arguments: argparse.Namespace, images: Images, replicas: int) -> None:
    """Refuse batches that the replicas cannot share out."""
    if (size := min(arguments.batch_size, len(images))) % replicas:
        raise Refused(f"--batch-size must be a multiple of {replicas}, as so many replicas share a batch; it is {size}")


def main(words: Sequence[str] | None = None) -> None:
    arguments = parser().parse_args(words)
    if arguments.memory_growth:
        grow_memory()
    strategy = strategy_of(arguments)  # before anything else of TensorFlow
    in_scope = nullcontext if strategy is None else strategy.scope
    chief = strategy is None or is_chief(strategy)  # which alone writes, and speaks
    arguments.verbose *= chief
    if arguments.output is None:
        arguments.output = Path("runs", f"{arguments.network.rpartition(':')[2]}-{Path(arguments.data).name}")
    keras.utils.set_random_seed(arguments.seed)
    if arguments.deterministic:
        tf.config.experimental.enable_op_determinism()

    kinds = augmentation.chosen(arguments)
    check_choices(arguments)
    about_images = ("data", "test_data", "validation", "test", "seed", "skip_unreadable")
    splits = load(**{word: getattr(arguments, word) for word in about_images})
    classes = len(splits.train.classes)
    channels = arguments.channels or splits.train.channels
    try:
        side = side_of(arguments, splits.train)
        with in_scope():
            model = network(arguments, side, channels, classes)
    except (TypeError, ValueError) as error:
        if ":" in arguments.network:
            raise  # with the line of the user's function that it comes from
        raise Refused(one_line(error)) from error
    norms = [layer for layer in layers_of(model) if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = arguments.bn_momentum
    if arguments.learning_rate is None:
        arguments.learning_rate = 1e-3 if norms else 1e-4
    fitted = arguments.crop_from or side
    if fitted < side:
        raise Refused(f"--crop-from must be at least {side}, the side of the crops, got {fitted}")
    given = {"side": side, "channels": channels, "seed": arguments.seed, "images": splits.train}
    augment = augmentation.augmentation(kinds, **given, larger=fitted > side)
    with in_scope():
        optimizer = OPTIMIZERS[arguments.optimizer](arguments.learning_rate)
        model.compile(**compile_args(model, optimizer, aux_weight=arguments.aux_weight, **compiled_with(arguments)))

    if chief:
        runs.open_folder(arguments.output)
    monitor = "val_main_loss" if isinstance(model.output, dict) else "val_loss"
    watching = watchers(arguments, monitor)
    keeper = runs.Keeper(arguments.output, settings(arguments, splits, side, channels), watching, monitor, chief)
    with in_scope():
        keeper.restore(model)

    shape = {"size": fitted, "channels": channels, "pad": arguments.pad}
    steps = arguments.steps_per_epoch or steps_in(splits.train, arguments.batch_size)

    def augmented(worker: int = 0, workers: int = 1) -> tf.data.Dataset:
        """Batches to train on, or this worker's share of them."""
        order = {"seed": arguments.seed, "start": keeper.epoch * steps, "share": (worker, workers)}
        return shuffled(splits.train, arguments.batch_size, **shape, **order, augment=augment)

    def train(*share: int) -> tf.data.Dataset:
        return label_every_output(labelled(augmented(*share)), model)

    def labelled(batches: tf.data.Dataset) -> tf.data.Dataset:
        """Batches of what the loss compares."""
        return batches.map(lambda x, y: (x, tf.one_hot(y, classes))) if LOSSES[arguments.loss] else batches

    def batches_of(images: Images, whole: bool = False) -> tf.data.Dataset:
        """Batches to evaluate on, the centres of the images or all of them."""
        batches = labelled(in_order(images, EVALUATED, **shape))
        return batches if whole else batches.map(lambda x, y: (tf.image.resize_with_crop_or_pad(x, side, side), y))

    watched = splits.validation
    if arguments.validation_steps is not None:
        watched = some(watched, arguments.validation_steps * EVALUATED, arguments.seed)
    parts = ", ".join(f"{len(images)} to {word}" for word, images in vars(splits).items())
    if chief:
        print(
            f"{model.name}: {model.count_params():,} parameters, {classes} classes, {side}×{side}×{channels}; {parts}"
        )

    if chief and keeper.epoch:
        print(f"{arguments.output}: after epoch {keeper.epoch}")
    if keeper.epoch < arguments.epochs and not keeper.stopped:
        writers = loggers(arguments, keeper.epoch) if chief else []
        if chief and arguments.pictures:
            draw(*next(iter(augmented())), splits, arguments.output)
        how = {
            "steps_per_epoch": steps,
            "initial_epoch": keeper.epoch,
            "epochs": arguments.epochs,
            "validation_data": label_every_output(batches_of(watched), model),
            "validation_freq": arguments.validation_freq,
            "callbacks": [runs.StopAtNaN(), *watching, *writers, keeper],
            "verbose": arguments.verbose,
        }
        if strategy is None:
            model.fit(train(), shuffle=False, **how)
        else:
            check_batch(arguments, splits.train, strategy.num_replicas_in_sync)
            fit_distributed(
                model,
                lambda context: train(context.input_pipeline_id, context.num_input_pipelines),
                strategy=strategy,
                **how,
            )
    if not chief:
        return
    print(runs.report(arguments.output))

    best = keras.models.load_model(arguments.output / runs.BEST)
    if arguments.dump_weights:
        runs.dump_weights(best, arguments.output / "weights.txt")
    print(f"{arguments.output / runs.BEST}: of epoch {keeper.best_epoch + 1}")
    if arguments.ten_crop:
        best = ten_crops(best, fitted)
    best.compile(**compile_args(best, **compiled_with(arguments)))
    for word, images in (("validation", splits.validation), ("test", splits.test)):
        if len(images):
            found = best.evaluate(batches_of(images, arguments.ten_crop), verbose=0, return_dict=True)
            shares = ", ".join(f"{name} {share:.2%}" for name, share in found.items() if name != "loss")
            print(f"{word}: {len(images)} images, loss {found['loss']:.4f}, {shares}")


if __name__ == "__main__":
    sys.exit(runs.exit_code("train.py", main))
