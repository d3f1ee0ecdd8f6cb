# SPDX-License-Identifier: MIT
"""Smooth functions through values with errors: regression by a Gaussian process of squared exponentials.

Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning (MIT Press 2006),
chapters 2 and 5; as a measure of data collapse K. Harada, Phys. Rev. E 84, 056704 (2011).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize

__all__ = ["Kernel", "fitted", "log_likelihood", "smooth"]

# Bounds of the logarithms of amplitude, length and roughness, for values and places of order one.
BOUNDS = ((-3.0, 5.0), (-3.0, 4.0), (-12.0, 1.0))
START = (0.0, 0.0, -6.0)


@dataclass(frozen=True)
class Kernel:
    """Covariance of the function: amplitude^2 exp(-(x - y)^2 / (2 length^2)) + roughness^2 [x = y].

    Attributes
    ----------
    amplitude, length : float
        Positive, in units of the values and of the places.
    roughness : float
        What the errors of the values leave out, such as corrections to scaling.
    """

    amplitude: float
    length: float
    roughness: float

    @classmethod
    def of_logs(cls, logs: NDArray) -> Kernel:
        """From the logarithms, which is what a fit moves."""
        return cls(*(math.exp(value) for value in logs))

    def between(self, x: NDArray, y: NDArray) -> NDArray:
        """Covariances of the smooth part, shape (n_x, n_y)."""
        return self.amplitude**2 * np.exp(-0.5 * ((x[:, None] - y[None, :]) / self.length) ** 2)

    def of_values(self, x: NDArray, noise: NDArray) -> NDArray:
        """Covariances of values at x whose errors have the covariance `noise`."""
        return self.between(x, x) + noise + self.roughness**2 * np.eye(len(x))


def log_likelihood(x: NDArray, y: NDArray, noise: NDArray, kernel: Kernel) -> float:
    """Log of the probability density of the values; -inf where the covariance is singular.

    Parameters
    ----------
    x, y : array, shape (n,)
        Places and values, of mean about zero.
    noise : array, shape (n, n)
        Covariance of the errors of the values.
    kernel : Kernel

    Examples
    --------
    >>> float(log_likelihood(np.zeros(1), np.zeros(1), np.zeros((1, 1)), Kernel(1.0, 1.0, 0.0)).round(6))
    -0.918939
    """
    try:
        factor = cho_factor(kernel.of_values(x, noise), lower=True)
    except (LinAlgError, ValueError):
        return np.float64(-np.inf)
    log_determinant = 2.0 * np.log(np.diag(factor[0])).sum()
    return -0.5 * (y @ cho_solve(factor, y) + log_determinant + len(y) * math.log(2.0 * math.pi))


def fitted(x: NDArray, y: NDArray, noise: NDArray) -> Kernel:
    """The kernel under which values of order one at places of order one are most probable."""

    def loss(logs: NDArray) -> float:
        found = -log_likelihood(x, y, noise, Kernel.of_logs(logs))
        return found if math.isfinite(found) else 1e12

    return Kernel.of_logs(minimize(loss, START, method="L-BFGS-B", bounds=BOUNDS).x)


def smooth(x: NDArray, y: NDArray, noise: NDArray, kernel: Kernel, at: NDArray) -> NDArray:
    """Posterior mean of the function at other places.

    Examples
    --------
    >>> x = np.linspace(-1.0, 1.0, 9)
    >>> inside = smooth(x, np.sin(x), 1e-8 * np.eye(9), Kernel(1.0, 1.0, 0.0), np.array([0.1]))
    >>> bool(abs(inside[0] - np.sin(0.1)) < 1e-4)
    True
    """
    factor = cho_factor(kernel.of_values(x, noise), lower=True)
    return kernel.between(at, x) @ cho_solve(factor, y)
