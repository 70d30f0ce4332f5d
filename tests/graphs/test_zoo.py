"""Networks as strangers write them: every count is the one that Keras or JAX has, or is said to be unknown."""

from __future__ import annotations

from math import prod

import keras
import pytest

from layerblocks.graphs import read_graph
from layerblocks.viz import alt_text, caption, compare, diff, table, totals

from ..zoo import RUNS, ZOO, build

# What resamples an image by products of matrices, which nobody counts as such.
ASIDE = ("resize", "scale_and_translate")


def products(jaxpr):
    """The multiply-adds of the convolutions and products of matrices in a program of JAX."""
    total, needed = 0, set(map(id, jaxpr.outvars))
    for step in reversed(jaxpr.eqns):
        if needed.isdisjoint(map(id, step.outvars)):
            continue  # Keras asks for one step more to learn its shapes
        needed |= set(map(id, step.invars))
        given = step.params
        if step.primitive.name == "dot_general":
            total += of_matrices(*(v.aval.shape for v in step.invars), given["dimension_numbers"])
        elif step.primitive.name == "conv_general_dilated":
            total += of_convolution(step)
        elif not any(word in str(given.get("name", "")) for word in ASIDE):
            times = given["length"] if step.primitive.name == "scan" else 1
            total += times * sum(map(products, inside(given)))
    return total


def inside(given):
    """The programs within a step."""
    for value in given.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            program = getattr(one, "jaxpr", one)
            if hasattr(program, "eqns"):
                yield program


def of_matrices(left, right, numbers):
    (contracted, also), (batch, _) = numbers
    free = [axis for axis in range(len(right)) if axis not in (*also, *numbers[1][1])]
    if not contracted and not free and len(left) == len(batch):
        return 0  # element by element
    return prod(left) * prod(right[axis] for axis in free)


def of_convolution(step):
    image, kernel = (v.aval.shape for v in step.invars)
    numbers, made = step.params["dimension_numbers"], step.outvars[0].aval.shape
    if any(n > 1 for n in step.params["lhs_dilation"]):  # transposed: each number of the input meets the kernel
        places = prod(image[axis] for axis in (numbers.lhs_spec[0], *numbers.lhs_spec[2:]))
    else:
        places = prod(made[axis] for axis in (numbers.out_spec[0], *numbers.out_spec[2:]))
    return places * prod(kernel)


def counted_by_jax(model):
    """The multiply-adds of one example; None where a size is open or the model is not a program of JAX."""
    jax = pytest.importorskip("jax")
    try:
        inputs = keras.tree.map_structure(lambda t: (tuple(t.shape), t.dtype), model.input)
    except (AttributeError, ValueError):  # it has no graph
        shape = (model.get_build_config() or {}).get("input_shape")
        inputs = (tuple(shape), "float32") if shape and not isinstance(shape, dict) else None
    if inputs is None or keras.backend.backend() != "jax":
        return None

    def struct(shape, dtype):
        return jax.ShapeDtypeStruct((1, *shape[1:]), dtype)

    def each(thing):
        if isinstance(thing, dict):
            return {key: each(one) for key, one in thing.items()}
        if isinstance(thing, list) or not isinstance(thing[1], str):
            return type(thing)(map(each, thing))
        return struct(*thing)

    weights = [
        [jax.ShapeDtypeStruct(tuple(v.shape), v.dtype) for v in some]
        for some in (model.trainable_variables, model.non_trainable_variables)
    ]
    try:
        run = jax.make_jaxpr(lambda a, b, x: model.stateless_call(a, b, x, training=False)[0])
        return products(run(*weights, each(inputs)).jaxpr)
    except (TypeError, ValueError):  # a size that is open
        return None


@pytest.mark.parametrize("name", ZOO)
def test_counts_are_right_or_unknown_and_nothing_is_refused(name):
    model = build(name)
    total = totals(model)
    assert total.parameters == model.count_params()
    assert total.trainable == sum(prod(v.shape) for v in model.trainable_variables)
    independent = None if name in RUNS else counted_by_jax(model)
    if independent is not None:
        if total.multiply_adds is not None:
            assert total.multiply_adds == independent
        else:
            assert total.counted.uncounted and total.counted.known <= independent
    text = "\n".join(line for line in table(model).splitlines() if "of no layer" not in line)  # weights have no shape
    assert ("≥" in text or "?" in text) == (total.multiply_adds is None) or "?×" in text
    graph = read_graph(model, expand_nested=True)
    assert not diff(graph, graph)
    assert not diff(model, model) or all(change.status == "unclear" for change in diff(model, model).changes)
    assert all(len(words) > 40 for words in (alt_text(model), caption(model)))
    assert compare({"a": model, "b": model}).count("structure") == 0
