"""A finished model as a file for another runtime, checked there before it is handed over."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import keras

from .. import _keras, checks
from ..checks import public
from .answers import CLOSE, answer_of, asked, compare
from .calibration import examples_of
from .file_formats import FORMATS, table


@public
def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    representative_data: Any = None,
    check: Any = True,
    within: float | None = None,
    **options: Any,
) -> Exported:
    """Write a model for another runtime, and compare what the file answers there with what the model does.

    By Keras's own exporters; what `inference_model` gives is quickest everywhere. All outputs are written, under their
    keys where the model has a dict of them. Sizes that are None stay so in every format. Nothing is written unless the
    file loads and answers alike, in a process that has only the format's own runtime.

    A `.keras` file has layers and operations of Keras alone, in the place of ours, and so opens without this package;
    a `UserWarning` says what has to be imported where that cannot be. The other formats have no layers that augment
    images in training.

    FORMATS

    An int8 file has float32 inputs and outputs; operations without an int8 form stay in float32. Its answers are
    compared on `representative_data`: the root mean square of the differences, as a share of that of the answers, may
    be 4 times `√Σ s²/(12·x²)`, and at most a half, where s is the step and x² the mean square of each int8 tensor in
    the file: rounding errors of that size, independent of each other, go through the layers as the values do. So an
    untrained softmax over a thousand classes, all below its step of 1/256, is refused.

    None of the files has assertions: the guards of `MinimumSize` and `Add` against sizes that a network does not
    work on are gone there, and so it is with a size that the runtime itself cannot know.

    Args:
        model: functional or sequential; any other where `check` is a batch.
        path: its ending is the format's; a folder for `tf_saved_model`. Replaced where it is such a file or folder.
        format: None for that of the ending, `tf_saved_model` where it has none.
        representative_data: examples, inputs of `model`, to calibrate int8 by: `litert` only. Arrays, or a list, a
            generator or a `tf.data.Dataset` of examples or of batches, also with labels; the first 512 count. A hundred
            are usual.
        check: True for numbers drawn with a seed, of two sizes where the size is None; or a batch of your own; or
            False to hand the file over as it is.
        within: the largest difference, as a share of the largest value of that output; None for 1e-4, or for int8 for
            what the calibration allows (then of root mean squares).
        options: further arguments of `model.export`, or of `model.save`: `opset_version`, `input_signature` …

    Returns:
        The path, which also knows `size`, `parameters`, `off` and `imports`, and says them in a `report`.

    Raises:
        ImportError: what the format needs is not installed.
        RuntimeError: Keras cannot write it, its runtime cannot load it, or it answers differently.
        ValueError, TypeError: an argument is none of these.
        OSError: there cannot be a file there.

    Example:
        >>> import keras, tempfile
        >>> from pathlib import Path
        >>> from layerblocks.blocks import conv_bn
        >>> from layerblocks.models import inference_model
        >>> x = keras.Input((8, 8, 3))
        >>> model = inference_model(keras.Model(x, conv_bn(x, 4)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export(model, Path(folder) / "net.keras").name
        'net.keras'
    """
    checks.instance("model", model, keras.Model, "a Keras model")
    word, target = _target(path, format)
    kind = FORMATS[word]
    within = None if within is None else checks.number("within", within, "a positive number or None", above=0)
    _arguments(model, word, representative_data, check)
    if representative_data is not None:
        representative_data = examples_of(representative_data, model)
    kind.require(model)
    batches = [] if check is False else asked(model, check, representative_data)
    answers = [answer_of(model, batch, check) for batch in batches]
    draft = Path(tempfile.mkdtemp(prefix=".layerblocks-", dir=target.parent))
    try:
        made = draft / target.name
        written = model if kind.prepared is None else kind.prepared(model)
        if (
            kind.needs
            and (written is not model or not batches)
            and isinstance(model, keras.Function | keras.Sequential)
        ):
            written(batches[0] if batches else asked(model, True, None)[0], training=False)  # Keras asks for a call
        if representative_data is not None and kind.int8 is not None:
            options = {**kind.int8(written, representative_data), **options}
        kind.written(written, made, options)
        imports = () if kind.imports is None else kind.imports(made)
        off = None
        if batches:
            found = kind.answers(made, model, batches, imports)
            is_int8 = representative_data is not None and within is None
            noise = partial(kind.noise, made, model) if is_int8 and kind.noise is not None else None
            allowed = CLOSE if within is None else within
            off = max(
                compare(word, model, got, batch, expected, allowed, noise)
                for got, batch, expected in zip(found, batches, answers, strict=True)
            )
        _put(made, target, draft)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if imports:
        warnings.warn(
            checks.plain(
                f"export: {target.name} opens only after `import {', '.join(imports)}`, which it has layers of"
            ),
            UserWarning,
            stacklevel=3,
        )
    exported = Exported(path)
    exported.size, exported.parameters, exported.off = _size(target), model.count_params(), off
    exported.imports = imports
    return exported


class Exported(type(Path())):  # type: ignore[misc]
    """The path of a file or folder that `export` wrote, and what is known of it.

    Attributes:
        size: in bytes, of a folder that of all its files.
        parameters: of the model.
        off: the largest difference between its answers and the model's, as a share of the largest value, or of root
            mean squares for int8; None where nothing was compared.
        imports: what has to be imported before it is loaded.
    """

    size: int = 0
    parameters: int = 0
    off: float | None = None
    imports: tuple[str, ...] = ()

    @property
    def report(self) -> str:
        """One line of what is known.

        >>> exported = Exported("net.onnx")
        >>> exported.size, exported.parameters, exported.off = 44_700_000, 11_689_512, 2e-7
        >>> exported.report
        'net.onnx: 44.7 MB for 11,689,512 parameters, off by 2e-07 of the answer'
        """
        off = "not compared" if self.off is None else f"off by {self.off:.2g} of the answer"
        return f"{self.name}: {self.size / 1e6:.1f} MB for {self.parameters:,} parameters, {off}"


def _size(target: Path) -> int:
    files = [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


export.__doc__ = (export.__doc__ or "").replace("FORMATS", table("    "), 1)


# -- arguments --------------------------------------------------------------------------------------------------------


def _target(path: Any, format: Any) -> tuple[str, Path]:
    if not isinstance(path, str | os.PathLike):
        raise checks.refuse("path", path, "a path", TypeError)
    target = Path(os.path.realpath(path))
    endings = {kind.ending: word for word, kind in FORMATS.items()}
    if format is not None:
        word = checks.choice("format", format, tuple(FORMATS))
        if FORMATS[word].ending not in ("", target.suffix):
            raise checks.refuse("path", str(path), f"a path that ends in {FORMATS[word].ending} for format={word!r}")
    elif target.suffix not in endings:
        must_be = f"a path that ends in {', '.join(filter(None, endings))}, or in nothing for a folder"
        raise checks.refuse("path", str(path), f"{must_be}{checks.nearest(target.suffix, endings)}")
    else:
        word = endings[target.suffix]
    if not target.parent.is_dir():
        raise FileNotFoundError(f"export: the folder {str(target.parent)!r} does not exist")
    if FORMATS[word].ending and target.is_dir():
        raise IsADirectoryError(f"export: {str(path)!r} is a folder")
    if not FORMATS[word].ending and target.exists():
        if not target.is_dir():
            raise FileExistsError(f"export: {str(path)!r} is a file, and {word!r} is a folder")
        if any(target.iterdir()) and not (target / "saved_model.pb").exists():
            raise FileExistsError(f"export: the folder {str(path)!r} has other things in it than a model")
    return word, target


def _arguments(model: keras.Model, word: str, data: Any, check: Any) -> None:
    if data is not None:
        known = [kind.word for kind in FORMATS.values() if kind.int8 is not None]
        if word not in known:
            raise checks.refuse("format", word, f"{checks.listed(known)} with representative_data, which is for int8")
    if not model.built or not all(map(_keras.is_allocated, model.variables)):
        raise checks.refuse("model", model.name, "a model that has weights (not one made inside weightless())")
    if check is True and data is None and not isinstance(model, keras.Function | keras.Sequential):
        raise checks.refuse("check", check, f"a batch, or False, where the model is a {type(model).__name__}")


# -- the file ---------------------------------------------------------------------------------------------------------


def _put(made: Path, target: Path, draft: Path) -> None:
    """Into its place in one step; a folder there goes first, and comes back if that fails."""
    if not target.is_dir():
        made.replace(target)
        return
    before = draft / ".before"
    target.replace(before)
    try:
        made.replace(target)
    except BaseException:
        before.replace(target)
        raise
