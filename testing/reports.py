"""What a failed check says: the spec, the smallest case found, what was expected and what came, and code to see it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .code import code_of
from .shapes import Shape, Spec, differing

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
    expected: Any = ABSENT
    got: Any = ABSENT
    off: tuple[str, ...] = ()
    code: str = ""
    names: Mapping[str, Any] = field(default_factory=dict)
    """What the code has from where the check was called."""

    def __str__(self) -> str:
        lines = [self.title]
        for word in ("spec", "smallest", "expected", "got"):
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

    def __init__(self, report: Report) -> None:
        self.report = report
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
    return [
        f"axis {axis}: {dimensions[axis].text}"
        + (f" is {expected[axis]}" if dimensions[axis].text != str(expected[axis]) else "")
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
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"


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


def reproduction(
    build: Callable[..., Any], shape: Shape, arguments: Mapping[str, Any], policy: str = "", run: Shape | None = None
) -> tuple[str, dict[str, Any]]:
    """Code that builds the case once more, and the names that it has from where the check was called.

    Args:
        policy: dtype policy to build under.
        run: shape of random numbers to run it on.
    """
    lines, local = imported(build, *arguments.values())
    called = code_of(build)
    if isinstance(build, partial):
        called = f"({called})"
    for name in [name for name in local if not name.isidentifier()]:  # <lambda>
        called = called.replace(name, "build")
        local["build"] = local.pop(name)
    code = ["import keras", *lines, ""]
    code += [f"# {name}: {_place(function)}" for name, function in local.items()]
    if policy:
        code.append(f'keras.config.set_dtype_policy("{policy}")')
    given = "".join(f", {word}={code_of(value)}" for word, value in arguments.items())
    code += [f"x = keras.Input(batch_shape={shape})", f"y = {called}(x{given})"]
    if run is not None:
        code.append(f"y = keras.Model(x, y)(keras.random.normal({run}))")
    code.append("print(keras.tree.map_structure(lambda tensor: (tensor.shape, tensor.dtype), y))")
    return "\n".join(code), local


def _place(function: Any) -> str:
    code = getattr(function, "__code__", None)
    where = f", line {code.co_firstlineno}" if code else ""
    return f"{getattr(function, '__qualname__', function)} in {getattr(function, '__module__', '?')}{where}"
