"""How many of each class are taken for which, and what follows from it."""

from __future__ import annotations

import numpy as np


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts, the true class in rows and the predicted one in columns."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def intersection_over_union(matrix: np.ndarray) -> np.ndarray:
    """Of each class; none (NaN) of one that neither is there nor was found."""
    hits = matrix.diagonal().astype(float)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - hits
    return np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)
