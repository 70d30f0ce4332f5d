"""What pytest was given on its command line; apart, so that nothing has to be imported for it."""

from __future__ import annotations

EXAMPLES: int | None = None
"""`--layerblocks-examples`."""


def max_examples() -> int:
    """Examples of a check that is given no number."""
    if EXAMPLES is not None:
        return EXAMPLES
    from hypothesis import settings

    return int(settings().max_examples)


def common_seed() -> int | None:
    """A seed for all that one check tries, so that it tries the same cases; None where the profile has its own."""
    import random

    from hypothesis import settings

    return None if settings().derandomize else random.randrange(2**32)
