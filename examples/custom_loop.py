"""The training loop written out: GoogLeNet with its auxiliary heads on the digits, by `tf.GradientTape`.

python examples/custom_loop.py --epochs 6

What `model.fit(label_every_output(batches, model))` does, as a start for what `fit` cannot do.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import keras
import tensorflow as tf
from data import in_order, load, shuffled, steps_in

from layerblocks.architectures import googlenet_bn
from layerblocks.blocks import aux_classifier, batch_norm, conv_bn
from layerblocks.models import inference_model
from layerblocks.training import compile_args, loss_weights


def training_step(model: keras.Model, optimizer: keras.Optimizer) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function that trains on a batch, the loss of each output at its weight, and gives the loss."""
    weights = loss_weights(model)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy()
    optimizer.build(model.trainable_variables)  # before the graph is traced

    @tf.function
    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            losses = [weight * cross_entropy(labels, outputs[key]) for key, weight in weights.items()]
            loss = tf.add_n([*losses, *model.losses])  # the model's own are those of its regularizers
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--size", type=int, default=48)
    arguments = parser.parse_args()

    keras.utils.set_random_seed(0)
    splits = load("digits", validation=0.1, test=0.2, seed=0)
    shape = {"size": arguments.size, "channels": 1}
    model = googlenet_bn(
        input_shape=(arguments.size, arguments.size, 1),
        classes=10,
        # Pooled to 4×4, as the paper's heads are at 224×224, so that they take small images too.
        aux=partial(aux_classifier, output_size=4),
        # Keras's momentum of 0.99 would need thousands of steps to follow the statistics.
        conv=partial(conv_bn, norm=partial(batch_norm, momentum=0.9)),
    )
    step, steps = training_step(model, keras.optimizers.Adam(1e-3)), steps_in(splits.train, 32)
    network = inference_model(model, fold_norm=False)  # the same layers, without the auxiliary heads
    network.compile(**compile_args(network))
    batches = iter(shuffled(splits.train, 32, **shape))
    for epoch in range(arguments.epochs):
        print(f"epoch {epoch + 1}/{arguments.epochs}")
        progress = keras.utils.Progbar(steps)
        for _ in range(steps):
            progress.add(1, [("loss", float(step(*next(batches))))])
        loss, accuracy = network.evaluate(in_order(splits.validation, 64, **shape), verbose=0)
        print(f"validation, without the auxiliary heads: loss {loss:.4f}, accuracy {accuracy:.2%}")
    loss, accuracy = network.evaluate(in_order(splits.test, 64, **shape), verbose=0)
    print(f"test: loss {loss:.4f}, accuracy {accuracy:.2%}")


if __name__ == "__main__":
    main()
