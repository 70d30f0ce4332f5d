"""Quiet TensorFlow on the CPU, and Hypothesis profiles: dev by default, ci where CI is set, others on demand."""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import pytest
from hypothesis import HealthCheck, Phase, settings

# The first call of a layer takes seconds, the next milliseconds, so that neither time nor its spread says anything;
# explaining a failure runs it some hundreds of times more.
COMMON = {
    "deadline": None,
    "phases": [phase for phase in Phase if phase is not Phase.explain],
    "suppress_health_check": [HealthCheck.too_slow],
    "print_blob": True,
}
settings.register_profile("dev", max_examples=30, **COMMON)
settings.register_profile("ci", max_examples=30, derandomize=True, **COMMON)
settings.register_profile("brief", max_examples=10, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=40, derandomize=True, **COMMON)
settings.register_profile("nightly", max_examples=1000, **COMMON)

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


def pytest_configure(config):
    # Keras's own conversion of variables, under NumPy 2.
    config.addinivalue_line(
        "filterwarnings", "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    )


SWEEP = Path(__file__).with_name("sweep.txt")


def pytest_addoption(parser):
    parser.addoption(
        "--over",
        type=float,
        metavar="SECONDS",
        help="write tests/sweep.txt: what takes more processor time, contracts aside",
    )


@pytest.hookimpl(tryfirst=True)  # before pytest looks at `-m`
def pytest_collection_modifyitems(config, items):
    """Put into the sweep what `sweep.txt` lists, and the parameters that `sweep_only` names or `sweep_but` does not."""
    dear = set() if config.getoption("--over") else set(SWEEP.read_text(encoding="utf-8").splitlines())
    for item in items:
        only, kept = item.get_closest_marker("sweep_only"), item.get_closest_marker("sweep_but")
        if (
            item.nodeid in dear
            or (only and item.callspec.id in only.args)
            or (kept and item.callspec.id not in kept.args)
        ):
            item.add_marker(pytest.mark.sweep)


def _spent():
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    item.user_properties.append(("spent", -_spent()))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "teardown":
        report.user_properties = [("spent", dict(item.user_properties)["spent"] + _spent())]
    return report


def pytest_terminal_summary(terminalreporter, config):
    limit = config.getoption("--over")
    if limit:
        reports = [report for reports in terminalreporter.stats.values() for report in reports]
        times = {r.nodeid: dict(r.user_properties)["spent"] for r in reports if getattr(r, "when", "") == "teardown"}
        dear = sorted(name for name, spent in times.items() if spent > limit and "/contracts/" not in name)
        SWEEP.write_text("".join(f"{name}\n" for name in dear), encoding="utf-8")
