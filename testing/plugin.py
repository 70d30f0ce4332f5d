"""The pytest plugin: `--layerblocks-examples N`, and what is needed to reproduce a failed check.

It imports neither Keras nor Hypothesis.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import pytest

from . import pytest_options as options

_BEFORE = pytest.StashKey[int | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("layerblocks", "property-based tests of nets")
    group.addoption(
        "--layerblocks-examples",
        type=int,
        metavar="N",
        help="examples of each check_net that is not given a number (default: as the Hypothesis profile has it)",
    )


def pytest_configure(config: pytest.Config) -> None:
    number = config.getoption("--layerblocks-examples")
    if number is not None and number < 1:
        raise pytest.UsageError(f"--layerblocks-examples must be a positive number, got {number}")
    config.stash[_BEFORE] = options.EXAMPLES
    if number is not None:
        options.EXAMPLES = number


def pytest_unconfigure(config: pytest.Config) -> None:
    options.EXAMPLES = config.stash.get(_BEFORE, None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add the code to reproduce a failed check, ready to be copied, and a line for the summary."""
    report = yield
    reports = sys.modules.get(f"{__package__}.reports")  # not imported: no check has failed
    error = None if call.excinfo is None else call.excinfo.value
    if reports is not None and isinstance(error, reports.CheckError):
        told = error.report
        if told.code:
            report.sections.append(("layerblocks: to reproduce", told.code))
        report.layerblocks = f"{told.title}{f': {told.smallest}' if told.smallest else ''}"
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    failed = [report for report in terminalreporter.getreports("failed") if hasattr(report, "layerblocks")]
    if failed:
        terminalreporter.section("layerblocks: the smallest cases that fail")
    for report in failed:
        terminalreporter.write_line(f"{report.nodeid}\n    {report.layerblocks}")
