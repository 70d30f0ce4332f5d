"""The command line: `layerblocks list | draw | table | diff`, also as `python -m layerblocks`."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from . import checks
from ._version import __version__
from .files import is_stream
from .startup import import_keras, quiet

BLOCK_LEVEL = 1
_LONGEST = 1000  # characters of an error
_MODEL = "a name from the list, or a .keras, .h5, .json or .yaml file"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {checks.plain(message.removeprefix('layerblocks: '), _LONGEST)}\n")


def _shape(text: str) -> tuple[int | None, ...]:
    try:
        return tuple(None if side.strip() in ("None", "?") else int(side) for side in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers such as 224,224,3 (None for any), got {text!r}") from None


def _depth(text: str) -> int | Literal["auto"] | None:
    if text == "auto":
        return "auto"
    if text in ("layers", "None"):
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        must_be = "1 for blocks, 2 for the blocks in them, … or 'layers' ('auto' for a figure)"
        raise argparse.ArgumentTypeError(f"must be {must_be}, got {text!r}")
    return int(text)


def _depth_of_table(text: str) -> int | None:
    depth = _depth(text)
    if depth == "auto":
        raise argparse.ArgumentTypeError("must be 1 for blocks, 2 for the blocks in them, … or 'layers', got 'auto'")
    return depth


def _length(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _option(text: str) -> tuple[str, Any]:
    word, equals, value = text.partition("=")
    if not equals or not word.isidentifier():
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE such as aux=False, got {text!r}")
    try:
        return word, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return word, value


def _figure_arguments(command: argparse.ArgumentParser) -> None:
    """Those of `diagram`, under their own names."""
    command.add_argument("--width", type=_length, metavar="LENGTH", help="of the page: ieee1, neurips, …, 8cm, 3.5in")
    command.add_argument("--height", type=_length, metavar="LENGTH", help="of the page")
    command.add_argument("--direction", default="TB", metavar="TB|LR|BT|RL", help="from where to where (default: TB)")
    command.add_argument("--style", default="boxes", metavar="boxes|volumes", help="(default: boxes)")
    command.add_argument("--expand", action="append", metavar="BLOCK", help="draw this block open where it stands")
    command.add_argument(
        "--zoom",
        action="append",
        nargs="?",
        const=True,
        metavar="BLOCK",
        help="draw the inside of this block, or of one of each kind, in a panel of its own",
    )
    command.add_argument("--max-boxes", type=int, metavar="N", help="that 'auto' may draw (default: 40)")
    words = "several with commas: shape (default), parameters, multiply_adds, receptive_field, dtype, trainable"
    command.add_argument("--show", metavar="WORDS", help=words)
    command.add_argument("--collapse", action="append", metavar="BLOCK", help="draw this block as one box at any depth")
    command.add_argument("--min-text", type=float, metavar="POINTS", help="no type is smaller (default: by the theme)")
    command.add_argument("--theme", metavar="WORD", help="paper (default), mono, slides or dark")
    command.add_argument("--font", metavar="NAME|FILE", help="sans (default), times, stix, … or the file of a font")
    command.add_argument("--no-names", dest="names", action="store_false", help="leave out the names under operations")
    command.add_argument("--no-legend", dest="legend", action="store_false", help="leave out what the colours mean")
    command.add_argument("--dpi", type=int, default=200, help="of PNG (default: %(default)s)")


def _author_arguments(command: argparse.ArgumentParser) -> None:
    """What an author says of single boxes, and which part is drawn."""
    command.add_argument("--only", metavar="BLOCK", help="draw this block alone")
    command.add_argument("--between", nargs=2, metavar="BLOCK", help="draw these two and what lies between them")
    command.add_argument(
        "--label",
        type=_pair,
        action="append",
        metavar="NAME=TEXT",
        help="what stands in the box of that name; * and ? in it stand for any letters",
    )
    command.add_argument(
        "--highlight",
        type=_marked,
        action="append",
        metavar="NAME[=WORDS]",
        help="give it the accent, and the legend these words; * and ? in it stand for any letters",
    )
    command.add_argument(
        "--group",
        dest="groups",
        type=_pair,
        action="append",
        metavar="NAME=TEXT",
        help="a brace with these words along the boxes of that name; * and ? in it stand for any letters",
    )
    command.add_argument(
        "--callout",
        dest="callouts",
        type=_pair,
        action="append",
        metavar="NAME=TEXT",
        help="a note with a line to the box of that name; * and ? in it stand for any letters",
    )
    command.add_argument("--alt-text", metavar="TEXT", help="the description in the file, in your own words")


def _pair(text: str) -> tuple[str, str]:
    word, equals, said = text.partition("=")
    if not equals or not word:
        raise argparse.ArgumentTypeError(f"must be NAME=TEXT such as 'gate*=gate', got {text!r}")
    return word, said


def _marked(text: str) -> tuple[str, str]:
    word, _, said = text.partition("=")
    return word, said


def _author_options(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {word: getattr(arguments, word) for word in ("only", "between", "alt_text")}
    by_name = ("label", "highlight", "groups", "callouts")
    given |= {word: dict(getattr(arguments, word)) for word in by_name if getattr(arguments, word)}
    return {word: value for word, value in given.items() if value is not None}


def _figure_options(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {word: getattr(arguments, word) for word in ("direction", "style", "legend", "names")}
    for word in ("width", "height", "expand", "collapse", "max_boxes", "min_text", "theme", "font"):
        if getattr(arguments, word) is not None:
            given[word] = getattr(arguments, word)
    if arguments.zoom:
        given["zoom"] = True if True in arguments.zoom else arguments.zoom
    if arguments.show is not None:
        given["show"] = [word.strip().replace("-", "_") for word in arguments.show.split(",") if word.strip()]
    return given


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="layerblocks", description="Convolutional networks: what there is, drawn and counted.")
    parser.add_argument("--version", action="version", version=f"layerblocks {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | draw | table | diff")
    commands.add_parser("list", help="the networks that can be drawn and built by name")
    draw = commands.add_parser(
        "draw", help="draw a network to SVG, PDF, PNG, EPS, TikZ, draw.io, PowerPoint, HTML, DOT or Mermaid"
    )
    table = commands.add_parser("table", help="output shape, parameters and multiply-adds of each block")
    diff = commands.add_parser("diff", help="what changed from one network to another, by structure")
    for command, depth in ((draw, "auto"), (table, BLOCK_LEVEL)):
        command.add_argument("model", metavar="NAME|FILE", help=_MODEL)
        auto = "'auto': the deepest that is readable " if depth == "auto" else ""
        command.add_argument(
            "--depth",
            type=_depth if depth == "auto" else _depth_of_table,
            default=depth,
            metavar="N",
            help=f"1: outermost blocks, 2: the blocks in them, …; 'layers': every layer; {auto}(default: %(default)s)",
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
    for word in ("before", "after"):
        diff.add_argument(word, metavar=word.upper(), help=_MODEL)
    draw.add_argument("-o", "--output", metavar="FILE", help="by its extension; - for standard output; else NAME.svg")
    draw.add_argument(
        "--format", metavar="WORD", help="svg, pdf, pptx, html, …, whatever the extension (default to -: svg)"
    )
    diff.add_argument("-o", "--output", metavar="FILE", help="draw it, too, by the extension of the file")
    for command in (draw, table, diff):
        command.add_argument(
            "--import",
            dest="imports",
            action="append",
            default=[],
            metavar="MODULE",
            help="import it first: one that has the classes of a file's own layers, or registers blocks by name",
        )
    for command in (draw, diff):
        _figure_arguments(command)
    _author_arguments(draw)
    for command in (table, diff):
        command.add_argument("--format", default="text", help="text (default), markdown, latex, csv or html")
    return parser


def _is_config(model: str) -> bool:
    return Path(model).suffix in (".yaml", ".yml")


def _is_file(model: str) -> bool:
    return Path(model).suffix in (".keras", ".h5", ".hdf5", ".json") or os.sep in model or Path(model).is_file()


def _load(path: Path, modules: Sequence[str]) -> Any:
    """What a file holds: a model without weights, or, where classes are missing, a graph that is not verified."""
    if not path.is_file():
        raise checks.refuse(
            "model", str(path), "a name from 'layerblocks list', or a .keras, .h5, .json or .yaml file that is there"
        )
    import_keras()
    from . import blocks as blocks  # registers the layers that Keras lacks
    from .graphs import read_graph
    from .graphs.file_reading import structure_of

    classes = _classes(modules)
    try:
        model, verified = structure_of(path, classes)
    except ValueError as error:
        import keras

        if keras.backend.backend() == "tensorflow":
            raise
        hint = "KERAS_BACKEND=tensorflow loads what needs TensorFlow"  # on others not every layer of Keras's works
        raise ValueError(f"{error} ({hint})") from error
    return model if verified else read_graph(path, expand_nested=True, custom_objects=classes)


def _classes(modules: Sequence[str]) -> dict[str, Any]:
    """The layers, models and functions of some modules, by their names; these modules are imported."""
    found: dict[str, Any] = {}
    here = str(Path.cwd())
    for name in modules:
        sys.path.insert(0, here)
        try:
            module = importlib.import_module(name)
        except Exception as error:
            must_be = f"a module that can be imported ({type(error).__name__}: {checks.plain(str(error), 200)})"
            raise checks.refuse("--import", name, must_be) from error
        finally:
            sys.path.remove(here)
        own = {k: v for k, v in vars(module).items() if getattr(v, "__module__", None) == module.__name__}
        found |= {k: v for k, v in own.items() if inspect.isfunction(v) or inspect.isclass(v)}
    return found


def _model(arguments: argparse.Namespace) -> Any:
    named = {
        word: value for word in ("input_shape", "classes", "dialect") if (value := getattr(arguments, word)) is not None
    } | dict(arguments.options)
    if _is_config(arguments.model):
        import_keras()
        from .architectures.catalogue import build
        from .blocks import weightless

        _classes(arguments.imports)  # which may register blocks of their own
        with weightless():
            return build(arguments.model, **named)
    if _is_file(arguments.model):
        if named:
            raise ValueError(f"{', '.join(named)}: for networks by name, not for a file")
        with quiet():  # on any backend a layer that looks up words brings TensorFlow along
            return _load(Path(arguments.model), arguments.imports)
    from .architectures.catalogue import ENTRIES, constructor

    if arguments.model not in ENTRIES:
        constructor(arguments.model)  # says the nearest name, before Keras is imported
    import_keras()
    from .blocks import weightless

    _classes(arguments.imports)
    with weightless():
        return constructor(arguments.model)(**named)


def _loss_weights(model: Any) -> dict[str, float] | None:
    """Of a model that nobody compiled and whose outputs have names: those that ours are trained with."""
    if hasattr(model, "loss_weights") or not isinstance(getattr(model, "output", None), Mapping):
        return None
    from .training.losses import loss_weights

    return loss_weights(model)


def _short(number: int) -> str:
    return f"{number / 1e9:.3f} G" if number >= 1e7 else f"{number / 1e6:.3f} M"


def _list(arguments: argparse.Namespace) -> None:
    from .architectures.catalogue import ENTRIES

    rows = [("name", "network", "trainable", "multiply-adds", "of", "paper")] + [
        (e.name, e.title, f"{e.trainable_parameters:,}", _short(e.multiply_adds), e.source, e.paper)
        for e in ENTRIES.values()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = "<<>><<"
    for row in rows:
        cells = [f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)]
        print("  ".join(cells).rstrip())


def _draw(arguments: argparse.Namespace) -> None:
    output = _writable(arguments.output or f"{Path(arguments.model).stem}.svg", arguments.format)
    model = _model(arguments)
    from .viz import diagram

    options = {"depth": arguments.depth, "loss_weights": _loss_weights(model), **_figure_options(arguments)}
    options |= _author_options(arguments)
    diagram(model, **options).save(output, dpi=arguments.dpi, format=arguments.format)
    _wrote(output)


def _writable(output: str, format: str | None = None) -> Path:
    """Where a figure can be written, before the work is done."""
    import_keras()
    from .viz.figure import destination

    return destination("--output", output, format)[0]


def _wrote(output: Path) -> None:
    """Say where a figure is, unless it went where this would go."""
    if not is_stream(output):
        _say(str(output))


def _say(text: str) -> None:
    """Print lines in which nothing controls the terminal."""
    from .viz.fonts import printable

    print("\n".join(map(printable, text.split("\n"))))


def _diff(arguments: argparse.Namespace) -> None:
    output = None if arguments.output is None else _writable(arguments.output)
    bare = {"input_shape": None, "classes": None, "dialect": None, "options": (), "imports": arguments.imports}
    models = [_model(argparse.Namespace(model=name, **bare)) for name in (arguments.before, arguments.after)]
    from .viz import diff

    changes = diff(*models)
    _say(changes.table(format=arguments.format))
    if output is not None:
        options = _figure_options(arguments)
        if options["style"] == "boxes":  # those have colours of their own, for what is new, gone or changed
            del options["style"]
        changes.figure(**options).save(output, dpi=arguments.dpi)
        _wrote(output)


def _table(arguments: argparse.Namespace) -> None:
    model = _model(arguments)
    from .viz import table

    _say(table(model, depth=arguments.depth, format=arguments.format))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, or 2 with one line that says what is wrong."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    command = {"list": _list, "draw": _draw, "table": _table, "diff": _diff}[arguments.command]
    try:
        command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
