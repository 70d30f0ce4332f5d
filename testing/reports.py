"""What a failed check says: the spec, the smallest case found, what was expected and what came, and code to see it."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .code import code_of
from .specs import Shape, Spec, differing, dimensions_of

ABSENT = object()


@dataclass(frozen=True)
class Report:
    """A failure in parts; `str` of it is what a person reads.

    Example:
        >>> print(Report("assert_shape: the shape is off", spec="b n n", expected=(2, 3, 3), got=(2, 3, 4)))
        assert_shape: the shape is off
          spec       b n n
          expected   (2, 3, 3)
          got        (2, 3, 4)
    """

    title: str
    spec: str = ""
    smallest: str = ""
    tried: str = ""
    """How many cases there were."""
    expected: Any = ABSENT
    got: Any = ABSENT
    hint: str = ""
    """Which argument to change, if the net is right."""
    off: tuple[str, ...] = ()
    code: str = ""
    names: Mapping[str, Any] = field(default_factory=dict)
    """What the code has from where the check was called."""

    def __str__(self) -> str:
        lines = [self.title]
        for word in ("spec", "smallest", "tried", "expected", "got", "hint"):
            value = getattr(self, word)
            if value is not ABSENT and value != "":
                first, *rest = (value if isinstance(value, str) else repr(value)).splitlines() or [""]
                lines += [f"  {word:<10} {first}", *(f"  {'':<10} {line}" for line in rest)]
        lines += [f"  {'off' if number == 0 else '':<10} {line}" for number, line in enumerate(self.off)]
        if self.code:
            lines += ["  reproduce", *(f"    {line}".rstrip() for line in self.code.splitlines())]
        return "\n".join(lines)


class CheckError(AssertionError):
    """A check that failed; `report` has its parts."""

    def __init__(self, report: Report | str) -> None:
        self.report = report if isinstance(report, Report) else Report(report)  # Keras makes it anew, of its message
        super().__init__(str(report))


def axes_off(spec: Spec, expected: Any, got: Any) -> tuple[str, ...]:
    """One line for each axis that is not as expected, in the words of the spec.

    Example:
        >>> spec = Spec.parse("b h w c -> b ceil(h/2) w c")
        >>> axes_off(spec, (None, 4, 5, 3), (None, 3, 5, 3))
        ('axis 1: ceil(h/2) is 4, got 3',)
    """
    if isinstance(expected, Mapping):
        if not isinstance(got, Mapping):
            return (f"outputs {', '.join(map(repr, expected))} expected in a dict",)
        lines = [f"output {key!r} is missing" for key in expected if key not in got]
        lines += [f"output {key!r} is not in the spec" for key in got if key not in expected]
        for part in spec.outputs:
            if part.key in got:
                own = _axes_off(part.shape, expected[part.key], got[part.key])
                lines += [f"output {part.key!r}, {line}" for line in own]
        return tuple(lines)
    if isinstance(got, Mapping):
        return (f"one output expected, not a dict of {', '.join(map(repr, got))}",)
    return tuple(_axes_off(spec.outputs[0].shape, expected, got))


def _axes_off(dimensions: Sequence[Any], expected: Shape, got: Shape) -> list[str]:
    if len(expected) != len(got):
        return [f"{len(expected)} axes expected, got {len(got)}"]
    each = dimensions_of(dimensions, len(expected))
    return [
        f"axis {axis}: {each[axis].text}"
        + (f" is {expected[axis]}" if each[axis].text != str(expected[axis]) else "")
        + f", got {got[axis]}"
        for axis in differing(expected, got)
    ]


def matches(expected: Any, got: Any) -> bool:
    """Whether a shape, or each of a dict of them, is the expected one."""
    if isinstance(expected, Mapping) or isinstance(got, Mapping):
        both = isinstance(expected, Mapping) and isinstance(got, Mapping)
        return both and expected.keys() == got.keys() and all(matches(expected[key], got[key]) for key in expected)
    return not differing(expected, got)


def _functions(value: Any) -> Iterable[Any]:
    if isinstance(value, partial):
        yield partial
        yield from _functions([value.func, *value.args, *value.keywords.values()])
    elif isinstance(value, Mapping):
        yield from _functions(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _functions(item)
    elif callable(value) and hasattr(value, "__name__"):
        yield value


def root_cause(error: BaseException) -> str:
    """The first of a chain of errors, in one line.

    Example:
        >>> root_cause(ValueError("two\\nlines"))
        'ValueError: two lines'
    """
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return f"{type(error).__name__}: {' '.join(_COLOURS.sub('', str(error)).split())[:500]}"


def imported(*values: Any) -> tuple[list[str], dict[str, Any]]:
    """Lines that import the functions in the values, and by name those that no module gives.

    Example:
        >>> from functools import partial
        >>> imported(partial(code_of, 1), axes_off)[0]
        ['from functools import partial', 'from layerblocks.testing.code import code_of', \
'from layerblocks.testing.reports import axes_off']
    """
    modules: dict[str, set[str]] = {}
    local = {}
    for function in _functions(list(values)):
        module, name = getattr(function, "__module__", None), function.__name__
        if module == "builtins":
            continue
        parts = str(module).split(".")
        homes = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]  # the outermost is the public one
        home = next((home for home in homes if vars(sys.modules.get(home, sys)).get(name) is function), None)
        if home is None or home == "__main__":
            local[name] = function
        else:
            modules.setdefault(home, set()).add(name)
    return [f"from {home} import {', '.join(sorted(names))}" for home, names in sorted(modules.items())], local


def said(error: BaseException) -> str:
    """An error and its message, without colours and without what Keras appends of its arguments.

    Example:
        >>> said(ValueError("a \x1b[1mbold\x1b[0m word"))
        'ValueError: a bold word'
    """
    message = _COLOURS.sub("", str(error)).partition("Arguments received by")[0]
    message = "\n".join(line.rstrip() for line in message.strip().splitlines()[:_LINES])
    return f"{type(error).__name__}: {message[:_CHARACTERS]}"


_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\{\{.*?\}\}")
_LINES, _CHARACTERS = 12, 1000


def reproduction(
    net: Any,
    shapes: Sequence[Shape],
    arguments: Mapping[str, Any],
    policy: str = "",
    run: Sequence[Shape] = (),
    numbers: bool = False,
) -> tuple[str, dict[str, Any]]:
    """Code that builds the case once more, and the names that it has from where the check was called.

    Args:
        net: the `Net`.
        policy: dtype policy to build under.
        run: shapes of random numbers to run it on.
        numbers: whether it is called on random numbers, not on symbolic tensors.
    """
    lines, local = imported(net.build, *arguments.values())
    name = code_of(net.build)
    if isinstance(net.build, partial):
        name = f"({name})"
    elif not hasattr(net.build, "__name__"):  # a layer or a model, which is not built from code
        name, local["build"] = "build", net.build
    for word in [word for word in local if not word.isidentifier()]:  # <lambda>
        name = name.replace(word, "build")
        local["build"] = local.pop(word)
    imports, code = ["import keras", *lines], [""]
    for word, function in local.items():
        above, source = _source(word, function)
        imports += [line for line in above if line not in imports]
        code += source
    code = imports + code
    if policy:
        code.append(f'keras.config.set_dtype_policy("{policy}")')
    dtypes = net.dtypes()
    for variable, shape, dtype in zip(net.variables, shapes, dtypes, strict=True):
        given = "" if dtype == "float32" else f', dtype="{dtype}"'
        made = _numbers(shape, dtype) if numbers else f"keras.Input(batch_shape={shape}{given})"
        code.append(f"{variable} = {made}")
    given = ", ".join(f"{word}={code_of(value)}" for word, value in arguments.items())
    code.append(f"y = {net.called_in_code(name, given)}")
    if run:
        whole = net.inputs[0].key is None
        inputs = net.variables[0] if whole else f"[{', '.join(net.variables)}]"
        drawn = [_numbers(shape, dtype) for shape, dtype in zip(run, dtypes, strict=True)]
        code.append(f"y = keras.Model({inputs}, y)({drawn[0] if whole else '[' + ', '.join(drawn) + ']'})")
    code.append("print(keras.tree.map_structure(lambda tensor: (tensor.shape, tensor.dtype), y))")
    return "\n".join(code), local


def _numbers(shape: Shape, dtype: str) -> str:
    if "float" in dtype:
        given = "" if dtype == "float32" else f', dtype="{dtype}"'
        return f"keras.random.normal({shape}{given})"
    return f"keras.random.uniform({shape}) > 0.5" if dtype == "bool" else f'keras.ops.zeros({shape}, "{dtype}")'


def _source(word: str, function: Any) -> tuple[list[str], list[str]]:
    """The imports and the source of what no module gives, where it can stand alone; else where it is."""
    code: Any = getattr(function, "__code__", None)
    if code is not None and not code.co_freevars and code.co_name.isidentifier():
        try:
            lines = textwrap.dedent(inspect.getsource(function)).rstrip().splitlines()
        except (OSError, TypeError):
            lines = []
        unknown = {name for name in code.co_names if name in function.__globals__}
        found = {name: function.__globals__[name] for name in sorted(unknown)}
        imports = [line for name, value in found.items() for line in _import_of(name, value)]
        if lines and len(lines) <= _SOURCE_LINES and len(imports) == len(found):
            return imports, [*lines, ""]
    return [], [f"# {word}: {_place(function)}"]


_SOURCE_LINES = 40


def _import_of(name: str, value: Any) -> list[str]:
    """The line that gives a global of a module this value, if there is one."""
    if inspect.ismodule(value):
        parent, _, last = value.__name__.rpartition(".")
        if value.__name__ == name:
            return [f"import {name}"]
        return (
            [f"from {parent} import {last}" + (f" as {name}" if last != name else "")]
            if parent
            else [f"import {value.__name__} as {name}"]
        )
    if isinstance(value, int | float | str | bool | tuple | type(None)):
        return [f"{name} = {value!r}"]
    lines, local = imported(value) if hasattr(value, "__name__") else ([], {"": value})
    return lines[:1] if not local and value.__name__ == name else []


def _place(function: Any) -> str:
    code = getattr(function, "__code__", None)
    where = f", line {code.co_firstlineno}" if code else ""
    return f"{getattr(function, '__qualname__', function)} in {getattr(function, '__module__', '?')}{where}"
