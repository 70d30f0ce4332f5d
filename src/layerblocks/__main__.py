"""The command line: `layerblocks list | draw | table`, also as `python -m layerblocks`."""

from __future__ import annotations

import argparse
import ast
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from ._version import __version__

BLOCK_LEVEL = 1


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def _shape(text: str) -> tuple[int | None, ...]:
    try:
        return tuple(None if side.strip() in ("None", "?") else int(side) for side in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes numbers such as 224,224,3 (None for any), got {text!r}") from None


def _depth(text: str) -> int | None:
    if text in ("layers", "None"):
        return None
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"takes 1 for blocks, 2 for the blocks in them, … or 'layers', got {text!r}")
    return int(text)


def _option(text: str) -> tuple[str, Any]:
    word, equals, value = text.partition("=")
    if not equals or not word.isidentifier():
        raise argparse.ArgumentTypeError(f"takes NAME=VALUE such as aux=False, got {text!r}")
    try:
        return word, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return word, value


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="layerblocks", description="Convolutional networks: what there is, drawn and counted.")
    parser.add_argument("--version", action="version", version=f"layerblocks {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | draw | table")
    commands.add_parser("list", help="the networks that can be drawn and built by name")
    draw = commands.add_parser("draw", help="draw a network to SVG, PDF, PNG or DOT")
    table = commands.add_parser("table", help="output shape, parameters and multiply-adds of each block")
    for command in (draw, table):
        command.add_argument("model", metavar="NAME|FILE.keras", help="a name from the list, or a saved Keras model")
        command.add_argument(
            "--depth",
            type=_depth,
            default=BLOCK_LEVEL,
            metavar="N",
            help="1: outermost blocks (default), 2: the blocks in them, …; 'layers': every layer",
        )
        command.add_argument("--input-shape", type=_shape, metavar="H,W,C", help="of a network by name")
        command.add_argument("--classes", type=int, metavar="N", help="of a network by name")
        command.add_argument("--dialect", metavar="WORD", help="of a network by name: paper, notes, …")
        command.add_argument(
            "-O",
            "--option",
            dest="options",
            type=_option,
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="any other argument of the network, such as aux=False",
        )
    draw.add_argument("-o", "--output", metavar="FILE", help="by its extension; NAME.svg unless told")
    draw.add_argument(
        "--rankdir", choices=("TB", "BT", "LR", "RL"), default="TB", help="direction (default: %(default)s)"
    )
    draw.add_argument("--dpi", type=int, default=200, help="of PNG (default: %(default)s)")
    table.add_argument("--format", default="text", help="text (default), markdown or csv")
    return parser


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep TensorFlow's start-up chatter, which its C++ writes to descriptor 2, from the user."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


def _is_file(model: str) -> bool:
    return Path(model).suffix in (".keras", ".h5", ".hdf5") or os.sep in model or Path(model).is_file()


def _load(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"model takes a name from 'layerblocks list' or a .keras file, {path} is not there")
    import keras

    from . import blocks  # noqa: F401  (registers the layers that Keras lacks)

    try:
        try:
            return keras.saving.load_model(path, safe_mode=True)
        except (TypeError, ValueError):
            # A loss or optimizer that is not known here is no reason not to draw.
            return keras.saving.load_model(path, safe_mode=True, compile=False)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"model takes a Keras model, {path} does not load as one: {reason[:300]}") from error


def _model(arguments: argparse.Namespace) -> Any:
    named = {
        word: value for word in ("input_shape", "classes", "dialect") if (value := getattr(arguments, word)) is not None
    } | dict(arguments.options)
    if _is_file(arguments.model):
        if named:
            raise ValueError(f"{', '.join(named)}: for networks by name, not for a file")
        with _quiet():
            return _load(Path(arguments.model))
    from .architectures.catalogue import ENTRIES, constructor

    if arguments.model not in ENTRIES:
        constructor(arguments.model)  # says the nearest name, before Keras is imported
    with _quiet():
        from .blocks import weightless
    with weightless():
        return constructor(arguments.model)(**named)


def _loss_weights(model: Any) -> dict[str, float] | None:
    from .architectures import loss_weights

    return None if getattr(model, "compiled", False) else loss_weights(model)


def _short(number: int) -> str:
    return f"{number / 1e9:.3f} G" if number >= 1e7 else f"{number / 1e6:.3f} M"


def _list(arguments: argparse.Namespace) -> None:
    from .architectures.catalogue import ENTRIES

    rows = [("name", "network", "parameters", "multiply-adds", "paper")] + [
        (e.name, e.title, f"{e.parameters:,}", _short(e.multiply_adds), e.paper) for e in ENTRIES.values()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, title, parameters, multiply_adds, paper in rows:
        print(
            f"{name:{widths[0]}}  {title:{widths[1]}}  {parameters:>{widths[2]}}  {multiply_adds:>{widths[3]}}  {paper}"
        )


def _draw(arguments: argparse.Namespace) -> None:
    output = Path(arguments.output or f"{Path(arguments.model).stem}.svg")
    if not output.parent.is_dir():
        raise ValueError(f"--output takes a file in a folder that exists, got {str(output)!r}")
    model = _model(arguments)
    from .viz import plot_model

    plot_model(
        model,
        output,
        depth=arguments.depth,
        rankdir=arguments.rankdir,
        dpi=arguments.dpi,
        loss_weights=_loss_weights(model),
        show_layer_names=arguments.depth is None,
        show_shapes=arguments.depth is None,
    )
    print(output)


def _table(arguments: argparse.Namespace) -> None:
    model = _model(arguments)
    from .viz import table

    print(table(model, depth=arguments.depth, format=arguments.format))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, or 2 with one line that says what is wrong."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    command = {"list": _list, "draw": _draw, "table": _table}[arguments.command]
    try:
        command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        parser.error(" ".join(str(error).split()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
