"""The cases that `check_net` tries: image sizes and arguments, and the smallest of them that fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .. import checks
from ..checks import complaint, refuse
from .code import code_of
from .reports import CheckError
from .shapes import ANYTHING, Shape, Spec

CHANNELS = (1, 8)
SPATIAL = {
    *("kernel_size", "pool_size", "strides", "dilation_rate", "padding", "output_padding", "output_size"),
    *("size", "cropping", "offset"),
}
"""Arguments that have a value for each axis."""


@dataclass(frozen=True)
class Example:
    """One case: the shape of the input, batch first, sizes of names that the spec has, and arguments of the net."""

    shape: Shape
    names: Mapping[str, Any]
    arguments: Mapping[str, Any]

    @property
    def described(self) -> dict[str, str]:
        """The arguments and names as code, each once."""
        return {word: code_of(value) for word, value in {**self.names, **self.arguments}.items()}

    def __repr__(self) -> str:
        return f"Example({self.shape}, {self.described})"


@dataclass(frozen=True)
class Net:
    """What is checked, and on which cases."""

    build: Callable[..., Any]
    spec: Spec
    sides: Any
    params: Any
    least: tuple[int, ...]
    too_small: str
    side_axes: tuple[int, ...]

    def fits(self, example: Example) -> bool:
        """Whether no side is below the least."""
        return all((example.shape[a] or n) >= n for a, n in zip(self.side_axes, self.least, strict=True))

    def expected(self, example: Example) -> Any:
        """The shapes that the spec has for it; None if the image is too small."""
        shapes = self.spec.expected(example.shape, **example.names)
        sizes = [size for shape in (shapes.values() if isinstance(shapes, dict) else [shapes]) for size in shape]
        left = all(size is None or size is ANYTHING or size >= 1 for size in sizes)
        return shapes if left and self.fits(example) else None

    def unknown(self, example: Example) -> Shape:
        """The shape with every named side unknown."""
        assert self.spec.inputs is not None
        named = {axis for axis in self.side_axes if self.spec.inputs[axis].term.operation != "number"}
        return tuple(None if axis in named else size for axis, size in enumerate(example.shape))

    def called(self, function: Callable[..., Any], example: Example) -> Any:
        """A function, called with those names and arguments that it has."""
        known = {**self.spec.bind(example.shape, **example.names), **example.arguments}
        takes = _takes(function)
        return function(**{name: value for name, value in known.items() if takes is None or name in takes})

    def exchanged(self, example: Example) -> Example | None:
        """With height and width exchanged; None where the spec is not the same for both, or they are equal."""
        if len(self.side_axes) != 2:
            return None
        arguments = {word: _turned_argument(word, value) for word, value in example.arguments.items()}
        other = replace(example, shape=self._turn(example.shape), arguments=arguments)
        if other.shape == example.shape and other.described == example.described:
            return None
        try:
            one, two = self.expected(example), self.expected(other)
        except ValueError:  # a literal size, or one name for both
            return None
        return other if one is not None and two is not None and self.turned(one) == two else None

    def turned(self, shapes: Any) -> Any:
        """Shapes with height and width exchanged, of those tensors that have them."""
        if isinstance(shapes, Mapping):
            return {key: self.turned(shape) for key, shape in shapes.items()}
        assert self.spec.inputs is not None
        return self._turn(shapes) if len(shapes) == len(self.spec.inputs) else shapes

    def _turn(self, shape: Shape) -> Shape:
        first, second = self.side_axes
        turned = list(shape)
        turned[first], turned[second] = turned[second], turned[first]
        return tuple(turned)


def _turned_argument(word: str, value: Any) -> Any:
    pair = isinstance(value, tuple) and len(value) == 2
    return value[::-1] if word in SPATIAL and pair else value


def _takes(function: Callable[..., Any]) -> set[str] | None:
    """The keywords of a function; None for any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def as_net(
    build: Callable[..., Any], spec: Any, *, sides: Any, params: Any, least: int | Sequence[int], too_small: str
) -> Net:
    """The arguments of `check_net`, looked over.

    Raises:
        TypeError, ValueError: one of them makes no sense.
    """
    import keras

    build = checks.function("build", build)
    too_small = checks.choice("too_small", too_small, ["raises", "skip"])
    spec = Spec.parse(spec)
    if spec.inputs is None or len(spec.inputs) < 2:
        raise refuse("spec", spec.text, "of an input of batch and channels at least, and an arrow")
    rank = len(spec.inputs)
    channels = 1 if rank > 2 and keras.config.image_data_format() == "channels_first" else rank - 1
    axes = tuple(axis for axis in range(1, rank) if axis != channels)
    if checks.is_sequence(least):
        smallest = checks.integers("least", least, len(axes))
    else:
        must_be = f"a positive integer, or one for each of {len(axes)} sides"
        smallest = (checks.integer("least", least, must_be=must_be),) * len(axes)
    sides, params = _strategy_or(sides, _pixels), _strategy_or({} if params is None else params, _params)
    net = Net(build, spec, sides, params, smallest, too_small, axes)
    if isinstance(net.params, Mapping) and (missing := spec.free - net.params.keys()):
        raise complaint(f"params must be what gives {', '.join(sorted(missing))} of the spec, got {[*net.params]}")
    takes = _takes(build)
    if isinstance(net.params, Mapping) and takes is not None:
        bound = {dimension.name for dimension in spec.inputs}
        if strange := [word for word in net.params if word not in takes | spec.free | bound]:
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

    pixels = net.sides
    if not isinstance(pixels, st.SearchStrategy):
        first, last = pixels
        anywhere = st.integers(first, last)
        pixels = st.integers(first, min(last, first + 8)) | anywhere | anywhere  # small ones are where nets fail
    assert net.spec.inputs is not None
    inputs, takes = net.spec.inputs, _takes(net.build)

    @st.composite
    def cases(draw: Callable[[Any], Any]) -> Example:
        given = net.params
        known: dict[str, Any] = {}
        batch = inputs[0].term
        shape: list[int | None] = [int(batch.leaf) if batch.operation == "number" else None]

        def size(name: str | None, strategy: Any) -> int:
            """Of a name, which has one size only."""
            if name is None:
                return draw(strategy)
            if name not in known:
                own = given.get(name, strategy) if isinstance(given, Mapping) else strategy
                known[name] = draw(own) if isinstance(own, st.SearchStrategy) else own
            return known[name]

        if isinstance(given, st.SearchStrategy):
            given = _params(draw(given))
        for axis, dimension in enumerate(inputs[1:], start=1):
            if dimension.term.operation == "number":
                shape.append(int(dimension.term.leaf))
            else:
                shape.append(size(dimension.name, pixels if axis in net.side_axes else st.integers(*CHANNELS)))
        others = {word: value for word, value in given.items() if word not in known}
        drawn = {w: draw(value) if isinstance(value, st.SearchStrategy) else value for w, value in others.items()}
        arguments = {word: value for word, value in drawn.items() if takes is None or word in takes}
        names = {w: value for w, value in drawn.items() if w in net.spec.free or w not in arguments}
        example = Example(tuple(shape), names, arguments)
        if net.too_small == "skip":
            assume(net.expected(example) is not None)
        return example

    return cases()


def smallest_failure(check: Callable[[Example], None], net: Net, examples: int) -> CheckError | None:
    """The failure of the smallest case that Hypothesis finds, None if none fails."""
    if examples < 1:
        return None
    from hypothesis import HealthCheck, Phase, given, settings

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(strategy(net))
    def attempt(example: Example) -> None:
        check(example)

    try:
        attempt()
    except CheckError as error:
        return error
    return None
