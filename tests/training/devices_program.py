"""What `test_devices.py` runs in processes of their own: two CPUs as replicas, or a worker of several.

python tests/devices_program.py replicas RESULTS.json
python tests/devices_program.py worker FOLDER           # with TF_CONFIG
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import tensorflow as tf

from layerblocks.blocks import batch_norm, classifier, conv, conv_bn, inception
from layerblocks.training import compile_args, device_strategy, fit_distributed, is_chief, label_every_output

EPOCHS = 2


def network(norm=None, branches=False):
    """As GoogLeNet: a module of branches if wanted, a head in the middle, a regularizer."""
    unit = conv if norm is None else partial(conv_bn, norm=norm)
    images = keras.Input((8, 8, 1))
    x = unit(images, 6, strides=2, name="stem")
    if branches:
        x = inception(x, 4, (3, 4), (2, 3), 3, conv=unit, name="inception")
    heads = {"aux1": classifier(x, 5, name="aux1")}
    x = unit(x, 6, name="body")
    model = keras.Model(images, {"main": classifier(x, 5, name="main"), **heads})
    model.get_layer("stem.conv").kernel.regularizer = keras.regularizers.L2(0.1)
    return model


def compiled(norm=None, optimizer=None, seed=0, branches=False):
    keras.utils.set_random_seed(seed)
    model = network(norm, branches)
    model.compile(**compile_args(model, keras.optimizers.Adam(0.01) if optimizer is None else optimizer()))
    return model


def batches(count, size, seed=0, weighted=False):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5, count).astype("int32")
    images = (random.normal(size=(count, 8, 8, 1)) + labels[:, None, None, None]).astype("float32")
    arrays = (images, labels, random.uniform(0.5, 2, count).astype("float32")) if weighted else (images, labels)
    return tf.data.Dataset.from_tensor_slices(arrays).batch(size)


def labelled(model, *datasets):
    return [label_every_output(data, model) for data in datasets]


def difference(history, other):
    assert set(history) == set(other), (sorted(history), sorted(other))
    return max(float(np.abs(np.subtract(history[name], other[name])).max()) for name in history)


def weights_apart(model, other):
    pairs = zip(model.get_weights(), other.get_weights(), strict=True)
    return max(float(np.abs(np.subtract(*pair)).max()) for pair in pairs)


# -- two CPUs ---------------------------------------------------------------------------------------------------------


def compared(strategy, count=24, size=8, weighted=False, validation=8, shared=False, **made):
    """How far two replicas are from one device under `model.fit`."""
    alone = compiled(**made)
    train, held_out = labelled(alone, batches(count, size, weighted=weighted), batches(validation, 4, seed=1))
    one = alone.fit(train, validation_data=held_out, epochs=EPOCHS, verbose=0)
    with strategy.scope():
        model = compiled(**made)
    start = model.get_weights()
    data = (lambda context: train) if shared else train
    two = fit_distributed(model, data, validation_data=held_out, strategy=strategy, epochs=EPOCHS, verbose=0)
    moved = max(np.abs(new - old).max() for new, old in zip(model.get_weights(), start, strict=True))
    return {
        "logs": difference(one.history, two.history),
        "weights": weights_apart(alone, model),
        "moved": float(moved),
    }


def scaled_and_clipped():
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0, global_clipnorm=0.1), initial_scale=256.0)


def accumulating():
    """Of a rate that depends on the number of updates, clipped."""
    rate = keras.optimizers.schedules.ExponentialDecay(0.05, 1, 0.7)
    return keras.optimizers.Adam(rate, clipnorm=0.5, gradient_accumulation_steps=3)


def clipped(**clip):
    return lambda: keras.optimizers.SGD(1.0, **clip)


SAME = {
    "odd last batches, sample weights": {"count": 21, "weighted": True},
    "last batches smaller than the replicas": {"count": 17, "validation": 13},
    "synchronized norms": {"norm": partial(batch_norm, synchronized=True), "count": 20},
    "gradients of three batches": {"count": 48, "optimizer": accumulating},
    "a function, loss scale, clipped as a whole": {"shared": True, "optimizer": scaled_and_clipped},
}
if os.environ.get("HYPOTHESIS_PROFILE") == "nightly":
    SAME |= {
        "sizes that divide": {},
        "clipped one by one": {"optimizer": clipped(clipnorm=0.05)},
        "clipped values": {"optimizer": clipped(clipvalue=0.01)},
    }


def plain_norms(strategy):
    """Batch normalization by the replica: its statistics at the end, on each."""
    with strategy.scope():
        model = compiled(norm=batch_norm)
    model.get_layer("body.norm").trainable = False
    model.get_layer("body.norm").set_weights([values + 1 / 3 for values in model.get_layer("body.norm").get_weights()])
    frozen = model.get_layer("body.norm").get_weights()
    fit_distributed(model, *labelled(model, batches(24, 8)), strategy=strategy, epochs=2, verbose=0)
    replicas = [
        [np.asarray(value) for value in strategy.experimental_local_results(v.value)]
        for v in model.non_trainable_variables
    ]
    kept = [
        bool((now == then).all()) for now, then in zip(model.get_layer("body.norm").get_weights(), frozen, strict=True)
    ]
    mean, variance = (np.asarray(v) for v in model.get_layer("stem.norm").non_trainable_variables[-2:])
    return {
        "replicas": max(float(np.abs(one - two).max()) for one, two in replicas),
        "frozen": all(kept),
        "moved": float(np.abs(mean).max()) > 0 and bool((variance != 1).any()),
    }


def steps(strategy):
    """Steps an epoch go on in the data; callbacks are driven; a batch ends the training."""
    alone = compiled()
    (train,) = labelled(alone, batches(24, 8))
    one = alone.fit(train.repeat(), steps_per_epoch=2, epochs=EPOCHS, verbose=0)
    with strategy.scope():
        model = compiled()
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: seen.append("begin"),
        on_epoch_begin=lambda epoch, logs: seen.append(f"epoch {epoch}"),
        on_train_batch_end=lambda batch, logs: seen.append(f"batch {batch}"),
        on_epoch_end=lambda epoch, logs: seen.append("end epoch"),
        on_train_end=lambda logs: seen.append("end"),
    )
    options = {"strategy": strategy, "steps_per_epoch": 2, "verbose": 0}
    two = fit_distributed(model, train, epochs=EPOCHS, callbacks=[record], **options)
    result = {"logs": difference(one.history, two.history), "seen": seen}

    with tempfile.TemporaryDirectory() as folder, strategy.scope():
        for epochs in (1, EPOCHS):
            model = compiled()
            backup = keras.callbacks.BackupAndRestore(folder, delete_checkpoint=False)
            fit_distributed(model, train, epochs=epochs, callbacks=[backup], strategy=strategy, verbose=0)
    alone = compiled()
    alone.fit(train, epochs=EPOCHS, verbose=0)
    result["restored"] = weights_apart(alone, model)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    again = fit_distributed(model, train, epochs=9, callbacks=[Stop()], **options)
    return {**result, "stopped after": len(again.history["loss"])}


def messages(strategy):
    """What is refused, and how."""
    with strategy.scope():
        model = compiled()
        loose = network()
        uncompiled = network()
    (train,) = labelled(model, batches(16, 8))
    outside = compiled()
    loose.compile(**compile_args(loose, keras.optimizers.Adam()))
    with strategy.scope():
        summed = network()
        summed.compile(**compile_args(summed, loss=keras.losses.SparseCategoricalCrossentropy(reduction="sum")))
    cases = {
        "batch": (model, labelled(model, batches(15, 5))[0]),
        "growing": (model, labelled(model, batches(4, 4).concatenate(batches(8, 8)))[0]),
        "no batches": (model, train.take(0)),
        "not pairs": (model, train.map(lambda x, y: x)),
        "not data": (model, 3),
        "outside": (outside, train),
        "optimizer": (loose, train),
        "uncompiled": (uncompiled, train),
        "sum": (summed, train),
        "not a model": (None, train),
    }
    said = {}
    for name, (given, data) in cases.items():
        try:
            fit_distributed(given, data, strategy=strategy, verbose=0)
        except (TypeError, ValueError) as error:
            said[name] = f"{type(error).__name__}: {error}"
    return said


def replicas(path):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = device_strategy("mirrored")
    results = {name: compared(strategy, **how) for name, how in SAME.items()}
    results |= {"plain norms": plain_norms(strategy), "steps": steps(strategy), "messages": messages(strategy)}
    results["replicas"] = strategy.num_replicas_in_sync
    Path(path).write_text(json.dumps(results))


# -- a worker ---------------------------------------------------------------------------------------------------------


WORKER = {"norm": partial(batch_norm, synchronized=True), "branches": True}


def train_data(model):
    return labelled(model, batches(28, 8, weighted=True), batches(8, 4, seed=1))


def worker(folder):
    """Train as one of several; what it found goes to FOLDER/INDEX.npz."""
    strategy = device_strategy("multiworker", timeout=100 * float(os.environ.get("LAYERBLOCKS_TIME_SCALE", 1)))
    index = strategy.cluster_resolver.task_id
    with strategy.scope():
        model = compiled(**WORKER, seed=index)  # the chief's weights count
    train, held_out = train_data(model)
    options = {"strategy": strategy, "validation_data": held_out, "epochs": EPOCHS, "verbose": 0}
    history = fit_distributed(model, train, **options).history
    arrays = {f"w{number}": values for number, values in enumerate(model.get_weights())}
    said = {}
    for name, changed in {"initial_epoch": index, "callbacks": [Own(index)]}.items():
        try:
            fit_distributed(model, train, **options | {name: changed})
        except (RuntimeError, ValueError) as error:
            said[name] = f"{type(error).__name__}: {error}"
    about = json.dumps({"history": history, "chief": is_chief(strategy), "said": said})
    np.savez(Path(folder, f"{index}.npz"), about=about, **arrays)


class Own(keras.callbacks.Callback):
    """Changes the learning rate in one worker only."""

    def __init__(self, index):
        super().__init__()
        self.index = index

    def on_epoch_end(self, epoch, logs=None):
        if self.index == 1:
            self.model.optimizer.learning_rate = 0.02


if __name__ == "__main__":
    {"replicas": replicas, "worker": worker}[sys.argv[1]](sys.argv[2])
