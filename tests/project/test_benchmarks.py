"""What the benchmarks make of their times, and that each can be called; the times themselves are for no test."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))  # as it is for the program itself
measure = importlib.import_module("measure")
report = importlib.import_module("report")

durations = st.lists(st.floats(1e-4, 1e3), min_size=2, max_size=9)
words = st.text("abc ×-", min_size=1, max_size=9)
ratios = st.builds(
    lambda what, peer, times, factor, wanted: measure.Ratio(what, peer, times, [factor * t for t in times], wanted),
    words,
    words,
    durations,
    st.floats(0.01, 100),
    st.none() | st.floats(0.1, 100),
)
sections = st.builds(measure.Section, words, words, st.lists(ratios, max_size=3))


@given(durations, st.floats(0.01, 100))
def test_a_peer_that_takes_so_many_times_as_long_has_that_ratio_whatever_the_noise(times, factor):
    ratio = measure.Ratio("ours", "theirs", times, [factor * taken for taken in times], wanted=factor * 0.99)
    assert ratio.median == pytest.approx(factor)
    assert ratio.spread == pytest.approx((factor, factor))
    assert ratio.verdict.startswith("yes")


@given(durations, durations)
def test_the_median_lies_in_the_spread(ours, theirs):
    number = min(len(ours), len(theirs))
    ratio = measure.Ratio("ours", "theirs", ours[:number], theirs[:number])
    low, high = ratio.spread
    assert min(ratio.each) <= low <= ratio.median <= high <= max(ratio.each)


@given(sections)
def test_a_section_survives_the_way_between_processes(section):
    assert measure.Section.loads(section.dumps()) == section


@given(sections)
def test_every_ratio_is_a_row_and_all_rows_are_as_wide(section):
    rows = [line for line in measure.markdown(section).splitlines() if line.startswith("|")]
    assert len(rows) == (2 + len(section.ratios) if section.ratios else 0)
    assert len({row.count("|") for row in rows}) <= 1


@pytest.mark.sweep
def test_works_take_turns_and_warm_up():
    called = []
    times = measure.in_turn({name: lambda name=name: called.append(name) for name in "ab"}, runs=3)
    assert [len(each) for each in times.values()] == [3, 3]
    assert sorted("".join(called)[:2]) == ["a", "b"] and len(called) == 8


def test_the_picture_names_every_ratio_and_has_the_same_bytes_twice():
    section = measure.Section("Drawing", "", [measure.Ratio("a net", "a peer", [1, 1], [2, 3], wanted=2)])
    once, twice = report.picture([section]), report.picture([section])
    assert once == twice
    assert once.startswith(b"<?xml")


def test_the_report_knows_every_benchmark():
    others = {"measure", "report", "peers"}
    assert set(report.SECTIONS) == {path.stem for path in BENCHMARKS.glob("*.py")} - others


@pytest.mark.parametrize("name", ["report", "startup"])
def test_help_says_what_it_does(name):
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--quick" in done.stdout


def test_a_section_that_does_not_exist_is_one_line():
    command = [sys.executable, str(BENCHMARKS / "report.py"), "--only", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "'nothing'" in done.stderr
