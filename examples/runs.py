"""A training in a folder of its own, which goes on where it was killed and ends as if it had not been."""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import keras
import numpy as np
from data import Refused, one_line

from layerblocks.models import inference_model
from layerblocks.training import WorkerLost, diagnose, plot_history

STATE, BEST, LOG, CURVES, VERDICT = "state.npz", "best.keras", "log.csv", "curves", "diagnosis.txt"

# What Keras's callbacks remember from epoch to epoch and forget when `fit` begins.
MEMORY = ("best", "best_epoch", "wait", "cooldown_counter")


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make a file beside `path` and put it in its place: a full disk or a kill leaves the old one."""
    draft = path.with_name(f".draft-{path.name}")
    try:
        write(draft)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror or one_line(error), str(path)) from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def open_folder(path: Path) -> None:
    """Make the folder of a run, and make sure that files can be written in it.

    Raises:
        Refused: they cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_whole(path / "writable", lambda draft: draft.write_text("yes"))
        (path / "writable").unlink()
    except OSError as error:
        raise Refused(f"--output {path}: cannot be written to: {error.strerror or one_line(error)}") from error


class Keeper(keras.callbacks.Callback):
    """Keep the best network, and after each epoch all that the next one depends on. It comes last of the callbacks.

    Weights, optimizer, the seeds of dropout and what the other callbacks remember are in one file, which is replaced
    in one step.

    Args:
        folder: of the run.
        settings: what must be the same for a run to go on.
        others: the callbacks that remember something.
        monitor: what the lowest value of makes an epoch the best.
        writes: whether this process is the one that writes the files; of several workers it is one.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        others: Sequence[keras.callbacks.Callback],
        monitor: str,
        writes: bool = True,
    ) -> None:
        super().__init__()
        self.folder, self.settings, self.others, self.monitor = folder, dict(settings), list(others), monitor
        self.writes = writes
        self.epoch, self.stopped = 0, False
        self.best: float | None = None
        self.best_epoch = 0
        self.memory: list[dict[str, Any]] = []

    def restore(self, model: keras.Model) -> None:
        """Put a compiled model where the run in the folder stopped, if there is one.

        Raises:
            Refused: the run in the folder has other settings or another network, or its file is broken.
        """
        model.optimizer.build(model.trainable_variables)
        path = self.folder / STATE
        if not path.exists():
            return
        try:
            with np.load(path) as file:
                about, arrays = json.loads(str(file["about"])), [file[f"v{n}"] for n in range(len(file.files) - 1)]
        except Exception as error:  # a zip file can be broken in many ways
            raise Refused(f"{path} cannot be read ({one_line(error)}); take it away to start anew") from error
        self._check_settings(about["settings"])
        variables = [*model.variables, *model.optimizer.variables]
        here, there = [tuple(v.shape) for v in variables], [array.shape for array in arrays]
        if here != there:
            raise Refused(f"{self.folder} holds a run of another network; give another --output")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        self.epoch, self.stopped, self.best, self.best_epoch = (
            about[word] for word in ("epoch", "stopped", "best", "best_epoch")
        )
        self.memory = about["memory"]

    def _check_settings(self, old: Mapping[str, Any]) -> None:
        new = json.loads(json.dumps(self.settings))
        changed = [word for word in {**old, **new} if old.get(word) != new.get(word)]
        if changed:
            said = ", ".join(f"{word} {_short(old.get(word))} (now {_short(new.get(word))})" for word in changed)
            raise Refused(f"{self.folder} holds a run with {said}; give the same settings or another --output")

    def on_train_begin(self, logs: Any = None) -> None:
        for callback, memory in zip(self.others, self.memory, strict=False):
            vars(callback).update(memory)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = float(logs.get(self.monitor, math.inf))  # which an epoch without a validation has not
        better = self.monitor in logs and (self.best is None or value < self.best)
        if better:
            self.best, self.best_epoch = value, epoch
        self.epoch, self.stopped = epoch + 1, bool(self.model.stop_training)
        self.memory = [{word: vars(other)[word] for word in MEMORY if word in vars(other)} for other in self.others]
        if self.writes:
            self._write(better)

    def _write(self, better: bool) -> None:
        if better:
            network = inference_model(self.model, fold_norm=False)  # as it was trained, to be trained on
            write_whole(self.folder / BEST, network.save)
        words = ("settings", "epoch", "stopped", "best", "best_epoch", "memory")
        about = json.dumps({word: getattr(self, word) for word in words}, default=float)
        variables = [*self.model.variables, *self.model.optimizer.variables]
        arrays = {f"v{number}": np.asarray(variable) for number, variable in enumerate(variables)}
        write_whole(self.folder / STATE, lambda draft: np.savez(draft, about=np.array(about), **arrays))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's, which counts the epochs that are validated."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.monitor in logs:
            super().on_epoch_end(epoch, logs)


class ReduceLROnPlateau(keras.callbacks.ReduceLROnPlateau):
    """Keras's, which counts the epochs that are validated."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if self.monitor in logs:
            super().on_epoch_end(epoch, logs)


class Log(keras.callbacks.CSVLogger):
    """Keras's, with the same columns whether the first epoch is validated or not."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        trained = {word for word in logs if not word.startswith("val_")}
        self.keys = self.keys or sorted(trained | {f"val_{word}" for word in trained - {"learning_rate"}})
        super().on_epoch_end(epoch, logs)


class StopAtNaN(keras.callbacks.Callback):
    """Stop before an epoch that went wrong is kept, and say where it did."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._check(logs, f"at batch {batch + 1} of epoch {self.epoch + 1}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._check(logs, f"on the validation images after epoch {epoch + 1}")

    def _check(self, logs: Mapping[str, Any] | None, where: str) -> None:
        broken = [name for name, value in (logs or {}).items() if name.endswith("loss") and not math.isfinite(value)]
        if broken:
            kept = f"the files are those of epoch {self.epoch}" if self.epoch else "nothing was kept"
            raise Refused(f"{broken[-1]} is {float(logs[broken[-1]])} {where}; {kept}. Lower --learning-rate")


def csv_log(folder: Path, epoch: int) -> Log:
    """A log that goes on after so many epochs; what a killed run wrote beyond them is cut off."""
    path = folder / LOG
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []
    kept = [row for row in rows[: epoch + 1] if len(row) == len(rows[0])]  # and the header
    if epoch and len(kept) <= epoch:
        raise Refused(f"{path} has {max(len(kept) - 1, 0)} of the {epoch} epochs of this run; put it back")
    lines = "".join(",".join(row) + "\r\n" for row in kept[: epoch + 1 if epoch else 0])
    write_whole(path, lambda draft: draft.write_text(lines, encoding="utf-8", newline=""))
    return Log(path, append=True)


def report(folder: Path) -> str:
    """Draw the curves of a run beside its log, and write down what they say."""
    path = folder / LOG
    figure = next(iter(plot_history(path).values())).figure
    for suffix in (".svg", ".png"):
        write_whole(folder / (CURVES + suffix), lambda draft: figure.savefig(draft, dpi=200))
    verdict = str(diagnose(path))
    write_whole(folder / VERDICT, lambda draft: draft.write_text(verdict + "\n", encoding="utf-8"))
    return verdict


def dump_weights(model: keras.Model, path: Path) -> None:
    """All trainable variables as text: a line with the name, one with the shape, and the numbers, to the last bit."""

    def write(draft: Path) -> None:
        progress = keras.utils.Progbar(len(model.trainable_variables), unit_name="variable")
        with draft.open("w", encoding="utf-8") as file:
            for variable in model.trainable_variables:
                values = np.asarray(variable, "float32")
                file.write(f"{variable.path}\n{tuple(values.shape)}\n")
                np.savetxt(file, values.reshape(-1, values.shape[-1] if values.ndim else 1), fmt="%.9g")
                progress.add(1)

    write_whole(path, write)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as those of the program are."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def number(kind: type, least: float, most: float = math.inf) -> Callable[[str], Any]:
    """The type of an argument: a number from `least` to `most`, which are included."""

    def convert(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            limit = "on" if most == math.inf else f"to {most}"
            raise argparse.ArgumentTypeError(f"it must be a number from {least} {limit}, got {text!r}")
        return value

    return convert


def exit_code(program: str, main: Callable[[], None]) -> int:
    """Run a program; what it cannot go on with is one line and the exit code 2, or 75 if a new start helps."""
    try:
        main()
    except Refused as error:
        message = str(error)
    except OSError as error:
        message = f"{one_line(error)}; nothing that was kept is lost, the same command goes on from there"
    except WorkerLost as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return os.EX_TEMPFAIL
    except KeyboardInterrupt:
        print(f"\n{program}: interrupted; the same command goes on from the last epoch", file=sys.stderr)
        return 130
    else:
        return 0
    print(f"{program}: error: {message}", file=sys.stderr)
    return 2
