"""Measure everything and write docs/benchmarks.md: `python benchmarks/report.py [--only SECTION ...]`.

Each section runs in a process of its own, in which what is compared takes turns. With names of sections those alone are
measured; the others stay as they were, those of other processors too. It wants a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from measure import Ratio, Section, markdown, table

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
PICTURE = PAGE.with_suffix(".svg")
TIMES = PAGE.with_suffix(".json")
SECTIONS = (
    *("inference", "newer_networks", "training_step", "kernels", "scaling", "bfloat16_training"),
    "training_families",
    *("building", "drawing", "startup", "examples", "growth"),
)
PACKAGES = (
    *("layerblocks", "keras", "tensorflow", "openvino", "jax", "torch", "torchvision"),
    *("visualkeras", "numpy", "hypothesis"),
)
KINDS = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "avx512f": "AVX-512", "avx2": "AVX2"}
"""By the word of Linux what a processor computes with, the widest first."""
INTRODUCTION = """\
# Benchmarks

Written by `python benchmarks/report.py` from the times in [benchmarks.json](benchmarks.json); do not edit. A ratio is
how many times as long the other side takes: above 1 ours is faster. Both sides take turns on the same machine; the
ratio is the median over pairs of runs that were beside each other, and the middle half of those pairs lies in the
interval. *Mark* is what the project set itself beforehand and whether it was reached. Processors differ in which side
they favour, so each kind has its part, with what was installed there.
"""


def section(name: str, quick: bool) -> Section:
    print(f"{name} …", file=sys.stderr, flush=True)
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *["--quick"] * quick]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Section.loads(done.stdout.splitlines()[-1])


def cpuinfo(word: str) -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text("utf-8", "replace") if info.exists() else ""
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == word), "")


def processor() -> str:
    """Its name, and what it computes with."""
    name = cpuinfo("model name") or platform.processor() or platform.machine()
    flags = cpuinfo("flags").split()
    kind = next((kind for word, kind in KINDS.items() if word in flags), None)
    return f"{name} with {kind}" if kind else name


def machine() -> str:
    """In Markdown what it is and what is installed on it."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append([package, importlib.metadata.version(package)])
        except importlib.metadata.PackageNotFoundError:
            versions.append([package, "not installed"])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    what = f"{cores} cores, no accelerator used; {platform.system()}, Python {platform.python_version()}."
    return "\n\n".join((what, table([["package", "version"], *versions])))


def picture(sections: Sequence[Section]) -> bytes:
    """Every ratio as a dot with the middle half of its runs, on a logarithmic scale."""
    found: list[tuple[str, Ratio]] = [(part.title, ratio) for part in sections for ratio in part.ratios]
    with matplotlib.rc_context({"svg.hashsalt": "layerblocks", "font.size": 8}):
        figure = Figure(figsize=(7, 0.9 + 0.19 * len(found)), layout="constrained")
        axes = figure.subplots()
        for row, (title, ratio) in enumerate(found):
            low, high = ratio.spread
            color = f"C{[part.title for part in sections].index(title)}"
            axes.plot([low, high], [row, row], color=color, linewidth=2.5, solid_capstyle="round", alpha=0.45)
            axes.plot([ratio.median], [row], "o", color=color, markersize=4)
            if ratio.wanted:
                axes.plot([ratio.wanted], [row], "|", color="black", markersize=8)
        axes.set_yticks(range(len(found)), [f"{ratio.what} : {ratio.peer}" for _, ratio in found])
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_xscale("log")
        axes.axvline(1, color="0.5", linewidth=0.8)
        figure.supxlabel("their time / ours; bar: the mark that was set", fontsize=8)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        data = io.BytesIO()
        figure.savefig(data, format="svg", metadata={"Date": None})
    return data.getvalue()


def known() -> dict[str, dict[str, Any]]:
    """By processor what was measured on it: the machine in Markdown, and the sections."""
    return json.loads(TIMES.read_text("utf-8")) if TIMES.exists() else {}


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    parts = [INTRODUCTION.strip()]
    for name, kept in found.items():
        parts += [f"## {name}", kept["machine"]]
        if name == next(iter(found)):
            parts.append("![Ratios, with the middle half of the runs](benchmarks.svg)")
        parts += (markdown(Section.loads(kept["sections"][word])) for word in SECTIONS if word in kept["sections"])
        lacking = [word for word in SECTIONS if word not in kept["sections"]]
        if lacking:
            parts.append(f"Not measured on this processor: {', '.join(f'`{word}`' for word in lacking)}.")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument(
        "--quick", action="store_true", help="few and small runs, to see whether it works: only printed"
    )
    chosen = parser.parse_args()
    name, where = processor(), machine()
    found = {} if chosen.quick else known()
    here = {"machine": where, "sections": dict(found.pop(name, {}).get("sections", {}))}
    found = {name: here, **found}
    for word in chosen.only or SECTIONS:
        here["sections"][word] = section(word, chosen.quick).dumps()
        if not chosen.quick:
            write(found)
    print(page(found) if chosen.quick else PAGE)


def write(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the page after each section, so that what was measured is not lost with the rest."""
    here = next(iter(found.values()))["sections"]
    sections = [Section.loads(here[word]) for word in SECTIONS if word in here]
    for path, data in (
        (TIMES, json.dumps(found, indent=1).encode()),
        (PICTURE, picture(sections)),
        (PAGE, page(found).encode()),
    ):
        path.write_bytes(data)


if __name__ == "__main__":
    main()
