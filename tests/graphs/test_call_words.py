"""What is said of a call beside what its layer is: that it is causal, by which constant, which slice."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from layerblocks.graphs import read_graph
from layerblocks.viz import diagram
from layerblocks.viz.scene import Text

MASKED = {
    "said": (lambda x: {"use_causal_mask": True}, "causal attention, 2 heads × 4"),
    "a constant": (lambda x: {"attention_mask": np.tril(np.ones((6, 6), bool))}, "causal attention, 2 heads × 4"),
    "of one example": (lambda x: {"attention_mask": ops.tril(ops.ones((1, 6, 6)))}, "causal attention, 2 heads × 4"),
    "not causal": (lambda x: {"attention_mask": np.ones((6, 6), bool)}, "attention, 2 heads × 4"),
    "before it alone": (lambda x: {"attention_mask": np.tril(np.ones((6, 6)), -1)}, "attention, 2 heads × 4"),
    "of the model": (lambda x: {"attention_mask": x @ ops.transpose(x, (0, 2, 1)) > 0}, "attention, 2 heads × 4"),
    "no": (lambda x: {"use_causal_mask": False}, "attention, 2 heads × 4"),
}


@pytest.mark.parametrize("case", MASKED)
def test_an_attention_is_causal_where_that_is_known(case):
    masked, words = MASKED[case]
    x = keras.Input((6, 8))
    node = read_graph(keras.Model(x, layers.MultiHeadAttention(2, 4)(x, x, **masked(x)))).nodes[-1]
    assert node.words == words


@pytest.mark.parametrize(
    "attend",
    [
        lambda x: layers.Attention()([x, x], use_causal_mask=True),
        lambda x: layers.AdditiveAttention()([x, x], use_causal_mask=True),
        lambda x: layers.GroupQueryAttention(4, 2, 2)(x, x, use_causal_mask=True),
        lambda x: ops.dot_product_attention(*[x[:, :, None]] * 3, is_causal=True),
    ],
)
def test_every_attention_says_that_it_is_causal(attend):
    x = keras.Input((6, 8))
    found = [node.words for node in read_graph(keras.Model(x, attend(x))).nodes if "ttention" in node.kind]
    assert len(found) == 1 and found[0].startswith("causal ")


def last(x, y):
    return read_graph(keras.Model(x, y)).nodes[-1].words


CONSTANT = {
    "add a constant": lambda x: x + np.ones((6, 8), "float32"),
    "add 2": lambda x: 2 + x,
    "subtract 1": lambda x: x - 1,
    "subtract from 1": lambda x: 1 - x,
    "multiply by 0.5": lambda x: x * 0.5,
    "divide by 8": lambda x: x / 8.0,
    "divide 8 by it": lambda x: 8.0 / x,
    "max with 0": lambda x: ops.maximum(x, 0),
    "add": lambda x: x + x,
    "add a weight": lambda x: x + keras.Variable(np.ones((6, 8))),
}


@pytest.mark.parametrize("words", CONSTANT)
def test_an_operation_says_its_constant(words):
    x = keras.Input((6, 8))
    assert last(x, CONSTANT[words](x)) == words


def test_a_sum_with_a_constant_has_the_sign_of_sums():
    x = keras.Input((6, 8))
    texts = [
        t.text for t in diagram(keras.Model(x, layers.Dense(4)(x + np.ones((6, 8))))).scene.items if type(t) is Text
    ]
    assert "a constant" in texts and "sum" in texts


SLICES = {
    "last step": lambda x: x[:, -1],
    "first step": lambda x: x[:, 0, :],
    "slice [:, 3]": lambda x: x[:, 3],
    "slice [:, 3:8]": lambda x: x[:, 3:8],
    "slice [..., ::2]": lambda x: x[..., ::2],
    "slice [:, None]": lambda x: x[:, None],
}


@pytest.mark.parametrize("words", SLICES)
def test_a_slice_says_which(words):
    x = keras.Input((9, 8))
    assert last(x, SLICES[words](x)) == words


def test_of_a_map_no_step_is_taken():
    x = keras.Input((9, 8, 3))
    assert last(x, x[:, -1]) == "slice [:, -1]"
