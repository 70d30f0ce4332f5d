"""Random networks: well formed, told in advance by the oracles, and shrinking to something one can read."""

from __future__ import annotations

import gc
import traceback
from functools import partial
from pathlib import Path

import keras
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from layerblocks import blocks
from layerblocks.blocks import add, block, conv, max_pool, weightless
from layerblocks.testing.code import Written
from layerblocks.testing.machine import network_machine
from layerblocks.testing.network_building import PROBES, Call, Draft
from layerblocks.testing.oracles import Expected
from layerblocks.testing.random_blocks import chain, oriented, piece, straight
from layerblocks.testing.random_networks import Network, _branches, _summed, networks

from ..helpers import NIGHTLY, data_format

MANY = 2500 if NIGHTLY else 8 * settings().max_examples
SCOPE = {"Network": Network, "Call": Call, "partial": partial, **vars(blocks)}


def shapes_of(output):
    """Without the batch, height width channels."""
    if isinstance(output, dict):
        return {role: straight(tensor.shape[1:]) for role, tensor in output.items()}
    return straight(output.shape[1:])


def computed(model, shape):
    given = model.compute_output_shape((2, *oriented(shape)))
    if isinstance(given, dict):
        return {role: straight(one[1:]) for role, one in given.items()}
    return straight(given[1:])


def resident():
    """Megabytes of memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def check(net):
    """What holds of every network, built for its size and for unknown ones."""
    expected, model = net.expected(), net.model()
    assert shapes_of(model.output) == expected.shape
    assert model.count_params() == expected.parameters
    names = [layer.name for layer in model.layers]
    assert len({*names}) == len(names)
    unknown = (None, None, net.shape[2])
    try:
        expected_unknown = net.expected(unknown)
    except ValueError:
        with pytest.raises(ValueError):
            net.model(unknown)
        return
    model = net.model(unknown)
    assert shapes_of(model.output) == expected_unknown.shape
    assert model.count_params() == expected.parameters
    for sides in (net.shape[:2], PROBES[0][:2]):
        shape = (*sides, net.shape[2])
        assert computed(model, shape) == net.expected(shape).shape


@pytest.mark.sweep
def test_thousands_of_networks_are_what_the_oracles_say():
    """Two thousand different ones under the profile "thorough"; memory levels off."""
    seen, used, memory = set(), set(), []

    @given(networks())
    @settings(max_examples=MANY, database=None)
    def test(net):
        seen.add(repr(net))
        used.update(call.name for call in net.calls)
        if len(seen) in (MANY // 4, MANY // 2) and len(memory) < 2:
            memory.append(resident())
        check(net)

    test()
    assert len(seen) >= (2000 if MANY == 2500 else 0.7 * MANY)
    assert (
        used >= {*chain(), "add", "concat", "match_size", "decoder_block", "fuse_scores", "classifier"} or MANY < 1000
    )
    memory.append(resident())
    if MANY >= 1000 and len(memory) == 3:
        assert memory[2] - memory[1] < 64, memory


def test_the_same_seed_gives_the_same_networks():
    def drawn():
        found = []

        @given(networks())
        @settings(max_examples=40, derandomize=True, database=None)
        def test(net):
            found.append(repr(net))

        test()
        return found

    first, second = drawn(), drawn()
    assert first == second


@given(networks())
@settings(max_examples=30)
def test_networks_are_their_code(net):
    again = eval(repr(net), SCOPE)
    assert again == net and hash(again) == hash(net)
    assert again.expected() == net.expected()
    namespace = {}
    with weightless():
        exec(net.code, namespace)
    assert shapes_of(namespace["model"].output) == net.output_shape
    assert namespace["model"].count_params() == net.parameters


@given(networks())
@settings(max_examples=20)
def test_networks_channels_first(net):
    with data_format("channels_first"):
        model = net.model()
        assert shapes_of(model.output) == net.output_shape
        assert model.count_params() == net.parameters


@given(net=networks())
@settings(max_examples=20)
def test_networks_fit_into_other_networks(net):
    """Inside a block, twice in one graph: names never collide."""
    backbone = block(named(net))
    with weightless():
        x = keras.Input(net.shape)
        model = keras.Model(x, [backbone(x), backbone(x)])
    assert model.count_params() == 2 * net.parameters


def named(net):
    def backbone(x):
        return net(x)

    return backbone


# What they shrink to.


def smallest(condition, **options):
    return find(networks(**options), condition, settings=settings(max_examples=2000, deadline=None, database=None))


@pytest.mark.parametrize(
    "condition, calls",
    [
        (lambda net: any(call.name == "conv" for call in net.calls) and net.parameters >= 10, 1),
        (lambda net: any(call.name == "inception" for call in net.calls), 1),
        (lambda net: len(net.outputs) > 1, 2),
        (lambda net: any(call.name == "decoder_block" for call in net.calls), 2),
        (lambda net: not isinstance(net.output_shape, dict) and len(net.output_shape) == 1, 1),
    ],
)
def test_shrinking(condition, calls):
    net = smallest(condition)
    assert len(net.calls) <= calls, net
    assert max(net.shape[:2]) <= 9


def test_a_branch_is_added_to_what_it_leaves():
    """Of other sides and channels, it is brought to both."""
    draft = Draft((6, 5, 3), 9)
    y = draft.call(piece("conv"), [0], {"filters": 4, "strides": 2})
    made = _summed(draft, 0, y)
    assert draft.shape(made) == (6, 5, 3) and draft.calls[-1].name == "add"
    assert [call.name for call in draft.calls] == ["conv", "conv", "match_size", "add"]


@given(st.data())
@settings(max_examples=5)
def test_branches_end_in_one_tensor_with_the_channels_of_all(data):
    draft = Draft((6, 5, 3), 20)
    made = _branches(data.draw, draft, 0, 1, [piece("conv"), piece("max_pool")])
    ends = draft.calls[-1].inputs
    assert made == len(draft.calls) and draft.calls[-1].name == "concat" and len(ends) in (2, 3)
    assert draft.shape(made) == (*draft.shape(ends[0])[:-1], sum(draft.shape(end)[-1] for end in ends))


def test_names_are_given_once():
    draft = Draft((6, 5, 3), 9)
    for name in ("a", "a", None):
        draft.call(piece("max_pool"), [0], {}, name)
    assert [call.arguments.get("name", "none") for call in draft.calls] == ["a", "none", "none"]


def test_a_planted_bug_is_found_and_shrunk():
    """A pool that has a row too many from 6 pixels on."""

    def pool(x, *, name=None):
        return max_pool(x, padding="valid" if x.shape[1] < 6 else "same", name=name)

    def oracle(shape):
        return Expected((shape[0] // 2, shape[1] // 2, shape[2])) if min(shape[:2]) > 1 else refuse()

    def refuse():
        raise ValueError("too small")

    net = smallest(
        lambda net: shapes_of(net.model().output) != net.output_shape, blocks={pool: oracle}, heads=False, depth=0
    )
    assert len(net.calls) == 1
    assert net.shape in ((7, 2, 1), (6, 3, 1))


# Blocks of others.


def halve(x, filters: int, *, name=None):
    return conv(x, filters, strides=2, name=name)


@given(networks({halve: "b h w c -> b ceil(h/2) ceil(w/2) filters", max_pool: None}, heads=False, depth=1))
@settings(max_examples=20)
def test_blocks_with_a_specification(net):
    assert shapes_of(net.model().output) == net.output_shape
    uses = any(call.block is halve for call in net.calls)
    assert (net.parameters is None) == uses


@given(networks([halve], heads=False))
@settings(max_examples=10)
def test_blocks_without_an_oracle(net):
    model = net.model()
    assert shapes_of(model.output) == net.output_shape
    assert model.count_params() == net.parameters


@pytest.mark.parametrize("value", [[], {}, [3], 3, "conv"])
def test_blocks_are_functions(value):
    with pytest.raises(TypeError):
        networks(value)


def test_partials_that_are_written_alike_are_equal():
    one, again, other = Written(conv, filters=3), Written(conv, filters=3), Written(conv, filters=4)
    assert one == again and hash(one) == hash(again) and one != other
    assert one != conv and repr(one) == "partial(conv, filters=3)"


def test_a_network_by_hand():
    net = Network((9, 7, 3), [Call(conv, [0], filters=3), Call(add, [0, 1]), Call(max_pool, [2])])
    check(net)
    assert net.output_shape == (5, 4, 3) and net.parameters == 84
    assert net.expected((None, 7, 3)).shape == (None, 4, 3)


# The machine.


def run(machine, examples, **options):
    chosen = settings(max_examples=examples, stateful_step_count=12, database=None, **options)
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.sweep
def test_the_machine_composes_all_of_ours():
    run(network_machine(), settings().max_examples)


def stem(x, filters: int, *, name=None):
    """`"valid"` where `"same"` was promised."""
    return conv(x, filters, strides=2, padding="valid", name=name)


def test_the_machine_finds_a_block_that_is_not_what_it_is_said_to_be():
    with pytest.raises(Exception) as caught:
        run(network_machine({stem: "b h w c -> b ceil(h/2) ceil(w/2) filters"}), 50)
    assert "stem" in told(caught.value)


def head(x, *, name=None):
    """The first row, or of an unknown number all of them."""
    return blocks.crop(x, ((0, (x.shape[1] or 1) - 1), (0, 0)), name=name)


def test_the_machine_finds_what_forgets_the_unknown_size():
    with pytest.raises(AssertionError) as caught:
        run(network_machine({head: lambda shape: Expected((1, *shape[1:]))}), 50)
    assert "head" in told(caught.value)


def told(error):
    return "".join(traceback.format_exception(error))


def test_the_machine_finds_what_is_not_refused():
    def valid(x, *, name=None):
        return conv(x, 1, name=name)

    def refusing(shape):
        raise ValueError

    with pytest.raises(AssertionError, match="has to raise ValueError"):
        run(network_machine({valid: refusing}), 20)


TestMachine = network_machine([conv, max_pool, blocks.squeeze_excite], "Small").TestCase
TestMachine.settings = settings(max_examples=5, stateful_step_count=6)


def test_machine_names_are_given():
    assert network_machine(name="Mine").__name__ == "Mine"
