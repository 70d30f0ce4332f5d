"""The cases that `check_net` tries: image sizes and arguments, and the smallest of them that fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from .. import checks
from ..checks import complaint, refuse
from .code import code_of
from .grammar import Dimension, Part
from .reports import CheckError, Report
from .specs import ANYTHING, OneOr, Shape, Spec, aligned, dimensions_of, sizes_of

CHANNELS = (1, 8)
SPATIAL = {
    *("kernel_size", "pool_size", "strides", "dilation_rate", "padding", "output_padding", "output_size"),
    *("size", "cropping", "offset"),
}
"""Arguments that have a value for each axis."""


SIDES = {"h", "w", "t", "height", "width", "time", "depth", "length", "rows", "columns"}
"""Names of axes that are hardly channels, where they stand last."""
MOST_AXES = 3  # that stand for `...`


@dataclass(frozen=True)
class Example:
    """One case: a shape of each input, batch first, sizes of names that the spec has, and arguments of the net."""

    shapes: tuple[Shape, ...]
    names: Mapping[str, Any]
    arguments: Mapping[str, Any]

    @property
    def described(self) -> dict[str, str]:
        """The arguments and names as code, each once."""
        return {word: code_of(value) for word, value in {**self.names, **self.arguments}.items()}

    def __repr__(self) -> str:
        return f"Example({self.shapes}, {self.described})"


@dataclass(frozen=True)
class Net:
    """What is checked, and on which cases."""

    build: Callable[..., Any]
    spec: Spec
    sides: Any
    params: Any
    least: tuple[int, ...]
    too_small: str
    passed: Literal["whole", "one by one", "by keyword"] = "whole"
    """How the net is given its inputs."""
    batch: tuple[int, int] | None = None
    """Least and most; None for an unknown one."""

    @property
    def inputs(self) -> tuple[Part, ...]:
        assert self.spec.inputs is not None
        return self.spec.inputs

    def given(self, each: Sequence[Any]) -> Any:
        """What there is for each input, as one thing, a list, or a dict by key."""
        if self.inputs[0].key is None:
            return each[0]
        if isinstance(self.inputs[0].key, int):
            return list(each)
        return {str(part.key): one for part, one in zip(self.inputs, each, strict=True)}

    @property
    def variables(self) -> tuple[str, ...]:
        """What the inputs are called in code."""
        if self.inputs[0].key is None:
            return ("x",)
        return tuple(f"x{part.key + 1}" if isinstance(part.key, int) else str(part.key) for part in self.inputs)

    def call(self, tensors: Sequence[Any], arguments: Mapping[str, Any]) -> Any:
        """What the net makes of its inputs."""
        made = fresh(self.build)
        if isinstance(made, type):
            made, arguments = made(**arguments), {}
        if self.passed == "by keyword":
            return made(**self.given(tensors), **arguments)
        return made(*tensors, **arguments) if self.passed == "one by one" else made(self.given(tensors), **arguments)

    def called_in_code(self, name: str, arguments: str) -> str:
        """The code of that call."""
        made, given = (f"{name}({arguments})", "") if isinstance(self.build, type) else (name, arguments)
        if self.passed == "by keyword":
            inputs = ", ".join(f"{one}={one}" for one in self.variables)
        elif self.passed == "one by one" or self.inputs[0].key is None:
            inputs = ", ".join(self.variables)
        elif isinstance(self.inputs[0].key, int):
            inputs = f"[{', '.join(self.variables)}]"
        else:
            inputs = "{" + ", ".join(f'"{one}": {one}' for one in self.variables) + "}"
        return f"{made}({inputs}{', ' * bool(given)}{given})"

    def dtypes(self) -> tuple[str, ...]:
        """The dtype of each input."""
        return tuple(part.dtypes[0] if part.dtypes else "float32" for part in self.inputs)

    def fits(self, example: Example) -> bool:
        """Whether no side of the first input is below the least."""
        axes = self.first_sides(example)
        least = self.least * len(axes) if len(self.least) == 1 else self.least
        return all((example.shapes[0][axis] or n) >= n for axis, n in zip(axes, least, strict=False))

    def first_sides(self, example: Example) -> tuple[int, ...]:
        return side_axes(self.inputs[0], len(example.shapes[0]))

    def expected(self, example: Example) -> Any:
        """The shapes that the spec has for it; None if the image is too small."""
        shapes = self.spec.expected(self.given(example.shapes), **example.names)
        sizes = [size for shape in (shapes.values() if isinstance(shapes, dict) else [shapes]) for size in shape]
        left = all(not isinstance(size, int) or size >= 1 for size in sizes)
        return shapes if left and self.fits(example) else None

    def unknown(self, example: Example) -> tuple[Shape, ...]:
        """The shapes with every named side unknown, and whatever follows from it."""
        names: dict[str, Any] = dict(self.spec.bind(self.given(example.shapes), **example.names))
        for part, shape in zip(self.inputs, example.shapes, strict=True):
            sides = side_axes(part, len(shape))
            for axes, dimension in aligned(part.shape, len(shape)):
                if dimension.several is not None:
                    own = range(axes.start, axes.stop)
                    names[dimension.several] = tuple(None if axis in sides else shape[axis] for axis in own)
                elif dimension.name is not None and axes.start in sides:
                    names[dimension.name] = None
        return tuple(self._unknown(part, shape, names) for part, shape in zip(self.inputs, example.shapes, strict=True))

    def largest(self, example: Example) -> tuple[Shape, ...]:
        """The shapes with each named side as large as can be; those of the example where there are no such."""
        names = dict(self.spec.bind(self.given(example.shapes), **example.names))
        known = self.params if isinstance(self.params, Mapping) else {}
        for part, shape in zip(self.inputs, example.shapes, strict=True):
            for axis, dimension in enumerate(dimensions_of(part.shape, len(shape))):
                name = dimension.name
                if name is not None and axis in side_axes(part, len(shape)) and name not in known:
                    _, last, step, rest = _bounds(self, name)
                    names[name] = last * step + rest
        other = _with_size(self, example, names) if isinstance(self.sides, tuple) else None
        return (other or example).shapes

    def _unknown(self, part: Part, shape: Shape, names: Mapping[str, Any]) -> Shape:
        sides, found = side_axes(part, len(shape)), []
        sizes = sizes_of(part.shape, names, self.spec.text)
        for axis, dimension in enumerate(dimensions_of(part.shape, len(shape))):
            size = sizes[axis]
            if dimension.is_anything:
                size = None if axis in sides else shape[axis]
            elif dimension.broadcast:
                size = 1 if shape[axis] == 1 else size.size if isinstance(size, OneOr) else size
            found.append(size)
        return tuple(found)

    def called(self, function: Callable[..., Any], example: Example) -> Any:
        """A function, called with those names and arguments that it has."""
        known = {**self.spec.bind(self.given(example.shapes), **example.names), **example.arguments}
        takes = _takes(function)
        return function(**{name: value for name, value in known.items() if takes is None or name in takes})

    def exchanged(self, example: Example) -> Example | None:
        """With height and width exchanged; None where the spec is not the same for both, or they are equal."""
        if len(self.first_sides(example)) != 2:
            return None
        arguments = {word: _turned_argument(word, value) for word, value in example.arguments.items()}
        turned = [
            _turn(shape, side_axes(part, len(shape))) for part, shape in zip(self.inputs, example.shapes, strict=True)
        ]
        other = replace(example, shapes=tuple(turned), arguments=arguments)
        if other.shapes == example.shapes and other.described == example.described:
            return None
        try:
            one, two = self.expected(example), self.expected(other)
        except ValueError:  # a literal size, or one name for both
            return None
        return other if one is not None and two is not None and self.turned(one, example) == two else None

    def turned(self, shapes: Any, example: Example) -> Any:
        """Shapes with height and width exchanged, of those tensors that have them."""
        if isinstance(shapes, Mapping):
            return {key: self.turned(shape, example) for key, shape in shapes.items()}
        axes = self.first_sides(example)
        return _turn(shapes, axes) if len(shapes) == len(example.shapes[0]) else shapes


def _turn(shape: Shape, axes: Sequence[int]) -> Shape:
    if len(axes) != 2:
        return shape
    turned = list(shape)
    turned[axes[0]], turned[axes[1]] = turned[axes[1]], turned[axes[0]]
    return tuple(turned)


def channel_axis(part: Part, count: int) -> int | None:
    """The axis of the channels of a tensor of so many axes: that called c, else as the sides are called, or as Keras
    has it; None where there is none."""
    import keras

    each = dimensions_of(part.shape, count)
    named = [axis for axis, dimension in enumerate(each) if axis and dimension.name in ("c", "channels")]
    if named:
        return named[0]
    only_sides = count == 2 and each[1].name in SIDES
    if count < 2 or only_sides or "int" in (part.dtype or "") or (each[-1].several and not each[-1].is_optional):
        return None
    is_free = count > 2 and each[1].name not in SIDES and not each[1].term.terms
    last_is_side = is_free and each[-1].name in SIDES
    first = is_free and keras.config.image_data_format() == "channels_first"
    return 1 if last_is_side or first else count - 1


def side_axes(part: Part, count: int) -> tuple[int, ...]:
    """The axes of a tensor that are neither batch nor channels."""
    channels = channel_axis(part, count)
    return tuple(axis for axis in range(1, count) if axis != channels)


def _turned_argument(word: str, value: Any) -> Any:
    pair = isinstance(value, tuple) and len(value) == 2
    return value[::-1] if word in SPATIAL and pair else value


def fresh(build: Any) -> Any:
    """The net; of a layer that is not built yet a new one, as the first input would build it for good."""
    if not isinstance(build, type) and hasattr(build, "compute_output_spec") and not getattr(build, "built", True):
        try:
            return type(build).from_config(build.get_config())
        except Exception:  # any layer may have no config, and is then the same one every time
            return build
    return build


def _parameters(function: Any) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None


def _takes(function: Callable[..., Any]) -> set[str] | None:
    """The keywords of a function, or of what makes an instance of a class; None for any."""
    if isinstance(function, type):
        makers = [vars(kind)["__init__"] for kind in function.__mro__[:-1] if "__init__" in vars(kind)]
        return {word for maker in makers for word in _parameters(maker) or ()}
    parameters = _parameters(function)
    if parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return None
    return set(parameters)


def _passed(build: Any, spec: Spec, params: Any) -> Literal["whole", "one by one", "by keyword"]:
    """How a net is given its inputs: as its signature has room for them."""
    assert spec.inputs is not None
    inputs = spec.inputs
    called = build.call if hasattr(build, "compute_output_spec") and hasattr(build, "call") else build
    taken = _parameters(called)
    if inputs[0].key is None or taken is None:
        return "whole"
    others = {"self", "training", "mask", *(params if isinstance(params, Mapping) else ())}
    if isinstance(inputs[0].key, str):
        return "by keyword" if {part.key for part in inputs} <= taken.keys() else "whole"
    places = [
        word
        for word, p in taken.items()
        if word not in others and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    several = any(p.kind is p.VAR_POSITIONAL for p in taken.values())
    return "one by one" if several or len(places) >= len(inputs) else "whole"


def as_net(
    build: Callable[..., Any],
    spec: Any,
    *,
    sides: Any,
    params: Any,
    least: int | Sequence[int],
    too_small: str = "raises",
    batch: tuple[int, int] | None = None,
) -> Net:
    """The arguments of `check_net`, looked over.

    Raises:
        TypeError, ValueError: one of them makes no sense.
    """
    build = checks.function("build", build)
    too_small = checks.choice("too_small", too_small, ["raises", "skip"])
    spec = Spec.parse(spec)
    if spec.inputs is None or len(spec.inputs[0].shape) < 2:
        raise refuse("spec", spec.text, "of an input of batch and channels at least, and an arrow")
    first = spec.inputs[0]
    ranked = all(dimension.several is None for dimension in first.shape)
    axes = side_axes(first, len(first.shape)) if ranked else ()
    if checks.is_sequence(least):
        smallest = checks.integers("least", least, len(axes))
    else:
        must_be = f"a positive integer, or one for each of {len(axes)} sides"
        smallest = (checks.integer("least", least, must_be=must_be),)
    sides, params = _strategy_or(sides, _pixels), _strategy_or({} if params is None else params, _params)
    net = Net(build, spec, sides, params, smallest, too_small, _passed(build, spec, params), batch)
    if isinstance(net.params, Mapping) and (missing := spec.free - net.params.keys()):
        raise complaint(f"params must be what gives {', '.join(sorted(missing))} of the spec, got {[*net.params]}")
    takes = _takes(build)
    if isinstance(net.params, Mapping) and takes is not None:
        strange = [word for word in net.params if word not in takes | spec.free | spec.bound]
        if strange:
            raise complaint(f"params must be of what spec or build has, got {', '.join(map(repr, strange))}", TypeError)
    return net


def _strategy_or(value: Any, check: Callable[[Any], Any]) -> Any:
    """A strategy as it is, anything else as checked."""
    return value if hasattr(value, "example") and hasattr(value, "filter") else check(value)


def _pixels(sides: Any) -> tuple[int, ...]:
    first, last = checks.integers("sides", sides, 2)
    if first > last:
        raise refuse("sides", sides, "the least and the most pixels of a side, or a strategy")
    return first, last


def _params(params: Any) -> Any:
    params = checks.mapping("params", params, "a dict of values and strategies by argument, or a strategy of dicts")
    checks.names("params", params.keys(), "a dict of values and strategies by argument, or a strategy of dicts")
    return params


def strategy(net: Net) -> Any:
    """A Hypothesis strategy of the cases."""
    from hypothesis import assume
    from hypothesis import strategies as st

    takes, several = _takes(net.build), len(net.inputs) > 1
    given_sides = net.sides if isinstance(net.sides, st.SearchStrategy) else None

    @lru_cache
    def pixels(name: str | None) -> Any:
        if given_sides is not None:
            return given_sides
        first, last, step, rest = _bounds(net, name)
        if first > last:
            raise complaint(f"sides must be such that a condition on {name} can hold, got {net.sides!r}")
        anywhere = st.integers(first, last)
        small = st.integers(first, min(last, first + 8))  # where nets fail
        return (small | anywhere | anywhere).map(lambda number: number * step + rest if step > 1 else number)

    @st.composite
    def cases(draw: Callable[[Any], Any]) -> Example:
        given = net.params
        known: dict[str, Any] = {}
        named: dict[str, Any] = {}

        def size(name: str | None, strategy: Any) -> int:
            """Of a name, which has one size only."""
            if name is None:
                return draw(strategy)
            if name not in known:
                own = given.get(name, strategy) if isinstance(given, Mapping) else strategy
                named[name] = known[name] = draw(own) if isinstance(own, st.SearchStrategy) else own
            return known[name]

        if isinstance(given, st.SearchStrategy):
            given = _params(draw(given))
        counts = [_axes_of(draw, st, part, known) for part in net.inputs]
        open_shapes: list[list[Any]] = []
        for number, (part, count) in enumerate(zip(net.inputs, counts, strict=True)):
            sides = side_axes(part, count)
            sizes: list[Any] = []
            for axes, dimension in aligned(part.shape, count):
                own = range(axes.start, axes.stop)
                if dimension.several is not None:
                    sizes += _several(draw, dimension, own, sides, known, pixels(None), st.integers(*CHANNELS))
                elif dimension.term.operation == "number":
                    sizes.append(int(dimension.term.leaf))
                elif dimension.term.operation not in ("name", "_"):
                    sizes.append(dimension)
                elif axes.start == 0 and (number == 0 or dimension.name == _batch_name(net)):
                    known.setdefault(str(dimension.name), draw(st.integers(*net.batch)) if net.batch else None)
                    sizes.append(known[str(dimension.name)])
                elif dimension.broadcast and several and draw(st.booleans()):
                    sizes.append(1)
                else:
                    own_sizes = pixels(dimension.name) if axes.start in sides else st.integers(*CHANNELS)
                    sizes.append(size(dimension.name, own_sizes))
            open_shapes.append(sizes)
        others = {word: value for word, value in given.items() if word not in named}
        drawn = {w: draw(value) if isinstance(value, st.SearchStrategy) else value for w, value in others.items()}
        arguments = {word: value for word, value in drawn.items() if takes is None or word in takes}
        names = {w: value for w, value in drawn.items() if w in net.spec.free or w not in arguments}
        shapes = []
        for sizes in open_shapes:
            values = [
                size.term.value({**known, **names}, net.spec.text) if isinstance(size, Dimension) else size
                for size in sizes
            ]
            assume(all(value is None or (value >= 1 and value == int(value)) for value in values[1:]))
            shapes.append(tuple(None if value is None else int(value) for value in values))
        example = Example(tuple(shapes), names, arguments)
        if net.spec.conditions:
            assume(_holds(net, {**known, **names}))
        if net.too_small == "skip":
            assume(net.expected(example) is not None)
        return example

    return cases()


def _batch_name(net: Net) -> str | None:
    return net.inputs[0].shape[0].name


def _holds(net: Net, known: Mapping[str, Any]) -> bool:
    return all(condition.holds(known, net.spec.text) is not False for condition in net.spec.conditions)


def _axes_of(draw: Any, st: Any, part: Part, known: dict[str, Any]) -> int:
    """How many axes a tensor has."""
    several = next((dimension for dimension in part.shape if dimension.several is not None), None)
    if several is None:
        return len(part.shape)
    if several.several not in known:
        known[str(several.several)] = (None,) * draw(st.integers(0, 1 if several.is_optional else MOST_AXES))
        known[f"{several.several} drawn"] = False
    return len(part.shape) - 1 + len(known[str(several.several)])


def _several(
    draw: Any, dimension: Dimension, own: range, sides: Sequence[int], known: dict[str, Any], pixels: Any, channels: Any
) -> list[int]:
    """Sizes of what stands for several axes, drawn where it is met first."""
    name = str(dimension.several)
    if not known.pop(f"{name} drawn", True):
        known[name] = tuple(draw(pixels if axis in sides else channels) for axis in own)
        if dimension.is_optional:
            known[name.rstrip("?")] = known[name][0] if known[name] else 1
    return list(known[name])


def _bounds(net: Net, name: str | None) -> tuple[int, int, int, int]:
    """Least and most number, step and rest: of a side as `sides` and the conditions on its name alone have it."""
    (first, last), step, rest = net.sides, 1, 0
    for condition in net.spec.conditions:
        left, right, sign = condition.left, condition.right, condition.comparison
        if left.operation == "number" and sign in _TURNED:
            left, right, sign = right, left, _TURNED[sign]
        if right.operation != "number":
            continue
        number = int(right.leaf)
        if left.operation == "name" and left.leaf == name:
            if sign in (">=", ">", "=="):
                first = max(first, number + (sign == ">"))
            if sign in ("<=", "<", "=="):
                last = min(last, number - (sign == "<"))
        elif left.operation == "%" and sign == "==" and step == 1:
            of, divisor = left.terms
            if (of.leaf, divisor.operation) == (name, "number") and 0 <= number < int(divisor.leaf):
                step, rest = int(divisor.leaf), number
    if step > 1:
        return -(-(first - rest) // step), (last - rest) // step, step, rest
    return first, last, step, rest


_TURNED = {"==": "==", ">=": "<=", "<=": ">=", ">": "<", "<": ">"}


def failure_of(report: Report, example: Example) -> CheckError:
    """What to raise of an example."""
    error = CheckError(report)
    error.example = example  # type: ignore[attr-defined]
    return error


class Vacuous(Exception):
    """Hypothesis found no case to try."""


def smallest_failure(
    check: Callable[[Example], None], net: Net, examples: int, seed: int | None = None
) -> CheckError | None:
    """The failure of the smallest case that Hypothesis finds, None if none fails.

    Raises:
        Vacuous: there is no case, or hardly any.
    """
    if examples < 1:
        return None
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from hypothesis.errors import Unsatisfiable

    def attempt(example: Example) -> None:
        check(example)

    run = given(strategy(net))(attempt)
    run = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]  # their metaclass
        report_multiple_bugs=False,
        print_blob=False,
    )(run)
    try:
        (run if seed is None else seeded(seed)(run))()
    except CheckError as error:
        return _shrunk(check, net, error)
    except Unsatisfiable:
        raise Vacuous from None
    return None


def _shrunk(check: Callable[[Example], None], net: Net, error: CheckError) -> CheckError:
    """The failure of a case that is smaller by a single size, again and again: Hypothesis jumps over some."""
    example = getattr(error, "example", None)
    if example is None or not isinstance(net.sides, tuple):
        return error
    known = net.spec.bind(net.given(example.shapes), **example.names)
    for name, size in known.items():
        given = isinstance(net.params, Mapping) and name in net.params
        if name not in net.spec.bound or given or not isinstance(size, int):
            continue
        for smaller in range(_least_of(net, name), size):
            other = _with_size(net, example, {**known, name: smaller})
            if other is None:
                continue
            try:
                check(other)
            except CheckError as found:
                return _shrunk(check, net, found) if hasattr(found, "example") else found
    return error


def _least_of(net: Net, name: str) -> int:
    for part in net.inputs:
        each = part.shape if all(dimension.several is None for dimension in part.shape) else ()
        for axis, dimension in enumerate(each):
            if dimension.name == name:
                if axis == 0:
                    return net.batch[0] if net.batch else 1
                return int(net.sides[0]) if axis in side_axes(part, len(each)) else CHANNELS[0]
    return CHANNELS[0]


def _with_size(net: Net, example: Example, names: Mapping[str, Any]) -> Example | None:
    """The example of these sizes; None where it is none."""
    shapes = []
    for part, shape in zip(net.inputs, example.shapes, strict=True):
        found = []
        sizes = sizes_of(part.shape, names, net.spec.text)
        for own, size in zip(shape, sizes, strict=True):
            wide = isinstance(size, OneOr)
            found.append(own if size is ANYTHING or (wide and own == 1) else size.size if wide else size)
        shapes.append(tuple(found))
    other = replace(example, shapes=tuple(shapes))
    fine = all(size is None or size >= 1 for shape in shapes for size in shape) and _holds(net, names)
    return other if fine and (net.too_small == "raises" or net.expected(other) is not None) else None
