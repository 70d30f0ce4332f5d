"""Global batches, cut up among replicas."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import keras
import numpy as np

from ..checks import complaint, refuse


def processes_of(strategy: Any) -> int:
    """How many processes work together."""
    replicas = strategy.num_replicas_in_sync
    return 1 if replicas == 1 else replicas // len(strategy.extended.worker_devices)


class Batches:
    """Global batches, of which every replica gets its share; how large that is in the whole comes with it."""

    def __init__(self, argument: str, data: Any, strategy: Any, steps: int | None, whole: bool) -> None:
        import tensorflow as tf

        self.argument, self.strategy, self.steps = argument, strategy, steps
        self.replicas, self.processes = strategy.num_replicas_in_sync, processes_of(strategy)
        mine = strategy.experimental_distribute_values_from_function(lambda context: context.replica_id_in_sync_group)
        self.mine = [int(number) for number in strategy.experimental_local_results(mine)]
        self.shared = not isinstance(data, tf.data.Dataset)
        if self.shared:
            if not callable(data) or isinstance(data, keras.Layer):
                must_be = "a tf.data.Dataset or a function of a tf.distribute.InputContext that gives one"
                raise refuse(argument, data, must_be, TypeError)
            place = self.mine[0] // len(self.mine)
            data = data(tf.distribute.InputContext(self.processes, place, self.replicas))
        spec = getattr(data, "element_spec", None)
        if not isinstance(spec, tuple) or len(spec) not in (2, 3):
            raise refuse(argument, spec, "batches (x, y) or (x, y, sample_weight)")
        self.data, self.spec = data, spec
        self.multiple = (len(self.mine) if self.shared else self.replicas) if whole else 1
        self.full = 0
        self.rest: Iterator[Any] = iter(())

    @property
    def count(self) -> int | None:
        """Batches an epoch, if it can be known."""
        length = int(self.data.cardinality())
        return self.steps or (length if length >= 0 else None)

    def sample(self) -> Any:
        """A batch of zeros."""
        return keras.tree.map_structure(
            lambda spec: np.zeros([1 if size is None else size for size in spec.shape], spec.dtype.as_numpy_dtype),
            self.spec,
        )

    def epoch(self) -> Iterator[tuple[Any, ...]]:
        """What each replica of this process gets of a batch: which part it is, examples in the whole, x, y."""
        batch = None
        for batch in islice(self._endless(), self.steps) if self.steps else self.data:
            yield self._shares(batch)
        if batch is None:
            raise complaint(f"{self.argument} must be one batch or more, got none")

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self.rest
            self.rest = iter(self.data)
            first = next(self.rest, None)
            if first is None:
                return
            yield first

    def _shares(self, batch: Any) -> tuple[Any, ...]:
        size = int(keras.tree.flatten(batch)[0].shape[0])
        self.full = self.full or size
        if size > self.full or (size == self.full and size % self.multiple):
            whose = "the share of this process" if self.shared else "the global batch"
            must_be = f"batches of one size, a multiple of the {self.multiple} replicas (a smaller one at the end)"
            raise complaint(f"{self.argument} must be {must_be}, but {whose} has {size} examples")
        count, whole = (len(self.mine), size * self.processes) if self.shared else (self.replicas, size)

        def share(context: Any) -> tuple[Any, ...]:
            place = context.replica_id_in_sync_group - (self.mine[0] if self.shared else 0)
            start, stop = place * size // count, (place + 1) * size // count
            shown = slice(start, stop) if stop > start else slice(1)  # of no examples there is no mean
            parts = keras.tree.map_structure(lambda values: values[shown], batch)
            return (np.float32((stop - start) / whole), np.float32(whole), *parts)

        return self.strategy.experimental_distribute_values_from_function(share)
