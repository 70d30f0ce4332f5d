"""Which copy of a model trains quickest on this machine: its candidates measured in pairs, and what is remembered."""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
import json
import math
import os
import platform
import random
import statistics
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..checks import public
from ..files import why, write_whole
from ..graphs.calls import wired
from .answers import batch_of
from .computed import digest
from .measuring import Pairs, gain, in_turn, is_ahead, quickest
from .rewiring import leaves
from .training_copies import changes_of, made, training_dtype

AS_IT_IS = "as it is"
PAIRS = 9
"""Steps of a candidate, each beside one of the model as it is; twice as many where it is ahead by these."""

# What of the environment changes which kernels compute a step, or how many threads.
_SETTINGS = (
    "ONEDNN_",
    "DNNL_",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_",
    "OMP_",
    "KMP_",
    "XLA_FLAGS",
    "CUDA_VISIBLE_DEVICES",
)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a training step of a model and of its candidates costs on a machine.

    Args:
        pairs: by candidate the seconds of a step of the model as it is and of one of the candidate, right beside
            each other; candidates are named by what is changed: `"fused_norm, no_idle_bias"`.
        batch: the shapes of the inputs.
        machine: that it was measured on.
        remembered: whether it was measured before, and read from a file.

    Example:
        >>> pairs = {"fused_norm": ((1.3, 1.0), (1.2, 1.0), (1.4, 1.0))}
        >>> print(Tuning(pairs, ((8, 224, 224, 3),), "a CPU, 2 threads"))
        as it is: 1.3 s for (8, 224, 224, 3) on a CPU, 2 threads
          fused_norm: 1 s, 1.30 times as quick in the median of 3 pairs, chosen
    """

    pairs: Mapping[str, Pairs]
    batch: tuple[tuple[int, ...], ...]
    machine: str
    remembered: bool = False

    @property
    def chosen(self) -> str:
        """The candidate with the largest gain of those that are quicker in three quarters of the pairs at least."""
        return quickest(self.pairs, AS_IT_IS)

    @property
    def gains(self) -> dict[str, float]:
        """How many times as quick a step of each is, in the median of the pairs; of the model as it is 1."""
        return {AS_IT_IS: 1.0, **{name: gain(pairs) for name, pairs in self.pairs.items()}}

    def __str__(self) -> str:
        shapes = " and ".join(map(str, self.batch))
        before = [reference for pairs in self.pairs.values() for reference, _ in pairs]
        said = f"{statistics.median(before):.3g} s" if before else "no candidate, so nothing was measured,"
        lines = [f"{AS_IT_IS}: {said} for {shapes} on {self.machine}" + ", chosen" * (self.chosen == AS_IT_IS)]
        for name, pairs in self.pairs.items():
            taken, count = statistics.median(own for _, own in pairs), len(pairs)
            line = f"  {name}: {taken:.3g} s, {gain(pairs):.2f} times as quick in the median of {count} pairs"
            lines.append(line + ", chosen" * (name == self.chosen))
        return "\n".join(lines)


@public
def tuning(model: keras.Model, *, batch: Any, dtype: str | None = None) -> Tuning:
    """Measure which copy of a model takes the least time for a training step on this machine.

    The candidates are what `training_model` changes, each alone and together, as far as the model has something to
    change, with and without `dtype` where one is given. Steps of stochastic gradient descent with momentum on random
    numbers, compiled as Keras does by default, take turns with those of the model as it is, all on copies. None counts
    as quicker that is not so in three quarters of the pairs, and what seems so is measured once more. What was found is
    remembered, by what the model computes, the batch, and the machine with its versions and settings, in a file each in
    `$XDG_CACHE_HOME/layerblocks/tuning` (`~/.cache` without that variable); of a model with layers whose code is not
    known nothing is.

    Args:
        model: with weights.
        batch: as many random examples as a step has; or a batch of your own, where the model has sizes that are None.
        dtype: `"mixed_bfloat16"` to measure that as well.

    Raises:
        TypeError, ValueError: an argument is none of these.
        RuntimeError: the model cannot be trained on that batch.

    Example:
        >>> import keras
        >>> x = keras.Input((8, 8, 3))
        >>> model = keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
        >>> found = tuning(model, batch=4)  # nothing of it is to be made quicker
        >>> found.chosen, dict(found.pairs)
        ('as it is', {})
    """
    network = wired(checks.instance("model", model, keras.Model, "a Keras model"))
    dtype = training_dtype(dtype)
    if not all(map(_keras.is_allocated, network.variables)):
        raise checks.refuse("model", network.name, "a model that has weights (not one made inside weightless())")
    arrays = batch_of(model, batch)
    parts = [np.asarray(part) for part in keras.tree.flatten(arrays)]
    candidates = candidates_of(network, dtype)
    shapes, machine = tuple(part.shape for part in parts), _machine()
    if not candidates:
        return Tuning({}, shapes, machine)
    place = _place(network, [(part.shape, str(part.dtype)) for part in parts], machine)
    found = {} if place is None else _read(place)
    new = {name: changes for name, changes in candidates.items() if name not in found}
    if new:
        found.update(_measured(network, arrays, new))
        if place is not None:
            _write(place, found, machine)
    return Tuning({name: found[name] for name in candidates}, shapes, machine, remembered=not new)


def candidates_of(model: keras.Model, dtype: str | None) -> dict[str, tuple[str, ...]]:
    """What can be changed of a model, alone and together, by how it is called."""
    changes = changes_of(model, dtype)
    chosen = (some for count in range(1, len(changes) + 1) for some in itertools.combinations(changes, count))
    return {", ".join(some): some for some in chosen}


# -- steps ------------------------------------------------------------------------------------------------------------


def _measured(model: keras.Model, batch: Any, candidates: Mapping[str, tuple[str, ...]]) -> dict[str, Pairs]:
    before = random.getstate()  # of which layers draw their seeds: what is made next does not depend on the file
    try:
        reference = _step(made(model, ()), batch)
        found: dict[str, Pairs] = {}
        for name, changes in candidates.items():
            works = {"reference": reference, "own": _step(made(model, changes), batch)}
            pairs = _paired(works, warm=2)
            again = _paired(works) if is_ahead(pairs) else ()  # by chance it is not so twice
            found[name] = (*pairs, *again)
        return found
    finally:
        random.setstate(before)


def _paired(works: Mapping[str, Callable[[], Any]], warm: int = 0) -> Pairs:
    times = in_turn(works, PAIRS, warm=warm)
    return tuple(zip(times["reference"], times["own"], strict=True))


def _step(model: keras.Model, batch: Any) -> Callable[[], Any]:
    """A training step that leaves the weights as they are, so that each is as dear as the one before."""
    answer = model(batch, training=False)
    targets = keras.tree.map_structure(lambda part: np.zeros(part.shape, "float32"), answer)
    losses = keras.tree.map_structure(lambda part: "mean_squared_error", answer)
    model.compile(keras.optimizers.SGD(0.0, momentum=0.9), losses)

    def step() -> None:
        try:
            model.train_on_batch(batch, targets)
        except Exception as error:  # a model refuses to be trained with whatever it likes
            raise checks.complaint(f"{model.name!r} cannot be trained on this batch: {error}", RuntimeError) from error

    return step


# -- what is remembered -----------------------------------------------------------------------------------------------


def _machine() -> str:
    return f"{_processor()}, {_threads()} threads"


def _processor() -> str:
    devices = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:  # no Linux
        text = ""
    models = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return ", ".join([*(models[:1] or [platform.processor() or platform.machine()]), *devices])


def _threads() -> int:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if chosen := tf.config.threading.get_intra_op_parallelism_threads():
            return int(chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _versions() -> Iterator[str]:
    for package in ("keras", "tensorflow", "jaxlib", "torch", "layerblocks"):
        try:
            yield f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"no {package}"


def _place(model: keras.Model, inputs: Sequence[Any], machine: str) -> Path | None:
    """The file of what was measured of such a model on such a machine; None where it cannot be told what it computes.

    What the digest leaves aside but a step spends time on, is said beside it: dtypes, what is trained, dropout.
    """
    word = digest(model)
    if word is None:
        return None
    layers = [(type(x).__name__, x.dtype_policy.name, x.trainable) for x in leaves(model)]
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith(_SETTINGS))
    key = (word, layers, list(inputs), machine, keras.backend.backend(), settings, list(_versions()))
    cache = os.environ.get("XDG_CACHE_HOME") or ""
    folder = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    return folder / "layerblocks" / "tuning" / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}.json"


def _read(place: Path) -> dict[str, Pairs]:
    """What a file remembers, nothing if there is none; one that is broken is passed over."""
    try:
        found = json.loads(place.read_text("utf-8"))["pairs"]
        pairs: dict[str, Pairs] = {
            str(name): tuple((float(a), float(b)) for a, b in each) for name, each in found.items()
        }
        numbers = [number for each in pairs.values() for pair in each for number in pair]
        if not all(pairs.values()) or not all(math.isfinite(number) and number > 0 for number in numbers):
            raise ValueError("has no pairs of seconds")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        warnings.warn(checks.plain(f"tuning: {place} is not read, and measured anew: {error!r}"), stacklevel=2)
        return {}
    return pairs


def _write(place: Path, pairs: Mapping[str, Pairs], machine: str) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, json.dumps({"machine": machine, "pairs": pairs}, indent=1).encode())
    except OSError as error:
        warnings.warn(checks.plain(f"tuning: {place} cannot be written: {why(error)}"), stacklevel=2)
