"""What `compile` and `fit` need of a network with several outputs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import partial, update_wrapper
from typing import Any

import keras
import numpy as np

from .. import _keras, checks
from ..checks import complaint, public, refuse
from ..graphs.calls import has_graph
from ..models.origins import aux_loss_weight
from ..models.outputs import output_weights
from ..models.predictions import gives_logits, is_softmax
from .labels import of_numbers
from .recipes import settings_of

_LOSS = "a Keras name, config, loss or function"
_OF_COMPILE = [word for word in inspect.signature(keras.Model.compile).parameters if word != "self"]
_WEIGHTS = "the weight, a number of at least 0, of each class by its number, or such a dict for each output"


@public
def loss_weights(model: keras.Model, aux_weight: float | None = None) -> dict[str, float] | None:
    """1 for every output, `aux_weight` for those called `aux…`; None for a model of a single output.

    Where it is not given, `aux_weight` is that of the network: 0.4 of Inception-v3, 0.3 of GoogLeNet and all others.

    Example:
        >>> from layerblocks.architectures import googlenet
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = googlenet()
        >>> loss_weights(model)
        {'main': 1.0, 'aux1': 0.3, 'aux2': 0.3}
    """
    output = _output(model)
    if aux_weight is not None:
        aux_weight = checks.number("aux_weight", aux_weight, at_least=0)
    if not isinstance(output, Mapping):
        return None
    return output_weights(output, aux_loss_weight(model) if aux_weight is None else aux_weight)


def _output(model: Any) -> Any:
    """The symbolic output of a model, in its structure."""
    model = checks.instance("model", model, keras.Model, "a Keras model")
    if isinstance(model, keras.Sequential) and has_graph(model):
        return model.outputs[0]
    try:
        return model.output
    except (AttributeError, ValueError):  # of a subclassed one, of a sequential one that was not built
        raise refuse("model", model, "one of the functional API, or called before") from None


def quickest_jit() -> bool | str:
    """`jit_compile` for this machine: off where TensorFlow runs on a CPU, Keras's own choice elsewhere.

    On the CPU XLA makes a training step of GoogLeNet and ResNet-50 slower; `benchmarks/training_step.py` measures it.
    Keras itself leaves it off where TensorFlow sees no other device. JAX has nothing but XLA to compile with.
    """
    slow = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
    return False if slow else "auto"


@public
def compile_args(
    model: keras.Model,
    optimizer: Any = None,
    *,
    loss: Any = "sparse_categorical_crossentropy",
    metrics: Sequence[Any] | Mapping[str, Sequence[Any]] = ("accuracy",),
    weighted_metrics: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
    aux_weight: float | None = None,
    recipe: Any = None,
    **options: Any,
) -> dict[str, Any]:
    """Everything `model.compile` needs: `model.compile(**compile_args(model))`.

    Losses, loss weights and metrics are keyed by output, so that none lands on another one. A loss that has
    `from_logits` gets it from the head that it is of: False where that ends in softmax or sigmoid, True where it ends
    in a dense layer or convolution without an activation; whatever the spelling of the loss, and whatever a loss object
    said of itself. Where a head ends otherwise the loss has to be such an object, which is left as it is. Metrics are
    treated alike; a metric object that measures the other is refused, and so is what compares probabilities alone,
    such as Keras's `Precision` or `"kl_divergence"`, for a head of logits.

    Args:
        model: of one output, or of a dict of outputs (`main`, `aux1`, …).
        optimizer: a Keras name or optimizer; None for Adam, or that of the recipe.
        loss: what `keras.losses.get` accepts, for every output; or a dict of these by output, None for an output that
            has no part in the training.
        metrics: Keras names, functions of nothing that make one metric an output, or functions of labels and
            predictions; or a dict of such lists by output.
        weighted_metrics: the same, of which each example counts by its sample weight.
        aux_weight: of the loss of each auxiliary head; None for that of the network, 0.3 as in the paper of GoogLeNet
            unless its authors have another.
        recipe: what `layerblocks.architectures.recipe(name)` gives, the training of a paper: its optimizer, unless
            there is another here, its label smoothing and its weight of auxiliary heads. A schedule by iterations is
            in the optimizer, one by epochs in `recipe.callbacks()`; its weight decay is a regulariser of the network.
        options: further arguments of `compile`, `jit_compile` among them.

    Raises:
        ValueError, TypeError: the model's outputs are a list, whose losses Keras would match by position; a loss, a
            metric or an optimizer is none; there is no such output; it is not known whether a head gives logits.

    Example:
        >>> from layerblocks.architectures import googlenet
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = googlenet()
        >>> compile_args(model)["loss_weights"]
        {'main': 1.0, 'aux1': 0.3, 'aux2': 0.3}
    """
    if recipe is not None:
        optimizer, loss, aux_weight = settings_of(recipe, optimizer, loss, aux_weight)
    optimizer = "adam" if optimizer is None else optimizer
    weights = loss_weights(model, aux_weight)
    output = _output(model)
    if weights is None and isinstance(output, list | tuple):
        raise complaint("model must be one of one output or a dict of them, got one of a list")
    outputs = output if weights is not None else {"": output}
    keys = list(weights or outputs)
    losses = {key: _loss(one, outputs[key]) for key, one in _by_output("loss", loss, keys, _is_config(loss)).items()}
    if all(one is None for one in losses.values()):
        raise refuse("loss", loss, _LOSS, TypeError)
    lists = {"metrics": metrics} | ({} if weighted_metrics is None else {"weighted_metrics": weighted_metrics})
    measured = {
        argument: {
            key: _metrics(argument, given, outputs[key], several=len(keys) > 1 and not isinstance(value, Mapping))
            for key, given in _by_output(argument, value, keys, False, ()).items()
        }
        for argument, value in lists.items()
    }
    for word, option in options.items():
        if word not in _OF_COMPILE:
            raise checks.unexpected(word, option, _OF_COMPILE, " (of compile)")
    common = {"optimizer": _optimizer(optimizer), "jit_compile": quickest_jit(), **options}
    if weights is None:
        return {"loss": losses[""], **{argument: made[""] for argument, made in measured.items()}, **common}
    given = common.pop("loss_weights", None)
    if given is not None:
        given = checks.mapping("loss_weights", given, "a dict of numbers by output")
        for key, value in given.items():
            checks.choice("loss_weights", key, keys)
            weights[key] = checks.number(f"loss_weights[{key!r}]", value, at_least=0)
    kept = {key: weight for key, weight in weights.items() if losses[key] is not None}
    return {"loss": {key: losses[key] for key in kept}, "loss_weights": kept, **measured, **common}


def _by_output(argument: str, value: Any, keys: Sequence[str], is_one: bool, missing: Any = None) -> dict[str, Any]:
    """What was given for every output, or for each by its key, by output; something `missing` for those left out."""
    if not isinstance(value, Mapping) or is_one:
        return dict.fromkeys(keys, value)
    if keys == [""]:
        raise refuse(argument, value, "no dict by output, as the model has a single one")
    for key in value:
        if key not in keys:
            raise refuse(argument, value, f"a dict by output: {', '.join(keys)}{checks.nearest(key, keys)}")
    left_out = [key for key in keys if key not in value]
    if left_out and missing is None:
        raise refuse(argument, value, f"a dict of every output; {', '.join(left_out)} may be None")
    return {key: value.get(key, missing) for key in keys}


def _is_config(value: Any) -> bool:
    return isinstance(value, Mapping) and "class_name" in value


# -- losses -----------------------------------------------------------------------------------------------------------


# Of Keras those that compare probabilities and have no `from_logits`.
_LOSSES_OF_PROBABILITIES = ("KLDivergence", "Dice", "Tversky", "CategoricalGeneralizedCrossEntropy")
_LOSSES_OF_RATES = ("Poisson",)  # which has a logarithm of what it is given
# Those that compare classes, of which a single unit is always certain: it is 0 whatever the network says.
_LOSSES_OF_CLASSES = (
    *("SparseCategoricalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy"),
    "CategoricalGeneralizedCrossEntropy",
)
_METRICS_OF_PROBABILITIES = (
    *("KLDivergence", "Precision", "Recall", "TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives"),
    *("SensitivityAtSpecificity", "SpecificityAtSensitivity", "PrecisionAtRecall", "RecallAtPrecision", "BinaryIoU"),
)
_SCORES_WITH_A_THRESHOLD = ("F1Score", "FBetaScore")  # of the largest output where they have none
_OVERLAPS = ("MeanIoU", "IoU")  # which compare numbers of classes unless told otherwise


def _kind(found: Any) -> str:
    """The class of a loss or metric of Keras, or the one that a function of Keras is the inside of."""
    if isinstance(found, keras.losses.Loss | keras.Metric):
        return type(found).__name__
    name = getattr(_function(found), "__name__", "")
    return "KLDivergence" if name == "kl_divergence" else "".join(word.capitalize() for word in name.split("_"))


def _loss(value: Any, output: Any) -> Any:
    """The loss, resolved where it depends on whether the head gives logits, else as it was given."""
    if value is None:  # of an output that is not trained
        return None
    found = _known_loss(value)
    is_object = isinstance(value, keras.losses.Loss)
    _refuse_one_unit(found, value, output)
    told = _from_logits(found)
    if told is None:
        of = "probabilities" if _kind(found) in _LOSSES_OF_PROBABILITIES else ""
        of = of or ("rates" if _kind(found) in _LOSSES_OF_RATES else "")
        if of and gives_logits(output):
            head = checks.one_line(_keras.call_of(output).operation.name)
            raise refuse("loss", value, f"one of logits, as {head} gives them, not of {of}")
        return value
    logits = gives_logits(output)
    if logits is None:
        if is_object:
            return value
        head = checks.one_line(_keras.call_of(output).operation.name)
        raise refuse("loss", value, f"a loss object with from_logits, as what {head} gives is not known")
    return _with_logits(found, logits, value)


def _refuse_one_unit(found: Any, value: Any, output: Any) -> None:
    """Refuse what has nothing to learn: classes of a single unit, whose softmax is 1 whatever it is given."""
    if output.shape[-1] != 1:
        return
    head = checks.one_line(_keras.call_of(output).operation.name)
    if _kind(found) in _LOSSES_OF_CLASSES:
        raise refuse("loss", value, f"one of a single unit, as {head} has it, such as 'binary_crossentropy'")
    if is_softmax(output):
        must_be = "one that ends in a sigmoid or in logits, as a softmax of one unit is always 1"
        raise refuse("model", f"a softmax at {head}", must_be)


def _known_loss(value: Any) -> Any:
    """What Keras makes of a loss, a refusal where that is none; a class with arguments is called."""
    try:
        given = value() if isinstance(value, partial) and isinstance(value.func, type) else value
        found = keras.losses.get(given)
    except (KeyError, TypeError, ValueError):  # no such name; a config that is none
        raise refuse("loss", value, _LOSS) from None
    if not callable(found):
        raise refuse("loss", value, _LOSS, TypeError)
    return found


def _from_logits(loss: Any) -> bool | None:
    """What a loss or metric says of its `from_logits`; None where it has none."""
    if isinstance(loss, keras.losses.Loss | keras.Metric):
        try:
            config = loss.get_config()
        except NotImplementedError:  # of somebody's own
            config = {}
        found = config.get("from_logits", getattr(loss, "from_logits", None))
    else:
        try:
            parameter = inspect.signature(loss).parameters.get("from_logits")
        except (TypeError, ValueError):  # of some functions in C none is known
            return None
        found = None if parameter is None else parameter.default
        found = False if found is inspect.Parameter.empty else found
    return None if found is None else bool(found)


def _with_logits(loss: Any, logits: bool, value: Any) -> Any:
    """The same loss, `from_logits` apart."""
    if isinstance(loss, keras.losses.Loss):
        try:
            return type(loss).from_config({**loss.get_config(), "from_logits": logits})
        except (NotImplementedError, TypeError, ValueError):
            if _from_logits(loss) == logits:
                return loss
            raise refuse("loss", value, f"made with from_logits={logits}, as the head gives it") from None
    kind = _class_of(loss)
    if kind is not None:
        return kind(from_logits=logits)
    return loss if _from_logits(loss) == logits else update_wrapper(partial(loss, from_logits=logits), _function(loss))


def _class_of(function: Any) -> Any:
    """The class of Keras's losses that a function of Keras is the inside of, which can be saved with its arguments."""
    name = "".join(word.capitalize() for word in getattr(function, "__name__", "").split("_"))
    kind = getattr(keras.losses, name, None)
    return kind if kind is not None and getattr(keras.losses, function.__name__, None) is function else None


def _function(loss: Any) -> Any:
    while isinstance(loss, partial):
        loss = loss.func
    return loss


def _optimizer(value: Any) -> Any:
    """The value, if `compile` accepts it. None is made here, which would allocate variables under `weightless`."""
    named = isinstance(value, str) and value.lower() in {name.lower() for name in dir(keras.optimizers)}
    if named or isinstance(value, keras.optimizers.Optimizer) or _is_config(value):
        return value
    raise refuse(
        "optimizer", value, "a Keras name, config or optimizer", ValueError if isinstance(value, str) else TypeError
    )


# -- metrics ----------------------------------------------------------------------------------------------------------


def _metrics(argument: str, metrics: Any, output: Any, several: bool) -> list[Any]:
    """The metrics of one output, made where they are functions that make one."""
    if not isinstance(metrics, list | tuple):
        raise refuse(argument, metrics, "a list, or a dict of lists by output", TypeError)
    return [_metric(f"{argument}[{number}]", metric, output, several) for number, metric in enumerate(metrics)]


def _metric(argument: str, metric: Any, output: Any, several: bool) -> Any:
    must_be = "a Keras name, a metric, a function of nothing that makes one, or one of labels and predictions"
    if isinstance(metric, keras.Metric) and several:
        raise refuse(argument, metric, "a name or a function, as every output has its own metric", TypeError)
    if isinstance(metric, keras.Metric):
        return _of_output(argument, metric, metric, output)
    if isinstance(metric, str):
        if metric in ("accuracy", "acc"):  # which Keras chooses by the shapes
            one = output.shape[-1] == 1 and gives_logits(output)
            return keras.metrics.BinaryAccuracy(name=metric, threshold=0.0) if one else metric
        try:
            found = keras.metrics.get(metric)
        except ValueError:
            raise refuse(argument, metric, must_be) from None
        except TypeError:  # of one that has to be given the number of classes
            raise refuse(argument, metric, "a metric or a function that makes one, as it has arguments") from None
        return _of_output(argument, metric, found, output)
    if not callable(metric) or _needs(metric) not in (0, 2):
        raise refuse(argument, metric, must_be, TypeError)
    return _of_output(argument, metric, metric if _needs(metric) else metric(), output)


def _of_output(argument: str, given: Any, metric: Any, output: Any) -> Any:
    """The metric as it measures what the head gives, logits or probabilities; a refusal where it cannot."""
    inner = _keras.averaged(metric)
    told, logits = _from_logits(inner), gives_logits(output)
    head = checks.one_line(_keras.call_of(output).operation.name)
    kind = _kind(inner)
    if told is not None and logits is None and not isinstance(given, keras.Metric):
        raise refuse(argument, given, f"a metric object with from_logits, as what {head} gives is not known")
    right: dict[str, Any] = {}
    if kind in _OVERLAPS and logits is not None and _said_of(inner, "sparse_y_pred", True):
        must_be = f"made with sparse_y_pred=False, as {head} gives a number for each class, and no number of a class"
        raise refuse(argument, given, "a BinaryIoU, of a single unit" if output.shape[-1] == 1 else must_be)
    if told is not None and logits is not None and told != logits:
        right = {"from_logits": logits}
    elif logits and kind == "BinaryAccuracy" and _said_of(inner, "threshold", 0.5) == 0.5:
        right = {"threshold": 0.0}  # of a logit the probability is a half at 0
    elif logits and (
        (kind in _METRICS_OF_PROBABILITIES and _said_of(inner, "top_k") is None)
        or (kind in _SCORES_WITH_A_THRESHOLD and _said_of(inner, "threshold") is not None)
    ):
        raise refuse(argument, given, f"a metric of logits, as {head} gives them, not of probabilities")
    if not right:
        return given if isinstance(given, str) else metric
    ((word, value),) = right.items()
    if isinstance(given, keras.Metric) or inner is not metric:
        raise refuse(argument, given, f"made with {word}={value}, as {head} gives it")
    name = given if isinstance(given, str) else getattr(metric, "name", None)
    if isinstance(metric, keras.Metric):
        return type(metric).from_config({**metric.get_config(), **right, "name": name})
    made, called = getattr(keras.metrics, kind, None), getattr(metric, "__name__", "")
    if made is not None and getattr(keras.metrics, called, None) is metric:
        return made(**right, name=name or called)
    return update_wrapper(partial(metric, **right), _function(metric))


def _said_of(metric: Any, word: str, otherwise: Any = None) -> Any:
    """An argument of a metric, or of a function with arguments of its own."""
    if isinstance(metric, partial):
        return metric.keywords.get(word, _said_of(metric.func, word, otherwise))
    return getattr(metric, word, otherwise)


def _needs(function: Any) -> int:
    """How many arguments a function has to be given."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 0
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.default is p.empty and p.kind in positional for p in parameters)


# -- labels -----------------------------------------------------------------------------------------------------------


@public
def label_every_output(
    data: Any,
    model: keras.Model,
    *,
    class_weight: Mapping[Any, Any] | None = None,
    ignore_class: int | None = None,
) -> Any:
    """Give every output of `model` the label that `data` has once.

    Args:
        data: a `tf.data.Dataset` of `(x, y)` or `(x, y, sample_weight)`, or such a tuple of arrays. What is a dict by
            output already stays so.
        model: of one output (then nothing changes) or of a dict of them.
        class_weight: how much the examples of each class count, `{0: 1.0, 1: 5.0}`, 1 for classes left out; or a dict
            of such dicts by output, which it must be where these have not all the same classes. `fit` itself has them
            for a single output only; here they become sample weights, also one a pixel where labels are maps.
        ignore_class: a label that is no class, 255 of a map for instance, which then counts nothing; that of the loss.

    Returns:
        The same kind of data with `y` (and `sample_weight`) as a dict keyed by output.

    Raises:
        TypeError, ValueError: `data` is neither, or has labels that are no class where these have weights;
            `class_weight` is no such dict.

    Example:
        >>> import numpy as np
        >>> from layerblocks.architectures import googlenet
        >>> from layerblocks.blocks import weightless
        >>> with weightless():
        ...     model = googlenet()
        >>> x, y = label_every_output((np.zeros((2, 224, 224, 3)), np.array([3, 5])), model)
        >>> sorted(y)
        ['aux1', 'aux2', 'main']
    """
    output = _output(model)
    if not hasattr(data, "map") and not (isinstance(data, tuple) and len(data) in (2, 3)):
        must_be = "a tf.data.Dataset or a tuple (x, y) or (x, y, sample_weight)"
        raise refuse("data", data, must_be, TypeError)
    outputs = output if isinstance(output, Mapping) else {"": output}
    if class_weight is None and outputs is not output:
        return data
    table = {} if class_weight is None else _class_weights(class_weight, outputs)
    ignored = None if ignore_class is None else checks.integer("ignore_class", ignore_class, None)

    def spread(x: Any, y: Any, *given: Any) -> tuple[Any, ...]:
        labels, *weights = (_spread(part, outputs) for part in (y, *given))
        if table:
            of_examples = {key: weights[0][key] if weights else _ones(one) for key, one in labels.items()}
            for key in of_examples.keys() & table.keys():
                of_class = _sample_weight(key, labels[key], outputs[key], table[key], ignored)
                of_examples[key] = of_class * of_examples[key] if weights else of_class
            weights = [of_examples]
        parts = (labels, *weights)
        return (x, *(parts if outputs is output else (part[""] for part in parts)))

    return spread(*data) if isinstance(data, tuple) else data.map(spread)


def _spread(part: Any, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """One for each output, unless it is."""
    if isinstance(part, Mapping):
        for key in part:
            checks.choice("data", key, list(outputs), f"of labels by output: {', '.join(outputs)}")
        return dict(part)
    return dict.fromkeys(outputs, part)


def _class_weights(given: Any, outputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """For each output that has weights those of its classes, in their order."""
    given = checks.mapping("class_weight", given, _WEIGHTS)
    by_output = any(isinstance(value, Mapping) for value in given.values())
    numbers = {key: output.shape[-1] if output.shape[-1] not in (None, 1) else 2 for key, output in outputs.items()}
    if by_output:
        for key in given:
            checks.choice("class_weight", key, list(outputs), f"a dict by output: {', '.join(outputs)}")
    elif len({output.shape[-1] for output in outputs.values()}) > 1:
        units = ", ".join(f"{key} {output.shape[-1]}" for key, output in outputs.items())
        raise refuse("class_weight", given, f"a dict by output, as these have not the same number of units: {units}")
    tables = {}
    for key in given if by_output else outputs:
        table = np.ones(numbers[key], "float32")
        for number, weight in checks.mapping("class_weight", given[key] if by_output else given, _WEIGHTS).items():
            place = checks.integer("class_weight", number, 0, _WEIGHTS)
            if place >= len(table):
                raise refuse("class_weight", number, f"of classes below {len(table)}, as the output {key!r} has them")
            table[place] = checks.number(f"class_weight[{number}]", weight, at_least=0)
        tables[key] = table
    return tables


def _ones(labels: Any) -> Any:
    """A weight of 1 for each example."""
    if hasattr(labels, "graph"):  # in a dataset of TensorFlow
        return _tensorflow().ones(_tensorflow().shape(labels)[:1])
    return np.ones(np.shape(labels)[:1], "float32")


def _sample_weight(key: str, labels: Any, output: Any, table: np.ndarray, ignored: int | None) -> Any:
    """The weight of the class of each label: numbers, numbers with an axis of their own, or one-hot."""
    symbolic = hasattr(labels, "graph")
    labels = labels if symbolic else of_numbers("data", np.asarray(labels))
    rank, wanted = len(labels.shape), len(output.shape)
    if rank == wanted and labels.shape[-1] == 1:
        labels = labels[..., 0]
    elif rank == wanted and labels.shape[-1] == len(table):
        labels = _tensorflow().argmax(labels, -1) if symbolic else labels.argmax(-1)
    elif rank != wanted - 1:
        raise refuse("data", tuple(labels.shape), f"labels of rank {wanted - 1}, or {wanted} with classes")
    must_be = f"labels from 0 to {len(table) - 1}{f' of {key!r}' if key else ''}, whose classes have weights"
    if symbolic:
        tf = _tensorflow()
        labels = tf.cast(labels, tf.float32)
        void = tf.zeros_like(labels, tf.bool) if ignored is None else labels == ignored
        places = tf.where(void, tf.zeros_like(labels), labels)
        wrong = (places != tf.round(places)) | (places < 0) | (places >= len(table))
        with tf.control_dependencies(
            [tf.debugging.Assert(~tf.reduce_any(wrong), [f"data must be {must_be}, got", labels])]
        ):
            return tf.where(void, 0.0, tf.gather(tf.constant(table), tf.cast(places, tf.int32)))
    void = np.zeros(labels.shape, bool) if ignored is None else labels == ignored
    wrong = ~void & ~((labels == np.round(labels)) & (labels >= 0) & (labels < len(table)))
    if wrong.any():
        raise refuse("data", labels[wrong][0].item(), must_be)
    return np.where(void, np.float32(0), table[np.where(void, 0, labels).astype("int64")])


def _tensorflow() -> Any:
    import tensorflow as tf

    return tf
