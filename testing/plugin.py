"""The pytest plugin: `--layerblocks-examples N`, `--layerblocks-shapes`, and code to reproduce a failed check.

It imports neither Keras nor Hypothesis.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from . import pytest_options as options

if TYPE_CHECKING:
    from .reports import CheckError

_BEFORE = pytest.StashKey[int | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("layerblocks", "property-based tests of nets")
    group.addoption(
        "--layerblocks-examples",
        type=int,
        metavar="N",
        help="examples of each check_net that is not given a number (default: as the Hypothesis profile has it)",
    )
    group.addoption(
        "--layerblocks-shapes",
        action="store_true",
        help="make a property test of each function and class that is decorated with @shapes, in any Python file",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A file that uses `@shapes` of this library, if these are asked for."""
    if not parent.config.getoption("--layerblocks-shapes") or file_path.suffix != ".py":
        return None
    text = file_path.read_text(encoding="utf-8", errors="ignore")
    return DeclaredModule.from_parent(parent, path=file_path) if "layerblocks" in text and "shapes(" in text else None


class DeclaredModule(pytest.Module):
    """A file, and what it declares by `@shapes`."""

    def collect(self) -> Iterator[pytest.Item]:
        module: Any = self.obj
        from .declared import declared

        for name, target in vars(module).items():
            if getattr(target, "__module__", None) == module.__name__ and declared(target) is not None:
                yield DeclaredItem.from_parent(self, name=f"shapes[{name}]", target=target)


class DeclaredItem(pytest.Item):
    """The property test of one function or class."""

    def __init__(self, *, target: Any, **options: Any) -> None:
        super().__init__(**options)
        self.target = target

    def runtest(self) -> None:
        from .declared_checks import check_shapes

        check_shapes(self.target)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report alone, without the way through this library."""
        reports = sys.modules.get(f"{__package__}.reports")
        if reports is not None and isinstance(excinfo.value, reports.CheckError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


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
        told = cast("CheckError", error).report
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
