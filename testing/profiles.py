"""Hypothesis profiles for tests that build Keras models, known by name as soon as Hypothesis is imported.

`pytest --hypothesis-profile=layerblocks-ci`, or `settings.load_profile("layerblocks-nightly")`. `layerblocks-dev` has
30 examples, `-ci` 100, the same ones each time, and `-nightly` 1000. None of them is loaded unless asked for.
"""

from __future__ import annotations

from typing import Any

PROFILES: dict[str, dict[str, Any]] = {
    "layerblocks-dev": {"max_examples": 30},
    "layerblocks-ci": {"max_examples": 100, "derandomize": True},
    "layerblocks-nightly": {"max_examples": 1000},
}


def register() -> None:
    """Make the profiles known; Hypothesis calls this by itself.

    Example:
        >>> from hypothesis import settings
        >>> register()
        >>> settings.get_profile("layerblocks-ci").max_examples
        100
    """
    from hypothesis import HealthCheck, Phase, settings

    # The first call of a layer takes seconds, the next milliseconds, so that neither time nor its spread says anything;
    # explaining a failure runs it some hundreds of times more.
    common: dict[str, Any] = {
        "deadline": None,
        "phases": tuple(phase for phase in Phase if phase is not Phase.explain),
        "suppress_health_check": [HealthCheck.too_slow],
    }
    for name, own in PROFILES.items():
        settings.register_profile(name, **common, **own)
