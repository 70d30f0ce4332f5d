"""Networks as plain data: what rebuilds one, as a dict, and in a YAML or JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from .. import checks
from ..blocks import words
from ..extras import needs
from ..models.origins import Origin
from .catalogue import ENTRIES, constructor
from .origins import constructor_of, origin


@checks.public
def config_of(model: keras.Model) -> dict[str, Any]:
    """Tell what rebuilds a network as plain data, which YAML and JSON can hold: its name and its arguments.

    Functions are told by their names, with their arguments where they have some; `build` makes the same network of it,
    without its weights.

    Raises:
        ValueError: it is no network of ours, was changed since it was built, or has arguments that no file holds.
        TypeError: not a Keras model; an argument is a function without a name that `register` or `block` knows.

    Example:
        >>> from functools import partial
        >>> from layerblocks.architectures import resnet18
        >>> from layerblocks.blocks import conv_bn, group_norm, weightless
        >>> with weightless():
        ...     model = resnet18(input_shape=(1000, 12), conv=partial(conv_bn, norm=partial(group_norm, groups=8)))
        >>> config_of(model)["conv"]
        {'name': 'conv_bn', 'norm': {'name': 'group_norm', 'groups': 8}}
    """
    known = origin(model)
    if known is None or not known.alone:
        raise checks.refuse("model", model.name, "a network of layerblocks, whole and as it was built")
    if known.changes:
        since = ", ".join(known.changes)
        raise checks.refuse("model", model.name, f"a network as it was built; it was changed since by {since}")
    if known.unsaved:
        raise checks.refuse("model", model.name, f"one whose {', '.join(known.unsaved)} a file can hold")
    dialect = {} if known.dialect is None else {"dialect": known.dialect}
    return {"network": known.network, **dialect, **{w: _plain(w, v) for w, v in known.arguments.items()}}


def _plain(argument: str, value: Any) -> Any:
    try:
        return words.word_of(value)
    except TypeError as error:
        _, got, _ = getattr(error, "about", (argument, value, ""))
        must_be = "given as a function that `register` or `block` knows by its name, to be told as data"
        raise checks.refuse(argument, getattr(got, "__qualname__", got), must_be, TypeError) from None


@checks.public
def write_config(model: keras.Model, path: str | Path) -> Path:
    """Write `config_of` a network to a file, YAML or JSON by its extension; `build` makes the network of it.

    Raises:
        ValueError: another extension, or as `config_of`.
        ModuleNotFoundError: YAML without PyYAML (`pip install 'layerblocks[yaml]'`).

    Example:
        >>> import tempfile
        >>> from layerblocks.architectures import build, resnet18
        >>> from layerblocks.blocks import weightless
        >>> with weightless(), tempfile.TemporaryDirectory() as folder:
        ...     model = build(write_config(resnet18(classes=3), f"{folder}/net.json"))
        >>> model.output_shape
        (None, 3)
    """
    if not isinstance(path, str | Path):
        raise checks.refuse("path", path, "a path", TypeError)
    target, config = Path(path), config_of(model)
    checks.choice("path", target.suffix, (".yaml", ".yml", ".json"), "a file .yaml, .yml or .json")
    if target.suffix == ".json":
        text = json.dumps(config, indent=2)
    else:
        text = needs("yaml", extra="yaml").safe_dump(config, sort_keys=False, default_flow_style=None)
    target.write_text(text + "\n" * (not text.endswith("\n")), encoding="utf-8")
    return target


def _read(path: Any) -> Any:
    """The dict that a file holds."""
    source = Path(path)
    with checks.speaking("build"):
        try:
            text = source.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise checks.refuse("name", str(path), f"a name, or a file that can be read ({error})") from None
        kind = "JSON" if source.suffix == ".json" else "YAML"
        try:
            config = json.loads(text) if kind == "JSON" else needs("yaml", extra="yaml").safe_load(text)
        except ModuleNotFoundError:
            raise
        except Exception as error:
            raise checks.refuse("name", str(path), f"a file of {kind} ({checks.plain(str(error), 200)})") from None
        return checks.mapping(str(source), config, "a dict with the name of a network, and its arguments")


def built(config: Any, **options: Any) -> keras.Model:
    """The network of a configuration, as a dict or in a file; `options` come before what it says."""
    given = dict(config if isinstance(config, Mapping) else _read(config))
    given |= options
    with checks.speaking("build"):
        name = checks.text("network", given.pop("network", None), "the name of a network")
        for word in given:
            checks.text("argument", word, "a name")
        made = constructor_of(Origin(name, None, {})) if name not in ENTRIES else None
    made = constructor(name) if made is None else made
    return made(**{word: _tupled(value) for word, value in given.items()})


def _tupled(value: Any) -> Any:
    """What a file holds as a list was a tuple, but for words."""
    if isinstance(value, list) and not words.is_word(value):
        return tuple(map(_tupled, value))
    if isinstance(value, Mapping):
        return {word: _tupled(one) for word, one in value.items()}
    return value
