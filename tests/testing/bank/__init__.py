"""Nets with one realistic bug each, and the same nets without it: what `check_…` must find, and what it must pass."""

from . import branches, heads, numbers, sequences, sizes  # noqa: F401
from .pairs import PAIRS as PAIRS
