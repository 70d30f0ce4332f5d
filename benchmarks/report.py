"""Measure everything and write docs/benchmarks.md: `python benchmarks/report.py [SECTION ...]`.

Each section runs in a process of its own, in which what is compared takes turns. With names of sections those alone are
measured; the others stay as they were, if that was on the same machine with the same packages. It takes some fifteen
minutes and wants a machine that does nothing else.
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
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from measure import Ratio, Section, markdown, table

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
PICTURE = PAGE.with_suffix(".svg")
TIMES = PAGE.with_suffix(".json")
SECTIONS = ("building", "drawing", "startup", "training_step", "inference", "examples", "growth")
PACKAGES = ("layerblocks", "keras", "tensorflow", "jax", "torch", "torchvision", "visualkeras", "numpy", "hypothesis")
INTRODUCTION = """\
# Benchmarks

Written by `python benchmarks/report.py` from the times in [benchmarks.json](benchmarks.json); do not edit. A ratio is
how many times as long the other side takes: above 1 ours is faster. Both sides take turns on the same machine; the
ratio is the median over pairs of runs that were beside each other, and the middle half of those pairs lies in the
interval. *Mark* is what the project set itself beforehand and whether it was reached.

![Ratios, with the middle half of the runs](benchmarks.svg)
"""


def section(name: str, quick: bool) -> Section:
    print(f"{name} …", file=sys.stderr, flush=True)
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *["--quick"] * quick]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Section.loads(done.stdout.splitlines()[-1])


def processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    lines = (line.partition(":") for line in info.read_text("utf-8", "replace").splitlines())
    return next((value.strip() for word, _, value in lines if word.strip() == "model name"), platform.machine())


def machine() -> str:
    versions = []
    for package in PACKAGES:
        try:
            versions.append([package, importlib.metadata.version(package)])
        except importlib.metadata.PackageNotFoundError:
            versions.append([package, "not installed"])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    what = (
        f"{processor()}, {cores} cores, no accelerator used; {platform.system()}, Python {platform.python_version()}."
    )
    return "\n\n".join(("## Machine", what, table([["package", "version"], *versions])))


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


def known(where: str) -> dict[str, Section]:
    """What was measured before on this machine."""
    if not TIMES.exists():
        return {}
    kept = json.loads(TIMES.read_text("utf-8"))
    return {name: Section.loads(text) for name, text in kept["sections"].items()} if kept["machine"] == where else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument(
        "--quick", action="store_true", help="few and small runs, to see whether it works: only printed"
    )
    chosen = parser.parse_args()
    for name in chosen.sections:
        if name not in SECTIONS:
            parser.error(f"SECTION must be some of {', '.join(SECTIONS)}, got {name!r}")
    where = machine()
    found = {} if chosen.quick else known(where)
    for name in chosen.sections or SECTIONS:
        found[name] = section(name, chosen.quick)
    parts = [found[name] for name in SECTIONS if name in found]
    page = "\n\n".join((INTRODUCTION.strip(), *map(markdown, parts), where)) + "\n"
    if chosen.quick:
        print(page)
        return
    times = {"machine": where, "sections": {name: part.dumps() for name, part in found.items()}}
    for path, data in (
        (TIMES, json.dumps(times, indent=1).encode()),
        (PICTURE, picture(parts)),
        (PAGE, page.encode()),
    ):
        path.write_bytes(data)
    print(PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE)


if __name__ == "__main__":
    main()
