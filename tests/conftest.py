"""Quiet TensorFlow on the CPU, and Hypothesis profiles: dev by default, ci where CI is set, others on demand."""

import os

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
settings.register_profile("thorough", max_examples=100, derandomize=True, **COMMON)
settings.register_profile("nightly", max_examples=1000, **COMMON)

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


def pytest_configure(config):
    # Keras's own conversion of variables, under NumPy 2.
    config.addinivalue_line(
        "filterwarnings", "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    )


@pytest.hookimpl(tryfirst=True)  # before pytest looks at `-m`
def pytest_collection_modifyitems(items):
    """Put those parameters of a test into the sweep that its `sweep_only` names, or its `sweep_but` does not."""
    for item in items:
        dear, kept = item.get_closest_marker("sweep_only"), item.get_closest_marker("sweep_but")
        if (dear and item.callspec.id in dear.args) or (kept and item.callspec.id not in kept.args):
            item.add_marker(pytest.mark.sweep)
