"""Every private corner of Keras that we stand on; `tests/project/test_keras_internals.py` watches them."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, _GeneratorContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any

import keras
from keras.src.backend.common import global_state, variables
from keras.src.ops import function
from keras.src.ops.node import Node
from keras.src.saving import serialization_lib

_TESTED = ("3.15.",)
_STATELESS = "stateless_scope"
_NAMES = "layerblocks_names"
_warned: list[str] = []
_rename: ContextVar[Callable[[str | None, Any], str | None] | None] = ContextVar("layerblocks_rename", default=None)
_made: ContextVar[list[Any] | None] = ContextVar("layerblocks_operations_made", default=None)


def names_given() -> set[str]:
    """The names that pieces outside of any block were given since `keras.backend.clear_session()`."""
    names: Any = global_state.get_global_attribute(_NAMES, set(), set_to_default=True)
    return names


# -- what is replaced in Keras while a block, a constructor or a loader of ours runs ----------------------------------


def _tested() -> None:
    """Warn, once, of a Keras whose insides nobody has looked at."""
    if _warned or keras.__version__.startswith(_TESTED):
        return
    _warned.append(keras.__version__)
    warnings.warn(
        f"layerblocks was tested on Keras {' and '.join(f'{v}*' for v in _TESTED)}, not on {keras.__version__}: "
        "should names of layers or weightless() misbehave, this is why",
        stacklevel=2,
    )


def _replacing(
    owner: Any, attribute: str, replacement: Callable[[Any], Any]
) -> Callable[[], _GeneratorContextManager[None]]:
    """A context in which `owner.attribute` is what `replacement(original)` gives.

    Contexts may overlap in any number of threads and end in any order: the first replaces, the last restores. The
    attribute is the same for all threads; that a thread is meant is for the replacement to find out.
    """
    lock = threading.Lock()
    users, made, restore = 0, None, None

    @contextmanager
    def replaced() -> Iterator[None]:
        nonlocal users, made, restore
        _tested()
        with lock:
            users += 1
            if users == 1:
                original = getattr(owner, attribute)
                own = attribute in vars(owner)
                restore = partial(setattr, owner, attribute, original) if own else partial(delattr, owner, attribute)
                made = replacement(original)
                if inspect.isroutine(original):
                    functools.update_wrapper(made, original)
                setattr(owner, attribute, made)
        try:
            yield
        finally:
            with lock:
                users -= 1
                # Where somebody else has replaced it since, it stays beneath and lets everything pass.
                if not users and restore is not None and vars(owner).get(attribute) is made:
                    restore()

    return replaced


def _named(original: Callable[..., None]) -> Callable[..., None]:
    # Keras reads the bare signature of `__init__`, so it has to stay the same.
    def __init__(self: Any, name: str | None = None) -> None:
        rename = _rename.get()
        original(self, name=name if rename is None else rename(name, self))
        if (made := _made.get()) is not None:
            made.append(self)

    return __init__


_operations_replaced = _replacing(keras.Operation, "__init__", _named)


@contextmanager
def operations_named(rename: Callable[[str | None, Any], str | None]) -> Iterator[None]:
    """Let `rename(name, operation)` decide the name of every Keras operation that is made inside.

    `keras.Operation.__init__` is public, as every custom layer calls it; that each layer and each `keras.ops`
    node passes through it is what is relied on here.
    """
    with _operations_replaced():
        token = _rename.set(rename)
        try:
            yield
        finally:
            _rename.reset(token)


@contextmanager
def operations_made() -> Iterator[list[Any]]:
    """A list that gets every layer and operation made inside, whether or not it becomes part of a model."""
    made: list[Any] = []
    with _operations_replaced():
        token = _made.set(made)
        try:
            yield made
        finally:
            _made.reset(token)


_MAKING = {"__init__", "build", "call", "__call__"}


def made_by_another(operation: Any, until: int) -> bool:
    """Whether an operation is being made by the `__init__`, `build` or `call` of another one.

    Args:
        operation: being made, further in on the stack of calls.
        until: `id` of the frame at which to stop.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and id(frame) != until:
        code = frame.f_code
        if code.co_name in _MAKING and code.co_argcount:
            first = frame.f_locals.get(code.co_varnames[0])
            if first is not operation and isinstance(first, keras.Operation):
                return True
        frame = frame.f_back
    return False


def _iterative(original: Callable[..., None]) -> Callable[..., None]:
    """Keras's depth-first search over a graph, which calls itself once a layer, with a stack of its own."""

    def search(
        inputs: Any, tensor: Any, finished: set[Any], in_progress: set[Any], ordered: list[Any], indices: dict[Any, int]
    ) -> None:
        declared = {id(x) for x in keras.tree.flatten(inputs)}
        # Each entry: a node that is entered, and the tensors before it that are still to be followed.
        stack: list[tuple[Any, Iterator[Any]]] = []

        def enter(x: Any) -> None:
            operation, index, _ = x._keras_history
            if not operation or (node := operation._inbound_nodes[index]) in finished:
                return
            if not node.is_input and id(x) in declared:
                finished.add(node)
                return
            if node in in_progress:
                raise ValueError(f"Tensor {x} from operation '{operation.name}' is part of a cycle.")
            indices.setdefault(operation, len(indices))
            in_progress.add(node)
            stack.append((node, iter(() if node.is_input else node.input_tensors)))

        enter(tensor)
        while stack:
            node, before = stack[-1]
            if (x := next(before, None)) is not None:
                enter(x)
            else:
                stack.pop()
                finished.add(node)
                in_progress.remove(node)
                ordered.append(node)

    return search


deep_graphs = _replacing(function, "_build_map_helper", _iterative)
"""A context in which a model may be of any depth: made, loaded, cloned or cut out of one.

Keras by itself ends in a RecursionError on a model of some hundreds of blocks."""


# -- variables without values -----------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Weightless:
    is_open: bool = True


_scopes: ContextVar[tuple[_Weightless, ...]] = ContextVar("layerblocks_weightless", default=())


def is_weightless() -> bool:
    """Whether variables that are made here and now get no value."""
    return any(scope.is_open for scope in _scopes.get()) or global_state.get_global_attribute(_STATELESS) is not None


def _empty(original: Callable[..., None]) -> Callable[..., None]:
    def initialize(self: Any, initializer: Any) -> None:
        if any(scope.is_open for scope in _scopes.get()):
            self._value, self._initializer = None, initializer
        else:
            original(self, initializer)

    return initialize


def _unregistered(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def register(variable: Any) -> None:
        if not any(scope.is_open for scope in _scopes.get()):
            original(variable)

    return register


def _ignored_if_empty(original: Callable[..., Any]) -> Callable[..., Any]:
    def assign(self: Any, value: Any) -> Any:
        # A variable made of a value and not of an initialiser is being made, and keeps it.
        if getattr(self, "_value", self) is None and any(scope.is_open for scope in _scopes.get()):
            return None
        return original(self, value)

    return assign


_variables_replaced = (
    _replacing(keras.Variable, "_initialize_with_initializer", _empty),
    _replacing(keras.Variable, "_direct_assign", _ignored_if_empty),
    _replacing(variables, "register_uninitialized_variable", _unregistered),
)


@contextmanager
def variables_without_values() -> Iterator[None]:
    """Let variables made inside have a shape and an initialiser, and no value.

    It holds for this thread or task alone and those that it starts with its context. Scopes may overlap and end in any
    order, in whatever context: each is closed for all that inherited it.
    """
    scope = _Weightless()
    with ExitStack() as stack:
        for replaced in _variables_replaced:
            stack.enter_context(replaced())
        _scopes.set((*(other for other in _scopes.get() if other.is_open), scope))
        try:
            yield
        finally:
            scope.is_open = False
            _scopes.set(tuple(other for other in _scopes.get() if other.is_open))


# -- graphs of calls --------------------------------------------------------------------------------------------------


def source_inputs(tensor: Any) -> list[Any]:
    """The inputs that `tensor` is computed from.

    `keras.utils.get_source_inputs` follows every path, of which each residual block doubles the number.
    """
    inputs, seen, ahead = [], set(), [tensor]
    while ahead:
        x = ahead.pop()
        if id(x) not in seen:
            seen.add(id(x))
            operation, index, _ = x._keras_history
            node = operation._inbound_nodes[index]
            if node.is_input:
                inputs.append(x)
            else:
                ahead += reversed(node.input_tensors)
    return inputs


def call_of(tensor: Any) -> Any:
    """The call that made a symbolic tensor: its `operation`, `input_tensors`, `arguments` and `outputs`."""
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def call_again(call: Any, tensors: Mapping[int, Any], operation: Any = None) -> list[Any]:
    """What the same operation, or another, gives with the same arguments on other tensors, by the `id` of the old."""
    args, kwargs = call.arguments.fill_in(tensors)
    return keras.tree.flatten((operation or call.operation)(*args, **kwargs))


def called_with(call: Any, argument: str) -> Any:
    """What a call was given for a keyword, or None."""
    return call.arguments.kwargs.get(argument)


def infer_again(call: Any, specs: Mapping[int, Any]) -> list[Any]:
    """Shapes and dtypes of what the operation would give, as `call_again`, but nothing is added to any graph."""
    args, kwargs = call.arguments.fill_in(specs)
    return keras.tree.flatten(call.operation.compute_output_spec(*args, **kwargs))


def is_allocated(variable: Any) -> bool:
    """Whether a variable has a value, and not just a shape from `weightless`."""
    return variable._value is not None


def build_compiled(model: Any, batch: Any) -> None:
    """Let a compiled model, its metrics and its optimizer make their variables, without computing anything."""
    model._symbolic_build(data_batch=batch)


def loss_trackers(model: Any) -> list[Any]:
    """The metrics in which a compiled model keeps the loss of each of its outputs."""
    return model._compile_loss.metrics


def momentum_of(optimizer: keras.optimizers.SGD, variable: Any) -> Any:
    """The variable that an optimizer keeps the momentum of another in."""
    return optimizer.momentums[optimizer._get_variable_index(variable)]


@contextmanager
def applying_at_once(optimizer: Any) -> Iterator[None]:
    """Let an optimizer that accumulates gradients apply those that it is given, `iterations` being updates meanwhile.

    Its schedule, if it has one, goes on by batches: it is asked, as Keras asks it, for the last of each update.
    """
    steps, rate = optimizer.gradient_accumulation_steps, optimizer._learning_rate
    try:
        optimizer.gradient_accumulation_steps = None
        if steps and isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            object.__setattr__(optimizer, "_learning_rate", _ByBatches(rate, steps))
        yield
    finally:
        optimizer.gradient_accumulation_steps = steps
        object.__setattr__(optimizer, "_learning_rate", rate)


class _ByBatches(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, schedule: Any, steps: int) -> None:
        self.schedule, self.steps = schedule, steps

    def __call__(self, step: Any) -> Any:
        return self.schedule(step * self.steps + self.steps - 1)


def restored_epoch(model: Any) -> int | None:
    """The epoch that `keras.callbacks.BackupAndRestore` goes on with, if it has restored one."""
    return model._initial_epoch


def sublayers(layer: Any, deep: bool = True) -> list[Any]:
    """The layers inside a layer, to any depth or those of its own alone."""
    return list(layer._flatten_layers(include_self=False, recursive=deep)) if hasattr(layer, "_flatten_layers") else []


def averaged(metric: Any) -> Any:
    """The function whose values a `MeanMetricWrapper` averages, with its arguments; any other metric as it is."""
    if type(metric) is not keras.metrics.MeanMetricWrapper:
        return metric
    return partial(metric._fn, **metric._fn_kwargs)


def first_call(operation: Any) -> Any:
    """The first call of an operation on symbolic tensors, None where there is none."""
    return next(iter(getattr(operation, "_inbound_nodes", ())), None)


def call_uncomputed(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: list[Any]) -> None:
    """Let an operation have been called and have given these tensors, though nobody has computed what it gives."""
    Node(operation, call_args=args, call_kwargs=kwargs, outputs=outputs)


def without_shape(tensor: Any) -> Any:
    """A symbolic tensor, marked as one of which nothing is known."""
    tensor.is_without_shape = True
    return tensor


def has_shape(tensor: Any) -> bool:
    """Whether more is known of a symbolic tensor than that it is there."""
    return tensor is not None and not getattr(tensor, "is_without_shape", False)


@contextmanager
def traced(layer: Any) -> Iterator[tuple[list[str], Mapping[Any, Any]]]:
    """Let `layer.call` be followed on symbolic tensors, and nothing of it be left: no calls, names, states or losses.

    Yields a list that gets the names of the layers that would have had to be built; these raise. And a dict that gets
    the variables that would have been changed.
    """
    unbuilt: list[str] = []
    inside = [layer, *sublayers(layer)]
    calls = [(kept, len(kept)) for one in inside for kept in (one._inbound_nodes, one._outbound_nodes)]
    names = global_state.get_global_attribute("object_name_uids")
    global_state.set_global_attribute("object_name_uids", None)
    fresh = [one for one in inside if not one.built]
    builds = [(one, one.build) for one in fresh if not getattr(one.build, "_is_default", False)]
    for one, build in builds:
        object.__setattr__(one, "build", _refusing(build, one.name, unbuilt))
    object.__setattr__(layer, "add_loss", lambda loss: None)  # which knows nothing of symbolic tensors
    try:
        with keras.StatelessScope(initialize_variables=False) as scope:
            yield unbuilt, scope.state_mapping
    finally:
        object.__delattr__(layer, "add_loss")
        for one, build in builds:
            object.__setattr__(one, "build", build)
        for one in fresh:
            one.built = False
        for kept, count in calls:
            del kept[count:]
        global_state.set_global_attribute("object_name_uids", names)


def _refusing(build: Callable[..., Any], name: str, unbuilt: list[str]) -> Callable[..., Any]:
    @functools.wraps(build)  # Keras reads its signature
    def refuse(*args: Any, **kwargs: Any) -> None:
        unbuilt.append(name)
        raise ValueError(f"{name!r} is not built")

    return refuse


# -- what a layer says of itself --------------------------------------------------------------------------------------


class _OnceImported:
    """TensorFlow as Keras looks it up, which is not there until somebody has imported it."""

    def __init__(self, module: Any) -> None:
        self._module = module

    @property
    def available(self) -> bool:
        return "tensorflow" in sys.modules and bool(self._module.available)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


tensorflow_once_imported = _replacing(serialization_lib, "tf", _OnceImported)
"""A context in which Keras, asked for a configuration, does not import TensorFlow to see that nothing is of it.

That takes seconds, and prints, on JAX and PyTorch."""


def config_of(thing: Any) -> dict[str, Any]:
    """What `get_config` of a layer, an initializer, … gives."""
    with tensorflow_once_imported():
        return dict(thing.get_config())


_PUBLIC = ("layers", "ops", "models")


@functools.lru_cache(maxsize=4096)
def public_name(kind: type) -> str:
    """The public name of a Keras class (`keras.layers.Conv2D`, `keras.ops.Matmul`), the full name of any other.

    Those without one, the layers of `keras.applications` among them, are named by their modules, without `src`.
    """
    module = kind.__module__
    for room in _PUBLIC:
        if module.startswith(f"keras.src.{room}."):
            return f"keras.{room}.{kind.__name__}"
    return f"{module.replace('keras.src.', 'keras.')}.{kind.__qualname__}"
