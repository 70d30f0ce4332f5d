"""`fit` for several devices or machines, as one process would train on the same batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import count
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..checks import complaint, integer, public, refuse
from .devices import checked_strategy, is_chief, lost_workers
from .global_batches import Batches, processes_of

# What `fit` divides by the number of examples, so that the shares of a batch add up to the whole.
REDUCTIONS = ("sum_over_batch_size", "mean")
CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")
APART = 1e-4  # the relative difference from which on workers are no longer the same


@public
def fit_distributed(
    model: keras.Model,
    data: Any,
    *,
    strategy: Any,
    epochs: int = 1,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_data: Any = None,
    validation_steps: int | None = None,
    validation_freq: int = 1,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Train a compiled model on all devices of a strategy as `model.fit` would on one.

    A batch of `data` is the global batch: each replica computes the gradient of its share of it, and the sum is that
    of the whole. Loss weights, sample weights and losses of regularizers count as they do in one process; so does a
    last batch that is smaller, of any size. In every process the callbacks get the same logs, those of the whole batch.

    What differs from one process: batch normalization works by the statistics of a replica's share, unless made with
    `synchronized=True`, and its moving averages are the mean over the replicas (which `fit` under a mirrored strategy
    leaves apart); dropout drops the same places on every replica.

    Args:
        model: made and compiled in `strategy.scope()`; `run_eagerly`, `jit_compile` and `steps_per_execution` have no
            effect. Losses are means over the examples. Gradients of several batches are accumulated where the optimizer
            does so (`gradient_accumulation_steps`).
        data: a `tf.data.Dataset` of batches (x, y) or (x, y, sample_weight), in every process the same ones, whose
            size is a multiple of the number of replicas. Or, so that a process need not read what it does not use, a
            function of a `tf.distribute.InputContext` that gives a dataset of this process's share of each batch;
            shares of the same batch have the same size.
        strategy: of `device_strategy`, or another mirrored one of `tf.distribute`.
        epochs: up to which to train, as in `fit`.
        initial_epoch: after how many to begin. A `keras.callbacks.BackupAndRestore` may say otherwise.
        steps_per_epoch: batches an epoch, which then goes on in `data` where the last one stopped; else all of it.
        validation_data: as `data`; batches of any size.
        validation_steps: of these; else all.
        validation_freq: epochs from one validation to the next.
        callbacks: as of `fit`. Those that write files belong in the process of which `is_chief` is true. All others
            in every process, since each stops, or changes the learning rate, by itself.
        verbose: as of `fit`, in the chief; the others show nothing.

    Returns:
        The history of `fit`.

    Raises:
        ValueError: the model, its optimizer or its compiled losses do not suit; a batch cannot be shared out; the
            processes do not begin alike.
        RuntimeError: the processes have come apart, by a callback that works in one of them only.
        WorkerLost: another process is gone.

    Example:
        >>> import tensorflow as tf
        >>> from layerblocks.training import compile_args, device_strategy
        >>> strategy = device_strategy("mirrored")
        >>> with strategy.scope():
        ...     inputs = keras.Input((4,))
        ...     model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
        ...     model.compile(**compile_args(model, "sgd"))
        >>> batches = tf.data.Dataset.from_tensors((tf.ones((8, 4)), tf.zeros(8, tf.int32))).repeat(3)
        >>> history = fit_distributed(model, batches, strategy=strategy, epochs=2, verbose=0)
        >>> len(history.history["loss"]), sorted(history.history)
        (2, ['accuracy', 'loss'])
    """
    _check_model(model, strategy)
    epochs = integer("epochs", epochs, at_least=0)
    initial_epoch = integer("initial_epoch", initial_epoch, at_least=0)
    steps_per_epoch = None if steps_per_epoch is None else integer("steps_per_epoch", steps_per_epoch)
    validation_steps = None if validation_steps is None else integer("validation_steps", validation_steps)
    validation_freq = integer("validation_freq", validation_freq)
    verbose = checks.choice("verbose", verbose, ["auto", 0, 1, 2, False, True])
    if not isinstance(callbacks, Sequence) or not all(isinstance(one, keras.callbacks.Callback) for one in callbacks):
        raise refuse("callbacks", callbacks, "a list of keras.callbacks.Callback", TypeError)
    chief, several = is_chief(strategy), processes_of(strategy) > 1
    train = Batches("data", data, strategy, steps_per_epoch, whole=True)
    validation = None
    if validation_data is not None:
        validation = Batches("validation_data", validation_data, strategy, validation_steps, whole=False)
    _build(model, strategy, train)
    step, test = _train_step(model, strategy), _test_step(model, strategy)
    level, alike = _level(model, strategy), _alike(model, strategy)
    every = keras.callbacks.CallbackList(
        list(callbacks),
        add_history=True,
        add_progbar=bool(verbose) and chief,
        verbose=(1 if verbose == "auto" else verbose) if chief else 0,
        epochs=epochs,
        steps=train.count,
        model=model,
    )
    with lost_workers("while it trained") if several else nullcontext():
        model.stop_training = False
        every.on_train_begin()
        first = _keras.restored_epoch(model) or initial_epoch
        beginning = {"first epoch": first, "epochs": epochs, "steps an epoch": train.count or 0}
        alike(beginning, ValueError, "begin")
        logs: dict[str, float] = {}
        for epoch in range(first, epochs):
            every.on_epoch_begin(epoch)
            totals = _Totals(model)
            for number, batch in enumerate(train.epoch()):
                every.on_train_batch_begin(number)
                every.on_train_batch_end(number, totals.add(step(*batch)))
                if model.stop_training:
                    break
            level()
            logs = dict(totals.logs)
            if validation is not None and (epoch + 1) % validation_freq == 0:
                logs |= {f"val_{name}": value for name, value in _evaluate(model, every, validation, test).items()}
            every.on_epoch_end(epoch, logs)
            now = {"learning rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))}
            model.stop_training |= alike(now, RuntimeError, f"end epoch {epoch + 1}")
            if model.stop_training:
                break
        if first < epochs:
            model.optimizer.finalize_variable_values(model.trainable_variables)
        every.on_train_end(logs)
    return model.history


def _evaluate(model: keras.Model, every: Any, data: Batches, test: Callable[..., Any]) -> dict[str, float]:
    totals = _Totals(model)
    every.on_test_begin()
    for number, batch in enumerate(data.epoch()):
        every.on_test_batch_begin(number)
        every.on_test_batch_end(number, totals.add(test(*batch)))
    every.on_test_end(totals.logs)
    return totals.logs


# -- steps ------------------------------------------------------------------------------------------------------------


def _train_step(model: keras.Model, strategy: Any) -> Callable[..., Any]:
    """A function of the shares of a batch that trains on them and gives what `_Totals` adds."""
    import tensorflow as tf

    optimizer, replicas = model.optimizer, strategy.num_replicas_in_sync
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    # Keras adds up the gradients of the replicas after it has clipped each, or looked whether it is finite.
    first_look = inner is not optimizer or any(getattr(inner, clip) is not None for clip in CLIPS)
    accumulated = optimizer.gradient_accumulation_steps or 1
    kept = _accumulators(model, strategy) if accumulated > 1 else []

    def replica(last: bool, part: Any, whole: Any, x: Any, y: Any, sample_weight: Any = None) -> Any:
        _reset(model)
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            # Keras divides by the number of replicas, as if their shares had to be equal.
            loss = model.compute_loss(x, y, outputs, sample_weight, training=True) * (part * replicas)
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_variables)
        if kept:
            gradients = _accumulate(gradients, kept, accumulated, last)
        if last:
            if first_look:
                gradients = _same_share_of_the_sum(gradients, replicas)
            _apply(optimizer, gradients, model.trainable_variables, accumulated)
        else:
            optimizer.iterations.assign_add(1)
        model.compute_metrics(x, y, outputs, sample_weight)
        return _state(model, loss, part, whole)

    def of(last: bool) -> Callable[..., Any]:
        def step(*batch: Any) -> Any:
            with _scaled_clips(inner, 1 / replicas), _keras.applying_at_once(optimizer):
                return strategy.reduce("SUM", strategy.run(replica, args=(last, *batch)), axis=None)

        return tf.function(step, autograph=False)

    if accumulated == 1:
        return of(True)
    steps, calls = (of(False), of(True)), count(1)
    return lambda *batch: steps[next(calls) % accumulated == 0](*batch)


# Keras itself accumulates in a branch of the graph, in which nothing can be exchanged between replicas.


def _accumulators(model: keras.Model, strategy: Any) -> list[Any]:
    """For each replica a sum of its gradients, one for each variable that is trained."""
    import tensorflow as tf

    with strategy.scope():
        return [
            tf.Variable(
                tf.zeros(variable.shape, variable.dtype),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.SUM,
            )
            for variable in model.trainable_variables
        ]


def _accumulate(gradients: Sequence[Any], kept: Sequence[Any], steps: int, last: bool) -> list[Any]:
    """Add gradients to the sums, and give the means over the steps after the last one."""
    import tensorflow as tf

    found: list[Any] = []
    for gradient, total in zip(gradients, kept, strict=True):
        if gradient is None:
            found.append(None)
        elif last:
            found.append((total.read_value() + tf.convert_to_tensor(gradient)) / steps)
            total.assign(tf.zeros_like(gradient))
        else:
            total.assign_add(tf.convert_to_tensor(gradient))
    return found


def _apply(optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any], steps: int) -> None:
    """Let an optimizer, which accumulates nothing here, count the batches and reckon with the updates."""
    if steps > 1:
        optimizer.iterations.assign(optimizer.iterations // steps)
    optimizer.apply(gradients, variables)
    if steps > 1:
        optimizer.iterations.assign(optimizer.iterations * steps)


def _test_step(model: keras.Model, strategy: Any) -> Callable[..., Any]:
    import tensorflow as tf

    def replica(part: Any, whole: Any, x: Any, y: Any, sample_weight: Any = None) -> Any:
        _reset(model)
        outputs = model(x, training=False)
        loss = model.compute_loss(x, y, outputs, sample_weight, training=False)
        model.compute_metrics(x, y, outputs, sample_weight)
        return _state(model, loss * (part * strategy.num_replicas_in_sync), part, whole)

    def step(*batch: Any) -> Any:
        return strategy.reduce("SUM", strategy.run(replica, args=batch), axis=None)

    return tf.function(step, autograph=False)


def _same_share_of_the_sum(gradients: Sequence[Any], replicas: int) -> list[Any]:
    """The sum over the replicas, divided by their number, so that Keras's own sum of them is that sum."""
    import tensorflow as tf

    given = [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]
    summed = iter(tf.distribute.get_replica_context().all_reduce("SUM", given))
    return [None if gradient is None else next(summed) / replicas for gradient in gradients]


@contextmanager
def _scaled_clips(optimizer: Any, scale: float) -> Iterator[None]:
    """Clip at a part of the thresholds, while the step is traced."""
    given = {clip: getattr(optimizer, clip) for clip in CLIPS if getattr(optimizer, clip) is not None}
    try:
        for clip, threshold in given.items():
            setattr(optimizer, clip, threshold * scale)
        yield
    finally:
        for clip, threshold in given.items():
            setattr(optimizer, clip, threshold)


def _reset(model: keras.Model) -> None:
    for metric in model.metrics:
        metric.reset_state()


def _state(model: keras.Model, loss: Any, part: Any, whole: Any) -> Any:
    """The loss, the number of examples and all variables of the metrics, as one vector; zero if there are none."""
    import tensorflow as tf

    trackers = {id(metric) for metric in _keras.loss_trackers(model)}
    states = [loss, part * whole]
    for metric in model.metrics:
        # In the loss of each output `fit` counts every batch alike, whatever its size.
        scale = 1 / whole if id(metric) in trackers else 1.0
        states += [scale * tf.cast(tf.convert_to_tensor(variable), tf.float32) for variable in metric.variables]
    flat = tf.concat([tf.reshape(tf.cast(state, tf.float32), [-1]) for state in states], 0)
    return tf.where(part > 0, flat, 0)


class _Totals:
    """What the logs are made of: the sums over the batches so far."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.loss = self.examples = 0.0
        self.states: Any = 0.0
        self.logs: dict[str, float] = {}

    def add(self, state: Any) -> dict[str, float]:
        loss, examples, *states = np.asarray(state, "float64")
        self.loss += loss * examples
        self.examples += examples
        self.states = self.states + np.array(states)
        logs: dict[str, Any] = {}
        at = 0
        for metric in self.model.metrics:
            values = []
            for variable in metric.variables:
                size = int(np.prod(variable.shape))
                values.append(self.states[at : at + size].reshape(tuple(variable.shape)).astype(variable.dtype))
                at += size
            result = metric.stateless_result(values)
            logs |= result if isinstance(result, Mapping) else {metric.name: result}
        logs["loss"] = self.loss / self.examples
        self.logs = {name: float(logs[name]) for name in sorted(logs)}
        return self.logs


# -- replicas that stay the same --------------------------------------------------------------------------------------


def _level(model: keras.Model, strategy: Any) -> Callable[[], Any]:
    """A function that gives all replicas the mean of what each has gathered by itself: statistics of its batches."""
    import tensorflow as tf

    gathered = [
        variable
        for variable in model.non_trainable_variables
        if variable.aggregation == "none" and keras.backend.is_float_dtype(variable.dtype)
    ]
    if strategy.num_replicas_in_sync == 1 or not gathered:
        return lambda: None

    def replica() -> None:
        own = [tf.identity(variable) for variable in gathered]
        means = tf.distribute.get_replica_context().all_reduce("MEAN", own)
        for variable, value, mean in zip(gathered, own, means, strict=True):
            same = tf.abs(mean - value) <= 1e-6 * tf.abs(value)  # what is frozen stays as it is to the last bit
            variable.assign(tf.where(same, value, mean))

    return tf.function(lambda: strategy.run(replica), autograph=False)


def _alike(model: keras.Model, strategy: Any) -> Callable[[Mapping[str, float], type[Exception], str], bool]:
    """A function that makes sure that all processes have the same numbers and weights, or raises the error given.

    It gives whether one of them wants to stop.
    """
    import tensorflow as tf

    together = tf.function(lambda row: strategy.gather(row, axis=0), autograph=False)

    def alike(named: Mapping[str, float], error: type[Exception], where: str) -> bool:
        if processes_of(strategy) == 1:
            return bool(model.stop_training)
        weights = sum(float(np.abs(keras.ops.convert_to_numpy(value)).sum()) for value in model.trainable_variables)
        row = np.array([[*named.values(), weights, float(model.stop_training)]])
        rows = strategy.experimental_distribute_values_from_function(lambda _: tf.constant(row))
        *columns, stops = np.asarray(together(rows)).T
        for name, column in zip((*named, "sum of weights"), columns, strict=True):
            if not np.ptp(column) <= APART * np.abs(column).max():
                found = ", ".join(f"{value:g} on replica {number}" for number, value in enumerate(column))
                same = "the checkpoint must be the same in all, and the callbacks, but for those that only write"
                raise complaint(f"the processes {where} with a different {name} ({found}); {same}", error)
        return bool(stops.any())

    return alike


def _build(model: keras.Model, strategy: Any, data: Batches) -> None:
    """Let metrics and optimizer make their variables now: within a step they cannot."""
    with strategy.scope():
        _keras.build_compiled(model, data.sample())
    for variable in model.optimizer.variables:
        if not strategy.extended.variable_created_in_scope(variable.value):
            raise _outside("optimizer", variable)
    for metric in model.metrics:
        for variable in metric.variables:
            if variable.aggregation != "sum":
                must_be = "one whose variables have aggregation 'sum'"
                got = f"{variable.path} with {variable.aggregation!r}, which is not summed over replicas"
                raise complaint(f"metric {metric.name} must be {must_be}, got {got}")


def _check_model(model: Any, strategy: Any) -> None:
    checks.instance("model", model, keras.Model, "a Keras model")
    checked_strategy(strategy)
    for variable in model.variables:
        if not _keras.is_allocated(variable):
            raise complaint(f"model must be one with weights, but {variable.path} has no value")
        if not strategy.extended.variable_created_in_scope(variable.value):
            raise _outside("model", variable)
    if not model.compiled or model.optimizer is None:
        raise complaint("model must be compiled; call model.compile in strategy.scope()")
    _check_optimizer(model.optimizer, strategy)
    for loss in keras.tree.flatten(model.loss):
        reduction = getattr(loss, "reduction", REDUCTIONS[0])
        if reduction not in REDUCTIONS:
            raise refuse(f"loss {loss.name}", reduction, f"of the reduction {checks.listed(REDUCTIONS)}")


def _check_optimizer(optimizer: Any, strategy: Any) -> None:
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if inner is not optimizer and (inner.gradient_accumulation_steps or optimizer.gradient_accumulation_steps):
        raise refuse("optimizer", optimizer.name, "one that does not both scale the loss and accumulate gradients")
    steps = optimizer.gradient_accumulation_steps
    with _keras.applying_at_once(optimizer):
        batches = optimizer.iterations
    if not strategy.extended.variable_created_in_scope(batches.value):
        raise _outside("optimizer", batches)
    if steps and int(keras.ops.convert_to_numpy(batches)) % steps:
        must_be = f"at the end of an accumulation of {steps} batches, to begin with; steps_per_epoch can be a multiple"
        raise refuse("optimizer", f"after {int(keras.ops.convert_to_numpy(batches))} batches", must_be)


def _outside(what: str, variable: Any) -> Exception:
    return complaint(
        f"{what} must be made in strategy.scope(), but {variable.path} was made outside of it; "
        "write `with strategy.scope():` around building and compiling the model"
    )
