"""Train GoogLeNet with its two auxiliary heads on real images, then evaluate it without them.

python examples/train_googlenet.py                     # scikit-learn's handwritten digits, nothing to download
python examples/train_googlenet.py --data cifar10      # any image set of keras.datasets (downloaded by Keras)
python examples/train_googlenet.py --data my/photos    # a folder with one folder of images a class
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from layerblocks.architectures import compile_args, googlenet_bn, inference_model, label_every_output
from layerblocks.blocks import aux_classifier, batch_norm, conv_bn

Arrays = tuple[np.ndarray, np.ndarray]


def digits(seed: int) -> tuple[Arrays, Arrays]:
    """1,797 real digits of 8×8 pixels, a fifth of each class held out."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = bunch.images[..., None] * (255 / 16)
    x, x_test, y, y_test = train_test_split(
        images, bunch.target, test_size=0.2, stratify=bunch.target, random_state=seed
    )
    return (x, y), (x_test, y_test)


def keras_dataset(name: str) -> tuple[Arrays, Arrays]:
    (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    channels = (*x.shape[:3], -1)
    return (x.reshape(channels), y.ravel()), (x_test.reshape((*x_test.shape[:3], -1)), y_test.ravel())


def pipeline(images: np.ndarray, labels: np.ndarray, size: int) -> tf.data.Dataset:
    def resize(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.image.resize(image, (size, size)), label

    return tf.data.Dataset.from_tensor_slices((images, labels.astype("int32"))).map(resize)


def datasets(data: str, size: int, batch_size: int, seed: int) -> tuple[tf.data.Dataset, tf.data.Dataset, int]:
    """Batches of (image, label) to train on and held out, values in [0, 1], and the number of classes."""
    if Path(data).is_dir():
        train, test = keras.utils.image_dataset_from_directory(
            data, image_size=(size, size), batch_size=None, validation_split=0.2, subset="both", seed=seed
        )
        classes = len(train.class_names)
    elif data == "digits" or hasattr(keras.datasets, data):
        (x, y), (x_test, y_test) = digits(seed) if data == "digits" else keras_dataset(data)
        train, test, classes = pipeline(x, y, size), pipeline(x_test, y_test, size), int(y.max()) + 1
    else:
        raise SystemExit(f"--data takes digits, a name from keras.datasets or a folder of class folders, got {data!r}")

    def ready(dataset: tf.data.Dataset) -> tf.data.Dataset:
        scaled = dataset.map(lambda image, label: (tf.cast(image, tf.float32) / 255, label))
        return scaled.batch(batch_size).prefetch(tf.data.AUTOTUNE)

    return ready(train.cache().shuffle(10_000, seed=seed)), ready(test.cache()), classes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits, a name from keras.datasets, or a folder")
    parser.add_argument("--size", type=int, default=48, help="side of the images in pixels")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", metavar="FILE.keras", help="write the trained inference model")
    arguments = parser.parse_args()

    keras.utils.set_random_seed(arguments.seed)
    train, test, classes = datasets(arguments.data, arguments.size, arguments.batch_size, arguments.seed)
    channels = train.element_spec[0].shape[-1]

    model = googlenet_bn(
        input_shape=(arguments.size, arguments.size, channels),
        classes=classes,
        # Pooled to 4×4, as the paper's heads are at 224×224, so that they take small images too.
        aux=partial(aux_classifier, output_size=4),
        # Keras's momentum of 0.99 would need thousands of steps to follow the statistics.
        conv=partial(conv_bn, norm=partial(batch_norm, momentum=0.9)),
    )
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(arguments.learning_rate, arguments.epochs * len(train))
    )
    model.compile(**compile_args(model, optimizer))
    model.fit(label_every_output(train, model), epochs=arguments.epochs)

    network = inference_model(model)
    network.compile(**compile_args(network))
    loss, accuracy = network.evaluate(test)
    print(f"held out, without the auxiliary heads: loss {loss:.4f}, accuracy {accuracy:.1%}")
    if arguments.save:
        network.save(arguments.save)


if __name__ == "__main__":
    main()
