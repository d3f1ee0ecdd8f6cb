# SPDX-License-Identifier: MIT
"""Data with two labels, generated from a seed, and the scores of a classifier on them.

References
----------
Fawcett, An introduction to ROC analysis, Pattern Recogn. Lett. 27, 861 (2006),
doi:10.1016/j.patrec.2005.10.010 (AUC).
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = ["accuracy", "area_under_curve", "check_data", "generate_data"]

_CORRELATION = 0.3


def generate_data(n_features: int, n_train: int, n_test: int, seed: int) -> tuple[NDArray, ...]:
    """Features and labels, training and test, as the module docstring has it.

    Examples
    --------
    >>> [part.shape for part in generate_data(3, 5, 2, seed=1)]
    [(5, 3), (5,), (2, 3), (2,)]
    """
    rng = np.random.default_rng(seed)
    n_rows = n_train + n_test
    noise = rng.standard_normal((n_rows, n_features))
    noise[:, 1:] *= math.sqrt(1.0 - _CORRELATION**2)
    features = scipy.signal.lfilter([1.0], [1.0, -_CORRELATION], noise, axis=1)
    true = rng.standard_normal(n_features + 1)
    probability = scipy.special.expit(features @ true[:-1] + true[-1])
    labels = (rng.random(n_rows) < probability).astype(np.float64)
    return features[:n_train], labels[:n_train], features[n_train:], labels[n_train:]


def accuracy(probability: NDArray, labels: NDArray) -> float:
    """Share of labels that the more probable class gets right.

    Examples
    --------
    >>> accuracy(np.array([0.9, 0.2, 0.6]), np.array([1, 0, 0])).__round__(3)
    0.667
    """
    return float(np.mean((np.asarray(probability) > 0.5) == (np.asarray(labels) > 0.5)))


def area_under_curve(probability: NDArray, labels: NDArray) -> float:
    """Area under the ROC curve: how often a row with label 1 is ranked above one with label 0, ties half.

    Raises
    ------
    ValueError
        If only one label occurs.

    Examples
    --------
    >>> area_under_curve(np.array([0.9, 0.2, 0.6, 0.6]), np.array([1, 0, 0, 1]))
    0.875
    """
    positive = np.asarray(labels) > 0.5
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        raise ValueError("labels must hold both classes, got one")
    ranks = scipy.stats.rankdata(probability)[positive].sum()
    return float((ranks - 0.5 * n_positive * (n_positive + 1)) / (n_positive * n_negative))


def check_data(data) -> tuple[NDArray[np.float64], ...]:
    arrays = tuple(np.asarray(part, np.float64) for part in data)
    if len(arrays) != 4:
        raise ValueError(
            f"data must be (features, labels, test features, test labels), got {len(arrays)} arrays"
        )
    for features, labels in (arrays[:2], arrays[2:]):
        if features.ndim != 2 or labels.shape != (len(features),) or features.shape[1] != arrays[0].shape[1]:
            raise ValueError(
                f"data must have features (n_rows, n_features) and labels (n_rows,), got "
                f"{features.shape} and {labels.shape}"
            )
        if not np.isin(labels, (0.0, 1.0)).all():
            raise ValueError("data must have the labels 0 and 1, got others")
    return arrays
