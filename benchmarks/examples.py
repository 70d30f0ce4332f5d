"""How fast `check_net` tries a net, against the same check where models are built in the ordinary way.

That is with their weights, and with or without a `clear_session` for each. With `--memory` it tries 2,000 examples of
one block and prints the resident memory after each 250: it is to level off.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import keras
from hypothesis import strategies as st
from measure import Ratio, Section, run, short

from layerblocks.architectures import build
from layerblocks.blocks import basic_residual, bottleneck, conv_bn, inception, vgg_block
from layerblocks.testing import builds, check_net, shapes

wide = {"filters": st.sampled_from([64, 128, 256]), "c": st.sampled_from([64, 128])}
HALVED = "b h w c -> b ceil(h/2) ceil(w/2) filters"


def network(name: str, **options: Any) -> Callable[[Any], Any]:
    return lambda x: build(name, input_tensor=x, **options).output


CASES: dict[str, tuple[Callable[..., Any], str, dict[str, Any]]] = {
    "conv_bn, 1 to 9 filters": (partial(conv_bn, strides=2), HALVED, {"filters": st.integers(1, 9)}),
    "conv_bn": (partial(conv_bn, strides=2), HALVED, wide),
    "vgg_block": (vgg_block, "b h w c -> b h//2 w//2 filters", wide),
    "basic_residual": (partial(basic_residual, strides=2), HALVED, wide),
    "bottleneck": (partial(bottleneck, strides=2), HALVED, wide),
    "inception 3a": (
        inception,
        "b h w c -> b h w c1+pool_proj+160",
        {"c1": st.sampled_from([64, 128]), "c3": (96, 128), "c5": (16, 32), "pool_proj": 32, "c": 192},
    ),
    "ResNet-18 trunk": (network("resnet18", include_top=False), "b h w 3 -> b ceil(h/32) ceil(w/32) 512", {}),
    "VGG-16": (network("vgg16"), "b h 224 3 -> b 1000", {"h": st.integers(32, 224)}),
}
NETWORKS = ("ResNet-18 trunk", "VGG-16")


def tried(name: str, examples: int) -> float:
    """For one example, of all cores."""
    function, spec, params = CASES[name]
    start = time.process_time()
    check_net(function, spec, params=params, max_examples=examples)
    return (time.process_time() - start) / examples


DECLARED = {"one input": "b h w c -> b h w c", "of a dtype": "f32[b h w c] -> f32[b h w c]"}


def call_costs(calls: int = 2000) -> dict[str, float]:
    """Microseconds that `@shapes` adds to a call, by kind of spec; each the least of some runs."""

    def same(x: Any) -> Any:
        return x

    def taken(function: Callable[[Any], Any]) -> float:
        start = time.process_time()
        for _ in range(calls):
            function(x)
        return time.process_time() - start

    x = keras.ops.ones((2, 3, 4, 5))
    plain = min(taken(same) for _ in range(9))
    return {
        kind: 1e6 * (min(taken(declared) for _ in range(9)) - plain) / calls
        for kind, declared in ((kind, shapes(spec)(same)) for kind, spec in DECLARED.items())
    }


@contextmanager
def ordinarily(clear: bool) -> Iterator[None]:
    """Models that `check_net` builds inside have their weights, and the session may be cleared before each."""
    weightless, made = builds.weightless, builds.built

    def built(*args: Any, **options: Any) -> Any:
        if clear and keras.config.dtype_policy().name == "float32":  # it would reset another policy
            keras.backend.clear_session()
        return made(*args, **options)

    builds.weightless, builds.built = nullcontext, built  # type: ignore[assignment]
    try:
        yield
    finally:
        builds.weightless, builds.built = weightless, made
        keras.backend.clear_session()


def measured(quick: bool) -> Section:
    runs = 2 if quick else 3
    ratios, rows = [], [["", "examples a second", "100 examples"]]
    for name in list(CASES)[: 2 if quick else None]:
        few = 5 if name in NETWORKS else 20
        tried(name, 3)  # imports and fills caches
        times: dict[str, list[float]] = {"quick": [], "with weights": [], "cleared": []}
        for _ in range(runs):
            times["quick"].append(tried(name, few if name in NETWORKS or quick else 100))
            for way in ("with weights", "cleared"):
                with ordinarily(way == "cleared"):
                    times[way].append(tried(name, few))
        each = statistics.median(times["quick"])
        rows.append([name, f"{1 / each:.0f}", short(100 * each)])
        peer = "models with weights, each in a session of its own"
        ratios.append(Ratio(name, peer, times["quick"], times["cleared"], 10))
        ratios.append(Ratio(name, "models with weights, one session", times["quick"], times["with weights"]))
    costs = call_costs(200 if quick else 2000)
    added = " and ".join(f"{cost:.1f} µs ({kind})" for kind, cost in costs.items())
    text = (
        "`check_net`, for one example, in processor time: a net built for a size, for unknown sizes and for height "
        "and width exchanged. Without a session of its own each model with weights leaves half a megabyte behind. To a "
        f"call of a function `@shapes` adds {added}; 20 are the mark."
    )
    return Section("Property tests", text, ratios, rows)


def resident() -> float:
    """MB of this process, on Linux."""
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * 4096 / 1e6


def memory(examples: int = 2000, step: int = 250) -> None:
    tried("basic_residual", step)
    for done in range(0, examples + 1, step):
        gc.collect()
        print(f"after {done:>5} examples {resident():7.1f} MB", flush=True)
        tried("basic_residual", step)


if __name__ == "__main__":
    if "--memory" in sys.argv[1:]:
        memory()
    else:
        run(measured, __doc__)
